"""The pictures of a report: one run from start to end, and the trend over the last runs.

Drawn by Matplotlib in a process of its own, which is started with the run: its import, half a second and
70 MB, then costs neither time nor memory of the suite's own process while it records.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ktrdr_qa.judge import pace, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.record.history import History, Sample, from_json
from ktrdr_qa.system import of_its_own

DRAW_S = 30.0
MOST_POINTS = 240
WIDTH_IN = 10.0
LANE_IN = 0.19
"""The height of one line of labels above the plot."""
_LINE, _NEXT, _RED, _GREY = "#0b5394", "#38761d", "#b00000", "#555555"
_MISTAKES = {
    "running": "did not run in time",
    "moving": "progress went wrong",
    "was running": "was not running",
    "enough left": "too little left to tell",
    "acknowledged": "not acknowledged",
    "only this one": "hit another backtest",
    "cancelled": "not cancelled in time",
    "stays cancelled": "did not stay cancelled",
    "end recorded": "end not recorded",
    "list agrees": "list disagrees",
    "frozen": "progress moved",
    "does not come back": "begun again",
    "not completed": "called completed",
    "next accepted": "new backtest refused",
    "next runs": "new backtest did not run",
    "stays up": "KTRDR did not answer",
    "others can be stopped": "another could not be stopped",
    "worker stopped": "worker did not stop",
    "processor quiet": "processor still busy",
    "place free": "place not freed",
    "second cancel": "second cancel did harm",
}
"""What is wrong where a judgement is violated, short enough for a label."""


class Painter:
    """A process that waits to draw. ``draw`` and ``draw_trend`` may be called any number of times.

    Both return SVG and raise ``OSError`` with the reason where it could not be drawn.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", "ktrdr_qa.tell.picture"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **of_its_own(),
        )

    def draw(self, history: History) -> bytes:
        """The picture of one run."""
        return self._ask("run", history.to_json())

    def draw_trend(self, runs: Sequence[Mapping[str, Any]]) -> bytes:
        """The picture of the last runs, oldest first (the lines of ``trends.Figures``)."""
        return self._ask("trend", json.dumps(list(runs)))

    def _ask(self, what: str, text: str) -> bytes:
        process, data = self._process, text.encode()
        assert process.stdin and process.stdout
        patience = threading.Timer(DRAW_S, process.kill)
        patience.start()
        try:
            process.stdin.write(f"{what} {len(data)}\n".encode() + data)
            process.stdin.flush()
            kind, _, size = process.stdout.readline().partition(b" ")
            if not size:
                raise OSError(f"the drawing process ended with status {process.wait()}")
            answer = process.stdout.read(int(size))
        finally:
            patience.cancel()
        if kind != b"svg":
            raise OSError(answer.decode(errors="replace"))
        return answer

    def close(self) -> None:
        """End the process: nothing of it is lost, and its own orderly end would be waited for."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin and self._process.stdout
        with suppress(OSError):  # What was not read is of no use to anybody.
            self._process.stdin.close()
        self._process.stdout.close()


# --- one run -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Label:
    """A moment that is named above the plot: its time, in seconds since the start, and its words."""

    at_s: float
    words: str
    wrong: bool = False


def paint(history: History) -> bytes:
    """One history as an SVG of a report's width, readable in colour and in grey; labels never overlap."""
    backtest = str(history.about.get("backtest", ""))
    following = str(history.about.get("next_backtest", ""))
    worker = str(history.about.get("worker", ""))
    found = verdict.judge_all(history)
    began = history.event("start_sent", backtest)
    zero_s = began.at_s if began else 0.0
    strips = []
    if following and following != backtest and history.of("backend", following):
        strips.append("next")
    if len(history.of("processor", worker)) > 2:
        strips.append("processor")
    wrong = [judgement for judgement in found.values() if judgement.violated]
    labels = _labels(history, backtest, following, wrong, zero_s)
    first_s = min([0.0, *(s.answered_s - zero_s for s in history.of("processor", worker))])
    last_s = max([1.0, history.until_s - zero_s, *(label.at_s for label in labels)])
    first_s = max(first_s, -0.05 * last_s)
    last_s += (last_s - first_s) * 0.02
    lanes, last_s = lanes_for(labels, first_s, last_s)
    from matplotlib.figure import Figure

    above_in, below_in = 0.62 + LANE_IN * (max(lanes, default=-1) + 1), 0.78
    main_in, strip_in, gap_in = 2.6, 0.75, 0.16
    height_in = above_in + main_in + len(strips) * (strip_in + gap_in) + below_in
    figure = Figure(figsize=(WIDTH_IN, height_in))

    def place(top_in: float, high_in: float) -> Any:
        return figure.add_axes((0.07, 1 - (top_in + high_in) / height_in, 0.91, high_in / height_in))

    axes = place(above_in, main_in)
    under = {
        strip: place(above_in + main_in + gap_in + at * (strip_in + gap_in), strip_in)
        for at, strip in enumerate(strips)
    }
    for one in (axes, *under.values()):
        one.set_xlim(first_s, last_s)
        one.grid(alpha=0.3)
        one.tick_params(labelbottom=one is [axes, *under.values()][-1])
    _frozen_window(axes, history, backtest, found, zero_s)
    _progress(axes, history.of("backend", backtest), zero_s, _LINE, "as KTRDR tells it", "-", "o")
    _progress(axes, history.of("worker", backtest), zero_s, _GREY, "as its worker tells it", ":", "s")
    _limits_of_progress(axes, [s for s in history.samples if s.view in ("backend", "worker") and s.subject == backtest])
    if not history.of("backend", backtest):
        axes.text(0.5, 0.5, "no reading of the backtest was had", transform=axes.transAxes, ha="center", color=_GREY)
    axes.set_ylabel("progress of the backtest, %")
    if "next" in under:
        _progress(under["next"], history.of("backend", following), zero_s, _NEXT, "", "--", "^")
        under["next"].set_ylim(-8, 125)
        _title(under["next"], "progress of the new backtest, %")
    if "processor" in under:
        _processor(under["processor"], history, worker, zero_s)
        _title(under["processor"], f"processor time of {worker}, cores")
    _draw_labels(axes, labels, lanes, main_in)
    for at, label in enumerate(labels):
        for one in (axes, *under.values()):
            style: dict[str, Any] = (
                {"color": _RED, "linewidth": 2.2} if label.wrong else {"color": _GREY, "linewidth": 0.9}
            )
            one.axvline(label.at_s, **style, linestyle="-" if label.wrong else (0, (4, 3)), zorder=3 if at else 2)
    _mark_what_is_wrong(axes, under, history, wrong, backtest, following, zero_s, last_s)
    [axes, *under.values()][-1].set_xlabel("seconds since the start of the backtest")
    _headline(figure, history, backtest, wrong, height_in)
    handles, names = axes.get_legend_handles_labels()
    if handles:
        once = dict(zip(names, handles, strict=True))
        figure.legend(
            once.values(), once.keys(), loc="lower center", fontsize=8.5, ncols=4, frameon=False, borderaxespad=0.2
        )
    return _svg(figure)


