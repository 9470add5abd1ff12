"""Which candidate is cancelled: the first that lasts long enough for every sentence before the cancel to be true of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from honest_behave.outcomes import Inconclusive
from ktrdr_qa.act import leaving
from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.places import Places
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.act.starting import Starting
from ktrdr_qa.act.watching import Watching
from ktrdr_qa.judge import crashes, pace, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.reading import ended_before_cancel, longest_step_s
from ktrdr_qa.record.history import History
from ktrdr_qa.record.recorder import BACKTEST_INTERVAL_S

MEASURED_BARS_A_S = 1300.0
"""The pace of the measured KTRDR (contract, surprises 2 and 17): 0.4 s for two years of daily bars, 4 s for twenty."""
MOVES_AND_LASTS = 2.0
"""A backtest has to last so many times what must be left to run: about half of a short one passes until it was seen to
move twice (contract, timelines: indicators first, then one change a second)."""
UNTIL_SENT_S = 1.0
"""So long the readings just before a cancel may take: so much more must be left to run when it is decided upon."""
GONE = "gone"
MODEL_FORM = re.compile(r"metadata|model (file|dir|path)|not a directory|is a directory", re.IGNORECASE)
"""A failure in these words may be due to the form of the model's path (contract, surprise 1)."""


def wrong_form(tried: Candidate, other: Candidate) -> str:
    return (
        f"This KTRDR does not take the model path {tried.model}; {other.model} was tried instead. "
        f'Set model = "{other.model}" under [backtests.{tried.timeframe}] in the target file.'
    )


