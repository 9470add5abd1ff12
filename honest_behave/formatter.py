"""Allure results which are never greener than the run.

`HonestAllureFormatter` is allure-behave's formatter with its gaps closed (measured with
allure-behave 2.16.2 and Behave 1.3.3; `tests/report/test_upstream.py` says so when one is mended):

- hook and clean-up errors break their scenario, or appear as a result of their own
  (stock: passed, skipped or missing, https://github.com/allure-framework/allure-python/issues/899);
- scenarios under `Rule:` appear (https://github.com/allure-framework/allure-python/issues/886);
- `allure.dynamic.title`, `.label`, `.severity`, `.parameter` work
  (https://github.com/allure-framework/allure-python/issues/776);
- `allure.attach` outside of a scenario becomes a global attachment
  (https://github.com/allure-framework/allure-python/issues/764);
- reasons for skipping, the descriptions of feature and rule, and captured output are kept, and what was
  never run is listed with the reason;
- the id for history depends on a row's values and not on its place in the table;
- two formatters can run at once, as each keeps its open items and its files to itself
  (stock shares them through a class attribute and through allure_commons' plug-in manager).

It works with any runner; with `honest_behave.runner:HonestRunner` it also knows of errors outside of every
feature.
"""

# allure_commons says that it is typed, but few of its functions are.
# mypy: disallow-untyped-calls=False

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import allure_commons
from allure_behave.formatter import AllureFormatter
from allure_behave.utils import TEST_PLAN_SKIP_REASON
from allure_commons.utils import get_testplan
from behave.configuration import Configuration
from behave.exception import ConfigError
from behave.formatter.base import Formatter
from behave.model import Feature, Scenario, Step
from behave.model_type import Status

from honest_behave import output_dir
from honest_behave import results as allure_results
from honest_behave.counts import Counts, count_allure, kind_of
from honest_behave.listener import Listener
from honest_behave.names import containers_of, full_name, tags_of
from honest_behave.problems import Problem, describe, trace_of
from honest_behave.reporter import Files


