"""Real runs that end in every way there is: what the console, the summary and the report's evidence then tell."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ktrdr_qa.target.settings import Embedded, load
from ktrdr_qa.tell import evidence, trends
from tests.gallery.behave_run import SHORT_LIMITS
from tests.telling.running import MAIN, ROOT, Told, command, environment, run, suite

SCHEMA: dict[str, Any] = {
    "format": str,
    "version": int,
    "outcome": str,
    "category": (str, type(None)),
    "reasons": [str],
    "target": {"name": str, "kind": str, "address": str, "chosen_by": str, "version": (str, type(None))},
    "began_at": str,
    "took_s": float,
    "what_happened": str,
    "scenarios": [{"feature": str, "name": str, "outcome": str, "reason": str}],
    "not_checked": [{"feature": str, "name": str, "by": str, "reason": str}],
    "checks": [{"kind": str, "check": str, "verdict": str, "seen": str}],
    "figures": dict,
    "observations": [str],
    "versions": {"Suite": str, "Python": str, "Behave": str, "allure-behave": str},
}
"""Changing it takes a new version of the format, and docs/summary.md."""
SCENARIOS = 4


def fits(value: Any, schema: Any, place: str = "summary") -> None:
    """Assert that a value has exactly the keys and the types of the schema."""
    if isinstance(schema, dict):
        assert isinstance(value, dict) and set(value) == set(schema), f"{place}: {sorted(value)}"
        for key, kind in schema.items():
            fits(value[key], kind, f"{place}.{key}")
    elif isinstance(schema, list):
        assert isinstance(value, list), place
        for at, item in enumerate(value):
            fits(item, schema[0], f"{place}[{at}]")
    else:
        assert isinstance(value, schema) and not isinstance(value, bool), f"{place}: {value!r}"


def told_well(told: Told, outcome: str, category: str | None) -> dict[str, Any]:
    """The summary, once it fits its documented form and agrees with exit status, console and ``summary.md``."""
    summary = told.summary
    fits(summary, SCHEMA)
    assert (summary["format"], summary["version"]) == ("ktrdr-qa/summary", 1)
    assert (summary["outcome"], summary["category"]) == (outcome, category), summary["reasons"]
    assert (told.status == 0) is (outcome == "passed")
    assert all(isinstance(value, float | int) for value in summary["figures"].values())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", summary["began_at"])
    assert summary["reasons"], "every outcome has a reason"
    sign = {"passed": "PASSED", "failed": "FAILED", "inconclusive": "INCONCLUSIVE"}[outcome]
    markdown = (told.place / "reports/summary.md").read_text()
    in_part = ", in part" if outcome == "passed" and summary["not_checked"] else ""
    assert markdown.startswith(f"## {sign}{in_part}: ")
    named = (s["name"] for s in (*summary["scenarios"], *summary["not_checked"]))
    for words in (summary["what_happened"], *summary["reasons"], *named):
        assert evidence.escaped(words) in markdown
    return summary


def test_schema_is_the_documented_one() -> None:
    text = (ROOT / "docs/summary.md").read_text()
    first, _, rest = text.partition("## Figures\n")
    assert set(re.findall(r"^\| `(\w+)` \|", first, re.MULTILINE)) == set(SCHEMA)
    named = set(re.findall(r"`(\w+)`", rest.partition("## Figures of")[0]))
    rules = "".join(f.read_text() for f in (ROOT / "ktrdr_qa/judge").glob("*.py") if f.stem != "verdict")
    told = set(re.findall(r'"(\w+_(?:s|percent|due|cores))": ', rules))
    assert told <= named, f"not documented: {told - named}"


def earlier_runs(place: Path, count: int) -> None:
    target = replace(load("embedded"), embedded=Embedded(arguments=["--registry-lag-s", "0"]), name="target")
    figures = {"acknowledged_s": 0.02, "cancelled_s": 0.06, "worker_idle_s": 0.07}
    feature = "Cancelling a running backtest"
    for _ in range(count):
        trends.add(place / "reports", trends.line(target, feature, "2026-01-02T03:04:05+0000", "passed", figures, 1.0))


def test_green_run_is_told_with_figures_and_the_trend(tmp_path: Path) -> None:
    place = suite(tmp_path)
    earlier_runs(place, 3)
    told = run(place, "-D", "target=target.toml", MAIN)
    summary = told_well(told, "passed", None)
    assert [s["outcome"] for s in summary["scenarios"]] == ["passed"] * SCENARIOS
    assert {c["verdict"] for c in summary["checks"]} == {"holds"}, "told as it was known in the end"
    assert summary["not_checked"] == [] and "\nPASSED: cancelling a running backtest works, on target" in told.console
    assert {"acknowledged_s", "cancelled_s", "worker_idle_s", "frozen_s", "next_runs_s"} <= set(summary["figures"])
    main = told.results[0]
    assert f"PASSED: {main['name']}." in json.dumps(main)
    attached = told.attached(main)
    assert {"Picture of the run", "Trend over the last 4 runs", "Criteria and sanity checks"} <= set(attached)
    assert not [name for name in attached if name.startswith("Offending")]
    assert "limit for cancelled" in attached["Trend over the last 4 runs"]
    (kept,) = (json.loads(line) for line in (place / "reports" / trends.FILE).read_text().splitlines()[3:])
    assert kept["outcome"] == "passed" and kept["cancelled_s"] == summary["figures"]["cancelled_s"]
    assert kept["cancel_limit_s"] == 1.0 and kept["place"] == "embedded --registry-lag-s 0"


def test_defect_is_told_with_what_is_usual_and_the_offending_reading(tmp_path: Path) -> None:
    place = suite(tmp_path, "cancel-ignored")
    earlier_runs(place, 3)
    told = run(place, "-D", "target=target.toml", MAIN)
    summary = told_well(told, "failed", "Product defect")
    assert [s["outcome"] for s in summary["scenarios"]] == ["failed", *["skipped"] * (SCENARIOS - 1)]
    main = told.results[0]
    message = main["statusDetails"]["message"]
    assert "usually 0.06 s over the last 3 runs that passed here" in message
    assert message in "\n".join(line.strip() for line in message.splitlines()) or message.startswith("Expected: ")
    assert "      Expected: the backtest is reported as cancelled within 1.0 s" in told.console
    attached = told.attached(main)
    offending = json.loads(attached["Offending reading: cancelled"])
    history = json.loads(next(text for name, text in attached.items() if name.startswith("History")))
    place_in_history = int(re.search(r"samples\[(\d+)\]", offending["place"])[1])  # type: ignore[index]
    sample = history["samples"][place_in_history]
    assert sample["status"] == "running" == offending["reading"]["status"]
    assert sample["asked_s"] == offending["reading"]["asked_s"]
    assert len(offending["readings_before"]) == len(offending["readings_after"]) == 3
    log = offending["log_of_the_platform"]
    assert log and all({"monotonic", "event"} <= set(line) for line in log)
    assert max(line["monotonic"] for line in log) - min(line["monotonic"] for line in log) <= 2.0
    assert "BROKEN: not cancelled in time" in attached["Picture of the run"]
    assert "failed run" in attached["Trend over the last 4 runs"]
    # A run of readings that show progress and nothing else is a line each, not a page each.
    transcript = next(t for n, t in attached.items() if n.startswith("HTTP exchanges") and t.count(": running at") > 3)
    assert (
        transcript.count(f'"operation_id": "{history["about"]["backtest"]}"') < 6
        and "curl -s http://127.0.0.1" in transcript
    )


def test_defect_that_only_a_witness_sees_is_the_one_that_the_summary_tells(tmp_path: Path) -> None:
    told = run(suite(tmp_path, "after-ghost-processor"), "-D", "target=target.toml", MAIN)
    summary = told_well(told, "failed", "Product defect")
    violated = [c["check"] for c in summary["checks"] if c["verdict"] == "violated"]
    assert violated == ["The worker's processor is quiet"]
    assert "Wrong: the processor of" in summary["what_happened"]


def test_run_that_could_not_tell_says_so(tmp_path: Path) -> None:
    told = run(suite(tmp_path, "running-done-before-cancel"), "-D", "target=target.toml", MAIN)
    summary = told_well(told, "inconclusive", "Inconclusive")
    assert not any(s["outcome"] == "passed" for s in summary["scenarios"])
    assert "INCONCLUSIVE: nothing was learnt about cancellation." in json.dumps(told.results[0])
    assert not (tmp_path / "reports" / trends.FILE).exists(), "nothing was measured"


def test_platform_that_is_not_ready_is_told_apart(tmp_path: Path) -> None:
    told = run(suite(tmp_path, "preflight-no-worker"), "-D", "target=target.toml", MAIN)
    summary = told_well(told, "inconclusive", "Platform not ready")
    assert summary["checks"] == [] and summary["figures"] == {} and summary["what_happened"] == ""
    assert "the platform was not ready, so nothing was learnt" in told.console
    assert "no picture" in json.dumps(told.results[0]) and "Picture of the run" not in told.attached(told.results[0])
    assert told.console.count("no backtest worker is registered") >= 1
    assert re.search(r"–\s+skipped: the platform is not ready", told.console)


def test_start_that_is_refused_is_a_defect_without_a_picture(tmp_path: Path) -> None:
    told = run(suite(tmp_path, "start-500"), "-D", "target=target.toml", "-n", "A running backtest is cancelled", MAIN)
    summary = told_well(told, "failed", "Product defect")
    assert summary["checks"] == []
    attached = told.attached(told.results[0])
    assert "Log of the embedded KTRDR (last lines)" in attached
    assert "No backtest was started" in json.dumps(told.results[0])


EARLIER = {"outcome": "passed", "reasons": ["of an earlier run"]}


def with_an_earlier_summary(place: Path) -> Path:
    (place / "reports").mkdir()
    (place / "reports/summary.json").write_text(json.dumps(EARLIER))
    return place


def test_target_that_cannot_be_read_leaves_no_earlier_verdict(tmp_path: Path) -> None:
    place = with_an_earlier_summary(suite(tmp_path))
    told = run(place, "-D", "target=nowhere", MAIN)
    summary = told_well(told, "inconclusive", "Suite error")
    assert "no target 'nowhere'" in summary["reasons"][0]
    assert "no target 'nowhere'" in told.console.split("INCONCLUSIVE")[1]


def test_feature_that_cannot_be_read_leaves_no_earlier_verdict(tmp_path: Path) -> None:
    place = with_an_earlier_summary(suite(tmp_path))
    (place / "features").unlink()
    shutil.copytree(ROOT / "features", place / "features", ignore=shutil.ignore_patterns("__pycache__"))
    (place / "features/bad.feature").write_text("Feature: A\n  Scenario: B\n    Given it is\n    Nonsense\n")
    told = run(place, "features/bad.feature")
    summary = told_well(told, "inconclusive", "Inconclusive")
    assert "Failed to parse" in summary["reasons"][0] and "Nonsense" in summary["reasons"][0]


def test_scenario_without_steps_is_no_pass(tmp_path: Path) -> None:
    place = suite(tmp_path)
    (place / "features").unlink()
    shutil.copytree(ROOT / "features", place / "features", ignore=shutil.ignore_patterns("__pycache__"))
    (place / "features/empty.feature").write_text("Feature: A\n  Scenario: B\n    It says nothing that is a step.\n")
    told = run(place, "features/empty.feature")
    summary = told_well(told, "inconclusive", "Inconclusive")
    assert "it has no steps, so it checks nothing" in " ".join(summary["reasons"])


def test_dry_run_leaves_the_summary_alone(tmp_path: Path) -> None:
    place = with_an_earlier_summary(suite(tmp_path))
    assert run(place, "--dry-run", MAIN).status == 0
    assert json.loads((place / "reports/summary.json").read_text()) == EARLIER


def begun(place: Path, feature: str, until: str) -> tuple[subprocess.Popen[str], str]:
    """A run that has come to the line of its console that says this, and what it has said so far."""
    process = subprocess.Popen(
        command("-D", "target=target.toml", feature),
        cwd=place,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    console = ""
    for line in process.stdout:
        console += line
        if until in line:
            break
    return process, console


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_run_that_is_stopped_says_what_was_not_run(tmp_path: Path, number: signal.Signals) -> None:
    # A minute of staying frozen: a signal that comes late, on a busy host, still comes in the midst of the scenario.
    limits = SHORT_LIMITS.replace("frozen_s = 2", "frozen_s = 60")
    place = with_an_earlier_summary(suite(tmp_path, limits=limits))
    # Told as soon as it happens, and not when the run is over.
    process, console = begun(place, MAIN, until="the new backtest really runs")
    os.kill(process.pid, number)
    rest: list[str] = []
    reader = threading.Thread(target=lambda: rest.append(process.stdout.read()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    status = process.wait(60)
    reader.join(30)
    told = Told(status, console + "".join(rest), place)
    summary = told_well(told, "inconclusive", "Inconclusive")
    if number == signal.SIGKILL:
        assert "it was killed" in summary["reasons"][0]
        return
    assert "SIGTERM" in json.dumps(summary["reasons"])
    main = told.results[0]
    assert summary["what_happened"] and "INCONCLUSIVE: nothing was learnt" in main["description"]
    film = json.loads(next(text for name, text in told.attached(main).items() if name.startswith("History")))
    assert film["about"]["run"]["outcome"] == "inconclusive" and film["samples"]
    assert "Picture of the run" in told.attached(main)
    assert [s["reason"] for s in summary["scenarios"]][-3:] == ["not run"] * 3
    assert f"3 of {SCENARIOS} scenarios were not run" in " ".join(summary["reasons"])


def test_run_that_is_stopped_between_two_scenarios_tells_of_the_one_that_is_over(tmp_path: Path) -> None:
    """The recording of the first is watched on while the second is about to begin; the signal ends the watching."""
    twice = "features/repeated_cancellation.feature"
    place = suite(tmp_path, limits=SHORT_LIMITS + "watched_s = 60\n")
    process, console = begun(place, twice, until="stays frozen")
    threading.Event().wait(0.5)  # The step is over; what follows is the watching.
    os.kill(process.pid, signal.SIGTERM)
    rest, _ = process.communicate(timeout=50)
    told = Told(process.returncode, console + rest, place)
    summary = told_well(told, "inconclusive", "Inconclusive")
    first = told.results[0]
    assert first["status"] == "passed" and "SIGTERM" in json.dumps(summary["reasons"])
    attached = told.attached(first)
    film = json.loads(next(text for name, text in attached.items() if name.startswith("History")))
    assert film["events"] and "Picture of the run" in attached
    assert summary["figures"]["cancelled_s"] >= 0, "what was learnt is told"
