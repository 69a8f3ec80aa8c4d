"""Ways of judging: how a verdict is asked for, with long prompts as texts beside the code, and how it is read."""

from __future__ import annotations

from collections.abc import Iterable

from adjudge import Judge, hookimpl

from .arithmetic import ArithmeticJudge
from .rrm import Rrm

__all__ = ["ArithmeticJudge", "Rrm"]


@hookimpl
def register_judges() -> Iterable[type[Judge]]:
    return [Rrm, ArithmeticJudge]
