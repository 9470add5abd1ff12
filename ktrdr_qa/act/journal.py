"""What this run has started and not yet seen the end of, on disk, so that a killed run leaves a trace.

One file a run under ``reports/journal``; it is gone once everything has ended. The next run reads what a
dead one left, cancels it where it still runs, and says so.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from honest_behave.outcomes import BadConfiguration


@dataclass(frozen=True)
class Leftover:
    """A backtest that a run, now dead, started on a platform and did not see end."""

    base_url: str
    backtest: str
    file: Path


class Journal:
    """``ends_with_run``: the platform is the embedded one, which does not outlive the run that launched it.

    Raises ``BadConfiguration`` where nothing can be kept: before anything is started that could be left running.
    """

    def __init__(self, directory: Path, base_url: str, *, ends_with_run: bool = False):
        import psutil

        self._directory = directory
        self._base_url = base_url
        self._ends_with_run = ends_with_run
        self._born_s = psutil.Process().create_time()
        # A process number comes again, in containers at every start: it alone would overwrite a dead run's file.
        self._file = directory / f"{os.getpid()}-{int(self._born_s * 100)}.json"
        self._open: list[str] = []
        self.trouble = ""
        """Why it could not be kept any more, in words: nothing that has to be ended waits for it."""
        self.ended_ones: list[str] = []
        """The backtests of this run that are known to have ended."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                pass
        except OSError as error:
            raise BadConfiguration(
                f"{_unwritable(directory, error)}; remove what is in its place, or make it writable"
            ) from error

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
        try:
            self._keep()
        except OSError as error:
            self.trouble = (
                f"{_unwritable(self._file, error)}; this run has started {', '.join(self._open) or 'nothing'}"
            )

    def _keep(self) -> None:
        if not self._open:
            self._file.unlink(missing_ok=True)
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        document = {"pid": os.getpid(), "born": self._born_s, "base_url": self._base_url, "open": self._open}
        if self._ends_with_run:
            document["ends_with_run"] = True
        beside = self._file.with_suffix(".new")
        beside.write_text(json.dumps(document), encoding="utf-8")
        beside.replace(self._file)

    def leftovers(self) -> list[Leftover]:
        """What dead runs left on this platform.

        What they left on an embedded KTRDR has ended with it, and is forgotten. A file that cannot be read stays.
        """
        found = []
        for file, document in self._of_dead_runs():
            if document.get("ends_with_run"):
                file.unlink(missing_ok=True)
            elif document["base_url"] == self._base_url:
                found += [Leftover(self._base_url, str(backtest), file) for backtest in document["open"]]
        return found

    def left_elsewhere(self) -> list[Leftover]:
        """What dead runs left on other platforms: not this run's to touch, but worth a word."""
        return [
            Leftover(str(document["base_url"]), str(backtest), file)
            for file, document in self._of_dead_runs()
            if document["base_url"] != self._base_url and not document.get("ends_with_run")
            for backtest in document["open"]
        ]

    def damaged(self) -> list[Path]:
        """The files that cannot be read, and may name a backtest that still runs."""
        return [file for file in self._files() if not _read(file)]

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob("*.json")) if self._directory.is_dir() else []

    def _of_dead_runs(self) -> list[tuple[Path, dict[str, Any]]]:
        read = [(file, _read(file)) for file in self._files()]
        return [(file, document) for file, document in read if document and not _alive(document)]

    @staticmethod
    def settle(leftovers: list[Leftover]) -> None:
        for file in {leftover.file for leftover in leftovers}:
            file.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> str:
    return f"{path} cannot be written ({error.strerror}): what a run starts is noted there, so that nothing is left running"


def _read(file: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(document, dict) and {"pid", "born", "base_url", "open"} <= set(document)
    return document if whole and isinstance(document["open"], list) else None


def _alive(document: dict[str, Any]) -> bool:
    import psutil

    try:
        return abs(psutil.Process(int(document["pid"])).create_time() - float(document["born"])) < 1.0
    except (psutil.NoSuchProcess, ValueError, TypeError, OverflowError):
        return False
