"""Value heads over a world's judge, taught which of its own paths are sound: one linear layer, or all weights.

Shapes: B chats of a batch, T tokens, D width, N chats in all.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adjudge import Message, find_model

Chat = tuple[list[Message], bool]
"""A prompt with its judgement, and whether that is sound."""
EPOCHS, RATE, BATCH = 3, 5e-4, 32
"""Training of all weights: passes, peak learning rate of AdamW, and chats of a step."""
PENALTY = 1e-3
"""Of the linear head: weight of its squared size."""


def value_head(model: str, chats: Sequence[Chat], folder: Path, seed: int, *, whole: bool) -> Path:
    """A folder with the judge and a value head, for the scorer `prm`: log-odds of being sound, up to a constant that is the same for all.

    `whole`: all weights are trained; else they stay as they are, and the head is a logistic regression on the last hidden state."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = find_model(model)
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    made = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
    tokens = [tokenizer.apply_chat_template(chat, tokenize=True, return_dict=False) for chat, _ in chats]
    sound_N = torch.tensor([float(sound) for _, sound in chats])
    bias = torch.zeros(1, requires_grad=True)  # a head has none, and a ranking needs none
    (fit_all if whole else fit_head)(made, tokens, sound_N, bias, random.Random(seed))
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def batches(tokens: Sequence[Sequence[int]], places: Sequence[int], size: int, pad: int) -> Iterator[tuple[Sequence[int], dict[str, Any]]]:
    """Places of so many chats at a time, and what a model takes of them."""
    import torch

    for start in range(0, len(places), size):
        some = places[start : start + size]
        width = max(len(tokens[place]) for place in some)
        ids_BT = torch.tensor([[*tokens[place], *[pad] * (width - len(tokens[place]))] for place in some])
        mask_BT = torch.tensor([[1] * len(tokens[place]) + [0] * (width - len(tokens[place])) for place in some])
        yield some, {"input_ids": ids_BT, "attention_mask": mask_BT}


def fit_all(model: Any, tokens: Sequence[Sequence[int]], sound_N: Any, bias: Any, rng: random.Random) -> None:
    """All weights, by AdamW with a linear decay."""
    import torch

    optimiser = torch.optim.AdamW([*model.parameters(), bias], lr=RATE, weight_decay=0.01)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, EPOCHS * -(-len(tokens) // BATCH))
    places = list(range(len(tokens)))
    for _ in range(EPOCHS):
        rng.shuffle(places)
        for some, given in batches(tokens, places, BATCH, model.config.pad_token_id):
            torch.nn.functional.binary_cross_entropy_with_logits(model(**given).logits[:, 0] + bias, sound_N[list(some)]).backward()
            optimiser.step()
            optimiser.zero_grad()
            decay.step()


def fit_head(model: Any, tokens: Sequence[Sequence[int]], sound_N: Any, bias: Any, rng: random.Random) -> None:
    """The head alone: a logistic regression with a weak penalty."""
    import torch

    ends = []
    with torch.no_grad():
        for some, given in batches(tokens, range(len(tokens)), 2 * BATCH, model.config.pad_token_id):
            hidden_BTD = model.model(**given).last_hidden_state
            ends.append(hidden_BTD[torch.arange(len(some)), given["attention_mask"].sum(dim=1) - 1])
    hidden_ND = torch.cat(ends)
    scale_D = hidden_ND.std(dim=0).clamp_min(1e-6)
    weight_D = torch.zeros(hidden_ND.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weight_D, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Any:
        optimiser.zero_grad()
        logits_N = (hidden_ND / scale_D) @ weight_D + bias
        found = torch.nn.functional.binary_cross_entropy_with_logits(logits_N, sound_N) + PENALTY * weight_D.square().sum()
        found.backward()
        return found

    optimiser.step(loss)
    with torch.no_grad():
        model.score.weight[0] = weight_D / scale_D
