"""A pass claims what was run: parts by line, name, tag and list, what was skipped or never reached; and its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from behave.configuration import Configuration
from behave.model import Step
from behave.model_type import Status
from behave.runner_util import collect_feature_locations, parse_features

from honest_behave.outcomes import Inconclusive
from ktrdr_qa.judge import verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.target.settings import Target
from ktrdr_qa.tell import summary
from ktrdr_qa.tell.scenario_end import ScenarioEnd
from ktrdr_qa.tell.summary import NotChecked
from tests.telling.running import MAIN, ROOT, Told, run, suite
from tests.telling.test_picture import HISTORIES, B
from tests.telling.test_scenes import told_well

FEATURE = "Cancelling a running backtest"
FIRST = "A running backtest is cancelled, stays cancelled, and the next one runs at once"
WORKER = "The worker itself has stopped computing the cancelled backtest"
PROCESSOR = "The worker's processor is quiet after the cancellation"
PLACE = "The worker's place is free for other backtests"
EARLY = "features/early_cancellation.feature"


def line_of(name: str, file: str = MAIN) -> int:
    lines = (ROOT / file).read_text().splitlines()
    return 1 + next(at for at, line in enumerate(lines) if line.strip() == f"Scenario: {name}")


# --- what the command leaves out -----------------------------------------------------------------------------


def left_out(*arguments: str) -> tuple[list[str], list[NotChecked]]:
    """The names of what Behave selects with these arguments, and what is left out."""
    config = Configuration(list(arguments), load_config=False)
    features = parse_features(collect_feature_locations(config.paths))
    scenarios = [scenario for feature in features for scenario in feature.walk_scenarios()]
    return [s.name for s in scenarios if s.should_run(config)], summary.left_out(scenarios, config)


def in_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_whole_file_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    in_root(monkeypatch)
    assert left_out(MAIN) == ([FIRST, WORKER, PROCESSOR, PLACE], [])
    assert left_out(f"{MAIN}:{line_of(WORKER)}", MAIN)[1] == [], "the line is part of the whole file that is named too"


@pytest.mark.parametrize("offset", [0, 2], ids=["its own line", "a line in it"])
def test_what_is_left_out_by_line_is_told(monkeypatch: pytest.MonkeyPatch, offset: int) -> None:
    in_root(monkeypatch)
    asked = f"{MAIN}:{line_of(WORKER) + offset}"
    chosen, told = left_out(asked)
    assert chosen == [WORKER]
    assert [(one.feature, one.name, one.by) for one in told] == [
        (FEATURE, name, "line") for name in (FIRST, PROCESSOR, PLACE)
    ]
    assert {one.reason for one in told} == {f"left out by line: {asked}"}


def test_what_a_list_leaves_out_is_told_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the formatter `rerun` writes it; a file named in two places of a list is read twice by Behave."""
    in_root(monkeypatch)
    again = tmp_path / "rerun.txt"
    early = (ROOT / EARLY).read_text()
    (name_of_early,) = (ln.split(": ")[1] for ln in early.splitlines() if "Scenario: A backtest cancelled" in ln)
    places = [(MAIN, WORKER), (EARLY, name_of_early), (MAIN, PLACE)]
    again.write_text("# -- RERUN: 3 failing scenarios\n" + "".join(f"{ROOT}/{f}:{line_of(n, f)}\n" for f, n in places))
    chosen, told = left_out(f"@{again}")
    assert chosen == [WORKER, name_of_early, PLACE]
    assert [one.name for one in told if one.feature == FEATURE] == [FIRST, PROCESSOR]
    assert len(told) == 4, "and two of the other feature, each once"
    assert {one.reason for one in told} == {f"left out by line: @{again}"}


def test_what_is_left_out_by_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    in_root(monkeypatch)
    chosen, told = left_out(MAIN, "-n", "worker itself", "-n", "place is free")
    assert chosen == [WORKER, PLACE]
    assert [(one.name, one.by) for one in told] == [(FIRST, "name"), (PROCESSOR, "name")]
    assert told[0].reason == 'left out by name: --name "worker itself" --name "place is free"'


