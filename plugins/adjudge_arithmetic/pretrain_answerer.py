"""Makes the embedded policy, which answers sums: ``python -m adjudge_arithmetic.pretrain_answerer FOLDER``. Seeded; minutes on two cores.

It is what a judge as reward is tried on. It writes a sum of two digits and nothing else. Right answers come first, until it can add; then a
mixture in which it often drops a carry: where there is just one to drop, the wrong answer is more frequent than the right one. So the
answer that most samples share is wrong there, and a reward that goes by the majority teaches the mistake, while a judge may see it.
Questions of the test part are never seen.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from adjudge import held_out

from .pretrain import Draw, Recipe, make_model, save, train_phase
from .tokenizer import END, build_tokenizer
from .world import TEST_SHARE, Sum, columns, draw


@dataclass(frozen=True, slots=True)
class AnswerHabits:
    """How often the writer of an answer errs; every field is a probability."""

    dropped_carry: float = 0.0
    """Of a sum with a carry: one carry is dropped."""
    off_by_one: float = 0.0
    """One digit is off by one."""


RIGHT = AnswerHabits()
MIXTURE = AnswerHabits(dropped_carry=0.52, off_by_one=0.15)


@dataclass(frozen=True, slots=True)
class AnswererRecipe(Recipe):
    """Everything the weights depend on; the size and the rates are those of the judge's recipe."""

    level_weights: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)
    sound_steps: int = 900
    mixed_steps: int = 200
    answer_habits: AnswerHabits = MIXTURE


def write_answer(question: Sum, habits: AnswerHabits, rng: random.Random) -> str:
    """An answer as a writer with these habits would write it."""
    carried = [place for place, (_, _, carry) in enumerate(columns(question.a, question.b)) if carry]
    if len(str(question.right)) > len(str(max(question.a, question.b))):
        carried.append(len(str(question.right)) - 1)
    if carried and rng.random() < habits.dropped_carry:
        return str(question.right - int(10 ** rng.choice(carried)))
    if rng.random() < habits.off_by_one:
        digits = list(str(question.right))
        place = rng.randrange(len(digits))
        choices = [d for d in (int(digits[place]) - 1, int(digits[place]) + 1) if 0 <= d <= 9 and not (place == 0 and d == 0)]
        digits[place] = str(rng.choice(choices))
        return "".join(digits)
    return str(question.right)


def draw_answers(level: int, size: int, habits: AnswerHabits, rng: random.Random, tokenizer: Any) -> Iterator[tuple[str, str]]:
    """Prompts and answers of training sums."""
    while size:
        question = draw(level, rng)
        if held_out(question.text, TEST_SHARE):
            continue
        size -= 1
        turns = [{"role": "user", "content": question.text}]
        yield tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False), write_answer(question, habits, rng) + END


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=FilePath)
    folder = parser.parse_args().folder
    recipe = AnswererRecipe()
    tokenizer = build_tokenizer(recipe.seed)
    model = make_model(recipe, tokenizer)

    def texts(habits: AnswerHabits) -> Draw:
        return lambda level, size, rng: draw_answers(level, size, habits, rng, tokenizer)

    train_phase(model, tokenizer, recipe, "right", recipe.sound_steps, recipe.sound_batch, recipe.sound_rate, texts(RIGHT))
    train_phase(model, tokenizer, recipe, "mixed", recipe.mixed_steps, recipe.mixed_batch, recipe.mixed_rate, texts(recipe.answer_habits))
    save(model, tokenizer, recipe, folder)


if __name__ == "__main__":
    main()
