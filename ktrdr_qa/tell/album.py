"""The evidence of a recording, attached to the scenarios that it is about: verdict, table, picture, history, readings.

It is attached when the recording has ended, which is after most of these scenarios: the film is told whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.judge import table
from ktrdr_qa.judge.in_words import believed
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.platform import compose
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.embedded import EmbeddedKtrdr
from ktrdr_qa.record.history import History
from ktrdr_qa.target.settings import Target
from ktrdr_qa.tell import evidence, summary, trends
from ktrdr_qa.tell.painter import Drawing, Painter
from ktrdr_qa.tell.scenario_end import ScenarioEnd
from ktrdr_qa.words import once


class Album:
    """Attaches the evidence of one target's recordings.

    ``clock`` is the run's, ``began_s`` its origin; ``trend_line`` makes of an outcome and figures this run's line of the trend.
    """

    def __init__(
        self,
        target: Target,
        client: Client,
        painter: Painter,
        earlier: Sequence[trends.Line],
        embedded: EmbeddedKtrdr | None,
        clock: Callable[[], float],
        began_s: float,
        trend_line: Callable[[str, Mapping[str, float]], trends.Line],
        say: Callable[[str], None],
    ):
        self._target = target
        self._client = client
        self._painter = painter
        self._earlier = earlier
        self._embedded = embedded
        self._clock = clock
        self._began_s = began_s
        self._trend_line = trend_line
        self._say = say
        self._trend_told = False

    def begin(self, history: History) -> None:
        """Have the picture of a recording drawn, while it is being judged; ``tell`` puts it into the report."""
        self._drawing = self._painter.draw(history)

    def tell(self, experiment: Experiment, history: History, end: ScenarioEnd, at: evidence.Page) -> None:
        """Verdict, table, the seed's evidence, picture and history of a recording, which ``begin`` was called with."""
        found = end.judged
        failed = end.outcome in ("failed", "inconclusive")
        rows = evidence.markdown_table(table.rows(found, end.asked))
        rests = f"The verdict rests on {believed(found)}."
        observed = evidence.markdown_list("Observations", once(end.observations))
        last_words = summary.gist(end.reason) if end.outcome == "inconclusive" else rests
        in_words, rests, last_words = map(evidence.escaped, (end.in_words, rests, last_words))
        at.describe(f"**{summary.headline(end)}**\n\n{in_words}\n\n{last_words}")
        at.markdown("Criteria and sanity checks", f"{in_words}\n\n{rows}\n\n{rests}{observed}")
        if told := evidence.table_of_tries(history):
            at.markdown("How each try of the race ended", told)
        if told := evidence.trend_in_a_row(history):
            at.markdown("Trend over the backtests in a row", told)
        self._picture(at, evidence.name_of_the_picture(history), self._drawing)
        if failed:
            self._offending_readings(at, history, found)
        self._trend(at, end)
        for name in ("Pre-cancel status and progress", "Cancel response", "Post-cancel status"):
            if exchange := experiment.scene.evidence.get(name):
                at.exchange(name, exchange)
        at.markdown(
            "Choice of the backtest", evidence.choice_of_backtest(experiment.scene.used, experiment.passed_over)
        )
        at.history(history)
        if failed:
            self.last_log_lines(at)

    def nothing_to_tell(self, end: ScenarioEnd, at: evidence.Page) -> None:
        """For a scenario that ended badly before any backtest was started."""
        at.describe(
            f"**{summary.headline(end)}**\n\n{evidence.escaped(summary.gist(end.reason))}\n\n"
            "No backtest was started, so there is no picture and no history of one."
        )
        self.last_log_lines(at)

    def _offending_readings(self, at: evidence.Page, history: History, found: Mapping[str, Judgement]) -> None:
        """Of each broken rule the reading that shows it, its neighbours, and what the platform logged around it."""
        for judgement in found.values():
            if judgement.violated and judgement.at_s is not None:
                told = evidence.offending_reading(history, judgement, judgement.at_s)
                told["log_of_the_platform"] = self._log_around(judgement.at_s)
                at.json(f"Offending reading: {judgement.name}", told)

    def _log_around(self, at_s: float) -> list[Any]:
        """What the platform logged around a moment of this run; empty where its log is out of reach."""
        if lines := self._embedded_log():
            return evidence.json_lines_around(lines, self._began_s + at_s)
        if project := compose.project_of(self._target):
            text = compose.logs_around(project, time.time() - self._clock() + at_s)
            return [self._client.masked(line) for line in text.splitlines()]
        return []

    def _embedded_log(self) -> list[str]:
        return self._embedded.log_lines() if self._embedded and self._embedded.log.is_file() else []

    def last_log_lines(self, at: evidence.Page) -> None:
        if lines := self._embedded_log():
            at.text("Log of the embedded KTRDR (last lines)", "\n".join(lines[-80:]))
        elif (project := compose.project_of(self._target)) and (tail := compose.logs(project)):
            at.text("Log of KTRDR (last lines)", self._client.masked(tail))

    def _picture(self, at: evidence.Page, name: str, drawing: Drawing) -> None:
        try:
            at.svg(name, drawing.svg())
        except OSError as error:
            self._say(f"{name} could not be drawn: {error}")
            at.text(name, f"could not be drawn: {error}")

    def _trend(self, at: evidence.Page, end: ScenarioEnd) -> None:
        """Once a run, where there are enough earlier ones: the last runs on this target, this one at the right."""
        if self._trend_told or len(self._earlier) < trends.ENOUGH or end.outcome == "skipped":
            return
        self._trend_told = True
        figures = {k: v for judgement in end.judged.values() for k, v in judgement.figures.items()}
        runs = [*self._earlier, self._trend_line(end.outcome, figures)][-trends.SHOWN :]
        self._picture(at, f"Trend over the last {len(runs)} runs", self._painter.draw_trend(runs))
