"""Healthy, but otherwise than KTRDR: how a cancel is turned down or confirmed, where its reason stands, other operations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from launching import JANUARY, QUICK, Launch

RUN_AT = ("--bars-per-second", "100")


@pytest.mark.parametrize("status", [404, 409, 410, 422])
def test_a_cancel_with_nothing_to_cancel_is_turned_down_as_the_setting_says(status: int, launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--refusal-status", str(status))
    operation_id = it.start(JANUARY)
    it.wait_status(operation_id, "completed")
    assert [it.cancel(each).status_code for each in (operation_id, "op_nobodys", "..%2F..%2Fetc")] == [status] * 3
    running = it.running()
    assert it.cancel(running).status_code == 200 and it.operation(running)["status"] == "cancelled"


def test_each_further_cancel_is_confirmed_with_the_first_ones_reason(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--confirms-again", "--cancel-takes-s", "0.2")
    operation_id = it.running()
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda n: it.cancel(operation_id, json={"reason": f"number {n}"}), range(3)))
    answers.append(it.cancel(operation_id))
    assert [answer.status_code for answer in answers] == [200] * 4
    reasons = {answer.json()["data"]["cancellation_reason"] for answer in answers}
    assert reasons == {it.operation(operation_id)["error_message"]}
    completed = it.start(JANUARY)
    it.wait_status(completed, "completed")
    assert it.cancel(completed).status_code == 400


def test_the_reason_stands_in_a_field_of_its_own(launch: Launch) -> None:
    it = launch(*QUICK, *RUN_AT, "--reason-apart")
    operation_id = it.running()
    assert "cancellation_reason" not in it.operation(operation_id)
    it.cancel(operation_id, json={"reason": "too slow", "force": True})
    record = it.operation(operation_id)
    assert (record["cancellation_reason"], record["error_message"]) == ("too slow", None)


def test_trainings_of_earlier_days_are_listed_and_have_ended(launch: Launch) -> None:
    it = launch(*QUICK, "--old-trainings", "3", "--old-operations", "2")
    rows = it.ask("GET", "/api/v1/operations").json()["data"]
    assert sorted(row["operation_type"] for row in rows) == ["backtesting"] * 2 + ["training"] * 3
    trainings = it.ask("GET", "/api/v1/operations?operation_type=training").json()["data"]
    assert {row["operation_id"].split("_")[1] for row in trainings} == {"training"}
    assert {it.cancel(row["operation_id"]).status_code for row in trainings} == {400}
