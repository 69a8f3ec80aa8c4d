"""How many bytes a device holds while a model samples or trains: arithmetic on the model's size, each part as (least, most).

Assumed, and nothing else: training in bfloat16 by autocast over weights of `Training.weight_bytes`, a gradient and AdamW's two moments
in the precision of the weights that are trained unless `Training` says otherwise, attention that never holds its matrix of scores, and a
head that never holds all logits. *Most* has besides one copy in every place where the libraries may make one, a tenth for memory in
pieces too small to use, and 2 GiB in the place of 0.5 for what a device's driver takes. What is sharded is sharded evenly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from .loads import Sampling, Training
from .model_size import MATRICES, ModelSize

GIB = 2**30
Bytes = tuple[float, float]
"""Least and most."""
HALF = 2
"""Bytes of a number in the precision that sums are made in."""
DRIVER = (0.5 * GIB, 2.0 * GIB)
PIECES = (0.0, 0.1)
"""Share of everything that is lost to pieces between allocations."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What one device holds at the same time."""

    stage: str
    what: str
    parts: Mapping[str, Bytes]
    """Bytes by what they are for."""
    share: float = 1.0
    """Share of a device's memory that this may take."""
    remedies: tuple[str, ...] = ()
    """What would take less, in words."""
    uncounted: tuple[str, ...] = ()
    """Options that change it in a way that nobody counts, in words."""

    @property
    def total(self) -> Bytes:
        least, most = (sum(part[end] for part in self.parts.values()) for end in (0, 1))
        return least * (1 + PIECES[0]) + DRIVER[0], most * (1 + PIECES[1]) + DRIVER[1]

    def fits(self, memory: float) -> bool | None:
        """Whether it fits into this many bytes; None where that depends on what is not known or not counted here."""
        if self.uncounted:
            return None
        least, most = self.total
        return True if most <= memory * self.share else False if least > memory * self.share else None


def sampling(stage: str, model: ModelSize, load: Sampling, what: str = "sampling", stored: float | None = None) -> Phase:
    """What an engine holds while it samples, on each of the devices that it is split over.

    `stored` are the most bytes in which a weight of what it samples from is stored; None = as the model size says.
    """
    tokens = max(load.tokens, (model.limit or 0) if load.own_limit else 0)
    if load.weight_bytes is None:
        in_bytes = (min(model.weight_bytes, HALF), max(model.weight_bytes, stored or 0))
    else:
        in_bytes = _exactly(load.weight_bytes)
    parts = {
        "weights": _each(in_bytes, model.parameters / load.tensor_parallel),
        "keys and values": _each((min(in_bytes[0], 4), min(in_bytes[1], 4)), tokens * model.kv_numbers / load.tensor_parallel),
        "activations": (0.0, tokens * _prefill(model) / load.tensor_parallel),
    }
    return Phase(stage, what, parts, load.memory_share, ("lower judge.max_new_tokens", "spread the engine over more devices"))


def _prefill(model: ModelSize) -> float:
    """Bytes per token while prompts are read: the widest place of one layer, and the stream beside it."""
    return HALF * (3 * model.inner + 4 * model.width)


def training(stage: str, model: ModelSize, load: Training, sequence: int, devices: int, prompt: int | None = None) -> list[Phase]:
    """What a trainer holds on one device: while it samples, if it does so itself, and in a step.

    `sequence` are the tokens of the longest sequence, `prompt` those of the longest prompt in it; None = it may be all prompt.
    """
    return [replace(phase, uncounted=load.uncounted) for phase in _phases(stage, model, load, sequence, devices, prompt or sequence)]


