"""ms-swift with a judge as its reward: a real ``swift rlhf``, in one process and in two, and what its advantages make of the rewards.

Runs where ms-swift is installed, which has an environment of its own (``make test-rewards``); elsewhere it is skipped.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("swift", reason="ms-swift is not installed")
pytest.importorskip("swift.rewards", reason="ms-swift is not installed")

from adjudge import ConfigError, Plugins
from adjudge_rewards import decided, open_reward

PLUGIN = """
import json, os
from functools import partial
from swift.rewards import orms
from swift.callbacks import callbacks_map
from adjudge_rewards.swift import SwiftMetrics, SwiftReward

class Watched(SwiftReward):
    def __call__(self, completions, **columns):
        values = super().__call__(completions, **columns)
        prompts = [messages[:-1] for messages in columns["messages"]]
        with open(f"seen-{os.environ.get('RANK', '0')}.jsonl", "a") as seen:
            seen.write(json.dumps([prompts, completions, values, columns["prompt_id"]]) + "\\n")
        return values

orms["adjudge"], callbacks_map["adjudge_metrics"] = partial(Watched, "reward.yaml"), SwiftMetrics
"""


@pytest.fixture
def train(tmp_path: Path, embedded: Path) -> Callable[..., list[Any]]:
    """``swift rlhf`` on the embedded model for two steps; returns what each process's reward function saw and gave."""

    def call(processes: int) -> list[Any]:
        (tmp_path / "plugin.py").write_text(PLUGIN)
        (tmp_path / "reward.yaml").write_text("model: adjudge_arithmetic:model\naggregator: round-robin\nreward: win-rate\ncache: false\n")
        rows = [{"messages": [{"role": "user", "content": f"{n}+30"}]} for n in range(10, 18)]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        command = [
            str(Path(sys.executable).parent / "swift"), "rlhf", "--rlhf_type", "grpo", "--model", str(embedded), "--model_type", "qwen2",
            "--template", "chatml", "--tuner_type", "full", "--torch_dtype", "float32", "--dataset", "rows.jsonl",
            "--split_dataset_ratio", "0", "--external_plugins", "plugin.py", "--reward_funcs", "adjudge", "--num_generations", "4",
            "--callbacks", "adjudge_metrics",
            "--per_device_train_batch_size", str(4 // processes), "--gradient_accumulation_steps", "1", "--max_completion_length", "4",
            "--temperature", "3", "--max_steps", "2", "--logging_steps", "1", "--save_strategy", "no", "--report_to", "none",
            "--output_dir", "out", "--use_cpu", "true", "--max_length", "200", "--dataloader_num_workers", "0", "--dataset_num_proc", "1",
        ]  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "MODELSCOPE_CACHE": str(tmp_path / "cache")}
        if processes > 1:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                environment |= {"NPROC_PER_NODE": str(processes), "MASTER_PORT": str(free.getsockname()[1])}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=500)
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
        return [[json.loads(line) for line in file.read_text().splitlines()] for file in sorted(tmp_path.glob("seen-*.jsonl"))]

    return call


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_swift_trains_on_it(train: Callable[..., list[Any]], tmp_path: Path, processes: int) -> None:
    """A group that lies on two processes is judged once, as a whole; each gets its own part of what one process would have got."""
    seen = train(processes)
    assert [len(calls) for calls in seen] == [2] * processes
    spread = []
    with open_reward(tmp_path / "reward.yaml") as reward:
        for parts in zip(*seen, strict=True):
            prompts, completions, values, groups = ([one for part in parts for one in part[field]] for field in range(4))
            assert len(prompts) == 4
            assert len(set(groups)) == 1
            wanted = decided(reward.judged(prompts, completions), groups, "mean")
            assert values == pytest.approx(wanted, abs=1 / 1024)
            spread.append(len(set(values)))
    assert max(spread) > 1
    [log] = (tmp_path / "out").rglob("logging.jsonl")
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    trained = [one for one in steps if "reward" in one]
    assert [one["adjudge/groups"] for one in trained] == [1.0, 1.0], "whatever the number of processes"
    assert all(one["adjudge/samples"] == 4 and one["adjudge/tokens"] > 0 and one["adjudge/seconds"] > 0 for one in trained)