@pytest.mark.parametrize(("tags", "names"), [("@same_backtest and @normal", [PLACE]), ("not @same_backtest", [FIRST])])
def test_what_is_left_out_by_tag_is_told(monkeypatch: pytest.MonkeyPatch, tags: str, names: list[str]) -> None:
    in_root(monkeypatch)
    chosen, told = left_out(MAIN, "--tags", tags)
    assert chosen == names
    assert [(one.name, one.by) for one in told] == [
        (name, "tag") for name in (FIRST, WORKER, PROCESSOR, PLACE) if name not in names
    ]
    assert told[0].reason.startswith('left out by tag: --tags "') and "same_backtest" in told[0].reason


# --- what the summary makes of it ----------------------------------------------------------------------------

GREEN = {name: replace(found, verdict="holds") for name, found in verdict.judge_all(HISTORIES["green"]).items()}


def ended(name: str, outcome: str = "passed", reason: str = "", **changes: Any) -> ScenarioEnd:
    told = {"judged": GREEN, "backtest": B, "in_words": "A backtest was started.", **changes}
    return ScenarioEnd(told.pop("feature", FEATURE), name, outcome, reason, **told)  # type: ignore[arg-type]


def selected(name: str, feature: str = FEATURE, *, skip: str | None = None) -> Any:
    """What Behave's model tells of a scenario that was selected."""
    return SimpleNamespace(feature=SimpleNamespace(name=feature), name=name, should_skip=bool(skip), skip_reason=skip)


def of(
    *ends: ScenarioEnd,
    planned: Sequence[str] = (),
    passed_by: Sequence[Any] = (),
    out: Sequence[NotChecked] = (),
    **changes: Any,
) -> dict[str, Any]:
    """The summary of a run that ended so."""
    target = Target(kind="live", base_url="http://h:1", name="mine", chosen_by="-D target")
    facts = summary.Facts(
        ended=list(ends),
        planned=[*(selected(e.name, e.feature) for e in ends), *(selected(name) for name in planned), *passed_by],
        left_out=list(out),
        stops_at_a_failure=changes.get("stop", False),
        target=target,
        version="1",
        began_at="2026-01-02T03:04:05+0000",
        took_s=1.0,
    )
    return summary.of(facts, failed=changes.get("failed", False), trouble=changes.get("trouble", ()))


def by_line(*names: str) -> list[NotChecked]:
    return [NotChecked(FEATURE, name, "line", "left out by line: a.feature:57") for name in names]


def test_whole_run_names_what_its_features_are_about() -> None:
    told = of(ended(FIRST), ended(WORKER))
    assert summary.verdict_line(told) == "PASSED: cancelling a running backtest works, on mine at http://h:1"
    assert told["not_checked"] == [] and not any(reason.startswith("not ") for reason in told["reasons"])
    told = of(ended("A", feature="Cancelling again and again"))
    assert summary.verdict_line(told).startswith("PASSED: cancelling again and again works, on mine")
    told = of(ended("A"), ended("B", feature="Cancelling again and again"), ended("C", feature="Leaving"))
    assert summary.verdict_line(told).startswith(
        "PASSED: cancelling a running backtest, cancelling again and again and leaving work, on mine"
    )


def test_part_is_called_one_and_names_what_was_not_checked() -> None:
    told = of(ended(PLACE), out=by_line(FIRST, WORKER, PROCESSOR))
    assert told["outcome"] == "passed"
    assert summary.verdict_line(told) == (
        f'PASSED, in part: 1 of 4 scenarios; not checked: "{FIRST}", "{WORKER}", "{PROCESSOR}", on mine at http://h:1'
    )
    assert [one["by"] for one in told["not_checked"]] == ["line"] * 3
    assert told["reasons"][-1] == f"not checked: {PROCESSOR}: left out by line: a.feature:57"
    markdown = summary.markdown(told)
    assert markdown.startswith("## PASSED, in part: 1 of 4 scenarios; ")
    assert f"| {PROCESSOR} | left out by line |" in markdown and f"- not checked: {PROCESSOR}: left out" in markdown
    assert [s["name"] for s in told["scenarios"]] == [PLACE], "as ever, the selected ones"


