"""What every way has: its rules, the rows of the table that they make, and its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.record.history import History

Found = Mapping[str, Judgement]
"""Judgements by their names."""
Checks = Mapping[str, Sequence[str]]
"""What is checked, in words of the business, and the judgements that it takes, by their names."""


@dataclass(frozen=True)
class Way:
    """``judgements`` and ``in_words`` have nothing to say of a recording in which this way was not tried."""

    kind: str
    """What the table calls it."""
    checks: Checks
    judgements: Callable[[History, Mapping[str, float]], Iterable[Judgement]]
    in_words: Callable[[History, Found], Iterable[str]] = lambda history, found: ()


def seen_in(found: Found, name: str) -> str:
    """What a judgement that holds has seen; what is violated is told as that, and what is unknown not at all."""
    return found[name].seen if name in found and found[name].holds else ""


def sentences(found: Found, *names: str) -> Iterator[str]:
    """What some judgements have seen, a sentence each."""
    for name in names:
        if seen := seen_in(found, name):
            yield f"{seen[:1].upper()}{seen[1:]}."


def data_of(history: History) -> str:
    """Which backtest was used, for a sentence."""
    return str(history.about.get("candidate", "unknown data"))
