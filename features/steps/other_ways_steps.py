"""Other ways to cancel: with nothing to cancel, with a reason and by force, several times at the same moment."""

from __future__ import annotations

from typing import Any

from behave import given, then, when

from ktrdr_qa.act.candidate import candidates_of


@given("a backtest that has completed, the first of these that does")
def have_a_completed_backtest(context: Any) -> None:
    """Runs the backtests of the table, one after the other, until one has completed; without one this is reported as not checked."""
    context.steps.have_an_ended_backtest("completed", candidates_of(context.table, context.steps.target))


@given("a backtest that has failed, the first of these that does")
def have_a_failed_backtest(context: Any) -> None:
    """The same for a backtest that fails, because its period or its symbol has too few prices."""
    context.steps.have_an_ended_backtest("failed", candidates_of(context.table, context.steps.target))


@when("each of these is cancelled, which is no backtest of anybody's")
def cancel_what_is_not_there(context: Any) -> None:
    """Sends a cancellation for each row of the table; one without an id is not sent where it may mean all of them."""
    names = [row["what"] for row in context.table]
    context.steps.not_checked(context.step, context.steps.experiment.vain.cancel_what_is_not_there(names))


@when("what has ended is cancelled all the same")
def cancel_what_has_ended(context: Any) -> None:
    """Sends a cancellation for each backtest of this scenario that had completed or failed."""
    context.steps.experiment.vain.cancel_what_has_ended()


@when("an operation of another kind that has ended is cancelled, as far as there is one")
def cancel_another_kind(context: Any) -> None:
    """Sends a cancellation for an ended operation that is no backtest; where KTRDR lists none this is reported as not checked."""
    context.steps.not_checked(context.step, context.steps.experiment.vain.cancel_another_kind())


@then("each of these cancellations is turned down, and none is an error of KTRDR's own")
def all_are_turned_down(context: Any) -> None:
    """KTRDR answers each with a refusal: it acknowledges none, breaks at none, and leaves none without an answer."""
    context.steps.verify(context.steps.experiment.judge("turned down"))


@then("no running backtest has come to harm by them")
def running_ones_are_unharmed(context: Any) -> None:
    """The backtest that ran meanwhile was not cancelled by a cancellation of something else."""
    context.steps.verify_in_time("running unharmed")


@then("the list of backtests is as it was before them")
def list_is_unchanged(context: Any) -> None:
    """The list names what it named before, with the same status, and nothing that nobody has started."""
    context.steps.verify_in_time("list unchanged")


@then("the records of what had ended are as they were")
def ended_ones_are_unchanged(context: Any) -> None:
    """What had completed or failed is still so, with the same end, the same message and the same result."""
    context.steps.verify_in_time("ended unchanged", context.steps.limit("cancelled_s", 2.0))


@then("the worker of what had ended runs another backtest within {limit_s:g} seconds")
def its_worker_takes_the_next(context: Any, limit_s: float) -> None:
    """The worker whose backtest was cancelled after its end runs the next one: the late cancellation was not kept for that one."""
    context.steps.experiment.vain.watch_what_was_started()
    context.steps.verify_in_time("worker takes the next", context.steps.limit("new_backtest_s", limit_s))


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


@when("the backtest is cancelled {count:d} times at the same moment")
def cancel_together(context: Any, count: int) -> None:
    """Sends so many cancellations of the running backtest at once, each with a reason of its own."""
    context.steps.cancel(count)


@then("one of these cancellations is acknowledged, and none is an error of KTRDR's own")
def each_is_answered(context: Any) -> None:
    """At least one is acknowledged; the others are turned down, or confirm it."""
    context.steps.verify(context.steps.experiment.judge("each answered"))


@then("exactly one of them takes effect")
def one_takes_effect(context: Any) -> None:
    """The backtest ends once, by a cancellation that was acknowledged, and its record stays with that one."""
    context.steps.verify_in_time("one takes effect", 1.0)
