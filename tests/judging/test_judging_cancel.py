"""The cancel: was it acknowledged, and was the backtest cancelled in time."""

from __future__ import annotations

from typing import Any

import pytest

from ktrdr_qa.judge.cancelling import is_acknowledged, is_cancelled, what_became_of_it
from ktrdr_qa.judge.others import only_this_one
from ktrdr_qa.record.history import Event, History, Sample
from tests.judging.film import (
    NEXT,
    OTHER,
    B,
    Case,
    Part,
    cancelled,
    cases,
    did,
    film,
    lost,
    nearing_its_end,
    saw,
    started,
)

SENT = did("cancel_sent", 10.0)
REPEATED = "The answer to the first cancel was lost (reset); it was repeated once."


def answered(http: int = 200, **facts: Any) -> Event:
    return did("cancel_answered", 10.25, http=http, took_s=0.25, **facts)


def after_a_loss(**facts: Any) -> History:
    return film(SENT, did("cancel_lost", 10.1, problem="reset"), did("cancel_answered", 10.5, took_s=0.2, **facts))


def a_wait(for_s: float, *meanwhile: Sample) -> History:
    """A cancel that waits in vain, what is read meanwhile, and a repeat that is acknowledged."""
    waited = did("cancel_lost", 10.0 + for_s, problem="reset", took_s=for_s)
    return film(SENT, waited, did("cancel_answered", 15.5, took_s=0.2, http=200, success=True), *meanwhile)


