"""A second cancel of a backtest that has ended."""

from __future__ import annotations

from ktrdr_qa.act.cancelling import send_another
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.judge.reading import SAME_MOMENT_S

LATER_S = 0.2
"""By so much more than two times may differ that are the same."""


def cancel_again(scene: Scene) -> None:
    """Cancel it once more, so long after its end that an end which is set anew is told."""
    end = scene.recorder.history().end_of(scene.backtest)
    scene.pause((end.answered_s if end else 0.0) + SAME_MOMENT_S + LATER_S - scene.recorder.clock())
    send_another(scene, scene.client, "second cancel", "second_cancel_answered", patiently=True)
