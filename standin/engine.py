"""The backtest itself: bar by bar, decide, trade, keep the books, and in the end say how it went.

Nothing here knows of threads, clocks or HTTP. One `step` is one bar; whoever calls it may stop between two.
A decision at a bar uses that bar's close and earlier ones only, and is carried out at that close, made worse
by slippage, plus commission.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from standin import fuzzy
from standin.market import Bar


@dataclass(frozen=True)
class Strategy:
    """How signals become trades, and how much the model goes on learning while it trades."""

    enter_above: float = 0.04
    """Strength of the signal, 0 to 1, from which a position is opened."""
    leave_below: float = 0.01
    """Strength of the signal below which it is closed; a signal against it closes it too."""
    position_fraction: float = 0.5
    """How much of the equity a new position is worth."""
    window: int = 96
    """Adaptation: how many of the latest bars with a known outcome are learnt from before each decision."""
    epochs: int = 90
    learning_rate: float = 0.01


@dataclass(frozen=True)
class Order:
    """What a start request asks for; commission and slippage are shares of the amount traded."""

    operation_id: str
    model_path: str
    strategy_name: str
    symbol: str
    timeframe: str
    start_date: str
    end_date: str
    initial_capital: float = 100_000.0
    commission: float = 0.001
    slippage: float = 0.0005


@dataclass(frozen=True)
class Trade:
    """A position opened and closed again; profit in dollars after all costs."""

    opened: Bar
    closed: Bar
    units: float
    profit: float

    @property
    def held_hours(self) -> float:
        return (self.closed.time - self.opened.time).total_seconds() / 3600


def read_strategy(home: Path, name: str, epochs: int = -1) -> Strategy:
    """The strategy of that name, or the default one where there is none, as KTRDR runs unknown strategies."""
    path = home / "strategies" / f"{name}.yaml"
    values: dict[str, Any] = {}
    if path.parent == home / "strategies" and path.is_file():
        # The file is written in the part of YAML that is also JSON, so no YAML reader is needed.
        described = json.loads(path.read_text(encoding="utf-8"))
        values = {**described["decisions"], **described["adaptation"]}
    if epochs >= 0:
        values["epochs"] = epochs
    return Strategy(**values)


class Backtest:
    """One run over `bars[first:]`; the bars before `first` only warm the indicators up."""

    def __init__(self, bars: Sequence[Bar], first: int, model: fuzzy.Model, strategy: Strategy, order: Order) -> None:
        self.bars = bars
        self.first = first
        self.model = model
        self.strategy = strategy
        self.order = order
        self.cash = order.initial_capital
        self.units = 0.0
        """Euros held; below 0 when they are owed."""
        self.index = first
        """The bar that the next step works on."""
        self.equity: list[float] = []
        self.signals: list[float] = []
        self.trades: list[Trade] = []
        self._closes = [bar.close for bar in bars]
        self._weights = list(model.weights)
        self._strengths: dict[int, tuple[float, ...]] = {}
        self._opened: tuple[Bar, float] | None = None

    @property
    def total(self) -> int:
        """How many bars the run has."""
        return len(self.bars) - self.first

    @property
    def done(self) -> int:
        """How many of them have been worked on."""
        return self.index - self.first

    @property
    def finished(self) -> bool:
        return self.index >= len(self.bars)

    def step(self) -> Bar:
        """Work on the next bar and return it."""
        at, bar = self.index, self.bars[self.index]
        said = self._signal(at)
        last = at == len(self.bars) - 1
        self._trade(bar, 0 if last else self._wanted_side(said))
        self.signals.append(said)
        self.equity.append(self.cash + self.units * bar.close)
        self.index += 1
        return bar

    def _strengths_at(self, at: int) -> tuple[float, ...] | None:
        """The strengths of the rules at a bar, or None while there are too few bars before it."""
        if at < self.model.warm_up:
            return None
        if at not in self._strengths:
            self._strengths[at] = fuzzy.strengths(
                fuzzy.z_score(self._closes, at, self.model.z_period),
                fuzzy.relative_strength(self._closes, at, self.model.rsi_period),
            )
        return self._strengths[at]

    def _signal(self, at: int) -> float:
        here = self._strengths_at(at)
        if here is None:
            return 0.0
        if self.strategy.epochs > 0:
            fuzzy.learn(self._weights, self._known_outcomes(at), self.strategy.epochs, self.strategy.learning_rate)
        return fuzzy.signal(self._weights, here)

    def _known_outcomes(self, at: int) -> list[tuple[Sequence[float], float]]:
        """The latest bars whose horizon ends at `at` or before it, with what the signal should have been."""
        newest = at - self.model.horizon
        samples: list[tuple[Sequence[float], float]] = []
        for index in range(max(0, newest - self.strategy.window + 1), newest + 1):
            rule_strengths = self._strengths_at(index)
            if rule_strengths is not None:
                samples.append((rule_strengths, wanted_signal(self._closes, index, self.model)))
        return samples

    def _wanted_side(self, said: float) -> int:
        """1 to hold euros, -1 to owe them, 0 for neither."""
        side = (self.units > 0) - (self.units < 0)
        direction = 1 if said > 0 else -1
        if abs(said) >= self.strategy.enter_above:
            return direction
        if abs(said) < self.strategy.leave_below or direction != side:
            return 0
        return side

    def _trade(self, bar: Bar, side: int) -> None:
        held = (self.units > 0) - (self.units < 0)
        if side == held:
            return
        if held and self._opened is not None:
            opened, paid = self._opened
            units, received = self.units, self._exchange(-self.units, bar.close)
            self.trades.append(Trade(opened, bar, units, received - paid))
            self._opened = None
        if side:
            worth = self.strategy.position_fraction * self.cash
            self._opened = (bar, -self._exchange(side * worth / bar.close, bar.close))

    def _exchange(self, units: float, close: float) -> float:
        """Buy (or, below 0, sell) euros; returns the change of cash, costs included."""
        price = close * (1 + self.order.slippage * (1 if units > 0 else -1))
        change = -units * price - abs(units) * price * self.order.commission
        self.cash += change
        self.units = 0.0 if self._opened is not None else units
        return change


def indicator_search(bars: Sequence[Bar], first: int, model: fuzzy.Model) -> Iterator[tuple[int, int, float]]:
    """Try indicator periods on ever earlier years before `first`; yields (z period, RSI period, score).

    The score is the share of bars on which both indicators together called the coming change's direction.
    This is the indicator phase: it takes as long as one lets it, and its findings go to the log only.
    """
    closes = [bar.close for bar in bars[:first]]
    for end in range(len(closes) - model.horizon, 400, -5):
        for z_period in range(10, 60, 5):
            for rsi_period in range(5, 30, 5):
                right = 0
                for at in range(end - 250, end):
                    z = fuzzy.z_score(closes, at, z_period)
                    rsi = fuzzy.relative_strength(closes, at, rsi_period)
                    right += (z + rsi / 50 < 1) == (closes[at + model.horizon] > closes[at])
                yield z_period, rsi_period, right / 250


def wanted_signal(closes: Sequence[float], at: int, model: fuzzy.Model) -> float:
    """What the signal at a bar should have been, known `horizon` bars later, between -1 and 1."""
    return math.tanh(math.log(closes[at + model.horizon] / closes[at]) / model.scale)


def result_summary(run: Backtest, took_s: float) -> dict[str, Any]:
    """KTRDR's result summary of a finished run, every figure computed from its books."""
    order = run.order
    start, end = f"{order.start_date}T00:00:00", f"{order.end_date}T00:00:00"
    return {
        "config": {
            "end_date": end,
            "slippage": order.slippage,
            "commission": order.commission,
            "start_date": start,
            "initial_capital": order.initial_capital,
        },
        "symbol": order.symbol,
        "metrics": metrics(run),
        "end_time": end,
        "timeframe": order.timeframe,
        "start_time": start,
        "trade_count": len(run.trades),
        "strategy_name": order.strategy_name,
        "equity_curve_length": len(run.equity),
        "execution_time_seconds": took_s,
    }


