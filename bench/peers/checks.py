"""One cancel check in the way of each peer: how it is run against a KTRDR on a port of this host, and what it said."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ktrdr_qa.platform.embedded import EmbeddedKtrdr, launch
from ktrdr_qa.target.settings import Embedded, load

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = Path(os.environ.get("PEERS_PYTHON", ROOT / ".venv-peers" / "bin" / "python"))
"""The interpreter that has what ``bench/peers/requirements.txt`` names."""
LIMIT_S = 120.0
BY_HAND = "the recipe by hand"
ROBOT = ["--output", "NONE", "--log", "NONE", "--report", "NONE", "--consolecolors", "off"]
COMMANDS = {
    BY_HAND: ["bash", str(ROOT / "bench" / "recipe.sh")],
    "Tavern": [
        *(str(PYTHON), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull),
        *("--rootdir", str(HERE), str(HERE / "test_cancellation.tavern.yaml")),
    ],
    "Robot Framework": [str(PYTHON), "-m", "robot", *ROBOT, str(HERE / "cancellation.robot")],
}


@dataclass(frozen=True)
class Said:
    """What one check said of a platform: whether it passed, its words, and how long the whole process took."""

    passed: bool
    words: str
    took_s: float


def missing() -> str:
    """What is needed to run the peers and is not here, in one line; empty where all is."""
    try:
        subprocess.run([str(PYTHON), "-c", "import tavern, RequestsLibrary"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return f"{PYTHON} has no Tavern and Robot Framework; make them with: make peers"
    return ""


def check(name: str, port: int) -> Said:
    """Run the check of this name. What hangs for ``LIMIT_S`` is ended, and has not passed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("KTRDR_", "PYTEST_"))}
    environment |= {"KTRDR_API_PORT": str(port), "PYTHONPATH": str(HERE)}
    began_s = time.monotonic()
    try:
        done = subprocess.run(
            COMMANDS[name],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Said(False, f"it was still at it after {LIMIT_S:.0f} s", LIMIT_S)
    took_s = time.monotonic() - began_s
    if name == BY_HAND:
        wrong = read_by_a_person(done.stdout) if done.returncode == 0 else done.stderr.strip() or "a command failed"
        return Said(not wrong, wrong, took_s)
    return Said(done.returncode == 0, done.stdout + done.stderr, took_s)


def read_by_a_person(printed: str) -> str:
    """What an attentive reader of the recipe's output finds wrong by its criteria, or nothing."""
    try:
        before, answer, after, new = _documents(printed)
        pct, pct_after = float(before["pct"] or 0), float(after["pct"] or 0)
    except (ValueError, KeyError, TypeError):
        return f"not what the recipe expects to be printed: {' '.join(printed.split())[:200]}"
    wrong = {
        f"it was {before['status']} at {pct} % before the cancel": before["status"] == "running" and pct > 0,
        "the cancel was not acknowledged": answer.get("success") is True,
        f"it was {after['status']} after the cancel": after["status"] in ("cancelled", "failed"),
        f"its progress went from {pct} % to {pct_after} %": pct_after <= pct,
        "the new backtest did not start": new.get("success") is True,
    }
    return "; ".join(words for words, right in wrong.items() if not right)


def _documents(text: str) -> Iterator[dict[str, object]]:
    """The JSON objects that stand one after the other."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        value, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        if not isinstance(value, dict):
            raise ValueError(f"{value!r} is no object")
        yield value


@contextmanager
def stand_in(*arguments: str) -> Iterator[EmbeddedKtrdr]:
    """A running stand-in with these arguments."""
    platform = launch(replace(load("embedded"), embedded=Embedded(arguments=list(arguments))))
    try:
        yield platform
    finally:
        platform.stop()


def port_of(platform: EmbeddedKtrdr) -> int:
    return int(platform.announcement["api_url"].rsplit(":", 1)[1])
