"""What a component hands over is checked where it is handed over: the message names the component, and nothing wrong is counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any, Literal

import pytest

from adjudge import (
    Completion,
    JobError,
    Judge,
    Message,
    Order,
    Outcome,
    PathScorer,
    PluginError,
    Problem,
    ReasoningPath,
    Records,
    RewardRule,
    Run,
    RunConfig,
    Score,
    StageResult,
    StageTrainer,
    Verdict,
    boundary,
    build_requests,
    mean_reward,
    read_verdict,
    sample_paths,
    score_paths,
    validate,
)

PROBLEM = Problem("p", "q", ("a", "b"), 0)
PATHS = [ReasoningPath(name, "p", "given", 0, Completion(name), Verdict(Outcome.FIRST)) for name in ("one", "two")]


RESULTS: dict[str, Any] = {
    "nothing": None,
    "a name": StageResult("model"),  # type: ignore[arg-type]
    "odd metrics": StageResult(FilePath("model"), {"loss": 1j}),
}


class Careless(StageTrainer):
    """Leaves behind what no later stage can use."""

    use: Literal["careless"] = "careless"
    leaves: str
    """Which of `RESULTS`."""

    def train(self, stage: Any) -> Any:
        return RESULTS[self.leaves]


class Odd(PathScorer, RewardRule, Judge):
    """Gives back whatever it was made with, whatever it is asked for."""

    use: Literal["odd"] = "odd"
    order: Literal["random", "both", "fixed"] = "fixed"
    answer: Any = None
    """What."""

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Any) -> Any:
        return self.answer(paths)

    def reward(self, problem: Problem, path: ReasoningPath) -> Any:
        return self.answer

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return []

    def parse(self, text: str) -> Any:
        return self.answer


class Sampled:
    """An engine's session that answers with these indices."""

    def __init__(self, *indices: int) -> None:
        self.indices = indices

    def sample(self, prompts: Sequence[Any], **options: Any) -> Iterator[tuple[int, Completion]]:
        for index in self.indices:
            yield index, Completion("text")


@pytest.mark.parametrize(
    "scores",
    [
        lambda paths: None,
        lambda paths: [1.0 for _ in paths],
        lambda paths: [Score(path.id, math.nan) for path in paths],
        lambda paths: [Score(path.id, "high") for path in paths],
        lambda paths: [Score(path.id, 1.0) for path in reversed(paths)],
    ],
)
def test_scores_are_numbers_for_the_paths_asked_about(scores: Callable[[Any], Any]) -> None:
    with pytest.raises(PluginError, match=r"'odd' \(.*Odd\)"):
        score_paths(Odd(answer=scores), PROBLEM, PATHS, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("reward", ["high", math.nan, math.inf, (1.0,)])
def test_rewards_are_finite_numbers_or_none(reward: Any) -> None:
    with pytest.raises(PluginError, match=r"'odd' \(.*Odd\) returned .* from reward\(\)"):
        mean_reward(Odd(answer=reward), {"p": PROBLEM}, PATHS)
    assert mean_reward(Odd(answer=None), {"p": PROBLEM}, PATHS) is None
    assert mean_reward(Odd(answer=1), {"p": PROBLEM}, PATHS) == 1.0


def test_a_judge_reads_verdicts() -> None:
    with pytest.raises(PluginError, match=r"'odd' \(.*Odd\) raised in parse\(\): TypeError: it returned 'first', not a Verdict"):
        read_verdict(Odd(answer="first"), Completion("text"))


@pytest.mark.parametrize(
    ("indices", "message"),
    [((0,), "left 1 of 2 prompts without a completion"), ((0, 0, 1), "answered prompt 0 of 2 twice"), ((0, 2), "answered prompt 2 of 2")],
)
def test_an_engine_answers_every_prompt_once(indices: tuple[int, ...], message: str) -> None:
    judge = Odd(answer=Verdict(Outcome.FIRST))
    asks = build_requests([PROBLEM], judge, samples=2)
    assert len(list(sample_paths(Sampled(1, 0), judge, asks))) == 2  # type: ignore[arg-type]
    with pytest.raises(PluginError, match=message):
        list(sample_paths(Sampled(*indices), judge, asks))  # type: ignore[arg-type]


@pytest.mark.parametrize("leaves", RESULTS)
def test_a_trainer_returns_a_model_and_plain_metrics(world: Any, leaves: str) -> None:
    def register_stage_trainers() -> list[type[StageTrainer]]:
        return [Careless]

    world.observe("careless", register_stage_trainers)
    data = {
        "out": str(world.folder / "out"), "model": str(world.folder / "base"), "data": "words", "judge": "slash", "engine": "longer",
        "stages": [{"use": "careless", "leaves": leaves}], "reporters": [],
    }  # fmt: skip
    with pytest.raises(PluginError, match=r"'careless' \(.*Careless\) raised in train\(\): TypeError: "):
        Run(validate(RunConfig, data, world.plugins, "run.yaml"), world.plugins).execute()
    assert not (world.folder / "out" / "stages" / "1-careless" / "result.json").exists()


def test_ctrl_c_inside_a_lazy_import_is_still_a_stop() -> None:
    def load() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stop:
            raise ModuleNotFoundError("Could not import module") from stop

    with pytest.raises(KeyboardInterrupt), boundary(Odd(), "open"):
        load()


def test_a_full_disk_is_nobodys_plugin(tmp_path: FilePath) -> None:
    records = Records(tmp_path / "paths.jsonl")
    (tmp_path / "paths.jsonl").mkdir()
    with pytest.raises(JobError, match=r"paths\.jsonl cannot be written: .*\n  Remedy: make room"), boundary(Odd(), "sample"):
        records.append({"id": "one"})
