"""The flow: start a long backtest, cancel it while it runs, start the next one."""

from __future__ import annotations

from typing import Any

from behave import then, when

from ktrdr_qa.table import candidates_of


@when("a long backtest is started")
def start_a_long_backtest(context: Any) -> None:
    context.run.start_a_long_backtest()


@then("the backtest is running within {limit_s:g} seconds")
def backtest_is_running(context: Any, limit_s: float) -> None:
    context.run.verify(context.run.experiment.await_running(context.run.limit("running_s", limit_s)))


@then("its progress is above 0 % and moving within {limit_s:g} seconds")
def progress_is_moving(context: Any, limit_s: float) -> None:
    context.run.verify(context.run.experiment.await_motion(context.run.limit("first_progress_s", limit_s)))


@when("the backtest is cancelled")
def cancel_the_backtest(context: Any) -> None:
    context.run.experiment.cancel()


@when("the backtest is cancelled at once")
def cancel_the_backtest_at_once(context: Any) -> None:
    context.run.experiment.cancel_at_once()


@when("the backtest is cancelled once more")
def cancel_the_backtest_again(context: Any) -> None:
    context.run.experiment.cancel_again()


@then("the second cancellation does no harm")
def second_cancellation_does_no_harm(context: Any) -> None:
    context.run.verify(context.run.experiment.judge("second cancel"))


@when("{count:d} backtests are started and cancelled, one after the other")
def cancel_several_backtests(context: Any, count: int) -> None:
    context.run.cancel_in_a_row(count)


@when("every other worker is given a backtest of its own")
def occupy_every_other_worker(context: Any) -> None:
    context.run.experiment.occupy_the_other_workers()


@then("the cancellation is acknowledged within {limit_s:g} seconds")
def cancellation_is_acknowledged(context: Any, limit_s: float) -> None:
    context.run.verify(context.run.experiment.judge_acknowledged(context.run.limit("acknowledged_s", limit_s)))


@then("the backtest is reported as cancelled within {limit_s:g} seconds")
def backtest_is_cancelled(context: Any, limit_s: float) -> None:
    context.run.verify(context.run.experiment.await_cancelled(context.run.limit("cancelled_s", limit_s)))


@then("its record says when it ended")
def record_says_when_it_ended(context: Any) -> None:
    context.run.verify(context.run.experiment.judge("end recorded"))


@when("a new backtest is started at once, the first of these that has enough data")
def start_a_new_backtest(context: Any) -> None:
    context.run.experiment.start_the_next(candidates_of(context.table, context.run.target))


@then("the new backtest is accepted without waiting")
def new_backtest_is_accepted(context: Any) -> None:
    context.run.verify(context.run.experiment.judge("next accepted"))


@then("the new backtest really runs within {limit_s:g} seconds")
def new_backtest_runs(context: Any, limit_s: float) -> None:
    context.run.verify(context.run.experiment.await_next_runs(context.run.limit("new_backtest_s", limit_s)))


@then(
    "the progress of the cancelled backtest stays frozen for {least_s:g} seconds, and for {updates:g} of its usual updates"
)
def progress_stays_frozen(context: Any, least_s: float, updates: float) -> None:
    least_s = context.run.limit("frozen_s", least_s)
    for judgement in context.run.experiment.watch_it_stay(least_s, updates):
        context.run.verify(judgement)


@then("the list of backtests agrees that it is cancelled")
def list_agrees(context: Any) -> None:
    context.run.verify(context.run.experiment.judge("list agrees"))
