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

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import cancel_due_from, state_of
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

    @property
    def end(self) -> Sample | None:
        return next((s for s in self.readings if s.terminal), None)

    @property
    def ended_as(self) -> str:
        return str(self.end.status) if self.end else ""

    @property
    def http(self) -> int | None:
        return self.answer.facts.get("http")

    @property
    def reached_the_worker(self) -> bool | None:
        """What the answer to the cancel says of that; None where it does not."""
        return self.answer.facts.get("remote_cancelled")

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
    readings = history.of("backend", e.subject)
    return Try(e.subject, e.facts["number"], e.facts["offset_s"], due_s, answer, lost, readings)


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
    an observation: the two crossed.
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
    if counts["completed"] in (0, len(tries)):
        return rule.unknown(f"{seen}: none was near enough to its end for the two to meet", (), figures, final=True)
    offsets_s = [t.offset_s for t in tries]
    between = f"from {min(offsets_s):+.2f} s to {max(offsets_s):+.2f} s of the end that their own pace predicted"
    told = f"O{seen[1:]}, where the cancel was sent {between}."
    return rule.holds(seen, (told,), figures)


def answers_fit(history: History) -> Judgement:
    """What the answer to each cancel says is what became of the backtest, and none is an error of the server."""
    rule = Rule("answer fits", "the answer to each cancel fits the way in which the backtest ended")
    tries = tries_of(history)
    fit = 0
    for t in tries:
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
        fit += t.end is not None
    if not fit:
        return rule.unknown(f"none of {len(tries)} answers could be compared")
    return rule.holds(f"{fit} of {len(tries)} answers were compared")


def stays_as_it_ended(history: History, limit_s: float) -> Judgement:
    """No end turns into the other one, and nothing runs again; a replica may lag until the limit."""
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
                now = "its record is gone (HTTP 404)" if s.status == MISSING else f"then it was {state_of(s)}"
                seen = f"{t.who} was {state_of(t.end)} first, and {s.answered_s - t.end.answered_s:.1f} s later {now}"
                return rule.violated(seen, s.answered_s)
        again += t.readings[-1].answered_s > t.end.answered_s
    if not tries or again < len(tries):
        return rule.unknown(f"{again} of {len(tries)} were read again after their end")
    return rule.holds(f"all {len(tries)} were read again after their end")


def in_words(history: History, found: Found) -> Iterator[str]:
    begun = history.event("race_begun", "")
    if begun is None:
        return
    yield f"{begun.facts.get('tries')} backtests of {data_of(history)} were cancelled as they were about to end, one after the other."
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
