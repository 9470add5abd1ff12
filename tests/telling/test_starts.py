"""Starts that fail: one clear line, an exit status that is not 0, and no earlier verdict left to be read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.telling.running import MAIN, ROOT, Told, environment, suite

BEHAVE = [str(Path(sys.executable).with_name("behave"))]
EARLIER = '{"outcome": "passed"}'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The suite after a run that passed."""
    place = suite(tmp_path / "suite")
    (place / "reports").mkdir()
    (place / "reports/summary.json").write_text(EARLIER)
    (place / "reports/summary.md").write_text("## PASSED")
    return place


def start(place: Path, *arguments: str, cwd: Path | None = None, **more: str) -> Told:
    variables = {k: v for k, v in environment().items() if k != "PYTHONPATH"} | more
    done = subprocess.run(
        [*BEHAVE, *arguments],
        cwd=cwd or place,
        env=variables,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return Told(done.returncode, done.stdout + done.stderr, place)


def refused(told: Told, words: str) -> None:
    """It says so in one line, and in the summary; nothing was opened."""
    assert told.status == 1, told.console
    (line,) = [line for line in told.console.splitlines() if line.startswith("ConfigError: ")]
    assert words in line
    assert "Traceback" not in told.console and "EMBEDDED STAND-IN" not in told.console
    assert told.summary["outcome"] == "inconclusive"
    assert words in told.summary["reasons"][0]
    markdown = (told.place / "reports/summary.md").read_text()
    assert markdown.startswith("## INCONCLUSIVE: nothing was learnt") and words in markdown


ALLURE = "allure_behave.formatter:AllureFormatter"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-f", ALLURE, "-o", "pyproject.toml"), "pyproject.toml cannot be written (it is a file)"),
        (("-f", ALLURE, "-o", "target.toml/results"), "target.toml/results cannot be written (Not a directory)"),
        (("-f", ALLURE, "-o", "/proc/results"), "/proc/results cannot be written ("),
        (("-f", "plain", "-o", "features"), "features cannot be written (Is a directory)"),
        (("--junit-directory", "target.toml"), "target.toml cannot be written (it is a file)"),
        (("--junit-directory", "/proc/junit"), "/proc/junit cannot be written ("),
    ],
)
def test_results_that_cannot_be_written(place: Path, arguments: tuple[str, ...], words: str) -> None:
    refused(start(place, *arguments, MAIN), words)


@pytest.mark.parametrize("name", ["thesis.doc", "0f9e-result.json"])
def test_results_directory_in_which_others_keep_something(place: Path, name: str) -> None:
    (place / "mine").mkdir()
    (place / "mine" / name).write_text("{}")
    refused(start(place, "-f", ALLURE, "-o", "mine", MAIN), f"mine holds what this suite did not write ({name})")
    assert (place / "mine" / name).read_text() == "{}"


def test_junit_file_of_another_suite_in_the_way(place: Path) -> None:
    (place / "junit").mkdir()
    (place / "junit/TESTS-backtest_cancellation.xml").write_text("<testsuite/>")
    told = start(place, "--junit-directory", "junit", MAIN)
    refused(told, "junit/TESTS-backtest_cancellation.xml was not written by this suite")


def test_reports_that_are_a_file(place: Path) -> None:
    for name in ("summary.json", "summary.md"):
        (place / "reports" / name).unlink()
    (place / "reports").rmdir()
    (place / "reports").write_text("")
    told = start(place, MAIN)
    assert told.status == 1
    (line,) = [line for line in told.console.splitlines() if line.startswith("ConfigError: ")]
    assert "reports cannot be written: File exists" in line and "Traceback" not in told.console


@pytest.mark.parametrize("file", ["steps/more.py", "more.feature"])
def test_what_cannot_be_loaded(place: Path, file: str) -> None:
    features = place / "features"
    source = features.resolve()
    features.unlink()
    (features / "steps").mkdir(parents=True)
    (features / "environment.py").symlink_to(source / "environment.py")
    for step in (source / "steps").glob("*.py"):
        (features / "steps" / step.name).symlink_to(step)
    (features / "a.feature").write_text("Feature: F\n  Scenario: S\n    Given KTRDR is running\n")
    (features / file).write_text("Feature: F\n  Scenario: S\n    Given x\n    Nonsense\n")
    told = start(place)
    assert told.status != 0
    assert re.search("ParserError|IndentationError", told.summary["reasons"][0])


