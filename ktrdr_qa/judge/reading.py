"""What several rules read of a history, and the words for what it shows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import History, Sample, View
from ktrdr_qa.words import moment_of, percent

COVERED_GAP_S = 1.0
"""Two readings at most this far apart (or one usual progress step, if that is longer) cover the time between."""
SAME_MOMENT_S = 0.5
"""By KTRDR's own times: another backtest that is cancelled so close to this one was cancelled with it."""
ONE_OF_SEVERAL_ANSWERED = "one_of_several_answered"
"""The kind of event that the answer to each of several cancels at one moment is."""
TELLING: tuple[View, ...] = ("health", "registry")
"""The views that tell what a worker is busy with, the stronger one first."""


# --- the cancel and the end --------------------------------------------------------------------------------------


def cancel_due_from(history: History, backtest: str) -> float | None:
    """When the limits after a cancel begin: at its answer (the seed sleeps after it), else when it was last lost.

    Not while a repeat is under way.
    """
    if answer := history.last_event("cancel_answered", backtest):
        return answer.at_s
    lost, sent = (history.last_event(kind, backtest) for kind in ("cancel_lost", "cancel_sent"))
    return lost.at_s if lost and not (sent and sent.at_s > lost.at_s) else None


def before_cancel(history: History, backtest: str) -> list[Sample]:
    cancel = history.event("cancel_sent", backtest)
    return [s for s in history.of("backend", backtest) if cancel is None or s.answered_s <= cancel.at_s]


def ended_before_cancel(history: History, backtest: str) -> Sample | None:
    """The reading that shows the backtest over before the cancel was even sent, if there is one."""
    cancel = history.event("cancel_sent", backtest)
    for s in history.of("backend", backtest):
        if cancel and s.answered_s > cancel.at_s:
            return None
        if s.terminal:
            return s
    return None


def nothing_to_cancel(history: History, backtest: str) -> str:
    """Why nothing is learnt about cancelling it: no cancel was sent, or it had ended before; empty otherwise."""
    if not history.event("cancel_sent", backtest):
        return "no cancel was sent"
    if ended := ended_before_cancel(history, backtest):
        return f"it was {state_of(ended)} before the cancel was sent"
    if history.event("cancel_too_late", backtest):
        return "it had ended by itself when the cancel reached it"
    return ""


def end_and_after(history: History, backtest: str) -> tuple[Sample, list[Sample]] | str:
    """The first terminal reading of a backtest that was cancelled and all after it, or why there is none."""
    if nothing := nothing_to_cancel(history, backtest):
        return nothing
    readings = history.of("backend", backtest)
    for at, s in enumerate(readings):
        if s.terminal:
            return s, list(readings[at + 1 :])
    return "it has not ended yet"


def ended_at(history: History, backtest: str) -> str:
    """When the backtest ended by KTRDR's own clock; empty where no reading says so."""
    told = (s.facts.get("completed_at") for s in history.of("backend", backtest) if s.terminal)
    return str(next((t for t in told if t), ""))


def apart_s(one: Any, other: Any) -> float | None:
    """How far apart two times are that KTRDR tells, in seconds; None where one of them is none."""
    then, now = moment_of(one), moment_of(other)
    return abs((now - then).total_seconds()) if then and now else None


def is_same_moment(one: Any, other: Any) -> bool:
    """Whether two times are the same in other words: a record may be read back from a store in another spelling."""
    apart = apart_s(one, other)
    return apart is not None and apart <= SAME_MOMENT_S


KEPT = ("completed_at", "error_message", "has_result")
"""What the record of an ended backtest says for good; an error message of a completed one is news, too."""


def what_changed(before: Sample, s: Sample) -> str:
    """What of the record of an ended backtest is otherwise in a later reading, in words; empty where nothing is."""
    if s.status != before.status:
        return f'the status turned from "{before.status}" to "{s.status}"'
    for name in KEPT:
        was, now = before.facts.get(name), s.facts.get(name)
        told = was or (name == "error_message" and s.status == "completed")
        if told and now != was and not is_same_moment(was, now):
            return f"{name} changed from {was!r} to {now!r}"
    if before.percentage is not None and s.percentage is not None and s.percentage < before.percentage:
        return f"the progress fell from {before.percentage:g} % to {s.percentage:g} %"
    return ""


# --- what was asked for ------------------------------------------------------------------------------------------

A_DAY = timedelta(days=1)
"""By so much a told period may differ from the one that was asked for: time zones, and an end that is exclusive."""


def is_named(told: Any, asked: Any) -> bool:
    """Whether two names are the same one, however they are written: ``EUR/USD`` is ``EURUSD``."""
    return _plain(told) == _plain(asked)


