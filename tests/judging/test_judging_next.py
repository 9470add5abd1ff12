"""The next backtest: accepted at once under a new id, and really running."""

from __future__ import annotations

from typing import Any

import pytest

from ktrdr_qa.judge.next_backtest import next_is_accepted, next_runs
from ktrdr_qa.record.history import Event, Sample
from tests.judging.film import NEXT, OTHER, B, Case, cases, did, film, lost, saw

ASKED = did("next_sent", 11.0, "")


@cases(
    Case("none was asked for", film(), "unknown", "no new backtest was asked for"),
    Case("asked for, not answered", film(ASKED), "unknown", "no new backtest was asked for"),
    Case(
        "accepted",
        film(ASKED, did("next_accepted", 11.1, NEXT, took_s=0.125)),
        "holds",
        "accepted after 0.12 s",
        figures={"next_accepted_s": 0.125},
    ),
    Case(
        "the last of several is told",
        film(ASKED, did("next_accepted", 11.1, OTHER, took_s=0.5), did("next_accepted", 12.0, NEXT)),
        "holds",
        "accepted after 0.00 s",
        figures={"next_accepted_s": 0.0},
    ),
    Case(
        "refused with HTTP 503",
        film(ASKED, did("next_refused", 11.1, "", words="HTTP 503: No workers available", http=503)),
        "violated",
        "HTTP 503: No workers available",
        11.1,
    ),
    Case("refused without a word", film(ASKED, did("next_refused", 11.1, "")), "violated", "refused", 11.1),
    Case(
        "given the id of the cancelled one",
        film(ASKED, did("next_accepted", 11.1, B)),
        "violated",
        "it was given the id of the cancelled one: op_1",
        11.1,
    ),
    Case(
        "refused, and accepted later",
        film(ASKED, did("next_refused", 11.1, "", words="HTTP 503"), did("next_accepted", 13.0, NEXT)),
        "violated",
        "HTTP 503",
        11.1,
    ),
    Case(
        "given the id of the cancelled one, and later another",
        film(ASKED, did("next_accepted", 11.1, B), did("next_accepted", 13.0, NEXT)),
        "violated",
        "it was given the id of the cancelled one: op_1",
        11.1,
    ),
    Case(
        "accepted in exactly the limit",
        film(ASKED, did("next_accepted", 16.0, NEXT, took_s=5.0)),
        "holds",
        "accepted after 5.00 s",
        figures={"next_accepted_s": 5.0},
    ),
    Case(
        "accepted a hair after the limit",
        film(ASKED, did("next_accepted", 16.1, NEXT, took_s=5.01)),
        "violated",
        "accepted after 5.01 s",
        16.1,
    ),
    Case(
        "accepted too late, and the one after it in time",
        film(ASKED, did("next_accepted", 17.0, OTHER, took_s=6.0), did("next_accepted", 18.0, NEXT, took_s=0.1)),
        "violated",
        "accepted after 6.00 s",
        17.0,
    ),
    Case(
        "turned away for a limit of requests, which says nothing about the cancel",
        film(ASKED, did("next_refused", 11.1, "", words="HTTP 429: Too many requests", http=429)),
        "unknown",
        "HTTP 429: Too many requests",
    ),
    Case(
        "refused for a place that another backtest of this run holds",
        film(ASKED, did("next_refused", 11.1, "", words="HTTP 503: No workers", http=503, held_before=True)),
        "unknown",
        "HTTP 503: No workers",
    ),
    Case(
        "accepted, and the tenth refused",
        film(ASKED, did("next_accepted", 11.1, NEXT), did("next_refused", 13.0, "", words="HTTP 503")),
        "violated",
        "HTTP 503",
        13.0,
    ),
)
def test_next_is_accepted(case: Case) -> None:
    expected = "a new backtest is accepted at once, within 5.0 s"
    case.check(next_is_accepted(case.history, B, 5.0), "next accepted", expected)
    case.check(next_is_accepted(case.history, B), "next accepted", expected)


ACCEPTED = did("next_accepted", 20.0, NEXT)


