"""Further backtests of this run beside the one that is cancelled: on the other workers, after it, and one too many."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ktrdr_qa.act.places import Places
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.act.starting import START, Starting, given_id
from ktrdr_qa.act.watching import Watching
from ktrdr_qa.judge import neighbours, oversubscribed
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.exchange import Exchange, TransportError
from ktrdr_qa.record.history import History

ANSWER_S = 30.0
"""So long a start may take of which there are many at once: that it is slow is not what is asked."""


class Crowd:
    """Starts further backtests and watches them; they end with the recording."""

    def __init__(self, scene: Scene, starting: Starting, watching: Watching, places: Places):
        self._scene = scene
        self._starting = starting
        self._watching = watching
        self._places = places
        self._journal = threading.Lock()

    # --- neighbours ----------------------------------------------------------------------------------------

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
        return self._scene.wait(lambda h: neighbours.are_moving(h, limit_s), limit_s + self._scene.slack_s)

    def after_it(self) -> None:
        """Start the same backtest once more when the cancelled one's place is free: every other place is taken."""
        scene = self._scene
        scene.journal.ended(scene.backtest)
        self._places.await_one()
        started = self._starting.begin_another(scene.used_now)
        scene.recorder.note("follower_started", started)
        scene.watch(started)

    # --- one too many --------------------------------------------------------------------------------------

    def start_too_many(self, more: int) -> None:
        """Start so many more at the same moment that, with the one that runs, there are ``more`` than workers."""
        scene = self._scene
        registered = self._places.registered(tries=3)
        workers, free = len(registered), sum(readings.takes_work(w) for w in registered)
        # What is not free, but for the place of the one that runs, has somebody else's.
        scene.recorder.note("oversubscribed", workers=workers, places=max(1, min(workers, free + 1)))
        count = max(1, workers - 1 + more)
        with ThreadPoolExecutor(count) as pool:
            # Leaving the block waits for every answer, after a signal as well: what was started is owned.
            asked = [pool.submit(self._start_one, scene.client.clone()) for _ in range(count)]
        for done in asked:
            done.result()

    def _start_one(self, client: Any) -> None:
        scene = self._scene
        sent_s = scene.recorder.clock()
        try:
            answer = client.post(
                START, scene.used_now.payload, purpose="one of many starts", timeout_s=ANSWER_S, patiently=True
            )
        except TransportError as error:
            answer, facts = error.exchange, {"words": str(error).split(": ", 1)[-1]}
            scene.recorder.note(
                "further_refused", "", answer.answered_s, http=answer.status, says=_says(answer), **facts
            )
            return
        given = given_id(answer)
        if not isinstance(given, str) or not given or answer.find("$.success") is False:
            words = f"HTTP {answer.status}, without an id or without success"
            scene.recorder.note("further_refused", "", answer.answered_s, http=500, words=words)
            return
        with self._journal:
            if given not in scene.mine:
                scene.own(given)
                scene.watch(given)
        took_s = answer.answered_s - sent_s
        scene.recorder.note("further_accepted", given, answer.answered_s, took_s=took_s)

    def await_each_runs(self, limit_s: float) -> Judgement:
        def judge(history: History) -> Judgement:
            ended = oversubscribed.none_called_failed(history)
            return ended if ended.violated else oversubscribed.each_runs(history, limit_s)

        history = self._scene.recorder.history()
        judgement = self._scene.wait(judge, oversubscribed.longest_s(history, limit_s) + self._scene.slack_s)
        self._ask_the_workers_of_what_failed()
        failed = oversubscribed.none_called_failed(self._scene.recorder.history())
        return failed if failed.violated else judgement

    def watch_to_their_ends(self, at_most_s: float) -> Judgement:
        """Watch the further ones until all have ended, or one is called failed, whose worker is asked then."""
        scene = self._scene
        ids = [e.subject for e in oversubscribed.accepted_in(scene.recorder.history())]

        limit_s = scene.limits["new_backtest_s"]

        def settled(history: History) -> bool:
            ends = [next((s for s in history.of("backend", one) if s.terminal), None) for one in ids]
            failed = any(end and end.status == "failed" for end in ends)
            return all(ends) or failed or oversubscribed.each_runs(history, limit_s).violated

        scene.until(settled, at_most_s)
        self._ask_the_workers_of_what_failed()
        history = scene.recorder.history()
        for one in ids:
            end = next((s for s in history.of("backend", one) if s.terminal), None)
            if end and end.status != "failed":
                scene.journal.ended(one)
        return oversubscribed.none_called_failed(history)

    def _ask_the_workers_of_what_failed(self) -> None:
        """What KTRDR calls failed may run all the same (contract, surprise 12): its worker's own record tells."""
        history = self._scene.recorder.history()
        for e in oversubscribed.accepted_in(history):
            failed = next((s for s in history.of("backend", e.subject) if s.status == "failed"), None)
            if failed:
                self._watching.read_own_record(e.subject, str(failed.facts.get("worker") or ""))


def _says(answer: Exchange) -> str:
    """Why a start was refused, in the answer's own words; empty where it has none."""
    places = ("$.detail.error", "$.error.message", "$.detail", "$.message", "$.error")
    return next((words for at in places if isinstance(words := answer.find(at), str) and words.strip()), "")
