"""After the cancel: it stays cancelled and frozen, is not completed, records its end, and the list agrees."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ktrdr_qa.judge.afterwards import is_frozen, is_not_completed, records_its_end, stays_cancelled
from ktrdr_qa.judge.listed import list_agrees
from ktrdr_qa.judge.pace import frozen_window_s
from ktrdr_qa.judge.reading import ONE_OF_SEVERAL_ANSWERED
from ktrdr_qa.record.history import History, Sample
from tests.judging.film import NEXT, OTHER, B, Case, Part, cancelled, cases, did, film, lost, nearing_its_end, saw

RAN = (
    saw(3.0, "running", 0.0),
    saw(4.0, "running", 1.5),
    saw(5.0, "running", 3.0),
    saw(6.25, "running", 4.5),
    saw(9.75, "running", 4.5),
)
"""Its longest usual step took 1.25 s: three of them, 3.75 s, is what has to be watched."""
CUT = cancelled(10.0, 0.1)
GONE_BEFORE = film(CUT, saw(9.0, "completed", 100.0), saw(10.5, "completed", 100.0))


def because(at_s: float, reason: str | None = "cancelled by user", **facts: Any) -> Sample:
    return saw(at_s, "cancelled", 0.0, error_message=reason, **facts)


BY_THE_USER = [because(10.2 + 0.2 * n) for n in range(8)]
NO_SUCH_KEY = [*BY_THE_USER, because(14.2, "no such key"), because(15.2, "no such key")]


def processed(at_s: float, items: Any) -> Sample:
    return saw(at_s, "cancelled", 0.0, items_processed=items)


def stepped(at_s: float, step: str | None, status: str = "cancelled") -> Sample:
    return saw(at_s, status, 0.0, current_step=step)


def still(
    status: str = "cancelled", percentage: float | None = 0.0, to_s: float = 14.0, step_s: float = 0.2
) -> list[Sample]:
    count = round((to_s - 10.2) / step_s)
    return [saw(10.2 + step_s * n, status, percentage) for n in range(count + 1)]


NOT_ENDED = (
    Case("no cancel was sent", film(RAN, saw(10.5, "cancelled")), "unknown", "no cancel was sent"),
    Case("it has not ended yet", film(CUT, RAN, saw(10.5, "running", 4.5)), "unknown", "it has not ended yet"),
    Case(
        "it ended before the cancel was sent",
        GONE_BEFORE,
        "unknown",
        'it was "completed" at 100.0 % before the cancel was sent',
    ),
    Case(
        "it had ended when the cancel reached it",
        film(did("cancel_sent", 10.0), did("cancel_too_late", 10.1), RAN, saw(10.5, "completed", 100.0)),
        "unknown",
        "it had ended by itself when the cancel reached it",
    ),
)


@cases(
    *NOT_ENDED,
    Case(
        "cancelled in every further reading",
        film(CUT, RAN, still()),
        "holds",
        'it stayed "cancelled" for 3.8 s (19 readings)',
    ),
    Case(
        "failed in every further reading",
        film(CUT, RAN, still("failed", to_s=10.4)),
        "holds",
        'it stayed "failed" for 0.2 s (1 reading)',
    ),
    Case(
        "one reading alone shows no staying", film(CUT, RAN, still(to_s=10.2)), "unknown", "no further reading was had"
    ),
    Case(
        "lost readings show no staying",
        film(CUT, RAN, still(to_s=10.2), lost(11.0)),
        "unknown",
        "no further reading was had",
    ),
    Case(
        "cancelled, then completed",
        film(CUT, RAN, still(), saw(15.0, "completed", 100.0, took_s=0.2), saw(16.0, "cancelled", 0.0)),
        "violated",
        'it turned from "cancelled" to "completed" at 100.0 %, 5.0 s later',
        15.2,
    ),
    Case(
        "cancelled, then running",
        film(CUT, RAN, still(), saw(15.0, "running", 7.0)),
        "violated",
        'it turned from "cancelled" to "running" at 7.0 %, 4.8 s later',
        15.0,
    ),
    Case(
        "come back to life with the next backtest",
        film(CUT, RAN, still(), did("next_accepted", 14.5, NEXT), saw(15.0, "running", 7.0), next_backtest=NEXT),
        "violated",
        'it turned from "cancelled" to "running" at 7.0 %, 4.8 s later, '
        "in the first reading after the new backtest was started",
        15.0,
    ),
    Case(
        "in the moment in which the next was accepted",
        film(CUT, RAN, still(), did("next_accepted", 15.0, NEXT), saw(15.0, "running", 7.0), next_backtest=NEXT),
        "violated",
        'it turned from "cancelled" to "running" at 7.0 %, 4.8 s later, '
        "in the first reading after the new backtest was started",
        15.0,
    ),
    Case(
        "come back to life before the answer to the next start was here",
        film(
            CUT,
            RAN,
            still(),
            saw(15.0, "running", 7.0),
            did("next_accepted", 15.2, NEXT, took_s=0.2),
            next_backtest=NEXT,
        ),
        "violated",
        'it turned from "cancelled" to "running" at 7.0 %, 4.8 s later, '
        "in the first reading after the new backtest was started",
        15.0,
    ),
    Case(
        "come back to life just before the next was asked for",
        film(
            CUT,
            RAN,
            still(),
            saw(15.0, "running", 7.0),
            did("next_accepted", 15.2, NEXT, took_s=0.1),
            next_backtest=NEXT,
        ),
        "violated",
        'it turned from "cancelled" to "running" at 7.0 %, 4.8 s later',
        15.0,
    ),
    Case(
        "accepted in the moment of the last reading before",
        film(CUT, RAN, still(), did("next_accepted", 14.0, NEXT), saw(15.0, "running", 7.0), next_backtest=NEXT),
        "violated",
        'it turned from "cancelled" to "running" at 7.0 %, 4.8 s later, '
        "in the first reading after the new backtest was started",
        15.0,
    ),
    Case(
        "not in the first reading after the next was accepted",
        film(CUT, RAN, still(), did("next_accepted", 13.9, NEXT), saw(15.0, "running", 7.0), next_backtest=NEXT),
        "violated",
        'it turned from "cancelled" to "running" at 7.0 %, 4.8 s later',
        15.0,
    ),
    Case(
        "before the next was accepted",
        film(CUT, RAN, still(), did("next_accepted", 15.1, NEXT), saw(15.0, "running", 7.0), next_backtest=NEXT),
        "violated",
        'it turned from "cancelled" to "running" at 7.0 %, 4.8 s later',
        15.0,
    ),
    Case(
        "cancelled, then failed",
        film(CUT, RAN, still(), saw(15.0, "failed")),
        "violated",
        'it turned from "cancelled" to "failed", 4.8 s later',
        15.0,
    ),
    Case(
        "cancelled, then gone for a second",
        film(CUT, RAN, still(), saw(15.0, "missing", took_s=0.1), saw(16.0, "missing"), saw(17.0, "cancelled")),
        "violated",
        'its record is gone (HTTP 404), 4.9 s after it was "cancelled"',
        15.1,
    ),
    Case(
        "cancelled, then gone for less than a second so far",
        film(CUT, RAN, still(), saw(15.0, "missing"), saw(15.9, "missing"), until_s=30.0),
        "unknown",
        'last "missing"; it may come right',
    ),
    Case(
        "gone for less than a second, twice",
        film(
            CUT,
            RAN,
            still(),
            [saw(15.0 + 0.4 * n, "missing" if n % 2 else "cancelled", 0.0) for n in range(5)],
        ),
        "holds",
        'it stayed "cancelled" for 6.4 s (24 readings)',
        observations=("2 readings after the cancel still showed what was before it: a view that lags.",),
    ),
    Case(
        "its record comes and goes",
        film(
            CUT,
            RAN,
            still(),
            [saw(15.0 + 0.4 * n, "missing" if n % 2 else "cancelled", 0.0) for n in range(6)],
        ),
        "violated",
        "its record comes and goes: HTTP 404 once more 6.8 s after the end",
        17.0,
    ),
    Case(
        "it comes and goes within the limit of the cancel: a view that lags",
        film(
            CUT,
            RAN,
            [saw(10.2 + 0.2 * n, "missing" if n % 2 else "cancelled", 0.0) for n in range(9)],
            saw(12.1, "missing"),
            [saw(12.2 + 0.2 * n, "missing" if n % 2 else "cancelled", 0.0) for n in range(5)],
        ),
        "holds",
        'it stayed "cancelled" for 2.8 s (14 readings)',
        observations=("7 readings after the cancel still showed what was before it: a view that lags.",),
    ),
    Case(
        "a view that lags, within the limit of the cancel",
        film(
            CUT,
            RAN,
            saw(10.2, "cancelled", 0.0),
            saw(10.4, "running", 4.5),
            saw(11.0, "missing"),
            saw(12.1, "running", 4.5),
            [saw(12.2 + 0.2 * n, "cancelled", 0.0) for n in range(10)],
        ),
        "holds",
        'it stayed "cancelled" for 3.8 s (13 readings)',
        observations=("3 readings after the cancel still showed what was before it: a view that lags.",),
    ),
    Case(
        "running again within the limit at a height at which it was not before",
        film(CUT, RAN, saw(10.2, "cancelled", 0.0), saw(11.0, "running", 0.0), saw(11.2, "running", 0.0)),
        "violated",
        'it turned from "cancelled" to "running" at 0.0 %, 0.8 s later',
        11.2,
    ),
    *(
        Case(
            f"a view that lags shows {what}",
            film(CUT, RAN, saw(10.2, "cancelled", 0.0), readings, [saw(12.2 + 0.2 * n, "cancelled") for n in range(3)]),
            "holds",
            'it stayed "cancelled" for 2.4 s (5 readings)',
            observations=(
                f"{len(readings)} readings after the cancel still showed what was before it: a view that lags.",
            ),
        )
        for what, readings in {
            "what it was a moment before": [saw(11.0 + 0.2 * n, "running", 4.5) for n in range(2)],
            "no progress at all": [saw(11.0 + 0.2 * n, "running", None) for n in range(2)],
            "the state of before twice, the progress of after it once": [
                saw(11.0, "running", 0.0),
                saw(11.2, "running", 4.5),
            ],
            "that it is pending": [saw(11.0 + 0.2 * n, "pending", 0.0) for n in range(2)],
        }.items()
    ),
    Case(
        "what was two seconds before its last reading may be shown, and nothing older",
        film(
            *(CUT, saw(7.5, "running", 1.0), saw(7.75, "running", 2.0), saw(9.75, "running", 4.5)),
            *(saw(10.2, "cancelled", 0.0), saw(11.0, "running", 2.0), saw(11.2, "running", 2.0)),
            [saw(12.2 + 0.2 * n, "cancelled") for n in range(3)],
        ),
        "holds",
        'it stayed "cancelled" for 2.4 s (5 readings)',
        observations=("2 readings after the cancel still showed what was before it: a view that lags.",),
    ),
    Case(
        "older than that",
        film(
            *(CUT, saw(7.5, "running", 1.0), saw(7.75, "running", 2.0), saw(9.75, "running", 4.5)),
            *(saw(10.2, "cancelled", 0.0), saw(11.0, "running", 1.0), saw(11.2, "running", 1.0)),
        ),
        "violated",
        'it turned from "cancelled" to "running" at 1.0 %, 0.8 s later',
        11.2,
    ),
    Case(
        "it ended for another reason, four seconds later",
        film(CUT, RAN, BY_THE_USER, because(14.2, "no such key"), because(14.4, "no such key")),
        "violated",
        "its error_message changed from 'cancelled by user' to 'no such key', 4.0 s after it had ended",
        14.2,
    ),
    Case(
        "it ended for another reason, a second later",
        film(CUT, RAN, because(10.2), because(11.2), because(14.2, "x"), because(15.2, "x")),
        "violated",
        "its error_message changed from 'cancelled by user' to 'x', 4.0 s after it had ended",
        14.2,
    ),
    *(
        Case(
            f"its reason is another one {words}",
            film(CUT, RAN, readings, *more),
            "holds",
            f'it stayed "cancelled" for 5.0 s ({len(readings) - 1} readings)',
        )
        for words, readings, *more in (
            ("for a moment", [*BY_THE_USER, because(14.2, "x"), because(15.2)]),
            ("in one reading so far", [*BY_THE_USER, because(14.2), because(15.2, "x")]),
            ("where none was told first", [because(10.2, None), because(11.2, None), because(14.2), because(15.2)]),
            ("within a second of the end", [because(10.2, "x"), because(11.1, "x"), because(14.2), because(15.2)]),
            ("in a row of the list", [*BY_THE_USER, *(because(at, "x", in_list=True) for at in (14.2, 15.2))]),
            ("after a second cancel", NO_SUCH_KEY, did("second_cancel_answered", 13.0)),
            ("after one of several", NO_SUCH_KEY, did(ONE_OF_SEVERAL_ANSWERED, 10.1)),
            ("after a restart", NO_SUCH_KEY, did("restart_begun", 13.0)),
        )
    ),
    Case(
        "a view that lags has not come right so far",
        film(CUT, RAN, saw(10.2, "cancelled", 0.0), saw(12.1, "running", 4.5), until_s=30.0),
        "unknown",
        'last "running" at 4.5 %; it may come right',
    ),
    Case(
        "running again from within the limit on, and a hair after it: told from when on",
        film(CUT, RAN, saw(10.2, "cancelled"), saw(10.7, "missing"), saw(11.2, "running", 5.0), saw(12.11, "running")),
        "violated",
        'it turned from "cancelled" to "running" at 5.0 %, 1.0 s later',
        11.2,
    ),
    Case(
        "gone for a second within the limit of the cancel",
        film(CUT, RAN, saw(10.25, "cancelled"), saw(10.5, "running"), saw(10.75, "missing"), saw(11.75, "missing")),
        "violated",
        'its record is gone (HTTP 404), 0.5 s after it was "cancelled"',
        10.75,
    ),
    Case(
        "gone, running and gone again is not gone for a second",
        film(
            CUT,
            RAN,
            saw(10.2, "cancelled"),
            saw(10.4, "missing"),
            saw(11.0, "running", 4.5),
            saw(11.6, "missing"),
            saw(11.8, "cancelled"),
        ),
        "holds",
        'it stayed "cancelled" for 1.6 s (4 readings)',
        observations=("3 readings after the cancel still showed what was before it: a view that lags.",),
    ),
    Case(
        "completed, within the limit too: no view that lags shows that",
        film(CUT, RAN, saw(10.2, "cancelled", 0.0), saw(10.4, "completed", 100.0), saw(10.6, "cancelled", 0.0)),
        "violated",
        'it turned from "cancelled" to "completed" at 100.0 %, 0.2 s later',
        10.4,
    ),
    Case(
        "completed instead of cancelled is no staying cancelled",
        film(CUT, RAN, still("completed", 100.0)),
        "violated",
        'it was "completed" at 100.0 % instead',
        10.2,
    ),
    Case(
        "completed with clearly more than the limit left",
        film(CUT, nearing_its_end(3.25), still("completed", 100.0)),
        "violated",
        'it was "completed" at 100.0 % instead',
        10.2,
    ),
    Case(
        "completed after the limit, and its pace was not seen",
        film(CUT, RAN[:2], saw(12.25, "running", 5.0), saw(12.5, "completed", 100.0)),
        "violated",
        'it was "completed" at 100.0 % instead',
        12.5,
    ),
    Case(
        "completed while the cancel had no answer yet",
        film(CUT[0], RAN, saw(10.2, "completed", 100.0)),
        "unknown",
        "it was completed 0.20 s after the cancel, too close to its own end to tell: "
        "it was sent at 4.5 %, when about 67.9 s were left at its own pace",
        final=True,
    ),
    Case(
        "completed as it was about to in any case",
        film(CUT, nearing_its_end(2.75), still("completed", 100.0)),
        "unknown",
        "it was completed 0.20 s after the cancel, too close to its own end to tell: "
        "it was sent at 62.5 %, when about 2.8 s were left at its own pace",
        final=True,
    ),
)
def test_stays_cancelled(case: Case) -> None:
    case.check(stays_cancelled(case.history, B), "stays cancelled", "it stays cancelled")


FROZEN = "its progress is frozen for at least 3.8 s after the cancel"
LOST = "The record of progress was lost: 4.5 % before the cancel, 0.0 % after it."


@cases(
    *NOT_ENDED[1:],
    Case(
        "0 % from the end on, for the whole window, as KTRDR does it",
        film(CUT, RAN, still()),
        "holds",
        "it did not move for 3.8 s, in which 3 updates were due",
        observations=(LOST,),
        figures={"frozen_s": 3.8, "updates_due": 3.0, "longest_step_s": 1.25},
    ),
    Case(
        "the last percentage kept for the whole window",
        film(CUT, RAN, still(percentage=4.5)),
        "holds",
        "it did not move for 3.8 s, in which 3 updates were due",
        figures={"frozen_s": 3.8, "updates_due": 3.0, "longest_step_s": 1.25},
    ),
    Case(
        "no percentage from the end on",
        film(CUT, RAN, still(percentage=None)),
        "holds",
        "it did not move for 3.8 s, in which 3 updates were due",
        observations=("The record of progress was lost: 4.5 % before the cancel, nothing after it.",),
        figures={"frozen_s": 3.8, "updates_due": 3.0, "longest_step_s": 1.25},
    ),
    Case(
        "one more update that was on its way when it was cancelled",
        film(CUT, RAN, still(percentage=6.0)),
        "holds",
        "it did not move for 3.8 s, in which 3 updates were due",
        figures={"frozen_s": 3.8, "updates_due": 3.0, "longest_step_s": 1.25},
    ),
    Case(
        "watched for less than the window",
        film(CUT, RAN, still(to_s=13.6)),
        "unknown",
        "only 3.4 s of the 3.8 s are covered by readings (17 readings)",
    ),
    Case(
        "readings a usual step apart cover the time between",
        film(CUT, RAN, [saw(10.25 + 1.25 * n, "cancelled", 4.5) for n in range(4)]),
        "holds",
        "it did not move for 3.8 s, in which 3 updates were due",
        figures={"frozen_s": 3.75, "updates_due": 3.0, "longest_step_s": 1.25},
    ),
    Case(
        "a gap of more than a usual step is not covered",
        film(CUT, RAN, still(to_s=11.2), saw(12.5, "cancelled", 0.0), saw(13.2, "cancelled", 0.0), until_s=20.0),
        "unknown",
        "only 1.7 s of the 3.8 s are covered by readings (7 readings)",
    ),
    Case(
        "one reading alone covers nothing",
        film(CUT, RAN, still(to_s=10.2)),
        "unknown",
        "only 0.0 s of the 3.8 s are covered by readings (0 readings)",
    ),
    Case(
        "one rise, and down again",
        film(CUT, RAN, still(), saw(14.1, "cancelled", 4.75, took_s=0.1), saw(14.4, "cancelled", 0.0)),
        "violated",
        "it rose once, from 0.0 % to 4.8 %, 4.0 s after it had ended",
        14.2,
    ),
    Case(
        "a rise above a later, lower reading, though not above the first",
        film(CUT, RAN, saw(10.2, "cancelled", 4.5), saw(10.4, "cancelled", 0.0), saw(11.4, "cancelled", 1.5)),
        "violated",
        "it rose once, from 0.0 % to 1.5 %, 1.2 s after it had ended",
        11.4,
    ),
    Case(
        "the first percentage after the end is the first, whatever it is; a rise above it is one",
        film(
            CUT,
            RAN,
            saw(10.2, "cancelled"),
            saw(10.4, "cancelled", 4.5),
            saw(10.6, "cancelled"),
            saw(11, "cancelled", 5.0),
        ),
        "violated",
        "it rose once, from 4.5 % to 5.0 %, 0.8 s after it had ended",
        11.0,
    ),
    Case(
        "creeping on in the very next reading",
        film(CUT, RAN, saw(10.2, "cancelled", 4.5), saw(10.4, "cancelled", 4.50001)),
        "violated",
        "it rose once, from 4.50000 % to 4.50001 %, 0.2 s after it had ended",
        10.4,
    ),
    Case(
        "a rise whatever its status is called",
        film(CUT, RAN, still(), saw(14.5, "running", 7.0)),
        "violated",
        "it rose once, from 0.0 % to 7.0 %, 4.3 s after it had ended",
        14.5,
    ),
    Case(
        "going on at the old rate, told with the number of rises, the last height and the first moment",
        film(CUT, RAN, still(), [saw(14.2 + n, "cancelled", 1.5 * n) for n in range(5)], still(to_s=10.2)),
        "violated",
        "it went on rising, 4 times, from 0.0 % to 6.0 %, the first time 5.0 s after it had ended",
        15.2,
    ),
    Case(
        "going on by so little that it takes more digits to tell",
        film(CUT, RAN, saw(10.2, "cancelled", 4.5), [saw(10.4 + n, "cancelled", 4.51 + 0.01 * n) for n in range(3)]),
        "violated",
        "it went on rising, 3 times, from 4.50 % to 4.53 %, the first time 0.2 s after it had ended",
        10.4,
    ),
    Case(
        "a jump to 100 some time after the end",
        film(CUT, RAN, still(), saw(15.0, "cancelled", 100.0), saw(15.2, "cancelled", 100.0)),
        "violated",
        "it jumped from 0.0 % to 100.0 %, 4.8 s after it had ended",
        15.0,
    ),
    Case(
        "almost 100 is a jump to it as well",
        film(CUT, RAN, still(), saw(15.0, "cancelled", 99.9), saw(15.2, "cancelled", 0.0), saw(15.4, "cancelled", 5.0)),
        "violated",
        "it jumped from 0.0 % to 99.9 %, 4.8 s after it had ended",
        15.0,
    ),
    Case(
        "less than that is a rise like any other",
        film(CUT, RAN, still(), saw(15.0, "cancelled", 99.8)),
        "violated",
        "it rose once, from 0.0 % to 99.8 %, 4.8 s after it had ended",
        15.0,
    ),
    Case(
        "a view that lags shows what was before the cancel, within its limit",
        film(
            CUT,
            RAN,
            still(to_s=14.4),
            saw(10.5, "running", 4.5),
            saw(12.1, "running", 4.5),
        ),
        "holds",
        "it did not move for 4.2 s, in which 3 updates were due",
        observations=(LOST,),
        figures={"frozen_s": 4.2, "updates_due": 3.0, "longest_step_s": 1.25},
    ),
    Case(
        "what was before the cancel, after its limit",
        film(CUT, RAN, still(), saw(12.11, "running", 4.5)),
        "violated",
        "it rose once, from 0.0 % to 4.5 %, 1.9 s after it had ended",
        12.11,
    ),
    Case(
        "a view that lags may show an update that was on its way when it was cancelled",
        film(CUT, RAN, still(), saw(10.375, "running", 8.25)),
        "holds",
        "it did not move for 3.8 s, in which 3 updates were due",
        observations=(LOST,),
        figures={"frozen_s": 3.8, "updates_due": 3.0, "longest_step_s": 1.25},
    ),
    Case(
        "more than it can have made by then, within the limit",
        film(CUT, RAN, still(), saw(10.375, "running", 8.26)),
        "violated",
        "it rose once, from 0.0 % to 8.3 %, 0.2 s after it had ended",
        10.375,
    ),
    Case(
        "what ended rises, within the limit too",
        film(CUT, RAN, still(), saw(12.1, "cancelled", 1.5)),
        "violated",
        "it rose once, from 0.0 % to 1.5 %, 1.9 s after it had ended",
        12.1,
    ),
    Case(
        "it would have ended by itself before the window was over",
        film(CUT, nearing_its_end(3.0), still(to_s=16.0)),
        "unknown",
        "it would have ended by itself before enough was read: as to the cancel, "
        "it was sent at 60.0 %, when about 3.0 s were left at its own pace",
        final=True,
    ),
    Case(
        "its own end has not come yet",
        film(CUT, nearing_its_end(3.0), still(to_s=13.0)),
        "unknown",
        "only 2.8 s of the 3.0 s are covered by readings (14 readings)",
    ),
    Case(
        "the window was over just before its own end",
        film(CUT, nearing_its_end(3.25), [saw(10.25 + 0.5 * n, "cancelled", 0.0) for n in range(20)]),
        "holds",
        "it did not move for 3.0 s, in which 3 updates were due",
        observations=("The record of progress was lost: 57.5 % before the cancel, 0.0 % after it.",),
        figures={"frozen_s": 3.0, "updates_due": 3.0, "longest_step_s": 1.0},
    ),
    Case(
        "a rise is one whenever it would have ended by itself",
        film(CUT, nearing_its_end(3.0), still(to_s=16.0), saw(16.5, "cancelled", 5.0)),
        "violated",
        "it rose once, from 0.0 % to 5.0 %, 6.3 s after it had ended",
        16.5,
    ),
    Case(
        "a percentage that cannot be right, at the end",
        film(CUT, RAN, saw(10.2, "cancelled", percentage_problem="101 is not between 0 and 100")),
        "violated",
        "its percentage cannot be right: 101 is not between 0 and 100",
        10.2,
    ),
    Case(
        "a percentage that cannot be right, later",
        film(CUT, RAN, still(), saw(14.5, "cancelled", percentage_problem="'x' is no number")),
        "violated",
        "its percentage cannot be right: 'x' is no number",
        14.5,
    ),
    Case(
        "a jump to 100 at the end",
        film(CUT, RAN, still(percentage=100.0)),
        "violated",
        'it jumped from 4.5 % to 100.0 % when it became "cancelled"',
        10.2,
    ),
    Case(
        "a jump is measured by the steepest step",
        film(CUT, RAN[:4], saw(9.0, "running", 8.5), saw(10.2, "cancelled", 17.0)),
        "unknown",
        "only 0.0 s of the 8.2 s are covered by readings (0 readings)",
    ),
    Case(
        "its current step goes on",
        film(CUT, RAN, still(to_s=11.0), stepped(11.2, "bar 4"), stepped(11.5, "bar 5"), stepped(12.0, "bar 6")),
        "violated",
        'its current step goes on, from "bar 4" to "bar 6" by 1.8 s after it had ended',
        12.0,
    ),
    Case(
        "a step begins again",
        film(CUT, RAN, still(to_s=11.0), stepped(11.3, None), stepped(11.5, "bar 5"), stepped(12.0, "bar 6")),
        "violated",
        'its current step goes on, from "" to "bar 6" by 1.8 s after it had ended',
        12.0,
    ),
    Case(
        "it goes on falling",
        film(CUT, RAN, still(percentage=4.5), [saw(14.2 + n, "cancelled", 3.0 - n) for n in range(2)]),
        "violated",
        "its progress goes on falling, from 4.5 % to 2.0 % by 5.0 s after it had ended",
        15.2,
    ),
    Case(
        "it falls to 0 a while after its end, and before that within the first second",
        film(
            CUT,
            RAN,
            saw(10.2, "cancelled", 4.5),
            saw(10.7, "cancelled", 3.0),
            [saw(11.2 + 0.5 * n, "cancelled", 2.0 if n < 2 else 0.0) for n in range(8)],
        ),
        "holds",
        "it did not move for 4.5 s, in which 3 updates were due",
        figures={"frozen_s": 4.5, "updates_due": 3.0, "longest_step_s": 1.25},
    ),
    Case(
        "its items are counted on",
        film(CUT, RAN, still(to_s=11.0), processed(11.2, 1200), processed(11.5, 1200), processed(12.0, 1250)),
        "violated",
        "it counts on, from 1,200 to 1,250 items, 1.8 s after it had ended",
        12.0,
    ),
    Case(
        "items begin to be counted after the end",
        film(CUT, RAN, still(to_s=11.0), processed(11.2, None), processed(11.5, 1)),
        "violated",
        "it counts on, from 0 to 1 items, 1.3 s after it had ended",
        11.5,
    ),
    Case(
        "what was counted until the end may come in a second later, and be begun anew",
        film(CUT, RAN, still(to_s=10.9), processed(11.1, 1200), processed(11.2, 1250), processed(15.0, 0)),
        "unknown",
        "only 1.0 s of the 3.8 s are covered by readings (7 readings)",
    ),
    Case(
        "its step comes back, but for its numbers",
        film(
            CUT,
            RAN,
            stepped(9.5, "Bar 12 of 90", "running"),
            still(to_s=11.0),
            [stepped(11.2, None), stepped(12.0, "Bar 13 of 90"), stepped(13.0, "Bar 13 of 90")],
        ),
        "violated",
        'its current step is "Bar 13 of 90" again, 1.8 s after it had ended',
        12.0,
    ),
    *(
        Case(
            f"{claim}",
            film(CUT, RAN, stepped(9.5, before, "running"), still(to_s=11.0), steps),
            "unknown",
            "only 2.8 s of the 3.8 s are covered by readings (7 readings)",
        )
        for claim, before, steps in (
            ("its step stays", "Bar 12", [stepped(at, "Bar 12") for at in (11.2, 12.0, 13.0)]),
            (
                "its step is a word about the end",
                "Bar 12",
                [stepped(11.2, None), stepped(12.0, "Over"), stepped(13.0, "Over")],
            ),
            ("it had no step, and has none", "", [stepped(11.2, "Over"), stepped(12.0, None), stepped(13.0, None)]),
        )
    ),
    Case(
        "a row of the list tells neither step nor count",
        film(
            CUT,
            RAN,
            still(to_s=11.0),
            [saw(11.2 + n, "cancelled", 0.0, current_step="Over", items_processed=7) for n in range(4)],
            [saw(11.7 + n, "cancelled", 0.0, in_list=True) for n in range(4)],
        ),
        "holds",
        "it did not move for 4.5 s, in which 3 updates were due",
        observations=(LOST,),
        figures={"frozen_s": 4.5, "updates_due": 3.0, "longest_step_s": 1.25},
    ),
    Case(
        "a count that is no number counts nothing",
        film(CUT, RAN, still(to_s=14.0), processed(14.2, "many"), processed(14.5, math.inf), processed(14.6, 0)),
        "holds",
        "it did not move for 4.4 s, in which 3 updates were due",
        observations=(LOST,),
        figures={"frozen_s": 4.4, "updates_due": 3.0, "longest_step_s": 1.25},
    ),
)
def test_is_frozen(case: Case) -> None:
    window_s = frozen_window_s(case.history, B, 2.0, 3.0)
    expected = f"its progress is frozen for at least {window_s:.1f} s after the cancel"
    case.check(is_frozen(case.history, B, 2.0, 3.0), "frozen", expected)


def test_without_a_cancel_frozen_is_unknown() -> None:
    judgement = is_frozen(film(RAN, still()), B, 2.0)
    assert (judgement.verdict, judgement.seen, judgement.expected) == ("unknown", "no cancel was sent", FROZEN)


def test_the_window_is_at_least_the_sentence_s_and_three_usual_updates() -> None:
    assert frozen_window_s(film(CUT, RAN), B, 2.0) == pytest.approx(3.75)
    assert frozen_window_s(film(CUT, RAN), B, 2.0, 5.0) == pytest.approx(6.25)
    assert frozen_window_s(film(CUT, RAN), B, 4.0) == 4.0
    assert frozen_window_s(film(CUT, RAN[:2]), B, 2.0) == 2.0, "one rise tells no step"
    assert frozen_window_s(film(CUT), B, 2.0) == 2.0


def test_where_no_step_is_known_no_update_was_due() -> None:
    judgement = is_frozen(film(CUT, RAN[:2], still(to_s=12.4)), B, 2.0)
    assert (judgement.verdict, judgement.seen) == ("holds", "it did not move for 2.2 s, in which 0 updates were due")
    assert judgement.expected == "its progress is frozen for at least 2.0 s after the cancel"


def test_without_a_known_step_readings_a_second_apart_cover_the_time_and_no_further() -> None:
    covered = [saw(10.0 + n, "cancelled", 0.0) for n in range(1, 5)]
    assert is_frozen(film(CUT, RAN[:2], covered), B, 2.0).holds
    gappy = [saw(10.0 + 1.01 * n, "cancelled", 0.0) for n in range(1, 5)]
    judgement = is_frozen(film(CUT, RAN[:2], gappy), B, 2.0)
    assert judgement.seen == "only 0.0 s of the 2.0 s are covered by readings (3 readings)"


@pytest.mark.parametrize(
    ("percentage", "verdict"),
    # The last reading before the end was asked at 9.75, half a usual step before it. With two steps more, of at most
    # 1.5 each, 4.5 + 3.75 is the most that it can have made.
    [(8.25, "unknown"), (8.26, "violated")],
)
def test_a_jump_is_more_than_the_steps_since_the_last_reading_and_two_more(percentage: float, verdict: str) -> None:
    assert is_frozen(film(CUT, RAN, saw(10.375, "cancelled", percentage)), B, 2.0).verdict == verdict


@pytest.mark.parametrize(("percentage", "verdict"), [(8.0, "unknown"), (8.01, "violated")])
def test_the_steps_of_a_quick_backtest_are_short(percentage: float, verdict: str) -> None:
    """Half a percent every quarter of a second; half a second after the last reading: 2 + 2 steps from 6 %."""
    ran = [saw(7.0 + 0.25 * n, "running", 0.5 + 0.5 * n) for n in range(12)]
    assert is_frozen(film(CUT, ran, saw(10.25, "cancelled", percentage)), B, 2.0).verdict == verdict


def test_the_sentence_says_how_many_updates_must_have_been_missed() -> None:
    assert is_frozen(film(CUT, RAN, still()), B, 2.0, 3.0).holds
    judgement = is_frozen(film(CUT, RAN, still()), B, 2.0, 5.0)
    assert judgement.unknown
    assert judgement.expected == "its progress is frozen for at least 6.2 s after the cancel"


def test_a_little_progress_that_is_lost_is_told_too() -> None:
    told = "The record of progress was lost: 0.5 % before the cancel, 0.0 % after it."
    assert is_frozen(film(CUT, saw(9.0, "running", 0.5), still()), B, 2.0).observations == (told,)


def test_two_rises_are_needed_to_tell_a_jump() -> None:
    assert is_frozen(film(CUT, RAN[:2], still(percentage=100.0)), B, 2.0).holds
    assert is_frozen(film(CUT, RAN[:3], still(percentage=100.0)), B, 2.0).violated


def test_a_backtest_that_never_rose_lost_no_progress() -> None:
    assert is_frozen(film(CUT, RAN[:1], still()), B, 2.0).observations == ()
    assert is_frozen(film(CUT, saw(5.0, "running"), still()), B, 2.0).observations == ()


@cases(
    *NOT_ENDED,
    Case("cancelled, without a result", film(CUT, RAN, still()), "holds", 'it is "cancelled" and has no result'),
    Case(
        "the last reading is told",
        film(CUT, RAN, still(), saw(15.0, "failed")),
        "holds",
        'it is "failed" and has no result',
    ),
    Case(
        "one reading is enough to say so",
        film(CUT, RAN, still(to_s=10.2)),
        "holds",
        'it is "cancelled" and has no result',
    ),
    Case(
        "completed at once",
        film(CUT, RAN, saw(10.2, "completed", 100.0, took_s=0.1)),
        "violated",
        'it is "completed" at 100.0 %',
        10.3,
    ),
    Case(
        "completed with clearly more than the limit left",
        film(CUT, nearing_its_end(3.25), saw(10.2, "completed", 100.0)),
        "violated",
        'it is "completed" at 100.0 %',
        10.2,
    ),
    Case(
        "completed after the limit, and its pace was not seen",
        film(CUT, RAN[:2], saw(12.25, "running", 5.0), saw(12.5, "completed", 100.0)),
        "violated",
        'it is "completed" at 100.0 %',
        12.5,
    ),
    Case(
        "completed as it was about to in any case",
        film(CUT, nearing_its_end(2.75), saw(10.2, "completed", 100.0)),
        "unknown",
        "it was completed 0.20 s after the cancel, too close to its own end to tell: "
        "it was sent at 62.5 %, when about 2.8 s were left at its own pace",
        final=True,
    ),
    Case(
        "cancelled first, and completed as it would have been in any case",
        film(CUT, nearing_its_end(0.5), saw(10.2, "cancelled", 0.0), saw(10.5, "completed", 100.0)),
        "violated",
        'it is "completed" at 100.0 %',
        10.5,
    ),
    Case(
        "completed later, and not any more",
        film(CUT, RAN, still(), saw(15.0, "completed", 100.0), saw(16.0, "cancelled")),
        "violated",
        'it is "completed" at 100.0 %',
        15.0,
    ),
    Case(
        "a result turns up",
        film(CUT, RAN, still(), saw(15.0, "cancelled", 0.0, has_result=True), saw(16.0, "cancelled")),
        "violated",
        'it is "cancelled", yet carries a result summary as if it had completed',
        15.0,
    ),
)
def test_is_not_completed(case: Case) -> None:
    case.check(is_not_completed(case.history, B), "not completed", "the cancelled backtest is not completed")


def ends(completed_at: object, started_s: float | None = None, **facts: Any) -> History:
    started = () if started_s is None else (did("start_sent", started_s),)
    return film(started, CUT, RAN, saw(10.2, "cancelled", 0.0, completed_at=completed_at, **facts))


MADE = {"created_at": "2026-11-22T18:52:36Z"}


def seen_running(from_s: float) -> list[Sample]:
    """Readings answered from then on, the last one asked at 9.9 s."""
    return [saw(from_s - 0.3, "running", took_s=0.3), saw(9.9, "running", took_s=0.05)]


def ended_at(at_s: float, second: str) -> Sample:
    return saw(at_s, "cancelled", completed_at=f"2026-11-22T18:52:{second}Z")


def began_at(at_s: float, second: str) -> Sample:
    times = {"started_at": f"2026-11-22T18:52:{second}Z", "completed_at": "2026-11-22T18:52:44.0Z"}
    return saw(at_s, "cancelled", **times)


@cases(
    *NOT_ENDED,
    Case(
        "after it began",
        ends("2026-11-22T18:52:44Z", started_at="2026-11-22T18:52:36Z"),
        "holds",
        "it ended at 2026-11-22T18:52:44Z",
    ),
    Case(
        "in the moment it began, where it was hardly seen running",
        film(CUT, ends("2026-11-22T18:52:44Z", started_at="2026-11-22T18:52:44Z").samples[-1:]),
        "holds",
        "it ended at 2026-11-22T18:52:44Z",
    ),
    Case("with no beginning to compare", ends("2026-11-22T18:52:44Z"), "holds", "it ended at 2026-11-22T18:52:44Z"),
    Case(
        "with and without a zone, both taken as UTC",
        ends("2026-11-22T18:52:44", started_at="2026-11-22T19:52:43+01:00"),
        "holds",
        "it ended at 2026-11-22T18:52:44",
    ),
    Case(
        "with a beginning that is no time",
        ends("2026-11-22T18:52:44Z", started_at="soon"),
        "holds",
        "it ended at 2026-11-22T18:52:44Z",
    ),
    Case("missing in the first records only, so far", ends(None), "unknown", "completed_at is missing so far"),
    Case(
        "missing at first, then there: status and time may be written one after the other",
        film(CUT, RAN, saw(10.2, "cancelled"), saw(10.4, "cancelled", completed_at="2026-11-22T18:52:44Z")),
        "holds",
        "it ended at 2026-11-22T18:52:44Z",
    ),
    Case(
        "still missing half a second later",
        film(CUT, RAN, saw(10.2, "cancelled"), saw(10.7, "cancelled")),
        "violated",
        "completed_at is missing",
        10.7,
    ),
    Case("no time", ends("soon"), "violated", "completed_at is no time: 'soon'", 10.2),
    Case(
        "before it began",
        ends("2026-11-22T18:52:35Z", started_at="2026-11-22T18:52:36Z", created_at="2026-11-22T18:52:30Z"),
        "violated",
        "it ended at 2026-11-22T18:52:35Z, before it began at 2026-11-22T18:52:36Z",
        10.2,
    ),
    Case(
        "before it was created, where it never began",
        ends("2026-11-22T18:52:35Z", created_at="2026-11-22T18:52:36Z"),
        "violated",
        "it ended at 2026-11-22T18:52:35Z, before it began at 2026-11-22T18:52:36Z",
        10.2,
    ),
    *(
        Case(
            f"its worker has a clock that is {words}",
            ends(
                "2026-11-22T18:52:44.5Z",
                created_at="2026-11-22T18:52:36Z",
                started_at=f"2026-11-22T18:{began}Z",
                started_s=1.0,
            ),
            "holds",
            "it ended at 2026-11-22T18:52:44.5Z",
        )
        for words, began in (
            ("fast: it was seen running sooner", "52:45"),
            ("slow: it began before it was made", "51:45"),
        )
    ),
    *(
        Case(
            f"before it began, {words} after it was made, and was seen running two seconds after its start",
            film(CUT, did("start_sent", 1.0), saw(3.0, "running"), ends(over, **MADE, started_at=began).samples[-1:]),
            verdict,
            f"it ended at {over}{f', before it began at {began}' if verdict == 'violated' else ''}",
            10.2 if verdict == "violated" else None,
        )
        for words, began, over, verdict in (
            ("at once", "2026-11-22T18:52:36.000Z", "2026-11-22T18:52:35.5Z", "violated"),
            ("half a second", "2026-11-22T18:52:36.5Z", "2026-11-22T18:52:36.25Z", "violated"),
            ("two seconds", "2026-11-22T18:52:38Z", "2026-11-22T18:52:37.5Z", "violated"),
            ("three seconds", "2026-11-22T18:52:39Z", "2026-11-22T18:52:38.5Z", "holds"),
        )
    ),
    Case(
        "in the second in which it began, told without its fractions",
        ends("2026-11-22T18:52:36Z", created_at="2026-11-22T18:52:36.75Z"),
        "holds",
        "it ended at 2026-11-22T18:52:36Z",
    ),
    Case(
        "before it began, by less than a second, told with fractions",
        ends("2026-11-22T18:52:36.5Z", created_at="2026-11-22T18:52:36.75Z"),
        "violated",
        "it ended at 2026-11-22T18:52:36.5Z, before it began at 2026-11-22T18:52:36.75Z",
        10.2,
    ),
    Case("a number of seconds", ends(1795373564.5), "holds", "it ended at 1795373564.5"),
    Case("in lower case", ends("2026-11-22t18:52:44z"), "holds", "it ended at 2026-11-22t18:52:44z"),
    Case("a truth", ends(True), "violated", "completed_at is no time: True", 10.2),
    Case("no number of seconds", ends(10**30), "violated", f"completed_at is no time: {10**30}", 10.2),
    Case(
        "so long after it began, by its own times, as has passed, and five seconds more",
        ends("2026-11-22T18:52:50.2Z", started_at="2026-11-22T18:52:36Z", started_s=1.0),
        "holds",
        "it ended at 2026-11-22T18:52:50.2Z",
    ),
    Case(
        "longer after it began than has passed",
        ends("2026-11-22T18:52:50.3Z", started_at="2026-11-22T18:52:36Z", started_s=1.0),
        "violated",
        "it ended at 2026-11-22T18:52:50.3Z, 14 s after it began at 2026-11-22T18:52:36Z, when only 9 s had passed",
        10.2,
    ),
    Case(
        "in the moment it began, by its own times, though it was seen running for more than a second",
        film(CUT, seen_running(8.8), ends("2026-11-22T18:52:44Z", started_at="2026-11-22T18:52:44Z").samples[-1:]),
        "violated",
        "it ended at 2026-11-22T18:52:44Z, 0 s after it began at 2026-11-22T18:52:44Z, and was seen running for 1.1 s",
        10.2,
    ),
    Case(
        "nearly then: a clock may be set back by as much, but not to the very same time",
        film(CUT, seen_running(2.0), ends("2026-11-22T18:52:44.1Z", started_at="2026-11-22T18:52:44Z").samples[-1:]),
        "holds",
        "it ended at 2026-11-22T18:52:44.1Z",
    ),
    Case(
        "in the very moment it began, told in parts of a second, and it was read twice",
        film(
            CUT, seen_running(9.8), ends("2026-11-22T18:52:44.25Z", started_at="2026-11-22T18:52:44.25Z").samples[-1:]
        ),
        "violated",
        "it ended at 2026-11-22T18:52:44.25Z, 0 s after it began at 2026-11-22T18:52:44.25Z, and was seen running for 0.1 s",
        10.2,
    ),
    Case(
        "in the very moment it began, and it was read once",
        film(
            CUT, saw(9.8, "running"), ends("2026-11-22T18:52:44.25Z", started_at="2026-11-22T18:52:44.25Z").samples[-1:]
        ),
        "holds",
        "it ended at 2026-11-22T18:52:44.25Z",
    ),
    Case(
        "in the second in which it began",
        film(CUT, seen_running(8.9), ends("2026-11-22T18:52:44Z", started_at="2026-11-22T18:52:44Z").samples[-1:]),
        "holds",
        "it ended at 2026-11-22T18:52:44Z",
    ),
    Case(
        "what was pending, or ran after the cancel, is not counted",
        film(
            CUT,
            saw(2.0, "pending", took_s=0.1),
            saw(9.0, "running", took_s=0.1),
            saw(9.9, "running", took_s=0.1),
            saw(10.1, "running"),
            ends("2026-11-22T18:52:44Z", started_at="2026-11-22T18:52:44Z").samples[-1:],
        ),
        "holds",
        "it ended at 2026-11-22T18:52:44Z",
    ),
    Case(
        "long after it began, and nobody knows how much has passed",
        ends("2026-11-22T20:52:51Z", started_at="2026-11-22T18:52:36Z"),
        "holds",
        "it ended at 2026-11-22T20:52:51Z",
    ),
    Case(
        "the time of its end moves by two and a half seconds",
        film(CUT, RAN, saw(10.2, "cancelled"), ended_at(10.4, "44.0"), ended_at(10.6, "46.5"), ended_at(10.8, "41.5")),
        "holds",
        "it ended at 2026-11-22T18:52:41.5Z",
    ),
    Case(
        "the time of its end moves by more, from the first that was told",
        film(CUT, RAN, saw(10.2, "cancelled"), ended_at(10.4, "44.0"), ended_at(10.6, "46.0"), ended_at(10.8, "46.6")),
        "violated",
        "the time of its end moves: first 2026-11-22T18:52:44.0Z, then 2026-11-22T18:52:46.6Z",
        10.8,
    ),
    Case(
        "it ended, ran again, and ended once more",
        film(CUT, RAN, ended_at(10.2, "44.0"), saw(10.6, "running", 4.5), ended_at(10.8, "44.6")),
        "violated",
        'it was "running" at 4.5 % again, and ended once more: '
        "first 2026-11-22T18:52:44.0Z, then 2026-11-22T18:52:44.6Z",
        10.8,
    ),
    *(
        Case(
            f"it moves by half a second, and {words}",
            film(CUT, RAN, ended_at(10.2, "44.0"), readings),
            "holds",
            f"it ended at 2026-11-22T18:52:{last}Z",
        )
        for words, last, readings in (
            (
                "more, shown running at that time",
                "45.0",
                [saw(10.6, "running", 4.5), ended_at(10.6, "45.0")],
            ),
            ("it was shown running before that", "44.5", [saw(10.6, "running", 4.5), ended_at(10.8, "44.5")]),
            ("more, shown running after that", "45.0", [ended_at(10.4, "45.0"), saw(10.6, "running", 4.5)]),
            (
                "more, running in a row of the list",
                "45.0",
                [saw(10.6, "running", 4.5, in_list=True), ended_at(10.8, "45.0")],
            ),
        )
    ),
    Case(
        "it moves by more than half a second, a second after the end",
        film(CUT, RAN, saw(10.2, "cancelled"), ended_at(10.4, "44.0"), ended_at(11.2, "45.0"), ended_at(12.0, "45.6")),
        "violated",
        "the time of its end moves: first 2026-11-22T18:52:45.0Z, then 2026-11-22T18:52:45.6Z",
        12.0,
    ),
    Case(
        "by half a second: it may be told in another way",
        film(CUT, RAN, ended_at(10.2, "44.0"), ended_at(11.2, "45.0"), ended_at(12.0, "45.5"), ended_at(13.0, "44.5")),
        "holds",
        "it ended at 2026-11-22T18:52:44.5Z",
    ),
    Case(
        "by more within the first second: a worker's own time takes the place of the backend's",
        film(CUT, RAN, ended_at(10.2, "44.0"), ended_at(11.19, "45.0"), ended_at(12.0, "44.3")),
        "holds",
        "it ended at 2026-11-22T18:52:44.3Z",
    ),
    Case(
        "what ends in another way is another rule's",
        film(CUT, RAN, ended_at(10.2, "44.0"), saw(12.0, "completed", completed_at="2026-11-22T18:52:50Z")),
        "holds",
        "it ended at 2026-11-22T18:52:50Z",
    ),
    Case(
        "of several cancels at once a second one is another rule's",
        film(
            CUT,
            RAN,
            did(ONE_OF_SEVERAL_ANSWERED, 10.1),
            ended_at(10.2, "44.0"),
            ended_at(11.2, "44.0"),
            ended_at(12.0, "45.0"),
        ),
        "holds",
        "it ended at 2026-11-22T18:52:45.0Z",
    ),
    Case(
        "the first move of two is told",
        film(CUT, RAN, ended_at(10.2, "44.0"), ended_at(11.2, "44.0"), ended_at(12.0, "44.6"), ended_at(13.0, "50.0")),
        "violated",
        "the time of its end moves: first 2026-11-22T18:52:44.0Z, then 2026-11-22T18:52:44.6Z",
        12.0,
    ),
    Case(
        "the first move of two is told, though the record had not settled by then",
        film(CUT, RAN, ended_at(10.2, "44.0"), ended_at(10.8, "47.0"), ended_at(11.2, "47.0"), ended_at(12.0, "48.0")),
        "violated",
        "the time of its end moves: first 2026-11-22T18:52:44.0Z, then 2026-11-22T18:52:47.0Z",
        10.8,
    ),
    Case(
        "it moves back",
        film(CUT, RAN, ended_at(10.2, "44.0"), ended_at(10.8, "41.4"), ended_at(11.0, "44.0")),
        "violated",
        "the time of its end moves: first 2026-11-22T18:52:44.0Z, then 2026-11-22T18:52:41.4Z",
        10.8,
    ),
    Case(
        "the time of its beginning moves, a second after the end",
        film(CUT, RAN, began_at(10.2, "35.0"), began_at(11.2, "36.0"), began_at(12.0, "36.6"), began_at(13.0, "39.0")),
        "violated",
        "the time of its beginning moves after its end: first 2026-11-22T18:52:36.0Z, then 2026-11-22T18:52:36.6Z",
        12.0,
    ),
    Case(
        "by half a second: it may be told in another way",
        film(CUT, RAN, began_at(11.2, "36.0"), ended_at(11.6, "44.0"), began_at(12.0, "36.5"), began_at(13.0, "35.5")),
        "holds",
        "it ended at 2026-11-22T18:52:44.0Z",
    ),
    Case(
        "by half a second, long after the end",
        film(CUT, RAN, ended_at(10.2, "44.0"), began_at(11.5, "36.0"), began_at(12.5, "36.5")),
        "holds",
        "it ended at 2026-11-22T18:52:44.0Z",
    ),
    Case(
        "missing in a later record, though another has it",
        film(
            CUT,
            RAN,
            saw(10.2, "cancelled", completed_at="2026-11-22T18:52:44Z"),
            saw(10.9, "cancelled", took_s=0.1),
            saw(11.6, "cancelled", completed_at="2026-11-22T18:52:44Z"),
        ),
        "violated",
        "completed_at is missing",
        11.0,
    ),
    Case(
        "what a record says after it came back to life is no matter",
        film(CUT, RAN, saw(10.2, "cancelled", completed_at="2026-11-22T18:52:44Z"), saw(10.4, "running")),
        "holds",
        "it ended at 2026-11-22T18:52:44Z",
    ),
)
def test_records_its_end(case: Case) -> None:
    case.check(records_its_end(case.history, B), "end recorded", "its record says when it ended")


@pytest.mark.parametrize(
    "steps",
    [
        [stepped(11.0, "bar 3"), stepped(11.1, "bar 4"), stepped(11.5, "bar 5")],
        [stepped(11.3, "bar 4"), stepped(11.5, None)],
        [stepped(11.3, "bar 4"), stepped(11.5, "bar 4"), stepped(11.7, "cancelled"), stepped(11.8, "cancelled")],
        [
            stepped(11.3, "bar 4"),
            stepped(11.5, "bar 5", "running"),
            stepped(11.6, "bar 6", "running"),
            stepped(11.7, "bar 4"),
        ],
    ],
    ids=[
        "in the first second",
        "it ends",
        "it ends with a word",
        "what is seen of before the cancel is another rule's",
    ],
)
def test_a_step_that_does_not_go_on_is_no_progress(steps: list[Sample]) -> None:
    before_it = [saw(10.2, "cancelled", 0.0), saw(10.9, "cancelled", 0.0)]
    history = film(CUT, RAN, before_it, steps, [saw(11.9 + 0.5 * n, "cancelled", 0.0) for n in range(20)])
    assert "step" not in is_frozen(history, B, 2.0).seen


def forgot(at_s: float) -> Sample:
    return saw(at_s, "missing", view="list", whole=True)


def listed(at_s: float, status: str, took_s: float = 0.0, percentage: float | None = None, **facts: Any) -> Sample:
    return saw(at_s, status, percentage, view="list", took_s=took_s, **facts)


def told_in_the_list(**facts: Any) -> History:
    """The list had it so while it ran; and what was asked for, and its record."""
    payload = {"symbol": "EURUSD", "timeframe": "1d", "strategy_name": "mean_reversion"}
    made = saw(9.0, "running", 4.0, created_at="2026-11-22T18:52:36.1Z")
    rows = listed(9.5, "running", **facts), listed(12.0, "cancelled")
    return film(CUT, RAN, made, still(), *rows, payload=payload)


def check_the_list(case: Case) -> None:
    expected = "the list of backtests says the same as the backtest's own record"
    case.check(list_agrees(case.history, B), "list agrees", expected)


def another(at_s: float, status: str = "running", of: str = OTHER, **facts: Any) -> Sample:
    return saw(at_s, status, 3.0, view="list", of=of, **facts)


RUNS_ON = saw(11.5, "running", 5.0, of=OTHER)
GONE = [another(11.0, "missing", whole=True), another(12.0, "missing", whole=True)]
FORGOTTEN = f'the list is whole by its own count, and does not name {OTHER} any more, which is "running" at 5.0 %'


def lists(*parts: Part) -> History:
    return film(CUT, RAN, still(), listed(12.0, "cancelled"), *parts)


@cases(
    Case(
        "another one that runs is not named for a second",
        lists(another(9.0), *GONE, another(11.9, "missing", whole=True), RUNS_ON),
        "violated",
        FORGOTTEN,
        12.0,
    ),
    Case(
        "from the moment on in which the cancel was sent",
        lists(another(9.0), another(10.0, "missing", whole=True), *GONE, RUNS_ON),
        "violated",
        FORGOTTEN,
        11.0,
    ),
    Case(
        "somebody else's, by its record that was read once",
        lists(
            another(9.0),
            another(11.0, "missing", whole=True),
            another(12.0, "missing", whole=True),
            saw(11.0, "running", 5.0, view="other", of=OTHER),
        ),
        "violated",
        FORGOTTEN,
        12.0,
    ),
    Case(
        "for less than a second",
        lists(another(9.0), another(11.1, "missing", whole=True), another(12.0, "missing", whole=True), RUNS_ON),
        "unknown",
        f"{FORGOTTEN}; it may come right",
    ),
    *(
        Case(why, lists(*parts), "holds", 'both say "cancelled"')
        for why, parts in {
            "it has ended": [another(9.0), *GONE, saw(11.5, "completed", 100.0, of=OTHER)],
            "its record was read before only": [another(9.0), *GONE, saw(10.9, "running", 5.0, of=OTHER)],
            "the list is not known to be whole": [another(9.0), another(11.0, "missing"), *GONE[1:], RUNS_ON],
            "it was never named": [*GONE, RUNS_ON],
            "it is named again": [another(9.0), *GONE, another(12.5), RUNS_ON],
            "it was not named before the cancel either": [
                another(8.0),
                another(9.9, "missing", whole=True),
                *GONE,
                RUNS_ON,
            ],
        }.items()
    ),
)
def test_the_list_forgets_nobody_else(case: Case) -> None:
    check_the_list(case)


@cases(
    Case(
        "as it was asked for, in another spelling",
        told_in_the_list(
            symbol="EUR/USD", timeframe="1D", strategy="Mean Reversion", created_at="2026-11-22T18:52:36.6Z"
        ),
        "holds",
        'both say "cancelled"',
    ),
    Case(
        "another symbol",
        told_in_the_list(symbol="GBPUSD"),
        "violated",
        "the list has it with the symbol GBPUSD, and EURUSD was asked for",
        9.5,
    ),
    Case(
        "another timeframe",
        told_in_the_list(symbol="EURUSD", timeframe="1h"),
        "violated",
        "the list has it with the timeframe 1h, and 1d was asked for",
        9.5,
    ),
    Case(
        "another strategy",
        told_in_the_list(strategy="trend"),
        "violated",
        "the list has it with the strategy trend, and mean_reversion was asked for",
        9.5,
    ),
    Case(
        "another time of its making",
        told_in_the_list(created_at="2026-11-22T20:52:36.1Z"),
        "violated",
        "by the list it was created at 2026-11-22T20:52:36.1Z, by its record at 2026-11-22T18:52:36.1Z",
        9.5,
    ),
    Case(
        "what was asked for is not known, and its record does not say when it was made",
        film(CUT, RAN, still(), listed(12.0, "cancelled", symbol="GBPUSD", created_at="2026-11-22T20:52:36.1Z")),
        "holds",
        'both say "cancelled"',
    ),
)
def test_the_list_has_it_with_its_own_data(case: Case) -> None:
    check_the_list(case)


@cases(
    Case(
        "it goes on in the list alone",
        film(
            CUT,
            RAN,
            still(),
            [listed(at, "cancelled", percentage=p) for at, p in ((11.3, 5.0), (12.0, None), (13.0, 5.1))],
        ),
        "violated",
        "in the list its progress goes on, from 5.0 % to 5.1 %",
        13.0,
    ),
    Case(
        "it is done in the list alone",
        film(CUT, RAN, still(), listed(11.3, "cancelled"), listed(13.0, "cancelled", percentage=99.9)),
        "violated",
        "the list has it at 99.9 %, its record at 0.0 %",
        13.0,
    ),
    Case(
        "it falls in the list, and keeps another height there than in the record",
        film(
            CUT,
            RAN,
            still(),
            [listed(at, "cancelled", percentage=p) for at, p in ((11.3, 5.0), (12.0, 4.0), (13.0, 4.0))],
        ),
        "holds",
        'both say "cancelled"',
    ),
    Case(
        "within a second of the end it may come right",
        film(
            CUT,
            RAN,
            still(),
            [listed(at, "cancelled", percentage=p) for at, p in ((11.0, 0.0), (11.2, 100.0), (12.0, 4.0))],
        ),
        "holds",
        'both say "cancelled"',
    ),
    Case(
        "a row that says otherwise is about another end",
        film(
            CUT,
            RAN,
            still(to_s=12.0),
            listed(12.0, "cancelled", percentage=0.0),
            saw(12.5, "completed", 100.0),
            listed(13.0, "completed", percentage=100.0),
        ),
        "holds",
        'both say "completed"',
    ),
    Case(
        "both are nearly done",
        film(CUT, RAN, still(percentage=99.9), listed(12.0, "cancelled", percentage=99.9)),
        "holds",
        'both say "cancelled"',
    ),
    Case(
        "both are done",
        film(CUT, RAN, still(percentage=100.0), listed(12.0, "cancelled", percentage=100.0)),
        "holds",
        'both say "cancelled"',
    ),
)
def test_progress_in_the_list_is_progress(case: Case) -> None:
    check_the_list(case)


@cases(
    *NOT_ENDED,
    Case("it says cancelled", film(CUT, RAN, still(), listed(12.0, "cancelled")), "holds", 'both say "cancelled"'),
    Case(
        "it was not read after the end",
        film(CUT, RAN, still(), listed(9.0, "running"), listed(10.2, "running")),
        "unknown",
        "the list was not read after the end",
    ),
    Case(
        "it does not name it",
        film(CUT, RAN, still(), listed(12.0, "cancelled"), listed(13.0, "missing")),
        "holds",
        "the list does not name it",
        observations=("The list of backtests does not name the cancelled one.",),
    ),
    Case(
        "it is whole, names it no more, and may come right",
        film(CUT, RAN, still(), listed(9.0, "running"), forgot(11.3), forgot(12.29)),
        "unknown",
        "the list is whole by its own count, and does not name it any more; it may come right",
    ),
    Case(
        "it is whole and has forgotten it",
        film(CUT, RAN, still(), listed(9.0, "running"), forgot(11.3), forgot(12.3), forgot(13.0)),
        "violated",
        "the list is whole by its own count, and does not name it any more, 2.1 s after the end",
        12.3,
    ),
    Case(
        "it was named once more after the end, and forgotten then",
        film(CUT, RAN, still(), forgot(9.0), listed(12.0, "cancelled"), forgot(12.3), forgot(13.3)),
        "violated",
        "the list is whole by its own count, and does not name it any more, 3.1 s after the end",
        13.3,
    ),
    *(
        Case(
            f"the list has the new backtest as ended, and its record {words}",
            film(
                CUT,
                RAN,
                still(),
                listed(13.0, "cancelled"),
                saw(13.5, "cancelled", of=NEXT, view="list"),
                record,
                next_backtest=NEXT,
            ),
            "violated" if told else "holds",
            f'the list has the new backtest as "cancelled", its record as {told}' if told else 'both say "cancelled"',
            13.5 if told else None,
        )
        for words, record, told in (
            ("runs on", [saw(13.4, "running", 2.0, of=NEXT), saw(13.5, "running", 3.0, of=NEXT)], '"running" at 3.0 %'),
            ("has ended otherwise", saw(13.5, "completed", 100.0, of=NEXT), '"completed" at 100.0 %'),
            (
                "had ended otherwise just before",
                [saw(13.3, "completed", of=NEXT), saw(13.6, "cancelled", of=NEXT)],
                '"completed"',
            ),
            ("ran before it", saw(13.4, "running", 2.0, of=NEXT), ""),
            ("is gone", saw(13.6, "missing", of=NEXT), ""),
            ("has ended so as well", saw(13.6, "cancelled", of=NEXT), ""),
        )
    ),
    Case(
        "the list has the new backtest as completed, and its record had failed",
        film(
            CUT,
            RAN,
            still(),
            listed(13.0, "cancelled"),
            saw(13.5, "completed", of=NEXT, view="list"),
            saw(13.5, "failed", of=NEXT),
            next_backtest=NEXT,
        ),
        "violated",
        'the list has the new backtest as "completed", its record as "failed"',
        13.5,
    ),
    Case(
        "the list has the new backtest as completed, and its record, which lags, as running",
        film(
            CUT,
            RAN,
            still(),
            listed(13.0, "cancelled"),
            saw(13.5, "completed", of=NEXT, view="list"),
            saw(13.6, "running", of=NEXT),
            next_backtest=NEXT,
        ),
        "holds",
        'both say "cancelled"',
    ),
    Case(
        "the list has the new backtest as cancelled, since this run ended it, and its record lags",
        film(
            CUT,
            RAN,
            still(),
            listed(13.0, "cancelled"),
            did("clean_up", 13.5, NEXT),
            saw(13.5, "cancelled", of=NEXT, view="list"),
            saw(13.6, "running", of=NEXT),
            next_backtest=NEXT,
        ),
        "holds",
        'both say "cancelled"',
    ),
    Case(
        "the list has the new backtest as running, and its record has ended",
        film(
            CUT,
            RAN,
            still(),
            listed(13.0, "cancelled"),
            saw(13.5, "running", of=NEXT, view="list"),
            saw(13.6, "completed", of=NEXT),
            next_backtest=NEXT,
        ),
        "holds",
        'both say "cancelled"',
    ),
    Case(
        "it is not known to be whole",
        film(CUT, RAN, still(), listed(9.0, "running"), forgot(11.3), listed(12.3, "missing"), forgot(13.0)),
        "holds",
        "the list does not name it",
        observations=("The list of backtests does not name the cancelled one.",),
    ),
    Case(
        "it is whole and never named it: another KTRDR's list",
        film(CUT, RAN, still(), forgot(9.0), forgot(11.3), forgot(13.0)),
        "holds",
        "the list does not name it",
        observations=("The list of backtests does not name the cancelled one.",),
    ),
    Case(
        "it names it again",
        film(CUT, RAN, still(), listed(12.0, "missing"), listed(13.0, "cancelled")),
        "holds",
        'both say "cancelled"',
    ),
    Case(
        "it lags for up to a second",
        film(CUT, RAN, still(), listed(11.2, "running")),
        "unknown",
        'the list says "running", the record says "cancelled", 1.0 s after the end',
    ),
    Case(
        "it has caught up",
        film(CUT, RAN, still(), listed(11.2, "running"), listed(12.0, "cancelled")),
        "holds",
        'both say "cancelled"',
    ),
    Case(
        "it still disagrees after more than a second",
        film(CUT, RAN, still(), listed(11.21, "running", took_s=0.2), listed(13.0, "cancelled")),
        "violated",
        'the list says "running", the record says "cancelled", 1.0 s after the end',
        11.41,
    ),
    Case(
        "it disagrees with the record of its own time",
        film(CUT, RAN, still(to_s=12.0), saw(12.5, "running", 5.0), listed(12.3, "running"), listed(13.0, "running")),
        "violated",
        'the list says "running", the record says "cancelled", 2.1 s after the end',
        12.3,
    ),
    Case(
        "it is right where the record is read from a view that lags",
        film(CUT, RAN, still(to_s=11.4), saw(11.6, "running", 4.5), listed(11.7, "cancelled")),
        "holds",
        'both say "cancelled"',
    ),
    Case(
        "both came back to life",
        film(CUT, RAN, still(to_s=12.0), saw(12.5, "running", 5.0), listed(12.5, "running")),
        "holds",
        'both say "running"',
    ),
)
def test_list_agrees(case: Case) -> None:
    check_the_list(case)
