"""A model with a value head, loaded through transformers: one number for each chat.

transformers reads the head at the last token that is not the padding of the model's configuration. Where that names none, this is a chat's
last token, also here: padding is a token with which no chat of the batch ends. (TRL 1.16 would take the token that ends a text, and so read
the score before the end.) A model whose padding is the token that ends a text was trained to be read before it, and is.

Shapes: B chats of a batch, T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path as FilePath

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from adjudge import ConfigError, Message
from adjudge_engines import load_tokenizer


class ValueHead:
    """Scores whole chats; what its head says of the last token."""

    def __init__(self, folder: FilePath, device: str | None, where: str) -> None:
        config = AutoConfig.from_pretrained(folder)
        if config.num_labels != 1 or not any("SequenceClassification" in name for name in config.architectures or ()):
            raise ConfigError(
                f"{where}: {folder} has no value head: its architecture is {', '.join(config.architectures or ('unknown',))}, with"
                f" {config.num_labels} labels.\n  Remedy: name a folder of a sequence classification model with one label."
            )
        self.tokenizer = load_tokenizer(folder)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, dtype="auto").to(self.device).eval()
        self.config = self.model.config.get_text_config()
        self.pads_itself = self.config.pad_token_id is not None

    def __call__(self, chats: Sequence[list[Message]]) -> list[float]:
        rows = [self.tokenizer.apply_chat_template(chat, tokenize=True, return_dict=False) for chat in chats]
        if not self.pads_itself:
            self.config.pad_token_id = next(token for token in count() if token not in {row[-1] for row in rows})
        pad, width = self.config.pad_token_id, max(map(len, rows))
        ids_BT = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=self.device)
        mask_BT = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=self.device)
        with torch.inference_mode():
            logits_B1 = self.model(input_ids=ids_BT, attention_mask=mask_BT).logits
        return [float(value) for value in logits_B1[:, 0].float().tolist()]
