"""Who besides the backend can say whether a worker has stopped, and from where they can be reached.

A worker is reached under the address that the target file gives it, else the one it announced, else, since
a container's name means nothing outside Docker, its port on the platform's own host (contract, surprise 16).
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ktrdr_qa.platform import compose, readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import TransportError, shortened
from ktrdr_qa.target.choosing import sandbox_settings
from ktrdr_qa.target.settings import Target
from ktrdr_qa.words import plain

PROBE_S = 1.0
"""How long a worker may take to answer a first question before it counts as out of reach from here."""
DOCKER_S = 10.0
FIRST_WORKER_PORT = 5003
FORWARDERS = ("docker", "com.docker", "rootlesskit", "ssh")
"""Processes that listen for somebody else, by the beginning of their names: their processor time tells nothing."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")

Processor = tuple[Callable[[], Iterator[readings.Reading]] | None, str, str]
"""What reads a worker's processor time, or None; where from, or why not; and the line for a shell that reads it again."""


@dataclass(frozen=True)
class Witness:
    """One worker as seen from here; ``address`` and ``processor`` are None where ``reason`` and advice say why.

    ``endpoint`` is the address that it announces to KTRDR: a worker is its address, whatever id it registers under.
    """

    worker: str
    address: str | None
    dead: bool
    reason: str
    processor: Callable[[], Iterator[readings.Reading]] | None
    processor_source: str
    endpoint: str = ""
    processor_again: str = ""
    """The line for a shell that reads its processor time once more."""


def witness_of(registered: Mapping[str, Any], witnesses: Mapping[str, Witness]) -> Witness | None:
    """The witness that is this registered worker: the one at its address; by the id where an address is not told."""
    address = readings.endpoint(registered)
    by_id = witnesses.get(str(registered.get("worker_id")))
    if by_id and (not address or not by_id.endpoint or by_id.endpoint == address):
        return by_id
    return next((witness for witness in witnesses.values() if address and witness.endpoint == address), None)


def find(workers: Iterable[dict[str, Any]], target: Target, client: Client) -> dict[str, Witness]:
    """Try to reach each worker, all at once; never takes much longer than two probes."""
    listed = list(workers)
    if not listed:
        return {}
    with ThreadPoolExecutor(max_workers=min(8, len(listed))) as pool:
        found = pool.map(lambda worker: _reach(worker, target, client), listed)
        return {witness.worker: witness for witness in found}


def _reach(worker: dict[str, Any], target: Target, client: Client) -> Witness:
    name = worker["worker_id"]
    told = str(worker.get("endpoint_url") or "")
    announced = told if _is_address(told) else ""
    endpoint = readings.endpoint(worker) if announced else ""
    reasons = []
    refused = False
    for address in _addresses(name, announced, target):
        # Headers such as tokens are meant for the platform's own address only.
        speaker = client.clone(address, trusted=address in target.workers.values())
        try:
            speaker.get("/health", purpose="probe", timeout_s=PROBE_S, tries=3)
        except TransportError as error:
            reasons.append(error.exchange.problem or str(error))
            local = urlsplit(address).hostname in LOOPBACK
            refused = refused or (local and error.exchange.problem_kind == "refused" and address == announced)
            continue
        finally:
            speaker.close()
        asked = client.clone(address, trusted=address in target.workers.values())
        processor, source, line = _processor(name, address, announced, asked, target)
        return Witness(name, address, False, "", processor, source, endpoint, line)
    nowhere = f"it announces {shortened(repr(told))}, which is no address" if told else "it announces no address"
    reason = "; ".join(dict.fromkeys(reasons)) or nowhere
    processor, source, line = _container_processor(name, announced, target)
    if known_as := _known_as(name, announced, target):
        advice = f'{known_as} = "{target.workers[known_as]}" under [workers] in the target file is not where it is'
    else:
        advice = f'say where it is with {name} = "http://HOST:PORT" under [workers] in the target file'
    return Witness(name, None, refused, f"{reason}; {advice}", processor, source, endpoint, line)


def _is_address(told: str) -> bool:
    try:
        return bool(urlsplit(told).hostname) and urlsplit(told).port != 0
    except ValueError:
        return False


def _known_as(name: str, announced: str, target: Target) -> str | None:
    """Under which name the target file has a worker: ids may be made up anew, the host name that it announces stays."""
    return next((n for n in (name, urlsplit(announced).hostname) if n in target.workers), None)


