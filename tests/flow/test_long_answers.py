"""Long lists and long answers: asked for in pages, read in passing, and never kept whole."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ktrdr_qa.judge.others import only_this_one
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.body import ENDS, WHOLE_BYTES, Body
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import KEPT_CHARACTERS, NoAnswer, Refused, Transcript, UnexpectedAnswer
from ktrdr_qa.platform.statuses import MISSING
from ktrdr_qa.record.history import Event, History, Sample
from ktrdr_qa.tell import evidence
from tests.deployments.proxy import Answer, Asked, Closed, proxy

ROOT = Path(__file__).resolve().parents[2]
B = "op_backtesting_20261122_185236_cd30957f"


# --- a body ----------------------------------------------------------------------------------------------------


def body(text: str | bytes, encoding: str = "utf-8", json_named: bool = True) -> Body:
    raw = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return Body(lambda most: raw.read(most), encoding, json_named=json_named)


def warned(count: int, **more: Any) -> str:
    """A backtest's record with so many warnings of a hundred bytes, its status after them."""
    data = {"warnings": [f"{n:06} " + "w" * 90 for n in range(count)], "status": "running", **more}
    return json.dumps({"success": True, "data": {**data, "progress": {"percentage": 3.5}}})


def test_a_long_body_is_outlined_and_what_comes_last_is_in_it() -> None:
    read = body(warned(20_000))
    assert read.size > WHOLE_BYTES and len(read.text) == WHOLE_BYTES and not read.problem
    assert read.value["data"]["status"] == "running" and read.value["data"]["progress"] == {"percentage": 3.5}
    warnings = read.value["data"]["warnings"]
    assert len(warnings) == 2 * ENDS
    assert (warnings[0][:6], warnings[ENDS - 1][:6], warnings[-1][:6]) == ("000000", "000999", "019999")


def test_a_body_that_is_not_long_is_read_as_it_is() -> None:
    said = {"rows": [{"n": n, "words": "ä" * 3000, "none": None, "half": 0.5} for n in range(50)]}
    assert body(json.dumps(said, ensure_ascii=False)).value == said


def test_a_long_body_says_the_same_as_a_short_one() -> None:
    said = {"a": [1, 2.5, True, None, {"b": {"c": []}}, "ü"], "": {}, "long": ["x" * 1000] * 900}
    text = json.dumps(said)
    assert len(text) > WHOLE_BYTES
    assert body(text).value == json.loads(text)


def test_data_that_are_nested_too_deep_stop_nobody() -> None:
    for text in ("[" * 100_000 + "]" * 100_000, '{"s": "' + "x" * WHOLE_BYTES + '", "a": ' + "[" * 90 + "]" * 90 + "}"):
        read = body(text)
        assert read.problem or read.value["a"][0][0]


@pytest.mark.parametrize(
    "text", ['{"data": ', '{"data": "' + "x" * 2 * WHOLE_BYTES, "[" + "1," * WHOLE_BYTES, "1" * 5000, "{]"]
)
def test_half_a_body_is_told_as_such(text: str) -> None:
    read = body(text)
    assert read.problem and read.value is None and read.size == len(text)


def test_an_encoding_that_there_is_none_of_is_no_trouble() -> None:
    assert body('{"a": "ä"}', "utf-99").value == {"a": "ä"}


# --- an answer -------------------------------------------------------------------------------------------------


@pytest.fixture
def asking() -> Iterator[Callable[[Callable[[Asked], Answer]], Client]]:
    """Makes a client that speaks to a little server with this rule."""
    opened = []

    def made(rule: Callable[[Asked], Answer]) -> Client:
        server = proxy("http://127.0.0.1:9", rule)
        opened.append(server)
        return Client(server.__enter__(), Transcript())

    yield made
    for server in opened:
        server.__exit__(None, None, None)


Asking = Callable[[Callable[[Asked], Answer]], Client]


