"""Lesson 0 in a real JupyterLab."""

from tests.browser.promises import Runs


class TestStartHere(Runs):
    NAME = "00_start_here.ipynb"
