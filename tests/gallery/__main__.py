"""The proof that the suite can fail, and that it does not slander: ``python -m tests.gallery``.

Every fault of ``standin/faults.toml`` is switched on in turn and the real suite is run against it; outcome, failing
step, category and the telling part of the message must be those of the table. Then the healthy platforms of
``healthy.toml`` are run, and every one must pass. Exit status 0 only if all of it is as it should be.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import readme
from tests.gallery.behave_run import ROOT, Ran, embedded_target, run_suite

FAULTS = ROOT / "standin" / "faults.toml"
HEALTHY = Path(__file__).with_name("healthy.toml")
CATEGORIES = {"failed": {"Product defect"}, "inconclusive": {"Platform not ready", "Inconclusive"}}
ALWAYS = ["--registry-lag-s", "0"]
JOBS = 4


@dataclass(frozen=True)
class Case:
    """What one fault came to, and what is wrong with that, if anything."""

    fault: str
    sentence: str
    outcome: str
    category: str
    step: str
    message: str
    took_s: float
    wrong: str


def faults() -> list[dict[str, Any]]:
    return list(tomllib.loads(FAULTS.read_text(encoding="utf-8"))["fault"])


def healthy() -> list[dict[str, Any]]:
    return list(tomllib.loads(HEALTHY.read_text(encoding="utf-8"))["platform"])


def run_fault(fault: dict[str, Any], root: Path = ROOT) -> Case:
    ran = run_suite(fault["feature"], embedded_target([*ALWAYS, "--fault", fault["name"]]), root=root)
    scenario, step, message = ran.culprit
    category = ran.categories.get(scenario, "")
    return Case(
        fault["name"],
        fault["sentence"],
        ran.outcome,
        category,
        step,
        message,
        ran.took_s,
        what_is_wrong(fault, ran, step, message, category),
    )


def what_is_wrong(fault: dict[str, Any], ran: Ran, step: str, message: str, category: str) -> str:
    """Where a run differs from the table, in one sentence, or nothing."""
    if ran.outcome in ("passed", "nothing"):
        return f"it went unnoticed: {ran.outcome}, exit status {ran.exit_status}"
    if ran.outcome != fault["outcome"]:
        return f"the outcome is {ran.outcome}, not {fault['outcome']}"
    if fault["step"] not in step:
        return f"it was caught at {step!r}, not at {fault['step']!r}"
    if fault["message"] not in f"{message}\n":
        return f"the message does not say {fault['message']!r}"
    if category not in CATEGORIES[ran.outcome]:
        return f"its category is {category!r}"
    if "Traceback" in ran.output:
        return "the console shows a traceback"
    return ""


def same_messages(cases: Iterable[Case]) -> list[str]:
    """Faults that a reader could not tell apart: the same step and the same words, but for numbers and ids."""
    told: dict[str, list[str]] = {}
    for case in cases:
        words = " ".join(w for w in case.message.split() if not any(c.isdigit() for c in w))
        told.setdefault(f"{case.step}|{words}", []).append(case.fault)
    return [", ".join(names) for names in told.values() if len(names) > 1]


def show(case: Case) -> None:
    line = next((li.strip() for li in case.message.splitlines() if "but:" in li), case.message.split("\n")[0])
    mark = "WRONG" if case.wrong else "ok"
    print(f"{mark:5} {case.fault:42} {case.outcome:13} {case.took_s:5.1f} s  {line[:90]}", flush=True)
    if case.wrong:
        print(f"      {case.wrong}\n      {case.message[:600]}", flush=True)


def run_faults(chosen: Sequence[dict[str, Any]], jobs: int) -> list[Case]:
    cases = []
    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(run_fault, fault) for fault in chosen]):
            cases.append(done.result())
            show(cases[-1])
    return cases


def run_healthy(runs: int, jobs: int) -> tuple[int, list[str]]:
    """Run the healthy platforms in turn until there were so many runs; returns their number and the false alarms."""
    platforms = healthy()
    chosen = [platforms[i % len(platforms)] for i in range(runs)]
    alarms = []
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(run_platform, p): p["name"] for p in chosen}
        for number, done in enumerate(as_completed(futures), start=1):
            ran = done.result()
            if ran.outcome != "passed":
                _scenario, step, message = ran.culprit
                alarms.append(f"{futures[done]}: {ran.outcome} at {step!r}: {message[:600]}")
                print(f"FALSE ALARM {alarms[-1]}", flush=True)
            if number % 20 == 0 or number == runs:
                print(f"healthy runs: {number} of {runs}, false alarms: {len(alarms)}", flush=True)
    return runs, alarms


def run_platform(platform: dict[str, Any]) -> Ran:
    return run_suite("features/backtest_cancellation.feature", embedded_target(platform["arguments"], limits=""))


# --- each check is needed --------------------------------------------------------------------------------------


def sole_catches(cases: Iterable[Case]) -> dict[str, list[str]]:
    """Each check of the flow (its sentence) with the faults that it alone ends a run for."""
    caught: dict[str, list[str]] = {}
    for case in cases:
        if case.outcome == "failed" and case.step:
            caught.setdefault(case.step.split(" ", 1)[1], []).append(case.fault)
    return caught


def notices_without(step: str, names: Sequence[str], table: dict[str, dict[str, Any]]) -> str:
    """Take one check out of a copy of the features; some fault that only it caught must now miss the table's row."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as place:
        copy = Path(place)
        for name in ("features", "ktrdr_qa", "standin", "targets"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        for feature in (copy / "features").glob("*.feature"):
            lines = feature.read_text(encoding="utf-8").splitlines()
            feature.write_text("\n".join(li for li in lines if not li.strip().endswith(step)) + "\n", encoding="utf-8")
        for name in names:
            case = run_fault(table[name], root=copy)
            if case.wrong:
                return f"{name}: {case.wrong}"
    return ""


def check_the_checks(cases: Sequence[Case], jobs: int) -> list[str]:
    table = {fault["name"]: fault for fault in faults()}
    missed = []
    steps = {
        s: names for s, names in sole_catches(cases).items() if not s.startswith(("a ", "the backtest is cancelled"))
    }
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(notices_without, step, names, table): step for step, names in steps.items()}
        for done in as_completed(futures):
            noticed = done.result()
            print(
                f"{'ok' if noticed else 'WRONG':5} without {futures[done][:70]!r}: {noticed[:110] or 'nothing was noticed'}",
                flush=True,
            )
            if not noticed:
                missed.append(futures[done])
    return missed


