"""A restart of one process, asked for over standard input: what is lost with it, and what is not."""

from __future__ import annotations

from typing import Any

import psutil
import pytest
from launching import PAYLOAD, QUICK, Launch, Launched, eventually


def pids(it: Launched) -> dict[str, int]:
    return {each["id"]: each["pid"] for each in it.announced["processes"]}


def worker_of(it: Launched, operation_id: str) -> str:
    return str(it.operation(operation_id)["metadata"]["parameters"]["worker_id"])


@pytest.mark.parametrize("name", ["backend", "backtest-worker-2"])
def test_one_process_is_another_one_at_the_same_address_and_the_others_live_on(launch: Launch, name: str) -> None:
    it = launch(*QUICK)
    before, addresses = pids(it), [each["url"] for each in it.announced["processes"]]
    it.restart(name)
    assert {n for n, pid in pids(it).items() if pid != before[n]} == {name}
    assert not psutil.pid_exists(before[name]) and psutil.pid_exists(pids(it)[name])
    assert [each["url"] for each in it.announced["processes"]] == addresses
    assert {each["worker_id"]: each["status"] for each in it.workers()} == {
        "backtest-worker-1": "available",
        "backtest-worker-2": "available",
    }
    it.wait_status(it.start(PAYLOAD), "running")
    assert it.stop() == 0
    assert not any(psutil.pid_exists(pid) for pid in pids(it).values())


def test_what_cannot_be_restarted_is_passed_over(launch: Launch) -> None:
    it = launch(*QUICK)
    assert it.process.stdin is not None
    it.process.stdin.write("restart nobody\nhello\n")
    it.process.stdin.flush()
    before = pids(it)
    it.restart("backend")
    assert {n for n, pid in pids(it).items() if pid != before[n]} == {"backend"}


def test_a_backend_knows_what_ran_and_what_had_ended_and_follows_it(launch: Launch) -> None:
    it = launch(*QUICK)
    ended = it.running()
    it.cancel(ended)
    before, operation_id = it.operation(ended), it.running()
    it.restart("backend")
    assert it.operation(ended) == before
    at = it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 0)["progress"]["percentage"]
    it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > at)
    assert it.metric(it.url, "ktrdr_operations_active") == 1
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True
    eventually(lambda: all(each["status"] == "available" for each in it.workers()))


def test_a_backtest_whose_worker_was_restarted_runs_until_it_is_cancelled(launch: Launch) -> None:
    """As on the measured KTRDR (contract, surprise 13)."""
    it = launch(*QUICK)
    operation_id = it.running()
    it.restart(worker_of(it, operation_id))
    seen = it.operation(operation_id)
    assert seen["status"] == "running"
    answer: dict[str, Any] = it.cancel(operation_id).json()["data"]
    assert (answer["status"], answer["remote_cancelled"]) == ("cancelled", False)
    assert it.operation(operation_id)["status"] == "cancelled"


@pytest.mark.parametrize("service", ["backend", "worker"])
def test_it_may_be_called_failed_after_a_while(launch: Launch, service: str) -> None:
    it = launch(*QUICK, "--orphans-fail-after-s", "0.2")
    operation_id = it.running()
    it.restart("backend" if service == "backend" else worker_of(it, operation_id))
    seen = it.wait_status(operation_id, "failed")
    assert "was lost" in seen["error_message"]
    eventually(lambda: all(each["status"] == "available" for each in it.workers()))


def test_the_next_launch_in_the_same_home_knows_nothing_of_it(launch: Launch, tmp_path: Any) -> None:
    it = launch(*QUICK, "--home", str(tmp_path))
    operation_id = it.running()
    it.stop()
    assert launch(*QUICK, "--home", str(tmp_path)).ask("GET", f"/api/v1/operations/{operation_id}").status_code == 404
