"""The two verbs for waiting, on a scripted source with a clock of its own: nothing here sleeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ktrdr_qa.judge.judgement import Judgement, Verdict
from ktrdr_qa.record.history import History
from ktrdr_qa.record.waiting import LOOK_AGAIN_S, eventually, throughout


@dataclass
class Script:
    """A source of histories whose clock moves only while it is waited for, or while a history is judged."""

    verdicts: Callable[[float], Verdict]
    news_s: float = 0.25
    judging_s: float = 0.0
    final_from_s: float = float("inf")
    """From when on no further reading will tell."""
    now_s: float = 100.0
    looks: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def history(self) -> History:
        return History(until_s=self.now_s)

    def wait_for_news(self, at_most_s: float) -> None:
        self.waits.append(at_most_s)
        self.now_s += min(self.news_s, max(0.0, at_most_s))

    def judge(self, history: History) -> Judgement:
        self.looks.append(history.until_s - 100.0)
        self.now_s += self.judging_s
        final = history.until_s - 100.0 >= self.final_from_s
        return Judgement("scripted", self.verdicts(history.until_s - 100.0), "", f"look {len(self.looks)}", final=final)

    def tick(self, history: History) -> None:
        self.ticks.append(history.until_s - 100.0)


def always(verdict: Verdict) -> Callable[[float], Verdict]:
    return lambda _: verdict


def from_s(at_s: float, then: Verdict, before: Verdict = "unknown") -> Callable[[float], Verdict]:
    return lambda now_s: then if now_s >= at_s else before


# --- eventually --------------------------------------------------------------------------------------------------


def test_eventually_returns_as_soon_as_it_holds() -> None:
    source = Script(from_s(0.5, "holds"))
    assert eventually(source, source.judge, 2.0).holds
    assert source.looks == [0.0, 0.25, 0.5]


def test_eventually_gives_up_early_where_it_is_violated() -> None:
    source = Script(from_s(0.5, "violated"))
    assert eventually(source, source.judge, 2.0).violated
    assert source.looks == [0.0, 0.25, 0.5]


def test_eventually_gives_up_where_it_will_never_be_known() -> None:
    source = Script(from_s(1.0, "holds"), final_from_s=0.5)
    assert eventually(source, source.judge, 2.0).unknown
    assert source.looks == [0.0, 0.25, 0.5]


def test_throughout_watches_on_where_it_will_never_be_known() -> None:
    """It may still be violated."""
    source = Script(from_s(1.0, "violated"), final_from_s=0.0)
    assert throughout(source, source.judge, 2.0).violated


def test_eventually_does_not_wait_for_what_holds_already() -> None:
    source = Script(always("holds"))
    assert eventually(source, source.judge, 2.0).holds
    assert (source.looks, source.waits) == ([0.0], [])


@pytest.mark.parametrize("at_most_s", [0.0, -1.0])
def test_eventually_looks_at_least_once(at_most_s: float) -> None:
    source = Script(always("unknown"))
    assert eventually(source, source.judge, at_most_s).seen == "look 1"
    assert (source.looks, source.waits) == ([0.0], [])


def test_eventually_looks_once_more_at_the_deadline_and_returns_that_look() -> None:
    source = Script(always("unknown"))
    judgement = eventually(source, source.judge, 1.0)
    assert source.looks == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert (judgement.verdict, judgement.seen) == ("unknown", "look 5")


def test_eventually_counts_what_turns_out_at_the_deadline_itself() -> None:
    source = Script(from_s(1.0, "holds"))
    assert eventually(source, source.judge, 1.0).holds


def test_eventually_does_not_count_what_turns_out_after_the_deadline() -> None:
    source = Script(from_s(1.01, "holds"))
    assert eventually(source, source.judge, 1.0).unknown


def test_the_last_wait_is_cut_to_the_deadline() -> None:
    source = Script(always("unknown"), news_s=99.0)
    eventually(source, source.judge, 1.2)
    assert source.waits == pytest.approx([0.5, 0.5, 0.2])
    assert source.looks == pytest.approx([0.0, 0.5, 1.0, 1.2])


def test_without_news_it_looks_again_every_half_second() -> None:
    assert LOOK_AGAIN_S == 0.5
    source = Script(from_s(2.0, "holds"), news_s=99.0)
    assert eventually(source, source.judge, 9.0).holds
    assert source.looks == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_look_that_began_before_the_deadline_is_not_the_last_however_long_it_took() -> None:
    source = Script(from_s(0.7, "holds"), judging_s=0.75)
    assert eventually(source, source.judge, 0.5).holds
    assert source.looks == [0.0, 0.75]
    assert source.waits == [0.0], "there is no time left to wait for"


def test_it_tells_its_progress_after_each_look_that_settles_nothing() -> None:
    source = Script(from_s(0.5, "holds"))
    eventually(source, source.judge, 2.0, source.tick)
    assert source.ticks == [0.0, 0.25]


# --- throughout --------------------------------------------------------------------------------------------------


def test_throughout_watches_the_whole_window_however_early_it_holds() -> None:
    source = Script(always("holds"))
    assert throughout(source, source.judge, 1.0).holds
    assert source.looks == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_throughout_ends_at_the_first_violation() -> None:
    source = Script(from_s(0.5, "violated", before="holds"))
    assert throughout(source, source.judge, 2.0).violated
    assert source.looks == [0.0, 0.25, 0.5]


def test_throughout_ends_at_a_violation_before_it_was_known_to_hold() -> None:
    source = Script(from_s(0.25, "violated"))
    assert throughout(source, source.judge, 2.0).violated
    assert source.looks == [0.0, 0.25]


def test_throughout_sees_a_violation_at_the_very_end_of_the_window() -> None:
    source = Script(from_s(1.0, "violated", before="holds"))
    assert throughout(source, source.judge, 1.0).violated


def test_throughout_stays_unknown_where_the_window_ends_so() -> None:
    source = Script(always("unknown"))
    judgement = throughout(source, source.judge, 1.0)
    assert (judgement.verdict, judgement.seen) == ("unknown", "look 5")


def test_throughout_without_a_window_looks_once() -> None:
    source = Script(always("holds"))
    assert throughout(source, source.judge, 0.0).holds
    assert source.looks == [0.0]


def test_grace_is_used_only_while_it_is_unknown() -> None:
    source = Script(always("holds"))
    assert throughout(source, source.judge, 0.5, grace_s=9.0).holds
    assert source.looks == [0.0, 0.25, 0.5]


def test_within_the_grace_the_first_look_that_holds_ends_it() -> None:
    source = Script(from_s(0.75, "holds"))
    assert throughout(source, source.judge, 0.5, grace_s=9.0).holds
    assert source.looks == [0.0, 0.25, 0.5, 0.75]


def test_grace_ends_as_well() -> None:
    source = Script(always("unknown"))
    assert throughout(source, source.judge, 0.5, grace_s=0.5).unknown
    assert source.looks == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_without_grace_the_window_is_all() -> None:
    source = Script(from_s(1.25, "holds"))
    assert throughout(source, source.judge, 1.0).unknown


def test_a_look_that_began_before_the_end_of_the_window_is_not_the_last_however_long_it_took() -> None:
    source = Script(from_s(0.9, "violated", before="holds"), judging_s=0.75)
    assert throughout(source, source.judge, 0.9, grace_s=5.0).violated


def test_throughout_tells_its_progress_too() -> None:
    source = Script(always("holds"))
    throughout(source, source.judge, 0.5, tick=source.tick)
    assert source.ticks == [0.0, 0.25]
