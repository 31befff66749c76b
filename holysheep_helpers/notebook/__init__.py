"""Figures, controls and panels, as JupyterLab shows them."""
