"""While it runs: is it running, is it moving, was it running when the cancel was sent."""

from __future__ import annotations

import pytest

from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.reading import ended_before_cancel
from ktrdr_qa.judge.running import is_moving, is_running, was_running
from ktrdr_qa.record.history import Sample
from tests.judging.film import OTHER, B, Case, cancelled, cases, did, film, lost, saw, started


@pytest.mark.parametrize("verdict", ["holds", "violated", "unknown"])
def test_a_judgement_is_exactly_one_of_three(verdict: str) -> None:
    judgement = Judgement("x", verdict, "", "")  # type: ignore[arg-type]
    assert (judgement.holds, judgement.violated, judgement.unknown) == (
        verdict == "holds",
        verdict == "violated",
        verdict == "unknown",
    )


@cases(
    Case(
        "running at the first reading holds",
        film(started(1.0), saw(1.25, "running", 0.0)),
        "holds",
        "it was running 0.25 s after the start",
    ),
    Case(
        "the moment of the answer counts, not that of the question",
        film(started(1.0), saw(1.25, "running", took_s=0.5)),
        "holds",
        "it was running 0.75 s after the start",
    ),
    Case(
        "pending first, then running in time, holds",
        film(started(), saw(0.5, "pending"), saw(9.9, "running")),
        "holds",
        "it was running 9.90 s after the start",
    ),
    Case(
        "asked exactly at the limit is in time to be seen later",
        film(started(), saw(9.5, "pending"), saw(10.0, "pending"), until_s=10.5),
        "unknown",
        'last "pending", 0.5 s ago (2 readings)',
    ),
    Case(
        "asked a hair after the limit and still pending is late",
        film(started(), saw(9.9, "pending"), saw(10.01, "pending")),
        "violated",
        'it was "pending" 10.0 s after the start (2 readings)',
        10.01,
    ),
    Case(
        "asked before the limit and answered after it is not late",
        film(started(), saw(9.99, "pending", took_s=3.0)),
        "unknown",
        'last "pending", 0.0 s ago (1 reading)',
    ),
    Case(
        "running after a reading that was late stays late",
        film(started(), saw(9.9, "pending"), saw(10.5, "pending"), saw(10.7, "running")),
        "violated",
        'it was "pending" 10.5 s after the start (2 readings)',
        10.5,
    ),
    Case(
        "running first seen after the limit, a second after the last reading, holds",
        film(started(), saw(9.5, "pending"), saw(10.5, "running")),
        "holds",
        "it was running 10.50 s after the start",
    ),
    Case(
        "running first seen after the limit and after a longer gap is unknown",
        film(started(), saw(9.5, "pending"), saw(10.51, "running")),
        "unknown",
        "no reading between 9.5 s and 10.5 s after its start",
    ),
    Case(
        "no reading at all before the limit is unknown, however well it runs later",
        film(started(1.0), saw(13.0, "running")),
        "unknown",
        "no reading between 0.0 s and 12.0 s after its start",
    ),
    Case(
        "a long gap that ends before the limit is no matter",
        film(started(), saw(10.0, "running")),
        "holds",
        "it was running 10.00 s after the start",
    ),
    Case(
        "an undocumented status is named as such",
        film(started(1.0), saw(12.0, "warming up", 3.0)),
        "violated",
        'it was "warming up" at 3.0 %, which is no status that KTRDR documents 11.0 s after the start (1 reading)',
        12.0,
    ),
    Case(
        "no record of it so far: a replica may lag",
        film(started(), saw(0.3, "missing", took_s=0.1), until_s=0.5),
        "unknown",
        'last "missing", 0.1 s ago (1 reading)',
    ),
    Case(
        "a record that turns up late is told with how long it was not there",
        film(
            started(1.0), saw(1.1, "missing"), saw(1.3, "pending"), saw(1.7, "missing", took_s=0.1), saw(2, "running")
        ),
        "holds",
        "it was running 1.00 s after the start",
        observations=("KTRDR had no record of the backtest (HTTP 404) for 0.8 s after its start was accepted.",),
    ),
    Case(
        "how long it was not there counts to the last time, before it was running",
        film(
            started(),
            saw(0.1, "missing"),
            saw(0.3, "missing"),
            saw(0.5, "missing"),
            saw(1, "running"),
            saw(2, "missing"),
        ),
        "holds",
        "it was running 1.00 s after the start",
        observations=("KTRDR had no record of the backtest (HTTP 404) for 0.5 s after its start was accepted.",),
    ),
    Case(
        "no record of it exactly at the limit is not late yet",
        film(started(1.0), saw(1.3, "missing"), saw(11.0, "missing"), until_s=11.0),
        "unknown",
        'last "missing", 0.0 s ago (2 readings)',
    ),
    Case(
        "no record of it a hair after the limit",
        film(started(1.0), saw(1.3, "missing"), saw(11.01, "missing", took_s=0.5), saw(12.0, "running")),
        "violated",
        "KTRDR has no record of it (HTTP 404) 10.0 s after the start",
        11.01,
    ),
    Case(
        "a backtest that had ended before it was seen running proves nothing",
        film(started(), saw(0.3, "pending"), saw(0.5, "completed", 100.0), saw(30.0, "completed", 100.0)),
        "unknown",
        'it was "completed" at 100.0 % before it was seen running',
    ),
    Case("no reading is unknown", film(started(), until_s=3.0), "unknown", "no reading was had"),
    Case(
        "lost readings are counted, with the last reason",
        film(started(), lost(0.5, "reset"), lost(0.7, "no answer within 5.0 s"), until_s=3.0),
        "unknown",
        "no reading was had; 2 lost, the last: no answer within 5.0 s",
    ),
    Case(
        "readings and lost ones are both told",
        film(started(), saw(0.5, "pending", took_s=0.2), lost(0.9, "reset"), until_s=3.0),
        "unknown",
        'last "pending", 2.3 s ago (1 reading); 1 lost, the last: reset',
    ),
    Case("without a start nothing is known", film(saw(20.0, "pending")), "unknown", "it was not started"),
    Case(
        "what other backtests do is no matter",
        film(started(), saw(0.5, "running", of=OTHER), saw(0.5, "running", view="list"), until_s=1.0),
        "unknown",
        "no reading was had",
    ),
)
def test_is_running(case: Case) -> None:
    case.check(is_running(case.history, B, 10.0), "running", "the backtest is running within 10.0 s of its start")


