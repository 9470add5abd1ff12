"""The witnesses: the worker's own view and health, its processor, and its place in the registry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ktrdr_qa.judge.processor import WITHOUT_A_PAUSE, processor_is_quiet, tells_apart
from ktrdr_qa.judge.worker import names_of, place_is_free, worker_let_go
from ktrdr_qa.record.history import Sample, View
from tests.judging.film import (
    NEXT,
    OTHER,
    B,
    Case,
    Part,
    W,
    cancelled,
    cases,
    did,
    film,
    health,
    lost,
    nearing_its_end,
    registry,
    saw,
    used,
)

CUT = cancelled(10.0, 0.5)
"""Sent at 10.0, answered at 10.5: a limit of 2 s ends at 12.5."""


def view(at_s: float, status: str, percentage: float | None = None, took_s: float = 0.0) -> Sample:
    return saw(at_s, status, percentage, view="worker", took_s=took_s)


def refused(*at_s: float) -> list[Sample]:
    return [lost(at, "nothing listens", of=W, view="health", refused=True) for at in at_s]


def silent(seen_by: View, at_s: float, took_s: float) -> Sample:
    return lost(at_s, of=B if seen_by == "worker" else W, view=seen_by, took_s=took_s)


def counts(at_s: float, **facts: Any) -> Sample:
    """The worker's own record of the cancelled backtest, with what it counts or says."""
    return saw(at_s, "cancelled", view="worker", **facts)


def nameless(at_s: float, seen_by: View = "health") -> Sample:
    """A worker that is busy, and does not say what with."""
    return Sample(seen_by, W, at_s, at_s, "busy", facts={"current_operation": None})


def nameless_to(until_s: float) -> list[Sample]:
    return [nameless(11.0 + n, "registry") for n in range(round(until_s - 11.0) + 1)]


IDLE = health(10.75, None)
KNEW = saw(9.0, "running", view="worker")
FORGOTTEN = (
    "its process was not stopped but ended: it was started anew after the cancel, and has forgotten the backtest"
)
RAN_ANEW = "The worker's process ended after it had stopped the backtest, and ran anew 1.5 s later."
OWN = (did("start_sent", 0.0), health(9.0, "own_1", unlisted=True))
"""What it runs while the backtest runs, by an id that the backend does not have."""
ANOTHER = (
    "what answers at the worker's address did not know of the running backtest, so it is another worker; "
    "say where this one is under [workers] in the target file"
)
DEAD = "its process is gone: it refuses connections since the cancel"


