"""Prompts that lie as texts beside the code, filled with a problem's query and its two answers in the order in which they are shown."""

from __future__ import annotations

from functools import cache
from importlib import resources
from string import Template

from adjudge import Order, Problem


@cache
def words(name: str) -> str:
    """A text file of this package, without the space around it."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8").strip()


def filled(name: str, problem: Problem, order: Order) -> str:
    """A text file with ``$query``, ``$answer1`` and ``$answer2`` in their places."""
    first, second = problem.answers if order == "given" else reversed(problem.answers)
    # Template looks at its own text only, so a brace or a dollar sign in an answer stays what it is.
    return Template(words(name)).substitute(query=problem.prompt, answer1=first, answer2=second)
