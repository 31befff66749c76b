"""Draws the lessons' diagrams: from text in docs/diagrams to SVG in notebooks/images.

    python tools/diagrams.py            write each picture that has changed
    python tools/diagrams.py --check    write nothing; exit 1 if a picture would change

docs/diagrams/README.md says how a diagram is described.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from holysheep_helpers.notebook import figures  # noqa: E402
from tools import course  # noqa: E402

SOURCES, PICTURES = Path("docs", "diagrams"), Path("notebooks", "images")
WIDTH, MARGIN, SIZE, LINE = 760, 24, 14, 18
GREY = "#595959"
LOOKS = {
    "plain": ("#F2F2F2", GREY, figures.BLACK),
    "blue": ("#DCEBF5", figures.BLUE, figures.BLACK),
    "red": ("#FBE3D6", figures.RED, figures.BLACK),
    "green": ("#D9F0E8", figures.GREEN, figures.BLACK),
    "amber": ("#FDF0D0", figures.AMBER, figures.BLACK),
    "strong": (figures.BLUE, figures.BLUE, figures.WHITE),
}
"""The colours of a look: what fills a box, its edge and the arrows, its words."""
TIMES = re.compile(r"\{(\d\d(?:, \d\d)*)\}")
"""Lessons whose minutes are added up, in a diagram's words: ``{01}``, ``{00, 01, 02}``."""
DASHED = ' stroke-dasharray="5 4"'
Point = tuple[float, float]


class DiagramError(Exception):
    """A diagram's text can't be drawn: which one, and why."""


@dataclass(frozen=True)
class Box:
    """A box with its words in the middle. ``at``: x, y, width and height."""

    at: tuple[float, float, float, float]
    text: str = ""
    look: str = "plain"
    dashed: bool = False

    def svg(self) -> Iterator[str]:
        x, y, width, height = self.at
        fill, edge, ink = LOOKS[self.look]
        yield (
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" '
            f'fill="{fill}" stroke="{edge}" stroke-width="1.5"{DASHED * self.dashed}/>'
        )
        yield from _lines(self.text, x + width / 2, y + height / 2, "middle", ink)


@dataclass(frozen=True)
class Arrow:
    """A line through points, with its words in the middle of its longest piece.

    A point is x and y, or the middle of a box's side, ``"sdk.right"``, or so far above it (or left
    of it), ``"sdk.right-9"``.
    """

    path: list[Any]
    text: str = ""
    look: str = "plain"
    dashed: bool = False
    heads: int = 1

    def svg(self, boxes: dict[str, Box]) -> Iterator[str]:
        points = [_point(place, boxes) for place in self.path]
        colour = LOOKS[self.look][1]
        track = " ".join(f"{x:g},{y:g}" for x, y in points)
        yield (
            f'<polyline points="{track}" fill="none" stroke="{colour}" '
            f'stroke-width="2"{DASHED * self.dashed}/>'
        )
        for before, tip in [points[-2:], points[1::-1]][: self.heads]:
            yield _head(before, tip, colour)
        (x0, y0), (x1, y1) = max(pairwise(points), key=_length)
        # A rim in the card's colour interrupts the arrow below the words.
        yield f'<g stroke="{figures.WHITE}" stroke-width="10" paint-order="stroke">'
        yield from _lines(self.text, (x0 + x1) / 2, (y0 + y1) / 2, "middle")
        yield "</g>"


@dataclass(frozen=True)
class Note:
    """Words on the card. ``at``: where they begin, and the y of their middle.

    With another ``anchor``, x is where they have their ``middle`` or their ``end``.
    """

    at: Point
    text: str
    anchor: str = "start"

    def svg(self) -> Iterator[str]:
        yield from _lines(self.text, *self.at, self.anchor)


