"""What the report carries: the seed's three pieces of evidence, the transcript, the table, the history."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import allure
from allure_commons.types import AttachmentType

from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.table import Row
from ktrdr_qa.judge.ways import endurance
from ktrdr_qa.judge.ways.cancellation_near_the_end import tries_of
from ktrdr_qa.platform.exchange import KEPT_CHARACTERS, Exchange
from ktrdr_qa.record.history import History
from ktrdr_qa.words import percent, plain_value

MARKS = {"holds": "✅ holds", "violated": "❌ violated", "unknown": "❔ not known"}
LONGEST_BODY = 6000
NEIGHBOURS = 3
_ENTITY = re.compile(r"&(?=#?\w+;)")
_MARKUP = re.compile(r"[\\`*|~$]|\](?=\()|(?<![^\W_])_|_(?![^\W_])")
"""An underscore within a word is none: ids of backtests stay readable where Markdown is read as it is written."""
_LEADING = re.compile(r"^(?=[#>+=-])|^\d+(?=[.)](?:\s|$))")


class Page:
    """Where evidence is attached: to the scenario or the step that runs, or to a scenario that is over."""

    def __init__(self, attach: Callable[..., None], describe: Callable[[str], None]):
        self._attach = attach
        self.describe = describe
        """Sets the scenario's description in the report: the first thing that its reader sees."""

    def json(self, name: str, value: Any) -> None:
        self._attach(json.dumps(value, indent=2, ensure_ascii=False, default=str), name, AttachmentType.JSON)

    def text(self, name: str, text: str) -> None:
        self._attach(text, name, AttachmentType.TEXT)

    def markdown(self, name: str, text: str) -> None:
        self._attach(text, name, "text/markdown", "md")

    def svg(self, name: str, svg: bytes) -> None:
        self._attach(svg, name, AttachmentType.SVG)

    def exchange(self, name: str, exchange: Exchange) -> None:
        """One exchange under a name of its own, as the seed asks for its three."""
        self.json(
            name,
            {
                "request": {"method": exchange.method, "url": exchange.url, "body": exchange.body},
                "status": exchange.status,
                "took_s": round(exchange.took_s, 4),
                "answer": exchange.answer if exchange.answer is not None else exchange.answer_text,
                **({"problem": exchange.problem} if exchange.problem else {}),
                "curl": exchange.curl,
            },
        )

    def history(self, history: History) -> None:
        self._attach(history.to_json(), "History (judge it again: python -m ktrdr_qa.judge FILE)", AttachmentType.JSON)

    def transcript(self, exchanges: Sequence[Exchange]) -> None:
        """The HTTP exchanges of a step; readings that say nothing new, or show progress only, are folded."""
        if exchanges:
            self.text(f"HTTP exchanges ({len(exchanges)})", transcript(exchanges))


HERE = Page(allure.attach, allure.dynamic.description)


def page_of(runner: Any, scenario: Any) -> Page:
    """The page of a scenario that is over; see ``honest_behave.runner.HonestRunner.attach_afterwards``."""

    def attach(body: str | bytes, name: str, kind: Any, extension: str | None = None) -> None:
        runner.attach_afterwards(scenario, name, body, kind, extension)

    return Page(attach, lambda text: runner.describe_afterwards(scenario, text))


