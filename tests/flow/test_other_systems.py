"""On Windows and macOS: nothing of ours asks for what only some systems have, and an ASCII console is enough.

What Windows lacks is taken away from our own modules and from `os` and `signal`, in every process of a run.
"""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from ktrdr_qa import system
from tests.deployments.harness import MAIN, ROOT, Place
from tests.telling.running import run, suite

UNIX_MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix", "curses", "readline")
UNIX_NAMES = {
    "os.fork",
    "os.forkpty",
    "os.getloadavg",
    "os.uname",
    "os.getuid",
    "os.geteuid",
    "os.getgid",
    "os.killpg",
    "os.getpgid",
    "os.setsid",
    "os.setpgid",
    "os.setpgrp",
    "os.nice",
    "os.mkfifo",
    "os.set_blocking",
    "os.O_CLOEXEC",
    "os.O_NONBLOCK",
    "os.sched_getaffinity",
    "os.chown",
    "os.pread",
    "os.pwrite",
    "os.WNOHANG",
    "signal.SIGKILL",
    "signal.SIGHUP",
    "signal.SIGCHLD",
    "signal.SIGUSR1",
    "signal.SIGUSR2",
    "signal.SIGALRM",
    "signal.alarm",
    "signal.setitimer",
    "signal.pause",
    "signal.pthread_sigmask",
    "signal.pthread_kill",
    "select.poll",
    "select.epoll",
    "select.kqueue",
    "select.select",
    "time.tzset",
}
ONLY_WITH_FORK = ROOT / "standin" / "forking.py"
"""Half of it is used only where a process can be forked; that the other half does without is seen in a run."""
OURS = [
    path
    for part in ("ktrdr_qa", "honest_behave", "features", "standin", "bench", "tests/gallery", "tools")
    for path in sorted((ROOT / part).rglob("*.py"))
    if path != ONLY_WITH_FORK and "node_modules" not in path.parts
]
LIKE_WINDOWS = f"""
import builtins, os, signal
usual = builtins.__import__
def without(name, given=None, local=None, fromlist=(), level=0):
    asking = str((given or {{}}).get("__name__", "")).partition(".")[0]
    if name in {UNIX_MODULES!r} and asking in ("ktrdr_qa", "honest_behave", "standin", "features"):
        raise ImportError("there is no " + name + " on this system")
    return usual(name, given, local, fromlist, level)
builtins.__import__ = without
for module, names in ((os, "fork forkpty uname killpg getpgid setsid setpgid"), (signal, "SIGHUP SIGUSR1")):
    for name in names.split():
        delattr(module, name)
"""
"""What other libraries need on this system is left in place."""
START = "import runpy, sys; sys.argv[0] = 'standin'; runpy.run_module('standin.__main__', run_name='__main__')"


def unix_only(tree: ast.AST) -> list[str]:
    """What of it only some systems have. An import inside of ``try: ... except ImportError`` is guarded."""
    guarded: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any("ImportError" in ast.dump(h.type) for h in node.handlers if h.type):
            guarded |= {inner for each in node.body for inner in ast.walk(each)}
    found = []
    for node in ast.walk(tree):
        if node in guarded:
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        found += [f"import {name}" for name in names if name.partition(".")[0] in UNIX_MODULES]
        if isinstance(node, ast.Attribute) and ast.unparse(node) in UNIX_NAMES:
            found.append(ast.unparse(node))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.kill" and ast.unparse(node.args[-1]) == "0":
            found.append("os.kill(..., 0)")
    return found


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_of_ours_is_for_some_systems_only(path: Path) -> None:
    assert unix_only(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    ["import fcntl", "from resource import getrusage", "os.getloadavg()", "os.kill(pid, 0)", "select.select(a, b, c)"],
)
def test_what_is_for_some_systems_only_is_seen(text: str) -> None:
    assert unix_only(ast.parse(text))
    assert not unix_only(ast.parse("try:\n import resource\nexcept ImportError:\n pass"))


