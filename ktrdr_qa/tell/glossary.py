"""``python -m ktrdr_qa.tell.glossary``: writes ``docs/sentences.md``, what a scenario can be written with.

Sentences, explanations and groups come from the step definitions, examples from the features, so the document says
what the suite does. ``--check`` writes nothing and fails with one line where the document is not current, a
parameter or a tag is not explained, or a sentence has no explanation.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FEATURES = ROOT / "features"
DOCUMENT = ROOT / "docs" / "sentences.md"
COMMAND = "python -m ktrdr_qa.tell.glossary"

PARAMETERS = {
    "limit_s": "the limit in seconds: `2`, `30`, `0.5`",
    "least_s": "the least time in seconds: `2`, `0.5`",
    "updates": "how many of the backtest's own progress updates must have been due: `3`",
    "count": "how many, a whole number: `9`",
    "reason": "any words that stand between quotation marks: `the spread of May was wrong`",
}
TAGS = {
    "critical": "Cancelling is broken if this fails. `behave --tags=@critical` runs only such scenarios.",
    "normal": "Worth knowing, but cancelling itself may still work. Shown as the severity in the report, as "
    "`@blocker`, `@critical`, `@minor` and `@trivial` are.",
    "slow": "Takes much longer than the others; `behave --tags='not @slow'` leaves it out.",
    "same_backtest": "Goes on with the backtest that an earlier scenario of the same feature cancelled, instead of "
    "cancelling another one; run alone, it starts and cancels its own.",
    "disturbs_others": "Occupies or restarts what others may need: on a real KTRDR it is skipped unless allowed "
    "with `behave -D disturb=on`.",
    "allure.epic:NAME": "The chapter of the report under which the feature stands.",
    "allure.suite:NAME": "The name under which the report groups the feature's scenarios as a suite.",
    "allure.story:NAME": "The user story in the report: *Cancelling* (it stops), *Releasing* (the platform is free again), "
    "*Restarting*, *Endurance*.",
    "allure.issue:NUMBER": "Links the scenario with an issue. `@allure.link.TEXT:ADDRESS` links it with anything else.",
}
EXAMPLE = """\
  @normal @allure.story:Cancelling
  Scenario: A hasty trader cancels at once and has the platform back within ten seconds
    When a long backtest is started
    And the backtest is cancelled at once
    Then the cancellation is acknowledged within 1.5 seconds
    And the backtest is reported as cancelled within 2 seconds
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 2 seconds
    And the new backtest really runs within 10 seconds
"""
HOW = f"""\
## Write a scenario without Python

1. Open a `.feature` file in `features/`, or copy one. Keep its `Background`: these sentences check that the platform
   is ready, and the table in it names the backtests that may be used, in the order in which they are tried.
2. Write a scenario below it, from the sentences of this document. Change what stands in `{{braces}}` below and the rows
   of the tables; every other word must be as it is here. Which of *Given*, *When*, *Then* comes first decides where a
   sentence may stand; *And* repeats the one before.
3. Start a long backtest before you cancel it, cancel it before you say what must be true of the cancellation.
4. Try it: `behave features/YOUR_FILE.feature --name "the scenario's name"`. Without a KTRDR it runs on the embedded
   stand-in. A sentence that is not known is reported as undefined, and the run fails.
5. See it fail as well: `behave ... -D fault=cancel-ignored` breaks the stand-in (`python -m standin --list-faults`
   names all the ways), and your scenario must then tell what is wrong.

For example, with the `Background` of `features/early_cancellation.feature` above it:

```gherkin
{EXAMPLE.rstrip()}
```

Limits are what a person would accept. The file of a target (`targets/`) can replace them or stretch them all by a
`time_factor`; a run that used another limit than the sentence says so.
"""


class NotExplained(Exception):
    """Something that the document should explain has no explanation; the message says where to add it."""


@dataclass(frozen=True)
class Sentence:
    """One step definition, as a reader of features needs it."""

    kind: str
    pattern: str
    explanation: str
    module: str
    group: str
    line: int
    example: str

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\{(\w+)(?::[^}]*)?\}", self.pattern)

    @property
    def words(self) -> str:
        """The sentence with its parameters' names in braces."""
        return re.sub(r"\{(\w+)(?::[^}]*)?\}", r"{\1}", self.pattern).replace("_s}", "}")


