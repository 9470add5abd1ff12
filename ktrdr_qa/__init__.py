"""What the feature steps speak through: record a backtest's history, judge it, tell what was seen."""

from ktrdr_qa import words

# Here, once for the suite and for each command of it: before anything is said.
words.never_fail_to_say()
