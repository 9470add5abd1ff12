"""A platform that limits the rate of requests: a start or a cancel waits as it asks, and is sent again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktrdr_qa.platform.client import LONGEST_PAUSE_S, PAUSES, Client
from ktrdr_qa.platform.exchange import Exchange, NoAnswer, Refused, Transcript
from ktrdr_qa.platform.refusals import UNSAID_PAUSE_S, asked_pause_s, describe_refusal
from tests.deployments.proxy import Answer, Asked, Closed, proxy

ROOT = Path(__file__).resolve().parents[2]
DONE = Answer(200, '{"success": true}')


def limited(after: str | None = None, **more: str) -> Answer:
    return Answer(429, '{"detail": "too fast"}', headers={**({"Retry-After": after} if after else {}), **more})


@contextlib.contextmanager
def platform(*answers: Answer) -> Iterator[tuple[Client, list[float]]]:
    """A client of a platform that gives these answers one after the other, and when each was asked for."""
    came: list[float] = []

    def rule(asked: Asked) -> Answer:
        came.append(time.monotonic())
        return answers[len(came) - 1]

    with proxy("http://127.0.0.1:9", rule) as url:
        yield Client(url, Transcript()), came


Send = Callable[[Client], Exchange]
SENDS: list[Send] = [
    lambda client: client.post("/x", {"a": 1}, patiently=True),
    lambda client: client.delete("/x", patiently=True),
]


@pytest.mark.parametrize("send", SENDS, ids=["start", "cancel"])
def test_the_pause_asked_for_is_kept_and_is_no_time_of_the_platforms(send: Send) -> None:
    with platform(limited("1"), DONE) as (client, came):
        exchange = send(client)
    assert len(came) == 2 and came[1] - came[0] >= 1.0
    assert exchange.status == 200 and exchange.took_s < 0.9 and exchange.at_s >= came[0] + 1.0
    assert [e.status for e in client.transcript.since(0)] == [429, 200], "each is in the transcript"


def test_a_date_is_obeyed() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    with platform(limited(until), DONE) as (client, came):
        assert client.post("/x", patiently=True).status == 200
        assert f"asks to wait until {until}" in describe_refusal(client.transcript.since(0)[0])
    assert came[1] - came[0] >= 1.0


def test_a_date_is_taken_by_the_platforms_own_clock() -> None:
    wrong = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    dates = [format_datetime(at, usegmt=True) for at in (wrong, wrong + timedelta(seconds=7))]
    headers = {"date": dates[0], "retry-after": dates[1]}
    assert asked_pause_s(Refused("", Exchange("POST", "http://x", 0.0, 0.0, status=429, answer_headers=headers))) == 7.0


def test_where_it_does_not_say_how_long_the_pause_is_short() -> None:
    with platform(limited(), DONE) as (client, came):
        assert client.post("/x", patiently=True).status == 200
    assert came[1] - came[0] >= UNSAID_PAUSE_S


def test_after_two_pauses_it_is_given_up() -> None:
    with platform(*[limited("0")] * 9) as (client, came), pytest.raises(Refused) as refused:
        client.post("/x", patiently=True)
    assert len(came) == PAUSES + 1 and refused.value.status == 429


def test_a_pause_that_is_too_long_is_given_up_at_once() -> None:
    with (
        platform(limited(f"{LONGEST_PAUSE_S + 1:.0f}"), DONE) as (client, came),
        pytest.raises(Refused, match="asks to wait 11"),
    ):
        client.delete("/x", patiently=True)
    assert len(came) == 1


@pytest.mark.parametrize("status", [400, 500, 503])
def test_other_refusals_are_not_repeated(status: int) -> None:
    answer = Answer(status, '{"detail": "no"}', headers={"Retry-After": "0"})
    with platform(answer, DONE) as (client, came), pytest.raises(Refused):
        client.post("/x", patiently=True)
    assert len(came) == 1


def test_without_patience_it_is_refused_at_once() -> None:
    with platform(limited("0"), DONE) as (client, came), pytest.raises(Refused):
        client.post("/x")
    assert len(came) == 1


def test_a_lost_answer_after_a_pause_is_a_lost_answer() -> None:
    def rule(asked: Asked) -> Answer:
        if client.transcript.since(0):
            raise Closed
        return limited("0")

    with proxy("http://127.0.0.1:9", rule) as url:
        client = Client(url, Transcript())
        with pytest.raises(NoAnswer):
            client.post("/x", patiently=True)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise there")
def test_ctrl_c_ends_the_pause() -> None:
    code = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript
try:
    Client(sys.argv[1], Transcript()).post("/x", patiently=True)
except KeyboardInterrupt:
    print("interrupted")
"""
    with platform(limited("9"), DONE) as (client, came):
        process = subprocess.Popen([sys.executable, "-c", code, client.base_url], stdout=subprocess.PIPE, text=True)
        while not came and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.3)
        began_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert said.strip() == "interrupted" and time.monotonic() - began_s < 5


@given(
    st.text(max_size=40) | st.from_regex(r"[\d.,:+\- ]{1,12}|\w{3}, \d+ \w{3} \d{2,5} \d+:\d+:\d+ \S+", fullmatch=True)
)
def test_whatever_it_says_the_pause_is_a_number(text: str) -> None:
    exchange = Exchange("POST", "http://x", 0.0, 0.0, status=429, answer_headers={"Retry-After": text})
    assert asked_pause_s(Refused("", exchange)) >= 0
