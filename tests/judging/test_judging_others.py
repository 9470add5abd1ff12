"""The cancelled work does not come back under another id, and what else this run started can be stopped."""

from __future__ import annotations

from typing import Any

import pytest

from ktrdr_qa.judge.others import all_can_be_stopped, does_not_come_back
from ktrdr_qa.record.history import Sample
from tests.judging.film import NEXT, OTHER, B, Case, W, cancelled, cases, did, film, health, lost, registry, saw

CUT = cancelled(10.0, 0.5, cancelled_at="2026-11-22T18:52:44Z")
"""Sent at 10.0, answered at 10.5: the limit of 2 s ends at 12.5."""
PAYLOAD = {
    "symbol": "EURUSD",
    "timeframe": "1h",
    "start_date": "2015-01-01",
    "end_date": "2025-12-31",
    "strategy_name": "neuro",
    "model_path": "models/neuro/1h_v1",
}
SAME = {
    "symbol": "EURUSD",
    "timeframe": "1h",
    "start_date": "2015-01-01T00:00:00",
    "end_date": "2025-12-31T00:00:00",
    "strategy": "neuro",
    "created_at": "2026-11-22T18:52:45Z",
}
"""What the record of a retry says: the same work, created a second after the cancel."""
BEFORE = saw(9.5, "running", 4.0, view="list")
AFTER = saw(12.0, "cancelled", view="list")
RUN = (CUT, saw(9.8, "running", 4.0), BEFORE, saw(10.6, "cancelled", completed_at="2026-11-22T18:52:44Z"), AFTER)


def another(at_s: float = 12.1, status: str = "running", percentage: float | None = 3.0, **facts: Any) -> Sample:
    return saw(at_s, status, percentage, of=OTHER, view="other", **{**SAME, **facts})


def without_its(*names: str, **facts: Any) -> Sample:
    told = {name: value for name, value in {**SAME, **facts}.items() if name not in names}
    return saw(12.1, "running", 3.0, of=OTHER, view="other", **told)


def has(worker: str, at_s: float = 13.0, **facts: Any) -> Sample:
    return saw(at_s, "busy", of=worker, view="registry", current_operation="op_7", **facts)


NOTHING = "nothing was begun after the cancel that is the same"
AGAIN = f'{OTHER} does the same work: it was begun after the cancel, and was "running" at 3.0 % 2.1 s after it'


def child(at_s: float, status: str = "running", *, view: Any = "other", **facts: Any) -> Sample:
    return saw(at_s, status, 3.0, of=OTHER, view=view, **{"parent": B, **facts})


