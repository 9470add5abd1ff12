"""Behave with a stop-watch: what of its time the suite spent waiting for the platform, and how much memory it took.

Writes one line of JSON to the file named by the environment variable ``BENCH_FIGURES``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> int:
    sys.path.insert(0, str(Path.cwd()))
    from behave.__main__ import main as behave

    from bench.memory import peak_mb
    from ktrdr_qa.platform import client, embedded
    from ktrdr_qa.record import waiting

    waited: list[float] = []
    busy = [False]

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not threading.main_thread() or busy[0]:
                return function(*args, **kwargs)
            busy[0] = True
            began_s = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                busy[0] = False
                waited.append(time.perf_counter() - began_s)

        return wrapped

    waiting._wait = timed(waiting._wait)
    client.Client.exchange = timed(client.Client.exchange)  # type: ignore[method-assign]
    embedded.launch = timed(embedded.launch)
    status = behave(sys.argv[1:])
    figures = {
        "waited_s": sum(waited),
        "peak_mb": peak_mb(),
    }
    Path(os.environ["BENCH_FIGURES"]).write_text(json.dumps(figures), encoding="utf-8")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
