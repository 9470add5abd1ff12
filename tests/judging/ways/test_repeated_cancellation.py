"""The second cancel of a backtest: it does no harm, and the record stays as it was."""

from __future__ import annotations

from ktrdr_qa.judge.ways.repeated_cancellation import judgements
from ktrdr_qa.record.history import History, Sample
from tests.judging.film import B, Case, cancelled, cases, did, film, saw

END, END_ANEW = ({"completed_at": f"2026-11-22T18:52:{second}Z"} for second in ("44", "45"))


def twice(*after: Sample) -> History:
    """Cancelled, cancelled once more at 11.9 s and turned down at 12 s, with what was seen after that."""
    second = did("second_cancel_answered", 12.0, http=400, words="no", sent_s=11.9)
    return film(saw(11.0, "cancelled", **END), saw(11.9, "cancelled", **END), second, *after, backtest=B)


@cases(
    *(
        Case(
            f"turned down with HTTP {http}",
            film(did("second_cancel_answered", 12.0, http=http, words="already cancelled"), backtest=B),
            "holds",
            "it was turned down: already cancelled",
        )
        for http in (400, 404, 409, 410, 422)
    ),
    Case(
        "acknowledged again",
        film(did("second_cancel_answered", 12.0, http=200, words=""), backtest=B),
        "holds",
        "it was acknowledged once more",
        observations=("A second cancel of the same backtest was acknowledged once more with HTTP 200.",),
    ),
    Case(
        "its answer was lost",
        film(did("second_cancel_answered", 12.0, http=None, words="no answer within 5.0 s"), backtest=B),
        "unknown",
        "it had no answer of its own: no answer within 5.0 s",
    ),
    Case(
        "turned away for a limit of requests",
        film(did("second_cancel_answered", 12.0, http=429, words="HTTP 429: Too many requests"), backtest=B),
        "unknown",
        "it had no answer of its own: HTTP 429: Too many requests",
    ),
    Case(
        "an error of the server",
        film(did("second_cancel_answered", 12.0, http=500, words="HTTP 500: oops"), backtest=B),
        "violated",
        "it was answered HTTP 500: oops",
        12.0,
    ),
    Case(
        "turned down, and the end set anew",
        twice(saw(12.3, "cancelled", **END_ANEW)),
        "violated",
        "completed_at changed from '2026-11-22T18:52:44Z' to '2026-11-22T18:52:45Z', 0.4 s after it was sent",
        12.3,
    ),
    Case(
        "turned down, and called something else",
        twice(saw(11.9, "failed", took_s=0.2)),
        "violated",
        'the status turned from "cancelled" to "failed", 0.2 s after it was sent',
        12.1,
    ),
    Case(
        "what a list or a replica that lags says, and what was asked for before it, is not held against it",
        twice(saw(11.8, "failed", took_s=0.2), saw(12.3, "running", 5.0), saw(12.4, "failed", in_list=True)),
        "holds",
        "it was turned down: no",
    ),
    Case(
        "an older history does not say when it was sent",
        film(saw(12.0, "cancelled"), did("second_cancel_answered", 12.0, http=400), saw(12.1, "failed"), backtest=B),
        "violated",
        'the status turned from "cancelled" to "failed", 0.1 s after it was sent',
        12.1,
    ),
    Case(
        "turned down without a word",
        film(did("second_cancel_answered", 12.0, http=400), backtest=B),
        "holds",
        "it was turned down: ",
    ),
)
def test_second_cancel(case: Case) -> None:
    (judgement,) = judgements(case.history, {})
    case.check(judgement, "second cancel", "a second cancel of the same backtest does no harm")


def test_one_cancel_is_no_second_one() -> None:
    assert not list(judgements(film(cancelled(), backtest=B), {}))
