"""The table of checks: the seed's five criteria and three sanity checks, the witnesses, and what else a recording was about.

A recording of another way to cancel begins with the rows of that way. Of the seed's rows it has those
that it was asked for and those that it tells something of: that nobody asked is no news.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ktrdr_qa.judge.judgement import Judgement, Verdict
from ktrdr_qa.judge.ways.all import WAYS
from ktrdr_qa.judge.ways.way import Checks

CRITERIA: Checks = {
    "Backtest was running before cancel": ("running", "moving", "was running"),
    "Cancel request succeeds": ("acknowledged", "only this one"),
    "Status changes to cancelled/failed": ("cancelled", "stays cancelled", "end recorded", "list agrees"),
    "Progress stops increasing": ("frozen", "does not come back"),
    "New operations work immediately": ("next accepted", "next runs"),
}
SANITY_CHECKS: Checks = {
    "Was running: percentage > 0 before cancel": ("was running", "enough left"),
    'Not completed: status is not "completed"': ("not completed",),
    "System stable: new operation starts OK": (
        "next accepted",
        "next runs",
        "stays cancelled",
        "stays up",
        "others can be stopped",
    ),
}
WITNESSES: Checks = {
    "The worker itself has stopped": ("worker stopped",),
    "The worker's processor is quiet": ("processor quiet",),
    "The worker's place is free again": ("place free",),
}
GROUPS: Sequence[tuple[str, Checks]] = (
    *((way.kind, way.checks) for way in WAYS),
    ("criterion", CRITERIA),
    ("sanity check", SANITY_CHECKS),
    ("witness", WITNESSES),
)
_OF_A_WAY = frozenset(name for way in WAYS for names in way.checks.values() for name in names)


@dataclass(frozen=True)
class Row:
    """One line of the table: what is checked, how it came out, and what was seen."""

    kind: str
    check: str
    verdict: Verdict
    seen: str


def rows(found: Mapping[str, Judgement], asked: Collection[str] | None = None) -> list[Row]:
    """The table of some judgements; ``asked`` names those that a sentence asked for, all of them where it is None."""
    return [
        row
        for kind, checks in GROUPS
        for check, names in checks.items()
        if (of := [found[name] for name in names if name in found])
        and _stands(row := _row(kind, check, of), names, found, asked)
    ]


def is_of_another_way(found: Mapping[str, Judgement]) -> bool:
    """Whether a recording was about more, or about something else, than the cancel of one running backtest."""
    return not _OF_A_WAY.isdisjoint(found)


def is_of_a_race(found: Mapping[str, Judgement]) -> bool:
    """Whether what is judged of the one backtest is about the last of many tries, and says nothing of the others."""
    return "one end" in found


def _stands(row: Row, names: Sequence[str], found: Mapping[str, Judgement], asked: Collection[str] | None) -> bool:
    if row.verdict == "violated" or asked is None or not is_of_another_way(found):
        return True
    if any(name in asked for name in names if name in found and found[name].verdict == row.verdict):
        return True
    if is_of_a_race(found):
        return row.kind == "race" and row.verdict == "holds"
    # A witness that could not tell of a cancel is worth a row: the verdict does not rest on it.
    return row.verdict == "holds" or (row.kind == "witness" and found["acknowledged"].holds)


def _row(kind: str, check: str, of: Sequence[Judgement]) -> Row:
    verdict: Verdict = "holds"
    if any(judgement.violated for judgement in of):
        verdict = "violated"
    elif any(judgement.unknown for judgement in of):
        verdict = "unknown"
    telling = [judgement for judgement in of if judgement.verdict == verdict]
    return Row(kind, check, verdict, "; ".join(judgement.seen for judgement in telling))
