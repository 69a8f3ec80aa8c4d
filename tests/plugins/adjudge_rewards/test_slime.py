"""slime's own rollout, evaluation, normalisation and contract tests with a judge as the reward: each group is judged as one call would.

Runs where slime's source is on the path with what it imports (docs/rewards/slime.md). SGLang is not there: texts are replayed by a function
of ``--custom-generate-function-path``.
"""

from __future__ import annotations

import ast
import asyncio
import copy
import itertools
import json
import os
import random
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("slime.rollout.sglang_rollout", reason="slime's source, or what it imports, is not there")

from adjudge import ConfigError
from adjudge_rewards import open_reward
from adjudge_rewards.slime import METRICS, UNDECIDED, post_process

GROUPS = {"37+48": ["75", "85", "86", "85"], "12+30": ["42", "52", "41", "42"], "20+21": ["41", "31", "14", "42"]}


async def generate(args: Any, sample: Any, sampling_params: Any) -> Any:
    """Replays the answer that a row says, after a while; one that hangs ends when slime gives the rollout up."""
    from slime.rollout.sglang_rollout import GenerateState

    rng = random.Random(sample.index)
    await asyncio.sleep(0.02 * rng.random())
    text = sample.metadata["answers"][sample.index % len(sample.metadata["answers"])]
    while text == "hangs":
        await asyncio.sleep(0.01)
        if GenerateState(args).aborted:
            sample.status = sample.Status.ABORTED
            return sample
    sample.response, sample.tokens, sample.response_length = f"{text}<|im_end|>", [1, 2], 1
    sample.status = sample.Status.COMPLETED
    if not sample.metadata.get("parts"):
        return sample
    first = copy.copy(sample)
    first.response = "thinking"
    return [first, sample]


@pytest.fixture
def arguments(tmp_path: Path, embedded: Path) -> Iterator[Callable[..., Any]]:
    """What slime's command line makes, with a reward's file of these lines."""
    from slime.utils.misc import SingletonMeta

    number = itertools.count()

    def make(more: str = "", *, group_rm: bool = True, **others: Any) -> Any:
        file = tmp_path / f"reward-{next(number)}.yaml"
        file.write_text(f"model: adjudge_arithmetic:model\naggregator: round-robin\ncache: false\n{more}")
        name = "group_reward" if group_rm else "reward"
        values = {
            "adjudge_reward": str(file), "group_rm": group_rm, "custom_rm_path": f"adjudge_rewards.slime.{name}",
            "custom_generate_function_path": f"{__name__}.generate", "hf_checkpoint": str(embedded), "n_samples_per_prompt": 4,
            "rollout_batch_size": 3, "sglang_server_concurrency": 64, "rollout_num_engines": 1, "sglang_dp_size": None,
            "rollout_temperature": 1.0, "rollout_top_p": 1.0, "rollout_top_k": -1, "rollout_max_response_len": 8, "rollout_stop": None,
            "rollout_stop_token_ids": None, "rollout_skip_special_tokens": False, "partial_rollout": False, "reward_key": None,
            "eval_reward_key": None, "rm_type": None, "advantage_estimator": "grpo", "rewards_normalization": True,
            "grpo_std_normalization": True, "sglang_router_ip": "127.0.0.1", "sglang_router_port": 1, "eval_max_prompt_len": None,
            "multimodal_keys": None, "apply_chat_template": False, "apply_chat_template_kwargs": {},
        }  # fmt: skip
        SingletonMeta._instances.clear()
        return Namespace(**{**values, **others})

    yield make
    SingletonMeta._instances.clear()


def samples_of(groups: dict[str, list[str]], **metadata: Any) -> list[list[Any]]:
    """Groups as slime's data source makes them."""
    from slime.utils.types import Sample

    made: list[list[Any]] = []
    for number, (prompt, answers) in enumerate(groups.items()):
        places = range(4 * number, 4 * number + len(answers))
        said = {"answers": answers, **metadata}
        made.append([Sample(prompt=prompt, label="42", group_index=number, index=place, metadata=dict(said)) for place in places])
    return made


def rolled_out(args: Any, groups: list[list[Any]]) -> list[list[Any]]:
    """What slime makes of groups that are under way at the same time."""
    from slime.rollout.sglang_rollout import generate_and_rm_group

    async def main() -> Any:
        return await asyncio.gather(*(generate_and_rm_group(args, group, {"max_new_tokens": 8}) for group in groups))

    found: list[list[Any]] = asyncio.run(main())
    return found


