"""How each of KTRDR's views is read: one request, and what of its answer the history keeps."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ktrdr_qa.platform import metrics
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange, NoAnswer, Refused, TransportError, shortened
from ktrdr_qa.platform.statuses import MISSING, TERMINAL
from ktrdr_qa.words import cut, moment_of

OPERATIONS = "/api/v1/operations"
WORKERS = "/api/v1/workers"
LISTED = 100
"""So many backtests are asked for at a time."""
MOST_PAGES = 10
LONGEST_WORD, LONGEST_FACT = 80, 500
"""So much of a status, and of any other text, is kept with a reading, of which a recording has hundreds."""
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
    facts = {"refused": True} if isinstance(error, NoAnswer) and error.refused else {}
    if isinstance(error, TransportError) and error.exchange.status is not None:
        facts["answered"] = True  # With nothing that can be used, but it is there.
    if isinstance(error, Refused) and error.status == 429:
        facts["rate_limited"] = True
    return Reading(subject, problem=shortened(str(error) or type(error).__name__), facts=facts)


def backtest(client: Client, backtest_id: str, *, in_full: bool = False) -> Iterator[Reading]:
    """The record of one backtest, from the backend or from a worker; HTTP 404 is an answer too: ``missing``.

    ``in_full``: with the facts that say what is tested as well, which do not change while it runs.
    """
    try:
        answer = client.get(f"{OPERATIONS}/{backtest_id}", purpose="reading")
    except Refused as refused:
        if refused.status != 404:
            raise
        yield Reading(backtest_id, status=MISSING)
        return
    yield of_record(answer, backtest_id, in_full=in_full)


def of_record(answer: Exchange, backtest_id: str, *, in_full: bool = False) -> Reading:
    """What an answer that is a backtest's record says of it; see ``backtest``."""
    percentage, problem = _percentage(answer.find("$.data.progress.percentage"))
    named = answer.find("$.data.operation_id")
    facts = {
        "record_of": named if isinstance(named, str) and named != backtest_id else None,
        **_facts(answer.find("$.data"), _WHEN_AND_WHERE | _WHAT if in_full else _WHEN_AND_WHERE),
        "current_step": answer.find("$.data.progress.current_step"),
        "items_processed": answer.find("$.data.progress.items_processed"),
        "error_message": answer.find("$.data.error_message"),
        "has_result": answer.find("$.data.result_summary") not in (None, {}, [], ""),
        "tells_its_end": "completed_at" in (answer.find("$.data") or {}),
        "percentage_problem": problem,
        **(_result(answer.find("$.data.result_summary")) if in_full else {}),
    }
    return Reading(backtest_id, word(answer.need("$.data.status")), percentage, facts=_told(facts))


def status(client: Client, backtest_id: str) -> str:
    """The word for the state of a backtest, from the backend; ``missing`` where it has no record of it.

    Raises ``client.TransportError`` where that cannot be had in three tries.
    """
    try:
        answer = client.get(f"{OPERATIONS}/{backtest_id}", purpose="clean-up", tries=3)
    except Refused as refused:
        if refused.status != 404:
            raise
        return MISSING
    return word(answer.need("$.data.status"))


def _result(summary: Any) -> dict[str, Any]:
    """Of which backtest a result says that it is, and of how many bars; nothing where there is none."""
    names = {"symbol": "symbol", "timeframe": "timeframe", "start_date": "start_time", "end_date": "end_time"}
    told = summary if isinstance(summary, dict) else {}
    result = {f"result_{ours}": told.get(theirs) for ours, theirs in names.items()}
    return result | {"result_empty": told.get("equity_curve_length") == 0}


_WHEN_AND_WHERE = {
    "created_at": "created_at",
    "started_at": "started_at",
    "completed_at": "completed_at",
    "worker": "worker_id",
    "parent": "parent_operation_id",
    "reason": "cancellation_reason",
}
_WHAT = {
    "symbol": "symbol",
    "timeframe": "timeframe",
    "strategy": "strategy_name",
    "start_date": "start_date",
    "end_date": "end_date",
}
"""The names of facts, and what KTRDR calls them in a record, in its ``metadata`` or in its ``parameters``."""


