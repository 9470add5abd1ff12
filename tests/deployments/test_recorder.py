"""The camera obeys a platform that asks for a pause, whoever is in a hurry."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.platform.readings import Reading
from ktrdr_qa.record.history import Sample
from ktrdr_qa.record.recorder import SLOWEST, Recorder
from tests.deployments.harness import await_that
from tests.deployments.proxy import Answer, Asked, proxy


def test_a_pause_that_the_platform_asked_for_is_not_shortened() -> None:
    came: list[float] = []

    def rule(asked: Asked) -> Answer:
        came.append(time.monotonic())
        headers = {"Retry-After": "1"} if len(came) == 1 else {}
        return Answer(429 if headers else 200, "{}", headers=headers)

    recorder = Recorder(time.monotonic)
    with proxy("http://127.0.0.1:9", rule) as url:
        client = Client(url, Transcript())

        def read() -> Iterator[Reading]:
            client.get("/reading")
            yield Reading("op", status="running")

        recorder.watch("backend", "op", read, 0.05)
        await_that(lambda: came, "the first reading")
        stop = threading.Event()

        def hurry() -> None:
            while not stop.wait(0.05):
                recorder.look_now("backend")

        impatient = threading.Thread(target=hurry)
        impatient.start()
        await_that(lambda: len(came) > 2, "further readings")
        stop.set()
        impatient.join()
        recorder.stop()
    assert came[1] - came[0] >= 0.95
    assert "HTTP 429" in (recorder.history().samples[0].problem or "")


def test_where_the_rate_of_requests_is_limited_every_watch_reads_more_rarely() -> None:
    came: list[float] = []

    def rule(asked: Asked) -> Answer:
        if asked.path == "/refused":
            return Answer(429, "{}", headers={"Retry-After": "0"})
        came.append(time.monotonic())
        return Answer(200, "{}")

    recorder = Recorder(time.monotonic)
    with proxy("http://127.0.0.1:9", rule) as url:

        def reader(path: str) -> Callable[[], Iterator[Reading]]:
            client = Client(url, Transcript())

            def read() -> Iterator[Reading]:
                client.get(path)
                yield Reading("op", status="running")

            return read

        recorder.watch("listing", "", reader("/refused"), 0.02)
        await_that(lambda: recorder.slowed == SLOWEST, "the slowest pace")
        before = len(came)
        recorder.watch("backend", "op", reader("/reading"), 0.1)
        await_that(lambda: len(came) > before + 3, "further readings")
        recorder.stop()
    assert came[-1] - came[-2] >= 0.1 * SLOWEST * 0.95


def test_a_reading_made_elsewhere_puts_the_next_one_off_unless_somebody_is_in_a_hurry() -> None:
    came = {"op": 0, "other": 0}

    def reader(subject: str) -> Callable[[], Iterator[Reading]]:
        def read() -> Iterator[Reading]:
            came[subject] += 1
            yield Reading(subject, status="running")

        return read

    recorder = Recorder(time.monotonic)
    recorder.watch("backend", "op", reader("op"), 0.05)
    recorder.watch("backend", "other", reader("other"), 0.05)
    await_that(lambda: came["op"] > 1, "readings of its own")
    # As if it were read a minute later: nothing is due for so long.
    later_s = recorder.clock() + 60.0
    recorder.add([Sample("backend", "op", asked_s=later_s, answered_s=later_s, status="running")])
    before = dict(came)
    await_that(lambda: came["other"] > before["other"] + 5, "further readings of the other")
    assert came["op"] <= before["op"] + 1, "one was under way"
    recorder.look_now("backend")
    await_that(lambda: came["op"] > before["op"] + 1, "the reading that is wanted at once")
    recorder.stop()
