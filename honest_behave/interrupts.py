"""SIGINT, SIGTERM and SIGHUP end a run in good order: hooks and clean-ups run, and the results say what was not run."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The last comes where a terminal is closed, or a connection to it drops; Windows has none."""


class Interrupts:
    """The signals of one run. The first one does not interrupt a clean-up that is under way, a second one does."""

    def __init__(self, after_the_cleanup: Callable[[str], bool]) -> None:
        self._after_the_cleanup = after_the_cleanup
        """Told the signal's name; says whether it will end the run when the clean-up is over."""
        self._cleaning = 0
        self._signals = 0
        self.stopped_by = ""
        """The signal that ended the run."""

    @contextmanager
    def held_off(self) -> Iterator[None]:
        """While this is cleaned up."""
        self._cleaning += 1
        try:
            yield
        finally:
            self._cleaning -= 1

    @contextmanager
    def as_exceptions(self) -> Iterator[None]:
        """Each of them raises KeyboardInterrupt, which Behave turns into an orderly end."""
        terminals = [number for number in (1, 2) if os.isatty(number)]

        def interrupt(number: int, _: FrameType | None) -> None:
            self._signals += 1
            if number not in (signal.SIGINT, signal.SIGTERM):
                _nobody_reads(terminals)
            self.stopped_by = signal.Signals(number).name
            if not (self._cleaning and self._signals == 1 and self._after_the_cleanup(self.stopped_by)):
                raise KeyboardInterrupt(self.stopped_by)

        before = {}
        try:
            for number in ENDING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, interrupt)
        except ValueError:
            pass  # not in the main thread: whoever runs us there handles signals
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _nobody_reads(terminals: Iterable[int]) -> None:
    """Let what is still said go nowhere: on a terminal that is gone it would fail, and the clean-up with it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in terminals:
        os.dup2(nowhere, number)
    os.close(nowhere)