# --- the command -----------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gallery", description=__doc__)
    parser.add_argument("only", nargs="*", help="faults to run, by the beginning of their names; default: all")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"platforms side by side (default {JOBS})")
    parser.add_argument("--healthy", type=int, default=0, metavar="RUNS", help="then so many runs of healthy platforms")
    parser.add_argument("--checks", action="store_true", help="then take each check out of a copy: it must be missed")
    parser.add_argument("--no-faults", action="store_true", help="leave the faults out")
    parser.add_argument("--readme", action="store_true", help="write the figures into the README")
    asked = parser.parse_args()

    began_s = time.monotonic()
    chosen = [f for f in faults() if not asked.only or any(f["name"].startswith(o) for o in asked.only)]
    cases = [] if asked.no_faults else run_faults(chosen, asked.jobs)
    wrong = [case for case in cases if case.wrong]
    alike = same_messages(cases)
    for names in alike:
        print(f"WRONG the same message for {names}")
    runs, alarms = run_healthy(asked.healthy, asked.jobs) if asked.healthy else (0, [])
    missed = check_the_checks(cases, asked.jobs) if asked.checks else []

    caught = len(cases) - len(wrong)
    print(
        f"\nfaults: {caught} of {len(cases)} caught as the table says; outcomes: {dict(Counter(c.outcome for c in cases))}"
    )
    if asked.healthy:
        print(f"false alarms: {len(alarms)} of {runs} healthy runs")
    if asked.checks:
        print(f"checks whose absence went unnoticed: {len(missed)}")
    if asked.readme:
        rows = [
            (
                "broken platforms caught, with the outcome, step and message of the table",
                f"{caught} of {len(cases)}",
                "all, at least 55",
            ),
            ("false alarms in runs of healthy but awkward platforms", f"{len(alarms)} of {runs}", "0 of 200 or more"),
            ("checks that can be taken out unnoticed", f"{len(missed)}", "0"),
        ]
        words = f"`make gallery HEALTHY={runs}`, in {(time.monotonic() - began_s) / 60:.1f} minutes:"
        readme.put("make gallery", f"{words}\n\n{readme.table(rows)}\n")
    bad = len(wrong) + len(alike) + len(alarms) + len(missed)
    print(f"{len(cases) + runs - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
