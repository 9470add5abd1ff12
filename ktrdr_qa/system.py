"""What Linux, macOS and Windows do in different ways, in one place."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any


def of_its_own() -> dict[str, Any]:
    """Options of ``subprocess.Popen`` for a process that Ctrl-C in this one's terminal does not reach."""
    if os.name == "nt":
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    return {"start_new_session": True}


def first_line(stream: IO[bytes], limit_s: float) -> bytes:
    """The first line that comes out of a pipe, empty where none does in time."""
    came: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # On Windows a pipe cannot be waited for; whoever gives up ends the process, and with it this thread.
    threading.Thread(target=lambda: came.put(stream.readline()), name="first-line", daemon=True).start()
    try:
        return came.get(timeout=limit_s)
    except queue.Empty:
        return b""


READER_GONE = 141
"""The exit status of whoever writes into a pipe that nobody reads any more: 128 and the number of SIGPIPE."""


def into_a_pipe(command: Callable[[], int]) -> int:
    """The exit status of a command that prints, and whose reader may leave before its end, as ``head`` does."""
    try:
        status = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still to be written when Python ends must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return status


def is_alive(pid: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(pid))


def processors_used() -> float:
    """Which share of this host's processors was used since the last call, 0 to 1; the first call tells nothing."""
    import psutil

    return float(psutil.cpu_percent()) / 100.0


def load_per_core() -> float:
    """The processes of this host that want to run, for each of its cores, over the last minute."""
    import psutil

    return float(psutil.getloadavg()[0]) / (os.cpu_count() or 1)
