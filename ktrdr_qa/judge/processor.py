"""The worker's processor as a witness: the only one that every HTTP view can be wrong against."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.pace import ends_by_itself_s, too_late_to_tell
from ktrdr_qa.judge.reading import COVERED_GAP_S, TELLING, cancel_due_from, cpu_s_of, middle_of
from ktrdr_qa.judge.worker import another_worker, gone_for_good, whose
from ktrdr_qa.record.history import History, Sample

QUIET_SPAN_S, NOISY_SPAN_S, STEADY_SPAN_S = 1.0, 1.0, 3.0
"""How long the processor must be watched before it is called quiet, or busy, where its neighbours agree.

Over ``STEADY_SPAN_S`` the mean alone decides, so that what computes now and then, or near the line, is seen as well."""
IDLE_SPAN_S = 0.2
"""How long an idle worker's processor is watched before the start, so that there is something to compare with."""
TICK_S = 0.01
"""By so much a process's counter of processor time moves at a time: a hundredth of a second on Linux."""
QUIET_MARGIN = 0.10
"""Cores above idle that still count as quiet, whatever the backtest used: the readings themselves and housekeeping
cost a few hundredths. A smaller remainder is not seen."""
BEYOND_S = 0.1
"""So many seconds of processor time after the limit, beyond what is allowed, are no housekeeping of what never paused before."""
WITHOUT_A_PAUSE = "after the cancel, without a pause: it computed on beyond the limit"
_STARTED = ("start_answered", "next_accepted")
BUSY_HOST = 2.0
"""Runnable processes for each core of this host above which a process that computes may look quiet."""
TELLING_CONTRAST = 0.15
"""Cores that the backtest must have used above idle before a quiet processor proves that it has stopped."""


class Rate(NamedTuple):
    """Cores used (1.0 is one core in full use), and the span over which they were, in seconds."""

    cores: float
    span_s: float


def processor_is_quiet(history: History, worker: str, backtest: str, limit_s: float) -> Judgement:
    """From the limit on at the latest, the worker's processor is near what it was idle.

    The only witness that every HTTP view can be wrong against (contract, surprises 9 and 20). A third of the backtest's
    speed is not stopped. Time in which the worker runs something else proves nothing and is left out.
    """
    rule = Rule("processor quiet", f"the processor of {whose(worker)} is quiet within {limit_s:.1f} s of the cancel")
    since_s = cancel_due_from(history, backtest)
    started, sent = history.event("start_sent", backtest), history.event("cancel_sent", backtest)
    readings = _of_processor(history, worker)
    if since_s is None or sent is None or started is None or not readings:
        return rule.unknown(_not_heard(history, worker) or "its processor time was not read")
    if another := another_worker(history, backtest):
        return rule.unknown(another, final=True)
    idle, busy = _idle_and_busy(history, worker, backtest)
    allowed = idle + QUIET_MARGIN
    after = [s for s in readings if s.asked_s >= since_s]
    compared = f"idle before {idle:.2f}" + (f", the backtest {busy.cores:.2f}" if busy else "")
    before = {"idle_cores": idle, "busy_cores": busy.cores if busy else 0.0, "allowed_cores": allowed}

    def used(rate: Rate) -> str:
        return f"it used {rate.cores:.2f} cores over {rate.span_s:.1f} s ({compared})"

    def figures(rate: Rate) -> dict[str, float]:
        return {**before, "after_cores": rate.cores}

    late = _undisturbed(history, worker, backtest, [s for s in after if s.asked_s >= since_s + limit_s], surely=True)
    if noisy := next((r for stretch in late if (r := _computes_on(stretch, allowed))), None):
        seen = f"{used(noisy)}: something computes on, whatever the answers say"
        return rule.violated(seen, since_s + limit_s, figures(noisy))
    stretches = _undisturbed(history, worker, backtest, after)
    ends_s = ends_by_itself_s(history, backtest)
    if quiet := next((r for stretch in stretches if (r := _quiet_stretch(stretch, allowed, ends_s))), None):
        if beyond := _computes_beyond(_from_the_cancel(history, worker, backtest, since_s), since_s + limit_s, allowed):
            return rule.violated(f"{used(beyond)} {WITHOUT_A_PAUSE}", since_s + limit_s, figures(beyond))
        # Cancelled at once it had no time to show what it uses; on a busy host nothing can show it either.
        shown = history.about.get("cancelled_at_once") and history.about.get("load_per_core", 0.0) <= BUSY_HOST
        if not shown and (busy.cores - idle if busy else 0.0) < TELLING_CONTRAST:
            seen = f"{used(quiet)}: the backtest used too little to tell a stopped one from a running one"
            # Something that computes on may still show.
            final = history.until_s >= since_s + limit_s + NOISY_SPAN_S
            return rule.unknown(seen, figures=figures(quiet), final=final)
        return rule.holds(used(quiet), figures=figures(quiet))
    if dead := gone_for_good(history, worker, backtest, since_s):
        return rule.unknown(dead[1], final=True)
    rate = _rate(stretches[-1]) if stretches else None
    if rate is None:
        seen = _not_heard(history, worker) if len(after) < 2 else ""
        seen = seen or "its processor time was not read after the cancel while the worker had nothing else to do"
        return rule.unknown(seen, figures=before)
    if history.until_s > ends_s and rate.cores <= allowed:
        seen = f"{used(rate)}: {too_late_to_tell(history, backtest)}"
        return rule.unknown(seen, figures=figures(rate), final=True)
    # Until the limit it may be busy; that counts only where nothing more was heard of it.
    of_late = _rate(s for s in stretches[-1] if s.asked_s >= since_s + limit_s)
    heard = of_late or (rate if stretches[-1][-1] is after[-1] else None)
    if heard is None:
        return rule.unknown(f"{used(rate)} within the limit, and then had other work", figures=before)
    seen = f"{used(heard)}, not yet quiet for long enough to tell"
    return rule.unknown(seen, figures=figures(heard), heard=heard.cores > allowed)


