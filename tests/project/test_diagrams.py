"""The diagrams: the same as their texts, readable, true, and each in a lesson."""

from __future__ import annotations

import itertools
import re
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import openai
import pytest
from PIL import ImageFont

import holysheep_helpers as hs
from holysheep_helpers.diagnosis import kinds
from holysheep_helpers.diagnosis.waiting import back_off_cap_s
from holysheep_helpers.resilience.retry import Policy
from tests.notebooks.test_notebooks import FILES, markdown
from tests.notebooks.test_words import misspelt
from tests.support.project import ROOT
from tools import course, diagrams

PICTURES = sorted((ROOT / diagrams.PICTURES).glob("*.svg"))
every_picture = pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.stem)
SVG = "{http://www.w3.org/2000/svg}"
FONTS = Path(mpl.get_data_path(), "fonts", "ttf")
"""DejaVu Sans, the widest of the fonts that a browser takes for ``sans-serif``."""
SMALLEST, HIGHEST, CONTRAST = 13, 330, 4.5

Area = tuple[float, float, float, float]


@dataclass(frozen=True)
class Words:
    """A line of words: where it is (left, top, right, bottom), its colour and what is below it."""

    text: str
    area: Area
    ink: str
    ground: str
    box: Area


def drawn(file: Path) -> tuple[ElementTree.Element, list[Words]]:
    picture = ElementTree.parse(file).getroot()
    size = float(picture.get("font-size", 0))
    regular, bold = (
        ImageFont.truetype(FONTS / name, size) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
    )
    boxes: list[tuple[Area, str]] = []
    found = []
    for one in picture.iter():
        if one.tag == f"{SVG}rect":
            x, y, width, height = (float(one.get(k, 0)) for k in ("x", "y", "width", "height"))
            boxes.append(((x, y, x + width, y + height), one.get("fill", "")))
        elif one.tag == f"{SVG}text":
            text, x, y = one.text or "", float(one.get("x", 0)), float(one.get("y", 0))
            font = bold if one.get("font-weight") else regular
            width = font.getlength(text)
            left = x - width * {"start": 0, "middle": 0.5, "end": 1}[one.get("text-anchor", "")]
            area = (left, y - 0.76 * size, left + width, y + 0.24 * size)
            middle = (left + width / 2, y - 0.3 * size)
            box, ground = [it for it in boxes if inside((*middle, *middle), it[0])][-1]
            found.append(Words(text, area, one.get("fill", ""), ground, box))
    return picture, found


def inside(area: Area, frame: Area, margin: float = 0) -> bool:
    left, top, right, bottom = frame
    return (
        area[0] >= left + margin
        and area[1] >= top
        and area[2] <= right - margin
        and area[3] <= bottom
    )


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_pictures_are_what_their_texts_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert diagrams.main(["--check"]) == 0, capsys.readouterr().out


@every_picture
def test_a_picture_says_what_it_is_and_loads_nothing(file: Path) -> None:
    picture, _ = drawn(file)
    title, description = (picture.findtext(f"{SVG}{name}") or "" for name in ("title", "desc"))
    assert 0 < len(title) <= 60
    assert len(description.split()) > 20
    assert description.endswith(".")
    assert {one.tag.removeprefix(SVG) for one in picture.iter()} <= {
        "svg", "title", "desc", "rect", "g", "text", "polyline", "polygon",
    }  # fmt: skip
    assert picture.get("width") == str(diagrams.WIDTH)
    assert int(picture.get("height", 0)) <= HIGHEST
    text = file.read_text("utf-8")
    assert "{" not in text
    assert misspelt(re.sub("<[^>]+>", "\n", text)) == []


@every_picture
def test_words_are_large_dark_and_in_their_boxes(file: Path) -> None:
    picture, words = drawn(file)
    assert float(picture.get("font-size", 0)) >= SMALLEST
    assert [one.text for one in words if not inside(one.area, one.box, margin=2)] == []
    assert [one.text for one in words if contrast(one.ink, one.ground) < CONTRAST] == []