def test_a_long_record_is_read_and_kept_in_short(asking: Asking) -> None:
    client = asking(lambda asked: Answer(200, warned(100_000)))
    (reading,) = readings.backtest(client, B)
    assert (reading.status, reading.percentage) == ("running", 3.5)
    (kept,) = client.transcript.since(0)
    assert len(kept.answer_text) <= KEPT_CHARACTERS and len(json.dumps(kept.answer)) < 10_000
    assert kept.answer_bytes > 9_000_000 and kept.find("$.data.status") == "running"
    told = evidence.transcript([kept])
    assert len(told) < 8_000 and f"{kept.answer_bytes} bytes in all" in told


def test_a_long_error_is_a_short_message(asking: Asking) -> None:
    for told in ({"detail": "x" * 10**6}, {"detail": {"error": "x" * 10**6, "hint": "x" * 10**6}}, "x" * 10**6):
        client = asking(lambda asked, told=told: Answer(500, json.dumps(told)))
        with pytest.raises(Refused) as refused:
            client.delete("/x", purpose="cancel")
        assert len(str(refused.value)) < 600 and refused.value.status == 500


def test_a_long_answer_that_breaks_off_is_no_answer(asking: Asking) -> None:
    client = asking(lambda asked: Answer(200, warned(20_000), cut=1_500_000))
    with pytest.raises(NoAnswer, match="half an answer"):
        client.get("/x")


def test_a_long_answer_that_is_no_json_is_said_to_be_none(asking: Asking) -> None:
    client = asking(lambda asked: Answer(200, "<html>" + "x" * 2_000_000, "text/html"))
    with pytest.raises(UnexpectedAnswer, match="no JSON"):
        client.get("/x")


def test_long_facts_are_not_kept_with_each_reading(asking: Asking) -> None:
    said = {"status": "failed", "error_message": "x" * 400_000, "progress": {"percentage": "x" * 400_000}}
    (reading,) = readings.backtest(asking(lambda asked: Answer(200, json.dumps({"data": said}))), B)
    assert len(json.dumps(dict(reading.facts))) < 1500


def test_the_processor_time_is_found_in_long_metrics(asking: Asking) -> None:
    lines = [f'x_total{{n="{n}"}} {n}' for n in range(60_000)]
    client = asking(lambda asked: Answer(200, "\n".join(["process_cpu_seconds_total 12.5", *lines]), "text/plain"))
    assert [r.cpu_s for r in readings.processor(client, "w")] == [12.5]


READ_MANY = """
import sys, threading, psutil
sys.path.insert(0, {root!r})
from ktrdr_qa.platform import readings
from ktrdr_qa.tell import evidence
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Transcript
client = Client({url!r}, Transcript())
list(readings.backtest(client, "warm"))
own, peak, over = psutil.Process(), [0], threading.Event()
def look():
    while not over.wait(0.002):
        peak[0] = max(peak[0], own.memory_info().rss)
before = own.memory_info().rss
watch = threading.Thread(target=look); watch.start()
for _ in range(12):
    list(readings.backtest(client, {b!r}))
    list(readings.listed(client, {b!r}))
evidence.transcript(client.transcript.since(0))
over.set(); watch.join()
print((peak[0] - before) / 1e6)
"""


def test_long_answers_take_little_memory_however_many_there_are() -> None:
    rows = [row(n, note="x" * 1700) for n in range(5000)]
    record, listing = warned(100_000).encode(), json.dumps({"data": rows, "total_count": 5000}).encode()
    assert min(len(record), len(listing)) > 9_000_000
    short = json.dumps({"data": {"status": "running"}})

    def rule(asked: Asked) -> Answer:
        if asked.path.endswith("warm"):
            return Answer(200, short)
        return Answer(200, record if asked.path.endswith(B) else listing)

    with proxy("http://127.0.0.1:9", rule) as url:
        code = READ_MANY.format(root=str(ROOT), url=url, b=B)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 30, f"{float(done.stdout):.0f} MB more at the peak, for 24 answers of 10 MB"


# --- the list --------------------------------------------------------------------------------------------------


