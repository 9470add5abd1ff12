"""After its end: it stays cancelled and frozen, is not completed, and its record says when it ended."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.pace import ends_by_itself_s, frozen_window_s, held_against, race, too_late_to_tell
from ktrdr_qa.judge.reading import (
    COVERED_GAP_S,
    ONE_OF_SEVERAL_ANSWERED,
    SAME_MOMENT_S,
    apart_s,
    before_cancel,
    cancel_due_from,
    counted,
    end_and_after,
    ended_at,
    gone_from,
    height_of,
    longest_step_s,
    percent_of,
    rises_in,
    state_of,
)
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.words import moment_of, percent

CLOCK_SLACK_S = 5.0
"""So much a platform's clock may be set anew while a backtest runs, and its two times of it be apart for that."""
WHOLE_SECONDS_S = 1.0
"""Two times that are told in whole seconds may be the same for so long; others are not where it was read twice, since a
clock is not set back to the very same time."""
COMES_AND_GOES = 3
"""So many times a record that is gone for a moment is no accident, and no view that lags either."""
LAGS_S = 2.0
"""A view that lags shows what was by so much before its last reading at the most."""
DONE = 99.9
"""Percent from which on a backtest looks as if it were completed."""
_DIGITS = re.compile(r"\d+")
RECORD_SETTLES_S = 0.5
"""How long after its status a record may be completed by the time of the end."""


def stays_cancelled(history: History, backtest: str, limit_s: float = 2.0) -> Judgement:
    """No reading after the first terminal one says anything else: not running, not completed, not gone.

    A view that lags may show once more what was, within the limit of the cancel (a replica); it has to come right.
    """
    rule = Rule("stays cancelled", "it stays cancelled")
    ended = end_and_after(history, backtest)
    if isinstance(ended, str):
        return rule.unknown(ended)
    end, after = ended
    if end.status == "completed":
        if not held_against(history, backtest, end, limit_s):
            return rule.unknown(race(history, backtest, end), final=True)
        return rule.violated(f"it was {state_of(end)} instead", end.answered_s)
    due_s = (cancel_due_from(history, backtest) or end.answered_s) + limit_s
    ran = [s for s in before_cancel(history, backtest) if s.status == "running"]
    lagged, gaps = 0, 0
    odd: list[Sample] = []
    missing: list[Sample] = []
    for s in after:
        if s.status == end.status:
            lagged, odd, missing = lagged + len(odd), [], []
            continue
        gaps += not missing and s.status == MISSING and s.asked_s > due_s
        if gaps >= COMES_AND_GOES:
            later_s = s.answered_s - end.answered_s
            return rule.violated(
                f"its record comes and goes: HTTP 404 once more {later_s:.1f} s after the end", s.answered_s
            )
        if odd and (anew := [r for r in (odd[-1], s) if _is_anew(ran, r)])[1:]:
            return rule.violated(_what_it_turned_to(history, (end, *after), anew[0]), anew[1].answered_s)
        odd.append(s)
        missing = [*missing, s] if s.status == MISSING else []
        if gone_from(missing) if missing else s.terminal or s.asked_s > due_s:
            first = next(o for o in odd if o.status == s.status)
            return rule.violated(_what_it_turned_to(history, (end, *after), first), first.answered_s)
    if other := _other_reason(history, end, after):
        return rule.violated(other[1], other[0].answered_s)
    if odd:
        return rule.unknown(f"last {state_of(odd[-1])}; it may come right")
    if not after:
        return rule.unknown("no further reading was had")
    told = (f"{lagged} readings after the cancel still showed what was before it: a view that lags.",) if lagged else ()
    stayed_s = after[-1].answered_s - end.answered_s
    return rule.holds(f'it stayed "{end.status}" for {stayed_s:.1f} s ({counted(after)})', told)


