"""At its limits: a cancel that meets the end, backtests beside the cancelled one, more starts than workers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from standin import contract
from standin.contract import Operation
from standin.engine import Order
from standin.faults.known import AfterCancel, fault
from standin.seams import Answer, Ask, Seam, answer
from standin.settings import Settings

if TYPE_CHECKING:
    from standin.job import Job

NEAR_THE_END = 50.0
"""Percentage from which on a backtest counts as about to end."""
FLIPS_AFTER_S = 0.35
JUST_S = (0.4, 3.0)
"""So long after its end a backtest has just completed; not in the very moment, whose cancel may have come before it."""
SLOWED_BY_S = 0.1
FAILS_AFTER_S = 3.0
MOVED = 4.0
"""Percentage above which a backtest counts as one that was seen to run."""
LOST_BESIDES = 2.5
"""So much more progress than it had made, in percent, is lost to a neighbour: a while it stays at 0."""


# --- the race with completion ----------------------------------------------------------------------------------------


class NearItsEnd(AfterCancel):
    """Goes wrong with backtests only that were cancelled when nearly done."""

    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return self.shows_late(operation, elapsed_s) if float(before.percentage) > NEAR_THE_END else operation

    def shows_late(self, operation: Operation, elapsed_s: float) -> Operation:
        """The same, for one that was nearly done."""
        return operation


@fault("race-cancelled-with-result")
class CancelledWithResult(NearItsEnd):
    def shows_late(self, operation: Operation, elapsed_s: float) -> Operation:
        return operation.copy(result_summary={"total_return": 0.031, "trades": 12})


@fault("race-flips-to-completed")
class FlipsToCompleted(NearItsEnd):
    def shows_late(self, operation: Operation, elapsed_s: float) -> Operation:
        if elapsed_s < FLIPS_AFTER_S:
            return operation
        return operation.copy(status="completed", percentage=100.0, error_message=None)


class IgnoredNearItsEnd(Seam):
    """A cancel near the end is acknowledged, and changes nothing."""

    async def takes_effect(self, operation: Operation) -> bool:
        return float(operation.percentage) <= NEAR_THE_END


@fault("race-answered-cancelled-yet-completed")
class AnsweredCancelledYetCompleted(IgnoredNearItsEnd):
    pass


@fault("race-ends-in-neither-way")
class EndsInNeitherWay(IgnoredNearItsEnd):
    def __init__(self) -> None:
        self._stuck: set[str] = set()

    async def takes_effect(self, operation: Operation) -> bool:
        takes = await super().takes_effect(operation)
        if not takes:
            self._stuck.add(operation.operation_id)
        return takes

    def follows_worker(self, operation: Operation) -> bool:
        return operation.operation_id not in self._stuck


@fault("race-always-completes")
class AlwaysCompletes(Seam):
    async def instead(self, ask: Ask) -> Answer | None:
        known = self.backend.operations.get(ask.operation_id or "")
        return (
            answer(400, contract.cannot_be_cancelled(known.copy(status="completed"))) if ask.cancels and known else None
        )


@fault("race-500-near-the-end")
class Cancel500NearTheEnd(Seam):
    async def instead(self, ask: Ask) -> Answer | None:
        known = self.backend.operations.get(ask.operation_id or "")
        if ask.cancels and known and known.active and float(known.percentage) > NEAR_THE_END:
            return answer(500, contract.error("OPERATIONS-CancelFailed", "Operation state changed during cancel", []))
        return None


class JustCompleted(Seam):
    """Goes wrong with a cancel of what has completed a moment ago, which it turns down as one has to."""

    def spoil(self, operation: Operation) -> None:
        """What is done to the record all the same."""

    async def instead(self, ask: Ask) -> Answer | None:
        known = self.backend.operations.get(ask.operation_id or "")
        if not ask.cancels or known is None or known.status != "completed" or known.completed_at is None:
            return None
        if not JUST_S[0] < (self.backend.clock.now() - known.completed_at).total_seconds() < JUST_S[1]:
            return None
        given = answer(400, contract.cannot_be_cancelled(known))
        self.spoil(known)
        return given


@fault("race-late-cancel-acknowledged")
class LateCancelAcknowledged(JustCompleted):
    async def instead(self, ask: Ask) -> Answer | None:
        given = await super().instead(ask)
        told = contract.cancel_answer(ask.operation_id or "", self.backend.clock.now(), None, remote_cancelled=True)
        return given and answer(200, told)


@fault("race-late-cancel-turns-it-cancelled")
class LateCancelTurnsItCancelled(JustCompleted):
    def spoil(self, operation: Operation) -> None:
        operation.status, operation.result_summary = "cancelled", None


@fault("race-late-cancel-moves-its-end")
class LateCancelMovesItsEnd(JustCompleted):
    def spoil(self, operation: Operation) -> None:
        operation.completed_at = self.backend.clock.now()


# --- beside others ---------------------------------------------------------------------------------------------------


class NeverMoves(Seam):
    """A backtest stays at 0 % whose start finds another one ``beside`` it."""

    def __init__(self) -> None:
        self._stuck: set[str] = set()

    def beside(self, other: Operation) -> bool:
        raise NotImplementedError

    def started(self, operation: Operation) -> None:
        if any(self.beside(each) for each in self.backend.operations.values() if each is not operation):
            self._stuck.add(operation.operation_id)
            operation.status = "running"

    def follows_worker(self, operation: Operation) -> bool:
        return operation.operation_id not in self._stuck


@fault("neighbour-never-moves")
class NeighbourNeverMoves(NeverMoves):
    def beside(self, other: Operation) -> bool:
        return other.active


@fault("neighbour-next-never-moves")
class NeighbourNextNeverMoves(NeverMoves):
    def beside(self, other: Operation) -> bool:
        return other.status == "cancelled"


@fault("neighbour-stands-still")
class NeighbourStandsStill(Seam):
    """The backend leaves a note in the home directory, since the neighbour runs in another process."""

    def home(self, home: Path) -> None:
        self._note = home / "cancelled-beside"
        self._note.unlink(missing_ok=True)

    def cancelled(self, operation: Operation, before: Operation) -> None:
        self._note.touch()

    def bar_due(self, job: Job, done: int, total: int) -> None:
        began = job.operation.started_at
        if began and self._note.exists() and began.timestamp() < self._note.stat().st_mtime:
            job.cancel.wait()


class Beside(Seam):
    """Shows those that were active when another one was cancelled as something else."""

    def __init__(self) -> None:
        self._then: dict[str, float] = {}

    def cancelled(self, operation: Operation, before: Operation) -> None:
        for each in self.backend.operations.values():
            if each.active and each is not operation:
                self._then[each.operation_id] = float(each.percentage)

    def seen(self, operation: Operation) -> Operation | None:
        then = self._then.get(operation.operation_id)
        return operation if then is None or not operation.active else self.shows(operation, then)

    def shows(self, operation: Operation, then: float) -> Operation:
        """What is shown of one that had reached `then` percent at the cancel."""
        return operation


@fault("neighbour-loses-its-progress")
class NeighbourLosesItsProgress(Beside):
    def shows(self, operation: Operation, then: float) -> Operation:
        return operation.copy(percentage=max(0.0, float(operation.percentage) - then - LOST_BESIDES))


@fault("neighbour-gets-the-error")
class NeighbourGetsTheError(Beside):
    def shows(self, operation: Operation, then: float) -> Operation:
        return operation.copy(error_message=contract.CANCELLED_BY_USER)


@fault("neighbour-called-completed")
class NeighbourCalledCompleted(Beside):
    def shows(self, operation: Operation, then: float) -> Operation:
        return operation.copy(status="completed", percentage=100.0, completed_at=self.backend.clock.now())


@fault("neighbour-next-is-slow")
class NextIsSlow(Seam):
    """What was computed for the cancelled one goes on beside the next one on the same worker."""

    _cancelled: Job | None = None

    def worker_cancelled(self, job: Job) -> None:
        self._cancelled = job

    def bar_due(self, job: Job, done: int, total: int) -> None:
        if self._cancelled is not None and self._cancelled is not job:
            used = time.thread_time()
            while time.thread_time() - used < SLOWED_BY_S:
                pass


# --- more starts than workers ----------------------------------------------------------------------------------------


class NoRoom(Seam):
    """Goes wrong with a start for which no worker is free."""

    def answers(self, given: Answer) -> Answer:
        raise NotImplementedError

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        return self.answers(given) if ask.starts and given.status == 503 else given


@fault("oversubscribed-500")
class Oversubscribed500(NoRoom):
    def answers(self, given: Answer) -> Answer:
        return answer(500, contract.error("INTERNAL_SERVER_ERROR", "list index out of range", []))


@fault("oversubscribed-without-a-word")
class OversubscribedWithoutAWord(NoRoom):
    def answers(self, given: Answer) -> Answer:
        return answer(503, {})


@fault("oversubscribed-evicts")
class OversubscribedEvicts(NoRoom):
    def answers(self, given: Answer) -> Answer:
        first = next(iter(self.backend.operations.values()))
        if first.active:
            self.backend.end(first, "failed", 0.0, "Preempted by a later start")
        return given


@fault("oversubscribed-same-id")
class OversubscribedSameId(NoRoom):
    def answers(self, given: Answer) -> Answer:
        return answer(200, contract.start_answer(next(reversed(self.backend.operations.values())).order))


@fault("oversubscribed-never-runs")
class OversubscribedNeverRuns(NoRoom):
    status = "running"

    def answers(self, given: Answer) -> Answer:
        return answer(200, contract.start_answer(self.record()))

    def record(self) -> Order:
        """A record is made, and nothing ever runs for it."""
        asked = next(reversed(self.backend.operations.values()))
        now = self.backend.clock.now()
        order: Order = replace(asked.order, operation_id=contract.new_operation_id(now))
        self.backend.operations[order.operation_id] = Operation(order, now, asked.worker_id, self.status, now)
        return order


@fault("oversubscribed-leaves-a-record")
class OversubscribedLeavesARecord(OversubscribedNeverRuns):
    status = "pending"

    def answers(self, given: Answer) -> Answer:
        self.record()
        return given


@fault("oversubscribed-waits-for-ever")
class OversubscribedWaitsForEver(OversubscribedNeverRuns):
    status = "pending"


@fault("oversubscribed-called-completed")
class OversubscribedCalledCompleted(OversubscribedNeverRuns):
    status = "completed"


class SeveralAtOnce(Seam):
    """Workers take more backtests than one; goes wrong with those that have moved beside another one."""

    def __init__(self) -> None:
        self._crowded: set[str] = set()

    def settings(self, settings: Settings) -> Settings:
        return replace(settings, several_at_once=True)

    def started(self, operation: Operation) -> None:
        there = [e for e in self.backend.operations.values() if e.active and e.worker_id == operation.worker_id]
        if there[0] is not operation:
            self._crowded.add(operation.operation_id)

    def has_moved(self, operation: Operation) -> bool:
        return operation.operation_id in self._crowded and float(operation.percentage or 0.0) > MOVED


@fault("oversubscribed-stands-still")
class OversubscribedStandsStill(SeveralAtOnce):
    def follows_worker(self, operation: Operation) -> bool:
        return not self.has_moved(operation)


@fault("oversubscribed-record-lost")
class OversubscribedRecordLost(SeveralAtOnce):
    def seen(self, operation: Operation) -> Operation | None:
        return None if operation.active and self.has_moved(operation) else operation


@fault("oversubscribed-called-failed")
class OversubscribedCalledFailed(Seam):
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, several_at_once=True)

    def started(self, operation: Operation) -> None:
        async def fail() -> None:
            await asyncio.sleep(FAILS_AFTER_S)
            if operation.active:
                self.backend.end(operation, "failed", 0.0, "Operation was RUNNING but no worker claimed it")

        there = [e for e in self.backend.operations.values() if e.active and e.worker_id == operation.worker_id]
        if there[0] is not operation:
            self.backend.soon(fail())
