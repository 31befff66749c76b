"""Lesson 6 in a real JupyterLab: the instrument is calibrated, and a server is put under load."""

from tests.browser.promises import Runs


class TestLoad(Runs):
    NAME = "06_load.ipynb"
