"""What runs in the stand-in's child processes: one backend and some workers, each served by uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import uvicorn

from standin import backend as backend_module
from standin import worker as worker_module
from standin.backend import Backend
from standin.log import Log, LogHandler
from standin.seams import Seam
from standin.settings import Settings
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


async def _serve(app: App, listener: socket.socket) -> None:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", http="h11", loop="asyncio", ws="none"
    )
    await Server(config).serve(sockets=[listener])


async def run_backend(settings: Settings, seams: Seam, log: Log, listener: socket.socket, ready: Ready) -> None:
    """Serve the backend until the process is ended; it is ready when all workers have registered."""
    backend = Backend(settings, seams, log)
    serving: Awaitable[None]
    if seams.serves():
        serving = _serve(Front(backend_module.application(backend), settings, seams, True), listener)
        if settings.workers == 0 or seams.registers_as(settings.worker_word) is None:
            backend.all_registered.set()
    else:
        listener.close()
        serving = asyncio.Event().wait()  # type: ignore[assignment]
        backend.all_registered.set()
    backend.soon(backend.check_workers())

    async def tell_when_ready() -> None:
        await backend.all_registered.wait()
        if settings.neighbour:
            backend.soon(backend.keep_neighbour())
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
    worker = Worker(settings, seams, log, worker_id, listener.getsockname()[1])

    async def join() -> None:
        if seams.serves():
            await worker.register(api_url)
        ready()
        seams.registered()

    joining = asyncio.get_running_loop().create_task(join())
    await _serve(Front(worker_module.application(worker), settings, seams_of_worker(), False), listener)
    await joining


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
