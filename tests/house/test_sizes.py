"""The house stays easy to see through: a file, a class and a function have a size that one reads at a sitting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bench", "features", "honest_behave", "ktrdr_qa", "standin", "storm", "tools")
LONGEST = {"file": 450, "class": 280, "function": 60}
"""In lines, all of them counted."""
LONGER: dict[str, str] = {}
"""What may be longer, and why a reader agrees."""


def sizes(place: str, text: str) -> Iterator[tuple[str, str, int]]:
    """The kind, the name and the number of lines of a file and of each class and function in it."""
    yield "file", place, len(text.splitlines())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            yield kind, f"{place} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def too_long(place: str, text: str) -> dict[str, str]:
    """What of a file is longer than it may be, by name, in words."""
    return {
        name: f"{name} has {lines} lines; a {kind} has at most {LONGEST[kind]}, or a reason in LONGER"
        for kind, name, lines in sizes(place, text)
        if lines > LONGEST[kind]
    }


def texts() -> dict[str, str]:
    """Every module of the house by its path."""
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py") if "node_modules" not in file.parts]
    return {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files}


FOUND = {name: words for place, text in texts().items() for name, words in too_long(place, text).items()}


def test_nothing_is_longer_than_one_reads_at_a_sitting() -> None:
    assert [words for name, words in FOUND.items() if name not in LONGER] == []


def test_what_may_be_longer_still_is() -> None:
    assert [name for name in LONGER if name not in FOUND] == [], "take it off the list"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\n" * 451, "f.py has 451 lines; a file has at most 450"),
        ("class A:\n" + "    x = 1\n" * 280, "f.py A has 281 lines; a class has at most 280"),
        ("async def f():\n" + "    x = 1\n" * 60, "f.py f has 61 lines; a function has at most 60"),
    ],
)
def test_what_is_too_long_is_told(text: str, told: str) -> None:
    (words,) = too_long("f.py", text).values()
    assert words.startswith(told)
