"""The neighbours: what else of this run is running when a backtest is cancelled goes on as if nothing had happened.

Sources: Google AIP-151 (a cancel is of the one operation that is named) and RFC 9110, 9.3.5 (DELETE is of its target
resource); KTRDR's contract: ``children_cancelled`` names whatever else a cancel ends, and a worker runs one backtest at
a time, so what comes next on the same worker has it for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.pace import BRIEF_S, PACE_S, is_too_soon, pace_of, yield_of
from ktrdr_qa.judge.processor import BUSY_HOST
from ktrdr_qa.judge.reading import (
    COVERED_GAP_S,
    before_cancel,
    height_of,
    is_same_moment,
    longest_step_s,
    may_still_move_s,
    percent_of,
    rises_in,
    state_of,
    until_we_end_it,
)
from ktrdr_qa.judge.ways.way import Found, Way, seen_in
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import Event, History, Sample
from ktrdr_qa.words import percent

SLOWER = 0.6
"""A neighbour that makes less than this part of the progress that was due, and one usual step less, is slower."""
SLOWER_ON_A_BUSY_HOST = 0.5
SLOWER_ALONE_ON_A_BUSY_HOST = 1 / 3
"""Where no other of this run ran meanwhile, nothing tells how much of the host is left for one of them."""
SLOWER_FOR_WHAT_IT_GETS = 0.8
"""Of the processor time that it gets, one that is only held up by a busy host makes at least this part of the usual progress."""
SLOWEST_ON_A_BUSY_HOST = 1 / 4
"""And this part of the progress that was due: what sleeps makes as much of its processor time, too."""
ALL_USED = 0.9
"""Where so much of the processors is used, what one process gets depends on what the others want."""
IN_DOUBT = 0.8
"""One that makes less than this part of it is watched longer: of half the pace a step hides much in a short time."""
FEWEST_STEPS = 5
"""Of fewer steps one that is late by a little looks like half the pace: it is watched longer."""
PACE_STEPS = 2
"""Of fewer steps than that no pace is taken where there is time for more: the moments at their ends are not exact."""
LONGER = 4
"""So many times as long."""
LONGER_ON_THIS_HOST = 3
"""So many times as long at least what is slower is watched there: others may take its processors for some seconds, which an
average over a minute does not tell."""
FALLEN_S = 0.5
"""Progress that stays below what it was for so long has fallen; longer, and what was lost would be made up for."""


def neighbours_of(history: History) -> dict[str, float]:
    """This run's backtests on the other workers, and when each was started."""
    return {e.subject: e.at_s for e in history.events if e.kind == "neighbour_started"}


def judgements(history: History, limits: Mapping[str, float]) -> list[Judgement]:
    """The rules of the neighbours, where there were some."""
    backtest, least_s = history.backtest, limits["frozen_s"]
    updates = float(history.about.get("updates", 3))
    found = (
        [run_on(history, backtest, least_s, updates), are_untouched(history, backtest)]
        if neighbours_of(history)
        else []
    )
    if _next_one(history):
        found.append(follower_keeps_pace(history, backtest, least_s, updates, limits["new_backtest_s"]))
    return found


def are_moving(history: History, limit_s: float) -> Judgement:
    """Every neighbour was seen to move for long enough to know its pace."""
    rule = Rule("neighbours moving", f"the other backtests are moving within {limit_s:.1f} s")
    neighbours, lag_s = neighbours_of(history), _lag_s(history)
    for other, began_s in neighbours.items():
        readings, ended = history.of("backend", other), history.end_of(other)
        if pace_of(readings, lag_s) is not None:
            continue
        rises = rises_in(readings)
        if ended and ended.status != "completed":
            words = ended.facts.get("error_message") or "no reason given"
            return rule.violated(f"{other} was {state_of(ended)}: {words}", ended.answered_s)
        by_s = began_s + limit_s
        late = next((s for s in readings if s.asked_s > by_s + may_still_move_s(rises, s, began_s)), None)
        if late and len(rises) < 2:
            return rule.violated(f"{other} was {state_of(late)} after {limit_s:.1f} s", late.asked_s)
        seen = f"was seen to move for less than {PACE_S:.0f} s" if len(rises) >= 2 else "was not seen to move"
        return rule.unknown(f"{other} {seen}", final=bool(ended))
    return rule.holds(f"{len(neighbours)} are moving") if neighbours else rule.unknown("there is none", final=True)


