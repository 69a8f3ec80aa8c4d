"""A judge whose verdicts are asked for in fixed words, so that a judgement can end with them: ``stop: verdict``.

What comes after a verdict costs tokens and may contradict it. A verdict in other words than those that are asked for ends nothing; it is
read as ever. A text that names the words before it judges ends there too, and has no verdict then: leave `stop` out for such a model.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from .budgeted_judge import BudgetedJudge


class WordedJudge(BudgetedJudge):
    """The base of judges that ask for one of these `verdicts`."""

    verdicts: ClassVar[tuple[str, ...]] = ()
    """Every verdict as the prompt asks for it."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Strings that end a judgement and stay in its text; ``verdict`` = the verdict, in each of the words that the prompt asks for."""

    @field_validator("stop", mode="before", json_schema_input_type=Literal["verdict"] | tuple[str, ...])
    @classmethod
    def _at_verdict(cls, stop: Any) -> Any:
        """``verdict`` stands for the judge's own verdicts."""
        return cls.verdicts if stop == "verdict" else _listed(stop, ", or 'verdict'")


class FreelyWordedJudge(BudgetedJudge):
    """The base of judges that do not know in which words a verdict comes, so that ``stop: verdict`` stands for nothing."""

    @field_validator("stop", mode="before", json_schema_input_type=tuple[str, ...])
    @classmethod
    def _strings(cls, stop: Any) -> Any:
        return _listed(stop, "; this judge asks for no fixed words, which 'verdict' could stand for")


def _listed(stop: Any, why: str = "") -> Any:
    """What is no text; pydantic would ask for a tuple, which no file can write."""
    if isinstance(stop, str):
        raise ValueError(f'write a list of strings, for example ["[[A]]", "[[B]]"]{why}')
    return stop