def _headline(figure: Any, history: History, backtest: str, wrong: Sequence[Judgement], height_in: float) -> None:
    """The data on the first line; on the second what is wrong, or that nothing is."""
    kind = "  (EMBEDDED STAND-IN, no real KTRDR)" if history.about.get("kind") == "embedded" else ""
    what = str(history.about.get("candidate", backtest)) or "no backtest"
    figure.text(0.07, 1 - 0.2 / height_in, what + kind, fontsize=11, va="center")
    if wrong:
        names = [_MISTAKES.get(j.name, j.name) for j in wrong]
        told = "BROKEN: " + ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    else:
        told = "No rule was seen broken."
    weight, color = ("bold", _RED) if wrong else ("normal", "#000000")
    figure.text(0.07, 1 - 0.42 / height_in, told, fontsize=10, va="center", color=color, fontweight=weight)


def _labels(history: History, backtest: str, following: str, wrong: Sequence[Judgement], zero_s: float) -> list[Label]:
    """The moments of a run, what is wrong among them, in the order of their times."""
    moments = [
        Label(event.at_s - zero_s, words)
        for kind, subject, words in (
            ("start_answered", backtest, "started"),
            ("cancel_sent", backtest, "cancel sent"),
            ("cancel_answered", backtest, "answered"),
            ("cancel_lost", backtest, "no answer"),
            ("next_accepted", following, "new backtest started"),
            ("next_refused", "", "new backtest refused"),
        )
        if (event := history.event(kind, subject))
    ]
    if end := next((s for s in history.of("backend", backtest) if s.terminal), None):
        moments.append(Label(end.answered_s - zero_s, f'first "{end.status}"'))
    together: dict[float, list[str]] = {}
    for judgement in wrong:
        if judgement.at_s is not None:
            together.setdefault(round(judgement.at_s - zero_s, 2), []).append(
                _MISTAKES.get(judgement.name, judgement.name)
            )
    mistakes = [Label(at_s, ", ".join(words), wrong=True) for at_s, words in together.items()]
    moments = [m for m in moments if not any(m.words in w.words and abs(m.at_s - w.at_s) < 0.05 for w in mistakes)]
    moments += mistakes
    return sorted(moments, key=lambda label: label.at_s)


