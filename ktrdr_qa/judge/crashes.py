"""The platform stays up after the cancel: no crash of it or of the worker, after which nothing is answered any more."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import SAME_MOMENT_S, cancel_due_from
from ktrdr_qa.record.history import History, Sample

DOWN_S, SILENT_S, GIVE_UP_S = 2.0, 5.0, 7.0
"""An outage: nothing but refusals and broken answers for so long, or nothing but silence. One that does not end is
called so after ``GIVE_UP_S``; until then it may still heal, and its length can be told."""
BROKEN = re.compile(r"\bHTTP \d{3}\b(?!: a proxy answers)|invalid JSON")
"""An answer of KTRDR's that is none, in the words of a lost reading. A connection that is refused or cut is the whole
backend's; what a proxy answers for one path is a gap."""
RECORD, NEXT_RECORD = "the backtest's record", "the new backtest's record"
WORKERS, LIST = "the list of workers", "the list of backtests"
WORKER_HEALTH = "its worker's health"


def stays_up(history: History, backtest: str) -> Judgement:
    """The platform survives the cancel: from then on its backend answers, without an outage.

    One lost reading is a gap. An outage is a time in which every reading of the backend was refused or broken for
    ``DOWN_S``, or silent for ``SILENT_S``; one that also happened before the cancel is not its doing. The same goes for
    each thing that is read of it, and its worker's health, by itself, as far as it breaks: what hangs while the rest
    answers may have to load.
    """
    rule = Rule("stays up", "the system is stable: KTRDR goes on answering after the cancel")
    sent = history.event("cancel_sent", backtest)
    if sent is None or cancel_due_from(history, backtest) is None:
        return rule.unknown("no cancel was answered")
    if not history.of("backend", backtest):
        return rule.unknown("its record was never read")
    what, outages = "it", _outages_of_the_backend(history)
    after = [o for o in outages if o.until_s > sent.at_s]
    if not after:
        what, outages = next(_outages_of_a_part(history, backtest, sent.at_s), (what, []))
        after = outages
    if not after:
        return rule.holds("it answered all the time after the cancel")
    first = after[0]
    when = f"{max(0.0, first.from_s - sent.at_s):.1f} s after the cancel was sent"
    if first.over:
        seen = f"{what} did not answer for {first.lasted_s:.1f} s, from {when}: {first.words}"
    else:
        seen = f"{what} has not answered any more since {when} ({first.lasted_s:.1f} s now): {first.words}"
    if first.from_s < sent.at_s - SAME_MOMENT_S or len(after) < len(outages):
        return rule.unknown(f"{seen}; but it did not answer before the cancel either")
    if what == "it" and not first.over and first.lasted_s < GIVE_UP_S:
        return rule.unknown(f"{seen}; it may come back")
    return rule.violated(seen, first.from_s)


def may_be_breaking(history: History, backtest: str) -> bool:
    """Whether something that the backend had answered did not when it was last read: the next reading tells if it broke."""
    last = [readings[-1] for _, readings in _parts(history, backtest) if not all(s.problem for s in readings)]
    return any(s.problem and not s.facts.get("rate_limited") for s in last)


def who_is_gone(history: History, backtest: str, worker: str) -> str:
    """That KTRDR, or the worker of the backtest, does not answer of late, or nothing. For giving up before the cancel."""
    silent = next((o for o in _outages_of_the_backend(history) if not o.over), None)
    if silent and answers_at_all(history):
        return f"KTRDR itself has given no answer that can be used for {silent.lasted_s:.1f} s: {silent.words}"
    if silent:
        return f"KTRDR itself is gone: it has not answered for {silent.lasted_s:.1f} s: {silent.words}"
    readings = [s for s in history.samples if s.view == "health" and s.subject == worker]
    answered_s = max((s.answered_s for s in readings if not s.facts.get("refused")), default=0.0)
    refused = [s for s in readings if s.facts.get("refused") and s.asked_s >= answered_s]
    if len(refused) >= 3 and (gone_s := refused[-1].answered_s - refused[0].asked_s) >= DOWN_S:
        return f"the worker {worker} is gone: it refuses connections for {gone_s:.1f} s now"
    return ""


