"""A healthy KTRDR behind a network that is not: a lost reading is a gap, and a lost answer is asked about."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import threading
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import psutil
import pytest

from tests.deployments.harness import BRISK, MAIN, Place, Platform, started
from tests.deployments.proxy import Answer, Asked, Closed, Reset, proxy

LAG_0 = ("--registry-lag-s", "0")


def is_reading(asked: Asked) -> bool:
    return asked.method == "GET" and asked.path.startswith("/api/v1/operations/op_")


def broken(asked: Asked, how: int) -> Answer:
    """One way of many to lose a reading."""
    kinds = [
        Answer(502, "<html>Bad Gateway</html>", "text/html"),
        Answer(200, "<html>maintenance</html>", "text/html"),
        Answer(200, '{"success": true, "data": {"status": "runn'),
        Answer(200, '{"success": true, "data": {}}', cut=11),
        Answer(429, '{"detail": "too fast"}', headers={"Retry-After": "1"}),
        Answer(500, '{"detail": "hiccup"}'),
    ]
    if how % 8 == 6:
        raise Reset
    if how % 8 == 7:
        raise Closed
    return kinds[how % 8]


@pytest.mark.parametrize("every", [3, 6])
def test_lost_readings_of_every_kind_are_gaps_and_no_verdict(place: Place, every: int) -> None:
    with started(*LAG_0) as platform:
        readings, losses = itertools.count(), itertools.count()

        def rule(asked: Asked) -> Answer | None:
            if is_reading(asked) and next(readings) % every == every - 2:
                return broken(asked, next(losses))
            return None

        with proxy(platform.url, rule) as url:
            ran = place.live(url)
        ran.passed()
        problems = {s["problem"] for s in ran.history()["samples"] if s.get("problem")}
        assert next(losses) >= 4
        assert len(problems) >= 3, problems
        assert platform.active() == []


def test_latency_and_a_few_lost_readings_do_not_disturb(place: Place) -> None:
    dice = random.Random(7)
    with started(*LAG_0) as platform:

        def rule(asked: Asked) -> Answer | None:
            asked.pause(0.1)
            if is_reading(asked) and dice.random() < 0.05:
                raise Reset
            return None

        with proxy(platform.url, rule) as url:
            place.live(url).passed()


def test_a_list_lost_before_the_cancels_in_vain_is_asked_for_again(place: Place) -> None:
    with started(*LAG_0) as platform:
        running = threading.Event()
        lists: list[str] = []

        def rule(asked: Asked) -> Answer | None:
            """Loses the first list that is asked for once the backtest moves: the one from before the cancels."""
            if is_reading(asked) and not running.is_set():
                answer = asked.forward()
                if json.loads(answer.body)["data"]["progress"]["percentage"] > 0:
                    running.set()
                return answer
            if running.is_set() and asked.path.startswith("/api/v1/operations?"):
                lists.append(asked.path)
                if len(lists) == 1:
                    raise Reset
            return None

        with proxy(platform.url, rule) as url:
            place.live(url, "features/nothing_to_cancel.feature", "--name=what is not there").passed()
    assert len(lists) >= 3, "asked for once more, and after the cancels"


def test_too_large_a_gap_after_the_cancel_makes_it_unknown(place: Place) -> None:
    with started(*LAG_0) as platform:
        cancelled: list[str] = []

        def rule(asked: Asked) -> Answer | None:
            if asked.method == "DELETE":
                cancelled.append(asked.path)
            if cancelled and asked.method == "GET" and asked.path == cancelled[0]:
                return Answer(502, "<html>Bad Gateway</html>", "text/html")
            return None

        with proxy(platform.url, rule) as url:
            ran = place.live(url).inconclusive()
        assert "a proxy answers, KTRDR behind it does not" in ran.reasons
        assert platform.active() == []


def lose_the_cancels_answer(platform: Platform, *, after_effect: bool, times: int, how: str = "reset"):  # type: ignore[no-untyped-def]
    asked_for = itertools.count()

    def rule(asked: Asked) -> Answer | None:
        if asked.method != "DELETE" or next(asked_for) >= times:
            return None
        if after_effect:
            asked.forward()
        if how == "502":
            return Answer(502, "<html>Bad Gateway</html>", "text/html")
        if how == "half":
            return Answer(200, '{"success": true, "data": {"success": true}}', cut=12)
        raise Reset if how == "reset" else Closed

    return rule


@pytest.mark.parametrize("how", ["reset", "closed"])
def test_a_cancel_lost_before_it_took_effect_is_repeated_once(place: Place, how: str) -> None:
    with started(*LAG_0) as platform:
        rule = lose_the_cancels_answer(platform, after_effect=False, times=1, how=how)
        with proxy(platform.url, rule) as url:
            ran = place.live(url).passed()
    assert "The answer to the first cancel was lost" in ran.observations
    assert "it was repeated once" in ran.observations


def test_a_cancel_whose_answer_was_lost_after_it_took_effect_was_not_acknowledged_for_anyone_to_see(
    place: Place,
) -> None:
    with started(*LAG_0) as platform:
        rule = lose_the_cancels_answer(platform, after_effect=True, times=1)
        with proxy(platform.url, rule) as url:
            ran = place.live(url).inconclusive()
        assert "its answer was lost" in ran.reasons and "the repeat says that it is cancelled already" in ran.reasons
        assert platform.active() == []


def test_two_lost_cancels_are_a_failure_with_the_reason(place: Place) -> None:
    with started(*LAG_0) as platform:
        rule = lose_the_cancels_answer(platform, after_effect=False, times=2)
        with proxy(platform.url, rule) as url:
            ran = place.live(url).failed()
        assert "two requests in a row got no answer: the connection was closed without an answer" in ran.reasons
        assert platform.active() == []


def test_a_gateway_that_answers_the_cancel_is_told_as_such(place: Place) -> None:
    with started(*LAG_0) as platform:
        rule = lose_the_cancels_answer(platform, after_effect=False, times=1, how="502")
        with proxy(platform.url, rule) as url:
            ran = place.live(url)
        assert ran.exit_status != 0 and "HTTP 502: a proxy answers, KTRDR behind it does not" in ran.reasons
        assert platform.active() == []


def test_a_start_whose_answer_was_lost_is_found_and_cancelled(place: Place) -> None:
    with started(*LAG_0) as platform:

        def rule(asked: Asked) -> Answer | None:
            if asked.method == "POST" and asked.path.endswith("/backtests/start"):
                asked.forward()
                raise Reset
            return None

        others = platform.start()
        with proxy(platform.url, rule) as url:
            ran = place.live(url).inconclusive()
        assert "had no usable answer" in ran.reasons
        assert platform.active() == [others], "this run's own is cancelled, others' is left alone"


def test_a_clock_that_is_wrong_elsewhere_does_not_matter(place: Place) -> None:
    place.embedded([*LAG_0, "--clock-skew-s", "-7200"]).passed()


def test_a_rate_limit_is_obeyed_between_readings(place: Place) -> None:
    """Refused is the second one: what is read on its own just before the cancel comes when there were more of them."""
    with started(*LAG_0) as platform:
        readings = itertools.count()

        def rule(asked: Asked) -> Answer | None:
            if is_reading(asked) and next(readings) == 1:
                return Answer(429, '{"detail": "too fast"}', headers={"Retry-After": "1"})
            return None

        with proxy(platform.url, rule) as url:
            ran = place.live(url, more=BRISK).passed()
    samples = [s for s in ran.history()["samples"] if s["view"] == "backend"]
    limited = next(s for s in samples if "HTTP 429" in (s.get("problem") or ""))
    following = min(
        s["asked_s"] for s in samples if s["subject"] == limited["subject"] and s["asked_s"] > limited["asked_s"]
    )
    assert following - limited["asked_s"] >= 0.95
    assert json.dumps(limited)


def test_a_cancel_refused_in_colours_is_a_failure_as_usual(place: Place) -> None:
    told = {"detail": "\x1b[31mcannot be cancelled\x1b[0m \x07 ]]> | <b>\ud800"}
    refusals = itertools.count()

    def rule(asked: Asked) -> Answer | None:
        if asked.method == "DELETE" and next(refusals) == 0:
            return Answer(500, json.dumps(told))
        return None

    with started(*LAG_0) as platform:
        with proxy(platform.url, rule) as url:
            ran = place.live(url).failed()
        assert platform.active() == []
    shown = "HTTP 500: \\x1b[31mcannot be cancelled\\x1b[0m \\x07 ]]> | <b>\\ud800"
    assert shown in ran.reasons and shown in ran.output
    assert "disagree" not in ran.output
    (report,) = (ran.place / "reports" / "junit").glob("TESTS-*.xml")
    messages = [f.attrib["message"] for f in ElementTree.parse(report).iter("failure")]
    assert any("cannot be cancelled" in message for message in messages)
    assert "<b>" not in (ran.place / "reports" / "summary.md").read_text()


def test_long_lists_and_long_records_cost_neither_time_nor_memory(place: Place) -> None:
    old = [
        {"operation_id": f"op_old_{n}", "operation_type": "backtesting", "status": "completed", "note": "x" * 1800}
        for n in range(5000)
    ]
    warnings = ["w" * 100] * 100_000
    lists, longest = [], [0]

    def rule(asked: Asked) -> Answer | None:
        if asked.method != "GET" or not asked.path.startswith("/api/v1/operations"):
            return None
        answer = asked.forward()
        said = json.loads(answer.body)
        if is_reading(asked) and answer.status == 200:
            said["data"] = {"warnings": warnings} | said["data"] | {"warnings": warnings}
        elif not is_reading(asked):
            lists.append(asked.path)
            query = parse_qs(urlsplit(asked.path).query)
            rows = said["data"] + ([] if "active_only" in query else old)
            first, many = (int(query.get(name, [other])[0]) for name, other in (("offset", "0"), ("limit", "10")))
            said |= {"data": rows[first : first + many], "total_count": len(rows)}
        body = json.dumps(said).encode()
        longest[0] = max(longest[0], len(body))
        return Answer(answer.status, body)

    peak = [0]
    with started(*LAG_0) as platform, proxy(platform.url, rule) as url:
        place.write("own.toml", f'kind = "live"\nbase_url = "{url}"\n{BRISK}')
        process = place.begin(MAIN, "-D", "target=own.toml")
        over = threading.Event()

        def watch() -> None:
            own = psutil.Process(process.pid)
            with contextlib.suppress(psutil.Error):
                while not over.wait(0.02):
                    peak[0] = max(peak[0], own.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        ran = place.finish(process)
        over.set()
        watcher.join()
    ran.passed()
    assert longest[0] > 10_000_000
    assert len(lists) <= 2 * 8, "the list is read as often as it is judged, a page of the newest and one of the active"
    assert peak[0] < 110e6, f"{peak[0] / 1e6:.0f} MB at the peak"
    listed = [s for s in ran.history()["samples"] if s["view"] == "list"]
    assert 2 <= len(listed) < 30, "what is old and ended is not recorded"
    assert all(file.stat().st_size < 1_000_000 for file in (ran.place / "reports" / "allure-results").iterdir())
