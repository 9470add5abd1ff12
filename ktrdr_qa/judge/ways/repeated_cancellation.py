"""A second cancel of a backtest that was cancelled already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.ways.way import Way
from ktrdr_qa.platform.statuses import TURNED_DOWN
from ktrdr_qa.record.history import Event, History


def judgements(history: History, limits: Mapping[str, float]) -> Iterator[Judgement]:
    """The judgement of a history with a second cancel; none of any other."""
    if answer := history.event("second_cancel_answered", history.backtest):
        yield is_turned_down(answer)


def is_turned_down(answer: Event) -> Judgement:
    """A second cancel is turned down with a reason (contract: HTTP 400, "already ended"), or again 200; never an error of the server."""
    rule = Rule("second cancel", "a second cancel of the same backtest does no harm")
    http, words = answer.facts.get("http"), answer.facts.get("words") or ""
    if http in TURNED_DOWN:
        return rule.holds(f"it was turned down: {words}")
    if http == 200:
        told = ("A second cancel of the same backtest was acknowledged once more with HTTP 200.",)
        return rule.holds("it was acknowledged once more", told)
    if http is None or http == 429:
        return rule.unknown(f"it had no answer of its own: {words}")
    return rule.violated(f"it was answered {words}", answer.at_s)


WAY = Way("twice", {"The second cancel does no harm": ("second cancel",)}, judgements)
