"""Lesson 2 in a real JupyterLab: what is sent is what the playground shows."""

from playwright.sync_api import expect

from tests.browser.promises import HasPanel, button, empty_the_prompt, number, said
from tools.lab import Lesson


class TestAsk(HasPanel):
    NAME = "02_ask.ipynb"

    def drive(self, lesson: Lesson) -> None:
        preset = lesson.panel.get_by_role("combobox", name="Preset")
        preset.focus()
        preset.press("ArrowDown")  # another preset, not another cell
        chosen = lesson.kernel("(panel.preset.value, panel.max_tokens.value)")
        assert chosen[0] == preset.input_value() != "general"
        expect(number(lesson, "max_tokens")).to_have_value(str(chosen[1]))
        lesson.panel.get_by_role("textbox", name="Prompt").fill("Which colour has the sky?")
        button(lesson, "Send").click()
        expect(lesson.panel.locator(".hs-answer")).to_contain_text("sky")
        expect(said(lesson)).to_contain_text("spent so far")

    def provoke(self, lesson: Lesson) -> str:
        return empty_the_prompt(lesson)

    def test_send_right_after_typing_sends_what_is_shown(self, lesson: Lesson) -> None:
        prompt = lesson.panel.get_by_role("textbox", name="Prompt")
        for count in (41, 42, 43):
            number(lesson, "max_tokens").fill(str(count))
            prompt.fill("")
            prompt.press_sequentially(f"Who is otter number {count}?")
            button(lesson, "Send").click()
            expect(lesson.panel.locator(".hs-answer")).to_contain_text(f"otter number {count}")
            expect(lesson.panel.get_by_role("button", name="Send")).to_be_enabled()

    def test_a_warning_is_shown_inside_the_panel(self, lesson: Lesson) -> None:
        number(lesson, "max_tokens").fill("3")
        button(lesson, "Send").click()
        expect(lesson.panel.locator(".hs-warned")).to_contain_text("CutShortWarning")
        assert lesson.errors() == []
