"""What Locust runs: patient and impatient users who cancel backtests, and readers who only watch.

How a history came out, which rules it broke, and how long the cancel took are rows of Locust's own statistics.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import psutil
from gevent.hub import Hub
from locust import User, between, events, stats, task
from locust.exception import StopUser
from locust.runners import STATE_MISSING, WORKER_REPORT_INTERVAL, MasterRunner, WorkerRunner

from honest_behave.outcomes import Inconclusive, PlatformNotReady
from ktrdr_qa.act.failure import KtrdrFailure
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.exchange import Exchange, TransportError
from ktrdr_qa.target.choosing import choose
from storm import given as told_by_launcher
from storm import tally
from storm.cancellation import Cancellation, Told, ToldToStop, places_at_the_end
from storm.crowd import Crowd, client_of

GIVEN = told_by_launcher.taken_from()
PLACE = Path(GIVEN.place)
MOST_KEPT = 200
"""So many broken histories of one Locust process are kept; further ones are counted."""
LAUNCHER_INTERVAL_S = 0.5
MEASURED = {
    "acknowledged_s": "cancel acknowledged",
    "cancelled_s": "reported as cancelled",
    "worker_idle_s": "worker idle",
}


Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
"""Ctrl-C is no error of a greenlet's, which gevent would print; Locust ends in order by it."""


class Shared:
    """Of this process: the crowd, from the test's start on, and the environment that counts."""

    crowd: Crowd | None = None
    environment: Any = None
    kept = 0


def end_without_the_launcher() -> None:
    """Where the launcher is gone, killed for instance, nobody else ends this process: it does as on Ctrl-C by itself."""
    with suppress(psutil.NoSuchProcess):
        launcher = psutil.Process(GIVEN.launcher)
        while launcher.is_running() and launcher.status() != psutil.STATUS_ZOMBIE:
            gevent.sleep(LAUNCHER_INTERVAL_S)
    GIVEN.told_to_stop.touch()
    # A worker's users end first: its master does not wait for it any more once it has left.
    while Shared.environment and isinstance(Shared.environment.runner, WorkerRunner):
        if not Shared.environment.runner.user_count:
            break
        gevent.sleep(LAUNCHER_INTERVAL_S)
    raise KeyboardInterrupt


# Here, and not when Locust is ready: a worker may wait for its master for minutes. Forked processes go on with it.
gevent.spawn(end_without_the_launcher)


def own_mark() -> Path:
    """It is there as long as this process has not done its part; Locust forks after it has read this file."""
    return PLACE / "processes" / str(os.getpid())


def count(kind: str, name: str, took_s: float | None = None, wrong: str = "") -> None:
    """One row of Locust's statistics; without a time it is only counted. Its name sorts it beside its kind."""
    name = name if kind in tally.HTTP else f"{kind}: {name}"
    took_ms = None if took_s is None else 1000 * took_s
    exception = RuntimeError(wrong) if wrong else None
    Shared.environment.events.request.fire(
        request_type=kind, name=name, response_time=took_ms, response_length=0, exception=exception, context={}
    )


def count_exchange(exchange: Exchange) -> None:
    """An HTTP request, under what it is for. A refused start and a cancel that came too late are answers as well."""
    status = exchange.status or 0
    name = exchange.purpose
    if exchange.method == "GET":
        path = exchange.url.partition("/api/v1/")[2] or exchange.url.rpartition("/")[2]
        head, _, tail = path.partition("?")[0].partition("/")
        whose = "" if exchange.url.startswith(GIVEN.base_url) else "a worker's "
        name = f"{whose}{'record' if tail else 'page of the list' if head == 'operations' else head}"
    elif exchange.method == "POST" and status == 503:
        count("POST", tally.REFUSED, exchange.took_s)
        return
    wrong = exchange.problem_kind or (f"HTTP {status}" if status >= 500 else "")
    count(exchange.method, name, exchange.took_s, wrong)