def saw_next(at_s: float, status: str, percentage: float | None = None, took_s: float = 0.0, **facts: Any) -> Sample:
    return saw(at_s, status, percentage, of=NEXT, took_s=took_s, **facts)


def empty(at_s: float) -> Sample:
    return saw_next(at_s, "completed", 0.0)


def refusals(*at_s: float) -> list[Sample]:
    return [lost(at, "nothing listens", of=NEXT, refused=True) for at in at_s]


RISEN = (saw_next(20.2, "running", 0.0), saw_next(20.5, "running", 2.0), saw_next(21.25, "running", 4.0, took_s=0.25))
RUNS = 'it was "running" at 4.0 % 1.50 s after its start'
NEXT_PAYLOAD = {"symbol": "EURUSD", "timeframe": "1h", "start_date": "2024-01-01", "end_date": "2024-01-31"}
ASKED_FOR = {
    "symbol": "EURUSD",
    "timeframe": "1h",
    "start_date": "2024-01-01T00:00:00",
    "result_symbol": "EURUSD",
    "result_start_date": "2024-01-01T00:00:00",
    "result_end_date": "2024-01-31T00:00:00",
}
UNSEEN = "it has not been seen to move: "


@cases(
    Case(
        "it rose twice",
        film(ACCEPTED, RISEN),
        "holds",
        RUNS,
        figures={"next_runs_s": 1.5},
    ),
    Case(
        "it rose once so far: one rise may be all",
        film(ACCEPTED, RISEN[:2], saw_next(21.0, "running", 2.0), until_s=22.0),
        "unknown",
        UNSEEN + 'last "running" at 2.0 %, 1.0 s ago (3 readings)',
    ),
    Case(
        "completed already",
        film(ACCEPTED, saw_next(20.5, "completed", 100.0)),
        "holds",
        'it was "completed" at 100.0 % 0.50 s after its start',
        figures={"next_runs_s": 0.5},
    ),
    Case(
        "nobody being there any more is another judgement's matter",
        film(ACCEPTED, RISEN, refusals(22, 23, 24, 25, 26, 27, 28, 29, 30)),
        "holds",
        RUNS,
        figures={"next_runs_s": 1.5},
    ),
    Case(
        "failed after it had moved, told with how far",
        film(ACCEPTED, RISEN, saw_next(22.0, "failed", error_message="out of memory"), saw_next(22.5, "running", 9.0)),
        "violated",
        'it was "failed" 2.00 s after its start, after it had moved to 4.0 %: out of memory',
        22.0,
    ),
    Case(
        "cancelled by nobody of this run after it had moved",
        film(ACCEPTED, RISEN, saw_next(22.0, "cancelled")),
        "violated",
        'it was "cancelled" 2.00 s after its start, after it had moved to 4.0 %: no reason given',
        22.0,
    ),
    Case(
        "what this run's own clean-up does to it does not count",
        film(ACCEPTED, RISEN, did("clean_up", 22.0, NEXT), saw_next(22.1, "cancelled")),
        "holds",
        RUNS,
        figures={"next_runs_s": 1.5},
    ),
    Case(
        "what was read in the moment in which the clean-up began still counts",
        film(ACCEPTED, RISEN, did("clean_up", 22.0, NEXT), saw_next(21.5, "failed", took_s=0.5)),
        "violated",
        'it was "failed" 2.00 s after its start, after it had moved to 4.0 %: no reason given',
        22.0,
    ),
    Case(
        "another one's clean-up is no matter",
        film(ACCEPTED, RISEN, did("clean_up", 21.0, OTHER), saw_next(22.0, "failed")),
        "violated",
        'it was "failed" 2.00 s after its start, after it had moved to 4.0 %: no reason given',
        22.0,
    ),
    Case(
        "failed at once",
        film(ACCEPTED, saw_next(20.5, "failed", error_message="Insufficient data"), RISEN[2]),
        "violated",
        'it was "failed" 0.50 s after its start: Insufficient data',
        20.5,
    ),
    Case(
        "cancelled without a reason",
        film(ACCEPTED, saw_next(20.5, "cancelled", took_s=0.25)),
        "violated",
        'it was "cancelled" 0.75 s after its start: no reason given',
        20.75,
    ),
    Case(
        "it never progresses",
        film(ACCEPTED, saw_next(40.0, "running", 0.0), saw_next(50.0, "running", 0.0), saw_next(50.01, "running", 0.0)),
        "violated",
        'it was "running" at 0.0 % after 30.0 s (3 readings)',
        50.01,
    ),
    Case(
        "it never progresses, but for afterwards",
        film(ACCEPTED, saw_next(40.0, "running", 0.0), saw_next(50.5, "running", 0.0), saw_next(51.0, "running", 5.0)),
        "violated",
        'it was "running" at 0.0 % after 30.5 s (2 readings)',
        50.5,
    ),
    Case(
        "it stands still after one rise",
        film(
            ACCEPTED, saw_next(20.5, "running", 2.25), saw_next(50.75, "running", 2.25), saw_next(51.0, "running", 2.25)
        ),
        "violated",
        'it stood still: "running" at 2.2 % for 30.5 s (3 readings)',
        51.0,
    ),
    Case(
        "it stood still and rises after the limit",
        film(ACCEPTED, RISEN[:2], saw_next(51.0, "running", 2.0), saw_next(51.1, "running", 4.0)),
        "violated",
        'it stood still: "running" at 2.0 % for 30.5 s (3 readings)',
        51.0,
    ),
    Case(
        "coarse steps: the second rise may take half as long again as the first",
        film(ACCEPTED, [saw_next(30.0 + 0.5 * n, "running", 10.0) for n in range(70)], saw_next(65, "running", 20.0)),
        "holds",
        'it was "running" at 20.0 % 45.00 s after its start',
        figures={"next_runs_s": 45.0},
    ),
    Case(
        "percentages without running are no rises",
        film(ACCEPTED, saw_next(21.0, "pending", 5.0), saw_next(21.5, "pending", 6.0), until_s=22.0),
        "unknown",
        UNSEEN + 'last "pending" at 6.0 %, 0.5 s ago (2 readings)',
    ),
    Case(
        "running without a percentage is not known to run yet",
        film(ACCEPTED, saw_next(21.0, "running"), until_s=22.0),
        "unknown",
        UNSEEN + 'last "running", 1.0 s ago (1 reading)',
    ),
    Case(
        "late stays late",
        film(ACCEPTED, saw_next(50.5, "pending"), saw_next(50.7, "running", 1.0), saw_next(50.8, "running", 2.0)),
        "violated",
        'it was "pending" after 30.5 s (1 reading)',
        50.5,
    ),
    Case(
        "first seen moving after the limit, and after a gap, is unknown",
        film(ACCEPTED, RISEN[:2], saw_next(49.0, "running", 2.0), saw_next(50.25, "running", 4.0)),
        "unknown",
        "no reading between 29.0 s and 30.2 s after its start",
    ),
    Case(
        "and it fails after that",
        film(
            ACCEPTED, RISEN[:2], saw_next(49, "running", 2.0), saw_next(50.25, "running", 4.0), saw_next(51, "failed")
        ),
        "violated",
        'it was "failed" 31.00 s after its start, after it had moved to 4.0 %: no reason given',
        51.0,
    ),
    Case(
        "first seen moving after the limit, without a gap, holds",
        film(ACCEPTED, RISEN[:2], saw_next(49.5, "running", 2.0), saw_next(50.25, "running", 4.0)),
        "holds",
        'it was "running" at 4.0 % 30.25 s after its start',
        figures={"next_runs_s": 30.25},
    ),
    Case(
        "no record of it for more than a second at first: a replica that lags",
        film(
            ACCEPTED, saw_next(20.1, "missing"), saw_next(21.9, "missing", took_s=0.1), saw_next(22, "completed", 100.0)
        ),
        "holds",
        'it was "completed" at 100.0 % 2.00 s after its start',
        observations=("KTRDR had no record of the backtest (HTTP 404) for 2.0 s after its start was accepted.",),
        figures={"next_runs_s": 2.0},
    ),
    Case(
        "no record of it so far",
        film(ACCEPTED, saw_next(20.1, "missing"), saw_next(50.0, "missing"), until_s=50.0),
        "unknown",
        UNSEEN + 'last "missing", 0.0 s ago (2 readings)',
    ),
    Case(
        "no record of it after the limit",
        film(ACCEPTED, saw_next(20.1, "missing"), saw_next(50.1, "missing"), saw_next(50.2, "completed", 100.0)),
        "violated",
        "KTRDR has no record of it (HTTP 404) 30.1 s after its start",
        50.1,
    ),
    Case(
        "its record is gone for a second",
        film(
            ACCEPTED, RISEN, saw_next(22.0, "missing"), saw_next(23.0, "missing", took_s=0.25), saw_next(24, "running")
        ),
        "violated",
        "KTRDR has no record of it any more (HTTP 404), 3.2 s after its start",
        23.25,
    ),
    Case(
        "its record is gone for less than a second",
        film(ACCEPTED, RISEN, saw_next(22.0, "missing"), saw_next(22.9, "missing")),
        "holds",
        RUNS,
        figures={"next_runs_s": 1.5},
    ),
    Case(
        "a record that comes and goes is never gone for a second",
        film(
            ACCEPTED,
            saw_next(20.1, "missing"),
            RISEN[:2],
            [saw_next(20.75 + 0.25 * n, "running" if n % 2 else "missing", 2.0) for n in range(8)],
            until_s=23.0,
        ),
        "unknown",
        UNSEEN + 'last "running" at 2.0 %, 0.5 s ago (11 readings)',
    ),
    Case(
        "it is what was asked for, as far as its record and its result tell",
        film(ACCEPTED, RISEN, saw_next(22.0, "completed", 100.0, **ASKED_FOR), next_payload=NEXT_PAYLOAD),
        "holds",
        RUNS,
        figures={"next_runs_s": 1.5},
    ),
    *(
        Case(
            f"its {part or 'record_'}{name} is another's",
            film(ACCEPTED, RISEN, saw_next(22.0, "completed", 100.0, **{part + name: told}), next_payload=NEXT_PAYLOAD),
            "violated",
            f"{words} is another's: it has {name.replace('_', ' ')} {told}, and {NEXT_PAYLOAD[name]} was asked for",
            22.0,
        )
        for part, words in (("", "its record"), ("result_", "its result"))
        for name, told in {
            "symbol": "GBPUSD",
            "timeframe": "1d",
            "start_date": "2023-01-01",
            "end_date": "2024-12-31T00:00:00",
        }.items()
    ),
    Case(
        "its record names itself another",
        film(ACCEPTED, RISEN[:1], saw_next(20.5, "completed", 100.0, record_of=OTHER)),
        "violated",
        "its record is another's: it names itself op_9",
        20.5,
    ),
    *(
        Case(
            f"its strategy is another's, where one was asked for: {asked}",
            film(
                ACCEPTED,
                RISEN,
                saw_next(22.0, "running", 9.0, strategy="trend"),
                next_payload={**NEXT_PAYLOAD, **asked},
            ),
            verdict,
            seen,
            at_s,
            figures=figures,
        )
        for asked, verdict, seen, at_s, figures in (
            ({}, "holds", RUNS, None, {"next_runs_s": 1.5}),
            ({"strategy_name": "Trend"}, "holds", RUNS, None, {"next_runs_s": 1.5}),
            (
                {"strategy_name": "mean"},
                "violated",
                "its record is another's: it has strategy trend, and mean was asked for",
                22.0,
                {},
            ),
        )
    ),
    *(
        Case(
            f"its {name} is more than a day off: {told}",
            film(ACCEPTED, RISEN, saw_next(22.0, "completed", 100.0, **{name: told}), next_payload=NEXT_PAYLOAD),
            "violated",
            f"{words}: it has {what} {told}, and {asked} was asked for",
            22.0,
        )
        for name, words, what, told, asked in [
            ("result_start_date", "its result is another's", "start date", "2023-12-30T23:59:59", "2024-01-01"),
            ("result_start_date", "its result is another's", "start date", "2024-02-01T00:00:01", "2024-01-01"),
            ("result_end_date", "its result is another's", "end date", "2024-02-01T00:00:01", "2024-01-31"),
            ("start_date", "its record is another's", "start date", "2024-01-02T00:00:01", "2024-01-01"),
        ]
    ),
    *(
        Case(
            f"its {name} is written in another way",
            film(ACCEPTED, RISEN, saw_next(22.0, "completed", 100.0, **{name: told}), next_payload=NEXT_PAYLOAD),
            "holds",
            RUNS,
            figures={"next_runs_s": 1.5},
        )
        for name, told in [
            ("symbol", "eur/usd"),
            ("result_timeframe", "1H"),
            ("start_date", "2024-01-01 00:00:00+02:00"),
            ("end_date", "2024-02-01"),
            # The first and the last price that there was.
            ("result_start_date", "2024-01-02T09:00:00"),
            ("result_end_date", "2024-01-30T23:00:00+00:00"),
            ("result_start_date", "the second of January"),
            ("start_date", "the first of January"),
            # A day of grace, for time zones and for an end that is exclusive.
            ("result_start_date", "2023-12-31"),
            ("result_end_date", "2024-02-01"),
            ("start_date", "2023-12-31"),
        ]
    ),
    Case(
        "it is another's, but what was asked for is not told in this history",
        film(ACCEPTED, RISEN, saw_next(22.0, "running", 5.0, symbol="GBPUSD"), next_payload="EURUSD"),
        "holds",
        RUNS,
        figures={"next_runs_s": 1.5},
    ),
    Case(
        "what was failed is told first",
        film(ACCEPTED, saw_next(22.0, "failed", symbol="GBPUSD"), next_payload=NEXT_PAYLOAD),
        "violated",
        'it was "failed" 2.00 s after its start: no reason given',
        22.0,
    ),
    Case(
        "it is completed at once, and did nothing",
        film(ACCEPTED, empty(20.5), empty(21.0)),
        "violated",
        'it was "completed" at 0 % without a result: it never ran',
        21.0,
    ),
    Case(
        "its result comes a moment later",
        film(ACCEPTED, empty(20.5), empty(20.75), saw_next(21.0, "completed", 0.0, has_result=True)),
        "holds",
        'it was "completed" at 0.0 % 1.00 s after its start',
        figures={"next_runs_s": 1.0},
    ),
    Case(
        "it is not known yet whether its result comes",
        film(ACCEPTED, empty(20.5), empty(20.75)),
        "unknown",
        UNSEEN + 'last "completed" at 0.0 %, 0.0 s ago (2 readings)',
    ),
    Case(
        "it is completed, and does not tell how far it came",
        film(ACCEPTED, saw_next(20.5, "completed"), saw_next(21.5, "completed")),
        "holds",
        'it was "completed" 0.50 s after its start',
        figures={"next_runs_s": 0.5},
    ),
    Case("no reading yet", film(ACCEPTED, until_s=60.0), "unknown", UNSEEN + "no reading was had"),
    Case("none was accepted", film(saw_next(60.0, "pending")), "unknown", "no new backtest was accepted"),
    Case(
        "others' readings are no matter",
        film(ACCEPTED, saw(60.0, "failed"), saw(60.0, "failed", of=NEXT, view="list"), until_s=60.0),
        "unknown",
        UNSEEN + "no reading was had",
    ),
    Case(
        "lost readings are told",
        film(ACCEPTED, refusals(20.5, 21.75), until_s=22.0),
        "unknown",
        UNSEEN + "no reading was had; 2 lost, the last: nothing listens",
    ),
)
def test_next_runs(case: Case) -> None:
    case.check(next_runs(case.history, NEXT, 30.0), "next runs", "the new backtest really runs within 30.0 s")


