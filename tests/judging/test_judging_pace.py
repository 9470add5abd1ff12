"""How much of a backtest is left to run by its own pace, and whether that is enough to tell an ignored cancel."""

from __future__ import annotations

import pytest

from ktrdr_qa.judge import pace
from ktrdr_qa.judge.pace import Left, enough_was_left, lasted_s, left_to_run, needed_s
from ktrdr_qa.record.history import Sample
from tests.judging.film import OTHER, B, Case, Part, cancelled, cases, did, film, nearing_its_end, saw

LIMITS = {"cancelled_s": 2.0, "worker_idle_s": 2.0, "processor_quiet_s": 2.0, "frozen_s": 2.0}
CUT = cancelled(10.0)


def rising(*points: tuple[float, float]) -> list[Sample]:
    return [saw(at_s, "running", percentage) for at_s, percentage in points]


@pytest.mark.parametrize(
    ("parts", "left"),
    [
        ((CUT,), None),
        ((CUT, rising((9.0, 50.0))), None),
        ((CUT, rising((8.0, 50.0), (9.0, 50.0))), None),
        ((CUT, rising((8.0, 50.0), (9.0, 60.0))), Left(60.0, 3.0)),
        ((CUT, rising((8.0, 0.0), (8.5, 50.0), (9.5, 60.0))), Left(60.0, 3.5)),
        ((CUT, rising((8.0, 50.0), (9.0, 60.0)), rising((10.0, 80.0))), Left(80.0, 1.0)),
        ((CUT, rising((8.0, 50.0), (9.0, 60.0)), saw(9.9, "running", 90.0, took_s=0.2)), Left(60.0, 3.0)),
        ((CUT, rising((8.0, 50.0), (9.0, 60.0)), saw(9.5, "running", 90.0, of=OTHER)), Left(60.0, 3.0)),
        ((CUT, rising((8.0, 50.0), (9.0, 60.0), (9.9, 60.0))), Left(60.0, 3.0)),
        ((CUT, rising((8.0, 80.0), (9.0, 90.0))), Left(90.0, 0.0)),
        ((CUT, rising((8.0, 80.0), (9.0, 95.0))), Left(95.0, 0.0)),
        ((CUT, rising((8.0, 50.0), (8.0, 60.0))), None),
        ((CUT, saw(8.0, "running", 50.0, took_s=1.0), saw(8.5, "running", 60.0, took_s=0.5)), Left(60.0, 0.0)),
        ((rising((8.0, 50.0), (9.0, 60.0)),), Left(60.0, 4.0)),
        ((rising((8.0, 50.0), (9.0, 60.0), (11.0, 60.0)),), Left(60.0, 2.0)),
    ],
    ids=[
        "nothing was seen",
        "one rise tells no pace",
        "one height is one rise",
        "ten percent a second, the last second of it after the last rise",
        "the first rise begins the pace, not the moment of 0 %",
        "a rise in the moment of the cancel counts",
        "a reading answered after the cancel was sent does not",
        "another one's progress does not",
        "standing still at the end takes off what is left",
        "nothing is left",
        "less than nothing is nothing",
        "two heights in one moment tell no pace",
        "two heights of nearly one moment tell a steep one",
        "without a cancel it is what is left now",
        "now is the last reading or event",
    ],
)
def test_what_is_left_is_told_by_the_pace_seen(parts: tuple[Part, ...], left: Left | None) -> None:
    told = left_to_run(film(*parts), B)
    assert (told is None) == (left is None)
    if told and left:
        assert (told.percentage, told.left_s) == (left.percentage, pytest.approx(left.left_s))


@pytest.mark.parametrize(
    ("points", "left_s"),
    [
        # 10 % a second over all; over the last second 20 % a second.
        ([(7.0, 40.0), (9.0, 50.0), (10.0, 70.0)], 1.5),
        # The last step alone, of half a second, would be 38 % a second: too short to be a pace.
        ([(7.0, 40.0), (9.0, 50.0), (9.5, 51.0), (10.0, 70.0)], 1.5),
        # It has become slower: the pace over all is the steeper one.
        ([(7.0, 40.0), (8.0, 67.0), (10.0, 70.0)], 3.0),
        # All of it was within less than a second.
        ([(9.5, 60.0), (9.75, 61.0), (10.0, 80.0)], 0.5),
    ],
)
def test_the_steeper_of_the_whole_pace_and_the_latest_counts(points: list[tuple[float, float]], left_s: float) -> None:
    left = left_to_run(film(CUT, rising(*points)), B)
    assert left and left.left_s == pytest.approx(left_s)


