"""The platform does not get over a restart of one of its processes. What shows only then is wrong in the second life."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from standin import contract
from standin.contract import Operation
from standin.faults.known import fault
from standin.reach import Backend, Worker
from standin.seams import Answer, Ask, Seam, answer

LOOK_S = 0.05
REVIVES_AFTER_S = 0.3


class SecondBackend(Seam):
    """``second``: this backend is not the launch's first: it has operations before it serves."""

    second = False

    def attached_to_backend(self, backend: Backend) -> None:
        super().attached_to_backend(backend)
        self.second = bool(backend.operations)


@fault("restart-worker-stays-away")
class WorkerStaysAway(Seam):
    """A worker that finds the note of one before it gives up."""

    def home(self, home: Path) -> None:
        self._notes = home / "lives"
        self._notes.mkdir(exist_ok=True)

    def attached_to_worker(self, worker: Worker) -> None:
        note = self._notes / str(worker.port)
        if note.exists():
            os._exit(70)
        note.touch()


@fault("restart-backend-forgets")
class BackendForgets(SecondBackend):
    def attached_to_backend(self, backend: Backend) -> None:
        super().attached_to_backend(backend)
        backend.operations.clear()


@fault("restart-orphan-cannot-be-cancelled")
class OrphanCannotBeCancelled(Seam):
    async def instead(self, ask: Ask) -> Answer | None:
        operation = self.backend.operations.get(ask.operation_id or "") if ask.cancels else None
        if operation is None or not operation.active or await self.backend.worker_says(operation):
            return None
        text = f"Failed to cancel operation {operation.operation_id}: its worker does not know it"
        return answer(500, contract.detail(text))


@fault("restart-orphan-completed")
class OrphanCompleted(Seam):
    """What its worker does not know any more is taken for done."""

    def started(self, operation: Operation) -> None:
        self.backend.soon(self._look_after(operation))

    async def _look_after(self, operation: Operation) -> None:
        while operation.active:
            await asyncio.sleep(LOOK_S)
            if operation.percentage and operation.active and await self.backend.worker_says(operation) is None:
                self.backend.end(operation, "completed", 100.0, None)


@fault("restart-revives")
class Revives(SecondBackend):
    """An operation that has ended under a second backend is shown running again a moment later."""

    def seen(self, operation: Operation) -> Operation | None:
        if not self.second or operation.completed_at is None or operation.result_summary:
            return operation
        since_s = (self.backend.clock.now() - operation.completed_at).total_seconds()
        if since_s < REVIVES_AFTER_S:
            return operation
        return operation.copy(status="running", completed_at=None, percentage=5.0)


@fault("restart-next-refused")
class NextRefused(SecondBackend):
    async def instead(self, ask: Ask) -> Answer | None:
        if self.second and ask.starts:
            return answer(503, self.backend.no_worker())
        return None
