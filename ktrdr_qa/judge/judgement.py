"""What a rule makes of a history: ``holds``, ``violated`` or ``unknown`` with the sentence that explains it.

``unknown`` means that the history does not (yet) show either. A reading is evidence for some moment between
asking and answering, so lateness is only held against KTRDR where a reading *asked* after the limit shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["holds", "violated", "unknown"]
Figures = Mapping[str, float]
"""Seconds, percent or counts, by their names."""


@dataclass(frozen=True)
class Judgement:
    """What was expected, what was seen, and since when.

    ``final``: not known, and no further reading will tell. ``heard``: not known, of a witness that was heard and did not
    say that the backtest has stopped; it spoils a pass, which one that was out of reach does not.
    """

    name: str
    verdict: Verdict
    expected: str
    seen: str
    at_s: float | None = None
    observations: tuple[str, ...] = ()
    figures: Figures = field(default_factory=dict)
    final: bool = False
    heard: bool = False

    @property
    def holds(self) -> bool:
        return self.verdict == "holds"

    @property
    def violated(self) -> bool:
        return self.verdict == "violated"

    @property
    def unknown(self) -> bool:
        return self.verdict == "unknown"


@dataclass(frozen=True)
class Rule:
    """A rule's name and what it expects, said once; its judgements then read as what was seen.

    ``told`` are observations: worth a line of the report, and no reason for the verdict.
    """

    name: str
    expected: str

    def holds(self, seen: str, told: tuple[str, ...] = (), figures: Figures | None = None) -> Judgement:
        return Judgement(self.name, "holds", self.expected, seen, None, told, figures or {})

    def violated(self, seen: str, at_s: float | None = None, figures: Figures | None = None) -> Judgement:
        return Judgement(self.name, "violated", self.expected, seen, at_s, (), figures or {})

    def unknown(
        self,
        seen: str,
        told: tuple[str, ...] = (),
        figures: Figures | None = None,
        *,
        final: bool = False,
        heard: bool = False,
    ) -> Judgement:
        return Judgement(self.name, "unknown", self.expected, seen, None, told, figures or {}, final, heard)
