"""Which KTRDR is under test: `settings` is what a target file may say, `choosing` which one a run takes.

It uses nothing of the house but the outcomes and the words; its command alone asks the platform. A new setting is a field in
`settings`; a new way to name a KTRDR is a line in `choosing`.
"""
