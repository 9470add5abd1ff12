"""Many users at once: each starts a backtest, cancels it and judges what became of it, on Locust.

``__main__`` launches Locust and has the last word; ``locustfile`` is what Locust runs; ``crowd`` is what the users of one
Locust process share, ``cancellation`` what one of them does, ``tally`` what it all comes to. It uses the suite's client,
recorder and judgements; nothing uses it. Its requirements are its own.
"""
