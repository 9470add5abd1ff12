"""A small driver that works the way an IDE's Behave helper does: a subclass of Behave's Runner adds hooks of its own,
collects the features in a first pass that runs nothing, then runs them. Usage: python ide_like.py FEATURE (in the project)."""

import sys

from behave.configuration import Configuration
from behave.runner import Runner


class IdeRunner(Runner):
    collecting = False

    def load_hooks(self, filename=None):
        super().load_hooks(filename)
        mine = self.hooks.get("before_scenario")

        def before_scenario(context, scenario):
            if mine:
                mine(context, scenario)
            print("##ide scenario started:", scenario.name, flush=True)

        self.hooks["before_scenario"] = before_scenario

    def run_model(self, features=None):
        if self.collecting:
            print("##ide collected", sum(len(f.scenarios) for f in self.features), "scenarios", flush=True)
            return None
        return super().run_model(features)

    def clean(self):
        self.collecting = False
        self.hooks.clear()
        self.features = []


config = Configuration(command_args=sys.argv[1:])
config.format = config.format or ["null"]
runner = IdeRunner(config)
runner.collecting = True
print("##ide pass 1: collecting only", flush=True)
runner.run()
print("##ide pass 1 over; the runner is a", type(runner).__name__, flush=True)
runner.clean()
print("##ide pass 2: running", flush=True)
sys.exit(bool(runner.run()))
