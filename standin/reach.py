"""What the seams, and so every fault, can reach of the platform: as much of the backend and of a worker as they use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from standin.contract import Clock, Operation
from standin.log import Log
from standin.metrics import Metrics
from standin.registry import Registry
from standin.settings import Settings

if TYPE_CHECKING:
    from standin.bodies import Registration, StartRequest  # brings pydantic with it


class Backend(Protocol):
    """Of `standin.backend.Backend`, where each of these is explained."""

    settings: Settings
    log: Log
    clock: Clock
    metrics: Metrics
    registry: Registry
    operations: dict[str, Operation]
    all_registered: asyncio.Event
    forced: set[str]
    close_for: Callable[[float], None]

    def register(self, worker: Registration, *, known: bool = False) -> None: ...
    async def follow(self, operation: Operation) -> None: ...
    def soon(self, work: Any) -> None: ...
    def order_again(self, operation: Operation) -> StartRequest: ...
    async def start_when_free(
        self, wanted: StartRequest, worker_id: str | None = None, parent_id: str | None = None
    ) -> Operation: ...
    async def worker_says(self, operation: Operation) -> dict[str, Any] | None: ...
    async def tell_worker(self, operation: Operation, reason: str | None) -> bool: ...
    async def cancel(self, operation: Operation, reason: str | None) -> tuple[int, dict[str, Any]]: ...
    async def carry_out_cancel(self, operation: Operation, reason: str | None) -> bool: ...
    def end(self, operation: Operation, status: str, percentage: Any, message: str | None) -> None: ...
    def note(self, operation: Operation) -> None: ...
    def no_worker(self) -> dict[str, Any]: ...


class Worker(Protocol):
    """Of `standin.worker.Worker`."""

    port: int

    def later(self, after_s: float, what: Callable[[], None]) -> None: ...
