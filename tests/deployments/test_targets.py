"""Which KTRDR is chosen, what a target file may say, what never shows: fast ones first, then the whole of Behave."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.platform import compose
from ktrdr_qa.target import settings as target_module
from ktrdr_qa.target.__main__ import main as list_targets
from ktrdr_qa.target.choosing import choose, sandbox_settings
from ktrdr_qa.target.sections import read
from ktrdr_qa.target.settings import Target, load
from standin import faults
from tests.deployments.harness import BRISK, Place, started
from tests.deployments.proxy import Answer, Asked, proxy

LAG_0 = ("--registry-lag-s", "0")


def written(directory: Path, text: str) -> Target:
    (directory / "own.toml").write_text(text)
    return load(str(directory / "own.toml"))


HUGE = "9" * 400
"""An integer that is longer than any float."""


# --- mistakes in a target file, each one line ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base_ur = 'http://localhost:1'", "unknown key 'base_ur'; did you mean 'base_url'?"),
        ("[limit]\ntime_factor = 2", "unknown key 'limit'; did you mean 'limits'?"),
        ("[limits]\ncanceled_s = 2", "unknown key 'limits.canceled_s'; did you mean 'cancelled_s'?"),
        ("[limits]\ncancelled_s = -1", "limits.cancelled_s: Input should be greater than 0 (it is -1)"),
        ("[limits]\ntime_factor = 'slow'", "limits.time_factor: Input should be a valid number"),
        (
            "[backtests.1d]\nstrategy = 'x'\nmodel = 'y'\nfewest = 51",
            "unknown key 'backtests.1d.fewest'; did you mean 'fewest_bars'?",
        ),
        ("[backtests.1d]\nstrategy = 'x'", "backtests.1d.model: Field required"),
        ("base_url = 'localhost:8000'", "'localhost:8000' is no address; expected for example http://localhost:8000"),
        ("base_url = 'http://localhost:99999'", "is no address"),
        ("base_url = 'http://localhost:eight'", "is no address"),
        ("base_url = 'http://localhost:8000?x=1'", "has more than an address"),
        ("base_url = 'http://me:hidden@localhost:8000'", "give them as a header under [headers]"),
        ("kind = 'alive'", "kind: Input should be 'live' or 'embedded'"),
        ("workers = ['a']", "workers: Input should be a valid dictionary"),
        ("[workers]\nbacktest-worker-1 = 'worker:5003'", "'worker:5003' is no address"),
        ("[tls]\nca_file = 'nowhere.pem'", "tls.ca_file: there is no file"),
        ("[tls]\nclient_key = 'me.key'", "without tls.client_certificate it is of no use"),
        ("[headers]\nAuthorization = 7", "headers.Authorization: Input should be a valid string"),
        ("[limits\n", "not readable as TOML"),
        (f"[limits]\nanswer_s = {HUGE}", "limits.answer_s: Input should be a valid number (it is 999"),
        (f"[limits]\ntime_factor = {HUGE}", "limits.time_factor: Input should be a valid number (it is 999"),
        (f"[limits]\nanswer_s = {'9' * 5000}", "not readable as TOML: Exceeds the limit (4300 digits)"),
        (f"a = {'[' * 100_000}", "not readable as TOML: it is nested too deep"),
        (f"headers.x.{'.'.join('a' * 3000)} = 1", "headers.x: Input should be a valid string"),
        (f"restart.backend.{'.'.join('a' * 3000)} = 1", "restart.backend: Input should be a valid string (it is {'a'"),
        (f"[limits]\n{'x' * 5000} = 1", "unknown key 'limits.xxx"),
        ("[limits]\nanswer_s = true", "limits.answer_s: Input should be a valid number (it is True)"),
        ("[backtests.1d]\nstrategy = ''\nmodel = 'y'", "backtests.1d.strategy: Input should not be empty (it is '')"),
        ("[backtests.1d]\nstrategy = 'x'\nmodel = ' '", "backtests.1d.model: Input should not be empty (it is ' ')"),
        ("[checkout]\ndirectory = ''", "checkout.directory: Input should not be empty (it is '')"),
        ("[checkout]\nshared_directory = ''", "checkout.shared_directory: Input should not be empty (it is '')"),
        ("[compose]\nfile = ''", "compose.file: Input should not be empty (it is '')"),
        ("[compose]\nproject = ''", "compose.project: Input should not be empty (it is '')"),
        ("[tls]\nca_file = ''", "tls.ca_file: Input should not be empty (it is '')"),
        ("[headers]\nX = 'Bearer $hidden'", "headers.X: only ${NAME} is taken from the environment"),
        ("[headers]\nX = '${hid-den}'", "headers.X: only ${NAME} is taken from the environment"),
        ("[headers]\nX = '${NAME} ${hidden'", "headers.X: only ${NAME} is taken from the environment"),
        ("base_url = 'http://local host:8000'", "'http://local host:8000' is no address; expected for example"),
        ('base_url = "http://local\\nhost:8000"', "'http://local\\nhost:8000' is no address; expected for example"),
        (f"base_url = '{'x' * 5000}'", "…' is no address; expected for example http://localhost:8000"),
        ("base_url = 'http://*:8000'", "'http://*:8000' is no address; expected for example"),
        ("base_url = 'http://${HOST}:8000'", "'http://${HOST}:8000' is no address; expected for example"),
        ("base_url = 'http://me:hid/den@localhost'", "give them as a header under [headers]"),
        (
            "kind = 'embedded'\nbase_url = 'http://localhost:1'",
            "base_url: an embedded KTRDR has no address before it is",
        ),
        ("[embedded]\narguments = []", "embedded: the target is a live KTRDR; take the section away, or say kind ="),
        ('[restart]\nbackend = "echo \'x"', "restart.backend: no command that the shell could read: No closing"),
        ("[restart]\nbackend = ' '", "restart.backend: Input should not be blank"),
        ("[restart]\nbackend = 'restart {worker}'", "restart.backend: nothing stands for {worker} here; none is known"),
        (
            "[restart]\nworker = 'x {wroker}'",
            "restart.worker: nothing stands for {wroker} here; only {worker} is known",
        ),
    ],
    ids=lambda given: given[:60],
)
def test_each_mistake_is_one_clear_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        written(tmp_path, text)
    (line,) = str(caught.value).splitlines()
    assert words in line and "own.toml" in line
    assert "hidden" not in line and "hid/den" not in line and len(line) < 1000


@pytest.mark.parametrize(
    "text",
    [
        "[restart]\nworker = 'docker restart {worker}'",
        "[restart]\nbackend = ''\nworker = \"sh -c 'docker inspect --format {{.Name}} ${X} | xargs -I {} echo {}'\"",
        "[headers]\nX = 'Bearer ${NAME}'\nY = '5 $ and more $'",
        "kind = 'embedded'\n[embedded]\narguments = []",
    ],
)
def test_what_only_looks_like_a_mistake_is_none(tmp_path: Path, text: str) -> None:
    written(tmp_path, text)


def test_several_mistakes_are_as_many_lines(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration) as caught:
        written(tmp_path, "kind = 'alive'\nbase_ur = 'x'\n[limits]\nrunning_s = 0")
    assert len(str(caught.value).splitlines()) == 3


def test_every_setting_of_the_files_that_come_along_is_known() -> None:
    for file in [*target_module.TARGETS.glob("*.toml"), *target_module.TARGETS.glob("*.example")]:
        spoken = [line.removeprefix("# ") for line in file.read_text().splitlines()]
        told = "\n".join(line for line in spoken if _is_toml(line))
        told = told.replace('ca_file = "staging-ca.pem"', "").replace('client_certificate = "me.pem"', "")
        told = told.replace('client_key = "me.key"', "")
        document = target_module.tomllib.loads(told)
        read(Target, document)


def _is_toml(line: str) -> bool:
    try:
        return bool(line.startswith("[") or (" = " in line and target_module.tomllib.loads(line)))
    except ValueError:
        return False


# --- the order of choice ---------------------------------------------------------------------------------------


def test_the_order_of_choice(tmp_path: Path) -> None:
    everything = {"KTRDR_API_URL": "http://localhost:7001", "KTRDR_API_PORT": "7002"}
    (tmp_path / ".env.sandbox").write_text("# a sandbox\nexport KTRDR_API_PORT='7003'  # its port\n")
    (tmp_path / "mine.toml").write_text("base_url = 'http://localhost:7000'")
    port_only = {"KTRDR_API_PORT": "7002"}
    assert choose({"target": str(tmp_path / "mine.toml")}, everything, tmp_path).base_url == "http://localhost:7000"
    assert choose({}, everything, tmp_path).base_url == "http://localhost:7001"
    assert choose({}, port_only, tmp_path).base_url == "http://localhost:7002"
    assert choose({}, {}, tmp_path).base_url == "http://localhost:7003"
    assert ".env.sandbox" in choose({}, {}, tmp_path).chosen_by
    assert choose({"target": "sandbox"}, everything, tmp_path).base_url == "http://localhost:7001"
    (tmp_path / ".env.sandbox").unlink()
    assert choose({}, {}, tmp_path).embedded_one
    assert choose({}, {"KTRDR_API_PORT": ""}, tmp_path).embedded_one
    assert choose({"target": "sandbox"}, {}, tmp_path).base_url == "http://localhost:8000"
    assert choose({"target": "embedded"}, everything, tmp_path).embedded_one


def test_a_remote_address_does_not_inherit_what_is_true_of_this_host(tmp_path: Path) -> None:
    remote = choose({}, {"KTRDR_API_URL": "https://ktrdr.example/api/v1/"}, tmp_path)
    assert remote.base_url == "https://ktrdr.example" and not remote.local
    assert remote.checkout_directory is None and remote.workers == {}


@pytest.mark.parametrize("port", ["eight", "80000", "0", "-1", "8000.5", "²", "8000; rm", "9" * 5000, "0" * 5000 + "1"])
def test_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    with pytest.raises(BadConfiguration, match="expected a port number between 1 and 65535") as caught:
        choose({}, {"KTRDR_API_PORT": port}, tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_port_may_begin_with_noughts(tmp_path: Path) -> None:
    assert choose({}, {"KTRDR_API_PORT": "0008001"}, tmp_path).base_url == "http://localhost:8001"


def test_misspelt_options_and_faults_on_a_live_target_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="did you mean 'target'"):
        choose({"tagret": "sandbox"}, {}, tmp_path)
    with pytest.raises(BadConfiguration, match="faults are the embedded KTRDR's, and the target is sandbox"):
        choose({"target": "sandbox", "fault": "cancel-ignored"}, {}, tmp_path)
    with pytest.raises(BadConfiguration, match="faults are the embedded KTRDR's"):
        choose({"fault": "cancel-ignored"}, {"KTRDR_API_PORT": "8000"}, tmp_path)
    chosen = choose({"fault": "cancel-ignored,after-list-disagrees"}, {}, tmp_path)
    assert chosen.embedded.arguments[-4:] == ["--fault", "cancel-ignored", "--fault", "after-list-disagrees"]


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("url", "name the address with KTRDR_API_URL=ADDRESS in the environment, or with -D target=NAME"),
        ("base_url", "name the address with KTRDR_API_URL=ADDRESS"),
        ("host", "name the address with KTRDR_API_URL=ADDRESS"),
        ("port", "name the port with KTRDR_API_PORT=PORT in the environment"),
        ("KTRDR_API_PORT", "name the port with KTRDR_API_PORT=PORT in the environment"),
        ("env", "did you mean 'target'?"),
        ("TARGET", "did you mean 'target'?"),
        ("Fault", "did you mean 'fault'?"),
        ("disturbs", "did you mean 'disturb'?"),
        ("colour", "there are: target, fault, cure, disturb"),
        ("AllureFormater.issue_pattern", "did you mean 'AllureFormatter.issue_pattern'?"),
    ],
)
def test_every_option_that_is_nobodys_is_refused_with_the_nearest_there_is(
    tmp_path: Path, given: str, hint: str
) -> None:
    with pytest.raises(BadConfiguration, match=f"^-D {re.escape(given)}=x: unknown option; ") as caught:
        choose({given: "x"}, {}, tmp_path)
    assert hint in str(caught.value) and "\n" not in str(caught.value)


def test_what_a_refused_option_was_set_to_shows_only_where_it_is_no_secret(tmp_path: Path) -> None:
    for given, value in (
        ("token", "s3cr3t-t0ken"),
        ("url", "http://me:s3cr3t-t0ken@host"),
        ("api_key", "s3cr3t-t0ken"),
    ):
        with pytest.raises(BadConfiguration, match=f"^-D {given}: unknown option; ") as caught:
            choose({given: value}, {}, tmp_path)
        assert "s3cr3t" not in str(caught.value)


def test_options_of_allure_of_behave_and_of_the_configuration_file_are_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allures = {"AllureFormatter.issue_pattern": "x", "AllureFormatter.hide_excluded": "yes"}
    behaves = {"behave.reporter.junit.show_timestamp": "no", "behave.formatter.html.x": "1"}
    assert choose({**allures, **behaves}, {}, tmp_path).embedded_one
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.behave.userdata]\nour_own = "1"\ntagret = "sandbox"\n')
    assert choose({"our_own": "2"}, {}, tmp_path).embedded_one
    (tmp_path / "behave.ini").write_text("[behave.userdata]\nanother = 1\n")
    assert choose({"our_own": "2", "another": "1"}, {}, tmp_path).embedded_one
    with pytest.raises(BadConfiguration, match="-D third=1: unknown option"):
        choose({"our_own": "2", "another": "1", "third": "1"}, {}, tmp_path)
    # One that is declared there, but is this suite's own misspelt, would test another KTRDR than was meant.
    with pytest.raises(BadConfiguration, match="did you mean 'target'"):
        choose({"tagret": "sandbox"}, {}, tmp_path)


def test_a_target_that_names_nothing_is_refused(tmp_path: Path) -> None:
    for nothing in ("", "  "):
        with pytest.raises(BadConfiguration, match="-D target= names nothing; there are: embedded, sandbox"):
            choose({"target": nothing}, {}, tmp_path)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("dd", "no target 'dd': {targets}/dd.toml is a directory; expected a file in TOML"),
        ("gone", "no target 'gone': {targets}/gone.toml does not exist; there are: dd"),
        (
            "~nosuchuser/x.toml",
            "no target '~nosuchuser/x.toml': ~nosuchuser/x.toml does not exist; there are: dd, gone",
        ),
    ],
)
def test_a_target_that_is_no_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.setattr(target_module, "TARGETS", tmp_path)
    (tmp_path / "dd.toml").mkdir()
    (tmp_path / "gone.toml").symlink_to("nowhere.toml")
    with pytest.raises(BadConfiguration) as caught:
        load(name)
    assert str(caught.value) == told.format(targets=tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".toml"])
def test_a_name_that_is_too_long_for_a_file_is_refused(name: str) -> None:
    with pytest.raises(BadConfiguration, match=r"^no target 'xxx.*…': .*… does not exist; there are: ") as caught:
        load(name)
    assert len(str(caught.value)) < 1000


# --- the sandbox file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_sandbox_file_is_read_with_a_byte_order_mark_too(tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".env.sandbox").write_bytes("KTRDR_API_PORT=7003\nINSTANCE_ID=ktrdr--qä\n".encode(encoding))
    assert choose({}, {}, tmp_path).base_url == "http://localhost:7003"
    assert sandbox_settings(tmp_path / ".env.sandbox")["INSTANCE_ID"] == "ktrdr--qä"


def test_a_target_file_is_read_with_a_byte_order_mark_too(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_bytes("base_url = 'http://localhost:7000'".encode("utf-8-sig"))
    assert load(str(tmp_path / "own.toml")).base_url == "http://localhost:7000"


def test_a_sandbox_file_is_looked_for_in_the_folders_above_as_ktrdrs_own_command_line_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = tmp_path / "ktrdr--qa" / "tools" / "suite"
    suite.mkdir(parents=True)
    (tmp_path / "ktrdr--qa" / ".env.sandbox").write_text("KTRDR_API_PORT=7003\n")
    chosen = choose({}, {}, suite)
    assert chosen.base_url == "http://localhost:7003"
    assert chosen.chosen_by == f"KTRDR_API_PORT=7003 in {tmp_path / 'ktrdr--qa' / '.env.sandbox'}"
    # The nearest counts, and what a target file calls its checkout is nearer than a folder above.
    checkout = tmp_path / "other"
    checkout.mkdir()
    (checkout / ".env.sandbox").write_text("KTRDR_API_PORT=7004\n")
    written(tmp_path, f"[checkout]\ndirectory = '{checkout}'")
    assert choose({"target": str(tmp_path / "own.toml")}, {}, suite).base_url == "http://localhost:7004"
    (suite / ".env.sandbox").write_text("KTRDR_API_PORT=7005\n")
    assert choose({"target": str(tmp_path / "own.toml")}, {}, suite).base_url == "http://localhost:7005"
    # Not past the home directory: what is above belongs to others.
    (suite / ".env.sandbox").unlink()
    monkeypatch.setattr(Path, "home", lambda: suite.parent)
    assert choose({}, {}, suite).embedded_one


# --- settings that are seen and not used -----------------------------------------------------------------------


def test_the_address_of_ktrdrs_own_client_is_used_where_nothing_else_is_named(tmp_path: Path) -> None:
    own = {"KTRDR_API_CLIENT_BASE_URL": "http://localhost:8001/api/v1"}
    chosen = choose({}, own, tmp_path)
    assert chosen.base_url == "http://localhost:8001" and chosen.chosen_by == "KTRDR_API_CLIENT_BASE_URL"
    assert chosen.unused == ()
    # As in KTRDR's own client, the sandbox comes before it.
    (tmp_path / ".env.sandbox").write_text("KTRDR_API_PORT=8002\n")
    chosen = choose({}, own, tmp_path)
    assert chosen.base_url == "http://localhost:8002" and chosen.unused == ("KTRDR_API_CLIENT_BASE_URL",)
    with pytest.raises(BadConfiguration, match="KTRDR_API_CLIENT_BASE_URL: 'backend' is no address"):
        (tmp_path / ".env.sandbox").unlink()
        choose({}, {"KTRDR_API_CLIENT_BASE_URL": "backend"}, tmp_path)


def test_what_is_seen_and_not_used_is_told(tmp_path: Path) -> None:
    def unused(options: dict[str, str], **environment: str) -> tuple[str, ...]:
        return choose(options, environment, tmp_path).unused

    assert (
        unused(
            {}, PATH="/bin", KTRDR_LOG_LEVEL="INFO", KTRDR_ENV="development", KTRDR_DB_PORT="5432", KTRDR_IB_HOST="x"
        )
        == ()
    )
    assert unused({}, KTRDR_URL="x", KTRDR_API_HOST="y", ktrdr_api_url="z") == (
        "KTRDR_API_HOST",
        "KTRDR_URL",
        "ktrdr_api_url",
    )
    assert unused({}, KTRDR_API_URI="x", KTRDR_API_PROT="8000") == ("KTRDR_API_PROT", "KTRDR_API_URI")
    assert unused({}, KTRDR_API_URL=" ") == ("KTRDR_API_URL (it is empty)",)
    assert unused({}, KTRDR_API_URL="http://localhost:1", KTRDR_API_PORT="2") == ("KTRDR_API_PORT",)
    # Two that say the same are both used.
    assert unused({}, KTRDR_API_URL="http://localhost:2/", KTRDR_API_PORT="2") == ()
    assert unused({"target": "embedded"}, KTRDR_API_PORT="2") == ("KTRDR_API_PORT",)
    (tmp_path / ".env.sandbox").write_text("KTRDR_DB_PORT=5433\n")
    assert unused({}) == (f"{tmp_path / '.env.sandbox'} (it names no KTRDR_API_PORT)",)
    (tmp_path / ".env.sandbox").write_text("KTRDR_API_PORT=7003\n")
    assert unused({}, KTRDR_API_PORT="2") == (f"KTRDR_API_PORT in {tmp_path / '.env.sandbox'}",)
    assert unused({"target": "embedded"}) == (f"KTRDR_API_PORT in {tmp_path / '.env.sandbox'}",)


def unreadable(file: Path, how: str) -> None:
    if how == "directory":
        file.mkdir()
    else:
        file.symlink_to(file.name if how == "loop" else "nowhere")


@pytest.mark.parametrize("how", ["directory", "loop", "link to nowhere"])
def test_a_sandbox_file_that_is_no_file_is_told(tmp_path: Path, how: str) -> None:
    place = tmp_path / "in/here"
    place.mkdir(parents=True)
    for directory in (place, tmp_path):
        unreadable(directory / ".env.sandbox", how)
    told = [f"{directory / '.env.sandbox'} (it is no file that can be read)" for directory in (place, tmp_path)]
    assert list(choose({}, {}, place).unused) == told
    assert list(choose({}, {"KTRDR_API_PORT": "2"}, place).unused) == told
    # What is above the one that counts was not looked at.
    (place.parent / ".env.sandbox").write_text("KTRDR_API_PORT=7003\n")
    chosen = choose({}, {}, place)
    assert chosen.base_url == "http://localhost:7003" and list(chosen.unused) == told[:1]


@pytest.mark.parametrize("how", ["directory", "loop"])
def test_a_checkout_whose_sandbox_file_is_no_file_is_refused(tmp_path: Path, how: str) -> None:
    unreadable(tmp_path / ".env.sandbox", how)
    with pytest.raises(BadConfiguration) as caught:
        written(tmp_path, f"[checkout]\ndirectory = '{tmp_path}'")
    told = f"own.toml: checkout.directory: {tmp_path / '.env.sandbox'} is no file that can be read"
    assert str(caught.value).endswith(told)


# --- paths in a target file ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[checkout]\ndirectory = 'nowhere'", "checkout.directory: there is no directory nowhere"),
        ("[checkout]\ndirectory = '$HOME'", "checkout.directory: there is no directory {home}"),
        ("[checkout]\ndirectory = '$NOT_SET'", "checkout.directory: there is no directory $NOT_SET"),
        ("[checkout]\ndirectory = 'own.toml'", "checkout.directory: there is no directory own.toml"),
        ("[compose]\nfile = 'mine.yml'", "compose.file: there is no file mine.yml"),
        ("[checkout]\ndirectory = '.'\n[compose]\nfile = '~'", "compose.file: there is no file {home}"),
        ("[tls]\nca_file = '$HOME'", "tls.ca_file: there is no file {home}"),
        ("[checkout]\ndirectory = '~nosuchuser/x'", "checkout.directory: there is no directory ~nosuchuser/x"),
        ("[compose]\nfile = '~nosuchuser/x'", "compose.file: there is no file ~nosuchuser/x"),
        ("[tls]\nca_file = '~nosuchuser/x'", "~nosuchuser/x"),
        (f"[checkout]\ndirectory = '{'x' * 5000}'", "checkout.directory: there is no directory xxx"),
        (f"[compose]\nfile = '{'x' * 5000}'", "compose.file: there is no file xxx"),
        (f"[tls]\nca_file = '/{'x' * 5000}'", "tls.ca_file: there is no file /xxx"),
    ],
)
def test_a_path_that_does_not_exist_is_a_mistake_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(BadConfiguration) as caught:
        written(tmp_path, text)
    (line,) = str(caught.value).splitlines()
    assert words.format(home=tmp_path / "home") in line and "own.toml" in line


@pytest.mark.parametrize("beginning", ["~", "$HOME", "${HOME}"])
def test_the_home_directory_is_meant_by_its_short_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beginning: str
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    checkout = tmp_path / "ktrdr"
    checkout.mkdir()
    (checkout / "mine.yml").write_text("services: {}\n")
    (tmp_path / "ca.pem").write_text("")
    target = written(
        tmp_path,
        f"[checkout]\ndirectory = '{beginning}/ktrdr'\nshared_directory = '{beginning}/shared'\n"
        f"[compose]\nfile = '{beginning}/ktrdr/mine.yml'\n[tls]\nca_file = '{beginning}/ca.pem'\n",
    )
    assert target.checkout_directory == checkout and target.shared_directory == tmp_path / "shared"
    project = compose.project_of(target.at("http://localhost:8000"))
    assert project and project.file == str(checkout / "mine.yml")
    assert target.tls.ca_file == str(tmp_path / "ca.pem")


def test_a_limit_is_the_targets_or_the_sentences_and_is_stretched(tmp_path: Path) -> None:
    limits = written(tmp_path, "[limits]\ntime_factor = 2\ncancelled_s = 3").limits
    assert limits.seconds("cancelled_s", 2.0) == 6.0
    assert limits.seconds("running_s", 10.0) == 20.0


# --- the list of targets ---------------------------------------------------------------------------------------


def test_the_list_of_targets_is_one_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rule(asked: Asked) -> Answer:
        assert asked.headers.get("X-Key") == "very-secret"
        return Answer(200, '{"status": "ok", "version": "1.2.3"}')

    with proxy("http://127.0.0.1:9", rule) as url:
        (tmp_path / "answers.toml").write_text(f"base_url = '{url}'\n[headers]\nX-Key = '${{NAMED_KEY}}'")
        (tmp_path / "broken.toml").write_text("kin = 'live'\nbase_ur = 'x'")
        (tmp_path / "silent.toml").write_text("base_url = 'http://127.0.0.1:9'")
        (tmp_path / "embedded.toml").write_text("kind = 'embedded'")
        monkeypatch.setattr(target_module, "TARGETS", tmp_path)
        monkeypatch.chdir(tmp_path)
        said: list[str] = []
        assert list_targets(said.append, {"NAMED_KEY": "very-secret"}) == 1
    lines = {line.split()[0]: line for line in said}
    assert len(said) == 5
    assert 'answers, status "ok", version 1.2.3' in lines["answers"] and "very-secret" not in lines["answers"]
    assert "did you mean 'kind'?" in lines["broken"] and "did you mean 'base_url'?" in lines["broken"]
    assert "does not answer: nothing listens at 127.0.0.1:9" in lines["silent"]
    assert "launched when it is used" in lines["embedded"]


def test_a_bad_file_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {
        "home": "[checkout]\ndirectory = '~nosuchuser/x'",
        "digits": f"[limits]\nanswer_s = {'9' * 5000}",
        "deep": f"a = {'[' * 100_000}",
        "long": f"[compose]\nfile = '{'x' * 5000}'",
    }
    for name, text in bad.items():
        (tmp_path / f"{name}.toml").write_text(text)
    (tmp_path / "dd.toml").mkdir()
    (tmp_path / "embedded.toml").write_text("kind = 'embedded'")
    monkeypatch.setattr(target_module, "TARGETS", tmp_path)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    assert list_targets(said.append, {}) == 1
    lines = {line.split()[0]: line for line in said}
    assert set(lines) == {*bad, "dd", "embedded", "without"} and len(said) == 7
    assert all("cannot be used: " in lines[name] for name in (*bad, "dd"))
    assert "launched when it is used" in lines["embedded"]


@pytest.mark.parametrize("argument", ["--help", "nosuch"])
def test_the_list_of_targets_takes_no_arguments(argument: str) -> None:
    command = [sys.executable, "-m", "ktrdr_qa.target", argument]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    told = f"python -m ktrdr_qa.target lists all targets and takes no arguments (it was given {argument})\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", told)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(500, '{"detail": "boom"}'), "answers, but not as a healthy KTRDR does: HTTP 500: boom"),
        (Answer(401, '{"detail": "who?"}'), "answers, but not as a healthy KTRDR does: HTTP 401: not authorised: who?"),
        (Answer(200, "[]"), "answers, but not as a healthy KTRDR does: the answer to GET /api/v1/health has no field"),
        (Answer(200, '{"status": "degraded"}'), 'answers, status "degraded"'),
    ],
    ids=["500", "401", "list", "degraded"],
)
def test_a_target_that_answers_is_not_called_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, words: str
) -> None:
    monkeypatch.setattr(target_module, "TARGETS", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "embedded.toml").write_text("kind = 'embedded'")
    said: list[str] = []
    with proxy("http://127.0.0.1:9", lambda asked: answer) as url:
        (tmp_path / "one.toml").write_text(f"base_url = '{url}'")
        assert list_targets(said.append, {"KTRDR_URL": "http://localhost:1"}) == 0
    assert words in next(line for line in said if line.startswith("one"))
    assert said[-1] == "without -D target=NAME: embedded (seen and not used: KTRDR_URL)"


# --- through the whole of Behave -------------------------------------------------------------------------------


def test_the_same_platform_gets_the_same_verdict_however_it_is_named(place: Place) -> None:
    with started(*LAG_0) as platform:
        by_url = place.behave("features/backtest_cancellation.feature", KTRDR_API_URL=platform.url).passed()
        by_port = place.behave("features/backtest_cancellation.feature", KTRDR_API_PORT=str(platform.port)).passed()
        by_name = place.live(platform.url).passed()
        place.write(".env.sandbox", f"KTRDR_API_PORT={platform.port}\n")
        by_file = place.behave("features/backtest_cancellation.feature").passed()
        assert platform.active() == []
    told = [run.summary for run in (by_url, by_port, by_name, by_file)]
    for run in (by_url, by_port, by_name, by_file):
        run.processor_was_read()
    assert (
        len({str([(c["check"], c["verdict"]) for c in t["checks"] if "processor" not in c["check"]]) for t in told})
        == 1
    )
    assert len({str([s["outcome"] for s in t["scenarios"] if "processor" not in s["name"]]) for t in told}) == 1
    assert [t["target"]["chosen_by"].split("=")[0].split(" ")[0] for t in told] == [
        "KTRDR_API_URL",
        "KTRDR_API_PORT",
        "-D",
        "KTRDR_API_PORT",
    ]
    assert all(t["target"]["kind"] == "live" for t in told)


def test_a_configured_target_that_does_not_answer_is_inconclusive_and_never_the_embedded_one(place: Place) -> None:
    ran = place.behave("features/backtest_cancellation.feature", KTRDR_API_PORT="9").inconclusive()
    assert "nothing listens at localhost:9 (connection refused)" in ran.reasons
    assert "EMBEDDED" not in ran.output and ran.summary["target"]["kind"] == "live"


SECRET = "s3cr3t-t0ken-0123456789"


def test_a_token_from_the_environment_never_shows(place: Place) -> None:
    with started(*LAG_0) as platform:

        def rule(asked: Asked) -> Answer | None:
            if asked.headers.get("Authorization") != f"Bearer {SECRET}":
                return Answer(401, '{"detail": "who are you?"}')
            if asked.path.startswith("/api/v1/workers") and asked.method == "GET":
                echoed = asked.forward()
                return Answer(200, echoed.body, headers={"X-You-Sent": SECRET})
            if asked.path.startswith("/api/v1/strategies"):
                return Answer(500, f'{{"detail": "unexpected, you sent {SECRET}"}}')
            return None

        with proxy(platform.url, rule) as url:
            more = BRISK + '[headers]\nAuthorization = "Bearer ${OWN_TOKEN}"\nX-Trace = "${OWN_TOKEN}"\n'
            ran = place.live(url, more=more, OWN_TOKEN=SECRET).passed()
            assert platform.active() == []
            refused = place.live(url, more=more, OWN_TOKEN="another-t0ken-987").inconclusive()
    assert "HTTP 401: not authorised: who are you?; set the header under [headers]" in refused.reasons
    _nowhere(place.path, SECRET, ran.output)
    _nowhere(place.path, "another-t0ken-987", refused.output)
    curls = [
        f.read_text()
        for f in place.path.glob("reports/allure-results/*")
        if "curl -s" in f.read_text("utf-8", "replace")
    ]
    assert any("Authorization: ***" in text and "X-Trace: ***" in text for text in curls)


def _nowhere(directory: Path, secret: str, output: str) -> None:
    assert secret not in output
    written_files = [f for f in (directory / "reports").rglob("*") if f.is_file()]
    assert len(written_files) > 5
    assert [f for f in written_files if secret.encode() in f.read_bytes()] == []


def test_a_token_that_is_not_set_is_one_clear_line(place: Place) -> None:
    console = place.live("http://127.0.0.1:9", more='[headers]\nAuthorization = "Bearer ${OWN_TOKEN}"').refused()
    assert "headers name the environment variable OWN_TOKEN, which is not set; export OWN_TOKEN=... first" in console


# --- TLS -------------------------------------------------------------------------------------------------------


@contextmanager
def tls_front(directory: Path, upstream: str) -> Iterator[str]:
    """A self-signed https front on loopback, before a platform."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    named = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *named], check=True, capture_output=True)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            answer = Asked(self.command, self.path, body, dict(self.headers), upstream, threading.Event()).forward()
            assert isinstance(answer.body, bytes)
            self.send_response(answer.status)
            self.send_header("content-type", answer.kind)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_DELETE = _do  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """A client that does not trust us is what is being tested."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_tls_is_refused_in_one_sentence_and_works_with_the_ca_file_or_without_verifying(place: Place) -> None:
    with started(*LAG_0) as platform, tls_front(place.path, platform.url) as url:
        refused = place.live(url).inconclusive()
        assert "the certificate of localhost:" in refused.reasons and "is not trusted" in refused.reasons
        assert "see [tls]" in refused.reasons
        place.live(url, more=BRISK + '[tls]\nca_file = "certificate.pem"\n').passed()
        ran = place.live(url, more=BRISK + "[tls]\nverify = false\n").passed()
        assert "Warning" not in ran.output
        assert platform.active() == []


@pytest.mark.parametrize(
    "row", [row for row in faults.table() if row.arguments or row.limits], ids=lambda row: row.name
)
def test_a_fault_is_shown_with_what_it_needs_to_show(row: faults.FaultRow, tmp_path: Path) -> None:
    chosen = choose({"fault": row.name}, {}, tmp_path)
    plain = choose({}, {}, tmp_path).embedded.arguments
    assert chosen.embedded.arguments == [*plain, *row.arguments, "--fault", row.name]
    assert chosen.faults == (f"{row.name}: {row.sentence}",)
    assert chosen.chosen_by == f"no KTRDR was named, with the fault {row.name}"
    for name, limit_s in tomllib.loads(row.limits).items():
        assert getattr(chosen.limits, name) == limit_s


def test_what_faults_need_goes_before_what_a_target_file_says(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('kind = "embedded"\n[embedded]\narguments = ["--workers", "4"]\n[limits]\nwatched_s = 3\n')
    late, several = "after-completed-4-s-later", "cancel-fails-another"
    chosen = choose({"target": str(own), "fault": f"{late},{several}"}, {}, tmp_path)
    assert chosen.limits.watched_s == 6 and len(chosen.faults) == 2
    needed = ["--neighbour", "--workers", "3"]
    assert chosen.embedded.arguments == ["--workers", "4", *needed, "--fault", late, "--fault", several]
