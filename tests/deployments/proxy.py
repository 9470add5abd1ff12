"""A little HTTP proxy in a thread, on loopback, that can do to each request what networks and gateways do."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """An answer to give. ``cut`` sends only so many bytes of the body it promised; ``drip_s`` a byte at a time."""

    status: int = 200
    body: str | bytes = ""
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    drip_s: float = 0.0


class Reset(Exception):
    """Break the connection off, with a TCP reset, instead of an answer."""


class Closed(Exception):
    """Close the connection without a word instead of an answer."""


@dataclass
class Asked:
    """One request that came to the proxy."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]
    upstream: str
    stopping: threading.Event

    def forward(self) -> Answer:
        """Have the platform answer it."""
        host, port = urlsplit(self.upstream).hostname, urlsplit(self.upstream).port
        connection = http.client.HTTPConnection(host or "", port, timeout=30)
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "accept-encoding")}
        try:
            connection.request(self.method, self.path, self.body or None, kept)
            answer = connection.getresponse()
            body = answer.read()
            location = answer.headers.get("location", "").replace(self.upstream, f"http://{self.headers['Host']}")
            return Answer(
                answer.status,
                body,
                answer.headers.get("content-type", ""),
                {"location": location} if location else {},
            )
        finally:
            connection.close()

    def pause(self, for_s: float) -> None:
        """Keep the client waiting, though not beyond the proxy's end."""
        self.stopping.wait(for_s)


Rule = Callable[[Asked], Answer | None]
"""What to do with a request: an answer, or None to forward it; it may raise ``Reset`` or ``Closed``."""


@contextlib.contextmanager
def proxy(upstream: str, rule: Rule, port: int = 0) -> Iterator[str]:
    """The address of a proxy before ``upstream`` that treats each request as the rule says."""
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _do(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            asked = Asked(self.command, self.path, self.rfile.read(length), dict(self.headers), upstream, stopping)
            try:
                self._answer(rule(asked) or asked.forward())
            except Reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
            except (Closed, OSError):
                self.close_connection = True

        def _answer(self, answer: Answer) -> None:
            body = answer.body.encode() if isinstance(answer.body, str) else answer.body
            self.send_response(answer.status)
            self.send_header("content-type", answer.kind)
            self.send_header("content-length", str(len(body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if answer.drip_s:
                for at in range(len(body)):
                    self.wfile.write(body[at : at + 1])
                    self.wfile.flush()
                    if stopping.wait(answer.drip_s):
                        break
                return
            self.wfile.write(body if answer.cut is None else body[: answer.cut])
            if answer.cut is not None:
                raise Closed

        do_GET = do_POST = do_DELETE = _do  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """The tests' own words are enough."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """A client that went away is nothing to tell."""

    server = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
