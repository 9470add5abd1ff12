"""The race with completion: backtests that are cancelled as they are about to end."""

from __future__ import annotations

from typing import Any

from behave import then, when

from ktrdr_qa.act.ways import cancellation_near_the_end


@when("{count:d} backtests are cancelled as they are about to end, one after the other")
def cancel_as_they_end(context: Any, count: int) -> None:
    """Starts so many backtests, one after the other, and cancels each at the moment at which it ends by its own pace, a little earlier or later each time. Up to five of those that complete are cancelled once more right after their end, when it is too late."""
    steps = context.steps
    cancellation_near_the_end.race(steps.start_a_long_backtest(), count, steps.tell_how_far)


@then("each of them was either cancelled or completed, never both")
def each_ended_one_way(context: Any) -> None:
    """Each backtest was soon over; a cancelled one has no result, and one whose cancellation reached the worker is not completed there."""
    context.steps.verify(context.steps.experiment.judge("one end"))


@then("the answer to each cancellation fits the way in which the backtest ended")
def each_answer_fits(context: Any) -> None:
    """A backtest whose cancellation was confirmed is cancelled, and one whose cancellation was turned down is not; KTRDR never answers with an error of its own. A cancellation that came after the end is not confirmed."""
    context.steps.verify(context.steps.experiment.judge("answer fits"))


@then("each of them stays as it ended")
def each_stays(context: Any) -> None:
    """No backtest that was cancelled is completed later, or the other way round, none runs again, and a cancellation that came too late changes nothing in its record."""
    context.steps.verify(context.steps.experiment.judge("no flip"))


@then("some were cancelled and some completed, so that the cancellations did meet the end")
def some_ended_each_way(context: Any) -> None:
    """Both ends were seen; where all backtests ended alike, no cancellation was near enough to the end to learn anything. The report says how many ended which way."""
    context.steps.verify(context.steps.experiment.judge("met the end"))
