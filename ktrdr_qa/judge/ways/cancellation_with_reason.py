"""A cancel with a reason: it is kept, and shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ktrdr_qa.judge.afterwards import RECORD_SETTLES_S
from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import end_and_after
from ktrdr_qa.judge.ways.way import Found, Way, seen_in
from ktrdr_qa.record.history import History, Sample


def judgements(history: History, limits: Mapping[str, float]) -> Iterator[Judgement]:
    """The judgement of a history whose cancel gave a reason; none of any other."""
    if asked := _asked(history):
        yield is_kept(history, history.backtest, asked)


def is_kept(history: History, backtest: str, reason: str) -> Judgement:
    """The record gives the reason, and goes on giving it; an answer that names a reason names this one.

    Where it stands is open: KTRDR has it in ``error_message``, word for word (contract, operation_cancelled_with_reason),
    and describes the field of the request as "Cancellation reason tracking"; ``cancellation_reason`` is the answer's.
    """
    rule = Rule("reason kept", f'the record gives the reason of the cancel: "{reason}"')
    answer = history.last_event("cancel_answered", backtest)
    told = answer.facts.get("cancellation_reason") if answer else None
    if answer and told and reason not in str(told):
        return rule.violated(f'the answer to the cancel gives "{told}" as its reason', answer.at_s)
    ended = end_and_after(history, backtest)
    if isinstance(ended, str):
        return rule.unknown(ended)
    end, after = ended
    if end.status == "completed":
        return rule.unknown('it was "completed"', final=True)
    if end.status == "failed" and not any(reason in given_in(s) for s in (end, *after)):
        # The recipe takes it for cancelled where the cancel ended it: that it did is not known here.
        seen = f'it is "failed" ({given_in(end) or "no reason given"}): whether by the cancel or by itself is not known'
        return rule.unknown(seen, final=True)
    records = [s for s in (end, *after) if s.terminal]
    for s in records:
        # A platform may write the status a moment before the reason.
        if reason not in given_in(s) and s.asked_s >= end.answered_s + RECORD_SETTLES_S:
            return rule.violated(f'it gives "{given_in(s) or "none"}"', s.answered_s)
    return rule.holds("it gives it") if reason in given_in(records[-1]) else rule.unknown("it does not give it so far")


def given_in(s: Sample) -> str:
    """What a record gives as the reason of its end."""
    return " / ".join(str(s.facts[name]) for name in ("error_message", "reason") if s.facts.get(name))


def _asked(history: History) -> str:
    body = history.about.get("cancel_body")
    return str(body.get("reason") or "") if isinstance(body, dict) else ""


def in_words(history: History, found: Found) -> Iterator[str]:
    if seen_in(found, "reason kept"):
        yield "Its record gives the reason."


WAY = Way("with a reason", {"The reason is kept": ("reason kept",)}, judgements, in_words)
