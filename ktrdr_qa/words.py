"""Words for people: text from outside made safe to show, and numbers and lines as everybody is told them.

What a platform, Docker or a log says goes through ``plain`` or ``plain_value`` where it comes in, so that nothing
downstream (JUnit XML, JSON, a table, a terminal) can be broken by it. Markup is the business of whoever writes it.
"""

from __future__ import annotations

import contextlib
import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed: colours, bells, what XML forbids
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of the text around it
    "\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"  # invisible, or a line's end to some only
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f"  # no characters, and tags that nobody sees
    "]"
)
_MEASURED = re.compile(r"(?<![\w.:/-])\d+(?:\.\d+)? (?:%|(?:s|ms|MB|cores)\b)")
"""A number with a unit: what is an id, a date or an HTTP status is none."""
DEEPEST = 30
"""Data nested deeper than this are cut there: whoever walks through them must not run out of stack."""


def plain(text: str) -> str:
    """The text with every character shown that would do something else than stand there: ESC as ``\\x1b``."""
    return _UNSAFE.sub(_shown, text.replace("\r\n", "\n"))


def _shown(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def plain_value(
    value: Any,
    text: Callable[[str], str] = plain,
    *,
    most: int | None = None,
    longest: int | None = None,
    deepest: int = DEEPEST,
) -> Any:
    """Data as they came out of JSON, with every text and name in them as ``text`` makes it, ``plain`` unless said.

    ``most`` items of a list and fields of an object are kept, the first and the last ones, and ``longest``
    characters of a text. What is no finite number is told by its name, as JSON has no word for it.
    """
    if isinstance(value, str):
        return text(cut(value, longest))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if not isinstance(value, list | dict):
        return value
    if deepest == 0:
        return "…"

    def inner(each: Any) -> Any:
        return plain_value(each, text, most=most, longest=longest, deepest=deepest - 1)

    if isinstance(value, list):
        return [inner(each) for each in ends(value, most)]
    return {text(cut(str(name), longest)): inner(each) for name, each in ends(list(value.items()), most)}


def ends(items: list[Any], most: int | None) -> list[Any]:
    """At most so many of a list: its beginning and its end."""
    if most is None or len(items) <= most:
        return items
    return [*items[: most - most // 2], *items[len(items) - most // 2 :]]


def cut(text: str, longest: int | None) -> str:
    """A text of at most ``longest`` characters, with a mark where it was cut."""
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"


def percent(value: float, unlike: float | None = None) -> str:
    """A percentage with one digit, or with as many as it takes: what is above 0 is not shown as 0, and what differs
    from ``unlike`` not as the same.
    """
    near = [end for end in (0.0, unlike) if end is not None and end != value]
    enough = (digits for digits in range(1, 9) if all(f"{value:.{digits}f}" != f"{end:.{digits}f}" for end in near))
    digits = next(enough, None)
    return f"{value:.1e} %" if digits is None else f"{value:.{digits}f} %"


def once(sentences: Iterable[str]) -> list[str]:
    """Sentences that differ in nothing but measured numbers as one, with their range: ``2.3 % to 26.4 %``."""
    alike: dict[str, list[list[str]]] = {}
    for sentence in dict.fromkeys(sentences):
        alike.setdefault(_MEASURED.sub("\0", sentence), []).append(_MEASURED.findall(sentence))
    return [_with_ranges(words, figures) for words, figures in alike.items()]


def _with_ranges(words: str, figures: Sequence[Sequence[str]]) -> str:
    """``words`` with each NUL replaced by what all agree on, or by the least and the greatest."""
    told = []
    for each in zip(*figures, strict=True):
        least, most = (one(each, key=lambda figure: float(figure.split()[0])) for one in (min, max))
        told.append(least if least == most else f"{least} to {most}")
    parts = words.split("\0")
    return parts[0] + "".join(figure + part for figure, part in zip(told, parts[1:], strict=True))


def never_fail_to_say() -> None:
    """Let the standard streams show what their encoding lacks as ``?``: an ASCII console must not stop the suite."""
    for stream in {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__}:
        # A stream that was put in its place, by a test or an IDE, may not be one that can be told so.
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def moment_of(text: Any) -> datetime | None:
    """A time that KTRDR tells, in UTC where it names no zone; None where it is none. A number is seconds since 1970."""
    try:
        if isinstance(text, int | float) and not isinstance(text, bool):
            return datetime.fromtimestamp(text, UTC)
        moment = datetime.fromisoformat(str(text).upper())
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
