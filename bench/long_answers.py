"""A KTRDR some of whose answers are of 10 MB: what the suite's process takes for them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.deployments.proxy import Answer, Asked, proxy

EVERY = 7
"""Each so many-th reading of a record carries the warnings: about one a second."""
WARNINGS = json.dumps(["The spread was wider than the model has ever seen it."] * 180_000).encode()
EMPTY = b'"warnings":[]'


@contextmanager
def before(url: str) -> Iterator[tuple[str, list[int]]]:
    """The address of a proxy before a stand-in that makes every so many-th record 10 MB long, and the sizes it sent."""
    number, sent = itertools.count(1), list[int]()

    def rule(asked: Asked) -> Answer | None:
        if asked.method != "GET" or "/operations/" not in asked.path or next(number) % EVERY:
            return None
        answer = asked.forward()
        body = answer.body if isinstance(answer.body, bytes) else answer.body.encode()
        if EMPTY in body:
            body = body.replace(EMPTY, b'"warnings":' + WARNINGS)
            sent.append(len(body))
        return Answer(answer.status, body, answer.kind)

    with proxy(url, rule) as address:
        yield address, sent
