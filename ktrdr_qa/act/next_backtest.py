"""The next backtest: started at once after the cancel, by one request, to see that the platform is free for it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.choosing import MODEL_FORM, wrong_form
from ktrdr_qa.act.failure import KtrdrFailure
from ktrdr_qa.act.others import Others
from ktrdr_qa.act.places import Places
from ktrdr_qa.act.scene import FRESH_S, Scene
from ktrdr_qa.act.starting import START, Starting, given_id
from ktrdr_qa.judge import crashes, next_backtest, verdict
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.exchange import Exchange, Refused, TransportError
from ktrdr_qa.record.history import History

CAPACITY_PAUSE_S = 0.5
MEASURED_FEWEST_BARS = 51
"""What the measured KTRDR needs "for indicator warm-up" (contract, surprise 6)."""
AT_ONCE_S = 2.0
"""What fails so soon after it was begun has failed at once: for its data or its model."""
STILL_S = 2.0
"""How long KTRDR may take to say that it still answers, after it did not answer a start."""
_TOO_FEW_BARS = re.compile(r"insufficient data|too few bars|need at least \d+", re.IGNORECASE)
_NEED_AT_LEAST = re.compile(r"need at least (\d+)", re.IGNORECASE)


class NextBacktest:
    """Starts the next backtest, and notes whether and when it was accepted."""

    def __init__(self, scene: Scene, starting: Starting, others: Others, places: Places):
        self._scene = scene
        self._starting = starting
        self._others = others
        self._places = places

    def start(self, candidates: Sequence[Candidate]) -> None:
        """Start a new backtest at once, by one request; a refusal for want of a worker is timed, then judged.

        Only where nothing but candidates of this run that were passed over keep every other place, one of these is
        waited for first: here, so that the cancel is not kept waiting, and the cancelled one is watched meanwhile.
        A candidate with too few bars for this KTRDR's indicators (contract, surprise 6) is passed over.
        """
        self._places.await_one(self._scene.limits["place_free_s"])
        for at, candidate in enumerate(candidates):
            last = at == len(candidates) - 1
            fewest, says = self._fewest_bars(candidate)
            if not last and candidate.bars_about < fewest:
                self._scene.observations.append(
                    f"The new backtest {candidate} was passed over: it has about {candidate.bars_about:.0f} bars, "
                    f"and {says} {fewest}."
                )
                continue
            if not self._try(self._in_the_form_that_works(candidate)):
                return
            if last or not self._has_too_few_bars():
                return
            self._let_go()

    def _try(self, candidate: Candidate) -> bool:
        """Start one; where only its model path has the wrong form for this KTRDR, once more in the other form."""
        scene, used = self._scene, self._scene.used
        scene.next_used = candidate
        if not self._send(candidate):
            return False
        known = scene.model_form_known or (used and used.timeframe == candidate.timeframe)
        if known or not self._ended_at_once_for(MODEL_FORM):
            return True
        scene.model_form_known = True
        self._let_go()
        scene.next_used = candidate.in_the_other_form()
        scene.observations.append(wrong_form(candidate, scene.next_used))
        return self._send(scene.next_used)

    def _let_go(self) -> None:
        scene = self._scene
        scene.recorder.unwatch("backend", scene.next_backtest)
        scene.journal.ended(scene.next_backtest)
        self._places.await_one(scene.limits["place_free_s"])

    def _fewest_bars(self, candidate: Candidate) -> tuple[int, str]:
        """How many bars a new backtest needs, and who says so: a try that fails would hold a place for seconds."""
        scene, of_timeframe = self._scene, self._scene.target.backtests.get(candidate.timeframe)
        if of_timeframe and of_timeframe.fewest_bars:
            return of_timeframe.fewest_bars, "the target file says that this KTRDR needs"
        if scene.model_form_known and scene.used and not scene.used.names_a_file:
            return MEASURED_FEWEST_BARS, "a KTRDR that wants a model's directory, like this one, was measured to need"
        return 0, ""

    def _in_the_form_that_works(self, candidate: Candidate) -> Candidate:
        """The model path in the form in which the cancelled backtest's was accepted."""
        used = self._scene.used
        if used and candidate.timeframe == used.timeframe:
            return replace(candidate, model=used.model)
        if used and self._scene.model_form_known and candidate.names_a_file != used.names_a_file:
            return candidate.in_the_other_form()
        return candidate

    def _send(self, candidate: Candidate, *, repeat: bool = True) -> bool:
        """Send one start and write down what came of it; whether a backtest is being watched now.

        Where the answer was lost on the way, what it started is looked for, and else it is repeated once.
        """
        scene = self._scene
        before = self._others.active()
        sent = scene.recorder.note("next_sent")
        if down := self._is_down():
            scene.recorder.note("next_refused", words=down)
            self._see_the_outage_out()
            return False
        try:
            answer = scene.client.post(START, candidate.payload, purpose="start of the next", patiently=True)
        except KeyboardInterrupt:
            self._starting.adopt_the_new_one(candidate, before)
            raise
        except Refused as refused:
            scene.evidence["next"] = refused.exchange
            self._note_refusal(refused, candidate, sent.at_s)
            return False
        except TransportError as error:
            scene.evidence["next"] = error.exchange
            if self._answers_still():
                started = self._starting.adopt_what_may_have_started(candidate, error.exchange, before)
                if started:
                    scene.observations.append(f"The answer to the start of the new backtest was lost: {error}")
                    return self._watch(started, candidate, error.exchange)
                if repeat:
                    scene.observations.append(f"The start of the new backtest was repeated once: {error}")
                    return self._send(candidate, repeat=False)
            scene.recorder.note("next_refused", words=str(error), http=error.exchange.status)
            self._see_the_outage_out()
            return False
        scene.evidence["next"] = answer
        return self._take_up(answer, candidate, before)

    def _take_up(self, answer: Exchange, candidate: Candidate, before: dict[str, str]) -> bool:
        """Watch what KTRDR says that it started; an id that is nobody's, or another's, is as good as a refusal."""
        scene = self._scene
        if given_id(answer) == scene.backtest:
            scene.next_backtest = scene.backtest
            scene.recorder.note("next_accepted", scene.backtest, answer.answered_s, took_s=answer.took_s)
            return False
        try:
            started = self._starting.new_id(answer, before, "the new backtest")
        except KtrdrFailure as wrong:
            seen = str(wrong).split("but: ", 1)[-1].split("\n")[0]
            scene.recorder.note("next_refused", words=seen, http=answer.status)
            return False
        return self._watch(started, candidate, answer)

    def _watch(self, started: str, candidate: Candidate, answer: Exchange) -> bool:
        scene = self._scene
        scene.next_backtest = started
        scene.recorder.note("next_accepted", started, answer.answered_s, took_s=answer.took_s)
        told = {"next_backtest": started, "next_candidate": str(candidate), "next_payload": candidate.payload}
        scene.recorder.about.update(told)
        scene.watch(started, in_full=True)
        return True

    def _is_down(self) -> str:
        """That KTRDR does not answer any more, or nothing; its latest readings tell, which may be waited for a moment."""
        scene = self._scene

        def told(history: History) -> bool:
            return history.until_s - _last_answer_s(history) < FRESH_S or bool(scene.gone)

        scene.until(told, STILL_S)
        return scene.gone

    def _see_the_outage_out(self) -> None:
        """KTRDR answers nothing: whether it comes back, and after how long, is to be told with the start that it did not answer."""
        scene = self._scene
        since_s = scene.recorder.clock()

        def told(history: History) -> bool:
            return _last_answer_s(history) > since_s or crashes.stays_up(history, scene.backtest).violated

        scene.until(told, crashes.GIVE_UP_S + STILL_S)

    def _answers_still(self) -> bool:
        """Whether KTRDR itself still answers: then a lost answer was lost on the way."""
        try:
            self._scene.client.get("/api/v1/health", purpose="does it still answer", timeout_s=STILL_S)
        except TransportError:
            return False
        return True

    def _note_refusal(self, refused: Refused, candidate: Candidate, sent_s: float) -> None:
        facts: dict[str, Any] = {"http": refused.status, "words": refused.words}
        if refused.status == 503:
            told, held_before = self._how_long_refused(candidate, sent_s)
            facts["words"] += f"; {told}"
            facts |= {"held_before": True} if held_before else {}
        self._scene.recorder.note("next_refused", **facts)

    def _how_long_refused(self, candidate: Candidate, since_s: float) -> tuple[str, bool]:
        """After a 503: what the workers are counted as busy with, and how long it takes until a start is accepted.

        Also whether a place was only held by a backtest of this run that had ended before the cancel: that it takes a
        while is the registry's doing, and says nothing about the cancel.
        """
        scene = self._scene
        registered = self._places.registered(tries=3)
        held = [w for w in self._places.held_in_vain(registered) if w.get("current_operation_id") != scene.backtest]
        busy = [w["worker_id"] for w in registered if not readings.takes_work(w)]
        told = f"{len(busy)} of {len(registered)} workers counted as busy"
        told += "".join(
            f", {w['worker_id']} with the backtest just cancelled"
            for w in registered
            if w.get("current_operation_id") == scene.backtest
        )
        told += "".join(f", {w['worker_id']} with {w['current_operation_id']}, which had ended before" for w in held)
        if not registered:
            told = "the workers cannot be listed"
        accepted: list[float] = []
        asked_s = [0.0]

        def accepts(history: History) -> bool:
            if history.until_s - asked_s[0] >= CAPACITY_PAUSE_S:
                asked_s[0] = history.until_s
                try:
                    given = given_id(scene.client.post(START, candidate.payload, purpose="is it accepted now"))
                    if isinstance(given, str) and given not in scene.mine:
                        scene.own(given)
                        accepted.append(scene.recorder.clock() - since_s)
                except TransportError:
                    pass  # Still refused: that it lasts is what is being measured.
            return bool(accepted)

        watch_s = scene.target.limits.seconds("place_free_s", verdict.LIMITS_S["place_free_s"])
        scene.until(accepts, watch_s)
        if accepted:
            return f"{told}; a start was accepted only {accepted[0]:.1f} s later", bool(held)
        return f"{told}; still refused after {watch_s:.0f} s", False

    def _ended_at_once_for(self, words: re.Pattern[str]) -> str:
        """What was seen of a new backtest that failed at once for such a reason, no fault of the cancel; or nothing.

        One that is queued first has failed at once where it does so as soon as it is run.
        """
        scene = self._scene

        def has_begun(history: History) -> bool:
            return any(s.terminal or s.percentage for s in history.of("backend", scene.next_backtest))

        def is_queued(history: History) -> bool:
            return all(s.status == "pending" for s in history.of("backend", scene.next_backtest))

        scene.until(lambda h: has_begun(h) or not is_queued(h), scene.limits["new_backtest_s"])
        scene.until(has_begun, AT_ONCE_S)
        judgement = next_backtest.next_runs(
            scene.recorder.history(), scene.next_backtest, scene.limits["new_backtest_s"]
        )
        return judgement.seen if judgement.violated and words.search(judgement.seen) else ""

    def _has_too_few_bars(self) -> bool:
        """Whether the new backtest ended at once because its period has too few bars."""
        few, tried = self._ended_at_once_for(_TOO_FEW_BARS), self._scene.next_used
        if few and tried:
            passed_over = f"The new backtest {tried} was passed over: {few}"
            if least := _NEED_AT_LEAST.search(few):
                passed_over += (
                    f". Set fewest_bars = {least[1]} under [backtests.{tried.timeframe}] in the target file "
                    "to do so without trying."
                )
            self._scene.observations.append(passed_over)
        return bool(few)


def _last_answer_s(history: History) -> float:
    """When the backend last answered a reading; minus infinity where it never did."""
    return max((s.answered_s for s in history.samples if s.view == "backend" and not s.problem), default=-math.inf)
