"""Claims about all histories, tried on generated ones.

A legal history is what a recorder sees of a simulated platform that does nothing wrong, however awkward it is. A wild
one is any sequence of readings whatever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ktrdr_qa.judge.afterwards import is_frozen
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.verdict import judge_all, outcome
from ktrdr_qa.record.history import Event, History, Sample, View, from_json, ordered
from tests.judging.film import NEXT, OTHER, B, W, did, film, plus

EXAMPLES = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SECOND_WORKER = "worker_2"


# --- legal histories ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Platform:
    """A platform that does nothing wrong, and how awkward it is. Times in seconds, rates in cores or percent."""

    seed: int
    start_took_s: float
    pending_s: float
    first_progress_s: float
    step_s: float
    step_percent: float
    updates_before_cancel: int
    cancel_took_s: float
    effect_s: float
    registry_lag_s: float
    watched_s: float
    end_status: str
    retained: str
    slow: float
    losses: float
    idle_cores: float
    busy_cores: float
    next_delay_s: float
    next_here: bool
    next_lasts_s: float
    lost_first: bool
    other_cancelled: bool
    lag_s: float
    """A replica that lags by so much answers for the backend: always before the cancel, now and then after it."""
    own_id: bool
    """The worker calls the backtest by an id of its own."""
    lasts_s: float = float("inf")
    """When it is completed by itself, if nobody cancels it before, seconds from its start."""
    ghost: bool = False
    """Its one way to do wrong: every view says that it ended, and its worker computes on."""

    @property
    def cancel_s(self) -> float:
        """When the cancel is sent: well after its second update was seen, so that it was seen to move."""
        updates_s = (self.updates_before_cancel + 1) * self.step_s
        return self.start_took_s + self.first_progress_s + updates_s + 1.5

    def percentage(self, at_s: float) -> float:
        begin_s = self.start_took_s + self.first_progress_s
        updates = int((min(at_s, self.ends_s) - begin_s) / self.step_s) + 1 if at_s >= begin_s else 0
        return min(99.0, updates * self.step_percent)

    @property
    def answered_s(self) -> float:
        return self.cancel_s + (1.0 if self.lost_first else 0.0) + self.cancel_took_s

    @property
    def cancelled_s(self) -> float:
        """When the cancel takes effect: some time after it was sent, in time after its answer."""
        return self.cancel_s + self.effect_s * (self.answered_s + 1.8 - self.lag_s - self.cancel_s)

    @property
    def ends_s(self) -> float:
        return min(self.cancelled_s, self.lasts_s)

    @property
    def next_accepted_s(self) -> float:
        return max(self.ends_s, self.answered_s) + self.next_delay_s + 0.1

    @property
    def next_ends_s(self) -> float:
        return self.next_accepted_s + self.next_lasts_s

    def status(self, at_s: float) -> str:
        if at_s >= self.ends_s:
            return self.end_status if self.cancelled_s <= self.lasts_s else "completed"
        if at_s < self.start_took_s:
            return "missing"
        return "pending" if at_s < self.start_took_s + self.pending_s else "running"

    def shown(self, at_s: float) -> float | None:
        if self.status(at_s) == "completed":
            return 100.0
        if at_s < self.ends_s or self.retained == "kept":
            return self.percentage(at_s)
        return 0.0 if self.retained == "zero" else None

    def operation(self, at_s: float) -> str | None:
        """What the worker runs."""
        if at_s < self.ends_s:
            return B if at_s >= 0.0 else None
        return NEXT if self.next_here and self.next_accepted_s - 0.05 <= at_s < self.next_ends_s else None

    def registered(self, at_s: float) -> str | None:
        """What the registry believes that the worker runs: freed late, taken at once."""
        until_s = self.ends_s + self.registry_lag_s
        if self.next_here:
            until_s = min(until_s, self.next_accepted_s)
        if self.ends_s <= at_s < until_s and self.operation(at_s) is None:
            return B
        return self.operation(at_s)

    def cpu_s(self, at_s: float) -> float:
        spans = [(0.0, float("inf") if self.ghost else self.ends_s)]
        spans += [(self.next_accepted_s - 0.05, self.next_ends_s)] if self.next_here else []
        busy_s = sum(max(0.0, min(at_s, to_s) - from_s) for from_s, to_s in spans)
        return 10.0 + self.idle_cores * (at_s + 5.0) + self.busy_cores * busy_s

    def film(self) -> History:
        """What a recorder sees of it, at its usual rates."""
        chance = Random(self.seed)
        end_s = max(self.ends_s, self.answered_s) + self.watched_s
        ended = {"started_at": "2026-11-22T18:52:36Z", "completed_at": "2026-11-22T18:52:44Z"}

        def behind(at_s: float) -> float:
            fresh = at_s > self.cancel_s and chance.random() < 0.5
            return at_s if fresh else at_s - min(self.lag_s, self.step_s)

        def watch(view: View, of: str, every_s: float, from_s: float, read: Any) -> list[Sample]:
            samples = []
            at_s = from_s + chance.random() * 0.05
            while at_s < end_s:
                took_s = 0.002 + chance.random() * (1.5 if chance.random() < self.slow else 0.05)
                true_s = at_s + chance.random() * took_s
                if chance.random() < self.losses:
                    samples.append(Sample(view, of, at_s, at_s + took_s, problem="no answer within 5.0 s"))
                else:
                    samples.append(Sample(view, of, at_s, at_s + took_s, **read(true_s)))
                at_s += max(every_s, took_s) + chance.random() * 0.02
            return samples

        def record(at_s: float) -> dict[str, Any]:
            status = self.status(at_s)
            if status == "missing":
                return {"status": status}
            facts = {**(ended if at_s >= self.ends_s else {}), "worker": W}
            return {"status": status, "percentage": self.shown(at_s), "facts": facts}

        def recorded(at_s: float) -> dict[str, Any]:
            return record(behind(at_s))

        def following(at_s: float) -> dict[str, Any]:
            at_s = behind(at_s)
            if at_s < self.next_accepted_s:
                return {"status": "missing"}
            status = "running" if at_s < self.next_ends_s else "completed"
            percentage = 0.0 if at_s < self.next_accepted_s + 0.1 else min(99.0, 10 * (at_s - self.next_accepted_s))
            facts = {"worker": W if self.next_here else SECOND_WORKER}
            return {"status": status, "percentage": 100.0 if status == "completed" else percentage, "facts": facts}

        def busy_with(operation: str | None) -> dict[str, Any]:
            return {"status": "busy" if operation else "idle", "facts": {"current_operation": operation}}

        def health(at_s: float) -> dict[str, Any]:
            told = busy_with(self.operation(at_s))
            if self.own_id and self.operation(at_s) == B:
                told["facts"] = {"current_operation": "own_1", "unlisted": True}
            return told

        def others(at_s: float) -> dict[str, Any]:
            """Somebody else's, cancelled by its owner: a second after this one by KTRDR's own times."""
            cancelled = self.other_cancelled and at_s >= self.ends_s
            facts = {"completed_at": "2026-11-22T18:52:45Z"} if cancelled else {}
            return {"status": "cancelled" if cancelled else "running", "percentage": 5.0, "facts": facts}

        def strangers(at_s: float) -> dict[str, Any]:
            """Somebody's backtest of another period, begun after the cancel."""
            facts = {**SAME_WORK, "end_date": "2020-12-31", "created_at": "2026-11-22T18:52:46Z"}
            return {"status": "running", "percentage": 5.0, "facts": facts}

        cancel: list[Event] = [did("cancel_sent", self.cancel_s)]
        if self.lost_first:
            cancel += [
                did("cancel_lost", self.cancel_s + 0.9, problem="reset"),
                did("cancel_sent", self.cancel_s + 1.0),
            ]
        cancel += [did("cancel_answered", self.answered_s, http=200, success=True, took_s=self.cancel_took_s)]
        listed = [
            Sample("list", of, at_s, at_s + 0.01, **read(at_s + 0.005))
            for of, read in ((B, recorded), (OTHER, others))
            for at_s in (self.cancel_s - 0.05, self.next_accepted_s - 0.1, end_s - 0.1)
        ]
        listed += [
            Sample("other", of, end_s - 0.08, end_s - 0.07, **read(end_s - 0.075))
            for of, read in ((OTHER, others), ("op_8", strangers))
        ]
        return film(
            did("start_sent", 0.0),
            did("start_answered", self.start_took_s),
            cancel,
            did("next_sent", self.next_accepted_s - 0.1, ""),
            did("next_accepted", self.next_accepted_s, NEXT, took_s=0.1),
            watch("backend", B, 0.16, self.start_took_s, recorded),
            watch("backend", NEXT, 0.16, self.next_accepted_s, following),
            watch("worker", B, 0.9, self.start_took_s + 0.5, record),
            watch("health", W, 0.9, self.start_took_s + 0.5, health),
            watch("registry", W, 0.9, self.start_took_s + 0.5, lambda at_s: busy_with(self.registered(at_s))),
            watch("processor", W, 0.9, -1.5, lambda at_s: {"cpu_s": round(self.cpu_s(at_s), 2)}),
            listed,
            did("clean_up", end_s, NEXT),
            backtest=B,
            next_backtest=NEXT,
            worker=W,
            payload=PAYLOAD,
        )


