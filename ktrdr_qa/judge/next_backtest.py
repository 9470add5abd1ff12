"""The next backtest: it is accepted at once, and really runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import dropwhile, pairwise, takewhile
from typing import Any

from ktrdr_qa.judge.afterwards import CLOCK_SLACK_S, RECORD_SETTLES_S
from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.others import twin_of
from ktrdr_qa.judge.reading import (
    COVERED_GAP_S,
    before_cancel,
    counted,
    gone_from,
    height_of,
    is_named,
    is_near,
    is_within,
    longest_step_s,
    may_still_move_s,
    missing_at_first,
    not_known_yet,
    percent_of,
    rises_in,
    state_of,
    until_we_end_it,
    unwatched,
)
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.words import moment_of, percent


def next_is_accepted(history: History, cancelled: str, limit_s: float = 5.0) -> Judgement:
    """The seed's "New backtest starts without issues": accepted in answer to one request, under a new id, in time."""
    rule = Rule("next accepted", f"a new backtest is accepted at once, within {limit_s:.1f} s")
    answers = [e for e in history.events if e.kind in ("next_accepted", "next_refused")]
    if not answers:
        return rule.unknown("no new backtest was asked for")
    for e in answers:
        if e.kind == "next_refused":
            words = str(e.facts.get("words", "refused"))
            # A limit of requests, or a place that something else of this run holds, says nothing about the cancel.
            excused = e.facts.get("http") == 429 or e.facts.get("held_before")
            return rule.unknown(words) if excused else rule.violated(words, e.at_s)
        if e.subject == cancelled:
            return rule.violated(f"it was given the id of the cancelled one: {cancelled}", e.at_s)
        took_s = float(e.facts.get("took_s", 0.0))
        seen = f"accepted after {took_s:.2f} s"
        if took_s > limit_s:
            return rule.violated(seen, e.at_s)
    return rule.holds(seen, figures={"next_accepted_s": took_s})


def next_runs(history: History, backtest: str, limit_s: float) -> Judgement:
    """It really runs: it moves (two rises, like the one before it) or completes, and has not failed by the end.

    ``success: true`` says little (contract, surprise 6). What the run's own clean-up does to it does not count.
    """
    rule = Rule("next runs", f"the new backtest really runs within {limit_s:.1f} s")
    accepted = history.event("next_accepted", backtest)
    if accepted is None:
        return rule.unknown("no new backtest was accepted")
    since_s = accepted.at_s
    readings = until_we_end_it(history, backtest)
    if carried := _carried_over(history, readings, since_s):
        return rule.violated(carried[1], carried[0].answered_s)
    rises = rises_in(readings)
    end = history.end_of(history.backtest)
    runs: Judgement | None = None
    before: Sample | None = None
    empty = next((s for s in readings if _is_empty(s)), None)
    known = False
    for at, s in enumerate(readings, 1):
        if known and s.status == MISSING and (gone := gone_from(readings[at - 1 :])):
            seen = f"KTRDR has no record of it any more (HTTP 404), {gone.answered_s - since_s:.1f} s after its start"
            return rule.violated(seen, gone.answered_s)
        if s.terminal and s.status != "completed":
            return rule.violated(_broke_off(readings[:at], since_s), s.answered_s)
        if other := _is_another(history, s) or _has_of_the_other(s, end):
            return rule.violated(other, s.answered_s)
        if empty and _is_empty(s) and s.asked_s >= empty.answered_s + RECORD_SETTLES_S:
            what = "with a result of no bar" if s.facts.get("result_empty") else "at 0 % without a result"
            return rule.violated(f'it was "completed" {what}: it never ran', s.answered_s)
        if runs is None and ((s.status == "completed" and not _is_empty(s)) or s in rises[1:]):
            after_s = s.answered_s - since_s
            seen, told = (
                f"it was {state_of(s)} {after_s:.2f} s after its start",
                missing_at_first(readings[:at], since_s),
            )
            runs = rule.holds(seen, told, {"next_runs_s": after_s})
            if unseen := unwatched(since_s, limit_s, before, s):
                runs = rule.unknown(f"{unseen} its start")
        if runs is None and s.asked_s > since_s + limit_s + may_still_move_s(rises, s, since_s):
            return rule.violated(_does_not_move(readings[:at], since_s), s.asked_s)
        known = known or s.status != MISSING
        before = s
    if runs and (twin := twin_of(history, backtest, history.about.get("next_payload"))):
        # Somebody else may have asked for the same at the same time.
        return rule.unknown(
            f"one start may have begun two: {twin.subject} is the same, made in that moment", heard=True
        )
    return runs or rule.unknown(f"it has not been seen to move: {not_known_yet(history, backtest)}")


