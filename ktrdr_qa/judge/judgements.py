"""What a history proves. Pure functions: no I/O, no clock, no Behave; they run again on a saved history.

Each returns a ``Judgement``: ``holds``, ``violated`` or ``unknown`` with the sentence that explains it.
``unknown`` means that the history does not (yet) show either. A reading is evidence for some moment between
asking and answering, so lateness is only held against KTRDR where a reading *asked* after the limit shows it.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

from ktrdr_qa.platform.statuses import KNOWN, MISSING
from ktrdr_qa.record.history import History, Sample, View
from ktrdr_qa.words import percent

Verdict = Literal["holds", "violated", "unknown"]

COVERED_GAP_S = 1.0
"""Two readings at most this far apart (or one usual progress step, if that is longer) cover the time between."""
CLOCK_SLACK_S = 5.0
"""So much a platform's clock may be set anew while a backtest runs, and its two times of it be apart for that."""
RECORD_SETTLES_S = 0.5
"""How long after its status a record may be completed by the time of the end."""
LATE_WATCH_S = 5.0
"""How much longer a backtest that was not cancelled in time is watched, only to say what becomes of it."""
DOWN_S, SILENT_S, GIVE_UP_S = 2.0, 5.0, 7.0
"""An outage: nothing but refusals and broken answers for so long, or nothing but silence. One that does not end is
called so after ``GIVE_UP_S``; until then it may still heal, and its length can be told."""
VERDICT_SPAN_S = 3.0
"""What a verdict needs after its limit: a busy processor is watched for ``NOISY_SPAN_S``, by readings 0.9 s apart."""
CLEARLY_MORE_S = 1.0
"""By so much what was left must exceed a limit, for a completion after the cancel to be held against KTRDR."""
PACE_SPAN_S = 0.5
"""The pace is taken over at least so much time: two refreshes may fall between two readings."""
SAME_MOMENT_S = 0.5
"""By KTRDR's own times: another backtest that is cancelled so close to this one was cancelled with it."""
SAME_START_S = 2.0
"""What a worker runs under an id of its own is the backtest if it began as close to it as this."""
QUIET_SPAN_S, NOISY_SPAN_S, STEADY_SPAN_S = 0.6, 1.0, 3.0
"""How long the processor must be watched before it is called quiet, or busy: a busy verdict needs more.

Over ``STEADY_SPAN_S`` the mean alone decides, so that what computes now and then is seen as well."""
IDLE_SPAN_S = 0.2
"""How long an idle worker's processor is watched before the start, so that there is something to compare with."""
QUIET_MARGIN = 0.10
"""Cores above idle that still count as quiet, whatever the backtest used: the readings themselves and housekeeping
cost a few hundredths. A smaller remainder is not seen."""
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
    """What was expected, what was seen, and since when. ``figures`` are seconds, percent or counts.

    ``final``: not known, and no further reading will tell.
    """

    name: str
    verdict: Verdict
    expected: str
    seen: str
    at_s: float | None = None
    observations: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    final: bool = False

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
            seen = f"it was running {s.answered_s - since_s:.2f} s after the start"
            return Judgement("running", "holds", expected, seen, None, _missing_at_first(readings[: at - 1], since_s))
        if s.terminal:
            return Judgement("running", "unknown", expected, f"it was {_state(s)} before it was seen running")
        if s.asked_s > since_s + limit_s and s.status == MISSING:
            seen = f"KTRDR has no record of it (HTTP 404) {s.asked_s - since_s:.1f} s after the start"
            return Judgement("running", "violated", expected, seen, s.asked_s)
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
        if s.asked_s > since_s + limit_s + _may_still_move_s(rises, s, since_s):
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


def _may_still_move_s(rises: Sequence[Sample], now: Sample, since_s: float) -> float:
    """How much longer a second rise may take where the first one took long: progress may come in coarse steps."""
    first = rises[0] if rises and rises[0].answered_s < now.asked_s else None
    return 1.5 * (first.answered_s - since_s) if first else 0.0


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
    for at, s in enumerate(readings):
        if s.status == MISSING:
            if ran and (gone := _gone(readings[at:])):
                return gone, "KTRDR lost the record of the running backtest (HTTP 404)"
            continue
        if s.status == "resuming":
            highest = None
        if ran and s.status == "pending":
            return s, 'it went back from "running" to "pending"'
        if ran and s.status not in KNOWN:
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


def lasted_s(end: Sample) -> float | None:
    """How long a backtest ran by KTRDR's own times in its last record, in seconds; None where they are not told."""
    began, ended = (_moment(end.facts.get(name)) for name in ("started_at", "completed_at"))
    return (ended - began).total_seconds() if began and ended and ended > began else None


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
    # A record that is gone for a moment is a replica's lag; for longer it is ``is_moving``'s matter.
    readings = [s for s in _before_cancel(history, backtest) if s.status != MISSING]
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


@dataclass(frozen=True)
class Left:
    """How much of the backtest was left at the cancel (or is, before it), by its own pace: percent and seconds."""

    percentage: float
    left_s: float

    @property
    def in_words(self) -> str:
        return f"it was sent at {percent(self.percentage)}, when about {self.left_s:.1f} s were left at its own pace"


def left_to_run(history: History, backtest: str) -> Left | None:
    """What the backtest's own pace leaves to run at the cancel, or now where none was sent; None where it is not known.

    The steeper of its whole pace and its latest counts, over the shortest time that the readings allow, so that little
    is promised.
    """
    cancel = history.event("cancel_sent", backtest)
    at_s = cancel.at_s if cancel else history.until_s
    rises = _rises(_before_cancel(history, backtest))
    if len(rises) < 2:
        return None
    last = rises[-1]
    recent = next((r for r in reversed(rises) if last.asked_s - r.answered_s >= PACE_SPAN_S), rises[0])
    paces = [
        (_height(last) - _height(r)) / span_s for r in (rises[0], recent) if (span_s := last.asked_s - r.answered_s) > 0
    ]
    if not paces:
        return None
    left_s = (100.0 - _height(last)) / max(paces) - (at_s - last.asked_s)
    return Left(_height(last), max(0.0, left_s))


def needed_s(history: History, backtest: str, limits: Mapping[str, float], updates: float = 3) -> float:
    """How much must be left to run at the cancel, so that one that is ignored would be seen.

    The longest limit after the cancel and the span that a verdict needs, or the window in which progress must stand.
    """
    longest_s = max(limits[name] for name in ("cancelled_s", "worker_idle_s", "processor_quiet_s"))
    return max(longest_s + VERDICT_SPAN_S, frozen_window_s(history, backtest, limits["frozen_s"], updates))


