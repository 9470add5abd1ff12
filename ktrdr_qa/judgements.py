"""What a history proves. Pure functions: no I/O, no clock, no Behave; they run again on a saved history.

Each returns a ``Judgement``: ``holds``, ``violated`` or ``unknown`` with the sentence that explains it.
``unknown`` means that the history does not (yet) show either. A reading is evidence for some moment between
asking and answering, so lateness is only held against KTRDR where a reading *asked* after the limit shows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

from ktrdr_qa.history import KNOWN, MISSING, History, Sample, View
from ktrdr_qa.words import percent

Verdict = Literal["holds", "violated", "unknown"]

COVERED_GAP_S = 1.0
"""Two readings at most this far apart (or one usual progress step, if that is longer) cover the time between."""
RECORD_SETTLES_S = 0.5
"""How long after its status a record may be completed by the time of the end."""
GONE_S = 2.5
"""A process whose address refuses every connection for this long is not coming back while the suite waits."""
AT_ONCE_S = 0.5
"""What happens within this time of the new backtest's start is told as its consequence."""
QUIET_SPAN_S, NOISY_SPAN_S = 0.6, 1.0
"""How long the processor must be watched before it is called quiet, or busy: a busy verdict needs more."""
QUIET_MARGIN = 0.12
"""Cores above idle that still count as quiet: the readings themselves and housekeeping cost a few hundredths."""
_TELLING: tuple[View, ...] = ("health", "registry")
"""The views that tell what a worker is busy with, the stronger one first."""
NOT_TAKING_WORK = ("temporarily_unavailable", "unavailable", "offline", "unhealthy", "dead")
"""What the registry says of a worker that is not busy and takes no backtest all the same."""
BUSY_HOST = 2.0
"""Runnable processes for each core of this host above which a process that computes may look quiet."""
TELLING_CONTRAST = 0.15
"""Cores that the backtest must have used above idle before a quiet processor proves that it has stopped."""


@dataclass(frozen=True)
class Judgement:
    """What was expected, what was seen, and since when. ``figures`` are seconds, percent or counts."""

    name: str
    verdict: Verdict
    expected: str
    seen: str
    at_s: float | None = None
    observations: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return self.verdict == "holds"

    @property
    def violated(self) -> bool:
        return self.verdict == "violated"

    @property
    def unknown(self) -> bool:
        return self.verdict == "unknown"


# --- while it runs ---------------------------------------------------------------------------------------------


def is_running(history: History, backtest: str, limit_s: float) -> Judgement:
    """The seed's "Wait and Verify Running": KTRDR calls it running in time after the start was answered."""
    expected = f"the backtest is running within {limit_s:.1f} s of its start"
    started = history.event("start_answered", backtest)
    if started is None:
        return Judgement("running", "unknown", expected, "it was not started")
    since_s = started.at_s
    readings = history.of("backend", backtest)
    before: Sample | None = None
    for at, s in enumerate(readings, 1):
        if s.status == "running":
            if unseen := _unseen(since_s, limit_s, before, s):
                return Judgement("running", "unknown", expected, f"{unseen} its start")
            return Judgement(
                "running", "holds", expected, f"it was running {s.answered_s - since_s:.2f} s after the start"
            )
        if s.status == MISSING:
            return Judgement("running", "violated", expected, "KTRDR has no record of it (HTTP 404)", s.answered_s)
        if s.terminal:
            return Judgement("running", "unknown", expected, f"it was {_state(s)} before it was seen running")
        if s.asked_s > since_s + limit_s:
            strange = "" if s.status in KNOWN else ", which is no status that KTRDR documents"
            seen = f"it was {_state(s)}{strange} {s.asked_s - since_s:.1f} s after the start"
            return Judgement("running", "violated", expected, f"{seen} ({_count(readings[:at])})", s.asked_s)
        before = s
    return Judgement("running", "unknown", expected, _not_known_yet(history, "backend", backtest))


def is_moving(history: History, backtest: str, limit_s: float) -> Judgement:
    """The seed's "percentage: > 0", watched for long enough to see it rise as well.

    Two rises are needed, because the time between them says how long "frozen" has to be watched later.
    Violated at once by a percentage that cannot be right, by one that falls, or by a status that goes back.
    """
    expected = f"its progress is above 0 % and moving within {limit_s:.1f} s"
    started = history.event("start_answered", backtest)
    if started is None:
        return Judgement("moving", "unknown", expected, "it was not started")
    since_s = started.at_s
    readings = _before_cancel(history, backtest)
    if wrong := _wrong_while_running(readings):
        sample, seen = wrong
        return Judgement("moving", "violated", expected, seen, sample.answered_s)
    rises = _rises(readings)
    before: Sample | None = None
    for at, s in enumerate(readings, 1):
        if s in rises[1:]:
            if unseen := _unseen(since_s, limit_s, before, s):
                return Judgement("moving", "unknown", expected, f"{unseen} its start")
            break
        if s.terminal:
            return Judgement("moving", "unknown", expected, f"it was {_state(s)} before it was seen moving")
        if s.asked_s > since_s + limit_s:
            return Judgement("moving", "violated", expected, _standing_still(readings[:at], limit_s), s.asked_s)
        before = s
    else:
        return Judgement("moving", "unknown", expected, _not_known_yet(history, "backend", backtest))
    first, last = rises[0], rises[-1]
    seen = (
        f"it rose from {_percent(first)} to {_percent(last)} in {len(rises)} steps, "
        f"the first {first.answered_s - since_s:.1f} s after the start"
    )
    return Judgement("moving", "holds", expected, seen, figures={"first_progress_s": first.answered_s - since_s})


def _standing_still(readings: Sequence[Sample], limit_s: float) -> str:
    last, rises = readings[-1], _rises(readings)
    running = [s for s in readings if s.status == "running"]
    if running and not any(s.percentage is not None for s in running):
        return f"its percentage was null in every reading while it ran ({_count(running)})"
    if not rises:
        return f"it never rose above 0 % in {limit_s:.1f} s: {_state(last)} ({_count(readings)})"
    return f"it stood still: {_state(last)} for {last.asked_s - rises[-1].answered_s:.1f} s"