def without_encodings(tree: ast.AST) -> list[int]:
    """Lines that read or write text in whatever encoding the system has."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = {keyword.arg for keyword in node.keywords}
            least = {"read_text": 1, "write_text": 2}.get(node.func.attr)
            if least and "encoding" not in given and len(node.args) < least:
                found.append(node.lineno)
            if (
                given & {"text", "universal_newlines"}
                and "encoding" not in given
                and node.func.attr in ("run", "Popen")
            ):
                found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    "path", [p for p in OURS if p.relative_to(ROOT).parts[0] in ("ktrdr_qa", "features")], ids=lambda path: path.name
)
def test_every_text_names_its_encoding(path: Path) -> None:
    assert without_encodings(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "suite")


def test_the_suite_runs_without_what_windows_lacks(place: Place) -> None:
    place.write("sitecustomize.py", LIKE_WINDOWS)
    place.write("own.toml", 'kind = "embedded"\n')
    place.behave(MAIN, "-D", "target=own.toml", PYTHONPATH=str(place.path)).passed()
    report = subprocess.run(
        [sys.executable, "-m", "ktrdr_qa.tell.report", "--results", "nowhere"],
        cwd=place.path,
        env={**os.environ, "PYTHONPATH": str(place.path)},
        capture_output=True,
        check=False,
    )
    assert report.stderr.startswith(b"No report: ") and b"Traceback" not in report.stderr


def test_the_stand_in_starts_and_ends_without_fork() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LIKE_WINDOWS + START, "--announce", "--die-with-stdin", "--port", "0"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin and process.stdout
    announced: dict[str, Any] = json.loads(process.stdout.readline())
    pids = [each["pid"] for each in announced["processes"]]
    assert [each["role"] for each in announced["processes"]] == ["backend", "worker", "worker"]
    assert all(psutil.pid_exists(pid) for pid in pids)
    process.stdin.close()
    assert process.wait(20) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids) and not Path(announced["home"]).exists()
    process.stdout.close()


def test_a_stand_in_without_fork_that_cannot_start_says_why() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIKE_WINDOWS + START, "--port", "99999"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "Port 99999 on 127.0.0.1 cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("formatter", ["", "plain", "pretty", "progress3"])
def test_the_verdict_is_said_on_an_ascii_console(tmp_path: Path, formatter: str) -> None:
    suite(tmp_path)
    (tmp_path / "target.toml").write_text('kind = "live"\nbase_url = "http://127.0.0.1:9"\ndescription = "— ✓"\n')
    chosen = ["-f", formatter] if formatter else []
    told = run(tmp_path, MAIN, *chosen, "-D", "target=target.toml", PYTHONIOENCODING="ascii")
    assert told.status != 0 and told.summary["outcome"] == "inconclusive", told.console
    assert "INCONCLUSIVE: " in told.console and "UnicodeEncodeError" not in told.console


@pytest.mark.parametrize(
    "module", ["ktrdr_qa.tell.report", "ktrdr_qa.judge", "ktrdr_qa.target", "ktrdr_qa.tell.glossary"]
)
def test_every_command_speaks_to_an_ascii_console(module: str) -> None:
    code = f"import runpy, sys; import {module}; print('— ✓ …'); print('— ✓', file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout == "? ? ?\n", done.stderr


def test_a_line_that_does_not_come_is_not_waited_for_for_ever() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as stream:
        began_s = time.monotonic()
        assert system.first_line(stream, 0.1) == b"" and time.monotonic() - began_s < 5
        os.write(theirs, b"late\n")
        os.close(theirs)
    assert system.first_line(io.BytesIO(b"one\ntwo\n"), 5.0) == b"one\n"


def test_who_is_alive_and_how_busy_the_host_is() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert system.is_alive(os.getpid()) and not system.is_alive(child.pid)
    assert system.load_per_core() >= 0
    assert 0 <= system.processors_used() <= 1
