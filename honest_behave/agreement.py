"""Whether Behave, its JUnit XML and its Allure results tell the same, once the files are complete."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from behave.model import Scenario

from honest_behave.counts import Counts, count_behave
from honest_behave.formatter import HonestAllureFormatter
from honest_behave.junit_reporter import HonestJUnitReporter


def differences(
    scenarios: Iterable[Scenario], allure: Iterable[HonestAllureFormatter], junit: Iterable[HonestJUnitReporter]
) -> list[str]:
    """Where JUnit XML or Allure tell other counts than Behave; options may leave out skipped ones."""
    behave = count_behave(scenarios)
    found = []
    for formatter in allure:
        expected = replace(behave, skipped=behave.skipped - formatter.dropped)
        found += _difference(formatter.stream_opener.name, expected, formatter.count)
    for reporter in junit:
        found += _difference(reporter.config.junit_directory, behave, reporter.count, reporter.config.show_skipped)
        found += reporter.problems
    return [f"Behave counts {behave}", *found] if found else []


def _difference(where: str, expected: Counts, count: Callable[[], Counts], skipped: bool = True) -> list[str]:
    """Never raises: a report that cannot be read must not end the run before its verdict."""
    try:
        told = count()
    except Exception as error:  # noqa: BLE001
        return [f"{where} cannot be read: {type(error).__name__}: {error}"]
    compared = told if skipped else replace(told, skipped=expected.skipped)
    return [] if compared == expected else [f"{where} has {told}"]
