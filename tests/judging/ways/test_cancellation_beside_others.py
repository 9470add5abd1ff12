"""The neighbours of a cancelled backtest: they move, run on at their pace, and nothing of them is touched."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways import cancellation_beside_others as neighbours
from ktrdr_qa.record.history import History, Sample
from tests.judging.film import NEXT, OTHER, B, Part, W, cancelled, did, film, lost, saw, started, used

BEGAN = {"created_at": "2026-11-22T18:52:30Z", "started_at": "2026-11-22T18:52:31Z"}


def runs(
    from_s: float, to_s: float, pace: float = 2.0, of: str = OTHER, base: float = 0.0, **facts: object
) -> list[Sample]:
    """Readings each 0.25 s of a backtest that makes so many percent a second, told anew each second."""
    count = int((to_s - from_s) * 4) + 1
    at = [from_s + 0.25 * n for n in range(count)]
    return [saw(t, "running", base + pace * int(t - from_s), of=of, **{**BEGAN, **facts}) for t in at]


def beside(*after: Part, before: list[Sample] | None = None) -> History:
    """A backtest cancelled at 10 s beside a neighbour that was running since 2 s."""
    return film(
        started(),
        [saw(t, "running", 2.0 * t, worker=W) for t in range(1, 10)],
        cancelled(10.0),
        did("neighbour_started", 2.0, OTHER),
        runs(2.0, 10.0) if before is None else before,
        *after,
        backtest=B,
        worker=W,
    )


def on(history: History) -> Judgement:
    return neighbours.run_on(history, B, 2.0, 3)


def untouched(history: History) -> Judgement:
    return neighbours.are_untouched(history, B)


RUNS_ON = runs(10.25, 15.0, base=16.0)


def test_a_neighbour_that_runs_on_is_judged_with_the_rest_and_holds() -> None:
    found = verdict.judge_all(beside(RUNS_ON))
    assert found["neighbours run on"].holds and found["neighbours untouched"].holds
    assert found["neighbours run on"].seen == f"{OTHER} made 8.0 % in 5.0 s, and 10.0 % was due"
    assert "next keeps pace" not in found
    assert neighbours.judgements(film(started(), cancelled()), verdict.LIMITS_S) == []


@pytest.mark.parametrize(
    ("after", "judge", "seen"),
    [
        (
            runs(10.25, 15.0, pace=0.0, base=16.0),
            on,
            f'{OTHER} made 0.0 % in 5.0 s, and 10.0 % was due: it was "running" at 16.0 %',
        ),
        (
            [saw(10.3, "cancelled", 0.0, of=OTHER)],
            on,
            f'{OTHER} was "cancelled" at 0.0 % 0.3 s after the cancel: no reason given',
        ),
        (
            [saw(10.3, "failed", 0.0, of=OTHER, error_message="gone")],
            on,
            f'{OTHER} was "failed" at 0.0 % 0.3 s after the cancel: gone',
        ),
        (
            runs(10.25, 15.0, base=16.0, started_at="2026-11-22T18:52:40Z"),
            untouched,
            f"{OTHER}: its started_at was 2026-11-22T18:52:31Z, and is 2026-11-22T18:52:40Z, 0.2 s after the cancel",
        ),
        (
            runs(10.25, 15.0, base=16.0, completed_at="2026-11-22T18:52:40Z"),
            untouched,
            f'{OTHER}: it is "running" at 16.0 %, and says that it ended at 2026-11-22T18:52:40Z, 0.2 s after the cancel',
        ),
        (
            runs(10.25, 15.0, base=16.0, error_message="Operation cancelled by user"),
            untouched,
            f'{OTHER}: it is "running" at 16.0 %, and carries the error Operation cancelled by user, 0.2 s after the cancel',
        ),
        (runs(10.25, 15.0), untouched, f"{OTHER}: its progress fell from 16.0 % to 0.0 %, 0.2 s after the cancel"),
    ],
)
def test_what_a_cancel_does_to_a_neighbour_is_told(
    after: list[Sample], judge: Callable[[History], Judgement], seen: str
) -> None:
    judged = {j.name: j for j in (on(beside(after)), untouched(beside(after)))}
    wrong = judge(beside(after))
    assert wrong.violated and wrong.seen == seen
    assert [name for name, j in judged.items() if j.violated] == [wrong.name]


def test_one_at_half_its_pace_is_watched_until_its_steps_cannot_hide_it() -> None:
    half = beside(runs(10.25, 15.0, pace=1.0, base=16.0))
    assert on(half).unknown
    assert on(half).seen == f"{OTHER} made 4.0 % in 5.0 s, and 10.0 % was due: it is watched for 12.0 s to tell"
    longer = beside(runs(10.25, 25.0, pace=1.0, base=16.0))
    assert on(longer).violated
    assert on(longer).seen == f'{OTHER} made 14.0 % in 15.0 s, and 30.0 % was due: it was "running" at 30.0 %'
    # A host with other work makes it slow as well.
    assert on(film(longer.samples, longer.events, backtest=B, load_per_core=2.1)).holds
    third = beside(runs(10.25, 25.0, pace=0.6, base=16.0))
    assert on(film(third.samples, third.events, backtest=B, load_per_core=2.1)).violated
    slower = beside(runs(10.25, 25.0, pace=1.5, base=16.0))
    assert on(slower).holds and on(beside(runs(10.25, 14.0, pace=1.5, base=16.0))).unknown


def test_what_was_due_is_taken_at_its_boundaries() -> None:
    def read(*seen: tuple[float, float]) -> list[Sample]:
        return [saw(at_s, "running", height, of=OTHER, **BEGAN) for at_s, height in seen]

    kept = beside(read((10.25, 18.0), (15.0, 24.0)))
    assert on(kept).holds, "8 % of 10 % keep pace"
    assert on(beside(read((10.25, 16.0), (22.0, 32.0)))).holds, "12 s are enough to tell"
    ends = beside(read((10.25, 90.0), (16.0, 96.0)), before=runs(2.0, 10.0, base=74.0))
    assert on(ends).holds and on(ends).seen == f"{OTHER} made 6.0 % in 6.0 s, and 10.0 % was due"
    little = beside(read((10.25, 18.0), (12.0, 18.0)))
    busy = film(little.samples, little.events, backtest=B, load_per_core=2.1)
    too_little = neighbours.run_on(busy, B, 2.0, 1)
    assert too_little.unknown and too_little.seen == f"{OTHER} was to make 4.0 % only, too little to tell"
    coarse = [saw(0.5 + 3.0 * n, "running", 6.0 * n, of=OTHER) for n in range(4)]
    one_step = neighbours.run_on(beside(read((10.25, 18.0), (15.0, 18.0)), before=coarse), B, 2.0, 1)
    assert one_step.unknown and one_step.seen == f"{OTHER} was to make 10.0 % only, too little to tell"


def test_a_host_with_two_processes_a_core_is_not_busy_yet() -> None:
    half = beside(runs(10.25, 25.0, pace=1.0, base=16.0))
    assert on(film(half.samples, half.events, backtest=B, load_per_core=2.0)).violated


@pytest.mark.parametrize(("at_s", "verdict"), [(18.75, "unknown"), (19.0, "violated")])
def test_on_this_host_it_takes_three_times_as_long_to_tell_that_it_is_slower(at_s: float, verdict: str) -> None:
    """For some seconds others may have the processors; 9 s are three times the 3 s that it is watched for."""
    slow = beside(runs(10.25, at_s, pace=0.3, base=16.0))
    for load in (0.1, 2.1):
        busy = on(film(slow.samples, slow.events, backtest=B, load_per_core=load))
        assert busy.verdict == verdict, busy.seen
        assert busy.violated or busy.seen.endswith("17.5 % was due: it is watched for 12.0 s to tell")
    assert on(slow).violated
    stands = beside(runs(10.25, 15.0, pace=0.0, base=16.0))
    assert on(film(stands.samples, stands.events, backtest=B, load_per_core=2.1)).violated


@pytest.mark.parametrize(("made", "verdict"), [(8.0, "holds"), (7.9, "violated")])
def test_on_a_busy_host_where_nothing_tells_what_it_gives_a_third_will_do(made: float, verdict: str) -> None:
    """30 % are due in 15 s: a third of that less one step of 2 %."""
    after = [saw(11.0, "running", 18.0, of=OTHER), saw(25.0, "running", 16.0 + made, of=OTHER)]
    third = beside(after, before=runs(2.0, 10.0))
    alone = on(film(third.samples, third.events, backtest=B, load_per_core=2.1))
    assert alone.verdict == verdict, alone.seen


def test_a_host_of_which_all_processors_are_used_is_busy_whatever_its_last_minute_was() -> None:
    half = beside(runs(10.25, 25.0, pace=1.0, base=16.0))
    for share, told in ((0.9, "holds"), (0.89, "violated")):
        seen = film(half.samples, half.events, backtest=B, load_per_core=0.5, processors_used=share)
        assert on(seen).verdict == told


def test_where_others_have_begun_meanwhile_a_slower_neighbour_tells_nothing() -> None:
    slow = runs(10.25, 25.0, pace=0.5, base=16.0)

    def others(*seen: Part) -> Judgement:
        return on(beside(slow, *seen))

    begun = others(saw(12.0, "running", of="op_7", view="list"), saw(12.0, "pending", of="op_6", view="other"))
    assert begun.unknown and begun.final
    assert (
        begun.seen
        == f"{OTHER} made 7.0 % in 15.0 s, and 30.0 % was due; meanwhile op_6, op_7 ran as well, not this run's"
    )
    for seen in (
        [saw(9.0, "running", of="op_7", view="list"), saw(12.0, "running", of="op_7", view="list")],
        [saw(10.0, "running", of="op_7", view="list"), saw(12.0, "running", of="op_7", view="list")],
        [saw(12.0, "completed", of="op_7", view="list")],
        [saw(12.0, "missing", of="op_7", view="list")],
        [lost(12.0, of="op_7", view="list")],
        [saw(12.0, "running", of=OTHER, view="list")],
        [saw(12.0, "running", of="op_7")],
    ):
        assert others(seen).violated
    follows = [did("follower_started", 12.0, NEXT), runs(12.0, 30.0, pace=0.5, of=NEXT, worker=W)]
    another = beside(follows, saw(14.0, "running", of="op_7", view="list"))
    assert neighbours.follower_keeps_pace(another, B, 2.0, 3, 30.0).unknown


def beside_a_next_one(neighbour: float, next_one: float, **about: object) -> dict[str, Judgement]:
    """Both made 2 % a second before the cancel; the paces are those after it, in percent a second."""
    seen = beside(
        runs(10.25, 30.0, pace=neighbour, base=16.0),
        did("follower_started", 12.0, NEXT),
        runs(12.0, 30.0, pace=next_one, of=NEXT, worker=W),
    )
    history = film(seen.samples, seen.events, backtest=B, worker=W, **about)
    return {j.name: j for j in neighbours.judgements(history, verdict.LIMITS_S) if j.name != "neighbours untouched"}


def test_what_slows_all_of_this_run_is_the_host_and_what_slows_one_of_them_is_not() -> None:
    both = beside_a_next_one(0.5, 0.5)
    assert all(j.unknown and j.final for j in both.values()) and len(both) == 2
    assert both["next keeps pace"].seen == (
        f"{NEXT} made 8.5 % in 17.0 s, and 34.0 % was due; "
        "meanwhile the others of this run made at most 26.5 % of what was due of them"
    )
    both = beside_a_next_one(0.5, 0.5, load_per_core=2.1)
    assert all(j.holds for j in both.values())
    for busy in (0.0, 9.0):
        one = beside_a_next_one(0.5, 2.0, load_per_core=busy)
        assert one["neighbours run on"].violated and one["next keeps pace"].holds
        one = beside_a_next_one(2.0, 0.5, load_per_core=busy)
        assert one["next keeps pace"].violated and one["neighbours run on"].holds
        stands = beside_a_next_one(0.5, 0.0, load_per_core=busy)
        assert stands["neighbours run on"].violated, "one that stands still tells nothing of the host"
        stands = beside_a_next_one(0.0, 0.5, load_per_core=busy)
        assert stands["neighbours run on"].violated, "and no host makes one stand still"


def test_how_much_the_others_made_is_taken_at_its_boundaries() -> None:
    """Both made 2 % a second before the cancel, on a host that is busy; the next one is seen for two seconds."""

    def made(percent: float, by_the_next: float) -> Judgement:
        seen = beside(
            saw(10.25, "running", 16.0, of=OTHER),
            saw(20.0, "running", 16.0 + percent, of=OTHER),
            did("follower_started", 12.0, NEXT),
            saw(17.0, "pending", 50.0, of=NEXT, worker=W),
            saw(18.0, "running", 1.0, of=NEXT, worker=W),
            saw(20.0, "running", 1.0 + by_the_next, of=NEXT, worker=W),
            saw(20.0, "running", of=NEXT, worker=W),
        )
        return on(film(seen.samples, seen.events, backtest=B, worker=W, load_per_core=9.0))

    half = "meanwhile the others of this run made at most 50.0 % of what was due of them"
    assert (
        made(3.0, 1.0).seen
        == f"{OTHER} made 3.0 % in 10.0 s, and 20.0 % was due; {half}: it is watched for 12.0 s to tell"
    )
    assert made(2.9, 1.0).violated, "half of half of 20 %, less a step of 2 %"
    assert made(0.1, 0.3).unknown and made(0.0, 0.3).violated, "no host makes one stand still"
    assert made(4.0, 0.3).holds, "three in twenty were made by the next one, and this one kept up with that"


@pytest.mark.parametrize(("at_s", "verdict"), [(30.0, "unknown"), (32.25, "unknown"), (32.5, "violated")])
def test_of_few_coarse_steps_it_takes_longer_to_tell_that_it_is_slower(at_s: float, verdict: str) -> None:
    """Steps of 10 % at 2 % a second: four are due in 20 s, and one was made."""
    before = [saw(2.0 + 5.0 * n, "running", 10.0 * n, of=OTHER) for n in range(3)]
    after = [saw(13.0, "running", 30.0, of=OTHER), saw(at_s, "running", 30.0, of=OTHER)]
    cut = cancelled(12.5)
    seen = film(
        cut,
        did("neighbour_started", 1.0, OTHER),
        saw(1.0, "running", 1.0),
        saw(12.0, "running", 9.0),
        before,
        after,
        backtest=B,
        worker=W,
    )
    told = neighbours.run_on(seen, B, 2.0, 1)
    assert told.verdict == verdict, told.seen


def test_one_that_completes_or_that_this_run_ends_itself_is_in_order() -> None:
    nearly_done = runs(2.0, 10.0, base=78.0)
    completed = beside(saw(12.0, "completed", 100.0, of=OTHER), before=nearly_done)
    assert on(completed).holds and on(completed).seen == f"{OTHER} completed"
    ended = beside(RUNS_ON, did("clean_up", 15.1, OTHER), saw(15.3, "cancelled", 0.0, of=OTHER))
    assert on(ended).holds and untouched(ended).holds


def test_one_that_is_called_completed_long_before_it_can_be_is_told() -> None:
    def done(at_s: float, base: float, **facts: object) -> Judgement:
        return on(beside(saw(at_s, "completed", 100.0, of=OTHER, **facts), before=runs(2.0, 10.0, base=base)))

    told = done(11.0, 30.0)
    assert told.violated and told.at_s == 11.0
    assert told.seen == f'{OTHER} was "completed" 1.0 s after it was at 46.0 %, with 27 s left by its own pace'
    # By four times its pace, and a step of a second: 86 % and 7 s left, of which 8 s have passed.
    assert done(11.0, 68.0).holds and done(11.0, 67.0).violated
    lags = saw(9.9, "running", 80.0, of=OTHER)
    lagging = beside(saw(11.0, "completed", 100.0, of=OTHER), before=[*runs(2.0, 10.0, base=67.0), lags])
    assert on(lagging).holds, "of several replicas one lags"
    assert on(beside(saw(11.0, "completed", 100.0, of=OTHER), before=runs(2.0, 3.0, base=4.0))).holds, (
        "no pace is known"
    )


def test_progress_in_coarse_steps_may_stand_at_first() -> None:
    coarse = [saw(2.0 + 0.25 * n, "running", 10.0 * int(n / 10), of=OTHER) for n in range(32)]
    stands = [saw(10.0 + 0.25 * n, "running", 30.0 + 10.0 * int(n / 10), of=OTHER) for n in range(1, 40)]
    assert on(beside(stands[:29], before=coarse)).unknown
    # Once it has kept pace it is not in doubt again at the end of each step.
    assert on(beside(stands[:31], before=coarse)).holds and on(beside(stands, before=coarse)).holds


def test_a_replica_that_lags_before_the_cancel_as_after_it_loses_no_progress() -> None:
    def lagging(readings: list[Sample]) -> list[Sample]:
        return [
            saw(s.asked_s, "running", max(0.0, (s.percentage or 0.0) - 4.0 * (n % 4 < 2)), of=OTHER)
            for n, s in enumerate(readings)
        ]

    assert untouched(beside(lagging(RUNS_ON), before=lagging(runs(2.0, 10.0)))).holds
    once = [*RUNS_ON[:8], saw(12.1, "running", 14.0, of=OTHER), *RUNS_ON[8:]]
    assert untouched(beside(once)).holds


def test_what_is_not_seen_is_not_known() -> None:
    assert on(beside(RUNS_ON[:4])).unknown
    assert on(beside(RUNS_ON, before=[])).seen == f"the pace of {OTHER} was not seen before the cancel"
    assert untouched(beside()).unknown
    not_cancelled = film(started(), did("neighbour_started", 2.0, OTHER), runs(2.0, 10.0))
    assert on(not_cancelled).unknown and untouched(not_cancelled).unknown


def test_the_neighbours_have_to_move_in_time() -> None:
    assert neighbours.are_moving(beside(), 5.0).holds
    still = beside(before=runs(2.0, 8.0, pace=0.0))
    assert neighbours.are_moving(still, 5.0).seen == f'{OTHER} was "running" at 0.0 % after 5.0 s'
    assert neighbours.are_moving(still, 5.0).violated and neighbours.are_moving(still, 9.0).unknown
    broken = beside(before=[saw(2.5, "failed", 0.0, of=OTHER, error_message="no data")])
    assert neighbours.are_moving(broken, 5.0).seen == f'{OTHER} was "failed" at 0.0 %: no data'
    assert neighbours.are_moving(film(started()), 5.0).unknown


def test_what_is_read_here_and_there_of_replicas_has_an_uncertain_pace() -> None:
    """It makes 4 % a second; the last readings before the cancel come from a replica that is fresh, those after it not."""

    def made(percent: float, *seen: Part) -> Judgement:
        before = [saw(2.0 + 0.5 * n, "running", 2.0 * n, of=OTHER, **BEGAN) for n in range(17)]
        return on(beside(seen, saw(13.0, "running", 32.0 + percent, of=OTHER, **BEGAN), before=before))

    lags, longer = (saw(at_s, "running", 31.9, of=OTHER, **BEGAN) for at_s in (10.5, 12.0))
    assert made(4.0).violated and made(4.0).seen.startswith(f"{OTHER} made 4.0 % in 3.0 s, and 12.0 % was due")
    assert made(4.0, lags).unknown
    assert made(4.0, lags).seen.startswith(f"{OTHER} made 4.1 % in 3.0 s, and 9.4 % was due: it is watched for")
    assert made(7.4, lags).unknown and made(7.5, lags).holds, "eight tenths of that"
    assert made(4.0, longer).seen.startswith(f"{OTHER} made 4.1 % in 3.0 s, and 7.1 % was due"), "a second at most"


def followed(*readings: Part) -> Judgement:
    history = beside(did("follower_started", 12.0, NEXT), *readings)
    return neighbours.follower_keeps_pace(history, B, 2.0, 3, 30.0)


def test_the_next_one_on_the_same_worker_keeps_the_pace() -> None:
    assert followed(runs(12.0, 20.0, of=NEXT, worker=W)).holds
    assert followed(saw(13.0, "completed", 100.0, of=NEXT, worker=W)).holds
    slow = followed(runs(12.0, 30.0, pace=0.5, of=NEXT, worker=W))
    assert slow.violated and slow.seen.startswith(f"{NEXT} made 8.5 % in 17.0 s, and 34.0 % was due: it was")
    half = followed(runs(12.0, 30.0, pace=1.0, of=NEXT, worker=W))
    assert half.violated and half.seen.startswith(f"{NEXT} made 17.0 % in 17.0 s, and 34.0 % was due: it was")
    broken = followed(saw(13.0, "failed", 0.0, of=NEXT, worker=W))
    assert broken.seen == f'{NEXT} was "failed" at 0.0 % 1.0 s after its start: no reason given'
    elsewhere = followed(runs(12.0, 20.0, of=NEXT, worker="worker_2"))
    assert elsewhere.unknown and elsewhere.seen == "it was given to worker_2, not to the worker of the cancelled one"
    assert followed(runs(12.0, 14.0, of=NEXT, worker=W)).unknown
    assert followed().unknown


def test_a_next_one_that_does_not_begin_has_failed_at_its_limit() -> None:
    def stays_at_zero(until_s: float) -> Judgement:
        stays = [*runs(12.0, until_s - 0.25, pace=0.0, of=NEXT, worker=W), saw(until_s, "pending", of=NEXT, worker=W)]
        history = beside(did("follower_started", 12.0, NEXT), stays)
        limits = {**verdict.LIMITS_S, "new_backtest_s": 8.0}
        return next(j for j in neighbours.judgements(history, limits) if j.name == "next keeps pace")

    assert stays_at_zero(20.0).unknown
    late = stays_at_zero(20.25)
    assert late.violated and late.seen == f'{NEXT} was "pending" 8.2 s after its start' and late.at_s == 20.25


def next_one_at(pace: float, *before: Part) -> Judgement:
    """Of a next one that makes so many percent a second, after a cancelled one of which this was seen."""
    follows = [did("follower_started", 12.0, NEXT), runs(12.0, 20.0, pace=pace, of=NEXT, worker=W)]
    return neighbours.follower_keeps_pace(film(started(), *before, cancelled(10.0), follows, worker=W), B, 2.0, 3, 30.0)


def test_two_updates_of_the_cancelled_one_are_its_pace() -> None:
    assert next_one_at(2.0, saw(8.0, "running", 2.0, worker=W), saw(9.0, "running", 4.0, worker=W)).holds


def test_what_makes_up_for_a_late_beginning_is_not_that_fast() -> None:
    """5 % in a second, and 10 % in the five since it began: what follows makes 2 % a second."""
    caught_up = [
        saw(4.0, "running", 0.0, worker=W),
        saw(8.0, "running", 5.0, worker=W),
        saw(9.0, "running", 10.0, worker=W),
    ]
    told = next_one_at(2.0, caught_up)
    assert told.holds and told.seen == f"{NEXT} made 14.0 % in 7.0 s, and 14.0 % was due"
    assert next_one_at(0.5, caught_up).violated
    between = saw(8.5, "running", 7.5, worker=W)
    assert next_one_at(2.0, *caught_up[:2], between, caught_up[2]).seen == told.seen
    lags = saw(9.5, "running", 5.0, worker=W)
    lagging = next_one_at(2.0, *caught_up[:2], between, caught_up[2], lags)
    assert lagging.seen == f"{NEXT} made 14.0 % in 7.0 s, and 10.0 % was due", "it may be a second older than it looks"


def test_of_the_next_one_that_has_shown_no_step_yet_as_coarse_ones_are_due_as_of_the_cancelled_one() -> None:
    coarse = [saw(1.0 + n, "running", 5.0 * n, worker=W) for n in range(9)]

    def next_one(*seen: tuple[float, float]) -> Judgement:
        follows = [saw(at_s, "running", height, of=NEXT, worker=W) for at_s, height in seen]
        history = film(started(), coarse, cancelled(10.0), did("follower_started", 12.0, NEXT), follows, worker=W)
        return neighbours.follower_keeps_pace(history, B, 1.0, 1, 30.0)

    one = next_one((12.5, 5.0), (14.0, 5.0))
    assert one.unknown and one.seen == f"{NEXT} was to make 7.5 % only, too little to tell"
    assert next_one((12.5, 5.0), (15.0, 5.0)).violated, "12.5 % due, and nothing came"
    # Once it has steps of its own they count.
    assert next_one((12.5, 5.0), (13.0, 5.5), (15.0, 6.0)).violated


@pytest.mark.parametrize(("rises", "known"), [(2, False), (3, True)])
def test_two_steps_beside_the_others_are_a_pace_to_cancel_at(rises: int, known: bool) -> None:
    alone = [saw(0.5 * n, "running", 4.0 * n, worker=W) for n in range(1, 4)]
    beside_it = [saw(3.0 + 3.0 * n, "running", 12.0 + 5.0 * n, worker=W) for n in range(rises)]
    seen = film(started(), alone, did("neighbour_started", 2.0, OTHER), beside_it, worker=W)
    assert neighbours.has_a_pace_beside_others(seen, B) is known
    brief = [saw(3.0 + 0.9 * n, "running", 12.0 + n, worker=W) for n in range(rises)]
    assert not neighbours.has_a_pace_beside_others(film(started(), brief, worker=W), B)


def test_the_pace_to_keep_is_the_one_beside_the_others() -> None:
    """Alone it made 8 % a second, and beside the neighbour, on the same host, 1 %."""
    alone = [saw(0.5 * n, "running", 4.0 * n, worker=W) for n in range(1, 4)]
    beside_it = [saw(2.0 + 0.5 * n, "running", 12.0 + 0.5 * n, worker=W) for n in range(15)]
    assert next_one_at(1.0, alone, did("neighbour_started", 2.0, OTHER), beside_it).holds


def test_a_second_beside_the_others_is_enough_and_where_there_is_none_what_was_before_them() -> None:
    late = did("neighbour_started", 8.5, OTHER)
    alone = [saw(0.5 * n, "running", 4.0 * n, worker=W) for n in range(1, 16)]
    a_second = [saw(8.5 + 0.5 * n, "running", 62.0 + 0.5 * n, worker=W) for n in range(3)]
    assert next_one_at(1.0, alone, late, a_second).holds
    assert next_one_at(1.0, saw(6.0, "running", 2.0, worker=W), saw(7.0, "running", 3.0, worker=W), late).holds


# --- each with its boundary --------------------------------------------------------------------------------------


def test_what_is_expected_of_neighbours_and_what_was_seen_is_told() -> None:
    two = beside(
        RUNS_ON,
        did("neighbour_started", 2.0, "op_8"),
        runs(2.0, 10.0, of="op_8"),
        runs(10.25, 15.0, base=16.0, of="op_8"),
    )
    found = {j.name: j for j in neighbours.judgements(two, verdict.LIMITS_S)}
    assert (
        found["neighbours run on"].expected == "the other backtests run on at the pace that they had before the cancel"
    )
    assert found["neighbours run on"].seen == (
        f"{OTHER} made 8.0 % in 5.0 s, and 10.0 % was due; op_8 made 8.0 % in 5.0 s, and 10.0 % was due"
    )
    assert found["neighbours untouched"].expected == "the records of the other backtests are not touched by the cancel"
    assert found["neighbours untouched"].seen == "2 read again after the cancel"
    moving = neighbours.are_moving(two, 5.0)
    assert (moving.name, moving.seen) == ("neighbours moving", "2 are moving")
    assert moving.expected == "the other backtests are moving within 5.0 s"
    none = neighbours.are_moving(film(started()), 5.0)
    assert none.seen == "there is none" and none.final


def test_the_second_neighbour_is_judged_as_the_first() -> None:
    def second(*after: Part) -> History:
        return beside(
            *(saw(12.6, "completed", 100.0, of=OTHER), did("neighbour_started", 2.0, "op_8")),
            *after,
            before=runs(2.0, 10.0, base=78.0),
        )

    stands = second(runs(2.0, 10.0, of="op_8"), runs(10.25, 15.0, pace=0.0, base=16.0, of="op_8"))
    assert on(stands).violated and on(stands).at_s == 15.0
    told = second(runs(2.0, 10.0, of="op_8"), saw(10.5, "failed", 0.0, of="op_8"))
    assert on(told).violated and on(told).at_s == 10.5
    marked = second(runs(2.0, 10.0, of="op_8"), saw(10.5, "running", 16.0, of="op_8", error_message="gone", **BEGAN))
    assert untouched(marked).violated and untouched(marked).at_s == 10.5
    late = second(saw(7.5, "running", 0.0, of="op_8"))
    assert neighbours.are_moving(late, 5.0).violated and neighbours.are_moving(late, 5.0).at_s == 7.5
    assert untouched(second()).seen == "1 read again after the cancel"


def test_a_neighbour_has_until_the_limit_to_move_and_longer_where_its_steps_are_coarse() -> None:
    at = beside(before=[saw(7.0, "running", 0.0, of=OTHER)])
    assert neighbours.are_moving(at, 5.0).seen == f"{OTHER} was not seen to move"
    assert neighbours.are_moving(at, 5.0).unknown and not neighbours.are_moving(at, 5.0).final
    coarse = beside(before=[saw(2.0 + 0.5 * n, "running", 10.0 * (n // 8), of=OTHER) for n in range(16)])
    assert neighbours.are_moving(coarse, 5.0).unknown
    stands = beside(before=[saw(2.0 + 0.5 * n, "running", 10.0 * (n >= 2), of=OTHER) for n in range(16)])
    assert neighbours.are_moving(stands, 5.0).seen == f'{OTHER} was "running" at 10.0 % after 5.0 s'
    assert neighbours.are_moving(stands, 5.0).at_s == 9.0
    done = neighbours.are_moving(beside(before=[saw(2.5, "completed", 100.0, of=OTHER)]), 5.0)
    assert done.unknown and done.final
    ended = neighbours.are_moving(beside(before=[saw(2.5, "cancelled", 0.0, of=OTHER)]), 5.0)
    assert ended.seen == f'{OTHER} was "cancelled" at 0.0 %: no reason given' and ended.at_s == 2.5


def test_a_neighbour_at_half_its_pace_is_slower_and_one_a_step_better_is_not() -> None:
    """2 % a second before, so that 10 % are due in 5 s: six tenths of that less one step of 2 % are 4 %."""
    before = [saw(2.0 + n, "running", 2.0 * n, of=OTHER) for n in range(9)]

    def makes(percent: float) -> Judgement:
        steps = [saw(11.0, "running", 16.0 + percent / 2, of=OTHER), saw(15.0, "running", 16.0 + percent, of=OTHER)]
        return on(beside(steps, before=before))

    assert makes(4.0).seen == f"{OTHER} made 4.0 % in 5.0 s, and 10.0 % was due: it is watched for 12.0 s to tell"
    assert makes(3.9).seen == f'{OTHER} made 3.9 % in 5.0 s, and 10.0 % was due: it was "running" at 19.9 %'


def test_a_record_that_flickers_is_no_progress() -> None:
    """A 404 or a null between two readings at the same height would add that height each time."""
    for gap in ("missing", "running"):
        flickers = [
            saw(10.25 + 0.25 * n, gap if n % 4 == 3 else "running", None if n % 4 == 3 else 16.0, of=OTHER)
            for n in range(22)
        ]
        assert on(beside(flickers)).violated
    gone = [saw(9.9, "missing", of=OTHER), saw(10.5, "missing", of=OTHER), saw(15.0, "missing", of=OTHER)]
    assert on(beside(gone)).seen == f'{OTHER} made 0.0 % in 5.0 s, and 10.0 % was due: it was "missing"'
    lags = [saw(s.asked_s, "running", 12.0 if n % 2 else 16.0, of=OTHER) for n, s in enumerate(RUNS_ON)]
    assert on(beside(lags)).violated, "it stands still, read from two replicas"


def test_a_neighbour_that_nears_its_end_is_due_no_more_than_is_left() -> None:
    near = [saw(2.0 + n, "running", 74.0 + 2.0 * n, of=OTHER) for n in range(9)]
    writes = [saw(11.0 + n, "running", min(100.0, 92.0 + 2.0 * n), of=OTHER) for n in range(20)]
    assert on(beside(writes, before=near)).seen == f"{OTHER} made 10.0 % in 20.0 s, and 10.0 % was due"
    nearer = [saw(2.0 + n, "running", 82.0 + 2.0 * n, of=OTHER) for n in range(9)]
    stands = [saw(11.0 + n, "running", 98.0, of=OTHER) for n in range(20)]
    told = on(beside(stands, before=nearer))
    assert told.unknown and told.final and told.seen == f"{OTHER} was to make 2.0 % only, too little to tell"
    short = neighbours.run_on(beside(RUNS_ON[:6]), B, 1.0, 0)
    assert short.unknown and not short.final and short.seen == f"{OTHER} was to make 3.0 % only, too little to tell"


def test_a_neighbour_is_watched_for_three_of_its_steps() -> None:
    every_two = [saw(2.0 + 0.5 * n, "running", 4.0 * (n // 4), of=OTHER) for n in range(16)]
    after = [saw(10.5 + 0.5 * n, "running", 16.0 + 4.0 * (n // 4), of=OTHER) for n in range(11)]
    assert on(beside(after, before=every_two)).seen == f"{OTHER} was not read for 6.0 s yet"
    assert on(beside(after, saw(16.0, "running", 28.0, of=OTHER), before=every_two)).holds
    assert neighbours.run_on(beside(RUNS_ON), B, 6.0, 3).seen == f"{OTHER} was not read for 6.0 s yet"
    assert on(beside()).seen == f"{OTHER} was not read for 3.0 s yet"
    by_about = film(beside(after, before=every_two).samples, beside().events, backtest=B, updates=2)
    assert {j.name: j.verdict for j in neighbours.judgements(by_about, verdict.LIMITS_S)}[
        "neighbours run on"
    ] == "holds"


def test_without_a_cancel_nothing_can_be_compared() -> None:
    not_cancelled = film(started(), did("neighbour_started", 2.0, OTHER), runs(2.0, 10.0))
    assert on(not_cancelled).seen == untouched(not_cancelled).seen == "no cancel was sent"
    assert untouched(beside()).seen == "none was read after the cancel"
    unseen = on(beside(RUNS_ON, before=[saw(9.0, "running", 2.0, of=OTHER), saw(9.5, "running", 2.0, of=OTHER)]))
    assert unseen.unknown and unseen.final
    at_once = [saw(9.0, "running", 2.0, of=OTHER), saw(9.0, "running", 3.0, of=OTHER)]
    assert on(beside(RUNS_ON, before=at_once)).seen == f"the pace of {OTHER} was not seen before the cancel"


def test_a_record_may_be_told_in_other_words_and_must_not_change_its_times() -> None:
    other_words = {"created_at": "2026-11-22T18:52:30.000+00:00", "started_at": None}
    assert untouched(beside(runs(10.25, 15.0, base=16.0, **other_words))).holds
    half_a_second_later = {"started_at": "2026-11-22T18:52:31.5Z"}
    assert untouched(beside(runs(10.25, 15.0, base=16.0, **half_a_second_later))).holds
    begun_again = runs(10.25, 15.0, base=16.0, created_at="2026-11-22T18:52:33Z")
    assert untouched(beside(begun_again)).seen == (
        f"{OTHER}: its created_at was 2026-11-22T18:52:30Z, and is 2026-11-22T18:52:33Z, 0.2 s after the cancel"
    )
    unnamed = beside(runs(10.25, 15.0, base=16.0), before=runs(2.0, 10.0, created_at=None, started_at=None))
    assert untouched(unnamed).holds
    warned = beside(
        runs(10.25, 15.0, base=16.0, error_message="2 bars are missing"),
        before=[*runs(2.0, 9.0, error_message="2 bars are missing"), saw(9.5, "running", 16.0, of=OTHER)],
    )
    assert untouched(warned).holds
    done = saw(15.2, "completed", 100.0, of=OTHER, completed_at="2026-11-22T18:52:55Z", **BEGAN)
    assert untouched(beside(RUNS_ON, done)).holds
    with_error = saw(15.2, "completed", 100.0, of=OTHER, error_message="by user", **BEGAN)
    assert untouched(beside(RUNS_ON, with_error)).seen == (
        f'{OTHER}: it is "completed" at 100.0 %, and carries the error by user, 5.2 s after the cancel'
    )
    gone = saw(15.2, "missing", of=OTHER, completed_at="2026-11-22T18:52:55Z", error_message="no such operation")
    assert untouched(beside(RUNS_ON, gone)).holds
    failed = saw(15.2, "failed", 0.0, of=OTHER, error_message="no data", completed_at="2026-11-22T18:52:55Z", **BEGAN)
    assert untouched(beside(RUNS_ON, failed)).holds, "that it failed is for the other rule"


def test_progress_has_fallen_where_it_stays_below_for_half_a_second() -> None:
    def fell(*heights: float, from_s: float = 11.0) -> Judgement:
        after = [saw(from_s + 0.25 * n, "running", height, of=OTHER) for n, height in enumerate(heights)]
        return untouched(beside(RUNS_ON[:3], after))

    assert fell(14.0, 14.0, 16.0, 14.0, 14.0, 18.0).holds, "twice for 0.25 s"
    assert fell(14.0, 14.5, 15.0).seen == f"{OTHER}: its progress fell from 16.0 % to 14.0 %, 1.0 s after the cancel"
    assert fell(14.0, 14.5, 15.0).at_s == 11.0
    assert (
        fell(20.0, 14.0, 14.5, 15.0).seen == f"{OTHER}: its progress fell from 20.0 % to 14.0 %, 1.2 s after the cancel"
    )
    unread = [
        saw(11.0, "running", 14.0, of=OTHER),
        saw(11.5, "running", None, of=OTHER),
        saw(12.0, "missing", of=OTHER),
    ]
    assert untouched(beside(RUNS_ON[:3], unread)).holds
    assert untouched(beside(RUNS_ON[:3], unread, saw(12.1, "running", 14.0, of=OTHER))).violated
    begins = [saw(2.0 + n, "running", 0.1 * n, of=OTHER) for n in range(8)]
    again = [saw(10.5 + 0.25 * n, "running", 0.1, of=OTHER) for n in range(3)]
    assert untouched(beside(again, before=begins)).seen.startswith(f"{OTHER}: its progress fell from 0.7 % to 0.1 %")
    before = [*runs(2.0, 6.0), *(saw(6.5 + 0.5 * n, "running", 4.0, of=OTHER) for n in range(6))]
    assert untouched(beside(runs(10.25, 15.0, base=4.0), before=before)).holds, "it did so before the cancel as well"
    at_it = [*runs(2.0, 9.75), *(saw(10.0 + 0.5 * n, "running", 4.0, of=OTHER) for n in range(6))]
    assert untouched(beside(before=at_it)).holds, "what was asked for when the cancel was sent is from before it"


def test_of_the_next_one_it_is_told_what_is_not_known() -> None:
    assert followed().seen == "its pace was not seen"
    assert followed().expected == "the next backtest on the same worker runs at the pace of the cancelled one"
    assert neighbours.follower_keeps_pace(beside(), B, 2.0, 3, 30.0).seen == "none was started"
    assert followed(runs(12.0, 14.0, of=NEXT, worker=W)).seen == f"{NEXT} was not read for 3.0 s yet"
    assert (
        neighbours.follower_keeps_pace(
            beside(did("follower_started", 12.0, NEXT), runs(12.0, 20.0, of=NEXT, worker=W)), B, 9.0, 3, 30.0
        ).seen
        == f"{NEXT} was not read for 9.0 s yet"
    )
    elsewhere = followed(runs(12.0, 20.0, of=NEXT, worker="w3"), saw(20.5, "running", 1.0, of=NEXT, worker="w2"))
    assert elsewhere.final and elsewhere.seen == "it was given to w2, w3, not to the worker of the cancelled one"
    assert followed(saw(13.0, "completed", 100.0, of=NEXT)).seen == f"{NEXT} completed"
    broken = followed(saw(13.0, "failed", 0.0, of=NEXT, error_message="no data"))
    assert broken.seen == f'{NEXT} was "failed" at 0.0 % 1.0 s after its start: no data' and broken.at_s == 13.0
    ended = followed(runs(12.0, 20.0, of=NEXT), did("clean_up", 20.1, NEXT), saw(20.2, "cancelled", 0.0, of=NEXT))
    assert ended.seen == f"{NEXT} made 14.0 % in 7.0 s, and 14.0 % was due"
    blind = film(did("follower_started", 12.0, NEXT), runs(12.0, 20.0, of=NEXT), cancelled(10.0))
    assert neighbours.follower_keeps_pace(blind, B, 2.0, 3, 30.0).seen == "the pace of the cancelled one was not seen"


def test_the_next_one_is_judged_with_the_limits_of_the_recording() -> None:
    following = beside(did("follower_started", 12.0, NEXT), runs(12.0, 20.0, of=NEXT, worker=W), RUNS_ON)
    names = [j.name for j in neighbours.judgements(following, verdict.LIMITS_S) if j.holds]
    assert names == ["neighbours run on", "neighbours untouched", "next keeps pace"]
    alone = film(
        [e for e in following.events if e.kind != "neighbour_started"], following.samples, backtest=B, worker=W
    )
    assert [j.seen for j in neighbours.judgements(alone, verdict.LIMITS_S)] == [
        f"{NEXT} made 14.0 % in 7.0 s, and 14.0 % was due"
    ]


def test_the_pace_of_two_rises_and_a_slow_one_are_enough_to_tell() -> None:
    two = [saw(7.5, "running", 2.0, of=OTHER), saw(9.5, "running", 6.0, of=OTHER)]
    assert (
        on(beside(runs(10.25, 17.0, base=6.0), before=two)).seen == f"{OTHER} made 12.0 % in 7.0 s, and 14.0 % was due"
    )
    assert neighbours.are_moving(beside(before=[*two, saw(20.0, "running", 3.0, of=OTHER)]), 5.0).holds
    slow = on(beside(runs(10.25, 15.0, pace=0.5, base=4.0), before=runs(2.0, 10.0, pace=0.5)))
    assert slow.seen == f"{OTHER} made 2.0 % in 5.0 s, and 2.5 % was due"


def test_two_rises_of_a_moment_are_no_pace() -> None:
    """The first was read from a replica that lags, the second was not: and both within less than two seconds."""
    moment = [saw(7.51, "running", 2.0, of=OTHER), saw(9.5, "running", 8.0, of=OTHER)]
    history = beside(runs(10.25, 15.0, base=8.0), before=moment)
    assert (on(history).verdict, on(history).seen) == ("unknown", f"the pace of {OTHER} was not seen before the cancel")
    moving = neighbours.are_moving(history, 5.0)
    assert (moving.verdict, moving.seen) == ("holds", "1 are moving"), "what comes after the cancel is seen as well"
    early = film(did("neighbour_started", 2.0, OTHER), moment, saw(100.0, "running", 8.0, of=OTHER))
    moving = neighbours.are_moving(early, 5.0)
    assert (moving.verdict, moving.seen) == ("unknown", f"{OTHER} was seen to move for less than 2 s")


def test_the_usual_step_is_the_median_of_its_steps() -> None:
    """Steps of 1, 1, 4 and 4: six tenths of the 12 % that were due, less 4 %, are 3.2 %, and it made 4 %."""
    before = [
        saw(at_s, "running", height, of=OTHER) for at_s, height in ((2.0, 2.0), (4.0, 3.0), (6.0, 4.0), (8.0, 8.0))
    ]
    after = [saw(15.0, "running", 12.0, of=OTHER), saw(22.0, "running", 12.0, of=OTHER)]
    assert (
        on(beside(after, before=before)).seen
        == f"{OTHER} made 4.0 % in 12.0 s, and 12.0 % was due: it is watched for 24.0 s to tell"
    )


def test_what_was_read_as_the_cancel_was_sent_is_from_before_it() -> None:
    ended = on(beside(saw(10.0, "cancelled", 0.0, of=OTHER)))
    assert ended.seen == f"{OTHER} was not read for 3.0 s yet"
    once = [saw(10.0, "running", 16.0, of=OTHER, **BEGAN)]
    changed = saw(10.5, "running", 16.0, of=OTHER, created_at="2026-11-22T18:52:40Z")
    assert untouched(beside(changed, before=once)).violated


def test_a_next_one_that_stands_after_its_first_step_is_slow() -> None:
    """The cancelled one made 1 % every two seconds: three such steps are watched, in which 3 % were due."""
    ran = [saw(float(t), "running", float(t // 2), worker=W) for t in range(1, 10)]
    stands = [saw(12.0 + 0.5 * n, "running", 1.0, of=NEXT, worker=W) for n in range(13)]

    def after(until: int) -> Judgement:
        history = film(started(), ran, cancelled(10.0), did("follower_started", 11.0, NEXT), stands[:until], worker=W)
        return neighbours.follower_keeps_pace(history, B, 1.0, 3, 30.0)

    assert after(12).seen == f"{NEXT} was not read for 6.0 s yet"
    assert after(13).seen == f'{NEXT} made 0.0 % in 6.0 s, and 3.0 % was due: it was "running" at 1.0 %'
    (judged,) = neighbours.judgements(
        film(started(), ran, cancelled(10.0), did("follower_started", 11.0, NEXT), stands, backtest=B, updates=1),
        {"frozen_s": 3.0, "new_backtest_s": 30.0},
    )
    assert judged.seen == f"it was given to {W}, not to the worker of the cancelled one"


def test_a_next_one_that_makes_little_because_little_was_due_is_told_by_what_it_made() -> None:
    ran = [saw(1.0 + 2.0 * n, "running", 0.5 * (n + 1), worker=W) for n in range(5)]
    stands = [saw(12.0 + 0.5 * n, "running", 0.5, of=NEXT, worker=W) for n in range(13)]
    history = film(started(), ran, cancelled(10.0), did("follower_started", 11.0, NEXT), stands, worker=W)
    assert neighbours.follower_keeps_pace(history, B, 1.0, 3, 30.0).violated


def test_three_updates_are_waited_for_where_the_recording_does_not_say() -> None:
    found = neighbours.judgements(beside(runs(10.25, 13.0, base=16.0)), verdict.LIMITS_S)
    assert found[0].seen == f"{OTHER} made 4.0 % in 3.0 s, and 6.0 % was due: it is watched for 12.0 s to tell"


def on_this_host(*after: Part, load_per_core: float) -> Judgement:
    """Of a next one; the cancelled one made 2 % a second, of an eighth of a second of processor time."""
    history = film(
        started(),
        [saw(2.0 + 0.5 * n, "running", 1.0 * n, worker=W) for n in range(1, 16)],
        [used(3.0 + n, 1.0 + 0.125 * n) for n in range(6)],
        cancelled(10.0),
        did("follower_started", 12.0, NEXT),
        *after,
        worker=W,
        load_per_core=load_per_core,
    )
    return neighbours.follower_keeps_pace(history, B, 2.0, 3, 30.0)


@pytest.mark.parametrize(
    ("made", "used_s", "busy", "verdict"),
    [
        (4.0, 0.3125, True, "holds"),
        (4.0, 0.3125, False, "violated"),
        (4.0, 0.32, True, "violated"),
        (4.0, 0.0, True, "violated"),
        (4.0, 0.125, True, "holds"),
        (3.9, 0.125, True, "violated"),
        (0.0, 0.125, True, "violated"),
    ],
    ids=[
        "held up",
        "on an idle host",
        "less of it",
        "not measured",
        "a quarter",
        "less than a quarter",
        "stands still",
    ],
)
def test_on_a_busy_host_the_next_one_is_judged_by_what_it_makes_of_its_processor_time(
    made: float, used_s: float, busy: bool, verdict: str
) -> None:
    """20 % were due in 10 s."""
    told = on_this_host(
        [saw(12.0 + 2.5 * n, "running", 0.5 + made * n / 4, of=NEXT, worker=W) for n in range(5)],
        [used(14.5, 2.0), used(22.0, 2.0 + used_s)],
        load_per_core=9.0 if busy else 0.1,
    )
    assert told.verdict == verdict, told.seen
    if told.holds:
        assert told.seen == (
            f"{NEXT} made {made} % in 10.0 s, and 20.0 % was due; "
            "its host is busy, and of the processor time that it got it made as much as usual"
        )


@pytest.mark.parametrize(
    ("heights", "used_s", "verdict"),
    [
        ((2.5, 4.5, 6.5), 0.25, "holds"),
        ((2.5, 4.5, 6.5), 0.6, "unknown"),
        ((2.5, 4.5), 0.1, "unknown"),
        ((0.5, 4.5, 8.5), 0.1, "unknown"),
    ],
    ids=["held up", "less of it", "for less than three windows", "of less than five steps"],
)
def test_what_excuses_a_slow_one_excuses_one_that_is_in_doubt(
    heights: tuple[float, ...], used_s: float, verdict: str
) -> None:
    """15 % are due in 7.5 s; less than a third of it, less one step, is slow, less than four fifths is in doubt."""
    at_s = [14.5 + 2.5 * n for n in range(len(heights))]
    told = on_this_host(
        [saw(t, "running", h, of=NEXT, worker=W) for t, h in zip([12.0, *at_s], [0.5, *heights], strict=True)],
        [used(14.5, 2.0), used(17.0, 2.0), used(at_s[-1], 2.0 + used_s)],
        load_per_core=9.0,
    )
    assert told.verdict == verdict, told.seen
    as_usual = "its host is busy, and of the processor time that it got it made as much as usual"
    assert told.seen.endswith(as_usual if told.holds else "it is watched for 8.0 s to tell")


@pytest.mark.parametrize(
    ("load", "until_s", "pace", "next_pace", "verdict"),
    [
        (2.1, 20.0, 1.4, 1.4, "holds"),
        (2.0, 20.0, 1.4, 1.4, "unknown"),
        (2.1, 18.0, 1.4, 1.4, "unknown"),
        (2.1, 20.0, 1.8, 2.6, "holds"),
    ],
    ids=[
        "keeps up",
        "on a host that is not busy",
        "for less than three windows",
        "the others are faster than they were",
    ],
)
def test_one_that_keeps_up_with_the_others_of_a_busy_host_is_not_in_doubt(
    load: float, until_s: float, pace: float, next_pace: float, verdict: str
) -> None:
    """2 % a second were due of each."""
    seen = beside(
        runs(10.25, until_s, pace=pace, base=16.0),
        did("follower_started", 10.25, NEXT),
        runs(10.25, until_s, pace=next_pace, of=NEXT, worker=W),
    )
    told = on(film(seen.samples, seen.events, backtest=B, worker=W, load_per_core=load))
    assert told.verdict == verdict, told.seen


def test_a_neighbour_is_judged_by_what_it_makes_of_the_processor_time_of_its_own_worker() -> None:
    """It made 2 % a second, of a tenth of a second of processor time; now 0.5 %, and its worker gets a fiftieth."""

    def held_up(counted: str, **named: object) -> Judgement:
        before, after = runs(2.0, 10.0, **named), runs(10.25, 25.0, pace=0.5, base=16.0, **named)
        processor = [used(3.0 + n, 1.0 + 0.1 * n, counted) for n in range(6)]
        processor += [used(12.0, 2.0, counted), used(24.0, 2.25, counted)]
        seen = beside(after, processor, before=before)
        return on(film(seen.samples, seen.events, backtest=B, worker=W, load_per_core=2.1))

    told = held_up("worker_2", worker="worker_2")
    assert told.holds and told.seen == (
        f"{OTHER} made 7.0 % in 15.0 s, and 30.0 % was due; "
        "its host is busy, and of the processor time that it got it made as much as usual"
    )
    assert held_up(W, worker="worker_2").violated, "another's processor time tells nothing of it"
    assert held_up("worker_2").violated, "nor does a worker's that is not named"


@pytest.mark.parametrize(
    ("load", "until_s", "verdict"), [(2.0, 25.0, "violated"), (2.1, 25.0, "unknown"), (2.1, 33.0, "violated")]
)
def test_on_a_busy_host_one_that_shows_no_coarse_step_yet_does_not_stand_still(
    load: float, until_s: float, verdict: str
) -> None:
    """Steps of 5 % at 2 % a second: of the first one, late by a little, nothing is seen for 10 s; five are due in 12.5 s."""
    before = [saw(0.5 + 2.5 * n, "running", 5.0 * n, worker=W) for n in range(4)]
    stands = [saw(t, "running", 5.0, of=NEXT, worker=W) for t in (15.0, 20.0, until_s)]
    history = film(
        started(), before, cancelled(10.0), did("follower_started", 12.0, NEXT), stands, worker=W, load_per_core=load
    )
    told = neighbours.follower_keeps_pace(history, B, 2.0, 3, 30.0)
    assert told.verdict == verdict, told.seen
