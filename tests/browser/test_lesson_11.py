"""Lesson 11 in a real JupyterLab: a published bill is audited."""

from tests.browser.promises import Runs


class TestCost(Runs):
    NAME = "11_cost.ipynb"
