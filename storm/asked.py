"""What was asked for on the command line, and whether Locust understands what is handed on to it.

Locust is asked in a process of its own (``python -m storm.asked``): importing it patches Python's sockets and threads.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.target.settings import ROOT


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line: ``error`` raises ``BadConfiguration``."""

    def error(self, message: str) -> NoReturn:
        raise BadConfiguration(f"{message}; see {self.prog} --help")


def at_least(least: int) -> Callable[[str], int]:
    """The type of an option that is a whole number, ``least`` or more."""

    def whole(text: str) -> int:
        if not (text.isdecimal() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"expected a whole number, {least} or more, and not {text!r}")
        return int(text)

    return whole


def seconds(text: str) -> float:
    """The type of an option that is a length of time, in seconds."""
    try:
        length_s = float(text)
    except ValueError:
        length_s = math.nan
    if not 0 < length_s < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, more than 0, and not {text!r}")
    return length_s


def definition(text: str) -> tuple[str, str]:
    """The type of ``-D``: a name and its value, which is ``on`` where only the name is given of what can be so."""
    name, told, value = text.partition("=")
    if name == "fault" and not value:
        raise argparse.ArgumentTypeError(
            f"{text} names no fault; expected fault=NAME, and python -m standin --list-faults lists them"
        )
    return name, value if told or name == "target" else "on"


UNDERSTOOD = "understood"


def master_of(for_locust: Sequence[str]) -> str:
    """Where the master is (host and port) of a storm that is a worker of another host's, and else nothing.

    Raises ``BadConfiguration`` where Locust does not understand what is handed on, or is not there.
    """
    command = [sys.executable, "-m", "storm.asked", *for_locust]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    word, _, master = done.stdout.strip().partition(" ")
    if done.returncode or word != UNDERSTOOD:
        said = done.stderr.strip() or done.stdout.strip() or f"Locust ended with status {done.returncode}"
        raise BadConfiguration(said.splitlines()[-1])
    return master


def main() -> None:
    """Ends with one line on standard error where what was asked for is not understood."""
    try:
        from locust.argument_parser import get_parser
    except ImportError as problem:
        requirements = ROOT / "storm" / "requirements.txt"
        sys.exit(f"Locust is missing ({problem}); install it with: {sys.executable} -m pip install -r {requirements}")

    def refuse(message: str) -> NoReturn:
        sys.exit(f"{message}; see python -m storm --help, and python -m locust --help for what is handed on to it")

    parser = get_parser()
    parser.error = refuse  # type: ignore[method-assign]
    options = parser.parse_args()
    if options.user_classes:
        refuse(f"unrecognized arguments: {' '.join(options.user_classes)}")
    print(UNDERSTOOD, f"{options.master_host}:{options.master_port}" if options.worker else "")


if __name__ == "__main__":
    main()