def _addresses(name: str, announced: str, target: Target) -> list[str]:
    here, there = urlsplit(target.base_url or ""), urlsplit(announced)
    if known_as := _known_as(name, announced, target):
        return [target.workers[known_as]]
    # "localhost" in the mouth of a platform on another host is not this host.
    reachable = there.hostname and (target.local or there.hostname not in LOOPBACK)
    addresses = [announced.rstrip("/")] if reachable else []
    if there.port and here.hostname and here.hostname != there.hostname:
        addresses.append(f"{here.scheme}://{here.hostname}:{_published(there.port, target)}")
    return addresses


def _published(port: int, target: Target) -> int:
    """The port of this host under which a container's is published: ``.env.sandbox`` may name another one.

    KTRDR numbers them: ``KTRDR_WORKER_PORT_1`` is for the container's 5003, ``_2`` for 5004, and so on.
    """
    if not (target.local and target.sandbox_file):
        return port
    named = sandbox_settings(target.sandbox_file).get(f"KTRDR_WORKER_PORT_{port - FIRST_WORKER_PORT + 1}", "")
    return int(named) if named.isascii() and named.isdigit() else port


def _processor(name: str, address: str, announced: str, client: Client, target: Target) -> Processor:
    """The worker's processor time: its metrics, else the process that listens there on this host, else its container."""
    try:
        list(readings.processor(client, name, tries=3))
        return lambda: readings.processor(client, name), "its metrics", f"curl -s {address}/metrics"
    except (TransportError, ValueError) as error:
        why = str(error)
    host, port = urlsplit(address).hostname, urlsplit(address).port
    if (
        host in LOOPBACK
        and port
        and (process := _process_at(port))
        and process != _process_at(urlsplit(target.base_url or "").port)
    ):
        return lambda: _of_process(process, name), "its process on this host", f"ps -o pid,time,args -p {process.pid}"
    in_container = _container_processor(name, announced, target)
    return in_container if in_container[0] else (None, f"{why}; let the worker's /metrics be reached from here", "")


def _process_at(port: int | None) -> Any:
    import psutil

    try:
        listening = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        pid = next((c.pid for c in listening if c.laddr and c.laddr.port == port and c.pid), None)
        process = psutil.Process(pid) if pid else None
        return None if process and process.name().startswith(FORWARDERS) else process
    except psutil.Error:
        return None


def _of_process(process: Any, name: str) -> Iterator[readings.Reading]:
    times = process.cpu_times()
    yield readings.Reading(name, cpu_s=times.user + times.system)


def _container_processor(name: str, announced: str, target: Target) -> Processor:
    """A container's processor time off its control group, where Docker runs on this host."""
    container = urlsplit(announced).hostname
    if not (target.local and container and not container.replace(".", "").isdigit() and container != "localhost"):
        return None, "no metrics, and no process or container of it on this host", ""

    reasons = []
    for called in _names_of_container(container, target):
        try:
            list(_of_container(called, name))
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            reasons.append(str(error))
            continue
        read = partial(_of_container, called, name)
        return read, f"the control group of its container {called}", shlex.join(_asks_container(called))
    return None, f"no metrics, and its container cannot be asked: {'; '.join(reasons)}", ""


def _names_of_container(announced: str, target: Target) -> list[str]:
    """The name that a worker announced, and what Compose calls the container of the service of that name."""
    names = [announced]
    if project := compose.project_of(target):
        try:
            found = compose.containers(project)
        except compose.ComposeProblem:
            found = []
        names += [container.name for container in found if container.service == announced]
    return list(dict.fromkeys(names))


def _asks_container(container: str) -> list[str]:
    return ["docker", "exec", container, "cat", "/sys/fs/cgroup/cpu.stat"]


def _of_container(container: str, name: str) -> Iterator[readings.Reading]:
    done = subprocess.run(_asks_container(container), capture_output=True, timeout=DOCKER_S, check=False)
    output, errors = (plain(stream.decode(errors="replace")).strip() for stream in (done.stdout, done.stderr))
    for line in output.splitlines():
        if line.startswith("usage_usec"):
            yield readings.Reading(name, cpu_s=int(line.split()[1]) / 1e6)
            return
    raise ValueError(f"docker exec {container}: {errors or 'no usage_usec'}")