def offending_reading(history: History, judgement: Judgement, at_s: float) -> dict[str, Any]:
    """The reading, or the event, for which a rule counts as broken, with its neighbours of the same kind.

    ``place`` names it as the attached history does.
    """
    backtests = [str(history.about.get(name, "")) for name in ("backtest", "next_backtest", "worker")]
    told: dict[str, Any] = {
        "broken": judgement.name,
        "expected": judgement.expected,
        "seen": judgement.seen,
        "at_s": round(at_s, 4),
    }
    # The moment is that of a reading's question or answer, or else of an event.
    readings = [
        i
        for i, s in enumerate(history.samples)
        if s.subject in backtests and at_s in (s.asked_s, s.answered_s) and not s.problem
    ]
    if readings:
        at = next((i for i in readings if history.samples[i].view == "backend"), readings[0])
        one = history.samples[at]
        kin = [i for i, s in enumerate(history.samples) if (s.view, s.subject) == (one.view, one.subject)]
        place = kin.index(at)
        told["place"] = f"samples[{at}] of the attached history"
        told["reading"] = asdict(one)
        told["readings_before"] = [asdict(history.samples[i]) for i in kin[max(0, place - NEIGHBOURS) : place]]
        told["readings_after"] = [asdict(history.samples[i]) for i in kin[place + 1 : place + 1 + NEIGHBOURS]]
        return told
    events = [i for i, e in enumerate(history.events) if e.at_s == at_s]
    if events:
        told["place"] = f"events[{events[0]}] of the attached history"
        told["event"] = asdict(history.events[events[0]])
    near = sorted(range(len(history.samples)), key=lambda i: abs(history.samples[i].answered_s - at_s))
    told["readings_near"] = [asdict(history.samples[i]) for i in sorted(near[: 2 * NEIGHBOURS])]
    return told


def json_lines_around(lines: Iterable[str], at_s: float, within_s: float = 1.0, most: int = 60) -> list[Any]:
    """The lines of a JSON log with ``monotonic`` times around a moment of the same clock, the nearest ones."""
    found: list[tuple[float, int, Any]] = []
    for line in lines:
        try:
            told = plain_value(json.loads(line))
            distance_s = abs(float(told["monotonic"]) - at_s)
        except (ValueError, TypeError, KeyError):
            continue
        if distance_s <= within_s:
            found.append((distance_s, len(found), told))
    return [told for _, _, told in sorted(sorted(found, key=lambda f: f[0])[:most], key=lambda f: f[1])]


def transcript(exchanges: Iterable[Exchange]) -> str:
    """Request, answer, duration and ``curl`` line of each exchange, in the order they were sent."""
    lines: list[str] = []
    last: dict[str, tuple[int | None, Any]] = {}
    unchanged: dict[str, int] = {}

    def tell_unchanged(url: str) -> None:
        if count := unchanged.pop(url, 0):
            lines.append(f"           {count} more reading{'s' if count > 1 else ''} of {url}: unchanged\n")

    for e in sorted(exchanges, key=lambda e: e.at_s):
        said = (e.status, _telling(e))
        if e.purpose == "reading" and not e.problem and last.get(e.url) == said:
            unchanged[e.url] = unchanged.get(e.url, 0) + 1
            continue
        tell_unchanged(e.url)
        before, last[e.url] = last.get(e.url), said
        lines.append(_moved(e) if _only_moved(before, e) else _told(e))
    for url in list(unchanged):
        tell_unchanged(url)
    return "\n".join(lines)


def _telling(e: Exchange) -> Any:
    """What makes one reading differ from the one before: not times, not counters."""
    if e.url.endswith("/metrics"):
        return None
    if e.url.endswith("/health") and isinstance(e.answer, dict):
        return e.answer.get("worker_status"), e.answer.get("current_operation")
    if isinstance(e.answer, list):
        return [
            (w.get("worker_id"), w.get("status"), w.get("current_operation_id"))
            for w in e.answer
            if isinstance(w, dict)
        ]
    if (status := e.find("$.data.status")) is not None:
        return status, e.find("$.data.progress.percentage")
    return e.answer_text


def _only_moved(before: tuple[int | None, Any] | None, e: Exchange) -> bool:
    """Whether a reading of a backtest differs in nothing but its percentage from the one before."""
    if e.purpose != "reading" or e.problem or before is None or e.find("$.data.status") is None:
        return False
    return before[0] == e.status and isinstance(before[1], tuple) and before[1][0] == _telling(e)[0]


