"""What a history proves: pure rules with no I/O, no clock and no Behave, so that a saved history is judged again alike.

It uses the record below it and knows of nothing above. A new rule of every cancellation goes into the module of its stage
(running, cancelling, afterwards, others, crashes, next_backtest, worker, processor), into ``verdict`` and, for the report,
into ``table``; a rule of another feature than the recipe's into the module of that feature in ``ways``. What several rules
read of a history is in ``reading``, what the backtest's own pace says in ``pace``.
"""