def _wrong_while_running(readings: Sequence[Sample]) -> tuple[Sample, str] | None:
    """The first reading that no healthy KTRDR gives of a running backtest, and what is wrong with it."""
    highest: Sample | None = None
    ran = False
    for s in readings:
        if s.status == MISSING and ran:
            return s, "KTRDR lost the record of the running backtest (HTTP 404)"
        if s.status == "resuming":
            highest = None
        if ran and s.status == "pending":
            return s, 'it went back from "running" to "pending"'
        if ran and s.status not in KNOWN | {MISSING}:
            return s, f'it went from "running" to "{s.status}", which is no status that KTRDR documents'
        ran = ran or s.status == "running"
        if s.status != "running":
            continue
        if raw := s.facts.get("percentage_problem"):
            return s, f"its percentage cannot be right: {raw}"
        if s.percentage is None:
            continue
        if highest and highest.percentage is not None and s.percentage < highest.percentage:
            fell = f"{percent(highest.percentage, s.percentage)} to {percent(s.percentage, highest.percentage)}"
            return s, f"its progress fell from {fell} while it ran"
        highest = s
    return None


def ended_before_cancel(history: History, backtest: str) -> Sample | None:
    """The reading that shows the backtest over before the cancel was even sent, if there is one."""
    cancel = history.event("cancel_sent", backtest)
    for s in history.of("backend", backtest):
        if cancel and s.answered_s > cancel.at_s:
            return None
        if s.terminal:
            return s
    return None


def was_running(history: History, backtest: str) -> Judgement:
    """The seed's first sanity check: running, and above 0 %, in the last reading before the cancel."""
    expected = "the backtest was running, above 0 %, when the cancel was sent"
    readings = _before_cancel(history, backtest)
    if not history.event("cancel_sent", backtest):
        return Judgement("was running", "unknown", expected, "no cancel was sent")
    if not readings:
        return Judgement("was running", "unknown", expected, "no reading was had before the cancel")
    last = readings[-1]
    if last.status == "running" and _height(last) > 0:
        return Judgement(
            "was running",
            "holds",
            expected,
            f"it was running at {_percent(last)}",
            figures={"cancelled_at_percent": _height(last)},
        )
    if last.status == "running":
        seen = f"it was running, but still at {_percent(last)}"
    else:
        seen = f"it was {_state(last)} in the last reading before the cancel"
    if last.terminal:
        return Judgement("was running", "unknown", expected, seen)
    return Judgement("was running", "violated", expected, seen, last.answered_s)


# --- the cancel ------------------------------------------------------------------------------------------------


def is_acknowledged(history: History, backtest: str, limit_s: float) -> Judgement:
    """The seed's "HTTP 200, cancellation acknowledged".

    ``remote_cancelled: false`` is a failure whoever else can be reached: from then on the backend no longer
    asks the worker, so its own view proves nothing (contract, surprise 7). After a lost answer the state and
    one repeat decide; an HTTP 400 that names the backtest cancelled shows that the first request worked, but
    not that it was acknowledged: unknown.
    """
    expected = f"the cancel is acknowledged with HTTP 200 within {limit_s:.1f} s"

    def violated(seen: str, at_s: float | None = None) -> Judgement:
        return Judgement("acknowledged", "violated", expected, seen, at_s)

    answers = [e for e in history.events if e.kind == "cancel_answered" and e.subject == backtest]
    losses = [e for e in history.events if e.kind == "cancel_lost" and e.subject == backtest]
    if not answers:
        if len(losses) >= 2:
            why = losses[-1].facts.get("problem", "")
            return violated(f"two requests in a row got no answer: {why}", losses[-1].at_s)
        return Judgement("acknowledged", "unknown", expected, "no answer to the cancel yet")
    answer = answers[-1]
    facts, took_s = answer.facts, float(answer.facts.get("took_s", 0.0))
    http = facts.get("http")
    lost = tuple(
        f"The answer to the first cancel was lost ({e.facts.get('problem')}); it was repeated once." for e in losses
    )
    if losses and http == 400 and _calls_it_cancelled(str(facts.get("words"))):
        # It worked, but nobody saw KTRDR say so: neither KTRDR's fault for certain, nor a pass.
        seen = (
            f"its answer was lost ({losses[0].facts.get('problem')}), and the repeat says that it is cancelled already"
        )
        return Judgement("acknowledged", "unknown", expected, seen, None, lost)
    if http != 200:
        return violated(f"it was answered {facts.get('words') or f'HTTP {http}'} after {took_s:.2f} s", answer.at_s)
    if problem := facts.get("problem"):
        return violated(f"HTTP 200 with {problem}", answer.at_s)
    named = facts.get("operation_id")
    if named is not None and named != backtest:
        return violated(f"HTTP 200, but it names another backtest: {named}", answer.at_s)
    if facts.get("success") is False:
        return violated(f'HTTP 200, but "success": false ({facts.get("words") or "no reason given"})', answer.at_s)
    if facts.get("success") is None and facts.get("status") is None:
        return violated("HTTP 200, but the answer does not say that anything was cancelled", answer.at_s)
    if facts.get("remote_cancelled") is False:
        return violated(
            'HTTP 200 with "remote_cancelled": false: the backend calls it cancelled, but its worker was not told',
            answer.at_s,
        )
    if took_s > limit_s:
        return violated(f"the answer took {took_s:.2f} s", answer.at_s)
    return Judgement(
        "acknowledged",
        "holds",
        expected,
        f"acknowledged with HTTP 200 after {took_s:.2f} s",
        None,
        lost,
        {"acknowledged_s": took_s},
    )


