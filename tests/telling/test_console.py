"""The console: each thing once, one line a step, colours only where they are wanted, a line that moves."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import pytest

from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.tell.console import LiveLine
from tests.telling.running import COLOUR, MAIN, Told, run, run_on_terminal, screen, suite

CONFIG = """\
[behave]
paths = features
default_format = console
runner = honest_behave.runner:HonestRunner

[behave.formatters]
console = ktrdr_qa.tell.console:Console
"""
STEPS = """\
from behave import step
from honest_behave.outcomes import Inconclusive

@step("it is fine")
def fine(context): pass

@step("it is fine with {what}")
def fine_with(context, what): assert context.table or context.text

@step("it could not be looked at")
def unseen(context): context.step.not_checked_reason = "there is no Docker here"

@step("it fails")
def fails(context): raise AssertionError("Expected: one\\n     but: two\\n   again: curl -s http://x/")

@step("it is inconclusive")
def inconclusive(context): raise Inconclusive("nothing was learnt")

@step("it breaks")
def breaks(context): raise ValueError("odd")

@step("it has no need of the rest")
def skips(context): context.scenario.skip("there is nothing to ask about")
"""
HOOKS = """\
def before_step(context, step): context.step = step
def before_scenario(context, scenario):
    if "unready" in scenario.tags: scenario.skip("the platform is not ready")
def after_scenario(context, scenario):
    if "untidy" in scenario.tags: raise RuntimeError("left something behind")
