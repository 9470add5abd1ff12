"""Launching and ending: ready or a reason, and never anything left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from launching import PAYLOAD, QUICK, ROOT, Launch, Launched, eventually

from standin.settings import GROUPS


def launch_in_vain(*options: str, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "standin", "--announce", *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=20, check=False)


def everything_of(it: Launched) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in (it.announced["pid"], *(each["pid"] for each in it.announced["processes"]))]


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


def test_the_announcement(launch: Launch) -> None:
    it = launch("--workers", "3", "--fault", "cancel-ignored")
    assert list(it.announced) == ["api_url", "pid", "home", "log", "processes", "faults", "version"]
    roles = [each["role"] for each in it.announced["processes"]]
    assert roles == ["backend", "worker", "worker", "worker"]
    assert it.announced["pid"] == it.process.pid and it.announced["faults"] == ["cancel-ignored"]
    assert {each["url"] for each in it.announced["processes"][1:]} == {each["endpoint_url"] for each in it.workers()}
    home = Path(it.announced["home"])
    for wanted in (
        "models/neuro_mean_reversion/1d_v21/model.pt",
        "strategies/neuro_mean_reversion.yaml",
        "data/EURUSD_1d.csv",
    ):
        assert (home / wanted).is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_to(launch: Launch, number: signal.Signals) -> None:
    it = launch(*QUICK)
    it.running()
    processes, home = everything_of(it), Path(it.announced["home"])
    it.process.send_signal(number)
    assert it.process.wait(10) == 0
    assert it.process.stderr is not None and it.process.stderr.read() == ""
    assert all_gone(processes) and not home.exists()
    with pytest.raises(requests.ConnectionError):
        it.ask("GET", "/api/v1/health")


def test_it_ends_although_an_answer_hangs(launch: Launch) -> None:
    it = launch(*QUICK, "--fault", "cancel-hangs")
    operation_id = it.running()
    with pytest.raises(requests.Timeout):
        it.cancel(operation_id, timeout=0.3)
    assert it.stop() == 0


def test_it_ends_with_its_standard_input(launch: Launch) -> None:
    it = launch()
    processes = everything_of(it)
    assert it.process.stdin is not None
    it.process.stdin.close()
    assert it.process.wait(10) == 0
    assert all_gone(processes)


@pytest.mark.parametrize("busy", [False, True])
def test_nothing_outlives_a_killed_supervisor(launch: Launch, busy: bool) -> None:
    it = launch(*QUICK, "--fault", "after-ghost-processor")
    if busy:
        it.cancel(it.running())
    processes, home = everything_of(it), Path(it.announced["home"])
    it.process.kill()
    eventually(lambda: all_gone(processes))
    eventually(lambda: not home.exists())


def test_one_process_may_die_alone(launch: Launch) -> None:
    it = launch(*QUICK)
    backend, *workers = it.announced["processes"]
    os.kill(backend["pid"], signal.SIGKILL)
    eventually(lambda: any(line["event"] == "process ended" for line in it.log_lines()))
    with pytest.raises(requests.ConnectionError):
        it.ask("GET", "/api/v1/health")
    for each in workers:
        assert it.ask("GET", f"{each['url']}/health").json()["worker_status"] == "idle"
    assert it.stop() == 0


def test_a_given_home_is_kept_and_used_again(launch: Launch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert launch("--home", str(home)).stop() == 0
    data = home / "data" / "EURUSD_1d.csv"
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join(lines[:-5]))
    it = launch("--home", str(home))
    assert it.announced["home"] == str(home)
    answer = it.ask("POST", "/api/v1/data/range", json={"symbol": "EURUSD", "timeframe": "1d"})
    assert answer.json()["data"]["point_count"] == len(lines) - 6
    assert it.stop() == 0
    assert data.is_file()


def test_what_a_fault_does_to_a_home_is_undone_by_the_next_launch(launch: Launch, tmp_path: Path) -> None:
    options = ("--home", str(tmp_path))
    assert launch(*options).stop() == 0
    files = sorted(path for path in tmp_path.rglob("*") if path.suffix in (".csv", ".pt", ".json", ".yaml"))
    before = {path: path.read_bytes() for path in files}
    for fault in (
        "preflight-data-ends-early",
        "preflight-data-missing",
        "preflight-model-missing",
        "preflight-strategy-missing",
    ):
        assert launch(*options, "--fault", fault).stop() == 0
    assert launch(*options).stop() == 0
    assert {path: path.read_bytes() for path in files} == before


def test_the_log(launch: Launch, tmp_path: Path) -> None:
    log = tmp_path / "what happened.log"
    it = launch(*QUICK, "--log", str(log))
    assert it.announced["log"] == str(log)
    operation_id = it.running(above=1.0)
    it.cancel(operation_id)
    assert it.stop() == 0
    lines = it.log_lines()
    assert all({"time", "monotonic", "process", "event"} <= set(line) for line in lines)
    mine = [line for line in lines if line.get("operation_id") == operation_id and line["process"] == "backend"]
    assert [line["status"] for line in mine if line["event"] == "status"] == ["pending", "running", "cancelled"]
    risen = [line["percentage"] for line in mine if line["event"] == "progress"]
    assert risen == sorted(set(risen)) and risen
    assert lines[-1]["event"] == "stopped"


def test_without_announcement_it_says_what_it_is() -> None:
    command = [sys.executable, "-m", "standin", "--port", "0", "--fault", "start-500"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = ""
        while "Ctrl-C" not in text:
            line = process.stdout.readline()
            assert line, text
            text += line
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert "stand-in and no KTRDR" in text and "http://127.0.0.1:" in text and "start-500" in text


def in_one_line(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.stdout == "" and ended.returncode != 0
    assert ended.stderr.count("\n") == 1 and "Traceback" not in ended.stderr
    return ended.stderr


def test_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = in_one_line(launch_in_vain("--port", str(port)))
    assert f"Port {port}" in said and "--port" in said


def test_a_port_that_is_none() -> None:
    assert "Port 99999" in in_one_line(launch_in_vain("--port", "99999"))


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, no directory")
    assert "home directory" in in_one_line(launch_in_vain("--port", "0", "--home", str(tmp_path / "home")))


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    assert "log file" in in_one_line(launch_in_vain("--port", "0", "--log", str(tmp_path / "none" / "log")))


@pytest.mark.parametrize("package", ["currency_converter", "uvicorn"])
def test_a_missing_package(tmp_path: Path, package: str) -> None:
    (tmp_path / f"{package}.py").write_text(f"raise ImportError('No module named {package}')\n")
    assert package in in_one_line(launch_in_vain("--port", "0", path=str(tmp_path)))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--workers", "-1"),
        ("--refresh-s", "0"),
        ("--latency-s", "nan"),
        ("--bars-per-second", "-4"),
        ("--workers", "1000000"),
        ("--data-since", "nonsense"),
        ("--data-since", "20200101"),
        ("--data-since", "2023-02-30"),
    ],
)
def test_a_setting_that_cannot_be_meant(option: str, value: str) -> None:
    assert option in in_one_line(launch_in_vain(option, value))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["at once", "home made", "launched", "a worker there"])
def test_told_to_end_while_it_starts(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    log = tmp_path / "standin.log"
    command = [sys.executable, "-m", "standin", "--port", "0", "--announce", "--log", str(log)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        reached = {
            "at once": lambda: True,
            "home made": lambda: any(tmp_path.glob("ktrdr-standin-*")),
            "launched": lambda: log.exists() and '"launch"' in log.read_text(),
            "a worker there": lambda: log.exists() and "worker registered" in log.read_text(),
        }[moment]
        eventually(reached)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        said = process.communicate(timeout=10)[1]
    assert moment == "at once" or (said == "" and process.returncode == 0)
    assert all_gone(children)
    assert list(tmp_path.glob("ktrdr-standin-*")) == []


def test_more_workers_than_there_are_ports_for() -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))  # The stand-in has it from this process.
    try:
        said = in_one_line(launch_in_vain("--port", "0", "--workers", "100"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "fewer with --workers" in said and "--port" not in said


def test_the_help_has_groups_and_every_setting_once() -> None:
    command = [sys.executable, "-m", "standin", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    titles = [line for line in told.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [f"{title}:" for title in ("options", *GROUPS.values())]
    at = [
        told.index(f"\n{words}")
        for words in ("  --port", "what a", "  --busy", "how a", "  --neighbour", "faults:", "  --fault")
    ]
    assert at == sorted(at)


def test_an_unknown_fault() -> None:
    assert "did you mean cancel-500" in in_one_line(launch_in_vain("--fault", "cancel-50"))


def test_a_running_backtest_keeps_a_core_partly_busy_and_a_cancel_ends_that(launch: Launch) -> None:
    it = launch()
    operation_id = it.running(PAYLOAD)
    base = it.worker_url(operation_id)

    def used_while(rises_by: float) -> float:
        before, start = it.processor_s(base), it.operation(operation_id)["progress"]["percentage"]
        it.wait(operation_id, lambda seen: seen["progress"]["percentage"] >= start + rises_by)
        return it.processor_s(base) - before

    assert used_while(rises_by=10.0) > 0.05
    it.cancel(operation_id)

    def idle() -> bool:
        before = it.processor_s(base)
        for _ in range(10):
            it.ask("GET", f"{base}/health")
        return it.processor_s(base) - before <= 0.05

    eventually(idle)


def test_list_of_faults() -> None:
    command = [sys.executable, "-m", "standin", "--list-faults"]
    listed: Any = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(listed) >= 60 and any(line.startswith("cancel-ignored ") for line in listed)
