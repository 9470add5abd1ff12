"""Named ways of going wrong, one module for each moment at which a platform can; `faults.toml` describes them."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from standin.faults import (
    after,
    cancel,
    endurance,
    ghosts,
    limits,
    preflight,
    restart,
    running,
    stability,
    start,
    views,
    ways,
)
from standin.faults.known import KNOWN
from standin.seams import Seam

__all__ = ["KNOWN", "TABLE", "FaultRow", "UnknownFaultError", "switched_on", "table"]

_MODULES = (preflight, start, running, cancel, after, ghosts, stability, ways, limits, views, endurance, restart)
TABLE = Path(__file__).parent.parent / "faults.toml"


@dataclass(frozen=True)
class FaultRow:
    """A fault as the table describes it, with what a suite must make of it."""

    name: str
    group: str
    sentence: str
    """What the platform does wrong."""
    outcome: str
    """`failed` or `inconclusive`."""
    step: str
    """The step at which a run must end."""
    message: str
    """The telling part of what it must say."""
    feature: str = "features/backtest_cancellation.feature"
    arguments: tuple[str, ...] = ()
    """What else the stand-in is launched with, so that the fault shows."""
    like: str = ""
    """A fault that cannot be told from this one from outside: the two may end a run with the same words."""
    limits: str = ""
    """Further lines for the `[limits]` of the target with which it is shown."""
    decided_within_s: float = 10.0
    """How soon after the decisive reading the verdict must be told."""
    or_message: str = ""
    """What it may say instead, where the fault strikes while a request is on its way."""
    alone: bool = False
    """It shows only where a processor is to spare, so it is shown by itself."""


class UnknownFaultError(Exception):
    """There is no fault of that name."""


def table() -> list[FaultRow]:
    """All faults, in the table's order."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["fault"]
    return [FaultRow(**{**row, "arguments": tuple(row.get("arguments", ()))}) for row in rows]


def switched_on(names: Iterable[str]) -> list[Seam]:
    """These faults, as they are to be asked one after the other. Raises `UnknownFaultError`."""
    chosen: list[Seam] = []
    for name in names:
        if name not in KNOWN:
            close = difflib.get_close_matches(name, KNOWN, n=1)
            hint = f"; did you mean {close[0]}?" if close else "; --list-faults names them all"
            raise UnknownFaultError(f"there is no fault {name!r}{hint}")
        chosen.append(KNOWN[name]())
    return chosen
