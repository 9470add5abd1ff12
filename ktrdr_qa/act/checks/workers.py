"""Whether a backtest worker is registered, alive and free, and which of them can be asked from here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection
from typing import Any

from ktrdr_qa.act.checks import advice
from ktrdr_qa.act.checks.result import LOOK_AGAIN_S, Cure, Result
from ktrdr_qa.platform import compose, readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import TransportError
from ktrdr_qa.platform.witnesses import Witness, find, witness_of
from ktrdr_qa.target.settings import Target


class Workers:
    """``mine`` names the backtests of this run that have ended: where they are what keeps every place taken,
    ``kept_places`` tells which worker's, and that is KTRDR's doing.
    """

    def __init__(self, target: Target, client: Client, mine: Callable[[], Collection[str]] | None):
        self.witnesses: dict[str, Witness] = {}
        self.kept_places: dict[str, str] = {}
        self._target = target
        self._client = client
        self._mine = mine

    def free(self, settle_s: float) -> Result:
        name = "Backtest workers"
        self.kept_places = {}
        deadline_s = time.monotonic() + settle_s
        while True:
            try:
                registered = readings.workers(self._client)
                others = [] if registered else readings.types_of_workers(self._client)
            except TransportError as error:
                told, _ = advice.on(error, self._target)
                return Result(name, "failed", f"the workers cannot be listed: {error}", None, told)
            if not registered:
                only = f", only workers for {', '.join(others)}" if others else ""
                return Result(name, "failed", f"no backtest worker is registered{only}", *self._restart_of_workers())
            self._find_witnesses(registered)
            alive = [w for w in registered if not self.witnesses[w["worker_id"]].dead]
            if not alive:
                reasons = "; ".join(self.witnesses[w["worker_id"]].reason.split("; say where")[0] for w in registered)
                return Result(
                    name, "failed", f"the registered workers do not answer: {reasons}", *self._restart_of_workers()
                )
            free = [w for w in alive if readings.takes_work(w)]
            if free:
                return Result(name, "ok", f"{len(free)} of {len(registered)} registered backtest workers are free")
            if time.monotonic() >= deadline_s:
                return self._no_place(name, alive)
            time.sleep(LOOK_AGAIN_S)

    def _find_witnesses(self, registered: list[dict[str, Any]]) -> None:
        """Try to reach the workers that were not seen before; one known under an id of before is so no longer."""
        known = {w["worker_id"]: witness_of(w, self.witnesses) for w in registered}
        new = [w for w in registered if (k := known[w["worker_id"]]) is None or k.worker != w["worker_id"]]
        self.witnesses.update(find(new, self._target, self._client))
        addresses = {readings.endpoint(w) for w in registered}
        for worker, witness in list(self.witnesses.items()):
            if worker not in known and witness.endpoint in addresses:
                del self.witnesses[worker]

    def _no_place(self, name: str, taken: list[dict[str, Any]]) -> Result:
        """No worker is free: by whose backtests, and whether waiting helps."""
        ended = set(self._mine()) if self._mine else set()
        of_whom = {w["worker_id"]: w.get("current_operation_id") for w in taken}
        self.kept_places = {worker: backtest for worker, backtest in of_whom.items() if backtest in ended}
        others = [
            f"{w['worker_id']} {w.get('status')} {of_whom[w['worker_id']] or ''}".strip()
            for w in taken
            if w["worker_id"] not in self.kept_places
        ]
        if self.kept_places:
            places = ", ".join(f"{worker} ({backtest})" for worker, backtest in self.kept_places.items())
            kept = f"KTRDR's registry still counts the places of {places} as taken by backtests of this run that have ended"
            seen = "; ".join([kept, *others])
            helps = "KTRDR has to free the place of a backtest that has ended; a restart of its workers does it for now"
            return Result(name, "failed", f"no backtest worker is free: {seen}", None, helps)
        seen = f"no backtest worker is free: {', '.join(others)}"
        if any(of_whom.values()):
            return Result(name, "failed", seen, None, "wait for the backtests to end, or add a worker")
        cure, restart = self._restart_of_workers()
        helps = f"the registry gives them no work: look at the workers' logs{f'; {restart}' if restart else ''}"
        return Result(name, "failed", seen, cure, helps)

    def _restart_of_workers(self) -> tuple[Cure | None, str]:
        """The catalogue's cure where Compose runs the workers here, else words of what to do."""
        if self._target.embedded_one:
            return None, "run again"
        project = compose.project_of(self._target)
        if project is None:
            words = "start or restart the backtest workers; under Docker: docker compose restart"
            return None, f"{words} backtest-worker-1 backtest-worker-2, then wait 15 s"
        services = ["backtest-worker-1", "backtest-worker-2"]
        with contextlib.suppress(compose.ComposeProblem):
            # In a slot of KTRDR's they are the copies of one service.
            found = [c.service for c in compose.containers(project) if "backtest" in c.service]
            services = list(dict.fromkeys(found)) or services
        return Cure(((*project.command, "restart", *services),), 15.0, 1, project.directory), ""
