"""Nothing is left running, however a run ends; and only what this run has started is ever cancelled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from ktrdr_qa.act import leaving
from ktrdr_qa.act.journal import Journal
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.record.recorder import Recorder
from ktrdr_qa.target.settings import Target
from tests.deployments.harness import (
    GIVE_UP_S,
    MAIN,
    Place,
    Platform,
    Ran,
    await_that,
    children,
    interrupt,
    listening,
    started,
)

LAG_0 = ("--registry-lag-s", "0")
Moment = Callable[[Place, subprocess.Popen[str]], object]


def standin_starting(place: Place, run: subprocess.Popen[str]) -> object:
    return [c for c in children(run) if _is_standin(c)]


def preflight(place: Place, run: subprocess.Popen[str]) -> object:
    return "target: " in place.console


def before_the_cancel(place: Place, run: subprocess.Popen[str]) -> object:
    return "When a long backtest is started ... passed" in place.console


def frozen_window(place: Place, run: subprocess.Popen[str]) -> object:
    return "the new backtest really runs within 30 seconds ... passed" in place.console


def afterwards(place: Place, run: subprocess.Popen[str]) -> object:
    return "the system is stable: the new backtest started without trouble ... passed" in place.console


MOMENTS = [standin_starting, preflight, before_the_cancel, frozen_window, afterwards]


def _is_standin(process: psutil.Process) -> bool:
    try:
        return "standin" in process.cmdline()
    except psutil.Error:
        return False


def nothing_left(started_by_it: list[psutil.Process]) -> None:
    def all_gone() -> bool:
        return not [p for p in started_by_it if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

    await_that(all_gone, "the run's own processes to end")
    assert listening([p.pid for p in started_by_it]) == []


def told_as_broken_off(ran: Ran) -> None:
    """It is no pass, unless the signal came when the last scenario had ended."""
    if "4 scenarios passed, 0 failed, 0 skipped" not in ran.output:
        assert ran.exit_status != 0, ran.output
        assert "PASSED: " not in ran.output, ran.output


def run_until(place: Place, moment: Moment, *extra: str, **environment: str) -> subprocess.Popen[str]:
    run = place.begin(MAIN, *extra, **environment)
    await_that(lambda: moment(place, run) or run.poll() is not None, moment.__name__)
    assert run.poll() is None, f"it ended before {moment.__name__}:\n{place.console}"
    return run


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda m: m.__name__)
def test_ctrl_c_leaves_nothing_of_the_embedded_ktrdr(place: Place, moment: Moment) -> None:
    run = run_until(place, moment)
    theirs = children(run)
    interrupt(run)
    ran = place.finish(run)
    told_as_broken_off(ran)
    nothing_left(theirs)
    assert not list((place.path / "reports" / "journal").glob("*.json"))


@pytest.mark.parametrize("moment", MOMENTS[1:], ids=lambda m: m.__name__)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_leaves_no_backtest_of_this_run_on_a_platform_that_stays(
    place: Place, moment: Moment, number: signal.Signals
) -> None:
    with started(*LAG_0, "--neighbour") as platform:
        neighbours = await_that(platform.active, "the neighbour's backtest")
        run = run_until(place, moment, KTRDR_API_URL=platform.url)
        theirs = children(run)
        if number == signal.SIGINT:
            interrupt(run)
        else:
            run.send_signal(number)
        ran = place.finish(run)
        told_as_broken_off(ran)
        nothing_left(theirs)
        assert platform.active() == neighbours, "only this run's backtests are cancelled"
        assert not list((place.path / "reports" / "journal").glob("*.json"))


def our_console(place: Place, url: str, *options: str, **streams: Any) -> subprocess.Popen[bytes]:
    """A run as it is started by hand, with the formatter that it has then."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KTRDR_")}
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("behave")), "--no-color", *options, MAIN],
        cwd=place.path,
        env={**kept, **place.environment, "KTRDR_API_URL": url},
        **streams,
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_a_terminal_that_is_closed_ends_the_run_in_good_order(place: Place) -> None:
    """What is still said cannot be written any more, and that stops no clean-up."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    with started(*LAG_0) as platform:
        run = our_console(
            place,
            platform.url,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        reader = threading.Thread(target=lambda: _read_until(ours, b"is above 0"), daemon=True)
        reader.start()
        reader.join(GIVE_UP_S)
        assert platform.active(), "it is cancelled in mid-run"
        os.close(ours)
        assert run.wait(GIVE_UP_S) not in (0, -signal.SIGHUP)
        assert platform.active() == []
    assert not list((place.path / "reports" / "journal").glob("*.json"))
    told = json.loads((place.path / "reports" / "summary.json").read_text())
    assert told["outcome"] == "inconclusive" and "SIGHUP" in json.dumps(told["reasons"])


def suite_into_a_pipe(place: Place, url: str, *options: str) -> subprocess.Popen[bytes]:
    return our_console(place, url, *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("options", [(), ("--format", "plain")], ids=["our console", "plain"])
@pytest.mark.parametrize("words", [b"is above 0", b"the new backtest is accepted"])
def test_a_pipe_that_nobody_reads_any_more_ends_the_run_in_good_order(
    place: Place, words: bytes, options: tuple[str, ...]
) -> None:
    """As `| head` or a pager that is left: what is still said goes nowhere, and that stops no clean-up."""
    with started(*LAG_0) as platform:
        run = suite_into_a_pipe(place, platform.url, *options)
        assert run.stdout and run.stderr
        _read_until(run.stdout.fileno(), words)
        assert platform.active(), "it is left in mid-run"
        run.stdout.close()
        assert run.wait(GIVE_UP_S) == 1
        assert platform.active() == []
        told = run.stderr.read().decode()
    assert "Traceback" not in told and not list((place.path / "reports" / "journal").glob("*.json"))
    summary = json.loads((place.path / "reports" / "summary.json").read_text())
    assert summary["outcome"] == "inconclusive"
    assert "an output that cannot be written any more (Broken pipe)" in json.dumps(summary["reasons"])


def test_a_ctrl_c_that_ends_the_reader_of_a_pipe_as_well_leaves_nothing(place: Place) -> None:
    with started(*LAG_0) as platform:
        run = suite_into_a_pipe(place, platform.url)
        assert run.stdout
        _read_until(run.stdout.fileno(), b"the new backtest is accepted")
        assert platform.active(), "the new one is running"
        run.stdout.close()
        run.send_signal(signal.SIGINT)
        assert run.wait(GIVE_UP_S) == 1
        assert platform.active() == []
    assert not list((place.path / "reports" / "journal").glob("*.json"))


CRASHES = """
from behave.formatter.base import Formatter