def is_cancelled(history: History, backtest: str, limit_s: float) -> Judgement:
    """The seed's "Verify Cancelled", within its 2 s, which it counts from the answer to the cancel.

    ``failed`` counts where the last reading before the cancel shows it running: it ended because of the cancel.
    """
    expected = f"the backtest is reported as cancelled within {limit_s:.1f} s of the cancel"
    sent = history.event("cancel_sent", backtest)
    since_s = _cancel_due_from(history, backtest)
    nothing = _nothing_to_cancel(history, backtest)
    if sent is None or nothing:
        return Judgement("cancelled", "unknown", expected, nothing)
    if since_s is None:
        return Judgement("cancelled", "unknown", expected, "the cancel has no answer yet")
    readings = [s for s in history.of("backend", backtest) if s.answered_s > sent.at_s]
    end = next((s for s in readings if s.terminal or s.status == MISSING), None)
    if end and end.status == MISSING:
        seen = "its record is gone (HTTP 404 for a cancelled backtest)"
        return Judgement("cancelled", "violated", expected, seen, end.answered_s)
    still = [s for s in readings if not s.terminal and (end is None or s.answered_s <= end.answered_s)]
    late = [s for s in still if s.asked_s > since_s + limit_s]
    if late:
        last = late[-1]
        seen = (
            f"it was still {_state(last)} {last.asked_s - since_s:.1f} s after the cancel was answered "
            f"({_count(readings)})"
        )
        return Judgement("cancelled", "violated", expected, seen, late[0].asked_s)
    if end is None:
        return Judgement("cancelled", "unknown", expected, _not_known_yet(history, "backend", backtest))
    took_s = end.answered_s - sent.at_s
    figures = {"cancelled_s": took_s}
    if end.status == "completed":
        return Judgement(
            "cancelled",
            "violated",
            expected,
            f"it was completed {took_s:.2f} s after the cancel: it ran on to its end",
            end.answered_s,
        )
    if unseen := _unseen(since_s, limit_s, still[-1] if still else None, end):
        return Judgement("cancelled", "unknown", expected, f"{unseen} the answer to the cancel, when it had ended")
    if end.status == "failed":
        was = was_running(history, backtest)
        words = end.facts.get("error_message") or "no reason given"
        if not was.holds:
            seen = f'it is "failed" ({words}), and {was.seen}: nothing shows that the cancel ended it'
            return Judgement("cancelled", was.verdict, expected, seen, end.answered_s)
        told = (f'The backtest ended as "failed" instead of "cancelled", because of the cancel: {words}',)
        return Judgement(
            "cancelled",
            "holds",
            expected,
            f'ended as "failed" {took_s:.2f} s after the cancel',
            None,
            told,
            figures,
        )
    return Judgement("cancelled", "holds", expected, f"cancelled {took_s:.2f} s after the cancel", figures=figures)


def second_cancel_is_turned_down(history: History, backtest: str) -> Judgement:
    """A second cancel is answered HTTP 400 with a reason (contract: "already ended"), or again 200; never an error of the server."""
    expected = "a second cancel of the same backtest does no harm"
    answer = history.event("second_cancel_answered", backtest)
    if answer is None:
        return Judgement("second cancel", "unknown", expected, "no second cancel was sent")
    http, words = answer.facts.get("http"), answer.facts.get("words") or ""
    if http in (400, 409):
        return Judgement("second cancel", "holds", expected, f"it was turned down: {words}")
    if http == 200:
        told = ("A second cancel of the same backtest was acknowledged once more with HTTP 200.",)
        return Judgement("second cancel", "holds", expected, "it was acknowledged once more", None, told)
    if http is None:
        return Judgement("second cancel", "unknown", expected, f"its answer was lost: {words}")
    return Judgement("second cancel", "violated", expected, f"it was answered {words}", answer.at_s)


def what_became_of_it(history: History, backtest: str) -> Judgement:
    """For the words of a failure: whether a backtest that missed its limit was cancelled later, or ran on."""
    sent = history.event("cancel_sent", backtest)
    readings = [s for s in history.of("backend", backtest) if sent and s.asked_s > sent.at_s]
    if sent is None or not readings:
        return Judgement("afterwards", "unknown", "", "nothing was seen of it afterwards")
    end = next((s for s in readings if s.terminal), None)
    if end:
        seen = f"it was {_state(end)} after all, {end.answered_s - sent.at_s:.1f} s after the cancel"
        return Judgement("afterwards", "holds", "", seen)
    first, last = readings[0], readings[-1]
    on = "ran on" if _height(last) > _height(first) else "did not end"
    return Judgement(
        "afterwards", "unknown", "", f"it {on}: {_state(last)} {last.asked_s - sent.at_s:.1f} s after the cancel"
    )


# --- afterwards ------------------------------------------------------------------------------------------------


def stays_cancelled(history: History, backtest: str) -> Judgement:
    """No reading after the first terminal one says anything else: not running, not completed, not gone."""
    expected = "it stays cancelled"
    ended = _afterwards(history, backtest)
    if isinstance(ended, str):
        return Judgement("stays cancelled", "unknown", expected, ended)
    end, after = ended
    if end.status == "completed":
        return Judgement("stays cancelled", "violated", expected, f"it was {_state(end)} instead", end.answered_s)
    changed = next((s for s in after if s.status != end.status), None)
    if changed:
        since_s = changed.answered_s - end.answered_s
        if changed.status == MISSING:
            seen = f'its record is gone (HTTP 404), {since_s:.1f} s after it was "{end.status}"'
        else:
            following = history.event("next_accepted", str(history.about.get("next_backtest")))
            revived = following and 0 <= changed.answered_s - following.at_s <= AT_ONCE_S
            when = "as soon as the new backtest was started" if revived else f"{since_s:.1f} s later"
            seen = f'it turned from "{end.status}" to {_state(changed)}, {when}'
        return Judgement("stays cancelled", "violated", expected, seen, changed.answered_s)
    if not after:
        return Judgement("stays cancelled", "unknown", expected, "no further reading was had")
    seen = f'it stayed "{end.status}" for {after[-1].answered_s - end.answered_s:.1f} s ({_count(after)})'
    return Judgement("stays cancelled", "holds", expected, seen)


def frozen_window_s(history: History, backtest: str, least_s: float, updates: float = 3) -> float:
    """How long progress must be watched: at least ``least_s``, and ``updates`` times its longest usual step.

    KTRDR refreshes the progress about once a second (contract, surprise 3), so a shorter look proves nothing.
    """
    return max(least_s, updates * _longest_step_s(_before_cancel(history, backtest)))