def _facts(record: Any, names: Mapping[str, str]) -> dict[str, Any]:
    """What a record, or a row of the list, tells of a backtest besides its state."""
    told: dict[str, Any] = {}
    metadata = _part(record, "metadata")
    for part in (_part(metadata, "parameters"), metadata, record):
        told |= {k: v for k, v in part.items() if v is not None} if isinstance(part, dict) else {}
    return {ours: told.get(theirs) for ours, theirs in names.items()}


def _part(record: Any, name: str) -> Any:
    return record.get(name) if isinstance(record, dict) else None


def _told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that say something, no text of them longer than a recording can bear."""
    told = {k: v for k, v in facts.items() if v not in (None, "", False)}
    return {k: cut(v, LONGEST_FACT) if isinstance(v, str) else v for k, v in told.items()}


def listed(client: Client, backtest_id: str, wanted: Collection[str] = ()) -> Iterator[Reading]:
    """The backtests that the list names: the newest ones, and all that are active.

    Where it has more of them than a page, further pages are read for what is active and for ``backtest_id`` and
    the ``wanted`` ones, ``MOST_PAGES`` of each kind at most. Which of these is on none is ``missing``, with the fact
    ``whole`` where by the list's own count that was all of it.
    Raises ``client.TransportError`` where the list cannot be read.
    """
    found: dict[str, Reading] = {}
    needed = {backtest_id, *wanted} - {""}
    newest = Pages(client)
    found |= newest.next()
    if newest.more:
        active = Pages(client, "active_only=true")
        while active.more and active.read < MOST_PAGES:
            found |= (page := active.next())
            if any(r.status in TERMINAL for r in page.values()):
                break  # This KTRDR passes over the word.
    while newest.more and newest.read < MOST_PAGES and needed - set(found):
        found |= {i: r for i, r in newest.next().items() if i not in found}
    yield from found.values()
    yield from (Reading(one, MISSING, facts=_told({"whole": newest.whole})) for one in sorted(needed - set(found)))


class Pages:
    """One way of asking for the list, a page at a time; ``more`` says whether there may be another one.

    ``whole``: by the list's own count all of it was read, so that what was not on it is not in it.
    """

    def __init__(self, client: Client, what: str = ""):
        self.more = True
        self.whole = False
        self.read = 0
        self._client = client
        # An older KTRDR may know another word for the type, or allow no such limit: then the plainer question.
        self._ways = [f"operation_type=backtesting&limit={LISTED}", f"limit={LISTED}", ""]
        self._what = what
        self._seen: set[str] = set()

    def next(self) -> dict[str, Reading]:
        """The readings of the next page by their ids, nothing of what an earlier page had."""
        try:
            answer = self._ask()
        except Refused as refused:
            if refused.status != 422 or not (self._what or self.read):
                raise
            self.more = False  # An older KTRDR may refuse what it does not know; its first page is had.
            return {}
        data = answer.need("$.data")
        rows = [r for r in data if isinstance(r, dict)] if isinstance(data, list) else []
        page: dict[str, Reading] = {}
        for r in filter(None, map(_row, rows)):
            # Where a list names one twice, what is active tells most, wherever it stands.
            if r.subject not in page or page[r.subject].status in TERMINAL:
                page[r.subject] = r
        new = {i: r for i, r in page.items() if i not in self._seen}
        self._seen |= set(page)
        self.read += 1
        total = answer.find("$.total_count")
        promised = isinstance(total, int) and total > len(self._seen)
        self.whole = isinstance(total, int) and not promised
        # A page without anything new: this KTRDR knows no offset.
        self.more = bool(new) and (promised or len(rows) == LISTED)
        return {i: r for i, r in new.items() if r.facts.get("type", BACKTEST_WORDS[0]) in BACKTEST_WORDS}

    def _ask(self) -> Exchange:
        offset = f"offset={len(self._seen)}" if self._seen else ""
        while True:
            question = "&".join(part for part in (self._ways[0], self._what, offset) if part)
            try:
                return self._client.get(f"{OPERATIONS}{'?' if question else ''}{question}", purpose="reading")
            except Refused as refused:
                if refused.status != 422 or len(self._ways) == 1:
                    raise
                del self._ways[0]


def _row(row: Mapping[str, Any]) -> Reading | None:
    """What a row of the list says of one backtest; None where it does not say of which."""
    name = row.get("operation_id")
    if not isinstance(name, str) or not name:
        return None
    percentage, problem = _percentage(row.get("progress_percentage"))
    facts = {
        **_facts(row, _WHEN_AND_WHERE | _WHAT),
        "type": row.get("operation_type"),
        "percentage_problem": problem,
    }
    return Reading(name, word(row.get("status")), percentage, facts=_told(facts))


def worth_recording(rows: Iterable[Reading], backtest_id: str, wanted: Collection[str] = ()) -> Iterator[Reading]:
    """The rows of a list that can matter to a judgement, out of thousands of old ones.

    These are the active ones, ``backtest_id`` and the ``wanted`` ones, and what was created no earlier than
    ``backtest_id``, by KTRDR's own clock.
    """
    listed_ones = list(rows)
    own = next((r for r in listed_ones if r.subject == backtest_id), None)
    since = moment_of(own.facts.get("created_at")) if own else None
    for row in listed_ones:
        created = moment_of(row.facts.get("created_at"))
        young = since is not None and created is not None and created >= since
        if row.status not in TERMINAL or row.subject == backtest_id or row.subject in wanted or young:
            yield row


def registry(registered: Iterable[Mapping[str, Any]], ids: Mapping[str, str]) -> Iterator[Reading]:
    """What the backend's registry says of every worker. ``ids``: under which id each is known since it was first listed.

    One that is known and not listed any more is ``missing``.
    """
    named = set()
    for found in registered:
        worker_id = ids.get(found["worker_id"], found["worker_id"])
        named.add(worker_id)
        status, has = word(found.get("status")), found.get("current_operation_id")
        yield Reading(worker_id, status=status, facts={"current_operation": has})
    yield from (Reading(worker_id, status=MISSING) for worker_id in set(ids.values()) - named)


def health(client: Client, worker_id: str) -> Iterator[Reading]:
    """The worker's own word on whether it is busy, and with what."""
    answer = client.get("/health", purpose="reading")
    yield Reading(
        worker_id,
        status=word(answer.need("$.worker_status")),
        facts={"current_operation": answer.find("$.current_operation")},
    )


