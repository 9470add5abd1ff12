"""A target file: what it may say, how it is read, and what is told of its mistakes."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.target.sections import NOT_IN_A_FILE, Mistake, Mistaken, Within, read
from ktrdr_qa.words import cut, plain_value

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ROOT / "targets"
WATCHED_S = 8.0
_FROM_ENVIRONMENT = re.compile(r"\$\{(\w+)\}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_PART_OF_AN_ADDRESS = re.compile(r"[\s*<>{}|\\^`\"$]")
_PLACEHOLDER = re.compile(r"(?<![${])\{([A-Za-z_]\w*)\}(?!\})")
"""What a command may name; ``${NAME}`` is the shell's, ``{{.Name}}`` Docker's."""
LONGEST = 200
"""So many characters at most of what stands in a file, or after ``-D``, are told again."""
Seconds = Annotated[float, Within(over=0, at_most=3600)]


def checked_address(value: str) -> str:
    """An address without what every KTRDR's ends with. Raises ``ValueError`` where it is none."""
    value = value.strip()
    shown = cut(value, LONGEST)
    if "@" in value:
        raise ValueError("an address must not carry a user name or a password; give them as a header under [headers]")
    if _NO_PART_OF_AN_ADDRESS.search(value):
        raise ValueError(f"{shown!r} is no address; expected for example http://localhost:8000")
    parts = urlsplit(value)
    try:
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        port_ok = False
    if parts.query or parts.fragment:
        raise ValueError(f"{shown!r} has more than an address; expected for example http://localhost:8000")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok:
        raise ValueError(f"{shown!r} is no address; expected for example http://localhost:8000")
    return value.rstrip("/").removesuffix("/api/v1")


def not_empty(value: str) -> str:
    """A text as it is. Raises ``ValueError`` where it says nothing: it would count as not given."""
    if not value.strip():
        raise ValueError("Input should not be empty")
    return value


def header_value(value: str) -> str:
    """A header's value as it is. Raises ``ValueError`` where a variable is named in a way that is not known here."""
    if "${" in (rest := _FROM_ENVIRONMENT.sub("", value)) or re.search(r"\$\w", rest):
        raise ValueError(
            "only ${NAME} is taken from the environment, and other words after a $ would be sent as they stand; "
            "a value that has a $ of its own can be put into a variable"
        )
    return value


@dataclass(frozen=True)
class Command:
    """A check of a command of this host, for ``Annotated``; ``known`` are the placeholders that it may have."""

    known: tuple[str, ...] = ()

    def __call__(self, value: str) -> str:
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"no command that the shell could read: {error}") from error
        if value and not words:
            raise ValueError("Input should not be blank")
        for name in _PLACEHOLDER.findall(value):
            if name not in self.known:
                there_is = "only {worker} is known" if self.known else "none is known"
                raise ValueError(f"nothing stands for {{{name}}} here; {there_is}")
        return value


Address = Annotated[str, checked_address]
Said = Annotated[str, not_empty]


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

    directory: Said | None = None
    shared_directory: Said = "~/.ktrdr/shared"


@dataclass(frozen=True)
class Compose:
    """The Docker Compose project that runs KTRDR on this host."""

    file: Said | None = None
    project: Said | None = None


@dataclass(frozen=True)
class Backtest:
    """The strategy and the trained model for one timeframe.

    ``fewest_bars``: a new backtest with fewer is not tried after the cancel (a measured KTRDR needs 51).
    """

    strategy: Said
    model: Said
    fewest_bars: Annotated[int, Within(at_least=0)] = 0


@dataclass(frozen=True)
class Tls:
    """How an https address proves itself. Files are looked for beside the target file, then in the working directory."""

    verify: bool = True
    ca_file: Said | None = None
    client_certificate: Said | None = None
    client_key: Said | None = None

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
                file = next((place for place in places if is_file(place)), None)
                if file is None:
                    raise ValueError(f"tls.{name}: there is no file {cut(str(places[0]), LONGEST)}")
                found[name] = str(file)
        return replace(self, **found)


