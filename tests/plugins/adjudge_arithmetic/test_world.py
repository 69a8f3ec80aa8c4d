"""The arithmetic world: its questions, its traces, and the check that tells a sound trace from one that is merely right."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adjudge import Outcome, held_out
from adjudge.testing import check_judge, check_rule, path_of
from adjudge_arithmetic import TEST_SHARE, ArithmeticDataset, Sound
from adjudge_arithmetic.traces import SOUND, Habits, is_sound, write_trace
from adjudge_arithmetic.world import LEVELS, columns, draw
from adjudge_judges import ArithmeticJudge

SOUND_TRACE = "7+8+0=15\n3+4+1=08\nsum 85\n1 85 yes\n2 75 no\n\\boxed{Assistant 1}"
seeds = st.integers(0, 2**32)


def test_the_documented_trace() -> None:
    assert write_trace(37, 48, (85, 75), SOUND, random.Random(0)) == SOUND_TRACE


@given(st.sampled_from(LEVELS), seeds)
def test_questions_have_one_right_answer_and_a_near_miss(level: int, seed: int) -> None:
    question = draw(level, random.Random(seed))
    assert len(str(question.a)) == len(str(question.b)) == level + 1
    assert question.level == level
    assert question.wrong != question.right
    assert question.wrong > 0
    off = abs(question.wrong - question.right)
    assert off == 10 ** (len(str(off)) - 1), "a slip changes one column by one"


@given(st.sampled_from(LEVELS), seeds)
def test_columns_add_up(level: int, seed: int) -> None:
    question = draw(level, random.Random(seed))
    total = sum((x + y) * 10**place for place, (x, y, _) in enumerate(columns(question.a, question.b)))
    assert total == question.right


@given(st.sampled_from(LEVELS), seeds, st.booleans())
def test_sound_traces_are_sound_and_right(level: int, seed: int, swap: bool) -> None:
    question = draw(level, random.Random(seed))
    answers = (question.wrong, question.right) if swap else (question.right, question.wrong)
    text = write_trace(question.a, question.b, answers, SOUND, random.Random(seed))
    assert is_sound(question.a, question.b, answers, text)
    assert ArithmeticJudge().parse(text).outcome == (Outcome.SECOND if swap else Outcome.FIRST)


@given(st.sampled_from(LEVELS), seeds, st.integers(0, 200), st.characters(codec="ascii"))
def test_any_changed_character_makes_a_trace_unsound(level: int, seed: int, place: int, other: str) -> None:
    question = draw(level, random.Random(seed))
    answers = (question.right, question.wrong)
    text = write_trace(question.a, question.b, answers, SOUND, random.Random(seed))
    place %= len(text)
    changed = text[:place] + other + text[place + 1 :]
    assert is_sound(question.a, question.b, answers, changed) == (changed.strip() == text)


def test_habits_show() -> None:
    rng = random.Random(1)
    texts = [write_trace(37, 48, (85, 75), Habits(guess=0.5, slip=0.1), rng) for _ in range(400)]
    guesses = sum(text.startswith("looks like") for text in texts)
    sound = sum(text == SOUND_TRACE for text in texts)
    assert 150 < guesses < 250
    assert 80 < sound < 200
    assert all(ArithmeticJudge().parse(text).outcome.decided for text in texts), "every trace ends with a verdict"


def test_a_right_guess_is_not_sound() -> None:
    (problem,) = ArithmeticDataset(size=1).load()
    problem = replace(problem, prompt="37+48", answers=("85", "75"), label=0)
    guess = path_of("looks like 85\n\\boxed{Assistant 1}", ArithmeticJudge(), problem)
    assert guess.right(problem)
    assert Sound().reward(problem, guess) == 0.0
    assert Sound().reward(problem, path_of(SOUND_TRACE, ArithmeticJudge(), problem)) == 1.0


def test_soundness_is_judged_in_the_order_that_was_shown() -> None:
    problem = replace(next(iter(ArithmeticDataset(size=1).load())), prompt="37+48", answers=("75", "85"), label=1)
    path = replace(path_of(SOUND_TRACE, ArithmeticJudge(), problem), order="swapped")
    assert path.right(problem)
    assert Sound().reward(problem, path) == 1.0


def test_data_sets_are_repeatable_balanced_and_apart() -> None:
    train = list(ArithmeticDataset(size=400, levels=[1, 2, 3, 4]).load())
    test = list(ArithmeticDataset(size=400, levels=[1, 2, 3, 4], part="test").load())
    assert train == list(ArithmeticDataset(size=400, levels=[1, 2, 3, 4]).load())
    assert train != list(ArithmeticDataset(size=400, levels=[1, 2, 3, 4], seed=1).load())
    assert not {problem.prompt for problem in train} & {problem.prompt for problem in test}
    assert all(held_out(problem.prompt, TEST_SHARE) for problem in test)
    assert {level: sum(problem.meta["level"] == level for problem in train) for level in LEVELS} == dict.fromkeys(LEVELS, 100)
    assert 140 < sum(problem.label == 0 for problem in train) < 260
    for problem in train:
        a, b = map(int, problem.prompt.split("+"))
        assert problem.label is not None
        assert int(problem.answers[problem.label]) == a + b != int(problem.answers[1 - problem.label])


def test_unknown_levels_are_refused() -> None:
    with pytest.raises(ValidationError, match="levels are some of 1, 2, 3, 4"):
        ArithmeticDataset(levels=[7])


def test_contracts() -> None:
    check_judge(ArithmeticJudge(), SOUND_TRACE, Outcome.FIRST)
    check_rule(Sound(), next(iter(ArithmeticDataset(size=1).load())))


@given(st.text(max_size=80))
def test_parser_never_raises_and_invents_nothing(text: str) -> None:
    assert ArithmeticJudge().parse(text).outcome == Outcome.UNREADABLE
    assert ArithmeticJudge().parse("\\boxed{Assistant 3}" + text).outcome == Outcome.UNREADABLE


@given(st.text(max_size=40), st.sampled_from([1, 2]), st.text(max_size=10).filter(lambda tail: "boxed" not in tail))
def test_boxes_that_agree_are_a_verdict_and_others_are_none(before: str, choice: int, after: str) -> None:
    text = f"{before}\\boxed{{Assistant 1}} so \\boxed{{Assistant {choice}}}{after}"
    verdict = ArithmeticJudge().parse(text)
    assert verdict.outcome == (Outcome.FIRST, Outcome.UNREADABLE)[choice - 1]
    if choice == 2:
        return
    assert verdict.answer is not None
    assert text[slice(*verdict.answer)] == f"\\boxed{{Assistant {choice}}}"
    assert verdict.reasoning == (0, verdict.answer[0])
