"""KTRDR's HTTP interface: every exchange is recorded, everything has a time limit, answers are read with care.

Three things can go wrong with a request, and each is an exception of its own:

* ``NoAnswer``: nothing understandable came back (refused, reset, timed out, a certificate, half an answer).
* ``Refused``: an answer with an error status; it carries KTRDR's own words, whichever of its three shapes it used.
* ``UnexpectedAnswer``: a success status with a body that lacks what the contract says.
"""

from __future__ import annotations

import json
import shlex
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from jsonpath_ng.parser import parse as parse_jsonpath

from ktrdr_qa.platform.body import Body
from ktrdr_qa.words import cut, plain, plain_value

ANSWER_LIMIT_BYTES = 100_000_000
"""A longer answer is given up: it would take longer than any time limit."""
KEPT_CHARACTERS, KEPT_ITEMS, KEPT_TEXT = 8_000, 20, 300
"""What the transcript keeps of a long answer: its beginning, and an outline of what it says."""
MASK = "***"
TRY_AGAIN_S = 0.3
LONGEST_PAUSE_S = 10.0
"""The longest that a 429's Retry-After is obeyed: beyond it the gap would be no evidence for anything."""
UNSAID_PAUSE_S = 0.5
"""How long a 429 that does not say when is waited for."""
PAUSES = 2
SHORTEST_SECRET = 4
"""Shorter ones are masked in headers only: they would stand anywhere by chance."""
_TELLING_SECRETS = (
    "authorization",
    "cookie",
    "token",
    "secret",
    "password",
    "api-key",
    "apikey",
    "credential",
)


class TransportError(Exception):
    """A request that did not end in a usable answer; ``exchange`` is what was recorded of it."""

    def __init__(self, message: str, exchange: Exchange):
        super().__init__(message)
        self.exchange = exchange

    @property
    def passing(self) -> bool:
        """Whether the same request may well be answered a moment later: the network or a gateway lost this one."""
        gateway = self.exchange.status in (429, 502, 504)
        return gateway or self.exchange.problem_kind in ("closed", "half", "invalid JSON", "unreachable", "other")


class NoAnswer(TransportError):
    """Nothing understandable came back. ``refused`` means that nobody listens there any more."""

    @property
    def refused(self) -> bool:
        return self.exchange.problem_kind == "refused"


class Refused(TransportError):
    """An answer with an error status."""

    @property
    def status(self) -> int:
        return self.exchange.status or 0


class UnexpectedAnswer(TransportError):
    """A success status, but a body that is not what the contract says."""


@dataclass(frozen=True)
class Exchange:
    """One request and what came of it. ``at_s`` is on the clock of the history; headers are masked already."""

    method: str
    url: str
    at_s: float
    took_s: float
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    answer: Any = None
    answer_text: str = ""
    answer_bytes: int = 0
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    problem_kind: str = ""
    purpose: str = ""
    step: str = ""

    def in_short(self) -> Exchange:
        """This exchange with no more of a long answer than a reader of the transcript needs."""
        if len(self.answer_text) <= KEPT_CHARACTERS:
            return self
        outline = plain_value(self.answer, str, most=KEPT_ITEMS, longest=KEPT_TEXT)
        return replace(self, answer=outline, answer_text=self.answer_text[:KEPT_CHARACTERS])

    @property
    def answered_s(self) -> float:
        return self.at_s + self.took_s

    @property
    def curl(self) -> str:
        """The line that repeats this request in a shell, secrets masked."""
        parts = ["curl", "-s"]
        if self.method != "GET":
            parts += ["-X", self.method]
        parts.append(self.url)
        for name, value in self.headers.items():
            parts += ["-H", f"{name}: {value}"]
        if self.body is not None:
            parts += ["-H", "Content-Type: application/json", "-d", json.dumps(self.body)]
        return " ".join(shlex.quote(p) for p in parts)

    def find(self, path: str, default: Any = None) -> Any:
        """The first value at a JSONPath in the answer, or ``default`` where there is none."""
        return next((m.value for m in _jsonpath(path).find(self.answer)), default)

    def need(self, path: str) -> Any:
        """The value at a JSONPath in the answer.

        Raises ``UnexpectedAnswer`` in one clear sentence where it is missing.
        """
        found = _jsonpath(path).find(self.answer)
        if not found:
            shown = path.removeprefix("$.")
            raise UnexpectedAnswer(
                f"the answer to {self.method} {urlsplit(self.url).path} has no field {shown}; it was: "
                f"{shortened(self.answer_text)}",
                self,
            )
        return found[0].value


