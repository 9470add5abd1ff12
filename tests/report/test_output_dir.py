"""Directories of results that are shared: what others keep there is never removed, and the run says so."""

import pytest
from allure_commons.utils import md5

from honest_behave import output_dir
from honest_behave.counts import Counts
from honest_behave.output_dir import UnusableDirectory
from honest_behave.results import prepare, write_environment

ONE = "Feature: F\n  Scenario: S\n    Given it passes\n"
OTHERS = {
    "0f9e-result.json": '{"uuid": "0f9e", "name": "another suite", "labels": [], "status": "failed"}',
    "0f9e-container.json": "{}",
    "0f9e-attachment.txt": "a log",
    "environment.properties": "Browser=Firefox",
    "categories.json": "[]",
}


def contents(directory):
    return {path.name: path.read_text() for path in directory.iterdir() if not path.name.startswith(".")}


# --- Allure's -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OTHERS)
def test_another_suites_allure_results_are_left_alone_and_the_run_says_so(feature, name):
    project = feature(ONE)
    project.write(f"out/allure/{name}", OTHERS[name])
    outcome = project.run()
    assert outcome.status == 1
    assert f"out/allure holds what this suite did not write ({name})" in outcome.console
    assert "choose another directory with -o" in outcome.console
    assert "Traceback" not in outcome.console
    assert contents(outcome.allure_dir) == {name: OTHERS[name]}


def test_an_earlier_run_is_removed_although_another_suites_results_came_to_it(feature):
    project = feature(ONE)
    first = project.run()
    assert first.status == 0, first.console
    for name, text in OTHERS.items():
        if not (first.allure_dir / name).exists():
            project.write(f"out/allure/{name}", text)
    outcome = project.run()
    assert outcome.status == 1
    assert set(contents(outcome.allure_dir)) == OTHERS.keys() - {"categories.json"}


def test_a_run_knows_all_that_it_wrote(feature):
    project = feature("Feature: F\n  Scenario: S\n    Given it fails\n")
    project.write(
        "features/environment.py",
        """\
import allure
from pathlib import Path
from honest_behave.results import write_environment
def before_all(context):
    write_environment(Path("out/allure"), {"Target": "sandbox"})
    allure.attach("x", "all")
def after_scenario(context, scenario):
    allure.attach("text", "one")
    allure.attach.file("behave.ini", "two")
def after_all(context): raise RuntimeError("no port")
""",
    )
    first = project.run()
    before = contents(first.allure_dir)
    assert before.keys() <= output_dir.written(first.allure_dir)
    second = project.run()
    after = contents(second.allure_dir)
    assert second.allure == Counts(failed=1), second.console
    assert len(after) == len(before)
    assert before.keys() & after.keys() == {"environment.properties", "categories.json"}


def test_what_others_put_beside_the_results_on_purpose_stays(tmp_path):
    (tmp_path / "history").mkdir()
    for name in (".gitkeep", "README.md", "executor.json"):
        (tmp_path / name).touch()
    prepare(tmp_path)
    write_environment(tmp_path, {"a": 1})
    prepare(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        ".gitkeep", output_dir.MANIFEST, "README.md", "executor.json", "history",
    ]  # fmt: skip
    (tmp_path / "sub").mkdir()
    with pytest.raises(UnusableDirectory, match="sub"):
        prepare(tmp_path)


def test_the_list_of_what_was_written_removes_nothing_elsewhere(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "precious").write_text("x")
    (tmp_path / "results" / output_dir.MANIFEST).write_text("../precious\n/etc/none\n\n")
    prepare(tmp_path / "results")
    assert (tmp_path / "precious").exists()


# --- JUnit's --------------------------------------------------------------------------------------


def test_another_suites_junit_files_stay_and_do_not_count(feature):
    project = feature(ONE)
    other = '<testsuite name="other"><testcase name="x"><failure/></testcase></testsuite>'
    project.write("out/junit/TESTS-login.xml", other)
    for _ in range(2):
        outcome = project.run()
        assert outcome.status == 0, outcome.console
        assert (outcome.junit_dir / "TESTS-login.xml").read_text() == other
        assert (outcome.junit_dir / "TESTS-a.xml").exists()


def test_a_junit_file_of_a_feature_that_is_gone_is_removed(feature):
    project = feature(ONE)
    project.run()
    (project.directory / "features/a.feature").rename(project.directory / "features/b.feature")
    outcome = project.run()
    assert [path.name for path in outcome.junit_dir.glob("*.xml")] == ["TESTS-b.xml"]


def test_a_junit_file_that_is_in_the_way_is_left_alone_and_the_run_says_so(feature):
    project = feature(ONE)
    project.write("out/junit/TESTS-a.xml", "<testsuite/>")
    project.write("features/environment.py", "def before_all(context): print('BEGUN')\n")
    outcome = project.run()
    assert outcome.status == 1
    assert "ConfigError: out/junit/TESTS-a.xml was not written by this suite" in outcome.console
    assert "BEGUN" not in outcome.console and "Traceback" not in outcome.console
    assert (outcome.junit_dir / "TESTS-a.xml").read_text() == "<testsuite/>"
    assert [problem["name"] for problem in outcome.run_problems] == ["The run did not begin"]


