"""From a judgement to a step's outcome: a Hamcrest assertion where KTRDR did wrong, ``Inconclusive`` where nothing was learnt."""

from __future__ import annotations

from collections.abc import Sequence

from hamcrest import assert_that
from hamcrest.core.base_matcher import BaseMatcher
from hamcrest.core.description import Description

from honest_behave.outcomes import Inconclusive
from ktrdr_qa.judge.judgement import Judgement

INDENT = "\n          "


class Holds(BaseMatcher[Judgement]):
    """Matches a judgement that holds; its mismatch says what was seen, and how to see it again."""

    def __init__(self, expected: str, besides: Sequence[str], again: str):
        self._expected = expected
        self._besides = besides
        self._again = again

    def _matches(self, item: Judgement) -> bool:
        return item.holds

    def describe_to(self, description: Description) -> None:
        description.append_text(self._expected)

    def describe_mismatch(self, item: Judgement, mismatch_description: Description) -> None:
        mismatch_description.append_text(INDENT.join((item.seen, *self._besides)))
        if self._again:
            mismatch_description.append_text(f"\n   again: {self._again}")


def holds(judgement: Judgement, besides: Sequence[str] = (), again: str = "") -> Holds:
    return Holds(judgement.expected, besides, again)


def verify(judgement: Judgement, besides: Sequence[str] = (), again: str = "") -> None:
    """Raise ``AssertionError`` where the judgement is violated, ``Inconclusive`` where it is unknown."""
    if judgement.unknown:
        lines = [f"could not be told: {judgement.expected}", f"     but: {judgement.seen}"]
        lines += [f"          {line}" for line in besides]
        lines += [f"   again: {again}"] if again else []
        raise Inconclusive("\n".join(lines))
    assert_that(judgement, holds(judgement, besides, again))
