"""tinker-cookbook with a judge as its reward: its own rollout of a group, whose answers all meet, with advantages as it computes them.

Runs where tinker-cookbook is installed, which has an environment of its own (``make test-rewards``); elsewhere it is skipped.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tinker_cookbook", reason="tinker-cookbook is not installed")

from adjudge import Plugins


@pytest.fixture
def builder(model: Path, toys: Plugins, embedded: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A group of `size` by the judge of numbers."""
    from tinker_cookbook.renderers import get_renderer
    from transformers import AutoTokenizer

    from adjudge_rewards.tinker import RankedGroupBuilder

    monkeypatch.setattr(Plugins, "load", lambda *_, **__: toys)
    (model / "reward.yaml").write_text(f"model: {model}\nengine: larger\naggregator: round-robin\nreward: rank\n")
    renderer = get_renderer("role_colon", AutoTokenizer.from_pretrained(embedded))

    def make(size: int, **more: Any) -> Any:
        return RankedGroupBuilder([{"role": "user", "content": "p"}], renderer, size, str(model / "reward.yaml"), **more)

    return make


def rollout(builder: Any, texts: list[str]) -> Any:
    """The cookbook's rollout of the group, in which the policy says these texts."""
    from tinker_cookbook.completers import TokenCompleter, TokensWithLogprobs
    from tinker_cookbook.rl.rollouts import do_group_rollout

    tokenizer, left = builder.policy_renderer.tokenizer, list(texts)

    class Policy(TokenCompleter):  # type: ignore[misc]
        async def __call__(self, model_input: Any, stop: Any, *_: Any, **__: Any) -> Any:
            tokens = tokenizer.encode(f" {left.pop(0)}\n\nUser:", add_special_tokens=False)
            return TokensWithLogprobs(tokens=tokens, maybe_logprobs=[0.0] * len(tokens))

    return asyncio.run(do_group_rollout(builder, Policy()))


def test_every_answer_of_a_group_of_five_is_compared(builder: Callable[..., Any]) -> None:
    """The cookbook's tournament leaves the fifth out."""
    from tinker_cookbook.rl.preference_envs import TournamentPattern, get_pairs_chunked

    theirs = get_pairs_chunked(5, TournamentPattern.ALL_PAIRS_BOTH_WAYS, 4)
    assert 4 not in {place for pair in theirs for place in pair}
    group = rollout(builder(5), ["3", "9", "5", "1", "7"])
    assert group.get_total_rewards() == [0.25, 1.0, 0.5, 0.0, 0.75]


def test_an_undecided_answer_has_no_advantage(builder: Callable[..., Any]) -> None:
    from tinker_cookbook.rl.data_processing import compute_advantages

    group = rollout(builder(3), ["3", "13", "9"])
    assert group.get_total_rewards() == [0.0, 0.5, 1.0]
    assert compute_advantages([group])[0].tolist() == [-0.5, 0.0, 0.5]
    assert [metrics["adjudge_undecided"] for metrics in group.metrics_G] == [0.0, 1.0, 0.0]
    assert all(metrics["adjudge_tokens"] > 0 for metrics in group.metrics_G)
    assert len({tuple(metrics) for metrics in group.metrics_G}) == 1
    assert all(isinstance(value, float) for metrics in group.metrics_G for value in metrics.values())


def test_a_group_in_which_nobody_is_decided_has_no_advantage(builder: Callable[..., Any]) -> None:
    assert rollout(builder(2), ["13", "7"]).get_total_rewards() == [0.0, 0.0]


def test_a_builder_travels_to_another_process(builder: Callable[..., Any]) -> None:
    again = pickle.loads(pickle.dumps(builder(2, anchors=("4", "8"))))
    group = rollout(again, ["7", "9"])
    assert group.get_total_rewards() == [0.0, 1.0]
    assert [metrics["adjudge_absolute"] for metrics in group.metrics_G] == [0.5, 1.0]
