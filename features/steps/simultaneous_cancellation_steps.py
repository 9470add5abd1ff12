"""Several cancellations of one backtest at the same moment."""

from __future__ import annotations

from typing import Any

from behave import then, when


@when("the backtest is cancelled {count:d} times at the same moment")
def cancel_together(context: Any, count: int) -> None:
    """Sends so many cancellations of the running backtest at once, each with a reason of its own."""
    context.steps.cancel(count)


@then("at least one of these cancellations is acknowledged, and none is an error of KTRDR's own")
def each_is_answered(context: Any) -> None:
    """At least one is acknowledged; the others are turned down, or confirm it."""
    context.steps.verify(context.steps.experiment.judge("each answered"))


@then("exactly one of them takes effect")
def one_takes_effect(context: Any) -> None:
    """The backtest ends once, by a cancellation that was acknowledged, and its record stays with that one."""
    context.steps.verify_in_time("one takes effect", 1.0)
