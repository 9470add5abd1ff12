"""A backtest that is cancelled, and then is not quite."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from standin import contract
from standin.contract import Operation
from standin.faults.known import AfterCancel, fault, rate
from standin.seams import Seam

if TYPE_CHECKING:
    from standin.worker import Job

ONCE_AFTER_S = 1.9
LATER_S = 1.0
DIES_AFTER_S = 0.05


@fault("after-creeps-on")
class CreepsOn(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        crept = before.percentage + rate(operation, before) * elapsed_s
        return operation.copy(percentage=min(99.9, crept))


@fault("after-creeps-once")
class CreepsOnce(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        crept = rate(operation, before) if elapsed_s >= ONCE_AFTER_S else 0.0
        return operation.copy(percentage=min(99.9, before.percentage + crept))


@fault("after-jumps-to-100")
class JumpsTo100(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return operation.copy(percentage=100.0) if elapsed_s >= LATER_S else operation


@fault("after-later-completed")
class LaterCompleted(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        if elapsed_s < LATER_S or operation.completed_at is None:
            return operation
        ended = operation.completed_at + timedelta(seconds=LATER_S)
        return operation.copy(status="completed", percentage=100.0, error_message=None, completed_at=ended)


@fault("after-later-running")
class LaterRunning(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return before if elapsed_s >= LATER_S else operation


@fault("after-cancelling-for-ever")
class CancellingForEver(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return before.copy(status="cancelling")


@fault("after-record-gone")
class RecordGone(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return None


@fault("after-result-summary")
class ResultSummary(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        if elapsed_s < LATER_S:
            return operation
        order = operation.order
        summary = {"symbol": order.symbol, "timeframe": order.timeframe, "metrics": {}, "trade_count": 0}
        return operation.copy(result_summary=summary)


@fault("after-ghost-worker")
class GhostWorker(Seam):
    async def tells_worker(self, operation: Operation) -> bool | None:
        return True


@fault("after-ghost-processor")
class GhostProcessor(Seam):
    def burns_on(self, job: Job) -> bool:
        return True


@fault("after-backend-cancelled-worker-not-told")
class BackendCancelledWorkerNotTold(Seam):
    async def tells_worker(self, operation: Operation) -> bool | None:
        return False


@fault("after-slot-never-freed")
class SlotNeverFreed(Seam):
    def __init__(self) -> None:
        self._held: set[str] = set()

    def cancelled(self, operation: Operation, before: Operation) -> None:
        self._held.add(operation.worker_id)

    def frees_slot(self, worker_id: str) -> bool:
        return worker_id not in self._held


@fault("after-worker-dead")
class WorkerDead(Seam):
    def worker_cancelled(self, job: Job) -> None:
        self.worker.later(DIES_AFTER_S, lambda: os._exit(1))


@fault("after-list-disagrees")
class ListDisagrees(AfterCancel):
    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        if row["operation_id"] not in self._before:
            return row
        _, before = self._before[row["operation_id"]]
        return contract.operation_row(before)


@fault("after-completed-at-missing")
class CompletedAtMissing(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return operation.copy(completed_at=None)


@fault("after-completed-at-before-start")
class CompletedAtBeforeStart(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        begun = operation.started_at or operation.created_at
        return operation.copy(completed_at=begun - timedelta(minutes=1))
