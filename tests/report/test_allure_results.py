"""The report is never greener than the run: each case is provoked in a small Behave project."""

import json
import signal
from pathlib import Path

import pytest

from honest_behave.counts import Counts
from honest_behave.interrupts import ENDING
from honest_behave.results import read_environment, write_environment

ONE = "Feature: F\n  Scenario: S\n    Given it passes\n"


def assert_told_alike(outcome, **counts):
    """Allure and JUnit tell these counts, and the run found no difference to Behave's."""
    assert outcome.allure == Counts(**counts), outcome.console
    assert outcome.junit == Counts(**counts), outcome.console
    assert "ReportsDisagree" not in outcome.console


# --- statuses and messages ------------------------------------------------------------------------


def test_each_outcome_has_its_status_and_its_first_line(feature):
    outcome = feature(
        """\
Feature: Outcomes
  Scenario: fine
    Given it passes
  Scenario: wrong
    Given it fails
    Then it passes
  Scenario: broken
    Given it breaks
  Scenario: not ready
    Given it is not ready
  Scenario: inconclusive
    Given it is inconclusive
  Scenario: undefined
    Given nobody knows this
"""
    ).run()
    assert outcome.status == 1
    assert_told_alike(outcome, passed=1, failed=1, error=4)
    assert outcome.named("wrong")["status"] == "failed"
    assert outcome.message("wrong") == "Expected: 1\n     but: was 2"
    assert "trace" not in outcome.named("wrong")["statusDetails"]
    assert [step["status"] for step in outcome.named("wrong")["steps"]] == ["failed", "skipped"]
    assert outcome.message("broken") == "ValueError: odd"
    assert "steps.py" in outcome.named("broken")["statusDetails"]["trace"]
    assert outcome.message("not ready") == "PlatformNotReady: workers: none registered; start one"
    assert outcome.message("inconclusive").startswith("Inconclusive: the backtest ended")
    assert "trace" not in outcome.named("inconclusive")["statusDetails"]
    assert outcome.message("undefined").startswith("UndefinedStep: no step is defined for: nobody knows")


def test_a_subclass_of_an_outcome_stays_in_its_category(feature):
    project = feature("Feature: F\n  Scenario: S\n    Given it ended too soon\n")
    project.append(
        "features/steps/steps.py",
        """
class EndedTooSoon(Inconclusive): pass
@step("it ended too soon")
def ended(context): raise EndedTooSoon("after 1.2 s")
""",
    )
    assert project.run().message("S") == "Inconclusive: after 1.2 s"


def test_captured_output_is_attached_to_the_failed_step_only(feature):
    outcome = feature("Feature: F\n  Scenario: S\n    Given it passes\n    Then it fails\n").run()
    passed, failed = outcome.named("S")["steps"]
    assert outcome.attachments(passed) == {}
    captured = outcome.attachments(failed)
    assert captured["captured stdout"] == "said on stdout"
    assert captured["captured stderr"] == "said on stderr"
    assert "said in the log" in captured["captured log"]


def test_a_step_that_checked_nothing_is_shown_as_skipped(feature):
    project = feature("Feature: F\n  Scenario: S\n    Given it is not checked\n    Then it passes\n")
    project.append(
        "features/steps/steps.py",
        """
@step("it is not checked")
def not_checked(context):
    context.scenario.steps[0].not_checked_reason = "the worker tells no processor time"
""",
    )
    outcome = project.run()
    assert outcome.status == 0
    step = outcome.named("S")["steps"][0]
    assert step["status"] == "skipped"
    assert step["statusDetails"]["message"] == "Not checked: the worker tells no processor time"
    assert_told_alike(outcome, passed=1)


# --- hooks and clean-ups --------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["before_scenario", "after_scenario", "before_tag", "after_tag"])
def test_a_hook_error_breaks_its_scenario(feature, hook):
    project = feature("Feature: F\n  @t\n  Scenario: S\n    Given it passes\n  Scenario: T\n    Given it passes\n")
    project.write(
        "features/environment.py",
        f"def {hook}(context, x):\n    if getattr(x, 'name', x) in ('S', 't'): raise RuntimeError('no port')\n",
    )
    outcome = project.run()
    assert outcome.status == 1
    assert outcome.named("S")["status"] == "broken"
    assert outcome.message("S") == f"RuntimeError: no port\nin {hook}"
    assert "environment.py" in outcome.named("S")["statusDetails"]["trace"]
    assert_told_alike(outcome, passed=1, error=1)


