"""Other ways to cancel go wrong: with nothing to cancel, with a reason, by force, and several times at one moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import threading
import time
from dataclasses import replace
from typing import Any

from standin import contract
from standin.contract import Operation
from standin.faults.known import AfterCancel, fault
from standin.job import Job
from standin.seams import Answer, Ask, Seam, answer

LONG_ID = 5_000
HANGS = 2
COMPUTES_S = 0.005
"""At a stretch, and as long at rest: half a core."""
TOGETHER_S = 1.0
"""So long at most the first of several cancels waits for the second."""
ENDS_AGAIN_AFTER_S = 1.2
"""Longer than two answers to one cancel are apart, and shorter than a clock may be set anew."""


class VainCancel(Seam):
    """Does something to a cancel that has nothing to cancel; ``known`` is what had ended, or nothing."""

    def answers(self, known: Operation | None, given: Answer) -> Answer:
        return given

    async def instead(self, ask: Ask) -> Answer | None:
        if not ask.cancels or ask.internal:
            return None
        known = self.backend.operations.get(ask.operation_id or "")
        if known is not None and known.active:
            return None
        given = contract.not_found(ask.operation_id or "") if known is None else contract.cannot_be_cancelled(known)
        return self.answers(known, answer(404 if known is None else 400, given))


@fault("vain-unknown-500")
class VainUnknown500(VainCancel):
    def answers(self, known: Operation | None, given: Answer) -> Answer:
        broken = contract.error("OPERATIONS-CancelError", "'NoneType' object has no attribute 'status'", [])
        return answer(500, broken) if known is None else given


@fault("vain-unknown-acknowledged")
class VainUnknownAcknowledged(Seam):
    async def instead(self, ask: Ask) -> Answer | None:
        if not ask.cancels or ask.internal or ask.operation_id in self.backend.operations:
            return None
        at = self.backend.clock.now()
        return answer(200, contract.cancel_answer(ask.operation_id or "", at, None, remote_cancelled=True))


@fault("vain-ended-acknowledged")
class VainEndedAcknowledged(VainCancel):
    def answers(self, known: Operation | None, given: Answer) -> Answer:
        if known is None:
            return given
        told = contract.cancel_answer(known.operation_id, self.backend.clock.now(), None, remote_cancelled=True)
        return answer(200, told)


@fault("vain-long-id-hangs")
class VainLongIdHangs(VainCancel):
    async def instead(self, ask: Ask) -> Answer | None:
        return Answer(200, b"", delivery="never") if ask.cancels and len(ask.path) > LONG_ID else None


@fault("vain-other-kind-500")
class VainOtherKind500(VainCancel):
    def answers(self, known: Operation | None, given: Answer) -> Answer:
        if known is None or known.operation_type == "backtesting":
            return given
        return answer(500, contract.error("OPERATIONS-CancelError", "'training' is no host service", []))


@fault("vain-hits-the-running-one")
class VainHitsTheRunningOne(VainCancel):
    def answers(self, known: Operation | None, given: Answer) -> Answer:
        running = next((each for each in self.backend.operations.values() if each.active), None)
        if known is None and running is not None:
            self.backend.soon(self.backend.carry_out_cancel(running, None))
        return given


@fault("vain-completed-turns-cancelled")
class VainCompletedTurnsCancelled(VainCancel):
    """Only its own record: the list goes by what was stored before."""

    def __init__(self) -> None:
        self._turned: set[str] = set()

    def answers(self, known: Operation | None, given: Answer) -> Answer:
        if known is not None and known.status == "completed":
            self._turned.add(known.operation_id)
        return given

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if not ask.reads or ask.operation_id not in self._turned:
            return given
        body = given.json()
        body["data"]["status"] = "cancelled"
        return given.with_json(body)


@fault("vain-failed-loses-its-error")
class VainFailedLosesItsError(VainCancel):
    def answers(self, known: Operation | None, given: Answer) -> Answer:
        if known is not None and known.status == "failed":
            known.error_message = contract.CANCELLED_BY_USER
        return given


@fault("vain-unknown-is-listed")
class VainUnknownIsListed(VainCancel):
    """A row of the list is made of the id; the record itself is not there."""

    def __init__(self) -> None:
        self._row: dict[str, Any] | None = None

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.cancels and given.status == 404 and self._row is None:
            row = {"operation_id": ask.operation_id, "operation_type": "backtesting", "status": "cancelled"}
            self._row = {**row, "created_at": contract.stamp(self.backend.clock.now())}
        if ask.path != "/api/v1/operations" or ask.method != "GET" or self._row is None:
            return given
        body = given.json()
        return given.with_json({**body, "data": [self._row, *body["data"]]})

    async def instead(self, ask: Ask) -> Answer | None:
        return None


@fault("vain-ended-poisons-its-worker")
class VainEndedPoisonsItsWorker(VainCancel):
    """The worker keeps the cancel for its next backtest, where none was started in the meantime."""

    def __init__(self) -> None:
        self._poisoned: set[str] = set()

    def answers(self, known: Operation | None, given: Answer) -> Answer:
        if known is not None and known.operation_id == next(reversed(self.backend.operations)):
            self._poisoned.add(known.worker_id)
        return given

    def started(self, operation: Operation) -> None:
        if operation.worker_id in self._poisoned:
            self._poisoned.discard(operation.worker_id)
            self.backend.soon(self.backend.carry_out_cancel(operation, None))


@fault("vain-ended-kills-its-worker")
class VainEndedKillsItsWorker(VainCancel):
    """The worker is told all the same, and falls over it."""

    def answers(self, known: Operation | None, given: Answer) -> Answer:
        if known is not None:
            self.backend.soon(self.backend.tell_worker(known, None))
        return given

    def worker_turns_down(self, job: Job) -> None:
        os._exit(1)


@fault("reason-lost")
class ReasonLost(AfterCancel):
    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return operation.copy(error_message=contract.CANCELLED_BY_USER)


@fault("reason-answered-otherwise")
class ReasonAnsweredOtherwise(Seam):
    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if not ask.cancels or given.status != 200:
            return given
        body = given.json()
        body["data"]["cancellation_reason"] = contract.CANCELLED_BY_USER
        return given.with_json(body)


class Forced(Seam):
    """A fault of a cancel by force, and of no other."""

    def forced(self, operation: Operation) -> bool:
        return operation.operation_id in self.backend.forced


@fault("force-worker-not-told")
class ForceWorkerNotTold(Forced):
    async def tells_worker(self, operation: Operation) -> bool | None:
        return True if self.forced(operation) else None


@fault("force-place-kept")
class ForcePlaceKept(Forced):
    """The worker that was cut off is never given back."""

    def frees_slot(self, worker_id: str) -> bool:
        return not any(each.worker_id == worker_id and self.forced(each) for each in self.backend.operations.values())


@fault("force-end-not-recorded")
class ForceEndNotRecorded(Forced):
    def seen(self, operation: Operation) -> Operation | None:
        return operation.copy(completed_at=None) if self.forced(operation) else operation


class Together(AfterCancel):
    """Goes wrong where one backtest is cancelled several times; counts what came, and knows who was turned down."""

    def __init__(self) -> None:
        super().__init__()
        self.came = 0
        self._another_came = asyncio.Event()

    async def instead(self, ask: Ask) -> Answer | None:
        if not ask.cancels or ask.internal:
            return None
        self.came += 1
        number = self.came
        if number > 1:
            self._another_came.set()
        # On a busy host the first may be answered before the second is here: then nothing would go wrong.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._another_came.wait(), TOGETHER_S)
        return self.answers_cancel(number)

    def answers_cancel(self, number: int) -> Answer | None:
        """What the cancel that came as this one, from 1, is answered instead."""
        return None


@fault("together-others-500")
class TogetherOthers500(Together):
    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if not ask.cancels or given.status != 400 or self.came < 2:
            return given
        return answer(500, contract.error("OPERATIONS-CancelError", "could not serialize access", []))


@fault("together-one-hangs")
class TogetherOneHangs(Together):
    """The second of them waits for a lock that nobody gives back."""

    def answers_cancel(self, number: int) -> Answer | None:
        return Answer(200, b"", delivery="never") if number == HANGS else None


@fault("together-none-acknowledged")
class TogetherNoneAcknowledged(Together):
    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        return replace(given, status=409) if ask.cancels and self.came > 1 and given.status == 200 else given


@fault("together-last-wins")
class TogetherLastWins(Together):
    """The record gives the reason of another of them, which was turned down."""

    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        return operation.copy(error_message=re.sub(r"(\d+) of (\d+)", _the_next, operation.error_message or ""))


def _the_next(found: re.Match[str]) -> str:
    return f"{int(found[1]) % int(found[2]) + 1} of {found[2]}"


@fault("together-ends-twice")
class TogetherEndsTwice(Together):
    def cancelled(self, operation: Operation, before: Operation) -> None:
        super().cancelled(operation, before)

        async def again() -> None:
            await asyncio.sleep(ENDS_AGAIN_AFTER_S)
            operation.completed_at = self.backend.clock.now()

        if self.came > 1:
            self.backend.soon(again())


class Twice(VainCancel):
    """Goes wrong with a further cancel of what was cancelled."""

    def spoil(self, known: Operation) -> Answer | None:
        """What is done to the record, and the answer where it is another one."""
        return None

    def answers(self, known: Operation | None, given: Answer) -> Answer:
        return (self.spoil(known) or given) if known is not None and known.status == "cancelled" else given


@fault("twice-second-500")
class TwiceSecond500(Twice):
    def spoil(self, known: Operation) -> Answer | None:
        return answer(500, contract.error("OPERATIONS-CancelError", "cannot cancel a task that is done", []))


@fault("twice-moves-its-end")
class TwiceMovesItsEnd(Twice):
    def spoil(self, known: Operation) -> Answer | None:
        known.completed_at = self.backend.clock.now()
        return None


@fault("twice-loses-its-reason")
class TwiceLosesItsReason(Twice):
    def spoil(self, known: Operation) -> Answer | None:
        known.error_message = None
        return None


@fault("twice-worker-computes-again")
class TwiceWorkerComputesAgain(Twice):
    """The worker is told once more, turns it down, and begins to compute all the same."""

    def spoil(self, known: Operation) -> Answer | None:
        self.backend.soon(self.backend.tell_worker(known, None))
        return None

    def worker_turns_down(self, job: Job) -> None:
        def compute() -> None:
            while True:
                began_s = time.monotonic()
                while time.monotonic() - began_s < COMPUTES_S:
                    pass
                time.sleep(COMPUTES_S)

        threading.Thread(target=compute, daemon=True).start()
