"""The checks of the preflight, one module for what is looked at: services, what a backtest is made of, workers.

They use ``platform`` and ``target``. A check returns a ``Result`` and never raises for what it finds; a new one goes to
the module of what it looks at, and gets its method in ``preflight``.
"""
