"""Every hook that adjudge calls, and nothing else: a plugin is a module with functions of these names, marked `@hookimpl`.

Registration hooks return component classes, or commands, and are asked once. Observe hooks are told what happens and return nothing; an
exception in one is reported and stops no run. `specname`, wrappers and order are pluggy's. ``docs/hooks.md`` is made from this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .kinds import Aggregator, Dataset, Eligibility, Engine, Judge, PathScorer, RewardRule
    from .stages import Launcher, Probe, Reporter, RunInfo, StageContext, StageTrainer
    from .values import Command, Json, StageResult

hookspec = pluggy.HookspecMarker("adjudge")
hookimpl = pluggy.HookimplMarker("adjudge")


@hookspec
def register_path_scorers() -> Iterable[type[PathScorer]]:
    """Path scorers: how good is a reasoning path? Used by ``adjudge_sft`` to choose among right paths. Example: ``rstar``."""


@hookspec
def register_eligibility() -> Iterable[type[Eligibility]]:
    """Eligibility rules: which paths may be chosen at all? Used by ``adjudge_sft`` and ``adjudge_grpo``. Example: ``label``."""


@hookspec
def register_reward_rules() -> Iterable[type[RewardRule]]:
    """Reward rules: what is a path worth to reinforcement learning? Also used as measures in evaluation. Example: ``verdict``."""


@hookspec
def register_aggregators() -> Iterable[type[Aggregator]]:
    """Aggregators: how do pairwise outcomes become a ranking? Example: ``elo``."""


@hookspec
def register_stage_trainers() -> Iterable[type[StageTrainer]]:
    """Stage trainers: what one stage of training does. Example: ``grpo``."""


@hookspec
def register_engines() -> Iterable[type[Engine]]:
    """Engines: where completions and log-probabilities come from. Example: ``hf``."""


@hookspec
def register_judges() -> Iterable[type[Judge]]:
    """Judges: how a verdict is asked for and read. Example: ``rrm``."""


@hookspec
def register_datasets() -> Iterable[type[Dataset]]:
    """Data sets: where problems come from. Example: ``preference``."""


@hookspec
def register_reporters() -> Iterable[type[Reporter]]:
    """Reporters: who watches a run. Example: ``progress``."""


@hookspec
def register_launchers() -> Iterable[type[Launcher]]:
    """Launchers: how does a stage work in several processes? Example: ``accelerate``, which is the default of ``launch``."""


@hookspec
def register_probes() -> Iterable[type[Probe]]:
    """Probes: what belongs to the report on a judge's health? All that are installed do. Example: ``position``."""


@hookspec
def register_commands() -> Iterable[Command]:
    """Commands of the command line, each a name, a function and an example. Example: ``rank``."""


@hookspec
def run_started(run: RunInfo) -> None:
    """A run starts, or goes on after a stop; its folder and configuration are ready."""


@hookspec
def stage_started(run: RunInfo, stage: StageContext) -> None:
    """A stage starts or goes on; ``stage.totals`` says, once known, how many records of each name it will write."""


@hookspec
def record_written(stage: StageContext, name: str, record: Mapping[str, Json]) -> None:
    """A record was appended to ``records/<name>.jsonl`` of a stage: a path, a score, a training step."""


@hookspec
def stage_finished(run: RunInfo, stage: StageContext, result: StageResult) -> None:
    """A stage is complete, its model saved and its evaluation included in the result's metrics."""


@hookspec
def run_finished(run: RunInfo) -> None:
    """All stages are complete; the run's marker ``done.json`` is written after this hook."""
