"""Other tools' configuration files beside the suite's, or at home, change nothing: Behave reads all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.telling.running import MAIN, environment, suite

FILES = ("tox.ini", "setup.cfg", ".behaverc", "behave.ini")
PLACES = [f"{where}/{name}" for where in ("home", "suite") for name in FILES]
NOT_OURS = (Path(__file__).parent / "cases" / "tox.ini").read_text()
LAUNCHERS = {
    "behave": [str(Path(sys.executable).with_name("behave"))],
    "python -m behave": [sys.executable, "-m", "behave"],
}

CONFIGURED = """
import itertools, json, os, pathlib, sys
from behave.configuration import Configuration
from behave.formatter._registry import _formatter_registry, select_formatter_class

built_in = dict(_formatter_registry)
home, suite, text, *places = sys.argv[1:]
os.environ["HOME"] = home
os.chdir(suite)
sys.path.insert(0, suite)
found = {}
for chosen in itertools.product((False, True), repeat=len(places)):
    for place, there in zip(places, chosen):
        path = pathlib.Path(place.replace("home/", home + "/").replace("suite/", suite + "/"))
        path.write_text(text) if there else path.unlink(missing_ok=True)
    _formatter_registry.clear()
    _formatter_registry.update(built_in)
    config = Configuration([])
    classes = [select_formatter_class(name).__name__ for name in (*config.format, config.default_format)]
    told = json.dumps([classes, [opener.name for opener in config.outputs], config.junit, config.paths])
    found[told] = found.get(told, 0) + 1
print(json.dumps(found))
"""


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "home").mkdir()
    return tmp_path / "home", suite(tmp_path / "suite")


def test_every_combination_of_files_gives_the_same_configuration(homes: tuple[Path, Path]) -> None:
    home, place = homes
    command = [sys.executable, "-c", CONFIGURED, str(home), str(place), NOT_OURS, *PLACES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    ((told, times),) = json.loads(done.stdout).items()
    assert times == 2 ** len(PLACES)
    assert json.loads(told) == [["AllureFormatter", "Console"], ["reports/allure-results"], True, ["features"]]


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize(
    "files", [(), *((place,) for place in PLACES), tuple(PLACES)], ids=lambda f: "+".join(f) or "-"
)
def test_behave_runs_whatever_lies_beside_it(homes: tuple[Path, Path], launcher: str, files: tuple[str, ...]) -> None:
    home, place = homes
    for name in files:
        (home.parent / name).write_text(NOT_OURS)
    variables = {k: v for k, v in environment(HOME=str(home)).items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [*LAUNCHERS[launcher], "--dry-run", MAIN],
        cwd=place,
        env=variables,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n    ·           Given" in done.stdout and "Traceback" not in done.stderr


def test_settings_at_home_do_not_replace_the_suites(homes: tuple[Path, Path]) -> None:
    home, place = homes
    (home / "behave.ini").write_text("[behave]\nformat = progress\njunit = false\ndefault_format = pretty\npaths = x\n")
    command = [sys.executable, "-c", CONFIGURED, str(home), str(place), NOT_OURS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, env=environment())
    (told,) = json.loads(done.stdout)
    assert json.loads(told)[0] == ["AllureFormatter", "Console"] and json.loads(told)[2:] == [True, ["features"]]