# --- what cannot be written -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["-f", "honest_allure", "-o", "behave.ini"], "behave.ini cannot be written (it is a file)"),
        (["-f", "honest_allure", "-o", "behave.ini/x"], "behave.ini/x cannot be written (Not a directory)"),
        (["-f", "honest_allure", "-o", "/proc/nothing"], "/proc/nothing cannot be written"),
        (["--junit-directory", "behave.ini"], "behave.ini cannot be written (it is a file)"),
        (["--junit-directory", "behave.ini/x"], "behave.ini/x cannot be written (Not a directory)"),
        (["-f", "plain", "-o", "features"], "features cannot be written (Is a directory)"),
        (["-f", "plain", "-o", "behave.ini/x"], "behave.ini/x cannot be written (File exists)"),
    ],
)
@pytest.mark.parametrize("taken_over", [True, False])
def test_what_cannot_be_written_is_one_clear_line(feature, arguments, shown, taken_over):
    project = feature(ONE)
    project.write("out/junit/TESTS-a.xml", "<testsuite/>")
    project.write("out/junit/" + output_dir.MANIFEST, "TESTS-a.xml\n")
    if taken_over:
        text = (project.directory / "behave.ini").read_text()
        project.write("behave.ini", text.replace("runner = honest_behave.runner:HonestRunner\n", ""))
        project.write(
            "features/environment.py",
            "from honest_behave.runner import take_over\ntake_over(lambda why: print('BEGIN', why))\n",
        )
    config = (project.directory / "behave.ini").read_text()
    outcome = project.run(*arguments)
    assert outcome.status == 1, outcome.console
    (line,) = [line for line in outcome.console.splitlines() if line.startswith("ConfigError: ")]
    assert shown in line
    assert "Traceback" not in outcome.console and "Scenario: S" not in outcome.console
    assert (project.directory / "behave.ini").read_text() == config
    if taken_over:
        begun = [line for line in outcome.console.splitlines() if line.startswith("BEGIN")]
        assert begun[0].strip() == "BEGIN" and shown in begun[-1]


# --- reports that cannot be read or written -------------------------------------------------------

STRANGE = """
@step("it says something strange")
def strange(context): assert False, "red \\x1b[31m bell \\x07 null \\x00 half \\ud83d end ]]> & <b> \\ufffe"
@step("it prints something strange")
def prints(context):
    print("bell \\x07 half \\ud83d ]]>")
    raise ValueError("\\x08 \\ud83d")
"""


def test_control_characters_and_half_characters_leave_every_report_readable(feature):
    project = feature(
        "Feature: F\n  Scenario: S\n    Given it says something strange\n"
        "  Scenario: T\n    Given it prints something strange\n"
    )
    project.append("features/steps/steps.py", STRANGE)
    project.write(
        "features/environment.py",
        "import allure\ndef after_scenario(c, s): allure.attach('half \\ud83d', 'note')\n",
    )
    config = (project.directory / "behave.ini").read_text()
    project.write("behave.ini", config.replace("default_format = plain", "default_format = null"))
    outcome = project.run()
    assert outcome.status == 1
    assert outcome.junit == outcome.allure == Counts(failed=1, error=1), outcome.console
    assert "ReportsDisagree" not in outcome.console
    xml = (outcome.junit_dir / "TESTS-a.xml").read_text()
    assert "bell \\x07 null \\x00 half \\ud83d end ]]&gt; &amp; &lt;b&gt;" in xml
    assert "bell \x07" in outcome.message("S")
    assert outcome.attachments(outcome.named("S"))["note"] == "half \\ud83d"


@pytest.mark.parametrize("path", ["out/junit/TESTS-a.xml", "out/allure/x-result.json"])
def test_a_report_that_cannot_be_read_fails_the_run_with_its_name_and_the_verdict_is_told(feature, path):
    project = feature(ONE)
    project.write(
        "features/environment.py",
        f"""\
import atexit
from behave.reporter.base import Reporter
class Spoils(Reporter):
    def feature(self, feature):
        from pathlib import Path
        Path("{path}").write_text("\\x00 spoilt")
    def end(self): pass
def before_all(context):
    context.config.reporters.append(Spoils(context.config))
    context._runner.at_end = lambda failed: print("VERDICT", failed)
""",
    )
    outcome = project.run()
    assert outcome.status == 1
    assert "RUN FAILED: ReportsDisagree: Behave counts 1 passed" in outcome.console
    assert f"{path.rsplit('/', 1)[0]} cannot be read: " in outcome.console
    assert "VERDICT True" in outcome.console and "Traceback" not in outcome.console


