"""The shapes of KTRDR's answers, field by field as measured; what the fields hold is decided elsewhere."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from standin.engine import Order

ACTIVE = ("pending", "resuming", "running", "cancelling")
CANCELLED_BY_USER = "Operation cancelled by user"
WORKER_TYPES = ("backtesting", "training", "cpu_training", "gpu_host", "agent_design", "agent_assessment")


class Clock:
    """The clock that answers are stamped with; it may be wrong on purpose."""

    def __init__(self, skew_s: float) -> None:
        self._skew = timedelta(seconds=skew_s)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._skew


@dataclass
class Operation:
    """A long-running job as KTRDR records it. `status` and `percentage` are not typed more narrowly than an
    answer is, because a platform that goes wrong may put anything there."""

    order: Order
    created_at: datetime
    worker_id: str
    status: str = "pending"
    started_at: datetime | None = None
    completed_at: datetime | None = None
    percentage: Any = 0.0
    current_step: str | None = ""
    error_message: str | None = None
    result_summary: dict[str, Any] | None = None
    in_worker: bool = False
    parent_id: str | None = None
    operation_type: str = "backtesting"
    remote_id: str = ""
    """What its worker calls it."""

    @property
    def operation_id(self) -> str:
        return self.order.operation_id

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    def copy(self, **changes: Any) -> Operation:
        """The same with some fields changed: what an answer shows may differ from what is."""
        return replace(self, **changes)

    def end(self, status: str, at: datetime, percentage: Any, message: str | None) -> None:
        """Reach a final status."""
        self.status, self.completed_at = status, at
        self.percentage, self.current_step, self.error_message = percentage, None, message


def new_operation_id(now: datetime, operation_type: str = "backtesting") -> str:
    """An id as KTRDR makes them."""
    return f"op_{operation_type}_{now:%Y%m%d_%H%M%S}_{secrets.token_hex(4)}"


def stamp(when: datetime | None) -> str | None:
    """A time as operations write it."""
    return None if when is None else when.isoformat(timespec="microseconds").replace("+00:00", "Z")


def operation_view(operation: Operation) -> dict[str, Any]:
    """The answer to a question for one operation, the backend's and the worker's alike."""
    order = operation.order
    parameters: dict[str, Any] = {
        "slippage": order.slippage,
        "worker_id": operation.worker_id,
        "commission": order.commission,
        "strategy_name": order.strategy_name,
        "initial_capital": order.initial_capital,
    }
    running_in_backend = operation.active and not operation.in_worker
    return {
        "success": True,
        "data": {
            "operation_id": operation.operation_id,
            "parent_operation_id": operation.parent_id,
            "operation_type": operation.operation_type,
            "status": operation.status,
            "created_at": stamp(operation.created_at),
            "started_at": stamp(operation.started_at),
            "completed_at": stamp(operation.completed_at),
            "progress": {
                "percentage": operation.percentage,
                "current_step": operation.current_step,
                "steps_completed": 0,
                "steps_total": 0,
                "items_processed": 0,
                "items_total": None,
                "current_item": None,
                "context": {},
            },
            "metadata": {
                "symbol": order.symbol,
                "timeframe": order.timeframe,
                "mode": "backtesting",
                "start_date": f"{order.start_date}T00:00:00",
                "end_date": f"{order.end_date}T00:00:00",
                "parameters": parameters,
            },
            "error_message": operation.error_message,
            "warnings": [],
            "errors": [],
            "result_summary": operation.result_summary,
            "metrics": {} if running_in_backend else None,
            "is_backend_local": False,
        },
    }


def operation_row(operation: Operation) -> dict[str, Any]:
    """One operation in a list of them."""
    duration = None
    if operation.started_at is not None and operation.completed_at is not None:
        duration = (operation.completed_at - operation.started_at).total_seconds()
    return {
        "operation_id": operation.operation_id,
        "operation_type": operation.operation_type,
        "status": operation.status,
        "created_at": stamp(operation.created_at),
        "progress_percentage": operation.percentage,
        "current_step": operation.current_step,
        "symbol": operation.order.symbol,
        "duration_seconds": duration,
    }


def operation_list(rows: list[dict[str, Any]], total: int, active: int) -> dict[str, Any]:
    """A list of operations."""
    return {"success": True, "data": rows, "total_count": total, "active_count": active}


def start_answer(order: Order) -> dict[str, Any]:
    """A backtest was accepted."""
    return {
        "success": True,
        "operation_id": order.operation_id,
        "status": "started",
        "message": f"Backtest started for {order.symbol} {order.timeframe}",
        "symbol": order.symbol,
        "timeframe": order.timeframe,
        "mode": "distributed",
    }


def cancel_answer(
    operation_id: str, at: datetime, reason: str | None, remote_cancelled: bool, children: Sequence[str] = ()
) -> dict[str, Any]:
    """A cancel was acknowledged."""
    return {
        "success": True,
        "data": {
            "success": True,
            "operation_id": operation_id,
            "status": "cancelled",
            "cancelled_at": at.isoformat(timespec="microseconds"),
            "cancellation_reason": reason,
            "task_cancelled": False,
            "remote_cancelled": remote_cancelled,
            "children_cancelled": list(children),
        },
    }


def detail(what: Any) -> dict[str, Any]:
    """The first and second shape of an error: a text, or an object with `error` and `hint`."""
    return {"detail": what}


def error(code: str, message: str, details: list[dict[str, Any]]) -> dict[str, Any]:
    """The third shape of an error."""
    return {"success": False, "error": {"code": code, "message": message, "details": details}}


def not_found(operation_id: str) -> dict[str, Any]:
    return detail(f"Operation not found: {operation_id}")


def cannot_be_cancelled(operation: Operation) -> dict[str, Any]:
    """A cancel that comes after the end."""
    return detail(
        f"Operation {operation.operation_id} cannot be cancelled (status: OperationStatus.{operation.status.upper()})"
    )


def no_worker(registered: int, uptime_s: float, worker_word: str = "backtesting") -> dict[str, Any]:
    """No worker is free."""
    return detail(
        {
            "error": "No backtesting workers available",
            "worker_type": worker_word,
            "registered_workers": registered,
            "backend_uptime_seconds": round(uptime_s, 1),
            "hint": "Workers auto-register after startup. Retry in a few seconds, or check worker container logs.",
        }
    )


def validation_error(problems: list[dict[str, Any]]) -> dict[str, Any]:
    """A request that does not fit; `problems` are pydantic's."""
    details = [
        {
            "field": " -> ".join(str(part) for part in problem["loc"]),
            "message": problem["msg"],
            "type": problem["type"],
        }
        for problem in problems
    ]
    return error("VALIDATION_ERROR", "Request validation failed", details)