def lanes_for(labels: Sequence[Label], first_s: float, last_s: float) -> tuple[list[int], float]:
    """The lane of each label, 0 the lowest, so that none covers another or its line; and the end of the time axis.

    A label stands to the right of its line. Seen from the right, each goes above whatever it would cover. Where
    the last ones would stick out, the axis is made longer.
    """
    for _ in range(20):
        width_s = {i: _width(label) * (last_s - first_s) for i, label in enumerate(labels)}
        over_s = max((label.at_s + width_s[i] - last_s for i, label in enumerate(labels)), default=0.0)
        if over_s <= 1e-6:
            break
        last_s += over_s * 1.1
    lanes = [0] * len(labels)
    for i in reversed(range(len(labels))):
        reach_s = labels[i].at_s + _width(labels[i]) * (last_s - first_s)
        covered = [lanes[k] for k in range(i + 1, len(labels)) if labels[k].at_s <= reach_s]
        lanes[i] = max(covered, default=-1) + 1
    return lanes, last_s


def _words(label: Label) -> str:
    return f"{label.at_s:.2f} s {label.words}"


def _width(label: Label) -> float:
    """The share of the plot's width that a label takes, with some room: the reader's font may be another."""
    return 0.012 + len(_words(label)) * (0.0092 if label.wrong else 0.0078)


def _draw_labels(axes: Any, labels: Sequence[Label], lanes: Sequence[int], main_in: float) -> None:
    for label, lane in zip(labels, lanes, strict=True):
        color, weight = (_RED, "bold") if label.wrong else ("#000000", "normal")
        at = 1 + (lane + 0.55) * LANE_IN / main_in
        axes.plot(
            [label.at_s] * 2,
            [1.0, at + 0.4 * LANE_IN / main_in],
            transform=axes.get_xaxis_transform(),
            color=_RED if label.wrong else _GREY,
            linewidth=2.2 if label.wrong else 0.9,
            clip_on=False,
        )
        axes.annotate(
            _words(label),
            (label.at_s, at),
            xycoords=("data", "axes fraction"),
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=8.5,
            va="center",
            color=color,
            fontweight=weight,
            annotation_clip=False,
        )


def _mark_what_is_wrong(
    axes: Any,
    under: Mapping[str, Any],
    history: History,
    wrong: Sequence[Judgement],
    backtest: str,
    following: str,
    zero_s: float,
    last_s: float,
) -> None:
    """A ring around the offending reading, and what must not be there hatched in the strip where it is seen."""
    for judgement in wrong:
        at_s = judgement.at_s
        if at_s is None:
            continue
        strip, subject = axes, backtest
        if judgement.name == "processor quiet" and "processor" in under:
            under["processor"].axvspan(at_s - zero_s, last_s, facecolor="none", edgecolor=_RED, hatch="xx", alpha=0.5)
            continue
        if judgement.name in ("next runs", "next accepted"):
            strip, subject = under.get("next", axes), following
        if sample := offending(history, subject, at_s):
            strip.plot(
                [sample.answered_s - zero_s],
                [sample.percentage or 0.0],
                "o",
                markersize=15,
                markerfacecolor="none",
                markeredgecolor=_RED,
                markeredgewidth=2,
                zorder=5,
            )


