"""verl with a judge as its reward: verl's own reward loop on a local Ray, with one worker and with four, gives what one call would give.

Runs where verl is installed, which has an environment of its own (docs/rewards.md); elsewhere it is skipped.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("verl", reason="verl is not installed")
pytest.importorskip("ray", reason="ray is not installed")

from adjudge_rewards import open_reward

GROUPS = {"u1": ("37+48", ["75", "85", "86", "85"]), "u2": ("12+30", ["42", "52", "41", "42"])}
ALONE = {f"alone-{n}": (f"{n}+20", ["31"]) for n in range(11, 15)}
"""As many as make whole shares for four workers: verl fills the last share of a batch up with copies."""


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture
def reward_file(tmp_path: Path) -> Path:
    file = tmp_path / "reward.yaml"
    file.write_text("model: adjudge_arithmetic:model\naggregator: round-robin\n")
    return file


def config(model: Path, file: Path, workers: int) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.create(
        {
            "actor_rollout_ref": {"model": {"path": str(model), "tokenizer_path": None}, "rollout": {"n": 4, "val_kwargs": {"n": 1}}},
            "reward": {
                "num_workers": workers,
                "custom_reward_function": {"path": None, "name": "compute_score"},
                "reward_manager": {"source": "importlib", "name": "VerlReward", "module": {"path": "pkg://adjudge_rewards.verl"}},
                "reward_model": {"enable": False},
                "sandbox_fusion": None,
                "adjudge": str(file),
            },
        }
    )


def batch(model: Path, rows: list[tuple[str, str, str, str]]) -> Any:
    """What verl's agent loop hands to the reward loop: padded tokens, and what a row says."""
    import numpy as np
    import torch
    from tensordict import TensorDict
    from transformers import AutoTokenizer
    from verl import DataProto

    tokenizer = AutoTokenizer.from_pretrained(model)
    texts = [tokenizer(text, add_special_tokens=False).input_ids for _, _, text, _ in rows]
    width = max(map(len, texts))
    messages = np.empty(len(rows), dtype=object)
    messages[:] = [[{"role": "user", "content": prompt}] for _, prompt, _, _ in rows]
    tensors = {
        "prompts": torch.ones(len(rows), 1, dtype=torch.long),
        "responses": torch.tensor([text + [0] * (width - len(text)) for text in texts]),
        "attention_mask": torch.tensor([[1] * (1 + len(text)) + [0] * (width - len(text)) for text in texts]),
    }
    said = {
        "uid": np.array([uid for uid, _, _, _ in rows], dtype=object),
        "raw_prompt": messages,
        "extra_info": np.array([{"split": split} for _, _, _, split in rows], dtype=object),
    }
    return DataProto(batch=TensorDict(tensors, batch_size=len(rows)), non_tensor_batch=said)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_groups_spread_over_workers_are_judged_as_one(local_ray: None, embedded: Path, reward_file: Path, workers: int) -> None:
    from verl.experimental.reward_loop.reward_loop import RewardLoopManager

    rows = [(uid, prompt, text, "train") for uid, (prompt, texts) in GROUPS.items() for text in texts]
    rows += [(uid, prompt, text, "test") for uid, (prompt, texts) in ALONE.items() for text in texts]
    random.Random(0).shuffle(rows)
    manager = RewardLoopManager(config(embedded, reward_file, workers))
    made = manager.compute_rm_score(batch(embedded, rows))
    found = [float(row.sum()) for row in made.batch["rm_scores"]]
    with open_reward(reward_file) as reward:
        wanted = reward.judged([row[1] for row in rows], [row[2] for row in rows], groups=[row[0] for row in rows])
    assert found == pytest.approx([0.0 if one.value is None else one.value for one in wanted])
    assert len(set(found)) > 2
    undecided = made.non_tensor_batch["adjudge_undecided"].tolist()
    assert {"adjudge_absolute", "adjudge_tokens", "adjudge_seconds"} <= set(made.non_tensor_batch)
    assert undecided == [float(row[0] in ALONE) for row in rows], "one alone, in evaluation, waits for nobody and has no number of its own"
    for worker in manager.reward_loop_workers:
        import ray

        ray.kill(worker)
