"""A cancellation with a reason and by force, as KTRDR's own command line sends it."""

from __future__ import annotations

from typing import Any

from behave import given, then, when


@when('the backtest is cancelled by force, with the reason "{reason}"')
def cancel_with_a_reason(context: Any, reason: str) -> None:
    """Cancels the backtest while it runs, as KTRDR's own command line does: with a reason, and by force."""
    context.steps.give_a_reason(reason)
    context.steps.cancel()


@given('a backtest that was cancelled by force, with the reason "{reason}"')
def have_a_backtest_cancelled_with_a_reason(context: Any, reason: str) -> None:
    """Goes on with this feature's cancelled backtest, or starts one and cancels it by force, with the reason."""
    context.steps.give_a_reason(reason)
    context.steps.have_a_cancelled_backtest(context.scenario)


@then("its record gives the reason")
def reason_is_kept(context: Any) -> None:
    """The record of the cancelled backtest gives the reason that the cancellation gave, and so does the answer to it."""
    context.steps.verify_in_time("reason kept", 1.0)