def enough_was_left(history: History, backtest: str, limits: Mapping[str, float], updates: float = 3) -> Judgement:
    """Whether the recording could show an ignored cancel: a backtest that ends by itself at once looks stopped."""
    need_s = needed_s(history, backtest, limits, updates)
    expected = f"at least {need_s:.1f} s are left to run when it is cancelled"
    left = left_to_run(history, backtest)
    if left is None:
        return Judgement("enough left", "unknown", expected, "its pace was not seen")
    figures = {"left_s": left.left_s, "needed_s": need_s}
    seen = f"about {left.left_s:.1f} s were left at {percent(left.percentage)}, by its own pace"
    verdict: Verdict = "holds" if left.left_s >= need_s else "unknown"
    return Judgement("enough left", verdict, expected, seen, figures=figures)


def _ends_by_itself_s(history: History, backtest: str) -> float:
    """From when on its being over proves nothing: it would have ended by itself then. Infinite where that is not known."""
    cancel = history.event("cancel_sent", backtest)
    left = left_to_run(history, backtest)
    return cancel.at_s + left.left_s if cancel and left else math.inf


def _too_late_to_tell(history: History, backtest: str) -> str:
    left = left_to_run(history, backtest)
    return f"it would have ended by itself by then: the cancel came late, {left.in_words}" if left else ""


def _held_against(history: History, backtest: str, end: Sample, limit_s: float) -> str:
    """Why a completion after the cancel is KTRDR's failure; empty where it was about to end in any case.

    A cancel that crosses the completion is nobody's fault, as long as KTRDR had time to cancel it. Where the pace was
    not seen (cancelled at once), it ran on if a reading shows it running after the limit.
    """
    since_s, left = _cancel_due_from(history, backtest), left_to_run(history, backtest)
    if since_s is None:
        return ""
    if left:
        clearly = _ends_by_itself_s(history, backtest) >= since_s + limit_s + CLEARLY_MORE_S
        return left.in_words if clearly else ""
    before = (s for s in history.of(end.view, backtest) if s.status == "running" and s.answered_s <= end.answered_s)
    late = next((s for s in before if s.asked_s > since_s + limit_s), None)
    return f"it was still running {late.asked_s - since_s:.1f} s after the cancel was answered" if late else ""


def _race(history: History, backtest: str, end: Sample) -> str:
    """The words for a completion that crossed the cancel."""
    sent = history.event("cancel_sent", backtest)
    left = left_to_run(history, backtest)
    took_s = end.answered_s - sent.at_s if sent else 0.0
    told = left.in_words if left else "its pace was not seen before the cancel"
    return f"it was completed {took_s:.2f} s after the cancel, too close to its own end to tell: {told}"


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
    if http == 429:
        return Judgement("acknowledged", "unknown", expected, f"it was turned away: {facts.get('words')}", None, lost)
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
    end = next((s for s in readings if s.terminal), None)
    still = [s for s in readings if not s.terminal and (end is None or s.answered_s <= end.answered_s)]
    late = [s for s in still if s.asked_s > since_s + limit_s]
    if late:
        last = late[-1]
        seen = f"it was still {_state(last)}" if last.status != MISSING else "its record is gone (HTTP 404)"
        seen += f" {last.asked_s - since_s:.1f} s after the cancel was answered ({_count(readings)})"
        return Judgement("cancelled", "violated", expected, seen, late[0].asked_s)
    if end is None:
        return Judgement("cancelled", "unknown", expected, _not_known_yet(history, "backend", backtest))
    took_s = end.answered_s - sent.at_s
    figures = {"cancelled_s": took_s}
    if end.status == "completed":
        if not (why := _held_against(history, backtest, end, limit_s)):
            return Judgement("cancelled", "unknown", expected, _race(history, backtest, end), final=True)
        seen = f"it was completed {took_s:.2f} s after the cancel: it ran on to its end, although {why}"
        return Judgement("cancelled", "violated", expected, seen, end.answered_s)
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
    if http is None or http == 429:
        return Judgement("second cancel", "unknown", expected, f"it had no answer of its own: {words}")
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


def stays_cancelled(history: History, backtest: str, limit_s: float = 2.0) -> Judgement:
    """No reading after the first terminal one says anything else: not running, not completed, not gone.

    A view that lags may show once more what was, within the limit of the cancel (a replica); it has to come right.
    """
    expected = "it stays cancelled"
    ended = _afterwards(history, backtest)
    if isinstance(ended, str):
        return Judgement("stays cancelled", "unknown", expected, ended)
    end, after = ended
    if end.status == "completed":
        if not _held_against(history, backtest, end, limit_s):
            return Judgement("stays cancelled", "unknown", expected, _race(history, backtest, end), final=True)
        return Judgement("stays cancelled", "violated", expected, f"it was {_state(end)} instead", end.answered_s)
    due_s = (_cancel_due_from(history, backtest) or end.answered_s) + limit_s
    lagged = 0
    odd: list[Sample] = []
    missing: list[Sample] = []
    for s in after:
        if s.status == end.status:
            lagged, odd, missing = lagged + len(odd), [], []
            continue
        odd.append(s)
        missing = [*missing, s] if s.status == MISSING else []
        if _gone(missing) if missing else s.terminal or s.asked_s > due_s:
            first = next(o for o in odd if o.status == s.status)
            seen = _what_it_turned_to(history, (end, *after), first)
            return Judgement("stays cancelled", "violated", expected, seen, first.answered_s)
    if odd:
        return Judgement("stays cancelled", "unknown", expected, f"last {_state(odd[-1])}; it may come right")
    if not after:
        return Judgement("stays cancelled", "unknown", expected, "no further reading was had")
    told = (f"{lagged} readings after the cancel still showed what was before it: a view that lags.",) if lagged else ()
    seen = f'it stayed "{end.status}" for {after[-1].answered_s - end.answered_s:.1f} s ({_count(after)})'
    return Judgement("stays cancelled", "holds", expected, seen, None, told)


def _what_it_turned_to(history: History, readings: Sequence[Sample], turned: Sample) -> str:
    """The words for a backtest that did not stay as it ended; ``readings`` begin with its end."""
    end, since_s = readings[0], turned.answered_s - readings[0].answered_s
    if turned.status == MISSING:
        return f'its record is gone (HTTP 404), {since_s:.1f} s after it was "{end.status}"'
    seen = f'it turned from "{end.status}" to {_state(turned)}, {since_s:.1f} s later'
    following = history.event("next_accepted", str(history.about.get("next_backtest")))
    before = readings[readings.index(turned) - 1]
    if following and before.answered_s <= following.at_s <= turned.answered_s:
        seen += ", in the first reading after the new backtest was started"
    return seen


def frozen_window_s(history: History, backtest: str, least_s: float, updates: float = 3) -> float:
    """How long progress must be watched: at least ``least_s``, and ``updates`` times its longest usual step.

    KTRDR refreshes the progress about once a second (contract, surprise 3), so a shorter look proves nothing.
    """
    return max(least_s, updates * _longest_step_s(_before_cancel(history, backtest)))


