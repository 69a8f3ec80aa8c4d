"""Has a training pass read a prompt once for all of its rollouts; gradients of a prompt's keys and values are added up over them.

Numbers and gradients are those of whole sequences up to rounding. Shapes: B rollouts, N prompts, P tokens of a prompt, padded on the left,
C tokens of a rollout, D model width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast

from adjudge_engines import OwnedLayer, shares_prompts

PADDED = -1
"""Stands for padding where prompts are compared."""
TRIAL = (2, 5, 3)
"""Prompts, tokens of each, and tokens of a rollout, of the trial."""
TRIAL_ERROR = 1e-3
"""Largest difference of hidden states, over the largest hidden state, up to which a model's trial in fp32 is well."""


@contextmanager
def shared_prompts(decoder: Any, count: int) -> Iterator[None]:
    """The decoder's hidden states are those of the last `count` columns and of the one before them, (B, count + 1, D)."""
    whole, own = decoder.forward, vars(decoder).get("forward")

    def forward(_: Any, *, input_ids: Tensor, attention_mask: Tensor, **told: Any) -> BaseModelOutputWithPast:
        others = {name: value for name, value in told.items() if value is not None}  # peft tells all that it knows of
        marked_BP = input_ids.masked_fill(attention_mask == 0, PADDED)[:, :-count]
        marked_NP, owner_B = torch.unique(marked_BP, dim=0, return_inverse=True)
        if len(marked_NP) == len(input_ids) or others.keys() - {"use_cache"}:
            found = whole(input_ids=input_ids, attention_mask=attention_mask, **others)
            return BaseModelOutputWithPast(last_hidden_state=found.last_hidden_state[:, -count - 1 :])
        cache = DynamicCache()
        kept = {"past_key_values": cache, "use_cache": True}
        prompt_NPD = whole(input_ids=marked_NP.clamp(min=0), attention_mask=(marked_NP != PADDED).long(), **kept).last_hidden_state
        cache.layers = [OwnedLayer(layer, owner_B) for layer in cache.layers]
        own_BCD = whole(input_ids=input_ids[:, -count:], attention_mask=attention_mask, **kept).last_hidden_state
        return BaseModelOutputWithPast(last_hidden_state=torch.cat([prompt_NPD[owner_B, -1:], own_BCD], 1))

    decoder.forward = MethodType(forward, decoder)
    try:
        yield
    finally:
        del decoder.forward
        if own is not None:
            decoder.forward = own


def by_prompt(batches: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Micro-batches of a step, of one size, made anew so that rollouts of a prompt stand together: TRL shuffles them."""
    size = len(batches[0]["prompt_ids"])
    marked = chain.from_iterable(one["prompt_ids"].masked_fill(one["prompt_mask"] == 0, PADDED).tolist() for one in batches)
    places: dict[tuple[int, ...], list[int]] = {}
    for place, row in enumerate(marked):
        places.setdefault(tuple(row), []).append(place)
    order = list(chain.from_iterable(places.values()))

    def part(name: str, first: int) -> Any:
        """What TRL holds for every rollout is reordered; anything else is the whole step's."""
        held = [one[name] for one in batches]
        if isinstance(held[0], Tensor) and held[0].ndim:
            return torch.cat(held)[order[first : first + size]]
        if isinstance(held[0], list):
            rows = list(chain.from_iterable(held))
            return [rows[place] for place in order[first : first + size]]
        return held[first // size]

    return [{name: part(name, number * size) for name in one} for number, one in enumerate(batches)]


def trouble(model: Any, longest: int) -> str | None:
    """Why rows of this model of at most so many tokens cannot share prompts; None where they can, which is tried out."""
    if not shares_prompts(model, longest):
        return "does not keep all keys and values of a prompt for its rows"
    if getattr(model, "is_quantized", False):  # bitsandbytes lays 4-bit weights out for inference once they are evaluated on a CPU
        return None
    prompts, length, room = TRIAL
    size = model.get_input_embeddings().weight.shape[0]
    ids = (torch.arange(2 * prompts * (length + room), device=model.device) * 7 % size).view(2 * prompts, -1)
    ids[prompts:, :length] = ids[:prompts, :length]
    mask = torch.ones_like(ids)
    mask[0, :2] = mask[prompts, :2] = 0
    decoder, training = model.base_model, model.training
    model.eval()
    try:
        with torch.no_grad():
            expected = decoder(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[:, -room - 1 :].float()
            with shared_prompts(decoder, room):
                found = decoder(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state.float()
    except Exception as error:  # other people's models fail in ways of their own
        return f"raised {type(error).__name__} in a trial: {error}"
    finally:
        model.train(training)
    wrong = float((found - expected).abs().max() / expected.abs().max())
    most = TRIAL_ERROR if model.dtype == torch.float32 else 0.05
    return None if wrong <= most else f"differs by {wrong:.1e} of its hidden states in a trial"
