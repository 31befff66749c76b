"""Lesson 5 in a real JupyterLab: measured, drawn, stopped."""

import re

from playwright.sync_api import expect

from tests.browser.promises import HasPanel, button, empty_the_prompt, number, said
from tools.lab import Lesson


class TestLatency(HasPanel):
    NAME = "05_latency.ipynb"

    def drive(self, lesson: Lesson) -> None:
        number(lesson, "Runs").fill("6")
        number(lesson, "max_tokens").fill("5")
        lesson.panel.get_by_role("combobox", name="Model").select_option(index=2)
        button(lesson, "Measure").press("Enter")
        expect(said(lesson)).to_contain_text("6 runs")
        expect(lesson.panel.get_by_role("img", name="Median time to first token")).to_be_visible()
        expect(lesson.panel.get_by_role("region").get_by_role("table")).to_be_visible()
        assert lesson.kernel("panel.result.model == panel.model.value")

    def provoke(self, lesson: Lesson) -> str:
        return empty_the_prompt(lesson, "Measure")

    def test_stop_keeps_what_was_measured(self, lesson: Lesson) -> None:
        lesson.panel.get_by_role("textbox", name="Prompt").fill("hello")
        number(lesson, "Runs").fill("100")
        button(lesson, "Measure").click()
        expect(said(lesson)).to_contain_text(re.compile(r"Measured \d+ of"))
        button(lesson, "Stop").press("Space")
        expect(lesson.panel.locator(".hs-scroll")).to_contain_text("Stopped early (stopped)")
        assert 1 <= lesson.kernel("len(panel.result)") < 100
