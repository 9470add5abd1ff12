"""Runs the real suite with the real command in a directory of its own, and reads what its report says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ktrdr_qa.judge import __main__ as judge

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("features", "honest_behave", "ktrdr_qa", "standin", "targets")
LIMIT_S = 400
VERDICT_LINE = re.compile(r"(PASSED|FAILED|INCONCLUSIVE)\b.*: ?")

SHORT_LIMITS = """
[limits]
answer_s = 1.5
running_s = 3
first_progress_s = 4
acknowledged_s = 2
cancelled_s = 1
frozen_s = 2
new_backtest_s = 3
worker_idle_s = 1
processor_quiet_s = 1
place_free_s = 4
"""
"""What a platform on the same host needs, and more: waiting less long weakens no rule."""


@dataclass(frozen=True)
class Ran:
    """One run of Behave: its exit status, and of each scenario the status, the step that ended it and the words."""

    exit_status: int
    took_s: float
    output: str
    scenarios: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    decided_s: float | None = None
    """How long after the first reading that breaks a rule the verdict was told; None where no reading does."""

    @property
    def outcome(self) -> str:
        statuses = {status for status, _, _ in self.scenarios.values()}
        if self.exit_status == 0:
            return "passed" if "passed" in statuses else "nothing"
        return "failed" if "failed" in statuses else "inconclusive"

    @property
    def culprit(self) -> tuple[str, str, str]:
        """Scenario, step and message of what decided the outcome."""
        wanted = "failed" if self.outcome == "failed" else "broken"
        for name, (status, step, message) in self.scenarios.items():
            if status == wanted:
                return name, step, message
        return "", "", self.output[-400:]


def run_suite(feature: str, target: str, *extra: str, lines: Sequence[str] = (), root: Path = ROOT) -> Ran:
    """Run ``behave FEATURE`` on a target, given as the text of its file, with an own reports directory."""
    with tempfile.TemporaryDirectory(prefix="suite-") as name:
        place = Path(name)
        for linked in LINKED:
            (place / linked).symlink_to(root / linked)
        (place / "pyproject.toml").write_text((root / "pyproject.toml").read_text())
        (place / "target.toml").write_text(target)
        behave = Path(sys.executable).with_name("behave")
        command = [str(behave), "-D", "target=target.toml", "-f", "plain", "--no-color", *extra, feature]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("KTRDR_")}
        environment["PYTHONUNBUFFERED"] = "1"
        began_s = time.monotonic()
        exit_status, output, told_at_s = _watched(command, place, environment)
        took_s = time.monotonic() - began_s
        return _read(exit_status, took_s, output, place / "reports" / "allure-results", told_at_s)


def _watched(command: Sequence[str], place: Path, environment: dict[str, str]) -> tuple[int, str, float | None]:
    """Run a command; exit status, output, and at what monotonic time its verdict line came."""
    told_at_s: float | None = None
    lines = []
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace"
        ) as process,
    ):
        assert process.stdout is not None
        watchdog = threading.Timer(LIMIT_S, process.kill)
        watchdog.start()
        for line in process.stdout:
            if VERDICT_LINE.match(line):
                told_at_s = time.monotonic()
            lines.append(line)
        process.wait()
        watchdog.cancel()
        errors.seek(0)
        return process.returncode, "".join(lines) + errors.read(), told_at_s


def decisive_s(results: Path) -> float | None:
    """The monotonic time of the first reading in the report's histories that breaks a rule which was asked for."""
    found = []
    for file in results.glob("*-attachment.json"):
        try:
            history = judge.read(file)
            judged = judge.judge(history)
        except judge.NoHistory:
            continue
        asked = history.about.get("asked") or list(judged)
        found += [
            float(history.about["clock_origin_s"]) + j.at_s
            for name, j in judged.items()
            if j.violated and j.at_s is not None and name in asked
        ]
    return min(found, default=None)


def _read(exit_status: int, took_s: float, output: str, results: Path, told_at_s: float | None) -> Ran:
    rules_file = results / "categories.json"
    rules = json.loads(rules_file.read_text()) if rules_file.is_file() else []
    found = [json.loads(file.read_text()) for file in results.glob("*-result.json")]
    scenarios, categories = {}, {}
    for result in sorted(found, key=lambda r: r["start"]):
        message = (result.get("statusDetails") or {}).get("message") or ""
        bad = next((s["name"] for s in result.get("steps", []) if s["status"] in ("failed", "broken")), "")
        scenarios[result["name"]] = (result["status"], bad, message)
        categories[result["name"]] = next(
            (
                rule["name"]
                for rule in rules
                if result["status"] in rule["matchedStatuses"] and re.match(rule.get("messageRegex", ""), message)
            ),
            "",
        )
    decisive = None if told_at_s is None else decisive_s(results)
    decided_s = None if decisive is None or told_at_s is None else told_at_s - decisive
    return Ran(exit_status, took_s, output, scenarios, categories, decided_s)


def short_limits(own: str) -> str:
    """The short limits, but for what a fault needs for itself, as the text of a target file."""
    limits = tomllib.loads(SHORT_LIMITS)["limits"] | tomllib.loads(own)
    return "".join(["[limits]\n", *(f"{name} = {limit_s}\n" for name, limit_s in limits.items())])


def embedded_target(arguments: Sequence[str], limits: str = SHORT_LIMITS) -> str:
    """The text of a target file for the embedded KTRDR with these arguments."""
    return f'kind = "embedded"\n[embedded]\narguments = {json.dumps(list(arguments))}\n{limits}'
