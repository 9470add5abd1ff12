"""The views agree: the single record, the list, its filters and pages, and the worker's own record, over a whole run.

Sources: Google AIP-158 (pages: each result once, none lost) and AIP-160 (what a filter gives matches the filter);
Microsoft's guidelines on long-running operations (the status is the same wherever it is read); KTRDR's contract: one
memory behind record and list, so they differ by a replica's lag at the most (``COVERED_GAP_S``), and the backend fetches
a worker's word about once a second (surprise 3), so it may lag behind the worker and is never ahead of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.reading import COVERED_GAP_S, counted, height_of, percent_of, state_of
from ktrdr_qa.judge.ways.way import Found, Way, sentences
from ktrdr_qa.platform.statuses import KNOWN, MISSING, TERMINAL
from ktrdr_qa.record.history import History, Sample
from ktrdr_qa.words import percent

LAGS_S = 2.0
"""So far a backend that refreshes once a second may be behind its worker, an answer's time included."""
ROUNDED = 0.11
"""Percent by which two views may differ because each rounds in its own way."""
WHOLE = ""
"""The list without a filter."""


def judgements(history: History, limits: Mapping[str, float]) -> list[Judgement]:
    """The rules of the views, where they were read."""
    if not any(e.kind == "views_begun" for e in history.events):
        return []
    return [
        lists_agree(history, history.backtest),
        filters_match(history),
        pages_are_whole(history),
        counts_are_right(history),
        worker_agrees(history, history.backtest, limits["worker_idle_s"]),
    ]


def _rows(s: Sample) -> Mapping[str, str]:
    rows: Mapping[str, str] = s.facts["rows"]
    return rows


def _matches(question: str, status: str) -> bool:
    """Whether a backtest of this status belongs under a filter."""
    if question == "active_only=true":
        return status not in TERMINAL
    return question == f"status={status}" or not question.startswith("status=")


def _is_due(question: str, status: str) -> bool:
    """Whether a backtest of this status has to stand under a filter: what "active" is but a running one KTRDR does not say."""
    return _matches(question, status) and (question != "active_only=true" or status == "running")


def _either(statuses: Iterable[str]) -> str:
    return " or ".join(sorted(f'"{word}"' for word in statuses))


def _listings(history: History) -> list[Sample]:
    return [s for s in history.samples if s.view == "listing" and not s.problem]


def statuses_near(readings: Sequence[Sample], s: Sample, lag_s: float) -> set[str]:
    """What a view may have said within its lag of a reading of another one: its words then, the last before, the next after.

    Nothing where it was not read both before and after that reading: its state then is not known.
    """
    if not (any(r.answered_s <= s.asked_s for r in readings) and any(r.asked_s >= s.answered_s for r in readings)):
        return set()
    before = sum(r.answered_s < s.asked_s - lag_s for r in readings)
    until = sum(r.asked_s <= s.answered_s + lag_s for r in readings)
    return {str(r.status) for r in readings[max(0, before - 1) : until + 1]}


def lists_agree(history: History, backtest: str) -> Judgement:
    """At every time the list, under each filter, shows the backtest as its own record does, and where it belongs.

    That it is not there is only held against a list that was not full. Progress is compared until the cancel, and does not
    go on once it has ended; a list that tells it must have been read late enough for one that stands still to show.
    """
    rule = Rule("lists agree", "the list and its filters show the backtest at all times as its own record does")
    record = history.of("backend", backtest)
    cancel = history.event("cancel_sent", backtest)
    compared, progress_told, would_show = 0, False, False
    ended: dict[str, float] = {}
    for s in _listings(history):
        near = statuses_near(record, s, COVERED_GAP_S)
        if not near or near - KNOWN:
            continue
        shown, under = _rows(s).get(backtest), f'the list under "{s.subject}"' if s.subject else "the list"
        said = _said_for_so_long(record, s, near)
        if shown is not None and shown not in near:
            return rule.violated(f'{under} has it as "{shown}", and its record {said}', s.answered_s)
        if shown is None and not s.facts.get("full") and all(_is_due(s.subject, status) for status in near):
            return rule.violated(f"{under} does not name it, and its record {said}", s.answered_s)
        compared += 1
        height, before = _height(s, backtest), _record_before(record, s)
        if height is not None and shown in TERMINAL:
            was = ended.setdefault(s.subject, height)
            if height > was + ROUNDED:
                goes_on = f"its progress goes on, from {percent(was)} to {percent(height)}"
                return rule.violated(f'{under} has it as "{shown}", and {goes_on}', s.answered_s)
        if height is None or (cancel and s.answered_s > cancel.at_s):
            continue
        progress_told = True
        if shown == "running" and before:
            if height < height_of(before) - ROUNDED:
                ago = f"its record was at {percent_of(before)} {s.asked_s - before.answered_s:.1f} s before"
                return rule.violated(f"{under} has it at {percent(height)}, and {ago}", s.answered_s)
            would_show = would_show or height_of(before) > ROUNDED
    if not compared:
        return rule.unknown("the list was not read while the record was")
    if progress_told and not would_show:
        return rule.unknown(
            f"the list was not read {LAGS_S:.1f} s after progress that one which stands still would not show"
        )
    return rule.holds(f"{compared} readings of the list and its filters agree with the record ({counted(record)})")