@every_picture
def test_no_two_words_touch_and_nothing_leaves_the_picture(file: Path) -> None:
    picture, words = drawn(file)
    for one, other in itertools.combinations(words, 2):
        left, top = (max(one.area[n], other.area[n]) for n in (0, 1))
        right, bottom = (min(one.area[n], other.area[n]) for n in (2, 3))
        assert right <= left or bottom <= top, (one.text, other.text)
    frame = (0, 0, float(picture.get("width", 0)), float(picture.get("height", 0)))
    for one in picture.iter(f"{SVG}rect"):
        x, y, width, height = (float(one.get(k, 0)) for k in ("x", "y", "width", "height"))
        assert inside((x, y, x + width, y + height), frame)
    for one in (*picture.iter(f"{SVG}polyline"), *picture.iter(f"{SVG}polygon")):
        for pair in one.get("points", "").split():
            x, y = map(float, pair.split(","))
            assert inside((x, y, x, y), frame)


IN_A_LESSON = re.compile(r"^!\[(.*)\]\(images/([\w-]+)\.svg\)$\n\n([A-Z].*\.)$", re.MULTILINE)


def shown() -> dict[str, list[str]]:
    """For each picture, the words that take its place wherever a lesson shows it."""
    found: dict[str, list[str]] = {}
    for file in FILES:
        for words, name, _ in IN_A_LESSON.findall("\n\n".join(markdown(file))):
            found.setdefault(name, []).append(words)
    return found


def test_each_picture_is_in_a_lesson_with_words_in_its_place_and_a_sentence_below() -> None:
    linked = sum("\n".join(markdown(file)).count("](images/") for file in FILES)
    assert sum(map(len, shown().values())) == linked
    assert set(shown()) == {file.stem for file in PICTURES}
    for words in itertools.chain.from_iterable(shown().values()):
        assert words.endswith(".")
        assert 10 < len(words.split()) <= 35


# What a picture says of errors is what hs.diagnose says.
SAME, WAIT, SWITCH, COUNT = (False, False), (True, False), (True, True, False), (True, True, True)
DECIDED = {
    "you": (SAME, "wrong_key bad_request wrong_path quota"),
    "wait": (WAIT, "dns refused connect connect_timeout conflict"),
    "switch": (SWITCH, "rate_limit timeout_408 server_error"),
    "count": (COUNT, "gateway_timeout first_token_timeout stalled_stream cut_stream"),
}


@pytest.mark.parametrize("box", DECIDED)
def test_the_decision_after_an_error_is_that_of_the_list_of_errors(box: str) -> None:
    flags, named = DECIDED[box]
    assert box in diagrams.read(ROOT / diagrams.SOURCES / "errors.toml")["boxes"]
    for name in named.split():
        kind = kinds.KINDS[name]
        known = (kind.retryable, kind.other_model, kind.may_have_cost)
        assert known[: len(flags)] == flags, name


def test_what_may_be_billed_is_that_of_the_list_of_errors() -> None:
    not_billed = "input missing_key dns tls refused wrong_key unknown_model rate_limit server_error"
    maybe = "deadline first_token_timeout cut_connection cut_stream gateway_timeout ended_early"
    assert {kinds.KINDS[name].may_have_cost for name in not_billed.split()} == {False}
    assert {kinds.KINDS[name].may_have_cost for name in maybe.split()} == {True}
    for exception, flag in (("unknown_model", "other_model"), ("refused_content", "may_have_cost")):
        assert getattr(kinds.KINDS[exception], flag)
        assert not kinds.KINDS[exception].retryable


def test_the_numbers_in_the_pictures_are_those_of_the_code() -> None:
    _, words = drawn(ROOT / diagrams.PICTURES / "retries.svg")
    waits = [word for one in words for word in re.findall(r"≤ (\S+) s", one.text)]
    assert waits[:4] == [f"{back_off_cap_s(doublings):g}" for doublings in range(4)]
    attempts, requests = Policy().attempts, 1 + openai.DEFAULT_MAX_RETRIES
    multiplied = f"{attempts} × {requests} = {attempts * requests} requests"
    assert any(one.text.endswith(multiplied) for one in words)
    _, words = drawn(ROOT / diagrams.PICTURES / "breaker.svg")
    assert f"{hs.CircuitBreaker().failures} failures in a row" in [one.text for one in words]


