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

import json
import traceback
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import allure_commons
import attr
from allure_behave.formatter import AllureFormatter
from allure_behave.listener import AllureListener, GroupContext
from allure_behave.utils import TEST_PLAN_SKIP_REASON, get_title_path, scenario_parameters
from allure_commons.logger import AllureFileLogger
from allure_commons.mapping import labels_set, parse_tag
from allure_commons.model2 import (
    Attachment,
    GlobalAttachment,
    Globals,
    Label,
    Link,
    Parameter,
    StatusDetails,
    TestResult,
    TestStepResult,
)
from allure_commons.reporter import AllureReporter, ThreadContextItems
from allure_commons.types import AttachmentType, LabelType, Severity
from allure_commons.utils import get_testplan, md5, now, platform_label, represent, uuid4
from behave.configuration import Configuration
from behave.exception import ConfigError
from behave.formatter.base import Formatter
from behave.model import Feature, Rule, Scenario, Step
from behave.model_type import Status
from behave.runner_util import make_undefined_step_snippet

from honest_behave import output_dir
from honest_behave import results as allure_results
from honest_behave.counts import Counts, count_allure, kind_of
from honest_behave.outcomes import Inconclusive, PlatformNotReady

ALLURE_STATUS = {"passed": "passed", "failed": "failed", "error": "broken", "skipped": "skipped"}
TEXT = AttachmentType.TEXT


@dataclass(frozen=True)
class Problem:
    """An exception in a hook or clean-up of `entity`: a step, scenario, rule, feature; None for the run."""

    where: str
    exception: BaseException
    entity: Any = None


# --- what is said of an exception -----------------------------------------------------------------


def describe(exception: BaseException, in_hook: bool = False) -> str:
    """The exception's own text; unless it is a failed check, it starts with its class's name.

    The report's categories go by that name, so subclasses of the project's outcomes carry their base's.
    """
    text = str(exception).strip("\n")
    if isinstance(exception, KeyboardInterrupt):
        return f"Interrupted: the run was stopped by {text or 'Ctrl-C (SIGINT)'}"
    if isinstance(exception, AssertionError):
        # An assertion in a hook says nothing about the product.
        return f"HookAssertion: {text}" if in_hook else text or "AssertionError without a message"
    outcomes = [outcome for outcome in (PlatformNotReady, Inconclusive) if isinstance(exception, outcome)]
    name = (outcomes[0] if outcomes else type(exception)).__name__
    return f"{name}: {text}" if text else name


def trace_of(exception: BaseException) -> str | None:
    """Where it happened, for errors of the suite only: elsewhere it would hide the message."""
    if isinstance(exception, AssertionError | Inconclusive | KeyboardInterrupt):
        return None
    return "".join(traceback.format_exception(exception))


def step_problem(step: Step) -> StatusDetails | None:
    """What to say of a step that did not pass, or was not checked; None for one that passed."""
    if step.status is Status.undefined:
        snippet = make_undefined_step_snippet(step)
        return StatusDetails(message=f"UndefinedStep: no step is defined for: {step.name}\n\n{snippet}")
    if step.status.has_failed():
        if step.exception is None:
            return StatusDetails(message=step.error_message or f"Error: the step ended as {step.status.name}")
        in_hook = step.status.is_hook_error()
        return StatusDetails(message=describe(step.exception, in_hook), trace=trace_of(step.exception))
    if reason := getattr(step, "not_checked_reason", None):
        return StatusDetails(message=f"Not checked: {reason}")
    return None


def step_status(step: Step) -> str:
    """Allure's status of a step; a step whose code says that it checked nothing is skipped, not passed."""
    status = ALLURE_STATUS[kind_of(step.status)]
    return "skipped" if status == "passed" and getattr(step, "not_checked_reason", None) else status