@pytest.mark.parametrize("hook", ["before_step", "after_step"])
def test_a_hook_error_of_a_step_breaks_step_and_scenario(feature, hook):
    project = feature(ONE)
    project.write("features/environment.py", f"def {hook}(context, step): raise RuntimeError('no port')\n")
    outcome = project.run()
    assert outcome.status == 1
    assert outcome.message("S").startswith("RuntimeError: no port")
    assert outcome.named("S")["steps"][0]["status"] == "broken"
    assert_told_alike(outcome, error=1)


def test_a_hook_keeps_the_projects_own_outcomes_and_an_assertion_in_it_is_no_product_defect(feature):
    project = feature(ONE + "  Scenario: T\n    Given it passes\n")
    project.write(
        "features/environment.py",
        """\
from honest_behave.outcomes import PlatformNotReady
def before_scenario(context, scenario):
    if scenario.name == "S": raise PlatformNotReady("no worker")
    assert False, "two workers expected"
""",
    )
    outcome = project.run()
    assert outcome.message("S").startswith("PlatformNotReady: no worker\n")
    assert outcome.message("T").startswith("HookAssertion: two workers expected\n")
    assert_told_alike(outcome, error=2)


def test_a_cleanup_error_breaks_its_scenario(feature):
    project = feature("Feature: F\n  Scenario: S\n    Given there is a cleanup\n")
    project.append(
        "features/steps/steps.py",
        """
def remove(): raise OSError("still in use")
@step("there is a cleanup")
def cleanup(context): context.add_cleanup(remove)
""",
    )
    outcome = project.run()
    assert outcome.status == 1
    assert outcome.message("S") == "OSError: still in use\nin a clean-up of the scenario"
    assert "CLEANUP-ERROR" in outcome.attachments(outcome.named("S"))["captured stdout"]
    assert_told_alike(outcome, error=1)
    assert 'type="OSError"' in next(outcome.junit_dir.glob("*.xml")).read_text()


def test_a_defect_stays_recognisable_when_the_cleanup_breaks_too(feature):
    project = feature("Feature: F\n  Scenario: S\n    Given it fails\n")
    project.write("features/environment.py", "def after_scenario(context, s): raise RuntimeError('no port')\n")
    outcome = project.run()
    assert outcome.message("S").startswith("AssertionError: Expected: 1\n")
    assert "and then, in after_scenario: RuntimeError: no port" in outcome.message("S")
    assert_told_alike(outcome, error=1)


@pytest.mark.parametrize("hook", ["before_feature", "after_feature", "before_rule", "after_rule"])
def test_a_hook_error_outside_of_a_scenario_is_a_result_of_its_own(feature, hook):
    project = feature("Feature: F\n  Rule: R\n    Scenario: S\n      Given it passes\n")
    project.write("features/environment.py", f"def {hook}(context, x): raise RuntimeError('no port')\n")
    outcome = project.run()
    assert outcome.status == 1
    (problem,) = outcome.run_problems
    assert problem["status"] == "broken"
    assert problem["statusDetails"]["message"].startswith("RuntimeError: no port\n")
    assert problem["name"].startswith(hook)
    assert len(outcome.global_errors) == 1
    if hook.startswith("before"):
        assert_told_alike(outcome, skipped=1)
        assert outcome.message("S") == f"not run: {hook} failed: RuntimeError: no port"
    else:
        assert_told_alike(outcome, passed=1)


def test_a_cleanup_error_of_a_feature_and_of_the_run_are_results_of_their_own(feature):
    project = feature(ONE)
    project.write(
        "features/environment.py",
        """\
def remove(): raise OSError("still in use")
def before_all(context): context.add_cleanup(remove)
def before_feature(context, feature): context.add_cleanup(remove)
""",
    )
    outcome = project.run()
    assert outcome.status == 1
    assert len(outcome.run_problems) == len(outcome.global_errors) == 2
    assert_told_alike(outcome, passed=1)


