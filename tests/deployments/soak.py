"""Many runs in a row: ``python -m tests.deployments.soak --runs 50`` and ``... --embedded``.

Without ``--embedded``: one stand-in that stays, behind a proxy that adds latency to every answer and loses some of
the readings; no verdict may be wrong. With it: the embedded KTRDR, launched anew by each run; nothing may be left.
Exit status 0 only if every run passed and left nothing.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import requests

from tests.deployments.harness import MAIN, Place, Platform, Ran, children, started
from tests.deployments.proxy import Answer, Asked, Closed, Reset, proxy


@contextmanager
def bad_network(upstream: str, latency_s: float, loss: float, seed: int) -> Iterator[tuple[str, list[int]]]:
    """The address of the platform behind it, and how many readings came and were lost so far."""
    dice, counts, kinds = random.Random(seed), [0, 0], itertools.cycle([Reset, Closed])

    def rule(asked: Asked) -> Answer | None:
        asked.pause(latency_s)
        if asked.method == "GET":
            counts[0] += 1
            if dice.random() < loss:
                counts[1] += 1
                raise next(kinds)
        return None

    with proxy(upstream, rule) as url:
        yield url, counts


def judged(ran: Ran, left: list[str], number: int) -> bool:
    """Say how a run came out; whether it is as it should be."""
    good = ran.exit_status == 0 and ran.outcome == "passed" and not left
    line = f"{'ok' if good else 'WRONG':5} {number:3}  {ran.outcome:12} {ran.took_s:5.1f} s  {'; '.join(left)}"
    print(line.rstrip(), flush=True)
    if not good:
        print("\n".join(ran.summary["reasons"]), flush=True)
    return good


def over_a_bad_network(runs: int, latency_s: float, loss: float, seed: int) -> list[tuple[bool, Ran]]:
    done = []
    with tempfile.TemporaryDirectory(prefix="soak-") as name, started("--registry-lag-s", "0") as platform:
        place = Place(Path(name) / "suite")
        with bad_network(platform.url, latency_s, loss, seed) as (url, counts):
            for number in range(1, runs + 1):
                ran = place.live(url, more="")
                done.append((judged(ran, left_on(platform), number), ran))
        print(f"readings: {counts[0]}, of which lost: {counts[1]} ({100 * counts[1] / counts[0]:.1f} %)")
    return done


def left_on(platform: Platform) -> list[str]:
    return [f"{backtest} still runs" for backtest in platform.active()]


def on_the_embedded(runs: int) -> list[tuple[bool, Ran]]:
    done = []
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        place = Place(Path(name) / "suite")
        own_tmp = Path(name) / "tmp"
        own_tmp.mkdir()
        for number in range(1, runs + 1):
            run = place.begin(MAIN, TMPDIR=str(own_tmp))
            seen: dict[int, psutil.Process] = {}
            while run.poll() is None:
                seen.update({c.pid: c for c in children(run)})
                try:
                    run.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
            ran = place.finish(run)
            done.append((judged(ran, left_by(ran, list(seen.values()), own_tmp), number), ran))
    return done


def left_by(ran: Ran, processes: list[psutil.Process], own_tmp: Path) -> list[str]:
    """What a run on an embedded KTRDR has left: processes, an open port, files, notes of open backtests."""
    left = [f"process {p.pid}" for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    address = ran.summary["target"]["address"]
    try:
        requests.get(address, timeout=2)
        left.append(f"port {urlsplit(address).port} is open")
    except requests.ConnectionError:
        pass
    left += [f"file {f.name}" for f in own_tmp.iterdir()]
    left += [f"journal {f.name}" for f in (ran.place / "reports" / "journal").glob("*.json")]
    return left


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.deployments.soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--embedded", action="store_true", help="the embedded KTRDR, and what each run leaves behind")
    parser.add_argument("--latency-s", type=float, default=0.1)
    parser.add_argument("--loss", type=float, default=0.05, help="share of the readings that are lost (default 0.05)")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if asked.embedded:
        done = on_the_embedded(asked.runs)
    else:
        done = over_a_bad_network(asked.runs, asked.latency_s, asked.loss, asked.seed)
    good = sum(g for g, _ in done)
    wrong = sum(ran.outcome == "failed" for _, ran in done)
    median_s = statistics.median(ran.took_s for _, ran in done)
    print(f"{good} of {len(done)} passed and left nothing; wrong verdicts: {wrong}; median {median_s:.1f} s a run")
    return 0 if good == len(done) else 1


if __name__ == "__main__":
    sys.exit(main())
