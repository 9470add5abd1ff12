"""The preflight checks of KTRDR's own catalogue, each with its cure.

A check is ``ok``, ``failed`` or ``not checked``; the last is what cannot be seen from here, and is never
reported as fine. A failed check makes the run inconclusive: it says nothing about cancellation.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from honest_behave.outcomes import PlatformNotReady
from ktrdr_qa.act.experiment import Candidate, failure
from ktrdr_qa.platform import compose, readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange, Refused, TransportError
from ktrdr_qa.platform.witnesses import Witness, find, witness_of
from ktrdr_qa.target.choosing import sandbox_files, sandbox_settings
from ktrdr_qa.target.settings import Target, expanded
from ktrdr_qa.words import plain

State = Literal["ok", "failed", "not checked"]

CLOSED_DAYS = timedelta(days=5)
"""Markets close at weekends and holidays: data may begin this much later, or end this much earlier, than asked."""
LOOK_AGAIN_S = 0.1


@dataclass(frozen=True)
class Cure:
    """Commands of the catalogue that mend a failed check, how long to wait for it, and how often to try."""

    commands: tuple[tuple[str, ...], ...]
    wait_s: float
    tries: int
    directory: Path | None = None

    def __str__(self) -> str:
        where = f"cd {shlex.quote(str(self.directory))} && " if self.directory else ""
        return where + " && ".join(shlex.join(c) for c in self.commands)


@dataclass(frozen=True)
class Result:
    """What a check found. ``advice`` is for what no command can mend."""

    name: str
    state: State
    seen: str
    cure: Cure | None = None
    advice: str = ""


Ask = Callable[[], Result]


class Preflight:
    """Runs the checks against one target and keeps their results for the report.

    ``dead_processes`` asks the launcher of the embedded KTRDR; ``home`` is where its files are. ``mine`` names the
    backtests of this run that have ended: where they are what keeps every place taken, ``kept_places`` tells which
    worker's, and that is KTRDR's doing.
    """

    def __init__(
        self,
        target: Target,
        client: Client,
        *,
        cure: bool = False,
        home: Path | None = None,
        dead_processes: Callable[[], list[str]] | None = None,
        mine: Callable[[], Collection[str]] | None = None,
        say: Callable[[str], None] = print,
    ):
        self.target = target
        self.results: dict[str, Result] = {}
        self.witnesses: dict[str, Witness] = {}
        self.unusable: dict[Candidate, str] = {}
        self.kept_places: dict[str, str] = {}
        self.mine = mine
        self.version = ""
        self._client = client
        self._cure = cure
        self._files = home or target.checkout_directory
        self._dead_processes = dead_processes
        self._say = say
        self._data: dict[Candidate, str] = {}
        self._models: dict[Candidate, str] = {}

    # --- the checks ----------------------------------------------------------------------------------------

    def services(self) -> Result:
        """The catalogue's "every Compose container running"; without Compose, what launched the platform says."""
        return self._require("Services running", self._ask_services)

    def sandbox(self) -> Result:
        """The catalogue's sandbox settings: the port that ``.env.sandbox`` names is the one in use."""
        return self._require("Sandbox settings", self._ask_sandbox)

    def api_health(self) -> Result:
        """The catalogue's API health: HTTP 200, and it says that all is well."""
        return self._require("API health", self._ask_health)

    def model(self, candidates: Sequence[Candidate]) -> Result:
        return self._require("Model", lambda: self._ask_model(candidates))

    def strategy(self, candidates: Sequence[Candidate]) -> Result:
        return self._require("Strategy", lambda: self._ask_strategy(candidates))

    def data(self, candidates: Sequence[Candidate]) -> Result:
        return self._require("Price data", lambda: self._ask_data(candidates))

    def workers(self, settle_s: float) -> Result:
        """At least one backtest worker is registered and alive, and one is free within ``settle_s`` seconds."""
        return self._require("Backtest workers", lambda: self._ask_workers(settle_s))

    def forget(self) -> None:
        """Check everything afresh from here on."""
        self.results.clear()

    def still_healthy(self) -> None:
        """The API's health once more, after the flow: a platform that fell over is KTRDR's failure."""
        result = self._ask_health()
        if result.state == "failed":
            raise failure("KTRDR is still healthy after all this", result.seen)

    def _require(self, name: str, ask: Ask) -> Result:
        """The result of a check, cured where that is allowed and helps.

        Raises ``PlatformNotReady`` with the cure where it failed.
        """
        if name in self.results:
            return self.results[name]
        result = ask()
        if result.state == "failed" and self._cure and result.cure:
            result = self._apply(result, result.cure, ask)
        self.results[name] = result
        if result.state == "failed":
            lines = [f"{name}: {result.seen}"]
            if result.cure:
                lines.append(f"    cure: {result.cure}")
            if result.advice:
                lines.append(f"  advice: {result.advice}")
            raise PlatformNotReady("\n".join(lines))
        return result

    def _apply(self, result: Result, cure: Cure, ask: Ask) -> Result:
        for attempt in range(1, cure.tries + 1):
            self._say(f"cure {attempt} of {cure.tries} for {result.name} ({result.seen}): {cure}")
            for command in cure.commands:
                try:
                    done = subprocess.run(command, cwd=cure.directory, capture_output=True, timeout=120, check=False)
                except (OSError, subprocess.TimeoutExpired) as error:
                    self._say(f"  {shlex.join(command)}: {error}")
                    return result
                if done.returncode:
                    self._say(
                        f"  {shlex.join(command)}: {plain(done.stderr.decode(errors='replace')).strip() or done.returncode}"
                    )
            deadline_s = time.monotonic() + cure.wait_s
            while True:
                result = ask()
                if result.state != "failed":
                    self._say(f"  {result.name} is {result.state} now: {result.seen}")
                    return result
                if time.monotonic() >= deadline_s:
                    break
                time.sleep(LOOK_AGAIN_S)
        self._say(f"  {result.name} is not cured: {result.seen}")
        return result

    # --- common --------------------------------------------------------------------------------------------

    def _ask_services(self) -> Result:
        name = "Services running"
        if self._dead_processes:
            dead = self._dead_processes()
            if dead:
                return Result(name, "failed", f"the embedded KTRDR has lost {', '.join(dead)}", advice="run again")
            return Result(name, "ok", "backend and workers of the embedded KTRDR run")
        project = compose.project_of(self.target)
        if project is None:
            checkout = self.target.checkout_directory
            nothing = f"there is no Compose file in {checkout}" if checkout else "no checkout or Compose file is named"
            why = nothing if self.target.local else "it is on another host"
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
        named = self.target.compose.file or self.target.compose.project
        if named or self._ask_health().state == "failed":
            return failed
        return Result(
            failed.name,
            "not checked",
            f"{failed.seen}; but KTRDR answers at {self.target.base_url}, so it may run as a host service "
            "(name its Compose file or project under [compose] in the target file to have its containers checked)",
        )

    def _ask_sandbox(self) -> Result:
        name = "Sandbox settings"
        if self.target.embedded_one:
            return Result(name, "ok", "none: the embedded KTRDR chooses its own port")
        file = self.target.sandbox_file or next(iter(sandbox_files(Path.cwd(), self.target)), None)
        if file is None:
            return Result(
                name, "ok", f"there is no .env.sandbox; {self.target.base_url} was chosen by {self.target.chosen_by}"
            )
        named = sandbox_settings(file).get("KTRDR_API_PORT")
        used = urlsplit(self.target.base_url or "").port
        chosen_by = self.target.chosen_by
        if not named:
            return Result(
                name, "ok", f"{file} names no KTRDR_API_PORT; {self.target.base_url} was chosen by {chosen_by}"
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
            name, "ok", f"{file} names port {named}; {self.target.base_url} was chosen by {self.target.chosen_by}"
        )

    def _ask_health(self) -> Result:
        name = "API health"
        project = compose.project_of(self.target)
        cure = Cure(((*project.command, "up", "-d", "backend"),), 10.0, 2, project.directory) if project else None
        try:
            answer = self._client.get("/api/v1/health", purpose="API health", tries=3)
            said = answer.need("$.status")
        except TransportError as error:
            advice, startable = self._advice_on(error)
            return Result(name, "failed", str(error), cure if startable else None, advice)
        if str(said).lower() not in ("ok", "healthy", "up"):
            return Result(name, "failed", f'the API says of itself: status "{said}"', cure, self._unwell())
        self.version = str(answer.find("$.version", "not told"))
        return Result(name, "ok", f'status "{said}", version {self.version}')

    def _advice_on(self, error: TransportError) -> tuple[str, bool]:
        """What mends a request that failed, and whether starting KTRDR's backend may; no advice where it says so itself."""
        exchange = error.exchange
        kind, status = exchange.problem_kind, exchange.status or 0
        where = f"KTRDR_API_URL or KTRDR_API_PORT, or -D target=NAME (chosen by: {self.target.chosen_by})"
        if self.target.embedded_one:
            return "run again; the log of the embedded KTRDR is in the report", False
        if kind == "refused":
            return f"start KTRDR, or say where it is: {where}", True
        if kind == "timeout":
            longer = "give it longer with answer_s under [limits] in the target file"
            return f"something listens there, but does not answer: look at KTRDR's log, or {longer}", True
        if kind in ("closed", "half"):
            return "something listens there, but closes the connection: look at KTRDR's log", True
        if kind in ("certificate", "tls", "proxy") or status in (401, 403) or 300 <= status < 400:
            return "", False
        if status == 429:
            return "wait, or have the limit raised for this suite", False
        if status in (502, 504) or (status == 503 and exchange.answer is None):
            return "start KTRDR behind that proxy", True
        if status == 503:
            return f"it may be starting: wait; else {self._log_to_look_at()}", True
        if status >= 500:
            return self._unwell(), True
        if kind in ("unknown host", "unreachable", "other"):
            return f"say where KTRDR is: {where}", False
        return f"what answers there is no KTRDR API: say where KTRDR is: {where}", False

    def _unwell(self) -> str:
        return f"KTRDR runs, but is not well: {self._log_to_look_at()}"

    def _log_to_look_at(self) -> str:
        project = compose.project_of(self.target)
        command = shlex.join([*project.command, "logs", "--tail", "50", "backend"]) if project else ""
        return f"look at its log{f' ({command})' if command else ''}"

    # --- backtest ------------------------------------------------------------------------------------------

    def _ask_model(self, candidates: Sequence[Candidate]) -> Result:
        """On this host the files decide; the API's list may have empty names, so absence there proves nothing."""
        name = "Model"
        if self._files is None or not self._files.is_dir():
            return Result(
                name,
                "not checked",
                "no checkout is named, and the API does not tell a model's path; the start of the backtest will show it",
            )
        roots = self._roots()
        missing: dict[Candidate, str] = {}
        for candidate in candidates:
            forms = (candidate, candidate.in_the_other_form())
            if not any((root / c.model).exists() for root in roots for c in forms):
                missing[candidate] = f"no model {candidate.model} under {_either(roots)}"
        self._models = missing
        if len(missing) < len(candidates):
            found = _named(c.model for c in candidates if c not in missing)
            return Result(name, "ok", f"found under {_either(roots)}: {found}")
        there = sorted(str(p.parent.relative_to(r)) for r in roots for p in r.glob("models/*/*/*") if p.is_file())
        listed = ", ".join(dict.fromkeys(there)) or "none"
        sections = " and ".join(dict.fromkeys(f"[backtests.{c.timeframe}]" for c in candidates))
        return Result(
            name,
            "failed",
            f"{_named(c.model for c in candidates)}: not under {_either(roots)}",
            advice=f"models that exist there: {listed}; set model under {sections} in the target file, or train one",
        )

    def _roots(self) -> list[Path]:
        """Where this platform may keep ``models/`` and ``data/``: the checkout, else what a sandbox mounts instead."""
        assert self._files
        if self.target.embedded_one or not self.target.local:
            return [self._files]
        named = sandbox_settings(self.target.sandbox_file) if self.target.sandbox_file else {}
        shared = [expanded(named[key]).parent for key in ("KTRDR_MODELS_DIR", "KTRDR_DATA_DIR") if named.get(key)]
        return list(dict.fromkeys([self._files, *shared, self.target.shared_directory]))

    def _ask_strategy(self, candidates: Sequence[Candidate]) -> Result:
        name = "Strategy"
        seen: dict[str, Result] = {}
        for strategy in dict.fromkeys(c.strategy for c in candidates if c not in self._models):
            result = self._ask_one_strategy(name, strategy)
            if result.state == "ok":
                return result
            seen[strategy] = result
        return next(iter(seen.values()), Result(name, "not checked", "no backtest to use it with"))

    def _ask_one_strategy(self, name: str, strategy: str) -> Result:
        try:
            answer = self._client.post(f"/api/v1/strategies/validate/{strategy}", purpose="strategy")
            if answer.find("$.valid") is True:
                return Result(name, "ok", f"KTRDR calls {strategy} valid")
            if answer.find("$.valid") is False:
                return Result(
                    name,
                    "failed",
                    f"KTRDR calls {strategy} invalid: {answer.find('$.issues') or 'no reason given'}",
                    advice=f"mend the strategy {strategy}",
                )
            told = "the answer does not say whether it is valid"
        except Refused as refused:
            if refused.status == 404 and strategy in refused.exchange.answer_text:
                return self._strategy_file(name, strategy, str(refused), "failed")
            told = str(refused)
        except TransportError as error:
            told = str(error)
        return self._strategy_file(name, strategy, told, "not checked")

    def _strategy_file(self, name: str, strategy: str, told: str, otherwise: State) -> Result:
        """Where the API does not find or tell: the shared directory, and its cure, the copy in the checkout."""
        file_name = f"{strategy}.yaml"
        if not (self.target.embedded_one or self.target.local) or self._files is None:
            return Result(name, otherwise, told, advice=f"put {file_name} where KTRDR looks for strategies")
        shared = self._files if self.target.embedded_one else self.target.shared_directory
        named = sandbox_settings(self.target.sandbox_file) if self.target.sandbox_file else {}
        mounted = (
            expanded(named["KTRDR_STRATEGIES_DIR"]) if named.get("KTRDR_STRATEGIES_DIR") else shared / "strategies"
        )
        shared_file, original = mounted / file_name, self._files / "strategies" / file_name
        if shared_file.is_file() and otherwise != "failed":
            return Result(name, "ok", f"{shared_file} is there")
        if original.is_file() and original != shared_file and not shared_file.is_file():
            copy = Cure((("mkdir", "-p", str(shared_file.parent)), ("cp", str(original), str(shared_file))), 2.0, 1)
            return Result(name, "failed", f"{shared_file} is missing", copy)
        return Result(
            name,
            "failed",
            f"{told}; looked for {shared_file}",
            advice=f"set strategy in the target file, or put {file_name} there",
        )

    def _ask_data(self, candidates: Sequence[Candidate]) -> Result:
        name = "Price data"
        self._data = {}
        unseen = []
        ranges: dict[tuple[str, str], Exchange | str | None] = {}
        for candidate in candidates:
            key = (candidate.symbol, candidate.timeframe)
            if key not in ranges:
                ranges[key] = self._range(*key)
            answer = ranges[key]
            if isinstance(answer, str):
                self._data[candidate] = answer
            elif answer is None:
                unseen.append(candidate)
            elif gap := _not_covered(answer, candidate):
                self._data[candidate] = gap
        self.unusable = {
            c: self._data.get(c) or self._models[c] for c in candidates if c in self._data or c in self._models
        }
        usable = [c for c in candidates if c not in self.unusable]
        if not usable:
            reasons = "; ".join(dict.fromkeys(self.unusable.values()))
            return Result(
                name,
                "failed",
                f"no backtest in the table has its data: {reasons}",
                advice="load the data into KTRDR, or change the symbol or the dates in the feature's table",
            )
        if all(c in unseen for c in usable):
            return Result(name, "not checked", "this KTRDR does not tell the range of its data; the start will show it")
        return Result(
            name,
            "ok",
            f"{len(usable)} of {len(candidates)} backtests in the table have their data, the first: {usable[0]}",
        )

    def _range(self, symbol: str, timeframe: str) -> Exchange | str | None:
        """The answer with the range, why there is none, or None where this KTRDR cannot be asked."""
        try:
            return self._client.post(
                "/api/v1/data/range", {"symbol": symbol, "timeframe": timeframe}, purpose="price data"
            )
        except Refused as refused:
            if refused.status == 404 and symbol in refused.exchange.answer_text:
                return f"no data for {symbol} {timeframe}"
        except TransportError:
            pass
        if self._files and self._files.is_dir() and (self.target.local or self.target.embedded_one):
            roots = self._roots()
            files = [r / "data" / f"{symbol}_{timeframe}.{kind}" for r in roots for kind in ("csv", "pkl")]
            missing = (
                f"no data for {symbol} {timeframe}: neither {files[0].name} nor .pkl in data under {_either(roots)}"
            )
            return None if any(f.is_file() for f in files) else missing
        return None

    def _ask_workers(self, settle_s: float) -> Result:
        name = "Backtest workers"
        self.kept_places = {}
        deadline_s = time.monotonic() + settle_s
        while True:
            try:
                registered = readings.workers(self._client)
                others = [] if registered else readings.types_of_workers(self._client)
            except TransportError as error:
                told, _ = self._advice_on(error)
                return Result(name, "failed", f"the workers cannot be listed: {error}", None, told)
            if not registered:
                only = f", only workers for {', '.join(others)}" if others else ""
                return Result(name, "failed", f"no backtest worker is registered{only}", *self._restart_of_workers())
            self._find_witnesses(registered)
            alive = [w for w in registered if not self.witnesses[w["worker_id"]].dead]
            if not alive:
                reasons = "; ".join(self.witnesses[w["worker_id"]].reason.split("; say where")[0] for w in registered)
                return Result(
                    name, "failed", f"the registered workers do not answer: {reasons}", *self._restart_of_workers()
                )
            free = [w for w in alive if readings.takes_work(w)]
            if free:
                return Result(name, "ok", f"{len(free)} of {len(registered)} registered backtest workers are free")
            if time.monotonic() >= deadline_s:
                return self._no_place(name, alive)
            time.sleep(LOOK_AGAIN_S)

    def _find_witnesses(self, registered: list[dict[str, Any]]) -> None:
        """Try to reach the workers that were not seen before; one known under an id of before is so no longer."""
        known = {w["worker_id"]: witness_of(w, self.witnesses) for w in registered}
        new = [w for w in registered if (k := known[w["worker_id"]]) is None or k.worker != w["worker_id"]]
        self.witnesses.update(find(new, self.target, self._client))
        addresses = {readings.endpoint(w) for w in registered}
        for worker, witness in list(self.witnesses.items()):
            if worker not in known and witness.endpoint in addresses:
                del self.witnesses[worker]

    def _no_place(self, name: str, taken: list[dict[str, Any]]) -> Result:
        """No worker is free: by whose backtests, and whether waiting helps."""
        ended = set(self.mine()) if self.mine else set()
        of_whom = {w["worker_id"]: w.get("current_operation_id") for w in taken}
        self.kept_places = {worker: backtest for worker, backtest in of_whom.items() if backtest in ended}
        others = [
            f"{w['worker_id']} {w.get('status')} {of_whom[w['worker_id']] or ''}".strip()
            for w in taken
            if w["worker_id"] not in self.kept_places
        ]
        if self.kept_places:
            places = ", ".join(f"{worker} ({backtest})" for worker, backtest in self.kept_places.items())
            kept = f"KTRDR's registry still counts the places of {places} as taken by backtests of this run that have ended"
            seen = "; ".join([kept, *others])
            advice = (
                "KTRDR has to free the place of a backtest that has ended; a restart of its workers does it for now"
            )
            return Result(name, "failed", f"no backtest worker is free: {seen}", None, advice)
        seen = f"no backtest worker is free: {', '.join(others)}"
        if any(of_whom.values()):
            return Result(name, "failed", seen, None, "wait for the backtests to end, or add a worker")
        cure, restart = self._restart_of_workers()
        advice = f"the registry gives them no work: look at the workers' logs{f'; {restart}' if restart else ''}"
        return Result(name, "failed", seen, cure, advice)

    def _restart_of_workers(self) -> tuple[Cure | None, str]:
        """The catalogue's cure where Compose runs the workers here, else words of what to do."""
        if self.target.embedded_one:
            return None, "run again"
        project = compose.project_of(self.target)
        if project is None:
            words = "start or restart the backtest workers; under Docker: docker compose restart"
            return None, f"{words} backtest-worker-1 backtest-worker-2, then wait 15 s"
        services = ["backtest-worker-1", "backtest-worker-2"]
        with contextlib.suppress(compose.ComposeProblem):
            # In a slot of KTRDR's they are the copies of one service.
            found = [c.service for c in compose.containers(project) if "backtest" in c.service]
            services = list(dict.fromkeys(found)) or services
        return Cure(((*project.command, "restart", *services),), 15.0, 1, project.directory), ""


def _not_covered(answer: Exchange, candidate: Candidate) -> str:
    """Why the data do not cover the candidate's dates, or nothing."""
    first, last = _day(answer.find("$.data.start_date")), _day(answer.find("$.data.end_date"))
    if first is None or last is None:
        return ""
    began, ended = date.fromisoformat(candidate.start), date.fromisoformat(candidate.end)
    if first > began + CLOSED_DAYS or last < ended - CLOSED_DAYS:
        return f"the data of {candidate.symbol} {candidate.timeframe} are from {first} to {last} only"
    return ""


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def _either(roots: Iterable[Path]) -> str:
    return " or ".join(str(root) for root in roots)


def _named(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))
