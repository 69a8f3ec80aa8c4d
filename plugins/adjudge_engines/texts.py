"""Between texts and tokens, for every engine that has the model's tokenizer: chats become prompts, sampled tokens completions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain
from typing import Any

from adjudge import Completion, ConfigError, Message, PromptTooLong
from adjudge_judges import opened_by_template

from .chat import encode
from .token_offsets import TokenOffsets

log = logging.getLogger("adjudge.engines")


class Texts:
    """A model's tokenizer, with every token that ends a judgement: the generation settings' and the tokenizer's, as TRL has it too."""

    def __init__(self, tokenizer: Any, *, ends_of_turn: int | list[int] | None, context: int | None) -> None:
        listed = ends_of_turn if isinstance(ends_of_turn, list) else [] if ends_of_turn is None else [ends_of_turn]
        self.tokenizer = tokenizer
        self.eos: list[int] = [*listed, *({tokenizer.eos_token_id} - {None, *listed})]
        if not self.eos:
            raise ConfigError(
                f"model: neither the tokenizer in {tokenizer.name_or_path} nor generation settings beside it name an end-of-text token, so"
                " nothing would end a judgement.\n  Remedy: write its eos_token into tokenizer_config.json, or its eos_token_id into"
                " generation_config.json."
            )
        self.context = context
        """Tokens that the model takes, prompt and judgement together; None = not told."""
        self.token_offsets = TokenOffsets(tokenizer)
        self.opened = opened_by_template(tokenizer)
        """What the chat template writes before a judgement, where it begins the thinking itself."""
        self._told = self._told_none = False
        """Whether it has been said that judgements get less room than `max_new_tokens`, or none."""

    def prompts(self, chats: Sequence[list[Message]], max_new_tokens: int) -> tuple[list[list[int]], list[int]]:
        """Token ids of every chat, and how many tokens its judgement may take: 0 where there is no room for one."""
        ids = encode(self.tokenizer, chats)
        rooms = [max_new_tokens if self.context is None else max(0, min(max_new_tokens, self.context - len(one))) for one in ids]
        if (none := rooms.count(0)) and not self._told_none:
            self._told_none = True
            log.warning("%d of %d prompts leave no room for a judgement in the model's %d tokens, and fail", none, len(ids), self.context)
        fewer = [room for room in rooms if 0 < room < max_new_tokens]
        if fewer and not self._told:
            self._told = True
            log.warning(
                "%d of %d prompts leave less room than judge.max_new_tokens in the model's %d tokens; their judgements get what is left:"
                " %d tokens or more", len(fewer), len(ids), self.context, min(fewer),
            )  # fmt: skip
        return ids, rooms

    def room(self, chat: list[Message]) -> int | None:
        """Tokens that are left for a judgement behind this chat, below 1 for none; None where the model's context is not told."""
        return None if self.context is None else self.context - len(encode(self.tokenizer, [chat])[0])

    def too_long(self, prompt: Sequence[int]) -> Completion:
        """The failed call that a prompt without room is."""
        return Completion("", error=str(PromptTooLong(0, len(prompt), self.context or 0)))

    def completion(self, tokens: Sequence[int], logprobs: Sequence[float], stop: Sequence[str] = ()) -> Completion:
        """Tokens up to and with the end of turn, or the token that completes a stop string; without either the completion is truncated."""
        end = next((i + 1 for i, token in enumerate(tokens) if token in self.eos), None)
        kept = tuple(tokens if end is None else tokens[:end])
        text, ends = self.token_offsets(kept)
        if (stopped := tokens_until_stop(text, ends, stop)) is not None:
            end = stopped
            kept, ends, text = kept[:end], ends[:end], text[: ends[end - 1]]
        rounded = tuple(round(value, 7) for value in logprobs[: len(kept)])
        return Completion(text, kept, ends, rounded, truncated=end is None, opened=self.opened)

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        """The text's tokens and an end of turn, or the tokens that it was sampled as where this tokenizer reads them so."""
        if token_ids and all(0 <= token < len(self.tokenizer) for token in token_ids) and self.token_offsets(token_ids)[0] == text:
            kept = tuple(token_ids)
        else:
            kept = tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])
            kept += () if kept and kept[-1] in self.eos else (self._turn_end(),)
        shown, ends = self.token_offsets(kept)
        return Completion(shown, kept, ends)

    def _turn_end(self) -> int:
        """The token that closes a judgement: the tokenizer's own, as fine-tuning has it."""
        own: int | None = self.tokenizer.eos_token_id
        return self.eos[0] if own is None else own

    def to_score(self, chat: list[Message], paths: Sequence[Sequence[int]]) -> list[int]:
        """Token ids of the chat before these paths; `ConfigError` where one of them does not fit behind it."""
        [prompt] = encode(self.tokenizer, [chat])
        longest = len(prompt) + max(map(len, paths), default=0)
        if self.context is not None and longest > self.context:
            raise ConfigError(
                f"a path with its prompt has {longest} tokens; the model takes {self.context} in all.\n"
                "  Remedy: leave such paths out, or use a model with a longer context."
            )
        return prompt


def tokens_until_stop(text: str, ends: Sequence[int], stop: Sequence[str]) -> int | None:
    """How many tokens of a text, given with where each ends in it, complete the first stop string; None where there is none."""
    held = min((text.index(one) + len(one) for one in stop if one in text), default=None)
    return None if held is None else next(index + 1 for index, last in enumerate(ends) if last >= held)


def check_tokens(size: int, prompt: Sequence[int], paths: Sequence[Sequence[int]]) -> None:
    """Raise `ConfigError` for an empty prompt, or for a token that a model of this vocabulary does not know."""
    if not prompt:
        raise ConfigError("the prompt has no tokens, so nothing predicts a path's first one.\n  Remedy: give it some text.")
    wrong = next((token for token in chain.from_iterable(paths) if not 0 <= token < size), None)
    if wrong is not None:
        raise ConfigError(
            f"a path has the token {wrong}, and the model knows those below {size}.\n"
            "  Remedy: score it with a model that has the tokenizer it was written with."
        )
