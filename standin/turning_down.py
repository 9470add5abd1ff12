"""Healthy, but otherwise than KTRDR: how a cancel with nothing to cancel is answered, and where a reason stands.

Each is a seam like a fault's, switched on by a setting. Only outsiders meet them; the platform's own calls do not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from standin import contract
from standin.seams import Answer, Ask, Seam, answer
from standin.settings import Settings


def seams(settings: Settings) -> Iterator[Seam]:
    """What the settings ask for."""
    if settings.confirms_again:
        yield ConfirmsAgain()
    if settings.refusal_status:
        yield RefusesWith(settings.refusal_status)
    if settings.reason_apart:
        yield ReasonApart()


class RefusesWith(Seam):
    """A cancel is turned down with another status than KTRDR's."""

    def __init__(self, status: int) -> None:
        self._status = status

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        turned_down = ask.cancels and not ask.internal and 400 <= given.status < 500
        return replace(given, status=self._status) if turned_down else given


class ConfirmsAgain(Seam):
    """A further cancel waits for the first one, and tells once more what came of that."""

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        known = self.backend.operations.get(ask.operation_id or "") if ask.cancels and given.status == 400 else None
        if known is None or ask.internal:
            return given
        while known.active:
            await asyncio.sleep(0.01)
        if known.status != "cancelled" or known.completed_at is None:
            return given
        told = contract.cancel_answer(known.operation_id, known.completed_at, known.error_message, True)
        return answer(200, {**told, "message": "already cancelled"})


class ReasonApart(Seam):
    """The error message of a cancelled backtest is empty: the reason is in `cancellation_reason`."""

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.internal or not ask.reads or given.status != 200:
            return given
        body = given.json()
        record = body["data"]
        if record["status"] == "cancelled":
            record["cancellation_reason"], record["error_message"] = record["error_message"], None
        return given.with_json(body)