def ended_at(*heights: float) -> list[Sample | Event]:
    """The one before it, which rose to these heights and was cancelled then."""
    ran = [saw(15.0 + n, "running", height) for n, height in enumerate(heights)]
    return [*ran, did("cancel_sent", 19.0), saw(19.2, "cancelled", 0.0)]


def saw_it_at(*at: tuple[float, float]) -> list[Sample]:
    return [saw_next(at_s, "running", height) for at_s, height in at]


BEGAN_THERE = "it began at 20.5 %, where the cancelled one had ended (20.0 %)"
FELL = saw_it_at((20.2, 0.0), (20.5, 20.5), (20.75, 20.5), (21.0, 1.0), (21.5, 1.5), (22.0, 2.5))
ROSE = saw_it_at((20.5, 20.5), (21.5, 22.0), (22.75, 24.0))


@cases(
    Case(
        "it falls to where it really is",
        film(ACCEPTED, ended_at(18.0, 19.0, 20.0), FELL, backtest=B),
        "violated",
        f"{BEGAN_THERE}, and fell to 1.0 %",
        22.0,
    ),
    Case(
        "a view that lags may show what was before, for less than a second",
        film(ACCEPTED, ended_at(19.0, 20.0), FELL[:5], saw_it_at((21.99, 2.5), (22.0, 21.0)), backtest=B),
        "holds",
        'it was "running" at 21.0 % 2.00 s after its start',
        figures={"next_runs_s": 2.0},
    ),
    *(
        Case(
            f"it goes on from {claim}",
            film(ACCEPTED, ended_at(*heights), ROSE, backtest=B),
            "violated",
            f"it began at 20.5 %, where the cancelled one had ended ({heights[-1]} %), 0.5 s after its start, "
            "and then rose by 2.0 % at most",
            22.75,
        )
        for claim, heights in {"that very height": (19.5, 20.5), "a step above it": (18.5, 19.5)}.items()
    ),
    Case(
        "it falls for a moment, to come back to where it was",
        film(ACCEPTED, ended_at(19.0, 20.0), FELL[:4], saw_it_at((21.5, 20.5), (22.5, 20.5)), backtest=B),
        "unknown",
        f'{UNSEEN}last "running" at 20.5 %, 0.0 s ago (6 readings)',
    ),
    Case(
        "it falls silent",
        film(ACCEPTED, ended_at(19.0, 20.0), FELL[:3], [saw_next(21.0 + n, "running") for n in range(3)], backtest=B),
        "unknown",
        f'{UNSEEN}last "running", 0.0 s ago (6 readings)',
    ),
    Case(
        "it may just have made as much by then, whatever comes later",
        film(
            ACCEPTED,
            ended_at(23.0, 24.0),
            saw_it_at((20.5, 24.0), (21.5, 34.0), (22.75, 40.0), (32.75, 50.0)),
            backtest=B,
        ),
        "holds",
        'it was "running" at 34.0 % 1.50 s after its start',
        figures={"next_runs_s": 1.5},
    ),
    Case(
        "it goes on from there",
        film(ACCEPTED, ended_at(19.0, 20.0), ROSE, backtest=B),
        "violated",
        f"{BEGAN_THERE}, 0.5 s after its start, and then rose by 2.0 % at most",
        22.75,
    ),
    Case(
        "that it goes on from there is not known before it has risen twice",
        film(ACCEPTED, ended_at(19.0, 20.0), ROSE[:2], backtest=B),
        "holds",
        'it was "running" at 22.0 % 1.50 s after its start',
        figures={"next_runs_s": 1.5},
    ),
    Case(
        "what it does later takes nothing back",
        film(ACCEPTED, ended_at(19.0, 20.0), ROSE, saw_it_at((23.0, 90.0)), backtest=B),
        "violated",
        f"{BEGAN_THERE}, 0.5 s after its start, and then rose by 2.0 % at most",
        22.75,
    ),
    Case(
        "it may have made as much by then: 8.55 a step of 1.25 s, and two more",
        film(ACCEPTED, ended_at(19.0, 20.0), saw_it_at((20.5, 20.5), (21.5, 29.05), (22.75, 37.0)), backtest=B),
        "holds",
        'it was "running" at 29.1 % 1.50 s after its start',
        figures={"next_runs_s": 1.5},
    ),
    Case(
        "it cannot have made as much by then: 8.5 a step of 1.25 s, and two more",
        film(ACCEPTED, ended_at(19.0, 20.0), saw_it_at((20.5, 20.5), (21.5, 29.0), (22.75, 37.0)), backtest=B),
        "violated",
        f"{BEGAN_THERE}, 0.5 s after its start, and then rose by 8.5 % at most",
        22.75,
    ),
    *(
        Case(
            f"it began {claim}",
            film(ACCEPTED, parts, ROSE, backtest=B),
            "holds",
            'it was "running" at 22.0 % 1.50 s after its start',
            figures={"next_runs_s": 1.5},
        )
        for claim, parts in {
            "lower": ended_at(19.5, 20.6),
            "higher than the other may have come since": ended_at(19.9, 20.0),
            "higher than twice as much as the other showed once": ended_at(10.2),
            "with progress, and the other had none": ended_at(0.0, 0.0),
        }.items()
    ),
)
def test_it_does_not_begin_where_the_cancelled_one_ended(case: Case) -> None:
    case.check(next_runs(case.history, NEXT, 30.0), "next runs", "the new backtest really runs within 30.0 s")


