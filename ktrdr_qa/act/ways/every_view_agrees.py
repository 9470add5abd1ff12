"""Every view of KTRDR's list read over a whole run: without a filter, under each one that it knows, and page by page."""

from __future__ import annotations

from ktrdr_qa.act import leaving
from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.others import Others
from ktrdr_qa.act.places import Places
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.act.starting import Starting
from ktrdr_qa.platform import listings
from ktrdr_qa.record.recorder import Read

LEAST_LISTED = 4
"""So many backtests the list is to have, so that there are pages of it."""
LISTING_INTERVAL_S, PAGES_INTERVAL_S = 0.5, 1.0


class EveryView:
    """Reads the list from here on, whatever else is done."""

    def __init__(self, scene: Scene, starting: Starting, places: Places, others: Others):
        self._scene = scene
        self._starting = starting
        self._places = places
        self._others = others

    def begin(self) -> None:
        """Watch the list; where it has too few backtests for pages, let some begin and end first."""
        scene = self._scene
        known = listings.filters(scene.client)
        scene.recorder.note("views_begun", "", filters=list(known))
        for question in ("", *known):
            scene.recorder.watch("listing", question, self._reader(question), LISTING_INTERVAL_S)
        asked = scene.client.clone()
        scene.recorder.watch("pages", "", lambda: listings.pages(asked), PAGES_INTERVAL_S)

    def have_enough(self, candidate: Candidate) -> None:
        """Start and cancel short ones until the list has enough for pages."""
        scene = self._scene
        scene.used = candidate
        for _ in range(LEAST_LISTED - 1):
            if len(self._others.active()) >= LEAST_LISTED - 1:
                return
            self._places.await_one()
            leaving.end(scene, self._starting.begin_another(candidate))

    def _reader(self, question: str) -> Read:
        client = self._scene.client.clone()
        return lambda: listings.under(client, question)
