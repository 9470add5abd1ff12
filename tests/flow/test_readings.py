"""Answers of older or odd KTRDRs, over real HTTP: read as what they say, and never a crash."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.platform.statuses import MISSING

B = "op_backtesting_20261122_185236_cd30957f"


@pytest.fixture
def answers() -> Iterator[dict[str, Any]]:
    """What the server answers to each path; set it before asking. ``client`` speaks to it."""
    told: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(told[self.path.split("?")[0]]).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told["client"] = Client(f"http://127.0.0.1:{server.server_address[1]}", Transcript())
    yield told
    server.shutdown()
    server.server_close()


def test_a_list_that_is_null_names_nothing(answers: dict[str, Any]) -> None:
    answers[readings.OPERATIONS] = {"success": True, "data": None}
    assert [(r.subject, r.status) for r in readings.listed(answers["client"], B)] == [(B, MISSING)]


@pytest.mark.parametrize(("named", "of"), [(B, None), (None, None), (7, None), ("op_9", "op_9")])
def test_a_record_that_names_itself_another_is_another_s(answers: dict[str, Any], named: Any, of: str | None) -> None:
    record = {"operation_id": named, "status": "cancelled", "progress": {"percentage": 0.0}}
    answers[f"{readings.OPERATIONS}/{B}"] = {"success": True, "data": record}
    (reading,) = readings.backtest(answers["client"], B)
    assert reading.facts.get("record_of") == of


@pytest.mark.parametrize(("summary", "has"), [(None, False), ({}, False), ({"trade_count": 3}, True)])
def test_only_a_result_with_something_in_it_is_one(answers: dict[str, Any], summary: Any, has: bool) -> None:
    record = {"operation_id": B, "status": "cancelled", "progress": {"percentage": 0.0}, "result_summary": summary}
    answers[f"{readings.OPERATIONS}/{B}"] = {"success": True, "data": record}
    (reading,) = readings.backtest(answers["client"], B)
    assert bool(reading.facts.get("has_result")) is has
    assert "tells_its_end" not in reading.facts


def test_workers_without_ids_are_told_apart(answers: dict[str, Any]) -> None:
    answers[readings.WORKERS] = {"workers": [{"type": "backtest"}, {"type": "training"}, {"type": "backtest"}]}
    found = readings.workers(answers["client"])
    assert [w["worker_id"] for w in found] == ["worker 1", "worker 3"]
    assert all(readings.takes_work(w) for w in found)
    assert not readings.takes_work({"status": "temporarily_unavailable"})
