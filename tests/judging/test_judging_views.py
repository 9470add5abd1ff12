"""The views: list, filters, pages and worker agree with the record, a replica's lag and a refresh aside."""

from __future__ import annotations

from typing import Any

import pytest

from ktrdr_qa.judge import verdict, views
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.record.history import History, Sample
from tests.judging.film import OTHER, B, Part, W, cancelled, did, film, saw, started


def listing(at_s: float, question: str = "", *, full: bool = False, **rows: str) -> Sample:
    facts: dict[str, Any] = {"rows": rows, **({"full": True} if full else {})}
    return Sample("listing", question, at_s, at_s + 0.01, facts=facts)


def height(at_s: float, percentage: float) -> Sample:
    return Sample("listing", "", at_s, at_s + 0.01, facts={"rows": {B: "running"}, "heights": {B: percentage}})


def pages(before: str, paged: str, after: str | None = None) -> Sample:
    facts = {"before": list(before), "paged": list(paged), "after": list(before if after is None else after)}
    return Sample("pages", "", 5.0, 5.1, facts=facts)


RUNS = [saw(0.5 * n, "running", 1.0 * n) for n in range(1, 20)]
ENDED = [saw(10.2 + 0.5 * n, "cancelled", 0.0) for n in range(10)]
OWN = [saw(0.6 + 0.9 * n, "running", 2.0 * (0.6 + 0.9 * n) + 1.0, view="worker") for n in range(10)]
LISTED = [
    listing(5.0, op_1="running", op_9="completed"),
    listing(5.0, "active_only=true", op_1="running"),
    listing(5.0, "status=running", op_1="running"),
    listing(5.0, "status=cancelled"),
    listing(13.0, op_1="cancelled", op_9="completed"),
    listing(13.0, "active_only=true"),
    listing(13.0, "status=cancelled", op_1="cancelled"),
]


def watched(*parts: Part, lists: list[Sample] | None = None, own: list[Sample] | None = None) -> History:
    return film(
        started(),
        did("views_begun", 0.0, ""),
        RUNS,
        cancelled(10.0),
        ENDED,
        LISTED if lists is None else lists,
        OWN if own is None else own,
        *parts,
        backtest=B,
        worker=W,
    )


def judged(history: History) -> dict[str, Judgement]:
    return {j.name: j for j in views.judgements(history, verdict.LIMITS_S)}


def test_views_that_agree_hold_and_are_judged_with_the_rest() -> None:
    history = watched(pages("dcba", "dcba"))
    found = judged(history)
    assert [j.seen for j in found.values() if not j.holds] == []
    assert found["lists agree"].seen == "7 readings of the list and its filters agree with the record (29 readings)"
    assert found["pages whole"].seen == "1 times page by page, 4 backtests each once"
    assert found.keys() <= verdict.judge_all(history).keys()
    assert views.judgements(film(started(), cancelled()), verdict.LIMITS_S) == []