def offending(history: History, subject: str, at_s: float) -> Sample | None:
    """The reading of a backtest that shows what a judgement with this time complains of."""
    near = (
        s for s in history.of("backend", subject) if abs(s.answered_s - at_s) < 1e-6 or abs(s.asked_s - at_s) < 1e-6
    )
    return next(near, None)


def _title(axes: Any, words: str) -> None:
    axes.text(0.006, 0.93, words, transform=axes.transAxes, fontsize=8.5, va="top", zorder=6)


def _limits_of_progress(axes: Any, readings: Iterable[Sample]) -> None:
    known = [s.percentage for s in readings if s.percentage is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    span = max(high - low, 1.0)
    axes.set_ylim(low - 0.06 * span, low + span * 1.12)


def _progress(
    axes: Any, readings: Sequence[Sample], zero_s: float, color: str, label: str, line: str, dot: str
) -> None:
    known = [s for s in readings if s.percentage is not None]
    if not known:
        return
    drawn = _telling(known)
    x, y = [s.answered_s - zero_s for s in drawn], [s.percentage for s in drawn]
    axes.step(x, y, line, where="post", color=color, label=label, linewidth=1.8)
    # Of hundreds of readings the dots would only make the line thicker, and the file bigger.
    if len(x) <= 120:
        axes.plot(x, y, dot, color=color, markersize=2.5)
    end = next((s for s in known if s.terminal), None)
    if end and end.view == "backend":
        axes.plot(
            [end.answered_s - zero_s],
            [end.percentage],
            "X",
            color=color,
            markersize=9,
            markeredgecolor="white",
            label="first reading that it has ended" if label else "",
            zorder=4,
        )


def _telling(readings: Sequence[Sample]) -> list[Sample]:
    """At most ``MOST_POINTS`` of the readings: without those that change nothing, then every so many-th."""
    last = len(readings) - 1
    if last < MOST_POINTS:
        return list(readings)
    told = [
        s
        for i, s in enumerate(readings)
        if i in (0, last) or s.percentage != readings[i - 1].percentage or s.percentage != readings[i + 1].percentage
    ]
    every = -(-len(told) // MOST_POINTS)
    return [*told[::every], told[-1]]


def _frozen_window(axes: Any, history: History, backtest: str, found: Mapping[str, Judgement], zero_s: float) -> None:
    end = next((s for s in history.of("backend", backtest) if s.terminal), None)
    if end is None or not history.event("cancel_sent", backtest):
        return
    window_s = found["frozen"].figures.get("frozen_s") or pace.frozen_window_s(
        history, backtest, verdict.LIMITS_S["frozen_s"]
    )
    axes.axvspan(
        end.answered_s - zero_s,
        end.answered_s - zero_s + window_s,
        facecolor="#cfe2f3",
        edgecolor="#9fc5e8",
        hatch="//",
        linewidth=0,
        alpha=0.6,
        label="progress must not move",
    )


def _processor(axes: Any, history: History, worker: str, zero_s: float) -> None:
    readings = [s for s in history.of("processor", worker) if s.cpu_s is not None]
    spans = [(a.answered_s, b.answered_s, (b.cpu_s or 0) - (a.cpu_s or 0)) for a, b in pairwise(readings)]
    spans = [(a_s, b_s, max(0.0, cpu_s / (b_s - a_s))) for a_s, b_s, cpu_s in spans if b_s - a_s > 0.05]
    if spans:
        # One outline for all: of a long run hundreds of bars would make most of the file.
        x = [at_s - zero_s for a_s, b_s, _ in spans for at_s in (a_s, a_s, b_s, b_s)]
        axes.fill(x, [height for _, _, cores in spans for height in (0.0, cores, cores, 0.0)], color="#7a9cc0")
    axes.set_ylim(0, max([0.1, *(cores for _, _, cores in spans)]) * 1.5)


# --- the trend -----------------------------------------------------------------------------------------------------


def paint_trend(runs: Sequence[Mapping[str, Any]]) -> bytes:
    """Cancel latency and time to idle of the last runs on one target, oldest first, with the limits drawn in."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, 3.4))
    axes = figure.add_axes((0.07, 0.20, 0.91, 0.66))
    places = range(1, len(runs) + 1)
    seconds: list[float] = []
    for name, label, color, line, dot in (
        ("cancelled_s", "reported as cancelled after", _LINE, "-", "o"),
        ("worker_idle_s", "worker idle after", _NEXT, "--", "^"),
    ):
        known = [(at, float(run[name])) for at, run in zip(places, runs, strict=True) if run.get(name) is not None]
        if known:
            axes.plot(
                *zip(*known, strict=True), line, marker=dot, color=color, label=label, linewidth=1.6, markersize=5
            )
            seconds += [value for _, value in known]
    limits = [(at, float(r["cancel_limit_s"])) for at, r in zip(places, runs, strict=True) if r.get("cancel_limit_s")]
    if limits:
        axes.step(*zip(*limits, strict=True), where="mid", color=_RED, linewidth=2, label="limit for cancelled")
        seconds += [value for _, value in limits]
    shapes = {"failed": ("x", _RED, "failed run"), "inconclusive": ("d", _GREY, "inconclusive run")}
    for outcome, (dot, color, label) in shapes.items():
        at = [place for place, run in zip(places, runs, strict=True) if run.get("outcome") == outcome]
        if at:
            axes.plot(
                at, [0.03] * len(at), dot, transform=axes.get_xaxis_transform(), color=color, label=label, clip_on=False
            )
    axes.set_xlim(0.5, len(runs) + 0.5)
    axes.set_ylim(0, max([0.1, *seconds]) * 1.15)
    axes.set_xticks(_ticks(len(runs)))
    axes.set_xticklabels(
        [str(runs[at - 1].get("at", ""))[5:16].replace("T", "\n") for at in _ticks(len(runs))], fontsize=8
    )
    axes.set_ylabel("seconds after the cancel")
    axes.grid(alpha=0.3)
    kind = "  (EMBEDDED STAND-IN, no real KTRDR)" if runs and runs[-1].get("kind") == "embedded" else ""
    title = f"The last {len(runs)} runs on {runs[-1].get('target', '') if runs else ''}{kind}, this one at the right"
    figure.text(0.07, 0.93, title, fontsize=11, va="center")
    figure.legend(loc="lower center", fontsize=8.5, ncols=5, frameon=False, borderaxespad=0.2)
    return _svg(figure)


def _ticks(count: int) -> list[int]:
    every = max(1, (count + 9) // 10)
    return sorted({*range(count, 0, -every)})


def _svg(figure: Any) -> bytes:
    import matplotlib

    buffer = io.BytesIO()
    # Text stays text: a third of the size, and it can be searched and copied.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ktrdr-qa", "hatch.linewidth": 0.6}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _serve() -> None:
    """Draw whatever comes in, until the other end closes."""
    from matplotlib import figure, rcParams  # noqa: F401 - imported before there is anything to draw
    from matplotlib.backends import backend_svg  # noqa: F401

    rcParams["text.parse_math"] = False  # A dollar in the words of a platform or of a target is a dollar.
    while head := sys.stdin.buffer.readline():
        what, _, size = head.decode().partition(" ")
        text = sys.stdin.buffer.read(int(size)).decode()
        try:
            kind, answer = "svg", paint(from_json(text)) if what == "run" else paint_trend(json.loads(text))
        except Exception as error:  # noqa: BLE001 - it is told, and the next picture may be drawn all the same
            kind, answer = "error", f"{type(error).__name__}: {error}".encode()
        sys.stdout.buffer.write(f"{kind} {len(answer)}\n".encode() + answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
