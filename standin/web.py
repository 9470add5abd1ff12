"""Between an application and its server: the seams, delays, disguises and the way an answer is delivered."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import socket
import struct
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any

from standin import contract
from standin.remote import INTERNAL
from standin.seams import Answer, Ask, Seam, answer
from standin.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HANG_S = 60.0
"""How long an answer that never comes keeps its connection open."""


class Front:
    """The ASGI application that uvicorn serves: `app`, seen through the seams and the settings."""

    def __init__(self, app: App, settings: Settings, seams: Seam, process_time: bool) -> None:
        self._app = app
        self._settings = settings
        self._seams = seams
        self._process_time = process_time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        internal = any(name == INTERNAL.encode() for name, _ in scope["headers"])
        ask = Ask(scope["method"], scope["path"], internal, scope.get("query_string", b"").decode("latin-1"))
        given = await self._seams.instead(ask)
        if given is None:
            given = await self._seams.afterwards(ask, await self._collect(scope, receive))
        given = self._disguised(given, ask)
        if not internal:
            delay_s = self._settings.latency_s + random.uniform(0.0, self._settings.jitter_s)
            if delay_s > 0:
                await asyncio.sleep(delay_s)
        if self._process_time:
            spent_ms = (time.perf_counter() - began) * 1000
            given = replace(given, headers={**given.headers, "x-process-time": f"{spent_ms:.2f}ms"})
        await _deliver(given, receive, send)

    async def _collect(self, scope: Scope, receive: Receive) -> Answer:
        """The application's whole answer. All answers here are small."""
        head: Message = {}
        body = bytearray()

        async def take(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        try:
            await self._app(scope, receive, take)
        except Exception:
            logging.getLogger("standin").exception("%s %s failed", scope["method"], scope["path"])
            return answer(500, contract.error("INTERNAL_SERVER_ERROR", "An unexpected error occurred", []))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head["headers"]}
        headers.pop("content-length", None)
        return Answer(head["status"], bytes(body), headers)

    def _disguised(self, given: Answer, ask: Ask) -> Answer:
        """The same answer with more fields, its fields in another order, or louder statuses, if so set."""
        settings = self._settings
        if settings.upper_case and not ask.internal and given.is_json:
            given = given.with_json(_louder(given.json()))
        wanted = settings.extra_fields or settings.shuffled_fields
        if not wanted or not given.is_json or ask.path.endswith("openapi.json"):
            return given
        return given.with_json(_rewritten(given.json(), self._settings))


def _louder(value: Any) -> Any:
    """Every status in upper case."""
    if isinstance(value, list):
        return [_louder(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: each.upper() if key in ("status", "worker_status") and isinstance(each, str) else _louder(each)
        for key, each in value.items()
    }


def _rewritten(value: Any, settings: Settings) -> Any:
    if isinstance(value, list):
        return [_rewritten(each, settings) for each in value]
    if not isinstance(value, dict):
        return value
    items = [(key, _rewritten(each, settings)) for key, each in value.items()]
    if settings.extra_fields:
        items.append(("schema_revision", 7))
        items.append(("trace", {"span": f"{random.getrandbits(32):08x}", "tags": ["a", None]}))
    if settings.shuffled_fields:
        random.shuffle(items)
    return dict(items)


async def _deliver(given: Answer, receive: Receive, send: Send) -> None:
    if given.delivery == "never":
        await asyncio.sleep(HANG_S)
    if given.delivery in ("never", "reset"):
        _reset_connection(receive)
        return
    length = len(given.body)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in given.headers.items()]
    if given.status not in (204, 304):
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": given.status, "headers": headers})
    if given.delivery == "half":
        await send({"type": "http.response.body", "body": given.body[: length // 2], "more_body": True})
        await asyncio.sleep(0.05)
        _close_connection(receive)
        return
    await send({"type": "http.response.body", "body": given.body})


def _transport(receive: Receive) -> asyncio.Transport | None:
    """The connection below a request. ASGI has no word for it; uvicorn's request cycle holds it."""
    cycle = getattr(receive, "__self__", None)
    transport = getattr(cycle, "transport", None)
    return transport if isinstance(transport, asyncio.Transport) else None


def _reset_connection(receive: Receive) -> None:
    """End the connection with a TCP reset."""
    transport = _transport(receive)
    if transport is not None:
        plain = transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


def _close_connection(receive: Receive) -> None:
    """End the connection in the ordinary way, whatever was promised on it."""
    transport = _transport(receive)
    if transport is not None:
        transport.close()


def as_json(value: Any) -> bytes:
    """Compact JSON, as FastAPI writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
