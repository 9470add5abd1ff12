"""Endurance where a KTRDR's processes tell nothing of themselves: not checked, and never green."""

from __future__ import annotations

import shutil

from tests.deployments.harness import ROOT, Place, started


def test_processes_that_cannot_be_read_are_not_checked(place: Place) -> None:
    (place.path / "features").unlink()
    shutil.copytree(ROOT / "features", place.path / "features")
    feature = place.path / "features" / "endurance.feature"
    feature.write_text(feature.read_text().replace("50 backtests", "24 backtests"))
    with started("--registry-lag-s", "0", module="tests.deployments.unmetered") as platform:
        ran = place.live(platform.url, "features/endurance.feature", more="[limits]\nwatched_s = 0.1\n").passed()
        assert "20 of 25" in ran.output
        assert "PASSED, in part: 1 of 5 scenarios" in ran.output
        assert platform.active() == []
    why = {scenario["reason"].split(": ", 1)[-1] for scenario in ran.summary["scenarios"] if scenario["reason"]}
    # A busy host is told as well, of the check for which it matters.
    assert why and all("of backend it could not be read: its metrics do not name it" in each for each in why)
