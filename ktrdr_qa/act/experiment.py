"""One cancellation, from the start of a long backtest to the next one, recorded all the way.

The steps of a feature call its methods in the order of their sentences; each returns a judgement.
Where a backtest ends before it can be cancelled, the next candidate takes its place and the stages so far are
gone through again, so that every sentence before the cancel is true of the backtest that is cancelled.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from honest_behave.outcomes import Inconclusive, PlatformNotReady
from ktrdr_qa.act.journal import Journal
from ktrdr_qa.judge import afterwards, cancelling, following, outages, pace, processor, running, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.reading import COVERED_GAP_S, ended_before_cancel
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange, NoAnswer, Refused, TransportError, UnexpectedAnswer
from ktrdr_qa.platform.statuses import KNOWN, MISSING, TERMINAL
from ktrdr_qa.platform.witnesses import Witness
from ktrdr_qa.record.history import History, Sample, View
from ktrdr_qa.record.recorder import BACKTEST_INTERVAL_S, WITNESS_INTERVAL_S, Recorder
from ktrdr_qa.record.waiting import eventually, throughout
from ktrdr_qa.target.settings import Target

START = "/api/v1/backtests/start"
FRESH_S = 1.0
"""How long a reading that was asked for is waited for; one that does not come is a gap like any other."""
CAPACITY_PAUSE_S = 0.5
PLACES_PAUSE_S = 0.3
MEASURED_BARS_A_S = 1300.0
"""The pace of the measured KTRDR (contract, surprises 2 and 17): 0.4 s for two years of daily bars, 4 s for twenty."""
MEASURED_FEWEST_BARS = 51
"""What the measured KTRDR needs "for indicator warm-up" (contract, surprise 6)."""
CONTRAST_S = 1.0
"""How long the cancel is put off at most until the processor shows that the backtest runs."""
CLEAN_UP_S, CLEAN_UP_PAUSE_S = 2.0, 0.1
"""How long a backtest that the clean-up cancels may take to end, and how often that is looked at."""
MOVES_AND_LASTS = 2.0
"""A backtest has to last so many times what must be left to run: about half of a short one passes until it was seen to
move twice (contract, timelines: indicators first, then one change a second)."""
STILL_S = 2.0
"""How long KTRDR may take to say that it still answers, after it did not answer a start."""
MOST_OTHERS = 20
"""The records of so many backtests of others are read at the most, each time that they are looked at."""
GONE = "gone"
ACTIVE = KNOWN - TERMINAL
SLACK_S = 1.5
"""Beyond a limit and one answer's time limit, how long the reading that shows a violation may take to come."""
_OPERATION_ID = re.compile(r"op_backtesting_\w+")
_TIMEFRAME = re.compile(r"(\d+)([mhd])")
_MINUTES_A_DAY = 24 * 60
_MINUTES = {"m": 1, "h": 60, "d": _MINUTES_A_DAY}
_TOO_FEW_BARS = re.compile(r"insufficient data|too few bars|need at least \d+", re.IGNORECASE)
_NEED_AT_LEAST = re.compile(r"need at least (\d+)", re.IGNORECASE)
_MODEL_FORM = re.compile(r"metadata|model (file|dir|path)|not a directory|is a directory", re.IGNORECASE)


@dataclass(frozen=True)
class Candidate:
    """A backtest that could be used: one row of a step's table, with its strategy and model."""

    symbol: str
    timeframe: str
    start: str
    end: str
    strategy: str
    model: str

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe}, {self.start} to {self.end}"

    @property
    def payload(self) -> dict[str, str]:
        """The body of the start request, field for field the seed's."""
        return {
            "model_path": self.model,
            "strategy_name": self.strategy,
            "symbol": self.symbol,
            "timeframe": self.timeframe,
            "start_date": self.start,
            "end_date": self.end,
        }

    @property
    def bars_about(self) -> float:
        """About how many bars the period has: markets are open on weekdays. Infinite for an unknown timeframe."""
        named = _TIMEFRAME.fullmatch(self.timeframe)
        try:
            began, ended = date.fromisoformat(self.start), date.fromisoformat(self.end)
        except ValueError:
            return math.inf
        if not named or not int(named[1]):
            return math.inf
        weekdays = ((ended - began).days + 1) * 5 / 7
        return weekdays * _MINUTES_A_DAY / (int(named[1]) * _MINUTES[named[2]])

    @property
    def names_a_file(self) -> bool:
        """Whether its model is named by the file, as the seed does, and not by the directory."""
        return self.model.endswith(".pt")

    def in_the_other_form(self) -> Candidate:
        """The model named by its directory instead of its file, or the other way round (contract, surprise 1)."""
        file = "/model.pt"
        other = self.model.removesuffix(file) if self.model.endswith(file) else self.model.rstrip("/") + file
        return replace(self, model=other)


class KtrdrFailure(AssertionError):
    """KTRDR did something wrong in answer to one request: the text is a finished failure message."""


def failure(expected: str, seen: str, again: str = "") -> KtrdrFailure:
    return KtrdrFailure(f"Expected: {expected}\n     but: {seen}" + (f"\n   again: {again}" if again else ""))


