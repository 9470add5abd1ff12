"""Run the recipe as it is written and this suite against one running embedded KTRDR, in turn, and compare.

Prints medians of whole-process wall time and their ratio, the time from a change in the platform (its own log)
to the recorder having seen it, the most requests a second for one backtest, the suite's own time and memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from ktrdr_qa.platform.embedded import EmbeddedKtrdr, launch
from ktrdr_qa.record.history import History, from_json
from ktrdr_qa.target.settings import load
from tools import readme

ROOT = Path(__file__).resolve().parents[1]
FEATURE = "features/backtest_cancellation.feature"
REST_S = 15.0


def timed(command: list[str], port: int, place: Path, **more: str) -> float:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KTRDR_")}
    environment |= {"KTRDR_API_PORT": str(port), **more}
    began_s = time.monotonic()
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - began_s


def let_it_rest(platform: EmbeddedKtrdr) -> None:
    """Wait until no backtest runs, so that no run pays for the one before it."""
    import requests

    url = f"{platform.announcement['api_url']}/api/v1/operations"
    deadline_s = time.monotonic() + REST_S
    while time.monotonic() < deadline_s:
        active = requests.get(url, params={"active_only": "true", "limit": "50"}, timeout=5).json()
        if not active["active_count"]:
            return
        for entry in active["data"]:
            requests.delete(f"{url}/{entry['operation_id']}", timeout=5)
    sys.exit(f"the embedded KTRDR did not come to rest within {REST_S:.0f} s")


def history_of(place: Path) -> History:
    for file in (place / "reports" / "allure-results").glob("*-attachment.json"):
        try:
            return from_json(file.read_text(encoding="utf-8"))
        except ValueError:
            continue
    sys.exit("the run left no history")


def seen_after_s(history: History, log: Path) -> list[float]:
    """For each change of a watched backtest in the platform's log: how long until a reading showed it."""
    origin_s = float(history.about["clock_origin_s"])
    delays = []
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        backtest = str(entry.get("operation_id"))
        if entry["process"] != "backend" or entry["event"] not in ("status", "progress"):
            continue
        changed_s = float(entry["monotonic"]) - origin_s
        readings = history.of("backend", backtest)
        # Only what changed while it was watched, and what no later change had hidden by the next reading.
        shown = (s for s in readings if s.answered_s >= changed_s and s.status == entry["status"])
        first = next((s for s in shown if abs((s.percentage or 0) - entry["percentage"]) < 1e-3), None)
        if first and readings[0].asked_s < changed_s:
            delays.append(first.answered_s - changed_s)
    return delays


def most_requests_in_a_second(history: History, backtest: str) -> int:
    """Readings of one backtest, by the backend's view and its worker's, in the fullest second."""
    asked = sorted(s.asked_s for s in history.samples if s.subject == backtest and s.view in ("backend", "worker"))
    return max((sum(1 for other in asked if at <= other < at + 1.0) for at in asked), default=0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--readme", action="store_true", help="write the table into the README too")
    asked = parser.parse_args()
    platform = launch(load("embedded"))
    recipe_s: list[float] = []
    suite_s: list[float] = []
    own_s: list[float] = []
    peak_mb: list[float] = []
    delays_s: list[float] = []
    rates: list[int] = []
    try:
        port = int(platform.announcement["api_url"].rsplit(":", 1)[1])
        behave = [sys.executable, "-m", "bench.measured_behave", "-f", "null", FEATURE]
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            place = Path(name)
            for linked in ("features", "honest_behave", "ktrdr_qa", "targets", "pyproject.toml", "bench"):
                (place / linked).symlink_to(ROOT / linked)
            figures_file = place / "figures.json"
            for number in range(1, asked.runs + 1):
                let_it_rest(platform)
                recipe_s.append(timed(["bash", "bench/recipe.sh"], port, place))
                let_it_rest(platform)
                suite_s.append(timed(behave, port, place, BENCH_FIGURES=str(figures_file)))
                figures: dict[str, Any] = json.loads(figures_file.read_text(encoding="utf-8"))
                own_s.append(suite_s[-1] - figures["waited_s"])
                peak_mb.append(figures["peak_mb"])
                history = history_of(place)
                delays_s += seen_after_s(history, platform.log)
                rates.append(most_requests_in_a_second(history, str(history.about["backtest"])))
                print(
                    f"run {number}: recipe {recipe_s[-1]:.2f} s, suite {suite_s[-1]:.2f} s", file=sys.stderr, flush=True
                )
    finally:
        platform.stop()
    ratio = median(suite_s) / median(recipe_s)
    rows = [
        ("the recipe, by hand", f"{median(recipe_s):.2f} s", ""),
        ("this suite, whole process", f"{median(suite_s):.2f} s", ""),
        ("ratio", f"{ratio:.2f}", "at most 0.55"),
        (
            "from a change to its being seen, median",
            f"{median(delays_s):.3f} s ({len(delays_s)} changes)",
            "at most 0.15 s",
        ),
        ("most requests in a second for one backtest", f"{max(rates)}", "at most 10"),
        ("time that is not waiting for the platform", f"{median(own_s):.2f} s", "at most 1.0 s"),
        ("peak memory of the suite's process", f"{max(peak_mb):.0f} MB", "at most 120 MB"),
    ]
    print(readme.table(rows))
    if asked.readme:
        readme.put("make bench", f"`make bench`, {asked.runs} runs of each, medians:\n\n{readme.table(rows)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
