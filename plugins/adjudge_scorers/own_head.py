"""Heads that transformers has no class for, read from the weights that lie beside a model's own; code that lies there is not run.

Two are in use: ``v_head.summary``, one layer of one number, as TRL's models with a value head are saved (Skywork-o1-Open-PRM), and
``score.0`` and ``score.2`` with a ReLU between them (Qwen2.5-Math-PRM with two labels, Qwen2.5-Math-RM with one), whose own code goes no
further than transformers 4.53, by vLLM's list of the models that it tests.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from types import SimpleNamespace
from typing import Any

from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModel

from adjudge import ConfigError
from adjudge_engines import load_headed

LAYERS = (("v_head.summary",), ("score.0", "score.2"))
"""Names of the layers of each kind of head, from the model to the scores."""


class OwnHead(nn.Module):  # type: ignore[misc]
    """A model of transformers without its head, and the layers that score every one of its tokens."""

    def __init__(self, below: Any, layers: list[nn.Linear]) -> None:
        super().__init__()
        self.below = below
        self.head = nn.Sequential(*(one for layer in layers for one in (layer, nn.ReLU())))[:-1]

    @property
    def labels(self) -> int:
        """Numbers of a token."""
        return int(self.head[-1].out_features)

    def forward(self, **asked: Any) -> Any:
        hidden_BTD = self.below(**asked).last_hidden_state
        return SimpleNamespace(logits=self.head(hidden_BTD.to(self.head[0].weight.dtype)))


def load_own_head(folder: FilePath, where: str) -> OwnHead | None:
    """The model in a folder under its own head; None where there is no head of a known name.

    Raises `ConfigError` where it has other than one or two numbers, of another width than the model, and
    where weights of the model are missing."""
    found = _tensors(folder)
    named = next((names for names in LAYERS if all(f"{name}.weight" in found for name in names)), None)
    if named is None:
        return None
    layers = [_layer(found[f"{name}.weight"], found.get(f"{name}.bias")) for name in named]
    if layers[-1].out_features not in (1, 2):
        raise ConfigError(
            f"{where}: the head {named[-1]} in {folder} says {layers[-1].out_features} numbers of a token.\n"
            "  Remedy: name a folder whose head says one, a score, or two, whether a step is right."
        )
    below = load_headed(folder, AutoModel, where)
    if (width := below.config.get_text_config().hidden_size) != layers[0].in_features:
        raise ConfigError(
            f"{where}: the head {named[0]} in {folder} is {layers[0].in_features} wide, and the model below it {width}.\n"
            "  Remedy: name the folder of the model that the head was trained on."
        )
    return OwnHead(below, layers)


def _tensors(folder: FilePath) -> dict[str, Tensor]:
    """The weights of all known heads in the folder's files, of which one may be apart, as ``value_head.safetensors``."""
    wanted = tuple(f"{name}." for names in LAYERS for name in names)
    found: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            found |= {name: weights.get_tensor(name) for name in weights.keys() if name.startswith(wanted)}  # noqa: SIM118
    return found


def _layer(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=weight.dtype)
    layer.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
    return layer
