"""Whether KTRDR itself runs: its services, its sandbox settings, its health."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from ktrdr_qa.act.checks import advice
from ktrdr_qa.act.checks.result import Cure, Result
from ktrdr_qa.platform import compose
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import TransportError
from ktrdr_qa.target.choosing import sandbox_files, sandbox_settings
from ktrdr_qa.target.settings import Target


class Services:
    """``dead_processes`` asks the launcher of the embedded KTRDR; ``version`` is known once KTRDR was healthy."""

    def __init__(self, target: Target, client: Client, dead_processes: Callable[[], list[str]] | None):
        self.version = ""
        self._target = target
        self._client = client
        self._dead_processes = dead_processes

    def running(self) -> Result:
        name = "Services running"
        if self._dead_processes:
            dead = self._dead_processes()
            if dead:
                return Result(name, "failed", f"the embedded KTRDR has lost {', '.join(dead)}", advice="run again")
            return Result(name, "ok", "backend and workers of the embedded KTRDR run")
        project = compose.project_of(self._target)
        if project is None:
            checkout = self._target.checkout_directory
            nothing = f"there is no Compose file in {checkout}" if checkout else "no checkout or Compose file is named"
            why = nothing if self._target.local else "it is on another host"
            return Result(name, "not checked", f"containers cannot be seen from here: {why}")
        recreate = Cure(((*project.command, "up", "-d", "--force-recreate"),), 15.0, 2, project.directory)
        try:
            found = compose.containers(project)
        except compose.ComposeProblem as problem:
            return self._without_containers(Result(name, "failed", str(problem)))
        if not found:
            return self._without_containers(Result(name, "failed", "the Compose project has no containers", recreate))
        wrong = {c: w for c in found if (w := compose.what_is_wrong(c))}
        if any(c.needed for c in wrong):
            told = (w if c.needed else f"{w} (by its name no backtest needs it)" for c, w in wrong.items())
            return Result(name, "failed", "; ".join(told), recreate)
        if wrong:
            return self._only_the_catalogue_minds(project, wrong)
        return Result(name, "ok", f"{len(found)} containers run")

    def _only_the_catalogue_minds(self, project: compose.Project, wrong: dict[compose.Container, str]) -> Result:
        """Sick containers that no backtest needs: a failure all the same, but the others are not to be recreated."""
        services = list(dict.fromkeys(c.service for c in wrong))
        them = "it" if len(services) == 1 else "them"
        remove = shlex.join([*project.command, "rm", "--stop", "--force", *services])
        return Result(
            "Services running",
            "failed",
            f"{'; '.join(wrong.values())}; by {'its name' if them == 'it' else 'their names'} no backtest needs {them} "
            "(that takes the backend, the database and the backtest workers); this fails only because KTRDR's "
            "catalogue wants every container to run",
            Cure(((*project.command, "up", "-d", "--force-recreate", *services),), 15.0, 2, project.directory),
            f"or take {them} out of the project: {remove}",
        )

    def _without_containers(self, failed: Result) -> Result:
        """A checkout has a Compose file even where KTRDR runs as a host service: then Docker has no say in it."""
        named = self._target.compose.file or self._target.compose.project
        if named or self.health().state == "failed":
            return failed
        return Result(
            failed.name,
            "not checked",
            f"{failed.seen}; but KTRDR answers at {self._target.base_url}, so it may run as a host service "
            "(name its Compose file or project under [compose] in the target file to have its containers checked)",
        )

    def sandbox(self) -> Result:
        name = "Sandbox settings"
        if self._target.embedded_one:
            return Result(name, "ok", "none: the embedded KTRDR chooses its own port")
        file = self._target.sandbox_file or next(iter(sandbox_files(Path.cwd(), self._target)), None)
        if file is None:
            return Result(
                name, "ok", f"there is no .env.sandbox; {self._target.base_url} was chosen by {self._target.chosen_by}"
            )
        named = sandbox_settings(file).get("KTRDR_API_PORT")
        used = urlsplit(self._target.base_url or "").port
        chosen_by = self._target.chosen_by
        if not named:
            return Result(
                name, "ok", f"{file} names no KTRDR_API_PORT; {self._target.base_url} was chosen by {chosen_by}"
            )
        if str(used) == named:
            return Result(name, "ok", f"{file} names the port in use")
        if "KTRDR_API_PORT" in chosen_by:
            from_environment = chosen_by.endswith("in the environment")
            return Result(
                name,
                "failed",
                f"{file} says KTRDR_API_PORT={named}, but this run talks to port {used} ({chosen_by})",
                advice=f"read it again: export KTRDR_API_PORT={named}, or unset KTRDR_API_PORT"
                if from_environment
                else "let both name one port, or choose with -D target=NAME",
            )
        return Result(
            name, "ok", f"{file} names port {named}; {self._target.base_url} was chosen by {self._target.chosen_by}"
        )

    def health(self) -> Result:
        name = "API health"
        project = compose.project_of(self._target)
        cure = Cure(((*project.command, "up", "-d", "backend"),), 10.0, 2, project.directory) if project else None
        try:
            answer = self._client.get("/api/v1/health", purpose="API health", tries=3)
            said = answer.need("$.status")
        except TransportError as error:
            told, startable = advice.on(error, self._target)
            return Result(name, "failed", str(error), cure if startable else None, told)
        if str(said).lower() not in ("ok", "healthy", "up"):
            return Result(name, "failed", f'the API says of itself: status "{said}"', cure, advice.unwell(self._target))
        self.version = str(answer.find("$.version", "not told"))
        return Result(name, "ok", f'status "{said}", version {self.version}')
