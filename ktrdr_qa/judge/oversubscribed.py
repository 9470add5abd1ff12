"""More starts than places: each is refused in plain words or runs, and none is called failed while a worker runs it.

Sources: RFC 9110, 15.5 and 15.6.4 (a refusal is a 4xx, or a 503 for want of room; its body says why); Microsoft's
guidelines on long-running operations (what was accepted is carried out, and its status is what it really is); KTRDR's
contract: a start without a free worker is a 503 with ``detail.error``; surprise 12: ten starts at once were all accepted
by two workers, and eight called failed after 75 s though they ran on and completed.
"""

from __future__ import annotations

from collections.abc import Mapping

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import rises_in, state_of, until_we_end_it
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import Event, History, Sample


def accepted_in(history: History) -> list[Event]:
    """The further starts that were accepted; of each the id, and when."""
    return [e for e in history.events if e.kind == "further_accepted"]


def judgements(history: History, limits: Mapping[str, float]) -> list[Judgement]:
    """The rules of an oversubscribed platform, where there were more starts than places."""
    if not history.event("oversubscribed", ""):
        return []
    return [each_is_answered(history), each_runs(history, limits["new_backtest_s"]), none_called_failed(history)]


def each_is_answered(history: History) -> Judgement:
    """Every start is accepted under an id of its own, or refused by a 4xx or 503 that says why."""
    rule = Rule("starts answered", "each start is accepted under an id of its own, or refused in plain words")
    begun = history.event("oversubscribed", "")
    refused = [e for e in history.events if e.kind == "further_refused"]
    given: list[str] = [str(history.about.get("backtest", ""))]
    for e in accepted_in(history):
        if e.subject in given:
            return rule.violated(f"two starts were given the same id: {e.subject}", e.at_s)
        given.append(e.subject)
    for e in refused:
        http, words, says = e.facts.get("http"), e.facts.get("words", ""), e.facts.get("says")
        if http is None or http == 429:
            continue
        if not (400 <= http < 500 or http == 503):
            return rule.violated(f"a start was answered {words}", e.at_s)
        if not says:
            return rule.violated(f"a start was refused with HTTP {http}, and no word says why: {words}", e.at_s)
    lost = [e for e in refused if e.facts.get("http") in (None, 429)]
    if begun is None or lost:
        return rule.unknown(
            f"{len(lost)} starts had no answer of their own: {lost[0].facts.get('words')}" if lost else ""
        )
    told = (
        f"{len(given) - 1} of {len(given) - 1 + len(refused)} further starts were accepted by {begun.facts.get('workers')} workers.",
    )
    words = f", {len(refused)} refused: {refused[0].facts.get('says')}" if refused else ""
    return rule.holds(f"{len(given) - 1} further ones were accepted{words}", told)


def each_runs(history: History, limit_s: float) -> Judgement:
    """What was accepted moves within the limit, or waits while every worker has another of this run's: then it counts
    from when a place was free.

    That it fails is for ``none_called_failed``.
    """
    rule = Rule("starts run", f"each start that was accepted runs within {limit_s:.1f} s")
    accepted = accepted_in(history)
    waiting = 0
    for e in accepted:
        readings = until_we_end_it(history, e.subject)
        if any(s.terminal for s in readings) or len(rises_in(readings)) >= 2:
            continue
        since_s, after = e.at_s, "later"
        for s in readings:
            if _is_queued(history, s):
                since_s, after = s.asked_s, "after a place was free"
            elif s.asked_s > since_s + limit_s:
                was = "KTRDR has no record of it" if s.status == MISSING else f"it was {state_of(s)}"
                seen = f"{e.subject} was accepted, and {s.asked_s - since_s:.1f} s {after} {was}"
                return rule.violated(seen, s.asked_s)
        if not readings or not _is_queued(history, readings[-1]):
            return rule.unknown(f"{e.subject} was not seen to move yet")
        waiting += 1
    told = (f"{waiting} of the accepted backtests waited for a place to the end.",) if waiting else ()
    return rule.holds(f"{len(accepted) - waiting} of {len(accepted)} moved", told)


def _is_queued(history: History, s: Sample) -> bool:
    """Whether a backtest that is pending had no place to run: as many others of this run were running as there are workers."""
    begun = history.event("oversubscribed", "")
    workers = int(begun.facts.get("workers", 0)) if begun else 0
    running = 0
    for other in {str(history.about.get("backtest", "")), *(e.subject for e in accepted_in(history))} - {s.subject}:
        before = [r for r in history.of("backend", other) if r.answered_s <= s.asked_s]
        running += bool(before) and before[-1].status == "running"
    return s.status == "pending" and running >= workers > 0


def none_called_failed(history: History) -> Judgement:
    """No accepted backtest is called failed; where its worker can be asked, it says whether it runs all the same."""
    rule = Rule(
        "none called failed", "no backtest that was accepted is called failed, least of all while a worker runs it"
    )
    if evicted := _evicted(history):
        return rule.violated(*evicted)
    accepted = accepted_in(history)
    failed = [
        (s, e)
        for e in accepted
        if (s := next((s for s in until_we_end_it(history, e.subject) if s.status == "failed"), None))
    ]
    if failed:
        s, e = failed[0]
        own = next((w for w in reversed(history.of("worker", e.subject)) if w.asked_s >= s.asked_s), None)
        words = s.facts.get("error_message") or "no reason given"
        seen = f"{len(failed)} of {len(accepted)} were called failed; {e.subject} {s.answered_s - e.at_s:.1f} s after its start ({words})"
        alive = own and own.status in ("running", "completed")
        after = f", and then its worker had it {state_of(own)}" if own and alive else ""
        return rule.violated(seen + after, s.answered_s)
    ended = sum(any(s.terminal for s in until_we_end_it(history, e.subject)) for e in accepted)
    watched_s = history.until_s - min((e.at_s for e in accepted), default=history.until_s)
    return rule.holds(f"none of {len(accepted)} failed in {watched_s:.0f} s; {ended} have ended")


def _evicted(history: History) -> tuple[str, float] | None:
    """Where the one that ran already was ended by the further starts, before this run asked for it: what was seen, and when."""
    first, begun = str(history.about.get("backtest", "")), history.event("oversubscribed", "")
    sent = history.event("cancel_sent", first)
    for s in until_we_end_it(history, first):
        ran_into = begun and s.asked_s >= begun.at_s and (sent is None or s.answered_s <= sent.at_s)
        if begun and ran_into and s.status in ("failed", "cancelled"):
            words = s.facts.get("error_message") or "no reason given"
            seen = (
                f"{first} ran, and was {s.status} {s.answered_s - begun.at_s:.1f} s after the further starts ({words})"
            )
            return seen, s.answered_s
    return None
