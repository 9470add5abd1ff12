"""A command that prints may be read in part (``| head -1``): it then ends without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.judging.film import healthy

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("ktrdr_qa.judge HISTORY", "ktrdr_qa.target", "standin --list-faults")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_leaves_is_no_error(command: str, tmp_path: Path) -> None:
    history = tmp_path / "history.json"
    history.write_text(healthy().to_json(), encoding="utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    words = [str(history) if word == "HISTORY" else word for word in command.split()]
    with os.fdopen(writing, "w") as pipe:
        ran = subprocess.run(
            [sys.executable, "-m", *words], cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert ran.stderr == ""
    assert ran.returncode in (141, -13), "as of any other program whose reader has gone"