def test_part_of_many_scenarios_names_the_first() -> None:
    line = summary.verdict_line(of(ended(FIRST), out=by_line(*"ABCDEF")))
    assert '1 of 7 scenarios; not checked: "A", "B", "C", and 3 more, on' in line
    assert '"C", "D", on' in summary.verdict_line(of(ended(FIRST), out=by_line(*"ABCD"))), "not: and 1 more"


def test_what_was_skipped_until_we_end_it_makes_a_part() -> None:
    out_of_reach = "the processor time of w1 cannot be read from here: no metrics"
    told = of(ended(FIRST), ended(PROCESSOR, "skipped", f"{out_of_reach}\nand more"))
    assert f'PASSED, in part: 1 of 2 scenarios; not checked: "{PROCESSOR}"' in summary.verdict_line(told)
    assert told["not_checked"] == [{"feature": FEATURE, "name": PROCESSOR, "by": "skipped", "reason": out_of_reach}]


def test_what_was_never_reached_is_named_with_the_reason() -> None:
    told = of(ended(FIRST, "failed", "Expected: a\n but: b"), planned=[WORKER, PLACE], failed=True, stop=True)
    assert (
        "2 of 3 scenarios were not run: --stop ends a run at the first scenario that does not pass" in told["reasons"]
    )
    assert [(one["name"], one["by"]) for one in told["not_checked"]] == [(WORKER, "not run"), (PLACE, "not run")]
    assert f"not checked: {PLACE}: not run" in told["reasons"]
    assert summary.verdict_line(told).startswith("FAILED: KTRDR did something wrong")
    told = of(ended(FIRST), planned=[WORKER], failed=True, trouble=["Interrupted: the run was stopped by SIGINT"])
    assert "1 of 2 scenarios were not run: the run was stopped before them" in told["reasons"]
    assert told["outcome"] == "inconclusive"
    line = "INCONCLUSIVE: nothing was learnt from 1 of 2 scenarios; the others passed, on "
    assert summary.verdict_line(told).startswith(line)
    assert len(of(planned=[WORKER], failed=True)["not_checked"]) == 1


def test_what_another_program_took_out_is_told_with_its_reason() -> None:
    told = of(ended(FIRST), passed_by=[selected(PLACE, skip="not in the test plan")])
    assert told["outcome"] == "passed" and "PASSED, in part: 1 of 2" in summary.verdict_line(told)
    assert told["not_checked"][0]["by"] == "skipped" and "were not run" not in " ".join(told["reasons"])
    assert f"not checked: {PLACE}: not in the test plan" in told["reasons"]
    assert told["scenarios"][1]["reason"] == "not in the test plan"


def test_two_scenarios_of_one_name_are_two() -> None:
    told = of(ended("Twice", "failed", "x"), planned=["Twice"], failed=True)
    assert [s["reason"] for s in told["scenarios"]] == ["x", "not run"]


def test_defect_of_a_part_says_what_was_left_out() -> None:
    told = of(ended(PLACE, "failed", "Expected: a\n but: b"), out=by_line(FIRST), failed=True)
    assert summary.verdict_line(told).startswith("FAILED: KTRDR did something wrong, on mine")
    assert f"not checked: {FIRST}: left out by line: a.feature:57" in told["reasons"]


def test_criteria_without_an_answer_are_named() -> None:
    found = {name: judgement for name, judgement in GREEN.items() if name != "was running"}
    del found["running"], found["moving"], found["enough left"]
    found["frozen"] = replace(found["frozen"], verdict="unknown", seen="it was not watched")
    found["processor quiet"] = replace(found["processor quiet"], verdict="unknown", seen="out of reach")
    told = of(ended("A", judged=found))
    assert "not known: Progress stops increasing; The worker's processor is quiet" in told["reasons"]
    missing = "Backtest was running before cancel; Was running: percentage > 0 before cancel"
    assert f"not asked: {missing}" in told["reasons"]


