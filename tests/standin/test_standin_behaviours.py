"""Healthy but awkward: each setting does what its help says."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from launching import JANUARY, LONG, PAYLOAD, QUICK, Launch, eventually


def test_too_few_bars(launch: Launch) -> None:
    it = launch(*QUICK, "--min-bars", "51")
    seen = it.wait_status(it.start(JANUARY))
    assert seen["status"] == "failed"
    assert seen["error_message"] == (
        "Insufficient data for backtesting: 22 bars (need at least 51 for indicator warm-up)"
    )


@pytest.mark.parametrize(("form", "ending"), [("directory", "/model.pt"), ("file", "")])
def test_the_other_form_of_model_path_is_accepted_and_then_fails(launch: Launch, form: str, ending: str) -> None:
    it = launch(*QUICK, "--bars-per-second", "0", "--model-form", form)
    path = "models/neuro_mean_reversion/1d_v21"
    right = path + ("" if form == "directory" else "/model.pt")
    assert it.wait_status(it.start({**JANUARY, "model_path": path + ending}))["status"] == "failed"
    assert it.wait_status(it.start({**JANUARY, "model_path": right}))["status"] == "completed"


def test_hourly(launch: Launch) -> None:
    it = launch(*QUICK, "--hourly", "--bars-per-second", "0")
    data = it.ask("POST", "/api/v1/data/range", json={"symbol": "EURUSD", "timeframe": "1h"}).json()["data"]
    assert data["start_date"].startswith("2015-01-0") and data["point_count"] > 50_000
    wanted = {
        **JANUARY,
        "timeframe": "1h",
        "strategy_name": "neuro_mean_reversion_1h",
        "model_path": "models/neuro_mean_reversion_1h/1h_v1",
    }
    assert it.wait_status(it.start(wanted))["status"] == "completed"


def test_progress_is_refreshed_at_the_interval(launch: Launch) -> None:
    it = launch(*QUICK, "--refresh-s", "0.5", "--bars-per-second", "100")
    operation_id = it.running()
    it.wait(operation_id, lambda seen: seen["progress"]["percentage"] > 3)
    lines = [line for line in it.log_lines() if line["event"] == "progress"]
    gaps = [later["monotonic"] - before["monotonic"] for before, later in pairwise(lines)]
    assert gaps and min(gaps) >= 0.49


def test_the_indicator_phase_computes_at_zero(launch: Launch) -> None:
    it = launch(*QUICK, "--first-progress-after-s", "600")
    operation_id = it.start()
    base = it.worker_url(operation_id)
    before = it.processor_s(base)
    eventually(lambda: it.processor_s(base), lambda used: used > before + 0.3)
    assert it.wait_status(operation_id, "running")["progress"]["percentage"] == 0.0
    assert it.operation(operation_id, base)["progress"]["percentage"] == 0.0


def test_progress_begins_after_the_indicator_phase(launch: Launch) -> None:
    it = launch(*QUICK, "--first-progress-after-s", "0.5")
    it.running()
    lines = it.log_lines()
    began, computed = (
        next(line["monotonic"] for line in lines if line["event"] == event)
        for event in ("backtest started", "indicators computed")
    )
    assert computed - began >= 0.5
    assert all(line["monotonic"] > computed for line in lines if line["event"] == "progress")


def test_the_indicator_phase_is_longer_for_longer_backtests(launch: Launch) -> None:
    it = launch(*QUICK, "--bars-per-second", "0", "--indicator-bars-per-second", "1000")

    def phase_s(payload: dict[str, Any]) -> float:
        operation_id = it.start(payload)
        it.wait_status(operation_id, "completed")
        lines = {line["event"]: line for line in it.log_lines() if line.get("operation_id") == operation_id}
        return float(lines["indicators computed"]["monotonic"] - lines["backtest started"]["monotonic"])

    short_s, long_s = phase_s(JANUARY), phase_s(PAYLOAD)
    assert short_s >= 0.022 and long_s >= 0.511 and long_s > short_s


def test_a_busy_backtest_uses_the_processor_and_gives_the_same_result(launch: Launch) -> None:
    it = launch(*QUICK, "--bars-per-second", "20", "--busy", "0.9")
    operation_id = it.running(JANUARY)
    base = it.worker_url(operation_id)
    before = it.processor_s(base)
    assert it.wait_status(operation_id, "completed")
    used_s = it.processor_s(base) - before
    idle = launch(*QUICK, "--bars-per-second", "20")
    other = idle.running(JANUARY)
    idle_base = idle.worker_url(other)
    before = idle.processor_s(idle_base)
    idle.wait_status(other, "completed")
    assert used_s > 2 * (idle.processor_s(idle_base) - before)
    summaries = [a.operation(b)["result_summary"]["metrics"] for a, b in ((it, operation_id), (idle, other))]
    assert summaries[0] == summaries[1]


def test_a_busy_backtest_stops_at_once_when_cancelled(launch: Launch) -> None:
    it = launch(*QUICK, "--bars-per-second", "1", "--busy", "1.0")
    operation_id = it.start(PAYLOAD)
    it.wait_status(operation_id, "running")
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True
    base = it.worker_url(operation_id)

    def used_in_between() -> float:
        before = it.processor_s(base)
        time.sleep(0.2)
        return it.processor_s(base) - before

    eventually(used_in_between, lambda used: used <= 0.02)


def test_a_cancel_in_the_indicator_phase_is_obeyed(launch: Launch) -> None:
    it = launch(*QUICK, "--first-progress-after-s", "60")
    operation_id = it.start()
    it.wait_status(operation_id, "running")
    assert it.cancel(operation_id).status_code == 200
    ended = [line for line in it.log_lines() if line["event"] == "backtest ended"]
    assert [line["status"] for line in ended] == ["cancelled"]


def test_indicators_that_ignore_a_cancel_burn_on_unseen(launch: Launch) -> None:
    it = launch(*QUICK, "--first-progress-after-s", "2.5", "--indicators-ignore-cancel")
    operation_id = it.start()
    base = it.worker_url(operation_id)
    it.wait_status(operation_id, "running")
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True
    before = it.processor_s(base)
    assert it.operation(operation_id, base)["status"] == "cancelled"
    assert it.ask("GET", f"{base}/health").json()["worker_status"] == "idle"
    eventually(lambda: it.processor_s(base), lambda used: used > before + 0.4)
    assert it.ask("GET", f"{base}/health").json()["worker_status"] == "idle"
    eventually(lambda: any(line["event"] == "indicators computed" for line in it.log_lines()))


def test_the_registry_lags(launch: Launch) -> None:
    it = launch(*QUICK, "--workers", "1", "--registry-lag-s", "1.0")
    operation_id = it.running()
    base = it.worker_url(operation_id)
    it.cancel(operation_id)
    assert it.ask("GET", f"{base}/health").json()["worker_status"] == "idle"
    assert [(each["status"], each["current_operation_id"]) for each in it.workers()] == [("busy", operation_id)]
    assert it.post_start().status_code == 503
    eventually(lambda: it.workers()[0]["status"] == "available")
    assert it.post_start().status_code == 200


def test_a_registry_that_looks_now_and_then(launch: Launch) -> None:
    """Nothing but its round frees a place: not the end of a backtest, and not a cancel."""
    it = launch(*QUICK, "--bars-per-second", "0", "--registry-loop-s", "1.5")

    def freed(operation_id: str) -> float:
        it.wait_status(operation_id)
        eventually(lambda: all(each["current_operation_id"] != operation_id for each in it.workers()))
        return time.monotonic()

    # Both are freed in a round, so they lie whole rounds apart, whenever they ended.
    first = freed(it.start(JANUARY))
    second = freed(it.start(JANUARY))
    assert second - first > 0.75


def test_a_cancel_that_comes_too_late_finds_a_completed_backtest(launch: Launch) -> None:
    """The race with completion: accepted, and the backtest ends by itself before the worker hears of it."""
    it = launch(*QUICK, "--bars-per-second", "100", "--cancel-dawdles-s", "0.6", "--cancel-answers-at-once")
    operation_id = it.running(JANUARY)
    assert it.cancel(operation_id).json()["data"]["status"] == "cancelled"
    seen = it.wait_status(operation_id)
    assert seen["status"] == "completed" and seen["result_summary"]
    patient = launch(*QUICK, "--bars-per-second", "100", "--cancel-dawdles-s", "0.6")
    operation_id = patient.running(JANUARY)
    assert patient.cancel(operation_id).status_code == 400
    assert patient.operation(operation_id)["status"] == "completed"


@pytest.mark.parametrize("at_once", [False, True])
def test_a_cancel_that_takes_its_time(launch: Launch, at_once: bool) -> None:
    it = launch(*QUICK, "--cancel-takes-s", "1.0", *(["--cancel-answers-at-once"] if at_once else []))
    operation_id = it.running()
    began = time.monotonic()
    assert it.cancel(operation_id).status_code == 200
    if at_once:
        assert it.operation(operation_id)["status"] == "running"
        it.wait_status(operation_id, "cancelled")
    assert time.monotonic() - began >= 1.0
    assert it.operation(operation_id)["status"] == "cancelled"


def test_latency_and_jitter(launch: Launch) -> None:
    it = launch("--latency-s", "0.2", "--jitter-s", "0.1")
    for url in (it.url + "/api/v1/health", it.announced["processes"][1]["url"] + "/health"):
        assert it.ask("GET", url).elapsed.total_seconds() >= 0.2


def test_progress_steps(launch: Launch) -> None:
    it = launch(*QUICK, "--progress-step", "5", "--bars-per-second", "400")
    operation_id = it.start(PAYLOAD)
    it.wait_status(operation_id)
    seen = [line["percentage"] for line in it.log_lines() if line["event"] == "progress"]
    assert seen and all(percentage % 5 == 0 for percentage in seen)


def test_progress_every_so_many_bars(launch: Launch) -> None:
    it = launch(*QUICK, "--progress-every-bars", "200", "--bars-per-second", "500")
    it.wait_status(it.start(PAYLOAD))
    seen = [line["percentage"] for line in it.log_lines() if line["event"] == "progress"]
    assert seen and {round(511 * percentage / 100) for percentage in seen} <= {0, 200, 400, 511}


def test_data_since(launch: Launch) -> None:
    it = launch(*QUICK, "--data-since", "2022-06-01", "--hourly")
    for timeframe in ("1d", "1h"):
        wanted = {"symbol": "EURUSD", "timeframe": timeframe}
        data = it.ask("POST", "/api/v1/data/range", json=wanted).json()["data"]
        assert data["start_date"].startswith("2022-06-01")


def test_keeps_progress(launch: Launch) -> None:
    it = launch(*QUICK, "--keeps-progress")
    operation_id = it.running(above=0.5)
    it.cancel(operation_id)
    assert it.operation(operation_id)["progress"]["percentage"] > 0.5
    assert it.operation(operation_id, it.worker_url(operation_id))["progress"]["percentage"] > 0.5


@pytest.mark.parametrize("skew_s", [3600, -3600])
def test_clock_skew(launch: Launch, skew_s: int) -> None:
    it = launch(*QUICK, "--clock-skew-s", str(skew_s))
    seen = it.wait_status(it.start(), "running")
    for text in (seen["created_at"], seen["started_at"]):
        ahead_s = (datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds()
        assert abs(ahead_s - skew_s) < 600


def test_extra_and_shuffled_fields(launch: Launch) -> None:
    it = launch(*QUICK, "--extra-fields", "--shuffled-fields")
    operation_id = it.running()
    seen = it.operation(operation_id)
    assert "schema_revision" in seen and "schema_revision" in seen["progress"]
    eventually(lambda: next(iter(it.operation(operation_id))), lambda first: first != "operation_id")
    assert it.cancel(operation_id).json()["data"]["remote_cancelled"] is True


def test_the_older_worker_list(launch: Launch) -> None:
    it = launch(*QUICK, "--workers-shape", "wrapped", "--worker-word", "backtest")
    listed = it.ask("GET", "/api/v1/workers?worker_type=backtest").json()["workers"]
    assert [each["type"] for each in listed] == ["backtest", "backtest"]
    assert it.ask("GET", "/api/v1/workers?worker_type=backtesting").status_code == 422
    it.wait_status(it.start(JANUARY))


def test_an_endpoint_host_that_nobody_can_resolve(launch: Launch) -> None:
    it = launch(*QUICK, "--endpoint-host", "backtest-worker-1")
    assert all(each["endpoint_url"].startswith("http://backtest-worker-1:") for each in it.workers())
    assert it.wait_status(it.start(JANUARY))["status"] == "completed"


def test_a_neighbour_that_comes_back(launch: Launch) -> None:
    it = launch(*QUICK, "--neighbour")

    def active() -> list[str]:
        rows = it.ask("GET", "/api/v1/operations?active_only=true").json()["data"]
        return [row["operation_id"] for row in rows]

    first = eventually(active)[0]
    mine = it.running()
    assert it.cancel(mine).status_code == 200
    assert active() == [first]
    it.cancel(first)
    eventually(lambda: [each for each in active() if each != first])


def test_two_years_within_a_second_as_on_a_real_ktrdr(launch: Launch) -> None:
    it = launch(*QUICK, "--bars-per-second", "0")
    seen = it.wait_status(it.start(PAYLOAD))
    assert seen["status"] == "completed" and seen["result_summary"]["equity_curve_length"] == 511


def test_many_workers(launch: Launch) -> None:
    it = launch(*QUICK, "--workers", "4")
    started = [it.start(LONG) for _ in range(4)]
    assert len({it.worker_url(each) for each in started}) == 4
    assert it.post_start().status_code == 503


def test_workers_that_take_several_at_once_run_them_side_by_side(launch: Launch) -> None:
    it = launch(*QUICK, "--several-at-once", "--bars-per-second", "100")
    started = [it.start(JANUARY) for _ in range(5)]
    workers = {it.worker_url(one) for one in started}
    assert len(workers) == 2
    assert [it.wait_status(one)["status"] for one in started] == ["completed"] * 5
    for worker in workers:
        eventually(lambda: it.ask("GET", f"{worker}/health").json()["worker_status"] == "idle")  # noqa: B023