def metrics(run: Backtest) -> dict[str, float]:
    """The figures of a run. Shares are fractions of 1, money is in dollars, holding periods are in hours."""
    capital = run.order.initial_capital
    curve = [capital, *run.equity]
    bars_a_year = 252 * (24 if run.order.timeframe == "1h" else 1)
    returns = [after / before - 1 for before, after in pairwise(curve)]
    deviation = pstdev(returns) if returns else 0.0
    downside = math.sqrt(fmean(min(0.0, each) ** 2 for each in returns)) if returns else 0.0
    mean = fmean(returns) if returns else 0.0
    peak, drawdown, drawdown_share = capital, 0.0, 0.0
    for value in curve:
        peak = max(peak, value)
        drawdown = max(drawdown, peak - value)
        drawdown_share = max(drawdown_share, (peak - value) / peak)
    total = curve[-1] - capital
    years = len(returns) / bars_a_year
    annual = (curve[-1] / capital) ** (1 / years) - 1 if years and curve[-1] > 0 else 0.0
    won = [trade for trade in run.trades if trade.profit > 0]
    lost = [trade for trade in run.trades if trade.profit <= 0]
    gains, losses = [trade.profit for trade in won], [trade.profit for trade in lost]
    return {
        "avg_win": _mean(gains),
        "avg_loss": _mean(losses),
        "win_rate": _ratio(len(won), len(run.trades)),
        "volatility": deviation * math.sqrt(bars_a_year),
        "largest_win": max(gains, default=0.0),
        "calmar_ratio": _ratio(annual, drawdown_share),
        "largest_loss": min(losses, default=0.0),
        "max_drawdown": drawdown,
        "sharpe_ratio": _ratio(mean, deviation) * math.sqrt(bars_a_year),
        "total_return": total,
        "total_trades": len(run.trades),
        "losing_trades": len(lost),
        "profit_factor": _ratio(sum(gains), -sum(losses)),
        "sortino_ratio": _ratio(mean, downside) * math.sqrt(bars_a_year),
        "winning_trades": len(won),
        "recovery_factor": _ratio(total, drawdown),
        "max_drawdown_pct": drawdown_share,
        "total_return_pct": total / capital,
        "annualized_return": annual,
        "avg_holding_period": _mean([trade.held_hours for trade in run.trades]),
        "avg_win_holding_period": _mean([trade.held_hours for trade in won]),
        "avg_loss_holding_period": _mean([trade.held_hours for trade in lost]),
    }


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _ratio(above: float, below: float) -> float:
    return above / below if below else 0.0
