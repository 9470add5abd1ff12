"""How much memory a process has taken."""

from __future__ import annotations

import sys


def peak_mb() -> float:
    """The most memory that this process has had at a time."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
