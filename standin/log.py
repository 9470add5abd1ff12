"""The stand-in's log: one JSON object a line, appended by all its processes to one file.

Each line has `time` (ISO 8601, UTC), `monotonic` (seconds of `time.monotonic()`, which all processes
of one Linux host share), `process`, `event` and, where there is one, `operation_id`.
"""

from __future__ import annotations

import json
import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path

_CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0)  # Windows has none, and hands nothing on


class Log:
    """Appends lines; one `write` call each, so that lines of several processes never mix."""

    def __init__(self, path: Path, process: str) -> None:
        self.path = path
        self.process = process
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _CLOSE_ON_EXEC, 0o644)

    def named(self, process: str) -> Log:
        """The same file, written to in the name of another process."""
        return Log(self.path, process)

    def close(self) -> None:
        """No more is written; Windows removes no file that is open."""
        os.close(self._descriptor)

    def write(self, event: str, operation_id: str | None = None, **details: object) -> None:
        """Note that something has just happened."""
        line: dict[str, object] = {
            "time": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "monotonic": round(time.monotonic(), 6),
            "process": self.process,
            "event": event,
        }
        if operation_id is not None:
            line["operation_id"] = operation_id
        line.update(details)
        os.write(self._descriptor, (json.dumps(line, default=str) + "\n").encode())


class LogHandler(logging.Handler):
    """Brings the log records of libraries, tracebacks included, into the stand-in's log."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.write("library", level=record.levelname, logger=record.name, text=self.format(record))
