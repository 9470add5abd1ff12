"""What Docker Compose says of KTRDR's containers on this host, through its own command (or Podman's in its place)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ktrdr_qa.target.settings import Target, expanded
from ktrdr_qa.words import plain, plain_value

ANSWER_S = 30.0
SANDBOX_FILE = "docker-compose.sandbox.yml"
FOUND_BY_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""What Compose finds by itself, in its own order. With it, and only where no ``-f`` is given, it reads the override
beside it too. KTRDR's sandbox file has another name: KTRDR's own commands name it, and no override goes with it."""
NEEDED = re.compile("backend|api|db|database|postgres|timescale|migrat|backtest", re.IGNORECASE)
"""What the names of the services have in them that a backtest needs."""
_ONE_OFF_NAME = re.compile(r"[-_]run[-_][0-9a-f]+|_tmp\d+")
"""The ends of the names that ``docker compose run`` and podman-compose's give."""


@dataclass(frozen=True)
class Project:
    """A Compose project on this host: where its files are, and the words that name it to the command.

    ``settings``: the sandbox's own ``.env.sandbox``. It holds the project's name and its ports; without it the same
    command would look at, or bring up, another project on the default ports.
    """

    directory: Path
    file: str | None
    project: str | None
    settings: str | None = None

    @property
    def command(self) -> list[str]:
        return [
            "docker",
            "compose",
            *(["--env-file", self.settings] if self.settings else []),
            *(["-f", self.file] if self.file else []),
            *(["-p", self.project] if self.project else []),
        ]


@dataclass(frozen=True)
class Container:
    """One container of a service, as Docker's and Podman's rows agree to tell it; ``state`` is in lower case."""

    service: str
    name: str
    state: str
    health: str = ""
    exit_code: int = 0

    @property
    def needed(self) -> bool:
        """Whether a backtest needs its service, as far as the name tells."""
        return bool(NEEDED.search(self.service))


class ComposeProblem(Exception):
    """Docker or its Compose plug-in cannot be asked; the message says why and how to mend it."""


def project_of(target: Target) -> Project | None:
    """The Compose project that runs the target here, or None where none is named or found."""
    if not target.local or target.embedded_one:
        return None
    checkout = target.checkout_directory
    directory = checkout if checkout and checkout.is_dir() else Path.cwd()
    found = next((name for name in FOUND_BY_COMPOSE if (directory / name).is_file()), None)
    if target.compose.file:
        file = _named_file(target.compose.file, directory)
    elif target.sandbox_file and (directory / SANDBOX_FILE).is_file():
        file = SANDBOX_FILE
    elif checkout and found:
        file = found
    elif target.compose.project:
        file = None
    else:
        return None
    settings = target.sandbox_file
    return Project(
        directory,
        None if file == found else file,
        target.compose.project,
        settings.name if settings else None,
    )


def _named_file(name: str, directory: Path) -> str:
    """The Compose file of a target file: relative to the checkout, else to the working directory."""
    file = expanded(name)
    elsewhere = not (directory / file).is_file() and file.is_file()
    return str(file.absolute() if elsewhere else file)


def run(project: Project, *words: str) -> str:
    """The output of ``docker compose WORDS``. Raises ``ComposeProblem`` where it cannot be had."""
    command = [*project.command, *words]
    try:
        done = subprocess.run(command, cwd=project.directory, capture_output=True, timeout=ANSWER_S, check=False)
    except FileNotFoundError as error:
        raise ComposeProblem("there is no docker command here; install Docker, or start it in its VM") from error
    except subprocess.TimeoutExpired as error:
        raise ComposeProblem(f"docker did not answer within {ANSWER_S:.0f} s") from error
    output, errors = (plain(stream.decode(errors="replace")) for stream in (done.stdout, done.stderr))
    if done.returncode:
        lines = (errors or output).strip().splitlines()
        told = lines[-1] if lines else f"exit status {done.returncode}"
        raise ComposeProblem(_refusal(errors.lower(), told) or f"{' '.join(command)}: {told}")
    return output