def test_a_pass_of_many_features_names_three() -> None:
    four = [ended("A", feature=f"Doing {name}") for name in ("this", "that", "more", "even more")]
    line = summary.verdict_line(of(*four))
    assert line.startswith("PASSED: doing this, doing that, doing more and doing even more work, on ")
    line = summary.verdict_line(of(*four, ended("A", feature="Doing it all")))
    assert line.startswith("PASSED: doing this, doing that, doing more and 2 more work, on ")


def test_rows_that_nobody_asked_for_are_left_out_of_another_way() -> None:
    unknown = Judgement("next runs", "unknown", "", "no new backtest was accepted")
    found = {**GREEN, "reason kept": Judgement("reason kept", "holds", "", "it gives it"), "next runs": unknown}
    told = of(ended("A", judged=found, asked=["reason kept"]), ended("B", judged=found, asked=["frozen"]))
    assert told["checks"][0]["check"] == "The reason is kept"
    assert "New operations work immediately" not in [row["check"] for row in told["checks"]]
    assert any(reason.startswith("not asked: New operations work immediately") for reason in told["reasons"])
    told = of(ended("A", judged=found, asked=["reason kept"]), ended("B", judged=found, asked=["next runs"]))
    assert "New operations work immediately" in [row["check"] for row in told["checks"]]


def test_pass_without_a_cancellation_is_noticed() -> None:
    preflight_only = ended("A", judged={}, backtest="")
    unknown = {"cancelled": Judgement("cancelled", "unknown", "", "it was not cancelled")}
    assert summary.nothing_was_cancelled([preflight_only])
    assert summary.nothing_was_cancelled([ended("A", judged=unknown), ended("B", "skipped")])
    assert not summary.nothing_was_cancelled([preflight_only, ended(FIRST)])
    assert not summary.nothing_was_cancelled([ended("A", "inconclusive", judged={})]), "it failed already"


def test_run_in_which_all_is_skipped_tells_the_reasons_once() -> None:
    told = of(ended(FIRST, "skipped", "no"), ended(PLACE, "skipped", "nor this"), failed=True)
    assert told["outcome"] == "inconclusive"
    assert told["reasons"] == ["nothing was checked", f"not checked: {FIRST}: no", f"not checked: {PLACE}: nor this"]
    assert of(ended(FIRST), failed=True)["reasons"] == ["the run failed outside of its scenarios; the console says how"]


# --- the table knows what any scenario knows -----------------------------------------------------------------


def judged(seen: str, **verdicts: str) -> Mapping[str, Judgement]:
    """All judgements hold, but for these; each says in which scenario it was made."""
    kept = {name: replace(judgement, seen=seen) for name, judgement in GREEN.items()}
    changed = {
        name.replace("_", " "): replace(kept[name.replace("_", " ")], verdict=as_said)  # type: ignore[arg-type]
        for name, as_said in verdicts.items()
    }
    return kept | changed


def test_witness_that_a_later_scenario_heard_is_known_in_the_table() -> None:
    first = ended(FIRST, "failed", "x", judged=judged("first", next_runs="violated", worker_stopped="unknown"))
    then = ended(WORKER, judged=judged("later", next_runs="violated"))
    other = ended("A", judged=judged("another's", worker_stopped="violated"), backtest="op_of_another_feature")
    rows = {row["check"]: row for row in of(first, then, other, failed=True)["checks"]}
    assert (rows["The worker itself has stopped"]["verdict"], rows["The worker itself has stopped"]["seen"]) == (
        "holds",
        "later",
    )
    broken = rows["New operations work immediately"]
    assert (broken["verdict"], broken["seen"]) == ("violated", "first"), "as the scenario that failed tells it"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("holds", "unknown", ("holds", "first")),
        ("unknown", "holds", ("holds", "later")),
        ("violated", "holds", ("violated", "first")),
        ("holds", "violated", ("violated", "later")),
        ("holds", "holds", ("holds", "later")),
        ("unknown", "unknown", ("unknown", "later")),
        ("violated", "violated", ("violated", "first")),
    ],
)
def test_violated_beats_holds_beats_unknown(before: str, after: str, told: tuple[str, str]) -> None:
    ends = [ended("A", judged=judged("first", frozen=before)), ended("B", judged=judged("later", frozen=after))]
    known = summary.most_known(ends, B)["frozen"]
    assert (known.verdict, known.seen) == told


