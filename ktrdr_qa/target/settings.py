"""Which KTRDR is under test: the target files, their validation, and the order in which one is chosen."""

from __future__ import annotations

import codecs
import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from honest_behave.outcomes import BadConfiguration

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ROOT / "targets"
DEFAULT_PORT = 8000
"""KTRDR's own default; the seed writes ``${KTRDR_API_PORT:-8000}``."""

WATCHED_S = 8.0
_FROM_ENVIRONMENT = re.compile(r"\$\{(\w+)\}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OPTIONS = ("target", "fault", "cure", "disturb")
"""The names of this suite that ``behave -D`` may set."""
ALLURES = ("AllureFormatter.issue_pattern", "AllureFormatter.link_pattern", "AllureFormatter.hide_excluded")
THEIRS = ("AllureFormatter.", "behave.")
"""How the names begin that Allure's formatter, and Behave's own formatters and reporters, read from ``-D``."""
FOLDERS_ABOVE = 10
"""How far up KTRDR's own command line looks for a ``.env.sandbox``."""
_ADDRESS_WORDS = ("URL", "URI", "HOST", "ADDRESS", "ADDR", "ENDPOINT", "SERVER", "TARGET")
_OTHER_SERVICES = frozenset(
    ("DB", "GRAFANA", "JAEGER", "PROMETHEUS", "OTLP", "OTEL", "WORKER", "IB", "MCP", "AGENT", "IMAGE")
)

Seconds = Annotated[float, Field(gt=0, le=3600)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Limits(_Section):
    """Limits in seconds that replace the ones in the features' sentences; all are stretched by ``time_factor``."""

    time_factor: Annotated[float, Field(gt=0, le=100, strict=False)] = 1.0
    answer_s: Annotated[Seconds, Field(strict=False)] = 5.0
    watched_s: Annotated[Seconds, Field(strict=False)] | None = None
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
                path = expanded(given)
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
    _unused: tuple[str, ...] = PrivateAttr(())

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
    def unused(self) -> tuple[str, ...]:
        """Settings that name a KTRDR, were seen and are not used: another one may have been meant."""
        return self._unused

    @property
    def embedded_one(self) -> bool:
        return self.kind == "embedded"

    @property
    def watched_s(self) -> float:
        """How long at least, in seconds, a cancelled backtest is watched after the cancel: what comes later is not seen.

        The stand-in's own faults that come late are tried with a setting of their own; its runs are to be quick.
        """
        usual_s = 0.0 if self.embedded_one else WATCHED_S
        return usual_s if self.limits.watched_s is None else self.limits.watched_s

    @property
    def local(self) -> bool:
        """Whether the platform answers on this host, so that its files and processes can be here too."""
        return urlsplit(self.base_url or "").hostname in ("localhost", "127.0.0.1", "::1")

    @property
    def checkout_directory(self) -> Path | None:
        return expanded(self.checkout.directory) if self.checkout.directory else None

    @property
    def shared_directory(self) -> Path:
        return expanded(self.checkout.shared_directory)

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


def expanded(path: str) -> Path:
    """A path of a settings file, with ``~`` and ``$NAME`` as the shell means them; an unknown name stays as it is."""
    return Path(os.path.expandvars(path)).expanduser()


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
    """The target of this run, in the order: ``-D target``, what ``_settings`` finds, embedded.

    Raises ``BadConfiguration``, one line a mistake.
    """
    _refuse_unknown(userdata)
    target = _chosen(userdata, environment, directory)
    target._unused = tuple(_unused(target, environment, directory))
    return target


def _chosen(userdata: Mapping[str, str], environment: Mapping[str, str], directory: Path) -> Target:
    named = userdata.get("target")
    if named is not None and not named.strip():
        # As with -D target=$NAME where the shell knows no NAME.
        raise BadConfiguration(f"-D target={named.strip()} names nothing; there are: {', '.join(known_targets())}")
    if named:
        target = load(named)
        if target.embedded_one:
            return _with_fault(target, userdata)
        _no_fault(target, userdata)
        if target.base_url is None:
            found = _from_settings(environment, directory, target)
            url, how = found or (f"http://localhost:{DEFAULT_PORT}", "KTRDR's default port")
            return target.at(url, f"-D target={named}, {how}")
        return target.at(target.base_url, f"-D target={named}")
    sandbox = _sandbox_target()
    if found := _from_settings(environment, directory, sandbox):
        url, how = found
        _no_fault(sandbox, userdata)
        # The sandbox's files and worker addresses are facts about this host.
        moved = sandbox.at(url, how)
        return moved if moved.local else moved.at(url, how, checkout=Checkout(), compose=Compose(), workers={})
    target = load("embedded")
    target._chosen_by = "no KTRDR was named"
    return _with_fault(target, userdata)


def _sandbox_target() -> Target:
    file = TARGETS / "sandbox.toml"
    return load(str(file)) if file.exists() else Target()


def _refuse_unknown(userdata: Mapping[str, str]) -> None:
    """A name that nobody reads would be ignored without a word, and another KTRDR be tested than was meant."""
    for given, value in userdata.items():
        close = difflib.get_close_matches(given.lower(), OPTIONS, 1, 0.75)
        if given in OPTIONS or (not close and (given.startswith(THEIRS) or given in _declared())):
            continue
        secret = "@" in value or re.search("token|secret|password|key", given, re.IGNORECASE)
        raise BadConfiguration(
            f"-D {given}{'' if secret else f'={value}'}: unknown option; {_instead_of(given, close)}"
        )


def _instead_of(given: str, close: list[str]) -> str:
    """What may have been meant by an option that there is not."""
    words = set(re.split("[^a-z]+", given.lower()))
    if found := close or difflib.get_close_matches(given, ALLURES, 1, 0.75):
        return f"did you mean {found[0]!r}?"
    if words & {"token", "secret", "password", "key", "header", "headers"}:
        return "secrets are given as headers, under [headers] in a target file"
    if "port" in words:
        return "name the port with KTRDR_API_PORT=PORT in the environment"
    if words & {"url", "uri", "host", "address", "server", "endpoint", "api", "ktrdr"}:
        return "name the address with KTRDR_API_URL=ADDRESS in the environment, or with -D target=NAME"
    if words & {"env", "environment", "system", "sandbox", "platform", "stage", "instance", "profile"}:
        return "did you mean 'target'?"
    return f"there are: {', '.join(OPTIONS)}"


def _declared() -> frozenset[str]:
    """The names under ``[tool.behave.userdata]`` (and its kin) in the configuration files that Behave reads."""
    from behave.configuration import config_filenames, read_configuration

    return frozenset(name for file in config_filenames() for name in read_configuration(file).get("userdata") or ())


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


@dataclass(frozen=True)
class _Setting:
    """One place that may name the KTRDR under test: an address, or a port of this host."""

    name: str
    value: str
    file: Path | None = None

    def __str__(self) -> str:
        return f"{self.name} in {self.file}" if self.file else self.name

    @property
    def how(self) -> str:
        """For the banner: how the target came to be chosen."""
        return f"{self.name}={int(self.value)} in {self.file or 'the environment'}" if self._is_port else self.name

    @property
    def _is_port(self) -> bool:
        return self.name.endswith("_PORT")

    def address(self) -> str:
        """Raises ``BadConfiguration`` where it is none."""
        if self._is_port:
            if not (self.value.isascii() and self.value.isdigit() and 0 < int(self.value) < 65536):
                raise BadConfiguration(
                    f"{self.name} in {self.file or 'the environment'} is {self.value!r}; "
                    "expected a port number between 1 and 65535"
                )
            return f"http://localhost:{int(self.value)}"
        try:
            return _address(self.value)
        except ValueError as error:
            raise BadConfiguration(f"{self.name}: {error}") from error


def _settings(environment: Mapping[str, str], directory: Path, target: Target) -> Iterator[_Setting]:
    """All that is set, the one that counts first.

    The seed's ``KTRDR_API_URL`` and ``KTRDR_API_PORT``; the port in ``.env.sandbox``; and after it, as in KTRDR's own
    client, the address that this client goes by, whose old name ``KTRDR_API_URL`` is.
    """
    for name in ("KTRDR_API_URL", "KTRDR_API_PORT"):
        yield _Setting(name, environment.get(name, "").strip())
    for file in sandbox_files(directory, target):
        yield _Setting("KTRDR_API_PORT", sandbox_settings(file).get("KTRDR_API_PORT", ""), file)
    yield _Setting("KTRDR_API_CLIENT_BASE_URL", environment.get("KTRDR_API_CLIENT_BASE_URL", "").strip())


def _from_settings(environment: Mapping[str, str], directory: Path, target: Target) -> tuple[str, str] | None:
    used = next((setting for setting in _settings(environment, directory, target) if setting.value), None)
    return (used.address(), used.how) if used else None


def _unused(target: Target, environment: Mapping[str, str], directory: Path) -> Iterator[str]:
    """What was set and does not lead to the chosen target, by name; the values may be secrets."""
    of_whom = _sandbox_target() if target.embedded_one else target
    try:
        for setting in _settings(environment, directory, of_whom):
            if setting.value and not _leads_to(setting, target):
                yield str(setting)
            elif not setting.value and setting.file:
                yield f"{setting.file} (it names no {setting.name})"
            elif not setting.value and setting.name in environment:
                yield f"{setting.name} (it is empty)"
    except BadConfiguration as error:
        yield f".env.sandbox ({error})"
    known = {"KTRDR_API_URL", "KTRDR_API_PORT", "KTRDR_API_CLIENT_BASE_URL"}
    yield from sorted(name for name in environment if name not in known and _may_name_a_ktrdr(name, known))


def _leads_to(setting: _Setting, target: Target) -> bool:
    try:
        return setting.address() == target.base_url
    except BadConfiguration:
        return False


def _may_name_a_ktrdr(variable: str, known: set[str]) -> bool:
    """Whether somebody may have meant the KTRDR under test by it: its words say so, or it is nearly a known one."""
    words = variable.upper().split("_")
    if words[0] != "KTRDR" or _OTHER_SERVICES & set(words):
        return False
    tells = any(word == "PORT" or word.endswith(_ADDRESS_WORDS) for word in words[1:])
    return tells or bool(difflib.get_close_matches(variable.upper(), known, 1, 0.85))


def sandbox_files(directory: Path, target: Target) -> list[Path]:
    """The ``.env.sandbox`` files that count, nearest first: here, in the target's checkout, in a folder above.

    KTRDR's own command line walks up too. What is above the home directory belongs to others.
    """
    home = Path.home().resolve()
    here = directory.resolve()
    above = []
    for place in (here, *list(here.parents)[: FOLDERS_ABOVE - 1]):
        above.append(place)
        if place == home:
            break
    in_the_folders = [file for place in above if (file := place / ".env.sandbox").is_file()][:1]
    first = [file for file in in_the_folders if file.parent == here]
    places = [*first, *([target.sandbox_file] if target.sandbox_file else []), *in_the_folders]
    return list(dict.fromkeys(places))


def sandbox_settings(file: Path) -> dict[str, str]:
    """The settings in a ``.env.sandbox``: ``NAME=value`` lines, comments and quotes allowed.

    Raises ``BadConfiguration`` where the file cannot be read as text.
    """
    try:
        raw = file.read_bytes()
        # A Windows editor or shell may begin the file with a byte-order mark.
        marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        lines = raw.decode("utf-16" if marked else "utf-8-sig").splitlines()
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
    file = expanded(name) if name.endswith(".toml") else TARGETS / f"{name}.toml"
    if not file.is_file():
        close = difflib.get_close_matches(name, known_targets(), 1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(known_targets())}"
        raise BadConfiguration(f"no target {name!r}: {file} does not exist{hint}")
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadConfiguration(f"{file}: not readable as TOML: {error}") from error
    given = document.get("backtests")
    if isinstance(given, dict):
        document["backtests"] = {**{k: v.model_dump() for k, v in _default_backtests().items()}, **given}
    try:
        target = Target.model_validate(document)
    except ValidationError as error:
        raise BadConfiguration("\n".join(_mistakes(file, error))) from error
    mistakes = list(_missing_paths(target))
    try:
        target = target.model_copy(update={"tls": target.tls.beside(file.parent)})
    except ValueError as error:
        mistakes.append(str(error))
    if mistakes:
        raise BadConfiguration("\n".join(f"{file}: {mistake}" for mistake in mistakes))
    target._name = file.stem
    target._chosen_by = f"-D target={name}"
    return target


def _missing_paths(target: Target) -> Iterator[str]:
    """What a target file names that is not there. Passed over, it would only make a check "not checked"."""
    directory = target.checkout_directory
    if directory and not directory.is_dir():
        yield f"checkout.directory: there is no directory {directory}"
    if target.compose.file:
        compose_file = expanded(target.compose.file)
        if not any((place / compose_file).is_file() for place in (directory or Path(), Path())):
            yield f"compose.file: there is no file {compose_file}"


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
