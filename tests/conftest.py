"""In CI the generated examples are the same in every run: what a change breaks there is the change's doing.

At a desk they differ from run to run, and so go on looking for what nobody thought of.
"""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