def _carried_over(history: History, readings: Sequence[Sample], since_s: float) -> tuple[Sample, str] | None:
    """The reading which shows that the new backtest began with the progress of the cancelled one, with the words for it.

    Its first progress is where the other's ended, and then it falls below that for good, or was more than it can have
    made by then.
    """
    ran = rises_in(before_cancel(history, history.backtest))
    told = [s for s in readings if s.status == "running" and s.percentage is not None]
    rises = rises_in(told)
    if not ran or not rises:
        return None
    first, left = rises[0], height_of(ran[-1])
    widest = max((height_of(b) - height_of(a) for a, b in pairwise(ran)), default=left)
    if not left <= height_of(first) <= left + widest:
        return None
    seen = f"it began at {percent_of(first)}, where the cancelled one had ended ({percent_of(ran[-1])})"
    later = dropwhile(lambda s: height_of(s) == height_of(first), told[told.index(first) :])
    fallen = list(takewhile(lambda s: height_of(s) < height_of(first), later))
    if low := next((s for s in fallen if s.asked_s - fallen[0].asked_s >= COVERED_GAP_S), None):
        return low, f"{seen}, and fell to {percent_of(fallen[0])}"
    if len(rises) < 3:
        return None
    decided = rises[2]
    steepest = max(height_of(b) - height_of(a) for a, b in pairwise(rises[:3]))
    after_s = first.answered_s - since_s
    if height_of(first) <= steepest * (after_s / longest_step_s(rises[:3]) + 2):
        return None
    return decided, f"{seen}, {after_s:.1f} s after its start, and then rose by {percent(steepest)} at most"


def _is_empty(s: Sample) -> bool:
    """Whether a record says that it is completed, and that nothing was done."""
    at_0 = s.percentage == 0.0 and not s.facts.get("has_result")
    return s.status == "completed" and (at_0 or bool(s.facts.get("result_empty")))


def _broke_off(readings: Sequence[Sample], since_s: float) -> str:
    last = readings[-1]
    words = last.facts.get("error_message") or "no reason given"
    moved = f", after it had moved to {percent_of(risen[-1])}" if (risen := rises_in(readings)) else ""
    return f'it was "{last.status}" {last.answered_s - since_s:.2f} s after its start{moved}: {words}'


def _does_not_move(readings: Sequence[Sample], since_s: float) -> str:
    last, rises = readings[-1], rises_in(readings)
    if last.status == MISSING:
        return f"KTRDR has no record of it (HTTP 404) {last.asked_s - since_s:.1f} s after its start"
    if last.status == "running" and rises:
        still_s = last.asked_s - rises[0].answered_s
        return f"it stood still: {state_of(last)} for {still_s:.1f} s ({counted(readings)})"
    return f"it was {state_of(last)} after {last.asked_s - since_s:.1f} s ({counted(readings)})"


def _is_another(history: History, s: Sample) -> str:
    """What the record or the result of the new backtest tells that is not what was asked for; empty where all is.

    The record repeats the request; the result may tell the first and the last price that there was.
    """
    if other := s.facts.get("record_of"):
        return f"its record is another's: it names itself {other}"
    payload = history.about.get("next_payload")
    if not isinstance(payload, dict):
        return ""
    for part, words in (("", "its record"), ("result_", "its result")):
        for name in ("symbol", "timeframe", "strategy", "start_date", "end_date"):
            told, asked = s.facts.get(f"{part}{name}"), payload.get("strategy_name" if name == "strategy" else name)
            if told is None or asked is None:
                continue
            if not (_fits(told, asked, payload, part) if name.endswith("_date") else is_named(told, asked)):
                return f"{words} is another's: it has {name.replace('_', ' ')} {told}, and {asked} was asked for"
    return ""


def _has_of_the_other(s: Sample, end: Sample | None) -> str:
    """What the record of the new backtest has of the cancelled one's, in words; empty where it has nothing.

    Times in whole seconds may be the same by chance, where one was started as soon as the other.
    """
    if end is None or s.answered_s < end.answered_s:
        return ""
    error = s.facts.get("error_message")
    if error and error == end.facts.get("error_message"):
        return f'it is {state_of(s)} with the error of the cancelled one: "{error}"'
    for name in ("started_at", "completed_at"):
        told, theirs = (moment_of(r.facts.get(name)) for r in (s, end))
        if told and told == theirs and told.microsecond:
            return f"its {name} is the cancelled one's: {s.facts[name]}"
    made, over = (moment_of(s.facts.get(name)) for name in ("created_at", "completed_at"))
    theirs = moment_of(end.facts.get("created_at"))
    if made and theirs and (theirs - made).total_seconds() > CLOCK_SLACK_S:
        return f"by its record it was made at {s.facts['created_at']}, before the cancelled one at {end.facts['created_at']}"
    if made and over and over < made:
        return f"by its record it ended at {s.facts['completed_at']}, before it was made at {s.facts['created_at']}"
    return ""


def _fits(told: Any, asked: Any, payload: Mapping[str, Any], part: str) -> bool:
    return is_within(told, payload) if part else is_near(told, asked) is not False