@cases(
    Case(
        "its view says cancelled and its health is idle",
        film(CUT, view(10.75, "cancelled", 0.0), health(11.0, None)),
        "holds",
        "its own view says cancelled, and its health is idle, within 1.00 s of the cancel",
        figures={"worker_idle_s": 1.0},
    ),
    Case(
        "the later of the two counts",
        film(CUT, view(10.75, "cancelled", took_s=0.75), IDLE),
        "holds",
        "its own view says cancelled, and its health is idle, within 1.50 s of the cancel",
        figures={"worker_idle_s": 1.5},
    ),
    Case(
        "it has forgotten the backtest",
        film(CUT, view(10.75, "missing"), IDLE),
        "holds",
        "its own view says forgotten, and its health is idle, within 0.75 s of the cancel",
        figures={"worker_idle_s": 0.75},
    ),
    Case(
        "it is busy with the next one already",
        film(CUT, view(10.75, "cancelled"), health(10.75, NEXT)),
        "holds",
        "its own view says cancelled, and its health is busy, within 0.75 s of the cancel",
        figures={"worker_idle_s": 0.75},
    ),
    Case(
        "both settle within the limit",
        film(CUT, view(10.75, "running", 5.0), health(10.75, B), view(11.5, "cancelled"), health(11.5, None)),
        "holds",
        "its own view says cancelled, and its health is idle, within 1.50 s of the cancel",
        figures={"worker_idle_s": 1.5},
    ),
    Case(
        "asked exactly at the limit is not late",
        film(CUT, view(12.5, "running", 5.0), health(12.5, B), view(13.0, "cancelled"), health(13.0, None)),
        "holds",
        "its own view says cancelled, and its health is idle, within 3.00 s of the cancel",
        figures={"worker_idle_s": 3.0},
    ),
    Case(
        "its view runs on although the backend says cancelled",
        film(CUT, saw(10.75, "cancelled"), IDLE, view(10.75, "running", 5.0), view(12.75, "running", 7.0)),
        "violated",
        'its own view still says "running" at 7.0 % 2.2 s after the cancel',
        12.75,
    ),
    Case(
        "its view says cancelled, and its progress goes on",
        film(CUT, IDLE, view(10.75, "cancelled", 5.0), view(12.75, "cancelled", 7.0), view(13.5, "cancelled", 7.25)),
        "violated",
        'its own view says "cancelled", yet its progress went on, from 7.0 % to 7.2 % 3.0 s after the cancel',
        13.5,
    ),
    Case(
        "its progress may settle until the limit, and fall",
        film(
            CUT,
            IDLE,
            view(10.75, "cancelled", 5.0),
            view(12.5, "cancelled", 7.0),
            view(12.75, "cancelled", 8.0),
            view(13.5, "cancelled", 0.0),
        ),
        "holds",
        "its own view says cancelled, and its health is idle, within 0.75 s of the cancel",
        figures={"worker_idle_s": 0.75},
    ),
    Case(
        "its progress is not told, and stays",
        film(
            CUT,
            IDLE,
            view(10.75, "cancelled"),
            view(12.75, "cancelled", 7.0),
            view(13.0, "cancelled"),
            view(13.5, "cancelled", 7.0),
        ),
        "holds",
        "its own view says cancelled, and its health is idle, within 0.75 s of the cancel",
        figures={"worker_idle_s": 0.75},
    ),
    Case(
        "its view ran on beyond the limit, and ends later",
        film(CUT, IDLE, view(12.75, "running", 7.0), view(13.0, "cancelled")),
        "violated",
        'its own view still says "running" at 7.0 % 2.2 s after the cancel',
        12.75,
    ),
    Case(
        "its health still names the backtest",
        film(CUT, view(10.75, "cancelled"), health(12.75, B), health(13.0, None)),
        "violated",
        "its health still names the backtest 2.2 s after the cancel",
        12.75,
    ),
    Case(
        "no reading of its view",
        film(CUT, IDLE),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
    ),
    Case(
        "no reading of its health",
        film(CUT, view(10.75, "cancelled")),
        "unknown",
        "no reading yet of the worker's health at rest",
    ),
    Case(
        "readings of before the answer to the cancel tell nothing",
        film(CUT, view(10.5, "cancelled"), health(10.5, None)),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
    ),
    Case(
        "nor does a reading of its health asked in that moment",
        film(CUT, view(10.75, "cancelled"), health(10.5, None)),
        "unknown",
        "no reading yet of the worker's health at rest",
    ),
    Case(
        "an answer to a cancel that nobody saw being sent",
        film(did("cancel_answered", 10.5), view(10.75, "cancelled"), IDLE),
        "holds",
        "its own view says cancelled, and its health is idle, within 0.25 s of the cancel",
        figures={"worker_idle_s": 0.25},
    ),
    Case(
        "who never knew of the running backtest is another worker",
        film(CUT, view(9.5, "missing"), view(12.75, "missing"), health(12.75, B)),
        "unknown",
        ANOTHER,
        final=True,
    ),
    Case(
        "who knew of it at least once is its worker",
        film(CUT, view(9.0, "running"), view(9.5, "missing"), view(10.75, "missing"), IDLE),
        "holds",
        "its own view says forgotten, and its health is idle, within 0.75 s of the cancel",
        figures={"worker_idle_s": 0.75},
    ),
    Case(
        "who knew of it until the cancel was sent is its worker",
        film(CUT, view(9.0, "missing"), view(9.5, "running", took_s=0.5), view(10.75, "cancelled"), IDLE),
        "holds",
        "its own view says cancelled, and its health is idle, within 0.75 s of the cancel",
        figures={"worker_idle_s": 0.75},
    ),
    Case(
        "at rest and then not again",
        film(CUT, view(10.75, "cancelled"), view(11.0, "running", 5.0), IDLE),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
        heard=True,
    ),
    Case(
        "at rest, not, and again: the last time counts",
        film(
            CUT, view(10.75, "cancelled"), view(11.0, "running"), view(11.5, "cancelled"), view(12.0, "cancelled"), IDLE
        ),
        "holds",
        "its own view says cancelled, and its health is idle, within 1.50 s of the cancel",
        figures={"worker_idle_s": 1.5},
    ),
    Case(
        "its view was read only long after the limit",
        film(CUT, IDLE, view(15.0, "cancelled")),
        "unknown",
        "no reading between 0.0 s and 4.5 s after the answer to the cancel",
    ),
    Case(
        "its health was read only long after the limit",
        film(CUT, view(10.75, "cancelled"), health(11.0, B), health(15.0, None)),
        "unknown",
        "no reading between 0.5 s and 4.5 s after the answer to the cancel",
    ),
    Case("no cancel was sent", film(view(20.0, "running")), "unknown", "no cancel was answered"),
    Case(
        "while the cancel has no answer, no limit runs",
        film(did("cancel_sent", 10.0), view(12.25, "running", 5.0)),
        "unknown",
        "no cancel was answered",
    ),
    Case(
        "it answered before the cancel and refuses connections since",
        film(CUT, health(9.5, B), refused(11.0, 12.0)),
        "violated",
        DEAD,
        11.0,
    ),
    Case(
        "it answered once after the cancel, then died",
        film(CUT, health(11.0, B), refused(12.0, 13.0)),
        "violated",
        DEAD,
        12.0,
    ),
    Case(
        "it was started again later, which does not mend it",
        film(CUT, health(9.5, B), refused(11.0, 12.0), view(13.0, "missing"), health(13.0, None)),
        "violated",
        DEAD,
        11.0,
    ),
    Case(
        "one refused connection proves nothing",
        film(CUT, health(9.5, B), refused(11.0), view(11.5, "cancelled"), health(11.5, None)),
        "holds",
        "its own view says cancelled, and its health is idle, within 1.50 s of the cancel",
        figures={"worker_idle_s": 1.5},
    ),
    Case(
        "two refused connections that an answer parts prove nothing",
        film(CUT, health(9.5, B), refused(11.0), health(11.25, None), refused(11.5), view(11.5, "cancelled")),
        "holds",
        "its own view says cancelled, and its health is idle, within 1.50 s of the cancel",
        figures={"worker_idle_s": 1.5},
    ),
    Case(
        "slow answers are no refusals",
        film(CUT, health(9.5, B), [lost(11.0, of=W, view="health"), lost(12.0, of=W, view="health")]),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
    ),
    Case(
        "it answered before the cancel, and is silent on every way of asking it",
        film(CUT, health(10.5, None), silent("health", 10.75, 3.0), silent("processor", 11.0, 4.75)),
        "violated",
        "its process does not answer: nothing came for 5.0 s: no answer within 5.0 s",
        10.75,
    ),
    Case(
        "it was silent for as long, and answers again",
        film(CUT, health(10.5, None), silent("worker", 10.75, 3.0), silent("health", 11.0, 4.75), health(16.0, None)),
        "violated",
        "its process does not answer: nothing came for 5.2 s: no answer within 5.0 s",
        10.75,
    ),
    Case(
        "it was silent for less",
        film(CUT, health(10.5, None), silent("health", 10.75, 3.0), silent("processor", 11.0, 4.7)),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
    ),
    Case(
        "one way of asking it is silent, another one answers",
        film(
            CUT,
            health(10.5, None),
            silent("health", 10.75, 5.0),
            silent("health", 15.75, 5.0),
            used(15, 1),
            used(18, 1),
        ),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
    ),
    Case(
        "it gives nothing but broken answers for two seconds",
        film(CUT, health(10.5, None), [lost(at, "HTTP 500: oops", of=W, view="health") for at in (11.0, 12.0, 13.0)]),
        "violated",
        "its process does not answer: nothing came for 2.0 s: HTTP 500: oops",
        11.0,
    ),
    Case(
        "it was silent before the cancel was answered already, for longer than a request may hang",
        film(CUT, health(5.0, None), silent("health", 5.4, 3.0), silent("health", 8.4, 3.0)),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
    ),
    Case(
        "a request that was under way when the cancel was answered may have hung since",
        film(CUT, health(5.0, None), silent("health", 5.5, 3.0), silent("health", 8.5, 3.0)),
        "violated",
        "its process does not answer: nothing came for 6.0 s: no answer within 5.0 s",
        5.5,
    ),
    Case(
        "it was silent before the cancel was answered, and not since",
        film(CUT, health(4.0, B), silent("health", 5.5, 2.0), silent("health", 7.5, 3.0), saw(10.6, "x"), until_s=10.5),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
    ),
    Case(
        "what answers first after the cancel was perhaps never in reach before",
        film(CUT, silent("health", 10.75, 3.0), silent("processor", 11.0, 4.75), health(16.0, None)),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
    ),
    Case(
        "another worker's silence, and another backtest's, are another matter",
        film(
            CUT,
            health(10.5, None),
            [lost(11.0 + n, "HTTP 500", of="worker_2", view="health") for n in range(9)],
            [lost(11.0 + n, "HTTP 500", of=NEXT, view="worker") for n in range(9)],
            [lost(11.0 + n, "HTTP 500", of=W, view="registry") for n in range(9)],
        ),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
    ),
    Case(
        "its process was started anew, twice",
        film(CUT, view(10.75, "cancelled"), IDLE, used(10.5, 9.0), used(11.0, 1.0), used(12.0, 2.0), used(13.0, 0.5)),
        "violated",
        "its process was started anew 2 times after the cancel",
        13.0,
    ),
    Case(
        "its process was ended by force and started anew: it has forgotten the backtest",
        film(CUT, KNEW, IDLE, used(10.5, 9.0), used(11.0, 1.0), view(11.0, "missing"), view(12.0, "cancelled")),
        "violated",
        FORGOTTEN,
        11.0,
    ),
    Case(
        "it knew of it in the moment of the answer, and what is answered first after the fall tells",
        film(
            CUT,
            IDLE,
            view(10.5, "running"),
            used(10.5, 9.0),
            used(11.0, 1.0),
            view(11.0, "cancelled", took_s=0.5),
            view(11.1, "missing"),
        ),
        "violated",
        FORGOTTEN,
        11.0,
    ),
    Case(
        "what was asked before it was started anew tells nothing of it, whenever it is answered",
        film(
            CUT, KNEW, IDLE, used(10.5, 9.0), used(11.0, 1.0), view(10.9, "running", took_s=0.5), view(11.2, "missing")
        ),
        "violated",
        FORGOTTEN,
        11.0,
    ),
    *(
        Case(
            words,
            film(CUT, IDLE, used(10.5, 9.0), used(11.0, 1.0), views),
            "holds",
            f"its own view says {state}, and its health is idle, within {idle_s} s of the cancel",
            figures={"worker_idle_s": float(idle_s)},
        )
        for words, views, state, idle_s in (
            ("it never knew of it", view(11.0, "missing"), "forgotten", "1.00"),
            ("it had stopped it first", [KNEW, view(10.75, "cancelled"), view(12.0, "missing")], "cancelled", "0.75"),
            ("it still knows of it", [KNEW, view(11.0, "cancelled"), view(12.0, "missing")], "cancelled", "1.00"),
        )
    ),
    Case(
        "once may be a deployment's own doing",
        film(CUT, view(10.75, "cancelled"), IDLE, used(10.5, 9.0), used(11.0, 1.0), used(12.0, 1.0)),
        "holds",
        "its own view says cancelled, and its health is idle, within 0.75 s of the cancel",
        figures={"worker_idle_s": 0.75},
    ),
    Case(
        "what was started anew before the answer to the cancel is no matter",
        film(CUT, view(10.75, "cancelled"), IDLE, used(9.0, 9.0), used(10.5, 1.0), used(12.0, 0.5), used(13.0, 0.5)),
        "holds",
        "its own view says cancelled, and its health is idle, within 0.75 s of the cancel",
        figures={"worker_idle_s": 0.75},
    ),
    Case(
        "a worker that never answered may have been out of reach all along",
        film(CUT, refused(9.0, 11.0, 12.0, 13.0)),
        "unknown",
        "the worker could not be asked",
    ),
    Case(
        "refusals from before the cancel's answer are no consequence of it",
        film(CUT, health(9.0, B), refused(9.5, 10.5, 11.0), health(11.25, None), view(10.75, "cancelled")),
        "holds",
        "its own view says cancelled, and its health is idle, within 1.25 s of the cancel",
        figures={"worker_idle_s": 1.25},
    ),
    Case(
        "its own view says completed, where its own pace left clearly more than the limit",
        film(CUT, nearing_its_end(3.5), saw(10.6, "cancelled"), IDLE, view(10.75, "completed", 100.0, took_s=0.25)),
        "violated",
        'its own view says "completed", seen 1.00 s after the cancel: it computed on to its end, although '
        "it was sent at 55.0 %, when about 3.5 s were left at its own pace",
        11.0,
    ),
    Case(
        "its own view says completed, and it was about to be",
        film(CUT, nearing_its_end(3.25), saw(10.6, "cancelled"), IDLE, view(10.75, "completed", 100.0)),
        "unknown",
        "it was completed 0.75 s after the cancel, too close to its own end to tell: "
        "it was sent at 57.5 %, when about 3.2 s were left at its own pace",
        final=True,
    ),
    Case(
        "its own view says completed later, after it said cancelled",
        film(CUT, nearing_its_end(3.5), IDLE, view(10.75, "cancelled"), view(14.0, "completed", 100.0)),
        "violated",
        'its own view says "completed", seen 4.00 s after the cancel: it computed on to its end, although '
        "it was sent at 55.0 %, when about 3.5 s were left at its own pace",
        14.0,
    ),
    Case(
        "its pace was not seen, and its own view ran on beyond the limit to completed",
        film(CUT, IDLE, view(12.5, "running"), view(12.75, "running"), view(13.5, "completed")),
        "violated",
        'its own view says "completed", seen 3.50 s after the cancel: it computed on to its end, although '
        "it was still running 2.2 s after the cancel was answered",
        13.5,
    ),
    Case(
        "it was about to be, but ran on beyond the limit",
        film(CUT, nearing_its_end(3.25), IDLE, view(12.75, "running", 90.0), view(13.5, "completed", 100.0)),
        "violated",
        'its own view still says "running" at 90.0 % 2.2 s after the cancel',
        12.75,
    ),
    Case(
        "its pace was not seen, and its own view was running in the moment in which it was completed",
        film(CUT, IDLE, view(12.75, "running", took_s=0.75), view(13.5, "completed")),
        "violated",
        'its own view says "completed", seen 3.50 s after the cancel: it computed on to its end, although '
        "it was still running 2.2 s after the cancel was answered",
        13.5,
    ),
    Case(
        "its pace was not seen, and its own view was running up to the limit",
        film(
            *(CUT, IDLE, saw(12.75, "running"), view(12.5, "running"), view(14, "cancelled")),
            saw(13.5, "completed", view="worker", has_result=True),
        ),
        "unknown",
        "it was completed 3.50 s after the cancel, too close to its own end to tell: "
        "its pace was not seen before the cancel",
        final=True,
    ),
    Case(
        "at rest before it would have ended by itself",
        film(CUT, nearing_its_end(1.0), view(10.75, "cancelled"), health(11.0, None)),
        "holds",
        "its own view says cancelled, and its health is idle, within 1.00 s of the cancel",
        figures={"worker_idle_s": 1.0},
    ),
    *(
        Case(
            f"its {late} at rest only after it would have ended by itself",
            film(CUT, nearing_its_end(1.0), parts),
            "unknown",
            "it would have ended by itself before enough was read: as to the cancel, "
            "it was sent at 80.0 %, when about 1.0 s were left at its own pace",
            final=True,
        )
        for late, parts in {
            "view": (view(10.75, "running"), view(11.1, "cancelled"), IDLE),
            "health": (view(10.75, "cancelled"), health(10.75, B), health(11.1, None)),
        }.items()
    ),
    Case(
        "its health names the backtest by an id of the worker's own",
        film(CUT, OWN, view(10.75, "cancelled"), health(12.75, "own_1", unlisted=True)),
        "violated",
        "its health still names the backtest 2.2 s after the cancel",
        12.75,
    ),
    Case(
        "its health named it so, and does not any more",
        film(CUT, OWN, view(9.5, "missing"), view(10.75, "missing"), IDLE, worker=W),
        "holds",
        "its own view says forgotten, and its health is idle, within 0.75 s of the cancel",
        figures={"worker_idle_s": 0.75},
    ),
    Case(
        "still busy with the worker's own id is not at rest",
        film(CUT, OWN, view(10.75, "cancelled"), health(12.25, "own_1", unlisted=True)),
        "unknown",
        "no reading yet of the worker's health at rest",
    ),
    *(
        Case(
            f"its own record of the cancelled backtest {words}",
            film(CUT, IDLE, parts),
            "violated",
            f'its own view says "cancelled", yet {seen} after the cancel',
            at_s,
        )
        for words, parts, seen, at_s in (
            (
                "counts on",
                [view(11.0, "cancelled"), counts(12.75, items_processed=7), counts(13.75, items_processed=9)],
                "it counts on, from 7 to 9 items, 3.2 s",
                13.75,
            ),
            (
                "goes through its steps",
                [counts(12.75 + n, current_step=step) for n, step in enumerate("abc")],
                'its current step goes on, from "a" to "c" by 4.2 s',
                14.75,
            ),
        )
    ),
    Case(
        "its own record has a result of the cancelled backtest",
        film(CUT, IDLE, view(11.0, "cancelled"), counts(11.5, has_result=True)),
        "violated",
        'its own view says "cancelled", yet carries a result summary as if it had completed',
        11.5,
    ),
    Case(
        "what its own record says within the limit may be about the end itself",
        film(CUT, IDLE, counts(12.5, items_processed=7), counts(13.0, items_processed=9)),
        "holds",
        "its own view says cancelled, and its health is idle, within 2.50 s of the cancel",
        figures={"worker_idle_s": 2.5},
    ),
    Case(
        "it refused a connection, and was started anew, with its record",
        film(
            CUT,
            KNEW,
            view(10.75, "cancelled"),
            used(10.75, 9.0),
            refused(11.5),
            used(12.0, 0.5),
            view(12.0, "cancelled"),
            health(12.5, None),
        ),
        "holds",
        "its own view says cancelled, and its health is idle, within 2.50 s of the cancel",
        observations=(RAN_ANEW,),
        figures={"worker_idle_s": 2.5},
    ),
    *(
        Case(
            f"it refused a connection {words}, and was started anew",
            film(
                *(CUT, KNEW, view(10.25, "cancelled"), used(10.25, 9.0), gap, used(12.0, 0.5), view(12.0, "cancelled")),
                health(12.5, None),
            ),
            "holds",
            "its own view says cancelled, and its health is idle, within 2.50 s of the cancel",
            observations=(RAN_ANEW,),
            figures={"worker_idle_s": 2.5},
        )
        for words, gap in (
            ("in the moment in which the cancel was answered", refused(10.5)),
            ("in the moment in which it was read again", refused(12.0)),
            ("when its processor was asked", lost(11.5, of=W, view="processor", refused=True)),
        )
    ),
    Case(
        "it refused a connection and went on, or was started anew after that had been told",
        film(CUT, KNEW, view(10.75, "cancelled"), used(10.75, 9.0), refused(11.5), used(12.0, 9.0), health(12.5, None)),
        "holds",
        "its own view says cancelled, and its health is idle, within 2.50 s of the cancel",
        figures={"worker_idle_s": 2.5},
    ),
    Case(
        "what refused a connection before the cancel, or after it was started anew, or is another's",
        film(
            *(CUT, KNEW, refused(9.75), view(10.75, "cancelled"), used(10.75, 9.0), used(12.0, 0.5), refused(12.25)),
            lost(11.5, of="worker_2", view="health", refused=True),
            health(12.5, None),
        ),
        "holds",
        "its own view says cancelled, and its health is idle, within 2.50 s of the cancel",
        figures={"worker_idle_s": 2.5},
    ),
    *(
        Case(
            f"its health is busy with nothing that it names, {words}",
            film(CUT, view(10.75, "cancelled"), readings),
            "unknown",
            "its health calls it busy to the end, and does not say what with"
            if heard
            else "no reading yet of the worker's health at rest",
            heard=heard,
        )
        for words, readings, heard in (
            ("where it had named the backtest", (health(9.0, B), nameless(11.0), nameless(12.0)), True),
            ("where it never names anything", (health(9.0, None), nameless(11.0), nameless(12.0)), False),
            ("in one reading", (health(9.0, B), nameless(12.0)), False),
            ("after it was idle", (health(9.0, B), health(10.75, None), nameless(11.0), nameless(12.0)), True),
        )
    ),
    Case(
        "its own view runs on to the end of a short recording",
        film(CUT, IDLE, view(10.75, "running", 3.0), view(12.25, "running", 4.0)),
        "unknown",
        "no reading yet of the worker's view of the backtest at rest",
        heard=True,
    ),
    Case(
        "another worker's death is another matter",
        film(
            CUT,
            health(9.5, None, "worker_2"),
            [lost(at, of="worker_2", view="health", refused=True) for at in (11, 12)],
        ),
        "unknown",
        "the worker could not be asked",
    ),
)
def test_worker_let_go(case: Case) -> None:
    case.check(
        worker_let_go(case.history, W, B, 2.0),
        "worker stopped",
        "the worker worker_1 has stopped the backtest within 2.0 s of the cancel",
    )


