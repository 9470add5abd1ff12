"""Writes a table into the README, between the marker of the command that made it and the next end."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def table(rows: Iterable[tuple[str, str, str]]) -> str:
    """Figures as a Markdown table: what, measured, aim."""
    return "\n".join(["| figure | measured | aim |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)])


def put(command: str, text: str, readme: Path = README) -> None:
    """Replace what stands under ``<!-- command -->``. Raises ``ValueError`` where the README has no such marker."""
    readme.write_text(_with(command, text, readme), encoding="utf-8")


def has(command: str, text: str, readme: Path = README) -> bool:
    """Whether that is what stands there. Raises ``ValueError`` as ``put``."""
    return readme.read_text(encoding="utf-8") == _with(command, text, readme)


def _with(command: str, text: str, readme: Path) -> str:
    old = readme.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {re.escape(command)} -->\n).*?(<!-- end -->)", re.DOTALL)
    new, count = pattern.subn(lambda m: f"{m[1]}{text}\n{m[2]}", old)
    if count != 1:
        raise ValueError(f"{readme} has {count} markers <!-- {command} -->, expected one")
    return new
