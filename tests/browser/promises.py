"""What every lesson promises in a browser, and what every panel does; lessons add their own.

The tests of a class share one open notebook and run in this order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from holysheep_helpers.lessons import copies
from tools.lab import Lesson

ARTIFACTS = Path(__file__).parent / "artifacts"

CONTROLS = "input:not(:disabled), select, textarea, button, [tabindex='0']"
# What can be moved through with Tab and is seen; a list of elements, in the page's order.
SEEN = f"""panel => [...panel.querySelectorAll("{CONTROLS}")].filter(e => e.offsetParent).length"""


class Runs:
    """A lesson: it runs from top to bottom, and speaks to this computer alone."""

    NAME: ClassVar[str]

    @pytest.fixture(autouse=True)
    def nothing_goes_wrong_unseen(self, lesson: Lesson) -> Iterator[None]:
        """After each test: no error in the console, no request to another host."""
        yield
        assert lesson.console == []
        assert lesson.outside == []

    def test_it_runs_from_top_to_bottom(self, lesson: Lesson) -> None:
        assert lesson.errors() == []
        unseen = "all => all.filter(one => !one.naturalWidth).map(one => one.src)"
        assert lesson.page.locator(".jp-RenderedMarkdown img").evaluate_all(unseen) == []

    def test_to_run_and_save_it_is_no_change(self, lesson: Lesson) -> None:
        lesson.save()
        name, content = lesson.file.name, lesson.file.read_bytes()
        assert b'"output_type"' in content
        given = json.loads((lesson.file.parent / copies.RECORD).read_bytes())
        assert copies.fingerprint(name, content) == given[name]


class HasPanel(Runs):
    """A lesson with a panel: by keyboard, by name, at two widths, in both themes."""

    SENT = "len(panel.gateway.mock.entries())"

    def drive(self, lesson: Lesson) -> None:
        """Use the panel, and see what it does."""
        raise NotImplementedError

    def provoke(self, lesson: Lesson) -> str:
        """Make an error happen in the panel; gives a part of what it has to say."""
        raise NotImplementedError

    def test_the_panel_does_what_it_is_told(self, lesson: Lesson) -> None:
        expect(lesson.panel).to_have_count(1)
        lesson.panel.scroll_into_view_if_needed()
        self.drive(lesson)
        assert lesson.errors() == []

    @pytest.mark.parametrize(
        ("width", "theme"), [(1280, "dark"), (768, "dark"), (768, "light"), (1280, "light")]
    )
    def test_nothing_is_cut_off_or_nameless(self, lesson: Lesson, width: int, theme: str) -> None:
        file = ARTIFACTS / f"{self.NAME[:2]}_{width}_{theme}.png"
        assert lesson.picture(file, width, theme).stat().st_size > 5_000
        cut = lesson.panel.evaluate(
            """panel => [panel, ...panel.querySelectorAll('*')].filter(part =>
                part.scrollWidth > part.clientWidth + 1 && part.clientWidth
                && getComputedStyle(part).display !== 'inline'
                && !part.closest('.hs-scroll, .hs-figure, textarea, select, input'))
                .map(part => `${part.className}: ${part.scrollWidth} > ${part.clientWidth}`)"""
        )
        found = violations(lesson)
        assert (cut, found) == ([], [])

    def test_its_keys_stay_in_it(self, lesson: Lesson) -> None:
        cells = lesson.page.locator(".jp-Notebook .jp-Cell")
        count = cells.count()
        for control in _each(lesson.panel.locator("input:not(:disabled), select, button")):
            control.focus()
            for key in ("ArrowDown", "ArrowUp", "d", "d", "a"):
                control.press(key)
            expect(control).to_be_focused()
        assert cells.count() == count

    def test_tab_visits_every_control_and_leaves(self, lesson: Lesson) -> None:
        seen, visited = -1, 0
        while seen != lesson.panel.evaluate(SEEN):  # it may still be drawing
            seen, visited = lesson.panel.evaluate(SEEN), self._tab_through(lesson)
        assert visited == seen

    def _tab_through(self, lesson: Lesson) -> int:
        """How many controls Tab stops at, from the panel's first one until it leaves."""
        lesson.panel.locator(CONTROLS).first.focus()
        visited = 0
        while lesson.panel.evaluate("panel => panel.contains(document.activeElement)"):
            visited += 1
            lesson.page.keyboard.press("Tab")
        return visited

    def test_a_slider_on_the_move_sends_nothing(self, lesson: Lesson) -> None:
        sent = lesson.kernel(self.SENT)
        for handle in _each(lesson.panel.locator("input[type=range]:not(:disabled)")):
            number = handle.locator("xpath=following-sibling::input")
            before = handle.input_value()
            box = handle.bounding_box()
            assert box is not None
            left, middle = box["x"] + 8, box["y"] + box["height"] / 2
            lesson.page.mouse.move(left, middle)
            lesson.page.mouse.down()
            for part in (0.2, 0.5, 0.8, 0.3):
                lesson.page.mouse.move(left + (box["width"] - 16) * part, middle)
                expect(number).to_have_value(handle.input_value())
            lesson.page.mouse.up()
            handle.press("ArrowRight")
            handle.fill(before)
        lesson.wait_until_idle()
        assert lesson.kernel(self.SENT) == sent
        assert lesson.errors() == []

    def test_an_error_is_shown_inside_the_panel(self, lesson: Lesson) -> None:
        says = self.provoke(lesson)
        alert = lesson.panel.get_by_role("alert")
        expect(alert).to_contain_text(says)
        lesson.picture(ARTIFACTS / f"{self.NAME[:2]}_error.png")
        assert lesson.errors() == []

    def test_to_run_its_cell_again_replaces_it(self, lesson: Lesson) -> None:
        open_widgets = "len(__import__('sys').modules['ipywidgets.widgets.widget']._instances)"
        before = lesson.kernel(open_widgets)
        for _ in range(2):
            lesson.run_cell("panel = hs.")
        expect(lesson.panel).to_have_count(1)
        assert lesson.kernel(open_widgets) == before


def _each(found: Locator) -> list[Locator]:
    return [one for one in found.all() if one.is_visible()]


def violations(lesson: Lesson) -> list[str]:
    """What axe-core has against the panel: rule, and where."""
    lesson.page.evaluate(Axe().axe_script)
    found = lesson.page.evaluate("axe.run('.hs-panel', {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['html'][:160]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def button(lesson: Lesson, name: str) -> Locator:
    """The panel's button of that name; what the panel says from now on is ``said``."""
    lesson.panel.locator(".hs-said").evaluate_all("old => old.forEach(one => one.id = 'old')")
    return lesson.panel.get_by_role("button", name=name, exact=True)


def said(lesson: Lesson) -> Locator:
    """What the panel has said since its button was taken."""
    return lesson.panel.locator(".hs-said:not(#old)")


def number(lesson: Lesson, name: str) -> Locator:
    """The number of the slider of that name."""
    return lesson.panel.get_by_role("spinbutton", name=f"{name}: number", exact=True)


def meets(lesson: Lesson, fault: object, every: int | None = None) -> None:
    """What the panel's next requests meet at the mock: a test of *Stop* needs one that lasts."""
    lesson.kernel(f"panel.gateway.mock.script({fault!r}, every={every})")


def empty_the_prompt(lesson: Lesson, name: str = "Send", prompt: str = "Prompt") -> str:
    """Press the button without a prompt."""
    lesson.panel.get_by_role("textbox", name=prompt, exact=True).fill("")
    button(lesson, name).click()
    return "InputError"
