"""Everything about the stand-in that can be set at launch; the command line is made from this one list."""

from __future__ import annotations

import argparse
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, get_type_hints

VERSION = "1.0.0-standin"
MOST_WORKERS = 500
"""Each is a process with a port of its own, and so many a host can still have."""
GROUPS = {
    "port": "where it listens, and how it is launched",
    "bars_per_second": "what a backtest is, and how fast",
    "refresh_s": "how a healthy KTRDR may differ",
    "fault": "faults",
}
"""The titles in the help, by the first setting below each."""


def _option(default: Any, help_text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": help_text, "choices": choices})


@dataclass(frozen=True)
class Settings:
    """How this stand-in is to behave. Times are in seconds and end in `_s`; percentages are 0 to 100."""

    port: int = _option(8000, "port of the API on 127.0.0.1; 0 picks a free one")
    home: str = _option("", "directory of models/, strategies/, data/; by default a fresh one, later removed")
    seed: int = _option(0, "makes random choices the same in every launch, unless it is 0")
    log: str = _option("", "log file, one JSON object a line; by default standin.log in the home directory")
    workers: int = _option(2, "number of worker processes")
    announce: bool = _option(False, "print one line of JSON when ready instead of the text for people")
    die_with_stdin: bool = _option(False, "stop everything when standard input is closed")

    bars_per_second: float = _option(40.0, "pace of every backtest; 0 runs as fast as the processor allows")
    busy: float = _option(
        0.0,
        "how much of a core a running backtest uses at least, 0 to 1: what is left until the next bar is due goes "
        "into a search for better indicators (KTRDR: all of it)",
    )
    adaptation_epochs: int = _option(-1, "learning epochs before each decision; -1: as the strategy says")
    min_bars: int = _option(2, "fewest bars a backtest may have (KTRDR: 51)")
    hourly: bool = _option(False, "offer EURUSD 1h too, interpolated between the daily rates since 2015")
    data_since: str = _option("", "first day of the price data, YYYY-MM-DD; by default all there are")
    model_form: str = _option(
        "either",
        "what a model_path may name: the model's directory, its model.pt, or either",
        ("either", "directory", "file"),
    )

    refresh_s: float = _option(0.15, "how often the backend fetches progress from a worker (KTRDR: 1.0)")
    first_progress_after_s: float = _option(0.0, "length of the indicator phase, at 0 %% (KTRDR: 2 to 17)")
    indicator_bars_per_second: float = _option(
        0.0, "pace of the indicator phase, which is then longer for longer backtests; 0: it takes no time for a bar"
    )
    indicators_ignore_cancel: bool = _option(
        False, "a cancel in the indicator phase is acknowledged at once, but the phase computes on"
    )
    registry_lag_s: float = _option(0.3, "how long the registry calls a worker busy after its backtest's end")
    registry_loop_s: float = _option(
        0.0, "the registry notices a backtest's end only when it looks after its workers, this often (KTRDR: 10)"
    )
    cancel_takes_s: float = _option(0.0, "how long a worker takes to stop gracefully once it has been told")
    cancel_dawdles_s: float = _option(0.0, "how long the backend takes before it tells the worker of a cancel")
    cancel_answers_at_once: bool = _option(False, "the answer to a cancel does not wait for the worker")
    keeps_progress: bool = _option(False, "a cancelled backtest keeps its percentage instead of falling to 0")
    progress_step: float = _option(0.0, "percentages are rounded down to multiples of this, unless it is 0")
    progress_every_bars: int = _option(0, "progress is told anew only after so many bars, unless it is 0")
    orphans_fail_after_s: float = _option(
        0.0,
        "how long a backtest is called running that was lost in a restart, of its worker or of the backend; "
        "0: until it is cancelled, or ends (KTRDR: 72 after a restart of the backend)",
    )
    latency_s: float = _option(0.0, "time added to every answer to the outside")
    jitter_s: float = _option(0.0, "up to this much more, at random, on every answer to the outside")
    clock_skew_s: float = _option(0.0, "how far the clock in all answers is ahead (or, negative, behind)")
    extra_fields: bool = _option(False, "add fields to every JSON answer that nobody asked for")
    shuffled_fields: bool = _option(False, "write the fields of every JSON answer in random order")
    workers_shape: str = _option(
        "list", "the worker list bare, as KTRDR has it, or wrapped, as it had", ("list", "wrapped")
    )
    worker_word: str = _option(
        "backtesting", "a backtest worker's type; the other word gets 422", ("backtesting", "backtest")
    )
    endpoint_host: str = _option("127.0.0.1", "host name in the workers' endpoint_url, resolvable or not")
    old_operations: int = _option(0, "how many backtests of earlier days, all ended, are in the backend's memory")
    neighbour: bool = _option(False, "somebody else's backtest runs on one worker all the time")
    visitor: str = _option(
        "",
        "somebody else: starts the same backtest as the first one started (twin), another one 0.5 s after each cancel "
        "(newcomer), or is a neighbour who cancels his own 1.5 s after each other cancel (cancels-after) or at each "
        "start (cancels-before)",
        ("twin", "newcomer", "cancels-after", "cancels-before"),
    )
    children: bool = _option(False, "every backtest has a child, which is cancelled with it")
    record_after_s: float = _option(0.0, "how long a new backtest's record is 404 after its start was answered")
    replica_lag_s: float = _option(0.0, "every second reading of a backtest is that old")
    rate_limits: bool = _option(
        False, "429 with Retry-After at the first start, the first cancel, the next start, and at some readings"
    )
    resets_every: int = _option(0, "one reading in so many has its connection reset")
    loses_reading_after_cancel: bool = _option(False, "the first reading of a backtest after its cancel is lost")
    warnings_mb: float = _option(0.0, "every record carries so many megabytes of warnings")
    upper_case: bool = _option(False, "every status is in upper case, to the outside")
    renamed_worker: str = _option(
        "",
        "a worker registers anew, under another id at the same address, when its first backtest has got going or has "
        "been cancelled",
        ("running", "cancelled"),
    )
    old_trainings: int = _option(0, "how many trainings of earlier days, all ended, are in the backend's memory")
    refusal_status: int = _option(
        0, "status with which a cancel that has nothing to cancel is turned down, unless it is 0 (KTRDR: 400 or 404)"
    )
    confirms_again: bool = _option(False, "each further cancel of a cancelled backtest is confirmed with 200 once more")
    reason_apart: bool = _option(False, "a record gives the reason of a cancel in a field of its own only")
    own_ids: bool = _option(False, "workers call a backtest by an id of their own; the backend translates")
    several_at_once: bool = _option(
        False, "a start without a free worker is given to a busy one, which runs all it has side by side"
    )
    fault: tuple[str, ...] = _option((), "switch a fault on; may be given several times (see --list-faults)")

    def mistakes(self) -> list[str]:
        """What cannot be meant, one sentence each."""
        found = []
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in ("clock_skew_s", "port") or not isinstance(value, (int, float)):
                continue
            least = {"adaptation_epochs": -1, "refresh_s": 0.01}.get(each.name, 0)
            most = {"workers": MOST_WORKERS}.get(each.name, float("inf"))
            if not (least <= value <= most and value < float("inf")):
                expected = f"{least} or more" if most == float("inf") else f"{least} to {most}"
                found.append(f"--{each.name.replace('_', '-')} cannot be {value}; expected {expected}")
        if self.data_since and not _is_day(self.data_since):
            found.append(f"--data-since cannot be {self.data_since!r}; expected a day, YYYY-MM-DD")
        return found

    @property
    def home_directory(self) -> Path:
        """The home as a path; the supervisor has filled it in before any process is started."""
        return Path(self.home)


def _is_day(text: str) -> bool:
    """Whether it is a day as YYYY-MM-DD: days are compared as words, and other ways to write one would mislead."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def parser() -> argparse.ArgumentParser:
    """The command line of `python -m standin`: one option for each field of `Settings`."""
    made = argparse.ArgumentParser(
        prog="python -m standin",
        description="A stand-in for KTRDR, and no KTRDR: a backend and workers that really run and cancel "
        "backtests over real EUR/USD daily rates.",
    )
    types = get_type_hints(Settings)
    group = made.add_argument_group()
    for each in fields(Settings):
        if each.name in GROUPS:
            group = made.add_argument_group(GROUPS[each.name])
        flag, help_text = "--" + each.name.replace("_", "-"), each.metadata["help"]
        default = None if each.default is MISSING else each.default
        if types[each.name] is bool:
            group.add_argument(flag, action="store_true", help=help_text)
        elif isinstance(default, tuple):
            group.add_argument(flag, action="append", default=[], metavar="NAME", help=help_text)
        else:
            shown = "" if default == "" else f" (default {default})"
            group.add_argument(
                flag,
                type=types[each.name],
                default=default,
                help=help_text + shown,
                choices=each.metadata["choices"] or None,
                metavar=None if each.metadata["choices"] else types[each.name].__name__.upper(),
            )
    group.add_argument("--list-faults", action="store_true", help="print the faults, one a line, and end")
    return made


def from_arguments(arguments: argparse.Namespace) -> Settings:
    """The settings that a parsed command line asks for."""
    values = {each.name: getattr(arguments, each.name) for each in fields(Settings)}
    values["fault"] = tuple(dict.fromkeys(values["fault"]))
    return Settings(**values)
