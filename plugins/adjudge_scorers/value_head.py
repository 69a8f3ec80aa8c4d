"""Models with a head that was trained to score, loaded through transformers: one number for each chat, or one for each of its steps.

A head of one number is read by transformers at the last token that is not the padding of the model's configuration. Where that names
none, this is a chat's last token, also here: padding is a token with which no chat of the batch ends. (TRL 1.16 would take the token that
ends a text, and so read the score before the end.) A model whose padding is the token that ends a text was trained to be read before it,
and is.

Shapes: B chats of a batch, T tokens, S steps of a chat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path as FilePath
from typing import Any, ClassVar

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification

from adjudge import ConfigError, Message, escape_special_tokens
from adjudge_engines import load_tokenizer

OVER: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "mean": lambda steps: math.fsum(steps) / len(steps),
    "product": math.prod,
    "last": lambda steps: steps[-1],
}
"""What becomes of the steps' probabilities."""


def load_head(folder: FilePath, device: str | None, where: str, ends: str, over: str, named: Sequence[str] = ()) -> ValueHead | StepHead:
    """What the folder has: a head for whole chats, or for steps.

    Raises `ConfigError` where it has neither, and where options of steps were `named` that a head for whole chats has no use for."""
    config = AutoConfig.from_pretrained(folder)
    names = ", ".join(config.architectures or ("unknown",))
    if "SequenceClassification" in names and config.num_labels == 1:
        if named:
            raise ConfigError(f"{where}: {folder} scores whole chats, not steps.\n  Remedy: drop {' and '.join(named)}.")
        return ValueHead(folder, device)
    if "TokenClassification" in names and config.num_labels == 2:
        return StepHead(folder, device, ends, over)
    raise ConfigError(
        f"{where}: {folder} has no value head: its architecture is {names}, with {config.num_labels} labels.\n  Remedy: name a folder of a"
        " sequence classification model with one label, or of a token classification model with two."
    )


class Head:
    """The model and its tokenizer."""

    kind: ClassVar[Any]

    def __init__(self, folder: FilePath, device: str | None) -> None:
        self.tokenizer = load_tokenizer(folder)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = self.kind.from_pretrained(folder, dtype="auto").to(self.device).eval()

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

    kind = AutoModelForSequenceClassification

    def __init__(self, folder: FilePath, device: str | None) -> None:
        super().__init__(folder, device)
        self.config = self.model.config.get_text_config()
        self.pads_itself = self.config.pad_token_id is not None

    def __call__(self, chats: Sequence[list[Message]]) -> list[float | None]:
        rows = [self.written(chat[:-1], chat[-1:]) for chat in chats]
        if not self.pads_itself:
            self.config.pad_token_id = next(token for token in count() if token not in {row[-1] for row in rows})
        return [float(value) for value in self.logits(rows, self.config.pad_token_id)[:, 0].tolist()]


class StepHead(Head):
    """Scores the steps of a chat's last message, and makes one number of them; None where it has no step.

    A step is tokenised by itself and what ends it behind it, and the second label, *right*, is read at the last token of that, as TRL's
    `PRMTrainer` trains them (TRL 1.16 has none any more). That one takes prompts as they stand: train on those that the folder's template
    writes."""

    kind = AutoModelForTokenClassification

    def __init__(self, folder: FilePath, device: str | None, ends: str, over: str) -> None:
        super().__init__(folder, device)
        self.ends, self.over = ends, OVER[over]

    def __call__(self, chats: Sequence[list[Message]]) -> list[float | None]:
        rows, places_BS = zip(*map(self._row, chats), strict=True)
        right_BT = self.logits(rows, 0).softmax(-1)[..., 1]
        return [self.over(right_BT[index, places].tolist()) if places else None for index, places in enumerate(places_BS)]

    def _row(self, chat: list[Message]) -> tuple[list[int], list[int]]:
        """Token ids, and the places at which steps end."""
        row = self.written(chat[:-1], add_generation_prompt=True)
        places = []
        for step in filter(str.strip, chat[-1]["content"].split(self.ends)):
            for text in (step, self.ends):
                row += self.tokenizer(text, add_special_tokens=False)["input_ids"]
            places.append(len(row) - 1)
        return row, places