@cases(
    Case(
        "acknowledged in today's form",
        film(cancelled(took_s=0.25)),
        "holds",
        "acknowledged with HTTP 200 after 0.25 s",
        figures={"acknowledged_s": 0.25},
    ),
    Case(
        "acknowledged in an older form, with a status only",
        film(SENT, answered(status="cancelled")),
        "holds",
        "acknowledged with HTTP 200 after 0.25 s",
        figures={"acknowledged_s": 0.25},
    ),
    Case(
        "acknowledged in an older form, with success only",
        film(SENT, answered(success=True)),
        "holds",
        "acknowledged with HTTP 200 after 0.25 s",
        figures={"acknowledged_s": 0.25},
    ),
    Case(
        "acknowledged, and running still by its own words",
        film(SENT, answered(success=True, status="running")),
        "holds",
        "acknowledged with HTTP 200 after 0.25 s",
        observations=('By the answer to the cancel the backtest was "running" still.',),
        figures={"acknowledged_s": 0.25},
    ),
    Case("no answer yet", film(SENT), "unknown", "no answer to the cancel yet"),
    Case(
        "the answer to another's cancel is none to this one",
        film(cancelled(of=OTHER), did("cancel_lost", 10.0, OTHER), did("cancel_lost", 10.1, OTHER)),
        "unknown",
        "no answer to the cancel yet",
    ),
    Case(
        "an answer that took exactly the limit",
        film(cancelled(took_s=5.0)),
        "holds",
        "acknowledged with HTTP 200 after 5.00 s",
        figures={"acknowledged_s": 5.0},
    ),
    Case(
        "an answer that took a hair longer than the limit",
        film(cancelled(took_s=5.01)),
        "violated",
        "the answer took 5.01 s",
        15.01,
    ),
    Case(
        "HTTP 202",
        film(SENT, answered(202, success=True, status="cancelling")),
        "violated",
        "it was answered HTTP 202 after 0.25 s",
        10.25,
    ),
    Case(
        "HTTP 500 in KTRDR's own words",
        film(SENT, answered(500, words="HTTP 500: Internal Server Error")),
        "violated",
        "it was answered HTTP 500: Internal Server Error after 0.25 s",
        10.25,
    ),
    Case(
        "an empty body",
        film(SENT, answered(problem="an empty body")),
        "violated",
        "HTTP 200 with an empty body",
        10.25,
    ),
    Case(
        "success: false, with a reason",
        film(SENT, answered(success=False, words="no such task")),
        "violated",
        'HTTP 200, but "success": false (no such task)',
        10.25,
    ),
    Case(
        "success: false, without a reason",
        film(SENT, answered(success=False, status="cancelled")),
        "violated",
        'HTTP 200, but "success": false (no reason given)',
        10.25,
    ),
    Case(
        "another backtest's id",
        film(cancelled(operation_id=OTHER)),
        "violated",
        "HTTP 200, but it names another backtest: op_9",
        10.1,
    ),
    Case(
        "neither success nor status",
        film(SENT, answered(operation_id=B)),
        "violated",
        "HTTP 200, but the answer does not say that anything was cancelled",
        10.25,
    ),
    Case(
        "it says that the backtest is completed",
        film(cancelled(status="completed")),
        "violated",
        'HTTP 200, but by its own words the backtest is "completed"',
        10.1,
    ),
    Case(
        "the worker was not told",
        film(cancelled(remote_cancelled=False)),
        "violated",
        'HTTP 200 with "remote_cancelled": false: the backend calls it cancelled, but its worker was not told',
        10.1,
    ),
    Case(
        "lost once and not repeated yet",
        film(SENT, did("cancel_lost", 10.1, problem="reset")),
        "unknown",
        "no answer to the cancel yet",
    ),
    Case(
        "lost twice",
        film(SENT, did("cancel_lost", 10.1, problem="reset"), did("cancel_lost", 15.2, problem="no answer in 5.0 s")),
        "violated",
        "two requests in a row got no answer: no answer in 5.0 s",
        15.2,
    ),
    Case(
        "lost more often than twice, the last time is told",
        film(SENT, [did("cancel_lost", 10.0 + n, problem=f"problem {n}") for n in range(1, 4)]),
        "violated",
        "two requests in a row got no answer: problem 3",
        13.0,
    ),
    Case(
        "lost twice without a reason",
        film(SENT, did("cancel_lost", 10.1), did("cancel_lost", 15.2)),
        "violated",
        "two requests in a row got no answer: ",
        15.2,
    ),
    Case(
        "lost once, and the repeat is acknowledged",
        after_a_loss(http=200, success=True),
        "holds",
        "acknowledged with HTTP 200 after 0.20 s",
        observations=(REPEATED,),
        figures={"acknowledged_s": 0.2},
    ),
    Case(
        "lost once, and the repeat says that it is cancelled",
        after_a_loss(
            http=400, words="HTTP 400: Operation op_1 cannot be cancelled (status: OperationStatus.CANCELLED)"
        ),
        "unknown",
        "its answer was lost (reset), and the repeat says that it is cancelled already",
        observations=(REPEATED,),
    ),
    Case(
        "lost once, and the repeat says that a cancel is under way",
        after_a_loss(http=400, words="HTTP 400: Failed to cancel operation op_1: a cancel is under way"),
        "unknown",
        "its answer was lost (reset), and the repeat says that it is being cancelled",
        observations=(REPEATED,),
    ),
    Case(
        "lost once, and the repeat says that it is being cancelled",
        after_a_loss(http=409, words="HTTP 409: op_1 is already being cancelled"),
        "unknown",
        "its answer was lost (reset), and the repeat says that it is being cancelled",
        observations=(REPEATED,),
    ),
    Case(
        "lost once, and the repeat fails to cancel",
        after_a_loss(http=400, words="HTTP 400: Failed to cancel operation op_1: cancel it again later"),
        "violated",
        "it was answered HTTP 400: Failed to cancel operation op_1: cancel it again later after 0.20 s",
        10.5,
    ),
    Case(
        "it hung while the backtest's record was read all along, and its repeat was acknowledged",
        a_wait(5.0, saw(10.0, "running"), *(saw(11.0 + n, "running", took_s=1.0) for n in range(4))),
        "violated",
        "it got no answer in 5.0 s, while 5 readings of the backtest were answered",
        15.0,
    ),
    Case(
        "it hung, and so did the readings: a network's doing as well",
        a_wait(
            5.0,
            saw(9.9, "running"),
            *(saw(11.0 + n, "running") for n in range(4)),
            lost(11.5),
            saw(12.0, "running", of=OTHER),
            saw(14.9, "running", took_s=0.2),
        ),
        "holds",
        "acknowledged with HTTP 200 after 0.20 s",
        observations=(REPEATED,),
        figures={"acknowledged_s": 0.2},
    ),
    Case(
        "it was lost before the limit, whatever was read meanwhile",
        a_wait(4.9, *(saw(10.5 + n / 2, "running") for n in range(8))),
        "holds",
        "acknowledged with HTTP 200 after 0.20 s",
        observations=(REPEATED,),
        figures={"acknowledged_s": 0.2},
    ),
    Case(
        "lost once, and the repeat says that it was completed",
        after_a_loss(
            http=400, words="HTTP 400: Operation op_1 cannot be cancelled (status: OperationStatus.COMPLETED)"
        ),
        "violated",
        "it was answered HTTP 400: Operation op_1 cannot be cancelled (status: OperationStatus.COMPLETED) after 0.20 s",
        10.5,
    ),
    Case(
        "lost once, and the repeat says that it was not cancelled",
        after_a_loss(http=400, words="HTTP 400: not cancelled"),
        "violated",
        "it was answered HTTP 400: not cancelled after 0.20 s",
        10.5,
    ),
    Case(
        "lost once, and the repeat is refused without a word",
        after_a_loss(http=400),
        "violated",
        "it was answered HTTP 400 after 0.20 s",
        10.5,
    ),
    Case(
        "lost once, and the repeat fails although its words say cancelled",
        after_a_loss(http=500, words="HTTP 500: already cancelled"),
        "violated",
        "it was answered HTTP 500: already cancelled after 0.20 s",
        10.5,
    ),
    Case(
        "not lost, but refused as cancelled already",
        film(SENT, answered(400, words="HTTP 400: already cancelled")),
        "violated",
        "it was answered HTTP 400: already cancelled after 0.25 s",
        10.25,
    ),
    Case(
        "turned away for a limit of requests, which is never KTRDR's defect",
        film(SENT, answered(429, words="HTTP 429: Too many requests")),
        "unknown",
        "it was turned away: HTTP 429: Too many requests",
    ),
    Case(
        "lost once, and the repeat turned away",
        after_a_loss(http=429, words="HTTP 429: Too many requests"),
        "unknown",
        "it was turned away: HTTP 429: Too many requests",
        observations=(REPEATED,),
    ),
    Case(
        "the last of two answers counts",
        film(SENT, answered(500), did("cancel_answered", 11.0, http=200, success=True)),
        "holds",
        "acknowledged with HTTP 200 after 0.00 s",
        figures={"acknowledged_s": 0.0},
    ),
)
def test_is_acknowledged(case: Case) -> None:
    case.check(
        is_acknowledged(case.history, B, 5.0),
        "acknowledged",
        "the cancel is acknowledged with HTTP 200 within 5.0 s",
    )