def answers_at_all(history: History) -> bool:
    """Whether the last that was heard of the backend was an answer, even one of no use."""
    last = next((s for s in reversed(history.samples) if s.view in ("backend", "registry")), None)
    return last is not None and (not last.problem or bool(last.facts.get("answered")))


def who_answers(history: History) -> Iterator[tuple[str, list[Sample]]]:
    """KTRDR itself and each worker that was asked, with the readings that tell whether it is there.

    Of a worker what is silent is left out: it may have to compute.
    """
    yield "KTRDR itself", _of_the_backend(history)
    of_workers: dict[str, list[Sample]] = {}
    for s in history.samples:
        if s.view == "health" and (not s.problem or s.facts.get("refused") or BROKEN.search(s.problem)):
            of_workers.setdefault(s.subject, []).append(s)
    yield from ((f"the worker {worker}", readings) for worker, readings in of_workers.items())


@dataclass(frozen=True)
class Outage:
    """A time without an answer, and what the last reading in it said; not ``over`` where the history ends with it."""

    from_s: float
    until_s: float
    words: str
    over: bool

    @property
    def lasted_s(self) -> float:
        return self.until_s - self.from_s


def _of_the_backend(history: History) -> list[Sample]:
    return [s for s in history.samples if s.view in ("backend", "registry")]


def _outages_of_the_backend(history: History) -> list[Outage]:
    return list(outages_in(history, _of_the_backend(history)))


def _outages_of_a_part(history: History, backtest: str, sent_s: float) -> Iterator[tuple[str, list[Outage]]]:
    """What of the backend answered until the cancel was sent, and then was broken by itself, and its outages."""
    for what, readings in _parts(history, backtest):
        outages = list(outages_in(history, readings))
        if not outages or outages[0].from_s < sent_s - SAME_MOMENT_S:
            continue
        # What never answered was never there: an older KTRDR has no list. An accepted backtest has a record.
        if what == NEXT_RECORD or any(not s.problem and s.answered_s <= outages[0].from_s for s in readings):
            yield what, outages


def _parts(history: History, backtest: str) -> Iterator[tuple[str, list[Sample]]]:
    told = [s for s in history.samples if not s.problem or BROKEN.search(s.problem)]
    following = str(history.about.get("next_backtest"))
    yield RECORD, [s for s in told if s.view == "backend" and s.subject == backtest]
    yield NEXT_RECORD, [s for s in told if s.view == "backend" and s.subject == following]
    yield WORKERS, [s for s in told if s.view == "registry"]
    yield LIST, [s for s in told if s.view == "list"]
    worker = str(history.about.get("worker"))
    yield WORKER_HEALTH, [s for s in told if s.view == "health" and s.subject == worker]


def outages_in(history: History, readings: Iterable[Sample]) -> Iterable[Outage]:
    """Each time in which none of these readings could be had; see ``stays_up``. A 429 is an answer."""
    lost: list[Sample] = []
    answered_s = -math.inf

    def outage(until_s: float, *, over: bool) -> Iterable[Outage]:
        if len(lost) < 2:
            return
        # A request that hangs may have been sent long before: while it did, another was answered.
        from_s = max(answered_s, min(s.asked_s for s in lost))
        broken = sum(1 for s in lost if s.facts.get("refused") or "no answer within" not in (s.problem or ""))
        if lost[-1].answered_s - from_s >= (DOWN_S if broken >= 2 else SILENT_S):
            yield Outage(from_s, until_s, lost[-1].problem or "", over)

    for s in readings:
        if not s.problem or s.facts.get("rate_limited"):
            yield from outage(max(s.asked_s, lost[-1].answered_s) if lost else 0.0, over=True)
            lost, answered_s = [], s.answered_s
        else:
            lost.append(s)
    yield from outage(history.until_s, over=False)
