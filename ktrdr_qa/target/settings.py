"""A target file: what it may say, how it is read, and what is told of its mistakes."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.target.sections import NOT_IN_A_FILE, Mistake, Mistaken, Within, read

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ROOT / "targets"
WATCHED_S = 8.0
_FROM_ENVIRONMENT = re.compile(r"\$\{(\w+)\}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
Seconds = Annotated[float, Within(over=0, at_most=3600)]


def checked_address(value: str) -> str:
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


Address = Annotated[str, checked_address]


@dataclass(frozen=True)
class Limits:
    """Limits in seconds that replace the ones in the features' sentences; all are stretched by ``time_factor``."""

    time_factor: Annotated[float, Within(over=0, at_most=100)] = 1.0
    answer_s: Seconds = 5.0
    watched_s: Seconds | None = None
    running_s: Seconds | None = None
    first_progress_s: Seconds | None = None
    acknowledged_s: Seconds | None = None
    cancelled_s: Seconds | None = None
    frozen_s: Seconds | None = None
    next_accepted_s: Seconds | None = None
    new_backtest_s: Seconds | None = None
    worker_idle_s: Seconds | None = None
    processor_quiet_s: Seconds | None = None
    place_free_s: Seconds | None = None
    back_s: Seconds | None = None
    known_again_s: Seconds | None = None
    ends_s: Seconds | None = None

    def seconds(self, name: str, sentence_s: float) -> float:
        """The limit in force: this target's own, else the sentence's; stretched either way."""
        own = getattr(self, name)
        return float(own if own is not None else sentence_s) * self.time_factor


@dataclass(frozen=True)
class Checkout:
    """Where KTRDR's files are on this host, for the preflight checks and cures that need them."""

    directory: str | None = None
    shared_directory: str = "~/.ktrdr/shared"


@dataclass(frozen=True)
class Compose:
    """The Docker Compose project that runs KTRDR on this host."""

    file: str | None = None
    project: str | None = None


@dataclass(frozen=True)
class Backtest:
    """The strategy and the trained model for one timeframe.

    ``fewest_bars``: a new backtest with fewer is not tried after the cancel (a measured KTRDR needs 51).
    """

    strategy: str
    model: str
    fewest_bars: Annotated[int, Within(at_least=0)] = 0


@dataclass(frozen=True)
class Tls:
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
        found: dict[str, Any] = {}
        for name in ("ca_file", "client_certificate", "client_key"):
            if given := getattr(self, name):
                path = expanded(given)
                places = [path] if path.is_absolute() else [directory / path, path]
                file = next((place for place in places if place.is_file()), None)
                if file is None:
                    raise ValueError(f"tls.{name}: there is no file {places[0]}")
                found[name] = str(file)
        return replace(self, **found)


@dataclass(frozen=True)
class Restart:
    """Commands of this host that restart a service of KTRDR's; ``{worker}`` is the worker's host name, else its id."""

    backend: str = ""
    worker: str = ""
    takes_s: Seconds = 60.0


@dataclass(frozen=True)
class Embedded:
    """Arguments of ``python -m standin`` for a target that the suite launches itself."""

    arguments: list[str] = field(default_factory=list)


def _default_backtests() -> dict[str, Backtest]:
    """The seed's own for daily bars, and for the others the names of the measured KTRDR (contract, exchanges)."""
    return {
        "1d": Backtest(strategy="neuro_mean_reversion", model="models/neuro_mean_reversion/1d_v21/model.pt"),
        "1h": Backtest(strategy="neuro_mean_reversion_1h", model="models/neuro_mean_reversion_1h/1h_v1"),
        "5m": Backtest(strategy="neuro_mean_reversion_5m", model="models/neuro_mean_reversion_5m/5m_v1"),
    }


@dataclass(frozen=True)
class Target:
    """One KTRDR. ``base_url`` is empty for the embedded one until it has been launched."""

    kind: Literal["live", "embedded"] = "live"
    description: str = ""
    base_url: Address | None = None
    checkout: Checkout = Checkout()
    compose: Compose = Compose()
    workers: dict[str, Address] = field(default_factory=dict)
    limits: Limits = Limits()
    backtests: dict[str, Backtest] = field(default_factory=_default_backtests)
    headers: dict[str, str] = field(default_factory=dict)
    tls: Tls = Tls()
    restart: Restart = Restart()
    embedded: Embedded = Embedded()

    name: str = field(default="", metadata=NOT_IN_A_FILE)
    chosen_by: str = field(default="", metadata=NOT_IN_A_FILE)
    """How this target came to be chosen, for the banner."""
    unused: tuple[str, ...] = field(default=(), metadata=NOT_IN_A_FILE)
    """Settings that name a KTRDR, were seen and are not used: another one may have been meant."""

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
        how = chosen_by or self.chosen_by
        return replace(self, base_url=checked_address(base_url), chosen_by=how, **changes)

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
        document["backtests"] = {**{k: asdict(v) for k, v in _default_backtests().items()}, **given}
    try:
        target = read(Target, document)
    except Mistaken as mistaken:
        raise BadConfiguration("\n".join(_in_words(file, m) for m in mistaken.mistakes)) from mistaken
    mistakes = list(_missing_paths(target))
    try:
        target = replace(target, tls=target.tls.beside(file.parent))
    except ValueError as error:
        mistakes.append(str(error))
    if mistakes:
        raise BadConfiguration("\n".join(f"{file}: {mistake}" for mistake in mistakes))
    return replace(target, name=file.stem, chosen_by=f"-D target={name}")


def _missing_paths(target: Target) -> Iterator[str]:
    """What a target file names that is not there. Passed over, it would only make a check "not checked"."""
    directory = target.checkout_directory
    if directory and not directory.is_dir():
        yield f"checkout.directory: there is no directory {directory}"
    if target.compose.file:
        compose_file = expanded(target.compose.file)
        if not any((place / compose_file).is_file() for place in (directory or Path(), Path())):
            yield f"compose.file: there is no file {compose_file}"


def _in_words(file: Path, mistake: Mistake) -> str:
    place = ".".join(mistake.place)
    if mistake.known:
        close = difflib.get_close_matches(mistake.place[-1], mistake.known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(mistake.known)}"
        return f"{file}: unknown key {place!r}; {hint}"
    # What might be a secret is not repeated.
    secret = mistake.place[0] == "headers" or "@" in str(mistake.given)
    return f"{file}: {place}: {mistake.words}" + ("" if secret else f" (it is {mistake.given!r})")
