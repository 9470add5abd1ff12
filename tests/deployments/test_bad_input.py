"""Wrong settings and servers that are no KTRDR: one clear line each, exit status not 0, no traceback."""

from __future__ import annotations

import pytest

from tests.deployments.harness import MAIN, Place
from tests.deployments.proxy import Answer, Asked, Closed, Reset, proxy

NOWHERE = "http://127.0.0.1:9"
HASTY = "[limits]\nanswer_s = 0.7\n"


def the_line(console: str, words: str) -> str:
    """The one line of the console's last words that has these words."""
    lines = [line.strip() for line in console.splitlines() if words in line]
    assert lines, f"no line says {words!r}:\n{console}"
    return lines[-1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["target=sandbx"], "no target 'sandbx'"),
        (["target=sandbx"], "did you mean 'sandbox'?"),
        (["target=elsewhere.toml"], "elsewhere.toml does not exist; there are: embedded, sandbox"),
        (["tagret=sandbox"], "-D tagret=sandbox: unknown option; did you mean 'target'?"),
        (
            ["url=http://localhost:8000"],
            "-D url=http://localhost:8000: unknown option; name the address with KTRDR_API",
        ),
        (["port=8001"], "-D port=8001: unknown option; name the port with KTRDR_API_PORT=PORT"),
        (["TARGET=sandbox"], "-D TARGET=sandbox: unknown option; did you mean 'target'?"),
        (["target="], "-D target= names nothing; there are: embedded, sandbox"),
        (["target=gone.toml"], "gone.toml: checkout.directory: there is no directory gone"),
        (["cure=maybe"], "-D cure=maybe: expected on or off"),
        (["disturb=1"], "-D disturb=1: expected on or off"),
        (["fault=no-such-fault"], "no-such-fault"),
        (["fault="], "-D fault names no fault; expected -D fault=NAME, and python -m standin --list-faults"),
        (["fault"], "-D fault names no fault; expected -D fault=NAME, and python -m standin --list-faults"),
        (["target=sandbox", "fault=cancel-ignored"], "faults are the embedded KTRDR's, and the target is sandbox"),
        (["target=own.toml"], "own.toml: unknown key 'base_ur'; did you mean 'base_url'?"),
        (["target=own.toml"], "own.toml: limits.running_s: Input should be greater than 0 (it is 0)"),
        (["target=mad.toml"], "the embedded KTRDR did not start: "),
    ],
)
def test_a_wrong_option_is_one_clear_line(place: Place, options: list[str], words: str) -> None:
    place.write("own.toml", 'base_ur = "x"\n[limits]\nrunning_s = 0\n')
    place.write("gone.toml", '[checkout]\ndirectory = "gone"\n')
    place.write("mad.toml", 'kind = "embedded"\n[embedded]\narguments = ["--workers", "none"]\n')
    ran = place.behave(MAIN, *[word for option in options for word in ("-D", option)])
    console = ran.refused()
    assert words in the_line(console, words)
    means = "nothing was learnt" if "did not start" in console else "a setting is wrong, so nothing was learnt"
    assert f"INCONCLUSIVE: {means} about cancellation" in console
    assert "EMBEDDED" not in console or "did not start" in words or "fault" in words


def test_a_port_that_is_no_number(place: Place) -> None:
    console = place.behave(MAIN, KTRDR_API_PORT="eight").refused()
    assert "KTRDR_API_PORT in the environment is 'eight'; expected a port number between 1 and 65535" in console


def test_a_port_in_the_sandbox_file_that_is_no_number(place: Place) -> None:
    place.write(".env.sandbox", "KTRDR_API_PORT=eight\n")
    console = place.behave(MAIN).refused()
    assert ".env.sandbox is 'eight'; expected a port number" in console


def test_an_address_that_is_none(place: Place) -> None:
    console = place.behave(MAIN, KTRDR_API_URL="localhost:8000").refused()
    assert "KTRDR_API_URL: 'localhost:8000' is no address; expected for example http://localhost:8000" in console


