"""A figure of a text in parts: how full each one is, and which are too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_size
from holysheep_helpers.catalog.tokens import check_text, counter_for
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.long_plan import LongPlan
from holysheep_helpers.notebook.figures import BLACK, BLUE, RED

FITS, OVER = BLUE, RED


def plot_parts(
    parts: LongPlan | Sequence[str] | Mapping[str, Sequence[str]],
    max_tokens: int | None = None,
    *,
    model: str = catalog.DEFAULT_MODEL,
) -> Figure:
    """One bar for each part, its tokens for ``model``; the dashed line is ``max_tokens``.

    ``parts`` are those of one text, or several lists by name, drawn side by side, or a plan of
    ``hs.plan_long``, which knows its limit. Parts that are too long are hatched. Raises
    ``InputError`` if there is nothing to draw, or no limit.
    """
    if isinstance(parts, LongPlan):
        sizes, limit = {"": parts.sizes}, parts.part_tokens
    else:
        sizes, limit = _sizes(parts, model), max_tokens
        check_size("max_tokens", limit, 1)
    assert limit is not None
    figure, every = plt.subplots(
        1, len(sizes), figsize=(8, 4), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, (name, of_each) in zip(every.flat, sizes.items(), strict=True):
        _draw(axes, name, of_each, limit)
    first = every.flat[0]  # its vertical axis is everyone's
    first.set_ylabel("tokens")
    first.set_ylim(0, 1.2 * max(limit, *(max(of_each) for of_each in sizes.values())))
    first.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
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
    bars = axes.bar(numbers, sizes, color=[OVER if much else FITS for much in over])
    for bar, much in zip(bars, over, strict=True):
        if much:
            bar.set_hatch("//")
    for number, size in zip(numbers, sizes, strict=True):
        if not size:
            axes.annotate("empty", (number, 0), (0, 3), textcoords="offset points", ha="center")
    axes.axhline(limit, color=BLACK, linestyle="--", linewidth=1.5, label=f"limit, {limit:,}")
    found = f"{sum(over)} of {len(sizes)} too long" if any(over) else f"all {len(sizes)} fit"
    axes.set_title(f"{name}: {found}" if name else f"Parts: {found}")
    axes.set_xlabel("part")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="x")
    axes.legend(loc="upper right", frameon=True)
