"""Other ways to cancel: with nothing to cancel, with a reason, and several times at the same moment."""

from __future__ import annotations

from typing import Any

import pytest

from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.in_words import in_words
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.reading import ONE_OF_SEVERAL_ANSWERED
from ktrdr_qa.judge.ways import cancellation_with_reason as reason
from ktrdr_qa.judge.ways import nothing_to_cancel as vain
from ktrdr_qa.judge.ways import simultaneous_cancellation as together
from ktrdr_qa.record.history import Event, History, Sample, from_json
from tests.judging.film import B, Case, W, cancelled, cases, did, film, health, healthy, lost, plus, saw

DONE, BROKEN, TRAINING, GHOST = "op_done", "op_broken", "op_training_1", "op_nobodys"
NEXT_ONE = "op_5"
AT = "2026-11-22T18:52:44Z"


def in_vain(at_s: float, http: int | None = 404, words: str = "", what: str = "it", of: str = GHOST) -> Event:
    """A cancel with nothing to cancel, sent 0.1 s before its answer."""
    words = words or f"HTTP {http}: no"
    return did(vain.ANSWERED, at_s, of, what=what, http=http, words=words, sent_s=at_s - 0.1, again="curl")


def ended(of: str = DONE, status: str = "completed") -> Event:
    return did("ended_before", 1.0, of, status=status)


def record(
    at_s: float, status: str = "completed", percentage: float | None = 100.0, of: str = DONE, **facts: Any
) -> Sample:
    return saw(at_s, status, percentage, of=of, **{"completed_at": AT, "worker": W, **facts})


# --- turned down -------------------------------------------------------------------------------------------------


@cases(
    *(
        Case(f"HTTP {http} says no", film(in_vain(5.0, http)), "holds", f"1 was turned down with HTTP {http}")
        for http in (307, 400, 404, 405, 409, 410, 414, 422, 499)
    ),
    Case(
        "several statuses are told",
        film(in_vain(5.0, 404), in_vain(6.0, 400), in_vain(7.0, 404)),
        "holds",
        "3 were turned down with HTTP 400, 404",
    ),
    Case(
        "an error of the server",
        film(in_vain(5.0), in_vain(6.0, 500, "HTTP 500: oops", "a long id")),
        "violated",
        "the cancel of a long id was answered HTTP 500: oops",
        6.0,
    ),
    Case(
        "an acknowledgement with its word",
        film(in_vain(5.0, 200, "cancelled")),
        "violated",
        'the cancel of it was acknowledged with HTTP 200, with "cancelled", as if there were something to cancel',
        5.0,
    ),
    Case(
        "the last that is no acknowledgement, and no error of the server",
        film(in_vain(5.0, 300), in_vain(6.0, 499)),
        "holds",
        "2 were turned down with HTTP 300, 499",
    ),
    Case(
        "an acknowledgement without a word",
        film(did(vain.ANSWERED, 5.0, GHOST, what="it", http=204, sent_s=4.9)),
        "violated",
        "the cancel of it was acknowledged with HTTP 204, as if there were something to cancel",
        5.0,
    ),
    Case(
        "no answer",
        film(in_vain(5.0, None, "no answer within 5.0 s")),
        "violated",
        "the cancel of it got no answer, twice: no answer within 5.0 s",
        5.0,
    ),
    Case(
        "a limit of requests",
        film(in_vain(5.0, 429, "HTTP 429: too fast"), in_vain(6.0)),
        "unknown",
        "the cancel of it was turned away: HTTP 429: too fast",
        final=True,
    ),
    Case(
        "one turned away and another broken",
        film(in_vain(5.0, 429), in_vain(6.0, 503, "HTTP 503: down")),
        "violated",
        "the cancel of it was answered HTTP 503: down",
        6.0,
    ),
)
def test_turned_down(case: Case) -> None:
    expected = "each cancel that has nothing to cancel is turned down (HTTP 4xx)"
    case.check(vain.are_turned_down(case.history), "turned down", expected)


# --- who answers -------------------------------------------------------------------------------------------------

NOBODY = "nothing listens at worker:5003 (connection refused)"


def refused(*times_s: float, of: str = W) -> list[Sample]:
    return [lost(at_s, NOBODY, view="health", of=of, refused=True) for at_s in times_s]


