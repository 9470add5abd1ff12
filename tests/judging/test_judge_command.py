"""``python -m ktrdr_qa.judge``: a saved history gets the verdict that its run got."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ktrdr_qa.judge import __main__ as judge
from ktrdr_qa.judge import table, verdict
from ktrdr_qa.judge.in_words import believed, in_words
from ktrdr_qa.record.history import History
from tests.judging.film import B, W, film, health, healthy, plus, registry, saw, without

FAILED = plus(healthy(), saw(20.0, "completed", 100.0), registry(13.0, B))
INCONCLUSIVE = without(healthy(), "backend", "op_2")


def save(directory: Path, history: History) -> Path:
    file = directory / "history.json"
    file.write_text(history.to_json(), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("history", "outcome", "status"),
    [(healthy(), "passed", 0), (FAILED, "failed", 1), (INCONCLUSIVE, "inconclusive", 2), (film(), "inconclusive", 2)],
)
def test_the_outcome_is_the_run_s_and_is_the_exit_status(
    history: History, outcome: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdict.outcome(verdict.judge_all(history)) == outcome
    assert judge.main([str(save(tmp_path, history))]) == status
    assert capsys.readouterr().out.splitlines()[0] == outcome.upper()
    assert judge.main([str(save(tmp_path, history)), "--json"]) == status
    assert json.loads(capsys.readouterr().out)["outcome"] == outcome


def test_only_what_the_run_asked_for_has_to_hold(tmp_path: Path) -> None:
    unasked = without(healthy(), "backend", "op_2")
    assert judge.main([str(save(tmp_path, unasked))]) == 2
    unasked.about["asked"] = ["cancelled", "place free"]  # type: ignore[index]
    assert judge.main([str(save(tmp_path, unasked))]) == 0


def test_it_prints_the_paragraph_every_row_and_what_it_rests_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge.main([str(save(tmp_path, FAILED))])
    told = capsys.readouterr().out
    plain = " ".join(told.split())
    found = verdict.judge_all(FAILED)
    assert in_words(FAILED, found) in plain
    for row in table.rows(found):
        assert f"{row.verdict} {row.kind} {row.check} {row.seen}" in plain
    assert f"The verdict rests on {believed(found)}." in plain
    assert "Observations: - The registry freed the worker 3.7 s after the cancel was answered." in plain
    assert max(len(line) for line in told.splitlines()) <= judge.WIDTH


def test_without_an_observation_there_is_no_list_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judge.main([str(save(tmp_path, film()))])
    assert "Observations" not in capsys.readouterr().out


def test_the_json_holds_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judge.main([str(save(tmp_path, FAILED)), "--json"])
    document = json.loads(capsys.readouterr().out)
    found = verdict.judge_all(FAILED)
    assert (document["format"], document["version"]) == ("ktrdr-qa/verdict", 1)
    assert document["in_words"] == in_words(FAILED, found)
    assert document["rests_on"] == believed(found)
    assert [row["check"] for row in document["rows"]] == [row.check for row in table.rows(found)]
    assert {judged["name"]: judged["verdict"] for judged in document["judgements"]} == {
        name: judgement.verdict for name, judgement in found.items()
    }


def limited(limits: Any) -> str:
    history = healthy()
    history.about["limits"] = limits  # type: ignore[index]
    return history.to_json()


def asked(names: Any) -> str:
    history = healthy()
    history.about["asked"] = names  # type: ignore[index]
    return history.to_json()


def updated(updates: Any) -> str:
    history = healthy()
    history.about["updates"] = updates  # type: ignore[index]
    return history.to_json()


HUGE = 10**400


def until(until_s: float) -> str:
    document = json.loads(healthy().to_json())
    document["until_s"] = until_s
    return json.dumps(document)


def first_reading(**changes: Any) -> str:
    document = json.loads(healthy().to_json())
    document["samples"][0].update(changes)
    return json.dumps(document)


LAST_S = max(s.answered_s for s in healthy().samples)
FIRST = healthy().samples[0]


def took(took_s: Any) -> str:
    return healthy().to_json().replace('"took_s": 0.1', f'"took_s": {json.dumps(took_s)}')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no such file"),
        ("", "empty; expected a history as the report attaches it"),
        (" \n", "empty; expected a history as the report attaches it"),
        (
            "<html>",
            "not JSON (Expecting value: line 1 column 1 (char 0)); expected a history as the report attaches it",
        ),
        ('{"format": "ktrdr-qa/summary"}', 'not a history: expected "format": "ktrdr-qa/history" at the top'),
        (healthy().to_json()[:-100], None),
        (healthy().to_json().replace('"samples"', '"sample"'), "the history is damaged: it has no 'samples'"),
        (limited([2.0]), "the history is damaged: its limits are no numbers: [2.0]"),
        (limited({"cancelled_s": "2"}), "the history is damaged: its limits are no numbers: {'cancelled_s': '2'}"),
        (limited({"cancelled_s": True}), "the history is damaged: its limits are no numbers: {'cancelled_s': True}"),
        (asked("cancelled"), "the history is damaged: 'cancelled' is no list of judgements"),
        (updated("three"), "the history is damaged: its updates are no number: 'three'"),
        (took("long"), "the history is damaged: could not convert string to float: 'long'"),
        (took([1]), None),
        (
            asked(["running", "cancelld"]),
            "the history is damaged: it asks for 'cancelld', which is no judgement; did you mean 'cancelled'?",
        ),
        (asked([["running"]]), None),
        *(
            (
                until(until_s),
                f"the history is damaged: until_s is {until_s}, and it has to be {LAST_S} at least, "
                "when the last reading came",
            )
            for until_s in (0, -1, LAST_S - 0.5)
        ),
        (
            limited({"canceled_s": 2.0}),
            "the history is damaged: there is no limit 'canceled_s'; did you mean 'cancelled_s'?",
        ),
        (
            limited({"cancelled_s": -2.0}),
            "the history is damaged: the limit cancelled_s is -2.0; expected seconds, 0 or more",
        ),
        (
            first_reading(asked_s=FIRST.answered_s + 0.25),
            f"the history is damaged: a reading of {FIRST.view} {FIRST.subject!r} was answered at {FIRST.answered_s} s, "
            f"before it was asked at {FIRST.answered_s + 0.25} s",
        ),
        (
            limited({"cancelled_s": HUGE}),
            f"the history is damaged: its limits are no numbers: {{'cancelled_s': {HUGE}}}",
        ),
        (updated(HUGE), f"the history is damaged: its updates are no number: {HUGE}"),
        (updated(-1), "the history is damaged: its updates are -1; expected a number of updates, 0 or more"),
        (took(HUGE), None),
        (until(HUGE), f"the history is damaged: until_s is no number: {HUGE}"),
        (first_reading(answered_s=HUGE), f"the history is damaged: answered_s is no number: {HUGE}"),
        (first_reading(percentage=-HUGE), f"the history is damaged: percentage is no number: -{HUGE}"),
        (limited("x" * 200_000), None),
        (healthy().to_json().replace('"until_s": ', f'"until_s": 1{"0" * 5000}'), None),
    ],
    ids=lambda given: str(given)[:60],
)
def test_what_cannot_be_judged_is_told_in_one_line(
    text: str | None, told: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "history.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert judge.main([str(file)]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{file}: ")
    assert printed.err.count("\n") == 1
    assert len(printed.err) < len(f"{file}: ") + judge.LONGEST + 2
    if told:
        assert printed.err == f"{file}: {told}\n"


def test_what_is_no_text_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\xff\xfe")
    assert judge.main([str(file)]) == 3
    assert capsys.readouterr().err == f"{file}: not text in UTF-8; expected a history as the report attaches it\n"
    assert judge.main([str(tmp_path)]) == 3
    assert capsys.readouterr().err == f"{tmp_path}: cannot be read: Is a directory\n"


@pytest.mark.parametrize(("arguments", "status"), [([], 3), (["a", "b"], 3), (["--colour"], 3), (["--help"], 0)])
def test_a_wrong_call_has_the_status_of_bad_input(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge.main(arguments) == status
    printed = capsys.readouterr()
    assert "usage: python -m ktrdr_qa.judge" in printed.out + printed.err


@pytest.mark.parametrize(("history", "status"), [(healthy(), 0), (plus(healthy(), health(20.0, B, W)), 1)])
def test_it_runs_as_a_command(history: History, status: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ktrdr_qa.judge", str(save(tmp_path, history))]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (status, "")
    gone = subprocess.run([*command[:-1], str(tmp_path / "none.json")], capture_output=True, text=True, timeout=60)
    assert (gone.returncode, gone.stdout) == (3, "")
    assert "Traceback" not in gone.stderr


def test_every_judgement_that_a_run_can_ask_for_is_known() -> None:
    rules = {
        name
        for file in Path(judge.__file__).parent.rglob("*.py")
        for name in re.findall(r'\bRule\(\s*"([^"]+)"', file.read_text(encoding="utf-8"))
    }
    # This one is what the suite waits for, and no sentence asks for it.
    assert len(rules) > 50 and rules - {"afterwards"} <= judge.JUDGEMENTS


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_very_long_word_is_cut(form: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    word = "x" * 200_000
    history = plus(healthy(), saw(20.0, word, 50.0))
    history.about["run"] = {"scenario": word, "outcome": "passed"}  # type: ignore[index]
    assert judge.main([str(save(tmp_path, history)), *form]) == 1
    printed = capsys.readouterr().out
    assert word[: judge.WIDTH // 2] in printed and len(printed) < 40_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_verdict_that_cannot_be_printed_is_told_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ktrdr_qa.judge", str(save(tmp_path, healthy()))]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (3, "the verdict cannot be printed: No space left on device\n")


def test_the_help_names_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    judge.main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "Exit status: 0 passed, 1 failed, 2 inconclusive, 3 where FILE is no history that can be read." in told


def test_it_says_where_the_run_itself_ended_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = healthy()
    history.about["run"] = {"scenario": "S", "outcome": "failed"}  # type: ignore[index]
    assert judge.main([str(save(tmp_path, history))]) == 0
    assert "The run itself ended as failed: S" in capsys.readouterr().out


def test_times_that_somebody_has_rounded_are_read_all_the_same(tmp_path: Path) -> None:
    rounded = first_reading(answered_s=FIRST.asked_s - 0.009)
    for text in (rounded, until(LAST_S - 0.009)):
        file = tmp_path / "history.json"
        file.write_text(text)
        assert judge.main([str(file)]) == judge.main([str(save(tmp_path, healthy()))])
