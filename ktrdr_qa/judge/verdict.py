"""All judgements of one history together: the seed's criteria, its sanity checks, the witnesses, the outcome.

Pure like the judgements themselves, so a saved history gets the same verdict again (``python -m ktrdr_qa.judge``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ktrdr_qa.judge import (
    afterwards,
    cancelling,
    endurance,
    neighbours,
    next_backtest,
    others,
    outages,
    oversubscribed,
    pace,
    processor,
    race,
    reason,
    restarts,
    running,
    together,
    vain,
    views,
    worker,
)
from ktrdr_qa.judge.judgement import Judgement, Verdict
from ktrdr_qa.record.history import History
from ktrdr_qa.words import percent

Outcome = Literal["passed", "failed", "inconclusive"]
Kind = Literal["criterion", "sanity check", "witness", "in a row", "restart"]

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
OTHER_WAYS = (endurance, neighbours, oversubscribed, race, reason, restarts, together, vain, views)
"""What is judged only where the events of a recording say that it was tried; each has its ``judgements``."""

CRITERIA: Mapping[str, Sequence[str]] = {
    "Backtest was running before cancel": ("running", "moving", "was running"),
    "Cancel request succeeds": ("acknowledged", "only this one"),
    "Status changes to cancelled/failed": ("cancelled", "stays cancelled", "end recorded", "list agrees"),
    "Progress stops increasing": ("frozen", "does not come back"),
    "New operations work immediately": ("next accepted", "next runs"),
}
SANITY_CHECKS: Mapping[str, Sequence[str]] = {
    "Was running: percentage > 0 before cancel": ("was running", "enough left"),
    'Not completed: status is not "completed"': ("not completed",),
    "System stable: new operation starts OK": (
        "next accepted",
        "next runs",
        "stays cancelled",
        "stays up",
        "others can be stopped",
    ),
}
WITNESSES: Mapping[str, Sequence[str]] = {
    "The worker itself has stopped": ("worker stopped",),
    "The worker's processor is quiet": ("processor quiet",),
    "The worker's place is free again": ("place free",),
}

IN_A_ROW: Mapping[str, Sequence[str]] = {
    "The last cancel is as quick as the first": ("latency steady",),
    "No place is lost": ("places kept",),
    "Nothing leaks": tuple(figure.name for figure in endurance.FIGURES),
}
"""Of backtests that were cancelled one after the other."""
RESTARTED: Mapping[str, Sequence[str]] = {
    "What was restarted is back": ("back",),
    "The backtest is still known": ("known again",),
    "It has ended, or could be cancelled": ("ended", "stays ended", "truly ended"),
}
"""Of a service that was restarted in mid-run or in mid-cancel."""
GROUPS: Sequence[tuple[Kind, Mapping[str, Sequence[str]]]] = (
    ("criterion", CRITERIA),
    ("sanity check", SANITY_CHECKS),
    ("witness", WITNESSES),
    ("in a row", IN_A_ROW),
    ("restart", RESTARTED),
)


@dataclass(frozen=True)
class Row:
    """One line of the table: what is checked, how it came out, and what was seen."""

    kind: Kind
    check: str
    verdict: Verdict
    seen: str


def judge_all(history: History) -> dict[str, Judgement]:
    """Every judgement of a cancellation, by its name."""
    about = history.about
    backtest, after_it, on = (str(about.get(name, "")) for name in ("backtest", "next_backtest", "worker"))
    limits = limits_of(history)
    updates = about.get("updates", UPDATES_MISSED)
    before = restarts.until_restart(history)
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
        afterwards.list_agrees(history, backtest),
        afterwards.is_frozen(history, backtest, limits["frozen_s"], updates, limits["cancelled_s"]),
        others.does_not_come_back(history, backtest, limits["cancelled_s"]),
        afterwards.is_not_completed(history, backtest, limits["cancelled_s"]),
        next_backtest.next_is_accepted(history, backtest, limits["next_accepted_s"]),
        next_backtest.next_runs(history, after_it, limits["new_backtest_s"]),
        outages.stays_up(history, backtest),
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
    for name in not_told(history):
        del told[name]
    if history.event("second_cancel_answered", backtest):
        told["second cancel"] = cancelling.second_cancel_is_turned_down(history, backtest)
    for way in OTHER_WAYS:
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


def table(found: Mapping[str, Judgement]) -> list[Row]:
    """The seed's five criteria and three sanity checks, then the witnesses."""
    return [
        _row(kind, check, of)
        for kind, checks in GROUPS
        for check, names in checks.items()
        if (of := [found[name] for name in names if name in found])
    ]


