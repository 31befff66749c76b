"""The panel of lessons 11 and 12: the assumptions of a move, and their results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from holysheep_helpers import catalog
from holysheep_helpers.catalog import ExchangeRate, Source
from holysheep_helpers.costs import plots
from holysheep_helpers.costs.moves import Assumptions
from holysheep_helpers.costs.report import by_model, cached_note, in_words, table_rows
from holysheep_helpers.diagnosis.display import grid
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook.controls import FigureBox, IntSlider
from holysheep_helpers.notebook.panels import Debounce, View, int_slider
from holysheep_helpers.pricing.money import priced_models

if TYPE_CHECKING:
    from pandas import DataFrame

MILLION, PERCENT = Decimal(1_000_000), Decimal("0.01")
SCALES = {"tokens": MILLION} | dict.fromkeys(("input_share", "cached_share", "growth"), PERCENT)
PRICES = [("the gateway's, as published", "published"), ("direct, at the maker's", "direct")]


START = Assumptions(
    tokens=10 * MILLION,
    model=catalog.DEFAULT_MODEL,
    baseline="gpt-4.1",
    one_off_usd=1000,
    monthly_running_usd=5,
    rate=catalog.published_rate(),
)


def cost_panel(assumptions: Assumptions | None = None) -> CostPanel:
    """Show a panel: change each assumption of a move, and see what it costs and brings.

    Args:
        assumptions: the ``Assumptions`` to start from. Default: 10 million tokens a month, half of
            them input, from GPT-4.1 to the running example.

    Returns:
        A ``CostPanel``: ``text`` is what it says, ``assumptions`` what its sliders say, ``table``
        the models side by side.

    Raises:
        InputError: a slider can't hold an amount, which has to be a whole number of its unit.

    Example:
        >>> panel = hs.cost_panel()
        >>> panel.tokens.value = 20
        >>> panel.assumptions.net_gain_usd
        Decimal('164.00')
    """
    return CostPanel(assumptions or START)


class CostPanel(View):
    """A move worked out with sliders: ``assumptions`` is what they say, ``table`` the models.

    Nothing is sent. ``text`` says the result in words, at once. The figures follow when the sliders
    rest, for a key held down moves them faster than they are drawn.
    """

    title = "What a move costs and saves"

    def __init__(self, assumptions: Assumptions) -> None:
        self.assumptions = assumptions
        self.table: DataFrame | None = None
        self._redraw = Debounce(lambda: self._guarded(self._draw))
        super().__init__()
        self._work_out()
        self._draw()

    def _body(self) -> Iterable[w.Widget]:
        start = self.assumptions
        self._rate = start.rate or catalog.published_rate()
        self.tokens = _slider(start, "tokens", "Tokens, millions", 1, 500)
        self.input_share = _slider(start, "input_share", "Input, %", 0, 100)
        self.cached_share = _slider(start, "cached_share", "Cached, %", 0, 100)
        self.growth = _slider(start, "growth", "Growth, %", -20, 50)
        self.baseline = _models("From", start.baseline)
        self.model = _models("To", start.model)
        self.prices = w.Dropdown(options=PRICES, value=start.prices, description="Prices")
        self.one_off_usd = _slider(start, "one_off_usd", "Move, USD once", 0, 10_000, step=50)
        self.monthly_running_usd = _slider(
            start, "monthly_running_usd", "Running, USD a month", 0, 500
        )
        self.krw_per_usd = _slider(self._rate, "krw_per_usd", "KRW per USD", 1000, 2000, step=10)
        self.costs, self.returns = FigureBox(), FigureBox()
        knobs = self.knobs().values()
        self._follow(self._look, *knobs)
        side_by_side = w.Box([*knobs])
        side_by_side.add_class("hs-knobs")
        return (side_by_side, self.status, self.returns, self.costs, self.answer)

    def _chosen(self) -> Assumptions:
        knobs: Any = self.knobs()
        chosen = {name: knob.value for name, knob in knobs.items()}
        scaled = {name: chosen[name] * scale for name, scale in SCALES.items()}
        krw, rate = chosen.pop("krw_per_usd"), self._rate
        if krw != rate.krw_per_usd:
            today = datetime.now().astimezone().date()
            rate = ExchangeRate(Decimal(krw), Source("set in the panel", today))
        return replace(self.assumptions, **chosen | scaled, rate=rate)

    def _look(self) -> None:
        """Work it out again, and draw it soon; where that fails, nothing old stays."""
        self.table, self.answer.value = None, ""
        try:
            self._work_out()
        finally:
            self._redraw.call()

    def _end(self) -> None:
        self._redraw.cancel()

    def _work_out(self) -> None:
        move = self.assumptions = self._chosen()
        table = self.table = by_model(move)
        self.text = " ".join(filter(None, (in_words(move, table), cached_note(move))))
        self._say(self.text)
        self._show_table(grid(*table_rows(table, move.baseline)), "Models side by side")

    def _draw(self) -> None:
        if self.table is None:
            self.costs.hide()
            self.returns.hide()
        else:
            self.costs.draw(plots.plot_costs(self.table))
            figure = plots.plot_break_even(self.assumptions)
            figure.set_figheight(2.8)  # on one screen with the sliders
            self.returns.draw(figure)


def _slider(
    of: Assumptions | ExchangeRate, name: str, label: str, low: int, high: int, *, step: int = 1
) -> IntSlider:
    """A slider for a whole number of its scale, which begins at its value and never alters it."""
    start = Decimal(getattr(of, name)) / SCALES.get(name, 1)
    if start != int(start):
        raise InputError(
            f"{label} is {start:f}: the panel's slider takes whole numbers. Round it, or use plain "
            "variables, which take any amount."
        )
    low, high = min(low, int(start)), max(high, int(start))
    return int_slider(label, int(start), low, high, 1 if (int(start) - low) % step else step)


def _models(name: str, value: str) -> w.Dropdown:
    ids = dict.fromkeys([*priced_models(), value])
    return w.Dropdown(options=list(ids), value=value, description=name)
