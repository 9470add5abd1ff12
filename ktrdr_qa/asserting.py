"""What a step asserts of a judgement, and what its failure says: expectation, what was seen besides, how to see it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.judge import cancelling, crashes, pace, verdict
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.ways.endurance import FIGURES
from ktrdr_qa.judge.ways.nothing_to_cancel import ANSWERED
from ktrdr_qa.platform import readings
from ktrdr_qa.tell import trends

_OF_THE_LIST = {"list agrees", "only this one", "does not come back", "list unchanged"}
_OF_THE_LIST |= {"lists agree", "filters match", "pages whole"}
_OF_THE_PROCESSES = frozenset(figure.name for figure in FIGURES)
_OF_SEVERAL = {"running unharmed", "ended unchanged", "worker takes the next"}
_OF_SEVERAL |= {"one end", "answer fits", "no flip", "starts run", "none called failed"}
_OF_SEVERAL |= {"neighbours moving", "neighbours run on", "neighbours untouched", "next keeps pace"}
"""Judgements about several backtests of this run: their words, or the reading that decided, name the one that it is about."""


def verify(experiment: Experiment, judgement: Judgement, earlier: Sequence[trends.Line] = (), when: str = "") -> None:
    """Assert a judgement of the experiment, with what a developer needs to see it again.

    Raises ``AssertionError`` where it is violated, ``Inconclusive`` where it is not known. Where it cannot be known
    because KTRDR fell over after the cancel, that is what fails. ``when`` says so where it is judged after its step.
    """
    if judgement.holds:
        return
    from ktrdr_qa.judge import matchers  # Hamcrest: only where there is something to tell

    found = verdict.judge_all(experiment.history())
    if judgement.unknown and found["stays up"].violated:
        judgement = found["stays up"]
    besides = [when] if when else []
    besides += _besides(experiment, judgement, found, earlier)
    matchers.verify(judgement, besides, again(experiment, judgement))


def _besides(
    experiment: Experiment, judgement: Judgement, found: Mapping[str, Judgement], earlier: Sequence[trends.Line]
) -> list[str]:
    told = []
    if judgement.name in ("cancelled", "stays cancelled", "frozen", "stays up"):
        answer = found["acknowledged"]
        told.append(f"the cancel {'was' if answer.holds else 'itself:'} {answer.seen}")
    if judgement.name == "cancelled":
        left = pace.left_to_run(experiment.history(), experiment.scene.backtest)
        told += [left.in_words] if left and left.in_words not in judgement.seen else []
        told.append(cancelling.what_became_of_it(experiment.history(), experiment.scene.backtest).seen)
    if judgement.name in ("cancelled", "stays cancelled", "frozen"):
        others = found["only this one"]
        told += list(others.observations) or ([others.seen] if others.violated else [])
    if judgement.violated and (usual := trends.usual(earlier, judgement.name)):
        told.append(usual)
    return told


def again(experiment: Experiment, judgement: Judgement) -> str:
    """The line for a shell, mostly ``curl``, that repeats the request which showed what a judgement goes by."""
    name, scene = judgement.name, experiment.scene
    answered = {"acknowledged": "Cancel response", "next accepted": "next", "second cancel": "second cancel"}
    answered["each answered"] = "Cancel response"
    if exchange := scene.evidence.get(answered.get(name, "")):
        return exchange.curl
    base_url = scene.target.base_url or ""
    if name == "turned down":
        answered_at = [e for e in experiment.history().events if e.kind == ANSWERED and e.at_s == judgement.at_s]
        return str(answered_at[0].facts["again"]) if answered_at else ""
    record = f"{base_url}{readings.OPERATIONS}/"
    witness = experiment.witness
    if witness and witness.address and name == "worker stopped":
        by_health = any(s.view == "health" and s.asked_s == judgement.at_s for s in experiment.history().samples)
        path = "/health" if by_health else f"{readings.OPERATIONS}/{experiment.called_there}"
        return f"curl -s {witness.address}{path}"
    if witness and witness.processor and name == "processor quiet":
        return witness.processor_again
    if name in _OF_THE_LIST or judgement.seen.startswith(crashes.LIST):
        return f"curl -s '{base_url}{readings.OPERATIONS}?operation_type=backtesting&limit={readings.LISTED}'"
    if name in ("place free", "places kept", "back"):
        return f"curl -s {base_url}{readings.WORKERS}"
    if name in _OF_THE_PROCESSES:
        told = judgement.seen.removeprefix("it grew: ")
        worker = next((w for w in scene.witnesses.values() if w.address and told.startswith(f"{w.worker} ")), None)
        return f"curl -sL {worker.address if worker else base_url}/metrics"
    if name == "stays up" and judgement.seen.startswith(crashes.WORKER_HEALTH):
        return f"curl -s {witness.address if witness else ''}/health"
    if name == "stays up" and judgement.seen.startswith(crashes.WORKERS):
        return f"curl -s {base_url}{readings.WORKERS}"
    if name == "stays up" and not judgement.seen.startswith((crashes.RECORD, crashes.NEXT_RECORD)):
        return f"curl -s {base_url}/api/v1/health"
    if name == "others can be stopped":
        stuck = next((e.subject for e in experiment.history().events if e.kind == "not_stopped"), "")
        return f"curl -s {record}{stuck or scene.backtest}"
    if name == "goes on answering":
        fallen = (w for w in scene.witnesses.values() if judgement.seen.startswith(f"the worker {w.worker} "))
        return f"curl -s {next((f'{w.address}/health' for w in fallen), f'{base_url}/api/v1/health')}"
    if name in _OF_SEVERAL:
        named = next((one for one in scene.mine if one in judgement.seen), "")
        shown = (
            s.subject for s in experiment.history().samples if s.view == "backend" and s.answered_s == judgement.at_s
        )
        return f"curl -s {record}{named or next(shown, scene.backtest)}"
    of_the_next = name == "next runs" or judgement.seen.startswith(crashes.NEXT_RECORD)
    return f"curl -s {record}{scene.next_backtest if of_the_next else scene.backtest}"
