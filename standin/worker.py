"""A worker: runs one backtest at a time in a thread, and stops it between two bars when told to."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from standin import contract, engine, fuzzy, market
from standin.bodies import CancelBody
from standin.contract import Operation
from standin.engine import Backtest, Order
from standin.job import Job
from standin.log import Log
from standin.metrics import Metrics
from standin.remote import RemoteError, call
from standin.seams import Seam
from standin.settings import Settings

Found = tuple[int, int, float]
"""Periods of z-score and RSI, and how often they were right (see `engine.indicator_search`)."""
FEWEST_SEARCHED = 500
BUSY_PAUSE_S = 0.01
"""How long a computation that is to use less than a whole core pauses when it is ahead."""
MAKES_UP_S = 0.25
"""A backtest that was held up, as by a host with other work, makes up for so much of it; a real one's bars take their time."""


class CancelledError(Exception):
    """The backtest was told to stop."""


class FailedError(Exception):
    """The backtest cannot be run; the text is the operation's error message."""


class Worker:
    """The worker's memory and what it does; `application` puts it behind HTTP."""

    def __init__(self, settings: Settings, seams: Seam, log: Log, worker_id: str, port: int) -> None:
        self.settings = settings
        self.seams = seams
        self.log = log
        self.worker_id = worker_id
        self.port = port
        self.clock = contract.Clock(settings.clock_skew_s)
        self.metrics = Metrics()
        self.jobs: dict[str, Job] = {}
        self.current: Job | None = None
        self._api_url = ""
        self._loop = asyncio.get_running_loop()
        seams.attached_to_worker(self)

    async def register(self, api_url: str) -> None:
        """Tell the backend that this worker is there, until it has heard."""
        self._api_url = api_url
        worker_type = self.seams.registers_as(self.settings.worker_word)
        if worker_type is None:
            return
        body = {
            "worker_id": self.worker_id,
            "worker_type": worker_type,
            "url": f"http://127.0.0.1:{self.port}",
            "endpoint_url": f"http://{self.settings.endpoint_host}:{self.port}",
        }
        while True:
            try:
                status, _ = await call("POST", f"{api_url}/api/v1/workers/register", body)
            except RemoteError:
                status = 0
            if status == 200:
                return
            await asyncio.sleep(0.02)

    def start(self, order: Order) -> Job:
        """Begin a backtest in a thread."""
        now = self.clock.now()
        if self.settings.own_ids:
            order = replace(order, operation_id=f"{self.worker_id}_run_{len(self.jobs) + 1}")
        job = Job(Operation(order, now, self.worker_id, in_worker=True))
        job.operation.status, job.operation.started_at = "running", now
        job.deaf = self.settings.indicators_ignore_cancel
        self.jobs[order.operation_id] = self.current = job
        self.metrics.active.set(1)
        self.log.write("backtest started", order.operation_id)
        threading.Thread(target=self._run, args=(job,), name=order.operation_id, daemon=True).start()
        if self.settings.renamed_worker and len(self.jobs) == 1:
            self._renaming = self._loop.create_task(self._take_another_name(job))
        return job

    async def _take_another_name(self, job: Job) -> None:
        """Register anew, as a worker does that has lost its id."""
        if self.settings.renamed_worker == "cancelled":
            await job.ended.wait()
        while not job.operation.percentage and not job.ended.is_set():
            await asyncio.sleep(0.02)
        self.worker_id = f"{self.worker_id}-{secrets.token_hex(3)}"
        await self.register(self._api_url)

    async def cancel(self, job: Job, reason: str | None) -> None:
        """Stop a backtest, and return when it has stopped, or is said to have."""
        self.log.write("told to cancel", job.operation.operation_id)
        message = reason or contract.CANCELLED_BY_USER
        job.operation.error_message = message
        job.burning = self.seams.burns_on(job)
        if job.burning > 0 or self.seams.ignores_cancel(job):
            job.abandoned = True
            self._end(job, "cancelled", message, None)
        elif job.deaf:
            job.abandoned = True
            self._end(job, "cancelled", message, None)
            job.cancel.set()
        else:
            job.cancel.set()
            await job.ended.wait()
        self.seams.worker_cancelled(job)

    def later(self, after_s: float, what: Callable[[], None]) -> None:
        """Do something in the event loop after a while."""
        self._loop.call_later(after_s, what)

    def _end(self, job: Job, status: str, message: str | None, summary: dict[str, Any] | None) -> None:
        """The end of a job, always in the event loop's thread."""
        operation = job.operation
        if job.ended.is_set():
            if self.seams.ends_again(job):
                operation.result_summary = summary
                operation.end(status, self.clock.now(), 100.0 if status == "completed" else 0.0, message)
                self.log.write("backtest ended again", operation.operation_id, status=status, message=message)
            return
        kept = operation.percentage if status == "cancelled" and self.settings.keeps_progress else 0.0
        operation.result_summary = summary
        operation.end(status, self.clock.now(), 100.0 if status == "completed" else kept, message)
        if self.current is job:
            beside = [each for each in self.jobs.values() if each.operation.active]
            self.current = beside[-1] if beside else None
            self.metrics.active.set(len(beside))
        self.metrics.ended(status)
        self.log.write("backtest ended", operation.operation_id, status=status, message=message)
        job.ended.set()

    # In the job's thread.

    def _run(self, job: Job) -> None:
        status, message, summary = "failed", None, None
        try:
            summary = self._compute(job)
            status = "completed"
        except CancelledError:
            if not job.abandoned:
                time.sleep(self.settings.cancel_takes_s)  # putting things in order
            status, message = "cancelled", job.operation.error_message
        except (FailedError, fuzzy.ModelError, market.DataMissingError) as problem:
            message = str(problem)
        except Exception as problem:
            logging.getLogger("standin").exception("backtest %s broke", job.operation.operation_id)
            message = f"Backtest failed: {problem}"
        self._loop.call_soon_threadsafe(self._end, job, status, message, summary)

    def _compute(self, job: Job) -> dict[str, Any]:
        began = time.monotonic()
        order, home = job.operation.order, self.settings.home_directory
        refusal = self.seams.refuses(job)
        if refusal is not None:
            raise FailedError(refusal)
        model = fuzzy.read_model(home, order.model_path, self.settings.model_form)
        hurry = self.seams.hurries()
        epochs = 0 if hurry else self.settings.adaptation_epochs
        strategy = engine.read_strategy(home, order.strategy_name, epochs)
        everything = market.load(home, order.symbol, order.timeframe)
        bars, first = window(everything, order, model.warm_up + model.horizon + strategy.window)
        if len(bars) - first < self.settings.min_bars:
            raise FailedError(
                f"Insufficient data for backtesting: {len(bars) - first} bars "
                f"(need at least {self.settings.min_bars} for indicator warm-up)"
            )
        search = _searching(everything, _position(everything, order.start_date), model)
        self._indicator_phase(job, search, len(bars) - first)
        job.deaf = False
        run = Backtest(bars, first, model, strategy, order)
        self._step_through(job, run, search, 0.0 if hurry else self.settings.bars_per_second)
        if job.burning > 0:
            self._burn(job, lambda: Backtest(bars, first, model, strategy, order))
        return engine.result_summary(run, time.monotonic() - began)

    def _indicator_phase(self, job: Job, search: Iterator[Found], bars: int) -> None:
        settings = self.settings
        lasts_s = settings.first_progress_after_s
        if settings.indicator_bars_per_second > 0:
            lasts_s += bars / settings.indicator_bars_per_second
        if lasts_s == 0:
            return
        deadline = time.monotonic() + lasts_s
        best = (0, 0, 0.0)
        for found in search:
            best = max(best, found, key=lambda each: each[2])
            if job.cancel.is_set() and not settings.indicators_ignore_cancel:
                raise CancelledError
            if time.monotonic() >= deadline:
                break
        self.log.write("indicators computed", job.operation.operation_id, z_period=best[0], rsi_period=best[1])

    def _step_through(self, job: Job, run: Backtest, search: Iterator[Found], bars_per_second: float) -> None:
        began, used = time.monotonic(), time.thread_time()
        busy, every = self.settings.busy, max(1, self.settings.progress_every_bars)
        due = began
        while not run.finished and job.burning == 0:
            if bars_per_second > 0:
                due = max(due + 1 / bars_per_second, time.monotonic() - MAKES_UP_S)
                while (left_s := due - time.monotonic()) > 0 and not job.cancel.is_set():
                    if busy > 0 and time.thread_time() - used < busy * (time.monotonic() - began):
                        next(search, None)
                    else:
                        job.cancel.wait(min(left_s, BUSY_PAUSE_S) if busy > 0 else left_s)
            if job.cancel.is_set():
                raise CancelledError
            self.seams.bar_due(job, run.done, run.total)
            bar = run.step()
            if not job.abandoned and (run.done % every == 0 or run.finished):
                self._tell(job.operation, 100.0 * run.done / run.total, bar)

    def _tell(self, operation: Operation, percentage: float, bar: market.Bar) -> None:
        step, order = self.settings.progress_step, operation.order
        operation.percentage = percentage if step <= 0 else percentage // step * step
        operation.current_step = f"Backtesting {order.symbol} {order.timeframe} [{bar.time:%Y-%m-%d %H:%M:%S}+00:00]"

    def _burn(self, job: Job, again: Callable[[], Backtest]) -> None:
        """Compute the same backtest again and again, as long as it is burning, using no more of a core than is wanted."""
        began, used = time.monotonic(), time.thread_time()
        while job.burning > 0:
            run = again()
            while not run.finished and job.burning > 0:
                if time.thread_time() - used > job.burning * (time.monotonic() - began):
                    time.sleep(BUSY_PAUSE_S)
                else:
                    run.step()


