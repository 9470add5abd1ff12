"""The witnesses: whether the worker that ran the backtest has itself stopped."""

from __future__ import annotations

from typing import Any

from behave import given, then


@given("a backtest that was cancelled while it was running")
def have_a_cancelled_backtest(context: Any) -> None:
    """Goes on with this feature's cancelled backtest, or starts and cancels one; where the cancellation itself failed the scenario is skipped with the reason."""
    context.steps.have_a_cancelled_backtest(context.scenario)


@given("a backtest that was cancelled right after its start")
def have_a_backtest_cancelled_at_once(context: Any) -> None:
    """The same for a backtest that was cancelled without waiting for any progress."""
    context.steps.have_a_cancelled_backtest(context.scenario, at_once=True)


@given("KTRDR says which worker ran it")
def worker_is_known(context: Any) -> None:
    """KTRDR says which worker ran the backtest; otherwise the scenario is skipped with the reason."""
    context.steps.need_witness(context.scenario, "worker")


@given("its worker can be asked from here")
def worker_can_be_asked(context: Any) -> None:
    """The worker that ran the backtest can be reached from this machine; otherwise the scenario is skipped with the setting to change."""
    context.steps.need_witness(context.scenario, "address")


@given("the processor time of its worker can be read from here")
def processor_can_be_read(context: Any) -> None:
    """The processor time of the worker can be read from this machine; otherwise the scenario is skipped with the reason."""
    context.steps.need_witness(context.scenario, "processor")


@then("its worker has stopped it within {limit_s:g} seconds of the cancellation")
def worker_has_stopped(context: Any, limit_s: float) -> None:
    """The worker itself calls the backtest ended and says that it is idle, at the latest this long after the cancellation."""
    context.steps.verify_witness(context.scenario, "worker stopped", context.steps.limit("worker_idle_s", limit_s))


@then("the processor of its worker is quiet within {limit_s:g} seconds of the cancellation")
def processor_is_quiet(context: Any, limit_s: float) -> None:
    """The worker's process uses no more of the processor than when it was idle, at the latest this long after the cancellation."""
    context.steps.verify_witness(context.scenario, "processor quiet", context.steps.limit("processor_quiet_s", limit_s))


@then("KTRDR counts its worker as free within {limit_s:g} seconds of the cancellation")
def place_is_free(context: Any, limit_s: float) -> None:
    """KTRDR's list of workers shows the worker as free, at the latest this long after the cancellation was answered."""
    context.steps.verify_witness(context.scenario, "place free", context.steps.limit("place_free_s", limit_s))