@lru_cache(maxsize=256)
def _jsonpath(path: str) -> Any:
    return parse_jsonpath(path)


def shortened(text: str, limit: int = 200) -> str:
    """Text on one line, cut to ``limit`` characters, for use inside a message."""
    return cut(" ".join(text[: 20 * limit].split()), limit) or "(empty)"


class Transcript:
    """Every exchange of a run, in order and in short; the steps attach what is new since they last looked."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._lock = threading.Lock()
        self.step = ""

    def add(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.append(exchange.in_short())

    def since(self, mark: int) -> list[Exchange]:
        with self._lock:
            return self._exchanges[mark:]

    def __len__(self) -> int:
        return len(self._exchanges)


class Client:
    """Speaks to one base URL; make one for each thread with ``clone``, they share the transcript.

    ``headers`` are sent with every request and shown masked wherever their names tell a secret.
    """

    def __init__(
        self,
        base_url: str,
        transcript: Transcript,
        *,
        clock: Callable[[], float] = time.monotonic,
        timeout_s: float = 5.0,
        headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
        certificate: str | tuple[str, str] | None = None,
        secrets: Collection[str] = (),
    ):
        self.base_url = base_url.rstrip("/")
        self.transcript = transcript
        self.timeout_s = timeout_s
        self._clock = clock
        self._headers = dict(headers or {})
        self._verify = verify
        self._certificate = certificate
        own = {word for k, v in self._headers.items() if tells_a_secret(k) for word in v.split()[-1:]}
        long_ones = {s for s in {*secrets, *own} if len(s) >= SHORTEST_SECRET}
        self._secrets = tuple(sorted(long_ones, key=len, reverse=True))
        self._session = requests.Session()
        if verify is False:
            # The target file says so: the reader needs no warning with each request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        # Without it a .netrc would replace the configured Authorization, unseen.
        self._session.auth = lambda request: request
        # A proxy meant for the outside would hide whether the platform on this host answers.
        self._session.trust_env = urlsplit(base_url).hostname not in ("localhost", "127.0.0.1", "::1")

    def clone(self, base_url: str | None = None, *, trusted: bool = True) -> Client:
        """The same settings for another thread or address; ``trusted=False`` leaves the headers at home."""
        return Client(
            base_url or self.base_url,
            self.transcript,
            clock=self._clock,
            timeout_s=self.timeout_s,
            headers=self._headers if trusted else {},
            verify=self._verify,
            certificate=self._certificate,
            secrets=self._secrets,
        )

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, purpose: str = "", *, tries: int = 1, **options: Any) -> Exchange:
        """Read something; ``tries`` is for what is read once only, where a lost answer would otherwise be a verdict."""
        return self._repeated(tries, lambda: self.exchange("GET", path, purpose=purpose, **options))

    def post(
        self, path: str, body: Any = None, purpose: str = "", *, patiently: bool = False, **options: Any
    ) -> Exchange:
        """``patiently``: where the platform limits the rate of requests, wait as it asks and send it again.

        At most ``PAUSES`` times, and never longer than ``LONGEST_PAUSE_S``: then the refusal is raised. What is
        returned or raised is the last exchange alone, so that no waiting counts as KTRDR's.
        """
        return self._waiting_as_asked(
            patiently, lambda: self.exchange("POST", path, body=body, purpose=purpose, **options)
        )

    def delete(
        self, path: str, purpose: str = "", *, tries: int = 1, patiently: bool = False, **options: Any
    ) -> Exchange:
        """``tries`` as in ``get``, ``patiently`` as in ``post``."""

        def send() -> Exchange:
            return self._repeated(tries, lambda: self.exchange("DELETE", path, purpose=purpose, **options))

        return self._waiting_as_asked(patiently, send)

    def _waiting_as_asked(self, patiently: bool, send: Callable[[], Exchange]) -> Exchange:
        for _ in range(PAUSES if patiently else 0):
            try:
                return send()
            except Refused as refused:
                pause_s = asked_pause_s(refused)
                if refused.status != 429 or pause_s > LONGEST_PAUSE_S:
                    raise
            time.sleep(pause_s)
        return send()

    def _repeated(self, tries: int, send: Callable[[], Exchange]) -> Exchange:
        for _ in range(tries - 1):
            try:
                return send()
            except TransportError as error:
                if not error.passing:
                    raise
                threading.Event().wait(TRY_AGAIN_S)
        return send()

    def exchange(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        purpose: str = "",
        timeout_s: float | None = None,
        json_expected: bool = True,
    ) -> Exchange:
        """Send one request and return its recorded exchange, which has a success status.

        Raises ``NoAnswer``, ``Refused`` or ``UnexpectedAnswer``; a redirect is followed only to another spelling
        of the same address (KTRDR's slashes), never to another host.
        """
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        url = self.base_url + path
        began_s = self._clock()
        answer: _Answer | None = None
        problem = kind = ""
        try:
            answer = self._send(method, url, body, limit_s)
            if method == "GET" and answer.same_place(url):
                answer = self._send(method, answer.location(url), body, limit_s)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            problem, kind = _plainly(error, url, limit_s)
        took_s = self._clock() - began_s
        if answer is not None:
            answer = answer.made_safe(self._safe)
            if answer.problem:
                problem, kind = f"half an answer or invalid JSON: {shortened(answer.text)}", "invalid JSON"
        problem = self._safe(problem)
        exchange = Exchange(
            method=method,
            url=url,
            at_s=began_s,
            took_s=took_s,
            body=body,
            headers={k: MASK if tells_a_secret(k) else self.masked(v) for k, v in self._headers.items()},
            status=answer.status if answer else None,
            answer=answer.value if answer else None,
            answer_text=answer.text if answer else "",
            answer_bytes=answer.size if answer else 0,
            answer_headers=answer.headers if answer else {},
            problem=problem,
            problem_kind=kind,
            purpose=purpose,
            step=self.transcript.step,
        )
        self.transcript.add(exchange)
        return self._checked(exchange, answer, json_expected)

    def _safe(self, text: str) -> str:
        return plain(self.masked(text))

    def masked(self, text: str) -> str:
        """The text without the secrets: a platform may repeat in its answer what it was sent."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def _checked(self, exchange: Exchange, answer: _Answer | None, json_expected: bool) -> Exchange:
        what = f"{exchange.method} {exchange.url}"
        if answer is None or exchange.problem_kind not in ("", "invalid JSON"):
            raise NoAnswer(f"{what}: {exchange.problem}", exchange)
        if answer.status >= 300:
            raise Refused(f"{what}: {describe_refusal(exchange)}", exchange)
        if exchange.problem:
            raise NoAnswer(f"{what}: {exchange.problem}", exchange)
        if json_expected and exchange.answer is None:
            seen = "an empty body" if not answer.text.strip() else f"no JSON: {shortened(answer.text, 120)}"
            raise UnexpectedAnswer(
                f"{what}: HTTP {answer.status} with {seen}; is this address really a KTRDR API?", exchange
            )
        return exchange

    def _send(self, method: str, url: str, body: Any, limit_s: float) -> _Answer:
        """One request with a limit on the whole of it: a server that drips bytes must not hold the suite."""
        deadline_s = time.monotonic() + limit_s
        # A kept connection may be closed by the server at any moment. A reading that is lost so is a gap, but a
        # start or a cancel must not be: these go over a fresh one, as the recipe's curl does.
        kept = {} if method == "GET" else {"Connection": "close"}
        if kept:
            self._session.close()
        with self._session.request(
            method,
            url,
            json=body,
            headers={**self._headers, **kept},
            timeout=(limit_s, limit_s),
            allow_redirects=False,
            stream=True,
            verify=self._verify,
            cert=self._certificate,
        ) as response:
            size = 0

            def read(most: int) -> bytes:
                nonlocal size
                piece = bytes(response.raw.read1(most, decode_content=True))
                size += len(piece)
                if time.monotonic() > deadline_s:
                    raise requests.ReadTimeout("the answer came in drips")
                if size > ANSWER_LIMIT_BYTES:
                    raise requests.RequestException(f"an answer of over {ANSWER_LIMIT_BYTES} bytes")
                return piece

            named = "json" in response.headers.get("content-type", "")
            body = Body(read, response.encoding or "utf-8", json_named=named)
            expected = response.headers.get("content-length", "")
            if expected.isdigit() and "content-encoding" not in response.headers and size < int(expected):
                raise requests.exceptions.ChunkedEncodingError(f"{size} of {expected} bytes came")
            return _Answer(response.status_code, dict(response.headers), body.text, body.value, size, body.problem)


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    text: str
    value: Any
    size: int
    problem: str

    def made_safe(self, safe: Callable[[str], str]) -> _Answer:
        """This answer with every text of it made safe to show."""
        headers = {safe(name): safe(value) for name, value in self.headers.items()}
        return replace(self, headers=headers, text=safe(self.text), value=plain_value(self.value, safe))

    def location(self, url: str) -> str:
        target = next((v for k, v in self.headers.items() if k.lower() == "location"), "")
        return requests.compat.urljoin(url, target) if target else ""

    def same_place(self, url: str) -> bool:
        """Whether this is a redirect to the same address but for a slash at its end."""
        if self.status not in (301, 302, 307, 308) or not (target := self.location(url)):
            return False
        here, there = urlsplit(url), urlsplit(target)
        return here.netloc == there.netloc and here.path.rstrip("/") == there.path.rstrip("/")


def asked_pause_s(refused: Refused) -> float:
    """How long a platform that limits the rate of requests asks to wait; short where it does not say how long.

    ``Retry-After`` is a number of seconds or a date (RFC 9110, 10.2.3), which is taken by the platform's own clock.
    """
    headers = {name.lower(): value for name, value in refused.exchange.answer_headers.items()}
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.replace(".", "", 1).isdigit():
        return float(asked)
    until, now = _date(asked), _date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds()) if until else UNSAID_PAUSE_S


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def tells_a_secret(name: str) -> bool:
    """Whether a header's name says that its value must not be shown."""
    return any(word in name.lower() for word in _TELLING_SECRETS)


