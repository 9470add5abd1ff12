"""Restarts a service of KTRDR's: a process of the embedded one, or by a command that the target file names."""

from __future__ import annotations

import shlex
import subprocess
from urllib.parse import urlsplit

from ktrdr_qa.platform.embedded import EmbeddedKtrdr
from ktrdr_qa.platform.witnesses import Witness
from ktrdr_qa.system import of_its_own
from ktrdr_qa.target.settings import Target
from ktrdr_qa.words import plain

BACKEND = "backend"


class NotRestarted(Exception):
    """The restart was asked for and did not work; the text says why."""


class Services:
    """What can be restarted of one target."""

    def __init__(self, target: Target, embedded: EmbeddedKtrdr | None):
        self._target = target
        self._embedded = embedded

    def why_not(self, service: str) -> str:
        """Why ``backend`` or ``worker`` cannot be restarted from here, with the setting to change; or nothing."""
        if self._embedded or getattr(self._target.restart, service):
            return ""
        name = "WORKER" if service == "worker" else "backend"
        return (
            f"the {service} cannot be restarted from here; say how under [restart] in the target file: "
            f'{service} = "docker compose restart {name.replace("WORKER", "{worker}")}"'
        )

    def restart(self, worker: Witness | None) -> None:
        """Restart a worker, or the backend; returns when that was done, which is not when it answers again.

        Ctrl-C waits for the end of a command: a service that was only stopped would be left so. Raises ``NotRestarted``.
        """
        if self._embedded:
            try:
                self._embedded.restart(worker.worker if worker else BACKEND)
            except (OSError, ValueError) as error:
                raise NotRestarted(f"the embedded KTRDR did not restart it: {error}") from error
            return
        command = self._command(worker)
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **of_its_own()
            )
        except OSError as error:
            raise NotRestarted(f"{shlex.join(command)}: {error.strerror or error}") from error
        within_s = self._target.restart.takes_s
        try:
            output, _ = _finished(process, within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise NotRestarted(f"{shlex.join(command)} had not ended after {within_s:g} s") from None
        if process.returncode:
            words = plain(output.decode(errors="replace")).strip().splitlines()
            raise NotRestarted(f"{shlex.join(command)}: exit status {process.returncode}: {' '.join(words[-2:])}")

    def _command(self, worker: Witness | None) -> list[str]:
        if worker is None:
            return shlex.split(self._target.restart.backend)
        # A container announces its own name, under which Compose knows it as well.
        host = urlsplit(worker.endpoint).hostname or ""
        name = worker.worker if host.replace(".", "").isdigit() or host in ("", "localhost") else host
        return [word.replace("{worker}", name) for word in shlex.split(self._target.restart.worker)]


def _finished(process: subprocess.Popen[bytes], within_s: float) -> tuple[bytes, bytes]:
    try:
        return process.communicate(timeout=within_s)
    except KeyboardInterrupt:
        process.communicate(timeout=within_s)
        raise
