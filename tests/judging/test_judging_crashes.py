"""The platform survives the cancel; and, before it, whether there is somebody to cancel anything at all."""

from __future__ import annotations

from typing import Any

import pytest

from ktrdr_qa.judge.crashes import answers_at_all, may_be_breaking, stays_up, who_is_gone
from ktrdr_qa.record.history import Sample, View
from tests.judging.film import NEXT, B, Case, W, cancelled, cases, did, film, health, lost, registry, saw

CUT = cancelled(10.0, 0.5)
RAN = saw(9.9, "running", 4.0)
NO_ANSWER = "no answer within 5.0 s"


def refused(*at_s: float, of: str = B, view: View = "backend") -> list[Sample]:
    return [lost(at, "nothing listens", of=of, view=view, refused=True) for at in at_s]


def broken(*at_s: float, **facts: Any) -> list[Sample]:
    return [lost(at, "HTTP 500: oops", **facts) for at in at_s]


def silent(at_s: float, took_s: float = 5.0, of: str = B, view: View = "backend") -> Sample:
    return lost(at_s, NO_ANSWER, of=of, view=view, took_s=took_s)


BACK = saw(14.0, "cancelled", 0.0)
UP = "it answered all the time after the cancel"


@cases(
    Case("it answers", film(CUT, RAN, BACK), "holds", UP),
    Case(
        "refused for two seconds, and back",
        film(CUT, RAN, refused(11.0, 12.0, 13.0), BACK),
        "violated",
        "it did not answer for 3.0 s, from 1.0 s after the cancel was sent: nothing listens",
        11.0,
    ),
    Case(
        "what was said last is told",
        film(CUT, RAN, refused(11.0, 12.0), broken(13.0), refused(13.2), broken(13.5), BACK),
        "violated",
        "it did not answer for 3.0 s, from 1.0 s after the cancel was sent: HTTP 500: oops",
        11.0,
    ),
    Case(
        "broken answers for two seconds, and back",
        film(CUT, RAN, broken(11.0, 12.0, 13.0), BACK),
        "violated",
        "it did not answer for 3.0 s, from 1.0 s after the cancel was sent: HTTP 500: oops",
        11.0,
    ),
    Case(
        "refused for exactly two seconds, by two readings",
        film(CUT, RAN, refused(11.0, 13.0), saw(13.1, "cancelled")),
        "violated",
        "it did not answer for 2.1 s, from 1.0 s after the cancel was sent: nothing listens",
        11.0,
    ),
    Case("refused for less than two seconds", film(CUT, RAN, refused(11.0, 11.5, 12.9), BACK), "holds", UP),
    Case(
        "one lost reading is a gap, however long it took",
        film(CUT, RAN, silent(11.0, 30.0), saw(42.0, "cancelled")),
        "holds",
        UP,
    ),
    Case(
        "the refusals of the new backtest's readings and of the registry's are the backend's as well",
        film(CUT, RAN, refused(11.0, of=NEXT), refused(13.0, of=W, view="registry"), BACK),
        "violated",
        "it did not answer for 3.0 s, from 1.0 s after the cancel was sent: nothing listens",
        11.0,
    ),
    Case(
        "the readings of a worker are another matter",
        film(
            CUT,
            RAN,
            [refused(11.0, 12.0, 13.0, of=of, view=view) for view, of in (("health", W), ("worker", B), ("list", B))],
        ),
        "holds",
        UP,
    ),
    Case(
        "an answer in between parts two short times",
        film(CUT, RAN, refused(11.0, 12.5), registry(12.6, None), refused(12.7, 14.5), saw(15.0, "cancelled")),
        "holds",
        UP,
    ),
    Case(
        "a 429 is an answer",
        film(CUT, RAN, refused(11.0, 12.5), lost(12.6, "HTTP 429", rate_limited=True), refused(12.7, 14.5), BACK),
        "holds",
        UP,
    ),
    Case(
        "nothing but 429 is nothing but answers",
        film(CUT, RAN, [lost(11.0 + n, "HTTP 429", rate_limited=True) for n in range(20)]),
        "holds",
        UP,
    ),
    Case(
        "a HTTP 404 is an answer",
        film(CUT, RAN, refused(11.0, 12.5), saw(12.6, "missing"), refused(12.7, 14.5), saw(15.0, "cancelled")),
        "holds",
        UP,
    ),
    Case(
        "silent for five seconds, and back",
        film(CUT, RAN, silent(10.5, 3.0), silent(13.5, 2.0), saw(15.75, "cancelled")),
        "violated",
        "it did not answer for 5.2 s, from 0.5 s after the cancel was sent: no answer within 5.0 s",
        10.5,
    ),
    Case(
        "silent for less",
        film(CUT, RAN, silent(10.5, 3.0), silent(13.5, 1.75), saw(15.75, "cancelled")),
        "holds",
        UP,
    ),
    Case(
        "silent, and refused once, is mostly silent",
        film(CUT, RAN, silent(10.5, 3.0), refused(14.0), saw(15.0, "cancelled")),
        "holds",
        UP,
    ),
    Case(
        "silent, and refused twice",
        film(CUT, RAN, silent(10.5, 1.5), refused(12.0, 12.5), BACK),
        "violated",
        "it did not answer for 3.5 s, from 0.5 s after the cancel was sent: nothing listens",
        10.5,
    ),
    Case(
        "who is refused is not silent, whatever the words are",
        film(CUT, RAN, [lost(at, NO_ANSWER + " after it was refused", refused=True) for at in (11.0, 13.0)], BACK),
        "violated",
        "it did not answer for 3.0 s, from 1.0 s after the cancel was sent: no answer within 5.0 s after it was refused",
        11.0,
    ),
    Case(
        "two requests that hang while others are answered",
        film(
            CUT,
            RAN,
            silent(10.75),
            silent(10.75, of=NEXT),
            [registry(10.5 + 0.5 * n, None) for n in range(11)],
            saw(16.0, "cancelled"),
        ),
        "holds",
        UP,
    ),
    Case(
        "and how long none was answered counts from the last that was",
        film(CUT, RAN, silent(10.75), registry(11.0, None), silent(10.75, 6.0, of=NEXT), saw(17.0, "cancelled")),
        "violated",
        "it did not answer for 6.0 s, from 1.0 s after the cancel was sent: no answer within 5.0 s",
        11.0,
    ),
    Case(
        "it lasted until an answer was asked for that came, though that was asked for before the last refusal",
        film(CUT, RAN, refused(11.0, 13.5), saw(13.25, "cancelled", took_s=1.0)),
        "violated",
        "it did not answer for 2.5 s, from 1.0 s after the cancel was sent: nothing listens",
        11.0,
    ),
    Case(
        "it does not answer so far, and may come back",
        film(CUT, RAN, refused(11.0, 12.0, 13.0), until_s=17.9),
        "unknown",
        "it has not answered any more since 1.0 s after the cancel was sent (6.9 s now): nothing listens; "
        "it may come back",
    ),
    Case(
        "it has not come back for seven seconds",
        film(CUT, RAN, refused(11.0, 12.0, 13.0), until_s=18.0),
        "violated",
        "it has not answered any more since 1.0 s after the cancel was sent (7.0 s now): nothing listens",
        11.0,
    ),
    Case(
        "it fell as the cancel was sent, by readings that were under way",
        film(CUT, RAN, silent(9.5, 2.0), refused(12.0, 12.5), BACK),
        "violated",
        "it did not answer for 4.1 s, from 0.0 s after the cancel was sent: nothing listens",
        9.9,
    ),
    Case(
        "it fell up to half a second before the cancel was sent: the reading may have hung",
        film(CUT, saw(9.0, "running"), silent(9.5, 2.0), refused(12.0, 12.5), BACK),
        "violated",
        "it did not answer for 4.5 s, from 0.0 s after the cancel was sent: nothing listens",
        9.5,
    ),
    Case(
        "it fell before the cancel was sent",
        film(CUT, saw(9.0, "running"), silent(9.4, 2.0), refused(12.0, 12.5), BACK),
        "unknown",
        "it did not answer for 4.6 s, from 0.0 s after the cancel was sent: nothing listens; "
        "but it did not answer before the cancel either",
    ),
    Case(
        "it falls now and then, before the cancel as well",
        film(CUT, refused(2.0, 4.0), RAN, refused(11.0, 12.0, 13.0), BACK),
        "unknown",
        "it did not answer for 3.0 s, from 1.0 s after the cancel was sent: nothing listens; "
        "but it did not answer before the cancel either",
    ),
    Case(
        "what was over in the moment of the cancel is no consequence of it",
        film(CUT, refused(5.0, 7.5), saw(10.0, "running", 4.0), BACK),
        "holds",
        UP,
    ),
    Case(
        "the first of two outages is told",
        film(CUT, RAN, refused(11.0, 13.0), BACK, refused(20.0, 22.0), saw(23.0, "cancelled")),
        "violated",
        "it did not answer for 3.0 s, from 1.0 s after the cancel was sent: nothing listens",
        11.0,
    ),
    Case(
        "its record was never read: the registry alone does not tell",
        film(CUT, refused(11.0, 12.0, 13.0, of=W, view="registry"), until_s=30.0),
        "unknown",
        "its record was never read",
    ),
    Case("no cancel was sent", film(RAN, refused(11.0, 13.0), until_s=30.0), "unknown", "no cancel was answered"),
    Case(
        "no cancel was answered so far",
        film(CUT[0], RAN, refused(11.0, 13.0), until_s=30.0),
        "unknown",
        "no cancel was answered",
    ),
    Case(
        "its answer was lost",
        film(CUT[0], RAN, did("cancel_lost", 11.0), refused(11.0, 13.0), until_s=30.0),
        "violated",
        "it has not answered any more since 1.0 s after the cancel was sent (19.0 s now): nothing listens",
        11.0,
    ),
)
def test_stays_up(case: Case) -> None:
    case.check(
        stays_up(case.history, B),
        "stays up",
        "the system is stable: KTRDR goes on answering after the cancel",
    )