def is_frozen(history: History, backtest: str, least_s: float, updates: float = 3) -> Judgement:
    """No reading after the first terminal one rises above it, nor above a later one, for the whole window.

    Only time that readings cover counts; a fall to 0 is KTRDR's way of ending a backtest (contract, surprise 4).
    """
    window_s = frozen_window_s(history, backtest, least_s, updates)
    step_s = _longest_step_s(_before_cancel(history, backtest))
    expected = f"its progress is frozen for at least {window_s:.1f} s after the cancel"
    ended = _afterwards(history, backtest)
    if isinstance(ended, str):
        return Judgement("frozen", "unknown", expected, ended)
    end, after = ended
    ran = [s for s in _before_end(history, backtest, end) if s.percentage is not None]
    if jump := _jump_at_the_end(ran, end):
        return Judgement("frozen", "violated", expected, jump, end.answered_s)
    wrong = next((s for s in (end, *after) if s.facts.get("percentage_problem")), None)
    if wrong:
        seen = f"its percentage cannot be right: {wrong.facts['percentage_problem']}"
        return Judgement("frozen", "violated", expected, seen, wrong.answered_s)
    if risen := _rises_after(end, after):
        return Judgement("frozen", "violated", expected, _how_it_rose(end, risen), risen[0][1].answered_s)
    covered_s = _covered_s((end, *after), max(COVERED_GAP_S, step_s))
    if covered_s < window_s:
        seen = f"only {covered_s:.1f} s of the {window_s:.1f} s are covered by readings ({_count(after)})"
        return Judgement("frozen", "unknown", expected, seen)
    missed = int(covered_s / step_s) if step_s else 0
    lost: tuple[str, ...] = ()
    if ran and _height(ran[-1]) > 0 and not end.percentage:
        lost = (
            f"The record of progress was lost: {_percent(ran[-1])} before the cancel, "
            f"{_percent(end) if end.percentage is not None else 'nothing'} after it.",
        )
    seen = f"it did not move for {covered_s:.1f} s, in which {missed} updates were due"
    figures = {"frozen_s": covered_s, "updates_due": float(missed), "longest_step_s": step_s}
    return Judgement("frozen", "holds", expected, seen, None, lost, figures)


def is_not_completed(history: History, backtest: str) -> Judgement:
    """The seed's second sanity check: never called completed after the cancel, and no result was made of it."""
    expected = "the cancelled backtest is not completed"
    ended = _afterwards(history, backtest)
    if isinstance(ended, str):
        return Judgement("not completed", "unknown", expected, ended)
    end, after = ended
    for s in (end, *after):
        if s.status == "completed":
            return Judgement("not completed", "violated", expected, f"it is {_state(s)}", s.answered_s)
        if s.facts.get("has_result"):
            seen = f'it is "{s.status}", yet carries a result summary as if it had completed'
            return Judgement("not completed", "violated", expected, seen, s.answered_s)
    last = after[-1] if after else end
    return Judgement("not completed", "holds", expected, f'it is "{last.status}" and has no result')


def records_its_end(history: History, backtest: str) -> Judgement:
    """The record says when it ended, and not before it began; both times are KTRDR's own, so skew is no matter."""
    expected = "its record says when it ended"
    ended = _afterwards(history, backtest)
    if isinstance(ended, str):
        return Judgement("end recorded", "unknown", expected, ended)
    end, after = ended
    records = [s for s in (end, *after) if s.terminal]
    for s in records:
        wrong = _wrong_end(s)
        # A platform may write the status a moment before the time; a missing time has to stay missing.
        if wrong and (s.facts.get("completed_at") or s.asked_s >= end.answered_s + RECORD_SETTLES_S):
            return Judgement("end recorded", "violated", expected, wrong, s.answered_s)
    if not records[-1].facts.get("completed_at"):
        return Judgement("end recorded", "unknown", expected, "completed_at is missing so far")
    return Judgement("end recorded", "holds", expected, f"it ended at {records[-1].facts['completed_at']}")


def _wrong_end(s: Sample) -> str:
    """What is wrong with the times in a terminal record; empty where nothing is."""
    completed = s.facts.get("completed_at")
    began = s.facts.get("started_at") or s.facts.get("created_at")
    if not completed:
        return "completed_at is missing"
    ended_at, began_at = _moment(completed), _moment(began)
    if ended_at is None:
        return f"completed_at is no time: {completed!r}"
    if began_at and ended_at < began_at:
        return f"it ended at {completed}, before it began at {began}"
    return ""


def list_agrees(history: History, backtest: str) -> Judgement:
    """KTRDR's list of backtests and its single record say the same once the backtest has ended.

    A list that lags by less than ``COVERED_GAP_S`` is not held against it; later on, one disagreement is one too many.
    """
    expected = "the list of backtests says the same as the backtest's own record"
    ended = _afterwards(history, backtest)
    if isinstance(ended, str):
        return Judgement("list agrees", "unknown", expected, ended)
    end, after = ended
    readings = [s for s in history.of("list", backtest) if s.asked_s > end.answered_s]
    if not readings:
        return Judgement("list agrees", "unknown", expected, "the list was not read after the end")
    verdict: Verdict
    for s in readings:
        record = [r for r in (end, *after) if r.answered_s <= s.asked_s][-1]
        later_s = s.asked_s - end.answered_s
        if s.status == MISSING:
            verdict, seen = "holds", "the list does not name it"
        elif s.status == record.status:
            verdict, seen = "holds", f'both say "{s.status}"'
        else:
            verdict = "violated" if later_s > COVERED_GAP_S else "unknown"
            seen = f'the list says "{s.status}", the record says "{record.status}", {later_s:.1f} s after the end'
        if verdict == "violated":
            return Judgement("list agrees", verdict, expected, seen, s.answered_s)
    told = ("The list of backtests does not name the cancelled one.",) if readings[-1].status == MISSING else ()
    return Judgement("list agrees", verdict, expected, seen, None, told)


