"""The figure of latency under load: what is measured, and what Little's law foretells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.latency_runs import figures, labels, lines, queueing, title


def test_the_sweep_shows_both_sides_of_the_capacity_as_littles_law_has_them() -> None:
    figure = figures.plot_latency_sweep({n: queueing(n) for n in (16, 1, 2, 4, 8)}, capacity=4)
    left, right = figure.axes
    drawn = lines(right)
    assert list(drawn["measured"].get_xdata()) == [1, 2, 4, 8, 16]
    assert list(drawn["measured"].get_ydata()) == pytest.approx([5, 10, 20, 20, 20])
    law = drawn["Little's law"]
    assert (law.get_ydata()[0], law.get_ydata()[20], law.get_ydata()[-1]) == pytest.approx(
        (5, 20, 20)
    )
    waits = lines(left)["Little's law"]
    assert (waits.get_ydata()[0], waits.get_ydata()[20]) == pytest.approx((100, 100))
    assert waits.get_ydata()[-1] == pytest.approx(700)  # 4 in service, 12 ahead: 3 x 0.2 s
    assert list(lines(left)["capacity, 4 at once"].get_xdata()) == [4, 4]
    median, p90 = (container.lines[0] for container in left.containers)
    assert list(median.get_xdata()) == [1, 2, 4, 8, 16]
    assert list(median.get_ydata()) == pytest.approx([100, 100, 100, 300, 700])
    assert list(p90.get_ydata()) == pytest.approx([104.4, 104.4, 104.4, 304.4, 704.4])
    assert median.get_marker() != p90.get_marker()
    assert title(left) == "First token: 100 ms at 1, 700 ms at 16"
    assert title(right) == "Answers a second: 5 at 1, 20 at 16"
    assert {axes.get_xlabel() for axes in (left, right)} == {"requests at once"}
    assert labels(figure) == [
        "Little's law", "capacity, 4 at once", "median", "p90", "measured"
    ]  # fmt: skip


def test_without_a_capacity_no_wait_is_foretold() -> None:
    left, right = figures.plot_latency_sweep({n: queueing(n) for n in (1, 8)}).axes
    assert "Little's law" not in lines(left)
    assert lines(right)["Little's law"].get_ydata()[-1] == pytest.approx(40)


def test_a_p90_that_is_not_carried_or_infinite_is_not_drawn() -> None:
    few = replace(queueing(1), runs=queueing(1).runs[:9])
    left, right = figures.plot_latency_sweep(
        {1: few, 2: queueing(2), 8: queueing(8, failed=2)}
    ).axes
    median, p90 = (container.lines[0] for container in left.containers)
    assert list(median.get_xdata()) == [1, 2, 8]
    assert list(p90.get_xdata()) == [2]
    assert [(text.get_text(), text.xy[0]) for text in left.texts] == [("p90 ∞", 8)]
    assert max(median.get_ydata()) < 0.8 * left.get_ylim()[1]  # under the word
    assert lines(right)["measured"].get_ydata()[-1] == pytest.approx(20 * 12 / 14)