@pytest.mark.parametrize("group_rm", [True, False])
def test_each_sample_has_its_place_in_its_group(arguments: Any, group_rm: bool) -> None:
    from slime.rollout.filter_hub.base_types import call_dynamic_filter
    from slime.rollout.filter_hub.dynamic_sampling_filters import check_reward_nonzero_std

    args = arguments(group_rm=group_rm)
    found = rolled_out(args, samples_of(GROUPS))
    with open_reward(args.adjudge_reward) as reward:
        for (prompt, texts), group in zip(GROUPS.items(), found, strict=True):
            wanted = reward.judged([prompt] * 4, texts)
            assert [one.reward for one in group] == pytest.approx([one.value for one in wanted])
            assert all(type(one.reward) is float for one in group)
            assert bool(call_dynamic_filter(check_reward_nonzero_std, args, group).keep) is (len({one.value for one in wanted}) > 1)


@pytest.mark.parametrize("group_rm", [True, False])
def test_undecided_samples_have_the_mean_of_their_group(arguments: Any, group_rm: bool) -> None:
    args = arguments("budget: 1\n", group_rm=group_rm)
    [group] = rolled_out(args, samples_of({"12+30": ["42", "52", "41", "24"]}))
    known = [one.reward for one in group if UNDECIDED not in one.metadata]
    undecided = [one.reward for one in group if UNDECIDED in one.metadata]
    assert (len(known), len(undecided)) == (2, 2)
    assert undecided == pytest.approx([sum(known) / 2] * 2)
    raw, advantages = post_process(args, group)
    assert raw == [one.reward for one in group]
    assert [one for one, sample in zip(advantages, group, strict=True) if UNDECIDED in sample.metadata] == [0.0, 0.0]
    assert any(advantages) is (len(set(known)) > 1)


def test_a_sample_that_slime_gave_up_is_left_out(arguments: Any) -> None:
    from slime.rollout.rm_hub import batched_async_rm

    args = arguments()
    [group] = samples_of({"12+30": ["42", "52", "41", "24"]})
    for one, text in zip(group, GROUPS["12+30"], strict=True):
        one.response, one.status = text, one.Status.COMPLETED
    group[1].status = group[1].Status.ABORTED
    rewards = asyncio.run(batched_async_rm(args, group))
    with open_reward(args.adjudge_reward) as reward:
        low, middle, high = (one.value for one in reward.judged(["12+30"] * 3, ["42", "41", "42"]))
    assert rewards == pytest.approx([low, (low + middle + high) / 3, middle, high])
    assert [UNDECIDED in one.metadata for one in group] == [False, True, False, False]


@pytest.mark.parametrize("prompt", ["12+30", [{"role": "user", "content": "12+30"}]])
def test_a_name_for_the_reward_and_messages_as_the_prompt(arguments: Any, prompt: Any) -> None:
    args = arguments(reward_key="judge")
    [group] = samples_of({"12+30": GROUPS["12+30"]})
    for one in group:
        one.prompt = prompt
    [found] = rolled_out(args, [group])
    with open_reward(args.adjudge_reward) as reward:
        wanted = reward(["12+30"] * 4, GROUPS["12+30"])
    assert [one.get_reward_value(args) for one in found] == pytest.approx(wanted)


