"""The sixteen surprises of a measured KTRDR, each through the whole of Behave on a stand-in that behaves that way.

The numbers are those of the contract's list. Where several do not disturb one another they share a run.
"""

from __future__ import annotations

import json

import pytest

from tests.deployments.harness import BRISK, CAPACITY, EARLY, Place, Platform, Ran, needs_a_core, started
from tests.deployments.proxy import Answer, Asked, proxy

TODAY_OPTIONS = "--model-form directory --min-bars 51 --refresh-s 1.0 --first-progress-after-s 4 --registry-lag-s 5"
TODAY = TODAY_OPTIONS.split()
LAG_0 = ("--registry-lag-s", "0")


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """One run on a stand-in that behaves as the measured KTRDR does."""
    return Place(tmp_path_factory.mktemp("today")).embedded(TODAY, limits="").passed()


def test_01_a_model_path_in_the_wrong_form_is_accepted_and_fails_and_the_setting_is_named(today) -> None:  # type: ignore[no-untyped-def]
    assert "does not take the model path models/neuro_mean_reversion/1d_v21/model.pt" in today.observations
    assert 'Set model = "models/neuro_mean_reversion/1d_v21" under [backtests.1d]' in today.observations


def test_03_progress_starts_late_moves_once_a_second_and_frozen_is_watched_for_three_updates(today) -> None:  # type: ignore[no-untyped-def]
    figures = today.summary["figures"]
    assert figures["first_progress_s"] > 4
    assert figures["longest_step_s"] > 0.8
    assert figures["frozen_s"] >= 3 * figures["longest_step_s"]


def test_04_a_percentage_of_zero_once_cancelled_is_frozen_and_observed(today) -> None:  # type: ignore[no-untyped-def]
    assert "The record of progress was lost" in today.observations


def test_05_a_registry_that_lags_does_not_disturb_where_a_worker_is_free(today) -> None:  # type: ignore[no-untyped-def]
    assert today.summary["figures"]["place_free_s"] > 3
    assert "The registry freed the worker" in today.observations
    assert (
        today.scenarios["A running backtest is cancelled, stays cancelled, and the next one runs at once"] == "passed"
    )


def test_06_a_new_backtest_that_this_kind_is_known_to_refuse_is_not_tried(today) -> None:  # type: ignore[no-untyped-def]
    assert "was measured to need 51" in today.observations
    assert "Waited" not in today.observations


def test_05_and_06_a_place_held_by_a_backtest_that_was_passed_over_is_not_held_against_the_cancel(place: Place) -> None:
    ran = place.embedded(["--min-bars", "51", "--registry-lag-s", "3"]).passed()
    assert "2024-01-01 to 2024-01-31 was passed over" in ran.observations
    assert "Insufficient data" in ran.observations
    assert "Set fewest_bars = 51 under [backtests.1d]" in ran.observations
    assert "until the registry freed the place of one of this run that had ended before" in ran.observations


def test_todays_ktrdr_with_its_settings_named_needs_no_detours(place: Place) -> None:
    own = """
[backtests.1d]
strategy = "neuro_mean_reversion"
model = "models/neuro_mean_reversion/1d_v21"
fewest_bars = 51
"""
    ran = place.embedded(TODAY, limits=own).passed()
    assert "was tried instead" not in ran.observations and "Waited" not in ran.observations
    assert "it has about 22 bars, and the target file says that this KTRDR needs 51" in ran.observations
    starts = [e for e in ran.history()["events"] if e["kind"] in ("start_sent", "next_sent")]
    assert len(starts) == 2


def test_02_a_backtest_that_ends_before_the_cancel_is_passed_over_for_a_longer_one(place: Place) -> None:
    brief = ["--hourly", "--adaptation-epochs", "0", "--bars-per-second", "1500", "--refresh-s", "0.3"]
    ran = place.embedded([*LAG_0, *brief]).passed()
    started = [e["subject"] for e in ran.history()["events"] if e["kind"] == "start_sent"]
    assert len(started) > 1 and ran.history()["about"]["backtest"] != started[0]
    assert "EURUSD 1h" in ran.history()["about"]["candidate"], "the daily ones are over before it could be told"


