"""The `trl:` table and `lora` of the training stages: what is refused where, and what reaches TRL."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

import pytest
from pydantic import ValidationError

from adjudge import ConfigError, Plugins, RunConfig, Stage, validate
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge
from adjudge_rstar import Random
from adjudge_sft import Sft


def run(stage: dict[str, Any], plugins: Plugins) -> RunConfig:
    data = {"out": "runs/x", "model": "adjudge_arithmetic:model", "data": "arithmetic", "stages": [stage]}
    return validate(RunConfig, data, plugins, "run.yaml")


def test_mistakes_in_the_table_are_told_by_place(plugins: Plugins) -> None:
    table = {"vllm_moed": "server", "max_steps": 5, "seed": 1, "num_iterations": "many", "hub_token": "hf_x"}
    with pytest.raises(ConfigError) as caught:
        run({"use": "grpo", "trl": table}, plugins)
    assert str(caught.value).splitlines() == [
        "run.yaml is not valid:",
        "  stages.0.trl.max_steps: adjudge sets this itself: write the stage's 'steps'",
        "  stages.0.trl.seed: adjudge sets this itself: write 'seed' in the run file",
        "  stages.0.trl.hub_token: adjudge sets this itself: set HF_TOKEN in the environment, for a run file is kept and shared",
        "  stages.0.trl.vllm_moed: GRPOConfig has no such field; did you mean 'vllm_mode'?",
        "  stages.0.trl.num_iterations: Input should be a valid integer, unable to parse string as an integer",
    ]


def test_settings_of_the_model_are_no_text(plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match=r"stages\.0\.trl: .*model_init_kwargs: write a mapping"):
        run({"use": "grpo", "trl": {"model_init_kwargs": '{"dtype": "bfloat16"}'}}, plugins)


def test_ends_of_completions_that_trl_does_not_know_of_are_refused(plugins: Plugins) -> None:
    """TRL stops sampling there, and trains on the padding behind them; see findings/trl-trains-on-padding.sh."""
    assert run({"use": "grpo", "trl": {"generation_kwargs": {"suppress_tokens": [3]}}}, plugins)
    for kwargs in ({"eos_token_id": 7}, {"stop_strings": ["</verdict>"]}):
        with pytest.raises(ConfigError, match=r"stages\.0\.trl: .*generation_kwargs: TRL trains on the padding .*judge\.stop"):
            run({"use": "grpo", "trl": {"generation_kwargs": kwargs}}, plugins)


def test_judgements_that_end_with_a_stop_string_are_not_cut_off(plugins: Plugins) -> None:
    stage = Grpo(trl={"mask_truncated_completions": True})
    stage.check_judge(ArithmeticJudge(), "stages.0")
    with pytest.raises(ConfigError, match=r"^stages\.0\.trl\.mask_truncated_completions: TRL takes .* for cut off"):
        stage.check_judge(ArithmeticJudge(stop=("}",)), "stages.0")


def test_each_stage_is_checked_against_its_own_settings(plugins: Plugins) -> None:
    assert run({"use": "sft", "scorer": "random", "trl": {"pad_to_multiple_of": 8}}, plugins)
    with pytest.raises(ConfigError, match=r"trl.use_vllm: SFTConfig has no such field"):
        run({"use": "sft", "scorer": "random", "trl": {"use_vllm": True}}, plugins)


def test_packing_which_trl_does_only_with_paths_cut_to_a_length_is_refused(plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match=r"stages\.0\.trl\.packing: adjudge sets this itself: a path is a row of its own"):
        run({"use": "sft", "scorer": "random", "trl": {"packing": True}}, plugins)


def test_every_option_that_a_stage_sets_itself_is_refused(embedded: FilePath, tmp_path: FilePath) -> None:
    """Whatever is in TRL's settings without having been in the table, and is no mere default, must not be in the table either."""
    from adjudge_grpo.train import trl_config as of_grpo
    from adjudge_sft.train import trl_config as of_sft

    defaults = {"report_to", "disable_tqdm", "bf16", "gradient_checkpointing", "dataloader_pin_memory", "use_cpu"}
    for options, make in ((Grpo(), of_grpo), (Sft(scorer=Random()), of_sft)):
        for name in set_by(make, options, stage(tmp_path, embedded)) - defaults:
            with pytest.raises(ValidationError, match="adjudge sets this itself"):
                type(options).model_validate({**options.model_dump(), **dict(options), "trl": {name: 1}})