def _said_for_so_long(record: Sequence[Sample], s: Sample, statuses: set[str]) -> str:
    """What the record had said, and how long nothing else, when another view was answered."""
    before = [r for r in record if r.answered_s <= s.asked_s]
    same = list(takewhile(lambda r: r.status in statuses, reversed(before)))
    return f"had said {_either(statuses)} for {s.answered_s - same[-1].answered_s:.1f} s"


def _height(s: Sample, backtest: str) -> float | None:
    """The progress in percent at which a list has a backtest; None where it does not tell."""
    heights = s.facts.get("heights")
    height: float | None = heights.get(backtest) if isinstance(heights, dict) else None
    return height


def _record_before(record: Sequence[Sample], s: Sample) -> Sample | None:
    """The last reading of the running record that a list must not be behind."""
    return next((r for r in reversed(record) if r.answered_s <= s.asked_s - LAGS_S and r.status == "running"), None)


def filters_match(history: History) -> Judgement:
    """Nothing is listed under a filter that it does not match, by the very row that lists it."""
    rule = Rule("filters match", "no backtest is listed under a filter that it does not match")
    filtered = [s for s in _listings(history) if s.subject != WHOLE]
    for s in filtered:
        if wrong := next(((one, status) for one, status in _rows(s).items() if not _matches(s.subject, status)), None):
            return rule.violated(
                f'under "{s.subject}" stands {wrong[0]}, which is "{wrong[1]}" by the same row', s.answered_s
            )
        if others := s.facts.get("other_types"):
            return rule.violated(f'under "{s.subject}" stands an operation of the type {others[0]}', s.answered_s)
    if not filtered:
        return rule.unknown("no filter could be asked for: this KTRDR describes none", final=True)
    asked = sorted({s.subject for s in filtered})
    return rule.holds(f"{len(filtered)} readings under {', '.join(asked)} list nothing else")


def pages_are_whole(history: History) -> Judgement:
    """Page by page the list has each backtest once, as the whole list has it that was read before and after.

    Where a backtest was begun in between, the pages shift, and nothing is held against them.
    """
    rule = Rule("pages whole", "the pages of the list neither lose nor double a backtest")
    compared = []
    for s in history.of("pages", WHOLE):
        before, paged, after = (list(s.facts.get(name) or []) for name in ("before", "paged", "after"))
        if before != after or len(before) < 2:
            continue
        if doubled := _doubled(paged):
            return rule.violated(f"the pages of the list have {doubled} twice", s.answered_s)
        if lost := [one for one in before if one not in paged]:
            seen = f"the pages of the list do not have {lost[0]}, which the whole list has"
            return rule.violated(f"{seen} ({len(lost)} of {len(before)} lost)", s.answered_s)
        compared.append(len(before))
    if not compared:
        return rule.unknown("the list was never the same before and after its pages were read, or has no two backtests")
    return rule.holds(f"{len(compared)} times page by page, {max(compared)} backtests each once")