def test_02_with_no_candidate_that_lasts_nothing_was_learnt(place: Place) -> None:
    ran = place.embedded([*LAG_0, "--adaptation-epochs", "0", "--bars-per-second", "0"]).inconclusive()
    assert "no backtest could be cancelled in time" in ran.reasons
    assert "completed within" in ran.output and "a longer backtest in the feature's table" in ran.output


def test_07_remote_cancelled_false_fails_whoever_can_be_reached(place: Place) -> None:
    ran = place.embedded([*LAG_0, "--fault", "after-backend-cancelled-worker-not-told"]).failed()
    assert '"remote_cancelled": false' in ran.reasons
    assert "its worker was not told" in ran.reasons


def test_08_workers_wrapped_and_called_by_the_recipes_word(place: Place) -> None:
    ran = place.embedded([*LAG_0, "--workers-shape", "wrapped", "--worker-word", "backtest"]).passed()
    all_checked(ran)


def test_09_an_early_cancel_that_leaves_the_processor_burning_is_seen_by_that_witness_only(place: Place) -> None:
    # It burns for longer than the limit and what a verdict takes after it.
    burning = [*LAG_0, "--first-progress-after-s", "6", "--indicators-ignore-cancel"]
    ran = needs_a_core(place.embedded(burning, EARLY)).failed()
    outcomes = {s["name"]: s["outcome"] for s in ran.summary["scenarios"]}
    assert [n for n, o in outcomes.items() if o != "passed"] == [
        "The worker's processor is quiet after a backtest was cancelled at once"
    ], ran.output
    assert "something computes on, whatever the answers say" in ran.reasons
    cores = [s["cpu_s"] for s in ran.history()["samples"] if s["view"] == "processor"]
    assert len(cores) > 3, "the picture of the run shows the processor"


def test_09_an_early_cancel_that_is_obeyed_passes(place: Place) -> None:
    place.embedded([*LAG_0, "--first-progress-after-s", "4"], EARLY).passed()


def test_10_a_503_right_after_a_cancel_at_capacity_fails_with_how_long_it_lasted(place: Place) -> None:
    ran = place.embedded(["--workers", "1", "--registry-lag-s", "3"], CAPACITY).failed()
    assert "HTTP 503" in ran.reasons
    assert "1 of 1 workers counted as busy, backtest-worker-1 with the backtest just cancelled" in ran.reasons
    assert "a start was accepted only" in ran.reasons


def test_10_one_worker_only_makes_the_main_feature_tell_the_same(place: Place) -> None:
    ran = place.embedded(["--workers", "1", "--registry-lag-s", "3"]).failed()
    assert "HTTP 503" in ran.reasons and "a start was accepted only" in ran.reasons


def test_11_a_repeat_answered_in_the_other_error_shape_is_told_in_its_own_words(place: Place) -> None:
    other = {"success": False, "error": {"code": "OPERATIONS-CancelFailed", "message": "it is already cancelled"}}
    with started(*LAG_0) as platform:

        def rule(asked: Asked) -> Answer | None:
            answer = asked.forward()
            return Answer(400, json.dumps(other)) if asked.method == "DELETE" and answer.status == 400 else answer

        with proxy(platform.url, rule) as url:
            again = "features/repeated_cancellation.feature"
            ran = place.live(url, again, "--tags=not @slow").passed()
    assert ran.scenarios["Cancelling a backtest twice does no harm"] == "passed"


def test_12_only_as_many_backtests_are_started_as_there_are_workers(place: Place) -> None:
    with started(*LAG_0) as platform:
        place.live(platform.url, CAPACITY, "-D", "disturb=on").passed()
        assert len(platform.operations()) == 3, "one a worker, and the new one"
        assert platform.active() == []