def row(number: int, status: str = "completed", **more: Any) -> dict[str, Any]:
    """A row of KTRDR's list; the higher its number the younger it is."""
    return {
        "operation_id": f"op_backtesting_{number}",
        "operation_type": "backtesting",
        "status": status,
        "created_at": f"2026-11-22T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "progress_percentage": 100.0,
        "symbol": "EURUSD",
        "duration_seconds": 2.5,
        **more,
    }


def ktrdr(rows: list[dict[str, Any]], asked_for: list[str], *, knows: str = "limit offset active_only") -> Any:
    """A KTRDR with these rows, the last one the newest; of the questions' parts it knows these and passes over others."""

    def rule(asked: Asked) -> Answer:
        asked_for.append(asked.path)
        query = {k: v[0] for k, v in parse_qs(urlsplit(asked.path).query).items() if k in knows.split()}
        chosen = [r for r in reversed(rows) if not (query.get("active_only") and r["status"] == "completed")]
        first = int(query.get("offset", 0))
        page = chosen[first : first + int(query["limit"])] if "limit" in query else chosen
        return Answer(200, json.dumps({"success": True, "data": page, "total_count": len(chosen)}))

    return rule


def read(client: Client, backtest: str = "", wanted: tuple[str, ...] = ()) -> dict[str, str | None]:
    return {r.subject: r.status for r in readings.listed(client, backtest, wanted)}


def test_a_short_list_takes_one_question(asking: Asking) -> None:
    asked_for: list[str] = []
    rows = [row(1), row(2, "running")]
    assert read(asking(ktrdr(rows, asked_for)), rows[1]["operation_id"]) == {
        "op_backtesting_1": "completed",
        "op_backtesting_2": "running",
    }
    assert asked_for == ["/api/v1/operations?operation_type=backtesting&limit=100"]


def test_of_a_long_list_the_newest_and_all_that_are_active_are_read(asking: Asking) -> None:
    asked_for: list[str] = []
    rows = [row(n, "running" if n in (5, 4999) else "completed") for n in range(5000)]
    found = read(asking(ktrdr(rows, asked_for)), "op_backtesting_4998")
    assert found["op_backtesting_5"] == "running" and MISSING not in found.values()
    assert len(found) == 101 and len(asked_for) == 2 and "active_only=true" in asked_for[1]


def test_more_pages_are_read_for_who_is_looked_for_only(asking: Asking) -> None:
    asked_for: list[str] = []
    rows = [row(n) for n in range(5000)]
    found = read(asking(ktrdr(rows, asked_for)), "op_backtesting_4999", ("op_backtesting_4750",))
    assert found["op_backtesting_4750"] == "completed"
    assert [path.rpartition("&")[2] for path in asked_for] == [
        "limit=100",
        "active_only=true",
        "offset=100",
        "offset=200",
    ]


def test_the_search_has_an_end(asking: Asking) -> None:
    asked_for: list[str] = []
    found = read(asking(ktrdr([row(n) for n in range(5000)], asked_for)), "op_backtesting_none")
    assert found["op_backtesting_none"] == MISSING
    assert len(asked_for) == readings.MOST_PAGES + 1


def test_more_than_a_page_of_active_ones_is_read(asking: Asking) -> None:
    asked_for: list[str] = []
    rows = [row(n, "running" if n < 250 else "completed") for n in range(1000)]
    found = read(asking(ktrdr(rows, asked_for)), "op_backtesting_999")
    assert sum(status == "running" for status in found.values()) == 250


@pytest.mark.parametrize("knows", ["", "limit", "limit offset", "limit active_only"])
def test_an_older_ktrdr_passes_over_what_it_does_not_know(asking: Asking, knows: str) -> None:
    asked_for: list[str] = []
    rows = [row(n, "running" if n == 1999 else "completed") for n in range(2000)]
    found = read(asking(ktrdr(rows, asked_for, knows=knows)), "op_backtesting_none")
    assert found["op_backtesting_1999"] == "running" and len(asked_for) <= readings.MOST_PAGES + 2
    assert found["op_backtesting_none"] == MISSING