@cases(
    Case(
        "KTRDR and a worker answer a second after the last",
        film(
            saw(4.0, "running"), health(4.0, None), in_vain(5.0), in_vain(6.0), saw(7.0, "running"), health(7.0, None)
        ),
        "holds",
        "KTRDR itself and the worker worker_1 answered",
    ),
    Case(
        "no worker can be asked from here",
        film(saw(4.0, "running"), in_vain(5.0), saw(6.0, "running")),
        "holds",
        "KTRDR itself answered",
    ),
    Case(
        "one was asked too soon after the last",
        film(saw(4.0, "running"), health(4.0, None), in_vain(5.0), saw(6.0, "running"), health(5.9, None)),
        "unknown",
        "the worker worker_1 has not answered since: it was not asked",
    ),
    Case(
        "a worker refuses connections for two seconds",
        film(
            saw(4.0, "running"),
            health(4.5, None),
            health(4.6, None, "worker_2"),
            in_vain(5.0, what="a backtest that is completed"),
            in_vain(5.2, what="another"),
            refused(5.4, 6.3, 7.4),
            [health(at_s, None, "worker_2") for at_s in (5.4, 6.3, 7.2)],
            saw(7.3, "running"),
        ),
        "violated",
        f"the worker worker_1 did not answer for 2.0 s by now, from 0.5 s after the cancel of a backtest that is completed: {NOBODY}",
        5.4,
    ),
    Case(
        "for less so far",
        film(saw(4.0, "running"), health(4.5, None), in_vain(5.0), refused(5.4, 6.3, 7.3), saw(7.3, "running")),
        "unknown",
        f"the worker worker_1 has not answered since: {NOBODY}",
    ),
    Case(
        "the first doubt is told, and a failure before any",
        film(
            saw(4.0, "running"),
            health(4.5, None),
            health(4.5, None, "worker_2"),
            in_vain(5.0),
            refused(5.4, 6.3, of=W),
            refused(5.4, 6.3, 7.4, of="worker_2"),
            saw(7.3, "running"),
        ),
        "violated",
        f"the worker worker_2 did not answer for 2.0 s by now, from 0.5 s after the cancel of it: {NOBODY}",
        5.4,
    ),
    Case(
        "it comes back: its process was ended and begun again",
        film(
            saw(4.0, "running"),
            health(4.5, None),
            in_vain(5.0),
            refused(5.4, 6.3, 7.4),
            health(8.0, None),
            saw(7.3, "running"),
        ),
        "violated",
        f"the worker worker_1 did not answer for 2.6 s, from 0.5 s after the cancel of it: {NOBODY}",
        5.4,
    ),
    Case(
        "a worker that was gone before, or since half a second, is not gone by them",
        film(
            saw(4.0, "running"),
            health(1.0, None),
            refused(4.39, 5.3, 6.4),
            refused(4.0, 6.0, 8.0, of="worker_2"),
            in_vain(5.0),
            saw(6.4, "running"),
        ),
        "unknown",
        f"the worker worker_1 has not answered since: {NOBODY}",
    ),
    Case(
        "a worker that had answered in the moment of the cancel, beside a KTRDR that had not",
        film(health(4.9, None), in_vain(5.0), refused(5.4, 6.3, 7.4), saw(5.5, "running"), saw(7.3, "running")),
        "violated",
        f"the worker worker_1 did not answer for 2.0 s by now, from 0.5 s after the cancel of it: {NOBODY}",
        5.4,
    ),
    Case(
        "the last words are told",
        film(
            saw(4.0, "running"),
            health(4.5, None),
            in_vain(5.0),
            [lost(at, f"HTTP 500: {at}", view="health", of=W) for at in (5.4, 6.0, 6.3)],
            saw(7.3, "running"),
        ),
        "unknown",
        "the worker worker_1 has not answered since: HTTP 500: 6.3",
    ),
    Case(
        "it was lost in between, and asked early as well as late",
        film(
            saw(4.0, "running"),
            [health(at, None) for at in (4.5, 5.2)],
            in_vain(5.0),
            [lost(at, "HTTP 500: oops", view="health", of=W) for at in (4.7, 6.0)],
            [health(6.5, None), saw(6.5, "running")],
        ),
        "holds",
        "KTRDR itself and the worker worker_1 answered",
    ),
    Case(
        "a worker that is silent may have to compute",
        film(
            saw(4.0, "running"),
            health(4.5, None),
            in_vain(5.0),
            [lost(at_s, view="health", of=W, took_s=1.0) for at_s in (5.4, 6.4, 7.4, 8.4, 9.4, 10.4)],
            health(11.5, None),
            saw(11.5, "running"),
        ),
        "holds",
        "KTRDR itself and the worker worker_1 answered",
    ),
    Case(
        "a worker whose health is an error",
        film(
            saw(4.0, "running"),
            health(4.5, None),
            in_vain(5.0),
            [lost(at_s, "HTTP 500: oops", view="health", of=W) for at_s in (5.4, 6.4, 7.4)],
            saw(7.3, "running"),
        ),
        "violated",
        "the worker worker_1 did not answer for 2.0 s by now, from 0.5 s after the cancel of it: HTTP 500: oops",
        5.4,
    ),
    Case(
        "KTRDR itself is gone",
        film(saw(4.8, "running"), in_vain(5.0), [lost(at_s, NOBODY, refused=True) for at_s in (5.2, 6.2, 7.3)]),
        "violated",
        f"KTRDR itself did not answer for 2.1 s by now, from 0.3 s after the cancel of it: {NOBODY}",
        5.2,
    ),
    Case(
        "it went as the cancel was sent",
        film(saw(4.0, "running"), in_vain(5.0), [lost(at_s, NOBODY, refused=True) for at_s in (4.4, 5.4, 6.5)]),
        "violated",
        f"KTRDR itself did not answer for 2.1 s by now, from 0.0 s after the cancel of it: {NOBODY}",
        4.4,
    ),
    Case(
        "nothing was read before",
        film(in_vain(5.0), saw(7.0, "running"), health(7.0, None)),
        "unknown",
        "nothing of it had answered before",
        final=True,
    ),
)
def test_goes_on_answering(case: Case) -> None:
    case.check(vain.go_on_answering(case.history), "goes on answering", "KTRDR and its workers go on answering")


