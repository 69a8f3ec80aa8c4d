"""Fine-tuning on chosen paths: ReasonGRM's second stage, with any path scorer in the place of R⋆.

The paper: G paths per problem from the first stage's model, those that reach the right answer kept, the one with the highest R⋆
chosen, the model fine-tuned on it. It does not say G, nor whether fine-tuning starts from the first stage's model or from the
base: both are options here (`paths`, `start`). Also ours: `keep` may exceed one, and paths of the same text count once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import StageTrainer

    from .sft import Sft

__all__ = ["Sft"]

__getattr__ = lazy_names(__name__)


@hookimpl
def register_stage_trainers() -> Iterable[type[StageTrainer]]:
    from .sft import Sft

    return [Sft]
