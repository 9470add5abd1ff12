"""Drivers that run Behave in a way of their own: an IDE that collects first, tools that load only a part, BehaveX."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.telling.running import MAIN, Told, environment, suite

IDE = Path(__file__).parent / "cases" / "ide_like_runner.py"
OPENED = "EMBEDDED STAND-IN"
RUNS = """
import sys
from behave.configuration import Configuration
from behave.runner import Runner

class MyRunner(Runner):
{body}

config = Configuration(command_args=sys.argv[1:])
runner = MyRunner(config)
print("FAILED" if runner.run() else "PASSED", type(runner).__name__)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The suite with what an earlier run left."""
    place = suite(tmp_path / "suite")
    for name, text in {
        "summary.json": '{"outcome": "passed"}',
        "summary.md": "PASSED",
        "allure-results/0-result.json": "{}",
        "allure-results/.written-by-this-suite": "0-result.json\n",
        "junit/TESTS-backtest_cancellation.xml": "<testsuite/>",
        "junit/.written-by-this-suite": "TESTS-backtest_cancellation.xml\n",
    }.items():
        (place / "reports" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "reports" / name).write_text(text)
    return place


def left(place: Path) -> dict[str, str]:
    return {str(p.relative_to(place)): p.read_text() for p in (place / "reports").rglob("*") if p.is_file()}


def drive(place: Path, *command: str) -> Told:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=place,
        env={k: v for k, v in environment().items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return Told(done.returncode, done.stdout + done.stderr, place)


def test_a_runner_of_an_ide_collects_without_opening_anything_and_then_runs_with_its_own_methods(place: Path) -> None:
    told = drive(place, str(IDE), "--no-capture-hooks", "-D", "target=target.toml", MAIN)
    assert told.status == 0, told.console
    collecting, running = told.console.split("##ide pass 2: running")
    assert "##ide collected 4 scenarios" in collecting
    assert OPENED not in collecting and "PASSED" not in collecting
    assert "IdeRunner" in collecting.splitlines()[-1]
    assert running.count("##ide scenario started:") == 4
    assert running.count(OPENED) == 2, "the banner and the verdict, once each"
    assert told.summary["outcome"] == "passed" and len(told.summary["scenarios"]) == 4
    assert len(told.results) == 4
    assert all({"name": "target", "value": "target"} in result["labels"] for result in told.results)


def test_a_pass_that_only_collects_leaves_the_last_run_alone(place: Path) -> None:
    before = left(place)
    collects = IDE.read_text().split('print("##ide pass 2')[0]
    told = drive(place, "-c", collects, MAIN)
    assert told.status == 0 and "##ide collected 4 scenarios" in told.console
    assert OPENED not in told.console
    assert left(place) == before


@pytest.mark.parametrize(
    "loads",
    [
        "r.setup_paths(); r.load_hooks(); r.load_step_definitions(); print(len(r.feature_locations()), 'features')",
        "r.setup_paths(); r.load_hooks(); r.hooks['before_all'](Context(r)); print('hooks')",
    ],
)
def test_a_tool_that_loads_hooks_and_steps_only_leaves_the_last_run_alone(place: Path, loads: str) -> None:
    before = left(place)
    head = "from behave.configuration import Configuration\nfrom behave.runner import Runner, Context\n"
    told = drive(place, "-c", f"{head}r = Runner(Configuration(['{MAIN}'])); r.context = Context(r); {loads}")
    assert told.status == 0, told.console
    assert OPENED not in told.console
    assert left(place) == before


@pytest.mark.parametrize(
    "body",
    [
        # Every scenario marked before Behave runs the model; dry runs by a switch of the configuration.
        "    def run_model(self, features=None):\n        self.config.dry_run = True\n        return super().run_model(features)",
        "    def run_with_paths(self):\n        self.config.dry_run = True\n        return super().run_with_paths()",
    ],
)
def test_a_dry_pass_of_a_runner_leaves_the_last_run_alone(place: Path, body: str) -> None:
    before = left(place)
    told = drive(place, "-c", RUNS.format(body=body), MAIN)
    assert told.status == 0 and "PASSED HonestMyRunner" in told.console, told.console
    assert OPENED not in told.console
    assert left(place) == before


def test_a_dry_run_leaves_the_last_run_alone(place: Path) -> None:
    before = left(place)
    told = drive(place, "-m", "behave", "--dry-run", MAIN)
    assert told.status == 0 and OPENED not in told.console
    assert left(place) == before


@pytest.mark.parametrize("arguments", [("--tags=nowhere",), ("--name", "nowhere")])
def test_nothing_is_opened_where_no_scenario_is_run_and_the_summary_says_so(
    place: Path, arguments: tuple[str, ...]
) -> None:
    told = drive(place, "-m", "behave", *arguments, MAIN)
    assert told.status == 1
    assert OPENED not in told.console
    assert told.summary["outcome"] == "inconclusive" and "NothingSelected" in told.summary["reasons"][0]


def test_a_runner_that_skips_everything_opens_nothing(place: Path) -> None:
    body = """
    def run_model(self, features=None):
        for feature in self.features:
            feature.skip("only collected")
        return super().run_model(features)