def _plain(name: Any) -> str:
    return re.sub(r"[^A-Z0-9]", "", str(name).upper())


def is_within(told: Any, payload: Mapping[str, Any]) -> bool:
    """Whether a time lies in the period that was asked for; one that cannot be read says nothing against it.

    A result may begin and end with its first and last price, which is later and earlier than what was asked for.
    """
    moment, first, last = (moment_of(text) for text in (told, payload.get("start_date"), payload.get("end_date")))
    return not (moment and first and last) or first - A_DAY <= moment <= last + A_DAY


def is_near(told: Any, asked: Any) -> bool | None:
    """Whether two times are the same day, or next to it; None where one of them cannot be read."""
    one, other = moment_of(told), moment_of(asked)
    return abs(one - other) <= A_DAY if one and other else None


# --- what is there, and what moves -------------------------------------------------------------------------------


def unwatched(since_s: float, limit_s: float, before: Sample | None, first: Sample) -> str:
    """Where the first reading of what was waited for tells nothing about the limit: no reading shows when it came."""
    from_s = max(since_s, before.asked_s) if before else since_s
    if first.asked_s <= since_s + limit_s or first.asked_s - from_s <= COVERED_GAP_S:
        return ""
    return f"no reading between {from_s - since_s:.1f} s and {first.asked_s - since_s:.1f} s after"


def missing_at_first(readings: Sequence[Sample], since_s: float) -> tuple[str, ...]:
    """For a replica that lags: how long the record of an accepted backtest was not there."""
    missing = [s for s in readings if s.status == MISSING]
    if not missing:
        return ()
    return (
        f"KTRDR had no record of the backtest (HTTP 404) for {missing[-1].answered_s - since_s:.1f} s after its start was accepted.",
    )


def gone_from(readings: Sequence[Sample]) -> Sample | None:
    """Of readings that begin with a missing one: that which shows the record gone for ``COVERED_GAP_S``, if one does."""
    gone = itertools.takewhile(lambda s: s.status == MISSING, readings)
    return next((s for s in gone if s.asked_s - readings[0].asked_s >= COVERED_GAP_S), None)


def until_we_end_it(history: History, backtest: str) -> list[Sample]:
    """The backend's readings of a backtest until this run itself ended it."""
    ended_by_us = history.event("clean_up", backtest)
    return [s for s in history.of("backend", backtest) if ended_by_us is None or s.answered_s <= ended_by_us.at_s]


def rises_in(readings: Iterable[Sample]) -> list[Sample]:
    """The readings in which progress was first seen at a new height above 0 %."""
    rises: list[Sample] = []
    for s in readings:
        height = rises[-1].percentage if rises else 0.0
        if s.status == "running" and s.percentage is not None and s.percentage > (height or 0.0):
            rises.append(s)
    return rises


def longest_step_s(readings: Iterable[Sample]) -> float:
    """The longest time between two progress changes while it ran, 0 where fewer than two were seen."""
    rises = rises_in(readings)
    return max((b.answered_s - a.answered_s for a, b in pairwise(rises)), default=0.0)


def may_still_move_s(rises: Sequence[Sample], now: Sample, since_s: float) -> float:
    """How much longer a second rise may take where the first one took long: progress may come in coarse steps."""
    first = rises[0] if rises and rises[0].answered_s <= now.answered_s else None
    return 1.5 * (first.answered_s - since_s) if first else 0.0


def middle_of(sample: Sample) -> float:
    return (sample.asked_s + sample.answered_s) / 2


def height_of(sample: Sample) -> float:
    """Its progress in percent, 0 where it is not known."""
    return sample.percentage or 0.0


def cpu_s_of(sample: Sample) -> float:
    return sample.cpu_s or 0.0


# --- in words ----------------------------------------------------------------------------------------------------


def percent_of(sample: Sample) -> str:
    return "no percentage" if sample.percentage is None else percent(sample.percentage)


def state_of(sample: Sample) -> str:
    at = f" at {percent_of(sample)}" if sample.percentage is not None else ""
    return f'"{sample.status}"{at}'


def counted(readings: Sequence[Sample]) -> str:
    return f"{len(readings)} reading{'' if len(readings) == 1 else 's'}"


def not_known_yet(history: History, backtest: str) -> str:
    """What the backend told so far: the last state, its age, and what the last reading that failed said."""
    readings = history.of("backend", backtest)
    problems = history.problems("backend", backtest)
    told = "no reading was had"
    if readings:
        age_s = history.until_s - readings[-1].answered_s
        told = f"last {state_of(readings[-1])}, {age_s:.1f} s ago ({counted(readings)})"
    if problems:
        told += f"; {len(problems)} lost, the last: {problems[-1].problem}"
    return told
