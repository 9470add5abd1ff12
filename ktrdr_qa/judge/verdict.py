"""All judgements of one history together, and the outcome.

Pure like the judgements themselves, so a saved history gets the same verdict again (``python -m ktrdr_qa.judge``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from ktrdr_qa.judge import (
    afterwards,
    cancelling,
    crashes,
    listed,
    next_backtest,
    others,
    pace,
    processor,
    running,
    table,
    worker,
)
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways.all import WAYS
from ktrdr_qa.judge.ways.restart import until_restart
from ktrdr_qa.record.history import History

Outcome = Literal["passed", "failed", "inconclusive"]

LIMITS_S: Mapping[str, float] = {
    "running_s": 10.0,
    "first_progress_s": 30.0,
    "acknowledged_s": 5.0,
    "cancelled_s": 2.0,
    "frozen_s": 2.0,
    "next_accepted_s": 5.0,
    "new_backtest_s": 30.0,
    "worker_idle_s": 2.0,
    "processor_quiet_s": 2.0,
    "place_free_s": 15.0,
    "back_s": 60.0,
    "known_again_s": 10.0,
    "ends_s": 3.0,
}
"""The limits of the features' sentences, for a history that does not carry its own."""
UPDATES_MISSED = 3.0

OF_A_LONE_ONE = (
    "running",
    "moving",
    "only this one",
    "does not come back",
    "next accepted",
    "next runs",
    "processor quiet",
)
"""Judgements of a backtest that is not one of many. Among many how soon it runs depends on the others, who do the same
work, are cancelled in the same moments and have its worker, and so its processor, an instant later."""


def judge_all(history: History) -> dict[str, Judgement]:
    """Every judgement of a cancellation, by its name."""
    about = history.about
    backtest, after_it, on = (str(about.get(name, "")) for name in ("backtest", "next_backtest", "worker"))
    limits = limits_of(history)
    updates = about.get("updates", UPDATES_MISSED)
    before = until_restart(history)
    found = [
        running.is_running(before, backtest, limits["running_s"]),
        running.is_moving(before, backtest, limits["first_progress_s"]),
        running.was_running(history, backtest),
        pace.enough_was_left(history, backtest, limits, updates),
        cancelling.is_acknowledged(history, backtest, limits["acknowledged_s"]),
        others.only_this_one(history, backtest, limits["cancelled_s"]),
        cancelling.is_cancelled(history, backtest, limits["cancelled_s"]),
        afterwards.stays_cancelled(history, backtest, limits["cancelled_s"]),
        afterwards.records_its_end(history, backtest),
        listed.list_agrees(history, backtest),
        afterwards.is_frozen(history, backtest, limits["frozen_s"], updates, limits["cancelled_s"]),
        others.does_not_come_back(history, backtest, limits["cancelled_s"]),
        afterwards.is_not_completed(history, backtest, limits["cancelled_s"]),
        next_backtest.next_is_accepted(history, backtest, limits["next_accepted_s"]),
        next_backtest.next_runs(history, after_it, limits["new_backtest_s"]),
        crashes.stays_up(history, backtest),
        others.all_can_be_stopped(history),
        worker.worker_let_go(history, on, backtest, limits["worker_idle_s"]),
        processor.processor_is_quiet(history, on, backtest, limits["processor_quiet_s"]),
        worker.place_is_free(history, on, backtest, limits["place_free_s"]),
    ]
    told = {judgement.name: judgement for judgement in found}
    if about.get("cancelled_at_once") or history.event("race_begun", ""):
        # It was not meant to run before the cancel, or not to have much left.
        for name in ("running", "moving", "was running", "enough left"):
            del told[name]
    for name in (*not_told(history), *(OF_A_LONE_ONE if about.get("among_many") else ())):
        told.pop(name, None)
    for way in WAYS:
        told |= {judgement.name: judgement for judgement in way.judgements(history, limits)}
    return told


def limits_of(history: History) -> dict[str, float]:
    """The limits in force in a run, in seconds, by their names."""
    return {**LIMITS_S, **history.about.get("limits", {})}


def not_told(history: History) -> dict[str, str]:
    """Judgements of what an older KTRDR, or an older history, may not tell at all, with the reason."""
    backtest = history.backtest
    records = history.of("backend", backtest)
    reasons = {}
    if not history.of("list", backtest):
        reasons["list agrees"] = reasons["does not come back"] = (
            "this KTRDR has no list of backtests that could be read"
        )
    if not any(e.kind == "clean_up" for e in history.events):
        reasons["others can be stopped"] = "no other backtest had to be stopped"
    times = ("completed_at", "tells_its_end")
    if any(s.terminal for s in records) and not any(s.facts.get(name) for s in records for name in times):
        reasons["end recorded"] = "the records of this KTRDR have no time of their end"
    return reasons


def outcome(found: Mapping[str, Judgement], asked: Collection[str] | None = None) -> Outcome:
    """``failed`` where anything is violated; ``passed`` only where everything that was asked for holds.

    That is all of it, or the judgements that are named: a scenario may ask for fewer. An unknown witness does not
    spoil a pass: it was out of reach, and is reported as such. One that was heard, and had not stopped by the end, does.
    """
    if any(judgement.violated for judgement in found.values()):
        return "failed"
    if any(judgement.heard for judgement in found.values()):
        return "inconclusive"
    witnesses = {name for names in table.WITNESSES.values() for name in names}
    needed = [
        judgement for name, judgement in found.items() if name not in witnesses and (asked is None or name in asked)
    ]
    return "passed" if needed and all(judgement.holds for judgement in needed) else "inconclusive"
