"""One run of the suite against one target: opens it, keeps what the scenarios share, closes everything.

Behave's hooks call ``open``, ``begin_scenario``, ``end_scenario`` and ``close``; the steps use ``preflight``
and ``experiment``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ktrdr_qa import compose, evidence, judgements, readings, summary, trends, verdict
from ktrdr_qa.allure_results import SUITE_ERROR, write_environment
from ktrdr_qa.client import Client, Transcript
from ktrdr_qa.console import LiveLine, colours_wanted, toned
from ktrdr_qa.embedded import EmbeddedKtrdr, launch
from ktrdr_qa.experiment import Candidate, Experiment, end_backtest, failure
from ktrdr_qa.history import History
from ktrdr_qa.journal import Journal
from ktrdr_qa.judgements import Judgement
from ktrdr_qa.matchers import verify
from ktrdr_qa.outcomes import BadConfiguration, PlatformNotReady
from ktrdr_qa.picture import Painter
from ktrdr_qa.preflight import Preflight, Result
from ktrdr_qa.recorder import Recorder
from ktrdr_qa.system import is_alive, load_per_core
from ktrdr_qa.target import choose

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
        self.planned: list[tuple[str, str]] = []
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
        self._trend_told = False
        self._under_way: tuple[str, str] | None = None

    def clock(self) -> float:
        """Seconds since the run began, on this host's monotonic clock."""
        return time.monotonic() - self._began_s

    def mind_the_terminal(self, config: Any) -> None:
        """Colour what is said if that is wanted; no moving line where Behave's own moves already."""
        self.colours = colours_wanted(config)
        if any(str(name).startswith("progress") for name in config.format):
            self._line.silence()

    def plan(self, scenarios: Iterable[Any], config: Any) -> None:
        """What is to be run, so that what was never reached can be told."""
        self.planned = [(s.feature.name, s.name) for s in scenarios if s.should_run(config)]

    # --- opening and closing -------------------------------------------------------------------------------

    def open(self, results_dirs: Sequence[Path]) -> None:
        """Launch the embedded KTRDR if it is the target, and cancel what a killed run left behind."""
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
        self._results_dirs = results_dirs
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
            # It was stopped where Behave calls no more hooks for it.
            feature, name = self._under_way
            self.ended.append(ScenarioEnd(feature, name, "inconclusive", "Interrupted: it was stopped in the middle"))
        told = summary.of(self, failed=failed, trouble=trouble)
        summary.write(told, self.reports)
        self._keep_figures(told)
        say("")
        sign, colon, words = summary.verdict_line(told).partition(":")
        say(toned(sign, TONES[told["outcome"]], self.colours) + colon + words)
        for reason in told["reasons"]:
            say(f"  {reason}")
        results = ", ".join(_shown(directory) for directory in self._results_dirs) or "none"
        say(
            f"report: make report, then open {self.reports}/report.html (results: {results}; summary: {self.reports}/summary.md)"
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
        return Preflight(self.target, self._client, cure=self._cure, home=home, dead_processes=dead, say=self._say)

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

    def _cancel_leftovers(self) -> None:
        leftovers = self.journal.leftovers()
        problems = []
        for leftover in leftovers:
            problem = end_backtest(self._client, self.journal, leftover.backtest)
            problems += [problem] if problem else []
            say(f"left behind by a killed run: {problem or f'{leftover.backtest} has ended now'}")
        if not problems:
            self.journal.settle(leftovers)
        for elsewhere in self.journal.left_elsewhere():
            say(
                f"left behind by a killed run on {elsewhere.base_url}, not on this run's target: {elsewhere.backtest} "
                f"(noted in {_shown(elsewhere.file)})"
            )

    def finish(self) -> None:
        """After the last feature: end the recording, and raise where a backtest may have been left running."""
        self.end_recording()
        self._write_environment()
        if self._problems and not self.embedded:
            raise RuntimeError("; ".join(dict.fromkeys(self._problems)))

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
        """Cancel what still runs, stop recording, and let the next scenario check the platform afresh."""
        if self.experiment:
            self._problems += self.experiment.close()
            self.experiment = None
        self.preflight.forget()

    def check(self, step: Any, ask: Callable[..., Result], *given: Any) -> None:
        """A preflight check; what cannot be seen from here is marked so, and a failed one ends the run."""
        try:
            result = ask(*given)
        except PlatformNotReady as error:
            self._not_ready = str(error).splitlines()[0]
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
        """Start the first candidate that can be used."""
        if self.experiment is None or self.experiment.backtest:
            self.new_experiment()
        assert self.experiment
        self.experiment.start(self.candidates, self.preflight.unusable)
        return self.experiment

    def new_experiment(self) -> Experiment:
        """A fresh recording; an earlier one is closed first, its backtests cancelled."""
        if self.experiment:
            self._problems += self.experiment.close()
        about: dict[str, Any] = {
            "target": self.target.name,
            "kind": self.target.kind,
            "base_url": self.target.base_url,
            "version": self.preflight.version,
            "clock_origin_s": self._began_s,
            "began_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "limits": {},
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
            experiment.cancel()
            self.verify(experiment.judge_acknowledged(self.limit("acknowledged_s", verdict.LIMITS_S["acknowledged_s"])))
            self.verify(experiment.await_cancelled(self.limit("cancelled_s", verdict.LIMITS_S["cancelled_s"])))
            if experiment.worker in self.preflight.witnesses:
                limit_s = self.limit("place_free_s", verdict.LIMITS_S["place_free_s"])
                self.verify(experiment.await_known("place free", limit_s))

    def verify_if_told(self, step: Any, name: str) -> None:
        """Assert a judgement by its name; the step is marked where this KTRDR does not tell what it takes."""
        assert self.experiment
        reason = verdict.not_told(self.experiment.history()).get(name)
        if reason is None:
            self.verify(self.experiment.await_known(name, judgements.RECORD_SETTLES_S))
            return
        step.not_checked_reason = f"not checked: {reason}"
        self.observe(f"Not checked: {reason}.")

    def verify(self, judgement: Judgement) -> None:
        """Assert a judgement of the experiment, with what a developer needs to see it again."""
        experiment = self.experiment
        assert experiment
        asked = experiment.recorder.about.setdefault("asked", [])
        asked += [judgement.name] if judgement.name not in asked else []
        found = verdict.judge_all(experiment.history())
        besides = []
        if judgement.name in ("cancelled", "stays cancelled", "frozen"):
            besides.append(f"the cancel was {found['acknowledged'].seen}")
            if judgement.name == "cancelled":
                besides.append(judgements.what_became_of_it(experiment.history(), experiment.backtest).seen)
            if found["only this one"].violated or found["only this one"].observations:
                besides += [*found["only this one"].observations] or [found["only this one"].seen]
        if judgement.violated and (usual := trends.usual(self._earlier, judgement.name)):
            besides.append(usual)
        path = f"{readings.OPERATIONS}/{experiment.next_backtest if judgement.name == 'next runs' else experiment.backtest}"
        again = f"curl -s {self.target.base_url}{path}"
        if judgement.name == "acknowledged" and (answer := experiment.evidence.get("Cancel response")):
            again = answer.curl
        if judgement.name == "next accepted" and (answer := experiment.evidence.get("next")):
            again = answer.curl
        verify(judgement, besides, again)

    # --- witnesses -----------------------------------------------------------------------------------------

    def have_a_cancelled_backtest(self, scenario: Any, *, at_once: bool = False) -> None:
        """Go on with the recording of this feature's cancelled backtest; without one, make one.

        Skips the scenario where the cancellation itself has failed already: its own scenario tells of it.
        """
        if self.experiment is None or not self.experiment.backtest:
            experiment = self.start_a_long_backtest()
            (experiment.cancel_at_once if at_once else experiment.cancel)()
            experiment.await_cancelled(self.limit("cancelled_s", verdict.LIMITS_S["cancelled_s"]))
        assert self.experiment
        found = verdict.judge_all(self.experiment.history())
        if not found["cancelled"].holds:
            scenario.skip(f"no backtest was cancelled, so there is nothing to ask about: {found['cancelled'].seen}")

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
        self.transcript.step = step.name
        self._line.begin(step.name)

    def attach_step_evidence(self) -> None:
        """The exchanges since the last step; called after each."""
        self._line.clear()
        exchanges = self.transcript.since(self._mark)
        self._mark += len(exchanges)
        evidence.attach_transcript(exchanges)

    def end_scenario(self, scenario: Any) -> None:
        """Attach the evidence, then cancel what the scenario left running."""
        self._line.clear()
        experiment = self.experiment
        end = ScenarioEnd.of(scenario)
        self.ended.append(end)
        self._under_way = None
        failed = end.outcome in ("failed", "inconclusive")
        if experiment is None or not experiment.backtest:
            if failed:
                evidence.describe(
                    f"**{summary.headline(end)}**\n\n{evidence.escaped(summary.gist(end.reason))}\n\n"
                    "No backtest was started, so there is no picture and no history of one."
                )
                self._attach_last_log_lines()
            return
        experiment.recorder.about["run"] = {"scenario": end.name, "outcome": end.outcome}
        history = experiment.history()
        found = verdict.judge_all(history)
        for sentence in (
            *experiment.observations,
            *(o for judgement in found.values() for o in judgement.observations),
        ):
            self.observe(sentence)
        end.judged = found
        end.backtest = experiment.backtest
        end.in_words = verdict.in_words(history, found)
        end.observations = list(self.observations)
        if failed or not experiment.told:
            self._attach_scenario_evidence(experiment, history, end)
            experiment.told = True
        self._problems += experiment.cancel_what_still_runs()

    def _attach_scenario_evidence(self, experiment: Experiment, history: History, end: ScenarioEnd) -> None:
        """Verdict, table, the seed's evidence, picture and history of the scenario's recording."""
        found = end.judged
        failed = end.outcome in ("failed", "inconclusive")
        rows = evidence.markdown_table(verdict.table(found))
        rests = f"The verdict rests on {verdict.believed(found)}."
        observed = evidence.markdown_list("Observations", self.observations)
        last_words = summary.gist(end.reason) if end.outcome == "inconclusive" else rests
        in_words, rests, last_words = map(evidence.escaped, (end.in_words, rests, last_words))
        evidence.describe(f"**{summary.headline(end)}**\n\n{in_words}\n\n{last_words}")
        evidence.attach_markdown("Criteria and sanity checks", f"{in_words}\n\n{rows}\n\n{rests}{observed}")
        self._attach_picture("Picture of the run", lambda painter: painter.draw(history))
        if failed:
            self._attach_offending_readings(history, found)
        self._attach_trend(end)
        for name in ("Pre-cancel status and progress", "Cancel response", "Post-cancel status"):
            if exchange := experiment.evidence.get(name):
                evidence.attach_exchange(name, exchange)
        evidence.attach_markdown(
            "Choice of the backtest", evidence.choice_of_backtest(experiment.used, experiment.passed_over)
        )
        evidence.attach_history(history)
        if failed:
            self._attach_last_log_lines()

    def _attach_offending_readings(self, history: History, found: Mapping[str, Judgement]) -> None:
        """Of each broken rule the reading that shows it, its neighbours, and what the platform logged around it."""
        for judgement in found.values():
            if judgement.violated and judgement.at_s is not None:
                told = evidence.offending_reading(history, judgement, judgement.at_s)
                told["log_of_the_platform"] = self._log_around(judgement.at_s)
                evidence.attach_json(f"Offending reading: {judgement.name}", told)

    def _log_around(self, at_s: float) -> list[Any]:
        """What the platform logged around a moment of this run; empty where its log is out of reach."""
        if self.embedded and self.embedded.log.is_file():
            lines = self.embedded.log_lines()
            return evidence.json_lines_around(lines, self._began_s + at_s)
        if project := compose.project_of(self.target):
            text = compose.logs_around(project, time.time() - self.clock() + at_s)
            return [self._client.masked(line) for line in text.splitlines()]
        return []

    def _attach_last_log_lines(self) -> None:
        if self.embedded and self.embedded.log.is_file():
            tail = self.embedded.log_lines()[-80:]
            evidence.attach_text("Log of the embedded KTRDR (last lines)", "\n".join(tail))
        elif (project := compose.project_of(self.target)) and (tail_text := compose.logs(project)):
            evidence.attach_text("Log of KTRDR (last lines)", self._client.masked(tail_text))

    def _attach_picture(self, name: str, draw: Callable[[Painter], bytes]) -> None:
        try:
            assert self._painter
            evidence.attach_svg(name, draw(self._painter))
        except OSError as error:
            say(f"{name} could not be drawn: {error}")
            evidence.attach_text(name, f"could not be drawn: {error}")

    def _attach_trend(self, end: ScenarioEnd) -> None:
        """Once a run, where there are enough earlier ones: the last runs on this target, this one at the right."""
        if self._trend_told or len(self._earlier) < trends.ENOUGH or end.outcome == "skipped":
            return
        self._trend_told = True
        figures = {k: v for judgement in end.judged.values() for k, v in judgement.figures.items()}
        limit_s = self.target.limits.seconds("cancelled_s", verdict.LIMITS_S["cancelled_s"])
        runs = [*self._earlier, trends.line(self.target, self.began_at, end.outcome, figures, limit_s)][-trends.SHOWN :]
        self._attach_picture(f"Trend over the last {len(runs)} runs", lambda painter: painter.draw_trend(runs))


@dataclass
class ScenarioEnd:
    """How a scenario came out, kept for the verdict of the run."""

    feature: str
    name: str
    outcome: verdict.Outcome | Literal["skipped"]
    reason: str
    judged: Mapping[str, Judgement] = field(default_factory=dict)
    observations: list[str] = field(default_factory=list)
    in_words: str = ""
    backtest: str = ""
    exception: BaseException | None = None

    @classmethod
    def of(cls, scenario: Any) -> ScenarioEnd:
        failed = next((s for s in scenario.all_steps if s.status.has_failed()), None)
        reason = ""
        outcome: verdict.Outcome | Literal["skipped"] = "passed"
        if failed or scenario.hook_failed:
            outcome = "failed" if failed and failed.status.is_failure() else "inconclusive"
            reason = str((failed or scenario).exception or (failed or scenario).error_message or "")
        elif scenario.status.name != "passed":
            outcome, reason = "skipped", scenario.skip_reason or "not run"
        exception = (failed or scenario).exception if outcome == "inconclusive" else None
        return cls(scenario.feature.name, scenario.name, outcome, reason.strip(), exception=exception)


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
