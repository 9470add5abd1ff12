"""The race with completion: a cancel that meets the backtest's own end leaves it cancelled or completed, never both.

Sources: Google AIP-151 ("the server makes a best effort to cancel ... clients can check whether the cancellation
succeeded or whether the operation completed despite cancellation"), so either end is legal; Microsoft's guidelines on
long-running operations (a terminal state is final); RFC 9110, 15.3.1 and 15.6 (a 2xx says what was done, a 5xx that the
server failed); KTRDR's contract: a cancel of what has ended is answered 400, and an answer that says "cancelled" is one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ktrdr_qa.judge.afterwards import moved_on
from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import cancel_due_from, state_of, what_changed
from ktrdr_qa.judge.ways.way import Found, Way, data_of
from ktrdr_qa.platform.statuses import MISSING, TURNED_DOWN
from ktrdr_qa.record.history import Event, History, Sample


@dataclass(frozen=True)
class Try:
    """One cancel sent about when the backtest was to end: ``offset_s`` after the end that its pace predicted."""

    backtest: str
    number: int
    offset_s: float
    due_s: float
    """From when on the backtest had to be over: when the cancel was answered, or was known to have come too late."""
    answer: Event
    """One without facts where there is none."""
    lost: bool
    """Whether an answer to the cancel was lost, so that the last one was to a repeat."""
    readings: tuple[Sample, ...]
    """The backend's readings of its record."""
    once_more: Event | None = None
    """The answer to a further cancel, sent when it had completed: "too late" is what it may say, and nothing else."""

    @property
    def end(self) -> Sample | None:
        return next((s for s in self.readings if s.terminal), None)

    @property
    def ended_as(self) -> str:
        return str(self.end.status) if self.end else ""

    @property
    def why(self) -> str:
        """What its record gives as the reason of its end."""
        return str((self.end and self.end.facts.get("error_message")) or "no reason given")

    @property
    def http(self) -> int | None:
        return self.answer.facts.get("http")

    @property
    def reached_the_worker(self) -> bool | None:
        """What the answer to the cancel says of that; None where it does not."""
        return self.answer.facts.get("remote_cancelled")

    @property
    def acknowledged(self) -> bool:
        return self.http is not None and 200 <= self.http < 300

    @property
    def failed_by_its_cancel(self) -> bool:
        return self.ended_as == "failed" and self.acknowledged

    @property
    def who(self) -> str:
        return f"try {self.number} ({self.backtest})"


def tries_of(history: History) -> list[Try]:
    """The tries of a recording, in their order."""
    return [_try(history, e) for e in history.events if e.kind == "race_try"]


def _try(history: History, e: Event) -> Try:
    answer = history.last_event("cancel_answered", e.subject) or history.last_event("cancel_too_late", e.subject)
    answer = answer or replace(e, at_s=math.inf)
    due_s = cancel_due_from(history, e.subject) or answer.at_s
    lost = history.event("cancel_lost", e.subject) is not None
    readings, again = history.of("backend", e.subject), history.event("second_cancel_answered", e.subject)
    return Try(e.subject, e.facts["number"], e.facts["offset_s"], due_s, answer, lost, readings, again)


def judgements(history: History, limits: Mapping[str, float]) -> list[Judgement]:
    """The rules of the race, where one was run."""
    begun = next((e for e in history.events if e.kind == "race_begun"), None)
    if begun is None:
        return []
    return [
        ends_one_way(history, limits["cancelled_s"]),
        answers_fit(history),
        stays_as_it_ended(history, limits["cancelled_s"]),
        met_the_end(history, begun.facts["tries"]),
    ]


