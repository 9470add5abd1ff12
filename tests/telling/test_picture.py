"""The picture: drawn of every history, small, its labels apart, and the broken rule where it was broken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.ways.all import WAYS
from ktrdr_qa.record.history import Event, History, Sample, ordered
from ktrdr_qa.tell import picture, report
from ktrdr_qa.tell.painter import Painter
from ktrdr_qa.tell.picture import Label, _width, lanes_for, paint
from ktrdr_qa.tell.trend_picture import paint_trend
from tests.judging.film import NEXT, B, W, used
from tests.telling.running import ROOT

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
LARGEST_BYTES = 60_000


def texts_of(svg: bytes) -> str:
    return "\n".join("".join(e.itertext()) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}text"))


def film(*, readings: int = 40, rises_after: bool = False, ends_s: float = 8.0) -> History:
    """A backtest that is cancelled at 2 s; with ``rises_after`` it moves on although it is called cancelled."""
    events = [
        Event("start_sent", 0.0, B),
        Event("start_answered", 0.05, B, {"took_s": 0.05}),
        Event("cancel_sent", 2.0, B),
        Event("cancel_answered", 2.05, B, {"http": 200, "success": True, "took_s": 0.05}),
        Event("next_sent", 2.2),
        Event("next_accepted", 2.3, NEXT, {"took_s": 0.1}),
    ]
    step_s = ends_s / readings
    samples: list[Sample] = []
    for number in range(1, readings):
        at_s = number * step_s
        over = at_s > 2.06
        at = min(at_s, 2.0) * 10 if not rises_after else at_s * 10
        samples.append(Sample("backend", B, at_s - 0.01, at_s, "cancelled" if over else "running", at))
        if at_s > 2.4:
            samples.append(Sample("backend", NEXT, at_s - 0.01, at_s, "running", (at_s - 2.3) * 5))
    samples += [used(at_s / 2 - 1, min(at_s / 2, 2.0)) for at_s in range(18)]
    about = {"backtest": B, "next_backtest": NEXT, "worker": W, "candidate": "EURUSD 1d", "kind": "embedded"}
    return ordered(samples, events, ends_s, about)


HISTORIES = {
    "green": film(),
    "moves-on": film(rises_after=True),
    "long": film(readings=900, ends_s=300.0),
    "long-and-moving": film(readings=1800, ends_s=300.0, rises_after=True),
    "empty": History(about={"backtest": B}),
    "nothing-known": History(),
    "one-reading": ordered([Sample("backend", B, 0.1, 0.2, "running", None)], [], 0.3, {"backtest": B}),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_every_history_can_be_drawn_and_stays_small(name: str) -> None:
    svg = paint(HISTORIES[name])
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert len(svg) <= LARGEST_BYTES
    assert "seconds since the start of the backtest" in texts_of(svg), "its text is text"


def test_a_green_picture_says_so_and_names_the_moments() -> None:
    told = texts_of(paint(HISTORIES["green"]))
    assert "No rule was seen broken." in told and "BROKEN" not in told
    for words in ("started", "cancel sent", "answered", 'first "cancelled"', "new backtest started", "STAND-IN"):
        assert words in told


def rings_in(svg: bytes) -> int:
    return svg.count(b'style="fill-opacity: 0; stroke: #b00000; stroke-width: 2"')


def test_a_broken_rule_is_named_with_its_moment() -> None:
    history = HISTORIES["moves-on"]
    (frozen,) = [j for j in verdict.judge_all(history).values() if j.name == "frozen"]
    assert frozen.violated and frozen.at_s
    svg = paint(history)
    assert "BROKEN: " in texts_of(svg) and f"{frozen.at_s:.2f} s progress moved" in texts_of(svg)
    sample = picture.offending(history, B, frozen.at_s)
    assert sample and sample.answered_s == frozen.at_s
    # The ring is drawn, and not only in red: its line is thick and there is none in a green picture.
    assert svg.count(b"#b00000") > paint(HISTORIES["green"]).count(b"#b00000") == 0


def test_every_judgement_has_words_for_its_violation() -> None:
    of_ways = {name for way in WAYS for names in way.checks.values() for name in names}
    # That a race did not meet the end is nobody's fault.
    assert {*verdict.judge_all(HISTORIES["green"]), *of_ways} - {"met the end"} <= set(picture._MISTAKES)


def beside_others(count: int) -> History:
    """The green film beside so many other backtests, each of which stands still from the cancel on."""
    green, others = film(), [f"op_other_{n}" for n in range(count)]
    begun = [Event("neighbour_started", -0.7, one) for one in others]
    readings = [
        Sample("backend", one, at_s / 10 - 0.01, at_s / 10, "running", 10.0 + min(at_s / 10, 2.0) * 10)
        for one in others
        for at_s in range(-5, 80)
    ]
    return ordered([*green.samples, *readings], [*green.events, *begun], green.until_s, green.about)


def test_the_backtests_beside_it_are_drawn_and_the_one_that_came_to_harm_is_marked() -> None:
    history = beside_others(1)
    slow = verdict.judge_all(history)["neighbours run on"]
    assert slow.violated and slow.at_s is not None
    svg = paint(history)
    assert "progress of the other backtest, %" in texts_of(svg) and rings_in(svg) == 1
    assert "progress of the other" not in texts_of(paint(HISTORIES["green"]))


def test_what_was_broken_before_the_start_stands_in_the_plot() -> None:
    early = picture._run_of(HISTORIES["green"]).limits_s([Label(-3.0, "record changed", wrong=True)])
    assert early[0] <= -3.0 and picture._run_of(HISTORIES["green"]).limits_s([])[0] > -1.0


def test_a_hundred_beside_it_keep_the_picture_small() -> None:
    svg = paint(beside_others(100))
    assert "progress of 100 other backtests, %" in texts_of(svg)
    assert len(svg) <= 3 * LARGEST_BYTES


def test_a_picture_is_the_same_each_time() -> None:
    assert paint(HISTORIES["green"]) == paint(HISTORIES["green"])


LABELS = st.lists(
    st.builds(
        Label,
        st.floats(0, 60, allow_nan=False),
        st.sampled_from(["started", "cancel sent", "not cancelled in time, worker did not stop"]),
        st.booleans(),
    ),
    max_size=10,
).map(lambda labels: sorted(labels, key=lambda label: label.at_s))


@given(LABELS)
@settings(deadline=None)
def test_labels_never_cover_each_other_or_a_line(labels: list[Label]) -> None:
    lanes, last_s = lanes_for(labels, 0.0, 61.0)
    spans = [(label.at_s, label.at_s + _width(label) * last_s, lane) for label, lane in zip(labels, lanes, strict=True)]
    for at, (left_s, right_s, lane) in enumerate(spans):
        assert right_s <= last_s * 1.001
        for other_left_s, other_right_s, other_lane in spans[at + 1 :]:
            # Another's line goes up to its own lane; its words stand beside it.
            if other_left_s <= right_s and left_s <= other_right_s:
                assert other_lane < lane


def trend(count: int) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = [
        {
            "at": f"2026-01-{day + 1:02}T03:04:05+0000",
            "target": "sandbox",
            "kind": "live",
            "outcome": "passed" if day % 5 else "failed",
            "cancel_limit_s": 2.0,
            **({"cancelled_s": 0.05 + day / 100, "worker_idle_s": 0.2} if day % 5 else {}),
        }
        for day in range(count)
    ]
    return lines


@pytest.mark.parametrize("count", [1, 4, 20])
def test_a_trend_has_the_limit_the_figures_and_the_failed_runs(count: int) -> None:
    svg = paint_trend(trend(count))
    told = texts_of(svg)
    assert len(svg) <= LARGEST_BYTES and f"The last {count} runs on sandbox" in told
    assert "limit for cancelled" in told and "failed run" in told
    if count > 1:
        assert "reported as cancelled after" in told and "worker idle after" in told


@pytest.fixture(scope="module")
def painter() -> Iterator[Painter]:
    one = Painter()
    yield one
    one.close()


def test_painter_draws_the_same_in_its_own_process(painter: Painter) -> None:
    assert painter.draw(HISTORIES["green"]).svg() == paint(HISTORIES["green"])
    assert painter.draw_trend(trend(4)).svg() == paint_trend(trend(4))


def test_painter_draws_what_is_asked_for_before_the_last_one_was_looked_at(painter: Painter) -> None:
    first, second = painter.draw(HISTORIES["green"]), painter.draw_trend(trend(4))
    assert second.svg() == paint_trend(trend(4))
    assert first.svg() == first.svg() == paint(HISTORIES["green"])


def test_painter_tells_what_it_cannot_draw_and_goes_on(painter: Painter) -> None:
    with pytest.raises(OSError, match=r"(Value|Type|Attribute)Error"):
        painter.draw_trend([{"cancelled_s": "soon", "cancel_limit_s": 2.0}]).svg()
    assert painter.draw(HISTORIES["empty"]).svg().startswith(b"<?xml")


def test_painter_that_was_ended_says_so() -> None:
    one = Painter()
    one._process.kill()
    one._process.wait()
    with pytest.raises(OSError):
        one.draw(HISTORIES["green"]).svg()
    one.close()


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here (apt-get install chromium)")
@pytest.mark.skipif(not shutil.which("node"), reason="no Node.js here (20 or later)")
def test_no_text_covers_another_in_chromium(tmp_path: Path) -> None:
    report.install_generator([shutil.which("npm") or "npm"], with_browser_checks=True)
    files = []
    for name, history in HISTORIES.items():
        files.append(tmp_path / f"{name}.svg")
        files[-1].write_bytes(paint(history))
    files.append(tmp_path / "trend.svg")
    files[-1].write_bytes(paint_trend(trend(20)))
    script = ROOT / "tests/telling/overlaps.mjs"
    done = subprocess.run(["node", str(script), *map(str, files)], capture_output=True, text=True, check=True)
    for file, found in json.loads(done.stdout).items():
        assert found["texts"] > 5 and not found["wrong"], (file, found["wrong"])