def test_an_error_in_before_all_is_a_result_and_the_reason_of_every_skipped_scenario(feature):
    project = feature(ONE)
    project.write("features/environment.py", "def before_all(context): raise RuntimeError('no target')\n")
    outcome = project.run()
    assert outcome.status == 1
    (problem,) = outcome.run_problems
    assert problem["statusDetails"]["message"].startswith("RuntimeError: no target")
    assert outcome.message("S") == "not run: before_all failed: RuntimeError: no target"
    assert_told_alike(outcome, skipped=1)


def test_an_error_in_after_all_is_a_result(feature):
    project = feature(ONE)
    project.write("features/environment.py", "def after_all(context): raise RuntimeError('leaked')\n")
    outcome = project.run()
    assert outcome.status == 1
    assert [problem["name"] for problem in outcome.run_problems] == ["after_all"]
    assert_told_alike(outcome, passed=1)


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("features/steps/more.py", "import not_there\n", "not_there"),
        ("features/steps/more.py", "def broken(:\n", "SyntaxError"),
        ("features/environment.py", "1 / 0\n", "ZeroDivisionError"),
        ("features/b.feature", "Feature: F\n  Scenario: S\n    Given x\n    Nonsense\n", "ParserError"),
    ],
)
def test_an_error_before_the_first_scenario_is_a_result(feature, file, text, expected):
    project = feature(ONE)
    assert project.run().status == 0
    project.write(file, text)
    outcome = project.run()
    assert outcome.status != 0
    (problem,) = outcome.results  # and nothing is left of the green run before
    assert problem["status"] == "broken"
    assert expected in json.dumps(problem)
    assert outcome.junit == Counts()


# --- what is kept ---------------------------------------------------------------------------------


def test_rules_backgrounds_tables_and_descriptions_are_kept(feature):
    outcome = feature(
        """\
@epic
Feature: F
  About the feature.

  Background:
    Given there is a table
      | a |
      | 1 |

  @ruled
  Rule: R
    About the rule.

    Background:
      Given it passes

    Scenario: S
      About the scenario.
      Then there is a table
        | b |
        | 2 |
    Scenario: T
      Then it fails
  Rule: R2
    Scenario: S
      Then it passes
"""
    ).run()
    assert_told_alike(outcome, passed=2, failed=1)
    in_rules = {tuple(r["titlePath"][-2:]): r for r in outcome.results if r["name"] == "S"}
    first = in_rules["F", "R"]
    assert len(first["steps"]) == 3
    assert outcome.attachments(first["steps"][2]) == {".table": "b\r\n2\r\n"} or outcome.attachments(
        first["steps"][2]
    ) == {".table": "b\n2\n"}
    about = first["description"]
    assert about.index("About the scenario.") < about.index("About the feature.") < about.index("About the rule.")
    tags = [label["value"] for label in first["labels"] if label["name"] == "tag"]
    assert tags == ["epic", "ruled"]
    assert first["historyId"] != in_rules["F", "R2"]["historyId"]


def test_reasons_for_skipping_are_kept(feature):
    project = feature(
        """\
Feature: F
  Scenario: by a hook
    Given it passes
  Scenario: by a step
    Given it skips
    Then it passes
  @slow
  Scenario: by tag
    Given it passes
"""
    )
    project.append(
        "features/steps/steps.py",
        '\n@step("it skips")\ndef skips(context): context.scenario.skip("not on this target")\n',
    )
    project.write(
        "features/environment.py",
        "def before_scenario(context, s):\n    if 'hook' in s.name: s.skip('disturbs others')\n",
    )
    outcome = project.run("--tags=not @slow")
    assert outcome.message("by a hook") == "disturbs others"
    assert outcome.message("by a step") == "not on this target"
    assert outcome.message("by tag") == "not selected by the tags: not (slow)"
    assert_told_alike(outcome, skipped=3)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--name", "^A$"], {"A", "B"}),
        (["--name", "^A$", "--no-skipped"], {"A"}),
        (["--tags=a", "-DAllureFormatter.hide_excluded=false"], {"A", "B"}),
        (["--tags=a", "-DAllureFormatter.hide_excluded=true"], {"A"}),
        (["features/a.feature:3"], {"A", "B"}),
    ],
)
def test_what_was_not_selected_is_listed_unless_asked_otherwise(feature, arguments, shown):
    project = feature("Feature: F\n  @a\n  Scenario: A\n    Given it passes\n  Scenario: B\n    Given it passes\n")
    outcome = project.run(*arguments)
    assert outcome.status == 0, outcome.console
    assert {result["name"] for result in outcome.results} == shown


