"""What the gallery itself decides, without a run: who looks alike, what is too late, what a varied platform is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from standin import settings
from tests.gallery import __main__ as gallery
from tests.gallery.behave_run import Ran, decisive_s
from tests.judging.film import healthy, plus, saw

ROW = {"name": "after-x", "outcome": "failed", "step": "is cancelled", "message": "it ran on"}
RAN = Ran(1, 3.0, "", decided_s=2.0, scenarios={"s": ("failed", "Then it is cancelled", "but: it ran on")})
CASE = gallery.Case("after-x", "X.", "failed", "Product defect", "Then it is cancelled", "it ran on", 3.0, 2.0, "")


def wrong(ran: Ran, **of_the_row: object) -> str:
    return gallery.what_is_wrong({**ROW, **of_the_row}, ran, "Then it is cancelled", "it ran on", "Product defect")


def test_a_verdict_in_time_is_right_and_one_that_came_late_is_not() -> None:
    assert wrong(RAN) == ""
    assert wrong(replace(RAN, decided_s=None)) == ""
    assert "told 10.5 s after the reading that decided it" in wrong(replace(RAN, decided_s=10.5))
    assert wrong(replace(RAN, decided_s=10.5), decided_within_s=12) == ""


def test_what_a_run_says_is_the_rows_message_or_the_one_it_may_say_instead() -> None:
    assert wrong(RAN, message="it fell") == "the message does not say 'it fell'"
    assert wrong(RAN, message="it fell", or_message="it ran on") == ""
    assert wrong(RAN, message="it fell", or_message="it hung") == "the message does not say 'it fell'"


def test_the_decisive_reading_is_the_first_that_breaks_a_rule_asked_for(tmp_path: Path) -> None:
    assert decisive_s(tmp_path) is None
    (tmp_path / "1-attachment.json").write_text('{"not": "a history"}', encoding="utf-8")
    (tmp_path / "2-attachment.json").write_text(healthy().to_json(), encoding="utf-8")
    assert decisive_s(tmp_path) is None
    broken = plus(healthy(), saw(12.5, "completed", 100.0))
    broken.about["clock_origin_s"] = 1000.0  # type: ignore[index]
    (tmp_path / "3-attachment.json").write_text(broken.to_json(), encoding="utf-8")
    found = decisive_s(tmp_path)
    assert found is not None and 1010.0 < found <= 1012.5
    broken.about["asked"] = ["acknowledged"]  # type: ignore[index]
    (tmp_path / "3-attachment.json").write_text(broken.to_json(), encoding="utf-8")
    assert decisive_s(tmp_path) is None


def test_the_same_words_are_wrong_for_two_faults_unless_they_look_alike() -> None:
    other = replace(CASE, fault="after-y")
    assert gallery.same_messages([CASE, other], [{"name": "after-x"}, {"name": "after-y"}]) == ["after-x, after-y"]
    assert gallery.same_messages([CASE, other], [{"name": "after-x"}, {"name": "after-y", "like": "after-x"}]) == []
    other = replace(other, message="it was gone")
    assert gallery.same_messages([CASE, other], [{"name": "after-x"}, {"name": "after-y"}]) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_varied_platform_is_one_that_can_be_launched_and_that_can_be_had_again(seed: int) -> None:
    arguments = gallery.varied("after-x", seed)
    assert arguments == gallery.varied("after-x", seed) != gallery.varied("after-y", seed)
    assert settings.from_arguments(settings.parser().parse_args(arguments)).mistakes() == []
    assert gallery.varied("after-x", None) == []


def test_every_row_can_be_launched() -> None:
    for row in [*gallery.faults(), *gallery.healthy()]:
        given = settings.parser().parse_args(list(row.get("arguments", ())))
        assert settings.from_arguments(given).mistakes() == [], row["name"]
    names = [row["name"] for row in gallery.healthy()]
    assert len(names) == len(set(names))


def test_rows_are_chosen_by_the_beginnings_of_their_names() -> None:
    rows = [{"name": "cancel-500"}, {"name": "cancel-404"}, {"name": "after-x"}]
    assert [row["name"] for row in gallery.named(rows, ["cancel-5", "after"])] == ["cancel-500", "after-x"]
    assert gallery.named(rows, []) == rows


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["after-", "no-such-row"], "nothing that was asked for is called no-such-row..."),
        (["--jobs", "0"], "argument --jobs: expected a whole number, 1 or more, and not '0'"),
        (["--jobs", "-1"], "argument --jobs: expected a whole number, 1 or more, and not '-1'"),
        (["--healthy", "-5", "--no-faults"], "argument --healthy: expected a whole number, 0 or more, and not '-5'"),
        (["--healthy", "0", "--no-faults"], "--no-faults leaves nothing to run without --healthy RUNS"),
        (["--no-faults"], "--no-faults leaves nothing to run without --healthy RUNS"),
    ],
)
def test_what_is_not_there_is_told_before_anything_runs(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["gallery", *words])
    with pytest.raises(SystemExit) as ended:
        gallery.main()
    assert ended.value.code == 2 and told in capsys.readouterr().err
