"""KTRDR's HTTP interface: every exchange is recorded, everything has a time limit, answers are read with care."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from ktrdr_qa.platform.body import Body
from ktrdr_qa.platform.exchange import (
    Exchange,
    NoAnswer,
    Refused,
    Transcript,
    TransportError,
    UnexpectedAnswer,
    shortened,
)
from ktrdr_qa.platform.refusals import asked_pause_s, describe_refusal, plainly, tells_a_secret
from ktrdr_qa.words import plain, plain_value

ANSWER_LIMIT_BYTES = 100_000_000
"""A longer answer is given up: it would take longer than any time limit."""
MASK = "***"
TRY_AGAIN_S = 0.3
LONGEST_PAUSE_S = 10.0
"""The longest that a 429's Retry-After is obeyed: beyond it the gap would be no evidence for anything."""
PAUSES = 2
SHORTEST_SECRET = 4
"""Shorter ones are masked in headers only: they would stand anywhere by chance."""


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
            problem, kind = plainly(error, url, limit_s)
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