def processor(client: Client, worker_id: str, tries: int = 1) -> Iterator[Reading]:
    """The processor time that the worker's process has used, in seconds, off its Prometheus metrics."""
    told = _metrics(client, tries, metrics.PROCESSOR)
    if not told:
        raise ValueError(f"the worker's metrics do not name {metrics.PROCESSOR}")
    yield Reading(worker_id, cpu_s=told[metrics.PROCESSOR])


def process(client: Client, name: str) -> Iterator[Reading]:
    """What one process of KTRDR's uses: memory, open files, processor time; and how many operations it calls active.

    Raises ``client.TransportError`` where its metrics cannot be read; a figure that they do not name is not told.
    """
    facts = {"memory_bytes": metrics.MEMORY, "open_files": metrics.FILES, "active": metrics.ACTIVE}
    told = _metrics(client, 2, *facts.values(), metrics.PROCESSOR)
    yield Reading(name, cpu_s=told.get(metrics.PROCESSOR), facts={k: told[v] for k, v in facts.items() if v in told})


def _metrics(client: Client, tries: int, *names: str) -> dict[str, float]:
    return metrics.figures(
        client.get("/metrics", purpose="reading", json_expected=False, tries=tries).answer_text, *names
    )


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
        for name in ("success", "operation_id", "status", "remote_cancelled", "cancellation_reason", "cancelled_at")
    }
    if answer.find("$.success") is False:
        facts["success"] = False
    facts["words"] = answer.find("$.error.message", answer.find("$.message"))
    return {k: v for k, v in facts.items() if v is not None}


def word(value: Any) -> str:
    """A status in the spelling that the suite compares: lower case, whatever the platform's."""
    return cut(value.lower() if isinstance(value, str) else f"no status ({value!r})", LONGEST_WORD)


def _percentage(value: Any) -> tuple[float | None, str | None]:
    """A percentage as a number, or what is wrong with it. ``None`` is neither: KTRDR may not know yet."""
    if value is None:
        return None, None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, f"{cut(repr(value), LONGEST_WORD)} is no number"
    if isinstance(value, float) and not math.isfinite(value):
        return None, f"{value} is no number"
    if not 0 <= value <= 100.0001:
        shown = f"{value:g}" if abs(value) < 1e300 else "a number of hundreds of digits"
        return None, f"{shown} is {'below 0' if value < 0 else 'above 100'}"
    return float(value), None
