"""AReaL's own executor of workflows with a judge as the reward: each group is judged as one call would judge it, undecided is rejected.

Runs where areal and what it imports are installed (docs/rewards/areal.md). The inference engine replays texts.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("areal.workflow.rlvr", reason="areal, or what it imports, is not installed")

from adjudge import ConfigError
from adjudge_rewards import open_reward

GROUPS = {"37+48": ["75", "85", "86", "85"], "12+30": ["42", "52", "41", "42"], "20+21": ["41", "31", "14", "42"]}


class Replay:
    """Answers each request for a prompt with the next of its texts, after a while."""

    def __init__(self, tokenizer: Any, groups: dict[str, list[str]]) -> None:
        self.tokenizer, self.rng = tokenizer, random.Random(0)
        self.left = {question: list(texts) for question, texts in groups.items()}

    def get_version(self) -> int:
        return 0

    async def agenerate(self, req: Any) -> Any:
        from areal.api import ModelResponse

        prompt = self.tokenizer.decode(req.input_ids)
        text = next(texts for question, texts in self.left.items() if question in prompt).pop(0)
        await asyncio.sleep(0.05 * self.rng.random())
        tokens = [*self.tokenizer(text, add_special_tokens=False).input_ids, self.tokenizer.eos_token_id]
        return ModelResponse(req.input_ids, tokens, [0.0] * len(tokens), [0] * len(tokens), tokenizer=self.tokenizer)


@pytest.fixture(scope="module")
def tokenizer(embedded: Path) -> Any:
    from areal.utils.hf_utils import load_hf_tokenizer

    return load_hf_tokenizer(str(embedded))


@pytest.fixture
def rollouts(tmp_path: Path, tokenizer: Any) -> Iterator[Callable[..., list[Any]]]:
    """What AReaL's executor gives for prompts that are under way together; a workflow for each, as AReaL makes them."""
    from areal.api.cli_args import GenerationHyperparameters, InferenceEngineConfig
    from areal.infra.remote_inf_engine import RemoteInfEngine
    from areal.infra.workflow_executor import WorkflowExecutor

    opened: list[Any] = []

    def run(groups: dict[str, list[str]], more: str = "", *, is_eval: bool = False, **columns: Any) -> list[Any]:
        file = tmp_path / f"reward-{len(opened)}.yaml"
        file.write_text(f"model: adjudge_arithmetic:model\naggregator: round-robin\ncache: false\n{more}")
        config = InferenceEngineConfig(max_concurrent_rollouts=64, consumer_batch_size=8, max_head_offpolicyness=8)
        executor = WorkflowExecutor(config, Replay(tokenizer, groups))
        executor.initialize(train_data_parallel_size=1)
        opened.append(executor)
        engine = RemoteInfEngine(config, None)
        engine.logger = logging.getLogger("areal")  # which it has once it is connected to servers
        settings = {"reward": str(file), "gconfig": GenerationHyperparameters(), "tokenizer": tokenizer}
        tasks = []
        for question, texts in groups.items():
            workflow = engine._resolve_workflow("adjudge_rewards.areal.AdjudgeWorkflow", settings, group_size=len(texts))
            row = {"messages": [{"role": "user", "content": question}], **columns}
            tasks.append(executor.submit(row, workflow, is_eval=is_eval))
        return [executor.wait_for_task(task, timeout=120) for task in tasks]

    yield run
    for executor in opened:
        executor.destroy()


def read(tokenizer: Any, found: Any) -> list[tuple[str, float]]:
    """The answer and the reward of each sample of a group."""
    texts = [
        tokenizer.decode([token for token, ours in zip(ids, mask, strict=True) if ours], skip_special_tokens=True)
        for ids, mask in zip(found["input_ids"].tolist(), found["loss_mask"].tolist(), strict=True)
    ]
    return list(zip(texts, found["rewards"].tolist(), strict=True))


def test_each_sample_has_its_place_in_its_group(rollouts: Any, tokenizer: Any) -> None:
    from areal.api.reward_api import AsyncRewardWrapper

    found = rollouts(GROUPS)
    with open_reward({"model": "adjudge_arithmetic:model", "aggregator": "round-robin"}) as reward:
        for (question, texts), one in zip(GROUPS.items(), found, strict=True):
            answers, values = zip(*read(tokenizer, one), strict=True)
            assert sorted(answers) == sorted(texts)
            assert values == pytest.approx(reward([question] * len(texts), answers))
    assert not AsyncRewardWrapper._executors, "whose clock gives 0 after 15 seconds"


def test_undecided_samples_are_rejected(rollouts: Any, tokenizer: Any) -> None:
    [some] = rollouts({"12+30": ["42", "52", "41", "24"]}, "budget: 1\n")
    assert len(read(tokenizer, some)) == 2, "the budget ends before the others are compared"
    [alone] = rollouts({"20+21": ["41"]})
    assert alone is None


def test_an_evaluation_is_a_share_of_points_against_the_anchors(rollouts: Any, tokenizer: Any) -> None:
    texts = ["42", "24", "41"]
    [found] = rollouts({"12+30": texts}, "anchor: solution\n", is_eval=True, solution="43")
    with open_reward({"model": "adjudge_arithmetic:model", "aggregator": "round-robin"}) as reward:
        wanted = reward.judged(["12+30"] * 3, texts, anchors=["43"] * 3)
    shares = {text: one.absolute for text, one in zip(texts, wanted, strict=True) if one.absolute is not None}
    assert dict(read(tokenizer, found)) == pytest.approx(shares)


def test_a_mistake_is_told_when_the_workflow_is_made(tokenizer: Any) -> None:
    from areal.api.cli_args import GenerationHyperparameters

    from adjudge_rewards.areal import AdjudgeWorkflow

    with pytest.raises(ConfigError, match="no such file"):
        AdjudgeWorkflow("/nowhere/reward.yaml", GenerationHyperparameters(), tokenizer)
