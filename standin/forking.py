"""The supervisor where processes can be forked: after the libraries have been imported once, which makes a launch quick."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict

from standin.seams import Seam
from standin.settings import Settings
from standin.supervisor import READY_WITHIN_S, LaunchError, Process, Supervisor, listen

STOP_WITHIN_S = 0.6


class Signals:
    """Whether the process has been told to stop, and a descriptor that becomes readable on any signal.

    Taken over before anything is made and never given back, so that nothing is left behind half made.
    """

    def __init__(self) -> None:
        self.ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self.stop = False
        self.wake, self._wake_write = os.pipe()
        for end in (self.wake, self._wake_write):
            os.set_blocking(end, False)
        for number in self.ENDING:
            signal.signal(number, self._told)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def _told(self, number: int, _: object) -> None:
        self.stop = True

    def heard(self) -> None:
        """Empty the descriptor."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake, 4096)

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Let no signal in for a moment."""
        numbers = (*self.ENDING, signal.SIGCHLD)
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)

    def leave(self) -> None:
        """In a child: be deaf to Ctrl-C, which reaches the whole group, and end at once when told to."""
        signal.set_wakeup_fd(-1)
        os.close(self.wake)
        os.close(self._wake_write)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*self.ENDING, signal.SIGCHLD))


class ForkingSupervisor(Supervisor):
    """Forks its processes, and hears of them, and of signals, through pipes."""

    def __init__(self, settings: Settings, seams: Seam, signals: Signals) -> None:
        super().__init__(settings, seams)
        self._signals = signals
        self._alive_read, self._alive_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        os.set_blocking(self._ready_read, False)
        self._waiting: set[str] = set()

    @property
    def _told_to_stop(self) -> bool:
        return self._signals.stop

    def launch(self) -> None:
        """Start the processes and wait until each is really ready. Raises `LaunchError`."""
        began = time.monotonic()
        changed = {name: value for name, value in asdict(self.settings).items() if value}
        self.log.write("launch", settings=changed)
        try:
            import standin.process  # noqa: F401  (imported once, here, for all the children)
        except ImportError as problem:
            raise LaunchError(f"A package that the stand-in needs cannot be imported: {problem}") from problem
        imported_s = time.monotonic() - began
        self.log.write("libraries imported", after_s=round(imported_s, 3))
        for role, listener in zip(self._roles, self._listeners, strict=True):
            if self._signals.stop:
                return
            pid = self._fork(role, listener)
            kind = "backend" if role == "backend" else "worker"
            self.processes.append(Process(kind, role, pid, self._url(listener)))
        for listener in self._listeners:
            listener.close()
        deadline = began + READY_WITHIN_S
        while self._waiting and not self._signals.stop:
            if time.monotonic() >= deadline:
                names = ", ".join(sorted(self._waiting))
                raise LaunchError(
                    f"Not ready within {READY_WITHIN_S:.0f} s, of which importing the libraries took "
                    f"{imported_s:.1f} s; still waiting for {names}"
                )
            self._wait(deadline - time.monotonic())
            died = self._reap()
            self._hear_ready()
            if self._waiting & died:
                names = ", ".join(sorted(self._waiting & died))
                raise LaunchError(f"{names} ended at the start; see {self.log.path}")
        self.log.write("ready", after_s=round(time.monotonic() - began, 3), api_url=self.api_url)

    def _fork(self, role: str, listener: socket.socket) -> int:
        self._waiting.add(role)
        with self._signals.held_back():
            pid = os.fork()
            if pid == 0:
                try:
                    self._signals.leave()
                    self._be(role, listener)
                finally:
                    os._exit(1)
        return pid

    def restart(self, process: Process) -> None:
        if process.id not in self._ended:
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
        listener = listen(int(process.url.rpartition(":")[2]))
        process.pid = self._fork(process.id, listener)
        listener.close()
        self._ended.discard(process.id)
        deadline = time.monotonic() + READY_WITHIN_S
        while self._waiting and not self._signals.stop and time.monotonic() < deadline:
            select.select([self._signals.wake, self._ready_read], [], [], deadline - time.monotonic())
            self._signals.heard()
            self._hear_ready()
            self._waiting -= self._reap()
        self._waiting.clear()

    def _be(self, role: str, listener: socket.socket) -> None:
        """In the child: keep this role's descriptors only, and be it."""
        from standin import process

        for descriptor in (self._alive_write, self._ready_read):
            os.close(descriptor)
        for other in self._listeners:
            if other is not listener:
                other.close()
        log = self.log.named(role)

        def ready() -> None:
            os.write(self._ready_write, (role + "\n").encode())
            os.close(self._ready_write)

        async def main() -> None:
            if role == "backend":
                await process.run_backend(self.settings, self.seams, log, listener, ready)
            else:
                await process.run_worker(self.settings, self.seams, log, listener, role, self.api_url, ready)

        process.live(main, self._alive_read, log, self.home if self._temporary else None)

    def watch(self) -> None:
        """Wait until told to stop. A child that dies is noted, and the others live on."""
        while not self._signals.stop:
            self._wait(None)
            self._reap()

    def _wait(self, timeout_s: float | None) -> None:
        """Wait for a signal, a child's word, or the end of standard input."""
        watched = [self._signals.wake]
        if self._waiting:
            watched.append(self._ready_read)
        if self.settings.die_with_stdin:
            watched.append(0)
        readable, _, _ = select.select(watched, [], [], timeout_s)
        if self._ready_read in readable:
            self._hear_ready()
        if self._signals.wake in readable:
            self._signals.heard()
        if 0 in readable:
            if words := os.read(0, 4096):
                self.told(words)
            else:
                self.log.write("standard input closed")
                self._signals.stop = True

    def _hear_ready(self) -> None:
        """Take note of the children that have said that they are ready."""
        with contextlib.suppress(BlockingIOError):
            self._waiting -= set(os.read(self._ready_read, 4096).decode().split())

    def _reap(self) -> set[str]:
        """Collect the children that have died; returns their ids."""
        died: set[str] = set()
        for process in self._living():
            pid, status = os.waitpid(process.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.log.write("process ended", id=process.id, pid=pid, exit_status=code)
                self._ended.add(process.id)
                died.add(process.id)
        return died

    def stop(self) -> None:
        """End every child, first by asking, and leave nothing behind."""
        for process in self._living():
            os.kill(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN_S
        self._reap()
        while self._living() and time.monotonic() < deadline:
            select.select([self._signals.wake], [], [], 0.02)
            self._signals.heard()
            self._reap()
        for process in self._living():
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
        self.log.write("stopped")
        self._remove_home()