# --- words ---------------------------------------------------------------------------------------------------

PASSED_OVER = """\
no backtest could be cancelled in time, so nothing was learnt about cancellation
     but: each candidate was passed over:
          EURUSD 1d 2023-01-01 to 2024-12-31: it ended before it was seen running
          EURUSD 1h 2023-01-01 to 2024-12-31: only 1.2 s were left
     try: a longer backtest in the feature's table"""


def test_gist_tells_what_its_line_announces() -> None:
    assert summary.gist(PASSED_OVER) == (
        "no backtest could be cancelled in time, so nothing was learnt about cancellation, but each candidate was "
        "passed over: EURUSD 1d 2023-01-01 to 2024-12-31: it ended before it was seen running; "
        "EURUSD 1h 2023-01-01 to 2024-12-31: only 1.2 s were left"
    )
    assert (
        summary.gist("these settings are wrong:\n  - a\n  - b\n   again: curl") == "these settings are wrong: - a; - b"
    )
    assert summary.gist("it is over:\n     but: it is not:") == "it is over, but it is not", "nothing was announced"


def test_sentence_that_nobody_knows_is_named() -> None:
    step = Step("mine.feature", 3, "Then", "then", "the moon is full")
    step.status = Status.undefined
    scenario = SimpleNamespace(
        feature=SimpleNamespace(name="F"), name="S", all_steps=[step], hook_failed=False, status=Status.error
    )
    end = ScenarioEnd.of(scenario)
    assert end.outcome == "inconclusive" and summary.category_of(end) == "Suite error"
    assert summary.gist(end.reason) == "UndefinedStep: no step is defined for: the moon is full"


def test_a_check_that_failed_after_one_that_could_not_be_told_is_the_outcome() -> None:
    told, failed = (Step("mine.feature", line, "Then", "then", "it ends") for line in (3, 4))
    told.status, told.exception = Status.error, Inconclusive("could not be told")
    failed.status, failed.exception = Status.failed, AssertionError("Expected: it ends\n     but: it runs")
    feature = SimpleNamespace(name="F")
    scenario = SimpleNamespace(
        feature=feature, name="S", all_steps=[told, failed], hook_failed=False, status=Status.failed
    )
    end = ScenarioEnd.of(scenario)
    assert end.outcome == "failed" and summary.category_of(end) == "Product defect"
    assert summary.gist(end.reason) == "it ends, but it runs"


def test_a_scenario_that_a_signal_ended_was_stopped() -> None:
    step = Step("mine.feature", 3, "When", "when", "it waits")
    step.status, step.exception = Status.error, KeyboardInterrupt("SIGINT")
    feature = SimpleNamespace(name="F")
    scenario = SimpleNamespace(feature=feature, name="S", all_steps=[step], hook_failed=False, status=Status.error)
    end = ScenarioEnd.of(scenario)
    assert (end.outcome, end.reason) == ("inconclusive", "Interrupted: it was stopped in the middle")
    assert summary.category_of(end) == "Inconclusive"


def test_gist_is_what_was_expected_and_what_was_seen() -> None:
    text = "Expected: it ends\n     but: it runs\n          besides this\n   again: curl -s http://h"
    assert summary.gist(text) == "it ends, but it runs"
    assert summary.gist("\nonly this\nTraceback") == "only this"
    assert summary.gist("") == ""


def test_words_of_others_stay_words_in_the_markdown() -> None:
    rude = "a | b\n# c <img src=x> `d` \\| e"
    plain = "a \\| b # c &lt;img src=x> \\`d\\` \\\\\\| e"
    found = {**GREEN, "frozen": replace(GREEN["frozen"], seen=rude)}
    told = of(ended(f"S {rude}", judged=found, in_words=rude, observations=[rude]), out=by_line(rude), trouble=[])
    told["reasons"].append(rude)
    lines = summary.markdown(told).splitlines()
    assert f"- {plain}" in lines and lines.count(f"- {plain}") == 2, "the reason and the observation"
    assert plain in lines, "what happened"
    assert f"| S {plain} | passed |" in lines and f"| {plain} | left out by line |" in lines
    assert f"| criterion | Progress stops increasing | ✅ holds | {plain} |" in lines
    assert plain in lines[0], "the verdict line names what was not checked"
    assert not [line for line in lines if "<img" in line]