def _plainly(error: Exception, url: str, limit_s: float) -> tuple[str, str]:
    """A transport error as one sentence, and its kind."""
    host = urlsplit(url).netloc
    text = f"{error} {error.__cause__ or ''} {error.__context__ or ''}"
    if isinstance(error, (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError)):
        return _https_problem(shortened(str(error), 300), host)
    if isinstance(error, (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)):
        return f"the proxy that HTTPS_PROXY or HTTP_PROXY names here does not lead to {host}; see NO_PROXY", "proxy"
    if isinstance(error, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)):
        return f"no answer within {limit_s:.1f} s", "timeout"
    if "refused" in text.lower():
        return f"nothing listens at {host} (connection refused)", "refused"
    if any(w in text for w in ("NameResolution", "Name or service not known", "getaddrinfo", "nodename nor")):
        return f"the host name of {host} cannot be resolved from here", "unknown host"
    if any(w in text for w in ("IncompleteRead", "bytes came", "ChunkedEncoding", "InvalidChunkLength")):
        return "half an answer: the connection closed before its end", "half"
    if any(w in text.lower() for w in ("reset", "aborted", "closed", "disconnected", "broken pipe")):
        return "the connection was closed without an answer", "closed"
    if any(w in text for w in ("No route to host", "unreachable", "WinError 10051", "WinError 10065")):
        return f"there is no way from here to {host} (a network or a firewall is between)", "unreachable"
    return shortened(str(error), 160), "other"


