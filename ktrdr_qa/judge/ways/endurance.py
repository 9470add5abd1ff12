"""Endurance: after many backtests that were started and cancelled the last behaves as the first, and nothing has leaked.

What is compared was read at rest, after each of them. It grows where the last third lies above the first by more than
a margin and by more than it varies around its own growth, and did so all the way: a cache that is filled once makes a
step, and so does a host that has other work for a while. Of any two of them the later one is the higher as a rule
(Kendall's rank correlation). Of each third the mean of its middle half counts, so that a rest in which something else
happened tells nothing.
The first tenth is left out: there KTRDR fills what it needs once. Between the middles of the thirds of 51 backtests lie
31: what is seen of each is a 31st of the margin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ktrdr_qa.judge.judgement import Judgement, Rule
from ktrdr_qa.judge.processor import BUSY_HOST
from ktrdr_qa.judge.ways.way import Found, Way, sentences
from ktrdr_qa.record.history import Event, History, Sample

FEWEST = 24
"""Fewer backtests in a row make no trend."""
WARM_UP = 10
"""One in so many is left out at the beginning."""
SPREADS = 1.5
"""A growth is more than so many times the largest spread (the middle half) of a third around the growth."""
RISING = 0.6
"""So much Kendall's rank correlation (tau-b) is at least: 1 where each is higher than all before it, 0 where it is chance."""
ALL_THE_WAY = 0.2
"""So much of the growth, at least, comes before the middle third, and so much after it."""
LATENCY_MARGIN_S = 0.2
"""7 ms a cancel are seen: less is what a host with other work adds."""
START_MARGIN_S = 1.0
START_SHARE = 0.5
"""30 ms a backtest are seen, and of a slow start half of it: progress is refreshed once a second (contract, surprise 3)."""
BUSIER = 1.2
MB = 1e6


@dataclass(frozen=True)
class Trend:
    """A figure over the backtests in a row: its height in each third, how much one varies, what each added, and its rank correlation."""

    begin: float
    middle: float
    end: float
    spread: float
    each: float
    rising: float = 1.0

    def grows(self, margin: float) -> bool:
        grown = self.end - self.begin
        steps = (self.middle - self.begin, self.end - self.middle)
        far = grown > max(margin, SPREADS * self.spread) and min(steps) >= ALL_THE_WAY * grown
        return far and self.rising >= RISING