class Crashes(Formatter):
    name = "crashes"

    def result(self, step):
        if "above 0" in step.name:
            raise RuntimeError("a formatter of somebody's own")
"""


def test_a_formatter_that_crashes_leaves_nothing(place: Place) -> None:
    (place.path / "crashing.py").write_text(CRASHES)
    place.environment["PYTHONPATH"] = str(place.path)
    with started(*LAG_0) as platform:
        run = suite_into_a_pipe(place, platform.url, "--format", "crashing:Crashes", "--outfile", "crashes.txt")
        out, _ = run.communicate(timeout=GIVE_UP_S)
        assert run.returncode == 1 and b"a formatter of somebody's own" in out
        assert platform.active() == []
    assert not list((place.path / "reports" / "journal").glob("*.json"))
    told = json.loads((place.path / "reports" / "summary.json").read_text())
    assert told["outcome"] == "inconclusive"


def _read_until(terminal: int, words: bytes) -> None:
    seen = b""
    while words not in seen and (piece := os.read(terminal, 4096)):
        seen += piece


def test_a_failing_step_leaves_nothing(place: Place) -> None:
    with started(*LAG_0, "--fault", "cancel-404", "--fault", "after-list-disagrees") as platform:
        place.live(platform.url).failed()
        # This platform refuses every cancel: the run says what it could not end.
        assert set(_told_to_cancel(place)) == set(platform.active()) or platform.active() == []


def test_a_failing_step_has_its_backtests_cancelled(place: Place) -> None:
    with started(*LAG_0, "--fault", "after-completed-at-missing") as platform:
        place.live(platform.url).failed()
        assert platform.active() == []


def _told_to_cancel(place: Place) -> list[str]:
    return [w.rsplit("/", 1)[1] for w in place.console.split() if w.startswith("http") and "/operations/op_" in w]


def test_what_a_killed_run_left_is_cancelled_by_the_next_which_says_so(place: Place) -> None:
    with started(*LAG_0, "--neighbour", "--workers", "3") as platform:
        neighbours = await_that(platform.active, "the neighbour's backtest")
        others = platform.start()
        left = _kill_in_mid_run(place, platform)
        (mine,) = set(platform.active()) - {*neighbours, others}
        assert mine in left
        ran = place.behave(MAIN, KTRDR_API_URL=platform.url).passed()
        assert f"left behind by a killed run: {mine} has ended now" in ran.output
        assert set(platform.active()) == {*neighbours, others}
        assert not list((place.path / "reports" / "journal").glob("*.json"))


def test_what_was_left_elsewhere_is_told_and_left_alone(place: Place) -> None:
    with started(*LAG_0) as platform:
        left = _kill_in_mid_run(place, platform)
        ran = place.embedded(LAG_0).passed()
        assert f"left behind by a killed run on {platform.url}, not on this run's target" in ran.output
        assert platform.active() == left


def test_a_killed_run_on_the_embedded_ktrdr_leaves_nothing_to_cancel(place: Place) -> None:
    run = run_until(place, before_the_cancel)
    theirs = children(run)
    run.kill()
    run.wait()
    nothing_left(theirs)
    assert list((place.path / "reports" / "journal").glob("*.json"))
    ran = place.behave(MAIN).passed()
    assert "left behind" not in ran.output
    assert not list((place.path / "reports" / "journal").glob("*.json"))


def _kill_in_mid_run(place: Place, platform: Platform) -> list[str]:
    run = run_until(place, before_the_cancel, KTRDR_API_URL=platform.url)
    theirs = children(run)
    run.kill()
    run.wait()
    nothing_left(theirs)
    (file,) = (place.path / "reports" / "journal").glob("*.json")
    return list(json.loads(file.read_text())["open"])


def test_a_run_that_passes_leaves_nothing(place: Place) -> None:
    with started(*LAG_0, "--neighbour") as platform:
        neighbours = await_that(platform.active, "the neighbour's backtest")
        ran: Ran = place.live(platform.url).passed()
        assert platform.active() == neighbours
    assert not list((ran.place / "reports" / "journal").glob("*.json"))


def test_a_platform_that_dies_in_mid_run_is_told_and_nothing_hangs(place: Place) -> None:
    run = run_until(place, before_the_cancel)
    backend = await_that(lambda: [c for c in children(run) if _is_standin(c)], "the stand-in")[0]
    theirs = children(run)
    for process in (backend, *backend.children()):
        process.kill()
    ran = place.finish(run)
    assert ran.exit_status != 0 and "Traceback" not in ran.output, ran.output
    nothing_left(theirs)


@pytest.mark.parametrize("over", [True, False], ids=["over by itself", "still running"])
def test_what_has_ended_by_itself_since_it_was_last_read_was_not_ended_by_the_clean_up(
    over: bool, tmp_path: Path
) -> None:
    """Else a new backtest that fails in this moment would be taken for one that was cleaned up."""
    with started(*LAG_0, "--bars-per-second", "0" if over else "40") as platform:
        backtest = platform.start(start_date="2022-11-01" if over else "2000-01-01")
        if over:
            await_that(lambda: not platform.active(), "its end")
        client, recorder = Client(platform.url, Transcript()), Recorder(time.monotonic)
        scene = Scene(Target(base_url=platform.url), client, recorder, Journal(tmp_path, platform.url), {})
        scene.own(backtest)
        assert leaving.end(scene, backtest) == [] and scene.journal.open == ()
        client.close()
        history = recorder.history()
        assert platform.active() == []
    assert [e.subject for e in history.events if e.kind == "clean_up"] == ([] if over else [backtest])
    assert [s.status for s in history.of("backend", backtest)] == (["completed"] if over else [])


def test_a_clean_up_that_is_not_answered_is_tried_again_only_when_the_recording_ends(place: Place) -> None:
    """Else the verdict would wait for one more limit after each scenario."""
    ran = place.embedded([*LAG_0, "--fault", "cancel-hangs"]).failed()
    assert len(ran.summary["scenarios"]) > 2
    assert len([e for e in ran.history()["events"] if e["kind"] == "clean_up"]) == 2
