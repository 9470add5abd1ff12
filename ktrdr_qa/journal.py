"""What this run has started and not yet seen the end of, on disk, so that a killed run leaves a trace.

One file a run under ``reports/journal``; it is gone once everything has ended. The next run reads what a
dead one left, cancels it where it still runs, and says so.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Leftover:
    """A backtest that a run, now dead, started on a platform and did not see end."""

    base_url: str
    backtest: str
    file: Path


class Journal:
    def __init__(self, directory: Path, base_url: str):
        import psutil

        self._directory = directory
        self._file = directory / f"{os.getpid()}.json"
        self._base_url = base_url
        self._born_s = psutil.Process().create_time()
        self._open: list[str] = []
        self.ended_ones: list[str] = []
        """The backtests of this run that are known to have ended."""

    def started(self, backtest: str) -> None:
        self._open.append(backtest)
        self._write()

    def ended(self, backtest: str) -> None:
        if backtest in self._open:
            self._open.remove(backtest)
            self.ended_ones.append(backtest)
            self._write()

    @property
    def open(self) -> tuple[str, ...]:
        """The backtests of this run that are not known to have ended."""
        return tuple(self._open)

    def _write(self) -> None:
        if not self._open:
            self._file.unlink(missing_ok=True)
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        document = {"pid": os.getpid(), "born": self._born_s, "base_url": self._base_url, "open": self._open}
        beside = self._file.with_suffix(".new")
        beside.write_text(json.dumps(document), encoding="utf-8")
        beside.replace(self._file)

    def leftovers(self) -> list[Leftover]:
        """What dead runs left on this platform. A file that cannot be read is left alone, and named."""
        found = []
        for file in sorted(self._directory.glob("*.json")) if self._directory.is_dir() else []:
            document = _read(file)
            if document and document["base_url"] == self._base_url and not _alive(document):
                found += [Leftover(self._base_url, str(backtest), file) for backtest in document["open"]]
        return found

    @staticmethod
    def settle(leftovers: list[Leftover]) -> None:
        for file in {leftover.file for leftover in leftovers}:
            file.unlink(missing_ok=True)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) and {"pid", "born", "base_url", "open"} <= set(document) else None


def _alive(document: dict[str, Any]) -> bool:
    import psutil

    try:
        return abs(psutil.Process(int(document["pid"])).create_time() - float(document["born"])) < 1.0
    except (psutil.NoSuchProcess, ValueError):
        return False
