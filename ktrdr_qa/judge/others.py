"""Other backtests: none is cancelled with this one, it does not come back as another, and this run's own can be stopped."""

from __future__ import annotations

from typing import Any

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.pace import held_against, race
from ktrdr_qa.judge.reading import (
    COVERED_GAP_S,
    SAME_MOMENT_S,
    TELLING,
    cancel_due_from,
    ended_at,
    height_of,
    is_named,
    is_near,
    is_same_moment,
    nothing_to_cancel,
    percent_of,
    state_of,
)
from ktrdr_qa.platform.statuses import ACTIVE, MISSING
from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.words import moment_of

ROUNDED = 0.5
"""Percent by which two answers may tell the same progress otherwise."""


def only_this_one(history: History, backtest: str, limit_s: float) -> Judgement:
    """The cancel reached this backtest and no other: one that was active before must not be cancelled with it.

    Its owner may have cancelled the other one: on a shared platform only KTRDR's own times tell, which agree within
    ``SAME_MOMENT_S`` where one cancel ended both. What nobody else can have done needs no time: that one which was
    completed or had failed is called cancelled, that a completed one runs again, that one which ran has lost its progress,
    or that its record is gone.
    """
    rule = Rule("only this one", "no other backtest is cancelled instead, or with it")
    sent = history.event("cancel_sent", backtest)
    if sent is None or nothing_to_cancel(history, backtest):
        return rule.unknown(nothing_to_cancel(history, backtest))
    if harmed := _harmed_record(history, backtest, sent.at_s):
        return rule.violated(harmed[1], harmed[0].answered_s)
    if broken := _failed_with_it(history, backtest, sent.at_s):
        return rule.violated(broken[1], broken[0].answered_s)
    hit = _others_cancelled(history, backtest, sent.at_s)
    if not hit:
        return rule.holds("no other active backtest was cancelled meanwhile")
    since_s = cancel_due_from(history, backtest)
    seen = f"another backtest was cancelled meanwhile: {', '.join(sorted(hit))}"
    for s in history.of("backend", backtest):
        if s.status == "completed":
            if not held_against(history, backtest, s, limit_s):
                return rule.unknown(f"{seen}; {race(history, backtest, s)}", final=True)
            return rule.violated(f"{seen}, and this one ran on to its end", sent.at_s)
        if s.terminal:
            mine_at = ended_at(history, backtest)
            with_it = sorted(other for other, other_at in hit.items() if is_same_moment(other_at, mine_at))
            if with_it and (earlier := _cancelled_before(history, sent.at_s)):
                seen = f"another backtest was cancelled within half a second of it ({', '.join(with_it)})"
                return rule.unknown(
                    f"{seen}, and others are cancelled here all the time: {earlier}", final=True, heard=True
                )
            if with_it:
                seen = f"another backtest was cancelled with it, at the same moment by KTRDR's own times: {', '.join(with_it)}"
                return rule.violated(seen, sent.at_s)
            return rule.holds("this backtest was cancelled", (f"{seen[0].upper()}{seen[1:]}.",))
        if since_s is not None and s.asked_s > since_s + limit_s:
            return rule.violated(f"{seen}, and this one was not", sent.at_s)
    return rule.unknown(f"{seen}; whether this one was as well is not known yet")


def _cancelled_before(history: History, sent_s: float) -> str:
    """Another backtest that was seen active and then cancelled before this run cancelled anything; empty where there is none."""
    for other in sorted({*history.subjects("list")} - _mine(history)):
        before = [s for s in history.of("list", other) if s.answered_s <= sent_s]
        if before and before[-1].status == "cancelled" and any(s.status in ACTIVE for s in before):
            return other
    return ""


def _others_cancelled(history: History, backtest: str, sent_s: float) -> dict[str, str]:
    """The backtests of others that were active before the cancel and cancelled afterwards, with when, as KTRDR has it.

    A child of the cancelled one is to be cancelled with it. Where KTRDR calls the cancelled one failed, it calls so
    whatever else its cancel ended.
    """
    end = history.end_of(backtest)
    hits = {"cancelled", "failed"} if end and end.status == "failed" else {"cancelled"}
    active: set[str] = set()
    hit: dict[str, str] = {}
    own = _mine(history) | _children(history, backtest)
    for s in history.samples:
        if s.view not in ("list", "other") or s.subject in own or s.problem or s.status == MISSING:
            continue
        if s.answered_s <= sent_s:
            (active.discard if s.terminal else active.add)(s.subject)
        elif s.asked_s >= sent_s and s.status in hits and s.subject in active:
            hit[s.subject] = hit.get(s.subject) or str(s.facts.get("completed_at") or "")
    return hit