def scenario_problem(scenario: Scenario, problems: Iterable[Problem]) -> StatusDetails:
    """What to say of a scenario that failed or broke: the first cause, then what broke after it."""
    step: Any = next((step for step in scenario.all_steps if step.status.has_failed()), None)
    details = step_problem(step) if step else None
    if details and step.status.is_failure() and not scenario.status.is_failure():
        # A failed check stays recognisable when Behave counts the scenario as an error after all.
        details.message = f"AssertionError: {details.message}"
    for problem in problems:
        if step is not None and problem.exception is step.exception:
            continue
        message = describe(problem.exception, in_hook=True)
        if details is None:
            message = f"{message}\nin {problem.where}"
            details = StatusDetails(message=message, trace=trace_of(problem.exception))
        else:
            details.message += f"\n\nand then, in {problem.where}: {message}"
            details.trace = details.trace or trace_of(problem.exception)
    if details is None and scenario.exception is not None:
        error = scenario.exception
        details = StatusDetails(message=describe(error, in_hook=True), trace=trace_of(error))
    return details or StatusDetails(message=f"Error: Behave ended the scenario as {scenario.status.name}")


# --- names and ids --------------------------------------------------------------------------------


def containers_of(scenario: Scenario) -> list[Feature | Rule]:
    """The feature, and the rule where there is one."""
    parent, found = scenario.parent, [scenario.feature]
    while parent is not None:
        if isinstance(parent, Rule):
            found.append(parent)
        parent = getattr(parent, "parent", None)
    return found


def plain_name(scenario: Scenario) -> str:
    """The scenario's name without Behave's mark for its place in the examples table (`-- @1.1`)."""
    return str(scenario.name).split(" -- @")[0] or str(scenario.keyword)


def title(scenario: Scenario) -> str:
    """A name which tells the rows of an outline apart, also where its text names none of the values."""
    name, row = plain_name(scenario), scenario._row
    if row is None or name != scenario.parent.name:
        return name
    return f"{name} [{', '.join(row.cells)}]"


def full_name(scenario: Scenario) -> str:
    """Feature, rule and scenario; the selector in an Allure test plan."""
    return ": ".join([*(part.name for part in containers_of(scenario)), plain_name(scenario)])


def tags_of(scenario: Scenario) -> list[str]:
    """The tags of feature, rule and scenario, outermost first."""
    inherited = [tag for part in containers_of(scenario) for tag in part.tags]
    return [*inherited, *(tag for tag in scenario.tags if tag not in inherited)]


# --- writing --------------------------------------------------------------------------------------


class _Files(AllureFileLogger):
    """The files of one results directory. A result's is named after it, so that it can be written again."""

    def __init__(self, results_dir: Path) -> None:
        self._report_dir = results_dir  # and nothing is made there before the run begins

    def report_result(self, result: TestResult) -> None:
        self._write(result, result.uuid)

    def report_attached_file(self, source: Any, file_name: str) -> None:
        output_dir.write(self._report_dir, file_name, Path(source).read_bytes())

    def report_attached_data(self, body: str | bytes, file_name: str) -> None:
        output_dir.write(self._report_dir, file_name, body)

    def _report_item(self, item: Any) -> None:
        self._write(item, uuid4())

    def _write(self, item: Any, name: str) -> None:
        told = attr.asdict(item, filter=lambda _, value: bool(value) or value is False)
        output_dir.write(self._report_dir, item.file_pattern.format(prefix=name), json.dumps(told, ensure_ascii=False))


class _Items(ThreadContextItems):
    """The open items of one reporter. Behave runs one scenario at a time, so threads share them."""

    def __init__(self) -> None:
        super().__init__()
        self._open: OrderedDict[str, Any] = OrderedDict()

    @property
    def thread_context(self) -> OrderedDict[str, Any]:
        return self._open

    def cleanup(self) -> None:
        """Nothing is kept for single threads."""