def _row(kind: Kind, check: str, of: Sequence[Judgement]) -> Row:
    verdict: Verdict = "holds"
    if any(judgement.violated for judgement in of):
        verdict = "violated"
    elif any(judgement.unknown for judgement in of):
        verdict = "unknown"
    telling = [judgement for judgement in of if judgement.verdict == verdict]
    return Row(kind, check, verdict, "; ".join(judgement.seen for judgement in telling))


def outcome(found: Mapping[str, Judgement], asked: Collection[str] | None = None) -> Outcome:
    """``failed`` where anything is violated; ``passed`` only where everything that was asked for holds.

    That is all of it, or the judgements that are named: a scenario may ask for fewer. An unknown witness does not
    spoil a pass: it was out of reach, and is reported as such. One that was heard, and not quiet by the end, does.
    """
    if any(judgement.violated for judgement in found.values()):
        return "failed"
    if "processor quiet" in found and processor.was_heard_busy(found["processor quiet"]):
        return "inconclusive"
    witnesses = {name for names in WITNESSES.values() for name in names}
    needed = [
        judgement for name, judgement in found.items() if name not in witnesses and (asked is None or name in asked)
    ]
    return "passed" if needed and all(judgement.holds for judgement in needed) else "inconclusive"


def believed(found: Mapping[str, Judgement]) -> str:
    """What the verdict rests on, strongest witness first (design: "Whom to believe"), and what was not heard."""
    computing, view = found["processor quiet"], found["worker stopped"]
    if not computing.unknown:
        return "the worker's processor time, the worker's own view and the backend's"
    if not view.unknown:
        return f"the worker's own view and the backend's, not on its processor time: {computing.seen}"
    return f"the backend's view only, not on the worker: {view.seen}"


def in_words(history: History, found: Mapping[str, Judgement]) -> str:
    """One paragraph that a product person understands: what was tried and what happened, with numbers."""
    figures = {name: value for judgement in found.values() for name, value in judgement.figures.items()}
    told = [f"A backtest of {history.about.get('candidate', 'unknown data')} was started."]
    if "cancelled_at_percent" in figures:
        left = f", with about {figures['left_s']:.1f} s left to run" if "left_s" in figures else ""
        told.append(f"At {percent(figures['cancelled_at_percent'])} the cancel was sent{left}.")
    did = [f"acknowledged it after {figures['acknowledged_s']:.2f} s"] if "acknowledged_s" in figures else []
    if "cancelled_s" in figures:
        how = "failed" if found["cancelled"].observations else "cancelled"
        did.append(f"reported the backtest {how} within {figures['cancelled_s']:.2f} s")
    if did:
        told.append(f"KTRDR {' and '.join(did)}.")
    if "worker_idle_s" in figures:
        told.append(f"The worker was idle within {figures['worker_idle_s']:.2f} s of the cancel.")
    if "frozen_s" in figures:
        told.append(
            f"Progress did not move for {figures['frozen_s']:.1f} s, in which {figures['updates_due']:.0f} updates were due."
        )
    if found["next runs"].holds:
        told.append(f"The next backtest was accepted at once and ran {figures['next_runs_s']:.2f} s after its start.")
    wrong = [judgement for judgement in found.values() if judgement.violated]
    told += [f"Wrong: {judgement.expected}, but {judgement.seen}." for judgement in wrong]
    return " ".join(told)
