"""Launches the embedded KTRDR, and sees to it that it ends with the run: the one place that knows of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from honest_behave.outcomes import Inconclusive
from ktrdr_qa.system import first_line, of_its_own
from ktrdr_qa.target.settings import ROOT, Target
from ktrdr_qa.words import plain

READY_S = 20.0
"""The stand-in itself says within 10 s why it is not ready; this is for one that says nothing."""
STOP_S = 10.0


class EmbeddedKtrdr:
    """A running stand-in: backend and workers in processes of their own.

    It holds its end of a pipe; however this process ends, the stand-in notices and ends too.
    """

    def __init__(self, process: subprocess.Popen[bytes], announcement: dict[str, Any]):
        self._process = process
        self.announcement = announcement

    @property
    def home(self) -> Path:
        return Path(self.announcement["home"])

    @property
    def log(self) -> Path:
        return Path(self.announcement["log"])

    def log_lines(self) -> list[str]:
        return plain(self.log.read_text(encoding="utf-8", errors="replace")).split("\n")

    @property
    def processes(self) -> list[dict[str, Any]]:
        return list(self.announcement["processes"])

    def restart(self, process_id: str) -> None:
        """Have a process of it killed and started anew; returns when that is ready.

        Raises ``ValueError`` or ``OSError`` where the stand-in does not say so.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"restart {process_id}\n".encode())
        self._process.stdin.flush()
        self.announcement = json.loads(first_line(self._process.stdout, READY_S))

    def stop(self) -> None:
        """Close the pipe and wait for the end; kill only where it does not come."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def launch(target: Target) -> EmbeddedKtrdr:
    """Start the stand-in with the target's arguments and wait until it is ready.

    Raises ``Inconclusive`` with its own words where it is not.
    """
    command = [sys.executable, "-m", "standin", "--announce", "--die-with-stdin", "--port", "0"]
    command += target.embedded.arguments
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as errors:
        # Of its own: Ctrl-C is for the suite, which cancels what runs before it ends the platform.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            **of_its_own(),
        )
        line = b""
        try:
            assert process.stdout is not None
            line = first_line(process.stdout, READY_S)
            return EmbeddedKtrdr(process, json.loads(line))
        except ValueError as error:
            _end(process)
            errors.seek(0)
            words = plain((errors.read().strip() or line.strip()).decode(errors="replace"))
            told = words.splitlines()[-1] if words else f"it said nothing within {READY_S:.0f} s"
            raise Inconclusive(f"the embedded KTRDR did not start: {told}") from error
        except BaseException:
            _end(process)
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
