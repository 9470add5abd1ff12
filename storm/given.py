"""What the launcher tells each Locust process, in an environment variable."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ktrdr_qa.act.candidate import Candidate

VARIABLE = "STORM_GIVEN"


@dataclass(frozen=True)
class Given:
    """``most``: so many backtests of one Locust process run at a time, at the most; 0: as many as KTRDR takes.

    ``candidate`` is the backtest that the rehearsal could cancel; ``watched_s`` how long one is watched after its cancel;
    ``launcher`` the process that sees to the end of Locust, and of what it has left.
    """

    base_url: str
    options: dict[str, str]
    candidate: dict[str, str]
    place: str
    launcher: int
    most: int
    watched_s: float
    seconds: float
    version: str = ""
    limits: dict[str, float] = field(default_factory=dict)

    @property
    def backtest(self) -> Candidate:
        return Candidate(**self.candidate)

    @property
    def told_to_stop(self) -> Path:
        """This file is there as soon as everything is to be ended at once."""
        return Path(self.place) / "stop"

    def in_environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        return {**environment, VARIABLE: json.dumps(asdict(self))}


def taken_from(environment: Mapping[str, str] = os.environ) -> Given:
    """Raises ``SystemExit`` with one line where the launcher was left out."""
    if VARIABLE not in environment:
        raise SystemExit("start the storm with: python -m storm (or make storm); it launches Locust itself")
    document: dict[str, Any] = json.loads(environment[VARIABLE])
    return Given(**document)
