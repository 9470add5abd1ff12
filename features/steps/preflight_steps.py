"""Preflight: is the platform ready, so that what follows says something about cancellation?"""

from __future__ import annotations

from typing import Any

from behave import given

from ktrdr_qa.act.candidate import candidates_of

WORKER_SETTLES_S = 15.0


@given("one of these backtests can be used, tried in this order")
def remember_the_candidates(context: Any) -> None:
    """Names the backtests that may be used, in the order in which they are tried; the first whose data exist and that lasts long enough to be cancelled is used."""
    context.steps.candidates = candidates_of(context.table, context.steps.target)


@given("the services of KTRDR are running, as far as can be seen from here")
def services_are_running(context: Any) -> None:
    """Every container of KTRDR's Docker Compose project runs; without Compose on this machine this is reported as not checked."""
    context.steps.check(context.step, context.steps.preflight.services)


@given("the sandbox settings, if there are any, are the ones in use")
def sandbox_settings_are_in_use(context: Any) -> None:
    """Where a sandbox settings file exists, this run talks to the port that it names."""
    context.steps.check(context.step, context.steps.preflight.sandbox)


@given("KTRDR says of itself that it is healthy")
def api_is_healthy(context: Any) -> None:
    """KTRDR answers its health check and says that all is well."""
    context.steps.check(context.step, context.steps.preflight.api_health)


@given("the trained model is there, as far as can be seen from here")
def model_is_there(context: Any) -> None:
    """The trained model that the target file names for a backtest of the table exists; without access to KTRDR's files this is reported as not checked."""
    context.steps.check(context.step, context.steps.preflight.model, context.steps.candidates)


@given("the trading strategy is there, as far as can be seen from here")
def strategy_is_there(context: Any) -> None:
    """KTRDR calls the strategy that the target file names valid."""
    context.steps.check(context.step, context.steps.preflight.strategy, context.steps.candidates)


@given("the price data for one of the backtests are there")
def price_data_are_there(context: Any) -> None:
    """For at least one backtest of the table KTRDR has the price data of the whole period; the others are passed over."""
    context.steps.check(context.step, context.steps.preflight.data, context.steps.candidates)


@given("at least one backtest worker is registered and free")
def a_worker_is_free(context: Any) -> None:
    """At least one backtest worker is registered, alive and free; one that is just becoming free is waited for."""
    context.steps.check_workers(context.step, context.steps.limit("place_free_s", WORKER_SETTLES_S))
