"""Who else uses the platform, today and before: other people's backtests, as real as everyone's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from standin import contract
from standin.contract import Operation
from standin.engine import Order
from standin.seams import Seam
from standin.settings import Settings

if TYPE_CHECKING:
    from standin.bodies import StartRequest
    from standin.reach import Backend

CAPITAL = 50_000.0
"""What visitors trade with; it tells their backtests from everybody else's."""
EARLIER_EVERY = timedelta(minutes=20)
ENDS = ("completed", "cancelled", "failed", "completed")
TWIN_AFTER_S, NEWCOMER_AFTER_S, OWN_CANCEL_AFTER_S = 0.2, 0.5, 1.5
CHILD_YEARS = 5


def seams(settings: Settings) -> Iterator[Seam]:
    """The visitors that the settings ask for."""
    if settings.old_operations:
        yield EarlierDays(settings.old_operations)
    if settings.old_trainings:
        yield EarlierDays(settings.old_trainings, "training")
    if settings.children:
        yield Families()
    if settings.neighbour:
        yield Neighbour()
    if settings.visitor:
        yield {"twin": Twin, "newcomer": Newcomer, "cancels-before": CancelsBefore, "cancels-after": CancelsAfter}[
            settings.visitor
        ]()


def order(start: str, end: str, capital: float = CAPITAL) -> StartRequest:
    """An order for daily bars from one day to another."""
    from standin.bodies import StartRequest  # brings pydantic with it: only in the backend's process

    return StartRequest(
        model_path="models/neuro_mean_reversion/1d_v21",
        strategy_name="neuro_mean_reversion",
        symbol="EURUSD",
        timeframe="1d",
        start_date=start,
        end_date=end,
        initial_capital=capital,
    )


def is_visitors(operation: Operation) -> bool:
    """Whether a backtest is one of theirs."""
    return operation.order.initial_capital == CAPITAL


class EarlierDays(Seam):
    """The backend remembers much of earlier days. All of it has ended, in one way or another."""

    def __init__(self, count: int, operation_type: str = "backtesting") -> None:
        self._count = count
        self._type = operation_type

    def attached_to_backend(self, backend: Backend) -> None:
        super().attached_to_backend(backend)
        for earlier in earlier_operations(self._count, backend.clock.now(), self._type):
            backend.operations[earlier.operation_id] = earlier


def earlier_operations(count: int, now: datetime, operation_type: str = "backtesting") -> Iterator[Operation]:
    """So many operations of the days before `now`, the oldest first."""
    for number in range(count, 0, -1):
        began = now - timedelta(days=1) - number * EARLIER_EVERY
        asked = Order(
            contract.new_operation_id(began, operation_type), "models/neuro_mean_reversion/1d_v21", "neuro_mean_reversion",
            "EURUSD", "1d", "2020-01-01", "2020-12-31",
        )  # fmt: skip
        earlier = Operation(asked, began, "backtest-worker-1", started_at=began, operation_type=operation_type)
        status = ENDS[number % len(ENDS)]
        message = {"cancelled": contract.CANCELLED_BY_USER, "failed": "Backtest failed: out of memory"}.get(status)
        earlier.end(status, began + timedelta(seconds=7), 100.0 if status == "completed" else 0.0, message)
        yield earlier


class Families(Seam):
    """Every backtest has a child, which runs over the years before it, and is cancelled with it."""

    def started(self, operation: Operation) -> None:
        if operation.parent_id is None:
            self.backend.soon(self._beget(operation))

    async def _beget(self, parent: Operation) -> None:
        first = datetime.fromisoformat(parent.order.start_date)
        start, end = first.replace(year=first.year - CHILD_YEARS), first - timedelta(days=1)
        wanted = order(f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}", parent.order.initial_capital)
        await self.backend.start_when_free(wanted, parent_id=parent.operation_id)


class Neighbour(Seam):
    """Somebody else's backtest: started at launch, and again whenever it has ended."""

    def attached_to_backend(self, backend: Backend) -> None:
        super().attached_to_backend(backend)
        backend.soon(self._live())

    async def _live(self) -> None:
        await self.backend.all_registered.wait()
        while True:
            operation = await self.backend.start_when_free(order("2000-01-01", "2022-12-31"))
            self.backend.log.write("neighbour", operation.operation_id)
            while operation.active:
                await asyncio.sleep(0.1)
            await asyncio.sleep(self.backend.settings.registry_lag_s + 0.1)


class Twin(Seam):
    """Somebody else starts the very same backtest, right after the first one that is started."""

    came = False

    def started(self, operation: Operation) -> None:
        if not (self.came or is_visitors(operation)):
            self.came = True
            self.backend.soon(self._copy(operation.order))

    async def _copy(self, asked: Order) -> None:
        await asyncio.sleep(TWIN_AFTER_S)
        wanted = order(asked.start_date, asked.end_date)
        same = {"symbol": asked.symbol, "timeframe": asked.timeframe, "model_path": asked.model_path}
        same["strategy_name"] = asked.strategy_name
        await self.backend.start_when_free(wanted.model_copy(update=same))


class Newcomer(Seam):
    """Somebody else starts a backtest over other dates, right after each cancel."""

    def cancelled(self, operation: Operation, before: Operation) -> None:
        self.backend.soon(self._come())

    async def _come(self) -> None:
        await asyncio.sleep(NEWCOMER_AFTER_S)
        await self.backend.start_when_free(order("2010-01-01", "2013-12-31"))


class CancelsAfter(Neighbour):
    """The neighbour cancels his own backtest a while after somebody else's was cancelled."""

    def cancelled(self, operation: Operation, before: Operation) -> None:
        if not is_visitors(operation):
            self.backend.soon(self._cancel())

    after_s = OWN_CANCEL_AFTER_S

    async def _cancel(self) -> None:
        await asyncio.sleep(self.after_s)
        for operation in list(self.backend.operations.values()):
            if is_visitors(operation) and operation.active:
                await self.backend.cancel(operation, "not needed any more")


class CancelsBefore(CancelsAfter):
    """The neighbour cancels his own backtest as soon as somebody else's is first started."""

    after_s = 0.0
    _has_cancelled = False

    def started(self, operation: Operation) -> None:
        if not (is_visitors(operation) or self._has_cancelled):
            self._has_cancelled = True
            self.backend.soon(self._cancel())

    def cancelled(self, operation: Operation, before: Operation) -> None:
        """Not then."""
