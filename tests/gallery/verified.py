"""``python -m tests.gallery.verified``: writes the README's table of what is verified, and by which faults that is proved.

A row is a sentence of a feature that can fail, with its scenarios and the faults of ``standin/faults.toml`` that a run
ends at it for. A sentence that an earlier feature has as well stands there, unless a fault proves it here. ``--check``
writes nothing and fails with one line where the table is not current, or a fault's row names no sentence.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from behave.parser import parse_file

from tests.gallery.behave_run import ROOT
from tools import readme

COMMAND = "python -m tests.gallery.verified"
MAIN = "features/backtest_cancellation.feature"
_LIMITS = re.compile(
    r",?(?: and)?(?: at most)? (?:with)?in \d+ seconds(?: of the cancellation)?|, for at most \d+ seconds| for \d+ seconds, and for \d+ of its usual updates"
)
ANYWHERE = "whichever sentence it breaks first"


@dataclass
class Row:
    """A sentence without its limits, the scenarios that say it, and the faults that it is proved by."""

    sentence: str
    scenarios: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class NoSentence(Exception):
    """A fault's row that names no sentence of its feature."""


def rows_of(feature: Any, file: str, faults: Sequence[dict[str, Any]]) -> list[Row]:
    """The rows of one feature, in the order of its sentences."""
    rows: dict[str, Row] = {}
    steps = [("every scenario", step) for step in (feature.background.steps if feature.background else ())]
    steps += [(scenario.name, step) for scenario in feature.scenarios for step in scenario.steps]
    own = [fault for fault in faults if fault["feature"] == file]
    for scenario, step in steps:
        proved = [fault["name"] for fault in own if fault["step"] and fault["step"] in step.name]
        if step.step_type != "then" and not proved:
            continue
        sentence = _LIMITS.sub("", step.name)
        row = rows.setdefault(sentence, Row(sentence))
        row.scenarios += [] if scenario in row.scenarios else [scenario]
        row.faults += [name for name in proved if name not in row.faults]
    if anywhere := [fault["name"] for fault in own if not fault["step"]]:
        rows[""] = Row(ANYWHERE, [], anywhere)
    told = {name for row in rows.values() for name in row.faults}
    if lost := [fault["name"] for fault in own if fault["name"] not in told]:
        raise NoSentence(f"{file} has no sentence for the step of {', '.join(lost)}")
    return list(rows.values())


def document(features: Path, faults: Sequence[dict[str, Any]]) -> str:
    """The whole table in Markdown, a part a feature, the recipe first."""
    files = sorted(features.glob("*.feature"), key=lambda file: (file.name != Path(MAIN).name, file.name))
    said: set[str] = set()
    parts, sentences, repeated = [], 0, []
    for file in files:
        feature = parse_file(str(file))
        rows = [
            row for row in rows_of(feature, f"features/{file.name}", faults) if row.faults or row.sentence not in said
        ]
        said |= {row.sentence for row in rows}
        if not rows:
            repeated.append(f"*{feature.name}*")
            continue
        sentences += sum(row.sentence != ANYWHERE for row in rows)
        proved = sum(len(row.faults) for row in rows)
        names = [_scenarios(row, feature) for row in rows]
        where = ["as above" if at and name == names[at - 1] else name for at, name in enumerate(names)]
        lines = [f"| {row.sentence} | {name} | {_names(row.faults)} |" for row, name in zip(rows, where, strict=True)]
        title = f"<b>{feature.name}</b>, <code>features/{file.name}</code>: {_count(len(lines), 'check')}, {_count(proved, 'fault')}"
        head = ["| what must be true | scenario | proved by the faults |", "|---|---|---|"]
        parts.append("\n".join([f"<details><summary>{title}</summary>", "", *head, *lines, "", "</details>"]))
    head = f"{sentences} sentences, {len(faults)} faults; written by `{COMMAND}`."
    has = "has" if len(repeated) == 1 else "have"
    same = f" {' and '.join(repeated)} {has} no sentences but these." if repeated else ""
    return f"{head}{same}\n\n" + "\n".join(parts) + "\n"


def _scenarios(row: Row, feature: Any) -> str:
    """Where a sentence stands, in words."""
    if row.sentence == ANYWHERE:
        return "any"
    every = len(row.scenarios) == len(feature.scenarios) > 1
    return "every scenario" if every else "; ".join(row.scenarios)


def _names(faults: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in faults) or "none so far; its rule by `tests/judging`"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write the README's table of what is verified.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the table is not current")
    asked = parser.parse_args(arguments)
    faults = tomllib.loads((ROOT / "standin" / "faults.toml").read_text(encoding="utf-8"))["fault"]
    try:
        text = document(ROOT / "features", faults)
    except NoSentence as gap:
        print(f"verified: {gap}", file=sys.stderr)
        return 1
    if not asked.check:
        readme.put(COMMAND, text)
    elif not readme.has(COMMAND, text):
        print(f"the README's table of what is verified is not current; write it with: {COMMAND}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
