"""What a history proves: pure rules with no I/O, no clock and no Behave, so that a saved history is judged again alike.

It uses the record below it and knows of nothing above. A new rule goes into the module of its stage (running,
cancelling, afterwards, others, outages, next_backtest, worker, processor), or of its way to cancel (vain, reason,
together, race, neighbours, oversubscribed, views, endurance, restarts: ``verdict.OTHER_WAYS``); its name goes into
``table``, for the report. What several rules read of a history is in ``reading``,
what the backtest's own pace says in ``pace``.
"""
