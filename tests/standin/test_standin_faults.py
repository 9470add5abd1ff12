"""Every fault really goes wrong in the way that the table says, seen over plain HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import requests
import shown_at_the_limits
import shown_ways
from launching import JANUARY, LONG, PAYLOAD, QUICK, Launch, Launched, eventually

from standin import faults

Check = Callable[[Launched], None]
CHECKS: dict[str, Check] = {**shown_ways.CHECKS, **shown_at_the_limits.CHECKS}
MORE_OPTIONS: dict[str, tuple[str, ...]] = dict.fromkeys(CHECKS, ())
ROWS = faults.table()
YEAR = {**PAYLOAD, "start_date": "2024-01-01"}
RUN_AT = ("--bars-per-second", "100")


def shows(name: str, *options: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS[name] = check
        MORE_OPTIONS[name] = options
        return check

    return register


def test_the_table_and_the_code_name_the_same_faults() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)) >= 60
    assert set(names) == set(faults.KNOWN)


def test_every_fault_is_shown_below() -> None:
    assert set(CHECKS) == set(faults.KNOWN)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_table_describes_each_fault(row: faults.FaultRow) -> None:
    assert row.name.startswith(row.group + "-")
    assert row.outcome in ("failed", "inconclusive")
    assert row.sentence.endswith(".") and row.sentence.count(". ") == 0
    assert row.like in ("", *faults.KNOWN) and row.like != row.name


def test_an_unknown_fault_is_refused_with_a_suggestion() -> None:
    with pytest.raises(faults.UnknownFaultError, match="did you mean cancel-ignored"):
        faults.switched_on(["cancel-ignord"])


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_the_platform_really_does_it(name: str, launch: Launch) -> None:
    of_the_table = next(row.arguments for row in ROWS if row.name == name)
    CHECKS[name](launch(*QUICK, *RUN_AT, *of_the_table, *MORE_OPTIONS[name], "--fault", name))


def test_several_faults_at_once_compose(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--fault", "running-percentage-null", "--fault", "cancel-405")
    operation_id = it.start()
    it.wait_status(operation_id, "running")
    assert it.operation(operation_id)["progress"]["percentage"] is None
    assert it.cancel(operation_id).status_code == 405


# Preflight.


@shows("preflight-api-down")
def _(it: Launched) -> None:
    with pytest.raises(requests.ConnectionError):
        it.ask("GET", "/api/v1/health")


@shows("preflight-health-503")
def _(it: Launched) -> None:
    assert it.ask("GET", "/api/v1/health").status_code == 503


@shows("preflight-health-hangs")
def _(it: Launched) -> None:
    with pytest.raises(requests.Timeout):
        it.ask("GET", "/api/v1/health", timeout=0.5)
    assert it.workers()


@shows("preflight-no-worker")
def _(it: Launched) -> None:
    assert it.workers() == []
    assert it.post_start().status_code == 503


@shows("preflight-only-training-worker")
def _(it: Launched) -> None:
    assert {each["worker_type"] for each in it.workers()} == {"training"}
    assert it.ask("GET", "/api/v1/workers?worker_type=backtesting").json() == []
    assert it.post_start().status_code == 503


@shows("preflight-worker-registered-but-dead")
def _(it: Launched) -> None:
    workers = it.workers()
    assert [each["status"] for each in workers] == ["available", "available"]

    def refused(url: str) -> bool:
        try:
            it.ask("GET", f"{url}/health")
        except requests.ConnectionError:
            return True
        return False

    for each in workers:
        eventually(lambda url=each["endpoint_url"]: refused(url))
    assert it.post_start().status_code == 500


@shows("preflight-model-missing")
def _(it: Launched) -> None:
    assert it.ask("GET", "/api/v1/models").json()["models"] == []
    assert "Model directory not found" in it.wait_status(it.start())["error_message"]


@shows("preflight-strategy-missing")
def _(it: Launched) -> None:
    assert it.ask("POST", "/api/v1/strategies/validate/neuro_mean_reversion").status_code == 404


@shows("preflight-data-missing")
def _(it: Launched) -> None:
    wanted = {"symbol": "EURUSD", "timeframe": "1d"}
    assert it.ask("POST", "/api/v1/data/range", json=wanted).status_code == 404
    assert it.wait_status(it.start())["error_message"] == "No data found in cache for EURUSD 1d"


@shows("preflight-data-ends-early")
def _(it: Launched) -> None:
    wanted = {"symbol": "EURUSD", "timeframe": "1d"}
    data = it.ask("POST", "/api/v1/data/range", json=wanted).json()["data"]
    assert data["end_date"] < PAYLOAD["start_date"]
    assert "Insufficient data" in it.wait_status(it.start(PAYLOAD))["error_message"]


# Start.


def _nothing_was_started(it: Launched) -> None:
    assert it.ask("GET", "/api/v1/operations").json()["data"] == []


@shows("start-500")
def _(it: Launched) -> None:
    assert it.post_start().status_code == 500
    _nothing_was_started(it)


@shows("start-503")
def _(it: Launched) -> None:
    answer = it.post_start()
    assert answer.status_code == 503 and answer.json()["detail"]["registered_workers"] == 2
    assert {each["status"] for each in it.workers()} == {"available"}


@shows("start-422")
def _(it: Launched) -> None:
    answer = it.post_start()
    assert answer.status_code == 422 and answer.json()["error"]["code"] == "VALIDATION_ERROR"


@shows("start-success-false")
def _(it: Launched) -> None:
    answer = it.post_start()
    assert answer.status_code == 200 and answer.json()["success"] is False
    _nothing_was_started(it)


@shows("start-no-operation-id")
def _(it: Launched) -> None:
    body = it.post_start().json()
    assert body["success"] is True and "operation_id" not in body


@shows("start-null-operation-id")
def _(it: Launched) -> None:
    assert it.post_start().json()["operation_id"] is None


@shows("start-known-operation-id")
def _(it: Launched) -> None:
    known = [row["operation_id"] for row in it.ask("GET", "/api/v1/operations").json()["data"]]
    assert [it.start()] == known
    assert it.operation(known[0])["status"] == "completed"


@shows("start-html")
def _(it: Launched) -> None:
    answer = it.post_start()
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")


@shows("start-half-answer")
def _(it: Launched) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        it.post_start()
    assert len(it.ask("GET", "/api/v1/operations").json()["data"]) == 1


@shows("start-never-answers")
def _(it: Launched) -> None:
    with pytest.raises(requests.Timeout):
        it.ask("POST", "/api/v1/backtests/start", json=LONG, timeout=0.5)
    _nothing_was_started(it)


@shows("start-accepted-then-failed")
def _(it: Launched) -> None:
    assert it.wait_status(it.start())["status"] == "failed"


@shows("start-record-missing")
def _(it: Launched) -> None:
    operation_id = it.start(JANUARY)
    path = f"/api/v1/operations/{operation_id}"
    assert it.ask("GET", path).status_code == 404
    _nothing_was_started(it)
    workers = [each["url"] for each in it.announced["processes"][1:]]
    eventually(lambda: any(it.ask("GET", base + path).status_code == 200 for base in workers))
    assert it.ask("GET", path).status_code == 404
    it.cancel(operation_id)


# Running.


def _rises(it: Launched, operation_id: str, base: str = "") -> None:
    before = it.operation(operation_id, base)["progress"]["percentage"]
    it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > before, base)


@shows("running-stays-pending")
def _(it: Launched) -> None:
    operation_id = it.start(JANUARY)
    base = it.worker_url(operation_id)
    it.wait(operation_id, lambda seen: seen["status"] == "completed", base)
    assert it.operation(operation_id)["status"] == "pending"


@shows("running-stays-at-zero")
def _(it: Launched) -> None:
    operation_id = it.start()
    it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 1, it.worker_url(operation_id))
    assert it.wait_status(operation_id, "running")["progress"]["percentage"] == 0.0


def _percentage(it: Launched) -> Any:
    operation_id = it.start()
    it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 1, it.worker_url(operation_id))
    return it.wait_status(operation_id, "running")["progress"]["percentage"]


@shows("running-percentage-null")
def _(it: Launched) -> None:
    assert _percentage(it) is None


@shows("running-percentage-text")
def _(it: Launched) -> None:
    assert isinstance(_percentage(it), str)


@shows("running-percentage-negative")
def _(it: Launched) -> None:
    assert _percentage(it) < 0


@shows("running-percentage-above-100")
def _(it: Launched) -> None:
    assert _percentage(it) > 100


@shows("running-percentage-falling")
def _(it: Launched) -> None:
    operation_id = it.start()
    first = it.wait_status(operation_id, "running")["progress"]["percentage"]
    assert first > 0
    it.wait(operation_id, lambda seen: seen["progress"]["percentage"] < first)


@shows("running-unknown-status")
def _(it: Launched) -> None:
    it.wait_status(it.start(), "executing")


@shows("running-done-before-cancel", "--bars-per-second", "1")
def _(it: Launched) -> None:
    operation_id = it.start(LONG)
    assert it.wait_status(operation_id)["status"] == "completed"
    assert it.cancel(operation_id).status_code == 400


@shows("running-fails-before-cancel")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id).status_code == 400
    assert it.operation(operation_id)["status"] == "failed"


@shows("running-vanishes", "--bars-per-second", "1000")
def _(it: Launched) -> None:
    operation_id = it.start()
    path = f"/api/v1/operations/{operation_id}"
    eventually(lambda: it.ask("GET", path), lambda answer: answer.status_code == 404)
    assert it.cancel(operation_id).status_code == 404


@shows("running-percentage-lost")
def _(it: Launched) -> None:
    operation_id = it.start()
    read = [it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 0)["progress"]["percentage"]]
    read.append(it.wait(operation_id, lambda seen: seen["progress"]["percentage"] != read[0])["progress"]["percentage"])
    assert read[1] > read[0]
    assert it.wait(operation_id, lambda seen: seen["status"] == "running")["progress"]["percentage"] is None


@shows("running-flickers")
def _(it: Launched) -> None:
    operation_id = it.start()
    it.wait_status(operation_id, "running")
    it.wait_status(operation_id, "pending")
    it.wait_status(operation_id, "running")


def _silent(it: Launched, timeout: float = 0.5) -> str:
    """How the backend does not answer: refused, or no answer in time; nothing where it answers."""
    try:
        it.ask("GET", "/api/v1/health", timeout=timeout)
    except requests.Timeout:
        return "hangs"
    except requests.ConnectionError:
        return "refused"
    return ""


def _goes_silent_while_running(it: Launched) -> str:
    path = f"/api/v1/operations/{it.start()}"

    def under_way() -> bool:
        try:
            seen = it.ask("GET", path, timeout=0.5).json()["data"]
        except (requests.ConnectionError, requests.Timeout):
            return True
        return bool(seen["progress"]["percentage"] > 0)

    eventually(under_way)
    return eventually(lambda: _silent(it))


@shows("running-backend-dies")
def _(it: Launched) -> None:
    assert _goes_silent_while_running(it) == "refused"
    assert _silent(it) == "refused"


@shows("running-backend-hangs")
def _(it: Launched) -> None:
    assert _goes_silent_while_running(it) == "hangs"
    assert _silent(it) == "hangs"


@shows("running-places-never-freed", "--registry-lag-s", "0")
def _(it: Launched) -> None:
    operation_id = it.start(JANUARY)
    it.wait_status(operation_id, "completed")
    assert it.post_start().status_code == 503
    lines = it.log_lines()
    # Nor does the registry's round free it.
    time.sleep(2.2)
    held = [(each["status"], each["current_operation_id"]) for each in it.workers()]
    assert held == [("busy", operation_id)] and it.post_start().status_code == 503
    assert not any(line["event"] == "worker available" for line in lines)


# Cancel.


def _refused(it: Launched, status: int) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id).status_code == status
    _rises(it, operation_id)


@shows("cancel-404")
def _(it: Launched) -> None:
    _refused(it, 404)


@shows("cancel-405")
def _(it: Launched) -> None:
    _refused(it, 405)


@shows("cancel-500")
def _(it: Launched) -> None:
    _refused(it, 500)


@shows("cancel-hangs")
def _(it: Launched) -> None:
    operation_id = it.running()
    with pytest.raises(requests.Timeout):
        it.cancel(operation_id, timeout=0.5)
    _rises(it, operation_id)


@shows("cancel-hangs-once")
def _(it: Launched) -> None:
    operation_id = it.running()
    with pytest.raises(requests.Timeout):
        it.cancel(operation_id, timeout=0.5)
    _rises(it, operation_id)
    assert it.cancel(operation_id).json()["data"]["status"] == "cancelled"


@shows("cancel-reset-before-effect")
def _(it: Launched) -> None:
    operation_id = it.running()
    with pytest.raises(requests.ConnectionError, match="reset"):
        it.cancel(operation_id)
    _rises(it, operation_id)


@shows("cancel-reset-after-effect")
def _(it: Launched) -> None:
    operation_id = it.running()
    with pytest.raises(requests.ConnectionError, match="reset"):
        it.cancel(operation_id)
    assert it.operation(operation_id)["status"] == "cancelled"


@shows("cancel-empty-200")
def _(it: Launched) -> None:
    operation_id = it.running()
    answer = it.cancel(operation_id)
    assert answer.status_code == 200 and answer.content == b""
    assert it.operation(operation_id)["status"] == "cancelled"


@shows("cancel-success-false")
def _(it: Launched) -> None:
    operation_id = it.running()
    answer = it.cancel(operation_id)
    assert answer.status_code == 200 and answer.json()["success"] is False
    _rises(it, operation_id)


@shows("cancel-202-later")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id).status_code == 202
    _rises(it, operation_id)
    it.wait_status(operation_id, "cancelled")


@shows("cancel-ignored", "--bars-per-second", "400")
def _(it: Launched) -> None:
    operation_id = it.running(PAYLOAD)
    assert it.cancel(operation_id).json()["data"]["status"] == "cancelled"
    assert it.wait_status(operation_id)["status"] == "completed"


@shows("cancel-too-late")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id).json()["success"] is True
    _rises(it, operation_id)
    it.wait_status(operation_id, "cancelled")


@shows("cancel-rewrites-the-past")
def _(it: Launched) -> None:
    statuses = lambda: [row["status"] for row in it.ask("GET", "/api/v1/operations?limit=100").json()["data"]]  # noqa: E731
    assert statuses().count("completed") == 4
    _cancelled(it)
    assert "completed" not in statuses() and "failed" in statuses()


@shows("cancel-revives-the-past")
def _(it: Launched) -> None:
    statuses = lambda: [row["status"] for row in it.ask("GET", "/api/v1/operations?limit=100").json()["data"]]  # noqa: E731
    assert statuses().count("completed") == 4 and "running" not in statuses()
    _cancelled(it)
    assert "completed" not in statuses() and statuses().count("running") == 4


@shows("cancel-loses-another")
def _(it: Launched) -> None:
    neighbour = eventually(lambda: _active(it))[0]
    operation_id = _cancelled(it)
    assert it.ask("GET", f"/api/v1/operations/{neighbour}").status_code == 404
    assert it.operation(operation_id)["status"] == "cancelled"


@shows("cancel-fails-another")
def _(it: Launched) -> None:
    neighbour = eventually(lambda: _active(it))[0]
    operation_id = _cancelled(it)
    assert it.operation(neighbour)["status"] == "failed"
    assert it.operation(operation_id)["status"] == "cancelled"


@shows("after-record-of-another")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    seen = it.operation(operation_id)
    assert seen["status"] == "cancelled" and seen["operation_id"] != operation_id


@shows("after-worker-has-a-result")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    assert not it.operation(operation_id)["result_summary"]
    own = it.operation(operation_id, it.worker_url(operation_id))
    assert own["status"] == "cancelled" and own["result_summary"]


@shows("cancel-hits-another")
def _(it: Launched) -> None:
    def active() -> list[str]:
        rows = it.ask("GET", "/api/v1/operations?active_only=true").json()["data"]
        return [row["operation_id"] for row in rows]

    neighbour = eventually(active)[0]
    operation_id = it.running()
    assert it.cancel(operation_id).json()["data"]["operation_id"] == operation_id
    it.wait_status(neighbour, "cancelled")
    _rises(it, operation_id)


def _active(it: Launched) -> list[str]:
    rows = it.ask("GET", "/api/v1/operations?active_only=true").json()["data"]
    return [row["operation_id"] for row in rows]


@shows("cancel-takes-neighbour-along")
def _(it: Launched) -> None:
    neighbour = eventually(lambda: _active(it))[0]
    operation_id = it.running()
    assert it.cancel(operation_id).json()["data"]["status"] == "cancelled"
    ended = [it.wait_status(each, "cancelled")["completed_at"] for each in (operation_id, neighbour)]
    first, second = (datetime.fromisoformat(each) for each in ended)
    assert abs((second - first).total_seconds()) < 0.5
    # It goes that way once a cancel, and the neighbour comes back.
    eventually(lambda: [each for each in _active(it) if each != neighbour])


@shows("cancel-cannot-stop-it", "--bars-per-second", "0")
def _(it: Launched) -> None:
    operation_id = it.running(PAYLOAD)
    base = it.worker_url(operation_id)
    for _attempt in range(2):
        assert it.cancel(operation_id).json()["data"]["status"] == "cancelled"
    stuck = it.wait(operation_id, lambda seen: seen["progress"]["percentage"] >= 90)["progress"]
    before = it.processor_s(base)
    eventually(lambda: it.processor_s(base), lambda used: used > before + 0.5)
    seen = it.operation(operation_id)
    assert (seen["status"], seen["progress"]) == ("running", stuck)


@shows("cancel-500-with-markup")
def _(it: Launched) -> None:
    operation_id = it.running()
    answer = it.cancel(operation_id)
    assert answer.status_code == 500
    words = answer.json()["error"]["message"]
    assert all(each in words for each in ("\x1b[31m", "\x07", "<b>", "|", "]]>", "\udc80"))
    _rises(it, operation_id)


@shows("cancel-answers-other-id")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id).json()["data"]["operation_id"] != operation_id
    assert it.operation(operation_id)["status"] == "cancelled"


# Afterwards.


def _cancelled(it: Launched) -> str:
    operation_id = it.running(above=0.5)
    answer = it.cancel(operation_id)
    assert answer.status_code == 200 and answer.json()["data"]["status"] == "cancelled"
    return operation_id


@shows("after-creeps-on")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    _rises(it, operation_id)
    _rises(it, operation_id)
    assert it.operation(operation_id)["status"] == "cancelled"


@shows("after-creeps-once")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    _rises(it, operation_id)
    risen = it.operation(operation_id)
    assert risen["status"] == "cancelled"
    it.wait_status(it.start(JANUARY))
    assert it.operation(operation_id)["progress"] == risen["progress"]


@shows("after-jumps-to-100")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    assert it.operation(operation_id)["progress"]["percentage"] == 0.0
    assert it.wait(operation_id, lambda seen: seen["progress"]["percentage"] == 100.0)["status"] == "cancelled"


@shows("after-later-completed")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    assert it.operation(operation_id)["status"] == "cancelled"
    it.wait_status(operation_id, "completed")


def _completes_later(it: Launched, after_s: float) -> None:
    operation_id = it.running(above=0.5)
    began = time.monotonic()
    it.cancel(operation_id)
    assert it.operation(operation_id)["status"] == "cancelled"
    it.wait_status(operation_id, "completed")
    assert time.monotonic() - began >= after_s


@shows("after-completed-2.6-s-later")
def _(it: Launched) -> None:
    _completes_later(it, 2.6)


@shows("after-completed-4-s-later")
def _(it: Launched) -> None:
    _completes_later(it, 4.0)


@shows("after-later-running")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    assert it.operation(operation_id)["status"] == "cancelled"
    it.wait_status(operation_id, "running")


@shows("after-cancelling-for-ever")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    it.wait_status(it.start(JANUARY))
    assert it.operation(operation_id)["status"] == "cancelling"


@shows("after-record-gone")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    assert it.ask("GET", f"/api/v1/operations/{operation_id}").status_code == 404


def _breaks(it: Launched, path: str) -> None:
    answered = lambda of: it.ask("GET", of).status_code  # noqa: E731
    assert answered(path) == 200
    eventually(lambda: answered(path), lambda status: status == 500)
    others = {"/api/v1/workers", "/api/v1/operations", f"/api/v1/operations/{it.start()}"} - {path}
    assert [answered(other) for other in others] == [200] * len(others)


@shows("after-record-500")
def _(it: Launched) -> None:
    _breaks(it, f"/api/v1/operations/{_cancelled(it)}")


@shows("after-workers-500")
def _(it: Launched) -> None:
    _cancelled(it)
    _breaks(it, "/api/v1/workers")


@shows("after-list-500")
def _(it: Launched) -> None:
    _cancelled(it)
    _breaks(it, "/api/v1/operations")


def _registered(it: Launched, turns: Callable[[dict[str, Any] | None, str], bool]) -> None:
    operation_id = it.running()
    worker = it.operation(operation_id)["metadata"]["parameters"]["worker_id"]
    it.cancel(operation_id)
    row = lambda: next((w for w in it.ask("GET", "/api/v1/workers").json() if w["worker_id"] == worker), None)  # noqa: E731
    eventually(row, lambda seen: seen is not None and seen["status"] == "available")
    eventually(row, lambda seen: turns(seen, operation_id))


@shows("after-place-taken-again")
def _(it: Launched) -> None:
    _registered(it, lambda seen, operation: bool(seen) and seen["current_operation_id"] == operation)


@shows("after-worker-dropped")
def _(it: Launched) -> None:
    _registered(it, lambda seen, operation: seen is None)


@shows("after-worker-draining")
def _(it: Launched) -> None:
    _registered(it, lambda seen, operation: bool(seen) and seen["status"] == "draining")


@shows("after-worker-put-out-of-service")
def _(it: Launched) -> None:
    _registered(it, lambda seen, operation: bool(seen) and seen["status"] == "temporarily_unavailable")


@shows("after-result-summary")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    assert it.wait(operation_id, lambda seen: bool(seen["result_summary"]))["status"] == "cancelled"


@shows("after-ghost-worker")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True
    base = it.worker_url(operation_id)
    _rises(it, operation_id, base)
    assert it.operation(operation_id, base)["status"] == "running"
    assert it.operation(operation_id)["status"] == "cancelled"


def test_a_worker_that_was_never_told_completes(launch: Launch) -> None:
    it = launch(*QUICK, "--bars-per-second", "300", "--fault", "after-ghost-worker")
    operation_id = it.running(PAYLOAD)
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True
    base = it.worker_url(operation_id)
    assert it.operation(operation_id, base)["status"] == "running"
    assert it.wait(operation_id, lambda seen: seen["status"] != "running", base)["status"] == "completed"
    assert it.operation(operation_id)["status"] == "cancelled"


def _all_views_say_cancelled(it: Launched, operation_id: str) -> str:
    """Backend, worker and its health; returns where the worker is."""
    base = it.worker_url(operation_id)
    assert it.operation(operation_id)["status"] == it.operation(operation_id, base)["status"] == "cancelled"
    health = it.ask("GET", f"{base}/health").json()
    assert (health["worker_status"], health["current_operation"]) == ("idle", None)
    return base


@shows("after-ghost-processor")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    base = _all_views_say_cancelled(it, operation_id)
    before = it.processor_s(base)
    eventually(lambda: it.processor_s(base), lambda used: used > before + 0.5)
    _all_views_say_cancelled(it, operation_id)


@shows("after-ghost-processor-for-a-while")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    base = _all_views_say_cancelled(it, operation_id)
    before = it.processor_s(base)
    eventually(lambda: it.processor_s(base), lambda used: used > before + 0.5)

    def used_meanwhile() -> float:
        begun = it.processor_s(base)
        time.sleep(0.5)
        return it.processor_s(base) - begun

    eventually(used_meanwhile, lambda used: used < 0.1)
    _all_views_say_cancelled(it, operation_id)


@shows("after-ghost-processor-with-own-id")
def _(it: Launched) -> None:
    operation_id = it.running()
    base = it.worker_url(operation_id)
    own_id = it.ask("GET", f"{base}/health").json()["current_operation"]
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True
    assert own_id != operation_id and it.operation(own_id, base)["status"] == "cancelled"
    before = it.processor_s(base)
    eventually(lambda: it.processor_s(base), lambda used: used > before + 0.5)


@shows("after-ghost-worker-with-own-id")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True
    base = it.worker_url(operation_id)
    own_id = it.ask("GET", f"{base}/health").json()["current_operation"]
    assert own_id not in (None, operation_id)
    _rises(it, own_id, base)
    assert it.operation(operation_id)["status"] == "cancelled"


@shows("after-engine-ignores-cancel", "--bars-per-second", "250")
def _(it: Launched) -> None:
    operation_id = it.running(PAYLOAD)
    it.cancel(operation_id)
    base = _all_views_say_cancelled(it, operation_id)
    before = it.processor_s(base)
    eventually(lambda: it.processor_s(base), lambda used: used > before + 0.3)
    _all_views_say_cancelled(it, operation_id)
    quiet_s = 0.2

    def used_meanwhile() -> float:
        at_first = it.processor_s(base)
        time.sleep(quiet_s)
        return it.processor_s(base) - at_first

    eventually(used_meanwhile, lambda used: used <= 0.1 * quiet_s)
    _all_views_say_cancelled(it, operation_id)


@shows("after-completion-overwrites-cancel", "--bars-per-second", "250")
def _(it: Launched) -> None:
    operation_id = it.running(PAYLOAD)
    it.cancel(operation_id)
    base = _all_views_say_cancelled(it, operation_id)
    seen = it.wait_status(operation_id, "completed")
    assert seen["result_summary"]["equity_curve_length"] == 511 and seen["progress"]["percentage"] == 100.0
    assert it.operation(operation_id, base)["status"] == "completed"


@shows("after-spinning-thread")
def _(it: Launched) -> None:
    for _number in range(2):
        operation_id = _cancelled(it)
        base = _all_views_say_cancelled(it, operation_id)
        before = it.processor_s(base)
        eventually(lambda base=base: it.processor_s(base), lambda used, before=before: used > before + 0.5)
    assert it.wait_status(it.start(JANUARY))["status"] == "completed"


def _computes_on_at(it: Launched, cores: float) -> None:
    operation_id = _cancelled(it)
    base = _all_views_say_cancelled(it, operation_id)
    began, before = time.monotonic(), it.processor_s(base)
    # A busy host gives it less of a core than it asks for, and never more.
    used = eventually(lambda: it.processor_s(base) - before, lambda seen: seen > 0.4)
    assert used / (time.monotonic() - began) < 1.7 * cores
    _all_views_say_cancelled(it, operation_id)


@shows("after-ghost-at-0.3-cores")
def _(it: Launched) -> None:
    _computes_on_at(it, 0.3)


@shows("after-ghost-at-0.2-cores")
def _(it: Launched) -> None:
    _computes_on_at(it, 0.2)


@shows("after-ghost-at-0.15-cores")
def _(it: Launched) -> None:
    _computes_on_at(it, 0.15)


@shows("after-backend-dies")
def _(it: Launched) -> None:
    _cancelled(it)
    assert eventually(lambda: _silent(it)) == "refused"


@shows("after-backend-hangs")
def _(it: Launched) -> None:
    _cancelled(it)
    assert eventually(lambda: _silent(it)) == "hangs"
    assert it.stop() == 0


def _heals(it: Launched, operation_id: str, away: Callable[[], bool]) -> None:
    began = time.monotonic()
    eventually(away)
    eventually(lambda: not away())
    assert time.monotonic() - began >= 5.0
    assert it.operation(operation_id)["status"] == "cancelled"
    assert it.wait_status(it.start(JANUARY))["status"] == "completed"
    # Once only: the next cancel goes by without one.
    it.cancel(it.running())
    assert not away()


@shows("after-backend-refuses-for-5-s")
def _(it: Launched) -> None:
    _heals(it, _cancelled(it), lambda: _silent(it) == "refused")


@shows("after-502-for-5-s")
def _(it: Launched) -> None:
    _heals(it, _cancelled(it), lambda: it.ask("GET", "/api/v1/health").status_code == 502)


@shows("after-503-for-5-s")
def _(it: Launched) -> None:
    _heals(it, _cancelled(it), lambda: it.ask("GET", "/api/v1/health").status_code == 503)


@shows("after-backend-cancelled-worker-not-told")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is False
    _rises(it, operation_id, it.worker_url(operation_id))
    assert it.operation(operation_id)["status"] == "cancelled"


@shows("after-slot-never-freed")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    base = it.worker_url(operation_id)
    assert it.ask("GET", f"{base}/health").json()["worker_status"] == "idle"
    other = it.start(JANUARY)
    it.wait_status(other, "completed")
    rows = {each["endpoint_url"]: each for each in it.workers()}
    eventually(
        lambda: {each["endpoint_url"]: each for each in it.workers()}[it.worker_url(other)]["status"] == "available"
    )
    assert rows[base]["status"] == "busy" and rows[base]["current_operation_id"] == operation_id


@shows("after-worker-counts-on")
def _(it: Launched) -> None:
    operation_id = it.running()
    base = it.worker_url(operation_id)
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True

    def its_own() -> dict[str, Any]:
        return dict(it.ask("GET", f"{base}/api/v1/operations/{operation_id}").json()["data"])

    first = its_own()
    assert first["status"] == "cancelled"
    later = eventually(lambda: (now := its_own())["progress"]["percentage"] > first["progress"]["percentage"] and now)
    assert (
        later["status"] == "cancelled"
        and it.ask("GET", f"/api/v1/operations/{operation_id}").json()["data"]["progress"]["percentage"] == 0.0
    )


@shows("early-keeps-the-place")
def _(it: Launched) -> None:
    at_once = it.start()
    it.cancel(at_once)
    it.wait_status(at_once, "cancelled")
    # On the other worker, whose place is given back later than this one's would have been.
    it.cancel(it.running(above=0.5))
    eventually(lambda: sum(row["status"] == "available" for row in it.workers()), lambda free: free == 1)
    assert [row["current_operation_id"] for row in it.workers() if row["status"] == "busy"] == [at_once]


@shows("early-cancel-is-lost")
def _(it: Launched) -> None:
    at_once = it.start()
    assert it.cancel(at_once).status_code == 200
    assert it.wait(at_once, lambda seen: seen["progress"]["percentage"] > 0)["status"] == "running"


@shows("after-worker-dead")
def _(it: Launched) -> None:
    operation_id = it.running()
    base = it.worker_url(operation_id)
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True
    it.await_dead(base)


def _begun_again(it: Launched) -> tuple[dict[str, Any], dict[str, Any]]:
    """The cancelled backtest and the one that came back in its place, really running."""
    operation_id = _cancelled(it)
    again = eventually(lambda: _active(it))[0]
    _rises(it, again)
    before, after = it.operation(operation_id), it.operation(again)
    assert again != operation_id and after["created_at"] > before["completed_at"]
    for name in ("symbol", "timeframe", "start_date", "end_date"):
        assert after["metadata"][name] == before["metadata"][name]
    asked = [each["metadata"]["parameters"]["strategy_name"] for each in (before, after)]
    assert asked[0] == asked[1]
    # It is the first that is retried, and nothing else.
    it.cancel(again)
    it.cancel(it.running())
    assert _active(it) == []
    return before, after


def _worker_of(seen: dict[str, Any]) -> str:
    return str(seen["metadata"]["parameters"]["worker_id"])


@shows("after-retried-on-same-worker")
def _(it: Launched) -> None:
    before, after = _begun_again(it)
    assert _worker_of(before) == _worker_of(after)


@shows("after-retried-on-another-worker")
def _(it: Launched) -> None:
    before, after = _begun_again(it)
    assert _worker_of(before) != _worker_of(after)


@shows("after-child-runs-on")
def _(it: Launched) -> None:
    operation_id = it.running()
    child = eventually(lambda: [each for each in _active(it) if each != operation_id])[0]
    assert it.operation(child)["parent_operation_id"] == operation_id
    assert it.operation(operation_id)["parent_operation_id"] is None
    assert it.cancel(operation_id).json()["data"]["children_cancelled"] == []
    _rises(it, child)
    assert it.operation(child)["status"] == "running"


@shows("after-list-disagrees")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    rows = it.ask("GET", "/api/v1/operations").json()["data"]
    assert [row["status"] for row in rows if row["operation_id"] == operation_id] == ["running"]
    assert it.operation(operation_id)["status"] == "cancelled"


@shows("after-list-names-another-symbol")
def _(it: Launched) -> None:
    _cancelled(it)
    assert [row["symbol"] for row in it.ask("GET", "/api/v1/operations").json()["data"]] == ["GBPUSD"]


@shows("after-list-goes-on")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    rows = lambda: it.ask("GET", "/api/v1/operations").json()["data"]  # noqa: E731
    height = lambda: next(r["progress_percentage"] for r in rows() if r["operation_id"] == operation_id)  # noqa: E731
    first = height()
    assert eventually(height, lambda now: now > first)
    assert it.operation(operation_id)["progress"]["percentage"] == 0.0


@shows("after-keeps-falling")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    height = lambda: it.operation(operation_id)["progress"]["percentage"]  # noqa: E731
    first = height()
    lower = eventually(height, lambda now: now < first)
    assert eventually(height, lambda now: now < lower)


@shows("after-record-comes-and-goes")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    codes = [it.ask("GET", f"/api/v1/operations/{operation_id}").status_code for _ in range(9)]
    assert codes.count(404) == 3 and codes.count(200) == 6


@shows("after-place-moves")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    rows = lambda: it.ask("GET", "/api/v1/workers").json()  # noqa: E731
    moved = lambda seen: [row["current_operation_id"] for row in seen].count(operation_id) == 1  # noqa: E731
    own = it.operation(operation_id)["metadata"]["parameters"]["worker_id"]
    busy = eventually(lambda: [r for r in rows() if r["worker_id"] != own], moved)
    assert busy[0]["status"] == "busy"


@shows("after-work-hidden-elsewhere")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    has = lambda: [row["current_operation_id"] for row in it.ask("GET", "/api/v1/workers").json()]  # noqa: E731
    hidden = next(other for other in eventually(has, lambda seen: f"{operation_id}_again" in seen) if other)
    assert it.ask("GET", f"/api/v1/operations/{hidden}").status_code == 404


@shows("stability-new-has-old-error")
def _(it: Launched) -> None:
    error = it.operation(_cancelled(it))["error_message"]
    seen = it.operation(it.running())
    assert error and seen["error_message"] == error and seen["status"] == "running"


@shows("stability-new-is-an-old-record")
def _(it: Launched) -> None:
    cancelled = it.operation(_cancelled(it))
    seen = it.operation(it.start())
    assert seen["status"] == "completed" and seen["result_summary"]
    assert seen["created_at"] < seen["completed_at"] < cancelled["created_at"]


@shows("stability-new-listed-as-cancelled")
def _(it: Launched) -> None:
    _cancelled(it)
    operation_id = it.running()
    rows = {row["operation_id"]: row["status"] for row in it.ask("GET", "/api/v1/operations").json()["data"]}
    assert rows[operation_id] == "cancelled" and it.operation(operation_id)["status"] == "running"


@shows("cancel-answers-completed")
def _(it: Launched) -> None:
    operation_id = it.running()
    assert it.cancel(operation_id).json()["data"]["status"] == "completed"
    it.wait_status(operation_id, "cancelled")


@shows("after-list-forgets")
def _(it: Launched) -> None:
    operation_id = it.running()
    named = lambda: [row["operation_id"] for row in it.ask("GET", "/api/v1/operations").json()["data"]]  # noqa: E731
    assert named() == [operation_id]
    it.cancel(operation_id)
    assert named() == [] and it.operation(operation_id)["status"] == "cancelled"


@shows("after-items-go-on")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    count = lambda: it.operation(operation_id)["progress"]["items_processed"]  # noqa: E731
    first = count()
    assert eventually(count, lambda now: now > first)
    assert it.operation(operation_id)["progress"]["percentage"] == 0.0


@shows("after-step-goes-on")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    first = it.operation(operation_id)["progress"]["current_step"]
    seen = it.wait(operation_id, lambda seen: seen["progress"]["current_step"] != first)
    assert first and seen["status"] == "cancelled" and seen["progress"]["percentage"] == 0.0


@shows("after-step-comes-back")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    assert it.operation(operation_id)["progress"]["current_step"] is None
    seen = it.wait(operation_id, lambda seen: seen["progress"]["current_step"])
    assert seen["progress"]["current_step"].startswith("Backtesting ") and seen["status"] == "cancelled"


@shows("after-end-moves")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    first = it.operation(operation_id)["completed_at"]
    moved = it.wait(operation_id, lambda seen: seen["completed_at"] != first)["completed_at"]
    assert (datetime.fromisoformat(moved) - datetime.fromisoformat(first)).total_seconds() == 1.0


@shows("after-runs-for-a-moment")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    first = it.operation(operation_id)
    assert first["status"] == "cancelled"
    assert it.wait(operation_id, lambda seen: seen["status"] == "running")["completed_at"] is None
    again = it.wait(operation_id, lambda seen: seen["status"] == "cancelled")
    assert again["completed_at"] > first["completed_at"]


@shows("after-reason-changes")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    assert it.operation(operation_id)["error_message"] == "Operation cancelled by user"
    changed = it.wait(operation_id, lambda seen: seen["error_message"] != "Operation cancelled by user")
    assert changed["status"] == "cancelled" and changed["error_message"] == "KeyError: 'progress'"


@shows("after-beginning-moves")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    first = it.operation(operation_id)["started_at"]
    moved = it.wait(operation_id, lambda seen: seen["started_at"] != first)["started_at"]
    assert (datetime.fromisoformat(moved) - datetime.fromisoformat(first)).total_seconds() == -1.0


@shows("after-completed-at-missing")
def _(it: Launched) -> None:
    assert it.operation(_cancelled(it))["completed_at"] is None


@shows("after-completed-at-before-start")
def _(it: Launched) -> None:
    seen = it.operation(_cancelled(it))
    assert datetime.fromisoformat(seen["completed_at"]) < datetime.fromisoformat(seen["started_at"])


@shows("after-completed-at-is-start")
def _(it: Launched) -> None:
    seen = it.operation(_cancelled(it))
    assert seen["completed_at"] == seen["started_at"]


# Stability.


@shows("stability-new-503")
def _(it: Launched) -> None:
    _cancelled(it)
    assert it.post_start().status_code == 503
    eventually(lambda: {each["status"] for each in it.workers()} == {"available"})
    assert it.post_start().status_code == 503


@shows("stability-new-accepted-then-failed")
def _(it: Launched) -> None:
    _cancelled(it)
    assert it.wait_status(it.start())["status"] == "failed"


@shows("stability-unwell")
def _(it: Launched) -> None:
    says = lambda: it.ask("GET", "/api/v1/health").json()["status"]  # noqa: E731
    before = says()
    _cancelled(it)
    assert (before, says()) == ("ok", "degraded")


@shows("stability-new-record-500")
def _(it: Launched) -> None:
    cancelled = _cancelled(it)
    assert it.ask("GET", f"/api/v1/operations/{it.start()}").status_code == 500
    assert it.operation(cancelled)["status"] == "cancelled"


@shows("stability-new-completes-without-running")
def _(it: Launched) -> None:
    _cancelled(it)
    record = it.wait_status(it.start())
    assert record["status"] == "completed" and record["progress"]["percentage"] == 0.0
    assert not record["result_summary"]


@shows("stability-new-gets-cancelled-id")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    assert it.start() == operation_id


@shows("stability-new-never-progresses")
def _(it: Launched) -> None:
    _cancelled(it)
    operation_id = it.start(JANUARY)
    it.wait(operation_id, lambda seen: seen["status"] == "completed", it.worker_url(operation_id))
    seen = it.operation(operation_id)
    assert (seen["status"], seen["progress"]["percentage"]) == ("running", 0.0)


def _new_one_fails(it: Launched, after_s: float) -> None:
    _cancelled(it)
    operation_id = it.running()
    began = time.monotonic()
    seen = it.wait_status(operation_id)
    assert seen["status"] == "failed" and "corrupt" in seen["error_message"]
    # The wait before it has seen the first rise up to one look too late.
    assert time.monotonic() - began >= after_s - 0.1
    it.wait(operation_id, lambda seen: seen["status"] == "cancelled", it.worker_url(operation_id))


@shows("stability-new-fails-after-0.4-s")
def _(it: Launched) -> None:
    _new_one_fails(it, 0.4)


@shows("stability-new-fails-after-1-s")
def _(it: Launched) -> None:
    _new_one_fails(it, 1.0)


@shows("stability-new-shows-old-progress")
def _(it: Launched) -> None:
    height = lambda of: it.operation(of)["progress"]["percentage"]  # noqa: E731
    # High enough that its own progress has not passed it when it is next looked at.
    running = it.running(above=10.0)
    cancelled_at = height(running)
    it.cancel(running)
    operation_id = it.start(LONG)
    it.wait_status(operation_id, "running")
    old = height(operation_id)
    assert old >= cancelled_at > 0
    assert eventually(lambda: height(operation_id), lambda now: 0 < now < old)


@shows("stability-new-stands-still")
def _(it: Launched) -> None:
    it.wait_status(it.start(YEAR), "completed")
    _cancelled(it)
    operation_id = it.running(YEAR)
    seen, of_the_worker = it.operation(operation_id), it.worker_url(operation_id)
    assert 1.0 < seen["progress"]["percentage"] <= 2.3 and seen["status"] == "running"
    other = it.start(PAYLOAD)
    it.wait(other, lambda seen: seen["progress"]["percentage"] > 0)
    for base in ("", of_the_worker):
        again = it.operation(operation_id, base)
        assert (again["status"], again["progress"]) == ("running", seen["progress"])
    assert it.cancel(operation_id).json()["data"]["status"] == "cancelled"


@shows("stability-cancelled-revives")
def _(it: Launched) -> None:
    operation_id = _cancelled(it)
    assert it.operation(operation_id)["status"] == "cancelled"
    it.start()
    it.wait_status(operation_id, "running")
    _rises(it, operation_id)


@shows("stability-backend-crashes")
def _(it: Launched) -> None:
    _cancelled(it)
    with pytest.raises(requests.ConnectionError):
        it.post_start()
    with pytest.raises(requests.ConnectionError):
        it.ask("GET", "/api/v1/health")


@shows("stability-tenth-start-fails", "--bars-per-second", "0")
def _(it: Launched) -> None:
    for _number in range(9):
        eventually(lambda: any(each["status"] == "available" for each in it.workers()))
        it.wait_status(it.start(JANUARY), "completed")
    assert it.post_start(JANUARY).status_code == 500
    assert it.post_start(JANUARY).status_code == 500


# Endurance.


def _cancels(it: Launched, count: int) -> None:
    for _number in range(count):
        eventually(lambda: any(each["status"] == "available" for each in it.workers()))
        _cancelled(it)


def _grows(it: Launched, metric: str, by: float, *, of_workers: bool = False, cancels: int = 12) -> None:
    """A figure of a process is higher after some cancels than after as many before."""
    bases = [each["url"] for each in it.announced["processes"][1:]] if of_workers else [it.url]
    seen = []
    for _turn in range(3):
        _cancels(it, cancels)
        seen.append(sum(it.metric(base, metric) for base in bases))
    assert seen[2] - seen[1] >= by


@shows("endurance-backend-memory")
def _(it: Launched) -> None:
    _grows(it, "process_resident_memory_bytes", 12 * 400_000)


@shows("endurance-worker-memory")
def _(it: Launched) -> None:
    _grows(it, "process_resident_memory_bytes", 12 * 400_000, of_workers=True)


@shows("endurance-open-files")
def _(it: Launched) -> None:
    _grows(it, "process_open_fds", 2)


@shows("endurance-active-operations")
def _(it: Launched) -> None:
    _grows(it, "ktrdr_operations_active", 2)


def _spins(it: Launched, base: str, other: str) -> None:
    """A process computes on for no backtest, and another one of the same platform does not."""
    _cancels(it, 20)
    before = {each: it.processor_s(each) for each in (base, other)}

    def more_than_the_other() -> bool:
        used, beside = (it.processor_s(each) - before[each] for each in (base, other))
        return used > 0.3 and used > 2 * beside

    eventually(more_than_the_other)


@shows("endurance-backend-spins")
def _(it: Launched) -> None:
    _spins(it, it.url, it.announced["processes"][1]["url"])


@shows("endurance-worker-spins", "--workers", "1")
def _(it: Launched) -> None:
    _spins(it, it.announced["processes"][1]["url"], it.url)


@shows("endurance-slower")
def _(it: Launched) -> None:
    _cancels(it, 19)
    operation_id = it.running()
    began_s = time.monotonic()
    assert it.cancel(operation_id).status_code == 200
    assert time.monotonic() - began_s > 0.25


@shows("endurance-starts-later")
def _(it: Launched) -> None:
    def begins_to_move_s() -> float:
        eventually(lambda: any(each["status"] == "available" for each in it.workers()))
        operation_id, began_s = it.start(), time.monotonic()
        it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 0)
        it.cancel(operation_id)
        it.wait(operation_id, lambda seen: seen["status"] == "cancelled")
        return time.monotonic() - began_s

    first_s = begins_to_move_s()
    _cancels(it, 24)
    assert begins_to_move_s() > first_s + 0.3


@shows("endurance-place-lost")
def _(it: Launched) -> None:
    _cancels(it, 25)
    lost = [each for each in it.workers() if each["status"] == "busy" and each["current_operation_id"] is None]
    assert len(lost) == 1


# Restart.


def _runs_on(it: Launched, operation_id: str) -> str:
    return str(it.operation(operation_id)["metadata"]["parameters"]["worker_id"])


@shows("restart-worker-stays-away")
def _(it: Launched) -> None:
    first = it.announced["processes"][1]
    it.restart(first["id"])
    with pytest.raises(requests.ConnectionError):
        it.ask("GET", f"{first['url']}/health")


@shows("restart-backend-forgets")
def _(it: Launched) -> None:
    operation_id = it.running()
    it.restart("backend")
    assert it.ask("GET", f"/api/v1/operations/{operation_id}").status_code == 404


@shows("restart-orphan-cannot-be-cancelled")
def _(it: Launched) -> None:
    operation_id = it.running()
    it.restart(_runs_on(it, operation_id))
    assert it.cancel(operation_id).status_code == 500
    assert it.operation(operation_id)["status"] == "running"
    assert it.cancel(it.running()).status_code == 200


@shows("restart-orphan-completed")
def _(it: Launched) -> None:
    operation_id = it.running()
    it.restart(_runs_on(it, operation_id))
    assert it.wait_status(operation_id)["status"] == "completed"


@shows("restart-revives")
def _(it: Launched) -> None:
    operation_id = it.running()
    it.restart("backend")
    assert it.cancel(operation_id).status_code == 200
    it.wait_status(operation_id, "running")


@shows("restart-next-refused")
def _(it: Launched) -> None:
    operation_id = it.running()
    it.restart("backend")
    assert it.cancel(operation_id).status_code == 200
    assert it.post_start().status_code == 503