def is_frozen(history: History, backtest: str, least_s: float, updates: float = 3, limit_s: float = 2.0) -> Judgement:
    """No reading after the first terminal one rises above it, nor above a later one, for the whole window.

    Only time that readings cover counts; a fall to 0 is KTRDR's way of ending a backtest (contract, surprise 4).
    What a view that lags shows once more of before the cancel, within ``limit_s`` of its answer, is left out.
    """
    window_s = frozen_window_s(history, backtest, least_s, updates)
    step_s = _longest_step_s(_before_cancel(history, backtest))
    expected = f"its progress is frozen for at least {window_s:.1f} s after the cancel"
    ended = _afterwards(history, backtest)
    if isinstance(ended, str):
        return Judgement("frozen", "unknown", expected, ended)
    end, after = ended
    ran = [s for s in _before_end(history, backtest, end) if s.percentage is not None]
    due_s = (_cancel_due_from(history, backtest) or end.answered_s) + limit_s
    after = [s for s in after if s.terminal or s.asked_s > due_s or _jump_at_the_end(ran, s)]
    if jump := _jump_at_the_end(ran, end):
        return Judgement("frozen", "violated", expected, jump, end.answered_s)
    wrong = next((s for s in (end, *after) if s.facts.get("percentage_problem")), None)
    if wrong:
        seen = f"its percentage cannot be right: {wrong.facts['percentage_problem']}"
        return Judgement("frozen", "violated", expected, seen, wrong.answered_s)
    if risen := _rises_after(end, after):
        return Judgement("frozen", "violated", expected, _how_it_rose(end, risen), risen[0][1].answered_s)
    ends_s = _ends_by_itself_s(history, backtest)
    covered_s = _covered_s([s for s in (end, *after) if s.answered_s <= ends_s], max(COVERED_GAP_S, step_s))
    if covered_s < window_s and history.until_s > ends_s:
        return Judgement("frozen", "unknown", expected, _too_late_to_tell(history, backtest), final=True)
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


def is_not_completed(history: History, backtest: str, limit_s: float = 2.0) -> Judgement:
    """The seed's second sanity check: never called completed after the cancel, and no result was made of it."""
    expected = "the cancelled backtest is not completed"
    ended = _afterwards(history, backtest)
    if isinstance(ended, str):
        return Judgement("not completed", "unknown", expected, ended)
    end, after = ended
    for s in (end, *after):
        if s.status == "completed":
            if s is end and not _held_against(history, backtest, end, limit_s):
                return Judgement("not completed", "unknown", expected, _race(history, backtest, end), final=True)
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
    started = history.event("start_sent", backtest)
    passed_s = end.answered_s - started.at_s if started else math.inf
    for s in records:
        wrong = _wrong_end(s, passed_s)
        # A platform may write the status a moment before the time; a missing time has to stay missing.
        if wrong and (s.facts.get("completed_at") or s.asked_s >= end.answered_s + RECORD_SETTLES_S):
            return Judgement("end recorded", "violated", expected, wrong, s.answered_s)
    first = _ended_at(history, backtest)
    # Where its status changes as well, that is the defect: "stays cancelled".
    if moved := next((s for s in records if s.status == end.status and _moved_on(first, s)), None):
        seen = f"the time of its end moves: first {first}, then {moved.facts['completed_at']}"
        return Judgement("end recorded", "violated", expected, seen, moved.answered_s)
    if not records[-1].facts.get("completed_at"):
        return Judgement("end recorded", "unknown", expected, "completed_at is missing so far")
    return Judgement("end recorded", "holds", expected, f"it ended at {records[-1].facts['completed_at']}")


def _wrong_end(s: Sample, passed_s: float) -> str:
    """What is wrong with the times in a terminal record; empty where nothing is.

    ``passed_s``: so many seconds passed on this host from the start to the end, and no more can lie between KTRDR's own
    two times, whatever its clock says.
    """
    completed = s.facts.get("completed_at")
    began = s.facts.get("started_at") or s.facts.get("created_at")
    if not completed:
        return "completed_at is missing"
    ended_at, began_at = _moment(completed), _moment(began)
    if ended_at is None:
        return f"completed_at is no time: {completed!r}"
    if began_at and ended_at < began_at:
        return f"it ended at {completed}, before it began at {began}"
    if began_at and (lasted_s := (ended_at - began_at).total_seconds()) > passed_s + CLOCK_SLACK_S:
        return f"it ended at {completed}, {lasted_s:.0f} s after it began at {began}, when only {passed_s:.0f} s had passed"
    return ""


def _moved_on(first: str, s: Sample) -> bool:
    """Whether a record tells another time of the end than the first one that told it."""
    then, now = _moment(first), _moment(s.facts.get("completed_at"))
    return bool(then and now and abs((now - then).total_seconds()) > CLOCK_SLACK_S / 2)


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
        elif s.status in (record.status, end.status):
            verdict, seen = "holds", f'both say "{s.status}"'
        else:
            verdict = "violated" if later_s > COVERED_GAP_S else "unknown"
            seen = f'the list says "{s.status}", the record says "{record.status}", {later_s:.1f} s after the end'
        if verdict == "violated":
            return Judgement("list agrees", verdict, expected, seen, s.answered_s)
    told = ("The list of backtests does not name the cancelled one.",) if readings[-1].status == MISSING else ()
    return Judgement("list agrees", verdict, expected, seen, None, told)


def only_this_one(history: History, backtest: str, limit_s: float) -> Judgement:
    """The cancel reached this backtest and no other: one that was active before must not be cancelled with it.

    Its owner may have cancelled the other one: on a shared platform only KTRDR's own times tell, which agree within
    ``SAME_MOMENT_S`` where one cancel ended both.
    """
    expected = "no other backtest is cancelled instead, or with it"
    sent = history.event("cancel_sent", backtest)
    if sent is None or _nothing_to_cancel(history, backtest):
        return Judgement("only this one", "unknown", expected, _nothing_to_cancel(history, backtest))
    hit = _others_cancelled(history, backtest, sent.at_s)
    if not hit:
        return Judgement("only this one", "holds", expected, "no other active backtest was cancelled meanwhile")
    since_s = _cancel_due_from(history, backtest)
    seen = f"another backtest was cancelled meanwhile: {', '.join(sorted(hit))}"
    for s in history.of("backend", backtest):
        if s.status == "completed":
            if not _held_against(history, backtest, s, limit_s):
                return Judgement(
                    "only this one", "unknown", expected, f"{seen}; {_race(history, backtest, s)}", final=True
                )
            seen += ", and this one ran on to its end"
            return Judgement("only this one", "violated", expected, seen, sent.at_s)
        if s.terminal:
            mine_at = _ended_at(history, backtest)
            with_it = sorted(other for other, ended_at in hit.items() if _same_moment(ended_at, mine_at))
            if with_it:
                seen = f"another backtest was cancelled with it, at the same moment by KTRDR's own times: {', '.join(with_it)}"
                return Judgement("only this one", "violated", expected, seen, sent.at_s)
            told = (f"{seen[0].upper()}{seen[1:]}.",)
            return Judgement("only this one", "holds", expected, "this backtest was cancelled", None, told)
        if since_s is not None and s.asked_s > since_s + limit_s:
            return Judgement("only this one", "violated", expected, f"{seen}, and this one was not", sent.at_s)
    return Judgement("only this one", "unknown", expected, f"{seen}; whether this one was as well is not known yet")


