"""Hand-made histories, in as few words as they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ktrdr_qa.judge.judgement import Judgement, Verdict
from ktrdr_qa.record.history import Event, History, Sample, View, ordered

B = "op_1"
"""The backtest that is cancelled."""
NEXT = "op_2"
"""The one that is started after it."""
OTHER = "op_9"
"""Somebody else's."""
W = "worker_1"

Part = Sample | Event | Sequence["Part"]


def saw(
    at_s: float,
    status: str,
    percentage: float | None = None,
    *,
    of: str = B,
    view: View = "backend",
    took_s: float = 0.0,
    **facts: Any,
) -> Sample:
    """A reading asked at ``at_s`` and answered ``took_s`` later."""
    return Sample(view, of, at_s, at_s + took_s, status, percentage, facts=facts)


def lost(
    at_s: float,
    problem: str = "no answer within 5.0 s",
    *,
    of: str = B,
    view: View = "backend",
    took_s: float = 0.0,
    **facts: Any,
) -> Sample:
    return Sample(view, of, at_s, at_s + took_s, problem=problem, facts=facts)


def used(at_s: float, cpu_s: float, worker: str = W) -> Sample:
    """A reading of the processor time that a worker's process has used so far."""
    return Sample("processor", worker, at_s, at_s, cpu_s=cpu_s)


def health(at_s: float, operation: str | None, worker: str = W, **facts: Any) -> Sample:
    status = "busy" if operation else "idle"
    return Sample("health", worker, at_s, at_s, status, facts={"current_operation": operation, **facts})


def registry(at_s: float, operation: str | None, status: str = "", worker: str = W) -> Sample:
    status = status or ("busy" if operation else "available")
    return Sample("registry", worker, at_s, at_s, status, facts={"current_operation": operation})


def did(kind: str, at_s: float, of: str = B, **facts: Any) -> Event:
    return Event(kind, at_s, of, facts)


def started(at_s: float = 0.0) -> tuple[Event, Event]:
    return did("start_sent", at_s - 0.1), did("start_answered", at_s)


def cancelled(at_s: float = 10.0, took_s: float = 0.1, of: str = B, **facts: Any) -> tuple[Event, Event]:
    """A cancel that was sent and acknowledged in full, but for the facts that are given."""
    said = {"http": 200, "success": True, "status": "cancelled", "operation_id": of, "remote_cancelled": True}
    return did("cancel_sent", at_s, of), did("cancel_answered", at_s + took_s, of, took_s=took_s, **{**said, **facts})


def nearing_its_end(left_s: float, cancel_s: float = 10.0) -> tuple[Sample, Sample]:
    """Two rises of ten percent a second, after which so much is left to run when it is cancelled."""
    last = 100.0 - 10.0 * (left_s + 1.0)
    return saw(cancel_s - 2.0, "running", last - 10.0), saw(cancel_s - 1.0, "running", last)


def film(*parts: Part, until_s: float | None = None, **about: Any) -> History:
    """A history of parts in any order; it ends with the last of them unless told otherwise."""
    flat = list(_flat(parts))
    samples = [p for p in flat if isinstance(p, Sample)]
    events = [p for p in flat if isinstance(p, Event)]
    last_s = max([s.answered_s for s in samples] + [e.at_s for e in events], default=0.0)
    return ordered(samples, events, last_s if until_s is None else until_s, about)


def plus(history: History, *parts: Part, until_s: float | None = None) -> History:
    return film(history.samples, history.events, *parts, until_s=until_s, **history.about)


def without(history: History, view: View, of: str | None = None) -> History:
    """The same history without one view."""
    kept = [s for s in history.samples if s.view != view or (of is not None and s.subject != of)]
    return film(kept, history.events, until_s=history.until_s, **history.about)


def _flat(parts: Iterable[Part]) -> Iterable[Sample | Event]:
    for part in parts:
        if isinstance(part, Sample | Event):
            yield part
        else:
            yield from _flat(part)


