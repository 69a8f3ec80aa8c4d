"""Tells observers what happens, through pluggy: an observer that raises is reported, and the others still hear of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from adjudge.errors import PluginError

from .plugins import Plugins


def tell(plugins: Plugins, hook: str, **facts: Any) -> None:
    """Call an observe hook of all plugins and watchers, wrappers included."""
    caller = getattr(plugins.hooks.hook, hook)
    for one in caller.get_hookimpls():
        if not (one.wrapper or one.hookwrapper or hasattr(one.function, "guarded")):
            one.function = _guarded(one.function, one.plugin_name, hook)
    with _reported(f"a wrapper of {hook}", hook):
        caller(**facts)


def _guarded(function: Callable[..., Any], name: str, hook: str) -> Callable[..., None]:
    @wraps(function)
    def observe(*facts: Any) -> None:
        with _reported(name, hook):
            function(*facts)

    observe.guarded = True  # type: ignore[attr-defined]
    return observe


@contextmanager
def _reported(name: str, place: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        print(f"warning: {name} raised in {place}: {type(error).__name__}: {error}", file=sys.stderr)


def watch(plugins: Plugins, watcher: object, name: str) -> None:
    """Register what a reporter returned; a hook of it that does not exist is a `PluginError`."""
    try:
        plugins.hooks.register(watcher, name=f"reporter {name!r} ({id(watcher)})")
        plugins.hooks.check_pending()
        if forgotten := plugins.unmarked(watcher):
            raise PluginError(f"{forgotten} is no function marked @hookimpl.")
    except Exception as error:
        if plugins.hooks.is_registered(watcher):
            plugins.hooks.unregister(watcher)
        raise PluginError(f"reporter {name!r}: {error}\n  Remedy: name its methods like observe hooks (docs/hooks.md).") from error


def close(watcher: object) -> None:
    """Let a watcher give back what it holds, such as the terminal; one that raises is reported and hides no other error."""
    with _reported(type(watcher).__qualname__, "close"):
        getattr(watcher, "close", lambda: None)()
