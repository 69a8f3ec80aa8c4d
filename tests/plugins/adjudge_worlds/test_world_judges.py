"""The judges of the two worlds as they ship: small, real Qwen2s of the recipe that the script has, with room to learn."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from functools import cache
from statistics import fmean
from typing import Any

import pytest
from safetensors.torch import load_file
from transformers import AutoConfig, AutoTokenizer, Qwen2Config, Qwen2Tokenizer

from adjudge import find_model, open_judge
from adjudge_arithmetic import learn_tokenizer
from adjudge_judges import ArithmeticJudge
from adjudge_worlds import CodeAdversarial, CodeDataset, InstructionsAdversarial, InstructionsDataset, SoundCode, SoundInstructions
from adjudge_worlds.installed import LONGEST, WORLDS
from adjudge_worlds.pretrain import RECIPES, corpus
from adjudge_worlds.world import LEVELS, SOUND

SETS = {"code": CodeDataset, "instructions": InstructionsDataset}
HARD = {"code": CodeAdversarial, "instructions": InstructionsAdversarial}
RULES = {"code": SoundCode(), "instructions": SoundInstructions()}
each_world = pytest.mark.parametrize("name", WORLDS)


@cache
def saved_tokenizer(name: str) -> Any:
    return AutoTokenizer.from_pretrained(find_model(f"adjudge_worlds:{name}"))


@each_world
def test_it_is_small_and_holds_no_pickles(name: str) -> None:
    folder = find_model(f"adjudge_worlds:{name}")
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 4 * 2**20
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".jinja"}
    assert sum(tensor.numel() for tensor in load_file(folder / "model.safetensors").values()) < 1_000_000
    assert isinstance(AutoConfig.from_pretrained(folder), Qwen2Config)
    assert isinstance(saved_tokenizer(name), Qwen2Tokenizer)
    assert json.loads((folder / "judge.json").read_text())["use"] == "arithmetic"


@each_world
def test_it_is_of_the_recipe_that_the_script_has(name: str) -> None:
    recipe = json.loads((find_model(f"adjudge_worlds:{name}") / "recipe.json").read_text())
    assert recipe == json.loads(json.dumps(asdict(RECIPES[name])))


@each_world
def test_its_tokenizer_is_the_one_that_is_made_again_from_the_seed(name: str) -> None:
    recipe, saved = RECIPES[name], saved_tokenizer(name)
    made = learn_tokenizer(corpus(WORLDS[name], recipe.seed), recipe.vocabulary, LONGEST)
    assert saved.get_vocab() == made.get_vocab()
    for text in corpus(WORLDS[name], seed=1, size=30):
        assert saved(text)["input_ids"] == made(text)["input_ids"]
        assert saved.decode(saved(text)["input_ids"], clean_up_tokenization_spaces=False) == text


@each_world
def test_a_sound_judgement_fits_into_what_a_judgement_may_take(name: str) -> None:
    rng, world, tokenizer = random.Random(3), WORLDS[name], saved_tokenizer(name)
    drawn = [world.draw(LEVELS[-1], rng) for _ in range(200)]
    traces = [world.write_in("rare", one.text, (one.right, one.wrong), rng, SOUND) for one in drawn]
    longest = max(len(tokenizer(text)["input_ids"]) for text in traces)
    assert longest + 1 < world.longest_trace
    turns = [ArithmeticJudge().prompt(next(iter(SETS[name](levels=[4], size=1, seed=seed).load())), "given") for seed in range(20)]
    prompts = [len(tokenizer.apply_chat_template(one, add_generation_prompt=True)["input_ids"]) for one in turns]
    assert max(prompts) + world.longest_trace <= LONGEST


@each_world
def test_there_is_room_above_what_it_can_do(name: str) -> None:
    problems = list(SETS[name](part="test", size=200).load())
    with open_judge(f"adjudge_worlds:{name}", seed=0, cache=False) as judge:
        paths = list(judge.session.sample(
            [judge.options.prompt(one, "given") for one in problems], seeds=range(200), temperature=1.0, top_p=1.0,
            max_new_tokens=WORLDS[name].longest_trace,
        ))  # fmt: skip
        found = [judge.read(problems[place], completion.text) for place, completion in paths]
    shown = [problems[place] for place, _ in paths]
    right = fmean(bool(path.right(problem)) for path, problem in zip(found, shown, strict=True))
    sound = fmean(RULES[name].reward(problem, path) or 0.0 for path, problem in zip(found, shown, strict=True))
    assert 0.48 < right < 0.85
    assert 0.1 < sound < 0.6
    assert sound < right