def _others_cancelled(history: History, backtest: str, sent_s: float) -> dict[str, str]:
    """The backtests of others that were active before the cancel and cancelled afterwards, with when, as KTRDR has it.

    A child of the cancelled one is to be cancelled with it.
    """
    active: set[str] = set()
    hit: dict[str, str] = {}
    own = _mine(history) | _children(history, backtest)
    for s in history.samples:
        if s.view not in ("list", "other") or s.subject in own or s.problem or s.status == MISSING:
            continue
        if s.answered_s <= sent_s:
            (active.discard if s.terminal else active.add)(s.subject)
        elif s.asked_s >= sent_s and s.status == "cancelled" and s.subject in active:
            hit[s.subject] = hit.get(s.subject) or str(s.facts.get("completed_at") or "")
    return hit


def _children(history: History, backtest: str) -> set[str]:
    return {s.subject for s in history.samples if s.facts.get("parent") == backtest}


def _same_moment(one: str, other: str) -> bool:
    first, second = _moment(one), _moment(other)
    return bool(first and second and abs((first - second).total_seconds()) <= SAME_MOMENT_S)


def _ended_at(history: History, backtest: str) -> str:
    """When the backtest ended by KTRDR's own clock; empty where no reading says so."""
    told = (s.facts.get("completed_at") for s in history.of("backend", backtest) if s.terminal)
    return str(next((t for t in told if t), ""))


def _mine(history: History) -> set[str]:
    """The ids of this run's own backtests."""
    own = [str(history.about.get(name, "")) for name in ("backtest", "next_backtest")]
    return {e.subject for e in history.events if e.subject} | {*own, *map(str, history.about.get("mine", ()))}


def does_not_come_back(history: History, backtest: str, limit_s: float) -> Judgement:
    """The cancelled work is not begun again under another id, on any worker, and leaves no child running.

    Only what began after the cancel and is the same work (symbol, timeframe, period, strategy) counts; where a record
    leaves the period open (contract, surprise 21), or nothing tells when it began, it is an observation.
    """
    expected = "the cancelled work does not come back under another id"
    sent, since_s = history.event("cancel_sent", backtest), _cancel_due_from(history, backtest)
    if sent is None or since_s is None or _nothing_to_cancel(history, backtest):
        reason = _nothing_to_cancel(history, backtest) or "the cancel has no answer yet"
        return Judgement("does not come back", "unknown", expected, reason)
    if handed := _handed_on(history, backtest, since_s + limit_s):
        return Judgement("does not come back", "violated", expected, handed[1], handed[0])
    mine, children = _mine(history), _children(history, backtest)
    before = {s.subject for s in history.samples if s.view in ("list", "other") and s.answered_s <= sent.at_s}
    looked = False
    doubtful: dict[str, str] = {}
    for s in history.samples:
        looked = looked or (s.view == "list" and s.asked_s > since_s)
        if s.view not in ("list", "other") or s.subject in mine or s.problem or s.asked_s < sent.at_s:
            continue
        where = f" on {s.facts['worker']}" if s.facts.get("worker") else ""
        if s.subject in children:
            if not s.terminal and s.status != MISSING and s.asked_s > since_s + limit_s:
                seen = f"its child {s.subject} is {_state(s)}{where} {s.asked_s - since_s:.1f} s after the cancel"
                return Judgement("does not come back", "violated", expected, seen, s.answered_s)
            continue
        if s.view == "list" or s.subject in before or (began := _began_after(history, backtest, s)) is False:
            continue
        same = _same_work(history, s)
        if same and began:
            seen = f"{s.subject} does the same work{where}: it was begun after the cancel, and was {_state(s)} "
            seen += f"{s.asked_s - sent.at_s:.1f} s after it"
            return Judgement("does not come back", "violated", expected, seen, s.answered_s)
        if same is not False:
            told = f"{s.subject} has the same symbol, timeframe and strategy"
            doubtful[s.subject] = f"{told}, and was begun after the cancel; its period is not told."
            if not began:
                doubtful[s.subject] = f"{told}; when it was begun is not told."
    if not looked:
        return Judgement(
            "does not come back", "unknown", expected, "the list of backtests was not read after the cancel"
        )
    observations = tuple(doubtful[other] for other in sorted(doubtful))
    return Judgement(
        "does not come back",
        "holds",
        expected,
        "nothing was begun after the cancel that is the same",
        None,
        observations,
    )


def _handed_on(history: History, backtest: str, late_s: float) -> tuple[float, str] | None:
    """When, and in which words, another worker than the backtest's was seen to have it after the limit."""
    worker = str(history.about.get("worker", ""))
    before = {s.subject for s in history.samples if s.view in _TELLING and s.asked_s <= late_s and _names(s, backtest)}
    for s in history.samples:
        if s.view in _TELLING and s.asked_s > late_s and s.subject not in {worker, *before} and _names(s, backtest):
            return s.asked_s, f"it was handed to another worker: {s.subject} is {s.status} with it"
    return None


def _names(s: Sample, backtest: str) -> bool:
    return s.facts.get("current_operation") == backtest


def _began_after(history: History, backtest: str, other: Sample) -> bool | None:
    """Whether another backtest, which was not there before the cancel, began after it; None where nothing tells.

    KTRDR's own times tell, or, where it has none, that it is active and the list from before the cancel did not say so.
    """
    answer = history.last_event("cancel_answered", backtest)
    cancelled = _moment((answer.facts.get("cancelled_at") if answer else None) or _ended_at(history, backtest))
    began = _moment(other.facts.get("created_at") or other.facts.get("started_at"))
    if began:
        return (began - cancelled).total_seconds() >= -SAME_MOMENT_S if cancelled else None
    sent = history.event("cancel_sent", backtest)
    listed = any(s.view == "list" and sent and s.answered_s <= sent.at_s for s in history.samples)
    return True if listed and not other.terminal else None


