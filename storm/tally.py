"""What a storm comes to, read off Locust's own statistics: they are the one thing that all its processes add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

HISTORY, RULE, START, SUITE, NOT_JUDGED, MEASURED = "history", "rule", "start", "suite", "not judged", "time"
"""The types of the storm's rows in Locust's statistics, beside those of HTTP."""
PLACE = "place at the end"
"""The kind of a judgement that is of a worker's place, and of no further cancelled backtest."""
HTTP = ("GET", "POST", "DELETE")
REFUSED = "start, refused: no place free"
Outcome = Literal["passed", "failed", "inconclusive", "suite error"]
EXIT_STATUS: dict[Outcome, int] = {"passed": 0, "failed": 1, "inconclusive": 2, "suite error": 3}


class Entry(Protocol):
    """A row of Locust's statistics, as far as it is read here."""

    name: str
    method: str
    num_requests: int
    num_failures: int

    def get_response_time_percentile(self, percent: float) -> float: ...


@dataclass
class Tally:
    """How many histories were judged, how they came out, and what else was counted."""

    judged: dict[str, int] = field(default_factory=dict)
    violated: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    bad_starts: int = 0
    not_judged: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    requests: int = 0
    lost: int = 0
    """Requests without an answer, or with one that is an error of the server."""
    suite_errors: int = 0
    lost_processes: int = 0
    measured_ms: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Of each time its median and what 95 of 100 stayed within."""

    @property
    def histories(self) -> int:
        return sum(self.judged.values())

    @property
    def outcome(self) -> Outcome:
        """Never green where little was learnt: at least half of what was cancelled must have been judged."""
        if self.violated or self.bad_starts:
            return "failed"
        if self.suite_errors or self.lost_processes:
            return "suite error"
        cancelled = self.histories - self.judged.get(PLACE, 0)
        learnt = cancelled > 0 and cancelled >= sum(self.not_judged.values())
        return "passed" if learnt else "inconclusive"

    def in_words(self) -> str:
        """One line for a person."""
        kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(self.judged.items()))
        parts = [f"{self.histories} histories judged ({kinds})" if self.histories else "no history judged"]
        rules = ", ".join(f"{rule} {number}" for rule, number in sorted(self.rules.items()))
        parts.append(f"{self.violated} violated ({rules})" if rules else f"{self.violated} violated")
        if self.bad_starts:
            parts.append(f"{self.bad_starts} starts went wrong")
        if self.not_judged:
            reasons = ", ".join(f"{why} {number}" for why, number in sorted(self.not_judged.items()))
            parts.append(f"{sum(self.not_judged.values())} not judged ({reasons})")
        parts += [f"{what} {half:.0f} ms (95 %: {most:.0f})" for what, (half, most) in self.measured_ms.items()]
        parts.append(f"{self.refused} starts refused for want of a place")
        parts.append(f"{self.requests} requests, {self.lost} of them lost")
        if self.suite_errors:
            parts.append(f"{self.suite_errors} errors of the suite's own")
        if self.lost_processes:
            parts.append(f"{self.lost_processes} Locust processes died")
        return "; ".join(parts)

    def as_document(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "in_words": self.in_words(), **asdict(self)}


def of(entries: Iterable[Entry]) -> Tally:
    """The tally of a run, from the rows of Locust's statistics."""
    tally = Tally()
    for entry in entries:
        name = entry.name.removeprefix(f"{entry.method}: ")
        if entry.method == HISTORY:
            tally.judged[name] = entry.num_requests
            tally.violated += entry.num_failures
        elif entry.method == RULE and entry.num_failures:
            tally.rules[name] = entry.num_failures
        elif entry.method == START:
            tally.bad_starts += entry.num_failures
        elif entry.method == NOT_JUDGED:
            tally.not_judged[name] = entry.num_requests
        elif entry.method == SUITE:
            tally.suite_errors += entry.num_failures
        elif entry.method == MEASURED:
            half, most = (entry.get_response_time_percentile(part) for part in (0.5, 0.95))
            tally.measured_ms[name] = (half, most)
        elif entry.method in HTTP:
            tally.requests += entry.num_requests
            tally.lost += entry.num_failures
            tally.refused += entry.num_requests if name == REFUSED else 0
    return tally
