"""What the steps of a feature call: a thin sentence there is one call here, or one of the experiment's with its verdict."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal

from honest_behave.outcomes import PlatformNotReady
from ktrdr_qa import asserting
from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.checks.result import Result
from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.act.failure import failure
from ktrdr_qa.act.preflight import Preflight
from ktrdr_qa.act.ways.endurance import Endurance
from ktrdr_qa.act.ways.nothing_to_cancel import have_one_that
from ktrdr_qa.film import Films
from ktrdr_qa.judge import afterwards, pace, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.reading import COVERED_GAP_S
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.services import Services
from ktrdr_qa.target.settings import Target

TOLD_EACH = 5
"""Of backtests one after the other, which may take minutes, every so many-th is told in a line."""


@dataclass
class Steps:
    """``candidates`` are the Background's; ``observations`` are of the scenario that runs, as ``scenario`` and ``step`` are."""

    target: Target
    preflight: Preflight
    films: Films
    services: Services
    candidates: list[Candidate] = field(default_factory=list)
    observations: list[str] = field(default_factory=list)
    not_ready: str = ""
    """The preflight check that failed: what comes after it is not tried any more."""
    scenario: Any = None
    step: Any = None
    say: Callable[[str], None] = lambda text: None
    _worked: Candidate | None = None
    _passed_over: dict[Candidate, str] = field(default_factory=dict)

    @property
    def experiment(self) -> Experiment:
        assert self.films.film
        return self.films.film.experiment

    # --- preflight -----------------------------------------------------------------------------------------

    def check(self, step: Any, ask: Callable[..., Result], *given: Any) -> None:
        """A preflight check; what cannot be seen from here is marked so, and a failed one ends the run."""
        try:
            result = ask(*given)
        except PlatformNotReady as error:
            self.not_ready = str(error).splitlines()[0]
            if self.preflight.kept_places:
                # No accident of the platform's: backtests of this run have ended, and their places were not given back.
                expected = "KTRDR gives a place back when the backtest that had it has ended"
                raise failure(expected, self.not_ready, f"curl -s {self.target.base_url}{readings.WORKERS}") from error
            raise
        if result.state == "not checked":
            step.not_checked_reason = f"not checked: {result.seen}"
            self.observe(f"{result.name} was not checked: {result.seen}")

    def not_checked(self, step: Any, reason: str) -> None:
        """Mark a step as not checked, and say so in the report; an empty reason marks nothing."""
        if reason:
            step.not_checked_reason = f"not checked: {reason}"
            self.observe(f"Not checked: {reason}.")

    def check_workers(self, step: Any, settle_s: float) -> None:
        """The preflight check of the workers; the recording begins with it, to see their processors idle."""
        self.check(step, self.preflight.workers, settle_s)
        if self.films.film is None:
            self.films.begin()

    # --- the flow ------------------------------------------------------------------------------------------

    def start_a_long_backtest(self) -> Experiment:
        """Start the first candidate that can be used; those that were passed over before in this run are not tried again."""
        if self.films.film is None or self.experiment.scene.backtest:
            self.films.begin()
        known = self._passed_over if self._worked in self.candidates else {}
        self.experiment.start(self.candidates, {**known, **self.preflight.unusable})
        return self.experiment

    def cancel(self, count: int = 1) -> None:
        """Cancel the backtest while it runs, and remember which one of the table could be cancelled."""
        self.experiment.cancel(count)
        self._worked = self.experiment.scene.used
        for candidate, reason in self.experiment.passed_over:
            self._passed_over.setdefault(candidate, f"passed over before in this run: {reason}")

    def cancel_in_a_row(self, count: int, afterwards: Callable[[Experiment], None] | None = None) -> None:
        """Start and cancel so many backtests, one after the other, each on a platform with a free place.

        ``afterwards`` is called at the end of each. Raises ``AssertionError`` at the first that is refused or not
        cancelled.
        """
        for number in range(1, count + 1):
            if number > 1:
                self.films.begin()
            self.experiment.scene.recorder.about["in_a_row"] = f"{number} of {count}"
            self.tell_how_far(number, count)
            try:
                experiment = self.start_a_long_backtest()
            except PlatformNotReady as refused:
                raise failure(f"backtest {number} of {count} is started", str(refused)) from refused
            self.cancel()
            self.verify(experiment.judge_acknowledged(self._usual("acknowledged_s")))
            self.verify(experiment.await_cancelled(self._usual("cancelled_s")))
            if experiment.worker in self.preflight.witnesses:
                self.verify(experiment.await_known("place free", self._usual("place_free_s")))
            self.verify_all()
            if afterwards:
                afterwards(experiment)

    def tell_how_far(self, number: int, count: int) -> None:
        """Of backtests one after the other: the console says now and then which one it is."""
        if number % TOLD_EACH == 0:
            self.say(f"           {number} of {count}")

    def endure(self, count: int) -> None:
        """So many in a row and one more, with a look at KTRDR's processes after each; raises as ``cancel_in_a_row``."""
        scene = self.experiment.scene
        with closing(Endurance(scene.client, self.preflight.witnesses, self.target.workers)) as endurance:
            endurance.begin(scene)

            def rest(experiment: Experiment) -> None:
                found = verdict.judge_all(experiment.history())
                took = {**found["moving"].figures, **found["cancelled"].figures}
                endurance.rest(experiment.scene, took)

            self.cancel_in_a_row(count + 1, rest)
            endurance.finish(self.experiment.scene)

    def have_endured(self, scenario: Any, count: int) -> None:
        """Go on with the recording of this feature's backtests in a row; without one, make one."""
        if self.films.film is None or not self.experiment.scene.backtest:
            self.endure(count)
        elif not any(event.kind == "lap" for event in self.experiment.history().events):
            scenario.skip("the backtests in a row did not come to their end")

    def need_restarts(self, scenario: Any, service: str) -> None:
        """Skip the scenario, with the setting to change, where a service cannot be restarted from here."""
        if why_not := self.services.why_not(service):
            scenario.skip(why_not)

    def have_an_ended_backtest(self, status: str, candidates: list[Candidate]) -> None:
        """Have a short backtest come to that end by itself; the step is marked where none does."""
        if self.films.film is None:
            self.films.begin()
        self.not_checked(self.step, have_one_that(self.experiment, status, candidates))

    def give_a_reason(self, reason: str) -> None:
        """From here on the cancel is sent as KTRDR's command line sends it, unless it has been sent already."""
        if self.films.film is None:
            self.films.begin()
        self.experiment.scene.recorder.about.setdefault("cancel_body", {"reason": reason, "force": True})

    def have_a_cancelled_backtest(self, scenario: Any, *, at_once: bool = False) -> None:
        """Go on with the recording of this feature's cancelled backtest; without one, make one.

        Skips the scenario where the cancellation itself has failed already: its own scenario tells of it.
        """
        if self.films.film is None or not self.experiment.scene.backtest:
            experiment = self.start_a_long_backtest()
            (experiment.cancel_at_once if at_once else self.cancel)()
            experiment.await_cancelled(self._usual("cancelled_s"))
        cancelled = self.experiment.judge("cancelled")
        if not cancelled.holds:
            how = "its cancellation failed" if cancelled.violated else "it is not known whether it was cancelled"
            scenario.skip(f"{how}: {cancelled.seen}")

    # --- verdicts ------------------------------------------------------------------------------------------

    def verify(self, judgement: Judgement) -> None:
        """Assert a judgement of the experiment, with what a developer needs to see it again."""
        film = self.films.film
        assert film
        asked = film.experiment.scene.recorder.about.setdefault("asked", [])
        asked += [judgement.name] if judgement.name not in asked else []
        film.asserted.setdefault(judgement.name, (self.scenario, self.step))
        try:
            asserting.verify(film.experiment, judgement, self.films.earlier)
        except AssertionError:
            film.failed.add(judgement.name)
            raise

    def verify_all(self) -> None:
        """Assert that nothing that can be judged of the experiment so far is violated."""
        self.experiment.last_look()
        for judgement in verdict.judge_all(self.experiment.history()).values():
            if judgement.violated:
                self.verify(judgement)

    def verify_if_told(self, step: Any, name: str) -> None:
        """Assert a judgement by its name; the step is marked where this KTRDR does not tell what it takes."""
        reason = verdict.not_told(self.experiment.history()).get(name)
        if reason is None:
            # So long a list that does not name it takes to come right, or to have forgotten it.
            self.verify(self.experiment.await_known(name, 2 * COVERED_GAP_S))
            return
        self.not_checked(step, reason)

    def verify_in_time(self, name: str, limit_s: float = afterwards.RECORD_SETTLES_S) -> None:
        """Assert a judgement by its name, waiting so long for one that is not known yet."""
        self.verify(self.experiment.await_known(name, limit_s))

    def verify_or_not_checked(self, step: Any, name: str) -> None:
        """Assert a judgement by its name; where nothing that could be read will ever tell it, the step is marked."""
        judgement = self.experiment.judge(name)
        if judgement.final:
            step.not_checked_reason = f"not checked: {judgement.seen}"
            self.observe(f"Not checked: {judgement.seen}.")
            return
        self.verify(judgement)

    def need_workers(self, scenario: Any, count: int) -> None:
        """Skip the scenario where fewer workers are registered."""
        registered = len(readings.workers(self.experiment.scene.client))
        if registered < count:
            scenario.skip(f"{registered} backtest worker is registered, and it takes {count}")

    @property
    def window_s(self) -> float:
        """So long at most the progress of a running backtest has to be watched to tell its pace."""
        updates = self.experiment.scene.recorder.about.get("updates", verdict.UPDATES_MISSED)
        scene = self.experiment.scene
        least_s = scene.limits["frozen_s"]
        return least_s + 2 * pace.frozen_window_s(scene.recorder.history(), scene.backtest, least_s, updates)

    def verify_witness(self, scenario: Any, name: str, limit_s: float) -> None:
        """Assert what a witness says; one that cannot tell is skipped with the reason, never passed."""
        self.verify_or_skip(scenario, self.experiment.await_known(name, limit_s))

    def verify_or_skip(self, scenario: Any, judgement: Judgement) -> None:
        """Assert a judgement; where nobody can tell the scenario is skipped with the reason.

        A witness that was heard, and does not say that the backtest has stopped, makes it inconclusive.
        """
        if judgement.unknown and not judgement.heard:
            scenario.skip(f"could not be told: {judgement.seen}")
            return
        self.verify(judgement)

    def need_witness(self, scenario: Any, what: Literal["worker", "address", "processor"]) -> None:
        """Skip the scenario, with the reason and the setting to change, where a witness is out of reach."""
        worker = self.experiment.worker
        witness = self.preflight.witnesses.get(worker)
        if not worker:
            scenario.skip("KTRDR does not say which worker ran the backtest")
        elif what != "worker" and witness is None:
            scenario.skip(f"the worker {worker} is not among the registered ones")
        elif what == "address" and witness and witness.address is None:
            scenario.skip(f"the worker {worker} cannot be asked from here: {witness.reason}")
        elif what == "processor" and witness and witness.processor is None:
            why = witness.processor_source if witness.address else f"{witness.reason}; {witness.processor_source}"
            scenario.skip(f"the processor time of {worker} cannot be read from here: {why}")

    def limit(self, name: str, sentence_s: float) -> float:
        """The limit in force for a sentence, written into the history; one that differs is an observation."""
        limit_s = self.target.limits.seconds(name, sentence_s)
        if self.films.film:
            self.experiment.scene.recorder.about["limits"][name] = limit_s
        if abs(limit_s - sentence_s) > 1e-9:
            self.observe(
                f"The limit {name} is {limit_s:g} s by the target's settings; the sentence says {sentence_s:g} s."
            )
        return limit_s

    def _usual(self, name: str) -> float:
        """The limit in force where no sentence names one."""
        return self.limit(name, verdict.LIMITS_S[name])

    def observe(self, sentence: str) -> None:
        if sentence not in self.observations:
            self.observations.append(sentence)
