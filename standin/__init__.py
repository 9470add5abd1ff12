"""The embedded KTRDR: a small platform that really works, and can be made to go wrong by name.

So that the suite runs on any machine, and can be shown to fail. It is a stand-in, and says so. It uses nothing of the
suite, and the suite reaches it over HTTP only. A new way to go wrong is a class in `faults/`; a new kind of KTRDR that
is in order all the same is one in `awkward`; its README says more.
"""
