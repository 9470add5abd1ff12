"""At the platform's limits: the race with completion, the neighbours, more starts than workers, and all views at once."""

from __future__ import annotations

from typing import Any

from behave import given, then, when

from ktrdr_qa.judge import neighbours


@when("{count:d} backtests are cancelled as they are about to end, one after the other")
def cancel_as_they_end(context: Any, count: int) -> None:
    """Starts so many backtests, one after the other, and cancels each at the moment at which it ends by its own pace, a little earlier or later each time."""
    context.steps.race(count)


@then("each of them was either cancelled or completed, never both")
def each_ended_one_way(context: Any) -> None:
    """Each backtest was soon over; a cancelled one has no result, and one whose cancellation reached the worker is not completed there."""
    context.steps.verify(context.steps.experiment.judge("one end"))


@then("the answer to each cancellation fits the way in which the backtest ended")
def each_answer_fits(context: Any) -> None:
    """A backtest whose cancellation was confirmed is cancelled, and one whose cancellation was turned down is not; KTRDR never answers with an error of its own."""
    context.steps.verify(context.steps.experiment.judge("answer fits"))


@then("each of them stays as it ended")
def each_stays(context: Any) -> None:
    """No backtest that was cancelled is completed later, or the other way round, and none runs again."""
    context.steps.verify(context.steps.experiment.judge("no flip"))


@then("some were cancelled and some completed, so that the cancellations did meet the end")
def some_ended_each_way(context: Any) -> None:
    """Both ends were seen; where all backtests ended alike, no cancellation was near enough to the end to learn anything. The report says how many ended which way."""
    context.steps.verify(context.steps.experiment.judge("met the end"))


@given("there is more than one backtest worker")
def there_are_several_workers(context: Any) -> None:
    """At least two backtest workers are registered; otherwise the scenario is skipped, since there is no neighbour."""
    context.steps.need_workers(context.scenario, 2)


@when("every other worker is given a backtest that must not be disturbed")
def start_the_neighbours(context: Any) -> None:
    """Starts a backtest on every other free worker and watches each as closely as the one that is cancelled."""
    context.steps.experiment.crowd.on_the_other_workers(watched=True)


@then("the other backtests are moving within {limit_s:g} seconds")
def neighbours_are_moving(context: Any, limit_s: float) -> None:
    """Each of the other backtests was seen to rise twice, at the latest this long after its start."""
    limit_s = context.steps.limit("first_progress_s", limit_s)
    context.steps.verify(context.steps.experiment.crowd.await_moving(limit_s))


@then("the other backtests run on at the pace that they had")
def neighbours_run_on(context: Any) -> None:
    """After the cancellation each of the other backtests makes the progress that its pace before it promised, for as long as progress has to stand still in a cancelled one; none of them is cancelled or fails."""
    limit_s = neighbours.LONGER * context.steps.window_s
    context.steps.verify(context.steps.experiment.await_pace("neighbours run on", limit_s))


@then("the records of the other backtests are not touched by the cancellation")
def neighbours_are_untouched(context: Any) -> None:
    """The records of the other backtests keep their beginning and their progress, and tell of no end and no error."""
    context.steps.verify(context.steps.experiment.await_known("neighbours untouched", context.steps.window_s))


@when("the same backtest is started once more on the worker of the cancelled one")
def start_the_follower(context: Any) -> None:
    """Starts the cancelled backtest once more as soon as its place is free; all other workers are busy."""
    context.steps.experiment.crowd.after_it()


@then("it runs there at the pace that the cancelled one had")
def follower_keeps_pace(context: Any) -> None:
    """The new backtest is as fast as the cancelled one was on the same worker: nothing of that one is left in its way."""
    limit_s = neighbours.LONGER * context.steps.window_s + context.steps.limit("new_backtest_s", 30)
    context.steps.verify(context.steps.experiment.await_pace("next keeps pace", limit_s))


@when("so many more are started at the same moment that there are {count:d} more than workers")
def start_too_many(context: Any, count: int) -> None:
    """Starts several backtests at once, so that with the one that runs there are so many more than workers; what is accepted ends with the recording."""
    context.steps.experiment.crowd.start_too_many(count)


@then("each start is accepted, or refused in plain words")
def starts_are_answered(context: Any) -> None:
    """Each start is accepted under an id of its own, or refused with a sentence that says why."""
    context.steps.verify(context.steps.experiment.judge("starts answered"))


@then("each backtest that was accepted runs within {limit_s:g} seconds")
def starts_run(context: Any, limit_s: float) -> None:
    """Each accepted backtest moves or is over, at the latest this long after it was accepted, unless every worker has another one of them; where several share a worker each may take so many times as long."""
    limit_s = context.steps.limit("new_backtest_s", limit_s)
    context.steps.verify(context.steps.experiment.crowd.await_each_runs(limit_s))


@then("none of the others is called failed until it ends, for at most {limit_s:g} seconds")
def none_is_called_failed(context: Any, limit_s: float) -> None:
    """None of the accepted backtests is called failed, until all have ended or this time is over; of one that is, its worker is asked whether it runs."""
    context.steps.verify(context.steps.experiment.crowd.watch_to_their_ends(limit_s))


@given("the list has backtests enough for several pages")
def list_has_pages(context: Any) -> None:
    """Where KTRDR lists hardly any backtest, some are started and cancelled first."""
    context.steps.experiment.views.have_enough(context.steps.candidates[-1])


@when("every view of the backtests is watched from now on")
def watch_every_view(context: Any) -> None:
    """From here on the list is read again and again: whole, under each filter that this KTRDR describes, and page by page."""
    context.steps.experiment.views.begin()


@when("it runs on for {least_s:g} seconds while every view is read")
def run_on_while_read(context: Any, least_s: float) -> None:
    """The backtest is left alone for this long, so that every view of a running one is read several times."""
    context.steps.experiment.scene.pause(least_s)


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


@then("its worker's own record agreed with it while it ran")
def worker_agrees(context: Any) -> None:
    """The worker's own record of the backtest and KTRDR's had the same status, and KTRDR's progress was not ahead of the worker's; where the worker cannot be asked this is reported as not checked."""
    context.steps.verify_or_not_checked(context.step, "worker agrees")
