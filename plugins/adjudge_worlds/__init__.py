"""Two more embedded worlds, tiny programs and instructions, each with a tiny judge and a check of its reasoning; hard paths for all three.

No paper has them. One domain is no evidence: what holds of sums may hold of sums alone. Both are made as the arithmetic world is: seeded
questions of graded difficulty, a tiny Qwen2 that reasons soundly, carelessly or merely guesses, each in its share, and an exact answer to
whether a path was *sound*. The judges lie in ``code/`` and ``instructions/``, made by ``python -m adjudge_worlds.pretrain``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Dataset, RewardRule

    from .adversarial import ArithmeticAdversarial, CodeAdversarial, InstructionsAdversarial, path_rows
    from .datasets import CodeDataset, InstructionsDataset
    from .open_ended import OpenInstructions
    from .soundness import SoundCode, SoundEmbedded, SoundInstructions

__all__ = [
    "ArithmeticAdversarial", "CodeAdversarial", "CodeDataset", "InstructionsAdversarial", "InstructionsDataset", "OpenInstructions",
    "SoundCode", "SoundEmbedded", "SoundInstructions", "path_rows",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_datasets() -> list[type[Dataset]]:
    from .adversarial import ArithmeticAdversarial, CodeAdversarial, InstructionsAdversarial
    from .datasets import CodeDataset, InstructionsDataset
    from .open_ended import OpenInstructions

    return [CodeDataset, InstructionsDataset, OpenInstructions, ArithmeticAdversarial, CodeAdversarial, InstructionsAdversarial]


@hookimpl
def register_reward_rules() -> list[type[RewardRule]]:
    from .soundness import SoundCode, SoundEmbedded, SoundInstructions

    return [SoundCode, SoundInstructions, SoundEmbedded]
