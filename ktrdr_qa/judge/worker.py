"""The worker as a witness: it lets the backtest go, and its place is free again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

from ktrdr_qa.judge.afterwards import how_it_goes_on
from ktrdr_qa.judge.crashes import SILENT_S, outages_in
from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.pace import ends_by_itself_s, held_against, race, too_late_to_tell
from ktrdr_qa.judge.reading import cancel_due_from, cpu_s_of, height_of, percent_of, state_of, unwatched
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.words import moment_of

SAME_START_S = 2.0
"""What a worker runs under an id of its own is the backtest if it began as close to it as this."""
TAKEN_AGAIN_S = 2.0
"""For so long the registry takes back that a worker is free, before it counts: what answers may be a replica that lags."""
FREE = frozenset({"available", "idle", "ready", "free", "online", "healthy", "active"})
"""What a registry calls a worker that takes work (contract: "available"), besides what it called one before the cancel."""
BUSY = "busy"
NOT_TAKING_WORK = ("temporarily_unavailable", "unavailable", "offline", "unhealthy", "dead")
"""What the registry says of a worker that is not busy and takes no backtest all the same."""


def names_of(history: History, worker: str, backtest: str) -> set[str]:
    """The ids under which the worker may know the backtest: KTRDR's proxies allow it one of its own.

    That is an id which the backend does not have, and which the worker was busy with while the backtest ran, or began
    when it began.
    """
    started, sent = history.event("start_sent", backtest), history.event("cancel_sent", backtest)
    began = next((m for s in history.of("backend", backtest) if (m := moment_of(s.facts.get("started_at")))), None)
    names = {backtest}
    for s in history.of("health", worker):
        own = s.facts.get("current_operation")
        if not own or not s.facts.get("unlisted") or started is None or s.answered_s < started.at_s:
            continue
        own_began = moment_of(s.facts.get("began_at"))
        as_one = began and own_began and abs((began - own_began).total_seconds()) <= SAME_START_S
        if as_one or (own_began is None and (sent is None or s.answered_s <= sent.at_s)):
            names.add(str(own))
    return names


def worker_let_go(history: History, worker: str, backtest: str, limit_s: float) -> Judgement:
    """The worker's own view of the backtest is terminal and its health no longer names it, in time.

    ``completed`` is not stopped: it is the proof that the cancel did not reach it, unless it was about to end anyway.
    Nor is what goes on rising there: the backend, which asks no more, would not show it (contract, surprise 7).
    """
    rule = Rule("worker stopped", f"{whose(worker)} has stopped the backtest within {limit_s:.1f} s of the cancel")
    since_s = cancel_due_from(history, backtest)
    if since_s is None:
        return rule.unknown("no cancel was answered")
    if another := another_worker(history, backtest):
        return rule.unknown(another, final=True)
    if dead := gone_for_good(history, worker, backtest, since_s):
        return rule.violated(dead[1], dead[0])
    names = names_of(history, worker, backtest)
    sent = history.event("cancel_sent", backtest)
    sent_s = sent.at_s if sent else since_s
    views = [s for s in history.of("worker", backtest) if s.asked_s > since_s]
    health = [s for s in history.of("health", worker) if s.asked_s > since_s]
    completed = next((s for s in views if s.status == "completed"), None)
    if completed and (why := held_against(history, backtest, completed, limit_s)):
        seen = f'its own view says "completed", seen {completed.answered_s - sent_s:.2f} s after the cancel: '
        return rule.violated(f"{seen}it computed on to its end, although {why}", completed.answered_s)
    if s := next((s for s in views if s.terminal and s.status != "completed" and s.facts.get("has_result")), None):
        seen = f'its own view says "{s.status}", yet carries a result summary as if it had completed'
        return rule.violated(seen, s.asked_s)
    if at_work := _record_at_work([s for s in views if s.asked_s > since_s + limit_s], since_s):
        return rule.violated(f"its own view {at_work[1]}", at_work[0].asked_s)
    for s in health:
        if s.facts.get("current_operation") in names and s.asked_s > since_s + limit_s:
            seen = f"its health still names the backtest {s.asked_s - since_s:.1f} s after the cancel"
            return rule.violated(seen, s.asked_s)
    if completed:
        return rule.unknown(race(history, backtest, completed), final=True)
    quiet_view = _settled(views, lambda s: s.terminal or s.status == MISSING)
    quiet_health = _settled(health, lambda s: not _holds_on(s, names))
    if not quiet_view or not quiet_health:
        lacking = "view of the backtest" if not quiet_view else "health"
        if not history.of("worker", backtest) and not history.of("health", worker):
            return rule.unknown("the worker could not be asked")
        if quiet_view and _busy_with_no_word(history.of("health", worker), backtest, health):
            return rule.unknown("its health calls it busy to the end, and does not say what with", heard=True)
        return rule.unknown(f"no reading yet of the worker's {lacking} at rest", heard=bool(views and not quiet_view))
    for readings, quiet in ((views, quiet_view), (health, quiet_health)):
        if unseen := _settled_unwatched(readings, quiet, since_s, limit_s):
            return rule.unknown(unseen)
        if quiet.answered_s > ends_by_itself_s(history, backtest):
            return rule.unknown(too_late_to_tell(history, backtest), final=True)
    idle_s = max(quiet_view.answered_s, quiet_health.answered_s) - sent_s
    state = "forgotten" if quiet_view.status == MISSING else quiet_view.status
    seen = f"its own view says {state}, and its health is {quiet_health.status}, within {idle_s:.2f} s of the cancel"
    return rule.holds(seen, _restarted_afterwards(history, worker, since_s), {"worker_idle_s": idle_s})


def _record_at_work(late: Sequence[Sample], since_s: float) -> tuple[Sample, str] | None:
    """The reading of the worker's own record after the limit which shows that it has not stopped, with the words for it."""

    def after(s: Sample) -> str:
        return f"{s.asked_s - since_s:.1f} s after the cancel"

    if s := next((s for s in late if not s.terminal and s.status != MISSING), None):
        return s, f"still says {state_of(s)} {after(s)}"
    for earlier, s in pairwise(s for s in late if s.percentage is not None):
        if height_of(s) > height_of(earlier):
            climbs = f"its progress went on, from {percent_of(earlier)} to {percent_of(s)}"
            return s, f'says "{s.status}", yet {climbs} {after(s)}'
    if goes_on := how_it_goes_on([s for s in late if s.terminal]):
        s, words = goes_on
        return s, f'says "{s.status}", yet {words} {after(s)}'
    return None


