"""Every view of a backtest at once: its record, the list, its filters and pages, and its worker."""

from __future__ import annotations

from typing import Any

from behave import given, then, when

from ktrdr_qa.act.ways import every_view_agrees
from ktrdr_qa.judge import verdict


@given("the list has backtests enough for several pages")
def list_has_pages(context: Any) -> None:
    """Where KTRDR lists hardly any backtest, some are started and cancelled first."""
    every_view_agrees.have_pages(context.steps.experiment, context.steps.candidates[-1])


@when("every view of the backtests is watched from now on")
def watch_every_view(context: Any) -> None:
    """From here on the list is read again and again: whole, under each filter that this KTRDR describes, and page by page."""
    every_view_agrees.watch_every_view(context.steps.experiment.scene)


@when("it runs on for {least_s:g} seconds while every view is read")
def run_on_while_read(context: Any, least_s: float) -> None:
    """The backtest is left alone for this long, and until its progress is such that a list which lags behind it would show."""
    context.steps.experiment.let_it_run_on(least_s, lambda h: not verdict.judge_all(h)["lists agree"].unknown)


@then("the list and its filters have shown it at all times as its own record does")
def lists_agree(context: Any) -> None:
    """At no time did the list, under whichever filter, show the backtest otherwise than its own record, or leave it out where it belongs."""
    context.steps.verify(context.steps.experiment.judge("lists agree"))


@then("no backtest was listed under a filter that it does not match")
def filters_match(context: Any) -> None:
    """Among the active ones stand only active ones, and under a status only those that have it."""
    context.steps.verify_or_not_checked(context.step, "filters match")


@then("the pages of the list neither lost nor doubled a backtest")
def pages_are_whole(context: Any) -> None:
    """Read page by page, the list has each backtest exactly once."""
    context.steps.verify(context.steps.experiment.await_known("pages whole", 5.0))


@then("the list counted as many backtests as there were, and as many active ones")
def counts_are_right(context: Any) -> None:
    """What the list says of how many there are, and how many of them are active, fits what it names; where it does not count this is reported as not checked."""
    context.steps.verify_or_not_checked(context.step, "counts right")


@then("its worker's own record agreed with it while it ran")
def worker_agrees(context: Any) -> None:
    """The worker's own record of the backtest and KTRDR's had the same status, and KTRDR's progress was not ahead of the worker's; where the worker cannot be asked this is reported as not checked."""
    context.steps.verify_or_not_checked(context.step, "worker agrees")
