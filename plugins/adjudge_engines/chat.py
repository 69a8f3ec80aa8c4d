"""Chats as the token ids that a model is given, without the model: only its tokenizer is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from adjudge import Message, escape_special_tokens

from .chat_template import set_chat_template
from .folder import check_folder


def encode(tokenizer: Any, prompts: Sequence[list[Message]]) -> list[list[int]]:
    """Token ids of chats that ask the assistant to go on; all of them at once, which takes a third of the time of one by one."""
    if not prompts:
        return []
    chats = [escape_special_tokens(prompt, tokenizer) for prompt in prompts]
    if tokenizer.chat_template is None:
        ids = tokenizer(["\n".join(turn["content"] for turn in turns) for turns in chats])["input_ids"]
    else:
        ids = tokenizer.apply_chat_template(chats, add_generation_prompt=True, tokenize=True, return_dict=False)
    return [list(one) for one in ids]


def count_tokens_of_model(folder: FilePath, prompts: Sequence[list[Message]], chat: object = None) -> list[int]:
    """Tokens of each prompt as the model in this folder is given it; `ConfigError` for a folder that is no model.

    `chat` is the engine that asks it, which may have a chat template of its own.
    """
    check_folder(folder)
    return count_tokens(folder, prompts, chat)


def count_tokens(folder: FilePath, prompts: Sequence[list[Message]], chat: object = None) -> list[int]:
    """Tokens of each prompt as it is sent, special tokens in its texts escaped, by the tokenizer in a folder."""
    from .tokenizer import read_tokenizer

    tokenizer = read_tokenizer(folder)
    set_chat_template(tokenizer, getattr(chat, "chat_template", None), getattr(chat, "chat_template_kwargs", {}))
    return list(map(len, encode(tokenizer, prompts)))
