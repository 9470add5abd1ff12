"""What the suite does to KTRDR: checks that it is ready, then starts, watches and cancels a backtest, starts the next.

It may use ``judge``, ``record``, ``platform`` and ``target``, and knows nothing of Behave but a step's table. A new
stage is a module of its own that is given the ``scene``, and that ``experiment`` puts in its place; what only one feature
beside the recipe does is in ``ways``, under the feature's name.
"""
