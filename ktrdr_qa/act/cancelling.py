"""The cancel: what is read right before it, the request and its answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ktrdr_qa.act.others import Others
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.act.watching import Watching
from ktrdr_qa.act.ways.simultaneous_cancellation import send_together
from ktrdr_qa.judge import pace, processor
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.reading import COVERED_GAP_S
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange, NoAnswer, Refused, TransportError
from ktrdr_qa.platform.statuses import TERMINAL, TURNED_DOWN
from ktrdr_qa.record.history import Sample
from ktrdr_qa.record.recorder import BACKTEST_INTERVAL_S

CONTRAST_S = 1.0
"""How long the cancel is put off at most until the processor shows that the backtest runs."""

_SAYS_IT_IS_OVER = re.compile(
    r"already|finished|ended|completed|failed|terminal|not (running|active)|cannot be cancel", re.I
)
"""A refusal of a cancel for the reason that there is nothing left to cancel."""


class Cancelling:
    """Cancels the experiment's backtest; whether that worked is read off the history."""

    def __init__(self, scene: Scene, watching: Watching, others: Others):
        self._scene = scene
        self._watching = watching
        self._others = others

    def get_ready(self) -> Judgement:
        """Have all witnesses look at a backtest that runs, and see what else runs, before it is cancelled."""
        self._watching.watch_worker()
        self._await_telling_processor()
        self._others.look()
        return Judgement("ready", "holds", "", "all witnesses look")

    def send(self, count: int = 1) -> Judgement:
        """Send the cancel of a backtest that runs, or several at the same moment."""
        send = self._send_once if count == 1 else lambda: self._take(*send_together(self._scene, count, self._ask))
        return self._send(send, patience_s=COVERED_GAP_S)

    def send_at_once(self) -> Judgement:
        """Send the cancel without waiting for anything."""
        return self._send(self._send_once, patience_s=0.0)

    def send_in_any_case(self, send: Callable[[], bool] | None = None) -> None:
        """Send the cancel of a backtest that may be ending; it may come too late."""
        for _ in range(2):
            if (send or self._send_once)():
                break

    def _send(self, send: Callable[[], bool], *, patience_s: float) -> Judgement:
        """After a lost answer the cancel is repeated once, which is safe."""
        if self._read_before_the_cancel(patience_s) in TERMINAL:
            self._await_end_of_record()
            return Judgement("cancel", "violated", "", "it had ended just before the cancel")
        self.send_in_any_case(send)
        self._scene.recorder.look_now("backend", "worker", "health", "processor", "registry")
        return Judgement("cancel", "holds", "", "the cancel was sent")

    def _read_before_the_cancel(self, patience_s: float) -> str:
        """The status in the last reading; for so long asked again where a replica that lags may have answered."""
        scene, backtest = self._scene, self._scene.backtest
        deadline_s = scene.recorder.clock() + patience_s
        while True:
            record = scene.evidence["Pre-cancel status and progress"] = scene.record()
            status = readings.word(record.find("$.data.status"))
            if status in TERMINAL:
                return status
            read = readings.of_record(record, backtest) if record.find("$.data.status") else None
            if read:
                scene.recorder.add([Sample("backend", asked_s=record.at_s, answered_s=record.answered_s, **vars(read))])
            if (read and read.status == "running" and read.percentage) or scene.recorder.clock() >= deadline_s:
                return status
            scene.pause(BACKTEST_INTERVAL_S)

    def _send_once(self) -> bool:
        """One cancel request, with the scene's body; False where its answer was lost."""
        return self._take(*self._ask(self._scene.client, self._scene.recorder.about.get("cancel_body")))

    def _ask(self, client: Client, body: dict[str, Any] | None) -> tuple[Exchange, dict[str, Any]]:
        """Send a cancel request, patient with a limit of requests; its exchange, and what that says."""
        limits = self._scene.target.limits
        limit_s = max(limits.answer_s, limits.acknowledged_s or 0.0) * limits.time_factor
        try:
            answer = client.delete(
                self._scene.path, purpose="cancel", patiently=True, timeout_s=limit_s, json_expected=False, body=body
            )
        except Refused as refused:
            return refused.exchange, {"words": refused.words}
        except NoAnswer as lost:
            return lost.exchange, {"problem": lost.exchange.problem}
        has_facts = isinstance(answer.answer, dict)
        return answer, readings.cancel_facts(answer) if has_facts else {"problem": _what_body(answer)}

    def _take(self, answer: Exchange, facts: dict[str, Any]) -> bool:
        """Note the answer to the cancel; False where it was lost.

        It counts as sent when the request was sent that is not asked to wait.
        """
        scene = self._scene
        sent = scene.recorder.note("cancel_sent", scene.backtest, answer.at_s)
        if answer.status in TURNED_DOWN and self._ended_by_itself(answer):
            scene.recorder.note("cancel_too_late", scene.backtest, http=answer.status)
            return True
        scene.evidence["Cancel response"] = answer
        if answer.problem_kind and answer.status != 200:
            scene.recorder.note("cancel_lost", scene.backtest, took_s=answer.took_s, **facts)
            scene.recorder.look_now("backend")
            return False
        facts = {"http": answer.status, "took_s": answer.took_s, "sent_s": sent.at_s, **facts}
        scene.recorder.note("cancel_answered", scene.backtest, answer.answered_s, **facts)
        return True

    def _ended_by_itself(self, answer: Exchange) -> bool:
        """Whether a cancel was turned down because the backtest had ended before it, by its words and by its own record."""
        record = self._scene.record()
        status = readings.word(record.find("$.data.status"))
        if status in ("completed", "failed") and _SAYS_IT_IS_OVER.search(str(answer.answer)):
            self._await_end_of_record()
            return True
        return False

    def _await_end_of_record(self) -> None:
        scene = self._scene
        scene.recorder.look_now("backend")
        scene.until(lambda h: h.end_of(scene.backtest) is not None, scene.slack_s)

    def _await_telling_processor(self) -> None:
        """Read the processor once more before the cancel, on a busy host for a moment longer: see ``tells_apart``."""
        scene, watching = self._scene, self._watching
        witness = watching.witness
        if not (witness and witness.processor):
            return
        deadline_s = scene.recorder.clock() + min(CONTRAST_S, self._to_spare_s())
        scene.read_fresh("processor", [watching.worker])
        while scene.recorder.clock() < deadline_s:
            if processor.tells_apart(scene.recorder.history(), watching.worker, scene.backtest):
                return
            scene.pause(CONTRAST_S / 5)
            scene.read_fresh("processor", [watching.worker])

    def _to_spare_s(self) -> float:
        """How long the running backtest can be kept waiting for its cancel, and still have enough left to run."""
        history = self._scene.recorder.history()
        left = pace.left_to_run(history, self._scene.backtest)
        needed_s = pace.needed_s(history, self._scene.backtest, self._scene.limits)
        return max(0.0, left.left_s - needed_s) if left else 0.0


def send_another(scene: Scene, client: Client, purpose: str, event: str, *, patiently: bool = False) -> None:
    """One more cancel, whatever comes of it; the answer is an event of its own."""
    sent_s = scene.recorder.clock()
    try:
        answer, words = client.delete(scene.path, purpose=purpose, patiently=patiently, json_expected=False), ""
    except TransportError as error:
        answer, words = error.exchange, error.words
    scene.evidence[purpose] = answer
    facts = {"http": answer.status, "words": words, "sent_s": sent_s}
    if status := answer.find("$.data.status"):
        facts["status"] = readings.word(status)
    scene.recorder.note(event, scene.backtest, answer.answered_s, **facts)


def _what_body(answer: Exchange) -> str:
    return "an empty body" if not answer.answer_text.strip() else "a body that is no JSON object"
