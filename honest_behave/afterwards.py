"""What happens when Behave is done with it: a step of an ended scenario turns out to have failed, or a run has crashed."""

import sys
import traceback
from contextlib import suppress
from typing import Any

from behave.model import Scenario, Step
from behave.model_type import Status

from honest_behave.formatters import PlainWords
from honest_behave.problems import step_problem


def fail(runner: Any, scenario: Scenario, step: Step, exception: BaseException) -> bool:
    """See `HonestRunner.fail_afterwards`."""
    failure = isinstance(exception, AssertionError)
    if step.status.has_failed() or (scenario.status.is_failure() and not failure):
        return False
    message = step._process_error(exception)
    step.status = Status.failed if failure else Status.error
    step.exc_traceback = exception.__traceback__
    step.error_message = message if failure else "".join(traceback.format_exception(exception))
    PlainWords().result(step)
    part: Any = scenario
    while part is not None:  # the outline, the rule and the feature, too
        if not part.status.is_hook_error():
            part.clear_status()
        part = part.parent
    if not scenario.status.has_failed():
        scenario.set_status(step.status)  # Behave looks no further than the first step that was skipped.
    runner.context._set_root_attribute("failed", True)
    runner.failed_features.append(scenario.feature)
    tellers = [formatter for formatter in runner.formatters if hasattr(type(formatter), "failed_afterwards")]
    for formatter in tellers:
        formatter.failed_afterwards(scenario, step)
    if not any(formatter.stdout_mode for formatter in tellers):
        _say(scenario, step)
    return True


def _say(scenario: Scenario, step: Step) -> None:
    """For Behave's own formatters, which cannot come back to a step."""
    problem = step_problem(step)
    lines = [f"    {line}" for line in [*str(problem and problem.message).splitlines(), f"at {step.location}"]]
    head = f"FAILED AFTERWARDS: {scenario.keyword}: {scenario.name}\n  {step.keyword} {step.name}"
    print("\n".join(["", head, *lines]), file=sys.__stderr__ or sys.stderr, flush=True)


def clean_up(runner: Any, *, after_all: bool) -> None:
    """After a crash: what Behave does after the last feature, and has not come to; the problems are kept (see `Watch`)."""
    with suppress(Exception):
        if after_all:
            runner.run_hook("after_all")
        runner.context._do_remaining_cleanups()