def _other_reason(history: History, end: Sample, after: Sequence[Sample]) -> tuple[Sample, str] | None:
    """The reading from which on the record gives another reason for its end, for good, with the words for it.

    Where nothing else was done to it: what further cancels, and a restart, make of it is asked by rules of their own.
    """
    if any(e.kind in ("second_cancel_answered", ONE_OF_SEVERAL_ANSWERED, "restart_begun") for e in history.events):
        return None
    settled = [
        s for s in after if s.terminal and s.asked_s >= end.answered_s + COVERED_GAP_S and not s.facts.get("in_list")
    ]
    reasons = [s.facts.get("error_message") for s in settled]
    was, before, now = next(iter(reasons), None), reasons[-2:-1], reasons[-1:]
    if not was or was in now or before != now:
        return None
    first = next(s for s in settled if s.facts.get("error_message") in now)
    after_s = first.answered_s - end.answered_s
    return first, f"its error_message changed from {was!r} to {now[0]!r}, {after_s:.1f} s after it had ended"


def _is_anew(ran: Sequence[Sample], s: Sample) -> bool:
    """Whether a reading is none of what was before the end, as a view that lags shows it: it never was as low in its last time."""
    if s.status != "running" or s.percentage is None or not ran:
        return False
    last = [r for r in ran if r.answered_s >= ran[-1].asked_s - LAGS_S and r.percentage is not None]
    return bool(last) and height_of(s) < min(map(height_of, last))


def _what_it_turned_to(history: History, readings: Sequence[Sample], turned: Sample) -> str:
    """The words for a backtest that did not stay as it ended; ``readings`` begin with its end."""
    end, since_s = readings[0], turned.answered_s - readings[0].answered_s
    if turned.status == MISSING:
        return f'its record is gone (HTTP 404), {since_s:.1f} s after it was "{end.status}"'
    seen = f'it turned from "{end.status}" to {state_of(turned)}, {since_s:.1f} s later'
    following = history.event("next_accepted", str(history.about.get("next_backtest")))
    before = readings[readings.index(turned) - 1]
    if following and before.answered_s <= following.at_s:
        # It may be seen before the answer to the start is here.
        asked_s = following.at_s - following.facts.get("took_s", 0.0)
        if asked_s <= turned.answered_s:
            seen += ", in the first reading after the new backtest was started"
    return seen


def is_frozen(history: History, backtest: str, least_s: float, updates: float = 3, limit_s: float = 2.0) -> Judgement:
    """No reading after the first terminal one rises above it, nor above a later one, for the whole window.

    Only time that readings cover counts; a fall to 0 is KTRDR's way of ending a backtest (contract, surprise 4).
    What a view that lags shows once more of before the cancel, within ``limit_s`` of its answer, is left out.
    """
    window_s = frozen_window_s(history, backtest, least_s, updates)
    step_s = longest_step_s(before_cancel(history, backtest))
    rule = Rule("frozen", f"its progress is frozen for at least {window_s:.1f} s after the cancel")
    ended = end_and_after(history, backtest)
    if isinstance(ended, str):
        return rule.unknown(ended)
    end, after = ended
    ran = [s for s in history.of("backend", backtest) if s.answered_s < end.answered_s and s.percentage is not None]
    due_s = (cancel_due_from(history, backtest) or end.answered_s) + limit_s
    after = [s for s in after if s.terminal or s.asked_s > due_s or _jump_at_the_end(ran, s)]
    if moves := _how_it_moves(ran, end, after):
        sample, seen = moves
        return rule.violated(seen, sample.answered_s)
    ends_s = ends_by_itself_s(history, backtest)
    covered_s = _covered_s([s for s in (end, *after) if s.answered_s <= ends_s], max(COVERED_GAP_S, step_s))
    if covered_s < window_s and history.until_s > ends_s:
        return rule.unknown(too_late_to_tell(history, backtest), final=True)
    if covered_s < window_s:
        seen = f"only {covered_s:.1f} s of the {window_s:.1f} s are covered by readings ({counted(after)})"
        return rule.unknown(seen)
    missed = int(covered_s / step_s) if step_s else 0
    lost: tuple[str, ...] = ()
    if ran and height_of(ran[-1]) > 0 and not end.percentage:
        now = percent_of(end) if end.percentage is not None else "nothing"
        lost = (f"The record of progress was lost: {percent_of(ran[-1])} before the cancel, {now} after it.",)
    seen = f"it did not move for {covered_s:.1f} s, in which {missed} updates were due"
    figures = {"frozen_s": covered_s, "updates_due": float(missed), "longest_step_s": step_s}
    return rule.holds(seen, lost, figures)


