"""The cancel: it is acknowledged, and the backtest is cancelled in time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.pace import held_against, race
from ktrdr_qa.judge.reading import (
    cancel_due_from,
    counted,
    height_of,
    not_known_yet,
    nothing_to_cancel,
    state_of,
    unwatched,
)
from ktrdr_qa.judge.running import was_running
from ktrdr_qa.platform.statuses import ACTIVE, MISSING, TURNED_DOWN
from ktrdr_qa.record.history import Event, History

MEANWHILE = 5
"""So many answered readings of the backtest, while its cancel waits, show that it is the cancel that hangs."""
_UNDER_WAY = re.compile(
    r"(cancelling|being cancel|cancel(lation)?( request)? (is |was )?(already |still )?"
    r"(under ?way|in progress|pending|requested))"
)
LATE_WATCH_S = 5.0
"""How much longer a backtest that was not cancelled in time is watched, only to say what becomes of it."""


def is_acknowledged(history: History, backtest: str, limit_s: float) -> Judgement:
    """The seed's "HTTP 200, cancellation acknowledged".

    ``remote_cancelled: false`` is a failure whoever else can be reached: from then on the backend no longer
    asks the worker, so its own view proves nothing (contract, surprise 7). After a lost answer the state and
    one repeat decide; a repeat turned down because the backtest is cancelled, or is being cancelled, shows that the
    first request worked, but not that it was acknowledged: unknown. A cancel without an answer while readings of the
    same backtest are answered all along was not lost on the way: it hangs.
    """
    rule = Rule("acknowledged", f"the cancel is acknowledged with HTTP 200 within {limit_s:.1f} s")
    answers = [e for e in history.events if e.kind == "cancel_answered" and e.subject == backtest]
    losses = [e for e in history.events if e.kind == "cancel_lost" and e.subject == backtest]
    if not answers and len(losses) >= 2:
        why = losses[-1].facts.get("problem", "")
        return rule.violated(f"two requests in a row got no answer: {why}", losses[-1].at_s)
    for e in losses:
        if meanwhile := _read_while_it_hung(history, e, limit_s):
            seen = f"it got no answer in {e.facts['took_s']:.1f} s, while {meanwhile} readings of the backtest were answered"
            return rule.violated(seen, e.at_s)
    if not answers:
        return rule.unknown("no answer to the cancel yet")
    answer = answers[-1]
    http, words = answer.facts.get("http"), answer.facts.get("words")
    took_s = float(answer.facts.get("took_s", 0.0))
    lost = tuple(
        f"The answer to the first cancel was lost ({e.facts.get('problem')}); it was repeated once." for e in losses
    )
    if losses and http in TURNED_DOWN and (told := _says_that_one_worked(str(words))):
        # It worked, but nobody saw KTRDR say so: neither KTRDR's fault for certain, nor a pass.
        why = losses[0].facts.get("problem")
        return rule.unknown(f"its answer was lost ({why}), and the repeat says that {told}", lost)
    if http == 429:
        return rule.unknown(f"it was turned away: {words}", lost)
    if http != 200:
        return rule.violated(f"it was answered {words or f'HTTP {http}'} after {took_s:.2f} s", answer.at_s)
    if wrong := _wrong_with_200(answer.facts, backtest):
        return rule.violated(wrong, answer.at_s)
    if took_s > limit_s:
        return rule.violated(f"the answer took {took_s:.2f} s", answer.at_s)
    if (said := answer.facts.get("status")) in ACTIVE:
        lost = (*lost, f'By the answer to the cancel the backtest was "{said}" still.')
    return rule.holds(f"acknowledged with HTTP 200 after {took_s:.2f} s", lost, {"acknowledged_s": took_s})


def _read_while_it_hung(history: History, lost: Event, limit_s: float) -> int:
    """How many readings of the backtest were asked for and answered while its cancel hung; 0 for one that was lost on the way."""
    if "took_s" not in lost.facts or lost.facts["took_s"] < limit_s:
        return 0
    from_s = lost.at_s - lost.facts["took_s"]
    read = sum(from_s <= s.asked_s and s.answered_s <= lost.at_s for s in history.of("backend", lost.subject))
    return read if read >= MEANWHILE else 0


def _says_that_one_worked(words: str) -> str:
    """What a refusal says of an earlier cancel; empty where it says only that the backtest cannot be cancelled."""
    if _UNDER_WAY.search(words.lower()):
        return "it is being cancelled"
    return "it is cancelled already" if "cancelled" in re.sub(r"\b(be|not) cancelled", "", words.lower()) else ""


def _wrong_with_200(facts: Mapping[str, Any], backtest: str) -> str:
    """Why an answer with HTTP 200 does not acknowledge the cancel; empty where it does."""
    if problem := facts.get("problem"):
        return f"HTTP 200 with {problem}"
    named = facts.get("operation_id")
    if named is not None and named != backtest:
        return f"HTTP 200, but it names another backtest: {named}"
    if facts.get("success") is False:
        return f'HTTP 200, but "success": false ({facts.get("words") or "no reason given"})'
    if facts.get("success") is None and facts.get("status") is None:
        return "HTTP 200, but the answer does not say that anything was cancelled"
    if facts.get("status") == "completed":
        return 'HTTP 200, but by its own words the backtest is "completed"'
    if facts.get("remote_cancelled") is False:
        return 'HTTP 200 with "remote_cancelled": false: the backend calls it cancelled, but its worker was not told'
    return ""


def is_cancelled(history: History, backtest: str, limit_s: float) -> Judgement:
    """The seed's "Verify Cancelled", within its 2 s, which it counts from the answer to the cancel.

    ``failed`` counts where the last reading before the cancel shows it running: it ended because of the cancel. What
    another's record says counts for nothing.
    """
    rule = Rule("cancelled", f"the backtest is reported as cancelled within {limit_s:.1f} s of the cancel")
    sent = history.event("cancel_sent", backtest)
    since_s = cancel_due_from(history, backtest)
    nothing = nothing_to_cancel(history, backtest)
    if sent is None or nothing:
        return rule.unknown(nothing)
    if since_s is None:
        return rule.unknown("the cancel has no answer yet")
    readings = [s for s in history.of("backend", backtest) if s.answered_s > sent.at_s]
    if another := next((s for s in readings if s.facts.get("record_of")), None):
        return rule.violated(
            f"KTRDR answers with the record of another: {another.facts['record_of']}", another.answered_s
        )
    end = next((s for s in readings if s.terminal), None)
    still = [s for s in readings if not s.terminal and (end is None or s.answered_s <= end.answered_s)]
    late = [s for s in still if s.asked_s > since_s + limit_s]
    if late:
        last = late[-1]
        seen = f"it was still {state_of(last)}" if last.status != MISSING else "its record is gone (HTTP 404)"
        seen += f" {last.asked_s - since_s:.1f} s after the cancel was answered ({counted(readings)})"
        return rule.violated(seen, late[0].asked_s)
    if end is None:
        return rule.unknown(not_known_yet(history, backtest))
    took_s = end.answered_s - sent.at_s
    figures = {"cancelled_s": took_s}
    if end.status == "completed":
        if not (why := held_against(history, backtest, end, limit_s)):
            return rule.unknown(race(history, backtest, end), final=True)
        seen = f"it was completed {took_s:.2f} s after the cancel: it ran on to its end, although {why}"
        return rule.violated(seen, end.answered_s)
    if unseen := unwatched(since_s, limit_s, still[-1] if still else None, end):
        return rule.unknown(f"{unseen} the answer to the cancel, when it had ended")
    if end.status == "failed":
        was = was_running(history, backtest)
        words = end.facts.get("error_message") or "no reason given"
        if not was.holds:
            seen = f'it is "failed" ({words}), and {was.seen}: nothing shows that the cancel ended it'
            return replace(rule.violated(seen, end.answered_s), verdict=was.verdict)
        told = (f'The backtest ended as "failed" instead of "cancelled", because of the cancel: {words}',)
        return rule.holds(f'ended as "failed" {took_s:.2f} s after the cancel', told, figures)
    return rule.holds(f"cancelled {took_s:.2f} s after the cancel", figures=figures)


def what_became_of_it(history: History, backtest: str) -> Judgement:
    """For the words of a failure: whether a backtest that missed its limit was cancelled later, or ran on."""
    rule = Rule("afterwards", "")
    sent = history.event("cancel_sent", backtest)
    readings = [s for s in history.of("backend", backtest) if sent and s.asked_s > sent.at_s]
    if sent is None or not readings:
        return rule.unknown("nothing was seen of it afterwards")
    end = next((s for s in readings if s.terminal), None)
    if end:
        return rule.holds(f"it was {state_of(end)} after all, {end.answered_s - sent.at_s:.1f} s after the cancel")
    first, last = readings[0], readings[-1]
    on = "ran on" if height_of(last) > height_of(first) else "did not end"
    return rule.unknown(f"it {on}: {state_of(last)} {last.asked_s - sent.at_s:.1f} s after the cancel")
