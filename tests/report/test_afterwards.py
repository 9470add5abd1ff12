"""A step that turns out to have failed when its scenario is over: the same in every report."""

import re

import pytest

from honest_behave.counts import Counts, count_allure

FEATURE = """\
Feature: F
  Scenario: first
    Given it passes
    Then it passes with 1
  Scenario: second
    Given it passes
"""
NEXT = "Feature: G\n  Scenario: other\n    Given it passes\n"

AFTER_FEATURE = """\
import sys
from honest_behave.outcomes import Inconclusive

def after_feature(context, feature):
    if feature.name != "F":
        return
    runner = context._runner
    scenarios = {scenario.name: scenario for scenario in feature.walk_scenarios()}
    def fail(name, place, exception):
        scenario = scenarios[name]
        print("CHANGED", runner.fail_afterwards(scenario, list(scenario.all_steps)[place], exception), file=sys.__stdout__)
"""


@pytest.fixture
def judged(feature):
    """Run a feature whose after_feature hook says what failed after all."""

    def run(text, *said, arguments=(), steps="", before="", allure_dir="out/allure"):
        project = feature(text)
        project.write("features/b.feature", NEXT)
        project.append("features/steps/steps.py", steps)
        project.write("features/environment.py", before + AFTER_FEATURE + "".join(f"    {line}\n" for line in said))
        return project.run(*arguments, allure_dir=allure_dir)

    return run


WRONG = r"""fail("first", 1, AssertionError("Expected: 1\n     but: was 2"))"""


def assert_told_alike(outcome, **counts):
    assert outcome.allure == Counts(**counts), outcome.console
    assert outcome.junit == Counts(**counts), outcome.console
    assert "ReportsDisagree" not in outcome.console


def junit(outcome, feature="a"):
    return (outcome.junit_dir / f"TESTS-{feature}.xml").read_text()


def test_a_failed_check_fails_step_scenario_feature_and_run_everywhere(judged):
    outcome = judged(FEATURE, WRONG)
    assert outcome.status == 1
    assert_told_alike(outcome, passed=2, failed=1)
    first = outcome.named("first")
    assert first["status"] == "failed"
    assert first["statusDetails"] == {"message": "Expected: 1\n     but: was 2"}
    assert [step["status"] for step in first["steps"]] == ["passed", "failed"]
    assert first["steps"][1]["statusDetails"]["message"] == "Expected: 1\n     but: was 2"
    assert "1 feature passed, 1 failed, 0 skipped" in outcome.console
    assert "2 scenarios passed, 1 failed, 0 skipped" in outcome.console
    assert "3 steps passed, 1 failed, 0 skipped" in outcome.console
    assert re.search(r"Failing scenarios:\n  features/a\.feature:2  first\n", outcome.console)
    assert '<failure type="AssertionError" message="Expected: 1' in junit(outcome)
    assert "Failing step: Then it passes with 1" in junit(outcome)
    assert 'failures="1"' in junit(outcome)
    assert len(outcome.results) == 3, "the result is written anew, not twice"
    assert outcome.run_problems == []


def test_what_is_no_failed_check_is_an_error(judged):
    outcome = judged(
        FEATURE,
        'fail("first", 1, Inconclusive("it ended too soon"))',
        'fail("second", 0, ValueError("odd"))',
    )
    assert outcome.status == 1
    assert_told_alike(outcome, passed=1, error=2)
    assert outcome.named("first")["status"] == outcome.named("second")["status"] == "broken"
    assert outcome.message("first") == "Inconclusive: it ended too soon"
    assert outcome.message("second") == "ValueError: odd"
    assert outcome.named("second")["steps"][0]["status"] == "broken"
    assert '<error type="Inconclusive" message="it ended too soon"' in junit(outcome)
    assert "1 feature passed, 0 failed, 1 error" in outcome.console


def test_a_step_that_failed_already_stays_as_it_was(judged):
    outcome = judged(
        "Feature: F\n  Scenario: first\n    Given it passes\n    Then it fails\n",
        'fail("first", 1, AssertionError("something else"))',
        'fail("first", 0, Inconclusive("not known after all"))',
    )
    assert outcome.console.count("CHANGED False") == 2
    assert_told_alike(outcome, passed=1, failed=1)
    assert outcome.message("first") == "Expected: 1\n     but: was 2"
    assert "something else" not in outcome.console
    assert "not known after all" not in outcome.console


def test_a_failed_check_is_told_beside_what_broke_already(judged):
    outcome = judged(
        "Feature: F\n  Scenario: first\n    Given it passes\n    Then it passes\n",
        WRONG,
        before="def after_scenario(c, s):\n    if s.name == 'first': raise RuntimeError('no port')\n",
    )
    assert outcome.status == 1
    assert_told_alike(outcome, passed=1, error=1)
    assert outcome.message("first").startswith("AssertionError: Expected: 1\n")
    assert "and then, in after_scenario: RuntimeError: no port" in outcome.message("first")
    assert outcome.named("first")["steps"][1]["status"] == "failed"


def test_a_step_of_a_rule_and_of_an_outline_fails_all_that_it_is_part_of(judged):
    outcome = judged(
        """\
Feature: F
  Rule: R
    Background:
      Given it passes
    Scenario Outline: first
      Then it passes with <x>
      Examples:
        | x |
        | 1 |
        | 2 |
""",
        "outline = feature.rules[0].scenarios[0]; last = outline.scenarios[1]",
        'assert (feature.status.name, feature.rules[0].status.name, outline.status.name) == ("passed",) * 3',
        'runner.fail_afterwards(last, last.steps[0], AssertionError("two"))',
        'assert (feature.status.name, feature.rules[0].status.name, outline.status.name) == ("failed",) * 3',
    )
    assert outcome.status == 1
    assert_told_alike(outcome, passed=2, failed=1)
    assert outcome.message("first [2]") == "two"
    assert "0 rules passed, 1 failed" in outcome.console