def has_a_pace_beside_others(history: History, backtest: str) -> bool:
    """The backtest to be cancelled was seen beside the neighbours long enough to know its pace, coarse as its steps may be."""
    readings = _beside_them(history, before_cancel(history, backtest))
    return len(rises_in(readings)) > PACE_STEPS and pace_of(readings, _lag_s(history)) is not None


def run_on(history: History, backtest: str, least_s: float, updates: float) -> Judgement:
    """After the cancel each neighbour makes the progress that its pace before it promised, or completes."""
    rule = Rule("neighbours run on", "the other backtests run on at the pace that they had before the cancel")
    sent = history.event("cancel_sent", backtest)
    if sent is None:
        return rule.unknown("no cancel was sent")
    told, paces = [], _usual_paces(history, backtest)
    for other in neighbours_of(history):
        readings = until_we_end_it(history, other)
        before = [s for s in readings if s.answered_s <= sent.at_s]
        after = [s for s in readings if s.asked_s > sent.at_s]
        if broken := next((s for s in after if s.terminal and s.status != "completed"), None):
            words = broken.facts.get("error_message") or "no reason given"
            since_s = broken.answered_s - sent.at_s
            return rule.violated(
                f"{other} was {state_of(broken)} {since_s:.1f} s after the cancel: {words}", broken.answered_s
            )
        usual = paces.get(other)
        if done := next((s for s in after if s.status == "completed"), None):
            if usual and (too_soon := _done_too_soon(readings, done, usual, _lag_s(history))):
                return rule.violated(f"{other} {too_soon}", done.answered_s)
            told.append(f"{other} completed")
            continue
        if usual is None:
            return rule.unknown(f"the pace of {other} was not seen before the cancel", final=True)
        window_s = max(least_s, updates * longest_step_s(before))
        step = _usual_step([*before, *after])
        worker = str(next((s.facts["worker"] for s in before if s.facts.get("worker")), None))
        judged = _keeps(history, rule, _Watched(other, paces, step, before, after, sent.at_s, window_s, worker, before))
        if not judged.holds:
            return judged
        told.append(judged.seen)
    return rule.holds("; ".join(told))


def _done_too_soon(readings: Sequence[Sample], done: Sample, usual: float, lag_s: float) -> str:
    """That a backtest is called completed long before it can be, by its own pace, in words; empty where it may be."""
    last = [s for s in readings[: readings.index(done)] if s.percentage is not None][-1]
    left, passed_s = 100.0 - height_of(last), done.answered_s - last.asked_s
    if not is_too_soon(left, passed_s + lag_s + longest_step_s(readings), usual):
        return ""
    left_s = f"with {left / usual:.0f} s left by its own pace"
    return f'was "completed" {passed_s:.1f} s after it was at {percent_of(last)}, {left_s}'


@dataclass(frozen=True)
class _Watched:
    """A backtest that has to go on at its usual pace, from a time on and for at least so long.

    ``paces`` are those of all backtests of this run, its own among them, in percent a second; ``step`` is the usual
    granularity of its progress, in percent; ``usually`` are the readings of the same work on the same worker before.
    """

    backtest: str
    paces: Mapping[str, float]
    step: float
    before: Sequence[Sample]
    after: Sequence[Sample]
    from_s: float
    window_s: float
    worker: str
    usually: Sequence[Sample]


