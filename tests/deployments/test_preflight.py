"""The preflight: what Docker Compose says through a stub of its command, cures shown and applied, files and API."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from honest_behave.outcomes import PlatformNotReady
from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.checks import services
from ktrdr_qa.act.checks.result import Cure, Result
from ktrdr_qa.act.failure import KtrdrFailure
from ktrdr_qa.act.preflight import Preflight
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.target.sections import read
from ktrdr_qa.target.settings import Target
from tests.deployments.harness import BRISK, MAIN, Place, started, stub_docker
from tests.deployments.proxy import Answer, Asked, proxy

HERE = Path(__file__).parent
LAG_0 = ("--registry-lag-s", "0")
CANDIDATE = Candidate("EURUSD", "1d", "2023-01-01", "2024-12-31", "neuro", "models/neuro/1d/model.pt")
RUNNING = [
    {"Service": "backend", "Name": "ktrdr-backend-1", "State": "running", "Health": "healthy"},
    {"Service": "backtest-worker-1", "Name": "ktrdr-backtest-worker-1-1", "State": "running", "Health": ""},
    {"Service": "migrate", "Name": "ktrdr-migrate-1", "State": "exited", "ExitCode": 0},
]


class Sandbox:
    """A checkout of KTRDR on this host, its Compose project behind a stub, its API behind a rule."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, rule: dict[str, Answer], url: str):
        self.path = path
        self.checkout = path / "ktrdr"
        self.shared = path / "shared"
        self.checkout.mkdir()
        (self.checkout / "docker-compose.yml").write_text("services: {}\n")
        self.rule = rule
        self.url = url
        self.said: list[str] = []
        self._patch = monkeypatch

    def docker(self, script: str) -> None:
        self._patch.setenv("PATH", stub_docker(self.path, script))

    def containers(self, listed: list[dict[str, Any]], *, lines: bool = False) -> None:
        text = "\n".join(json.dumps(c) for c in listed) if lines else json.dumps(listed)
        (self.path / "ps.json").write_text(text)
        self.docker(f'cat "{self.path}/ps.json"')

    @property
    def calls(self) -> list[str]:
        return (self.path / "docker.log").read_text().splitlines()

    def target(self, **changed: Any) -> Target:
        directories = {"directory": str(self.checkout), "shared_directory": str(self.shared)}
        settings = {"base_url": self.url, "checkout": directories, **changed}
        return read(Target, settings).at(self.url, "the test")

    def preflight(
        self, target: Target | None = None, *, cure: bool = False, mine: Collection[str] = (), **changed: Any
    ) -> Preflight:
        client = Client(self.url, Transcript(), timeout_s=2)
        target = target or self.target(**changed)
        return Preflight(target, client, cure=cure, mine=lambda: mine, say=self.said.append)


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    answers: dict[str, Answer] = {}

    def rule(asked: Asked) -> Answer:
        return answers.get(asked.path.split("?")[0], Answer(404, '{"detail": "Not Found"}'))

    with proxy("http://127.0.0.1:9", rule) as url:
        yield Sandbox(tmp_path, monkeypatch, answers, url)


def refused(check: Callable[[], object]) -> str:
    with pytest.raises(PlatformNotReady) as caught:
        check()
    return str(caught.value)


# --- services --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [False, True], ids=["a JSON list", "JSON lines"])
def test_containers_that_run_or_have_done_their_work_are_fine(sandbox: Sandbox, lines: bool) -> None:
    sandbox.containers(RUNNING, lines=lines)
    result = sandbox.preflight().services()
    assert result.state == "ok" and "3 containers" in result.seen
    assert sandbox.calls == [f"{sandbox.checkout}: compose ps --all --format json"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"State": "exited", "ExitCode": 137}, "backend has exited with status 137"),
        ({"State": "restarting"}, "backend keeps restarting"),
        ({"State": "running", "Health": "unhealthy"}, "backend is running but unhealthy"),
        ({"State": "paused"}, "backend is paused"),
        ({"State": "created"}, "backend is created"),
        ({"State": "dead"}, "backend is dead"),
    ],
)
def test_each_way_of_not_running_is_told_apart_with_its_cure(
    sandbox: Sandbox, changed: dict[str, Any], words: str
) -> None:
    sandbox.containers([{**RUNNING[0], **changed}, RUNNING[1]])
    told = refused(sandbox.preflight().services)
    assert words in told
    assert f"cure: cd {sandbox.checkout} && docker compose up -d --force-recreate" in told


