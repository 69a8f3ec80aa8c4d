"""The commands that ask a judge: ``judge``, ``rank``, ``eval`` and ``score``, and the Python door that they go through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command

    from .opened_judge import OpenJudge, PairVerdict, open_judge
    from .setup import configured, from_yaml, opened

__all__ = ["OpenJudge", "PairVerdict", "configured", "from_yaml", "open_judge", "opened"]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from . import evaluate, judge, rank, score

    return [
        Command("judge", judge.judge, judge.EXAMPLE),
        Command("rank", rank.rank, rank.EXAMPLE),
        Command("score", score.score, score.EXAMPLE),
        Command("eval", evaluate.evaluate, evaluate.EXAMPLE),
    ]
