"""The figures of earlier runs: kept whatever happens to the file, never mixed, and told where a limit is broken."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ktrdr_qa.target.settings import Embedded, Target, load
from ktrdr_qa.tell import trends


def target(*arguments: str, name: str = "embedded", url: str | None = None) -> Target:
    if url:
        return Target(kind="live", base_url=url, name=name)
    return replace(load("embedded"), embedded=Embedded(arguments=list(arguments)), name=name)


MAIN = "Cancelling a running backtest"


def passed(of: Target, cancelled_s: float = 0.06, outcome: str = "passed", features: str = MAIN) -> dict[str, Any]:
    figures = {"cancelled_s": cancelled_s, "other": 1.0}
    return trends.line(of, features, "2026-01-02T03:04:05+0000", outcome, figures, 2.0)


def file_of(reports: Path) -> Path:
    return reports / trends.FILE


def test_a_run_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    run = passed(target("--workers", "2"))
    trends.add(tmp_path, run)
    assert trends.earlier(tmp_path, target("--workers", "2"), MAIN) == [run]
    assert "other" not in run and run["cancel_limit_s"] == 2.0


def test_platforms_are_never_mixed(tmp_path: Path) -> None:
    slow, fast = target("--bars-per-second", "1"), target("--bars-per-second", "100")
    here, there = target(name="sandbox", url="http://localhost:8000"), target(name="sandbox", url="http://other:8000")
    for one in (slow, fast, here, there):
        trends.add(tmp_path, passed(one))
    for one in (slow, fast, here, there):
        assert [run["place"] for run in trends.earlier(tmp_path, one, MAIN)] == [trends.place_of(one)]


def test_runs_of_other_features_are_never_mixed(tmp_path: Path) -> None:
    one = target()
    for features, cancelled_s in ((MAIN, 0.06), ("Cancelling beside others", 0.5), (f"{MAIN}, Endurance", 0.7)):
        trends.add(tmp_path, passed(one, cancelled_s, features=features))
    assert [run["cancelled_s"] for run in trends.earlier(tmp_path, one, MAIN)] == [0.06]
    assert [run["cancelled_s"] for run in trends.earlier(tmp_path, one, "Cancelling beside others")] == [0.5]


def test_the_port_and_a_fault_make_no_other_platform_of_the_embedded_one() -> None:
    one = target("--workers", "2")
    faulty = target("--workers", "2", "--fault", "cancel-ignored", "--fault", "cancel-404")
    assert trends.place_of(one) == trends.place_of(one.at("http://127.0.0.1:40000")) == trends.place_of(faulty)


@pytest.mark.parametrize(
    "damage",
    [
        "{",
        "nonsense",
        "[]",
        "null",
        '{"at": 1}',
        '{"at": "x", "target": "embedded", "place": "embedded", "outcome": "passed", "cancelled_s": "soon"}',
        '{"at": "x", "target": "embedded", "place": "embedded", "outcome": "passed", "cancelled_s": NaN}',
        '{"at": "x", "target": "embedded", "place": "embedded", "outcome": "passed", "cancelled_s": -1}',
        '{"at": "x", "target": "embedded", "place": "embedded", "outcome": "passed", "cancelled_s": true}',
        "[" * 100_000,
        "\x00\x00",
    ],
)
def test_damaged_lines_are_passed_over(tmp_path: Path, damage: str) -> None:
    one = target()
    trends.add(tmp_path, passed(one))
    with file_of(tmp_path).open("a") as file:
        file.write(damage)  # and no end of line, as after a power cut
    trends.add(tmp_path, passed(one, 0.07))
    assert [run["cancelled_s"] for run in trends.earlier(tmp_path, one, MAIN)] == [0.06, 0.07]


def test_a_file_that_is_no_text_is_passed_over(tmp_path: Path) -> None:
    file_of(tmp_path).parent.mkdir(parents=True)
    file_of(tmp_path).write_bytes(bytes(range(256)) * 9)
    trends.add(tmp_path, passed(target()))
    assert len(trends.earlier(tmp_path, target(), MAIN)) == 1
    assert trends.earlier(tmp_path / "nowhere", target(), MAIN) == []


def test_the_file_stays_bounded_and_keeps_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trends, "KEPT", 10)
    for number in range(95):
        trends.add(tmp_path, passed(target(), number))
        assert len(file_of(tmp_path).read_text().splitlines()) <= 20
    assert [run["cancelled_s"] for run in trends.earlier(tmp_path, target(), MAIN, most=5)] == [90, 91, 92, 93, 94]


def _add_many(reports: Path, number: int) -> None:
    for _ in range(20):
        trends.add(reports, passed(target(), number))


def test_runs_at_the_same_time_do_not_spoil_each_others_lines(tmp_path: Path) -> None:
    processes = [multiprocessing.get_context("fork").Process(target=_add_many, args=(tmp_path, n)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    lines = file_of(tmp_path).read_text().splitlines()
    assert len(lines) == 80 and all(json.loads(line) for line in lines)


def test_usual_is_the_median_of_what_passed() -> None:
    one = target()
    runs = [passed(one, s) for s in (0.05, 0.07, 0.06)]
    assert trends.usual(runs, "cancelled") == "usually 0.06 s (0.05 to 0.07 s) over the last 3 runs that passed here"
    runs.append(passed(one, 9.0, "failed"))
    assert "0.06 s (0.05 to 0.07 s)" in trends.usual(runs, "cancelled"), "a failed run is not usual"
    assert trends.usual([passed(one)] * 3, "cancelled") == "usually 0.06 s over the last 3 runs that passed here"


def test_usual_says_nothing_where_too_little_is_known() -> None:
    assert trends.usual([passed(target())] * 2, "cancelled") == ""
    assert trends.usual([passed(target())] * 5, "worker stopped") == ""
    assert trends.usual([passed(target())] * 5, "frozen") == ""
