"""What a process of KTRDR's says of itself, in Prometheus's text format under these names."""

from __future__ import annotations

import re

MEMORY, FILES, ACTIVE, PROCESSOR = (
    "process_resident_memory_bytes",
    "process_open_fds",
    "ktrdr_operations_active",
    "process_cpu_seconds_total",
)
_SAMPLE = re.compile(r"^(\w+)(?:\{.*\})?[ \t]+(\S+)", re.MULTILINE)
"""A line of it: name, labels, value, and perhaps a time. Its library takes as long to load as all that a run reads with it."""


def figures(text: str, *names: str) -> dict[str, float]:
    """Of a process's metrics those of these names, by name; of one that has labels the sum over them.

    Raises ``ValueError`` where a value is no number.
    """
    found: dict[str, float] = {}
    for name, value in _SAMPLE.findall(text):
        if name in names:
            found[name] = found.get(name, 0.0) + float(value)
    return found