RISING = (saw(2.0, "running", 0.0), saw(3.0, "running", 1.5), saw(4.0, "running", 1.5), saw(5.0, "running", 3.25))


@cases(
    Case(
        "two rises hold",
        film(started(1.0), RISING),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 2.0 s after the start",
        figures={"first_progress_s": 2.0},
    ),
    Case(
        "all the rises before the cancel are counted, none after it",
        film(started(1.0), RISING, saw(6.0, "running", 4.5), saw(6.5, "running", 9.0), did("cancel_sent", 6.0)),
        "holds",
        "it rose from 1.5 % to 4.5 % in 3 steps, the first 2.0 s after the start",
        figures={"first_progress_s": 2.0},
    ),
    Case(
        "one rise is not yet known to move",
        film(started(), RISING[:2], until_s=3.5),
        "unknown",
        'last "running" at 1.5 %, 0.5 s ago (2 readings)',
    ),
    Case(
        "still at 0 % a hair after the limit",
        film(started(), saw(29.9, "running", 0.0), saw(30.01, "running", 0.0)),
        "violated",
        'it never rose above 0 % in 30.0 s: "running" at 0.0 % (2 readings)',
        30.01,
    ),
    Case(
        "still at 0 % exactly at the limit is not late yet",
        film(started(), saw(29.9, "running", 0.0), saw(30.0, "running", 0.0), until_s=30.25),
        "unknown",
        'last "running" at 0.0 %, 0.2 s ago (2 readings)',
    ),
    Case(
        "standing still after one rise",
        film(started(), RISING[:3], saw(34.5, "running", 1.5), saw(34.75, "running", 1.5)),
        "violated",
        'it stood still: "running" at 1.5 % for 31.8 s',
        34.75,
    ),
    Case(
        "coarse steps: the second rise may take half as long again as the first",
        film(started(1.0), saw(21.0, "running", 10.0), saw(60.5, "running", 10.0), saw(61.0, "running", 20.0)),
        "holds",
        "it rose from 10.0 % to 20.0 % in 2 steps, the first 20.0 s after the start",
        figures={"first_progress_s": 20.0},
    ),
    Case(
        "coarse steps, and none for so long",
        film(started(1.0), saw(21.0, "running", 10.0), saw(61.01, "running", 10.0), saw(61.1, "running", 20.0)),
        "violated",
        'it stood still: "running" at 10.0 % for 40.0 s',
        61.01,
    ),
    Case(
        "a first rise that was seen only after the limit may have come in time, and so may the second in its own",
        film(started(), saw(29.9, "running", 0.0), saw(30.5, "running", 10.0), saw(31.0, "running", 20.0)),
        "holds",
        "it rose from 10.0 % to 20.0 % in 2 steps, the first 30.5 s after the start",
        figures={"first_progress_s": 30.5},
    ),
    Case(
        "the first rise has the limit alone",
        film(started(), saw(30.1, "running", 0.0, took_s=0.1), saw(30.3, "running", 10.0), saw(30.4, "running", 20.0)),
        "violated",
        'it never rose above 0 % in 30.0 s: "running" at 0.0 % (1 reading)',
        30.1,
    ),
    Case(
        "a percentage that is null as soon as it runs",
        film(started(), saw(0.5, "pending", 0.0), saw(1.0, "running"), saw(31.0, "running")),
        "violated",
        "its percentage was null in every reading while it ran (2 readings)",
        31.0,
    ),
    Case(
        "a percentage that is null in every reading",
        film(started(), saw(1.0, "running"), saw(31.0, "running")),
        "violated",
        "its percentage was null in every reading while it ran (2 readings)",
        31.0,
    ),
    Case(
        "rising only after a reading that was late stays late",
        film(started(), saw(30.5, "running", 0.0), saw(30.7, "running", 1.0), saw(31.0, "running", 2.0)),
        "violated",
        'it never rose above 0 % in 30.0 s: "running" at 0.0 % (1 reading)',
        30.5,
    ),
    Case(
        "the second rise first seen after the limit, and no gap, holds",
        film(started(), saw(29.0, "running", 1.0), saw(29.8, "running", 1.0), saw(30.8, "running", 2.0)),
        "holds",
        "it rose from 1.0 % to 2.0 % in 2 steps, the first 29.0 s after the start",
        figures={"first_progress_s": 29.0},
    ),
    Case(
        "the second rise first seen after the limit and a gap is unknown",
        film(started(), saw(29.0, "running", 1.0), saw(29.8, "running", 1.0), saw(30.9, "running", 2.0)),
        "unknown",
        "no reading between 29.8 s and 30.9 s after its start",
    ),
    Case(
        "ended before it moved proves nothing",
        film(started(), saw(1.0, "running", 0.0), saw(2.0, "completed", 100.0), saw(40.0, "completed", 100.0)),
        "unknown",
        'it was "completed" at 100.0 % before it was seen moving',
    ),
    Case(
        "progress that falls, and stays down for a second",
        film(started(), RISING, saw(6.0, "running", 3.0), saw(7.0, "running", 3.1, took_s=0.5)),
        "violated",
        "its progress fell from 3.2 % to 3.1 % while it ran",
        7.5,
    ),
    Case(
        "progress that falls for less: of several replicas one may lag",
        film(started(), RISING, saw(6.0, "running", 3.0), saw(6.9, "running", 3.0), saw(7.0, "running", 3.25)),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 3.0 s after the start",
        figures={"first_progress_s": 3.0},
    ),
    Case(
        "and again, counted anew",
        film(started(), RISING, [saw(6.0 + 0.5 * n, "running", 3.25 if n % 2 else 3.0) for n in range(9)]),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 3.0 s after the start",
        figures={"first_progress_s": 3.0},
    ),
    Case(
        "fallen by so little that it takes more digits to tell",
        film(started(), RISING, saw(6.0, "running", 3.24), saw(7.0, "running", 3.24)),
        "violated",
        "its progress fell from 3.25 % to 3.24 % while it ran",
        7.0,
    ),
    Case(
        "progress that falls after other words than running",
        film(
            started(), saw(1.0, "pending"), saw(2.0, "running", 5.0), [saw(3.0 + n, "running", 4.0) for n in range(2)]
        ),
        "violated",
        "its progress fell from 5.0 % to 4.0 % while it ran",
        4.0,
    ),
    Case(
        "progress may fall where it resumes",
        film(
            started(), RISING, saw(5.5, "running", 1.0), saw(6.0, "resuming"), [saw(n, "running", 1.0) for n in (7, 8)]
        ),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 3.0 s after the start",
        figures={"first_progress_s": 3.0},
    ),
    Case(
        "a fall is seen across a reading without a percentage",
        film(
            started(),
            saw(1.0, "running", 5.0),
            saw(2.0, "running"),
            saw(3.0, "running", 4.0),
            saw(3.5, "running"),
            saw(4.0, "running", 4.0),
        ),
        "violated",
        "its progress fell from 5.0 % to 4.0 % while it ran",
        4.0,
    ),
    Case(
        "a percentage that cannot be right",
        film(started(), RISING, saw(6.0, "running", percentage_problem="-3 is not between 0 and 100")),
        "violated",
        "its percentage cannot be right: -3 is not between 0 and 100",
        6.0,
    ),
    Case(
        "a wrong percentage before it runs is no matter yet",
        film(started(), saw(1.0, "pending", percentage_problem="'none' is no number"), RISING),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 3.0 s after the start",
        figures={"first_progress_s": 3.0},
    ),
    Case(
        "pending again for a second after it was first running: a replica that lags",
        film(started(), saw(2.0, "running", 0.0, took_s=0.25), saw(3.25, "pending"), RISING[1:]),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 3.0 s after the start",
        figures={"first_progress_s": 3.0},
    ),
    Case(
        "pending again a hair later",
        film(started(), saw(2.0, "running", 0.0, took_s=0.25), saw(3.26, "pending"), RISING[1:]),
        "violated",
        'it went back from "running" to "pending"',
        3.26,
    ),
    Case(
        "a record that is not there at the first reading of its running may have been asked for before",
        film(started(), saw(2.0, "missing"), saw(2.0, "running", 0.0), saw(3.0, "missing"), RISING[1:]),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 3.0 s after the start",
        figures={"first_progress_s": 3.0},
    ),
    Case(
        "a strange status in the moment in which it was first running",
        film(started(), saw(2.0, "running", 0.0), saw(2.0, "queued"), RISING[1:]),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 3.0 s after the start",
        figures={"first_progress_s": 3.0},
    ),
    Case(
        "going back to pending",
        film(started(), RISING, saw(6.0, "pending")),
        "violated",
        'it went back from "running" to "pending"',
        6.0,
    ),
    Case(
        "a status that nobody has heard of",
        film(started(), RISING, saw(6.0, "melting")),
        "violated",
        'it went from "running" to "melting", which is no status that KTRDR documents',
        6.0,
    ),
    Case(
        "a record that is gone for less than a second while it runs is no matter",
        film(started(), RISING[:2], saw(3.1, "missing"), saw(4.0, "missing"), RISING[2:]),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 3.0 s after the start",
        figures={"first_progress_s": 3.0},
    ),
    Case(
        "a percentage that cannot be right, after a record that was gone for a moment",
        film(started(), RISING, saw(6.0, "missing"), saw(6.5, "running", percentage_problem="-3 is below 0")),
        "violated",
        "its percentage cannot be right: -3 is below 0",
        6.5,
    ),
    Case(
        "a record lost while it runs, for a second",
        film(started(), RISING, saw(6.0, "missing"), saw(6.5, "missing"), saw(7.0, "missing", took_s=0.1)),
        "violated",
        "KTRDR lost the record of the running backtest (HTTP 404)",
        7.1,
    ),
    Case(
        "a record that was lost and is there again was lost",
        film(started(), RISING[:2], saw(3.25, "missing"), saw(4.25, "missing"), saw(4.5, "missing"), RISING[3]),
        "violated",
        "KTRDR lost the record of the running backtest (HTTP 404)",
        4.25,
    ),
    Case(
        "two readings without a record that others part are no second of it",
        film(started(), RISING[:2], saw(3.1, "missing"), RISING[2], saw(4.2, "missing"), RISING[3]),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 3.0 s after the start",
        figures={"first_progress_s": 3.0},
    ),
    Case(
        "pending and strange words before it runs are no matter",
        film(started(), saw(0.05, "missing"), saw(1.1, "missing"), saw(1.2, "pending"), saw(1.3, "queued"), RISING),
        "holds",
        "it rose from 1.5 % to 3.2 % in 2 steps, the first 3.0 s after the start",
        figures={"first_progress_s": 3.0},
    ),
    Case(
        "percentages before it runs are no rises",
        film(started(), saw(0.1, "pending", 1.0), saw(0.2, "pending", 2.0), saw(0.3, "running", 3.0), until_s=0.5),
        "unknown",
        'last "running" at 3.0 %, 0.2 s ago (3 readings)',
    ),
    *(
        Case(
            f"a longer one after a shorter one that moved in {words}",
            film(
                did("start_answered", 0.0, OTHER),
                [saw(1.0 + n, "running", height, of=OTHER) for n, height in enumerate(heights)],
                did("start_answered", 10.0),
                saw(20.0, "running", 0.0),
                saw(40.1, "running", 0.0),
            ),
            verdict,
            f'it never rose above 0 % in 30.0 s: "running" at 0.0 % (2 readings){more}',
            at_s,
            final=final,
        )
        for words, heights, verdict, more, at_s, final in (
            (
                "coarse steps",
                (0.0, 20.0, 25.0, 40.0),
                "unknown",
                "; a shorter one moved in steps of 5.0 %: too coarse to tell for a longer one by then",
                None,
                True,
            ),
            (
                "two coarse steps",
                (0.0, 5.5, 20.0),
                "unknown",
                "; a shorter one moved in steps of 5.5 %: too coarse to tell for a longer one by then",
                None,
                True,
            ),
            ("steps of which one is fine", (0.0, 20.0, 24.9, 40.0), "violated", "", 40.1, False),
            ("one step, which tells nothing", (0.0, 20.0), "violated", "", 40.1, False),
            ("no step", (0.0, 0.0), "violated", "", 40.1, False),
        )
    ),
    Case(
        "its own coarse steps, and those of one that is started later, excuse nothing",
        film(
            started(),
            did("start_answered", 0.5, OTHER),
            did("start_answered", 0.0, "op_3"),
            [saw(1.0 + n, "running", 20.0 * n, of="op_3") for n in range(4)],
            [saw(1.0 + n, "running", 20.0 * n, of=OTHER) for n in range(4)],
            saw(30.1, "running", 0.0),
            [saw(31.0 + n, "running", 20.0 * n) for n in range(4)],
        ),
        "violated",
        'it never rose above 0 % in 30.0 s: "running" at 0.0 % (1 reading)',
        30.1,
    ),
    Case("without a start nothing is known", film(RISING), "unknown", "it was not started"),
    Case("no reading is unknown", film(started(), until_s=40.0), "unknown", "no reading was had"),
)
def test_is_moving(case: Case) -> None:
    case.check(is_moving(case.history, B, 30.0), "moving", "its progress is above 0 % and moving within 30.0 s")


