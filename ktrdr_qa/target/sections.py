"""Reads the sections of a target file into frozen dataclasses, by their type hints, and tells of every mistake at once.

It knows what TOML knows. A library for it would be loaded at each start, and take as long as Behave itself.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

NOT_IN_A_FILE = {"in_a_file": False}
"""Metadata of a field that a file may not set."""
S = TypeVar("S")


@dataclass(frozen=True)
class Mistake:
    """What is wrong at one place; ``given`` is what stands there, ``known`` the keys that could, where one is unknown."""

    place: tuple[str, ...]
    words: str
    given: Any = None
    known: tuple[str, ...] = ()


class Mistaken(ValueError):
    """A document with mistakes, all of them."""

    def __init__(self, mistakes: list[Mistake]):
        super().__init__("; ".join(f"{'.'.join(m.place)}: {m.words}" for m in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True)
class Within:
    """A check of a number, for ``Annotated``: any callable that returns the value or raises ``ValueError`` is one."""

    over: float = -math.inf
    at_least: float = -math.inf
    at_most: float = math.inf

    def __call__(self, value: float) -> float:
        if not value > self.over:
            raise ValueError(f"Input should be greater than {self.over}")
        if not value >= self.at_least:
            raise ValueError(f"Input should be greater than or equal to {self.at_least}")
        if not value <= self.at_most:
            raise ValueError(f"Input should be less than or equal to {self.at_most}")
        return value


def read(kind: type[S], document: Mapping[str, Any]) -> S:
    """A section off what TOML gave. Raises ``Mistaken``."""
    mistakes: list[Mistake] = []
    section = _section(kind, document, (), mistakes)
    if mistakes:
        raise Mistaken(mistakes)
    return section  # type: ignore[no-any-return]


def keys(kind: Any) -> tuple[str, ...]:
    """What a file may say in a section of this kind."""
    return tuple(sorted(f.name for f in fields(kind) if f.metadata.get("in_a_file", True)))


def _section(kind: Any, document: Any, place: tuple[str, ...], mistakes: list[Mistake]) -> Any:
    if not isinstance(document, dict):
        mistakes.append(Mistake(place, "Input should be a valid dictionary", document))
        return None
    known, hints, values, before = keys(kind), get_type_hints(kind, include_extras=True), {}, len(mistakes)
    for field in fields(kind):
        if field.name in known and field.name in document:
            values[field.name] = _value(hints[field.name], document[field.name], (*place, field.name), mistakes)
        elif field.default is MISSING and field.default_factory is MISSING:
            mistakes.append(Mistake((*place, field.name), "Field required", document))
    mistakes += [Mistake((*place, key), "unknown", document[key], known) for key in document if key not in known]
    return kind(**values) if len(mistakes) == before else None


def _value(hint: Any, value: Any, place: tuple[str, ...], mistakes: list[Mistake]) -> Any:
    """The value as its hint wants it; what cannot be had so is a mistake."""
    origin, inner, before = get_origin(hint), get_args(hint), len(mistakes)
    if origin is Annotated:
        taken = _value(inner[0], value, place, mistakes)
        for check in inner[1:] if len(mistakes) == before else ():
            try:
                taken = check(taken)
            except ValueError as error:
                mistakes.append(Mistake(place, str(error), value))
                break
        return taken
    if origin in (Union, types.UnionType):  # ``| None`` only, and TOML has no word for None.
        return _value(inner[0], value, place, mistakes)
    if is_dataclass(hint):
        return _section(hint, value, place, mistakes)
    if origin is dict and isinstance(value, dict):
        return {key: _value(inner[1], one, (*place, key), mistakes) for key, one in value.items()}
    if origin is list and isinstance(value, list):
        return [_value(inner[0], one, (*place, str(at)), mistakes) for at, one in enumerate(value)]
    if hint is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):  # An integer may be longer than any float.
            return float(value)
    elif (origin is Literal and value in inner) or type(value) is hint:
        return value
    expected = " or ".join(map(repr, inner)) if origin is Literal else _NAMES[origin or hint]
    mistakes.append(Mistake(place, f"Input should be {expected}", value))
    return None


_NAMES = {
    str: "a valid string",
    bool: "a valid boolean",
    int: "a valid integer",
    float: "a valid number",
    dict: "a valid dictionary",
    list: "a valid list",
}