# --- the running one, the list -----------------------------------------------------------------------------------

RUNS = [saw(4.0, "running", 20.0), saw(4.5, "running", 22.0)]


@cases(
    Case(
        "it runs on",
        film(RUNS, in_vain(5.0), in_vain(6.0), saw(6.1, "running", 30.0)),
        "holds",
        'one that ran was "running" at 30.0 % afterwards',
    ),
    Case(
        "it completes by itself",
        film(RUNS, in_vain(5.0), saw(5.1, "completed", 100.0)),
        "holds",
        'one that ran was "completed" at 100.0 % afterwards',
    ),
    Case(
        "it is cancelled, and nobody asked for it",
        film(RUNS, in_vain(5.0, what="a long id"), in_vain(6.0), saw(5.4, "cancelled", 0.0)),
        "violated",
        f'{B} was "running" at 22.0 %, and is "cancelled" 0.50 s after the cancel of a long id; it was not asked for',
        5.4,
    ),
    Case(
        "the last word before counts, one that was read as the cancel was sent",
        film(RUNS, saw(4.9, "running", 23.0), in_vain(5.0), saw(5.4, "cancelled", 0.0)),
        "violated",
        f'{B} was "running" at 23.0 %, and is "cancelled" 0.50 s after the cancel of it; it was not asked for',
        5.4,
    ),
    Case(
        "what was read as the answer came is not from afterwards",
        film(RUNS, in_vain(5.0), saw(5.0, "running", 23.0)),
        "unknown",
        "none was seen afterwards",
    ),
    Case(
        "it is cancelled in the very moment of its own cancel",
        film(RUNS, in_vain(5.0), saw(8.0, "cancelled", 0.0), cancelled(8.0)),
        "violated",
        f'{B} was "running" at 22.0 %, and is "cancelled" 3.10 s after the cancel of it; it was not asked for',
        8.0,
    ),
    Case(
        "another had ended before",
        film(ended("op_0"), record(2.0, of="op_0"), RUNS, in_vain(5.0), saw(5.4, "running", 23.0)),
        "holds",
        'one that ran was "running" at 23.0 % afterwards',
    ),
    Case(
        "it fails, and did not before",
        film(RUNS, in_vain(5.0), saw(5.4, "failed", 0.0), saw(5.6, "failed", error_message="later")),
        "unknown",
        f'{B} was "running" at 22.0 %, and is "failed" 0.50 s after the cancel of it (no reason given): whether by itself is not '
        "known",
        final=True,
    ),
    Case(
        "two fail, and one is cancelled",
        film(
            RUNS,
            [saw(4.0, "running", 9.0, of=one) for one in ("op_2", "op_3")],
            in_vain(5.0),
            saw(5.4, "failed", 0.0, error_message="no more memory"),
            saw(5.4, "failed", 0.0, of="op_2"),
            saw(5.5, "cancelled", 0.0, of="op_3"),
        ),
        "violated",
        'op_3 was "running" at 9.0 %, and is "cancelled" 0.60 s after the cancel of it; it was not asked for',
        5.5,
    ),
    Case(
        "two fail",
        film(
            RUNS,
            saw(4.0, "running", 9.0, of="op_2"),
            in_vain(5.0),
            saw(5.4, "failed", 0.0, error_message="no more memory"),
            saw(5.4, "failed", 0.0, of="op_2"),
        ),
        "unknown",
        f'{B} was "running" at 22.0 %, and is "failed" 0.50 s after the cancel of it (no more memory): whether by itself is not '
        "known",
        final=True,
    ),
    Case(
        "it is cancelled by a cancel of its own",
        film(RUNS, in_vain(5.0), saw(5.1, "running", 30.0), cancelled(8.0), saw(8.2, "cancelled", 0.0)),
        "holds",
        'one that ran was "running" at 30.0 % afterwards',
    ),
    Case(
        "it is cancelled before its own cancel is sent",
        film(RUNS, in_vain(5.0), saw(7.9, "cancelled", 0.0), cancelled(8.0)),
        "violated",
        f'{B} was "running" at 22.0 %, and is "cancelled" 3.00 s after the cancel of it; it was not asked for',
        7.9,
    ),
    Case(
        "the clean-up ends it",
        film(RUNS, in_vain(5.0), saw(5.1, "running", 30.0), did("clean_up", 8.0), saw(8.2, "cancelled", 0.0)),
        "holds",
        'one that ran was "running" at 30.0 % afterwards',
    ),
    Case("nothing was read afterwards", film(RUNS, in_vain(5.0)), "unknown", "none was seen afterwards"),
    Case(
        "one that had ended does not run",
        film(saw(4.0, "cancelled", 0.0), in_vain(5.0), saw(5.1, "cancelled", 0.0)),
        "unknown",
        "none was seen afterwards",
    ),
    Case(
        "one that began afterwards is no witness",
        film(in_vain(5.0), saw(5.1, "running", 3.0)),
        "unknown",
        "none was seen afterwards",
    ),
    Case(
        "a record that is gone for a reading is none",
        film(RUNS, in_vain(5.0), saw(5.1, "missing")),
        "unknown",
        "none was seen afterwards",
    ),
    Case(
        "what is known to have ended is not counted, whatever a replica says of it",
        film(ended(B), RUNS, in_vain(5.0), saw(5.1, "cancelled", 0.0)),
        "unknown",
        "none was seen afterwards",
    ),
)
def test_running_unharmed(case: Case) -> None:
    expected = "no running backtest is cancelled by a cancel of something else"
    case.check(vain.leave_the_running_alone(case.history), "running unharmed", expected)


