"""The run in short: the verdict line, ``summary.md`` for people, ``summary.json`` for machines.

The form of ``summary.json`` is documented in docs/summary.md and stays stable within its ``version``.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from honest_behave.outcomes import BadConfiguration
from honest_behave.problems import describe
from honest_behave.results import CATEGORY_RULES, INCONCLUSIVE, PLATFORM_NOT_READY, PRODUCT_DEFECT, SUITE_ERROR
from ktrdr_qa.judge import table, verdict
from ktrdr_qa.judge.in_words import believed
from ktrdr_qa.tell import evidence
from ktrdr_qa.words import once

if TYPE_CHECKING:
    from ktrdr_qa.judge.judgement import Judgement
    from ktrdr_qa.target.settings import Target
    from ktrdr_qa.tell.scenario_end import ScenarioEnd

FORMAT = "ktrdr-qa/summary"
VERSION = 1
LEFT_OUT_BY = ("line", "name", "tag")
SIGNS = {"passed": "PASSED", "failed": "FAILED", "inconclusive": "INCONCLUSIVE"}
_MEANINGS = {
    PRODUCT_DEFECT: "KTRDR did something wrong",
    SUITE_ERROR: "the suite itself went wrong, so nothing was learnt about cancellation",
    PLATFORM_NOT_READY: "the platform was not ready, so nothing was learnt about cancellation",
    INCONCLUSIVE: "nothing was learnt about cancellation",
}
"""By category, the gravest first: a run with several kinds of trouble is called by the first."""
NAMED_IN_THE_LINE = 3
"""So many features, or scenarios that were not checked, are named in the verdict line; the summary names all of them."""
_LABEL = re.compile(r"\s*(but|try|cure|advice|again): ")
"""What the parts of a failure text begin with (style: "Failure text")."""
_KNOWS = ("unknown", "holds", "violated")
"""Verdicts, the one that says least first."""


@dataclass(frozen=True)
class Facts:
    """What a summary goes by: ``planned`` are Behave's scenarios, ``version`` is KTRDR's, empty where it was not told."""

    ended: Sequence[ScenarioEnd]
    planned: Sequence[Any]
    left_out: Sequence[NotChecked]
    stops_at_a_failure: bool
    target: Target
    version: str
    began_at: str
    took_s: float


@dataclass(frozen=True)
class NotChecked:
    """A scenario of this run's feature files that says nothing about KTRDR, and why.

    ``by``: the command left it out by ``line``, ``name`` or ``tag``; it was ``skipped`` while it ran; or it was
    ``not run``, as the run was over before its turn.
    """

    feature: str
    name: str
    by: Literal["line", "name", "tag", "skipped", "not run"]
    reason: str


def left_out(scenarios: Iterable[Any], config: Any) -> list[NotChecked]:
    """What the command does not select of the feature files it names, before anything has run.

    Behave marks what is not among the lines asked for (``FILE:LINE``, ``@LIST``) when it reads a file, and asks for
    tags and names when a scenario's turn comes. A file that a list names in two places is read twice, so a scenario
    is left out only where each of its copies is. Where Behave knows no reason it is told this one, for the report.
    """
    scenarios = list(scenarios)
    selected = {str(scenario.location) for scenario in scenarios if scenario.should_run(config)}
    lines = " ".join(path for path in config.paths if path.startswith("@") or re.search(r":\d+$", path))
    names = " ".join(f'--name "{name}"' for name in config.name or ())
    found: dict[str, NotChecked] = {}
    for scenario in scenarios:
        place = str(scenario.location)
        if place in selected:
            continue
        by: Literal["line", "name", "tag"] = "name"
        how = names
        if scenario.should_skip:
            by, how = "line", lines
            scenario.skip_reason = scenario.skip_reason or f"left out by line: {lines}"
        elif not scenario.should_run_with_tags(config.tag_expression):
            by, how = "tag", f'--tags "{config.tag_expression.to_string()}"'
        reason = scenario.skip_reason or f"left out by {by}" + (f": {how}" if how else "")
        found.setdefault(place, NotChecked(scenario.feature.name, scenario.name, by, reason))
    return list(found.values())


@cache
def versions() -> dict[str, str]:
    """What ran the suite."""
    return {
        "Suite": "1.0.0",
        "Python": platform.python_version(),
        "Behave": version("behave"),
        "allure-behave": version("allure-behave"),
    }


def outcome_of(run: Facts, *, failed: bool) -> verdict.Outcome:
    """The outcome of the whole run: what any scenario failed at decides, and a pass needs one that passed."""
    outcomes = {end.outcome for end in run.ended}
    if any(judgement.violated for end in run.ended for judgement in end.judged.values()):
        return "failed"  # Whatever became of its step: no verdict above a table that says otherwise.
    if "failed" in outcomes:
        return "failed"
    if failed or "inconclusive" in outcomes or "passed" not in outcomes:
        return "inconclusive"
    return "passed"


def category_of(end: ScenarioEnd) -> str | None:
    """The report's category of one scenario; None where it passed or was skipped."""
    if end.outcome == "failed":
        return PRODUCT_DEFECT
    if end.outcome != "inconclusive":
        return None
    return category_of_words(describe(end.exception) if end.exception else end.reason)