def told(*at_s: float, of: str = B, view: View = "backend") -> list[Sample]:
    return [saw(at, "cancelled", 0.0, of=of, view=view) for at in at_s]


def lists_are_read() -> list[Sample]:
    """The registry and the list, every half second from before the cancel to long after it."""
    return [s for n in range(50) for s in (registry(5.0 + 0.5 * n, None), saw(5.1 + 0.5 * n, "x", view="list"))]


def often() -> list[Sample]:
    """Its record read all the time, running until the cancel and cancelled after it."""
    return [saw(0.45 + 0.5 * n, "running", 1.0) for n in range(20)] + told(*(10.7 + 0.4 * n for n in range(29)))


def broken_part(*at_s: float, of: str = B, view: View = "backend") -> list[Sample]:
    return [lost(at, "GET http://x: HTTP 500: oops", of=of, view=view) for at in at_s]


@cases(
    Case(
        "its record alone breaks",
        film(CUT, RAN, told(10.6), broken_part(11.0, 12.0, 13.0), lists_are_read(), until_s=13.0),
        "violated",
        "the backtest's record has not answered any more since 1.0 s after the cancel was sent (2.0 s now): "
        "GET http://x: HTTP 500: oops",
        11.0,
    ),
    Case(
        "its record alone broke, and came back",
        film(CUT, RAN, told(10.6), broken_part(11.0, 12.0, 13.0), told(13.5), lists_are_read()),
        "violated",
        "the backtest's record did not answer for 2.5 s, from 1.0 s after the cancel was sent: "
        "GET http://x: HTTP 500: oops",
        11.0,
    ),
    Case("for less than two seconds", film(CUT, RAN, broken_part(11.0, 12.9), lists_are_read()), "holds", UP),
    Case(
        "its record broke half a second before the cancel was sent, as near as readings tell",
        film(CUT, saw(9.0, "running", 3.0), broken_part(9.5, 11.5), lists_are_read()),
        "violated",
        "the backtest's record has not answered any more since 0.0 s after the cancel was sent (20.1 s now): "
        "GET http://x: HTTP 500: oops",
        9.5,
    ),
    Case(
        "what was broken before the cancel is not its doing, nor is its record's pace",
        film(CUT, saw(9.0, "running", 3.0), broken_part(9.4, 11.5), lists_are_read()),
        "holds",
        UP,
    ),
    Case(
        "a list of workers that never answers tells nothing of the cancel",
        film(CUT, RAN, often(), broken_part(*(2.0 * n for n in range(1, 9)), of=W, view="registry")),
        "holds",
        UP,
    ),
    Case(
        "a list that was first asked for after the cancel, and is not there, is an older KTRDR's",
        film(CUT, RAN, often(), broken_part(11.0, 14.0, view="list")),
        "holds",
        UP,
    ),
    Case(
        "nor is it broken where it answers in the end",
        film(CUT, RAN, often(), broken_part(11.0, 14.0, view="list"), saw(15.0, "cancelled", view="list")),
        "holds",
        UP,
    ),
    Case(
        "it had answered just before",
        film(CUT, RAN, often(), saw(11.0, "cancelled", view="list"), broken_part(11.0, 14.0, view="list")),
        "violated",
        "the list of backtests has not answered any more since 1.0 s after the cancel was sent (10.9 s now): "
        "GET http://x: HTTP 500: oops",
        11.0,
    ),
    Case(
        "but what breaks beside it does",
        film(
            CUT,
            RAN,
            often(),
            broken_part(*(2.0 * n for n in range(1, 9)), of=W, view="registry"),
            saw(9.0, "running", view="list"),
            broken_part(12.0, 14.5, view="list"),
        ),
        "violated",
        "the list of backtests has not answered any more since 2.0 s after the cancel was sent (9.9 s now): "
        "GET http://x: HTTP 500: oops",
        12.0,
    ),
    Case(
        "the record of the new backtest alone breaks",
        film(CUT, RAN, told(10.6, 16.0), broken_part(11.0, 14.0, of=NEXT), lists_are_read(), next_backtest=NEXT),
        "violated",
        "the new backtest's record has not answered any more since 1.0 s after the cancel was sent (18.6 s now): "
        "GET http://x: HTTP 500: oops",
        11.0,
    ),
    Case(
        "the record of another one is another matter",
        film(CUT, RAN, often(), broken_part(11.0, 14.0, of="op_9"), next_backtest=NEXT),
        "holds",
        UP,
    ),
    Case(
        "the list of workers alone breaks",
        film(CUT, RAN, registry(9.0, B), broken_part(11.0, 14.0, of=W, view="registry"), told(*range(11, 16))),
        "violated",
        "the list of workers has not answered any more since 1.0 s after the cancel was sent (4.0 s now): "
        "GET http://x: HTTP 500: oops",
        11.0,
    ),
    Case(
        "the health of its worker alone breaks",
        film(CUT, RAN, health(9.0, B), broken_part(11.0, 14.0, of=W, view="health"), told(*range(11, 16)), worker=W),
        "violated",
        "its worker's health has not answered any more since 1.0 s after the cancel was sent (4.0 s now): "
        "GET http://x: HTTP 500: oops",
        11.0,
    ),
    *(
        Case(
            f"the health of its worker breaks, {words}",
            film(CUT, RAN, health(9.0, B), part, told(*range(11, 16)), worker=W),
            "holds",
            UP,
        )
        for words, part in (
            ("which is another's", broken_part(11.0, 14.0, of="worker_2", view="health")),
            ("since its process is gone: another rule's", refused(11.0, 12.0, 13.0, of=W, view="health")),
        )
    ),
    Case(
        "invalid JSON is no answer",
        film(
            CUT,
            RAN,
            told(10.6),
            [lost(at, "half an answer or invalid JSON: {") for at in (11.0, 14.0)],
            lists_are_read(),
        ),
        "violated",
        "the backtest's record has not answered any more since 1.0 s after the cancel was sent (18.6 s now): "
        "half an answer or invalid JSON: {",
        11.0,
    ),
    Case(
        "a 429 is an answer of its record too",
        film(
            CUT,
            RAN,
            broken_part(11.0, 12.0),
            lost(12.5, "GET http://x: HTTP 429: slower", rate_limited=True),
            broken_part(13.0, 14.0),
            told(14.5),
            lists_are_read(),
        ),
        "holds",
        UP,
    ),
    Case(
        "what a proxy answers for its record alone is a gap",
        film(
            CUT,
            RAN,
            [
                lost(at, "GET http://x: HTTP 502: a proxy answers, KTRDR behind it does not")
                for at in (11.0, 12.0, 14.0)
            ],
            lists_are_read(),
        ),
        "holds",
        UP,
    ),
    Case(
        "what hangs by itself may have to load",
        film(CUT, RAN, silent(11.0), silent(16.0), silent(21.0, 5.0), lists_are_read(), told(27.0)),
        "holds",
        UP,
    ),
    Case(
        "the whole comes first, and an outage of it before the cancel does not hide what breaks after it",
        film(CUT, refused(2.0, 4.5), saw(5.0, "running", 1.0), RAN, broken_part(11.0, 13.5), lists_are_read()),
        "violated",
        "the backtest's record has not answered any more since 1.0 s after the cancel was sent (18.6 s now): "
        "GET http://x: HTTP 500: oops",
        11.0,
    ),
)
def test_what_of_it_breaks_by_itself(case: Case) -> None:
    case.check(stays_up(case.history, B), "stays up", "the system is stable: KTRDR goes on answering after the cancel")


