"""The camera: reads each view at a steady rate, in a thread of its own, into the history.

One watch is one thing to read at an interval (the backend's record of a backtest, a worker's health, ...).
A slow or lost reading is a gap in its own watch and holds nobody else up. The recorder does not know how
many watches there are: one backtest closely, or hundreds through the list.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import LONGEST_PAUSE_S
from ktrdr_qa.platform.exchange import Refused
from ktrdr_qa.platform.refusals import asked_pause_s
from ktrdr_qa.record.history import Event, History, Sample, View, ordered

BACKTEST_INTERVAL_S = 0.147
WITNESS_INTERVAL_S = 0.9
"""At most ten readings of one backtest's record in a second, the backend's and its worker's own; the worker's health and
processor, and the registry, come on top, each as often as the worker's own.

No round part of a second: what happens in step with the readings is hidden by them.
"""

SLOWER, SLOWEST = 1.5, 4.0
"""Where the platform limits the rate of requests, all intervals grow by this at each refusal, up to so many times."""

Read = Callable[[], Iterable[readings.Reading]]


class Recorder:
    """Collects samples and events of one scenario's backtests; ``history`` is a snapshot of them.

    ``clock`` gives seconds on this host's monotonic clock, the same for everything in one history.
    """

    def __init__(self, clock: Callable[[], float], about: Mapping[str, Any] | None = None):
        self.clock = clock
        self._samples: list[Sample] = []
        self._events: list[Event] = []
        self._watches: dict[tuple[View, str], _Watch] = {}
        self._news = threading.Condition()
        self.slowed = 1.0
        """How many times as long as asked for the intervals are: what is refused to one watch is taken by another."""
        self.about = dict(about or {})

    def note(self, kind: str, subject: str = "", at_s: float | None = None, **facts: Any) -> Event:
        """Write down an event, now or at the given time."""
        event = Event(kind, self.clock() if at_s is None else at_s, subject, facts)
        with self._news:
            self._events.append(event)
            self._news.notify_all()
        return event

    def watch(self, view: View, subject: str, read: Read, interval_s: float) -> None:
        """Read a view from now on; once a view of a subject is watched, a second call changes nothing."""
        if (view, subject) not in self._watches:
            self._watches[view, subject] = _Watch(self, view, subject, read, interval_s)

    def look_now(self, *views: View) -> None:
        """Let the watches of these views read at once, for a reading close to an event."""
        for (view, _), watch in self._watches.items():
            if view in views:
                watch.hurry()

    def unwatch(self, view: View, subject: str) -> None:
        watch = self._watches.pop((view, subject), None)
        if watch:
            watch.stop()

    def stop(self) -> None:
        """End every watch and wait for readings under way."""
        for watch in self._watches.values():
            watch.stop(wait=False)
        for watch in self._watches.values():
            watch.stop()
        self._watches.clear()

    def history(self) -> History:
        with self._news:
            return ordered(self._samples, self._events, self.clock(), self.about)

    def wait_for_news(self, at_most_s: float) -> None:
        """Return when something new was written down, or after ``at_most_s``."""
        with self._news:
            self._news.wait(max(0.0, at_most_s))

    def add(self, samples: Iterable[Sample]) -> None:
        """Write down readings; one that was made outside its watch counts as the watch's own, and puts its next off."""
        made = list(samples)
        for s in made:
            if watch := self._watches.get((s.view, s.subject)):
                watch.asked_s = s.asked_s
        with self._news:
            self._samples.extend(made)
            self._news.notify_all()


class _Watch:
    def __init__(self, recorder: Recorder, view: View, subject: str, read: Read, interval_s: float):
        self._recorder = recorder
        self._view: View = view
        self._subject = subject
        self._read = read
        self._interval_s = interval_s
        self.asked_s = 0.0
        """When this was last read, here or elsewhere."""
        self._wake = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, name=f"watch-{view}", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        self._wake.set()

    def stop(self, *, wait: bool = True) -> None:
        self._over = True
        self._wake.set()
        if wait:
            self._thread.join()

    def _run(self) -> None:
        while not self._over:
            asked_s = self.asked_s = self._recorder.clock()
            pause_s = 0.0
            try:
                read = list(self._read())
            except Refused as refused:
                read = [readings.lost(self._subject, refused)]
                if refused.status == 429:
                    pause_s = min(asked_pause_s(refused), LONGEST_PAUSE_S)
                    self._recorder.slowed = min(SLOWEST, SLOWER * self._recorder.slowed)
            except Exception as error:  # noqa: BLE001 - whatever a platform answers, the camera keeps running
                read = [readings.lost(self._subject, error)]
            answered_s = self._recorder.clock()
            if self._over:
                return
            self._recorder.add(Sample(view=self._view, asked_s=asked_s, answered_s=answered_s, **vars(r)) for r in read)
            interval_s = self._interval_s * self._recorder.slowed
            while not self._over and (left_s := self.asked_s + interval_s - self._recorder.clock()) > 0:
                if self._wake.wait(left_s):
                    break
            self._wake.clear()
            # Nobody's hurry shortens a pause that the platform asked for.
            while not self._over and (left_s := asked_s + pause_s - self._recorder.clock()) > 0:
                self._wake.wait(left_s)
                self._wake.clear()