def _failed_with_it(history: History, backtest: str, sent_s: float) -> tuple[Sample, str] | None:
    """The reading by which another that had made progress failed at the same moment as this one was cancelled, in words.

    What has made none may have been too short to run.
    """
    end, at = history.end_of(backtest), ended_at(history, backtest)
    if end is None or end.status != "cancelled":
        return None
    for other in sorted({*history.subjects("list"), *history.subjects("other")} - _mine(history)):
        readings = (*history.of("list", other), *history.of("other", other))
        ran = any(s.status == "running" and s.percentage and s.answered_s <= sent_s for s in readings)
        broken = next((s for s in readings if s.status == "failed" and s.facts.get("completed_at")), None)
        child = any(s.facts.get("parent") == backtest for s in readings)
        if ran and broken and not child and is_same_moment(broken.facts["completed_at"], at):
            words = broken.facts.get("error_message") or "no reason given"
            return (
                broken,
                f"another backtest failed with it, at the same moment by KTRDR's own times: {other} ({words})",
            )
    return None


def _harmed_record(history: History, backtest: str, sent_s: float) -> tuple[Sample, str] | None:
    """The reading which shows that the record of somebody else's backtest is not what it was, with the words for it."""
    for other in sorted({*history.subjects("list"), *history.subjects("other")} - _mine(history)):
        rows, records = history.of("list", other), history.of("other", other)
        row = next((s for s in reversed(rows) if s.answered_s <= sent_s), None)
        record = next((s for s in reversed(records) if s.answered_s <= sent_s), None)
        for s in rows:
            if row and s.asked_s >= sent_s and (seen := _what_befell(row, s, sent_s)):
                return s, f"another backtest {seen}: {other}"
        was = max((s for s in (row, record) if s), key=lambda s: s.answered_s, default=None)
        for s in records:
            if was and was.status in ACTIVE and s.status == MISSING and s.asked_s >= sent_s + COVERED_GAP_S:
                own = next((r for r in reversed(history.of("backend", backtest)) if r.answered_s <= s.asked_s), None)
                if own and own.status != MISSING:
                    return s, f'the record of another, "{was.status}" before the cancel, is gone (HTTP 404): {other}'
    return None


def _what_befell(row: Sample, s: Sample, sent_s: float) -> str:
    """What the list says of another backtest after the cancel that cannot follow from what it said before, in words.

    No running backtest of KTRDR's loses progress (contract, surprise 3); a view that lags may show it for a moment.
    """
    if row.status in ("completed", "failed") and s.status == "cancelled":
        return f'was "{row.status}" before the cancel, and is called cancelled'
    if row.status == "completed" and s.status == "running" and s.asked_s >= sent_s + COVERED_GAP_S:
        return 'was "completed" before the cancel, and is running again'
    lost = height_of(row) - height_of(s) if s.percentage is not None else 0.0
    if row.status == s.status == "running" and lost > ROUNDED and s.asked_s >= sent_s + COVERED_GAP_S:
        return f"fell from {percent_of(row)} to {percent_of(s)} after the cancel, while it ran"
    return ""


def _children(history: History, backtest: str) -> set[str]:
    return {s.subject for s in history.samples if s.facts.get("parent") == backtest}


def _mine(history: History) -> set[str]:
    """The ids of this run's own backtests: something was done with each."""
    return {e.subject for e in history.events}


def does_not_come_back(history: History, backtest: str, limit_s: float) -> Judgement:
    """The cancelled work is not begun again under another id, on any worker, and leaves no child running.

    Only what began after the cancel and is the same work (symbol, timeframe, period, strategy) counts; where a record
    leaves the period open (contract, surprise 21), or nothing tells when it began, it is an observation. What KTRDR has
    no record of, and hands out all the same, can be nobody else's.
    """
    rule = Rule("does not come back", "the cancelled work does not come back under another id")
    sent, since_s = history.event("cancel_sent", backtest), cancel_due_from(history, backtest)
    if sent is None or since_s is None or nothing_to_cancel(history, backtest):
        return rule.unknown(nothing_to_cancel(history, backtest) or "the cancel has no answer yet")
    if handed := _handed_on(history, backtest, since_s + limit_s):
        return rule.violated(handed[1], handed[0])
    if hidden := _hidden_elsewhere(history, backtest, sent.at_s):
        return rule.violated(hidden[1], hidden[0].answered_s)
    mine, children = _mine(history), _children(history, backtest)
    before = {s.subject for s in history.samples if s.view in ("list", "other") and s.answered_s <= sent.at_s}
    doubtful: dict[str, str] = {}
    for s in history.samples:
        if s.view not in ("list", "other") or s.subject in mine or s.problem or s.asked_s < sent.at_s:
            continue
        where = f" on {s.facts['worker']}" if s.facts.get("worker") else ""
        if s.subject in children:
            if not s.terminal and s.status != MISSING and s.asked_s > since_s + limit_s:
                seen = f"its child {s.subject} is {state_of(s)}{where} {s.asked_s - since_s:.1f} s after the cancel"
                return rule.violated(seen, s.answered_s)
            continue
        if s.facts.get("parent") in mine:
            continue  # It belongs to a backtest that this run has started since.
        if s.view == "list" or s.subject in before or (began := _began_after(history, backtest, s)) is False:
            continue
        same = same_work(history.about.get("payload"), s)
        if same and began:
            seen = f"{s.subject} does the same work{where}: it was begun after the cancel, and was {state_of(s)} "
            return rule.violated(f"{seen}{s.asked_s - sent.at_s:.1f} s after it", s.answered_s)
        if same is not False:
            open_ = (
                ", and was begun after the cancel; its period is not told"
                if began
                else "; when it was begun is not told"
            )
            doubtful[s.subject] = f"{s.subject} has the same symbol, timeframe and strategy{open_}."
    if not any(s.view == "list" and s.asked_s > since_s for s in history.samples):
        return rule.unknown("the list of backtests was not read after the cancel")
    observations = tuple(doubtful[other] for other in sorted(doubtful))
    return rule.holds("nothing was begun after the cancel that is the same", observations)