def tells_apart(history: History, worker: str, backtest: str) -> bool:
    """Whether the running backtest was seen to use so much of the processor that its stopping will show."""
    idle, busy = _idle_and_busy(history, worker, backtest)
    return busy is not None and busy.cores - idle >= TELLING_CONTRAST


def _of_processor(history: History, worker: str) -> list[Sample]:
    return [s for s in history.of("processor", worker) if s.cpu_s is not None and math.isfinite(s.cpu_s)]


def _not_heard(history: History, worker: str) -> str:
    """That a processor within reach at the preflight was not heard after the cancel; empty where it was not in reach."""
    within = history.about.get("witnesses")
    if not isinstance(within, dict) or not within.get(worker):
        return ""
    lost = history.problems("processor", worker)
    why = f": {lost[-1].problem}" if lost else ""
    return f"its processor time was within reach at the preflight, and was not heard after the cancel{why}"


def _computes_on(stretch: Sequence[Sample], allowed: float) -> Rate | None:
    """The rate where a stretch of readings shows a process that goes on computing; else None.

    It does where the rate between neighbours stays above what is allowed for ``NOISY_SPAN_S``, or is above it so long
    in all within ``STEADY_SPAN_S``, and on the mean of that time as well. One busy moment may be housekeeping.
    """
    begin = 0
    busy: list[tuple[int, float]] = []
    for at in range(1, len(stretch)):
        pair = _rate(stretch[at - 1 : at + 1])
        if pair is None or pair.cores <= allowed:
            begin = at
        else:
            busy.append((at, pair.span_s))
            rate = _rate(stretch[begin : at + 1])
            if rate and rate.span_s >= NOISY_SPAN_S and at - begin >= 2:
                return rate
        for first in range(at - 1, -1, -1):
            mean = _rate(stretch[first : at + 1])
            if mean and mean.span_s >= STEADY_SPAN_S:
                if mean.cores > allowed and sum(span_s for n, span_s in busy if n > first) >= NOISY_SPAN_S:
                    return mean
                break
    return None


def _from_the_cancel(history: History, worker: str, backtest: str, since_s: float) -> Sequence[Sample]:
    """The readings after the cancel, without a gap at its beginning, in which the worker surely had no other operation."""
    after = [s for s in _of_processor(history, worker) if s.asked_s >= since_s]
    first = next(iter(_undisturbed(history, worker, backtest, after, surely=True)), [])
    return first if first and first[0] is after[0] and first[0].asked_s <= since_s + COVERED_GAP_S else []


def _computes_beyond(stretch: Sequence[Sample], limit_s: float, allowed: float) -> Rate | None:
    """The rate of what computed from the beginning until after a limit, without having been quiet between any two readings.

    What ends soon after the limit was late as well (a measured KTRDR computes for 2.8 to 3.8 s, contract, surprise 9).
    Of two readings before and after the limit only what it cannot have used before it counts.
    """
    beyond_s, most = 0.0, 0.0
    for at, pair in enumerate(pairwise(stretch), 2):
        rate = _rate(pair)
        if rate is None or rate.cores <= allowed:
            return None
        most = max(most, rate.cores)
        before_s = min(max(0.0, limit_s - middle_of(pair[0])), rate.span_s)
        beyond_s += max(0.0, rate.cores * rate.span_s - most * before_s - allowed * (rate.span_s - before_s))
        if beyond_s >= BEYOND_S:
            return _rate(stretch[:at])
    return None


