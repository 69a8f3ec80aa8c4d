"""A plugin with one part of every kind, and a small run of them without any model: what the tests of hooks and runs watch."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path as FilePath
from types import ModuleType
from typing import Any, ClassVar, Literal

import pytest

from adjudge import (
    Aggregator,
    Completion,
    Dataset,
    Eligibility,
    Engine,
    Judge,
    Launcher,
    Match,
    Message,
    Order,
    Outcome,
    PathScorer,
    Plugins,
    Probe,
    Problem,
    Ranking,
    ReasoningPath,
    Reporter,
    RewardRule,
    Run,
    RunConfig,
    Score,
    Session,
    Stage,
    StageContext,
    StageResult,
    StageTrainer,
    Verdict,
    hookimpl,
    score_paths,
    validate,
)
from adjudge.host.plugins import Source
from adjudge_eligibility import eligible_paths


class Words(Dataset):
    """Which of two words is longer?"""

    use: Literal["words"] = "words"
    start: int = 2

    def load(self) -> Iterable[Problem]:
        for size in range(self.start, self.start + 3):
            yield Problem(f"w{size}", f"size {size}", ("a" * size, "b"), 0)


class Slash(Judge):
    """Words with slashes between them."""

    use: Literal["slash"] = "slash"
    order: Literal["random", "both", "fixed"] = "both"

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        shown = problem.answers if order == "given" else problem.answers[::-1]
        return [{"role": "user", "content": "/".join((problem.prompt, *shown))}]

    def parse(self, text: str) -> Verdict:
        found = re.search(r"(first|second)$", text)
        return Verdict(Outcome(found[1]), (0, found.start()), found.span()) if found else Verdict(Outcome.UNREADABLE)


class Longer(Engine):
    """Finds the longer word."""

    use: Literal["longer"] = "longer"

    @contextmanager
    def open(self, model: FilePath) -> Iterator[Session]:
        yield self

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **options: Any) -> Iterator[tuple[int, Completion]]:
        for index, [message] in enumerate(prompts):
            _, one, two = message["content"].split("/")
            text = f"{one} or {two}: {'first' if len(one) > len(two) else 'second'}"
            yield index, Completion(text, tuple(map(ord, text)), tuple(range(1, len(text) + 1)), (-1.0,) * len(text))

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        return [[-1.0] * len(tokens) for tokens in continuations]


class Size(PathScorer):
    """Length of the text."""

    use: Literal["size"] = "size"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [Score(path.id, float(len(path.completion.text)), {"problem": float(problem.id[1:])}) for path in paths]


class Swapped(Eligibility):
    """Only what was judged in the swapped order."""

    use: Literal["swapped"] = "swapped"

    def eligible(self, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
        assert problems.keys() == {path.problem_id for path in paths}
        return [path.order == "swapped" for path in paths]


class Quarter(RewardRule):
    """A quarter for every path shown as given, and nothing said of the others."""

    use: Literal["quarter"] = "quarter"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        return 0.25 if path.order == "given" else None


class Last(Aggregator):
    """One match of the ends, and who stood last is best if it was won by the first."""

    use: Literal["last"] = "last"

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        [outcome] = yield [Match(0, size - 1)]
        order = tuple(reversed(range(size))) if outcome == Outcome.FIRST else tuple(range(size))
        return Ranking(order, tuple(map(float, range(size))))


class Keep(StageTrainer):
    """Scores a path for every problem and keeps the model."""

    use: Literal["keep"] = "keep"
    scorer: PathScorer
    eligible: Eligibility | None = None

    def train(self, stage: Stage) -> StageResult:
        scores = stage.records("scores", total=len(stage.problems))
        with stage.open(stage.model) as session:
            for problem in stage.problems:
                paths = stage.sample(session, [problem], f"paths-{problem.id}")
                if self.eligible is not None:
                    told = eligible_paths(self.eligible, {problem.id: problem}, paths, session, stage.judge)
                    paths = [path for path, one in zip(paths, told, strict=True) if one]
                for score in score_paths(self.scorer, problem, paths, session):
                    scores.append({"id": score.path_id, "value": score.value, "parts": dict(score.parts)})
        (stage.folder / "model").mkdir(parents=True)
        return StageResult(stage.finish_model(stage.folder / "model"), {"kept": len(scores.ids)})


class Witness(Reporter):
    """Remembers what it is told."""

    use: Literal["witness"] = "witness"
    fails: bool = False

    def start(self, run: Any) -> object:
        if self.fails:
            raise OSError("no terminal")
        heard: list[tuple[str, Any]] = []

        class Object:
            close = staticmethod(lambda: heard.append(("close", None)))

            @hookimpl
            def stage_started(self, stage: Stage) -> None:
                heard.append(("stage_started", stage.name))

        run.heard = [*getattr(run, "heard", []), heard]
        return Object()


class Here(Launcher):
    """Every process is this one."""

    use: Literal["here"] = "here"
    runs: ClassVar[list[Run]] = []

    def launch(self, stage: StageContext, task: Any, written: Any) -> Any:
        run = self.runs[-1]
        stage = replace(stage, written=lambda stage, name, record: written(name, stage.totals.get(name), record))  # type: ignore[type-var]
        problems = {name: [Problem(**{**row, "answers": tuple(row["answers"])}) for row in rows] for name, rows in task["problems"].items()}
        if task["trained"] is not None:
            return run.evaluate(stage, FilePath(task["trained"]), problems)  # type: ignore[arg-type]
        result = run.train(stage)  # type: ignore[arg-type]
        return {"model": str(result.model), "metrics": {**result.metrics, "launched": True}}


class Loud(Probe):
    """How many judgements there are."""

    use: Literal["loud"] = "loud"

    def report(self, problems: Sequence[Problem], paths: Sequence[ReasoningPath], own: Sequence[ReasoningPath]) -> dict[str, Any]:
        return {"judgements": len(paths)}


PARTS: dict[str, type] = {
    "register_path_scorers": Size, "register_eligibility": Swapped, "register_reward_rules": Quarter, "register_aggregators": Last,
    "register_stage_trainers": Keep, "register_engines": Longer, "register_judges": Slash, "register_datasets": Words,
    "register_reporters": Witness, "register_launchers": Here, "register_probes": Loud,
}  # fmt: skip


def module_of(**functions: Callable[..., Any]) -> ModuleType:
    """A plugin's module with these functions as its hooks."""
    module = ModuleType("a_plugin")
    vars(module).update({name: hookimpl(function) for name, function in functions.items()})
    return module


