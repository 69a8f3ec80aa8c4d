"""A small world for the reporters to watch: sums, a judge that improves by stages, and trainers that write the records real ones do."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from adjudge import (
    Completion,
    Dataset,
    Engine,
    JobError,
    Judge,
    Outcome,
    Plugins,
    Problem,
    ReasoningPath,
    RewardRule,
    Run,
    RunConfig,
    StageContext,
    StageResult,
    StageTrainer,
    Verdict,
    hookimpl,
    mean_reward,
    read_run_file,
    validate,
)
from adjudge.host.plugins import Source


class Sums(Dataset):
    """Two-digit sums with a right and a wrong answer."""

    use: Literal["toy-sums"] = "toy-sums"
    size: Annotated[int, Field(gt=0)] = 40
    """Problems to draw."""
    seed: int = 0
    """Of the draw."""
    extra: str = ""
    """Text that stands in every prompt and in every judgement about it."""

    def load(self) -> Iterable[Problem]:
        rng = random.Random(self.seed)
        for index in range(self.size):
            a, b = rng.randint(10, 99), rng.randint(10, 99)
            wrong = a + b + rng.choice((-10, 10, -1, 1))
            label = rng.randint(0, 1)
            answers = (str(a + b), str(wrong)) if label == 0 else (str(wrong), str(a + b))
            yield Problem(f"{self.seed}-{index}", f"{a}+{b} #{self.seed}-{index} {self.extra}".strip(), answers, label)


class SumJudge(Judge):
    """Compares the sum with both answers."""

    use: Literal["toy-judge"] = "toy-judge"

    def prompt(self, problem: Problem, order: str) -> list[dict[str, str]]:
        one, other = problem.answers if order == "given" else problem.answers[::-1]
        return [{"role": "user", "content": f"{problem.prompt}\n1: {one}\n2: {other}"}]

    def parse(self, text: str) -> Verdict:
        found = re.search(r"\\boxed\{Assistant ([12])\}", text)
        if found is None:
            return Verdict(Outcome.UNREADABLE)
        return Verdict((Outcome.FIRST, Outcome.SECOND)[int(found[1]) - 1], (0, found.start()), found.span())


class Sound(RewardRule):
    """Whether every column is added truly."""

    use: Literal["toy-sound"] = "toy-sound"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        columns = re.findall(r"(\d)\+(\d)\+(\d)=(\d+)", path.completion.text)
        return float(bool(columns) and all(int(x) + int(y) + int(c) == int(total) for x, y, c, total in columns))


class SumEngine(Engine):
    """Writes traces that are as good as the model's skill."""

    use: Literal["toy-engine"] = "toy-engine"

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Any]:
        yield SumSession(json.loads((model / "skill.json").read_text()))


