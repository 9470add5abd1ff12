"""``python -m storm``: a rehearsal with one backtest, then the storm on Locust, then the verdict.

What it does not know goes to Locust: ``--master``, ``--worker --master-host HOST`` for several hosts. Exit status:
0 passed, 1 a history broke a rule, 2 nothing was learnt, 3 an error of the suite's own or in the options.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

from honest_behave.outcomes import BadConfiguration, Inconclusive
from ktrdr_qa.act import leaving
from ktrdr_qa.act.candidate import COLUMNS, candidates_of
from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.act.journal import Journal
from ktrdr_qa.act.preflight import Preflight
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.judge import verdict
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.embedded import launch
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.record.history import from_json
from ktrdr_qa.record.recorder import Recorder
from ktrdr_qa.system import of_its_own
from ktrdr_qa.target.choosing import choose
from ktrdr_qa.target.settings import ROOT, Target
from ktrdr_qa.tell.painter import Painter
from storm.asked import Parser, at_least, definition, master_of, seconds
from storm.given import Given
from storm.tally import EXIT_STATUS

BACKTESTS = (
    ("EURUSD", "1d", "2023-01-01", "2024-12-31"),
    ("EURUSD", "1d", "2005-01-01", "2024-12-31"),
    ("EURUSD", "1h", "2023-01-01", "2024-12-31"),
    ("EURUSD", "1h", "2015-01-01", "2025-12-31"),
    ("EURUSD", "5m", "2023-01-01", "2025-12-31"),
)
"""Those of the features' tables, in their order: the rehearsal finds the first that can be cancelled."""
MOST_ON_LIVE = 4
WATCHED_S = 5.0
FINISH_S, END_S = 30, 20.0
"""How long users may take to end what they are at: when the time is over, and when all is to end at once."""
SUITE_ERROR, INTERRUPTED = 3, 130


class Table(list[dict[str, str]]):
    """A step's table, as far as candidates are read off it."""

    headings = COLUMNS


def main(arguments: Sequence[str] | None = None) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none, and nohup has it ignored.
    if hang_up and signal.getsignal(hang_up) is not signal.SIG_IGN:
        signal.signal(hang_up, _hung_up)
    try:
        given, for_locust = _parser().parse_known_args(arguments)
        options = dict(given.define)
        target = choose(options, os.environ, Path.cwd())
        if not target.embedded_one and options.get("disturb") != "on":
            raise BadConfiguration(
                f"{target.base_url} is a live KTRDR, and a storm disturbs everybody on it; allow it with -D disturb=on"
            )
        if given.most is None:
            given.most = 0 if target.embedded_one else MOST_ON_LIVE
        if 0 < given.most < given.processes:
            raise BadConfiguration(
                f"--most {given.most}: each of {given.processes} Locust processes needs one backtest at least"
            )
        if given.processes > 1 and "--master" in for_locust:
            raise BadConfiguration(
                f"--master with --processes {given.processes}: Locust takes one of them; start a --worker beside the master"
            )
        # All that can be wrong with what was asked is told before a backtest is started, which the rehearsal does.
        master = master_of(for_locust)
        with ExitStack() as opened:
            return Storm(given, options, target, opened).run(for_locust, master)
    except BadConfiguration as mistake:
        print(f"storm: {mistake}", file=sys.stderr)
        return SUITE_ERROR
    except Inconclusive as why:
        print(f"storm: INCONCLUSIVE: {why}", file=sys.stderr)
        return EXIT_STATUS["inconclusive"]
    except AssertionError as wrong:
        print(f"STORM FAILED: in the rehearsal, with one backtest alone:\n{wrong}")
        return EXIT_STATUS["failed"]
    except KeyboardInterrupt:
        _say("storm: interrupted", sys.stderr)
        return INTERRUPTED


