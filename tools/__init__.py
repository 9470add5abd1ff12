"""What the people who keep this suite use, and no run needs: the screenshots of `docs/`, the figures of the README.

It may use everything; nothing uses it but `bench` and `tests`. A new tool is a module with a command, and a line in the
Makefile.
"""