def row(at_s: float, status: str, of: str = DONE) -> Sample:
    return saw(at_s, status, of=of, view="list")


@cases(
    Case(
        "it is as before",
        film(
            ended(),
            row(4.0, "completed"),
            row(4.0, "running", B),
            in_vain(5.0),
            row(5.1, "completed"),
            row(5.1, "running", B),
        ),
        "holds",
        "2 are listed as before",
    ),
    Case(
        "it names what nobody has started",
        film(row(4.0, "running", B), in_vain(5.0), row(5.1, "running", B), row(5.1, "cancelled", GHOST)),
        "violated",
        f'it names {GHOST} as "cancelled", which nobody has started, since a cancel of it',
        5.1,
    ),
    Case(
        "it named it before",
        film(row(4.0, "cancelled", GHOST), in_vain(5.0), row(5.1, "cancelled", GHOST)),
        "holds",
        "1 is listed as before",
    ),
    Case(
        "what had ended is listed otherwise",
        film(ended(), row(4.0, "completed"), in_vain(5.0), row(5.1, "cancelled")),
        "violated",
        f'it named {DONE} as "completed", and says "cancelled" after the cancel',
        5.1,
    ),
    Case(
        "what had ended is not listed any more",
        film(ended(), row(4.0, "completed"), in_vain(5.0), row(5.1, "missing")),
        "violated",
        f'it named {DONE} as "completed", and does not name it after the cancel',
        5.1,
    ),
    Case(
        "a replica lags",
        film(ended(), row(4.0, "completed"), in_vain(5.0), row(5.1, "running"), row(7.0, "running")),
        "holds",
        "1 is listed as before",
    ),
    Case(
        "what had ended is listed as running",
        film(ended(), row(4.0, "completed"), in_vain(5.0), row(7.1, "running")),
        "violated",
        f'it named {DONE} as "completed", and says "running" after the cancel',
        7.1,
    ),
    Case(
        "what ran may have ended meanwhile",
        film(row(4.0, "running", B), in_vain(5.0), row(5.1, "completed", B)),
        "holds",
        "1 is listed as before",
    ),
    Case(
        "another was not read afterwards, and the rest as the cancel was sent and answered",
        film(ended(), row(4.0, "running", B), row(4.9, "completed"), in_vain(5.0), row(5.0, "completed")),
        "holds",
        "1 is listed as before",
    ),
    Case(
        "a list that never names it tells nothing",
        film(ended(), row(4.0, "missing"), in_vain(5.0), row(5.1, "missing")),
        "unknown",
        "not read",
    ),
    Case("not read afterwards", film(ended(), row(4.0, "completed"), in_vain(5.0)), "unknown", "not read"),
    Case("not read before", film(ended(), in_vain(5.0), row(5.1, "completed")), "unknown", "not read"),
)
def test_list_unchanged(case: Case) -> None:
    case.check(
        vain.leave_the_list_alone(case.history, 2.0), "list unchanged", "the list of backtests is as it was before"
    )


# --- what had ended ----------------------------------------------------------------------------------------------

CANCELLED_DONE = in_vain(5.0, 400, what="a backtest that is completed", of=DONE)


