"""The supervisor where processes cannot be forked (Windows): each is started anew, and imports its libraries.

What the supervisor of the other systems hears through signals and pipes, this one hears through threads.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO

from standin.log import Log
from standin.seams import Seam
from standin.settings import Settings
from standin.supervisor import READY_WITHIN_S, LaunchError, Process, Supervisor, listen

STOP_WITHIN_S = 2.0
LOOK_S = 0.2
ROOT = Path(__file__).parents[1]
READY = b"ready"


class Told:
    """Whether the process has been told to stop; ``news`` has an item whenever something may have changed."""

    def __init__(self) -> None:
        self.stop = False
        self.news: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name in ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"):
            if number := getattr(signal, name, None):
                signal.signal(number, lambda *_: self.end())

    def end(self) -> None:
        self.stop = True
        self.news.put("")

    def await_news(self, at_most_s: float) -> str:
        """Whose news came, or nothing. Waits in short pieces, as a signal does not end a wait everywhere."""
        try:
            return self.news.get(timeout=max(0.0, min(at_most_s, LOOK_S)))
        except queue.Empty:
            return ""


class SpawningSupervisor(Supervisor):
    """Everything that belongs to one launch."""

    def __init__(self, settings: Settings, seams: Seam, told: Told) -> None:
        super().__init__(settings, seams)
        self._told = told
        self._words: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def _told_to_stop(self) -> bool:
        return self._told.stop

    def launch(self) -> None:
        began = time.monotonic()
        deadline = began + READY_WITHIN_S
        for role, listener in zip(self._roles, self._listeners, strict=True):
            port = listener.getsockname()[1]
            # The child listens there itself: not every system lets a socket be handed on.
            listener.close()
            kind = "backend" if role == "backend" else "worker"
            self.processes.append(Process(kind, role, self._spawn(role, port), f"http://127.0.0.1:{port}"))
        waiting = set(self._roles)
        while waiting and not self._told.stop:
            if time.monotonic() >= deadline:
                names = ", ".join(sorted(waiting))
                raise LaunchError(f"Not ready within {READY_WITHIN_S:.0f} s; still waiting for {names}")
            waiting.discard(self._told.await_news(deadline - time.monotonic()))
            if died := waiting & self._reap():
                raise LaunchError(f"{', '.join(sorted(died))} ended at the start; see {self.log.path}")
        self.log.write("ready", after_s=round(time.monotonic() - began, 3), api_url=self.api_url)

    def _spawn(self, role: str, port: int) -> int:
        child = subprocess.Popen(
            [sys.executable, "-m", "standin.spawning", role, str(port), self.api_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert child.stdin and child.stdout
        self._children[role] = child
        child.stdin.write(json.dumps(asdict(self.settings)).encode() + b"\n")
        child.stdin.flush()
        threading.Thread(target=self._hear, args=(role, child.stdout), daemon=True).start()
        return child.pid

    def restart(self, process: Process) -> None:
        self._children[process.id].kill()
        self._children[process.id].wait()
        process.pid = self._spawn(process.id, int(process.url.rpartition(":")[2]))
        self._ended.discard(process.id)
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._told.stop and time.monotonic() < deadline:
            if self._told.await_news(deadline - time.monotonic()) == process.id or process.id in self._reap():
                return

    def _hear(self, role: str, stream: IO[bytes]) -> None:
        for line in stream:
            if line.strip() == READY:
                self._told.news.put(role)

    def watch(self) -> None:
        if self.settings.die_with_stdin:
            threading.Thread(target=self._await_end_of_stdin, daemon=True).start()
        while not self._told.stop:
            self._told.await_news(LOOK_S)
            self._reap()
            while not self._words.empty():
                self.told(self._words.get())

    def _await_end_of_stdin(self) -> None:
        while words := os.read(0, 4096):
            self._words.put(words)
            self._told.news.put("")
        self.log.write("standard input closed")
        self._told.end()

    def _reap(self) -> set[str]:
        died: set[str] = set()
        for process in self._living():
            code = self._children[process.id].poll()
            if code is not None:
                self.log.write("process ended", id=process.id, pid=process.pid, exit_status=code)
                self._ended.add(process.id)
                died.add(process.id)
        return died

    def stop(self) -> None:
        """End every child: at the end of its standard input it ends by itself."""
        for child in self._children.values():
            with contextlib.suppress(OSError):
                if child.stdin:
                    child.stdin.close()
        deadline = time.monotonic() + STOP_WITHIN_S
        for child in self._children.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.log.write("stopped")
        self.log.close()
        self._remove_home()


def main(role: str, port: str, api_url: str) -> None:
    """Be a child process. Its settings are the first line of its standard input, whose end is its own."""
    from standin import awkward, faults, process
    from standin.seams import Seams

    alive, ready_write = os.dup(0), os.dup(1)
    given = b""
    while not given.endswith(b"\n"):
        given += os.read(alive, 1)
    told = json.loads(given)
    settings = Settings(**{**told, "fault": tuple(told["fault"])})
    # As in `python -m standin`, which made these settings with the faults already.
    seams = Seams([*awkward.seams(settings), *faults.switched_on(settings.fault)])
    listener = listen(int(port))
    log = Log(Path(settings.log) if settings.log else Path(settings.home) / "standin.log", role)

    def ready() -> None:
        os.write(ready_write, READY + b"\n")
        os.close(ready_write)

    async def be() -> None:
        if role == "backend":
            await process.run_backend(settings, seams, log, listener, ready)
        else:
            await process.run_worker(settings, seams, log, listener, role, api_url, ready)

    # Ctrl-C reaches the whole terminal; the supervisor says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.live(be, alive, log, None)


if __name__ == "__main__":
    main(*sys.argv[1:])
