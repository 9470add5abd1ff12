"""The figures of earlier runs: what is usual on a target, and how it develops.

After each run one line is added to ``reports/history/figures.jsonl``. Figures of different platforms are never
mixed, nor those of runs of other features: a cancel in mid-flight is another thing than one among many. A platform is
a target's name with its address; the embedded one gets another port each time, so its address is the arguments that it
was started with.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ktrdr_qa.target.settings import Target

FILE = Path("history") / "figures.jsonl"
"""Below the reports directory."""
FIGURES = ("acknowledged_s", "cancelled_s", "worker_idle_s", "place_free_s", "next_runs_s")
FIGURE_OF = {
    "acknowledged": "acknowledged_s",
    "cancelled": "cancelled_s",
    "worker stopped": "worker_idle_s",
    "place free": "place_free_s",
    "next runs": "next_runs_s",
}
"""By the name of the judgement that measures it."""
WORDS = ("at", "target", "place", "features", "outcome")
SHOWN = 20
"""So many runs are drawn, and asked for what is usual."""
KEPT = 1000
"""So many lines are kept in the file; it may grow to twice as many before it is cut."""
ENOUGH = 3
"""Fewer earlier runs make neither a trend nor a habit."""

Line = Mapping[str, Any]


def place_of(target: Target) -> str:
    """What tells one platform from another under the same target name.

    A fault that is switched on makes no other platform of the embedded one: it is what should stand out.
    """
    if target.embedded_one:
        words = target.embedded.arguments
        kept = [w for i, w in enumerate(words) if w != "--fault" and words[i - 1 : i] != ["--fault"]]
        return " ".join(("embedded", *kept))
    return target.base_url or ""


def line(
    target: Target, features: str, at: str, outcome: str, figures: Mapping[str, float], cancel_limit_s: float
) -> dict[str, Any]:
    """One run, as it is kept. ``features``: those that it ran; ``at``: its local time in ISO 8601."""
    return {
        "at": at,
        "target": target.name,
        "kind": target.kind,
        "place": place_of(target),
        "features": features,
        "outcome": outcome,
        "cancel_limit_s": round(cancel_limit_s, 4),
        **{name: round(figures[name], 4) for name in FIGURES if name in figures},
    }


def add(reports: Path, run: Line) -> None:
    """Add a run; the file is cut to its last lines now and then. Raises ``OSError`` where it cannot be written."""
    from filelock import FileLock  # only where it is used: it takes a moment to load

    file = reports / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(file.with_suffix(".lock")).acquire()
    except NotImplementedError as error:  # a disk on which nothing can be locked
        raise OSError(str(error)) from error
    with held, file.open("a+", encoding="utf-8", errors="replace") as history:
        history.seek(0)
        lines = history.read().splitlines()
        new = json.dumps(dict(run), ensure_ascii=False)
        if len(lines) >= 2 * KEPT:
            history.truncate(0)
            kept = [*(text for text in lines if _read(text)), new]
            history.write("\n".join(kept[-KEPT:]) + "\n")
            return
        history.seek(0, os.SEEK_END)
        # A run that was killed in the middle of writing leaves half a line: ours begins on its own.
        history.write(new + "\n" if not lines or _ends_a_line(file) else "\n" + new + "\n")


def earlier(reports: Path, target: Target, features: str, most: int = SHOWN) -> list[Line]:
    """The last runs of the same features on this platform, oldest first. Lines that cannot be understood are passed over."""
    try:
        text = (reports / FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    wanted = {"target": target.name, "place": place_of(target), "features": features}
    runs = [run for raw in text.splitlines() if (run := _read(raw))]
    return [run for run in runs if all(run[name] == value for name, value in wanted.items())][-most:]


def usual(runs: Sequence[Line], judgement: str) -> str:
    """What a judgement's figure usually is, by the runs that passed; empty where too few are known."""
    name = FIGURE_OF.get(judgement)
    known = [float(run[name]) for run in runs if name and name in run and run["outcome"] == "passed"]
    if len(known) < ENOUGH:
        return ""
    from statistics import median  # Only where there is something to tell

    told = f"usually {median(known):.2f} s"
    low, high = f"{min(known):.2f}", f"{max(known):.2f}"
    if low != high:
        told += f" ({low} to {high} s)"
    return f"{told} over the last {len(known)} runs that passed here"


def _read(raw: str) -> Line | None:
    """One line of the file, or None where it is damaged or from another program."""
    try:
        run = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(run, dict) or not all(isinstance(run.get(name), str) for name in WORDS):
        return None
    numbers = (run[name] for name in (*FIGURES, "cancel_limit_s") if name in run)
    return run if all(_is_seconds(value) for value in numbers) else None


def _is_seconds(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _ends_a_line(file: Path) -> bool:
    with file.open("rb") as raw:
        raw.seek(-1, os.SEEK_END)
        return raw.read(1) == b"\n"
