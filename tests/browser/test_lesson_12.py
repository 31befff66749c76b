"""Lesson 12 in a real JupyterLab: sliders are moved, and figures, table and words follow."""

from playwright.sync_api import expect

from tests.browser.promises import HasPanel, number
from tools.lab import Lesson


class TestCost(HasPanel):
    NAME = "12_roi.ipynb"
    SENT = "len(gw.mock.entries())"

    def drive(self, lesson: Lesson) -> None:
        status, table = lesson.panel.get_by_role("status"), lesson.panel.locator("table")
        expect(status).to_contain_text("10,000,000 tokens a month")  # the lesson's own values
        figures = lesson.panel.locator("img")
        expect(figures).to_have_count(2)
        before = [figures.nth(number).get_attribute("src") for number in range(2)]
        for name, key, times in (
            ("Tokens, millions", "ArrowRight", 10),
            ("Input, %", "ArrowLeft", 10),
            ("Move, USD once", "ArrowLeft", 10),
        ):
            handle = lesson.panel.get_by_role("slider", name=name, exact=True)
            for _ in range(times):
                handle.press(key)
        expect(status).to_contain_text("20,000,000 tokens a month cost 8.80 USD")
        expect(status).to_contain_text("500.00 USD spent once")
        expect(table).to_contain_text("120.00")
        for count in range(2):
            expect(figures.nth(count)).not_to_have_attribute("src", before[count] or "")

    def provoke(self, lesson: Lesson) -> str:
        lesson.kernel(
            "__import__('holysheep_helpers.costs.panel', fromlist='x')"
            ".__dict__.update(by_model=lambda *_: 1 / 0)"
        )
        number(lesson, "Growth, %").fill("7")
        number(lesson, "Growth, %").press("Enter")
        return "ZeroDivisionError: division by zero (Unexpected"
