"""What is waited for after the cancel, with an eye on whether KTRDR is still up."""

from __future__ import annotations

from collections.abc import Callable

from ktrdr_qa.act.others import Others
from ktrdr_qa.act.scene import SLACK_S, Scene
from ktrdr_qa.judge import afterwards, cancelling, crashes, pace
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.judge.reading import COVERED_GAP_S
from ktrdr_qa.record.history import History
from ktrdr_qa.record.recorder import BACKTEST_INTERVAL_S
from ktrdr_qa.record.waiting import throughout


def wait(scene: Scene, judge: Callable[[History], Judgement], limit_s: float, *, patient: bool = True) -> Judgement:
    """Wait for a judgement; a platform that falls over meanwhile is what is judged then.

    Without ``patient`` no longer than the judgement itself needs, from the cancel on: a run that has failed already is
    not kept waiting for its end.
    """

    def judged(history: History) -> Judgement:
        judgement = judge(history)
        up = crashes.stays_up(history, scene.backtest)
        return up if judgement.unknown and up.violated else judgement

    own_s = limit_s + scene.slack_s
    # Whether an outage heals is seen within its own time, which is a little longer than the sentence's.
    longest_s = max(own_s, crashes.GIVE_UP_S + SLACK_S)
    if not patient:
        sent = scene.event("cancel_sent")
        passed_s = scene.recorder.clock() - sent.at_s if sent else 0.0
        longest_s = min(longest_s, own_s + max(0.0, pace.VERDICT_SPAN_S - passed_s))
    return scene.wait(judged, longest_s)


def look_back(scene: Scene, others: Others, cancelled: Judgement) -> None:
    """Once it is known whether it was cancelled: its record, the others', and whether a late cancel comes at all."""
    scene.evidence["Post-cancel status"] = scene.record()
    others.look()
    if cancelled.violated and cancelled.name == "cancelled":
        scene.wait(lambda h: cancelling.what_became_of_it(h, scene.backtest), cancelling.LATE_WATCH_S)


def watch_it_stay(scene: Scene, others: Others, least_s: float, updates: float) -> list[Judgement]:
    """Watch the cancelled backtest for the whole frozen window: it stays cancelled, and does not move."""
    limit_s = scene.limits["cancelled_s"]

    def stays(history: History) -> Judgement:
        return afterwards.stays_cancelled(history, scene.backtest, limit_s)

    def frozen(history: History) -> Judgement:
        return afterwards.is_frozen(history, scene.backtest, least_s, updates, limit_s)

    def stays_frozen(history: History) -> Judgement:
        first = (stays(history), crashes.stays_up(history, scene.backtest))
        return next((j for j in first if j.violated), frozen(history))

    scene.recorder.about["updates"] = updates
    history = scene.recorder.history()
    window_s = pace.frozen_window_s(history, scene.backtest, least_s, updates)
    end = history.end_of(scene.backtest)
    left_s = max(0.0, (end.answered_s if end else history.until_s) + window_s - history.until_s)
    judgement = throughout(scene.recorder, stays_frozen, left_s, tick=scene.tick)
    if not judgement.violated:
        scene.recorder.look_now("backend")  # The window is over: what it ends with need not be waited for.
        judgement = throughout(scene.recorder, stays_frozen, 0.0, window_s + scene.slack_s, scene.tick)
    if judgement.violated and judgement.name == "frozen":
        # It has failed; the rest of the window tells whether it moves on or has moved once.
        left_s -= scene.recorder.clock() - history.until_s
        scene.pause(max(left_s, 3 * BACKTEST_INTERVAL_S))
    if judgement.name == "stays up":
        return [judgement]
    # A record that was missing in the last readings comes right, or stays away.
    scene.wait(stays, 2 * COVERED_GAP_S)
    others.look()
    history = scene.recorder.history()
    return [stays(history), frozen(history)]
