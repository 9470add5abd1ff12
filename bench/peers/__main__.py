"""Run the peers and this suite side by side on a healthy platform, then against all of the gallery, and count.

A broken platform is caught where the check does not pass, whatever it says; a healthy one is slandered where it does not
pass. Each check has a fresh platform of its own. That this suite also says what is wrong is for ``tests.gallery``.
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
from bench.side_by_side import FEATURE, SUITE, Times, commit, measured
from honest_behave.outcomes import Inconclusive
from tests.gallery.__main__ import ALWAYS, faults, healthy, named, run_fault, run_platform
from tools import readme

WHO = (*COMMANDS, SUITE)


@dataclass(frozen=True)
class Tried:
    """One check on one platform, and whether it said what is true: broken or healthy."""

    who: str
    platform: str
    broken: bool
    right: bool


def of_the_recipe(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows whose feature is the recipe's: what other features look for is not held against the peers."""
    return [row for row in rows if row.get("feature", FEATURE) == FEATURE]


def broken(who: str, fault: dict[str, Any]) -> Tried:
    if who == SUITE:
        return Tried(who, fault["name"], True, run_fault(fault).outcome not in ("passed", "nothing"))
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


def table(tried: Sequence[Tried], times: Times) -> str:
    """Each check in a line: its time, of the broken platforms how many it caught, of the healthy ones how many it slandered."""
    lines = ["| check | whole process | of the recipe's time | broken platforms caught | healthy platforms slandered |"]
    lines.append("|---|---|---|---|---|")
    for who in WHO:
        own = [one for one in tried if one.who == who]
        faulty, fine = ([one for one in own if one.broken is kind] for kind in (True, False))
        lines.append(
            f"| {who} | {times.median_s(who):.2f} s | {times.ratio(who):.2f} | {sum(one.right for one in faulty)} of {len(faulty)} "
            f"| {sum(not one.right for one in fine)} of {len(fine)} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("only", nargs="*", help="faults and healthy platforms, by the beginning of their names")
    parser.add_argument("--jobs", type=int, default=4, help="platforms side by side (default 4)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each that are timed first (default 3)")
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
    with stand_in(*ALWAYS) as platform:
        times = measured(platform, asked.runs, WHO)
    tried: list[Tried] = []
    with ThreadPoolExecutor(asked.jobs) as pool:
        try:
            futures = [pool.submit(run, who, row) for run, row in rows for who in WHO]
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
    told = table(tried, times)
    print(f"\n{told}")
    if asked.readme:
        words = f"`make peers` at {commit()}, {asked.runs} runs timed, medians, {times.of_the_load()}; counted in {minutes:.0f} min:"
        readme.put("make peers", f"{words}\n\n{told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
