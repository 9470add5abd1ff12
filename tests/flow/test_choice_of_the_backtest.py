"""Which backtest of the table is used, on real runs: one long enough to tell, and with every witness that was in reach."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from tests.deployments.harness import BRISK, Place, started
from tests.deployments.proxy import Answer, Asked, proxy
from tests.telling.running import MAIN, ROOT, Told, run, suite

HEALTHY = tomllib.loads((ROOT / "tests/gallery/healthy.toml").read_text(encoding="utf-8"))["platform"]
BRIEF = "--adaptation-epochs 0 --bars-per-second 140"
"""Two years of daily bars last 3.7 s: long enough to be seen moving and cancelled, too short to tell an ignored cancel."""


def arguments_of(name: str) -> list[str]:
    (row,) = [row for row in HEALTHY if row["name"] == name]
    return list(row["arguments"])


def film_of(told: Told) -> dict[str, Any]:
    attached = told.attached(told.results[0])
    return dict(json.loads(next(text for name, text in attached.items() if name.startswith("History"))))


QUEUED_READINGS = 20
"""More than are had in the time in which a new backtest that fails has failed at once."""


def test_a_new_backtest_that_waits_and_then_has_too_few_bars_is_passed_over_as_well(tmp_path: Path) -> None:
    asked_of: Counter[str] = Counter()

    def rule(asked: Asked) -> Answer | None:
        operation = asked.path.rpartition("/operations/")[2]
        if asked.method != "GET" or not operation.startswith("op_"):
            return None
        answer = asked.forward()
        record = json.loads(answer.body)
        if record["data"]["status"] != "failed" or asked_of[operation] >= QUEUED_READINGS:
            return answer
        asked_of[operation] += 1
        record["data"] |= {"status": "pending", "error_message": None, "completed_at": None}
        return Answer(200, json.dumps(record))

    with started("--registry-lag-s", "0", "--min-bars", "51") as platform, proxy(platform.url, rule) as url:
        ran = Place(tmp_path).live(url, MAIN, more=BRISK).passed()
    assert asked_of and 'was passed over: it was "failed"' in ran.observations


def test_witness_is_heard_after_a_candidate_was_passed_over_and_the_worker_changed(tmp_path: Path) -> None:
    ran = Place(tmp_path).embedded(arguments_of("today's KTRDR, worker changed"), limits="").passed()
    film = ran.history()
    ran_on = {
        s["subject"]: s["facts"]["worker"]
        for s in film["samples"]
        if s["view"] == "backend" and s.get("facts", {}).get("worker")
    }
    started = {e["subject"]: e["at_s"] for e in film["events"] if e["kind"] == "start_sent"}
    first, used, worker = next(iter(started)), film["about"]["backtest"], film["about"]["worker"]
    assert first != used and ran_on[first] != ran_on[used] == worker, "this platform changes the worker"
    (cancelled_s,) = [e["at_s"] for e in film["events"] if e["kind"] == "cancel_answered" and e["subject"] == used]
    heard_s = [s["asked_s"] for s in film["samples"] if s["view"] == "processor" and s["subject"] == worker]
    assert [at_s for at_s in heard_s if at_s < started[used]], "what its worker used while it was idle is known"
    assert [at_s for at_s in heard_s if started[used] < at_s < cancelled_s] and heard_s[-1] > cancelled_s
    ran.processor_was_read()


def test_candidate_with_too_little_left_is_passed_over_with_the_reason(tmp_path: Path) -> None:
    told = run(suite(tmp_path, BRIEF), "-D", "target=target.toml", MAIN)
    assert told.summary["outcome"] == "passed", told.console
    figures = told.summary["figures"]
    assert figures["left_s"] >= figures["needed_s"]
    attached = told.attached(told.results[0])
    choice = attached["Choice of the backtest"]
    brief = next(line for line in choice.splitlines() if "EURUSD 1d, 2023-01-01 to 2024-12-31" in line)
    assert "passed over: too little was left to run to tell an ignored cancel: about" in brief
    assert "by its own pace, and 5.0 s are needed" in brief
    assert "EURUSD 1d, 2005-01-01 to 2024-12-31 | **used**" in choice
    film = film_of(told)
    first = next(e["subject"] for e in film["events"] if e["kind"] == "start_sent")
    cleaned_up = [e for e in film["events"] if e["kind"] == "clean_up" and e["subject"] == first]
    assert first != film["about"]["backtest"] and cleaned_up, "it was not left running"


def test_where_no_backtest_is_long_enough_nothing_is_passed_and_the_reason_is_told(tmp_path: Path) -> None:
    told = run(suite(tmp_path, f"{BRIEF} --data-since 2022-06-01"), "-D", "target=target.toml", MAIN)
    summary = told.summary
    assert told.status != 0 and (summary["outcome"], summary["category"]) == ("inconclusive", "Inconclusive")
    assert "No backtest of the table lasts long enough: about" in " ".join(summary["observations"])
    first = summary["scenarios"][0]
    assert first["outcome"] == "inconclusive" and "s were left" in first["reason"], first["reason"]
    rows = {c["check"]: c for c in summary["checks"]}
    was_running = rows["Was running: percentage > 0 before cancel"]
    assert was_running["verdict"] == "unknown" and "by its own pace" in was_running["seen"]
    assert not [c for c in summary["checks"] if c["verdict"] == "violated"], "nothing is held against KTRDR"
    assert summary["figures"]["left_s"] < summary["figures"]["needed_s"]
