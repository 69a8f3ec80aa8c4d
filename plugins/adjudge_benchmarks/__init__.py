"""Published benchmarks of reward models and judges: each a data set with its groups and its authors' metric, one file each.

Importing this imports no data and nothing heavy; `adjudge bench NAME` judges and scores, docs/benchmarks.md explains.
"""

from __future__ import annotations

from collections.abc import Iterable

from adjudge import Dataset, hookimpl

from .auto_j import AutoJ
from .judgebench import JudgeBench
from .llmbar import LlmBar
from .mt_bench import MtBench
from .pandalm import PandaLm
from .ppe_correctness import PpeCorrectness
from .ppe_preference import PpePreference
from .rewardbench import RewardBench
from .rewardbench2 import RewardBench2
from .rm_bench import RmBench
from .rmb import Rmb
from .rows import sources

__all__ = ["sources"]


@hookimpl
def register_datasets() -> Iterable[type[Dataset]]:
    return [AutoJ, JudgeBench, LlmBar, MtBench, PandaLm, PpeCorrectness, PpePreference, RewardBench, RewardBench2, RmBench, Rmb]
