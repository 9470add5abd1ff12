"""The real suite, run with the real command in a directory of its own, against platforms that the tests start."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("features", "honest_behave", "ktrdr_qa", "standin", "targets")
MAIN = "features/backtest_cancellation.feature"
EARLY = "features/early_cancellation.feature"
CAPACITY = "features/cancellation_at_capacity.feature"
GIVE_UP_S = 100.0
T = TypeVar("T")

BRISK = """
[limits]
answer_s = 2
running_s = 5
first_progress_s = 8
place_free_s = 8
"""
"""What a platform on the same host needs, and more: waiting less long for what does not come weakens no rule."""


def await_that(look: Callable[[], T | None], what: str) -> T:
    """Look again and again until there is something; a test that waits in vain fails and says for what."""
    deadline_s = time.monotonic() + GIVE_UP_S
    pause = threading.Event()
    while True:
        if seen := look():
            return seen
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        pause.wait(0.02)


@dataclass(frozen=True)
class Ran:
    """One finished run of Behave, and what it left in its directory."""

    exit_status: int
    output: str
    place: Path
    took_s: float
    told: dict[str, Any] | None = None

    @property
    def summary(self) -> dict[str, Any]:
        assert self.told is not None, f"no summary; the console said:\n{self.output}"
        return self.told

    @property
    def outcome(self) -> str:
        return str(self.summary["outcome"])

    @property
    def reasons(self) -> str:
        return "\n".join(self.summary["reasons"])

    @property
    def observations(self) -> str:
        return "\n".join(self.summary["observations"])

    @property
    def scenarios(self) -> dict[str, str]:
        """The outcome of each scenario by its name."""
        return {s["name"]: s["outcome"] for s in self.summary["scenarios"]}

    def scenario(self, words: str) -> dict[str, Any]:
        """The one scenario whose name has these words."""
        (found,) = [s for s in self.summary["scenarios"] if words in s["name"]]
        return dict(found)

    def processor_was_read(self) -> None:
        """The scenario of the processor passed; on a host without a core to spare it may say that it cannot tell."""
        seen = self.scenario("processor")
        starved = "the backtest used too little to tell" in seen["reason"]
        assert seen["outcome"] == "passed" or starved, seen

    def history(self) -> dict[str, Any]:
        """The last recording that was attached."""
        results = self.place / "reports" / "allure-results"
        files = sorted(results.glob("*-attachment.json"), key=lambda f: f.stat().st_mtime)
        found = [d for f in files if "samples" in (d := json.loads(f.read_text()))]
        return dict(found[-1])

    def passed(self) -> Ran:
        assert self.exit_status == 0 and self.outcome == "passed", self.output
        return self

    def failed(self) -> Ran:
        assert self.exit_status != 0 and self.outcome == "failed", self.output
        assert "Traceback" not in self.output, self.output
        return self

    def inconclusive(self) -> Ran:
        assert self.exit_status != 0 and self.outcome == "inconclusive", self.output
        assert "Traceback" not in self.output, self.output
        return self

    def refused(self) -> str:
        """A run that could not begin: the console shows why, in lines of plain words; returns the console."""
        assert self.exit_status != 0, self.output
        assert "Traceback" not in self.output, self.output
        assert "PASSED" not in self.output, self.output
        return self.output


@dataclass
class Place:
    """A directory from which the suite is run, with its own reports, targets and settings."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)
    _began_at: float = 0.0
    _began_s: float = 0.0

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        for linked in LINKED:
            if not (self.path / linked).exists():
                (self.path / linked).symlink_to(ROOT / linked)
        (self.path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def begin(self, feature: str, *extra: str, **environment: str) -> subprocess.Popen[str]:
        """Start Behave in a process group of its own, as a terminal does."""
        behave = str(Path(sys.executable).with_name("behave"))
        kept = {k: v for k, v in os.environ.items() if not k.startswith("KTRDR_")}
        output = (self.path / "console.txt").open("w")
        self._began_s = time.monotonic()
        self._began_at = (self.path / "console.txt").stat().st_mtime
        try:
            return subprocess.Popen(
                [behave, "-f", "plain", "--no-color", *extra, feature],
                cwd=self.path,
                env={**kept, "PYTHONUNBUFFERED": "1", **self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        finally:
            output.close()

    @property
    def console(self) -> str:
        return (self.path / "console.txt").read_text(errors="replace")

    def finish(self, process: subprocess.Popen[str]) -> Ran:
        try:
            status = process.wait(GIVE_UP_S)
        finally:
            end(process)
        took_s = time.monotonic() - self._began_s
        summary = self.path / "reports" / "summary.json"
        fresh = summary.is_file() and summary.stat().st_mtime >= self._began_at
        return Ran(status, self.console, self.path, took_s, json.loads(summary.read_text()) if fresh else None)

    def behave(self, feature: str, *extra: str, **environment: str) -> Ran:
        """Run Behave to its end."""
        return self.finish(self.begin(feature, *extra, **environment))

    def embedded(self, arguments: Sequence[str], feature: str = MAIN, *extra: str, limits: str = BRISK) -> Ran:
        """Run a feature on an embedded KTRDR that behaves as these arguments say."""
        self.write("own.toml", f'kind = "embedded"\n[embedded]\narguments = {json.dumps(list(arguments))}\n{limits}')
        return self.behave(feature, "-D", "target=own.toml", *extra)

    def live(self, base_url: str, feature: str = MAIN, *extra: str, more: str = BRISK, **environment: str) -> Ran:
        """Run a feature on a platform that is there already; ``more`` goes into its target file."""
        self.write("own.toml", f'kind = "live"\nbase_url = "{base_url}"\n{more}')
        return self.behave(feature, "-D", "target=own.toml", *extra, **environment)


def needs_a_core(ran: Ran) -> Ran:
    """Leave a test out, visibly, where this host was too busy for anything to burn a core of it."""
    not_told = ran.outcome == "passed" or "the backtest used too little to tell" in ran.output
    if not_told and os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1):
        pytest.skip(f"no core to spare here: the load is {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores")
    return ran


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process that a test started, and what it started, unless it has ended."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        process.kill()
        process.wait()


@dataclass
class Platform:
    """A stand-in that was started by hand, as anybody may start it."""

    process: subprocess.Popen[str]
    announced: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.announced["api_url"])

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def home(self) -> Path:
        return Path(self.announced["home"])

    def worker_port(self, worker: str) -> int:
        return int(self._of(worker)["url"].rsplit(":", 1)[1])

    def pid(self, name: str) -> int:
        return int(self._of(name)["pid"])

    def _of(self, name: str) -> dict[str, Any]:
        return next(p for p in self.announced["processes"] if p["id"] == name)

    def operations(self) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/api/v1/operations?limit=500", timeout=10)
        return list(answer.json()["data"])

    def active(self) -> list[str]:
        return [o["operation_id"] for o in self.operations() if o["status"] in ("pending", "running", "resuming")]

    def start(self, **changed: Any) -> str:
        """Somebody else starts a backtest of their own."""
        order = {
            "model_path": "models/neuro_mean_reversion/1d_v21",
            "strategy_name": "neuro_mean_reversion",
            "symbol": "EURUSD",
            "timeframe": "1d",
            "start_date": "2000-01-01",
            "end_date": "2022-12-31",
            **changed,
        }
        answer = requests.post(f"{self.url}/api/v1/backtests/start", json=order, timeout=10)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["operation_id"])

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(self.announced["log"]).read_text().splitlines()]


