"""How many bytes a device holds while a model samples or trains: arithmetic on the model's shape, each part as (least, most).

Assumed, and nothing else: training in bfloat16 by autocast over weights of `Training.weight_bytes`, a gradient and AdamW's two moments
in the precision of the weights that are trained, attention that never holds its matrix of scores, and a head that never holds all
logits. *Most* has besides one copy in every place where the libraries may make one, a tenth for memory in pieces too small to use,
and 2 GiB in the place of 0.5 for what a device's driver takes. What is spread over devices is spread evenly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from .records import Sampling, Training
from .shape import MATRICES, Shape

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
    levers: tuple[str, ...] = ()
    """What would take less, in words."""

    @property
    def total(self) -> Bytes:
        least, most = (sum(part[end] for part in self.parts.values()) for end in (0, 1))
        return least * (1 + PIECES[0]) + DRIVER[0], most * (1 + PIECES[1]) + DRIVER[1]

    def fits(self, memory: float) -> bool | None:
        """Whether it fits into this many bytes; None where that depends on what is not known here."""
        least, most = self.total
        return True if most <= memory * self.share else False if least > memory * self.share else None


def sampling(stage: str, shape: Shape, load: Sampling, what: str = "sampling") -> Phase:
    """What an engine holds while it samples, on each of the devices that it is spread over."""
    in_bytes = load.weight_bytes or shape.weight_bytes
    parts = {
        "weights": _exactly(shape.parameters * in_bytes / load.spread),
        "keys and values": _exactly(load.tokens * shape.kv_numbers * min(in_bytes, 4) / load.spread),
        "activations": (0.0, load.tokens * _prefill(shape) / load.spread),
    }
    return Phase(stage, what, parts, load.share, ("lower judge.max_new_tokens", "spread the engine over more devices"))


def _prefill(shape: Shape) -> float:
    """Bytes per token while prompts are read: the widest place of one layer, and the stream beside it."""
    return HALF * (3 * shape.inner + 4 * shape.width)


def training(stage: str, shape: Shape, load: Training, sequence: int, devices: int) -> list[Phase]:
    """What a trainer holds on one device: while it samples, if it does so itself, and in a step."""
    resident, trained = _resident(shape, load, devices), trained_parameters(shape, load)
    rows = min(load.rows or load.step, -(-load.step // devices))
    step = {
        **resident,
        "gradients": _exactly(trained * _trained_bytes(load) / _shards(load, devices)),
        "activations": _activations(shape, load, rows * sequence),
        "copies": _copies(shape, load),
    }
    beside = load.rollouts.share if isinstance(load.rollouts, Sampling) and not load.rollouts.sleeps else 0.0
    update = Phase(stage, "step", step, 1.0 - beside, _levers(load, rows))
    if load.rollouts == "model":
        tokens = -(-load.step // devices) * sequence
        cached = (tokens * shape.kv_numbers * HALF, tokens * shape.kv_numbers * 4.0)
        parts = {**resident, "keys and values": cached, "copies": _copies(shape, load)}
        return [Phase(stage, "rollouts", parts, levers=ROLLOUT_LEVERS + (() if load.spread == "everything" else (SPREAD,))), update]
    if isinstance(load.rollouts, Sampling):
        engine = replace(load.rollouts, tokens=max(load.rollouts.tokens, sequence))
        beside_it = Phase(stage, "beside vLLM", resident, 1.0 - load.rollouts.share, _levers(load, 1))
        return [sampling(stage, shape, engine, "rollouts (vLLM)"), beside_it, update]
    return [update]


ROLLOUT_LEVERS = (
    "lower judge.max_new_tokens",
    "lower the stage's prompts_per_step or group",
    "sample through vLLM (trl: {use_vllm: true})",
)
SPREAD = "spread the weights over several devices (launch.config_file, FSDP)"


def _trained_bytes(load: Training) -> float:
    """Bytes of a weight that is trained; those of an adapter are in full precision."""
    return 4.0 if load.rank else load.weight_bytes


def _shards(load: Training, devices: int) -> int:
    return 1 if load.spread == "nothing" else devices


def _resident(shape: Shape, load: Training, devices: int) -> dict[str, Bytes]:
    """What stays there from the first step to the last."""
    trained, whole = trained_parameters(shape, load), devices if load.spread == "everything" else 1
    weights = [(size + (trained * 4 if load.rank else 0)) / whole for size in _weights(shape, load)]
    found = {"weights": (weights[0], weights[1]), "optimiser": _exactly(2 * trained * _trained_bytes(load) / _shards(load, devices))}
    return found | ({"reference": _exactly(shape.parameters * load.weight_bytes / whole)} if load.reference else {})


def _weights(shape: Shape, load: Training) -> Bytes:
    """Bytes of the model's own weights; quantised are the layers' matrices alone, the rest is held in half or in full precision."""
    matrices = shape.layers * shape.layer_parameters if load.weight_bytes < HALF else shape.parameters
    rest = shape.parameters - matrices
    return matrices * load.weight_bytes + rest * HALF, matrices * load.weight_bytes + rest * 4.0


def trained_parameters(shape: Shape, load: Training) -> int:
    """Weights that change: all, or those of the adapter's matrices."""
    if not load.rank:
        return shape.parameters
    targets = load.targets or MATRICES
    return shape.layers * sum(load.rank * sum(shape.matrices[name]) for name in targets if name in shape.matrices)