@events.init.add_listener
def take_part(environment: Any, **_: Any) -> None:
    Shared.environment = environment
    own_mark().parent.mkdir(parents=True, exist_ok=True)
    own_mark().touch()
    tables = (PLACE / "locust.txt").open("a", encoding="utf-8")
    for handler in logging.getLogger("locust.stats_logger").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(tables)
    if not isinstance(environment.runner, WorkerRunner):
        gevent.spawn(tell_the_progress, environment)


@events.test_start.add_listener
def open_the_crowd(environment: Any, **_: Any) -> None:
    if not isinstance(environment.runner, WorkerRunner):
        gevent.spawn(end_in_time, environment.runner)
    if isinstance(environment.runner, MasterRunner) or Shared.crowd:
        return
    target = choose(GIVEN.options, os.environ, Path.cwd())
    target = target.at(GIVEN.base_url, limits=target.limits)
    client = client_of(GIVEN, target, count_exchange, dict(os.environ))
    Shared.crowd = Crowd(GIVEN, target, client, Path("reports"))


@events.test_stop.add_listener
def close_the_crowd(environment: Any, **_: Any) -> None:
    """All is cancelled: one more look at the places, and no more reading."""
    if not Shared.crowd:
        return
    for told in places_at_the_end(Shared.crowd):
        place = told.found["place free"]
        if not place.unknown:
            tell_history(tally.PLACE, told, [place])
    Shared.crowd.close()
    if isinstance(environment.runner, WorkerRunner):
        # The master takes no report from a worker that has said that it has stopped.
        gevent.sleep(WORKER_REPORT_INTERVAL + 0.5)
        own_mark().unlink(missing_ok=True)
        # There is no second test; the master's "quit" does not reach a worker that has stopped.
        gevent.spawn_later(1.0, environment.runner.quit)


def end_in_time(runner: Any) -> None:
    """Let everyone end what they are at when the time is over: Locust's own ``--run-time`` waits for no worker."""
    gevent.sleep(GIVEN.seconds)
    runner.stop()
    if isinstance(runner, MasterRunner):
        deadline_s = time.monotonic() + GIVEN.limits["place_free_s"] + 2 * WORKER_REPORT_INTERVAL
        while any(client.state != STATE_MISSING for client in runner.clients.all) and time.monotonic() < deadline_s:
            gevent.sleep(0.2)
    runner.quit()


@events.quitting.add_listener
def settle(environment: Any, **_: Any) -> None:
    if not isinstance(environment.runner, WorkerRunner):
        environment.process_exit_code = tally.EXIT_STATUS[count_up(environment).outcome]


@events.quit.add_listener
def leave(**_: Any) -> None:
    own_mark().unlink(missing_ok=True)
    if not isinstance(Shared.environment.runner, WorkerRunner):
        write(count_up(Shared.environment))
        # The writer of the CSV files is to write its last rows, and not to wake again when they are closed.
        once_s, stats.CSV_STATS_INTERVAL_SEC = stats.CSV_STATS_INTERVAL_SEC, 3600
        gevent.sleep(once_s + 0.1)


def tell_history(kind: str, told: Told, judged: list[Judgement]) -> None:
    """One history and each rule that was judged in it; one that is broken is kept."""
    worker = str(told.history.about.get("worker", ""))
    for judgement in judged:
        if not judgement.unknown:
            expected = judgement.expected.replace(f"the worker {worker}", "its worker")
            count(tally.RULE, judgement.name, wrong=f"not so: {expected}" if judgement.violated else "")
    wrong = ", ".join(judgement.name for judgement in judged if judgement.violated)
    count(tally.HISTORY, kind, wrong=wrong)
    if wrong and Shared.kept < MOST_KEPT:
        Shared.kept += 1
        told.keep(PLACE / "violated")


def count_up(environment: Any) -> tally.Tally:
    counted = tally.of(environment.stats.entries.values())
    counted.suite_errors += sum(each["count"] for each in environment.runner.exceptions.values())
    return counted


def write(counted: tally.Tally) -> None:
    (PLACE / "tally.json").write_text(json.dumps(counted.as_document(), indent=1), encoding="utf-8")


