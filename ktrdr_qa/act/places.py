"""The workers in KTRDR's registry, and the places that it still counts as taken by backtests that have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ktrdr_qa.act.failure import failure
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.exchange import TransportError
from ktrdr_qa.record.history import History

PLACES_PAUSE_S = 0.3


class Places:
    """``ids`` has of each worker that registered anew under another id the one by which it is known here."""

    def __init__(self, scene: Scene):
        self.ids: dict[str, str] = {}
        self._scene = scene
        self._addresses = {w.endpoint: w.worker for w in scene.witnesses.values() if w.endpoint}

    def registered(self, tries: int = 1) -> list[dict[str, Any]]:
        """The registered workers; nothing where the registry cannot be read. Remembers which address has which id."""
        try:
            return self.known(readings.workers(self._scene.client, tries))
        except TransportError:
            return []

    def known(self, registered: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A worker is its address: one that registers anew under another id is the same, unless two share an address."""
        addresses = [readings.endpoint(worker) or worker["worker_id"] for worker in registered]
        for worker, address in zip(registered, addresses, strict=True):
            own = worker["worker_id"]
            first = own if addresses.count(address) > 1 else self._addresses.setdefault(address, own)
            self.ids.setdefault(own, first)
        return registered

    def held_in_vain(self, registered: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The workers that the registry counts as busy with a backtest of this run that has ended."""
        ended = set(self._scene.journal.ended_ones)
        return [w for w in registered if w.get("current_operation_id") in ended]

    def await_one(self, at_most_s: float | None = None, *, every: bool = False) -> None:
        """Where no place is free but some are held by backtests of this run that have ended, wait for one of these.

        The registry frees a place up to 9 s late (contract, surprises 5 and 10). A start that is refused because of
        a candidate that was passed over would say nothing about the cancel. ``every``: wait for all of them.
        ``at_most_s``: where a start that is refused will be judged anyway; else a place that is still held at the limit
        is KTRDR's failure.
        """
        scene = self._scene
        if not scene.journal.ended_ones:
            return
        began_s = scene.recorder.clock()
        looked_s = [began_s - PLACES_PAUSE_S]
        held: list[Mapping[str, Any]] = []

        def can_start(history: History) -> Judgement:
            if history.until_s - looked_s[0] < PLACES_PAUSE_S:
                return Judgement("place", "unknown", "", "")
            looked_s[0] = history.until_s
            registered = self.registered(tries=3)
            held[:] = self.held_in_vain(registered)
            free = any(readings.takes_work(w) for w in registered)
            return Judgement("place", "unknown" if held and (every or not free) else "holds", "", "")

        limit_s = scene.limits["place_free_s"]
        judgement = scene.wait(can_start, limit_s if at_most_s is None else at_most_s)
        waited_s = scene.recorder.clock() - began_s
        if judgement.unknown and held and at_most_s is None:
            told = ", ".join(f"{w['worker_id']} {w.get('status')} with {w['current_operation_id']}" for w in held)
            raise failure(
                f"KTRDR gives a place back within {limit_s:.1f} s of the end of the backtest that had it",
                f"after {waited_s:.1f} s it still counts {told}: backtests of this run that have ended",
                f"curl -s {scene.client.base_url}{readings.WORKERS}",
            )
        if waited_s > 2 * PLACES_PAUSE_S:
            scene.observations.append(
                f"Waited {waited_s:.1f} s, before asking for another backtest, until the registry freed the place of one "
                "of this run that had ended before."
            )
