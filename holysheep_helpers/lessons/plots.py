"""Figures of lessons 2 and 3: values side by side, and text as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from holysheep_helpers._checks import shown
from holysheep_helpers.client.chat import AsyncStream, Stream
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook.figures import BLUE, COLOURS, subplots


def plot_streams(streams: Stream | AsyncStream | Mapping[str, Stream | AsyncStream]) -> Figure:
    """Draw the characters received over time, as a staircase for each stream.

    The dashed line marks the first text. The horizontal axis is seconds since the call.

    Args:
        streams: one stream that was read, or several as a dict from names to streams.

    Returns:
        A Matplotlib figure.

    Raises:
        InputError: there is no stream, or one of them has no text yet.

    Example:
        >>> stream = hs.stream(gw, "Say hello.")
        >>> text = stream.read()
        >>> hs.plot_streams(stream)
        <Figure size 800x400 with 1 Axes>
    """
    named = {"": streams} if isinstance(streams, Stream | AsyncStream) else dict(streams)
    if not named:
        raise InputError("No stream was given: read one to its end, then give it to this function.")
    figure, axes = subplots()
    for colour, (name, stream) in zip(COLOURS * len(named), named.items(), strict=False):
        if not stream.timeline or stream.elapsed_s is None:
            raise InputError(
                f"The stream {name or stream!r} has no text yet: read it first, "
                "`for text in stream: ...` or `stream.read()`."
            )
        _staircase(axes, name, stream, colour)
    name, soonest = min(named.items(), key=lambda one: one[1].ttft_s or 0)
    first_s, last_s = soonest.ttft_s or 0, max(stream.elapsed_s or 0 for stream in named.values())
    title = f"First text after {first_s:.2f} s, all of it after {last_s:.2f} s"
    if len(named) > 1:
        title = f"{name}: first text after {first_s:.2f} s, the soonest of {len(named)}"
    axes.set(title=title, xlabel="seconds since the call", ylabel="characters received")
    axes.set(xlim=(0, last_s * 1.05), ylim=(0, None))
    axes.legend(loc="lower right", frameon=True)
    figure.tight_layout()
    return figure


def _staircase(axes: Axes, name: str, stream: Stream | AsyncStream, colour: str) -> None:
    times = [0.0, *(at_s for at_s, _ in stream.timeline), stream.elapsed_s or 0]
    counts = [*accumulate((len(text) for _, text in stream.timeline), initial=0)]
    counts.append(counts[-1])
    prefix = f"{name}: " if name else ""
    axes.step(times, counts, where="post", color=colour, linewidth=2, label=f"{prefix}text so far")
    first_s = stream.ttft_s or 0
    label = f"{prefix}first text, {first_s:.2f} s"
    axes.axvline(first_s, color=colour, linestyle="--", linewidth=1.5, label=label)
    if not stream.complete:
        end = times[-1], counts[-1]
        axes.plot(*end, marker="x", markersize=11, markeredgewidth=3, color=colour)
        note = "ended here, no finish reason"
        axes.annotate(note, end, xytext=(-8, -16), textcoords="offset points", ha="right")


def plot_bars(values: Mapping[str, Decimal | float], axis_label: str, title: str) -> Figure:
    """Draw one horizontal bar for each name, with its value at its end.

    Args:
        values: the names and their values, finite and 0 or more, from top to bottom.
        axis_label: what is compared, and its unit.
        title: what the figure shows.

    Returns:
        A Matplotlib figure.

    Raises:
        InputError: there is nothing to compare, or a value is no finite number, 0 or more.

    Example:
        >>> hs.plot_bars({"gpt-4.1": 50, "mistral-small-2603": 3.5}, "USD", "A month")
        <Figure size 800x220 with 1 Axes>
    """
    if not values:
        raise InputError("There is nothing to draw. Give a dict from names to numbers.")
    for name, value in values.items():
        if not isinstance(value, Decimal | int | float) or not 0 <= value < float("inf"):
            raise InputError(f"{name} is {shown(value)}: a finite number, 0 or more, is needed.")
    figure, axes = subplots(figsize=(8, 1.2 + 0.5 * len(values)))
    bars = axes.barh(list(values), [float(value) for value in values.values()], color=BLUE)
    axes.bar_label(bars, [f"{value:,.4g}" for value in map(float, values.values())], padding=4)
    axes.invert_yaxis()  # the first name on top
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    axes.set(xlabel=axis_label, title=title)
    figure.tight_layout()
    return figure
