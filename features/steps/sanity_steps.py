"""The sanity checks: they catch a pass that means nothing."""

from __future__ import annotations

from typing import Any

from behave import then


@then("as a sanity check, the backtest was really running, above 0 %, before it was cancelled")
def it_was_really_running(context: Any) -> None:
    """The last reading before the cancellation shows the backtest running and above 0 %, with so much left to run that an ignored cancellation would have been seen."""
    context.steps.verify(context.steps.experiment.judge("was running"))
    context.steps.verify(context.steps.experiment.judge("enough left"))


@then("as a sanity check, the cancelled backtest is not completed, even now that the new one has run")
def it_is_not_completed(context: Any) -> None:
    """A last look at the cancelled backtest does not show it completed, and it has no result."""
    context.steps.verify(context.steps.experiment.judge_after_a_last_look("not completed"))


@then("as a sanity check, the system is stable: the new backtest started without trouble")
def system_is_stable(context: Any) -> None:
    """The new backtest was accepted and runs, the cancelled one has stayed cancelled, KTRDR has answered all the time and still says that it is healthy."""
    for name in ("next accepted", "next runs", "stays cancelled", "stays up"):
        context.steps.verify(context.steps.experiment.judge(name))
    context.steps.preflight.still_healthy()
