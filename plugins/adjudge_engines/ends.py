"""Decodes sampled tokens and says where each one's characters end, so that spans of the text map to tokens without tokenising again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any


class TokenEnds:
    """Incremental decoding for any tokenizer; windows are remembered, since small vocabularies repeat them all the time."""

    def __init__(self, tokenizer: Any) -> None:
        added = getattr(tokenizer, "added_tokens_decoder", {})
        self._special = {*tokenizer.all_special_ids, *(token for token, text in added.items() if text.special)}
        self._decode = lru_cache(maxsize=2**17)(
            lambda ids: str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
        )

    def __call__(self, ids: Sequence[int]) -> tuple[str, tuple[int, ...]]:
        """The text without special tokens, and each token's end in it.

        A token that holds part of a character ends where that character ends; a special token writes nothing: -1.
        """
        shown = [index for index, token in enumerate(ids) if token not in self._special]
        tokens = tuple(ids[index] for index in shown)
        text, ends = self._read(tokens)
        by_index = dict(zip(shown, ends, strict=True))
        return text, tuple(by_index.get(index, -1) for index in range(len(ids)))

    def _read(self, tokens: tuple[int, ...]) -> tuple[str, list[int]]:
        text, ends = "", []
        context, start = 0, 0
        for index in range(len(tokens)):
            before = self._decode(tokens[context:start])
            after = self._decode(tokens[context : index + 1])
            whole = len(after) > len(before) and not after.endswith("\ufffd")
            if whole or index == len(tokens) - 1:
                text += after[len(before) :]
                ends += [len(text)] * (index + 1 - start)
                context, start = start, index + 1
        return text, ends
