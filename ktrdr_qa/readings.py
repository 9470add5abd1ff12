"""How each of KTRDR's views is read: one request, and what of its answer the history keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ktrdr_qa.client import Client, Exchange, NoAnswer, Refused, shortened
from ktrdr_qa.history import MISSING

OPERATIONS = "/api/v1/operations"
WORKERS = "/api/v1/workers"
LISTED = 100
NOT_FREE = frozenset({"busy", "temporarily_unavailable", "unavailable", "offline", "unhealthy", "dead"})
"""What a registry says of a worker that takes no backtest; a word that nobody knows is not held against it."""
BACKTEST_WORDS = ("backtesting", "backtest")
"""What KTRDR calls the type of a backtest worker: today's word first, the recipe's second (contract, surprise 8)."""


@dataclass(frozen=True)
class Reading:
    """What one answer said about one subject; the recorder adds view and times."""

    subject: str
    status: str | None = None
    percentage: float | None = None
    cpu_s: float | None = None
    problem: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def lost(subject: str, error: Exception) -> Reading:
    """A reading that could not be had: a gap, with the reason."""
    refused = {"refused": True} if isinstance(error, NoAnswer) and error.refused else {}
    return Reading(subject, problem=shortened(str(error) or type(error).__name__), facts=refused)


def backtest(client: Client, backtest_id: str) -> Iterator[Reading]:
    """The record of one backtest, from the backend or from a worker; HTTP 404 is an answer too: ``missing``."""
    try:
        answer = client.get(f"{OPERATIONS}/{backtest_id}", purpose="reading")
    except Refused as refused:
        if refused.status != 404:
            raise
        yield Reading(backtest_id, status=MISSING)
        return
    percentage, problem = _percentage(answer.find("$.data.progress.percentage"))
    facts = {
        "started_at": answer.find("$.data.started_at"),
        "created_at": answer.find("$.data.created_at"),
        "completed_at": answer.find("$.data.completed_at"),
        "current_step": answer.find("$.data.progress.current_step"),
        "error_message": answer.find("$.data.error_message"),
        "worker": answer.find("$.data.metadata.parameters.worker_id"),
        "has_result": answer.find("$.data.result_summary") not in (None, {}, [], ""),
        "tells_its_end": "completed_at" in (answer.find("$.data") or {}),
        "percentage_problem": problem,
    }
    kept = {k: v for k, v in facts.items() if v not in (None, "", False)}
    yield Reading(backtest_id, status=_word(answer.need("$.data.status")), percentage=percentage, facts=kept)


def listed(client: Client, backtest_id: str) -> Iterator[Reading]:
    """Every backtest that the list names; ``backtest_id`` is ``missing`` where it is not among them."""
    try:
        answer = client.get(f"{OPERATIONS}?operation_type=backtesting&limit={LISTED}", purpose="reading")
    except Refused as refused:
        if refused.status != 422:
            raise
        # An older KTRDR may know another word for the type, or a smaller limit.
        answer = client.get(OPERATIONS, purpose="reading")
    named = set()
    entries = answer.need("$.data")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("operation_id"), str):
            percentage, _ = _percentage(entry.get("progress_percentage"))
            named.add(entry["operation_id"])
            yield Reading(entry["operation_id"], status=_word(entry.get("status")), percentage=percentage)
    if backtest_id not in named:
        yield Reading(backtest_id, status=MISSING)


def registry(client: Client, worker_id: str, address: str = "") -> Iterator[Reading]:
    """What the backend's registry says of one worker, by its id, else by the address that it announced.

    One that has registered anew under another id is still the same; ``registered_as`` then tells its new id.
    """
    listed = workers(client, tries=1)
    same_id = (w for w in listed if w["worker_id"] == worker_id)
    same_address = (w for w in listed if address and endpoint(w) == endpoint({"endpoint_url": address}))
    found = next(same_id, None) or next(same_address, None)
    if found is None:
        yield Reading(worker_id, status=MISSING)
        return
    anew = {} if found["worker_id"] == worker_id else {"registered_as": found["worker_id"]}
    yield Reading(
        worker_id,
        status=_word(found.get("status")),
        facts={"current_operation": found.get("current_operation_id"), **anew},
    )


def health(client: Client, worker_id: str) -> Iterator[Reading]:
    """The worker's own word on whether it is busy, and with what."""
    answer = client.get("/health", purpose="reading")
    yield Reading(
        worker_id,
        status=_word(answer.need("$.worker_status")),
        facts={"current_operation": answer.find("$.current_operation")},
    )


