"""The peers' checks are fair: they pass a healthy platform and fail the plainest fault; and the counting counts."""

from __future__ import annotations

import json

import pytest

from bench.peers import __main__ as peers
from bench.peers.checks import BY_HAND, COMMANDS, check, missing, port_of, read_by_a_person, stand_in
from bench.side_by_side import Times

LACKING = missing()
PRINTED = [
    {"status": "running", "pct": 31.5},
    {"success": True, "data": {"status": "cancelled"}},
    {"status": "cancelled", "pct": 0},
    {"success": True},
]


def needs_them(name: str) -> None:
    if LACKING and name != BY_HAND:
        pytest.skip(LACKING)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_healthy_platform_passes(name: str) -> None:
    needs_them(name)
    with stand_in("--registry-lag-s", "0") as platform:
        said = check(name, port_of(platform))
    assert said.passed, said.words


@pytest.mark.parametrize("name", COMMANDS)
def test_a_cancel_that_is_ignored_fails_at_the_status_after_it(name: str) -> None:
    needs_them(name)
    with stand_in("--registry-lag-s", "0", "--fault", "cancel-ignored") as platform:
        said = check(name, port_of(platform))
    assert not said.passed
    assert "status is running" in said.words or "was running after the cancel" in said.words, said.words


@pytest.mark.parametrize("name", COMMANDS)
def test_where_nobody_listens_no_check_passes(name: str) -> None:
    needs_them(name)
    assert not check(name, 9).passed


def printed(*documents: object) -> str:
    return "\n".join(json.dumps(document, indent=2) for document in documents) + "\n"


def test_a_person_who_reads_what_the_recipe_prints_finds_nothing_wrong_where_all_is_well() -> None:
    assert read_by_a_person(printed(*PRINTED)) == ""


@pytest.mark.parametrize(
    ("at", "instead", "words"),
    [
        (0, {"status": "running", "pct": 0}, "it was running at 0.0 % before the cancel"),
        (0, {"status": "completed", "pct": 100.0}, "it was completed at 100.0 % before the cancel"),
        (1, {"success": False}, "the cancel was not acknowledged"),
        (2, {"status": "running", "pct": 31.5}, "it was running after the cancel"),
        (2, {"status": "cancelled", "pct": 48}, "its progress went from 31.5 % to 48.0 %"),
        (3, {"success": None}, "the new backtest did not start"),
        (3, [1], "not what the recipe expects to be printed"),
    ],
)
def test_a_person_who_reads_what_the_recipe_prints_finds_what_is_wrong(at: int, instead: object, words: str) -> None:
    assert words in read_by_a_person(printed(*PRINTED[:at], instead, *PRINTED[at + 1 :]))


def test_too_few_answers_are_no_pass() -> None:
    assert read_by_a_person(printed(*PRINTED[:2])) and read_by_a_person("")


def test_what_was_tried_is_counted_by_who_tried_it() -> None:
    tried = [
        peers.Tried(peers.SUITE, "a", True, True),
        peers.Tried("Tavern", "a", True, False),
        peers.Tried("Tavern", "b", True, True),
        peers.Tried("Tavern", "c", False, False),
        peers.Tried("Tavern", "d", False, True),
    ]
    times = Times({who: [2.0] for who in peers.WHO} | {BY_HAND: [3.0, 4.0, 9.0]})
    told = peers.table(tried, times)
    assert f"| {peers.SUITE} | 2.00 s | 0.50 | 1 of 1 | 0 of 0 |" in told
    assert "| Tavern | 2.00 s | 0.50 | 1 of 2 | 1 of 2 |" in told and f"| {BY_HAND} | 4.00 s | 1.00 |" in told


def test_other_features_are_not_held_against_the_peers() -> None:
    rows = [{"name": "a"}, {"name": "b", "feature": peers.FEATURE}, {"name": "c", "feature": "features/other.feature"}]
    assert [row["name"] for row in peers.of_the_recipe(rows)] == ["a", "b"]