def _quiet_stretch(stretch: Sequence[Sample], allowed: float, before_s: float) -> Rate | None:
    """The rate of the part of a stretch in which the processor was quiet, if that began in time.

    It reaches to the end of the stretch, and shows a stopped backtest only if it was quiet before it would have ended.
    """
    for at in range(len(stretch)):
        whole = _rate(stretch[at:])
        if whole is None or whole.cores > allowed:
            continue
        # Near the line one second is not enough: what computes on may have got less of a busy host for so long.
        near = whole.cores > allowed - QUIET_MARGIN / 2
        if whole.span_s < (STEADY_SPAN_S if near else QUIET_SPAN_S):
            continue
        early = _rate(s for s in stretch[at:] if s.answered_s <= before_s)
        return whole if early and early.span_s >= QUIET_SPAN_S else None
    return None


def _rate(readings: Iterable[Sample]) -> Rate | None:
    """Cores used over the span of the readings.

    None where they span no time, or where the counter falls: then the process is another one than before.
    """
    listed = list(readings)
    if len(listed) < 2 or any(cpu_s_of(b) < cpu_s_of(a) for a, b in pairwise(listed)):
        return None
    span_s = middle_of(listed[-1]) - middle_of(listed[0])
    return Rate((cpu_s_of(listed[-1]) - cpu_s_of(listed[0])) / span_s, span_s) if span_s > 0 else None


def _idle_and_busy(history: History, worker: str, backtest: str) -> tuple[float, Rate | None]:
    """Cores that the worker used before the start, and the rate from when it was seen running to the cancel.

    Time before that, for which a backtest may be queued, says nothing of what it uses.
    Idle is what it used in its quietest time: an earlier backtest of this run may have run there before.
    """
    started, sent = history.event("start_sent", backtest), history.event("cancel_sent", backtest)
    began_s, until_s = started.at_s if started else 0.0, sent.at_s if sent else history.until_s
    readings = _of_processor(history, worker)
    before = [s for s in readings if s.answered_s <= began_s]
    quiet = [_at_least(r) for pair in pairwise(before) if (r := _rate(pair)) and r.span_s >= IDLE_SPAN_S / 2]
    whole = _rate(before)
    ran_s = next((s.asked_s for s in history.of("backend", backtest) if s.status == "running"), began_s)
    since = [s for s in readings if began_s < s.answered_s and s.asked_s <= until_s]
    busy = _rate(s for s in since if s.asked_s >= ran_s) or _rate(since)
    return min(quiet, default=whole.cores if whole else 0.0), busy


def _at_least(rate: Rate) -> float:
    """Cores that were used for certain: in a short time one tick of the counter looks like a twentieth of a core."""
    return rate.cores if rate.span_s >= QUIET_SPAN_S else max(0.0, rate.cores - TICK_S / rate.span_s)


def _undisturbed(
    history: History, worker: str, backtest: str, readings: Sequence[Sample], *, surely: bool = False
) -> list[list[Sample]]:
    """The stretches of readings in which the worker had no other operation: only they tell of this one.

    Another operation is told by the worker's health, by the registry, or by its own record, from its start to its
    end. It may have begun, or gone on, between two readings of these. With ``surely`` a reading counts only where the next reading of the
    worker's health (of the registry, where its health is not read) was had and still names no other.
    """
    not_other = {None, backtest}
    not_other |= {s.facts.get("current_operation") for s in history.of("health", worker) if s.facts.get("unlisted")}

    def is_other(s: Sample) -> bool:
        """Whether a reading says that the worker has something else; an id that the backend does not have is not."""
        return s.facts.get("current_operation") not in not_other

    elsewhere = [s.answered_s for s in history.samples if s.subject == worker and s.view in TELLING and is_other(s)]
    for other in history.subjects("backend"):
        records = history.of("backend", other)
        if other != backtest and any(s.facts.get("worker") == worker for s in records):
            ended = next((at for at, s in enumerate(records) if s.terminal), len(records))
            elsewhere += [s.answered_s for s in records[: ended + 1]]
            elsewhere += [e.at_s for e in history.events if e.subject == other and e.kind in _STARTED]
    told_by = [told for view in TELLING if (told := history.of(view, worker))]
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
