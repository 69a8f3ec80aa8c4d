"""Names of a module that are imported when they are first used, so that importing the module costs little."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path as FilePath
from typing import Any


def lazy_names(module: str, beside: str = "") -> Callable[[str], Any]:
    """A ``__getattr__`` for a module: ``__getattr__ = lazy_names(__name__)``.

    The names are those that the module imports under ``if TYPE_CHECKING:``, where type checkers and people find them, from its own
    package and from packages whose names begin with `beside`."""

    def get(name: str) -> Any:
        here = sys.modules[module]
        if (place := _places(str(here.__file__), beside).get(name)) is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(place[0], here.__package__), place[1])
        setattr(here, name, value)
        return value

    return get


@cache
def _places(file: str, beside: str) -> dict[str, tuple[str, str]]:
    """Module and name of everything that a file imports for type checkers from its own package and from those beside it."""
    found = {}
    for node in ast.parse(FilePath(file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for one in (one for one in node.body if isinstance(one, ast.ImportFrom)):
                if one.level or (beside and str(one.module).startswith(beside)):
                    found.update({alias.asname or alias.name: ("." * one.level + (one.module or ""), alias.name) for alias in one.names})
    return found
