"""A start is refused, mangled, or promised and not kept."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from standin import contract, visitors
from standin.contract import Operation
from standin.faults.known import fault
from standin.seams import Answer, Ask, Seam, answer

if TYPE_CHECKING:
    from standin.job import Job
    from standin.reach import Backend

MISSING_FOR_S = 20.0
"""Longer than a backtest may take to be seen running."""


class RefusedStart(Seam):
    """Answers every start without starting anything."""

    def answers(self) -> Answer:
        raise NotImplementedError

    async def instead(self, ask: Ask) -> Answer | None:
        return self.answers() if ask.starts else None


class MangledStart(Seam):
    """Really starts, but answers wrongly."""

    def answers(self, given: Answer) -> Answer:
        raise NotImplementedError

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        return self.answers(given) if ask.starts and given.status == 200 else given


@fault("start-500")
class Start500(RefusedStart):
    def answers(self) -> Answer:
        return answer(500, contract.error("INTERNAL_SERVER_ERROR", "An unexpected error occurred", []))


@fault("start-503")
class Start503(RefusedStart):
    def answers(self) -> Answer:
        return answer(503, self.backend.no_worker())


@fault("start-422")
class Start422(RefusedStart):
    def answers(self) -> Answer:
        problem = {"loc": ("body", "model_path"), "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}
        return answer(422, contract.validation_error([problem]))


@fault("start-success-false")
class StartSuccessFalse(RefusedStart):
    def answers(self) -> Answer:
        return answer(200, contract.error("BACKTEST_NOT_STARTED", "The backtest could not be started", []))


@fault("start-no-operation-id")
class StartNoOperationId(MangledStart):
    def answers(self, given: Answer) -> Answer:
        return given.with_json({key: value for key, value in given.json().items() if key != "operation_id"})


@fault("start-null-operation-id")
class StartNullOperationId(MangledStart):
    def answers(self, given: Answer) -> Answer:
        return given.with_json({**given.json(), "operation_id": None})


@fault("start-known-operation-id")
class StartKnownOperationId(MangledStart):
    def attached_to_backend(self, backend: Backend) -> None:
        super().attached_to_backend(backend)
        ended = next(visitors.earlier_operations(3, backend.clock.now()))
        backend.operations[ended.operation_id] = ended
        self._known = ended.operation_id

    def answers(self, given: Answer) -> Answer:
        return given.with_json({**given.json(), "operation_id": self._known})


@fault("start-html")
class StartHtml(RefusedStart):
    def answers(self) -> Answer:
        page = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"
        return Answer(200, page, {"content-type": "text/html; charset=utf-8"})


@fault("start-half-answer")
class StartHalfAnswer(MangledStart):
    def answers(self, given: Answer) -> Answer:
        return replace(given, delivery="half")


@fault("start-never-answers")
class StartNeverAnswers(RefusedStart):
    def answers(self) -> Answer:
        return Answer(200, b"", delivery="never")


@fault("start-accepted-then-failed")
class StartAcceptedThenFailed(Seam):
    def refuses(self, job: Job) -> str | None:
        return "Model could not be loaded: checksum mismatch in model.pt"


@fault("start-record-missing")
class StartRecordMissing(Seam):
    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def started(self, operation: Operation) -> None:
        self._since[operation.operation_id] = time.monotonic()

    def seen(self, operation: Operation) -> Operation | None:
        since = self._since.get(operation.operation_id, 0.0)
        return None if time.monotonic() < since + MISSING_FOR_S else operation