@dataclass(frozen=True)
class Restart:
    """Commands of this host that restart a service of KTRDR's; ``{worker}`` is the worker's host name, else its id."""

    backend: Annotated[str, Command()] = ""
    worker: Annotated[str, Command(("worker",))] = ""
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
    headers: dict[str, Annotated[str, header_value]] = field(default_factory=dict)
    tls: Tls = Tls()
    restart: Restart = Restart()
    embedded: Embedded = Embedded()

    name: str = field(default="", metadata=NOT_IN_A_FILE)
    chosen_by: str = field(default="", metadata=NOT_IN_A_FILE)
    """How this target came to be chosen, for the banner."""
    unused: tuple[str, ...] = field(default=(), metadata=NOT_IN_A_FILE)
    """Settings that name a KTRDR, were seen and are not used: another one may have been meant."""

    faults: tuple[str, ...] = field(default=(), metadata=NOT_IN_A_FILE)
    """What the embedded KTRDR was asked to do wrong: the name of each fault, and its sentence."""

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
        return file if file and is_file(file) else None

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
    found = Path(os.path.expandvars(path))
    try:
        return found.expanduser()
    except RuntimeError:
        return found


def is_file(path: Path) -> bool:
    """Whether a file is there; not where the system does not take the path, as one that is too long."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_something(path: Path) -> bool:
    """Whether anything is there, a link that leads nowhere too."""
    try:
        path.lstat()
    except OSError:
        return False
    return True


def is_directory(path: Path) -> bool:
    """As ``is_file``."""
    try:
        return path.is_dir()
    except OSError:
        return False


def known_targets() -> list[str]:
    return sorted(file.stem for file in TARGETS.glob("*.toml"))


def load(name: str) -> Target:
    """A target by name (``targets/NAME.toml``) or by the path of its file.

    Raises ``BadConfiguration`` with one line for each mistake in it.
    """
    file = expanded(name) if name.endswith(".toml") else TARGETS / f"{name}.toml"
    if not is_file(file):
        called, place = cut(name, LONGEST), cut(str(file), LONGEST)
        if is_directory(file):
            raise BadConfiguration(f"no target {called!r}: {place} is a directory; expected a file in TOML")
        others = [other for other in known_targets() if other != name]
        close = difflib.get_close_matches(name, others, 1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(others)}"
        raise BadConfiguration(f"no target {called!r}: {place} does not exist{hint}")
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise BadConfiguration(f"{file}: not readable as TOML: it is nested too deep") from error
    except (ValueError, OSError) as error:  # Python reads no number of thousands of digits, and says how it would.
        raise BadConfiguration(f"{file}: not readable as TOML: {str(error).split('; use sys.')[0]}") from error
    given = document.get("backtests")
    if isinstance(given, dict):
        document["backtests"] = {**{k: asdict(v) for k, v in _default_backtests().items()}, **given}
    try:
        target = read(Target, document)
    except Mistaken as mistaken:
        raise BadConfiguration("\n".join(_in_words(file, m) for m in mistaken.mistakes)) from mistaken
    mistakes = [*_out_of_place(document, target), *_missing_paths(target)]
    try:
        target = replace(target, tls=target.tls.beside(file.parent))
    except ValueError as error:
        mistakes.append(str(error))
    if mistakes:
        raise BadConfiguration("\n".join(f"{file}: {mistake}" for mistake in mistakes))
    return replace(target, name=file.stem, chosen_by=f"-D target={name}")


def _out_of_place(document: Mapping[str, Any], target: Target) -> Iterator[str]:
    """What a target of this kind has no use for: somebody who says it means another kind."""
    if target.embedded_one and "base_url" in document:
        yield 'base_url: an embedded KTRDR has no address before it is launched; take it away, or say kind = "live"'
    if not target.embedded_one and "embedded" in document:
        yield 'embedded: the target is a live KTRDR; take the section away, or say kind = "embedded"'


def _missing_paths(target: Target) -> Iterator[str]:
    """What a target file names that is not there. Passed over, it would only make a check "not checked"."""
    directory = target.checkout_directory
    if directory and not is_directory(directory):
        yield f"checkout.directory: there is no directory {cut(str(directory), LONGEST)}"
    elif directory and is_something(file := directory / ".env.sandbox") and not is_file(file):
        yield f"checkout.directory: {file} is no file that can be read"
    if target.compose.file:
        compose_file = expanded(target.compose.file)
        if not any(is_file(place / compose_file) for place in (directory or Path(), Path())):
            yield f"compose.file: there is no file {cut(str(compose_file), LONGEST)}"


def _in_words(file: Path, mistake: Mistake) -> str:
    place = ".".join(mistake.place)
    if mistake.known:
        close = difflib.get_close_matches(mistake.place[-1], mistake.known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(mistake.known)}"
        return f"{file}: unknown key {cut(place, LONGEST)!r}; {hint}"
    # What might be a secret is not repeated.
    given = repr(plain_value(mistake.given, str))
    secret = mistake.place[0] == "headers" or "@" in given
    return f"{file}: {place}: {mistake.words}" + ("" if secret else f" (it is {cut(given, LONGEST)})")