@pytest.mark.parametrize(
    ("of", "view"), [(B, "backend"), (NEXT, "backend"), (W, "registry"), (B, "list")], ids=lambda it: str(it)
)
def test_whatever_was_broken_when_it_was_last_read_may_be_breaking(of: str, view: View) -> None:
    around = (CUT, RAN, told(10.6), lists_are_read(), told(30.0, of=NEXT))
    history = film(around, broken_part(31.0, of=of, view=view), next_backtest=NEXT)
    assert may_be_breaking(history, B)
    assert not may_be_breaking(film(around, next_backtest=NEXT), B)
    healed = told(31.5, of=of, view=view) if view != "registry" else [registry(31.5, None)]
    assert not may_be_breaking(film(around, broken_part(31.0, of=of, view=view), healed, next_backtest=NEXT), B)
    assert not may_be_breaking(film(around, silent(31.0, of=of, view=view), next_backtest=NEXT), B)
    never = film(CUT, RAN, broken_part(31.0, of=of, view=view), next_backtest=NEXT)
    assert may_be_breaking(never, B) is (view == "backend" and of == B), "what never answered is not there"
    slower = lost(31.0, "GET http://x: HTTP 429: slower", of=of, view=view, rate_limited=True)
    assert not may_be_breaking(film(around, slower, next_backtest=NEXT), B)