def _how_it_moves(ran: Sequence[Sample], end: Sample, after: Sequence[Sample]) -> tuple[Sample, str] | None:
    """The reading which shows that the progress of an ended backtest is not frozen, with the words for it."""
    if jump := _jump_at_the_end(ran, end):
        return end, jump
    for s in (end, *after):
        if problem := s.facts.get("percentage_problem"):
            return s, f"its percentage cannot be right: {problem}"
    if risen := _rises_after(end, after):
        return risen[0][1], _how_it_rose(end, risen)
    # A row of the list tells less than the record, and what comes within a second may be about the end itself.
    told = [s for s in after if s.terminal and s.asked_s >= end.answered_s + COVERED_GAP_S]
    told = [s for s in told if not s.facts.get("in_list")]
    moves = how_it_goes_on(told) or _how_its_step_comes_back(ran, told)
    return (moves[0], f"{moves[1]} {moves[0].answered_s - end.answered_s:.1f} s after it had ended") if moves else None


def how_it_goes_on(ended: Sequence[Sample]) -> tuple[Sample, str] | None:
    """The reading which shows that a record which says that it has ended is still at work, with the words for it."""
    return _how_it_falls(ended) or _how_it_counts_on(ended) or _how_its_step_goes_on(ended)


def _how_it_falls(told: Sequence[Sample]) -> tuple[Sample, str] | None:
    """Progress may fall to 0 once; what falls again and again is moving as well."""
    fallen = [(a, b) for a, b in pairwise(s for s in told if s.percentage is not None) if height_of(b) < height_of(a)]
    if len(fallen) < 2:
        return None
    first, last = fallen[0][0], fallen[1][1]
    return last, f"its progress goes on falling, from {percent_of(first)} to {percent_of(last)} by"


def _how_it_counts_on(told: Sequence[Sample]) -> tuple[Sample, str] | None:
    for earlier, s in pairwise(told):
        low, high = (_number_of(r.facts.get("items_processed")) for r in (earlier, s))
        if high > low:
            return s, f"it counts on, from {low:,.10g} to {high:,.10g} items,"
    return None


def _how_its_step_goes_on(told: Sequence[Sample]) -> tuple[Sample, str] | None:
    """One word more may be the platform's own about the end; what says one after the other is at work."""
    steps = [(s, str(s.facts.get("current_step") or "")) for s in told]
    turns = [(was, step, s) for (_, was), (s, step) in pairwise(steps) if step and step != was]
    if len(turns) < 2:
        return None
    return turns[1][2], f'its current step goes on, from "{turns[0][0]}" to "{turns[1][1]}" by'


def _how_its_step_comes_back(ran: Sequence[Sample], told: Sequence[Sample]) -> tuple[Sample, str] | None:
    """What an ended record says anew that is, but for its numbers, what it said while it ran."""

    def form(s: Sample) -> str:
        return _DIGITS.sub("#", str(s.facts.get("current_step") or ""))

    forms = {form(s) for s in ran} - {""}
    for was, s in pairwise(told):
        if form(s) in forms and form(was) != form(s):
            return s, f'its current step is "{s.facts["current_step"]}" again,'
    return None


