"""The flow: start a long backtest, cancel it while it runs, start the next one."""

from __future__ import annotations

from typing import Any

from behave import then, when

from ktrdr_qa.act.candidate import candidates_of


@when("a long backtest is started")
def start_a_long_backtest(context: Any) -> None:
    """Starts the first backtest of the preflight's table that can be used, and from here on records every change of it."""
    context.steps.start_a_long_backtest()


@then("the backtest is running within {limit_s:g} seconds")
def backtest_is_running(context: Any, limit_s: float) -> None:
    """KTRDR reports the backtest as running, at the latest this long after its start was accepted."""
    context.steps.verify(context.steps.experiment.await_running(context.steps.limit("running_s", limit_s)))


@then("its progress is above 0 % and moving within {limit_s:g} seconds")
def progress_is_moving(context: Any, limit_s: float) -> None:
    """The percentage is above 0 and was seen to rise twice, at the latest this long after the start."""
    context.steps.verify(context.steps.experiment.await_motion(context.steps.limit("first_progress_s", limit_s)))


@when("the backtest is cancelled")
def cancel_the_backtest(context: Any) -> None:
    """Cancels the backtest while it runs; where it ended just before, the next backtest of the table takes its place."""
    context.steps.cancel()


@when("the backtest is cancelled at once")
def cancel_the_backtest_at_once(context: Any) -> None:
    """Cancels the backtest without waiting for any progress."""
    context.steps.experiment.cancel_at_once()


@when("the backtest is cancelled once more")
def cancel_the_backtest_again(context: Any) -> None:
    """Cancels the backtest a second time, after it was cancelled."""
    context.steps.experiment.cancel_again()


@then("the second cancellation does no harm")
def second_cancellation_does_no_harm(context: Any) -> None:
    """The second cancellation is turned down or confirmed, and changes nothing."""
    context.steps.verify(context.steps.experiment.judge_after_a_last_look("second cancel"))


@when("{count:d} backtests are started and cancelled, one after the other")
def cancel_several_backtests(context: Any, count: int) -> None:
    """Starts and cancels so many backtests, each after the one before has let its worker go; every cancellation must be acknowledged and take effect."""
    context.steps.cancel_in_a_row(count)


@when("every other worker is given a backtest of its own")
def occupy_every_other_worker(context: Any) -> None:
    """Starts a backtest on every other free worker, so that no place is left; they are cancelled at the end."""
    context.steps.experiment.occupy_the_other_workers()


@then("the cancellation is acknowledged within {limit_s:g} seconds")
def cancellation_is_acknowledged(context: Any, limit_s: float) -> None:
    """KTRDR confirms the cancellation, and its answer takes no longer than this."""
    context.steps.verify(context.steps.experiment.judge_acknowledged(context.steps.limit("acknowledged_s", limit_s)))


@then("the backtest is reported as cancelled within {limit_s:g} seconds")
def backtest_is_cancelled(context: Any, limit_s: float) -> None:
    """KTRDR reports the backtest as cancelled, at the latest this long after it answered the cancellation."""
    context.steps.verify(context.steps.experiment.await_cancelled(context.steps.limit("cancelled_s", limit_s)))


@then("its record says when it ended")
def record_says_when_it_ended(context: Any) -> None:
    """The backtest's record carries the time at which it ended, and that time is after its start."""
    context.steps.verify_if_told(context.step, "end recorded")


@when("a new backtest is started at once, the first of these that has enough data")
def start_a_new_backtest(context: Any) -> None:
    """Starts another backtest with one single request, without a pause; a period with too few prices for the strategy is passed over."""
    context.steps.experiment.start_the_next(candidates_of(context.table, context.steps.target))


@then("the new backtest is accepted at once, within {limit_s:g} seconds")
def new_backtest_is_accepted(context: Any, limit_s: float) -> None:
    """KTRDR accepted the new backtest at the first request, under an id of its own, and its answer took no longer than this."""
    context.steps.limit("next_accepted_s", limit_s)
    context.steps.verify(context.steps.experiment.judge("next accepted"))


@then("the new backtest really runs within {limit_s:g} seconds")
def new_backtest_runs(context: Any, limit_s: float) -> None:
    """The new backtest was seen to move twice or has completed, at the latest this long after it was accepted, and has not failed since."""
    context.steps.verify(context.steps.experiment.await_next_runs(context.steps.limit("new_backtest_s", limit_s)))


@then(
    "the progress of the cancelled backtest stays frozen for {least_s:g} seconds, and for {updates:g} of its usual updates"
)
def progress_stays_frozen(context: Any, least_s: float, updates: float) -> None:
    """No reading shows the cancelled backtest moving or changing its status, for the given time and for as long as the given number of its usual progress updates takes, whichever is longer."""
    least_s = context.steps.limit("frozen_s", least_s)
    for judgement in context.steps.experiment.watch_it_stay(least_s, updates):
        context.steps.verify(judgement)


@then("the list of backtests agrees that it is cancelled")
def list_agrees(context: Any) -> None:
    """The list of all backtests shows the same status as the backtest's own record."""
    context.steps.verify_if_told(context.step, "list agrees")


@then("the cancelled work is not begun again under another name")
def not_begun_again(context: Any) -> None:
    """No backtest of the same data, period and strategy was begun after the cancellation, except by this run, and no part of the cancelled one runs on."""
    context.steps.verify_if_told(context.step, "does not come back")
