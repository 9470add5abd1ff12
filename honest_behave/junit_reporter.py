"""Behave's reporter for JUnit XML, made safe: what it writes can be read, is this suite's, and never ends the run."""

import re
from pathlib import Path
from typing import Any

from behave.configuration import Configuration
from behave.model import Feature, Scenario
from behave.reporter.junit import JUnitReporter

from honest_behave import output_dir
from honest_behave.counts import Counts, count_junit

OPTION = "--junit-directory"
# What XML 1.0 has no way to say (https://www.w3.org/TR/xml/#charsets), and the other control characters.
UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def readable(text: str) -> str:
    """The text with the characters that XML cannot carry shown as escapes, e.g. a bell as `\\x07`."""
    return UNREADABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class HonestJUnitReporter(JUnitReporter):  # type: ignore[misc]
    """Takes the place of Behave's. What it could not write is in `problems`."""

    def __init__(self, config: Configuration) -> None:
        super().__init__(config)
        self.directory = Path(config.junit_directory)
        self.problems: list[str] = []

    def prepare(self) -> None:
        """Remove what an earlier run wrote; others' files may stay. Raises UnusableDirectory."""
        output_dir.empty(self.directory, OPTION)

    def count(self) -> Counts:
        """What this run's files tell, without others'."""
        return count_junit(self.directory, output_dir.written(self.directory))

    def find_room(self, features: list[Feature]) -> None:
        """Raises UnusableDirectory where a file that this suite did not write is in the way."""
        for feature in features:
            path = self.directory / self._file_name(feature)
            if path.exists() and path.name not in output_dir.written(self.directory):
                raise output_dir.UnusableDirectory(
                    f"{path} was not written by this suite (or by an earlier version of it), and is left alone: "
                    f"move it away, or choose another directory with {OPTION}"
                )

    def feature(self, feature: Feature) -> None:
        """Never raises: a report that could not be written must not hide what the run has found."""
        try:
            output_dir.note(self.directory, self._file_name(feature))
            super().feature(feature)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told with the verdict
            self.problems.append(f"{self._file_name(feature)} could not be written: {type(error).__name__}: {error}")

    def _file_name(self, feature: Feature) -> str:
        return f"TESTS-{self.make_feature_filename(feature)}.xml"

    def _process_scenario(self, scenario: Scenario, report: Any) -> None:
        super()._process_scenario(scenario, report)
        for case in report.testcases[-1:]:
            for element in case.iter():
                for name, value in element.items():
                    element.set(name, readable(value))