class SumSession:
    """One completion for each prompt, from its seed alone."""

    def __init__(self, skill: float) -> None:
        self.skill = skill

    def sample(self, prompts: Sequence[list[dict[str, str]]], *, seeds: Sequence[int], **settings: Any) -> Iterator[tuple[int, Completion]]:
        for index, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
            yield index, self.complete(prompt[0]["content"], random.Random(seed))

    def logprobs(self, prompt: list[dict[str, str]], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        raise NotImplementedError("the recorded ones are enough")

    def complete(self, prompt: str, rng: random.Random) -> Completion:
        chance = rng.random()
        if chance > 0.995:
            return Completion("", error="the endpoint closed the connection")
        text = trace(prompt, rng.random() < self.skill, rng)
        if chance < 0.06 * (1 - self.skill) * 2:
            text = text[: text.index("\n1 ")] + "\nso it is hard to say"
        ends = tuple(range(3, len(text) + 3, 3))
        spread = 0.35 * (1.15 - self.skill)
        logprobs = tuple(-abs(rng.gauss(0, spread)) for _ in ends)
        return Completion(text, tuple(range(len(ends))), tuple(min(end, len(text)) for end in ends), logprobs, truncated=chance > 0.985)


def trace(prompt: str, sound: bool, rng: random.Random) -> str:
    """The columns, the sum, both comparisons, the verdict; a slip in a column where the trace is not sound."""
    a, b, one, other = (int(found) for found in re.match(r"(\d+)\+(\d+).*?\n1: (\d+)\n2: (\d+)", prompt, re.DOTALL).groups())  # type: ignore[union-attr]
    lines, carry, total = re.findall(r"<.*>", prompt), 0, 0
    slip = None if sound else rng.randint(0, 1)
    for place in range(2):
        x, y = a // 10**place % 10, b // 10**place % 10
        column = x + y + carry + (rng.choice((-1, 1)) if slip == place else 0)
        lines.append(f"{x}+{y}+{carry}={column:02d}")
        carry, total = column // 10, total + column % 10 * 10**place
    total += carry * 100
    fits = [answer == total for answer in (one, other)]
    choice = fits.index(True) + 1 if any(fits) else rng.choice((1, 2))
    compared = [f"{number} {answer} {'yes' if fit else 'no'}" for number, answer, fit in zip((1, 2), (one, other), fits, strict=True)]
    return "\n".join([*lines, f"sum {total}", *compared, f"\\boxed{{Assistant {choice}}}"])


class ToyGrpo(StageTrainer):
    """Learns by steps and records each."""

    use: Literal["grpo"] = "grpo"
    skill: float = 0.9
    """Skill of the model it ends with, in [0, 1]."""
    steps: int = 30
    """Training steps."""
    fail_at: int | None = None
    """Step at which the stage fails; None = never."""

    def train(self, stage: StageContext) -> StageResult:
        rng = random.Random(stage.seed)
        start = float(json.loads((stage.model / "skill.json").read_text()))
        records = stage.records("steps", total=self.steps)
        for step in range(1, self.steps + 1):
            if step == self.fail_at:
                raise JobError("every group was skipped")
            share = start + (self.skill - start) * (1 - math.exp(-4 * step / self.steps)) + rng.gauss(0, 0.04)
            row = {"id": f"step-{step}", "step": step, "total": self.steps, "loss": 0.1, "reward": 2 * share - 1, "accuracy": share}
            records.append({**row, "skipped_groups": 0.2, "tokens": 41.0, "seconds": 0.1})
        return StageResult(save(stage, self.skill), {"steps": self.steps, "skipped_groups": 0.2})


class ToySft(StageTrainer):
    """Samples paths, scores the right ones, keeps the best of each problem."""

    use: Literal["sft"] = "sft"
    skill: float = 0.95
    """Skill of the model it ends with, in [0, 1]."""
    samples: int = 4
    """Paths per problem."""

    def train(self, stage: StageContext) -> StageResult:
        with stage.open(stage.model) as session:
            paths = stage.sample(session, stage.problems, "paths", samples=self.samples)
        scores, kept = stage.records("scores"), []
        for problem in stage.problems:
            mine = [path for path in paths if path.problem_id == problem.id and path.right(problem)]
            ranked = sorted(mine, key=lambda path: -math.prod(parts(path).values()))
            kept += ranked[:1]
            for place, path in enumerate(ranked):
                found = parts(path)
                scores.append({"id": f"score-{path.id}", "path_id": path.id, "problem_id": problem.id, "scorer": "rstar",
                               "value": math.prod(found.values()), "parts": found, "kept": place == 0})  # fmt: skip
        for step in range(1, 6):
            stage.records("steps", total=5).append({"id": f"step-{step}", "step": step, "total": 5, "loss": 1 / step})
        by_id = {problem.id: problem for problem in stage.problems}
        sound = {name: mean_reward(Sound(), by_id, group) for name, group in (("paths", paths), ("selected", kept))}
        return StageResult(save(stage, self.skill), {"kept": len(kept), "toy-sound": sound})


def parts(path: ReasoningPath) -> dict[str, float]:
    """Mean token probability of the reasoning and of the answer, roughly: the last tenth of the tokens."""
    probabilities = [math.exp(value) for value in path.completion.logprobs or ()]
    cut = len(probabilities) * 9 // 10
    return {"reasoning": sum(probabilities[:cut]) / cut, "answer": sum(probabilities[cut:]) / (len(probabilities) - cut)}


def save(stage: StageContext, skill: float) -> FilePath:
    folder = stage.folder / "model"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "skill.json").write_text(json.dumps(skill))
    return stage.finish_model(folder)