RAN = saw(9.8, "running", 4.0)
CANCEL = cancelled(10.0, 0.5)
"""Sent at 10.0, answered at 10.5: the limit of 2 s ends at 12.5."""


@cases(
    Case(
        "cancelled at the first reading",
        film(CANCEL, RAN, saw(10.25, "cancelled", 0.0, took_s=0.25)),
        "holds",
        "cancelled 0.50 s after the cancel",
        figures={"cancelled_s": 0.5},
    ),
    Case(
        "asked exactly at the limit is not late",
        film(CANCEL, RAN, saw(12.5, "running", 5.0, took_s=0.2), saw(12.7, "cancelled", 0.0)),
        "holds",
        "cancelled 2.70 s after the cancel",
        figures={"cancelled_s": 2.7},
    ),
    Case(
        "asked before the limit and answered after it is not late",
        film(CANCEL, RAN, saw(12.4, "running", 5.0, took_s=3.0), until_s=15.4),
        "unknown",
        'last "running" at 5.0 %, 0.0 s ago (2 readings)',
    ),
    Case(
        "asked a hair after the limit and still running is late",
        film(CANCEL, RAN, saw(12.51, "running", 5.0)),
        "violated",
        'it was still "running" at 5.0 % 2.0 s after the cancel was answered (1 reading)',
        12.51,
    ),
    Case(
        "what is late stays late when it is cancelled at last, and the last late reading is told",
        film(CANCEL, RAN, saw(12.6, "running", 5.0), saw(13.6, "running", 6.0), saw(14.0, "cancelled", 0.0)),
        "violated",
        'it was still "running" at 6.0 % 3.1 s after the cancel was answered (3 readings)',
        12.6,
    ),
    Case(
        "cancelling for ever",
        film(CANCEL, RAN, [saw(10.6 + n, "cancelling", 5.0) for n in range(20)]),
        "violated",
        'it was still "cancelling" at 5.0 % 19.1 s after the cancel was answered (20 readings)',
        12.6,
    ),
    Case(
        "running again after it was cancelled is no matter here",
        film(CANCEL, RAN, saw(10.6, "cancelled", 0.0), saw(20.0, "running", 50.0)),
        "holds",
        "cancelled 0.60 s after the cancel",
        figures={"cancelled_s": 0.6},
    ),
    Case(
        "a backtest that is completed ran on, where its own pace left clearly more than the limit",
        film(CANCEL, nearing_its_end(3.5), saw(10.6, "completed", 100.0)),
        "violated",
        "it was completed 0.60 s after the cancel: it ran on to its end, although it was sent at 55.0 %, "
        "when about 3.5 s were left at its own pace",
        10.6,
    ),
    Case(
        "a backtest that was about to end, and crossed the cancel",
        film(CANCEL, nearing_its_end(3.4), saw(10.6, "completed", 100.0)),
        "unknown",
        "it was completed 0.60 s after the cancel, too close to its own end to tell: "
        "it was sent at 56.0 %, when about 3.4 s were left at its own pace",
        final=True,
    ),
    Case(
        "a backtest that ended while KTRDR still had time to answer, and then to cancel it",
        film(cancelled(10.0, 4.0), nearing_its_end(3.5), saw(13.6, "completed", 100.0)),
        "unknown",
        "it was completed 3.60 s after the cancel, too close to its own end to tell: "
        "it was sent at 55.0 %, when about 3.5 s were left at its own pace",
        final=True,
    ),
    Case(
        "a backtest that was about to end and did so only after the limit",
        film(CANCEL, nearing_its_end(2.5), saw(12.51, "running", 90.0), saw(12.6, "completed", 100.0)),
        "violated",
        'it was still "running" at 90.0 % 2.0 s after the cancel was answered (2 readings)',
        12.51,
    ),
    Case(
        "completed, and nobody knows its pace",
        film(CANCEL, RAN, saw(10.6, "completed", 100.0)),
        "unknown",
        "it was completed 0.60 s after the cancel, too close to its own end to tell: "
        "its pace was not seen before the cancel",
        final=True,
    ),
    Case(
        "completed, and nobody knows when",
        film(CANCEL, RAN, saw(20.6, "completed", 100.0)),
        "unknown",
        "it was completed 10.60 s after the cancel, too close to its own end to tell: "
        "its pace was not seen before the cancel",
        final=True,
    ),
    Case(
        "its record is gone, exactly at the limit",
        film(CANCEL, RAN, saw(12.5, "missing", took_s=0.1)),
        "unknown",
        'last "missing", 0.0 s ago (2 readings)',
    ),
    Case(
        "its record is gone, a hair after the limit",
        film(CANCEL, RAN, saw(10.6, "missing"), saw(12.51, "missing", took_s=0.1)),
        "violated",
        "its record is gone (HTTP 404) 2.0 s after the cancel was answered (2 readings)",
        12.51,
    ),
    Case(
        "its record is gone before it turns up as cancelled in time",
        film(CANCEL, RAN, saw(10.6, "missing"), saw(10.8, "cancelled")),
        "holds",
        "cancelled 0.80 s after the cancel",
        figures={"cancelled_s": 0.8},
    ),
    Case(
        "its record is gone only afterwards, which is another judgement's matter",
        film(CANCEL, RAN, saw(10.6, "cancelled"), saw(10.8, "missing")),
        "holds",
        "cancelled 0.60 s after the cancel",
        figures={"cancelled_s": 0.6},
    ),
    Case(
        "no reading around the limit, then cancelled: nobody knows when",
        film(CANCEL, RAN, saw(12.0, "running", 5.0), saw(13.1, "cancelled", 0.0)),
        "unknown",
        "no reading between 1.5 s and 2.6 s after the answer to the cancel, when it had ended",
    ),
    Case(
        "no reading at all until long after the limit",
        film(CANCEL, RAN, saw(20.0, "cancelled", 0.0)),
        "unknown",
        "no reading between 0.0 s and 9.5 s after the answer to the cancel, when it had ended",
    ),
    Case(
        "a gap of just a second around the limit is small enough",
        film(CANCEL, RAN, saw(12.0, "running", 5.0), saw(13.0, "cancelled", 0.0)),
        "holds",
        "cancelled 3.00 s after the cancel",
        figures={"cancelled_s": 3.0},
    ),
    Case(
        "failed because of the cancel is reported as an observation",
        film(CANCEL, RAN, saw(10.6, "failed", error_message="stopped by user")),
        "holds",
        'ended as "failed" 0.60 s after the cancel',
        observations=('The backtest ended as "failed" instead of "cancelled", because of the cancel: stopped by user',),
        figures={"cancelled_s": 0.6},
    ),
    Case(
        "failed because of the cancel, without a reason",
        film(CANCEL, RAN, saw(10.6, "failed")),
        "holds",
        'ended as "failed" 0.60 s after the cancel',
        observations=('The backtest ended as "failed" instead of "cancelled", because of the cancel: no reason given',),
        figures={"cancelled_s": 0.6},
    ),
    Case(
        "failed without having run above 0 %",
        film(CANCEL, saw(9.8, "running", 0.0), saw(10.6, "failed", error_message="no such model")),
        "violated",
        'it is "failed" (no such model), and it was running, but still at 0.0 %: nothing shows that the cancel ended it',
        10.6,
    ),
    Case(
        "failed, and nothing was read before the cancel",
        film(CANCEL, saw(10.6, "failed", error_message="no such model")),
        "unknown",
        'it is "failed" (no such model), and no reading was had before the cancel: '
        "nothing shows that the cancel ended it",
        10.6,
    ),
    Case(
        "failed before the cancel proves nothing",
        film(CANCEL, saw(9.8, "failed"), saw(10.6, "failed")),
        "unknown",
        'it was "failed" before the cancel was sent',
    ),
    Case(
        "completed before the cancel proves nothing",
        film(CANCEL, saw(9.8, "completed", 100.0), saw(10.6, "completed", 100.0)),
        "unknown",
        'it was "completed" at 100.0 % before the cancel was sent',
    ),
    Case(
        "KTRDR says that it had ended when the cancel reached it",
        film(SENT, RAN, did("cancel_too_late", 10.1), saw(10.6, "completed", 100.0)),
        "unknown",
        "it had ended by itself when the cancel reached it",
    ),
    Case("no cancel was sent", film(RAN, saw(20.0, "cancelled")), "unknown", "no cancel was sent"),
    Case(
        "it is another's record that says so",
        film(CANCEL, RAN, saw(10.6, "cancelled", record_of=OTHER)),
        "violated",
        "KTRDR answers with the record of another: op_9",
        10.6,
    ),
    Case(
        "the limit runs from the answer of the repeat, where the first was lost",
        film(
            SENT,
            RAN,
            did("cancel_lost", 11.0),
            did("cancel_answered", 14.0),
            saw(15.9, "running", 9.0),
            saw(16.2, "cancelled", 0.0),
        ),
        "holds",
        "cancelled 6.20 s after the cancel",
        figures={"cancelled_s": 6.2},
    ),
    Case(
        "the limit runs from the last loss, where every answer was lost",
        film(SENT, RAN, did("cancel_lost", 11.0), did("cancel_lost", 14.0), saw(16.5, "running", 9.0)),
        "violated",
        'it was still "running" at 9.0 % 2.5 s after the cancel was answered (1 reading)',
        16.5,
    ),
    Case(
        "nor does one run from a loss while the repeat is under way",
        film(SENT, RAN, did("cancel_lost", 11.0), did("cancel_sent", 11.1), saw(14.0, "running", 9.0)),
        "unknown",
        "the cancel has no answer yet",
    ),
    Case(
        "it runs from the loss of the repeat, in the moment in which that was sent as well",
        film(
            SENT, RAN, did("cancel_lost", 11.0), did("cancel_sent", 11.5), did("cancel_lost", 11.5), saw(14, "x", 9.0)
        ),
        "violated",
        'it was still "x" at 9.0 % 2.5 s after the cancel was answered (1 reading)',
        14.0,
    ),
    Case(
        "while the cancel has no answer, no limit runs",
        film(SENT, RAN, saw(12.1, "running", 5.0)),
        "unknown",
        "the cancel has no answer yet",
    ),
    Case(
        "a reading answered when the cancel was sent is none from after it",
        film(CANCEL, saw(9.9, "running", 4.0, took_s=0.1), until_s=11.0),
        "unknown",
        'last "running" at 4.0 %, 1.0 s ago (1 reading)',
    ),
    Case(
        "nor is it counted where it was late",
        film(CANCEL, saw(9.9, "running", 4.0, took_s=0.1), saw(12.6, "running", 5.0)),
        "violated",
        'it was still "running" at 5.0 % 2.1 s after the cancel was answered (1 reading)',
        12.6,
    ),
    Case(
        "lost readings are told",
        film(CANCEL, RAN, lost(10.6, "reset"), until_s=11.8),
        "unknown",
        'last "running" at 4.0 %, 2.0 s ago (1 reading); 1 lost, the last: reset',
    ),
)
def test_is_cancelled(case: Case) -> None:
    case.check(
        is_cancelled(case.history, B, 2.0),
        "cancelled",
        "the backtest is reported as cancelled within 2.0 s of the cancel",
    )