PAYLOAD = {
    "symbol": "EURUSD",
    "timeframe": "1h",
    "strategy_name": "neuro",
    "start_date": "2015-01-01",
    "end_date": "2025-12-31",
}
SAME_WORK = {"symbol": "EURUSD", "timeframe": "1h", "strategy": "neuro", "start_date": "2015-01-01"}


def seconds(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most, allow_nan=False).map(lambda s: round(s, 3))


PLATFORMS = st.builds(
    Platform,
    seed=st.integers(0, 2**32),
    start_took_s=seconds(0.01, 1.0),
    pending_s=seconds(0.0, 4.0),
    first_progress_s=seconds(4.0, 17.0),
    step_s=seconds(0.3, 2.0),
    step_percent=seconds(0.01, 12.0),
    updates_before_cancel=st.integers(2, 6),
    cancel_took_s=seconds(0.02, 4.0),
    effect_s=seconds(0.0, 1.0),
    registry_lag_s=seconds(0.0, 9.0),
    watched_s=seconds(0.0, 14.0),
    end_status=st.sampled_from(["cancelled", "failed"]),
    retained=st.sampled_from(["zero", "kept", "none"]),
    slow=st.sampled_from([0.0, 0.0, 0.1]),
    losses=st.sampled_from([0.0, 0.0, 0.1, 0.5]),
    idle_cores=seconds(0.0, 0.06),
    busy_cores=seconds(0.0, 1.0),
    next_delay_s=seconds(0.0, 3.0),
    next_here=st.booleans(),
    next_lasts_s=seconds(0.2, 10.0),
    lost_first=st.booleans(),
    other_cancelled=st.booleans(),
    lag_s=st.one_of(st.just(0.0), seconds(0.0, 0.8)),
    own_id=st.booleans(),
)
LEGAL = PLATFORMS.map(Platform.film)
PLAIN = PLATFORMS.map(
    lambda p: replace(
        p,
        losses=0.0,
        slow=0.0,
        step_percent=min(p.step_percent, 100.0 / (p.updates_before_cancel + 5 + 32.0 / p.step_s)),
        watched_s=3 * p.step_s + 3.0 + p.watched_s,
    )
)
"""Platforms that are watched well, and for long enough; their backtest has half a minute left when it is cancelled."""


