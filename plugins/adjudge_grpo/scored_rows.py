"""Takes log-probabilities of those rollouts alone that a step trains on: rows and columns without a scored token are left out, and a
prompt that several rows share is read once.

TRL reads all rows of a step, those too whose groups teach nothing. What is left out counts as 0, as it does where TRL reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from accelerate.utils import extract_model_from_parallel, is_peft_model
from torch import Tensor
from torch.nn.functional import pad

from .shared_prompts import shared_prompts


class ScoresTaughtRows:
    """Stands before TRL's GRPO trainer in a class's bases."""

    shares_prompts: bool = False

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Tensor, attention_mask: Tensor, logits_to_keep: int, *args: Any, **options: Any
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        ask = super()._get_per_token_logps_and_entropies  # type: ignore[misc]
        if options.get("compute_aux_loss"):  # a mixture of experts balances its load over all rows
            found: tuple[Tensor, Tensor | None, Tensor | None] = ask(model, input_ids, attention_mask, logits_to_keep, *args, **options)
            return found
        scored = attention_mask[:, -logits_to_keep:].any(1)
        scored[:1] |= ~scored.any()  # every process goes through the model, so that all have gradients to share
        rows, kept = scored.nonzero().flatten(), attention_mask[scored]
        columns = kept.any(0).nonzero().flatten()
        first, behind = int(columns[0]), min(kept.shape[1] - 1 - int(columns[-1]), logits_to_keep - 1)
        window, keep = slice(first, kept.shape[1] - behind), logits_to_keep - behind
        with ExitStack() as ways:
            if self.shares_prompts or input_ids.device.type == "cpu":
                ways.enter_context(last_columns(model, keep))
            if self.shares_prompts:
                ways.enter_context(shared_prompts(decoder_of(model), keep))
            logprobs, entropies, aux = ask(model, input_ids[scored][:, window], kept[:, window], keep, *args, **options)

        def spread(some: Tensor | None) -> Tensor | None:
            return None if some is None else some.new_zeros(len(scored), logits_to_keep).index_copy(0, rows, pad(some, (0, behind)))

        return spread(logprobs), spread(entropies), aux


@contextmanager
def last_columns(model: Any, count: int) -> Iterator[None]:
    """Have TRL's head see the hidden states that predict the last so many columns: where it has no Triton, it reads all that it sees."""

    def labels(_: Any, args: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {**inputs, "labels": inputs["labels"][:, -count - 1 :]}

    def hidden(_: Any, args: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state[:, -count - 1 :]
        return output

    hooks = [model.register_forward_pre_hook(labels, with_kwargs=True), decoder_of(model).register_forward_hook(hidden)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def decoder_of(model: Any) -> Any:
    """What makes the hidden states of a model, as it is called in training."""
    whole = extract_model_from_parallel(model)
    return (whole.get_base_model() if is_peft_model(whole) else whole).base_model