@cases(
    Case(
        "it is as before",
        film(ended(), record(2.0), CANCELLED_DONE, record(5.1), record(6.0)),
        "holds",
        "1 record is as before",
    ),
    Case(
        "it was read as the cancel was sent and answered",
        film(ended(), record(4.9), CANCELLED_DONE, record(5.0)),
        "holds",
        "1 record is as before",
    ),
    Case(
        "both are",
        film(
            ended(), ended(BROKEN, "failed"), record(2.0), record(2.0, "failed", 0.0, BROKEN, error_message="no data"),
            CANCELLED_DONE, in_vain(5.0, 400, of=BROKEN),
            record(5.1), record(5.1, "failed", 0.0, BROKEN, error_message="no data"),
        ),
        "holds",
        "2 records are as before",
    ),
    Case(
        "its status changes",
        film(ended(), record(2.0), CANCELLED_DONE, record(5.1), record(6.0, "cancelled")),
        "violated",
        f'of a backtest that is completed ({DONE}) the status turned from "completed" to "cancelled", 1.00 s after its cancel',
        6.0,
    ),
    Case(
        "its message changes",
        film(ended(), record(2.0, error_message="no data"), CANCELLED_DONE, record(5.5, error_message="cancelled")),
        "violated",
        f"of a backtest that is completed ({DONE}) error_message changed from 'no data' to 'cancelled', 0.50 s after its cancel",
        5.5,
    ),
    Case(
        "it is told to have been cancelled, in its error message",
        film(ended(), record(2.0), CANCELLED_DONE, record(5.5, error_message="cancelled")),
        "violated",
        f"of a backtest that is completed ({DONE}) error_message changed from None to 'cancelled', 0.50 s after its cancel",
        5.5,
    ),
    Case(
        "one that failed may tell why a moment later",
        film(ended(DONE, "failed"), record(2.0, "failed"), CANCELLED_DONE, record(5.5, "failed", error_message="no data")),
        "holds",
        "1 record is as before",
    ),
    Case(
        "its end changes",
        film(ended(), record(2.0), CANCELLED_DONE, record(5.5, completed_at="2026-11-22T18:59:00Z")),
        "violated",
        f"of a backtest that is completed ({DONE}) completed_at changed from '{AT}' to '2026-11-22T18:59:00Z', 0.50 s after its cancel",
        5.5,
    ),
    Case(
        "its end is told in another spelling",
        film(ended(), record(2.0), CANCELLED_DONE, record(5.5, completed_at="2026-11-22T18:52:44.000+00:00")),
        "holds",
        "1 record is as before",
    ),
    Case(
        "its result is gone",
        film(ended(), record(2.0, has_result=True), CANCELLED_DONE, record(5.5)),
        "violated",
        f"of a backtest that is completed ({DONE}) has_result changed from True to None, 0.50 s after its cancel",
        5.5,
    ),
    Case(
        "its progress falls",
        film(ended(), record(2.0), CANCELLED_DONE, record(5.5, percentage=0.0)),
        "violated",
        f"of a backtest that is completed ({DONE}) the progress fell from 100 % to 0 %, 0.50 s after its cancel",
        5.5,
    ),
    Case(
        "a record that is completed late may gain",
        film(ended(), record(2.0, percentage=99.0, completed_at=None), CANCELLED_DONE, record(5.5, has_result=True)),
        "holds",
        "1 record is as before",
    ),
    Case(
        "a replica lags",
        film(ended(), record(2.0), CANCELLED_DONE, saw(5.1, "running", 90.0, of=DONE), record(6.0)),
        "holds",
        "1 record is as before",
    ),
    Case(
        "it runs again",
        film(ended(), record(2.0), CANCELLED_DONE, record(5.1), saw(7.1, "running", 90.0, of=DONE)),
        "violated",
        f'of a backtest that is completed ({DONE}) the status turned from "completed" to "running", 2.10 s after its cancel',
        7.1,
    ),
    Case(
        "its record is gone",
        film(ended(), record(2.0), CANCELLED_DONE, [saw(5.1 + 0.5 * n, "missing", of=DONE) for n in range(3)]),
        "violated",
        f"the record of a backtest that is completed ({DONE}) is gone (HTTP 404) after its cancel",
        5.1,
    ),
    Case(
        "its record is missing for a moment",
        film(ended(), record(2.0), CANCELLED_DONE, saw(5.1, "missing", of=DONE), record(5.5)),
        "holds",
        "1 record is as before",
    ),
    Case(
        "not read before",
        film(ended(), CANCELLED_DONE, record(5.5)),
        "unknown",
        f"the record of {DONE} was not read before its cancel",
    ),
    Case(
        "not read after",
        film(ended(), record(2.0), CANCELLED_DONE),
        "unknown",
        f"the record of {DONE} was not read after its cancel",
    ),
    Case("not cancelled", film(ended(), record(2.0), in_vain(5.0)), "unknown", "nothing that had ended was cancelled"),
)  # fmt: skip
def test_ended_unchanged(case: Case) -> None:
    expected = "the records of what had ended are as they were"
    case.check(vain.leave_the_ended_alone(case.history, 2.0), "ended unchanged", expected)


def following(at_s: float, status: str, percentage: float = 0.0, worker: str | None = W, **facts: Any) -> Sample:
    return saw(at_s, status, percentage, of=NEXT_ONE, worker=worker, **facts)


HAD_RUN = film(ended(), record(2.0), CANCELLED_DONE)


