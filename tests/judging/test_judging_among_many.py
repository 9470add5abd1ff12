"""One cancelled backtest among many: what assumes that it is alone is not judged, and rows of the list tell less."""

from __future__ import annotations

from dataclasses import replace

from ktrdr_qa.judge import afterwards
from ktrdr_qa.judge.in_words import believed, in_words
from ktrdr_qa.judge.verdict import OF_A_LONE_ONE, judge_all, outcome
from ktrdr_qa.record.history import History
from ktrdr_qa.tell.picture import paint
from tests.judging.film import ENDED, OTHER, B, cancelled, did, film, healthy, plus, saw, started, without

ROW = {"in_list": True}


def among_many(history: History) -> History:
    return film(history.samples, history.events, until_s=history.until_s, **history.about, among_many=True)


def test_what_assumes_a_lone_backtest_is_not_judged_among_many() -> None:
    alone = judge_all(healthy())
    judged = judge_all(among_many(healthy()))
    assert alone.keys() - judged.keys() == set(OF_A_LONE_ONE)
    assert outcome(judged) == "passed"


def test_what_is_not_told_either_is_judged_no_more_among_many() -> None:
    history = healthy()
    unlisted = replace(history, samples=tuple(s for s in history.samples if s.view != "list"))
    assert "does not come back" not in judge_all(among_many(unlisted))


def test_others_that_are_cancelled_in_the_same_moment_are_no_harm_among_many() -> None:
    at = {"completed_at": ENDED["completed_at"]}
    busy = plus(
        healthy(),
        saw(9.0, "running", 5.0, of=OTHER, view="other"),
        saw(10.3, "cancelled", 0.0, of=OTHER, view="other", **at),
    )
    assert outcome(judge_all(busy)) == "failed"
    assert outcome(judge_all(among_many(busy))) == "passed"


def test_it_is_told_what_the_verdict_among_many_rests_on() -> None:
    judged = judge_all(among_many(healthy()))
    assert believed(judged).endswith("not on its processor time: others used it in the same moments")
    assert "The worker was idle" in in_words(among_many(healthy()), judged)


def test_a_history_among_many_has_a_picture() -> None:
    assert paint(among_many(without(healthy(), "processor"))).startswith(b"<?xml")


def test_a_row_of_the_list_that_tells_no_end_is_not_held_against_the_record() -> None:
    rows = [saw(10.15 + 0.2 * n, "cancelled", 0.0, **ROW) for n in range(10)]
    only_rows = film(started(), cancelled(), saw(9.9, "running", 4.0), rows, backtest=B)
    judged = afterwards.records_its_end(only_rows, B)
    assert (judged.verdict, judged.seen) == ("unknown", "its record was not read after the end")
    assert "end recorded" not in judge_all(only_rows)
    told = plus(only_rows, saw(14.0, "cancelled", 0.0, **ENDED))
    assert afterwards.records_its_end(told, B).holds


def test_a_record_without_its_end_is_held_against_it_among_rows_as_well() -> None:
    rows = [saw(10.15 + 0.2 * n, "cancelled", 0.0, **ROW) for n in range(10)]
    history = film(
        started(), cancelled(), rows, saw(14.0, "cancelled", 0.0, tells_its_end=True), did("x", 15.0), backtest=B
    )
    judged = judge_all(history)["end recorded"]
    assert (judged.verdict, judged.seen) == ("violated", "completed_at is missing")
