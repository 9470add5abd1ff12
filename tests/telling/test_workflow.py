"""The workflows and the pictures in the documentation: they say what the project and KTRDR really have."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ktrdr_qa.target.settings import load
from tests.telling.running import ROOT
from tools import screenshots

WORKFLOW = ROOT / ".github/workflows/ktrdr-cancellation.yml"
CI = ROOT / ".github/workflows/ci.yml"
DEPLOYMENTS = (ROOT / "docs/real-deployments.md").read_text(encoding="utf-8")
KTRDR = tomllib.loads((Path(__file__).parent / "ktrdr_compose.toml").read_text(encoding="utf-8"))
"""The names of KTRDR's own services, and of what has to exist before they can be started."""
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
    assert "python -m ktrdr_qa.tell.report" in scripts
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


def docker_commands(script: str) -> list[list[str]]:
    """The words after ``docker`` of every command, in order."""
    lines = re.sub(r"\\\n\s*", " ", script).splitlines()
    commands = [shlex.split(part, comments=True) for line in lines for part in line.split("&&")]
    return [words[1:] for words in commands if words[:1] == ["docker"]]


def what_is_wrong_with_the_start(script: str) -> list[str]:
    """What keeps these commands from starting today's KTRDR, and what they start that no cancellation needs."""
    commands = docker_commands(script)
    compose = [n for n, words in enumerate(commands) if words[0] == "compose"]
    wrong = []
    for kind, names in KTRDR["external"].items():
        for name in names:
            created = [n for n, words in enumerate(commands) if words == [kind, "create", name]]
            if not created or created[0] > compose[0]:
                wrong.append(f"the {kind} {name} is not created before Compose is asked")
    started: dict[str, int] = {}
    migrated = len(commands)
    for n in compose:
        _, verb, *words = commands[n]
        known = [word for word in words if word in KTRDR["needed"] + KTRDR["others"]]
        if verb == "run" and shlex.join(words).endswith(f"{KTRDR['built_by']} {KTRDR['migrations']}"):
            migrated = n
        elif verb in ("up", "build", "start") and not known:
            wrong.append(f"docker compose {verb} names no service, so it takes all of them")
        if verb in ("up", "start"):
            started |= {name: n for name in known if name not in started}
    wrong += [f"{name} is never started" for name in KTRDR["needed"] if name not in started]
    wrong += [f"{name} is started, which no cancellation needs" for name in started if name in KTRDR["others"]]
    if not started.get("db", migrated) < migrated < started.get("backend", len(commands)):
        wrong.append("the migrations do not run between the start of the database and that of the backend")
    if re.search(r"\bop (run|read|signin)\b|sandbox up(?!.*--no-secrets)", script):
        wrong.append("secrets come from 1Password")
    return wrong


def test_workflow_can_start_todays_ktrdr_and_starts_no_more_than_a_cancellation_needs(
    workflow: dict[Any, Any],
) -> None:
    scripts = "\n".join(step.get("run", "") for step in steps_of(workflow))
    assert what_is_wrong_with_the_start(scripts) == []
    assert not re.search(r"\{\{\s*secrets\.", WORKFLOW.read_text(encoding="utf-8"))
    assert {k: int(v) for k, v in workflow["env"].items() if k in KTRDR["ports"]} == {
        name: port for name, (port, _) in KTRDR["ports"].items()
    }
    # What runs inside is started in KTRDR's checkout.
    assert all(
        step.get("working-directory") == "ktrdr"
        for step in steps_of(workflow)
        if "docker compose" in step.get("run", "")
    )


def test_documentation_starts_ktrdr_as_the_workflow_does() -> None:
    blocks = re.findall(r"```bash\n(.*?)```", DEPLOYMENTS, re.DOTALL)
    (start,) = [block for block in blocks if "docker compose" in block]
    assert what_is_wrong_with_the_start(start) == []


GOOD_START = """
docker network create devops-ai-observability
docker volume create ktrdr-agent-claude-auth
docker compose build backend
docker compose up --detach --wait db
docker compose run --rm -T --no-deps backend /app/.venv/bin/alembic upgrade head
docker compose up --detach --wait \\
  backend backtest-worker-1 backtest-worker-2
"""


@pytest.mark.parametrize(
    ("line", "instead", "wrong"),
    [
        ("", "", None),
        ("docker network create devops-ai-observability\n", "", "the network devops-ai-observability is not created"),
        ("docker volume create ktrdr-agent-claude-auth", "", "the volume ktrdr-agent-claude-auth is not created"),
        (" backtest-worker-2", "", "backtest-worker-2 is never started"),
        (" backtest-worker-2", " backtest-worker-2 design-agent-1", "design-agent-1 is started, which no cancel"),
        ("build backend", "build", "docker compose build names no service, so it takes all of them"),
        ("alembic upgrade head", "alembic current", "the migrations do not run between"),
        ("--wait db", "--wait db backend", "the migrations do not run between"),
        ("docker compose build backend", "uv run kinfra sandbox up", "secrets come from 1Password"),
    ],
)
def test_what_would_keep_ktrdr_from_starting_is_seen(line: str, instead: str, wrong: str | None) -> None:
    assert line in GOOD_START
    found = what_is_wrong_with_the_start(GOOD_START.replace(line, instead) if line else GOOD_START)
    assert found == [] if wrong is None else any(told.startswith(wrong) for told in found)


def test_every_system_runs_what_the_makefile_runs() -> None:
    yaml = pytest.importorskip("yaml", reason="no PyYAML here")
    job = yaml.safe_load(CI.read_text(encoding="utf-8"))["jobs"]["checks"]
    matrix = job["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13"] and job["strategy"]["fail-fast"] is False
    scripts = "\n".join(step.get("run", "") for step in job["steps"])
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe
    for command in re.findall(r"\$\(BIN\)/(.*)", recipe[1]):
        assert command in scripts, command
    assert "python -m pytest -n" in scripts and "requirements-dev.txt" in scripts
    assert "behave features/backtest_cancellation.feature" in scripts


def test_target_that_the_workflow_writes_is_valid(
    workflow: dict[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (script,) = [s["run"] for s in steps_of(workflow) if "targets/ci.toml" in s.get("run", "")]
    (tmp_path / "targets").mkdir()
    variables = {k: str(v) for k, v in workflow["env"].items()}
    subprocess.run(["bash", "-euc", script], cwd=tmp_path, env={**os.environ, **variables}, check=True)
    # Where KTRDR has been checked out; what is not there would be a mistake in the file.
    (tmp_path / "ktrdr").mkdir()
    (tmp_path / "ktrdr" / variables["COMPOSE_FILE"]).write_text("services: {}\n")
    monkeypatch.chdir(tmp_path)
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
            assert image.is_file(), f"{image} is missing; make it with: python -m tools.screenshots {scene.name}"
            assert image.read_bytes().startswith(b"\x89PNG") and image.stat().st_size <= screenshots.LARGEST_BYTES


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here (apt-get install chromium)")
@pytest.mark.skipif(not shutil.which("npm"), reason="no Node.js here (npm, 20 or later)")
def test_screenshots_are_of_real_runs(tmp_path: Path) -> None:
    assert screenshots.main(["platform-not-ready", "--images", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("platform-not-ready*.png"))) == 4