def ended(second: str | None) -> dict[str, Any]:
    return {"completed_at": f"2026-11-22T18:52:{second}Z"} if second else {}


def other(at_s: float, second: str | None, of: str = OTHER, **facts: Any) -> Sample:
    """Another's record, cancelled at a second of KTRDR's own clock."""
    return saw(at_s, "cancelled", view="other", of=of, **ended(second), **facts)


def over(at_s: float, status: str, percentage: float | None = None) -> Sample:
    return saw(at_s, status, percentage, view="list", of=OTHER)


def mine_ended(second: str | None) -> Sample:
    return saw(11.0, "cancelled", **ended(second))


def failed(at_s: float, second: str, **more: Any) -> Sample:
    return saw(at_s, "failed", **ended(second), **more)


WITH_IT = "another backtest was cancelled with it, at the same moment by KTRDR's own times: op_9"
ROSE = saw(9.5, "running", 3.0, view="list", of=OTHER)
LISTED = (saw(9.5, "running", view="list", of=OTHER), saw(10.6, "cancelled", view="list", of=OTHER))


@cases(
    Case(
        "nobody else was active",
        film(CANCEL, RAN),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "another one runs on",
        film(CANCEL, RAN, LISTED[0], saw(10.6, "running", view="list", of=OTHER)),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "the cancelled one itself is not another one",
        film(CANCEL, RAN, saw(9.5, "running", view="list"), saw(10.6, "cancelled", view="list"), saw(12.6, "running")),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "another one had ended before the cancel",
        film(CANCEL, RAN, saw(9.0, "running", view="list", of=OTHER), saw(9.5, "cancelled", view="list", of=OTHER)),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "another one was not known before the cancel",
        film(CANCEL, RAN, LISTED[1]),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "a reading of the list that was under way tells of neither side",
        film(CANCEL, RAN, LISTED[0], saw(9.9, "cancelled", view="list", of=OTHER, took_s=0.2)),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "the edges of the cancel count on both sides",
        film(
            CANCEL,
            RAN,
            saw(9.9, "running", view="list", of=OTHER, took_s=0.1),
            saw(10.0, "cancelled", view="list", of=OTHER, took_s=0.1),
            saw(12.6, "running", 5.0),
        ),
        "violated",
        "another backtest was cancelled meanwhile: op_9, and this one was not",
        10.0,
    ),
    Case(
        "another one was cancelled and this one was not",
        film(CANCEL, RAN, LISTED, saw(12.51, "running", 5.0)),
        "violated",
        "another backtest was cancelled meanwhile: op_9, and this one was not",
        10.0,
    ),
    Case(
        "two others, in the order of their names",
        film(
            CANCEL,
            RAN,
            LISTED,
            [saw(9.5, "running", view="list", of="op_3"), saw(11.0, "cancelled", view="list", of="op_3")],
            saw(12.51, "running", 5.0),
        ),
        "violated",
        "another backtest was cancelled meanwhile: op_3, op_9, and this one was not",
        10.0,
    ),
    Case(
        "another one was cancelled, and this one ends too late",
        film(CANCEL, RAN, LISTED, saw(12.51, "running", 5.0), saw(12.7, "cancelled")),
        "violated",
        "another backtest was cancelled meanwhile: op_9, and this one was not",
        10.0,
    ),
    Case(
        "another one was cancelled, and this one was completed",
        film(CANCEL, nearing_its_end(3.5), LISTED, saw(11.0, "completed", 100.0)),
        "violated",
        "another backtest was cancelled meanwhile: op_9, and this one ran on to its end",
        10.0,
    ),
    Case(
        "another one was cancelled as well, perhaps by its owner",
        film(CANCEL, RAN, LISTED, saw(11.0, "cancelled")),
        "holds",
        "this backtest was cancelled",
        observations=("Another backtest was cancelled meanwhile: op_9.",),
    ),
    Case(
        "another one was cancelled, and this one was completed as it was about to",
        film(CANCEL, nearing_its_end(3.25), LISTED, saw(11.0, "completed", 100.0)),
        "unknown",
        "another backtest was cancelled meanwhile: op_9; "
        "it was completed 1.00 s after the cancel, too close to its own end to tell: "
        "it was sent at 57.5 %, when about 3.2 s were left at its own pace",
        final=True,
    ),
    Case(
        "another one was cancelled, and this one was completed; its pace was not seen",
        film(CANCEL, RAN, LISTED, saw(11.0, "completed", 100.0)),
        "unknown",
        "another backtest was cancelled meanwhile: op_9; "
        "it was completed 1.00 s after the cancel, too close to its own end to tell: "
        "its pace was not seen before the cancel",
        final=True,
    ),
    Case(
        "another one was cancelled with it, half a second apart by KTRDR's own times",
        film(CANCEL, RAN, LISTED, other(12.0, "42.5"), mine_ended("43.0")),
        "violated",
        WITH_IT,
        10.0,
    ),
    Case(
        "another one was cancelled with it, where others are cancelled all the time",
        film(
            CANCEL,
            RAN,
            LISTED,
            [saw(at_s, status, view="list", of="op_3") for at_s, status in ((8.0, "running"), (10.0, "cancelled"))],
            saw(9.5, "running", view="list", of="op_4"),
            other(12.0, "42.5"),
            other(12.0, "42.5", "op_4"),
            mine_ended("43.0"),
        ),
        "unknown",
        "another backtest was cancelled within half a second of it (op_4, op_9), "
        "and others are cancelled here all the time: op_3",
        final=True,
        heard=True,
    ),
    Case(
        "another one was cancelled with it, where others had been cancelled long before, or not by then",
        film(
            CANCEL,
            RAN,
            LISTED,
            saw(9.5, "cancelled", view="list", of="op_3"),
            [saw(at_s, status, view="list", of="op_4") for at_s, status in ((8.0, "running"), (9.5, "completed"))],
            [saw(at_s, status, view="list", of="op_5") for at_s, status in ((8.0, "running"), (12.5, "cancelled"))],
            other(12.0, "42.5"),
            mine_ended("43.0"),
        ),
        "violated",
        WITH_IT,
        10.0,
    ),
    Case(
        "another one was called failed with it, as it was itself",
        film(CANCEL, RAN, LISTED[0], failed(12.0, "42.5", of=OTHER, view="other"), failed(11.0, "43.0")),
        "violated",
        WITH_IT,
        10.0,
    ),
    Case(
        "another one was cancelled with it, and it was called failed itself",
        film(CANCEL, RAN, LISTED, other(12.0, "42.5"), failed(11.0, "43.0")),
        "violated",
        WITH_IT,
        10.0,
    ),
    Case(
        "another one failed at that time, and it was cancelled",
        film(CANCEL, RAN, LISTED[0], failed(12.0, "42.5", of=OTHER, view="other"), mine_ended("43.0")),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "another one that had made progress failed at that time",
        film(
            CANCEL,
            RAN,
            ROSE,
            failed(12.0, "42.5", of=OTHER, view="other"),
            mine_ended("43.0"),
        ),
        "violated",
        "another backtest failed with it, at the same moment by KTRDR's own times: op_9 (no reason given)",
        12.0,
    ),
    *(
        Case(
            f"another one that had made progress failed at that time, as the {view} view says",
            film(
                CANCEL,
                RAN,
                saw(10.0, "running", 3.0, view=view, of="op_3"),
                failed(12.0, "42.5", of="op_3", view=view, error_message="Worker pool was reset"),
                mine_ended("43.0"),
            ),
            "violated",
            "another backtest failed with it, at the same moment by KTRDR's own times: op_3 (Worker pool was reset)",
            12.0,
        )
        for view in ("list", "other")
    ),
    *(
        Case(
            f"another one that failed {claim} is nobody's doing",
            film(CANCEL, RAN, parts),
            "holds",
            "no other active backtest was cancelled meanwhile",
        )
        for claim, parts in {
            "more than half a second later": (ROSE, failed(12.0, "43.51", of=OTHER, view="other"), mine_ended("43.0")),
            "after it was not seen before": (
                saw(10.5, "running", 3.0, view="list", of=OTHER),
                failed(12.0, "42.5", of=OTHER, view="other"),
                mine_ended("43.0"),
            ),
            "as a child of this one": (
                saw(9.5, "running", 3.0, view="list", of=OTHER, parent=B),
                failed(12.0, "42.5", of=OTHER, view="other"),
                mine_ended("43.0"),
            ),
            "at a time that is not told": (ROSE, saw(12.0, "failed", of=OTHER, view="other"), mine_ended("43.0")),
            "while this one still ran": (ROSE, failed(12.0, "42.5", of=OTHER, view="other")),
        }.items()
    ),
    Case(
        "its time may be in the list already, and stays what it was told to be first",
        film(
            CANCEL,
            RAN,
            LISTED[0],
            saw(10.6, "cancelled", view="list", of=OTHER, completed_at="2026-11-22T18:52:43.5Z"),
            other(12.0, "47.0"),
            mine_ended("43.0"),
        ),
        "violated",
        WITH_IT,
        10.0,
    ),
    Case(
        "another one was cancelled more than half a second later, or earlier",
        film(
            CANCEL,
            RAN,
            LISTED,
            other(12.0, "43.51"),
            saw(9.5, "running", view="other", of="op_3"),
            other(12.0, "42.49", "op_3"),
            mine_ended("43.0"),
        ),
        "holds",
        "this backtest was cancelled",
        observations=("Another backtest was cancelled meanwhile: op_3, op_9.",),
    ),
    Case(
        "two were cancelled with it",
        film(
            CANCEL,
            RAN,
            [saw(9.5, "running", view="list", of=of) for of in (OTHER, "op_3")],
            [other(12.0, "43.2", of) for of in (OTHER, "op_3")],
            mine_ended("43.0"),
        ),
        "violated",
        WITH_IT.replace("op_9", "op_3, op_9"),
        10.0,
    ),
    Case(
        "its pace was not seen, and this one ran on beyond the limit to its end",
        film(CANCEL, RAN, LISTED, saw(11.5, "running", took_s=2.0), saw(12.75, "running"), saw(13.75, "completed")),
        "violated",
        "another backtest was cancelled meanwhile: op_9, and this one was not",
        10.0,
    ),
    Case(
        "only those that were cancelled with it are held against the cancel",
        film(
            CANCEL,
            RAN,
            LISTED,
            other(12.0, "43.2"),
            saw(9.5, "running", view="list", of="op_3"),
            other(12.0, "48.0", "op_3"),
            mine_ended("43.0"),
        ),
        "violated",
        WITH_IT,
        10.0,
    ),
    Case(
        "whose time is not told was not cancelled with it for certain",
        film(CANCEL, RAN, LISTED, other(12.0, None), mine_ended("43.0")),
        "holds",
        "this backtest was cancelled",
        observations=("Another backtest was cancelled meanwhile: op_9.",),
    ),
    Case(
        "nor is one where this one's own time is not told",
        film(CANCEL, RAN, LISTED, other(12.0, "43.0"), mine_ended(None)),
        "holds",
        "this backtest was cancelled",
        observations=("Another backtest was cancelled meanwhile: op_9.",),
    ),
    Case(
        "this one's own time may be told later",
        film(CANCEL, RAN, LISTED, other(12.0, "43.2"), mine_ended(None), saw(11.5, "cancelled", **ended("43.0"))),
        "violated",
        WITH_IT,
        10.0,
    ),
    Case(
        "a child of this one is to be cancelled with it",
        film(CANCEL, RAN, LISTED[0], other(12.0, "43.0", parent=B), LISTED[1], mine_ended("43.0")),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "what another one's record says of the time before the cancel counts as well",
        film(
            CANCEL,
            RAN,
            LISTED[0],
            saw(9.8, "failed", view="other", of=OTHER),
            LISTED[1],
            saw(9.5, "running", view="other", of="op_3"),
            saw(11.0, "cancelled", view="list", of="op_3"),
            mine_ended("43.0"),
        ),
        "holds",
        "this backtest was cancelled",
        observations=("Another backtest was cancelled meanwhile: op_3.",),
    ),
    Case(
        "a lost reading, a missing record and other views tell nothing of another one",
        film(
            CANCEL,
            RAN,
            saw(9.5, "missing", view="list", of=OTHER),
            lost(9.5, view="other", of="op_3"),
            saw(9.5, "running", of="op_4"),
            [saw(11.0, "cancelled", view="list", of=of) for of in (OTHER, "op_3", "op_4")],
        ),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "further ones of this run are not others",
        film(
            CANCEL,
            RAN,
            did("clean_up", 20.0, OTHER),
            did("start_sent", 1.0, NEXT),
            [saw(9.5, "running", view="list", of=of) for of in (OTHER, NEXT)],
            [saw(11.0, "cancelled", view="list", of=of) for of in (OTHER, NEXT)],
        ),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "another one that ended otherwise is no matter",
        film(CANCEL, RAN, LISTED[0], saw(10.6, "completed", view="list", of=OTHER), mine_ended("43.0")),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "another one was cancelled, and of this one nothing is known yet",
        film(CANCEL, RAN, LISTED, saw(12.5, "running", 5.0)),
        "unknown",
        "another backtest was cancelled meanwhile: op_9; whether this one was as well is not known yet",
    ),
    Case(
        "one that was over is called cancelled",
        film(
            CANCEL, RAN, over(10.0, "completed"), over(11.0, "completed"), over(12.0, "cancelled"), mine_ended("43.0")
        ),
        "violated",
        'another backtest was "completed" before the cancel, and is called cancelled: op_9',
        12.0,
    ),
    Case(
        "one that was over is called cancelled as soon as the cancel is sent",
        film(CANCEL, RAN, over(9.0, "completed"), saw(10.0, "cancelled", view="list", of=OTHER, took_s=0.1)),
        "violated",
        'another backtest was "completed" before the cancel, and is called cancelled: op_9',
        10.1,
    ),
    Case(
        "one that had failed is called cancelled",
        film(CANCEL, RAN, over(8.0, "running"), over(9.0, "failed"), over(12.0, "cancelled"), mine_ended("43.0")),
        "violated",
        'another backtest was "failed" before the cancel, and is called cancelled: op_9',
        12.0,
    ),
    Case(
        "one that was completed runs again",
        film(CANCEL, RAN, over(9.0, "completed"), over(11.0, "running"), over(12.0, "running"), mine_ended("43.0")),
        "violated",
        'another backtest was "completed" before the cancel, and is running again: op_9',
        11.0,
    ),
    Case(
        "within a second a view that lags may say so, and one that had failed may be taken up again",
        film(
            CANCEL,
            RAN,
            over(9.0, "completed"),
            over(10.9, "running"),
            saw(9.0, "failed", view="list", of="op_8"),
            saw(12.0, "running", view="list", of="op_8"),
            mine_ended("43.0"),
        ),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "one that was cancelled before, or completed since, was not over before",
        film(
            CANCEL,
            RAN,
            over(9.0, "completed"),
            over(9.5, "cancelled"),
            over(12.0, "cancelled"),
            over(12.5, "completed"),
            over(13.0, "cancelled"),
        ),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "one of this run's own that was over is another rule's",
        film(CANCEL, RAN, did("clean_up", 1.0, OTHER), over(9.0, "completed"), over(12.0, "cancelled")),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "one that ran has lost its progress",
        film(CANCEL, RAN, over(9.0, "running", 20.0), over(11.0, "running", 19.4), mine_ended("43.0")),
        "violated",
        "another backtest fell from 20.0 % to 19.4 % after the cancel, while it ran: op_9",
        11.0,
    ),
    *(
        Case(
            f"one that ran {claim} has lost no progress",
            film(CANCEL, RAN, parts, mine_ended("43.0")),
            "holds",
            "no other active backtest was cancelled meanwhile",
        )
        for claim, parts in {
            "and is told less exactly": [over(9.0, "running", 20.0), over(11.0, "running", 19.5)],
            "and is told by a view that lags": [over(9.0, "running", 20.0), over(10.9, "running", 19.0)],
            "and begins again": [over(9.0, "running", 20.0), over(11.0, "resuming", 0.0)],
            "and is told by its own record": [
                over(9.0, "running", 20.0),
                saw(11.0, "running", 0.0, view="other", of=OTHER),
            ],
            "and is not told of": [over(9.0, "running", 20.0), over(11.0, "running")],
            "later on": [over(9.0, "pending", 20.0), over(11.0, "running", 0.0)],
        }.items()
    ),
    Case(
        "the record of an active one is gone",
        film(CANCEL, RAN, LISTED[0], mine_ended("43.0"), saw(11.0, "missing", view="other", of=OTHER)),
        "violated",
        'the record of another, "running" before the cancel, is gone (HTTP 404): op_9',
        11.0,
    ),
    Case(
        "the record of an active one is gone, which the list never named",
        film(
            CANCEL,
            RAN,
            saw(10.0, "pending", view="other", of=OTHER),
            mine_ended("43.0"),
            saw(12.0, "missing", view="other", of=OTHER),
        ),
        "violated",
        'the record of another, "pending" before the cancel, is gone (HTTP 404): op_9',
        12.0,
    ),
    Case(
        "a record that is gone says nothing where this run's own was never read",
        film(CANCEL, LISTED[0], saw(12.0, "missing", view="other", of=OTHER)),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "a record that is gone within a second may be missing in a view that lags",
        film(CANCEL, RAN, LISTED[0], mine_ended("43.0"), saw(10.9, "missing", view="other", of=OTHER)),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    Case(
        "a list that does not name an active one proves nothing",
        film(CANCEL, RAN, LISTED[0], mine_ended("43.0"), over(12.0, "missing")),
        "holds",
        "no other active backtest was cancelled meanwhile",
    ),
    *(
        Case(
            f"a record that is gone says nothing where {claim}",
            film(CANCEL, RAN, parts, saw(12.0, "missing", view="other", of=OTHER)),
            "holds",
            "no other active backtest was cancelled meanwhile",
        )
        for claim, parts in {
            "this run's own is gone as well": (LISTED[0], saw(11.9, "cancelled"), saw(12.0, "missing")),
            "the backtest was over": over(9.0, "failed"),
            "it was gone before": (LISTED[0], saw(10.0, "missing", view="other", of=OTHER)),
        }.items()
    ),
    Case("no cancel was sent", film(RAN, LISTED), "unknown", "no cancel was sent"),
    Case(
        "ended before the cancel proves nothing",
        film(CANCEL, saw(9.8, "completed", 100.0), LISTED),
        "unknown",
        'it was "completed" at 100.0 % before the cancel was sent',
    ),
)
def test_only_this_one(case: Case) -> None:
    expected = "no other backtest is cancelled instead, or with it"
    case.check(only_this_one(case.history, B, 2.0), "only this one", expected)


@pytest.mark.parametrize(
    ("parts", "verdict", "seen"),
    [
        ((), "unknown", "nothing was seen of it afterwards"),
        ((CANCEL, RAN), "unknown", "nothing was seen of it afterwards"),
        ((saw(11.0, "cancelled"),), "unknown", "nothing was seen of it afterwards"),
        (
            (CANCEL, RAN, saw(11.0, "running", 4.0), saw(14.0, "cancelled", 0.0, took_s=0.5)),
            "holds",
            'it was "cancelled" at 0.0 % after all, 4.5 s after the cancel',
        ),
        (
            (CANCEL, RAN, saw(11.0, "running", 4.0), saw(14.0, "running", 9.0)),
            "unknown",
            'it ran on: "running" at 9.0 % 4.0 s after the cancel',
        ),
        (
            (CANCEL, RAN, saw(11.0, "running", 4.0), saw(14.0, "cancelling", 4.0)),
            "unknown",
            'it did not end: "cancelling" at 4.0 % 4.0 s after the cancel',
        ),
        (
            (CANCEL, saw(10.0, "running", 1.0), saw(11.0, "running", 4.0), saw(12.0, "running", 4.0)),
            "unknown",
            'it did not end: "running" at 4.0 % 2.0 s after the cancel',
        ),
        (
            (CANCEL, RAN, saw(11.0, "running"), saw(14.0, "running", 0.5)),
            "unknown",
            'it ran on: "running" at 0.5 % 4.0 s after the cancel',
        ),
        ((CANCEL, RAN, saw(11.0, "stopping")), "unknown", 'it did not end: "stopping" 1.0 s after the cancel'),
    ],
)
def test_what_became_of_it_is_told_for_the_words_of_a_failure(parts: tuple[Part, ...], verdict: str, seen: str) -> None:
    judgement = what_became_of_it(film(started(), *parts), B)
    assert (judgement.name, judgement.verdict, judgement.seen) == ("afterwards", verdict, seen)
    assert judgement.expected == "", "it is no check, so nothing is expected"