STARTED_AT = "2026-11-22T18:52:36Z"


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ([health(9.0, "own_1", unlisted=True)], {B, "own_1"}),
        ([health(10.0, "own_1", unlisted=True)], {B, "own_1"}),
        ([health(10.1, "own_1", unlisted=True)], {B}),
        ([health(1.0, "own_1", unlisted=True)], {B, "own_1"}),
        ([health(0.9, "own_1", unlisted=True)], {B}),
        ([health(9.0, "own_1")], {B}),
        ([health(9.0, None, unlisted=True)], {B}),
        ([health(9.0, "own_1", "worker_2", unlisted=True)], {B}),
        ([saw(9.0, "busy", of=W, view="registry", current_operation="own_1", unlisted=True)], {B}),
        ([health(12.0, "own_1", unlisted=True, began_at="2026-11-22T18:52:38Z")], {B, "own_1"}),
        ([health(12.0, "own_1", unlisted=True, began_at="2026-11-22T18:52:34Z")], {B, "own_1"}),
        ([health(9.0, "own_1", unlisted=True, began_at="2026-11-22T18:52:38.1Z")], {B}),
        ([health(9.0, "own_1", unlisted=True, began_at="2026-11-22T18:52:33.9Z")], {B}),
        ([health(9.0, "own_1", unlisted=True, began_at="soon")], {B, "own_1"}),
        ([health(0.9, "own_1", unlisted=True, began_at=STARTED_AT)], {B}),
        ([health(9.0, "own_1", unlisted=True), health(9.5, "own_2", unlisted=True)], {B, "own_1", "own_2"}),
        ([health(8.0, B), health(9.0, "own_1", unlisted=True)], {B, "own_1"}),
    ],
    ids=[
        "while it runs",
        "in the moment of the cancel",
        "after the cancel: it may be anything",
        "in the moment of the start",
        "before the start",
        "the backend has it: it is another one",
        "nothing is none",
        "another worker",
        "the registry tells no id of the worker's own",
        "begun two seconds after it",
        "begun two seconds before it",
        "begun later than that",
        "begun earlier than that",
        "its beginning is no time",
        "begun with it, but seen before the start",
        "two of them",
        "after it was known by its own",
    ],
)
def test_the_worker_may_know_the_backtest_by_an_id_of_its_own(parts: list[Sample], names: set[str]) -> None:
    began = (saw(2.0, "pending"), saw(3.0, "running", started_at=STARTED_AT))
    history = film(did("start_sent", 1.0), cancelled(10.0, 0.5), began, parts)
    assert names_of(history, W, B) == names


def test_without_its_beginning_the_backtest_is_known_by_what_ran_before_the_cancel() -> None:
    late = health(12.0, "own_1", unlisted=True, began_at=STARTED_AT)
    assert names_of(film(did("start_sent", 1.0), CUT, late), W, B) == {B}
    assert names_of(film(CUT, health(9.0, "own_1", unlisted=True)), W, B) == {B}, "it was not started"
    running = film(did("start_sent", 1.0), health(9.0, "own_1", unlisted=True))
    assert names_of(running, W, B) == {B, "own_1"}, "no cancel was sent yet"


