"""The views of a backtest say different things: the list, its filters, its pages and counts, the worker."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs

from standin import contract
from standin.contract import Operation
from standin.faults.known import AfterCancel, fault
from standin.seams import Answer, Ask, Seam

LISTED_AS = "/api/v1/operations"
LISTED_LATE_S = 1.9


class ListView(Seam):
    """Answers a question for the list in its own way."""

    def rows(self, asked: dict[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What is listed in answer to a question, where `rows` were to be."""
        return rows

    def counts(self, body: dict[str, Any]) -> dict[str, Any]:
        """What is counted otherwise than in the answer `body`."""
        return {}

    async def afterwards(self, ask: Ask, given: Answer) -> Answer:
        if ask.method != "GET" or ask.path != LISTED_AS or given.status != 200 or ask.internal:
            return given
        asked = {name: values[0] for name, values in parse_qs(ask.query).items()}
        body = given.json()
        return given.with_json({**body, "data": self.rows(asked, body["data"]), **self.counts(body)})

    def everything(self) -> list[dict[str, Any]]:
        """All rows, newest first."""
        known = sorted(self.backend.operations.values(), key=lambda each: each.created_at, reverse=True)
        return [contract.operation_row(each) for each in known]


@fault("after-list-disagrees")
class ListDisagrees(AfterCancel):
    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        if row["operation_id"] not in self._before:
            return row
        _, before = self._before[row["operation_id"]]
        return contract.operation_row(before)


@fault("after-list-names-another-symbol")
class ListNamesAnotherSymbol(Seam):
    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        return {**row, "symbol": "GBPUSD"}


@fault("after-list-goes-on")
class ListGoesOn(AfterCancel):
    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        if row["operation_id"] not in self._before:
            return row
        at, before = self._before[row["operation_id"]]
        return {**row, "progress_percentage": before.percentage + time.monotonic() - at}


@fault("after-list-forgets")
class ListForgets(AfterCancel):
    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        return None if row["operation_id"] in self._before else row


@fault("neighbour-not-listed")
class NeighbourNotListed(Seam):
    def __init__(self) -> None:
        self._left_out: set[str] = set()

    def cancelled(self, operation: Operation, before: Operation) -> None:
        active = {each.operation_id for each in self.backend.operations.values() if each.active}
        self._left_out |= active - {operation.operation_id}

    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        return None if row["operation_id"] in self._left_out else row


@fault("views-list-lags")
class ListLags(AfterCancel):
    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        at, _ = self._before.get(row["operation_id"], (0.0, None))
        return {**row, "status": "running"} if time.monotonic() - at < LISTED_LATE_S else row


@fault("views-list-stands-still")
class ListStandsStill(ListView):
    def rows(self, asked: dict[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "progress_percentage": 0.0} if row["status"] == "running" else row for row in rows]


@fault("views-active-forgets")
class ActiveForgets(ListView):
    def rows(self, asked: dict[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [] if asked.get("active_only") == "true" else rows


@fault("views-filter-lists-others")
class FilterListsOthers(ListView):
    def rows(self, asked: dict[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self.everything() if "status" in asked else rows


class ShiftedPages(ListView):
    """The second page and those after it begin at another row than they are to."""

    by = 0

    def rows(self, asked: dict[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        offset, limit = int(asked.get("offset", 0)), int(asked.get("limit", 10))
        return self.everything()[offset + self.by : offset + self.by + limit] if offset else rows


@fault("views-pages-double")
class PagesDouble(ShiftedPages):
    by = -1


@fault("views-pages-lose")
class PagesLose(ShiftedPages):
    by = 1


@fault("views-counts-the-page")
class CountsThePage(ListView):
    def counts(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"total_count": len(body["data"])}


@fault("views-counts-one-too-many")
class CountsOneTooMany(ListView):
    def counts(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"total_count": body["total_count"] + 1}


@fault("views-counts-none-active")
class CountsNoneActive(ListView):
    def counts(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"active_count": 0}


@fault("views-progress-ahead-of-the-worker")
class ProgressAhead(Seam):
    def seen(self, operation: Operation) -> Operation | None:
        if not operation.active or not operation.percentage:
            return operation
        return operation.copy(percentage=min(99.0, 1.0 + 1.5 * float(operation.percentage)))