def _https_problem(text: str, host: str) -> tuple[str, str]:
    """What failed of an https connection, by OpenSSL's words, and its kind."""
    said = text.lower()

    def speaks_of(*words: str) -> bool:
        return any(word in said for word in words)

    if speaks_of("has expired", "not yet valid"):
        return f"the certificate of {host} has expired or is not yet valid: it has to be renewed there", "certificate"
    if speaks_of("mismatch", "not valid for", "doesn't match"):
        return f"the certificate of {host} is for another name: write that name in the address", "certificate"
    if speaks_of("verify failed"):
        return f"the certificate of {host} is not trusted ({shortened(text, 120)}); see [tls]: ca_file", "certificate"
    if speaks_of("wrong version number", "wrong_version_number", "record layer failure", "packet length too long"):
        return f"{host} does not speak https; write http:// in the address", "tls"
    if speaks_of("certificate required", "handshake failure", "bad certificate", "unknown ca"):
        return (
            f"{host} asks for a certificate of the client that it knows ({shortened(text, 120)}); "
            "set client_certificate under [tls]",
            "certificate",
        )
    return f"no https connection to {host}: {shortened(text, 120)}", "tls"


def describe_refusal(exchange: Exchange) -> str:
    """An error answer as one sentence: its status and KTRDR's own words, out of any of its three shapes."""
    status = exchange.status or 0
    words = _own_words(exchange)
    headers = {k.lower(): v for k, v in exchange.answer_headers.items()}
    if status in (401, 403):
        sent = any(tells_a_secret(name) for name in exchange.headers)
        refused = " (the one that was sent is not accepted)" if sent else ""
        return f"HTTP {status}: not authorised{words}; set the header under [headers] in the target file{refused}"
    if status == 429:
        asked = shortened(headers.get("retry-after", ""), 40)
        wait = (
            f" and asks to wait {f'until {asked}' if _date(asked) else f'{asked} s'}"
            if "retry-after" in headers
            else ""
        )
        return f"HTTP 429: the platform limits the rate of requests{wait}{words}"
    if 300 <= status < 400:
        return f"HTTP {status}: {_redirect(exchange.url, headers.get('location', ''))}"
    if status in (502, 504) or (status == 503 and exchange.answer is None):
        return f"HTTP {status}: a proxy answers, KTRDR behind it does not{words}"
    return f"HTTP {status}{words}"