def only_this_one(history: History, backtest: str, limit_s: float) -> Judgement:
    """The cancel reached this backtest and no other: one that was active before must not be cancelled instead."""
    expected = "no other backtest is cancelled instead"
    sent = history.event("cancel_sent", backtest)
    if sent is None or _nothing_to_cancel(history, backtest):
        return Judgement("only this one", "unknown", expected, _nothing_to_cancel(history, backtest))
    hit = []
    for other in history.subjects("list"):
        if other == backtest:
            continue
        readings = history.of("list", other)
        before = [s for s in readings if s.answered_s <= sent.at_s]
        after = [s for s in readings if s.asked_s >= sent.at_s]
        if before and not before[-1].terminal and any(s.status == "cancelled" for s in after):
            hit.append(other)
    if not hit:
        return Judgement("only this one", "holds", expected, "no other active backtest was cancelled meanwhile")
    seen = f"another backtest was cancelled at that moment: {', '.join(hit)}"
    since_s = _cancel_due_from(history, backtest)
    for s in history.of("backend", backtest):
        if s.status == "completed":
            return Judgement(
                "only this one", "violated", expected, f"{seen}, and this one ran on to its end", sent.at_s
            )
        if s.terminal:
            # Its owner may have cancelled the other: on a shared platform that alone proves nothing.
            told = (f"{seen[0].upper()}{seen[1:]}.",)
            return Judgement("only this one", "holds", expected, "this backtest was cancelled", None, told)
        if since_s is not None and s.asked_s > since_s + limit_s:
            return Judgement("only this one", "violated", expected, f"{seen}, and this one was not", sent.at_s)
    return Judgement("only this one", "unknown", expected, f"{seen}; whether this one was as well is not known yet")


# --- the next backtest -----------------------------------------------------------------------------------------


def next_is_accepted(history: History, cancelled: str, expected_at_once: str = "at once") -> Judgement:
    """The seed's "New backtest starts without issues": accepted in answer to one request, under a new id."""
    expected = f"a new backtest is accepted {expected_at_once}"
    answers = [e for e in history.events if e.kind in ("next_accepted", "next_refused")]
    if not answers:
        return Judgement("next accepted", "unknown", expected, "no new backtest was asked for")
    for e in answers:
        if e.kind == "next_refused":
            return Judgement("next accepted", "violated", expected, str(e.facts.get("words", "refused")), e.at_s)
        if e.subject == cancelled:
            seen = f"it was given the id of the cancelled one: {cancelled}"
            return Judgement("next accepted", "violated", expected, seen, e.at_s)
    took_s = float(answers[-1].facts.get("took_s", 0.0))
    seen = f"accepted after {took_s:.2f} s"
    return Judgement("next accepted", "holds", expected, seen, figures={"next_accepted_s": took_s})


def next_runs(history: History, backtest: str, limit_s: float) -> Judgement:
    """It really runs: above 0 % or completed, because ``success: true`` says little (contract, surprise 6)."""
    expected = f"the new backtest really runs within {limit_s:.1f} s"
    accepted = history.event("next_accepted", backtest)
    if accepted is None:
        return Judgement("next runs", "unknown", expected, "no new backtest was accepted")
    since_s = accepted.at_s
    readings: list[Sample] = []
    refused: list[Sample] = []
    for s in history.samples:
        if s.view != "backend" or s.subject != backtest:
            continue
        if s.problem:
            refused = [*refused, s] if s.facts.get("refused") else []
            if len(refused) >= 3 and s.asked_s - refused[0].asked_s >= 1.0:
                seen = "KTRDR itself is gone: it refuses connections since the new backtest was started"
                return Judgement("next runs", "violated", expected, seen, refused[0].asked_s)
            continue
        before = readings[-1] if readings else None
        refused = []
        readings.append(s)
        after_s = s.answered_s - since_s
        if s.status == "completed" or (s.status == "running" and _height(s) > 0):
            if unseen := _unseen(since_s, limit_s, before, s):
                return Judgement("next runs", "unknown", expected, f"{unseen} its start")
            seen = f"it was {_state(s)} {after_s:.2f} s after its start"
            return Judgement("next runs", "holds", expected, seen, figures={"next_runs_s": after_s})
        if s.terminal:
            words = s.facts.get("error_message") or "no reason given"
            seen = f'it was "{s.status}" {after_s:.2f} s after its start: {words}'
            return Judgement("next runs", "violated", expected, seen, s.answered_s)
        if s.asked_s > since_s + limit_s:
            seen = f"it was {_state(s)} after {s.asked_s - since_s:.1f} s ({_count(readings)})"
            return Judgement("next runs", "violated", expected, seen, s.asked_s)
    return Judgement("next runs", "unknown", expected, _not_known_yet(history, "backend", backtest))


# --- the witnesses ---------------------------------------------------------------------------------------------


def worker_let_go(history: History, worker: str, backtest: str, limit_s: float) -> Judgement:
    """The worker's own view of the backtest is terminal and its health no longer names it, in time."""
    expected = f"{_whose(worker)} has stopped the backtest within {limit_s:.1f} s of the cancel"
    since_s = _cancel_due_from(history, backtest)
    if since_s is None:
        return Judgement("worker stopped", "unknown", expected, "no cancel was answered")
    if another := _another_worker(history, backtest):
        return Judgement("worker stopped", "unknown", expected, another)
    dead = _gone_for_good(history, worker, since_s)
    if dead:
        return Judgement("worker stopped", "violated", expected, dead[1], dead[0])
    views = [s for s in history.of("worker", backtest) if s.asked_s > since_s]
    health = [s for s in history.of("health", worker) if s.asked_s > since_s]
    late_view = next(
        (s for s in views if not s.terminal and s.status != MISSING and s.asked_s > since_s + limit_s), None
    )
    if late_view:
        seen = f"its own view still says {_state(late_view)} {late_view.asked_s - since_s:.1f} s after the cancel"
        return Judgement("worker stopped", "violated", expected, seen, late_view.asked_s)
    late_health = next(
        (s for s in health if s.facts.get("current_operation") == backtest and s.asked_s > since_s + limit_s),
        None,
    )
    if late_health:
        seen = f"its health still names the backtest {late_health.asked_s - since_s:.1f} s after the cancel"
        return Judgement("worker stopped", "violated", expected, seen, late_health.asked_s)
    quiet_view = _settled(views, lambda s: s.terminal or s.status == MISSING)
    quiet_health = _settled(health, lambda s: not _holds_on(s, backtest))
    if not quiet_view or not quiet_health:
        lacking = "view of the backtest" if not quiet_view else "health"
        return Judgement("worker stopped", "unknown", expected, f"no reading yet of the worker's {lacking} at rest")
    for readings, quiet in ((views, quiet_view), (health, quiet_health)):
        before = next((s for s in reversed(readings) if s.answered_s < quiet.answered_s), None)
        if unseen := _unseen(since_s, limit_s, before, quiet):
            return Judgement("worker stopped", "unknown", expected, f"{unseen} the answer to the cancel")
    sent = history.event("cancel_sent", backtest)
    sent_s = sent.at_s if sent else since_s
    idle_s = max(quiet_view.answered_s, quiet_health.answered_s) - sent_s
    state = "forgotten" if quiet_view.status == MISSING else quiet_view.status
    seen = f"its own view says {state}, and its health is {quiet_health.status}, {idle_s:.2f} s after the cancel"
    return Judgement("worker stopped", "holds", expected, seen, figures={"worker_idle_s": idle_s})


