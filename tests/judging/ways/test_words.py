"""What each way says of a recording in which it was tried, to the letter; of any other it says nothing."""

from __future__ import annotations

import pytest

from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways.all import WAYS
from ktrdr_qa.record.history import Event, History
from tests.judging.film import B, cancelled, did, film, healthy, plus, saw
from tests.judging.test_judging_table import raced, restarted
from tests.judging.ways.test_cancellation_beside_others import RUNS_ON, beside
from tests.judging.ways.test_endurance import series
from tests.judging.ways.test_every_view_agrees import watched
from tests.judging.ways.test_more_starts_than_workers import accepted, crowded, moves, refused
from tests.judging.ways.test_nothing_to_cancel_and_others import FIVE, ended_by, in_vain


def tries(*numbers: int) -> list[Event]:
    sent = [did("race_try", 10.0 * n, f"op_{n}", number=n, offset_s=0.1) for n in numbers]
    return [*sent, *(e for n in numbers for e in cancelled(10.0 * n, of=f"op_{n}", status=""))]


THREE_ENDS = [
    saw(10.2, "cancelled", of="op_1"),
    saw(20.2, "completed", 100.0, of="op_2"),
    saw(30.2, "failed", of="op_3"),
]
BEGUN = "were cancelled as they were about to end, one after the other."
NEXT = Judgement("next keeps pace", "holds", "", "op_3 completed")
TWO = film(beside(RUNS_ON).samples, beside(RUNS_ON).events, did("neighbour_started", 1.0, "op_8"), backtest=B)
ONE_BESIDE = "Meanwhile 1 other backtest was running on the other worker."
IT_ENDED = 'The backtest: it was "failed" 0.5 s after the restart, by itself.'


@pytest.mark.parametrize(
    ("kind", "history", "found", "words"),
    [
        ("race", raced(), {}, [f"2 backtests of EURUSD 1d {BEGUN}", "They ended as 1 cancelled, 1 completed."]),
        (
            "race",
            film(did("race_begun", 0.0, "", tries=4), tries(1, 2, 3), THREE_ENDS, backtest="op_2"),
            {},
            [
                f"3 of 4 backtests of unknown data {BEGUN}",
                "So far as they have ended, they ended as 1 cancelled, 1 completed, 1 failed.",
            ],
        ),
        (
            "race",
            film(did("race_begun", 0.0, "", tries=2), backtest="op_2"),
            {},
            [f"0 of 2 backtests of unknown data {BEGUN}"],
        ),
        (
            "beside others",
            beside(RUNS_ON),
            {},
            [ONE_BESIDE, "After the cancel op_9 made 8.0 % in 5.0 s, and 10.0 % was due."],
        ),
        (
            "beside others",
            TWO,
            {"next keeps pace": NEXT},
            [
                "Meanwhile 2 other backtests were running on the other workers.",
                "The same backtest was started once more on its worker: op_3 completed.",
            ],
        ),
        (
            "too many starts",
            crowded(accepted("op_3"), moves("op_3"), refused()),
            {},
            [
                "2 more were started at the same moment, on 2 workers.",
                "1 was accepted and 1 refused, 'No backtesting workers available'.",
                "None of 1 failed in 8 s; 0 have ended.",
            ],
        ),
        (
            "every view",
            watched(),
            {},
            [
                "All the time every view of it was read: its record, the list, its filters and pages, and its worker's own record.",
                "7 readings of the list and its filters agree with the record (29 readings).",
            ],
        ),
        (
            "nothing to cancel",
            plus(healthy(), in_vain(5.0, what="one"), in_vain(5.1, 422, what="two"), in_vain(5.2, what="three")),
            {},
            ["Cancels were sent of one, two and three: 3 were turned down with HTTP 404, 422."],
        ),
        ("nothing to cancel", plus(healthy(), in_vain(5.0, 500, what="one")), {}, ["A cancel was sent of one."]),
        (
            "with a reason",
            healthy(),
            {"reason kept": Judgement("reason kept", "holds", "", "it gives it")},
            ["Its record gives the reason."],
        ),
        (
            "several at once",
            film(FIVE.events, ended_by(10.6, 2), ended_by(11.6, 2), backtest=B),
            {},
            ["1 acknowledged, 4 turned down.", "It ended once, by cancel 2."],
        ),
        ("in a row", series(), {}, ["A cancel took 0.05 s at the beginning and 0.05 s at the end of 51."]),
        ("restart", restarted(), {}, ["The worker worker_1 was restarted in mid-run.", IT_ENDED]),
        (
            "restart",
            restarted(did("cancel_interrupted", 9.9)),
            {},
            ["The worker worker_1 was restarted while the backtest was being cancelled.", IT_ENDED],
        ),
        (
            "restart",
            restarted(service="backend"),
            {},
            ["KTRDR's backend was restarted in mid-run; it answered 0.50 s after it was restarted.", IT_ENDED],
        ),
    ],
)
def test_a_way_in_words(kind: str, history: History, found: dict[str, Judgement], words: list[str]) -> None:
    told = {**verdict.judge_all(history), **found}
    (way,) = [way for way in WAYS if way.kind == kind]
    assert list(way.in_words(history, told)) == words
    assert not [other.kind for other in WAYS if other.kind != kind and list(other.in_words(history, told))]


def test_a_recording_of_the_recipe_is_told_by_no_way() -> None:
    assert not [way.kind for way in WAYS if list(way.in_words(healthy(), verdict.judge_all(healthy())))]
