"""Places to run the suite from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deployments.harness import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "suite")