@cases(
    Case("nothing else is there", film(RUN, payload=PAYLOAD), "holds", NOTHING),
    Case("a retry", film(RUN, another(), payload=PAYLOAD), "violated", AGAIN, 12.1),
    Case(
        "a child of the backtest that was started next",
        film(RUN, did("next_accepted", 11.0, NEXT), another(parent=NEXT), payload=PAYLOAD),
        "holds",
        NOTHING,
    ),
    Case(
        "a retry beside a child of the backtest that was started next",
        film(
            RUN,
            did("next_accepted", 11.0, NEXT),
            another(parent=NEXT),
            saw(12.3, "running", 3.0, of="op_5", view="other", **SAME),
            payload=PAYLOAD,
        ),
        "violated",
        'op_5 does the same work: it was begun after the cancel, and was "running" at 3.0 % 2.3 s after it',
        12.3,
    ),
    Case(
        "a retry whose record is written in another way",
        film(RUN, another(symbol="EUR/USD", start_date="2015-01-01 00:00:00+00:00"), payload=PAYLOAD),
        "violated",
        AGAIN,
        12.1,
    ),
    Case(
        "a retry on another worker, which has ended since",
        film(RUN, another(status="completed", percentage=None, worker="worker_2"), payload=PAYLOAD),
        "violated",
        f'{OTHER} does the same work on worker_2: it was begun after the cancel, and was "completed" 2.1 s after it',
        12.1,
    ),
    *(
        Case(f"another {name}", film(RUN, another(**{name: value}), payload=PAYLOAD), "holds", NOTHING)
        for name, value in {
            "symbol": "GBPUSD",
            "timeframe": "1d",
            "strategy": "other",
            "start_date": "2016-01-01T00:00:00",
            "end_date": "2024-12-31T00:00:00",
        }.items()
    ),
    *(
        Case(f"its {name} is not told", film(RUN, without_its(name), payload=PAYLOAD), "holds", NOTHING)
        for name in ("symbol", "timeframe", "strategy")
    ),
    *(
        Case(
            f"its {name} is not told: it may be another one",
            film(RUN, without_its(name), payload=PAYLOAD),
            "holds",
            NOTHING,
            observations=(
                f"{OTHER} has the same symbol, timeframe and strategy, and was begun after the cancel; "
                "its period is not told.",
            ),
        )
        for name in ("start_date", "end_date")
    ),
    Case("what was started is not told in this history", film(RUN, another()), "holds", NOTHING),
    Case(
        "what was started had no such field",
        film(RUN, without_its("strategy"), payload={k: v for k, v in PAYLOAD.items() if k != "strategy_name"}),
        "holds",
        NOTHING,
    ),
    Case(
        "it was there before the cancel, as the list said",
        film(RUN, saw(9.5, "running", of=OTHER, view="list"), another(), payload=PAYLOAD),
        "holds",
        NOTHING,
    ),
    Case(
        "it was there in the moment of the cancel, as its record said",
        film(RUN, another(10.0), another(), payload=PAYLOAD),
        "holds",
        NOTHING,
    ),
    Case(
        "it was created half a second before the cancel by KTRDR's own times: they may be taken one after the other",
        film(RUN, another(created_at="2026-11-22T18:52:43.5Z"), payload=PAYLOAD),
        "violated",
        AGAIN,
        12.1,
    ),
    Case(
        "it was created before the cancel by KTRDR's own times",
        film(RUN, another(created_at="2026-11-22T18:52:43.4Z"), payload=PAYLOAD),
        "holds",
        NOTHING,
    ),
    Case(
        "it was started before the cancel by KTRDR's own times",
        film(RUN, without_its("created_at", started_at="2026-11-22T18:52:43.4Z"), payload=PAYLOAD),
        "holds",
        NOTHING,
    ),
    Case(
        "the answer to the cancel has no time: the record's own end tells",
        film(
            cancelled(10.0, 0.5),
            RUN[2:],
            another(created_at="2026-11-22T18:52:43.4Z"),
            payload=PAYLOAD,
        ),
        "holds",
        NOTHING,
    ),
    Case(
        "no time is told, but the list before the cancel did not name it",
        film(RUN, without_its("created_at"), payload=PAYLOAD),
        "violated",
        AGAIN,
        12.1,
    ),
    Case(
        "no time is told, and it has ended: it may be an old one, which a list need not name",
        film(RUN, saw(12.1, "completed", of=OTHER, view="other", **{**SAME, "created_at": None}), payload=PAYLOAD),
        "holds",
        NOTHING,
        observations=(f"{OTHER} has the same symbol, timeframe and strategy; when it was begun is not told.",),
    ),
    Case(
        "when this one was cancelled is not told by KTRDR",
        film(cancelled(10.0, 0.5), RUN[1:3], saw(10.6, "cancelled"), AFTER, another(), payload=PAYLOAD),
        "holds",
        NOTHING,
        observations=(f"{OTHER} has the same symbol, timeframe and strategy; when it was begun is not told.",),
    ),
    Case(
        "a list in the moment of the cancel is one from before it",
        film(CUT, saw(10.0, "running", view="list"), RUN[3:], without_its("created_at"), payload=PAYLOAD),
        "violated",
        AGAIN,
        12.1,
    ),
    Case(
        "no time is told, and no list from before the cancel",
        film(CUT, RUN[3:], without_its("created_at"), payload=PAYLOAD),
        "holds",
        NOTHING,
        observations=(f"{OTHER} has the same symbol, timeframe and strategy; when it was begun is not told.",),
    ),
    Case(
        "those that may be the same are told in the order of their names",
        film(
            RUN,
            without_its("end_date"),
            saw(12.2, "running", of="op_3", view="other", **{**SAME, "end_date": None}),
            saw(12.3, "running", of="op_3", view="other", **{**SAME, "end_date": None}),
            payload=PAYLOAD,
        ),
        "holds",
        NOTHING,
        observations=tuple(
            f"{other} has the same symbol, timeframe and strategy, and was begun after the cancel; "
            "its period is not told."
            for other in ("op_3", OTHER)
        ),
    ),
    Case(
        "this run's own, of the next one and the further ones, are not another's",
        film(
            RUN,
            did("next_accepted", 11.0, NEXT),
            did("clean_up", 15.0, "op_3"),
            [saw(12.1, "running", of=of, view="other", **SAME) for of in (B, NEXT, "op_3")],
            payload=PAYLOAD,
        ),
        "holds",
        NOTHING,
    ),
    Case(
        "the list alone does not say what is the same",
        film(RUN, saw(12.1, "running", of=OTHER, view="list", **SAME), payload=PAYLOAD),
        "holds",
        NOTHING,
    ),
    Case(
        "a reading that was lost, and one of another view, tell nothing",
        film(RUN, lost(12.1, of=OTHER, view="other", **SAME), saw(12.1, "running", of=OTHER, **SAME), payload=PAYLOAD),
        "holds",
        NOTHING,
    ),
    Case(
        "a reading that was asked for in the moment of the cancel is one from after it",
        film(RUN, saw(10.0, "running", 3.0, of=OTHER, view="other", took_s=0.5, **SAME), payload=PAYLOAD),
        "violated",
        AGAIN.replace("2.1 s after it", "0.0 s after it"),
        10.5,
    ),
    Case(
        "the answer to the cancel says when it was cancelled, before the record does",
        film(
            CUT,
            RUN[1:3],
            saw(10.6, "cancelled", completed_at="2026-11-22T18:52:59Z"),
            AFTER,
            another(),
            payload=PAYLOAD,
        ),
        "violated",
        AGAIN,
        12.1,
    ),
    Case(
        "there was no answer to the cancel: the record says when it was cancelled",
        film(CUT[0], did("cancel_lost", 10.5), RUN[2:], another(), payload=PAYLOAD),
        "violated",
        AGAIN,
        12.1,
    ),
    Case(
        "a reading that was under way when the cancel was sent tells of neither side",
        film(RUN, saw(9.9, "running", of=OTHER, view="other", took_s=0.2, **SAME), payload=PAYLOAD),
        "holds",
        NOTHING,
    ),
    Case(
        "the list was not read after the cancel was answered",
        film(RUN[:4], saw(10.5, "cancelled", view="list"), payload=PAYLOAD),
        "unknown",
        "the list of backtests was not read after the cancel",
    ),
    Case(
        "a child that runs on",
        film(RUN, child(12.75, worker="worker_2")),
        "violated",
        f'its child {OTHER} is "running" at 3.0 % on worker_2 2.2 s after the cancel',
        12.75,
    ),
    Case(
        "a child that was there before the cancel, and runs on in the list, which does not say whose it is",
        film(RUN, child(9.8), saw(12.75, "running", 5.0, of=OTHER, view="list")),
        "violated",
        f'its child {OTHER} is "running" at 5.0 % 2.2 s after the cancel',
        12.75,
    ),
    Case("a child has the limit of the cancel to end", film(RUN, child(12.5)), "holds", NOTHING),
    Case("a child that has ended", film(RUN, child(13.0, "cancelled")), "holds", NOTHING),
    Case("a child whose record is gone", film(RUN, child(11.0), child(13.0, "missing")), "holds", NOTHING),
    Case(
        "a retry beside a child that has ended, and beside another one that the list names",
        film(
            RUN,
            saw(12.0, "cancelled", of="op_3", view="other", parent=B),
            saw(12.05, "running", of="op_4", view="list"),
            another(),
            payload=PAYLOAD,
        ),
        "violated",
        AGAIN,
        12.1,
    ),
    Case(
        "a child that does the same work is a child",
        film(RUN, child(12.1, **SAME), payload=PAYLOAD),
        "holds",
        NOTHING,
    ),
    Case("another one's child is none", film(RUN, child(13.0, parent="op_3")), "holds", NOTHING),
    Case(
        "it was handed to another worker, as its health says",
        film(RUN, health(12.4, None, "worker_2"), health(12.51, B, "worker_2"), worker=W),
        "violated",
        "it was handed to another worker: worker_2 is busy with it",
        12.51,
    ),
    Case(
        "it was handed to another worker, as the registry says, which alone was read",
        film(CUT, registry(12.51, B, worker="worker_2"), worker=W),
        "violated",
        "it was handed to another worker: worker_2 is busy with it",
        12.51,
    ),
    Case(
        "a worker without a name has it, where its own has none",
        film(RUN, registry(13.0, B, worker="")),
        "holds",
        NOTHING,
    ),
    Case(
        "it was handed on only within the limit of the cancel, so far",
        film(RUN, registry(11.0, None, worker="worker_2"), registry(12.5, B, worker="worker_2"), worker=W),
        "holds",
        NOTHING,
    ),
    Case(
        "who was told to have it within the limit may only lag",
        film(RUN, registry(12.5, B, worker="worker_2"), registry(13.5, B, worker="worker_2"), worker=W),
        "holds",
        NOTHING,
    ),
    Case(
        "who was told to have it before, and says so itself after the limit",
        film(RUN, health(12.5, B, "worker_2"), health(12.7, B, "worker_2"), worker=W),
        "violated",
        "another worker has it as well: worker_2 is busy with it",
        12.7,
    ),
    Case("its own worker is another judgement's matter", film(RUN, registry(13.0, B), worker=W), "holds", NOTHING),
    Case(
        "another worker with another backtest, and another view",
        film(RUN, health(13.0, NEXT, "worker_2"), saw(13.0, "x", of="y", current_operation=B), worker=W),
        "holds",
        NOTHING,
    ),
    Case(
        "whoever is told to have it, where its own worker is not known",
        film(RUN, registry(13.0, B)),
        "violated",
        "it was handed to another worker: worker_1 is busy with it",
        13.0,
    ),
    *(
        Case(
            f"another worker has an operation {words}",
            film(RUN, own, registry(9.6, None, worker="worker_2"), before, has("worker_2", **facts), worker=W),
            "violated" if hidden else "holds",
            "KTRDR has no record of op_7, with which worker_2 is busy since after the cancel" if hidden else NOTHING,
            13.0 if hidden else None,
        )
        for words, own, before, facts, hidden in (
            ("of which KTRDR has no record", registry(10.0, B), (), {"unlisted": True}, True),
            ("of which KTRDR has a record", registry(9.6, B), (), {}, False),
            ("that it had before", registry(9.6, B), has("worker_2", 10.0, unlisted=True), {"unlisted": True}, False),
            ("where ids of records are not the workers'", registry(9.6, "own_3"), (), {"unlisted": True}, False),
            ("where its own was named after the cancel only", registry(12.0, B), (), {"unlisted": True}, False),
        )
    ),
    Case(
        "a worker that was not registered before the cancel has an operation of which KTRDR has no record",
        film(RUN, registry(9.6, B), has("worker_2", unlisted=True), worker=W),
        "holds",
        NOTHING,
    ),
    Case(
        "its own worker has an operation of which KTRDR has no record: another judgement's matter",
        film(RUN, registry(9.6, B), has(W, unlisted=True), worker=W),
        "holds",
        NOTHING,
    ),
    Case("no cancel was sent", film(RUN[1:], another(), payload=PAYLOAD), "unknown", "no cancel was sent"),
    Case(
        "the cancel has no answer yet",
        film(CUT[0], RUN[1:], another(), payload=PAYLOAD),
        "unknown",
        "the cancel has no answer yet",
    ),
    Case(
        "ended before the cancel proves nothing",
        film(CUT, saw(9.8, "completed", 100.0), AFTER, another(), payload=PAYLOAD),
        "unknown",
        'it was "completed" at 100.0 % before the cancel was sent',
    ),
)
def test_does_not_come_back(case: Case) -> None:
    case.check(
        does_not_come_back(case.history, B, 2.0),
        "does not come back",
        "the cancelled work does not come back under another id",
    )