# --- before the cancel -------------------------------------------------------------------------------------------

KTRDR_GONE = "KTRDR itself is gone: it has not answered for {:.1f} s: {}"
WORKER_GONE = "the worker worker_1 is gone: it refuses connections for {:.1f} s now"


def of_the_worker(*at_s: float) -> list[Sample]:
    return refused(*at_s, of=W, view="health")


@pytest.mark.parametrize(
    ("readings", "told"),
    [
        ([], ""),
        ([saw(1.0, "running")], ""),
        ([saw(1.0, "running"), refused(2.0, 3.0, 4.0)], KTRDR_GONE.format(2.0, "nothing listens")),
        ([saw(1.0, "running"), refused(2.0, 3.0, 3.9)], ""),
        ([refused(2.0, 3.0, 4.0), saw(4.5, "running")], ""),
        ([refused(2.0, 3.0), saw(3.5, "running"), refused(4.0, 4.5, 5.9)], ""),
        ([saw(1.0, "running"), silent(2.0, 2.5), silent(4.5, 2.5)], KTRDR_GONE.format(5.0, NO_ANSWER)),
        ([saw(1.0, "running"), silent(2.0, 2.5), silent(4.5, 2.4)], ""),
        ([saw(1.0, "running"), broken(2.0, 4.0)], KTRDR_GONE.format(2.0, "HTTP 500: oops")),
        ([lost(at, "HTTP 429", rate_limited=True) for at in (2.0, 4.0, 9.0)], ""),
        ([health(1.0, B), of_the_worker(2.0, 3.0, 4.0)], WORKER_GONE.format(2.0)),
        ([health(1.0, B), of_the_worker(2.0, 3.0, 3.9)], ""),
        ([health(1.0, B), of_the_worker(2.0, 4.0)], ""),
        ([of_the_worker(2.0, 3.0), health(3.5, B), of_the_worker(4.0, 4.5, 5.0)], ""),
        ([of_the_worker(1.0), health(2.0, B), of_the_worker(2.0, 3.0, 4.5)], WORKER_GONE.format(2.5)),
        ([of_the_worker(2.0, 3.0), silent(3.5, 0.1, W, "health"), of_the_worker(4.0, 4.5, 5.0)], ""),
        ([of_the_worker(0.0, 1.0, 2.0)], WORKER_GONE.format(2.0)),
        ([of_the_worker(-0.5, 1.0, 1.75)], ""),
        ([refused(2.0, 3.0, 4.5, of="worker_2", view="health")], ""),
        ([refused(2.0, 3.0, 4.5, view="worker")], ""),
        ([refused(2.0, 3.0, 4.5), of_the_worker(2.0, 3.0, 4.5)], KTRDR_GONE.format(2.5, "nothing listens")),
    ],
)
def test_who_is_gone_does_not_answer_of_late(readings: list[Sample], told: str) -> None:
    assert who_is_gone(film(readings), B, W) == told


