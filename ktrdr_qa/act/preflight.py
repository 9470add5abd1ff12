"""The preflight checks of KTRDR's own catalogue, each with its cure.

A check is ``ok``, ``failed`` or ``not checked``; the last is what cannot be seen from here, and is never
reported as fine. A failed check makes the run inconclusive: it says nothing about cancellation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from honest_behave.outcomes import PlatformNotReady
from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.checks import result as results
from ktrdr_qa.act.checks.material import Material
from ktrdr_qa.act.checks.result import Ask, Result
from ktrdr_qa.act.checks.services import Services
from ktrdr_qa.act.checks.workers import Workers
from ktrdr_qa.act.failure import failure
from ktrdr_qa.judge import crashes
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.witnesses import Witness
from ktrdr_qa.target.settings import Target

HEALTH_AGAIN_S = 0.5
"""How often an API that is not well is asked again."""


class Preflight:
    """Runs the checks against one target, each once until ``forget``.

    ``dead_processes`` asks the launcher of the embedded KTRDR; ``home`` is where its files are. ``mine`` names the
    backtests of this run that have ended.
    """

    def __init__(
        self,
        target: Target,
        client: Client,
        *,
        cure: bool = False,
        home: Path | None = None,
        dead_processes: Callable[[], list[str]] | None = None,
        mine: Callable[[], Collection[str]] | None = None,
        say: Callable[[str], None] = print,
    ):
        self._services = Services(target, client, dead_processes)
        self._material = Material(target, client, home or target.checkout_directory)
        self._workers = Workers(target, client, mine)
        self._results: dict[str, Result] = {}
        self._cure = cure
        self._say = say

    @property
    def version(self) -> str:
        """KTRDR's, as far as it was told."""
        return self._services.version

    @property
    def unusable(self) -> dict[Candidate, str]:
        """The candidates that lack a model or data, and what they lack."""
        return self._material.unusable

    @property
    def witnesses(self) -> dict[str, Witness]:
        """The registered workers, each as far as it can be asked from here."""
        return self._workers.witnesses

    @property
    def kept_places(self) -> dict[str, str]:
        """The workers whose places are counted as taken by backtests of this run that have ended, where none is free."""
        return self._workers.kept_places

    def services(self) -> Result:
        """The catalogue's "every Compose container running"; without Compose, what launched the platform says."""
        return self._require("Services running", self._services.running)

    def sandbox(self) -> Result:
        """The catalogue's sandbox settings: the port that ``.env.sandbox`` names is the one in use."""
        return self._require("Sandbox settings", self._services.sandbox)

    def api_health(self) -> Result:
        """The catalogue's API health: HTTP 200, and it says that all is well."""
        return self._require("API health", self._settled_health)

    def model(self, candidates: Sequence[Candidate]) -> Result:
        return self._require("Model", lambda: self._material.model(candidates))

    def strategy(self, candidates: Sequence[Candidate]) -> Result:
        return self._require("Strategy", lambda: self._material.strategy(candidates))

    def data(self, candidates: Sequence[Candidate]) -> Result:
        return self._require("Price data", lambda: self._material.data(candidates))

    def workers(self, settle_s: float) -> Result:
        """At least one backtest worker is registered and alive, and one is free within ``settle_s`` seconds."""
        return self._require("Backtest workers", lambda: self._workers.free(settle_s))

    def forget(self) -> None:
        """Check everything afresh from here on."""
        self._results.clear()

    def still_healthy(self) -> None:
        """The API's health once more, after the flow: a platform that fell over is KTRDR's failure."""
        found = self._settled_health()
        if found.state == "failed":
            raise failure("KTRDR is still healthy after all this", found.seen)

    def _settled_health(self) -> Result:
        """The API's health, asked again for as long as an outage has to last to be one (``crashes.DOWN_S``)."""
        deadline_s = time.monotonic() + crashes.DOWN_S
        while (found := self._services.health()).state == "failed" and time.monotonic() < deadline_s:
            time.sleep(HEALTH_AGAIN_S)
        return found

    def _require(self, name: str, ask: Ask) -> Result:
        """The result of a check, cured where that is allowed and helps.

        Raises ``PlatformNotReady`` with the cure where it failed.
        """
        if name in self._results:
            return self._results[name]
        found = ask()
        if found.state == "failed" and self._cure and found.cure:
            found = results.apply(found.cure, found, ask, self._say)
        self._results[name] = found
        if found.state == "failed":
            lines = [f"{name}: {found.seen}"]
            if found.cure:
                lines.append(f"    cure: {found.cure}")
            if found.advice:
                lines.append(f"  advice: {found.advice}")
            raise PlatformNotReady("\n".join(lines))
        return found
