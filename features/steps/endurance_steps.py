"""Endurance: many backtests in a row, and what they leave behind."""

from __future__ import annotations

from typing import Any

from behave import given, then, when


@when("{count:d} backtests are started, move and are cancelled, one after the other, and then one more")
def cancel_many_backtests(context: Any, count: int) -> None:
    """Starts and cancels so many backtests and one more; each must move and be cancelled in time, and after each KTRDR's processes are looked at."""
    context.steps.endure(count)


@given("{count:d} backtests and one more that were cancelled one after the other")
def have_many_cancelled_backtests(context: Any, count: int) -> None:
    """Goes on with this feature's backtests in a row, or starts and cancels them; where these did not come to their end the scenario is skipped with the reason."""
    context.steps.have_endured(context.scenario, count)


@then("the last of them were cancelled as quickly as the first")
def the_last_was_cancelled_as_quickly(context: Any) -> None:
    """The time from a cancellation to seeing it done has not grown over the backtests in a row."""
    context.steps.verify(context.steps.experiment.judge("latency steady"))


@then("the last of them began to move as quickly as the first")
def the_last_moved_as_quickly(context: Any) -> None:
    """The time from a start to the first progress has not grown over the backtests in a row, as far as the host is not too busy to tell."""
    judgement = context.steps.experiment.judge("start steady")
    if judgement.unknown:
        context.steps.not_checked(context.step, judgement.seen)
    else:
        context.steps.verify(judgement)


@then("every place that was free before them is free again")
def every_place_is_free_again(context: Any) -> None:
    """Every worker that was free before the backtests in a row is free after them, or busy with somebody else's work."""
    context.steps.verify(context.steps.experiment.judge("places kept"))


@then("the memory of KTRDR's processes has not grown with them")
def memory_has_not_grown(context: Any) -> None:
    """Neither the backend nor a worker holds more and more memory; where that cannot be read the scenario is skipped with the reason."""
    context.steps.verify_or_skip(context.scenario, context.steps.experiment.judge("memory steady"))


@then("the number of files that KTRDR's processes hold open has not grown with them")
def open_files_have_not_grown(context: Any) -> None:
    """Neither the backend nor a worker holds more and more files open; where that cannot be read the scenario is skipped with the reason."""
    context.steps.verify_or_skip(context.scenario, context.steps.experiment.judge("files steady"))


@then("KTRDR does not count more and more operations as active")
def active_operations_have_not_grown(context: Any) -> None:
    """The number of active operations in the metrics of backend and workers has not grown; where that cannot be read the scenario is skipped with the reason."""
    context.steps.verify_or_skip(context.scenario, context.steps.experiment.judge("active steady"))


@then("the processors of KTRDR's processes are as quiet at rest as they were")
def processors_are_as_quiet(context: Any) -> None:
    """Between the backtests neither the backend nor a worker uses more and more of the processor; where that cannot be read the scenario is skipped with the reason."""
    context.steps.verify_or_skip(context.scenario, context.steps.experiment.judge("processor steady"))
