"""The rules of each feature beside the recipe: another way to cancel, or what else must hold when backtests are cancelled.

A module is called as its feature (``features/endurance.feature``, ``act/ways/endurance.py``, ``judge/ways/endurance.py``);
it uses what is in ``judge``, and none of it needs a way but for what all are told as. The next way is a module here, whose
``WAY`` has its rules, its rows of the table and its words, and a place in ``all.WAYS``; a new rule of a way goes into its module.
"""
