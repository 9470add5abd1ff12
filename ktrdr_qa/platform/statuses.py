"""The words for the state of a backtest, as KTRDR's contract has them, and the suite's own for a record that is not there."""

TERMINAL = frozenset({"completed", "failed", "cancelled"})
"""The statuses after which KTRDR's own contract allows no other (contract: "Statuses")."""
ACTIVE = frozenset({"pending", "resuming", "running"})
KNOWN = TERMINAL | ACTIVE
TURNED_DOWN = frozenset({400, 404, 409, 410, 422})
"""HTTP statuses for the cancel of what has ended: KTRDR's is 400 (contract, surprise 11); 409 and 410 are what RFC 9110
(15.5.10, 15.5.11) has for it, 404 and 422 are answered where an ended backtest is no longer among those to cancel."""
MISSING = "missing"
"""A record that KTRDR says it does not have (HTTP 404)."""
