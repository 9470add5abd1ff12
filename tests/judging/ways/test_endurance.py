"""Backtests in a row: what grows with them is told, and what only varies, steps or was not read is not held against KTRDR."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways import endurance
from ktrdr_qa.judge.ways.endurance import FIGURES, judgements, table, trend_of
from ktrdr_qa.record.history import Event, History, Sample
from tests.judging.film import B, did, film

LAPS = 51
Growth = Callable[[int], float]


def flat(value: float) -> Growth:
    return lambda lap: value


def rest(lap: int, of: str, *, memory: float, files: float, active: float, cores: float) -> list[Sample]:
    """The two readings of one rest of 0.15 s, of which the last one counts; the processor's counter is any."""
    facts = {"lap": lap, "memory_bytes": memory * 1e6, "open_files": files, "active": active}
    begin = Sample("process", of, float(lap), float(lap), cpu_s=10.0 * lap, facts={**facts, "memory_bytes": 9e9})
    return [begin, Sample("process", of, lap + 0.2, lap + 0.2, cpu_s=10.0 * lap + 0.2 * cores, facts=facts)]


def series(laps: int = LAPS, *, of: Sequence[str] = ("backend", "worker_1"), **growing: Growth) -> History:
    """So many backtests in a row; what is not given stays what it is, but for the first which warms up."""
    usual = {
        "memory": flat(45.0),
        "files": flat(14.0),
        "active": flat(0.0),
        "cores": flat(0.01),
        "cancelled_s": flat(0.05),
        "first_progress_s": flat(2.0),
        "load_per_core": flat(0.5),
    }
    now = {**usual, **growing}
    numbers = range(1, laps + 1)
    taken = {name: now.pop(name) for name in ("cancelled_s", "first_progress_s", "load_per_core")}
    samples = [
        rest(lap, one, **{k: (v if one == of[-1] else usual[k])(lap) for k, v in now.items()})
        for one in of
        for lap in numbers
    ]
    ends = [did("lap", lap + 0.3, f"op_{lap}", number=lap, **{n: t(lap) for n, t in taken.items()}) for lap in numbers]
    return film(samples, ends, counted(0.5), counted(laps + 1.0), backtest=B)


def counted(at_s: float, free: Sequence[str] = ("w1", "w2"), others: Sequence[str] = (), listed: int = 2) -> Event:
    return did("places", at_s, "", free=list(free), others=list(others), listed=listed)


def told(history: History) -> dict[str, Judgement]:
    return {judgement.name: judgement for judgement in judgements(history, verdict.LIMITS_S)}


NAMES = {
    "latency steady",
    "start steady",
    "places kept",
    "memory steady",
    "files steady",
    "active steady",
    "processor steady",
}


def test_what_stays_as_it_is_holds_and_says_what_it_is() -> None:
    found = told(series())
    assert found.keys() == NAMES and all(judgement.holds for judgement in found.values())
    assert found["latency steady"].seen == "a cancel took 0.05 s at the beginning and 0.05 s at the end of 51"
    assert found["start steady"].seen == (
        "a backtest moved 2.00 s after its start at the beginning and 2.00 s at the end of 51"
    )
    assert found["places kept"].seen == "2 were free before the first, and 2 are after the last"
    assert found["memory steady"].seen == "backend 45.0 to 45.0 MB, worker_1 45.0 to 45.0 MB"
    assert found["processor steady"].seen == "backend 0.01 to 0.01 cores, worker_1 0.01 to 0.01 cores"


def test_a_history_of_one_backtest_is_not_asked() -> None:
    assert judgements(film(backtest=B), verdict.LIMITS_S) == []