def test_a_scenario_that_was_left_out_of_the_results_is_told_after_all(judged):
    outcome = judged(
        "Feature: F\n  Scenario: first\n    Given it passes\n    Then it skips\n",
        'fail("first", 0, AssertionError("it had not"))',
        arguments=["--no-skipped"],
        steps='\n@step("it skips")\ndef skips(context): context.scenario.skip("no need")\n',
    )
    assert_told_alike(outcome, passed=1, failed=1)
    assert outcome.message("first") == "it had not"


def test_with_stop_no_other_feature_is_run(judged):
    outcome = judged(FEATURE, WRONG, arguments=["--stop"])
    assert outcome.status == 1
    assert outcome.named("other")["status"] == "skipped"
    assert_told_alike(outcome, passed=1, failed=1, skipped=1)


def test_without_reports_the_run_fails_all_the_same(judged):
    outcome = judged(
        FEATURE, WRONG, arguments=["--no-junit", "-r", "honest_behave.runner:HonestRunner", "--no-summary"]
    )
    assert outcome.status == 1


@pytest.mark.parametrize("formatter", ["plain", "progress", "pretty", "json"])
def test_behaves_own_formatters_leave_one_clear_text(judged, formatter):
    outcome = judged(FEATURE, WRONG, arguments=["-f", formatter])
    assert (
        "FAILED AFTERWARDS: Scenario: first\n  Then it passes with 1\n    Expected: 1\n         but: was 2\n"
        "    at features/a.feature:4\n"
    ) in outcome.console


def test_every_results_directory_has_it(judged):
    outcome = judged(FEATURE, WRONG, arguments=["-f", "honest_allure", "-o", "mine"], allure_dir="mine")
    assert_told_alike(outcome, passed=2, failed=1)
    assert count_allure(outcome.allure_dir.parent / "out/allure") == Counts(passed=2, failed=1)


# --- attachments ----------------------------------------------------------------------------------

ATTACHING = """\
import allure
def after_scenario(context, scenario):
    allure.attach("a part", "film", allure.attachment_type.JSON)
    allure.attach("kept", "picture", allure.attachment_type.TEXT)
    allure.dynamic.description("The first words.")
"""
REPLACED = (
    'runner.attach_afterwards(scenarios["first"], "film", "the whole", allure.attachment_type.JSON)',
    'runner.attach_afterwards(scenarios["first"], "added", b"bytes", "text/markdown", "md")',
    'runner.describe_afterwards(scenarios["first"], "The last words.")',
)
DESCRIBED = FEATURE.replace("Scenario: first\n", "Scenario: first\n    Its own text.\n")


@pytest.mark.parametrize("allure_dir", ["out/allure", "mine"])
def test_attachments_are_replaced_by_name_or_added_and_the_description_is_replaced(judged, allure_dir):
    outcome = judged(
        DESCRIBED,
        *REPLACED,
        before=ATTACHING,
        arguments=["-f", "honest_allure", "-o", "mine"],
        allure_dir=allure_dir,
    )
    assert outcome.status == 0, outcome.console
    first = outcome.named("first")
    assert outcome.attachments(first) == {"film": "the whole", "picture": "kept", "added": "bytes"}
    assert [a["name"] for a in first["attachments"]] == ["film", "picture", "added"], "in its old place"
    assert {a["name"]: a["type"] for a in first["attachments"]}["added"] == "text/markdown"
    assert first["description"] == "The last words.\n\nIts own text."
    assert outcome.attachments(outcome.named("second")) == {"film": "a part", "picture": "kept"}
    assert outcome.named("second")["description"] == "The first words."
    written = {path.read_text() for path in outcome.allure_dir.glob("*-attachment*")}
    assert len(list(outcome.allure_dir.glob("*-attachment*"))) == 7 and "the whole" in written  # the third has two
    assert_told_alike(outcome, passed=3)


def test_failing_and_attaching_go_together_in_either_order(judged):
    outcome = judged(FEATURE, REPLACED[0], WRONG, REPLACED[1], REPLACED[2], before=ATTACHING)
    first = outcome.named("first")
    assert first["status"] == "failed"
    assert outcome.attachments(first) == {"film": "the whole", "picture": "kept", "added": "bytes"}
    assert first["description"] == "The last words."
    assert_told_alike(outcome, passed=2, failed=1)


def test_without_allure_nothing_is_attached(feature):
    project = feature(FEATURE)
    project.write("behave.ini", "[behave]\nrunner = honest_behave.runner:HonestRunner\ndefault_format = plain\n")
    said = "".join(f"    {line}\n" for line in REPLACED)
    project.write("features/environment.py", "import allure\n" + AFTER_FEATURE + said)
    outcome = project.run()
    assert outcome.status == 0, outcome.console


def test_a_scenario_that_was_not_run_has_nothing_to_attach_to(judged):
    outcome = judged(
        FEATURE + "    Then it exits\n",
        *REPLACED,
        'fail("second", 1, AssertionError("what never ran"))',
        before=ATTACHING + "def before_feature(c, f):\n    if f.name == 'F': raise RuntimeError('no port')\n",
    )
    assert outcome.status == 1
    assert outcome.named("first")["status"] == "skipped"
    assert outcome.message("second") == "what never ran"