def processor_is_quiet(history: History, worker: str, backtest: str, limit_s: float) -> Judgement:
    """From the limit on at the latest, the worker's processor is near what it was idle.

    The only witness that every HTTP view can be wrong against (contract, surprise 9). Rates are in cores
    (1.0 is one core in full use). Time in which the worker runs something else proves nothing and is left out.
    """
    expected = f"the processor of {_whose(worker)} is quiet within {limit_s:.1f} s of the cancel"
    since_s = _cancel_due_from(history, backtest)
    started = history.event("start_sent", backtest)
    sent = history.event("cancel_sent", backtest)
    readings = [s for s in history.of("processor", worker) if s.cpu_s is not None and math.isfinite(s.cpu_s)]
    if since_s is None or sent is None or started is None or not readings:
        return Judgement("processor quiet", "unknown", expected, "its processor time was not read")
    if another := _another_worker(history, backtest):
        return Judgement("processor quiet", "unknown", expected, another)
    idle, busy = _idle_and_busy(history, worker, backtest)
    used = busy[0] - idle if busy else 0.0
    allowed = idle + max(QUIET_MARGIN, 0.35 * used)
    after = [s for s in readings if s.asked_s >= since_s]
    compared = f"idle before {idle:.2f}" + (f", the backtest {busy[0]:.2f}" if busy else "")
    figures = {"idle_cores": idle, "busy_cores": busy[0] if busy else 0.0}

    def told(verdict: Verdict, rate: tuple[float, float], words: str, at_s: float | None = None) -> Judgement:
        seen = f"it used {rate[0]:.2f} cores over {rate[1]:.1f} s ({compared}){words}"
        return Judgement("processor quiet", verdict, expected, seen, at_s, (), {**figures, "after_cores": rate[0]})

    late = _undisturbed(history, worker, backtest, [s for s in after if s.asked_s >= since_s + limit_s], surely=True)
    noisy = next((r for stretch in late if (r := _first_rate(stretch, NOISY_SPAN_S))), None)
    if noisy and noisy[0] > allowed:
        return told("violated", noisy, ": something computes on, whatever the answers say", since_s + limit_s)
    stretches = _undisturbed(history, worker, backtest, after)
    for stretch in stretches:
        quiet = next((r for at in range(len(stretch)) if (r := _rate(stretch[at:])) and r[0] <= allowed), None)
        if quiet is None or quiet[1] < QUIET_SPAN_S:
            continue
        # Cancelled at once it had no time to show what it uses; on a busy host nothing can show it either.
        shown = history.about.get("cancelled_at_once") and history.about.get("load_per_core", 0.0) <= BUSY_HOST
        if used < TELLING_CONTRAST and not shown:
            return told("unknown", quiet, ": the backtest used too little to tell a stopped one from a running one")
        return told("holds", quiet, "")
    rate = _rate(stretches[-1]) if stretches else None
    if rate is None:
        seen = "its processor time was not read after the cancel while the worker had nothing else to do"
        return Judgement("processor quiet", "unknown", expected, seen, figures=figures)
    return told("unknown", rate, ", not yet quiet for long enough to tell")


def tells_apart(history: History, worker: str, backtest: str) -> bool:
    """Whether the running backtest was seen to use so much of the processor that its stopping will show."""
    idle, busy = _idle_and_busy(history, worker, backtest)
    return busy is not None and busy[0] - idle >= TELLING_CONTRAST


def place_is_free(history: History, worker: str, backtest: str, limit_s: float) -> Judgement:
    """KTRDR's registry offers the worker again; it may lag behind the worker (contract, surprise 5)."""
    expected = f"KTRDR counts {_whose(worker)} as free again within {limit_s:.1f} s of the cancel"
    since_s = _cancel_due_from(history, backtest)
    if since_s is None:
        return Judgement("place free", "unknown", expected, "no cancel was answered")
    readings = [s for s in history.of("registry", worker) if s.asked_s > since_s]
    for at, s in enumerate(readings):
        if _is_free(s, backtest) or s.asked_s <= since_s + limit_s:
            continue
        if s.status == MISSING:
            seen = "the worker is no longer registered"
        elif s.facts.get("current_operation") != backtest:
            # Busy with what is not told, or unavailable after it was free, may have another reason.
            if s.status == "busy" or any(_is_free(r, backtest) for r in readings[:at]):
                continue
            seen = f"it is {s.status} {s.asked_s - since_s:.1f} s later, and was not free before"
        else:
            seen = f"it is still {s.status} with the cancelled backtest {s.asked_s - since_s:.1f} s later"
        return Judgement("place free", "violated", expected, seen, s.asked_s)
    free = _settled(readings, lambda s: _is_free(s, backtest))
    if not free:
        return Judgement("place free", "unknown", expected, "the registry has not freed it yet")
    before = next((s for s in reversed(readings) if s.answered_s < free.answered_s), None)
    if unseen := _unseen(since_s, limit_s, before, free):
        return Judgement("place free", "unknown", expected, f"{unseen} the answer to the cancel")
    lag_s = free.answered_s - since_s
    note = (f"The registry freed the worker {lag_s:.1f} s after the cancel was answered.",) if lag_s > 1 else ()
    seen = f"it was {free.status} {lag_s:.2f} s after the cancel was answered"
    return Judgement("place free", "holds", expected, seen, None, note, {"place_free_s": lag_s})


