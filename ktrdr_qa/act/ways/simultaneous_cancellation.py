"""Several cancels of one backtest at the same moment, each with a reason of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ktrdr_qa.act.scene import Scene
from ktrdr_qa.judge.reading import ONE_OF_SEVERAL_ANSWERED
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange

Answered = tuple[Exchange, dict[str, Any]]
Ask = Callable[[Client, dict[str, Any]], Answered]


def send_together(scene: Scene, count: int, ask: Ask) -> Answered:
    """Send so many at once and note each answer; returns the one that acknowledges the cancel, else one that was lost.

    One that was turned down tells nothing as long as another, whose answer was lost, may have been acknowledged.
    It counts from when the first of them was sent: any of them may be the one that took effect.
    """
    together = threading.Barrier(count)

    def one(number: int) -> tuple[str, Answered]:
        reason = f"cancellation {number} of {count} at the same moment"
        client = scene.client.clone()
        together.wait(scene.target.limits.answer_s)
        try:
            return reason, ask(client, {"reason": reason})
        finally:
            client.close()

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(one, range(1, count + 1)))
    for number, (reason, (answer, facts)) in enumerate(answers, start=1):
        told: dict[str, Any] = {"words": facts.get("words") or facts.get("problem") or f"HTTP {answer.status}"}
        if facts.get("success") is False:
            told["success"] = False
        if answer.problem_kind == "timeout":
            told["timed_out"] = True
        scene.recorder.note(
            ONE_OF_SEVERAL_ANSWERED,
            scene.backtest,
            answer.answered_s,
            number=number,
            reason=reason,
            http=answer.status,
            **told,
        )
    answer, facts = min((given for _, given in answers), key=_how_little_it_tells)
    first_s = min(given.at_s for _, (given, _) in answers)
    return replace(answer, at_s=first_s, took_s=answer.answered_s - first_s), facts


def _how_little_it_tells(given: Answered) -> tuple[bool, bool, float]:
    answer, facts = given
    return answer.status != 200 or facts.get("success") is False, answer.status is not None, answer.answered_s