@pytest.fixture
def reward(model: Path, toys: Plugins, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of the judge of numbers."""
    from adjudge_rewards.swift import SwiftReward

    monkeypatch.setattr(Plugins, "load", lambda *_, **__: toys)
    (model / "reward.yaml").write_text(f"model: {model}\nengine: larger\naggregator: round-robin\nreward: rank\n")
    return SwiftReward(model / "reward.yaml")


def called(reward: Any, texts: list[str], groups: list[str] | None = None, **columns: Any) -> list[float]:
    """As ms-swift calls it."""
    messages = [[{"role": "user", "content": "p"}, {"role": "assistant", "content": text}] for text in texts]
    values = reward(texts, messages=messages, prompt_id=groups or ["g"] * len(texts), trainer_state=None, **columns)
    assert all(isinstance(value, float) for value in values)
    return list(values)


def advantages(values: list[float | None], scale: str, size: int) -> list[float]:
    import torch
    from swift.rl_core.advantage import compute_advantages

    numbers = torch.tensor([[float("nan") if value is None else value] for value in values], dtype=torch.float32)
    found: list[float] = compute_advantages(numbers, torch.ones(1), size, scale_rewards=scale)[0].tolist()
    return found


def test_an_undecided_completion_has_no_advantage(reward: Any, caplog: pytest.LogCaptureFixture) -> None:
    """None would count as 0 in the group's mean, and be the best among negative rewards."""
    assert advantages([None, -0.5, -0.5, -1.0], "group", 4)[0] > 1
    values = called(reward, ["3", "13", "9"])
    assert values == [0.0, 0.5, 1.0]
    assert advantages(values, "group", 3)[1] == 0.0


def test_groups_of_draws_have_no_advantage_by_rounding(reward: Any) -> None:
    """Where a group's spread is rounding alone, gdpo divides by it; what the adapter gives has none."""
    from adjudge_rewards.swift import EXACT

    assert min(map(abs, advantages([0.1] * 8 + [0.7] * 8, "gdpo", 8))) > 0.5
    for size in range(2, 17):
        for value in (0.1, 0.7, 1 / 3):
            exact = round(value * EXACT) / EXACT
            assert advantages([exact] * size + [1 - exact] * size, "gdpo", size) == [0.0] * 2 * size
    values = called(reward, ["3", "3", "3", "9", "9", "9"], ["a"] * 3 + ["b"] * 3)
    assert values == [0.5] * 6
    thirds = called(reward, ["1", "2", "3", "4"])
    assert all((value * EXACT).is_integer() for value in thirds)
    assert thirds == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=1 / EXACT)


def test_what_was_asked_is_what_several_turns_have_in_common(reward: Any) -> None:
    from adjudge_rewards.swift import _shared

    first = {"role": "user", "content": "p"}
    one = [first, {"role": "assistant", "content": "a"}, {"role": "user", "content": "go on"}]
    other = [first, {"role": "assistant", "content": "b"}, {"role": "user", "content": "go on"}]
    assert _shared(one, other) == [first]
    assert _shared([first], one) == [first]
    turns = [[*one, {"role": "assistant", "content": "3"}], [*other, {"role": "assistant", "content": "9"}]]
    assert reward(["3", "9"], messages=turns, prompt_id=["g", "g"]) == [0.0, 1.0]


def test_a_column_has_the_anchors(model: Path, reward: Any) -> None:
    reward.anchor = "solution"
    assert called(reward, ["7"], solution=[["4", "8"]]) == [0.5]
    with pytest.raises(ConfigError, match="no column 'solution'"):
        called(reward, ["7"], answer=["4"])


def test_a_mistake_in_the_file_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    from adjudge_rewards.swift import SwiftReward

    with pytest.raises(ConfigError, match="no such file"):
        SwiftReward(tmp_path / "nowhere.yaml", args=None)