def category_of_words(words: str) -> str:
    """The report's category of what was no failed check, by the text that describes it."""
    return next(name for name, status, start in CATEGORY_RULES if status == "broken" and re.match(start, words))


def headline(end: ScenarioEnd) -> str:
    """One scenario in one sentence: the outcome and what it means."""
    if end.outcome == "skipped":
        return "NOT CHECKED."
    category = category_of(end)
    return f"{SIGNS[end.outcome]}: {_MEANINGS[category] if category else end.name}."


def decisive(ended: Sequence[ScenarioEnd]) -> ScenarioEnd | None:
    """The scenario whose judgements the summary tells: the first that failed, else the first that could not tell.

    Of a pass it is the last about the first scenario's backtest, when most was known of it.
    """
    judged = [end for end in ended if end.judged]
    for outcome in ("failed", "inconclusive"):
        if found := next((end for end in judged if end.outcome == outcome), None):
            return found
    return next((end for end in reversed(judged) if end.backtest == judged[0].backtest), None)


def most_known(ended: Sequence[ScenarioEnd], backtest: str) -> dict[str, Judgement]:
    """Each judgement of a backtest by the scenario that knew most of it.

    Violated beats holds, holds beats unknown. Of two that say the same it is the later one, which has seen more; but
    a rule is broken by what broke it first.
    """
    known: dict[str, Judgement] = {}
    for end in ended:
        for name, judgement in end.judged.items() if end.backtest == backtest else ():
            before = known.get(name)
            gain = _KNOWS.index(judgement.verdict) - _KNOWS.index(before.verdict) if before else 1
            if gain > 0 or (gain == 0 and not judgement.violated):
                known[name] = judgement
    return known


def _asked(ended: Sequence[ScenarioEnd], backtest: str) -> frozenset[str] | None:
    """The judgements that sentences asked for of a backtest; None where that was not noted."""
    noted = [end.asked for end in ended if end.backtest == backtest and end.asked is not None]
    return frozenset(name for asked in noted for name in asked) if noted else None


def nothing_was_cancelled(ended: Sequence[ScenarioEnd]) -> bool:
    """Whether scenarios passed, and none of them with a backtest that was seen cancelled, or ended by a restart."""
    passed = [end for end in ended if end.outcome == "passed"]
    told = (end.judged[name] for end in passed for name in ("cancelled", "ended") if name in end.judged)
    return bool(passed) and not any(judgement.holds for judgement in told)


def of(run: Facts, *, failed: bool, trouble: Sequence[str] = ()) -> dict[str, Any]:
    """The summary of a run as plain data. ``trouble`` is what went wrong outside of every scenario."""
    outcome = outcome_of(run, failed=failed)
    told = decisive(run.ended)
    found = most_known(run.ended, told.backtest) if told else {}
    rows = table.rows(found, _asked(run.ended, told.backtest) if told else ())
    not_reached = _not_reached(run)
    reasons = _reasons(run, outcome, found, rows, trouble, not_reached)
    not_checked = [
        *(NotChecked(e.feature, e.name, "skipped", gist(e.reason)) for e in run.ended if e.outcome == "skipped"),
        *not_reached,
        *run.left_out,
    ]
    categories = {category_of(end) for end in run.ended} | {category_of_words(words) for words in trouble}
    category = next((name for name in _MEANINGS if name in categories), INCONCLUSIVE)
    return {
        "format": FORMAT,
        "version": VERSION,
        "outcome": outcome,
        "category": None if outcome == "passed" else category,
        "reasons": [*reasons, *(f"not checked: {one.name}: {one.reason}" for one in not_checked)],
        "target": {
            "name": run.target.name,
            "kind": run.target.kind,
            "address": run.target.base_url or "",
            "chosen_by": run.target.chosen_by,
            "version": run.version or None,
        },
        "began_at": run.began_at,
        "took_s": round(run.took_s, 3),
        "what_happened": told.in_words if told else "",
        "scenarios": [
            *({"feature": e.feature, "name": e.name, "outcome": e.outcome, "reason": e.reason} for e in run.ended),
            *({"feature": n.feature, "name": n.name, "outcome": "skipped", "reason": n.reason} for n in not_reached),
        ],
        "not_checked": [asdict(one) for one in not_checked],
        "checks": [asdict(row) for row in rows],
        "figures": {k: round(v, 4) for j in found.values() for k, v in j.figures.items()},
        "observations": sorted(once(o for end in run.ended for o in end.observations)),
        "versions": versions(),
    }


