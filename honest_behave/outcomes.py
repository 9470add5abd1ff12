"""The ways a check can end without having passed.

What is under test doing wrong is an ``AssertionError`` (Behave: failed). Everything here means that nothing was
learnt about it (Behave: error, Allure: broken), so it can never be read as a pass.
"""


class Inconclusive(Exception):
    """Nothing was learnt about what is under test, with the reason and what to do about it."""


class PlatformNotReady(Inconclusive):
    """A preflight check failed: the message names the check and its cure."""


class BadConfiguration(Exception):
    """A setting is wrong; each line of the message is one mistake and how to mend it."""
