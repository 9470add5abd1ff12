"""The sockets that the stand-in listens on."""

from __future__ import annotations

import socket

BACKLOG = 128


def bound(port: int) -> socket.socket:
    """A socket bound on the loopback interface, which does not listen yet. Raises OSError or OverflowError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError):
        listener.close()
        raise
    return listener
