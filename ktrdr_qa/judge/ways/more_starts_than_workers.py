"""More starts than places: each is refused in plain words or runs, and none is called failed while a worker runs it.

Sources: RFC 9110, 15.5 and 15.6.4 (a refusal is a 4xx, or a 503 for want of room; its body says why); Microsoft's
guidelines on long-running operations (what was accepted is carried out, and its status is what it really is); KTRDR's
contract: a start without a free worker is a 503 with ``detail.error``; surprise 12: ten starts at once were all accepted
by two workers, and eight called failed after 75 s though they ran on and completed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.others import same_work
from ktrdr_qa.judge.pace import BRIEF_S, is_too_soon, pace_of
from ktrdr_qa.judge.reading import (
    COVERED_GAP_S,
    before_cancel,
    gone_from,
    height_of,
    longest_step_s,
    may_still_move_s,
    rises_in,
    state_of,
    until_we_end_it,
)
from ktrdr_qa.judge.ways.way import Found, Way, sentences
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import Event, History, Sample
from ktrdr_qa.words import moment_of


def accepted_in(history: History) -> list[Event]:
    """The further starts that were accepted; of each the id, and when."""
    return [e for e in history.events if e.kind == "further_accepted"]


def further_starts(history: History) -> int:
    """How many further starts were answered, in whatever way."""
    return sum(e.kind in ("further_accepted", "further_refused") for e in history.events)


def judgements(history: History, limits: Mapping[str, float]) -> list[Judgement]:
    """The rules of an oversubscribed platform, where there were more starts than places."""
    if not any(e.kind == "oversubscribed" for e in history.events):
        return []
    return [each_is_answered(history), each_runs(history, limits["new_backtest_s"]), none_called_failed(history)]


def _begun(history: History) -> Event:
    """What was known when the starts were sent: of how many workers, and how many ``places`` of them were not others'."""
    return next(e for e in history.events if e.kind == "oversubscribed")


def each_is_answered(history: History) -> Judgement:
    """Every start is accepted under an id of its own, or refused by a 4xx or 503 that says why."""
    rule = Rule("starts answered", "each start is accepted under an id of its own, or refused in plain words")
    refused = [e for e in history.events if e.kind == "further_refused"]
    given = [history.backtest]
    for e in accepted_in(history):
        if e.subject in given:
            return rule.violated(f"two starts were given the same id: {e.subject}", e.at_s)
        given.append(e.subject)
    lost = [e for e in refused if e.facts.get("http") in (None, 429)]
    for e in refused:
        http, words = int(e.facts.get("http") or 429), e.facts.get("words")
        if http == 429:
            continue
        if not (400 <= http < 500 or http == 503):
            return rule.violated(f"a start was answered {words}", e.at_s)
        if not e.facts.get("says"):
            return rule.violated(f"a start was refused with HTTP {http}, and no word says why: {words}", e.at_s)
    accepted, sent = len(given) - 1, len(given) - 1 + len(refused)
    if lost:
        words = lost[0].facts.get("words")
        return rule.unknown(f"{len(lost)} of {sent} starts had no answer of their own: {words}")
    if left := _left_by_a_refused_one(history, refused):
        return rule.violated(left[1], left[0].answered_s)
    were = "was" if accepted == 1 else "were"
    workers = _begun(history).facts.get("workers")
    told = (f"{accepted} of {sent} further starts {were} accepted by {workers} workers.",)
    words = f" and {len(refused)} refused, {refused[0].facts.get('says')!r}" if refused else ""
    return rule.holds(f"{accepted} {were} accepted{words}", told)


def _left_by_a_refused_one(history: History, refused: Sequence[Event]) -> tuple[Sample, str] | None:
    """The reading of an active record that a refused start has left behind, with the words for it.

    It is of the same work, nobody's that is known, and by KTRDR's own times younger than the one that ran already.
    """
    until_s = max((e.at_s for e in refused), default=math.inf) + COVERED_GAP_S
    known = {e.subject for e in history.events}
    created = moment_of(_created(history.of("backend", history.backtest)))
    others = [other for other in history.subjects("other") if other not in known]
    for other in others:
        told = history.of("other", other)
        made = moment_of(_created(told))
        if not (created and made and made > created) or same_work(history.about.get("payload"), told[-1]) is False:
            continue
        for s in (*told, *history.of("list", other)):
            if s.asked_s >= until_s and not s.terminal and s.status != MISSING:
                later_s = s.asked_s - until_s + COVERED_GAP_S
                return s, f"a start was refused, and left a record: {other} is {state_of(s)} {later_s:.1f} s later"
    return None


