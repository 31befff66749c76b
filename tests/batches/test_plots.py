"""The figures of lesson 4: what they show, and what they refuse to show."""

from __future__ import annotations

from typing import Any

import httpx2
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

import holysheep_helpers as hs
from holysheep_helpers.batches.plots import mean_request_s, requests_per_second
from holysheep_helpers.notebook.figures import BLUE, littles_law
from tests.support.virtual import Server, ask, error, names


def bars(axes: Any) -> list[tuple[float, float, float]]:
    """Row, start and width of each bar."""
    return [(b.get_y() + b.get_height() / 2, b.get_x(), b.get_width()) for b in axes.patches]


def lines(axes: Any) -> dict[str, Any]:
    return {str(line.get_label()): line for line in axes.get_lines()}


def pace(batches: Any) -> Any:
    return hs.plot_pace(batches, 60)


def test_a_gantt_has_a_bar_for_each_request_and_a_line_for_each_wait() -> None:
    server = Server(p1=[error(503), error(429, **{"retry-after": "3"})], p2=[httpx2.ReadError("x")])
    batch = ask(server, names(4), max_concurrency=2)
    (axes,) = hs.plot_gantt(batch).axes
    expected = [(i.index, a.start_s, a.end_s - a.start_s) for i in batch for a in i.timeline]
    assert bars(axes) == [pytest.approx(bar) for bar in expected]
    assert len(axes.get_lines()) == len(expected) - 4
    colours = [patch.get_facecolor() for patch in axes.patches]
    assert len(set(colours)) == 3  # answered, 429, failed
    took_s = max(a.end_s for i in batch for a in i.timeline)
    assert axes.get_title(loc="left") == f"4 prompts in {took_s:.2f} s"
    assert axes.get_xlabel() == "seconds since the batch began"
    assert axes.yaxis_inverted()


def test_a_request_too_short_for_a_pixel_is_still_drawn() -> None:
    batch = ask(Server(takes_s=0.05), names(40), requests_per_minute=12)
    assert max(a.end_s for i in batch for a in i.timeline) > 150
    figure = hs.plot_gantt(batch)
    (axes,) = figure.axes
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3].astype(float) / 255
    blue = np.abs(pixels - to_rgb(BLUE)).max(axis=2) < 0.25
    seen = {}
    for item in batch:
        x, y = axes.transData.transform((item.timeline[0].start_s, item.index))
        row, column = round(len(pixels) - y), round(x)
        seen[item.index] = blue[row, max(column - 3, 0) : column + 4].any()
    assert [index for index, there in seen.items() if not there] == []


def test_several_share_their_scale_and_bear_their_names() -> None:
    one, four = (ask(Server(), names(8), max_concurrency=n) for n in (1, 4))
    left, right = hs.plot_gantt({"하나씩": one, "넷씩": four}).axes
    assert left.get_xlim() == right.get_xlim()
    assert left.get_title(loc="left") == "하나씩: 8 prompts in 8.00 s"
    assert right.get_title(loc="left") == "넷씩: 8 prompts in 2.00 s"
    (single,) = hs.plot_gantt(ask(Server(), names(1))).axes
    assert single.get_title(loc="left").startswith("1 prompt in ")


def test_the_sweep_shows_the_knee_that_littles_law_predicts() -> None:
    sweep = {
        n: ask(Server(0.5), names(60), max_concurrency=n, requests_per_minute=600)
        for n in (16, 1, 2, 4, 8)
    }
    assert requests_per_second(sweep[1]) == pytest.approx(2.0)
    assert requests_per_second(sweep[4]) == pytest.approx(8.0, rel=0.05)
    assert requests_per_second(sweep[16]) == pytest.approx(9.3, abs=0.3)
    assert mean_request_s(sweep[1]) == pytest.approx(0.5)
    (axes,) = hs.plot_sweep(sweep, limit_per_s=10).axes
    drawn = lines(axes)
    measured = drawn["measured"]
    assert list(measured.get_xdata()) == [1, 2, 4, 8, 16]
    predicted = drawn["Little's law: L / W"].get_ydata()
    assert (predicted[0], predicted[-1]) == pytest.approx((2.0, 10.0))
    assert list(drawn["knee, 5 at once"].get_xdata()) == pytest.approx([5.0, 5.0])
    assert axes.get_title(loc="left") == "Beyond 5 at once, more brings nothing"
    (free,) = hs.plot_sweep(sweep).axes
    assert free.get_title(loc="left").endswith(" answers a second at most, with 8 at once")


def test_littles_law() -> None:
    assert littles_law(10, 0.5, None) == 20
    assert littles_law(10, 0.5, 15) == 15


def test_the_pace_is_a_staircase_below_its_limit() -> None:
    paced = ask(Server(), names(20), max_concurrency=20, requests_per_minute=60)
    burst = ask(Server(), names(20), max_concurrency=20)
    (axes,) = hs.plot_pace({"paced": paced, "burst": burst}, 60).axes
    drawn = lines(axes)
    times = list(drawn["paced"].get_xdata())
    counts = list(drawn["paced"].get_ydata())
    assert counts == list(range(1, 21))
    assert all(count <= 1 + at_s for at_s, count in zip(times, counts, strict=True))
    assert set(drawn["burst"].get_xdata()) == {0.0}
    assert list(drawn["60 a minute"].get_ydata()) == pytest.approx([1, 1 + times[-1]])


def test_nothing_sent_is_nothing_to_draw() -> None:
    empty = ask(Server(), [])
    for draw in (hs.plot_gantt, pace, lambda batch: hs.plot_sweep({1: batch})):
        with pytest.raises(hs.InputError, match="Nothing was sent"):
            draw(empty)
    for draw in (hs.plot_gantt, pace, hs.plot_sweep):
        with pytest.raises(hs.InputError, match="No batch was given"):
            draw({})
    assert plt.get_fignums() == []


def test_sixty_customers_half_of_them_korean() -> None:
    frame = hs.customer_messages()
    assert list(frame.columns) == ["language", "text"]
    assert frame["language"].value_counts().to_dict() == {"ko": 30, "en": 30}
    assert frame["text"].is_unique
    korean = frame["text"].str.contains("[가-힣]")
    assert (korean == (frame["language"] == "ko")).all()
