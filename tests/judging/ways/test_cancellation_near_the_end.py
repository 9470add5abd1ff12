"""The race with completion: one end, an answer that fits it, no flip, and that it was a race at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.ways import cancellation_near_the_end as race
from ktrdr_qa.record.history import Event, History, Sample
from tests.judging.film import Part, W, cancelled, did, film, saw

LIMIT_S = 2.0
LIMITS_S = {"cancelled_s": LIMIT_S}


def a_try(number: int, *after: Part, at_s: float | None = None, **facts: Any) -> list[Part]:
    """A try of the race, cancelled 10 s after the one before: its readings, its cancel, and what was seen after it."""
    at_s, of = 10.0 * number if at_s is None else at_s, f"op_{number}"
    return [
        saw(at_s - 2, "running", 80.0, of=of),
        saw(at_s - 1, "running", 90.0, of=of),
        did("race_try", at_s - 0.1, of, number=number, offset_s=0.1 * number),
        cancelled(at_s, of=of, **facts),
        *after,
    ]


def was_cancelled(number: int) -> list[Part]:
    at_s, of = 10.0 * number, f"op_{number}"
    seen = [saw(at_s + 0.2, "cancelled", 0.0, of=of), saw(at_s + 0.5, "cancelled", 0.0, of=of)]
    return a_try(number, *seen)


def ended(number: int, word: str) -> list[Sample]:
    at_s, of = 10.0 * number, f"op_{number}"
    return [saw(at_s + 0.2, word, 0.0, of=of), saw(at_s + 0.5, word, 0.0, of=of)]


def was_too_late(number: int, **facts: Any) -> list[Part]:
    at_s, of = 10.0 * number, f"op_{number}"
    return [
        saw(at_s - 1, "running", 90.0, of=of),
        did("race_try", at_s - 0.1, of, number=number, offset_s=0.1),
        did("cancel_sent", at_s, of),
        did("cancel_too_late", at_s + 0.1, of, http=400, **facts),
        saw(at_s + 0.2, "completed", 100.0, of=of, has_result=True),
        saw(at_s + 0.5, "completed", 100.0, of=of, has_result=True),
    ]


def once_more(**facts: Any) -> Event:
    """The answer to a further cancel of the first try, which had completed."""
    return did("second_cancel_answered", 11.0, "op_1", **{"http": 400, "sent_s": 10.9, **facts})


ENDED_AT = {"completed_at": "2026-11-22T18:52:44Z"}
LATER_AT = {"completed_at": "2026-11-22T18:52:47Z"}


def later_it_says(facts: dict[str, str], at_s: float = 10.8) -> list[Sample]:
    return [saw(at_s, "cancelled", 0.0, of="op_1", **facts)]


def a_race(*tries: Sequence[Part], wanted: int | None = None, backtest: str = "op_1") -> History:
    begun = did("race_begun", 0.0, "", tries=len(tries) if wanted is None else wanted)
    return film(begun, *tries, backtest=backtest, worker=W)


BOTH = a_race(was_cancelled(1), was_too_late(2))


def test_where_no_race_was_run_nothing_is_judged() -> None:
    assert race.judgements(film(was_cancelled(1)), LIMITS_S) == []
    assert "one end" not in verdict.judge_all(film(was_cancelled(1), backtest="op_1"))


def test_a_race_that_ends_either_way_holds_and_is_judged_with_the_rest() -> None:
    found = verdict.judge_all(BOTH)
    for name in ("one end", "answer fits", "no flip", "met the end"):
        assert found[name].holds, found[name]
    assert found["met the end"].seen == "of 2 backtests 1 were cancelled and 1 completed"
    assert dict(found["met the end"].figures) == {"race_cancelled": 1.0, "race_completed": 1.0, "race_failed": 0.0}
    (told,) = found["met the end"].observations
    assert told == (
        "Of 2 backtests 1 were cancelled and 1 completed, where the cancel was sent from +0.10 s to +0.10 s of the end "
        "that their own pace predicted."
    )
    assert {
        found[name].expected: found[name].seen for name in ("one end", "answer fits", "no flip", "met the end")
    } == {
        "a backtest that is cancelled as it ends is either cancelled or completed, never both or neither": (
            "each of 2 ended in one way"
        ),
        "the answer to each cancel fits the way in which the backtest ended": "2 of 2 answers were compared",
        "each backtest of the race stays as it ended": "all 2 were read again after their end",
        "the cancels meet the end: some backtests are cancelled, and some completed": found["met the end"].seen,
    }
    assert [(t.number, t.http, t.ended_as, t.due_s) for t in race.tries_of(BOTH)] == [
        (1, 200, "cancelled", pytest.approx(10.1)),
        (2, 400, "completed", pytest.approx(20.1)),
    ]


@pytest.mark.parametrize(
    ("tries", "name", "seen"),
    [
        (
            [*a_try(1, saw(10.2, "cancelled", 0.0, of="op_1", has_result=True))],
            "one end",
            'try 1 (op_1) is "cancelled", yet carries the result of a completed one',
        ),
        (
            [*was_cancelled(1), saw(10.6, "completed", 100.0, of="op_1", view="worker")],
            "one end",
            'try 1 (op_1) is "cancelled" by KTRDR\'s record and "completed" by its worker\'s own, which was told, '
            "by the answer to the cancel",
        ),
        (
            [*a_try(1, *ended(1, "completed"), status="done"), saw(10.6, "cancelled", 0.0, of="op_1", view="worker")],
            "one end",
            'try 1 (op_1) is "completed" by KTRDR\'s record and "cancelled" by its worker\'s own, which was told, '
            "by the answer to the cancel",
        ),
        (
            [*was_cancelled(3), *a_try(1, *ended(1, "cancelled"), http=300, words="HTTP 300")],
            "answer fits",
            "try 1 (op_1) was answered HTTP 300",
        ),
        (
            # What had no answer, or one that tells nothing, is passed over, and so is what has not ended.
            [*a_try(1, *ended(1, "failed"), http=429), *a_try(3, *ended(3, "cancelled"), http=401)],
            "answer fits",
            "try 3 (op_3) was answered HTTP 401",
        ),
        (
            [*a_try(1), *was_cancelled(3), saw(30.9, "failed", 0.0, of="op_3")],
            "no flip",
            'try 3 (op_3) was "cancelled" at 0.0 % first, and 0.7 s later it was "failed" at 0.0 %',
        ),
        (
            [*a_try(1, saw(12.2, "running", 99.0, of="op_1"), saw(12.2, "cancelled", 0.0, of="op_1"))],
            "one end",
            'try 1 (op_1) had ended in neither way 2.1 s after its cancel: it was "running" at 99.0 %',
        ),
        (
            [*a_try(1, saw(11.0, "running", 99.0, of="op_1"), saw(12.2, "running", 99.0, of="op_1"))],
            "one end",
            'try 1 (op_1) had ended in neither way 2.1 s after its cancel: it was "running" at 99.0 %',
        ),
        (
            [*a_try(1, saw(10.2, "completed", 100.0, of="op_1"))],
            "answer fits",
            'try 1 (op_1) was answered "cancelled" with HTTP 200, and it is "completed"',
        ),
        (
            [*a_try(1, saw(10.2, "cancelled", 0.0, of="op_1"), http=400, words="HTTP 400: cannot be cancelled")],
            "answer fits",
            'try 1 (op_1) was turned down (HTTP 400: cannot be cancelled), and is "cancelled" all the same',
        ),
        (
            [*a_try(1, saw(10.2, "completed", 100.0, of="op_1"), http=500, words="HTTP 500: state changed")],
            "answer fits",
            "try 1 (op_1) was answered HTTP 500: state changed",
        ),
        (
            [*was_cancelled(1), saw(10.9, "completed", 100.0, of="op_1")],
            "no flip",
            'try 1 (op_1) was "cancelled" at 0.0 % first, and 0.7 s later it was "completed" at 100.0 %',
        ),
        (
            [*was_cancelled(1), saw(13.0, "running", 99.0, of="op_1")],
            "no flip",
            'try 1 (op_1) was "cancelled" at 0.0 % first, and 2.8 s later it was "running" at 99.0 %',
        ),
        (
            [*was_too_late(1), once_more(http=200, status="cancelled")],
            "answer fits",
            'try 1 (op_1) had completed, and a further cancel was answered "cancelled" with HTTP 200',
        ),
        (
            [*was_too_late(1), once_more(http=500, words="HTTP 500: state changed")],
            "answer fits",
            "try 1 (op_1) had completed, and a further cancel was answered HTTP 500: state changed",
        ),
        (
            [*was_too_late(1), once_more(), saw(11.1, "completed", 100.0, of="op_1", has_result=False)],
            "no flip",
            'try 1 (op_1) was "completed" at 100.0 %, and 0.9 s later has_result changed from True to False',
        ),
        (
            [
                *was_too_late(1),
                saw(10.9, "completed", 100.0, of="op_1", **ENDED_AT),
                once_more(),
                saw(10.9, "completed", 100.0, of="op_1", took_s=0.2, **LATER_AT),
            ],
            "no flip",
            'try 1 (op_1) was "completed" at 100.0 %, and 0.9 s later completed_at changed from '
            f"{ENDED_AT['completed_at']!r} to {LATER_AT['completed_at']!r}",
        ),
        (
            [*was_too_late(1), once_more(), saw(11.1, "cancelled", 0.0, of="op_1")],
            "no flip",
            'try 1 (op_1) was "completed" at 100.0 % first, and 0.9 s later it was "cancelled" at 0.0 %',
        ),
        (
            [*a_try(1, saw(10.2, "cancelled", 0.0, of="op_1", **ENDED_AT), *later_it_says(LATER_AT))],
            "no flip",
            f'try 1 (op_1) was "cancelled" at 0.0 %, and 0.6 s later the time of its end moved: from {ENDED_AT["completed_at"]} '
            f"to {LATER_AT['completed_at']}",
        ),
        (
            [*a_try(1, saw(10.2, "failed", 0.0, of="op_1", error_message="no such row"), *ended(1, "failed")[1:])],
            "answer fits",
            'try 1 (op_1) was answered "cancelled" with HTTP 200, and it is "failed" (no such row)',
        ),
        (
            [*was_cancelled(1), saw(13.0, "missing", of="op_1")],
            "no flip",
            'try 1 (op_1) was "cancelled" at 0.0 % first, and 2.8 s later its record is gone (HTTP 404)',
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_own_rule_alone(tries: list[Part], name: str, seen: str) -> None:
    found = {j.name: j for j in race.judgements(a_race(tries, was_too_late(2), was_cancelled(4)), LIMITS_S)}
    assert found[name].violated and found[name].seen == seen
    assert found[name].at_s is not None
    assert [j.name for j in found.values() if j.violated] == [name]


@pytest.mark.parametrize(
    "tries",
    [
        # KTRDR says itself that its worker was not told: the two crossed.
        [
            *a_try(1, *was_cancelled(1)[-2:], remote_cancelled=False),
            saw(10.6, "completed", 100.0, of="op_1", view="worker"),
        ],
        # An answer that promises nothing: the best effort of AIP-151.
        [
            *a_try(
                1,
                saw(10.2, "completed", 100.0, of="op_1"),
                saw(10.5, "completed", 100.0, of="op_1"),
                status="cancelling",
            )
        ],
        # A replica that lags, within the limit.
        [*was_cancelled(1), saw(10.6, "running", 95.0, of="op_1"), saw(10.8, "cancelled", 0.0, of="op_1")],
        # The repeat after a lost answer is turned down, because the first one worked.
        [did("cancel_lost", 9.95, "op_1"), *a_try(1, *was_cancelled(1)[-2:], http=400, words="HTTP 400")],
        # At the very moment of the limit, and a reading that was asked before it and answered with the end.
        [
            *a_try(
                1,
                saw(12.1, "running", 99.0, of="op_1"),
                saw(12.1, "cancelled", 0.0, of="op_1", took_s=0.1),
                saw(12.4, "cancelled", 0.0, of="op_1"),
            )
        ],
        [*was_cancelled(1)[:-1], saw(12.1, "running", 99.0, of="op_1"), saw(12.2, "cancelled", 0.0, of="op_1")],
        # Its worker crossed with it the other way round.
        [*was_too_late(1), saw(10.6, "cancelled", 0.0, of="op_1", view="worker")],
        # A further cancel is turned down, had no answer, or is confirmed as what it is: completed.
        [*was_too_late(1), once_more()],
        [*was_too_late(1), once_more(http=None)],
        [*was_too_late(1), once_more(http=200, status="completed")],
        [*was_too_late(1), once_more(http=300, status="cancelled")],
        [*was_too_late(1), once_more(http=499, status="cancelled")],
        # What was asked for before it was sent is not of its doing, and what was not read before cannot have changed.
        [*was_too_late(1), once_more(), saw(10.8, "completed", 100.0, of="op_1", took_s=0.3, has_result=False)],
        [
            *was_too_late(1)[:-2],
            once_more(),
            *(saw(at, "completed", 100.0, of="op_1", has_result=at < 11.2) for at in (11.1, 11.4)),
        ],
        # Another clock tells the time of the end, in another spelling.
        [
            *a_try(1, saw(10.2, "cancelled", 0.0, of="op_1", **ENDED_AT)),
            *later_it_says({"completed_at": "2026-11-22T19:52:46.4+01:00"}),
            *later_it_says({}, 11.2),
        ],
    ],
)
def test_what_a_healthy_platform_may_do_is_not_held_against_it(tries: list[Part]) -> None:
    judged = race.judgements(a_race(tries, was_too_late(2), was_cancelled(3)), LIMITS_S)
    assert [j.seen for j in judged if not j.holds] == []


def test_where_every_cancelled_one_is_called_failed_that_is_the_recipe_s_word_for_it() -> None:
    both = a_race(a_try(1, *ended(1, "failed")), was_too_late(2))
    assert [j.seen for j in race.judgements(both, LIMITS_S) if not j.holds] == []


def test_what_failed_though_its_cancel_was_turned_down_may_have_failed_by_itself() -> None:
    failed = [saw(10.2, "failed", 0.0, of="op_1", error_message="out of memory"), *ended(1, "failed")[1:]]
    found = race.judgements(a_race(a_try(1, *failed, http=400), was_too_late(2), was_cancelled(3)), LIMITS_S)
    assert [j.name for j in found if not j.holds] == ["one end"]
    assert found[0].unknown and found[0].final
    assert found[0].seen == "try 1 (op_1) failed (out of memory): whether by itself is not known"
    alone = race.met_the_end(a_race(a_try(1, *failed, http=400), was_too_late(2)), 2)
    assert alone.unknown and alone.seen.startswith(
        "of 2 backtests 0 were cancelled and 1 completed, 1 failed: none was"
    )


def test_that_the_two_crossed_is_an_observation() -> None:
    tries = a_try(1, *was_cancelled(1)[-2:], remote_cancelled=False)
    own = saw(10.6, "completed", 100.0, of="op_1", view="worker")
    (told,) = race.ends_one_way(a_race(tries, [own]), LIMIT_S).observations
    assert told.endswith('and "completed" by its worker\'s own: the two crossed.')


def test_a_race_does_not_ask_how_much_was_left_to_run() -> None:
    assert not {"was running", "enough left", "running", "moving"} & verdict.judge_all(BOTH).keys()


def test_where_all_ended_alike_nothing_was_learnt() -> None:
    for tries in ([was_cancelled(1), was_cancelled(2)], [was_too_late(1), was_too_late(2)]):
        judgement = race.met_the_end(a_race(*tries), 2)
        assert judgement.figures["race_cancelled"] + judgement.figures["race_completed"] == 2.0
        assert judgement.observations == ()
        assert judgement.unknown and judgement.final
        assert judgement.seen.endswith("none was near enough to its end for the two to meet")
    begun = race.judgements(
        a_race(was_cancelled(1), was_too_late(2), a_try(3, *ended(3, "failed")), wanted=20), LIMITS_S
    )
    assert begun[-1].seen == "of 20 backtests 1 were cancelled and 1 completed, 1 failed so far"
    assert begun[-1].unknown and begun[-1].observations == ()
    assert begun[-1].figures == {"race_cancelled": 1.0, "race_completed": 1.0, "race_failed": 1.0}


def test_an_end_that_was_read_once_is_not_known_to_stay() -> None:
    once = race.judgements(a_race(was_cancelled(1)[:-1]), LIMITS_S)[2]
    assert once.unknown and once.seen == "0 of 1 were read again after their end"


def test_a_cancel_whose_answer_was_lost_was_due_when_it_was_lost() -> None:
    sent = [did("race_try", 9.9, "op_1", number=1, offset_s=0.0), did("cancel_sent", 10.0, "op_1")]
    history = a_race([*sent, did("cancel_lost", 10.5, "op_1"), saw(12.6, "running", 99.0, of="op_1")])
    assert race.judgements(history, LIMITS_S)[0].seen.startswith("try 1 (op_1) had ended in neither way 2.1 s after")


def test_a_cancel_whose_answer_is_still_awaited_is_not_late() -> None:
    hangs = [did("race_try", 9.9, "op_1", number=1, offset_s=0.0), did("cancel_sent", 10.0, "op_1")]
    history = a_race([*hangs, saw(15.0, "running", 99.0, of="op_1")])
    assert [j.seen for j in race.judgements(history, LIMITS_S)[:3]] == [
        "0 of 1 have ended so far",
        "none of 1 answers could be compared",
        "0 of 1 were read again after their end",
    ]


def test_without_readings_nothing_is_known() -> None:
    empty = a_race(wanted=2)
    assert [j.verdict for j in race.judgements(empty, LIMITS_S)] == ["unknown"] * 4
    only_sent = a_race(a_try(1))
    assert [j.name for j in race.judgements(only_sent, LIMITS_S) if not j.unknown] == []
    limited = a_race(a_try(1, *was_cancelled(1)[-2:], http=429, words="HTTP 429"))
    assert race.answers_fit(limited).unknown
