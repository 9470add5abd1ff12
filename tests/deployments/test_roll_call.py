"""Many backtests are watched by pages of the list: requests grow with pages, every row has its page's own times."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Passing
from ktrdr_qa.record import roll_call
from ktrdr_qa.record.recorder import Recorder
from ktrdr_qa.record.roll_call import RollCall
from tests.deployments.harness import await_that
from tests.deployments.proxy import Answer, Asked, proxy


def row(number: int, **more: Any) -> dict[str, Any]:
    told = {"operation_id": f"op_{number}", "operation_type": "backtesting", "status": "running"}
    return {**told, "progress_percentage": 10.0, **more}


@dataclass
class Ktrdr:
    """A list of backtests, newest first, with the questions that were asked of it."""

    rows: list[dict[str, Any]]
    asked: list[str] = field(default_factory=list)
    before: Callable[[int], Answer | None] = lambda number: None
    told: dict[str, Any] = field(default_factory=dict)
    """What the answer has instead of its usual fields."""

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(asked.path)
        if answer := self.before(len(self.asked)):
            return answer
        given = parse_qs(urlsplit(asked.path).query)
        offset, limit = int(given.get("offset", ["0"])[0]), int(given.get("limit", ["10"])[0])
        page = self.rows[offset : offset + limit]
        return Answer(200, json.dumps({"success": True, "data": page, "total_count": len(self.rows), **self.told}))


@contextmanager
def called(ktrdr: Ktrdr, round_s: float = 0.02) -> Iterator[RollCall]:
    with proxy("http://127.0.0.1:9", ktrdr) as url:
        roll = RollCall(Client(url, Passing()), time.monotonic, round_s=round_s)
        try:
            yield roll
        finally:
            roll.stop()


def rounds(ktrdr: Ktrdr) -> int:
    return sum("offset" not in path for path in ktrdr.asked)


@pytest.mark.parametrize(("backtests", "pages"), [(1, 1), (10, 1), (100, 1), (250, 3)])
def test_requests_grow_with_pages_and_not_with_backtests(backtests: int, pages: int) -> None:
    ktrdr, recorder = Ktrdr([row(n) for n in range(backtests)]), Recorder(time.monotonic)
    with called(ktrdr) as roll:
        for n in range(backtests):
            roll.watch(f"op_{n}", recorder)
        await_that(
            lambda: all(len(recorder.history().of("backend", f"op_{n}")) > 2 for n in range(backtests)), "rounds"
        )
    # Those who came in during the first round may have cost fewer pages, never more.
    assert len(ktrdr.asked) <= rounds(ktrdr) * pages
    assert roll.pages == len(ktrdr.asked)


def test_no_further_page_is_read_than_the_watched_ones_are_on() -> None:
    ktrdr, recorder = Ktrdr([row(n) for n in range(1000)]), Recorder(time.monotonic)
    with called(ktrdr) as roll:
        roll.watch("op_3", recorder)
        await_that(lambda: len(recorder.history().of("backend", "op_3")) > 2, "rounds")
    assert not any("offset" in path for path in ktrdr.asked)
    assert recorder.history().subjects("backend") == ["op_3"]


def test_each_goes_into_the_recorder_of_whoever_watches_it() -> None:
    one, other = Recorder(time.monotonic), Recorder(time.monotonic)
    with called(Ktrdr([row(1), row(2, status="CANCELLED", progress_percentage=0)])) as roll:
        roll.watch("op_1", one)
        roll.watch("op_2", other)
        await_that(lambda: one.history().samples and other.history().samples, "both")
        roll.unwatch("op_1")
    assert one.history().subjects("backend") == ["op_1"]
    (seen, *_) = other.history().of("backend", "op_2")
    assert (seen.status, seen.percentage, seen.facts["in_list"]) == ("cancelled", 0.0, True)


def test_a_row_is_true_for_the_time_of_its_own_page() -> None:
    ktrdr, recorder = Ktrdr([row(n) for n in range(150)]), Recorder(time.monotonic)
    ktrdr.before = lambda number: time.sleep(0.2) or None
    with called(ktrdr) as roll:
        roll.watch("op_1", recorder)
        roll.watch("op_149", recorder)
        await_that(lambda: recorder.history().of("backend", "op_149"), "the second page")
    first = recorder.history().of("backend", "op_1")[-1]
    second = recorder.history().of("backend", "op_149")[0]
    assert all(0.2 <= s.answered_s - s.asked_s < 0.4 for s in (first, second))


def test_what_is_on_no_page_is_missing_and_what_is_beyond_the_last_one_read_is_a_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder(time.monotonic)
    ktrdr = Ktrdr([row(n) for n in range(150)])
    with called(ktrdr) as roll:
        roll.watch("op_gone", recorder)
        await_that(lambda: recorder.history().samples, "a round")
    assert recorder.history().of("backend", "op_gone")[0].status == "missing"
    monkeypatch.setattr(roll_call, "MOST_PAGES", 1)
    with called(ktrdr) as roll:
        roll.watch("op_149", recorder)
        await_that(lambda: recorder.history().problems("backend", "op_149"), "a round")
    assert not recorder.history().of("backend", "op_149")


@pytest.mark.parametrize("told", [{"total_count": None}, {"data": [row(n) for n in range(100)]}])
def test_a_list_that_may_not_be_whole_proves_no_record_lost(told: dict[str, Any]) -> None:
    recorder = Recorder(time.monotonic)
    with called(Ktrdr([row(n) for n in range(150)], told=told)) as roll:
        roll.watch("op_gone", recorder)
        await_that(lambda: recorder.history().samples, "a round")
    assert not recorder.history().of("backend", "op_gone")
    assert "of the list" in (recorder.history().samples[0].problem or "")


def test_a_lost_page_is_a_gap_and_the_next_round_is_read() -> None:
    ktrdr, recorder = Ktrdr([row(1)]), Recorder(time.monotonic)
    ktrdr.before = lambda number: Answer(500, '{"detail": "no"}') if number == 2 else None
    with called(ktrdr) as roll:
        roll.watch("op_1", recorder)
        await_that(lambda: rounds(ktrdr) > 4, "rounds")
    history = recorder.history()
    assert [s.problem is not None for s in history.samples][:4] == [False, True, False, False]
    assert "HTTP 500" in (history.samples[1].problem or "")


def test_a_platform_that_asks_for_a_pause_gets_it() -> None:
    came: list[float] = []

    def before(number: int) -> Answer | None:
        came.append(time.monotonic())
        return Answer(429, "{}", headers={"Retry-After": "1"}) if number == 1 else None

    with called(Ktrdr([row(1)], before=before)) as roll:
        roll.watch("op_1", Recorder(time.monotonic))
        await_that(lambda: len(came) > 2, "further rounds")
    assert came[1] - came[0] >= 0.95


def test_a_list_that_takes_long_is_given_a_rest_as_long() -> None:
    came: list[float] = []

    def before(number: int) -> Answer | None:
        came.append(time.monotonic())
        time.sleep(0.3)
        return None

    with called(Ktrdr([row(1)], before=before)) as roll:
        roll.watch("op_1", Recorder(time.monotonic))
        await_that(lambda: len(came) > 2, "further rounds")
    assert came[2] - came[1] >= 0.59


def test_whoever_is_in_a_hurry_gets_a_round_at_once() -> None:
    ktrdr, recorder = Ktrdr([row(1)]), Recorder(time.monotonic)
    with called(ktrdr, round_s=60.0) as roll:
        roll.watch("op_1", recorder)
        await_that(lambda: rounds(ktrdr) == 1 and recorder.history().samples, "the first round")
        roll.look_now()
        await_that(lambda: rounds(ktrdr) == 2, "the second round")