@cases(
    Case(
        "it runs",
        plus(HAD_RUN, following(6.0, "running"), following(7.0, "running", 3.0)),
        "holds",
        f'{W} runs {NEXT_ONE}: "running" at 3.0 %',
    ),
    Case(
        "it completes",
        plus(HAD_RUN, following(6.0, "completed", 100.0)),
        "holds",
        f'{W} runs {NEXT_ONE}: "completed" at 100.0 %',
    ),
    Case(
        "it is cancelled by itself",
        plus(HAD_RUN, following(6.0, "running"), following(6.4, "cancelled", error_message="by user")),
        "violated",
        f'{W}, which had run {DONE}: its next one, {NEXT_ONE}, was "cancelled" by itself: by user',
        6.4,
    ),
    Case(
        "it is cancelled without a word",
        plus(HAD_RUN, following(6.4, "cancelled")),
        "violated",
        f'{W}, which had run {DONE}: its next one, {NEXT_ONE}, was "cancelled" by itself: no reason given',
        6.4,
    ),
    Case(
        "this run ends it",
        plus(HAD_RUN, following(6.0, "running"), did("clean_up", 6.1, NEXT_ONE), following(6.4, "cancelled")),
        "unknown",
        "that worker was not seen to run another one",
    ),
    Case(
        "it fails, which may be its model's path",
        plus(HAD_RUN, following(6.4, "failed", error_message="V3 metadata not found")),
        "unknown",
        "that worker was not seen to run another one",
    ),
    Case(
        "it stands still",
        plus(HAD_RUN, following(6.0, "running"), following(36.5, "running")),
        "violated",
        f'{W}, which had run {DONE}: its next one, {NEXT_ONE}, was "running" at 0.0 % after 30.5 s (2 readings)',
        36.5,
    ),
    Case(
        "it is at the limit",
        plus(HAD_RUN, following(6.0, "running"), following(36.0, "running")),
        "unknown",
        "that worker was not seen to run another one",
    ),
    Case(
        "it stands still in the end",
        plus(HAD_RUN, following(6.0, "pending"), following(20.0, "resuming"), following(36.5, "running")),
        "violated",
        f'{W}, which had run {DONE}: its next one, {NEXT_ONE}, was "running" at 0.0 % after 30.5 s (3 readings)',
        36.5,
    ),
    Case(
        "it has failed for long, which may be its model's path",
        plus(HAD_RUN, following(6.4, "failed"), following(40.0, "failed")),
        "unknown",
        "that worker was not seen to run another one",
    ),
    Case(
        "the first of them is on another worker, and the last has not moved yet",
        plus(
            HAD_RUN,
            saw(5.0, "running", 3.0, of="op_4", worker="worker_2"),
            following(5.0, "running", 3.0),
            saw(6.0, "running", 0.0, of="op_6", worker=W),
        ),
        "holds",
        f'{W} runs {NEXT_ONE}: "running" at 3.0 %',
    ),
    Case(
        "of another that had ended it is not said who ran it",
        film(
            ended(BROKEN, "failed"),
            ended(),
            record(2.0, "failed", of=BROKEN, worker=None),
            record(2.0),
            in_vain(4.0, 400, of=BROKEN),
            CANCELLED_DONE,
            following(6.0, "running", 3.0),
        ),
        "holds",
        f'{W} runs {NEXT_ONE}: "running" at 3.0 %',
    ),
    Case(
        "KTRDR does not say who runs what",
        film(ended(), record(2.0, worker=None), CANCELLED_DONE, following(6.0, "cancelled", worker=None)),
        "unknown",
        "that worker was not seen to run another one",
    ),
    Case(
        "it is on another worker",
        plus(HAD_RUN, following(6.0, "running", 3.0, worker="worker_2")),
        "unknown",
        "that worker was not seen to run another one",
    ),
    Case(
        "it was there before",
        film(ended(), record(2.0), following(4.0, "running", 3.0), CANCELLED_DONE, following(6.0, "running", 9.0)),
        "unknown",
        "that worker was not seen to run another one",
    ),
    Case(
        "KTRDR does not say who ran it",
        film(ended(), record(2.0, worker=None), CANCELLED_DONE, following(6.0, "cancelled")),
        "unknown",
        "that worker was not seen to run another one",
    ),
    Case(
        "what is known to have ended is no next one",
        film(ended(), ended(NEXT_ONE), record(2.0), CANCELLED_DONE, following(6.0, "cancelled")),
        "unknown",
        "that worker was not seen to run another one",
    ),
)
def test_worker_takes_the_next(case: Case) -> None:
    expected = "the worker of a backtest that was cancelled after its end runs the next one"
    case.check(vain.keep_no_worker(case.history, 30.0), "worker takes the next", expected)


def test_cancels_in_vain_are_judged_by_the_limits_of_the_recording() -> None:
    """A replica shows what had ended as running, in the list too, and the next one takes its time."""
    lags = [saw(5.5, "running", 90.0, of=DONE), row(4.0, "completed"), row(5.5, "running"), row(8.0, "completed")]
    history = film(
        ended(), record(2.0), CANCELLED_DONE, lags, record(8.0), following(6.0, "running"), following(9.0, "running")
    )

    def violated(cancelled_s: float, new_backtest_s: float) -> list[str]:
        limits = {"cancelled_s": cancelled_s, "new_backtest_s": new_backtest_s}
        return [j.name for j in vain.judgements(history, limits) if j.violated]

    assert violated(2.0, 30.0) == []
    assert violated(0.4, 2.0) == ["list unchanged", "ended unchanged", "worker takes the next"]


# --- with a reason -----------------------------------------------------------------------------------------------

WHY = "too slow"
END = cancelled(10.0, cancellation_reason=WHY)


def gave(at_s: float, status: str = "cancelled", **facts: Any) -> Sample:
    return saw(at_s, status, 0.0, **facts)


