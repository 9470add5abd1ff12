"""What the documents name is there: a newcomer goes by these names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ktrdr_qa.judge.ways.all import WAYS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "docs/architecture.md")
MOST_LINES = 80


def named(text: str) -> Iterator[str]:
    """The paths between backticks that begin in one of this repository's folders, but what a run writes."""
    for words in re.findall(r"`([\w./-]+/[\w./-]*)`", text):
        if (ROOT / words.split("/")[0]).is_dir() and not words.startswith("reports/"):
            yield words


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_is_named_is_there(document: str) -> None:
    found = list(named((ROOT / document).read_text(encoding="utf-8")))
    assert found
    assert [path for path in found if not (ROOT / path).exists()] == []


def test_what_is_not_there_is_seen() -> None:
    assert list(named("`ktrdr_qa/judge/nowhere.py`, `reports/report.html`, `and/or`")) == ["ktrdr_qa/judge/nowhere.py"]


def test_the_architecture_is_read_at_a_sitting() -> None:
    assert len((ROOT / "docs/architecture.md").read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("room", ["act/ways", "judge/ways"])
def test_a_way_is_called_as_its_feature(room: str) -> None:
    ways = {file.stem for file in (ROOT / "ktrdr_qa" / room).glob("*.py")} - {"__init__", "all", "way"}
    assert ways
    assert ways <= {file.stem for file in (ROOT / "features").glob("*.feature")}


def test_every_way_is_in_the_list_of_all() -> None:
    here = {file.stem for file in (ROOT / "ktrdr_qa/judge/ways").glob("*.py")} - {"__init__", "all", "way"}
    assert {way.judgements.__module__.split(".")[-1] for way in WAYS} == here
