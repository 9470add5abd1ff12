"""Judge a saved history again: ``python -m ktrdr_qa.judge FILE [--json]``.

FILE is the history that the report attaches to a scenario ("History"). The same judgements are made as in the run,
so the outcome is the same; where a rule has been changed since, this shows what it makes of old evidence.

Exit status: 0 passed, 1 failed, 2 inconclusive, 3 where FILE is no history that can be read or nothing can be printed.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ktrdr_qa.judge import table, verdict
from ktrdr_qa.judge.in_words import believed, in_words
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.record.history import History, from_json, is_number
from ktrdr_qa.system import into_a_pipe
from ktrdr_qa.words import cut

EXIT_STATUS: Mapping[verdict.Outcome, int] = {"passed": 0, "failed": 1, "inconclusive": 2}
BAD_INPUT = 3
WIDTH = 110
# The last one is asked for while a run waits for it, and has no row.
JUDGEMENTS = frozenset(name for _, checks in table.GROUPS for names in checks.values() for name in names) | {
    "neighbours moving"
}
LONGEST = 1000
"""So many characters at most are told of one thing: what a platform says of itself may be of any length."""
FORMAT = "ktrdr-qa/verdict"
VERSION = 1


class NoHistory(Exception):
    """The file is no history that can be judged; the message is the one line that says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m ktrdr_qa.judge",
        description="Judge a saved history again, as the report attaches it.",
        epilog="Exit status: 0 passed, 1 failed, 2 inconclusive, 3 where FILE is no history that can be read.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help='the attachment "History" of a scenario')
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON, for another program")
    try:
        given = parser.parse_args(arguments)
    except SystemExit as exit_:
        return BAD_INPUT if exit_.code else 0
    try:
        history = read(given.file)
        found = judge(history)
        outcome = outcome_of(history, found)
        with _damaged():
            told = (as_json if given.json else as_text)(history, _in_brief(found))
    except NoHistory as error:
        print(f"{given.file}: {cut(' '.join(str(error).split()), LONGEST)}", file=sys.stderr)
        return BAD_INPUT
    try:
        print(told, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"the verdict cannot be printed: {error.strerror or error}", file=sys.stderr)
        # What is still to be written when Python ends must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BAD_INPUT
    return EXIT_STATUS[outcome]


def read(file: Path) -> History:
    """The history in a file; raises ``NoHistory``."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NoHistory("there is no such file") from None
    except OSError as error:
        raise NoHistory(f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise NoHistory("not text in UTF-8; expected a history as the report attaches it") from error
    if not text.strip():
        raise NoHistory("empty; expected a history as the report attaches it")
    try:
        return from_json(text)
    except ValueError as error:
        raise NoHistory(str(error)) from error


def judge(history: History) -> dict[str, Judgement]:
    """Every judgement of a history, by its name; raises ``NoHistory`` where its facts are of the wrong kind."""
    _check(history.about)
    with _damaged():
        return verdict.judge_all(history)


@contextmanager
def _damaged() -> Iterator[None]:
    """Tell as ``NoHistory`` what facts of the wrong kind make of a rule, or of its words."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        raise NoHistory(f"the history is damaged: {error}") from error


def _check(about: Mapping[str, Any]) -> None:
    """Raises ``NoHistory`` where what the verdict goes by is none of the things that a run writes down.

    A name that nobody knows would be passed over without a word, and with it what was asked for.
    """
    limits, asked = about.get("limits", {}), about.get("asked", [])
    if not isinstance(limits, dict) or not all(is_number(limit_s) for limit_s in limits.values()):
        raise NoHistory(f"the history is damaged: its limits are no numbers: {limits!r}")
    for name, limit_s in limits.items():
        if name not in verdict.LIMITS_S:
            raise NoHistory(f"the history is damaged: there is no limit {name!r}; {_instead(name, verdict.LIMITS_S)}")
        if limit_s < 0:
            raise NoHistory(f"the history is damaged: the limit {name} is {limit_s}; expected seconds, 0 or more")
    if not is_number(updates := about.get("updates", 0)):
        raise NoHistory(f"the history is damaged: its updates are no number: {updates!r}")
    if updates < 0:
        raise NoHistory(f"the history is damaged: its updates are {updates}; expected a number of updates, 0 or more")
    if not isinstance(asked, list):
        raise NoHistory(f"the history is damaged: {asked!r} is no list of judgements")
    for name in asked:
        if not isinstance(name, str) or name not in JUDGEMENTS:
            told = _instead(name, JUDGEMENTS)
            raise NoHistory(f"the history is damaged: it asks for {name!r}, which is no judgement; {told}")


def _instead(name: Any, known: Collection[str]) -> str:
    """What may have been meant by a name that there is not."""
    close = difflib.get_close_matches(str(name), known, 1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(known))}"


def _in_brief(found: Mapping[str, Judgement]) -> dict[str, Judgement]:
    return {
        name: replace(
            judgement,
            seen=cut(judgement.seen, LONGEST),
            observations=tuple(cut(told, LONGEST) for told in judgement.observations),
        )
        for name, judgement in found.items()
    }


def outcome_of(history: History, found: Mapping[str, Judgement]) -> verdict.Outcome:
    """The outcome of what was asked for, which the history names; all of it where it does not."""
    return verdict.outcome(found, history.about.get("asked"))


def as_text(history: History, found: Mapping[str, Judgement]) -> str:
    """Outcome, paragraph, table and observations, for a person at a terminal."""
    parts = [
        outcome_of(history, found).upper(),
        textwrap.fill(cut(in_words(history, found), LONGEST), WIDTH),
        "\n".join(_row(row) for row in table.rows(found, history.about.get("asked"))),
        f"The verdict rests on {believed(found)}.",
    ]
    run = history.about.get("run")
    if isinstance(run, dict) and run.get("outcome") != outcome_of(history, found):
        # By another rule, or by something that is no reading: a start that was refused, a preflight check.
        parts.insert(1, cut(f"The run itself ended as {run.get('outcome')}: {run.get('scenario')}", LONGEST))
    observations = [observation for judgement in found.values() for observation in judgement.observations]
    if observations:
        parts.append("\n".join(["Observations:", *(_indented(f"- {told}", "  ", "    ") for told in observations)]))
    return "\n\n".join(parts)


def as_json(history: History, found: Mapping[str, Judgement]) -> str:
    """The same for another program."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "outcome": outcome_of(history, found),
        "in_words": cut(in_words(history, found), LONGEST),
        "rests_on": believed(found),
        "rows": [asdict(row) for row in table.rows(found, history.about.get("asked"))],
        "judgements": [asdict(judgement) for judgement in found.values()],
    }
    return json.dumps(document, indent=1, ensure_ascii=False)


def _row(row: table.Row) -> str:
    return f"{row.verdict:<9} {row.kind:<17} {row.check}\n" + _indented(row.seen, " " * 28, " " * 28)


def _indented(text: str, first: str, further: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=further)


if __name__ == "__main__":
    sys.exit(into_a_pipe(main))