def _keeps(history: History, rule: Rule, watched: _Watched) -> Judgement:
    """Whether it goes on at its usual pace, or as near to it as this run's others do meanwhile: they may share a host."""
    other, paces, from_s, window_s = watched.backtest, watched.paces, watched.from_s, watched.window_s
    before, after, lag_s = watched.before, watched.after, _lag_s(history)
    if not after or after[-1].asked_s - from_s < window_s:
        return rule.unknown(f"{other} was not read for {window_s:.1f} s yet")
    last = after[-1]
    span_s = last.asked_s - from_s
    heights = [s.percentage for s in before if s.percentage is not None][-1:]
    heights += [s.percentage for s in after if s.percentage is not None]
    # What was lost of it is for ``are_untouched``.
    made, left = heights[-1] - min(heights), 100.0 - heights[0]
    usual, step = paces[other], watched.step
    due = min(usual * (span_s - lag_s), left)
    theirs = _kept_by_the_others(history, paces, other, from_s, last.asked_s)
    share = _slower(history, alone=theirs is None)
    if share * due <= step:
        return rule.unknown(f"{other} was to make {percent(due)} only, too little to tell", final=due == left)
    seen = f"{other} made {percent(made)} in {span_s:.1f} s, and {percent(due)} was due"
    host = 1.0
    few = due < FEWEST_STEPS * step and span_s < LONGER * window_s
    brief = "load_per_core" in history.about and span_s < LONGER_ON_THIS_HOST * window_s
    held_up = f"{seen}; its host is busy, and of the processor time that it got it made as much as usual"
    if made < share * due - step:
        if meanwhile := others_begun(history, from_s):
            return rule.unknown(f"{seen}; meanwhile {', '.join(meanwhile)} ran as well, not this run's", final=True)
        if (few and (made or _is_busy(history))) or (made and brief):
            return rule.unknown(f"{seen}: it is watched for {LONGER * window_s:.1f} s to tell")
        # No host makes one stand still.
        if made and theirs is not None and made >= share * theirs * due - step:
            host = theirs
            seen += f"; meanwhile the others of this run made at most {percent(100 * host)} of what was due of them"
        elif made and _is_held_up(history, watched) and made >= SLOWEST_ON_A_BUSY_HOST * due - step:
            return rule.holds(held_up)
        else:
            return rule.violated(f"{seen}: it was {state_of(last)}", last.asked_s)
    elif theirs is not None and not (few or brief) and _is_busy(history):
        host = min(1.0, theirs)
    # Once it has kept pace it is not in doubt again at the end of each coarse step.
    kept = any(
        height_of(s) - heights[0] >= IN_DOUBT * min(host * usual * (s.asked_s - from_s - lag_s), left)
        for s in after
        if s.asked_s - from_s >= window_s
    )
    if not kept and due < left and span_s < LONGER * window_s:
        # One more step must not put one in doubt that was excused before it.
        if not (few or brief) and _is_held_up(history, watched):
            return rule.holds(held_up)
        return rule.unknown(f"{seen}: it is watched for {LONGER * window_s:.1f} s to tell")
    return rule.holds(seen) if host == 1.0 or _is_busy(history) else rule.unknown(seen, final=True)


def _is_held_up(history: History, watched: _Watched) -> bool:
    """Whether a backtest is slow because others have this host's processors: it makes the usual progress of what it gets."""
    usual = yield_of(history, watched.worker, watched.usually)
    now = yield_of(history, watched.worker, watched.after, watched.step)
    return _is_busy(history) and usual is not None and now is not None and now >= SLOWER_FOR_WHAT_IT_GETS * usual


def others_begun(history: History, since_s: float) -> list[str]:
    """The backtests of others that were seen active after a time and not before it: they take their part of the processors."""
    mine = {e.subject for e in history.events}
    seen = [s for s in history.samples if s.view in ("list", "other") and not s.problem and s.subject not in mine]
    active = [s for s in seen if not s.terminal and s.status != MISSING]
    before = {s.subject for s in active if s.answered_s <= since_s}
    return sorted({s.subject for s in active} - before)


def _kept_by_the_others(
    history: History, paces: Mapping[str, float], other: str, from_s: float, until_s: float
) -> float | None:
    """Which part of its own pace, and one usual step, the best of this run's other backtests made at that time.

    None where none of them was seen to move for ``PACE_S`` of that time: they excuse nothing.
    """
    kept = []
    for each, usual in paces.items():
        readings = [s for s in until_we_end_it(history, each) if s.status == "running" and s.percentage is not None]
        meanwhile = [s for s in readings if from_s <= s.asked_s <= until_s]
        if each == other or not meanwhile or (span_s := meanwhile[-1].asked_s - meanwhile[0].asked_s) < PACE_S:
            continue
        if made := height_of(meanwhile[-1]) - height_of(meanwhile[0]):
            kept.append((made + _usual_step(readings)) / (usual * span_s))
    return max(kept, default=None)


