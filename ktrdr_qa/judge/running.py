"""While it runs: it is running in time, it moves, and it still ran when it was cancelled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import (
    COVERED_GAP_S,
    before_cancel,
    counted,
    gone_from,
    height_of,
    may_still_move_s,
    missing_at_first,
    not_known_yet,
    percent_of,
    rises_in,
    state_of,
    unwatched,
)
from ktrdr_qa.platform.statuses import KNOWN, MISSING
from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.words import percent

COARSE = 5.0
"""Percent: steps as wide as this tell little of a backtest that lasts for minutes. KTRDR's are bars (contract, surprise 3)."""


def is_running(history: History, backtest: str, limit_s: float) -> Judgement:
    """The seed's "Wait and Verify Running": KTRDR calls it running in time after the start was answered."""
    rule = Rule("running", f"the backtest is running within {limit_s:.1f} s of its start")
    started = history.event("start_answered", backtest)
    if started is None:
        return rule.unknown("it was not started")
    since_s = started.at_s
    readings = history.of("backend", backtest)
    before: Sample | None = None
    for at, s in enumerate(readings, 1):
        if s.status == "running":
            if unseen := unwatched(since_s, limit_s, before, s):
                return rule.unknown(f"{unseen} its start")
            seen = f"it was running {s.answered_s - since_s:.2f} s after the start"
            return rule.holds(seen, missing_at_first(readings[: at - 1], since_s))
        if s.terminal:
            return rule.unknown(f"it was {state_of(s)} before it was seen running")
        if s.asked_s > since_s + limit_s and s.status == MISSING:
            seen = f"KTRDR has no record of it (HTTP 404) {s.asked_s - since_s:.1f} s after the start"
            return rule.violated(seen, s.asked_s)
        if s.asked_s > since_s + limit_s:
            strange = "" if s.status in KNOWN else ", which is no status that KTRDR documents"
            seen = f"it was {state_of(s)}{strange} {s.asked_s - since_s:.1f} s after the start"
            return rule.violated(f"{seen} ({counted(readings[:at])})", s.asked_s)
        before = s
    return rule.unknown(not_known_yet(history, backtest))


def is_moving(history: History, backtest: str, limit_s: float) -> Judgement:
    """The seed's "percentage: > 0", watched for long enough to see it rise as well.

    Two rises are needed, because the time between them says how long "frozen" has to be watched later.
    Violated at once by a percentage that cannot be right, by one that falls, or by a status that goes back. Where a shorter
    one before it moved in steps of ``COARSE``, the first step of a longer one may come after the limit.
    """
    rule = Rule("moving", f"its progress is above 0 % and moving within {limit_s:.1f} s")
    started = history.event("start_answered", backtest)
    if started is None:
        return rule.unknown("it was not started")
    since_s = started.at_s
    readings = before_cancel(history, backtest)
    if wrong := _wrong_while_running(readings):
        sample, seen = wrong
        return rule.violated(seen, sample.answered_s)
    rises = rises_in(readings)
    before: Sample | None = None
    for at, s in enumerate(readings, 1):
        if s in rises[1:]:
            if unseen := unwatched(since_s, limit_s, before, s):
                return rule.unknown(f"{unseen} its start")
            break
        if s.terminal:
            return rule.unknown(f"it was {state_of(s)} before it was seen moving")
        if s.asked_s > since_s + limit_s + may_still_move_s(rises, s, since_s):
            if coarse := _coarse_steps(history, since_s):
                return rule.unknown(f"{_standing_still(readings[:at], limit_s)}; {coarse}", final=True)
            return rule.violated(_standing_still(readings[:at], limit_s), s.asked_s)
        before = s
    else:
        return rule.unknown(not_known_yet(history, backtest))
    first, last = rises[0], rises[-1]
    first_s = first.answered_s - since_s
    seen = f"it rose from {percent_of(first)} to {percent_of(last)} in {len(rises)} steps, the first {first_s:.1f} s after the start"
    return rule.holds(seen, figures={"first_progress_s": first_s})


