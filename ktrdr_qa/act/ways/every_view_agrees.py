"""Every view of KTRDR's list read over a whole run: without a filter, under each one that it knows, and page by page."""

from __future__ import annotations

from ktrdr_qa.act import leaving
from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.platform import listings
from ktrdr_qa.record.recorder import Read

LEAST_LISTED = 4
"""So many backtests the list is to have, so that there are pages of it."""
LISTING_INTERVAL_S, PAGES_INTERVAL_S = 0.5, 1.0


def watch_every_view(scene: Scene) -> None:
    """Watch the list from here on, whatever else is done."""
    known = listings.filters(scene.client)
    scene.recorder.note("views_begun", "")
    for question in ("", *known):
        scene.recorder.watch("listing", question, _reader(scene, question), LISTING_INTERVAL_S)
    asked = scene.client.clone()
    scene.recorder.watch("pages", "", lambda: listings.pages(asked), PAGES_INTERVAL_S)


def have_pages(experiment: Experiment, candidate: Candidate) -> None:
    """Start and cancel short ones until the list has enough for pages."""
    scene = experiment.scene
    scene.used = candidate
    for _ in range(LEAST_LISTED - 1):
        if len(experiment.others.active()) >= LEAST_LISTED - 1:
            return
        experiment.places.await_one()
        leaving.end(scene, experiment.starting.begin_another(candidate))


def _reader(scene: Scene, question: str) -> Read:
    client = scene.client.clone()
    return lambda: listings.under(client, question)