def _whose(worker: str) -> str:
    return f"the worker {worker}" if worker else "its worker"


def _is_free(s: Sample, backtest: str) -> bool:
    if s.status in (MISSING, *NOT_TAKING_WORK):
        return False
    return not _holds_on(s, backtest)


def _holds_on(s: Sample, backtest: str) -> bool:
    """Whether a worker is told to have the backtest, or to be busy without a word of what with."""
    has = s.facts.get("current_operation")
    return has == backtest or (s.status == "busy" and has is None)


# --- reading a history -----------------------------------------------------------------------------------------


def _cancel_due_from(history: History, backtest: str) -> float | None:
    """When the limits after a cancel begin: at its answer (the seed sleeps after it), else when it was last lost."""
    for kind in ("cancel_answered", "cancel_lost"):
        if event := history.last_event(kind, backtest):
            return event.at_s
    return None


def _nothing_to_cancel(history: History, backtest: str) -> str:
    """Why nothing is learnt about cancelling it: no cancel was sent, or it had ended before; empty otherwise."""
    if not history.event("cancel_sent", backtest):
        return "no cancel was sent"
    if ended := ended_before_cancel(history, backtest):
        return f"it was {_state(ended)} before the cancel was sent"
    if history.event("cancel_too_late", backtest):
        return "it had ended by itself when the cancel reached it"
    return ""


def _unseen(since_s: float, limit_s: float, before: Sample | None, first: Sample) -> str:
    """Where the first reading of what was waited for tells nothing about the limit: no reading shows when it came."""
    from_s = max(since_s, before.asked_s) if before else since_s
    if first.asked_s <= since_s + limit_s or first.asked_s - from_s <= COVERED_GAP_S:
        return ""
    return f"no reading between {from_s - since_s:.1f} s and {first.asked_s - since_s:.1f} s after"


def _calls_it_cancelled(words: str) -> bool:
    """Whether a refusal says that the backtest is cancelled already, and not only that it cannot be cancelled."""
    return "cancelled" in re.sub(r"\b(be|not) cancelled", "", words.lower())


def _before_cancel(history: History, backtest: str) -> list[Sample]:
    cancel = history.event("cancel_sent", backtest)
    return [s for s in history.of("backend", backtest) if cancel is None or s.answered_s <= cancel.at_s]


def _before_end(history: History, backtest: str, end: Sample) -> list[Sample]:
    return [s for s in history.of("backend", backtest) if s.answered_s < end.answered_s]


def _afterwards(history: History, backtest: str) -> tuple[Sample, list[Sample]] | str:
    """The first terminal reading of a backtest that was cancelled and all after it, or why there is none."""
    if nothing := _nothing_to_cancel(history, backtest):
        return nothing
    readings = history.of("backend", backtest)
    for at, s in enumerate(readings):
        if s.terminal:
            return s, list(readings[at + 1 :])
    return "it has not ended yet"


def _rises(readings: Iterable[Sample]) -> list[Sample]:
    """The readings in which progress was first seen at a new height above 0 %."""
    rises: list[Sample] = []
    for s in readings:
        height = rises[-1].percentage if rises else 0.0
        if s.status == "running" and s.percentage is not None and s.percentage > (height or 0.0):
            rises.append(s)
    return rises


def _rises_after(end: Sample, after: Iterable[Sample]) -> list[tuple[float, Sample]]:
    """Each reading after the end that is above the one before it, with the height that it rose from.

    Not only above the first: a percentage that falls to 0 and then climbs again is moving as well.
    """
    height, risen = end.percentage, []
    for s in after:
        if s.percentage is None:
            continue
        if height is not None and s.percentage > height:
            risen.append((height, s))
        height = s.percentage
    return risen


def _how_it_rose(end: Sample, risen: Sequence[tuple[float, Sample]]) -> str:
    (base, first), (_, last) = risen[0], risen[-1]
    low, high = percent(base, first.percentage), percent(_height(first), base)
    after_s = f"{first.answered_s - end.answered_s:.1f} s after it had ended"
    if _height(first) >= 99.9:
        return f"it jumped from {low} to {high}, {after_s}"
    if len(risen) == 1:
        return f"it rose once, from {low} to {high}, {after_s}"
    low, high = percent(base, last.percentage), percent(_height(last), base)
    return f"it went on rising, {len(risen)} times, from {low} to {high}, the first time {after_s}"


def _longest_step_s(readings: Iterable[Sample]) -> float:
    """The longest time between two progress changes while it ran, 0 where fewer than two were seen."""
    rises = _rises(readings)
    return max((b.answered_s - a.answered_s for a, b in pairwise(rises)), default=0.0)


def _jump_at_the_end(ran: Sequence[Sample], end: Sample) -> str | None:
    """Progress in the first terminal reading that the backtest cannot have made since the one before it."""
    rises = _rises(ran)
    if end.percentage is None or len(rises) < 2:
        return None
    last = ran[-1]
    steepest = max(_height(b) - _height(a) for a, b in pairwise(rises))
    steps = (end.answered_s - last.asked_s) / max(_longest_step_s(ran), 1e-3) + 2
    if end.percentage <= _height(last) + steepest * steps:
        return None
    return f'it jumped from {_percent(last)} to {_percent(end)} when it became "{end.status}"'


def _covered_s(readings: Sequence[Sample], widest_gap_s: float) -> float:
    return sum(gap for a, b in pairwise(readings) if (gap := b.answered_s - a.answered_s) <= widest_gap_s)


def _rate(readings: Iterable[Sample]) -> tuple[float, float] | None:
    """Cores used over the span of the readings, and the span in seconds.

    None where they span no time, or where the counter falls: then the process is another one than before.
    """
    listed = list(readings)
    if len(listed) < 2 or any(_cpu_s(b) < _cpu_s(a) for a, b in pairwise(listed)):
        return None
    span_s = _middle(listed[-1]) - _middle(listed[0])
    if span_s <= 0:
        return None
    return (_cpu_s(listed[-1]) - _cpu_s(listed[0])) / span_s, span_s