def test_library_that_is_missing_leaves_no_earlier_verdict(place: Path) -> None:
    (place / "hides/requests").mkdir(parents=True)
    (place / "hides/requests/__init__.py").write_text("raise ImportError('No module named requests')")
    told = start(place, MAIN, PYTHONPATH=str(place / "hides"))
    assert told.status != 0
    assert not list((place / "reports").glob("summary.*"))


@pytest.mark.parametrize("where", ["elsewhere", "suite/features"])
def test_run_in_another_directory_is_refused_with_the_command_that_works(place: Path, where: str) -> None:
    elsewhere = place.parent / where
    elsewhere.mkdir(exist_ok=True)
    features = place / MAIN
    told = start(place, str(features), cwd=elsewhere)
    refused(told, f"run behave in the suite's own directory, where its settings are: cd {place} && behave ")
    assert not (elsewhere / "reports").exists()


def test_directory_that_is_a_link_to_the_suite_is_the_suite(place: Path) -> None:
    link = place.parent / "link"
    link.symlink_to(place)
    told = start(place, "--tags=nowhere", MAIN, cwd=link)
    assert "NothingSelected" in told.summary["reasons"][0]


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (("--tags=(",), {}, "TagExpressionError"),
        ((), {"BEHAVE_STAGE": "x"}, "ConfigError: No x_steps directory"),
        (("-f", "nothing"), {}, "BAD_FORMAT=nothing"),
        (("--nothing",), {}, "unrecognized arguments"),
    ],
)
def test_what_behave_refuses_before_it_reads_features_is_out_of_reach(
    place: Path, arguments: tuple[str, ...], variables: dict[str, str], words: str
) -> None:
    """Behave has loaded nothing of this suite then: it says so and does not exit with 0, but an earlier summary stays.

    `make run` begins the summary itself. Where this fails, Behave has become reachable: begin the summary there too.
    """
    told = start(place, *arguments, MAIN, **variables)
    assert told.status != 0 and words in told.console and "Traceback" not in told.console
    assert (place / "reports/summary.json").read_text() == EARLIER
    begun = subprocess.run([sys.executable, "-m", "ktrdr_qa.tell.summary"], cwd=place, env=environment(), check=False)
    assert begun.returncode == 0
    assert told.summary["outcome"] == "inconclusive"


def begin_the_summary(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ktrdr_qa.tell.summary", *arguments]
    return subprocess.run(command, cwd=place, env=environment(), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("argument", ["--help", "somewhere"])
def test_the_beginning_of_the_summary_takes_no_arguments(place: Path, argument: str) -> None:
    begun = begin_the_summary(place, argument)
    told = f"python -m ktrdr_qa.tell.summary takes no arguments (it was given {argument})\n"
    assert (begun.returncode, begun.stderr) == (2, told)
    assert (place / "reports/summary.json").read_text() == EARLIER


@pytest.mark.parametrize(
    ("in_the_way", "told"),
    [
        ("reports", "reports cannot be written: File exists\n"),
        ("reports/summary.json", "reports/summary.json cannot be written: Is a directory\n"),
    ],
)
def test_a_summary_that_cannot_be_begun_is_one_clear_line(tmp_path: Path, in_the_way: str, told: str) -> None:
    if in_the_way == "reports":
        (tmp_path / in_the_way).write_text("")
    else:
        (tmp_path / in_the_way).mkdir(parents=True)
    begun = begin_the_summary(tmp_path)
    assert (begun.returncode, begun.stderr) == (1, told)


def test_make_run_begins_the_summary_before_behave() -> None:
    done = subprocess.run(["make", "-n", "run", "VENV=nowhere"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 < done.stdout.index("-m ktrdr_qa.tell.summary") < done.stdout.index("/behave features")
