"""What a recording of another way to cancel is told as: the rows of its table, and its paragraph in words."""

from __future__ import annotations

from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.in_words import believed, in_words
from ktrdr_qa.judge.table import GROUPS, Row, rows
from ktrdr_qa.judge.ways.all import WAYS
from ktrdr_qa.record.history import History
from tests.judging.film import B, Part, W, cancelled, did, film, healthy, plus, saw, started
from tests.judging.ways.test_cancellation_beside_others import RUNS_ON, beside
from tests.judging.ways.test_endurance import series
from tests.judging.ways.test_every_view_agrees import watched
from tests.judging.ways.test_more_starts_than_workers import accepted, crowded, moves, refused
from tests.judging.ways.test_nothing_to_cancel_and_others import CANCELLED_DONE, answers, ended, in_vain

REASON = {"reason": "the spread of May was wrong", "force": True}


def told(history: History, *asked: str) -> dict[str, Row]:
    return {row.check: row for row in rows(verdict.judge_all(history), asked)}


def words(history: History) -> str:
    return in_words(history, verdict.judge_all(history))


def restarted(*parts: Part, service: str = "worker") -> History:
    """Restarted in mid-run at 10.0 to 10.5 s, and cancelled by nobody."""
    events = [
        did(kind, at_s, service=service, worker=W) for kind, at_s in (("restart_begun", 10.0), ("restarted", 10.5))
    ]
    return film(
        [
            started(),
            saw(8.0, "running", 10.0),
            saw(9.0, "running", 20.0),
            events,
            saw(11.0, "failed"),
            saw(12.3, "failed"),
        ],
        [
            did("next_accepted", 12.0, "op_2", took_s=0.1),
            saw(12.2, "running", 3.0, of="op_2"),
            saw(12.5, "running", 6.0, of="op_2"),
        ],
        parts,
        backtest=B,
        next_backtest="op_2",
        worker=W,
        candidate="EURUSD 1d",
    )


def raced() -> History:
    tries = [
        [did("race_try", 10.0 * n, f"op_{n}", number=n, offset_s=0.1), cancelled(10.0 * n, of=f"op_{n}", status="")]
        for n in (1, 2)
    ]
    ends = [saw(10.2, "cancelled", of="op_1"), saw(20.2, "completed", 100.0, of="op_2")]
    return film(did("race_begun", 0.0, "", tries=2), tries, ends, backtest="op_2", candidate="EURUSD 1d")


EVERY_WAY = (
    raced(),
    restarted(),
    watched(),
    beside(RUNS_ON, did("follower_started", 11.0, "op_3")),
    crowded(accepted("op_3"), moves("op_3"), refused()),
    series(),
    plus(healthy(), ended(), in_vain(5.0), CANCELLED_DONE),
    film(cancelled(), answers(200, 400), backtest=B),
    film(cancelled(), backtest=B, cancel_body=REASON),
    film(did("second_cancel_answered", 12.0, http=400), backtest=B),
)


# --- the table -------------------------------------------------------------------------------------------------


def test_every_rule_of_every_way_has_a_row() -> None:
    shown = {name for _, checks in GROUPS for names in checks.values() for name in names}
    made = {j.name for way in WAYS for history in EVERY_WAY for j in way.judgements(history, verdict.LIMITS_S)}
    assert made <= shown
    assert {name for way in WAYS for names in way.checks.values() for name in names} == made


def test_the_rows_of_its_way_come_first() -> None:
    shown = rows(verdict.judge_all(restarted()), ())
    assert [row.kind for row in shown][:3] == ["restart"] * 2 + ["criterion"]


def test_a_restart_in_mid_run_is_not_told_that_no_cancel_was_sent() -> None:
    shown = told(restarted(), "ended", "next accepted", "next runs")
    assert not [row for row in shown.values() if "no cancel was" in row.seen]
    assert shown["It has ended, or could be cancelled"].verdict == "holds"
    assert shown["New operations work immediately"].verdict == "holds"
    assert "Cancel request succeeds" not in shown


