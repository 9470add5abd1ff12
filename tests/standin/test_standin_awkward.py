"""Healthy, but awkward: replicas, proxies, limits, and other people. Each is met over plain HTTP."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import requests
from launching import JANUARY, LONG, PAYLOAD, QUICK, ROOT, Launch, Launched, eventually

HEALTHY = ROOT / "tests" / "gallery" / "healthy.toml"
RUN_AT = ("--bars-per-second", "100")


def record(it: Launched, operation_id: str) -> requests.Response:
    return it.ask("GET", f"/api/v1/operations/{operation_id}")


def active(it: Launched) -> list[str]:
    rows = it.ask("GET", "/api/v1/operations?active_only=true").json()["data"]
    return [row["operation_id"] for row in rows]


def others(it: Launched, *mine: str) -> list[str]:
    return [each for each in active(it) if each not in mine]


def ended_at(it: Launched, operation_id: str) -> datetime:
    return datetime.fromisoformat(it.wait_status(operation_id, "cancelled")["completed_at"])


def test_the_race_with_completion(launch: Launch) -> None:
    """On the gallery's platform the only candidate is cancelled at 90 %, and ends before its worker hears of it."""
    rows = {row["name"]: row for row in tomllib.loads(HEALTHY.read_text())["platform"]}
    it = launch(*rows["the race with completion"]["arguments"])
    told = 0
    for _attempt in range(5):
        operation_id = it.start(PAYLOAD)
        # Told in two steps: 45 % and 90 %.
        it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 80)
        told = it.cancel(operation_id).status_code
        assert it.wait_status(operation_id)["status"] == "completed"
        if told == 200:
            break
        eventually(lambda: it.workers()[0]["status"] == "available")
    assert told == 200
    data = it.ask("POST", "/api/v1/data/range", json={"symbol": "EURUSD", "timeframe": "1d"}).json()["data"]
    assert data["start_date"] > "2022"


