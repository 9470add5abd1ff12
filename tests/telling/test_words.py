"""Words from outside, of every kind, through the real readers into the real writers."""

from __future__ import annotations

import io
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from behave.configuration import Configuration
from behave.formatter.base import StreamOpener
from behave.model_type import Status
from behave.parser import parse_feature
from behave.reporter.junit import JUnitReporter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ktrdr_qa.judge import table
from ktrdr_qa.platform import compose, readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript, TransportError
from ktrdr_qa.tell import evidence, summary
from ktrdr_qa.tell.console import Console
from ktrdr_qa.words import DEEPEST, never_fail_to_say, once, percent, plain, plain_value
from tests.deployments.proxy import Answer, proxy

NASTY = [
    "\x1b[31mred\x1b[0m",
    "bell \x07, null \x00, rubbed out \x7f",
    "\ud800 alone",
    "\u202egnp.exe",
    "]]>",
    "<script>alert(1)</script> & <b>&lt;",
    "| a | b |",
    "`code` *bold* __init__ ~gone~ [here](http://x) ![](y)",
    "\r\n\r\n# heading\n\n---\n- list\n1. one",
    "\u2028\u2029\x85\x0b\x0c\x1c",
    "\ufeff\ufffe\uffff\U000e0041",
    "$x^2$ \\",
    "x" * 10_000,
]
ANYTHING = st.text(st.characters(), max_size=60) | st.lists(st.sampled_from(NASTY), min_size=1, max_size=3).map("".join)
"""Any text at all, lone surrogates included."""
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
B = "op_backtesting_20261122_185236_cd30957f"