@cases(
    Case(
        "free at the first reading",
        film(CUT, registry(11.0, None)),
        "holds",
        "it was available within 0.50 s of the answer to the cancel",
        figures={"place_free_s": 0.5},
    ),
    Case(
        "the lag of the registry is told as an observation",
        film(CUT, registry(11.0, B), registry(12.0, B), registry(13.0, None)),
        "holds",
        "it was available within 2.50 s of the answer to the cancel",
        observations=("The registry freed the worker 2.5 s after the cancel was answered.",),
        figures={"place_free_s": 2.5},
    ),
    Case(
        "a lag of little more than a second is told as well",
        film(CUT, registry(11.0, B), registry(12.0, None)),
        "holds",
        "it was available within 1.50 s of the answer to the cancel",
        observations=("The registry freed the worker 1.5 s after the cancel was answered.",),
        figures={"place_free_s": 1.5},
    ),
    Case(
        "a lag of a second is none",
        film(CUT, registry(11.0, B), registry(11.5, None)),
        "holds",
        "it was available within 1.00 s of the answer to the cancel",
        figures={"place_free_s": 1.0},
    ),
    Case(
        "taken by the next one",
        film(CUT, registry(11.0, NEXT)),
        "holds",
        "it was busy within 0.50 s of the answer to the cancel",
        figures={"place_free_s": 0.5},
    ),
    Case("not freed yet", film(CUT, registry(25.5, B)), "unknown", "the registry has not freed it yet"),
    *(
        Case(
            f"not freed after the limit, as it is busy with nothing that is named, {words}",
            film(CUT, readings),
            "unknown",
            "the registry calls it busy to the end, and does not say what with"
            if heard
            else "the registry has not freed it yet",
            heard=heard,
        )
        for words, readings, heard in (
            ("where it had named the backtest", (registry(9.0, B), *nameless_to(27.0)), True),
            ("where it never names anything", nameless_to(27.0), False),
            ("in one late reading", (registry(9.0, B), *nameless_to(26.0)), False),
            ("and in one at the limit", (registry(9.0, B), *nameless_to(26.0), nameless(25.5, "registry")), False),
        )
    ),
    Case(
        "not freed a hair after the limit",
        film(CUT, registry(25.51, B)),
        "violated",
        "it is still busy with the cancelled backtest 15.0 s later",
        25.51,
    ),
    Case(
        "freed too late stays too late",
        film(CUT, registry(26.0, B), registry(26.5, None)),
        "violated",
        "it is still busy with the cancelled backtest 15.5 s later",
        26.0,
    ),
    Case(
        "not registered any more",
        film(CUT, registry(11.0, None, "missing"), registry(26.0, None, "missing")),
        "violated",
        "the worker is no longer registered 15.5 s later",
        26.0,
    ),
    Case(
        "not registered for a while is not free",
        film(CUT, registry(11.0, None, "missing"), until_s=12.0),
        "unknown",
        "the registry has not freed it yet",
    ),
    Case(
        "readings of before the answer to the cancel tell nothing",
        film(CUT, registry(10.5, None)),
        "unknown",
        "the registry has not freed it yet",
    ),
    Case(
        "read only long after the limit",
        film(CUT, registry(11.0, B), registry(30.0, None)),
        "unknown",
        "no reading between 0.5 s and 19.5 s after the answer to the cancel",
    ),
    Case(
        "first seen free after the limit, a second after the last look",
        film(CUT, registry(25.0, B), registry(26.0, None), registry(27.0, None)),
        "holds",
        "it was available within 15.50 s of the answer to the cancel",
        observations=("The registry freed the worker 15.5 s after the cancel was answered.",),
        figures={"place_free_s": 15.5},
    ),
    Case("no cancel was sent", film(registry(20.0, None)), "unknown", "no cancel was answered"),
    Case(
        "taken out of service by the cancel",
        film(CUT, registry(11.0, None, "temporarily_unavailable"), registry(26.0, None, "temporarily_unavailable")),
        "violated",
        "it is temporarily_unavailable 15.5 s later, and was not free before",
        26.0,
    ),
    Case(
        "in a state of which nobody has heard",
        film(CUT, registry(11.0, None, "draining"), registry(26.0, None, "draining")),
        "violated",
        "it is draining 15.5 s later, and was not free before",
        26.0,
    ),
    Case(
        "in such a state so far",
        film(CUT, registry(11.0, None, "draining"), registry(12.0, None, "draining")),
        "unknown",
        "the registry has not freed it yet",
    ),
    Case(
        "free by a word of this registry's own",
        film(CUT, registry(5.0, None, "waiting"), registry(11.0, None, "waiting"), registry(12.0, None, "waiting")),
        "holds",
        "it was waiting within 0.50 s of the answer to the cancel",
        figures={"place_free_s": 0.5},
    ),
    Case(
        "free by a word that it had in the moment of the answer",
        film(CUT, registry(10.5, None, "waiting"), registry(11.0, None, "waiting"), registry(12.0, None, "waiting")),
        "holds",
        "it was waiting within 0.50 s of the answer to the cancel",
        figures={"place_free_s": 0.5},
    ),
    *(
        Case(
            f"{word} without a word of what with, before the cancel and after it",
            film(CUT, registry(5.0, None, word), registry(11.0, None, word), registry(12.0, None, word)),
            "unknown",
            "the registry has not freed it yet",
        )
        for word in ("busy", "missing", "offline")
    ),
    Case(
        "a word of before the cancel is none for a free worker where it had work, or is none at all",
        film(
            *(CUT, registry(5.0, B, "draining"), registry(5.5, None, "busy")),
            *(registry(11.0, None, "draining"), registry(26.0, None, "draining")),
        ),
        "violated",
        "it is draining 15.5 s later, and was not free before",
        26.0,
    ),
    *(
        Case(
            f"free, called {word}",
            film(CUT, registry(11.0, None, word), registry(12.0, None, word)),
            "holds",
            f"it was {word} within 0.50 s of the answer to the cancel",
            figures={"place_free_s": 0.5},
        )
        for word in ("idle", "ready", "free", "online", "healthy", "active", "no status (None)")
    ),
    Case(
        "in such a state with other work",
        film(CUT, registry(11.0, "op_7", "draining"), registry(12.0, "op_7", "draining")),
        "holds",
        "it was draining within 0.50 s of the answer to the cancel",
        figures={"place_free_s": 0.5},
    ),
    Case(
        "out of service after it was free",
        film(CUT, registry(11.0, None), registry(26.0, None, "temporarily_unavailable")),
        "unknown",
        "the registry has not freed it yet",
    ),
    Case(
        "out of service after it was free, then back with the cancelled backtest",
        film(CUT, registry(11.0, None), registry(26.0, None, "temporarily_unavailable"), registry(27.0, B)),
        "violated",
        "it is still busy with the cancelled backtest 16.5 s later",
        27.0,
    ),
    Case(
        "busy without a word of what with",
        film(CUT, registry(11.0, None, "busy"), registry(26.0, None, "busy")),
        "unknown",
        "the registry has not freed it yet",
    ),
    Case(
        "busy without a word of what with, though its own health is idle",
        film(
            CUT,
            [saw(12.0, "completed", of=NEXT, worker="worker_2"), saw(9.0, "running", worker=W)],
            [registry(11.0, None, "busy"), registry(26.0, None, "busy"), health(10.6, B), health(25.0, None)],
        ),
        "violated",
        "it is busy 15.5 s later, while its own health is idle, and no other work was seen there",
        26.0,
    ),
    Case(
        "busy without a word of what with, and its health had the backtest under an id of its own",
        film(
            did("start_sent", 1.0),
            CUT,
            health(9.0, "own_1", unlisted=True),
            health(10.6, "own_1", unlisted=True),
            health(25.0, None),
            registry(26.0, None, "busy"),
        ),
        "violated",
        "it is busy 15.5 s later, while its own health is idle, and no other work was seen there",
        26.0,
    ),
    Case(
        "busy without a word of what with, and its health has the backtest still, under an id of its own",
        film(
            did("start_sent", 1.0),
            CUT,
            health(9.0, "own_1", unlisted=True),
            health(25.0, "own_1", unlisted=True),
            registry(26.0, None, "busy"),
        ),
        "unknown",
        "the registry has not freed it yet",
    ),
    *(
        Case(
            f"busy without a word of what with, and other work was there {words}",
            film(
                CUT,
                [registry(at, None, "busy") for at in (11.0, until_s)],
                health(10.6, B),
                health(until_s - 1, None),
                work,
            ),
            "violated" if for_s else "unknown",
            f"it is busy {until_s - 10.5:.1f} s later, while its own health is idle, and no other work was seen there "
            f"for {for_s} s"
            if for_s
            else "the registry has not freed it yet",
            until_s if for_s else None,
        )
        for words, work, until_s, for_s in (
            ("a while ago", saw(12.0, "completed", of=NEXT, worker=W), 28.0, 16),
            ("until the limit", saw(12.0, "completed", of=NEXT, worker=W), 27.0, None),
            ("and had ended", [saw(at, "completed", of=NEXT, worker=W) for at in (12.0, 20.0)], 28.0, 16),
            ("a little longer", [saw(at, "running", of=NEXT, worker=W) for at in (12.0, 13.5)], 28.0, None),
            ("and is again", [saw(at, "running", of=NEXT, worker=W) for at in (12.0, 28.0)], 28.0, None),
            ("by its health", (saw(12.0, "completed", of=NEXT, worker=W), health(14.0, OTHER)), 28.0, None),
            ("by its health, a while ago", (saw(12.0, "completed", of=NEXT, worker=W), health(14.0, OTHER)), 30.0, 16),
            ("or could not be asked", lost(14.0, of=W, view="health"), 28.0, None),
        )
    ),
    Case(
        "busy so within the limit",
        film(CUT, registry(25.5, None, "busy"), health(25.0, None)),
        "unknown",
        "the registry has not freed it yet",
    ),
    Case(
        "out of service after it was free, though its own health is idle",
        film(CUT, registry(11.0, None), registry(26.0, None, "temporarily_unavailable"), health(26.0, None)),
        "violated",
        "it is temporarily_unavailable 15.5 s later, while its own health is idle, and no other work was seen there",
        26.0,
    ),
    *(
        Case(
            f"{words}: that may be why",
            film(CUT, registry(26.0, None, "busy"), told, registry(11.0, None, "busy")),
            "unknown",
            "the registry has not freed it yet",
        )
        for words, told in (
            ("its health was idle before the answer only", health(10.5, None)),
            ("its health was idle after that only", health(26.1, None)),
            ("another's health was idle", health(25.0, None, "worker_2")),
            ("its health has the backtest itself", [health(24.0, None), health(25.0, B)]),
            ("its health had other work", [health(24.0, OTHER), health(25.0, None)]),
            ("another's record names it", [saw(12.0, "completed", of=NEXT, worker=W), health(25.0, None)]),
            ("its health was lost once", [lost(12.0, of=W, view="health"), health(25.0, None)]),
            ("its health does not say what it is busy with", saw(25.0, "busy", of=W, view="health")),
        )
    ),
    Case(
        "busy without a word of what with, and so is its own health, which named the backtest",
        film(CUT, health(9.0, B), registry(26.0, None, "busy"), saw(25.0, "busy", of=W, view="health")),
        "violated",
        "it is busy 15.5 s later, and its own health busy with nothing that either names",
        26.0,
    ),
    Case(
        "another worker is busy with the cancelled backtest",
        film(CUT, registry(11.0, None), registry(25.5, B, worker="worker_2")),
        "unknown",
        "the worker worker_2 is busy with the cancelled backtest",
        heard=True,
    ),
    Case(
        "another worker is busy with the cancelled backtest still",
        film(CUT, registry(11.0, None), registry(11.0, B, worker="worker_2"), registry(25.6, B, worker="worker_2")),
        "violated",
        "the worker worker_2 is busy with the cancelled backtest 15.1 s later",
        25.6,
    ),
    *(
        Case(
            f"another worker was busy with it {words}",
            film(CUT, registry(11.0, None), [registry(at_s, has, worker="worker_2") for at_s, has in told]),
            "holds",
            "it was available within 0.50 s of the answer to the cancel",
            figures={"place_free_s": 0.5},
        )
        for words, told in (
            ("for a while", ((12.0, B), (25.6, None))),
            ("before, under the same address", ((10.5, B), (25.6, B))),
        )
    ),
    Case(
        "free, and taken again by the cancelled backtest",
        film(CUT, registry(11.0, None), registry(13.0, B), registry(14.0, B), registry(15.0, B)),
        "violated",
        "it was free, and is busy with the cancelled backtest again 4.5 s later",
        15.0,
    ),
    Case(
        "free, and taken again for less: a replica that lags",
        film(CUT, registry(11.0, None), registry(13.0, B), registry(14.99, B), registry(15.5, None)),
        "holds",
        "it was available within 5.00 s of the answer to the cancel",
        observations=("The registry freed the worker 5.0 s after the cancel was answered.",),
        figures={"place_free_s": 5.0},
    ),
    Case(
        "now and then a view that lags",
        film(CUT, [registry(11.0 + n, B if n % 2 else None) for n in range(9)]),
        "holds",
        "it was available within 8.50 s of the answer to the cancel",
        observations=("The registry freed the worker 8.5 s after the cancel was answered.",),
        figures={"place_free_s": 8.5},
    ),
    Case(
        "free, and then no longer registered",
        film(CUT, registry(11.0, None), [registry(at, None, "missing") for at in (12.0, 13.0, 14.0)]),
        "violated",
        "the worker is no longer registered 3.5 s later",
        14.0,
    ),
    Case(
        "free, and then no longer registered so far",
        film(CUT, registry(11.0, None), [registry(at, None, "missing") for at in (12.0, 13.0, 13.9)]),
        "unknown",
        "the registry has not freed it yet",
    ),
)
def test_place_is_free(case: Case) -> None:
    case.check(
        place_is_free(case.history, W, B, 15.0),
        "place free",
        "KTRDR counts the worker worker_1 as free again within 15.0 s of the cancel",
    )


