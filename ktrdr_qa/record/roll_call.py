"""Watches many backtests at once by pages of KTRDR's list: its requests grow with the pages, not with the backtests.

Each row of a page is a reading of the backend's record of that backtest (view ``backend``, fact ``in_list``: a row tells
less than the record itself), true for a moment between the asking and the answering of its own page. It goes into the
recorder of whoever watches that backtest: one recorder for all, or one for each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import LONGEST_PAUSE_S, Client
from ktrdr_qa.platform.exchange import Refused
from ktrdr_qa.platform.refusals import asked_pause_s
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import Sample, View
from ktrdr_qa.record.recorder import Recorder

ROUND_S = 0.25
"""How often all pages are read, as long as they come fast enough."""
BUSY_AT_MOST = 0.5
"""A round that takes long is followed by a rest as long: a list of many pages must not be the platform's only work."""
MOST_PAGES = 50
"""What is on none of the newest pages is a gap in its recording, and not a lost record."""
IN_LIST: Mapping[str, Any] = {"in_list": True}


class RollCall:
    """Reads the list again and again, in one thread, from the first ``watch`` to ``stop``.

    ``client`` is its own; one whose transcript keeps nothing (``exchange.Passing``) lets memory stay as it is.
    ``pages`` counts the pages that were read, ``listed`` has the statuses of the last round, by the backtests' ids.
    """

    def __init__(self, client: Client, clock: Callable[[], float], view: View = "backend", round_s: float = ROUND_S):
        self.pages = 0
        self.listed: dict[str, str] = {}
        self._client = client
        self._clock = clock
        self._view: View = view
        self._round_s = round_s
        self._watched: dict[str, Recorder] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._over = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, backtest: str, recorder: Recorder) -> None:
        """Have each row of this backtest written into the recorder, from the next round on."""
        self._watched[backtest] = recorder
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="roll-call", daemon=True)
            self._thread.start()

    def unwatch(self, backtest: str) -> None:
        self._watched.pop(backtest, None)
        self._told.pop(backtest, None)

    def look_now(self) -> None:
        """Begin the next round at once, for a reading close to an event."""
        self._wake.set()

    def stop(self) -> None:
        """End the reading and wait for a round that is under way."""
        self._over = True
        self._wake.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._over:
            began_s = self._clock()
            pause_s = 0.0
            # Who comes in while a round is under way is looked for in the next one.
            wanted = dict(self._watched)
            try:
                if wanted:
                    self._read_the_pages(wanted)
            except Refused as refused:
                self._lose(wanted, began_s, refused)
                pause_s = min(asked_pause_s(refused), LONGEST_PAUSE_S) if refused.status == 429 else 0.0
            except Exception as error:  # noqa: BLE001 - whatever a platform answers, the others are read on
                self._lose(wanted, began_s, error)
            took_s = self._clock() - began_s
            rest_s = max(took_s * (1 / BUSY_AT_MOST - 1), pause_s)
            self._wake.wait(max(self._round_s - took_s, rest_s))
            self._wake.clear()
            # Nobody's hurry shortens a pause that the platform asked for, or needs.
            while not self._over and (left_s := began_s + took_s + rest_s - self._clock()) > 0:
                self._wake.wait(left_s)
                self._wake.clear()

    def _read_the_pages(self, wanted: dict[str, Recorder]) -> None:
        """One round: the newest pages until everyone is found, or there are no more."""
        began_s = self._clock()
        pages = readings.Pages(self._client)
        listed: dict[str, str] = {}
        while pages.more and pages.read < MOST_PAGES and wanted:
            asked_s = self._clock()
            page = pages.next()
            self.pages += 1
            listed |= {name: row.status or "" for name, row in page.items()}
            found = [(wanted.pop(name), row) for name, row in page.items() if name in wanted]
            self._write(found, asked_s)
        self.listed = listed
        if pages.whole:
            self._write([(recorder, readings.Reading(name, MISSING)) for name, recorder in wanted.items()], began_s)
        elif wanted:
            self._lose(wanted, began_s, LookupError(f"not among the newest {len(listed)} of the list"))

    def _lose(self, wanted: Mapping[str, Recorder], asked_s: float, error: Exception) -> None:
        """A gap for each who was not found before the round came to its end."""
        self._write([(recorder, readings.lost(name, error)) for name, recorder in wanted.items()], asked_s)

    def _write(self, found: Iterable[tuple[Recorder, readings.Reading]], asked_s: float) -> None:
        answered_s = self._clock()
        for_each: dict[Recorder, list[Sample]] = {}
        for recorder, row in found:
            # The same facts again are the same object: there may be hundreds of thousands of readings.
            facts = {**row.facts, **IN_LIST}
            if (before := self._told.get(row.subject)) == facts:
                facts = before
            else:
                self._told[row.subject] = facts
            sample = Sample(
                self._view, row.subject, asked_s, answered_s, row.status, row.percentage, None, row.problem, facts
            )
            for_each.setdefault(recorder, []).append(sample)
        for recorder, samples in for_each.items():
            recorder.add(samples)
