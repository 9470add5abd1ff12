"""Small throwaway Behave projects, run with the real `behave` command."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from honest_behave.counts import Counts, count_allure, count_junit
from honest_behave.results import RUN_LABEL, read_results

ROOT = Path(__file__).parents[2]

CONFIG = """\
[behave]
paths = features
format = honest_allure
outfiles = out/allure
default_format = plain
junit = true
junit_directory = out/junit
runner = honest_behave.runner:HonestRunner

[behave.formatters]
honest_allure = honest_behave.formatter:HonestAllureFormatter
"""

STEPS = """\
from behave import step
import allure, logging, sys, time
from honest_behave.outcomes import Inconclusive, PlatformNotReady

@step("it passes")
def passes(context): print("passing")

@step("it passes with {value}")
def passes_with(context, value): pass

@step("there is a table")
def has_table(context): assert context.table

@step("it fails")
def fails(context):
    print("said on stdout"); print("said on stderr", file=sys.stderr); logging.warning("said in the log")
    raise AssertionError("\\nExpected: 1\\n     but: was 2\\n")

@step("it breaks")
def breaks(context): raise ValueError("odd")

@step("it is not ready")
def not_ready(context): raise PlatformNotReady("workers: none registered; start one")

@step("it is inconclusive")
def inconclusive(context): raise Inconclusive("the backtest ended before it could be cancelled")
"""


@dataclass
class Outcome:
    """What a run left: exit status, console, and the results as dictionaries."""

    status: int
    console: str
    allure_dir: Path
    junit_dir: Path

    @property
    def results(self) -> list[dict[str, Any]]:
        return read_results(self.allure_dir)

    @property
    def run_problems(self) -> list[dict[str, Any]]:
        return [result for result in self.results if RUN_LABEL in result["labels"]]

    @property
    def global_errors(self) -> list[str]:
        found = [json.loads(path.read_text()) for path in self.allure_dir.glob("*-globals.json")]
        return [error["message"] for item in found for error in item.get("errors", [])]

    @property
    def allure(self) -> Counts:
        return count_allure(self.allure_dir)

    @property
    def junit(self) -> Counts:
        return count_junit(self.junit_dir)

    def named(self, name: str) -> dict[str, Any]:
        (found,) = [result for result in self.results if result["name"] == name]
        return found

    def message(self, name: str) -> str:
        return str(self.named(name)["statusDetails"]["message"])

    def attachments(self, item: dict[str, Any]) -> dict[str, str]:
        return {a["name"]: (self.allure_dir / a["source"]).read_text() for a in item.get("attachments", [])}


class Project:
    """A Behave project in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write("behave.ini", CONFIG)
        self.write("features/steps/steps.py", STEPS)

    def write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def append(self, name: str, text: str) -> None:
        self.write(name, (self.directory / name).read_text() + text)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ALLURE")}
        return subprocess.Popen(
            [sys.executable, "-m", "behave", *arguments],
            cwd=self.directory,
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]", allure_dir: str = "out/allure") -> Outcome:
        console, _ = process.communicate(timeout=60)
        return Outcome(process.returncode, console, self.directory / allure_dir, self.directory / "out/junit")

    def run(self, *arguments: str, allure_dir: str = "out/allure") -> Outcome:
        return self.finish(self.start(*arguments), allure_dir)

    def interrupt(self, number: signal.Signals, *arguments: str) -> Outcome:
        """Run, and send the signal when the project's code has written the file `now`."""
        process = self.start(*arguments)
        while not (self.directory / "now").exists():
            assert process.poll() is None, process.communicate()[0]
        process.send_signal(number)
        return self.finish(process)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def feature(project: Project) -> Callable[[str], Project]:
    """Write the one feature of the project."""

    def write(text: str) -> Project:
        project.write("features/a.feature", text)
        return project

    return write
