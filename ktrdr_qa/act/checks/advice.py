"""What mends a request that failed, in words."""

from __future__ import annotations

import shlex

from ktrdr_qa.platform import compose
from ktrdr_qa.platform.exchange import TransportError
from ktrdr_qa.target.settings import Target


def on(error: TransportError, target: Target) -> tuple[str, bool]:
    """What mends a request that failed, and whether starting KTRDR's backend may; no advice where it says so itself."""
    exchange = error.exchange
    kind, status = exchange.problem_kind, exchange.status or 0
    where = f"KTRDR_API_URL or KTRDR_API_PORT, or -D target=NAME (chosen by: {target.chosen_by})"
    if target.embedded_one:
        return "run again; the log of the embedded KTRDR is in the report", False
    if kind == "refused":
        return f"start KTRDR, or say where it is: {where}", True
    if kind == "timeout":
        longer = "give it longer with answer_s under [limits] in the target file"
        return f"something listens there, but does not answer: look at KTRDR's log, or {longer}", True
    if kind in ("closed", "half"):
        return "something listens there, but closes the connection: look at KTRDR's log", True
    if kind in ("certificate", "tls", "proxy") or status in (401, 403) or 300 <= status < 400:
        return "", False
    if status == 429:
        return "wait, or have the limit raised for this suite", False
    if status in (502, 504) or (status == 503 and exchange.answer is None):
        return "start KTRDR behind that proxy", True
    if status == 503:
        return f"it may be starting: wait; else {_log_to_look_at(target)}", True
    if status >= 500:
        return unwell(target), True
    if kind in ("unknown host", "unreachable", "other"):
        return f"say where KTRDR is: {where}", False
    return f"what answers there is no KTRDR API: say where KTRDR is: {where}", False


def unwell(target: Target) -> str:
    return f"KTRDR runs, but is not well: {_log_to_look_at(target)}"


def _log_to_look_at(target: Target) -> str:
    project = compose.project_of(target)
    command = shlex.join([*project.command, "logs", "--tail", "50", "backend"]) if project else ""
    return f"look at its log{f' ({command})' if command else ''}"
