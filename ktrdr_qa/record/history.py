"""What was seen, and when: the film that every judgement reads.

A history is plain data. It is filled by the recorder while a scenario runs, attached to the report as
JSON, and can be read back from that file to be judged again. Times are seconds on the monotonic clock of
the host that ran the suite, counted from the history's beginning, so clock skew between hosts cannot matter.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

from ktrdr_qa.platform.statuses import TERMINAL
from ktrdr_qa.words import plain_value

FORMAT = "ktrdr-qa/history"
VERSION = 1

View = Literal["backend", "list", "registry", "worker", "health", "processor", "other", "process", "listing", "pages"]
"""``other``: the backend's record of a backtest that is not this run's, read because its end or its beginning may be;
``process``: what one of KTRDR's processes uses, its id being the worker's or ``backend``;
``listing``: the list under a filter, which is the subject; ``pages``: the list page by page."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of one view.

    ``asked_s`` and ``answered_s`` bracket the moment for which it is true: the state held at some time
    between them. ``subject`` is an operation's id, or a worker's id for what is read of a worker.
    A reading that could not be had has a ``problem`` and nothing else; it is a gap, not a verdict.
    """

    view: View
    subject: str
    asked_s: float
    answered_s: float
    status: str | None = None
    percentage: float | None = None
    cpu_s: float | None = None
    problem: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL


@dataclass(frozen=True)
class Event:
    """Something that the suite did or learnt: ``start_sent``, ``cancel_sent``, ``cancel_answered``, ..."""

    kind: str
    at_s: float
    subject: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """Samples and events in the order of their times, with what is needed to judge them again."""

    samples: tuple[Sample, ...] = ()
    events: tuple[Event, ...] = ()
    until_s: float = 0.0
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def backtest(self) -> str:
        """The one that is cancelled; empty where none was started."""
        return str(self.about.get("backtest", ""))

    def of(self, view: View, subject: str) -> tuple[Sample, ...]:
        """The readings of one view of one subject that could be had, oldest first."""
        return self._by_view_and_subject.get((view, subject, False), ())

    def end_of(self, backtest: str) -> Sample | None:
        """The first reading by which the backend has it ended."""
        return next((s for s in self.of("backend", backtest) if s.terminal), None)

    def problems(self, view: View, subject: str) -> tuple[Sample, ...]:
        return self._by_view_and_subject.get((view, subject, True), ())

    def subjects(self, view: View) -> list[str]:
        """Whom the readings of a view are about, lost ones included, in the order of their names."""
        return sorted({of for seen, of, _ in self._by_view_and_subject if seen == view})

    @cached_property
    def _by_view_and_subject(self) -> dict[tuple[View, str, bool], tuple[Sample, ...]]:
        """The samples sorted out once, by whether they were lost too: a list may name thousands of backtests."""
        sorted_out: dict[tuple[View, str, bool], list[Sample]] = {}
        for s in self.samples:
            sorted_out.setdefault((s.view, s.subject, bool(s.problem)), []).append(s)
        return {key: tuple(samples) for key, samples in sorted_out.items()}

    def event(self, kind: str, subject: str) -> Event | None:
        """The first event of a kind about a subject."""
        return next((e for e in self.events if e.kind == kind and e.subject == subject), None)

    def last_event(self, kind: str, subject: str) -> Event | None:
        return next((e for e in reversed(self.events) if e.kind == kind and e.subject == subject), None)

    def to_json(self) -> str:
        """Indented JSON, one object a reading.

        Every digit is kept: a reading asked a hair after a limit must be so in the file as well.
        """
        document = {
            "format": FORMAT,
            "version": VERSION,
            "about": dict(self.about),
            "until_s": self.until_s,
            "events": [_without_blanks(e) for e in self.events],
            "samples": [_without_blanks(s) for s in self.samples],
        }
        return json.dumps(document, indent=1, ensure_ascii=False, default=str)


def from_json(text: str) -> History:
    """Read a history that ``to_json`` wrote.

    Raises ``ValueError`` with one clear line where the text is no such history.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:  # Python reads no number of thousands of digits.
        raise ValueError(f"not JSON ({error}); expected a history as the report attaches it") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f'not a history: expected "format": "{FORMAT}" at the top')
    if document.get("version") != VERSION:
        raise ValueError(f"a history of version {document.get('version')}; this suite reads version {VERSION}")
    try:
        return _in_time(
            ordered(
                (Sample(**_checked(s)) for s in document["samples"]),
                (Event(**_checked(e)) for e in document["events"]),
                _checked({"until_s": document["until_s"]})["until_s"],
                _checked({"facts": document["about"]})["facts"],
            )
        )
    except KeyError as error:
        raise ValueError(f"the history is damaged: it has no {error}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"the history is damaged: {error}") from error


def ordered(
    samples: Iterable[Sample], events: Iterable[Event], until_s: float, about: Mapping[str, Any] | None = None
) -> History:
    """A history from readings in any order: judgements may rely on the order of their times."""
    return History(
        tuple(sorted(samples, key=lambda s: (s.answered_s, s.asked_s))),
        tuple(sorted(events, key=lambda e: e.at_s)),
        until_s,
        dict(about or {}),
    )


def is_number(value: Any) -> bool:
    """Whether it is a number that can be reckoned with: an integer may be longer than any float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


ROUNDED_S = 0.01
"""By so much two times may be apart because somebody has rounded one of them."""


def _in_time(history: History) -> History:
    """The same history; raises ``ValueError`` where a reading cannot have been made when it says, or not until the end."""
    for s in history.samples:
        if s.asked_s > s.answered_s + ROUNDED_S:
            raise ValueError(
                f"a reading of {s.view} {s.subject!r} was answered at {s.answered_s} s, before it was asked at {s.asked_s} s"
            )
    last_s = max((s.answered_s for s in history.samples), default=0.0)
    if history.until_s < last_s - ROUNDED_S:
        raise ValueError(
            f"until_s is {history.until_s}, and it has to be {last_s} at least, when the last reading came"
        )
    return history


def _without_blanks(record: Event | Sample) -> dict[str, Any]:
    """What a record says; a number that is none (NaN) says nothing, and JSON has no word for it."""
    named = ((name, getattr(record, name)) for name in record.__dataclass_fields__)  # ``asdict`` would copy it all.
    return {name: v for name, v in named if v is not None and v != {} and not _no_number(v)}


def _no_number(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _checked(record: Any) -> dict[str, Any]:
    """The fields of a sample or an event as they were read; raises ``TypeError`` where one is of the wrong kind."""
    if not isinstance(record, dict):
        raise TypeError(f"{record!r} is no object")
    for name, value in record.items():
        if value is None and name in ("status", "percentage", "cpu_s", "problem"):
            continue
        if name.endswith("_s") or name == "percentage":
            if not is_number(value):
                raise TypeError(f"{name} is no number: {value!r}")
        elif name == "facts":
            if not isinstance(value, dict):
                raise TypeError(f"{value!r} is no object")
        elif not isinstance(value, str):
            raise TypeError(f"{name} is no text: {value!r}")
        elif name == "view" and value not in get_args(View):
            raise TypeError(f"there is no view {value!r}")
    return dict(plain_value(record))