def _idle_and_busy(history: History, worker: str, backtest: str) -> tuple[float, tuple[float, float] | None]:
    """Cores that the worker used before the start, and, with the span in seconds, from there to the cancel."""
    started, sent = history.event("start_sent", backtest), history.event("cancel_sent", backtest)
    began_s, until_s = started.at_s if started else 0.0, sent.at_s if sent else history.until_s
    readings = [s for s in history.of("processor", worker) if s.cpu_s is not None and math.isfinite(s.cpu_s)]
    before = _rate(s for s in readings if s.answered_s <= began_s)
    busy = _rate(s for s in readings if began_s < s.answered_s and s.asked_s <= until_s)
    return before[0] if before else 0.0, busy


def _first_rate(readings: Sequence[Sample], least_s: float) -> tuple[float, float] | None:
    """The rate from the first reading on, over the shortest span of at least ``least_s``."""
    rates = (_rate(readings[:upto]) for upto in range(2, len(readings) + 1))
    return next((r for r in rates if r and r[1] >= least_s), None)


def _undisturbed(
    history: History, worker: str, backtest: str, readings: Sequence[Sample], *, surely: bool = False
) -> list[list[Sample]]:
    """The stretches of readings in which the worker had no other operation: only they tell of this one.

    Another operation is told by the worker's health, by the registry, or by its own record. It may have begun, or
    gone on, between two readings of these. With ``surely`` a reading counts only where the next reading of the
    worker's health (of the registry, where its health is not read) was had and still names no other.
    """
    elsewhere = [
        s.answered_s
        for s in history.samples
        if (s.subject == worker and s.facts.get("current_operation") not in (None, backtest))
        or (s.view == "backend" and s.subject != backtest and s.facts.get("worker") == worker and not s.terminal)
    ]
    told_by = [told for view in _TELLING if (told := history.of(view, worker))]
    stretches: list[list[Sample]] = [[]]
    before: Sample | None = None
    for s in readings:
        told = next((told for told in told_by if told[0].answered_s <= s.asked_s), ())
        last = [t for t in told if t.answered_s <= s.asked_s][-1:]
        following = next((t.answered_s for t in told if t.asked_s >= s.answered_s), None)
        until_s = s.answered_s if following is None else following
        from_s = s.asked_s - COVERED_GAP_S
        busy = any(from_s <= at_s <= until_s for at_s in elsewhere)
        busy = busy or any(t.facts.get("current_operation") not in (None, backtest) for t in last)
        unsure = surely and bool(told) and following is None
        parted = before is not None and any(before.asked_s <= at_s <= s.answered_s for at_s in elsewhere)
        if parted:
            stretches.append([])
        if not busy and not unsure:
            stretches[-1].append(s)
        before = s
    return [stretch for stretch in stretches if stretch]


def who_is_gone(history: History, backtest: str, worker: str) -> str:
    """That KTRDR, or the worker of the backtest, refuses every connection of late, or nothing. For giving up early."""
    for view, subject, who in (("backend", backtest, "KTRDR itself"), ("health", worker, f"the worker {worker}")):
        readings = [s for s in history.samples if s.view == view and s.subject == subject]
        answered_s = max((s.answered_s for s in readings if not s.facts.get("refused")), default=0.0)
        refused = [s for s in readings if s.facts.get("refused") and s.asked_s >= answered_s]
        if len(refused) >= 3 and refused[-1].answered_s - refused[0].asked_s >= GONE_S:
            return f"{who} is gone: it refuses connections for {refused[-1].answered_s - refused[0].asked_s:.1f} s now"
    return ""


def _another_worker(history: History, backtest: str) -> str:
    """Why what answers at the worker's address is no witness, or nothing: it did not know of the running backtest.

    A published port may belong to another worker, or to another sandbox's (contract, surprise 16).
    """
    sent = history.event("cancel_sent", backtest)
    views = [s for s in history.of("worker", backtest) if sent and s.answered_s <= sent.at_s]
    if not views or any(s.status != MISSING for s in views):
        return ""
    return (
        "what answers at the worker's address did not know of the running backtest, so it is another worker; "
        "say where this one is under [workers] in the target file"
    )


def _gone_for_good(history: History, worker: str, since_s: float) -> tuple[float, str] | None:
    """A worker that answered once and whose address then, after the cancel, refused one connection after the other."""
    answered = False
    for a, b in pairwise(s for s in history.samples if s.view == "health" and s.subject == worker):
        answered = answered or not a.problem
        if answered and a.asked_s > since_s and a.facts.get("refused") and b.facts.get("refused"):
            return a.asked_s, "its process is gone: it refuses connections since the cancel"
    return None


def _settled(readings: Sequence[Sample], at_rest: Callable[[Sample], bool]) -> Sample | None:
    """The first reading from which on every further one is at rest."""
    settled: Sample | None = None
    for s in readings:
        settled = (settled or s) if at_rest(s) else None
    return settled


def _middle(sample: Sample) -> float:
    return (sample.asked_s + sample.answered_s) / 2


def _height(sample: Sample) -> float:
    """Its progress in percent, 0 where it is not known."""
    return sample.percentage or 0.0


def _cpu_s(sample: Sample) -> float:
    return sample.cpu_s or 0.0


def _percent(sample: Sample) -> str:
    return "no percentage" if sample.percentage is None else percent(sample.percentage)


def _state(sample: Sample) -> str:
    at = f" at {_percent(sample)}" if sample.percentage is not None else ""
    return f'"{sample.status}"{at}'


def _count(readings: Sequence[Sample]) -> str:
    return f"{len(readings)} reading{'' if len(readings) == 1 else 's'}"


def _not_known_yet(history: History, view: Any, subject: str) -> str:
    """What is known so far: the last state, its age, and what the last reading that failed said."""
    readings = history.of(view, subject)
    problems = history.problems(view, subject)
    told = "no reading was had"
    if readings:
        told = (
            f"last {_state(readings[-1])}, {history.until_s - readings[-1].answered_s:.1f} s ago ({_count(readings)})"
        )
    if problems:
        told += f"; {len(problems)} lost, the last: {problems[-1].problem}"
    return told


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
