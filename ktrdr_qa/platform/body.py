"""The body of an answer, as far as it is needed: whatever its size, little of it is ever in memory.

A short body is read whole. Of a long one the beginning is kept as text, and of its JSON an outline, made while it
comes in: the first and the last items of each list, the beginning of each text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ktrdr_qa.words import DEEPEST, cut

WHOLE_BYTES = 500_000
"""Up to here a body is read and kept whole: a hundred listed backtests are a tenth of it."""
ENDS = 1000
"""So many items of a long body's lists are kept, from the beginning and again from the end."""
LONGEST_TEXT = 2000
PIECE_BYTES = 65_536


class NotJson(ValueError):
    """The text is no JSON, or breaks off; the message says where."""


class Body:
    """A body that comes in through ``read``, which gives at most so many bytes at a time, and none at its end.

    ``text`` is its beginning, ``value`` what it says, None where it is no JSON or nothing; ``size`` counts bytes.
    """

    def __init__(self, read: Callable[[int], bytes], encoding: str, *, json_named: bool):
        self.size = 0
        self.value: Any = None
        self.problem = ""
        self._read = read
        self._head = bytearray()
        while len(self._head) <= WHOLE_BYTES and (piece := self._next(PIECE_BYTES)):
            self._head += piece
        whole = len(self._head) <= WHOLE_BYTES
        self.text = _decoded(bytes(self._head[:WHOLE_BYTES]), encoding)
        self.json_like = json_named or self.text.lstrip()[:1] in ("{", "[")
        try:
            if whole:
                self.value = _parsed(self.text) if self.json_like and self.text else None
            elif self.json_like:
                self.value = self._outline()
        except NotJson as error:
            self.problem = str(error)
        while self._next(PIECE_BYTES):
            pass  # To its end in any case: one that breaks off must not look whole.

    def _next(self, most: int) -> bytes:
        piece = self._read(most)
        self.size += len(piece)
        return piece

    def read(self, most: int) -> bytes:
        """What has come so far, then what comes: the parser's end."""
        if not self._head:
            return self._next(most or 1) if most else b""
        piece = bytes(self._head[:most])
        del self._head[:most]
        return piece

    def _outline(self) -> Any:
        import ijson  # only where a body is long

        try:
            return _Outline(ijson.basic_parse(self, use_float=True, buf_size=PIECE_BYTES)).value
        except ijson.JSONError as error:
            raise NotJson(str(error)) from error


def _decoded(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding, errors="replace")
    except LookupError:
        return raw.decode(errors="replace")  # The answer names an encoding that there is none of.


def _parsed(text: str) -> Any:
    try:
        # A raw control character in a text is no reason to understand nothing.
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


class _Outline:
    """A value built from the events of a parser, of which no more than an outline is kept at any time."""

    def __init__(self, events: Any):
        self.value: Any = None
        self._open: list[Any] = []
        self._names: list[str] = []
        self._too_deep = 0
        for event, value in events:
            self._take(event, value)

    def _take(self, event: str, value: Any) -> None:
        if event in ("end_map", "end_array"):
            if self._too_deep:
                self._too_deep -= 1
            else:
                self._open.pop()
                self._names.pop()
        elif self._too_deep or (event.startswith("start_") and len(self._open) >= DEEPEST):
            self._too_deep += event.startswith("start_")
        elif event == "map_key":
            self._names[-1] = cut(value, LONGEST_TEXT)
        elif event in ("start_map", "start_array"):
            container: Any = {} if event == "start_map" else []
            self._put(container)
            self._open.append(container)
            self._names.append("")
        else:
            self._put(cut(value, LONGEST_TEXT) if event == "string" else value)

    def _put(self, value: Any) -> None:
        if not self._open:
            self.value = value
        elif isinstance(around := self._open[-1], dict):
            around[self._names[-1]] = value
        else:
            around.append(value)
            if len(around) > 2 * ENDS:
                del around[ENDS]
