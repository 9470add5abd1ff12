"""Mutation testing of what decides the verdict: ``python -m tests.judging.mutation [MODULE ...]``.

Changes the judgements, the verdict and the verbs for waiting in one place at a time (a limit, a comparison, a
word of a sentence, ...) and runs their unit tests: each mutant must make one fail. A mutant that no test can kill,
because it does the same, is listed in ``equivalent_mutants.toml`` with the reason. The command prints how many were
killed, and ends with status 1 where a mutant survives that is not listed, where one is listed that does not survive,
or where less than 95 % are killed. It takes a few minutes.

The work is mutmut's; it is done in a copy, so nothing is left behind.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = {
    **dict.fromkeys(
        (
            *("judgement", "reading", "pace", "running", "cancelling", "afterwards", "listed"),
            *("others", "crashes", "next_backtest", "worker", "processor", "verdict"),
        ),
        "judge",
    ),
    **dict.fromkeys(
        (
            *("endurance", "restart", "nothing_to_cancel", "cancellation_with_reason", "simultaneous_cancellation"),
            *("repeated_cancellation", "cancellation_near_the_end", "cancellation_beside_others"),
            *("more_starts_than_workers", "every_view_agrees"),
        ),
        "judge/ways",
    ),
    "waiting": "record",
}
"""What is tested, and on which floor of ``ktrdr_qa`` each is."""
EQUIVALENT = Path(__file__).parent / "equivalent_mutants.toml"
LEAST_KILLED = 0.95
NOT_NEEDED = (
    "test_judging_properties.py",
    "test_judging_history.py",
    "test_judging_matchers.py",
    "test_judging_mutants.py",
    "test_judge_command.py",
)
"""Tests that take long, or that are about something else."""
SURVIVED, NOT_TESTED = 0, 33
"""mutmut's exit status of a mutant under which every test passed, and of one that no test reaches."""
PROGRESS = re.compile(r"(\d+)/(\d+)")
"""How mutmut tells how many mutants are done."""
SETTINGS = """
[tool.pytest.ini_options]
addopts = "-q -p no:cacheprovider"
[tool.mutmut]
source_paths = ["ktrdr_qa"]
only_mutate = [{modules}]
pytest_add_cli_args_test_selection = ["tests/judging"]
also_copy = ["ktrdr_qa", "tests"]
"""


@dataclass(frozen=True, order=True)
class Mutant:
    """A change of one function: the line that was there, and the one that took its place."""

    function: str
    was: str
    now: str


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.judging.mutation", description="Test the tests.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}; all without")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants tested at the same time")
    given = parser.parse_args(arguments)
    modules = given.modules or list(MODULES)
    if strange := [name for name in modules if name not in MODULES]:
        parser.error(f"there is no module {', '.join(strange)} here; there are {', '.join(MODULES)}")
    if importlib.util.find_spec("mutmut") is None:
        print("mutmut is not installed: pip install -r requirements-dev.txt", file=sys.stderr)
        return 2
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        place = Path(directory)
        lay_out(place, modules)
        print(f"testing the tests with the mutants of {len(modules)} modules, {given.jobs} at a time", file=sys.stderr)
        status, said = run_mutmut(place, given.jobs)
        if not all(results_file(place, module).is_file() for module in modules) or status:
            print(said, file=sys.stderr)
            print("the mutants could not be tested: see above", file=sys.stderr)
            return 2
        return report(place, modules, time.monotonic() - began_s)


