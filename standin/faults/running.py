"""A backtest that runs strangely, or not at all."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter, defaultdict
from typing import Any

from standin import contract
from standin.contract import Operation
from standin.faults.known import fault
from standin.seams import Answer, Ask, Seam, answer

ANSWERED_AFTER_S = 0.05
VANISHES_AT = 1.0
"""Percentage at which an operation is forgotten."""


class StrangePercentage(Seam):
    """Shows another percentage while an operation runs."""

    def percentage(self, true: float) -> object:
        raise NotImplementedError

    def seen(self, operation: Operation) -> Operation | None:
        if operation.status != "running":
            return operation
        return operation.copy(percentage=self.percentage(operation.percentage))


@fault("running-stays-pending")
class StaysPending(Seam):
    def follows_worker(self, operation: Operation) -> bool:
        return False


@fault("running-stays-at-zero")
class StaysAtZero(StrangePercentage):
    def percentage(self, true: float) -> object:
        return 0.0


@fault("running-percentage-null")
class PercentageNull(StrangePercentage):
    def percentage(self, true: float) -> object:
        return None


@fault("running-percentage-text")
class PercentageText(StrangePercentage):
    def percentage(self, true: float) -> object:
        return f"{true:.0f} percent"


@fault("running-percentage-negative")
class PercentageNegative(StrangePercentage):
    def percentage(self, true: float) -> object:
        return true - 101.0


@fault("running-percentage-above-100")
class PercentageAbove100(StrangePercentage):
    def percentage(self, true: float) -> object:
        return true + 101.0


@fault("running-percentage-falling")
class PercentageFalling(StrangePercentage):
    def percentage(self, true: float) -> object:
        return 99.0 - 0.9 * true


@fault("running-unknown-status")
class UnknownStatus(Seam):
    def seen(self, operation: Operation) -> Operation | None:
        return operation.copy(status="executing") if operation.status == "running" else operation


@fault("running-done-before-cancel")
class DoneBeforeCancel(Seam):
    def hurries(self) -> bool:
        return True


@fault("running-fails-before-cancel")
class FailsBeforeCancel(Seam):
    async def instead(self, ask: Ask) -> Answer | None:
        operation = self.backend.operations.get(ask.operation_id or "")
        if ask.cancels and operation is not None and operation.active:
            self.backend.end(operation, "failed", 0.0, "Backtest failed: data feed lost")
            await self.backend.tell_worker(operation, None)
        return None


@fault("running-vanishes")
class Vanishes(Seam):
    def __init__(self) -> None:
        self._gone: set[str] = set()

    def seen(self, operation: Operation) -> Operation | None:
        if operation.percentage > VANISHES_AT:
            self._gone.add(operation.operation_id)
        return None if operation.operation_id in self._gone else operation

    async def instead(self, ask: Ask) -> Answer | None:
        known = ask.operation_id
        return answer(404, contract.not_found(known)) if known is not None and known in self._gone else None


class OddReadings(Seam):
    """Changes what a running backtest's record says, by what was read of it so far and not by the clock.

    What goes by the clock may fall into the readings' step, and is not seen then.
    """

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if not ask.reads or ask.internal or given.status != 200:
            return given
        body = given.json()
        if body["data"]["status"] != "running":
            return given
        self.change(ask.operation_id or "", body["data"])
        return given.with_json(body)

    def change(self, operation_id: str, record: dict[str, Any]) -> None:
        raise NotImplementedError


@fault("running-flickers")
class Flickers(OddReadings):
    """Of three readings of a running backtest two say pending."""

    def __init__(self) -> None:
        self._readings: Counter[str] = Counter()

    def change(self, operation_id: str, record: dict[str, Any]) -> None:
        self._readings[operation_id] += 1
        if self._readings[operation_id] % 3 != 1:
            record["status"] = "pending"


@fault("running-percentage-lost")
class PercentageLost(OddReadings):
    """Whoever has read two percentages of a running backtest reads none from then on."""

    def __init__(self) -> None:
        self._read: dict[str, set[float]] = defaultdict(set)

    def change(self, operation_id: str, record: dict[str, Any]) -> None:
        read, progress = self._read[operation_id], record["progress"]
        if progress["percentage"] and len(read) < 2:
            read.add(progress["percentage"])
        elif progress["percentage"]:
            progress["percentage"] = None


class UnderWay(Seam):
    """Does something to the backend as soon as it has shown a backtest under way."""

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        operation = self.backend.operations.get(ask.operation_id or "")
        if ask.reads and operation is not None and operation.status == "running" and operation.percentage > 0:
            asyncio.get_running_loop().call_later(ANSWERED_AFTER_S, self.happens)
        return given

    def happens(self) -> None:
        raise NotImplementedError


@fault("running-backend-dies")
class BackendDies(UnderWay):
    def happens(self) -> None:
        os._exit(70)


@fault("running-backend-hangs")
class BackendHangs(UnderWay):
    def happens(self) -> None:
        threading.Event().wait()


@fault("running-places-never-freed")
class PlacesNeverFreed(Seam):
    def frees_slot(self, worker_id: str) -> bool:
        return False
