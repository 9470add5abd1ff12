"""The neighbours: backtests that run on the other workers, and the next one on the same worker."""

from __future__ import annotations

from typing import Any

from behave import given, then, when

from ktrdr_qa.act.ways import cancellation_beside_others
from ktrdr_qa.judge.ways.cancellation_beside_others import LONGER


@given("there is more than one backtest worker")
def there_are_several_workers(context: Any) -> None:
    """At least two backtest workers are registered; otherwise the scenario is skipped, since there is no neighbour."""
    context.steps.need_workers(context.scenario, 2)


@when("every other worker is given a backtest that must not be disturbed")
def start_the_neighbours(context: Any) -> None:
    """Starts a backtest on every other free worker and watches each as closely as the one that is cancelled; that one has enough left to run, or a longer one takes its place first."""
    cancellation_beside_others.start_on_the_other_workers(context.steps.experiment, watched=True)


@then("the other backtests are moving within {limit_s:g} seconds")
def neighbours_are_moving(context: Any, limit_s: float) -> None:
    """Each of the other backtests was seen to rise, at the latest this long after its start, and for two seconds, so that its pace is known."""
    limit_s = context.steps.limit("first_progress_s", limit_s)
    context.steps.verify(cancellation_beside_others.await_moving(context.steps.experiment, limit_s))


@then("the other backtests run on at the pace that they had")
def neighbours_run_on(context: Any) -> None:
    """After the cancellation each of the other backtests makes the progress that its pace before it promised, for as long as progress has to stand still in a cancelled one; none of them is cancelled or fails."""
    limit_s = LONGER * context.steps.window_s
    context.steps.verify(context.steps.experiment.await_pace("neighbours run on", limit_s))


@then("the records of the other backtests are not touched by the cancellation")
def neighbours_are_untouched(context: Any) -> None:
    """The records of the other backtests keep their beginning and their progress, and tell of no end and no error."""
    context.steps.verify(context.steps.experiment.await_known("neighbours untouched", context.steps.window_s))


@when("the same backtest is started once more on the worker of the cancelled one")
def start_the_follower(context: Any) -> None:
    """Starts the cancelled backtest once more as soon as its place is free; all other workers are busy."""
    cancellation_beside_others.start_once_more(context.steps.experiment)


@then("it runs there at the pace that the cancelled one had")
def follower_keeps_pace(context: Any) -> None:
    """The new backtest is as fast as the cancelled one was on the same worker: nothing of that one is left in its way."""
    limit_s = LONGER * context.steps.window_s + context.steps.limit("new_backtest_s", 30)
    context.steps.verify(context.steps.experiment.await_pace("next keeps pace", limit_s))
