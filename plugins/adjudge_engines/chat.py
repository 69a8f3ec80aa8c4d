"""Chats as the token ids that a model is given, without the model: only its tokenizer is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from adjudge import Message, defused


def encode(tokenizer: Any, prompt: list[Message]) -> list[int]:
    """Token ids of a chat that asks the assistant to go on."""
    turns = defused(prompt, tokenizer)
    if tokenizer.chat_template is None:
        return list(tokenizer("\n".join(turn["content"] for turn in turns))["input_ids"])
    return list(tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False))


def count_tokens(folder: FilePath, prompts: Sequence[list[Message]]) -> list[int]:
    """Tokens of each prompt, by the tokenizer in a model folder."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return [len(encode(tokenizer, prompt)) for prompt in prompts]
