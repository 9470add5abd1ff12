"""What it costs to watch 1, 10, 100 and 1,000 running backtests by pages of the list, and how soon a change is seen.

The list is served by a process of its own, whose backtests change once a second, each at its own moment, by a clock that
both processes read: so it is known when what a reading shows came true. Each backtest has a recorder of its own, as in
a storm. Counted are the watching process's processor time and memory.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from urllib.parse import parse_qs, urlsplit

from bench.memory import peak_mb
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Passing
from ktrdr_qa.record.history import Sample
from ktrdr_qa.record.recorder import Recorder
from ktrdr_qa.record.roll_call import RollCall

ROOT = Path(__file__).resolve().parents[1]
STEP = 0.01
"""The percentage rises by so much with each change."""


@dataclass(frozen=True)
class Cost:
    """What watching so many backtests for ``watched_s`` came to."""

    operations: int
    watched_s: float
    cpu_s: float
    readings: int
    peak_mb: float
    lag_s: float
    """From a change to its being seen, the median."""
    changes: int

    @property
    def cores(self) -> float:
        return self.cpu_s / self.watched_s

    @property
    def per_operation_minute_s(self) -> float:
        return self.cores / self.operations * 60

    @property
    def a_reading_s(self) -> float:
        """Processor time for one reading of one backtest."""
        return self.cpu_s / self.readings


def changes_by(number: int, operations: int, since_s: float) -> int:
    """How often the backtest of this number has changed, so long after the beginning."""
    return max(0, math.floor(since_s - number / operations) + 1)


def measured(operations: int, watch_s: float) -> Cost:
    """Watch so many backtests, in a process of its own."""
    with _serving(operations) as (url, began_s):
        command = [sys.executable, "-m", "bench.recorder", "watch", str(operations), url, began_s, str(watch_s)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return Cost(**json.loads(done.stdout))


@contextmanager
def _serving(operations: int) -> Iterator[tuple[str, str]]:
    command = [sys.executable, "-m", "bench.recorder", "serve", str(operations)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            url, began_s = server.stdout.readline().split()
            yield url, began_s
        finally:
            server.kill()


def watch(operations: int, url: str, began_s: float, watch_s: float) -> Cost:
    """Watch until everyone was read once, then count for so long."""
    recorders = [Recorder(time.monotonic) for _ in range(operations)]
    roll = RollCall(Client(url, Passing()), time.monotonic)
    for number, recorder in enumerate(recorders):
        roll.watch(f"op_{number}", recorder)
    while not all(recorder.history().samples for recorder in recorders):
        time.sleep(0.1)
    from_s, cpu_s = time.monotonic(), time.process_time()
    time.sleep(watch_s)
    cpu_s, until_s = time.process_time() - cpu_s, time.monotonic()
    roll.stop()
    memory_mb = peak_mb()
    counted = sum(from_s <= s.answered_s <= until_s for recorder in recorders for s in recorder.history().samples)
    lags_s = [
        lag_s
        for number, recorder in enumerate(recorders)
        for lag_s in _lags_s(recorder.history().samples, number, operations, began_s)
    ]
    return Cost(operations, until_s - from_s, cpu_s, counted, memory_mb, median(lags_s), len(lags_s))


def _lags_s(samples: Sequence[Sample], number: int, operations: int, began_s: float) -> Iterator[float]:
    """For each change that a reading shows first: how long ago it was."""
    seen = None
    for sample in samples:
        told = round((sample.percentage or 0.0) / STEP)
        if seen is not None and told > seen:
            # What a later change had hidden by then counts from its own moment as well.
            yield from (
                sample.answered_s - (began_s + number / operations + change - 1) for change in range(seen + 1, told + 1)
            )
        seen = told


def serve(operations: int) -> None:
    """Serve the list, newest first, until killed; says its address and the moment of the beginning."""
    began_s = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            given = parse_qs(urlsplit(self.path).query)
            offset, limit = (int(given.get(name, [default])[0]) for name, default in (("offset", "0"), ("limit", "10")))
            since_s = time.monotonic() - began_s
            rows = [_row(n, operations, since_s) for n in range(offset, min(offset + limit, operations))]
            document = {"success": True, "data": rows, "total_count": operations, "active_count": operations}
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port} {began_s}", flush=True)
    server.serve_forever()


def _row(number: int, operations: int, since_s: float) -> dict[str, object]:
    """A row of the list as a measured KTRDR's (contract, operations_list_active)."""
    changes = changes_by(number, operations, since_s)
    return {
        "operation_id": f"op_{number}",
        "operation_type": "backtesting",
        "status": "running",
        "created_at": "2026-11-22T18:52:36.492355Z",
        "progress_percentage": changes * STEP,
        "current_step": f"Backtesting EURUSD 1h [bar {changes}]",
        "symbol": "EURUSD",
        "duration_seconds": None,
    }


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        print(json.dumps(asdict(watch(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), float(sys.argv[5])))))
