"""The seams: the few places where the platform asks whether to do something other than the right thing.

`Seam` is the healthy behaviour at each of them. A fault is a small subclass that overrides some; several
compose, each seeing what the one before it made. Backend and workers hold one `Seams` and know no fault.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from standin.contract import Operation
from standin.job import Job
from standin.settings import Settings

if TYPE_CHECKING:
    from standin.reach import Backend, Worker

OPERATIONS = "/api/v1/operations/"
START = "/api/v1/backtests/start"


@dataclass(frozen=True)
class Ask:
    """A request, as far as the seams need it."""

    method: str
    path: str
    internal: bool = False
    """Whether one of the platform's own processes asks."""
    query: str = ""

    @property
    def starts(self) -> bool:
        return self.method == "POST" and self.path == START

    @property
    def operation_id(self) -> str | None:
        """The operation whose single view is asked for or which is to be cancelled."""
        return self.path.removeprefix(OPERATIONS) if self.path.startswith(OPERATIONS) else None

    @property
    def cancels(self) -> bool:
        return self.method == "DELETE" and self.operation_id is not None

    @property
    def reads(self) -> bool:
        return self.method == "GET" and self.operation_id is not None


@dataclass(frozen=True)
class Answer:
    """An answer, and how it is delivered: whole, half of its bytes, as a reset connection, or never."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    delivery: str = "whole"

    def json(self) -> Any:
        """The body read as JSON. Raises ValueError when it is none."""
        return json.loads(self.body)

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/json") and bool(self.body)

    def with_json(self, body: Any) -> Answer:
        return replace(self, body=json.dumps(body, separators=(",", ":")).encode())


def answer(status: int, body: Any) -> Answer:
    """A JSON answer."""
    return Answer(status, b"").with_json(body)


class Seam:
    """What a healthy platform does at each seam. Faults override the ones where they go wrong."""

    name = ""

    def settings(self, settings: Settings) -> Settings:
        """The settings the platform is launched with."""
        return settings

    def home(self, home: Path) -> None:
        """The home directory has been prepared."""

    # The backend's.

    def attached_to_backend(self, backend: Backend) -> None:
        """The backend has been made and is about to serve."""
        self.backend = backend

    async def instead(self, ask: Ask) -> Answer | None:
        """Answer this request without doing anything of what it asks for; None to do it."""
        return None

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        """What is sent for an answer, when all that was asked for has been done."""
        return given

    def started(self, operation: Operation) -> None:
        """A new operation is in the backend's memory, and its worker has accepted it."""

    def seen(self, operation: Operation) -> Operation | None:
        """What the backend shows of an operation, alone and in lists; None when it does not know it."""
        return operation

    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """What the backend shows of an operation in a list only."""
        return row

    async def tells_worker(self, operation: Operation) -> bool | None:
        """Whether telling the worker to cancel succeeds; None to really tell it."""
        return None

    async def takes_effect(self, operation: Operation) -> bool:
        """Whether an acknowledged cancel changes anything at all."""
        return True

    def spares_children(self) -> bool:
        """Whether the children of a cancelled operation run on."""
        return False

    def cancelled(self, operation: Operation, before: Operation) -> None:
        """An operation has just been cancelled; `before` is what it was until then."""

    def follows_worker(self, operation: Operation) -> bool:
        """Whether the backend takes over what the worker says of an operation."""
        return True

    def frees_slot(self, worker_id: str) -> bool:
        """Whether the registry gives a worker back when its backtest has ended."""
        return True

    def checks_workers(self) -> bool:
        """Whether the registry looks after its workers' health."""
        return True

    def serves(self) -> bool:
        """Whether the backend listens at all."""
        return True

    # The worker's.

    def attached_to_worker(self, worker: Worker) -> None:
        """The worker has been made and is about to serve."""
        self.worker = worker

    def registers_as(self, worker_type: str) -> str | None:
        """What the worker registers as; None when it does not register."""
        return worker_type

    def registered(self) -> None:
        """The worker has been registered."""

    def refuses(self, job: Job) -> str | None:
        """The error with which a job fails before its first bar; None to run it."""
        return None

    def hurries(self) -> bool:
        """Whether the worker skips the rest of its bars."""
        return False

    def bar_due(self, job: Job, done: int, total: int) -> None:
        """In the job's thread: the next bar is about to be worked on. Held up here, the backtest stands still."""

    def burns_on(self, job: Job) -> float:
        """How much of a core goes on being used for ever, unseen, after a cancel; `inf` for all there is."""
        return 0.0

    def ignores_cancel(self, job: Job) -> bool:
        """Whether the computation goes on, unseen, to its own end, at its own pace, after a cancel."""
        return False

    def ends_again(self, job: Job) -> bool:
        """Whether the end of a computation that ignored its cancel is written over the cancel."""
        return False

    def worker_cancelled(self, job: Job) -> None:
        """The worker has stopped a job because it was told to, and is about to say so."""

    def worker_turns_down(self, job: Job) -> None:
        """The worker was told to stop a job that has ended, and is about to say that it cannot."""


