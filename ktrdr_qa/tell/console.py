"""What the person at the terminal, or the reader of a CI log, sees of a run.

`Console` is Behave's formatter for plain `behave` (`default_format` in pyproject.toml; `-f plain` and the others
work as ever): each feature and scenario is named once, a step is one line with its sign and its duration, the
Background is told in full once and then in one line, a table is printed once. Every line is written whole and at
once, so a CI log grows as the run does. `LiveLine` moves while a step waits, on a terminal only.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

from behave.configuration import Configuration
from behave.formatter.base import Formatter
from behave.model import Background, Feature, Rule, Scenario, Step, Table

from honest_behave.problems import step_problem
from ktrdr_qa.record.history import History
from ktrdr_qa.words import percent

TONES = {"good": "1;32", "bad": "1;31", "doubtful": "1;33", "heading": "1"}
"""Bold green, red and yellow of the terminal's own 16 colours, and bold: readable on dark and on light."""
SIGNS = {"passed": "✓", "failed": "✗", "error": "!", "not checked": "?", "skipped": "–", "not run": "·"}
PLAIN_SIGNS = {"passed": "ok", "failed": "FAIL", "error": "ERR", "not checked": "?", "skipped": "-", "not run": "."}
_TONE = {"passed": "good", "failed": "bad", "error": "doubtful", "not checked": "doubtful"}
REDRAW_S = 0.2


def colours_wanted(config: Configuration, stream: Any = None) -> bool:
    """Whether to colour: as `--color` and `--no-color` say, else on a terminal unless `NO_COLOR` is set."""
    if config.color in ("on", "always"):
        return True
    if config.color in ("off", "never") or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool((stream or sys.__stdout__ or sys.stdout).isatty())


def toned(text: str, tone: str, colours: bool) -> str:
    """The text in one of the `TONES`."""
    return f"\x1b[{TONES[tone]}m{text}\x1b[0m" if colours and tone in TONES else text


