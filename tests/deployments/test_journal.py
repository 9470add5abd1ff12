"""The journal of what runs have started: whose it is, and what a dead run has left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.act import leaving
from ktrdr_qa.act.journal import Journal
from tests.deployments.harness import ROOT

NOBODY: Any = None
"""A client that is not asked for anything."""
HERE, THERE = "http://localhost:8000", "http://localhost:8001"


def left_by_the_dead(directory: Path, base_url: str, *backtests: str, **more: object) -> Path:
    document = {"pid": os.getpid(), "born": 1.0, "base_url": base_url, "open": list(backtests), **more}
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{len(list(directory.iterdir()))}.json"
    file.write_text(json.dumps(document))
    return file


def test_a_run_under_way_is_nobodys_leftover_even_under_a_number_that_came_again(tmp_path: Path) -> None:
    first = Journal(tmp_path, HERE)
    first.started("op_1")
    assert Journal(tmp_path, HERE).leftovers() == []
    left_by_the_dead(tmp_path, HERE, "op_2")  # the same number, but born at another time
    assert [left.backtest for left in Journal(tmp_path, HERE).leftovers()] == ["op_2"]
    first.ended("op_1")
    assert first.open == () and first.ended_ones == ["op_1"]
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_what_was_left_elsewhere_is_told_apart(tmp_path: Path) -> None:
    left_by_the_dead(tmp_path, THERE, "op_3")
    journal = Journal(tmp_path, HERE)
    assert journal.leftovers() == []
    (elsewhere,) = journal.left_elsewhere()
    assert (elsewhere.base_url, elsewhere.backtest) == (THERE, "op_3")


def test_what_was_left_on_an_embedded_ktrdr_ended_with_it(tmp_path: Path) -> None:
    file = left_by_the_dead(tmp_path, THERE, "op_4", ends_with_run=True)
    journal = Journal(tmp_path, HERE)
    assert journal.left_elsewhere() == [] and journal.leftovers() == []
    assert not file.exists()


def test_a_file_that_cannot_be_read_stays_and_disturbs_nobody(tmp_path: Path) -> None:
    for number, text in enumerate(
        ("", "{", "[]", '{"pid": 1}', '{"pid": "x", "born": null, "base_url": "u", "open": 7}')
    ):
        (tmp_path / f"bad{number}.json").write_text(text)
    (tmp_path / "far.json").write_text('{"pid": 1e400, "born": 1.0, "base_url": "u", "open": []}')
    journal = Journal(tmp_path, HERE)
    assert journal.leftovers() == [] and journal.left_elsewhere() == []
    assert [file.name for file in journal.damaged()] == [
        "bad0.json",
        "bad1.json",
        "bad2.json",
        "bad3.json",
        "bad4.json",
    ]
    assert len(list(tmp_path.iterdir())) == 6


def test_where_nothing_can_be_noted_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("in its place")
    with pytest.raises(BadConfiguration, match=r"journal cannot be written \(File exists\): .*; remove what is in its"):
        Journal(tmp_path / "journal", HERE)


def test_a_journal_that_cannot_be_kept_any_more_stops_nothing_and_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", HERE)
    journal.started("op_1")
    shutil.rmtree(tmp_path / "journal")
    (tmp_path / "journal").write_text("in its place")
    journal.started("op_2")
    journal.ended("op_1")
    assert journal.open == ("op_2",) and journal.ended_ones == ["op_1"]
    assert "cannot be written (" in journal.trouble and journal.trouble.endswith("; this run has started op_2")


def test_what_a_dead_run_has_left_is_told_in_one_line_each(tmp_path: Path) -> None:
    left_by_the_dead(tmp_path, THERE, "op_\x1b[31m" + "x" * 1000 + "\n")
    (tmp_path / "cut_off.json").write_text('{"pid": ')
    said: list[str] = []
    leaving.end_leftovers(NOBODY, Journal(tmp_path, HERE), said.append, lambda file: file.name)
    assert len(said) == 2 and all(len(line) < 250 and line.isprintable() for line in said)
    assert said[1] == (
        "cut_off.json cannot be read, and may name a backtest that a killed run left behind: look, then remove it"
    )


def test_settling_removes_what_was_ended(tmp_path: Path) -> None:
    left_by_the_dead(tmp_path, HERE, "op_5", "op_6")
    journal = Journal(tmp_path, HERE)
    left = journal.leftovers()
    assert [one.backtest for one in left] == ["op_5", "op_6"]
    journal.settle(left)
    assert not list(tmp_path.iterdir())


def test_the_command_lists_the_targets_that_come_along(tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KTRDR_")}
    done = subprocess.run(
        [sys.executable, "-m", "ktrdr_qa.target"],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == ""
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == ["embedded", "sandbox", "without"]
