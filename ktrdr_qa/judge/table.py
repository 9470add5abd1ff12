"""The table of checks: the seed's five criteria and three sanity checks, the witnesses, and what else a recording was about.

A recording of another way to cancel (``OTHER_WAYS``) begins with the rows of that way. Of the seed's rows it has those
that it was asked for and those that it tells something of: that nobody asked is no news.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ktrdr_qa.judge import endurance
from ktrdr_qa.judge.judgement import Judgement, Verdict

Kind = Literal[
    "race",
    "beside others",
    "too many starts",
    "every view",
    "nothing to cancel",
    "with a reason",
    "several at once",
    "twice",
    "in a row",
    "restart",
    "criterion",
    "sanity check",
    "witness",
]
Checks = Mapping[str, Sequence[str]]
"""What is checked, in words of the business, and the judgements that it takes, by their names."""

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
OTHER_WAYS: Mapping[Kind, Checks] = {
    "race": {
        "Each ended in one way: cancelled or completed": ("one end",),
        "The answer to each cancel fits its end": ("answer fits",),
        "Each stays as it ended": ("no flip",),
        "The cancels did meet the end": ("met the end",),
    },
    "beside others": {
        "The others' backtests run on at their pace": ("neighbours run on",),
        "The others' records are untouched": ("neighbours untouched",),
        "The next one on its worker is as fast": ("next keeps pace",),
    },
    "too many starts": {
        "Each start is accepted, or refused in plain words": ("starts answered",),
        "What was accepted runs": ("starts run",),
        "Nothing that was accepted is called failed": ("none called failed",),
    },
    "every view": {
        "The list and its filters say what the record says": ("lists agree",),
        "A filter lists nothing else": ("filters match",),
        "The pages neither lose nor double a backtest": ("pages whole",),
        "The worker's own record says the same": ("worker agrees",),
    },
    "nothing to cancel": {
        "It is turned down, plainly": ("turned down",),
        "What was running is left alone": ("running unharmed",),
        "The list is as it was": ("list unchanged",),
        "What had ended is as it was": ("ended unchanged",),
        "The worker takes the next backtest": ("worker takes the next",),
    },
    "with a reason": {"The reason is kept": ("reason kept",)},
    "several at once": {
        "One is acknowledged, and none breaks KTRDR": ("each answered",),
        "Exactly one takes effect": ("one takes effect",),
    },
    "twice": {"The second cancel does no harm": ("second cancel",)},
    "in a row": {
        "The last cancel is as quick as the first": ("latency steady",),
        "The last backtest begins to move as soon as the first": ("start steady",),
        "No place is lost": ("places kept",),
        "Nothing leaks": tuple(figure.name for figure in endurance.FIGURES),
    },
    "restart": {
        "What was restarted is back": ("back",),
        "The backtest is still known": ("known again",),
        "It has ended, or could be cancelled": ("ended", "stays ended", "truly ended"),
    },
}
GROUPS: Sequence[tuple[Kind, Checks]] = (
    *OTHER_WAYS.items(),
    ("criterion", CRITERIA),
    ("sanity check", SANITY_CHECKS),
    ("witness", WITNESSES),
)
_OF_OTHER_WAYS = frozenset(name for checks in OTHER_WAYS.values() for names in checks.values() for name in names)


@dataclass(frozen=True)
class Row:
    """One line of the table: what is checked, how it came out, and what was seen."""

    kind: Kind
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
    return not _OF_OTHER_WAYS.isdisjoint(found)


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


def _row(kind: Kind, check: str, of: Sequence[Judgement]) -> Row:
    verdict: Verdict = "holds"
    if any(judgement.violated for judgement in of):
        verdict = "violated"
    elif any(judgement.unknown for judgement in of):
        verdict = "unknown"
    telling = [judgement for judgement in of if judgement.verdict == verdict]
    return Row(kind, check, verdict, "; ".join(judgement.seen for judgement in telling))
