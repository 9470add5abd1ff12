"""The camera obeys a platform that asks for a pause, whoever is in a hurry."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.platform.readings import Reading
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
