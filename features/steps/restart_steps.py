"""A restart of the backend, or of the worker that runs the backtest."""

from __future__ import annotations

from typing import Any

from behave import given, then, when

from ktrdr_qa.act.ways import restart


@given("KTRDR's backend can be restarted from here")
def backend_can_be_restarted(context: Any) -> None:
    """The suite can restart the backend: the embedded one's, or by a command that the target file names; otherwise the scenario is skipped with the setting to change."""
    context.steps.need_restarts(context.scenario, "backend")


@given("a worker of KTRDR's can be restarted from here")
def worker_can_be_restarted(context: Any) -> None:
    """The same of a worker."""
    context.steps.need_restarts(context.scenario, "worker")


@when("KTRDR's backend is restarted")
def restart_the_backend(context: Any) -> None:
    """Ends the backend's process without a warning, and starts it anew."""
    restart.restart(context.steps.experiment, context.steps.services, "backend")


@when("its worker is restarted")
def restart_the_worker(context: Any) -> None:
    """Ends the process of the worker that runs the backtest without a warning, and starts it anew."""
    restart.restart(context.steps.experiment, context.steps.services, "worker")


@when("KTRDR's backend is restarted while the backtest is being cancelled")
def restart_the_backend_in_mid_cancel(context: Any) -> None:
    """Sends the cancellation, and restarts the backend before it has answered."""
    restart.restart_in_mid_cancel(context.steps.experiment, context.steps.services, "backend")


@when("its worker is restarted while the backtest is being cancelled")
def restart_the_worker_in_mid_cancel(context: Any) -> None:
    """Sends the cancellation, and restarts the worker before it can have stopped."""
    restart.restart_in_mid_cancel(context.steps.experiment, context.steps.services, "worker")


@then("what was restarted is back within {limit_s:g} seconds")
def restarted_is_back(context: Any, limit_s: float) -> None:
    """The backend answers again, or the worker does and is registered, at the latest this long after the restart."""
    limit_s = context.steps.limit("back_s", limit_s)
    context.steps.verify(context.steps.experiment.await_known("back", limit_s))


@then("KTRDR still has the record of the backtest, or has it again within {limit_s:g} seconds")
def backtest_is_still_known(context: Any, limit_s: float) -> None:
    """The backtest that was interrupted has a record, at the latest this long after the restart."""
    limit_s = context.steps.limit("known_again_s", limit_s)
    context.steps.verify(context.steps.experiment.await_known("known again", limit_s))


@then("the backtest has ended within {limit_s:g} seconds, or else ends when it is cancelled")
def interrupted_backtest_ends(context: Any, limit_s: float) -> None:
    """KTRDR reports the backtest as ended by itself within this time; otherwise it is cancelled, and must then be ended like any other."""
    context.steps.verify(restart.await_its_end(context.steps.experiment, context.steps.limit("ends_s", limit_s)))


@then("the interrupted backtest stays ended, and is not called completed")
def interrupted_backtest_stays_ended(context: Any) -> None:
    """A last look at the interrupted backtest shows it ended, and not completed where its worker was killed."""
    context.steps.verify_in_time("stays ended", context.steps.limit("cancelled_s", 2.0))
    context.steps.verify(context.steps.experiment.judge("truly ended"))
