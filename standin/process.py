"""What runs in the stand-in's child processes: one backend and some workers, each served by uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import shutil
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import uvicorn

from standin import backend_api
from standin import worker as worker_module
from standin.backend import Backend
from standin.log import Log, LogHandler
from standin.seams import Seam
from standin.settings import Settings
from standin.sockets import BACKLOG, bound
from standin.web import App, Front
from standin.worker import Worker

Ready = Callable[[], None]
SWITCH_INTERVAL_S = 0.001
"""How long a computing thread keeps the interpreter before the event loop gets its turn."""


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the supervisor says when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Door:
    """A listening socket and the application behind it; it can be closed for a while, and opened again."""

    def __init__(self, app: App, listener: socket.socket) -> None:
        self._config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", http="h11", loop="asyncio", ws="none"
        )
        self._listener = listener
        self._server = Server(self._config)
        self._closed_s = 0.0

    async def serve(self) -> None:
        """Serve until the process is ended."""
        while True:
            await self._server.serve(sockets=[self._listener])
            # Bound but not listening: connections are refused, and nobody else gets the port meanwhile.
            self._listener = bound(self._listener_port)
            await asyncio.sleep(self._closed_s)
            self._listener.listen(BACKLOG)
            self._server = Server(self._config)

    def close_for(self, closed_s: float) -> None:
        """Reset all connections and refuse new ones for so long; what the process holds in memory is kept."""
        self._listener_port = self._listener.getsockname()[1]
        self._closed_s = closed_s
        for connection in list(self._server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        for server in self._server.servers:
            server.close()
        self._server.should_exit = self._server.force_exit = True


async def run_backend(settings: Settings, seams: Seam, log: Log, listener: socket.socket, ready: Ready) -> None:
    """Serve the backend until the process is ended; it is ready when all workers have registered."""
    _roll_the_dice(settings, "backend")
    backend = Backend(settings, seams, log)
    serving: Awaitable[None]
    if seams.serves():
        door = Door(Front(backend_api.application(backend), settings, seams, True), listener)
        backend.close_for, serving = door.close_for, door.serve()
        if settings.workers == 0 or seams.registers_as(settings.worker_word) is None:
            backend.all_registered.set()
    else:
        listener.close()
        serving = asyncio.Event().wait()  # type: ignore[assignment]
        backend.all_registered.set()
    backend.soon(backend.check_workers())

    async def tell_when_ready() -> None:
        await backend.all_registered.wait()
        ready()

    backend.soon(tell_when_ready())
    await serving


async def run_worker(
    settings: Settings,
    seams: Seam,
    log: Log,
    listener: socket.socket,
    worker_id: str,
    api_url: str,
    ready: Ready,
) -> None:
    """Serve a worker until the process is ended; it is ready when it has registered."""
    _roll_the_dice(settings, worker_id)
    worker = Worker(settings, seams, log, worker_id, listener.getsockname()[1])

    async def join() -> None:
        if seams.serves():
            await worker.register(api_url)
        ready()
        seams.registered()

    joining = asyncio.get_running_loop().create_task(join())
    await Door(Front(worker_module.application(worker), settings, seams_of_worker(), False), listener).serve()
    await joining


def _roll_the_dice(settings: Settings, role: str) -> None:
    """From here on a process's random choices are its own, and the same in every launch with the same seed."""
    random.seed(f"{settings.seed} {role}" if settings.seed else None)


def seams_of_worker() -> Seam:
    """A worker's answers are delivered as they are: its faults lie in what it does."""
    return Seam()


def live(main: Callable[[], Awaitable[None]], alive: int, log: Log, temporary_home: Path | None) -> None:
    """Be a child process: run `main` until told to stop, or until the supervisor is gone. Never returns.

    `alive` is the reading end of a pipe whose writing end only the supervisor holds: at its end of file the
    supervisor is dead, however it died, and so is this process a moment later.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    logging.getLogger().addHandler(LogHandler(log))
    _leave_standard_streams(log)

    def die_with_supervisor() -> None:
        while os.read(alive, 1):
            pass
        log.write("supervisor gone")
        if temporary_home is not None:
            shutil.rmtree(temporary_home, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=die_with_supervisor, name="lifeline", daemon=True).start()

    async def run() -> None:
        await main()

    asyncio.run(run())
    os._exit(0)


def _leave_standard_streams(log: Log) -> None:
    """Keep none of the supervisor's streams open; what is still written to them goes to the log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    into_log = os.open(log.path, os.O_WRONLY | os.O_APPEND)
    for kept, stream in ((nothing, 0), (into_log, 1), (into_log, 2)):
        os.dup2(kept, stream)
    os.close(nothing)
    os.close(into_log)
