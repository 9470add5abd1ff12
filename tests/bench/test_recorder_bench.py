"""The bench of the recorder knows when each change came true, and counts what it says it counts."""

from __future__ import annotations

import time

import pytest

from bench.recorder import STEP, _lags_s, changes_by, measured
from ktrdr_qa.record.history import Sample


def test_each_backtest_changes_once_a_second_at_its_own_moment() -> None:
    assert [changes_by(0, 4, at_s) for at_s in (0.0, 0.9, 1.0, 2.5)] == [1, 1, 2, 3]
    assert [changes_by(3, 4, at_s) for at_s in (0.7, 0.75, 1.74, 1.75)] == [0, 1, 1, 2]


def read(answered_s: float, changes: int) -> Sample:
    return Sample("backend", "op_3", answered_s - 0.01, answered_s, "running", changes * STEP)


def test_a_change_counts_from_its_own_moment_to_the_first_reading_that_shows_it() -> None:
    samples = [read(100.8, 1), read(101.5, 1), read(101.9, 2), read(102.0, 2), read(104.0, 4)]
    # Of 4 backtests the number 3 changes at 100.75, 101.75, 102.75, 103.75.
    assert list(_lags_s(samples, 3, 4, 100.0)) == pytest.approx([0.15, 1.25, 0.25])


def test_watching_in_a_process_of_its_own_is_counted() -> None:
    began_s = time.monotonic()
    cost = measured(30, 1.0)
    assert cost.operations == 30 and 1.0 <= cost.watched_s <= time.monotonic() - began_s
    assert cost.readings > 30 and cost.changes > 0 and cost.cpu_s > 0 and cost.lag_s > 0
    assert cost.per_operation_minute_s == pytest.approx(cost.cores * 2)