class Experiment:
    """Starts, watches and cancels one backtest, then starts the next. ``close`` leaves nothing running.

    From its making on it watches the workers' processors, to know later what idle looked like.
    """

    def __init__(
        self,
        target: Target,
        client: Client,
        recorder: Recorder,
        journal: Journal,
        witnesses: dict[str, Witness],
        tick: Callable[[History], None] | None = None,
    ):
        self.target = target
        self.recorder = recorder
        self.witnesses = witnesses
        self.passed_over: list[tuple[Candidate, str]] = []
        self.used: Candidate | None = None
        self.next_used: Candidate | None = None
        self.backtest = ""
        self.next_backtest = ""
        self.observations: list[str] = []
        self.asserted: dict[str, tuple[Any, Any]] = {}
        """Of each judgement that a step asserted the scenario and the step: a violation that comes later is theirs."""
        self.failed: set[str] = set()
        """The judgements that have failed their step."""
        self.evidence: dict[str, Exchange] = {}
        self._client = client
        self._journal = journal
        self._tick = tick
        self._waiting: list[Candidate] = []
        self._model_form_known = False
        self._mine: list[str] = []
        self._seen_active: set[str] = set()
        self._pace: tuple[float, str] | None = None
        """Bars a second, and whose pace that is."""
        self._others_ended: set[str] = set()
        self._children: set[str] = set()
        self._unlisted: dict[str, dict[str, Any]] = {}
        self._called_there: dict[str, str] = {}
        self._addresses = {w.endpoint: w.worker for w in witnesses.values() if w.endpoint}
        self._ids: dict[str, str] = {}
        recorder.about["witnesses"] = {w.worker: w.processor_source for w in witnesses.values() if w.processor}
        self._watch_processors()

    def _registered(self, tries: int = 1) -> list[dict[str, Any]]:
        """The registered workers; nothing where the registry cannot be read. Remembers which address has which id."""
        try:
            return self._known(readings.workers(self._client, tries))
        except TransportError:
            return []

    def _known(self, registered: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A worker is its address: one that registers anew under another id is the same, unless two share an address."""
        addresses = [readings.endpoint(worker) or worker["worker_id"] for worker in registered]
        for worker, address in zip(registered, addresses, strict=True):
            own = worker["worker_id"]
            first = own if addresses.count(address) > 1 else self._addresses.setdefault(address, own)
            self._ids.setdefault(own, first)
        return registered

    def _watch_processors(self) -> None:
        """Every processor within reach: which worker runs the next candidate is not known before its start."""
        for witness in self.witnesses.values():
            if witness.processor:
                self.recorder.watch("processor", witness.worker, witness.processor, WITNESS_INTERVAL_S)

    # --- starting ------------------------------------------------------------------------------------------

    def start(self, candidates: Sequence[Candidate], unusable: dict[Candidate, str] | None = None) -> None:
        """Start the first candidate that can be used.

        Raises ``KtrdrFailure`` where KTRDR breaks its contract, ``Inconclusive`` where nothing is learnt.
        """
        for candidate in candidates:
            if reason := (unusable or {}).get(candidate):
                self.passed_over.append((candidate, reason))
            else:
                self._waiting.append(candidate)
        self._start_next_candidate()

    def _until(self, condition: Callable[[History], bool], at_most_s: float) -> None:
        """Wait for a condition that is no judgement of KTRDR; whether it came true is for others to judge."""
        told = {True: Judgement("", "holds", "", ""), False: Judgement("", "unknown", "", "")}
        eventually(self.recorder, lambda h: told[condition(h)], at_most_s, self._tick)

    def _await_idle_processors(self) -> None:
        watched = [w.worker for w in self.witnesses.values() if w.processor]
        if not watched:
            return

        def watched_s(history: History) -> float:
            read = [history.of("processor", w) for w in watched]
            return min(history.until_s - r[0].asked_s if r else 0.0 for r in read)

        self._until(lambda h: watched_s(h) > 0, processor.IDLE_SPAN_S)
        left_s = processor.IDLE_SPAN_S - watched_s(self.recorder.history())
        self._until(lambda h: False, max(0.0, left_s))
        self._read_fresh("processor", watched)

    def _start_next_candidate(self) -> None:
        if not self._waiting:
            told = "\n".join(f"          {c}: {reason}" for c, reason in self.passed_over)
            raise Inconclusive(
                "no backtest could be cancelled in time, so nothing was learnt about cancellation\n"
                f"     but: each candidate was passed over:\n{told}\n"
                "     try: a longer backtest in the feature's table, or, under [backtests] in the target file, "
                "a strategy and a model for a shorter timeframe"
            )
        self.used = self._waiting.pop(0)
        self._await_idle_processors()
        before = self._active()
        sent_s = self.recorder.clock()
        answer = self._ask_to_start(self.used, before)
        self.backtest = self._new_id(answer, before, "the backtest")
        self.evidence["start"] = answer
        self.recorder.note("start_sent", self.backtest, sent_s)
        self.recorder.note("start_answered", self.backtest, answer.answered_s, took_s=answer.took_s)
        self.recorder.about.update(backtest=self.backtest, candidate=str(self.used), payload=self.used.payload)
        self._watch_backtest(self.backtest)

    def _ask_to_start(self, candidate: Candidate, before: dict[str, str]) -> Exchange:
        """Send one start. What this run may have started is journalled whatever the answer is."""
        expected = f"the backtest {candidate} is started"
        try:
            return self._client.post(START, candidate.payload, purpose="start", patiently=True)
        except KeyboardInterrupt:
            self._adopt_the_new_one(candidate, before)
            raise
        except Refused as refused:
            curl = refused.exchange.curl
            if refused.status >= 500 and refused.status != 503:
                # A gateway may give up on a start that KTRDR carries out.
                self._adopt_the_new_one(candidate, before)
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
            raise failure(expected, str(refused), curl) from refused
        except (NoAnswer, UnexpectedAnswer) as error:
            self._adopt_what_may_have_started(candidate, error.exchange, before)
            raise Inconclusive(f"the start of {candidate} had no usable answer: {error}") from error

    def _adopt_what_may_have_started(self, candidate: Candidate, exchange: Exchange, before: dict[str, str]) -> str:
        """A start whose answer was lost may have worked: find the one new backtest that matches, so it is cancelled.

        Returns its id, or nothing where none or several match.
        """
        named = _OPERATION_ID.findall(exchange.answer_text)
        if named or exchange.problem_kind == "refused":
            return self._adopt(named, before)
        return self._adopt_the_new_one(candidate, before)

    def _adopt_the_new_one(self, candidate: Candidate, before: dict[str, str]) -> str:
        """The one backtest in KTRDR's list that was not there before and is like the candidate."""
        return self._adopt([o for o in self._active() if o not in before and self._matches(o, candidate)], before)

    def _adopt(self, named: Sequence[str], before: dict[str, str]) -> str:
        if len(named) == 1 and named[0] not in before:
            self._own(named[0])
            return str(named[0])
        if named:
            self.observations.append(f"One of these may be this run's and still be running: {', '.join(named)}")
        return ""

    def _matches(self, backtest: str, candidate: Candidate) -> bool:
        try:
            record = self._client.get(f"{readings.OPERATIONS}/{backtest}", purpose="which is ours")
        except TransportError:
            return False
        return (
            record.find("$.data.metadata.symbol") == candidate.symbol
            and record.find("$.data.metadata.timeframe") == candidate.timeframe
            and str(record.find("$.data.metadata.start_date", "")).startswith(candidate.start)
            and str(record.find("$.data.metadata.end_date", "")).startswith(candidate.end)
            and record.find("$.data.metadata.parameters.strategy_name") == candidate.strategy
        )

    def _active(self) -> dict[str, str]:
        """The backtests that KTRDR lists, with their statuses; empty where it has no list."""
        asked_s = self.recorder.clock()
        try:
            listed = list(readings.listed(self._client, self.backtest, self._seen_active))
        except TransportError:
            return {}
        answered_s = self.recorder.clock()
        telling = list(readings.worth_recording(listed, self.backtest, self._seen_active))
        self._seen_active |= {r.subject for r in telling if r.status not in {*TERMINAL, MISSING}}
        self.recorder.add(Sample("list", asked_s=asked_s, answered_s=answered_s, **vars(r)) for r in telling)
        return {r.subject: r.status or "" for r in listed if r.status != MISSING}

    def _look_at_others(self) -> None:
        """Read the list, and the records of others' backtests that may have ended or begun with the cancel."""
        asked_s = self.recorder.clock()
        listed = self._active()
        history = self.recorder.history()
        sent = history.event("cancel_sent", self.backtest)
        rows = [s for s in history.samples if s.view == "list" and s.status != MISSING]
        before = {s.subject for s in rows if sent and s.answered_s <= sent.at_s}
        new = {s.subject for s in rows if s.asked_s >= asked_s} - before if sent else set()
        telling = []
        for other in {*listed, *self._seen_active} - set(self._mine) - self._others_ended:
            active = listed.get(other, MISSING) in ACTIVE
            if not active and other in (self._seen_active | new):
                self._others_ended.add(other)
                telling.append(other)
            elif active and (not sent or other in (self._children | new)):
                telling.append(other)
        # What runs tells more than what is over.
        for other in sorted(telling, key=lambda one: (one in self._others_ended, one))[:MOST_OTHERS]:
            self._read_other(other)

    def _read_other(self, other: str) -> None:
        asked_s = self.recorder.clock()
        try:
            read = list(readings.backtest(self._client, other, in_full=True))
        except TransportError:
            return
        self._children |= {other for r in read if r.facts.get("parent") == self.backtest}
        self.recorder.add(Sample("other", asked_s=asked_s, answered_s=self.recorder.clock(), **vars(r)) for r in read)

    def _new_id(self, answer: Exchange, before: dict[str, str], who: str) -> str:
        """The id under which KTRDR says that it started a backtest; owned from here on."""
        expected = f"KTRDR says under which id it started {who}"
        given = answer.find("$.operation_id", answer.find("$.data.operation_id"))
        if answer.find("$.success") is False:
            words = answer.find("$.message") or answer.find("$.error") or "no reason given"
            if isinstance(given, str) and given not in before:
                self._own(given)
            raise failure(f"{who} is started", f'HTTP {answer.status} with "success": false: {words}', answer.curl)
        if not isinstance(given, str) or not given:
            seen = (
                "the answer has no operation_id"
                if given is None and '"operation_id"' not in answer.answer_text
                else (f"the operation_id is {'null' if given is None else repr(given)}")
            )
            self._adopt_what_may_have_started(self.used_now, answer, before)
            raise failure(expected, seen, answer.curl)
        if given in before or given in self._mine:
            raise failure(expected, f"it is the id of an earlier backtest: {given}", answer.curl)
        self._own(given)
        return given

    @property
    def used_now(self) -> Candidate:
        used = self.next_used or self.used
        assert used is not None
        return used

    def _own(self, backtest: str) -> None:
        self._mine.append(backtest)
        self._journal.started(backtest)

    def _watch_backtest(self, backtest: str, *, in_full: bool = False) -> None:
        client = self._client.clone()
        read = lambda: readings.backtest(client, backtest, in_full=in_full)  # noqa: E731
        self.recorder.watch("backend", backtest, read, BACKTEST_INTERVAL_S)

    # --- while it runs -------------------------------------------------------------------------------------

    def await_running(self, limit_s: float) -> Judgement:
        """It is running; a candidate that ended already is passed over."""
        self._running_limit_s = limit_s
        return self._go_through([self._running])

    def await_motion(self, limit_s: float) -> Judgement:
        """It is above 0 % and moving; a candidate that ended before that is passed over."""
        self._motion_limit_s = limit_s
        return self._go_through([self._running, self._moving])

    def cancel(self) -> None:
        """Cancel it while it runs; where it ended just before, the next candidate is brought here first."""
        judgement = self._go_through([self._running, self._moving, self._enough_left, self._send_cancel])
        if not judgement.holds:
            raise Inconclusive(f"there was nothing to cancel: {judgement.seen}")

    def cancel_at_once(self) -> None:
        """Cancel it without waiting for progress: what the start began must stop all the same (surprise 9)."""
        self.recorder.about["cancelled_at_once"] = True
        self._go_through([self._send_cancel_at_once])
        self._watch_worker()

    def _send_cancel_at_once(self) -> Judgement:
        return self._send_cancel(at_once=True)

    def cancel_again(self) -> None:
        """A second cancel of a backtest that has ended; its answer is an event of its own."""
        path = f"{readings.OPERATIONS}/{self.backtest}"
        try:
            answer = self._client.delete(path, purpose="second cancel", patiently=True, json_expected=False)
            words = ""
        except TransportError as error:
            answer, words = error.exchange, str(error).split(": ", 1)[-1]
        self.evidence["second cancel"] = answer
        self.recorder.note("second_cancel_answered", self.backtest, answer.answered_s, http=answer.status, words=words)

    def occupy_the_other_workers(self) -> None:
        """Start a backtest for every other registered worker that is free; they end with this recording."""
        self._await_a_place_held_in_vain(every=True)
        free = [w for w in readings.workers(self._client) if readings.takes_work(w)]
        others = [w for w in free if w.get("current_operation_id") != self.backtest]
        candidate = self.used_now
        for _ in others:
            before = self._active()
            self._new_id(self._ask_to_start(candidate, before), before, "a further backtest")

    _running_limit_s = 10.0
    _motion_limit_s = 30.0

    def _running(self) -> Judgement:
        limit_s = self._running_limit_s
        return self._unless_ended(lambda h: running.is_running(h, self.backtest, limit_s), limit_s)

    def _moving(self) -> Judgement:
        self._watch_worker()
        limit_s = self._motion_limit_s
        judge = lambda h: running.is_moving(h, self.backtest, limit_s)  # noqa: E731
        return self._unless_ended(judge, limit_s, slack_s=self._slack_s + 1.5 * limit_s)

    def _enough_left(self) -> Judgement:
        """Enough is left to run that an ignored cancel would be seen; else the next candidate, while there is one.

        The last candidate is cancelled all the same: what it cannot show is then not known, and the rest is.
        """
        limits, updates = self._limits(), self.recorder.about.get("updates", verdict.UPDATES_MISSED)
        judge = lambda h: pace.enough_was_left(h, self.backtest, limits, updates)  # noqa: E731
        judgement = self._unless_ended(judge, pace.PACE_SPAN_S, slack_s=0.0)
        if not judgement.unknown or "left_s" not in judgement.figures:
            return judgement
        if self._waiting:
            self._too_little_left = f"{judgement.seen}, and {judgement.figures['needed_s']:.1f} s are needed"
            return judgement
        self.observations.append(f"No backtest of the table lasts long enough: {judgement.seen}; {judgement.expected}.")
        return Judgement("enough left", "holds", judgement.expected, judgement.seen)

    _too_little_left = ""

    def _limits(self) -> dict[str, float]:
        """The limits in force, in seconds: a sentence that differs from the usual one counts from its step on."""
        return verdict.limits_of(self.recorder.history())

    def _unless_ended(
        self, judge: Callable[[History], Judgement], limit_s: float, slack_s: float | None = None
    ) -> Judgement:
        def ended_or(history: History) -> Judgement:
            if ended := ended_before_cancel(history, self.backtest):
                return Judgement("ended", "violated", "", f'it was "{ended.status}"', ended.answered_s)
            if gone := outages.who_is_gone(history, self.backtest, self.worker):
                return Judgement(GONE, "violated", "", gone)
            return judge(history)

        slack_s = self._slack_s if slack_s is None else slack_s
        return eventually(self.recorder, ended_or, limit_s + slack_s, self._tick)

    @property
    def _slack_s(self) -> float:
        return self.target.limits.answer_s + SLACK_S

    def _go_through(self, stages: Sequence[Callable[[], Judgement]]) -> Judgement:
        """Go through the stages with the first candidate that lasts long enough for all of them."""
        while True:
            for stage in stages:
                judgement = stage()
                if reason := self._ended_too_soon():
                    self._pass_over(reason)
                    break
                if judgement.name == GONE:
                    raise Inconclusive(f"{judgement.seen}; nothing was learnt about cancellation")
                if not judgement.holds:
                    return judgement
            else:
                return judgement

    def _ended_too_soon(self) -> str:
        history = self.recorder.history()
        if too_little := self._too_little_left:
            self._too_little_left = ""
            self._end_what_is_passed_over()
            return f"too little was left to run to tell an ignored cancel: {too_little}"
        too_late = history.event("cancel_too_late", self.backtest)
        ended = ended_before_cancel(history, self.backtest)
        if not ended and too_late:
            ended = next((s for s in history.of("backend", self.backtest) if s.terminal), None)
        if not ended:
            return ""
        lasted_s = ended.answered_s - (e.at_s if (e := history.event("start_sent", self.backtest)) else 0.0)
        if ended.status == "completed":
            self._note_pace(pace.lasted_s(ended) or lasted_s)
            return f"completed within {lasted_s:.1f} s, before it could be cancelled"
        words = ended.facts.get("error_message") or "no reason given"
        return f'"{ended.status}" after {lasted_s:.1f} s, before it was cancelled: {words}'

    def _end_what_is_passed_over(self) -> None:
        """Cancel a candidate that is still running; how long it would have lasted tells about the longer ones."""
        history = self.recorder.history()
        started, left = history.event("start_sent", self.backtest), pace.left_to_run(history, self.backtest)
        if started and left:
            self._note_pace(history.until_s - started.at_s + left.left_s)
        self._end(self.backtest)

    def _note_pace(self, lasts_s: float) -> None:
        if self.used and 0 < self.used.bars_about < math.inf and lasts_s > 0:
            self._pace = self.used.bars_about / lasts_s, "the one before"

    def _skip_what_is_too_short(self) -> None:
        """Pass over, untried, what would end too soon at the pace seen so far, while a longer one is left to try."""
        need_s = pace.needed_s(self.recorder.history(), self.backtest, self._limits())
        while self._pace and len(self._waiting) > 1:
            would_last_s = self._waiting[0].bars_about / self._pace[0]
            if would_last_s >= MOVES_AND_LASTS * need_s or self._waiting[0].bars_about >= max(
                c.bars_about for c in self._waiting[1:]
            ):
                return
            reason = f"not tried: at the pace of {self._pace[1]} it would last about {would_last_s:.1f} s"
            reason += f", and {need_s:.1f} s must be left to run once it was seen to move"
            self.passed_over.append((self._waiting.pop(0), reason))

    def _pass_over(self, reason: str) -> None:
        assert self.used is not None
        used, words = self.used, reason
        self._journal.ended(self.backtest)
        for view in ("backend", "worker"):
            self.recorder.unwatch(view, self.backtest)
        self._watch_processors()
        if '"failed"' in words and _MODEL_FORM.search(words) and not self._model_form_known:
            # Each form is tried once only: a model in neither is missing.
            self._model_form_known = True
            other = used.in_the_other_form()
            if used.names_a_file:
                self._pace = MEASURED_BARS_A_S, "a measured KTRDR that wants a model's directory, like this one,"
            self.passed_over.append((used, f"{reason} (its model path was {used.model})"))
            self._waiting = [
                other,
                *(replace(c, model=c.in_the_other_form().model) if c.model == used.model else c for c in self._waiting),
            ]
            self.observations.append(_wrong_form(used, other))
        else:
            self.passed_over.append((used, reason))
        self._skip_what_is_too_short()
        self._await_a_place_held_in_vain()
        self._start_next_candidate()

    def _held_in_vain(self, registered: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The workers that the registry counts as busy with a backtest of this run that has ended."""
        ended = set(self._journal.ended_ones)
        return [w for w in registered if w.get("current_operation_id") in ended]

    def _await_a_place_held_in_vain(self, at_most_s: float | None = None, *, every: bool = False) -> None:
        """Where no place is free but some are held by backtests of this run that have ended, wait for one of these.

        The registry frees a place up to 9 s late (contract, surprises 5 and 10). A start that is refused because of
        a candidate that was passed over would say nothing about the cancel. ``every``: wait for all of them.
        ``at_most_s``: where a start that is refused will be judged anyway; else a place that is still held at the limit
        is KTRDR's failure.
        """
        if not self._journal.ended_ones:
            return
        began_s = self.recorder.clock()
        looked_s = [began_s - PLACES_PAUSE_S]
        held: list[Mapping[str, Any]] = []

        def can_start(history: History) -> Judgement:
            if history.until_s - looked_s[0] < PLACES_PAUSE_S:
                return Judgement("place", "unknown", "", "")
            looked_s[0] = history.until_s
            registered = self._registered(tries=3)
            held[:] = self._held_in_vain(registered)
            free = any(readings.takes_work(w) for w in registered)
            return Judgement("place", "unknown" if held and (every or not free) else "holds", "", "")

        limit_s = self._limits()["place_free_s"]
        judgement = eventually(self.recorder, can_start, limit_s if at_most_s is None else at_most_s, self._tick)
        waited_s = self.recorder.clock() - began_s
        if judgement.unknown and held and at_most_s is None:
            told = ", ".join(f"{w['worker_id']} {w.get('status')} with {w['current_operation_id']}" for w in held)
            raise failure(
                f"KTRDR gives a place back within {limit_s:.1f} s of the end of the backtest that had it",
                f"after {waited_s:.1f} s it still counts {told}: backtests of this run that have ended",
                f"curl -s {self._client.base_url}{readings.WORKERS}",
            )
        if waited_s > 2 * PLACES_PAUSE_S:
            self.observations.append(
                f"Waited {waited_s:.1f} s, before asking for another backtest, until the registry freed the place of one "
                "of this run that had ended before."
            )

    # --- the worker that runs it ---------------------------------------------------------------------------

    @property
    def worker(self) -> str:
        """The id of the worker that ran the backtest, or nothing where KTRDR does not say."""
        samples = self.recorder.history().of("backend", self.backtest)
        named = next((s.facts["worker"] for s in reversed(samples) if s.facts.get("worker")), None)
        worker = str(named or self._worker_in_registry)
        return self._ids.get(worker, worker)

    _worker_in_registry = ""

    @property
    def witness(self) -> Witness | None:
        """The worker that ran the backtest, as far as it can be reached."""
        return self.witnesses.get(self.worker)

    @property
    def called_there(self) -> str:
        """The id under which the worker knows the backtest."""
        return self._called_there.get(self.backtest, self.backtest)

    def _watch_worker(self) -> None:
        """From here on also watch the worker that runs the backtest, as far as it can be reached."""
        registered = self._registered()
        if not self.worker:
            self._worker_in_registry = next(
                (w["worker_id"] for w in registered if w.get("current_operation_id") == self.backtest), ""
            )
        worker, backtest = self.worker, self.backtest
        if not worker:
            return
        for other in self.witnesses:
            if other != worker:
                self.recorder.unwatch("processor", other)
        self.recorder.look_now("processor")
        asked = self._client.clone()
        self.recorder.watch(
            "registry",
            "",
            lambda: readings.registry(self._known(readings.workers(asked, tries=1)), self._ids),
            WITNESS_INTERVAL_S,
        )
        witness = self.witnesses.get(worker)
        if witness and witness.address:
            trusted = witness.address in self.target.workers.values()
            view, speaker = (self._client.clone(witness.address, trusted=trusted) for _ in range(2))
            self.recorder.watch("worker", backtest, lambda: self._read_view(view, worker, backtest), WITNESS_INTERVAL_S)
            self.recorder.watch("health", worker, lambda: self._read_health(speaker, worker), WITNESS_INTERVAL_S)

    def _read_view(self, view: Client, worker: str, backtest: str) -> Iterator[readings.Reading]:
        """The worker's own record, under the id that it calls the backtest by."""
        own = self._called_there.get(backtest, backtest)
        for reading in readings.backtest(view, own):
            yield replace(reading, subject=backtest)

    def _read_health(self, speaker: Client, worker: str) -> Iterator[readings.Reading]:
        """What the worker says that it is busy with, and of an id that the backend does not have since when it is."""
        for reading in readings.health(speaker, worker):
            has = reading.facts.get("current_operation")
            told = self._about(has, speaker) if isinstance(has, str) and has not in self._mine else {}
            yield replace(reading, facts={**reading.facts, **told})

    def _about(self, operation: str, speaker: Client) -> dict[str, Any]:
        """Of an operation that a worker names: nothing where the backend has it; else that it has not, and its beginning."""
        if operation in self._unlisted:
            return self._unlisted[operation]
        facts: dict[str, Any] = {}
        try:
            if next(readings.backtest(self._client.clone(), operation)).status == MISSING:
                own = next(readings.backtest(speaker, operation))
                began = own.facts.get("started_at") or own.facts.get("created_at")
                facts = {"unlisted": True, **({"began_at": began} if began else {})}
                if not self.recorder.history().event("cancel_sent", self.backtest):
                    self._called_there.setdefault(self.backtest, operation)
        except TransportError:
            return {}
        self._unlisted[operation] = facts
        return facts

    # --- the cancel ----------------------------------------------------------------------------------------

    def _send_cancel(self, *, at_once: bool = False) -> Judgement:
        """Send the cancel; after a lost answer read the state and repeat once, which is safe."""
        if not at_once:
            self._watch_worker()
            self._await_telling_processor()
        self.evidence["Pre-cancel status and progress"] = self._record(self.backtest)
        if readings.word(self.evidence["Pre-cancel status and progress"].find("$.data.status")) in TERMINAL:
            self._await_end_of_record()
            return Judgement("cancel", "violated", "", "it had ended just before the cancel")
        if not at_once:
            self._look_at_others()
        for _ in range(2):
            if self._cancel_once():
                break
        self.recorder.look_now("worker", "health", "processor", "registry")
        return Judgement("cancel", "holds", "", "the cancel was sent")

    def _to_spare_s(self) -> float:
        """How long the running backtest can be kept waiting for its cancel, and still have enough left to run."""
        history, limits = self.recorder.history(), self._limits()
        left = pace.left_to_run(history, self.backtest)
        return max(0.0, left.left_s - pace.needed_s(history, self.backtest, limits)) if left else 0.0

    def _await_telling_processor(self) -> None:
        """Read the processor once more before the cancel, on a busy host for a moment longer: see ``tells_apart``."""
        witness = self.witnesses.get(self.worker)
        if not (witness and witness.processor):
            return
        deadline_s = self.recorder.clock() + min(CONTRAST_S, self._to_spare_s())
        self._read_fresh("processor", [self.worker])
        while self.recorder.clock() < deadline_s:
            if processor.tells_apart(self.recorder.history(), self.worker, self.backtest):
                return
            self._until(lambda h: False, CONTRAST_S / 5)
            self._read_fresh("processor", [self.worker])

    def _cancel_once(self) -> bool:
        """One cancel request, patient with a limit of requests; False where its answer was lost.

        It counts as sent when the request was sent that is not asked to wait.
        """
        limit_s = max(self.target.limits.answer_s, self.target.limits.acknowledged_s or 0.0)
        limit_s *= self.target.limits.time_factor
        path = f"{readings.OPERATIONS}/{self.backtest}"
        facts: dict[str, Any]
        try:
            answer = self._client.delete(path, purpose="cancel", patiently=True, timeout_s=limit_s, json_expected=False)
            facts = (
                readings.cancel_facts(answer) if isinstance(answer.answer, dict) else {"problem": _what_body(answer)}
            )
        except Refused as refused:
            answer, facts = refused.exchange, {"words": str(refused).split(": ", 1)[-1]}
        except NoAnswer as lost:
            answer, facts = lost.exchange, {"problem": lost.exchange.problem}
        sent = self.recorder.note("cancel_sent", self.backtest, answer.at_s)
        if answer.status == 400 and self._ended_by_itself(answer):
            self.recorder.note("cancel_too_late", self.backtest)
            return True
        self.evidence["Cancel response"] = answer
        if answer.problem_kind and answer.status != 200:
            self.recorder.note("cancel_lost", self.backtest, took_s=answer.took_s, **facts)
            self.recorder.look_now("backend")
            return False
        facts = {"http": answer.status, "took_s": answer.took_s, "sent_s": sent.at_s, **facts}
        self.recorder.note("cancel_answered", self.backtest, answer.answered_s, **facts)
        return True

    def _ended_by_itself(self, answer: Exchange) -> bool:
        """Whether an HTTP 400 means that the backtest had ended before the cancel, by its own record."""
        record = self._record(self.backtest)
        words = str(answer.answer).lower()
        status = readings.word(record.find("$.data.status"))
        if status in ("completed", "failed") and (status in words or "cannot be cancelled" in words):
            self._await_end_of_record()
            return True
        return False

    def _await_end_of_record(self) -> None:
        self.recorder.look_now("backend")
        self._until(lambda h: any(s.terminal for s in h.of("backend", self.backtest)), self._slack_s)

    def _record(self, backtest: str) -> Exchange:
        """The backtest's record as it is now, as evidence; a refusal is evidence as well."""
        try:
            return self._client.get(f"{readings.OPERATIONS}/{backtest}", purpose="evidence")
        except TransportError as error:
            return error.exchange

    def _read_fresh(self, view: View, subjects: Sequence[str]) -> None:
        """Let these be read at once, and wait for it, though not for long."""
        asked_s = self.recorder.clock()
        self.recorder.look_now(view)

        def read(history: History) -> bool:
            fresh = {s.subject for s in history.samples if s.view == view and s.asked_s >= asked_s}
            return fresh.issuperset(subjects)

        self._until(read, FRESH_S)

    # --- afterwards ----------------------------------------------------------------------------------------

    def judge_acknowledged(self, limit_s: float) -> Judgement:
        return cancelling.is_acknowledged(self.recorder.history(), self.backtest, limit_s)

    def await_cancelled(self, limit_s: float) -> Judgement:
        """It is cancelled. One that completed as the cancel reached it is passed over, while there is another."""
        judge = lambda h: cancelling.is_cancelled(h, self.backtest, limit_s)  # noqa: E731
        while True:
            judgement = self._await_after_the_cancel(judge, limit_s)
            if not (judgement.unknown and self._completed() and self._waiting):
                break
            self._pass_over(judgement.seen)
            self.cancel()
            acknowledged = self.judge_acknowledged(self._limits()["acknowledged_s"])
            if not acknowledged.holds:
                return acknowledged
        if judgement.name == "stays up":
            return judgement
        self.evidence["Post-cancel status"] = self._record(self.backtest)
        self._look_at_others()
        if judgement.violated and judgement.name == "cancelled":
            self._see_what_becomes_of_it()
        return judgement

    def _completed(self) -> bool:
        return any(s.status == "completed" for s in self.recorder.history().of("backend", self.backtest))

    def _await_after_the_cancel(self, judge: Callable[[History], Judgement], limit_s: float) -> Judgement:
        """Wait for a judgement; a platform that falls over meanwhile is what is judged then."""

        def judged(history: History) -> Judgement:
            judgement = judge(history)
            up = outages.stays_up(history, self.backtest)
            return up if judgement.unknown and up.violated else judgement

        # Whether an outage heals is seen within its own time, which is a little longer than the sentence's.
        return eventually(self.recorder, judged, max(limit_s + self._slack_s, outages.GIVE_UP_S + SLACK_S), self._tick)

    def _see_what_becomes_of_it(self) -> None:
        """After a violated limit, only to say whether the cancel came late or not at all."""
        eventually(
            self.recorder, lambda h: cancelling.what_became_of_it(h, self.backtest), cancelling.LATE_WATCH_S, self._tick
        )

    def start_the_next(self, candidates: Sequence[Candidate]) -> None:
        """Start a new backtest at once, by one request; a refusal for want of a worker is timed, then judged.

        Only where nothing but candidates of this run that were passed over keep every other place, one of these is
        waited for first: here, so that the cancel is not kept waiting, and the cancelled one is watched meanwhile.
        A candidate with too few bars for this KTRDR's indicators (contract, surprise 6) is passed over.
        """
        self._await_a_place_held_in_vain(self._limits()["place_free_s"])
        for at, candidate in enumerate(candidates):
            last = at == len(candidates) - 1
            fewest, says = self._fewest_bars(candidate)
            if not last and candidate.bars_about < fewest:
                self.observations.append(
                    f"The new backtest {candidate} was passed over: it has about {candidate.bars_about:.0f} bars, "
                    f"and {says} {fewest}."
                )
                continue
            if not self._try_next(self._in_the_form_that_works(candidate)):
                return
            if last or not self._has_too_few_bars():
                return
            self._let_go_of_the_next()

    def _try_next(self, candidate: Candidate) -> bool:
        """Start one; where only its model path has the wrong form for this KTRDR, once more in the other form."""
        self.next_used = candidate
        if not self._start_next(candidate):
            return False
        known = self._model_form_known or (self.used and self.used.timeframe == candidate.timeframe)
        if known or not self._ended_at_once_for(_MODEL_FORM):
            return True
        self._model_form_known = True
        self._let_go_of_the_next()
        self.next_used = candidate.in_the_other_form()
        self.observations.append(_wrong_form(candidate, self.next_used))
        return self._start_next(self.next_used)

    def _let_go_of_the_next(self) -> None:
        self.recorder.unwatch("backend", self.next_backtest)
        self._journal.ended(self.next_backtest)
        self._await_a_place_held_in_vain(self._limits()["place_free_s"])

    def _fewest_bars(self, candidate: Candidate) -> tuple[int, str]:
        """How many bars a new backtest needs, and who says so: a try that fails would hold a place for seconds."""
        of_timeframe = self.target.backtests.get(candidate.timeframe)
        if of_timeframe and of_timeframe.fewest_bars:
            return of_timeframe.fewest_bars, "the target file says that this KTRDR needs"
        if self._model_form_known and self.used and not self.used.model.endswith(".pt"):
            return MEASURED_FEWEST_BARS, "a KTRDR that wants a model's directory, like this one, was measured to need"
        return 0, ""

    def _in_the_form_that_works(self, candidate: Candidate) -> Candidate:
        """The model path in the form in which the cancelled backtest's was accepted."""
        used = self.used
        if used and candidate.timeframe == used.timeframe:
            return replace(candidate, model=used.model)
        if used and self._model_form_known and candidate.names_a_file != used.names_a_file:
            return candidate.in_the_other_form()
        return candidate

    def _start_next(self, candidate: Candidate, *, repeat: bool = True) -> bool:
        """Send one start and write down what came of it; whether a backtest is being watched now.

        Where the answer was lost on the way, what it started is looked for, and else it is repeated once.
        """
        before = self._active()
        sent = self.recorder.note("next_sent")
        if down := self._is_down():
            self.recorder.note("next_refused", words=down)
            return False
        try:
            answer = self._client.post(START, candidate.payload, purpose="start of the next", patiently=True)
        except KeyboardInterrupt:
            self._adopt_the_new_one(candidate, before)
            raise
        except Refused as refused:
            self.evidence["next"] = refused.exchange
            facts: dict[str, Any] = {"http": refused.status, "words": str(refused).split(": ", 1)[-1]}
            if refused.status == 503:
                told, held_before = self._how_long_refused(candidate, sent.at_s)
                facts["words"] += f"; {told}"
                facts |= {"held_before": True} if held_before else {}
            self.recorder.note("next_refused", **facts)
            return False
        except TransportError as error:
            self.evidence["next"] = error.exchange
            if not self._answers_still():
                self.recorder.note("next_refused", words=str(error), http=error.exchange.status)
                return False
            started = self._adopt_what_may_have_started(candidate, error.exchange, before)
            if started:
                self.observations.append(f"The answer to the start of the new backtest was lost: {error}")
                return self._watch_next(started, candidate, error.exchange)
            if repeat:
                self.observations.append(f"The start of the new backtest was repeated once: {error}")
                return self._start_next(candidate, repeat=False)
            self.recorder.note("next_refused", words=str(error), http=error.exchange.status)
            return False
        self.evidence["next"] = answer
        given = answer.find("$.operation_id", answer.find("$.data.operation_id"))
        if given == self.backtest:
            self.next_backtest = self.backtest
            self.recorder.note("next_accepted", self.backtest, answer.answered_s, took_s=answer.took_s)
            return False
        try:
            started = self._new_id(answer, before, "the new backtest")
        except KtrdrFailure as wrong:
            seen = str(wrong).split("but: ", 1)[-1].split("\n")[0]
            self.recorder.note("next_refused", words=seen, http=answer.status)
            return False
        return self._watch_next(started, candidate, answer)

    def _watch_next(self, started: str, candidate: Candidate, answer: Exchange) -> bool:
        self.next_backtest = started
        self.recorder.note("next_accepted", started, answer.answered_s, took_s=answer.took_s)
        self.recorder.about.update(next_backtest=started, next_candidate=str(candidate), next_payload=candidate.payload)
        self._watch_backtest(started, in_full=True)
        return True

    def _is_down(self) -> str:
        """That KTRDR does not answer any more, or nothing; its latest readings tell, which may be waited for a moment."""

        def told(history: History) -> bool:
            read = [s for s in history.samples if s.view == "backend" and not s.problem]
            return (bool(read) and history.until_s - read[-1].answered_s < FRESH_S) or bool(self.is_gone())

        self._until(told, STILL_S)
        return self.is_gone()

    def _answers_still(self) -> bool:
        """Whether KTRDR itself still answers: then a lost answer was lost on the way."""
        try:
            self._client.get("/api/v1/health", purpose="does it still answer", timeout_s=STILL_S)
        except TransportError:
            return False
        return True

    def _how_long_refused(self, candidate: Candidate, since_s: float) -> tuple[str, bool]:
        """After a 503: what the workers are counted as busy with, and how long it takes until a start is accepted.

        Also whether a place was only held by a backtest of this run that had ended before the cancel: that it takes a
        while is the registry's doing, and says nothing about the cancel.
        """
        registered = self._registered(tries=3)
        busy = [w["worker_id"] for w in registered if not readings.takes_work(w)]
        told = f"{len(busy)} of {len(registered)} workers counted as busy"
        told += "".join(
            f", {w['worker_id']} with the backtest just cancelled"
            for w in registered
            if w.get("current_operation_id") == self.backtest
        )
        held = [w for w in self._held_in_vain(registered) if w.get("current_operation_id") != self.backtest]
        told += "".join(f", {w['worker_id']} with {w['current_operation_id']}, which had ended before" for w in held)
        if not registered:
            told = "the workers cannot be listed"
        accepted: list[float] = []
        asked_s = [0.0]

        def accepts(history: History) -> bool:
            if history.until_s - asked_s[0] >= CAPACITY_PAUSE_S:
                asked_s[0] = history.until_s
                try:
                    answer = self._client.post(START, candidate.payload, purpose="is it accepted now")
                    given = answer.find("$.operation_id", answer.find("$.data.operation_id"))
                    if isinstance(given, str) and given not in self._mine:
                        self._own(given)
                        accepted.append(self.recorder.clock() - since_s)
                except TransportError:
                    pass  # Still refused: that it lasts is what is being measured.
            return bool(accepted)

        watch_s = self.target.limits.seconds("place_free_s", verdict.LIMITS_S["place_free_s"])
        self._until(accepts, watch_s)
        if accepted:
            return f"{told}; a start was accepted only {accepted[0]:.1f} s later", bool(held)
        return f"{told}; still refused after {watch_s:.0f} s", False

    def _ended_at_once_for(self, words: re.Pattern[str]) -> str:
        """What was seen of a new backtest that failed at once for such a reason, no fault of the cancel; or nothing."""

        def has_begun(history: History) -> bool:
            return any(s.terminal or s.percentage for s in history.of("backend", self.next_backtest))

        self._until(has_begun, 2.0)
        judgement = following.next_runs(self.recorder.history(), self.next_backtest, 2.0)
        return judgement.seen if judgement.violated and words.search(judgement.seen) else ""

    def _has_too_few_bars(self) -> bool:
        """Whether the new backtest ended at once because its period has too few bars."""
        few = self._ended_at_once_for(_TOO_FEW_BARS)
        if few and self.next_used:
            passed_over = f"The new backtest {self.next_used} was passed over: {few}"
            if least := _NEED_AT_LEAST.search(few):
                passed_over += (
                    f". Set fewest_bars = {least[1]} under [backtests.{self.next_used.timeframe}] in the target file "
                    "to do so without trying."
                )
            self.observations.append(passed_over)
        return bool(few)

    def judge(self, name: str) -> Judgement:
        """One judgement by its name, of what has been recorded so far."""
        return verdict.judge_all(self.history())[name]

    def history(self) -> History:
        """What has been recorded, with the names that it takes to judge it again."""
        self.recorder.about["worker"] = self.worker
        return self.recorder.history()

    def judge_after_a_last_look(self, name: str) -> Judgement:
        """One judgement by its name, after one more reading of the backtest's record."""
        self._read_fresh("backend", [self.backtest])
        return self.judge(name)

    def await_next_runs(self, limit_s: float) -> Judgement:
        judge = lambda h: following.next_runs(h, self.next_backtest, limit_s)  # noqa: E731
        return self._await_after_the_cancel(judge, limit_s)

    def watch_it_stay(self, least_s: float, updates: float) -> list[Judgement]:
        """Watch the cancelled backtest for the whole frozen window: it stays cancelled, and does not move."""

        def stays_frozen(history: History) -> Judgement:
            stays = afterwards.stays_cancelled(history, self.backtest, limit_s)
            frozen = afterwards.is_frozen(history, self.backtest, least_s, updates)
            up = outages.stays_up(history, self.backtest)
            return next((j for j in (stays, up) if j.violated), frozen)

        self.recorder.about["updates"] = updates
        limit_s = self._limits()["cancelled_s"]
        history = self.recorder.history()
        window_s = pace.frozen_window_s(history, self.backtest, least_s, updates)
        end = next((s for s in history.of("backend", self.backtest) if s.terminal), None)
        left_s = max(0.0, (end.answered_s if end else history.until_s) + window_s - history.until_s)
        judgement = throughout(self.recorder, stays_frozen, left_s, window_s + self._slack_s, self._tick)
        if judgement.violated and judgement.name == "frozen":
            # It has failed; the rest of the window tells whether it moves on or has moved once.
            left_s -= self.recorder.clock() - history.until_s
            self._until(lambda h: False, max(left_s, 3 * BACKTEST_INTERVAL_S))
        if judgement.name == "stays up":
            return [judgement]
        # A record that was missing in the last readings comes right, or stays away.
        stays = lambda h: afterwards.stays_cancelled(h, self.backtest, limit_s)  # noqa: E731
        eventually(self.recorder, stays, 2 * COVERED_GAP_S, self._tick)
        self._look_at_others()
        history = self.recorder.history()
        return [
            afterwards.stays_cancelled(history, self.backtest, limit_s),
            afterwards.is_frozen(history, self.backtest, least_s, updates),
        ]

    def await_known(self, name: str, limit_s: float) -> Judgement:
        """Wait until a judgement, by its name, is not unknown any more."""
        self.history()
        unknown = Judgement(name, "unknown", name, "this history does not tell")
        return self._await_after_the_cancel(lambda h: verdict.judge_all(h).get(name, unknown), limit_s)

    # --- leaving nothing behind ----------------------------------------------------------------------------

    def watch_on(self, least_s: float) -> None:
        """Go on recording until so long after the cancel, unless something is broken already."""
        sent = self.recorder.history().last_event("cancel_sent", self.backtest)
        if not sent:
            return

        def broken(history: History) -> bool:
            return any(judgement.violated for judgement in verdict.judge_all(history).values())

        self._until(broken, max(0.0, sent.at_s + least_s - self.recorder.clock()))

    def last_look(self) -> None:
        """Before the recording ends: one more reading of this run's backtests, and a look at the others'."""
        if self.backtest and self.recorder.history().event("cancel_sent", self.backtest) and not self.is_gone():
            self._read_fresh("backend", [b for b in (self.backtest, self.next_backtest) if b])
            self._look_at_others()

    def is_gone(self) -> str:
        """That KTRDR does not answer any more, in words, or nothing."""
        return outages.who_is_gone(self.recorder.history(), "", "")

    def cancel_what_still_runs(self) -> list[str]:
        """Cancel this run's backtests that have not ended; returns a sentence for each that could not be asked to.

        One that runs on although its cancel was acknowledged is written into the history, for the verdict.
        """
        problems = []
        for backtest in self._journal.open:
            if self.recorder.history().event("not_stopped", backtest):
                continue
            seen = self.recorder.history().of("backend", backtest)
            if seen and seen[-1].terminal:
                self._journal.ended(backtest)
            elif gone := self.is_gone():
                problems.append(f"{backtest} may still run: {gone}; {_by_hand(self._client, backtest)}")
            else:
                problems += self._end(backtest)
        return problems

    def _end(self, backtest: str) -> list[str]:
        self.recorder.note("clean_up", backtest)
        trouble = end_backtest(self._client, self._journal, backtest, self._limits()["cancelled_s"])
        if trouble and trouble.is_ktrdrs:
            self.recorder.note("not_stopped", backtest, words=trouble.words)
            return []
        return [f"{backtest} {trouble.words}"] if trouble else []

    def close(self) -> list[str]:
        """Cancel what still runs and stop recording; returns what could not be ended."""
        problems = self.cancel_what_still_runs()
        self.recorder.stop()
        return problems


@dataclass(frozen=True)
class NotEnded:
    """Why a backtest could not be ended. ``is_ktrdrs``: it was told to end, and it is KTRDR's failure that it has not."""

    words: str
    is_ktrdrs: bool = False


def end_backtest(client: Client, journal: Journal, backtest: str, limit_s: float = CLEAN_UP_S) -> NotEnded | None:
    """Cancel a backtest unless it has ended, and see it end within ``limit_s`` of the answer; None where it is over."""
    path = f"{readings.OPERATIONS}/{backtest}"
    by_hand = _by_hand(client, backtest)
    deadline_s = math.inf
    try:
        while (status := readings.status(client, backtest)) not in TERMINAL | {MISSING}:
            if deadline_s == math.inf:
                _cancel_whatever_it_says(client, path)
                deadline_s = time.monotonic() + limit_s
            elif time.monotonic() >= deadline_s:
                words = f'is still "{status}" {limit_s:.1f} s after its cancel was acknowledged'
                return NotEnded(f"{words}; {by_hand}", is_ktrdrs=True)
            else:
                time.sleep(CLEAN_UP_PAUSE_S)
    except Refused as refused:
        own = refused.status >= 500 and refused.exchange.method == "DELETE" and not refused.passing
        return NotEnded(f"may still run: {refused}; {by_hand}", is_ktrdrs=own)
    except TransportError as error:
        return NotEnded(f"may still run: {error}; {by_hand}")
    journal.ended(backtest)
    return None


def _by_hand(client: Client, backtest: str) -> str:
    return f"cancel it with: curl -X DELETE {client.base_url}{readings.OPERATIONS}/{backtest}"


def _cancel_whatever_it_says(client: Client, path: str) -> None:
    """Send a cancel; HTTP 400 or 404 may mean that it has just ended, which its record will tell."""
    try:
        client.delete(path, purpose="clean-up", tries=3, patiently=True, json_expected=False)
    except Refused as refused:
        if refused.status not in (400, 404):
            raise


def _wrong_form(tried: Candidate, other: Candidate) -> str:
    return (
        f"This KTRDR does not take the model path {tried.model}; {other.model} was tried instead. "
        f'Set model = "{other.model}" under [backtests.{tried.timeframe}] in the target file.'
    )


def _what_body(answer: Exchange) -> str:
    return "an empty body" if not answer.answer_text.strip() else "a body that is no JSON object"