def _created(readings: Sequence[Sample]) -> Any:
    return next((s.facts["created_at"] for s in readings if s.facts.get("created_at")), None)


def each_runs(history: History, limit_s: float) -> Judgement:
    """What was accepted moves within the limit and goes on, or waits while every place has another of this run's.

    Where it had to wait the limit counts from then on. Where several share a place each may take so many times as long.
    One that was never seen to run is not completed long before it can be, by the pace of the first, which is the same work.
    That it fails is for ``none_called_failed``.
    """
    rule = Rule("starts run", f"each start that was accepted runs within {limit_s:.1f} s")
    accepted = accepted_in(history)
    waiting = 0
    for e in accepted:
        readings = until_we_end_it(history, e.subject)
        rises = rises_in(readings)
        moved = next((at for at, s in enumerate(readings) if s.terminal or s in rises[1:]), None)
        before = readings[:moved]
        queued = [s for s in before if _is_queued(history, s)]
        since_s = max([e.at_s, *(s.answered_s for s in queued)])
        late = next(
            (s for s in before if _is_late(history, s, since_s, limit_s + may_still_move_s(rises, s, since_s))), None
        )
        if late:
            gone = "KTRDR has no record of it" if late.status == MISSING else f"it was {state_of(late)}"
            after = "after a place was free" if queued else "later"
            seen = f"{e.subject} was accepted, and {late.asked_s - since_s:.1f} s {after} {gone}"
            return rule.violated(seen, late.asked_s)
        if moved is not None and readings[moved].status == "completed" and not rises_in(before):
            judgement = _can_be_done(history, rule, e, readings[moved])
            if not judgement.holds:
                return judgement
        if moved is not None and (stopped := _stopped(history, readings[moved:], limit_s)):
            return rule.violated(f"{e.subject} {stopped[1]}", stopped[0].asked_s)
        if moved is None:
            if not (queued and queued[-1] is before[-1]):
                return rule.unknown(f"{e.subject} was not seen to move yet")
            waiting += 1
    told = (f"{waiting} of the accepted backtests waited for a place to the end.",) if waiting else ()
    return rule.holds(f"{len(accepted) - waiting} of {len(accepted)} moved", told)


def _can_be_done(history: History, rule: Rule, accepted: Event, done: Sample) -> Judgement:
    """Whether one that was not seen to run may be completed already, by the pace of the first until its cancel."""
    first = before_cancel(history, history.backtest)
    passed_s = done.answered_s - accepted.at_s
    seen = f'{accepted.subject} was "completed" {passed_s:.1f} s after its start, and was not seen to run'
    usual = pace_of(first, COVERED_GAP_S, BRIEF_S)
    if usual is None and first and not first[-1].terminal:
        return rule.unknown(f"{seen}; the pace of the first, the same work, is not known yet")
    if usual is None or not is_too_soon(100.0, passed_s + COVERED_GAP_S, usual):
        return rule.holds(seen)
    whole = f"the first, the same work, takes {100.0 / usual:.0f} s by its own pace"
    return rule.violated(f"{seen}: {whole}", done.answered_s)


def _is_late(history: History, s: Sample, since_s: float, limit_s: float) -> bool:
    """Whether a reading comes later than the limit, which is so many times as long as backtests share a place then."""
    return s.asked_s > since_s + limit_s and s.asked_s > since_s + limit_s * _sharing(history, s)


def longest_s(history: History, limit_s: float) -> float:
    """So long it may take until each moves, where all that were accepted share the places."""
    return limit_s * max(1.0, (len(accepted_in(history)) + 1) / int(_begun(history).facts["places"]))


def _sharing(history: History, s: Sample) -> float:
    """How many backtests of this run there are to a place at a reading of one that runs; 1 at the least."""
    if s.status != "running":
        return 1.0
    return max(1.0, (_others_running(history, s) + 1) / int(_begun(history).facts["places"]))