def place_is_free(history: History, worker: str, backtest: str, limit_s: float) -> Judgement:
    """KTRDR's registry offers the worker again, and goes on doing so; it may lag behind the worker (contract, surprise 5)."""
    rule = Rule("place free", f"KTRDR counts {whose(worker)} as free again within {limit_s:.1f} s of the cancel")
    since_s = cancel_due_from(history, backtest)
    if since_s is None:
        return rule.unknown("no cancel was answered")
    calls_free = _calls_free(history, since_s)
    readings = [s for s in history.of("registry", worker) if s.asked_s > since_s]
    for at, s in enumerate(readings):
        if taken := _how_it_is_taken(history, worker, backtest, readings[: at + 1], since_s, limit_s, calls_free):
            return rule.violated(taken, s.asked_s)
    if elsewhere := _held_elsewhere(history, worker, backtest, since_s):
        seen = f"{whose(elsewhere.subject)} is {elsewhere.status} with the cancelled backtest"
        if elsewhere.asked_s > since_s + limit_s:
            return rule.violated(f"{seen} {elsewhere.asked_s - since_s:.1f} s later", elsewhere.asked_s)
        return rule.unknown(seen, heard=True)
    free = _settled(readings, lambda s: _is_free(s, backtest, calls_free))
    if not free:
        late = [s for s in readings if s.asked_s > since_s + limit_s]
        if _busy_with_no_word(history.of("registry", worker), backtest, late):
            return rule.unknown("the registry calls it busy to the end, and does not say what with", heard=True)
        return rule.unknown("the registry has not freed it yet")
    if unseen := _settled_unwatched(readings, free, since_s, limit_s):
        return rule.unknown(unseen)
    lag_s = free.answered_s - since_s
    told = (f"The registry freed the worker {lag_s:.1f} s after the cancel was answered.",) if lag_s > 1 else ()
    seen = f"it was {free.status} within {lag_s:.2f} s of the answer to the cancel"
    return rule.holds(seen, told, {"place_free_s": lag_s})