def test_what_a_sentence_asked_for_and_is_not_known_stands_there() -> None:
    shown = told(restarted(), "cancelled", "back")
    assert shown["Status changes to cancelled/failed"].verdict == "unknown"
    assert shown["What was restarted is back"].verdict == "unknown"
    assert "What was restarted is back" not in told(restarted(), "cancelled")


def test_what_is_broken_stands_there_whoever_asked() -> None:
    shown = told(restarted(saw(13.0, "running", 30.0)))
    assert shown["It has ended, or could be cancelled"].verdict == "violated"


def test_where_nobody_noted_what_was_asked_for_everything_stands_there() -> None:
    assert len(rows(verdict.judge_all(restarted()))) == 3 + 5 + 3 + 3


def test_the_recipe_is_told_whole_whatever_was_asked_for() -> None:
    assert len(rows(verdict.judge_all(film(started(), backtest=B)), ())) == 11


def test_a_race_is_not_told_by_the_last_of_its_tries() -> None:
    shown = told(raced(), "one end", "met the end")
    assert {row.kind for row in shown.values()} == {"race"}
    assert shown["Each ended in one way: cancelled or completed"].verdict == "holds"


def test_a_witness_that_could_not_tell_of_a_cancel_keeps_its_row() -> None:
    history = film(started(), cancelled(), saw(10.2, "cancelled"), backtest=B, worker=W, cancel_body=REASON)
    shown = told(history, "reason kept")
    assert shown["The worker's processor is quiet"].verdict == "unknown"
    assert "New operations work immediately" not in shown


# --- in words --------------------------------------------------------------------------------------------------


def test_a_restart_in_words() -> None:
    told = words(restarted())
    assert told == (
        f"A backtest of EURUSD 1d was started. The worker {W} was restarted in mid-run. "
        'The backtest: it was "failed" 0.5 s after the restart, by itself. '
        "The next backtest was accepted at once and ran 0.50 s after its start."
    )
    of_backend = restarted(did("cancel_interrupted", 9.9), service="backend")
    assert "KTRDR's backend was restarted while the backtest was being cancelled; it answered 0.50 s " in words(
        of_backend
    )


def test_a_race_in_words() -> None:
    assert words(raced()) == (
        "2 backtests of EURUSD 1d were cancelled as they were about to end, one after the other. "
        "They ended as 1 cancelled, 1 completed."
    )


def test_a_reason_in_words() -> None:
    history = film(
        [started(), saw(9.0, "running", 20.0), cancelled()],
        [saw(10.2 + n, "cancelled", error_message=REASON["reason"]) for n in range(2)],
        backtest=B,
        candidate="EURUSD 1d",
        cancel_body=REASON,
    )
    assert words(history).startswith(
        "A backtest of EURUSD 1d was started. At 20.0 % the cancel was sent by force, "
        'with the reason "the spread of May was wrong". KTRDR acknowledged it after 0.10 s '
    )
    assert words(history).endswith(" Its record gives the reason.")


def test_several_at_once_in_words() -> None:
    history = film(saw(9.0, "running", 20.0), cancelled(), answers(400, 200, 400), saw(10.5, "cancelled"), backtest=B)
    assert "At 20.0 % 3 cancels were sent at the same moment. " in words(history)
    assert "1 acknowledged, 2 turned down." in words(history)


def test_backtests_in_a_row_in_words() -> None:
    history = series()
    history.about["in_a_row"] = "51 of 51"  # type: ignore[index]
    assert "was started, number 51 of 51, one after the other." in words(history)
    assert "A cancel took " in words(history)


def test_what_a_verdict_rests_on_where_no_cancel_was_what_it_was_about() -> None:
    assert believed(verdict.judge_all(restarted())) == "what the backend says of it"
    assert believed(verdict.judge_all(raced())) == "what the backend says of it"
    assert believed(verdict.judge_all(watched())).startswith("the ")
