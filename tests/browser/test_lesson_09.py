"""Lesson 9 in a real JupyterLab: an outage played, stopped, and a mock that is gone."""

from playwright.sync_api import expect

from tests.browser.promises import HasPanel, button, number, said
from tools import pictures
from tools.lab import Lesson


class TestFailover(HasPanel):
    NAME = "09_failover.ipynb"

    def drive(self, lesson: Lesson) -> None:
        assert pictures.use_panel(lesson) == pictures.words(), "python tools/pictures.py"
        number(lesson, "Calls").fill("20")
        lasts = lesson.panel.get_by_role("slider", name="Outage lasts, s")
        before = lasts.input_value()
        lasts.press("ArrowLeft")
        assert int(lasts.input_value()) == int(before) - 1
        lesson.panel.get_by_role("combobox", name="Outage").select_option("404: the model is gone")
        button(lesson, "Run").press("Enter")
        expect(said(lesson)).to_contain_text("Calls: 20 (")
        expect(lesson.panel.get_by_role("img", name="Figure")).to_be_visible()

    def provoke(self, lesson: Lesson) -> str:
        lesson.kernel(
            "__import__('holysheep_helpers.resilience.panels', fromlist='x')"
            ".__dict__.update(CircuitBreaker=lambda **_: 1 / 0)"
        )
        button(lesson, "Run").click()
        return "ZeroDivisionError: division by zero (Unexpected"
