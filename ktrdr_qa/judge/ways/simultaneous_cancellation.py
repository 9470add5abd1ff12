"""Several cancels of one backtest at the same moment: one takes effect, and none of the others breaks anything.

RFC 9110 calls DELETE idempotent (9.2.2): "the intended effect on the server of multiple identical requests is the same as
the effect for a single such request". The answers may differ: KTRDR acknowledges one and turns the others down (HTTP
400, contract, surprise 11), another may confirm each of them (AIP-151 has an operation end once, and a cancel of an ended one
changes nothing). A 5xx (15.6) is an error of the server, which two clients at once do not excuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ktrdr_qa.judge.afterwards import moved_on
from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import ONE_OF_SEVERAL_ANSWERED, SAME_MOMENT_S, end_and_after
from ktrdr_qa.judge.ways.cancellation_with_reason import given_in
from ktrdr_qa.judge.ways.way import Found, Way, sentences
from ktrdr_qa.record.history import Event, History


def judgements(history: History, limits: Mapping[str, float]) -> Iterator[Judgement]:
    """The judgements of a history with several cancels at once; none of any other."""
    if answers_of(history):
        yield none_breaks(history)
        yield one_takes_effect(history, history.backtest)


def none_breaks(history: History) -> Judgement:
    """At least one is acknowledged; the others are turned down (4xx) or confirm it (2xx).

    One that is never answered where another is hangs in KTRDR; a connection that was lost may be nobody's fault.
    """
    answers = answers_of(history)
    rule = Rule("each answered", f"of {len(answers)} cancels at once one is acknowledged, and none breaks KTRDR")
    for e in answers:
        http = e.facts.get("http")
        if isinstance(http, int) and http >= 500:
            return rule.violated(f"{_name(e)} was answered {e.facts.get('words')}", e.at_s)
    open_ = [e for e in answers if e.facts.get("http") in (None, 429)]
    acknowledged = [e for e in answers if _acknowledges(e)]
    for e in open_:
        if e.facts.get("timed_out") and acknowledged:
            first = acknowledged[0]
            seen = f"{_name(e)} hangs ({e.facts.get('words')}), though {_name(first)} was acknowledged {e.at_s - first.at_s:.1f} s before"
            return rule.violated(seen, e.at_s)
    if not acknowledged and not open_:
        return rule.violated(f"none was: {answers[0].facts.get('words')}", answers[-1].at_s)
    if open_:
        return rule.unknown(f"{_name(open_[0])} had no answer of its own: {open_[0].facts.get('words')}", final=True)
    told = (
        (f"{len(acknowledged)} of {len(answers)} cancels at once were acknowledged.",) if len(acknowledged) > 1 else ()
    )
    return rule.holds(f"{len(acknowledged)} acknowledged, {len(answers) - len(acknowledged)} turned down", told)


def one_takes_effect(history: History, backtest: str) -> Judgement:
    """The backtest ends once, and by a cancel that was acknowledged: each had a reason of its own, and the record gives one."""
    rule = Rule("one takes effect", "of the cancels at once exactly one takes effect")
    ended = end_and_after(history, backtest)
    if isinstance(ended, str):
        return rule.unknown(ended)
    end, after = ended
    records = [s for s in (end, *after) if s.terminal]
    answers = answers_of(history)
    first = next((s for s in records if s.facts.get("completed_at")), end)
    winner: Event | None = None
    for s in records:
        if moved_on(first.facts.get("completed_at"), s, SAME_MOMENT_S):
            first_at, then_at = first.facts["completed_at"], s.facts["completed_at"]
            return rule.violated(f"it ended twice: at {first_at}, and at {then_at}", s.answered_s)
        now = next((e for e in answers if str(e.facts.get("reason")) in given_in(s)), None)
        if now is None:
            continue
        if winner and now is not winner:
            seen = f'its record first gave "{winner.facts.get("reason")}", then "{now.facts.get("reason")}"'
            return rule.violated(f"{seen}: both took effect", s.answered_s)
        winner = now
        if isinstance(now.facts.get("http"), int) and not _acknowledges(now):
            seen = f'its record gives "{now.facts.get("reason")}", and {_name(now)} was turned down: {now.facts.get("words")}'
            return rule.violated(seen, s.answered_s)
    if len(records) < 2:
        return rule.unknown("no further reading was had")
    if winner is None:
        return rule.holds("it ended once", ("The record does not say which of the cancels at once took effect.",))
    return rule.holds(f"it ended once, by {_name(winner)}")


def answers_of(history: History) -> list[Event]:
    """The answers to the cancels that were sent at once."""
    return [e for e in history.events if e.kind == ONE_OF_SEVERAL_ANSWERED]


def _acknowledges(e: Event) -> bool:
    http = e.facts.get("http")
    return isinstance(http, int) and 200 <= http < 300 and e.facts.get("success") is not False


def _name(e: Event) -> str:
    return f"cancel {e.facts.get('number')}"


def in_words(history: History, found: Found) -> Iterator[str]:
    return sentences(found, "each answered", "one takes effect")


WAY = Way(
    "several at once",
    {
        "One is acknowledged, and none breaks KTRDR": ("each answered",),
        "Exactly one takes effect": ("one takes effect",),
    },
    judgements,
    in_words,
)
