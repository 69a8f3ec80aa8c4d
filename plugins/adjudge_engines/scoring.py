"""Log-probabilities of many paths of one prompt: by the fastest strategy that is exact for the model, in batches that fit into memory.

What is exact is partly read from the model's settings and, once for each model, tried out against its own logits.
Shapes: T scored tokens, S numbers of each.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from .packing import Rows
from .side_by_side import Group, SideBySide, fitting
from .strategies import OneByOne, OwnLogits, SharedPrompt, Strategy, WholeSequences
from .texts import check_tokens

log = logging.getLogger("adjudge.engines")
TAKES_MASK = ("sdpa", "eager")
"""Attention that takes a mask of our own."""
MOVING = ("dynamic", "longrope")
"""Rotary embeddings that turn otherwise in a sequence longer than the model was first trained for."""
TRIAL_PROMPT, *TRIAL_PATHS = ([(7 * place + start) % 83 for place in range(length)] for start, length in enumerate((5, 7, 24, 4, 3)))
"""Short paths behind a long one show whether a place in a row is taken for a position."""
TRIAL_ERROR = {torch.float32: 1e-3, torch.float64: 1e-3}
"""Mean error of a path, in nats per token, up to which two strategies are the same; 0.25 in 16 bits, in which models round their logits."""


class PathLogprobs:
    """Scores the paths of one prompt after another; a batch that does not fit into memory is halved."""

    def __init__(self, model: Any, *, pad: int, budget: int) -> None:
        self.model, self.pad = model, pad
        self.budget = budget
        """Tokens of a batch; what it was halved to stays."""
        self._exact: dict[type[Any], bool] = {}

    def __call__(self, prompt: Sequence[int], paths: Sequence[Sequence[int]]) -> list[list[float]]:
        """Log-probability of every token of every path, in nats; `ConfigError` for what the model cannot read."""
        return [rows[0] for rows in self.numbers(prompt, paths, ())]

    def numbers(self, prompt: Sequence[int], paths: Sequence[Sequence[int]], names: Sequence[str]) -> list[list[list[float]]]:
        """Of every path: the log-probabilities of its tokens, and a list of numbers for each name."""
        check_tokens(self.model.get_input_embeddings().weight.shape[0], prompt, paths)
        found: list[list[list[float]]] = [[[] for _ in ("logprob", *names)] for _ in paths]
        order = sorted((index for index, path in enumerate(paths) if path), key=lambda index: -len(paths[index]))
        if not order:
            return found
        with torch.inference_mode():
            strategy = self._strategy(prompt, [len(paths[index]) for index in order])
            while order:
                rows, value_ST = self._next(strategy, [paths[index] for index in order], names)
                done = [order[place] for place in chain.from_iterable(rows)]
                for index, part_ST in zip(done, value_ST.split([len(paths[index]) for index in done], 1), strict=True):
                    found[index] = part_ST.tolist()
                left = set(order) - set(done)
                order = [index for index in order if index in left]
        return found

    def each(self, groups: Sequence[Group], names: Sequence[str] = ()) -> Iterator[tuple[int, list[list[list[float]]]]]:
        """The same for the paths of many prompts, with the prompt's place, as they come; small groups are scored together."""
        size = self.model.get_input_embeddings().weight.shape[0]
        for prompt, paths in groups:
            check_tokens(size, prompt, paths)
        whole = [place for place, (_, paths) in enumerate(groups) if paths and all(paths)]
        for place in sorted({*range(len(groups))} - {*whole}):
            prompt, paths = groups[place]
            yield place, self.numbers(prompt, paths, names)
        waiting = sorted(whole, key=lambda place: (len(groups[place][0]), _longest(groups[place])))  # of like size, for least padding
        while waiting:
            some = waiting[: fitting([groups[place] for place in waiting], self.budget)]
            found = self._together([groups[place] for place in some], names)
            if not found:
                some, found = some[:1], [self.numbers(*groups[some[0]], names)]
            yield from zip(some, found, strict=True)
            waiting = waiting[len(some) :]

    def _together(self, groups: Sequence[Group], names: Sequence[str]) -> list[list[list[list[float]]]]:
        """The groups' numbers; nothing where they have to be scored one by one."""
        longest = max(len(group[0]) + _longest(group) for group in groups)
        if len(groups) < 2 or not shares_prompts(self.model, longest) or not self._is_exact(SideBySide):
            return []
        try:
            with torch.inference_mode():
                found = SideBySide(self.model, groups, self.pad).score(names)
                return [[value_ST.tolist() for value_ST in some] for some in found]
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        self.budget //= 2
        log.warning("engine hf: a batch of paths to score does not fit into memory; going on with %d tokens at once", self.budget)
        return []

    def _strategy(self, prompt: Sequence[int], lengths: Sequence[int]) -> Strategy:
        """The fastest strategy that is exact for this model, prompt and longest path."""
        longest = len(prompt) + max(lengths)
        whole: type[Strategy] = OneByOne if positions_move(self.model, longest) else WholeSequences
        shares = len(lengths) > 1 and whole is WholeSequences and keeps_all(self.model, longest)
        strategies: tuple[type[Strategy], ...] = (SharedPrompt, whole) if shares else (whole,)
        strategy = next((strategy for strategy in strategies if self._is_exact(strategy)), OwnLogits)
        return strategy(self.model, prompt, self.pad)

    def _is_exact(self, strategy: type[Any]) -> bool:
        if strategy not in self._exact:
            with torch.inference_mode():
                trouble = _trial(self.model, self.pad, strategy)
            self._exact[strategy] = trouble is None
            if trouble is not None:
                print(f"engine hf: paths are scored more slowly with this model: {strategy.__name__} {trouble}", file=sys.stderr)
        return self._exact[strategy]

    def _next(self, strategy: Strategy, paths: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[Rows, Tensor]:
        """The next batch and its numbers; where that does not fit into memory, half of it."""
        lengths = [len(path) for path in paths]
        while True:
            rows = strategy.rows(lengths, self.budget)
            try:
                return rows, strategy.score([[paths[place] for place in row] for row in rows], names)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or rows == [[0]]:
                    raise
            # Only here, where the error no longer holds on to the tensors of the batch.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            while strategy.rows(lengths, self.budget) == rows:
                self.budget //= 2
            log.warning("engine hf: a batch of paths to score does not fit into memory; going on with %d tokens at once", self.budget)


def out_of_memory(error: BaseException) -> bool:
    """Whether a device, or this machine, had no memory left."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error)


def keeps_all(model: Any, length: int) -> bool:
    """Whether every layer of the model still sees the whole prompt at this length, in keys and values that rows can share."""
    config = model.config.get_text_config(decoder=True)
    if getattr(model, "_is_stateful", False) or config._attn_implementation not in TAKES_MASK:
        return False
    window = getattr(config, "window_size", None)  # of GPT-Neo's local layers, which their cache does not tell
    return (window is None or length <= window) and all(
        type(layer) is DynamicLayer or (type(layer) is DynamicSlidingWindowLayer and length <= layer.sliding_window)
        for layer in DynamicCache(config=config).layers
    )


def shares_prompts(model: Any, length: int) -> bool:
    """Whether rows of at most so many tokens can be read behind a prompt's keys and values, as if each had read the prompt itself."""
    return keeps_all(model, length) and not positions_move(model, length)


def positions_move(model: Any, length: int) -> bool:
    """Whether the positions of all tokens depend on how long the longest sequence of a batch is."""
    config = model.config.get_text_config(decoder=True)
    found = getattr(config, "rope_parameters", None) or {}
    by_layer = [value for value in found.values() if isinstance(value, dict)] or [found]
    return any(
        one.get("rope_type") in MOVING and length > (one.get("original_max_position_embeddings") or config.max_position_embeddings)
        for one in by_layer
    )


def _longest(group: Group) -> int:
    return max(map(len, group[1]))


def _trial(model: Any, pad: int, strategy: type[Any]) -> str | None:
    """What is wrong with a strategy for this model, held against the model's own logits; None when they agree."""
    size = model.get_input_embeddings().weight.shape[0]
    prompt, *paths = ([token % size for token in ids] for ids in (TRIAL_PROMPT, *TRIAL_PATHS))
    groups = [(prompt, paths), (prompt[2:], paths[1:])]
    expected_T = torch.cat([OwnLogits(model, start, pad).score([some])[0] for start, some in groups])
    try:
        if strategy is SideBySide:
            found_T = torch.cat([value_ST[0] for some in SideBySide(model, groups, pad).score() for value_ST in some])
        else:
            found_T = torch.cat([strategy(model, start, pad).score([some[:1], some[1:]])[0] for start, some in groups])
    except Exception as error:  # other people's models fail in ways of their own
        if out_of_memory(error):
            raise
        return f"raised {type(error).__name__}: {error}"
    lengths = [len(path) for _, some in groups for path in some]
    wrong = max(float(part_T.mean()) for part_T in (found_T - expected_T).abs().split(lengths))
    return None if wrong <= TRIAL_ERROR.get(model.dtype, 0.25) else f"is wrong by {wrong:.1e} nats per token"
