"""All judgements together: their names, the table, the outcome, what it rests on, and the paragraph in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ktrdr_qa.judge import table, verdict
from ktrdr_qa.judge.in_words import believed, in_words
from ktrdr_qa.judge.judgement import Judgement, Verdict
from ktrdr_qa.judge.table import Row, rows
from ktrdr_qa.judge.verdict import judge_all, not_told, outcome
from tests.judging.film import (
    NEXT,
    B,
    Part,
    W,
    cancelled,
    did,
    film,
    health,
    healthy,
    plus,
    registry,
    saw,
    started,
    used,
)

NAMES = {
    "running",
    "moving",
    "was running",
    "enough left",
    "acknowledged",
    "only this one",
    "cancelled",
    "stays cancelled",
    "end recorded",
    "list agrees",
    "frozen",
    "does not come back",
    "not completed",
    "next accepted",
    "next runs",
    "stays up",
    "others can be stopped",
    "worker stopped",
    "processor quiet",
    "place free",
}
WITNESSES = {"worker stopped", "processor quiet", "place free"}


def found(**verdicts: Verdict) -> dict[str, Judgement]:
    """Every judgement as one that holds, but for those that are named."""
    given = {name.replace("_", " "): verdict for name, verdict in verdicts.items()}
    return {
        name: Judgement(name, given.get(name, "holds"), f"{name} expected", f"{name} {given.get(name, 'holds')}")
        for name in sorted(NAMES | given.keys())
    }


def one(name: str, verdict: Verdict) -> dict[str, Verdict]:
    return {name: verdict}


# --- all of them -------------------------------------------------------------------------------------------------


def test_a_healthy_run_holds_in_every_judgement() -> None:
    judged = judge_all(healthy())
    assert {name: judgement.seen for name, judgement in judged.items() if not judgement.holds} == {}
    assert judged.keys() == NAMES
    assert all(name == judgement.name for name, judgement in judged.items())
    assert outcome(judged) == "passed"


def test_a_healthy_run_that_keeps_its_last_percentage_holds_as_well() -> None:
    assert outcome(judge_all(healthy(retained=True))) == "passed"


def test_every_judgement_is_shown_in_the_table_and_every_row_asks_for_one_that_is_made() -> None:
    shown = [name for of in (table.CRITERIA, table.SANITY_CHECKS, table.WITNESSES) for name in of.values()]
    assert {name for names in shown for name in names} == NAMES
    assert {name for names in table.WITNESSES.values() for name in names} == WITNESSES


def test_an_empty_history_is_unknown_in_every_judgement_and_inconclusive() -> None:
    judged = judge_all(film())
    assert judged.keys() == NAMES - {"list agrees", "does not come back", "others can be stopped"}
    assert all(judgement.unknown for judgement in judged.values())
    assert outcome(judged) == "inconclusive"


CLEANED_UP = did("clean_up", 20.0, NEXT)


def test_a_list_that_was_never_read_is_not_asked_for() -> None:
    ended = saw(10.2, "cancelled", completed_at="2026-11-22T18:52:36Z")
    history = film(started(), cancelled(), ended, CLEANED_UP, backtest=B)
    reason = "this KTRDR has no list of backtests that could be read"
    assert not_told(history) == {"list agrees": reason, "does not come back": reason}
    assert judge_all(history).keys() & {"list agrees", "does not come back"} == set()
    read = plus(history, saw(12.0, "cancelled", view="list"))
    assert not_told(read) == {}
    assert judge_all(read).keys() >= {"list agrees", "does not come back"}


def test_where_no_other_backtest_had_to_be_stopped_it_is_not_asked_whether_they_could_be() -> None:
    history = film(cancelled(), saw(12.0, "cancelled", view="list"), backtest=B)
    assert not_told(history) == {"others can be stopped": "no other backtest had to be stopped"}
    assert "others can be stopped" not in judge_all(history)
    assert judge_all(plus(history, CLEANED_UP))["others can be stopped"].holds


@pytest.mark.parametrize("field", ["tells_its_end", "completed_at"])
def test_records_without_a_time_of_their_end_are_not_asked_for_it(field: str) -> None:
    listed = saw(12.0, "cancelled", view="list")
    history = film(cancelled(), listed, saw(9.0, "running"), saw(10.2, "cancelled"), CLEANED_UP, backtest=B)
    assert not_told(history) == {"end recorded": "the records of this KTRDR have no time of their end"}
    assert "end recorded" not in judge_all(history)
    times: dict[str, Any] = {field: "2026-11-22T18:52:36Z"}
    assert not_told(plus(history, saw(8.0, "running", **times))) == {}
    assert not_told(plus(history, saw(8.0, "running", of="op_9", **times))) != {}


def test_records_that_have_not_ended_may_still_get_their_times() -> None:
    history = film(cancelled(), saw(12.0, "running", view="list"), saw(9.0, "running"), CLEANED_UP, backtest=B)
    assert not_told(history) == {}


def test_what_has_no_name_is_looked_for_under_none() -> None:
    """A history that names neither backtest nor worker is that of the nameless ones."""
    parts: list[Part] = [
        did("cancel_sent", 10.0, ""),
        did("cancel_answered", 10.1, "", http=200, success=True),
        did("next_accepted", 10.2, ""),
        saw(10.2, "cancelled", of="", completed_at="2026-11-22T18:52:44Z"),
        saw(10.3, "cancelled", of="", view="list"),
        registry(10.5, None, worker=""),
        did("clean_up", 20.0, ""),
    ]
    judged = judge_all(film(parts))
    told = ("acknowledged", "cancelled", "end recorded", "list agrees", "place free", "stays up")
    assert {name for name in told if judged[name].holds} == set(told)
    assert judged["next runs"].violated
    assert judged["worker stopped"].expected.startswith("its worker ")
    del parts[3], parts[3]
    told_less = not_told(film(parts, saw(10.2, "cancelled", of="")))
    assert told_less.keys() == {"list agrees", "does not come back", "end recorded"}


def test_cancelled_at_once_it_is_not_asked_whether_it_ran_before() -> None:
    history = healthy()
    history.about["cancelled_at_once"] = True  # type: ignore[index]
    judged = judge_all(history)
    assert judged.keys() == NAMES - {"running", "moving", "was running", "enough left"}
    assert outcome(judged) == "passed"


def test_a_second_cancel_is_judged_where_there_was_one() -> None:
    judged = judge_all(plus(healthy(), did("second_cancel_answered", 13.0, B, http=500, words="HTTP 500")))
    assert judged.keys() == NAMES | {"second cancel"}
    assert judged["second cancel"].violated
    assert outcome(judged) == "failed"


LATE: Mapping[str, tuple[str, Part]] = {
    "running_s": ("running", [did("start_answered", 0.0), saw(12.0, "pending")]),
    "first_progress_s": ("moving", [did("start_answered", 0.0), saw(1.0, "running", 0.0), saw(32.0, "running", 0.0)]),
    "acknowledged_s": ("acknowledged", cancelled(10.0, 7.0)),
    "cancelled_s": ("cancelled", [cancelled(10.0), saw(14.1, "running", 5.0)]),
    "next_accepted_s": ("next accepted", [did("next_accepted", 7.0, NEXT, took_s=7.0)]),
    "new_backtest_s": ("next runs", [did("next_accepted", 0.0, NEXT), saw(32.0, "pending", of=NEXT)]),
    "worker_idle_s": ("worker stopped", [cancelled(10.0), saw(14.1, "running", view="worker")]),
    "place_free_s": ("place free", [cancelled(10.0), registry(27.1, B)]),
    "processor_quiet_s": (
        "processor quiet",
        [started(), cancelled(10.0), [used(10.5 + 0.5 * n, 0.5 * n) for n in range(8)]],
    ),
}


@pytest.mark.parametrize("limit", LATE)
def test_each_limit_is_the_history_s_own_or_else_the_sentence_s(limit: str) -> None:
    name, parts = LATE[limit]
    about: dict[str, Any] = {"backtest": B, "next_backtest": NEXT, "worker": W}
    assert judge_all(film(parts, **about))[name].violated
    stretched = {limit: verdict.LIMITS_S[limit] + 2.5}
    assert not judge_all(film(parts, **about, limits=stretched))[name].violated
    others = {other: 99.0 for other in verdict.LIMITS_S if other != limit}
    assert judge_all(film(parts, **about, limits=others))[name].violated


def test_the_limit_of_the_cancel_is_also_that_of_the_other_backtest_that_it_hit() -> None:
    parts: list[Part] = [
        cancelled(10.0),
        saw(9.0, "running", of="op_9", view="list"),
        saw(11.0, "cancelled", of="op_9", view="list"),
        saw(14.1, "running", 5.0),
    ]
    assert judge_all(film(parts, backtest=B))["only this one"].violated
    judged = judge_all(film(parts, backtest=B, limits={"cancelled_s": 5.0}))
    assert judged["only this one"].unknown


def test_the_limit_of_the_cancel_is_also_that_of_all_that_comes_after_it() -> None:
    """A view that lags, a completion in the race, and a child that may still end."""
    risen = [saw(8.0, "running", 45.0), saw(9.0, "running", 55.0)]
    running = film(cancelled(10.0), risen, saw(10.2, "cancelled", 0.0), saw(12.5, "running", 55.0), backtest=B)
    completed = film(cancelled(10.0), risen, saw(10.2, "completed", 100.0), backtest=B)
    listed = saw(12.5, "running", of="op_9", view="list", parent=B)
    child = film(cancelled(10.0), saw(10.2, "cancelled"), saw(12.5, "cancelled", view="list"), listed, backtest=B)
    for history, names in (
        (running, {"stays cancelled", "frozen"}),
        (completed, {"cancelled", "stays cancelled", "not completed"}),
        (child, {"does not come back"}),
    ):
        judged = judge_all(history)
        assert {name for name in names if judged[name].violated} == names
        longer = judge_all(film(history.samples, history.events, backtest=B, limits={"cancelled_s": 3.0}))
        assert {name for name in names if longer[name].violated} == set()


def test_enough_left_takes_the_limits_and_the_updates_of_the_history() -> None:
    risen = [saw(8.0, "running", 30.0), saw(9.0, "running", 40.0)]
    history = film(cancelled(10.0), risen, backtest=B)
    assert judge_all(history)["enough left"].holds
    assert judge_all(film(risen, cancelled(10.0), backtest=B, limits={"worker_idle_s": 2.5}))["enough left"].unknown
    assert judge_all(film(risen, cancelled(10.0), backtest=B, updates=6.0))["enough left"].unknown


def test_frozen_takes_its_own_limit_and_three_updates() -> None:
    quick = [saw(4.0, "running", 1.0), saw(5.5, "running", 2.0)]
    history = film(cancelled(), quick, [saw(10.2 + 0.2 * n, "cancelled", 0.0) for n in range(24)], backtest=B)
    assert judge_all(history)["frozen"].expected == "its progress is frozen for at least 4.5 s after the cancel"
    longer = film(history.samples, history.events, backtest=B, limits={"frozen_s": 6.0})
    assert judge_all(longer)["frozen"].expected == "its progress is frozen for at least 6.0 s after the cancel"
    assert judge_all(film(cancelled(), backtest=B))["frozen"].expected.startswith(
        "its progress is frozen for at least 2.0 s"
    )


def test_three_updates_is_a_setting_of_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "UPDATES_MISSED", 5.0)
    assert judge_all(healthy())["frozen"].unknown


def test_or_the_history_s_own_number_of_updates() -> None:
    history = healthy()
    assert judge_all(history)["frozen"].expected == "its progress is frozen for at least 3.6 s after the cancel"
    history.about["updates"] = 5.0  # type: ignore[index]
    assert judge_all(history)["frozen"].expected == "its progress is frozen for at least 6.0 s after the cancel"


def test_the_next_backtest_must_not_get_the_id_of_the_cancelled_one() -> None:
    assert judge_all(film(did("next_accepted", 10.2, B), backtest=B))["next accepted"].violated


def test_the_limits_are_the_sentences() -> None:
    assert verdict.LIMITS_S == {
        "running_s": 10.0,
        "first_progress_s": 30.0,
        "acknowledged_s": 5.0,
        "cancelled_s": 2.0,
        "frozen_s": 2.0,
        "next_accepted_s": 5.0,
        "new_backtest_s": 30.0,
        "worker_idle_s": 2.0,
        "processor_quiet_s": 2.0,
        "place_free_s": 15.0,
        "back_s": 60.0,
        "known_again_s": 10.0,
        "ends_s": 3.0,
    }


# --- the outcome -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NAMES))
def test_one_violation_of_any_kind_fails(name: str) -> None:
    assert outcome(found(**one(name, "violated"))) == "failed"


@pytest.mark.parametrize("name", sorted(NAMES - WITNESSES))
def test_one_unknown_keeps_from_passing(name: str) -> None:
    assert outcome(found(**one(name, "unknown"))) == "inconclusive"


@pytest.mark.parametrize("name", sorted(WITNESSES))
def test_an_unknown_witness_does_not_keep_from_passing(name: str) -> None:
    assert outcome(found(**one(name, "unknown"))) == "passed"


@pytest.mark.parametrize("name", ["processor quiet", "worker stopped", "place free"])
def test_a_witness_that_was_heard_and_had_not_stopped_keeps_from_passing(name: str) -> None:
    unheard = replace(found()[name], verdict="unknown")
    assert outcome({**found(), name: unheard}) == "passed"
    assert outcome({**found(), name: replace(unheard, heard=True)}) == "inconclusive"
    assert outcome({**found(frozen="violated"), name: replace(unheard, heard=True)}) == "failed"


def test_a_violation_outweighs_what_is_unknown() -> None:
    assert outcome(found(running="unknown", frozen="violated")) == "failed"


def test_an_unknown_second_cancel_keeps_from_passing() -> None:
    assert outcome(found(second_cancel="unknown")) == "inconclusive"


def test_where_fewer_are_asked_for_the_others_may_be_unknown_but_not_violated() -> None:
    assert outcome(found(next_runs="unknown"), ["cancelled", "place free"]) == "passed"
    assert outcome(found(cancelled="unknown"), ["cancelled", "place free"]) == "inconclusive"
    assert outcome(found(next_runs="violated"), ["cancelled"]) == "failed"
    assert outcome(found(place_free="unknown"), ["cancelled", "place free"]) == "passed"


def test_where_nothing_is_asked_for_nothing_passes() -> None:
    assert outcome(found(), []) == "inconclusive"
    assert outcome(found(), ["place free"]) == "inconclusive", "a witness alone is no pass"
    assert outcome({}) == "inconclusive"


# --- the table ---------------------------------------------------------------------------------------------------


def test_the_table_has_five_criteria_three_sanity_checks_and_three_witnesses() -> None:
    told = rows(found())
    assert [(row.kind, row.check) for row in told] == [
        ("criterion", "Backtest was running before cancel"),
        ("criterion", "Cancel request succeeds"),
        ("criterion", "Status changes to cancelled/failed"),
        ("criterion", "Progress stops increasing"),
        ("criterion", "New operations work immediately"),
        ("sanity check", "Was running: percentage > 0 before cancel"),
        ("sanity check", 'Not completed: status is not "completed"'),
        ("sanity check", "System stable: new operation starts OK"),
        ("witness", "The worker itself has stopped"),
        ("witness", "The worker's processor is quiet"),
        ("witness", "The worker's place is free again"),
    ]
    assert {row.verdict for row in told} == {"holds"}


@pytest.mark.parametrize(
    ("verdicts", "row"),
    [
        ({}, Row("criterion", "Cancel request succeeds", "holds", "acknowledged holds; only this one holds")),
        (
            {"acknowledged": "unknown"},
            Row("criterion", "Cancel request succeeds", "unknown", "acknowledged unknown"),
        ),
        (
            {"acknowledged": "unknown", "only_this_one": "violated"},
            Row("criterion", "Cancel request succeeds", "violated", "only this one violated"),
        ),
    ],
)
def test_a_row_is_as_bad_as_the_worst_of_its_judgements_and_tells_what_those_saw(
    verdicts: dict[str, Verdict], row: Row
) -> None:
    assert rows(found(**verdicts))[1] == row


def test_a_row_leaves_out_what_was_not_judged_and_is_left_out_without_any() -> None:
    judged = found(was_running="violated")
    for name in ("running", "moving", "frozen", "does not come back"):
        del judged[name]
    told = {row.check: row for row in rows(judged)}
    assert told["Backtest was running before cancel"].seen == "was running violated"
    assert "Progress stops increasing" not in told
    assert len(told) == 10


# --- in words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("processor", "worker", "told"),
    [
        ("holds", "holds", "the worker's processor time, the worker's own view and the backend's"),
        ("violated", "unknown", "the worker's processor time, the worker's own view and the backend's"),
        (
            "unknown",
            "holds",
            "the worker's own view and the backend's, not on its processor time: processor quiet unknown",
        ),
        (
            "unknown",
            "violated",
            "the worker's own view and the backend's, not on its processor time: processor quiet unknown",
        ),
        ("unknown", "unknown", "the backend's view only, not on the worker: worker stopped unknown"),
    ],
)
def test_the_verdict_says_which_witnesses_it_rests_on(processor: Verdict, worker: Verdict, told: str) -> None:
    assert believed(found(processor_quiet=processor, worker_stopped=worker)) == told


def test_a_healthy_run_in_words() -> None:
    history = healthy()
    assert in_words(history, judge_all(history)) == (
        "A backtest of EURUSD 1h, 2015-01-01 to 2025-12-31 was started. At 10.5 % the cancel was sent, "
        "with about 58.9 s left to run. "
        "KTRDR acknowledged it after 0.10 s and reported the backtest cancelled within 0.15 s. "
        "The worker was idle within 0.15 s of the cancel. "
        "Progress did not move for 4.8 s, in which 4 updates were due. "
        "The next backtest was accepted at once and ran 1.60 s after its start."
    )


def test_nothing_in_words() -> None:
    assert in_words(film(), judge_all(film())) == "A backtest of unknown data was started."


def test_what_was_acknowledged_but_not_done_in_words() -> None:
    history = film(cancelled(), backtest=B, candidate="EURUSD 1d")
    told = in_words(history, judge_all(history))
    assert told == "A backtest of EURUSD 1d was started. KTRDR acknowledged it after 0.10 s."


def test_what_was_done_but_not_acknowledged_in_words() -> None:
    answered = cancelled(took_s=0.1, http=400)
    history = film(answered, saw(10.5, "cancelled"), backtest=B, candidate="EURUSD 1d")
    told = in_words(history, judge_all(history))
    assert told.startswith("A backtest of EURUSD 1d was started. KTRDR reported the backtest cancelled within 0.50 s.")


def test_failed_instead_of_cancelled_in_words() -> None:
    history = film(
        cancelled(), saw(9.9, "running", 5.0), saw(10.5, "failed", completed_at="2026-11-22T18:52:44Z"), backtest=B
    )
    told = in_words(history, judge_all(history))
    assert told.startswith(
        "A backtest of unknown data was started. At 5.0 % the cancel was sent. "
        "KTRDR acknowledged it after 0.10 s and reported the backtest failed within 0.50 s."
    )


def test_all_that_is_wrong_is_told_in_words() -> None:
    history = plus(healthy(), saw(20.0, "completed", 100.0, completed_at="soon"), health(20.0, B))
    assert in_words(history, judge_all(history)).endswith(
        'Wrong: it stays cancelled, but it turned from "cancelled" to "completed" at 100.0 %, 9.8 s later. '
        "Wrong: its record says when it ended, but completed_at is no time: 'soon'. "
        "Wrong: its progress is frozen for at least 3.6 s after the cancel, "
        "but it jumped from 0.0 % to 100.0 %, 9.8 s after it had ended. "
        'Wrong: the cancelled backtest is not completed, but it is "completed" at 100.0 %. '
        "Wrong: the worker worker_1 has stopped the backtest within 2.0 s of the cancel, "
        "but its health still names the backtest 9.9 s after the cancel."
    )
