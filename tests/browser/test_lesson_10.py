"""Lesson 10 in a real JupyterLab: planned while knobs move, sent as shown."""

from playwright.sync_api import expect

from tests.browser.promises import HasPanel, button, empty_the_prompt, meets, number, said
from tools.lab import Lesson


class TestLongPrompts(HasPanel):
    NAME = "10_long_prompts.ipynb"

    def drive(self, lesson: Lesson) -> None:
        sent = lesson.kernel(self.SENT)
        part = lesson.panel.get_by_role("slider", name="Part, tokens")
        part.press("Home")
        for _ in range(4):
            part.press("ArrowRight")
        expect(lesson.panel.get_by_role("status")).to_contain_text("parts of up to 250 tokens")
        assert lesson.kernel(self.SENT) == sent
        button(lesson, "Send").press("Enter")
        expect(lesson.panel.locator(".hs-answer")).to_be_visible()
        expect(said(lesson)).to_contain_text("spent so far")
        assert lesson.kernel(self.SENT) - sent == lesson.kernel("panel.plan.calls")

    def provoke(self, lesson: Lesson) -> str:
        number(lesson, "Part, tokens").fill("50")
        number(lesson, "Overlap, tokens").fill("200")
        number(lesson, "Overlap, tokens").press("Enter")
        return "at most half of it"

    def test_send_right_after_a_change_sends_what_is_shown(self, lesson: Lesson) -> None:
        number(lesson, "Overlap, tokens").fill("0")
        for limit in (300, 500):
            sent = lesson.kernel(self.SENT)
            number(lesson, "Part, tokens").fill("150")
            number(lesson, "max_tokens").fill("99")
            number(lesson, "Part, tokens").fill(str(limit))
            button(lesson, "Send").click()
            expect(said(lesson)).to_contain_text("spent so far")
            assert lesson.kernel("panel.reply.plan.part_tokens") == limit
            assert lesson.kernel(self.SENT) - sent == lesson.kernel("panel.reply.plan.calls")

    def test_stop_ends_it(self, lesson: Lesson) -> None:
        number(lesson, "Part, tokens").fill("100")
        meets(lesson, "stall", every=1)
        button(lesson, "Send").click()
        button(lesson, "Stop").click()
        expect(lesson.panel.get_by_role("alert")).to_contain_text("Stopped: there is no answer")
        expect(lesson.panel.get_by_role("button", name="Send")).to_be_enabled()
        meets(lesson, [])

    def test_an_empty_instruction_is_said(self, lesson: Lesson) -> None:
        says = empty_the_prompt(lesson, prompt="Instruction")
        expect(lesson.panel.get_by_role("alert")).to_contain_text(says)