def backend_health(now: datetime) -> dict[str, Any]:
    return {
        "status": "ok",
        "version": "0.0.0.dev",
        "orphan_detector": {
            "running": True,
            "potential_orphans_count": 0,
            "last_check": now.isoformat(timespec="microseconds"),
            "orphan_timeout_seconds": 60,
            "check_interval_seconds": 15,
        },
    }


def worker_health(now: datetime, current_operation: str | None) -> dict[str, Any]:
    return {
        "healthy": True,
        "service": "backtesting-worker",
        "timestamp": now.isoformat(timespec="microseconds"),
        "status": "operational",
        "worker_status": "idle" if current_operation is None else "busy",
        "current_operation": current_operation,
    }


def data_range(symbol: str, timeframe: str, first: datetime, last: datetime, count: int) -> dict[str, Any]:
    return {
        "success": True,
        "data": {
            "symbol": symbol,
            "timeframe": timeframe,
            "start_date": f"{first:%Y-%m-%dT%H:%M:%SZ}",
            "end_date": f"{last:%Y-%m-%dT%H:%M:%SZ}",
            "point_count": count,
        },
        "error": None,
    }


def strategy_validation(name: str) -> dict[str, Any]:
    return {
        "success": True,
        "valid": True,
        "strategy_name": name,
        "issues": [],
        "available_indicators": ["rsi", "z_score"],
        "message": f"Strategy '{name}' is valid",
    }


def model_row(symbol: str, timeframe: str, created_at: datetime) -> dict[str, Any]:
    """One model in the list; its names are empty, as they were where this was measured."""
    return {
        "model_id": "",
        "model_name": "",
        "symbol": symbol,
        "timeframe": timeframe,
        "created_at": created_at.replace(tzinfo=None).isoformat(timespec="microseconds"),
        "training_accuracy": 0.0,
        "test_accuracy": 0.0,
        "description": "",
    }
