"""A restart in mid-run and in mid-cancel: what is accepted of KTRDR afterwards, and what is not."""

from __future__ import annotations

from typing import Any

from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways import restart as restarts
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import Event, History
from tests.judging.film import B, Case, Part, W, cases, did, film, health, lost, registry, saw, started

LIMITS = {"back_s": 5.0, "known_again_s": 4.0, "cancelled_s": 2.0}
RAN = (started(), saw(8.0, "running", 10.0), saw(9.0, "running", 20.0))
"""Restarted at 10.0 to 10.5."""


def restarted(service: str = "backend") -> tuple[Event, Event]:
    return tuple(
        did(kind, at_s, service=service, worker=W) for kind, at_s in (("restart_begun", 10.0), ("restarted", 10.5))
    )  # type: ignore[return-value]


def orphan_cancelled(at_s: float, http: int = 200, words: str = "") -> Event:
    return did("orphan_cancelled", at_s, http=http, words=words)


def after(*parts: Part, service: str = "backend") -> Any:
    return film(RAN, restarted(service), parts, backtest=B, worker=W, limits=LIMITS)


EXPECTED = {
    "back": "the backend is back within 5 s of its restart",
    "known again": "the backtest has a record within 4 s of the restart of the backend",
    "ended": "the backtest has ended, at the latest 2.0 s after its cancel, although the backend was restarted",
    "stays ended": "a backtest that has ended does not come back to life, not even by a restart",
    "truly ended": "a backtest whose worker was restarted is not called completed",
}


def judged(name: str, case: Case) -> None:
    found: Judgement = verdict.judge_all(case.history)[name]
    of_worker = any(e.facts.get("service") == "worker" for e in case.history.events)
    assert found.expected == EXPECTED[name].replace(*("backend", f"worker {W}") if of_worker else ("", ""))
    assert (found.verdict, found.seen, found.at_s) == (case.verdict, case.seen, case.at_s)


def test_a_history_without_a_restart_is_not_asked() -> None:
    assert "back" not in verdict.judge_all(film(RAN, backtest=B))


def test_how_long_it_was_away_is_a_figure() -> None:
    assert dict(verdict.judge_all(after(saw(11.0, "running")))["back"].figures) == {"back_s": 0.5}


def test_until_the_restart_is_all_that_was_known_as_it_began() -> None:
    before = (saw(9.0, "running", 20.0), saw(10.0, "running", 30.0))
    begun, done = restarted()
    kept = restarts.until_restart(film(before, saw(9.9, "failed", took_s=0.2), begun, done, backtest=B))
    assert kept == History(before, (begun,), 10.0, {"backtest": B})
    assert restarts.until_restart(film(before)) == film(before)


def test_the_last_word_before_a_worker_was_killed_is_told() -> None:
    history = after(saw(9.5, "running", 25.0), saw(12.0, "completed", 100.0), service="worker")
    assert verdict.judge_all(history)["truly ended"].seen.startswith(
        'it was "running" at 25.0 % when its worker was killed'
    )


def test_what_comes_after_a_restart_says_nothing_about_the_run_up() -> None:
    """The backend of a restarted KTRDR may show it pending, at 0 %, or not yet at all."""
    history = after(saw(10.6, "pending", 0.0), saw(11.0, MISSING), saw(12.0, "failed"))
    assert verdict.judge_all(history)["moving"].holds and verdict.judge_all(history)["running"].holds


BACK = [registry(11.0, B), health(11.2, None)]


