"""What Tavern's own assertions cannot say of an answer of KTRDR: the functions that its file names."""

from __future__ import annotations

from typing import Any

BACKTEST_WORDS = ("backtesting", "backtest")


def has_a_backtest_worker(response: Any) -> None:
    """The list is bare today, and was wrapped when the recipe was written."""
    told = response.json()
    workers = told["workers"] if isinstance(told, dict) else told
    assert any((w.get("worker_type") or w.get("type")) in BACKTEST_WORDS for w in workers), "no backtest worker"


def is_above_zero(response: Any) -> None:
    assert response.json()["data"]["progress"]["percentage"] > 0


def is_cancelled_or_failed(response: Any) -> None:
    status = response.json()["data"]["status"]
    assert status in ("cancelled", "failed"), f"its status is {status}"


def percentage(response: Any) -> dict[str, float]:
    return {"percentage": response.json()["data"]["progress"]["percentage"]}


def has_not_risen_above(response: Any, before: str) -> None:
    now = response.json()["data"]["progress"]["percentage"]
    assert now <= float(before), f"its progress went from {before} % to {now} %"
