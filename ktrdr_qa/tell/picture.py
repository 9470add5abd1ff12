"""The picture of one run from start to end: progress, other backtests, processor time, and what was seen broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ktrdr_qa.judge import pace, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.tell.drawing import GREY, LINE, NEXT, RED, WIDTH_IN, as_svg

MOST_POINTS, FEWEST_POINTS = 240, 12
MAIN_IN = 2.6
LANE_IN = 0.19
"""The height of one line of labels above the plot."""
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
    "turned down": "not turned down",
    "goes on answering": "a process is gone",
    "running unharmed": "hit another backtest",
    "list unchanged": "list changed",
    "ended unchanged": "record changed",
    "worker takes the next": "worker took no other",
    "reason kept": "reason lost",
    "each answered": "not each answered",
    "one takes effect": "more than one took effect",
    "one end": "ended in two ways or none",
    "answer fits": "answer does not fit the end",
    "no flip": "did not stay as it ended",
    "neighbours run on": "another slowed down",
    "neighbours untouched": "another's record was touched",
    "next keeps pace": "next on its worker is slow",
    "starts answered": "a start not answered plainly",
    "starts run": "an accepted one did not run",
    "none called failed": "an accepted one called failed",
    "lists agree": "list disagrees",
    "filters match": "filter lists others",
    "pages whole": "pages lose or double",
    "counts right": "list miscounts",
    "worker agrees": "worker's record disagrees",
    "back": "not back after the restart",
    "known again": "forgotten by the restart",
    "ended": "not ended after the restart",
    "stays ended": "came back to life",
    "truly ended": "called completed",
    "latency steady": "cancels became slower",
    "start steady": "starts became slower",
    "places kept": "a place was lost",
    "memory steady": "memory grew",
    "files steady": "open files grew",
    "active steady": "more and more active",
    "processor steady": "processors grew busier",
}
"""What is wrong where a judgement is violated, short enough for a label."""
_OTHERS = ("neighbour_started", "follower_started", "further_accepted")
"""The events with which a backtest beside the one that is cancelled begins to be watched."""


@dataclass(frozen=True)
class Label:
    """A moment that is named above the plot: its time, in seconds since the start, and its words."""

    at_s: float
    words: str
    wrong: bool = False


@dataclass(frozen=True)
class _Run:
    """What is drawn: a recording, what is in question in it, what was judged, and when it began."""

    history: History
    backtest: str
    following: str
    worker: str
    found: Mapping[str, Judgement]
    zero_s: float

    @property
    def wrong(self) -> list[Judgement]:
        return [judgement for judgement in self.found.values() if judgement.violated]

    @property
    def others(self) -> list[str]:
        """The backtests of this run that were running beside this one, where they were read."""
        begun = dict.fromkeys(e.subject for e in self.history.events if e.kind in _OTHERS)
        return [one for one in begun if one != self.backtest and self.history.of("backend", one)]

    @property
    def strips(self) -> list[str]:
        """What is drawn under the progress: the new backtest, those beside it and the processor, where they were read."""
        new = self.following and self.following != self.backtest and self.history.of("backend", self.following)
        used = len(self.history.of("processor", self.worker)) > 2
        return ["next"] * bool(new) + ["others"] * bool(self.others) + ["processor"] * used

    def limits_s(self, labels: Sequence[Label]) -> tuple[float, float]:
        """From when to when, in seconds since the start of the backtest."""
        first_s = min([0.0, *(s.answered_s - self.zero_s for s in self.history.of("processor", self.worker))])
        last_s = max([1.0, self.history.until_s - self.zero_s, *(label.at_s for label in labels)])
        # Of what was read before the start a little is shown, and whatever is named.
        first_s = min([max(first_s, -0.05 * last_s), *(label.at_s for label in labels)])
        return first_s, last_s + (last_s - first_s) * 0.02


def _run_of(history: History) -> _Run:
    backtest = history.backtest
    began = history.event("start_sent", backtest)
    return _Run(
        history,
        backtest,
        following=str(history.about.get("next_backtest", "")),
        worker=str(history.about.get("worker", "")),
        found=verdict.judge_all(history),
        zero_s=began.at_s if began else 0.0,
    )


def paint(history: History) -> bytes:
    """One history as an SVG of a report's width, readable in colour and in grey; labels never overlap."""
    run = _run_of(history)
    labels = _labels(run)
    first_s, last_s = run.limits_s(labels)
    lanes, last_s = lanes_for(labels, first_s, last_s)
    figure, axes, under = _sheet(run.strips, max(lanes, default=-1) + 1)
    plots = [axes, *under.values()]
    for one in plots:
        one.set_xlim(first_s, last_s)
        one.grid(alpha=0.3)
        one.tick_params(labelbottom=one is plots[-1])
    _draw_backtest(axes, run)
    if "next" in under:
        _progress(under["next"], history.of("backend", run.following), run.zero_s, NEXT, "", "--", "^")
        under["next"].set_ylim(-8, 125)
        _title(under["next"], "progress of the new backtest, %")
    if "others" in under:
        _draw_others(under["others"], run)
    if "processor" in under:
        _processor(under["processor"], history, run.worker, run.zero_s)
        _title(under["processor"], f"processor time of {run.worker}, cores")
    _draw_labels(axes, labels, lanes)
    _draw_moments(plots, labels)
    _mark_what_is_wrong(axes, under, run, last_s)
    plots[-1].set_xlabel("seconds since the start of the backtest")
    _headline(figure, run)
    handles, names = axes.get_legend_handles_labels()
    if handles:
        once = dict(zip(names, handles, strict=True))
        figure.legend(
            once.values(), once.keys(), loc="lower center", fontsize=8.5, ncols=4, frameon=False, borderaxespad=0.2
        )
    return as_svg(figure)


