"""What was measured on a running KTRDR must get ``holds``: a healthy platform is not slandered.

The files under ``timelines/`` are pollers' records: only the changes, with the number of polls and their span.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ktrdr_qa.judge.afterwards import is_frozen, is_not_completed, stays_cancelled
from ktrdr_qa.judge.cancelling import is_acknowledged, is_cancelled
from ktrdr_qa.judge.next_backtest import next_runs
from ktrdr_qa.judge.pace import frozen_window_s
from ktrdr_qa.judge.reading import ended_before_cancel
from ktrdr_qa.judge.running import is_moving, is_running, was_running
from ktrdr_qa.judge.worker import place_is_free, worker_let_go
from ktrdr_qa.record.history import Sample
from tests.judging.film import NEXT, B, W, cancelled, did, film, health, registry, saw, started

TIMELINES = Path(__file__).parent / "timelines"
LONG = ("hourly_11_years", "hourly_2_years", "five_minute_3_years")
SHORT = ("daily_2_years",)
POLL_S = 0.16


def timeline(name: str) -> dict[str, Any]:
    measured: dict[str, Any] = json.loads((TIMELINES / f"{name}.json").read_text(encoding="utf-8"))
    return measured


def polled(name: str, begin_s: float = 0.0, of: str = B) -> list[Sample]:
    """The readings that a poller had who saw just these changes."""
    measured = timeline(name)
    changes = measured["changes"]
    ends_s = max(measured["polled_for_s"], changes[-1]["t_s"])
    at_s = changes[0]["t_s"]
    times = {change["t_s"] for change in changes}
    while at_s < ends_s:
        times.add(round(at_s, 3))
        at_s += POLL_S
    readings = []
    for t_s in sorted(times):
        change = [c for c in changes if c["t_s"] <= t_s][-1]
        if t_s <= ends_s:
            readings.append(saw(begin_s + t_s - 0.002, change["status"], change["percentage"], of=of, took_s=0.002))
    return readings


@pytest.mark.parametrize("name", LONG)
def test_a_measured_backtest_runs_and_moves(name: str) -> None:
    history = film(started(), polled(name))
    assert is_running(history, B, 10.0).holds
    assert is_moving(history, B, 30.0).holds
    assert next_runs(film(did("next_accepted", 0.0, NEXT), polled(name, of=NEXT)), NEXT, 30.0).holds


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("hourly_11_years", "it rose from 4.9 % to 100.0 % in 24 steps, the first 4.3 s after the start"),
        ("hourly_2_years", "it rose from 26.9 % to 76.3 % in 3 steps, the first 2.2 s after the start"),
        ("five_minute_3_years", "it rose from 1.5 % to 100.0 % in 74 steps, the first 16.9 s after the start"),
    ],
)
def test_its_steps_are_counted_as_they_were_measured(name: str, seen: str) -> None:
    assert is_moving(film(started(), polled(name)), B, 30.0).seen == seen


@pytest.mark.parametrize("name", SHORT)
def test_a_backtest_that_is_over_too_soon_proves_nothing(name: str) -> None:
    history = film(started(), polled(name), cancelled(30.0), saw(31.0, "completed", 100.0))
    ended = ended_before_cancel(history, B)
    assert ended is not None and ended.status == "completed"
    judged = [
        is_moving(history, B, 30.0),
        was_running(history, B),
        is_cancelled(history, B, 2.0),
        is_frozen(history, B, 2.0),
        stays_cancelled(history, B),
        is_not_completed(history, B),
    ]
    assert [judgement.verdict for judgement in judged] == ["unknown"] * 6


def test_the_measured_cancellation_holds_in_every_judgement() -> None:
    """Hourly over 11 years, cancelled at 11 %: 0 % at the first reading after it, and for the 4.9 s that were polled."""
    sent_s = timeline("before_cancel_hourly_11_years")["polled_for_s"] + 0.05
    history = film(
        started(),
        polled("before_cancel_hourly_11_years"),
        cancelled(sent_s, 0.09),
        polled("after_cancel_hourly_11_years", sent_s + 0.09),
    )
    assert was_running(history, B).seen == "it was running at 11.0 %"
    assert is_cancelled(history, B, 2.0).seen == "cancelled 0.13 s after the cancel"
    assert stays_cancelled(history, B).seen == 'it stayed "cancelled" for 4.8 s (30 readings)'
    assert frozen_window_s(history, B, 2.0) == pytest.approx(3 * 1.375)
    frozen = is_frozen(history, B, 2.0)
    assert frozen.seen == "it did not move for 4.8 s, in which 3 updates were due"
    assert frozen.observations == ("The record of progress was lost: 11.0 % before the cancel, 0.0 % after it.",)


@pytest.mark.parametrize("measured", timeline("cancel_timings_ms"), ids=lambda m: f"cancelled at {m['pct']} %")
def test_each_measured_cancel_is_in_time_for_every_view(measured: dict[str, float]) -> None:
    after = {name: ms / 1000 for name, ms in measured.items()}
    history = film(
        cancelled(10.0, after["delete_ms"]),
        saw(9.9, "running", measured["pct"]),
        saw(10.0 + after["backend_terminal"], "cancelled", 0.0),
        saw(10.0 + after["worker_terminal"] + 0.9, "cancelled", 0.0, view="worker"),
        health(9.9, B),
        health(10.0 + after["worker_health_idle"] + 0.9, None),
        [registry(10.0 + 0.9 * n, B) for n in range(1, 4) if 0.9 * n < after["registry_available"]],
        registry(10.0 + after["registry_available"], None),
    )
    assert was_running(history, B).holds
    assert is_acknowledged(history, B, 5.0).holds
    assert is_cancelled(history, B, 2.0).holds
    assert worker_let_go(history, W, B, 2.0).holds
    assert place_is_free(history, W, B, 15.0).holds