def test_a_service_that_a_backtest_needs_has_not_done_its_work_when_it_has_ended(sandbox: Sandbox) -> None:
    for service in ("backend", "db", "backtest-worker-2"):
        sandbox.containers([RUNNING[0], {"Service": service, "State": "exited", "ExitCode": 0}])
        assert f"{service} has exited with status 0" in refused(sandbox.preflight().services)


def test_what_docker_compose_run_left_behind_is_none_of_the_services(sandbox: Sandbox) -> None:
    sandbox.docker(f'cat "{HERE}/compose_ps_with_oneoff.jsonl"')
    result = sandbox.preflight().services()
    assert result.state == "ok" and "2 containers" in result.seen
    # Compose before 2.20 tells no labels: there only the name shows it.
    for name in ("slot-1-backend-run-0af13c2d4b5e", "slot-1_backend_run_0af13c2d4b5e"):
        sandbox.containers([*RUNNING, {"Service": "backend", "Name": name, "State": "exited", "ExitCode": 130}])
        assert sandbox.preflight().services().state == "ok"
    # Labels say which is which even where a name looks like it.
    labelled = {"Name": "x-run-0af1", "Labels": "com.docker.compose.oneoff=False", "State": "restarting"}
    sandbox.containers([{**RUNNING[0], **labelled}])
    assert "backend keeps restarting" in refused(sandbox.preflight().services)


PODMANS = {
    "Names": ["ktrdr_backend_1"],
    "State": "running",
    "Status": "Up 3 minutes (healthy)",
    "Labels": {"com.docker.compose.service": "backend", "io.podman.compose.project": "ktrdr"},
    "ExitCode": 0,
    "Exited": False,
    "IsInfra": False,
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"Status": "Up 3 minutes (unhealthy)"}, "backend is running but unhealthy"),
        ({"State": "exited", "ExitCode": 137, "Status": "Exited (137) 2 minutes ago"}, "backend has exited with st"),
        ({"State": "stopped", "ExitCode": 143}, "backend has exited with status 143"),
        ({"State": "", "ExitCode": None, "Status": "Exited (137) 2 minutes ago"}, "backend has exited with status 137"),
        ({"State": "Paused"}, "backend is paused"),
    ],
)
def test_rows_of_podman_are_read(sandbox: Sandbox, changed: dict[str, Any], words: str) -> None:
    worker = {**PODMANS, "Names": ["ktrdr_backtest-worker-1_1"], "Labels": {"io.podman.compose.service": "b-w"}}
    infra = {"Names": ["0a1b-infra"], "State": "created", "IsInfra": True, "Labels": None}
    one_off = {**PODMANS, "Names": ["ktrdr_backend_tmp8159"], "State": "exited", "ExitCode": 1}
    sandbox.containers([PODMANS, worker, infra, one_off])
    result = sandbox.preflight().services()
    assert result.state == "ok" and "2 containers" in result.seen
    sandbox.containers([{**PODMANS, **changed}, worker])
    assert words in refused(sandbox.preflight().services)


def test_podman_compose_lists_all_without_being_told(sandbox: Sandbox) -> None:
    (sandbox.path / "ps.json").write_text(json.dumps([PODMANS]))
    sandbox.docker(
        f"""case "$*" in *--all*) echo "podman-compose: error: unrecognized arguments: --all" >&2; exit 2;; esac
cat "{sandbox.path}/ps.json" """
    )
    assert sandbox.preflight().services().state == "ok"
    assert sandbox.calls[-1].endswith("compose ps --format json")


def test_a_container_that_no_backtest_needs_is_told_as_such(sandbox: Sandbox) -> None:
    agent = {"Service": "design-agent-1", "State": "restarting"}
    sandbox.containers([*RUNNING, agent])
    told = refused(sandbox.preflight().services)
    assert "design-agent-1 keeps restarting; by its name no backtest needs it" in told
    assert "fails only because KTRDR's catalogue wants every container to run" in told
    assert "docker compose up -d --force-recreate design-agent-1\n" in told, "the others are left alone"
    assert "advice: or take it out of the project: docker compose rm --stop --force design-agent-1" in told
    sandbox.containers([{**RUNNING[0], "State": "restarting"}, agent])
    told = refused(sandbox.preflight().services)
    assert "backend keeps restarting; design-agent-1 keeps restarting (by its name no backtest needs it)" in told
    assert told.splitlines()[1].endswith("up -d --force-recreate")


