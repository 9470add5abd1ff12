"""What is sent in the other ways to cancel, seen by a proxy before a stand-in: the requests, and how it is left behind."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.act.ways.nothing_to_cancel import DESCRIPTION, IN_VAIN, LONG_ID, cancel_what_is_not_there
from tests.deployments.harness import BRISK, Place, Ran, started
from tests.deployments.proxy import Answer, Asked, Closed, proxy

VAIN = "features/nothing_to_cancel.feature"
REASON = "features/cancellation_with_reason.feature"
TOGETHER = "features/simultaneous_cancellation.feature"
OPERATIONS = "/api/v1/operations"
LAG_0 = ("--registry-lag-s", "0")


class Seen:
    """A rule of the proxy that notes every cancel, and may treat requests in its own way first."""

    def __init__(self, rule: Any = lambda asked: None):
        self.cancels: list[Asked] = []
        self._rule = rule

    def __call__(self, asked: Asked) -> Answer | None:
        if asked.method == "DELETE":
            self.cancels.append(asked)
        answer = self._rule(asked)
        assert answer is None or isinstance(answer, Answer)
        return answer

    @property
    def ids(self) -> list[str]:
        return [unquote(asked.path).removeprefix(OPERATIONS).removeprefix("/") for asked in self.cancels]


def run(
    tmp_path: Path, feature: str, seen: Seen, *extra: str, arguments: tuple[str, ...] = ()
) -> tuple[Ran, list[Any]]:
    """A run on a live platform behind the proxy, and the operations that the platform has in the end."""
    with started(*LAG_0, *arguments) as platform, proxy(platform.url, seen) as url:
        ran = Place(tmp_path).live(url, feature, *extra)
        assert platform.active() == [], "nothing is left running"
        return ran, platform.operations()


def test_only_its_own_backtests_and_what_nobody_has_are_cancelled(tmp_path: Path) -> None:
    seen = Seen()
    ran, operations = run(tmp_path, VAIN, seen, arguments=("--old-operations", "3", "--old-trainings", "2"))
    ran.passed()
    assert ran.scenario("takes the next one")["outcome"] == "skipped", "it disturbs others"
    nobodys = {unquote(one) for one in IN_VAIN.values()}
    assert nobodys <= set(seen.ids)
    earlier = {each["operation_id"] for each in operations if each["created_at"] < operations[0]["created_at"][:10]}
    assert len(earlier) == 5 and not earlier & set(seen.ids)
    assert len(max(seen.ids, key=len)) == 10_000 == len(IN_VAIN[LONG_ID])


def test_of_others_only_an_operation_that_has_ended_is_tried_and_only_where_that_is_allowed(tmp_path: Path) -> None:
    seen = Seen()
    ran, operations = run(tmp_path, VAIN, seen, "-D", "disturb=on", arguments=("--old-trainings", "2"))
    ran.passed()
    (training,) = [one for one in seen.ids if one.startswith("op_training") and one not in IN_VAIN.values()]
    assert training in {each["operation_id"] for each in operations if each["operation_type"] == "training"}


@pytest.mark.parametrize(
    ("description", "why"),
    [
        (Answer(200, json.dumps({"paths": {OPERATIONS: {"get": {}, "delete": {}}}})), "has a DELETE of all"),
        (Answer(200, json.dumps({"paths": {f"{OPERATIONS}/": {"delete": {}}}})), "has a DELETE of all"),
        (Answer(404, '{"detail": "Not Found"}'), "as it may mean all: "),
        (Answer(200, "[]"), "names no paths"),
    ],
    ids=["it cancels all", "it cancels all, with a slash", "it describes nothing", "it describes no paths"],
)
def test_a_cancel_without_an_id_is_not_sent_where_it_may_mean_all(
    description: Answer, why: str, tmp_path: Path
) -> None:
    seen = Seen(lambda asked: description if asked.path == DESCRIPTION else None)
    ran, _ = run(tmp_path, VAIN, seen, "--name", "what is not there")
    assert ran.exit_status == 0 and why in ran.observations, ran.output
    assert "" not in seen.ids and set(map(unquote, IN_VAIN.values())) - {""} <= set(seen.ids)


def test_where_no_backtest_fails_that_is_told_and_the_rest_is_checked(tmp_path: Path) -> None:
    def rule(asked: Asked) -> Answer | None:
        refused = asked.method == "POST" and (b"2024-01-06" in asked.body or b"NOSUCH" in asked.body)
        return Answer(422, '{"detail": "no data"}') if refused else None

    ran, _ = run(tmp_path, VAIN, Seen(rule), "--name", "what has ended is turned down")
    assert ran.outcome == "passed", ran.output
    assert "Not checked: no backtest of the table is failed in the end: EURUSD 1d, 2024-01-06" in ran.observations


def test_reason_and_force_are_sent_as_ktrdrs_own_command_line_does(tmp_path: Path) -> None:
    seen = Seen()
    ran, _ = run(tmp_path, REASON, seen)
    ran.passed()
    assert json.loads(seen.cancels[0].body) == {"reason": "the spread of May was wrong", "force": True}
    assert ran.history()["about"]["cancel_body"]["force"] is True


def test_a_scenario_of_the_reason_that_is_run_alone_gives_it_too(tmp_path: Path) -> None:
    seen = Seen()
    run(tmp_path, REASON, seen, "--name", "place is free after")
    assert json.loads(seen.cancels[0].body)["reason"] == "the spread of May was wrong"


def test_the_five_are_really_under_way_at_the_same_moment(tmp_path: Path) -> None:
    all_here = threading.Barrier(5)

    def rule(asked: Asked) -> None:
        if asked.method == "DELETE" and b"at the same moment" in asked.body:
            all_here.wait(10)

    seen = Seen(rule)
    ran, _ = run(tmp_path, TOGETHER, seen)
    ran.passed()
    bodies = {json.loads(asked.body)["reason"] for asked in seen.cancels[:5]}
    assert bodies == {f"cancellation {n} of 5 at the same moment" for n in range(1, 6)}
    assert not all_here.broken


def test_the_acknowledgement_of_several_that_was_lost_on_the_way_is_not_held_against_ktrdr(tmp_path: Path) -> None:
    lost: list[str] = []

    def rule(asked: Asked) -> Answer | None:
        if asked.method != "DELETE" or b"at the same moment" not in asked.body:
            return None
        answer = asked.forward()
        if answer.status == 200 and not lost:
            lost.append(asked.path)
            raise Closed
        return answer

    ran, _ = run(tmp_path, TOGETHER, Seen(rule))
    assert lost and ran.summary["category"] == "Inconclusive", ran.output
    assert "had no answer of its own" in ran.reasons


def test_a_name_that_nobody_knows_is_told_in_one_line() -> None:
    with pytest.raises(
        BadConfiguration, match="nobody knows how to cancel 'a dream'; there are: an id that nobody has"
    ):
        cancel_what_is_not_there(SimpleNamespace(), ["a dream"])  # type: ignore[arg-type]


def test_the_candidate_that_is_cancelled_has_run_on_while_every_view_was_read(tmp_path: Path) -> None:
    """The first one has too little left after its three seconds, and another takes its place.

    It lasts 6.5 s where 39 s are needed, so that a slow host changes nothing.
    """
    brief = ["--adaptation-epochs", "0", "--busy", "0", "--bars-per-second", "80"]
    with started("--registry-lag-s", "0", *brief) as platform:
        ran = Place(tmp_path).live(
            platform.url, "features/every_view_agrees.feature", more=f"{BRISK}worker_idle_s = 36"
        )
        recorded = ran.passed().history()
    starts = [e["subject"] for e in recorded["events"] if e["kind"] == "start_sent"]
    backtest = recorded["about"]["backtest"]
    assert starts[-1] == backtest and len(starts) > 1, "a candidate was passed over"
    (cancel_s,) = (e["at_s"] for e in recorded["events"] if e["kind"] == "cancel_sent" and e["subject"] == backtest)
    readings = [s for s in recorded["samples"] if s["view"] == "backend" and s["subject"] == backtest]
    moved_s = next(s["answered_s"] for s in readings if s.get("percentage"))
    assert cancel_s - moved_s >= 3.0
