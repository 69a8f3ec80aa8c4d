"""Runs the stages in order, each from the previous one's model, and measures every judge on the way."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path as FilePath
from typing import Any

from .artifacts import find_model, load_judge
from .components import Dataset, Judge, Metrics, StageTrainer
from .config import RunConfig, dump
from .errors import ConfigError, DataError, blamed_on
from .jsonl import not_empty
from .judging import check_pairs, summarise
from .manager import Plugins
from .plan import Rates, plan_run
from .records import Json, Problem, StageResult
from .rundir import RunFolder, write_json
from .stage import Stage
from .workers import in_processes, join_launches


class Run:
    """One run: its configuration, its folder, and what has come out so far."""

    def __init__(self, config: RunConfig, plugins: Plugins, *, absent: bool = False) -> None:
        """`absent`: the model is on another machine, and this run can be planned and not executed."""
        self.config = config
        self.plugins = plugins
        self.folder = config.out
        plugins.require(config.requires)
        self._check_launch()
        self._check_engine()
        self.absent = absent
        self.base = FilePath(config.model) if absent else find_model(config.model)
        self.judge: Judge = config.judge or load_judge(self.base, plugins)
        self.results: list[dict[str, Json]] = []
        """``result.json`` of every complete stage, the base first."""

    def _check_launch(self) -> None:
        """Raise `ConfigError` where a stage cannot be shared out over the processes asked for."""
        if self.config.launch is None:
            return
        self.config.launch.check()
        for index, trainer in enumerate(self.config.stages):
            try:
                trainer.check_processes(self.config.launch.processes)
            except ValueError as error:
                raise ConfigError(
                    f"stages.{index}: {error}.\n  Remedy: change that, or launch.processes ({self.config.launch.processes})."
                ) from None

    def _check_engine(self) -> None:
        """Raise `ConfigError` where stages would be measured by a model that they do not train."""
        if self.config.stages and self.config.engine.own_model:
            raise ConfigError(
                f"engine: {self.config.engine.use!r} is answered by a model of its own, which the stages do not change.\n"
                "  Remedy: name an engine that loads models here, for example hf or vllm, and serve the trained model afterwards."
            )
        if self.config.stages and (on_top := self.config.engine.on_top()) is not None:
            raise ConfigError(
                f"engine: {on_top} would lie on top of every stage's weights, which it was not made for, while stages train"
                " without it.\n  Remedy: leave it out; to train on from adapters, write their folder as model."
            )

    def stage(self, index: int, model: FilePath) -> Stage:
        """The stage of this number, 0 for the base judge."""
        use = self.config.stages[index - 1].use if index else "base"
        return Stage(
            index=index,
            use=use,
            folder=self.folder / "stages" / f"{index}-{use}",
            records_folder=self.folder / "records",
            model=model,
            base=self.base,
            judge=self.judge,
            engine=self.config.engine,
            measures=self.config.evaluation.measures,
            seed=self.config.seed,
            written=lambda stage, name, record: self.tell("record_written", stage=stage, name=name, record=record),
        )

    def load_problems(self) -> tuple[list[Problem], dict[str, list[Problem]]]:
        """Training problems and evaluation sets; raises `ConfigError` for an empty one or a prompt on both sides."""
        train = _load(self.config.data, "data")
        tests = {name: _load(dataset, f"evaluation.sets.{name}") for name, dataset in self.config.evaluation.sets.items()}
        trained_on = {problem.prompt for problem in train}
        for name, problems in tests.items():
            shared = [problem.prompt for problem in problems if problem.prompt in trained_on]
            if shared:
                raise ConfigError(
                    f"evaluation.sets.{name}: {len(shared)} of its {len(problems)} prompts are also in data,"
                    f" for example {shared[0][:80]!r}.\n"
                    "  Remedy: give data 'part: train' and the evaluation set 'part: test' with the same test_share."
                )
        return train, tests

    def find_problems(self) -> tuple[list[Problem] | None, dict[str, list[Problem] | None], dict[str, str]]:
        """The same, except that where the model is absent data sets may be too: None, and by their fields why."""
        if not self.absent:
            train, tests = self.load_problems()
            return train, dict(tests), {}
        sets = {"data": self.config.data, **{f"evaluation.sets.{name}": dataset for name, dataset in self.config.evaluation.sets.items()}}
        found: dict[str, list[Problem] | None] = {}
        missing: dict[str, str] = {}
        for field, dataset in sets.items():
            try:
                found[field] = _load(dataset, field)
            except ConfigError as error:
                found[field], missing[field] = None, str(error).partition("\n")[0].removeprefix(f"{field}: ")
        train_or_none = found.pop("data")
        return train_or_none, {field.removeprefix("evaluation.sets."): problems for field, problems in found.items()}, missing

    def execute(self, rates: Rates | None = None) -> list[dict[str, Json]]:
        """Do what is not done yet, and return every stage's result; ``plan.json`` says before the first call what all of it will take."""
        if self.config.launch is not None and self.config.launch.machine_rank > 0:
            join_launches(self.config.launch, self.folder)
            return self._finished()
        train, tests = self.load_problems()
        folder = RunFolder(self.folder, self.config, self.plugins)
        try:
            self._write_plan(train, tests, rates)
            with self._watched():
                self.tell("run_started", run=self)
                model = self.base
                for index in range(len(self.config.stages) + 1):
                    model = self._do(self.stage(index, model), train, tests)
                self.tell("run_finished", run=self)
            write_json(self.folder / "done.json", {"stages": [result["name"] for result in self.results]})
        finally:
            folder.close()
        return self.results

    def _finished(self) -> list[dict[str, Json]]:
        """Every stage's result, once all of them are complete."""
        names = json.loads((self.folder / "done.json").read_text(encoding="utf-8"))["stages"]
        return [json.loads((self.folder / "stages" / name / "result.json").read_text(encoding="utf-8")) for name in names]

    def _write_plan(self, train: list[Problem], tests: dict[str, list[Problem]], rates: Rates | None) -> None:
        """Once, so that the estimate is the one made before the first call."""
        file = self.folder / "plan.json"
        if not file.exists():
            write_json(file, plan_run(self, train, tests, rates).to_json())

    def _do(self, stage: Stage, train: list[Problem], tests: dict[str, list[Problem]]) -> FilePath:
        """One stage, unless it is complete; returns its model."""
        file = stage.folder / "result.json"
        if not file.exists():
            stage.problems = train
            started = time.monotonic()
            self.tell("stage_started", run=self, stage=stage)
            trained = self._trained(stage)
            model = self._model(stage, trained)
            evaluation = self._evaluate(stage, model, tests)
            data = {
                "name": stage.name,
                "use": stage.use,
                **trained,
                "evaluation": evaluation,
                "seconds": round(time.monotonic() - started, 1),
            }
            self.tell("stage_finished", run=self, stage=stage, result=StageResult(model, {**trained["metrics"], "evaluation": evaluation}))
            write_json(file, data)
        self.results.append(json.loads(file.read_text(encoding="utf-8")))
        return self._model(stage, self.results[-1])

    def _model(self, stage: Stage, result: dict[str, Json]) -> FilePath:
        return stage.folder / str(result["model"]) if stage.index else self.base.absolute()

    def _trained(self, stage: Stage) -> dict[str, Json]:
        """Model and metrics of a stage, which is trained unless that was done before a stop in its evaluation."""
        if stage.index == 0:
            return {"model": self.config.model, "metrics": {}}
        file = stage.folder / "trained.json"
        if not file.exists():
            result = self._train(stage)
            inside = result.model.is_relative_to(stage.folder)
            write_json(
                file, {"model": str(result.model.relative_to(stage.folder) if inside else result.model), "metrics": dict(result.metrics)}
            )
        stage.drop_checkpoints()
        trained: dict[str, Json] = json.loads(file.read_text(encoding="utf-8"))
        return trained

    def _train(self, stage: Stage) -> StageResult:
        if self.config.launch is None:
            return self.train(stage)
        found = self._launched(stage, {"train": stage.problems})
        return StageResult(FilePath(found["model"]), found["metrics"])

    def train(self, stage: Stage) -> StageResult:
        """Train a stage in this process."""
        trainer: StageTrainer = self.config.stages[stage.index - 1]
        with blamed_on(trainer, "train"):
            result = trainer.train(stage)
            if not (isinstance(result, StageResult) and isinstance(result.model, FilePath)):
                raise TypeError(f"it returned {result!r}, not a StageResult with the model's folder as a Path")
            json.dumps(dict(result.metrics))  # now, while it is clear whose they are
            return result

    def _evaluate(self, stage: Stage, model: FilePath, tests: dict[str, list[Problem]]) -> dict[str, Metrics]:
        if not tests:
            return {}
        if self.config.launch is None or not self.config.engine.everywhere:
            return self.evaluate(stage, model, tests)
        found: dict[str, Metrics] = self._launched(stage, tests, model)
        return found

    def _launched(self, stage: Stage, problems: Mapping[str, Sequence[Problem]], trained: FilePath | None = None) -> Json:
        """What became of a stage's training, or of the evaluation of its trained model, in processes of their own."""
        assert self.config.launch is not None
        task = {
            "config": dump(self.config),
            "stage": stage.index,
            "model": str(stage.model),
            "trained": None if trained is None else str(trained),
            "problems": {name: [asdict(problem) for problem in some] for name, some in problems.items()},
        }

        def heard(name: str, total: int | None, record: Mapping[str, Json]) -> None:
            if total is not None:
                stage.totals[name] = total
            stage.written(stage, name, record)

        return in_processes(self.config.launch, stage.folder / "launch", stage.name, task, heard)

    def evaluate(self, stage: Stage, model: FilePath, tests: Mapping[str, list[Problem]]) -> dict[str, Metrics]:
        """Measure a stage's model in this process."""
        with stage.open(model) as session:
            return {
                name: summarise(problems, stage.sample(session, problems, f"evaluation-{name}"), stage.measures)
                for name, problems in tests.items()
            }

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """The run's reporters are registered while it lasts, and closed however it ends."""
        with ExitStack() as stack:
            for reporter in self.config.reporters:
                with blamed_on(reporter, "start"):
                    watcher = reporter.start(self)
                    stack.callback(_close, watcher)
                    self.plugins.hooks.register(watcher, name=f"reporter {reporter.use!r} ({id(watcher)})")
                    stack.callback(self.plugins.hooks.unregister, watcher)
            yield

    def tell(self, hook: str, **facts: Any) -> None:
        """Call an observe hook; an observer that raises is reported, and the others still hear of it."""
        for observer in getattr(self.plugins.hooks.hook, hook).get_hookimpls():
            try:
                observer.function(*(facts[name] for name in observer.argnames))
            except Exception as error:
                print(f"warning: {observer.plugin_name} raised in {hook}: {type(error).__name__}: {error}", file=sys.stderr)


def _load(dataset: Dataset, field: str) -> list[Problem]:
    """A data set's problems, all of them labelled pairs; a mistake is told with the field of the run file that names the data."""
    try:
        with blamed_on(dataset, "load"):
            problems = list(dataset.load())
    except DataError as error:
        raise DataError(f"{field}: {error}") from None
    not_empty(problems, field)
    check_pairs(problems, field, labelled=True)
    return problems


def _close(watcher: object) -> None:
    """Let a watcher give back what it holds, such as the terminal; one that raises is reported and hides no other error."""
    try:
        getattr(watcher, "close", lambda: None)()
    except Exception as error:
        print(f"warning: {type(watcher).__qualname__} raised in close: {type(error).__name__}: {error}", file=sys.stderr)