def test_13_a_worker_killed_before_the_cancel_fails_by_what_the_backend_could_not_tell(place: Place) -> None:
    with started(*LAG_0, "--first-progress-after-s", "0") as platform:

        def rule(asked: Asked) -> Answer | None:
            if asked.method == "DELETE":
                _kill_the_worker_of(platform, asked.path.rsplit("/", 1)[1])
            return None

        with proxy(platform.url, rule) as url:
            ran = place.live(url).failed()
    assert '"remote_cancelled": false' in ran.reasons


def test_14_an_empty_list_and_a_missing_start_time_do_not_disturb(place: Place) -> None:
    with started(*LAG_0) as platform:

        def rule(asked: Asked) -> Answer | None:
            if asked.path.startswith("/api/v1/operations?"):
                return Answer(200, json.dumps({"success": True, "data": [], "total_count": 0, "active_count": 0}))
            if asked.method == "GET" and asked.path.startswith("/api/v1/operations/"):
                answer = asked.forward()
                document = json.loads(answer.body)
                document["data"]["started_at"] = None
                return Answer(answer.status, json.dumps(document))
            return None

        with proxy(platform.url, rule) as url:
            ran = place.live(url)
    # A list that knows nothing of a backtest is no second opinion: what rests on it is not passed.
    assert ran.outcome in ("passed", "inconclusive"), ran.output
    assert "FAILED: " not in ran.output


def test_15_readings_that_take_long_now_and_then_do_not_disturb(place: Place) -> None:
    with started(*LAG_0) as platform:
        readings = iter(range(10**6))

        def rule(asked: Asked) -> Answer | None:
            if asked.method == "GET" and asked.path.startswith("/api/v1/operations/op_") and next(readings) % 12 == 7:
                asked.pause(1.2)
            return None

        with proxy(platform.url, rule) as url:
            place.live(url).passed()


def test_16_workers_behind_container_names_are_reached_through_their_published_ports(place: Place) -> None:
    with started(*LAG_0, "--endpoint-host", "backtest-worker.invalid") as platform:
        ran = place.live(platform.url).passed()
    all_checked(ran)


def test_16_workers_out_of_reach_are_skipped_visibly_with_the_setting_to_change(place: Place) -> None:
    with started(*LAG_0) as platform, proxy(platform.url, hide_workers) as url:
        ran = place.live(url).passed()
        skipped = [s for s in ran.summary["scenarios"] if s["outcome"] == "skipped"]
        assert [s["name"] for s in skipped] == [
            "The worker itself has stopped computing the cancelled backtest",
            "The worker's processor is quiet after the cancellation",
        ]
        for scenario in skipped:
            assert '"http://HOST:PORT" under [workers] in the target file' in scenario["reason"]
        assert "it rests on the backend's view only, not on the worker: the worker could not be asked" in ran.reasons
        rows = {r["check"]: r["verdict"] for r in ran.summary["checks"]}
        assert rows["The worker itself has stopped"] == rows["The worker's processor is quiet"] == "unknown"

        ports = {w: platform.worker_port(w) for w in ("backtest-worker-1", "backtest-worker-2")}
        named = "[workers]\n" + "".join(f'{w} = "http://127.0.0.1:{p}"\n' for w, p in ports.items())
        ran = place.live(url, more=BRISK + named).passed()
    all_checked(ran)


def all_checked(ran: Ran) -> None:
    """Nothing was left out for want of a worker that can be reached."""
    ran.processor_was_read()
    assert {s["outcome"] for s in ran.summary["scenarios"] if "processor" not in s["name"]} == {"passed"}


def hide_workers(asked: Asked) -> Answer | None:
    """Workers announce themselves under a name and a port that mean nothing here."""
    if not asked.path.startswith("/api/v1/workers"):
        return None
    workers = json.loads(asked.forward().body)
    for worker in workers:
        worker["endpoint_url"] = f"http://{worker['worker_id']}.invalid:1"
    return Answer(200, json.dumps(workers))


def _kill_the_worker_of(platform: Platform, backtest: str) -> None:
    import os
    import signal

    import requests

    record = requests.get(f"{platform.url}/api/v1/operations/{backtest}", timeout=10).json()["data"]
    os.kill(platform.pid(record["metadata"]["parameters"]["worker_id"]), signal.SIGKILL)
