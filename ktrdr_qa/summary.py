"""The run in short: the verdict line, ``summary.md`` for people, ``summary.json`` for machines.

The form of ``summary.json`` is documented in docs/summary.md and stays stable within its ``version``.
"""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ktrdr_qa import evidence, verdict
from ktrdr_qa.allure_formatter import describe
from ktrdr_qa.allure_results import (
    CATEGORY_RULES,
    INCONCLUSIVE,
    PLATFORM_NOT_READY,
    PRODUCT_DEFECT,
    SUITE_ERROR,
)

if TYPE_CHECKING:
    from ktrdr_qa.run import Run, ScenarioEnd

FORMAT = "ktrdr-qa/summary"
VERSION = 1
SIGNS = {"passed": "PASSED", "failed": "FAILED", "inconclusive": "INCONCLUSIVE"}
_MEANINGS = {
    None: "cancelling a running backtest works",
    PRODUCT_DEFECT: "KTRDR did something wrong",
    SUITE_ERROR: "the suite itself went wrong, so nothing was learnt about cancellation",
    PLATFORM_NOT_READY: "the platform was not ready, so nothing was learnt about cancellation",
    INCONCLUSIVE: "nothing was learnt about cancellation",
}
"""By category, the gravest first after the pass: a run with several kinds of trouble is called by the first."""


def versions() -> dict[str, str]:
    """What ran the suite."""
    return {
        "Suite": "1.0.0",
        "Python": platform.python_version(),
        "Behave": version("behave"),
        "allure-behave": version("allure-behave"),
    }


def outcome_of(run: Run, *, failed: bool) -> verdict.Outcome:
    """The outcome of the whole run: what any scenario failed at decides, and a pass needs one that passed."""
    outcomes = {end.outcome for end in run.ended}
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
    return f"{SIGNS[end.outcome]}: {_MEANINGS[category_of(end)]}."


def decisive(ended: Sequence[ScenarioEnd]) -> ScenarioEnd | None:
    """The scenario whose judgements the summary tells: the first that failed, else the first that could not tell.

    Of a pass it is the last about the first scenario's backtest, when most was known of it.
    """
    judged = [end for end in ended if end.judged]
    for outcome in ("failed", "inconclusive"):
        if found := next((end for end in judged if end.outcome == outcome), None):
            return found
    return next((end for end in reversed(judged) if end.backtest == judged[0].backtest), None)


def of(run: Run, *, failed: bool, trouble: Sequence[str] = ()) -> dict[str, Any]:
    """The summary of a run as plain data. ``trouble`` is what went wrong outside of every scenario."""
    outcome = outcome_of(run, failed=failed)
    told = decisive(run.ended)
    skipped = [f"not checked: {end.name}: {_first_line(end.reason)}" for end in run.ended if end.outcome == "skipped"]
    reasons = [f"{end.name}: {gist(end.reason)}" for end in run.ended if end.outcome in ("failed", "inconclusive")]
    reasons += [_first_line(words) for words in trouble]
    ended = [(end.feature, end.name) for end in run.ended]
    not_run = [(feature, name) for feature, name in run.planned if (feature, name) not in ended]
    if not run.ended:
        reasons.append("no scenario was run")
    elif not_run:
        reasons.append(f"{len(not_run)} of {len(run.planned)} scenarios were not run: the run was stopped before them")
    if told and outcome == "passed":
        reasons.append(f"it rests on {verdict.believed(told.judged)}")
    if not reasons and outcome == "inconclusive":
        reasons.append("; ".join(skipped) or "the run failed outside of its scenarios; the console says how")
    found = told.judged if told else {}
    categories = {category_of(end) for end in run.ended} | {category_of_words(words) for words in trouble}
    category = next((name for name in _MEANINGS if name in categories and name), INCONCLUSIVE)
    return {
        "format": FORMAT,
        "version": VERSION,
        "outcome": outcome,
        "category": None if outcome == "passed" else category,
        "reasons": [*reasons, *skipped],
        "target": {
            "name": run.target.name,
            "kind": run.target.kind,
            "address": run.target.base_url or "",
            "chosen_by": run.target.chosen_by,
            "version": run.preflight.version or None,
        },
        "began_at": run.began_at,
        "took_s": round(run.clock(), 3),
        "what_happened": told.in_words if told else "",
        "scenarios": [
            *({"feature": e.feature, "name": e.name, "outcome": e.outcome, "reason": e.reason} for e in run.ended),
            *({"feature": f, "name": n, "outcome": "skipped", "reason": "not run"} for f, n in not_run),
        ],
        "checks": [
            {"kind": r.kind, "check": r.check, "verdict": r.verdict, "seen": r.seen} for r in verdict.table(found)
        ]
        if found
        else [],
        "figures": {k: round(v, 4) for j in found.values() for k, v in j.figures.items()},
        "observations": sorted({o for end in run.ended for o in end.observations}),
        "versions": versions(),
    }


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


def verdict_line(told: Mapping[str, Any]) -> str:
    """One line: the outcome, what it means, on which target."""
    target = told["target"]
    stand_in = " (EMBEDDED STAND-IN, no real KTRDR)" if target["kind"] == "embedded" else ""
    where = f", on {target['name']} at {target['address']}{stand_in}" if target["name"] else ""
    return f"{SIGNS[told['outcome']]}: {_MEANINGS[told['category']]}{where}"


def markdown(told: Mapping[str, Any]) -> str:
    """The summary for a pull request or a chat."""
    rows = [verdict.Row(**row) for row in told["checks"]]
    parts = [f"## {verdict_line(told)}", told["what_happened"]]
    parts.append("\n".join(f"- {reason}" for reason in told["reasons"]))
    if rows:
        parts.append(evidence.markdown_table(rows))
    if told["scenarios"]:
        scenarios = (f"| {s['name']} | {s['outcome']} |" for s in told["scenarios"])
        parts.append("\n".join(["| Scenario | Outcome |", "|---|---|", *scenarios]))
    if told["observations"]:
        parts.append("**Observations**\n\n" + "\n".join(f"- {o}" for o in told["observations"]))
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
    """The telling line of a failure text: what was expected and what was seen, or the first line."""
    seen = next((li.strip().removeprefix("but: ") for li in reason.splitlines() if li.strip().startswith("but:")), "")
    first = _first_line(reason)
    return f"{first.removeprefix('Expected: ')}, but {seen}" if seen else first


def _first_line(text: str) -> str:
    return next((li.strip() for li in text.splitlines() if li.strip()), "")


if __name__ == "__main__":  # What Behave refuses on its command line it refuses before it loads anything of this suite.
    begin(Path("reports"))
