"""The healthy stand-in answers as KTRDR was measured to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from launching import JANUARY, LONG, PAYLOAD, QUICK, Launch, Launched, eventually

OPERATION_FIELDS = [
    "operation_id", "parent_operation_id", "operation_type", "status", "created_at", "started_at", "completed_at",
    "progress", "metadata", "error_message", "warnings", "errors", "result_summary", "metrics", "is_backend_local",
]  # fmt: skip
PROGRESS_FIELDS = [
    "percentage", "current_step", "steps_completed", "steps_total", "items_processed", "items_total",
    "current_item", "context",
]  # fmt: skip


@pytest.fixture(name="it")
def _it(launch: Launch) -> Launched:
    return launch(*QUICK, "--bars-per-second", "200")


def test_a_running_operation(it: Launched) -> None:
    operation_id = it.running()
    seen = it.operation(operation_id)
    assert list(seen) == OPERATION_FIELDS
    assert list(seen["progress"]) == PROGRESS_FIELDS
    assert seen["status"] == "running" and seen["completed_at"] is None and seen["metrics"] == {}
    assert seen["progress"]["current_step"].startswith("Backtesting EURUSD 1d [2003-")
    assert seen["progress"]["current_step"].endswith(" 00:00:00+00:00]")
    assert seen["metadata"]["start_date"] == "2003-01-01T00:00:00"
    assert seen["started_at"].endswith("Z")
    assert isinstance(seen["progress"]["percentage"], float)
    worker = it.operation(operation_id, it.worker_url(operation_id))
    assert list(worker) == OPERATION_FIELDS and worker["metrics"] is None
    assert worker["progress"]["percentage"] >= seen["progress"]["percentage"]


def test_a_completed_operation(it: Launched) -> None:
    seen = it.wait_status(it.start(JANUARY))
    assert seen["status"] == "completed" and seen["progress"]["percentage"] == 100.0
    summary = seen["result_summary"]
    assert list(summary) == [
        "config", "symbol", "metrics", "end_time", "timeframe", "start_time", "trade_count", "strategy_name",
        "equity_curve_length", "execution_time_seconds",
    ]  # fmt: skip
    assert summary["equity_curve_length"] == 22
    assert len(summary["metrics"]) == 22
    again = it.cancel(seen["operation_id"])
    assert again.status_code == 400
    assert again.json() == {
        "detail": f"Operation {seen['operation_id']} cannot be cancelled (status: OperationStatus.COMPLETED)"
    }


def test_a_cancel_and_what_follows_it(it: Launched) -> None:
    operation_id = it.running()
    base = it.worker_url(operation_id)
    assert it.ask("GET", f"{base}/health").json()["current_operation"] == operation_id
    answer = it.cancel(operation_id)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert answer.json()["success"] is True
    assert {key: data[key] for key in data if key != "cancelled_at"} == {
        "success": True, "operation_id": operation_id, "status": "cancelled", "cancellation_reason": None,
        "task_cancelled": False, "remote_cancelled": True, "children_cancelled": [],
    }  # fmt: skip
    for where in ("", base):
        seen = it.operation(operation_id, where)
        assert seen["status"] == "cancelled" and seen["completed_at"]
        assert seen["error_message"] == "Operation cancelled by user"
        assert seen["progress"]["percentage"] == 0.0 and seen["progress"]["current_step"] is None
        assert seen["result_summary"] is None
    health = it.ask("GET", f"{base}/health").json()
    assert (health["worker_status"], health["current_operation"]) == ("idle", None)
    again = it.cancel(operation_id)
    assert again.status_code == 400
    assert again.json()["detail"].endswith("(status: OperationStatus.CANCELLED)")
    text = it.ask("GET", f"{base}/metrics").text
    assert 'ktrdr_operations_total{operation_type="backtesting",status="cancelled"} 1.0' in text
    assert "ktrdr_operations_active 0.0" in text


def test_a_cancel_with_a_reason(it: Launched) -> None:
    operation_id = it.running()
    data = it.cancel(operation_id, json={"reason": "stop please", "force": True}).json()["data"]
    assert data["cancellation_reason"] == "stop please"
    assert it.operation(operation_id)["error_message"] == "stop please"


def test_five_cancels_at_once(launch: Launch) -> None:
    it = launch(*QUICK, "--cancel-takes-s", "0.4")
    operation_id = it.running()
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: it.cancel(operation_id), range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    refused = next(answer.json() for answer in answers if answer.status_code == 400)
    assert refused["success"] is False and refused["error"]["code"] == "OPERATIONS-CancelFailed"


def test_unknown_operations(it: Launched) -> None:
    path = "/api/v1/operations/op_does_not_exist"
    base = it.workers()[0]["endpoint_url"]
    for answer in (it.ask("GET", path), it.ask("DELETE", path), it.ask("GET", base + path)):
        assert answer.status_code == 404
        assert answer.json() == {"detail": "Operation not found: op_does_not_exist"}


@pytest.mark.parametrize(
    ("change", "field", "message", "kind"),
    [
        ({"start_date": "2023-13-45"}, "start_date", "Value error, Invalid date format. Use YYYY-MM-DD: 2023-13-45", "value_error"),
        ({"strategy_name": ""}, "strategy_name", "Value error, Field cannot be empty", "value_error"),
        ({"strategy_name": None}, "strategy_name", "Field required", "missing"),
        ({"initial_capital": -5}, "initial_capital", "Value error, Initial capital must be positive", "value_error"),
    ],
)  # fmt: skip
def test_a_bad_field(it: Launched, change: dict[str, Any], field: str, message: str, kind: str) -> None:
    payload = {key: value for key, value in {**PAYLOAD, **change}.items() if value is not None}
    answer = it.post_start(payload)
    assert answer.status_code == 422
    assert answer.json() == {
        "success": False,
        "error": {
            "code": "VALIDATION_ERROR",
            "message": "Request validation failed",
            "details": [{"field": f"body -> {field}", "message": message, "type": kind}],
        },
    }


def test_bodies_that_are_not_json(it: Launched) -> None:
    headers = {"content-type": "application/json"}
    operation_id = it.running()
    for method, path, body in (
        ("POST", "/api/v1/backtests/start", "this is not json"),
        ("DELETE", f"/api/v1/operations/{operation_id}", "nope"),
    ):
        answer = it.ask(method, path, data=body, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["error"]["details"] == [
            {"field": "body -> 0", "message": "JSON decode error", "type": "json_invalid"}
        ]
    assert it.operation(operation_id)["status"] == "running"


def test_no_worker_is_free(it: Launched) -> None:
    it.running()
    it.running()
    answer = it.post_start()
    assert answer.status_code == 503
    detail = answer.json()["detail"]
    assert list(detail) == ["error", "worker_type", "registered_workers", "backend_uptime_seconds", "hint"]
    assert (detail["error"], detail["registered_workers"]) == ("No backtesting workers available", 2)


def test_the_list_of_operations(it: Launched) -> None:
    ended = [it.wait_status(it.start(JANUARY))["operation_id"] for _ in range(3)]
    running = it.running()
    listed = it.ask("GET", "/api/v1/operations?operation_type=backtesting&limit=2").json()
    assert [row["operation_id"] for row in listed["data"]] == [running, ended[-1]]
    assert (listed["total_count"], listed["active_count"]) == (4, 1)
    active = it.ask("GET", "/api/v1/operations?active_only=true").json()
    assert [row["operation_id"] for row in active["data"]] == [running]
    assert list(active["data"][0]) == [
        "operation_id", "operation_type", "status", "created_at", "progress_percentage", "current_step", "symbol",
        "duration_seconds",
    ]  # fmt: skip
    assert len(it.ask("GET", "/api/v1/operations").json()["data"]) == 4


def test_the_list_holds_ten_unless_asked_for_more(launch: Launch) -> None:
    it = launch(*QUICK, "--bars-per-second", "0", "--registry-lag-s", "0")
    for _ in range(12):
        it.wait_status(it.start(JANUARY))
        eventually(lambda: all(each["status"] == "available" for each in it.workers()))
    assert len(it.ask("GET", "/api/v1/operations").json()["data"]) == 10
    assert len(it.ask("GET", "/api/v1/operations?limit=50").json()["data"]) == 12


def test_workers(it: Launched) -> None:
    operation_id = it.running()
    rows = it.ask("GET", "/api/v1/workers?worker_type=backtesting").json()
    assert list(rows[0]) == [
        "worker_id", "worker_type", "endpoint_url", "status", "current_operation_id", "capabilities",
        "last_health_check", "last_healthy_at", "health_check_failures", "metadata",
    ]  # fmt: skip
    busy = [row for row in rows if row["status"] == "busy"]
    assert [row["current_operation_id"] for row in busy] == [operation_id]
    assert busy[0]["metadata"]["last_selected"] > 0
    answer = it.ask("GET", "/api/v1/workers?worker_type=backtest")
    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == [
        {
            "field": "query -> worker_type",
            "message": "Input should be 'backtesting', 'training', 'cpu_training', 'gpu_host', "
            "'agent_design' or 'agent_assessment'",
            "type": "enum",
        }
    ]


def test_the_least_recently_used_worker_is_chosen(it: Launched) -> None:
    used = []
    for _ in range(4):
        seen = it.wait_status(it.start(JANUARY))
        used.append(seen["metadata"]["parameters"]["worker_id"])
        eventually(lambda: all(each["status"] == "available" for each in it.workers()))
    assert used[0] != used[1] and used[:2] == used[2:]


def test_health_data_models_and_strategies(it: Launched) -> None:
    health = it.ask("GET", "/api/v1/health")
    assert health.json()["status"] == "ok" and health.headers["x-process-time"].endswith("ms")
    data = it.ask("POST", "/api/v1/data/range", json={"symbol": "EURUSD", "timeframe": "1d"}).json()
    assert data["data"]["start_date"] == "1999-01-04T00:00:00Z" and data["data"]["point_count"] > 7000
    missing = it.ask("POST", "/api/v1/data/range", json={"symbol": "NOSUCH", "timeframe": "1d"})
    assert missing.status_code == 404 and missing.json() == {"detail": "Data not found for NOSUCH (1d)"}
    models = it.ask("GET", "/api/v1/models").json()["models"]
    assert [(each["model_name"], each["timeframe"]) for each in models] == [("", "1d")]
    assert it.ask("GET", "/api/v1/strategies", allow_redirects=False).status_code == 307
    assert it.ask("GET", "/api/v1/strategies/").json() == {"success": True, "strategies": []}
    valid = it.ask("POST", "/api/v1/strategies/validate/neuro_mean_reversion").json()
    assert valid["valid"] is True and valid["issues"] == []


def test_metrics_and_their_two_spellings(it: Launched) -> None:
    base = it.workers()[0]["endpoint_url"]
    for right, wrong in ((f"{it.url}/metrics/", f"{it.url}/metrics"), (f"{base}/metrics", f"{base}/metrics/")):
        redirected = it.ask("GET", wrong, allow_redirects=False)
        assert redirected.status_code == 307 and redirected.headers["location"] == right
        text = it.ask("GET", right).text
        for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
            assert f"\n{name} " in text
        assert "ktrdr_operations_active" in text


def test_the_description(it: Launched) -> None:
    assert "/api/v1/backtests/start" in it.ask("GET", "/api/v1/openapi.json").json()["paths"]
    assert it.ask("GET", "/openapi.json").status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"symbol": "NOSUCH"}, "failed", "No data found in cache for NOSUCH 1d"),
        ({"model_path": "models/nonexistent/v9/model.pt"}, "failed", "Model directory not found: models/nonexistent/v9/model.pt"),
        ({"strategy_name": "nonexistent_strategy_xyz"}, "completed", None),
        ({"model_path": "models/neuro_mean_reversion/1d_v21/model.pt"}, "completed", None),
    ],
)  # fmt: skip
def test_what_is_accepted_and_how_it_ends(
    it: Launched, change: dict[str, Any], status: str, message: str | None
) -> None:
    seen = it.wait_status(it.start({**JANUARY, **change}))
    assert (seen["status"], seen["error_message"]) == (status, message)


def test_results_depend_on_what_was_asked_for(it: Launched) -> None:
    dear = it.wait_status(it.start({**JANUARY, "commission": 0.01}))["result_summary"]
    free = it.wait_status(it.start({**JANUARY, "commission": 0.0}))["result_summary"]
    assert dear["config"]["commission"] == 0.01
    assert dear["metrics"]["total_return"] < free["metrics"]["total_return"]


def test_a_killed_worker_leaves_the_operation_running_until_cancelled(it: Launched) -> None:
    import os
    import signal

    operation_id = it.running(LONG)
    worker_id = it.operation(operation_id)["metadata"]["parameters"]["worker_id"]
    os.kill(next(each["pid"] for each in it.announced["processes"] if each["id"] == worker_id), signal.SIGKILL)
    eventually(lambda: any(line["event"] == "worker not reached" for line in it.log_lines()))
    assert it.operation(operation_id)["status"] == "running"
    data = it.cancel(operation_id).json()["data"]
    assert (data["status"], data["remote_cancelled"]) == ("cancelled", False)
