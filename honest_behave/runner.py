"""Behave's runner, strict about what a run may claim.

`features/environment.py` calls `take_over`, so that plain `behave` uses it. (Registered in the configuration it
would have to be importable before Behave reads `features/`, which it is in an installed package only.)

- a run in which no scenario was selected, or none was run, fails and says so;
- the counts of Behave, JUnit XML and Allure are compared when all three are complete, and a difference
  fails the run (a formatter or an after_all hook comes too early: the files are closed after both);
- SIGTERM, SIGHUP and a console that cannot be written any more are taken like Ctrl-C: hooks and clean-ups run, and
  the results say what was not run. The first signal does not interrupt a clean-up, a second one does;
- where a run crashes, as in a formatter, it is cleaned up all the same;
- errors of hooks and clean-ups are kept for the report, and so are errors before the first scenario;
- allure-behave's own formatter, which QA teams type by habit, is replaced by `HonestAllureFormatter`, as
  the stock one leaves out errors; two formatters for one directory become one;
- a run's results carry its `identity`, and only what this suite wrote is removed (see `output_dir`);
- a dry run, and a pass of an IDE that only collects, leave the last run's results alone and open nothing: what a
  run needs is opened by the hook `before_first_scenario(context)`, called once, when the first feature begins that
  has a scenario to run. Where it fails, nothing is run.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, cast

from behave.configuration import Configuration
from behave.exception import ConfigError
from behave.model import Feature, Scenario, Step
from behave.reporter.junit import JUnitReporter
from behave.runner import Runner
from behave.runner_util import parse_features

from honest_behave import afterwards, output_dir
from honest_behave import results as allure_results
from honest_behave.agreement import differences
from honest_behave.counts import kind_of
from honest_behave.formatter import HonestAllureFormatter
from honest_behave.formatters import PlainWords
from honest_behave.hooks import FIRST, Watch
from honest_behave.interrupts import Interrupts
from honest_behave.junit_reporter import HonestJUnitReporter
from honest_behave.outputs import Outputs
from honest_behave.problems import Problem, describe, trace_of


class HonestRunner(Runner):  # type: ignore[misc]
    """See the module's text."""

    formatters: list[Any]

    def __init__(self, config: Configuration) -> None:
        super().__init__(config)
        self._taken_over = False
        self._become_strict()

    def _become_strict(self) -> None:
        self.problems: list[Problem] = []
        self._outputs = Outputs(self.config, self._one_clear_line)
        self.config.reporters = [
            HonestJUnitReporter(self.config) if type(reporter) is JUnitReporter else reporter
            for reporter in self.config.reporters
        ]
        self.opened = False
        """Whether `before_first_scenario` has done its work."""
        self.identity: dict[str, str] = {}
        """What a run is about, by name, e.g. its target: a label of each Allure result, and a part of its history's id.

        Set by `before_first_scenario`; results of another identity are no retries of these.
        """
        self.begin: Callable[[str], None] = lambda why: None
        self.at_end: Callable[[bool], None] = lambda failed: None
        self._interrupts = Interrupts(self._abort_after_the_cleanup)
        self._stack = ExitStack()
        self._begun = self._cannot_open = self._after_all = False
        self._failures: list[str] = []
        self.failed_features: list[Feature] = []
        """Those with a step that failed when its scenario was over."""

    def adopt(self, begin: Callable[[str], None], at_once: bool) -> None:
        """Take over a runner that is loading its hooks; `begin` comes before anything else of a run."""
        if vars(self).get("_taken_over", True):  # the second time, too: an IDE collects first and then runs
            self._taken_over = True
            self._become_strict()
        self.begin = begin
        if os.environ.get("NO_COLOR") and self.config.color == "auto":
            self.config.color = "off"  # Behave's own formatters do not know the variable.
        if at_once and not self.config.dry_run:
            self._begin_run()

    def _begin_run(self) -> None:
        """Before anything is loaded, if possible: if that fails, an earlier run must not be left to be read."""
        if self._begun:
            return
        self._begun = True
        with self._one_clear_line():
            self.begin("")
            self._outputs.prepare(self._junit)
        self._stack.enter_context(self._interrupts.as_exceptions())
        self._outputs.expect_the_worst()

    @contextmanager
    def _one_clear_line(self) -> Iterator[None]:
        """What makes a run impossible is said by Behave in one line, and told to who keeps the summary."""
        try:
            yield
        except (OSError, output_dir.UnusableDirectory) as error:
            why = f"{error.filename} cannot be written: {error.strerror}" if isinstance(error, OSError) else str(error)
            with suppress(OSError):
                self.begin(why)
            self._outputs.tell_problem("The run did not begin", f"Unfinished: {why}")
            told = ConfigError(why)
            self.problems.append(Problem("the run", told))
            raise told from None

    def run(self) -> bool:
        if self._taken_over or self.config.dry_run:
            return bool(super().run())
        with self._stack:
            try:
                return bool(super().run())
            except BaseException as error:
                self._report_crash(error)
                if not isinstance(error, SystemExit):
                    raise
                # A step that calls sys.exit(0) would otherwise make the run look passed.
                return self._fail("The run did not finish", describe(error))

    def load_step_definitions(self, extra_step_paths: Any = None) -> None:
        if not self._taken_over:
            super().load_step_definitions(extra_step_paths)
            return
        self._watch_hooks()
        try:
            super().load_step_definitions(extra_step_paths)
            # Behave does it again, but a feature that cannot be parsed ends the run without another word to us.
            locations = [location for location in self.feature_locations() if not self.config.exclude(location)]
            parse_features(locations, language=self.config.lang)
        except BaseException as error:
            self._report_crash(error)
            if isinstance(error, SystemExit):
                raise ConfigError(f"the step definitions could not be loaded: {describe(error)}") from None
            raise

    def load_hooks(self, filename: str | None = None) -> None:
        super().load_hooks(filename)
        if not self._taken_over:
            if not self.config.dry_run:
                self._begin_run()
            self._watch_hooks()

    def _watch_hooks(self) -> None:
        Watch(self.problems, self._interrupts.held_off).over(self.hooks, self.context)

    def _abort_after_the_cleanup(self, signal_name: str) -> bool:
        if self.context is None:
            return False
        self.abort(reason=f"{signal_name}, after the clean-up that is under way")
        return True

    def should_run_hook(self, hook_name: str) -> bool:
        if self._cannot_open and hook_name != "after_all":
            return False
        return bool(super().should_run_hook(hook_name))

    def run_hook(self, hook_name: str, *args: Any) -> bool:
        self._after_all |= hook_name == "after_all"
        if hook_name == "before_feature" and FIRST in self.hooks and not (self.opened or self._cannot_open):
            feature = args[-1]
            if any(scenario.should_run(self.config) for scenario in feature.walk_scenarios()):
                self._begin_run()  # where a driver runs features without our run_model
                self.opened = bool(super().run_hook(FIRST))
                if not self.opened:
                    self._cannot_open = True
                    self.abort(reason=f"{FIRST} failed")
                    return False
        return bool(super().run_hook(hook_name, *args))

    def run_model(self, features: Any = None) -> bool:
        if self.config.dry_run:
            return self._run_dry(features)
        self._begin_run()
        with self._one_clear_line():
            for reporter in self._junit:
                reporter.find_room(self.features if features is None else features)
        with self._stack:
            try:
                failed = self._run_strictly(features)
            except BaseException as error:
                self._report_crash(error)
                afterwards.clean_up(self, after_all=not self._after_all)
                if not isinstance(error, SystemExit):
                    self._tell_the_end(failed=True)
                    raise
                failed = self._fail("The run did not finish", describe(error))
            return self._tell_the_end(failed)

    def _tell_the_end(self, failed: bool) -> bool:
        try:
            self.at_end(failed)
        except Exception as error:  # noqa: BLE001 - it must not hide how the run came out
            return self._fail("The verdict could not be told", f"VerdictNotTold: {describe(error)}")
        return failed

    def _run_dry(self, features: Any) -> bool:
        """What is not run has no results."""
        reporters = self.config.reporters
        self.formatters = [f for f in self.formatters if not isinstance(f, HonestAllureFormatter)]
        self.config.reporters = [r for r in reporters if not isinstance(r, JUnitReporter)]
        try:
            return bool(super().run_model(features))
        finally:
            self.config.reporters = reporters

    def _run_strictly(self, features: Any) -> bool:
        scenarios = [scenario for feature in self.features for scenario in feature.walk_scenarios()]
        selected = [scenario for scenario in scenarios if scenario.should_run(self.config)]
        for formatter in self._allure:
            formatter.runner = self
            formatter.open_results()
        for feature in self.features if features is None else features:
            self._ask_again_afterwards(feature)
        self.formatters.insert(0, PlainWords())
        failed = bool(super().run_model(features)) or bool(self.failed_features)

        # From here on formatters and reporters are closed, and their files complete.
        if not selected:
            how = self.config.tag_expression.to_string() or "none"
            message = f"NothingSelected: no scenario was selected, so nothing was checked (tags: {how})"
            return self._fail("No scenario was selected", message)
        if not failed and all(kind_of(scenario.status) == "skipped" for scenario in selected):
            reasons = sorted({scenario.skip_reason for scenario in selected if scenario.skip_reason})
            message = f"Inconclusive: nothing was checked, all {len(selected)} selected scenarios were skipped"
            failed = self._fail("No scenario was run", ": ".join([message, *reasons[:1]]))
        if found := differences(scenarios, self._allure, self._junit):
            return self._fail("The reports disagree", "ReportsDisagree: " + "; ".join(found))
        return failed

    # --- when a scenario is over ---------------------------------------------------------------------------

    @property
    def results_dirs(self) -> list[Path]:
        """Where its Allure results go."""
        return self._outputs.results_dirs

    @property
    def _junit(self) -> list[HonestJUnitReporter]:
        return [reporter for reporter in self.config.reporters if isinstance(reporter, HonestJUnitReporter)]

    @property
    def _allure(self) -> list[HonestAllureFormatter]:
        return [formatter for formatter in self.formatters if isinstance(formatter, HonestAllureFormatter)]

    def fail_afterwards(self, scenario: Scenario, step: Step, exception: BaseException) -> bool:
        """Let a step of an ended scenario have raised this; call it in the feature's `after_feature` hook at the latest.

        As for any step an AssertionError is a failure and everything else an error. Every report and the exit status
        follow. Returns whether anything changed: a step that failed already stays as it was, and what could not be
        told (no AssertionError) takes nothing away from a scenario with a failed check.
        """
        return afterwards.fail(self, scenario, step, exception)

    def attach_afterwards(
        self,
        scenario: Scenario,
        name: str,
        body: str | bytes,
        attachment_type: Any = None,
        extension: str | None = None,
    ) -> None:
        """Attach to the Allure result of an ended scenario; what is attached there under this name is replaced.

        Type and extension are those of `allure.attach`. What was attached to a step stays as it is. Without Allure,
        and for a scenario that was not run, nothing happens.
        """
        for formatter in self._allure:
            formatter.attach_afterwards(scenario, name, body, attachment_type, extension)

    def describe_afterwards(self, scenario: Scenario, text: str) -> None:
        """Replace what `allure.dynamic.description` said of an ended scenario; what the feature file says stays."""
        for formatter in self._allure:
            formatter.describe_afterwards(scenario, text)

    def _ask_again_afterwards(self, feature: Feature) -> None:
        """Behave knows what a feature came to before its after_feature hook is run, which may fail a step."""
        run = feature.run
        feature.run = lambda runner: bool(run(runner)) or any(feature is failed for failed in self.failed_features)

    def _fail(self, name: str, message: str) -> bool:
        """Say it on the console and in the results; returns True, Behave's word for a failed run."""
        print(f"\nRUN FAILED: {message}", file=sys.stderr)
        self._failures.append(message)
        self._outputs.tell_problem(name, message)
        return True

    @property
    def trouble(self) -> list[str]:
        """What went wrong outside of every scenario, one text each."""
        outside = (p for p in self.problems if p.entity is None)
        stopped = (
            [f"Interrupted: the run was stopped by {self._interrupts.stopped_by}"]
            if self._interrupts.stopped_by
            else []
        )
        return [*stopped, *self._failures, *(f"{describe(p.exception, in_hook=True)} (in {p.where})" for p in outside)]

    def _report_crash(self, error: BaseException) -> None:
        """An exception that ends the run: a file that cannot be loaded, or what no step or hook caught."""
        if any(problem.exception is error for problem in self.problems):
            return
        self.capture_controller.stop_capture()
        self._begin_run()
        self.problems.append(Problem("the run", error))
        self.begin(describe(error, in_hook=True))
        for formatter in self._allure:
            with suppress(OSError):
                formatter.close()
        if not self.formatters:
            for directory in self.results_dirs:
                allure_results.write_categories(directory)
            self._outputs.tell_problem("The suite could not be loaded", describe(error, in_hook=True), trace_of(error))