# --- the processor -----------------------------------------------------------------------------------------------

BEGAN = (did("start_sent", 2.0), did("start_answered", 2.25))
RESTING = (used(0.0, 1.0), used(1.0, 1.03125))
"""Idle: 0.03 cores."""
WORKING = (used(3.0, 1.5), used(9.0, 6.0))
"""Running: 0.75 cores. Whatever it was, up to 0.13 cores (0.10 above idle) count as quiet afterwards."""
BEFORE = (BEGAN, RESTING, WORKING, CUT)
COMPARED = "(idle before 0.03, the backtest 0.75)"
FIGURES = {"idle_cores": 0.03125, "busy_cores": 0.75, "allowed_cores": 0.13125}


def rate(cores: float, from_s: float, to_s: float, step_s: float = 0.5, base_s: float = 7.0) -> list[Sample]:
    """Readings of a processor in steady use."""
    count = round((to_s - from_s) / step_s)
    return [used(from_s + step_s * n, base_s + cores * step_s * n) for n in range(count + 1)]


def paused(*used_s: float) -> list[Sample]:
    """Readings every half a second from the limit on, with the processor time between each and the one before it."""
    return [used(12.5 + 0.5 * n, 7.0 + sum(used_s[:n])) for n in range(len(used_s) + 1)]


def at_rest(from_s: float, to_s: float, operation: str | None = None) -> list[Sample]:
    """Readings of the health of a worker that has nothing else to do, every second."""
    return [health(from_s + n, operation) for n in range(round(to_s - from_s) + 1)]


