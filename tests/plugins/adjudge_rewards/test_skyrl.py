"""SkyRL with a judge as its reward: its own generator and environments, around which the batch's answers are ranked.

Runs where SkyRL is installed, which wants Python 3.12 and an environment of its own (``make test-rewards``); elsewhere it is skipped.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("skyrl", reason="SkyRL is not installed")
pytest.importorskip("skyrl.train.generators.base", reason="what SkyRL imports is not installed", exc_type=ImportError)

from adjudge import ConfigError, Plugins


class Policy:
    """An inference engine that says given texts to each prompt, the next one every time it is asked."""

    def __init__(self, tokenizer: Any, says: dict[str, list[str]], cut: str = "") -> None:
        self.tokenizer, self.says, self.cut, self.asked = tokenizer, says, cut, Counter[str]()

    async def generate(self, batch: Any, model: str | None = None) -> dict[str, Any]:
        texts = []
        for tokens in batch["prompt_token_ids"]:
            shown = self.tokenizer.decode(tokens)
            prompt = max(self.says, key=lambda known, shown=shown: shown.rfind(known))
            texts.append(self.says[prompt][self.asked[prompt] % len(self.says[prompt])])
            self.asked[prompt] += 1
            await asyncio.sleep(0)
        tokens = [[*self.tokenizer.encode(text, add_special_tokens=False), self.tokenizer.eos_token_id] for text in texts]
        return {"responses": texts, "response_ids": tokens, "stop_reasons": ["length" if text == self.cut else "stop" for text in texts]}

    async def finish_session(self, *_: Any) -> None:
        pass


@pytest.fixture
def generate(model: Path, toys: Plugins, embedded: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """SkyRL's generator inside ours, on prompts with the answers that its policy gives; by the judge of numbers."""
    from skyrl.train.config import GeneratorConfig, SkyRLGymConfig
    from skyrl.train.generators.base import TrajectoryID
    from skyrl.train.generators.skyrl_gym_generator import SkyRLGymGenerator
    from transformers import AutoTokenizer

    from adjudge_rewards.skyrl import RankedGenerator

    monkeypatch.setattr(Plugins, "load", lambda *_, **__: toys)
    (model / "reward.yaml").write_text(f"model: {model}\nengine: larger\naggregator: round-robin\nreward: rank\n")
    tokenizer = AutoTokenizer.from_pretrained(embedded)

    def call(says: dict[str, list[str]], env: str = "adjudge", anchor: str | None = None, cut: str = "", **config: Any) -> Any:
        cfg = GeneratorConfig(max_input_length=200, **config)
        inner = SkyRLGymGenerator(cfg, SkyRLGymConfig(max_env_workers=2), Policy(tokenizer, says, cut), tokenizer)
        ours = RankedGenerator(inner, tokenizer, model / "reward.yaml")
        ours.anchor = anchor
        rows = [(prompt, repetition) for repetition in range(4) for prompt in says if repetition < len(says[prompt])]
        batch = {
            "prompts": [[{"role": "user", "content": prompt}] for prompt, _ in rows],
            "env_classes": [env] * len(rows),
            "env_extras": [{"reward_spec": {"method": "rule", "ground_truth": "5"}} for _ in rows],
            "trajectory_ids": [TrajectoryID(prompt, repetition) for prompt, repetition in rows],
            "sampling_params": None,
            "batch_metadata": None,
        }
        output = asyncio.run(ours.generate(batch, disable_tqdm=True))
        totals: dict[str, dict[str, float]] = {}
        for (prompt, _), tokens, reward in zip(rows, output["response_ids"], output["rewards"], strict=True):
            total = sum(reward) if isinstance(reward, list) else reward
            assert isinstance(total, float)
            totals.setdefault(prompt, {})[tokenizer.decode(tokens, skip_special_tokens=True)] = total
        return totals, output

    return call


def test_the_answers_to_a_prompt_are_ranked_wherever_they_stand(generate: Callable[..., Any]) -> None:
    """More answers than SkyRL has threads for environments."""
    totals, output = generate({"37": ["3", "9", "5", "1"], "48": ["2", "7"]})
    assert totals == {"37": {"3": pytest.approx(1 / 3), "9": 1.0, "5": pytest.approx(2 / 3), "1": 0.0}, "48": {"2": 0.0, "7": 1.0}}
    assert output["rollout_metrics"]["adjudge/groups"] == 2
    assert all(isinstance(value, int | float) for name, value in output["rollout_metrics"].items() if name.startswith("adjudge/"))
    assert all(reward[:-1] == [0.0] * (len(reward) - 1) for reward in output["rewards"]), "at the last token"


def test_batches_that_skyrl_generates_at_once_are_ranked_too(generate: Callable[..., Any]) -> None:
    assert generate({"37": ["3", "9"]}, batched=True)[0] == {"37": {"3": 0.0, "9": 1.0}}


def test_an_undecided_answer_has_the_mean_of_its_group_and_is_counted(generate: Callable[..., Any]) -> None:
    totals, output = generate({"37": ["3", "13", "9"]})
    assert totals == {"37": {"3": 0.0, "13": 0.5, "9": 1.0}}
    assert output["rollout_metrics"]["adjudge/undecided"] == pytest.approx(1 / 3)


def test_an_environment_s_own_reward_is_added(generate: Callable[..., Any]) -> None:
    """gsm8k's gives 1 for ``#### 5``, which the judge of numbers cannot read."""
    totals, _ = generate({"37": ["#### 5", "3", "9"]}, env="gsm8k")
    assert totals == {"37": {"#### 5": 1.5, "3": 0.0, "9": 1.0}}


def test_the_environment_of_the_judge_gives_a_number(generate: Callable[..., Any]) -> None:
    """skyrl-gym hands None on without a word, and its generator stops at it."""
    import skyrl_gym

    step = skyrl_gym.make("adjudge", env_config={}, extras={}).step("9")
    assert (step["reward"], step["done"]) == (0.0, True)


def test_an_answer_cut_off_keeps_no_reward_where_skyrl_is_told_so(generate: Callable[..., Any]) -> None:
    assert generate({"37": ["3", "9"]}, cut="9", zero_reward_on_non_stop=True)[0] == {"37": {"3": 0.0, "9": 0.0}}
    assert generate({"37": ["3", "9"]}, cut="9")[0] == {"37": {"3": 0.0, "9": 1.0}}


def test_a_field_of_the_row_has_the_anchors(generate: Callable[..., Any]) -> None:
    assert generate({"37": ["7"]}, anchor="ground_truth")[0] == {"37": {"7": 1.0}}
    with pytest.raises(ConfigError, match="no field 'solution'"):
        generate({"37": ["7"]}, anchor="solution")


def test_rewards_of_single_steps_are_refused(generate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from skyrl_gym.envs.registration import register, registry

    from adjudge_rewards.skyrl import JudgedEnv

    class Twice(JudgedEnv):
        def step(self, action: str) -> Any:
            self.turns += 1
            return {**super().step(action), "done": self.turns == 2, "observations": [{"role": "user", "content": "again 37"}]}

    if "twice" not in registry:
        register(id="twice", entry_point=Twice)
    totals, _ = generate({"37": ["3", "9"]}, env="twice", max_turns=2)
    assert len(totals["37"]) == 2, "several turns are one trajectory"
    with pytest.raises(ConfigError, match="step_wise_trajectories=false"):
        generate({"37": ["3", "9"]}, env="twice", max_turns=2, step_wise_trajectories=True)