class Choosing:
    """Starts the candidates in their order; one that ends too soon is passed over for the next."""

    def __init__(self, scene: Scene, starting: Starting, watching: Watching, places: Places):
        self.passed_over: list[tuple[Candidate, str]] = []
        self.waiting: list[Candidate] = []
        self.skips_short_ones = True
        """Whether what would end too soon for a cancel in mid-flight is passed over untried."""
        self._scene = scene
        self._starting = starting
        self._watching = watching
        self._places = places
        self._pace: tuple[float, str] | None = None
        """Bars a second, and whose pace that is."""
        self._too_little_left = ""
        self._told_too_short = False

    def start(self, candidates: Sequence[Candidate], unusable: dict[Candidate, str]) -> None:
        """Start the first candidate that can be used."""
        for candidate in candidates:
            if reason := unusable.get(candidate):
                self.passed_over.append((candidate, reason))
            else:
                self.waiting.append(candidate)
        self._start_next()

    def _start_next(self) -> None:
        if not self.waiting:
            told = "\n".join(f"          {c}: {reason}" for c, reason in self.passed_over)
            raise Inconclusive(
                "no backtest could be cancelled in time, so nothing was learnt about cancellation\n"
                f"     but: each candidate was passed over:\n{told}\n"
                "     try: a longer backtest in the feature's table, or, under [backtests] in the target file, "
                "a strategy and a model for a shorter timeframe"
            )
        self._scene.used = self.waiting.pop(0)
        self._watching.await_idle_processors()
        self._starting.begin(self._scene.used)

    def go_through(self, stages: Sequence[Callable[[], Judgement]]) -> Judgement:
        """Go through the stages with the first candidate that lasts long enough for all of them."""
        while True:
            for stage in stages:
                judgement = stage()
                if reason := self._ended_too_soon():
                    self.pass_over(reason)
                    break
                if judgement.name == GONE:
                    raise Inconclusive(f"{judgement.seen}; nothing was learnt about cancellation")
                if not judgement.holds:
                    return judgement
            else:
                return judgement

    def unless_ended(
        self, judge: Callable[[History], Judgement], limit_s: float, slack_s: float | None = None
    ) -> Judgement:
        """Wait for a judgement of the running backtest, as long as it has not ended and nobody is gone."""
        scene = self._scene

        def ended_or(history: History) -> Judgement:
            if ended := ended_before_cancel(history, scene.backtest):
                return Judgement("ended", "violated", "", f'it was "{ended.status}"', ended.answered_s)
            if gone := crashes.who_is_gone(history, scene.backtest, self._watching.worker):
                return Judgement(GONE, "violated", "", gone)
            return judge(history)

        return scene.wait(ended_or, limit_s + (scene.slack_s if slack_s is None else slack_s))

    def enough_left(self) -> Judgement:
        """Enough is left to run that an ignored cancel would be seen; else the next candidate, while there is one.

        The last candidate is cancelled all the same: what it cannot show is then not known, and the rest is.
        """
        scene = self._scene
        limits, updates = scene.limits, scene.recorder.about.get("updates", verdict.UPDATES_MISSED)
        # What is read of the backtest just before the cancel takes a moment as well, and coarse steps tell its pace badly.
        step_s = longest_step_s(scene.readings())
        doubt_s = UNTIL_SENT_S + (step_s if step_s > 2 * BACKTEST_INTERVAL_S else 0.0)
        ample = {**limits, "cancelled_s": limits["cancelled_s"] + doubt_s}
        judge = lambda h: pace.enough_was_left(h, scene.backtest, ample, updates)  # noqa: E731
        judgement = self.unless_ended(judge, pace.PACE_SPAN_S, slack_s=0.0)
        if not judgement.unknown or "left_s" not in judgement.figures:
            return judgement
        if self.waiting:
            self._too_little_left = f"{judgement.seen}, and {judgement.figures['needed_s']:.1f} s are needed"
            return judgement
        if not self._told_too_short:
            told = f"No backtest of the table lasts long enough: {judgement.seen}; {judgement.expected}."
            scene.observations.append(told)
            self._told_too_short = True
        return Judgement("enough left", "holds", judgement.expected, judgement.seen)

    def _ended_too_soon(self) -> str:
        backtest, history = self._scene.backtest, self._scene.recorder.history()
        if too_little := self._too_little_left:
            self._too_little_left = ""
            self._end_what_is_passed_over()
            return f"too little was left to run to tell an ignored cancel: {too_little}"
        too_late = history.event("cancel_too_late", backtest)
        ended = ended_before_cancel(history, backtest)
        if not ended and too_late:
            ended = history.end_of(backtest)
        if not ended:
            return ""
        lasted_s = ended.answered_s - (e.at_s if (e := history.event("start_sent", backtest)) else 0.0)
        if ended.status == "completed":
            self._note_pace(pace.lasted_s(ended) or lasted_s)
            return f"completed within {lasted_s:.1f} s, before it could be cancelled"
        words = ended.facts.get("error_message") or "no reason given"
        return f'"{ended.status}" after {lasted_s:.1f} s, before it was cancelled: {words}'

    def _end_what_is_passed_over(self) -> None:
        """Cancel a candidate that is still running; how long it would have lasted tells about the longer ones."""
        backtest, history = self._scene.backtest, self._scene.recorder.history()
        started, left = history.event("start_sent", backtest), pace.left_to_run(history, backtest)
        if started and left:
            self._note_pace(history.until_s - started.at_s + left.left_s)
        leaving.end(self._scene, backtest)

    def _note_pace(self, lasts_s: float) -> None:
        used = self._scene.used
        if used and 0 < used.bars_about < math.inf and lasts_s > 0:
            self._pace = used.bars_about / lasts_s, "the one before"

    def pass_over(self, reason: str) -> None:
        """Leave the candidate that was started, and start the next."""
        scene, used = self._scene, self._scene.used
        assert used is not None
        scene.journal.ended(scene.backtest)
        for view in ("backend", "worker"):
            scene.recorder.unwatch(view, scene.backtest)
        self._watching.watch_processors()
        if '"failed"' in reason and MODEL_FORM.search(reason) and not scene.model_form_known:
            self._try_the_other_form(used, reason)
        else:
            self.passed_over.append((used, reason))
        self._skip_what_is_too_short()
        self._places.await_one()
        self._start_next()

    def _try_the_other_form(self, used: Candidate, reason: str) -> None:
        self._scene.model_form_known = True
        other = used.in_the_other_form()
        if used.names_a_file:
            self._pace = MEASURED_BARS_A_S, "a measured KTRDR that wants a model's directory, like this one,"
        self.passed_over.append((used, f"{reason} (its model path was {used.model})"))
        renamed = (replace(c, model=other.model) if c.model == used.model else c for c in self.waiting)
        self.waiting = [other, *renamed]
        self._scene.observations.append(wrong_form(used, other))

    def _skip_what_is_too_short(self) -> None:
        """Pass over, untried, what would end too soon at the pace seen so far, while a longer one is left to try."""
        if not self.skips_short_ones:
            return
        scene, waiting = self._scene, self.waiting
        need_s = pace.needed_s(scene.recorder.history(), scene.backtest, scene.limits)
        while self._pace and len(waiting) > 1:
            would_last_s = waiting[0].bars_about / self._pace[0]
            longest = waiting[0].bars_about >= max(c.bars_about for c in waiting[1:])
            if would_last_s >= MOVES_AND_LASTS * need_s or longest:
                return
            reason = f"not tried: at the pace of {self._pace[1]} it would last about {would_last_s:.1f} s"
            reason += f", and {need_s:.1f} s must be left to run once it was seen to move"
            self.passed_over.append((waiting.pop(0), reason))
