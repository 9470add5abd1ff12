"""Each cancel leaves a little behind, too little to be seen after one."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from standin.contract import Operation
from standin.faults.known import fault
from standin.seams import Seam

if TYPE_CHECKING:
    from standin.job import Job

LEAK_BYTES = 500_000
SLOWER_S = 0.015
LATER_S = 0.05
SPIN = 0.02
"""Cores that each cancel adds."""
TURN_S = 0.05


class Leaving(Seam):
    """Counts the cancels of one process, and leaves something behind at every so many."""

    every = 1

    def __init__(self) -> None:
        self.count = 0
        self.kept: list[Any] = []

    def one_more(self) -> None:
        self.count += 1
        if self.count % self.every == 0:
            self.leave()

    def leave(self) -> None:
        raise NotImplementedError


class InBackend(Leaving):
    def cancelled(self, operation: Operation, before: Operation) -> None:
        self.one_more()


class InWorker(Leaving):
    def worker_cancelled(self, job: Job) -> None:
        self.one_more()


class Memory(Leaving):
    def leave(self) -> None:
        self.kept.append(b"\1" * LEAK_BYTES)


class Spinning(Leaving):
    """A thread of the process that never ends, and is busy a little more of the time."""

    def leave(self) -> None:
        if not self.kept:
            self.kept.append(threading.Thread(target=self._spin, daemon=True))
            self.kept[0].start()

    def _spin(self) -> None:
        while True:
            until_s = time.thread_time() + TURN_S * min(1.0, SPIN * self.count)
            while time.thread_time() < until_s:
                pass
            time.sleep(TURN_S * max(0.0, 1.0 - SPIN * self.count))


@fault("endurance-backend-memory")
class BackendMemory(Memory, InBackend):
    pass


@fault("endurance-worker-memory")
class WorkerMemory(Memory, InWorker):
    pass


@fault("endurance-backend-spins")
class BackendSpins(Spinning, InBackend):
    pass


@fault("endurance-worker-spins")
class WorkerSpins(Spinning, InWorker):
    pass


@fault("endurance-open-files")
class OpenFiles(InBackend):
    every = 3

    def leave(self) -> None:
        self.kept.append(os.open(os.devnull, os.O_RDONLY))


@fault("endurance-active-operations")
class ActiveOperations(InBackend):
    every = 5

    def leave(self) -> None:
        self.backend.metrics.active.inc()


@fault("endurance-slower")
class Slower(InBackend):
    def leave(self) -> None:
        pass

    async def tells_worker(self, operation: Operation) -> bool | None:
        await asyncio.sleep(SLOWER_S * self.count)
        return None


@fault("endurance-starts-later")
class StartsLater(InWorker):
    def leave(self) -> None:
        pass

    def bar_due(self, job: Job, done: int, total: int) -> None:
        if done == 0:
            time.sleep(LATER_S * self.count)


@fault("endurance-place-lost")
class PlaceLost(InBackend):
    """Of a worker that had nothing to do with the cancel, and is called busy for ever, nobody knows with what."""

    every = 25

    def leave(self) -> None:
        free = [each for each in self.backend.registry.workers.values() if each.status == "available"]
        if free:
            free[0].status = "busy"
