"""Counts of scenarios as Behave, the JUnit XML and the Allure results tell them.

They come from three programs with a view of their own, and a report which says less than the run
has misled people before; so they are compared at the end of each run.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from behave.model import Scenario
from behave.model_type import Status

from honest_behave.results import RUN_LABEL, read_results


@dataclass(frozen=True)
class Counts:
    """How many scenarios ended in which way; `error` is what Allure calls broken."""

    passed: int = 0
    failed: int = 0
    error: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.error} error, {self.skipped} skipped"


def kind_of(status: Status) -> str:
    """Which of the four counts a status of Behave's belongs to; an unknown one is an error."""
    if status.is_passed():
        return "passed"
    if status.is_failure():
        return "failed"
    if status is Status.skipped or status.is_untested():
        return "skipped"
    return "error"


def _counts(kinds: Iterable[str]) -> Counts:
    found = list(kinds)
    return Counts(**{kind: found.count(kind) for kind in ("passed", "failed", "error", "skipped")})


def count_behave(scenarios: Iterable[Scenario]) -> Counts:
    """Count what Behave's own model says; a scenario that was never run counts as skipped."""
    return _counts(kind_of(scenario.status) for scenario in scenarios)


def count_junit(junit_dir: Path, names: Collection[str] | None = None) -> Counts:
    """Count as a CI system reads the files, or those of these names: by the element inside each test case."""
    kinds = []
    for path in junit_dir.glob("TESTS-*.xml"):
        if names is not None and path.name not in names:
            continue
        for case in ElementTree.parse(path).iter("testcase"):
            inside = {child.tag for child in case}
            kind = next((tag for tag in ("error", "failure", "skipped") if tag in inside), "passed")
            kinds.append({"failure": "failed"}.get(kind, kind))
    return _counts(kinds)


def count_allure(results_dir: Path) -> Counts:
    """Count as a report generator does: of several results with one history id the last is the scenario's."""
    last: dict[str, tuple[int, str]] = {}
    for result in read_results(results_dir):
        if RUN_LABEL in result["labels"]:
            continue
        ended = (result["stop"], {"broken": "error"}.get(result["status"], result["status"]))
        last[result["historyId"]] = max(ended, last.get(result["historyId"], ended))
    return _counts(kind for _, kind in last.values())