def _handed_on(history: History, backtest: str, late_s: float) -> tuple[float, str] | None:
    """When, and in which words, another worker than the backtest's was seen to have it after the limit."""
    worker = str(history.about.get("worker", ""))
    naming = [s for s in history.samples if s.view in TELLING and s.facts.get("current_operation") == backtest]
    before = {s.subject for s in naming if s.asked_s <= late_s}
    for s in naming:
        if s.asked_s > late_s and s.subject not in {worker, *before}:
            return s.asked_s, f"it was handed to another worker: {s.subject} is {s.status} with it"
        # The registry may lag; a worker's own word does not.
        if s.asked_s > late_s and s.view == "health" and worker and s.subject != worker:
            return s.asked_s, f"another worker has it as well: {s.subject} is {s.status} with it"
    return None


def _hidden_elsewhere(history: History, backtest: str, sent_s: float) -> tuple[Sample, str] | None:
    """The reading by which another worker got an operation after the cancel of which KTRDR has no record, with the words.

    Only where KTRDR's registry calls operations by the ids of its records, as it did the cancelled one.
    """
    registry = [s for s in history.samples if s.view == "registry"]

    def has(s: Sample) -> Any:
        return s.facts.get("current_operation")

    worker = next((s.subject for s in registry if has(s) == backtest and s.asked_s <= sent_s), None)
    before = {(s.subject, has(s)) for s in registry if s.asked_s <= sent_s}
    watched = {subject for subject, _ in before}
    for s in registry:
        new = s.subject in watched and (s.subject, has(s)) not in before
        if worker and s.subject != worker and s.facts.get("unlisted") and new:
            return s, f"KTRDR has no record of {has(s)}, with which {s.subject} is {s.status} since after the cancel"
    return None


def _began_after(history: History, backtest: str, other: Sample) -> bool | None:
    """Whether another backtest, which was not there before the cancel, began after it; None where nothing tells.

    KTRDR's own times tell, or, where it has none, that it is active and the list from before the cancel did not say so.
    """
    answer = history.last_event("cancel_answered", backtest)
    cancelled = moment_of((answer.facts.get("cancelled_at") if answer else None) or ended_at(history, backtest))
    began = moment_of(other.facts.get("created_at") or other.facts.get("started_at"))
    if began:
        return (began - cancelled).total_seconds() >= -SAME_MOMENT_S if cancelled else None
    sent = history.event("cancel_sent", backtest)
    listed = any(s.view == "list" and sent and s.answered_s <= sent.at_s for s in history.samples)
    return True if listed and not other.terminal else None


def twin_of(history: History, backtest: str, payload: Any) -> Sample | None:
    """A reading of a backtest that is not this run's, does the same work, and was made in the same moment: by one start."""
    made = next((s.facts["created_at"] for s in history.of("backend", backtest) if s.facts.get("created_at")), None)
    mine = _mine(history)
    for other in history.subjects("other"):
        for s in history.of("other", other):
            as_one = is_same_moment(made, s.facts.get("created_at"))
            if other not in mine and as_one and not s.facts.get("parent") and same_work(payload, s):
                return s
    return None


def same_work(payload: Any, other: Sample) -> bool | None:
    """Whether another backtest is what was asked for; None where its period is not told, or cannot be read."""
    if not isinstance(payload, dict):
        return False
    for name, field_name in (("symbol", "symbol"), ("timeframe", "timeframe"), ("strategy", "strategy_name")):
        told = other.facts.get(name)
        if told is None or not is_named(told, payload.get(field_name)):
            return False
    period = [is_near(other.facts.get(name), payload.get(name)) for name in ("start_date", "end_date")]
    if False in period:
        return False
    return None if None in period else True


def all_can_be_stopped(history: History) -> Judgement:
    """Whatever else this run had to end (the new backtest, further ones) ended when it was cancelled."""
    rule = Rule("others can be stopped", "what this run has left running ends when it is cancelled")
    asked = [e for e in history.events if e.kind == "clean_up"]
    ran_on = next((e for e in history.events if e.kind == "not_stopped"), None)
    if ran_on:
        return rule.violated(f"{ran_on.subject} {ran_on.facts.get('words')}", ran_on.at_s)
    return rule.holds(f"{len(asked)} ended") if asked else rule.unknown("none had to be")
