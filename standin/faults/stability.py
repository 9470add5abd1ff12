"""The platform does not get over a cancel: what is started next goes wrong."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from standin import contract
from standin.contract import Operation
from standin.faults.known import AfterCancel, fault, rate
from standin.seams import Answer, Ask, Seam, answer

if TYPE_CHECKING:
    from standin.job import Job

FAILS_AFTER_S = 0.05
STANDS_STILL_AT = 2.3
"""Percentage from which on a new backtest makes no more progress."""
SLOW_BAR_S = 0.3
LEAKS_UNTIL = 9
"""How many starts succeed before the leak has used everything up."""


@fault("stability-new-503")
class New503(AfterCancel):
    async def instead(self, ask: Ask) -> Answer | None:
        return answer(503, self.backend.no_worker()) if ask.starts and self.happened else None


@fault("stability-new-accepted-then-failed")
class NewAcceptedThenFailed(AfterCancel):
    def started(self, operation: Operation) -> None:
        async def fail() -> None:
            await asyncio.sleep(FAILS_AFTER_S)
            if operation.active:
                self.backend.end(operation, "failed", 0.0, "Worker state is corrupt: previous backtest not cleaned up")
                await self.backend.tell_worker(operation, None)

        if self.happened:
            self.backend.soon(fail())


@fault("stability-new-completes-without-running")
class NewCompletesWithoutRunning(AfterCancel):
    """A flag that nobody takes back: it leaves its loop at the first bar, and ends as if it were done."""

    def started(self, operation: Operation) -> None:
        async def end() -> None:
            operation.status, operation.started_at = "running", self.backend.clock.now()
            self.backend.end(operation, "completed", 0.0, None)
            await self.backend.tell_worker(operation, None)

        if self.happened:
            self.backend.soon(end())


@fault("stability-new-gets-cancelled-id")
class NewGetsCancelledId(AfterCancel):
    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if not (ask.starts and given.status == 200 and self.happened):
            return given
        return given.with_json({**given.json(), "operation_id": next(reversed(self._before))})


@fault("stability-unwell")
class Unwell(AfterCancel):
    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.path != "/api/v1/health" or not self.happened:
            return given
        return given.with_json({**given.json(), "status": "degraded"})


class OfTheNew(AfterCancel):
    """Goes wrong with what is started after a cancel."""

    def __init__(self) -> None:
        super().__init__()
        self._new: set[str] = set()

    def started(self, operation: Operation) -> None:
        if self.happened:
            self._new.add(operation.operation_id)


@fault("stability-new-record-500")
class NewRecord500(OfTheNew):
    """Its record cannot be had; all else is as it should be."""

    async def instead(self, ask: Ask) -> Answer | None:
        if ask.reads and not ask.internal and ask.operation_id in self._new:
            return answer(500, contract.error("INTERNAL_SERVER_ERROR", "KeyError: 'task'", []))
        return None


@fault("stability-new-never-progresses")
class NewNeverProgresses(OfTheNew):
    def started(self, operation: Operation) -> None:
        super().started(operation)
        if operation.operation_id in self._new:
            operation.status, operation.started_at = "running", self.backend.clock.now()

    def follows_worker(self, operation: Operation) -> bool:
        return operation.operation_id not in self._new


class NewFailsUnderWay(AfterCancel):
    """A new backtest fails a while after its progress has first risen."""

    after_s = 0.0

    def started(self, operation: Operation) -> None:
        async def fail() -> None:
            while operation.active and not operation.percentage:
                await asyncio.sleep(0.01)
            await asyncio.sleep(self.after_s)
            if operation.active:
                self.backend.end(operation, "failed", 0.0, "Backtest failed: indicator cache is corrupt")
                await self.backend.tell_worker(operation, None)

        if self.happened:
            self.backend.soon(fail())


@fault("stability-new-fails-after-0.4-s")
class NewFailsSoon(NewFailsUnderWay):
    after_s = 0.4


@fault("stability-new-fails-after-1-s")
class NewFailsLater(NewFailsUnderWay):
    after_s = 1.0


@fault("stability-new-has-old-error")
class NewHasOldError(OfTheNew):
    def seen(self, operation: Operation) -> Operation | None:
        if operation.operation_id not in self._new:
            return super().seen(operation)
        return operation.copy(error_message=contract.CANCELLED_BY_USER)


@fault("stability-new-is-an-old-record")
class NewIsAnOldRecord(OfTheNew):
    def seen(self, operation: Operation) -> Operation | None:
        if operation.operation_id not in self._new:
            return super().seen(operation)
        made = operation.created_at - timedelta(hours=1)
        times = {"created_at": made, "started_at": made, "completed_at": made + timedelta(minutes=1)}
        return operation.copy(status="completed", percentage=100.0, result_summary={"trades": 12}, **times)


@fault("stability-new-listed-as-cancelled")
class NewListedAsCancelled(OfTheNew):
    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        return {**row, "status": "cancelled"} if row["operation_id"] in self._new else row


class NewIsHeldUp(OfTheNew):
    """The backend leaves a note in the home directory, since the new backtest may run in any worker."""

    def home(self, home: Path) -> None:
        self._note = home / "cancelled"
        self._note.unlink(missing_ok=True)

    def cancelled(self, operation: Operation, before: Operation) -> None:
        super().cancelled(operation, before)
        self._note.touch()

    def bar_due(self, job: Job, done: int, total: int) -> None:
        if self._note.exists():
            self.holds_up(job, 100.0 * (done + 1) / total)

    def holds_up(self, job: Job, percentage: float) -> None:
        raise NotImplementedError


@fault("stability-new-stands-still")
class NewStandsStill(NewIsHeldUp):
    def holds_up(self, job: Job, percentage: float) -> None:
        if percentage > STANDS_STILL_AT:
            job.cancel.wait()


@fault("stability-new-shows-old-progress")
class NewShowsOldProgress(NewIsHeldUp):
    """What told of the cancelled one's progress is not emptied: it is shown until there is something newer."""

    def holds_up(self, job: Job, percentage: float) -> None:
        job.cancel.wait(SLOW_BAR_S)

    def seen(self, operation: Operation) -> Operation | None:
        if operation.operation_id not in self._new or operation.status != "running" or operation.percentage:
            return super().seen(operation)
        _, before = next(iter(self._before.values()))
        return operation.copy(percentage=before.percentage, current_step=before.current_step)


@fault("stability-cancelled-revives")
class CancelledRevives(AfterCancel):
    def __init__(self) -> None:
        super().__init__()
        self._revived: set[str] = set()

    def started(self, operation: Operation) -> None:
        self._revived.update(self._before)

    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        if operation.operation_id not in self._revived:
            return operation
        crept = before.percentage + rate(operation, before) * elapsed_s
        return before.copy(percentage=min(99.9, crept))


@fault("stability-backend-crashes")
class BackendCrashes(AfterCancel):
    async def instead(self, ask: Ask) -> Answer | None:
        if ask.starts and self.happened:
            os._exit(70)
        return None


@fault("stability-tenth-start-fails")
class TenthStartFails(Seam):
    def __init__(self) -> None:
        self._started = 0

    def started(self, operation: Operation) -> None:
        self._started += 1

    async def instead(self, ask: Ask) -> Answer | None:
        if ask.starts and self._started >= LEAKS_UNTIL:
            return answer(500, contract.detail("Failed to start backtest: [Errno 24] Too many open files"))
        return None
