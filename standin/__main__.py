"""`python -m standin`: the command line."""

from __future__ import annotations

import sys

from standin import settings as settings_module


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run. Returns the exit status."""
    parsed = settings_module.parser().parse_args(arguments)
    from standin import supervisor
    from standin.seams import Seams

    settings = settings_module.from_arguments(parsed)
    seams = Seams()
    return supervisor.main(seams.settings(settings), seams)


if __name__ == "__main__":
    sys.exit(main())
