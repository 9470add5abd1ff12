"""More backtests are started at the same moment than there are workers; they end with the recording."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.act.starting import START, given_id
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways.more_starts_than_workers import (
    accepted_in,
    each_runs,
    longest_s,
    none_called_failed,
)
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange, TransportError
from ktrdr_qa.record.history import History

ANSWER_S = 30.0
"""So long a start may take of which there are many at once: that it is slow is not what is asked."""


def start_too_many(experiment: Experiment, more: int) -> None:
    """Start so many more at the same moment that, with the one that runs, there are ``more`` than workers."""
    scene = experiment.scene
    registered = experiment.places.registered(tries=3)
    workers, free = len(registered), sum(readings.takes_work(w) for w in registered)
    # What is not free, but for the place of the one that runs, has somebody else's.
    scene.recorder.note("oversubscribed", workers=workers, places=max(1, min(workers, free + 1)))
    owning = threading.Lock()
    count = max(1, workers - 1 + more)
    with ThreadPoolExecutor(count) as pool:
        # Leaving the block waits for every answer, after a signal as well: what was started is owned.
        asked = [pool.submit(_start_one, scene, scene.client.clone(), owning) for _ in range(count)]
    for done in asked:
        done.result()


def _start_one(scene: Scene, client: Client, owning: threading.Lock) -> None:
    try:
        answer = client.post(
            START, scene.used_now.payload, purpose="one of many starts", timeout_s=ANSWER_S, patiently=True
        )
    except TransportError as error:
        answer, facts = error.exchange, {"words": error.words}
        scene.recorder.note("further_refused", "", answer.answered_s, http=answer.status, says=_says(answer), **facts)
        return
    given = given_id(answer)
    if not isinstance(given, str) or not given or answer.find("$.success") is False:
        words = f"HTTP {answer.status}, without an id or without success"
        scene.recorder.note("further_refused", "", answer.answered_s, http=500, words=words)
        return
    with owning:
        if given not in scene.mine:
            scene.own(given)
            scene.watch(given)
    scene.recorder.note("further_accepted", given, answer.answered_s)


def await_each_runs(experiment: Experiment, limit_s: float) -> Judgement:
    def judge(history: History) -> Judgement:
        ended = none_called_failed(history)
        return ended if ended.violated else each_runs(history, limit_s)

    history = experiment.scene.recorder.history()
    judgement = experiment.scene.wait(judge, longest_s(history, limit_s) + experiment.scene.slack_s)
    _ask_the_workers_of_what_failed(experiment)
    failed = none_called_failed(experiment.scene.recorder.history())
    return failed if failed.violated else judgement


def watch_to_their_ends(experiment: Experiment, at_most_s: float) -> Judgement:
    """Watch the further ones until all have ended, or one is called failed, whose worker is asked then."""
    scene = experiment.scene
    ids = [e.subject for e in accepted_in(scene.recorder.history())]
    limit_s = scene.limits["new_backtest_s"]

    def settled(history: History) -> bool:
        ends = [history.end_of(one) for one in ids]
        failed = any(end and end.status == "failed" for end in ends)
        return all(ends) or failed or each_runs(history, limit_s).violated

    scene.until(settled, at_most_s)
    _ask_the_workers_of_what_failed(experiment)
    history = scene.recorder.history()
    for one in ids:
        end = history.end_of(one)
        if end and end.status != "failed":
            scene.journal.ended(one)
    return none_called_failed(history)


def _ask_the_workers_of_what_failed(experiment: Experiment) -> None:
    """What KTRDR calls failed may run all the same (contract, surprise 12): its worker's own record tells."""
    history = experiment.scene.recorder.history()
    for e in accepted_in(history):
        failed = next((s for s in history.of("backend", e.subject) if s.status == "failed"), None)
        if failed:
            experiment.watching.read_own_record(e.subject, str(failed.facts.get("worker") or ""))


def _says(answer: Exchange) -> str:
    """Why a start was refused, in the answer's own words; empty where it has none."""
    places = ("$.detail.error", "$.error.message", "$.detail", "$.message", "$.error")
    return next((words for at in places if isinstance(words := answer.find(at), str) and words.strip()), "")
