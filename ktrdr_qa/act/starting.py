"""One request to start a backtest, and what it started: whatever the answer is, it is this run's to end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from honest_behave.outcomes import Inconclusive, PlatformNotReady
from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.failure import failure
from ktrdr_qa.act.others import Others
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.exchange import Exchange, NoAnswer, Refused, TransportError, UnexpectedAnswer

START = "/api/v1/backtests/start"
_OPERATION_ID = re.compile(r"op_backtesting_\w+")


def given_id(answer: Exchange) -> Any:
    """What an answer to a start gives as the new backtest's id."""
    return answer.find("$.operation_id", answer.find("$.data.operation_id"))


class Starting:
    """``before``, in its methods: the backtests that KTRDR listed before the start was sent."""

    def __init__(self, scene: Scene, others: Others):
        self._scene = scene
        self._others = others

    def begin(self, candidate: Candidate) -> None:
        """Start the experiment's backtest, and watch it from here on."""
        scene = self._scene
        before = self._others.active()
        sent_s = scene.recorder.clock()
        answer = self._ask(candidate, before)
        scene.backtest = self.new_id(answer, before, "the backtest")
        scene.evidence["start"] = answer
        scene.recorder.note("start_sent", scene.backtest, sent_s)
        scene.recorder.note("start_answered", scene.backtest, answer.answered_s, took_s=answer.took_s)
        scene.recorder.about.update(backtest=scene.backtest, candidate=str(candidate), payload=candidate.payload)
        scene.watch(scene.backtest)

    def begin_another(self, candidate: Candidate) -> str:
        """Start one more, which ends with the recording; its id."""
        before = self._others.active()
        return self.new_id(self._ask(candidate, before), before, "a further backtest")

    def _ask(self, candidate: Candidate, before: dict[str, str]) -> Exchange:
        """Send one start. What this run may have started is journalled whatever the answer is."""
        try:
            return self._scene.client.post(START, candidate.payload, purpose="start", patiently=True)
        except KeyboardInterrupt:
            self.adopt_the_new_one(candidate, before)
            raise
        except Refused as refused:
            curl = refused.exchange.curl
            if refused.status >= 500 and refused.status != 503:
                # A gateway may give up on a start that KTRDR carries out.
                self.adopt_the_new_one(candidate, before)
            if refused.status in (400, 401, 403, 404, 405, 422) or 300 <= refused.status < 400:
                raise Inconclusive(
                    f"KTRDR does not accept the request to start {candidate}: {refused}\n"
                    f"     try: the strategy and model under [backtests.{candidate.timeframe}] in the target file\n"
                    f"   again: {curl}"
                ) from refused
            if refused.status in (429, 502, 503, 504):
                raise PlatformNotReady(
                    f"no backtest can be started now: {refused}\n"
                    "    cure: wait until a worker is free, or: docker compose restart backtest-worker-1 "
                    f"backtest-worker-2\n   again: {curl}"
                ) from refused
            raise failure(f"the backtest {candidate} is started", str(refused), curl) from refused
        except (NoAnswer, UnexpectedAnswer) as error:
            self.adopt_what_may_have_started(candidate, error.exchange, before)
            raise Inconclusive(f"the start of {candidate} had no usable answer: {error}") from error

    def new_id(self, answer: Exchange, before: dict[str, str], who: str) -> str:
        """The id under which KTRDR says that it started a backtest; owned from here on."""
        expected = f"KTRDR says under which id it started {who}"
        given = given_id(answer)
        if answer.find("$.success") is False:
            words = answer.find("$.message") or answer.find("$.error") or "no reason given"
            if isinstance(given, str) and given not in before:
                self._scene.own(given)
            raise failure(f"{who} is started", f'HTTP {answer.status} with "success": false: {words}', answer.curl)
        if not isinstance(given, str) or not given:
            seen = f"the operation_id is {'null' if given is None else repr(given)}"
            if given is None and '"operation_id"' not in answer.answer_text:
                seen = "the answer has no operation_id"
            self.adopt_what_may_have_started(self._scene.used_now, answer, before)
            raise failure(expected, seen, answer.curl)
        if given in before or given in self._scene.mine:
            raise failure(expected, f"it is the id of an earlier backtest: {given}", answer.curl)
        self._scene.own(given)
        return given

    def adopt_what_may_have_started(self, candidate: Candidate, exchange: Exchange, before: dict[str, str]) -> str:
        """A start whose answer was lost may have worked: find the one new backtest that matches, so it is cancelled.

        Returns its id, or nothing where none or several match.
        """
        named = _OPERATION_ID.findall(exchange.answer_text)
        if named or exchange.problem_kind == "refused":
            return self._adopt(named, before)
        return self.adopt_the_new_one(candidate, before)

    def adopt_the_new_one(self, candidate: Candidate, before: dict[str, str]) -> str:
        """The one backtest in KTRDR's list that was not there before and is like the candidate."""
        new = [o for o in self._others.active() if o not in before and self._matches(o, candidate)]
        return self._adopt(new, before)

    def _adopt(self, named: Sequence[str], before: dict[str, str]) -> str:
        if len(named) == 1 and named[0] not in before:
            self._scene.own(named[0])
            return str(named[0])
        if named:
            told = f"One of these may be this run's and still be running: {', '.join(named)}"
            self._scene.observations.append(told)
        return ""

    def _matches(self, backtest: str, candidate: Candidate) -> bool:
        try:
            record = self._scene.client.get(f"{readings.OPERATIONS}/{backtest}", purpose="which is ours")
        except TransportError:
            return False
        return (
            record.find("$.data.metadata.symbol") == candidate.symbol
            and record.find("$.data.metadata.timeframe") == candidate.timeframe
            and str(record.find("$.data.metadata.start_date", "")).startswith(candidate.start)
            and str(record.find("$.data.metadata.end_date", "")).startswith(candidate.end)
            and record.find("$.data.metadata.parameters.strategy_name") == candidate.strategy
        )
