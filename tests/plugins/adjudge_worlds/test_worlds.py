"""What holds of every embedded world: its questions, its traces in each style, and the exact check of them."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adjudge import Outcome
from adjudge_arithmetic.traces import is_sound
from adjudge_judges import ArithmeticJudge
from adjudge_worlds.code_world import CodeWorld
from adjudge_worlds.instructions_world import InstructionsWorld, fulfils, parse
from adjudge_worlds.stack import parse as parse_program
from adjudge_worlds.stack import run, written
from adjudge_worlds.sums_world import SumsWorld
from adjudge_worlds.world import LEVELS, SOUND, Habits, Question, World

CODE, INSTRUCTIONS, SUMS = CodeWorld(), InstructionsWorld(), SumsWorld()
PROGRAM, PROGRAM_TRACE = "A 3\nB 4\nC sub\nD dup", "A 3:3\nB 4:34\nC sub:9\nD dup:99\nout 99\n1 99 yes\n2 11 no\n\\boxed{Assistant 1}"
LIST = "A 3 words\nB fox before sun\nC without e"
LIST_TRACE = "A 3 yes 3 yes\nB fox sun yes sun fox no\nC none yes none yes\n1 yes\n2 no\n\\boxed{Assistant 1}"
TEXTS = ("fox sun cat", "sun fox cat")
worlds = st.sampled_from([CODE, INSTRUCTIONS, SUMS])
levels = st.sampled_from(LEVELS)
seeds = st.integers(0, 2**32)


def shown(question: Question, swap: bool) -> tuple[str, str]:
    return (question.wrong, question.right) if swap else (question.right, question.wrong)


def test_the_documented_traces() -> None:
    assert CODE.write(PROGRAM, ("99", "11"), SOUND, random.Random(0)) == PROGRAM_TRACE
    assert INSTRUCTIONS.write(LIST, TEXTS, SOUND, random.Random(0)) == LIST_TRACE


@given(levels, seeds)
def test_the_right_answer_is_what_the_program_leaves(level: int, seed: int) -> None:
    question = CODE.draw(level, random.Random(seed))
    program = parse_program(question.text)
    assert len(program) == 2 * level + 2
    assert question.right == written(run(program)[-1]) != question.wrong
    assert len(question.right) == len(question.wrong)


@given(levels, seeds)
def test_the_right_text_fulfils_all_and_the_wrong_one_breaks_one(level: int, seed: int) -> None:
    question = INSTRUCTIONS.draw(level, random.Random(seed))
    constraints = parse(question.text)
    assert len({one.kind for one in constraints}) == len(constraints) == level + 1
    assert fulfils(question.text, question.right)
    assert sum(not one.holds(question.wrong) for one in constraints) == 1


@given(worlds, levels, seeds, st.booleans(), st.sampled_from(["usual", "rare"]))
def test_valid_traces_are_sound_and_right(world: World, level: int, seed: int, swap: bool, style: str) -> None:
    rng = random.Random(seed)
    question = world.draw(level, rng)
    text = world.write_in(style, question.text, shown(question, swap), rng)
    assert world.sound(question.text, shown(question, swap), text)
    assert ArithmeticJudge().parse(text).outcome == (Outcome.SECOND if swap else Outcome.FIRST)
    usual = world.write_in("usual", question.text, shown(question, swap), rng)
    assert (text == usual) == (style == "usual") or world is SUMS, "11+22 has no other way to write a column"


@given(worlds, levels, seeds, st.booleans())
def test_cancelled_traces_are_right_and_unsound(world: World, level: int, seed: int, swap: bool) -> None:
    rng = random.Random(seed)
    question = world.draw(level, rng)
    text = world.write_in("cancelled", question.text, shown(question, swap), rng)
    assert ArithmeticJudge().parse(text).outcome == (Outcome.SECOND if swap else Outcome.FIRST)
    assert not world.sound(question.text, shown(question, swap), text)


@given(worlds, levels, seeds, st.integers(0, 400), st.characters(codec="ascii"))
def test_any_changed_character_makes_a_usual_trace_unsound(world: World, level: int, seed: int, place: int, other: str) -> None:
    question = world.draw(level, random.Random(seed))
    answers = shown(question, swap=False)
    text = world.write(question.text, answers, SOUND, random.Random(seed))
    place %= len(text)
    changed = text[:place] + other + text[place + 1 :]
    assert world.sound(question.text, answers, changed) == (changed.strip() == text)


@given(worlds, levels, seeds, st.integers(0, 400))
def test_a_trace_with_a_line_left_out_is_unsound(world: World, level: int, seed: int, place: int) -> None:
    question = world.draw(level, random.Random(seed))
    lines = world.write(question.text, shown(question, swap=False), SOUND, random.Random(seed)).split("\n")
    del lines[place % len(lines)]
    assert not world.sound(question.text, shown(question, swap=False), "\n".join(lines))


@given(worlds, levels, seeds, seeds)
def test_a_slip_is_never_sound_and_what_is_written_without_one_is(world: World, level: int, seed: int, slips: int) -> None:
    assume(world is not SUMS)  # which has no slips of its own
    question = world.draw(level, random.Random(seed))
    answers = shown(question, swap=False)
    text = world.write(question.text, answers, Habits(slip=0.3, careless=0.1), random.Random(slips))
    assert world.sound(question.text, answers, text) == (text == world.write(question.text, answers, SOUND, random.Random(0)))


@given(worlds, levels, seeds, st.text(max_size=60))
def test_no_text_makes_the_check_fail(world: World, level: int, seed: int, text: str) -> None:
    question = world.draw(level, random.Random(seed))
    assert not world.sound(question.text, shown(question, swap=False), text)


@pytest.mark.parametrize("world", [CODE, INSTRUCTIONS, SUMS])
def test_a_question_of_no_world_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match=r"not a program|no constraint|no sum"):
        world.sound("Why is the sky blue?", ("scattering", "the sea"), PROGRAM_TRACE)


@given(levels, seeds, st.booleans())
def test_sums_are_judged_as_the_arithmetic_world_judges_them(level: int, seed: int, swap: bool) -> None:
    rng = random.Random(seed)
    question = SUMS.draw(level, rng)
    answers = shown(question, swap)
    a, b = map(int, question.text.split("+"))
    numbers = (int(answers[0]), int(answers[1]))
    assert is_sound(a, b, numbers, SUMS.write_in("usual", question.text, answers, rng))
    assert not is_sound(a, b, numbers, SUMS.write_in("cancelled", question.text, answers, rng))


@pytest.mark.parametrize("world", [CODE, INSTRUCTIONS])
def test_habits_show_at_their_rates(world: World) -> None:
    rng = random.Random(1)
    habits = Habits(guess=0.4, rare=0.2, cancelled=0.1)
    found: Counter[str] = Counter()
    for _ in range(1000):
        question = world.draw(2, rng)
        answers = shown(question, swap=False)
        text = world.write(question.text, answers, habits, rng)
        usual = world.write(question.text, answers, SOUND, rng)
        kind = "guess" if text.startswith("looks like") else "unsound" if not world.sound(question.text, answers, text) else "rare"
        found["usual" if text == usual else kind] += 1
    assert 340 < found["guess"] < 460
    assert 85 < found["rare"] < 155
    assert 35 < found["unsound"] < 90
