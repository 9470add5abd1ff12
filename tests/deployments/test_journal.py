"""The journal of what runs have started: whose it is, and what a dead run has left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ktrdr_qa.act.journal import Journal
from tests.deployments.harness import ROOT

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
    assert Journal(tmp_path, HERE).leftovers() == []
    assert len(list(tmp_path.iterdir())) == 5


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
