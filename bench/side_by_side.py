"""Runs the recipe's check against one running stand-in in turn: by hand, this suite's, and the peers' where they are there.

One run of each that is not counted goes first, so that none is timed while Python compiles it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import requests

from bench.peers import checks
from ktrdr_qa.platform.embedded import EmbeddedKtrdr
from ktrdr_qa.record.history import History, from_json
from ktrdr_qa.system import load_per_core

ROOT = Path(__file__).resolve().parents[1]
FEATURE = "features/backtest_cancellation.feature"
SUITE = "this suite"
REST_S = 15.0
LINKED = ("features", "honest_behave", "ktrdr_qa", "standin", "targets", "pyproject.toml", "bench")
AS_LONG_AS_THE_SENTENCES = "[limits]\nwatched_s = 0.1\n"
"""The recipe looks once, 2 s after its cancel; a live target's 8 s of further watching are told in a row of their own."""


@dataclass(frozen=True)
class Run:
    """One run of the suite: its time, what of it was not waiting for the platform, its memory, and what it recorded."""

    took_s: float
    own_s: float
    peak_mb: float
    history: History


@dataclass
class Times:
    """How long each check took, run by run, and the suite's runs in full."""

    took_s: dict[str, list[float]] = field(default_factory=dict)
    suite: list[Run] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    """The processes that want to run, for each core."""

    def median_s(self, who: str) -> float:
        return median(self.took_s[who])

    def ratio(self, who: str) -> float:
        """The time of a check as a part of the recipe's by hand."""
        return self.median_s(who) / self.median_s(checks.BY_HAND)

    def of_the_load(self) -> str:
        return f"on a host with {median(self.load):.1f} runnable processes a core"


def measured(platform: EmbeddedKtrdr, runs: int, who: Sequence[str]) -> Times:
    """Run each check so many times, in turn, and report progress to standard error."""
    times = Times()
    port = checks.port_of(platform)
    for number in range(runs + 1):
        told = []
        for name in who:
            let_it_rest(platform)
            if name == SUITE:
                run = suite_run(target_text(platform))
                took_s = run.took_s
                times.suite += [run] if number else []
            else:
                said = checks.check(name, port)
                if not said.passed:
                    sys.exit(f"{name} did not pass a healthy platform:\n{said.words[-2000:]}")
                took_s = said.took_s
            if number:
                times.took_s.setdefault(name, []).append(took_s)
            told.append(f"{name} {took_s:.2f} s")
        times.load.append(load_per_core())
        print(f"{f'run {number}' if number else 'not counted'}: {', '.join(told)}", file=sys.stderr, flush=True)
    return times


def target_text(platform: EmbeddedKtrdr, base_url: str = "", limits: str = AS_LONG_AS_THE_SENTENCES) -> str:
    """A target file for a stand-in that runs already."""
    return f'base_url = "{base_url or platform.announcement["api_url"]}"\n{limits}'


def suite_run(target: str) -> Run:
    """Run the feature on a target, given as the text of its file, in a directory of its own."""
    with _place() as place:
        (place / "target.toml").write_text(target, encoding="utf-8")
        command = [sys.executable, "-m", "bench.measured_behave", "-D", "target=target.toml", "-f", "null", FEATURE]
        # Where compiling is put off for ever, each run would compile all of the suite.
        left_out = ("KTRDR_", "PYTHONDONTWRITEBYTECODE")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
        environment["BENCH_FIGURES"] = str(place / "figures.json")
        began_s = time.monotonic()
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        took_s = time.monotonic() - began_s
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        figures: dict[str, Any] = json.loads((place / "figures.json").read_text(encoding="utf-8"))
        return Run(took_s, took_s - figures["waited_s"], figures["peak_mb"], _history_of(place))


@contextmanager
def _place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for linked in LINKED:
            (Path(name) / linked).symlink_to(ROOT / linked)
        yield Path(name)


def _history_of(place: Path) -> History:
    for file in (place / "reports" / "allure-results").glob("*-attachment.json"):
        try:
            return from_json(file.read_text(encoding="utf-8"))
        except ValueError:
            continue
    sys.exit("the run left no history")


def let_it_rest(platform: EmbeddedKtrdr) -> None:
    """Wait until no backtest runs, so that no run pays for the one before it."""
    url = f"{platform.announcement['api_url']}/api/v1/operations"
    deadline_s = time.monotonic() + REST_S
    while time.monotonic() < deadline_s:
        active = requests.get(url, params={"active_only": "true", "limit": "50"}, timeout=5).json()
        if not active["active_count"]:
            return
        for entry in active["data"]:
            requests.delete(f"{url}/{entry['operation_id']}", timeout=5)
    sys.exit(f"the embedded KTRDR did not come to rest within {REST_S:.0f} s")


def commit() -> str:
    """What was measured."""
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no commit"