@cases(
    Case(
        "quiet from the answer to the cancel on",
        film(BEFORE, rate(0.0, 10.5, 12.0)),
        "holds",
        f"it used 0.00 cores over 1.5 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.0},
    ),
    Case(
        "quiet within the limit, after it was busy for a while",
        film(BEFORE, rate(0.8, 10.5, 12.0), rate(0.03125, 12.5, 13.5, base_s=8.2)),
        "holds",
        f"it used 0.02 cores over 1.5 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.03125 / 1.5},
    ),
    Case(
        "a ghost computes on at the old pace",
        film(BEFORE, rate(0.75, 10.5, 14.0)),
        "violated",
        f"it used 0.75 cores over 1.0 s {COMPARED}: something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "after_cores": 0.75},
    ),
    Case(
        "a ghost burns a whole core",
        film(BEFORE, rate(1.0, 10.5, 13.5)),
        "violated",
        f"it used 1.00 cores over 1.0 s {COMPARED}: something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "after_cores": 1.0},
    ),
    Case(
        "a ghost that stops later has computed on all the same",
        film(BEFORE, rate(1.0, 10.5, 14.5), rate(0.0, 15.0, 20.0, base_s=11.0)),
        "violated",
        f"it used 1.00 cores over 1.0 s {COMPARED}: something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "after_cores": 1.0},
    ),
    Case(
        "watched beyond the limit for less than a second is too short to call it busy",
        film(BEFORE, rate(1.0, 10.5, 13.25, 0.25)),
        "unknown",
        f"it used 1.00 cores over 0.8 s {COMPARED}, not yet quiet for long enough to tell",
        figures={**FIGURES, "after_cores": 1.0},
        heard=True,
    ),
    Case(
        "what ends soon after the limit was late as well",
        film(BEFORE, rate(0.75, 10.5, 13.0), rate(0.0, 13.5, 16.0, base_s=8.875)),
        "violated",
        f"it used 0.75 cores over 2.5 s {COMPARED} after the cancel, without a pause: it computed on beyond the limit",
        at_s=12.5,
        figures={**FIGURES, "after_cores": 0.75},
    ),
    Case(
        "of two readings before and after the limit what it can have used before it does not count",
        film(BEFORE, rate(0.75, 10.75, 12.25), used(12.75, 8.375), rate(0.0, 13.25, 16.25, base_s=8.375)),
        "holds",
        f"it used 0.06 cores over 4.0 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.0625},
    ),
    *(
        Case(
            f"what computes until after the limit {words}",
            film(BEFORE, readings, rate(0.0, 14.0, 16.0, base_s=(last := readings[-1].cpu_s or 0.0))),
            "violated",
            f"it used {cores:.2f} cores over {span_s:.1f} s {COMPARED} {WITHOUT_A_PAUSE}",
            at_s=12.5,
            figures={**FIGURES, "after_cores": cores},
        )
        for words, readings, cores, span_s in (
            ("by what is beyond it of two readings around it", rate(0.75, 10.75, 12.75), 0.75, 2.0),
            (
                "by the sum of two readings",
                [*rate(0.75, 10.5, 12.5), used(12.9375, 8.625), used(13.375, 8.75)],
                0.608696,
                2.9,
            ),
        )
    ),
    Case(
        "what is within what is allowed, and a little beyond the limit",
        film(BEFORE, rate(0.75, 10.5, 12.5), used(13.0, 8.609375), rate(0.0, 13.5, 16.0, base_s=8.609375)),
        "holds",
        f"it used 0.12 cores over 4.0 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.12109375},
    ),
    *(
        Case(
            f"what computes until after the limit, {words}",
            film(BEFORE, rate(0.75, 10.5, 13.0), rate(0.0, 13.5, 17.0, base_s=8.875), health_of_it),
            verdict_,
            seen,
            at_s,
            figures={**FIGURES, "after_cores": cores},
        )
        for words, health_of_it, verdict_, seen, at_s, cores in (
            (
                "where its health was not read after it",
                health(10.75, None),
                "holds",
                f"it used 0.08 cores over 4.5 s {COMPARED}",
                None,
                0.375 / 4.5,
            ),
            (
                "where its health named the backtest, and nothing later",
                (health(10.75, B), at_rest(11.75, 17.75)),
                "violated",
                f"it used 0.75 cores over 2.5 s {COMPARED} {WITHOUT_A_PAUSE}",
                12.5,
                0.75,
            ),
        )
    ),
    Case(
        "what had paused before is a busy moment",
        film(
            BEFORE,
            used(10.5, 7.0),
            used(11.5, 7.75),
            used(12.0, 7.75),
            rate(0.75, 12.5, 13.0, base_s=7.75),
            rate(0.0, 13.5, 16.0, base_s=8.125),
        ),
        "holds",
        f"it used 0.08 cores over 4.5 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.375 / 4.5},
    ),
    Case(
        "what was watched from a second after the cancel on did not pause",
        film(BEFORE, rate(0.75, 11.5, 13.0), rate(0.0, 13.5, 16.0, base_s=8.125)),
        "violated",
        f"it used 0.75 cores over 1.5 s {COMPARED} {WITHOUT_A_PAUSE}",
        at_s=12.5,
        figures={**FIGURES, "after_cores": 0.75},
    ),
    Case(
        "what was not watched from the cancel on may have paused",
        film(BEFORE, rate(0.75, 11.75, 13.0), rate(0.0, 13.5, 16.0, base_s=9.0)),
        "holds",
        f"it used 0.00 cores over 2.5 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.0},
    ),
    Case(
        "watched for less than a second is too short to call it quiet",
        film(BEFORE, rate(0.0, 10.5, 11.0)),
        "unknown",
        f"it used 0.00 cores over 0.5 s {COMPARED}, not yet quiet for long enough to tell",
        figures={**FIGURES, "after_cores": 0.0},
    ),
    Case(
        "one reading afterwards tells nothing",
        film(BEFORE, rate(0.0, 10.5, 10.5)),
        "unknown",
        "its processor time was not read after the cancel while the worker had nothing else to do",
        figures=FIGURES,
    ),
    Case(
        "no reading afterwards tells nothing",
        film(BEFORE, rate(0.0, 10.25, 10.25)),
        "unknown",
        "its processor time was not read after the cancel while the worker had nothing else to do",
        figures=FIGURES,
    ),
    Case(
        "a backtest that used next to nothing proves nothing by being quiet",
        film(BEGAN, RESTING, used(3.0, 1.5), used(9.0, 2.5), CUT, rate(0.0, 10.5, 14.0)),
        "unknown",
        "it used 0.00 cores over 3.5 s (idle before 0.03, the backtest 0.17): "
        "the backtest used too little to tell a stopped one from a running one",
        figures={**FIGURES, "busy_cores": 1 / 6, "after_cores": 0.0},
        final=True,
    ),
    Case(
        "what it used was never read",
        film(BEGAN, RESTING, CUT, rate(0.0, 10.5, 13.5)),
        "unknown",
        "it used 0.00 cores over 3.0 s (idle before 0.03): "
        "the backtest used too little to tell a stopped one from a running one",
        figures={**FIGURES, "busy_cores": 0.0, "after_cores": 0.0},
        final=True,
    ),
    Case(
        "what it used was never read, and something that computes on may still show",
        film(BEGAN, RESTING, CUT, rate(0.0, 10.5, 13.0)),
        "unknown",
        "it used 0.00 cores over 2.5 s (idle before 0.03): "
        "the backtest used too little to tell a stopped one from a running one",
        figures={**FIGURES, "busy_cores": 0.0, "after_cores": 0.0},
    ),
    Case(
        "cancelled at once, it had no time to be compared with",
        film(BEGAN, RESTING, CUT, rate(0.0, 10.5, 14.0), cancelled_at_once=True),
        "holds",
        "it used 0.00 cores over 3.5 s (idle before 0.03)",
        figures={**FIGURES, "busy_cores": 0.0, "after_cores": 0.0},
    ),
    Case(
        "cancelled at once, it burns all the same",
        film(BEGAN, RESTING, CUT, rate(1.0, 10.5, 14.0), cancelled_at_once=True),
        "violated",
        "it used 1.00 cores over 1.0 s (idle before 0.03): something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "busy_cores": 0.0, "after_cores": 1.0},
    ),
    Case(
        "idle was never read: it counts as nothing",
        film(BEGAN, WORKING, CUT, rate(0.0625, 10.5, 14.0)),
        "holds",
        "it used 0.06 cores over 3.5 s (idle before 0.00, the backtest 0.75)",
        figures={"idle_cores": 0.0, "busy_cores": 0.75, "allowed_cores": 0.1, "after_cores": 0.0625},
    ),
    Case("the processor was not read", film(BEGAN, CUT), "unknown", "its processor time was not read"),
    Case(
        "without a cancel there is nothing to compare",
        film(BEGAN, RESTING, WORKING, rate(1.0, 10.5, 14.0)),
        "unknown",
        "its processor time was not read",
    ),
    Case(
        "while the cancel has no answer, no limit runs",
        film(BEGAN, RESTING, WORKING, did("cancel_sent", 10.0), rate(1.0, 10.5, 14.0)),
        "unknown",
        "its processor time was not read",
    ),
    Case(
        "the processor of a worker that never knew of the backtest is another one's",
        film(BEFORE, view(9.5, "missing"), rate(1.0, 10.5, 14.0)),
        "unknown",
        ANOTHER,
        final=True,
    ),
    Case(
        "busy, then with other work, then quiet",
        film(
            BEFORE,
            rate(1.0, 10.5, 11.5),
            rate(0.0, 14.0, 15.5),
            at_rest(10.5, 11.5),
            health(12.5, NEXT),
            health(13.0, None),
        ),
        "holds",
        f"it used 0.00 cores over 1.5 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.0},
    ),
    Case(
        "a reading in the moment of the start belongs to idle, one asked in that of the cancel to the backtest",
        film(BEGAN, used(1.0, 1.0), used(2.0, 1.5), used(6.0, 3.5), used(10.0, 6.5), CUT, rate(0.5, 10.5, 14.0)),
        "holds",
        "it used 0.50 cores over 3.5 s (idle before 0.50, the backtest 0.75)",
        figures={"idle_cores": 0.5, "busy_cores": 0.75, "allowed_cores": 0.6, "after_cores": 0.5},
    ),
    Case(
        "two readings are too few to call it busy: one busy moment may be housekeeping",
        film(BEFORE, used(12.5, 7.0), used(13.5, 8.0)),
        "unknown",
        f"it used 1.00 cores over 1.0 s {COMPARED}, not yet quiet for long enough to tell",
        figures={**FIGURES, "after_cores": 1.0},
        heard=True,
    ),
    Case(
        "three readings are enough to call it busy",
        film(BEFORE, used(12.5, 7.0), used(13.25, 7.75), used(13.5, 8.0)),
        "violated",
        f"it used 1.00 cores over 1.0 s {COMPARED}: something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "after_cores": 1.0},
    ),
    Case(
        "three readings within less than a second are not",
        film(BEFORE, used(12.5, 7.0), used(13.25, 7.75), used(13.4375, 7.9375)),
        "unknown",
        f"it used 1.00 cores over 0.9 s {COMPARED}, not yet quiet for long enough to tell",
        figures={**FIGURES, "after_cores": 1.0},
        heard=True,
    ),
    Case(
        "a third of the backtest's speed goes on",
        film(BEFORE, rate(0.25, 10.5, 13.5)),
        "violated",
        f"it used 0.25 cores over 1.0 s {COMPARED}: something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "after_cores": 0.25},
    ),
    Case(
        "busy until the limit and quiet from it on",
        film(BEFORE, rate(1.0, 10.5, 12.5), rate(0.0, 13.5, 14.5, base_s=9.0)),
        "holds",
        f"it used 0.00 cores over 2.0 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.0},
    ),
    Case(
        "computing now and then, for a second in all of three, and on their mean",
        film(BEFORE, paused(0.5, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0)),
        "violated",
        f"it used 0.33 cores over 3.0 s {COMPARED}: something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "after_cores": 1 / 3},
    ),
    Case(
        "computing now and then, quiet for a while before it",
        film(BEFORE, paused(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 0.0, 0.25, 0.0)),
        "violated",
        f"it used 0.17 cores over 3.0 s {COMPARED}: something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "after_cores": 1 / 6},
    ),
    Case(
        "computing now and then, quiet for long afterwards",
        film(BEFORE, paused(0.25, 0.0, 0.25, *[0.0] * 20)),
        "violated",
        f"it used 0.17 cores over 3.0 s {COMPARED}: something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "after_cores": 1 / 6},
    ),
    Case(
        "now and then, but so little that the mean of three seconds is quiet",
        film(BEFORE, paused(0.125, 0.0, 0.125, 0.0, 0.0, 0.0, 0.0)),
        "holds",
        f"it used 0.07 cores over 3.5 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.25 / 3.5},
    ),
    Case(
        "two busy moments that are three seconds apart are two",
        film(BEFORE, paused(0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5)),
        "unknown",
        f"it used 0.29 cores over 3.5 s {COMPARED}, not yet quiet for long enough to tell",
        figures={**FIGURES, "after_cores": 1 / 3.5},
        heard=True,
    ),
    Case(
        "a busy second after a quiet one is one moment so far",
        film(BEFORE, used(12.5, 7.0), used(13.5, 7.0), used(14.5, 8.0)),
        "unknown",
        f"it used 0.50 cores over 2.0 s {COMPARED}, not yet quiet for long enough to tell",
        figures={**FIGURES, "after_cores": 0.5},
        heard=True,
    ),
    Case(
        "one busy moment, however busy, is housekeeping",
        film(BEFORE, paused(0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0)),
        "holds",
        f"it used 0.00 cores over 2.0 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.0},
    ),
    Case(
        "one gap between two readings in which it was busy is no moment",
        film(BEFORE, used(12.5, 7.0), used(15.5, 9.25), used(16.5, 9.25)),
        "violated",
        f"it used 0.75 cores over 3.0 s {COMPARED}: something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "after_cores": 0.75},
    ),
    Case(
        "a new process that computes is busy, however much the one before it had used",
        film(BEFORE, used(12.5, 7.0), used(13.0, 7.5), rate(1.0, 13.5, 14.5, base_s=0.5)),
        "violated",
        f"it used 1.00 cores over 1.0 s {COMPARED}: something computes on, whatever the answers say",
        12.5,
        figures={**FIGURES, "after_cores": 1.0},
    ),
    Case(
        "quiet before it would have ended by itself",
        film(BEGAN, RESTING, WORKING, CUT, nearing_its_end(2.0), rate(0.0, 10.5, 14.0, 0.75)),
        "holds",
        f"it used 0.00 cores over 3.8 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.0},
    ),
    Case(
        "quiet for too short a time before it would have ended by itself",
        film(BEGAN, RESTING, WORKING, CUT, nearing_its_end(1.9), rate(0.0, 10.5, 14.0, 0.75)),
        "unknown",
        f"it used 0.00 cores over 3.8 s {COMPARED}: it would have ended by itself before enough was read: as to the cancel, "
        "it was sent at 71.0 %, when about 1.9 s were left at its own pace",
        figures={**FIGURES, "after_cores": 0.0},
        final=True,
    ),
    Case(
        "as quiet as is allowed, for too short a time before it would have ended by itself",
        film(BEGAN, CUT, nearing_its_end(1.0), used(10.5, 0.0), used(11.5, 0.1)),
        "unknown",
        "it used 0.10 cores over 1.0 s (idle before 0.00): it would have ended by itself before enough was read: "
        "as to the cancel, it was sent at 80.0 %, when about 1.0 s were left at its own pace",
        figures={"idle_cores": 0.0, "busy_cores": 0.0, "allowed_cores": 0.1, "after_cores": 0.1},
        final=True,
    ),
    Case(
        "busy although it would have ended by itself",
        film(BEGAN, RESTING, WORKING, CUT, nearing_its_end(1.0), rate(0.75, 10.5, 12.0)),
        "unknown",
        f"it used 0.75 cores over 1.5 s {COMPARED}, not yet quiet for long enough to tell",
        figures={**FIGURES, "after_cores": 0.75},
        heard=True,
    ),
    Case(
        "not quiet for long, and its own end has not come yet",
        film(BEGAN, RESTING, WORKING, CUT, nearing_its_end(1.0), rate(0.0, 10.5, 11.0)),
        "unknown",
        f"it used 0.00 cores over 0.5 s {COMPARED}, not yet quiet for long enough to tell",
        figures={**FIGURES, "after_cores": 0.0},
    ),
    Case(
        "within reach at the preflight, and not heard any more",
        film(BEFORE, lost(11.0, "HTTP 502: bad gateway", of=W, view="processor"), witnesses={W: "its metrics"}),
        "unknown",
        "its processor time was within reach at the preflight, and was not heard after the cancel: "
        "HTTP 502: bad gateway",
        figures=FIGURES,
    ),
    Case(
        "within reach at the preflight, and never heard",
        film(BEGAN, CUT, witnesses={W: "its metrics"}),
        "unknown",
        "its processor time was within reach at the preflight, and was not heard after the cancel",
    ),
    Case(
        "within reach at the preflight, and heard once",
        film(BEFORE, used(11.0, 7.0), witnesses={W: "its metrics"}),
        "unknown",
        "its processor time was within reach at the preflight, and was not heard after the cancel",
        figures=FIGURES,
    ),
    Case(
        "heard twice in one moment, which tells no rate",
        film(BEFORE, used(11.0, 7.0), used(11.0, 7.0), witnesses={W: "its metrics"}),
        "unknown",
        "its processor time was not read after the cancel while the worker had nothing else to do",
        figures=FIGURES,
    ),
    Case(
        "the worker's process is gone: nothing will be heard any more",
        film(BEFORE, health(9.5, None), refused(11.0, 11.5)),
        "unknown",
        DEAD,
        final=True,
    ),
    Case(
        "the worker's process is silent on every way of asking it",
        film(BEFORE, silent("worker", 10.75, 3.0), silent("worker", 14.0, 2.0)),
        "unknown",
        "its process does not answer: nothing came for 5.2 s: no answer within 5.0 s",
        final=True,
    ),
    Case(
        "another worker was within reach",
        film(BEGAN, CUT, witnesses={"worker_2": "its metrics"}),
        "unknown",
        "its processor time was not read",
    ),
    Case(
        "heard after the cancel, but with other work",
        film(BEFORE, rate(1.0, 10.5, 12.0), at_rest(9.5, 13.5, NEXT), witnesses={W: "its metrics"}),
        "unknown",
        "its processor time was not read after the cancel while the worker had nothing else to do",
        figures=FIGURES,
    ),
    Case(
        "without a start there is nothing to compare",
        film(RESTING, WORKING, CUT, rate(1.0, 10.5, 14.0)),
        "unknown",
        "its processor time was not read",
    ),
    Case(
        "the processor of another worker is another matter",
        film(BEGAN, CUT, [used(10.5 + n, n, "worker_2") for n in range(5)]),
        "unknown",
        "its processor time was not read",
    ),
    Case(
        "a reading that is no number is none",
        film(BEFORE, rate(0.0, 10.5, 12.0), used(11.0, float("nan")), used(11.25, float("inf"))),
        "holds",
        f"it used 0.00 cores over 1.5 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.0},
    ),
    Case(
        "a counter that begins anew is another process: its fall is no rest",
        film(BEFORE, used(10.5, 7.0), used(11.0, 7.5), used(11.5, 0.5), used(12.0, 1.0)),
        "unknown",
        "its processor time was not read after the cancel while the worker had nothing else to do",
        figures=FIGURES,
    ),
    Case(
        "a new process that is quiet is quiet",
        film(BEFORE, used(10.5, 7.0), used(11.0, 7.5), rate(0.0, 11.5, 13.0, base_s=0.5)),
        "holds",
        f"it used 0.00 cores over 1.5 s {COMPARED}",
        figures={**FIGURES, "after_cores": 0.0},
    ),
    Case(
        "two readings of the same moment tell no rate",
        film(BEFORE, used(10.5, 7.0), used(10.5, 7.0)),
        "unknown",
        "its processor time was not read after the cancel while the worker had nothing else to do",
        figures=FIGURES,
    ),
)
def test_processor_is_quiet(case: Case) -> None:
    case.check(
        processor_is_quiet(case.history, W, B, 2.0),
        "processor quiet",
        "the processor of the worker worker_1 is quiet within 2.0 s of the cancel",
    )


