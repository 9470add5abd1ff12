"""What all stages of one experiment share: whom it is about, and how a stage waits, reads and writes down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.journal import Journal
from ktrdr_qa.judge import crashes, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange, TransportError
from ktrdr_qa.platform.readings import Reading
from ktrdr_qa.platform.witnesses import Witness
from ktrdr_qa.record.history import Event, History, Sample, View
from ktrdr_qa.record.recorder import BACKTEST_INTERVAL_S, Recorder
from ktrdr_qa.record.waiting import eventually
from ktrdr_qa.target.settings import Target

FRESH_S = 1.0
"""How long a reading that was asked for is waited for; one that does not come is a gap like any other."""
SLACK_S = 1.5
"""Beyond a limit and one answer's time limit, how long the reading that shows a violation may take to come."""


@dataclass
class Scene:
    """One experiment: what it is given, and what its stages tell each other.

    ``tick`` is called while something is waited for; ``mine`` are the backtests that this experiment has started.
    """

    target: Target
    client: Client
    recorder: Recorder
    journal: Journal
    witnesses: dict[str, Witness]
    tick: Callable[[History], None] | None = None
    backtest: str = ""
    next_backtest: str = ""
    used: Candidate | None = None
    next_used: Candidate | None = None
    model_form_known: bool = False
    """Each form of a model's path is tried once only: a model in neither is missing."""
    observations: list[str] = field(default_factory=list)
    evidence: dict[str, Exchange] = field(default_factory=dict)
    mine: list[str] = field(default_factory=list)

    @property
    def used_now(self) -> Candidate:
        used = self.next_used or self.used
        assert used is not None
        return used

    @property
    def path(self) -> str:
        """Where KTRDR has the backtest's record."""
        return f"{readings.OPERATIONS}/{self.backtest}"

    @property
    def limits(self) -> dict[str, float]:
        """The limits in force, in seconds: a sentence that differs from the usual one counts from its step on."""
        return verdict.limits_of(self.recorder.history())

    @property
    def slack_s(self) -> float:
        return self.target.limits.answer_s + SLACK_S

    @property
    def gone(self) -> str:
        """That KTRDR does not answer any more, in words, or nothing."""
        return crashes.who_is_gone(self.recorder.history(), "", "")

    def readings(self) -> tuple[Sample, ...]:
        """The backend's readings of the backtest."""
        return self.recorder.history().of("backend", self.backtest)

    def event(self, kind: str) -> Event | None:
        return self.recorder.history().event(kind, self.backtest)

    def wait(self, judge: Callable[[History], Judgement], at_most_s: float) -> Judgement:
        return eventually(self.recorder, judge, at_most_s, self.tick)

    def until(self, condition: Callable[[History], bool], at_most_s: float) -> None:
        """Wait for a condition that is no judgement of KTRDR; whether it came true is for others to judge."""
        told = {True: Judgement("", "holds", "", ""), False: Judgement("", "unknown", "", "")}
        self.wait(lambda h: told[condition(h)], at_most_s)

    def pause(self, pause_s: float) -> None:
        """Go on recording, and do nothing else."""
        self.until(lambda h: False, pause_s)

    def read_fresh(self, view: View, subjects: Sequence[str]) -> None:
        """Let these be read at once, and wait for it, though not for long."""
        asked_s = self.recorder.clock()
        self.recorder.look_now(view)

        def read(history: History) -> bool:
            fresh = {s.subject for s in history.samples if s.view == view and s.asked_s >= asked_s}
            return fresh.issuperset(subjects)

        self.until(read, FRESH_S)

    def read_once(self, view: View, read: Callable[[], Iterable[Reading]]) -> list[Reading]:
        """Write down one reading, made here, and return what it says; one that is lost is a gap."""
        asked_s = self.recorder.clock()
        try:
            read_ones = list(read())
        except TransportError:
            return []
        answered_s = self.recorder.clock()
        self.recorder.add(Sample(view, asked_s=asked_s, answered_s=answered_s, **vars(r)) for r in read_ones)
        return read_ones

    def read_record(self, backtest: str) -> None:
        """Write down once what the backend says of a backtest that is not watched."""
        self.read_once("backend", lambda: readings.backtest(self.client, backtest))

    def record(self) -> Exchange:
        """The backtest's record as it is now, as evidence; a refusal is evidence as well."""
        try:
            return self.client.get(self.path, purpose="evidence")
        except TransportError as error:
            return error.exchange

    def own(self, backtest: str) -> None:
        """From here on a backtest is this run's, and to be ended by it."""
        self.mine.append(backtest)
        self.journal.started(backtest)

    def watch(self, backtest: str, *, in_full: bool = False) -> None:
        """Record what the backend says of a backtest from here on."""
        client = self.client.clone()
        read = lambda: readings.backtest(client, backtest, in_full=in_full)  # noqa: E731
        self.recorder.watch("backend", backtest, read, BACKTEST_INTERVAL_S)
