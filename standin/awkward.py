"""Healthy, but awkward: what replicas, proxies and crowds do to a platform whose backtests are all right.

Each is a seam like a fault's, switched on by a setting. Only outsiders meet them; the platform's own calls do not.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from standin import contract
from standin.contract import Operation
from standin.seams import Answer, Ask, Seam, answer
from standin.settings import Settings

if TYPE_CHECKING:
    from standin.reach import Backend

RETRY_AFTER_S = 1
READING_LIMITED_EVERY = 40
"""One reading in so many is turned away where requests are limited."""
SNAPSHOT_EVERY_S = 0.02
WARNING = "Indicator rsi_14 is undefined at a bar without a change; the neutral value 50 is used instead. "


def seams(settings: Settings) -> Iterator[Seam]:
    """What the settings ask for, in the order in which a request meets it."""
    from standin import turning_down, visitors

    if settings.resets_every:
        yield ResetConnections(settings.resets_every)
    if settings.loses_reading_after_cancel:
        yield LosesReadingAfterCancel()
    if settings.rate_limits:
        yield RateLimits()
    if settings.record_after_s:
        yield LateRecord(settings.record_after_s)
    if settings.replica_lag_s:
        yield StaleReplica(settings.replica_lag_s)
    if settings.warnings_mb:
        yield ManyWarnings(settings.warnings_mb)
    yield from turning_down.seams(settings)
    yield from visitors.seams(settings)


class ResetConnections(Seam):
    """Now and then the connection of a reading is reset."""

    def __init__(self, every: int) -> None:
        self._every = every

    async def instead(self, ask: Ask) -> Answer | None:
        if ask.method == "GET" and not ask.internal and random.randrange(self._every) == 0:
            return Answer(200, b"", delivery="reset")
        return None


class LosesReadingAfterCancel(Seam):
    """The first reading of a backtest after its cancel is lost."""

    def __init__(self) -> None:
        self._cancelled: set[str] = set()

    async def instead(self, ask: Ask) -> Answer | None:
        if ask.reads and not ask.internal and ask.operation_id in self._cancelled:
            self._cancelled.discard(ask.operation_id)
            return Answer(200, b"", delivery="reset")
        return None

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.cancels and given.status == 200 and ask.operation_id is not None:
            self._cancelled.add(ask.operation_id)
        return given


class RateLimits(Seam):
    """The first start, the first cancel and the first start after a cancel come too soon, and now and then a reading.

    Who comes back before the time named in `Retry-After` is turned away again.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._readings = 0
        self._cancelled = False

    async def instead(self, ask: Ask) -> Answer | None:
        limited = answer(429, contract.detail(f"Rate limit exceeded; retry in {RETRY_AFTER_S} s"))
        limited = replace(limited, headers={**limited.headers, "retry-after": str(RETRY_AFTER_S)})
        if ask.internal:
            return None
        if ask.reads:
            self._readings += 1
            return limited if self._readings % READING_LIMITED_EVERY == 0 else None
        kind = "start after a cancel" if ask.starts and self._cancelled else "start" if ask.starts else "cancel"
        if not (ask.starts or ask.cancels):
            return None
        until = self._until.setdefault(kind, time.monotonic() + RETRY_AFTER_S)
        return limited if time.monotonic() < until else None

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        self._cancelled = self._cancelled or (ask.cancels and given.status == 200)
        return given


class LateRecord(Seam):
    """A new backtest is not there yet, for whoever asks, for a while after its start was answered."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._answered: dict[str, float] = {}

    def _too_early(self, operation_id: str | None) -> bool:
        at = self._answered.get(operation_id or "")
        return at is not None and time.monotonic() < at + self._after_s

    async def instead(self, ask: Ask) -> Answer | None:
        if ask.reads and not ask.internal and self._too_early(ask.operation_id):
            return answer(404, contract.not_found(ask.operation_id or ""))
        return None

    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        return None if self._too_early(row["operation_id"]) else row

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.starts and given.status == 200:
            self._answered[given.json()["operation_id"]] = time.monotonic()
        return given


class StaleReplica(Seam):
    """Every second reading of a backtest is answered by a replica that lags behind."""

    def __init__(self, lag_s: float) -> None:
        self._lag_s = lag_s
        self._seen: dict[str, list[tuple[float, Operation]]] = defaultdict(list)
        self._turn = 0

    def attached_to_backend(self, backend: Backend) -> None:
        super().attached_to_backend(backend)
        backend.soon(self._replicate())

    async def _replicate(self) -> None:
        while True:
            now = time.monotonic()
            for operation_id, operation in self.backend.operations.items():
                copies = self._seen[operation_id]
                if not copies or copies[-1][1] != operation:
                    copies.append((now, operation.copy()))
            await asyncio.sleep(SNAPSHOT_EVERY_S)

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.internal or not ask.reads or given.status != 200:
            return given
        self._turn += 1
        if self._turn % 2:
            return given
        then = time.monotonic() - self._lag_s
        stale = next((seen for at, seen in reversed(self._seen[ask.operation_id or ""]) if at <= then), None)
        if stale is None:
            return answer(404, contract.not_found(ask.operation_id or ""))
        return given.with_json(contract.operation_view(stale))


class ManyWarnings(Seam):
    """Every record carries megabytes of warnings."""

    def __init__(self, megabytes: float) -> None:
        self._warnings = [WARNING] * int(megabytes * 1e6 / len(WARNING))

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.internal or not ask.reads or given.status != 200:
            return given
        body = given.json()
        body["data"]["warnings"] = self._warnings
        return given.with_json(body)
