"""A process of the platform that is killed while the suite watches: the outcome and the words for it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from ktrdr_qa.platform.embedded import EmbeddedKtrdr, launch
from ktrdr_qa.target.settings import Embedded, Target
from tests.gallery.behave_run import SHORT_LIMITS, Ran, run_suite

FEATURE = "features/backtest_cancellation.feature"
INDICATORS_S = 3


@pytest.fixture
def platform() -> Iterator[EmbeddedKtrdr]:
    """A stand-in whose backtests stay at 0 % for a while, so that there is time to kill something."""
    arguments = ["--first-progress-after-s", str(INDICATORS_S)]
    running = launch(Target(kind="embedded", embedded=Embedded(arguments=arguments)))
    yield running
    running.stop()


def ask(platform: EmbeddedKtrdr, path: str) -> Any:
    return requests.get(platform.announcement["api_url"] + path, timeout=5).json()


def kill_when_running(platform: EmbeddedKtrdr, role: str) -> str:
    """Kill the backend, or the worker that is busy, once a backtest is active; returns its id."""
    while not (active := [o for o in ask(platform, "/api/v1/operations?limit=1")["data"] if o["status"] == "running"]):
        time.sleep(0.02)
    worker = ask(platform, f"/api/v1/operations/{active[0]['operation_id']}")["data"]["metadata"]["parameters"][
        "worker_id"
    ]
    victim = next(p for p in platform.processes if p["id"] == ("backend" if role == "backend" else worker))
    os.kill(victim["pid"], signal.SIGKILL)
    return str(victim["id"])


def run_and_kill(platform: EmbeddedKtrdr, role: str) -> tuple[Ran, str]:
    target = f'kind = "live"\nbase_url = "{platform.announcement["api_url"]}"\n{SHORT_LIMITS}'
    target = target.replace("first_progress_s = 4", "first_progress_s = 15")
    with ThreadPoolExecutor(1) as pool:
        ran = pool.submit(run_suite, FEATURE, target)
        killed = kill_when_running(platform, role)
        return ran.result(), killed


@pytest.mark.parametrize("role", ["backend", "worker"])
def test_a_process_killed_before_the_cancel_makes_the_run_inconclusive_and_is_named(
    platform: EmbeddedKtrdr, role: str
) -> None:
    ran, killed = run_and_kill(platform, role)
    _, _, message = ran.culprit
    who, how = (
        ("KTRDR itself", "has not answered") if role == "backend" else (f"the worker {killed}", "refuses connections")
    )
    assert ran.outcome == "inconclusive"
    assert f"{who} is gone: it {how} for" in message
    assert role == "worker" or "connection refused" in message
    assert "nothing was learnt about cancellation" in message
    assert "Traceback" not in ran.output