@cases(
    Case(
        "it answers",
        after(lost(10.6), saw(11.0, "running", 20.0)),
        "holds",
        "it answered 0.50 s after it was restarted",
    ),
    Case(
        "that it has no record is an answer",
        after(saw(11.0, MISSING)),
        "holds",
        "it answered 0.50 s after it was restarted",
    ),
    Case("nothing yet", after(lost(12.0, "refused")), "unknown", "it has not answered yet"),
    Case("it stays away", after(lost(12.0), lost(16.0, "refused")), "violated", "5.5 s later: refused", 16.0),
    Case("it came late", after(lost(16.0, "refused"), saw(17.0, "running")), "violated", "5.5 s later: refused", 16.0),
    Case(
        "a worker that is heard and listed",
        after(BACK, service="worker"),
        "holds",
        "it answered 0.70 s after it was restarted",
    ),
    Case(
        "one that is only listed",
        after(health(9.0, B), registry(11.0, B), service="worker"),
        "unknown",
        "it has not answered yet",
    ),
    Case(
        "one that does not come back",
        after(health(9.0, B), registry(16.0, B), lost(16.0, "refused", of=W, view="health"), service="worker"),
        "violated",
        "5.5 s later: refused",
        16.0,
    ),
    Case(
        "one that is not listed any more",
        after(health(11.0, None), registry(9.0, B), registry(16.0, None, MISSING), service="worker"),
        "violated",
        "5.5 s later: it is not registered",
        16.0,
    ),
    Case(
        "a registry that cannot be read tells nothing of it, for so long as it may",
        after(
            BACK, lost(10.6, of="", view="registry"), lost(15.5, "refused", of="", view="registry"), service="worker"
        ),
        "holds",
        "it answered 0.70 s after it was restarted",
    ),
    Case(
        "a registry that cannot be read any more",
        after(registry(9.0, B), health(11.2, None), lost(16.0, "refused", of="", view="registry"), service="worker"),
        "violated",
        "5.5 s later: refused",
        16.0,
    ),
    Case(
        "another worker is listed, and this one is not",
        after(
            health(11.0, None),
            registry(9.0, B),
            registry(11.0, None, worker="w2"),
            registry(16.0, None, MISSING),
            service="worker",
        ),
        "violated",
        "5.5 s later: it is not registered",
        16.0,
    ),
    Case(
        "another worker that does not come back",
        after(BACK, health(9.0, None, "w2"), lost(16.0, of="w2", view="health"), service="worker"),
        "holds",
        "it answered 0.70 s after it was restarted",
    ),
    Case(
        "a record of the worker's that is missing is no registry's word",
        after(health(9.0, B), saw(11.0, MISSING, of=W, view="health"), service="worker"),
        "holds",
        "it answered 0.50 s after it was restarted",
    ),
    Case(
        "silent at the very limit",
        after(lost(15.5, "refused"), saw(16.0, "running")),
        "holds",
        "it answered 5.50 s after it was restarted",
    ),
    Case(
        "silent twice after it",
        after(lost(15.6, "slow"), lost(16.0, "refused"), saw(17.0, "running")),
        "violated",
        "5.5 s later: refused",
        15.6,
    ),
    Case(
        "asked while it was restarted",
        after(lost(10.4, "refused"), saw(10.5, "running"), lost(17.0, "refused")),
        "holds",
        "it answered 0.00 s after it was restarted",
    ),
    Case("a worker that nobody can ask", after(service="worker"), "unknown", "it has not answered yet"),
)
def test_back(case: Case) -> None:
    judged("back", case)


@cases(
    Case("at once", after(saw(11.0, "running", 20.0)), "holds", 'it was "running" at 20.0 % 0.50 s later'),
    Case("after a while", after(saw(11.0, MISSING), saw(13.0, "failed")), "holds", 'it was "failed" 2.50 s later'),
    Case("not yet", after(saw(11.0, MISSING)), "unknown", "it could not be read yet"),
    Case(
        "forgotten",
        after(saw(11.0, MISSING), saw(15.0, MISSING)),
        "violated",
        "KTRDR has no record of it (HTTP 404) 4.5 s later (2 readings)",
        15.0,
    ),
    Case(
        "there, and gone again",
        after(saw(11.0, "running"), saw(12.0, MISSING), saw(12.5, MISSING), saw(13.0, MISSING)),
        "violated",
        "its record was there, and is gone again (HTTP 404, 3 readings)",
        12.0,
    ),
    Case(
        "there, and perhaps gone again",
        after(saw(11.0, "running"), saw(12.0, MISSING), saw(12.9, MISSING)),
        "holds",
        'it was "running" 0.50 s later',
    ),
    Case(
        "one replica of two that never gets it",
        after([saw(11.0 + 0.5 * n, MISSING if n % 2 else "running") for n in range(20)]),
        "holds",
        'it was "running" 0.50 s later',
    ),
    Case("as it was restarted", after(saw(10.5, "running", 20.0)), "holds", 'it was "running" at 20.0 % 0.00 s later'),
    Case(
        "missing on one replica and there on the other",
        after(saw(15.0, "running"), saw(15.0, MISSING)),
        "holds",
        'it was "running" 4.50 s later',
    ),
    Case(
        "missing at the very limit",
        after(saw(14.5, MISSING), saw(14.6, "running")),
        "holds",
        'it was "running" 4.10 s later',
    ),
    Case(
        "there too late",
        after(saw(14.6, MISSING), saw(15.0, MISSING), saw(15.1, "running")),
        "violated",
        "KTRDR has no record of it (HTTP 404) 4.5 s later (3 readings)",
        14.6,
    ),
    Case(
        "a replica that lags",
        after(saw(11.0, "running"), saw(11.2, MISSING), saw(11.4, "running")),
        "holds",
        'it was "running" 0.50 s later',
    ),
)
def test_known_again(case: Case) -> None:
    judged("known again", case)


