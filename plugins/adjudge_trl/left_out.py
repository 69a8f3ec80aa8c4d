"""Says which layers ``all-linear`` gives no adapters: peft 0.21 leaves some of a model of experts out, without a word.

transformers 5 holds the experts of a layer in one parameter. Where peft knows the model's family it turns the names gate_proj, up_proj and
down_proj into that parameter, and so passes by linear layers of these names: a shared expert, and first layers without experts. Of a family
that it does not know, such as GPT-OSS, the experts get none.
"""

from __future__ import annotations

import logging
from typing import Any

from torch import nn

from adjudge import StageContext

log = logging.getLogger("adjudge.trl")
SHOWN = 4


def tell_left_out(model: Any, stage: StageContext) -> None:
    """Warn of linear layers but the head, and of experts, that no adapter of this peft model changes."""
    found, total = without_adapters(model)
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        log.warning(
            "stage %s: lora: peft gives %d of the model's %d linear layers and groups of experts no adapters; they stay as they are: %s%s",
            stage.name, len(found), total, ", ".join(found[:SHOWN]), more,
        )  # fmt: skip


def without_adapters(model: Any) -> tuple[list[str], int]:
    """Names of the linear layers and groups of experts without adapters, and how many there are with those that have some."""
    below = model.get_base_model()
    head = below.get_output_embeddings()
    plain = {name for name, module in below.named_modules() if isinstance(module, nn.Linear) and module is not head and "lora_" not in name}
    stacked = {name.rpartition(".")[0] for name, value in below.named_parameters() if len(getattr(value, "ds_shape", value.shape)) == 3}
    everything = {*plain, *(name for name in stacked if name.rpartition(".")[2] == "experts" or ".experts." in name)}
    return sorted(name for name in everything if ".base_layer" not in name), len(everything)
