"""What a backtest is made of: a trained model, a strategy, price data. The files decide where they can be seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.checks.result import Cure, Result, State
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import Exchange, Refused, TransportError
from ktrdr_qa.target.choosing import sandbox_settings
from ktrdr_qa.target.settings import Target, expanded

CLOSED_DAYS = timedelta(days=5)
"""Markets close at weekends and holidays: data may begin this much later, or end this much earlier, than asked."""


class Material:
    """``files``: where KTRDR's are, as far as they can be seen. ``unusable`` says what candidates lack."""

    def __init__(self, target: Target, client: Client, files: Path | None):
        self.unusable: dict[Candidate, str] = {}
        self._target = target
        self._client = client
        self._files = files
        self._models: dict[Candidate, str] = {}

    def model(self, candidates: Sequence[Candidate]) -> Result:
        """On this host the files decide; the API's list may have empty names, so absence there proves nothing."""
        name = "Model"
        if self._files is None or not self._files.is_dir():
            return Result(
                name,
                "not checked",
                "no checkout is named, and the API does not tell a model's path; the start of the backtest will show it",
            )
        roots = self._roots()
        missing: dict[Candidate, str] = {}
        for candidate in candidates:
            forms = (candidate, candidate.in_the_other_form())
            if not any((root / c.model).exists() for root in roots for c in forms):
                missing[candidate] = f"no model {candidate.model} under {_either(roots)}"
        self._models = missing
        if len(missing) < len(candidates):
            found = _named(c.model for c in candidates if c not in missing)
            return Result(name, "ok", f"found under {_either(roots)}: {found}")
        there = sorted(str(p.parent.relative_to(r)) for r in roots for p in r.glob("models/*/*/*") if p.is_file())
        listed = ", ".join(dict.fromkeys(there)) or "none"
        sections = " and ".join(dict.fromkeys(f"[backtests.{c.timeframe}]" for c in candidates))
        return Result(
            name,
            "failed",
            f"{_named(c.model for c in candidates)}: not under {_either(roots)}",
            advice=f"models that exist there: {listed}; set model under {sections} in the target file, or train one",
        )

    def _roots(self) -> list[Path]:
        """Where this platform may keep ``models/`` and ``data/``: the checkout, else what a sandbox mounts instead."""
        assert self._files
        if self._target.embedded_one or not self._target.local:
            return [self._files]
        named = sandbox_settings(self._target.sandbox_file) if self._target.sandbox_file else {}
        shared = [expanded(named[key]).parent for key in ("KTRDR_MODELS_DIR", "KTRDR_DATA_DIR") if named.get(key)]
        return list(dict.fromkeys([self._files, *shared, self._target.shared_directory]))

    def strategy(self, candidates: Sequence[Candidate]) -> Result:
        name = "Strategy"
        seen: dict[str, Result] = {}
        for strategy in dict.fromkeys(c.strategy for c in candidates if c not in self._models):
            result = self._ask_one_strategy(name, strategy)
            if result.state == "ok":
                return result
            seen[strategy] = result
        return next(iter(seen.values()), Result(name, "not checked", "no backtest to use it with"))

    def _ask_one_strategy(self, name: str, strategy: str) -> Result:
        try:
            answer = self._client.post(f"/api/v1/strategies/validate/{strategy}", purpose="strategy")
            if answer.find("$.valid") is True:
                return Result(name, "ok", f"KTRDR calls {strategy} valid")
            if answer.find("$.valid") is False:
                return Result(
                    name,
                    "failed",
                    f"KTRDR calls {strategy} invalid: {answer.find('$.issues') or 'no reason given'}",
                    advice=f"mend the strategy {strategy}",
                )
            told = "the answer does not say whether it is valid"
        except Refused as refused:
            if refused.status == 404 and strategy in refused.exchange.answer_text:
                return self._strategy_file(name, strategy, str(refused), "failed")
            told = str(refused)
        except TransportError as error:
            told = str(error)
        return self._strategy_file(name, strategy, told, "not checked")

    def _strategy_file(self, name: str, strategy: str, told: str, otherwise: State) -> Result:
        """Where the API does not find or tell: the shared directory, and its cure, the copy in the checkout."""
        file_name = f"{strategy}.yaml"
        if not (self._target.embedded_one or self._target.local) or self._files is None:
            return Result(name, otherwise, told, advice=f"put {file_name} where KTRDR looks for strategies")
        shared = self._files if self._target.embedded_one else self._target.shared_directory
        named = sandbox_settings(self._target.sandbox_file) if self._target.sandbox_file else {}
        mounted = (
            expanded(named["KTRDR_STRATEGIES_DIR"]) if named.get("KTRDR_STRATEGIES_DIR") else shared / "strategies"
        )
        shared_file, original = mounted / file_name, self._files / "strategies" / file_name
        if shared_file.is_file() and otherwise != "failed":
            return Result(name, "ok", f"{shared_file} is there")
        if original.is_file() and original != shared_file and not shared_file.is_file():
            copy = Cure((("mkdir", "-p", str(shared_file.parent)), ("cp", str(original), str(shared_file))), 2.0, 1)
            return Result(name, "failed", f"{shared_file} is missing", copy)
        return Result(
            name,
            "failed",
            f"{told}; looked for {shared_file}",
            advice=f"set strategy in the target file, or put {file_name} there",
        )

    def data(self, candidates: Sequence[Candidate]) -> Result:
        name = "Price data"
        without_data: dict[Candidate, str] = {}
        unseen = []
        ranges: dict[tuple[str, str], Exchange | str | None] = {}
        for candidate in candidates:
            key = (candidate.symbol, candidate.timeframe)
            if key not in ranges:
                ranges[key] = self._range(*key)
            answer = ranges[key]
            if isinstance(answer, str):
                without_data[candidate] = answer
            elif answer is None:
                unseen.append(candidate)
            elif gap := _not_covered(answer, candidate):
                without_data[candidate] = gap
        self.unusable = {
            c: without_data.get(c) or self._models[c] for c in candidates if c in without_data or c in self._models
        }
        usable = [c for c in candidates if c not in self.unusable]
        if not usable:
            reasons = "; ".join(dict.fromkeys(self.unusable.values()))
            return Result(
                name,
                "failed",
                f"no backtest in the table has its data: {reasons}",
                advice="load the data into KTRDR, or change the symbol or the dates in the feature's table",
            )
        if all(c in unseen for c in usable):
            return Result(name, "not checked", "this KTRDR does not tell the range of its data; the start will show it")
        return Result(
            name,
            "ok",
            f"{len(usable)} of {len(candidates)} backtests in the table have their data, the first: {usable[0]}",
        )

    def _range(self, symbol: str, timeframe: str) -> Exchange | str | None:
        """The answer with the range, why there is none, or None where this KTRDR cannot be asked."""
        try:
            return self._client.post(
                "/api/v1/data/range", {"symbol": symbol, "timeframe": timeframe}, purpose="price data"
            )
        except Refused as refused:
            if refused.status == 404 and symbol in refused.exchange.answer_text:
                return f"no data for {symbol} {timeframe}"
        except TransportError:
            pass
        if self._files and self._files.is_dir() and (self._target.local or self._target.embedded_one):
            roots = self._roots()
            files = [r / "data" / f"{symbol}_{timeframe}.{kind}" for r in roots for kind in ("csv", "pkl")]
            missing = (
                f"no data for {symbol} {timeframe}: neither {files[0].name} nor .pkl in data under {_either(roots)}"
            )
            return None if any(f.is_file() for f in files) else missing
        return None


def _not_covered(answer: Exchange, candidate: Candidate) -> str:
    """Why the data do not cover the candidate's dates, or nothing."""
    first, last = _day(answer.find("$.data.start_date")), _day(answer.find("$.data.end_date"))
    if first is None or last is None:
        return ""
    began, ended = date.fromisoformat(candidate.start), date.fromisoformat(candidate.end)
    if first > began + CLOSED_DAYS or last < ended - CLOSED_DAYS:
        return f"the data of {candidate.symbol} {candidate.timeframe} are from {first} to {last} only"
    return ""


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def _either(roots: Iterable[Path]) -> str:
    return " or ".join(str(root) for root in roots)


def _named(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))
