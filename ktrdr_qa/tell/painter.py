"""Has the pictures drawn, by Matplotlib in a process of its own, which is started with the run.

Its import, half a second and 70 MB, then costs neither time nor memory of the suite's own process while it records.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ktrdr_qa.record.history import History, from_json
from ktrdr_qa.system import of_its_own

DRAW_S = 30.0


@dataclass
class Drawing:
    """A picture that is being drawn. ``svg`` waits for it, and may be called again."""

    _answer: Callable[[], bytes]
    _told: bytes | OSError | None = None

    def svg(self) -> bytes:
        """Raises ``OSError`` with the reason where it could not be drawn."""
        if self._told is None:
            try:
                self._told = self._answer()
            except OSError as error:
                self._told = error
        if isinstance(self._told, OSError):
            raise self._told
        return self._told


class Painter:
    """A process that draws one picture after the other, while the suite does other things."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-m", "ktrdr_qa.tell.painter"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **of_its_own(),
        )
        self._under_way: Drawing | None = None

    def draw(self, history: History) -> Drawing:
        """The picture of one run."""
        return self._ask("run", history.to_json())

    def draw_trend(self, runs: Sequence[Mapping[str, Any]]) -> Drawing:
        """The picture of the last runs, oldest first (the lines of ``trends.Figures``)."""
        return self._ask("trend", json.dumps(list(runs)))

    def _ask(self, what: str, text: str) -> Drawing:
        if self._under_way:
            with suppress(OSError):  # Its answer comes first, whether anybody wants it or not.
                self._under_way.svg()
        data = text.encode()
        assert self._process.stdin
        with suppress(OSError), self._patience():  # A process that has ended is told of where its answer is read.
            self._process.stdin.write(f"{what} {len(data)}\n".encode() + data)
            self._process.stdin.flush()
        self._under_way = Drawing(self._answer)
        return self._under_way

    def _answer(self) -> bytes:
        assert self._process.stdout
        with self._patience():
            kind, _, size = self._process.stdout.readline().partition(b" ")
            if not size:
                raise OSError(f"the drawing process ended with status {self._process.wait()}")
            answer = self._process.stdout.read(int(size))
        if kind != b"svg":
            raise OSError(answer.decode(errors="replace"))
        return answer

    @contextmanager
    def _patience(self) -> Iterator[None]:
        timer = threading.Timer(DRAW_S, self._process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the process: nothing of it is lost, and its own orderly end would be waited for."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin and self._process.stdout
        with suppress(OSError):  # What was not read is of no use to anybody.
            self._process.stdin.close()
        self._process.stdout.close()


def _serve() -> None:
    """Draw whatever comes in, until the other end closes."""
    from matplotlib import figure, rcParams  # noqa: F401 - imported before there is anything to draw
    from matplotlib.backends import backend_svg  # noqa: F401

    from ktrdr_qa.tell.picture import paint
    from ktrdr_qa.tell.trend_picture import paint_trend

    drawn: dict[str, Callable[[str], bytes]] = {
        "run": lambda text: paint(from_json(text)),
        "trend": lambda text: paint_trend(json.loads(text)),
    }
    rcParams["text.parse_math"] = False  # A dollar in the words of a platform or of a target is a dollar.
    paint(History(about={}, samples=(), events=()))  # The first one takes twice as long: nobody waits for this one.
    gc.collect()
    gc.freeze()
    while head := sys.stdin.buffer.readline():
        what, _, size = head.decode().partition(" ")
        text = sys.stdin.buffer.read(int(size)).decode()
        try:
            kind, answer = "svg", drawn[what](text)
        except Exception as error:  # noqa: BLE001 - it is told, and the next picture may be drawn all the same
            kind, answer = "error", f"{type(error).__name__}: {error}".encode()
        sys.stdout.buffer.write(f"{kind} {len(answer)}\n".encode() + answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