def run_mutmut(place: Path, jobs: int) -> tuple[int, str]:
    """Its exit status and its last words; each tenth of the mutants that is done is told meanwhile."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs)]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    said: deque[str] = deque(maxlen=100)
    told = 0
    with subprocess.Popen(
        command, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as ran:
        assert ran.stdout is not None
        # It writes its progress over and over itself, in one line; universal newlines part them.
        for line in ran.stdout:
            said.append(line)
            done, of = (int(n) for n in found.groups()) if (found := PROGRESS.search(line)) else (0, 1)
            if done * 10 // of > told:
                told = done * 10 // of
                print(f"{done} of {of} mutants tested", file=sys.stderr)
    return ran.returncode, "".join(said)


def lay_out(place: Path, modules: Sequence[str]) -> None:
    """A copy of what mutmut needs, with its settings."""
    leave_out = shutil.ignore_patterns("__pycache__", *NOT_NEEDED)
    shutil.copytree(ROOT / "ktrdr_qa", place / "ktrdr_qa", ignore=leave_out)
    shutil.copytree(ROOT / "tests" / "judging", place / "tests" / "judging", ignore=leave_out)
    (place / "tests" / "__init__.py").touch()
    named = ", ".join(f'"ktrdr_qa/{MODULES[module]}/{module}.py"' for module in modules)
    (place / "pyproject.toml").write_text(SETTINGS.format(modules=named), encoding="utf-8")


def report(place: Path, modules: Sequence[str], took_s: float) -> int:
    """Print what came of the mutants; returns the command's exit status."""
    listed = {mutant: why for mutant, why in read_listed().items() if mutant.function.split(".")[0] in modules}
    survivors: set[Mutant] = set()
    total = killed = 0
    print(f"{'module':<26} {'mutants':>8} {'killed':>8} {'equivalent':>11} {'survived':>9}")
    for module in modules:
        outcomes = json.loads(results_file(place, module).read_text(encoding="utf-8"))["exit_code_by_key"]
        alive = [name for name, outcome in outcomes.items() if outcome in (SURVIVED, NOT_TESTED, None)]
        found = list(describe(place, module, alive))
        equivalent = sum(mutant in listed for mutant in found)
        survivors.update(found)
        total, killed = total + len(outcomes), killed + len(outcomes) - len(alive)
        dead = len(outcomes) - len(alive)
        print(f"{module:<26} {len(outcomes):>8} {dead:>8} {equivalent:>11} {len(found) - equivalent:>9}")
    print(f"{killed} of {total} mutants killed ({killed / total:.1%}) in {took_s:.0f} s")
    for mutant in sorted(survivors - listed.keys()):
        print(f"\nsurvived in {mutant.function}:\n  - {mutant.was}\n  + {mutant.now}")
    for mutant in sorted(listed.keys() - survivors):
        print(f"\nlisted as equivalent, but not among the survivors, in {mutant.function}:")
        print(f"  - {mutant.was}\n  + {mutant.now}\n  remove it from {EQUIVALENT.name}")
    return 0 if survivors == listed.keys() and killed >= LEAST_KILLED * total else 1


def read_listed() -> dict[Mutant, str]:
    """The mutants that are known to be equivalent, with the reasons.

    Raises ``ValueError`` where one has no reason.
    """
    listed = {}
    for entry in tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("mutant", []):
        if not entry.get("why", "").strip():
            raise ValueError(f"{EQUIVALENT.name}: a mutant of {entry.get('function')} has no reason")
        for now in [entry["now"]] if isinstance(entry["now"], str) else entry["now"]:
            listed[Mutant(entry["function"], entry["was"], now)] = entry["why"]
    return listed


def results_file(place: Path, module: str) -> Path:
    return place / "mutants" / "ktrdr_qa" / MODULES[module] / f"{module}.py.meta"


def describe(place: Path, module: str, names: Sequence[str]) -> Iterator[Mutant]:
    """What mutants change, told apart by their lines: mutmut's numbers shift with every edit."""
    text = (place / "mutants" / "ktrdr_qa" / MODULES[module] / f"{module}.py").read_text(encoding="utf-8")
    bodies = {
        node.name: "\n".join(text.splitlines()[node.lineno : node.end_lineno])
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
    }
    for name in names:
        mangled = name.rsplit(".", 1)[-1]
        function = mangled.rsplit("__mutmut_", 1)[0]
        was, now = bodies[f"{function}__mutmut_orig"].splitlines(), bodies[mangled].splitlines()
        changed = [line for line in difflib.unified_diff(was, now, lineterm="", n=0) if line[:3] not in ("---", "+++")]
        yield Mutant(
            f"{module}.{function.removeprefix('x_')}",
            " ".join(line[1:].strip() for line in changed if line.startswith("-")),
            " ".join(line[1:].strip() for line in changed if line.startswith("+")),
        )


if __name__ == "__main__":
    sys.exit(main())