def test_the_runtime_api_works(feature):
    project = feature("@critical\nFeature: F\n  Own.\n  Scenario: S\n    Given it speaks to allure\n")
    project.append(
        "features/steps/steps.py",
        """
@step("it speaks to allure")
def speaks(context):
    allure.dynamic.title("New title")
    allure.dynamic.label("owner", "me")
    allure.dynamic.severity("minor")
    allure.dynamic.parameter("cancelled after, s", 0.14)
    allure.dynamic.description("The verdict.")
    with allure.step("inner"):
        allure.attach("body", name="note", attachment_type=allure.attachment_type.TEXT)
""",
    )
    project.write("features/environment.py", "import allure\ndef before_all(context): allure.attach('x', 'all')\n")
    outcome = project.run()
    assert outcome.status == 0, outcome.console
    result = outcome.named("New title")
    labels = {(label["name"], label["value"]) for label in result["labels"]}
    assert {("owner", "me"), ("severity", "minor")} <= labels
    assert ("severity", "critical") not in labels
    assert result["parameters"] == [{"name": "cancelled after, s", "value": "0.14", "excluded": True}]
    assert result["description"].startswith("The verdict.\n")
    assert "Own." in result["description"]
    assert outcome.attachments(result["steps"][0]["steps"][0]) == {"note": "body"}
    assert any("attachments" in json.loads(p.read_text()) for p in outcome.allure_dir.glob("*-globals.json"))


OUTLINE = """\
Feature: F
  Scenario Outline: Cancel at <percent> %
    Given it passes with <percent>
    Examples: early
      | percent |
"""


def test_reordering_rows_keeps_their_history(feature):
    def ids(rows):
        outcome = feature(OUTLINE + "".join(f"      | {row} |\n" for row in rows)).run()
        assert_told_alike(outcome, passed=len(rows))
        return {r["name"]: (r["historyId"], r["testCaseId"]) for r in outcome.results}

    first = ids([10, 50])
    assert set(first) == {"Cancel at 10 %", "Cancel at 50 %"}
    assert ids([90, 50, 10]).items() >= first.items()


def test_rows_whose_name_says_nothing_are_told_apart_and_equal_scenarios_are_no_retries(feature):
    outcome = feature(
        """\
Feature: F
  Scenario Outline: Rows
    Given it passes with <x>
    Examples:
      | x |
      | 1 |
      | 2 |
      | 2 |
  Scenario: Twin
    Given it passes
  Scenario: Twin
    Given it fails
"""
    ).run()
    assert sorted(r["name"] for r in outcome.results) == ["Rows [1]", "Rows [2]", "Rows [2]", "Twin", "Twin"]
    keys = {(r["testCaseId"], str(r.get("parameters"))) for r in outcome.results}
    assert len(keys) == 5  # by which Allure 3 recognises retries
    assert_told_alike(outcome, passed=4, failed=1)


# --- interruptions --------------------------------------------------------------------------------