def plugin(name: str, **hooks: Callable[[], Any]) -> ModuleType:
    """A module with these hooks."""
    made = ModuleType(name)
    for hook, function in hooks.items():
        setattr(made, hook, hookimpl(function))
    return made


def world() -> ModuleType:
    """The plugin of this world."""
    return plugin(
        "toy_world",
        register_datasets=lambda: [Sums],
        register_judges=lambda: [SumJudge],
        register_reward_rules=lambda: [Sound],
        register_engines=lambda: [SumEngine],
        register_stage_trainers=lambda: [ToyGrpo, ToySft],
    )


def build_run(folder: FilePath, **changes: Any) -> Run:
    """A run of three stages on this world, with the real reporters and any changes to its run file."""
    import adjudge_plan
    import adjudge_report

    base = folder / "base"
    base.mkdir(parents=True, exist_ok=True)
    (base / "skill.json").write_text("0.4")
    plugins = Plugins()
    for built_in in (adjudge_plan, adjudge_report):
        plugins.add(built_in, Source(built_in.__name__, "adjudge", "0"))
    plugins.add(world(), Source("toy_world", "toy", "0"))
    settings: dict[str, Any] = {
        "out": str(folder / "run"),
        "model": str(base),
        "data": {"use": "toy-sums", "seed": 1},
        "stages": [{"use": "grpo", "skill": 0.8}, "sft", {"use": "grpo", "skill": 0.99}],
        "judge": "toy-judge",
        "engine": "toy-engine",
        "max_failed": 0.1,
        "evaluation": {"sets": {"standard": {"use": "toy-sums", "seed": 2, "size": 120}}, "measures": ["toy-sound"]},
        "reporters": ["html"],
    }
    return Run(validate(RunConfig, {**settings, **changes}, plugins, "run.yaml"), plugins)


@pytest.fixture
def make_run(tmp_path: FilePath) -> Callable[..., Run]:
    return lambda **changes: build_run(tmp_path, **changes)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was carried out with the html and card reporters."""
    run = build_run(tmp_path_factory.mktemp("finished"), reporters=["html", "card"])
    run.execute()
    return run


@pytest.fixture(scope="session")
def results(finished: Run) -> Mapping[str, Any]:
    """Every stage's ``result.json`` by the stage's name."""
    return {file.parent.name: json.loads(file.read_text()) for file in finished.folder.glob("stages/*/result.json")}


TRAINING = """
model: adjudge_arithmetic:model
data: {use: arithmetic, levels: [1, 2], size: 12}
reporters: [html, card]
stages:
  - {use: grpo, steps: 2, prompts_per_step: 4, group: 4, learning_rate: 5.0e-5}
  - {use: sft, scorer: rstar, paths: 4, keep: 2, batch: 4, learning_rate: 5.0e-5}
  - {use: grpo, only: hard, steps: 2, prompts_per_step: 4, group: 4, learning_rate: 5.0e-5}
evaluation:
  sets: {test: {use: arithmetic, part: test, levels: [1, 2], size: 10}}
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small run of the built-in trainers, for all tests that look at one."""
    folder, plugins = tmp_path_factory.mktemp("trained"), Plugins.load(autoload=False)
    (folder / "run.yaml").write_text(TRAINING)
    run = Run(read_run_file(folder / "run.yaml", [f"out={folder / 'run'}"], plugins), plugins)
    run.execute()
    return run
