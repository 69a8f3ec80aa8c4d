"""`rubric`: both answers rated on your own criteria, each with ordered choices and a weight; points decide, within a band nobody.

Rubric judges of the field ask about one answer at a time, or about k criteria a call. Here one judgement rates both answers on all
criteria, so that they are rated alike (docs/decisions/0023-readers-and-ratings.md), and ``adjudge rate`` asks about one answer by itself.
A rating that is not among a criterion's choices is none: it is neither clipped nor guessed, and the judgement is *unreadable*.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from adjudge import ConfigError, Judge, Message, Options, Order, Outcome, Problem, Verdict
from adjudge_judges import GAP, Blank, FreelyWordedJudge, RatedVerdict, read_statement

NAME = r"^\w[\w /-]*$"
ASKED = "First write a sentence about each criterion, then end with these lines, each with one of the criterion's choices:"


class Criterion(Options):
    """What answers are rated on."""

    name: Annotated[str, Field(pattern=NAME)]
    """One word or a few, as a line of the judgement begins."""
    question: str = ""
    """What is to be asked about an answer, such as ``Is every step true?``."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """How much it counts among all."""
    choices: Annotated[tuple[Annotated[str, Field(pattern=NAME)], ...], Field(min_length=2)] = tuple(map(str, range(1, 11)))
    """Its ratings, the worst first; worth 0 to 1 in equal steps. The numbers from 1 to 10 where none are named."""

    @model_validator(mode="after")
    def _choices_differ(self) -> Self:
        if len({choice.lower() for choice in self.choices}) < len(self.choices):
            raise ValueError(f"choices: {', '.join(self.choices)}: each has to stand there once")
        return self

    def worth(self, choice: str) -> float | None:
        """Of a choice as it was read, in [0, 1]; None for one that is none."""
        names = [re.sub(r"\s", "", one).upper() for one in self.choices]
        return names.index(choice) / (len(names) - 1) if choice in names else None

    def asked(self) -> str:
        """Its line of the prompt."""
        numbers = all(choice.isdecimal() for choice in self.choices)
        told = f"a number from {self.choices[0]} (worst) to {self.choices[-1]} (best)" if numbers else f"{', '.join(self.choices)}"
        return f"- {self.name}{': ' if self.question else ''}{self.question} ({told if numbers else f'from worst to best: {told}'})"

    def line(self, answer: str) -> str:
        """What stands before its rating of an answer; of one by itself where `answer` is empty."""
        return f"{self.name}, Answer {answer}: " if answer else f"{self.name}: "

    def blank(self, answer: str, among: Sequence[Criterion] = ()) -> Blank:
        """Its line as what can be filled in."""
        return Blank(self.line(answer), self.choices, self.pattern(answer, among))

    def pattern(self, answer: str, among: Sequence[Criterion] = ()) -> re.Pattern[str]:
        """Finds its rating of an answer, of one by itself where `answer` is empty; a name `among` the others that ends with its own is no
        mention of it."""
        longer = {one.name[: -len(self.name)] for one in among if one.name.lower().endswith(self.name.lower())} - {""}
        named = "".join(rf"(?<!{re.escape(begin)})" for begin in sorted(longer)) + re.escape(self.name)
        choices = "|".join(re.escape(one).replace(r"\ ", r"\s") for one in sorted(self.choices, key=len, reverse=True))
        of = rf"{GAP},?{GAP}\s?Answer{GAP}\s?{answer}" if answer else ""
        return re.compile(rf"\b{named}{of}{GAP}:{GAP}({choices})(?!\w|\s?/|\.\d)", re.IGNORECASE)


def _from_file(given: Any) -> Any:
    """The list that lies in ``{file: criteria.yaml}``; anything else as it is."""
    if not isinstance(given, dict) or set(given) != {"file"}:
        return given
    try:
        from adjudge import load_yaml

        found = load_yaml(FilePath(given["file"]).read_text(encoding="utf-8"), str(given["file"]))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file {given['file']} cannot be read: {error}") from None
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return found.get("criteria", found) if isinstance(found, dict) else found


class Rubric(FreelyWordedJudge):
    """Both answers rated on weighted criteria with ordered choices; the one with more points is better."""

    use: Literal["rubric"] = "rubric"
    criteria: Annotated[list[Criterion], BeforeValidator(_from_file), Field(min_length=1)]
    """What answers are rated on, or ``{file: criteria.yaml}`` with a list of it, which is read once and kept in ``judge.json``."""
    tie_band: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """How far points, in [0, 1], may be apart for a tie."""
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    """The worst and the best points."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name.lower() for one in self.criteria]
        if len(set(names)) < len(names):
            raise ValueError("criteria: two of them have the same name")
        return self

    @property
    def expects(self) -> str:  # type: ignore[override]
        return " and ".join(f"'{line}'" for line in self._lines(self.criteria[:1]))

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        first, second = problem.answers if order == "given" else problem.answers[::-1]
        shown = f"Question:\n{problem.prompt}\n\nAnswer A:\n{first}\n\nAnswer B:\n{second}"
        return [{"role": "user", "content": f"{shown}\n\n{self._asked('each answer')}"}]

    def _asked(self, what: str) -> str:
        criteria = "\n".join(one.asked() for one in self.criteria)
        return f"Rate {what} on these criteria:\n{criteria}\n\n{ASKED}\n" + "\n".join(self._lines(self.criteria))

    def _lines(self, criteria: Sequence[Criterion]) -> list[str]:
        """The lines in which ratings are to stand."""
        return [f"{one.line(answer)}CHOICE" for one in criteria for answer in "AB"]

    def blanks(self) -> tuple[Blank, ...]:
        return tuple(one.blank(answer, self.criteria) for one in self.criteria for answer in "AB")

    def parse(self, text: str) -> Verdict:
        return self._rated(text, "A", "B")

    def _rated(self, text: str, *answers: str) -> Verdict:
        """The verdict of all ratings of these answers; *unreadable* unless each is stated, once or alike."""
        found = [[read_statement(text, (one.pattern(answer, self.criteria),), one.worth) for one in self.criteria] for answer in answers]
        read = [statement for row in found for statement in row if statement is not None and statement[0] is not None]
        if len(read) < len(answers) * len(self.criteria):
            return Verdict(Outcome.UNREADABLE)
        points = [self._points([statement[0] for statement in row if statement]) for row in found]
        apart = points[0] - points[-1]
        outcome = Outcome.TIE if abs(apart) <= self.tie_band + 1e-12 else Outcome.FIRST if apart > 0 else Outcome.SECOND
        start, stop = min(span[0] for _, span in read), max(span[1] for _, span in read)
        return RatedVerdict(outcome, reasoning=(0, start), answer=(start, stop), ratings=(points[0], points[-1]))

    def _points(self, worths: Sequence[float | None]) -> float:
        """The weighted mean of what the ratings are worth, in [0, 1]."""
        total = math.fsum(one.weight for one in self.criteria)
        return math.fsum(one.weight * (worth or 0.0) for one, worth in zip(self.criteria, worths, strict=True)) / total

    def alone(self) -> Judge:
        """The same criteria for one answer by itself; its rating is its points, in [0, 1]."""
        return RubricAlone.model_validate({**self.model_dump(), "use": "rubric-alone"})


class RubricAlone(Rubric):
    """One answer rated by itself; made by `Rubric.alone` and not registered, for it compares nothing."""

    use: Literal["rubric-alone"] = "rubric-alone"  # type: ignore[assignment]

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        [answer] = problem.answers
        return [{"role": "user", "content": f"Question:\n{problem.prompt}\n\nAnswer:\n{answer}\n\n{self._asked('the answer')}"}]

    def _lines(self, criteria: Sequence[Criterion]) -> list[str]:
        return [f"{one.line('')}CHOICE" for one in criteria]

    def blanks(self) -> tuple[Blank, ...]:
        return tuple(one.blank("", self.criteria) for one in self.criteria)

    def parse(self, text: str) -> Verdict:
        return self._rated(text, "")