def verdict_of(*parts: Part) -> str:
    return processor_is_quiet(film(BEFORE, *parts), W, B, 2.0).verdict


@pytest.mark.parametrize("busy_s", [1.5, 4.5, 24.0], ids=["little", "most of a core", "four cores"])
@pytest.mark.parametrize(("cores", "verdict"), [(0.125, "holds"), (0.140625, "violated"), (0.3125, "violated")])
def test_quiet_is_a_tenth_of_a_core_above_idle_whatever_the_backtest_used(
    cores: float, verdict: str, busy_s: float
) -> None:
    history = film(BEGAN, RESTING, used(3.0, 1.5), used(9.0, 1.5 + busy_s), CUT, rate(cores, 10.5, 14.0))
    assert processor_is_quiet(history, W, B, 2.0).verdict == verdict


@pytest.mark.parametrize(
    ("before", "idle_cores"),
    [
        ((used(0.0, 1.0), used(1.0, 1.9), used(2.0, 1.9125), used(2.5, 2.3)), 0.0125),
        ((used(0.0, 1.0), used(0.1, 1.0), used(0.6, 1.5)), 0.0),
        ((used(0.0, 1.0), used(1.0, 2.0), used(1.09375, 2.0)), 1.0),
        ((used(0.0, 1.0), used(0.0625, 1.015625)), 0.25),
        ((used(0.0, 5.0), used(1.0, 1.0), used(2.0, 1.5)), 0.5),
        ((used(0.0, 1.0),), 0.0),
        ((), 0.0),
        ((used(0.0, 1.0), used(0.2, 1.01)), 0.0),
        ((used(0.0, 1.0), used(0.2, 1.05)), 0.2),
        ((used(0.0, 1.0), used(0.2, 1.005)), 0.0),
    ],
    ids=[
        "the quietest of three",
        "a tenth of a second is enough",
        "less is not",
        "but where there is nothing else",
        "a counter that begins anew tells nothing",
        "one reading tells no rate",
        "none was had",
        "a tick of the counter may be of the time before",
        "what is more than a tick in a short time counts",
        "less than a tick is not less than nothing",
    ],
)
def test_idle_is_the_quietest_time_before_the_start(before: tuple[Sample, ...], idle_cores: float) -> None:
    history = film(BEGAN, before, WORKING, CUT, rate(0.0, 10.5, 12.0))
    assert processor_is_quiet(history, W, B, 2.0).figures["idle_cores"] == pytest.approx(idle_cores)


@pytest.mark.parametrize(("used_s", "verdict"), [(1.08, "unknown"), (1.09, "holds")])
def test_a_backtest_must_have_used_enough_to_tell(used_s: float, verdict: str) -> None:
    """0.15 cores above idle, over 6 s, are 1.0875 s."""
    history = film(BEGAN, RESTING, used(3.0, 1.5), used(9.0, 1.5 + used_s), CUT, rate(0.0, 10.5, 14.0))
    assert processor_is_quiet(history, W, B, 2.0).verdict == verdict


@pytest.mark.parametrize(
    ("doing", "verdict"),
    [
        ((), "violated"),
        ([health(9.0, B), at_rest(10.5, 15.5)], "violated"),
        ([health(9.0, B), at_rest(10.5, 12.5)], "unknown"),
        ([health(9.0, B), at_rest(10.5, 13.5)], "violated"),
        ([health(9.0, B), at_rest(10.5, 12.5), health(13.75, NEXT)], "unknown"),
        ([health(9.0, B), at_rest(10.5, 15.5, B)], "violated"),
        ([health(9.0, B), at_rest(10.5, 15.5, NEXT)], "unknown"),
        ([health(9.0, B), at_rest(10.5, 12.5), at_rest(13.25, 15.25, NEXT)], "unknown"),
        (
            [
                *(saw(10.5 + 0.5 * n, "running", 1.0, of=NEXT, worker=W) for n in range(9)),
                saw(10.6, "completed", 100.0, of=OTHER, worker=W),
            ],
            "unknown",
        ),
        ([registry(9.0, B), *(registry(10.5 + n, NEXT) for n in range(6))], "unknown"),
        ([registry(9.0, B), *(registry(10.5 + n, B) for n in range(6))], "violated"),
        ([saw(10.5 + 0.5 * n, "running", 1.0, of=NEXT, worker=W) for n in range(9)], "unknown"),
        ([saw(10.5 + 0.5 * n, "running", 1.0, of=NEXT, worker="worker_2") for n in range(9)], "violated"),
        ([saw(10.5 + 0.5 * n, "completed", 100.0, of=NEXT, worker=W) for n in range(9)], "violated"),
        ([saw(10.5 + 0.5 * n, "cancelled", 0.0, worker=W) for n in range(9)], "violated"),
        ([saw(10.5 + 0.5 * n, "running", 1.0, of=NEXT, view="worker", worker=W) for n in range(9)], "violated"),
        ([health(10.5 + n, OTHER, "worker_2") for n in range(5)], "violated"),
        ([health(9.0, B), *(health(10.5 + n, "own_1", unlisted=True) for n in range(6))], "violated"),
        ([health(9.0, "own_1", unlisted=True), *(health(10.5 + n, "own_1") for n in range(6))], "violated"),
        ([saw(10.5 + 0.5 * n, "busy", of=W, view="processor", current_operation=NEXT) for n in range(9)], "violated"),
    ],
    ids=[
        "nothing is known of other work",
        "its health says that it has none",
        "its health was not read any more: it may have begun other work",
        "its health says that it had none for the first second, to the end",
        "its health was next read with other work",
        "its health names the cancelled one",
        "its health names another one",
        "its health names another one soon after",
        "another one's record says that it runs there, and a third one's that it has ended",
        "the registry names another one",
        "the registry still names the cancelled one",
        "another one's record says that it runs there",
        "another one's record says that it runs elsewhere",
        "another one's record says that it ran there, and has ended",
        "the cancelled one's own record names the worker",
        "another view of another one tells nothing",
        "another worker has other work",
        "its health names what the backend does not have",
        "its health names the backtest by the id that it gave it",
        "only its health and the registry tell what it has",
    ],
)
def test_a_busy_processor_is_held_against_the_cancel_only_where_it_had_no_other_work(
    doing: list[Sample], verdict: str
) -> None:
    assert verdict_of(rate(1.0, 10.5, 14.5), doing) == verdict


def test_quiet_time_before_other_work_began_still_counts() -> None:
    busy_later = rate(1.0, 13.0, 16.0)
    assert verdict_of(rate(0.0, 10.5, 12.5), busy_later, at_rest(10.5, 12.5), at_rest(13.0, 16.0, NEXT)) == "holds"


def test_other_work_parts_the_readings_before_it_from_those_after_it() -> None:
    """Read at 12.75 and not before 16.75; between them, unseen by these readings, the worker ran something else."""
    read = (used(10.75, 7.0), used(12.75, 8.0), used(16.75, 12.0), used(17.0, 12.0))
    healths = (health(9.0, B), health(13.0, None), health(14.5, NEXT), health(16.0, None), health(18.0, None))
    assert verdict_of(read, healths) == "unknown"
    assert verdict_of(read, healths[:2], healths[3:]) == "violated"


def test_other_work_that_was_over_before_it_was_seen_parts_them_too() -> None:
    """A new backtest that ends within half a second; how much of the processor it used is no matter."""
    read = (used(12.5, 7.0), used(14.5, 7.5), used(15.5, 7.5), used(16.5, 7.5), used(17.5, 7.5))
    began = did("next_accepted", 13.0, NEXT)
    over = (saw(13.5, "completed", 100.0, of=NEXT, worker=W), saw(15.0, "completed", 100.0, of=NEXT, worker=W))
    assert verdict_of(read[:3]) == "violated"
    assert verdict_of(read, began, over) == "holds"
    assert verdict_of(rate(1.0, 14.6, 15.6), began, over) == "violated", "it was over by then, whenever that is told"
    elsewhere = [replace(s, facts={"worker": "worker_2"}) for s in over]
    assert verdict_of(read[:3], began, elsewhere) == "violated"
    late = saw(17.0, "completed", 100.0, of=NEXT, worker=W)
    assert verdict_of(read[:3], late) == "violated", "nobody knows when that was started"
    assert verdict_of(read[:3], began, late) == "holds"
    assert verdict_of(read[:3], did("start_answered", 13.0, NEXT), late) == "holds"
    assert verdict_of(read[:3], did("next_accepted", 13.0, OTHER), late) == "violated"
    assert verdict_of(read[:3], did("clean_up", 13.0, NEXT), late) == "violated"


@pytest.mark.parametrize(
    ("parts", "seen", "heard"),
    [
        # Busy within the limit, as it may be, and then with other work to the end.
        (
            [rate(0.75, 10.5, 12.0), health(9.0, B), health(11.6, None), health(12.25, NEXT), used(12.75, 9.0)],
            "it used 0.75 cores over 1.0 s {} within the limit, and then had other work",
            False,
        ),
        ([rate(0.75, 10.5, 12.0)], "it used 0.75 cores over 1.5 s {}, not yet quiet for long enough to tell", True),
        (
            [rate(0.75, 11.5, 12.5), health(9.0, B), health(12.6, None), health(13.75, NEXT), used(14.0, 9.0)],
            "it used 0.75 cores over 1.0 s {} within the limit, and then had other work",
            False,
        ),
        (
            [rate(0.75, 11.5, 13.0), health(9.0, B), health(13.1, None), health(14.25, NEXT), used(14.5, 9.0)],
            "it used 0.75 cores over 0.5 s {}, not yet quiet for long enough to tell",
            True,
        ),
        # Quiet from the limit on, though not for long enough, whatever it was before.
        (
            [
                *(rate(0.75, 11.5, 12.5), rate(0.0, 13.0, 13.0, base_s=7.75)),
                *(health(9.0, B), health(13.1, None), health(14.25, NEXT), used(14.5, 9.0)),
            ],
            "it used 0.00 cores over 0.5 s {}, not yet quiet for long enough to tell",
            False,
        ),
    ],
)
def test_busy_within_the_limit_only_and_then_with_other_work_is_not_heard_busy(
    parts: list[Part], seen: str, heard: bool
) -> None:
    judgement = processor_is_quiet(film(BEFORE, parts), W, B, 2.0)
    assert (judgement.verdict, judgement.seen) == ("unknown", seen.format(COMPARED))
    assert judgement.heard is heard
    assert FIGURES.items() <= judgement.figures.items()


