"""The backend's registry of workers. It lags behind the workers, as KTRDR's does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from standin.settings import Settings


@dataclass
class WorkerRecord:
    """What the registry knows of one worker."""

    worker_id: str
    worker_type: str
    url: str
    """Where it can really be reached."""
    endpoint_url: str
    """Where the registry says that it is."""
    checked_at: datetime
    healthy_at: datetime
    status: str = "available"
    current_operation_id: str | None = None
    failures: int = 0
    last_selected: float | None = None
    capabilities: dict[str, Any] = field(default_factory=dict)

    def view(self, settings: Settings) -> dict[str, Any]:
        """The worker as the list shows it; the older, wrapped list called the type `type`."""
        type_field = "type" if settings.workers_shape == "wrapped" else "worker_type"
        return {
            "worker_id": self.worker_id,
            type_field: self.worker_type,
            "endpoint_url": self.endpoint_url,
            "status": self.status,
            "current_operation_id": self.current_operation_id,
            "capabilities": self.capabilities,
            "last_health_check": self.checked_at.isoformat(timespec="microseconds"),
            "last_healthy_at": self.healthy_at.isoformat(timespec="microseconds"),
            "health_check_failures": self.failures,
            "metadata": {} if self.last_selected is None else {"last_selected": self.last_selected},
        }


class Registry:
    """All registered workers, by id."""

    def __init__(self, worker_word: str, several_at_once: bool = False) -> None:
        self.workers: dict[str, WorkerRecord] = {}
        self._renamed: dict[str, str] = {}
        self._worker_word = worker_word
        self._several_at_once = several_at_once

    def of_type(self, worker_type: str | None) -> list[WorkerRecord]:
        """The workers of a type, or all."""
        return [each for each in self.workers.values() if worker_type in (None, each.worker_type)]

    def add(self, record: WorkerRecord) -> None:
        """Take a worker in. One that is there already under another name keeps its place, and what it holds."""
        before = next((each for each in self.workers.values() if each.url == record.url), None)
        if before is not None:
            del self.workers[before.worker_id]
            self._renamed[before.worker_id] = record.worker_id
            record.status, record.current_operation_id = before.status, before.current_operation_id
            record.last_selected = before.last_selected
        self.workers[record.worker_id] = record

    def worker(self, worker_id: str) -> WorkerRecord | None:
        """The worker that is, or once was, called so."""
        while worker_id not in self.workers and worker_id in self._renamed:
            worker_id = self._renamed[worker_id]
        return self.workers.get(worker_id)

    def take(self, operation_id: str, only: str | None = None) -> WorkerRecord | None:
        """Choose the backtest worker that was chosen least recently among the free ones, and call it busy.

        `only` is the one worker that will do, where not any will.
        """
        wanted = [each for each in self.of_type(self._worker_word) if only in (None, each.worker_id)]
        free = [each for each in wanted if each.status == "available"]
        if not free and self._several_at_once:
            free = [each for each in wanted if each.status == "busy"]
        if not free:
            return None
        chosen = min(free, key=lambda each: each.last_selected or 0.0)
        chosen.status, chosen.current_operation_id = "busy", operation_id
        chosen.last_selected = time.time()
        return chosen

    def give_back(self, worker_id: str, operation_id: str) -> bool:
        """Call a worker available again, unless another operation has it by now. Says whether it was done."""
        record = self.worker(worker_id)
        if record is None or record.current_operation_id != operation_id:
            return False
        record.current_operation_id = None
        if record.status == "busy":
            record.status = "available"
        return True

    def checked(self, record: WorkerRecord, healthy: bool, now: datetime) -> None:
        """Note the outcome of a health check; after three failures in a row a worker is out of use."""
        record.checked_at = now
        if healthy:
            record.healthy_at, record.failures = now, 0
            if record.status == "temporarily_unavailable":
                record.status = "available" if record.current_operation_id is None else "busy"
        else:
            record.failures += 1
            if record.failures >= 3:
                record.status = "temporarily_unavailable"
