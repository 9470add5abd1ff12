"""The line at the end of a failure: it repeats the request that showed the defect, and no other."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ktrdr_qa import asserting
from ktrdr_qa.judge import crashes, matchers, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways import nothing_to_cancel as vain
from ktrdr_qa.platform.exchange import Exchange
from ktrdr_qa.platform.witnesses import Witness
from ktrdr_qa.record.history import Sample, ordered
from tests.judging.film import NEXT, B, W, did, health
from tests.telling.test_picture import HISTORIES

API, WORKER = "http://api:8000", "http://worker:5003"
OPERATIONS = f"{API}/api/v1/operations"
RECORD = f"curl -s {OPERATIONS}/{B}"
LISTED = f"curl -s '{OPERATIONS}?operation_type=backtesting&limit=100'"
METRICS = f"curl -s {WORKER}/metrics"
EVIDENCE = {
    "Cancel response": Exchange("DELETE", f"{OPERATIONS}/{B}", 0.0, 0.1),
    "next": Exchange("POST", f"{API}/api/v1/backtests/start", 0.0, 0.1, body={"symbol": "EURUSD"}),
    "second cancel": Exchange("DELETE", f"{OPERATIONS}/{B}?force=true", 0.0, 0.1),
}
IN_VAIN = ((4.0, "another"), (5.0, "the/one/that/was/sent"))
SHOWN_BY = {
    **dict.fromkeys(("running", "moving", "was running", "enough left"), RECORD),
    **dict.fromkeys(("cancelled", "stays cancelled", "end recorded", "frozen", "not completed"), RECORD),
    **dict.fromkeys(("list agrees", "only this one", "does not come back", "list unchanged"), LISTED),
    **dict.fromkeys(("reason kept", "one takes effect"), RECORD),
    **dict.fromkeys(("acknowledged", "each answered"), EVIDENCE["Cancel response"].curl),
    **dict.fromkeys(("running unharmed", "ended unchanged", "worker takes the next"), f"curl -s {OPERATIONS}/op_other"),
    "turned down": "curl -s -X DELETE the/one/that/was/sent",
    "goes on answering": f"curl -s {API}/api/v1/health",
    "second cancel": EVIDENCE["second cancel"].curl,
    "next accepted": EVIDENCE["next"].curl,
    "next runs": f"curl -s {OPERATIONS}/{NEXT}",
    "stays up": f"curl -s {API}/api/v1/health",
    "others can be stopped": f"curl -s {OPERATIONS}/op_stuck",
    "worker stopped": f"curl -s {WORKER}/api/v1/operations/own_{B}",
    "processor quiet": METRICS,
    "place free": f"curl -s {API}/api/v1/workers",
}


def read() -> Any:
    """What a witness reads its processor time with; here only whether there is one matters."""
    raise NotImplementedError


WITNESS = Witness(W, WORKER, False, "", read, "its metrics", processor_again=METRICS)


def experiment(witness: Witness | None = WITNESS, *samples: Sample) -> Any:
    sent = [did(vain.ANSWERED, at_s, "", again=f"curl -s -X DELETE {one}") for at_s, one in IN_VAIN]
    seen = [*samples, Sample("backend", "op_other", 4.9, 5.0, "cancelled")]
    history = ordered(seen, [did("not_stopped", 9.0, "op_stuck"), *sent], 10.0)
    target = SimpleNamespace(base_url=API)
    scene = SimpleNamespace(
        evidence=EVIDENCE, target=target, backtest=B, next_backtest=NEXT, witnesses={W: WITNESS}, mine=[B]
    )
    return SimpleNamespace(scene=scene, witness=witness, called_there=f"own_{B}", history=lambda: history)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        (crashes.RECORD, RECORD),
        (crashes.NEXT_RECORD, f"curl -s {OPERATIONS}/{NEXT}"),
        (crashes.WORKERS, f"curl -s {API}/api/v1/workers"),
        (crashes.LIST, LISTED),
        (crashes.WORKER_HEALTH, f"curl -s {WORKER}/health"),
    ],
)
def test_what_broke_by_itself_is_asked_for_again(what: str, line: str) -> None:
    broke = Judgement("stays up", "violated", "it answers", f"{what} did not answer for 2.0 s", 5.0)
    assert asserting.again(experiment(), broke) == line


def broken(name: str, at_s: float = 5.0) -> Judgement:
    return Judgement(name, "violated", "it is as it should be", "it is not", at_s)


@pytest.mark.parametrize(("name", "line"), SHOWN_BY.items())
def test_each_failure_repeats_the_request_that_showed_it(name: str, line: str) -> None:
    judgement = broken(name)
    with pytest.raises(AssertionError, match="but: it is not") as failed:
        matchers.verify(judgement, (), asserting.again(experiment(), judgement))
    assert str(failed.value).rstrip().endswith(f"\n   again: {line}")


def test_a_worker_that_is_gone_is_asked_again() -> None:
    gone = replace(broken("goes on answering"), seen=f"the worker {W} did not answer for 2.7 s")
    assert asserting.again(experiment(), gone) == f"curl -s {WORKER}/health"


def test_every_judgement_has_its_line() -> None:
    assert set(SHOWN_BY) == {*verdict.judge_all(HISTORIES["green"]), "second cancel", "others can be stopped"} | {
        *("list agrees", "does not come back", "end recorded"),
        *(
            "goes on answering",
            "turned down",
            "running unharmed",
            "list unchanged",
            "ended unchanged",
            "worker takes the next",
        ),
        *("reason kept", "each answered", "one takes effect"),
    }


@pytest.mark.parametrize(
    ("samples", "line"),
    [
        ([health(5.0, B)], f"curl -s {WORKER}/health"),
        ([health(4.0, B), Sample("worker", B, 5.0, 5.1, "running")], SHOWN_BY["worker stopped"]),
    ],
    ids=["by its health", "by its own record"],
)
def test_a_worker_is_asked_again_for_what_gave_it_away(samples: list[Sample], line: str) -> None:
    assert asserting.again(experiment(WITNESS, *samples), broken("worker stopped", 5.0)) == line


@pytest.mark.parametrize(
    "line", ["docker exec worker-1 cat /sys/fs/cgroup/cpu.stat", "ps -o pid,time,args -p 4711"], ids=["docker", "ps"]
)
def test_a_processor_is_read_again_where_it_was_read(line: str) -> None:
    hidden = replace(WITNESS, address=None, processor_again=line)
    assert asserting.again(experiment(hidden), broken("processor quiet")) == line


def test_a_worker_out_of_reach_leaves_the_backends_word() -> None:
    for witness in (None, replace(WITNESS, address=None)):
        assert asserting.again(experiment(witness), broken("worker stopped")) == RECORD


@pytest.mark.parametrize(
    ("name", "seen", "line"),
    [
        ("memory steady", f"it grew: {W} 45.0 to 60.0 MB", f"curl -sL {WORKER}/metrics"),
        ("files steady", "it grew: backend 15 to 30", f"curl -sL {API}/metrics"),
        ("places kept", "one is lost", SHOWN_BY["place free"]),
        ("back", "it is not registered", SHOWN_BY["place free"]),
        ("latency steady", "it took longer", RECORD),
        ("ended", "it is still running", RECORD),
    ],
)
def test_backtests_in_a_row_and_restarts_have_theirs(name: str, seen: str, line: str) -> None:
    assert asserting.again(experiment(), replace(broken(name), seen=seen)) == line
