"""Run the peers and this suite against the gallery's broken and healthy platforms, and count: ``python -m bench.peers``.

A broken platform is caught where the check does not pass (of this suite: where it says what the gallery's table says);
a healthy one is slandered where it does not pass. Each check has a fresh platform of its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from bench.peers.checks import COMMANDS, check, missing, port_of, stand_in
from honest_behave.outcomes import Inconclusive
from tests.gallery.__main__ import ALWAYS, faults, healthy, named, run_fault, run_platform
from tools import readme

SUITE = "this suite"
MAIN = "features/backtest_cancellation.feature"


@dataclass(frozen=True)
class Tried:
    """One check on one platform, and whether it said what is true: broken or healthy."""

    who: str
    platform: str
    broken: bool
    right: bool


def of_the_recipe(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows whose feature is the recipe's: what other features look for is not held against the peers."""
    return [row for row in rows if row.get("feature", MAIN) == MAIN]


def broken(who: str, fault: dict[str, Any]) -> Tried:
    if who == SUITE:
        return Tried(who, fault["name"], True, not run_fault(fault).wrong)
    arguments = [*ALWAYS, *fault.get("arguments", ()), "--fault", fault["name"]]
    return Tried(who, fault["name"], True, not _passes(who, arguments))


def sound(who: str, platform: dict[str, Any]) -> Tried:
    if who == SUITE:
        return Tried(who, platform["name"], False, run_platform(platform).outcome == "passed")
    return Tried(who, platform["name"], False, _passes(who, platform["arguments"]))


def _passes(who: str, arguments: Sequence[str]) -> bool:
    try:
        with stand_in(*arguments) as platform:
            return check(who, port_of(platform)).passed
    except Inconclusive:
        return False


def table(tried: Sequence[Tried]) -> str:
    """Each check in a line: of the broken platforms how many it caught, of the healthy ones how many it slandered."""
    lines = ["| check | broken platforms caught | healthy platforms slandered |", "|---|---|---|"]
    for who in (SUITE, *COMMANDS):
        own = [one for one in tried if one.who == who]
        faulty, fine = ([one for one in own if one.broken is kind] for kind in (True, False))
        lines.append(
            f"| {who} | {sum(one.right for one in faulty)} of {len(faulty)} "
            f"| {sum(not one.right for one in fine)} of {len(fine)} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("only", nargs="*", help="faults and healthy platforms, by the beginning of their names")
    parser.add_argument("--jobs", type=int, default=4, help="platforms side by side (default 4)")
    parser.add_argument("--readme", action="store_true", help="write the table into the README too")
    asked = parser.parse_args()
    if lacking := missing():
        print(lacking, file=sys.stderr)
        return 2
    began_s = time.monotonic()
    rows = [(broken, row) for row in named(of_the_recipe(faults()), asked.only)]
    # Where nothing can be learnt, no check can be right.
    can_pass = [row for row in healthy() if row.get("outcome", "passed") == "passed"]
    rows += [(sound, row) for row in named(of_the_recipe(can_pass), asked.only)]
    if not rows:
        parser.error(f"nothing is called {', '.join(asked.only)}...")
    tried: list[Tried] = []
    with ThreadPoolExecutor(asked.jobs) as pool:
        try:
            futures = [pool.submit(run, who, row) for run, row in rows for who in (SUITE, *COMMANDS)]
            for number, done in enumerate(as_completed(futures), start=1):
                tried.append(one := done.result())
                if not one.right:
                    said = "passed a broken platform" if one.broken else "slandered a healthy platform"
                    print(f"{one.who} {said}: {one.platform}", flush=True)
                if number % 20 == 0 or number == len(futures):
                    minutes = (time.monotonic() - began_s) / 60
                    print(f"{number} of {len(futures)} checks, {minutes:.1f} min", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    minutes = (time.monotonic() - began_s) / 60
    told = table(tried)
    print(f"\n{told}")
    if asked.readme:
        readme.put("make peers", f"`make peers`, each on a fresh platform, in {minutes:.0f} minutes:\n\n{told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
