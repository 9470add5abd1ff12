"""One run of the suite against one target: opens it, keeps what the scenarios share, closes everything.

Behave's hooks call its methods in the order in which they stand here; the steps use ``steps``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from honest_behave.outcomes import BadConfiguration, Inconclusive
from honest_behave.results import SUITE_ERROR, write_environment
from ktrdr_qa.act import leaving
from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.act.journal import Journal
from ktrdr_qa.act.preflight import Preflight
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.film import Films
from ktrdr_qa.judge import verdict
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.embedded import EmbeddedKtrdr, launch
from ktrdr_qa.platform.exchange import Transcript
from ktrdr_qa.platform.services import Services
from ktrdr_qa.record.recorder import Recorder
from ktrdr_qa.steps import Steps
from ktrdr_qa.system import is_alive, load_per_core
from ktrdr_qa.target.choosing import choose
from ktrdr_qa.tell import evidence, summary, trends
from ktrdr_qa.tell.album import Album
from ktrdr_qa.tell.console import LiveLine, colours_wanted, toned
from ktrdr_qa.tell.painter import Painter
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
        self.colours = False
        self.planned: list[Any] = []
        self.left_out: list[summary.NotChecked] = []
        self.stops_at_a_failure = False
        self.began_at = summary.now()
        self.ended: list[ScenarioEnd] = []
        self._began_s = time.monotonic()
        self._cure = _on_or_off(userdata, "cure")
        self._may_disturb = _on_or_off(userdata, "disturb")
        self._headers = self.target.resolved_headers(environment)
        self._secrets = self.target.secrets(environment)
        self._line = LiveLine()
        self._opened = ExitStack()
        self._results_dirs: Sequence[Path] = ()
        self._features = ""
        self._mark = 0
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
        """What is to be run and what the command leaves out, so that what was not checked can be told."""
        scenarios = list(scenarios)
        self.planned = [scenario for scenario in scenarios if scenario.should_run(config)]
        self.left_out = summary.left_out(scenarios, config)
        self.stops_at_a_failure = bool(config.stop)

    def open(self, runner: Any) -> None:
        """Launch the embedded KTRDR if it is the target, and cancel what a killed run left behind.

        ``runner``: what reports a step that fails after its scenario has ended (``honest_behave.runner``).
        """
        self._reach_the_target()
        painter = Painter()  # Not before: it would take from the embedded KTRDR what that needs to get ready.
        self._opened.callback(painter.close)
        base_url = self.target.base_url or ""
        self.journal = Journal(self.reports / "journal", base_url, ends_with_run=self.target.embedded_one)
        self._results_dirs = runner.results_dirs
        self._preflight = Preflight(
            self.target,
            self._client,
            cure=self._cure,
            home=self.embedded.home if self.embedded else None,
            dead_processes=self._dead_processes if self.embedded else None,
            mine=lambda: self.journal.ended_ones,
            say=self._say,
        )
        self._features = ", ".join(sorted({scenario.feature.name for scenario in self.planned}))
        earlier = trends.earlier(self.reports, self.target, self._features)
        origin = (self.clock, self._began_s)
        self._album = Album(self.target, self._client, painter, earlier, self.embedded, *origin, self._trend_line, say)
        self._films = Films(self._new_experiment, runner, self._album, earlier)
        self._opened.callback(self._films.close)
        services = Services(self.target, self.embedded)
        self.steps = Steps(self.target, self._preflight, self._films, services, say=self._say)
        self._say_banner()
        self._write_environment()
        leaving.end_leftovers(self._client, self.journal, say, _shown)

    def _reach_the_target(self) -> None:
        if self.target.embedded_one:
            self.embedded = launch(self.target)
            self._opened.callback(self.embedded.stop)
            self.target = self.target.at(self.embedded.announcement["api_url"])
            self.target = self.target.at(
                self.target.base_url or "",
                limits=self.target.limits,
                checkout=replace(self.target.checkout, directory=str(self.embedded.home)),
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

    def _dead_processes(self) -> list[str]:
        assert self.embedded
        return [str(p["id"]) for p in self.embedded.processes if not is_alive(int(p["pid"]))]

    def _new_experiment(self) -> Experiment:
        about: dict[str, Any] = {
            "target": self.target.name,
            "kind": self.target.kind,
            "base_url": self.target.base_url,
            "version": self._preflight.version,
            "clock_origin_s": self._began_s,
            "began_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "limits": {n: self.target.limits.seconds(n, limit_s) for n, limit_s in verdict.LIMITS_S.items()},
        }
        if self.target.local:
            about["load_per_core"] = round(load_per_core(), 2)
        recorder, witnesses = Recorder(self.clock, about), self._preflight.witnesses
        return Experiment(Scene(self.target, self._client, recorder, self.journal, witnesses, self._line.show))

    def begin_scenario(self, scenario: Any, *, same_backtest: bool) -> None:
        """A scenario that judges the same backtest goes on with its recording; every other begins afresh."""
        self._under_way = (scenario.feature.name, scenario.name)
        self.steps.scenario = scenario
        if self.steps.not_ready:
            scenario.skip(f"the platform is not ready: {self.steps.not_ready}")
            return
        if not list(scenario.all_steps):
            scenario.skip("it has no steps, so it checks nothing")
        if not same_backtest:
            self.end_recording()
        self.steps.observations = []
        if DISTURBING in scenario.effective_tags and not (self.target.embedded_one or self._may_disturb):
            scenario.skip("it occupies or restarts workers that others may need; allow it with -D disturb=on")

    def begin_step(self, step: Any) -> None:
        self.steps.step = step
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
        self.ended.append(end)
        self._under_way = None
        if self._films.take_in(scenario, end):
            end.observations = list(self.steps.observations)
        elif end.outcome in ("failed", "inconclusive"):
            self._album.nothing_to_tell(end, page)

    def end_recording(self) -> None:
        """Judge the whole film, cancel what still runs, and let the next scenario check the platform afresh."""
        self._films.end()
        self._preflight.forget()

    def finish(self) -> None:
        """After the last feature: end the recording, and raise where a backtest may have been left running."""
        if self._under_way:
            # It was stopped between two steps, where Behave calls no more hooks for it.
            page = evidence.page_of(self._films.runner, self.steps.scenario)
            self._note_end(self.steps.scenario, ScenarioEnd.stopped(*self._under_way), page)
        self.end_recording()
        if self.journal.trouble:
            self._say(self.journal.trouble)
        self._write_environment()
        if self._films.problems and not self.embedded:
            raise Inconclusive("; ".join(dict.fromkeys(self._films.problems)))
        if summary.nothing_was_cancelled(self.ended):
            # Its scenarios are of somebody's own, and passed: a preflight only, say.
            raise Inconclusive("no backtest was cancelled, so nothing was learnt about cancellation")

    def close(self) -> None:
        """Cancel what still runs; stop recording, the painter and the embedded processes."""
        self._opened.close()

    def _say(self, text: str) -> None:
        self._line.clear()
        say(text)

    # --- telling -------------------------------------------------------------------------------------------

    def _say_banner(self) -> None:
        if self.embedded:
            say("=" * 78)
            say("EMBEDDED STAND-IN: this run tests the suite's own small platform, no real KTRDR.")
            say("Point it at yours with KTRDR_API_URL=http://HOST:PORT, KTRDR_API_PORT or -D target=NAME.")
            say("=" * 78)
        say(f"target: {self.target.name} at {self.target.base_url} (chosen by: {self.target.chosen_by})")
        for fault in self.target.faults:
            say(f"fault: {fault}")
        if self.target.unused:
            say(f"seen and not used: {', '.join(self.target.unused)}")

    def _write_environment(self) -> None:
        """What the report's environment block names; the version is known after the preflight only."""
        facts = {
            "Target": self.target.name,
            "Target kind": "EMBEDDED STAND-IN, no real KTRDR" if self.embedded else "live",
            "Target address": self.target.base_url or "",
            "Target chosen by": self.target.chosen_by,
            "KTRDR version": self._preflight.version or "not told",
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
            self._preflight.version,
            self.began_at,
            self.clock(),
        )

    def _trend_line(self, outcome: str, figures: Mapping[str, float]) -> trends.Line:
        limit_s = self.target.limits.seconds("cancelled_s", verdict.LIMITS_S["cancelled_s"])
        return trends.line(self.target, self._features, self.began_at, outcome, figures, limit_s)

    def _keep_figures(self, told: Mapping[str, Any]) -> None:
        """For the trends of later runs; a run in which nothing was cancelled has none."""
        if told["figures"].get("cancelled_at_percent") is None and "acknowledged_s" not in told["figures"]:
            return
        try:
            trends.add(self.reports, self._trend_line(told["outcome"], told["figures"]))
        except OSError as error:
            say(f"the figures of this run could not be kept for later ones: {error}")


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