def harmless(text: str) -> bool:
    """Nothing in it does anything but stand there."""
    unseen = [c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") and c not in "\n\t"]
    turning = [
        c
        for c in text
        if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    ]
    text.encode()
    return not unseen and not turning


# --- one text --------------------------------------------------------------------------------------------------


@given(ANYTHING)
def test_a_plain_text_is_harmless_and_stays_as_it_is(text: str) -> None:
    shown = plain(text)
    assert harmless(shown) and plain(shown) == shown
    ElementTree.fromstring(f"<a>{shown.replace('&', '&amp;').replace('<', '&lt;').replace(']]>', '')}</a>")


def test_what_cannot_be_shown_is_told_by_its_number() -> None:
    assert plain("a\x1b[31mb\r\nc\td\ud800\u202e\U000e0041é漢👍") == "a\\x1b[31mb\nc\td\\ud800\\u202e\\U000e0041é漢👍"


VALUES = st.recursive(
    ANYTHING | st.none() | st.booleans() | st.floats() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANYTHING, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.none() | st.integers(1, 5), st.none() | st.integers(1, 9))
def test_plain_data_can_be_written_as_json(value: Any, most: int | None, longest: int | None) -> None:
    told = plain_value(value, most=most, longest=longest)
    written = json.dumps(told, ensure_ascii=False, allow_nan=False)
    written.encode()
    assert json.loads(written) == told


def test_data_nested_too_deep_are_cut() -> None:
    nested: Any = []
    for _ in range(900):
        nested = [nested]
    assert json.dumps(plain_value(nested)).count("[") == DEEPEST


@pytest.mark.parametrize(
    ("value", "unlike", "shown"),
    [
        (0.0, None, "0.0 %"),
        (0.04, None, "0.04 %"),
        (0.0496, None, "0.05 %"),
        (0.00031, None, "0.0003 %"),
        (1e-12, None, "1.0e-12 %"),
        (41.234, None, "41.2 %"),
        (99.97, None, "100.0 %"),
        (100.0, None, "100.0 %"),
        (11.01, 11.04, "11.01 %"),
        (11.04, 11.01, "11.04 %"),
        (11.0, 11.0, "11.0 %"),
        (math.nextafter(11.0, 12.0), 11.0, "1.1e+01 %"),
    ],
)
def test_a_percentage_is_never_rounded_to_something_else(value: float, unlike: float | None, shown: str) -> None:
    assert percent(value, unlike) == shown


# --- an answer, into everything that is written of it ----------------------------------------------------------


@pytest.fixture(scope="module")
def platform() -> Iterator[tuple[Client, Callable[[Answer], None]]]:
    """A client and what tells its server the next answer."""
    answer: list[Answer] = []
    with proxy("http://127.0.0.1:9", lambda asked: answer[0]) as url:
        yield Client(url, Transcript()), lambda told: answer.__setitem__(slice(None), [told])


Platform = tuple[Client, Callable[[Answer], None]]


def refusal(platform: Platform, answer: Answer) -> TransportError:
    client, tell = platform
    tell(answer)
    with pytest.raises(TransportError) as refused:
        client.delete(f"/api/v1/operations/{B}", purpose="cancel")
    return refused.value


def answers(text: str) -> list[Answer]:
    """An error with this text in each of KTRDR's shapes, as a page, in a header, and escaped or not."""
    escaped = [
        {"detail": text},
        {"detail": {"error": text, "hint": text, text: text}},
        {"success": False, "error": {"code": text, "message": text, "details": [{"field": text, "message": text}]}},
        [text],
    ]
    raw = text.encode("utf-8", "surrogatepass")
    headers = {"X-Words": "".join(c for c in text if c.isprintable() and ord(c) < 256)}
    return [
        *(Answer(500, json.dumps(e)) for e in escaped),
        *(Answer(500, json.dumps(e, ensure_ascii=False).encode("utf-8", "surrogatepass")) for e in escaped),
        Answer(500, raw, "text/html", headers),
        Answer(200, raw, "text/plain"),
    ]


@MANY
@given(ANYTHING)
@example("\x1b[31m cannot be cancelled \x07 ]]> \ud800")
def test_an_answer_is_harmless_in_every_part(platform: Platform, text: str) -> None:
    for answer in answers(text):
        error = refusal(platform, answer)
        exchange = error.exchange
        parts = (str(error), exchange.answer_text, exchange.problem, exchange.curl, *exchange.answer_headers.values())
        assert all(harmless(part) for part in parts), parts
        assert harmless(json.dumps(exchange.answer, ensure_ascii=False))
        assert harmless(evidence.transcript([exchange]))


def failed_feature(words: str) -> Any:
    """A feature of one scenario that failed with these words."""
    feature = parse_feature("Feature: f\n  Scenario: s\n    Given it fails\n", filename="f.feature")
    (scenario,) = feature.scenarios
    (step,) = scenario.steps
    step.exception = AssertionError(words)
    step.error_message = f"ASSERT FAILED: {words}"
    step.set_status(Status.failed)
    return feature


@MANY
@given(ANYTHING)
@example("\x1b[31m cannot be cancelled \x07 ]]> \ud800")
def test_junit_can_be_read_whatever_the_platform_says(platform: Platform, tmp_path: Path, text: str) -> None:
    words = str(refusal(platform, Answer(500, json.dumps({"detail": text}))))
    config = Configuration([], junit=True, junit_directory=str(tmp_path), load_config=False)
    config.base_dir = "."
    JUnitReporter(config).feature(failed_feature(words))
    (file,) = tmp_path.glob("TESTS-*.xml")
    (failure,) = ElementTree.parse(file).iter("failure")
    assert " ".join(failure.attrib["message"].split()) == " ".join(words.split())


@MANY
@given(ANYTHING)
@example("\x1b[2J\x1b[31m")
def test_the_console_shows_a_line_as_a_line(platform: Platform, text: str) -> None:
    words = str(refusal(platform, Answer(500, json.dumps({"detail": text}))))
    feature = failed_feature(words)
    stream = io.StringIO()
    console = Console(StreamOpener(stream=stream), Configuration([], color="off", load_config=False))
    console.feature(feature)
    console.scenario(feature.scenarios[0])
    console.result(feature.scenarios[0].steps[0])
    console.close()
    shown = stream.getvalue()
    assert harmless(shown)
    assert sum("HTTP 500" in line for line in shown.split("\n")) >= 1


def told(words: str) -> dict[str, Any]:
    """A summary in which the platform's words stand wherever they may."""
    row = {"kind": "criterion", "check": "c", "verdict": "violated", "seen": words}
    return {
        **summary.without_a_run(words, summary.INCONCLUSIVE),
        "checks": [row],
        "what_happened": words,
        "observations": [words, words],
        "scenarios": [{"feature": "f", "name": "s", "outcome": "failed", "reason": words}],
    }


@MANY
@given(ANYTHING)
@example("| a | b |\n<script>alert(1)</script> &lt; `x` *y* _z_ [k](http://x) ~~gone~~")
@example("# heading")
@example("1. one")
def test_markdown_shows_the_words_and_nothing_else(text: str) -> None:
    words = plain(text)
    page = summary.markdown(told(words))
    read = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = read.parse(page)
    expected = " ".join(words.split())
    cells = [tokens[at + 1] for at, token in enumerate(tokens) if token.type == "td_open"]
    assert len(cells) == 4 + 2, "a row of four, and one of two"
    items = [tokens[at + 2] for at, token in enumerate(tokens) if token.type == "list_item_open"]
    inline = [cells[3], *items]
    assert len(items) == 3
    for one in inline:
        assert [child.type for child in one.children or ()] in (["text"], []) or expected == "", one.content
        assert "".join(child.content for child in one.children or ()) == expected
    assert not [token for token in tokens if token.type in ("html_block", "fence", "code_block", "hr")]
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h2"]
    assert "<script" not in page.lower()


def test_ids_are_not_escaped_where_markdown_is_read_as_it_is_written() -> None:
    for words in (f"{B} at 41.2 % (3 readings), [limits]", "2.5 s after - or before - it", "http://x/y_z?a=b&c=d"):
        assert evidence.escaped(words) == words


@MANY
@given(ANYTHING)
def test_a_reading_of_anything_is_harmless_and_short(platform: Platform, text: str) -> None:
    client, tell = platform
    record = {
        "operation_id": text,
        "status": text,
        "progress": {"percentage": text, "current_step": text},
        "error_message": text,
        "metadata": {"parameters": {"worker_id": text}, "symbol": text},
        "completed_at": text,
    }
    tell(Answer(200, json.dumps({"data": record})))
    read = list(readings.backtest(client, B))
    tell(Answer(200, json.dumps({"data": [{**record, "operation_id": text or "x"}]})))
    read += readings.listed(client, B)
    tell(Answer(200, json.dumps([{"worker_id": text, "worker_type": "backtesting", "status": text}])))
    assert all(harmless(w["worker_id"]) for w in readings.workers(client))
    for reading in read:
        assert harmless(f"{reading.subject}{reading.status}{json.dumps(dict(reading.facts), ensure_ascii=False)}")
        assert len(json.dumps(dict(reading.facts))) < 20_000


# --- what else comes from outside ------------------------------------------------------------------------------


def test_what_docker_says_is_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = b'\x1b[31mred\x1b[0m \xff\n{"Name": "\\u001b[31m", "Service": "\\ud800", "State": "\\u0007"}\n'

    def docker(*_: Any, **options: Any) -> Any:
        assert not options.get("text"), "bytes that are no text would raise"
        return SimpleNamespace(returncode=0, stdout=said, stderr=b"")

    monkeypatch.setattr(compose.subprocess, "run", docker)
    project = compose.Project(tmp_path, None, None)
    assert harmless(compose.logs(project)) and "\\x1b[31mred" in compose.logs(project)
    said = said.splitlines()[1]
    assert compose.containers(project) == [compose.Container("\\ud800", "\\x1b[31m", "\\x07")]


def test_log_lines_are_harmless() -> None:
    line = '{"monotonic": 5.0, "event": "\\u001b[31m\\ud800"}'
    assert evidence.json_lines_around([line], 5.0) == [{"monotonic": 5.0, "event": "\\x1b[31m\\ud800"}]


def test_a_saved_recording_is_harmless() -> None:
    from ktrdr_qa.record.history import Sample, from_json, ordered

    text = ordered([Sample("backend", B, 0.0, 0.1, "running", facts={"error_message": "?"})], [], 1.0).to_json()
    read = from_json(text.replace('"?"', '"\\u001b[31m\\ud800"'))
    assert read.samples[0].facts["error_message"] == "\\x1b[31m\\ud800"


def test_a_stream_that_lacks_a_character_shows_another(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
        monkeypatch.setattr(f"sys.{name}", stream if name == "stdout" else None)
    never_fail_to_say()
    stream.write("a — b ✓\n")
    stream.flush()
    assert raw.getvalue() == b"a ? b ?\n"


def test_what_differs_in_its_figures_alone_is_said_once_with_their_range() -> None:
    lost = [
        f"The record of progress was lost: {height} % before the cancel, 0.0 % after it." for height in (26.4, 2.3, 5.0)
    ]
    assert once([*lost, "Another."]) == [
        "The record of progress was lost: 2.3 % to 26.4 % before the cancel, 0.0 % after it.",
        "Another.",
    ]
    assert once(lost[:1] * 2) == lost[:1]
    for apart in (["HTTP 404 for it.", "HTTP 500 for it."], ["op_2 s", "op_3 s"], ["2024-01-31 s", "2024-01-30 s"]):
        assert once(apart) == apart


def test_table_of_checks_is_one_line_a_check() -> None:
    rows = [table.Row("criterion", "check", "violated", "a\n| b |\x1b")]
    assert len(evidence.markdown_table(rows).split("\n")) == 3
    assert re.search(r"a \\\| b \\\|", evidence.markdown_table(rows))
