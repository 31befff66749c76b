"""The figure of lesson 9: what it shows, and what it refuses to show."""

from __future__ import annotations

from typing import Any

import pytest

import holysheep_helpers as hs

A, B = "mistral-small-2603", "gemini-2.5-flash"


def outage(seconds: int) -> hs.CircuitBreaker:
    """A call a second for so long; A is down from the 10th to the 45th second, B takes over."""
    now_s = 100.0
    breaker = hs.CircuitBreaker(failures=3, cool_down_s=20, clock=lambda: now_s)
    for second in range(seconds):
        now_s = 100.0 + second
        permit = breaker.permit(A)
        if permit is not None and not 10 <= second < 45:
            permit.answered()
            continue
        if permit is not None:
            permit.failed()
        fallback = breaker.permit(B)
        assert fallback is not None
        fallback.answered()
    return breaker


def marks(axes: Any) -> dict[tuple[str, int], list[float]]:
    """The moments at which each kind of mark stands in each row."""
    lines = axes.get_lines()
    return {(line.get_label(), int(line.get_ydata()[0])): list(line.get_xdata()) for line in lines}


def spans(axes: Any) -> list[tuple[str, float, float]]:
    boxes = [(c.get_label(), c.get_paths()[0].get_extents()) for c in axes.collections]
    return [(label, box.x0, box.x1) for label, box in boxes]


def test_it_shows_each_request_and_when_the_circuit_was_open() -> None:
    (axes,) = hs.plot_circuit(outage(60)).axes
    drawn = marks(axes)
    # Open at 12 s for 20 s, a trial at 32 s fails, the one at 52 s is answered.
    assert drawn["failed", 0] == [10, 11, 12, 32]
    assert drawn["answered", 0] == [*range(10), *range(52, 60)]
    assert drawn["passed over", 0] == [*range(13, 32), *range(33, 52)]
    assert drawn["answered", 1] == list(range(10, 52))
    assert spans(axes) == [
        ("open", 12, 32), ("half-open", 32, 32), ("open", 32, 52), ("half-open", 52, 52)
    ]  # fmt: skip
    assert axes.get_title(loc="left") == f"{A}: 4 requests failed, 38 were spared"
    assert [label.get_text() for label in axes.get_yticklabels()] == [A, B]
    assert axes.yaxis_inverted()
    assert axes.get_xlabel() == "seconds since the first call"


def test_what_is_still_open_ends_with_the_figure() -> None:
    (axes,) = hs.plot_circuit(outage(20)).axes
    assert spans(axes) == [("open", 12, 19)]


def test_a_single_answer_is_a_figure_and_nothing_is_none() -> None:
    breaker = hs.CircuitBreaker()
    with pytest.raises(hs.InputError, match="seen nothing yet"):
        hs.plot_circuit(breaker)
    permit = breaker.permit(A)
    assert permit is not None
    permit.answered()
    (axes,) = hs.plot_circuit(breaker).axes
    assert marks(axes) == {("answered", 0): [0.0]}


def test_what_says_nothing_of_the_model_is_drawn_hollow() -> None:
    breaker = hs.CircuitBreaker(clock=lambda: 5.0)
    permit = breaker.permit(A)
    assert permit is not None
    permit.no_verdict()
    (axes,) = hs.plot_circuit(breaker).axes
    assert marks(axes) == {("no verdict", 0): [0.0]}
    assert axes.get_lines()[0].get_fillstyle() == "none"


def test_its_legend_has_each_mark_once() -> None:
    figure = hs.plot_circuit(outage(60))
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert sorted(labels) == ["answered", "failed", "half-open", "open", "passed over"]


def test_an_outage_is_marked_with_its_end() -> None:
    axes: Any = hs.plot_circuit(outage(60), outage_s=(10, 45)).axes[0]
    bar, end = axes.get_lines()[-2:]
    assert bar.get_label() == "down from 10 to 45 s"
    assert list(bar.get_xdata()) == [10, 45]
    assert list(end.get_xdata()) == [45, 45]
    assert axes.get_ylim()[1] < bar.get_ydata()[0] < -0.32  # above the first row, in the figure


def test_an_outage_that_ends_before_it_begins_is_an_error() -> None:
    with pytest.raises(hs.InputError, match=r"outage_s is \(45, 10\): \(from, to\)"):
        hs.plot_circuit(outage(60), outage_s=(45, 10))
