"""The picture of a run: progress, the worker's processor, and what happened when.

Drawn by Matplotlib in a process of its own, which is started with the run: its import, half a second and
70 MB, then costs neither time nor memory of the suite's own process while it records.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ktrdr_qa import judgements, verdict
from ktrdr_qa.history import History, Sample, from_json

DRAW_S = 30.0
_LINE, _NEXT, _RED, _GREY = "#0b5394", "#38761d", "#c00000", "#666666"


class Painter:
    """A process that waits to draw. ``draw`` may be called any number of times."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ktrdr_qa.picture"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def draw(self, history: History) -> bytes:
        """The history as SVG. Raises ``OSError`` with the reason where it could not be drawn."""
        process = self._process
        assert process.stdin and process.stdout and process.stderr
        text = history.to_json().encode()
        try:
            process.stdin.write(b"%d\n" % len(text) + text)
            process.stdin.flush()
            size = process.stdout.readline()
            if not size:
                raise OSError(process.stderr.read().decode(errors="replace").strip().splitlines()[-1:] or "it ended")
            return process.stdout.read(int(size))
        except ValueError as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()


def paint(history: History) -> bytes:
    """One history as an SVG of a report's width, readable in colour and in grey."""
    from matplotlib.figure import Figure

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
    figure = Figure(figsize=(10.0, 4.0 + 1.2 * len(strips)))
    # Fixed margins: a layout that Matplotlib works out itself takes several drawings.
    figure.subplots_adjust(left=0.09, right=0.98, top=0.80 if strips else 0.76, bottom=0.10, hspace=0.16)
    rows = figure.subplots(1 + len(strips), 1, sharex=True, squeeze=False, height_ratios=[3, *([1] * len(strips))])
    axes = rows[0][0]
    _frozen_window(axes, history, backtest, found, zero_s)
    _progress(axes, history.of("backend", backtest), zero_s, _LINE, "as KTRDR tells it", "-", "o")
    _progress(axes, history.of("worker", backtest), zero_s, _GREY, "as its worker tells it", ":", "s")
    _moments(axes, history, backtest, following, zero_s)
    broken = [found_one for found_one in found.values() if found_one.violated and found_one.at_s is not None]
    for at, judgement in enumerate(broken):
        where_s = (judgement.at_s or 0.0) - zero_s
        axes.axvline(where_s, color=_RED, linewidth=2.5)
        axes.annotate(
            f"BROKEN: {judgement.name}",
            (where_s, 0.62 - 0.12 * at),
            xycoords=("data", "axes fraction"),
            xytext=(5, 0),
            textcoords="offset points",
            color=_RED,
            fontsize=9,
            fontweight="bold",
        )
    top = max((s.percentage or 0 for s in history.samples if s.view != "list" and s.subject == backtest), default=0)
    axes.set_ylim(-0.06 * max(top, 1), max(top, 1) * 1.12)
    axes.set_ylabel("progress, %")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.42), fontsize=8, ncols=4, frameon=False)
    axes.grid(alpha=0.3)
    for at, strip in enumerate(strips, start=1):
        if strip == "next":
            _progress(rows[at][0], history.of("backend", following), zero_s, _NEXT, "", "--", "^")
            rows[at][0].set_ylabel("new\nbacktest, %", fontsize=8)
            rows[at][0].set_ylim(-8, 115)
        else:
            _processor(rows[at][0], history, worker, backtest, zero_s)
        rows[at][0].grid(alpha=0.3)
    rows[-1][0].set_xlabel("seconds since the start of the backtest")
    kind = "EMBEDDED STAND-IN, no real KTRDR: " if history.about.get("kind") == "embedded" else ""
    figure.suptitle(f"{kind}{history.about.get('candidate', backtest)}", fontsize=11, y=0.985)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _progress(
    axes: Any, readings: Sequence[Sample], zero_s: float, color: str, label: str, line: str, dot: str
) -> None:
    known = [s for s in readings if s.percentage is not None]
    if not known:
        return
    x, y = [s.answered_s - zero_s for s in known], [s.percentage for s in known]
    axes.step(x, y, line, where="post", color=color, label=label, linewidth=1.8)
    axes.plot(x, y, dot, color=color, markersize=2.5)
    end = next((s for s in known if s.terminal), None)
    if end:
        axes.plot(
            [end.answered_s - zero_s],
            [end.percentage],
            "X",
            color=color,
            markersize=10,
            label=f'first "{end.status}"' if label else "",
        )


