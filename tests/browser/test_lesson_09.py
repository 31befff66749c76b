"""Lesson 9 in a real JupyterLab: three sliders are moved, and figures, table and words follow."""

from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser import lab
from tests.notebooks.regenerate import NOTEBOOKS

NAME = "09_cost_and_roi.ipynb"


def test_the_sliders_redraw_the_panel_in_a_browser(tmp_path: Path) -> None:
    lab.find_browser()
    root, folder = tmp_path / "lessons", tmp_path / "jupyter"
    root.mkdir()
    cells = lab.copy_unrun(NOTEBOOKS / NAME, root)
    with lab.jupyterlab(root, folder) as address, lab.browser_page() as page:
        lab.open_notebook(page, address, NAME)
        lab.run_all(page, cells)
        assert lab.errors(page) == []

        panel = page.locator(".widget-vbox", has_text="What a move costs and saves").last
        panel.scroll_into_view_if_needed()
        status, table = panel.get_by_role("status"), panel.locator("table")
        expect(status).to_contain_text("30,000,000 tokens a month")  # a cell below drove it
        figures = panel.locator("img")
        expect(figures).to_have_count(2)
        before = [figures.nth(number).get_attribute("src") for number in range(2)]

        def press(name: str, key: str, times: int) -> None:
            handle: Locator = panel.locator(".widget-slider", has_text=name).locator(".noUi-handle")
            handle.focus()
            for _ in range(times):
                handle.press(key)

        press("Tokens, millions", "ArrowRight", 10)
        press("Input, %", "ArrowLeft", 30)
        press("Move, USD once", "ArrowLeft", 10)
        expect(status).to_contain_text("40,000,000 tokens a month cost 16.00 USD")
        expect(status).to_contain_text("1,000.00 USD spent once")
        expect(table).to_contain_text("220.00")
        for number in range(2):
            expect(figures.nth(number)).not_to_have_attribute("src", before[number] or "")
        assert lab.errors(page) == []
        assert lab.screenshot(page, "lesson_09").stat().st_size > 20_000
