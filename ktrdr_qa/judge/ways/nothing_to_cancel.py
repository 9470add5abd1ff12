"""Cancels that have nothing to cancel: each is turned down, nothing has changed by it, and the next backtest runs.

What may be said to them: RFC 9110 has a 4xx for what the client got wrong (15.5) and a 5xx for what the server did
(15.6), and a 2xx says that the request was "received, understood, and accepted" (15.3), so an acknowledgement of what
cannot be done is untrue. Which 4xx it is stays open (KTRDR: 404 for what is not there, 400 for what has ended, and 422 for
what does not fit; AIP-193 maps NOT_FOUND to 404 and FAILED_PRECONDITION to 400, Microsoft's guidelines ask for 404, 409
or 412). A redirect (15.4) carries nothing out either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ktrdr_qa.judge import crashes
from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import (
    COVERED_GAP_S,
    SAME_MOMENT_S,
    counted,
    gone_from,
    rises_in,
    state_of,
    what_changed,
)
from ktrdr_qa.judge.ways.way import Found, Way, seen_in
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import Event, History, Sample

ANSWERED = "cancel_in_vain_answered"
_OWN_CANCELS = ("cancel_sent", "clean_up")


def judgements(history: History, limits: Mapping[str, float]) -> Iterator[Judgement]:
    """The judgements of a history in which such cancels were sent; none of any other."""
    if not _sent(history):
        return
    yield are_turned_down(history)
    yield go_on_answering(history)
    yield leave_the_running_alone(history)
    yield leave_the_list_alone(history, limits["cancelled_s"])
    if _ended_before(history):
        yield leave_the_ended_alone(history, limits["cancelled_s"])
        yield keep_no_worker(history, limits["new_backtest_s"])


def are_turned_down(history: History) -> Judgement:
    """Each is answered with a 4xx: never 5xx, never acknowledged, never left without an answer (see above)."""
    rule = Rule("turned down", "each cancel that has nothing to cancel is turned down (HTTP 4xx)")
    unknown = []
    sent = _sent(history)
    for e in sent:
        http, what, words = e.facts.get("http"), e.facts.get("what"), e.facts.get("words")
        if not isinstance(http, int):
            return rule.violated(f"the cancel of {what} got no answer, twice: {words}", e.at_s)
        if http < 300:
            told = f', with "{words}"' if words else ""
            seen = f"the cancel of {what} was acknowledged with HTTP {http}{told}, as if there were something to cancel"
            return rule.violated(seen, e.at_s)
        if http >= 500:
            return rule.violated(f"the cancel of {what} was answered {words}", e.at_s)
        if http == 429:
            unknown.append(f"the cancel of {what} was turned away: {words}")
    if unknown:
        return rule.unknown(unknown[0], final=True)
    codes = ", ".join(str(code) for code in sorted({int(e.facts["http"]) for e in sent}))
    return rule.holds(f"{len(sent)} {'was' if len(sent) == 1 else 'were'} turned down with HTTP {codes}")


def go_on_answering(history: History) -> Judgement:
    """Neither KTRDR nor a worker that had answered falls over: what cannot be carried out must not end a process (AIP-193).

    A worker that is silent may have to compute; one that refuses connections, or breaks, is gone.
    """
    rule = Rule("goes on answering", "KTRDR and its workers go on answering")
    first, last = _sent(history)[0], _sent(history)[-1]
    since_s, due_s = first.facts["sent_s"], last.at_s + COVERED_GAP_S
    asked, doubtful = [], ""
    for what, readings in crashes.who_answers(history):
        outages = list(crashes.outages_in(history, readings))
        if not any(not s.problem and s.answered_s <= since_s for s in readings):
            continue  # It was not there before, or cannot be told from one that was not.
        if outages and outages[0].from_s >= since_s - SAME_MOMENT_S:
            lasted = f"{outages[0].lasted_s:.1f} s{'' if outages[0].over else ' by now'}"
            after_s = max(0.0, outages[0].from_s - since_s)
            seen = f"{what} did not answer for {lasted}, from {after_s:.1f} s after the cancel of {first.facts.get('what')}"
            return rule.violated(f"{seen}: {outages[0].words}", outages[0].from_s)
        if readings[-1].problem or readings[-1].asked_s < due_s:
            doubtful = doubtful or f"{what} has not answered since: {readings[-1].problem or 'it was not asked'}"
        asked.append(what)
    if not asked:
        return rule.unknown("nothing of it had answered before", final=True)
    return rule.unknown(doubtful) if doubtful else rule.holds(f"{' and '.join(asked)} answered")


def leave_the_running_alone(history: History) -> Judgement:
    """What ran meanwhile was not cancelled by them: nobody else had asked for it. One that fails just then may do so by itself.

    Only this run's backtests count: whoever owns another may have cancelled it.
    """
    rule = Rule("running unharmed", "no running backtest is cancelled by a cancel of something else")
    first, last = _sent(history)[0], _sent(history)[-1]
    since_s = first.facts["sent_s"]
    ended = {e.subject for e in _ended_before(history)}
    ran_on, failed = [], ""
    for backtest in history.subjects("backend"):
        readings = history.of("backend", backtest)
        before = [s for s in readings if s.answered_s <= since_s]
        if backtest in ended or not before or before[-1].terminal:
            continue
        for s in readings[len(before) :]:
            if _cancelled_by_us(history, backtest, s):
                break
            seen = (
                f'{backtest} was {state_of(before[-1])}, and is "{s.status}" {s.answered_s - since_s:.2f} s after the '
            )
            seen += f"cancel of {first.facts.get('what')}"
            if s.status == "cancelled":
                return rule.violated(f"{seen}; it was not asked for", s.answered_s)
            if s.status == "failed":
                words = s.facts.get("error_message") or "no reason given"
                failed = failed or f"{seen} ({words}): whether by itself is not known"
                break
            if s.asked_s > last.at_s and s.status != MISSING:
                ran_on.append(state_of(s))
    if failed:
        return rule.unknown(failed, final=True)
    return (
        rule.holds(f"one that ran was {ran_on[-1]} afterwards") if ran_on else rule.unknown("none was seen afterwards")
    )


def leave_the_list_alone(history: History, limit_s: float) -> Judgement:
    """The list names what it named before, as it was, and nothing by an id that nobody has; a replica may lag."""
    rule = Rule("list unchanged", "the list of backtests is as it was before")
    first, last = _sent(history)[0], _sent(history)[-1]
    since_s = first.facts["sent_s"]
    ended = {e.subject for e in _ended_before(history)}
    ghosts = {e.subject for e in _sent(history)} - ended
    same = 0
    for operation in history.subjects("list"):
        readings = history.of("list", operation)
        before = [s for s in readings if s.answered_s <= since_s]
        after = [s for s in readings if s.asked_s >= last.at_s]
        named = next((s for s in after if s.status != MISSING), None)
        if operation in ghosts and named and not any(s.status != MISSING for s in before):
            seen = f'it names {operation} as "{named.status}", which nobody has started, since a cancel of it'
            return rule.violated(seen, named.answered_s)
        if not before or not after or before[-1].status == MISSING:
            continue
        if operation in ended:
            after = [s for s in after if not _lags(s, last, limit_s)]
            changed = next((s for s in after if s.status != before[-1].status), None)
            if changed:
                was = f'it named {operation} as "{before[-1].status}"'
                now = "does not name it" if changed.status == MISSING else f'says "{changed.status}"'
                return rule.violated(f"{was}, and {now} after the cancel", changed.answered_s)
        same += 1
    return rule.holds(f"{same} {'is' if same == 1 else 'are'} listed as before") if same else rule.unknown("not read")


def leave_the_ended_alone(history: History, limit_s: float) -> Judgement:
    """The record of what had ended does not change: a terminal state is the last one (AIP-151; contract, "Statuses")."""
    rule = Rule("ended unchanged", "the records of what had ended are as they were")
    sent = {e.subject: e for e in reversed(_sent(history))}
    same = 0
    for operation in (e.subject for e in _ended_before(history) if e.subject in sent):
        e = sent[operation]
        readings = history.of("backend", operation)
        before = [s for s in readings if s.terminal and s.answered_s <= e.facts["sent_s"]]
        after = [s for s in readings if s.asked_s >= e.at_s]
        if not before:
            return rule.unknown(f"the record of {operation} was not read before its cancel")
        for at, s in enumerate(after):
            what = f"{e.facts.get('what')} ({operation})"
            if s.status == MISSING and gone_from(after[at:]):
                return rule.violated(f"the record of {what} is gone (HTTP 404) after its cancel", s.answered_s)
            if s.status != MISSING and not _lags(s, e, limit_s) and (changed := what_changed(before[-1], s)):
                return rule.violated(
                    f"of {what} {changed}, {s.answered_s - e.at_s:.2f} s after its cancel", s.answered_s
                )
        if not any(s.status == before[-1].status for s in after):
            return rule.unknown(f"the record of {operation} was not read after its cancel")
        same += 1
    if not same:
        return rule.unknown("nothing that had ended was cancelled")
    return rule.holds(f"{same} {'record is' if same == 1 else 'records are'} as before")


def keep_no_worker(history: History, limit_s: float) -> Judgement:
    """The worker that ran what had ended takes the next backtest, and runs it: the late cancel is not kept for that one."""
    rule = Rule("worker takes the next", "the worker of a backtest that was cancelled after its end runs the next one")
    sent = {e.subject: e for e in reversed(_sent(history))}
    before = [e.subject for e in _ended_before(history)]
    seen = []
    for ended in (one for one in before if one in sent):
        worker = _worker_of(history.of("backend", ended))
        if not worker:
            continue
        for backtest in history.subjects("backend"):
            readings = history.of("backend", backtest)
            later = bool(readings) and readings[0].asked_s >= sent[ended].at_s
            if backtest in before or not later or _worker_of(readings) != worker:
                continue
            told = _how_it_runs(history, backtest, readings, limit_s)
            if told.startswith("wrong: "):
                words = f"{worker}, which had run {ended}: its next one, {backtest}, {told.removeprefix('wrong: ')}"
                return rule.violated(words, readings[-1].answered_s)
            seen += [f"{worker} runs {backtest}: {told}"] if told else []
    return rule.holds(seen[0]) if seen else rule.unknown("that worker was not seen to run another one")


def _how_it_runs(history: History, backtest: str, readings: Sequence[Sample], limit_s: float) -> str:
    """How a backtest got on, until this run cancelled it; ``wrong: ...`` where it did not, nothing where that is open.

    One that failed at once may have failed for its model's path (contract, surprise 1).
    """
    own = [s for s in readings if not _cancelled_by_us(history, backtest, s)]
    for s in own:
        if s.status == "cancelled":
            return f'wrong: was "cancelled" by itself: {s.facts.get("error_message") or "no reason given"}'
        if s.status == "failed":
            return ""
        if s.status == "completed" or s in rises_in(own):
            return state_of(s)
    if own and own[-1].asked_s > own[0].answered_s + limit_s:
        return f"wrong: was {state_of(own[-1])} after {own[-1].asked_s - own[0].answered_s:.1f} s ({counted(own)})"
    return ""


def _sent(history: History) -> list[Event]:
    return [e for e in history.events if e.kind == ANSWERED]


def _ended_before(history: History) -> list[Event]:
    return [e for e in history.events if e.kind == "ended_before"]


def _cancelled_by_us(history: History, backtest: str, s: Sample) -> bool:
    """Whether this run had sent a cancel of its own before a reading was answered."""
    return any(e.subject == backtest and e.kind in _OWN_CANCELS and e.at_s < s.answered_s for e in history.events)


def _lags(s: Sample, since: Event, limit_s: float) -> bool:
    """Whether a replica may still show what had ended as it was before, so soon after a cancel."""
    return not s.terminal and s.status != MISSING and s.asked_s <= since.at_s + limit_s


def _worker_of(readings: Sequence[Sample]) -> str:
    return str(next((s.facts["worker"] for s in readings if s.facts.get("worker")), ""))


def in_words(history: History, found: Found) -> Iterator[str]:
    if whats := [str(e.facts.get("what")) for e in _sent(history)]:
        *others, last = whats
        told = f"{', '.join(others)} and {last}" if others else last
        seen = seen_in(found, "turned down")
        yield f"{'Cancels were' if others else 'A cancel was'} sent of {told}{f': {seen}' if seen else ''}."


WAY = Way(
    "nothing to cancel",
    {
        "It is turned down, plainly": ("turned down",),
        "KTRDR and its workers go on answering": ("goes on answering",),
        "What was running is left alone": ("running unharmed",),
        "The list is as it was": ("list unchanged",),
        "What had ended is as it was": ("ended unchanged",),
        "The worker takes the next backtest": ("worker takes the next",),
    },
    judgements,
    in_words,
)
