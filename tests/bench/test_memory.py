"""The peak is the process's own, and not that of the one that started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.memory import peak_mb

ROOT = Path(__file__).resolve().parents[2]
ASK = "from bench.memory import peak_mb; {}; print(peak_mb())"


def peak_of_a_child(doing: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(doing)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def test_what_was_taken_and_given_back_counts_and_what_the_parent_took_does_not() -> None:
    taken = bytearray(120_000_000)
    taken[::4096] = b"x" * len(taken[::4096])
    assert peak_mb() > 120
    small = peak_of_a_child("pass")
    assert small < 60
    assert peak_of_a_child("b'x' * 50_000_000") > small + 45