def _refusal(said: str, told: str) -> str:
    """Where no container can be asked at all: why, and how that is mended; nothing where it is another mistake."""

    def speaks_of(*words: str) -> bool:
        return any(word in said for word in words)

    if speaks_of("permission denied", "access is denied") and speaks_of("sock", "daemon", "pipe/"):
        return (
            f"this user may not talk to Docker: {told}; "
            "have it added to the group docker (sudo usermod -aG docker $USER), then log in again"
        )
    if speaks_of(
        "cannot connect to the docker daemon",
        "is the docker daemon running",
        "error during connect",
        "connect to podman",
        "docker desktop is not running",
    ):
        return f"the Docker daemon does not run: {told}; start Docker (docker info tells whether it runs)"
    if speaks_of("'compose' is not a docker command", "unknown command: docker compose") or re.search(
        "unknown (shorthand )?flag: ('[fp]' in|--env-file|--project)", said
    ):
        return (
            f"docker has no Compose plug-in here: {told}; install it (docker compose version tells whether it is there)"
        )
    return ""


def containers(project: Project) -> list[Container]:
    """Every container of the project's services, running or not, without what ``docker compose run`` left behind.

    The command answers with a JSON list in older Compose and in Podman, with an object a line in newer Compose.
    """
    try:
        text = run(project, "ps", "--all", "--format", "json").strip()
    except ComposeProblem as problem:
        if "unrecognized arguments: --all" not in str(problem):
            raise
        text = run(project, "ps", "--format", "json").strip()  # podman-compose always lists all
    try:
        if text.startswith("["):
            found = json.loads(text)
        else:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise ComposeProblem(f"docker compose ps answered no JSON: {text[:80]!r}") from error
    rows = [plain_value(row) for row in found if isinstance(row, dict)]
    return [_container(row) for row in rows if not (row.get("IsInfra") or _is_one_off(row))]


def _container(row: Mapping[str, Any]) -> Container:
    labels, name = _labels(row), _name(row)
    status = str(row.get("Status") or "")  # such as "Up 3 minutes (healthy)" or "Exited (137) 2 minutes ago"
    state = str(row.get("State") or ("running" if status.startswith("Up") else status.split(" ")[0])).lower()
    of_status = re.search(r"\((?:health: )?(\w+)\)", status)
    health = row.get("Health") or (of_status[1] if of_status and status.startswith("Up") else "")
    exit_code = row.get("ExitCode")
    if exit_code is None and of_status and of_status[1].isdigit():
        exit_code = int(of_status[1])
    service = row.get("Service") or next((v for k, v in labels.items() if k.endswith(".compose.service")), "") or name
    return Container(str(service), name, state, str(health), exit_code if isinstance(exit_code, int) else 0)


def _is_one_off(row: Mapping[str, Any]) -> bool:
    told = _labels(row).get("com.docker.compose.oneoff")
    # Compose before 2.20 tells no labels, and podman-compose no such one.
    return told.lower() == "true" if told else bool(_ONE_OFF_NAME.search(_name(row)))


def _labels(row: Mapping[str, Any]) -> dict[str, str]:
    """As Podman tells them, or in one text with commas, as Docker does."""
    given = row.get("Labels") or {}
    if isinstance(given, Mapping):
        return {str(k): str(v) for k, v in given.items()}
    return {k: v for k, _, v in (pair.partition("=") for pair in str(given).split(","))}


def _name(row: Mapping[str, Any]) -> str:
    given = row.get("Name") or row.get("Names") or "a container"
    return str(given[0] if isinstance(given, list) else given)


def what_is_wrong(container: Container) -> str:
    """Why a container is not fine, or nothing. One that ended with status 0 has done its work (a migration)."""
    service, state = container.service, container.state
    if state == "running":
        return f"{service} is running but unhealthy" if container.health == "unhealthy" else ""
    if state in ("exited", "stopped"):
        serves = container.needed and "migrat" not in service.lower()
        done = container.exit_code == 0 and not serves
        return "" if done else f"{service} has exited with status {container.exit_code}"
    if state == "restarting":
        return f"{service} keeps restarting"
    return f"{service} is {state or 'in no known state'}"


def logs(project: Project, lines: int = 60) -> str:
    """The last log lines of the project, for the evidence of a failure; empty where they cannot be had."""
    try:
        return run(project, "logs", "--no-color", "--tail", str(lines))
    except ComposeProblem:
        return ""


def logs_around(project: Project, at_epoch_s: float, within_s: float = 2.0, lines: int = 80) -> str:
    """The project's log lines around a moment of this host's clock; empty where they cannot be had."""
    since, until = (f"{at_epoch_s + way * within_s:.3f}" for way in (-1, 1))
    try:
        found = run(project, "logs", "--no-color", "--timestamps", "--since", since, "--until", until)
    except ComposeProblem:
        return ""
    return "\n".join(found.splitlines()[:lines])
