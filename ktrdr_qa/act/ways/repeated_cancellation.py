"""A second cancel of a backtest that has ended."""

from __future__ import annotations

from ktrdr_qa.act.scene import Scene
from ktrdr_qa.platform.exchange import TransportError


def cancel_again(scene: Scene) -> None:
    """Cancel it once more; the answer is an event of its own."""
    try:
        answer = scene.client.delete(scene.path, purpose="second cancel", patiently=True, json_expected=False)
        words = ""
    except TransportError as error:
        answer, words = error.exchange, str(error).split(": ", 1)[-1]
    scene.evidence["second cancel"] = answer
    facts = {"http": answer.status, "words": words}
    scene.recorder.note("second_cancel_answered", scene.backtest, answer.answered_s, **facts)
