"""Talking to a stand-in over plain HTTP, for the tests."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

ROOT = Path(__file__).parents[2]
T = TypeVar("T")
PAYLOAD: dict[str, Any] = {
    "model_path": "models/neuro_mean_reversion/1d_v21",
    "strategy_name": "neuro_mean_reversion",
    "symbol": "EURUSD",
    "timeframe": "1d",
    "start_date": "2023-01-01",
    "end_date": "2024-12-31",
}
JANUARY = {**PAYLOAD, "start_date": "2024-01-01", "end_date": "2024-01-31"}
LONG = {**PAYLOAD, "start_date": "2003-01-01", "end_date": "2022-12-31"}
QUICK = ("--adaptation-epochs", "0", "--refresh-s", "0.05", "--registry-lag-s", "0.05")
GIVE_UP_S = 60.0
TERMINAL = ("completed", "failed", "cancelled")


def eventually(look: Callable[[], T], holds: Callable[[T], bool] = bool) -> T:
    """Look again and again until what is seen holds; a test that waits in vain fails."""
    deadline = time.monotonic() + GIVE_UP_S
    while True:
        seen = look()
        if holds(seen):
            return seen
        assert time.monotonic() < deadline, f"waited in vain; last seen: {seen!r}"
        time.sleep(0.02)


@dataclass
class Launched:
    """A running stand-in."""

    process: subprocess.Popen[str]
    announced: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.announced["api_url"])

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        url = path if path.startswith("http") else self.url + path
        return requests.request(method, url, timeout=more.pop("timeout", 10), **more)

    def post_start(self, payload: dict[str, Any] | None = None) -> requests.Response:
        return self.ask("POST", "/api/v1/backtests/start", json=payload or LONG)

    def start(self, payload: dict[str, Any] | None = None) -> str:
        """Start a backtest as soon as a worker has a place: the registry counts one that has ended a moment longer."""
        answer = eventually(lambda: self.post_start(payload), lambda seen: seen.status_code != 503)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["operation_id"])

    def operation(self, operation_id: str, base: str = "") -> dict[str, Any]:
        answer = self.ask("GET", f"{base}/api/v1/operations/{operation_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["data"])

    def cancel(self, operation_id: str, **more: Any) -> requests.Response:
        return self.ask("DELETE", f"/api/v1/operations/{operation_id}", **more)

    def workers(self) -> list[dict[str, Any]]:
        return list(self.ask("GET", "/api/v1/workers").json())

    def worker_url(self, operation_id: str) -> str:
        """Where the worker of an operation can be reached."""
        worker_id = self.operation(operation_id)["metadata"]["parameters"]["worker_id"]
        return next(each["url"] for each in self.announced["processes"] if each["id"] == worker_id)

    def running(self, payload: dict[str, Any] | None = None, above: float = 0.0) -> str:
        """Start a backtest and wait until it is under way."""
        operation_id = self.start(payload)
        self.wait(operation_id, lambda seen: seen["progress"]["percentage"] > above)
        return operation_id

    def wait(self, operation_id: str, holds: Callable[[dict[str, Any]], bool], base: str = "") -> dict[str, Any]:
        return eventually(lambda: self.operation(operation_id, base), holds)

    def await_dead(self, base: str) -> None:
        """Wait until nobody listens at a process's address any more."""

        def dead() -> bool:
            try:
                self.ask("GET", f"{base}/health")
            except requests.ConnectionError:
                return True
            return False

        eventually(dead)

    def wait_status(self, operation_id: str, *wanted: str) -> dict[str, Any]:
        return self.wait(operation_id, lambda seen: seen["status"] in (wanted or TERMINAL))

    def processor_s(self, worker_url: str) -> float:
        """The processor time that a worker has used."""
        lines = self.ask("GET", f"{worker_url}/metrics").text.splitlines()
        return float(next(each for each in lines if each.startswith("process_cpu_seconds_total")).split()[1])

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(self.announced["log"]).read_text().splitlines()]

    def restart(self, process_id: str) -> None:
        """Have a process killed and started anew; returns when it is ready."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"restart {process_id}\n")
        self.process.stdin.flush()
        self.announced = json.loads(self.process.stdout.readline())

    def metric(self, base: str, name: str) -> float:
        """One figure of a process, off its metrics."""
        lines = self.ask("GET", f"{base}/metrics").text.splitlines()
        return float(next(each for each in lines if each.startswith(f"{name} ")).split()[1])

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(10)


Launch = Callable[..., Launched]
