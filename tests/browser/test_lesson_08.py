"""Lesson 8 in a real JupyterLab: a fault, a policy, and the requests that the server saw."""

from playwright.sync_api import expect

from tests.browser.promises import HasPanel, button, empty_the_prompt, number, said
from tools.lab import Lesson


class TestRetries(HasPanel):
    NAME = "08_retries.ipynb"

    def drive(self, lesson: Lesson) -> None:
        fault = lesson.panel.get_by_role("combobox", name="Fault")
        fault.select_option(label="connection reset")
        number(lesson, "How many").fill("1")
        button(lesson, "Send").press("Enter")
        expect(said(lesson)).to_contain_text("The server saw 2 requests")
        expect(lesson.panel.get_by_role("img", name="Figure")).to_be_visible()
        fault.select_option(label="401, wrong key")
        button(lesson, "Send").click()
        expect(said(lesson)).to_contain_text("The server saw 1 request ")

    def provoke(self, lesson: Lesson) -> str:
        return empty_the_prompt(lesson)
