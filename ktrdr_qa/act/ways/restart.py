"""A service is restarted while the backtest runs, or while its cancel is under way; what it leaves is cancelled."""

from __future__ import annotations

import threading

from honest_behave.outcomes import Inconclusive
from ktrdr_qa.act.cancelling import send_another
from ktrdr_qa.act.experiment import Experiment
from ktrdr_qa.judge.judgement import Judgement
from ktrdr_qa.platform.services import BACKEND, NotRestarted, Services
from ktrdr_qa.record.history import History

SENT_S = 0.01
"""A cancel that is on its way to a KTRDR on the same host has this long before the restart is asked for."""


def restart(experiment: Experiment, services: Services, service: str) -> None:
    """Restart it, and write down when that was done. Raises ``Inconclusive`` where it did not work."""
    scene, witness = experiment.scene, experiment.witness
    if service == "worker" and witness is None:
        raise Inconclusive("KTRDR does not say which worker runs the backtest, so it cannot be restarted")
    worker = experiment.worker
    scene.recorder.about["worker"] = worker
    scene.recorder.note("restart_begun", scene.backtest, service=service, worker=worker)
    try:
        services.restart(None if service == BACKEND else witness)
    except NotRestarted as problem:
        raise Inconclusive(f"the {service} was not restarted, so nothing was learnt: {problem}") from problem
    scene.recorder.note("restarted", scene.backtest, service=service, worker=worker)
    scene.recorder.look_now("backend", "health", "registry")


def restart_in_mid_cancel(experiment: Experiment, services: Services, service: str) -> None:
    """Send a cancel, and restart the service before it is answered, as far as that can be had."""
    scene = experiment.scene
    client = scene.client.clone()

    given = (scene, client, "cancel in mid-restart", "cancel_interrupted")
    sending = threading.Thread(target=send_another, args=given, name="cancel", daemon=True)
    scene.read_fresh("backend", [scene.backtest])
    sending.start()
    sending.join(SENT_S)
    try:
        restart(experiment, services, service)
    finally:
        sending.join()
        client.close()


def await_its_end(experiment: Experiment, limit_s: float) -> Judgement:
    """Wait so long for its end; else it is an orphan, and is cancelled as a user would."""
    scene = experiment.scene

    def over(history: History) -> bool:
        restarted = history.event("restarted", scene.backtest)
        return any(
            s.terminal and restarted and s.asked_s >= restarted.at_s for s in history.of("backend", scene.backtest)
        )

    scene.until(over, limit_s)
    if not over(scene.recorder.history()):
        last = next((s for s in reversed(scene.readings())), None)
        told = f'"{last.status}"' if last else "unread"
        scene.observations.append(
            f"The backtest was {told} {limit_s:g} s after the restart, and had to be cancelled to end."
        )
        send_another(scene, scene.client, "cancel of an orphan", "orphan_cancelled")
    judgement = experiment.await_known("ended", scene.limits["cancelled_s"])
    if judgement.holds:
        scene.journal.ended(scene.backtest)  # Its place may be given back a little later.
    return judgement
