"""What one user of the storm does: start a backtest, cancel it, and judge its film by the rules of the features."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ktrdr_qa.act import leaving
from ktrdr_qa.act.cancelling import Cancelling
from ktrdr_qa.act.places import Places
from ktrdr_qa.act.scene import SLACK_S
from ktrdr_qa.act.starting import Starting
from ktrdr_qa.act.watching import Watching
from ktrdr_qa.judge import crashes, pace, running, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.reading import ended_before_cancel
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import TransportError
from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.record.recorder import Recorder
from storm.crowd import Crowd, OneOfMany, OnTheRoll

ASKED = ("acknowledged", "cancelled", "stays cancelled", "end recorded", "frozen", "not completed", "stays up")
"""What must hold for a history to pass; of a patient user's, that it could have shown an ignored cancel as well."""
ASKED_OF_THE_PATIENT = ("was running", "enough left")
LOOK_AGAIN_S = 0.5


class ToldToStop(Exception):
    """The storm is to end at once."""


@dataclass(frozen=True)
class Told:
    """One cancelled backtest: its history and what the rules say of it."""

    history: History
    found: Mapping[str, Judgement]
    outcome: verdict.Outcome

    @property
    def broken(self) -> list[Judgement]:
        return [judgement for judgement in self.found.values() if judgement.violated]

    @property
    def figures(self) -> dict[str, float]:
        return {name: value for judgement in self.found.values() for name, value in judgement.figures.items()}

    def keep(self, directory: Path) -> Path:
        """Write the history where it can be judged again."""
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"{self.history.about['backtest']}.json"
        file.write_text(self.history.to_json(), encoding="utf-8")
        return file


class Cancellation:
    """``patient``: it is cancelled when it was seen to move, and else at once. Whatever happens, ``close`` ends it."""

    def __init__(self, crowd: Crowd, client: Client, *, patient: bool):
        about: dict[str, Any] = {
            "target": crowd.target.name,
            "kind": crowd.target.kind,
            "base_url": crowd.given.base_url,
            "version": crowd.given.version,
            "clock_origin_s": 0.0,
            "limits": crowd.given.limits,
            "among_many": True,
            "asked": [*ASKED, *(ASKED_OF_THE_PATIENT if patient else ())],
        }
        if not patient:
            about["cancelled_at_once"] = True
        self._patient = patient
        self._crowd = crowd
        recorder = Recorder(crowd.clock, about)
        self._scene = OneOfMany(crowd.target, client, recorder, crowd.journal, {}, self._tick, crowd=crowd)
        others = OnTheRoll(self._scene, crowd.roll)
        self._starting = Starting(self._scene, others)
        self._cancelling = Cancelling(self._scene, Watching(self._scene, Places(self._scene)), others)

    def _tick(self, history: History) -> None:
        if self._crowd.given.told_to_stop.exists():
            raise ToldToStop

    def start(self) -> None:
        """One request to start it. Raises as ``act.starting`` does."""
        self._scene.used = self._crowd.another()
        self._starting.begin(self._scene.used)

    def go_on(self) -> Told | str:
        """Wait, cancel, watch and judge; or why it was not cancelled, in words."""
        scene = self._scene
        if self._patient and (why := self._wait_for_progress()):
            return why
        sent = self._cancelling.send_at_once()
        if not sent.holds:
            return sent.seen
        scene.record()
        self._crowd.look_now(scene.worker)
        scene.pause(self._window_s())
        scene.record()
        if scene.worker:
            self._crowd.last_on[scene.worker] = scene
        told = judged(scene)
        deadline_s = scene.recorder.clock() + scene.slack_s + crashes.GIVE_UP_S
        while told.outcome == "inconclusive" and scene.recorder.clock() < deadline_s and self._may_be_known(told):
            scene.pause(LOOK_AGAIN_S)
            told = judged(scene)
        self._end_what_runs()
        return judged(scene)

    def _wait_for_progress(self) -> str:
        """Wait until it was seen to move, and for its pace; why it is not to be cancelled where it ended before."""
        scene = self._scene
        limit_s = scene.limits["first_progress_s"]

        def moves_or_ended(history: History) -> Judgement:
            if ended := ended_before_cancel(history, scene.backtest):
                return Judgement("ended", "violated", "", f"it was {ended.status} before it was cancelled")
            if gone := crashes.who_is_gone(history, scene.backtest, ""):
                return Judgement("gone", "violated", "", gone)
            moving = running.is_moving(history, scene.backtest, limit_s)
            # What its progress is like is not what the storm is about.
            return Judgement("moving", "holds", "", moving.seen) if moving.violated else moving

        seen = scene.wait(moves_or_ended, limit_s + scene.slack_s)
        if seen.violated:
            return seen.seen
        scene.pause(pace.PACE_SPAN_S * random.uniform(0.2, 1.0))
        ended = ended_before_cancel(scene.recorder.history(), scene.backtest)
        return f"it was {ended.status} before it was cancelled" if ended else ""

    def _window_s(self) -> float:
        scene = self._scene
        frozen_s = pace.frozen_window_s(scene.recorder.history(), scene.backtest, scene.limits["frozen_s"])
        return max(self._crowd.given.watched_s, scene.limits["cancelled_s"], frozen_s) + LOOK_AGAIN_S

    @staticmethod
    def _may_be_known(told: Told) -> bool:
        asked = [j for name, j in told.found.items() if name in told.history.about["asked"]]
        return not any(j.unknown and (j.final or j.name in ASKED_OF_THE_PATIENT) for j in asked)

    def _end_what_runs(self) -> list[str]:
        """Cancel what has not ended; a sentence for each that could not be asked to."""
        scene, problems = self._scene, []
        for backtest in [b for b in scene.mine if b in scene.journal.open]:
            seen = scene.recorder.history().of("backend", backtest)
            if seen and seen[-1].terminal:
                scene.journal.ended(backtest)
            elif not scene.event("not_stopped"):
                problems += leaving.end(scene, backtest)
        return problems

    def close(self) -> list[str]:
        """End what still runs, and watch no longer."""
        try:
            return self._end_what_runs()
        finally:
            self._scene.leave()


def judged(scene: OneOfMany) -> Told:
    history = scene.recorder.history()
    found = verdict.judge_all(history)
    return Told(history, found, verdict.outcome(found, history.about["asked"]))


def places_at_the_end(crowd: Crowd) -> list[Told]:
    """The last cancelled backtest of each worker, with what the registry says of its place.

    Nothing is started any more: a place that one of them still holds beyond its limit was not given back.
    """
    scenes = crowd.last_on
    limit_s = crowd.given.limits["place_free_s"]
    deadline_s = crowd.clock() + limit_s + SLACK_S
    while True:
        asked_s = crowd.clock()
        try:
            registered = list(readings.registry(readings.workers(crowd.client, tries=1), {}))
        except TransportError:
            registered = []
        answered_s = crowd.clock()
        held = False
        for told in registered:
            if scene := scenes.get(told.subject):
                scene.recorder.add([Sample("registry", asked_s=asked_s, answered_s=answered_s, **vars(told))])
                held = held or told.facts.get("current_operation") == scene.backtest
        if not held or crowd.clock() > deadline_s or crowd.given.told_to_stop.exists():
            return [judged(scene) for scene in scenes.values()]
        threading.Event().wait(LOOK_AGAIN_S)
