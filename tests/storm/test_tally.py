"""What a storm comes to: never green where little was learnt, and KTRDR's failures come first."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from storm import tally


@dataclass
class Row:
    method: str
    name: str
    num_requests: int
    num_failures: int = 0

    def get_response_time_percentile(self, percent: float) -> float:
        return 1000 * percent


GOOD = [Row(tally.HISTORY, "patient", 10), Row(tally.HISTORY, "impatient", 5)]


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        (GOOD, "passed"),
        ([], "inconclusive"),
        ([Row(tally.HISTORY, tally.PLACE, 4)], "inconclusive"),
        ([Row("POST", tally.REFUSED, 500)], "inconclusive"),
        ([*GOOD, Row(tally.NOT_JUDGED, "frozen unknown", 15)], "passed"),
        ([*GOOD, Row(tally.NOT_JUDGED, "frozen unknown", 16)], "inconclusive"),
        ([*GOOD, Row(tally.HISTORY, "place at the end", 3, 1)], "failed"),
        ([*GOOD, Row(tally.START, "start", 1, 1)], "failed"),
        ([*GOOD, Row(tally.SUITE, "error", 1, 1)], "suite error"),
        ([*GOOD, Row(tally.SUITE, "error", 1, 1), Row(tally.HISTORY, "reader", 1, 1)], "failed"),
        ([*GOOD, Row("GET", "record", 100, 3)], "passed"),
    ],
)
def test_the_outcome(rows: list[Row], outcome: str) -> None:
    counted = tally.of(rows)
    assert counted.outcome == outcome
    assert tally.EXIT_STATUS[counted.outcome] == ["passed", "failed", "inconclusive", "suite error"].index(outcome)


def test_the_words() -> None:
    rows = [
        *GOOD,
        Row(tally.HISTORY, "place at the end", 2, 1),
        Row(tally.RULE, "place free", 2, 1),
        Row(tally.RULE, "frozen", 15),
        Row(tally.NOT_JUDGED, "over before its cancel", 4),
        Row(tally.MEASURED, "cancel acknowledged", 15),
        Row("POST", tally.REFUSED, 7),
        Row("GET", "record", 30, 1),
    ]
    assert tally.of(rows).in_words() == (
        "17 histories judged (impatient 5, patient 10, place at the end 2); 1 violated (place free 1); "
        "4 not judged (over before its cancel 4); cancel acknowledged 500 ms (95 %: 950); "
        "7 starts refused for want of a place; 37 requests, 1 of them lost"
    )
