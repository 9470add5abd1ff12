"""One HTTP call from one of the stand-in's processes to another, with a time limit."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

INTERNAL = "x-standin-internal"
"""Marks the processes' own calls, which the delays of `--latency-s` (somebody's proxy) do not touch."""


class RemoteError(Exception):
    """The other process did not answer."""


async def call(method: str, url: str, body: Any = None, timeout_s: float = 5.0) -> tuple[int, Any]:
    """Send a request; returns the answer's status and JSON. Raises `RemoteError` when none comes in time."""
    try:
        return await asyncio.wait_for(_call(method, url, body), timeout_s)
    except (OSError, TimeoutError, ValueError, IndexError) as problem:
        raise RemoteError(f"{method} {url}: {problem or type(problem).__name__}") from problem


async def _call(method: str, url: str, body: Any) -> tuple[int, Any]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        content = b"" if body is None else json.dumps(body).encode()
        path = address.path + (f"?{address.query}" if address.query else "")
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: {address.netloc}\r\nconnection: close\r\n{INTERNAL}: 1\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        answered = await reader.read()
    finally:
        writer.close()
    answer_head, _, answer_body = answered.partition(b"\r\n\r\n")
    status = int(answer_head.split(b" ", 2)[1])
    return status, json.loads(answer_body) if answer_body else None
