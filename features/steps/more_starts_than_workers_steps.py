"""More starts at the same moment than there are workers."""

from __future__ import annotations

from typing import Any

from behave import then, when

from ktrdr_qa.act.ways import more_starts_than_workers


@when("more are started at the same moment, so that there are {count:d} more backtests than workers")
def start_too_many(context: Any, count: int) -> None:
    """Starts several backtests at once, so that with the one that runs there are so many more than workers; what is accepted ends with the recording."""
    more_starts_than_workers.start_too_many(context.steps.experiment, count)


@then("each start is accepted, or refused in plain words")
def starts_are_answered(context: Any) -> None:
    """Each start is accepted under an id of its own, or refused with a sentence that says why."""
    context.steps.verify(context.steps.experiment.judge("starts answered"))


@then("each backtest that was accepted runs within {limit_s:g} seconds")
def starts_run(context: Any, limit_s: float) -> None:
    """Each accepted backtest moves or is over, at the latest this long after it was accepted, unless every worker has another one of them; where several share a worker each may take so many times as long."""
    limit_s = context.steps.limit("new_backtest_s", limit_s)
    context.steps.verify(more_starts_than_workers.await_each_runs(context.steps.experiment, limit_s))


@then("none of the others is called failed, each watched to its end, for at most {limit_s:g} seconds")
def none_is_called_failed(context: Any, limit_s: float) -> None:
    """None of the accepted backtests is called failed, until all have ended or this time is over; of one that is, its worker is asked whether it runs."""
    context.steps.verify(more_starts_than_workers.watch_to_their_ends(context.steps.experiment, limit_s))