def test_a_slow_reading_is_taken_for_the_middle_of_its_time() -> None:
    """50 % at 7.75 s and 60 % at 9.375 s."""
    slow = (saw(7.5, "running", 50.0, took_s=0.5), saw(9.0, "running", 60.0, took_s=0.75))
    left = left_to_run(film(CUT, slow), B)
    assert left and left.left_s == pytest.approx(4.0 * 1.625 - 0.625)


def test_the_latest_pace_is_measured_between_the_middles_too() -> None:
    """50 % at 8.625 s, a second before 60 % at 9.625 s, or a little later, which is too late."""
    ran = (saw(6.625, "running", 40.0), saw(9.5, "running", 60.0, took_s=0.25))
    left = left_to_run(film(CUT, ran, saw(8.5, "running", 50.0, took_s=0.25)), B)
    assert left and left.left_s == pytest.approx(4.0 - 0.375)
    left = left_to_run(film(CUT, ran, saw(8.5, "running", 50.0, took_s=0.5)), B)
    assert left and left.left_s == pytest.approx(4.0 * 1.5 - 0.375)


def test_what_is_left_in_words() -> None:
    assert Left(0.0004, 60.94).in_words == "it was sent at 0.0004 %, when about 60.9 s were left at its own pace"


def test_what_is_needed_is_the_longest_limit_and_the_span_of_a_verdict_or_the_frozen_window() -> None:
    history = film(CUT, rising((8.0, 50.0), (9.0, 60.0)))
    assert pace.VERDICT_SPAN_S == 3.0
    assert needed_s(history, B, LIMITS) == 5.0
    for name in ("cancelled_s", "worker_idle_s", "processor_quiet_s"):
        assert needed_s(history, B, {**LIMITS, name: 4.0}) == 7.0
    assert needed_s(history, B, {**LIMITS, "frozen_s": 5.5}) == 5.5
    assert needed_s(history, B, LIMITS, 5.25) == 5.25, "5.25 updates, one a second"
    assert needed_s(film(CUT, rising((7.0, 50.0), (9.0, 60.0))), B, LIMITS) == 6.0, "three updates, one in two seconds"


NEEDED = "at least 5.0 s are left to run when it is cancelled"


@cases(
    Case(
        "just enough",
        film(CUT, nearing_its_end(5.0)),
        "holds",
        "about 5.0 s were left at 40.0 %, by its own pace",
        figures={"left_s": 5.0, "needed_s": 5.0},
    ),
    Case(
        "a little less",
        film(CUT, nearing_its_end(4.9)),
        "unknown",
        "about 4.9 s were left at 41.0 %, by its own pace",
        figures={"left_s": 4.9, "needed_s": 5.0},
    ),
    Case("its pace is not known", film(CUT, saw(9.0, "running", 5.0)), "unknown", "its pace was not seen"),
)
def test_enough_was_left(case: Case) -> None:
    case.check(enough_was_left(case.history, B, LIMITS), "enough left", NEEDED)


def test_enough_takes_the_sentence_s_number_of_updates() -> None:
    judgement = enough_was_left(film(CUT, nearing_its_end(6.0)), B, LIMITS, 6.5)
    assert (judgement.verdict, judgement.expected) == ("unknown", NEEDED.replace("5.0", "6.5"))
    assert enough_was_left(film(CUT, nearing_its_end(6.0)), B, LIMITS, 6.0).holds
    slow = film(CUT, rising((7.0, 50.0), (9.0, 60.0)))
    assert enough_was_left(slow, B, LIMITS).figures["needed_s"] == 6.0, "three, where it is not said"


@pytest.mark.parametrize(
    ("facts", "s"),
    [
        ({}, None),
        ({"started_at": "2026-11-22T18:52:36Z"}, None),
        ({"completed_at": "2026-11-22T18:52:36Z"}, None),
        ({"started_at": "2026-11-22T18:52:36Z", "completed_at": "2026-11-22T18:52:44.5Z"}, 8.5),
        ({"started_at": "2026-11-22T18:52:36Z", "completed_at": "2026-11-22T18:52:36Z"}, None),
        ({"started_at": "2026-11-22T18:52:36Z", "completed_at": "2026-11-22T18:52:35Z"}, None),
        ({"started_at": "2026-11-22T18:52:36Z", "completed_at": "soon"}, None),
    ],
)
def test_how_long_it_lasted_is_told_by_ktrdr_s_own_times(facts: dict[str, str], s: float | None) -> None:
    assert lasted_s(saw(9.0, "completed", 100.0, **facts)) == s


def test_events_of_another_backtest_are_no_matter() -> None:
    assert left_to_run(film(did("cancel_sent", 9.5, OTHER), rising((8.0, 50.0), (9.0, 60.0))), B) == Left(60.0, 3.5)