def test_settings_that_are_seen_and_not_used_stand_in_the_banner(place: Place) -> None:
    ran = place.live(NOWHERE, KTRDR_API_PORT="8001", KTRDR_URL="http://localhost:8002").inconclusive()
    assert "seen and not used: KTRDR_API_PORT, KTRDR_URL" in ran.output


def test_a_sandbox_file_in_a_folder_above_is_used(place: Place) -> None:
    (place.path.parent / ".env.sandbox").write_bytes("KTRDR_API_PORT=9\n".encode("utf-8-sig"))
    ran = place.behave(MAIN).inconclusive()
    assert "nothing listens at localhost:9" in ran.reasons and "EMBEDDED" not in ran.output


def test_nothing_listens(place: Place) -> None:
    ran = place.live(NOWHERE).inconclusive()
    assert "nothing listens at 127.0.0.1:9 (connection refused)" in ran.reasons
    assert "chosen by: -D target=own.toml" in ran.output


def test_a_host_name_that_does_not_exist(place: Place) -> None:
    ran = place.live("http://ktrdr.invalid:8000").inconclusive()
    assert "the host name of ktrdr.invalid:8000 cannot be resolved from here" in ran.reasons


def drip(asked: Asked) -> Answer:
    return Answer(200, '{"status": "ok", "and": "so on"}', drip_s=0.2)


def never(asked: Asked) -> Answer:
    asked.pause(60)
    raise Closed


def reset(asked: Asked) -> Answer:
    raise Reset


def closed(asked: Asked) -> Answer:
    raise Closed


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            lambda a: Answer(200, "<html>hello</html>", "text/html"),
            "no JSON: <html>hello</html>; is this address really",
        ),
        (lambda a: Answer(200, "{'status': ok"), "half an answer or invalid JSON: {'status': ok"),
        (lambda a: Answer(200, ""), "an empty body; is this address really a KTRDR API?"),
        (lambda a: Answer(200, "[1, 2]"), "has no field status; it was: [1, 2]"),
        (
            lambda a: Answer(200, '{"status": "ok", "so": "on"}', cut=9),
            "half an answer: the connection closed before its end",
        ),
        (lambda a: Answer(200, '{"status": "degraded"}'), 'the API says of itself: status "degraded"'),
        (lambda a: Answer(404, "not here", "text/plain"), "HTTP 404: not here"),
        (lambda a: Answer(401, '{"detail": "no token"}'), "HTTP 401: not authorised: no token; set the header under"),
        (
            lambda a: Answer(429, '{"detail": "slow down"}', headers={"Retry-After": "7"}),
            "HTTP 429: the platform limits the rate of requests and asks to wait 7 s: slow down",
        ),
        (
            lambda a: Answer(502, "<html><h1>502 Bad Gateway</h1></html>", "text/html"),
            "HTTP 502: a proxy answers, KTRDR behind it does not",
        ),
        (
            lambda a: Answer(302, "", headers={"Location": "https://login.example/"}),
            "HTTP 302: a redirect to https://login.example/; set base_url to the address itself",
        ),
        (drip, "no answer within 0.7 s"),
        (never, "no answer within 0.7 s"),
        (reset, "the connection was closed without an answer"),
        (closed, "the connection was closed without an answer"),
    ],
    ids=[
        "html",
        "json",
        "empty",
        "list",
        "half",
        "degraded",
        "404",
        "401",
        "429",
        "502",
        "redirect",
        "drips",
        "never",
        "reset",
        "closed",
    ],
)
def test_a_server_that_is_no_ktrdr(place: Place, rule, words: str) -> None:  # type: ignore[no-untyped-def]
    with proxy(NOWHERE, rule) as url:
        ran = place.live(url, more=HASTY).inconclusive()
    (reason,) = [r for r in ran.summary["reasons"] if not r.startswith("not checked")]
    assert words in reason
    assert words in the_line(ran.output, words)
