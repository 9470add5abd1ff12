"""One recording in words that a product person understands: what was tried, what happened, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterator

from ktrdr_qa.judge import table
from ktrdr_qa.judge.ways.all import WAYS
from ktrdr_qa.judge.ways.simultaneous_cancellation import answers_of
from ktrdr_qa.judge.ways.way import Found, data_of
from ktrdr_qa.record.history import History
from ktrdr_qa.words import percent


def in_words(history: History, found: Found) -> str:
    """One paragraph, with numbers."""
    told = [] if table.is_of_a_race(found) else [*_the_backtest(history, found)]
    told += [sentence for way in WAYS for sentence in way.in_words(history, found)]
    if "next runs" in found and found["next runs"].holds:
        ran_s = found["next runs"].figures["next_runs_s"]
        told.append(f"The next backtest was accepted at once and ran {ran_s:.2f} s after its start.")
    wrong = [judgement for judgement in found.values() if judgement.violated]
    told += [f"Wrong: {judgement.expected}, but {judgement.seen}." for judgement in wrong]
    return " ".join(told)


def believed(found: Found) -> str:
    """What the verdict rests on, strongest witness first (design: "Whom to believe"), and what was not heard."""
    computing, view = found.get("processor quiet"), found["worker stopped"]
    if table.is_of_another_way(found) and (table.is_of_a_race(found) or not found["acknowledged"].holds):
        return "what the backend says of it"  # What a worker does after a cancel is not what it was about.
    if computing and not computing.unknown:
        return "the worker's processor time, the worker's own view and the backend's"
    if not view.unknown:
        why = computing.seen if computing else "others used it in the same moments"
        return f"the worker's own view and the backend's, not on its processor time: {why}"
    return f"the backend's view only, not on the worker: {view.seen}"


def _the_backtest(history: History, found: Found) -> Iterator[str]:
    """What was done to the one backtest, and what became of it."""
    figures = {name: value for judgement in found.values() for name, value in judgement.figures.items()}
    in_a_row = f", number {row}, one after the other" if (row := history.about.get("in_a_row")) else ""
    yield f"A backtest of {data_of(history)} was started{in_a_row}."
    if "cancelled_at_percent" in figures:
        left = f", with about {figures['left_s']:.1f} s left to run" if "left_s" in figures else ""
        yield f"At {percent(figures['cancelled_at_percent'])} {_how_it_was_cancelled(history)}{left}."
    did = [f"acknowledged it after {figures['acknowledged_s']:.2f} s"] if "acknowledged_s" in figures else []
    if "cancelled_s" in figures:
        how = "failed" if found["cancelled"].observations else "cancelled"
        did.append(f"reported the backtest {how} within {figures['cancelled_s']:.2f} s")
    if did:
        yield f"KTRDR {' and '.join(did)}."
    if "worker_idle_s" in figures:
        yield f"The worker was idle within {figures['worker_idle_s']:.2f} s of the cancel."
    if "frozen_s" in figures:
        yield f"Progress did not move for {figures['frozen_s']:.1f} s, in which {figures['updates_due']:.0f} updates were due."


def _how_it_was_cancelled(history: History) -> str:
    body, at_once = history.about.get("cancel_body"), len(answers_of(history))
    if at_once:
        return f"{at_once} cancels were sent at the same moment"
    if isinstance(body, dict) and body.get("reason"):
        force = "by force, " if body.get("force") else ""
        return f'the cancel was sent {force}with the reason "{body["reason"]}"'
    return "the cancel was sent"