def nearly_done(platform: Platform, left_s: float) -> Platform:
    """Its backtest would be completed so long after the cancel is sent, and progresses accordingly."""
    began_s = platform.start_took_s + platform.first_progress_s
    lasts_s = platform.cancel_s + left_s
    return replace(platform, lasts_s=lasts_s, step_percent=100.0 * platform.step_s / (lasts_s - began_s))


RACES = st.builds(nearly_done, PLATFORMS, seconds(0.0, 8.0))
"""Platforms whose backtest is about to end when it is cancelled."""
WITH_PERCENTAGES = PLATFORMS.map(
    lambda p: replace(
        p, losses=0.0, watched_s=1.0 + p.watched_s, retained="zero" if p.retained == "none" else p.retained
    )
).map(Platform.film)


def violated(history: History) -> dict[str, str]:
    return {name: judgement.seen for name, judgement in judge_all(history).items() if judgement.violated}


@EXAMPLES
@given(LEGAL)
def test_a_legal_history_is_never_held_against_the_platform(history: History) -> None:
    assert violated(history) == {}


@EXAMPLES
@given(LEGAL, st.floats(0.0, 1.0))
def test_nor_is_any_beginning_of_one(history: History, share: float) -> None:
    assert violated(until(history, share * history.until_s, events=True)) == {}


