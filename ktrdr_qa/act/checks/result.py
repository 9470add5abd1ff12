"""What a check found, and the commands of KTRDR's catalogue that mend it."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ktrdr_qa.words import plain

State = Literal["ok", "failed", "not checked"]
LOOK_AGAIN_S = 0.1


@dataclass(frozen=True)
class Cure:
    """Commands of the catalogue that mend a failed check, how long to wait for it, and how often to try."""

    commands: tuple[tuple[str, ...], ...]
    wait_s: float
    tries: int
    directory: Path | None = None

    def __str__(self) -> str:
        where = f"cd {shlex.quote(str(self.directory))} && " if self.directory else ""
        return where + " && ".join(shlex.join(c) for c in self.commands)


@dataclass(frozen=True)
class Result:
    """What a check found. ``advice`` is for what no command can mend."""

    name: str
    state: State
    seen: str
    cure: Cure | None = None
    advice: str = ""


Ask = Callable[[], Result]


def apply(cure: Cure, result: Result, ask: Ask, say: Callable[[str], None]) -> Result:
    """Run the commands until the check does not fail any more, at most ``cure.tries`` times; its last result."""
    for attempt in range(1, cure.tries + 1):
        say(f"cure {attempt} of {cure.tries} for {result.name} ({result.seen}): {cure}")
        for command in cure.commands:
            try:
                done = subprocess.run(command, cwd=cure.directory, capture_output=True, timeout=120, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                say(f"  {shlex.join(command)}: {error}")
                return result
            if done.returncode:
                say(
                    f"  {shlex.join(command)}: {plain(done.stderr.decode(errors='replace')).strip() or done.returncode}"
                )
        deadline_s = time.monotonic() + cure.wait_s
        while True:
            result = ask()
            if result.state != "failed":
                say(f"  {result.name} is {result.state} now: {result.seen}")
                return result
            if time.monotonic() >= deadline_s:
                break
            time.sleep(LOOK_AGAIN_S)
    say(f"  {result.name} is not cured: {result.seen}")
    return result
