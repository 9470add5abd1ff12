"""The Allure results directory of one run: emptied when the run starts, described when it ends.

The formats are Allure 2's (https://allurereport.org/docs/how-it-works-test-result-file/), which
the report generators of Allure 2 and 3 both read.
"""

import json
import re
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from honest_behave import output_dir

# Results about the run as a whole carry this label, so that they are not counted as scenarios.
RUN_LABEL = {"name": "kind", "value": "run"}

PRODUCT_DEFECT = "Product defect"
PLATFORM_NOT_READY = "Platform not ready"
INCONCLUSIVE = "Inconclusive"
SUITE_ERROR = "Suite error"

# Each category, the statuses it takes and what the message starts with; the first that fits counts.
# A failed assertion whose clean-up then broke is `broken`, as Behave counts it, and a defect all the same.
CATEGORY_RULES: list[tuple[str, str, str]] = [
    (PRODUCT_DEFECT, "failed", ""),
    (PRODUCT_DEFECT, "broken", "AssertionError"),
    (PLATFORM_NOT_READY, "broken", "PlatformNotReady"),
    (INCONCLUSIVE, "broken", "(Inconclusive|Interrupted)"),
    (SUITE_ERROR, "broken", "(?!AssertionError|PlatformNotReady|Inconclusive|Interrupted)"),
]


def prepare(results_dir: Path) -> None:
    """Make an empty results directory, so that an earlier run's results cannot pass for retries.

    Raises UnusableDirectory when it cannot be written, or somebody else's results or other files are kept there.
    """
    output_dir.empty_of_own(results_dir, "-o")


def results_dirs(config: Any) -> list[Path]:
    """Where this run's Allure results go, from Behave's configuration (`context.config` in a hook)."""
    pairs = zip(config.format, config.outputs, strict=False)
    return [Path(output.name) for name, output in pairs if output.name and "allure" in name.lower()]


def write_environment(results_dir: Path | str, facts: Mapping[str, object]) -> None:
    """Write what the report shows as its environment, e.g. `{"Target": "sandbox", "Version": "1.0.7"}`."""
    lines = []
    for key, value in facts.items():
        name = re.sub(r"([\\:=])", r"\\\1", key).replace(" ", r"\ ")
        text = " ".join(str(value).split()).replace("\\", "\\\\")
        lines.append(f"{name}={text}\n")
    output_dir.write(Path(results_dir), "environment.properties", "".join(lines))


def read_environment(results_dir: Path | str) -> dict[str, str]:
    """Read back what `write_environment` wrote; empty when there is nothing."""
    path = Path(results_dir) / "environment.properties"
    facts = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        match = re.match(r"((?:\\.|[^\\=:])+)[=:](.*)", line)
        if match:
            facts[re.sub(r"\\(.)", r"\1", match[1]).strip()] = re.sub(r"\\(.)", r"\1", match[2]).strip()
    return facts


def write_categories(results_dir: Path) -> None:
    """Write categories.json, by which Allure 2 sorts what did not pass (Allure 3 is told the same rules in its own configuration)."""
    rules = [
        {"name": name, "matchedStatuses": [status], "messageRegex": f"(?s){start}.*"}
        for name, status, start in CATEGORY_RULES
    ]
    output_dir.write(results_dir, "categories.json", json.dumps(rules, indent=2))


def write_run_problem(results_dir: Path, name: str, message: str, trace: str | None = None) -> Path:
    """Write a broken result for something that went wrong outside every scenario; returns its file.

    Not every generator shows Allure's global errors, so there is a result as well as the global error
    (see `write_global_error`).
    """
    now = round(time.time() * 1000)
    result: dict[str, Any] = {
        "uuid": str(uuid.uuid4()),
        "name": name,
        "fullName": f"The run itself: {name}",
        "testCaseId": f"run:{name}",
        "historyId": f"run:{name}",
        "titlePath": ["The run itself"],
        "status": "broken",
        "statusDetails": {"message": message} | ({"trace": trace} if trace else {}),
        "start": now,
        "stop": now,
        "labels": [
            RUN_LABEL,
            {"name": "feature", "value": "The run itself"},
            {"name": "severity", "value": "critical"},
            {"name": "framework", "value": "behave"},
        ],
    }
    return output_dir.write(results_dir, f"{result['uuid']}-result.json", json.dumps(result, ensure_ascii=False))


def write_global_error(results_dir: Path, message: str, trace: str | None = None) -> None:
    """Write the error where Allure 3 lists what belongs to no test."""
    error = {"message": message, "timestamp": round(time.time() * 1000)} | ({"trace": trace} if trace else {})
    output_dir.write(results_dir, f"{uuid.uuid4()}-globals.json", json.dumps({"errors": [error]}, ensure_ascii=False))


def read_results(results_dir: Path) -> list[dict[str, Any]]:
    """All test results of the directory, in no particular order."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in results_dir.glob("*-result.json")]
