"""The figures of how latency is spread, before and after: what they show, and refuse to show."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

import holysheep_helpers as hs
from holysheep_helpers.latency import stats
from holysheep_helpers.latency.data import Calibration
from holysheep_helpers.notebook.figures import COLOURS, GREY
from tests.support.latency_runs import (
    STREAM,
    figures,
    labels,
    ladder,
    measured,
    queueing,
    title,
    words,
)


def test_an_ecdf_climbs_by_one_run_at_each_value() -> None:
    figure = figures.plot_ecdf(measured([104, 101, 103, 102]))
    (axes,) = figure.axes
    curve = axes.get_lines()[0]
    low, *values, high = curve.get_xdata()
    assert values == pytest.approx([101, 102, 103, 104])
    assert (low, high) == axes.get_xlim()
    assert low < 101
    assert high > 104
    assert list(curve.get_ydata()) == [0, 0.25, 0.5, 0.75, 1, 1]
    assert curve.get_drawstyle() == "steps-post"
    assert title(axes) == "Median time to first token: 102.5 ms"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time to first token, ms", "share of runs")
    (dot,) = axes.get_lines()[1].get_xydata()
    assert dot == pytest.approx([102.5, 0.5])


def test_the_band_is_the_one_of_stats_and_stays_between_0_and_1() -> None:
    (axes,) = figures.plot_ecdf(measured(ladder(100))).axes
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].min() == 0
    assert corners[:, 1].max() == 1
    middle = [y for x, y in corners if 109.2 < x < 110.8]  # 10 of 20 are at most 109, 11 110
    half = stats.band(20)
    assert min(middle) == pytest.approx(0.5 - half)
    assert max(middle) == pytest.approx(0.55 + half)


def test_failed_runs_keep_the_curve_below_100_percent() -> None:
    figure = figures.plot_ecdf(measured(ladder(100, 15), failed=5))
    (axes,) = figure.axes
    assert max(axes.get_lines()[0].get_ydata()) == pytest.approx(0.75)
    label, band = labels(figure)
    assert label.startswith("20 runs, median 109.5 ms (95%: ")
    assert label.endswith("5 failed: ends at 75%")
    assert band == "shaded in the same colour: 95% band of the whole curve"
    figure = figures.plot_ecdf(measured(ladder(100, 4), failed=6))
    assert labels(figure)[0].startswith("10 runs, median ∞ ms")
    assert len(figure.axes[0].get_lines()) == 1  # no mark where there is no median


def test_several_curves_differ_in_more_than_colour() -> None:
    figure = figures.plot_ecdf(
        {"하나": measured(ladder(100)), "넷": measured(ladder(130))}, "e2e_s"
    )
    (axes,) = figure.axes
    one, dot, other, square = axes.get_lines()
    assert [one.get_color(), other.get_color()] == list(COLOURS[:2])
    assert one.get_linestyle() != other.get_linestyle()
    assert dot.get_marker() != square.get_marker()
    assert [label.split(":")[0] for label in labels(figure)] == [
        "하나",
        "넷",
        "shaded in the same colour",
    ]
    assert title(axes) == "Median end to end: 209.5 ms (하나) to 239.5 ms (넷)"


def test_the_run_before_stays_in_grey() -> None:
    figure = figures.plot_ecdf(measured(ladder(100)), before=measured(ladder(180)))
    (axes,) = figure.axes
    grey, now, _ = axes.get_lines()
    assert to_hex(grey.get_color()) == GREY
    assert now.get_color() == COLOURS[0]
    assert axes.get_xlim()[1] > 199
    assert title(axes) == "Median time to first token: 109.5 ms, before 189.5 ms"
    assert labels(figure)[0].startswith("before: 20 runs, median 189.5 ms")


def test_a_long_name_has_a_line_of_its_own() -> None:
    for name, alone in (("a" * 20, False), ("a" * 40, True), ("가" * 20, True)):
        label = labels(figures.plot_ecdf({name: measured(ladder(100))}))[0]
        assert label.startswith(f"{name}:{chr(10) if alone else ' '}20 runs, median 109.5 ms")


def test_one_run_is_drawn_without_an_interval() -> None:
    assert labels(figures.plot_ecdf(measured([100])))[0] == "1 run, median 100.0 ms"


def test_before_and_after_show_each_run_and_the_difference_that_compare_found() -> None:
    before, after = measured(ladder(100)), measured(ladder(150, 12))
    top, below = figures.plot_before_after(before, after, names=("HTTP/1", "HTTP/2")).axes
    middle, low, high = (1000 * value for value in before.compare(after).rows["ttft_s"])
    assert (
        title(top)
        == f"Time to first token, HTTP/2: 46.0 ms longer (95%: {low:.1f} to {high:.1f} ms)"
    )
    dots = top.get_lines()[0]
    assert sorted(dots.get_xdata()) == pytest.approx(ladder(100))
    assert all(-0.3 < y < 0.3 for y in dots.get_ydata())
    assert words(top) == ["median 109.5", "median 155.5"]
    assert [label.get_text() for label in top.get_yticklabels()] == ["HTTP/1", "HTTP/2"]
    zero, bar, diamond = below.get_lines()
    assert list(zero.get_xdata()) == [0, 0]
    assert list(bar.get_xdata()) == pytest.approx([low, high])
    assert list(diamond.get_xdata()) == pytest.approx([middle]) == [46]
    assert below.get_xlim()[0] < 0 < below.get_xlim()[1]
    assert below.get_xlabel() == "HTTP/2 minus HTTP/1, difference of the medians, ms"
    back = figures.plot_before_after(after, before).axes[0]
    assert title(back).startswith("Time to first token, after: 46.0 ms shorter (95%: -")


def test_what_can_not_be_told_apart_is_said_to_be_so() -> None:
    top, _ = figures.plot_before_after(measured(ladder(100)), measured(ladder(101))).axes
    assert title(top).startswith("Time to first token: can't tell before and after apart (95%: -")


def test_what_is_known_of_the_instrument_widens_the_difference() -> None:
    known = Calibration(
        concurrency=1, streams=50, bias_s=0.002, error_s=0.001, itl_bias_s=0, itl_error_s=0
    )
    plain, calibrated = (
        figures.plot_before_after(measured(ladder(100)), measured(ladder(150), calibration=c)).axes[
            1
        ]
        for c in (None, known)
    )
    both = replace(measured(ladder(100)), calibration=known)
    calibrated = figures.plot_before_after(both, measured(ladder(150), calibration=known)).axes[1]
    narrow, wide = (list(axes.get_lines()[1].get_xdata()) for axes in (plain, calibrated))
    assert wide[0] < narrow[0]
    assert wide[1] > narrow[1]


def test_a_metric_that_compare_does_not_show_is_compared_all_the_same() -> None:
    slow = measured(ladder(100))
    runs = tuple(replace(run, called_s=run.called_s - 0.02) for run in slow.runs)
    top, below = figures.plot_before_after(slow, replace(slow, runs=runs), "client_s").axes
    assert title(top).startswith("Added by the client, after: 20.0 ms longer")
    assert list(below.get_lines()[2].get_xdata()) == pytest.approx([20])


def test_failures_stand_at_the_edge_and_an_infinite_difference_leaves_the_picture() -> None:
    before, after = measured(ladder(100)), measured(ladder(150, 12), failed=8)
    top, below = figures.plot_before_after(before, after).axes
    assert "8 failed" in words(top)
    cross = next(line for line in top.get_lines() if line.get_marker() == "x")
    assert cross.get_xydata().tolist() == [[top.get_xlim()[1], 1]]
    assert below.get_lines()[1].get_xdata()[1] == below.get_xlim()[1]
    assert title(top).endswith(" to ∞ ms)")
    most_failed = measured(ladder(150, 4), failed=16)
    top, below = figures.plot_before_after(before, most_failed).axes
    assert title(top) == (
        "Time to first token: half or more failed, so that there is no median to compare"
    )
    assert words(top) == ["median 109.5", "16 failed"]
    assert len(below.get_lines()) == 2  # 0, and the interval, out of the picture


def test_too_few_runs_have_dots_and_a_difference_and_no_interval() -> None:
    top, below = figures.plot_before_after(measured(ladder(100)), measured([150] * 5)).axes
    assert title(top) == "Time to first token: too few runs to tell (6 of each are the least)"
    assert len(below.get_lines()) == 2
    assert list(below.get_lines()[1].get_xdata()) == pytest.approx([40.5])
    few = figures.plot_ecdf(measured(ladder(100, 5)))
    assert labels(few)[0] == "5 runs, median 102.0 ms"


@pytest.mark.parametrize("times", [[], ["failed"]])
def test_nothing_measured_is_nothing_to_draw(times: list[str]) -> None:
    some, none = measured(ladder(100)), measured([], failed=len(times))
    for draw in (
        lambda: figures.plot_ecdf(none),
        lambda: figures.plot_ecdf({"a": some, "b": none}),
        lambda: figures.plot_ecdf(some, before=none),
        lambda: figures.plot_before_after(some, none),
        lambda: figures.plot_latency_sweep({1: some, 2: none}),
    ):
        with pytest.raises(hs.InputError, match="no run with ttft_s: there is nothing to draw"):
            draw()
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda run: figures.plot_ecdf({}), "No measurement was given"),
        (lambda run: figures.plot_ecdf(run, "tokens_per_s"), "allowed are ttft_s, "),
        (lambda run: figures.plot_before_after(run, run, "ttft"), "There is no time 'ttft'"),
        (lambda run: figures.plot_latency_sweep({}), "Measurements given: 0"),
        (lambda run: figures.plot_latency_sweep({4: run}), "two concurrencies or more"),
        (
            lambda run: figures.plot_latency_sweep({1: run, 2: run}, 0),
            "capacity is 0: a whole number",
        ),
    ],
)
def test_what_can_not_be_drawn_is_named(draw: Any, message: str) -> None:
    with pytest.raises(hs.InputError, match=message):
        draw(measured(ladder(100)))
    assert plt.get_fignums() == []


def test_nothing_is_cut_off_and_no_figure_stays_open() -> None:
    long = "아주 긴 이름의 모델, closed loop, 16 at once, with a new connection each"
    run, other = measured(ladder(1000), failed=4), measured(ladder(1900))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing glyph, or no room for the layout
        for figure in (
            figures.plot_ecdf({long: run, f"{long} (2)": other}, "answer_ttft_s"),
            figures.plot_before_after(
                run, other, names=("mistral-small-2603", "제미나이 2.5 플래시")
            ),
            figures.plot_latency_sweep({n: queueing(n) for n in (1, 4, 16)}, 4),
            figures.plot_waterfall(STREAM),
        ):
            figure.draw_without_rendering()
            box, edge = figure.get_tightbbox(), figure.bbox_inches
            assert box.x0 >= edge.x0
            assert box.x1 <= edge.x1
            assert box.y0 >= edge.y0
            assert box.y1 <= edge.y1
    assert plt.get_fignums() == []