def _how_it_is_taken(
    history: History,
    worker: str,
    backtest: str,
    readings: Sequence[Sample],
    since_s: float,
    limit_s: float,
    calls_free: Collection[str],
) -> str:
    """In which way the last of these readings shows a place that is not free and has no reason to be so; or nothing.

    What was free once is not free any more as soon as the readings say so for ``TAKEN_AGAIN_S``; else the limit counts.
    """
    s = readings[-1]
    if _is_free(s, backtest, calls_free):
        return ""
    freed = max((at for at, r in enumerate(readings) if _is_free(r, backtest, calls_free)), default=None)
    late, later = s.asked_s > since_s + limit_s, f"{s.asked_s - since_s:.1f} s later"
    again = freed is not None and s.asked_s - readings[freed + 1].asked_s >= TAKEN_AGAIN_S
    if s.status == MISSING:
        return f"the worker is no longer registered {later}" if late or again else ""
    if s.facts.get("current_operation") == backtest:
        if again:
            return f"it was free, and is {s.status} with the cancelled backtest again {later}"
        return f"it is still {s.status} with the cancelled backtest {later}" if late else ""
    if late and s.status != BUSY and freed is None:
        return f"it is {s.status} {later}, and was not free before"
    # Busy with what is not told, or unavailable after it was free, may have another reason: work that the worker has.
    other_s = _last_other_work_s(history, worker, backtest, since_s, s)
    health = [r for r in history.of("health", worker) if other_s < r.asked_s <= s.asked_s]
    if health and s.asked_s > other_s + limit_s:
        no_work = "no other work was seen there" + (f" for {s.asked_s - other_s:.0f} s" if other_s > since_s else "")
        if not _holds_on(health[-1], names_of(history, worker, backtest)):
            return f"it is {s.status} {later}, while its own health is idle, and {no_work}"
        named = any(r.facts.get("current_operation") == backtest for r in history.of("health", worker))
        if named and health[-1].facts.get("current_operation") is None:
            # It names what it is busy with, where there is something.
            return f"it is {s.status} {later}, and its own health {health[-1].status} with nothing that either names"
    return ""


def _held_elsewhere(history: History, worker: str, backtest: str, since_s: float) -> Sample | None:
    """The last reading of the registry by which another worker has the cancelled backtest, which it had not before."""
    for other in history.subjects("registry"):
        naming = [s for s in history.of("registry", other) if s.facts.get("current_operation") == backtest]
        last = history.of("registry", other)[-1:]
        if worker and other != worker and naming and naming[0].asked_s > since_s and naming[-1] in last:
            return naming[-1]
    return None


def _last_other_work_s(history: History, worker: str, backtest: str, since_s: float, until: Sample) -> float:
    """When the worker was last known to have something else since the cancel, or could not be asked; ``since_s`` where never.

    A short backtest may have run there between two readings of its health: then its own record names the worker.
    """
    names = (None, *names_of(history, worker, backtest))
    asked = (s for s in history.samples if (s.view, s.subject) == ("health", worker))
    seen = [s for s in asked if s.problem or s.facts.get("current_operation") not in names]
    for other in history.subjects("backend"):
        records = history.of("backend", other)
        over = history.end_of(other)
        if other != backtest and any(s.facts.get("worker") == worker for s in records):
            seen += [s for s in records if over is None or s.answered_s <= over.answered_s]
    return max([since_s, *(s.answered_s for s in seen if s.asked_s <= until.asked_s)])


def whose(worker: str) -> str:
    return f"the worker {worker}" if worker else "its worker"


def _calls_free(history: History, since_s: float) -> set[str]:
    """The words for a worker that takes work: this registry's own are those of workers that had none before the cancel."""
    seen = (s for worker in history.subjects("registry") for s in history.of("registry", worker))
    had_none = (s for s in seen if s.asked_s <= since_s and not s.facts.get("current_operation"))
    return {*FREE, *(s.status for s in had_none if s.status)} - {MISSING, BUSY, *NOT_TAKING_WORK}


def _is_free(s: Sample, backtest: str, calls_free: Collection[str]) -> bool:
    """Whether its place is not the cancelled one's any more: it takes work, or has other work."""
    if s.facts.get("current_operation"):
        return s.status not in (MISSING, *NOT_TAKING_WORK) and not _holds_on(s, {backtest})
    return s.status is None or s.status in calls_free or s.status.startswith("no status")


def _holds_on(s: Sample, names: Collection[str]) -> bool:
    """Whether a worker is told to have the backtest, by any of its names, or to be busy without a word of what with."""
    has = s.facts.get("current_operation")
    return has in names or (s.status == BUSY and has is None)


def _busy_with_no_word(told: Sequence[Sample], backtest: str, readings: Sequence[Sample]) -> bool:
    """Whether a view that had told of the backtest calls the worker busy with nothing that it names, in the last two readings."""
    last = readings[-2:]
    if len(last) < 2 or not all(_holds_on(s, {backtest}) for s in last):
        return False
    return any(s.facts.get("current_operation") == backtest for s in told)


