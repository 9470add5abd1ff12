"""Where a run writes to: an earlier run's results are removed, and whatever ends this one early is in its own."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from behave.configuration import Configuration
from behave.formatter.base import StreamOpener

from honest_behave import output_dir
from honest_behave import results as allure_results
from honest_behave.formatters import settle_allure_formatters
from honest_behave.junit_reporter import HonestJUnitReporter


class Outputs:
    """The outputs of one run."""

    def __init__(self, config: Configuration, one_clear_line: Callable[[], AbstractContextManager[None]]) -> None:
        self._one_clear_line = one_clear_line
        """What an output that cannot be written is raised in."""
        self.results_dirs = settle_allure_formatters(config)
        self._openers: list[StreamOpener] = config.outputs
        self._unfinished: list[Path] = []

    def prepare(self, junit: Iterable[HonestJUnitReporter]) -> None:
        """Remove an earlier run's results; raises what says that this one's cannot be written."""
        directories, self.results_dirs = self.results_dirs, []
        for directory in directories:
            allure_results.prepare(directory)
            self.results_dirs.append(directory)
        for reporter in junit:
            reporter.prepare()
        for opener in self._openers:
            if opener.name and Path(opener.name).absolute() not in directories:
                opener.open = self._opening(opener)

    def expect_the_worst(self) -> None:
        """Whatever kills the process before the formatters are made: the results say that nothing was run."""
        self._unfinished = [
            allure_results.write_run_problem(
                directory, "The run did not begin", "Unfinished: the suite could not be loaded; see the console"
            )
            for directory in self.results_dirs
        ]

    def tell_problem(self, name: str, message: str, trace: str | None = None) -> None:
        """Write what went wrong outside of every scenario."""
        for placeholder in self._unfinished:
            placeholder.unlink(missing_ok=True)
        for directory in self.results_dirs:
            with suppress(OSError):
                allure_results.write_run_problem(directory, name, message, trace)
                allure_results.write_global_error(directory, message, trace)

    def _opening(self, opener: StreamOpener) -> Callable[[], Any]:
        open_stream = opener.open

        def opened() -> Any:
            try:
                return open_stream()
            except OSError as error:
                why = f"{opener.name} cannot be written ({error.strerror}): choose another file with -o"
                with self._one_clear_line():
                    raise output_dir.UnusableDirectory(why) from None

        return opened
