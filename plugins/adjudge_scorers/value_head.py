"""Models with a head that was trained to score: one number for each chat, or one for each of its steps.

A head of one number is read by transformers at the last token that is not the padding of the model's configuration. Where that names
none, this is a chat's last token, also here: padding is a token with which no chat of the batch ends. (TRL 1.16 would take the token that
ends a text, and so read the score before the end.) A model whose padding is the token that ends a text was trained to be read before it,
and is.

Shapes: B chats of a batch, T tokens, S steps of a chat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path as FilePath
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification
from transformers.utils import logging as transformers_logging

from adjudge import ConfigError, Message, escape_special_tokens
from adjudge_engines import headed_config, load_headed, load_tokenizer

from .own_head import OwnHead, load_own_head

OVER: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "mean": lambda steps: math.fsum(steps) / len(steps),
    "product": math.prod,
    "last": lambda steps: steps[-1],
}
"""What becomes of the steps' probabilities."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How a chat's steps are found and read."""

    ends: str = "\n"
    """What ends a step."""
    over: str = "min"
    """What is made of their probabilities, by its name in `OVER`."""
    mark: str | None = None
    """The token at which each is read, put there in the place of what ends it; None = the last one of what ends it."""
    one_number: bool = False
    """Whether a head of one number is read at steps too."""

    @property
    def named(self) -> list[str]:
        """Options that say something of steps, as they are called in a run file."""
        plain = Steps()
        names = {"ends": "ends", "over": "over", "mark": "mark", "one_number": "steps"}
        return [name for field, name in names.items() if getattr(self, field) != getattr(plain, field)]


def load_head(folder: FilePath, device: str | None, where: str, steps: Steps) -> ValueHead | StepHead:
    """What the folder has: a head for whole chats, or for steps.

    Raises `ConfigError` where it has neither, or not all of its weights, and where options of steps are given that a head for whole
    chats has no use for."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # else it lists weights that are not its own
    config = headed_config(folder, where)
    names = ", ".join(config.architectures or ("unknown",))
    if (own := load_own_head(folder, where)) is not None:
        model, by_steps = own, own.labels == 2 or steps.one_number
    elif "SequenceClassification" in names and config.num_labels == 1:
        model, by_steps = load_headed(folder, AutoModelForSequenceClassification, where), False
    elif "TokenClassification" in names and config.num_labels == 2:
        model, by_steps = load_headed(folder, AutoModelForTokenClassification, where), True
    else:
        raise ConfigError(
            f"{where}: {folder} has no value head: its architecture is {names}, with {config.num_labels} labels.\n  Remedy: name a folder"
            " of a sequence classification model with one label, of a token classification model with two, or with weights called"
            " v_head.summary, or score.0 and score.2."
        )
    if by_steps:
        if steps.one_number and (own is None or own.labels == 2):
            raise ConfigError(f"{where}.steps: {folder} scores steps by itself.\n  Remedy: drop steps.")
        return StepHead(folder, device, model, where, steps)
    if steps.named:
        other = "" if own is None else ", or write steps: true if it was trained to score them"
        raise ConfigError(f"{where}: {folder} scores whole chats, not steps.\n  Remedy: drop {' and '.join(steps.named)}{other}.")
    return ValueHead(folder, device, model)


class Head:
    """The model and its tokenizer."""

    def __init__(self, folder: FilePath, device: str | None, model: Any) -> None:
        self.tokenizer = load_tokenizer(folder)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = model.to(self.device).eval()

    def written(self, prompt: list[Message], said: Sequence[Message] = (), **more: Any) -> list[int]:
        """Token ids of a chat by the folder's template, or of its turns line by line where it has none.

        Markup in the prompt is escaped, as for every engine: what is judged must not end the user's turn and speak for the judge."""
        chat = [*escape_special_tokens(prompt, self.tokenizer), *said]
        if self.tokenizer.chat_template is None:
            return list(self.tokenizer("\n".join(turn["content"] for turn in chat))["input_ids"])
        return list(self.tokenizer.apply_chat_template(chat, tokenize=True, return_dict=False, **more))

    def logits(self, rows: Sequence[Sequence[int]], pad: int) -> torch.Tensor:
        """What the head says of these rows of token ids, in float32."""
        width = max(map(len, rows))
        ids_BT = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=self.device)
        mask_BT = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=self.device)
        with torch.inference_mode():
            return self.model(input_ids=ids_BT, attention_mask=mask_BT).logits.float()


class ValueHead(Head):
    """Scores whole chats; what its head says of the last token."""

    def __init__(self, folder: FilePath, device: str | None, model: Any) -> None:
        super().__init__(folder, device, model)
        self.config = None if isinstance(model, OwnHead) else model.config.get_text_config()
        self.pads_itself = self.config is not None and self.config.pad_token_id is not None

    def __call__(self, chats: Sequence[list[Message]]) -> list[float | None]:
        rows = [self.written(chat[:-1], chat[-1:]) for chat in chats]
        if self.config is None:
            logits_BT = self.logits(rows, 0)[..., 0]
            return [float(logits_BT[index, len(row) - 1]) for index, row in enumerate(rows)]
        if not self.pads_itself:
            self.config.pad_token_id = next(token for token in count() if token not in {row[-1] for row in rows})
        return [float(value) for value in self.logits(rows, self.config.pad_token_id)[:, 0].tolist()]


class StepHead(Head):
    """Scores the steps of a chat's last message, and makes one number of them; None where it has no step.

    A step is tokenised by itself and what ends it, or its mark, behind it; at the last token of that is read how probably it is right. Of
    two labels this is the second one's probability, as TRL's `PRMTrainer` trains them (TRL 1.16 has none any more) and Qwen2.5-Math-PRM,
    of one number its sigmoid. TRL's takes prompts as they stand: train on those that the folder's template writes."""

    def __init__(self, folder: FilePath, device: str | None, model: Any, where: str, steps: Steps) -> None:
        super().__init__(folder, device, model)
        self.ends, self.over = steps.ends, OVER[steps.over]
        self.behind = self.tokenizer(steps.mark or steps.ends, add_special_tokens=False)["input_ids"]
        self.mark = steps.mark
        if steps.mark is not None and (len(self.behind) != 1 or self.behind == [self.tokenizer.unk_token_id]):
            raise ConfigError(
                f"{where}.mark: {steps.mark!r} is no token of its own of the tokenizer in {folder}.\n"
                "  Remedy: name the token behind which the model was trained to score, as its model card says; or drop mark."
            )

    def __call__(self, chats: Sequence[list[Message]]) -> list[float | None]:
        rows, places_BS = zip(*map(self._row, chats), strict=True)
        logits_BTL = self.logits(rows, 0)
        right_BT = logits_BTL[..., 0].sigmoid() if logits_BTL.shape[-1] == 1 else logits_BTL.softmax(-1)[..., 1]
        return [self.over(right_BT[index, places].tolist()) if places else None for index, places in enumerate(places_BS)]

    def _row(self, chat: list[Message]) -> tuple[list[int], list[int]]:
        """Token ids, and the places at which steps are read; a mark that stands in a text itself gets a space, as chat markup does."""
        if self.mark is not None:
            spaced = f"{self.mark[0]} {self.mark[1:]}"
            chat = [{**turn, "content": turn["content"].replace(self.mark, spaced)} for turn in chat]
        row = self.written(chat[:-1], add_generation_prompt=True)
        places = []
        for step in filter(str.strip, chat[-1]["content"].split(self.ends)):
            row += [*self.tokenizer(step, add_special_tokens=False)["input_ids"], *self.behind]
            places.append(len(row) - 1)
        return row, places
