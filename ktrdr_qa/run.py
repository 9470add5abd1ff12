"""One run of the suite against one target: opens it, keeps what the scenarios share, closes everything.

Behave's hooks call ``open``, ``begin_scenario``, ``end_scenario`` and ``close``; the steps use ``preflight``
and ``experiment``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from honest_behave.outcomes import BadConfiguration, Inconclusive, PlatformNotReady
from honest_behave.results import SUITE_ERROR, write_environment
from ktrdr_qa import asserting
from ktrdr_qa.act.experiment import Candidate, Experiment, end_backtest, failure
from ktrdr_qa.act.journal import Journal
from ktrdr_qa.act.preflight import Preflight, Result
from ktrdr_qa.judge import afterwards, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.embedded import EmbeddedKtrdr, launch
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.record.recorder import Recorder
from ktrdr_qa.system import is_alive, load_per_core
from ktrdr_qa.target.choosing import choose
from ktrdr_qa.tell import evidence, summary, trends
from ktrdr_qa.tell.album import Album
from ktrdr_qa.tell.console import LiveLine, colours_wanted, toned
from ktrdr_qa.tell.picture import Painter
from ktrdr_qa.tell.scenario_end import ScenarioEnd

REPORTS = Path("reports")
TONES = {"passed": "good", "failed": "bad", "inconclusive": "doubtful"}
DISTURBING = "disturbs_others"
"""The tag of scenarios that disturb others on a shared platform: on live targets they need an explicit yes."""


class Run:
    """The target under test and all that is opened for it. ``close`` leaves nothing running."""

    def __init__(self, userdata: Mapping[str, str], environment: Mapping[str, str], reports: Path = REPORTS):
        self.reports = reports
        self.transcript = Transcript()
        self.target = choose(userdata, environment, Path.cwd())
        self.embedded: EmbeddedKtrdr | None = None
        self.experiment: Experiment | None = None
        self.candidates: list[Candidate] = []
        self.observations: list[str] = []
        self.colours = False
        self.planned: list[Any] = []
        self.left_out: list[summary.NotChecked] = []
        self.stops_at_a_failure = False
        self.began_at = summary.now()
        self._began_s = time.monotonic()
        self._cure = _on_or_off(userdata, "cure")
        self._may_disturb = _on_or_off(userdata, "disturb")
        self._headers = self.target.resolved_headers(environment)
        self._secrets = self.target.secrets(environment)
        self._line = LiveLine()
        self._painter: Painter | None = None
        self._mark = 0
        self._not_ready = ""
        self._problems: list[str] = []
        self.ended: list[ScenarioEnd] = []
        self._results_dirs: Sequence[Path] = ()
        self._earlier: list[trends.Line] = []
        self._under_way: tuple[str, str] | None = None
        self._scenario: Any = None
        self._step: Any = None
        self._of_this_film: list[tuple[Any, ScenarioEnd]] = []
        self._worked: Candidate | None = None
        self._passed_over: dict[Candidate, str] = {}

    def clock(self) -> float:
        """Seconds since the run began, on this host's monotonic clock."""
        return time.monotonic() - self._began_s

    def mind_the_terminal(self, config: Any) -> None:
        """Colour what is said if that is wanted; no moving line where Behave's own moves already."""
        self.colours = colours_wanted(config)
        if any(str(name).startswith("progress") for name in config.format):
            self._line.silence()

    def plan(self, scenarios: Iterable[Any], config: Any) -> None:
        """What is to be run and what the command leaves out, so that what was not checked can be told."""
        scenarios = list(scenarios)
        self.planned = [scenario for scenario in scenarios if scenario.should_run(config)]
        self.left_out = summary.left_out(scenarios, config)
        self.stops_at_a_failure = bool(config.stop)

    # --- opening and closing -------------------------------------------------------------------------------

    def open(self, runner: Any) -> None:
        """Launch the embedded KTRDR if it is the target, and cancel what a killed run left behind.

        ``runner``: what reports a step that fails after its scenario has ended (``honest_behave.runner``).
        """
        self._runner = runner
        self._painter = Painter()
        if self.target.embedded_one:
            self.embedded = launch(self.target)
            self.target = self.target.at(self.embedded.announcement["api_url"])
            self.target = self.target.at(
                self.target.base_url or "",
                limits=self.target.limits,
                checkout=self.target.checkout.model_copy(update={"directory": str(self.embedded.home)}),
            )
        if self._cure and not self.target.local:
            raise BadConfiguration(
                f"-D cure=on is refused: {self.target.base_url} is not on this host, and cures restart services and copy files"
            )
        tls = self.target.tls
        self._client = Client(
            self.target.base_url or "",
            self.transcript,
            clock=self.clock,
            timeout_s=self.target.limits.answer_s * self.target.limits.time_factor,
            headers=self._headers,
            verify=tls.ca_file or tls.verify,
            certificate=tls.certificate,
            secrets=self._secrets,
        )
        self.journal = Journal(
            self.reports / "journal", self.target.base_url or "", ends_with_run=self.target.embedded_one
        )
        self._earlier = trends.earlier(self.reports, self.target)
        self.preflight = self._new_preflight()
        self._results_dirs = runner.results_dirs
        self.album = Album(
            self.target,
            self._client,
            self._painter,
            self._earlier,
            self.embedded,
            self.clock,
            self._began_s,
            self.began_at,
            say,
        )
        self._say_banner()
        self._write_environment()
        self._cancel_leftovers()

    def _write_environment(self) -> None:
        """What the report's environment block names; the version is known after the preflight only."""
        facts = {
            "Target": self.target.name,
            "Target kind": "EMBEDDED STAND-IN, no real KTRDR" if self.embedded else "live",
            "Target address": self.target.base_url or "",
            "Target chosen by": self.target.chosen_by,
            "KTRDR version": self.preflight.version or "not told",
            **summary.versions(),
        }
        for directory in self._results_dirs:
            write_environment(directory, facts)

    def tell_the_verdict(self, failed: bool, trouble: Sequence[str] = ()) -> None:
        """The last words of the run: one verdict line with the reasons, and where the report is."""
        if self._under_way:
            # The run has crashed: no hook was called any more.
            self.ended.append(ScenarioEnd.stopped(*self._under_way))
        told = summary.of(self._facts(), failed=failed, trouble=trouble)
        summary.write(told, self.reports)
        self._keep_figures(told)
        say("")
        sign, colon, words = summary.verdict_line(told).partition(":")
        tone = "doubtful" if summary.in_part(told) else TONES[told["outcome"]]
        say(toned(sign, tone, self.colours) + colon + words)
        for reason in told["reasons"]:
            say(f"  {reason}")
        results = ", ".join(_shown(directory) for directory in self._results_dirs) or "none"
        say(
            f"report: make report, then open {self.reports}/report.html (results: {results}; summary: {self.reports}/summary.md)"
        )

    def _facts(self) -> summary.Facts:
        return summary.Facts(
            self.ended,
            self.planned,
            self.left_out,
            self.stops_at_a_failure,
            self.target,
            self.preflight.version,
            self.began_at,
            self.clock(),
        )

    def _keep_figures(self, told: Mapping[str, Any]) -> None:
        """For the trends of later runs; a run in which nothing was cancelled has none."""
        if told["figures"].get("cancelled_at_percent") is None and "acknowledged_s" not in told["figures"]:
            return
        limit_s = self.target.limits.seconds("cancelled_s", verdict.LIMITS_S["cancelled_s"])
        try:
            trends.add(self.reports, trends.line(self.target, self.began_at, told["outcome"], told["figures"], limit_s))
        except OSError as error:
            say(f"the figures of this run could not be kept for later ones: {error}")

    def _new_preflight(self) -> Preflight:
        dead = self._dead_processes if self.embedded else None
        home = self.embedded.home if self.embedded else None
        return Preflight(
            self.target,
            self._client,
            cure=self._cure,
            home=home,
            dead_processes=dead,
            mine=lambda: self.journal.ended_ones,
            say=self._say,
        )

    def _dead_processes(self) -> list[str]:
        assert self.embedded
        return [str(p["id"]) for p in self.embedded.processes if not is_alive(int(p["pid"]))]

    def _say_banner(self) -> None:
        if self.embedded:
            say("=" * 78)
            say("EMBEDDED STAND-IN: this run tests the suite's own small platform, no real KTRDR.")
            say("Point it at yours with KTRDR_API_URL=http://HOST:PORT, KTRDR_API_PORT or -D target=NAME.")
            say("=" * 78)
        say(f"target: {self.target.name} at {self.target.base_url} (chosen by: {self.target.chosen_by})")
        if self.target.unused:
            say(f"seen and not used: {', '.join(self.target.unused)}")

    def _cancel_leftovers(self) -> None:
        leftovers = self.journal.leftovers()
        problems = []
        for leftover in leftovers:
            trouble = end_backtest(self._client, self.journal, leftover.backtest)
            problems += [trouble] if trouble else []
            told = f"{leftover.backtest} {trouble.words if trouble else 'has ended now'}"
            say(f"left behind by a killed run: {told}")
        if not problems:
            self.journal.settle(leftovers)
        for elsewhere in self.journal.left_elsewhere():
            say(
                f"left behind by a killed run on {elsewhere.base_url}, not on this run's target: {elsewhere.backtest} "
                f"(noted in {_shown(elsewhere.file)})"
            )

    def finish(self) -> None:
        """After the last feature: end the recording, and raise where a backtest may have been left running."""
        if self._under_way:
            # It was stopped between two steps, where Behave calls no more hooks for it.
            page = evidence.page_of(self._runner, self._scenario)
            self._note_end(self._scenario, ScenarioEnd.stopped(*self._under_way), page)
        self.end_recording()
        self._write_environment()
        if self._problems and not self.embedded:
            raise Inconclusive("; ".join(dict.fromkeys(self._problems)))
        if summary.nothing_was_cancelled(self.ended):
            # Its scenarios are of somebody's own, and passed: a preflight only, say.
            raise Inconclusive("no backtest was cancelled, so nothing was learnt about cancellation")

    def close(self) -> None:
        """Cancel what still runs; stop recording, the painter and the embedded processes."""
        try:
            if self.experiment:
                self.experiment.close()
                self.experiment = None
        finally:
            if self._painter:
                self._painter.close()
            if self.embedded:
                self.embedded.stop()

    # --- scenarios -----------------------------------------------------------------------------------------

    def begin_scenario(self, scenario: Any, *, same_backtest: bool) -> None:
        """A scenario that judges the same backtest goes on with its recording; every other begins afresh."""
        self._under_way = (scenario.feature.name, scenario.name)
        self._scenario = scenario
        if self._not_ready:
            scenario.skip(f"the platform is not ready: {self._not_ready}")
            return
        if not list(scenario.all_steps):
            scenario.skip("it has no steps, so it checks nothing")
        if not same_backtest:
            self.end_recording()
        self.observations = []
        if DISTURBING in scenario.effective_tags and not (self.target.embedded_one or self._may_disturb):
            scenario.skip("it occupies every worker, which others may need; allow it with -D disturb=on")

    def end_recording(self) -> None:
        """Judge the whole film, cancel what still runs, and let the next scenario check the platform afresh."""
        self._end_film()
        self.preflight.forget()

    def _end_film(self) -> None:
        """The end of a recording: all of it is judged once more, and told to the scenarios that it is about.

        What broke a rule after its step was passed fails that step. Only then is the recording stopped. A signal ends
        the watching, and nothing else: what has been recorded is told.
        """
        experiment, self.experiment = self.experiment, None
        if experiment is None:
            return
        signalled: KeyboardInterrupt | None = None
        try:
            try:
                if all(end.outcome in ("passed", "skipped") for _, end in self._of_this_film):
                    experiment.watch_on(self.target.watched_s)
                experiment.last_look()
            except KeyboardInterrupt as signal:
                signalled = signal
            self._problems += experiment.cancel_what_still_runs()
            if experiment.backtest:
                self._judge_film(experiment)
        finally:
            experiment.recorder.stop()
            self._of_this_film = []
        if signalled:
            raise signalled

    def _judge_film(self, experiment: Experiment) -> None:
        history = experiment.history()
        found = verdict.judge_all(history)
        for judgement in found.values():
            if judgement.violated and judgement.name not in experiment.failed:
                self._fail_afterwards(experiment, judgement)
        shown = next((scenario for scenario, end in self._of_this_film if end.outcome != "skipped"), None)
        for scenario, end in self._of_this_film:
            end.judged, end.backtest, end.in_words = found, experiment.backtest, verdict.in_words(history, found)
            told = [*end.observations, *experiment.observations, *(o for j in found.values() for o in j.observations)]
            end.observations = list(dict.fromkeys(told))
            if end.outcome in ("failed", "inconclusive") or scenario is shown:
                about = {**history.about, "run": {"scenario": end.name, "outcome": end.outcome}}
                page = evidence.page_of(self._runner, scenario)
                self.album.tell(experiment, replace(history, about=about), end, page)

    def _fail_afterwards(self, experiment: Experiment, judgement: Judgement) -> None:
        """Fail the step that asserted a judgement which was broken after it, or else the last one of the recording."""
        experiment.failed.add(judgement.name)
        when = "judged at the end of the recording"
        if judgement.name in experiment.asserted:
            when = "judged once more at the end of the recording, after this step had passed"
        try:
            asserting.verify(experiment, judgement, self._earlier, when)
        except AssertionError as broken:
            if not self._of_this_film:
                # In the middle of a step that makes several recordings: it is this step that fails.
                self.experiment = experiment
                raise
            first = self._of_this_film[0][0]
            scenario, step = experiment.asserted.get(judgement.name, (first, list(first.all_steps)[-1]))
            self._runner.fail_afterwards(scenario, step, broken)
        for one, end in self._of_this_film:
            end.look_again(one)

    def check(self, step: Any, ask: Callable[..., Result], *given: Any) -> None:
        """A preflight check; what cannot be seen from here is marked so, and a failed one ends the run."""
        try:
            result = ask(*given)
        except PlatformNotReady as error:
            self._not_ready = str(error).splitlines()[0]
            if self.preflight.kept_places:
                # No accident of the platform's: backtests of this run have ended, and their places were not given back.
                expected = "KTRDR gives a place back when the backtest that had it has ended"
                raise failure(expected, self._not_ready, f"curl -s {self.target.base_url}{readings.WORKERS}") from error
            raise
        if result.state == "not checked":
            step.not_checked_reason = f"not checked: {result.seen}"
            self.observe(f"{result.name} was not checked: {result.seen}")

    def check_workers(self, step: Any, settle_s: float) -> None:
        """The preflight check of the workers; the recording begins with it, to see their processors idle."""
        self.check(step, self.preflight.workers, settle_s)
        if self.experiment is None:
            self.new_experiment()

    def start_a_long_backtest(self) -> Experiment:
        """Start the first candidate that can be used; those that were passed over before in this run are not tried again."""
        if self.experiment is None or self.experiment.backtest:
            self.new_experiment()
        assert self.experiment
        known = self._passed_over if self._worked in self.candidates else {}
        self.experiment.start(self.candidates, {**known, **self.preflight.unusable})
        return self.experiment

    def cancel(self) -> None:
        """Cancel the backtest while it runs, and remember which one of the table could be cancelled."""
        assert self.experiment
        self.experiment.cancel()
        self._worked = self.experiment.used
        for candidate, reason in self.experiment.passed_over:
            self._passed_over.setdefault(candidate, f"passed over before in this run: {reason}")

    def new_experiment(self) -> Experiment:
        """A fresh recording; an earlier one is judged and closed first, its backtests cancelled."""
        self._end_film()
        about: dict[str, Any] = {
            "target": self.target.name,
            "kind": self.target.kind,
            "base_url": self.target.base_url,
            "version": self.preflight.version,
            "clock_origin_s": self._began_s,
            "began_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "limits": {n: self.target.limits.seconds(n, limit_s) for n, limit_s in verdict.LIMITS_S.items()},
        }
        if self.target.local:
            about["load_per_core"] = round(load_per_core(), 2)
        recorder = Recorder(self.clock, about)
        self.experiment = Experiment(
            self.target, self._client, recorder, self.journal, self.preflight.witnesses, self._line.show
        )
        return self.experiment

    def cancel_in_a_row(self, count: int) -> None:
        """Start and cancel so many backtests, one after the other, each on a platform with a free place.

        Raises ``AssertionError`` at the first that is refused or not cancelled.
        """
        for number in range(1, count + 1):
            if number > 1:
                self.new_experiment()
            try:
                experiment = self.start_a_long_backtest()
            except PlatformNotReady as refused:
                raise failure(f"backtest {number} of {count} is started", str(refused)) from refused
            self.cancel()
            self.verify(experiment.judge_acknowledged(self.limit("acknowledged_s", verdict.LIMITS_S["acknowledged_s"])))
            self.verify(experiment.await_cancelled(self.limit("cancelled_s", verdict.LIMITS_S["cancelled_s"])))
            if experiment.worker in self.preflight.witnesses:
                limit_s = self.limit("place_free_s", verdict.LIMITS_S["place_free_s"])
                self.verify(experiment.await_known("place free", limit_s))
            self.verify_all()

    def verify_if_told(self, step: Any, name: str) -> None:
        """Assert a judgement by its name; the step is marked where this KTRDR does not tell what it takes."""
        assert self.experiment
        reason = verdict.not_told(self.experiment.history()).get(name)
        if reason is None:
            self.verify(self.experiment.await_known(name, afterwards.RECORD_SETTLES_S))
            return
        step.not_checked_reason = f"not checked: {reason}"
        self.observe(f"Not checked: {reason}.")

    def verify(self, judgement: Judgement) -> None:
        """Assert a judgement of the experiment, with what a developer needs to see it again."""
        experiment = self.experiment
        assert experiment
        asked = experiment.recorder.about.setdefault("asked", [])
        asked += [judgement.name] if judgement.name not in asked else []
        experiment.asserted.setdefault(judgement.name, (self._scenario, self._step))
        try:
            asserting.verify(experiment, judgement, self._earlier)
        except AssertionError:
            experiment.failed.add(judgement.name)
            raise

    def verify_all(self) -> None:
        """Assert that nothing that can be judged of the experiment so far is violated."""
        assert self.experiment
        self.experiment.last_look()
        for judgement in verdict.judge_all(self.experiment.history()).values():
            if judgement.violated:
                self.verify(judgement)

    # --- witnesses -----------------------------------------------------------------------------------------

    def have_a_cancelled_backtest(self, scenario: Any, *, at_once: bool = False) -> None:
        """Go on with the recording of this feature's cancelled backtest; without one, make one.

        Skips the scenario where the cancellation itself has failed already: its own scenario tells of it.
        """
        if self.experiment is None or not self.experiment.backtest:
            experiment = self.start_a_long_backtest()
            (experiment.cancel_at_once if at_once else self.cancel)()
            experiment.await_cancelled(self.limit("cancelled_s", verdict.LIMITS_S["cancelled_s"]))
        assert self.experiment
        found = verdict.judge_all(self.experiment.history())
        cancelled = found["cancelled"]
        if not cancelled.holds:
            how = "its cancellation failed" if cancelled.violated else "it is not known whether it was cancelled"
            scenario.skip(f"{how}: {cancelled.seen}")

    def need_witness(self, scenario: Any, what: Literal["worker", "address", "processor"]) -> None:
        """Skip the scenario, with the reason and the setting to change, where a witness is out of reach."""
        assert self.experiment
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

    def verify_witness(self, scenario: Any, name: str, limit_s: float) -> None:
        """Assert what a witness says; one that cannot tell is skipped with the reason, never passed."""
        assert self.experiment
        judgement = self.experiment.await_known(name, limit_s)
        if judgement.unknown:
            scenario.skip(f"could not be told: {judgement.seen}")
            return
        self.verify(judgement)

    def limit(self, name: str, sentence_s: float) -> float:
        """The limit in force for a sentence, written into the history; one that differs is an observation."""
        limit_s = self.target.limits.seconds(name, sentence_s)
        if self.experiment:
            self.experiment.recorder.about["limits"][name] = limit_s
        if abs(limit_s - sentence_s) > 1e-9:
            self.observe(
                f"The limit {name} is {limit_s:g} s by the target's settings; the sentence says {sentence_s:g} s."
            )
        return limit_s

    def observe(self, sentence: str) -> None:
        if sentence not in self.observations:
            self.observations.append(sentence)

    def _say(self, text: str) -> None:
        self._line.clear()
        say(text)

    def begin_step(self, step: Any) -> None:
        self._step = step
        self.transcript.step = step.name
        self._line.begin(step.name)

    def attach_step_evidence(self) -> None:
        """The exchanges since the last step; called after each."""
        self._line.clear()
        exchanges = self.transcript.since(self._mark)
        self._mark += len(exchanges)
        evidence.HERE.transcript(exchanges)

    def end_scenario(self, scenario: Any) -> None:
        """Note how it came out, and cancel what it left running; the evidence follows when the recording ends."""
        self._line.clear()
        self._note_end(scenario, ScenarioEnd.of(scenario), evidence.HERE)

    def _note_end(self, scenario: Any, end: ScenarioEnd, page: evidence.Page) -> None:
        experiment = self.experiment
        self.ended.append(end)
        self._under_way = None
        if experiment is None or not experiment.backtest:
            if end.outcome in ("failed", "inconclusive"):
                self.album.nothing_to_tell(end, page)
            return
        self._of_this_film.append((scenario, end))
        end.observations = list(self.observations)
        end.judged = verdict.judge_all(experiment.history())
        end.backtest = experiment.backtest
        self._problems += experiment.cancel_what_still_runs()


def tell_why_it_did_not_begin(trouble: Sequence[str], reports: Path = REPORTS) -> None:
    """The last words of a run whose target could not be opened."""
    category = summary.category_of_words(trouble[0]) if trouble else SUITE_ERROR
    told = summary.without_a_run("; ".join(trouble) or "the run did not begin", category)
    summary.write(told, reports)
    say(f"\n{summary.verdict_line(told)}")
    for line in trouble:
        say(f"  {line}")


def say(text: str) -> None:
    """A line to the person at the terminal, past Behave's capturing of output."""
    stream = sys.__stdout__ or sys.stdout
    stream.write(text + "\n")
    stream.flush()


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _on_or_off(userdata: Mapping[str, str], name: str) -> bool:
    value = userdata.get(name, "off").lower()
    if value not in ("on", "off"):
        raise BadConfiguration(f"-D {name}={value}: expected on or off")
    return value == "on"