def test_how_long_a_worker_refuses_counts_to_the_last_answer_that_was_waited_for() -> None:
    late = lost(3.5, "nothing listens", of=W, view="health", refused=True, took_s=0.5)
    assert who_is_gone(film(of_the_worker(2.0, 3.0), late), B, W) == WORKER_GONE.format(2.0)


@pytest.mark.parametrize(
    ("last", "answers"),
    [
        ([], False),
        ([saw(2.0, "running")], True),
        ([Sample("registry", "w", 2.0, 2.0, "busy")], True),
        ([lost(2.0, "HTTP 401: token expired", answered=True)], True),
        ([lost(2.0, "HTTP 401", view="registry", answered=True)], True),
        ([lost(2.0, "connection refused", refused=True)], False),
        ([saw(1.0, "running"), lost(2.0, "connection refused", refused=True)], False),
        ([lost(1.0, "connection refused"), saw(2.0, "running")], True),
        ([lost(1.0, "connection refused"), Sample("health", "w", 2.0, 2.0, "idle")], False),
    ],
)
def test_an_answer_of_no_use_is_one_all_the_same(last: list[Sample], answers: bool) -> None:
    history = film(last)
    assert answers_at_all(history) is answers


def test_what_gives_no_answer_of_use_is_not_called_gone() -> None:
    useless = [lost(1.0 + 0.5 * n, "HTTP 401: token expired", answered=True) for n in range(6)]
    assert who_is_gone(film(saw(0.5, "running"), useless), "", "") == (
        "KTRDR itself has given no answer that can be used for 2.5 s: HTTP 401: token expired"
    )
