"""Two verbs for waiting, on one helper. Conditions are judgements of the history, never bare sleeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from ktrdr_qa.record.history import History

LOOK_AGAIN_S = 0.5
"""Without news a condition is looked at again after this long: time passing can settle it as well."""


class Verdict(Protocol):
    """What is waited for: a judgement of the history, as far as waiting needs it."""

    @property
    def holds(self) -> bool: ...
    @property
    def violated(self) -> bool: ...
    @property
    def unknown(self) -> bool: ...
    @property
    def final(self) -> bool: ...


J = TypeVar("J", bound=Verdict)


class Source(Protocol):
    """Where histories come from: the recorder, or a test's script of them."""

    def clock(self) -> float: ...
    def history(self) -> History: ...
    def wait_for_news(self, at_most_s: float) -> None: ...


def eventually(
    source: Source, judge: Callable[[History], J], at_most_s: float, tick: Callable[[History], None] | None = None
) -> J:
    """Wait until the judgement holds; at once give up where it is violated, or will never be known.

    Judges at least once, and once more at the deadline; returns the last judgement.
    """
    return _wait(source, judge, at_most_s, lambda j, _: not j.unknown or j.final, tick)


def throughout(
    source: Source,
    judge: Callable[[History], J],
    window_s: float,
    grace_s: float = 0.0,
    tick: Callable[[History], None] | None = None,
) -> J:
    """Watch for the whole window: the first violation ends it; holding early does not.

    Where the window has passed and readings were lost, up to ``grace_s`` more is waited for enough of them.
    """
    ends_s = source.clock() + window_s
    return _wait(
        source,
        judge,
        window_s + grace_s,
        lambda j, looked_s: j.violated or (j.holds and looked_s >= ends_s),
        tick,
    )


def _wait(
    source: Source,
    judge: Callable[[History], J],
    at_most_s: float,
    settled: Callable[[J, float], bool],
    tick: Callable[[History], None] | None,
) -> J:
    deadline_s = source.clock() + at_most_s
    while True:
        looked_s = source.clock()
        history = source.history()
        judgement = judge(history)
        if settled(judgement, looked_s) or looked_s >= deadline_s:
            return judgement
        if tick:
            tick(history)
        source.wait_for_news(max(0.0, min(LOOK_AGAIN_S, deadline_s - source.clock())))
