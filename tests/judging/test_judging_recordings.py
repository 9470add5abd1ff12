"""Recordings of whole runs that an earlier state judged wrongly, or rightly: each gets the right value now, and its words.

Those that begin with ``real`` are of a running KTRDR; the others are of stand-ins with a fault.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ktrdr_qa.judge import __main__ as judge

HISTORIES = Path(__file__).parent / "histories"
NEXT = "New operations work immediately"
PROCESSOR = "The worker's processor is quiet"
RIGHT: dict[str, tuple[str, str, str, str]] = {
    "new_backtest_fails_after_it_moved": (
        "failed",
        NEXT,
        "violated",
        'it was "failed" 0.43 s after its start, after it had moved to 7.6e-12 %: out of memory',
    ),
    "new_backtest_stands_still": (
        "inconclusive",
        NEXT,
        "unknown",
        'it has not been seen to move: last "running" at 2.3 %, 0.0 s ago (16 readings)',
    ),
    "a_third_of_the_processor_goes_on": (
        "inconclusive",
        PROCESSOR,
        "unknown",
        "it used 0.33 cores over 1.8 s (idle before 0.00, the backtest 0.95), not yet quiet for long enough to tell",
    ),
    "the_neighbour_is_cancelled_too": (
        "passed",
        "Cancel request succeeds",
        "holds",
        "acknowledged with HTTP 200 after 0.00 s; this backtest was cancelled",
    ),
    "completed_in_the_race_with_the_cancel": (
        "inconclusive",
        'Not completed: status is not "completed"',
        "unknown",
        "it was completed 0.05 s after the cancel, too close to its own end to tell: it was sent at 58.7 %, "
        "when about 0.0 s were left at its own pace",
    ),
    "real_first_candidate_passed_over": (
        "inconclusive",
        "Was running: percentage > 0 before cancel",
        "unknown",
        "about 0.8 s were left at 48.4 %, by its own pace",
    ),
    "real_refused_at_capacity": (
        "failed",
        NEXT,
        "violated",
        "HTTP 503: No backtesting workers available (hint: Workers auto-register after startup. Retry in a few "
        "seconds, or check worker container logs.); 2 of 2 workers counted as busy, backtest-worker-2 with the "
        "backtest just cancelled; a start was accepted only 5.9 s later",
    ),
    "real_computes_on_after_an_early_cancel": (
        "failed",
        PROCESSOR,
        "violated",
        "it used 0.90 cores over 1.8 s (idle before 0.00): something computes on, whatever the answers say",
    ),
}


def judged(file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """The exit status of the command, and what it prints for another program."""
    status = judge.main([str(file), "--json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, document


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_a_recording_gets_its_right_value(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcome, check, verdict, seen = RIGHT[name]
    status, document = judged(HISTORIES / f"{name}.json", capsys)
    row = next(row for row in document["rows"] if row["check"] == check)
    assert (document["outcome"], row["verdict"], row["seen"]) == (outcome, verdict, seen)
    assert status == {"passed": 0, "failed": 1, "inconclusive": 2}[outcome]


def test_every_recording_has_its_right_value() -> None:
    assert {file.stem for file in HISTORIES.iterdir()} == RIGHT.keys()


@pytest.mark.parametrize(
    ("apart_s", "verdict"),
    [(0.0, "violated"), (0.499, "violated"), (-0.499, "violated"), (0.6, "holds"), (-0.6, "holds")],
)
def test_with_the_neighbour_s_record_it_fails_where_ktrdr_s_own_times_agree(
    apart_s: float, verdict: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads((HISTORIES / "the_neighbour_is_cancelled_too.json").read_text(encoding="utf-8"))
    neighbour = "op_backtesting_x0001"
    listed = next(s for s in document["samples"] if s["subject"] == neighbour and s.get("status") == "cancelled")
    # The cancelled one ended at 04:40:08.802596.
    record = {
        **listed,
        "view": "other",
        "facts": {"completed_at": f"2026-11-25T04:40:{8.802596 + apart_s:09.6f}+00:00"},
    }
    document["samples"].append(record)
    file = tmp_path / "history.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    status, told = judged(file, capsys)
    judgement = next(j for j in told["judgements"] if j["name"] == "only this one")
    assert judgement["verdict"] == verdict
    assert status == (1 if verdict == "violated" else 0)
    if verdict == "violated":
        assert judgement["seen"] == (
            f"another backtest was cancelled with it, at the same moment by KTRDR's own times: {neighbour}"
        )


def test_a_completion_in_the_race_has_no_check_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    _, document = judged(HISTORIES / "completed_in_the_race_with_the_cancel.json", capsys)
    assert "violated" not in {j["verdict"] for j in document["judgements"]}
