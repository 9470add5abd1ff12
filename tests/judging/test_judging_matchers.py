"""From a judgement to a step's outcome, and the text of its failure, to the letter."""

from __future__ import annotations

import pytest
from hamcrest import assert_that
from hamcrest.core.string_description import StringDescription

from honest_behave.outcomes import Inconclusive
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.matchers import holds, verify

CURL = "curl -s http://localhost:8000/api/v1/operations/op_1"
EXPECTED = "the backtest is reported as cancelled within 2.0 s of the cancel"
SEEN = 'it was still "running" at 41.2 % 2.0 s after the cancel was answered (21 readings)'


def judged(verdict: str) -> Judgement:
    return Judgement("cancelled", verdict, EXPECTED, SEEN)  # type: ignore[arg-type]


def test_what_holds_passes_without_a_word() -> None:
    verify(judged("holds"), ["the cancel was acknowledged"], CURL)


def test_what_is_violated_is_an_assertion_with_all_that_it_takes_to_see_it_again() -> None:
    with pytest.raises(AssertionError) as raised:
        verify(judged("violated"), ["the cancel was acknowledged with HTTP 200 after 0.09 s", "and more"], CURL)
    assert str(raised.value) == (
        "\n"
        f"Expected: {EXPECTED}\n"
        f"     but: {SEEN}\n"
        "          the cancel was acknowledged with HTTP 200 after 0.09 s\n"
        "          and more\n"
        f"   again: {CURL}\n"
    )


def test_what_is_violated_is_told_without_what_there_is_not() -> None:
    with pytest.raises(AssertionError) as raised:
        verify(judged("violated"))
    assert str(raised.value) == f"\nExpected: {EXPECTED}\n     but: {SEEN}\n"


def test_what_is_unknown_is_inconclusive_and_no_assertion() -> None:
    with pytest.raises(Inconclusive) as raised:
        verify(judged("unknown"), ["the cancel was acknowledged", "and more"], CURL)
    assert not isinstance(raised.value, AssertionError)
    assert str(raised.value) == (
        f"could not be told: {EXPECTED}\n"
        f"     but: {SEEN}\n"
        "          the cancel was acknowledged\n"
        "          and more\n"
        f"   again: {CURL}"
    )


def test_what_is_unknown_is_told_without_what_there_is_not() -> None:
    with pytest.raises(Inconclusive) as raised:
        verify(judged("unknown"))
    assert str(raised.value) == f"could not be told: {EXPECTED}\n     but: {SEEN}"


@pytest.mark.parametrize("verdict", ["violated", "unknown"])
def test_the_matcher_matches_only_what_holds(verdict: str) -> None:
    assert holds(judged("holds")).matches(judged("holds"))
    assert not holds(judged(verdict)).matches(judged(verdict))
    with pytest.raises(AssertionError):
        assert_that(judged(verdict), holds(judged(verdict)))


def test_the_matcher_describes_itself_by_what_was_expected() -> None:
    description = StringDescription()
    holds(judged("holds")).describe_to(description)
    assert str(description) == EXPECTED