def _searching(bars: list[market.Bar], first: int, model: fuzzy.Model) -> Iterator[Found]:
    """The search for better indicators on the bars before `first`, begun anew whenever it is through.

    Where there are hardly any before it, all bars are searched; what is found goes to the log only.
    """
    until = first if first >= FEWEST_SEARCHED else len(bars)
    while until >= FEWEST_SEARCHED:
        yield from engine.indicator_search(bars, until, model)


def _position(bars: list[market.Bar], day: str) -> int:
    """The index of the first bar at or after midnight of a day."""
    return bisect_left(bars, datetime.fromisoformat(day).replace(tzinfo=UTC), key=lambda bar: bar.time)


def window(bars: list[market.Bar], order: Order, warm_up: int) -> tuple[list[market.Bar], int]:
    """The bars of an order, with up to `warm_up` bars before them, and the index of the first that counts."""
    begin = _position(bars, order.start_date)
    last_day = datetime.fromisoformat(order.end_date).replace(tzinfo=UTC)
    end = begin
    while end < len(bars) and bars[end].time <= last_day:
        end += 1
    earliest = max(0, begin - warm_up)
    return bars[earliest:end], begin - earliest


def application(worker: Worker) -> FastAPI:
    """The worker's HTTP interface."""
    app = FastAPI(title="KTRDR stand-in, worker", docs_url=None, redoc_url=None)

    @app.get("/health")
    async def health() -> Any:
        current = worker.current
        return contract.worker_health(worker.clock.now(), None if current is None else current.operation.operation_id)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(worker.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.post("/backtests/start")
    async def start(order: Order) -> Any:
        if worker.current is not None and not worker.settings.several_at_once:
            return JSONResponse(contract.detail("Worker is busy"), 503)
        return contract.start_answer(worker.start(order).operation.order)

    @app.get("/api/v1/operations")
    async def operations(active_only: bool = False, limit: int = 10, offset: int = 0) -> Any:
        known = [job.operation for job in reversed(worker.jobs.values())]
        chosen = [each for each in known if each.active or not active_only]
        rows = [contract.operation_row(each) for each in chosen[offset : offset + limit]]
        return contract.operation_list(rows, len(chosen), sum(each.active for each in chosen))

    @app.get("/api/v1/operations/{operation_id}")
    async def operation(operation_id: str) -> Any:
        job = worker.jobs.get(operation_id)
        if job is None:
            return JSONResponse(contract.not_found(operation_id), 404)
        return contract.operation_view(job.operation)

    @app.delete("/api/v1/operations/{operation_id}")
    async def cancel(operation_id: str, body: CancelBody | None = None) -> Any:
        job = worker.jobs.get(operation_id)
        if job is None:
            return JSONResponse(contract.not_found(operation_id), 404)
        if not job.operation.active:
            worker.seams.worker_turns_down(job)
            return JSONResponse(contract.cannot_be_cancelled(job.operation), 400)
        await worker.cancel(job, body.reason if body else None)
        if job.operation.status != "cancelled":
            return JSONResponse(contract.cannot_be_cancelled(job.operation), 400)
        return contract.cancel_answer(
            operation_id, worker.clock.now(), body.reason if body else None, remote_cancelled=False
        )

    return app