@contextlib.contextmanager
def started(*arguments: str, module: str = "standin") -> Iterator[Platform]:
    """A stand-in started by hand; ended when the test ends, and with it in any case."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--port", "0", "--announce", "--die-with-stdin", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    try:
        line = process.stdout.readline()
        assert line, "the stand-in did not start"
        yield Platform(process, json.loads(line))
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            end(process)
        process.stdout.close()


def listening(pids: Sequence[int]) -> list[int]:
    """The ports on which these processes listen."""
    ports = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            ports += [
                c.laddr.port for c in psutil.Process(pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN
            ]
    return ports


def children(process: subprocess.Popen[Any]) -> list[psutil.Process]:
    """All that a process has started, directly or not, and that is still alive."""
    try:
        return list(psutil.Process(process.pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def stub_docker(place: Path, script: str) -> str:
    """A PATH in which ``docker`` is this shell script, for the tests only; its calls are kept in docker.log."""
    directory = place / "stub"
    directory.mkdir(exist_ok=True)
    file = directory / "docker"
    file.write_text(f'#!/bin/sh\necho "$PWD: $@" >> "{place}/docker.log"\n{script}\n')
    file.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


def interrupt(process: subprocess.Popen[Any], number: signal.Signals = signal.SIGINT) -> None:
    """What Ctrl-C in a terminal does: the signal goes to the whole process group of the command."""
    os.killpg(process.pid, number)


def without(environment: Mapping[str, str], *names: str) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k not in names}
