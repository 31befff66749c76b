"""Lessons in a real JupyterLab: what is open for them is closed before other tests begin."""
