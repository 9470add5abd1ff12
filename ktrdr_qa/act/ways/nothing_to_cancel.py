"""Cancels that have nothing to cancel: what nobody has, what cannot be an id, and what has ended already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from honest_behave.outcomes import BadConfiguration, Inconclusive
from ktrdr_qa.act import leaving
from ktrdr_qa.act.candidate import Candidate
from ktrdr_qa.act.choosing import MODEL_FORM
from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.act.failure import failure
from ktrdr_qa.act.scene import Scene
from ktrdr_qa.judge.ways.nothing_to_cancel import ANSWERED
from ktrdr_qa.platform import readings
from ktrdr_qa.platform.client import Client
from ktrdr_qa.platform.exchange import NoAnswer, Refused, TransportError
from ktrdr_qa.platform.statuses import MISSING, TERMINAL
from ktrdr_qa.record.recorder import WITNESS_INTERVAL_S
from ktrdr_qa.words import cut

LOOKS = 5
"""How often the list is asked for before it counts as not read: before the cancels it cannot be looked at again later."""
NO_ID = "no id at all"
LONG_ID = "an id of ten thousand characters"
IN_VAIN: Mapping[str, str] = {
    "an id that nobody has": "op_backtesting_20200229_000000_0badc0de",
    "the id of a training that nobody has": "op_training_20200229_000000_0badc0de",
    NO_ID: "",
    LONG_ID: "op_" + "0" * 9_997,
    "an id that climbs out of its folder": "..%2F..%2F..%2Fetc%2Fpasswd",
    "an id in letters of many languages": "op_回测_отмена_ακύρωση_🛑",
}
"""What a step's table may name, and the id that is sent for it; none is an operation of anybody's."""
_PLAIN = 60
"""An id that is longer does not stand in the history."""
DESCRIPTION = "/api/v1/openapi.json"
DESCRIBED_WITHIN_S = 20.0
"""The description is made at the first request for it, of hundreds of addresses."""


# --- what has ended --------------------------------------------------------------------------------------


def have_one_that(experiment: Experiment, status: str, candidates: Sequence[Candidate]) -> str:
    """Run short backtests until one has come to this end by itself; why there is none, or nothing.

    Each ends honestly: completed, or failed for want of data (contract, surprise 6).
    """
    seen, came_to = [], ""
    for candidate in candidates:
        came_to = _run(experiment, candidate)
        if came_to.startswith('"failed"') and MODEL_FORM.search(came_to):
            came_to = _run(experiment, candidate.in_the_other_form())
        seen.append(f"{candidate}: {came_to}")
        if came_to.startswith(f'"{status}"'):
            break
    # What ran here must not keep the next one waiting: its place may be given back late (surprise 5).
    experiment.places.await_one()
    if came_to.startswith(f'"{status}"'):
        return ""
    return f"no backtest of the table is {status} in the end: {'; '.join(seen)}"


def _run(experiment: Experiment, candidate: Candidate) -> str:
    """Run one until it has ended, and keep an eye on it; how it ended, in words."""
    scene = experiment.scene
    experiment.places.await_one()
    scene.next_used = candidate
    try:
        experiment.starting.begin_another(candidate)
    except Inconclusive as refused:
        return str(refused).splitlines()[0]
    finally:
        scene.next_used = None
    backtest = scene.mine[-1]
    scene.watch(backtest, in_full=True)
    scene.until(lambda h: h.end_of(backtest) is not None, scene.limits["new_backtest_s"])
    end = scene.recorder.history().end_of(backtest)
    scene.recorder.unwatch("backend", backtest)
    if end is None or end.status is None:
        leaving.end(scene, backtest)
        return f"it has not ended within {scene.limits['new_backtest_s']:g} s"
    scene.journal.ended(backtest)
    if end.status == "cancelled":
        words = (
            f'it was "cancelled", and nobody had asked for that: {end.facts.get("error_message") or "no reason given"}'
        )
        raise failure(
            f"the backtest {candidate} runs to its end",
            words,
            f"curl -s {scene.client.base_url}{readings.OPERATIONS}/{backtest}",
        )
    _keep_an_eye_on(scene, backtest, end.status)
    return f'"{end.status}" {end.facts.get("error_message") or ""}'.strip()


def _keep_an_eye_on(scene: Scene, operation: str, status: str) -> None:
    """Read its record now and then until the recording ends."""
    client = scene.client.clone()
    scene.recorder.note("ended_before", operation, status=status)
    read = lambda: readings.backtest(client, operation, in_full=True)  # noqa: E731
    scene.recorder.watch("backend", operation, read, WITNESS_INTERVAL_S)


# --- the cancels -----------------------------------------------------------------------------------------


def cancel_what_is_not_there(experiment: Experiment, names: Iterable[str]) -> str:
    """Cancel each, by its name in ``IN_VAIN``; what could not be tried and why, or nothing."""
    known = ", ".join(IN_VAIN)
    for name in names:
        if name not in IN_VAIN:
            raise BadConfiguration(f"nobody knows how to cancel {name!r}; there are: {known}")
    not_tried, scene = "", experiment.scene
    experiment.watching.watch_all_workers()
    _look_at_the_list(scene)
    for name in names:
        if name == NO_ID and (not_tried := _may_mean_all(scene.client)):
            continue
        _cancel(scene, IN_VAIN[name], name)
    _look_at_the_list(scene)
    return not_tried


def cancel_what_has_ended(experiment: Experiment) -> None:
    """Cancel each backtest of this recording that has ended before."""
    scene = experiment.scene
    experiment.watching.watch_all_workers()
    _look_at_the_list(scene)
    for operation, status in _ended_before(scene).items():
        _cancel(scene, operation, f"a backtest that is {status}")
    _look_at_the_list(scene)


def cancel_another_kind(scene: Scene) -> str:
    """Cancel an operation that is no backtest and has ended; why there is none, or nothing."""
    path = f"{readings.OPERATIONS}?limit={readings.LISTED}"
    try:
        rows = scene.client.get(path, purpose="operations of every kind").find("$.data") or []
    except TransportError as error:
        return f"the list of operations cannot be read: {error}"
    ended = [
        (str(row["operation_id"]), readings.word(row.get("status")), kind)
        for row in rows
        if isinstance(row, dict) and row.get("operation_id")
        if isinstance(kind := row.get("operation_type"), str) and kind.lower() not in readings.BACKTEST_WORDS
        if readings.word(row.get("status")) in TERMINAL
    ]
    if not ended:
        return "this KTRDR lists no operation that is no backtest and has ended"
    operation, status, kind = ended[0]
    _keep_an_eye_on(scene, operation, status)
    scene.until(lambda h: h.end_of(operation) is not None, scene.slack_s)
    _cancel(scene, operation, f"an operation of another kind ({cut(kind, _PLAIN)}) that is {status}")
    return ""


def _cancel(scene: Scene, operation: str, what: str) -> None:
    """Send one, once more where the answer was lost on the way."""
    path = f"{readings.OPERATIONS}/{operation}"
    for last in (False, True):
        try:
            answer = scene.client.delete(path, purpose="cancel in vain", patiently=True, json_expected=False)
            words = str(readings.cancel_facts(answer).get("status") or "") if answer.answer else ""
        except TransportError as error:
            answer, words = error.exchange, error.words
            lost = not isinstance(error, Refused) or error.passing
            if lost and not last and not (isinstance(error, NoAnswer) and error.refused):
                continue
        break
    again = answer.curl.replace(IN_VAIN[LONG_ID], "op_$(printf %09997d 0)")
    facts = {"what": what, "http": answer.status, "sent_s": answer.at_s, "words": cut(words, 300)}
    subject = operation if 0 < len(operation) <= _PLAIN else ""
    scene.recorder.note(ANSWERED, subject, answer.answered_s, **facts, again=again)
    scene.recorder.look_now("backend")


def _may_mean_all(client: Client) -> str:
    """Why a cancel without an id is not sent: it may be one of everything. Nothing where it is not."""
    try:
        asked = client.get(DESCRIPTION, purpose="what may be cancelled", tries=3, timeout_s=DESCRIBED_WITHIN_S)
    except TransportError as error:
        return f"a cancel without an id was not sent, as it may mean all: {error}"
    paths = asked.answer.get("paths") if isinstance(asked.answer, dict) else None
    if not isinstance(paths, dict):
        return f"a cancel without an id was not sent, as it may mean all: {DESCRIPTION} names no paths"
    for path in (readings.OPERATIONS, f"{readings.OPERATIONS}/"):
        if "delete" in (paths.get(path) or {}):
            return f"a cancel without an id was not sent: by {DESCRIPTION} this KTRDR has a DELETE of all at {path}"
    return ""


def _look_at_the_list(scene: Scene) -> None:
    """What the list says of what has ended, of what runs, and of the ids that nobody has."""
    mine = {*_ended_before(scene), *([scene.backtest] if scene.backtest else [])}

    def read() -> Iterator[readings.Reading]:
        listed = {r.subject: r for r in readings.listed(scene.client, "", mine)}
        yield from (listed.get(one) or readings.Reading(one, MISSING) for one in sorted(mine))
        yield from (r for name, r in listed.items() if name in IN_VAIN.values())

    for _ in range(LOOKS):
        if scene.read_once("list", read):
            break


# --- the next one ----------------------------------------------------------------------------------------


def watch_what_was_started(scene: Scene) -> None:
    """Read the records of all backtests that this recording has started."""
    ended = _ended_before(scene)
    for backtest in scene.mine:
        if backtest not in ended:
            scene.watch(backtest)


def _ended_before(scene: Scene) -> dict[str, str]:
    """What has ended and is there to be cancelled all the same, and how it ended."""
    return {e.subject: e.facts["status"] for e in scene.recorder.history().events if e.kind == "ended_before"}