def counts_are_right(history: History) -> Judgement:
    """The list counts as many as there are, and of these as active what is (AIP-158: the total is of the whole collection).

    Rows and counts may be of replicas of which one lags: only what is wrong in every answer for longer than that is held
    against it. What "active" is but a running one KTRDR does not say.
    """
    rule = Rule("counts right", "the list counts as many backtests as there are, and as many active ones")
    whole = [s for s in _listings(history) if s.subject == WHOLE and not s.facts.get("full")]
    counted_ones = [s for s in whole if {"total", "active"} & set(s.facts)]
    doubtful = ""
    for readings, wrong_in in ((counted_ones, _miscounted), (history.of("pages", WHOLE), _miscounted_page)):
        since: Sample | None = None
        for s in readings:
            wrong = wrong_in(s)
            since = (since or s) if wrong else None
            if since and s.asked_s >= since.asked_s + COVERED_GAP_S:
                return rule.violated(wrong, s.answered_s)
        doubtful = doubtful or (wrong_in(readings[-1]) if readings else "")
    if not counted_ones:
        return rule.unknown("the list of this KTRDR has no counts", final=True)
    if doubtful:
        return rule.unknown(f"{doubtful}; the next answer may be right")
    return rule.holds(f"{len(counted_ones)} readings of the list count what they name")


def _miscounted_page(s: Sample) -> str:
    """Which page counts otherwise than the whole list does before and after, in words; empty where none does."""
    totals = [total for total in s.facts.get("totals") or [] if isinstance(total, int)]
    if s.facts.get("before") != s.facts.get("after") or not totals or totals[0] != totals[-1]:
        return ""
    other = next((total for total in totals if total != totals[0]), None)
    return "" if other is None else f"one page of the list counts {other} in all, and another {totals[0]}"


def _miscounted(s: Sample) -> str:
    """What a whole list counts otherwise than it names, in words; empty where it counts right, or does not count."""
    statuses = list(_rows(s).values())
    total, active = (s.facts.get(name) for name in ("total", "active"))
    if total is not None and total != len(statuses):
        return f"the list counts {total} in all, and names {len(statuses)}"
    least, most = statuses.count("running"), sum(status not in TERMINAL for status in statuses)
    if active is not None and not least <= active <= most:
        return f"the list counts {active} active ones, and names {least if active < least else most}"
    return ""


def _doubled(ids: Iterable[str]) -> str:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            return one
        seen.add(one)
    return ""


def worker_agrees(history: History, backtest: str, limit_s: float) -> Judgement:
    """The worker's own record and KTRDR's say the same within the lag of a refresh, and KTRDR's progress is not ahead.

    After the cancel the worker has the limit of its own rule, ``limit_s``.
    """
    rule = Rule("worker agrees", "the worker's own record of the backtest agrees with KTRDR's at all times")
    record, lag_s = history.of("backend", backtest), max(LAGS_S, limit_s)
    own = [s for s in history.of("worker", backtest) if s.status in KNOWN]
    compared: list[Sample] = []
    for s in own:
        near = statuses_near(record, s, lag_s) - {MISSING}
        if near and s.status not in near:
            return rule.violated(
                f"its worker has it {state_of(s)}, and KTRDR's record said {_either(near)}", s.answered_s
            )
        compared += [s] if near else []
    for s in own:
        ahead = next(
            (
                r
                for r in record
                if r.status == "running" == s.status
                and r.answered_s <= s.asked_s
                and s.percentage is not None
                and height_of(r) > height_of(s) + ROUNDED
            ),
            None,
        )
        if ahead:
            seen = f"KTRDR had it at {percent_of(ahead)}, and its worker later at {percent_of(s)}"
            return rule.violated(f"{seen} only: KTRDR's progress is ahead of the worker's", s.answered_s)
    if not compared:
        return rule.unknown("the worker's own record was not read while the backtest ran", final=not own)
    return rule.holds(f"{counted(compared)} of the worker's own record agree")


def in_words(history: History, found: Found) -> Iterator[str]:
    if history.event("views_begun", ""):
        yield "All the time every view of it was read: its record, the list, its filters and pages, and its worker's own record."
        yield from sentences(found, "lists agree")


WAY = Way(
    "every view",
    {
        "The list and its filters say what the record says": ("lists agree",),
        "A filter lists nothing else": ("filters match",),
        "The pages neither lose nor double a backtest": ("pages whole",),
        "The list counts what there is": ("counts right",),
        "The worker's own record says the same": ("worker agrees",),
    },
    judgements,
    in_words,
)
