"""The words for the state of a backtest, as KTRDR's contract has them, and the suite's own for a record that is not there."""

TERMINAL = frozenset({"completed", "failed", "cancelled"})
"""The statuses after which KTRDR's own contract allows no other (contract: "Statuses")."""
KNOWN = TERMINAL | {"pending", "resuming", "running"}
MISSING = "missing"
"""A record that KTRDR says it does not have (HTTP 404)."""