def _same_work(history: History, other: Sample) -> bool | None:
    """Whether another backtest is the same as the cancelled one; None where its period is not told."""
    payload = history.about.get("payload")
    if not isinstance(payload, dict):
        return False
    for name, field_name in (("symbol", "symbol"), ("timeframe", "timeframe"), ("strategy", "strategy_name")):
        told = other.facts.get(name)
        if told is None or told != payload.get(field_name):
            return False
    period = [(other.facts.get(name), str(payload.get(name))) for name in ("start_date", "end_date")]
    if any(told is None for told, _ in period):
        return None
    return all(str(told).startswith(asked) for told, asked in period)


def stays_up(history: History, backtest: str) -> Judgement:
    """The platform survives the cancel: from then on its backend answers, without an outage.

    One lost reading is a gap. An outage is a time in which every reading of the backend was refused or broken for
    ``DOWN_S``, or silent for ``SILENT_S``; one that also happened before the cancel is not its doing.
    """
    expected = "the system is stable: KTRDR goes on answering after the cancel"
    sent = history.event("cancel_sent", backtest)
    if sent is None or _cancel_due_from(history, backtest) is None:
        return Judgement("stays up", "unknown", expected, "no cancel was answered")
    outages = _outages_of_the_backend(history)
    after = [o for o in outages if o.until_s > sent.at_s]
    if not after:
        return Judgement("stays up", "holds", expected, "it answered all the time after the cancel")
    first = after[0]
    when = f"{max(0.0, first.from_s - sent.at_s):.1f} s after the cancel was sent"
    if first.over:
        seen = f"it did not answer for {first.until_s - first.from_s:.1f} s, from {when}: {first.words}"
    else:
        seen = f"it has not answered any more since {when} ({first.until_s - first.from_s:.1f} s now): {first.words}"
    if first.from_s < sent.at_s - SAME_MOMENT_S or len(after) < len(outages):
        return Judgement("stays up", "unknown", expected, f"{seen}; but it did not answer before the cancel either")
    if not first.over and first.until_s - first.from_s < GIVE_UP_S:
        return Judgement("stays up", "unknown", expected, f"{seen}; it may come back")
    return Judgement("stays up", "violated", expected, seen, first.from_s)


@dataclass(frozen=True)
class _Outage:
    from_s: float
    until_s: float
    words: str
    over: bool


def _outages_of_the_backend(history: History) -> list[_Outage]:
    return list(_outages(history, [s for s in history.samples if s.view in ("backend", "registry")]))


def _outages(history: History, readings: Iterable[Sample]) -> Iterable[_Outage]:
    """Each time in which none of these readings could be had; see ``stays_up``. A 429 is an answer."""
    lost: list[Sample] = []
    answered_s = -math.inf

    def outage(until_s: float, *, over: bool) -> Iterable[_Outage]:
        if len(lost) < 2:
            return
        # A request that hangs may have been sent long before: while it did, another was answered.
        from_s = max(answered_s, min(s.asked_s for s in lost))
        broken = sum(1 for s in lost if s.facts.get("refused") or "no answer within" not in (s.problem or ""))
        if lost[-1].answered_s - from_s >= (DOWN_S if broken >= 2 else SILENT_S):
            yield _Outage(from_s, until_s, lost[-1].problem or "", over)

    for s in readings:
        if not s.problem or s.facts.get("rate_limited"):
            yield from outage(max(s.asked_s, lost[-1].answered_s) if lost else 0.0, over=True)
            lost, answered_s = [], s.answered_s
        else:
            lost.append(s)
    yield from outage(history.until_s, over=False)


def all_can_be_stopped(history: History) -> Judgement:
    """Whatever else this run had to end (the new backtest, further ones) ended when it was cancelled."""
    expected = "this run's other backtests end as well when they are cancelled"
    asked = [e for e in history.events if e.kind == "clean_up"]
    ran_on = next((e for e in history.events if e.kind == "not_stopped"), None)
    if ran_on:
        return Judgement(
            "others can be stopped", "violated", expected, f"{ran_on.subject} {ran_on.facts.get('words')}", ran_on.at_s
        )
    if not asked:
        return Judgement("others can be stopped", "unknown", expected, "none had to be")
    return Judgement("others can be stopped", "holds", expected, f"{len(asked)} ended")


# --- the next backtest -----------------------------------------------------------------------------------------


def next_is_accepted(history: History, cancelled: str, limit_s: float = 5.0) -> Judgement:
    """The seed's "New backtest starts without issues": accepted in answer to one request, under a new id, in time."""
    expected = f"a new backtest is accepted at once, within {limit_s:.1f} s"
    answers = [e for e in history.events if e.kind in ("next_accepted", "next_refused")]
    if not answers:
        return Judgement("next accepted", "unknown", expected, "no new backtest was asked for")
    for e in answers:
        if e.kind == "next_refused":
            words = str(e.facts.get("words", "refused"))
            # A limit of requests, or a place that something else of this run holds, says nothing about the cancel.
            verdict: Verdict = "unknown" if e.facts.get("http") == 429 or e.facts.get("held_before") else "violated"
            return Judgement("next accepted", verdict, expected, words, e.at_s if verdict == "violated" else None)
        if e.subject == cancelled:
            seen = f"it was given the id of the cancelled one: {cancelled}"
            return Judgement("next accepted", "violated", expected, seen, e.at_s)
        took_s = float(e.facts.get("took_s", 0.0))
        seen = f"accepted after {took_s:.2f} s"
        if took_s > limit_s:
            return Judgement("next accepted", "violated", expected, seen, e.at_s)
    return Judgement("next accepted", "holds", expected, seen, figures={"next_accepted_s": took_s})


