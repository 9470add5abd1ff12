"""More starts than workers: what each is told, whether it runs, and that none is called failed while it does."""

from __future__ import annotations

from typing import Any

import pytest

from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways import more_starts_than_workers as oversubscribed
from ktrdr_qa.record.history import Event, History, Sample
from tests.judging.film import B, Part, cancelled, did, film, saw, started

LIMIT_S = 5.0
LIMITS_S = {"new_backtest_s": LIMIT_S}
SAYS = "No backtesting workers available"


def accepted(of: str, at_s: float = 1.0) -> Event:
    return did("further_accepted", at_s, of, took_s=0.1)


def refused(http: int | None = 503, **facts: Any) -> Event:
    return did("further_refused", 1.0, "", **{"http": http, "says": SAYS, "words": f"HTTP {http}: {SAYS}", **facts})


def moves(of: str, to_s: float = 9.0, pace: float = 2.0, status: str = "running") -> list[Sample]:
    return [saw(1.0 + 0.5 * n, status, pace * 0.5 * n, of=of) for n in range(int((to_s - 1.0) * 2) + 1)]


def crowded(*parts: Part, workers: int = 2, places: int = 2) -> History:
    begun = did("oversubscribed", 0.9, "", workers=workers, places=places)
    return film(started(), begun, moves(B), *parts, backtest=B)


def judged(history: History) -> dict[str, Judgement]:
    return {j.name: j for j in oversubscribed.judgements(history, LIMITS_S)}


def test_what_is_refused_in_plain_words_or_runs_holds() -> None:
    history = crowded(accepted("op_3"), moves("op_3"), refused(), refused(503, says="full"), refused(400, says="busy"))
    found = judged(history)
    assert [j.name for j in found.values() if not j.holds] == []
    assert found["starts answered"].seen == f"1 was accepted and 3 refused, '{SAYS}'"
    assert found["starts answered"].observations == ("1 of 4 further starts was accepted by 2 workers.",)
    assert found["starts run"].seen == "1 of 1 moved"
    assert found["none called failed"].seen == "none of 1 failed in 8 s; 0 have ended"
    assert found.keys() <= verdict.judge_all(history).keys()
    assert oversubscribed.judgements(film(started(), cancelled()), LIMITS_S) == []


WORK = {"symbol": "EURUSD", "timeframe": "1d", "strategy": "trend"}
PAYLOAD = {"symbol": "EURUSD", "timeframe": "1d", "strategy_name": "trend"}
FIRST = saw(0.5, "running", 0.0, created_at="2026-11-22T18:52:30Z")


def seen_at(at_s: float, status: str = "pending", of: str = "op_left", **facts: Any) -> Sample:
    return saw(at_s, status, 0.0, view="other", of=of, **{**WORK, "created_at": "2026-11-22T18:52:31Z", **facts})


def starts(*parts: Part) -> Judgement:
    history = crowded(accepted("op_3"), moves("op_3"), *parts)
    history.about["payload"] = PAYLOAD  # type: ignore[index]
    return judged(history)["starts answered"]


@pytest.mark.parametrize(
    "parts",
    [
        [FIRST, refused(), seen_at(1.9)],
        [FIRST, refused(), seen_at(1.5), saw(2.5, "cancelled", view="list", of="op_left"), seen_at(2.0, "missing")],
        [FIRST, refused(), seen_at(3.0, created_at="2026-11-22T18:52:30Z")],
        [FIRST, refused(), seen_at(3.0, created_at=None)],
        [refused(), seen_at(3.0)],
        [FIRST, refused(), seen_at(3.0, symbol="GBPUSD")],
        [FIRST, refused(), seen_at(3.0, of="op_3")],
        [FIRST, refused(), refused(None), seen_at(3.0)],
        [FIRST, seen_at(3.0)],
    ],
    ids=[
        *("too soon", "it has ended", "as old as the first", "of no age", "the first of no age"),
        *("another's work", "one of ours", "one was lost", "none was refused"),
    ],
)
def test_what_is_no_record_of_a_refused_start(parts: list[Part]) -> None:
    assert not starts(*parts).violated


