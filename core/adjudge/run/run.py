"""Runs the stages in order, each from the previous one's model, and measures every judge on the way."""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path as FilePath
from typing import Any

from adjudge.api.kinds import Dataset, Eligibility, Judge, PathScorer
from adjudge.api.options import dump
from adjudge.api.stages import StageTrainer
from adjudge.api.values import Json, Outcome, Problem, StageResult, stable_id
from adjudge.errors import ConfigError, DataError, JobError, boundary
from adjudge.host.observers import close, tell, watch
from adjudge.host.plugins import Plugins
from adjudge.host.run_file import RunConfig
from adjudge.judging.logprobs import check_statistics
from adjudge.judging.metrics import Metrics, check_measure, summarise
from adjudge.judging.requests import check_pairs
from adjudge.store.files import write_json
from adjudge.store.manifest import hash_of_folder, hash_of_problems
from adjudge.store.model_folder import find_model, load_judge
from adjudge.store.run_folder import RunFolder

from .stage import Stage

log = logging.getLogger("adjudge.run")


class Run:
    """One run: its configuration, its folder, and what has come out so far; see `RunInfo`."""

    def __init__(self, config: RunConfig, plugins: Plugins, *, absent: bool = False) -> None:
        """`absent`: the model is on another machine, and this run can be planned and not executed."""
        self.config, self.plugins, self.folder, self.absent = config, plugins, config.out, absent
        plugins.require(config.requires)
        for rule in config.evaluation.measures:
            check_measure(rule)
        self._check_launch()
        self._check_engine()
        self.base = FilePath(config.model) if absent else find_model(config.model)
        self.judge: Judge = config.judge or load_judge(self.base, plugins)
        with boundary(config.engine, "check_judge"):
            config.engine.check_judge(self.judge)
        for index, trainer in enumerate(config.stages):
            with boundary(trainer, "check_judge"):
                trainer.check_judge(self.judge, f"stages.{index}")
            for name, scorer in ((name, getattr(trainer, name)) for name in type(trainer).model_fields):
                if isinstance(scorer, PathScorer | Eligibility):
                    check_statistics(config.engine, getattr(scorer, "statistics", ()), f"stages.{index}.{name}")
        self.labelled = not config.stages or any(trainer.needs_labels for trainer in config.stages)
        self.results: list[dict[str, Json]] = []
        self.problems: Sequence[Problem] = ()
        self.tests: Mapping[str, Sequence[Problem]] = {}
        self.rates: Mapping[str, float | None] = {}

    def _check_launch(self) -> None:
        """Raise `ConfigError` where a stage cannot be shared out over the processes asked for."""
        if (launch := self.config.launch) is None:
            return
        launch.check()
        for index, trainer in enumerate(self.config.stages):
            try:
                trainer.check_processes(launch.processes)
            except ValueError as error:
                raise ConfigError(f"stages.{index}: {error}.\n  Remedy: change that, or launch.processes ({launch.processes}).") from None

    def _check_engine(self) -> None:
        """Raise `ConfigError` where stages would be measured by a model that they do not train."""
        if self.config.stages and self.config.engine.ignores_model_folder:
            raise ConfigError(
                f"engine: {self.config.engine.use!r} is answered by a model of its own, which the stages do not change.\n"
                "  Remedy: name an engine that loads models here, for example hf or vllm, and serve the trained model afterwards."
            )
        if self.config.stages and (label := self.config.engine.adapter_label()) is not None:
            raise ConfigError(
                f"engine: {label} would lie on top of every stage's weights, which it was not made for, while stages train"
                " without it.\n  Remedy: leave it out; to train on from adapters, write their folder as model."
            )

    def stage(self, index: int, model: FilePath) -> Stage:
        """The stage of this number, 0 for the base judge."""
        use = self.config.stages[index - 1].use if index else "base"
        folder, records = self.folder / "stages" / f"{index}-{use}", self.folder / "records"
        stage = Stage(index, use, folder, records, model, self.base, self.judge, self.config.engine, seed=self.config.seed)
        stage.measures = self.config.evaluation.measures
        stage.written = lambda stage, name, record: self.tell("record_written", stage=stage, name=name, record=record)
        return stage

    def load_problems(self) -> tuple[Sequence[Problem], dict[str, Sequence[Problem]]]:
        """Training problems and evaluation sets; raises `ConfigError` for an empty one, a prompt on both sides, what a stage refuses."""
        train = load_set(self.config.data, "data", self.labelled)
        tests = {name: load_set(dataset, f"evaluation.sets.{name}", self.labelled) for name, dataset in self.config.evaluation.sets.items()}
        trained_on = {hash(problem.prompt) for problem in train}  # prompts may be long
        for name, problems in tests.items():
            if shared := [problem.prompt for problem in problems if hash(problem.prompt) in trained_on]:
                raise ConfigError(
                    f"evaluation.sets.{name}: {len(shared)} of its {len(problems)} prompts are also in data, for example"
                    f" {shared[0][:80]!r}.\n  Remedy: give data 'part: train' and this set 'part: test' with the same test_share."
                )
        for index, trainer in enumerate(self.config.stages):
            with boundary(trainer, "check_problems"):
                trainer.check_problems(train, f"stages.{index}")
        return train, tests

    def execute(self, rates: Mapping[str, float | None] | None = None) -> list[dict[str, Json]]:
        """Do what is not done yet, and return every stage's result; failed calls of evaluations that were complete are made again."""
        if self.config.launch is not None and self.config.launch.follow(self.folder):
            return self._finished()
        train, tests = self.load_problems()
        self.problems, self.tests, self.rates = train, tests, rates or {}
        folder = RunFolder(self.folder, self.config, self.plugins, self._inputs(train, tests))
        try:
            with self._watched():
                self.tell("run_started", run=self)
                model = self.base
                for index in range(len(self.config.stages) + 1):
                    model = self._do(self.stage(index, model), train, tests)
                self.tell("run_finished", run=self)
            self._finish()
        finally:
            folder.close()
        return self.results

    def _inputs(self, train: Sequence[Problem], tests: Mapping[str, Sequence[Problem]]) -> dict[str, str]:
        """A hash of everything that is read, by the field that names it."""
        sets = {"data": train, **{f"evaluation.sets.{name}": problems for name, problems in tests.items()}}
        hashes = {field: hash_of_problems(problems) for field, problems in sets.items()}
        return {**hashes, "model": hash_of_folder(self.base), "judge": stable_id(dump(self.judge))}

    def _finish(self) -> None:
        """Mark the run as complete, unless a call of an evaluation has failed: the same command makes that again."""
        if failed := sum(failed_calls(result) for result in self.results):
            log.warning("calls of the evaluations that failed: %d; the same command makes them again", failed)
            return (self.folder / "done.json").unlink(missing_ok=True)
        return write_json(self.folder / "done.json", {"stages": [result["name"] for result in self.results]})

    def _finished(self) -> list[dict[str, Json]]:
        """Every stage's result, once all of them are complete."""
        names = json.loads((self.folder / "done.json").read_text(encoding="utf-8"))["stages"]
        return [json.loads((self.folder / "stages" / name / "result.json").read_text(encoding="utf-8")) for name in names]

    def _do(self, stage: Stage, train: Sequence[Problem], tests: Mapping[str, Sequence[Problem]]) -> FilePath:
        """One stage, unless it is complete; returns its model."""
        file = stage.folder / "result.json"
        before: dict[str, Json] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if not before or failed_calls(before):
            stage.problems = train
            started = time.monotonic()
            self.tell("stage_started", run=self, stage=stage)
            trained = self._trained(stage)
            model = self._model(stage, trained)
            evaluation = self._evaluate(stage, model, tests)
            seconds = before.get("seconds", 0) + round(time.monotonic() - started, 1)
            data = {"name": stage.name, "use": stage.use, **trained, "evaluation": evaluation, "seconds": seconds}
            self.tell("stage_finished", run=self, stage=stage, result=StageResult(model, {**trained["metrics"], "evaluation": evaluation}))
            write_json(file, data)
            self._check_readable(stage, evaluation)
        self.results.append(json.loads(file.read_text(encoding="utf-8")))
        return self._model(stage, self.results[-1])

    def _check_readable(self, stage: Stage, evaluation: Mapping[str, Metrics]) -> None:
        """Raise `JobError` before anything is trained where nothing that the base judge wrote can be read."""
        verdicts = [one["outcomes"][outcome.value] for one in evaluation.values() for outcome in Outcome if outcome.decided]
        if stage.index == 0 and self.config.stages and verdicts and not any(verdicts):
            remedy = f"Remedy: 'adjudge doctor --model {self.config.model}' finds a judge that it can follow."
            raise JobError(f"nothing that the model wrote is a verdict to judge {self.judge.use!r}; nothing is trained.\n  {remedy}")

    def _model(self, stage: Stage, result: dict[str, Json]) -> FilePath:
        return stage.folder / str(result["model"]) if stage.index else self.base.absolute()

    def _trained(self, stage: Stage) -> dict[str, Json]:
        """Model and metrics of a stage, which is trained unless that was done before a stop in its evaluation."""
        if stage.index == 0:
            return {"model": self.config.model, "metrics": {}}
        file, trainer = stage.folder / "trained.json", self.config.stages[stage.index - 1]
        if not file.exists():
            if self.config.launch is None:
                result = self.train(stage)
            else:
                found = self._launched(stage, {"train": stage.problems})
                result = StageResult(FilePath(found["model"]), found["metrics"])
            model = result.model.relative_to(stage.folder) if result.model.is_relative_to(stage.folder) else result.model
            write_json(file, {"model": str(model), "metrics": dict(result.metrics)})
        with boundary(trainer, "clean_up"):
            trainer.clean_up(stage)
        return json.loads(file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    def train(self, stage: Stage) -> StageResult:
        """Train a stage in this process."""
        trainer: StageTrainer = self.config.stages[stage.index - 1]
        stage.max_failed = self.config.max_failed
        with boundary(trainer, "train"):
            result = trainer.train(stage)
            if not (isinstance(result, StageResult) and isinstance(result.model, FilePath)):
                raise TypeError(f"it returned {result!r}, not a StageResult with the model's folder as a Path")
            json.dumps(dict(result.metrics), allow_nan=False)  # now, while it is clear whose they are
            return result

    def _evaluate(self, stage: Stage, model: FilePath, tests: Mapping[str, Sequence[Problem]]) -> dict[str, Metrics]:
        if tests and self.config.launch and (self.config.engine.per_process or self.config.launch.spreads_engines):
            return self._launched(stage, tests, model)  # type: ignore[no-any-return]
        return self.evaluate(stage, model, tests) if tests else {}

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

        def written(name: str, total: int | None, record: Mapping[str, Json]) -> None:
            if total is not None:
                stage.totals[name] = total
            stage.written(stage, name, record)

        with boundary(self.config.launch, "launch"):
            return self.config.launch.launch(stage, task, written)

    def evaluate(self, stage: Stage, model: FilePath, tests: Mapping[str, Sequence[Problem]]) -> dict[str, Metrics]:
        """Measure a stage's model in this process; failed calls are left out of its numbers, however many."""
        stage.max_failed = 1
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
                with boundary(reporter, "start"):
                    watcher = reporter.start(self)
                    stack.callback(close, watcher)
                    watch(self.plugins, watcher, reporter.use)
                    stack.callback(self.plugins.hooks.unregister, watcher)
            yield

    def tell(self, hook: str, **facts: Any) -> None:
        """Call an observe hook."""
        tell(self.plugins, hook, **facts)


def failed_calls(result: Mapping[str, Json]) -> int:
    """How many calls of a stage's evaluations failed and may come back when they are made again."""
    found = result["evaluation"].values()
    return sum(round(metrics["outcomes"]["failed"] * metrics["judgements"]) - metrics.get("skipped", 0) for metrics in found)


def load_set(dataset: Dataset, field: str, labelled: bool = True) -> Sequence[Problem]:
    """A data set's problems, all of them pairs, `labelled` or not; a mistake is told with the field of the run file that names the data."""
    try:
        with boundary(dataset, "load"):
            problems = found if isinstance(found := dataset.load(), Sequence) else list(found)
    except DataError as error:
        raise DataError(f"{field}: {error}") from None
    if not problems:
        raise DataError(f"{field}: the data set is empty.\n  Remedy: check the file and the options that choose rows.")
    check_pairs(problems, field, labelled=labelled)
    return problems
