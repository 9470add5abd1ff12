"""What a storm does against stand-ins with few and with many workers."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKERS = (2, 8, 32)
USERS_A_WORKER = 3
"""More than there are places for, so that the platform is the limit and not the users."""


@dataclass(frozen=True)
class Storm:
    """How many cancellations were judged, and requests answered, in so many seconds; what was wrong, in the storm's words."""

    workers: int
    users: int
    seconds: float
    judged: int
    requests: int
    outcome: str
    in_words: str


def available() -> bool:
    return importlib.util.find_spec("locust") is not None


def storm(workers: int, seconds: float) -> Storm:
    """One storm, in a directory of its own."""
    users = workers * USERS_A_WORKER
    command = [
        sys.executable,
        "-m",
        "storm",
        "--users",
        str(users),
        "--seconds",
        str(seconds),
        "--places",
        str(workers),
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KTRDR_")}
    environment["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(prefix="bench-storm-") as place:
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        found = re.search(r"report: (\S+)/report\.html", done.stdout)
        if not found:  # So many workers are not ready in time on a host with few cores and much to do.
            said = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
            return Storm(workers, users, seconds, 0, 0, "did not begin", said)
        tally = json.loads((Path(place) / found[1] / "tally.json").read_text(encoding="utf-8"))
    judged = sum(tally["judged"].values())
    return Storm(workers, users, seconds, judged, tally["requests"], tally["outcome"], tally["in_words"])
