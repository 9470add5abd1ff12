"""The neighbours of a cancelled backtest: they move, run on at their pace, and nothing of them is touched."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ktrdr_qa.judge import neighbours, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.record.history import History, Sample
from tests.judging.film import NEXT, OTHER, B, Part, W, cancelled, did, film, saw, started

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


def test_one_that_completes_or_that_this_run_ends_itself_is_in_order() -> None:
    completed = beside(RUNS_ON[:4], saw(12.0, "completed", 100.0, of=OTHER))
    assert on(completed).holds and on(completed).seen == f"{OTHER} completed"
    ended = beside(RUNS_ON, did("clean_up", 15.1, OTHER), saw(15.3, "cancelled", 0.0, of=OTHER))
    assert on(ended).holds and untouched(ended).holds


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


def followed(*readings: Part) -> Judgement:
    history = beside(did("follower_started", 12.0, NEXT), *readings)
    return neighbours.follower_keeps_pace(history, B, 2.0, 3)


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