class _Reporter(AllureReporter):
    """Writes to one directory only, where the stock reporter calls every file logger there is."""

    def __init__(self, files: AllureFileLogger) -> None:
        super().__init__()
        self._items = _Items()
        self._files = files

    def stop_group(self, uuid: str, **changes: Any) -> None:
        self._update_item(uuid, **changes)
        self._files.report_container(container=self._items.pop(uuid))

    def close_test(self, uuid: str) -> None:
        self._files.report_result(result=self._items.pop(uuid))

    def write_again(self, test: TestResult) -> None:
        self._files.report_result(result=test)

    def attach_to(self, test: TestResult, name: str, body: str | bytes, kind: Any, extension: str | None) -> None:
        """Attach to a closed test, in the place of what is attached to it under this name."""
        same = [at for at, attachment in enumerate(test.attachments) if attachment.name == name]
        for at in reversed(same):
            (self._files._report_dir / test.attachments.pop(at).source).unlink(missing_ok=True)
        self._items[test.uuid] = test
        self.attach_data(uuid4(), body, name, kind, extension, parent_uuid=test.uuid)
        self._items.pop(test.uuid)
        test.attachments.insert(min(same, default=len(test.attachments)), test.attachments.pop())

    def attach_file(
        self,
        uuid: str,
        source: Any,
        name: str | None = None,
        attachment_type: Any = None,
        extension: str | None = None,
        parent_uuid: str | None = None,
    ) -> None:
        file_name = self._place(uuid, name, attachment_type, extension, parent_uuid)
        self._files.report_attached_file(source=source, file_name=file_name)

    def attach_data(
        self,
        uuid: str,
        body: str | bytes,
        name: str | None = None,
        attachment_type: Any = None,
        extension: str | None = None,
        parent_uuid: str | None = None,
    ) -> None:
        file_name = self._place(uuid, name, attachment_type, extension, parent_uuid)
        self._files.report_attached_data(body=body, file_name=file_name)

    def global_attach_file(
        self,
        uuid: str,
        source: Any,
        name: str | None = None,
        attachment_type: Any = None,
        extension: str | None = None,
    ) -> None:
        file_name = self._place_globally(uuid, name, attachment_type, extension)
        self._files.report_attached_file(source=source, file_name=file_name)

    def global_attach_data(
        self,
        uuid: str,
        body: str | bytes,
        name: str | None = None,
        attachment_type: Any = None,
        extension: str | None = None,
    ) -> None:
        file_name = self._place_globally(uuid, name, attachment_type, extension)
        self._files.report_attached_data(body=body, file_name=file_name)

    def global_error(self, message: str | None = None, trace: str | None = None) -> None:
        allure_results.write_global_error(self._files._report_dir, message or "", trace)

    def _place(self, uuid: str, name: Any, kind: Any, extension: Any, parent_uuid: Any) -> str:
        # Outside of a scenario there is nothing to attach to.
        if parent_uuid is None and self._last_executable() is None:
            return self._place_globally(uuid, name, kind, extension)
        return str(self._attach(uuid, name, kind, extension, parent_uuid))

    def _place_globally(self, uuid: str, name: Any, kind: Any, extension: Any) -> str:
        holder = uuid4()
        self._items[holder] = TestStepResult()
        self._attach(uuid, name, kind, extension, parent_uuid=holder)
        found: Attachment = self._items.pop(holder).attachments[0]
        attachment = GlobalAttachment(name=found.name, source=found.source, type=found.type, timestamp=now())
        self._files.report_globals(globals_item=Globals(attachments=[attachment]))
        return str(found.source)


class _Listener(AllureListener):  # type: ignore[misc]
    """Turns Behave's model and calls to `allure` into results."""

    group_context: GroupContext

    def __init__(self, config: Configuration, files: AllureFileLogger) -> None:
        super().__init__(config)
        # The stock reporter, whose items are shared, and its first group are given up.
        stock_group: GroupContext = self.group_context
        stock_group.exit()
        self.logger = _Reporter(files)
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
                self.logger.attach_data(uuid4(), body, name=f"captured {stream}", attachment_type=TEXT)


class HonestAllureFormatter(AllureFormatter):  # type: ignore[misc]
    """Behave's formatter for Allure: `behave -f honest_behave.formatter:HonestAllureFormatter -o DIR`."""

    name = "ktrdr_allure"
    description = "Allure results, never greener than the run (into a directory)"

    def __init__(self, stream_opener: Any, config: Configuration) -> None:
        Formatter.__init__(self, stream_opener, config)
        if not stream_opener.name:
            raise ConfigError("Allure results need a directory: add -o DIR after -f")
        self.results_dir = Path(stream_opener.name).absolute()
        self.file_logger = _Files(self.results_dir)
        self.listener = _Listener(config, self.file_logger)
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
