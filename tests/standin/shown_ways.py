"""That the faults of the other ways to cancel (`standin/faults/ways.py`) really go wrong, seen over plain HTTP."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from launching import JANUARY, Launched, eventually

Check = Callable[[Launched], None]
CHECKS: dict[str, Check] = {}
NOBODYS = "op_backtesting_nobodys"
WEEKEND = {**JANUARY, "start_date": "2024-01-06", "end_date": "2024-01-07"}
REASON = {"reason": "the spread of May was wrong", "force": True}


def shows(name: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return register


def _completed(it: Launched) -> str:
    operation_id = it.start(JANUARY)
    assert it.wait_status(operation_id)["status"] == "completed"
    return operation_id


def _five(it: Launched, operation_id: str) -> list[requests.Response]:
    """Five cancels at the same moment, each with a reason of its own."""

    def cancel(number: int) -> requests.Response:
        return it.cancel(operation_id, json={"reason": f"cancellation {number} of 5"})

    with ThreadPoolExecutor(5) as pool:
        return list(pool.map(cancel, range(1, 6)))


def _row(it: Launched, operation_id: str) -> dict[str, Any] | None:
    rows = it.ask("GET", "/api/v1/operations").json()["data"]
    return next((row for row in rows if row["operation_id"] == operation_id), None)


@shows("vain-unknown-500")
def _(it: Launched) -> None:
    assert it.cancel(NOBODYS).status_code == 500
    assert it.cancel(_completed(it)).status_code == 400


@shows("vain-unknown-acknowledged")
def _(it: Launched) -> None:
    assert it.cancel(NOBODYS).json()["data"]["status"] == "cancelled"
    assert it.ask("GET", f"/api/v1/operations/{NOBODYS}").status_code == 404


@shows("vain-ended-acknowledged")
def _(it: Launched) -> None:
    operation_id = _completed(it)
    assert it.cancel(operation_id).status_code == 200
    assert it.operation(operation_id)["status"] == "completed"
    assert it.cancel(NOBODYS).status_code == 404


@shows("vain-long-id-hangs")
def _(it: Launched) -> None:
    try:
        it.cancel("op_" + "0" * 9_997, timeout=0.5)
    except requests.Timeout:
        assert it.cancel(NOBODYS).status_code == 404
    else:
        raise AssertionError("it was answered")


@shows("vain-other-kind-500")
def _(it: Launched) -> None:
    trainings = it.ask("GET", "/api/v1/operations?operation_type=training").json()["data"]
    assert len(trainings) == 2 and it.ask("GET", "/api/v1/operations?operation_type=backtesting").json()["data"] == []
    assert it.cancel(trainings[0]["operation_id"]).status_code == 500
    assert it.cancel(_completed(it)).status_code == 400


@shows("vain-hits-the-running-one")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(NOBODYS).status_code == 404
    it.wait_status(operation_id, "cancelled")


@shows("vain-completed-turns-cancelled")
def _(it: Launched) -> None:
    operation_id = _completed(it)
    assert it.cancel(operation_id).status_code == 400
    row = _row(it, operation_id)
    assert row and row["status"] == "completed" and it.operation(operation_id)["status"] == "cancelled"


@shows("vain-failed-loses-its-error")
def _(it: Launched) -> None:
    operation_id = it.start(WEEKEND)
    assert "Insufficient data" in it.wait_status(operation_id, "failed")["error_message"]
    assert it.cancel(operation_id).status_code == 400
    assert it.operation(operation_id)["error_message"] == "Operation cancelled by user"


@shows("vain-unknown-is-listed")
def _(it: Launched) -> None:
    assert _row(it, NOBODYS) is None and it.cancel(NOBODYS).status_code == 404
    assert _row(it, NOBODYS) and it.ask("GET", f"/api/v1/operations/{NOBODYS}").status_code == 404


@shows("vain-ended-poisons-its-worker")
def _(it: Launched) -> None:
    operation_id = _completed(it)
    assert it.cancel(operation_id).status_code == 400
    worker = it.operation(operation_id)["metadata"]["parameters"]["worker_id"]
    others = [it.start(), it.start()]
    on = {it.operation(each)["metadata"]["parameters"]["worker_id"]: each for each in others}
    it.wait_status(on.pop(worker), "cancelled")
    assert [it.operation(each)["status"] for each in on.values()] == ["running"]


@shows("vain-ended-kills-its-worker")
def _(it: Launched) -> None:
    operation_id = _completed(it)
    base = it.worker_url(operation_id)
    assert it.cancel(operation_id).status_code == 400
    it.await_dead(base)
    assert it.ask("GET", "/api/v1/health").status_code == 200


@shows("reason-lost")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id, json=REASON).json()["data"]["cancellation_reason"] == REASON["reason"]
    assert it.operation(operation_id)["error_message"] == "Operation cancelled by user"


@shows("reason-answered-otherwise")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id, json=REASON).json()["data"]["cancellation_reason"] == "Operation cancelled by user"
    assert it.operation(operation_id)["error_message"] == REASON["reason"]


@shows("force-worker-not-told")
def _(it: Launched) -> None:
    plain, forced = it.running(), it.running()
    it.cancel(plain)
    assert it.operation(plain, it.worker_url(plain))["status"] == "cancelled"
    assert it.cancel(forced, json=REASON).json()["data"]["remote_cancelled"] is True
    assert it.operation(forced)["status"] == "cancelled"
    assert it.operation(forced, it.worker_url(forced))["status"] == "running"


@shows("force-place-kept")
def _(it: Launched) -> None:
    plain, forced = it.running(), it.running()
    it.cancel(plain)
    it.cancel(forced, json=REASON)
    held = eventually(lambda: [w["current_operation_id"] for w in it.workers()], lambda told: None in told)
    assert forced in held


@shows("force-end-not-recorded")
def _(it: Launched) -> None:
    plain, forced = it.running(), it.running()
    it.cancel(plain)
    it.cancel(forced, json=REASON)
    assert it.operation(plain)["completed_at"] and it.operation(forced)["completed_at"] is None


@shows("together-others-500")
def _(it: Launched) -> None:
    assert sorted(answer.status_code for answer in _five(it, it.running())) == [200, 500, 500, 500, 500]


def _twice(it: Launched) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """The status of a second cancel, and the record before and after it."""
    operation_id = it.running()
    assert it.cancel(operation_id).status_code == 200
    before = it.operation(operation_id)
    return it.cancel(operation_id).status_code, before, it.operation(operation_id)


@shows("twice-second-500")
def _(it: Launched) -> None:
    status, before, after = _twice(it)
    assert status == 500 and after == before


@shows("twice-moves-its-end")
def _(it: Launched) -> None:
    status, before, after = _twice(it)
    assert status == 400 and after["completed_at"] > before["completed_at"]


@shows("twice-worker-computes-again")
def _(it: Launched) -> None:
    operation_id = it.running()
    base = it.worker_url(operation_id)

    def used_s() -> float:
        told = it.ask("GET", f"{base}/metrics").text
        return float(
            next(line.split()[1] for line in told.splitlines() if line.startswith("process_cpu_seconds_total"))
        )

    it.cancel(operation_id)
    assert it.cancel(operation_id).status_code == 400
    before_s = used_s()
    eventually(used_s, lambda now_s: now_s > before_s + 1.0)
    assert it.operation(operation_id)["status"] == "cancelled"


@shows("twice-loses-its-reason")
def _(it: Launched) -> None:
    status, before, after = _twice(it)
    assert (status, before["error_message"] is None, after["error_message"]) == (400, False, None)


@shows("together-one-hangs")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id).status_code == 200
    try:
        it.cancel(operation_id, timeout=0.5)
    except requests.Timeout:
        assert it.cancel(operation_id).status_code == 400
    else:
        raise AssertionError("it was answered")


@shows("together-none-acknowledged")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert all(answer.status_code in (400, 409) for answer in _five(it, operation_id))
    assert it.operation(operation_id)["status"] == "cancelled"


@shows("together-last-wins")
def _(it: Launched) -> None:
    operation_id = it.running()
    answers = _five(it, operation_id)
    (winner,) = (n for n, answer in enumerate(answers, start=1) if answer.status_code == 200)
    assert it.operation(operation_id)["error_message"] == f"cancellation {winner % 5 + 1} of 5"


@shows("together-ends-twice")
def _(it: Launched) -> None:
    operation_id = it.running()
    _five(it, operation_id)
    first = it.operation(operation_id)["completed_at"]
    it.wait(operation_id, lambda seen: seen["completed_at"] != first)
    once = it.running()
    it.cancel(once)
    assert it.operation(once)["status"] == "cancelled"
