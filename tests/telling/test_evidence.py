"""The transcript and the offending reading, as plain text and data."""

from __future__ import annotations

import inspect
import json
from typing import Any

from ktrdr_qa.judge import verdict
from ktrdr_qa.platform.exchange import Exchange
from ktrdr_qa.tell import evidence
from tests.telling.test_picture import HISTORIES, B


def exchange(at_s: float, answer: Any, **changes: Any) -> Exchange:
    """One exchange with the fields that matter here; the others are as empty as they can be."""
    text = json.dumps(answer)
    given = {
        "method": "GET",
        "url": "http://x/api/v1/operations/op_1",
        "purpose": "reading",
        "at_s": at_s,
        "took_s": 0.012,
        "status": 200,
        "answer": answer,
        "answer_text": text,
        **changes,
    }
    blanks: dict[str, Any] = {"int": 0, "float": 0.0, "str": "", "bool": False}
    for name, field in inspect.signature(Exchange).parameters.items():
        if name not in given and field.default is inspect.Parameter.empty:
            kind = str(field.annotation)
            given[name] = blanks.get(kind, {} if "apping" in kind or "dict" in kind else None)
    return Exchange(**given)


def record(status: str, percentage: float) -> dict[str, Any]:
    return {"data": {"status": status, "progress": {"percentage": percentage}}}


def test_transcript_folds_what_says_nothing_new() -> None:
    told = evidence.transcript(
        [
            exchange(0.0, record("running", 1.0)),
            *(exchange(1.0 + n / 10, record("running", 1.0)) for n in range(7)),
            exchange(2.0, record("running", 2.0)),
            exchange(3.0, record("cancelled", 2.0)),
        ]
    )
    assert told.count("curl -s") == 2, "in full at first, and when the status changes"
    assert "7 more readings of http://x/api/v1/operations/op_1: unchanged" in told
    assert "    2.000 s  GET http://x/api/v1/operations/op_1\n           HTTP 200 after 12 ms: running at 2.0 %" in told
    assert '             "data": {\n               "status": "cancelled",' in told, "JSON is indented"


def test_transcript_never_folds_a_problem_or_what_the_suite_did() -> None:
    lost = [exchange(float(n), None, status=None, problem="no answer", answer_text="") for n in range(3)]
    sent = [exchange(5.0 + n, {"success": True}, method="DELETE", purpose="cancel") for n in range(2)]
    told = evidence.transcript([*lost, *sent])
    assert told.count("no answer after 12 ms: no answer") == 3
    assert told.count("DELETE") == 2 + told.count("-X DELETE")


def test_long_answers_are_cut_and_say_so() -> None:
    told = evidence.transcript([exchange(0.0, {"words": "x" * 20_000})])
    assert len(told) < 7000 and "characters in all" in told


def test_offending_reading_names_its_place_and_its_neighbours() -> None:
    history = HISTORIES["moves-on"]
    frozen = verdict.judge_all(history)["frozen"]
    assert frozen.violated and frozen.at_s is not None
    told = evidence.offending_reading(history, frozen, frozen.at_s)
    at = int(told["place"].removeprefix("samples[").split("]")[0])
    assert history.samples[at].answered_s == frozen.at_s and history.samples[at].subject == B
    assert told["reading"]["percentage"] == history.samples[at].percentage
    times = [r["answered_s"] for r in (*told["readings_before"], told["reading"], *told["readings_after"])]
    assert times == sorted(times) and all(r["subject"] == B for r in told["readings_before"])
    json.dumps(told)


def test_offending_event_is_found_where_there_is_no_reading() -> None:
    history = HISTORIES["green"]
    judgement = verdict.judge_all(history)["acknowledged"]
    answered = history.event("cancel_answered", B)
    assert answered
    told = evidence.offending_reading(history, judgement, answered.at_s)
    assert told["event"]["kind"] == "cancel_answered" and told["readings_near"]


def test_log_lines_around_a_moment_are_the_nearest_in_their_order() -> None:
    lines = [json.dumps({"monotonic": at / 10, "event": f"e{at}"}) for at in range(100)]
    told = evidence.json_lines_around([*lines, "half a li", '{"event": "no time"}', "7"], 5.0, within_s=1.0, most=5)
    assert [line["event"] for line in told] == ["e48", "e49", "e50", "e51", "e52"]
    assert evidence.json_lines_around([], 5.0) == []
