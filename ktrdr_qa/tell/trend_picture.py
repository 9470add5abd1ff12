"""The picture of the trend over the last runs (see `trends`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ktrdr_qa.tell.drawing import GREY, LINE, NEXT, RED, WIDTH_IN, as_svg


def paint_trend(runs: Sequence[Mapping[str, Any]]) -> bytes:
    """Cancel latency and time to idle of the last runs on one target, oldest first, with the limits drawn in."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, 3.4))
    axes = figure.add_axes((0.07, 0.20, 0.91, 0.66))
    places = range(1, len(runs) + 1)
    seconds: list[float] = []
    for name, label, color, line, dot in (
        ("cancelled_s", "reported as cancelled after", LINE, "-", "o"),
        ("worker_idle_s", "worker idle after", NEXT, "--", "^"),
    ):
        known = [(at, float(run[name])) for at, run in zip(places, runs, strict=True) if run.get(name) is not None]
        if known:
            axes.plot(
                *zip(*known, strict=True), line, marker=dot, color=color, label=label, linewidth=1.6, markersize=5
            )
            seconds += [value for _, value in known]
    limits = [(at, float(r["cancel_limit_s"])) for at, r in zip(places, runs, strict=True) if r.get("cancel_limit_s")]
    if limits:
        axes.step(*zip(*limits, strict=True), where="mid", color=RED, linewidth=2, label="limit for cancelled")
        seconds += [value for _, value in limits]
    shapes = {"failed": ("x", RED, "failed run"), "inconclusive": ("d", GREY, "inconclusive run")}
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
    return as_svg(figure)


def _ticks(count: int) -> list[int]:
    every = max(1, (count + 9) // 10)
    return sorted({*range(count, 0, -every)})
