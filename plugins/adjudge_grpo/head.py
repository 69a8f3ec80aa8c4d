"""Lets GRPO take log-probabilities and entropies from `adjudge_rstar.token_logprobs`, in the place of TRL's own fused head.

TRL asks a model for them by ``model(..., labels=labels, fused_lm_head=True)``; this answers that call, and leaves all others alone.
Shapes: B rows, T tokens, V vocabulary, D model width, N = B x T.
"""

from __future__ import annotations

from functools import partial, wraps
from types import MethodType
from typing import Any

import torch
from accelerate.utils import is_peft_model
from torch import Tensor
from trl.trainer.utils import FusedCausalLMOutput

from adjudge import ConfigError
from adjudge_rstar import Head, token_logprobs

IGNORED = -100


def use_token_logprobs(trainer: Any, field: str) -> None:
    """Give this head to a GRPO trainer's model and to its reference model.

    Raises `ConfigError` that names the option's field for a mixture of experts, part of whose loss TRL computes in its own head.
    """
    if trainer.aux_loss_enabled:
        raise ConfigError(
            f"{field}: the model is a mixture of experts, whose load-balancing loss only TRL's own head computes.\n"
            "  Remedy: write logprobs: trl."
        )
    add_head(trainer.model.get_base_model() if is_peft_model(trainer.model) else trainer.model, trainer.temperature, entropy=True)
    if trainer.ref_model is not None:
        add_head(trainer.ref_model, trainer.temperature, entropy=False)


def add_head(model: Any, temperature: float, *, entropy: bool) -> None:
    """Answer a model's calls with ``fused_lm_head=True``, at this temperature; any other call goes where it went before."""
    before = model.forward

    @wraps(before)
    def forward(self: Any, *args: Any, fused_lm_head: bool = False, **inputs: Any) -> Any:
        return score(self, temperature, entropy, *args, **inputs) if fused_lm_head else before(*args, **inputs)

    model.forward = MethodType(forward, model)


def score(model: Any, temperature: float, entropy: bool, *args: Any, labels: Tensor, **inputs: Any) -> FusedCausalLMOutput:
    """Log-probabilities, and entropies where asked for, of shape (B, T - 1), in nats: at place t those of label t + 1, 0 where ignored."""
    hidden_BTD = model.base_model(*args, **inputs, use_cache=False).last_hidden_state
    # The last row predicts nothing: it gets a target that is ignored, which spares a copy of all other rows.
    target_N = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED).flatten()
    head = Head.of(model)
    ask = partial(
        token_logprobs, hidden_BTD.flatten(0, 1), head.weight_VD, target_N, temperature=temperature, ignore_index=IGNORED, **head.options
    )
    logprob_N, entropy_N = ask(entropy=True) if entropy else (ask(), None)
    return FusedCausalLMOutput(log_probs=_by_place(logprob_N, labels), entropy=_by_place(entropy_N, labels))


def _by_place(value_N: Tensor | None, labels: Tensor) -> Tensor | None:
    return None if value_N is None else value_N.view(labels.shape)[:, :-1]
