"""What makes Behave and Allure honest: results, counts and an exit status that are never greener than the run.

It uses Behave and Allure only, and knows nothing of what is under test. A gap of theirs is closed in `runner` (a run),
`hooks`, `listener` (one result) or `formatter` (all of them), with a test in `tests/report/test_upstream.py` that says
when it is mended there.
"""