def test_a_refused_start_leaves_no_record() -> None:
    left = starts(FIRST, refused(), seen_at(1.5), seen_at(2.0), seen_at(3.0))
    assert left.violated and left.at_s == 2.0
    assert left.seen == 'a start was refused, and left a record: op_left is "pending" at 0.0 % 1.0 s later'
    beside = starts(FIRST, refused(), seen_at(1.5, of="op_a", symbol="GBPUSD"), seen_at(2.0))
    assert beside.violated and beside.at_s == 2.0
    listed = starts(FIRST, refused(), seen_at(1.5), saw(9.0, "running", 3.0, view="list", of="op_left"))
    assert listed.seen == 'a start was refused, and left a record: op_left is "running" at 3.0 % 8.0 s later'


def test_all_may_be_accepted_and_run_side_by_side() -> None:
    names = [f"op_{n}" for n in range(3, 7)]
    ended = saw(9.5, "completed", 100.0, of="op_3")
    found = judged(crowded(*(accepted(n) for n in names), *(moves(n) for n in names), ended))
    assert [j.name for j in found.values() if not j.holds] == []
    assert found["starts answered"].seen == "4 were accepted"
    assert found["starts run"].seen == "4 of 4 moved"
    assert found["none called failed"].seen == "none of 4 failed in 8 s; 1 have ended"
    assert {name: (j.expected, j.observations) for name, j in found.items()} == {
        "starts answered": (
            "each start is accepted under an id of its own, or refused in plain words",
            ("4 of 4 further starts were accepted by 2 workers.",),
        ),
        "starts run": ("each start that was accepted runs within 5.0 s", ()),
        "none called failed": (
            "no backtest that was accepted is called failed or cancelled, least of all while a worker runs it",
            (),
        ),
    }


def test_one_is_called_completed_long_before_it_can_be() -> None:
    """The first makes 2 % a second, and no one hurries more than four times."""
    soon = judged(
        crowded(accepted("op_3"), saw(2.0, "pending", 0.0, of="op_3"), saw(9.0, "completed", 100.0, of="op_3"))
    )
    assert soon["starts run"].violated and soon["starts run"].at_s == 9.0
    whole = "the first, the same work, takes 57 s by its own pace"
    assert soon["starts run"].seen == f'op_3 was "completed" 8.0 s after its start, and was not seen to run: {whole}'


@pytest.mark.parametrize(
    "parts",
    [
        [accepted("op_3", 0.0), saw(14.0, "completed", 100.0, of="op_3")],
        [
            accepted("op_3"),
            saw(2.0, "running", 0.0, of="op_3"),
            saw(3.0, "running", 3.0, of="op_3"),
            saw(4.0, "completed", of="op_3"),
        ],
    ],
    ids=["it had the time", "it was seen to run"],
)
def test_one_may_be_completed(parts: list[Part]) -> None:
    assert judged(crowded(*parts))["starts run"].holds


def test_without_a_pace_of_the_first_nothing_is_too_soon() -> None:
    begun = did("oversubscribed", 0.9, "", workers=2, places=2)
    done = [accepted("op_3"), saw(2.0, "completed", 100.0, of="op_3")]
    running = judged(film(started(), begun, saw(1.0, "running", 3.0), saw(2.0, "running", 3.0), *done, backtest=B))
    waits = "the pace of the first, the same work, is not known yet"
    assert running["starts run"].unknown and not running["starts run"].final
    assert running["starts run"].seen == f'op_3 was "completed" 1.0 s after its start, and was not seen to run; {waits}'
    ran = (saw(1.0, "running", 3.0), saw(1.5, "running", 3.0), saw(2.0, "completed"))
    assert judged(film(started(), begun, ran, *done, backtest=B))["starts run"].holds


