"""A restart in mid-run or in mid-cancel: what was running ends, says so, and nothing is called running for ever.

After the restart of its worker a measured KTRDR goes on calling a backtest running, at a standstill, until it is
cancelled; after its own it calls the backtest failed 72 s later (contract, surprises 13 and 22). Either is accepted: a
user can clear it. What is not: that it is forgotten, cannot be cancelled, comes back, or is called completed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import takewhile

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import COVERED_GAP_S, counted, gone_from, rises_in, state_of
from ktrdr_qa.judge.ways.way import Found, Way, seen_in
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import Event, History, Sample, View


def judgements(history: History, limits: Mapping[str, float]) -> list[Judgement]:
    """The judgements of a restart; none where nothing was restarted."""
    restarted = next((e for e in history.events if e.kind == "restarted"), None)
    if restarted is None:
        return []
    return [
        is_back(history, restarted, limits["back_s"]),
        is_known_again(history, restarted, limits["known_again_s"]),
        has_ended(history, restarted, limits["cancelled_s"]),
        stays_ended(history, restarted, limits["cancelled_s"]),
        truly_ended(history, restarted),
    ]


def until_restart(history: History) -> History:
    """What was recorded before a service was restarted, all of it where none was: the run-up is judged by that."""
    begun = next((e for e in history.events if e.kind == "restart_begun"), None)
    if begun is None:
        return history
    samples = tuple(s for s in history.samples if s.answered_s <= begun.at_s)
    return History(samples, tuple(e for e in history.events if e.at_s <= begun.at_s), begun.at_s, history.about)


def _of_worker(restarted: Event) -> bool:
    return bool(restarted.facts["service"] == "worker")


def _who(restarted: Event) -> str:
    return f"the worker {restarted.facts['worker']}" if _of_worker(restarted) else "the backend"


def is_back(history: History, restarted: Event, limit_s: float) -> Judgement:
    """A service that was restarted answers again; of a worker also that KTRDR lists it."""
    rule = Rule("back", f"{_who(restarted)} is back within {limit_s:.0f} s of its restart")
    since_s, backs = restarted.at_s, []
    for way in _ways_of_asking(history, restarted):
        silent = list(takewhile(_is_away, way))
        late = [s for s in silent if s.asked_s > since_s + limit_s]
        if late:
            why = late[-1].problem or "it is not registered"
            return rule.violated(f"{late[-1].asked_s - since_s:.1f} s later: {why}", late[0].asked_s)
        backs.append(way[len(silent)].answered_s - since_s if len(silent) < len(way) else None)
    if not backs or None in backs:
        return rule.unknown("it has not answered yet")
    took_s = max(back_s or 0.0 for back_s in backs)
    return rule.holds(f"it answered {took_s:.2f} s after it was restarted", figures={"back_s": took_s})


def _is_away(s: Sample) -> bool:
    """Whether a reading tells that a service is not there; of the backend a missing record is an answer."""
    return bool(s.problem) or (s.view == "registry" and s.status == MISSING)


def _ways_of_asking(history: History, restarted: Event) -> list[list[Sample]]:
    """The readings since the restart that tell whether the service is back, lost ones too; of a worker those made of it."""
    views: tuple[View, ...] = ("health", "registry") if _of_worker(restarted) else ("backend",)
    of = restarted.facts["worker"] if _of_worker(restarted) else restarted.subject
    since = [s for s in history.samples if s.asked_s >= restarted.at_s]
    return [
        [s for s in since if s.view == view and (s.subject == of or (s.problem and view == "registry"))]
        for view in views
        if history.of(view, of)
    ]


def is_known_again(history: History, restarted: Event, limit_s: float) -> Judgement:
    """A backtest that was running has a record after a restart: KTRDR keeps them in a database for that.

    RFC 9110 has a 404 say that there is none; whoever started it could then neither follow nor cancel it.
    """
    rule = Rule("known again", f"the backtest has a record within {limit_s:.0f} s of the restart of {_who(restarted)}")
    after = _after(history, restarted)
    known = next((s for s in after if s.status != MISSING), None)
    late = [s for s in after if s.status == MISSING and s.asked_s > restarted.at_s + limit_s]
    if late and (known is None or late[0].answered_s < known.answered_s):
        seen = (
            f"KTRDR has no record of it (HTTP 404) {late[-1].asked_s - restarted.at_s:.1f} s later ({counted(after)})"
        )
        return rule.violated(seen, late[0].asked_s)
    if known is None:
        return rule.unknown("it could not be read yet")
    gone = list(takewhile(lambda s: s.status == MISSING, reversed(after)))[::-1]
    if gone and gone_from(gone):
        return rule.violated(f"its record was there, and is gone again (HTTP 404, {counted(gone)})", gone[0].asked_s)
    return rule.holds(f"it was {state_of(known)} {known.answered_s - restarted.at_s:.2f} s later")


def has_ended(history: History, restarted: Event, limit_s: float) -> Judgement:
    """What a restart interrupted has ended: by itself, or at the latest when it was cancelled (again) after the restart.

    AIP-151 has a cancelled operation end, whatever became of those who worked on it. Whether the worker heard of it
    (``remote_cancelled``) does not matter here: it has forgotten the backtest.
    """
    rule = Rule(
        "ended",
        f"the backtest has ended, at the latest {limit_s:.1f} s after its cancel, although {_who(restarted)} was restarted",
    )
    after = _after(history, restarted)
    asked = history.last_event("orphan_cancelled", restarted.subject)
    end = next((s for s in after if s.terminal), None)
    answer = f"; its cancel was answered {asked.facts.get('words') or asked.facts.get('http')}" if asked else ""
    if end and (asked is None or end.asked_s <= asked.at_s + limit_s):
        by = "by a cancel that was sent after it" if asked else "by itself"
        return rule.holds(f"it was {state_of(end)} {end.answered_s - restarted.at_s:.1f} s after the restart, {by}")
    late = [s for s in after if asked and s.asked_s > asked.at_s + limit_s and not s.terminal and s.status != MISSING]
    if asked and late:
        return rule.violated(
            f"it is still {state_of(late[-1])} {late[-1].asked_s - asked.at_s:.1f} s later{answer}", late[0].asked_s
        )
    return rule.unknown(f"it has not ended yet{answer}")


def stays_ended(history: History, restarted: Event, limit_s: float) -> Judgement:
    """An end is final (KTRDR's terminal states), and so is a cancel that was acknowledged: no restart undoes it.

    A cancel to which the answer was HTTP 200 promises what RFC 9110 has a 200 promise: it was carried out.
    """
    rule = Rule("stays ended", "a backtest that has ended does not come back to life, not even by a restart")
    readings = [s for s in history.of("backend", restarted.subject) if s.status != MISSING]
    cancel = history.event("cancel_interrupted", restarted.subject)
    if cancel and cancel.facts.get("http") == 200:
        due_s = max(cancel.at_s, restarted.at_s) + limit_s
        if on := next((s for s in readings if not s.terminal and s.asked_s > due_s), None):
            seen = f"its cancel was acknowledged with HTTP 200, and after the restart it is {state_of(on)}"
            return rule.violated(seen, on.asked_s)
    end = next((s for s in readings if s.terminal), None)
    if end is None:
        return rule.unknown("it has not ended yet")
    # A replica that lags may show once more what was; a restart may bring back the past for good.
    if back := next((s for s in readings if s.asked_s > end.answered_s + COVERED_GAP_S and not s.terminal), None):
        when = "after the restart" if back.asked_s > restarted.at_s else "before the restart"
        return rule.violated(f"it was {state_of(end)}, and {when} {state_of(back)} again", back.asked_s)
    if readings[-1].asked_s <= end.answered_s + COVERED_GAP_S:
        return rule.unknown(f'it was "{end.status}", and was not read for {COVERED_GAP_S:g} s after that')
    return rule.holds(f'it stayed "{end.status}"')


def truly_ended(history: History, restarted: Event) -> Judgement:
    """A backtest whose worker was killed is not called completed: nobody computed it to its end.

    Unless it was seen to go on after that: a KTRDR that keeps checkpoints may resume it.
    """
    rule = Rule("truly ended", "a backtest whose worker was restarted is not called completed")
    after = _after(history, restarted)
    end = next((s for s in after if s.terminal), None)
    if end is None:
        return rule.unknown("it has not ended yet")
    before = until_restart(history).of("backend", restarted.subject)
    went_on = len(rises_in(after)) > 1
    if _of_worker(restarted) and end.status == "completed" and before and not went_on:
        return rule.violated(
            f"it was {state_of(before[-1])} when its worker was killed, and then {state_of(end)}", end.answered_s
        )
    return rule.holds(f'it was called "{end.status}"')


def _after(history: History, restarted: Event) -> list[Sample]:
    """The backend's readings of the backtest since the restart."""
    return [s for s in history.of("backend", restarted.subject) if s.asked_s >= restarted.at_s]


def in_words(history: History, found: Found) -> Iterator[str]:
    begun = next((e for e in history.events if e.kind == "restart_begun"), None)
    if begun is None:
        return
    who = f"The worker {begun.facts.get('worker')}" if begun.facts.get("service") == "worker" else "KTRDR's backend"
    when = (
        "while the backtest was being cancelled" if history.event("cancel_interrupted", begun.subject) else "in mid-run"
    )
    back = seen_in(found, "back")
    yield f"{who} was restarted {when}{f'; {back}' if back else ''}."
    if seen := seen_in(found, "ended"):
        yield f"The backtest: {seen}."


WAY = Way(
    "restart",
    {
        "What was restarted is back": ("back",),
        "The backtest is still known": ("known again",),
        "It has ended, or could be cancelled": ("ended", "stays ended", "truly ended"),
    },
    judgements,
    in_words,
)
