"""Lesson 2 in a real JupyterLab: all cells run, and the panel's button brings a new reply."""

from pathlib import Path

from playwright.sync_api import expect

from tests.browser import lab
from tests.notebooks.regenerate import NOTEBOOKS

NAME = "02_ask.ipynb"


def test_the_panel_answers_in_a_browser(tmp_path: Path) -> None:
    lab.find_browser()
    root, folder = tmp_path / "lessons", tmp_path / "jupyter"
    root.mkdir()
    cells = lab.copy_unrun(NOTEBOOKS / NAME, root)
    with lab.jupyterlab(root, folder) as address, lab.browser_page() as page:
        lab.open_notebook(page, address, NAME)
        lab.run_all(page, cells)
        assert lab.errors(page) == []

        send = page.get_by_role("button", name="Send", exact=True).first
        send.scroll_into_view_if_needed()
        panel = page.locator(".widget-vbox", has=send).last
        reply = panel.locator(".hs-panel-reply").first
        before = reply.inner_text()
        prompt = panel.get_by_role("textbox", name="Prompt").first
        prompt.fill("Which colour has the sky above the river at noon?")
        prompt.press("Tab")
        send.click()
        expect(reply).not_to_have_text(before)
        expect(reply).to_contain_text("sky")
        expect(send).to_be_enabled()
        assert lab.errors(page) == []
        assert lab.screenshot(page, "lesson_02").stat().st_size > 20_000