def next_runs(history: History, backtest: str, limit_s: float) -> Judgement:
    """It really runs: it moves (two rises, like the one before it) or completes, and has not failed by the end.

    ``success: true`` says little (contract, surprise 6). What the run's own clean-up does to it does not count.
    """
    expected = f"the new backtest really runs within {limit_s:.1f} s"
    accepted = history.event("next_accepted", backtest)
    if accepted is None:
        return Judgement("next runs", "unknown", expected, "no new backtest was accepted")
    since_s = accepted.at_s
    ended_by_us = history.event("clean_up", backtest)
    readings = [s for s in history.of("backend", backtest) if ended_by_us is None or s.answered_s <= ended_by_us.at_s]
    rises = _rises(readings)
    runs: Judgement | None = None
    before: Sample | None = None
    known = False
    for at, s in enumerate(readings, 1):
        after_s = s.answered_s - since_s
        if known and s.status == MISSING and (gone := _gone(readings[at - 1 :])):
            seen = f"KTRDR has no record of it any more (HTTP 404), {gone.answered_s - since_s:.1f} s after its start"
            return Judgement("next runs", "violated", expected, seen, gone.answered_s)
        if s.terminal and s.status != "completed":
            words = s.facts.get("error_message") or "no reason given"
            moved = f", after it had moved to {_percent(risen[-1])}" if (risen := _rises(readings[:at])) else ""
            seen = f'it was "{s.status}" {after_s:.2f} s after its start{moved}: {words}'
            return Judgement("next runs", "violated", expected, seen, s.answered_s)
        if other := _is_another(history, s):
            return Judgement("next runs", "violated", expected, other, s.answered_s)
        if runs is None and (s.status == "completed" or s in rises[1:]):
            seen = f"it was {_state(s)} {after_s:.2f} s after its start"
            told = _missing_at_first(readings[:at], since_s)
            runs = Judgement("next runs", "holds", expected, seen, None, told, {"next_runs_s": after_s})
            if unseen := _unseen(since_s, limit_s, before, s):
                runs = Judgement("next runs", "unknown", expected, f"{unseen} its start")
        if runs is None and s.asked_s > since_s + limit_s + _may_still_move_s(rises, s, since_s):
            seen = f"it was {_state(s)} after {s.asked_s - since_s:.1f} s ({_count(readings[:at])})"
            if s.status == MISSING:
                seen = f"KTRDR has no record of it (HTTP 404) {s.asked_s - since_s:.1f} s after its start"
            if s.status == "running" and rises:
                seen = (
                    f"it stood still: {_state(s)} for {s.asked_s - rises[0].answered_s:.1f} s ({_count(readings[:at])})"
                )
            return Judgement("next runs", "violated", expected, seen, s.asked_s)
        known = known or s.status != MISSING
        before = s
    if runs:
        return runs
    last = _not_known_yet(history, "backend", backtest)
    return Judgement("next runs", "unknown", expected, f"it has not been seen to move: {last}")


def _is_another(history: History, s: Sample) -> str:
    """What the record or the result of the new backtest tells that is not what was asked for; empty where all is."""
    payload = history.about.get("next_payload")
    if not isinstance(payload, dict):
        return ""
    for part, words in (("", "its record"), ("result_", "its result")):
        for name in ("symbol", "timeframe", "start_date", "end_date"):
            told, asked = s.facts.get(f"{part}{name}"), str(payload.get(name))
            if told is not None and not str(told).startswith(asked):
                return f"{words} is another's: it has {name.replace('_', ' ')} {told}, and {asked} was asked for"
    return ""


# --- the witnesses ---------------------------------------------------------------------------------------------


def names_of(history: History, worker: str, backtest: str) -> set[str]:
    """The ids under which the worker may know the backtest: KTRDR's proxies allow it one of its own.

    That is an id which the backend does not have, and which the worker was busy with while the backtest ran, or began
    when it began.
    """
    started, sent = history.event("start_sent", backtest), history.event("cancel_sent", backtest)
    began = next((m for s in history.of("backend", backtest) if (m := _moment(s.facts.get("started_at")))), None)
    names = {backtest}
    for s in history.of("health", worker):
        own = s.facts.get("current_operation")
        if not own or not s.facts.get("unlisted") or started is None or s.answered_s < started.at_s:
            continue
        own_began = _moment(s.facts.get("began_at"))
        as_one = began and own_began and abs((began - own_began).total_seconds()) <= SAME_START_S
        if as_one or (own_began is None and (sent is None or s.answered_s <= sent.at_s)):
            names.add(str(own))
    return names


def worker_let_go(history: History, worker: str, backtest: str, limit_s: float) -> Judgement:
    """The worker's own view of the backtest is terminal and its health no longer names it, in time.

    ``completed`` is not stopped: it is the proof that the cancel did not reach it, unless it was about to end anyway.
    """
    expected = f"{_whose(worker)} has stopped the backtest within {limit_s:.1f} s of the cancel"
    since_s = _cancel_due_from(history, backtest)
    if since_s is None:
        return Judgement("worker stopped", "unknown", expected, "no cancel was answered")
    if another := _another_worker(history, backtest):
        return Judgement("worker stopped", "unknown", expected, another, final=True)
    dead = _gone_for_good(history, worker, backtest, since_s)
    if dead:
        return Judgement("worker stopped", "violated", expected, dead[1], dead[0])
    names = names_of(history, worker, backtest)
    sent = history.event("cancel_sent", backtest)
    sent_s = sent.at_s if sent else since_s
    views = [s for s in history.of("worker", backtest) if s.asked_s > since_s]
    health = [s for s in history.of("health", worker) if s.asked_s > since_s]
    completed = next((s for s in views if s.status == "completed"), None)
    if completed and (why := _held_against(history, backtest, completed, limit_s)):
        after_s = completed.answered_s - sent_s
        seen = f'its own view says "completed", seen {after_s:.2f} s after the cancel: it computed on to its end, although {why}'
        return Judgement("worker stopped", "violated", expected, seen, completed.answered_s)
    late_view = next(
        (s for s in views if not s.terminal and s.status != MISSING and s.asked_s > since_s + limit_s), None
    )
    if late_view:
        seen = f"its own view still says {_state(late_view)} {late_view.asked_s - since_s:.1f} s after the cancel"
        return Judgement("worker stopped", "violated", expected, seen, late_view.asked_s)
    late_health = next(
        (s for s in health if s.facts.get("current_operation") in names and s.asked_s > since_s + limit_s), None
    )
    if late_health:
        seen = f"its health still names the backtest {late_health.asked_s - since_s:.1f} s after the cancel"
        return Judgement("worker stopped", "violated", expected, seen, late_health.asked_s)
    if completed:
        return Judgement("worker stopped", "unknown", expected, _race(history, backtest, completed), final=True)
    quiet_view = _settled(views, lambda s: s.terminal or s.status == MISSING)
    quiet_health = _settled(health, lambda s: not _holds_on(s, names))
    if not quiet_view or not quiet_health:
        lacking = "view of the backtest" if not quiet_view else "health"
        seen = f"no reading yet of the worker's {lacking} at rest"
        if not history.of("worker", backtest) and not history.of("health", worker):
            seen = "the worker could not be asked"
        return Judgement("worker stopped", "unknown", expected, seen)
    for readings, quiet in ((views, quiet_view), (health, quiet_health)):
        before = next((s for s in reversed(readings) if s.answered_s < quiet.answered_s), None)
        if unseen := _unseen(since_s, limit_s, before, quiet):
            return Judgement("worker stopped", "unknown", expected, f"{unseen} the answer to the cancel")
        if quiet.answered_s > _ends_by_itself_s(history, backtest):
            return Judgement("worker stopped", "unknown", expected, _too_late_to_tell(history, backtest), final=True)
    idle_s = max(quiet_view.answered_s, quiet_health.answered_s) - sent_s
    state = "forgotten" if quiet_view.status == MISSING else quiet_view.status
    seen = f"its own view says {state}, and its health is {quiet_health.status}, within {idle_s:.2f} s of the cancel"
    return Judgement("worker stopped", "holds", expected, seen, figures={"worker_idle_s": idle_s})