class HonestAllureFormatter(AllureFormatter):  # type: ignore[misc]
    """Behave's formatter for Allure: `behave -f honest_behave.formatter:HonestAllureFormatter -o DIR`."""

    name = "honest_allure"
    description = "Allure results, never greener than the run (into a directory)"

    def __init__(self, stream_opener: Any, config: Configuration) -> None:
        Formatter.__init__(self, stream_opener, config)
        if not stream_opener.name:
            raise ConfigError("Allure results need a directory: add -o DIR after -f")
        self.results_dir = Path(stream_opener.name).absolute()
        self.file_logger = Files(self.results_dir)
        self.listener = Listener(config, self.file_logger)
        self._unfinished: Path | None = None
        self.testplan = get_testplan()
        self.runner: Any = None  # set by HonestRunner, which knows more than the model tells
        self._features: list[Feature] = []
        self._reported: set[int] = set()

    def open_results(self) -> None:
        """Empty the directory and listen to `allure`, once: when the run begins, as not every formatter comes to run."""
        if self._unfinished:
            return
        try:
            allure_results.prepare(self.results_dir)
        except output_dir.UnusableDirectory as error:
            raise ConfigError(str(error)) from None
        allure_results.write_categories(self.results_dir)
        # Removed by close(): whatever kills the process, the results say that they are not complete.
        self._unfinished = allure_results.write_run_problem(
            self.results_dir,
            "The run did not finish",
            "Unfinished: the process ended before its last scenario",
        )
        allure_commons.plugin_manager.register(self.listener)

    def uri(self, uri: str) -> None:
        self.open_results()
        super().uri(uri)

    @property
    def dropped(self) -> int:
        """How many skipped scenarios are left out of the results, as was asked for."""
        return len(self.listener.dropped)

    def count(self) -> Counts:
        """What its results tell."""
        return count_allure(self.results_dir)

    def failed_afterwards(self, scenario: Scenario, step: Step) -> None:
        """A step of an ended scenario has failed after all."""
        self.listener.failed_afterwards(scenario, step, self._problems_of(scenario))

    def attach_afterwards(self, *given: Any) -> None:
        """See `HonestRunner.attach_afterwards`."""
        self.listener.attach_afterwards(*given)

    def describe_afterwards(self, scenario: Scenario, text: str) -> None:
        """See `HonestRunner.describe_afterwards`."""
        self.listener.describe_afterwards(scenario, text)

    def feature(self, feature: Feature) -> None:
        self._features.append(feature)
        for scenario in feature.walk_scenarios():
            self._apply_testplan(scenario)
            self._wrap(scenario)

    def close(self) -> None:
        self.open_results()
        try:
            for feature in self.runner.features if self.runner else self._features:
                for scenario in feature.walk_scenarios():
                    if id(scenario) not in self._reported:
                        self._report(scenario)
            for problem in self._problems():
                if isinstance(problem.entity, Scenario | Step):
                    continue
                self._report_outside(problem)
            if self._unfinished:
                self._unfinished.unlink(missing_ok=True)
        finally:
            super().close()

    def _wrap(self, scenario: Scenario) -> None:
        """Report the scenario when all of it is over, its clean-up too, which no formatter is told of."""
        run = scenario.run

        def run_and_report(runner: Any) -> bool:
            self._reported.add(id(scenario))
            self.listener.start_scenario(scenario, self._identity)
            try:
                # Once the run is aborted Behave goes on to the next scenario unless this one failed.
                return bool(run(runner)) or bool(runner.aborted)
            except BaseException as error:
                # Ctrl-C between two steps, or sys.exit() in one: not passed, whatever the steps say.
                scenario.store_exception_context(error)
                scenario.set_status(Status.error)
                raise
            finally:
                self._stop(scenario)

        scenario.run = run_and_report

    def _report(self, scenario: Scenario) -> None:
        """Report a scenario that Behave never came to."""
        self.listener.start_scenario(scenario, self._identity)
        for step in scenario.all_steps:
            self.listener.schedule_step(step)
        self._stop(scenario)

    def _stop(self, scenario: Scenario) -> None:
        self.listener.stop_scenario(scenario, self._problems_of(scenario), self._why_not_run(scenario))

    @property
    def _identity(self) -> Mapping[str, str]:
        return dict(self.runner.identity) if self.runner else {}

    def _problems_of(self, scenario: Scenario) -> list[Problem]:
        mine = [scenario, *scenario.all_steps]
        return [p for p in self._problems() if any(p.entity is entity for entity in mine)]

    def _problems(self) -> list[Problem]:
        """From our runner where there is one; else what the model tells, which is less."""
        if self.runner:
            return list(self.runner.problems)
        entities = [entity for feature in self._features for entity in (feature, *feature.rules)]
        return [
            Problem("a hook or clean-up", e.exception or Exception(e.error_message or "see the console"), e)
            for e in entities
            if e.hook_failed or e.status is Status.cleanup_error
        ]

    def _report_outside(self, problem: Problem) -> None:
        entity = problem.entity
        name = f"{problem.where} of {entity.type} “{entity.name}”" if entity is not None else problem.where
        message, trace = describe(problem.exception, in_hook=True), trace_of(problem.exception)
        allure_results.write_run_problem(self.results_dir, name, f"{message}\nin {name}", trace)
        allure_results.write_global_error(self.results_dir, f"{name}: {message}", trace)

    def _why_not_run(self, scenario: Scenario) -> str | None:
        if kind_of(scenario.status) != "skipped":
            return None
        if not scenario.should_run_with_tags(self.config.tag_expression):
            return f"not selected by the tags: {self.config.tag_expression.to_string()}"
        if not scenario.should_run_with_name_select(self.config):
            return f"not selected by the name: {', '.join(self.config.name)}"
        if scenario.should_skip:
            return None
        parts = containers_of(scenario)
        causes = [p for p in self._problems() if p.entity is None or any(p.entity is part for part in parts)]
        causes = [p for p in causes if p.where.startswith("before_")]
        if causes:
            return f"not run: {causes[0].where} failed: {describe(causes[0].exception, in_hook=True)}"
        if self.runner and self.runner.aborted:
            return "not run: the run was interrupted before it"
        return "not run: the run was stopped before it"

    def _apply_testplan(self, scenario: Scenario) -> None:
        if not self.testplan:
            return
        ids = {tag.partition("allure.id:")[2] for tag in tags_of(scenario)} - {""}
        name = full_name(scenario)
        if not any(item.get("id") in ids or item.get("selector") == name for item in self.testplan):
            scenario.skip(reason=TEST_PLAN_SKIP_REASON)
