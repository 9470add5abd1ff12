"""What the users of one Locust process share: the journal, the list's pages, and the workers, each read once for all."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.journal import Journal
from ktrdr_qa.act.others import Others
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.platform import readings, witnesses
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange, Passing, TransportError
from ktrdr_qa.record.history import Sample
from ktrdr_qa.record.recorder import WITNESS_INTERVAL_S, Recorder
from ktrdr_qa.record.roll_call import RollCall
from ktrdr_qa.target.settings import Target
from storm.given import Given

DAYS = 60
"""Each backtest begins, and ends, up to so many days later than the last one: so a lost start can be told from the others'."""


class Crowd:
    """``tell`` hears of every exchange; nothing is kept of them. ``close`` ends the reading, and not what runs."""

    def __init__(self, given: Given, target: Target, client: Client, reports: Path):
        self.given = given
        self.target = target
        self.client = client
        self.began_s = time.monotonic()
        self.journal = Journal(reports / "journal", given.base_url, ends_with_run=target.embedded_one)
        self.roll = RollCall(client.clone(), self.clock)
        self.places = threading.Semaphore(given.most) if given.most else None
        self.last_on: dict[str, OneOfMany] = {}
        """Of each worker the backtest that was cancelled on it last."""
        self._witnesses = witnesses.find(readings.workers(client), target, client)
        self._healths = _Relay(self.clock)
        self._lists: dict[str, RollCall] = {}

    def clock(self) -> float:
        return time.monotonic()

    def another(self) -> Candidate:
        """The rehearsed backtest, moved by some days."""
        base = self.given.backtest
        start, end = (date.fromisoformat(day) for day in (base.start, base.end))
        first, last = (timedelta(days=random.randrange(DAYS)) for _ in range(2))
        return replace(base, start=(start + first).isoformat(), end=(end - last).isoformat())

    def watch_worker(self, worker: str, backtest: str, recorder: Recorder) -> None:
        """Have the worker's health and its own row of the backtest written into the recorder, where it can be reached."""
        witness = self._witnesses.get(worker)
        if witness is None or not witness.address:
            return
        if worker not in self._lists:
            trusted = witness.address in self.target.workers.values()
            listing, speaker = (self.client.clone(witness.address, trusted=trusted) for _ in range(2))
            self._lists[worker] = RollCall(listing, self.clock, "worker", WITNESS_INTERVAL_S)
            self._healths.watch("health", worker, partial(readings.health, speaker, worker), WITNESS_INTERVAL_S)
        self._lists[worker].watch(backtest, recorder)
        self._healths.listen(worker, recorder)

    def look_now(self, worker: str) -> None:
        """Let the worker be read at once."""
        if worker in self._lists:
            self._lists[worker].look_now()
            self._healths.look_now_at(worker)

    def leave_worker(self, worker: str, backtest: str, recorder: Recorder) -> None:
        if worker in self._lists:
            self._lists[worker].unwatch(backtest)
            self._healths.leave(worker, recorder)

    def close(self) -> None:
        self.roll.stop()
        self._healths.stop()
        for listing in self._lists.values():
            listing.stop()


class _Relay(Recorder):
    """Hands each reading on to whoever listens to its subject, and keeps none."""

    def __init__(self, clock: Callable[[], float]):
        super().__init__(clock)
        self._listeners: dict[str, list[Recorder]] = {}

    def listen(self, subject: str, recorder: Recorder) -> None:
        self._listeners.setdefault(subject, []).append(recorder)

    def leave(self, subject: str, recorder: Recorder) -> None:
        self._listeners[subject].remove(recorder)

    def look_now_at(self, subject: str) -> None:
        self._watches["health", subject].hurry()

    def add(self, samples: Iterable[Sample]) -> None:
        for sample in samples:
            for recorder in tuple(self._listeners.get(sample.subject, ())):
                recorder.add([sample])


@dataclass
class OneOfMany(Scene):
    """A scene whose backtest is watched by pages of the list, and its worker together with others'."""

    crowd: Crowd | None = None
    worker: str = ""

    def watch(self, backtest: str, *, in_full: bool = False) -> None:
        assert self.crowd
        self.crowd.roll.watch(backtest, self.recorder)

    def record(self) -> Exchange:
        """The backtest's record as it is now; what it says is recorded, and from here on its worker is watched."""
        assert self.crowd
        # A connection that was kept through the watching may be closed by the server in this very moment.
        self.client.close()
        answer = super().record()
        try:
            told = readings.of_record(answer, self.backtest, in_full=True)
        except TransportError as error:
            told = readings.lost(self.backtest, error)
        self.recorder.add([Sample("backend", asked_s=answer.at_s, answered_s=answer.answered_s, **vars(told))])
        if not self.worker and (worker := str(told.facts.get("worker") or "")):
            self.worker = self.recorder.about["worker"] = worker
            self.crowd.watch_worker(worker, self.backtest, self.recorder)
        return answer

    def leave(self) -> None:
        """Watch no longer."""
        assert self.crowd
        self.crowd.roll.unwatch(self.backtest)
        self.crowd.leave_worker(self.worker, self.backtest, self.recorder)


class OnTheRoll(Others):
    """What the pages last named: nobody of the crowd asks for the list alone."""

    def __init__(self, scene: OneOfMany, roll: RollCall):
        super().__init__(scene)
        self._roll = roll

    def active(self) -> dict[str, str]:
        return dict(self._roll.listed)


def client_of(given: Given, target: Target, tell: Callable[[Exchange], None], environment: dict[str, str]) -> Client:
    """A client whose exchanges go to ``tell``."""
    return Client(
        given.base_url,
        Passing(tell),
        clock=time.monotonic,
        timeout_s=target.limits.answer_s * target.limits.time_factor,
        headers=target.resolved_headers(environment),
        verify=target.tls.ca_file or target.tls.verify,
        certificate=target.tls.certificate,
        secrets=target.secrets(environment),
    )