def _usual_paces(history: History, backtest: str) -> dict[str, float]:
    """Percent a second: of each neighbour before the cancel, of the next one what the cancelled one made."""
    before, lag_s = before_cancel(history, backtest), _lag_s(history)
    sent = history.event("cancel_sent", backtest)
    paces = {
        other: pace_of([s for s in history.of("backend", other) if sent and s.answered_s <= sent.at_s], lag_s)
        for other in neighbours_of(history)
    }
    if started := _next_one(history):
        # Workers may share a host: its pace is the one that it had beside the others.
        found = (_pace_until(readings, before, lag_s) for readings in (_beside_them(history, before), before))
        paces[started.subject] = next((pace for pace in found if pace), None)
    return {other: pace for other, pace in paces.items() if pace}


def _beside_them(history: History, readings: Sequence[Sample]) -> list[Sample]:
    began = neighbours_of(history).values()
    return [s for s in readings if all(s.asked_s >= began_s for began_s in began)]


def _pace_until(readings: Sequence[Sample], all_of_it: Sequence[Sample], lag_s: float) -> float | None:
    """Percent a second in some of a backtest's readings; of a brief time no more than it made since it was seen running.

    For a moment it may be faster than it is, to make up for a late beginning.
    """
    brief = pace_of(readings, lag_s, BRIEF_S)
    if brief is None or pace_of(readings, lag_s) is not None:
        return brief
    ran, last = next(s for s in all_of_it if s.status == "running"), rises_in(readings)[-1]
    return min(brief, height_of(last) / (last.answered_s - ran.answered_s + lag_s))


def _next_one(history: History) -> Event | None:
    return next((e for e in history.events if e.kind == "follower_started"), None)


def _lag_s(history: History) -> float:
    """How old the oldest reading was of a backtest of this run, as far as can be seen: of several replicas one may lag.

    The pace of what is read now here and now there is uncertain by so much time at either end.
    """
    lag_s = 0.0
    for mine in {e.subject for e in history.events}:
        readings = [s for s in history.of("backend", mine) if s.status == "running" and s.percentage is not None]
        rises = rises_in(readings)
        for s in readings:
            passed = next((r for r in rises if height_of(r) > height_of(s)), None)
            if passed:
                lag_s = max(lag_s, s.asked_s - passed.answered_s)
    return min(lag_s, COVERED_GAP_S)


def _is_busy(history: History) -> bool:
    """Whether others take so much of this host that one of this run's may get less than before; its load is an average."""
    about = history.about
    return float(about.get("load_per_core", 0.0)) > BUSY_HOST or float(about.get("processors_used", 0.0)) >= ALL_USED


def _slower(history: History, *, alone: bool) -> float:
    """The part of the progress that was due which one that is not disturbed makes at least."""
    if not _is_busy(history):
        return SLOWER
    return SLOWER_ALONE_ON_A_BUSY_HOST if alone else SLOWER_ON_A_BUSY_HOST