def _coarse_steps(history: History, since_s: float) -> str:
    """That a backtest which was started before ``since_s`` moved in coarse steps, in words; empty where none did."""
    earlier = (e.subject for e in history.events if e.kind == "start_answered" and e.at_s < since_s)
    for other in earlier:
        heights = [0.0, *(height_of(s) for s in rises_in(history.of("backend", other)))]
        if len(heights) > 2 and (step := min(b - a for a, b in pairwise(heights))) >= COARSE:
            return f"a shorter one moved in steps of {percent(step)}: too coarse to tell for a longer one by then"
    return ""


def _standing_still(readings: Sequence[Sample], limit_s: float) -> str:
    last, rises = readings[-1], rises_in(readings)
    running = [s for s in readings if s.status == "running"]
    if running and not any(s.percentage is not None for s in running):
        return f"its percentage was null in every reading while it ran ({counted(running)})"
    if not rises:
        return f"it never rose above 0 % in {limit_s:.1f} s: {state_of(last)} ({counted(readings)})"
    return f"it stood still: {state_of(last)} for {last.asked_s - rises[-1].answered_s:.1f} s"


def _wrong_while_running(readings: Sequence[Sample]) -> tuple[Sample, str] | None:
    """The first reading that no healthy KTRDR gives of a running backtest, and what is wrong with it.

    Progress has fallen where it stays below what it was for ``COVERED_GAP_S``: of several replicas one may lag.
    """
    highest: Sample | None = None
    fallen: Sample | None = None
    ran_since_s = math.inf
    for at, s in enumerate(readings):
        ran = s.answered_s > ran_since_s
        if s.status == MISSING:
            if ran and (gone := gone_from(readings[at:])):
                return gone, "KTRDR lost the record of the running backtest (HTTP 404)"
            continue
        if s.status == "resuming":
            highest = fallen = None
        # At first a replica that lags may still tell what was before: no progress either.
        if ran and s.status == "pending" and (s.percentage or s.asked_s > ran_since_s + COVERED_GAP_S):
            return s, 'it went back from "running" to "pending"'
        if ran and s.status not in KNOWN:
            return s, f'it went from "running" to "{s.status}", which is no status that KTRDR documents'
        if s.status != "running":
            continue
        ran_since_s = min(ran_since_s, s.answered_s)
        if raw := s.facts.get("percentage_problem"):
            return s, f"its percentage cannot be right: {raw}"
        if s.percentage is None:
            continue
        if highest is None or s.percentage >= height_of(highest):
            highest, fallen = s, None
            continue
        fallen = fallen or s
        if s.asked_s - fallen.asked_s >= COVERED_GAP_S:
            fell = f"{percent(height_of(highest), s.percentage)} to {percent(s.percentage, height_of(highest))}"
            return s, f"its progress fell from {fell} while it ran"
    return None


def was_running(history: History, backtest: str) -> Judgement:
    """The seed's first sanity check: running, and above 0 %, in the last reading before the cancel.

    Of several replicas one may lag: what was read at most ``COVERED_GAP_S`` earlier counts as well.
    """
    rule = Rule("was running", "the backtest was running, above 0 %, when the cancel was sent")
    # A record that is gone for a moment is a replica's lag; for longer it is ``is_moving``'s matter.
    readings = [s for s in before_cancel(history, backtest) if s.status != MISSING]
    if not history.event("cancel_sent", backtest):
        return rule.unknown("no cancel was sent")
    if not readings:
        return rule.unknown("no reading was had before the cancel")
    last = readings[-1]
    seen = f"it was {state_of(last)} in the last reading before the cancel"
    if last.terminal:
        return rule.unknown(seen)
    for s in reversed(readings):
        if s.status == "running" and height_of(s) > 0 and s.answered_s >= last.asked_s - COVERED_GAP_S:
            return rule.holds(f"it was running at {percent_of(s)}", figures={"cancelled_at_percent": height_of(s)})
    if last.status == "running":
        seen = f"it was running, but still at {percent_of(last)}"
    return rule.violated(seen, last.answered_s)
