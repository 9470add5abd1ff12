"""Before a pace is called too slow it is asked once more what else KTRDR, and this host, have to do by now."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from ktrdr_qa.act import experiment
from ktrdr_qa.act.journal import Journal
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.record.recorder import Recorder
from ktrdr_qa.target.settings import Target
from tests.deployments.harness import started
from tests.judging.film import B, W
from tests.judging.ways.test_cancellation_beside_others import beside, runs


def told(
    url: str, place: Path, load_before: float | None, pace: float, **known: float
) -> tuple[Judgement, dict[str, Any]]:
    """What is said of a neighbour that had made 2 % a second, by an experiment whose film is there already."""
    seen = beside(runs(10.25, 25.0, pace=pace, base=16.0))
    begun_s = time.monotonic() - seen.until_s
    about = {} if load_before is None else {"load_per_core": load_before}
    recorder = Recorder(lambda: time.monotonic() - begun_s, {**about, **known, "backtest": B, "worker": W})
    recorder.add(seen.samples)
    for event in seen.events:
        recorder.note(event.kind, event.subject, event.at_s, **event.facts)
    client = Client(url, Transcript(), clock=recorder.clock)
    scene = Scene(Target(base_url=url), client, recorder, Journal(place, url), {}, backtest=B)
    try:
        return experiment.Experiment(scene).await_pace("neighbours run on", 0.1), recorder.about
    finally:
        recorder.stop()
        client.close()


@pytest.mark.parametrize(
    ("load_before", "load_now", "used", "kept", "outcome"),
    [
        (0.5, 0.6, 0.5, 0.6, "violated"),
        (0.5, 2.14, 0.5, 2.14, "holds"),
        (2.5, 0.6, 0.5, 2.5, "holds"),
        (0.5, 0.6, 1.0, 0.6, "holds"),
        (None, 9.0, 1.0, None, "violated"),
    ],
    ids=["at rest", "busy by now", "was busy before", "all in use", "a host that does not tell"],
)
def test_a_pace_is_too_slow_only_on_a_host_that_has_not_become_busy(
    load_before: float | None,
    load_now: float,
    used: float,
    kept: float | None,
    outcome: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(experiment, "load_per_core", lambda: load_now)
    monkeypatch.setattr(experiment, "processors_used", lambda: used)
    with started("--registry-lag-s", "0") as platform:
        judgement, about = told(platform.url, tmp_path, load_before, pace=1.0)
    assert judgement.verdict == outcome, judgement.seen
    assert about.get("load_per_core") == kept


def test_what_an_earlier_step_saw_of_the_processors_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All paces are judged once more at the end of the recording, by what is known of the host then."""
    monkeypatch.setattr(experiment, "load_per_core", lambda: 0.5)
    monkeypatch.setattr(experiment, "processors_used", lambda: 0.5)
    with started("--registry-lag-s", "0") as platform:
        judgement, about = told(platform.url, tmp_path, 0.5, pace=0.6, processors_used=0.95)
    assert about["processors_used"] == 0.95 and judgement.violated, "less than a third is too slow on any host"


def test_a_pace_is_too_slow_only_where_no_other_backtest_has_begun_meanwhile(tmp_path: Path) -> None:
    with started("--registry-lag-s", "0") as platform:
        strangers = platform.start()
        judgement, _ = told(platform.url, tmp_path, 0.5, pace=0.5)
    assert judgement.unknown and judgement.seen.endswith(f"meanwhile {strangers} ran as well, not this run's")
