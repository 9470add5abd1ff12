"""Behave's hooks: open the target, clean up after each scenario, close everything."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

from behave.exception import ConfigError

gc.disable()  # Until all is loaded: among modules there is no garbage, and looking for it is a tenth of the start.
SUITE = Path(__file__).parents[1]
# The command `behave` does not look for modules in the directory that it is called from.
sys.path.insert(0, str(SUITE))

try:
    from honest_behave.runner import take_over
    from ktrdr_qa.run import REPORTS, Run, tell_why_it_did_not_begin
    from ktrdr_qa.tell import summary
except ImportError:
    for name in ("summary.json", "summary.md"):
        (SUITE / "reports" / name).unlink(missing_ok=True)  # An earlier verdict is not this run's.
    raise


def begin(why: str) -> None:
    """An earlier run's summary goes first. Behave finds the suite's settings only where it is run beside them."""
    elsewhere = f"run behave in the suite's own directory, where its settings are: cd {SUITE} && behave features/..."
    if Path.cwd().samefile(SUITE):
        elsewhere = ""
    summary.begin(SUITE / REPORTS, why or elsewhere)
    if elsewhere:
        raise ConfigError(elsewhere)


RUNNER = take_over(begin)
SAME_BACKTEST = "same_backtest"


def before_all(context: Any) -> None:
    gc.freeze()
    gc.enable()
    RUNNER.at_end = lambda failed: tell_why_it_did_not_begin(RUNNER.trouble)
    context.run = Run(context.config.userdata, os.environ)
    context.run.mind_the_terminal(context.config)
    context.add_cleanup(context.run.close)


def before_first_scenario(context: Any) -> None:
    scenarios = (scenario for feature in RUNNER.features for scenario in feature.walk_scenarios())
    context.run.plan(scenarios, context.config)
    context.run.open(RUNNER)
    RUNNER.identity = {"target": context.run.target.name}
    RUNNER.at_end = lambda failed: context.run.tell_the_verdict(failed, RUNNER.trouble)


def before_scenario(context: Any, scenario: Any) -> None:
    context.steps = context.run.steps
    context.run.begin_scenario(scenario, same_backtest=SAME_BACKTEST in scenario.effective_tags)


def before_step(context: Any, step: Any) -> None:
    context.step = step
    context.run.begin_step(step)


def after_step(context: Any, step: Any) -> None:
    context.run.attach_step_evidence()


def after_scenario(context: Any, scenario: Any) -> None:
    context.run.end_scenario(scenario)


def after_feature(context: Any, feature: Any) -> None:
    if RUNNER.opened:
        context.run.end_recording()


def after_all(context: Any) -> None:
    if RUNNER.opened:
        context.run.finish()