WAITING = """
import pathlib
@step("it waits")
def waits(context):
    context.add_cleanup(lambda: print("CLEANED", file=sys.__stdout__))
    pathlib.Path("now").touch()
    time.sleep(50)
"""
HOOKS = "def after_scenario(c, s): print('AFTER SCENARIO', s.name)\ndef after_all(c): print('AFTER ALL')\n"


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_an_interrupted_run_says_so_and_cleans_up(feature, number):
    project = feature(ONE + "  Scenario: long\n    Given it waits\n  Scenario: next\n    Given it passes\n")
    project.append("features/steps/steps.py", WAITING)
    project.write("features/environment.py", HOOKS)
    outcome = project.interrupt(number, "--no-capture", "--no-capture-hooks")
    assert outcome.status == 1
    assert outcome.message("long") == f"Interrupted: the run was stopped by {number.name}"
    assert outcome.message("next") == "not run: the run was interrupted before it"
    assert "AFTER SCENARIO long" in outcome.console
    assert "CLEANED" in outcome.console
    assert "AFTER ALL" in outcome.console
    assert_told_alike(outcome, passed=1, error=1, skipped=1)


def test_a_signal_during_a_cleanup_lets_it_end_and_then_ends_the_run(feature):
    project = feature("Feature: F\n  Scenario: S\n    Given it cleans slowly\n  Scenario: T\n    Given it passes\n")
    project.append(
        "features/steps/steps.py",
        """
import pathlib
def clean():
    pathlib.Path("now").touch(); time.sleep(1); print("CLEANED", file=sys.__stdout__)
@step("it cleans slowly")
def cleans(context): context.add_cleanup(clean)
""",
    )
    outcome = project.interrupt(signal.SIGTERM)
    assert "CLEANED" in outcome.console
    assert outcome.status == 1
    assert_told_alike(outcome, passed=1, skipped=1)


def test_a_killed_run_leaves_results_that_say_so(feature):
    project = feature(ONE + "  Scenario: long\n    Given it waits\n")
    project.append("features/steps/steps.py", WAITING)
    outcome = project.interrupt(signal.SIGKILL)
    assert [p["statusDetails"]["message"] for p in outcome.run_problems] == [
        "Unfinished: the process ended before its last scenario"
    ]


def test_a_step_that_exits_is_broken(feature):
    project = feature("Feature: F\n  Scenario: S\n    Given it exits\n  Scenario: T\n    Given it passes\n")
    project.append("features/steps/steps.py", '\n@step("it exits")\ndef exits(context): sys.exit(0)\n')
    outcome = project.run()
    assert outcome.status == 1  # and not what the step asked for
    assert outcome.message("S") == "SystemExit: 0"
    assert outcome.named("T")["status"] == "skipped"


# --- the run as a whole ---------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--tags=nowhere"], ["--name", "nowhere"]])
def test_a_run_that_selects_nothing_fails_visibly(feature, arguments):
    outcome = feature(ONE).run(*arguments)
    assert outcome.status == 1
    assert "RUN FAILED: NothingSelected" in outcome.console
    assert [problem["name"] for problem in outcome.run_problems] == ["No scenario was selected"]


def test_a_run_whose_scenarios_were_all_skipped_is_inconclusive(feature):
    project = feature(ONE)
    project.write("features/environment.py", "def before_scenario(c, s): s.skip('no worker here')\n")
    outcome = project.run()
    assert outcome.status == 1
    assert outcome.message("No scenario was run").startswith("Inconclusive: nothing was checked, all 1")
    assert "no worker here" in outcome.message("No scenario was run")


def test_a_difference_between_the_reports_fails_the_run(feature):
    project = feature(ONE)
    # A result removed behind the formatter's back, as by a clean-up of the disk.
    project.write(
        "features/environment.py",
        "import pathlib\ndef after_all(c):\n    for p in pathlib.Path('out/allure').glob('*-result.json'):\n"
        "        p.unlink()\n",
    )
    outcome = project.run()
    assert outcome.status == 1
    assert "RUN FAILED: ReportsDisagree: Behave counts 1 passed" in outcome.console
    assert "out/allure has 0 passed" in outcome.console
    assert outcome.run_problems[0]["name"] == "The reports disagree"


def test_each_run_starts_with_an_empty_directory_and_a_dry_run_leaves_it_alone(feature):
    project = feature(ONE + "  Scenario: T\n    Given it passes\n")
    assert_told_alike(project.run(), passed=2)
    feature(ONE)
    assert_told_alike(project.run(), passed=1)
    before = {p: p.read_text() for p in (project.directory / "out").rglob("*") if p.is_file()}
    assert project.run("--dry-run").status == 0
    assert {p: p.read_text() for p in (project.directory / "out").rglob("*") if p.is_file()} == before


