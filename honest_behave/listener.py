"""Behave's scenarios and steps, and calls to `allure`, as Allure results."""

# allure_commons says that it is typed, but few of its functions are.
# mypy: disallow-untyped-calls=False

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

import allure_commons
from allure_behave.listener import AllureListener, GroupContext
from allure_behave.utils import TEST_PLAN_SKIP_REASON, get_title_path, scenario_parameters
from allure_commons.mapping import labels_set, parse_tag
from allure_commons.model2 import Label, Link, Parameter, StatusDetails, TestResult, TestStepResult
from allure_commons.types import AttachmentType, LabelType, Severity
from allure_commons.utils import md5, now, platform_label, represent, uuid4
from behave.configuration import Configuration
from behave.model import Scenario, Step

from honest_behave.counts import kind_of
from honest_behave.names import containers_of, full_name, tags_of, title
from honest_behave.problems import ALLURE_STATUS, Problem, scenario_problem, step_problem, step_status
from honest_behave.reporter import Files, Reporter


class Listener(AllureListener):  # type: ignore[misc]
    """Turns Behave's model and calls to `allure` into results."""

    group_context: GroupContext

    def __init__(self, config: Configuration, files: Files) -> None:
        super().__init__(config)
        # The stock reporter, whose items are shared, and its first group are given up.
        stock_group: GroupContext = self.group_context
        stock_group.exit()
        self.logger = Reporter(files)
        self.group_context = GroupContext(self.logger)
        self.group_context.enter()
        # Any non-empty string counts as true in the stock formatter.
        self.hide_excluded = config.userdata.getbool("AllureFormatter.hide_excluded", False)
        self.dropped: set[int] = set()
        self._seen: Counter[str] = Counter()
        self._ids: dict[int, str] = {}
        self._verdict: str | None = None
        # By the id of Behave's scenario or step, for what turns out when they are over.
        self._ended: dict[int, TestResult] = {}
        self._step_results: dict[int, TestStepResult] = {}

    # Not marked as hooks, in contrast to the stock ones: the formatter calls start_scenario and
    # stop_scenario itself, and another formatter's calls are none of its business.
    def start_test(self, **_: Any) -> None:
        """Left to start_scenario."""

    def stop_test(self, **_: Any) -> None:
        """Left to stop_scenario."""

    def start_scenario(self, scenario: Scenario, identity: Mapping[str, str]) -> None:
        self.current_scenario_uuid = uuid4()
        self._verdict = None
        self.steps.clear()
        self.group_context.enter()

        test = TestResult(uuid=self.current_scenario_uuid, start=now())
        test.name = title(scenario)
        test.fullName = full_name(scenario)
        test.titlePath = [*get_title_path(scenario), *(part.name for part in containers_of(scenario)[1:])]
        test.parameters = scenario_parameters(scenario) or []
        test.testCaseId = self._case_id(scenario, test.parameters, identity)
        test.historyId = md5(test.testCaseId, *(f"{p.name}={p.value}" for p in test.parameters))
        parsed = [parse_tag(tag, self.issue_pattern, self.link_pattern) for tag in tags_of(scenario)]
        test.links = [item for item in parsed if isinstance(item, Link)]
        tagged = [item for item in parsed if isinstance(item, Label)]
        test.labels = [
            *labels_set([Label(LabelType.SEVERITY, Severity.NORMAL), *tagged]),
            Label(LabelType.FEATURE, scenario.feature.name),
            Label(LabelType.FRAMEWORK, "behave"),
            Label(LabelType.LANGUAGE, platform_label()),
            *(Label(name, value) for name, value in identity.items()),
        ]
        self.logger.schedule_test(self.current_scenario_uuid, test)

    def stop_scenario(self, scenario: Scenario, problems: Iterable[Problem] = (), reason: str | None = None) -> None:
        """Close the current result; `reason` says why the scenario was not run, where it was not."""
        self.flush_steps()
        test = self.logger.get_test(self.current_scenario_uuid)
        status = ALLURE_STATUS[kind_of(scenario.status)]
        selected = scenario.should_run_with_tags(self.behave_config.tag_expression)
        selected = selected and scenario.should_run_with_name_select(self.behave_config)
        excluded = scenario.skip_reason == TEST_PLAN_SKIP_REASON or not selected
        test.stop, test.status = now(), status
        test.description, html = self._description(scenario, self._verdict)
        if test.descriptionHtml:
            test.descriptionHtml += html
        if status == "skipped" and (not self.behave_config.show_skipped or (self.hide_excluded and excluded)):
            self.dropped.add(id(scenario))
            self.logger.drop_test(self.current_scenario_uuid)
        else:
            if status in ("failed", "broken"):
                test.statusDetails = scenario_problem(scenario, problems)
                self._attach_captured(scenario, lambda part: part.name not in ("step", "scenario"))
            elif status == "skipped":
                why = scenario.skip_reason or reason or "skipped, no reason given"
                test.statusDetails = StatusDetails(message=why)
            self.logger.close_test(self.current_scenario_uuid)
            self.group_context.append_test(self.current_scenario_uuid)
        self._ended[id(scenario)] = test
        self.group_context.exit()
        self.current_step_uuid = self.current_scenario_uuid = None

    def failed_afterwards(self, scenario: Scenario, step: Step, problems: Iterable[Problem]) -> None:
        """Tell an ended scenario anew; one without a result yet is told at the end of the run, as it then is."""
        if test := self._ended.get(id(scenario)):
            if told := self._step_results.get(id(step)):
                told.status, told.statusDetails = step_status(step), step_problem(step)
            test.status = ALLURE_STATUS[kind_of(scenario.status)]
            test.statusDetails = scenario_problem(scenario, problems)
            self.dropped.discard(id(scenario))
            self._rewrite(scenario, test)

    def attach_afterwards(
        self, scenario: Scenario, name: str, body: str | bytes, kind: Any, extension: str | None
    ) -> None:
        if test := self._ended.get(id(scenario)):
            self.logger.attach_to(test, name, body, kind, extension)
            self._rewrite(scenario, test)

    def describe_afterwards(self, scenario: Scenario, text: str) -> None:
        if test := self._ended.get(id(scenario)):
            test.description, _ = self._description(scenario, text)
            self._rewrite(scenario, test)

    def _rewrite(self, scenario: Scenario, test: TestResult) -> None:
        if id(scenario) not in self.dropped:
            self.logger.write_again(test)

    def start_behave_step(self, step: Step) -> None:
        super().start_behave_step(step)
        self._step_results[id(step)] = self.logger.get_item(self.current_step_uuid)

    def stop_behave_step(self, result: Step) -> None:
        if result.status.has_failed():
            self._attach_captured(result, lambda part: True)
        self.logger.stop_step(
            self.current_step_uuid, stop=now(), status=step_status(result), statusDetails=step_problem(result)
        )
        self.current_step_uuid = None

    def flush_steps(self) -> None:
        """Close a step which an exception left open, and list the steps that were never run."""
        while (item := self.logger.get_last_item(TestStepResult)) is not None:
            item.status, item.stop = "broken", now()
            uuid = next(key for key in reversed(self.logger._items) if self.logger._items.get(key) is item)
            self.logger._items.pop(uuid)
        super().flush_steps()

    @allure_commons.hookimpl
    def add_title(self, test_title: str) -> None:
        if test := self.logger.get_test(None):
            test.name = test_title

    @allure_commons.hookimpl
    def add_description(self, test_description: str) -> None:
        if self.logger.get_test(None):
            self._verdict = test_description

    @allure_commons.hookimpl
    def add_label(self, label_type: str, labels: Iterable[str]) -> None:
        if test := self.logger.get_test(None):
            test.labels = labels_set([*test.labels, *(Label(label_type, value) for value in labels)])

    @allure_commons.hookimpl
    def add_parameter(self, name: str, value: Any, excluded: bool | None, mode: Any) -> None:
        """Excluded from the history id unless asked otherwise: a measured value differs in each run."""
        if test := self.logger.get_test(None):
            shown = value if isinstance(value, str) else represent(value)
            added = Parameter(name, shown, excluded=excluded is not False, mode=getattr(mode, "value", mode))
            test.parameters = [*(p for p in test.parameters if p.name != name), added]

    def _case_id(self, scenario: Scenario, parameters: list[Parameter], identity: Mapping[str, str]) -> str:
        """One id for all rows of an outline; scenarios that look alike get two, or they pass for retries.

        So do runs of another identity: in a merged report a failure must not pass for a retry of another's pass.
        """
        if id(scenario) not in self._ids:
            name = ": ".join([*(f"{key}={value}" for key, value in sorted(identity.items())), full_name(scenario)])
            key = md5(name, *sorted(f"{p.name}={p.value}" for p in parameters))
            self._seen[key] += 1
            times = self._seen[key]
            self._ids[id(scenario)] = str(md5(name if times == 1 else f"{name} #{times}"))
        return self._ids[id(scenario)]

    def _description(self, scenario: Scenario, verdict: str | None) -> tuple[str | None, str]:
        """The verdict if given, the scenario's own text, those of feature and rule; and these as HTML."""
        about = [
            (f"{part.keyword}: {part.name}", "\n".join(part.description))
            for part in containers_of(scenario)
            if part.description
        ]
        own = "\n".join(scenario.description)
        parts = [verdict, own, *(f"**{head}**\n\n{text}" for head, text in about)]
        html = "".join(f"<p><b>{escape(head)}</b><br>{escape(text)}</p>" for head, text in about)
        return "\n\n".join(part for part in parts if part) or None, html

    def _attach_captured(self, entity: Scenario | Step, wanted: Callable[[Any], bool]) -> None:
        """Attach what was printed and logged, without the error text that Behave adds to it."""
        for stream in ("stdout", "stderr", "log"):
            parts = [getattr(part, stream) for part in entity.captured.captures if wanted(part)]
            if isinstance(entity, Step) and stream == "stderr" and entity.exception is not None:
                kind = type(entity.exception).__name__
                for prefix in (f"ASSERT FAILED: {entity.exception}", f"ERROR: {kind}: {entity.exception}"):
                    parts = [part.removeprefix(prefix) for part in parts]
            body = "\n".join(part.strip("\n") for part in parts if part.strip())
            if body:
                self.logger.attach_data(uuid4(), body, name=f"captured {stream}", attachment_type=AttachmentType.TEXT)