class Console(Formatter):  # type: ignore[misc]
    """See the module's text."""

    name = "console"
    description = "one line a step, nothing twice"

    def __init__(self, stream_opener: Any, config: Configuration) -> None:
        super().__init__(stream_opener, config)
        self.stream = self.open()
        self._colours = colours_wanted(config, self.stream)
        self._signs = SIGNS if _can_say(self.stream, "✓✗–·…") else PLAIN_SIGNS
        self._feature: Feature | None = None
        self._rule: Rule | None = None
        self._scenario: Scenario | None = None
        self._told_feature = self._told_scenario = self._told_reason = False
        self._results: list[Step] = []
        self._broken: Step | None = None
        self._again: Scenario | None = None
        self._backgrounds: set[tuple[str, ...]] = set()
        self._tables: set[str] = set()
        self._left_out = 0

    # --- what Behave calls ---------------------------------------------------------------------------------

    def feature(self, feature: Feature) -> None:
        self._end_feature()
        self._feature, self._rule, self._told_feature = feature, None, False
        self._backgrounds.clear()
        self._tables.clear()

    def rule(self, rule: Rule) -> None:
        self._end_scenario()
        self._rule = rule

    def background(self, background: Background) -> None:
        """Told with the first scenario that runs it."""

    def scenario(self, scenario: Scenario) -> None:
        self._end_scenario()
        if not scenario.should_run(self.config):
            self._left_out += 1
            return
        self._tell_feature()
        self._scenario, self._told_scenario, self._told_reason = scenario, False, False
        self._results, self._broken = [], None
        told = tuple(step.name for step in scenario.background_steps)
        if not told or told in self._backgrounds:
            self._tell_scenario()

    def result(self, step: Step) -> None:
        scenario = self._scenario
        if scenario is None:
            return
        self._results.append(step)
        if step.status.has_failed():
            self._broken = self._broken or step
        background = list(scenario.background_steps)
        key = tuple(s.name for s in background)
        place = len(self._results)
        if place > len(background):
            self._tell_step(step)
            return
        if key not in self._backgrounds:
            if place == 1:
                self._say(f"\n  {self._heading(scenario)}")
            self._tell_step(step)
        elif _kind(step) in ("failed", "error", "skipped"):
            self._tell_step(step)
        if place == len(background):
            if key in self._backgrounds:
                self._fold(self._results)
            self._backgrounds.add(key)
            self._tell_scenario()

    def failed_afterwards(self, scenario: Scenario, step: Step) -> None:
        """A step of an ended scenario has failed after all (see `HonestRunner.fail_afterwards`)."""
        self._end_scenario()
        self._tell_feature()
        if self._again is not scenario:
            name = f"{scenario.keyword}: {scenario.name}, judged again at the end of the feature"
            self._say("\n  " + toned(name, "heading", self._colours))
            self._again = scenario
        self._tell_step(step)

    def eof(self) -> None:
        self._end_feature()

    def close(self) -> None:
        self._end_feature()
        super().close()

    # --- headings ------------------------------------------------------------------------------------------

    def _tell_feature(self) -> None:
        if self._feature and not self._told_feature:
            name = f"{self._feature.keyword}: {self._feature.name}"
            self._say("\n" + toned(name, "heading", self._colours))
            self._told_feature = True
        if self._rule:
            self._say("\n  " + toned(f"{self._rule.keyword}: {self._rule.name}", "heading", self._colours))
            self._rule = None

    def _tell_scenario(self) -> None:
        if self._scenario and not self._told_scenario:
            name = f"{self._scenario.keyword}: {self._scenario.name}"
            self._say("\n  " + toned(name, "heading", self._colours))
            self._told_scenario = True

    def _heading(self, scenario: Scenario) -> str:
        background = scenario.background
        text = f"{background.keyword}: {background.name}" if background and background.name else "Background"
        return toned(text, "heading", self._colours)

    def _fold(self, steps: Sequence[Step]) -> None:
        """One line for the steps of a Background that was told in full before."""
        background = self._scenario.background if self._scenario else None
        name = (background.name or background.keyword) if background else "Background"
        unchecked = sum(_kind(step) == "not checked" for step in steps)
        told = f"{name}: as above, {len(steps)} checks"
        if unchecked:
            told += f", {unchecked} of them not checked"
        if all(_kind(step) == "not run" for step in steps):
            self._line("not run", None, told)
        else:
            self._line("not checked" if unchecked else "passed", sum(s.duration for s in steps), told)

    # --- steps ---------------------------------------------------------------------------------------------

    def _tell_step(self, step: Step) -> None:
        kind = _kind(step)
        self._line(kind, None if kind == "not run" else step.duration, f"{step.keyword} {step.name}")
        if step.table and self.config.show_multiline:
            self._tell_table(step.table)
        if step.text and self.config.show_multiline:
            self._say(_indented(f'"""\n{step.text}\n"""', 6))
        if kind == "not checked":
            self._say(_indented(_sentence(step.not_checked_reason), 6))
        elif kind == "skipped" and self._scenario and self._scenario.skip_reason:
            self._say(_indented(f"skipped: {self._scenario.skip_reason}", 6))
            self._told_reason = True
        elif kind in ("failed", "error"):
            problem = step_problem(step)
            words = [problem.message, problem.trace] if problem else [step.error_message]
            for text in words:
                if text:
                    self._say(_indented(toned_lines(text.strip("\n"), _TONE[kind], self._colours), 6))
            self._say(_indented(f"at {step.location}", 6))

    def _tell_table(self, table: Table) -> None:
        rows = [table.headings, *(row.cells for row in table.rows)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(table.headings))]
        text = "\n".join("| " + " | ".join(cell.ljust(widths[at]) for at, cell in enumerate(r)) + " |" for r in rows)
        if text in self._tables:
            text = "(the table as above)"
        self._tables.add(text)
        self._say(_indented(text, 16))

    def _line(self, kind: str, took_s: float | None, text: str) -> None:
        sign = toned(self._signs[kind], _TONE.get(kind, ""), self._colours)
        took = " " * 8 if took_s is None else f"{took_s:6.2f} s"
        self._say(f"    {sign} {took}  {text}")

    # --- ends ----------------------------------------------------------------------------------------------

    def _end_scenario(self) -> None:
        scenario, self._scenario = self._scenario, None
        if scenario is None:
            return
        status = scenario.status.name
        broken = self._broken
        reason = str(scenario.skip_reason or "") if status == "skipped" and not self._told_reason else ""
        hook = (
            str(scenario.error_message or scenario.exception or "")
            if scenario.hook_failed or "cleanup" in status
            else ""
        )
        self._scenario = scenario
        if not self._told_scenario:
            self._tell_scenario()
        self._scenario = None
        if reason:
            self._line("skipped", None, f"skipped: {reason}")
        if hook and not (broken and broken.error_message == hook):
            self._line("error", None, "outside of the steps:")
            self._say(_indented(toned_lines(hook.strip(), "doubtful", self._colours), 6))
        if broken:
            left = len(list(scenario.all_steps)) - len(self._results)
            if left:
                self._line("not run", None, f"{left} more {'steps were' if left > 1 else 'step was'} not run")
            if scenario.captured.has_output():
                self._say(_indented(scenario.captured.make_report().strip("\n"), 6))

    def _end_feature(self) -> None:
        self._end_scenario()
        if self._left_out and self._told_feature:
            many = "scenarios were" if self._left_out > 1 else "scenario was"
            self._say(f"\n  {self._left_out} {many} not selected")
        if self._told_feature:
            self._say("")
        self._feature, self._told_feature, self._left_out = None, False, 0

    def _say(self, text: str) -> None:
        text = "\n".join(line.rstrip() for line in text.split("\n"))
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        self.stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self.stream.flush()