def take_over(begin: Callable[[str], None] = lambda why: None) -> HonestRunner:
    """Make the runner that is loading the hooks strict, from `features/environment.py`; returns it.

    Behave hands the hooks their runner only in `before_all`, when steps and features are loaded and the formatters
    made: too late for what goes wrong until then. The runner is the one that is executing the calling module.

    A runner of another class keeps its own methods: it becomes a subclass of its class and of ours, and what it
    overrides comes first. As it may run nothing (an IDE collects scenarios so), its run begins, with `begin`, when
    it reaches our `run_model`; Behave's own begins at once. Raises ConfigError where no runner of Behave's is at work.
    """
    frame: FrameType | None = sys._getframe(1)
    under_way: list[tuple[CodeType, Any]] = []
    while frame is not None:
        under_way.append((frame.f_code, frame.f_locals.get("self")))
        frame = frame.f_back
    runner = next((one for _, one in under_way if isinstance(one, Runner)), None)
    strangers = {hook.__module__ for hook in (Runner.run_hook, Runner.run_hook_with_capture)} - {Runner.__module__}
    if runner is None or strangers:
        begin("this suite is run by Behave itself")
        whose = (
            f"Behave's hooks are replaced by {', '.join(strangers)}" if strangers else "no runner of Behave's loads it"
        )
        raise ConfigError(
            f"this suite is run by Behave itself (behave features/NAME.feature), but {whose}: "
            "a driver that keeps the errors of hooks to itself, as BehaveX does, would show a pass that is none"
        )
    kind = type(runner)
    if not isinstance(runner, HonestRunner):
        runner.__class__ = HonestRunner if kind is Runner else type(f"Honest{kind.__name__}", (kind, HonestRunner), {})
    strict = cast(HonestRunner, runner)
    runs_all = any(code is Runner.run_with_paths.__code__ for code, _ in under_way)
    strict.adopt(begin, at_once=runs_all and type(strict).run_model is HonestRunner.run_model)
    return strict
