"""The backend: takes orders, dispatches them to workers over HTTP, follows and cancels them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import time
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, field_validator

from standin import contract, market
from standin.contract import Operation
from standin.engine import Order
from standin.log import Log
from standin.metrics import Metrics
from standin.registry import Registry, WorkerRecord
from standin.remote import RemoteError, call
from standin.seams import Seam
from standin.settings import Settings

HEALTH_CHECK_EVERY_S = 2.0
"""Where no `registry_loop_s` says otherwise."""
FIRST_REFRESH_AFTER_S = 0.02
TRY_AGAIN_S = 0.05


class StartRequest(BaseModel):
    """The body of a start request."""

    model_path: str
    strategy_name: str
    symbol: str
    timeframe: str
    start_date: str
    end_date: str
    initial_capital: float = 100_000.0
    commission: float = 0.001
    slippage: float = 0.0005

    @field_validator("model_path", "strategy_name", "symbol", "timeframe")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("Field cannot be empty")
        return value

    @field_validator("start_date", "end_date")
    @classmethod
    def _a_date(cls, value: str) -> str:
        try:
            return date.fromisoformat(value[:10]).isoformat()
        except ValueError:
            raise ValueError(f"Invalid date format. Use YYYY-MM-DD: {value}") from None

    @field_validator("initial_capital")
    @classmethod
    def _positive(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("Initial capital must be positive")
        return value


class CancelRequest(BaseModel):
    """The optional body of a cancel."""

    reason: str | None = None
    force: bool = False


class RangeRequest(BaseModel):
    """The body of a question for the range of the data."""

    symbol: str
    timeframe: str


class Registration(BaseModel):
    """What a worker says of itself when it starts."""

    worker_id: str
    worker_type: str
    url: str
    endpoint_url: str


class NoWorkerFreeError(Exception):
    """Every worker is busy, or there is none."""


class Backend:
    """The backend's memory and what it does; `application` puts it behind HTTP."""

    def __init__(self, settings: Settings, seams: Seam, log: Log) -> None:
        self.settings = settings
        self.seams = seams
        self.log = log
        self.clock = contract.Clock(settings.clock_skew_s)
        self.metrics = Metrics()
        self.registry = Registry(settings.worker_word)
        self.operations: dict[str, Operation] = {}
        self.all_registered = asyncio.Event()
        self.close_for: Callable[[float], None] = lambda closed_s: None
        """Shuts the door to everyone for a while; whoever serves the backend puts it here."""
        self._began = time.monotonic()
        self._cancelling: set[str] = set()
        """Operations of which a cancel is under way."""
        self._telling: set[str] = set()
        """Those of them whose worker is being told: what it says meanwhile is not taken over."""
        self._releasing: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._logged: dict[str, tuple[str, Any]] = {}
        seams.attached_to_backend(self)

    @property
    def uptime_s(self) -> float:
        return time.monotonic() - self._began

    def soon(self, work: Any) -> None:
        """Run a coroutine in the background for as long as the backend lives."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def register(self, worker: Registration) -> None:
        """Take a worker into the registry."""
        now = self.clock.now()
        self.registry.add(WorkerRecord(worker.worker_id, worker.worker_type, worker.url, worker.endpoint_url, now, now))
        self.log.write("worker registered", worker_id=worker.worker_id, worker_type=worker.worker_type)
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
        self.metrics.active.inc()
        self.seams.started(operation)
        self.soon(self._follow(operation))
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

    async def _follow(self, operation: Operation) -> None:
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
        return contract.no_worker(len(self.registry.of_type(word)), self.uptime_s, word)

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


def application(backend: Backend) -> FastAPI:
    """The backend's HTTP interface."""
    app = FastAPI(title="KTRDR stand-in", openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None)
    _answer_errors(app)
    _add_operations(app, backend)
    _add_workers(app, backend)
    _add_catalogue(app, backend)

    @app.get("/api/v1/health")
    async def health() -> Any:
        return contract.backend_health(backend.clock.now())

    @app.get("/metrics/")
    async def metrics() -> Response:
        return Response(backend.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, problem: RequestValidationError) -> JSONResponse:
        return JSONResponse(contract.validation_error(list(problem.errors())), 422)