def ends_one_way(history: History, limit_s: float) -> Judgement:
    """Each backtest of the race is soon over, and in one way: a cancelled one has no result, and its worker no completed record.

    Where KTRDR itself says that its worker was not told (``remote_cancelled: false``), a worker that completed it is
    an observation: the two crossed. One that failed though its cancel was not acknowledged may have failed by itself.
    """
    rule = Rule(
        "one end", "a backtest that is cancelled as it ends is either cancelled or completed, never both or neither"
    )
    tries, crossed = tries_of(history), []
    for t in tries:
        late = next((s for s in t.readings if not s.terminal and s.asked_s > t.due_s + limit_s), None)
        if late and not (t.end and t.end.answered_s < late.asked_s):
            seen = f"{t.who} had ended in neither way {late.asked_s - t.due_s:.1f} s after its cancel: it was {state_of(late)}"
            return rule.violated(seen, late.asked_s)
        for s in t.readings:
            if s.status == "cancelled" and s.facts.get("has_result"):
                return rule.violated(f'{t.who} is "cancelled", yet carries the result of a completed one', s.answered_s)
        both = {"cancelled", "completed"}
        own = next((s for s in history.of("worker", t.backtest) if {s.status, t.ended_as} == both), None)
        if own:
            seen = f'{t.who} is "{t.ended_as}" by KTRDR\'s record and "{own.status}" by its worker\'s own'
            if t.reached_the_worker:
                return rule.violated(f"{seen}, which was told, by the answer to the cancel", own.answered_s)
            crossed.append(f"{seen}: the two crossed.")
    ended = sum(bool(t.end) for t in tries)
    if not tries or ended < len(tries):
        return rule.unknown(f"{ended} of {len(tries)} have ended so far")
    if broken := next((t for t in tries if t.ended_as == "failed" and not t.failed_by_its_cancel), None):
        return rule.unknown(f"{broken.who} failed ({broken.why}): whether by itself is not known", final=True)
    return rule.holds(f"each of {len(tries)} ended in one way", tuple(crossed))


def met_the_end(history: History, wanted: int) -> Judgement:
    """It was a race: all tries were made, and some ended in each way; else no cancel was near enough to an end to tell."""
    rule = Rule("met the end", "the cancels meet the end: some backtests are cancelled, and some completed")
    tries = tries_of(history)
    ended = [t.ended_as for t in tries]
    counts = {how: ended.count(how) for how in ("cancelled", "completed", "failed")}
    figures = {f"race_{how}": float(count) for how, count in counts.items()}
    seen = f"of {wanted} backtests {counts['cancelled']} were cancelled and {counts['completed']} completed"
    seen += f", {counts['failed']} failed" if counts["failed"] else ""
    if len(tries) < wanted:
        return rule.unknown(f"{seen} so far", (), figures)
    # The recipe takes one that failed by its cancel for a cancelled one.
    if not counts["completed"] or not any(t.ended_as == "cancelled" or t.failed_by_its_cancel for t in tries):
        return rule.unknown(f"{seen}: none was near enough to its end for the two to meet", (), figures, final=True)
    offsets_s = [t.offset_s for t in tries]
    between = f"from {min(offsets_s):+.2f} s to {max(offsets_s):+.2f} s of the end that their own pace predicted"
    told = f"O{seen[1:]}, where the cancel was sent {between}."
    return rule.holds(seen, (told,), figures)


def answers_fit(history: History) -> Judgement:
    """What the answer to each cancel says is what became of the backtest, and none is an error of the server.

    So it is with a further one, sent when it had completed. "Cancelled" of one that failed is in order where KTRDR calls
    every cancelled one so, as the recipe allows.
    """
    rule = Rule("answer fits", "the answer to each cancel fits the way in which the backtest ended")
    tries = tries_of(history)
    cancels_by_name = any(t.ended_as == "cancelled" for t in tries)
    fit = 0
    for t in tries:
        if t.once_more and (wrong := _wrong_once_more(t.once_more.facts)):
            return rule.violated(f"{t.who} had completed, and a further cancel was {wrong}", t.once_more.at_s)
        if t.http is None or t.http == 429:
            continue
        words = str(t.answer.facts.get("words") or f"HTTP {t.http}")
        if t.http in TURNED_DOWN:
            if t.ended_as == "cancelled" and not t.lost:
                seen = f'{t.who} was turned down ({words}), and is "cancelled" all the same'
                return rule.violated(seen, t.answer.at_s)
        elif t.http >= 300:
            return rule.violated(f"{t.who} was answered {words}", t.answer.at_s)
        elif t.answer.facts.get("status") == "cancelled" and t.ended_as == "completed":
            seen = f'{t.who} was answered "cancelled" with HTTP {t.http}, and it is "completed"'
            return rule.violated(seen, t.answer.at_s)
        elif t.answer.facts.get("status") == "cancelled" and t.ended_as == "failed" and cancels_by_name:
            seen = f'{t.who} was answered "cancelled" with HTTP {t.http}, and it is "failed" ({t.why})'
            return rule.violated(seen, t.answer.at_s)
        fit += t.end is not None
    if not fit:
        return rule.unknown(f"none of {len(tries)} answers could be compared")
    return rule.holds(f"{fit} of {len(tries)} answers were compared")


