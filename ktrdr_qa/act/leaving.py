"""Nothing is left running: this run's backtests are cancelled and seen to end, and so are those of a run that was killed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ktrdr_qa.act.journal import Journal
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.judge import crashes
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Refused, TransportError
from ktrdr_qa.platform.statuses import MISSING, TERMINAL, TURNED_DOWN
from ktrdr_qa.words import cut, plain

LONGEST_NAME = 100
"""So much of an id that stands in a file is shown."""
CLEAN_UP_S, CLEAN_UP_PAUSE_S = 2.0, 0.1
"""How long a backtest that the clean-up cancels may take to end, and how often that is looked at."""


@dataclass(frozen=True)
class NotEnded:
    """Why a backtest could not be ended. ``is_ktrdrs``: it was told to end, and it is KTRDR's failure that it has not."""

    words: str
    is_ktrdrs: bool = False


def cancel_what_still_runs(scene: Scene) -> list[str]:
    """Cancel this run's backtests that have not ended; returns a sentence for each that could not be asked to.

    One that runs on although its cancel was acknowledged is written into the history, for the verdict.
    """
    problems = []
    for backtest in scene.journal.open:
        history = scene.recorder.history()
        if history.event("not_stopped", backtest):
            continue
        seen = history.of("backend", backtest)
        if seen and seen[-1].terminal:
            scene.journal.ended(backtest)
        elif (gone := scene.gone) and not crashes.answers_at_all(history):
            problems.append(f"{backtest} may still run: {gone}; {_by_hand(scene.client, backtest)}")
        else:
            problems += end(scene, backtest)
    return problems


def end(scene: Scene, backtest: str) -> list[str]:
    """Cancel one of the run's backtests; a sentence where it could not be asked to end.

    One that cannot be stopped is held against KTRDR in the recording that started it, and in no later one.
    """
    note = partial(scene.recorder.note, "clean_up", backtest)
    trouble = end_backtest(scene.client, scene.journal, backtest, scene.limits["cancelled_s"], before_the_cancel=note)
    if not trouble and not scene.recorder.history().event("clean_up", backtest):
        # It has ended by itself since it was last read: the recording is to show how.
        scene.read_record(backtest)
    if trouble and trouble.is_ktrdrs and backtest in scene.mine:
        scene.recorder.note("not_stopped", backtest, words=trouble.words)
        return []
    return [f"{backtest} {trouble.words}"] if trouble else []


def end_backtest(
    client: Client,
    journal: Journal,
    backtest: str,
    limit_s: float = CLEAN_UP_S,
    before_the_cancel: Callable[[], object] = lambda: None,
) -> NotEnded | None:
    """Cancel a backtest unless it has ended, and see it end within ``limit_s`` of the answer; None where it is over.

    One whose record cannot be read is told to end all the same.
    """
    by_hand = _by_hand(client, backtest)
    deadline_s = math.inf
    try:
        while (status := _status_if_told(client, backtest, needed=deadline_s < math.inf)) not in TERMINAL | {MISSING}:
            if deadline_s == math.inf:
                before_the_cancel()
                _cancel_whatever_it_says(client, backtest)
                deadline_s = time.monotonic() + limit_s
            elif time.monotonic() >= deadline_s:
                words = f'is still "{status}" {limit_s:.1f} s after its cancel was acknowledged'
                return NotEnded(f"{words}; {by_hand}", is_ktrdrs=True)
            else:
                time.sleep(CLEAN_UP_PAUSE_S)
    except TransportError as error:
        broke = isinstance(error, Refused) and error.status >= 500 and not error.passing
        told = "was told to end, and " if deadline_s < math.inf else ""
        own = broke and error.exchange.method == "DELETE"
        return NotEnded(f"{told}may still run: {error}; {by_hand}", is_ktrdrs=own)
    journal.ended(backtest)
    return None


def _status_if_told(client: Client, backtest: str, *, needed: bool) -> str:
    """The word for its state; nothing where it is not ``needed`` yet, and KTRDR answers what is no record.

    Raises ``TransportError`` where it cannot be had.
    """
    try:
        return readings.status(client, backtest)
    except TransportError as error:
        if needed or error.exchange.status is None:
            raise
        return ""


def end_leftovers(client: Client, journal: Journal, say: Callable[[str], None], shown: Callable[[Path], str]) -> None:
    """Cancel what a killed run left behind on this target; what it left on another one is only told."""
    leftovers = journal.leftovers()
    problems = []
    for leftover in leftovers:
        trouble = end_backtest(client, journal, leftover.backtest)
        problems += [trouble] if trouble else []
        name = plain(cut(leftover.backtest, LONGEST_NAME))
        say(f"left behind by a killed run: {name} {trouble.words if trouble else 'has ended now'}")
    if not problems:
        journal.settle(leftovers)
    for elsewhere in journal.left_elsewhere():
        say(
            f"left behind by a killed run on {elsewhere.base_url}, not on this run's target: "
            f"{plain(cut(elsewhere.backtest, LONGEST_NAME))} (noted in {shown(elsewhere.file)})"
        )
    for file in journal.damaged():
        say(
            f"{shown(file)} cannot be read, and may name a backtest that a killed run left behind: look, then remove it"
        )


def _by_hand(client: Client, backtest: str) -> str:
    return f"cancel it with: curl -X DELETE {client.base_url}{readings.OPERATIONS}/{backtest}"


def _cancel_whatever_it_says(client: Client, backtest: str) -> None:
    """Send a cancel; one that is turned down may mean that it has just ended, which its record will tell."""
    path = f"{readings.OPERATIONS}/{backtest}"
    try:
        client.delete(path, purpose="clean-up", tries=3, patiently=True, json_expected=False)
    except Refused as refused:
        if refused.status not in TURNED_DOWN:
            raise