def _parser() -> Parser:
    parser = Parser(prog="python -m storm", description=__doc__)
    parser.add_argument("--users", type=at_least(1), default=200, help="how many users (default 200)")
    parser.add_argument("--seconds", type=seconds, default=60, help="how long they go on (default 60)")
    parser.add_argument("--processes", type=at_least(1), default=1, help="Locust processes on this host (default 1)")
    parser.add_argument("--places", type=at_least(1), default=16, help="workers of the embedded KTRDR (default 16)")
    parser.add_argument(
        "--most",
        type=at_least(0),
        default=None,
        help=f"backtests at a time, from this host; 0: no limit (default {MOST_ON_LIVE}, embedded none)",
    )
    parser.add_argument(
        "-D", dest="define", type=definition, action="append", default=[], metavar="NAME=VALUE", help="as behave's"
    )
    return parser


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _hung_up(number: int, _: Any) -> None:
    """The terminal was closed. A shell hands on what its processes were sent already: it counts once."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _say(words: str, stream: TextIO | None = None) -> None:
    """A line to whoever still reads: that nobody does any more must not keep the storm from ending what runs."""
    with suppress(OSError):
        print(words, file=stream, flush=True)


class Storm:
    """One storm against one target; whatever ``opened`` closes was launched for it."""

    def __init__(self, given: argparse.Namespace, options: dict[str, str], target: Target, opened: ExitStack):
        self._given = given
        self._options = options
        self._opened = opened
        self._home: Path | None = None
        self._target = self._reached(target)
        self._client = Client(
            self._target.base_url or "",
            Transcript(),
            timeout_s=target.limits.answer_s * target.limits.time_factor,
            headers=target.resolved_headers(os.environ),
            verify=target.tls.ca_file or target.tls.verify,
            certificate=target.tls.certificate,
            secrets=target.secrets(os.environ),
        )
        base_url = self._target.base_url or ""
        self._journal = Journal(Path("reports/journal"), base_url, ends_with_run=target.embedded_one)
        self._place = Path("reports/storm") / time.strftime("%Y%m%d-%H%M%S")
        while self._place.exists():
            self._place = self._place.with_name(f"{self._place.name}+")

    def _reached(self, target: Target) -> Target:
        if not target.embedded_one:
            return target
        # Light backtests, and a refresh of progress that is nearer to KTRDR's own: what is to be tried is the cancelling.
        light = ["--workers", str(self._given.places), "--adaptation-epochs", "0", "--refresh-s", "0.5"]
        arguments = [*target.embedded.arguments, *light]
        own = replace(target, embedded=replace(target.embedded, arguments=arguments))
        platform = launch(own)
        self._opened.callback(platform.stop)
        self._home = platform.home
        print("EMBEDDED STAND-IN: this storm is against the suite's own small platform, no real KTRDR.")
        return target.at(platform.announcement["api_url"])

    def run(self, for_locust: Sequence[str], master: str) -> int:
        """Rehearse, let the storm loose, and leave nothing running; returns the exit status."""
        print(f"target: {self._target.name} at {self._target.base_url} (chosen by: {self._target.chosen_by})")
        leaving.end_leftovers(self._client, self._journal, print, str)
        told = self._rehearse()
        self._place.mkdir(parents=True)
        try:
            locust = self._launch(told, for_locust)
            if master:
                _say(f"this host's part begins as soon as the master at {master} answers and says so")
            self._wait_for(locust, told)
        except KeyboardInterrupt:
            self._say_what_was_learnt()
            raise
        finally:
            leaving.end_leftovers(self._client, self._journal, _say, str)
        return self._last_words(locust.returncode, for_locust)

    def _rehearse(self) -> Given:
        """One backtest is cancelled alone, as the features do it: it shows which one lasts long enough.

        Raises ``Inconclusive`` where none can be.
        """
        target, client = self._target, self._client
        candidates = candidates_of(Table(dict(zip(COLUMNS, row, strict=True)) for row in BACKTESTS), target)
        preflight = Preflight(target, client, home=self._home)
        preflight.api_health()
        preflight.workers(target.limits.seconds("place_free_s", verdict.LIMITS_S["place_free_s"]))
        for check in (preflight.model, preflight.strategy, preflight.data):
            check(candidates)
        limits = {name: target.limits.seconds(name, limit_s) for name, limit_s in verdict.LIMITS_S.items()}
        recorder = Recorder(time.monotonic, {"limits": limits, "kind": target.kind})
        experiment = Experiment(Scene(target, client, recorder, self._journal, {}))
        try:
            experiment.start(candidates, preflight.unusable)
            experiment.await_running(limits["running_s"])
            experiment.await_motion(limits["first_progress_s"])
            experiment.cancel()
            experiment.await_cancelled(limits["cancelled_s"])
        except AssertionError as wrong:
            if not experiment.scene.backtest:
                raise
            # The storm will show it too; what is needed here is a backtest that can be started.
            print(f"in the rehearsal: {wrong}")
        finally:
            experiment.close()
        assert experiment.scene.used
        print(f"rehearsed with {experiment.scene.used}")
        return Given(
            base_url=target.base_url or "",
            options=self._options,
            candidate=asdict(experiment.scene.used),
            place=str(self._place.resolve()),
            launcher=os.getpid(),
            most=self._given.most // self._given.processes,
            watched_s=max(target.watched_s, WATCHED_S),
            seconds=self._given.seconds,
            version=preflight.version,
            limits=limits,
        )

    def _launch(self, told: Given, for_locust: Sequence[str]) -> subprocess.Popen[bytes]:
        given = self._given
        command = [sys.executable, "-m", "locust", "-f", str(ROOT / "storm/locustfile.py"), "--headless"]
        command += ["--loglevel", "WARNING", "--only-summary", "--stop-timeout", str(FINISH_S)]
        if "--worker" not in for_locust:
            command += ["--users", str(given.users), "--spawn-rate", str(max(1, given.users / 5))]
            command += ["--html", str(self._place / "report.html"), "--csv", str(self._place / "storm")]
        if given.processes > 1:
            # A port of its own, on this host only: another storm may be under way.
            port = str(_free_port())
            command += ["--processes", str(given.processes)]
            command += ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]
        environment = {**told.in_environment(os.environ), "PYTHONPATH": str(ROOT)}
        return subprocess.Popen([*command, *for_locust], env=environment, stdin=subprocess.DEVNULL, **of_its_own())

    def _wait_for(self, locust: subprocess.Popen[bytes], told: Given) -> None:
        """Wait for Locust to end. Ctrl-C has its users end what they are at; a second one ends Locust itself."""
        try:
            locust.wait()
        except KeyboardInterrupt:
            told.told_to_stop.touch()
            _say("storm: ending what runs", sys.stderr)
            try:
                locust.send_signal(signal.SIGINT)
                locust.wait(END_S)
            except (KeyboardInterrupt, subprocess.TimeoutExpired, ValueError):
                pass  # Windows knows no such signal.
            raise
        finally:
            with suppress(ProcessLookupError, PermissionError):
                if hasattr(os, "killpg"):
                    os.killpg(locust.pid, signal.SIGKILL)
                else:
                    locust.kill()
            locust.wait()

    def _say_what_was_learnt(self) -> None:
        """Of a storm that was interrupted: Locust has counted what came before that."""
        file = self._place / "tally.json"
        if file.is_file():
            _say(f"until then: {json.loads(file.read_text(encoding='utf-8'))['in_words']}")
            _say(f"report: {self._place}/report.html; statistics: {self._place}/storm_stats.csv")

    def _last_words(self, status: int, for_locust: Sequence[str]) -> int:
        died = len(list((self._place / "processes").glob("*")))
        violated = sorted((self._place / "violated").glob("*.json"))
        if "--worker" in for_locust:
            print(f"this host's part is over; histories that broke a rule: {len(violated)} in {self._place}/violated")
            return SUITE_ERROR if died else 0
        file = self._place / "tally.json"
        if not file.is_file():
            print(f"storm: SUITE ERROR: Locust ended with status {status} before it had counted anything")
            return SUITE_ERROR
        tally: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        outcome, words = str(tally["outcome"]), str(tally["in_words"])
        if died:
            words += f"; {died} Locust processes died"
            outcome = "suite error" if outcome != "failed" else outcome
        print(f"\nSTORM {outcome.upper()}: {words}")
        if violated:
            self._show_the_worst(violated)
        print(f"report: {self._place}/report.html; statistics: {self._place}/storm_stats.csv")
        return EXIT_STATUS[outcome]  # type: ignore[index]

    def _show_the_worst(self, files: Sequence[Path]) -> None:
        """Draw the history that breaks most rules, and say how to judge it again."""
        histories = {file: from_json(file.read_text(encoding="utf-8")) for file in files}
        broken = {
            file: sum(judgement.violated for judgement in verdict.judge_all(history).values())
            for file, history in histories.items()
        }
        worst = max(files, key=lambda file: broken[file])
        painter = Painter()
        try:
            picture = self._place / "worst.svg"
            picture.write_bytes(painter.draw(histories[worst]).svg())
            print(f"the worst of {len(files)} kept histories, as a picture: {picture}")
        except OSError as error:
            print(f"the picture of the worst could not be drawn: {error}")
        finally:
            painter.close()
        print(f"judge it again: python -m ktrdr_qa.judge {worst}")


if __name__ == "__main__":
    sys.exit(main())
