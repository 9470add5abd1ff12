"""The backtests that a step's table offers: symbol, timeframe and dates, with the target's strategy and model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.target.settings import Target

COLUMNS = ("symbol", "timeframe", "from", "to")
_TIMEFRAME = re.compile(r"(\d+)([mhd])")
_MINUTES_A_DAY = 24 * 60
_MINUTES = {"m": 1, "h": 60, "d": _MINUTES_A_DAY}


@dataclass(frozen=True)
class Candidate:
    """A backtest that could be used: one row of a step's table, with its strategy and model."""

    symbol: str
    timeframe: str
    start: str
    end: str
    strategy: str
    model: str

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe}, {self.start} to {self.end}"

    @property
    def payload(self) -> dict[str, str]:
        """The body of the start request, field for field the seed's."""
        return {
            "model_path": self.model,
            "strategy_name": self.strategy,
            "symbol": self.symbol,
            "timeframe": self.timeframe,
            "start_date": self.start,
            "end_date": self.end,
        }

    @property
    def bars_about(self) -> float:
        """About how many bars the period has: markets are open on weekdays. Infinite for an unknown timeframe."""
        named = _TIMEFRAME.fullmatch(self.timeframe)
        try:
            began, ended = date.fromisoformat(self.start), date.fromisoformat(self.end)
        except ValueError:
            return math.inf
        if not named or not int(named[1]):
            return math.inf
        weekdays = ((ended - began).days + 1) * 5 / 7
        return weekdays * _MINUTES_A_DAY / (int(named[1]) * _MINUTES[named[2]])

    @property
    def names_a_file(self) -> bool:
        """Whether its model is named by the file, as the seed does, and not by the directory."""
        return self.model.endswith(".pt")

    def in_the_other_form(self) -> Candidate:
        """The model named by its directory instead of its file, or the other way round (contract, surprise 1)."""
        file = "/model.pt"
        other = self.model.removesuffix(file) if self.model.endswith(file) else self.model.rstrip("/") + file
        return replace(self, model=other)


def candidates_of(table: Any, target: Target) -> list[Candidate]:
    """The backtests that a step's table lists, each with the target's strategy and model for its timeframe.

    Raises ``BadConfiguration`` where the table lacks a column or the target has no model for a timeframe.
    """
    missing = [c for c in COLUMNS if c not in table.headings]
    if missing:
        raise BadConfiguration(f"the table of backtests has no column {', '.join(missing)}")
    rows: Iterable[Mapping[str, str]] = table
    return [_candidate(row, target) for row in rows]


def _candidate(row: Mapping[str, str], target: Target) -> Candidate:
    timeframe = row["timeframe"]
    settings = target.backtests.get(timeframe)
    if settings is None:
        raise BadConfiguration(
            f"target {target.name}: no strategy and model for {timeframe}; set them under [backtests.{timeframe}]"
        )
    return Candidate(row["symbol"], timeframe, row["from"], row["to"], settings.strategy, settings.model)