def processor_is_quiet(history: History, worker: str, backtest: str, limit_s: float) -> Judgement:
    """From the limit on at the latest, the worker's processor is near what it was idle.

    The only witness that every HTTP view can be wrong against (contract, surprises 9 and 20). Rates are in cores (1.0
    is one core in full use). What is allowed does not depend on what the backtest used: a third of its speed is not
    stopped. Time in which the worker runs something else proves nothing and is left out.
    """
    name, expected = (
        "processor quiet",
        f"the processor of {_whose(worker)} is quiet within {limit_s:.1f} s of the cancel",
    )
    since_s = _cancel_due_from(history, backtest)
    started, sent = history.event("start_sent", backtest), history.event("cancel_sent", backtest)
    readings = [s for s in history.of("processor", worker) if s.cpu_s is not None and math.isfinite(s.cpu_s)]
    if since_s is None or sent is None or started is None or not readings:
        return Judgement(name, "unknown", expected, _not_heard(history, worker) or "its processor time was not read")
    if another := _another_worker(history, backtest):
        return Judgement(name, "unknown", expected, another, final=True)
    idle, busy = _idle_and_busy(history, worker, backtest)
    used = busy[0] - idle if busy else 0.0
    allowed = idle + QUIET_MARGIN
    after = [s for s in readings if s.asked_s >= since_s]
    compared = f"idle before {idle:.2f}" + (f", the backtest {busy[0]:.2f}" if busy else "")
    figures = {"idle_cores": idle, "busy_cores": busy[0] if busy else 0.0, "allowed_cores": allowed}

    def told(
        verdict: Verdict, rate: tuple[float, float], words: str, at_s: float | None = None, *, final: bool = False
    ) -> Judgement:
        seen = f"it used {rate[0]:.2f} cores over {rate[1]:.1f} s ({compared}){words}"
        return Judgement(name, verdict, expected, seen, at_s, (), {**figures, "after_cores": rate[0]}, final)

    late = _undisturbed(history, worker, backtest, [s for s in after if s.asked_s >= since_s + limit_s], surely=True)
    if noisy := next((r for stretch in late if (r := _computes_on(stretch, allowed))), None):
        return told("violated", noisy, ": something computes on, whatever the answers say", since_s + limit_s)
    stretches = _undisturbed(history, worker, backtest, after)
    ends_s = _ends_by_itself_s(history, backtest)
    quiet = next((r for stretch in stretches if (r := _quiet_stretch(stretch, allowed, ends_s))), None)
    if quiet:
        # Cancelled at once it had no time to show what it uses; on a busy host nothing can show it either.
        shown = history.about.get("cancelled_at_once") and history.about.get("load_per_core", 0.0) <= BUSY_HOST
        if used < TELLING_CONTRAST and not shown:
            words = ": the backtest used too little to tell a stopped one from a running one"
            # Something that computes on may still show.
            final = history.until_s >= since_s + limit_s + NOISY_SPAN_S
            return told("unknown", quiet, words, final=final)
        return told("holds", quiet, "")
    rate = _rate(stretches[-1]) if stretches else None
    if rate and history.until_s > ends_s and rate[0] <= allowed:
        return told("unknown", rate, f": {_too_late_to_tell(history, backtest)}", final=True)
    if rate is None:
        seen = _not_heard(history, worker) if len(after) < 2 else ""
        seen = seen or "its processor time was not read after the cancel while the worker had nothing else to do"
        return Judgement(name, "unknown", expected, seen, figures=figures)
    return told("unknown", rate, ", not yet quiet for long enough to tell")


def was_heard_busy(processor: Judgement) -> bool:
    """Whether a processor that could not be called quiet was heard after the cancel, and was not quiet."""
    return processor.unknown and processor.figures.get("after_cores", 0.0) > processor.figures.get("allowed_cores", 9e9)


def _not_heard(history: History, worker: str) -> str:
    """That a processor within reach at the preflight was not heard after the cancel; empty where it was not in reach."""
    within = history.about.get("witnesses")
    if not isinstance(within, dict) or not within.get(worker):
        return ""
    lost = history.problems("processor", worker)
    why = f": {lost[-1].problem}" if lost else ""
    return f"its processor time was within reach at the preflight, and was not heard after the cancel{why}"


def _computes_on(stretch: Sequence[Sample], allowed: float) -> tuple[float, float] | None:
    """The rate, and its span, where a stretch of readings shows a process that goes on computing; else None.

    It does where the rate between neighbours stays above what is allowed for ``NOISY_SPAN_S``, or is above it so long
    in all within ``STEADY_SPAN_S``, and on the mean of that time as well. One busy moment may be housekeeping.
    """
    begin = 0
    busy: list[tuple[int, float]] = []
    for at in range(1, len(stretch)):
        pair = _rate(stretch[at - 1 : at + 1])
        if pair is None or pair[0] <= allowed:
            begin = at
        else:
            busy.append((at, pair[1]))
            rate = _rate(stretch[begin : at + 1])
            if rate and rate[1] >= NOISY_SPAN_S and at - begin >= 2:
                return rate
        for first in range(at - 1, -1, -1):
            mean = _rate(stretch[first : at + 1])
            if mean and mean[1] >= STEADY_SPAN_S:
                if mean[0] > allowed and sum(span_s for n, span_s in busy if n > first) >= NOISY_SPAN_S:
                    return mean
                break
    return None


def _quiet_stretch(stretch: Sequence[Sample], allowed: float, before_s: float) -> tuple[float, float] | None:
    """The rate, and its span, of the part of a stretch in which the processor was quiet, if that began in time.

    It reaches to the end of the stretch, and shows a stopped backtest only if it was quiet before it would have ended.
    """
    for at in range(len(stretch)):
        whole = _rate(stretch[at:])
        if whole is None or whole[1] < QUIET_SPAN_S or whole[0] > allowed:
            continue
        in_time = [s for s in stretch[at:] if s.answered_s <= before_s]
        early = _rate(in_time)
        return whole if early and early[1] >= QUIET_SPAN_S else None
    return None


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
            seen = f"the worker is no longer registered {s.asked_s - since_s:.1f} s later"
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
    seen = f"it was {free.status} within {lag_s:.2f} s of the answer to the cancel"
    return Judgement("place free", "holds", expected, seen, None, note, {"place_free_s": lag_s})


def _whose(worker: str) -> str:
    return f"the worker {worker}" if worker else "its worker"


def _is_free(s: Sample, backtest: str) -> bool:
    if s.status in (MISSING, *NOT_TAKING_WORK):
        return False
    return not _holds_on(s, {backtest})


