"""Operations that a restart interrupted: a backend goes on with what one before it had begun, or gives it up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from standin.contract import Operation
from standin.memory import Memory

if TYPE_CHECKING:
    from standin.reach import Backend


class Recovery:
    """Of one backend."""

    def __init__(self, backend: Backend, memory: Memory) -> None:
        self._backend = backend
        self._given_up: set[str] = set()
        self.keep = memory.keep
        self._recall(memory)

    def _recall(self, memory: Memory) -> None:
        """Take over what a backend before this one knew: what was running is followed again."""
        backend = self._backend
        for each in memory.recalled():
            if isinstance(each, Operation):
                backend.operations[each.operation_id] = each
            else:
                backend.register(each, known=True)
        for operation in backend.operations.values():
            if operation.active:
                backend.registry.take(operation.operation_id, operation.worker_id)
                backend.metrics.active.inc()
                backend.soon(backend.follow(operation))
                self.lost(operation, "Operation was lost when the backend was restarted")

    def lost(self, operation: Operation, why: str) -> None:
        """Call an operation failed that nobody may be running any more, after a while; where that is set."""
        after_s = self._backend.settings.orphans_fail_after_s
        if after_s > 0 and operation.operation_id not in self._given_up:
            self._given_up.add(operation.operation_id)
            self._backend.soon(self._give_up(operation, after_s, why))

    async def _give_up(self, operation: Operation, after_s: float, why: str) -> None:
        await asyncio.sleep(after_s)
        if operation.active:
            self._backend.end(operation, "failed", 0.0, why)
            await self._backend.tell_worker(operation, why)