def _lines(text: str, x: float, y: float, anchor: str, ink: str = figures.BLACK) -> Iterator[str]:
    """Lines of words, with their middle at ``y``. A line that begins with ``**`` is bold."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        base = y + LINE * (number - (len(lines) - 1) / 2) + SIZE * 0.35
        bold = ' font-weight="bold"' * line.startswith("**")
        yield (
            f'<text x="{x:g}" y="{base:g}" text-anchor="{anchor}" fill="{ink}"{bold}>'
            f"{escape(line.removeprefix('**'))}</text>"
        )


def _length(piece: tuple[Point, Point]) -> float:
    (x0, y0), (x1, y1) = piece
    return hypot(x1 - x0, y1 - y0)


def _head(before: Point, tip: Point, colour: str) -> str:
    """The head of an arrow that comes from ``before``."""
    far = _length((before, tip))
    along, across = (tip[0] - before[0]) / far, (tip[1] - before[1]) / far
    back = (tip[0] - 9 * along, tip[1] - 9 * across)
    wings = [(back[0] + side * across, back[1] - side * along) for side in (5, -5)]
    track = " ".join(f"{round(x, 1):g},{round(y, 1):g}" for x, y in (tip, *wings))
    return f'<polygon points="{track}" fill="{colour}"/>'


def _point(place: Any, boxes: dict[str, Box]) -> Point:
    if not isinstance(place, str):
        x, y = place
        return x, y
    found = re.fullmatch(r"(\w+)\.(left|right|top|bottom)([+-]\d+)?", place)
    if not found or found[1] not in boxes:
        raise ValueError(
            f"An arrow goes to {place!r}; give [x, y], or a side of one of the boxes "
            f"{', '.join(boxes)}, such as 'sdk.left', or 'sdk.left-9' for 9 pixels higher"
        )
    (x, y, width, height), off = boxes[found[1]].at, int(found[3] or 0)
    if found[2] in ("left", "right"):
        return x + width * (found[2] == "right"), y + height / 2 + off
    return x + width / 2 + off, y + height * (found[2] == "bottom")


def read(file: Path) -> dict[str, Any]:
    """A diagram's text, after that of the file that it is drawn ``over``."""
    told = tomllib.loads(file.read_text("utf-8"))
    below = read(file.with_name(told.pop("over"))) if "over" in told else {}
    told["boxes"] = below.get("boxes", {}) | told.get("boxes", {})
    for kind in ("arrows", "notes"):
        told[kind] = below.get(kind, []) + told.get(kind, [])
    return told


def svg(file: Path, lessons: Sequence[course.Lesson]) -> str:
    """The picture of a diagram's text. Raises ``DiagramError`` where it can't be drawn."""
    try:
        return _svg(lessons, **read(file))
    except (TypeError, ValueError, KeyError) as error:
        raise DiagramError(
            f"{file.name} can't be drawn: {type(error).__name__}: {error}. "
            "What a diagram can have is in docs/diagrams/README.md."
        ) from error


def _svg(
    lessons: Sequence[course.Lesson],
    title: str,
    description: str,
    height: int,
    boxes: dict[str, Any],
    arrows: list[Any],
    notes: list[Any],
) -> str:
    named = {name: Box(**given) for name, given in boxes.items()}
    drawn = [piece for box in named.values() for piece in box.svg()]
    drawn += [piece for given in arrows for piece in Arrow(**given).svg(named)]
    drawn += [piece for given in notes for piece in Note(**given).svg()]
    minutes = {lesson.file.name[:2]: lesson.minutes for lesson in lessons}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title desc" '
        f'font-family="sans-serif" font-size="{SIZE}">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(description)}</desc>',
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="10" '
        f'fill="{figures.WHITE}" stroke="{GREY}"/>',
        *_lines(f"**{title}", MARGIN, MARGIN, "start"),
        *drawn,
        "</svg>",
    ]
    return TIMES.sub(lambda found: _time(found[1], minutes), "\n".join(lines)) + "\n"


def _time(listed: str, minutes: dict[str, int]) -> str:
    hours, rest = divmod(sum(minutes[number] for number in listed.split(", ")), 60)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{rest} min"] * bool(rest or not hours))


def written(root: Path = ROOT) -> dict[Path, str]:
    """Each picture's file, and what must be in it."""
    lessons = course.lessons(root)
    sources = sorted((root / SOURCES).glob("[!_]*.toml"))
    return {root / PICTURES / f"{file.stem}.svg": svg(file, lessons) for file in sources}


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser("diagrams.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 on a change")
    given = parser.parse_args(arguments)
    try:
        files = written(root)
    except (DiagramError, course.CourseError) as error:
        print(error)
        return 1
    there = {file: file.read_text("utf-8") for file in (root / PICTURES).glob("*.svg")}
    changed = sorted(file for file in files | there if files.get(file) != there.get(file))
    for file in changed:
        if not given.check and file in files:
            file.write_text(files[file], "utf-8", newline="\n")
        elif not given.check:
            file.unlink()
        print(f"{'DIFFERS' if given.check else 'written'}  {file.relative_to(root).as_posix()}")
    if changed and given.check:
        print("What to do: python tools/diagrams.py")
    return 1 if changed and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
