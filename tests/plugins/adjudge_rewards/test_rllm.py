"""rLLM with a judge as its reward: its own transformation of episodes and its own GRPO, on groups that the hook has ranked.

Runs where a checkout of rLLM is on the path (``make test-rewards``); elsewhere it is skipped.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rllm", reason="rLLM is not installed")
pytest.importorskip("rllm.trainer.algorithms.transform", reason="what rLLM imports is not installed")

from adjudge import ConfigError, Plugins


@pytest.fixture
def hook(model: Path, toys: Plugins, monkeypatch: pytest.MonkeyPatch) -> Any:
    """By the judge of numbers."""
    from adjudge_rewards.rllm import RankedGroups

    monkeypatch.setattr(Plugins, "load", lambda *_, **__: toys)
    (model / "reward.yaml").write_text(f"model: {model}\nengine: larger\naggregator: round-robin\nreward: rank\n")
    return RankedGroups(model / "reward.yaml")


def episode(task: str, number: int, text: str, **more: Any) -> Any:
    """An attempt at a task, as rLLM's engine hands it over, with an evaluator's reward."""
    from rllm.types import Episode, Step, Task, Trajectory

    messages = [{"role": "user", "content": task}, {"role": "assistant", "content": text}]
    asked = Task(id=task, instruction=task, metadata=more)
    step = Step(chat_completions=messages, model_response=text, response_ids=[1], prompt_ids=[1])
    return Episode(id=f"{task}:{number}", task=asked, trajectories=[Trajectory(name="solver", task=asked, steps=[step], reward=1.0)])


def transformed(hook: Any, episodes: list[Any], **config: Any) -> list[Any]:
    from rllm.trainer.algorithms.config import TransformConfig
    from rllm.trainer.algorithms.transform import transform_episodes_to_trajectory_groups

    groups, metrics = transform_episodes_to_trajectory_groups(episodes, TransformConfig(**config), None, traj_grouping_hook=hook)
    assert metrics["groups/num_groups"] == len(groups)
    return list(groups)


def advantages(groups: list[Any]) -> list[list[float]]:
    """rLLM's, of GRPO."""
    import numpy as np
    from rllm.trainer.algorithms.rl_algo import calculate_grpo_advantages_per_group

    found = [calculate_grpo_advantages_per_group(np.array([one.reward for one in group.trajectories])) for group in groups]
    return [[float(value) for value in values] for values, _ in found]


def test_attempts_at_a_task_are_ranked_wherever_they_stand(hook: Any) -> None:
    attempts = [("p", 0, "3"), ("q", 0, "2"), ("p", 1, "9"), ("q", 1, "1"), ("p", 2, "5")]
    groups = transformed(hook, [episode(*one) for one in attempts])
    rewards = {group.group_id: [one.reward for one in group.trajectories] for group in groups}
    assert rewards == {"p:solver": [0.0, 1.0, 0.5], "q:solver": [1.0, 0.0]}


def test_an_undecided_attempt_has_no_advantage(hook: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "adjudge"):
        episodes = [episode("p", number, text) for number, text in enumerate(["3", "13", "9"])]
        [group] = groups = transformed(hook, episodes)
    assert [one.reward for one in group.trajectories] == [0.0, 0.5, 1.0]
    assert advantages(groups)[0][1] == 0.0
    assert [one.signals["adjudge_undecided"] for one in group.trajectories] == [0.0, 1.0, 0.0]
    assert all(one.signals["adjudge_tokens"] > 0 for one in group.trajectories)
    assert "1 of 3 trajectories are undecided" in caplog.text
    metrics = [one.metrics for one in episodes]
    assert [one["adjudge_undecided"] for one in metrics] == [0.0, 1.0, 0.0], "what rLLM logs of a validation's episodes"
    assert sum(one["adjudge_tokens"] for one in metrics) == sum(one.signals["adjudge_tokens"] for one in group.trajectories)


def test_one_attempt_alone_has_no_advantage(hook: Any) -> None:
    """rLLM takes the reward of a group of one for its advantage."""
    groups = transformed(hook, [episode("p", 0, "3")])
    assert advantages(groups) == [[0.0]]


def test_a_field_of_the_task_has_the_anchors(hook: Any) -> None:
    hook.anchor = "solution"
    [group] = transformed(hook, [episode("p", 0, "7", solution=["4", "8"])])
    assert group.trajectories[0].reward == 0.5
    assert group.trajectories[0].signals["adjudge_absolute"] == 0.5
    with pytest.raises(ConfigError, match="no field 'solution'"):
        transformed(hook, [episode("p", 0, "7", answer="4")])


def test_rewards_of_single_steps_are_refused(hook: Any) -> None:
    with pytest.raises(ConfigError, match="broadcast"):
        transformed(hook, [episode("p", 0, "7")], broadcast=False)