END = {"error_message": "Cancelled", "started_at": "2026-11-22T18:52:36.5Z", "completed_at": "2026-11-22T18:52:44Z"}
CANCELLED = (did("cancel_sent", 19.0), saw(19.2, "cancelled", 0.0, **END))


@cases(
    *(
        Case(
            f"it has {words} of the cancelled one",
            film(CANCELLED, ACCEPTED, RISEN[:1], saw_next(20.5, "running", 2.0, **facts), backtest=B),
            "violated",
            seen,
            20.5,
        )
        for words, facts, seen in (
            ("the error", END, 'it is "running" at 2.0 % with the error of the cancelled one: "Cancelled"'),
            (
                "the start",
                {"started_at": "2026-11-22 18:52:36.500000+00:00"},
                "its started_at is the cancelled one's: 2026-11-22 18:52:36.500000+00:00",
            ),
        )
    ),
    *(
        Case(
            f"it has {words}",
            film(CANCELLED, ACCEPTED, RISEN, saw_next(22.0, "running", 5.0, **facts), backtest=B),
            "holds",
            RUNS,
            figures={"next_runs_s": 1.5},
        )
        for words, facts in (
            ("an end in the same second", {"completed_at": "2026-11-22T18:52:44Z"}),
            ("an error of its own", {"error_message": "no news today"}),
            ("a start of its own", {"started_at": "2026-11-22T18:52:46.5Z"}),
            ("no word of them", {"error_message": "", "started_at": None}),
        )
    ),
    Case(
        "it has the end of the cancelled one",
        film(
            did("cancel_sent", 19.0),
            saw(19.2, "cancelled", completed_at="2026-11-22T18:52:44.25Z"),
            ACCEPTED,
            RISEN[:1],
            saw_next(20.5, "completed", 100.0, completed_at="2026-11-22T18:52:44.250000Z"),
            backtest=B,
        ),
        "violated",
        "its completed_at is the cancelled one's: 2026-11-22T18:52:44.250000Z",
        20.5,
    ),
    *(
        Case(
            f"it has ended {when} it was made",
            film(
                did("cancel_sent", 19.0),
                saw(19.2, "cancelled"),
                ACCEPTED,
                RISEN,
                saw_next(
                    21.5, "running", 9.0, created_at="2026-11-22T18:52:44.5Z", completed_at=f"2026-11-22T18:52:{over}Z"
                ),
                backtest=B,
            ),
            verdict,
            seen,
            at_s,
            figures=figures,
        )
        for when, over, verdict, seen, at_s, figures in (
            (
                "before",
                "44.4",
                "violated",
                "by its record it ended at 2026-11-22T18:52:44.4Z, before it was made at 2026-11-22T18:52:44.5Z",
                21.5,
                {},
            ),
            ("when", "44.5", "holds", 'it was "running" at 4.0 % 1.50 s after its start', None, {"next_runs_s": 1.5}),
        )
    ),
    *(
        Case(
            f"it was made {made_s} s before the cancelled one",
            film(
                saw(19.2, "cancelled", created_at="2026-11-22T18:52:36Z"),
                ACCEPTED,
                RISEN,
                saw_next(21.5, "running", 9.0, created_at=f"2026-11-22T18:52:{36 - made_s}Z"),
                backtest=B,
            ),
            verdict,
            seen,
            at_s,
            figures=figures,
        )
        for made_s, verdict, seen, at_s, figures in (
            (
                6,
                "violated",
                "by its record it was made at 2026-11-22T18:52:30Z, before the cancelled one at 2026-11-22T18:52:36Z",
                21.5,
                {},
            ),
            # Two replicas may have two clocks.
            (5, "holds", RUNS, None, {"next_runs_s": 1.5}),
        )
    ),
    Case(
        "it has the error of the cancelled one as soon as that has it",
        film(saw(22.0, "cancelled", **END), ACCEPTED, RISEN, saw_next(22.0, "running", 5.0, **END), backtest=B),
        "violated",
        'it is "running" at 5.0 % with the error of the cancelled one: "Cancelled"',
        22.0,
    ),
    Case(
        "what it says before the other has ended is no copy of it",
        film(saw(30.0, "cancelled", **END), ACCEPTED, RISEN, saw_next(22.0, "running", 5.0, **END), backtest=B),
        "holds",
        RUNS,
        figures={"next_runs_s": 1.5},
    ),
    Case(
        "it is completed with a result of no bar",
        film(
            ACCEPTED,
            *(saw_next(at, "completed", 100.0, has_result=True, result_empty=True) for at in (20.5, 21.0)),
            backtest=B,
        ),
        "violated",
        'it was "completed" with a result of no bar: it never ran',
        21.0,
    ),
    Case(
        "it is completed with a result of no bar, so far",
        film(ACCEPTED, saw_next(20.5, "completed", 100.0, has_result=True, result_empty=True), backtest=B),
        "unknown",
        f'{UNSEEN}last "completed" at 100.0 %, 0.0 s ago (1 reading)',
    ),
)
def test_it_has_nothing_of_the_cancelled_one(case: Case) -> None:
    case.check(next_runs(case.history, NEXT, 30.0), "next runs", "the new backtest really runs within 30.0 s")