def processor(client: Client, worker_id: str, tries: int = 1) -> Iterator[Reading]:
    """The processor time that the worker's process has used, in seconds, off its Prometheus metrics."""
    from prometheus_client.parser import text_string_to_metric_families  # 65 ms: only where it is used

    answer = client.get("/metrics", purpose="reading", json_expected=False, tries=tries)
    for family in text_string_to_metric_families(answer.answer_text):
        for sample in family.samples:
            if sample.name == "process_cpu_seconds_total":
                yield Reading(worker_id, cpu_s=sample.value)
                return
    raise ValueError("the worker's metrics do not name process_cpu_seconds_total")


def workers(client: Client, tries: int = 3) -> list[dict[str, Any]]:
    """The registered backtest workers, whichever of its two shapes and words the answer uses (surprise 8).

    Raises ``client.TransportError`` where the registry cannot be read.
    """
    return [
        {**w, "worker_id": str(w.get("worker_id") or w.get("id") or w.get("endpoint_url") or f"worker {number}")}
        for number, w in enumerate(_registered(client, tries), start=1)
        if (w.get("worker_type") or w.get("type")) in BACKTEST_WORDS
    ]


def endpoint(worker: Mapping[str, Any]) -> str:
    """The address that a registered worker announces, in one spelling; empty where it announces none."""
    return str(worker.get("endpoint_url") or "").rstrip("/").lower()


def takes_work(worker: dict[str, Any]) -> bool:
    """Whether the registry says that a worker would take a backtest now."""
    return str(worker.get("status") or "available").lower() not in NOT_FREE


def types_of_workers(client: Client) -> list[str]:
    """What kinds of workers are registered, for the words of a failed check."""
    return sorted({str(w.get("worker_type") or w.get("type")) for w in _registered(client)})


def _registered(client: Client, tries: int = 3) -> list[dict[str, Any]]:
    answer = client.get(WORKERS, purpose="workers", tries=tries)
    found = answer.answer if isinstance(answer.answer, list) else answer.need("$.workers")
    return [w for w in found if isinstance(w, dict)] if isinstance(found, list) else []


def cancel_facts(answer: Exchange) -> dict[str, Any]:
    """What an answer to the cancel says, in today's nested form or flat; a missing field is simply absent."""
    facts = {
        name: answer.find(f"$.data.{name}", answer.find(f"$.{name}"))
        for name in ("success", "operation_id", "status", "remote_cancelled", "cancellation_reason")
    }
    if answer.find("$.success") is False:
        facts["success"] = False
    facts["words"] = answer.find("$.error.message", answer.find("$.message"))
    return {k: v for k, v in facts.items() if v is not None}


def _word(value: Any) -> str:
    return value.lower() if isinstance(value, str) else f"no status ({value!r})"


def _percentage(value: Any) -> tuple[float | None, str | None]:
    """A percentage as a number, or what is wrong with it. ``None`` is neither: KTRDR may not know yet."""
    if value is None:
        return None, None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, f"{value!r} is no number"
    if not math.isfinite(value):
        return None, f"{value} is no number"
    if value < 0:
        return None, f"{value:g} is below 0"
    if value > 100.0001:
        return None, f"{value:g} is above 100"
    return float(value), None
