"""Small storms with the real command: green on a healthy stand-in, red on broken ones, and nothing is left running."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from ktrdr_qa.platform.embedded import EmbeddedKtrdr, launch
from ktrdr_qa.target.settings import ROOT, Embedded, load
from tests.deployments.harness import await_that

pytestmark = pytest.mark.timeout(240)
SMALL = ("--users", "6", "--seconds", "4", "--places", "4")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "storm", *SMALL, *arguments]


def surroundings(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KTRDR_")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


@dataclass(frozen=True)
class Ran:
    """A storm that is over, and what it left."""

    status: int
    output: str
    place: Path

    @property
    def reports(self) -> Path:
        (found,) = (self.place / "reports" / "storm").iterdir()
        return found

    @property
    def tally(self) -> dict[str, Any]:
        return dict(json.loads((self.reports / "tally.json").read_text(encoding="utf-8")))

    @property
    def violated(self) -> list[Path]:
        return sorted((self.reports / "violated").glob("*.json"))

    def rows(self) -> dict[tuple[str, str], dict[str, str]]:
        """Locust's own statistics, by type and name."""
        with (self.reports / "storm_stats.csv").open(encoding="utf-8") as file:
            return {(row["Type"], row["Name"].removeprefix(f"{row['Type']}: ")): row for row in csv.DictReader(file)}


def storm(place: Path, *arguments: str, **more: str) -> Ran:
    done = subprocess.run(
        command(*arguments), cwd=place, env=surroundings(**more), capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, done.stdout + done.stderr, place)


@pytest.fixture
def ktrdr() -> Iterator[EmbeddedKtrdr]:
    """A stand-in that the storm is told of as of any live KTRDR."""
    arguments = ["--workers", "4", "--registry-lag-s", "0", "--adaptation-epochs", "0"]
    platform = launch(replace(load("embedded"), embedded=Embedded(arguments=arguments)))
    yield platform
    platform.stop()


def address(platform: EmbeddedKtrdr) -> str:
    return str(platform.announcement["api_url"])


def active(platform: EmbeddedKtrdr) -> set[str]:
    """The ids of what runs."""
    answer = requests.get(f"{address(platform)}/api/v1/operations?active_only=true&limit=100", timeout=5).json()
    return {row["operation_id"] for row in answer["data"]}


def test_a_healthy_platform_passes_with_histories_judged(tmp_path: Path) -> None:
    ran = storm(tmp_path)
    assert ran.status == 0, ran.output
    assert "STORM PASSED: " in ran.output and "Traceback" not in ran.output
    judged, rows = ran.tally["judged"], ran.rows()
    assert judged["patient"] > 0 and judged["impatient"] > 0 and judged["place at the end"] > 0
    assert ran.tally["suite_errors"] == ran.tally["lost_processes"] == 0
    for name in ("cancel acknowledged", "reported as cancelled", "worker idle"):
        assert int(rows["time", name]["Request Count"]) > 0
    for rule in ("acknowledged", "cancelled", "stays cancelled", "frozen", "not completed", "worker stopped"):
        assert int(rows["rule", rule]["Request Count"]) == judged["patient"] + judged["impatient"]
    assert "stays cancelled" in (ran.reports / "report.html").read_text(encoding="utf-8")
    assert not ran.violated and not list((tmp_path / "reports" / "journal").glob("*"))


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("cancel-ignored", "cancelled"),
        ("after-completed-4-s-later", "stays cancelled"),
        ("after-slot-never-freed", "place free"),
    ],
)
def test_a_broken_platform_fails_and_its_histories_are_kept_and_judged_the_same_again(
    tmp_path: Path, fault: str, rule: str
) -> None:
    ran = storm(tmp_path, "-D", f"fault={fault}")
    assert ran.status == 1, ran.output
    assert ran.tally["violated"] == ran.tally["rules"][rule] == len(ran.violated) > 0
    assert int(ran.rows()["rule", rule]["Failure Count"]) == len(ran.violated)
    assert (ran.reports / "worst.svg").read_bytes().startswith(b"<?xml")
    again = [sys.executable, "-m", "ktrdr_qa.judge", str(ran.violated[0]), "--json"]
    done = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    judged = {judgement["name"]: judgement["verdict"] for judgement in json.loads(done.stdout)["judgements"]}
    assert judged[rule] == "violated"


