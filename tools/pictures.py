"""Makes the README's two pictures: a panel in a real JupyterLab, and a figure of a lesson.

    python tools/pictures.py             both; the panel needs Chromium or Chrome
    python tools/pictures.py --figure    the figure alone, out of the stored notebook

Tests compare them with what the lessons show: the figure's bytes, and the words in the panel.
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from PIL.PngImagePlugin import PngInfo  # noqa: E402
from playwright.sync_api import expect  # noqa: E402

from tools import lab  # noqa: E402
from tools import notebooks as r  # noqa: E402

PANEL = ROOT / "docs" / "images" / "panel.png"
FIGURE = ROOT / "docs" / "images" / "figure.png"
PANEL_LESSON, PANEL_BUTTON = "09_failover.ipynb", "Run"
FIGURE_LESSON, FIGURE_CELL = "08_retries.ipynb", "08-66"
WORDS = "words"
"""The picture's own field for what the panel said."""


def figure() -> bytes:
    """The figure as it is stored in the lesson."""
    notebook = r.load(r.NOTEBOOKS / FIGURE_LESSON)
    (cell,) = (cell for cell in r.code_cells(notebook) if cell["id"] == FIGURE_CELL)
    (png,) = (o["data"]["image/png"] for o in cell["outputs"] if "image/png" in o.get("data", {}))
    return base64.b64decode(r.text_of(png))


def use_panel(lesson: lab.Lesson) -> str:
    """Make the lesson's panel again, press its button, and give the words that it shows then."""
    lesson.run_cell("_panel(")
    lesson.panel.get_by_role("button", name=PANEL_BUTTON, exact=True).click()
    expect(lesson.panel.locator("img")).to_be_visible()
    labels = lesson.panel.locator("label").all_inner_texts()
    said = lesson.panel.locator(".hs-said").inner_text()
    spent = said.find("Spent so far")  # with whatever was asked before
    return " | ".join([*labels, re.sub(r"\s+", " ", said[:spent]).strip()])


def panel(folder: Path) -> None:
    """Run the lesson in JupyterLab, use its panel, and take the picture."""
    root, settings = folder / "lessons", folder / "jupyter"
    root.mkdir()
    settings.mkdir()
    with lab.jupyterlab(root, settings) as address, lab.browser_page() as page:
        lesson = lab.open_lesson(page, address, root, settings, PANEL_LESSON)
        lesson.run_all()
        info = PngInfo()
        info.add_text(WORDS, use_panel(lesson))
        with Image.open(lesson.picture(folder / "panel.png")) as shot:
            shot.save(PANEL, optimize=True, pnginfo=info)


def words() -> str:
    """What the panel said when its picture was taken."""
    with Image.open(PANEL) as shot:
        return str(shot.info[WORDS])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--figure", action="store_true", help="leave the panel as it is")
    given = parser.parse_args(arguments)
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    FIGURE.write_bytes(figure())
    if not given.figure:
        with tempfile.TemporaryDirectory() as folder:
            panel(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
