"""What was seen, and when: `recorder` fills a `history`, `waiting` waits for what it shows.

It uses the platform to read it, and says nothing of right or wrong. Something new to watch is a view in `history`, sampled
by `recorder`.
"""
