"""The stack language: what each instruction does, which programs are drawn, and how a slip differs from the right stack."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adjudge_worlds.stack import DEEPEST, TAKES, draw_program, execute, listing, parse, run, slipped, written

seeds = st.integers(0, 2**32)
stacks = st.lists(st.integers(0, 9), max_size=4).map(tuple)
instructions = st.sampled_from([*TAKES, *"0123456789"])


@pytest.mark.parametrize(
    ("instruction", "before", "after"),
    [
        ("7", "4", "47"), ("add", "478", "45"), ("sub", "47", "7"), ("sub", "74", "3"), ("mul", "78", "6"), ("dup", "47", "477"),
        ("over", "47", "474"), ("swap", "147", "174"), ("drop", "47", "4"),
    ],
)  # fmt: skip
def test_every_instruction(instruction: str, before: str, after: str) -> None:
    assert written(execute(instruction, tuple(map(int, before)))) == after


@given(instructions, stacks)
def test_what_cannot_be_executed_is_refused_and_all_else_leaves_digits(instruction: str, stack: tuple[int, ...]) -> None:
    if len(stack) < TAKES.get(instruction, 0):
        with pytest.raises(ValueError, match="cannot be executed"):
            execute(instruction, stack)
        return
    after = execute(instruction, stack)
    assert all(0 <= digit <= 9 for digit in after)
    assert abs(len(after) - len(stack)) <= 1
    below = max(0, len(stack) - 2)
    assert after[:below] == stack[:below], "what lies below the two top digits is not touched"


@given(instructions, stacks, seeds)
def test_a_slip_is_wrong_and_as_deep_as_what_is_right(instruction: str, stack: tuple[int, ...], seed: int) -> None:
    assume(len(stack) >= TAKES.get(instruction, 0))
    assume(execute(instruction, stack))
    wrong = slipped(instruction, stack, random.Random(seed))
    assert wrong != execute(instruction, stack)
    assert len(wrong) == len(execute(instruction, stack))
    assert all(0 <= digit <= 9 for digit in wrong)


@given(st.integers(1, 12), seeds)
def test_drawn_programs_run_within_their_depth_and_come_back_from_their_listing(size: int, seed: int) -> None:
    program = draw_program(size, random.Random(seed))
    assert len(program) == size
    assert all(1 <= len(stack) <= DEEPEST for stack in run(program))
    assert parse(listing(program)) == program


@pytest.mark.parametrize("text", ["", "37+48", "A add 3", "A 33", "B 3", "A 3\n\nB 4", "A 3\nB pop", "A 3\nC 4", " A 3"])
def test_other_texts_are_no_programs(text: str) -> None:
    with pytest.raises(ValueError, match="not a program"):
        parse(text)


@pytest.mark.parametrize("program", [["add"], ["3", "swap"], ["3", "drop"]])
def test_programs_that_cannot_be_run_are_refused(program: list[str]) -> None:
    with pytest.raises(ValueError, match=r"cannot be executed|empty stack"):
        run(program)
