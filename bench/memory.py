"""How much memory a process has taken."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path


def peak_mb() -> float:
    """The most memory that this process has had at a time."""
    # Linux counts in ru_maxrss what the process that started this one had; not so here.
    with suppress(OSError):
        if found := re.search(
            r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE
        ):
            return int(found[1]) / 2**10
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
