"""Run the recipe by hand, this suite and the peers against one running embedded KTRDR, in turn, and compare.

Prints medians of whole-process wall time and their ratio to the recipe's, the time from a change in the platform (its own
log) to the recorder having seen it, the suite's own time and memory, what watching many backtests costs, and what storms
come to.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import long_answers, recorder, storms
from bench.peers import checks
from bench.side_by_side import SUITE, Times, commit, measured, suite_run, target_text
from ktrdr_qa.platform.embedded import EmbeddedKtrdr
from ktrdr_qa.record.history import History
from tools import readme

OPERATIONS = (1, 10, 100, 1000)
Row = tuple[str, str, str]


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


def in_time(times: Times) -> Iterator[Row]:
    """Each check's time, side by side."""
    for who in times.took_s:
        aim = "at most 0.50 of the recipe" if who == SUITE else ""
        ratio = "" if who == checks.BY_HAND else f", {times.ratio(who):.2f} of the recipe"
        yield f"{who}, whole process", f"{times.median_s(who):.2f} s{ratio}", aim


def of_the_suite(times: Times, log: Path) -> Iterator[Row]:
    """What the suite's own runs tell of it."""
    delays_s = [delay_s for run in times.suite for delay_s in seen_after_s(run.history, log)]
    rates = [most_requests_in_a_second(run.history, str(run.history.about["backtest"])) for run in times.suite]
    own_s, peak_mb = median(run.own_s for run in times.suite), max(run.peak_mb for run in times.suite)
    yield "time that is not waiting for the platform", f"{own_s:.2f} s", "at most 0.7 s"
    yield "peak memory of the suite's process", f"{peak_mb:.0f} MB", "at most 80 MB"
    seen = f"{median(delays_s):.3f} s ({len(delays_s)} changes)"
    yield "from a change to its being seen, median", seen, "at most 0.15 s"
    yield (
        "most readings in a second of one backtest's record, the backend's and its worker's",
        f"{max(rates)}",
        "at most 10",
    )


def of_one_run_each(platform: EmbeddedKtrdr) -> Iterator[Row]:
    """With long answers in between; and as long as a live KTRDR is watched."""
    with long_answers.before(platform.announcement["api_url"]) as (url, sent):
        run = suite_run(target_text(platform, url))
    if not sent:
        sys.exit("no long answer was sent, so nothing was learnt about memory")
    many = f"{len(sent)} answers of {max(sent) / 1e6:.0f} MB in between"
    yield f"peak memory with {many}", f"{run.peak_mb:.0f} MB", "at most 80 MB"
    took_s = suite_run(target_text(platform, limits="")).took_s
    yield "this suite on a live KTRDR, which it watches for 8 s after the cancel", f"{took_s:.1f} s", ""


def of_the_recorder(watch_s: float) -> Iterator[Row]:
    costs = []
    for operations in OPERATIONS:
        print(f"watching {operations} backtests for {watch_s:.0f} s", file=sys.stderr, flush=True)
        costs.append(cost := recorder.measured(operations, watch_s))
        what = f"watching {operations:,} backtests: processor time for one of them and a minute; cores; memory; lag, median"
        told = (
            f"{cost.per_operation_minute_s * 1e3:.1f} ms; {cost.cores:.3f}; {cost.peak_mb:.0f} MB; {cost.lag_s:.2f} s"
        )
        yield what, told, "1 core, 200 MB, 0.5 s" if operations == OPERATIONS[-1] else ""
    hundred, thousand = costs[-2:]
    a_reading = thousand.a_reading_s / hundred.a_reading_s
    yield "processor time for one reading, of 1,000 backtests against of 100", f"{a_reading:.2f}", "0.8 to 1.2"


def of_storms(seconds: float) -> Iterator[Row]:
    for workers in storms.WORKERS:
        print(f"a storm on {workers} workers for {seconds:.0f} s", file=sys.stderr, flush=True)
        storm = storms.storm(workers, seconds)
        what = f"a storm of {storm.users} users on {workers} workers: cancellations judged a minute; requests a second"
        told = f"{storm.judged / seconds * 60:.0f}; {storm.requests / seconds:.0f}; {storm.outcome}"
        if storm.outcome != "passed":
            print(f"the storm: {storm.in_words}", file=sys.stderr, flush=True)
        yield what, told, "passed"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each check that are counted (default 5)")
    parser.add_argument("--watch-s", type=float, default=20, help="how long many backtests are watched (default 20)")
    parser.add_argument("--storm-s", type=float, default=30, help="how long each storm is (default 30; 0: none)")
    parser.add_argument("--readme", action="store_true", help="write the table into the README too")
    asked = parser.parse_args()
    who = [checks.BY_HAND, SUITE]
    if lacking := checks.missing():
        print(f"the peers are left out: {lacking}", file=sys.stderr)
    else:
        who = [*checks.COMMANDS, SUITE]
    rows: list[Row] = []
    with checks.stand_in("--registry-lag-s", "0") as platform:
        times = measured(platform, asked.runs, who)
        rows += [*in_time(times), *of_the_suite(times, platform.log), *of_one_run_each(platform)]
    rows += of_the_recorder(asked.watch_s)
    if asked.storm_s and storms.available():
        rows += of_storms(asked.storm_s)
    elif asked.storm_s:
        print("storms are left out: Locust is not here; make storm fetches it", file=sys.stderr)
    words = f"`make bench` at {commit()}, {asked.runs} runs of each, medians, {times.of_the_load()}:"
    print(f"{words}\n\n{readme.table(rows)}")
    if asked.readme:
        readme.put("make bench", f"{words}\n\n{readme.table(rows)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
