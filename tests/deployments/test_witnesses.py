"""Where the workers' own word and processor time come from, and what the verdict rests on without them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from functools import partial

import pytest

from ktrdr_qa.platform import readings, witnesses
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.target.sections import read
from ktrdr_qa.target.settings import Target
from tests.deployments.harness import BRISK, Place, Platform, needs_a_core, started, stub_docker
from tests.deployments.proxy import Answer, Asked, proxy

LAG_0 = ("--registry-lag-s", "0")
PROCESSOR = "The worker's processor is quiet after the cancellation"
VIEW = "The worker itself has stopped computing the cancelled backtest"


def hidden(asked: Asked) -> Answer | None:
    """Workers announce the names of containers, and no port of theirs is published here."""
    if not asked.path.startswith("/api/v1/workers"):
        return None
    workers = json.loads(asked.forward().body)
    for worker in workers:
        worker["endpoint_url"] = f"http://{worker['worker_id']}:1"
    return Answer(200, json.dumps(workers))


def containers_stub(place: Place, platform: Platform, names: dict[str, str] | None = None) -> str:
    """``docker compose ps`` answers with the file ps.json, ``docker exec NAME ...`` with a worker's processor time."""
    ticks = os.sysconf("SC_CLK_TCK")
    cases = "\n".join(
        f"  {(names or {}).get(name, name)}) pid={platform.pid(name)} ;;"
        for name in ("backtest-worker-1", "backtest-worker-2")
    )
    return stub_docker(
        place.path,
        f"""[ "$1" = compose ] && exec cat "{place.path}/ps.json"
case "$2" in
{cases}
  *) echo "No such container: $2" >&2; exit 1 ;;
esac
awk '{{ printf "usage_usec %d\\nuser_usec 0\\n", ($14 + $15) * 1000000 / {ticks} }}' /proc/$pid/stat""",
    )


def test_without_processor_time_in_the_metrics_the_process_on_this_host_is_asked(place: Place) -> None:
    with started(*LAG_0, module="tests.deployments.unmetered") as platform:
        ran = place.live(platform.url).passed()
    ran.processor_was_read()


def test_a_process_that_burns_on_is_seen_without_metrics_too(place: Place) -> None:
    with started(*LAG_0, "--fault", "after-ghost-processor", module="tests.deployments.unmetered") as platform:
        ran = needs_a_core(place.live(platform.url)).failed()
    assert ran.scenarios[PROCESSOR] == "failed" and ran.scenarios[VIEW] == "passed"
    assert "something computes on, whatever the answers say" in ran.reasons


def test_a_container_out_of_reach_is_asked_through_docker(place: Place) -> None:
    with started(*LAG_0) as platform, proxy(platform.url, hidden) as url:
        ran = place.live(url, PATH=containers_stub(place, platform)).passed()
        calls = (place.path / "docker.log").read_text()
    ran.processor_was_read()
    assert ran.scenarios[VIEW] == "skipped"
    assert "exec backtest-worker-1 cat /sys/fs/cgroup/cpu.stat" in calls


