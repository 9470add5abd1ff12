"""Behave's hooks and clean-ups, watched: it keeps some of their exceptions as text only, and drops others."""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from honest_behave.problems import Problem, describe

LAYERS = ("all", "feature", "rule", "scenario", "step", "tag")
FIRST = "before_first_scenario"
HOOKS = [FIRST, *(f"{when}_{layer}" for when in ("before", "after") for layer in LAYERS)]


class Watch:
    """Keeps the exceptions of hooks and clean-ups in ``problems``; ``uninterrupted`` holds signals off meanwhile."""

    def __init__(self, problems: list[Problem], uninterrupted: Callable[[], AbstractContextManager[None]]) -> None:
        self._problems = problems
        self._uninterrupted = uninterrupted

    def over(self, hooks: dict[str, Callable[..., Any]], context: Any) -> None:
        """Watch the hooks, and the clean-ups of this one context, from now on."""
        if FIRST in hooks:
            hooks.setdefault("before_feature", lambda context, feature: None)
        for name in HOOKS:
            if name in hooks:
                hooks[name] = self._hook(name, hooks[name])
        # An attribute of this one context: Behave drops a clean-up's exception right after this call.
        context._do_cleanups = self._cleanups(context, context._do_cleanups)

    def _hook(self, name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(hook)
        def watched(context: Any, *args: Any) -> Any:
            try:
                if name.startswith("before_"):
                    return hook(context, *args)
                with self._uninterrupted():
                    return hook(context, *args)
            except BaseException as error:
                entity = args[0] if args else None
                if name.endswith("_tag"):
                    parts = (getattr(context, part, None) for part in ("scenario", "rule", "feature"))
                    entity = next(part for part in parts if part)
                self._problems.append(Problem(name, error, entity))
                if entity is not None and entity.exception is None and not isinstance(error, Exception):
                    entity.store_exception_context(error)  # Behave keeps no interrupt of a hook
                    entity.error_message = describe(error)
                raise

        return watched

    def _cleanups(self, context: Any, do_cleanups: Callable[[], None]) -> Callable[[], None]:
        def watched() -> None:
            layer = context._stack[0].get("@layer")
            entity = None if layer in (None, "testrun") else getattr(context, layer, None)
            try:
                with self._uninterrupted():
                    do_cleanups()
            except Exception as error:
                self._problems.append(Problem(f"a clean-up of the {layer or 'run'}", error, entity))
                if entity is not None and entity.exception is None:
                    entity.store_exception_context(error)  # or the JUnit XML calls it an UnknownError
                    entity.error_message = f"CLEANUP-ERROR: {describe(error)}"
                raise

        return watched
