"""A backtest that is called cancelled, and whose work goes on."""

from __future__ import annotations

import asyncio
import math
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from standin.contract import Operation
from standin.faults.known import fault
from standin.seams import Seam
from standin.settings import Settings

if TYPE_CHECKING:
    from standin.job import Job

BURNS_FOR_S = 2.4
"""Longer than the limit of the gallery's runs by so much that it shows, and shorter than what is called lasting."""
COUNTS_ON_BY, COUNTS_ON_EVERY_S = 0.5, 0.5


@fault("after-ghost-worker")
class GhostWorker(Seam):
    async def tells_worker(self, operation: Operation) -> bool | None:
        return True


@fault("after-ghost-processor")
class GhostProcessor(Seam):
    def burns_on(self, job: Job) -> float:
        return math.inf


@fault("after-ghost-processor-for-a-while")
class GhostProcessorForAWhile(GhostProcessor):
    def worker_cancelled(self, job: Job) -> None:
        self.worker.later(BURNS_FOR_S, lambda: setattr(job, "burning", 0.0))


class OwnIds(Seam):
    """On a platform whose workers call their backtests by ids of their own."""

    def settings(self, settings: Settings) -> Settings:
        return replace(settings, own_ids=True)


@fault("after-ghost-processor-with-own-id")
class GhostProcessorWithOwnId(OwnIds, GhostProcessor):
    pass


@fault("after-ghost-worker-with-own-id")
class GhostWorkerWithOwnId(OwnIds, GhostWorker):
    pass


@fault("after-engine-ignores-cancel")
class EngineIgnoresCancel(Seam):
    def ignores_cancel(self, job: Job) -> bool:
        return True


@fault("after-completion-overwrites-cancel")
class CompletionOverwritesCancel(EngineIgnoresCancel):
    def ends_again(self, job: Job) -> bool:
        return True

    def cancelled(self, operation: Operation, before: Operation) -> None:
        async def taken_over() -> None:
            said = None
            while said is None or said["status"] == "cancelled":
                await asyncio.sleep(self.backend.settings.refresh_s)
                said = await self.backend.worker_says(operation)
            operation.result_summary = said["result_summary"]
            operation.end(said["status"], self.backend.clock.now(), said["progress"]["percentage"], None)
            self.backend.note(operation)

        self.backend.soon(taken_over())


@fault("after-worker-counts-on")
class WorkerCountsOn(Seam):
    """What told of the bars tells of them still, long after the engine has stopped: nobody but the worker shows it."""

    def worker_cancelled(self, job: Job) -> None:
        operation = job.operation
        operation.percentage = min(100.0, float(operation.percentage or 0.0) + COUNTS_ON_BY)
        self.worker.later(COUNTS_ON_EVERY_S, lambda: self.worker_cancelled(job))


@fault("after-spinning-thread")
class SpinningThread(Seam):
    def worker_cancelled(self, job: Job) -> None:
        def wait_for_what_never_comes() -> None:
            done = False
            while not done:
                pass

        threading.Thread(target=wait_for_what_never_comes, daemon=True).start()


@fault("after-ghost-at-0.3-cores")
class GhostAtAThird(Seam):
    cores = 0.3

    def burns_on(self, job: Job) -> float:
        return self.cores


@fault("after-ghost-at-0.2-cores")
class GhostAtAFifth(GhostAtAThird):
    cores = 0.2


@fault("after-ghost-at-0.15-cores")
class GhostAtASeventh(GhostAtAThird):
    cores = 0.15