def tell_the_progress(environment: Any) -> None:
    """A line that moves on a terminal; one every ten seconds elsewhere."""
    moves = sys.stderr.isatty()
    began_s = time.monotonic()
    while True:
        gevent.sleep(1 if moves else 10)
        counted = count_up(environment)
        passed_s = time.monotonic() - began_s
        stage = f"{passed_s:.0f} of {GIVEN.seconds:.0f} s" if passed_s < GIVEN.seconds else "ends"
        line = (
            f"storm {stage}: {environment.runner.user_count} users, "
            f"{counted.histories} judged, {counted.violated} violated, "
            f"{counted.refused} starts refused, {counted.requests / passed_s:.0f} requests a second"
        )
        print(f"\r{line}\x1b[K" if moves else line, end="" if moves else "\n", file=sys.stderr, flush=True)


class Guest(User):
    """Somebody with a connection of their own, whose mistakes are the suite's."""

    abstract = True
    host = GIVEN.base_url

    def on_start(self) -> None:
        assert Shared.crowd
        self.crowd = Shared.crowd
        self.speaker = self.crowd.client.clone()

    def on_stop(self) -> None:
        self.speaker.close()

    @task
    def take_a_turn(self) -> None:
        if GIVEN.told_to_stop.exists():
            raise StopUser
        try:
            self.turn()
        except ToldToStop:
            raise StopUser from None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told as the suite's own, and the storm goes on
            with (PLACE / "errors.log").open("a", encoding="utf-8") as log:
                log.write(traceback.format_exc() + "\n")
            count(tally.SUITE, "error", wrong=f"{type(error).__name__}: {error}"[:200])

    def turn(self) -> None:
        raise NotImplementedError


class Trader(Guest):
    """Starts a backtest and cancels it, as often as there is a place."""

    abstract = True
    wait_time = between(0.2, 1.0)
    patient = True

    def turn(self) -> None:
        places = self.crowd.places
        if places and not places.acquire(timeout=1.0):
            return
        one = Cancellation(self.crowd, self.speaker, patient=self.patient)
        try:
            if self._start(one):
                self._tell(one.go_on())
        finally:
            if places:
                places.release()
            one.close()

    def _start(self, one: Cancellation) -> bool:
        """Whether it was started; users wait their turn where there is no place."""
        try:
            one.start()
        except PlatformNotReady:
            time.sleep(random.uniform(3.0, 8.0))
        except KtrdrFailure as wrong:
            count(tally.START, "start", wrong=" ".join(str(wrong).split())[:200])
        except Inconclusive as why:
            count(tally.NOT_JUDGED, "start without a usable answer")
            self._log(str(why))
        else:
            return True
        return False

    def _tell(self, told: Told | str) -> None:
        if isinstance(told, str):
            count(tally.NOT_JUDGED, "over before its cancel")
            return
        for name, words in MEASURED.items():
            if name in told.figures:
                count(tally.MEASURED, words, told.figures[name])
        if told.outcome == "inconclusive":
            unknown = [j for n, j in told.found.items() if n in told.history.about["asked"] and j.unknown]
            count(tally.NOT_JUDGED, f"{unknown[0].name} unknown" if unknown else "unknown")
            self._log(f"{told.history.about['backtest']}: {'; '.join(f'{j.name}: {j.seen}' for j in unknown)}")
            return
        tell_history("patient" if self.patient else "impatient", told, list(told.found.values()))

    def _log(self, line: str) -> None:
        with (PLACE / "not_judged.log").open("a", encoding="utf-8") as log:
            log.write(line + "\n")


class Patient(Trader):
    """Waits for progress, then cancels."""

    weight = 3


class Impatient(Trader):
    """Cancels at once."""

    weight = 2
    patient = False


class Reader(Guest):
    """Only watches: a page of the list, one of the backtests on it, the workers."""

    weight = 1
    wait_time = between(2.0, 5.0)

    def turn(self) -> None:
        try:
            page = readings.Pages(self.speaker).next()
            if page:
                list(readings.backtest(self.speaker, random.choice(list(page))))
            readings.workers(self.speaker, tries=1)
        except TransportError:
            pass  # Its exchange was counted; one reading that is lost is a gap.
