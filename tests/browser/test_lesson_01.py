"""Lesson 1 in a real JupyterLab: boxes ticked by keyboard, and models compared."""

from playwright.sync_api import expect

from tests.browser.promises import HasPanel, button, empty_the_prompt, meets, said
from tools.lab import Lesson


class TestConnect(HasPanel):
    NAME = "01_connect.ipynb"

    def drive(self, lesson: Lesson) -> None:
        box = lesson.panel.get_by_role("checkbox", name="deepseek-v3.2")
        expect(box).not_to_be_checked()
        box.press("Space")
        expect(box).to_be_checked()
        button(lesson, "Send").press("Enter")
        expect(lesson.panel.locator(".hs-answer")).to_contain_text("deepseek-v3.2")
        expect(said(lesson)).to_contain_text("Spent so far")
        assert lesson.kernel("len(panel.replies)") == 4

    def provoke(self, lesson: Lesson) -> str:
        return empty_the_prompt(lesson)

    def test_stop_asks_no_further_model(self, lesson: Lesson) -> None:
        lesson.panel.get_by_role("textbox", name="Prompt").fill("hello")
        for box in lesson.panel.get_by_role("checkbox").all():
            box.check()
        meets(lesson, {"kind": "slow_first", "delay_s": 50})  # 2 s, as the mock is played
        button(lesson, "Send").click()
        expect(said(lesson)).to_contain_text("Asking")
        button(lesson, "Stop").click()
        expect(said(lesson)).to_contain_text("Stopped, models not asked")
        expect(lesson.panel.get_by_role("button", name="Send")).to_be_enabled()