def test_the_map_has_every_lesson_and_the_teachers_agenda() -> None:
    told = diagrams.read(ROOT / diagrams.SOURCES / "course.toml")
    lessons = course.lessons()
    boxes = {name[1:]: box for name, box in told["boxes"].items() if name[1:].isdigit()}
    assert list(boxes) == [lesson.file.name[:2] for lesson in lessons]
    for lesson, box in zip(lessons, boxes.values(), strict=True):
        name, time = box["text"].splitlines()
        assert lesson.name.startswith(name.removeprefix("**"))
        assert time == f"{{{lesson.file.name[:2]}}}"
    looks = {"strong": "One hour", "blue": "Half a day", "plain": "All"}
    within: set[str] = set()
    for look, name in looks.items():
        within |= {number for number, box in boxes.items() if box.get("look", "plain") == look}
        place = [note["text"] for note in told["notes"]].index(f"**{name}")
        (listed,) = diagrams.TIMES.findall(told["notes"][place + 1]["text"])
        assert listed.split(", ") == sorted(within)
    hour = [number for number, box in boxes.items() if box.get("look") == "strong"]
    assert sum(lesson.minutes for lesson in lessons if lesson.file.name[:2] in hour) <= 60
    more = [number for number, box in boxes.items() if box.get("look") == "blue"]
    listed = f"{hour[0]} to {hour[-1]}, half a day adds {', '.join(more[:-1])} and {more[-1]},"
    (words,) = shown()["course"]
    assert listed in words
    assert words in (ROOT / "README.md").read_text("utf-8")
    agenda = (ROOT / "docs" / "teaching.md").read_text("utf-8").split("## Half a day")[1]
    taught = re.findall(r"^\| \d+ \| (\d\d) \|", agenda.split("## ")[0], re.MULTILINE)
    assert taught == [n for n, box in boxes.items() if box.get("look") in ("strong", "blue")]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The diagrams and what their times come from, to be spoilt."""
    for folder in (diagrams.SOURCES, diagrams.PICTURES):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in (*FILES, ROOT / "docs" / "course.toml"):
        shutil.copy(file, tmp_path / file.relative_to(ROOT))
    return tmp_path


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8", newline="\n")


def test_a_change_reaches_the_pictures_and_nothing_else(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert diagrams.main(["--check"], copied) == 0
    text = copied / diagrams.SOURCES / "_stations.toml"
    spoil(text, "**SDK", "**Kit")
    spoil(copied / "docs" / "course.toml", "run_s = ", "run_s = 99")
    (copied / diagrams.PICTURES / "old.svg").write_text("<svg/>", "utf-8")
    differ = [f"{name}.svg" for name in ("course", "old", "request", *ABOUT_REQUESTS)]
    before = {file: file.read_bytes() for file in (copied / diagrams.PICTURES).iterdir()}
    assert diagrams.main(["--check"], copied) == 1
    told = capsys.readouterr().out
    assert sorted(re.findall(r"DIFFERS  notebooks/images/(\S+)", told)) == sorted(differ)
    assert {file: file.read_bytes() for file in (copied / diagrams.PICTURES).iterdir()} == before
    assert diagrams.main([], copied) == 0
    assert diagrams.main(["--check"], copied) == 0
    assert not (copied / diagrams.PICTURES / "old.svg").exists()
    assert ">Kit<" in (copied / diagrams.PICTURES / "request.svg").read_text("utf-8")


ABOUT_REQUESTS = ("request-errors", "request-time")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"sdk.left-9"', '"sdk.middle"', "sdk.middle"),
        ('"sdk.left-9"', '"kit.left-9"', "cell, sdk, network, gateway, maker"),
        ("text =", "words =", "words"),
        ("dashed = true", "dotted = true", "dotted"),
    ],
)
def test_a_text_that_can_not_be_drawn_is_named(
    copied: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    spoil(copied / diagrams.SOURCES / "_stations.toml", old, new)
    assert diagrams.main([], copied) == 1
    told = capsys.readouterr().out
    assert "request-errors.toml" in told
    assert said in told
    assert "docs/diagrams/README.md" in told


def test_each_field_is_explained() -> None:
    page = (ROOT / diagrams.SOURCES / "README.md").read_text("utf-8")
    for kind in (diagrams.Box, diagrams.Arrow, diagrams.Note):
        assert [name for name in kind.__dataclass_fields__ if f"`{name}`" not in page] == []
    assert [look for look in diagrams.LOOKS if f"`{look}`" not in page] == []
