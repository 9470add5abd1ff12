"""The example workflow and the pictures in the documentation: they say what the project really has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from docs import screenshots
from ktrdr_qa.target import load
from tests.telling.running import ROOT

WORKFLOW = ROOT / ".github/workflows/ktrdr-cancellation.yml"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    yaml = pytest.importorskip("yaml", reason="no PyYAML here")
    return dict(yaml.safe_load(WORKFLOW.read_text()))


def steps_of(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return list(workflow["jobs"]["cancellation"]["steps"])


def test_workflow_names_what_the_project_has(workflow: dict[Any, Any]) -> None:
    steps = steps_of(workflow)
    assert all(("run" in step) != ("uses" in step) for step in steps)
    scripts = "\n".join(step.get("run", "") for step in steps)
    for file in ("requirements.txt", "features/backtest_cancellation.feature"):
        assert file in scripts and (ROOT / file).is_file()
    assert "python -m ktrdr_qa.report" in scripts
    assert 'cat reports/summary.md >> "$GITHUB_STEP_SUMMARY"' in scripts
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w/-]+@v\d+", one) for one in used)
    # Restored before the run and kept after it, under the same path, also when the run failed.
    restore, save = (
        next(s for s in steps if s.get("uses", "").startswith(f"actions/cache/{w}")) for w in ("restore", "save")
    )
    assert restore["with"]["path"] == save["with"]["path"] == "reports/history"
    assert steps.index(restore) < steps.index(next(s for s in steps if s.get("name") == "Verify")) < steps.index(save)
    assert "!cancelled()" in save["if"] and workflow["permissions"] == {"contents": "read"}


def test_target_that_the_workflow_writes_is_valid(workflow: dict[Any, Any], tmp_path: Path) -> None:
    (script,) = [s["run"] for s in steps_of(workflow) if "targets/ci.toml" in s.get("run", "")]
    (tmp_path / "targets").mkdir()
    variables = {k: str(v) for k, v in workflow["env"].items()}
    subprocess.run(["bash", "-euc", script], cwd=tmp_path, env={**os.environ, **variables}, check=True)
    target = load(str(tmp_path / "targets/ci.toml"))
    assert target.base_url == "http://localhost:8000"
    assert target.workers == {
        "backtest-worker-1": "http://localhost:5003",
        "backtest-worker-2": "http://localhost:5004",
    }
    assert target.compose.file == "docker-compose.sandbox.yml" and target.limits.time_factor == 2.0


def test_documentation_has_a_picture_of_each_kind_of_run() -> None:
    for scene in screenshots.SCENES:
        for suffix in ("", "-scenario", "-phone", "-scenario-phone"):
            image = screenshots.IMAGES / f"{scene.name}{suffix}.png"
            assert image.is_file(), f"{image} is missing; make it with: python -m docs.screenshots {scene.name}"
            assert image.read_bytes().startswith(b"\x89PNG") and image.stat().st_size <= screenshots.LARGEST_BYTES


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here (apt-get install chromium)")
@pytest.mark.skipif(not shutil.which("npm"), reason="no Node.js here (npm, 20 or later)")
def test_screenshots_are_of_real_runs(tmp_path: Path) -> None:
    assert screenshots.main(["platform-not-ready", "--images", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("platform-not-ready*.png"))) == 4