def _kind(step: Step) -> str:
    """Which of the `SIGNS` belongs to a step; one whose code says that it checked nothing did not pass."""
    if step.status.has_failed():
        return "failed" if step.status.is_failure() else "error"
    if step.status.name == "passed":
        return "not checked" if getattr(step, "not_checked_reason", None) else "passed"
    return "skipped" if step.status.name == "skipped" else "not run"


def _sentence(reason: str) -> str:
    return reason if reason.startswith("not checked") else f"not checked: {reason}"


def toned_lines(text: str, tone: str, colours: bool) -> str:
    """Each line coloured for itself, so that a pager or a CI log that goes by lines shows all of them."""
    return "\n".join(toned(line, tone, colours) if line.strip() else line for line in text.split("\n"))


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.split("\n"))


def _can_say(stream: Any, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class LiveLine:
    """One line on a terminal that moves while a step waits; silent in a pipe.

    It is redrawn by a thread of its own, so that it moves during a request that is not answered as well.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or sys.__stderr__
        self._stream = stream if stream and stream.isatty() and os.environ.get("TERM") != "dumb" else None
        self._lock = threading.Lock()
        self._going = threading.Event()
        self._thread: threading.Thread | None = None
        self._step = self._note = ""
        self._since_s = 0.0
        self._shown = False

    def silence(self) -> None:
        self._stream = None

    def begin(self, step: str) -> None:
        """A step begins; it is shown as soon as it takes a moment."""
        if not self._stream:
            return
        with self._lock:
            self._step, self._note, self._since_s = step, "", time.monotonic()
            self._going.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._redraw, name="live-line", daemon=True)
            self._thread.start()

    def show(self, history: History) -> None:
        """Take the last reading of the backtest into the line."""
        if self._stream:
            last = next((s for s in reversed(history.samples) if s.view == "backend" and not s.problem), None)
            if last and last.percentage is not None:
                in_a_row = f"{told}, " if (told := history.about.get("in_a_row")) else ""
                self._note = f"{in_a_row}{last.status} at {percent(last.percentage)}"

    def clear(self) -> None:
        """Take the line away, before anything else is printed."""
        if not self._stream:
            return
        with self._lock:
            if self._going.is_set():
                self._going.clear()
                if self._shown:
                    self._write("\r\x1b[K")
                    self._shown = False

    def _redraw(self) -> None:
        while True:
            self._going.wait()
            time.sleep(REDRAW_S)  # the pace of the drawing, not a wait for anything
            with self._lock:
                if self._going.is_set():
                    self._write(f"\r\x1b[K{self._text()}")
                    self._shown = True

    def _text(self) -> str:
        note = f"{self._note}, " if self._note else ""
        text = f"    … {time.monotonic() - self._since_s:6.1f} s  {note}{self._step}"
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns if self._stream else 80
        except OSError:
            width = 80
        # A line that wraps could not be taken away again.
        return text if len(text) < width or width < 10 else text[: width - 2] + "…"

    def _write(self, text: str) -> None:
        assert self._stream
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
