"""The films of a run: each is one recording, which several scenarios may be about, judged whole when it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from honest_behave.outcomes import Inconclusive
from ktrdr_qa import asserting
from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.in_words import in_words
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.tell import evidence, trends
from ktrdr_qa.tell.album import Album
from ktrdr_qa.tell.scenario_end import ScenarioEnd


@dataclass
class Film:
    """One recording, Behave's scenarios that it is about, and what their steps asserted of it."""

    experiment: Experiment
    scenarios: list[tuple[Any, ScenarioEnd]] = field(default_factory=list)
    asserted: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Of each judgement that a step asserted the scenario and the step: a violation that comes later is theirs."""
    failed: set[str] = field(default_factory=set)
    """The judgements that have failed their step."""
    in_vain: bool = False
    """Whether something could not be ended after a scenario: it is tried once more, when the recording ends."""


@dataclass
class Films:
    """One film at a time. ``make`` begins a recording; ``runner`` reports a step that fails after its scenario has ended."""

    make: Callable[[], Experiment]
    runner: Any
    album: Album
    earlier: Sequence[trends.Line]
    film: Film | None = None
    problems: list[str] = field(default_factory=list)
    """What could not be ended, in words."""

    def begin(self) -> Film:
        """A fresh recording; an earlier one is judged and closed first, its backtests cancelled."""
        self.end()
        self.film = Film(self.make())
        return self.film

    def take_in(self, scenario: Any, end: ScenarioEnd) -> bool:
        """Note of a scenario that has ended what the film shows so far, and cancel what it left running.

        False where no backtest was started, so that there is no film to tell.
        """
        if self.film is None or not self.film.experiment.scene.backtest:
            return False
        experiment = self.film.experiment
        self.film.scenarios.append((scenario, end))
        history = experiment.history()
        end.judged, end.asked = verdict.judge_all(history), history.about.get("asked", [])
        end.backtest = experiment.scene.backtest
        if not self.film.in_vain:
            self.film.in_vain = bool(experiment.cancel_what_still_runs())
        return True

    def end(self) -> None:
        """The end of a recording: all of it is judged once more, and told to the scenarios that it is about.

        What broke a rule after its step was passed fails that step, and what is not known any more makes it inconclusive.
        Only then is the recording stopped. A signal ends the watching, and nothing else: what has been recorded is told.
        """
        film, self.film = self.film, None
        if film is None:
            return
        experiment, scene = film.experiment, film.experiment.scene
        signalled: KeyboardInterrupt | None = None
        passed = all(end.outcome in ("passed", "skipped") for _, end in film.scenarios)
        try:
            try:
                if passed:
                    experiment.watch_on(scene.target.watched_s)
                experiment.last_look()
                if passed:
                    experiment.watch_until_settled(film.asserted)
            except KeyboardInterrupt as signal:
                signalled = signal
            self.problems += experiment.cancel_what_still_runs()
            if scene.backtest:
                self._judge(film, watched_to_its_end=passed and bool(film.scenarios) and not signalled)
        finally:
            scene.recorder.stop()
            film.scenarios = []
        if signalled:
            raise signalled

    def close(self) -> None:
        """Cancel what still runs and stop recording, and judge nothing any more."""
        film, self.film = self.film, None
        if film:
            film.experiment.close()

    def _judge(self, film: Film, *, watched_to_its_end: bool) -> None:
        experiment = film.experiment
        history = experiment.history()
        shown = next((scenario for scenario, end in film.scenarios if end.outcome != "skipped"), None)
        if film.scenarios:  # One that was skipped may be told as well, if what it is about is violated.
            self.album.begin(history)
        found = verdict.judge_all(history)
        for judgement in found.values():
            asserted = judgement.unknown and not judgement.final and judgement.name in film.asserted
            in_doubt = asserted or judgement.heard
            if (in_doubt and watched_to_its_end) or (judgement.violated and judgement.name not in film.failed):
                self._fail_afterwards(film, judgement)
        for scenario, end in film.scenarios:
            end.judged, end.backtest, end.in_words = found, experiment.scene.backtest, in_words(history, found)
            end.asked = history.about.get("asked", [])
            of_all = [*experiment.scene.observations, *(o for j in found.values() for o in j.observations)]
            end.observations = list(dict.fromkeys([*end.observations, *of_all]))
            if end.outcome in ("failed", "inconclusive") or scenario is shown:
                about = {**history.about, "run": {"scenario": end.name, "outcome": end.outcome}}
                page = evidence.page_of(self.runner, scenario)
                self.album.tell(experiment, replace(history, about=about), end, page)

    def _fail_afterwards(self, film: Film, judgement: Judgement) -> None:
        """Fail the step that asserted a judgement which was broken after it, or else the last one of the recording.

        That one is about something else: where its scenario has failed already, the table tells what was broken besides.
        """
        film.failed.add(judgement.name)
        if judgement.name not in film.asserted and any(end.outcome == "failed" for _, end in film.scenarios[:1]):
            return
        when = "judged at the end of the recording"
        if judgement.name in film.asserted:
            when = "judged once more at the end of the recording, after this step had passed"
        try:
            asserting.verify(film.experiment, judgement, self.earlier, when)
        except (AssertionError, Inconclusive) as broken:
            if not film.scenarios:
                # In the middle of a step that makes several recordings: it is this step that fails.
                self.film = film
                raise
            first = film.scenarios[0][0]
            scenario, step = film.asserted.get(judgement.name, (first, list(first.all_steps)[-1]))
            self.runner.fail_afterwards(scenario, step, broken)
        for one, end in film.scenarios:
            end.look_again(one)
