"""A second cancel of a backtest that has ended."""

from __future__ import annotations

from ktrdr_qa.act.cancelling import send_another
from ktrdr_qa.act.scene import Scene


def cancel_again(scene: Scene) -> None:
    send_another(scene, scene.client, "second cancel", "second_cancel_answered", patiently=True)
