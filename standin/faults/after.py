"""A backtest that is cancelled, and then is not quite."""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from standin import contract
from standin.contract import Operation
from standin.faults.known import AfterCancel, fault, rate
from standin.seams import OPERATIONS, Answer, Ask, Seam, answer

if TYPE_CHECKING:
    from standin.job import Job

WORKERS = "/api/v1/workers"
STEP_BACK_AFTER_S = 1.6
"""More than a second after the end, so that it is no word about that."""
ONCE_AFTER_S = 1.9
MOMENT_S = (0.4, 0.9)
"""From when to when after its cancel a backtest runs again; the limit for being cancelled is a second at least."""
LATER_S = 1.0
GONE_EACH = 3
ITEMS_A_SECOND = 100
DIES_AFTER_S = 0.05
ANSWERED_AFTER_S = 0.05
"""How long the answer to a cancel is given to be delivered."""
OUTAGE_S = 5.0
RETRIED_AFTER_S = 0.5


@fault("after-creeps-on")
class CreepsOn(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        crept = before.percentage + rate(operation, before) * elapsed_s
        return operation.copy(percentage=min(99.9, crept))


@fault("after-keeps-falling")
class KeepsFalling(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return operation.copy(percentage=before.percentage * math.exp(-elapsed_s))


@fault("after-record-comes-and-goes")
class RecordComesAndGoes(AfterCancel):
    def __init__(self) -> None:
        super().__init__()
        self._asked = 0

    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        self._asked += 1
        return None if self._asked % GONE_EACH == 0 else operation


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
    later_s = LATER_S

    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        if elapsed_s < self.later_s or operation.completed_at is None:
            return operation
        ended = operation.completed_at + timedelta(seconds=self.later_s)
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


class BrokenLater(AfterCancel):
    """A second after a cancel something that is asked for is answered by HTTP 500, for good; all the rest goes on."""

    def is_broken(self, ask: Ask) -> bool:
        raise NotImplementedError

    async def instead(self, ask: Ask) -> Answer | None:
        at = min((at for at, _ in self._before.values()), default=math.inf)
        if ask.method != "GET" or ask.internal or time.monotonic() < at + LATER_S or not self.is_broken(ask):
            return None
        return answer(500, contract.error("INTERNAL_SERVER_ERROR", "'NoneType' object has no attribute 'value'", []))


@fault("after-record-500")
class Record500(BrokenLater):
    def is_broken(self, ask: Ask) -> bool:
        return ask.operation_id in self._before


@fault("after-workers-500")
class Workers500(BrokenLater):
    def is_broken(self, ask: Ask) -> bool:
        return ask.path == WORKERS


@fault("after-list-500")
class List500(BrokenLater):
    def is_broken(self, ask: Ask) -> bool:
        return ask.path.rstrip("/") == OPERATIONS.rstrip("/")


class Registered(AfterCancel):
    """Some time after a cancel the registry has the worker that ran the backtest otherwise than it is, for good."""

    from_s = 1.4
    its_own = True
    """Whether that worker's row is another one, or those of all others."""

    def shown(self, row: dict[str, Any], operation: str) -> dict[str, Any] | None:
        raise NotImplementedError

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.path != WORKERS or ask.method != "GET" or given.status != 200 or not self.happened:
            return given
        operation, (at, before) = next(iter(self._before.items()))
        if time.monotonic() < at + self.from_s:
            return given
        meant = [(row["worker_id"] == before.worker_id) is self.its_own for row in given.json()]
        rows = [
            self.shown(row, operation) if is_meant else row for row, is_meant in zip(given.json(), meant, strict=True)
        ]
        return given.with_json([row for row in rows if row])


@fault("after-place-taken-again")
class PlaceTakenAgain(Registered):
    def shown(self, row: dict[str, Any], operation: str) -> dict[str, Any] | None:
        return {**row, "status": "busy", "current_operation_id": operation}


@fault("after-place-moves")
class PlaceMoves(PlaceTakenAgain):
    from_s = 0.0
    its_own = False


@fault("after-work-hidden-elsewhere")
class WorkHiddenElsewhere(Registered):
    """What was cancelled is begun again straight on another worker, and never written down."""

    from_s = 0.3
    its_own = False

    def shown(self, row: dict[str, Any], operation: str) -> dict[str, Any] | None:
        return {**row, "status": "busy", "current_operation_id": f"{operation}_again"}


@fault("after-worker-dropped")
class WorkerDropped(Registered):
    def shown(self, row: dict[str, Any], operation: str) -> dict[str, Any] | None:
        return None


@fault("after-worker-draining")
class WorkerDraining(Registered):
    from_s = 0.3

    def shown(self, row: dict[str, Any], operation: str) -> dict[str, Any] | None:
        return {**row, "status": "draining", "current_operation_id": None}


@fault("after-worker-put-out-of-service")
class WorkerPutOutOfService(Registered):
    def shown(self, row: dict[str, Any], operation: str) -> dict[str, Any] | None:
        return {**row, "status": "temporarily_unavailable", "current_operation_id": None}


@fault("after-result-summary")
class ResultSummary(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        if elapsed_s < LATER_S:
            return operation
        order = operation.order
        summary = {"symbol": order.symbol, "timeframe": order.timeframe, "metrics": {}, "trade_count": 0}
        return operation.copy(result_summary=summary)


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


@fault("early-keeps-the-place")
class EarlyKeepsThePlace(SlotNeverFreed):
    def cancelled(self, operation: Operation, before: Operation) -> None:
        if not before.percentage:
            super().cancelled(operation, before)


@fault("early-cancel-is-lost")
class EarlyCancelIsLost(Seam):
    async def takes_effect(self, operation: Operation) -> bool:
        return bool(operation.percentage)


@fault("after-worker-dead")
class WorkerDead(Seam):
    def worker_cancelled(self, job: Job) -> None:
        self.worker.later(DIES_AFTER_S, lambda: os._exit(1))


@fault("after-record-of-another")
class RecordOfAnother(AfterCancel):
    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if not ask.reads or ask.internal or ask.operation_id not in self._before or given.status != 200:
            return given
        record = given.json()
        record["data"]["operation_id"] = contract.new_operation_id(self.backend.clock.now())
        return given.with_json(record)


@fault("after-worker-has-a-result")
class WorkerHasAResult(Seam):
    def worker_cancelled(self, job: Job) -> None:
        job.operation.result_summary = {"total_return": 0.031, "trades": 12}


@fault("after-items-go-on")
class ItemsGoOn(AfterCancel):
    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.method != "GET" or ask.operation_id not in self._before or given.status != 200:
            return given
        record = given.json()
        since_s = time.monotonic() - self._before[ask.operation_id][0]
        record["data"]["progress"]["items_processed"] = int(ITEMS_A_SECOND * since_s)
        return given.with_json(record)


@fault("after-step-goes-on")
class StepGoesOn(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return operation.copy(current_step=f"Bar {10 * elapsed_s:.0f}")


@fault("after-step-comes-back")
class StepComesBack(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return operation.copy(current_step=before.current_step) if elapsed_s >= STEP_BACK_AFTER_S else operation


@fault("after-end-moves")
class EndMoves(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        moved_s = LATER_S if elapsed_s >= ONCE_AFTER_S else 0.0
        return operation.copy(
            completed_at=operation.completed_at and operation.completed_at + timedelta(seconds=moved_s)
        )


@fault("after-runs-for-a-moment")
class RunsForAMoment(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        if elapsed_s < MOMENT_S[0]:
            return operation
        if elapsed_s < MOMENT_S[1]:
            return operation.copy(status="running", completed_at=None)
        later = timedelta(seconds=MOMENT_S[1])
        return operation.copy(completed_at=operation.completed_at and operation.completed_at + later)


@fault("after-reason-changes")
class ReasonChanges(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return operation.copy(error_message="KeyError: 'progress'") if elapsed_s >= STEP_BACK_AFTER_S else operation


@fault("after-beginning-moves")
class BeginningMoves(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        moved_s = LATER_S if elapsed_s >= ONCE_AFTER_S else 0.0
        return operation.copy(started_at=operation.started_at and operation.started_at - timedelta(seconds=moved_s))


@fault("after-completed-at-missing")
class CompletedAtMissing(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return operation.copy(completed_at=None)


@fault("after-completed-at-before-start")
class CompletedAtBeforeStart(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        begun = operation.started_at or operation.created_at
        return operation.copy(completed_at=begun - timedelta(minutes=1))


@fault("after-completed-at-is-start")
class CompletedAtIsStart(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return operation.copy(completed_at=operation.started_at or operation.created_at)


@fault("after-completed-2.6-s-later")
class CompletedWhileWatched(LaterCompleted):
    later_s = 2.6


@fault("after-completed-4-s-later")
class CompletedLongAfter(LaterCompleted):
    later_s = 4.0


class AfterAnswer(Seam):
    """Does something to the backend as soon as it has answered the first cancel that it acknowledges."""

    def __init__(self) -> None:
        self._answered = False

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.cancels and given.status == 200 and not self._answered:
            self._answered = True
            asyncio.get_running_loop().call_later(ANSWERED_AFTER_S, self.happens)
        return given

    def happens(self) -> None:
        raise NotImplementedError


@fault("after-backend-dies")
class BackendDies(AfterAnswer):
    def happens(self) -> None:
        os._exit(70)


@fault("after-backend-hangs")
class BackendHangs(AfterAnswer):
    def happens(self) -> None:
        # In the event loop: the kernel goes on accepting connections, and nobody reads them.
        threading.Event().wait()


@fault("after-backend-refuses-for-5-s")
class BackendRefusesForAWhile(AfterAnswer):
    def happens(self) -> None:
        self.backend.close_for(OUTAGE_S)


class GatewayError(AfterAnswer):
    """The proxy in front of the backend answers for it for a while."""

    answers: Answer

    def __init__(self) -> None:
        super().__init__()
        self._until = 0.0

    def happens(self) -> None:
        self._until = time.monotonic() + OUTAGE_S

    async def instead(self, ask: Ask) -> Answer | None:
        return self.answers if time.monotonic() < self._until else None


@fault("after-502-for-5-s")
class BadGatewayForAWhile(GatewayError):
    page = (
        b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>"
    )
    answers = Answer(502, page, {"content-type": "text/html"})


@fault("after-503-for-5-s")
class UnavailableForAWhile(GatewayError):
    answers = answer(503, contract.detail("Service temporarily unavailable: database connection pool exhausted"))


class Retries(Seam):
    """What was cancelled first is begun anew under another id, a moment later."""

    def __init__(self) -> None:
        self._retried = False

    def worker_of_retry(self, operation: Operation) -> str:
        raise NotImplementedError

    def cancelled(self, operation: Operation, before: Operation) -> None:
        async def retry() -> None:
            await asyncio.sleep(RETRIED_AFTER_S)
            wanted = self.backend.order_again(operation)
            await self.backend.start_when_free(wanted, self.worker_of_retry(operation))

        if not self._retried:
            self._retried = True
            self.backend.soon(retry())


@fault("after-retried-on-same-worker")
class RetriedOnSameWorker(Retries):
    def worker_of_retry(self, operation: Operation) -> str:
        return operation.worker_id


@fault("after-retried-on-another-worker")
class RetriedOnAnotherWorker(Retries):
    def worker_of_retry(self, operation: Operation) -> str:
        return next(each for each in sorted(self.backend.registry.workers, reverse=True) if each != operation.worker_id)


@fault("after-child-runs-on")
class ChildRunsOn(Seam):
    def spares_children(self) -> bool:
        return True
