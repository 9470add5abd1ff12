"""The race with completion: backtests that are cancelled at the moment at which, by their own pace, they end."""

from __future__ import annotations

from collections.abc import Callable

from honest_behave.outcomes import Inconclusive
from ktrdr_qa.act import leaving
from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.act.ways.repeated_cancellation import cancel_again
from ktrdr_qa.judge import pace
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.reading import before_cancel, longest_step_s, rises_in
from ktrdr_qa.judge.ways.cancellation_near_the_end import Try, judgements, tries_of
from ktrdr_qa.record.history import History

LOOK_S = 0.1
"""How often the prediction is made anew while the end comes near."""
FIRST_STEP_S, FINEST_STEP_S = 0.12, 0.01
"""By so much the next cancel is sent earlier or later; halved whenever the outcome changes."""
SETTLES_S = 0.3
"""So long at least, and for one usual update, an ended backtest is watched: a flip comes with the next update."""
TOO_LATE = 5
"""So many of those that complete are cancelled once more right after their end; each takes about a second."""


def race(experiment: Experiment, tries: int, tell_how_far: Callable[[int, int], None]) -> None:
    """Cancel one backtest after the other, each a little earlier or later than the one before; the first has been started.

    One that was cancelled in time has the next one cancelled later, one that completed earlier: so the cancels close in
    on the moment at which either may happen. Nothing of them is left running. ``tell_how_far`` is called with the number
    of each and of all.
    """
    scene = experiment.scene
    scene.recorder.note("race_begun", tries=tries)
    offset_s, step_s, before, earlier, lasts_s = 0.0, FIRST_STEP_S, "", "", 0.0
    for number in range(1, tries + 1):
        tell_how_far(number, tries)
        if number == 1:
            # A long one takes its time, twenty times.
            experiment.choosing.skips_short_ones = False
            experiment.choosing.go_through([lambda: _moving(experiment)])
        else:
            experiment.places.await_one()
            experiment.starting.begin(scene.used_now)
        _await_its_end(scene, offset_s, lasts_s)
        tried = _cancel(experiment, number, offset_s)
        # Until the next one has ended: an end may turn into another one late, and back.
        scene.recorder.unwatch("backend", earlier)
        earlier = scene.backtest
        if tried.end and tried.ended_as == "completed":
            lasts_s = pace.lasted_s(tried.end) or lasts_s
        if before and tried.ended_as != before:
            step_s = max(FINEST_STEP_S, step_s / 2)
        offset_s += -step_s if tried.ended_as == "completed" else step_s
        before = tried.ended_as
        if any(j.violated for j in judgements(scene.recorder.history(), scene.limits)):
            break  # It is decided, and the rest would say the same.
    scene.recorder.unwatch("backend", earlier)
    _look_again(scene)


def _moving(experiment: Experiment) -> Judgement:
    """Its pace is known; one that ends before that is passed over for a longer one."""
    scene, limit_s = experiment.scene, experiment.scene.limits["first_progress_s"]

    def moves(history: History) -> Judgement:
        known = len(rises_in(before_cancel(history, scene.backtest))) >= 2
        return Judgement("pace", "holds" if known else "unknown", "its pace is seen", "it was not seen to move")

    judgement = experiment.choosing.unless_ended(moves, limit_s)
    if judgement.unknown:
        raise Inconclusive(f"{judgement.seen} within {limit_s:.0f} s, so nothing was learnt about its end")
    return judgement


def _await_its_end(scene: Scene, offset_s: float, lasts_s: float) -> None:
    """Wait for the end that the backtest's pace predicts, or a little less or more, or for the end itself.

    Until its pace is seen it is taken to last ``lasts_s``, as long as one before it did.
    """
    due_s = scene.recorder.clock() + (lasts_s or scene.limits["first_progress_s"])
    while True:
        history = scene.recorder.history()
        left = pace.left_to_run(history, scene.backtest)
        if left and left.left_s > 0:
            due_s = history.until_s + left.left_s
        wait_s = due_s + offset_s - scene.recorder.clock()
        if wait_s <= 0 or history.end_of(scene.backtest):
            return
        scene.pause(min(wait_s, LOOK_S))


def _cancel(experiment: Experiment, number: int, offset_s: float) -> Try:
    """Cancel it, and watch what becomes of it."""
    scene, backtest = experiment.scene, experiment.scene.backtest
    scene.recorder.note("race_try", backtest, number=number, offset_s=offset_s)
    experiment.cancelling.send_in_any_case()
    scene.until(lambda h: h.end_of(backtest) is not None, scene.limits["cancelled_s"] + scene.slack_s)
    usual_s = longest_step_s(before_cancel(scene.recorder.history(), backtest))
    settles_s = max(SETTLES_S, usual_s + LOOK_S)
    scene.pause(settles_s)
    experiment.watching.read_own_record()
    tried = tries_of(scene.recorder.history())[-1]
    too_late = sum(e.kind == "second_cancel_answered" for e in scene.recorder.history().events)
    if tried.ended_as == "completed" and too_late < TOO_LATE:
        # A cancel right after the end is part of the race: it comes too late, and must change nothing.
        cancel_again(scene)
        scene.pause(settles_s)
    if tried.end:
        scene.journal.ended(backtest)
    else:
        leaving.end(scene, backtest)
    return tried


def _look_again(scene: Scene) -> None:
    """Read every record once more, then go on with the last one whose cancel reached its worker as this recording's."""
    tries = tries_of(scene.recorder.history())
    for tried in tries:
        scene.read_record(tried.backtest)
    reached = [t for t in tries if t.ended_as == "cancelled" and t.http == 200 and t.reached_the_worker is not False]
    if reached:
        scene.backtest = scene.recorder.about["backtest"] = reached[-1].backtest
