"""prime-rl on ranked episodes: its own rule for episodes with a failed attempt, and its own GRPO, on what ``vf-eval`` made of `RankedEnv`.

Runs where verifiers is installed and prime-rl's source is on the path (``make test-rewards``); elsewhere it is skipped. What is replaced is
the wire between prime-rl and the environment, and the tokens, which a chat endpoint does not tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("verifiers", reason="verifiers is not installed")
pytest.importorskip("prime_rl.orchestrator.envs", reason="prime-rl's source, or what it imports, is not there")

from .test_verifiers import endpoint, evaluate

__all__ = ["endpoint", "evaluate"]
Evaluate = Callable[..., list[dict[str, Any]]]


def received(record: dict[str, Any]) -> Any:
    """The episode as prime-rl takes it from its environment's server."""
    import verifiers.v1 as vf
    from prime_rl.orchestrator.envs import Env

    episode = vf.WireEpisode.model_validate(record)
    for trace in episode.traces:
        for node in trace.nodes:
            if node.message.role == "assistant":
                node.token_ids, node.mask = [1, 2], [True, True]

    class Replayed:
        async def run(self, **_: Any) -> Any:
            return episode

    env = Env.__new__(Env)
    env._env_client, env.sampling_args = Replayed(), {}
    return asyncio.run(env.run(None, "policy", None, {}))


def advantages(episode: Any) -> list[float]:
    """Of the traces that prime-rl trains on, by its GRPO."""
    from prime_rl.configs.algorithm import GRPOAlgoConfig
    from prime_rl.orchestrator.algo.base import iter_trainable_traces
    from prime_rl.orchestrator.algo.grpo import GRPOAlgorithm
    from prime_rl.orchestrator.algo.routing import scalar_advantage

    traces = [trace for _, trace in iter_trainable_traces([episode])]
    if traces:
        asyncio.run(GRPOAlgorithm(GRPOAlgoConfig(), None).finalize_group([episode]))
    return [scalar_advantage(trace) for trace in traces]


@pytest.mark.slow
def test_the_attempts_of_one_episode_are_a_group(evaluate: Evaluate) -> None:
    [record] = evaluate(["37+48"], "--env.id", "ranked_sums", "--env.n", "4")
    episode = received(record)
    rewards = [trace.reward for trace in episode.traces]
    assert len(set(rewards)) > 1
    assert advantages(episode) == pytest.approx([reward - sum(rewards) / 4 for reward in rewards])


@pytest.mark.slow
def test_one_undecided_attempt_costs_prime_rl_its_group_unless_it_gets_the_mean(evaluate: Evaluate) -> None:
    """prime-rl marks every attempt of an episode as failed where one is."""
    how = "aggregator: round-robin\nreward: win-rate\nbudget: 1\n"
    options = ("--env.id", "ranked_sums", "--env.n", "4")
    [record] = evaluate(["37+48"], *options, reward=how)
    assert [trace["ok"] for trace in record["traces"]].count(True) == 2, "verifiers keeps the others"
    assert advantages(received(record)) == []
    [record] = evaluate(["37+48"], *options, "--env.undecided", "mean", reward=how)
    assert record["ok"]
    undecided = [trace["metrics"]["adjudge_undecided"] == 1.0 for trace in record["traces"]]
    assert undecided.count(True) == 2
    found = advantages(received(record))
    assert len(found) == 4
    task = [trace["rewards"]["short"]["score"] for trace in record["traces"]]
    assert len(set(task)) == 1, "else the task's own reward has a say"
    assert [abs(one) < 1e-6 for one, open_one in zip(found, undecided, strict=True) if open_one] == [True, True]
