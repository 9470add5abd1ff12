"""Cancelling again: the same backtest a second time, and several backtests one after the other."""

from __future__ import annotations

from typing import Any

from behave import then, when

from ktrdr_qa.act.ways import repeated_cancellation


@when("the backtest is cancelled once more")
def cancel_the_backtest_again(context: Any) -> None:
    """Cancels the backtest a second time, after it was cancelled."""
    repeated_cancellation.cancel_again(context.steps.experiment.scene)


@then("the second cancellation does no harm")
def second_cancellation_does_no_harm(context: Any) -> None:
    """The second cancellation is turned down or confirmed, and changes nothing."""
    context.steps.verify(context.steps.experiment.judge_after_a_last_look("second cancel"))


@when("{count:d} backtests are started and cancelled, one after the other")
def cancel_several_backtests(context: Any, count: int) -> None:
    """Starts and cancels so many backtests, each after the one before has let its worker go; every cancellation must be acknowledged and take effect."""
    context.steps.cancel_in_a_row(count)
