"""One pool of paths for each world and seed, and judges fine-tuned on what is chosen of it; kept, so that several parts look at them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from without_labels_worlds import World

from adjudge import (
    Dataset,
    Engine,
    OpenJudge,
    Plugins,
    Problem,
    ReasoningPath,
    RewardRule,
    Stage,
    StageTrainer,
    find_model,
    load_judge,
    open_judge,
    stable_seed,
    validate,
    write_json,
)
from adjudge_sft import Sft
from adjudge_sft.select import select

PROBLEMS, PATHS, TESTS = 160, 8, 300
"""Problems of a pool, paths of each, and problems that every fine-tuned judge is tried on."""
RATE, EPOCHS = 2e-4, 3
PLUGINS = Plugins.load(autoload=False)


@dataclass(frozen=True)
class Pool:
    """The paths of one world and seed, by the judge as it ships."""

    world: World
    seed: int
    folder: Path

    @classmethod
    def of(cls, world: World, seed: int, folder: Path) -> Pool:
        """The pool that all parts share; `folder` is the one that a part is given."""
        return cls(world, seed, folder.parents[1] / "pools" / f"{world.name}-{seed}")

    @cached_property
    def problems(self) -> list[Problem]:
        return problems_of(self.world.data(PROBLEMS, self.seed))

    @cached_property
    def tests(self) -> list[Problem]:
        return problems_of(self.world.data(TESTS, self.seed, "test"))

    @cached_property
    def rule(self) -> RewardRule:
        return cast(RewardRule, validate(RewardRule, self.world.sound, PLUGINS, "measure"))

    def stage(self, name: str, problems: Sequence[Problem] | None = None) -> Stage:
        """A stage on the pool's problems with records of its own; sampled paths of the pool are its paths too."""
        folder, model = self.folder / name, find_model(self.world.model)
        engine = validate(Engine, "hf", PLUGINS, "engine")
        judge = load_judge(model, PLUGINS)
        asked = self.problems if problems is None else problems
        return Stage(1, "sft", folder, folder / "records", model, model, judge, engine, asked, [self.rule], self.seed)

    def sample(self) -> Sequence[ReasoningPath]:
        """The paths, problem by problem."""
        stage = self.stage("pool")
        with stage.open(stage.model) as session:
            return stage.sample(session, stage.problems, "paths", samples=PATHS)

    def trained(self, name: str, eligible: Any, scorer: Any) -> dict[str, Any]:
        """What was chosen by this rule and scorer, and the judge that was fine-tuned on it; its model stays in the folder of this name.

        Recipes that choose the same paths make the same judge, which is trained once: its model is in the folder of the first of them.
        """
        file = self.folder / name / "trained.json"
        if not file.exists():
            _ = self.by_id  # the pool is sampled
            stage = self.stage(name)
            shutil.copytree(self.folder / "pool" / "records", stage.records_folder, dirs_exist_ok=True)
            options = {"use": "sft", "eligible": eligible, "scorer": scorer, "paths": PATHS, "learning_rate": RATE, "epochs": EPOCHS}
            trainer = cast(Sft, validate(StageTrainer, options, PLUGINS, "stage"))
            selected, metrics = select(trainer, stage)
            chosen = [path.id for path in selected]
            judge = self.folder / "judges" / f"{stable_seed(*chosen):016x}.json"
            if not judge.exists():
                model = trainer.train(stage).model
                write_json(judge, {"tried": self.tried(model, self.tests), "model": str(model)})
            shares = self.shares(self.by_id[one] for one in chosen)
            shutil.rmtree(stage.records_folder)
            write_json(file, {"chosen": shares, "metrics": metrics, **json.loads(judge.read_text(encoding="utf-8"))})
        return cast(dict[str, Any], json.loads(file.read_text(encoding="utf-8")))

    @cached_property
    def by_id(self) -> dict[str, ReasoningPath]:
        return {path.id: path for path in self.sample()}

    @cached_property
    def before(self) -> dict[str, Any]:
        """The judge as it ships, on the problems that fine-tuned ones are tried on."""
        file = self.folder / "before.json"
        if not file.exists():
            write_json(file, self.tried(self.world.model, self.tests))
        return cast(dict[str, Any], json.loads(file.read_text(encoding="utf-8")))

    def tried(self, model: Path | str, problems: Sequence[Problem]) -> dict[str, Any]:
        """Accuracy and soundness of a judge on problems it was not trained on."""
        with open_judge(model, cache=False, seed=self.seed) as judge:
            paths = [path for verdict in judge.judge_each(problems) for path in verdict.paths]
        return self.shares(paths, problems)

    def shares(self, paths: Iterable[ReasoningPath], problems: Sequence[Problem] | None = None) -> dict[str, Any]:
        """Shares of paths that are right, sound, and of the right ones unsound (S-Corr)."""
        by_id = {problem.id: problem for problem in (self.problems if problems is None else problems)}
        told = [(bool(path.right(by_id[path.problem_id])), bool(self.rule.reward(by_id[path.problem_id], path))) for path in paths]
        right = [sound for is_right, sound in told if is_right]
        return {
            "paths": len(told),
            "right": fmean(right for right, _ in told) if told else None,
            "sound": fmean(sound for _, sound in told) if told else None,
            "s_corr": 1 - fmean(right) if right else None,
        }


def problems_of(data: dict[str, Any]) -> list[Problem]:
    return list(validate(Dataset, data, PLUGINS, "data").load())


def opened(world: World, seed: int) -> Any:
    """The world's judge as it ships."""
    return open_judge(world.model, cache=False, seed=seed)


__all__ = ["PATHS", "PLUGINS", "PROBLEMS", "TESTS", "OpenJudge", "Pool", "opened", "problems_of"]
