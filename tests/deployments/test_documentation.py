"""What docs/real-deployments.md tells a reader to write is understood, and what it promises is so."""

from __future__ import annotations

import re
import tomllib
from dataclasses import is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest

from ktrdr_qa.target import sections
from ktrdr_qa.target.settings import Limits, Target
from tests.deployments.harness import BRISK, ROOT, Place, started

TEXT = (ROOT / "docs" / "real-deployments.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
HERE = Path(__file__).parent
TESTS = "\n".join(file.read_text(encoding="utf-8") for file in HERE.glob("test_*.py"))


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_block_is_a_target_file(block: str) -> None:
    sections.read(Target, tomllib.loads(block))


def test_every_setting_of_the_model_is_shown_or_named() -> None:
    shown = TEXT + (ROOT / "targets" / "sandbox.toml").read_text(encoding="utf-8")
    for name, kind in get_type_hints(Target).items():
        if name in sections.keys(Target) and name != "embedded":
            assert name in shown, name
            for inner in sections.keys(kind) if is_dataclass(kind) else ():
                assert inner in shown, f"{name}.{inner}"
    assert set(sections.keys(Limits)) <= set(re.findall(r"\w+", shown))


@pytest.mark.parametrize("word", sorted({*re.findall(r"KTRDR_[A-Z_]*[A-Z]", TEXT)} - {"KTRDR_TOKEN"}))
def test_every_variable_that_is_named_is_tried_somewhere(word: str) -> None:
    assert word in TESTS


def test_the_settings_together_lead_to_a_verdict(place: Place) -> None:
    with started("--registry-lag-s", "0", "--model-form", "directory", "--min-bars", "51") as platform:
        more = f"""
[checkout]
directory = "{platform.home}"
shared_directory = "{platform.home}"
[workers]
backtest-worker-1 = "http://127.0.0.1:{platform.worker_port("backtest-worker-1")}"
backtest-worker-2 = "http://127.0.0.1:{platform.worker_port("backtest-worker-2")}"
{BLOCKS[3].split("[backtests.1h]")[0]}
{BRISK}time_factor = 1.5
"""
        ran = place.live(platform.url, more=more).passed()
    ran.processor_was_read()
    assert [s["outcome"] for s in ran.summary["scenarios"] if "processor" not in s["name"]] == ["passed"] * 3
    assert "was tried instead" not in ran.observations