def _usual_step(readings: Sequence[Sample]) -> float:
    """The usual granularity of a progress, in percent: the median of its steps."""
    rises = rises_in(readings)
    steps = sorted(height_of(b) - height_of(a) for a, b in pairwise(rises))
    return steps[len(steps) // 2] if steps else 0.0


def are_untouched(history: History, backtest: str) -> Judgement:
    """The cancel leaves no trace in a neighbour's record: no other beginning, no end, no error, no progress lost."""
    rule = Rule("neighbours untouched", "the records of the other backtests are not touched by the cancel")
    sent = history.event("cancel_sent", backtest)
    if sent is None:
        return rule.unknown("no cancel was sent")
    read = 0
    for other in neighbours_of(history):
        readings = until_we_end_it(history, other)
        before = [s for s in readings if s.answered_s <= sent.at_s and s.status != MISSING]
        after = [s for s in readings if s.asked_s > sent.at_s]
        for s in after:
            if wrong := _touched(before, s):
                return rule.violated(
                    f"{other}: {wrong}, {s.answered_s - sent.at_s:.1f} s after the cancel", s.answered_s
                )
        if fall := _fall(readings, sent.at_s):
            s, wrong = fall
            return rule.violated(f"{other}: {wrong}, {s.answered_s - sent.at_s:.1f} s after the cancel", s.answered_s)
        read += bool(after)
    return rule.holds(f"{read} read again after the cancel") if read else rule.unknown("none was read after the cancel")


def _touched(before: Sequence[Sample], s: Sample) -> str:
    """What a reading shows that a running backtest's record cannot have become by itself; empty where nothing."""
    for name in ("created_at", "started_at"):
        then = next((r.facts[name] for r in reversed(before) if r.facts.get(name)), None)
        now = s.facts.get(name)
        if then and now and now != then and not is_same_moment(then, now):
            return f"its {name} was {then}, and is {now}"
    if not s.terminal and s.status != MISSING and s.facts.get("completed_at"):
        return f"it is {state_of(s)}, and says that it ended at {s.facts['completed_at']}"
    error = s.facts.get("error_message")
    if s.status in ("running", "completed") and error and error not in [r.facts.get("error_message") for r in before]:
        return f"it is {state_of(s)}, and carries the error {error}"
    return ""


def _fall(readings: Sequence[Sample], sent_s: float) -> tuple[Sample, str] | None:
    """The reading after the cancel from which on progress is below what it was, and the words for it.

    A replica that lags shows the past now and then: it has fallen where it stays below for ``FALLEN_S``, and that counts only
    where it did not do so before the cancel as well.
    """
    highest, fallen = 0.0, None
    for s in readings:
        if s.status != "running" or s.percentage is None:
            continue
        fallen = None if s.percentage >= highest else fallen or s
        highest = max(highest, s.percentage)
        if fallen and s.asked_s - fallen.answered_s >= FALLEN_S:
            fell = f"its progress fell from {percent(highest)} to {percent_of(fallen)}"
            return (fallen, fell) if fallen.asked_s > sent_s else None
    return None


def follower_keeps_pace(history: History, backtest: str, least_s: float, updates: float, limit_s: float) -> Judgement:
    """The next backtest on the cancelled one's worker, the same work, runs at the pace that the cancelled one had.

    It has ``limit_s`` to begin.
    """
    rule = Rule("next keeps pace", "the next backtest on the same worker runs at the pace of the cancelled one")
    started = _next_one(history)
    if started is None:
        return rule.unknown("none was started")
    before = before_cancel(history, backtest)
    follower = started.subject
    paces = _usual_paces(history, backtest)
    readings = until_we_end_it(history, follower)
    if broken := next((s for s in readings if s.terminal and s.status != "completed"), None):
        words = broken.facts.get("error_message") or "no reason given"
        after_s = broken.answered_s - started.at_s
        return rule.violated(
            f"{follower} was {state_of(broken)} {after_s:.1f} s after its start: {words}", broken.answered_s
        )
    named = {str(s.facts["worker"]) for s in readings if s.facts.get("worker")}
    if named - {history.about.get("worker")}:
        return rule.unknown(
            f"it was given to {', '.join(sorted(named))}, not to the worker of the cancelled one", final=True
        )
    if readings and readings[-1].status == "completed":
        return rule.holds(f"{follower} completed")
    rises = rises_in(readings)
    if not rises and readings and (since_s := readings[-1].asked_s - started.at_s) > limit_s:
        seen = f"{follower} was {state_of(readings[-1])} {since_s:.1f} s after its start"
        return rule.violated(seen, readings[-1].asked_s)
    if follower not in paces or not rises:
        return rule.unknown(
            "its pace was not seen" if follower in paces else "the pace of the cancelled one was not seen"
        )
    window_s = max(least_s, updates * longest_step_s(before))
    first = rises[0]
    after = [s for s in readings if s.asked_s > first.answered_s]
    # Of coarse steps it may have shown none yet, and is the same work.
    step = _usual_step(readings) or _usual_step(before)
    worker = str(history.about.get("worker"))
    watched = _Watched(follower, paces, step, [first], after, first.answered_s, window_s, worker, before)
    return _keeps(history, rule, watched)


def in_words(history: History, found: Found) -> Iterator[str]:
    if others := neighbours_of(history):
        one = len(others) == 1
        yield f"Meanwhile {len(others)} other backtest{' was' if one else 's were'} running on the other worker{'' if one else 's'}."
    if seen := seen_in(found, "neighbours run on"):
        yield f"After the cancel {seen}."
    if seen := seen_in(found, "next keeps pace"):
        yield f"The same backtest was started once more on its worker: {seen}."


WAY = Way(
    "beside others",
    {
        "The others' backtests run on at their pace": ("neighbours run on",),
        "The others' records are untouched": ("neighbours untouched",),
        "The next one on its worker is as fast": ("next keeps pace",),
    },
    judgements,
    in_words,
)