# --- real runs -----------------------------------------------------------------------------------------------


def told_as_a_part(told: Told, passed: str, left: Mapping[str, str]) -> dict[str, Any]:
    """The summary of a run of one scenario; console, summary and exit status agree that it is a part."""
    found = told_well(told, "passed", None)
    assert [(s["name"], s["outcome"]) for s in found["scenarios"]] == [(passed, "passed")]
    assert {one["name"]: one["by"] for one in found["not_checked"]} == left
    last_words = told.console[told.console.index("PASSED, in part: ") :]
    assert last_words.startswith(f"PASSED, in part: 1 of {1 + len(left)} scenarios; not checked: ")
    for one in found["not_checked"]:
        assert f"\n  not checked: {one['name']}: {one['reason']}\n" in last_words
    assert "cancelling a running backtest works" not in told.console
    assert "New operations work immediately" in next(r for r in found["reasons"] if r.startswith("not known: "))
    return found


def test_scenarios_run_again_from_a_list_are_a_part(tmp_path: Path) -> None:
    place = suite(tmp_path)
    (place / "rerun.txt").write_text(f"# -- RERUN: 1 failing scenario\n{MAIN}:{line_of(WORKER)}\n")
    told = run(place, "-D", "target=target.toml", "@rerun.txt")
    found = told_as_a_part(told, WORKER, dict.fromkeys((FIRST, PROCESSOR, PLACE), "line"))
    assert {one["reason"] for one in found["not_checked"]} == {"left out by line: @rerun.txt"}
    skipped = [result for result in told.results if result["status"] == "skipped"]
    assert {r["statusDetails"]["message"] for r in skipped} == {"left out by line: @rerun.txt"} and len(skipped) == 3


def test_name_and_tag_make_a_part(tmp_path: Path) -> None:
    arguments = ("-n", "worker itself", "--tags", "@critical", MAIN)
    told = run(suite(tmp_path), "-D", "target=target.toml", *arguments)
    told_as_a_part(told, WORKER, {FIRST: "name", PROCESSOR: "name", PLACE: "tag"})


def test_run_that_stops_at_the_first_failure_says_what_it_left(tmp_path: Path) -> None:
    told = run(suite(tmp_path, "start-500"), "-D", "target=target.toml", "--stop", MAIN)
    found = told_well(told, "failed", "Product defect")
    assert "3 of 4 scenarios were not run: --stop ends a run" in told.console
    assert [one["by"] for one in found["not_checked"]] == ["not run"] * 3


def test_preflight_alone_is_no_pass(tmp_path: Path) -> None:
    place = suite(tmp_path)
    (place / "features").unlink()
    (place / "features").mkdir()
    for linked in ("steps", "environment.py"):
        (place / "features" / linked).symlink_to(ROOT / "features" / linked)
    own = "Feature: Only looking\n  Scenario: KTRDR is well\n    Given KTRDR says of itself that it is healthy\n"
    (place / "features/own.feature").write_text(own)
    told = run(place, "-D", "target=target.toml", "features/own.feature")
    found = told_well(told, "inconclusive", "Inconclusive")
    assert "no backtest was cancelled, so nothing was learnt about cancellation" in found["reasons"][0]


def test_witnesses_of_a_backtest_cancelled_too_late_say_so(tmp_path: Path) -> None:
    told = run(
        suite(tmp_path, "cancel-too-late"), "-D", "target=target.toml", "-n", "A running", "-n", "worker itself", MAIN
    )
    found = told_well(told, "failed", "Product defect")
    (skipped,) = (s for s in found["scenarios"] if s["outcome"] == "skipped")
    assert skipped["reason"].startswith("its cancellation failed: it was still "), skipped
    assert "no backtest was cancelled" not in told.console
