"""The backtests that are not this run's: whether one of them ended, or began, with the cancel."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from ktrdr_qa.act.scene import Scene
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.exchange import TransportError
from ktrdr_qa.platform.statuses import ACTIVE, MISSING, TERMINAL
from ktrdr_qa.record.history import Sample
from ktrdr_qa.record.recorder import BACKTEST_INTERVAL_S

MOST_OTHERS = 20
"""The records of so many backtests of others are read at the most, each time that they are looked at."""


class Others:
    """What KTRDR's list names besides this run's backtests."""

    def __init__(self, scene: Scene):
        self._scene = scene
        self._seen_active: set[str] = set()
        self._ended: set[str] = set()
        self._ended_rows: dict[str, Sample] = {}
        self._children: set[str] = set()

    def active(self) -> dict[str, str]:
        """The backtests that KTRDR lists, with their statuses; empty where it has no list."""
        scene, recorder = self._scene, self._scene.recorder
        asked_s = recorder.clock()
        try:
            listed = list(readings.listed(scene.client, scene.backtest, self._seen_active))
        except TransportError as error:
            self._note_lost(asked_s, error)
            return {}
        answered_s = recorder.clock()
        telling = list(readings.worth_recording(listed, scene.backtest, self._seen_active))
        self._seen_active |= {r.subject for r in telling if r.status not in {*TERMINAL, MISSING}}
        rows = [Sample("list", asked_s=asked_s, answered_s=answered_s, **vars(r)) for r in listed]
        names = {r.subject for r in telling}
        recorder.add([*(s for s in rows if s.subject in names), *self._turned(rows, names)])
        if scene.event("cancel_sent") and any(r.status == MISSING and r.facts.get("whole") for r in telling):
            self._watch_the_list()
        return {r.subject: r.status or "" for r in listed if r.status != MISSING}

    def _turned(self, rows: Iterable[Sample], recorded: Collection[str]) -> Iterator[Sample]:
        """The rows of ended backtests, else not worth recording, that are another state than they were: both of them."""
        for s in rows:
            if s.terminal and s.subject not in recorded:
                self._ended_rows.setdefault(s.subject, s)
            first = self._ended_rows.get(s.subject, s)
            if s.status not in (first.status, MISSING):
                self._ended_rows[s.subject] = s  # Told once.
                yield first
                if s.subject not in recorded:
                    yield s

    def _note_lost(self, asked_s: float, error: TransportError) -> None:
        """Write down that the list could not be read; after the cancel it is watched from then on, to see it come right."""
        scene, recorder = self._scene, self._scene.recorder
        lost = readings.lost(scene.backtest, error)
        recorder.add([Sample("list", asked_s=asked_s, answered_s=recorder.clock(), **vars(lost))])
        if scene.event("cancel_sent"):
            self._watch_the_list()

    def _watch_the_list(self) -> None:
        """Read the list again and again from now on, to see it come right."""
        scene = self._scene
        client, wanted = scene.client.clone(), set(self._seen_active)

        def read() -> Iterable[readings.Reading]:
            return readings.worth_recording(readings.listed(client, scene.backtest, wanted), scene.backtest, wanted)

        scene.recorder.watch("list", scene.backtest, read, BACKTEST_INTERVAL_S)

    def look(self) -> None:
        """Read the list, and the records of others' backtests that may have ended or begun with the cancel."""
        asked_s = self._scene.recorder.clock()
        listed = self.active()
        history = self._scene.recorder.history()
        sent = history.event("cancel_sent", self._scene.backtest)
        rows = [s for s in history.samples if s.view == "list" and s.status != MISSING]
        before = {s.subject for s in rows if sent and s.answered_s <= sent.at_s}
        new = {s.subject for s in rows if s.asked_s >= asked_s} - before if sent else set()
        telling = []
        for other in {*listed, *self._seen_active} - set(self._scene.mine) - self._ended:
            active = listed.get(other, MISSING) in ACTIVE
            if not active and other in (self._seen_active | new):
                self._ended.add(other)
                telling.append(other)
            elif active and (not sent or other in (self._children | new)):
                telling.append(other)
        # What runs tells more than what is over.
        for other in sorted(telling, key=lambda one: (one in self._ended, one))[:MOST_OTHERS]:
            self._read(other)

    def _read(self, other: str) -> None:
        read = self._scene.read_once("other", lambda: readings.backtest(self._scene.client, other, in_full=True))
        if any(r.status == MISSING for r in read):
            self._ended.discard(other)  # Of several replicas one may lag: it is read again.
        self._children |= {other for r in read if r.facts.get("parent") == self._scene.backtest}
