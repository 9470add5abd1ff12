"""The README's table of what is verified: a row a sentence, its faults, and that a check can tell that it is not current."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.gallery import verified
from tools import readme

FEATURE = """\
Feature: Cancelling
  Background: Preflight
    Given KTRDR is there
  Scenario: One
    When it is cancelled
    Then it is cancelled within 2 seconds
  Scenario: Two
    Then it is cancelled within 3 seconds of the cancellation
    And it is quiet
"""


def fault(name: str, step: str, feature: str = "backtest_cancellation") -> dict[str, Any]:
    return {"name": name, "step": step, "feature": f"features/{feature}.feature"}


def told(place: Path, *faults: dict[str, Any]) -> str:
    for name in ("backtest_cancellation", "early"):
        (place / f"{name}.feature").write_text(FEATURE.replace("Cancelling", name.title()), encoding="utf-8")
    return verified.document(place, faults)


def test_each_sentence_is_a_row_with_its_scenarios_and_its_faults(tmp_path: Path) -> None:
    table = told(tmp_path, fault("late", "it is cancelled within"), fault("gone", "KTRDR is there"), fault("any", ""))
    assert table.startswith("3 sentences, 3 faults; ") and "*Early* has no sentences but these." in table
    assert "| KTRDR is there | every scenario | `gone` |" in table
    assert "| it is cancelled | as above | `late` |" in table
    assert "| it is quiet | Two | none so far" in table
    assert "| whichever sentence it breaks first | any | `any` |" in table
    assert "4 checks, 3 faults" in table


def test_a_sentence_stands_in_the_first_feature_unless_a_fault_proves_it_in_another(tmp_path: Path) -> None:
    table = told(tmp_path, fault("loud", "it is quiet", "early"))
    assert "| it is quiet | Two | `loud` |" in table and table.count("| it is cancelled |") == 1


def test_a_fault_whose_sentence_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(verified.NoSentence, match="no sentence for the step of lost"):
        told(tmp_path, fault("lost", "it is loud"))


def test_the_readme_is_current_or_else_the_check_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified.main(["--check"]) == 0
    monkeypatch.setattr(readme, "has", lambda command, text: False)
    assert verified.main(["--check"]) == 1
    assert "is not current; write it with: python -m tests.gallery.verified" in capsys.readouterr().err


def test_what_stands_in_the_readme_is_compared_and_replaced(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("a\n<!-- x -->\nold\n<!-- end -->\nb\n", encoding="utf-8")
    assert readme.has("x", "old", page) and not readme.has("x", "new", page)
    readme.put("x", "new", page)
    assert readme.has("x", "new", page) and page.read_text(encoding="utf-8").endswith("<!-- end -->\nb\n")
