"""Two ratings on one scale, from which the verdict follows: numbers from 1 to 10, or levels with names.

As in rating judges of the field, except that both answers are rated in one judgement, so that they are rated alike; records keep the
numbers (``docs/decisions/0023-readers-and-ratings.md`` says why a pair). A rating that is not on the scale is none: it is neither
clipped nor guessed.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from adjudge import Judge, Message, Order, Problem, Verdict

from .form import Blank
from .marks import GAP
from .ratings import rated
from .templates import filled
from .worded_judge import FreelyWordedJudge


class Scale(FreelyWordedJudge):
    """Both answers rated on a scale, numbers or named levels; the higher rating is the verdict, equal ones are a tie."""

    use: Literal["scale"] = "scale"
    expects = "'Answer A: RATING' and 'Answer B: RATING'"
    lowest: int = 1
    """The worst rating."""
    highest: int = 10
    """The best rating."""
    levels: tuple[Annotated[str, Field(pattern=r"^\w[\w -]*$")], ...] = ()
    """Names of the ratings, the worst first, in place of numbers: ``[poor, fair, good, excellent]``; they count 1, 2, 3 …"""

    @model_validator(mode="after")
    def _is_a_scale(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError(f"lowest: {self.lowest} is not below highest, {self.highest}")
        if len(self.levels) == 1 or len({level.lower() for level in self.levels}) < len(self.levels):
            raise ValueError("levels: needs two names or more, each once")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """The worst and the best rating."""
        return (1.0, float(len(self.levels))) if self.levels else (float(self.lowest), float(self.highest))

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        pair = filled("scale.user.txt", problem, order)
        return [{"role": "user", "content": f"{pair}\n\n{self._asked()}"}]

    def _asked(self) -> str:
        return (
            f"Rate each answer with {self._ratings()}. First write a sentence about each answer, then end with two lines of exactly this"
            " form:\nAnswer A: RATING\nAnswer B: RATING"
        )

    def _ratings(self) -> str:
        if self.levels:
            return f"one of these ratings, from worst to best: {', '.join(self.levels)}"
        return f"a whole number from {self.lowest} (worst) to {self.highest} (best)"

    def parse(self, text: str) -> Verdict:
        return rated(text, self._pattern("Answer", " A"), self._pattern("Answer", " B"), self._value)

    def blanks(self) -> tuple[Blank, ...]:
        return tuple(Blank(f"Answer {one}: ", self._choices(), self._pattern("Answer", f" {one}")) for one in "AB")

    def _choices(self) -> tuple[str, ...]:
        return self.levels or tuple(map(str, range(self.lowest, self.highest + 1)))

    def alone(self) -> Judge:
        """The same scale for one answer by itself."""
        return ScaleAlone.model_validate({**self.model_dump(), "use": "scale-alone"})

    def _pattern(self, name: str, letter: str = "") -> re.Pattern[str]:
        names = "|".join(sorted((level.replace(" ", r"\s") for level in self.levels), key=len, reverse=True))
        rating = (
            rf"({names})(?!\w)"
            if self.levels
            else rf"(-?\d+(?:\.\d+)?)(?:\s?/\s?{self.highest}|\sout of\s{self.highest})?(?![\w/%]|\.\d|\sof\b)"
        )
        named = rf"{GAP}\s?{letter.strip()}" if letter else ""
        return re.compile(rf"\b(?:{name}|Rating of {name}){named}{GAP}(?:\srating)?{GAP}:{GAP}(?:rating:?\s)?{rating}", re.IGNORECASE)

    def _value(self, rating: str) -> float | None:
        if self.levels:
            names = [re.sub(r"\s", "", level).upper() for level in self.levels]
            return float(names.index(rating) + 1)
        return float(rating) if self.lowest <= float(rating) <= self.highest else None


class ScaleAlone(Scale):
    """One answer rated by itself; made by `Scale.alone` and not registered, for it compares nothing."""

    use: Literal["scale-alone"] = "scale-alone"  # type: ignore[assignment]
    expects = "'Rating: RATING'"

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        [answer] = problem.answers
        asked = f"Rate the answer with {self._ratings()}. First write a sentence about it, then end with one line of exactly this form:"
        return [{"role": "user", "content": f"Question:\n{problem.prompt}\n\nAnswer:\n{answer}\n\n{asked}\nRating: RATING"}]

    def parse(self, text: str) -> Verdict:
        rating = self._pattern("Rating")
        return rated(text, rating, rating, self._value)

    def blanks(self) -> tuple[Blank, ...]:
        return (Blank("Rating: ", self._choices(), self._pattern("Rating")),)
