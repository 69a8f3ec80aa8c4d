"""The embedded world: sums with a right and a plausible wrong answer, a tiny model that judges them, and a check of its reasoning.

No paper has this world; it is here because in it a chain of training runs for real on two cores, and because, unlike real data,
it can tell whether a path that reached the right verdict was *sound*: every written step true. The model in ``model/`` is a
Qwen2 made by ``python -m adjudge_arithmetic.pretrain``; it reasons soundly, carelessly, or merely guesses, each in its share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Dataset, RewardRule

    from .benchmark import ArithmeticLevels
    from .dataset import ArithmeticDataset
    from .pretrain import Draw, Schedule, make_model, save, train_phase
    from .soundness import Sound
    from .tokenizer import END, learn_tokenizer
    from .world import TEST_SHARE, columns, draw

__all__ = [
    "END", "TEST_SHARE", "ArithmeticDataset", "ArithmeticLevels", "Draw", "Schedule", "Sound", "columns", "draw", "learn_tokenizer",
    "make_model", "save", "train_phase",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_datasets() -> list[type[Dataset]]:
    from .benchmark import ArithmeticLevels
    from .dataset import ArithmeticDataset

    return [ArithmeticDataset, ArithmeticLevels]


@hookimpl
def register_reward_rules() -> list[type[RewardRule]]:
    from .soundness import Sound

    return [Sound]