@EXAMPLES
@given(PLAIN)
def test_a_legal_history_that_was_watched_well_and_long_enough_passes(platform: Platform) -> None:
    history = platform.film()
    judged = judge_all(history)
    assert {name: j.seen for name, j in judged.items() if not j.holds} == {
        name: j.seen for name, j in judged.items() if not j.holds and name in ("processor quiet", "place free")
    }
    assert outcome(judged) == "passed"


@settings(EXAMPLES, max_examples=300)
@given(RACES.map(Platform.film))
def test_a_race_with_the_completion_is_never_held_against_the_platform(history: History) -> None:
    assert violated(history) == {}


@EXAMPLES
@given(
    st.builds(nearly_done, PLAIN, seconds(0.05, 1.0)).map(
        lambda p: replace(p, effect_s=1.0, lost_first=False, cancel_took_s=0.1, lag_s=0.0)
    )
)
def test_a_backtest_that_ended_by_itself_at_the_cancel_passes_nowhere(platform: Platform) -> None:
    judged = judge_all(platform.film())
    told = ("cancelled", "stays cancelled", "not completed", "frozen", "worker stopped", "processor quiet")
    assert {name for name in told if judged[name].holds} == set()
    assert outcome(judged) == "inconclusive"


IGNORED = PLAIN.map(lambda p: replace(p, effect_s=1e9, cancel_took_s=min(p.cancel_took_s, 0.5)))


@EXAMPLES
@given(IGNORED, st.floats(6.0, 25.0))
def test_an_ignored_cancel_is_always_seen(platform: Platform, left_s: float) -> None:
    ignores = nearly_done(replace(platform, watched_s=3.0, lost_first=False), left_s)
    ends_s = ignores.lasts_s
    # Every view of the backend says that it was cancelled; the worker runs on to its end.
    shown = replace(ignores, lasts_s=float("inf"), effect_s=0.1).film()
    worked = [s for s in ignores.film().samples if s.view in ("worker", "health", "processor")]
    history = film([s for s in shown.samples if s.view in ("backend", "list")], worked, shown.events, **shown.about)
    assert {"worker stopped"} <= violated(until(history, ends_s + 3.0)).keys()


GHOSTS = PLATFORMS.map(
    lambda p: replace(
        p, ghost=True, losses=min(p.losses, 0.1), busy_cores=0.13 + p.busy_cores, watched_s=8.0 + p.watched_s
    )
)


