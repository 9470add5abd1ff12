"""The embedded KTRDR: a small platform that really works, and can be made to go wrong by name.

So that the suite runs on any machine, and can be shown to fail. It is a stand-in, and says so.
"""