@cases(
    Case("word for word", film(END, gave(10.2, error_message=WHY)), "holds", "it gives it"),
    Case("among other words", film(END, gave(10.2, error_message=f"Cancelled: {WHY}.")), "holds", "it gives it"),
    Case("in a field of its own", film(END, gave(10.2, reason=WHY)), "holds", "it gives it"),
    Case(
        "another one",
        film(END, gave(10.2, error_message="by user"), gave(10.8, error_message="by user")),
        "violated",
        'it gives "by user"',
        10.8,
    ),
    Case("none", film(END, gave(10.2), gave(10.7)), "violated", 'it gives "none"', 10.7),
    Case("not yet", film(END, gave(10.2)), "unknown", "it does not give it so far"),
    Case("a moment later", film(END, gave(10.2), gave(10.5, error_message=WHY)), "holds", "it gives it"),
    Case(
        "forgotten later",
        film(END, gave(10.2, error_message=WHY), gave(13.0, error_message="by user")),
        "violated",
        'it gives "by user"',
        13.0,
    ),
    Case(
        "the answer gives another",
        film(cancelled(10.0, cancellation_reason="by user"), gave(10.2, error_message=WHY)),
        "violated",
        'the answer to the cancel gives "by user" as its reason',
        10.1,
    ),
    Case(
        "two others",
        film(END, gave(10.2), gave(10.8, error_message="by user", reason="other")),
        "violated",
        'it gives "by user / other"',
        10.8,
    ),
    Case(
        "the answer was lost",
        film(did("cancel_sent", 10.0), did("cancel_lost", 10.1), gave(10.2, error_message=WHY)),
        "holds",
        "it gives it",
    ),
    Case("the answer gives none", film(cancelled(), gave(10.2, error_message=WHY)), "holds", "it gives it"),
    Case("it has not ended", film(END, saw(10.2, "running", 5.0)), "unknown", "it has not ended yet"),
    Case("it completed", film(END, gave(10.2, "completed")), "unknown", 'it was "completed"', final=True),
    Case(
        "it failed by something else",
        film(END, gave(10.2, "failed", error_message="no memory"), gave(11.2, "failed", error_message="no memory")),
        "unknown",
        'it is "failed" (no memory): whether by the cancel or by itself is not known',
        final=True,
    ),
    Case(
        "it failed without a word",
        film(END, gave(10.2, "failed", error_message=None)),
        "unknown",
        'it is "failed" (no reason given): whether by the cancel or by itself is not known',
        final=True,
    ),
    Case(
        "it is called failed by the cancel, as the recipe allows",
        film(END, gave(10.2, "failed", error_message=None), gave(10.4, "failed", error_message=WHY)),
        "holds",
        "it gives it",
    ),
)
def test_reason_kept(case: Case) -> None:
    case.check(
        reason.is_kept(case.history, B, WHY), "reason kept", f'the record gives the reason of the cancel: "{WHY}"'
    )


def test_the_reason_of_the_request_is_looked_for_in_the_record_of_the_backtest() -> None:
    asked = {"cancel_body": {"reason": WHY, "force": True}}
    (kept,) = reason.judgements(film(END, gave(10.2, error_message=WHY), backtest=B, **asked), {})
    assert kept.holds and kept.expected == f'the record gives the reason of the cancel: "{WHY}"'
    assert not list(reason.judgements(film(END, gave(10.2), backtest=B, cancel_body={"force": True}), {}))


# --- several at the same moment ----------------------------------------------------------------------------------


def answers(*https: int | None, **facts: Any) -> list[Event]:
    """The answers to as many cancels at once."""
    return [
        did(
            ONE_OF_SEVERAL_ANSWERED,
            10.0 + n / 10,
            number=n,
            reason=f"number {n} of 5",
            http=http,
            words=f"HTTP {http}",
            **facts,
        )
        for n, http in enumerate(https, start=1)
    ]


def hung(number: int) -> Event:
    words = "no answer within 5.0 s"
    return did(ONE_OF_SEVERAL_ANSWERED, 15.0, number=number, reason="", http=None, words=words, timed_out=True)


@cases(
    Case("one of five", film(answers(400, 200, 400, 409, 404)), "holds", "1 acknowledged, 4 turned down"),
    Case(
        "each confirms",
        film(answers(200, 202, 204)),
        "holds",
        "3 acknowledged, 0 turned down",
        observations=("3 of 3 cancels at once were acknowledged.",),
    ),
    Case(
        "two confirm",
        film(answers(200, 204, 400)),
        "holds",
        "2 acknowledged, 1 turned down",
        observations=("2 of 3 cancels at once were acknowledged.",),
    ),
    Case("one breaks", film(answers(200, 400, 500)), "violated", "cancel 3 was answered HTTP 500", 10.3),
    Case("none is", film(answers(400, 409, 404)), "violated", "none was: HTTP 400", 10.3),
    Case("a redirect is none", film(answers(300)), "violated", "none was: HTTP 300", 10.1),
    Case("HTTP 200 that says no", film(answers(200, 200, success=False)), "violated", "none was: HTTP 200", 10.2),
    Case(
        "one has no answer",
        film(answers(200, None)),
        "unknown",
        "cancel 2 had no answer of its own: HTTP None",
        final=True,
    ),
    Case(
        "one hangs",
        film(answers(400, 200, 204), [hung(4), hung(5)]),
        "violated",
        "cancel 4 hangs (no answer within 5.0 s), though cancel 2 was acknowledged 4.8 s before",
        15.0,
    ),
    Case(
        "one hangs, and no other was acknowledged",
        film(answers(400, 409), [hung(3)]),
        "unknown",
        "cancel 3 had no answer of its own: no answer within 5.0 s",
        final=True,
    ),
    Case(
        "one is turned away",
        film(answers(429, 400)),
        "unknown",
        "cancel 1 had no answer of its own: HTTP 429",
        final=True,
    ),
)
def test_each_answered(case: Case) -> None:
    sent = sum(e.kind == ONE_OF_SEVERAL_ANSWERED for e in case.history.events)
    expected = f"of {sent} cancels at once one is acknowledged, and none breaks KTRDR"
    case.check(together.none_breaks(case.history), "each answered", expected)


