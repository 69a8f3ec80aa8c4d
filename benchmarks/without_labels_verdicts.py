"""A judge that is taught to answer at once: a world's judge as it ships, trained further on labelled pairs and their bare verdicts."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from without_labels_pools import PLUGINS, problems_of
from without_labels_worlds import World

from adjudge import Problem, find_model, load_judge
from adjudge_arithmetic import END, Draw, Schedule, save, train_phase
from adjudge_judges import verdict_texts

STEPS, BATCH, RATE = 1200, 64, 2e-3
"""Steps of the training that the judge itself was made by, labelled pairs of a step, each seen once, and peak learning rate."""
SEEDS, AT_ONCE = 1000, 1000
"""The first seed of the pairs' data sets, so that they are drawn apart from those of other parts, and pairs of one data set."""


def taught(world: World, folder: Path, apart: Collection[str]) -> Path:
    """A folder with the judge, made where there is none; questions of `apart` are not among its pairs."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not (folder / "recipe.json").exists():
        base = find_model(world.model)
        tokenizer = AutoTokenizer.from_pretrained(base)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        recipe = Schedule(level_weights=(0.25,) * 4)
        train_phase(model, tokenizer, recipe, "verdicts", 3 if world.tiny else STEPS, BATCH, RATE, texts(world, apart, tokenizer))
        save(model, tokenizer, replace(recipe, sound_steps=0, mixed_steps=STEPS, mixed_batch=BATCH, mixed_rate=RATE), folder)
    return folder


def texts(world: World, apart: Collection[str], tokenizer: Any) -> Draw:
    """Prompts of pairs of a level, and their right verdicts."""
    judge = load_judge(find_model(world.model), PLUGINS)
    words, drawn = verdict_texts(judge), {level: pairs(world, level, apart) for level in (1, 2, 3, 4)}

    def draw(level: int, size: int, rng: random.Random) -> Iterator[tuple[str, str]]:
        for pair in islice(drawn[level], size):
            prompt = tokenizer.apply_chat_template(judge.render(pair, "given"), add_generation_prompt=True, tokenize=False)
            yield prompt, words[pair.label or 0] + END

    return draw


def pairs(world: World, level: int, apart: Collection[str]) -> Iterator[Problem]:
    """Labelled pairs of the training part, without end."""
    for number in count():
        data = {"use": world.dataset, "part": "train", "levels": [level], "size": AT_ONCE, "seed": SEEDS + number}
        yield from (pair for pair in problems_of(data) if pair.prompt not in apart)