def test_the_answer_to_the_last_of_two_cancels_says_when_it_was_cancelled() -> None:
    twice = did("cancel_answered", 10.2, cancelled_at="2026-11-22T18:53:44Z")
    untold = (*RUN[:3], saw(10.6, "cancelled"), AFTER)
    assert does_not_come_back(film(twice, untold, another(), payload=PAYLOAD), B, 2.0).violated


@pytest.mark.parametrize("payload", ["EURUSD", None, ["EURUSD"]])
def test_a_payload_of_a_strange_kind_is_none(payload: Any) -> None:
    assert does_not_come_back(film(RUN, another(), payload=payload), B, 2.0).holds


# --- what this run's clean-up had to end ---------------------------------------------------------------------------

ENDED_TWO = (did("clean_up", 20.0, NEXT), did("clean_up", 20.5, "op_3"))


@cases(
    Case("none had to be stopped", film(RUN), "unknown", "none had to be"),
    Case("they ended", film(RUN, ENDED_TWO), "holds", "2 ended"),
    Case(
        "one runs on although its cancel was acknowledged",
        film(
            RUN,
            ENDED_TWO,
            did("not_stopped", 22.5, "op_3", words='is still "running" 2.0 s after its cancel was acknowledged'),
            did("not_stopped", 23.5, NEXT, words="as well"),
        ),
        "violated",
        'op_3 is still "running" 2.0 s after its cancel was acknowledged',
        22.5,
    ),
)
def test_all_can_be_stopped(case: Case) -> None:
    case.check(
        all_can_be_stopped(case.history),
        "others can be stopped",
        "what this run has left running ends when it is cancelled",
    )
