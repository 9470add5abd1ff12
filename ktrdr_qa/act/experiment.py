"""One cancellation, from the start of a long backtest to the next one, recorded all the way.

The steps of a feature call its methods in the order of their sentences; each returns a judgement.
Where a backtest ends before it can be cancelled, the next candidate takes its place and the stages so far are
gone through again, so that every sentence before the cancel is true of the backtest that is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from honest_behave.outcomes import Inconclusive
from ktrdr_qa.act import afterwards, leaving
from ktrdr_qa.act.cancelling import Cancelling
from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.choosing import Choosing
from ktrdr_qa.act.next_backtest import NextBacktest
from ktrdr_qa.act.others import Others
from ktrdr_qa.act.places import Places
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.act.starting import Starting
from ktrdr_qa.act.watching import Watching
from ktrdr_qa.judge import cancelling, crashes, next_backtest, running, verdict
from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import rises_in
from ktrdr_qa.platform.witnesses import Witness
from ktrdr_qa.record.history import History
from ktrdr_qa.system import load_per_core, processors_used

SETTLES_S = 5.0
"""So long a recording goes on at the most for what its last readings have put in doubt."""


class Experiment:
    """Starts, watches and cancels one backtest, then starts the next. ``close`` leaves nothing running.

    From its making on it watches the workers' processors, to know later what idle looked like.
    """

    def __init__(self, scene: Scene):
        self.scene = scene
        self.places = Places(scene)
        self.watching = Watching(scene, self.places)
        self.others = Others(scene)
        self.starting = Starting(scene, self.others)
        self.choosing = Choosing(scene, self.starting, self.watching, self.places)
        self.cancelling = Cancelling(scene, self.watching, self.others)
        self._following = NextBacktest(scene, self.starting, self.others, self.places)
        self._running_limit_s, self._motion_limit_s, self._runs_on_s = 10.0, 30.0, 0.0
        self._runs_until: Callable[[History], bool] = lambda history: True

    @property
    def passed_over(self) -> list[tuple[Candidate, str]]:
        """The candidates that could not be used, and why."""
        return self.choosing.passed_over

    @property
    def worker(self) -> str:
        """The id of the worker that ran the backtest, or nothing where KTRDR does not say."""
        return self.watching.worker

    @property
    def witness(self) -> Witness | None:
        """The worker that ran the backtest, as far as it can be reached."""
        return self.watching.witness

    @property
    def called_there(self) -> str:
        """The id under which the worker knows the backtest."""
        return self.watching.called_there

    def history(self) -> History:
        """What has been recorded, with the names that it takes to judge it again."""
        self.scene.recorder.about["worker"] = self.worker
        return self.scene.recorder.history()

    def judge(self, name: str) -> Judgement:
        """One judgement by its name, of what has been recorded so far."""
        return verdict.judge_all(self.history())[name]

    def judge_after_a_last_look(self, name: str) -> Judgement:
        """One judgement by its name, after one more reading of the backtest's record."""
        self.scene.read_fresh("backend", [self.scene.backtest])
        return self.judge(name)

    def await_known(self, name: str, limit_s: float) -> Judgement:
        """Wait until a judgement, by its name, is not unknown any more: its own time only, where the run has failed."""
        failed = any(judgement.violated for judgement in verdict.judge_all(self.history()).values())
        unknown = Judgement(name, "unknown", name, "this history does not tell")
        judge = lambda h: verdict.judge_all(h).get(name, unknown)  # noqa: E731
        return afterwards.wait(self.scene, judge, limit_s, patient=not failed)

    def await_pace(self, name: str, limit_s: float) -> Judgement:
        """Wait for a judgement of a pace; for one that is too slow look what else KTRDR, or this host, has to do by now."""
        processors_used()
        judgement = self.await_known(name, limit_s)
        if judgement.violated or judgement.final:
            self.others.look()
            about = self.scene.recorder.about
            if "load_per_core" in about:
                for fact, now in (("load_per_core", load_per_core()), ("processors_used", processors_used())):
                    about[fact] = max(about.get(fact, 0.0), round(now, 2))
            # What it made while others were looked for may have put it in doubt again.
            judgement = self.await_known(name, limit_s)
        return judgement

    # --- until the cancel ----------------------------------------------------------------------------------

    def start(self, candidates: Sequence[Candidate], unusable: dict[Candidate, str] | None = None) -> None:
        """Start the first candidate that can be used.

        Raises ``KtrdrFailure`` where KTRDR breaks its contract, ``Inconclusive`` where nothing is learnt.
        """
        self.choosing.start(candidates, unusable or {})

    def await_running(self, limit_s: float) -> Judgement:
        """It is running; a candidate that ended already is passed over."""
        self._running_limit_s = limit_s
        return self.choosing.go_through([self._running])

    def await_motion(self, limit_s: float) -> Judgement:
        """It is above 0 % and moving; a candidate that ended before that is passed over."""
        self._motion_limit_s = limit_s
        return self.choosing.go_through([self._running, self._moving])

    def let_it_run_on(self, least_s: float, until: Callable[[History], bool] = lambda history: True) -> None:
        """It is left alone for so long after it was seen moving, and so is one that takes its place later on.

        And until a history tells enough, though for no longer than it had to begin to move.
        """
        self._runs_on_s, self._runs_until = least_s, until
        self.choosing.go_through([self._running, self._moving, self._runs_on])

    def await_enough_left(self) -> None:
        """It has enough left to be cancelled in mid-flight; one that has not is passed over before more is built on it."""
        self.choosing.go_through(self._before_the_cancel)

    def cancel(self, count: int = 1) -> None:
        """Cancel it while it runs, or so many times at the same moment.

        Where it ended just before, the next candidate is brought here first.
        """
        send = lambda: self.cancelling.send(count)  # noqa: E731
        # What all witnesses need takes time as well, on a busy host much: whether enough is left is asked again after it.
        ready = [self.cancelling.get_ready, self.choosing.enough_left]
        judgement = self.choosing.go_through([*self._before_the_cancel, *ready, send])
        if not judgement.holds:
            raise Inconclusive(f"there was nothing to cancel: {judgement.seen}")

    def cancel_at_once(self) -> None:
        """Cancel it without waiting for progress: what the start began must stop all the same (surprise 9)."""
        self.scene.recorder.about["cancelled_at_once"] = True
        self.choosing.go_through([self.cancelling.send_at_once])
        self.watching.watch_worker()

    @property
    def _before_the_cancel(self) -> list[Callable[[], Judgement]]:
        return [self._running, self._moving, self._runs_on, self.choosing.enough_left]

    def _running(self) -> Judgement:
        limit_s = self._running_limit_s
        return self.choosing.unless_ended(lambda h: running.is_running(h, self.scene.backtest, limit_s), limit_s)

    def _moving(self) -> Judgement:
        self.watching.watch_worker()
        limit_s = self._motion_limit_s
        judge = lambda h: running.is_moving(h, self.scene.backtest, limit_s)  # noqa: E731
        return self.choosing.unless_ended(judge, limit_s, slack_s=self.scene.slack_s + 1.5 * limit_s)

    def _runs_on(self) -> Judgement:
        backtest, least_s = self.scene.backtest, self._runs_on_s
        rule = Rule("runs on", f"it runs on for {least_s:.1f} s")
        longest_s = least_s + self._motion_limit_s

        def judge(history: History) -> Judgement:
            since_s = next((s.answered_s for s in rises_in(history.of("backend", backtest))), history.until_s)
            ran_s = history.until_s - since_s
            seen = f"it was seen moving for {ran_s:.1f} s"
            told = ran_s >= longest_s or (ran_s >= least_s and self._runs_until(history))
            return rule.holds(seen) if told else rule.unknown(seen)

        return self.choosing.unless_ended(judge, longest_s)

    # --- afterwards ----------------------------------------------------------------------------------------

    def judge_acknowledged(self, limit_s: float) -> Judgement:
        return cancelling.is_acknowledged(self.scene.recorder.history(), self.scene.backtest, limit_s)

    def await_cancelled(self, limit_s: float) -> Judgement:
        """It is cancelled. One that completed as the cancel reached it is passed over, while there is another."""
        judge = lambda h: cancelling.is_cancelled(h, self.scene.backtest, limit_s)  # noqa: E731
        while True:
            judgement = afterwards.wait(self.scene, judge, limit_s)
            completed = any(s.status == "completed" for s in self.scene.readings())
            if not (judgement.unknown and completed and self.choosing.waiting):
                break
            self.choosing.pass_over(judgement.seen)
            self.cancel()
            acknowledged = self.judge_acknowledged(self.scene.limits["acknowledged_s"])
            if not acknowledged.holds:
                return acknowledged
        if judgement.name != "stays up":
            afterwards.look_back(self.scene, self.others, judgement)
        return judgement

    def watch_it_stay(self, least_s: float, updates: float) -> list[Judgement]:
        """Watch the cancelled backtest for the whole frozen window: it stays cancelled, and does not move."""
        return afterwards.watch_it_stay(self.scene, self.others, least_s, updates)

    def start_the_next(self, candidates: Sequence[Candidate]) -> None:
        """Start a new backtest at once, by one request: the first candidate that has enough data."""
        self._following.start(candidates)

    def await_next_runs(self, limit_s: float) -> Judgement:
        judge = lambda h: next_backtest.next_runs(h, self.scene.next_backtest, limit_s)  # noqa: E731
        return afterwards.wait(self.scene, judge, limit_s)

    # --- the end of the recording --------------------------------------------------------------------------

    def watch_on(self, least_s: float) -> None:
        """Go on recording until so long after the cancel, unless something is broken already."""
        sent = self.scene.recorder.history().last_event("cancel_sent", self.scene.backtest)
        if not sent:
            return

        def broken(history: History) -> bool:
            return any(judgement.violated for judgement in verdict.judge_all(history).values())

        self.scene.until(broken, max(0.0, sent.at_s + least_s - self.scene.recorder.clock()))

    def watch_until_settled(self, names: Collection[str]) -> None:
        """Go on recording while one of the judgements that held has become unknown, and the next readings will tell.

        A processor that begins to compute in the last moment of a recording is neither quiet nor busy by then. Whether a
        step asks for it or not, a witness that says that the backtest has not stopped is listened to, a list that has
        begun to forget is read again, and a place that the cancelled backtest has is watched to the limit of its sentence.
        """
        scene, began_s = self.scene, self.scene.recorder.clock()
        sent = scene.event("cancel_sent")
        if sent:
            self.watching.ask_who_else_has_it()
        place_s = sent.at_s + scene.limits["place_free_s"] + SETTLES_S - began_s if sent else 0.0

        def settled(history: History) -> bool:
            found = verdict.judge_all(history)
            if any(j.violated for j in found.values()):
                return True
            asked = {*names, *(name for name, judgement in found.items() if judgement.heard)}
            if sent:
                asked.add("list agrees")
            if any(
                s.facts.get("current_operation") == scene.backtest for s in history.of("registry", self.worker)[-1:]
            ):
                asked.add("place free")
            in_doubt = {name for name in asked if name in found and found[name].unknown and not found[name].final}
            if history.until_s - began_s > SETTLES_S:
                return "place free" not in in_doubt
            return not in_doubt and not crashes.may_be_breaking(history, scene.backtest)

        scene.until(settled, max(SETTLES_S, place_s))

    def last_look(self) -> None:
        """Before the recording ends: one more reading of this run's backtests, and a look at the others'."""
        scene = self.scene
        if scene.backtest and scene.event("cancel_sent") and not scene.gone:
            scene.read_fresh("backend", [b for b in (scene.backtest, scene.next_backtest) if b])
            self.others.look()

    def cancel_what_still_runs(self) -> list[str]:
        """Cancel this run's backtests that have not ended; returns a sentence for each that could not be asked to."""
        return leaving.cancel_what_still_runs(self.scene)

    def close(self) -> list[str]:
        """Cancel what still runs and stop recording; returns what could not be ended."""
        problems = self.cancel_what_still_runs()
        self.scene.recorder.stop()
        return problems
