"""A stack language over the digits 0 to 9: its programs, its interpreter, and the slips that someone who runs one by hand makes.

A program is one instruction a line, labelled with capital letters. A digit pushes itself; ``add``, ``sub`` and ``mul`` take two digits and
push the result's last digit (a difference counts from 10: 3 - 5 is 8); ``dup`` copies the top, ``over`` the one below it, ``swap``
exchanges the two, and ``drop`` takes the top away. Stacks are written bottom first: ``47`` has 7 on top.
"""

from __future__ import annotations

import random
from itertools import pairwise
from string import ascii_uppercase, digits

Stack = tuple[int, ...]
TAKES = {"add": 2, "sub": 2, "mul": 2, "swap": 2, "over": 2, "dup": 1, "drop": 1}
"""How many digits an instruction needs on the stack."""
DEEPEST = 3
"""How many digits a drawn program has on its stack at most."""
ARITHMETIC = ("add", "sub", "mul")


def execute(instruction: str, stack: Stack) -> Stack:
    """The stack after one instruction. Raises `ValueError` for an unknown one, and where the stack is too small."""
    if instruction in digits:
        return (*stack, int(instruction))
    if instruction not in TAKES or len(stack) < TAKES[instruction]:
        raise ValueError(f"{instruction!r} cannot be executed on the stack {written(stack)!r}")
    *rest, top = stack
    if instruction == "dup":
        return (*rest, top, top)
    if instruction == "drop":
        return tuple(rest)
    *below, second = rest
    if instruction == "swap":
        return (*below, top, second)
    if instruction == "over":
        return (*below, second, top, second)
    result = {"add": second + top, "sub": second - top, "mul": second * top}[instruction]
    return (*below, result % 10)


def run(program: list[str]) -> list[Stack]:
    """The stack after each instruction. Raises `ValueError` where one cannot be executed, or leaves nothing on the stack."""
    stacks: list[Stack] = []
    for instruction in program:
        stacks.append(execute(instruction, stacks[-1] if stacks else ()))
        if not stacks[-1]:
            raise ValueError(f"{instruction!r} leaves an empty stack")
    return stacks


def slipped(instruction: str, stack: Stack, rng: random.Random) -> Stack:
    """A wrong stack after one instruction, as someone who slips would write it; as deep as the right one."""
    right = execute(instruction, stack)
    wrong = [(*right[:-1], (right[-1] + by) % 10) for by in (-1, 1)]
    if instruction in ("sub", "swap", "drop", "over"):
        wrong += [_confused(instruction, stack)] * 2
    return rng.choice([other for other in wrong if other != right])


def _confused(instruction: str, stack: Stack) -> Stack:
    """Operands taken the other way round, digits that have not changed places, the wrong digit dropped, or copied."""
    if instruction == "sub":
        return execute("sub", (*stack[:-2], stack[-1], stack[-2]))
    return {"swap": stack, "drop": stack[1:], "over": (*stack, stack[-1])}[instruction]


def written(stack: Stack) -> str:
    return "".join(map(str, stack))


def listing(program: list[str]) -> str:
    """A program as text, one labelled instruction a line."""
    return "\n".join(f"{label} {instruction}" for label, instruction in zip(ascii_uppercase, program, strict=False))


def parse(text: str) -> list[str]:
    """The instructions of a listing. Raises `ValueError` for any other text."""
    program = [line.partition(" ")[2] for line in text.split("\n")]
    if not all(one in TAKES or (len(one) == 1 and one in digits) for one in program) or listing(program) != text:
        raise ValueError("not a program: one instruction a line, labelled A, B, C and so on")
    return program


def draw_program(size: int, rng: random.Random) -> list[str]:
    """A program of this many instructions that runs and never needs more than `DEEPEST` digits."""
    program: list[str] = []
    depth = 0
    while len(program) < size:
        choices = [str(rng.randrange(10))] * 3 if depth < DEEPEST else []
        choices += ["dup"] if 0 < depth < DEEPEST else []
        choices += [*ARITHMETIC * 2, "swap"] if depth >= 2 else []
        choices += ["over"] if 2 <= depth < DEEPEST else []
        choices += ["drop"] if depth == DEEPEST else []
        program.append(rng.choice(choices))
        depth = len(run(program)[-1])
    return draw_program(size, rng) if any(pair in UNDONE for pair in pairwise(program)) else program


UNDONE = {("swap", "swap"), ("dup", "drop"), ("over", "drop"), ("dup", "swap"), *((digit, "drop") for digit in digits)}
"""Neighbours of which the second undoes the first, or changes nothing."""