def _wrong_once_more(facts: Mapping[str, Any]) -> str:
    """What is wrong with the answer to a cancel of what had completed, in words; empty where nothing is."""
    http = facts.get("http")
    if http is None:
        return ""
    if http >= 500:
        return f"answered {facts.get('words')}"
    acknowledged = 200 <= http < 300 and facts.get("status") == "cancelled"
    return f'answered "cancelled" with HTTP {http}' if acknowledged else ""


def stays_as_it_ended(history: History, limit_s: float) -> Judgement:
    """No end turns into the other one or is written anew, and nothing runs again; a replica may lag until the limit."""
    rule = Rule("no flip", "each backtest of the race stays as it ended")
    tries = tries_of(history)
    again = 0
    for t in tries:
        if t.end is None:
            continue
        for s in t.readings:
            late = s.asked_s > t.due_s + limit_s
            other = s.terminal and s.status != t.end.status
            if s.answered_s > t.end.answered_s and (other or (not s.terminal and late)):
                now = "its record is gone (HTTP 404)" if s.status == MISSING else f"it was {state_of(s)}"
                seen = f"{t.who} was {state_of(t.end)} first, and {s.answered_s - t.end.answered_s:.1f} s later {now}"
                return rule.violated(seen, s.answered_s)
            if s.status == t.end.status and (changed := _rewritten(t, s)):
                later_s = s.answered_s - t.end.answered_s
                return rule.violated(
                    f"{t.who} was {state_of(t.end)}, and {later_s:.1f} s later {changed}", s.answered_s
                )
        again += t.readings[-1].answered_s > t.end.answered_s
    if not tries or again < len(tries):
        return rule.unknown(f"{again} of {len(tries)} were read again after their end")
    return rule.holds(f"all {len(tries)} were read again after their end")


def _rewritten(t: Try, s: Sample) -> str:
    """What a later reading of an ended backtest's record has otherwise, in words; empty where nothing is.

    Of one that had completed all that a further cancel changed; else the time of the end.
    """
    if t.once_more:
        sent_s = t.once_more.facts["sent_s"]
        before = [r for r in t.readings if r.status == s.status and r.answered_s <= sent_s]
        return what_changed(before[-1], s) if before and s.asked_s >= sent_s else ""
    first = str(t.end and t.end.facts.get("completed_at"))
    return f"the time of its end moved: from {first} to {s.facts['completed_at']}" if moved_on(first, s) else ""


def in_words(history: History, found: Found) -> Iterator[str]:
    begun = history.event("race_begun", "")
    if begun is None:
        return
    # It is broken off where a rule is broken.
    planned, tried = begun.facts.get("tries"), len(tries_of(history))
    yield f"{planned if tried == planned else f'{tried} of {planned}'} backtests of {data_of(history)} were cancelled as they were about to end, one after the other."
    ended = found["met the end"].figures
    words = [
        f"{ended[f'race_{how}']:.0f} {how}" for how in ("cancelled", "completed", "failed") if ended.get(f"race_{how}")
    ]
    if words:
        so_far = "So far as they have ended, they" if found["met the end"].unknown else "They"
        yield f"{so_far} ended as {', '.join(words)}."


WAY = Way(
    "race",
    {
        "Each ended in one way: cancelled or completed": ("one end",),
        "The answer to each cancel fits its end": ("answer fits",),
        "Each stays as it ended": ("no flip",),
        "The cancels did meet the end": ("met the end",),
    },
    judgements,
    in_words,
)
