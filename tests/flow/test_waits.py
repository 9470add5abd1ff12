"""How long is waited for what is not known yet after the cancel: an outage's time, or the judgement's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ktrdr_qa.act import afterwards
from ktrdr_qa.act.journal import Journal
from ktrdr_qa.act.scene import SLACK_S, Scene
from ktrdr_qa.judge import crashes, pace
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.record.history import History
from ktrdr_qa.record.recorder import Recorder
from ktrdr_qa.target.settings import Limits, Target
from tests.judging.film import B

LIMIT_S, NOWHERE = 2.0, "http://127.0.0.1:9"
BRISK = Limits(answer_s=1.5)


def waited_at_most(
    passed_s: float, patient: bool, place: Path, monkeypatch: pytest.MonkeyPatch, limits: Limits = BRISK
) -> tuple[float, float]:
    """The longest wait that was asked for, so long after the cancel was sent, and what the sentence itself allows."""
    client, recorder = Client(NOWHERE, Transcript()), Recorder(lambda: passed_s, {"backtest": B})
    recorder.note("cancel_sent", B, 0.0)
    scene = Scene(Target(base_url=NOWHERE, limits=limits), client, recorder, Journal(place, NOWHERE), {}, backtest=B)
    asked: list[float] = []

    def wait(judge: Callable[[History], Judgement], at_most_s: float) -> Judgement:
        asked.append(at_most_s)
        return judge(recorder.history())

    monkeypatch.setattr(scene, "wait", wait)
    unknown = Judgement("x", "unknown", "x", "it is not known")
    assert afterwards.wait(scene, lambda _: unknown, LIMIT_S, patient=patient).unknown
    client.close()
    return asked[0], LIMIT_S + scene.slack_s


@pytest.mark.parametrize("passed_s", [0.0, 1.0, 60.0])
def test_while_nothing_is_broken_an_outage_is_given_its_time(
    passed_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest_s, _ = waited_at_most(passed_s, True, tmp_path, monkeypatch)
    assert longest_s == crashes.GIVE_UP_S + SLACK_S


@pytest.mark.parametrize(
    ("passed_s", "more_s"), [(0.0, pace.VERDICT_SPAN_S), (1.0, pace.VERDICT_SPAN_S - 1.0), (60.0, 0.0)]
)
def test_a_run_that_has_failed_waits_for_what_a_verdict_needs_after_the_cancel(
    passed_s: float, more_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest_s, own_s = waited_at_most(passed_s, False, tmp_path, monkeypatch)
    assert longest_s == pytest.approx(own_s + more_s) and longest_s < crashes.GIVE_UP_S + SLACK_S


def test_a_run_that_has_failed_waits_no_longer_than_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Limits(answer_s=20.0)
    waits = [waited_at_most(0.0, patient, tmp_path, monkeypatch, slow) for patient in (True, False)]
    assert waits[0] == waits[1]
