"""Reading the tables of the features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.act.experiment import Candidate
from ktrdr_qa.target.settings import Target

COLUMNS = ("symbol", "timeframe", "from", "to")


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
