"""What went wrong with a request, in words and with the way to mend it; and how long a platform asks to wait."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3

from ktrdr_qa.platform.exchange import Exchange, Refused, shortened

UNSAID_PAUSE_S = 0.5
"""How long a 429 that does not say when is waited for."""
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


def plainly(error: Exception, url: str, limit_s: float) -> tuple[str, str]:
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