def test_a_published_worker_without_processor_time_in_its_metrics_is_asked_through_docker(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What listens at a published port is Docker's forwarder, whose processor time is not the worker's."""
    monkeypatch.setattr(witnesses, "FORWARDERS", ("python",))
    with started(*LAG_0, module="tests.deployments.unmetered") as platform:
        client = Client(platform.url, Transcript())
        port = platform.worker_port("backtest-worker-1")
        announced = [{"worker_id": "backtest-worker-1", "endpoint_url": f"http://backtest-worker-1:{port}"}]
        target = Target(base_url=platform.url.replace("127.0.0.1", "localhost"))
        found = partial(witnesses.find, announced, target, client)
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        assert found()["backtest-worker-1"].processor is None
        assert found()["backtest-worker-1"].processor_source.endswith("let the worker's /metrics be reached from here")
        monkeypatch.setenv("PATH", containers_stub(place, platform))
        witness = found()["backtest-worker-1"]
        client.close()
        assert witness.processor_source == "the control group of its container backtest-worker-1"
        assert witness.processor
        (read,) = witness.processor()
        assert read.cpu_s and read.cpu_s > 0


def test_a_container_is_asked_under_the_name_that_compose_gave_it(place: Place) -> None:
    names = {f"backtest-worker-{n}": f"ktrdr-backtest-worker-{n}-1" for n in (1, 2)}
    listed = [{"Service": s, "Name": n, "State": "running"} for s, n in names.items()]
    place.write("ps.json", json.dumps(listed))
    place.write("docker-compose.yml", "services: {}\n")
    with started(*LAG_0) as platform, proxy(platform.url, hidden) as url:
        path = containers_stub(place, platform, names)
        more = (
            f'{BRISK}[checkout]\ndirectory = "{platform.home}"\n[compose]\nfile = "{place.path}/docker-compose.yml"\n'
        )
        ran = place.live(url, more=more, PATH=path).passed()
        calls = (place.path / "docker.log").read_text()
    ran.processor_was_read()
    assert "exec ktrdr-backtest-worker-" in calls


def test_a_published_port_that_is_another_workers_is_no_witness(place: Place) -> None:
    with started(*LAG_0) as platform, started(*LAG_0, "--workers", "1") as another:
        port = another.worker_port("backtest-worker-1")

        def rule(asked: Asked) -> Answer | None:
            if not asked.path.startswith("/api/v1/workers"):
                return None
            workers = json.loads(asked.forward().body)
            return Answer(200, json.dumps([{**w, "endpoint_url": f"http://{w['worker_id']}:{port}"} for w in workers]))

        with proxy(platform.url, rule) as url:
            ran = place.live(url).passed()
    assert ran.scenarios[VIEW] == ran.scenarios[PROCESSOR] == "skipped"
    assert "so it is another worker; say where this one is under [workers]" in ran.scenario("itself")["reason"]
    assert "it rests on the backend's view only" in ran.reasons


def test_a_container_that_burns_on_is_seen_through_docker(place: Place) -> None:
    with started(*LAG_0, "--fault", "after-ghost-processor") as platform, proxy(platform.url, hidden) as url:
        ran = needs_a_core(place.live(url, PATH=containers_stub(place, platform))).failed()
    assert ran.scenarios[PROCESSOR] == "failed" and ran.scenarios[VIEW] == "skipped"


def test_a_container_that_docker_does_not_know_is_skipped_with_the_reason(place: Place) -> None:
    path = stub_docker(place.path, 'echo "Error response from daemon: No such container: $2" >&2; exit 1')
    with started(*LAG_0) as platform, proxy(platform.url, hidden) as url:
        ran = place.live(url, PATH=path).passed()
    assert ran.scenarios[PROCESSOR] == "skipped"
    reason = ran.scenario("processor")["reason"]
    assert "No such container" in reason and "under [workers] in the target file" in reason
    assert "it rests on the backend's view only, not on the worker: the worker could not be asked" in ran.reasons
    assert "not checked: " + PROCESSOR in ran.reasons
    rows = {r["check"]: r["verdict"] for r in ran.summary["checks"] if r["kind"] == "witness"}
    assert rows["The worker itself has stopped"] == rows["The worker's processor is quiet"] == "unknown"


def test_a_defect_that_only_witnesses_see_cannot_be_told_without_them_and_nothing_claims_otherwise(
    place: Place,
) -> None:
    with started(*LAG_0, "--fault", "after-ghost-processor") as platform, proxy(platform.url, hidden) as url:
        ran = place.live(url, PATH="/usr/bin:/bin").passed()
    assert ran.scenarios[PROCESSOR] == "skipped" and ran.scenarios[VIEW] == "skipped"
    assert "the backend's view only" in ran.reasons


def announced_as(port_of: dict[str, int]):  # type: ignore[no-untyped-def]
    """Workers with made-up ids that announce their containers' names and inner ports, as KTRDR's sandboxes do."""

    def rule(asked: Asked) -> Answer | None:
        if not asked.path.startswith("/api/v1/workers"):
            return None
        workers = json.loads(asked.forward().body)
        for worker in workers:
            worker["endpoint_url"] = f"http://{worker['worker_id']}:{port_of[worker['worker_id']]}"
        return Answer(200, json.dumps(workers))

    return rule


def test_the_ports_that_a_sandbox_publishes_are_read_from_its_settings(place: Place) -> None:
    inner = {"backtest-worker-1": 5003, "backtest-worker-2": 5004}
    with started(*LAG_0) as platform, proxy(platform.url, announced_as(inner)) as url:
        ports = "".join(f"KTRDR_WORKER_PORT_{n}={platform.worker_port(f'backtest-worker-{n}')}\n" for n in (1, 2))
        (platform.home / ".env.sandbox").write_text(ports)
        more = f'{BRISK}[checkout]\ndirectory = "{platform.home}"\n'
        ran = place.live(url, more=more).passed()
    ran.processor_was_read()
    assert ran.scenarios[VIEW] == "passed"


def test_a_worker_may_be_named_by_the_host_name_that_it_announces() -> None:
    target = read(Target, {"workers": {"backtest-worker-1": "http://localhost:5013"}})
    target = target.at("http://localhost:8001", "the test")
    assert witnesses._addresses("made-up-7f3a", "http://backtest-worker-1:5003", target) == ["http://localhost:5013"]
    assert witnesses._addresses("made-up-9c1b", "http://backtest-worker-2:5004", target) == [
        "http://backtest-worker-2:5004",
        "http://localhost:5004",
    ]


def seen_as(worker: str, endpoint: str) -> witnesses.Witness:
    return witnesses.Witness(worker, endpoint, False, "", None, "", endpoint=endpoint)


def test_a_witness_is_found_by_its_address_else_by_its_id() -> None:
    one, two = seen_as("w1", "http://here:5003"), seen_as("w2", "http://here:5004")
    known = {w.worker: w for w in (one, two)}

    def found(worker_id: str, endpoint: str | None) -> witnesses.Witness | None:
        return witnesses.witness_of({"worker_id": worker_id, "endpoint_url": endpoint}, known)

    assert found("w1", "http://here:5003") is one
    assert found("made-up-anew", "http://HERE:5003/") is one
    assert found("w1", None) is one and found("w3", None) is None
    # An id that has moved means the worker that is there now.
    assert found("w1", "http://here:5004") is two
    assert found("w1", "http://here:5005") is None
    nameless = seen_as("w9", "")
    assert witnesses.witness_of({"worker_id": "w9", "endpoint_url": "http://here:1"}, {"w9": nameless}) is nameless


def test_the_registry_is_read_of_every_worker_under_the_id_that_it_was_first_known_by() -> None:
    listed = [
        {"worker_id": "w2", "worker_type": "backtesting", "endpoint_url": "http://here:5004", "status": "available"},
        {
            "worker_id": "anew",
            "worker_type": "backtesting",
            "endpoint_url": "http://here:5003",
            "status": "BUSY",
            "current_operation_id": "op_1",
        },
    ]
    with proxy("http://127.0.0.1:9", lambda asked: Answer(200, json.dumps(listed))) as url:
        registered = readings.workers(Client(url, Transcript()))

    def told(ids: dict[str, str]) -> dict[str, tuple[str | None, object]]:
        return {r.subject: (r.status, r.facts.get("current_operation")) for r in readings.registry(registered, ids)}

    there = {"w2": ("available", None), "w1": ("busy", "op_1")}
    assert told({"w1": "w1", "w2": "w2", "anew": "w1"}) == there, "the one at w1's address is w1"
    gone = {"w2": ("available", None), "anew": ("busy", "op_1"), "w1": ("missing", None)}
    assert told({"w1": "w1", "w2": "w2", "anew": "anew"}) == gone, "one at an address of its own is another"


@pytest.mark.parametrize(
    "announced",
    ["http://127.0.0.1:99999", "http://[::1", "http://127.0.0.1:x", "file:///etc/passwd", "//", "7", 7, [7]],
)
def test_what_is_no_address_is_told_and_asks_nobody(announced: object) -> None:
    workers = [{"worker_id": "w", "endpoint_url": announced}]
    nobody = Client("http://127.0.0.1:9", Transcript())
    witness = witnesses.find(workers, Target(base_url="http://127.0.0.1:9"), nobody)["w"]
    assert (witness.address, witness.endpoint, witness.processor) == (None, "", None)
    assert witness.reason.startswith(f"it announces '{announced}', which is no address; say where it is with w = ")


def test_an_address_that_was_given_and_does_not_answer_is_not_asked_for_again() -> None:
    target = read(Target, {"workers": {"w": "http://127.0.0.1:9"}}).at("http://127.0.0.1:9", "the test")
    worker = {"worker_id": "w", "endpoint_url": "http://w:5003"}
    found = witnesses.find([worker], target, Client("http://127.0.0.1:9", Transcript()))["w"]
    assert found.reason.startswith("nothing listens at 127.0.0.1:9")
    assert found.reason.endswith('; w = "http://127.0.0.1:9" under [workers] in the target file is not where it is')


def test_tokens_are_not_sent_to_an_address_that_a_platform_merely_announces(place: Place) -> None:
    seen: list[str] = []

    def worker(asked: Asked) -> Answer:
        seen.append(asked.headers.get("Authorization", ""))
        return Answer(200, '{"worker_status": "idle"}')

    with started(*LAG_0) as platform, proxy("http://127.0.0.1:9", worker) as elsewhere:

        def rule(asked: Asked) -> Answer | None:
            if not asked.path.startswith("/api/v1/workers"):
                return None
            workers = json.loads(asked.forward().body)
            return Answer(200, json.dumps([{**w, "endpoint_url": elsewhere} for w in workers]))

        with proxy(platform.url, rule) as url:
            more = BRISK + '[headers]\nAuthorization = "Bearer ${OWN_TOKEN}"\n'
            place.live(url, more=more, OWN_TOKEN="t0ken-of-my-own")
    assert seen and not any(seen)


def test_a_processor_that_begins_to_compute_in_the_last_moments_is_watched_until_it_can_be_told(place: Place) -> None:
    cancelled: list[float] = []

    def awake(asked: Asked) -> Answer | None:
        """The worker of the cancelled backtest uses a core from three seconds after the cancel on."""
        if asked.path != "/metrics" or not cancelled:
            return None
        more_s = max(0.0, time.monotonic() - cancelled[0] - 3.0)
        name = "process_cpu_seconds_total"
        lines = bytes(asked.forward().body).decode().splitlines()
        used = [f"{name} {float(line.split()[1]) + more_s}" if line.startswith(f"{name} ") else line for line in lines]
        return Answer(200, "\n".join(used) + "\n", "text/plain")

    def through_proxies(asked: Asked) -> Answer | None:
        if asked.method == "DELETE" and not cancelled:
            cancelled.append(time.monotonic())
        if not asked.path.startswith("/api/v1/workers"):
            return None
        workers = json.loads(asked.forward().body)
        for worker in workers:
            worker["endpoint_url"] = url_of[worker["worker_id"]]
        return Answer(200, json.dumps(workers))

    with started(*LAG_0) as platform, contextlib.ExitStack() as open_ones:
        names = [f"backtest-worker-{n}" for n in (1, 2)]
        url_of = {
            name: open_ones.enter_context(proxy(f"http://127.0.0.1:{platform.worker_port(name)}", awake))
            for name in names
        }
        url = open_ones.enter_context(proxy(platform.url, through_proxies))
        # The recording would end with the first reading that shows it, which tells nothing yet.
        ran = needs_a_core(place.live(url, more=f"{BRISK}watched_s = 4\n")).failed()
    assert "something computes on, whatever the answers say" in ran.reasons
