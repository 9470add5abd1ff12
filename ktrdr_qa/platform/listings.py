"""KTRDR's list of operations as its readers see it: whole, under a filter, and page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import TransportError
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
    """What the list names under a filter, each with its status and percentage; ``full``: there may be more than was given."""
    rows = _rows(client, f"limit={LISTED}{'&' if question else ''}{question}")
    types = {str(row.get("operation_type")) for row in rows if row.get("operation_type")}
    other_types = sorted(types - set(BACKTEST_WORDS)) if question.startswith("operation_type") else []
    facts: dict[str, Any] = {"rows": {str(row["operation_id"]): word(row.get("status")) for row in rows}}
    heights = {str(row["operation_id"]): row.get("progress_percentage") for row in rows}
    facts["heights"] = {one: height for one, height in heights.items() if isinstance(height, int | float)}
    if len(rows) >= LISTED:
        facts["full"] = True
    if other_types:
        facts["other_types"] = other_types
    yield Reading(question, facts=facts)


def pages(client: Client) -> Iterator[Reading]:
    """The first pages of the list, and as much of the whole list before and after, by the ids in their order."""
    most = PAGE * MOST_PAGES
    before = _ids(client, f"limit={most}")
    paged: list[str] = []
    for number in range(MOST_PAGES):
        page = _ids(client, f"limit={PAGE}&offset={PAGE * number}")
        paged += page
        if len(page) < PAGE:
            break
    after = _ids(client, f"limit={most}")
    yield Reading("", facts={"before": before, "paged": paged, "after": after})


def _ids(client: Client, question: str) -> list[str]:
    return [str(row["operation_id"]) for row in _rows(client, question)]


def _rows(client: Client, question: str) -> list[dict[str, Any]]:
    data = client.get(f"{OPERATIONS}?{question}", purpose="reading the list").need("$.data")
    return [r for r in data if isinstance(r, dict) and r.get("operation_id")] if isinstance(data, list) else []
