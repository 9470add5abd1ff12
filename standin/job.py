"""A backtest as its worker keeps it."""

from __future__ import annotations

import asyncio
import threading

from standin.contract import Operation


class Job:
    """One backtest in this worker: its operation, and how to reach the thread that computes it."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.cancel = threading.Event()
        self.ended = asyncio.Event()
        self.deaf = False
        """Its thread asks for no cancel until the indicators are computed."""
        self.abandoned = False
        """Called ended while its thread computes on: the thread may no longer touch the operation."""
        self.burning = 0.0
        """How much of a core it goes on using, unseen."""
