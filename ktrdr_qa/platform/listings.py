"""KTRDR's list of operations as its readers see it: whole, under a filter, and page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange, TransportError
from ktrdr_qa.platform.readings import BACKTEST_WORDS, LISTED, OPERATIONS, Reading, word

PAGE, MOST_PAGES = 3, 5
"""Backtests on a page, and how many pages are walked."""
FILTERS = ("active_only=true", "status=running", "status=cancelled", "operation_type=backtesting")


def filters(client: Client) -> tuple[str, ...]:
    """The filters that this KTRDR describes for its list: a word that it does not know would be passed over."""
    try:
        described = client.get("/api/v1/openapi.json", purpose="which filters are there").answer
    except TransportError:
        return ()
    try:
        parameters = described["paths"][OPERATIONS]["get"]["parameters"]
        known = {one["name"] for one in parameters}
    except (KeyError, TypeError):
        return ()
    return tuple(one for one in FILTERS if one.partition("=")[0] in known)


def under(client: Client, question: str) -> Iterator[Reading]:
    """What the list names under a filter, each with its status and percentage, and how many it counts.

    ``full``: there may be more than was given.
    """
    answer = _asked(client, f"limit={LISTED}{'&' if question else ''}{question}")
    rows = _rows(answer)
    types = {str(row.get("operation_type")) for row in rows if row.get("operation_type")}
    other_types = sorted(types - set(BACKTEST_WORDS)) if question.startswith("operation_type") else []
    facts: dict[str, Any] = {"rows": {str(row["operation_id"]): word(row.get("status")) for row in rows}}
    heights = {str(row["operation_id"]): row.get("progress_percentage") for row in rows}
    facts["heights"] = {one: height for one, height in heights.items() if isinstance(height, int | float)}
    counts = {"total": answer.find("$.total_count"), "active": answer.find("$.active_count")}
    facts |= {name: count for name, count in counts.items() if isinstance(count, int)}
    if len(rows) >= LISTED:
        facts["full"] = True
    if other_types:
        facts["other_types"] = other_types
    yield Reading(question, facts=facts)


def pages(client: Client) -> Iterator[Reading]:
    """The first pages of the list, and as much of the whole list before and after, by the ids in their order.

    ``totals``: how many each of these answers counts, whatever part of them it gives.
    """
    most, totals = PAGE * MOST_PAGES, []

    def ids(question: str) -> list[str]:
        answer = _asked(client, question)
        totals.append(answer.find("$.total_count"))
        return [str(row["operation_id"]) for row in _rows(answer)]

    before = ids(f"limit={most}")
    paged: list[str] = []
    for number in range(MOST_PAGES):
        page = ids(f"limit={PAGE}&offset={PAGE * number}")
        paged += page
        if len(page) < PAGE:
            break
    after = ids(f"limit={most}")
    yield Reading("", facts={"before": before, "paged": paged, "after": after, "totals": totals})


def _asked(client: Client, question: str) -> Exchange:
    return client.get(f"{OPERATIONS}?{question}", purpose="reading the list")


def _rows(answer: Exchange) -> list[dict[str, Any]]:
    data = answer.need("$.data")
    return [r for r in data if isinstance(r, dict) and r.get("operation_id")] if isinstance(data, list) else []