def set_by(make: Any, options: Any, made: Stage) -> set[str]:
    """Names that a function passes to TRL's settings."""
    import inspect

    module, names = inspect.getmodule(make), set[str]()
    for name in ("GRPOConfig", "SFTConfig"):
        if hasattr(module, name):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(module, name, lambda **settings: names.update(settings))
                make(options, made)
    assert len(names) > 10
    return names


@pytest.mark.parametrize("options", [Grpo(only="hard"), Sft(scorer=Random())])
def test_several_gpus_without_a_launch_are_refused_before_anything_is_sampled(
    embedded: FilePath, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch, options: Any
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    made = stage(tmp_path, embedded)
    with pytest.raises(
        ConfigError, match=r"launch: this one process sees 2 GPUs(.|\n)*launch: \{processes: 2\}(.|\n)*CUDA_VISIBLE_DEVICES=0"
    ):
        options.train(made)
    assert not made.records_folder.exists()


@pytest.mark.parametrize(
    ("rank", "table"), [("1", {}), (None, {"use_cpu": True}), (None, {"model_init_kwargs": {"device_map": "auto"}}), (None, None)]
)
def test_several_gpus_are_right_where_trl_takes_them(
    embedded: FilePath, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch, rank: str | None, table: dict[str, Any] | None
) -> None:
    """In a launch, for a CPU, or with the layers spread over them; and one GPU is none too many."""
    import torch

    from adjudge_trl import check_machine

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1 if table is None else 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    check_machine(stage(tmp_path, embedded), embedded, None, table or {})


def stage(folder: FilePath, model: FilePath, **changes: Any) -> Stage:
    problems = list(ArithmeticDataset(size=24, levels=[1, 2]).load())
    judge = ArithmeticJudge(**changes)
    return Stage(1, "grpo", folder / "1-grpo", folder / "records", model, model, judge, HfEngine(), problems)


def test_the_table_is_on_top_of_the_defaults(embedded: FilePath, tmp_path: FilePath) -> None:
    from adjudge_grpo.train import trl_config

    table = {"gradient_checkpointing": True, "loss_type": "dr_grpo", "warmup_steps": "5", "model_init_kwargs": {"dtype": "bfloat16"}}
    args = trl_config(Grpo(trl=table), stage(tmp_path, embedded))
    assert (args.gradient_checkpointing, args.loss_type, args.warmup_steps) == (True, "dr_grpo", 5)
    assert args.model_init_kwargs is None, "those are for loading the model"
    assert trl_config(Grpo(), stage(tmp_path, embedded)).gradient_checkpointing is False


def test_what_trl_says_about_a_value_is_told_with_its_place(embedded: FilePath, tmp_path: FilePath) -> None:
    with pytest.raises(ConfigError, match=r"stages\.0\.trl: .*wandb(.|\n)*Remedy: mend these options"):
        Grpo(steps=1, prompts_per_step=2, group=2, trl={"report_to": "wandb"}).train(stage(tmp_path, embedded))


@pytest.mark.parametrize(
    ("lora", "place"), [({"r": 0}, "r"), ({"dropout": 1.0}, "dropout"), ({"rank": 8}, "rank"), ({"quantised": "very"}, "quantised")]
)
def test_mistakes_in_lora_are_told_by_place(plugins: Plugins, lora: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError, match=rf"stages\.0\.lora\.{place}: "):
        run({"use": "grpo", "lora": lora}, plugins)


def test_four_bits_take_bitsandbytes_and_say_so_before_anything_is_sampled(
    embedded: FilePath, tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.utils.is_bitsandbytes_available", lambda: False)
    made = stage(tmp_path, embedded)
    with pytest.raises(ConfigError, match=r"stages\.0\.lora\.quantised: weights in 4 bits take bitsandbytes.*\n  Remedy"):
        Sft(scorer=Random(), lora={"quantised": True}).train(made)  # type: ignore[arg-type]
    assert not made.records_folder.exists()