@EXAMPLES
@given(GHOSTS.map(lambda platform: replace(platform, next_here=False, slow=0.0, losses=0.0)))
def test_a_ghost_is_always_seen_in_the_processor_and_nowhere_else(platform: Platform) -> None:
    assert violated(platform.film()).keys() == {"processor quiet"}


@EXAMPLES
@given(GHOSTS)
def test_whatever_the_worker_does_next_a_ghost_that_was_seen_stays_seen(platform: Platform) -> None:
    history = platform.film()
    seen = False
    for at_s in (platform.answered_s + 0.7 * n for n in range(30)):
        judgement = judge_all(until(history, at_s))["processor quiet"]
        assert judgement.violated or not seen, at_s
        seen = judgement.violated


@EXAMPLES
@given(WITH_PERCENTAGES, st.floats(0.0, 1.0), st.floats(0.01, 50.0), st.booleans())
def test_one_rise_after_the_end_is_always_seen(history: History, where: float, rise: float, stays: bool) -> None:
    after = [s for s in history.of("backend", B) if s.terminal and s.percentage is not None]
    base = after[int(where * (len(after) - 1))]
    at_s = base.answered_s + 1e-6
    assert base.percentage is not None
    higher = Sample("backend", B, at_s, at_s, base.status, base.percentage + rise, facts=base.facts)
    later = [s for s in after if s.answered_s > at_s] if stays else []
    raised = [
        Sample("backend", B, s.asked_s, s.answered_s, s.status, (s.percentage or 0.0) + rise, facts=s.facts)
        for s in later
    ]
    kept = [s for s in history.samples if s not in later]
    assert is_frozen(film(kept, raised, higher, history.events, **history.about), B, 2.0).violated


@EXAMPLES
@given(LEGAL, st.integers(0, 2**32))
def test_the_order_in_which_readings_come_in_is_no_matter(history: History, seed: int) -> None:
    samples, events = list(history.samples), list(history.events)
    Random(seed).shuffle(samples)
    Random(seed).shuffle(events)
    assert judge_all(ordered(samples, events, history.until_s, history.about)) == judge_all(history)


@EXAMPLES
@given(LEGAL, st.integers(0, 2**32))
def test_what_others_do_is_no_matter(history: History, seed: int) -> None:
    chance = Random(seed)
    strangers: list[Sample] = []
    for _ in range(60):
        at_s = chance.uniform(0.0, history.until_s)
        view: View = chance.choice(("backend", "worker", "health", "registry", "processor"))
        of = f"{view}_stranger_{chance.randrange(3)}"
        strangers.append(wild_sample(chance, view, of, at_s))
    # Another worker that has this backtest would be no stranger.
    told = ("worker", "current_operation")
    strangers = [s for s in strangers if not {W, B} & {s.facts.get(name) for name in told}]
    # And what the backend does not answer tells of the backend, whoever it was about.
    strangers = [s for s in strangers if not (s.problem and s.view in ("backend", "registry"))]
    assert judge_all(plus(history, strangers, until_s=history.until_s)) == judge_all(history)


BEFORE = ("running", "moving", "was running")
AFTER = ("worker stopped", "place free", "stays cancelled", "not completed", "end recorded", "list agrees", "cancelled")


@EXAMPLES
@given(PLAIN.map(lambda platform: replace(platform, end_status="cancelled", own_id=False)))
def test_readings_outside_its_window_are_no_matter_to_a_judgement(platform: Platform) -> None:
    history = platform.film()
    judged = judge_all(history)
    early = judge_all(until(history, platform.cancel_s))
    assert {name: early[name] for name in BEFORE} == {name: judged[name] for name in BEFORE}
    late = judge_all(
        film([s for s in history.samples if s.answered_s > platform.cancel_s], history.events, **history.about)
    )
    assert {name: late.get(name) for name in AFTER} == {name: judged.get(name) for name in AFTER}
    bare = judge_all(film(history.events, **history.about))
    for name in ("acknowledged", "next accepted"):
        assert bare[name] == judged[name]


