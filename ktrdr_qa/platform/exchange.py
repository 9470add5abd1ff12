"""One request and what came of it, and the transcript of all of them.

Three things can go wrong with a request, and each is an exception of its own:

* ``NoAnswer``: nothing understandable came back (refused, reset, timed out, a certificate, half an answer).
* ``Refused``: an answer with an error status; it carries KTRDR's own words, whichever of its three shapes it used.
* ``UnexpectedAnswer``: a success status with a body that lacks what the contract says.
"""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from jsonpath_ng.parser import parse as parse_jsonpath

from ktrdr_qa.words import cut, plain_value

KEPT_CHARACTERS, KEPT_ITEMS, KEPT_TEXT = 8_000, 20, 300
"""What the transcript keeps of a long answer: its beginning, and an outline of what it says."""


class TransportError(Exception):
    """A request that did not end in a usable answer; ``exchange`` is what was recorded of it."""

    def __init__(self, message: str, exchange: Exchange):
        super().__init__(message)
        self.exchange = exchange

    @property
    def words(self) -> str:
        """What came of the request, without which one it was."""
        return str(self).split(": ", 1)[-1]

    @property
    def passing(self) -> bool:
        """Whether the same request may well be answered a moment later: the network or a gateway lost this one."""
        gateway = self.exchange.status in (429, 502, 504)
        return gateway or self.exchange.problem_kind in ("closed", "half", "invalid JSON", "unreachable", "other")


class NoAnswer(TransportError):
    """Nothing understandable came back. ``refused`` means that nobody listens there any more."""

    @property
    def refused(self) -> bool:
        return self.exchange.problem_kind == "refused"


class Refused(TransportError):
    """An answer with an error status."""

    @property
    def status(self) -> int:
        return self.exchange.status or 0


class UnexpectedAnswer(TransportError):
    """A success status, but a body that is not what the contract says."""


@dataclass(frozen=True)
class Exchange:
    """One request and what came of it. ``at_s`` is on the clock of the history; headers are masked already."""

    method: str
    url: str
    at_s: float
    took_s: float
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    answer: Any = None
    answer_text: str = ""
    answer_bytes: int = 0
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    problem_kind: str = ""
    purpose: str = ""
    step: str = ""

    def in_short(self) -> Exchange:
        """This exchange with no more of a long answer than a reader of the transcript needs."""
        if len(self.answer_text) <= KEPT_CHARACTERS:
            return self
        outline = plain_value(self.answer, str, most=KEPT_ITEMS, longest=KEPT_TEXT)
        return replace(self, answer=outline, answer_text=self.answer_text[:KEPT_CHARACTERS])

    @property
    def answered_s(self) -> float:
        return self.at_s + self.took_s

    @property
    def curl(self) -> str:
        """The line that repeats this request in a shell, secrets masked."""
        parts = ["curl", "-s"]
        if self.method != "GET":
            parts += ["-X", self.method]
        parts.append(self.url)
        for name, value in self.headers.items():
            parts += ["-H", f"{name}: {value}"]
        if self.body is not None:
            parts += ["-H", "Content-Type: application/json", "-d", json.dumps(self.body)]
        return " ".join(shlex.quote(p) for p in parts)

    def find(self, path: str, default: Any = None) -> Any:
        """The first value at a JSONPath in the answer, or ``default`` where there is none."""
        return next((m.value for m in _jsonpath(path).find(self.answer)), default)

    def need(self, path: str) -> Any:
        """The value at a JSONPath in the answer.

        Raises ``UnexpectedAnswer`` in one clear sentence where it is missing.
        """
        found = _jsonpath(path).find(self.answer)
        if not found:
            shown = path.removeprefix("$.")
            raise UnexpectedAnswer(
                f"the answer to {self.method} {urlsplit(self.url).path} has no field {shown}; it was: "
                f"{shortened(self.answer_text)}",
                self,
            )
        return found[0].value


@lru_cache(maxsize=256)
def _jsonpath(path: str) -> Any:
    return parse_jsonpath(path)


def shortened(text: str, limit: int = 200) -> str:
    """Text on one line, cut to ``limit`` characters, for use inside a message."""
    return cut(" ".join(text[: 20 * limit].split()), limit) or "(empty)"


class Transcript:
    """Every exchange of a run, in order and in short; the steps attach what is new since they last looked."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._lock = threading.Lock()
        self.step = ""

    def add(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.append(exchange.in_short())

    def since(self, mark: int) -> list[Exchange]:
        with self._lock:
            return self._exchanges[mark:]

    def __len__(self) -> int:
        return len(self._exchanges)


class Passing(Transcript):
    """Hands every exchange on and keeps none, for whoever sends so many that they are not to be remembered."""

    def __init__(self, tell: Callable[[Exchange], None] = lambda exchange: None) -> None:
        super().__init__()
        self._tell = tell

    def add(self, exchange: Exchange) -> None:
        self._tell(exchange)
