"""Restarts on a KTRDR that the suite did not launch, by the target file's commands; and what an interrupted one leaves."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.platform.services import NotRestarted, Services
from ktrdr_qa.platform.witnesses import Witness
from ktrdr_qa.target.settings import Restart, Target, load
from tests.deployments.harness import BRISK, Place, Platform, await_that, children, interrupt, started
from tests.deployments.test_leaving import LAG_0, nothing_left

FEATURE = "features/restart.feature"
MOVED = "its progress is above 0 % and moving within 30 seconds ... passed"


def of_the_target(**commands: str) -> str:
    """The lines of a target file that say how a service is restarted."""
    return "\n".join([BRISK, "[restart]", *(f"{service} = '''{command}'''" for service, command in commands.items())])


@contextmanager
def ordering(platform: Platform, place: Place) -> Iterator[str]:
    """A command that has the platform's supervisor restart a service, and ends when that is done."""
    orders, done = place.path / "orders", place.path / "done"
    for pipe in (orders, done):
        os.mkfifo(pipe)

    def obey() -> None:
        assert platform.process.stdin and platform.process.stdout
        while (service := orders.read_text().strip()) != "end":
            platform.process.stdin.write(f"restart {service}\n")
            platform.process.stdin.flush()
            done.write_text(platform.process.stdout.readline())

    obeying = threading.Thread(target=obey, daemon=True)
    obeying.start()
    yield f'sh -c "echo $0 > {orders}; cat {done}"'
    orders.write_text("end")
    obeying.join()


def test_a_restart_by_the_target_files_commands(place: Place) -> None:
    with started(*LAG_0) as platform, ordering(platform, place) as command:
        before = {name: platform.pid(name) for name in ("backend", "backtest-worker-1", "backtest-worker-2")}
        commands = of_the_target(backend=f"{command} backend", worker=f"{command} {{worker}}")
        ran = place.live(platform.url, FEATURE, "-D", "disturb=on", more=commands).passed()
        assert set(ran.scenarios.values()) == {"passed"} and len(ran.scenarios) == 4
        assert platform.active() == [], "nothing is left running"
        restarts = [line["id"] for line in platform.log() if line["event"] == "restarted"]
        assert restarts.count("backend") == 2 and set(restarts) < set(before) and len(restarts) == 4


def test_without_a_command_it_is_left_out_with_the_setting_to_change(place: Place) -> None:
    with started(*LAG_0) as platform:
        ran = place.live(platform.url, FEATURE, "-D", "disturb=on")
        assert ran.exit_status != 0
        assert "the backend cannot be restarted from here; say how under [restart] in the target file: " in ran.output
        assert 'worker = "docker compose restart {worker}"' in ran.output
        assert platform.operations() == []


def test_without_a_word_of_the_user_nothing_is_restarted(place: Place) -> None:
    with started(*LAG_0) as platform:
        ran = place.live(platform.url, FEATURE, more=of_the_target(backend="touch restarted", worker="touch restarted"))
        assert "-D disturb=on" in ran.output and ran.exit_status != 0
        assert not (place.path / "restarted").exists()


def test_a_command_that_fails_is_no_failure_of_ktrdr(place: Place) -> None:
    with started(*LAG_0) as platform:
        commands = of_the_target(backend="false", worker="sh -c 'echo no such service: $0 >&2; exit 3' {worker}")
        ran = place.live(platform.url, FEATURE, "-D", "disturb=on", more=commands).inconclusive()
        assert "exit status 3: no such service: backtest-worker-" in ran.output
        assert platform.active() == []


@pytest.mark.parametrize("scenarios", ["whose worker is restarted", "in which KTRDR's backend is restarted"])
def test_ctrl_c_in_mid_restart_leaves_nothing(place: Place, scenarios: str) -> None:
    run = place.begin(FEATURE, "--name", scenarios)
    await_that(lambda: MOVED in place.console or run.poll() is not None, "a backtest that moves")
    theirs = children(run)
    assert len(theirs) >= 4
    interrupt(run)
    ran = place.finish(run)
    assert ran.exit_status != 0 and "Traceback" not in ran.output
    nothing_left(theirs)
    assert not list((place.path / "reports" / "journal").glob("*.json"))


def test_ctrl_c_waits_for_a_command_that_restarts_and_cancels_the_backtest(place: Place) -> None:
    with started(*LAG_0) as platform:
        slow = f"sh -c 'touch {place.path}/begun; sleep 1; touch {place.path}/ended'"
        more = of_the_target(backend=slow, worker=slow)
        place.write("own.toml", f'kind = "live"\nbase_url = "{platform.url}"\n{more}')
        run = place.begin(FEATURE, "-D", "target=own.toml", "-D", "disturb=on")
        await_that(lambda: (place.path / "begun").exists() or run.poll() is not None, "the command")
        interrupt(run)
        ran = place.finish(run)
        assert ran.exit_status != 0 and "Traceback" not in ran.output
        assert (place.path / "ended").exists(), "a service that was only stopped would be left so"
        assert platform.active() == []


def witness(endpoint: str) -> Witness:
    return Witness("worker-7f3a", None, False, "", None, "", endpoint)


@pytest.mark.parametrize(
    ("endpoint", "named"),
    [
        ("http://backtest-worker-1:5003", "backtest-worker-1"),
        ("http://127.0.0.1:5003", "worker-7f3a"),
        ("http://localhost:5003", "worker-7f3a"),
        ("", "worker-7f3a"),
    ],
)
def test_a_worker_is_called_by_its_container_or_else_by_its_id(endpoint: str, named: str, tmp_path: Path) -> None:
    told = tmp_path / "told"
    command = f"sh -c 'echo $0 > {shlex.quote(str(told))}' {{worker}}"
    Services(Target(restart=Restart(worker=command)), None).restart(witness(endpoint))
    assert told.read_text().strip() == named


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("nowhere-to-be-found", "nowhere-to-be-found: No such file"),
        ("sleep 5", "sleep 5 had not ended after 0.2 s"),
        ("sh -c 'echo gone; exit 4'", "exit status 4: gone"),
    ],
)
def test_a_restart_that_does_not_work_says_why(command: str, words: str) -> None:
    with pytest.raises(NotRestarted, match=words):
        Services(Target(restart=Restart(backend=command, takes_s=0.2)), None).restart(None)


def test_a_misspelt_setting_is_told(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[restart]\nbackends = "x"\n')
    with pytest.raises(BadConfiguration, match="did you mean 'backend'"):
        load(str(tmp_path / "own.toml"))