@cases(
    Case("by itself", after(saw(12.0, "failed")), "holds", 'it was "failed" 1.5 s after the restart, by itself'),
    Case(
        "as an orphan that was cancelled",
        after(saw(13.0, "running", 20.0), orphan_cancelled(13.5), saw(14.0, "cancelled", 0.0)),
        "holds",
        'it was "cancelled" at 0.0 % 3.5 s after the restart, by a cancel that was sent after it',
    ),
    Case("not yet", after(saw(13.0, "running", 20.0)), "unknown", "it has not ended yet"),
    Case(
        "its cancel is under way",
        after(orphan_cancelled(13.5), saw(14.0, "running")),
        "unknown",
        "it has not ended yet; its cancel was answered 200",
    ),
    Case(
        "an orphan that cannot be cancelled",
        after(orphan_cancelled(13.5, 500, "HTTP 500"), saw(14.0, "running", 20.0), saw(15.6, "running", 20.0)),
        "violated",
        'it is still "running" at 20.0 % 2.1 s later; its cancel was answered HTTP 500',
        15.6,
    ),
    Case(
        "cancelled too late",
        after(orphan_cancelled(13.5), saw(15.6, "running", 20.0), saw(16.0, "cancelled", 0.0)),
        "violated",
        'it is still "running" at 20.0 % 2.1 s later; its cancel was answered 200',
        15.6,
    ),
    Case(
        "as an orphan whose end was read at the very limit",
        after(orphan_cancelled(13.5), saw(15.5, "cancelled", 0.0)),
        "holds",
        'it was "cancelled" at 0.0 % 5.0 s after the restart, by a cancel that was sent after it',
    ),
    Case(
        "an end that was read late, and nothing before it",
        after(orphan_cancelled(13.5), saw(15.5, "running"), saw(15.6, MISSING), saw(15.7, "cancelled", 0.0)),
        "unknown",
        "it has not ended yet; its cancel was answered 200",
    ),
    Case(
        "still there, and again",
        after(orphan_cancelled(13.5), saw(15.6, "running", 20.0), saw(16.5, "running", 21.0)),
        "violated",
        'it is still "running" at 21.0 % 3.0 s later; its cancel was answered 200',
        15.6,
    ),
    Case(
        "before the restart only",
        film(RAN, saw(9.9, "cancelled", 0.0), restarted(), backtest=B, limits=LIMITS),
        "unknown",
        "it has not ended yet",
    ),
)
def test_ended(case: Case) -> None:
    judged("ended", case)


def interrupted(http: int | None) -> Event:
    return did("cancel_interrupted", 10.1, http=http)


