"""The glossary: current, complete, and enough to write a scenario without Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ktrdr_qa.tell import glossary
from tests.telling.running import ROOT, run, suite

HEAD = '"""Steps: of a test."""\nfrom behave import given\n'
EXPLAINED = '    """It is explained."""\n'


def written(features: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as step definitions can be loaded only once."""
    command = [sys.executable, "-m", "ktrdr_qa.tell.glossary", "--features", str(features), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_glossary_is_current() -> None:
    done = written(ROOT / "features", "--check")
    assert done.returncode == 0, done.stderr


def test_glossary_that_is_not_current_is_refused_in_one_line(tmp_path: Path) -> None:
    old = tmp_path / "sentences.md"
    old.write_text((ROOT / "docs/sentences.md").read_text().replace("cancelled", "stopped"))
    before = old.read_text()
    done = written(ROOT / "features", "--check", "--output", str(old))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "is not current" in done.stderr
    assert old.read_text() == before


@pytest.mark.parametrize(
    ("steps", "feature", "complaint"),
    [
        ('@given("it is so")\ndef it(context): pass\n', "", "has no docstring"),
        (f'@given("it takes {{strange:d}}")\ndef it(context, strange):\n{EXPLAINED}', "", "the parameter strange"),
        (f'@given("it is so")\ndef it(context):\n{EXPLAINED}', "@odd\nFeature: A\n  Scenario: B\n", "the tag @odd"),
    ],
)
def test_glossary_asks_for_what_is_not_explained(tmp_path: Path, steps: str, feature: str, complaint: str) -> None:
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "test_steps.py").write_text(HEAD + steps)
    (tmp_path / "a.feature").write_text(feature)
    done = written(tmp_path, "--output", str(tmp_path / "out.md"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and complaint in done.stderr


def test_glossary_has_every_sentence_every_tag_and_every_parameter() -> None:
    text = (ROOT / "docs/sentences.md").read_text()
    steps = "".join(file.read_text() for file in (ROOT / "features/steps").glob("*.py"))
    assert text.count("\n### ") == steps.count("(context: Any") > 30
    for tag in glossary.tags():
        assert f"`@{tag.split(':')[0]}" in text
    for parameter in ("limit", "least", "updates", "count"):
        assert f"- `{{{parameter}}}`: " in text


def test_example_of_the_glossary_runs_and_can_fail(tmp_path: Path) -> None:
    """What a reader who knows no Python would write and try."""
    place = suite(tmp_path)
    (place / "features").unlink()
    shutil.copytree(ROOT / "features", place / "features", ignore=shutil.ignore_patterns("__pycache__"))
    early = (ROOT / "features/early_cancellation.feature").read_text()
    head = early.split("  @critical")[0]
    mine = place / "features" / "mine.feature"
    mine.write_text(head + glossary.EXAMPLE)
    told = run(place, "-D", "target=target.toml", "features/mine.feature")
    assert told.status == 0, told.console
    assert told.summary["outcome"] == "passed"
    suite(place, "stability-new-503")
    told = run(place, "-D", "target=target.toml", "features/mine.feature")
    assert told.status == 1 and told.summary["outcome"] == "failed"
