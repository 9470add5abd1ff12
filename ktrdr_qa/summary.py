"""The run in short: the verdict line, ``summary.md`` for people, ``summary.json`` for machines.

The form of ``summary.json`` is documented in the README and stays stable within its ``version``.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ktrdr_qa import evidence, verdict

if TYPE_CHECKING:
    from ktrdr_qa.run import Run

FORMAT = "ktrdr-qa/summary"
VERSION = 1
SIGNS = {"passed": "PASSED", "failed": "FAILED", "inconclusive": "INCONCLUSIVE"}
_MEANINGS = {
    "passed": "cancelling a running backtest works",
    "failed": "KTRDR did something wrong",
    "inconclusive": "nothing was learnt about cancellation",
}


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


def of(run: Run, *, failed: bool) -> dict[str, Any]:
    """The summary of a run as plain data."""
    outcome = outcome_of(run, failed=failed)
    judged = next((end for end in run.ended if end.judged), None)
    skipped = [f"not checked: {end.name}: {_first_line(end.reason)}" for end in run.ended if end.outcome == "skipped"]
    reasons = [f"{end.name}: {_gist(end.reason)}" for end in run.ended if end.outcome in ("failed", "inconclusive")]
    if not run.ended:
        reasons.append("no scenario was run")
    if judged and outcome == "passed":
        reasons.append(f"it rests on {verdict.believed(judged.judged)}")
    rows = verdict.table(judged.judged) if judged else []
    figures = {k: round(v, 4) for j in (judged.judged if judged else {}).values() for k, v in j.figures.items()}
    return {
        "format": FORMAT,
        "version": VERSION,
        "outcome": outcome,
        "reasons": [*reasons, *skipped],
        "target": {
            "name": run.target.name,
            "kind": run.target.kind,
            "address": run.target.base_url,
            "chosen_by": run.target.chosen_by,
            "version": run.preflight.version or None,
        },
        "took_s": round(run.clock(), 3),
        "what_happened": judged.in_words if judged else "",
        "scenarios": [
            {"feature": e.feature, "name": e.name, "outcome": e.outcome, "reason": e.reason} for e in run.ended
        ],
        "checks": [{"kind": r.kind, "check": r.check, "verdict": r.verdict, "seen": r.seen} for r in rows],
        "figures": figures,
        "observations": sorted({o for end in run.ended for o in end.observations}),
        "versions": versions(),
    }


def verdict_line(told: Mapping[str, Any]) -> str:
    """One line: the outcome, what it means, on which target."""
    target = told["target"]
    stand_in = " (EMBEDDED STAND-IN, no real KTRDR)" if target["kind"] == "embedded" else ""
    outcome = told["outcome"]
    return f"{SIGNS[outcome]}: {_MEANINGS[outcome]}, on {target['name']} at {target['address']}{stand_in}"


def markdown(told: Mapping[str, Any]) -> str:
    """The summary for a pull request or a chat."""
    rows = [verdict.Row(**row) for row in told["checks"]]
    parts = [f"## {verdict_line(told)}", told["what_happened"]]
    parts.append("\n".join(f"- {reason}" for reason in told["reasons"]))
    if rows:
        parts.append(evidence.markdown_table(rows))
    parts.append(
        "| Scenario | Outcome |\n|---|---|\n"
        + "\n".join(f"| {s['name']} | {s['outcome']} |" for s in told["scenarios"])
    )
    if told["observations"]:
        parts.append("**Observations**\n\n" + "\n".join(f"- {o}" for o in told["observations"]))
    parts.append(f"Took {told['took_s']:.1f} s; " + ", ".join(f"{k} {v}" for k, v in told["versions"].items()) + ".")
    return "\n\n".join(part for part in parts if part) + "\n"


def write(told: Mapping[str, Any], reports: Path) -> None:
    reports.mkdir(parents=True, exist_ok=True)
    (reports / "summary.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (reports / "summary.md").write_text(markdown(told), encoding="utf-8")


def _gist(reason: str) -> str:
    """The telling line of a failure text: what was seen, or the first line."""
    seen = next((li.strip().removeprefix("but: ") for li in reason.splitlines() if li.strip().startswith("but:")), "")
    first = _first_line(reason)
    return f"{first.removeprefix('Expected: ')}, but {seen}" if seen else first


def _first_line(text: str) -> str:
    return next((li.strip() for li in text.splitlines() if li.strip()), "")