def plugin(asked: Counter[str], without: str = "") -> ModuleType:
    """A plugin's module with all parts but one, which counts how often each hook is asked."""

    def hook(name: str, part: type) -> Callable[[], list[type]]:
        def function() -> list[type]:
            asked[name] += 1
            return [part]

        return function

    return module_of(**{name: hook(name, part) for name, part in PARTS.items() if name != without})


class World:
    """A run with that plugin in a folder of its own."""

    parts = PARTS
    plugin = staticmethod(plugin)

    def __init__(self, folder: FilePath) -> None:
        self.folder = folder
        self.asked: Counter[str] = Counter()
        self.plugins = Plugins()
        self.plugins.add(plugin(self.asked), Source("parts", "adjudge-parts", "1"))
        (folder / "base").mkdir(exist_ok=True)

    def observe(self, name: str, *functions: Callable[..., None]) -> None:
        """One more plugin, whose functions are its hooks."""
        module = module_of(**{function.__name__: function for function in functions})
        self.plugins.add(module, Source(name, f"adjudge-{name}", "1"))

    def run(self, reporters: Sequence[Any] = (), out: str = "out", **more: Any) -> Run:
        data = {
            "out": str(self.folder / out), "model": str(self.folder / "base"), "data": "words", "judge": "slash", "engine": "longer",
            "stages": [{"use": "keep", "scorer": "size"}], "reporters": list(reporters), "seed": 3,
            "evaluation": {"sets": {"far": {"use": "words", "start": 50}}, "measures": ["quarter"]}, **more,
        }  # fmt: skip
        return Run(validate(RunConfig, data, self.plugins, "run.yaml"), self.plugins)

    def records(self, name: str) -> list[dict[str, Any]]:
        file = self.folder / "out" / "records" / f"{name}.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def world(tmp_path: FilePath) -> World:
    return World(tmp_path)