def _redirect(url: str, location: str) -> str:
    """Where an answer sends the client, and what that says of the address in use."""
    told = f"a redirect to {location or 'nowhere'}"
    if not location:
        return told
    here, there = urlsplit(url), urlsplit(requests.compat.urljoin(url, location))
    path, new_path = here.path.rstrip("/"), there.path.rstrip("/")
    moved = (here.scheme, here.netloc) != (there.scheme, there.netloc)
    slash_only = path == new_path and here.path != there.path
    if slash_only and moved:
        return f"{told}: behind a proxy, KTRDR builds it from its inner address; the proxy has to pass on Host and X-Forwarded-Proto"
    if slash_only:
        wanted = "with" if there.path.endswith("/") else "without"
        return f"{told}: this path is known only {wanted} the slash at its end, which is no matter of the address"
    if new_path.endswith(path) and (moved or new_path != path):
        return f"{told}; set base_url to {there.scheme}://{there.netloc}{new_path.removesuffix(path)}"
    return f"{told}; set base_url to the address itself, or, where that is a login, set the header under [headers]"


def _own_words(exchange: Exchange) -> str:
    if not isinstance(exchange.answer, dict):
        return f": {shortened(exchange.answer_text, 120)}" if exchange.answer_text.strip() else " with an empty body"
    detail = exchange.answer.get("detail")
    error = exchange.answer.get("error")
    if isinstance(detail, dict):
        hint = f" (hint: {shortened(str(detail['hint']))})" if detail.get("hint") else ""
        return f": {shortened(str(detail.get('error', detail)))}{hint}"
    if detail:
        return f": {shortened(str(detail))}"
    if isinstance(error, dict):
        fields = error.get("details")
        listed = fields if isinstance(fields, list) else []
        told = "; ".join(f"{d.get('field')}: {d.get('message')}" for d in listed if isinstance(d, dict))
        words = shortened(str(error.get("message", error.get("code", ""))))
        return f": {words}{f' ({shortened(told)})' if told else ''}"
    return f": {shortened(exchange.answer_text)}"