@pytest.mark.parametrize(
    ("parts", "name", "seen"),
    [
        (
            [listing(13.0, op_1="running")],
            "lists agree",
            'the list has it as "running", and its record said "cancelled"',
        ),
        (
            [listing(13.0, "active_only=true", op_1="running")],
            "lists agree",
            'under "active_only=true" has it as "running", and its record said "cancelled"',
        ),
        ([height(5.0, 0.0)], "lists agree", "the list has it at 0.0 %, and its record was at 6.0 % 2.0 s before"),
        ([listing(5.0, op_9="completed")], "lists agree", 'the list does not name it, and its record said "running"'),
        (
            [listing(5.0, "active_only=true")],
            "lists agree",
            'under "active_only=true" does not name it, and its record said "running"',
        ),
        (
            [listing(13.0, "status=cancelled")],
            "lists agree",
            'under "status=cancelled" does not name it, and its record said "cancelled"',
        ),
        (
            [listing(5.0, "active_only=true", op_1="running", op_9="completed")],
            "filters match",
            f'under "active_only=true" stands {OTHER}, which is "completed" by the same row',
        ),
        (
            [listing(5.0, "status=cancelled", op_9="failed")],
            "filters match",
            f'under "status=cancelled" stands {OTHER}, which is "failed" by the same row',
        ),
        (
            [
                Sample(
                    "listing",
                    "operation_type=backtesting",
                    5.0,
                    5.0,
                    facts={"rows": {"op_1": "running"}, "other_types": ["training"]},
                )
            ],
            "filters match",
            'under "operation_type=backtesting" stands an operation of the type training',
        ),
        ([pages("dcba", "dccba")], "pages whole", "the pages of the list have c twice"),
        (
            [pages("dcba", "dca")],
            "pages whole",
            "the pages of the list do not have b, which the whole list has (1 of 4 lost)",
        ),
        (
            [saw(5.0, "pending", 0.0, view="worker")],
            "worker agrees",
            'its worker has it "pending" at 0.0 %, and KTRDR\'s record said "running"',
        ),
        (
            [saw(5.3, "running", 8.0, view="worker")],
            "worker agrees",
            "KTRDR had it at 9.0 %, and its worker later at 8.0 % only: KTRDR's progress is ahead of the worker's",
        ),
        (
            [saw(14.0, "running", 20.0, view="worker")],
            "worker agrees",
            'its worker has it "running" at 20.0 %, and KTRDR\'s record said "cancelled"',
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_own_rule_alone(parts: list[Part], name: str, seen: str) -> None:
    found = judged(watched(pages("dcba", "dcba"), *parts))
    assert found[name].violated and found[name].seen == seen
    assert [j.name for j in found.values() if j.violated] == [name]


def test_a_list_is_not_held_against_a_record_that_was_not_read_for_long() -> None:
    rarely = [saw(13.0, "cancelled", 0.0), saw(16.0, "cancelled", 0.0)]
    ahead = [listing(11.3, op_1="cancelled"), listing(11.3, "status=cancelled", op_1="cancelled")]
    parts = [started(), did("views_begun", 0.0, ""), RUNS, cancelled(10.0), ahead]
    for record, verdict_then in ((rarely, "holds"), ([], "unknown")):
        assert judged(film(*parts, record, backtest=B))["lists agree"].verdict == verdict_then
    worker = [saw(12.5, "cancelled", 0.0, view="worker")]
    assert not judged(film(*parts, worker, backtest=B))["worker agrees"].violated
    assert not judged(film(*parts, worker, saw(20.0, "cancelled", 0.0), backtest=B))["worker agrees"].violated


@pytest.mark.parametrize(
    "parts",
    [
        # A replica that lags, right after the cancel.
        [listing(10.8, op_1="running"), listing(10.8, "active_only=true", op_1="running")],
        # A list that is refreshed as the record is, or one that gives no percentage.
        [height(5.0, 6.0), height(1.5, 0.0), height(5.0, 99.0)],
        # A list that lags behind the cancel, with the percentage of a cancelled one.
        [height(10.2, 0.0)],
        # A list that is full need not name it.
        [listing(5.0, full=True, op_9="completed")],
        # A list read before the record was there.
        [listing(0.2)],
        # A worker that is ahead of a backend which refreshes once a second, and stops as soon as it is told.
        [saw(9.9, "cancelled", 0.0, view="worker"), saw(5.0, "running", 11.0, view="worker")],
        # A backtest begun while the pages were read.
        [pages("dcba", "dccba", "edcba")],
    ],
)
def test_what_a_healthy_platform_may_show_is_not_held_against_it(parts: list[Part]) -> None:
    assert [j.seen for j in judged(watched(pages("dcba", "dcba"), *parts)).values() if not j.holds] == []


def test_what_was_not_read_is_not_known() -> None:
    found = judged(watched(lists=[], own=[]))
    assert {name: (j.verdict, j.final) for name, j in found.items()} == {
        "lists agree": ("unknown", False),
        "filters match": ("unknown", True),
        "pages whole": ("unknown", False),
        "worker agrees": ("unknown", True),
    }
    assert judged(watched(pages("a", "a")))["pages whole"].unknown
