"""Samples rows that come and go: a prompt is read once for all of its samples, a row leaves when it ends, the next one takes its place.

Our own loop over the model's forward, because transformers' continuous batching has one seed for all rows (decision 0026).
Shapes: B rows in use, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .sampler import SeededSampler
from .shared_attention import Trunk, attention_of, can_share
from .slots import Slots
from .stop_below import Confidence
from .stop_strings import StopsAtText
from .strategies import OwnLogits
from .tally import sampled_tokens
from .trunks import Ids, read_trunks, together

READ_TOKENS = {"cpu": 2048}
"""Tokens of prompts that are read together; 8192 on other devices."""
SHARED_TOKENS = 256
"""Tokens of a prompt from which on its rows read its keys and values in common where they can; to fewer, it is not worth the while."""
TRIAL_ERROR = {torch.float32: 1e-3, torch.float64: 1e-3}
"""Error of a log-probability, in nats, up to which the loop agrees with the model's own logits; 0.25 in 16 bits."""


@dataclass
class Row:
    """A completion in the making."""

    index: int
    prompt: Ids
    seed: int
    room: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    uniform: Any = None
    confidence: Confidence | None = None
    """Kept where rows may end early."""
    least: float | None = None
    """Confidence below which the row ends."""

    @property
    def hopeless(self) -> bool:
        """Whether its confidence has fallen below the least."""
        mean = self.confidence.mean if self.confidence is not None else None
        return mean is not None and self.least is not None and mean < self.least

    @property
    def last(self) -> int:
        return self.tokens[-1] if self.tokens else self.prompt[-1]

    @property
    def length(self) -> int:
        """Tokens whose keys are known."""
        return len(self.prompt) - 1 + len(self.tokens)

    @property
    def most(self) -> int:
        return len(self.prompt) + self.room


