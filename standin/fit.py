"""Fits the models that the stand-in ships: `python -m standin.fit` writes them again.

Weights are fitted by ridge least squares on all bars up to the end of 2022, so that the backtests of the seed
(2023 and 2024) run over data that the model has not seen.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import pstdev

from standin import engine, fuzzy, market

SHIPPED = Path(__file__).parent / "home"
FITTED_UNTIL = datetime(2022, 12, 31, tzinfo=UTC)
RIDGE = 5.0


def fit(bars: list[market.Bar], z_period: int, rsi_period: int, horizon: int) -> fuzzy.Model:
    """The model with the least squared error over these bars."""
    closes = [bar.close for bar in bars]
    changes = [math.log(later / now) for now, later in zip(closes, closes[horizon:], strict=False)]
    blank = fuzzy.Model((0.0,) * fuzzy.RULES, z_period, rsi_period, horizon, scale=pstdev(changes))
    samples = [
        (
            fuzzy.strengths(fuzzy.z_score(closes, at, z_period), fuzzy.relative_strength(closes, at, rsi_period)),
            engine.wanted_signal(closes, at, blank),
        )
        for at in range(blank.warm_up, len(closes) - horizon)
    ]
    weights = tuple(round(weight, 6) for weight in fuzzy.least_squares(samples, RIDGE))
    return replace(blank, weights=weights)


def write(directory: Path, model: fuzzy.Model, name: str, timeframe: str, bars: list[market.Bar]) -> None:
    """Write a model as the two files that a model directory holds."""
    directory.mkdir(parents=True, exist_ok=True)
    metadata = {
        "model_name": name,
        "version": 3,
        "strategy_name": name,
        "training_symbols": ["EURUSD"],
        "training_timeframes": [timeframe],
        "fitted_from": f"{bars[0].time:%Y-%m-%d}",
        "fitted_until": f"{bars[-1].time:%Y-%m-%d}",
        "bars": len(bars),
        "method": f"ridge least squares, ridge {RIDGE}",
        "indicators": {"z_score": {"period": model.z_period}, "rsi": {"period": model.rsi_period}},
        "horizon_bars": model.horizon,
        "signal_scale": model.scale,
    }
    (directory / "metadata_v3.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    sets = ("low", "middle", "high")
    rules = [f"z-score {z}, RSI {rsi}" for z in sets for rsi in sets]
    weights = {"rule_weights": model.weights, "rules": rules}
    (directory / "model.pt").write_text(json.dumps(weights, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Fit both shipped models and write them into the package."""
    daily = [bar for bar in market.reference_rates() if bar.time <= FITTED_UNTIL]
    model = fit(daily, z_period=20, rsi_period=14, horizon=5)
    write(SHIPPED / "models/neuro_mean_reversion/1d_v21", model, "neuro_mean_reversion", "1d", daily)
    hours = list(market.hourly(daily))
    model = fit(hours, z_period=48, rsi_period=24, horizon=12)
    write(SHIPPED / "models/neuro_mean_reversion_1h/1h_v1", model, "neuro_mean_reversion_1h", "1h", hours)


if __name__ == "__main__":
    main()
