"""The list of equivalent mutants speaks of lines that are there, with a reason; the command that uses it says what is wrong."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.judging import mutation
from tests.judging.mutation import Mutant

LISTED = mutation.read_listed()


@pytest.mark.parametrize("mutant", sorted(LISTED), ids=lambda mutant: f"{mutant.function}: {mutant.now}")
def test_each_listed_mutant_changes_a_line_that_is_there(mutant: Mutant) -> None:
    module, function = mutant.function.split(".")
    text = (mutation.ROOT / "ktrdr_qa" / mutation.MODULES[module] / f"{module}.py").read_text(encoding="utf-8")
    body = next(n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and n.name == function)
    lines = [line.strip() for line in text.splitlines()[body.lineno - 1 : body.end_lineno]]
    assert mutant.was in " ".join(lines)
    assert mutant.now != mutant.was


def results(place: Path, **outcomes: int) -> None:
    """What mutmut leaves behind for one module of one function and some mutants of it."""
    directory = place / "mutants" / "ktrdr_qa" / "record"
    directory.mkdir(parents=True)
    names = ["orig", *outcomes]
    bodies = [
        f"def x_judge__mutmut_{name}(a):\n    first = a\n    return first{'' if name == 'orig' else ' + ' + name}"
        for name in names
    ]
    (directory / "waiting.py").write_text("\n\n".join(bodies), encoding="utf-8")
    keys = {f"ktrdr_qa.record.waiting.x_judge__mutmut_{name}": outcome for name, outcome in outcomes.items()}
    (directory / "waiting.py.meta").write_text(json.dumps({"exit_code_by_key": keys}), encoding="utf-8")


def listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *entries: str, why: str = "it does the same") -> None:
    file = tmp_path / "equivalent_mutants.toml"
    tables = [
        f'[[mutant]]\nfunction = "waiting.judge"\nwas = "return first"\nnow = "{now}"\nwhy = "{why}"' for now in entries
    ]
    file.write_text("\n".join(tables), encoding="utf-8")
    monkeypatch.setattr(mutation, "EQUIVALENT", file)


def many(killed: int, **outcomes: int) -> dict[str, int]:
    return {**{str(number): 1 for number in range(killed)}, **outcomes}


def test_where_all_are_killed_or_listed_it_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results(tmp_path, **many(39, a=0))
    listed(monkeypatch, tmp_path, "return first + a")
    assert mutation.report(tmp_path, ["waiting"], 12.3) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[1].split() == ["waiting", "40", "39", "1", "0"]
    assert told[2:] == ["39 of 40 mutants killed (97.5%) in 12 s"]


@pytest.mark.parametrize("outcome", [mutation.SURVIVED, mutation.NOT_TESTED])
def test_a_survivor_that_is_not_listed_is_told_and_fails(
    outcome: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results(tmp_path, **many(39, a=outcome))
    listed(monkeypatch, tmp_path)
    assert mutation.report(tmp_path, ["waiting"], 12.3) == 1
    assert "survived in waiting.judge:\n  - return first\n  + return first + a" in capsys.readouterr().out


def test_a_listed_one_that_is_killed_is_told_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results(tmp_path, **many(39))
    listed(monkeypatch, tmp_path, "return first + a")
    assert mutation.report(tmp_path, ["waiting"], 12.3) == 1
    assert "listed as equivalent, but not among the survivors, in waiting.judge:" in capsys.readouterr().out


def test_a_listed_one_of_a_module_that_was_not_asked_for_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results(tmp_path, **many(39))
    listed(monkeypatch, tmp_path, "return first + a")
    mutation.EQUIVALENT.write_text(
        mutation.EQUIVALENT.read_text(encoding="utf-8").replace("waiting.judge", "verdict.judge"), encoding="utf-8"
    )
    assert mutation.report(tmp_path, ["waiting"], 12.3) == 0


def test_fewer_than_95_percent_killed_fails_even_if_all_others_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results(tmp_path, **many(18, a=0))
    listed(monkeypatch, tmp_path, "return first + a")
    assert mutation.report(tmp_path, ["waiting"], 12.3) == 1


def test_one_without_a_reason_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, tmp_path, "return first + a", why=" ")
    with pytest.raises(ValueError, match=r"^equivalent_mutants.toml: a mutant of waiting.judge has no reason$"):
        mutation.read_listed()


def test_a_module_that_is_not_tested_so_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        mutation.main(["client"])
    assert f"there is no module client here; there are {', '.join(mutation.MODULES)}" in capsys.readouterr().err