@EXAMPLES
@given(LEGAL)
def test_a_saved_history_gets_the_same_judgements(history: History) -> None:
    assert judge_all(from_json(history.to_json())) == judge_all(history)


# --- wild histories ----------------------------------------------------------------------------------------------

STATUSES = ("pending", "running", "running", "running", "resuming", "completed", "failed", "cancelled", "missing", "x")


def wild_sample(chance: Random, view: View, of: str, at_s: float) -> Sample:
    """Any reading whatever."""
    answered_s = at_s + chance.choice((0.0, 0.01, 0.3, 3.0)) * chance.random()
    if chance.random() < 0.15:
        facts = {"refused": True} if chance.random() < 0.8 else {}
        facts |= {"rate_limited": True} if chance.random() < 0.1 else {}
        return Sample(view, of, at_s, answered_s, problem=chance.choice(("lost", "no answer within 5 s")), facts=facts)
    facts: dict[str, Any] = {"current_operation": chance.choice((None, B, NEXT, OTHER))}
    facts["worker"] = chance.choice((None, W, SECOND_WORKER))
    facts["completed_at"] = chance.choice((None, "2026-11-22T18:52:44Z", "2026-11-22T18:52:44Z", "soon"))
    facts["percentage_problem"] = "odd" if chance.random() < 0.03 else None
    facts["has_result"] = chance.random() < 0.03
    if view == "health":
        facts["unlisted"] = chance.random() < 0.1
        facts["began_at"] = chance.choice((None, None, "2026-11-22T18:52:37Z"))
    if view in ("list", "other"):
        facts |= SAME_WORK | {"end_date": chance.choice((None, "2025-12-31", "2020-12-31"))}
        facts["parent"] = B if of == "op_8" else None
    if view in ("other", "backend"):
        facts["created_at"] = chance.choice((None, "2026-11-22T18:52:36Z", "2026-11-22T18:52:44Z"))
        facts["started_at"] = "2026-11-22T18:52:36Z" if view == "backend" else None
    percentage = chance.choice((None, 0.0, round(chance.uniform(0, 100), 1), min(100.0, 2.0 * at_s)))
    cpu_s = chance.uniform(0.0, 50.0) if view == "processor" else None
    return Sample(view, of, at_s, answered_s, chance.choice(STATUSES), percentage, cpu_s, facts=facts)


