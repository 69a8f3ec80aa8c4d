r"""The world of tiny programs: which answer is the stack that a program leaves? Level n has 2n + 2 instructions.

Example, level 1, with the answers ``99`` (right) and ``11`` (operands of ``sub`` taken the other way round), and its sound trace:

    A 3            A 3:3
    B 4            B 4:34
    C sub          C sub:9
    D dup          D dup:99
                   out 99
                   1 99 yes
                   2 11 no
                   \boxed{Assistant 1}

Seldom used and valid: a step is written twice, and the second answer may be compared first. False and cancelled: one step states a wrong
stack, and the next goes on from the right one.
"""

from __future__ import annotations

import random
from itertools import groupby

from .stack import Stack, draw_program, execute, listing, parse, run, slipped, written
from .world import Answers, Question, Style, World


class CodeWorld(World):
    """Tiny programs in a stack language, and what they leave on the stack."""

    name = "code"

    def draw(self, level: int, rng: random.Random) -> Question:
        while True:
            program = draw_program(2 * level + 2, rng)
            right = run(program)[-1]
            wrong = _run_with_a_slip(program, rng.randrange(len(program)), rng)
            if wrong != right:  # a later instruction may have made up for the slip
                return Question(listing(program), written(right), written(wrong))

    def work(self, question: str, answers: Answers, style: Style, slip: float, rng: random.Random) -> tuple[list[str], list[bool]]:
        program = parse(question)
        right = run(program)
        stacks: list[Stack] = []
        for instruction in program:
            before = stacks[-1] if stacks else ()
            stacks.append((slipped if rng.random() < slip else _as_it_is)(instruction, before, rng))
        result = written(stacks[-1])
        if style == "cancelled":
            place = rng.randrange(len(program) - 1)
            stacks[place] = slipped(program[place], right[place - 1] if place else (), rng)
        lines = _steps(question, stacks)
        if style == "rare":
            place = rng.randrange(len(lines))
            lines.insert(place, lines[place])
        return [*lines, f"out {result}"], [answer == result for answer in answers]

    def check(self, question: str, answers: Answers, lines: list[str]) -> list[bool] | None:
        stacks = run(parse(question))
        result = written(stacks[-1])
        expected = [*_steps(question, stacks), f"out {result}"]
        if [line for line, _ in groupby(lines)] != expected or len(lines) > len(expected) + 1:
            return None
        return [answer == result for answer in answers]


def _as_it_is(instruction: str, stack: Stack, rng: random.Random) -> Stack:
    return execute(instruction, stack)


def _run_with_a_slip(program: list[str], place: int, rng: random.Random) -> Stack:
    stack: Stack = ()
    for index, instruction in enumerate(program):
        stack = (slipped if index == place else _as_it_is)(instruction, stack, rng)
    return stack


def _steps(question: str, stacks: list[Stack]) -> list[str]:
    return [f"{line}:{written(stack)}" for line, stack in zip(question.split("\n"), stacks, strict=True)]
