"""`python -m standin`: the command line."""

from __future__ import annotations

import os
import signal
import sys


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run. Returns the exit status."""
    from standin import settings as settings_module

    parsed = settings_module.parser().parse_args(arguments)
    from standin import awkward, faults
    from standin.seams import Seams
    from standin.supervisor import LaunchError

    if parsed.list_faults:
        if hasattr(signal, "SIGPIPE"):  # Whoever reads the list may leave before its end, as ``head`` does.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        rows = faults.table()
        width = max(len(row.name) for row in rows)
        print("\n".join(f"{row.name:{width}}  {row.sentence}" for row in rows))
        return 0
    settings = settings_module.from_arguments(parsed)
    for mistake in settings.mistakes():
        print(f"standin: {mistake}", file=sys.stderr)
        return 2
    try:
        broken = faults.switched_on(settings.fault)
    except faults.UnknownFaultError as problem:
        print(f"standin: {problem}", file=sys.stderr)
        return 2
    settings = Seams(broken).settings(settings)
    seams = Seams([*awkward.seams(settings), *broken])
    try:
        if hasattr(os, "fork"):
            from standin.forking import ForkingSupervisor, Signals

            return ForkingSupervisor(settings, seams, Signals()).run()
        from standin.spawning import SpawningSupervisor, Told

        return SpawningSupervisor(settings, seams, Told()).run()
    except LaunchError as problem:
        print(f"standin: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    # Nothing has been made yet: whoever is told to stop so early just ends. The supervisor then takes over.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(130))
    sys.exit(main())
