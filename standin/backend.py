"""The backend: takes orders, dispatches them to workers over HTTP, follows and cancels them."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from standin import contract
from standin.bodies import Registration, StartRequest
from standin.contract import Operation
from standin.engine import Order
from standin.log import Log
from standin.memory import Memory
from standin.metrics import Metrics
from standin.recovery import Recovery
from standin.registry import Registry, WorkerRecord
from standin.remote import RemoteError, call
from standin.seams import Seam
from standin.settings import Settings

HEALTH_CHECK_EVERY_S = 2.0
"""Where no `registry_loop_s` says otherwise."""
FIRST_REFRESH_AFTER_S = 0.02
TRY_AGAIN_S = 0.05


class NoWorkerFreeError(Exception):
    """Every worker is busy, or there is none."""


class Backend:
    """The backend's memory and what it does; `backend_api.application` puts it behind HTTP."""

    def __init__(self, settings: Settings, seams: Seam, log: Log) -> None:
        self.settings = settings
        self.seams = seams
        self.log = log
        self.clock = contract.Clock(settings.clock_skew_s)
        self.metrics = Metrics()
        self.registry = Registry(settings.worker_word, settings.several_at_once)
        self.operations: dict[str, Operation] = {}
        self.all_registered = asyncio.Event()
        self.close_for: Callable[[float], None] = lambda closed_s: None
        """Shuts the door to everyone for a while; whoever serves the backend puts it here."""
        self.forced: set[str] = set()
        """Operations whose cancel was asked for by force, which changes nothing."""
        self._began = time.monotonic()
        self._cancelling: set[str] = set()
        """Operations of which a cancel is under way."""
        self._telling: set[str] = set()
        """Those of them whose worker is being told: what it says meanwhile is not taken over."""
        self._releasing: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._logged: dict[str, tuple[str, Any]] = {}
        self._recovery = Recovery(self, Memory(settings.home_directory))
        seams.attached_to_backend(self)

    def soon(self, work: Any) -> None:
        """Run a coroutine in the background for as long as the backend lives."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def register(self, worker: Registration, *, known: bool = False) -> None:
        """Take a worker into the registry; `known`: from a backend before this one."""
        if not known:
            self._recovery.keep(worker)
            self.log.write("worker registered", worker_id=worker.worker_id, worker_type=worker.worker_type)
        now = self.clock.now()
        self.registry.add(WorkerRecord(worker.worker_id, worker.worker_type, worker.url, worker.endpoint_url, now, now))
        if len(self.registry.workers) >= self.settings.workers:
            self.all_registered.set()
        self._count_workers()

    # Starting.

    async def start(
        self, wanted: StartRequest, worker_id: str | None = None, parent_id: str | None = None
    ) -> Operation:
        """Have a free worker, or that worker, run a backtest.

        Raises `NoWorkerFreeError`, or `RemoteError` if the worker is gone.
        """
        order = Order(contract.new_operation_id(self.clock.now()), **wanted.model_dump())
        refused: set[str] = set()
        while True:
            worker = self.registry.take(order.operation_id, worker_id)
            if worker is None or worker.worker_id in refused:
                raise NoWorkerFreeError
            operation = Operation(order, self.clock.now(), worker.worker_id, parent_id=parent_id)
            self.operations[order.operation_id] = operation
            try:
                status, body = await call("POST", f"{worker.url}/backtests/start", dataclasses.asdict(order))
            except RemoteError:
                del self.operations[order.operation_id]
                self.registry.give_back(worker.worker_id, order.operation_id)
                raise
            if status == 200:
                operation.remote_id = body["operation_id"]
                break
            # The worker knows better than the registry that it is busy: try another one.
            del self.operations[order.operation_id]
            refused.add(worker.worker_id)
            worker.current_operation_id = "unknown"
        self.note(operation)
        self._recovery.keep(operation)
        self.metrics.active.inc()
        self.seams.started(operation)
        self.soon(self.follow(operation))
        self._count_workers()
        return operation

    def order_again(self, operation: Operation) -> StartRequest:
        """An order for the same backtest."""
        asked = dataclasses.asdict(operation.order)
        return StartRequest(**{name: asked[name] for name in StartRequest.model_fields})

    async def start_when_free(
        self, wanted: StartRequest, worker_id: str | None = None, parent_id: str | None = None
    ) -> Operation:
        """The same, as soon as a worker is free."""
        while True:
            try:
                return await self.start(wanted, worker_id, parent_id)
            except (NoWorkerFreeError, RemoteError):
                await asyncio.sleep(TRY_AGAIN_S)

    # Following.

    async def follow(self, operation: Operation) -> None:
        """Fetch the worker's word on an operation again and again until it has ended."""
        await asyncio.sleep(FIRST_REFRESH_AFTER_S)
        while operation.active:
            if operation.operation_id not in self._telling and self.seams.follows_worker(operation):
                await self.refresh(operation)
            if operation.active:
                await asyncio.sleep(self.settings.refresh_s)

    def _at_worker(self, operation: Operation) -> str:
        """The address of the worker's own record of an operation."""
        worker = self.registry.worker(operation.worker_id)
        assert worker is not None
        return f"{worker.url}/api/v1/operations/{operation.remote_id}"

    async def worker_says(self, operation: Operation) -> dict[str, Any] | None:
        """The worker's own record of an operation, or None where it cannot be had."""
        try:
            status, body = await call("GET", self._at_worker(operation), timeout_s=2.0)
        except RemoteError as problem:
            self.log.write("worker not reached", operation.operation_id, problem=str(problem))
            return None
        if status == 404:
            self._recovery.lost(operation, "Operation was lost when its worker was restarted")
        return body["data"] if status == 200 else None

    async def refresh(self, operation: Operation) -> None:
        """Take over what the worker says of an operation now."""
        said = await self.worker_says(operation)
        if said is None or not operation.active or operation.operation_id in self._telling:
            return
        operation.started_at = _time(said["started_at"])
        operation.percentage = said["progress"]["percentage"]
        operation.current_step = said["progress"]["current_step"]
        if said["status"] in contract.ACTIVE:
            operation.status = said["status"]
            self.note(operation)
        else:
            operation.result_summary = said["result_summary"]
            self.end(operation, said["status"], said["progress"]["percentage"], said["error_message"])

    def end(self, operation: Operation, status: str, percentage: Any, message: str | None) -> None:
        """An operation has reached a final status; its worker's slot is freed when the registry notices."""
        operation.end(status, self.clock.now(), percentage, message)
        self._recovery.keep(operation)
        self.note(operation)
        self.metrics.active.dec()
        self.metrics.ended(status)
        if self.settings.registry_loop_s == 0:
            self.soon(self._release(operation))

    async def _release(self, operation: Operation) -> None:
        self._releasing.add(operation.worker_id)
        await asyncio.sleep(self.settings.registry_lag_s)
        self._releasing.discard(operation.worker_id)
        if self.seams.frees_slot(operation.worker_id):
            if self.registry.give_back(operation.worker_id, operation.operation_id):
                self.log.write("worker available", operation.operation_id, worker_id=operation.worker_id)
            self._count_workers()

    def note(self, operation: Operation) -> None:
        """Log an operation's status and percentage if they have changed since the last time."""
        now = (operation.status, operation.percentage)
        before = self._logged.get(operation.operation_id, (None, None))
        if now != before:
            self._logged[operation.operation_id] = now
            event = "status" if now[0] != before[0] else "progress"
            self.log.write(event, operation.operation_id, status=now[0], percentage=now[1])

    # Cancelling.

    async def cancel(self, operation: Operation, reason: str | None) -> tuple[int, dict[str, Any]]:
        """Cancel an operation: HTTP status and body of the answer."""
        if not operation.active:
            return 400, contract.cannot_be_cancelled(operation)
        if operation.operation_id in self._cancelling:
            text = f"Failed to cancel operation {operation.operation_id}: a cancel is under way"
            return 400, contract.error("OPERATIONS-CancelFailed", text, [])
        self.log.write("cancel received", operation.operation_id, reason=reason)
        at = self.clock.now()
        if not await self.seams.takes_effect(operation):
            return 200, contract.cancel_answer(operation.operation_id, at, reason, remote_cancelled=True)
        self._cancelling.add(operation.operation_id)
        if self.settings.cancel_answers_at_once:
            self.soon(self.carry_out_cancel(operation, reason))
            return 200, contract.cancel_answer(operation.operation_id, at, reason, remote_cancelled=True)
        told = await self.carry_out_cancel(operation, reason)
        if operation.status != "cancelled":
            return 400, contract.cannot_be_cancelled(operation)
        children = [each.operation_id for each in self.children(operation) if each.status == "cancelled"]
        return 200, contract.cancel_answer(operation.operation_id, operation.completed_at or at, reason, told, children)

    async def carry_out_cancel(self, operation: Operation, reason: str | None) -> bool:
        """Tell the worker, then call the operation cancelled in any case. Says whether it was told."""
        self._cancelling.add(operation.operation_id)
        try:
            if self.settings.cancel_dawdles_s > 0:
                await asyncio.sleep(self.settings.cancel_dawdles_s)
                if not operation.active:
                    return False  # it has ended by itself in the meantime
            self._telling.add(operation.operation_id)
            before = operation.copy()
            told = await self.seams.tells_worker(operation)
            if told is None:
                told = await self.tell_worker(operation, reason)
        finally:
            self._cancelling.discard(operation.operation_id)
            self._telling.discard(operation.operation_id)
        if told is False and operation.active and self.seams.follows_worker(operation):
            await self.refresh(operation)  # it may have ended by itself in the meantime
        if operation.active:
            percentage = operation.percentage if self.settings.keeps_progress else 0.0
            self.end(operation, "cancelled", percentage, reason or contract.CANCELLED_BY_USER)
            self.seams.cancelled(operation, before)
            if not self.seams.spares_children():
                for child in self.children(operation):
                    if child.active:
                        await self.carry_out_cancel(child, "Parent operation cancelled")
        return told

    def children(self, operation: Operation) -> list[Operation]:
        """The operations that were begun for another one."""
        return [each for each in self.operations.values() if each.parent_id == operation.operation_id]

    async def tell_worker(self, operation: Operation, reason: str | None) -> bool:
        """Have the worker cancel an operation, and wait until it has. Says whether it did."""
        within_s = self.settings.cancel_takes_s + 5.0
        try:
            status, _ = await call("DELETE", self._at_worker(operation), {"reason": reason}, within_s)
        except RemoteError as problem:
            self.log.write("worker not told", operation.operation_id, problem=str(problem))
            return False
        return status == 200

    # Telling.

    def shown(self) -> list[Operation]:
        """All operations as the backend shows them, newest first."""
        seen = map(self.seams.seen, self.operations.values())
        known = [operation for operation in seen if operation is not None]
        return sorted(known, key=lambda each: each.created_at, reverse=True)

    def no_worker(self) -> dict[str, Any]:
        """The answer when no worker is free."""
        word = self.settings.worker_word
        return contract.no_worker(len(self.registry.of_type(word)), time.monotonic() - self._began, word)

    # Looking after workers.

    async def check_workers(self) -> None:
        """Ask every worker for its health, for ever; nobody knows in which moment of its round a loop is met."""
        every_s = self.settings.registry_loop_s or HEALTH_CHECK_EVERY_S
        await asyncio.sleep(random.uniform(0.0, every_s))
        while True:
            if self.seams.checks_workers():
                await asyncio.gather(*(self._check(each) for each in self.registry.workers.values()))
                self._count_workers()
            await asyncio.sleep(every_s)

    async def _check(self, worker: WorkerRecord) -> None:
        try:
            status, body = await call("GET", f"{worker.url}/health", timeout_s=2.0)
        except RemoteError:
            status, body = 0, None
        self.registry.checked(worker, status == 200, self.clock.now())
        if status != 200 or worker.worker_id in self._releasing:
            return
        working_on, held_by = body["current_operation"], worker.current_operation_id
        if working_on is not None and held_by is None:
            known = (each.operation_id for each in self.operations.values() if each.remote_id == working_on)
            worker.status, worker.current_operation_id = "busy", next(known, working_on)
        elif working_on is None and held_by is not None and self.seams.frees_slot(worker.worker_id):
            holder = self.operations.get(held_by)
            if holder is None or not holder.active:
                self.registry.give_back(worker.worker_id, held_by)

    def _count_workers(self) -> None:
        workers = self.registry.of_type(self.settings.worker_word)
        word = self.settings.worker_word
        self.metrics.registered.labels(worker_type=word).set(len(workers))
        self.metrics.available.labels(worker_type=word).set(sum(each.status == "available" for each in workers))


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