@pytest.mark.parametrize(
    ("growing", "name", "seen"),
    [
        (
            {"memory": lambda n: 45 + 0.2 * n},
            "memory steady",
            "it grew: worker_1 47.6 to 53.8 MB (+0.20 MB with each)",
        ),
        ({"files": lambda n: 14 + n // 3}, "files steady", "it grew: worker_1 18.0 to 28.3 (+0.33 with each)"),
        ({"active": lambda n: n // 10}, "active steady", "it grew: worker_1 0.9 to 4.0 (+0.10 with each)"),
        (
            {"cores": lambda n: 0.005 * n},
            "processor steady",
            "it grew: worker_1 0.06 to 0.22 cores (+0.005 cores with each)",
        ),
        (
            {"cancelled_s": lambda n: 0.05 + 0.01 * n},
            "latency steady",
            "a cancel took 0.18 s at the beginning and 0.49 s at the end of 51: 10 ms more with each",
        ),
        (
            {"first_progress_s": lambda n: 1.5 + 0.06 * n},
            "start steady",
            "a backtest moved 2.28 s after its start at the beginning and 4.14 s at the end of 51: 60 ms more with each",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value in NAMES else "",
)
def test_what_grows_with_each_is_violated_alone(growing: dict[str, Growth], name: str, seen: str) -> None:
    found = told(series(**growing))
    assert {n for n, judgement in found.items() if judgement.violated} == {name}
    assert found[name].seen == seen
    assert found[name].at_s == pytest.approx(LAPS + 0.3)


@pytest.mark.parametrize(
    "growing",
    [
        {"memory": lambda n: 45.0 + 0.1 * n},  # 3 MB between the thirds: less than an allocator may keep
        {"memory": lambda n: 400.0 + 0.4 * n},  # of a large process 3 percent
        {"files": lambda n: 14.0 + n // 8},
        {"active": lambda n: float(n % 4)},
        {"cores": lambda n: 0.002 * n},
        {"cancelled_s": lambda n: 0.05 + 0.005 * n},
        {"memory": lambda n: 45.0 if n < 10 else 90.0},  # a cache that is filled once, early, in the middle or late
        {"memory": lambda n: 45.0 if n < 26 else 90.0},
        {"memory": lambda n: 45.0 if n < 45 else 90.0},
        {"memory": lambda n: 200.0 - n},
        {"memory": lambda n: 150.0 if n <= 5 else 45.0},  # what the first ones needed
        {
            "memory": lambda n: 45.0 + (500.0 if n in (44, 47, 50) else 0.0)
        },  # some rests in which something else happened
        {"cancelled_s": lambda n: 1.5 if n in (40, 44, 48) else 0.05},
        {"first_progress_s": lambda n: 2.0 + 0.03 * n},  # a refresh more or less
        {"first_progress_s": lambda n: 10.0 + 0.15 * n},  # of a slow one half
    ],
)
def test_what_does_not_grow_with_each_holds(growing: dict[str, Growth]) -> None:
    assert {n: j.seen for n, j in told(series(**growing)).items() if not j.holds} == {}


def test_two_hundred_noisy_runs_give_no_false_alarm_and_two_hundred_leaks_are_all_seen() -> None:
    """Allocator noise that comes in steps and does not go, connections that come and go, latencies with long tails."""

    def noisy(dice: random.Random, leak_mb: float) -> dict[str, Growth]:
        kept = [0.0]

        def memory(lap: int) -> float:
            kept[0] += dice.choice((0.0, 0.0, 0.0, 0.13, 0.26)) if lap < 30 else 0.0
            return 45.0 + kept[0] + dice.uniform(0.0, 1.0) + leak_mb * lap

        return {
            "memory": memory,
            "files": lambda lap: 14.0 + dice.randrange(0, 12),
            "active": lambda lap: float(dice.randrange(0, 3)),
            "cores": lambda lap: dice.choice((0.0, 0.0, 0.05, 0.1)),
            "cancelled_s": lambda lap: min(1.9, 0.05 + dice.expovariate(8.0)),
            "first_progress_s": lambda lap: 2.0 + dice.uniform(0.0, 1.0) + dice.expovariate(2.0),
        }

    alarms = [
        seed
        for seed in range(200)
        for j in judgements(series(**noisy(random.Random(seed), 0.0)), verdict.LIMITS_S)
        if j.violated
    ]
    missed = [
        seed for seed in range(200) if not told(series(**noisy(random.Random(seed), 0.4)))["memory steady"].violated
    ]
    assert (alarms, missed) == ([], [])


def test_too_few_tell_no_trend() -> None:
    found = told(series(9, memory=lambda n: 45.0 + 10 * n))
    assert found.pop("places kept").holds
    few = "9 backtests are too few to tell a trend from chance; 24 are needed"
    assert {(j.verdict, few in j.seen) for j in found.values()} == {("unknown", True)}
    assert trend_of([1.0] * 23) is None and trend_of([1.0] * 24)


def test_a_process_that_cannot_be_read_is_never_green_and_its_reason_is_told() -> None:
    why = Sample("process", "worker_2", 60.0, 60.0, problem="cannot be asked from here")
    history = film(series().samples, series().events, why, backtest=B)
    found = told(history)["memory steady"]
    assert found.unknown
    assert found.seen.startswith("of worker_2 it could not be read: cannot be asked from here; backend 45.0 to 45.0 MB")
    assert verdict.judge_all(history)["memory steady"] == found
    assert verdict.outcome(verdict.judge_all(history), ["memory steady"]) != "passed"
    leaking = film(series(memory=lambda n: 45.0 + n).samples, series().events, why, backtest=B)
    assert told(leaking)["memory steady"].violated


def test_a_figure_that_the_metrics_do_not_name_is_not_told() -> None:
    bare = [Sample(s.view, s.subject, s.asked_s, s.answered_s, facts={"lap": s.facts["lap"]}) for s in series().samples]
    found = told(film(bare, series().events, backtest=B))
    assert {found[f.name].verdict for f in FIGURES} == {"unknown"}
    assert found["processor steady"].seen == (
        "of backend it could not be read: its metrics do not name it; of worker_1 it could not be read: its metrics do not "
        "name it"
    )
    assert told(film(series().events, backtest=B))["memory steady"].seen == "no process of KTRDR's could be read"


def test_on_a_host_without_a_core_to_spare_a_quiet_processor_tells_nothing() -> None:
    history = series()
    busy = film(history.samples, history.events, backtest=B, load_per_core=2.1)
    assert told(busy)["processor steady"].unknown and told(busy)["memory steady"].holds
    assert told(busy)["processor steady"].seen.startswith("2.1 processes a core want to run on this host")
    assert told(film(history.samples, history.events, backtest=B, load_per_core=2.0))["processor steady"].holds
    spinning = series(cores=lambda n: 0.01 * n)
    assert told(film(spinning.samples, spinning.events, load_per_core=9.0))["processor steady"].violated


def test_what_each_adds_is_told_in_milliseconds() -> None:
    assert told(series(first_progress_s=lambda n: 0.6 * n))["start steady"].seen.endswith(
        "end of 51: 600 ms more with each"
    )


def test_where_the_host_has_become_busier_a_late_start_tells_nothing() -> None:
    def slower(load: Growth) -> Judgement:
        return told(series(first_progress_s=lambda n: 1.5 + 0.06 * n, load_per_core=load))["start steady"]

    busier = slower(lambda n: 1.0 + 0.05 * n)
    assert busier.unknown and busier.final
    assert busier.seen.endswith("; 1.6 processes a core wanted to run on this host then, and 3.2 now")
    exactly = {"first_progress_s": lambda n: n / 8, "load_per_core": lambda n: 1.625 if n < 26 else 4.5}
    assert told(series(**exactly))["start steady"].unknown, "from 1.625 s to 5.5 s, of which 1 s may be chance"
    assert told(series(**{**exactly, "load_per_core": lambda n: 1.625 if n < 26 else 4.49}))["start steady"].violated
    assert slower(flat(9.0)).violated and slower(lambda n: 0.03 * n).violated


def test_where_the_host_has_become_busier_a_late_cancel_tells_nothing() -> None:
    def latency(load: Growth) -> Judgement:
        return told(series(cancelled_s=lambda n: 0.05 + 0.02 * n, load_per_core=load))["latency steady"]

    slower = latency(lambda n: 0.5 + 0.1 * n)
    assert slower.unknown and slower.final and slower.observations == ()
    assert slower.figures.keys() == {"first_cancels_s", "last_cancels_s"}
    assert slower.seen.endswith("; 1.8 processes a core wanted to run on this host then, and 4.9 now")
    # From 0.31 s to 0.93 s, of which 0.2 s may be chance: 2.35 times as much work would explain it.
    assert latency(lambda n: 1.0 if n < 26 else 2.36).unknown
    assert latency(lambda n: 1.0 if n < 26 else 2.35).violated
    assert latency(lambda n: 0.0 if n < 26 else 3.0).unknown and latency(lambda n: 0.0 if n < 26 else 2.0).violated


def test_a_counter_that_began_anew_is_left_out() -> None:
    fell: list[Any] = [
        s
        if s.facts["lap"] != 30
        else Sample(s.view, s.subject, s.asked_s, s.answered_s, cpu_s=-s.asked_s, facts=s.facts)
        for s in series().samples
    ]
    assert told(film(fell, series().events, backtest=B))["processor steady"].holds


@pytest.mark.parametrize(
    ("first", "last", "outcome", "seen"),
    [
        (counted(0.5), counted(60.0, ["w2"]), "violated", "lost is w1"),
        (counted(0.5), counted(60.0, ["w2"], ["w1"]), "holds", "2 are after"),
        (counted(0.5), counted(60.0, ["w1", "w2", "w3"]), "holds", "2 are after"),
        (counted(0.5), counted(60.0, [], [], 0), "unknown", "did not list"),
        (counted(0.5, []), counted(60.0), "unknown", "none was free"),
    ],
)
def test_places(first: Event, last: Event, outcome: str, seen: str) -> None:
    found = endurance.places_are_kept(film(first, last))
    assert found.verdict == outcome and seen in found.seen


def test_places_that_were_counted_once_only_are_not_known() -> None:
    assert endurance.places_are_kept(film(counted(0.5))).unknown


def test_the_table_has_the_thirds() -> None:
    rows = list(table(series(memory=lambda n: 45.0 + n)))
    assert ("time until a backtest is seen cancelled", "KTRDR", ["0.05 s", "0.05 s", "0.05 s"]) in rows
    assert ("time until a backtest is seen moving", "KTRDR", ["2.00 s", "2.00 s", "2.00 s"]) in rows
    assert ("memory", "worker_1", ["58.0 MB", "73.5 MB", "89.0 MB"]) in rows
    assert len(rows) == 2 + 4 * 2
    assert list(table(series(9))) == []


def test_a_trend_is_the_mean_of_the_middle_half_of_each_third_after_the_first_tenth() -> None:
    """Of 24 the first 2 are left out; the thirds are 2 to 8, 9 to 16 and 17 to 23, their middles 3 to 7, 11 to 14, 18 to 22."""
    assert trend_of([float(n * n) for n in range(24)]) == endurance.Trend(27.0, 157.5, 402.0, 60.0, 25.0, 1.0)
    assert trend_of([float(n * n) for n in range(27)]) == endurance.Trend(31.5, 198.0, 507.5, 51.0, 28.0, 1.0)


def test_a_figure_varies_by_the_third_that_varies_most_around_the_growth() -> None:
    up = [10.0 * n for n in range(24)]
    assert trend_of(up) == endurance.Trend(50.0, 125.0, 200.0, 0.0, 10.0, 1.0)
    for begin in (2, 9, 17):
        shaken = [v + (6.0 if begin <= n < begin + 7 and n % 2 else 0.0) for n, v in enumerate(up)]
        trend = trend_of(shaken)
        assert trend and trend.spread == pytest.approx(6.0, abs=1.0)


@pytest.mark.parametrize(
    ("values", "correlation"),
    [
        ([1.0, 2.0, 3.0, 4.0], 1.0),
        ([4.0, 3.0, 2.0, 1.0], -1.0),
        ([1.0, 2.0, 4.0, 3.0], 4 / 6),
        ([1.0, 1.0, 2.0, 2.0], 4 / (4 * 6) ** 0.5),
        ([1.0, 1.0, 1.0, 1.0], 0.0),
    ],
)
def test_rank_correlation(values: list[float], correlation: float) -> None:
    assert endurance.rank_correlation(values) == pytest.approx(correlation)


STEADY_S = [
    0.13,
    0.1,
    0.19,
    0.2,
    0.15,
    0.19,
    0.22,
    0.25,
    0.34,
    0.14,
    0.22,
    0.21,
    0.2,
    0.25,
    0.14,
    0.1,
    0.29,
    0.23,
    0.24,
    0.31,
    0.33,
    0.23,
    0.21,
    0.22,
    0.2,
    0.34,
    0.21,
]
GROWING_S = [
    0.32,
    0.25,
    0.31,
    0.28,
    0.66,
    0.3,
    0.4,
    0.53,
    0.59,
    0.56,
    0.57,
    0.48,
    0.54,
    0.62,
    0.55,
    0.57,
    0.67,
    0.66,
    0.69,
    0.63,
    0.7,
    0.89,
    0.72,
    0.86,
    0.89,
    1.1,
    1.03,
]
"""Of real runs, see below."""
NOISES: dict[str, Callable[[random.Random], Growth]] = {
    "normal": lambda dice: lambda lap: 0.2 + abs(dice.gauss(0.0, 0.3)),
    "long tails": lambda dice: lambda lap: 0.25 * math.exp(dice.gauss(0.0, 0.8)),
    "very long tails": lambda dice: lambda lap: 0.1 * dice.paretovariate(1.3),
    "a refresh once a second": lambda dice: lambda lap: 0.1 + dice.uniform(0.0, 1.0),
    "other work for a while": lambda dice: _burst(dice, dice.randrange(LAPS), dice.randrange(3, 15)),
    "more from one on": lambda dice: _burst(dice, dice.randrange(LAPS), LAPS),
}

LEAST_SEEN = {
    "normal": 95,
    "long tails": 60,
    "very long tails": 80,
    "a refresh once a second": 10,
    "other work for a while": 35,
    "more from one on": 80,
}
"""Of 100; noise of a whole second hides most of 1.25 s that grow."""


def _burst(dice: random.Random, begin: int, length: int) -> Growth:
    return lambda lap: (
        0.2 + abs(dice.gauss(0.0, 0.05)) + (dice.uniform(0.4, 1.0) if begin <= lap < begin + length else 0)
    )


@pytest.mark.parametrize("noise", NOISES)
def test_a_noisy_host_gives_hardly_a_false_alarm_and_25_ms_more_with_each_cancel_are_seen(noise: str) -> None:
    """100 seeded series of each kind of noise, and the same with 25 ms more at each cancel."""

    def violated(seed: int, each_s: float) -> bool:
        varies = NOISES[noise](random.Random(seed))
        laps = [did("lap", n, f"op_{n}", cancelled_s=varies(n) + each_s * n) for n in range(LAPS)]
        return endurance.latency_is_steady(laps).violated

    assert sum(violated(seed, 0.0) for seed in range(100)) <= 1
    assert sum(violated(seed, 0.025) for seed in range(100)) >= LEAST_SEEN[noise]


def test_the_laps_of_real_runs_on_a_busy_host_are_told_apart() -> None:
    """Two runs of 27 on a host with seven processes a core: KTRDR's contract as it is, and with 25 ms more at each cancel."""

    def judged(taken: Sequence[float]) -> Judgement:
        return endurance.latency_is_steady([did("lap", n, f"op_{n}", cancelled_s=s) for n, s in enumerate(taken)])

    assert judged(STEADY_S).holds
    assert judged(GROWING_S).violated
    assert judged(GROWING_S).seen.endswith("ms more with each")


@pytest.mark.parametrize(
    ("heights", "spread", "margin", "grows"),
    [
        ((0.0, 5.0, 10.0), 0.0, 10.0, False),
        ((0.0, 5.0, 10.0), 0.0, 9.9, True),
        ((0.0, 5.0, 9.0), 6.0, 1.0, False),
        ((0.0, 5.0, 9.0), 5.9, 1.0, True),
        ((0.0, 2.0, 10.0), 0.0, 1.0, True),
        ((0.0, 1.9, 10.0), 0.0, 1.0, False),
        ((0.0, 8.0, 10.0), 0.0, 1.0, True),
        ((0.0, 8.1, 10.0), 0.0, 1.0, False),
        ((5.0, 7.0, 10.0), 0.0, 4.9, True),
    ],
)
def test_what_is_a_growth(heights: tuple[float, float, float], spread: float, margin: float, grows: bool) -> None:
    assert endurance.Trend(*heights, spread, 0.0).grows(margin) is grows


def test_where_each_is_not_higher_as_a_rule_nothing_grows() -> None:
    assert endurance.Trend(0.0, 5.0, 10.0, 0.0, 0.0, 0.6).grows(1.0)
    assert not endurance.Trend(0.0, 5.0, 10.0, 0.0, 0.0, 0.59).grows(1.0)


def test_each_rule_says_what_it_expects() -> None:
    assert {name: j.expected for name, j in told(series()).items()} == {
        "latency steady": "the last backtests were cancelled as quickly as the first",
        "start steady": "the last backtests began to move as quickly as the first",
        "places kept": "every place that was free before the first backtest is free again after the last",
        "memory steady": "in no process of KTRDR's does the memory grow with the backtests",
        "files steady": "in no process of KTRDR's does the number of open files grow with the backtests",
        "active steady": "in no process of KTRDR's does the number of operations called active grow with the backtests",
        "processor steady": "in no process of KTRDR's does the use of the processor at rest grow with the backtests",
    }
    slower = told(series(cancelled_s=lambda n: 0.05 + 0.01 * n))["latency steady"]
    for judgement, last_s in ((told(series())["latency steady"], 0.05), (slower, 0.49)):
        assert dict(judgement.figures) == pytest.approx(
            {"first_cancels_s": 0.05 if last_s == 0.05 else 0.18, "last_cancels_s": last_s}, abs=0.006
        )


def test_all_that_grows_is_told() -> None:
    both = film(*(series(of=[of], files=lambda n: 14.0 + n).samples for of in ("backend", "worker_1")), series().events)
    assert told(both)["files steady"].seen == (
        "it grew: backend 27.0 to 58.0 (+1.00 with each), worker_1 27.0 to 58.0 (+1.00 with each)"
    )
    assert told(series(cancelled_s=lambda n: 1.0 * n))["latency steady"].seen.endswith(": 1000 ms more with each")


def test_those_that_were_not_seen_cancelled_are_counted_out() -> None:
    history = series()
    unseen = [e if e.kind != "lap" or e.facts["number"] > 40 else did("lap", e.at_s, number=0) for e in history.events]
    assert told(film(history.samples, unseen))["latency steady"].seen == (
        "11 backtests are too few to tell a trend from chance; 24 are needed"
    )
    rows = list(table(film(history.samples, unseen)))
    assert [row[:2] for row in rows] == [(f.what, of) for f in FIGURES for of in ("backend", "worker_1")]


def test_what_was_lost_of_a_process_is_told_last_and_all_that_could_not_be_read() -> None:
    lost = [Sample("process", of, at_s, at_s, problem=f"{of} at {at_s}") for of in ("a", "b") for at_s in (1.0, 2.0)]
    seen = told(film(series().events, lost))["files steady"].seen
    assert seen == "of a it could not be read: a at 2.0; of b it could not be read: b at 2.0"
    one = told(film(series().events, series().samples, lost[:1], load_per_core=2.1))["processor steady"].seen
    assert one == (
        "of a it could not be read: a at 1.0; 2.1 processes a core want to run on this host, so that one which computes "
        "may look quiet; backend 0.01 to 0.01 cores; worker_1 0.01 to 0.01 cores"
    )
    few = told(film([e for e in series().events if e.kind != "lap" or e.facts["number"] <= 23], lost[:1]))[
        "files steady"
    ]
    assert few.seen == "23 backtests are too few to tell a trend from chance; 24 are needed"
    enough = told(film([e for e in series().events if e.kind != "lap" or e.facts["number"] <= 24], lost[:1]))
    assert enough["files steady"].seen == "of a it could not be read: a at 1.0"


def test_places_that_are_lost_are_named_and_what_is_not_known_says_why() -> None:
    lost = endurance.places_are_kept(film(counted(0.5, ["w1", "w2", "w3"]), counted(30.0), counted(60.0, ["w2"])))
    assert lost.seen == "3 were free before the first, and 1 are after the last: lost is w1, w3" and lost.at_s == 60.0
    assert endurance.places_are_kept(film()).seen == "the places were not counted before and after"
    assert endurance.places_are_kept(film(counted(0.5), counted(60.0, [], [], 0))).seen == (
        "KTRDR did not list its workers, or none was free"
    )
    nobody = did("places", 60.0, "", free=None, others=None, listed=1)
    assert endurance.places_are_kept(film(counted(0.5), nobody)).seen.endswith("0 are after the last: lost is w1, w2")
    assert endurance.places_are_kept(film(did("places", 0.5, "", free=None, listed=1), counted(60.0))).unknown


def test_the_processor_of_a_rest_is_what_it_used_over_its_time() -> None:
    (figure,) = [f for f in FIGURES if f.fact == "cores"]

    def used(*readings: tuple[float, float | None], lap: int = 1) -> list[Sample]:
        return [Sample("process", "w", at_s, at_s, cpu_s=cpu_s, facts={"lap": lap}) for at_s, cpu_s in readings]

    assert figure.values([*used((1.0, 5.0), (1.5, 9.0), (3.0, 6.0)), *used((4.0, 6.0), (6.0, 6.0), lap=2)]) == [
        0.5,
        0.0,
    ]
    for told_nothing in (used((1.0, 5.0)), used((1.0, 5.0), (2.0, 4.0)), used((1.0, None), (2.0, 4.0))):
        assert figure.values(told_nothing) == []
    assert figure.values(used((1.0, 5.0), (2.0, None))) == []
    (memory,) = [f for f in FIGURES if f.fact == "memory_bytes"]
    named = [Sample("process", "w", 1.0, 1.0, facts={"lap": 1, "memory_bytes": 3e6})]
    assert memory.values([*named, *used((2.0, 1.0), lap=2)]) == [3.0]
