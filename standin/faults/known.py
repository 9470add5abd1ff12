"""The faults by name, and what several of them share."""

from __future__ import annotations

import time
from collections.abc import Callable

from standin.contract import Operation
from standin.seams import Seam

KNOWN: dict[str, type[Seam]] = {}


def fault(name: str) -> Callable[[type[Seam]], type[Seam]]:
    """Make a class the fault of that name."""

    def register(made: type[Seam]) -> type[Seam]:
        made.name = name
        KNOWN[name] = made
        return made

    return register


class AfterCancel(Seam):
    """Shows a cancelled operation as something else; knows how it was, and how long ago the cancel was."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, Operation]] = {}

    def cancelled(self, operation: Operation, before: Operation) -> None:
        self._before[operation.operation_id] = (time.monotonic(), before)

    def seen(self, operation: Operation) -> Operation | None:
        if operation.operation_id not in self._before:
            return operation
        at, before = self._before[operation.operation_id]
        return self.shows(operation, before, time.monotonic() - at)

    def shows(self, operation: Operation, before: Operation, elapsed_s: float) -> Operation | None:
        """What is shown `elapsed_s` after the cancel."""
        return operation

    @property
    def happened(self) -> bool:
        """Whether there has been a cancel."""
        return bool(self._before)


def rate(operation: Operation, before: Operation) -> float:
    """How fast a cancelled operation was running until its end, in percent a second."""
    if before.started_at is None or operation.completed_at is None:
        return 1.0
    ran_s = (operation.completed_at - before.started_at).total_seconds()
    return max(0.5, float(before.percentage) / max(ran_s, 0.1))