def _reasons(
    run: Facts,
    outcome: verdict.Outcome,
    found: Mapping[str, Judgement],
    rows: Sequence[table.Row],
    trouble: Sequence[str],
    not_reached: Sequence[NotChecked],
) -> list[str]:
    """Why the run came out so, but for what was not checked; of a pass, what it rests on and says nothing about."""
    reasons = [f"{end.name}: {gist(end.reason)}" for end in run.ended if end.outcome in ("failed", "inconclusive")]
    reasons += [gist(words) for words in trouble]
    not_run = [one for one in not_reached if one.by == "not run"]
    why = "the run was stopped before them"
    if run.stops_at_a_failure and any(end.outcome in ("failed", "inconclusive") for end in run.ended):
        why = "--stop ends a run at the first scenario that does not pass"
    if not run.ended:
        reasons.append("no scenario was run")
    elif not_run:
        reasons.append(f"{len(not_run)} of {len(run.planned)} scenarios were not run: {why}")
    if outcome == "passed":
        reasons += [f"it rests on {believed(found)}"] if found else []
        reasons += _without_a_verdict(rows)
    if not reasons and outcome == "inconclusive":
        passed = any(end.outcome == "passed" for end in run.ended)
        reasons.append(
            "the run failed outside of its scenarios; the console says how" if passed else "nothing was checked"
        )
    return reasons


def _not_reached(run: Facts) -> list[NotChecked]:
    """The scenarios that were selected and never begun: the run was over before, or another program skipped them."""
    ended = Counter((end.feature, end.name) for end in run.ended)
    found = []
    for scenario in run.planned:
        feature, name = scenario.feature.name, scenario.name
        if ended[feature, name]:
            ended[feature, name] -= 1
        elif scenario.should_skip:  # by a test plan of Allure's, for one
            found.append(NotChecked(feature, name, "skipped", scenario.skip_reason or "skipped, no reason given"))
        else:
            found.append(NotChecked(feature, name, "not run", "not run"))
    return found


def _without_a_verdict(rows: Sequence[table.Row]) -> list[str]:
    """The recipe's criteria, its sanity checks and the witnesses that a pass says nothing about."""
    asked = {row.check: row.verdict for row in rows}
    of_all = [*table.CRITERIA, *table.SANITY_CHECKS, *table.WITNESSES]
    told = {
        "not known": [check for check in of_all if asked.get(check) == "unknown"],
        "not asked": [check for check in of_all if check not in asked],
    }
    return [f"{how}: {'; '.join(checks)}" for how, checks in told.items() if checks]


def without_a_run(reason: str, category: str) -> dict[str, Any]:
    """The summary of a run that has not come to its end, or not even to its target: nothing was learnt."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "outcome": "inconclusive",
        "category": category,
        "reasons": [reason],
        "target": {"name": "", "kind": "", "address": "", "chosen_by": "", "version": None},
        "began_at": now(),
        "took_s": 0.0,
        "what_happened": "",
        "scenarios": [],
        "not_checked": [],
        "checks": [],
        "figures": {},
        "observations": [],
        "versions": versions(),
    }


def begin(reports: Path, why: str = "") -> None:
    """Replace an earlier run's summary before anything can go wrong, so that it is never read as this run's.

    ``why`` says why the run could not begin or go on, once that is known.
    """
    words = " ".join(why.split()) or "it was killed, or could not begin"
    write(without_a_run(f"the run did not come to its end: {words}", INCONCLUSIVE), reports)


def now() -> str:
    """The local time in ISO 8601, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def in_part(told: Mapping[str, Any]) -> bool:
    """Whether a pass is one of a part of the scenarios only."""
    return bool(told["outcome"] == "passed" and told["not_checked"])


def verdict_line(told: Mapping[str, Any]) -> str:
    """One line: the outcome, what it means or what it is about, on which target."""
    target = told["target"]
    stand_in = " (EMBEDDED STAND-IN, no real KTRDR)" if target["kind"] == "embedded" else ""
    where = f", on {target['name']} at {target['address']}{stand_in}" if target["name"] else ""
    part = ", in part" if in_part(told) else ""
    means = _what_is_wrong(told) if told["category"] else _what_passed(told)
    return f"{SIGNS[told['outcome']]}{part}: {means}{where}"


