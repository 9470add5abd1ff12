"""What Docker Compose says of KTRDR's containers on this host, through its own command."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ktrdr_qa.target import Target
from ktrdr_qa.words import plain, plain_value

ANSWER_S = 30.0


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


class ComposeProblem(Exception):
    """Docker or its Compose plug-in cannot be asked; the message says why and how to mend it."""


def project_of(target: Target) -> Project | None:
    """The Compose project that runs the target here, or None where none is named or found."""
    directory = target.checkout_directory
    if not target.local or target.embedded_one:
        return None
    file = target.compose.file
    if file is None and directory and directory.is_dir():
        names = ["docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"]
        if target.sandbox_file:
            names.insert(0, "docker-compose.sandbox.yml")
        file = next((name for name in names if (directory / name).is_file()), None)
    if file is None and target.compose.project is None:
        return None
    settings = target.sandbox_file
    return Project(
        directory if directory and directory.is_dir() else Path.cwd(),
        file,
        target.compose.project,
        settings.name if settings else None,
    )


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
        words_told = (errors or output).strip().splitlines()
        told = words_told[-1] if words_told else f"exit status {done.returncode}"
        if "daemon" in errors.lower():
            raise ComposeProblem(f"the Docker daemon does not run: {told}; start Docker")
        raise ComposeProblem(f"{' '.join(command)}: {told}")
    return output


def containers(project: Project) -> list[dict[str, Any]]:
    """Every container of the project, running or not: a JSON list in older Compose, an object a line in newer."""
    text = run(project, "ps", "--all", "--format", "json").strip()
    try:
        if text.startswith("["):
            found = json.loads(text)
        else:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise ComposeProblem(f"docker compose ps answered no JSON: {text[:80]!r}") from error
    return [plain_value(c) for c in found if isinstance(c, dict)]


def what_is_wrong(container: dict[str, Any]) -> str:
    """Why a container is not fine, or nothing. One that ended with status 0 has done its work (a migration)."""
    name = container.get("Service") or container.get("Name") or "a container"
    state = str(container.get("State") or "").lower()
    if state == "running":
        return f"{name} is running but unhealthy" if container.get("Health") == "unhealthy" else ""
    if state == "exited":
        return f"{name} has exited with status {container.get('ExitCode')}" if container.get("ExitCode") else ""
    if state == "restarting":
        return f"{name} keeps restarting"
    return f"{name} is {state or 'in no known state'}"


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
