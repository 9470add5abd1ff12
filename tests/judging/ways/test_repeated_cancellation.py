"""The second cancel of a backtest: it does no harm."""

from __future__ import annotations

from ktrdr_qa.judge.ways.repeated_cancellation import judgements
from tests.judging.film import B, Case, cancelled, cases, did, film


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