@pytest.mark.parametrize("refused", ["operation_type", "limit", "offset", "active_only"])
def test_an_older_ktrdr_refuses_what_it_does_not_know(asking: Asking, refused: str) -> None:
    asked_for: list[str] = []
    rows = [row(n, "running" if n == 299 else "completed") for n in range(300)]
    answers = ktrdr(rows, asked_for)

    def rule(asked: Asked) -> Answer:
        return Answer(422, '{"detail": "no such word"}') if refused in asked.path else answers(asked)

    found = read(asking(rule), "op_backtesting_299", ("op_backtesting_7",))
    assert found["op_backtesting_299"] == "running"


def test_a_page_that_breaks_off_loses_the_reading_not_the_run(asking: Asking) -> None:
    def rule(asked: Asked) -> Answer:
        raise Closed

    with pytest.raises(NoAnswer):
        read(asking(rule))


def test_other_kinds_of_operations_are_left_out(asking: Asking) -> None:
    rows = [row(1, "running", operation_type="training"), row(2, "RUNNING")]
    assert read(asking(ktrdr(rows, []))) == {"op_backtesting_2": "running"}


@pytest.mark.parametrize("twice", [["running", "cancelled"], ["cancelled", "running"]])
def test_of_one_that_is_named_twice_what_is_active_counts(asking: Asking, twice: list[str]) -> None:
    assert read(asking(ktrdr([row(1, status) for status in twice], []))) == {"op_backtesting_1": "running"}


def test_rows_tell_what_judgements_need(asking: Asking) -> None:
    told = row(
        1,
        "running",
        progress_percentage=12.5,
        parent_operation_id="op_0",
        started_at="2026-11-22T00:00:02Z",
        completed_at=None,
        metadata={
            "timeframe": "1h",
            "start_date": "2015-01-01",
            "parameters": {"strategy_name": "s", "worker_id": "w"},
        },
    )
    (reading,) = readings.listed(asking(ktrdr([told], [])), "op_backtesting_1")
    assert reading.percentage == 12.5
    assert reading.facts == {
        "created_at": "2026-11-22T00:00:01Z",
        "started_at": "2026-11-22T00:00:02Z",
        "parent": "op_0",
        "worker": "w",
        "symbol": "EURUSD",
        "timeframe": "1h",
        "strategy": "s",
        "start_date": "2015-01-01",
        "type": "backtesting",
    }


@pytest.mark.parametrize("data", [None, "text", {}, [None, 3, "x", {}, {"operation_id": 3}, {"operation_id": ""}]])
def test_rows_that_say_nothing_are_none(asking: Asking, data: Any) -> None:
    assert read(asking(lambda asked: Answer(200, json.dumps({"data": data, "total_count": 10**6}))), B) == {B: MISSING}


def test_a_percentage_beyond_all_numbers_is_told_as_wrong(asking: Asking) -> None:
    (reading,) = readings.listed(asking(ktrdr([row(1, progress_percentage=10**400)], [])), "op_backtesting_1")
    assert reading.percentage is None and "above 100" in reading.facts["percentage_problem"]


def test_only_rows_that_can_matter_are_recorded(asking: Asking) -> None:
    rows = [row(n, "running" if n in (3, 61) else "completed") for n in range(90)]
    found = readings.listed(asking(ktrdr(rows, [])), "op_backtesting_60")
    kept = [r.subject for r in readings.worth_recording(found, "op_backtesting_60", ("op_backtesting_7",))]
    assert sorted(kept) == sorted(f"op_backtesting_{n}" for n in (3, 7, *range(60, 90)))


# --- a history of it -------------------------------------------------------------------------------------------


def test_a_judgement_goes_through_the_samples_a_few_times_however_many_backtests_there_are() -> None:
    passes = []

    class Counted(tuple):  # type: ignore[type-arg]
        __slots__ = ()

        def __iter__(self) -> Iterator[Any]:
            passes.append(1)
            return super().__iter__()

    samples = [Sample("list", f"op_{n}", at_s, at_s, "running") for at_s in (1.0, 3.0) for n in range(300)]
    history = History(Counted(samples), (Event("cancel_sent", 2.0, B),), 4.0)
    assert only_this_one(history, B, 2.0).holds
    assert len(passes) <= 3
