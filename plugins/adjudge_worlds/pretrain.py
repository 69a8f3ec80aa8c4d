"""Makes a world's embedded judge: ``python -m adjudge_worlds.pretrain WORLD FOLDER``. Seeded; minutes of one core.

As the arithmetic judge is made: sound traces alone first, until the model can do the work, then a mixture in which it often does not. The
mixture also has valid traces that are seldom written and false ones that come out right, each at a rate that the recipe names. Questions
of the test part are never seen.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from adjudge import Problem, coin, held_out
from adjudge_arithmetic import END, Draw, Schedule, learn_tokenizer, make_model, save, train_phase
from adjudge_judges import ArithmeticJudge

from .installed import LONGEST, WORLDS
from .world import LEVELS, SOUND, TEST_SHARE, Habits, World

MIXTURE = Habits(guess=0.4, slip=0.04, careless=0.04, rare=0.04, cancelled=0.08)


@dataclass(frozen=True, slots=True)
class WorldRecipe(Schedule):
    """Everything the weights depend on."""

    world: str = ""
    vocabulary: int = 384
    sound_steps: int = 1000
    sound_batch: int = 32
    mixed_steps: int = 150
    mixed_batch: int = 64
    habits: Habits = MIXTURE


RECIPES = {
    **{name: WorldRecipe(world=name) for name in WORLDS},
    "instructions": WorldRecipe(world="instructions", sound_steps=1500, habits=replace(MIXTURE, guess=0.35)),  # else hardly above chance
}


def corpus(world: World, seed: int, size: int = 400) -> list[str]:
    """Questions, traces of every kind and the role names: what the merges are learned from."""
    rng = random.Random(seed)
    texts = ["user\n", "assistant\n"] * size
    for _ in range(size):
        question = world.draw(rng.choice(LEVELS), rng)
        answers = (question.right, question.wrong)
        texts += [f"{question.text}\n1:{question.right}\n2:{question.wrong}", world.write(question.text, answers, MIXTURE, rng)]
    return texts


def draw_texts(world: World, level: int, size: int, habits: Habits, rng: random.Random, tokenizer: Any) -> Iterator[tuple[str, str]]:
    """Prompts and traces of training questions."""
    judge = ArithmeticJudge()
    while size:
        question = world.draw(level, rng)
        answers = (question.right, question.wrong) if coin(rng) else (question.wrong, question.right)
        if held_out(question.text, TEST_SHARE):
            continue
        size -= 1
        turns = judge.prompt(Problem("", question.text, answers), "given")
        prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        yield prompt, world.write(question.text, answers, habits, rng) + END


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("world", choices=sorted(WORLDS))
    parser.add_argument("folder", type=FilePath)
    options = parser.parse_args()
    world, recipe = WORLDS[options.world], RECIPES[options.world]
    tokenizer = learn_tokenizer(corpus(world, recipe.seed), recipe.vocabulary, LONGEST)
    model = make_model(recipe, tokenizer)

    def texts(habits: Habits) -> Draw:
        return lambda level, size, rng: draw_texts(world, level, size, habits, rng, tokenizer)

    train_phase(model, tokenizer, recipe, "sound", recipe.sound_steps, recipe.sound_batch, recipe.sound_rate, texts(SOUND))
    train_phase(model, tokenizer, recipe, "mixed", recipe.mixed_steps, recipe.mixed_batch, recipe.mixed_rate, texts(recipe.habits))
    save(model, tokenizer, recipe, options.folder)
    judge = ArithmeticJudge(max_new_tokens=world.longest_trace)
    (options.folder / "judge.json").write_text(judge.model_dump_json(indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
