"""The kinds of component that train, launch, watch, probe and extend the command line, and what a stage and a run offer them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, Protocol, TypeVar

from pydantic import Field

from .kinds import Aggregator, Dataset, Eligibility, Engine, Judge, PathScorer, RewardRule, Session
from .options import Component
from .values import Json, JudgeRequest, Problem, ReasoningPath, StageResult, Work

Item = TypeVar("Item")
Record = TypeVar("Record")


@dataclass
class ProcessGroup:
    """This process's place among those of its stage; alone, unless a launcher says otherwise."""

    rank: int = 0
    """From 0; the process of rank 0 is the main one, which writes records, models and results."""
    size: int = 1

    @property
    def is_main_process(self) -> bool:
        return self.rank == 0

    def barrier(self) -> None:
        """Go on once every process has come here."""


class RecordFile(Protocol):
    """An append-only file of records, each of them a line of JSON with an ``id``; iterate for the records as mappings.

    The numbers of a completion's tokens are in files beside it: a mapping has their count, and `load` and `read` bring them back."""

    @property
    def ids(self) -> Set[Json]:
        """The ids of all records."""

    def __iter__(self) -> Iterator[dict[str, Json]]: ...

    def append(self, record: Any, **more: Json) -> None:
        """Append a mapping or a dataclass with an ``id``; one that is there changes nothing."""

    def load(self, cls: type[Record]) -> list[Record]:
        """All records as this dataclass; fields that it does not have are left out."""

    def read(self, cls: type[Record], ids: Iterable[Json]) -> Iterator[Record]:
        """The records of these ids as this dataclass, in this order, read one at a time."""

    def keep(self, wanted: Callable[[dict[str, Json]], bool]) -> None:
        """Drop the records that are not wanted, all at once or not at all."""


class StageContext(Protocol):
    """What a stage trainer is given: the model so far, the problems, the judge, the engine, and a place for records."""

    index: int
    use: str
    """The trainer's name; ``base`` for the model as it came."""
    folder: FilePath
    """Where the stage keeps its files; the model goes to ``folder / "model"``."""
    records_folder: FilePath
    model: FilePath
    """The previous stage's model folder."""
    base: FilePath
    """The run's first model folder."""
    judge: Judge
    engine: Engine
    problems: Sequence[Problem]
    measures: Sequence[RewardRule]
    """Rules whose means are reported beside the accuracy."""
    seed: int
    totals: dict[str, int]
    """How many records of a name this stage will have written when it is complete, where that is known."""
    process_group: ProcessGroup
    """The processes that work on this stage; each of them does the same in the same order."""

    @property
    def name(self) -> str:
        """Index and trainer, as ``2-sft``."""

    @property
    def trust_remote_code(self) -> bool:
        """Whether the run's engine lets Python code run that lies in a model folder; no engine does unless it is told to."""

    def open(self, model: FilePath) -> AbstractContextManager[Session]:
        """The engine with a model loaded."""

    def records(self, name: str, total: int | None = None) -> RecordFile:
        """The stage's record file of this name, and how many records it will hold; the main process writes it."""

    def shared(
        self, name: str, total: int | None = None, wanted: Callable[[dict[str, Json]], bool] = bool
    ) -> AbstractContextManager[RecordFile]:
        """A record file that every process fills with its shard; past the context it holds what all of them wrote."""

    def shard(self, items: Sequence[Item]) -> Sequence[Item]:
        """Which of the items this process asks the engine about."""

    def sample(self, session: Session, problems: Sequence[Problem], name: str, *, samples: int = 1) -> Sequence[ReasoningPath]:
        """Judge these problems and record every path; paths recorded before a stop are not made again, failed calls are.

        The paths stand problem by problem, in the order of the problems, and each is read from its record when it is asked for."""

    def with_logprobs(
        self, session: Session, problem: Problem, paths: Sequence[ReasoningPath], *, anew: bool = False
    ) -> list[ReasoningPath]:
        """The paths, with log-probabilities by the open model where they lack them, or `anew` for all that have tokens."""

    def finish_model(self, folder: FilePath) -> FilePath:
        """Save how the stage's model judges beside its weights, and return the folder."""