def sentences(features: Path = FEATURES) -> list[Sentence]:
    """All sentences, module by module, in the order in which they are defined."""
    from behave.runner_util import load_step_modules
    from behave.step_registry import registry

    sys.path.insert(0, str(features.parent))
    known = {id(m) for matchers in registry.steps.values() for m in matchers}
    load_step_modules([str(features / "steps")])
    used = list(_steps(features))
    found = []
    for kind, matchers in registry.steps.items():
        for matcher in matchers:
            if id(matcher) in known:
                continue
            function = matcher.func
            explanation = inspect.getdoc(function)
            if not explanation:
                raise NotExplained(f"{function.__name__} in {Path(matcher.location.filename).name} has no docstring")
            module = function.__globals__
            example = next((text for step, text in used if step.step_type == kind and matcher.match(step.name)), "")
            found.append(
                Sentence(
                    kind,
                    matcher.pattern,
                    explanation,
                    Path(matcher.location.filename).name,
                    str(module["__doc__"]).strip(),
                    matcher.location.line,
                    example,
                )
            )
    first = ["preflight_steps.py", "cancellation_steps.py", "sanity_steps.py", "witness_steps.py"]
    order = {module: at for at, module in enumerate(first)}
    return sorted(found, key=lambda s: (order.get(s.module, len(order)), s.module, s.line))


def _steps(features: Path) -> Iterator[tuple[Any, str]]:
    """Every step of every feature, with its text; the main feature first."""
    for feature in _parsed(features):
        background = list(feature.background.steps) if feature.background else []
        steps = background + [s for scenario in feature.walk_scenarios() for s in scenario.steps]
        for step in steps:
            lines = [f"{step.step_type.capitalize()} {step.name}"]
            if step.table:
                rows = [step.table.headings, *(row.cells for row in step.table.rows)]
                widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
                lines += ["  | " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |" for r in rows]
            yield step, "\n".join(lines)


def _parsed(features: Path) -> list[Any]:
    from behave.parser import parse_file

    files = sorted(features.glob("**/*.feature"), key=lambda f: (f.name != "backtest_cancellation.feature", f.name))
    return [feature for file in files if (feature := parse_file(str(file)))]


def tags(features: Path = FEATURES) -> list[str]:
    """Every tag that a feature uses."""
    found = set()
    for feature in _parsed(features):
        found |= {str(tag) for tag in feature.tags}
        found |= {str(tag) for scenario in feature.walk_scenarios() for tag in scenario.effective_tags}
    return sorted(found)


def document(features: Path = FEATURES) -> str:
    """The whole document. Raises ``NotExplained``."""
    found = sentences(features)
    parts = [
        "# The sentences",
        f"What a scenario can be written with: {len(found)} sentences about cancelling backtests, and the tags. "
        f"This file is written by `{COMMAND}` from the step definitions and the features; do not edit it.",
        HOW.strip(),
    ]
    parts += _sentences_by_group(found)
    parts += ["## Tags", "A tag stands above a feature or a scenario, after an `@`.", _tags_table(tags(features))]
    return "\n\n".join(parts) + "\n"


def _sentences_by_group(found: Sequence[Sentence]) -> Iterator[str]:
    for group in dict.fromkeys(sentence.group for sentence in found):
        title, _, rest = group.partition(":")
        yield f"## {title.strip()}"
        if rest.strip():
            yield rest.strip()[0].upper() + rest.strip()[1:]
        for sentence in (s for s in found if s.group == group):
            yield f"### {sentence.kind.capitalize()} {sentence.words}"
            yield sentence.explanation
            if sentence.parameters:
                yield "\n".join(
                    f"- `{{{p.removesuffix('_s')}}}`: {_explained(p, sentence)}" for p in sentence.parameters
                )
            if sentence.example.partition(" ")[2] not in ("", sentence.words):
                yield f"```gherkin\n{sentence.example}\n```"


def _explained(parameter: str, sentence: Sentence) -> str:
    if parameter not in PARAMETERS:
        raise NotExplained(f"{sentence.module}: explain the parameter {parameter} under PARAMETERS in glossary.py")
    return PARAMETERS[parameter]


def _tags_table(used: Sequence[str]) -> str:
    general = {name.split(":")[0]: name for name in TAGS}
    for tag in used:
        if tag.split(":")[0] not in general:
            raise NotExplained(f"explain the tag @{tag} under TAGS in ktrdr_qa/tell/glossary.py")
    rows = [f"| `@{name}` | {explanation} |" for name, explanation in TAGS.items()]
    return "\n".join(["| Tag | What it means |", "|---|---|", *rows])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Write docs/sentences.md from the step definitions.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the document is not current")
    parser.add_argument("--output", type=Path, default=DOCUMENT)
    parser.add_argument("--features", type=Path, default=FEATURES)
    options = parser.parse_args(arguments)
    try:
        text = document(options.features)
    except NotExplained as gap:
        print(f"glossary: {gap}", file=sys.stderr)
        return 1
    if options.check:
        if not options.output.is_file() or options.output.read_text(encoding="utf-8") != text:
            print(f"{options.output} is not current; write it with: {COMMAND}", file=sys.stderr)
            return 1
        return 0
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    print(f"{options.output}: {text.count('### ')} sentences")
    return 0


if __name__ == "__main__":
    sys.exit(main())
