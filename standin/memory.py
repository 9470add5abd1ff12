"""What outlives the backend's process, as KTRDR's database does: its workers and operations, a line for each change."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from standin.bodies import Registration
from standin.contract import Operation
from standin.engine import Order

FILE = "backend.jsonl"
_TIMES = ("created_at", "started_at", "completed_at")


class Memory:
    """The file is in the home directory; a launch begins without it."""

    def __init__(self, home: Path) -> None:
        self._file = home / FILE

    def keep(self, what: Registration | Operation) -> None:
        told = {"operation": dataclasses.asdict(what)} if isinstance(what, Operation) else {"worker": what.model_dump()}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told, default=datetime.isoformat) + "\n")

    def recalled(self) -> Iterator[Registration | Operation]:
        """In the order in which they were kept; of an operation the last word comes last."""
        if not self._file.is_file():
            return
        for line in self._file.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            yield _operation(told["operation"]) if "operation" in told else Registration(**told["worker"])


def _operation(told: dict[str, Any]) -> Operation:
    times = {name: None if told[name] is None else datetime.fromisoformat(told[name]) for name in _TIMES}
    return Operation(**{**told, **times, "order": Order(**told["order"])})
