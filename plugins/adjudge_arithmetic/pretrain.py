"""Makes the embedded judge: ``python -m adjudge_arithmetic.pretrain FOLDER``. Seeded; takes minutes, not hours, on two cores.

Two phases. First sound traces alone, until the model can do the sums; then a mixture of sound, flawed and guessing traces, so
that it can and yet often does not: greedy arithmetic is right while sampled behaviour errs, which is what the stages of
training have to mend. Prompts are left out of the loss. Questions of the test part are never seen.

Shapes: B rows of a batch, T tokens, V vocabulary.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path as FilePath
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

from adjudge import Problem, coin, held_out
from adjudge_engines import fast_bfloat16
from adjudge_judges import ArithmeticJudge

from .tokenizer import END, build_tokenizer
from .traces import SOUND, Habits, write_trace
from .world import LEVELS, TEST_SHARE, draw

IGNORED = -100


MIXTURE = Habits(guess=0.45, slip=0.08, careless=0.04)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Size and training of a tiny model: what every embedded model's recipe says."""

    seed: int = 0
    width: int = 128
    layers: int = 3
    level_weights: tuple[float, ...] = (0.3, 0.3, 0.25, 0.15)
    sound_steps: int = 1500
    sound_batch: int = 96
    sound_rate: float = 3e-3
    mixed_steps: int = 300
    mixed_batch: int = 192
    mixed_rate: float = 1.5e-3


@dataclass(frozen=True, slots=True)
class Recipe(Schedule):
    """Everything the weights depend on."""

    habits: Habits = MIXTURE


def make_model(recipe: Schedule, tokenizer: Any) -> Any:
    """An untrained Qwen2 of the recipe's size, for this tokenizer."""
    torch.manual_seed(recipe.seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=int(2.5 * recipe.width),
        num_hidden_layers=recipe.layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


Draw = Callable[[int, int, random.Random], Iterator[tuple[str, str]]]
"""Draws so many prompts and texts of a level."""


def draw_texts(level: int, size: int, habits: Habits, rng: random.Random, tokenizer: Any) -> Iterator[tuple[str, str]]:
    """Prompts and traces of training sums."""
    judge = ArithmeticJudge()
    while size:
        question = draw(level, rng)
        answers = (question.right, question.wrong) if coin(rng) else (question.wrong, question.right)
        if held_out(question.text, TEST_SHARE):
            continue
        size -= 1
        problem = Problem("", question.text, (str(answers[0]), str(answers[1])))
        prompt = tokenizer.apply_chat_template(judge.prompt(problem, "given"), add_generation_prompt=True, tokenize=False)
        yield prompt, write_trace(question.a, question.b, answers, habits, rng) + END


def make_batch(texts: list[tuple[str, str]], tokenizer: Any) -> tuple[Tensor, Tensor]:
    """Token ids and labels, padded on the right; prompt and padding are ignored by the loss."""
    encode = tokenizer.backend_tokenizer.encode_batch
    prompts = [item.ids for item in encode([prompt for prompt, _ in texts])]
    traces = [item.ids for item in encode([trace for _, trace in texts])]
    width = max(len(prompt) + len(trace) for prompt, trace in zip(prompts, traces, strict=True))
    ids_BT = torch.full((len(texts), width), tokenizer.pad_token_id)
    label_BT = torch.full((len(texts), width), IGNORED)
    for row, (prompt, trace) in enumerate(zip(prompts, traces, strict=True)):
        end = len(prompt) + len(trace)
        ids_BT[row, :end] = torch.tensor(prompt + trace)
        label_BT[row, len(prompt) : end] = torch.tensor(trace)
    return ids_BT, label_BT


def trace_loss(model: Any, ids_BT: Tensor, label_BT: Tensor) -> Tensor:
    """Mean cross-entropy over the traces' tokens, in nats; products are of bfloat16 where the CPU multiplies it by itself."""
    kept = label_BT[:, 1:] != IGNORED
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_bfloat16()):
        hidden = model.model(ids_BT).last_hidden_state[:, :-1][kept]
        logits = model.lm_head(hidden)
    return torch.nn.functional.cross_entropy(logits.float(), label_BT[:, 1:][kept])


def train_phase(model: Any, tokenizer: Any, recipe: Schedule, name: str, steps: int, batch: int, rate: float, texts: Draw) -> None:
    """Muon for the matrices, AdamW for embeddings and norms; warm-up, plateau, linear decay."""
    rng = random.Random(f"{recipe.seed} {name}")
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if not (p.ndim == 2 and "embed" not in n)]
    optimisers = [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, weight_decay=0.0, betas=(0.9, 0.98)),
    ]
    started = time.monotonic()
    for step in range(1, steps + 1):
        factor = min(step / 50, 1.0) * min(1.0, max(0.02, (steps - step) / (0.3 * steps)))
        level = rng.choices(LEVELS, recipe.level_weights)[0]
        loss = trace_loss(model, *make_batch(list(texts(level, batch, rng)), tokenizer))
        loss.backward()
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
            optimiser.step()
            optimiser.zero_grad()
        if step % 100 == 0 or step == steps:
            print(f"{name} {step}/{steps}: loss {loss.item():.3f} nats per token, {time.monotonic() - started:.0f} s", flush=True)


def save(model: Any, tokenizer: Any, recipe: Any, folder: FilePath) -> None:
    """Weights, tokenizer, and the recipe that they were made by."""
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=FilePath)
    folder = parser.parse_args().folder
    recipe = Recipe()
    tokenizer = build_tokenizer(recipe.seed)
    model = make_model(recipe, tokenizer)

    def texts(habits: Habits) -> Draw:
        return lambda level, size, rng: draw_texts(level, size, habits, rng, tokenizer)

    train_phase(model, tokenizer, recipe, "sound", recipe.sound_steps, recipe.sound_batch, recipe.sound_rate, texts(SOUND))
    train_phase(model, tokenizer, recipe, "mixed", recipe.mixed_steps, recipe.mixed_batch, recipe.mixed_rate, texts(recipe.habits))
    save(model, tokenizer, recipe, folder)
    (folder / "judge.json").write_text(ArithmeticJudge().model_dump_json(indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
