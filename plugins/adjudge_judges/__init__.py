"""Ways of judging that come from papers: the prompt's text stands beside the code, and the parser reads the verdict."""

from __future__ import annotations

from collections.abc import Iterable

from adjudge import Judge, hookimpl

from .rrm import Rrm


@hookimpl
def register_judges() -> Iterable[type[Judge]]:
    return [Rrm]