class Seams(Seam):
    """All the faults that are switched on, asked one after the other."""

    def __init__(self, faults: Iterable[Seam] = ()) -> None:
        self._faults = tuple(faults)

    def settings(self, settings: Settings) -> Settings:
        for fault in self._faults:
            settings = fault.settings(settings)
        return settings

    def home(self, home: Path) -> None:
        for fault in self._faults:
            fault.home(home)

    def attached_to_backend(self, backend: Backend) -> None:
        for fault in self._faults:
            fault.attached_to_backend(backend)

    async def instead(self, ask: Ask) -> Answer | None:
        for fault in self._faults:
            given = await fault.instead(ask)
            if given is not None:
                return given
        return None

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        for fault in self._faults:
            given = await fault.afterwards(ask, given)
        return given

    def started(self, operation: Operation) -> None:
        for fault in self._faults:
            fault.started(operation)

    def seen(self, operation: Operation) -> Operation | None:
        shown: Operation | None = operation
        for fault in self._faults:
            shown = None if shown is None else fault.seen(shown)
        return shown

    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        shown: dict[str, Any] | None = row
        for fault in self._faults:
            shown = None if shown is None else fault.row(shown)
        return shown

    async def tells_worker(self, operation: Operation) -> bool | None:
        for fault in self._faults:
            told = await fault.tells_worker(operation)
            if told is not None:
                return told
        return None

    async def takes_effect(self, operation: Operation) -> bool:
        for fault in self._faults:
            if not await fault.takes_effect(operation):
                return False
        return True

    def spares_children(self) -> bool:
        return any(fault.spares_children() for fault in self._faults)

    def cancelled(self, operation: Operation, before: Operation) -> None:
        for fault in self._faults:
            fault.cancelled(operation, before)

    def follows_worker(self, operation: Operation) -> bool:
        return all(fault.follows_worker(operation) for fault in self._faults)

    def frees_slot(self, worker_id: str) -> bool:
        return all(fault.frees_slot(worker_id) for fault in self._faults)

    def checks_workers(self) -> bool:
        return all(fault.checks_workers() for fault in self._faults)

    def serves(self) -> bool:
        return all(fault.serves() for fault in self._faults)

    def attached_to_worker(self, worker: Worker) -> None:
        for fault in self._faults:
            fault.attached_to_worker(worker)

    def registers_as(self, worker_type: str) -> str | None:
        shown: str | None = worker_type
        for fault in self._faults:
            shown = None if shown is None else fault.registers_as(shown)
        return shown

    def registered(self) -> None:
        for fault in self._faults:
            fault.registered()

    def refuses(self, job: Job) -> str | None:
        return next((reason for fault in self._faults if (reason := fault.refuses(job)) is not None), None)

    def hurries(self) -> bool:
        return any(fault.hurries() for fault in self._faults)

    def bar_due(self, job: Job, done: int, total: int) -> None:
        for fault in self._faults:
            fault.bar_due(job, done, total)

    def burns_on(self, job: Job) -> float:
        return max((fault.burns_on(job) for fault in self._faults), default=0.0)

    def ignores_cancel(self, job: Job) -> bool:
        return any(fault.ignores_cancel(job) for fault in self._faults)

    def ends_again(self, job: Job) -> bool:
        return any(fault.ends_again(job) for fault in self._faults)

    def worker_cancelled(self, job: Job) -> None:
        for fault in self._faults:
            fault.worker_cancelled(job)

    def worker_turns_down(self, job: Job) -> None:
        for fault in self._faults:
            fault.worker_turns_down(job)
