"""Many backtests in a row: what KTRDR's processes use at rest after each, and which places are free at both ends.

Each backtest has a recording of its own; what is read here is put into the last one, where it is judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ktrdr_qa.act.scene import Scene
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import TransportError
from ktrdr_qa.platform.witnesses import Witness
from ktrdr_qa.record.history import Event, History, Sample
from ktrdr_qa.system import load_per_core

BACKEND = "backend"
REST_S = 0.2
"""Between the two readings of a rest; over a third of 51 backtests that is 3 s of the processor's time."""
PLACES_PAUSE_S = 0.3


class Endurance:
    """``close`` it. ``unreachable``: the workers that cannot be asked from here, with the reason."""

    def __init__(self, client: Client, witnesses: Mapping[str, Witness], trusted: Mapping[str, str]):
        self._processes = {BACKEND: client.clone()}
        self._unreachable: dict[str, str] = {}
        for witness in witnesses.values():
            if witness.address:
                known = witness.address in trusted.values()
                self._processes[witness.worker] = client.clone(witness.address, trusted=known)
            else:
                self._unreachable[witness.worker] = witness.reason
        self._samples: list[Sample] = []
        self._events: list[Event] = []
        self._mine: set[str] = set()
        self._laps = 0

    def begin(self, scene: Scene) -> None:
        """Before the first backtest: which places are free."""
        self._count_places(scene)

    def rest(self, scene: Scene, took: Mapping[str, float]) -> None:
        """After a backtest: read every process twice. ``took``: the figures of its cancel."""
        self._laps += 1
        self._mine.update(scene.mine)
        for again in (False, True):
            if again:
                scene.pause(REST_S)
            self._samples += [self._read(scene, process, client) for process, client in self._processes.items()]
        facts = {name: took[name] for name in ("first_progress_s", "cancelled_s") if name in took}
        facts["load_per_core"] = round(load_per_core(), 2)
        self._events.append(Event("lap", scene.recorder.clock(), scene.backtest, facts))

    def finish(self, scene: Scene) -> None:
        """After the last: wait until the registry has given every place back, and put all of it into the recording."""
        looked_s = [0.0]

        def all_free(history: History) -> bool:
            if history.until_s - looked_s[0] >= PLACES_PAUSE_S:
                looked_s[0] = history.until_s
                self._count_places(scene)
            first, last = self._counts[0], self._counts[-1]
            return set(first["free"]) <= {*last["free"], *last["others"]}

        scene.until(all_free, scene.limits["place_free_s"])
        now_s = scene.recorder.clock()
        self._samples += [Sample("process", w, now_s, now_s, problem=why) for w, why in self._unreachable.items()]
        scene.recorder.add(self._samples)
        for event in self._events:
            scene.recorder.note(event.kind, event.subject, event.at_s, **event.facts)

    def close(self) -> None:
        for client in self._processes.values():
            client.close()

    @property
    def _counts(self) -> list[Mapping[str, Any]]:
        return [e.facts for e in self._events if e.kind == "places"]

    def _count_places(self, scene: Scene) -> None:
        """Which places are free, and which are others', by their addresses: a worker may register under another id."""
        try:
            registered = readings.workers(scene.client)
        except TransportError:
            registered = []
        named = {readings.endpoint(w) or str(w["worker_id"]): w for w in registered}
        free = [name for name, w in named.items() if readings.takes_work(w)]
        has = {name: w.get("current_operation_id") for name, w in named.items() if name not in free}
        others = [name for name, operation in has.items() if operation and operation not in self._mine]
        facts = {"listed": len(named), "free": free, "others": others}
        self._events.append(Event("places", scene.recorder.clock(), "", facts))

    def _read(self, scene: Scene, process: str, client: Client) -> Sample:
        asked_s = scene.recorder.clock()
        try:
            read = next(readings.process(client, process))
        except (TransportError, ValueError) as error:
            read = readings.lost(process, error)
        read = replace(read, facts={**read.facts, "lap": self._laps})
        return Sample("process", asked_s=asked_s, answered_s=scene.recorder.clock(), **vars(read))
