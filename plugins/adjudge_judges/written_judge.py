"""A judge that is written in the run file: its prompt as templates, its verdict as patterns, without a line of Python.

The texts may lie in files (``{file: judge.txt}``); they are read when the run file is, so that ``judge.json`` holds the whole judge. They
are jinja2 templates in its sandbox, with three variables: `prompt`, and `first` and `second`, the answers in the order in which they are
shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from adjudge import ConfigError, Message, Options, Order, Outcome, Problem, Span, Verdict

from .budgeted_judge import check_budget
from .marks import read_statement
from .ratings import rated
from .worded_judge import FreelyWordedJudge

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

VARIABLES = ("prompt", "first", "second")


def _from_file(given: Any) -> Any:
    """The text of ``{file: path}``; anything else as it is."""
    if not isinstance(given, dict):
        return given
    if set(given) != {"file"} or not isinstance(given["file"], str):
        raise ValueError("is a text, or {file: PATH} for one that lies in a file")
    try:
        return FilePath(given["file"]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file {given['file']} cannot be read: {error}") from None


def _template(text: str) -> str:
    """The text, if jinja2 can read it and it asks for no variable that there is not."""
    from jinja2 import TemplateSyntaxError, meta

    environment = _environment()
    try:
        unknown = meta.find_undeclared_variables(environment.parse(text)) - {*VARIABLES}
        environment.from_string(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"is no template: line {error.lineno}: {error.message}") from None
    if unknown:
        raise ValueError(f"asks for {', '.join(map(repr, sorted(unknown)))}; a template has {', '.join(map(repr, VARIABLES))}")
    return text


def _environment() -> ImmutableSandboxedEnvironment:
    if find_spec("jinja2") is None:
        raise ConfigError("judge 'template' needs jinja2, not installed here.\n  Remedy: pip install 'adjudge[report]'.")
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def _pattern(text: str) -> str:
    """The text, if it is a regular expression that does not match nothing at all."""
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if compiled.search("") is not None:
        raise ValueError("matches an empty text, so it would find a verdict everywhere")
    return text


def _number_pattern(text: str) -> str:
    """A pattern whose first group is a number."""
    if re.compile(_pattern(text)).groups < 1:
        raise ValueError(r"has no group for the number, such as A: (\d+)")
    return text


Template = Annotated[str, BeforeValidator(_from_file), AfterValidator(_template)]
Words = Annotated[str, Field(min_length=1)]
Pattern = Annotated[str, AfterValidator(_pattern)]
NumberPattern = Annotated[str, AfterValidator(_number_pattern)]


class VerdictPatterns(Options):
    """Regular expressions that find a verdict in the text as a person sees it: without stars and LaTeX wrappers, else as it is."""

    first: tuple[Pattern, ...] = Field(min_length=1)
    """Each says that the answer shown first is better."""
    second: tuple[Pattern, ...] = Field(min_length=1)
    """Each says that the answer shown second is better."""
    tie: tuple[Pattern, ...] = ()
    """Each says that neither is."""

    def __call__(self, text: str) -> Iterator[tuple[Span, str]]:
        """Every place that matches, in order, and the outcome that it states."""
        named = (("first", self.first), ("second", self.second), ("tie", self.tie))
        found = {(one.span(), name) for name, patterns in named for pattern in patterns for one in re.finditer(pattern, text)}
        return iter(sorted(found))


class ScorePatterns(Options):
    """Regular expressions whose first group is a number: the rating of each answer. The higher one is better; equal ones are a tie."""

    first: NumberPattern
    """Finds the rating of the answer shown first."""
    second: NumberPattern
    """Finds the rating of the answer shown second."""


class TemplateJudge(FreelyWordedJudge):
    """A judge written in the run file: texts of the prompt, patterns of the verdict or of two ratings."""

    use: Literal["template"] = "template"
    system: Template = ""
    """Text of the system turn, or ``{file: path}``; none where it is empty."""
    user: Template
    """Text of the user's turn, or ``{file: path}``: a jinja2 template with `prompt`, `first` and `second`."""
    verdict: VerdictPatterns | None = None
    """How a verdict is written."""
    score: ScorePatterns | None = None
    """How two ratings are written, in place of `verdict`; they are kept in the records."""
    verdicts: tuple[Words, Words] | None = None
    """The texts of *first* and of *second* as the prompt asks for them, for a `thinking_budget`, `direct` and `soft`; None = not known."""

    later: ClassVar[frozenset[str]] = FreelyWordedJudge.later | {"verdicts"}

    @model_validator(mode="after")
    def _verdict_can_be_asked_for(self) -> Self:
        """It is whole, and reads its own verdicts; only then can be said whether they can be asked for."""
        if (self.verdict is None) == (self.score is None):
            raise ValueError("needs one of 'verdict' and 'score': patterns that say how its verdict is written")
        from jinja2 import meta

        used = meta.find_undeclared_variables(_environment().parse(f"{self.system}\n{self.user}"))
        if missing := [name for name in ("first", "second") if name not in used]:
            raise ValueError(f"shows no {' and no '.join(missing)} answer: write {{{{ {missing[0]} }}}} where it is to stand")
        for text, outcome in zip(self.verdicts or (), (Outcome.FIRST, Outcome.SECOND), strict=False):
            if self.parse(text).outcome != outcome:
                raise ValueError(f"verdicts: its patterns do not read {text!r} as {outcome.value}")
        check_budget(self)
        return self

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        first, second = problem.answers if order == "given" else problem.answers[::-1]
        texts = {"system": self.system, "user": self.user}
        environment, shown = _environment(), {"prompt": problem.prompt, "first": first, "second": second}
        filled = {role: environment.from_string(text).render(shown) for role, text in texts.items() if text}
        return [{"role": role, "content": text} for role, text in filled.items()]

    def parse(self, text: str) -> Verdict:
        if self.score is not None:
            return rated(text, re.compile(self.score.first), re.compile(self.score.second), float)
        assert self.verdict is not None
        found = read_statement(text, (self.verdict,), str) or read_statement(text, (self.verdict,), str, markup=True)
        if found is None:
            return Verdict(Outcome.UNREADABLE)
        outcome, (start, stop) = found
        return Verdict(Outcome(outcome), reasoning=(0, start), answer=(start, stop))