def test_a_directory_with_other_files_is_refused_and_left_alone(feature):
    project = feature(ONE)
    project.write("out/allure/thesis.doc", "precious")
    project.write("out/allure/old-result.json", "{}")
    outcome = project.run()
    assert outcome.status == 1
    assert outcome.console.count("ConfigError: ") == 1 and "thesis.doc" in outcome.console
    assert "Traceback" not in outcome.console
    assert sorted(p.name for p in outcome.allure_dir.glob("[!.]*")) == ["old-result.json", "thesis.doc"]


@pytest.mark.parametrize("name", ["allure_behave.formatter:AllureFormatter", "honest_allure"])
def test_a_second_directory_by_habit_gets_complete_results_too(feature, name):
    project = feature(
        """\
Feature: F
  Rule: R
    Scenario: S
      Given there is a table
        | a |
        | 1 |
  Scenario: T
    Given it fails
"""
    )
    project.write("features/environment.py", "import allure\ndef after_scenario(c, s): allure.attach('x', 'end')\n")
    outcome = project.run("-f", name, "-o", "mine")
    mine = Path(project.directory, "mine")
    assert_told_alike(outcome, passed=1, failed=1)
    other = project.run("-f", name, "-o", "mine", allure_dir="mine")
    assert_told_alike(other, passed=1, failed=1)
    for directory in (outcome.allure_dir, mine):
        attached = {a["source"] for r in outcome.results for a in r.get("attachments", [])}
        assert directory == mine or attached <= {p.name for p in directory.iterdir()}
        assert (directory / "categories.json").is_file()


def test_the_configured_directory_named_again_is_written_once(feature):
    outcome = feature(ONE).run("-f", "allure_behave.formatter:AllureFormatter", "-o", "out/allure")
    assert outcome.status == 0, outcome.console
    assert len(outcome.results) == 1


def test_both_formatters_run_side_by_side_under_behaves_own_runner(feature):
    project = feature(ONE + "  Scenario: T\n    Given it fails\n")
    project.write("features/environment.py", "import allure\ndef after_scenario(c, s): allure.attach('x', 'end')\n")
    arguments = ["-r", "behave.runner:Runner", "-f", "allure_behave.formatter:AllureFormatter", "-o", "mine"]
    assert project.run(*arguments).allure == Counts(passed=1, failed=1)
    assert project.run(*arguments, allure_dir="mine").status == 1
    names = [p.name for p in (project.directory / "mine").glob("*-result.json")]
    assert len(names) == 4  # two runs: the stock formatter never empties its directory


def test_a_formatter_without_a_directory_is_one_clear_line(feature):
    project = feature(ONE)
    project.write("behave.ini", "[behave]\nrunner = honest_behave.runner:HonestRunner\n")
    outcome = project.run("-f", "allure_behave.formatter:AllureFormatter")
    assert outcome.status == 1
    assert "ConfigError: Allure results need a directory" in outcome.console
    assert "Traceback" not in outcome.console


# --- helpers --------------------------------------------------------------------------------------


def test_a_hook_finds_the_directories_of_this_run(feature):
    project = feature(ONE)
    project.write(
        "features/environment.py",
        """\
from honest_behave.results import results_dirs, write_environment
def before_all(context):
    for directory in results_dirs(context.config): write_environment(directory, {"Target": "sandbox"})
""",
    )
    project.run("-f", "allure_behave.formatter:AllureFormatter", "-o", "mine")
    for directory in ("out/allure", "mine"):
        assert read_environment(project.directory / directory) == {"Target": "sandbox"}


def test_environment_is_read_back_as_written(tmp_path):
    facts = {"Target kind": "embedded", "URL": "http://127.0.0.1:8000/", "Path": "a\\b", "x=y": "1\n2"}
    write_environment(tmp_path, facts)
    assert read_environment(tmp_path) == facts | {"x=y": "1 2"}
