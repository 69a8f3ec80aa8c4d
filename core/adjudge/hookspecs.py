"""Every hook that adjudge calls, and nothing else: a plugin is a module with functions of these names, marked `@hookimpl`.

Registration hooks return component classes and are asked once, when plugins are loaded. Observe hooks are told what happens
and return nothing; an exception in one is reported and never stops a run. ``docs/hooks.md`` is generated from this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pluggy

from .components import Aggregator, Dataset, Engine, Judge, PathScorer, Reporter, RewardRule, StageTrainer
from .records import Json, StageResult

if TYPE_CHECKING:
    from .run import Run
    from .stage import Stage

hookspec = pluggy.HookspecMarker("adjudge")
hookimpl = pluggy.HookimplMarker("adjudge")

# Registration -----------------------------------------------------------------------------------------------------------


@hookspec
def register_path_scorers() -> Iterable[type[PathScorer]]:
    """Path scorers: how good is a reasoning path? Used by ``adjudge_sft`` to choose among right paths. Example: ``rstar``."""
    raise NotImplementedError


@hookspec
def register_reward_rules() -> Iterable[type[RewardRule]]:
    """Reward rules: what is a path worth to reinforcement learning? Also used as measures in evaluation. Example: ``verdict``."""
    raise NotImplementedError


@hookspec
def register_aggregators() -> Iterable[type[Aggregator]]:
    """Aggregators: how do pairwise outcomes become a ranking? Example: ``elo``."""
    raise NotImplementedError


@hookspec
def register_stage_trainers() -> Iterable[type[StageTrainer]]:
    """Stage trainers: what one stage of training does. Example: ``grpo``."""
    raise NotImplementedError


@hookspec
def register_engines() -> Iterable[type[Engine]]:
    """Engines: where completions and log-probabilities come from. Example: ``hf``."""
    raise NotImplementedError


@hookspec
def register_judges() -> Iterable[type[Judge]]:
    """Judges: how a verdict is asked for and read. Example: ``rrm``."""
    raise NotImplementedError


@hookspec
def register_datasets() -> Iterable[type[Dataset]]:
    """Data sets: where problems come from. Example: ``preference``."""
    raise NotImplementedError


@hookspec
def register_reporters() -> Iterable[type[Reporter]]:
    """Reporters: who watches a run. Example: ``progress``."""
    raise NotImplementedError


# Observation ------------------------------------------------------------------------------------------------------------


@hookspec
def run_started(run: Run) -> None:
    """A run starts, or goes on after a stop; its folder and configuration are ready."""


@hookspec
def stage_started(run: Run, stage: Stage) -> None:
    """A stage starts or goes on; ``stage.totals`` says, once known, how many records of each name it will write."""


@hookspec
def record_written(stage: Stage, name: str, record: Mapping[str, Json]) -> None:
    """A record was appended to ``records/<name>.jsonl`` of a stage: a path, a score, a training step."""


@hookspec
def stage_finished(run: Run, stage: Stage, result: StageResult) -> None:
    """A stage is complete, its model saved and its evaluation included in the result's metrics."""


@hookspec
def run_finished(run: Run) -> None:
    """All stages are complete; the run's marker ``done.json`` is written after this hook."""
