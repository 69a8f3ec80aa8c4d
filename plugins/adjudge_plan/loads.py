"""What sampling and training hold in a device's memory, in counts: engines and trainers tell it, and a model's size makes bytes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Sampling:
    """What sampling holds in a device's memory, in counts of which a model's size makes bytes."""

    tokens: int
    """Tokens, prompts included, whose keys and values are held at once."""
    weight_bytes: float | None = None
    """Bytes of a weight; None = as stored, or in half precision where the engine prefers that."""
    tensor_parallel: int = 1
    """Devices that every layer is split over."""
    memory_share: float = 1.0
    """Share of a device's memory that it may take."""
    sleeps: bool = False
    """Whether it gives that share back while others work."""
    own_limit: bool = False
    """Whether one sequence as long as the model allows has to have room, as in vLLM where it is given no shorter one."""
    data_parallel: int = 1
    """Copies of the model, each on devices of its own."""


@dataclass(frozen=True, slots=True)
class Training:
    """What training holds in a device's memory, in counts of which a model's size makes bytes."""

    step: int
    """Sequences in an optimiser step, on all devices together."""
    sequences: tuple[int, int] | None
    """Sequences that are trained on in all steps, as (least, most); None = unknown."""
    rows: int | None = None
    """Sequences in a forward and backward pass on one device; None = all that a device has of a step."""
    weight_bytes: float = 4.0
    """Bytes of a weight as the trainer loads it."""
    rank: int = 0
    """Rank of a LoRA adapter, which alone is trained; 0 = all weights are."""
    targets: tuple[str, ...] = ()
    """Linear layers that the adapter goes to, by their names; none = all of a decoder layer."""
    reference: bool = False
    """Whether a second model is held to measure the distance from."""
    passes: int = 0
    """Passes over every sequence before its step, without a backward pass: the reference's, and that for the log-probabilities so far."""
    checkpointing: bool = False
    """Whether activations are made again in the backward pass."""
    moment_bytes: float | None = None
    """Bytes of one of AdamW's two moments of a weight; None = as many as the weight has that is trained."""
    saved_bytes: float | None = None
    """Bytes of a weight of the trained model as it is stored; None = as many as before the training."""
    sharded: Literal["nothing", "states", "everything"] = "nothing"
    """What is sharded over all devices: nothing, gradients and the optimiser's moments, or the weights too."""
    replicas: int = 1
    """Groups of devices each of which holds all that is sharded, as machines do under FSDP's HYBRID_SHARD."""
    defers: bool = False
    """Whether gradients of micro-batches are summed whole on every device, and sharded after a step's last, as FSDP does unless told."""
    offload: bool = False
    """Whether weights, gradients and moments are in the host's memory, and on the device only those of the layers at work."""
    uncounted: tuple[str, ...] = ()
    """Options that change what is held in a way that nobody counts, in words; memory is then neither refused nor promised."""
    rollouts: Sampling | Literal["none", "model", "elsewhere"] = "none"
    """Who samples what is trained on: nobody, the model in training, an engine beside it, or one on other devices."""
