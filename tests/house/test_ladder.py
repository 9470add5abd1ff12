"""The house has one way down: each floor uses only those below it, no two modules need each other, neighbours are apart."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("honest_behave", "ktrdr_qa", "standin")
FLOORS = (
    "ktrdr_qa.run",
    "ktrdr_qa.steps",
    "ktrdr_qa.film",
    "ktrdr_qa.asserting",
    "ktrdr_qa.tell",
    "ktrdr_qa.act",
    "ktrdr_qa.judge",
    "ktrdr_qa.record",
    "ktrdr_qa.platform",
    "ktrdr_qa.target",
    "ktrdr_qa.system",
    "ktrdr_qa.words",
    "honest_behave",
)
"""From the top to the ground."""
Imports = Mapping[str, frozenset[str]]


def modules(root: Path) -> dict[str, Path]:
    """Every module of the house by its dotted name."""
    found = {}
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            if "node_modules" not in file.parts:
                name = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
                found[name] = file
    return found


def imported(tree: ast.AST, known: frozenset[str]) -> Iterator[str]:
    """The modules of the house that a module imports anywhere in it, for type checking alone included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                within = f"{node.module}.{alias.name}"
                if within in known:
                    yield within
                elif node.module in known:
                    yield node.module


def imports(root: Path) -> Imports:
    """Of every module the modules of the house that it imports."""
    files = modules(root)
    known = frozenset(files)
    return {
        name: frozenset(imported(ast.parse(file.read_text(encoding="utf-8")), known)) - {name}
        for name, file in files.items()
    }


def floor_of(module: str) -> int | None:
    """How far from the top a module is; None for the stand-in, a command, and the package's own first lines."""
    if module.endswith(".__main__"):
        return None  # A command is a door of its own: it may use every floor, and nothing imports it.
    return next((at for at, floor in enumerate(FLOORS) if module == floor or module.startswith(f"{floor}.")), None)


def upward(house: Imports) -> list[str]:
    """Each import of something that is on a higher floor."""
    return [
        f"{name} imports {other}, which is above it"
        for name, others in sorted(house.items())
        for other in sorted(others)
        if (here := floor_of(name)) is not None and (there := floor_of(other)) is not None and there < here
    ]


def circles(house: Imports) -> list[str]:
    """Each way from a module back to itself, told once."""
    found: dict[frozenset[str], str] = {}

    def follow(way: tuple[str, ...]) -> None:
        for other in sorted(house[way[-1]]):
            if other == way[0]:
                found.setdefault(frozenset(way), " -> ".join([*way, other]))
            elif other not in way and other > way[0]:
                follow((*way, other))

    for name in house:
        follow((name,))
    return sorted(found.values())


def strangers(house: Imports) -> list[str]:
    """Each import between neighbours that are to know nothing of one another."""
    return [
        f"{name} imports {other}"
        for name, others in sorted(house.items())
        for other in sorted(others)
        if name.split(".")[0] != other.split(".")[0]
        and (name.split(".")[0], other.split(".")[0]) != ("ktrdr_qa", "honest_behave")
    ]


HOUSE = imports(ROOT)


def test_no_floor_uses_one_above_it() -> None:
    assert upward(HOUSE) == []


def test_there_is_no_circle() -> None:
    assert circles(HOUSE) == []


def test_nothing_uses_a_command() -> None:
    assert [name for name, others in HOUSE.items() if any(other.endswith(".__main__") for other in others)] == []


def test_neighbours_are_apart() -> None:
    """The stand-in and the suite, and what makes Behave honest, which knows nothing of either."""
    assert strangers(HOUSE) == []


def test_every_module_is_on_a_floor() -> None:
    homeless = [
        name
        for name in HOUSE
        if name.split(".")[0] == "ktrdr_qa"
        and name != "ktrdr_qa"
        and floor_of(name) is None
        and not name.endswith(".__main__")
    ]
    assert homeless == []


@pytest.mark.parametrize(
    ("place", "line", "check", "told"),
    [
        (
            "ktrdr_qa/record/waiting.py",
            "from ktrdr_qa.judge import verdict",
            upward,
            "ktrdr_qa.record.waiting imports ktrdr_qa.judge.verdict, which is above it",
        ),
        (
            "ktrdr_qa/platform/client.py",
            "from ktrdr_qa.platform.readings import status",
            circles,
            "ktrdr_qa.platform.client -> ktrdr_qa.platform.readings -> ktrdr_qa.platform.client",
        ),
        (
            "honest_behave/counts.py",
            "from ktrdr_qa.words import plain",
            strangers,
            "honest_behave.counts imports ktrdr_qa.words",
        ),
        ("standin/web.py", "import ktrdr_qa.words", strangers, "standin.web imports ktrdr_qa.words"),
    ],
)
def test_an_import_that_breaks_the_house_is_seen(place: str, line: str, check: object, told: str) -> None:
    name = ".".join(Path(place).with_suffix("").parts)
    tree = ast.parse(f"{(ROOT / place).read_text(encoding='utf-8')}\n{line}\n")
    broken = {**HOUSE, name: frozenset(imported(tree, frozenset(HOUSE))) - {name}}
    assert callable(check) and told in check(broken)
