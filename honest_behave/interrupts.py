"""SIGINT, SIGTERM and SIGHUP end a run in good order: hooks and clean-ups run, and the results say what was not run.

So does an output that cannot be written any more: a pager that was left, a `tee` that Ctrl-C ended first, a full disk.
"""

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

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
        """What ended the run: the name of a signal, or an output that cannot be written any more."""

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
            self._stop(at_once=not self._cleaning or self._signals > 1)

        before = {}
        try:
            for number in ENDING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, interrupt)
        except ValueError:
            pass  # not in the main thread: whoever runs us there handles signals
        try:
            with self._outputs_watched():
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, *, at_once: bool) -> None:
        """Now, or when the clean-up that is under way is over, if whoever runs us can see to that."""
        if at_once or not self._after_the_cleanup(self.stopped_by):
            raise KeyboardInterrupt(self.stopped_by)

    @contextmanager
    def _outputs_watched(self) -> Iterator[None]:
        """The first write to the console that fails ends the run like a signal; what is said after it goes nowhere.

        Whoever else writes to it has the stream already: Behave's formatters, its own last words. So it is the stream
        that is watched.
        """
        outputs = {id(one): one for one in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)}
        watched = [one for one in outputs.values() if isinstance(one, io.TextIOWrapper)]
        for stream in watched:
            for name in ("write", "flush"):
                setattr(stream, name, partial(self._written, stream, getattr(stream, name)))
        try:
            yield
        finally:
            for stream in watched:
                for name in ("write", "flush"):
                    vars(stream).pop(name, None)

    def _written(self, stream: io.TextIOWrapper, write: Callable[..., Any], *text: str) -> Any:
        try:
            return write(*text)
        except OSError as error:
            _nobody_reads([stream.fileno()])
            if not self.stopped_by:
                self.stopped_by = f"an output that cannot be written any more ({error.strerror})"
                self._stop(at_once=not self._cleaning and threading.current_thread() is threading.main_thread())
            return 0


def _nobody_reads(outputs: Iterable[int]) -> None:
    """Let what is still said go nowhere: it would fail, and the clean-up with it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in outputs:
        os.dup2(nowhere, number)
    os.close(nowhere)