@st.composite
def wild(draw: st.DrawFn) -> History:
    """A history of any readings, calm or not, about events in their usual order."""
    chance = Random(draw(st.integers(0, 2**32)))
    views: list[tuple[View, str]] = [
        ("backend", B),
        ("backend", B),
        ("backend", NEXT),
        ("list", B),
        ("list", OTHER),
        ("other", OTHER),
        ("other", "op_8"),
        ("worker", B),
        ("health", W),
        ("registry", W),
        ("processor", W),
    ]
    watched = [pair for pair in views if chance.random() < 0.9]
    calm = draw(st.sampled_from([0.0, 0.9, 0.98]))
    cancel_s = chance.uniform(3.0, 12.0)
    next_on = chance.choice((None, W, SECOND_WORKER))
    samples: list[Sample] = []
    for view, of in watched:
        at_s, last = chance.uniform(-1.0, 2.0), None
        cpu_s, cores = 1.0, 0.0
        while at_s < 40.0:
            fresh = wild_sample(chance, view, of, at_s)
            if last and not last.problem and chance.random() < calm:
                # Like the one before: so that states last, as they do.
                fresh = replace(last, asked_s=at_s, answered_s=fresh.answered_s)
            elif calm and of == B and view == "backend" and fresh.terminal and at_s < cancel_s:
                fresh = replace(fresh, status="running")
            if (view, of) == ("backend", NEXT) and not fresh.problem:
                fresh = replace(fresh, facts={**fresh.facts, "worker": next_on})
            if view == "processor" and not fresh.problem:
                fresh = replace(fresh, cpu_s=cpu_s)
            samples.append(fresh)
            last = fresh
            step_s = chance.uniform(0.05, 1.0) if chance.random() < 0.98 else 6.0
            cores = chance.choice((0.0, 0.1, 1.0)) if chance.random() < 0.2 else cores
            at_s, cpu_s = at_s + step_s, cpu_s + cores * step_s if chance.random() < 0.98 else 0.0
    events = [did("start_sent", 0.0), did("start_answered", 0.1), did("cancel_sent", cancel_s)]
    if chance.random() < 0.2:
        events.append(did("cancel_lost", cancel_s + 0.5, problem="reset"))
    if chance.random() < 0.9:
        events.append(did("cancel_answered", cancel_s + 1.0, http=200, success=True, took_s=0.5))
    if chance.random() < 0.1:
        events.append(did("cancel_too_late", cancel_s + 1.0))
    if chance.random() < 0.9:
        events.append(did("next_accepted", cancel_s + 2.0, NEXT, took_s=0.1))
    if chance.random() < 0.2:
        events.append(did("clean_up", cancel_s + 20.0, NEXT))
    if chance.random() < 0.05:
        events.append(did("not_stopped", cancel_s + 22.0, NEXT, words="still runs"))
    about: dict[str, Any] = {"backtest": B, "next_backtest": NEXT, "worker": W, "payload": PAYLOAD}
    about |= {"cancelled_at_once": True} if chance.random() < 0.2 else {}
    return ordered(samples, events, 50.0, about)


def until(history: History, at_s: float, *, events: bool = False) -> History:
    """What had been read of it by a moment."""
    return ordered(
        (s for s in history.samples if s.answered_s <= at_s),
        (e for e in history.events if e.at_s <= at_s or not events),
        at_s,
        history.about,
    )


@settings(EXAMPLES, max_examples=300)
@given(wild())
def test_later_readings_never_take_a_violation_back(history: History) -> None:
    cancel = history.event("cancel_sent", B)
    assert cancel
    was: dict[str, Judgement] = {}
    for at_s in (cancel.at_s, *(cancel.at_s + 1.7 * n for n in range(1, 20))):
        judged = judge_all(until(history, at_s))
        for name, before in was.items():
            assert judged[name].violated, (name, at_s, before.seen, judged[name])
        was = {name: judgement for name, judgement in judged.items() if judgement.violated}


@EXAMPLES
@given(wild(), st.integers(0, 2**32))
def test_wild_histories_too_are_judged_alike_in_any_order_and_when_read_back(history: History, seed: int) -> None:
    judged = judge_all(history)
    samples = list(history.samples)
    Random(seed).shuffle(samples)
    assert judge_all(ordered(samples, history.events, history.until_s, history.about)) == judged
    again = judge_all(from_json(history.to_json()))
    assert {name: j.verdict for name, j in again.items()} == {name: j.verdict for name, j in judged.items()}
    assert {name: j.seen for name, j in again.items()} == {name: j.seen for name, j in judged.items()}


@EXAMPLES
@given(wild())
def test_nothing_passes_that_has_one_violation_or_one_gap(history: History) -> None:
    judged = judge_all(history)
    if any(judgement.violated for judgement in judged.values()):
        assert outcome(judged) == "failed"
    else:
        assert outcome(judged) != "failed"


@pytest.mark.parametrize("view", ["backend", "worker", "health", "registry", "processor"])
@settings(EXAMPLES, max_examples=40)
@given(PLATFORMS.map(lambda p: replace(p, losses=min(p.losses, 0.1))).map(Platform.film))
def test_a_view_that_was_never_read_makes_nothing_violated(view: View, history: History) -> None:
    kept = [s for s in history.samples if s.view != view]
    assert violated(film(kept, history.events, **history.about)) == {}
