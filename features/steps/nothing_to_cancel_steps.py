"""Nothing to cancel: what nobody has, what has ended, and what is no id."""

from __future__ import annotations

from typing import Any

from behave import given, then, when

from ktrdr_qa.act.candidate import candidates_of
from ktrdr_qa.act.ways import nothing_to_cancel
from ktrdr_qa.judge import crashes


@given("a backtest that has completed, the first of these that does")
def have_a_completed_backtest(context: Any) -> None:
    """Runs the backtests of the table, one after the other, until one has completed; without one this is reported as not checked."""
    context.steps.have_an_ended_backtest("completed", candidates_of(context.table, context.steps.target))


@given("a backtest that has failed, the first of these that does")
def have_a_failed_backtest(context: Any) -> None:
    """The same for a backtest that fails, because its period or its symbol has too few prices."""
    context.steps.have_an_ended_backtest("failed", candidates_of(context.table, context.steps.target))


@when("a cancellation is sent for each of these, which are nobody's backtests")
def cancel_what_is_not_there(context: Any) -> None:
    """Sends a cancellation for each row of the table; one without an id is not sent where it may mean all of them."""
    names = [row["what"] for row in context.table]
    context.steps.not_checked(context.step, nothing_to_cancel.cancel_what_is_not_there(context.steps.experiment, names))


@when("what has ended is cancelled all the same")
def cancel_what_has_ended(context: Any) -> None:
    """Sends a cancellation for each backtest of this scenario that had completed or failed."""
    nothing_to_cancel.cancel_what_has_ended(context.steps.experiment)


@when("an operation of another kind that has ended is cancelled, if there is one")
def cancel_another_kind(context: Any) -> None:
    """Sends a cancellation for an ended operation that is no backtest; where KTRDR lists none this is reported as not checked."""
    context.steps.not_checked(context.step, nothing_to_cancel.cancel_another_kind(context.steps.experiment.scene))


@then("each of these cancellations is turned down, and none is an error of KTRDR's own")
def all_are_turned_down(context: Any) -> None:
    """KTRDR answers each with a refusal: it acknowledges none, breaks at none, and leaves none without an answer."""
    context.steps.verify(context.steps.experiment.judge("turned down"))


@then("KTRDR and its workers go on answering after them")
def all_go_on_answering(context: Any) -> None:
    """KTRDR, and every worker within reach that answered before these cancellations, still answers a second after them."""
    context.steps.verify_in_time("goes on answering", crashes.GIVE_UP_S)


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
    nothing_to_cancel.watch_what_was_started(context.steps.experiment.scene)
    context.steps.verify_in_time("worker takes the next", context.steps.limit("new_backtest_s", limit_s))