@cases(
    Case(
        "running above 0 % in the last reading",
        film(cancelled(), saw(9.0, "pending"), saw(10.0, "running", 2.25), saw(10.1, "cancelled", 0.0)),
        "holds",
        "it was running at 2.2 %",
        figures={"cancelled_at_percent": 2.25},
    ),
    Case(
        "0 % in the last reading, a second after another: a replica that lags",
        film(cancelled(), saw(8.25, "running", 4.0, took_s=0.25), saw(9.5, "running", 0.0)),
        "holds",
        "it was running at 4.0 %",
        figures={"cancelled_at_percent": 4.0},
    ),
    Case(
        "0 % in the last reading, for a hair longer",
        film(cancelled(), saw(8.25, "running", 4.0, took_s=0.25), saw(9.51, "running", 0.0)),
        "violated",
        "it was running, but still at 0.0 %",
        9.51,
    ),
    Case(
        "pending in the last reading, and before it running: a replica that lags",
        film(cancelled(), saw(9.0, "running", 4.0), saw(9.25, "running", 5.0), saw(9.5, "pending")),
        "holds",
        "it was running at 5.0 %",
        figures={"cancelled_at_percent": 5.0},
    ),
    Case(
        "running a little above 0 %",
        film(cancelled(), saw(9.5, "running", 0.5)),
        "holds",
        "it was running at 0.5 %",
        figures={"cancelled_at_percent": 0.5},
    ),
    Case(
        "running, but still at 0 %",
        film(cancelled(), saw(9.5, "running", 0.0, took_s=0.25)),
        "violated",
        "it was running, but still at 0.0 %",
        9.75,
    ),
    Case(
        "running, without a percentage",
        film(cancelled(), saw(9.5, "running")),
        "violated",
        "it was running, but still at no percentage",
        9.5,
    ),
    Case(
        "pending",
        film(cancelled(), saw(9.5, "pending", 4.0)),
        "violated",
        'it was "pending" at 4.0 % in the last reading before the cancel',
        9.5,
    ),
    Case(
        "ended before the cancel proves nothing",
        film(cancelled(), saw(9.0, "running", 4.0), saw(9.5, "completed", 100.0)),
        "unknown",
        'it was "completed" at 100.0 % in the last reading before the cancel',
    ),
    Case(
        "a reading answered after the cancel was sent is none from before it",
        film(cancelled(), saw(9.9, "running", 4.0, took_s=0.2)),
        "unknown",
        "no reading was had before the cancel",
    ),
    Case(
        "a record that was not there in the last reading may be a replica's lag: the one before counts",
        film(cancelled(), saw(9.0, "running", 4.0), saw(9.5, "missing")),
        "holds",
        "it was running at 4.0 %",
        figures={"cancelled_at_percent": 4.0},
    ),
    Case(
        "a record that was in no reading",
        film(cancelled(), saw(9.0, "missing"), saw(9.5, "missing")),
        "unknown",
        "no reading was had before the cancel",
    ),
    Case("no cancel", film(saw(9.5, "running", 4.0)), "unknown", "no cancel was sent"),
)
def test_was_running(case: Case) -> None:
    case.check(
        was_running(case.history, B), "was running", "the backtest was running, above 0 %, when the cancel was sent"
    )


DONE = saw(9.0, "completed", 100.0)
FAILED_AT_THE_CANCEL = saw(9.5, "failed", took_s=0.5)


@pytest.mark.parametrize(
    ("readings", "ended"),
    [
        ((saw(8.0, "running", 5.0), DONE, saw(9.5, "completed", 100.0)), DONE),
        ((saw(8.0, "running", 5.0), FAILED_AT_THE_CANCEL), FAILED_AT_THE_CANCEL),
        ((saw(8.0, "running", 5.0), saw(9.9, "cancelled", took_s=0.2)), None),
        ((saw(8.0, "running", 5.0),), None),
        ((), None),
    ],
)
def test_ended_before_the_cancel_is_the_first_terminal_reading_answered_by_then(
    readings: tuple[Sample, ...], ended: Sample | None
) -> None:
    assert ended_before_cancel(film(cancelled(), readings), B) is ended


def test_without_a_cancel_any_end_came_before_it() -> None:
    assert ended_before_cancel(film(saw(8.0, "running", 5.0), DONE), B) is DONE
