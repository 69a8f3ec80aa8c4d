"""What a prompt needs before a stage trains on it: a chat template, and room for a judgement behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adjudge import ConfigError, Problem, StageContext
from adjudge_engines import context_length, settings_of


def check_chat_template(stage: StageContext, tokenizer: Any) -> None:
    """Raise `ConfigError` for a tokenizer without a chat template or an end of a turn, with which no prompt can be trained on."""
    if tokenizer.chat_template is None:
        raise ConfigError(
            f"model: the tokenizer of {stage.model} has no chat template, so it is unknown how this model is asked.\n"
            "  Remedy: set tokenizer.chat_template and save the tokenizer into the model's folder."
        )

    if tokenizer.eos_token_id is None:
        raise ConfigError(
            f"model: the tokenizer of {stage.model} names no end-of-text token, so no judgement would learn to end.\n"
            "  Remedy: set tokenizer.eos_token and save the tokenizer into the model's folder."
        )


def check_lengths(stage: StageContext, prompts: Iterable[tuple[Problem, int]]) -> None:
    """Raise `ConfigError` for a prompt, given with its number of tokens, that leaves no room for a judgement."""
    context = context_length(settings_of(stage.model))
    for problem, tokens in prompts:
        if context is not None and tokens + stage.judge.max_new_tokens > context:
            raise ConfigError(
                f"problem {problem.id}: its prompt has {tokens} tokens; the model takes {context} in all, of which max_new_tokens keeps"
                f" {stage.judge.max_new_tokens}.\n  Remedy: lower judge.max_new_tokens, shorten or drop it, or use a model with a longer"
                " context."
            )
