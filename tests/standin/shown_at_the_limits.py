"""What the faults at the platform's limits do, seen over plain HTTP; ``test_standin_faults`` runs each."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from launching import LONG, PAYLOAD, Launched, eventually

Check = Callable[[Launched], None]
CHECKS: dict[str, Check] = {}
HALF = {**PAYLOAD, "start_date": "2024-01-01", "end_date": "2024-06-30"}


def shows(name: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return register


def nearly_done(it: Launched) -> str:
    return it.running(HALF, above=55.0)


def listed(it: Launched, **asked: Any) -> list[dict[str, Any]]:
    return list(it.ask("GET", "/api/v1/operations", params=asked).json()["data"])


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["operation_id"] for row in rows]


def several(it: Launched, count: int) -> list[str]:
    """All ids that are listed, newest first, after so many backtests were started and cancelled."""
    for _ in range(count):
        operation_id = eventually(lambda: it.post_start(), lambda a: a.status_code == 200).json()["operation_id"]
        it.cancel(operation_id)
    return ids(listed(it, limit=100))


@shows("race-cancelled-with-result")
def cancelled_with_result(it: Launched) -> None:
    operation_id = nearly_done(it)
    assert it.cancel(operation_id).status_code == 200
    seen = it.operation(operation_id)
    assert seen["status"] == "cancelled" and seen["result_summary"]


@shows("race-flips-to-completed")
def flips_to_completed(it: Launched) -> None:
    operation_id = nearly_done(it)
    assert it.cancel(operation_id).status_code == 200
    assert it.operation(operation_id)["status"] == "cancelled"
    it.wait_status(operation_id, "completed")


def completed_and_cancelled(it: Launched) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """The status of a cancel that comes right after the end, and the record before and after it."""
    operation_id = nearly_done(it)
    before = it.wait_status(operation_id, "completed")
    time.sleep(0.5)  # a cancel in the very moment of the end is another matter
    status = it.cancel(operation_id).status_code
    return status, before, it.operation(operation_id)


@shows("race-late-cancel-acknowledged")
def late_cancel_acknowledged(it: Launched) -> None:
    status, before, after = completed_and_cancelled(it)
    assert status == 200 and after == before


@shows("race-late-cancel-turns-it-cancelled")
def late_cancel_turns_it_cancelled(it: Launched) -> None:
    status, before, after = completed_and_cancelled(it)
    assert (status, before["status"], after["status"]) == (400, "completed", "cancelled")


@shows("race-late-cancel-moves-its-end")
def late_cancel_moves_its_end(it: Launched) -> None:
    status, before, after = completed_and_cancelled(it)
    assert status == 400 and after["completed_at"] > before["completed_at"]


@shows("race-answered-cancelled-yet-completed")
def answered_cancelled_yet_completed(it: Launched) -> None:
    operation_id = nearly_done(it)
    assert it.cancel(operation_id).json()["data"]["status"] == "cancelled"
    assert it.wait_status(operation_id)["status"] == "completed"


@shows("race-ends-in-neither-way")
def ends_in_neither_way(it: Launched) -> None:
    operation_id = nearly_done(it)
    worker = it.worker_url(operation_id)
    assert it.cancel(operation_id).status_code == 200
    it.wait(operation_id, lambda seen: seen["status"] == "completed", worker)
    assert it.operation(operation_id)["status"] == "running"


@shows("race-always-completes")
def always_completes(it: Launched) -> None:
    operation_id = nearly_done(it)
    assert it.cancel(operation_id).status_code == 400
    assert it.wait_status(operation_id)["status"] == "completed"


@shows("race-500-near-the-end")
def cancel_500_near_the_end(it: Launched) -> None:
    assert it.cancel(it.running()).status_code == 200
    operation_id = eventually(lambda: it.post_start(HALF), lambda a: a.status_code == 200).json()["operation_id"]
    it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 55)
    assert it.cancel(operation_id).status_code == 500


def _never_moves(it: Launched) -> None:
    other = it.start()
    time.sleep(0.3)
    seen = it.operation(other)
    assert (seen["status"], seen["progress"]["percentage"]) == ("running", 0.0)


@shows("neighbour-never-moves")
def neighbour_never_moves(it: Launched) -> None:
    it.running()
    _never_moves(it)


@shows("neighbour-next-never-moves")
def neighbour_next_never_moves(it: Launched) -> None:
    it.cancel(it.running())
    _never_moves(it)


@shows("neighbour-stands-still")
def neighbour_stands_still(it: Launched) -> None:
    first, other = it.running(), it.running()
    it.cancel(first)
    time.sleep(0.2)
    before = it.operation(other)
    time.sleep(0.3)
    assert it.operation(other)["progress"] == before["progress"] and before["status"] == "running"


@shows("neighbour-loses-its-progress")
def neighbour_loses_its_progress(it: Launched) -> None:
    first, other = it.running(), it.running()
    it.cancel(first)
    assert it.operation(other)["progress"]["percentage"] == 0.0


@shows("neighbour-gets-the-error")
def neighbour_gets_the_error(it: Launched) -> None:
    first, other = it.running(), it.running()
    it.cancel(first)
    seen = it.operation(other)
    assert (seen["status"], seen["error_message"]) == ("running", "Operation cancelled by user")


@shows("neighbour-called-completed")
def neighbour_called_completed(it: Launched) -> None:
    first, other = it.running(), it.running()
    it.cancel(first)
    seen = it.operation(other)
    assert (seen["status"], seen["progress"]["percentage"]) == ("completed", 100.0)


@shows("neighbour-not-listed")
def neighbour_not_listed(it: Launched) -> None:
    first, other = it.running(), it.running()
    assert ids(listed(it)) == [other, first]
    it.cancel(first)
    assert ids(listed(it)) == [first] and it.operation(other)["status"] == "running"


@shows("neighbour-next-is-slow")
def next_is_slow(it: Launched) -> None:
    first = it.running()
    other, worker = it.running(), it.worker_url(first)
    it.cancel(first)
    again = eventually(lambda: it.post_start(), lambda a: a.status_code == 200).json()["operation_id"]
    assert it.worker_url(again) == worker != it.worker_url(other)
    before_s, before = time.monotonic(), it.operation(again, worker)["progress"]["percentage"]
    it.wait(again, lambda seen: seen["progress"]["percentage"] > before + 0.05, worker)
    assert time.monotonic() - before_s > 0.15  # 3 of 5,000 bars, which take 0.03 s otherwise


def full(it: Launched) -> list[str]:
    return [it.start(), it.start()]


@shows("oversubscribed-500")
def oversubscribed_500(it: Launched) -> None:
    full(it)
    assert it.post_start().status_code == 500


@shows("oversubscribed-without-a-word")
def oversubscribed_without_a_word(it: Launched) -> None:
    full(it)
    answer = it.post_start()
    assert (answer.status_code, answer.json()) == (503, {})


@shows("oversubscribed-leaves-a-record")
def oversubscribed_leaves_a_record(it: Launched) -> None:
    full(it)
    before = ids(listed(it))
    assert it.post_start().status_code == 503
    (left,) = [row for row in listed(it) if row["operation_id"] not in before]
    assert left["status"] == "pending"


@shows("oversubscribed-same-id")
def oversubscribed_same_id(it: Launched) -> None:
    assert it.post_start().json()["operation_id"] != (last := it.start())
    assert it.start() == last


@shows("oversubscribed-never-runs")
def oversubscribed_never_runs(it: Launched) -> None:
    running = full(it)
    third = it.start()
    time.sleep(0.3)
    seen = it.operation(third)
    assert third not in running and (seen["status"], seen["progress"]["percentage"]) == ("running", 0.0)
    assert it.ask("GET", f"{it.worker_url(third)}/api/v1/operations/{third}").status_code == 404


@shows("oversubscribed-called-failed")
def oversubscribed_called_failed(it: Launched) -> None:
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(lambda _: it.start(LONG), range(4)))
    workers = [it.worker_url(one) for one in started]
    assert len(set(workers)) == 2
    ended = [
        it.wait(one, lambda seen: seen["progress"]["percentage"] > 12 or seen["status"] == "failed") for one in started
    ]
    assert sorted(seen["status"] for seen in ended).count("failed") == 2
    failed = next(at for at, seen in enumerate(ended) if seen["status"] == "failed")
    assert it.operation(started[failed], workers[failed])["status"] == "running"


def crowded(it: Launched) -> str:
    """One of three on two workers that has moved beside another one."""
    return [it.start(LONG) for _ in range(3)][-1]


@shows("oversubscribed-stands-still")
def oversubscribed_stands_still(it: Launched) -> None:
    last = crowded(it)
    it.wait(last, lambda seen: seen["progress"]["percentage"] > 12, it.worker_url(last))
    seen = it.operation(last)
    assert seen["status"] == "running" and 4 < seen["progress"]["percentage"] < 12


@shows("oversubscribed-record-lost")
def oversubscribed_record_lost(it: Launched) -> None:
    last = crowded(it)
    it.wait(last, lambda seen: seen["progress"]["percentage"] > 0)
    eventually(lambda: it.ask("GET", f"/api/v1/operations/{last}"), lambda answer: answer.status_code == 404)


@shows("oversubscribed-waits-for-ever")
def oversubscribed_waits_for_ever(it: Launched) -> None:
    running = [it.running(LONG) for _ in range(2)]
    third = it.start()
    it.wait(running[0], lambda seen: seen["progress"]["percentage"] > 12)
    assert it.operation(third)["status"] == "pending"


@shows("oversubscribed-called-completed")
def oversubscribed_called_completed(it: Launched) -> None:
    _running = [it.running(LONG) for _ in range(2)]
    assert it.operation(it.start())["status"] == "completed"


@shows("oversubscribed-evicts")
def oversubscribed_evicts(it: Launched) -> None:
    first, second = (it.running(LONG) for _ in range(2))
    assert it.ask("POST", "/api/v1/backtests/start", json=LONG).status_code == 503
    seen = it.operation(first)
    assert (seen["status"], seen["error_message"]) == ("failed", "Preempted by a later start")
    assert it.operation(second)["status"] == "running"


@shows("views-list-stands-still")
def list_stands_still(it: Launched) -> None:
    operation_id = it.running(LONG)
    it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 5)
    assert listed(it)[0]["progress_percentage"] == 0.0


@shows("views-list-lags")
def list_lags(it: Launched) -> None:
    operation_id = it.running()
    it.cancel(operation_id)
    assert it.operation(operation_id)["status"] == "cancelled"
    assert listed(it)[0]["status"] == "running"
    eventually(lambda: listed(it)[0]["status"], lambda status: status == "cancelled")


@shows("views-active-forgets")
def active_forgets(it: Launched) -> None:
    operation_id = it.running()
    assert ids(listed(it)) == [operation_id] and listed(it, active_only="true") == []


@shows("views-filter-lists-others")
def filter_lists_others(it: Launched) -> None:
    operation_id = it.running()
    assert ids(listed(it, status="cancelled")) == [operation_id]


@shows("views-pages-double")
def pages_double(it: Launched) -> None:
    all_ids = several(it, 4)
    assert ids(listed(it, limit=2, offset=2)) == all_ids[1:3]


@shows("views-pages-lose")
def pages_lose(it: Launched) -> None:
    all_ids = several(it, 4)
    assert ids(listed(it, limit=2, offset=2)) == all_ids[3:5]


def counts(it: Launched, **asked: Any) -> tuple[int, int]:
    body = it.ask("GET", "/api/v1/operations", params=asked).json()
    return body["total_count"], body["active_count"]


@shows("views-counts-the-page")
def counts_the_page(it: Launched) -> None:
    several(it, 4)
    assert [counts(it, limit=limit)[0] for limit in (2, 3)] == [2, 3]


@shows("views-counts-one-too-many")
def counts_one_too_many(it: Launched) -> None:
    it.running()
    assert counts(it) == (2, 1)


@shows("views-counts-none-active")
def counts_none_active(it: Launched) -> None:
    it.running()
    assert counts(it) == (1, 0)


@shows("views-progress-ahead-of-the-worker")
def progress_ahead(it: Launched) -> None:
    operation_id = it.running(LONG)
    worker = it.worker_url(operation_id)
    ahead = it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 3)
    assert ahead["progress"]["percentage"] > it.operation(operation_id, worker)["progress"]["percentage"]