ENDED: dict[str, Any] = {"started_at": "2026-11-22T18:52:36Z", "completed_at": "2026-11-22T18:52:44Z"}
"""What the record of an ended backtest says of its times."""


def healthy(cancel_s: float = 10.0, retained: bool = False) -> History:
    """A run in which everything is right: cancelled after four updates, then 4 s and a next backtest are watched.

    ``retained``: the percentage keeps its last value instead of falling to 0.
    """
    run = [saw(0.2 + 0.2 * n, "running", _height(0.2 + 0.2 * n), worker=W) for n in range(int(cancel_s / 0.2) - 1)]
    left = _height(cancel_s) if retained else 0.0
    end = [saw(cancel_s + 0.15 + 0.2 * n, "cancelled", left, **ENDED, worker=W) for n in range(25)]
    busy_s = cancel_s + 0.1
    processor = [used(-1.0 + 0.25 * n, 5.0 + 0.005 * n) for n in range(4)]
    processor += [used(0.5 + 0.9 * n, 5.1 + 0.9 * 0.8 * n) for n in range(int((cancel_s - 0.5) / 0.9) + 1)]
    last = processor[-1].cpu_s or 0.0
    processor += [used(busy_s + 0.05 + 0.9 * n, last + 0.1 + 0.009 * n) for n in range(6)]
    return film(
        started(),
        cancelled(cancel_s),
        run,
        end,
        processor,
        [health(0.5 + 0.9 * n, B) for n in range(int((cancel_s - 0.5) / 0.9) + 1)],
        [health(busy_s + 0.05 + 0.9 * n, None) for n in range(6)],
        [registry(0.5 + 0.9 * n, B) for n in range(int((cancel_s - 0.5) / 0.9) + 1)],
        [registry(busy_s + 0.05, B), *(registry(busy_s + 0.95 + 0.9 * n, None) for n in range(5))],
        [saw(busy_s + 0.05 + 0.9 * n, "cancelled", left, view="worker") for n in range(6)],
        [saw(cancel_s - 0.1, "running", 4.0, view="list"), saw(cancel_s - 0.1, "running", 4.0, of=OTHER, view="list")],
        [
            saw(cancel_s + 4.0, "cancelled", left, view="list"),
            saw(cancel_s + 4.0, "running", 9.0, of=OTHER, view="list"),
        ],
        did("next_sent", cancel_s + 0.3, ""),
        did("next_accepted", cancel_s + 0.4, NEXT, took_s=0.1),
        saw(cancel_s + 0.5, "running", 0.0, of=NEXT),
        saw(cancel_s + 1.0, "running", 3.0, of=NEXT),
        saw(cancel_s + 2.0, "running", 7.0, of=NEXT),
        did("clean_up", cancel_s + 5.0, NEXT),
        backtest=B,
        next_backtest=NEXT,
        worker=W,
        candidate="EURUSD 1h, 2015-01-01 to 2025-12-31",
    )


def _height(at_s: float) -> float:
    """Percent of the healthy run at a time: 0 for its first 3 s, then a rise of 1.5 every 1.03 s."""
    return max(0.0, 1.5 * int((at_s - 3.0) / 1.03 + 1)) if at_s >= 3.0 else 0.0


@dataclass(frozen=True)
class Case:
    """One history and the whole judgement that it must get."""

    claim: str
    history: History
    verdict: Verdict
    seen: str
    at_s: float | None = None
    observations: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    final: bool = False
    heard: bool = False

    def check(self, judgement: Judgement, name: str, expected: str) -> None:
        assert (judgement.verdict, judgement.seen) == (self.verdict, self.seen)
        assert (judgement.name, judgement.expected) == (name, expected)
        assert judgement.at_s == (self.at_s if self.at_s is None else pytest.approx(self.at_s))
        assert judgement.observations == self.observations
        assert dict(judgement.figures) == pytest.approx(dict(self.figures))
        assert (judgement.final, judgement.heard) == (self.final, self.heard)


def cases(*of: Case) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", of, ids=lambda case: case.claim)