def _activations(shape: Shape, load: Training, tokens: int) -> Bytes:
    """What the backward pass needs: every layer, or every layer's input and one layer more; and the final states.

    Spread weights are gathered in half precision, and what flows between layers may then be so too.
    """
    full = min(4.0, max(2.0, load.weight_bytes))
    found = []
    for stream, layer, last in zip((2.0 if load.spread == "everything" else full, full), _layer(shape), (1, 3), strict=True):
        one, between = tokens * layer(stream), tokens * shape.width * stream
        found.append((shape.layers * between + last * one if load.checkpointing else shape.layers * one) + last * between)
    return found[0], found[1]


def _layer(shape: Shape) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Bytes per token that one layer keeps for its backward pass, least and most, from the bytes of a number between layers.

    Two norms keep what they read and what they made; the linear layers keep what they read, in half precision; attention keeps
    queries, keys, values and what it made; the MLP keeps what its gate read and wrote. The most has a cast for every reader,
    and keys and values repeated for every query head.
    """
    mlp = 4 * HALF * shape.inner
    least = HALF * (2 * shape.width + 2 * shape.queries + 2 * shape.keys) + mlp
    most = HALF * (5 * shape.width + 6 * shape.queries) + mlp
    return lambda stream: 4 * stream * shape.width + least, lambda stream: 4 * stream * shape.width + most


def _copies(shape: Shape, load: Training) -> Bytes:
    """Weights in half precision that a pass makes of those in another: all of them, or those of the layers at work.

    Where weights are spread, a layer or two are gathered whole, and with them the embedding and the head.
    """
    layer, ends = shape.layer_parameters, 2 * shape.vocabulary * shape.width
    if load.spread == "everything":
        return (layer + ends / 2) * HALF, (2 * layer + ends) * (HALF + load.weight_bytes)
    if load.weight_bytes == HALF:
        return _exactly(0.0)
    if load.rank:
        return layer * HALF, (layer if load.checkpointing else shape.parameters) * HALF
    return _exactly(shape.parameters * HALF)


def _levers(load: Training, rows: int) -> tuple[str, ...]:
    found = []
    if rows > 1:
        found.append("lower the stage's micro_batch")
    if not load.checkpointing:
        found.append("turn on gradient checkpointing")
    if not load.rank:
        found.append("train an adapter (lora)")
    if load.spread != "everything":
        found.append(SPREAD)
    return (*found, "lower judge.max_new_tokens")


def _exactly(value: float) -> Bytes:
    return (float(value), float(value))


def forward_flops(shape: Shape, sequence: int) -> float:
    """Floating-point operations of one pass over one sequence of this many tokens, attention to what came before included."""
    matrices = shape.layers * shape.layer_parameters + shape.vocabulary * shape.width
    return sequence * 2.0 * (matrices + shape.layers * shape.queries * sequence)


def training_flops(shape: Shape, load: Training, sequence: int, sequences: int) -> float:
    """Of all steps: forward, backward, what checkpointing makes twice, and the reference's pass."""
    backward = 1 if load.rank else 2
    passes = 1 + backward + load.checkpointing + load.reference
    return sequences * passes * forward_flops(shape, sequence)
