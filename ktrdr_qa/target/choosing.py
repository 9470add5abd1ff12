"""Which target a run is about: what ``-D``, the environment and a ``.env.sandbox`` say, in which order."""

from __future__ import annotations

import codecs
import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.target.settings import (
    LONGEST,
    Checkout,
    Compose,
    Embedded,
    Target,
    checked_address,
    is_file,
    is_something,
    known_targets,
    load,
)
from ktrdr_qa.words import cut

FAULTS = Path(__file__).parents[2] / "standin" / "faults.toml"
DEFAULT_PORT = 8000
"""KTRDR's own default; the seed writes ``${KTRDR_API_PORT:-8000}``."""
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


def choose(userdata: Mapping[str, str], environment: Mapping[str, str], directory: Path) -> Target:
    """The target of this run, in the order: ``-D target``, what ``_settings`` finds, embedded.

    Raises ``BadConfiguration``, one line a mistake.
    """
    _refuse_unknown(userdata)
    target = _chosen(userdata, environment, directory)
    return replace(target, unused=tuple(_unused(target, environment, directory)))


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
    return _with_fault(replace(load("embedded"), chosen_by="no KTRDR was named"), userdata)


def _sandbox_target() -> Target:
    return load("sandbox") if "sandbox" in known_targets() else Target()


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
    """``-D fault=NAME[,NAME]``: the embedded KTRDR with a fault, to see the suite fail.

    With what else the fault needs to show, by the table of the faults: that goes before what the target file says.
    """
    given = userdata.get("fault")
    if given is None:
        return target
    if given in ("", "true"):  # The second is what Behave makes of a name without a value.
        raise BadConfiguration(
            "-D fault names no fault; expected -D fault=NAME, and python -m standin --list-faults lists them"
        )
    names = [name for name in given.split(",") if name]
    rows = {row["name"]: row for row in tomllib.loads(FAULTS.read_text(encoding="utf-8"))["fault"]}
    needed = [rows.get(name, {}) for name in names]
    arguments = [word for row in needed for word in row.get("arguments", ())]
    limits = {k: v for row in needed for k, v in tomllib.loads(row.get("limits", "")).items()}
    faults = [word for name in names for word in ("--fault", name)]
    return replace(
        target,
        chosen_by=f"{target.chosen_by}, with the fault {' and '.join(names)}",
        embedded=Embedded(arguments=[*target.embedded.arguments, *arguments, *faults]),
        limits=replace(target.limits, **limits),
        faults=tuple(f"{row['name']}: {row['sentence']}" for row in needed if row),
    )


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
            # Python reads no number of thousands of digits.
            number = self.value.isascii() and self.value.isdigit() and len(self.value) < LONGEST
            if not (number and 0 < int(self.value) < 65536):
                raise BadConfiguration(
                    f"{self.name} in {self.file or 'the environment'} is {cut(self.value, LONGEST)!r}; "
                    "expected a port number between 1 and 65535"
                )
            return f"http://localhost:{int(self.value)}"
        try:
            return checked_address(self.value)
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
    yield from _unreadable(directory)
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


def _unreadable(directory: Path) -> Iterator[str]:
    """Each ``.env.sandbox`` that is nearer than the one that counts and is no file: a directory, a link to nowhere."""
    for place in _folders(directory):
        if is_file(file := place / ".env.sandbox"):
            return
        if is_something(file):
            yield f"{file} (it is no file that can be read)"


def _folders(directory: Path) -> list[Path]:
    """Where a ``.env.sandbox`` is looked for, nearest first. What is above the home directory belongs to others."""
    home = Path.home().resolve()
    here = directory.resolve()
    above = []
    for place in (here, *list(here.parents)[: FOLDERS_ABOVE - 1]):
        above.append(place)
        if place == home:
            break
    return above


def sandbox_files(directory: Path, target: Target) -> list[Path]:
    """The ``.env.sandbox`` files that count, nearest first: here, in the target's checkout, in a folder above.

    KTRDR's own command line walks up too.
    """
    in_the_folders = [file for place in _folders(directory) if is_file(file := place / ".env.sandbox")][:1]
    first = [file for file in in_the_folders if file.parent == directory.resolve()]
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