def _sheet(strips: Sequence[str], lanes: int) -> tuple[Any, Any, dict[str, Any]]:
    """An empty figure, its plot with room for so many lines of labels above it, and the strips under it by name."""
    from matplotlib.figure import Figure

    above_in, below_in, strip_in, gap_in = 0.62 + LANE_IN * lanes, 0.78, 0.75, 0.16
    height_in = above_in + MAIN_IN + len(strips) * (strip_in + gap_in) + below_in
    figure = Figure(figsize=(WIDTH_IN, height_in))

    def place(top_in: float, high_in: float) -> Any:
        return figure.add_axes((0.07, 1 - (top_in + high_in) / height_in, 0.91, high_in / height_in))

    axes = place(above_in, MAIN_IN)
    tops_in = (above_in + MAIN_IN + gap_in + at * (strip_in + gap_in) for at in range(len(strips)))
    return figure, axes, {strip: place(top_in, strip_in) for strip, top_in in zip(strips, tops_in, strict=True)}


def _draw_backtest(axes: Any, run: _Run) -> None:
    """The progress of the backtest, in every view, and when it must not move."""
    history, backtest = run.history, run.backtest
    _frozen_window(axes, run)
    _progress(axes, history.of("backend", backtest), run.zero_s, LINE, "as KTRDR tells it", "-", "o")
    _progress(axes, history.of("worker", backtest), run.zero_s, GREY, "as its worker tells it", ":", "s")
    _limits_of_progress(axes, [s for s in history.samples if s.view in ("backend", "worker") and s.subject == backtest])
    if not history.of("backend", backtest):
        axes.text(0.5, 0.5, "no reading of the backtest was had", transform=axes.transAxes, ha="center", color=GREY)
    axes.set_ylabel("progress of the backtest, %")


