"""Lesson 4 in a real JupyterLab: a batch, its faults, and its end."""

from playwright.sync_api import expect

from tests.browser.promises import HasPanel, button, empty_the_prompt, number, said
from tools.lab import Lesson


class TestBatch(HasPanel):
    NAME = "04_batch.ipynb"

    def drive(self, lesson: Lesson) -> None:
        number(lesson, "Prompts").fill("12")
        faults = lesson.panel.get_by_role("slider", name="Faults, %")
        for _ in range(6):
            faults.press("ArrowRight")
        button(lesson, "Send").click()
        expect(said(lesson)).to_contain_text("12 prompts: 12 answered")
        expect(lesson.panel.get_by_role("img", name="12 prompts in")).to_be_visible()
        assert lesson.kernel("len(panel.result) < panel.result.sent")

    def provoke(self, lesson: Lesson) -> str:
        return empty_the_prompt(lesson)

    def test_stop_ends_the_batch(self, lesson: Lesson) -> None:
        lesson.panel.get_by_role("textbox", name="Prompt").fill("hello")
        number(lesson, "Prompts").fill("60")
        number(lesson, "Per minute (0: no limit)").fill("60")
        number(lesson, "Requests at once").fill("1")
        button(lesson, "Send").click()
        expect(said(lesson)).to_contain_text("in flight")
        button(lesson, "Stop").press("Enter")
        expect(said(lesson)).to_contain_text("of 60 answered")
        assert lesson.kernel("len(panel.result.failed)") > 0
