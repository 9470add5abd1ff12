"""Which KTRDR is under test: the target files, their validation, and the order in which one is chosen."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from ktrdr_qa.outcomes import BadConfiguration

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ROOT / "targets"
DEFAULT_PORT = 8000
"""KTRDR's own default; the seed writes ``${KTRDR_API_PORT:-8000}``."""

_FROM_ENVIRONMENT = re.compile(r"\$\{(\w+)\}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OPTIONS = ("target", "fault", "cure", "disturb")
"""The names that ``behave -D`` may set."""

Seconds = Annotated[float, Field(gt=0, le=3600)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Limits(_Section):
    """Limits in seconds that replace the ones in the features' sentences; all are stretched by ``time_factor``."""

    time_factor: Annotated[float, Field(gt=0, le=100, strict=False)] = 1.0
    answer_s: Annotated[Seconds, Field(strict=False)] = 5.0
    running_s: Annotated[Seconds, Field(strict=False)] | None = None
    first_progress_s: Annotated[Seconds, Field(strict=False)] | None = None
    acknowledged_s: Annotated[Seconds, Field(strict=False)] | None = None
    cancelled_s: Annotated[Seconds, Field(strict=False)] | None = None
    frozen_s: Annotated[Seconds, Field(strict=False)] | None = None
    next_accepted_s: Annotated[Seconds, Field(strict=False)] | None = None
    new_backtest_s: Annotated[Seconds, Field(strict=False)] | None = None
    worker_idle_s: Annotated[Seconds, Field(strict=False)] | None = None
    processor_quiet_s: Annotated[Seconds, Field(strict=False)] | None = None
    place_free_s: Annotated[Seconds, Field(strict=False)] | None = None

    def seconds(self, name: str, sentence_s: float) -> float:
        """The limit in force: this target's own, else the sentence's; stretched either way."""
        own = getattr(self, name)
        return float(own if own is not None else sentence_s) * self.time_factor


class Checkout(_Section):
    """Where KTRDR's files are on this host, for the preflight checks and cures that need them."""

    directory: str | None = None
    shared_directory: str = "~/.ktrdr/shared"


class Compose(_Section):
    """The Docker Compose project that runs KTRDR on this host."""

    file: str | None = None
    project: str | None = None


class Backtest(_Section):
    """The strategy and the trained model for one timeframe.

    ``fewest_bars``: a new backtest with fewer is not tried after the cancel (a measured KTRDR needs 51).
    """

    strategy: str
    model: str
    fewest_bars: Annotated[int, Field(ge=0)] = 0


class Tls(_Section):
    """How an https address proves itself. Files are looked for beside the target file, then in the working directory."""

    verify: bool = True
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    @property
    def certificate(self) -> str | tuple[str, str] | None:
        """The client's own certificate, in the form that requests takes."""
        if self.client_certificate and self.client_key:
            return self.client_certificate, self.client_key
        return self.client_certificate

    def beside(self, directory: Path) -> Tls:
        """These settings with each file as a path that can be opened. Raises ``ValueError`` where one is missing."""
        if self.client_key and not self.client_certificate:
            raise ValueError("tls.client_key: without tls.client_certificate it is of no use")
        if self.ca_file and not self.verify:
            raise ValueError("tls.ca_file: with tls.verify = false it is not looked at; take one of the two away")
        found = {}
        for name in ("ca_file", "client_certificate", "client_key"):
            if given := getattr(self, name):
                path = Path(given).expanduser()
                places = [path] if path.is_absolute() else [directory / path, path]
                file = next((place for place in places if place.is_file()), None)
                if file is None:
                    raise ValueError(f"tls.{name}: there is no file {places[0]}")
                found[name] = str(file)
        return self.model_copy(update=found)


class Embedded(_Section):
    """Arguments of ``python -m standin`` for a target that the suite launches itself."""

    arguments: list[str] = []


def _default_backtests() -> dict[str, Backtest]:
    """The seed's own for daily bars, and for the others the names of the measured KTRDR (contract, exchanges)."""
    return {
        "1d": Backtest(strategy="neuro_mean_reversion", model="models/neuro_mean_reversion/1d_v21/model.pt"),
        "1h": Backtest(strategy="neuro_mean_reversion_1h", model="models/neuro_mean_reversion_1h/1h_v1"),
        "5m": Backtest(strategy="neuro_mean_reversion_5m", model="models/neuro_mean_reversion_5m/5m_v1"),
    }


class Target(_Section):
    """One KTRDR. ``base_url`` is empty for the embedded one until it has been launched."""

    kind: Literal["live", "embedded"] = "live"
    description: str = ""
    base_url: str | None = None
    checkout: Checkout = Checkout()
    compose: Compose = Compose()
    workers: dict[str, str] = {}
    limits: Limits = Limits()
    backtests: dict[str, Backtest] = Field(default_factory=_default_backtests)
    headers: dict[str, str] = {}
    tls: Tls = Tls()
    embedded: Embedded = Embedded()

    _name: str = PrivateAttr("")
    _chosen_by: str = PrivateAttr("")

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return None if value is None else _address(value)

    @field_validator("workers")
    @classmethod
    def _are_addresses(cls, value: dict[str, str]) -> dict[str, str]:
        return {worker: _address(url) for worker, url in value.items()}

    @property
    def name(self) -> str:
        return self._name

    @property
    def chosen_by(self) -> str:
        """How this target came to be chosen, for the banner."""
        return self._chosen_by

    @property
    def embedded_one(self) -> bool:
        return self.kind == "embedded"

    @property
    def local(self) -> bool:
        """Whether the platform answers on this host, so that its files and processes can be here too."""
        return urlsplit(self.base_url or "").hostname in ("localhost", "127.0.0.1", "::1")

    @property
    def checkout_directory(self) -> Path | None:
        return Path(self.checkout.directory).expanduser() if self.checkout.directory else None

    @property
    def sandbox_file(self) -> Path | None:
        """The ``.env.sandbox`` of the checkout, if it is a sandbox."""
        directory = self.checkout_directory
        file = directory / ".env.sandbox" if directory else None
        return file if file and file.is_file() else None

    def at(self, base_url: str, chosen_by: str | None = None, **changes: Any) -> Target:
        """This target at another address."""
        moved = self.model_copy(update={"base_url": _address(base_url), **changes})
        moved._name = self._name
        moved._chosen_by = chosen_by or self._chosen_by
        return moved

    def resolved_headers(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Headers with ``${NAME}`` taken from the environment.

        Raises ``BadConfiguration`` where a variable is not set: an empty token would only be refused later.
        """

        def value(match: re.Match[str]) -> str:
            if match[1] not in environment:
                raise BadConfiguration(
                    f"target {self.name}: headers name the environment variable {match[1]}, which is not set; "
                    f"export {match[1]}=... first"
                )
            return environment[match[1]]

        resolved = {k: _FROM_ENVIRONMENT.sub(value, v) for k, v in self.headers.items()}
        for name, given in resolved.items():
            if not _HEADER_NAME.fullmatch(name) or not given.isprintable() or not given.isascii():
                raise BadConfiguration(
                    f"target {self.name}: headers: {name!r} or its value has characters that a header cannot have"
                )
        return resolved

    def secrets(self, environment: Mapping[str, str]) -> frozenset[str]:
        """What must never show: all that headers take from the environment."""
        named = {n for v in self.headers.values() for n in _FROM_ENVIRONMENT.findall(v)}
        return frozenset(environment[n] for n in named if environment.get(n))


def _address(value: str) -> str:
    value = value.strip()
    parts = urlsplit(value)
    try:
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        port_ok = False
    if "@" in parts.netloc:
        raise ValueError("an address must not carry a user name or a password; give them as a header under [headers]")
    if parts.query or parts.fragment:
        raise ValueError(f"{value!r} has more than an address; expected for example http://localhost:8000")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok:
        raise ValueError(f"{value!r} is no address; expected for example http://localhost:8000")
    return value.rstrip("/").removesuffix("/api/v1")


def choose(userdata: Mapping[str, str], environment: Mapping[str, str], directory: Path) -> Target:
    """The target of this run, in the order: ``-D target``, ``KTRDR_API_URL``, ``KTRDR_API_PORT``, embedded.

    ``KTRDR_API_PORT`` may stand in the environment or in ``.env.sandbox``, in ``directory`` or in the sandbox
    target's checkout. Raises ``BadConfiguration``, one line a mistake.
    """
    sandbox_settings = TARGETS / "sandbox.toml"
    for given in userdata:
        # A misspelt option would be ignored without a word, and another KTRDR would be tested than was meant.
        if given not in OPTIONS and (close := difflib.get_close_matches(given, OPTIONS, 1, 0.75)):
            raise BadConfiguration(f"-D {given}={userdata[given]}: unknown option; did you mean {close[0]!r}?")
    if named := userdata.get("target"):
        target = load(named)
        if target.embedded_one:
            return _with_fault(target, userdata)
        _no_fault(target, userdata)
        if target.base_url is None:
            found = _from_environment(environment, directory, target)
            url, how = found or (f"http://localhost:{DEFAULT_PORT}", "KTRDR's default port")
            return target.at(url, f"-D target={named}, {how}")
        return target.at(target.base_url, f"-D target={named}")
    sandbox = load(str(sandbox_settings)) if sandbox_settings.exists() else Target()
    if found := _from_environment(environment, directory, sandbox):
        url, how = found
        _no_fault(sandbox, userdata)
        # The sandbox's files and worker addresses are facts about this host.
        moved = sandbox.at(url, how)
        return moved if moved.local else moved.at(url, how, checkout=Checkout(), compose=Compose(), workers={})
    target = load("embedded")
    target._chosen_by = "no KTRDR was named"
    return _with_fault(target, userdata)


def _no_fault(target: Target, userdata: Mapping[str, str]) -> None:
    if fault := userdata.get("fault"):
        raise BadConfiguration(
            f"-D fault={fault} is refused: faults are the embedded KTRDR's, and the target is {target.name}; "
            "say -D target=embedded"
        )


def _with_fault(target: Target, userdata: Mapping[str, str]) -> Target:
    """``-D fault=NAME[,NAME]``: the embedded KTRDR with a fault, to see the suite fail."""
    faults = [name for name in userdata.get("fault", "").split(",") if name]
    if not faults:
        return target
    arguments = [*target.embedded.arguments, *(word for name in faults for word in ("--fault", name))]
    changed = target.model_copy(update={"embedded": Embedded(arguments=arguments)})
    changed._name, changed._chosen_by = target.name, target.chosen_by
    return changed


def _from_environment(environment: Mapping[str, str], directory: Path, sandbox: Target) -> tuple[str, str] | None:
    if url := environment.get("KTRDR_API_URL", "").strip():
        try:
            return _address(url), "KTRDR_API_URL"
        except ValueError as error:
            raise BadConfiguration(f"KTRDR_API_URL: {error}") from error
    places = [("the environment", environment.get("KTRDR_API_PORT"))]
    for place in (directory, sandbox.checkout_directory):
        if place and (file := place / ".env.sandbox").is_file():
            places.append((str(file), sandbox_settings(file).get("KTRDR_API_PORT")))
    for where, port in places:
        if port is not None and (port := port.strip()):
            if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
                raise BadConfiguration(
                    f"KTRDR_API_PORT in {where} is {port!r}; expected a port number between 1 and 65535"
                )
            return f"http://localhost:{int(port)}", f"KTRDR_API_PORT={int(port)} in {where}"
    return None


def sandbox_settings(file: Path) -> dict[str, str]:
    """The settings in a ``.env.sandbox``: ``NAME=value`` lines, comments and quotes allowed.

    Raises ``BadConfiguration`` where the file cannot be read as text.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{file} cannot be read: {error}") from error
    pairs = (line.strip().removeprefix("export ").split("=", 1) for line in lines if not line.strip().startswith("#"))
    return {p[0].strip(): p[1].split(" #")[0].strip().strip("\"'") for p in pairs if len(p) == 2}


def known_targets() -> list[str]:
    return sorted(file.stem for file in TARGETS.glob("*.toml"))


def load(name: str) -> Target:
    """A target by name (``targets/NAME.toml``) or by the path of its file.

    Raises ``BadConfiguration`` with one line for each mistake in it.
    """
    file = Path(name).expanduser() if name.endswith(".toml") else TARGETS / f"{name}.toml"
    if not file.is_file():
        close = difflib.get_close_matches(name, known_targets(), 1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(known_targets())}"
        raise BadConfiguration(f"no target {name!r}: {file} does not exist{hint}")
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadConfiguration(f"{file}: not readable as TOML: {error}") from error
    given = document.get("backtests")
    if isinstance(given, dict):
        document["backtests"] = {**{k: v.model_dump() for k, v in _default_backtests().items()}, **given}
    try:
        target = Target.model_validate(document)
    except ValidationError as error:
        raise BadConfiguration("\n".join(_mistakes(file, error))) from error
    try:
        target = target.model_copy(update={"tls": target.tls.beside(file.parent)})
    except ValueError as error:
        raise BadConfiguration(f"{file}: {error}") from error
    target._name = file.stem
    target._chosen_by = f"-D target={name}"
    return target


def _mistakes(file: Path, error: ValidationError) -> list[str]:
    lines = []
    for mistake in error.errors():
        place = ".".join(str(part) for part in mistake["loc"])
        if mistake["type"] == "extra_forbidden":
            key = str(mistake["loc"][-1])
            known = _keys_beside(mistake["loc"])
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
            lines.append(f"{file}: unknown key {place!r}; {hint}")
        else:
            message = mistake["msg"].removeprefix("Value error, ")
            # What might be a secret is not repeated.
            secret = mistake["loc"][0] == "headers" or "@" in str(mistake["input"])
            lines.append(f"{file}: {place}: {message}" + ("" if secret else f" (it is {mistake['input']!r})"))
    return lines


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the section of a misspelt one has."""
    model: type[BaseModel] = Target
    for part in location[:-1]:
        if not isinstance(part, str) or part not in model.model_fields:
            model = Backtest if model is Target else model
            continue
        kind = model.model_fields[part].annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            model = kind
    return sorted(model.model_fields)


if __name__ == "__main__":
    import sys

    from ktrdr_qa.targets_command import main

    sys.exit(main())
