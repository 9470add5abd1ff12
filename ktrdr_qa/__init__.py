"""What the feature steps speak through: record a backtest's history, judge it, tell what was seen."""