def _phases(stage: str, model: ModelSize, load: Training, sequence: int, devices: int, prompt: int) -> list[Phase]:
    resident, trained = _resident(model, load, devices), trained_parameters(model, load)
    rows = min(load.rows or load.step, -(-load.step // devices))
    step = {
        **resident,
        "gradients": _gradients(load, trained, devices, summed=rows * devices < load.step),
        "activations": _activations(model, load, rows * sequence),
        "copies": _copies(model, load),
    }
    beside = load.rollouts.memory_share if isinstance(load.rollouts, Sampling) and not load.rollouts.sleeps else 0.0
    update = Phase(stage, "step", step, 1.0 - beside, _remedies(load, rows))
    if load.rollouts == "model":
        own = -(-load.step // devices)
        cached = own * sequence * model.kv_numbers
        parts = {
            **resident,
            "keys and values": (cached * HALF, cached * 4.0),
            "activations": (0.0, own * prompt * _prefill(model)),  # all prompts are read at once
            "copies": _copies(model, load),
        }
        return [Phase(stage, "rollouts", parts, remedies=ROLLOUT_REMEDIES + (() if load.sharded == "everything" else (SHARD,))), update]
    if isinstance(load.rollouts, Sampling):
        engine = replace(load.rollouts, tokens=max(load.rollouts.tokens, sequence))
        beside_it = Phase(stage, "beside vLLM", resident, 1.0 - load.rollouts.memory_share, _remedies(load, 1))
        return [sampling(stage, model, engine, "rollouts (vLLM)"), beside_it, update]
    return [update]


ROLLOUT_REMEDIES = (
    "lower judge.max_new_tokens",
    "lower the stage's prompts_per_step or group",
    "sample through vLLM (trl: {use_vllm: true})",
)
AT_ONCE = "spread gradients at once (trl: {accelerator_config: {gradient_accumulation_kwargs: {sync_each_batch: true}}})"
SHARD = "spread the weights over several devices (launch.config_file, FSDP)"


def _trained_bytes(load: Training) -> float:
    """Bytes of a weight that is trained; those of an adapter are in full precision."""
    return 4.0 if load.rank else load.weight_bytes


def _shards(load: Training, devices: int) -> int:
    return 1 if load.sharded == "nothing" else max(1, devices // load.replicas)


def _here(size: float, load: Training) -> Bytes:
    """So many bytes, on the device unless they are in the host's memory; those of the layers at work are among the copies."""
    return _exactly(0.0 if load.offload else size)


def _resident(model: ModelSize, load: Training, devices: int) -> dict[str, Bytes]:
    """What stays there from the first step to the last."""
    trained, shards = trained_parameters(model, load), _shards(load, devices)
    whole = shards if load.sharded == "everything" else 1
    weights = [(size + (trained * 4 if load.rank else 0)) / whole for size in _weights(model, load)]
    if load.sharded == "states" and not load.rank:  # whole may be a copy in half precision alone, and the rest sharded
        weights[0] = min(weights[0], model.parameters * HALF + weights[0] / shards)
    found = {"weights": _exactly(0.0) if load.offload else (weights[0], weights[1]), "optimiser": _moments(model, load, trained, shards)}
    if load.reference:
        found["reference"] = _here(model.parameters * load.weight_bytes / whole, load)
    if load.sharded == "nothing" and devices > 1:  # torch's DDP sums gradients in buckets of its own
        found["buckets"] = (0.0, trained * _trained_bytes(load))
    return found


def _gradients(load: Training, trained: int, devices: int, *, summed: bool) -> Bytes:
    """Those of the weights that are trained, and where micro-batches are summed before anything is sharded, a whole sum besides."""
    own = _here(trained * _trained_bytes(load) / _shards(load, devices), load)
    if load.sharded == "nothing" or not (load.defers and summed):
        return own
    return own[0] + trained * HALF, own[1] + trained * 4.0


def _moments(model: ModelSize, load: Training, trained: int, shards: int) -> Bytes:
    """AdamW's two of every weight; those of embeddings may stay in full precision where the others are in less."""
    if load.offload or load.moment_bytes is None:
        return _here(2 * trained * _trained_bytes(load) / shards, load)
    embeddings = 0 if load.rank else 2 * model.vocabulary * model.width
    return 2 * trained * load.moment_bytes / shards, 2 * (trained * load.moment_bytes + embeddings * (4 - load.moment_bytes)) / shards


def _weights(model: ModelSize, load: Training) -> Bytes:
    """Bytes of the model's own weights; quantised are the layers' matrices alone, the rest is held in half or in full precision."""
    matrices = model.layers * model.layer_parameters if load.weight_bytes < HALF else model.parameters
    rest = model.parameters - matrices
    return matrices * load.weight_bytes + rest * HALF, matrices * load.weight_bytes + rest * 4.0


def trained_parameters(model: ModelSize, load: Training) -> int:
    """Weights that change: all, or those of the adapter's matrices."""
    if not load.rank:
        return model.parameters
    targets = load.targets or MATRICES
    return model.layers * sum(load.rank * sum(model.matrices[name]) for name in targets if name in model.matrices)


def _activations(model: ModelSize, load: Training, tokens: int) -> Bytes:
    """What the backward pass needs: every layer, or every layer's input and one layer more; and the final states.

    Sharded weights are gathered in half precision, and what flows between layers may then be so too.
    """
    full = min(4.0, max(2.0, load.weight_bytes))
    found = []
    for stream, layer, last in zip((2.0 if load.sharded == "everything" else full, full), _layer(model), (1, 3), strict=True):
        one, between = tokens * layer(stream), tokens * model.width * stream
        found.append((model.layers * between + last * one if load.checkpointing else model.layers * one) + last * between)
    return found[0], found[1]


def _layer(model: ModelSize) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Bytes per token that one layer keeps for its backward pass, least and most, from the bytes of a number between layers.

    Two norms keep what they read and what they made; the linear layers keep what they read, in half precision; attention keeps
    queries, keys, values and what it made; the MLP keeps what its gate read and wrote. The most has a cast for every reader,
    and keys and values repeated for every query head.
    """
    mlp = 4 * HALF * model.inner
    least = HALF * (2 * model.width + 2 * model.queries + 2 * model.keys) + mlp
    most = HALF * (5 * model.width + 6 * model.queries) + mlp
    return lambda stream: 4 * stream * model.width + least, lambda stream: 4 * stream * model.width + most


def _copies(model: ModelSize, load: Training) -> Bytes:
    """Weights in half precision that a pass makes of those in another: all of them, or those of the layers at work.

    Where weights are sharded, a layer or two are gathered whole, and with them the embedding and the head.
    """
    layer, embeddings = model.layer_parameters, 2 * model.vocabulary * model.width
    if load.sharded == "everything":
        return (layer + embeddings / 2) * HALF, (2 * layer + embeddings) * (HALF + load.weight_bytes)
    if load.weight_bytes == HALF:
        return _exactly(0.0)
    if load.rank:
        return layer * HALF, (layer if load.checkpointing else model.parameters) * HALF
    return 0.0 if load.sharded == "states" else model.parameters * HALF, model.parameters * HALF


def _remedies(load: Training, rows: int) -> tuple[str, ...]:
    found = []
    if load.sharded != "nothing" and load.defers:
        found.append(AT_ONCE)
    if rows > 1:
        found.append("lower the stage's micro_batch")
    if not load.checkpointing:
        found.append("turn on gradient checkpointing")
    if not load.rank:
        found.append("train an adapter (lora)")
    if load.sharded != "everything":
        found.append(SHARD)
    return (*found, "lower judge.max_new_tokens")


def _exactly(value: float) -> Bytes:
    return (float(value), float(value))


def _each(in_bytes: Bytes, numbers: float) -> Bytes:
    """Bytes of so many numbers."""
    return in_bytes[0] * numbers, in_bytes[1] * numbers


def forward_flops(model: ModelSize, sequence: int) -> float:
    """Floating-point operations of one pass over one sequence of this many tokens, attention to what came before included."""
    matrices = model.layers * model.layer_parameters + model.vocabulary * model.width
    return sequence * 2.0 * (matrices + model.layers * model.queries * sequence)


def training_flops(model: ModelSize, load: Training, sequence: int, sequences: int) -> float:
    """Of all steps: forward, backward, what checkpointing makes twice, and the passes before a step."""
    backward = 1 if load.rank else 2
    passes = 1 + backward + load.checkpointing + load.passes
    return sequences * passes * forward_flops(model, sequence)
