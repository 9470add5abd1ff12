"""Further backtests on the other workers, and after the cancelled one on its own; they end with the recording."""

from __future__ import annotations

from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.pace import PACE_S
from ktrdr_qa.judge.ways.cancellation_beside_others import are_moving, has_a_pace_beside_others
from ktrdr_qa.platform import readings


def start_on_the_other_workers(experiment: Experiment, *, watched: bool) -> None:
    """Start a backtest for every other registered worker that is free."""
    scene = experiment.scene
    if watched:
        experiment.await_enough_left()  # The others run the same, and must outlast it.
    experiment.places.await_one(every=True)
    free = [w for w in readings.workers(scene.client) if readings.takes_work(w)]
    for worker in free:
        if worker.get("current_operation_id") != scene.backtest:
            started = experiment.starting.begin_another(scene.used_now)
            if watched:
                scene.recorder.note("neighbour_started", started)
                scene.watch(started)
    if watched:
        # What each makes of the processor time that it gets tells a slow one from a host with other work.
        experiment.watching.keep_watching_processors()


def await_moving(experiment: Experiment, limit_s: float) -> Judgement:
    judgement = experiment.scene.wait(lambda h: are_moving(h, limit_s), limit_s + experiment.scene.slack_s)
    if judgement.holds:
        # What takes its place before the cancel is to be seen as long as the others, or the next one has no pace to keep.
        experiment.let_it_run_on(PACE_S, lambda history: has_a_pace_beside_others(history, experiment.scene.backtest))
    return judgement


def start_once_more(experiment: Experiment) -> None:
    """Start the same backtest once more on the worker of the cancelled one, when its place is free.

    Every other place is taken, or was: where another has ended meanwhile, and KTRDR gives its worker the new one, that
    takes the place, and one more is started.
    """
    scene = experiment.scene
    scene.journal.ended(scene.backtest)
    for _ in readings.workers(scene.client):
        experiment.places.await_one(every=True)
        began_s = scene.recorder.clock()
        started = experiment.starting.begin_another(scene.used_now)
        scene.watch(started)
        scene.read_fresh("backend", [started])
        read = scene.recorder.history().of("backend", started)
        given_to = read[-1].facts.get("worker") if read else None
        if given_to in (None, experiment.worker):
            break
    scene.recorder.note("follower_started", started, began_s)
