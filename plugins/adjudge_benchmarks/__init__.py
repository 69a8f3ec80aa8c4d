"""Published benchmarks of reward models and judges: each a data set with its groups and its authors' metric, one file each.

Importing this imports no data and nothing heavy; `adjudge bench NAME` judges and scores, docs/benchmarks.md explains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Command, Dataset

    from .benchmark import Benchmark, by_coin
    from .flags import refuse_flags
    from .judgements import Judged, Judgement, Scores, judged_by
    from .loading import Loaded, evenly, loaded
    from .objects import read_objects
    from .recorded_files import Recording, read_recorded, recordings
    from .row_sources import sources
    from .runner import exported, join, judge_problems, score_records
    from .statistics import Metric, bootstrap, proportion, stratified_bootstrap, weighted_mean

__all__ = [
    "Benchmark", "Judged", "Judgement", "Loaded", "Metric", "Recording", "Scores", "bootstrap", "by_coin", "evenly", "exported", "join",
    "judge_problems", "judged_by", "loaded", "proportion", "read_objects", "read_recorded", "recordings", "refuse_flags", "score_records",
    "sources", "stratified_bootstrap", "weighted_mean",
]  # fmt: skip
__getattr__ = lazy_names(__name__)


@hookimpl
def register_datasets() -> list[type[Dataset]]:
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

    return [AutoJ, JudgeBench, LlmBar, MtBench, PandaLm, PpeCorrectness, PpePreference, RewardBench, RewardBench2, RmBench, Rmb]


@hookimpl
def register_commands() -> list[Command]:
    from adjudge import Command

    from .command import EXAMPLE, bench

    return [Command("bench", bench, EXAMPLE)]
