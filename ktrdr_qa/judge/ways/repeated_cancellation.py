"""A second cancel of a backtest that was cancelled already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import what_changed
from ktrdr_qa.judge.ways.way import Way
from ktrdr_qa.platform.statuses import TURNED_DOWN
from ktrdr_qa.record.history import Event, History


def judgements(history: History, limits: Mapping[str, float]) -> Iterator[Judgement]:
    """The judgement of a history with a second cancel; none of any other."""
    if answer := history.event("second_cancel_answered", history.backtest):
        yield does_no_harm(history, answer)


def does_no_harm(history: History, answer: Event) -> Judgement:
    """A second cancel is turned down with a reason (contract: HTTP 400, "already ended"), or again 200; never an error of the server.

    The record stays as it was before it: a cancel of what has ended has no effect (AIP-151; RFC 9110, 9.2.2). That it
    runs again is for ``stays_cancelled``.
    """
    rule = Rule("second cancel", "a second cancel of the same backtest does no harm")
    http, words = answer.facts.get("http"), answer.facts.get("words") or ""
    sent_s = answer.facts.get("sent_s", answer.at_s)
    records = [s for s in history.of("backend", answer.subject) if s.terminal and not s.facts.get("in_list")]
    before = [s for s in records if s.answered_s <= sent_s]
    for s in records:
        if before and s.asked_s >= sent_s and (changed := what_changed(before[-1], s)):
            return rule.violated(f"{changed}, {s.answered_s - sent_s:.1f} s after it was sent", s.answered_s)
    if http in TURNED_DOWN:
        return rule.holds(f"it was turned down: {words}")
    if http == 200:
        told = ("A second cancel of the same backtest was acknowledged once more with HTTP 200.",)
        return rule.holds("it was acknowledged once more", told)
    if http is None or http == 429:
        return rule.unknown(f"it had no answer of its own: {words}")
    return rule.violated(f"it was answered {words}", answer.at_s)


WAY = Way("twice", {"The second cancel does no harm": ("second cancel",)}, judgements)