@pytest.mark.parametrize(("last_seen_s", "verdict"), [(11.5, "unknown"), (11.25, "violated")])
def test_other_work_may_have_gone_on_for_a_second_after_it_was_seen(last_seen_s: float, verdict: str) -> None:
    healths = (health(9.0, B), health(last_seen_s, NEXT), at_rest(11.75, 15.75))
    assert verdict_of(rate(1.0, 12.5, 13.5), healths) == verdict


def test_other_work_is_over_from_the_moment_in_which_the_health_says_so() -> None:
    healths = (health(9.0, B), health(11.0, NEXT), health(12.5, None), health(13.5, None))
    assert verdict_of(rate(1.0, 12.5, 13.5), healths) == "violated"


def test_the_health_goes_before_the_registry_from_the_moment_in_which_it_is_first_read() -> None:
    healths = (health(12.5, None), health(13.75, None))
    registries = (registry(9.0, B), registry(14.0, NEXT))
    assert verdict_of(rate(1.0, 12.5, 13.5), healths, registries) == "violated"
    assert verdict_of(rate(1.0, 12.5, 13.5), registries) == "unknown"


def test_other_work_goes_on_while_its_end_was_not_seen() -> None:
    healths = (health(9.0, B), health(10.75, NEXT), health(15.0, None))
    assert verdict_of(rate(1.0, 12.5, 14.5), healths) == "unknown"


def test_what_is_not_known_of_other_work_does_not_keep_a_quiet_processor_from_being_quiet() -> None:
    assert verdict_of(rate(0.0, 10.5, 12.0), health(9.0, B)) == "holds"


AT_ONCE = (did("start_sent", -5.0), did("cancel_sent", -1.0), did("cancel_answered", 0.0))


def quiet_at_once(*readings: Sample, at_once: bool = True) -> str:
    history = film(AT_ONCE, readings, **({"cancelled_at_once": True} if at_once else {}))
    return processor_is_quiet(history, W, B, 2.0).verdict


def test_the_most_that_counts_as_quiet_is_not_heard_busy() -> None:
    for cpu_s, heard in ((0.05, False), (0.055, True)):
        history = film(AT_ONCE, used(2.0, 0.0), used(2.5, cpu_s), cancelled_at_once=True)
        assert processor_is_quiet(history, W, B, 2.0).heard is heard


def test_the_most_that_counts_as_quiet_is_a_pause() -> None:
    busy = (used(2.0, 0.55), used(2.75, 1.05), used(3.25, 1.05), used(5.25, 1.05))
    assert quiet_at_once(used(1.0, 0.0), used(1.5, 0.05), *busy) == "holds"
    assert quiet_at_once(used(1.0, 0.0), used(1.5, 0.055), *busy) == "violated"


def test_the_most_that_counts_as_quiet_is_quiet() -> None:
    assert quiet_at_once(used(2.0, 0.0), used(2.5, 0.05), used(3.5, 0.15), used(5.0, 0.3)) == "holds"
    assert quiet_at_once(used(2.0, 0.0), used(2.5, 0.055), used(3.5, 0.165)) == "violated"
    assert quiet_at_once(used(2.0, 0.0), used(5.0, 0.3)) == "holds"
    assert quiet_at_once(used(2.0, 0.0), used(3.5, 0.15), used(5.0, 0.3)) == "holds"
    assert quiet_at_once(used(2.0, 0.0), used(4.0, 0.4), used(6.0, 0.4)) == "holds", "on the mean, over 4 s"
    assert quiet_at_once(used(2.0, 0.0), used(4.0, 0.41), used(6.0, 0.41)) == "violated"


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ((used(2.0, 0.0), used(3.0, 0.05)), "holds"),
        ((used(2.0, 0.0), used(3.0, 0.06)), "unknown"),
        ((used(2.0, 0.0), used(2.5, 0.05), used(3.0, 0.1)), "unknown"),
        ((used(2.0, 0.0), used(4.99, 0.18)), "unknown"),
        ((used(2.0, 0.0), used(5.0, 0.18)), "holds"),
        ((used(2.0, 0.0), used(6.0, 0.4)), "holds"),
        ((used(2.0, 0.0), used(2.5, 0.16), used(4.0, 0.16)), "holds"),
        # A computation of 0.15 cores on a busy host: little at first, and then what it was due.
        ((used(2.0, 0.0), used(3.0, 0.08), used(4.0, 0.3)), "unknown"),
        ((used(2.0, 0.0), used(3.0, 0.08), used(3.5, 0.22), used(4.0, 0.3), used(4.5, 0.37)), "violated"),
    ],
)
def test_what_is_near_the_most_that_counts_as_quiet_is_watched_for_longer(parts: tuple[Sample], verdict: str) -> None:
    assert quiet_at_once(*parts) == verdict


def test_the_shortest_span_that_counts_as_quiet_is_long_enough() -> None:
    assert quiet_at_once(used(0.0, 1.0), used(1.0, 1.0)) == "holds"
    assert quiet_at_once(used(0.0, 1.0), used(0.99, 1.0)) == "unknown"


def test_the_least_that_a_backtest_must_have_used_is_enough() -> None:
    quiet = (used(0.5, 9.0), used(2.0, 9.0))
    assert quiet_at_once(used(-3.0, 0.0), used(-2.0, 0.15), *quiet, at_once=False) == "holds"
    assert quiet_at_once(used(-3.0, 0.0), used(-2.0, 0.14), *quiet, at_once=False) == "unknown"


@pytest.mark.parametrize(("load_per_core", "verdict"), [(2.0, "holds"), (2.1, "unknown"), (None, "holds")])
def test_on_a_busy_host_a_backtest_cancelled_at_once_proves_nothing_by_being_quiet(
    load_per_core: float | None, verdict: str
) -> None:
    loaded: dict[str, Any] = {} if load_per_core is None else {"load_per_core": load_per_core}
    history = film(AT_ONCE, used(0.5, 1.0), used(2.0, 1.0), cancelled_at_once=True, **loaded)
    judgement = processor_is_quiet(history, W, B, 2.0)
    assert judgement.verdict == verdict
    too_little = ": the backtest used too little to tell a stopped one from a running one"
    assert judgement.seen.endswith(too_little) == (verdict == "unknown")


def test_on_a_busy_host_what_the_backtest_has_shown_still_counts() -> None:
    history = film(BEFORE, rate(0.0, 10.5, 12.0), cancelled_at_once=True, load_per_core=9.0)
    assert processor_is_quiet(history, W, B, 2.0).holds


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([BEGAN, RESTING, used(3.0, 1.5), used(4.0, 2.25)], True),
        ([BEGAN, RESTING, used(3.0, 1.5), used(4.0, 1.625)], False),
        ([BEGAN, RESTING, used(3.0, 1.5)], False),
        # Queued for 6 s, in which it cannot have used anything.
        ([BEGAN, saw(3.0, "pending"), used(3.0, 0.0), saw(8.0, "running"), used(8.0, 0.0), used(9.0, 0.16)], True),
        ([BEGAN, saw(3.0, "running"), used(3.0, 0.0), saw(8.0, "running"), used(8.0, 0.0), used(9.0, 0.16)], False),
        ([BEGAN, saw(3.0, "pending"), used(3.0, 0.0), used(8.0, 0.8), saw(8.5, "running"), used(9.0, 0.9)], True),
        ([BEGAN, used(3.0, 1.5), used(4.0, 1.7)], True),
        ([did("start_sent", 2.0), used(2.0, 0.0), used(3.0, 0.0), used(4.0, 0.15)], True),
        ([did("start_sent", 2.0), used(3.0, 0.0), used(4.0, 0.15)], True),
        ([did("start_sent", 2.0), used(3.0, 0.0), used(4.0, 0.14)], False),
        ([did("start_sent", 2.0), did("cancel_sent", 3.5), used(3.0, 0.0), used(4.0, 1.0)], False),
        ([did("start_sent", 2.0), did("cancel_sent", 4.0), used(3.0, 0.0), used(4.0, 1.0)], True),
        ([did("start_sent", 2.0), used(3.0, 0.0), used(3.5, float("nan")), used(4.0, 1.0)], True),
        ([did("start_sent", 2.0), used(3.0, 0.0, "worker_2"), used(4.0, 1.0, "worker_2")], False),
        ([did("start_sent", 2.0), used(3.0, 0.0), Sample("processor", W, 3.5, 3.5), used(4.0, 1.0)], True),
        ([used(0.5, 0.0), used(1.0, 1.0)], True),
        ([used(-1.0, 0.0), used(0.0, 1.0), used(0.5, 1.5), used(1.0, 2.0)], False),
        ([], False),
    ],
)
def test_a_running_backtest_is_told_from_an_idle_worker_by_what_it_uses(parts: list[Part], told: bool) -> None:
    assert tells_apart(film(parts), W, B) is told


def test_readings_still_to_come_are_not_waited_for() -> None:
    history = film(BEGAN, RESTING, used(3.0, 1.5), used(4.0, 2.25), until_s=3.5)
    assert not tells_apart(history, W, B)


def test_a_worker_without_a_name_is_its_worker() -> None:
    assert (
        worker_let_go(film(), "", B, 2.0).expected == "its worker has stopped the backtest within 2.0 s of the cancel"
    )
    assert processor_is_quiet(film(), "", B, 2.0).expected.startswith("the processor of its worker is quiet")
    assert place_is_free(film(), "", B, 15.0).expected.startswith("KTRDR counts its worker as free again")


def test_a_worker_without_a_name_is_known_by_its_own_id_of_the_backtest_as_well() -> None:
    parts = (OWN[0], health(9.0, "own_1", "", unlisted=True), view(9.5, "missing"), view(10.75, "missing"))
    assert worker_let_go(film(CUT, parts, health(10.75, None, "")), "", B, 2.0).holds


def test_a_worker_that_is_busy_with_nothing_named_is_not_at_rest() -> None:
    busy = Sample("health", W, 11.0, 11.0, "busy", facts={"current_operation": None})
    seen = worker_let_go(film(CUT, saw(11.0, "cancelled", view="worker"), busy), W, B, 2.0)
    assert (seen.verdict, seen.seen) == ("unknown", "no reading yet of the worker's health at rest")