def trend_of(values: Sequence[float]) -> Trend | None:
    """The trend of one value for each backtest; None where there are too few."""
    if len(values) < FEWEST:
        return None
    kept = values[len(values) // WARM_UP :]
    third = len(kept) // 3
    begin, between, end = (_mean_of_the_middle(part) for part in _thirds(kept))
    each = (end - begin) / (len(kept) - third)
    spread = max(_spread(part) for part in _thirds([value - each * at for at, value in enumerate(kept)]))
    return Trend(begin, between, end, spread, each, rank_correlation(kept))


def _thirds(values: Sequence[float]) -> tuple[list[float], ...]:
    """The three, each in the order of its heights."""
    third = len(values) // 3
    return tuple(sorted(part) for part in (values[:third], values[third:-third], values[-third:]))


def _spread(ordered: Sequence[float]) -> float:
    quarter = len(ordered) // 4
    return ordered[-1 - quarter] - ordered[quarter]


def rank_correlation(values: Sequence[float]) -> float:
    """Kendall's tau-b of values with their order: of all pairs the part that rises, less the part that falls."""
    signs = [(later > earlier) - (later < earlier) for at, earlier in enumerate(values) for later in values[at + 1 :]]
    told = sum(map(abs, signs))
    return float(sum(signs) / (told * len(signs)) ** 0.5) if told else 0.0


def _mean_of_the_middle(ordered: Sequence[float]) -> float:
    quarter = len(ordered) // 4
    kept = ordered[quarter : len(ordered) - quarter]
    return sum(kept) / len(kept)


@dataclass(frozen=True)
class Figure:
    """Something of a process that must not grow: the rule's name, how it is called and told, and the margin.

    ``share``: of what it was at the beginning, where that is more than the margin.
    """

    name: str
    what: str
    fact: str
    margin: float
    unit: str = ""
    digits: int = 1
    share: float = 0.0

    def values(self, readings: Sequence[Sample]) -> list[float]:
        """One for each rest: what its last reading says, and of the processor the cores used in it."""
        rests: dict[int, list[Sample]] = {}
        for s in readings:
            rests.setdefault(s.facts["lap"], []).append(s)
        found = (self._value(rest) for rest in rests.values())
        return [value for value in found if value is not None]

    def _value(self, rest: Sequence[Sample]) -> float | None:
        last, first = rest[-1], rest[0]
        if self.fact != "cores":
            value = last.facts.get(self.fact)
            return None if value is None else float(value) / (MB if self.unit == " MB" else 1.0)
        if last.cpu_s is None or first.cpu_s is None or last.cpu_s < first.cpu_s or last.asked_s <= first.asked_s:
            return None
        return (last.cpu_s - first.cpu_s) / (last.asked_s - first.asked_s)

    def told(self, trend: Trend) -> str:
        begin, end = (f"{value:.{self.digits}f}" for value in (trend.begin, trend.end))
        return f"{begin} to {end}{self.unit}"


FIGURES = (
    # An allocator that keeps what it has adds a MB or two, and of a large process a few percent: 0.13 MB a backtest are
    # seen of a process of 100 MB or less, of one of 400 MB 0.5 MB.
    Figure("memory steady", "memory", "memory_bytes", 4.0, " MB", 1, 0.04),
    # Connections that are kept come and go: one file in six backtests is seen.
    Figure("files steady", "number of open files", "open_files", 5.0),
    # Others' operations come and go: one in twenty is seen.
    Figure("active steady", "number of operations called active", "active", 1.5),
    # As much as a quiet processor may use after a cancel (`processor.QUIET_MARGIN`): 0.003 cores a backtest are seen.
    Figure("processor steady", "use of the processor at rest", "cores", 0.1, " cores", 2),
)


def judgements(history: History, limits: Mapping[str, float]) -> list[Judgement]:
    """The judgements of backtests in a row; none where the history is of a single one."""
    laps = _laps(history)
    if not laps:
        return []
    steady = [latency_is_steady(laps), start_is_steady(laps), places_are_kept(history)]
    return steady + [does_not_grow(history, figure) for figure in FIGURES]


def _laps(history: History) -> list[Event]:
    return [e for e in history.events if e.kind == "lap"]


def _taken(laps: Sequence[Event], what: str) -> list[float]:
    """A figure of each of the backtests; one of which it is not known is none of these."""
    return [float(e.facts[what]) for e in laps if e.facts.get(what) is not None]


def latency_is_steady(laps: Sequence[Event]) -> Judgement:
    """A cancel takes no longer after many of them: the recipe's "cancelled within 2 s" is a promise to each.

    The time is from sending the cancel to seeing the backtest cancelled. Where this host has become so much busier meanwhile it
    tells nothing.
    """
    rule = Rule("latency steady", "the last backtests were cancelled as quickly as the first")
    seen, figures = "a cancel took {:.2f} s at the beginning and {:.2f} s", ("first_cancels_s", "last_cancels_s")
    return _is_steady(rule, laps, "cancelled_s", seen, LATENCY_MARGIN_S, figures=figures)


def start_is_steady(laps: Sequence[Event]) -> Judgement:
    """A backtest begins to move no later after many cancelled ones: the next one runs as the first did.

    The time is from the answer to its start to its first progress. Where this host has become too busy meanwhile it tells nothing.
    """
    rule = Rule("start steady", "the last backtests began to move as quickly as the first")
    seen = "a backtest moved {:.2f} s after its start at the beginning and {:.2f} s"
    return _is_steady(rule, laps, "first_progress_s", seen, START_MARGIN_S, START_SHARE)


def _is_steady(
    rule: Rule,
    laps: Sequence[Event],
    what: str,
    seen: str,
    margin_s: float,
    share: float = 0.0,
    figures: Sequence[str] = (),
) -> Judgement:
    """Whether a time of each of the backtests has not grown over them."""
    taken = _taken(laps, what)
    trend = trend_of(taken)
    if trend is None:
        return rule.unknown(_too_few(len(taken)))
    seen = f"{seen.format(trend.begin, trend.end)} at the end of {len(laps)}"
    told = {figures[0]: trend.begin, figures[1]: trend.end} if figures else {}
    margin_s = max(margin_s, share * trend.begin)
    if not trend.grows(margin_s):
        return rule.holds(seen, figures=told)
    if busier := _busier(laps, trend, margin_s):
        return rule.unknown(f"{seen}; {busier}", (), told, final=True)
    return rule.violated(f"{seen}: {1000 * trend.each:.0f} ms more with each", laps[-1].at_s, told)


def _busier(laps: Sequence[Event], trend: Trend, margin_s: float) -> str:
    """That this host's other work can be what takes longer, in words; empty where it has not become more, or not so much more.

    What has so many times as many rivals for a core takes so many times as long at the most.
    """
    load = trend_of(_taken(laps, "load_per_core"))
    explained = load and (trend.end - margin_s) * load.begin <= trend.begin * load.end
    if load and explained and load.end > max(BUSY_HOST, BUSIER * load.begin):
        return f"{load.begin:.1f} processes a core wanted to run on this host then, and {load.end:.1f} now"
    return ""


def places_are_kept(history: History) -> Judgement:
    """A cancelled backtest gives its place back (KTRDR's registry, contract, surprises 5 and 10), and takes no other.

    A worker that was free before the first is free after the last, or busy with an operation that is not this run's.
    """
    rule = Rule("places kept", "every place that was free before the first backtest is free again after the last")
    counts = [e for e in history.events if e.kind == "places"]
    if len(counts) < 2:
        return rule.unknown("the places were not counted before and after")
    first, last = counts[0].facts, counts[-1].facts
    free, now = first.get("free") or [], {*(last.get("free") or []), *(last.get("others") or [])}
    if not last.get("listed") or not free:
        return rule.unknown("KTRDR did not list its workers, or none was free")
    lost = [worker for worker in free if worker not in now]
    seen = f"{len(free)} were free before the first, and {len(free) - len(lost)} are after the last"
    if lost:
        return rule.violated(f"{seen}: lost is {', '.join(lost)}", counts[-1].at_s)
    return rule.holds(seen)


def does_not_grow(history: History, figure: Figure) -> Judgement:
    """What a process uses at rest does not grow with the backtests that it has seen cancelled.

    Prometheus's own names for it are KTRDR's (contract, worker_metrics.txt). A process that could not be read makes it
    unknown, unless another grows; so does a host that is too busy to tell of its processor.
    """
    rule = Rule(figure.name, f"in no process of KTRDR's does the {figure.what} grow with the backtests")
    told, grown, unread = [], [], []
    for process in history.subjects("process"):
        readings = history.of("process", process)
        trend = trend_of(figure.values(readings))
        if trend is None:
            unread.append(_why_unread(history, process))
            continue
        told.append(f"{process} {figure.told(trend)}")
        if trend.grows(max(figure.margin, figure.share * trend.begin)):
            each = f"{trend.each:+.{figure.digits + 1}f}{figure.unit} with each"
            grown.append(f"{process} {figure.told(trend)} ({each})")
    if grown:
        return rule.violated(f"it grew: {', '.join(grown)}", _laps(history)[-1].at_s)
    load = history.about.get("load_per_core", 0.0)
    if figure.fact == "cores" and load > BUSY_HOST:
        unread.append(
            f"{load:.1f} processes a core want to run on this host, so that one which computes may look quiet"
        )
    if unread or not told:
        return rule.unknown("; ".join([*unread, *told]) or "no process of KTRDR's could be read")
    return rule.holds(", ".join(told))


def _why_unread(history: History, process: str) -> str:
    laps = len(_laps(history))
    if laps < FEWEST:
        return _too_few(laps)
    lost = history.problems("process", process)
    return f"of {process} it could not be read: {lost[-1].problem if lost else 'its metrics do not name it'}"


def _too_few(laps: int) -> str:
    return f"{laps} backtests are too few to tell a trend from chance; {FEWEST} are needed"


def table(history: History) -> Iterator[tuple[str, str, list[str]]]:
    """For the report: what, of whom, and its height in each third."""
    laps = _laps(history)
    for what, fact in (
        ("time until a backtest is seen cancelled", "cancelled_s"),
        ("time until a backtest is seen moving", "first_progress_s"),
    ):
        if trend := trend_of(_taken(laps, fact)):
            yield what, "KTRDR", _heights(trend, 2, " s")
    for figure in FIGURES:
        for process in history.subjects("process"):
            if trend := trend_of(figure.values(history.of("process", process))):
                yield figure.what, process, _heights(trend, figure.digits, figure.unit)


def _heights(trend: Trend, digits: int, unit: str) -> list[str]:
    return [f"{height:.{digits}f}{unit}" for height in (trend.begin, trend.middle, trend.end)]


def in_words(history: History, found: Found) -> Iterator[str]:
    return sentences(found, "latency steady")


WAY = Way(
    "in a row",
    {
        "The last cancel is as quick as the first": ("latency steady",),
        "The last backtest begins to move as soon as the first": ("start steady",),
        "No place is lost": ("places kept",),
        "Nothing leaks": tuple(figure.name for figure in FIGURES),
    },
    judgements,
    in_words,
)
