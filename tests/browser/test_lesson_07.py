"""Lesson 7 in a real JupyterLab: every error is made to happen."""

from tests.browser.promises import Runs


class TestErrors(Runs):
    NAME = "07_errors.ipynb"