"""
    told = drive(place, "-c", RUNS.format(body=body), MAIN)
    assert "FAILED HonestMyRunner" in told.console, told.console
    assert OPENED not in told.console
    assert told.summary["outcome"] == "inconclusive"


def test_what_a_runner_overrides_wins_and_what_it_calls_above_is_ours(place: Path) -> None:
    body = """
    def run_model(self, features=None):
        print("mine first")
        failed = super().run_model(features)
        print("mine last, failed:", failed)
        return failed
    def run_hook(self, hook_name, *args):
        if hook_name in ("before_all", "after_all"):
            print("hook", hook_name)
        return super().run_hook(hook_name, *args)
"""
    told = drive(place, "-c", RUNS.format(body=body), "--tags=nowhere", MAIN)
    assert told.console.index("mine first") < told.console.index("hook before_all")
    assert "mine last, failed: True" in told.console, "the run is as strict as ever"


def test_a_driver_that_runs_the_features_itself_leaves_no_earlier_verdict(place: Path) -> None:
    body = """
    def run_model(self, features=None):
        self.run_hook("before_all")
        for feature in self.features:
            feature.walk_scenarios()[0].steps.clear()
            feature.run(self)
        self.run_hook("after_all")
        self.context._do_remaining_cleanups()
"""
    told = drive(place, "-c", RUNS.format(body=body), "-D", "target=target.toml", f"{MAIN}:57")
    assert "did not come to its end" in told.summary["reasons"][0], told.console


def test_a_feature_that_cannot_be_read_is_told_by_a_runner_of_an_ide_too(place: Path) -> None:
    features = place / "features"
    source = features.resolve()
    features.unlink()
    features.mkdir()
    for name in ("steps", "environment.py"):
        (features / name).symlink_to(source / name)
    (features / "a.feature").write_text("Feature: F\n  Scenario: S\n    Given x\n    Nonsense\n")
    told = drive(place, "-c", RUNS.format(body="    def run_model(self, features=None): pass"), "features/a.feature")
    assert told.status != 0
    assert told.summary["outcome"] == "inconclusive"
    (result,) = told.results
    assert "ParserError" in result["statusDetails"]["message"]


def test_a_driver_that_loads_the_hooks_without_behave_is_refused_in_one_line(place: Path) -> None:
    """As BehaveX does (4.6.8) before it starts anything; it prints the message of what was raised."""
    loads = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("bhx_user_environment", "features/environment.py")
try:
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
except Exception as exception:
    print("Unexpected error:", exception)
    sys.exit(1)
"""
    told = drive(place, "-c", loads)
    assert told.status == 1
    (line,) = told.console.splitlines()
    assert line.startswith("Unexpected error: this suite is run by Behave itself (behave features/NAME.feature), but ")
    assert told.summary["outcome"] == "inconclusive"


def test_a_driver_that_replaces_behaves_hooks_is_refused_in_one_line(place: Path) -> None:
    """As BehaveX does in its workers: an error in a hook goes to its log, and the scenario passes."""
    replaces = """
import sys, types
from behave.__main__ import main
from behave.runner import ModelRunner
def run_hook(self, name, *args): return True
run_hook.__module__ = "behavex.environment"
ModelRunner.run_hook = run_hook
sys.exit(main(sys.argv[1:]))
"""
    told = drive(place, "-c", replaces, MAIN)
    assert told.status == 1
    assert told.console.count("ConfigError: this suite is run by Behave itself") == 1
    assert "replaced by behavex.environment" in told.console and "Traceback" not in told.console
    assert json.loads((place / "reports/summary.json").read_text())["outcome"] == "inconclusive"