def _holds_on(s: Sample, names: Collection[str]) -> bool:
    """Whether a worker is told to have the backtest, by any of its names, or to be busy without a word of what with."""
    has = s.facts.get("current_operation")
    return has in names or (s.status == "busy" and has is None)


# --- reading a history -----------------------------------------------------------------------------------------


def _cancel_due_from(history: History, backtest: str) -> float | None:
    """When the limits after a cancel begin: at its answer (the seed sleeps after it), else when it was last lost.

    Not while a repeat is under way.
    """
    if answer := history.last_event("cancel_answered", backtest):
        return answer.at_s
    lost, sent = (history.last_event(kind, backtest) for kind in ("cancel_lost", "cancel_sent"))
    return lost.at_s if lost and not (sent and sent.at_s > lost.at_s) else None


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


def _missing_at_first(readings: Sequence[Sample], since_s: float) -> tuple[str, ...]:
    """For a replica that lags: how long the record of an accepted backtest was not there."""
    missing = [s for s in readings if s.status == MISSING]
    if not missing:
        return ()
    return (
        f"KTRDR had no record of the backtest (HTTP 404) for {missing[-1].answered_s - since_s:.1f} s after its start was accepted.",
    )


def _gone(readings: Sequence[Sample]) -> Sample | None:
    """Of readings that begin with a missing one: that which shows the record gone for ``COVERED_GAP_S``, if one does."""
    gone = itertools.takewhile(lambda s: s.status == MISSING, readings)
    return next((s for s in gone if s.asked_s - readings[0].asked_s >= COVERED_GAP_S), None)


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
    """Cores that the worker used before the start, and, with the span in seconds, from there to the cancel.

    Idle is what it used in its quietest time: an earlier backtest of this run may have run there before.
    """
    started, sent = history.event("start_sent", backtest), history.event("cancel_sent", backtest)
    began_s, until_s = started.at_s if started else 0.0, sent.at_s if sent else history.until_s
    readings = [s for s in history.of("processor", worker) if s.cpu_s is not None and math.isfinite(s.cpu_s)]
    before = [s for s in readings if s.answered_s <= began_s]
    quiet = [r[0] for pair in pairwise(before) if (r := _rate(pair)) and r[1] >= IDLE_SPAN_S / 2]
    whole = _rate(before)
    busy = _rate(s for s in readings if began_s < s.answered_s and s.asked_s <= until_s)
    return min(quiet, default=whole[0] if whole else 0.0), busy


def _undisturbed(
    history: History, worker: str, backtest: str, readings: Sequence[Sample], *, surely: bool = False
) -> list[list[Sample]]:
    """The stretches of readings in which the worker had no other operation: only they tell of this one.

    Another operation is told by the worker's health, by the registry, or by its own record. It may have begun, or
    gone on, between two readings of these. With ``surely`` a reading counts only where the next reading of the
    worker's health (of the registry, where its health is not read) was had and still names no other.
    """
    names = names_of(history, worker, backtest)

    def is_other(s: Sample) -> bool:
        """Whether a reading says that the worker has something else; an id that the backend does not have is not."""
        has = s.facts.get("current_operation")
        return has is not None and has not in names and not s.facts.get("unlisted")

    elsewhere = [
        s.answered_s
        for s in history.samples
        if (s.subject == worker and s.view in _TELLING and is_other(s))
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
        busy = busy or any(is_other(t) for t in last)
        unsure = surely and bool(told) and following is None
        parted = before is not None and any(before.asked_s <= at_s <= s.answered_s for at_s in elsewhere)
        if parted:
            stretches.append([])
        if not busy and not unsure:
            stretches[-1].append(s)
        before = s
    return [stretch for stretch in stretches if stretch]


def who_is_gone(history: History, backtest: str, worker: str) -> str:
    """That KTRDR, or the worker of the backtest, does not answer of late, or nothing. For giving up before the cancel."""
    silent = next((o for o in _outages_of_the_backend(history) if not o.over), None)
    if silent:
        return f"KTRDR itself is gone: it has not answered for {silent.until_s - silent.from_s:.1f} s: {silent.words}"
    readings = [s for s in history.samples if s.view == "health" and s.subject == worker]
    answered_s = max((s.answered_s for s in readings if not s.facts.get("refused")), default=0.0)
    refused = [s for s in readings if s.facts.get("refused") and s.asked_s >= answered_s]
    if len(refused) >= 3 and (gone_s := refused[-1].answered_s - refused[0].asked_s) >= DOWN_S:
        return f"the worker {worker} is gone: it refuses connections for {gone_s:.1f} s now"
    return ""


def _another_worker(history: History, backtest: str) -> str:
    """Why what answers at the worker's address is no witness, or nothing: it did not know of the running backtest.

    A published port may belong to another worker, or to another sandbox's (contract, surprise 16).
    """
    sent = history.event("cancel_sent", backtest)
    views = [s for s in history.of("worker", backtest) if sent and s.answered_s <= sent.at_s]
    if not views or any(s.status != MISSING for s in views):
        return ""
    worker = str(history.about.get("worker", ""))
    if len(names_of(history, worker, backtest)) > 1:
        return ""
    return (
        "what answers at the worker's address did not know of the running backtest, so it is another worker; "
        "say where this one is under [workers] in the target file"
    )


def _gone_for_good(history: History, worker: str, backtest: str, since_s: float) -> tuple[float, str] | None:
    """When, and in which words, the worker's process went down with the cancel; None where it stayed up.

    It answered once, and then refused one connection after the other, or was silent on every way of asking it, or was
    started anew again and again (its counter of processor time began anew).
    """
    answered = False
    for a, b in pairwise(s for s in history.samples if s.view == "health" and s.subject == worker):
        answered = answered or not a.problem
        if answered and a.asked_s > since_s and a.facts.get("refused") and b.facts.get("refused"):
            return a.asked_s, "its process is gone: it refuses connections since the cancel"
    asked = [
        s for s in history.samples if (s.view, s.subject) in (("worker", backtest), *((v, worker) for v in _OF_WORKER))
    ]
    if any(not s.problem and s.answered_s <= since_s for s in asked):
        for outage in _outages(history, asked):
            if outage.until_s > since_s and outage.from_s >= since_s - SILENT_S:
                words = f"its process does not answer: nothing came for {outage.until_s - outage.from_s:.1f} s: {outage.words}"
                return outage.from_s, words
    anew = [b for a, b in pairwise(history.of("processor", worker)) if b.asked_s > since_s and _cpu_s(b) < _cpu_s(a)]
    if len(anew) > 1:
        return anew[1].asked_s, f"its process was started anew {len(anew)} times after the cancel"
    return None


_OF_WORKER: tuple[View, ...] = ("health", "processor")


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