def _number_of(told: Any) -> float:
    """A count that a record tells; what is no number counts nothing."""
    return float(told) if isinstance(told, int | float) and math.isfinite(told) else 0.0


def _jump_at_the_end(ran: Sequence[Sample], end: Sample) -> str | None:
    """Progress in the first terminal reading that the backtest cannot have made since the one before it."""
    rises = rises_in(ran)
    if end.percentage is None or len(rises) < 2:
        return None
    last = ran[-1]
    steepest = max(height_of(b) - height_of(a) for a, b in pairwise(rises))
    steps = (end.answered_s - last.asked_s) / max(longest_step_s(ran), 1e-3) + 2
    if end.percentage <= height_of(last) + steepest * steps:
        return None
    return f'it jumped from {percent_of(last)} to {percent_of(end)} when it became "{end.status}"'


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
    low, high = percent(base, first.percentage), percent(height_of(first), base)
    after_s = f"{first.answered_s - end.answered_s:.1f} s after it had ended"
    if height_of(first) >= DONE:
        return f"it jumped from {low} to {high}, {after_s}"
    if len(risen) == 1:
        return f"it rose once, from {low} to {high}, {after_s}"
    low, high = percent(base, last.percentage), percent(height_of(last), base)
    return f"it went on rising, {len(risen)} times, from {low} to {high}, the first time {after_s}"


def _covered_s(readings: Sequence[Sample], widest_gap_s: float) -> float:
    return sum(gap for a, b in pairwise(readings) if (gap := b.answered_s - a.answered_s) <= widest_gap_s)


def is_not_completed(history: History, backtest: str, limit_s: float = 2.0) -> Judgement:
    """The seed's second sanity check: never called completed after the cancel, and no result was made of it."""
    rule = Rule("not completed", "the cancelled backtest is not completed")
    ended = end_and_after(history, backtest)
    if isinstance(ended, str):
        return rule.unknown(ended)
    end, after = ended
    for s in (end, *after):
        if s.status == "completed":
            if s is end and not held_against(history, backtest, end, limit_s):
                return rule.unknown(race(history, backtest, end), final=True)
            return rule.violated(f"it is {state_of(s)}", s.answered_s)
        if s.facts.get("has_result"):
            seen = f'it is "{s.status}", yet carries a result summary as if it had completed'
            return rule.violated(seen, s.answered_s)
    last = after[-1] if after else end
    return rule.holds(f'it is "{last.status}" and has no result')


