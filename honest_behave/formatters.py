"""The formatters of a run: which of them are ours, and the words that all of them tell an outcome in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from allure_behave.formatter import AllureFormatter
from behave.configuration import Configuration
from behave.formatter._registry import select_formatter_class

from honest_behave.formatter import HonestAllureFormatter
from honest_behave.outcomes import BadConfiguration, Inconclusive

HONEST = f"{HonestAllureFormatter.__module__}:{HonestAllureFormatter.__name__}"


class PlainWords:
    """Goes first among the formatters, so that all of them tell an outcome of the suite in its own words.

    A check that fails, or could not be made, is explained by its message; a traceback is for what nobody foresaw.
    """

    def result(self, step: Any) -> None:
        if isinstance(step.exception, Inconclusive | BadConfiguration):
            step.error_message = f"{type(step.exception).__name__}: {step.exception}"

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


def settle_allure_formatters(config: Configuration) -> list[Path]:
    """Make every Allure formatter of the configuration ours, one for each directory; returns the directories.

    Changes `config.format` and `config.outputs`, which Behave pairs by position.
    """
    directories: list[Path] = []
    kept = []
    for index, name in enumerate(config.format):
        output = config.outputs[index] if index < len(config.outputs) else None
        if issubclass(select_formatter_class(name), AllureFormatter):
            name = HONEST
            if output is not None and output.name:
                directory = Path(output.name).absolute()
                if directory in directories:
                    continue
                directories.append(directory)
        kept.append((name, output))
    config.format = [name for name, _ in kept]
    # Formatters without an output come last in Behave, so the positions stay paired.
    config.outputs = [output for _, output in kept if output is not None]
    return directories
