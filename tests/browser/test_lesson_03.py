"""Lesson 3 in a real JupyterLab: it types, it stops."""

import os
import signal

import pytest
from playwright.sync_api import expect

from tests.browser.promises import ARTIFACTS, HasPanel, button, empty_the_prompt, meets, said
from tools.lab import Lesson


class TestStream(HasPanel):
    NAME = "03_stream.ipynb"

    def drive(self, lesson: Lesson) -> None:
        button(lesson, "Send").press("Enter")
        expect(said(lesson)).to_contain_text("all after")
        picture = lesson.panel.get_by_role("img", name="First text after")
        expect(picture).to_be_visible()

    def provoke(self, lesson: Lesson) -> str:
        return empty_the_prompt(lesson)

    def test_stop_leaves_the_stream(self, lesson: Lesson) -> None:
        lesson.panel.get_by_role("textbox", name="Prompt").fill(
            "Explain step by step how streaming works."
        )
        meets(lesson, {"kind": "stall", "after": 20})
        button(lesson, "Send").click()
        expect(lesson.panel.locator(".hs-answer")).not_to_be_empty()
        button(lesson, "Stop").press("Space")
        expect(said(lesson)).to_contain_text("left after")
        assert lesson.kernel("panel.stream.complete") is False
        assert lesson.kernel("panel.gateway.mock.entries(settle_s=10)[-1]['client_left']")

    @pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows can't halt a kernel")
    def test_a_button_says_where_the_kernel_cannot_hear_it(self, lesson: Lesson) -> None:
        kernel = lesson.kernel("__import__('os').getpid()")
        os.kill(kernel, signal.SIGSTOP)  # as a cell that blocks it
        try:
            button(lesson, "Send").click()
            note = lesson.panel.get_by_text("A cell is running: Send is heard when it ends.")
            expect(note).to_be_visible()
            lesson.picture(ARTIFACTS / "03_unheard.png")
        finally:
            os.kill(kernel, signal.SIGCONT)
        expect(note).to_have_count(0)
        expect(said(lesson)).to_contain_text("all after")
