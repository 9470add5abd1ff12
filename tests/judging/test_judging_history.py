"""Histories: what they hold, in which order, and how they are written down and read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ktrdr_qa.record.history import Event, History, Sample, from_json, ordered
from tests.judging.film import NEXT, B, did, film, healthy, lost, saw


def test_readings_are_found_by_view_and_subject_the_lost_ones_apart() -> None:
    mine, listed, other, gap = saw(1.0, "running"), saw(2.0, "running", view="list"), saw(3.0, "x", of=NEXT), lost(4.0)
    history = film(mine, listed, other, gap)
    assert history.of("backend", B) == (mine,)
    assert history.of("list", B) == (listed,)
    assert history.of("backend", NEXT) == (other,)
    assert history.problems("backend", B) == (gap,)
    assert history.problems("list", B) == ()


def test_events_are_found_first_and_last() -> None:
    first, second = did("cancel_sent", 1.0), did("cancel_sent", 2.0)
    history = film(first, second, did("cancel_sent", 3.0, NEXT))
    assert history.event("cancel_sent", B) is first
    assert history.last_event("cancel_sent", B) is second
    assert history.event("cancel_answered", B) is None
    assert history.last_event("cancel_sent", "op_3") is None


def test_readings_are_ordered_by_the_time_of_their_answers_then_of_their_questions() -> None:
    slow, quick, later = saw(1.0, "a", took_s=2.0), saw(2.0, "b", took_s=1.0), saw(2.5, "c", took_s=1.0)
    history = ordered([later, quick, slow], [did("b", 2.0), did("a", 1.0)], 4.0)
    assert history.samples == (slow, quick, later)
    assert [event.kind for event in history.events] == ["a", "b"]
    assert (history.until_s, history.about) == (4.0, {})


def test_the_notes_are_a_copy() -> None:
    about = {"backtest": B}
    history = ordered([], [], 0.0, about)
    about["backtest"] = NEXT
    assert history.about == {"backtest": B}


def test_a_history_reads_back_as_it_was_written() -> None:
    history = healthy()
    assert from_json(history.to_json()) == history


def test_every_digit_is_kept() -> None:
    history = film(saw(12.500000000001, "running", 1 / 3), did("cancel_answered", 10.1 + 0.2, took_s=0.1 + 0.2))
    assert from_json(history.to_json()) == history


def test_the_written_form_is_plain() -> None:
    history = film(
        saw(1.0, "running", 5.0, took_s=0.5, worker="w"), lost(2.0, "reset"), did("cancel_sent", 3.0, http=200)
    )
    assert json.loads(history.to_json()) == {
        "format": "ktrdr-qa/history",
        "version": 1,
        "about": {},
        "until_s": 3.0,
        "events": [{"kind": "cancel_sent", "at_s": 3.0, "subject": B, "facts": {"http": 200}}],
        "samples": [
            {
                "view": "backend",
                "subject": B,
                "asked_s": 1.0,
                "answered_s": 1.5,
                "status": "running",
                "percentage": 5.0,
                "facts": {"worker": "w"},
            },
            {"view": "backend", "subject": B, "asked_s": 2.0, "answered_s": 2.0, "problem": "reset"},
        ],
    }
    assert history.to_json().startswith('{\n "format"'), "indented, for people"


def test_texts_stay_readable_and_what_json_cannot_say_is_written_as_text() -> None:
    history = film(saw(1.0, "running", worker="wörker", odd={1}))
    assert "wörker" in history.to_json()
    assert from_json(history.to_json()).samples[0].facts["odd"] == "{1}"


@pytest.mark.parametrize("cpu_s", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_left_out(cpu_s: float) -> None:
    history = ordered([Sample("processor", "w", 1.0, 1.0, cpu_s=cpu_s)], [], 1.0)
    assert from_json(history.to_json()).samples == (Sample("processor", "w", 1.0, 1.0),)


def test_an_optional_field_may_be_null() -> None:
    document = saved()
    document["samples"][0].update(status=None, percentage=None, cpu_s=None, problem=None)
    assert from_json(json.dumps(document)).samples[0] == Sample("backend", B, 1.0, 1.0)


def saved() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(film(saw(1.0, "running", 5.0), did("cancel_sent", 2.0)).to_json())
    return document


def change(path: str, value: Any) -> dict[str, Any]:
    """A saved history with one of its fields changed, or removed where the value is ``...``."""
    document = saved()
    place: Any = document
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], 'not a history: expected "format": "ktrdr-qa/history" at the top'),
        ({}, 'not a history: expected "format": "ktrdr-qa/history" at the top'),
        (change("format", "ktrdr-qa/summary"), 'not a history: expected "format": "ktrdr-qa/history" at the top'),
        (change("version", 2), "a history of version 2; this suite reads version 1"),
        (change("version", ...), "a history of version None; this suite reads version 1"),
        (change("samples", ...), "the history is damaged: it has no 'samples'"),
        (change("events", ...), "the history is damaged: it has no 'events'"),
        (change("until_s", ...), "the history is damaged: it has no 'until_s'"),
        (change("about", ...), "the history is damaged: it has no 'about'"),
        (change("until_s", "soon"), "the history is damaged: until_s is no number: 'soon'"),
        (change("until_s", None), "the history is damaged: until_s is no number: None"),
        (change("about", ["op_1"]), "the history is damaged: ['op_1'] is no object"),
        (change("samples", 5), "the history is damaged: 'int' object is not iterable"),
        (change("samples.0", 5), "the history is damaged: 5 is no object"),
        (change("samples.0.asked_s", "1"), "the history is damaged: asked_s is no number: '1'"),
        (change("samples.0.asked_s", None), "the history is damaged: asked_s is no number: None"),
        (change("samples.0.answered_s", True), "the history is damaged: answered_s is no number: True"),
        (change("samples.0.answered_s", float("nan")), "the history is damaged: answered_s is no number: nan"),
        (change("samples.0.percentage", "5"), "the history is damaged: percentage is no number: '5'"),
        (change("samples.0.status", 5), "the history is damaged: status is no text: 5"),
        (change("samples.0.view", "moon"), "the history is damaged: there is no view 'moon'"),
        (change("samples.0.facts", [1]), "the history is damaged: [1] is no object"),
        (change("samples.0.facts", None), "the history is damaged: None is no object"),
        (change("events.0.at_s", None), "the history is damaged: at_s is no number: None"),
        (change("events.0.kind", 1), "the history is damaged: kind is no text: 1"),
        (change("events.0", None), "the history is damaged: None is no object"),
    ],
)
def test_what_is_no_history_is_told_in_one_line(document: Any, message: str) -> None:
    with pytest.raises(ValueError) as raised:
        from_json(json.dumps(document))
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("document", "beginning"),
    [
        (change("samples.0.asked_s", ...), "the history is damaged: Sample.__init__() missing 1 required"),
        (change("samples.0.colour", "blue"), "the history is damaged: Sample.__init__() got an unexpected keyword"),
        (change("events.0.kind", ...), "the history is damaged: Event.__init__() missing 1 required"),
    ],
)
def test_a_record_that_lacks_a_field_or_has_a_strange_one_is_damaged(document: Any, beginning: str) -> None:
    with pytest.raises(ValueError) as raised:
        from_json(json.dumps(document))
    assert str(raised.value).startswith(beginning)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "<html>", "[" * 100_000])
def test_what_is_no_json_is_told_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not JSON \(.*\); expected a history as the report attaches it$"):
        from_json(text)


def test_a_sample_is_terminal_by_its_status() -> None:
    assert [saw(1.0, status).terminal for status in ("completed", "failed", "cancelled")] == [True] * 3
    assert [saw(1.0, status).terminal for status in ("running", "pending", "cancelling", "missing")] == [False] * 4


def test_an_event_and_a_history_need_little() -> None:
    assert Event("next_sent", 1.0).subject == ""
    assert History().until_s == 0.0
