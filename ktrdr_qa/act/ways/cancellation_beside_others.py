"""Further backtests of this run beside the one that is cancelled: on the other workers, and after it on its own."""

from __future__ import annotations

from ktrdr_qa.act.places import Places
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.act.starting import Starting
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways.cancellation_beside_others import are_moving
from ktrdr_qa.platform import readings


class BesideOthers:
    """Starts them; they end with the recording."""

    def __init__(self, scene: Scene, starting: Starting, places: Places):
        self._scene = scene
        self._starting = starting
        self._places = places

    def on_the_other_workers(self, *, watched: bool) -> None:
        """Start a backtest for every other registered worker that is free."""
        scene = self._scene
        self._places.await_one(every=True)
        free = [w for w in readings.workers(scene.client) if readings.takes_work(w)]
        for worker in free:
            if worker.get("current_operation_id") != scene.backtest:
                started = self._starting.begin_another(scene.used_now)
                if watched:
                    scene.recorder.note("neighbour_started", started)
                    scene.watch(started)

    def await_moving(self, limit_s: float) -> Judgement:
        return self._scene.wait(lambda h: are_moving(h, limit_s), limit_s + self._scene.slack_s)

    def after_it(self) -> None:
        """Start the same backtest once more when the cancelled one's place is free: every other place is taken."""
        scene = self._scene
        scene.journal.ended(scene.backtest)
        self._places.await_one()
        started = self._starting.begin_another(scene.used_now)
        scene.recorder.note("follower_started", started)
        scene.watch(started)
