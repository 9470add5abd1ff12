"""The race with completion: backtests that are cancelled at the moment at which, by their own pace, they end."""

from __future__ import annotations

from honest_behave.outcomes import Inconclusive
from ktrdr_qa.act import leaving
from ktrdr_qa.act.cancelling import Cancelling
from ktrdr_qa.act.choosing import Choosing
from ktrdr_qa.act.places import Places
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.act.starting import Starting
from ktrdr_qa.act.watching import Watching
from ktrdr_qa.judge import pace, race
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.reading import before_cancel, longest_step_s, rises_in
from ktrdr_qa.record.history import History

LOOK_S = 0.1
"""How often the prediction is made anew while the end comes near."""
FIRST_STEP_S, FINEST_STEP_S = 0.12, 0.01
"""By so much the next cancel is sent earlier or later; halved whenever the outcome changes."""
SETTLES_S = 0.3
"""So long at least, and for one usual update, an ended backtest is watched: a flip comes with the next update."""

TOO_LATE = 5
"""So many of those that complete are cancelled once more right after their end; each takes about a second."""


class Racing:
    """Cancels one backtest after the other, each a little earlier or later than the one before.

    One that was cancelled in time has the next one cancelled later, one that completed earlier: so the cancels close in
    on the moment at which either may happen.
    """

    def __init__(
        self,
        scene: Scene,
        starting: Starting,
        choosing: Choosing,
        places: Places,
        watching: Watching,
        cancelling: Cancelling,
    ):
        self._scene = scene
        self._starting = starting
        self._choosing = choosing
        self._places = places
        self._watching = watching
        self._cancelling = cancelling
        self._lasts_s = 0.0
        self._too_late = 0

    def run(self, tries: int) -> None:
        """So many tries; the first backtest has been started. Nothing of them is left running."""
        scene = self._scene
        scene.recorder.note("race_begun", tries=tries)
        offset_s, step_s, before, earlier = 0.0, FIRST_STEP_S, "", ""
        for number in range(1, tries + 1):
            if number == 1:
                self._choosing.go_through([self._moving])
            else:
                self._places.await_one()
                self._starting.begin(scene.used_now)
            self._await_its_end(offset_s)
            ended_as = self._cancel(number, offset_s)
            # Until the next one has ended: an end may turn into another one late, and back.
            scene.recorder.unwatch("backend", earlier)
            earlier = scene.backtest
            if before and ended_as != before:
                step_s = max(FINEST_STEP_S, step_s / 2)
            offset_s += -step_s if ended_as == "completed" else step_s
            before = ended_as
            if any(j.violated for j in race.judgements(scene.recorder.history(), scene.limits)):
                break  # It is decided, and the rest would say the same.
        scene.recorder.unwatch("backend", earlier)
        self._look_again()

    def _moving(self) -> Judgement:
        """Its pace is known; one that ends before that is passed over for a longer one."""
        scene, limit_s = self._scene, self._scene.limits["first_progress_s"]

        def moves(history: History) -> Judgement:
            known = len(rises_in(before_cancel(history, scene.backtest))) >= 2
            return Judgement("pace", "holds" if known else "unknown", "its pace is seen", "it was not seen to move")

        judgement = self._choosing.unless_ended(moves, limit_s)
        if judgement.unknown:
            raise Inconclusive(f"{judgement.seen} within {limit_s:.0f} s, so nothing was learnt about its end")
        return judgement

    def _await_its_end(self, offset_s: float) -> None:
        """Wait for the end that the backtest's pace predicts, or a little less or more, or for the end itself.

        Until its pace is seen it is taken to last as long as one before it did.
        """
        scene = self._scene
        due_s = scene.recorder.clock() + (self._lasts_s or scene.limits["first_progress_s"])
        while True:
            history = scene.recorder.history()
            left = pace.left_to_run(history, scene.backtest)
            if left and left.left_s > 0:
                due_s = history.until_s + left.left_s
            wait_s = due_s + offset_s - scene.recorder.clock()
            if wait_s <= 0 or any(s.terminal for s in history.of("backend", scene.backtest)):
                return
            scene.pause(min(wait_s, LOOK_S))

    def _cancel(self, number: int, offset_s: float) -> str:
        """Cancel it and watch what becomes of it; how it ended, or nothing."""
        scene, backtest = self._scene, self._scene.backtest
        scene.recorder.note("race_try", backtest, number=number, offset_s=offset_s)
        self._cancelling.send_in_any_case()
        over = lambda h: any(s.terminal for s in h.of("backend", backtest))  # noqa: E731
        scene.until(over, scene.limits["cancelled_s"] + scene.slack_s)
        usual_s = longest_step_s(before_cancel(scene.recorder.history(), backtest))
        settles_s = max(SETTLES_S, usual_s + LOOK_S)
        scene.pause(settles_s)
        self._watching.read_own_record()
        tried = race.tries_of(scene.recorder.history())[-1]
        if tried.ended_as == "completed" and self._too_late < TOO_LATE:
            self._too_late += 1
            # A cancel right after the end is part of the race: it comes too late, and must change nothing.
            self._cancelling.again()
            scene.pause(settles_s)
        if tried.end:
            scene.journal.ended(backtest)
            if tried.ended_as == "completed":
                self._lasts_s = pace.lasted_s(tried.end) or self._lasts_s
        else:
            leaving.end(scene, backtest)
        return tried.ended_as

    def _look_again(self) -> None:
        """Read every record once more, then go on with the last one whose cancel reached its worker as this recording's."""
        scene = self._scene
        tries = race.tries_of(scene.recorder.history())
        for tried in tries:
            scene.read_record(tried.backtest)
        reached = [
            t for t in tries if t.ended_as == "cancelled" and t.http == 200 and t.reached_the_worker is not False
        ]
        if reached:
            scene.backtest = scene.recorder.about["backtest"] = reached[-1].backtest