def test_a_storm_that_can_cancel_nothing_is_inconclusive(tmp_path: Path) -> None:
    ran = storm(tmp_path, "-D", "fault=running-done-before-cancel")
    assert ran.status == 2, ran.output
    assert "INCONCLUSIVE: no backtest could be cancelled in time" in ran.output


def test_a_platform_that_starts_nothing_fails_in_the_rehearsal(tmp_path: Path) -> None:
    ran = storm(tmp_path, "-D", "fault=start-500")
    assert ran.status == 1, ran.output
    assert "STORM FAILED: in the rehearsal" in ran.output and "HTTP 500" in ran.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "is a live KTRDR, and a storm disturbs everybody on it; allow it with -D disturb=on"),
        (("-D", "distrub=on"), "did you mean 'disturb'?"),
    ],
)
def test_what_is_not_allowed_is_refused_in_one_line(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    ran = storm(tmp_path, *arguments, KTRDR_API_URL="http://127.0.0.1:9")
    assert ran.status == 3
    assert told in ran.output and len(ran.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--processes", "0"), "argument --processes: expected a whole number, 1 or more, and not '0'"),
        (("--users", "-1"), "argument --users: expected a whole number, 1 or more, and not '-1'"),
        (("--users", "0"), "--users: expected"),
        (("--users", "many"), "--users: expected"),
        (("--places", "0"), "--places: expected"),
        (("--most", "-1"), "argument --most: expected a whole number, 0 or more, and not '-1'"),
        (("--seconds", "nan"), "argument --seconds: expected a number of seconds, more than 0, and not 'nan'"),
        (("--seconds", "-1"), "--seconds: expected"),
        (("--seconds", "0"), "--seconds: expected"),
        (("--seconds", "inf"), "--seconds: expected"),
        (("--processes", "4", "--most", "2"), "--most 2: each of 4 Locust processes needs one backtest at least"),
        (("--master", "--processes", "2"), "--master with --processes 2: Locust takes one of them"),
        (("--nonsense",), "unrecognized arguments: --nonsense; see python -m storm --help"),
        (("extra",), "unrecognized arguments: extra; see python -m storm --help"),
        (("--master-port", "none"), "--master-port: invalid int value: 'none'"),
        (("-D", "fault"), "fault names no fault; expected fault=NAME"),
        (("-D", "fault="), "fault= names no fault; expected fault=NAME"),
        (("-D", "target"), "-D target= names nothing; there are: "),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_before_anything_is_started(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    ran = storm(tmp_path, *arguments)
    assert ran.status == 3, ran.output
    # The line that says which KTRDR it is would come first.
    assert ran.output.startswith("storm: ") and told in ran.output and len(ran.output.splitlines()) == 1


def test_without_locust_it_says_how_to_install_it_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / "locust.py").write_text("raise ImportError('No module named locust')\n")
    ran = storm(tmp_path)
    assert ran.status == 3, ran.output
    assert "Locust is missing (No module named locust); install it with: " in ran.output
    assert ran.output.endswith(f"-m pip install -r {ROOT / 'storm' / 'requirements.txt'}\n")
    assert len(ran.output.splitlines()) == 1


def test_locust_alone_says_how_to_start_it() -> None:
    alone = [sys.executable, "-m", "locust", "-f", "storm/locustfile.py", "--headless"]
    done = subprocess.run(alone, cwd=ROOT, env=surroundings(), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "start the storm with: python -m storm" in done.stderr and "Traceback" not in done.stderr


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def started(
    place: Path, platform: EmbeddedKtrdr, *arguments: str, output: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("--seconds", "60", "-D", "disturb=on", *arguments),
        cwd=place,
        env=surroundings(KTRDR_API_URL=address(platform)),
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )


def running_on(process: subprocess.Popen[str]) -> bool:
    """True; fails with what the storm wrote where it has ended."""
    assert process.poll() is None, process.communicate()[0]
    return True


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_leaves_nothing_running_and_the_limit_of_backtests_is_kept(tmp_path: Path, ktrdr: EmbeddedKtrdr) -> None:
    process = started(tmp_path, ktrdr, "--most", "1")
    counted: list[int] = []
    seen: set[str] = set()

    def stormy() -> bool:
        """The rehearsal's and one of the storm's have been seen, and another one runs: users are many by now."""
        now = active(ktrdr)
        counted.append(len(now))
        seen.update(now)
        journals = (tmp_path / "reports" / "journal").glob("*.json")
        return running_on(process) and bool(now) and len(seen) > 2 and any(journals)

    await_that(stormy, "a second backtest of the storm's")
    children = family(process)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "KeyboardInterrupt" not in output
    told = output.splitlines()
    assert any(line.startswith("until then: ") and "judged" in line for line in told), output
    assert any(line.startswith("report: ") for line in told) and "storm: interrupted" in told, output
    assert not active(ktrdr)
    assert max(counted) == 1
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert not list((tmp_path / "reports" / "journal").glob("*"))


def at_work(process: subprocess.Popen[str], place: Path) -> list[int]:
    """The processes of Locust that have backtests running."""
    assert running_on(process)
    own = {child.pid for child in family(process)}
    files = (place / "reports" / "journal").glob("*.json")
    return [pid for file in files if (pid := int(file.name.split("-")[0])) in own]


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


@pytest.mark.skipif(os.name == "nt", reason="Locust has no --processes on Windows")
@pytest.mark.parametrize("processes", ["1", "2"])
def test_locust_ends_by_itself_what_it_runs_when_its_launcher_is_killed(
    tmp_path: Path, ktrdr: EmbeddedKtrdr, processes: str
) -> None:
    process = started(tmp_path, ktrdr, "--processes", processes, "--seconds", "200", output=subprocess.DEVNULL)
    await_that(lambda: at_work(process, tmp_path), "a backtest of the storm's")
    children = family(process)
    process.kill()
    process.wait()
    await_that(lambda: all_gone(children), "the end of Locust")
    assert children and not active(ktrdr)
    assert not list((tmp_path / "reports" / "journal").glob("*"))
    assert any((tmp_path / "reports" / "storm").glob("*/tally.json"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
def test_a_closed_terminal_leaves_nothing_running(tmp_path: Path, ktrdr: EmbeddedKtrdr) -> None:
    ours, theirs = os.openpty()
    process = started(tmp_path, ktrdr, output=theirs)
    os.close(theirs)
    await_that(lambda: at_work(process, tmp_path), "a backtest of the storm's")
    children = family(process)
    os.close(ours)

    def ended() -> bool:
        """The kernel sends one, and the shell hands on its own: further ones come whenever it is at its worst."""
        process.send_signal(signal.SIGHUP)
        return process.poll() is not None

    await_that(ended, "the end of the storm")
    assert process.returncode == 130
    assert all_gone(children) and not active(ktrdr)
    assert not list((tmp_path / "reports" / "journal").glob("*"))


@pytest.mark.skipif(os.name == "nt", reason="Locust has no --processes on Windows")
def test_a_locust_process_that_dies_leaves_nothing_running_and_is_told(tmp_path: Path, ktrdr: EmbeddedKtrdr) -> None:
    process = started(tmp_path, ktrdr, "--processes", "2", "--most", "4", "--seconds", "8")

    (victim, *_) = await_that(lambda: at_work(process, tmp_path), "a backtest of the storm's")
    os.kill(victim, signal.SIGKILL)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 3, output
    assert "1 Locust processes died" in output and "left behind by a killed run" in output
    assert not active(ktrdr)


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_a_worker_says_which_master_it_waits_for_and_ends_on_ctrl_c(tmp_path: Path, ktrdr: EmbeddedKtrdr) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        process = started(tmp_path, ktrdr, "--worker", "--master-port", str(port))
        assert process.stdout
        assert any(f"the master at 127.0.0.1:{port}" in line for line in process.stdout)
        children = family(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130 and all_gone(children) and not active(ktrdr)
