"""How much was left to run by the backtest's own pace, and so what its end, or its standing still, can prove."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import (
    before_cancel,
    cancel_due_from,
    cpu_s_of,
    height_of,
    longest_step_s,
    middle_of,
    rises_in,
)
from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.words import moment_of, percent

VERDICT_SPAN_S = 3.0
"""What a verdict needs after its limit: a busy processor is watched for ``NOISY_SPAN_S``, by readings 0.9 s apart."""
CLEARLY_MORE_S = 1.0
"""By so much what was left must exceed a limit, for a completion after the cancel to be held against KTRDR."""
PACE_SPAN_S = 1.0
"""The pace is taken over at least so much time: two refreshes may fall between two readings, and an answer may tarry."""
PACE_S = 2.0
"""So long progress must be seen to rise before that is another's pace: of a replica that lags every second reading is older."""
BRIEF_S = 0.8
"""The cancelled one may have come in for a candidate that had just ended: two updates of KTRDR's own, a second apart, must do."""
HURRIED = 4
"""So many times as fast at most a backtest runs that has a processor for itself, while the one compared with had none."""


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

    The steeper of its whole pace and its latest counts, so that little is promised. A reading is taken for the middle
    of its time: on a slow network the shortest time that two of them allow would promise nothing at all.
    """
    cancel = history.event("cancel_sent", backtest)
    at_s = cancel.at_s if cancel else history.until_s
    rises = rises_in(before_cancel(history, backtest))
    if len(rises) < 2:
        return None
    last = rises[-1]
    recent = next((r for r in reversed(rises) if middle_of(last) - middle_of(r) >= PACE_SPAN_S), rises[0])
    paces = [
        (height_of(last) - height_of(r)) / span_s
        for r in (rises[0], recent)
        if (span_s := middle_of(last) - middle_of(r)) > 0
    ]
    if not paces:
        return None
    left_s = (100.0 - height_of(last)) / max(paces) - (at_s - middle_of(last))
    return Left(height_of(last), max(0.0, left_s))


def pace_of(readings: Sequence[Sample], lag_s: float, least_s: float = PACE_S) -> float | None:
    """Percent a second over the whole time in which it was seen to rise; None where that was too short."""
    rises = rises_in(readings)
    if len(rises) < 2 or (span_s := rises[-1].answered_s - rises[0].answered_s) < least_s:
        return None
    return (height_of(rises[-1]) - height_of(rises[0])) / (span_s + lag_s)


def yield_of(history: History, worker: str, readings: Sequence[Sample], step: float = 0.0) -> float | None:
    """Percent, and one step, for each second of processor time that the worker's process used while a backtest moved."""
    rises = rises_in(readings)
    if not rises:
        return None
    from_s, until_s = rises[0].answered_s, rises[-1].answered_s
    used = [s for s in history.of("processor", worker) if s.cpu_s is not None]
    used = [s for s in used if from_s <= s.asked_s and s.answered_s <= until_s]
    if len(used) < 2 or (used_s := cpu_s_of(used[-1]) - cpu_s_of(used[0])) <= 0:
        return None
    began, ended = ([r for r in rises if r.answered_s <= s.asked_s][-1] for s in (used[0], used[-1]))
    return (height_of(ended) - height_of(began) + step) / used_s


def is_too_soon(left: float, passed_s: float, usual: float) -> bool:
    """Whether so many percent cannot have been made in so many seconds, by a usual pace in percent a second."""
    return left / usual > HURRIED * passed_s


def lasted_s(end: Sample) -> float | None:
    """How long a backtest ran by KTRDR's own times in its last record, in seconds; None where they are not told."""
    began, ended = (moment_of(end.facts.get(name)) for name in ("started_at", "completed_at"))
    return (ended - began).total_seconds() if began and ended and ended > began else None


def frozen_window_s(history: History, backtest: str, least_s: float, updates: float = 3) -> float:
    """How long progress must be watched: at least ``least_s``, and ``updates`` times its longest usual step.

    KTRDR refreshes the progress about once a second (contract, surprise 3), so a shorter look proves nothing.
    """
    return max(least_s, updates * longest_step_s(before_cancel(history, backtest)))


def needed_s(history: History, backtest: str, limits: Mapping[str, float], updates: float = 3) -> float:
    """How much must be left to run at the cancel, so that one that is ignored would be seen.

    The longest limit after the cancel and the span that a verdict needs, or the window in which progress must stand.
    """
    longest_s = max(limits[name] for name in ("cancelled_s", "worker_idle_s", "processor_quiet_s"))
    return max(longest_s + VERDICT_SPAN_S, frozen_window_s(history, backtest, limits["frozen_s"], updates))


def enough_was_left(history: History, backtest: str, limits: Mapping[str, float], updates: float = 3) -> Judgement:
    """Whether the recording could show an ignored cancel: a backtest that ends by itself at once looks stopped."""
    need_s = needed_s(history, backtest, limits, updates)
    rule = Rule("enough left", f"at least {need_s:.1f} s are left to run when it is cancelled")
    left = left_to_run(history, backtest)
    if left is None:
        return rule.unknown("its pace was not seen")
    figures = {"left_s": left.left_s, "needed_s": need_s}
    seen = f"about {left.left_s:.1f} s were left at {percent(left.percentage)}, by its own pace"
    return rule.holds(seen, figures=figures) if left.left_s >= need_s else rule.unknown(seen, figures=figures)


def ends_by_itself_s(history: History, backtest: str) -> float:
    """From when on its being over proves nothing: it would have ended by itself then. Infinite where that is not known."""
    cancel = history.event("cancel_sent", backtest)
    left = left_to_run(history, backtest)
    return cancel.at_s + left.left_s if cancel and left else math.inf


def too_late_to_tell(history: History, backtest: str) -> str:
    left = left_to_run(history, backtest)
    return f"it would have ended by itself before enough was read: as to the cancel, {left.in_words}" if left else ""


def held_against(history: History, backtest: str, end: Sample, limit_s: float) -> str:
    """Why a completion after the cancel is KTRDR's failure; empty where it was about to end in any case.

    A cancel that crosses the completion is nobody's fault, as long as KTRDR had time to cancel it. Where the pace was
    not seen (cancelled at once), it ran on if a reading shows it running after the limit.
    """
    since_s, left = cancel_due_from(history, backtest), left_to_run(history, backtest)
    if since_s is None:
        return ""
    if left:
        clearly = ends_by_itself_s(history, backtest) >= since_s + limit_s + CLEARLY_MORE_S
        return left.in_words if clearly else ""
    before = (s for s in history.of(end.view, backtest) if s.status == "running" and s.answered_s <= end.answered_s)
    late = next((s for s in before if s.asked_s > since_s + limit_s), None)
    return f"it was still running {late.asked_s - since_s:.1f} s after the cancel was answered" if late else ""


def race(history: History, backtest: str, end: Sample) -> str:
    """The words for a completion that crossed the cancel."""
    sent = history.event("cancel_sent", backtest)
    left = left_to_run(history, backtest)
    took_s = end.answered_s - sent.at_s if sent else 0.0
    told = left.in_words if left else "its pace was not seen before the cancel"
    return f"it was completed {took_s:.2f} s after the cancel, too close to its own end to tell: {told}"
