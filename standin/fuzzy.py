"""The neuro-fuzzy model: two indicators, three fuzzy sets each, nine weighted rules, one signal.

A zero-order Sugeno system. Each rule is "z-score is A and RSI is B"; its strength is the product of the two
memberships. The three sets of an indicator always add up to 1, and so do the nine strengths. The signal is
the weighted sum of the strengths: above 0 it expects the price to rise, below 0 to fall.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path

RULES = 9
Z_BOUNDS = (-1.5, 0.0, 1.5)
RSI_BOUNDS = (30.0, 50.0, 70.0)


class ModelError(Exception):
    """The model cannot be used; the text is what the failed operation says."""


def memberships(value: float, low: float, middle: float, high: float) -> tuple[float, float, float]:
    """How much a value belongs to "low" (a shoulder), "middle" (a triangle) and "high" (a shoulder)."""
    if value <= middle:
        share = min(1.0, max(0.0, (middle - value) / (middle - low)))
        return share, 1.0 - share, 0.0
    share = min(1.0, max(0.0, (value - middle) / (high - middle)))
    return 0.0, 1.0 - share, share


def strengths(z: float, rsi: float) -> tuple[float, ...]:
    """The strengths of the nine rules: (z low, RSI low), (z low, RSI middle), ... (z high, RSI high)."""
    by_z = memberships(z, *Z_BOUNDS)
    by_rsi = memberships(rsi, *RSI_BOUNDS)
    return tuple(first * second for first in by_z for second in by_rsi)


def signal(weights: Sequence[float], rule_strengths: Sequence[float]) -> float:
    """What the rules say together."""
    total: float = sum(map(mul, weights, rule_strengths))
    return total


def z_score(closes: Sequence[float], end: int, period: int) -> float:
    """How many standard deviations the close at `end` lies from the mean of the `period` closes up to it."""
    window = closes[end - period + 1 : end + 1]
    mean = sum(window) / period
    deviation = math.sqrt(sum((close - mean) ** 2 for close in window) / period)
    return 0.0 if deviation == 0.0 else (closes[end] - mean) / deviation


def relative_strength(closes: Sequence[float], end: int, period: int) -> float:
    """The RSI (Cutler's, with simple sums) of the `period` changes up to the close at `end`, 0 to 100."""
    gains = losses = 0.0
    for index in range(end - period + 1, end + 1):
        change = closes[index] - closes[index - 1]
        if change > 0:
            gains += change
        else:
            losses -= change
    return 50.0 if gains + losses == 0.0 else 100.0 * gains / (gains + losses)


def learn(
    weights: list[float],
    samples: Sequence[tuple[Sequence[float], float]],
    epochs: int,
    learning_rate: float,
) -> None:
    """Move the weights towards the samples (rule strengths, wanted signal) by gradient descent, in place."""
    for _ in range(epochs):
        for rule_strengths, wanted in samples:
            step = learning_rate * (wanted - sum(map(mul, weights, rule_strengths)))
            for rule, strength in enumerate(rule_strengths):
                weights[rule] += step * strength


def least_squares(samples: Sequence[tuple[Sequence[float], float]], ridge: float) -> list[float]:
    """The weights with the least squared error over the samples, each weight held back by `ridge`."""
    matrix = [[ridge if row == column else 0.0 for column in range(RULES)] + [0.0] for row in range(RULES)]
    for rule_strengths, wanted in samples:
        for row, strength in enumerate(rule_strengths):
            if strength:
                line = matrix[row]
                for column, other in enumerate(rule_strengths):
                    line[column] += strength * other
                line[RULES] += strength * wanted
    for pivot in range(RULES):  # the matrix is symmetric and positive: no exchange of rows is needed
        for row in range(RULES):
            if row != pivot:
                factor = matrix[row][pivot] / matrix[pivot][pivot]
                matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[pivot], strict=True)]
    return [matrix[row][RULES] / matrix[row][row] for row in range(RULES)]


@dataclass(frozen=True)
class Model:
    """Fitted weights and the indicator periods they were fitted with."""

    weights: tuple[float, ...]
    z_period: int
    rsi_period: int
    horizon: int
    """How many bars ahead the signal looks."""
    scale: float
    """The change of the close's logarithm that counts as a signal of 1."""

    @property
    def warm_up(self) -> int:
        """How many bars must come before the first one that can be judged."""
        return max(self.z_period - 1, self.rsi_period)


def read_model(home: Path, model_path: str, form: str) -> Model:
    """The model that a start request names. Raises `ModelError` in KTRDR's words when there is none."""
    named = home / model_path
    # As KTRDR does, take the path for the model's directory, unless its file was named and that is allowed.
    if form in ("either", "file") and named.is_file():
        directory = named.parent
    elif form == "file" and named.is_dir():
        raise ModelError(f"Model file expected, but {model_path} is a directory. Name its model.pt instead.")
    else:
        directory = named
    if not directory.exists():
        raise ModelError(f"Model directory not found: {model_path}")
    metadata = directory / "metadata_v3.json"
    weights = directory / "model.pt"
    if not metadata.is_file():
        raise ModelError(
            f"V3 metadata not found at {model_path}/metadata_v3.json. "
            "This model may not be a v3 model or may need to be retrained."
        )
    if not weights.is_file():
        raise ModelError(f"Model weights not found at {model_path}/model.pt")
    described = json.loads(metadata.read_text(encoding="utf-8"))
    return Model(
        weights=tuple(json.loads(weights.read_text(encoding="utf-8"))["rule_weights"]),
        z_period=int(described["indicators"]["z_score"]["period"]),
        rsi_period=int(described["indicators"]["rsi"]["period"]),
        horizon=int(described["horizon_bars"]),
        scale=float(described["signal_scale"]),
    )
