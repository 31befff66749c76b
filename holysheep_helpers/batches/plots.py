"""Figures of batches: who waited when, what concurrency brings, how evenly requests went out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole
from holysheep_helpers.batches.long_prompts import LongPlan
from holysheep_helpers.batches.results import BatchItem, BatchResult
from holysheep_helpers.catalog.splitting import check_text, counter_for
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook import figures

# The edge keeps a bar that is narrower than a pixel in the picture.
ANSWERED: dict[str, Any] = {"facecolor": figures.BLUE, "edgecolor": figures.BLUE, "linewidth": 0.8}


STYLES: dict[str, dict[str, Any]] = {"ok": ANSWERED, "429": figures.LIMITED}


Batches = BatchResult | Mapping[str, BatchResult]


def plot_gantt(batches: Batches) -> Figure:
    """Draw a row for each prompt: its requests as bars, its waits between them as grey lines.

    Blue is an answer, yellow striped a 429, orange crossed any other failure.

    Args:
        batches: one ``BatchResult``, or several by name, drawn side by side on one scale.

    Returns:
        A Matplotlib figure; its axis is seconds since the batch began.

    Raises:
        InputError: nothing was sent in one of the batches.

    Example:
        >>> result = await hs.batch(gw, ["Say hello.", "Count to ten."], progress=False)
        >>> hs.plot_gantt(result).axes[0].get_title(loc="left")
        '2 prompts in ... s'
    """
    named = _named(batches)
    width = 8 if len(named) == 1 else 5 * len(named)
    rows = max(len(batch) for batch in named.values())
    figure, all_axes = figures.subplots(
        1, len(named), sharex=True, sharey=True, squeeze=False,
        figsize=(width, min(max(0.14 * rows + 1.6, 3.2), 9)), layout="constrained",
    )  # fmt: skip
    for axes, (name, batch) in zip(all_axes[0], named.items(), strict=True):
        for item in batch:
            _row(axes, item)
        took_s = max(attempt.end_s for item in batch for attempt in item.timeline)
        count = f"{len(batch)} prompt{'s' * (len(batch) != 1)}"
        title = f"{name + ': ' if name else ''}{count} in {took_s:.2f} s"
        axes.set(title=title, xlabel="seconds since the batch began")
    first = all_axes[0][0]  # its axes are everyone's
    first.set(ylabel="prompt", ylim=(rows - 0.3, -0.7))  # the first prompt on top
    first.yaxis.set_major_locator(MaxNLocator(integer=True))
    end_s = first.get_xlim()[1]
    first.set_xlim(-0.01 * end_s, end_s)  # the axis must not cover a short first bar
    figures.legend_below(figure, *_marks(named.values()))
    return figure


def _marks(batches: Iterable[BatchResult]) -> list[Patch]:
    """The legend: only what is there to be seen."""
    timelines = [item.timeline for batch in batches for item in batch]
    outcomes = {attempt.outcome for timeline in timelines for attempt in timeline}
    marks = {
        "answered": ("ok" in outcomes, {"facecolor": figures.BLUE}),
        "429": ("429" in outcomes, figures.LIMITED),
        "failed": (outcomes - {"ok", "429"}, figures.FAILED),
        "waiting to ask again": (max(map(len, timelines)) > 1, {"facecolor": figures.GREY}),
    }
    return [Patch(label=label, **style) for label, (there, style) in marks.items() if there]


def _row(axes: Axes, item: BatchItem) -> None:
    for before, after in pairwise(item.timeline):
        axes.plot([before.end_s, after.start_s], [item.index] * 2, color=figures.GREY, linewidth=2)
    for attempt in item.timeline:
        style = STYLES.get(attempt.outcome, figures.FAILED)
        took_s = attempt.end_s - attempt.start_s
        axes.barh(item.index, took_s, left=attempt.start_s, height=0.8, **style)


def requests_per_second(batch: BatchResult) -> float:
    """Answers a second, from the first request's start to the last one's end."""
    attempts = [attempt for item in batch for attempt in item.timeline]
    took_s = max(a.end_s for a in attempts) - min(a.start_s for a in attempts)
    return sum(a.outcome == "ok" for a in attempts) / took_s


def mean_request_s(batch: BatchResult) -> float:
    """The mean time in seconds that a request was in flight."""
    return fmean(a.end_s - a.start_s for item in batch for a in item.timeline)


def plot_sweep(sweep: Mapping[int, BatchResult], limit_per_s: float | None = None) -> Figure:
    """Draw answers a second over concurrency: measured, and as Little's law predicts them.

    Args:
        sweep: a ``BatchResult`` for each concurrency. The prediction takes the mean time of a
            request from the smallest one.
        limit_per_s: the limit, in requests a second. Default: none.

    Returns:
        A Matplotlib figure.

    Raises:
        InputError: there is no batch, or nothing was sent in one.

    Example:
        >>> sweep = {n: await hs.batch(gw, ["Hi."] * 4, max_concurrency=n, progress=False)
        ...          for n in (1, 2)}
        >>> hs.plot_sweep(sweep).axes[0].get_ylabel()
        'answers a second'
    """
    _check_sent(sweep)
    levels = sorted(sweep)
    measured = [requests_per_second(sweep[level]) for level in levels]
    request_s = mean_request_s(sweep[levels[0]])
    figure, axes = figures.subplots(layout="constrained")
    predicted = figures.littles_curve(levels, request_s, limit_per_s)
    axes.plot(*predicted, color=figures.GREY, linewidth=3, label="Little's law: L / W")
    axes.plot(levels, measured, "o", color=figures.BLUE, markersize=9, label="measured")
    if limit_per_s is not None:
        knee = limit_per_s * request_s
        label = f"limit, {limit_per_s:g} a second"
        axes.axhline(limit_per_s, color=figures.RED, linestyle="--", label=label)
        axes.axvline(knee, color=figures.RED, linestyle=":", label=f"knee, {knee:.0f} at once")
        axes.set_title(f"Beyond {knee:.0f} at once, more brings nothing")
    else:
        best = max(measured)
        level = levels[measured.index(best)]
        axes.set_title(f"{best:.3g} answers a second at most, with {level} at once")
    axes.set_xticks(levels, [str(level) for level in levels])
    axes.set(xlabel="requests at once (max_concurrency)", ylabel="answers a second", ylim=(0, None))
    figures.legend_below(figure)
    return figure


def plot_pace(batches: Batches, requests_per_minute: float) -> Figure:
    """Draw requests sent over time, and the limit: an even staircase, or a burst.

    Args:
        batches: one ``BatchResult``, or several by name.
        requests_per_minute: the limit to compare with.

    Returns:
        A Matplotlib figure; its axis is seconds since the batch began.

    Raises:
        InputError: nothing was sent in one of the batches.

    Example:
        >>> result = await hs.batch(gw, ["Say hello."] * 5, progress=False)
        >>> hs.plot_pace(result, 600).axes[0].get_title(loc="left")
        '5 sent within ... s'
    """
    named = _named(batches)
    figure, axes = figures.subplots()
    last_s, found = 0.0, []
    for colour, (name, batch) in zip(figures.COLOURS * len(named), named.items(), strict=False):
        times = sorted(attempt.start_s for item in batch for attempt in item.timeline)
        last_s = max(last_s, times[-1])
        counts: Sequence[int] = range(1, len(times) + 1)
        sent = f"{len(times)} sent within {times[-1] - times[0]:.1f} s"
        found.append(f"{name}: {sent}" if name else sent)
        axes.step(times, counts, where="post", color=colour, linewidth=2, label=name or "sent")
    allowed = [1, 1 + last_s * requests_per_minute / 60]
    label = f"{requests_per_minute:g} a minute"
    axes.plot([0, last_s], allowed, "--", color=figures.BLACK, label=label)
    axes.set(title="; ".join(found), ylabel="requests sent", ylim=(0, None))
    axes.set_xlabel("seconds since the batch began")
    axes.legend(loc="lower right")
    figure.tight_layout()
    return figure


def _named(batches: Batches) -> dict[str, BatchResult]:
    named = {"": batches} if isinstance(batches, BatchResult) else dict(batches)
    _check_sent(named)
    return named


def _check_sent(batches: Mapping[Any, BatchResult]) -> None:
    if not batches:
        raise InputError("No batch was given: hand over what hs.batch() gave back.")
    for name, batch in batches.items():
        if not any(item.timeline for item in batch):
            raise InputError(
                f"Nothing was sent in the batch {name!r}: there is nothing to draw. Were all its "
                "answers in a journal?"
            )


def plot_parts(
    parts: LongPlan | Sequence[str] | Mapping[str, Sequence[str]],
    max_tokens: int | None = None,
    *,
    model: str = catalog.DEFAULT_MODEL,
) -> Figure:
    """Draw a bar for each part of a text, as long as its tokens, and the limit as a line.

    Args:
        parts: the parts of one text, or several lists by name, drawn side by side, or a plan of
            ``hs.plan_long``, which knows its limit.
        max_tokens: the limit, in tokens; parts that are longer are hatched.
        model: the model by whose rule tokens are counted. Default: the catalogue's default model.

    Returns:
        A Matplotlib figure.

    Raises:
        InputError: there is nothing to draw, or no limit.

    Example:
        >>> parts = hs.split_prompt("A sentence. " * 500, max_tokens=400)
        >>> hs.plot_parts(parts, 400).axes[0].get_title(loc="left")
        'Parts: all ... fit'
    """
    if isinstance(parts, LongPlan):
        sizes, limit = {"": parts.sizes}, parts.part_tokens
    else:
        sizes, limit = _sizes(parts, model), max_tokens
        check_whole("max_tokens", limit, 1)
    assert limit is not None
    figure, every = figures.subplots(
        1, len(sizes), figsize=(8, 4), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, (name, of_each) in zip(every.flat, sizes.items(), strict=True):
        _draw(axes, name, of_each, limit)
    first = every.flat[0]  # its vertical axis is everyone's
    highest = max(limit, *map(max, sizes.values()))
    first.set(ylabel="tokens", ylim=(0, 1.2 * highest))
    first.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return figure


def _sizes(
    parts: Sequence[str] | Mapping[str, Sequence[str]], model: str
) -> dict[str, tuple[int, ...]]:
    named = dict(parts) if isinstance(parts, Mapping) else {"": parts}
    if not named or not all(map(len, named.values())):
        raise InputError("There are no parts to draw: hand over what hs.split_prompt() gave back.")
    for texts in named.values():
        for text in texts:
            check_text(text)
    count = counter_for(model).at_most
    return {name: tuple(map(count, texts)) for name, texts in named.items()}


def _draw(axes: Axes, name: str, sizes: Sequence[int], limit: int) -> None:
    numbers = range(1, len(sizes) + 1)
    over = [size > limit for size in sizes]
    colours = [figures.RED if much else figures.BLUE for much in over]
    axes.bar(numbers, sizes, color=colours, hatch=["//" if much else None for much in over])
    for number, size in zip(numbers, sizes, strict=True):
        if not size:
            axes.annotate("empty", (number, 0), (0, 3), textcoords="offset points", ha="center")
    label = f"limit, {limit:,}"
    axes.axhline(limit, label=label, color=figures.BLACK, linestyle="--", linewidth=1.5)
    found = f"{sum(over)} of {len(sizes)} too long" if any(over) else f"all {len(sizes)} fit"
    axes.set(title=f"{name or 'Parts'}: {found}", xlabel="part")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="x")
    axes.legend(loc="upper right", frameon=True)