class RunInfo(Protocol):
    """What observers and reporters are told of a run."""

    folder: FilePath
    config: Any
    """The run file, validated: `adjudge.RunConfig`."""
    base: FilePath
    """The run's first model folder."""
    judge: Judge
    results: list[dict[str, Json]]
    """``result.json`` of every complete stage, the base first."""
    problems: Sequence[Problem]
    """Problems to train on; none before the run has started."""
    tests: Mapping[str, Sequence[Problem]]
    """Evaluation sets by name."""
    rates: Mapping[str, float | None]
    """What the call said of speed and prices: ``tokens_per_second``, ``price_in``, ``price_out``."""


class StageTrainer(Component):
    """One stage of training: takes the previous stage's model, leaves a better one."""

    kind = "stage trainer"
    hook = "register_stage_trainers"
    needs_labels = True

    def train(self, stage: StageContext) -> StageResult:
        """Train `stage.model` on `stage.problems`, save the outcome in `stage.folder / "model"`, and say what happened."""
        raise NotImplementedError

    def check_processes(self, processes: int) -> None:
        """Raise `ValueError` where these options cannot be shared out over so many processes; told before anything is done."""

    def check_judge(self, judge: Judge, field: str) -> None:
        """Raise `ConfigError` that names the stage's field where it cannot be trained with this judge; told before anything is done."""

    def check_problems(self, problems: Sequence[Problem], field: str) -> None:
        """Raise `ConfigError` that names the stage's field where it cannot be trained on the run's problems; told as `check_judge` is."""

    def plan(self, problems: Sequence[Problem], judge: Judge) -> Work:
        """What training on these problems will take, told before anything is done; a trainer that does not say is unknown, never 0."""
        return Work()

    def clean_up(self, stage: StageContext) -> None:
        """Let go of what only going on after a stop needed, such as checkpoints; called once it is on disk that the stage is trained."""


class Reporter(Component):
    """Watches a run; the object that `start` returns has observe hooks and lives for that run only."""

    kind = "reporter"
    hook = "register_reporters"

    def start(self, run: RunInfo) -> object:
        """An object with `@hookimpl` methods named like observe hooks; its `close()`, if any, is called however the run ends."""
        raise NotImplementedError


class Launcher(Component):
    """Works on a stage in several processes."""

    kind = "launcher"
    hook = "register_launchers"
    default = "accelerate"
    spreads_engines: ClassVar[bool] = False
    """Whether it spreads any engine's work by itself, so that an evaluation is launched for those that the main process alone opens too."""
    processes: Annotated[int, Field(ge=1)] = 1
    """Processes in all, over all machines: one per GPU. A step's batch is shared out among them and stays as large as it is."""

    def check(self) -> None:
        """Raise `ConfigError` where what it needs is not installed, or its settings cannot be used; told before anything is done."""

    def launch(self, stage: StageContext, task: Json, written: Callable[[str, int | None, Mapping[str, Json]], None]) -> Json:
        """What `adjudge_launch.do_task` makes of the task in every process, as the main one returns it; raises what one of them raises.

        `written` is to be called with every record that a process writes: its file's name, how many there will be, the record."""
        raise NotImplementedError

    def follow(self, run_folder: FilePath) -> bool:
        """On any machine but the first: take part until the run is complete, and return True. False = this is the first machine."""
        return False


class Probe(Component):
    """One part of the report on a judge's health: something that should not change a verdict, or figures of its verdicts."""

    kind = "probe"
    hook = "register_probes"

    def requests(self, problems: Sequence[Problem], judge: Judge, seed: int) -> list[JudgeRequest]:
        """Judgements that it needs besides those of the pairs as they are, made with `adjudge.build_requests`; none by default."""
        return []

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Json]:
        """Its part of the report: from the judgements of the pairs as they are, both orders, and those of its own requests."""
        raise NotImplementedError


KINDS = (PathScorer, Eligibility, RewardRule, Aggregator, StageTrainer, Engine, Judge, Dataset, Reporter, Launcher, Probe)
"""Every kind, in the order in which they are listed."""