def _add_operations(app: FastAPI, backend: Backend) -> None:
    @app.post("/api/v1/backtests/start")
    async def start(wanted: StartRequest) -> Any:
        try:
            operation = await backend.start(wanted)
        except NoWorkerFreeError:
            return JSONResponse(backend.no_worker(), 503)
        except RemoteError as problem:
            backend.log.write("dispatch failed", problem=str(problem))
            return JSONResponse(contract.detail("Failed to start backtest: worker not reached"), 500)
        return contract.start_answer(operation.order)

    @app.get("/api/v1/operations")
    async def operations(
        operation_type: str | None = None,
        active_only: bool = False,
        status: str | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> Any:
        chosen = [
            each
            for each in backend.shown()
            if operation_type in (None, "backtesting")
            and (not active_only or each.active)
            and status in (None, each.status)
        ]
        rows = [backend.seams.row(contract.operation_row(each)) for each in chosen]
        shown = [row for row in rows if row is not None]
        active = sum(each.active for each in chosen)
        return contract.operation_list(shown[offset : offset + limit], len(shown), active)

    @app.get("/api/v1/operations/{operation_id}")
    async def operation(operation_id: str) -> Any:
        known = backend.operations.get(operation_id)
        seen = None if known is None else backend.seams.seen(known)
        if seen is None:
            return JSONResponse(contract.not_found(operation_id), 404)
        return contract.operation_view(seen)

    @app.delete("/api/v1/operations/{operation_id}")
    async def cancel(operation_id: str, wanted: CancelRequest | None = None) -> Any:
        known = backend.operations.get(operation_id)
        if known is None:
            return JSONResponse(contract.not_found(operation_id), 404)
        status, body = await backend.cancel(known, wanted.reason if wanted else None)
        return JSONResponse(body, status)


def _add_workers(app: FastAPI, backend: Backend) -> None:
    @app.get("/api/v1/workers")
    async def workers(worker_type: str | None = None) -> Any:
        words = [backend.settings.worker_word, *contract.WORKER_TYPES[1:]]
        if worker_type not in (None, *words):
            listed = ", ".join(f"'{word}'" for word in words[:-1]) + f" or '{words[-1]}'"
            problem = {"loc": ("query", "worker_type"), "msg": f"Input should be {listed}", "type": "enum"}
            return JSONResponse(contract.validation_error([problem]), 422)
        listed_workers = [each.view(backend.settings) for each in backend.registry.of_type(worker_type)]
        return {"workers": listed_workers} if backend.settings.workers_shape == "wrapped" else listed_workers

    @app.post("/api/v1/workers/register")
    async def register(worker: Registration) -> Any:
        backend.register(worker)
        return {"success": True, "worker_id": worker.worker_id}


def _add_catalogue(app: FastAPI, backend: Backend) -> None:
    home = backend.settings.home_directory

    @app.post("/api/v1/data/range")
    async def data_range(wanted: RangeRequest) -> Any:
        try:
            bars = market.load(home, wanted.symbol, wanted.timeframe)
        except market.DataMissingError:
            missing = f"Data not found for {wanted.symbol} ({wanted.timeframe})"
            return JSONResponse(contract.detail(missing), 404)
        return contract.data_range(wanted.symbol, wanted.timeframe, bars[0].time, bars[-1].time, len(bars))

    @app.get("/api/v1/models")
    async def models() -> Any:
        rows = []
        for path in sorted(home.glob("models/*/*/metadata_v3.json")):
            described = json.loads(path.read_text(encoding="utf-8"))
            made = datetime.fromtimestamp(path.stat().st_mtime)
            symbol, timeframe = described["training_symbols"][0], described["training_timeframes"][0]
            rows.append(contract.model_row(symbol, timeframe, made))
        return {"success": True, "models": rows}

    @app.get("/api/v1/strategies/")
    async def strategies() -> Any:
        # Empty although strategies run: so it was where this was measured.
        return {"success": True, "strategies": []}

    @app.post("/api/v1/strategies/validate/{name}")
    async def validate(name: str) -> Any:
        if not (home / "strategies" / f"{name}.yaml").is_file():
            return JSONResponse(contract.detail(f"Strategy not found: {name}"), 404)
        return contract.strategy_validation(name)
