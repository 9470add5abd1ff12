"""What a run needs is loaded when it needs it: the heavy libraries are not there before the first scenario begins."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FEATURE = "features/backtest_cancellation.feature"
HEAVY = (
    "hamcrest",
    "pydantic",
    "filelock",
    "psutil",
    "ijson",
    "matplotlib",
    "numpy",
    "prometheus_client",
    "fastapi",
    "uvicorn",
    "currency_converter",
    "standin",
    "locust",
)
GIVEN = "import behave.__main__, behave.runner, behave.configuration, allure_behave.formatter, requests"
MOST_BESIDES = 150
"""How many modules of our own and of all other libraries are loaded before the first scenario; 148 are."""


def loaded(*command: str) -> set[str]:
    """The modules that a Python process loads."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", done.stderr, re.MULTILINE))


@pytest.fixture(scope="module")
def at_the_start() -> set[str]:
    return loaded("-m", "behave", "--dry-run", FEATURE)


@pytest.mark.parametrize("library", HEAVY)
def test_heavy_libraries_wait_until_they_are_needed(at_the_start: set[str], library: str) -> None:
    assert "ktrdr_qa.run" in at_the_start
    assert [name for name in at_the_start if name.split(".")[0] == library] == []


def test_few_modules_are_loaded_besides_behave_allure_and_requests(at_the_start: set[str]) -> None:
    besides = at_the_start - loaded("-c", GIVEN)
    assert len(besides) <= MOST_BESIDES, sorted(besides)
