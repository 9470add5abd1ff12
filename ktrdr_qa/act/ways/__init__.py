"""What each feature beside the recipe does: another way to cancel, or what is done to KTRDR meanwhile.

A module is called as its feature (``features/restart.feature``, ``act/ways/restart.py``, ``judge/ways/restart.py``). It uses
the experiment with its stages and the rules of its own way; the next one is a module of functions here, which the steps of
that feature call.
"""