def test_a_record_that_comes_late(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--record-after-s", "0.8")
    asked = time.monotonic()
    operation_id = it.start()
    assert record(it, operation_id).status_code == 404 and active(it) == []
    eventually(lambda: record(it, operation_id).status_code == 200)
    assert time.monotonic() - asked >= 0.8
    assert active(it) == [operation_id]
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True


def test_every_second_reading_is_stale(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--replica-lag-s", "0.5")
    operation_id = it.start()
    assert {record(it, operation_id).status_code for _ in range(2)} == {200, 404}
    eventually(lambda: {record(it, operation_id).json().get("data", {}).get("status") for _ in range(2)} == {"running"})
    it.cancel(operation_id)
    seen = [it.operation(operation_id)["status"] for _ in range(4)]
    assert set(seen[::2]) != set(seen[1::2]) and set(seen) == {"cancelled", "running"}
    eventually(lambda: {it.operation(operation_id)["status"] for _ in range(2)} == {"cancelled"})


def limited_once(ask: Callable[[], requests.Response]) -> requests.Response:
    """Turned away, also when it comes back too soon, and let in when it has waited as long as it was told to."""
    for _attempt in range(2):
        answer = ask()
        assert answer.status_code == 429 and answer.headers["retry-after"] == "1", answer.text
    time.sleep(float(answer.headers["retry-after"]))
    answer = ask()
    assert answer.status_code == 200, answer.text
    return answer


def test_rate_limits(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--rate-limits")
    operation_id = limited_once(it.post_start).json()["operation_id"]
    eventually(lambda: record(it, operation_id).status_code == 429)
    assert record(it, operation_id).status_code == 200
    limited_once(lambda: it.cancel(operation_id))
    limited_once(it.post_start)
    assert it.post_start(JANUARY).status_code == 200


def test_connections_that_are_dropped(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--resets-every", "3")
    operation_id = it.start()
    read = {"lost": 0, "had": 0}
    while min(read.values()) < 5:
        try:
            read["had"] += record(it, operation_id).status_code == 200
        except requests.ConnectionError:
            read["lost"] += 1
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True


def test_one_reading_lost_after_the_cancel(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--loses-reading-after-cancel")
    operation_id = it.running()
    it.cancel(operation_id)
    with pytest.raises(requests.ConnectionError):
        record(it, operation_id)
    assert it.operation(operation_id)["status"] == "cancelled"


def test_megabytes_of_warnings(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--warnings-mb", "1")
    assert len(record(it, it.running()).content) > 1_000_000


def test_many_old_operations(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--old-operations", "3000")
    operation_id = it.running()
    listed = it.ask("GET", "/api/v1/operations?limit=5000").json()
    rows = listed["data"]
    assert len(rows) == listed["total_count"] == 3001 and rows[0]["operation_id"] == operation_id
    assert {row["status"] for row in rows[1:]} == {"completed", "cancelled", "failed"}
    assert it.operation(rows[-1]["operation_id"])["status"] == rows[-1]["status"]
    assert active(it) == [operation_id]


def words(value: Any) -> set[str]:
    """Every status in an answer."""
    if isinstance(value, list):
        return set().union(*map(words, value))
    if not isinstance(value, dict):
        return set()
    found = {each for key, each in value.items() if key in ("status", "worker_status") and isinstance(each, str)}
    return found.union(*map(words, value.values()))


def test_statuses_in_upper_case(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--upper-case")
    answer = it.post_start()
    operation_id = answer.json()["operation_id"]
    it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 0)
    base = it.worker_url(operation_id)
    paths = ("/api/v1/operations", "/api/v1/workers", f"/api/v1/operations/{operation_id}", f"{base}/health")
    said = [words(answer.json()), *(words(it.ask("GET", path).json()) for path in paths)]
    said.append(words(it.operation(operation_id, base)))
    said.append(words(it.cancel(operation_id).json()))
    assert said == [
        {"STARTED"}, {"RUNNING"}, {"BUSY", "AVAILABLE"}, {"RUNNING"}, {"BUSY", "OPERATIONAL"}, {"RUNNING"}, {"CANCELLED"},
    ]  # fmt: skip


@pytest.mark.parametrize("moment", ["running", "cancelled"])
def test_a_worker_that_takes_another_name(launch: Launch, moment: str) -> None:
    it = launch(*QUICK, *RUN_AT, "--renamed-worker", moment)
    before = {each["endpoint_url"]: each for each in it.workers()}
    operation_id = it.running()
    base = it.worker_url(operation_id)
    if moment == "cancelled":
        assert it.workers()[0]["worker_id"] in [each["worker_id"] for each in before.values()]
        it.cancel(operation_id)

    def now() -> dict[str, Any]:
        return {each["endpoint_url"]: each for each in it.workers()}

    eventually(lambda: now()[base]["worker_id"] != before[base]["worker_id"])
    assert set(now()) == set(before)
    if moment == "running":
        assert (now()[base]["status"], now()[base]["current_operation_id"]) == ("busy", operation_id)
        assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True
    assert it.operation(operation_id, base)["status"] == "cancelled"
    eventually(lambda: now()[base]["status"] == "available")
    for _number in range(2):
        assert it.wait_status(it.start(JANUARY))["status"] == "completed"


def test_workers_with_ids_of_their_own(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--own-ids")
    operation_id = it.running()
    base = it.worker_url(operation_id)
    assert it.ask("GET", f"{base}/api/v1/operations/{operation_id}").status_code == 404
    own_id = it.ask("GET", f"{base}/health").json()["current_operation"]
    listed = it.ask("GET", f"{base}/api/v1/operations").json()["data"]
    assert own_id != operation_id and [each["operation_id"] for each in listed] == [own_id]
    ours, its = it.operation(operation_id), it.operation(own_id, base)
    assert its["metadata"] == ours["metadata"] and its["started_at"] == ours["started_at"]
    held = {each["current_operation_id"] for each in it.workers()}
    assert held == {operation_id, None}
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True
    assert it.operation(own_id, base)["status"] == "cancelled"
    eventually(lambda: {each["status"] for each in it.workers()} == {"available"})


def test_a_child_is_cancelled_with_its_parent(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--children", "--workers", "4")
    operation_id = it.running()
    child = eventually(lambda: others(it, operation_id))[0]
    it.wait(child, lambda seen: seen["progress"]["percentage"] > 0)
    assert it.operation(child)["parent_operation_id"] == operation_id
    told = it.cancel(operation_id).json()["data"]
    assert told["children_cancelled"] == [child] and told["remote_cancelled"] is True
    assert it.operation(child)["status"] == it.operation(child, it.worker_url(child))["status"] == "cancelled"


def test_a_twin_that_began_before_the_cancel(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--visitor", "twin", "--workers", "3")
    operation_id = it.running(PAYLOAD)
    twin = eventually(lambda: others(it, operation_id))[0]
    ours, theirs = it.operation(operation_id), it.operation(twin)
    for name in ("symbol", "timeframe", "start_date", "end_date"):
        assert ours["metadata"][name] == theirs["metadata"][name]
    it.cancel(operation_id)
    assert theirs["created_at"] < it.operation(operation_id)["completed_at"]
    assert it.wait_status(twin)["status"] == "completed"
    it.wait_status(it.start(JANUARY), "completed")
    assert active(it) == []


def test_a_newcomer_after_the_cancel(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--visitor", "newcomer", "--workers", "3")
    operation_id = it.running(PAYLOAD)
    assert others(it, operation_id) == []
    it.cancel(operation_id)
    newcomer = it.operation(eventually(lambda: active(it))[0])
    assert newcomer["created_at"] > it.operation(operation_id)["completed_at"]
    assert newcomer["metadata"]["start_date"] != "2023-01-01T00:00:00"


def test_a_neighbour_who_cancels_his_own_later(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--visitor", "cancels-after", "--workers", "3")
    neighbour = eventually(lambda: active(it))[0]
    operation_id = it.running(LONG)
    it.cancel(operation_id)
    assert (ended_at(it, neighbour) - ended_at(it, operation_id)).total_seconds() >= 1.5


def test_a_neighbour_who_cancels_his_own_before(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--visitor", "cancels-before", "--workers", "3", "--first-progress-after-s", "1.5")
    neighbour = eventually(lambda: active(it))[0]
    operation_id = it.running(LONG)
    it.cancel(operation_id)
    assert (ended_at(it, operation_id) - ended_at(it, neighbour)).total_seconds() >= 1.0


def test_the_same_seed_gives_the_same_chances(launch: Launch) -> None:
    def lost(seed: str) -> list[bool]:
        it = launch(*QUICK, "--resets-every", "2", "--seed", seed)
        found = []
        for _number in range(20):
            try:
                it.ask("GET", "/api/v1/health")
                found.append(False)
            except requests.ConnectionError:
                found.append(True)
        it.stop()
        return found

    assert lost("7") == lost("7") != lost("8")
