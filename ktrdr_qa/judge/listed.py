"""The list of backtests: what it says of the cancelled one, and of the new one, is what their own records say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from ktrdr_qa.judge.afterwards import DONE
from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import (
    COVERED_GAP_S,
    SAME_MOMENT_S,
    apart_s,
    end_and_after,
    gone_from,
    height_of,
    is_named,
    percent_of,
    state_of,
)
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import History, Sample


def list_agrees(history: History, backtest: str) -> Judgement:
    """KTRDR's list of backtests and its single record say the same once the backtest has ended.

    A list that lags by less than ``COVERED_GAP_S`` is not held against it; later on, one disagreement is one too many.
    It has it with the data that were asked for, too. One that named it, and for so long does not any more though it is
    whole, has forgotten it; one that never did is another KTRDR's.
    """
    rule = Rule("list agrees", "the list of backtests says the same as the backtest's own record")
    ended = end_and_after(history, backtest)
    if isinstance(ended, str):
        return rule.unknown(ended)
    end, after = ended
    readings = [s for s in history.of("list", backtest) if s.asked_s > end.answered_s]
    if not readings:
        return rule.unknown("the list was not read after the end")
    for s in readings:
        record = [r for r in (end, *after) if r.answered_s <= s.asked_s][-1]
        later_s = s.asked_s - end.answered_s
        if s.status == MISSING:
            judgement = rule.holds("the list does not name it")
        elif s.status in (record.status, end.status):
            judgement = rule.holds(f'both say "{s.status}"')
        else:
            seen = f'the list says "{s.status}", the record says "{record.status}", {later_s:.1f} s after the end'
            if later_s > COVERED_GAP_S:
                return rule.violated(seen, s.answered_s)
            judgement = rule.unknown(seen)
    same = [s for s in readings if s.status == end.status and s.asked_s > end.answered_s + COVERED_GAP_S]
    if moves := _how_the_list_moves(end, same):
        return rule.violated(moves[1], moves[0].answered_s)
    if mixed := _has_of_another(history, backtest):
        return rule.violated(mixed[1], mixed[0].answered_s)
    if without := _forgotten(history.of("list", backtest)):
        seen = "the list is whole by its own count, and does not name it any more"
        if gone := gone_from(without):
            return rule.violated(f"{seen}, {gone.asked_s - end.answered_s:.1f} s after the end", gone.answered_s)
        return rule.unknown(f"{seen}; it may come right")
    for other, left_out, gone in _forgotten_others(history, backtest):
        seen = f"the list is whole by its own count, and does not name {other} any more, which is {state_of(left_out)}"
        if gone:
            return rule.violated(seen, gone.answered_s)
        judgement = rule.unknown(f"{seen}; it may come right")
    if denied := _ended_in_the_list(history):
        return rule.violated(denied[1], denied[0].answered_s)
    told = ("The list of backtests does not name the cancelled one.",) if readings[-1].status == MISSING else ()
    return replace(judgement, observations=told)


def _how_the_list_moves(end: Sample, rows: Sequence[Sample]) -> tuple[Sample, str] | None:
    """The row of the list which shows progress that an ended backtest cannot make, with the words for it."""
    told = [s for s in rows if s.percentage is not None]
    for earlier, s in pairwise(told):
        if height_of(s) > height_of(earlier):
            return s, f"in the list its progress goes on, from {percent_of(earlier)} to {percent_of(s)}"
    done = next((s for s in told if height_of(s) >= DONE > height_of(end)), None)
    return (done, f"the list has it at {percent_of(done)}, its record at {percent_of(end)}") if done else None


def _ended_in_the_list(history: History) -> tuple[Sample, str] | None:
    """The row by which the new backtest has ended, before this run ended it, and which its record denies, in words.

    The record does where it had ended otherwise, or is read as running after the row; that it is not completed yet may be
    the word of a view that lags.
    """
    following = str(history.about.get("next_backtest"))
    ended_by_us = history.event("clean_up", following)
    record = [s for s in history.of("backend", following) if s.status != MISSING]
    for row in history.of("list", following):
        over = next((s for s in record if s.terminal and s.answered_s <= row.asked_s), None)
        later = next((s for s in record if s.asked_s >= row.answered_s), None) if row.status != "completed" else None
        denies = over or later
        by_itself = row.terminal and not (ended_by_us and row.answered_s >= ended_by_us.at_s)
        if by_itself and denies and denies.status != row.status:
            return row, f'the list has the new backtest as "{row.status}", its record as {state_of(denies)}'
    return None


def _has_of_another(history: History, backtest: str) -> tuple[Sample, str] | None:
    """The row of the list that tells another backtest's data, or another time of its making, with the words for it."""
    payload = history.about.get("payload")
    asked = payload if isinstance(payload, dict) else {}
    created = next((s.facts["created_at"] for s in history.of("backend", backtest) if s.facts.get("created_at")), None)
    for s in history.of("list", backtest):
        for name, field in (("symbol", "symbol"), ("timeframe", "timeframe"), ("strategy", "strategy_name")):
            told = s.facts.get(name)
            if told is not None and asked.get(field) is not None and not is_named(told, asked[field]):
                return s, f"the list has it with the {name} {told}, and {asked[field]} was asked for"
        if (apart_s(created, s.facts.get("created_at")) or 0.0) > SAME_MOMENT_S:
            return s, f"by the list it was created at {s.facts['created_at']}, by its record at {created}"
    return None


def _forgotten_others(history: History, backtest: str) -> Iterator[tuple[str, Sample, Sample | None]]:
    """What the list has ceased to name since the cancel though its own record says since then that it runs.

    Of each its id, that reading of its record, and the reading which shows that the list does not come right.
    """
    sent = history.event("cancel_sent", backtest)
    for other in history.subjects("list"):
        without = _forgotten(history.of("list", other))
        if sent is None or not without or without[0].asked_s < sent.at_s:
            continue
        record = (*history.of("backend", other), *history.of("other", other))
        if runs := next((s for s in record if s.status == "running" and s.asked_s >= without[0].asked_s), None):
            yield other, runs, gone_from(without)


def _forgotten(rows: Sequence[Sample]) -> Sequence[Sample]:
    """The last readings of a list that is whole and does not name the backtest any more; none where it never named it."""
    named = [at for at, s in enumerate(rows) if s.status != MISSING]
    without = rows[named[-1] + 1 :] if named else ()
    return without if all(s.facts.get("whole") for s in without) else ()