NEXT_ASKED_FOR = {
    "symbol": "EURUSD",
    "timeframe": "1d",
    "strategy_name": "neuro_mean_reversion",
    "start_date": "2024-01-01",
    "end_date": "2024-12-31",
}


@pytest.mark.parametrize(
    ("words", "verdict", "changed"),
    [
        ("made in the same moment", "unknown", {"created_at": "2026-11-22T18:52:40.5Z"}),
        ("made later", "holds", {"created_at": "2026-11-22T18:52:40.6Z"}),
        ("made at a time that is not told", "holds", {"created_at": None}),
        ("over another period", "holds", {"end_date": "2024-01-31"}),
        ("whose period is not told", "holds", {"end_date": None}),
        ("which belongs to one of this run's", "holds", {"parent": B}),
        ("which is this run's own", "holds", {"of": B}),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_another_that_is_the_same_and_was_made_with_it_may_be_of_the_same_start(
    words: str, verdict: str, changed: dict[str, Any]
) -> None:
    made = {"created_at": "2026-11-22T18:52:40Z"}
    told = {**NEXT_ASKED_FOR, **made, "strategy": NEXT_ASKED_FOR["strategy_name"], "of": OTHER, **changed}
    history = film(
        did("start_sent", 1.0, B),
        did("next_accepted", 20.0, NEXT),
        [saw(20.5 + n, "running", 2.0 * n, of=NEXT, **made) for n in range(4)],
        saw(23.0, "running", 3.0, view="other", **told),
        next_payload=NEXT_ASKED_FOR,
    )
    judged = next_runs(history, NEXT, 30.0)
    assert judged.verdict == verdict, judged.seen
    if judged.unknown:
        assert judged.seen == f"one start may have begun two: {OTHER} is the same, made in that moment"
        assert judged.heard, "a run in which it is not known in the end is inconclusive"