def _settled(readings: Sequence[Sample], at_rest: Callable[[Sample], bool]) -> Sample | None:
    """The first reading from which on every further one is at rest."""
    settled: Sample | None = None
    for s in readings:
        settled = (settled or s) if at_rest(s) else None
    return settled


def _settled_unwatched(readings: Sequence[Sample], settled: Sample, since_s: float, limit_s: float) -> str:
    """Where no reading shows whether it settled in time; empty where one does."""
    before = next((s for s in reversed(readings) if s.answered_s < settled.answered_s), None)
    unseen = unwatched(since_s, limit_s, before, settled)
    return unseen and f"{unseen} the answer to the cancel"


def another_worker(history: History, backtest: str) -> str:
    """Why what answers at the worker's address is no witness, or nothing: it did not know of the running backtest.

    A published port may belong to another worker, or to another sandbox's (contract, surprise 16).
    """
    sent = history.event("cancel_sent", backtest)
    views = [s for s in history.of("worker", backtest) if sent and s.answered_s <= sent.at_s]
    if not views or any(s.status != MISSING for s in views):
        return ""
    worker = str(history.about.get("worker", ""))
    if len(names_of(history, worker, backtest)) > 1:
        return ""
    return (
        "what answers at the worker's address did not know of the running backtest, so it is another worker; "
        "say where this one is under [workers] in the target file"
    )


def _has_forgotten(history: History, backtest: str, since_s: float, anew_s: float) -> bool:
    """Whether the worker's record of the backtest, which it had before the cancel, is gone in the first look since then.

    Not where it had ended in its record first.
    """
    views = history.of("worker", backtest)
    had = any(s.status != MISSING for s in views if s.answered_s <= since_s)
    ended = any(s.terminal for s in views if s.asked_s < anew_s)
    first = min((s for s in views if s.asked_s >= anew_s), key=lambda s: s.answered_s, default=None)
    return had and not ended and first is not None and first.status == MISSING


def _started_anew(history: History, worker: str, since_s: float) -> list[Sample]:
    """The readings since the cancel with which the counter of the process's processor time began anew."""
    counted_ones = pairwise(history.of("processor", worker))
    return [b for a, b in counted_ones if b.asked_s > since_s and cpu_s_of(b) < cpu_s_of(a)]


def _restarted_afterwards(history: History, worker: str, since_s: float) -> tuple[str, ...]:
    """That the worker, which had stopped the backtest, ended as well: an observation, it may do so after each of them.

    It refused a connection before its counter began anew; else several processes may answer in turn.
    """
    views = ("health", "processor")
    asked = [s for s in history.samples if s.view in views and s.subject == worker and s.facts.get("refused")]
    for s in _started_anew(history, worker, since_s):
        if any(since_s <= gap.asked_s and gap.answered_s <= s.answered_s for gap in asked):
            return (
                f"The worker's process ended after it had stopped the backtest, and ran anew {s.asked_s - since_s:.1f} s later.",
            )
    return ()


def gone_for_good(history: History, worker: str, backtest: str, since_s: float) -> tuple[float, str] | None:
    """When, and in which words, the worker's process went down with the cancel; None where it stayed up.

    It answered once, and then refused one connection after the other, or was silent on every way of asking it, or was
    started anew again and again (its counter of processor time began anew).
    """
    answered = False
    for a, b in pairwise(s for s in history.samples if s.view == "health" and s.subject == worker):
        answered = answered or not a.problem
        if answered and a.asked_s > since_s and a.facts.get("refused") and b.facts.get("refused"):
            return a.asked_s, "its process is gone: it refuses connections since the cancel"
    ways = (("worker", backtest), ("health", worker), ("processor", worker))
    asked = [s for s in history.samples if (s.view, s.subject) in ways]
    if any(not s.problem and s.answered_s <= since_s for s in asked):
        for outage in outages_in(history, asked):
            if outage.until_s > since_s and outage.from_s >= since_s - SILENT_S:
                words = f"its process does not answer: nothing came for {outage.lasted_s:.1f} s: {outage.words}"
                return outage.from_s, words
    anew = _started_anew(history, worker, since_s)
    if anew and _has_forgotten(history, backtest, since_s, anew[0].asked_s):
        return (
            anew[0].asked_s,
            "its process was not stopped but ended: it was started anew after the cancel, and has forgotten the backtest",
        )
    if len(anew) > 1:
        return anew[1].asked_s, f"its process was started anew {len(anew)} times after the cancel"
    return None
