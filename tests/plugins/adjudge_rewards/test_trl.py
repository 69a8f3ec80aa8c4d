"""TRL with a judge as its reward: real trainers, one process and two whose parts of a group are judged together, and OnlineDPO's order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adjudge import ConfigError, Plugins
from adjudge_rewards import TrlReward, open_reward

pytest.importorskip("trl")

TRAINING = """
import json, os, sys
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer
from adjudge_rewards import TrlReward

kind, model, file, out = sys.argv[1:]
reward = TrlReward(file, undecided="mean" if kind == "online-dpo" else "none")

class Watched(TrlReward):
    def __call__(self, prompts, completions, *args, **columns):
        values = super().__call__(prompts, completions, *args, **columns)
        rank = os.environ.get("RANK", "0")
        with open(f"{out}/seen-{rank}.jsonl", "a") as seen:
            seen.write(json.dumps([prompts, completions, values]) + "\\n")
        return values

reward.__class__ = Watched
rows = Dataset.from_list([{"prompt": f"{n}+30"} for n in range(10, 18)])
common = dict(output_dir=f"{out}/model", max_steps=2, logging_steps=1, report_to="none", use_cpu=True, bf16=False, save_strategy="no")
if kind in ("grpo", "rloo"):
    share = 4 // int(os.environ.get("WORLD_SIZE", "1"))
    Config, Trainer = {"grpo": (GRPOConfig, GRPOTrainer), "rloo": (RLOOConfig, RLOOTrainer)}[kind]
    config = Config(**common, per_device_train_batch_size=share, num_generations=4, max_completion_length=4, temperature=1.5)
    trainer = Trainer(model, reward, config, rows)
else:
    config = OnlineDPOConfig(**common, per_device_train_batch_size=2, max_new_tokens=4, missing_eos_penalty=None)
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(model)
    trainer = OnlineDPOTrainer(model, reward_funcs=reward, args=config, train_dataset=rows, processing_class=tokenizer)
trainer.train()
if os.environ.get("RANK", "0") == "0":
    json.dump(trainer.state.log_history, open(f"{out}/log.json", "w"))
"""


@pytest.fixture
def reward_file(tmp_path: Path) -> Path:
    """A reward by the embedded judge."""
    file = tmp_path / "reward.yaml"
    file.write_text("model: adjudge_arithmetic:model\naggregator: round-robin\nreward: win-rate\ncache: false\n")
    return file


@pytest.fixture
def train(tmp_path: Path, embedded: Path, reward_file: Path, forked: type[subprocess.Popen[str]]) -> Callable[..., list[Any]]:
    """Trains the embedded model for two steps in processes of its own; returns what the reward function saw and gave.

    They are forks, which need not import TRL once more.
    """

    def call(kind: str, processes: int = 1) -> list[Any]:
        script = tmp_path / "training.py"
        script.write_text(TRAINING)
        launch = [sys.executable] if processes == 1 else [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={processes}"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": "0", "ACCELERATE_USE_CPU": "true"}
        process = forked(
            [*launch, *(["--standalone"] if processes > 1 else []), str(script), kind, str(embedded), str(reward_file), str(tmp_path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
        return [[json.loads(line) for line in file.read_text().splitlines()] for file in sorted(tmp_path.glob("seen-*.jsonl"))]

    return call


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "processes"), [("grpo", 1), ("grpo", 2), ("rloo", 1)])
def test_grpo_and_rloo_train_on_it(train: Callable[..., list[Any]], reward_file: Path, tmp_path: Path, kind: str, processes: int) -> None:
    """A group that lies on two processes is judged once, as a whole; each gets its own part of what one process would have got."""
    seen = train(kind, processes)
    assert [len(calls) for calls in seen] == [2] * processes
    with open_reward(reward_file) as reward:
        for parts in zip(*seen, strict=True):
            prompts, completions, values = ([one for part in parts for one in part[field]] for field in range(3))
            assert len(prompts) == 4
            assert reward(prompts, completions, groups=prompts) == values
    logged = json.loads((tmp_path / "log.json").read_text())
    assert all("rewards/adjudge/mean" in one or "train_runtime" in one for one in logged), [sorted(one) for one in logged]
    assert all("adjudge/tokens" in one for one in logged[:-1]), sorted(logged[0])


@pytest.mark.slow
def test_online_dpo_trains_on_it(train: Callable[..., list[Any]]) -> None:
    """It hands over all first completions and then all second ones."""
    [calls] = train("online-dpo")
    for prompts, completions, values in calls:
        half = len(prompts) // 2
        assert prompts[:half] == prompts[half:]
        for one, other in zip(range(half), range(half, 2 * half), strict=True):
            assert None not in (values[one], values[other])
            assert values[one] + values[other] == pytest.approx(1 if completions[one] != completions[other] else 1.0)


def test_first_and_second_completions_may_lie_apart(model: Path, toys: Plugins) -> None:
    with open_reward({"model": str(model), "engine": "larger", "aggregator": "round-robin", "reward": "rank"}, toys) as reward:
        trl = TrlReward(reward)
        assert trl(prompts=["p", "q", "p", "q"], completions=["3", "2", "9", "1"], completion_ids=[[1]] * 4) == [0.0, 1.0, 1.0, 0.0]
        said = [[{"role": "user", "content": text}] for text in "pqpq"]
        told = [[{"role": "assistant", "content": text}] for text in "3291"]
        assert trl(said, told, trainer_state=None) == [0.0, 1.0, 1.0, 0.0]
        assert trl(["p"] * 3, ["3", "13", "4"]) == [0.0, None, 1.0]
        assert TrlReward(reward, undecided="mean")(["p"] * 3, ["3", "13", "4"]) == [0.0, 0.5, 1.0]


def test_a_column_has_the_anchors(model: Path, toys: Plugins) -> None:
    logged: dict[str, float] = {}
    with open_reward({"model": str(model), "engine": "larger", "aggregator": "round-robin", "reward": "rank"}, toys) as reward:
        trl = TrlReward(reward, anchor="solution")
        assert trl(["p"], ["7"], solution=[["4", "8"]], log_metric=logged.__setitem__) == [0.5]
        with pytest.raises(ConfigError, match=r"no column 'solution' \(they have: answer\)"):
            trl(["p"], ["7"], answer=["4"])
    assert logged["adjudge/absolute"] == 0.5


def test_mistakes_are_told_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        TrlReward(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match="did you mean 'round-robin'"):
        TrlReward({"model": "adjudge_arithmetic:model", "aggregator": "round-robi"})