def test_a_project_without_containers(sandbox: Sandbox) -> None:
    sandbox.containers([])
    assert "the Compose project has no containers" in refused(sandbox.preflight().services)


def test_a_daemon_that_is_stopped(sandbox: Sandbox) -> None:
    sandbox.docker(
        'echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?" >&2; exit 1'
    )
    told = refused(sandbox.preflight().services)
    assert "the Docker daemon does not run" in told and "start Docker" in told


@pytest.mark.parametrize(
    ("words", "told", "not_told"),
    [
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
            "dial unix /var/run/docker.sock: connect: permission denied",
            "this user may not talk to Docker: permission denied while trying",
            "start Docker",
        ),
        ("Error response from daemon: No such container: x", "docker compose ps --all", "start Docker"),
        ("open docker-compose.yml: permission denied", "json: open docker-compose.yml: perm", "may not talk"),
        ("docker: 'compose' is not a docker command.", "has no Compose plug-in", "start Docker"),
        ("unknown shorthand flag: 'f' in -f", "has no Compose plug-in", "start Docker"),
        (
            "Cannot connect to Podman: dial unix /run/podman.sock: connect: connection refused",
            "start Docker",
            "may not",
        ),
        ("error during connect: open //./pipe/dockerDesktop: The system cannot find the file", "start Docker", "may n"),
    ],
)
def test_each_refusal_of_docker_has_its_own_words(sandbox: Sandbox, words: str, told: str, not_told: str) -> None:
    sandbox.docker(f"cat >&2 <<'END'\n{words}\nEND\nexit 1")
    said = refused(sandbox.preflight().services)
    assert told in said and not_told not in said
    assert "docker info" not in said or "start Docker" in said


def test_compose_that_says_something_else(sandbox: Sandbox) -> None:
    sandbox.docker('echo "service backend refers to undefined network x" >&2; exit 15')
    assert "docker compose ps --all --format json: service backend refers" in refused(sandbox.preflight().services)
    sandbox.docker("echo NAME   IMAGE   STATUS")
    assert "docker compose ps answered no JSON" in refused(sandbox.preflight().services)


def test_docker_that_is_absent(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(sandbox.path / "empty"))
    told = refused(sandbox.preflight().services)
    assert "there is no docker command here; install Docker" in told


def test_a_host_service_with_a_checkout_does_not_need_docker(sandbox: Sandbox) -> None:
    sandbox.rule["/api/v1/health"] = Answer(200, '{"status": "ok"}')
    sandbox.docker('echo "Cannot connect to the Docker daemon at unix:///x." >&2; exit 1')
    result = sandbox.preflight().services()
    assert result.state == "not checked" and "so it may run as a host service" in result.seen
    sandbox.containers([])
    assert sandbox.preflight().services().state == "not checked"
    # Where Compose is named, it has its say.
    assert "no containers" in refused(sandbox.preflight(compose={"project": "ktrdr"}).services)


def test_what_cannot_be_seen_from_here_is_not_checked(sandbox: Sandbox) -> None:
    result = sandbox.preflight(checkout={}).services()
    assert result.state == "not checked" and "no checkout or Compose file is named" in result.seen


def test_a_named_file_and_project_are_used(sandbox: Sandbox) -> None:
    sandbox.containers(RUNNING)
    (sandbox.checkout / "mine.yml").write_text("services: {}\n")
    sandbox.preflight(compose={"file": "mine.yml", "project": "mine"}).services()
    assert sandbox.calls[0].endswith("compose -f mine.yml -p mine ps --all --format json")


def test_a_sandbox_uses_its_own_compose_file(sandbox: Sandbox) -> None:
    sandbox.containers(RUNNING)
    (sandbox.checkout / ".env.sandbox").write_text("KTRDR_API_PORT=8001\n")
    (sandbox.checkout / "docker-compose.sandbox.yml").write_text("services: {}\n")
    sandbox.preflight().services()
    # Without its settings the same command would mean another project, on the default ports.
    assert "compose --env-file .env.sandbox -f docker-compose.sandbox.yml ps" in sandbox.calls[0]