def _what_is_wrong(told: Mapping[str, Any]) -> str:
    """What its category means; of an inconclusive run in which some passed, of how many scenarios nothing was learnt."""
    if told["reasons"] and told["reasons"][0].startswith(BadConfiguration.__name__):
        return "a setting is wrong, so nothing was learnt about cancellation"
    means, outcomes = _MEANINGS[told["category"]], [scenario["outcome"] for scenario in told["scenarios"]]
    if told["outcome"] != "inconclusive" or "passed" not in outcomes:
        return means
    of_nothing = outcomes.count("inconclusive") + len(told["not_checked"])
    every = of_nothing + outcomes.count("passed")
    return means.replace("about cancellation", f"from {of_nothing} of {every} scenarios; the others passed")


def _what_passed(told: Mapping[str, Any]) -> str:
    """What a pass claims: that what the features are about works, or how many of their scenarios passed."""
    passed = [scenario for scenario in told["scenarios"] if scenario["outcome"] == "passed"]
    if in_part(told):
        names = [f'"{one["name"]}"' for one in told["not_checked"]]
        more = len(names) - NAMED_IN_THE_LINE
        named = names if more <= 1 else [*names[:NAMED_IN_THE_LINE], f"and {more} more"]
        return f"{len(passed)} of {len(passed) + len(names)} scenarios; not checked: {', '.join(named)}"
    features = dict.fromkeys(str(scenario["feature"]) for scenario in passed)
    *others, last = [name[:1].lower() + name[1:] for name in features]
    if len(others) >= NAMED_IN_THE_LINE + 1:
        others, last = others[:NAMED_IN_THE_LINE], f"{len(features) - NAMED_IN_THE_LINE} more"
    return f"{', '.join(others)} and {last} work" if others else f"{last} works"


def markdown(told: Mapping[str, Any]) -> str:
    """The summary for a pull request or a chat; what others wrote is shown as they wrote it."""
    rows = [table.Row(**row) for row in told["checks"]]
    parts = [f"## {evidence.escaped(verdict_line(told))}", evidence.escaped(told["what_happened"])]
    parts.append("\n".join(f"- {evidence.escaped(reason)}" for reason in told["reasons"]))
    if rows:
        parts.append(evidence.markdown_table(rows))
    scenarios = [(s["name"], s["outcome"]) for s in told["scenarios"]]
    scenarios += [(n["name"], f"left out by {n['by']}") for n in told["not_checked"] if n["by"] in LEFT_OUT_BY]
    if scenarios:
        lines = (f"| {evidence.escaped(name)} | {outcome} |" for name, outcome in scenarios)
        parts.append("\n".join(["| Scenario | Outcome |", "|---|---|", *lines]))
    if told["observations"]:
        parts.append("**Observations**\n\n" + "\n".join(f"- {evidence.escaped(o)}" for o in told["observations"]))
    parts.append(
        f"Began {told['began_at']}, took {told['took_s']:.1f} s; "
        + ", ".join(f"{k} {v}" for k, v in told["versions"].items())
        + "."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def write(told: Mapping[str, Any], reports: Path) -> None:
    reports.mkdir(parents=True, exist_ok=True)
    (reports / "summary.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (reports / "summary.md").write_text(markdown(told), encoding="utf-8")


def gist(reason: str) -> str:
    """The telling line of a failure text: what was expected and what was seen, or the first line.

    A line that ends in a colon is told with those that it announces.
    """
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    first = _with_what_it_announces(lines)
    at = next((at for at, line in enumerate(lines) if line.startswith("but:")), None)
    if at is None:
        return first
    seen = _with_what_it_announces(lines[at:]).removeprefix("but: ")
    return f"{first.removeprefix('Expected: ')}, but {seen}"


def _with_what_it_announces(lines: Sequence[str]) -> str:
    """The first of some stripped lines, up to the next labelled one where it ends in a colon."""
    if not lines or not lines[0].endswith(":"):
        return lines[0] if lines else ""
    announced = "; ".join(takewhile(lambda line: not _LABEL.match(line), lines[1:]))
    return f"{lines[0]} {announced}" if announced else lines[0].removesuffix(":")


def main(arguments: Sequence[str]) -> int:
    """The command: begin the summary, before Behave runs. What Behave refuses on its command line it refuses before it
    loads anything of this suite. Returns the exit status.
    """
    if arguments:
        given = " ".join(arguments)
        print(f"python -m ktrdr_qa.tell.summary takes no arguments (it was given {given})", file=sys.stderr)
        return 2
    try:
        begin(Path("reports"))
    except OSError as error:
        print(f"{error.filename} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
