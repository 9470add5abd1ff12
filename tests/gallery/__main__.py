"""The proof that the suite can fail, and that it does not slander: ``python -m tests.gallery``.

Every fault of ``standin/faults.toml`` is switched on in turn and the real suite is run against it; outcome, failing
step, category and the telling part of the message must be those of the table, and the verdict must be told soon
after the reading that decides it. Then the healthy platforms of ``healthy.toml`` are run, and every one must pass, or
end as its row says. Exit status 0 only if all of it is as it should be.
"""

from __future__ import annotations

import argparse
import random
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

from ktrdr_qa.system import into_a_pipe
from storm.asked import at_least
from tests.gallery.behave_run import ROOT, SHORT_LIMITS, Ran, embedded_target, run_suite, short_limits
from tools import readme

FAULTS = ROOT / "standin" / "faults.toml"
HEALTHY = Path(__file__).with_name("healthy.toml")
CATEGORIES = {"failed": {"Product defect"}, "inconclusive": {"Platform not ready", "Inconclusive"}}
ALWAYS = ["--registry-lag-s", "0"]
JOBS = 4
DECIDED_WITHIN_S = 10.0
"""How soon after the decisive reading the verdict must be told, where a fault's row says nothing else."""


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
    decided_s: float | None
    wrong: str


def faults() -> list[dict[str, Any]]:
    return list(tomllib.loads(FAULTS.read_text(encoding="utf-8"))["fault"])


def healthy() -> list[dict[str, Any]]:
    return list(tomllib.loads(HEALTHY.read_text(encoding="utf-8"))["platform"])


def varied(name: str, seed: int | None) -> list[str]:
    """Other timings, sizes and numbers of workers within what is healthy, the same for the same seed and name."""
    if seed is None:
        return []
    dice = random.Random(f"{seed} {name}")
    chosen = {
        "--seed": dice.randrange(1, 10_000),
        "--workers": dice.choice((2, 3, 4)),
        "--bars-per-second": dice.randrange(25, 60),
        "--refresh-s": round(dice.uniform(0.05, 1.0), 2),
        "--latency-s": round(dice.uniform(0.0, 0.05), 3),
        "--jitter-s": round(dice.uniform(0.0, 0.05), 3),
        "--registry-lag-s": round(dice.uniform(0.0, 1.0), 2),
        "--old-operations": dice.choice((0, 3, 40)),
        "--clock-skew-s": dice.choice((0, -90, 90)),
    }
    flags = [flag for flag in ("--shuffled-fields", "--keeps-progress") if dice.random() < 0.5]
    return [word for option, value in chosen.items() for word in (option, str(value))] + flags


def run_fault(fault: dict[str, Any], root: Path = ROOT, seed: int | None = None) -> Case:
    # What a row asks for comes last, so that nothing takes it away.
    arguments = [*ALWAYS, *varied(fault["name"], seed), *fault.get("arguments", ()), "--fault", fault["name"]]
    ran = run_suite(fault["feature"], embedded_target(arguments, short_limits(fault.get("limits", ""))), root=root)
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
        ran.decided_s,
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
    # Where the fault may hit a request that is on its way, the row says what such a one is told.
    if not any(words in f"{message}\n" for words in (fault["message"], fault.get("or_message", fault["message"]))):
        return f"the message does not say {fault['message']!r}"
    if category not in CATEGORIES[ran.outcome]:
        return f"its category is {category!r}"
    if "Traceback" in ran.output:
        return "the console shows a traceback"
    within_s = fault.get("decided_within_s", DECIDED_WITHIN_S)
    if ran.decided_s is not None and ran.decided_s > within_s:
        return f"the verdict was told {ran.decided_s:.1f} s after the reading that decided it, not within {within_s} s"
    return ""


def same_messages(cases: Iterable[Case], table: Iterable[dict[str, Any]]) -> list[str]:
    """Faults that a reader could not tell apart: the same step and the same words, but for numbers and ids.

    Those which the table calls like one another look the same from outside, and may.
    """
    like = {fault["name"]: fault.get("like", fault["name"]) for fault in table}
    told: dict[str, list[str]] = {}
    for case in cases:
        words = " ".join(w for w in case.message.split() if not any(c.isdigit() for c in w))
        told.setdefault(f"{case.step}|{words}", []).append(case.fault)
    return [", ".join(names) for names in told.values() if len({like[name] for name in names}) > 1]


def show(case: Case) -> None:
    line = next((li.strip() for li in case.message.splitlines() if "but:" in li), case.message.split("\n")[0])
    mark = "WRONG" if case.wrong else "ok"
    decided = "     -" if case.decided_s is None else f"{case.decided_s:4.1f} s"
    print(f"{mark:5} {case.fault:42} {case.outcome:13} {case.took_s:5.1f} s {decided}  {line[:90]}", flush=True)
    if case.wrong:
        print(f"      {case.wrong}\n      {case.message[:600]}", flush=True)


def run_faults(chosen: Sequence[dict[str, Any]], jobs: int, seed: int | None) -> list[Case]:
    """Side by side; those of which the row says ``alone`` after that, since they show where a processor is to spare."""
    cases = []
    alone = [fault for fault in chosen if fault.get("alone")]
    for faults_of_a_kind, at_once in ([fault for fault in chosen if fault not in alone], jobs), (alone, 1):
        with ThreadPoolExecutor(at_once) as pool:
            for done in as_completed([pool.submit(run_fault, fault, seed=seed) for fault in faults_of_a_kind]):
                cases.append(done.result())
                show(cases[-1])
    return cases


