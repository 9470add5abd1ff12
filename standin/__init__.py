"""The embedded KTRDR: a small platform that really works, so that the suite runs on any machine and can be shown to fail."""
