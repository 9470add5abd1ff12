"""What went wrong, and how it is said: of an exception, of a step, of a scenario."""

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from allure_commons.model2 import StatusDetails
from behave.model import Scenario, Step
from behave.model_type import Status
from behave.runner_util import make_undefined_step_snippet

from honest_behave.counts import kind_of
from honest_behave.outcomes import Inconclusive, PlatformNotReady

ALLURE_STATUS = {"passed": "passed", "failed": "failed", "error": "broken", "skipped": "skipped"}


@dataclass(frozen=True)
class Problem:
    """An exception in a hook or clean-up of `entity`: a step, scenario, rule, feature; None for the run."""

    where: str
    exception: BaseException
    entity: Any = None


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
