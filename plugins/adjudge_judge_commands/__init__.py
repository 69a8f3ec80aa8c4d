"""The commands that ask a judge: ``judge``, ``rank``, ``rate``, ``eval`` and ``score``, and the Python door that they go through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command

    from .counted import AT_ONCE
    from .input_rows import read_problems
    from .kept import judged_records, keep, kept_records
    from .opened_judge import OpenJudge, PairVerdict, open_judge
    from .options import (
        DEFAULT_MODEL,
        DataOption,
        DryRunOption,
        EngineOption,
        JsonOption,
        JudgeOption,
        LimitOption,
        ModelOption,
        NoCacheOption,
        OrderOption,
        OutOption,
        RowsArgument,
        SeedOption,
    )  # fmt: skip
    from .ratings import Rating, alone, rating_requests
    from .setup import configured, opened
    from .sources import answered_by, data_set, from_yaml, is_rows, some_of

__all__ = [
    "AT_ONCE", "DEFAULT_MODEL", "DataOption", "DryRunOption", "EngineOption", "JsonOption", "JudgeOption", "LimitOption", "ModelOption",
    "NoCacheOption", "OpenJudge", "OrderOption", "OutOption", "PairVerdict", "Rating", "RowsArgument", "SeedOption", "alone",
    "answered_by", "configured", "data_set", "from_yaml", "is_rows", "judged_records", "keep", "kept_records", "open_judge", "opened",
    "rating_requests", "read_problems", "some_of",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from . import evaluate, judge, rank, rate, score

    return [
        Command("judge", judge.judge, judge.EXAMPLE),
        Command("rank", rank.rank, rank.EXAMPLE),
        Command("rate", rate.rate, rate.EXAMPLE),
        Command("score", score.score, score.EXAMPLE),
        Command("eval", evaluate.evaluate, evaluate.EXAMPLE),
    ]
