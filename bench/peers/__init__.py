"""The peers: the recipe's check in Tavern, in Robot Framework and by hand, beside this suite's.

``checks`` runs any of them against one platform; ``python -m bench.peers`` counts what each catches and slanders.
"""
