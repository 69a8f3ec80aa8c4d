"""Has a GRPO stage on a CPU sample its rollouts as the engine `hf` samples: a prompt is read once for its group, rows leave when they end.

Where training multiplies in bfloat16, rollouts come from a copy in bfloat16 that follows the weights in training; adapters stay apart
in it, for added to weights so coarse they would be rounded away. TRL samples on GPUs, and where its table asks for more than this does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from adjudge import StageContext, stable_seed
from adjudge_engines import TokenSampler


class SamplesRollouts:
    """Stands before TRL's GRPO trainer in a class's bases."""

    rollout_sampler: RolloutSampler | None = None

    def _generate_single_turn(self, prompt_ids: list[list[int]], *args: Any, **options: Any) -> tuple[list[list[int]], Any]:
        if self.rollout_sampler is None:
            found: tuple[list[list[int]], Any] = super()._generate_single_turn(prompt_ids, *args, **options)  # type: ignore[misc]
            return found
        return self.rollout_sampler(prompt_ids), None  # log-probabilities are those of training's own pass, as where TRL samples


def samples_here(args: Any) -> bool:
    """Whether these settings of TRL's ask for no more than plain sampling in this process, on a CPU."""
    asks_more = args.use_vllm or args.use_transformers_continuous_batching or args.generation_kwargs or args.cache_implementation
    filters = args.top_k or args.min_p or args.repetition_penalty != 1.0
    return args.device.type == "cpu" and not (asks_more or filters or args.deepspeed or args.fsdp)


class RolloutSampler:
    """Samples the rollouts of a stage, each with a seed of its own, which follows from the stage, the step and its place."""

    def __init__(self, stage: StageContext, trainer: Any, base: Any, copy: Any | None) -> None:
        """`base`: the model that the trainer trains, or whose adapters it trains; `copy`: what to sample from in its place."""
        self.stage, self.trainer, self.base = stage, trainer, base
        self.copy = None if copy is None else FollowingCopy(copy, base)
        tokenizer = trainer.processing_class
        self.sampler = TokenSampler(base if copy is None else copy, tokenizer, eos=trainer.eos_token_ids, pad=tokenizer.pad_token_id)

    def can(self, longest: int) -> bool:
        """Whether the model's rows can come and go at this length of prompt and rollout, by a trial before its training begins."""
        if self.trainer.is_fsdp_enabled or self.trainer.is_deepspeed_enabled:  # as a launcher's own settings may have it
            return False
        with self._ready():
            return self.sampler.trouble(longest) is None

    def __call__(self, prompts: list[list[int]]) -> list[list[int]]:
        trainer, first = self.trainer, self.stage.process_group.rank * len(prompts)
        step = trainer.state.global_step
        seeds = [stable_seed("rollout", self.stage.name, self.stage.seed, step, first + place) for place in range(len(prompts))]
        with self._ready():
            return self.sampler(
                prompts, seeds=seeds, room=trainer.args.max_completion_length, temperature=trainer.temperature, top_p=trainer.top_p,
                stop=self.stage.judge.stop,
            )  # fmt: skip

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """In evaluation mode, and with the weights as they are now."""
        if self.copy is not None:
            self.copy.follow()
        training = self.base.training
        self.base.eval()
        try:
            yield
        finally:
            self.base.train(training)


class FollowingCopy:
    """A copy of a model in bfloat16, and its way to the weights that are trained: adapters, or all of them."""

    def __init__(self, copy: Any, base: Any) -> None:
        self.copy, self.base = copy, base
        self.products: list[AdaptedProduct] = []
        for name, layer in base.named_modules():
            if hasattr(layer, "lora_A"):
                target = copy.get_submodule(name)
                self.products.append(AdaptedProduct(target.forward, layer))
                target.forward = self.products[-1]

    def follow(self) -> None:
        """Take the weights as they are now."""
        with torch.no_grad():
            for product in self.products:
                product.follow()
            if not self.products:
                for own, trained in zip(self.copy.parameters(), self.base.parameters(), strict=True):
                    own.copy_(trained)


class AdaptedProduct:
    """A layer's product in bfloat16, with that of its adapters as they were when this last followed them."""

    def __init__(self, product: Callable[[Tensor], Tensor], layer: Any) -> None:
        self.product, self.layer = product, layer
        self.pairs: list[tuple[Tensor, Tensor]] = []

    def follow(self) -> None:
        layer = self.layer
        self.pairs = [
            (layer.lora_A[name].weight.bfloat16(), (layer.lora_B[name].weight * layer.scaling[name]).bfloat16())
            for name in layer.active_adapters
        ]

    def __call__(self, rows: Tensor) -> Tensor:
        found = self.product(rows)
        for down, up in self.pairs:
            found = found + linear(linear(rows, down), up)
        return found
