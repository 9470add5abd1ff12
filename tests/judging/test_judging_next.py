"""The next backtest: accepted at once under a new id, and really running."""

from __future__ import annotations

from typing import Any

from ktrdr_qa.history import Sample
from ktrdr_qa.judgements import next_is_accepted, next_runs
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
        "accepted, and the tenth refused",
        film(ASKED, did("next_accepted", 11.1, NEXT), did("next_refused", 13.0, "", words="HTTP 503")),
        "violated",
        "HTTP 503",
        13.0,
    ),
)
def test_next_is_accepted(case: Case) -> None:
    case.check(next_is_accepted(case.history, B), "next accepted", "a new backtest is accepted at once")


ACCEPTED = did("next_accepted", 20.0, NEXT)


def saw_next(at_s: float, status: str, percentage: float | None = None, took_s: float = 0.0, **facts: Any) -> Sample:
    return saw(at_s, status, percentage, of=NEXT, took_s=took_s, **facts)


def refusals(*at_s: float) -> list[Sample]:
    return [lost(at, "nothing listens", of=NEXT, refused=True) for at in at_s]


GONE = "KTRDR itself is gone: it refuses connections since the new backtest was started"


@cases(
    Case(
        "running above 0 %",
        film(ACCEPTED, saw_next(20.2, "running", 0.0), saw_next(20.5, "running", 2.0, took_s=0.25)),
        "holds",
        'it was "running" at 2.0 % 0.75 s after its start',
        figures={"next_runs_s": 0.75},
    ),
    Case(
        "completed already",
        film(ACCEPTED, saw_next(20.5, "completed", 100.0)),
        "holds",
        'it was "completed" at 100.0 % 0.50 s after its start',
        figures={"next_runs_s": 0.5},
    ),
    Case(
        "what comes after it ran is no matter here",
        film(ACCEPTED, saw_next(20.5, "running", 1.0), saw_next(21.0, "failed"), refusals(22, 23, 24)),
        "holds",
        'it was "running" at 1.0 % 0.50 s after its start',
        figures={"next_runs_s": 0.5},
    ),
    Case(
        "failed at once",
        film(ACCEPTED, saw_next(20.5, "failed", error_message="Insufficient data"), saw_next(21.0, "running", 5.0)),
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
        "a percentage without running is none",
        film(ACCEPTED, saw_next(21.0, "pending", 5.0), until_s=22.0),
        "unknown",
        'last "pending" at 5.0 %, 1.0 s ago (1 reading)',
    ),
    Case(
        "running without a percentage is not known to run yet",
        film(ACCEPTED, saw_next(21.0, "running"), until_s=22.0),
        "unknown",
        'last "running", 1.0 s ago (1 reading)',
    ),
    Case(
        "late stays late",
        film(ACCEPTED, saw_next(50.5, "pending"), saw_next(50.7, "running", 1.0)),
        "violated",
        'it was "pending" after 30.5 s (1 reading)',
        50.5,
    ),
    Case(
        "first seen running after the limit, and after a gap, is unknown",
        film(ACCEPTED, saw_next(49.0, "pending"), saw_next(50.25, "running", 1.0)),
        "unknown",
        "no reading between 29.0 s and 30.2 s after its start",
    ),
    Case(
        "first seen running after the limit, without a gap, holds",
        film(ACCEPTED, saw_next(49.5, "pending"), saw_next(50.25, "running", 1.0)),
        "holds",
        'it was "running" at 1.0 % 30.25 s after its start',
        figures={"next_runs_s": 30.25},
    ),
    Case("no reading yet", film(ACCEPTED, until_s=60.0), "unknown", "no reading was had"),
    Case("none was accepted", film(saw_next(60.0, "pending")), "unknown", "no new backtest was accepted"),
    Case(
        "others' readings are no matter",
        film(ACCEPTED, saw(60.0, "failed"), saw(60.0, "failed", of=NEXT, view="list"), until_s=60.0),
        "unknown",
        "no reading was had",
    ),
    Case(
        "three refused connections in a row, over a second",
        film(ACCEPTED, saw_next(20.1, "pending"), refusals(20.5, 21.0, 21.5)),
        "violated",
        GONE,
        20.5,
    ),
    Case(
        "KTRDR is back after that, which does not mend it",
        film(ACCEPTED, refusals(20.5, 21.0, 21.5), saw_next(22.0, "running", 5.0)),
        "violated",
        GONE,
        20.5,
    ),
    Case(
        "two refused connections are not enough",
        film(ACCEPTED, refusals(20.5, 21.75), until_s=22.0),
        "unknown",
        "no reading was had; 2 lost, the last: nothing listens",
    ),
    Case(
        "three within less than a second are not enough",
        film(ACCEPTED, refusals(20.5, 21.0, 21.25), until_s=22.0),
        "unknown",
        "no reading was had; 3 lost, the last: nothing listens",
    ),
    Case(
        "three that an answer parts are not in a row",
        film(ACCEPTED, refusals(20.5, 21.0), saw_next(21.25, "pending"), refusals(21.5, 22.0), until_s=22.0),
        "unknown",
        'last "pending", 0.8 s ago (1 reading); 4 lost, the last: nothing listens',
    ),
    Case(
        "three that another trouble parts are not in a row",
        film(ACCEPTED, refusals(20.5, 21.0), lost(21.25, of=NEXT), refusals(21.5, 22.0), until_s=22.0),
        "unknown",
        "no reading was had; 5 lost, the last: nothing listens",
    ),
)
def test_next_runs(case: Case) -> None:
    case.check(next_runs(case.history, NEXT, 30.0), "next runs", "the new backtest really runs within 30.0 s")