@pytest.mark.parametrize(("made", "done_s", "seen"), [(8.0, 6.25, ""), (8.0, 6.2, "25 s"), (2.0, 6.25, "100 s")])
def test_four_times_as_fast_as_the_first_one_may_be(made: float, done_s: float, seen: str) -> None:
    begun = did("oversubscribed", 0.9, "", workers=2, places=2)
    first = (saw(1.0, "running", 2.0), saw(2.0, "running", 2.0 + made))
    done = saw(done_s, "completed", 100.0, of="op_3")
    found = judged(film(started(), begun, first, accepted("op_3"), done, backtest=B))["starts run"]
    assert found.violated is bool(seen) and (f"takes {seen} by its own pace" in found.seen) is bool(seen)


def test_where_every_start_was_refused_none_has_failed() -> None:
    found = judged(crowded(refused()))
    assert found["starts run"].seen == "0 of 0 moved" and found["starts run"].holds
    assert found["none called failed"].seen == "none of 0 failed in 0 s; 0 have ended"


@pytest.mark.parametrize(
    ("parts", "name", "seen"),
    [
        (
            [refused(500, words="HTTP 500: list index out of range")],
            "starts answered",
            "a start was answered HTTP 500: list index out of range",
        ),
        (
            [refused(503, says="", words="HTTP 503: {}")],
            "starts answered",
            "a start was refused with HTTP 503, and no word says why: HTTP 503: {}",
        ),
        ([refused(502, words="HTTP 502")], "starts answered", "a start was answered HTTP 502"),
        ([refused(399, words="HTTP 399")], "starts answered", "a start was answered HTTP 399"),
        ([refused(None), refused(429), refused(500)], "starts answered", f"a start was answered HTTP 500: {SAYS}"),
        (
            [accepted("op_3"), accepted("op_3"), moves("op_3")],
            "starts answered",
            "two starts were given the same id: op_3",
        ),
        ([accepted(B)], "starts answered", f"two starts were given the same id: {B}"),
        (
            [accepted("op_3"), moves("op_3", pace=0.0)],
            "starts run",
            'op_3 was accepted, and 5.5 s later it was "running" at 0.0 %',
        ),
        (
            [accepted("op_3"), moves("op_3"), accepted("op_4"), [saw(6.5, "missing", of="op_4")]],
            "starts run",
            "op_4 was accepted, and 5.5 s later KTRDR has no record of it",
        ),
        (
            [accepted("op_3"), saw(6.5, "running", 0.0, of="op_3"), moves("op_3", 9.0)[-4:]],
            "starts run",
            'op_3 was accepted, and 5.5 s later it was "running" at 0.0 %',
        ),
        (
            [accepted("op_3"), saw(2.0, "running", 5.0, of="op_3"), saw(7.6, "running", 5.0, of="op_3")],
            "starts run",
            'op_3 was accepted, and 6.6 s later it was "running" at 5.0 %',
        ),
        (
            [
                accepted("op_3"),
                moves("op_3", 3.0),
                saw(3.5, "completed", 100.0, of="op_3"),
                accepted("op_4"),
                saw(3.0, "pending", 0.0, of="op_4"),
                saw(8.2, "running", 0.0, of="op_4"),
            ],
            "starts run",
            'op_4 was accepted, and 5.2 s after a place was free it was "running" at 0.0 %',
        ),
        (
            [
                accepted("op_3"),
                moves("op_3", 4.0),
                saw(5.0, "failed", 0.0, of="op_3"),
                saw(5.5, "running", 9.0, of="op_3", view="worker"),
            ],
            "none called failed",
            '1 of 1 was called failed; op_3 4.0 s after its start (no reason given), and then its worker had it "running" at 9.0 %',
        ),
        (
            [accepted("op_3"), saw(5.0, "failed", 0.0, of="op_3", error_message="timeout")],
            "none called failed",
            "1 of 1 was called failed; op_3 4.0 s after its start (timeout)",
        ),
        (
            [
                accepted("op_3"),
                moves("op_3"),
                accepted("op_4"),
                saw(5.0, "failed", 0.0, of="op_4"),
                saw(4.9, "running", 9.0, of="op_4", view="worker"),
                saw(5.5, "failed", 9.0, of="op_4", view="worker"),
            ],
            "none called failed",
            "1 of 2 was called failed; op_4 4.0 s after its start (no reason given)",
        ),
        (
            [
                accepted("op_3"),
                saw(5.0, "failed", 0.0, of="op_3"),
                accepted("op_4"),
                saw(5.0, "failed", 0.0, of="op_4"),
                saw(5.5, "running", 9.0, of="op_4", view="worker"),
            ],
            "none called failed",
            '2 of 2 were called failed; op_4 4.0 s after its start (no reason given), and then its worker had it "running" at 9.0 %',
        ),
        (
            [accepted("op_3"), saw(5.0, "failed", 0.0, of="op_3"), saw(5.0, "completed", of="op_3", view="worker")],
            "none called failed",
            '1 of 1 was called failed; op_3 4.0 s after its start (no reason given), and then its worker had it "completed"',
        ),
        (
            [accepted("op_3"), moves("op_3", 4.0), saw(5.0, "cancelled", 0.0, of="op_3", error_message="by user")],
            "none called failed",
            "1 of 1 was called cancelled; op_3 4.0 s after its start (by user)",
        ),
        (
            [saw(9.4, "failed", 0.0, error_message="preempted"), refused()],
            "none called failed",
            "op_1 ran, and was failed 8.5 s after the further starts (preempted)",
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_own_rule_alone(parts: list[Part], name: str, seen: str) -> None:
    found = judged(crowded(*parts))
    assert found[name].violated and found[name].seen == seen
    assert [j.name for j in found.values() if j.violated] == [name]
    assert found[name].at_s == {"starts answered": 1.0, "none called failed": 9.4 if "preempted" in seen else 5.0}.get(
        name, found[name].at_s
    )
    if name == "starts run":
        since_s = 3.0 if "after a place was free" in seen else 1.0
        assert found[name].at_s == pytest.approx(since_s + float(seen.split(" s ")[0].split()[-1]))


def test_what_this_run_ends_itself_may_be_called_anything() -> None:
    for word in ("cancelled", "failed"):
        ended = crowded(
            accepted("op_3"), moves("op_3"), did("clean_up", 9.5, "op_3"), saw(9.6, word, 0.0, of="op_3"), refused()
        )
        assert judged(ended)["none called failed"].holds


def test_what_was_read_as_the_clean_up_began_is_from_before_it() -> None:
    ends = [accepted("op_3"), moves("op_3"), saw(9.5, "failed", 0.0, of="op_3"), did("clean_up", 9.5, "op_3")]
    assert judged(crowded(ends))["none called failed"].violated


def test_progress_in_coarse_steps_takes_its_time_between_two_of_them() -> None:
    def steps(to_s: float) -> list[Sample]:
        return [saw(1.0 + 0.5 * n, "running", 10.0 * (n // 8), of="op_3") for n in range(int((to_s - 1.0) * 2) + 1)]

    assert judged(crowded(accepted("op_3"), steps(8.5)))["starts run"].unknown
    assert judged(crowded(accepted("op_3"), steps(9.5)))["starts run"].holds


def test_the_limit_itself_is_in_time() -> None:
    last = [saw(6.0, "running", 0.0, of="op_3")]
    assert judged(crowded(accepted("op_3"), last))["starts run"].seen == "op_3 was not seen to move yet"
    assert judged(crowded(accepted("op_3"), last))["starts run"].unknown


def test_one_that_waits_for_a_place_is_not_held_against_ktrdr_while_none_is_free() -> None:
    waits = moves("op_4", pace=0.0, status="pending")
    queued = crowded(accepted("op_3"), moves("op_3"), accepted("op_4"), waits)
    assert judged(queued)["starts run"].holds
    assert judged(queued)["starts run"].observations == ("1 of the accepted backtests waited for a place to the end.",)
    free = crowded(
        accepted("op_3"), moves("op_3", 2.0), saw(2.5, "completed", 100.0, of="op_3"), accepted("op_4"), waits
    )
    assert judged(free)["starts run"].violated
    assert judged(crowded(accepted("op_4"), waits))["starts run"].violated
    assert judged(crowded(accepted("op_4"), waits, places=1))["starts run"].holds, "the other one has somebody else's"


def test_those_that_wait_are_counted_and_do_not_move() -> None:
    waits = [moves(name, pace=0.0, status="pending") for name in ("op_4", "op_5")]
    queued = judged(crowded(accepted("op_3"), moves("op_3"), accepted("op_4"), accepted("op_5"), waits))["starts run"]
    assert queued.seen == "1 of 3 moved"
    assert queued.observations == ("2 of the accepted backtests waited for a place to the end.",)


def test_a_place_is_free_from_the_reading_on_that_says_so() -> None:
    ends = [accepted("op_3"), moves("op_3", 2.5), saw(3.0, "completed", 100.0, of="op_3")]
    waits = [accepted("op_4"), saw(3.0, "pending", 0.0, of="op_4"), saw(6.5, "running", 0.0, of="op_4")]
    assert judged(crowded(ends, waits))["starts run"].violated


def test_one_that_had_to_wait_has_the_whole_limit_from_then_on() -> None:
    waits = moves("op_4", 8.0, pace=0.0, status="pending")
    begins = [saw(8.5, "running", 0.0, of="op_4")]
    queued = [accepted("op_3"), moves("op_3", 8.0), saw(8.2, "completed", 100.0, of="op_3"), accepted("op_4"), waits]
    assert judged(crowded(queued, begins))["starts run"].seen == "op_4 was not seen to move yet"
    moved = [saw(11.0, "running", 2.0, of="op_4"), saw(12.0, "running", 4.0, of="op_4")]
    assert judged(crowded(queued, begins, moved))["starts run"].seen == "2 of 2 moved"
    assert judged(crowded(queued, begins, moved))["starts run"].observations == ()


@pytest.mark.parametrize(
    ("after", "seen", "at_s"),
    [
        (
            [saw(9.5, "missing", of="op_3"), saw(10.4, "missing", of="op_3"), saw(10.5, "missing", of="op_3")],
            "op_3 ran, and KTRDR has no record of it 1.5 s later (HTTP 404)",
            10.5,
        ),
        (
            [saw(14.0, "running", 16.0, of="op_3"), saw(14.1, "running", 16.0, of="op_3")],
            'op_3 ran, and stood still for 5.1 s: it was "running" at 16.0 %',
            14.1,
        ),
        (
            [saw(14.1, "pending", 16.0, of="op_3")],
            'op_3 ran, and stood still for 5.1 s: it was "pending" at 16.0 %',
            14.1,
        ),
        (
            [
                saw(11.5, "running", 20.0, of="op_3"),
                saw(14.5, "running", 30.0, of="op_3"),
                saw(24.0, "running", 30.0, of="op_3"),
            ],
            'op_3 ran, and stood still for 9.5 s: it was "running" at 30.0 %',
            24.0,
        ),
    ],
)
def test_what_ran_and_does_not_go_on_is_told(after: list[Part], seen: str, at_s: float) -> None:
    judgement = judged(crowded(accepted("op_3"), moves("op_3"), after))["starts run"]
    assert judgement.violated and judgement.seen == seen and judgement.at_s == at_s


@pytest.mark.parametrize(
    "after",
    [
        [saw(14.0, "running", 16.0, of="op_3")],
        [saw(9.5, "missing", of="op_3"), saw(10.4, "missing", of="op_3"), saw(10.6, "running", 17.0, of="op_3")],
        [saw(10.0, "completed", 100.0, of="op_3"), saw(16.0, "completed", 100.0, of="op_3")],
        [saw(10.0, "completed", 100.0, of="op_3"), saw(16.0, "running", 16.0, of="op_3")],
        [did("clean_up", 10.0, "op_3"), saw(16.0, "running", 16.0, of="op_3")],
        # It took as long between two steps before.
        [
            saw(11.5, "running", 20.0, of="op_3"),
            saw(14.5, "running", 30.0, of="op_3"),
            saw(23.0, "running", 30.0, of="op_3"),
        ],
    ],
)
def test_what_goes_on_or_has_ended_runs(after: list[Part]) -> None:
    assert judged(crowded(accepted("op_3"), moves("op_3"), after))["starts run"].holds


def test_several_on_one_place_may_each_take_so_many_times_as_long() -> None:
    """Four accepted on one place, beside the one that runs: five share it, and each has five times the limit."""
    names = [f"op_{n}" for n in range(3, 7)]

    def slow(until_s: float, places: int = 1) -> Judgement:
        still = [
            saw(1.5 + 0.5 * n, "running", 0.0, of=name) for n in range(int((until_s - 1.5) * 2) + 1) for name in names
        ]
        return judged(crowded(*(accepted(n) for n in names), still, moves(B, until_s), workers=1, places=places))[
            "starts run"
        ]

    assert oversubscribed.longest_s(crowded(*map(accepted, names), workers=1, places=1), LIMIT_S) == 25.0
    assert oversubscribed.longest_s(crowded(*map(accepted, names), workers=9, places=9), LIMIT_S) == 5.0
    assert slow(26.0).unknown
    assert slow(26.5).violated
    assert slow(26.5).seen == 'op_3 was accepted, and 25.5 s later it was "running" at 0.0 %'
    assert slow(26.5, places=2).seen == 'op_3 was accepted, and 13.0 s later it was "running" at 0.0 %'
    stands = [*moves("op_3"), *(saw(9.5 + 0.5 * n, "running", 16.0, of="op_3") for n in range(15))]
    shared = judged(crowded(accepted("op_3"), stands, moves(B, 19.0), workers=1, places=1))["starts run"]
    assert shared.holds, "two on one place: twice the limit"


def test_that_this_run_ended_it_itself_is_no_end_of_one_that_never_ran() -> None:
    waits = [saw(1.0 + 0.5 * n, "running", 0.0, of="op_3") for n in range(20)]
    ended = [did("clean_up", 11.0, "op_3"), saw(11.1, "cancelled", 0.0, of="op_3")]
    assert judged(crowded(accepted("op_3"), waits, *ended))["starts run"].violated
    assert judged(crowded(accepted("op_3"), moves("op_3"), *ended))["starts run"].holds
    called_failed = [ended[0], saw(11.1, "failed", 0.0, of="op_3", error_message="Operation cancelled by user")]
    unharmed = judged(crowded(accepted("op_3"), moves("op_3"), *called_failed))["none called failed"]
    assert unharmed.holds and unharmed.seen.endswith("0 have ended")


def test_that_this_run_ended_it_itself_is_no_move_of_one_that_had_its_limit_left() -> None:
    ended = [saw(2.0, "running", 0.0, of="op_3"), did("clean_up", 3.0, "op_3"), saw(3.1, "cancelled", 0.0, of="op_3")]
    judgement = judged(crowded(accepted("op_3"), ended))["starts run"]
    assert judgement.unknown and judgement.seen == "op_3 was not seen to move yet"


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (saw(0.9, "failed", 0.0), "op_1 ran, and was failed 0.0 s after the further starts (no reason given)"),
        (saw(9.5, "cancelled", 0.0), "op_1 ran, and was cancelled 8.6 s after the further starts (no reason given)"),
    ],
)
def test_one_that_ran_and_is_ended_by_the_further_starts_is_told(seen: Sample, told: str) -> None:
    begun = did("oversubscribed", 0.9, "", workers=2, places=2)
    history = film(started(), begun, seen, cancelled(9.5), refused(), backtest=B)
    assert judged(history)["none called failed"].seen == told


def test_that_the_first_one_is_cancelled_is_what_this_run_asked_for() -> None:
    ended = [cancelled(9.2), saw(9.4, "failed", 0.0, error_message="Operation cancelled by user")]
    assert judged(crowded(*ended, accepted("op_3"), moves("op_3")))["none called failed"].holds


def test_what_had_no_answer_of_its_own_is_not_known() -> None:
    lost = judged(crowded(refused(None, words="no answer within 30.0 s", says="")))["starts answered"]
    assert lost.unknown and lost.seen == "1 of 1 starts had no answer of their own: no answer within 30.0 s"
    limited = judged(crowded(refused(429), accepted("op_3"), refused()))["starts answered"]
    assert limited.unknown and limited.seen == f"1 of 3 starts had no answer of their own: HTTP 429: {SAYS}"
    assert judged(crowded(accepted("op_3")))["starts run"].unknown