def ended_by(at_s: float, number: int | None, completed_at: str | None = AT) -> Sample:
    words = "by user" if number is None else f"number {number} of 5"
    return gave(at_s, error_message=words, completed_at=completed_at)


FIVE = film(cancelled(), answers(400, 200, 400, 400, 400))


@cases(
    Case("by the one", plus(FIVE, ended_by(10.6, 2), ended_by(11.0, 2)), "holds", "it ended once, by cancel 2"),
    Case(
        "by one that was turned down",
        plus(FIVE, ended_by(10.6, 3)),
        "violated",
        'its record gives "number 3 of 5", and cancel 3 was turned down: HTTP 400',
        10.6,
    ),
    Case(
        "first by one, then by another",
        plus(film(cancelled(), answers(200, 200)), ended_by(10.6, 2), ended_by(11.0, 1)),
        "violated",
        'its record first gave "number 2 of 5", then "number 1 of 5": both took effect',
        11.0,
    ),
    Case(
        "it ended twice",
        plus(FIVE, ended_by(10.6, 2), ended_by(11.0, 2, "2026-11-22T18:52:44.6Z")),
        "violated",
        f"it ended twice: at {AT}, and at 2026-11-22T18:52:44.6Z",
        11.0,
    ),
    Case(
        "it ended twice, and its first record told no time",
        plus(FIVE, ended_by(10.6, 2, None), ended_by(11.0, 2), ended_by(11.4, 2, "2026-11-22T18:52:46Z")),
        "violated",
        f"it ended twice: at {AT}, and at 2026-11-22T18:52:46Z",
        11.4,
    ),
    Case(
        "no record tells a time",
        plus(FIVE, ended_by(10.6, 2, None), ended_by(11.0, 2, None)),
        "holds",
        "it ended once, by cancel 2",
    ),
    Case(
        "its reason is told late",
        plus(FIVE, ended_by(10.6, None), ended_by(11.0, 3)),
        "violated",
        'its record gives "number 3 of 5", and cancel 3 was turned down: HTTP 400',
        11.0,
    ),
    Case(
        "its end is told anew within a moment",
        plus(FIVE, ended_by(10.6, 2), ended_by(11.0, 2, "2026-11-22T18:52:44.5Z")),
        "holds",
        "it ended once, by cancel 2",
    ),
    Case(
        "its end is told late",
        plus(FIVE, ended_by(10.6, 2, None), ended_by(11.0, 2)),
        "holds",
        "it ended once, by cancel 2",
    ),
    Case(
        "it keeps no reason",
        plus(FIVE, ended_by(10.6, None), ended_by(11.0, None)),
        "holds",
        "it ended once",
        observations=("The record does not say which of the cancels at once took effect.",),
    ),
    Case(
        "by one whose answer was lost",
        plus(film(cancelled(), answers(None, 400)), ended_by(10.6, 1), ended_by(11.0, 1)),
        "holds",
        "it ended once, by cancel 1",
    ),
    Case("read once only", plus(FIVE, ended_by(10.6, 2)), "unknown", "no further reading was had"),
    Case("it has not ended", plus(FIVE, saw(10.6, "running", 5.0)), "unknown", "it has not ended yet"),
)
def test_one_takes_effect(case: Case) -> None:
    expected = "of the cancels at once exactly one takes effect"
    case.check(together.one_takes_effect(case.history, B), "one takes effect", expected)


def test_what_is_judged_of_several_at_once_is_the_backtest_that_they_cancel() -> None:
    both = together.judgements(film(FIVE.events, ended_by(10.6, 2), ended_by(11.0, 2), backtest=B), {})
    assert [j.seen for j in both] == ["1 acknowledged, 4 turned down", "it ended once, by cancel 2"]


# --- in the verdict ----------------------------------------------------------------------------------------------


def new_ones(history: History) -> dict[str, Judgement]:
    usual = verdict.judge_all(healthy())
    return {name: j for name, j in verdict.judge_all(history).items() if name not in usual}


def test_a_history_without_such_cancels_is_not_judged_by_them() -> None:
    assert new_ones(healthy()) == {}


@pytest.mark.parametrize("again", [False, True], ids=["as recorded", "read back from its file"])
def test_each_kind_of_cancel_brings_its_own_judgements(again: bool) -> None:
    def names(history: History) -> set[str]:
        return set(new_ones(from_json(history.to_json()) if again else history))

    of_any = {"turned down", "goes on answering", "running unharmed", "list unchanged"}
    assert names(plus(healthy(), in_vain(5.0))) == of_any
    assert names(plus(healthy(), ended(), CANCELLED_DONE)) == of_any | {"ended unchanged", "worker takes the next"}
    assert names(plus(healthy(), answers(200, 400))) == {"each answered", "one takes effect"}
    with_reason = healthy()
    with_reason.about["cancel_body"] = {"reason": WHY, "force": True}  # type: ignore[index]
    assert names(with_reason) == {"reason kept"}
    with_reason.about["cancel_body"] = "damaged"  # type: ignore[index]
    assert names(with_reason) == set()


def test_a_violation_of_one_of_them_makes_the_verdict_failed() -> None:
    found = verdict.judge_all(plus(healthy(), in_vain(5.0, 500)))
    assert verdict.outcome(found, ["acknowledged"]) == "failed"
    assert "Wrong: each cancel that has nothing to cancel" in in_words(healthy(), found)
