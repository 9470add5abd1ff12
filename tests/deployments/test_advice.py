"""Each thing that goes wrong on the way to KTRDR has the advice that mends it, and no other."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import requests
import urllib3

from honest_behave.outcomes import PlatformNotReady
from ktrdr_qa.act.preflight import Preflight
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange, Transcript
from ktrdr_qa.platform.refusals import describe_refusal, plainly
from ktrdr_qa.target.sections import read
from ktrdr_qa.target.settings import Target
from tests.deployments.proxy import Answer, Asked, Closed, proxy

START = "start KTRDR, or say where it is"
NOWHERE = "http://127.0.0.1:9"


def told_of_health(url: str, **changed: Any) -> str:
    target = read(Target, changed).at(url, "the test")
    with pytest.raises(PlatformNotReady) as caught:
        Preflight(target, Client(url, Transcript(), timeout_s=0.5)).api_health()
    return str(caught.value)


def closed(asked: Asked) -> Answer:
    raise Closed


def never(asked: Asked) -> Answer:
    asked.pause(10)
    raise Closed


@pytest.mark.parametrize(
    ("rule", "advice"),
    [
        (lambda a: Answer(500, '{"detail": "boom"}'), "KTRDR runs, but is not well: look at its log"),
        (lambda a: Answer(200, '{"status": "degraded"}'), "KTRDR runs, but is not well: look at its log"),
        (lambda a: Answer(503, '{"detail": "starting"}'), "it may be starting: wait; else look at its log"),
        (lambda a: Answer(502, "<html>", "text/html"), "start KTRDR behind that proxy"),
        (lambda a: Answer(429, "{}"), "wait, or have the limit raised"),
        (lambda a: Answer(404, "not here", "text/plain"), "what answers there is no KTRDR API: say where KTRDR is"),
        (lambda a: Answer(200, "<html>", "text/html"), "what answers there is no KTRDR API: say where KTRDR is"),
        (lambda a: Answer(200, "[1]"), "what answers there is no KTRDR API: say where KTRDR is"),
        (never, "something listens there, but does not answer: look at KTRDR's log, or give it longer with answer_s"),
        (closed, "something listens there, but closes the connection: look at KTRDR's log"),
    ],
    ids=["500", "degraded", "503", "502", "429", "404", "html", "list", "never", "closed"],
)
def test_an_api_that_is_not_healthy_has_the_advice_that_fits(rule: Any, advice: str) -> None:
    with proxy(NOWHERE, rule) as url:
        told = told_of_health(url)
    assert f"advice: {advice}" in told and START not in told


@pytest.mark.parametrize(
    "answer",
    [
        Answer(401, '{"detail": "who?"}'),
        Answer(403, '{"detail": "no"}'),
        Answer(302, "", headers={"Location": "https://login.example/"}),
    ],
    ids=["401", "403", "302"],
)
def test_what_tells_its_own_cure_has_no_further_advice(answer: Answer) -> None:
    with proxy(NOWHERE, lambda asked: answer) as url:
        told = told_of_health(url)
    assert "advice" not in told and "cure" not in told


def test_only_where_nothing_listens_ktrdr_is_to_be_started() -> None:
    assert START in told_of_health(NOWHERE)
    assert "say where KTRDR is: " in (told := told_of_health("http://ktrdr.invalid:8000")) and START not in told
    assert "advice: run again" in (told := told_of_health(NOWHERE, kind="embedded")) and START not in told


# --- the words of the client -----------------------------------------------------------------------------------


def redirected(url: str, location: str, status: int = 307) -> str:
    return describe_refusal(Exchange("GET", url, 0.0, 0.1, status=status, answer_headers={"Location": location}))


@pytest.mark.parametrize(
    ("url", "location", "words"),
    [
        ("http://k:8000/api/v1/workers", "/api/v1/workers/", "only with the slash at its end"),
        ("http://k:8000/metrics/", "http://k:8000/metrics", "only without the slash at its end"),
        ("http://k/api/v1/workers", "https://k/api/v1/workers", "set base_url to https://k"),
        ("http://k/api/v1/workers", "https://k/api/v1/workers?x=1", "set base_url to https://k"),
        ("http://k/api/v1/health", "http://k/ktrdr/api/v1/health", "set base_url to http://k/ktrdr"),
        (
            "https://k/api/v1/workers",
            "http://backend:8000/api/v1/workers/",
            "has to pass on Host and X-Forwarded-Proto",
        ),
        ("https://k/api/v1/workers", "http://k/api/v1/workers/", "has to pass on Host and X-Forwarded-Proto"),
        (
            "https://k/api/v1/health",
            "https://login.example/",
            "or, where that is a login, set the header under [headers]",
        ),
        ("https://k/api/v1/health", "", "a redirect to nowhere"),
    ],
)
def test_a_redirect_says_what_it_means(url: str, location: str, words: str) -> None:
    told = redirected(url, location)
    assert told.startswith("HTTP 307: a redirect to ") and words in told
    assert ("set base_url" in told) == ("base_url" in words or "login" in words)


def test_a_header_that_was_sent_and_refused_is_told() -> None:
    sent = Exchange("GET", "https://k/x", 0.0, 0.1, status=401, headers={"Authorization": "***"})
    assert "the one that was sent is not accepted" in describe_refusal(sent)
    unsent = Exchange("GET", "https://k/x", 0.0, 0.1, status=401, headers={"X-Trace": "1"})
    assert "the one that was sent" not in describe_refusal(unsent)


@pytest.mark.parametrize(
    ("error", "kind", "words", "not_words"),
    [
        ("certificate verify failed: self-signed certificate", "certificate", "is not trusted (", "client_cert"),
        ("certificate verify failed: unable to get local issuer certificate", "certificate", "ca_file", "expired"),
        ("certificate verify failed: certificate has expired", "certificate", "has expired", "ca_file"),
        (
            "certificate verify failed: Hostname mismatch, certificate is not valid for 'k'",
            "certificate",
            "is for another name",
            "ca_file",
        ),
        ("certificate verify failed: IP address mismatch", "certificate", "is for another name", "ca_file"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "tls", "does not speak https", "ca_file"),
        ("[SSL] record layer failure", "tls", "does not speak https", "ca_file"),
        ("tlsv13 alert certificate required", "certificate", "client_certificate under [tls]", "not trusted"),
        ("sslv3 alert handshake failure", "certificate", "client_certificate under [tls]", "not trusted"),
        ("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred", "tls", "no https connection", "not trusted"),
    ],
)
def test_each_way_in_which_https_fails(error: str, kind: str, words: str, not_words: str) -> None:
    for sort in (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError):
        told, found = plainly(sort(error), "https://k:8443/api", 1.0)
        assert found == kind and words in told and not_words not in told and "k:8443" in told


def test_a_proxy_of_this_host_and_a_way_that_is_closed_are_no_stopped_ktrdr() -> None:
    refused = requests.exceptions.ProxyError("Unable to connect to proxy: Connection refused")
    told, kind = plainly(refused, "https://ktrdr.example/api", 1.0)
    assert kind == "proxy" and "HTTPS_PROXY" in told and "nothing listens" not in told
    unreachable = requests.exceptions.ConnectionError("[Errno 113] No route to host")
    told, kind = plainly(unreachable, "http://10.0.0.9:8000/api", 1.0)
    assert kind == "unreachable" and "no way from here to 10.0.0.9:8000" in told
