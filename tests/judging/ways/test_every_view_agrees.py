"""The views: list, filters, pages and worker agree with the record, a replica's lag and a refresh aside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways import every_view_agrees as views
from ktrdr_qa.record.history import History, Sample
from tests.judging.film import OTHER, B, Part, W, cancelled, did, film, saw, started


def listing(at_s: float, question: str = "", *, full: bool = False, **rows: str) -> Sample:
    running = sum(status == "running" for status in rows.values())
    facts: dict[str, Any] = {"rows": rows, "total": len(rows), "active": running, **({"full": True} if full else {})}
    return Sample("listing", question, at_s, at_s + 0.01, facts=facts)


def height(at_s: float, percentage: float, status: str = "running", question: str = "") -> Sample:
    return Sample("listing", question, at_s, at_s + 0.01, facts={"rows": {B: status}, "heights": {B: percentage}})


def counting(at_s: float, total: int | None, active: int | None = None, *, full: bool = False) -> Sample:
    """A whole list that names a running, a pending and a completed one."""
    facts: dict[str, Any] = {"rows": {B: "running", "op_8": "pending", "op_9": "completed"}, "full": full}
    facts |= {name: count for name, count in (("total", total), ("active", active)) if count is not None}
    return Sample("listing", "", at_s, at_s + 0.01, facts=facts)


def pages(before: str, paged: str, after: str | None = None, totals: list[Any] | None = None) -> Sample:
    facts = {"before": list(before), "paged": list(paged), "after": list(before if after is None else after)}
    facts |= {"totals": totals} if totals else {}
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


def test_in_the_list_the_progress_of_an_ended_backtest_does_not_go_on() -> None:
    goes_on = [
        height(12.0, 3.0, "cancelled"),
        height(12.5, 2.0, "cancelled", "active_only=x"),
        height(13.0, 4.0, "cancelled"),
    ]
    found = judged(watched(lists=[*LISTED, *goes_on]))["lists agree"]
    assert found.violated and found.at_s == 13.01
    assert found.seen == 'the list has it as "cancelled", and its progress goes on, from 3.0 % to 4.0 %'
    falls = [height(12.0, 3.0, "cancelled"), height(12.5, 3.11, "cancelled"), height(13.0, 0.0, "cancelled")]
    other = [height(12.0, 3.0, "cancelled"), height(13.0, 4.0, "cancelled", "status=cancelled")]
    for lists in (falls, other):
        assert judged(watched(lists=[*LISTED, *lists]))["lists agree"].holds


def test_how_far_a_list_is_behind_is_told_by_the_last_record_that_it_may_have_missed() -> None:
    record = [saw(at, "running", at) for at in (0.5, 1.0, 2.0, 5.0, 6.0, 9.0)]
    found = record_of(*record, lists=[height(8.0, 5.5)])["lists agree"]
    assert found.violated and found.at_s == pytest.approx(8.01)
    assert found.seen == "the list has it at 5.5 %, and its record was at 6.0 % 2.0 s before"
    assert record_of(*record, lists=[height(8.0, 6.0)])["lists agree"].holds


def test_a_list_that_tells_progress_is_not_passed_before_one_that_stands_still_would_show() -> None:
    low = [saw(at, "running", 0.11) for at in (1.0, 2.0, 9.0)]
    found = record_of(*low, lists=[height(8.0, 0.0)])["lists agree"]
    assert found.unknown and not found.final
    assert found.seen == "the list was not read 2.0 s after progress that one which stands still would not show"
    moved = [saw(at, "running", 0.12) for at in (1.0, 2.0, 9.0)]
    assert record_of(*moved, lists=[height(2.5, 0.0)])["lists agree"].unknown, "it may be so far behind"
    assert record_of(*moved, lists=[height(2.5, 0.0), height(8.0, 0.12)])["lists agree"].holds
    assert record_of(*moved, lists=[height(8.0, 0.12), height(2.5, 0.0)])["lists agree"].holds
    assert record_of(*moved, lists=[height(8.0, 0.0)])["lists agree"].violated
    assert record_of(*low, lists=[listing(8.0, op_1="running")])["lists agree"].holds, "it tells no progress"
    soon_over = [saw(at, "running", at) for at in (1.0, 2.0)] + [saw(at, "cancelled", 0.0) for at in (4.3, 5.0)]
    behind = film(did("views_begun", 0.0, ""), soon_over, cancelled(4.2), height(4.1, 0.0), backtest=B)
    assert judged(behind)["lists agree"].violated, "what was read before the cancel stays what it was"
    just = height(4.1, 0.0)
    at_once = film(did("views_begun", 0.0, ""), soon_over, cancelled(just.answered_s), just, backtest=B)
    assert judged(at_once)["lists agree"].violated, "what was answered as the cancel was sent was read before it"
    begins = [saw(0.9, "pending", 0.0), *moved]
    assert record_of(*begins, lists=[height(0.95, 0.0)])["lists agree"].unknown, "it may be pending or running by now"


def test_whether_a_pending_one_is_active_is_not_said() -> None:
    pending = [saw(t, "pending", 0.0) for t in (4.0, 5.0, 6.0)]
    found = record_of(*pending, lists=[listing(5.0, op_1="pending"), listing(5.0, "active_only=true")])
    assert found["lists agree"].holds
    listed = [listing(5.0, op_1="pending"), listing(5.0, "active_only=true", op_1="pending")]
    assert record_of(*pending, lists=listed)["lists agree"].holds
    assert record_of(*pending, lists=[listing(5.0, "status=pending")])["lists agree"].violated


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
            'the list has it as "running", and its record had said "cancelled" for 2.8 s',
        ),
        (
            [listing(13.0, "active_only=true", op_1="running")],
            "lists agree",
            'the list under "active_only=true" has it as "running", and its record had said "cancelled" for 2.8 s',
        ),
        ([height(5.0, 0.0)], "lists agree", "the list has it at 0.0 %, and its record was at 6.0 % 2.0 s before"),
        (
            [listing(5.0, op_9="completed")],
            "lists agree",
            'the list does not name it, and its record had said "running" for 4.5 s',
        ),
        (
            [listing(5.0, "active_only=true")],
            "lists agree",
            'the list under "active_only=true" does not name it, and its record had said "running" for 4.5 s',
        ),
        (
            [listing(13.0, "status=cancelled")],
            "lists agree",
            'the list under "status=cancelled" does not name it, and its record had said "cancelled" for 2.8 s',
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
        "counts right": ("unknown", True),
        "worker agrees": ("unknown", True),
    }
    assert judged(watched(pages("a", "a")))["pages whole"].unknown


def test_each_view_says_what_it_expects_and_what_it_compared() -> None:
    assert {j.expected: j.seen for j in judged(watched(pages("dcba", "dcba"), pages("dc", "dc"))).values()} == {
        "the list and its filters show the backtest at all times as its own record does": (
            "7 readings of the list and its filters agree with the record (29 readings)"
        ),
        "no backtest is listed under a filter that it does not match": (
            "5 readings under active_only=true, status=cancelled, status=running list nothing else"
        ),
        "the pages of the list neither lose nor double a backtest": "2 times page by page, 4 backtests each once",
        "the list counts as many backtests as there are, and as many active ones": (
            "2 readings of the list count what they name"
        ),
        "the worker's own record of the backtest agrees with KTRDR's at all times": (
            "10 readings of the worker's own record agree"
        ),
    }
    assert {name: j.seen for name, j in judged(watched(lists=[], own=[])).items()} == {
        "lists agree": "the list was not read while the record was",
        "filters match": "no filter could be asked for: this KTRDR describes none",
        "pages whole": "the list was never the same before and after its pages were read, or has no two backtests",
        "counts right": "the list of this KTRDR has no counts",
        "worker agrees": "the worker's own record was not read while the backtest ran",
    }


@pytest.mark.parametrize(
    ("counts", "seen", "at_s"),
    [
        ([(5.0, 4, 1), (5.5, 4, 1), (6.0, 4, 1), (7.0, 4, 1)], "the list counts 4 in all, and names 3", 6.01),
        ([(5.0, 2, None), (6.0, 2, None)], "the list counts 2 in all, and names 3", 6.01),
        ([(5.0, None, 0), (6.0, None, 0), (6.5, None, 1)], "the list counts 0 active ones, and names 1", 6.01),
        ([(4.5, 3, 2), (5.0, 3, 3), (6.0, 3, 4)], "the list counts 4 active ones, and names 2", 6.01),
        ([(4.5, 3, 1), (5.0, 2, 1), (6.0, 3, 0)], "the list counts 0 active ones, and names 1", 6.01),
    ],
)
def test_a_list_that_counts_wrong_for_a_second_is_told(
    counts: list[tuple[float, int | None, int | None]], seen: str, at_s: float
) -> None:
    found = judged(watched(lists=[counting(*one) for one in counts]))["counts right"]
    assert found.violated and found.seen == seen and found.at_s == pytest.approx(at_s)


@pytest.mark.parametrize(
    ("counts", "verdict_", "seen"),
    [
        ([(5.0, 3, 1), (5.5, 3, 2)], "holds", "2 readings of the list count what they name"),
        # Something ended while it was counted.
        (
            [(5.0, 4, 1), (5.5, 3, 1), (6.0, 2, 3), (6.5, 3, None)],
            "holds",
            "4 readings of the list count what they name",
        ),
        # A replica that lags: now this one answers, and now that.
        (
            [(5.0, 2, 1), (5.9, 2, 1), (6.0, 3, 1), (6.1, 2, 1), (7.0, 3, 1)],
            "holds",
            "5 readings of the list count what they name",
        ),
        (
            [(5.0, 3, 1), (5.5, 4, 1), (6.4, 4, 1)],
            "unknown",
            "the list counts 4 in all, and names 3; the next answer may be right",
        ),
    ],
)
def test_what_a_list_may_count(counts: list[tuple[float, int, int | None]], verdict_: str, seen: str) -> None:
    found = judged(watched(lists=[counting(*one) for one in counts]))["counts right"]
    assert (found.verdict, found.seen, found.final) == (verdict_, seen, False)


def test_what_is_not_the_whole_list_is_not_counted() -> None:
    full = [counting(at_s, 99, 0, full=True) for at_s in (5.0, 6.5)]
    filtered = [
        Sample("listing", "status=running", at_s, at_s, facts={"rows": {B: "running"}, "total": 9, "active": 9})
        for at_s in (5.0, 6.5)
    ]
    assert judged(watched(lists=[*full, *filtered]))["counts right"].final


def test_a_list_without_counts_counts_nothing() -> None:
    found = judged(watched(lists=[counting(at_s, None) for at_s in (5.0, 6.5)]))["counts right"]
    assert (found.seen, found.final) == ("the list of this KTRDR has no counts", True)


def test_each_page_counts_the_whole_list() -> None:
    counted = [counting(at_s, 3, 1) for at_s in (4.0, 4.5)]

    def found(*of_the_pages: Sample, later_s: float = 1.0) -> Judgement:
        again = [replace(s, asked_s=s.asked_s + later_s, answered_s=s.answered_s + later_s) for s in of_the_pages]
        return judged(watched(*of_the_pages, *again, lists=counted))["counts right"]

    miscounts = pages("dcba", "dcba", totals=[4, 3, 1, 4])
    wrong = found(miscounts)
    assert wrong.violated and wrong.seen == "one page of the list counts 3 in all, and another 4" and wrong.at_s == 6.1
    soon = found(miscounts, later_s=0.9)
    assert soon.seen == "one page of the list counts 3 in all, and another 4; the next answer may be right"
    assert found(pages("dcba", "dcba", totals=[4, 4, 4])).holds
    assert found(pages("dcba", "dcba", totals=[4, None, 4])).holds
    # One more was begun meanwhile: the whole list is another, or is counted otherwise, before and after.
    assert found(pages("dcba", "dcba", "edcba", totals=[4, 4, 5, 4])).holds
    assert found(pages("dcba", "dcba", totals=[4, 4, 5, 5])).holds


def record_of(*readings: Sample, lists: Part = (), own: Part = ()) -> dict[str, Judgement]:
    """A history in which the record was read at these times only."""
    return judged(film(did("views_begun", 0.0, ""), list(readings), lists, own, backtest=B))


FAR_APART = (saw(8.0, "running", 9.0), saw(15.0, "cancelled", 0.0), saw(16.0, "cancelled", 0.0))


@pytest.mark.parametrize("at_s", [10.5, 11.5, 12.5])
def test_where_the_record_was_not_read_for_a_while_it_may_have_been_either(at_s: float) -> None:
    for word in ("running", "cancelled"):
        own = saw(at_s, word, 9.0 if word == "running" else 0.0, view="worker")
        found = record_of(*FAR_APART, lists=listing(at_s, op_1=word), own=own)
        assert found["lists agree"].holds and found["worker agrees"].holds
    assert record_of(*FAR_APART, lists=listing(at_s, op_1="failed"))["lists agree"].violated
    assert record_of(*FAR_APART, own=saw(at_s, "failed", view="worker"))["worker agrees"].violated


def test_what_the_record_was_not_read_after_is_not_compared_with_it() -> None:
    ends = record_of(
        saw(9.0, "running", 9.0), lists=listing(10.0, op_1="cancelled"), own=saw(10.0, "failed", view="worker")
    )
    assert ends["lists agree"].unknown and ends["worker agrees"].unknown
    assert not ends["worker agrees"].final
    begins = record_of(saw(9.0, "running", 9.0), lists=listing(8.0), own=saw(8.0, "pending", view="worker"))
    assert begins["lists agree"].unknown and begins["worker agrees"].unknown
    exactly = record_of(saw(5.0, "running"), saw(5.01, "running"), lists=listing(5.0, op_1="running"))
    assert exactly["lists agree"].seen == "1 readings of the list and its filters agree with the record (2 readings)"


def test_the_lag_of_a_replica_ends_at_its_limit() -> None:
    """One reading before the lag and one after it count as well: in between it may have turned."""
    at, later = (Sample("listing", "", 11.0, s, facts={"rows": {B: "pending"}}) for s in (12.0, 11.9))
    sooner = Sample("listing", "", 11.1, 12.0, facts={"rows": {B: "pending"}})
    before = [
        saw(9.0, "running"),
        saw(9.5, "pending"),
        saw(10.0, "running"),
        saw(13.0, "running"),
        saw(13.5, "running"),
    ]
    assert record_of(*before, lists=at)["lists agree"].holds
    assert record_of(*before, lists=sooner)["lists agree"].violated
    after = [
        saw(9.0, "running"),
        saw(10.0, "running"),
        saw(13.0, "running"),
        saw(13.5, "pending"),
        saw(14.0, "running"),
    ]
    assert record_of(*after, lists=at)["lists agree"].holds
    assert record_of(*after, lists=later)["lists agree"].violated


def test_what_the_record_may_have_said_is_told_in_full() -> None:
    turns = [saw(9.0, "running", 9.0), saw(9.5, "cancelled"), saw(12.0, "cancelled")]
    found = record_of(*turns, lists=listing(9.4, op_1="failed"), own=saw(9.4, "failed", view="worker"))
    seen = 'the list has it as "failed", and its record had said "cancelled" or "running" for 0.4 s'
    assert found["lists agree"].seen == seen
    assert found["worker agrees"].seen.endswith('and KTRDR\'s record said "cancelled" or "running"')


def test_readings_of_the_worker_that_nothing_can_be_compared_with_are_not_counted() -> None:
    record = [saw(4.0, "running", 0.11), saw(6.0, "running", 0.11)]
    own = [saw(at_s, "running", 0.0, view="worker") for at_s in (3.0, 5.0, 5.5, 7.0)]
    assert record_of(*record, own=own)["worker agrees"].seen == "2 readings of the worker's own record agree"


def test_a_record_that_is_missing_or_in_a_state_that_nobody_knows_is_compared_with_nothing() -> None:
    for word in ("missing", "halted"):
        record = [saw(4.0, "running", 1.0), saw(5.0, word), saw(6.0, "running", 1.0)]
        own = [saw(5.0, "running", 1.0, view="worker"), saw(5.0, "halted", view="worker")]
        found = record_of(*record, lists=[listing(5.0), listing(5.0, "active_only=true")], own=own)
        assert found["lists agree"].unknown and found["worker agrees"].holds
    record = [saw(3.0, "running", 1.0), saw(5.0, "missing"), saw(9.0, "running", 1.0)]
    (agrees,) = [record_of(*record, own=saw(6.0, "running", 1.0, view="worker"))["worker agrees"]]
    assert agrees.seen == "1 reading of the worker's own record agree"


def test_what_a_worker_may_show_of_progress_that_is_not_behind() -> None:
    def beside(own: Sample) -> Judgement:
        return record_of(saw(4.0, "running", 9.0), saw(4.5, "running", 9.5), saw(6.0, "running", 9.5), own=own)[
            "worker agrees"
        ]

    assert beside(saw(5.0, "running", None, view="worker")).holds, "it tells no percentage at all"
    assert beside(saw(5.0, "running", 9.4, view="worker")).holds, "it rounds in another way"
    assert beside(saw(4.4, "running", 9.0, view="worker")).holds, "the record was read after it"
    assert beside(saw(4.0, "running", 0.0, view="worker")).violated, "the record was read just before it"
    told = beside(saw(5.0, "running", 9.0, view="worker"))
    assert (
        told.seen
        == "KTRDR had it at 9.5 %, and its worker later at 9.0 % only: KTRDR's progress is ahead of the worker's"
    )
    assert told.at_s == 5.0
    pending = record_of(
        saw(4.0, "pending", 9.0),
        saw(4.5, "running", 1.0),
        saw(6.0, "running", 9.0),
        own=saw(5.0, "running", 1.0, view="worker"),
    )
    assert pending["worker agrees"].holds


def test_a_worker_has_the_limit_of_its_own_rule_after_the_cancel() -> None:
    own = [*OWN, saw(12.9, "running", 20.0, view="worker")]
    history = watched(own=own)
    assert views.worker_agrees(history, B, 4.0).holds
    assert views.worker_agrees(history, B, 2.0).violated and views.worker_agrees(history, B, 1.0).violated
    assert views.worker_agrees(watched(own=[*OWN, saw(11.9, "running", 20.0, view="worker")]), B, 1.0).holds


def test_which_views_were_wrong_first_is_told_with_its_time() -> None:
    found = judged(
        watched(pages("dcba", "dca"), listing(13.0, op_1="running"), saw(14.0, "running", 20.0, view="worker"))
    )
    assert [found[name].at_s for name in ("lists agree", "pages whole", "worker agrees")] == [13.01, 5.1, 14.0]
    assert judged(watched(pages("dcba", "dccba")))["pages whole"].at_s == 5.1
    absent = judged(watched(listing(13.0, "status=cancelled"), listing(6.0, "status=cancelled", op_9="failed")))
    assert absent["lists agree"].at_s == 13.01 and absent["filters match"].at_s == 6.01
    other = Sample("listing", "operation_type=backtesting", 5.0, 5.2, facts={"rows": {}, "other_types": ["training"]})
    assert judged(watched(other))["filters match"].at_s == 5.2


def test_what_could_not_be_read_is_passed_over_and_the_rest_is_compared() -> None:
    lost = [Sample("listing", "", 5.0, 5.1, problem="no answer"), Sample("pages", "", 5.0, 5.1, problem="no answer")]
    found = judged(watched(lost, pages("a", "a"), pages("dcba", "", "edcba"), pages("dcba", "dca")))
    assert found["lists agree"].seen.startswith("7 readings")
    assert found["pages whole"].seen == "the pages of the list do not have b, which the whole list has (1 of 4 lost)"
    assert judged(watched(pages("dcba", "dedcba", "dcba")))["pages whole"].seen == "the pages of the list have d twice"
    assert judged(watched(pages("dcba", "fdcba")))["pages whole"].holds, (
        "one that was not asked for is none that is lost"
    )
    assert judged(watched(pages("ba", "ba")))["pages whole"].seen == "1 times page by page, 2 backtests each once"
    under = [listing(5.0, "status=cancelled", full=True), listing(5.0, "sort=newest", op_9="failed", op_1="running")]
    assert judged(watched(under))["filters match"].holds and judged(watched(under))["lists agree"].holds
    early = [listing(0.2), *LISTED, listing(13.0, op_1="running")]
    assert judged(watched(lists=early))["lists agree"].violated


def test_what_the_record_had_said_begins_with_what_was_read_as_the_list_was_asked_for() -> None:
    history = film(started(), saw(1.0, "running", 2.0), listing(1.0, op_1="failed"), saw(2.0, "running", 4.0))
    assert (
        views.lists_agree(history, B).seen == 'the list has it as "failed", and its record had said "running" for 0.0 s'
    )
