"""Launching stand-ins for the tests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from launching import ROOT, Launch, Launched

if str(ROOT) not in sys.path:  # so that plain `pytest` finds the package, as `python -m pytest` does
    sys.path.insert(0, str(ROOT))


@pytest.fixture(name="launch")
def _launch() -> Iterator[Launch]:
    """Launch stand-ins with the given options; they are stopped when the test ends."""
    launched: list[Launched] = []

    def start(*options: str) -> Launched:
        command = [sys.executable, "-m", "standin", "--port", "0", "--announce", "--die-with-stdin", *options]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        launched.append(Launched(process, json.loads(line)))
        return launched[-1]

    yield start
    for each in launched:
        each.stop()
        for stream in (each.process.stdin, each.process.stdout, each.process.stderr):
            if stream is not None:
                stream.close()
