"""What stock allure-behave and Behave get wrong, shown with a small project each.

A test that fails here is good news: upstream has mended something, and the workaround it names can go.
"""

import signal

import pytest

from honest_behave.results import read_results

STOCK = """\
[behave]
paths = features
format = allure_behave.formatter:AllureFormatter
outfiles = out/allure
default_format = plain
"""


@pytest.fixture
def stock(project):
    """Run a project with the stock formatter and Behave's own runner."""

    def run(feature, environment="", steps="", *arguments):
        project.write("behave.ini", STOCK)
        project.write("features/a.feature", feature)
        project.write("features/environment.py", environment)
        project.append("features/steps/steps.py", steps)
        return project.run(*arguments)

    return run


def mended(what, workaround):
    return f"upstream has mended {what}: remove the workaround in {workaround}"


ONE = "Feature: F\n  Scenario: S\n    Given it passes\n"
FORMATTER = "honest_behave/formatter.py: "
LISTENER = "honest_behave/listener.py: "
REPORTER = "honest_behave/reporter.py: "
RUNNER = "honest_behave/runner.py: "


def test_886_a_table_under_a_rule(stock):
    outcome = stock(
        "Feature: F\n  Rule: R\n    Scenario: S\n      Given there is a table\n        | a |\n        | 1 |\n"
    )
    assert "KeyError" in outcome.console, mended("allure-python #886", FORMATTER + "feature(), walk_scenarios")


def test_886_scenarios_under_a_rule_are_missing(stock):
    outcome = stock("Feature: F\n  Rule: R\n    Scenario: S\n      Given it fails\n")
    assert outcome.status == 1
    assert outcome.results == [], mended("scenarios under Rule (#886)", FORMATTER + "feature(), walk_scenarios")


@pytest.mark.parametrize(
    ("hook", "status"),
    [("before_scenario", "skipped"), ("after_scenario", "passed"), ("after_tag", "passed")],
)
def test_899_hook_errors_do_not_break_the_scenario(stock, hook, status):
    outcome = stock(ONE.replace("  Scen", "  @t\n  Scen"), f"def {hook}(context, x): raise RuntimeError('x')\n")
    assert outcome.status == 1
    assert outcome.named("S")["status"] == status, mended("hook errors", LISTENER + "stop_scenario")


def test_a_cleanup_error_does_not_break_the_scenario(stock):
    outcome = stock(ONE, "def before_scenario(c, s): c.add_cleanup(lambda: 1 / 0)\n")
    assert outcome.status == 1
    assert outcome.named("S")["status"] == "passed", mended("clean-up errors", LISTENER + "stop_scenario")


@pytest.mark.parametrize("hook", ["before_all", "after_all"])
def test_an_error_outside_of_every_scenario_is_not_reported(stock, hook):
    outcome = stock(ONE, f"def {hook}(context): raise RuntimeError('x')\n")
    assert outcome.status == 1
    statuses = {result["status"] for result in outcome.results} | set(outcome.global_errors)
    assert statuses <= {"passed"}, mended(f"errors in {hook}", FORMATTER + "_report_outside")


def test_776_the_runtime_api_does_nothing(stock):
    outcome = stock(
        "Feature: F\n  Scenario: S\n    Given it speaks\n",
        steps='\n@step("it speaks")\ndef speaks(c):\n    allure.dynamic.title("T")\n'
        '    allure.dynamic.label("a", "b")\n    allure.dynamic.parameter("p", 1)\n',
    )
    (result,) = outcome.results
    assert result["name"] == "S", mended("dynamic.title (#776)", LISTENER + "add_title")
    assert {"name": "a", "value": "b"} not in result["labels"], mended("dynamic.label", LISTENER + "add_label")
    assert "parameters" not in result, mended("dynamic.parameter", LISTENER + "add_parameter")


def test_764_attaching_outside_of_a_scenario_raises(stock):
    outcome = stock(ONE, "import allure\ndef before_all(c): allure.attach('x', 'name')\n")
    assert "KeyError" in outcome.console, mended("attach in before_all (#764)", REPORTER + "_place_globally")


def test_the_reason_for_skipping_and_the_features_description_are_lost(stock):
    outcome = stock(
        "Feature: F\n  About.\n  Scenario: S\n    Given it passes\n",
        "def before_scenario(c, s): s.skip('because')\n",
    )
    result = outcome.named("S")
    assert "because" not in str(result), mended("skip reasons", LISTENER + "stop_scenario")
    assert "About." not in str(result), mended("the feature's description", LISTENER + "_description")


def test_captured_output_is_not_attached(stock):
    outcome = stock("Feature: F\n  Scenario: S\n    Given it fails\n")
    assert "attachments" not in str(outcome.results), mended("captured output", LISTENER + "_attach_captured")


def test_hide_excluded_is_true_for_the_word_false(stock):
    outcome = stock(ONE, "", "", "--tags=nowhere", "-DAllureFormatter.hide_excluded=false")
    assert outcome.results == [], mended("hide_excluded", LISTENER + "Listener.__init__")


def test_the_id_for_history_changes_with_the_place_in_the_table(stock):
    outline = "Feature: F\n  Scenario Outline: S\n    Given it passes with <x>\n    Examples:\n      | x |\n"

    def history_id(rows, place):
        outcome = stock(outline + rows)
        return next(r["historyId"] for r in outcome.results if r["name"].endswith(place))

    first = history_id("      | 1 |\n", "@1.1 ")
    assert first != history_id("      | 0 |\n      | 1 |\n", "@1.2 "), mended("history ids", LISTENER + "_case_id")


def test_two_stock_formatters_at_once_crash(stock):
    outcome = stock(ONE, "", "", "-f", "allure_behave.formatter:AllureFormatter", "-o", "mine")
    complete = outcome.status == 0 and len(outcome.results) == 1 == len(read_results(outcome.allure_dir))
    assert not complete, mended("two formatters at once", REPORTER + "_Items, Reporter")


def test_behave_a_run_that_selects_nothing_passes(stock):
    assert stock(ONE, "", "", "--tags=nowhere").status == 0, mended("empty runs", RUNNER + "run_model")


def test_behave_a_step_that_exits_decides_the_exit_status(stock):
    outcome = stock(
        "Feature: F\n  Scenario: S\n    Given it exits\n",
        steps='\n@step("it exits")\ndef exits(context): sys.exit(0)\n',
    )
    assert outcome.status == 0, mended("sys.exit() in a step", RUNNER + "run")


def test_behave_sigterm_runs_no_hook_and_leaves_no_result(stock, project):
    stock(ONE)  # writes the project
    project.append(
        "features/steps/steps.py",
        '\nimport pathlib\n@step("it waits")\ndef waits(c):\n    pathlib.Path("now").touch(); time.sleep(50)\n',
    )
    project.write("features/a.feature", "Feature: F\n  Scenario: waiting\n    Given it waits\n")
    project.write("features/environment.py", "def after_all(c): print('AFTER ALL')\n")
    outcome = project.interrupt(signal.SIGTERM)
    clean = "AFTER ALL" in outcome.console or "waiting" in {result["name"] for result in outcome.results}
    assert not clean, mended("SIGTERM", "honest_behave/interrupts.py")