def test_a_rollout_that_slime_gives_up_frees_those_that_wait(arguments: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """slime's abort waits for all samples under way, and their siblings are not going to come."""
    from slime.rollout import sglang_rollout

    async def no_servers(*_: Any) -> Any:
        return {"workers": []}

    monkeypatch.setattr(sglang_rollout, "get", no_servers)
    monkeypatch.setattr(sglang_rollout, "abort_servers_until_idle", no_servers)
    args = arguments(group_rm=False, rollout_global_dataset=True)

    async def main() -> list[list[Any]]:
        state = sglang_rollout.GenerateState(args)
        groups = samples_of({"37+48": ["75", "85", "86", "hangs"]})
        state.submit_generate_tasks(groups)
        await asyncio.sleep(0.5)
        await asyncio.wait_for(sglang_rollout.abort(args, 0), timeout=60)
        return groups

    [group] = asyncio.run(main())
    assert [one.reward for one in group] == [None] * 4, "nobody judged them, and slime drops them"


def test_samples_of_one_generation_share_its_reward(arguments: Any) -> None:
    [group] = rolled_out(arguments(group_rm=False), samples_of({"12+30": GROUPS["12+30"]}, parts=True))
    args = arguments()
    with open_reward(args.adjudge_reward) as reward:
        wanted = reward(["12+30"] * 4, GROUPS["12+30"])
    assert [[part.reward for part in one] for one in group] == [pytest.approx([value] * 2) for value in wanted]
    with pytest.raises(ConfigError, match="leave --group-rm out"):
        rolled_out(args, samples_of({"12+30": GROUPS["12+30"]}, parts=True))


def test_mistakes_are_told(arguments: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADJUDGE_REWARD", raising=False)
    with pytest.raises(ConfigError, match="no reward is named"):
        rolled_out(arguments(adjudge_reward=None), samples_of({"12+30": ["42"]}))
    with pytest.raises(ConfigError, match="use --group-rm"):
        rolled_out(arguments(group_rm=False, partial_rollout=True, mask_offpolicy_in_partial_rollout=False), samples_of({"12+30": ["42"]}))


# Evaluation ----------------------------------------------------------------------------------------------------------------


def evaluated(args: Any, folder: Path) -> dict[str, Any]:
    """What slime's own evaluation says of a data set of two rows, with two samples each."""
    from slime.rollout import sglang_rollout
    from slime.utils.eval_config import EvalDatasetConfig

    rows = [{"input": "12+30", "label": "41"}, {"input": "20+21", "label": "42"}]
    file = folder / "eval.jsonl"
    file.write_text("".join(json.dumps({**row, "metadata": {"answers": ["42", "41"]}}) + "\n" for row in rows))
    config = EvalDatasetConfig(
        "sums", str(file), input_key="input", label_key="label", metadata_key="metadata", n_samples_per_eval_prompt=2,
        temperature=1.0, top_p=1.0, top_k=-1, max_response_len=8,
    )  # fmt: skip
    return asyncio.run(sglang_rollout.eval_rollout_single_dataset(args, 0, config))["sums"]  # type: ignore[no-any-return]


def test_an_evaluation_is_a_share_of_points_against_the_anchors(arguments: Any, tmp_path: Path) -> None:
    args = arguments("anchor: label\n", group_rm=False)
    found = evaluated(args, tmp_path)
    with open_reward(args.adjudge_reward) as reward:
        for sample, value in zip(found["samples"], found["rewards"], strict=True):
            [one] = reward.judged([sample.prompt], [sample.response.removesuffix("<|im_end|>")], anchors=[sample.label])
            assert value == (0.5 if one.absolute is None else one.absolute)
    with pytest.raises(ConfigError, match="set anchor: label"):
        evaluated(arguments(group_rm=False), tmp_path)


# What is logged ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], dict[str, float]]]:
    """What Weights & Biases has of slime's run, which stays on this machine."""
    import wandb

    for name in ("WANDB_SILENT", "WANDB_DISABLE_CODE", "WANDB_DISABLE_GIT"):
        monkeypatch.setenv(name, "true")
    run = wandb.init(mode="offline", dir=tmp_path)
    yield lambda: {name: float(value) for name, value in dict(run.summary).items() if "adjudge" in name or name.endswith("/step")}
    run.finish()


LOGGING = {"use_wandb": True, "use_tensorboard": False, "wandb_always_use_train_step": False, "log_reward_category": None}


@pytest.mark.parametrize("group_rm", [True, False])
def test_slime_logs_what_the_judge_took_for_a_group(arguments: Any, group_rm: bool, logged: Callable[[], dict[str, float]]) -> None:
    from slime.observability.rollout_metrics import log_rollout_data

    path = "adjudge_rewards.slime.log_rollout"
    more = {"custom_rollout_log_function_path": path, "load_debug_rollout_data": None, "rollout_num_gpus": 1, **LOGGING}
    args = arguments("reward: win-rate\n", group_rm=group_rm, **more)
    found = rolled_out(args, samples_of(GROUPS, parts=not group_rm))
    samples = [part for group in found for one in group for part in (one if isinstance(one, list) else [one])]
    log_rollout_data(3, args, samples, None, 1.0)
    told = logged()
    with open_reward(args.adjudge_reward) as reward:
        wanted = [reward.judged([prompt] * 4, texts) for prompt, texts in GROUPS.items()]
    assert told["rollout/adjudge_tokens"] == pytest.approx(sum(one.tokens for group in wanted for one in group) / 3)
    assert told["rollout/adjudge_seconds"] > 0
    assert (told["rollout/adjudge_undecided"], told["rollout/adjudge_absolute"], told["rollout/step"]) == (0.0, 0.0, 3.0)
    assert sum(METRICS in one.metadata for one in samples) == (12 if group_rm else 24), "and a generation is counted once"


def test_slime_logs_what_the_judge_took_in_an_evaluation(arguments: Any, tmp_path: Path, logged: Callable[[], dict[str, float]]) -> None:
    from slime.observability.rollout_metrics import log_eval_rollout_data

    more = {"custom_eval_rollout_log_function_path": "adjudge_rewards.slime.log_eval_rollout", "log_passrate": False, **LOGGING}
    args = arguments("anchor: label\n", group_rm=False, **more)
    found = evaluated(args, tmp_path)
    log_eval_rollout_data(5, args, {"sums": found}, None)
    told = logged()
    known = [one.metadata[METRICS] for one in found["samples"]]
    assert told["eval/sums/adjudge_tokens"] == pytest.approx(sum(one["adjudge_tokens"] for one in known) / 4)
    assert told["eval/sums/adjudge_absolute"] == pytest.approx(sum(one["adjudge_absolute"] for one in known) / 4)
    assert told["eval/step"] == 5.0


# Normalisation -------------------------------------------------------------------------------------------------------------


def slimes_own(args: Any, samples: list[Any]) -> Any:
    """What slime's method gives, from its source, for its module imports SGLang."""
    import slime.utils.types
    import torch

    source = (Path(slime.utils.types.__file__).parents[1] / "ray" / "rollout.py").read_text()
    [method] = [one for one in ast.walk(ast.parse(source)) if getattr(one, "name", "") == "_post_process_rewards"]
    names: dict[str, Any] = {"torch": torch, "Sample": slime.utils.types.Sample}
    exec(compile(ast.Module([method], []), "rollout.py", "exec"), names)
    return names["_post_process_rewards"](Namespace(args=args, custom_reward_post_process_func=None), samples)


@pytest.mark.parametrize("estimator", ["grpo", "reinforce_plus_plus_baseline", "ppo"])
def test_whole_groups_are_normalised_as_slime_does(arguments: Any, estimator: str) -> None:
    args = arguments("reward: win-rate\n", advantage_estimator=estimator)
    samples = [one for group in rolled_out(args, samples_of(GROUPS)) for one in group]
    (raw, values), (wanted_raw, wanted) = post_process(args, samples), slimes_own(args, samples)
    assert raw == wanted_raw
    assert values == pytest.approx(wanted, abs=1e-5)


def test_a_group_with_missing_samples_is_normalised_by_itself(arguments: Any) -> None:
    args = arguments("reward: rank\n", grpo_std_normalization=False)
    samples = [one for group in rolled_out(args, samples_of(GROUPS)) for one in group]
    for one, number in zip(samples, range(12), strict=True):
        one.reward = float(number)
    left = samples[:-1]
    _, values = post_process(args, left)
    assert values == pytest.approx([-1.5, -0.5, 0.5, 1.5] * 2 + [-1, 0, 1])
    assert slimes_own(args, left)[1] != pytest.approx(values), "slime takes the whole batch for one group"


# slime's own contract ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("group_rm", [True, False])
def test_slimes_contract_tests_pass(arguments: Any, group_rm: bool) -> None:
    import slime.utils.types

    args = arguments("anchor: label\n", group_rm=group_rm)
    root = Path(slime.utils.types.__file__).parents[2]
    environment = {**os.environ, "SLIME_CONTRACT_CUSTOM_RM_PATH": args.custom_rm_path, "ADJUDGE_REWARD": args.adjudge_reward}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/plugin_contracts/test_plugin_path_loading_contracts.py"],
        cwd=root, capture_output=True, text=True, check=False, env={**environment, "SLIME_CONTRACT_GROUP_RM": str(int(group_rm))},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