def records_its_end(history: History, backtest: str) -> Judgement:
    """The record says when it ended, and not before it began; both times are KTRDR's own, so skew is no matter."""
    rule = Rule("end recorded", "its record says when it ended")
    ended = end_and_after(history, backtest)
    if isinstance(ended, str):
        return rule.unknown(ended)
    end, after = ended
    # A row of the list tells less than the record.
    records = [s for s in (end, *after) if s.terminal and not s.facts.get("in_list")]
    if not records:
        return rule.unknown("its record was not read after the end")
    started = history.event("start_sent", backtest)
    passed_s = end.answered_s - started.at_s if started else math.inf
    ran = [s for s in before_cancel(history, backtest) if s.status == "running"]
    ran_s = ran[-1].asked_s - ran[0].answered_s if ran else -math.inf
    ran_from_s = ran[0].answered_s - started.at_s if ran and started else math.inf
    for s in records:
        wrong = _wrong_end(s, passed_s, ran_from_s, ran_s)
        # A platform may write the status a moment before the time; a missing time has to stay missing.
        if wrong and (s.facts.get("completed_at") or s.asked_s >= end.answered_s + RECORD_SETTLES_S):
            return rule.violated(wrong, s.answered_s)
    first = ended_at(history, backtest)
    same = [s for s in records if s.status == end.status and s.facts.get("completed_at")]
    settled = [s for s in same if s.asked_s >= end.answered_s + COVERED_GAP_S]
    # It may be told first by KTRDR and then by the worker; one that ran in between has ended twice.
    if ran_again := next((s for s in after if s.status == "running" and not s.facts.get("in_list")), None):
        later = (s for s in same if s.asked_s > ran_again.asked_s)
        if anew := next((s for s in later if moved_on(first, s, SAME_MOMENT_S)), None):
            seen = f"it was {state_of(ran_again)} again, and ended once more"
            return rule.violated(f"{seen}: first {first}, then {anew.facts['completed_at']}", anew.answered_s)
    moves = [(first, s) for s in same if moved_on(first, s)]
    # Whether several cancels ended it twice is asked by a rule of its own.
    if settled and not any(e.kind == ONE_OF_SEVERAL_ANSWERED for e in history.events):
        then = str(settled[0].facts["completed_at"])
        moves += [(then, s) for s in settled if moved_on(then, s, SAME_MOMENT_S)]
    if moves:
        first, moved = min(moves, key=lambda move: move[1].answered_s)
        seen = f"the time of its end moves: first {first}, then {moved.facts['completed_at']}"
        return rule.violated(seen, moved.answered_s)
    began = [(s.facts["started_at"], s) for s in settled if s.facts.get("started_at")]
    if again := next(((at, s) for at, s in began if (apart_s(began[0][0], at) or 0.0) > SAME_MOMENT_S), None):
        seen = f"the time of its beginning moves after its end: first {began[0][0]}, then {again[0]}"
        return rule.violated(seen, again[1].answered_s)
    if not records[-1].facts.get("completed_at"):
        return rule.unknown("completed_at is missing so far")
    return rule.holds(f"it ended at {records[-1].facts['completed_at']}")


def _wrong_end(s: Sample, passed_s: float, ran_from_s: float, ran_s: float) -> str:
    """What is wrong with the times in a terminal record; empty where nothing is.

    ``passed_s``: so many seconds passed on this host from the start to the end, and no more can lie between KTRDR's own
    two times, whatever its clock says. ``ran_from_s``: so long after its start it was seen running here. ``ran_s``: so long
    it was seen running, and then its two times are not the same.
    """
    completed = s.facts.get("completed_at")
    if not completed:
        return "completed_at is missing"
    ended_at = moment_of(completed)
    if ended_at is None:
        return f"completed_at is no time: {completed!r}"
    began = _began(s, ran_from_s)
    began_at = moment_of(began)
    if began_at is None:
        return ""
    lasted_s = (ended_at - began_at).total_seconds()
    # A time that is told in whole seconds may have lost the rest of one.
    if lasted_s <= -WHOLE_SECONDS_S or (lasted_s < 0 and ended_at.microsecond):
        return f"it ended at {completed}, before it began at {began}"
    lasted = f"it ended at {completed}, {max(0.0, lasted_s):.0f} s after it began at {began}"
    if lasted_s > passed_s + CLOCK_SLACK_S:
        return f"{lasted}, when only {passed_s:.0f} s had passed"
    if lasted_s == 0 and ran_s > (0.0 if ended_at.microsecond else WHOLE_SECONDS_S):
        return f"{lasted}, and was seen running for {ran_s:.1f} s"
    return ""


def _began(s: Sample, ran_from_s: float) -> Any:
    """When it began, by the clock that tells its end: a worker that tells it may have another one.

    Then it began before it was made, or so late after that that it was seen running before.
    """
    made, began = s.facts.get("created_at"), s.facts.get("started_at")
    made_at, began_at = moment_of(made), moment_of(began)
    if made_at and began_at and not 0 <= (began_at - made_at).total_seconds() <= ran_from_s:
        return made
    return began or made


def moved_on(first: Any, s: Sample, by_s: float = CLOCK_SLACK_S / 2) -> bool:
    """Whether a record tells another time of the end than the first one that told it, by more than this."""
    apart = apart_s(first, s.facts.get("completed_at"))
    return apart is not None and apart > by_s
