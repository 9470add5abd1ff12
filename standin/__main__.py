"""`python -m standin`: the command line."""

from __future__ import annotations

import sys

from standin import settings as settings_module


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run. Returns the exit status."""
    parsed = settings_module.parser().parse_args(arguments)
    from standin import faults, supervisor

    if parsed.list_faults:
        rows = faults.table()
        width = max(len(row.name) for row in rows)
        print("\n".join(f"{row.name:{width}}  {row.sentence}" for row in rows))
        return 0
    settings = settings_module.from_arguments(parsed)
    try:
        seams = faults.switched_on(settings.fault)
    except faults.UnknownFaultError as problem:
        print(f"standin: {problem}", file=sys.stderr)
        return 2
    return supervisor.main(seams.settings(settings), seams)


if __name__ == "__main__":
    sys.exit(main())