def _moments(axes: Any, history: History, backtest: str, following: str, zero_s: float) -> None:
    end = next((s for s in history.of("backend", backtest) if s.terminal), None)
    moments = [
        (event.at_s, words)
        for kind, subject, words in (
            ("start_answered", backtest, "started"),
            ("cancel_sent", backtest, "cancel sent"),
            ("cancel_answered", backtest, "acknowledged"),
            ("next_accepted", following, "new backtest"),
            ("next_refused", "", "new backtest refused"),
        )
        if (event := history.event(kind, subject))
    ]
    if end:
        moments.append((end.answered_s, str(end.status)))
    moments.sort()
    span_s = max(history.until_s - zero_s, 1.0)
    level, before_s = 0, -span_s
    for at_s, words in moments:
        # Labels stand above the plot; those of moments close together one below the other.
        level = (level + 1) % 4 if at_s - before_s < span_s * 0.17 else 0
        before_s = at_s
        axes.axvline(at_s - zero_s, color=_GREY, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.annotate(
            f"{words} {at_s - zero_s:.2f} s",
            (at_s - zero_s, 1.22 - 0.065 * level),
            xycoords=("data", "axes fraction"),
            xytext=(2, 0),
            textcoords="offset points",
            fontsize=7.5,
            va="center",
        )
        axes.plot(
            [at_s - zero_s] * 2,
            [1.0, 1.25 - 0.065 * level],
            transform=axes.get_xaxis_transform(),
            color=_GREY,
            linewidth=0.7,
            clip_on=False,
        )


def _frozen_window(
    axes: Any, history: History, backtest: str, found: dict[str, judgements.Judgement], zero_s: float
) -> None:
    end = next((s for s in history.of("backend", backtest) if s.terminal), None)
    if end is None:
        return
    window_s = found["frozen"].figures.get("frozen_s") or judgements.frozen_window_s(
        history, backtest, verdict.LIMITS_S["frozen_s"]
    )
    until_s = end.answered_s - zero_s + window_s
    axes.axvspan(
        end.answered_s - zero_s,
        until_s,
        color="#9fc5e8",
        alpha=0.3,
        hatch="//",
        edgecolor="#ffffff",
        label="must not move: frozen window",
    )


def _processor(axes: Any, history: History, worker: str, backtest: str, zero_s: float) -> None:
    readings = [s for s in history.of("processor", worker) if s.cpu_s is not None]
    for a, b in pairwise(readings):
        span_s = b.answered_s - a.answered_s
        if span_s > 0.05:
            cores = max(0.0, ((b.cpu_s or 0) - (a.cpu_s or 0)) / span_s)
            axes.fill_between(
                [a.answered_s - zero_s, b.answered_s - zero_s], cores, color=_LINE, alpha=0.55, linewidth=0
            )
    sent = history.event("cancel_sent", backtest)
    if sent:
        axes.axvline(sent.at_s - zero_s, color=_GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_ylabel(f"processor of\n{worker}, cores", fontsize=8)
    axes.set_ylim(0, None)


def _serve() -> None:
    """Draw whatever comes in, until the other end closes."""
    from matplotlib import figure  # noqa: F401 - imported before there is anything to draw
    from matplotlib.backends import backend_svg  # noqa: F401

    while size := sys.stdin.buffer.readline():
        svg = paint(from_json(sys.stdin.buffer.read(int(size)).decode()))
        sys.stdout.buffer.write(b"%d\n" % len(svg) + svg)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