def _moved(e: Exchange) -> str:
    """One line for a reading that shows the progress and nothing else new."""
    status, percentage = _telling(e)
    shown = percent(percentage) if isinstance(percentage, int | float) else f"{percentage} %"
    head = f"{e.at_s:9.3f} s  {e.method} {e.url}"
    return f"{head}\n           HTTP 200 after {e.took_s * 1000:.0f} ms: {status} at {shown}\n"


def _told(e: Exchange) -> str:
    head = f"{e.at_s:9.3f} s  {e.method} {e.url}"
    came = f"HTTP {e.status}" if e.status else "no answer"
    lines = [head, f"           {came} after {e.took_s * 1000:.0f} ms" + (f": {e.problem}" if e.problem else "")]
    lines.append(f"           {e.curl}")
    body = e.answer_text
    if e.answer is not None and not e.url.endswith("/metrics"):
        body = json.dumps(e.answer, indent=2, ensure_ascii=False)
    if e.url.endswith("/metrics"):
        body = next((line for line in body.splitlines() if line.startswith("process_cpu_seconds_total")), body)
    size = f"{len(body)} characters" if e.answer_bytes <= KEPT_CHARACTERS else f"{e.answer_bytes} bytes"
    if len(body) > LONGEST_BODY or e.answer_bytes > KEPT_CHARACTERS:
        body = f"{body[:LONGEST_BODY]}\n... (in short; {size} in all)"
    lines += [f"           {line}" for line in body.splitlines()]
    return "\n".join(lines) + "\n"


def markdown_table(rows: Iterable[Row]) -> str:
    lines = ["| | Check | Verdict | What was seen |", "|---|---|---|---|"]
    lines += [f"| {r.kind} | {r.check} | {MARKS[r.verdict]} | {escaped(r.seen)} |" for r in rows]
    return "\n".join(lines)


def trend_in_a_row(history: History) -> str:
    """What KTRDR's processes used over backtests that were cancelled one after the other; empty where too few were."""
    rows = [f"| {of} | {what} | {' | '.join(heights)} |" for what, of, heights in endurance.table(history)]
    head = ["| | | first third | second third | last third |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) if rows else ""


def markdown_list(title: str, lines: Sequence[str]) -> str:
    return f"\n\n**{title}**\n\n" + "\n".join(f"- {escaped(line)}" for line in lines) if lines else ""


def choice_of_backtest(used: Candidate | None, passed_over: Sequence[tuple[Candidate, str]]) -> str:
    """Which backtest was used, and why the others were passed over."""
    lines = ["| Backtest | |", "|---|---|"]
    lines += [f"| {escaped(str(candidate))} | passed over: {escaped(reason)} |" for candidate, reason in passed_over]
    lines += [f"| {escaped(str(used))} | **used** |"] if used else []
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Words as they stand, for a place where Markdown is read: nothing in them is markup, nothing ends a line."""
    line = " ".join(text.split())
    line = _ENTITY.sub("&amp;", line).replace("<", "&lt;")
    return _LEADING.sub(r"\g<0>\\", _MARKUP.sub(r"\\\g<0>", line))


def name_of_the_picture(history: History) -> str:
    """What the picture of a recording shows: the run, or the last of many."""
    if tries := tries_of(history):
        return f"Picture of the last of {len(tries)} tries"
    row = history.about.get("in_a_row")
    return f"Picture of backtest {row} in a row" if row else "Picture of the run"


def table_of_tries(history: History) -> str:
    """How each try of the race with completion ended, as a table in Markdown; empty where none was run."""
    rows = ["| try | backtest | cancel sent | answer | ended as |", "|---|---|---|---|---|"]
    for t in tries_of(history):
        sent = f"{t.offset_s:+.2f} s of its predicted end"
        rows.append(
            f"| {t.number} | {escaped(t.backtest)} | {sent} | HTTP {t.http} | {escaped(t.ended_as) or 'not yet'} |"
        )
    return "\n".join(rows) if len(rows) > 2 else ""