"""
FEATURE = """\
Feature: Telling

  Background: Preflight
    Given it is fine with a table
      | a | b |
      | 1 | 2 |
    And it could not be looked at

  Scenario: First
    Then it is fine
    And it is fine with a table
      | a | b |
      | 1 | 2 |

  Scenario: Second
    Then it fails
    And it is fine
    And it is fine

  Scenario: Third
    When it has no need of the rest
    Then it is fine

  @unready
  Scenario: Fourth
    Then it is fine

  @untidy
  Scenario: Fifth
    Then it is inconclusive

  @other
  Scenario: Sixth
    Then it breaks
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, text in {
        "behave.ini": CONFIG,
        "features/steps/steps.py": STEPS,
        "features/environment.py": HOOKS,
        "features/a.feature": FEATURE,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def without_times(console: str) -> str:
    return re.sub(r" +\d+\.\d\d s", "", console)


def test_console_tells_each_thing_once_and_every_failure_whole(place: Path) -> None:
    told = run(place)
    console = without_times(told.console)
    assert console.count("Feature: Telling") == 1
    for name in ("First", "Second", "Third", "Fourth", "Fifth", "Sixth"):
        # Behave itself names the bad ones again, with their places, in its summary.
        assert len(re.findall(rf"^  Scenario: {name}$", console, re.MULTILINE)) == 1
    assert console.count("Background: Preflight") == 1
    assert console.count("| 1 | 2 |") == 1, "the same table is printed once"
    assert console.count("(the table as above)") == 1
    assert console.count("    ?  And it could not be looked at") == 1
    assert console.count("not checked: there is no Docker here") == 1
    # Told in full with the first scenario, in one line with the others that ran it.
    assert console.count("?  Preflight: as above, 2 checks, 1 of them not checked") == 4
    assert (
        "    ✗  Then it fails\n"
        "      Expected: one\n"
        "           but: two\n"
        "         again: curl -s http://x/\n"
        "      at features/a.feature:16\n"
    ) in console
    assert "2 more steps were not run" in console
    assert "    –  When it has no need of the rest\n      skipped: there is nothing to ask about\n" in console
    assert console.count("skipped: there is nothing to ask about") == 1
    assert "skipped: the platform is not ready\n" in console
    assert "    !  Then it is inconclusive\n      Inconclusive: nothing was learnt\n" in console
    assert "left something behind" in console
    assert "ValueError: odd" in console and 'raise ValueError("odd")' in console, (
        "what nobody foresaw has its traceback"
    )


def test_console_tells_under_the_feature_what_failed_afterwards(place: Path) -> None:
    (place / "features/environment.py").write_text(
        HOOKS
        + """
def after_feature(context, feature):
    from honest_behave.outcomes import Inconclusive
    first, sixth = feature.scenarios[0], feature.scenarios[-1]
    fail = context._runner.fail_afterwards
    fail(first, first.steps[0], AssertionError("Expected: nothing after it\\n     but: something"))
    fail(first, first.steps[1], Inconclusive("not known"))
    fail(sixth, list(sixth.all_steps)[0], AssertionError("one more"))
"""
    )
    told = run(place)
    console = without_times(told.console)
    feature, afterwards = console.split("\n  Scenario: First, judged again at the end of the feature\n")
    assert "  Scenario: Sixth\n" in feature, "it comes when every scenario has been told"
    assert (
        "    ✗  Then it is fine\n"
        "      Expected: nothing after it\n"
        "           but: something\n"
        "      at features/a.feature:10\n"
    ) in afterwards
    assert "not known" not in afterwards, "what failed already is not made inconclusive"
    assert "\n  Scenario: Sixth, judged again at the end of the feature\n" in afterwards
    assert "FAILED AFTERWARDS" not in told.console
    assert told.status == 1


def test_console_leaves_out_what_was_not_selected_and_says_so(place: Path) -> None:
    console = run(place, "--tags=@other").console
    assert "Scenario: Sixth" in console and "Scenario: First" not in console
    assert "5 scenarios were not selected" in console


def test_console_in_a_dry_run_lists_steps_as_not_run(place: Path) -> None:
    console = run(place, "--dry-run").console
    assert "· " in console and "✓" not in console and "Scenario: Sixth" in console


def test_console_keeps_to_the_encoding_of_its_stream(place: Path) -> None:
    told = run(place, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert "ok " in told.console and "✓" not in told.console
    assert "UnicodeEncodeError" not in told.console


def test_console_gives_way_to_a_formatter_that_was_asked_for(place: Path) -> None:
    console = run(place, "-f", "plain").console
    assert "Then it fails ... failed" in console and "✗" not in console


def codes(told: Told) -> set[str]:
    return {code for found in COLOUR.findall(told.console) for code in found.split(";")}


def test_console_colours_only_on_a_terminal_and_only_with_colours_for_any_background(place: Path) -> None:
    assert codes(run(place)) == set()
    seen = codes(run_on_terminal(place))
    # Reset, bold, red, green, yellow: of the terminal's own sixteen, none that is black, white or grey.
    assert {"0", "1", "31", "32", "33"} == seen


@pytest.mark.parametrize(
    ("arguments", "variables"), [((), {"NO_COLOR": "1"}), (("--no-color",), {}), ((), {"TERM": "dumb"})]
)
def test_console_has_no_colours_where_none_are_wanted(
    place: Path, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    assert codes(run_on_terminal(place, *arguments, **variables)) == set()


def test_console_colours_in_a_pipe_where_that_is_asked_for(place: Path) -> None:
    assert "32" in codes(run(place, "--color=always"))


class Terminal(io.StringIO):
    """A terminal that tells when it has been written to often enough."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.drawn = threading.Event()
        self._left = after

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("no descriptor")

    def write(self, text: str) -> int:
        self._left -= "…" in text
        if self._left <= 0:
            self.drawn.set()
        return super().write(text)


def test_live_line_moves_while_nothing_is_read_and_is_taken_away() -> None:
    terminal = Terminal(after=3)
    line = LiveLine(terminal)
    line.begin("the backtest is cancelled")
    assert terminal.drawn.wait(30)
    line.clear()
    drawn = [text for text in terminal.getvalue().split("\r\x1b[K") if text]
    assert len(drawn) >= 3 and len(set(drawn)) >= 2, "the seconds move although nothing is heard"
    assert all("the backtest is cancelled" in text for text in drawn)
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_live_line_tells_the_last_reading_and_never_wraps() -> None:
    terminal = Terminal(after=1)
    line = LiveLine(terminal)
    line.begin("a step with a very long sentence " * 10)
    line.show(History(samples=(Sample("backend", "op", 1.0, 1.1, "running", 41.26),)))
    assert terminal.drawn.wait(30)
    line.clear()
    first = terminal.getvalue().split("\r\x1b[K")[1]
    assert "running at 41.3 %" in first and len(first) < 80


def test_live_line_is_silent_in_a_pipe() -> None:
    stream = io.StringIO()
    line = LiveLine(stream)
    line.begin("a step")
    line.show(History())
    line.clear()
    assert stream.getvalue() == ""


def test_suite_on_a_terminal_moves_and_leaves_no_trace_of_it(tmp_path: Path) -> None:
    # It is refreshed once a second, as a KTRDR's progress is: so a step waits for longer than a line takes to be drawn anew.
    told = run_on_terminal(suite(tmp_path, "--refresh-s 1"), "-D", "target=target.toml", MAIN)
    assert told.status == 0, told.console
    assert re.search(r"\r\x1b\[K    …    \d\.\d s  running at \d+\.\d %, ", told.console), "it moves while a step waits"
    lines = screen(told.console)
    assert not [line for line in lines if "…" in line]
    assert sum(line.endswith("And the backtest is reported as cancelled within 2 seconds") for line in lines) == 1
    assert any(line.startswith("PASSED: cancelling a running backtest works") for line in lines)
