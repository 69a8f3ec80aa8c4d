"""What a prompt needs before a stage trains on it: a chat template, and room for a judgement behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adjudge import ConfigError, Problem, StageContext
from adjudge_engines import model_below, read_settings


def check_chat_template(stage: StageContext, tokenizer: Any) -> None:
    """Raise `ConfigError` for a tokenizer without a chat template, with which no prompt can be trained on."""
    if tokenizer.chat_template is None:
        raise ConfigError(
            f"model: the tokenizer of {stage.model} has no chat template, so it is unknown how this model is asked.\n"
            "  Remedy: set tokenizer.chat_template and save the tokenizer into the model's folder."
        )


def check_lengths(stage: StageContext, prompts: Iterable[tuple[Problem, int]]) -> None:
    """Raise `ConfigError` for a prompt, given with its number of tokens, that leaves no room for a judgement."""
    file = (model_below(stage.model) or stage.model) / "config.json"
    context = read_settings(file).get("max_position_embeddings") if file.is_file() else None
    for problem, tokens in prompts:
        if context is not None and tokens + stage.judge.max_new_tokens > context:
            raise ConfigError(
                f"problem {problem.id}: its prompt has {tokens} tokens; the model takes {context} in all, of which max_new_tokens keeps"
                f" {stage.judge.max_new_tokens}.\n  Remedy: lower judge.max_new_tokens, shorten or drop it, or use a model with a longer"
                " context."
            )