def _draw_others(axes: Any, run: _Run) -> None:
    """A line for each of the backtests beside this one."""
    readings = [run.history.of("backend", one) for one in run.others]
    for of_one in readings:
        _progress(axes, of_one, run.zero_s, NEXT, "", "-", "", most=max(FEWEST_POINTS, MOST_POINTS // len(readings)))
    _limits_of_progress(axes, [s for of_one in readings for s in of_one], above=0.6)
    _title(axes, f"progress of {f'{len(readings)} other backtests' if len(readings) > 1 else 'the other backtest'}, %")


def _draw_moments(plots: Sequence[Any], labels: Sequence[Label]) -> None:
    """A line through all plots at each moment that is named."""
    for at, label in enumerate(labels):
        for one in plots:
            style: dict[str, Any] = (
                {"color": RED, "linewidth": 2.2} if label.wrong else {"color": GREY, "linewidth": 0.9}
            )
            one.axvline(label.at_s, **style, linestyle="-" if label.wrong else (0, (4, 3)), zorder=3 if at else 2)


def _headline(figure: Any, run: _Run) -> None:
    """The data on the first line; on the second what is wrong, or that nothing is."""
    about, wrong, height_in = run.history.about, run.wrong, figure.get_figheight()
    kind = "  (EMBEDDED STAND-IN, no real KTRDR)" if about.get("kind") == "embedded" else ""
    what = str(about.get("candidate", run.backtest)) or "no backtest"
    figure.text(0.07, 1 - 0.2 / height_in, what + kind, fontsize=11, va="center")
    if wrong:
        names = [_MISTAKES.get(j.name, j.name) for j in wrong]
        told = "BROKEN: " + ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    else:
        told = "No rule was seen broken."
    weight, color = ("bold", RED) if wrong else ("normal", "#000000")
    figure.text(0.07, 1 - 0.42 / height_in, told, fontsize=10, va="center", color=color, fontweight=weight)


def _labels(run: _Run) -> list[Label]:
    """The moments of a run, what is wrong among them, in the order of their times."""
    history, backtest, zero_s = run.history, run.backtest, run.zero_s
    moments = [
        Label(event.at_s - zero_s, words)
        for kind, subject, words in (
            ("start_answered", backtest, "started"),
            ("cancel_sent", backtest, "cancel sent"),
            ("cancel_answered", backtest, "answered"),
            ("cancel_lost", backtest, "no answer"),
            ("restart_begun", backtest, "restarted"),
            ("restarted", backtest, "restart done"),
            ("next_accepted", run.following, "new backtest started"),
            ("next_refused", "", "new backtest refused"),
        )
        if (event := history.event(kind, subject))
    ]
    if end := history.end_of(backtest):
        moments.append(Label(end.answered_s - zero_s, f'first "{end.status}"'))
    together: dict[float, list[str]] = {}
    for judgement in run.wrong:
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


def _draw_labels(axes: Any, labels: Sequence[Label], lanes: Sequence[int]) -> None:
    for label, lane in zip(labels, lanes, strict=True):
        color, weight = (RED, "bold") if label.wrong else ("#000000", "normal")
        at = 1 + (lane + 0.55) * LANE_IN / MAIN_IN
        axes.plot(
            [label.at_s] * 2,
            [1.0, at + 0.4 * LANE_IN / MAIN_IN],
            transform=axes.get_xaxis_transform(),
            color=RED if label.wrong else GREY,
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


def _mark_what_is_wrong(axes: Any, under: Mapping[str, Any], run: _Run, last_s: float) -> None:
    """A ring around the offending reading, and what must not be there hatched in the strip where it is seen."""
    for judgement in run.wrong:
        at_s = judgement.at_s
        if at_s is None:
            continue
        places = [(axes, run.backtest), *((under["others"], one) for one in run.others)]
        if judgement.name == "processor quiet" and "processor" in under:
            under["processor"].axvspan(
                at_s - run.zero_s, last_s, facecolor="none", edgecolor=RED, hatch="xx", alpha=0.5
            )
            continue
        if judgement.name in ("next runs", "next accepted"):
            places = [(under.get("next", axes), run.following)]
        for strip, subject in places:
            if sample := offending(run.history, subject, at_s):
                strip.plot(
                    [sample.answered_s - run.zero_s],
                    [sample.percentage or 0.0],
                    "o",
                    markersize=15,
                    markerfacecolor="none",
                    markeredgecolor=RED,
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


def _limits_of_progress(axes: Any, readings: Iterable[Sample], above: float = 0.12) -> None:
    known = [s.percentage for s in readings if s.percentage is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    span = max(high - low, 1.0)
    axes.set_ylim(low - 0.06 * span, low + span * (1 + above))


def _progress(
    axes: Any,
    readings: Sequence[Sample],
    zero_s: float,
    color: str,
    label: str,
    line: str,
    dot: str,
    most: int = MOST_POINTS,
) -> None:
    known = [s for s in readings if s.percentage is not None]
    if not known:
        return
    drawn = _telling(known, most)
    x, y = [s.answered_s - zero_s for s in drawn], [s.percentage for s in drawn]
    axes.step(x, y, line, where="post", color=color, label=label, linewidth=1.8)
    # Of hundreds of readings the dots would only make the line thicker, and the file bigger.
    if dot and len(x) <= 120:
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


def _telling(readings: Sequence[Sample], most: int) -> list[Sample]:
    """About ``most`` of the readings: without those that change nothing, then every so many-th."""
    last = len(readings) - 1
    if last < most:
        return list(readings)
    told = [
        s
        for i, s in enumerate(readings)
        if i in (0, last) or s.percentage != readings[i - 1].percentage or s.percentage != readings[i + 1].percentage
    ]
    every = -(-len(told) // most)
    return [*told[::every], told[-1]]


def _frozen_window(axes: Any, run: _Run) -> None:
    history, backtest, zero_s = run.history, run.backtest, run.zero_s
    end = history.end_of(backtest)
    if end is None or not history.event("cancel_sent", backtest):
        return
    window_s = run.found["frozen"].figures.get("frozen_s") or pace.frozen_window_s(
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
