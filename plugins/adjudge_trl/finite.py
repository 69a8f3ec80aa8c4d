"""Stops a training whose loss or gradient is not a finite number, before the weights are spoilt, and keeps the batch that did it.

DeepSpeed takes its step within the backward pass, so a gradient is looked at after it: that step's weights are spoilt, and no checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from adjudge import JobError, StageContext, write_json


class StopsWhenNotFinite:
    """Stands before a trainer of TRL in a class's bases; `stage` is set before training starts."""

    stage: StageContext
    _seen: tuple[int, tuple[Mapping[str, Any], ...]] = (0, ())
    """A step, and its batches so far."""

    def compute_loss(self: Any, model: Any, inputs: Mapping[str, Any], *args: Any, **options: Any) -> Any:
        step = self.state.global_step + 1
        self._seen = (step, (*self._seen[1], inputs) if self._seen[0] == step else (inputs,))
        found = super().compute_loss(model, inputs, *args, **options)  # type: ignore[misc]
        loss = found[0] if isinstance(found, tuple) else found
        if model.training and not torch.isfinite(loss):
            self.not_finite("loss", float(loss.detach()))
        return found

    def _get_grad_norm(self: Any, model: Any, *args: Any, **options: Any) -> Any:
        """The gradient's norm; float16's own scaler, where it is in use, takes care of overflows itself."""
        norm = super()._get_grad_norm(model, *args, **options)  # type: ignore[misc]
        if norm is not None and self.accelerator.scaler is None and not torch.isfinite(torch.as_tensor(norm)):
            self.not_finite("gradient", float(norm))
        return norm

    def not_finite(self: Any, what: str, value: float) -> None:
        """Save the step's batches, and raise a `JobError` that says where.

        A gradient is no number in every process at once, so each of several keeps its share under its rank.
        """
        step, batches = self._seen
        share = f"-rank-{self.accelerator.process_index}" if self.accelerator.num_processes > 1 else ""
        file = save_batches(self.stage, f"step-{step}{share}", batches, self.processing_class)
        raise JobError(
            f"stage {self.stage.name}: in step {step} the {what} is {value}. Its batch is in {file} and, as text, beside it.\n"
            "  Remedy: a lower learning_rate, another precision (trl: {bf16: ...}), or data without that batch, in another folder 'out';"
            " the checkpoints before this step are whole."
        )


def save_batches(stage: StageContext, name: str, batches: Sequence[Mapping[str, Any]], tokenizer: Any) -> str:
    """Every tensor of the batches, and every row of token ids as text, in files of this name; returns that of the tensors."""
    folder = stage.folder / "not-finite"
    tensors = {f"{number}.{key}": value for number, batch in enumerate(batches) for key, value in batch.items() if _is_tensor(value)}
    texts = {key: tokenizer.batch_decode(value) for key, value in tensors.items() if key.endswith("_ids") and value.ndim == 2}
    write_json(folder / f"{name}.json", texts)
    file = folder / f"{name}.safetensors"
    save_file({key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}, str(file))
    return str(file)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)