class ContinuousBatch:
    """Samples the rows that wait, as many at once as a budget of tokens has room for; yields each when it ends."""

    def __init__(
        self, model: Any, tokenizer: Any, *, pad: int, eos: Sequence[int], temperature: float, top_p: float, stop: Sequence[str] = (),
        top: int = 0, share: int | None = None,
    ) -> None:  # fmt: skip
        """`top`: of how many likeliest tokens the confidence is made, where rows keep it; `share`: tokens of prompts that rows share."""
        self.model, self.pad, self.eos = model, pad, frozenset(eos)
        self.sampler = SeededSampler([], 0, temperature, top_p)
        self.stops = StopsAtText(tokenizer, stop, 0) if stop else None
        self.top, self.share = top, share
        self.adds_mask = model.config.get_text_config(decoder=True)._attn_implementation == "eager"
        self.trunks: dict[Ids, Trunk] = {}
        """Prompts that were read and that a waiting row still needs."""
        self.waiting: list[Row] = []

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def __call__(self, rows: Sequence[Row], budget: int) -> Iterator[Row]:
        self.waiting = list(reversed(rows))  # the next one is the last
        while self.waiting:
            yield from self._with_slots(max(row.most for row in self.waiting), budget)

    def _with_slots(self, columns: int, budget: int) -> Iterator[Row]:
        """Rows in slots of so many columns; those that would fill less than half of one wait for shorter slots."""
        size = min(len(self.waiting), max(1, budget // columns))
        slots = Slots(self._trunk(self.waiting[-1]), size, columns)
        active: list[Row] = []
        while True:
            while len(active) < size and self.waiting and (not active or self.waiting[-1].most >= columns / 2):
                self._start(self.waiting[-1], slots, len(active))
                active.append(self.waiting.pop())
            if not active:
                return
            ended = self._step(active, slots)
            for place in reversed(ended):  # from the last, so that what is moved goes on
                yield active[place]
                if place < len(active) - 1:
                    slots.move(len(active) - 1, place, active[-1].length)
                    active[place] = active[-1]
                active.pop()

    def _start(self, row: Row, slots: Slots, slot: int) -> None:
        row.uniform = np.random.Generator(np.random.PCG64(row.seed)).random(row.room)
        trunk, last = self._trunk(row), len(self.waiting) < 2 or self.waiting[-2].prompt != row.prompt
        long = self.share is not None and len(row.prompt) - 1 >= self.share
        slots.put(slot, trunk, shared=long and (not last or slots.shares(trunk, slot)))
        if last:
            self.trunks.pop(row.prompt, None)

    def _trunk(self, row: Row) -> Trunk:
        if row.prompt not in self.trunks:
            following = list(dict.fromkeys(one.prompt for one in self.waiting[: -64 * 8 : -1]))
            budget = READ_TOKENS.get(self.model.device.type, 8192)
            prompts = following[: together(following, budget)]
            self.trunks.update(zip(prompts, read_trunks(self.model, prompts, self.pad), strict=True))
        return self.trunks[row.prompt]

    def _step(self, active: list[Row], slots: Slots) -> list[int]:
        """One token more for every row; the places of those that end with it."""
        device = self.model.device
        mask, position_B1 = slots.at([row.length for row in active], device)
        sharing = slots.sharing(len(active))
        if self.adds_mask or sharing:
            mask = torch.zeros(mask.shape, dtype=self.model.dtype, device=device).masked_fill(~mask, torch.finfo(self.model.dtype).min)
        with attention_of(self.model, sharing) as more:
            logits_BV = self.model(
                input_ids=torch.tensor([[row.last] for row in active], device=device), attention_mask=mask, position_ids=position_B1,
                past_key_values=slots.cache, use_cache=True, **more,
            ).logits[:, -1]  # fmt: skip
        uniform_B1 = torch.tensor([[row.uniform[len(row.tokens)]] for row in active], dtype=torch.float64, device=device)
        tokens, logprobs = self.sampler.choose(logits_BV, uniform_B1)
        sampled_tokens.add(len(tokens))
        for row, token, logprob in zip(active, tokens, logprobs, strict=True):
            row.tokens.append(token)
            row.logprobs.append(logprob)
        if self.top:
            self._tell_confidence(active, logits_BV)
        stopped = [False] * len(active) if self.stops is None else self.stops.told([row.tokens for row in active])
        over = [row.tokens[-1] in self.eos or len(row.tokens) == row.room or row.hopeless for row in active]
        return [place for place in range(len(active)) if stopped[place] or over[place]]

    def _tell_confidence(self, active: list[Row], logits_BV: Tensor) -> None:
        likeliest_BK = logits_BV.float().log_softmax(-1).topk(min(self.top, logits_BV.shape[-1]), -1).values
        for row, value in zip(active, (-likeliest_BK.mean(-1)).tolist(), strict=True):
            if row.confidence is not None:
                row.confidence.add(value)


def shared_tokens(model: Any, pad: int) -> int | None:
    """Tokens of a prompt from which on this model's rows share it; None where they cannot, or where it would not be right."""
    return SHARED_TOKENS if can_share(model) and trouble(model, pad, share=1) is None else None


def trouble(model: Any, pad: int, share: int | None = None) -> str | None:
    """Why rows of this model cannot come and go, by a trial against its own logits; None where they can."""
    size = model.get_input_embeddings().weight.shape[0]
    short, long = (tuple(place * 7 % min(size, 83) for place in range(length)) for length in (5, 9))
    rows = [Row(index, prompt, index, room) for index, (prompt, room) in enumerate(((long, 3), (short, 6), (short, 2), (short, 3)))]
    batch = ContinuousBatch(model, None, pad=pad, eos=(), temperature=1.0, top_p=1.0, share=share)
    try:
        for row in batch(rows, 3 * 12):
            with torch.inference_mode():
                own_T: Tensor = OwnLogits(model, row.prompt, pad).score([[row.tokens]])
            wrong = float((own_T - torch.tensor(row.logprobs, device=own_T.device)).abs().max())
            if not wrong <= TRIAL_ERROR.get(model.dtype, 0.25):
                return f"it is wrong by {wrong:.1e} nats"
    except Exception as error:  # other people's models fail in ways of their own
        return f"it raised {type(error).__name__}: {error}"
    return None
