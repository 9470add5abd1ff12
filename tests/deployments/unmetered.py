"""``python -m tests.deployments.unmetered``: a stand-in whose workers' metrics name no processor time."""

from __future__ import annotations

import sys

import standin.metrics
from standin.__main__ import main


def no_figures(_: object) -> bytes:
    return b"# HELP python_info Nothing about the process.\npython_info 1.0\n"


standin.metrics.Metrics.text = no_figures  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