@pytest.mark.parametrize("name", ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"])
def test_a_file_that_compose_finds_itself_is_not_named_so_that_its_override_counts(sandbox: Sandbox, name: str) -> None:
    sandbox.containers(RUNNING)
    (sandbox.checkout / "docker-compose.yml").rename(sandbox.checkout / name)
    (sandbox.checkout / "docker-compose.override.yml").write_text("services: {}\n")
    sandbox.preflight().services()
    sandbox.preflight(compose={"file": name}).services()
    # As in a slot of KTRDR: its settings lie beside, but the file has Compose's own name.
    (sandbox.checkout / ".env.sandbox").write_text("COMPOSE_PROJECT_NAME=slot-1\n")
    sandbox.preflight().services()
    (sandbox.checkout / "docker-compose.sandbox.yml").write_text("services: {}\n")
    sandbox.preflight(compose={"file": name}).services()
    assert [call.split(": compose ")[1] for call in sandbox.calls] == [
        "ps --all --format json",
        "ps --all --format json",
        "--env-file .env.sandbox ps --all --format json",
        "--env-file .env.sandbox ps --all --format json",
    ]


def test_of_two_files_the_one_that_compose_would_not_take_is_named(sandbox: Sandbox) -> None:
    sandbox.containers(RUNNING)
    (sandbox.checkout / "compose.yaml").write_text("services: {}\n")
    sandbox.preflight(compose={"file": "docker-compose.yml"}).services()
    assert "compose -f docker-compose.yml ps" in sandbox.calls[0]


def test_a_checkout_without_a_compose_file_is_told_as_that(sandbox: Sandbox) -> None:
    (sandbox.checkout / "docker-compose.yml").unlink()
    result = sandbox.preflight().services()
    assert result.state == "not checked" and f"there is no Compose file in {sandbox.checkout}" in result.seen


# --- cures -----------------------------------------------------------------------------------------------------


def test_a_cure_is_applied_and_shown_and_ends_when_it_helped(sandbox: Sandbox) -> None:
    healthy, sick = json.dumps(RUNNING), json.dumps([{**RUNNING[0], "State": "exited", "ExitCode": 1}])
    (sandbox.path / "ps.json").write_text(sick)
    (sandbox.path / "healthy.json").write_text(healthy)
    sandbox.docker(
        f'case "$*" in *up*) cp "{sandbox.path}/healthy.json" "{sandbox.path}/ps.json";; *ps*) cat "{sandbox.path}/ps.json";; esac'
    )
    assert sandbox.preflight(cure=True).services().state == "ok"
    assert sandbox.said[0].startswith("cure 1 of 2 for Services running (backend has exited with status 1): cd ")
    assert "up -d --force-recreate" in sandbox.said[0]
    assert "Services running is ok now" in sandbox.said[-1]
    assert sum("up -d" in call for call in sandbox.calls) == 1


def test_a_cure_that_does_not_help_is_tried_as_often_as_the_catalogue_says(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.containers([{**RUNNING[0], "State": "restarting"}])

    def hurried(commands: Any, wait_s: float, tries: int, directory: Any = None) -> Cure:
        assert wait_s == 15.0, "the catalogue's wait"
        return Cure(commands, 0.0, tries, directory)

    monkeypatch.setattr(services, "Cure", hurried)
    told = refused(sandbox.preflight(cure=True).services)
    assert "backend keeps restarting" in told
    assert sum("up -d --force-recreate" in call for call in sandbox.calls) == 2
    assert "Services running is not cured" in sandbox.said[-1]


def test_without_leave_nothing_is_cured(sandbox: Sandbox) -> None:
    sandbox.containers([{**RUNNING[0], "State": "restarting"}])
    refused(sandbox.preflight().services)
    assert not any("up" in call.split() for call in sandbox.calls) and sandbox.said == []


def test_a_missing_strategy_is_copied_from_the_checkout(sandbox: Sandbox) -> None:
    sandbox.rule["/api/v1/strategies/validate/neuro"] = Answer(404, '{"detail": "Strategy not found: neuro"}')
    original = sandbox.checkout / "strategies" / "neuro.yaml"
    told = refused(lambda: sandbox.preflight().strategy([CANDIDATE]))
    assert "HTTP 404: Strategy not found: neuro" in told and "put neuro.yaml there" in told
    original.parent.mkdir()
    original.write_text("name: neuro\n")
    copy = sandbox.shared / "strategies" / "neuro.yaml"
    told = refused(lambda: sandbox.preflight().strategy([CANDIDATE]))
    assert f"cure: mkdir -p {copy.parent} && cp {original} {copy}" in told
    assert not copy.exists()
    checks = sandbox.preflight(cure=True)
    told = refused(lambda: checks.strategy([CANDIDATE]))  # the API goes on denying it
    assert copy.read_text() == "name: neuro\n"
    assert sandbox.said[0].startswith("cure 1 of 1 for Strategy")


# --- API health, sandbox settings, model, strategy, data, workers ----------------------------------------------


def test_an_api_that_is_down_has_its_cure(sandbox: Sandbox) -> None:
    sandbox.rule["/api/v1/health"] = Answer(503, '{"detail": "starting"}')
    told = refused(sandbox.preflight().api_health)
    assert "HTTP 503: starting" in told
    assert f"cure: cd {sandbox.checkout} && docker compose up -d backend" in told


def test_a_sandbox_port_that_is_not_the_one_in_use(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    (sandbox.checkout / ".env.sandbox").write_text("KTRDR_API_PORT=8001\n")
    monkeypatch.chdir(sandbox.path)
    target = sandbox.target().at("http://localhost:8000", "KTRDR_API_PORT=8000 in the environment")
    told = refused(sandbox.preflight(target).sandbox)
    assert "says KTRDR_API_PORT=8001, but this run talks to port 8000" in told
    assert "export KTRDR_API_PORT=8001" in told


def test_a_model_in_either_form_is_found_and_a_missing_one_lists_what_exists(sandbox: Sandbox) -> None:
    assert sandbox.preflight(checkout={}).model([CANDIDATE]).state == "not checked"
    other = sandbox.checkout / "models" / "other" / "1d"
    other.mkdir(parents=True)
    (other / "model.pt").write_bytes(b"x")
    told = refused(lambda: sandbox.preflight().model([CANDIDATE]))
    assert "models that exist there: models/other/1d; set model under [backtests.1d]" in told
    directory = sandbox.checkout / "models" / "neuro" / "1d"
    directory.mkdir(parents=True)
    assert sandbox.preflight().model([CANDIDATE]).state == "ok"


def test_what_a_sandbox_mounts_instead_of_its_checkout_is_looked_at(sandbox: Sandbox) -> None:
    elsewhere = sandbox.path / "elsewhere"
    (sandbox.checkout / ".env.sandbox").write_text(
        f"KTRDR_MODELS_DIR={elsewhere}/models  # shared\nKTRDR_STRATEGIES_DIR={elsewhere}/strategies\n"
    )
    (elsewhere / "models" / "neuro" / "1d").mkdir(parents=True)
    assert sandbox.preflight().model([CANDIDATE]).state == "ok"
    for place in (sandbox.shared, sandbox.path / "prices"):
        (sandbox.checkout / ".env.sandbox").open("a").write(f"KTRDR_DATA_DIR={place}/data\n")
        (place / "data").mkdir(parents=True)
        (place / "data" / "EURUSD_1d.csv").write_text("x")
        assert "neither" not in sandbox.preflight().data([CANDIDATE]).seen
        (place / "data" / "EURUSD_1d.csv").unlink()
    assert "neither" in refused(lambda: sandbox.preflight().data([CANDIDATE]))
    (elsewhere / "strategies").mkdir()
    (elsewhere / "strategies" / "neuro.yaml").write_text("name: neuro")
    sandbox.rule["/api/v1/strategies/validate/neuro"] = Answer(405, "{}")
    assert f"{elsewhere}/strategies/neuro.yaml is there" in sandbox.preflight().strategy([CANDIDATE]).seen


def test_a_strategy_by_api_by_file_or_not_checked(sandbox: Sandbox) -> None:
    path = "/api/v1/strategies/validate/neuro"
    sandbox.rule[path] = Answer(200, '{"success": true, "valid": true, "issues": []}')
    assert "KTRDR calls neuro valid" in sandbox.preflight().strategy([CANDIDATE]).seen
    sandbox.rule[path] = Answer(200, '{"success": true, "valid": false, "issues": ["no fuzzy sets"]}')
    assert "KTRDR calls neuro invalid: ['no fuzzy sets']" in refused(lambda: sandbox.preflight().strategy([CANDIDATE]))
    sandbox.rule[path] = Answer(405, '{"detail": "Method Not Allowed"}')
    assert sandbox.preflight(checkout={}).strategy([CANDIDATE]).state == "not checked"
    file = sandbox.shared / "strategies" / "neuro.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("name: neuro\n")
    assert sandbox.preflight().strategy([CANDIDATE]).state == "ok"


def test_data_by_api_by_file_or_not_checked(sandbox: Sandbox) -> None:
    path = "/api/v1/data/range"

    def covering(first: str, last: str) -> Answer:
        return Answer(200, json.dumps({"data": {"start_date": first, "end_date": last, "point_count": 9}}))

    sandbox.rule[path] = covering("2020-01-01T00:00:00", "2025-01-01T00:00:00")
    assert sandbox.preflight().data([CANDIDATE]).state == "ok"
    sandbox.rule[path] = covering("2020-01-01", "2024-06-01")
    assert "are from 2020-01-01 to 2024-06-01 only" in refused(lambda: sandbox.preflight().data([CANDIDATE]))
    sandbox.rule[path] = Answer(404, '{"detail": "Data not found for EURUSD (1d)"}')
    assert "no data for EURUSD 1d" in refused(lambda: sandbox.preflight().data([CANDIDATE]))
    sandbox.rule[path] = Answer(404, '{"detail": "Not Found"}')
    assert sandbox.preflight(checkout={}).data([CANDIDATE]).state == "not checked"
    assert "neither" in refused(lambda: sandbox.preflight().data([CANDIDATE]))
    (sandbox.checkout / "data").mkdir()
    (sandbox.checkout / "data" / "EURUSD_1d.pkl").write_bytes(b"x")
    # The file is there, but how far it goes cannot be seen: that is not the same as fine.
    assert sandbox.preflight().data([CANDIDATE]).state == "not checked"


def test_workers_that_are_missing_busy_or_dead_each_have_their_words(sandbox: Sandbox) -> None:
    path = "/api/v1/workers"
    sandbox.rule[path] = Answer(200, "[]")
    told = refused(lambda: sandbox.preflight().workers(0.0))
    assert "no backtest worker is registered" in told
    restart = "docker compose restart backtest-worker-1 backtest-worker-2"
    assert f"cure: cd {sandbox.checkout} && {restart}" in told
    # In a slot of KTRDR's the workers are the copies of one service.
    sandbox.containers([{"Service": "backtest-worker", "Name": f"slot-1-backtest-worker-{n}"} for n in (1, 2)])
    told = refused(lambda: sandbox.preflight().workers(0.0))
    assert f"cure: cd {sandbox.checkout} && docker compose restart backtest-worker\n" in told + "\n"
    sandbox.rule[path] = Answer(200, '[{"worker_id": "t", "worker_type": "training", "status": "available"}]')
    assert "only workers for training" in refused(lambda: sandbox.preflight().workers(0.0))
    sandbox.rule["/health"] = Answer(200, '{"worker_status": "busy"}')
    worker = {"worker_id": "w", "worker_type": "backtesting", "endpoint_url": sandbox.url}
    sandbox.rule[path] = Answer(200, json.dumps([{**worker, "status": "busy", "current_operation_id": "op_x"}]))
    assert "no backtest worker is free: w busy op_x" in refused(lambda: sandbox.preflight().workers(0.0))
    gone = {**worker, "endpoint_url": "http://127.0.0.1:9", "status": "available"}
    sandbox.rule[path] = Answer(200, json.dumps([gone]))
    assert "the registered workers do not answer" in refused(lambda: sandbox.preflight().workers(0.0))


def registered(sandbox: Sandbox, *workers: dict[str, Any]) -> None:
    """What the registry lists; each worker answers at the API's own address unless it says otherwise."""
    listed = [{"worker_type": "backtesting", "endpoint_url": sandbox.url, "status": "busy", **w} for w in workers]
    sandbox.rule["/api/v1/workers"] = Answer(200, json.dumps(listed))
    sandbox.rule["/health"] = Answer(200, '{"worker_status": "idle"}')


def test_places_of_this_runs_own_ended_backtests_are_told_as_that(sandbox: Sandbox) -> None:
    checks = sandbox.preflight(mine=["op_1", "op_2", "op_9"])
    registered(
        sandbox,
        {"worker_id": "w1", "current_operation_id": "op_1"},
        {"worker_id": "w2", "current_operation_id": "op_2"},
        {"worker_id": "w3", "current_operation_id": "op_x"},
    )
    told = refused(lambda: checks.workers(0.0))
    assert (
        "no backtest worker is free: KTRDR's registry still counts the places of w1 (op_1), w2 (op_2) as taken" in told
    )
    assert "by backtests of this run that have ended; w3 busy op_x" in told
    assert "wait for the backtests to end" not in told
    assert checks.kept_places == {"w1": "op_1", "w2": "op_2"}
    # Somebody else's are theirs to end.
    checks.forget()
    registered(sandbox, {"worker_id": "w3", "current_operation_id": "op_x"})
    told = refused(lambda: checks.workers(0.0))
    assert "no backtest worker is free: w3 busy op_x" in told and "wait for the backtests to end" in told
    assert checks.kept_places == {}
    checks.forget()
    registered(sandbox, {"worker_id": "w1", "current_operation_id": "op_1"})
    refused(lambda: checks.workers(0.0))
    checks.forget()
    registered(sandbox, {"worker_id": "w1", "status": "available"})
    assert checks.workers(0.0).state == "ok" and checks.kept_places == {}


def test_workers_that_are_called_unavailable_are_not_waited_for(sandbox: Sandbox) -> None:
    registered(sandbox, {"worker_id": "w1", "status": "temporarily_unavailable"})
    told = refused(lambda: sandbox.preflight().workers(0.0))
    assert "w1 temporarily_unavailable" in told and "wait for the backtests" not in told
    assert "the registry gives them no work: look at the workers' logs" in told
    assert "cure: " in told and "restart backtest-worker-1" in told


def test_a_list_of_workers_that_cannot_be_had_is_no_matter_of_the_workers(sandbox: Sandbox) -> None:
    sandbox.rule["/api/v1/workers"] = Answer(500, '{"detail": "boom"}')
    told = refused(lambda: sandbox.preflight().workers(0.0))
    assert "the workers cannot be listed" in told and "KTRDR runs, but is not well" in told
    assert "restart" not in told


@pytest.mark.parametrize(
    ("changed", "advice"),
    [
        ({"kind": "embedded"}, "run again"),
        (
            {"checkout": {}},
            "start or restart the backtest workers; under Docker: docker compose restart backtest-worker-1",
        ),
    ],
)
def test_without_compose_the_workers_are_restarted_in_their_own_way(
    sandbox: Sandbox, changed: dict[str, Any], advice: str
) -> None:
    registered(sandbox)
    told = refused(lambda: sandbox.preflight(**changed).workers(0.0))
    assert "no backtest worker is registered" in told and f"advice: {advice}" in told


def test_a_worker_is_its_address(sandbox: Sandbox) -> None:
    checks = sandbox.preflight()
    registered(sandbox, {"worker_id": "old", "status": "available"})
    checks.workers(0.0)
    assert list(checks.witnesses) == ["old"]
    # Registered anew under another id: the same worker, known by its new name.
    checks.forget()
    registered(sandbox, {"worker_id": "new", "status": "available", "endpoint_url": f"{sandbox.url}/"})
    checks.workers(0.0)
    assert list(checks.witnesses) == ["new"]
    # The same id at another address: another worker, so the old address is not asked any more.
    checks.forget()
    with proxy("http://127.0.0.1:9", lambda asked: Answer(200, '{"worker_status": "idle"}')) as elsewhere:
        registered(sandbox, {"worker_id": "new", "status": "available", "endpoint_url": elsewhere})
        checks.workers(0.0)
    assert checks.witnesses["new"].address == elsewhere


def test_several_timeframes_are_named_as_the_sections_that_they_are(sandbox: Sandbox) -> None:
    hourly = Candidate("EURUSD", "1h", "2023-01-01", "2024-12-31", "neuro", "models/neuro/1h")
    told = refused(lambda: sandbox.preflight().model([CANDIDATE, hourly]))
    assert "set model under [backtests.1d] and [backtests.1h] in the target file" in told


def test_a_sandbox_file_that_names_no_port_names_none(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sandbox.path)
    file = sandbox.checkout / ".env.sandbox"
    for text in ("KTRDR_API_PORT=\n", "INSTANCE_ID=qa\n"):
        file.write_text(text)
        target = sandbox.target().at("http://localhost:8000", "KTRDR_API_PORT=8000 in the environment")
        assert f"{file} names no KTRDR_API_PORT" in sandbox.preflight(target).sandbox().seen
    # Two files that differ are no matter of the environment.
    file.write_text("KTRDR_API_PORT=8001\n")
    target = sandbox.target().at("http://localhost:8000", "KTRDR_API_PORT=8000 in elsewhere/.env.sandbox")
    told = refused(sandbox.preflight(target).sandbox)
    assert "let both name one port, or choose with -D target=NAME" in told and "unset" not in told


# --- through the whole of Behave -------------------------------------------------------------------------------


def test_a_sick_container_ends_the_run_with_the_cure_to_copy(place: Place, tmp_path: Path) -> None:
    checkout = tmp_path / "ktrdr"
    checkout.mkdir()
    (checkout / "docker-compose.yml").write_text("services: {}\n")
    sick = json.dumps([{**RUNNING[0], "State": "restarting"}])
    (tmp_path / "ps.json").write_text(sick)
    path = stub_docker(tmp_path, f'cat "{tmp_path}/ps.json"')
    with started(*LAG_0) as platform:
        more = f'{BRISK}[checkout]\ndirectory = "{checkout}"\n'
        ran = place.live(platform.url, more=more, PATH=path).inconclusive()
        assert platform.operations() == []
    assert "Services running: backend keeps restarting" in ran.reasons
    assert "docker compose up -d --force-recreate" in ran.output


def test_a_healthy_sandbox_passes_with_its_files_checked(place: Place, tmp_path: Path) -> None:
    (tmp_path / "ps.json").write_text(json.dumps(RUNNING))
    path = stub_docker(tmp_path, f'cat "{tmp_path}/ps.json"')
    with started(*LAG_0) as platform:
        (platform.home / "docker-compose.yml").write_text("services: {}\n")
        more = f'{BRISK}[checkout]\ndirectory = "{platform.home}"\nshared_directory = "{platform.home}"\n'
        ran = place.live(platform.url, more=more, PATH=path).passed()
    assert "was not checked" not in ran.observations


def test_on_a_remote_platform_what_cannot_be_seen_is_told_as_not_checked(place: Place) -> None:
    with started(*LAG_0) as platform:
        ran = place.live(platform.url).passed()
    for name in ("Services running", "Model"):
        assert f"{name} was not checked" in ran.observations


def test_a_cure_is_refused_for_a_platform_on_another_host(place: Place) -> None:
    console = place.live("http://ktrdr.invalid:8000", MAIN, "-D", "cure=on").refused()
    assert "-D cure=on is refused: http://ktrdr.invalid:8000 is not on this host" in console


@pytest.mark.parametrize("check", [Preflight.api_health, Preflight.still_healthy])
def test_health_is_asked_again_before_it_counts_as_a_fall(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, check: Callable[[Preflight], Any]
) -> None:
    well = Answer(200, '{"status": "ok"}')
    unwell = Answer(503, '{"status": "starting"}')
    sandbox.rule["/api/v1/health"] = unwell
    real = services.Services.health
    asked: list[Result] = []

    def health(one: services.Services) -> Result:
        asked.append(real(one))
        if len(asked) == 2:
            sandbox.rule["/api/v1/health"] = well
        return asked[-1]

    monkeypatch.setattr(services.Services, "health", health)
    check(sandbox.preflight())
    assert [found.state for found in asked] == ["failed", "failed", "ok"]
    sandbox.rule["/api/v1/health"] = unwell
    with pytest.raises(
        (KtrdrFailure, PlatformNotReady), match=r"KTRDR is still healthy after all this|^API health: "
    ) as failed:
        check(sandbox.preflight())
    assert "HTTP 503" in str(failed.value) and len(asked) > 4, "it was asked again"
