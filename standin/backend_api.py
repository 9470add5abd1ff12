"""The backend's HTTP interface."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from standin import contract, market
from standin.backend import Backend, NoWorkerFreeError
from standin.bodies import CancelRequest, RangeRequest, Registration, StartRequest
from standin.remote import RemoteError


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
            if operation_type in (None, each.operation_type)
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
        if wanted and wanted.force:
            backend.forced.add(operation_id)
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
