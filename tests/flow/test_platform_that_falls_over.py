"""What KTRDR does wrong besides the cancelled backtest itself: it falls over, keeps places, cannot stop another one.

That is its defect, told as what it is. What is gone before the cancel leaves nothing learnt.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from ktrdr_qa.judge.crashes import GIVE_UP_S
from tests.deployments.harness import BRISK, MAIN, Place, Ran, started
from tests.deployments.proxy import Answer, Asked, proxy
from tests.telling.running import ROOT, Told, run, suite

FAULTS = tomllib.loads((ROOT / "standin/faults.toml").read_text(encoding="utf-8"))["fault"]
RESTART = "features/restart.feature"
STABLE = "System stable: new operation starts OK"


def exchanges(told: Told) -> str:
    """All requests of a run with what came of them, as the report shows them."""
    return "\n".join(
        text
        for result in told.results
        for name, text in told.attached(result).items()
        if name.startswith("HTTP exchanges")
    )


def nobody_waited_for_it(asked: str) -> bool:
    """Whether no address was asked in vain for longer than it takes to know that KTRDR is gone, and once as long."""
    in_vain = re.findall(r"  (GET|POST) (\S+)\n +no answer after \d+ ms: no answer within ([\d.]+) s", asked)
    return all(times * float(for_s) < 2 * GIVE_UP_S for (_, _, for_s), times in Counter(in_vain).items())


@pytest.mark.parametrize(
    ("fault", "words"), [("after-backend-dies", "connection refused"), ("after-backend-hangs", "no answer within")]
)
def test_platform_that_falls_over_after_the_cancel_fails(tmp_path: Path, fault: str, words: str) -> None:
    told = run(suite(tmp_path, fault), "-D", "target=target.toml", MAIN)
    summary = told.summary
    assert (summary["outcome"], summary["category"]) == ("failed", "Product defect"), told.console
    assert words in summary["scenarios"][0]["reason"]
    assert (
        "Wrong: the system is stable: KTRDR goes on answering after the cancel, but it has not"
        in summary["what_happened"]
    )
    (row,) = [c for c in summary["checks"] if c["check"] == STABLE]
    assert row["verdict"] == "violated" and "it has not answered any more since" in row["seen"] and words in row["seen"]
    # It is asked for no more than it takes to know: nobody waits for a clean-up that cannot be.
    asked = exchanges(told)
    assert asked.count("  DELETE ") == 1
    assert nobody_waited_for_it(asked)
    assert "Traceback" not in told.console


def test_platform_that_hangs_before_the_cancel_is_inconclusive(tmp_path: Path) -> None:
    told = run(suite(tmp_path, "running-backend-hangs"), "-D", "target=target.toml", MAIN)
    summary = told.summary
    assert (summary["outcome"], summary["category"]) == ("inconclusive", "Inconclusive"), told.console
    assert "KTRDR itself is gone: it has not answered for" in summary["scenarios"][0]["reason"]
    assert "nothing was learnt about cancellation" in summary["scenarios"][0]["reason"]
    asked = exchanges(told)
    assert "  DELETE " not in asked and " no answer after " in asked and nobody_waited_for_it(asked)
    assert "Traceback" not in told.console


@pytest.mark.parametrize(
    "useless",
    [Answer(401, '{"detail": "token expired"}'), Answer(200, "<html>Sign in</html>", "text/html"), Answer(200, "[]")],
    ids=["not authorised", "a page", "no record"],
)
def test_what_cannot_be_read_any_more_is_told_to_end_all_the_same(tmp_path: Path, useless: Answer) -> None:
    begun: list[str] = []

    def rule(asked: Asked) -> Answer | None:
        if asked.path.endswith("/backtests/start"):
            begun.append(asked.path)
        return useless if begun and asked.method == "GET" and "/operations" in asked.path else None

    with started("--bars-per-second", "8") as platform:
        with proxy(platform.url, rule) as url:
            ran = Place(tmp_path).live(url, MAIN, more=BRISK)
        assert ran.exit_status != 0 and not platform.active(), ran.output
    assert "was told to end, and may still run: " in ran.output and "Traceback" not in ran.output
    assert "KTRDR itself is gone" not in ran.output


def test_what_only_a_skipped_scenario_was_about_is_told_with_its_history(tmp_path: Path) -> None:
    told = run(suite(tmp_path, "cancel-ignored"), "-D", "target=target.toml", "--name", "place is free", MAIN)
    summary = told.summary
    assert (summary["outcome"], summary["category"]) == ("failed", "Product defect"), told.console
    assert "Traceback" not in told.console and "AttributeError" not in told.console
    (failed,) = [result for result in told.results if result["status"] == "failed"]
    assert any(name.startswith("History") for name in told.attached(failed))


def test_places_that_are_never_given_back_are_held_against_ktrdr(tmp_path: Path) -> None:
    (row,) = [row for row in FAULTS if row["name"] == "running-places-never-freed"]
    told = run(suite(tmp_path, row["name"], " ".join(row["arguments"])), "-D", "target=target.toml", MAIN)
    summary = told.summary
    assert (summary["outcome"], summary["category"]) == ("failed", "Product defect"), told.console
    reason = summary["scenarios"][0]["reason"]
    assert "KTRDR gives a place back within 4.0 s of the end of the backtest that had it" in reason
    assert "backtest-worker-1 busy with op_backtesting_" in reason and "backtests of this run that have ended" in reason
    assert reason.rstrip().endswith("/api/v1/workers") and "\n   again: curl -s http://127.0.0.1" in reason


def test_backtest_that_the_clean_up_cannot_stop_is_ktrdrs_defect(tmp_path: Path) -> None:
    """The cancel works; the one of the next backtest is acknowledged, and nothing comes of it."""
    cancelled: list[str] = []

    def rule(asked: Asked) -> Answer | None:
        if asked.method == "DELETE":
            cancelled.append(asked.path)
            if asked.path != cancelled[0]:
                told = {"success": True, "data": {"operation_id": asked.path.rsplit("/", 1)[1], "status": "cancelled"}}
                return Answer(200, json.dumps(told))
        return None

    with started("--registry-lag-s", "0", "--bars-per-second", "8", "--min-bars", "51") as platform:
        with proxy(platform.url, rule) as url:
            ran: Ran = Place(tmp_path).live(url, MAIN, more=f"{BRISK}watched_s = 1\n").failed()
        (left,) = platform.active()
    assert ran.summary["category"] == "Product defect"
    assert f"what this run has left running ends when it is cancelled, but {left} is still" in ran.reasons
    (scenario,) = [s for s in ran.summary["scenarios"] if s["outcome"] == "failed"]
    assert "judged at the end of the recording\n" in scenario["reason"], "no step had asked for it"
    assert 'is still "running"' in scenario["reason"] and "after its cancel was acknowledged" in scenario["reason"]
    assert f"curl -X DELETE {url}/api/v1/operations/{left}" in scenario["reason"], "how to end it by hand"
    assert f"   again: curl -s {url}/api/v1/operations/{left}" in scenario["reason"]
    (row,) = [c for c in ran.summary["checks"] if c["check"] == STABLE]
    assert row["verdict"] == "violated" and left in row["seen"]
    assert "after_all" not in ran.output


def test_backtest_that_cannot_be_stopped_is_held_against_ktrdr_in_the_recording_that_started_it_only(
    tmp_path: Path,
) -> None:
    # Not the worker's restart in mid-cancel: which of the two comes first is open, and so is then the outcome.
    place = suite(tmp_path, "restart-orphan-cannot-be-cancelled")
    named = "--name=A backtest", "--name=in which KTRDR's backend"
    told = run(place, "-D", "target=target.toml", *named, RESTART)
    outcomes = [scenario["outcome"] for scenario in told.summary["scenarios"]]
    assert outcomes == ["failed", "passed", "passed"], told.console
    assert told.console.count("its cancel was answered HTTP 500") >= 1
