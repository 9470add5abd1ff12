"""The worker that runs the backtest: its own record, its health, its processor, its place in the registry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ktrdr_qa.act.places import Places
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.judge import processor
from ktrdr_qa.judge.reading import COVERED_GAP_S
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import TransportError
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.platform.witnesses import Witness
from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.record.recorder import WITNESS_INTERVAL_S


class Watching:
    """From its making on it watches the workers' processors, to know later what idle looked like."""

    def __init__(self, scene: Scene, places: Places):
        self._scene = scene
        self._places = places
        self._in_registry = ""
        self._unlisted: dict[tuple[str, bool], dict[str, Any]] = {}
        self._first_missed_s: dict[str, float] = {}
        self._called_there: dict[str, str] = {}
        self._keeps_processors = False
        told = {w.worker: w.processor_source for w in scene.witnesses.values() if w.processor}
        scene.recorder.about["witnesses"] = told
        self.watch_processors()

    @property
    def worker(self) -> str:
        """The id of the worker that ran the backtest, or nothing where KTRDR does not say."""
        samples = self._scene.readings()
        named = next((s.facts["worker"] for s in reversed(samples) if s.facts.get("worker")), None)
        worker = str(named or self._in_registry)
        return self._places.ids.get(worker, worker)

    @property
    def witness(self) -> Witness | None:
        """The worker that ran the backtest, as far as it can be reached."""
        return self._scene.witnesses.get(self.worker)

    @property
    def called_there(self) -> str:
        """The id under which the worker knows the backtest."""
        return self._called_there.get(self._scene.backtest, self._scene.backtest)

    def watch_processors(self) -> None:
        """Every processor within reach: which worker runs the next candidate is not known before its start."""
        for witness in self._scene.witnesses.values():
            if witness.processor:
                self._scene.recorder.watch("processor", witness.worker, witness.processor, WITNESS_INTERVAL_S)

    def keep_watching_processors(self) -> None:
        """From here on every processor within reach, whichever worker it is that runs the backtest."""
        self._keeps_processors = True
        self.watch_processors()

    def await_idle_processors(self) -> None:
        """Before a start, see long enough what the processors use without it.

        Where the platform is watched for longer than the sentences take, so long that housekeeping which comes and goes
        shows: until each has been read twice at the usual interval.
        """
        watched = [w.worker for w in self._scene.witnesses.values() if w.processor]
        if not watched:
            return

        def read(history: History) -> list[tuple[Sample, ...]]:
            return [history.of("processor", w) for w in watched]

        def read_for_s(history: History) -> float:
            return min(r[-1].asked_s - r[0].asked_s if r else 0.0 for r in read(history))

        def watched_s(history: History) -> float:
            return min(history.until_s - r[0].asked_s if r else 0.0 for r in read(history))

        if self._scene.target.watched_s >= processor.QUIET_SPAN_S:
            self._scene.until(lambda h: read_for_s(h) >= WITNESS_INTERVAL_S / 2, 2 * WITNESS_INTERVAL_S)
            return

        self._scene.until(lambda h: watched_s(h) > 0, processor.IDLE_SPAN_S)
        left_s = processor.IDLE_SPAN_S - watched_s(self._scene.recorder.history())
        self._scene.pause(max(0.0, left_s))
        self._scene.read_fresh("processor", watched)

    def watch_worker(self) -> None:
        """From here on also watch the worker that runs the backtest, as far as it can be reached."""
        scene, recorder, places = self._scene, self._scene.recorder, self._places
        registered = places.registered()
        if not self.worker:
            self._in_registry = next(
                (w["worker_id"] for w in registered if w.get("current_operation_id") == scene.backtest), ""
            )
        worker, backtest = self.worker, scene.backtest
        if not worker:
            return
        for other in scene.witnesses:
            if other != worker and not self._keeps_processors:
                recorder.unwatch("processor", other)
        recorder.look_now("processor")
        asked = scene.client.clone()

        def read() -> Iterator[readings.Reading]:
            for reading in readings.registry(places.known(readings.workers(asked, tries=1)), places.ids):
                yield self._with_what_it_has(reading, None)

        recorder.watch("registry", "", read, WITNESS_INTERVAL_S)
        if view := self._speaker(worker):
            recorder.watch("worker", backtest, lambda: self._read_view(view, backtest), WITNESS_INTERVAL_S)
            self._watch_health(worker)

    def watch_all_workers(self) -> None:
        """From here on also read the health of each worker within reach."""
        for worker in self._scene.witnesses:
            self._watch_health(worker)
        self._scene.read_fresh("health", [w.worker for w in self._scene.witnesses.values() if w.address])

    def ask_who_else_has_it(self) -> None:
        """Also read the health of each other worker that has the backtest by the registry's word: its own does not lag."""
        history = self._scene.recorder.history()
        others = []
        for other in {*history.subjects("registry")} & {*self._scene.witnesses} - {self.worker}:
            last = history.of("registry", other)[-1]
            if last.facts.get("current_operation") == self._scene.backtest and self._scene.witnesses[other].address:
                self._watch_health(other)
                others.append(other)
        self._scene.read_fresh("health", others)

    def _watch_health(self, worker: str) -> None:
        if speaker := self._speaker(worker):
            read = lambda: self._read_health(speaker, worker)  # noqa: E731
            self._scene.recorder.watch("health", worker, read, WITNESS_INTERVAL_S)

    def _speaker(self, worker: str) -> Client | None:
        """A client of the worker's own, where it can be asked from here."""
        witness = self._scene.witnesses.get(worker)
        if witness is None or not witness.address:
            return None
        return self._scene.client.clone(witness.address, trusted=witness.address in self._scene.target.workers.values())

    def read_own_record(self, backtest: str = "", worker: str = "") -> None:
        """Write down once what the worker itself has of a backtest, this recording's or another, where it can be asked."""
        scene, backtest = self._scene, backtest or self._scene.backtest
        if speaker := self._speaker(self._places.ids.get(worker, worker) or self.worker):
            scene.read_once("worker", lambda: self._read_view(speaker, backtest))

    def _read_view(self, view: Client, backtest: str) -> Iterator[readings.Reading]:
        """The worker's own record, under the id that it calls the backtest by."""
        own = self._called_there.get(backtest, backtest)
        for reading in readings.backtest(view, own):
            yield replace(reading, subject=backtest)

    def _read_health(self, speaker: Client, worker: str) -> Iterator[readings.Reading]:
        """What the worker says that it is busy with, and of an id that the backend does not have since when it is."""
        for reading in readings.health(speaker, worker):
            yield self._with_what_it_has(reading, speaker)

    def _with_what_it_has(self, reading: readings.Reading, speaker: Client | None) -> readings.Reading:
        """A reading that says what a worker is busy with, and whether the backend has that; ``speaker`` is the worker."""
        has = reading.facts.get("current_operation")
        told = self._about(has, speaker) if isinstance(has, str) and has and has not in self._scene.mine else {}
        return replace(reading, facts={**reading.facts, **told})

    def _about(self, operation: str, speaker: Client | None) -> dict[str, Any]:
        """Of an operation that is named: nothing where the backend has it; else that it has not, and its beginning."""
        known = (operation, speaker is None)  # The registry alone does not tell when it began.
        if known in self._unlisted:
            return self._unlisted[known]
        facts: dict[str, Any] = {}
        try:
            if next(readings.backtest(self._scene.client.clone(), operation)).status == MISSING:
                facts = {"unlisted": True}
                own = next(readings.backtest(speaker, operation)) if speaker else None
                if own and (began := own.facts.get("started_at") or own.facts.get("created_at")):
                    facts["began_at"] = began
                if speaker and not self._scene.event("cancel_sent"):
                    self._called_there.setdefault(self._scene.backtest, operation)
        except TransportError:
            return {}
        if facts and self._scene.event("cancel_sent"):
            # It may be somebody else's new backtest, whose record a replica has a moment later.
            now_s = self._scene.recorder.clock()
            if now_s - self._first_missed_s.setdefault(operation, now_s) < COVERED_GAP_S:
                return {}
        self._unlisted[known] = facts
        return facts