@cases(
    Case("it stays", after(saw(12.0, "failed"), saw(13.1, "failed")), "holds", 'it stayed "failed"'),
    Case(
        "not read any more",
        after(saw(12.0, "failed"), saw(13.0, "failed"), saw(14.0, MISSING)),
        "unknown",
        'it was "failed", and was not read for 1 s after that',
    ),
    Case("not ended", after(saw(12.0, "running")), "unknown", "it has not ended yet"),
    Case(
        "it comes back to life",
        after(saw(12.0, "cancelled", 0.0), saw(13.1, "running", 5.0)),
        "violated",
        'it was "cancelled" at 0.0 %, and after the restart "running" at 5.0 % again',
        13.1,
    ),
    Case(
        "a replica that lags",
        after(
            saw(12.0, "cancelled", 0.0), saw(12.4, "running", 5.0), saw(13.0, "running", 5.0), saw(13.1, "cancelled")
        ),
        "holds",
        'it stayed "cancelled"',
    ),
    Case(
        "it came back to life before the restart",
        film(RAN, saw(9.1, "failed"), saw(10.2, "running", 5.0), restarted(), backtest=B, limits=LIMITS),
        "violated",
        'it was "failed", and before the restart "running" at 5.0 % again',
        10.2,
    ),
    Case(
        "it came back to life as the service did",
        film(RAN, saw(9.1, "failed"), saw(10.5, "running", 5.0), restarted(), backtest=B, limits=LIMITS),
        "violated",
        'it was "failed", and before the restart "running" at 5.0 % again',
        10.5,
    ),
    Case(
        "a cancel that was acknowledged has until the limit after the restart",
        after(interrupted(200), saw(12.5, "running", 20.0), saw(13.0, "cancelled"), saw(14.1, "cancelled")),
        "holds",
        'it stayed "cancelled"',
    ),
    Case(
        "one that was acknowledged after the restart has until the limit after that",
        after(
            did("cancel_interrupted", 11.0, http=200),
            saw(13.0, "running", 20.0),
            saw(13.2, "cancelled"),
            saw(14.3, "cancelled"),
        ),
        "holds",
        'it stayed "cancelled"',
    ),
    Case(
        "the restart undoes its end",
        film(RAN, saw(9.9, "cancelled", 0.0), restarted(), saw(11.0, "running", 5.0), backtest=B, limits=LIMITS),
        "violated",
        'it was "cancelled" at 0.0 %, and after the restart "running" at 5.0 % again',
        11.0,
    ),
    Case(
        "a cancel that was acknowledged is lost in the restart",
        after(interrupted(200), saw(12.0, "running", 20.0), saw(12.6, "running", 21.0)),
        "violated",
        'its cancel was acknowledged with HTTP 200, and after the restart it is "running" at 21.0 %',
        12.6,
    ),
    Case(
        "one that was not acknowledged may be",
        after(interrupted(None), saw(12.6, "running", 21.0), saw(13.0, "failed"), saw(14.1, "failed")),
        "holds",
        'it stayed "failed"',
    ),
    Case(
        "a gap in its records is none",
        after(saw(12.0, "failed"), saw(12.5, MISSING), saw(13.1, "failed")),
        "holds",
        'it stayed "failed"',
    ),
)
def test_stays_ended(case: Case) -> None:
    judged("stays ended", case)


KILLED = 'it was "running" at 20.0 % when its worker was killed, and then "completed" at 100.0 %'


@cases(
    Case("failed", after(saw(12.0, "failed"), service="worker"), "holds", 'it was called "failed"'),
    Case("not ended", after(saw(12.0, "running"), service="worker"), "unknown", "it has not ended yet"),
    Case("completed by nobody", after(saw(12.0, "completed", 100.0), service="worker"), "violated", KILLED, 12.0),
    Case(
        "completed by nobody, after it stood still",
        after(saw(11.0, "running", 20.0), saw(12.0, "completed", 100.0), service="worker"),
        "violated",
        KILLED,
        12.0,
    ),
    Case(
        "completed by nobody, after the last that was known of it was told late",
        after(saw(11.0, "running", 21.0), saw(12.0, "completed", 100.0), service="worker"),
        "violated",
        KILLED,
        12.0,
    ),
    Case(
        "completed, having been resumed",
        after(saw(11.0, "running", 30.0), saw(11.5, "running", 40.0), saw(12.0, "completed", 100.0), service="worker"),
        "holds",
        'it was called "completed"',
    ),
    Case(
        "completed by its worker, which was not restarted",
        after(saw(12.0, "completed", 100.0)),
        "holds",
        'it was called "completed"',
    ),
)
def test_truly_ended(case: Case) -> None:
    judged("truly ended", case)
