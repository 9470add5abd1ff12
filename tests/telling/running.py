"""Runs the real Behave in a directory of its own, in a pipe or on a terminal, and keeps what it leaves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gallery.behave_run import SHORT_LIMITS, embedded_target

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("features", "honest_behave", "ktrdr_qa", "standin", "targets")
MAIN = "features/backtest_cancellation.feature"
COLOUR = re.compile(r"\x1b\[([\d;]*)m")


@dataclass(frozen=True)
class Told:
    """What one run told: on the console, in the summary, in Allure's results."""

    status: int
    console: str
    place: Path

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.place / "reports/summary.json").read_text()))

    @property
    def results_dir(self) -> Path:
        return self.place / "reports" / "allure-results"

    @property
    def results(self) -> list[dict[str, Any]]:
        found = [json.loads(file.read_text()) for file in self.results_dir.glob("*-result.json")]
        return sorted(found, key=lambda result: result["start"])

    def attached(self, result: Mapping[str, Any]) -> dict[str, str]:
        """The attachments of a result and all its steps, by name; those of one name, such as two steps may have, in one."""
        found: dict[str, str] = {}
        for name, text in self._attachments(result):
            found[name] = f"{found[name]}\n{text}" if name in found else text
        return found

    def _attachments(self, result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for a in result.get("attachments", []):
            yield a["name"], (self.results_dir / a["source"]).read_text()
        for step in result.get("steps", []):
            yield from self._attachments(step)


def suite(place: Path, *faults: str, limits: str = SHORT_LIMITS) -> Path:
    """A directory in which the suite can be run on the embedded KTRDR with these faults (or other arguments)."""
    place.mkdir(parents=True, exist_ok=True)
    for linked in LINKED:
        if not (place / linked).exists():
            (place / linked).symlink_to(ROOT / linked)
    (place / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    words = [w for fault in faults for w in (("--fault", fault) if not fault.startswith("-") else fault.split())]
    (place / "target.toml").write_text(embedded_target(["--registry-lag-s", "0", *words], limits))
    return place


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "behave", *arguments]


def environment(**more: str) -> dict[str, str]:
    strange = ("KTRDR_", "ALLURE", "NO_COLOR", "BEHAVE_COLOR", "CI")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
    return kept | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "PYTHONIOENCODING": "utf-8"} | more


def run(place: Path, *arguments: str, **more: str) -> Told:
    """Run Behave with its output in a pipe."""
    done = subprocess.run(
        command(*arguments),
        cwd=place,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return Told(done.returncode, done.stdout + done.stderr, place)


def run_on_terminal(place: Path, *arguments: str, **more: str) -> Told:
    """Run Behave with a terminal of its own for all it writes."""
    import pty  # not on Windows

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments), cwd=place, env=environment(**more), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        written += part
    os.close(ours)
    return Told(process.wait(), written.decode(), place)


def screen(written: str) -> list[str]:
    """What stands on the terminal in the end: each line as it was last drawn, without colours."""
    lines = COLOUR.sub("", written).replace("\r\n", "\n").split("\n")
    return [re.split(r"\r(?:\x1b\[K)?", line)[-1] for line in lines]