def _stopped(history: History, readings: Sequence[Sample], limit_s: float) -> tuple[Sample, str] | None:
    """The reading of one that had moved which shows that it does not any more, and the words for it."""
    last = readings[0]
    longest_s = longest_step_s(readings)
    for at, s in enumerate(readings):
        if s.status == MISSING and (gone := gone_from(readings[at:])):
            return gone, f"ran, and KTRDR has no record of it {gone.asked_s - last.answered_s:.1f} s later (HTTP 404)"
        if s.terminal or height_of(s) > height_of(last):
            last = s
        elif not last.terminal and _is_late(history, s, last.answered_s, max(limit_s, 3 * longest_s)):
            return s, f"ran, and stood still for {s.asked_s - last.answered_s:.1f} s: it was {state_of(s)}"
    return None


def _is_queued(history: History, s: Sample) -> bool:
    """Whether a backtest that is pending had no place to run: as many others of this run were running as there are places."""
    if s.status != "pending":
        return False
    return _others_running(history, s) >= int(_begun(history).facts["places"])


def _others_running(history: History, s: Sample) -> int:
    """How many others of this run were running at a reading of one of them."""
    running = 0
    for other in {history.backtest, *(e.subject for e in accepted_in(history))} - {s.subject}:
        before = [r for r in history.of("backend", other) if r.answered_s <= s.asked_s]
        running += bool(before) and before[-1].status == "running"
    return running


def none_called_failed(history: History) -> Judgement:
    """No accepted backtest is called failed, or cancelled before this run ends it.

    Where the worker of one that failed can be asked, it says whether it runs all the same.
    """
    rule = Rule(
        "none called failed",
        "no backtest that was accepted is called failed or cancelled, least of all while a worker runs it",
    )
    if evicted := _evicted(history):
        return rule.violated(*evicted)
    accepted = accepted_in(history)
    ended = {e.subject: next((s for s in until_we_end_it(history, e.subject) if s.terminal), None) for e in accepted}
    broken = [(s, e) for e in accepted if (s := ended[e.subject]) and s.status != "completed"]
    if broken:
        # The one that its worker runs all the same says the most.
        alive = {e.subject: own for s, e in broken if (own := _runs_all_the_same(history, s))}
        s, e = next((one for one in broken if one[1].subject in alive), broken[0])
        words = s.facts.get("error_message") or "no reason given"
        called = f"{'was' if len(broken) == 1 else 'were'} called {s.status}"
        seen = f"{len(broken)} of {len(accepted)} {called}; {e.subject} {s.answered_s - e.at_s:.1f} s after its start ({words})"
        after = f", and then its worker had it {state_of(alive[e.subject])}" if alive else ""
        return rule.violated(seen + after, s.answered_s)
    watched_s = history.until_s - min((e.at_s for e in accepted), default=history.until_s)
    done = sum(bool(end) for end in ended.values())
    return rule.holds(f"none of {len(accepted)} failed in {watched_s:.0f} s; {done} have ended")


def _runs_all_the_same(history: History, failed: Sample) -> Sample | None:
    """The last word of a worker on a backtest that had been called failed, where that is that it runs or has completed."""
    own = next((w for w in reversed(history.of("worker", failed.subject)) if w.asked_s >= failed.asked_s), None)
    return own if own and own.status in ("running", "completed") else None


def _evicted(history: History) -> tuple[str, float] | None:
    """Where the one that ran already was ended by the further starts, before this run asked for it: what was seen, and when."""
    first, begun = history.backtest, history.event("oversubscribed", "")
    sent = history.event("cancel_sent", first)
    for s in until_we_end_it(history, first):
        ran_into = begun and s.asked_s >= begun.at_s and (sent is None or s.answered_s <= sent.at_s)
        if begun and ran_into and s.status in ("failed", "cancelled"):
            words = s.facts.get("error_message") or "no reason given"
            seen = (
                f"{first} ran, and was {s.status} {s.answered_s - begun.at_s:.1f} s after the further starts ({words})"
            )
            return seen, s.answered_s
    return None


def in_words(history: History, found: Found) -> Iterator[str]:
    if begun := history.event("oversubscribed", ""):
        further = further_starts(history)
        yield f"{further} more were started at the same moment, on {begun.facts.get('workers')} workers."
        yield from sentences(found, "starts answered", "none called failed")


WAY = Way(
    "too many starts",
    {
        "Each start is accepted, or refused in plain words": ("starts answered",),
        "What was accepted runs": ("starts run",),
        "Nothing that was accepted is called failed": ("none called failed",),
    },
    judgements,
    in_words,
)
