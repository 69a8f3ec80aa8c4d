"""Decodes sampled tokens and says where each one's characters end, so that spans of the text map to tokens without tokenising again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from adjudge_judges import is_thinking_mark


class TokenOffsets:
    """Incremental decoding for any tokenizer; windows are remembered, since small vocabularies repeat them all the time."""

    def __init__(self, tokenizer: Any) -> None:
        added = getattr(tokenizer, "added_tokens_decoder", {})
        special = {*tokenizer.all_special_ids, *(token for token, text in added.items() if text.special)}
        self._special = {token for token in special if not is_thinking_mark(str(added.get(token, "")))}
        self._decode = lru_cache(maxsize=2**15)(  # of tokens that are no special ones, but for the marks of thinking, which are shown
            lambda ids: str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))
        )
        self._added = lru_cache(maxsize=2**17)(self._read_window)

    def __call__(self, ids: Sequence[int]) -> tuple[str, tuple[int, ...]]:
        """The text without special tokens, except those that mark thinking, and each token's end in it.

        A token that holds part of a character ends where that character ends; a special token writes nothing: -1.
        """
        special = self._special
        tokens = tuple([token for token in ids if token not in special])
        text, ends = self._read(tokens)
        if len(tokens) < len(ids):
            shown = iter(ends)
            ends = [-1 if token in special else next(shown) for token in ids]
        return text, tuple(ends)

    def _read(self, tokens: tuple[int, ...]) -> tuple[str, list[int]]:
        pieces, ends = [], list[int]()
        context, start, length, last = 0, 0, 0, len(tokens) - 1
        for index in range(len(tokens)):
            piece, whole = self._added(tokens[context : index + 1], start - context)
            if whole or index == last:
                pieces.append(piece)
                length += len(piece)
                ends += [length] * (index + 1 - start)
                context, start = start, index + 1
        return "".join(pieces), ends

    def _read_window(self, ids: tuple[int, ...], known: int) -> tuple[str, bool]:
        """What tokens write behind the `known` first of them, and whether that ends with a whole character."""
        before, after = self._decode(ids[:known]), str(self._decode(ids))
        return after[len(before) :], len(after) > len(before) and not after.endswith("\ufffd")