def test_a_junit_file_that_cannot_be_written_fails_the_run_with_its_name_and_the_verdict_is_told(feature):
    project = feature(ONE)
    project.write(
        "features/environment.py",
        """\
def before_all(context):
    context._runner.at_end = lambda failed: print("VERDICT", failed)
def after_feature(context, feature):
    import shutil; shutil.rmtree("out/junit"); open("out/junit", "w")
""",
    )
    outcome = project.run()
    assert outcome.status == 1
    assert "TESTS-a.xml could not be written: NotADirectoryError" in outcome.console
    assert "VERDICT True" in outcome.console and "Traceback" not in outcome.console


def test_a_verdict_that_cannot_be_told_fails_the_run(feature):
    project = feature(ONE)
    project.write(
        "features/environment.py",
        "def tell(failed): raise OSError('disk full')\ndef before_all(context): context._runner.at_end = tell\n",
    )
    outcome = project.run()
    assert outcome.status == 1
    assert "RUN FAILED: VerdictNotTold: OSError: disk full" in outcome.console
    assert "Traceback" not in outcome.console


def test_the_verdict_is_told_when_a_formatter_ends_the_run(feature):
    project = feature(ONE)
    project.write(
        "features/environment.py",
        """\
def before_all(context):
    context._runner.at_end = lambda failed: print("VERDICT", failed, context._runner.trouble)
    context._runner.formatters[0].__class__.eof = lambda self: 1 / 0
""",
    )
    outcome = project.run()
    assert outcome.status != 0
    assert "VERDICT True ['ZeroDivisionError: division by zero (in the run)']" in outcome.console


# --- what a run is about --------------------------------------------------------------------------

IDENTIFIED = "def before_first_scenario(context): context._runner.identity = {{'target': {name!r}}}\n"


def test_results_of_two_targets_are_no_retries_of_each_other(feature):
    def run(name, step="it passes"):
        project = feature(f"Feature: F\n  Scenario: S\n    Given {step}\n")
        project.write("features/environment.py", IDENTIFIED.format(name=name))
        result = project.run().named("S")
        label = [label["value"] for label in result["labels"] if label["name"] == "target"]
        return label, result["testCaseId"], result["historyId"]

    (label, case, history) = run("staging")
    assert label == ["staging"]
    assert run("staging", "it fails") == (label, case, history), "a later run on the same target is one"
    (other, other_case, other_history) = run("sandbox", "it fails")
    assert other == ["sandbox"] and other_case != case and other_history != history


def test_without_an_identity_the_ids_are_as_they_were(feature):
    outcome = feature(ONE).run()
    assert not [label for label in outcome.named("S")["labels"] if label["name"] == "target"]
    assert outcome.named("S")["testCaseId"] == md5("F: S")


# --- what opens the run ---------------------------------------------------------------------------


def test_a_run_that_cannot_be_opened_runs_nothing_and_says_why(feature):
    project = feature(ONE + "  Scenario: T\n    Given it passes\n")
    project.write("features/b.feature", "Feature: G\n  Scenario: U\n    Given it passes\n")
    project.write(
        "features/environment.py",
        """\
from honest_behave.outcomes import PlatformNotReady
def before_first_scenario(context): raise PlatformNotReady("no worker")
def before_scenario(context, scenario): print("HOOK", scenario.name)
def after_feature(context, feature): print("HOOK", feature.name)
""",
    )
    outcome = project.run("--no-capture-hooks")
    assert outcome.status == 1
    assert "HOOK " not in outcome.console
    (problem,) = outcome.run_problems
    assert problem["statusDetails"]["message"].startswith("PlatformNotReady: no worker")
    for name in "STU":
        assert outcome.message(name) == "not run: before_first_scenario failed: PlatformNotReady: no worker"
    assert outcome.allure == Counts(skipped=3)


def test_it_is_opened_once_and_only_for_a_scenario_that_runs(feature):
    project = feature("@slow\nFeature: F\n  Scenario: S\n    Given it passes\n")
    project.write(
        "features/b.feature",
        "Feature: G\n  Scenario: U\n    Given it passes\n  @slow\n  Scenario: V\n    Given it passes\n",
    )
    project.write(
        "features/environment.py",
        "def before_first_scenario(context): print('OPENED', file=__import__('sys').__stdout__)\n",
    )
    assert project.run().console.count("OPENED") == 1
    console = project.run("--tags=not @slow").console
    assert console.count("OPENED") == 1
    assert project.run("--name", "nothing").console.count("OPENED") == 0


def test_an_interrupt_in_a_hook_is_told_of_its_step(feature):
    project = feature(ONE)
    project.write(
        "features/environment.py",
        """\
import os, signal, sys
def before_step(context, step): os.kill(os.getpid(), signal.SIGTERM)
def after_scenario(context, scenario): print("STEP", repr(scenario.steps[0].exception), file=sys.__stdout__)
""",
    )
    outcome = project.run()
    assert outcome.status == 1
    assert "STEP KeyboardInterrupt('SIGTERM')" in outcome.console
    assert outcome.message("S") == "Interrupted: the run was stopped by SIGTERM"
