"""The engine against a case worked out by hand, and against what must hold for every run."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from standin import engine, fit, fuzzy, market
from standin.engine import Backtest, Order, Strategy
from standin.market import Bar
from standin.supervisor import SHIPPED_HOME

ORDER = Order(
    "op", "m", "s", "EURUSD", "1d", "2024-01-01", "2024-01-05", initial_capital=1000.0, commission=0.01, slippage=0.02
)
NO_LEARNING = Strategy(enter_above=0.3, leave_below=0.1, position_fraction=0.5, epochs=0)
# Falling below the mean counts as cheap (rule 0), rising above it as dear (rule 8); all other rules are silent.
WEIGHTS = (0.6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.6)
SMALL_MODEL = fuzzy.Model(WEIGHTS, z_period=2, rsi_period=1, horizon=1, scale=0.01)


def bars_of(*closes: float) -> list[Bar]:
    first = datetime(2024, 1, 1, tzinfo=UTC)
    return [Bar(first + timedelta(days=day), close) for day, close in enumerate(closes)]


def finish(run: Backtest) -> Backtest:
    while not run.finished:
        run.step()
    return run


def test_a_case_worked_out_by_hand() -> None:
    """Five closes; the first only warms up. Capital 1000, commission 1 %, slippage 2 %, half of it per position.

    With two closes in the mean, a rise has z-score +1 and a fall -1; z = 1 belongs 1/3 to "middle" and 2/3 to
    "high" (bounds 0 and 1.5). The RSI of one change is 100 after a rise, 0 after a fall. So a rise gives
    2/3 * -0.6 = -0.4 (sell), a fall +0.4 (buy), no change 0 (hold nothing).

    1.25, a rise: sell 500 / 1.25 = 400 euros at 1.25 * 0.98 = 1.225: 490 less 4.90 commission = 485.10.
        Cash 1485.10; equity 1485.10 - 400 * 1.25 = 985.10.
    1.00, a fall: buy the 400 back at 1.02: 408 + 4.08 = 412.08. Profit 485.10 - 412.08 = 73.02; cash 1073.02.
        Then buy for 536.51 at 1.02: 547.2402 + 5.472402 = 552.712602. Cash 520.307398;
        equity 520.307398 + 536.51 = 1056.817398.
    1.00, no change: sell the 536.51 at 0.98: 525.7798 - 5.257798 = 520.522002. Profit -32.1906.
        Cash and equity 1040.8294.
    1.50, the last bar: nothing is opened any more. Equity 1040.8294.
    """
    run = finish(Backtest(bars_of(1.0, 1.25, 1.0, 1.0, 1.5), 1, SMALL_MODEL, NO_LEARNING, ORDER))
    assert run.signals == pytest.approx([-0.4, 0.4, 0.0, -0.4])
    assert run.equity == pytest.approx([985.1, 1056.817398, 1040.8294, 1040.8294])
    assert [trade.profit for trade in run.trades] == pytest.approx([73.02, -32.1906])
    found = engine.metrics(run)
    assert found["total_return"] == pytest.approx(40.8294)
    assert found["total_return_pct"] == pytest.approx(0.0408294)
    assert found["max_drawdown"] == pytest.approx(1056.817398 - 1040.8294)
    assert found["max_drawdown_pct"] == pytest.approx((1056.817398 - 1040.8294) / 1056.817398)
    assert found["win_rate"] == 0.5
    assert found["profit_factor"] == pytest.approx(73.02 / 32.1906)
    assert found["avg_holding_period"] == 24.0
    returns = [985.1 / 1000 - 1, 1056.817398 / 985.1 - 1, 1040.8294 / 1056.817398 - 1, 0.0]
    mean = sum(returns) / 4
    deviation = math.sqrt(sum((each - mean) ** 2 for each in returns) / 4)
    assert found["sharpe_ratio"] == pytest.approx(mean / deviation * math.sqrt(252))


def test_learning_worked_out_by_hand() -> None:
    """One sample, strengths 1/2 and 1/2, wanted 1, weights 0: error 1, each weight moves by 0.1 * 1 * 1/2."""
    weights = [0.0, 0.0]
    fuzzy.learn(weights, [((0.5, 0.5), 1.0)], epochs=1, learning_rate=0.1)
    assert weights == pytest.approx([0.05, 0.05])
    fuzzy.learn(weights, [((0.5, 0.5), 1.0)], epochs=1, learning_rate=0.1)
    assert weights == pytest.approx([0.05 + 0.1 * 0.95 * 0.5] * 2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-9, (1, 0, 0)),
        (-1.5, (1, 0, 0)),
        (-0.75, (0.5, 0.5, 0)),
        (0, (0, 1, 0)),
        (0.5, (0, 2 / 3, 1 / 3)),
        (9, (0, 0, 1)),
    ],
)
def test_memberships(value: float, expected: tuple[float, float, float]) -> None:
    assert fuzzy.memberships(value, *fuzzy.Z_BOUNDS) == pytest.approx(expected)


def test_indicators_worked_out_by_hand() -> None:
    closes = [1.0, 3.0, 2.0, 2.0]
    # mean of 1, 3, 2 is 2, so the third is 0 deviations away; of 3, 2, 2 it is 7/3, the deviation sqrt(2/9)
    assert fuzzy.z_score(closes, 2, 3) == pytest.approx(0.0)
    assert fuzzy.z_score(closes, 3, 3) == pytest.approx((2 - 7 / 3) / math.sqrt(2 / 9))
    assert fuzzy.relative_strength(closes, 2, 2) == pytest.approx(100 * 2 / 3)  # up 2, down 1
    assert fuzzy.relative_strength(closes, 3, 1) == 50.0


def test_strengths_add_up_to_one() -> None:
    for z in (-3.0, -1.0, -0.2, 0.0, 0.7, 2.0):
        for rsi in (0.0, 31.0, 50.0, 66.0, 100.0):
            found = fuzzy.strengths(z, rsi)
            assert len(found) == fuzzy.RULES
            assert sum(found) == pytest.approx(1.0)


def test_least_squares_finds_the_weights_that_made_the_samples() -> None:
    wanted = [0.1 * rule - 0.3 for rule in range(fuzzy.RULES)]
    samples = []
    for z in (-2.0, -1.0, -0.5, 0.0, 0.4, 0.9, 2.0):
        for rsi in (10.0, 35.0, 45.0, 55.0, 80.0):
            rule_strengths = fuzzy.strengths(z, rsi)
            samples.append((rule_strengths, fuzzy.signal(wanted, rule_strengths)))
    assert fuzzy.least_squares(samples, ridge=1e-9) == pytest.approx(wanted, abs=1e-5)


@pytest.fixture(name="daily", scope="module")
def _daily() -> list[Bar]:
    return market.reference_rates()


@pytest.fixture(name="model", scope="module")
def _model() -> fuzzy.Model:
    return fuzzy.read_model(SHIPPED_HOME, "models/neuro_mean_reversion/1d_v21", "either")


def one_year(daily: list[Bar], model: fuzzy.Model, strategy: Strategy) -> Backtest:
    order = replace(ORDER, initial_capital=100_000.0, commission=0.001, slippage=0.0005)
    first = next(index for index, bar in enumerate(daily) if bar.time.year == 2023)
    return Backtest(daily[first - 130 : first + 250], 130, model, strategy, order)


LEARNING = Strategy(window=40, epochs=3)


def test_equity_is_always_cash_plus_the_position(daily: list[Bar], model: fuzzy.Model) -> None:
    run = one_year(daily, model, LEARNING)
    while not run.finished:
        bar = run.step()
        assert run.equity[-1] == pytest.approx(run.cash + run.units * bar.close)
    assert run.units == 0.0
    assert run.trades
    assert run.equity[-1] == pytest.approx(100_000.0 + sum(trade.profit for trade in run.trades))


def test_the_future_changes_no_earlier_decision(daily: list[Bar], model: fuzzy.Model) -> None:
    whole = finish(one_year(daily, model, LEARNING))
    other = one_year(daily, model, LEARNING)
    changed = [*other.bars[:300], *(replace(bar, close=bar.close * 1.5) for bar in other.bars[300:])]
    other = finish(Backtest(changed, 130, model, LEARNING, other.order))
    assert other.signals[:170] == whole.signals[:170]
    assert other.equity[:170] == whole.equity[:170]
    assert other.signals[170:] != whole.signals[170:]


def test_without_costs_and_trades_capital_stays(daily: list[Bar], model: fuzzy.Model) -> None:
    run = finish(one_year(daily, model, Strategy(enter_above=99.0, epochs=0)))
    assert run.trades == [] and set(run.equity) == {100_000.0}


def test_costs_only_ever_cost(daily: list[Bar], model: fuzzy.Model) -> None:
    strategy = replace(LEARNING, epochs=0)
    dear = one_year(daily, model, strategy)
    free = Backtest(dear.bars, 130, model, strategy, replace(dear.order, commission=0.0, slippage=0.0))
    assert finish(free).signals == finish(dear).signals
    assert free.equity[-1] > dear.equity[-1]


def test_the_shipped_model_is_the_one_that_fitting_gives(daily: list[Bar], model: fuzzy.Model) -> None:
    fitted = fit.fit([bar for bar in daily if bar.time <= fit.FITTED_UNTIL], 20, 14, 5)
    assert fitted.weights == pytest.approx(model.weights, abs=2e-6)
    assert fitted.scale == pytest.approx(model.scale)


def test_the_indicator_search_finds_scores(daily: list[Bar], model: fuzzy.Model) -> None:
    found = engine.indicator_search(daily, 2000, model)
    scores = [next(found)[2] for _ in range(3)]
    assert all(0.0 < score < 1.0 for score in scores)


def test_rates_are_the_central_banks(daily: list[Bar]) -> None:
    by_day = {f"{bar.time:%Y-%m-%d}": bar.close for bar in daily}
    assert daily[0].time == datetime(1999, 1, 4, tzinfo=UTC)
    assert by_day["1999-01-04"] == 1.1789
    assert by_day["2024-01-02"] == 1.0956
    assert "2024-01-01" not in by_day and "2024-01-06" not in by_day
    assert [bar.time for bar in daily] == sorted(bar.time for bar in daily)
    from currency_converter import CurrencyConverter

    its = CurrencyConverter()
    for day in (daily[10], daily[3000], daily[-1]):
        assert its.convert(1, "EUR", "USD", date=day.time.date()) == pytest.approx(day.close)


def test_data_survive_being_saved(daily: list[Bar], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    market.save(market.data_file(tmp_path, "EURUSD", "1d"), daily[:50])
    assert market.load(tmp_path, "EURUSD", "1d") == daily[:50]
    with pytest.raises(market.DataMissingError, match="No data found in cache for NOSUCH 1d"):
        market.load(tmp_path, "NOSUCH", "1d")
    with pytest.raises(market.DataMissingError):
        market.load(tmp_path, "../data/EURUSD", "1d")


def test_hourly_bars_lie_on_the_line_between_two_days() -> None:
    start = datetime(2020, 1, 2, tzinfo=UTC)
    made = list(market.hourly([Bar(start, 1.0), Bar(start + timedelta(days=1), 1.24)]))
    assert [bar.close for bar in made] == pytest.approx([1.0 + 0.01 * hour for hour in range(24)])


@pytest.mark.parametrize(
    ("path", "form", "words"),
    [
        ("models/neuro_mean_reversion/1d_v21/model.pt", "directory", "V3 metadata not found at models/neuro_mean_reversion/1d_v21/model.pt/metadata_v3.json. This model may not be a v3 model or may need to be retrained."),
        ("models/neuro_mean_reversion/1d_v21", "file", "Model file expected"),
        ("models/none/v1/model.pt", "either", "Model directory not found: models/none/v1/model.pt"),
    ],
)  # fmt: skip
def test_models_that_cannot_be_used(path: str, form: str, words: str) -> None:
    with pytest.raises(fuzzy.ModelError) as caught:
        fuzzy.read_model(SHIPPED_HOME, path, form)
    assert words in str(caught.value)


def test_a_strategy_that_nobody_knows_is_the_default_one(tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    assert engine.read_strategy(tmp_path, "nonexistent") == Strategy()
    assert engine.read_strategy(SHIPPED_HOME, "neuro_mean_reversion", epochs=4).epochs == 4
    shipped = json.loads((SHIPPED_HOME / "strategies/neuro_mean_reversion.yaml").read_text())
    assert shipped["adaptation"]["epochs"] == engine.read_strategy(SHIPPED_HOME, "neuro_mean_reversion").epochs
