"""``python -m ktrdr_qa.target``: every target file, its address, and whether a KTRDR answers there now."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from honest_behave.outcomes import BadConfiguration
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import NoAnswer, Transcript, TransportError
from ktrdr_qa.system import into_a_pipe
from ktrdr_qa.target.choosing import choose
from ktrdr_qa.target.settings import known_targets, load

ANSWER_S = 3.0
"""How long a target may take to say that it is healthy before it counts as not answering."""


def main(
    say: Callable[[str], None] = print, environment: Mapping[str, str] = os.environ, arguments: Sequence[str] = ()
) -> int:
    """Say one line for each target; the exit status is 1 where a target file has a mistake, 2 where it was called wrongly."""
    if arguments:
        given = " ".join(arguments)
        print(
            f"python -m ktrdr_qa.target lists all targets and takes no arguments (it was given {given})",
            file=sys.stderr,
        )
        return 2
    names = known_targets()
    with ThreadPoolExecutor(max_workers=8) as pool:
        told = list(pool.map(lambda name: _line(name, environment), names))
    for name, (_, line) in zip(names, told, strict=True):
        say(f"{name:12} {line}")
    try:
        chosen = choose({}, environment, Path.cwd())
        unused = f" (seen and not used: {', '.join(chosen.unused)})" if chosen.unused else ""
        say(f"without -D target=NAME: {chosen.name}{unused}")
    except BadConfiguration as mistake:
        say(f"without -D target=NAME: {_one_line(mistake)}")
        return 1
    return 0 if all(good for good, _ in told) else 1


def _line(name: str, environment: Mapping[str, str]) -> tuple[bool, str]:
    try:
        target = load(name)
        if target.embedded_one:
            return True, f"{target.description or 'embedded'}; launched when it is used"
        target = choose({"target": name}, environment, Path.cwd())
        headers = target.resolved_headers(environment)
    except BadConfiguration as mistake:
        return False, f"cannot be used: {_one_line(mistake)}"
    client = Client(
        target.base_url or "",
        Transcript(),
        timeout_s=ANSWER_S,
        headers=headers,
        secrets=target.secrets(environment),
        verify=target.tls.ca_file or target.tls.verify,
        certificate=target.tls.certificate,
    )
    where = f"{target.base_url} ({target.description or target.kind})"
    try:
        answer = client.get("/api/v1/health", purpose="API health")
        return (
            True,
            f'{where}: answers, status "{answer.need("$.status")}", version {answer.find("$.version", "not told")}',
        )
    except TransportError as error:
        why = str(error).removeprefix(f"GET {target.base_url}/api/v1/health: ")
        seen = "does not answer" if isinstance(error, NoAnswer) else "answers, but not as a healthy KTRDR does"
        return True, f"{where}: {seen}: {why}"
    finally:
        client.close()


def _one_line(mistake: BadConfiguration) -> str:
    return "; ".join(str(mistake).splitlines())


if __name__ == "__main__":
    sys.exit(into_a_pipe(lambda: main(arguments=sys.argv[1:])))
