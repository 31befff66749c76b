"""Lesson 9's panel: volume, mix, models, rate and the cost of a move; what comes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from holysheep_helpers import catalog
from holysheep_helpers.catalog import ExchangeRate, Source
from holysheep_helpers.costs.moves import Assumptions
from holysheep_helpers.costs.report import by_model, cached_note, in_words, table_rows
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook.controls import FigureBox, IntSlider
from holysheep_helpers.notebook.panels import Soon, View, show_figure, slider

if TYPE_CHECKING:
    from pandas import DataFrame

MILLION = 1_000_000


PRICES = [("the gateway's, as published", "published"), ("direct, at the maker's", "direct")]


class CostPanel(View):
    """A move reckoned with sliders: ``assumptions`` is what they say, ``table`` the models.

    Nothing is sent. ``text`` says what comes of it, in words, at once; the figures follow when the
    sliders rest, for a key held down moves them faster than they are drawn.
    """

    title = "What a move costs and saves"

    def __init__(self, assumptions: Assumptions) -> None:
        self._given = assumptions
        self.assumptions = assumptions
        self.table: DataFrame | None = None
        self._soon = Soon(lambda: self._guarded(self._draw))
        super().__init__()
        self._reckon()
        self._draw()

    def _body(self) -> Iterable[w.Widget]:
        start = self._given
        rate = start.rate or catalog.published_rate()
        self.tokens = _whole("Tokens, millions", start.tokens, 1, 500, scale=MILLION)
        self.input_share = _whole("Input, %", start.input_share, 0, 100, scale=_PERCENT)
        self.cached_share = _whole("Cached, %", start.cached_share, 0, 100, scale=_PERCENT)
        self.growth = _whole("Growth, %", start.growth, -20, 50, scale=_PERCENT)
        self.model = _models("To", start.model)
        self.prices = w.Dropdown(options=PRICES, value=start.prices, description="Prices")
        self.baseline = _models("From", start.baseline)
        self.one_off_usd = _whole("Move, USD once", start.one_off_usd, 0, 10_000, step=50)
        self.monthly_running_usd = _whole("USD a month", start.monthly_running_usd, 0, 500)
        self.krw_per_usd = _whole("KRW per USD", rate.krw_per_usd, 1000, 2000, step=10)
        self._rate = rate
        self.costs, self.returns = FigureBox(), FigureBox()
        knobs = (
            *(self.tokens, self.input_share, self.cached_share, self.growth),
            *(self.baseline, self.model, self.prices),
            *(self.one_off_usd, self.monthly_running_usd, self.krw_per_usd),
        )
        self._follow(self._look, *knobs)
        yield from (*knobs, self.status, self.costs, self.answer, self.returns)

    def _chosen(self) -> Assumptions:
        won = Decimal(self.krw_per_usd.value)
        rate = self._rate
        if won != rate.krw_per_usd:
            today = datetime.now().astimezone().date()
            rate = ExchangeRate(won, Source("set in the panel", today))
        return replace(
            self._given,
            tokens=self.tokens.value * MILLION,
            input_share=self.input_share.value * _PERCENT,
            cached_share=self.cached_share.value * _PERCENT,
            growth=self.growth.value * _PERCENT,
            model=str(self.model.value),
            baseline=str(self.baseline.value),
            prices=self.prices.value,
            one_off_usd=self.one_off_usd.value,
            monthly_running_usd=self.monthly_running_usd.value,
            rate=rate,
        )

    def _look(self) -> None:
        """Reckon anew, and draw it soon; where something is in the way, nothing old stays."""
        self._soon.forget()
        self.table, self.answer.value = None, ""
        try:
            self._reckon()
        finally:
            if self.table is None:
                self.costs.hide()
                self.returns.hide()
        self._soon.ask()

    def _end(self) -> None:
        self._soon.forget()

    def _reckon(self) -> None:
        move = self.assumptions = self._chosen()
        table = self.table = by_model(move)
        self.text = " ".join(filter(None, (in_words(move, table), cached_note(move))))
        self._say(self.text)
        self._show_table(_html(table_rows(table, move.baseline)), "Models side by side")

    def _draw(self) -> None:
        from holysheep_helpers.costs.plots import plot_break_even, plot_costs

        if self.table is not None:
            show_figure(self.costs, plot_costs(self.table))
            show_figure(self.returns, plot_break_even(self.assumptions))


_PERCENT = Decimal("0.01")


def _whole(
    name: str, value: Any, low: int, high: int, *, step: int = 1, scale: Decimal | int = 1
) -> IntSlider:
    """A slider for a whole number of ``scale``, which begins at ``value`` and never alters it."""
    start = Decimal(value) / scale
    if start != int(start):
        raise InputError(
            f"{name} is {start:f}: the panel's slider takes whole numbers. Round it, or use plain "
            "variables, which take any amount."
        )
    low, high = min(low, int(start)), max(high, int(start))
    return slider(name, int(start), low, high, 1 if (int(start) - low) % step else step)


def _models(name: str, value: str) -> w.Dropdown:
    ids = dict.fromkeys([*(model.id for model in catalog.models() if model.price), value])
    return w.Dropdown(options=list(ids), value=value, description=name)


def _html(rows: list[list[str]]) -> str:
    """A table that a screen reader can read out."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows[1:]
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def cost_panel(assumptions: Assumptions | None = None) -> CostPanel:
    """Lesson 9's panel: turn each assumption of a move, and see what it costs and brings.

    It begins with ``assumptions``, or with 10 million tokens a month, half of them input, from
    GPT-4.1 to the running example. Raises ``InputError`` where a slider can't hold an amount.
    """
    return CostPanel(
        assumptions
        or Assumptions(
            tokens=10 * MILLION,
            model=catalog.DEFAULT_MODEL,
            baseline="gpt-4.1",
            one_off_usd=1000,
            monthly_running_usd=5,
            rate=catalog.published_rate(),
        )
    )
