"""How a scenario came out, kept for the verdict of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from honest_behave.problems import step_problem
from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.judgement import Judgement

STOPPED = "Interrupted: it was stopped in the middle"


@dataclass
class ScenarioEnd:
    """Its outcome and the reason; ``judged`` and ``in_words`` are of its backtest, at the end of the recording.

    ``asked`` names the judgements that sentences about that backtest have asked for, of whatever scenario; None where that was not noted.
    """

    feature: str
    name: str
    outcome: verdict.Outcome | Literal["skipped"]
    reason: str
    judged: Mapping[str, Judgement] = field(default_factory=dict)
    observations: list[str] = field(default_factory=list)
    in_words: str = ""
    backtest: str = ""
    asked: Sequence[str] | None = None
    exception: BaseException | None = None

    @classmethod
    def of(cls, scenario: Any) -> ScenarioEnd:
        end = cls(scenario.feature.name, scenario.name, "passed", "")
        end.look_again(scenario)
        return end

    @classmethod
    def stopped(cls, feature: str, name: str) -> ScenarioEnd:
        """Of a scenario that was stopped between two steps."""
        return cls(feature, name, "inconclusive", STOPPED)

    def look_again(self, scenario: Any) -> None:
        """Read the outcome off Behave's scenario, which may have failed after its end."""
        # What could not be told takes nothing away from a check that failed after it.
        broken = [s for s in scenario.all_steps if s.status.has_failed()]
        failed = next((s for s in broken if s.status.is_failure()), broken[0] if broken else None)
        reason = ""
        if failed or scenario.hook_failed:
            self.outcome = "failed" if failed and failed.status.is_failure() else "inconclusive"
            exception = (failed or scenario).exception
            stopped = isinstance(exception, KeyboardInterrupt)
            reason = STOPPED if stopped else str(exception or (failed or scenario).error_message or "")
            if failed and not reason and (details := step_problem(failed)):
                reason = details.message
        elif scenario.status.has_failed():
            self.outcome, reason = "inconclusive", STOPPED
        elif scenario.status.name != "passed":
            self.outcome, reason = "skipped", scenario.skip_reason or "not run"
        self.reason = reason.strip()
        self.exception = (failed or scenario).exception if self.outcome == "inconclusive" else None
