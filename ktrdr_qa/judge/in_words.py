"""One recording in words that a product person understands: what was tried, what happened, and what that rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ktrdr_qa.judge import neighbours, oversubscribed, table, together, vain
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.record.history import History
from ktrdr_qa.words import percent

Found = Mapping[str, Judgement]


def in_words(history: History, found: Found) -> str:
    """One paragraph, with numbers."""
    told = [*_the_race(history, found)] or [*_the_backtest(history, found)]
    told += [sentence for way in OTHER_WAYS for sentence in way(history, found)]
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
    yield f"A backtest of {_data(history)} was started{in_a_row}."
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
    body, at_once = history.about.get("cancel_body"), len(together.answers_of(history))
    if at_once:
        return f"{at_once} cancels were sent at the same moment"
    if isinstance(body, dict) and body.get("reason"):
        force = "by force, " if body.get("force") else ""
        return f'the cancel was sent {force}with the reason "{body["reason"]}"'
    return "the cancel was sent"


def _data(history: History) -> str:
    return str(history.about.get("candidate", "unknown data"))


# --- other ways: each says nothing where it was not tried ------------------------------------------------------------


def _seen(found: Found, name: str) -> str:
    """What a judgement that holds has seen; what is violated is told as that, and what is unknown not at all."""
    return found[name].seen if name in found and found[name].holds else ""


def _the_race(history: History, found: Found) -> Iterator[str]:
    begun = history.event("race_begun", "")
    if begun is None:
        return
    yield f"{begun.facts.get('tries')} backtests of {_data(history)} were cancelled as they were about to end, one after the other."
    ended = found["met the end"].figures
    words = [
        f"{ended[f'race_{how}']:.0f} {how}" for how in ("cancelled", "completed", "failed") if ended.get(f"race_{how}")
    ]
    if words:
        yield (
            f"So far as they have ended, they ended as {', '.join(words)}."
            if found["met the end"].unknown
            else (f"They ended as {', '.join(words)}.")
        )


def _the_reason(history: History, found: Found) -> Iterator[str]:
    if _seen(found, "reason kept"):
        yield "Its record gives the reason."


def _several_at_once(history: History, found: Found) -> Iterator[str]:
    for name in ("each answered", "one takes effect"):
        if seen := _seen(found, name):
            yield f"{_begun(seen)}."


def _beside_others(history: History, found: Found) -> Iterator[str]:
    if others := neighbours.neighbours_of(history):
        one = len(others) == 1
        yield f"Meanwhile {len(others)} other backtest{' was' if one else 's were'} running on the other worker{'' if one else 's'}."
    if seen := _seen(found, "neighbours run on"):
        yield f"After the cancel {seen}."
    if seen := _seen(found, "next keeps pace"):
        yield f"The same backtest was started once more on its worker: {seen}."


def _too_many_starts(history: History, found: Found) -> Iterator[str]:
    if begun := history.event("oversubscribed", ""):
        further = oversubscribed.further_starts(history)
        yield f"{further} more were started at the same moment, on {begun.facts.get('workers')} workers."
        for name in ("starts answered", "none called failed"):
            if seen := _seen(found, name):
                yield f"{_begun(seen)}."


def _every_view(history: History, found: Found) -> Iterator[str]:
    if history.event("views_begun", ""):
        yield "All the time every view of it was read: its record, the list, its filters and pages, and its worker's own record."
        if seen := _seen(found, "lists agree"):
            yield f"{_begun(seen)}."


def _nothing_to_cancel(history: History, found: Found) -> Iterator[str]:
    if whats := [str(e.facts.get("what")) for e in history.events if e.kind == vain.ANSWERED]:
        *others, last = whats
        told = f"{', '.join(others)} and {last}" if others else last
        seen = _seen(found, "turned down")
        yield f"{'Cancels were' if others else 'A cancel was'} sent of {told}{f': {seen}' if seen else ''}."


def _a_restart(history: History, found: Found) -> Iterator[str]:
    begun = next((e for e in history.events if e.kind == "restart_begun"), None)
    if begun is None:
        return
    who = f"The worker {begun.facts.get('worker')}" if begun.facts.get("service") == "worker" else "KTRDR's backend"
    when = (
        "while the backtest was being cancelled" if history.event("cancel_interrupted", begun.subject) else "in mid-run"
    )
    back = _seen(found, "back")
    yield f"{who} was restarted {when}{f'; {back}' if back else ''}."
    if seen := _seen(found, "ended"):
        yield f"The backtest: {seen}."


def _in_a_row(history: History, found: Found) -> Iterator[str]:
    if seen := _seen(found, "latency steady"):
        yield f"{_begun(seen)}."


def _begun(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"


OTHER_WAYS: tuple[Callable[[History, Found], Iterator[str]], ...] = (
    _the_reason,
    _several_at_once,
    _beside_others,
    _too_many_starts,
    _every_view,
    _nothing_to_cancel,
    _a_restart,
    _in_a_row,
)
