"""The long answers of the bench are long, and are answers of a KTRDR still."""

from __future__ import annotations

import json

import requests

from bench.long_answers import EVERY, before
from tests.deployments.proxy import Answer, proxy

RECORD = '{"success":true,"data":{"operation_id":"op_1","status":"running","warnings":[],"errors":[]}}'


def test_now_and_then_a_record_is_10_megabytes_long_and_says_the_same() -> None:
    with proxy("http://127.0.0.1:9", lambda asked: Answer(200, RECORD)) as ktrdr, before(ktrdr) as (url, sent):
        bodies = [requests.get(f"{url}/api/v1/operations/op_1", timeout=10).content for _ in range(EVERY)]
    assert sent == [len(bodies[-1])] and sent[0] > 9_000_000
    told = json.loads(bodies[-1])["data"]
    assert told.pop("warnings") and told == {"operation_id": "op_1", "status": "running", "errors": []}
    assert set(bodies[:-1]) == {RECORD.encode()}