def run_healthy(platforms: Sequence[dict[str, Any]], runs: int, jobs: int, seed: int | None) -> tuple[int, list[str]]:
    """Run healthy platforms in turn until there were so many runs; returns their number and the false alarms."""
    chosen = [platforms[i % len(platforms)] for i in range(runs)]
    alarms = []
    with ThreadPoolExecutor(jobs) as pool:
        futures = {
            pool.submit(run_platform, p, seed=None if seed is None else seed + number): p
            for number, p in enumerate(chosen)
        }
        for number, done in enumerate(as_completed(futures), start=1):
            ran, platform = done.result(), futures[done]
            _scenario, step, message = ran.culprit
            wanted = platform.get("outcome", "passed")
            if ran.outcome != wanted or (wanted != "passed" and platform.get("message", "") not in message):
                alarms.append(f"{platform['name']}: {ran.outcome} at {step!r}: {message[:600]}")
                print(f"FALSE ALARM {alarms[-1]}", flush=True)
            if number % 20 == 0 or number == runs:
                print(f"healthy runs: {number} of {runs}, false alarms: {len(alarms)}", flush=True)
    return runs, alarms


def run_platform(platform: dict[str, Any], seed: int | None = None) -> Ran:
    feature = platform.get("feature", "features/backtest_cancellation.feature")
    arguments = [*varied(platform["name"], seed), *platform["arguments"]]
    limits = SHORT_LIMITS if platform.get("limits") == "short" else ""
    return run_suite(feature, embedded_target(arguments, limits))


def named(rows: Iterable[dict[str, Any]], beginnings: Sequence[str]) -> list[dict[str, Any]]:
    """The rows whose names begin with one of these; all of them where none is given."""
    return [row for row in rows if not beginnings or row["name"].startswith(tuple(beginnings))]


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
        for name in ("features", "honest_behave", "ktrdr_qa", "standin", "targets"):
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
    parser.add_argument("only", nargs="*", help="faults and healthy platforms, by the beginning of their names")
    parser.add_argument("--jobs", type=at_least(1), default=JOBS, help=f"platforms side by side (default {JOBS})")
    parser.add_argument(
        "--healthy", type=at_least(0), default=0, metavar="RUNS", help="then so many runs of healthy platforms"
    )
    parser.add_argument("--checks", action="store_true", help="then take each check out of a copy: it must be missed")
    parser.add_argument("--no-faults", action="store_true", help="leave the faults out")
    parser.add_argument(
        "--vary",
        nargs="?",
        type=int,
        const=-1,
        metavar="SEED",
        help="on platforms with other timings, sizes and numbers of workers; the seed is chosen and printed if left out",
    )
    parser.add_argument("--readme", action="store_true", help="write the figures into the README")
    asked = parser.parse_args()

    began_s = time.monotonic()
    seed = random.randrange(10_000) if asked.vary == -1 else asked.vary
    chosen = [] if asked.no_faults else named(faults(), asked.only)
    platforms = named(healthy(), asked.only) if asked.healthy else []
    names = [row["name"] for row in (*chosen, *platforms)]
    if unknown := [only for only in asked.only if not any(name.startswith(only) for name in names)]:
        parser.error(f"nothing that was asked for is called {', '.join(unknown)}...")
    if not names:
        parser.error("--no-faults leaves nothing to run without --healthy RUNS")
    if seed is not None:
        print(f"varied with --vary {seed}")
        random.Random(seed).shuffle(chosen)
    cases = run_faults(chosen, asked.jobs, seed)
    wrong = [case for case in cases if case.wrong]
    alike = same_messages(cases, faults())
    runs, alarms = run_healthy(platforms, asked.healthy, asked.jobs, seed) if platforms else (0, [])
    missed = check_the_checks(cases, asked.jobs) if asked.checks else []

    slowest_s = max((case.decided_s for case in cases if case.decided_s is not None), default=None)
    caught = len(cases) - len(wrong)
    print(
        f"\nfaults: {caught} of {len(cases)} caught as the table says; outcomes: {dict(Counter(c.outcome for c in cases))}"
    )
    if slowest_s is not None:
        print(f"slowest verdict: {slowest_s:.1f} s after the reading that decided it")
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
            (
                "slowest verdict, counted from the reading that decided it",
                "-" if slowest_s is None else f"{slowest_s:.1f} s",
                f"{DECIDED_WITHIN_S:.0f} s, but for windows that the sentences name",
            ),
            ("false alarms in runs of healthy but awkward platforms", f"{len(alarms)} of {runs}", "0 of 200 or more"),
            ("checks whose fault ends as failed, that can be taken out unnoticed", f"{len(missed)}", "0"),
        ]
        words = f"`make gallery HEALTHY={runs}`, in {(time.monotonic() - began_s) / 60:.1f} minutes:"
        readme.put("make gallery", f"{words}\n\n{readme.table(rows)}\n")
    bad = len(wrong) + len(alike) + len(alarms) + len(missed)
    # Once more at the end, where whoever sees only the last lines of a log looks.
    told = [f"{case.fault}: {case.wrong}" for case in wrong] + [f"the same message for {names}" for names in alike]
    for words in [*told, *alarms, *(f"nothing was noticed without {step!r}" for step in missed)]:
        print(f"WRONG {words}")
    print(f"{len(cases) + runs - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(into_a_pipe(main))
