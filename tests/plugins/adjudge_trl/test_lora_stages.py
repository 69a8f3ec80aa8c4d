"""LoRA for real: short trainings of the embedded judge, merged or kept, and every way in which the outcome is loaded again."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import adjudge_trl
from adjudge import ConfigError, Stage, StageResult
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge
from adjudge_rstar import Random
from adjudge_sft import Sft
from adjudge_trl import Lora, newest_checkpoint

pytestmark = pytest.mark.slow
PROBLEMS = list(ArithmeticDataset(size=24, levels=[1, 2]).load())
JUDGED = [PROBLEMS[place] for place in (3, 8, 18)]
FAST: dict[str, Any] = {"learning_rate": 4e-3}
"""A training after which these are judged with other words than before."""


def stage(folder: FilePath, model: FilePath, index: int = 1, use: str = "grpo") -> Stage:
    own = folder / "stages" / f"{index}-{use}"
    return Stage(index, use, own, folder / "records", model, model, ArithmeticJudge(), HfEngine(), PROBLEMS)


def grpo(**changes: Any) -> Grpo:
    return Grpo(**{"steps": 2, "prompts_per_step": 4, "group": 4, "learning_rate": 1e-3, **changes})


QLORA = Lora(r=4, alpha=8, quantised=True)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, embedded: FilePath) -> StageResult:
    """A stage whose adapters are kept beside the model below them."""
    return grpo(**FAST, lora=Lora(r=4, merge=False)).train(stage(tmp_path_factory.mktemp("kept"), embedded))


def judged(folder: FilePath) -> list[str]:
    """Greedy judgements by the model in a folder."""
    prompts = [ArithmeticJudge().prompt(problem, "given") for problem in JUDGED]
    with HfEngine().open(folder) as session:
        found = dict(session.sample(prompts, seeds=[0] * len(JUDGED), temperature=0.0, top_p=1.0, max_new_tokens=112))
    return [found[index].text for index in range(len(JUDGED))]


def plainly(folder: FilePath, model: Any = None) -> list[str]:
    """The same through transformers alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = model or AutoModelForCausalLM.from_pretrained(folder)
    texts = []
    for problem in JUDGED:
        messages = ArithmeticJudge().prompt(problem, "given")
        inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        output = model.generate(**inputs, do_sample=False, max_new_tokens=112)
        texts.append(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return texts


def test_merged_adapters_are_a_whole_model(tmp_path: FilePath, embedded: FilePath) -> None:
    made = stage(tmp_path, embedded)
    result = grpo(lora=Lora(r=4, alpha=8)).train(made)
    before, after = load_file(embedded / "model.safetensors"), load_file(result.model / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name, value in after.items() if not value.equal(before[name])}
    assert changed, "something was learned"
    assert all("_proj" in name and name.endswith("weight") for name in changed), "linear layers alone have adapters"
    ranks = {int(torch.linalg.matrix_rank((after[name] - before[name]).float(), rtol=1e-3)) for name in changed}
    assert max(ranks) == 4
    assert not (made.folder / "adapter").exists(), "they are in the model now"
    kept = {file.name for file in result.model.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "judge.json"} <= kept
    assert "adapter_config.json" not in kept
    assert "training_args.bin" not in kept, "no pickles"
    assert judged(result.model) == plainly(result.model)


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes lies aside; 'make test' runs this with it")
@pytest.mark.parametrize("trainer", [grpo(lora=QLORA), Sft(scorer=Random(), paths=4, batch=8, learning_rate=1e-3, lora=QLORA)])
def test_adapters_on_four_bits_are_added_to_the_whole_weights(tmp_path: FilePath, embedded: FilePath, trainer: Any) -> None:
    made = stage(tmp_path, embedded, use=trainer.use)
    in_training, _ = adjudge_trl.load(made, embedded, trainer.lora, {})
    layer = in_training.model.layers[0].mlp.up_proj
    assert (type(layer).__name__, layer.weight.dtype, layer.weight.numel()) == (
        "Linear4bit",
        torch.uint8,
        layer.in_features * layer.out_features / 2,
    )
    result = trainer.train(made)
    before, after = load_file(embedded / "model.safetensors"), load_file(result.model / "model.safetensors")
    changed = {name for name, value in after.items() if not value.equal(before[name])}
    assert changed, "something was learned"
    ranks = {int(torch.linalg.matrix_rank((after[name] - before[name]).float(), rtol=1e-3)) for name in changed}
    assert max(ranks) == 4, "what was lost to four bits is not in the model"
    assert judged(result.model) == plainly(result.model)


def test_kept_adapters_are_loaded_with_the_model_below(tmp_path: FilePath, embedded: FilePath, kept: StageResult) -> None:
    from peft import AutoPeftModelForCausalLM

    merged = grpo(**FAST, lora=Lora(r=4)).train(stage(tmp_path / "merged", embedded))
    assert not (kept.model / "model.safetensors").exists()
    assert json.loads((kept.model / "adapter_config.json").read_text())["base_model_name_or_path"] == str(embedded.resolve())
    assert judged(kept.model) == judged(merged.model) == plainly(kept.model) != judged(embedded)
    assert plainly(kept.model, AutoPeftModelForCausalLM.from_pretrained(kept.model)) == judged(kept.model)
    assert (kept.model / "judge.json").exists()


def test_a_stage_goes_on_from_kept_adapters(tmp_path: FilePath, embedded: FilePath, kept: StageResult) -> None:
    second = Sft(scorer=Random(), paths=2, batch=8, learning_rate=1e-3, lora=Lora(r=2)).train(stage(tmp_path, kept.model, 2, "sft"))
    with pytest.raises(ConfigError, match=r"stages\.1\.lora\.merge: this stage starts from adapters"):
        Sft(scorer=Random(), paths=2, lora=Lora(merge=False)).train(stage(tmp_path / "again", kept.model, 2, "sft"))
    base, after = load_file(embedded / "model.safetensors"), load_file(second.model / "model.safetensors")
    assert any(not value.equal(base[name]) for name, value in after.items())
    assert judged(second.model) == plainly(second.model)


@pytest.mark.parametrize("logprobs", ["trl", "adjudge"])
def test_a_reference_model_is_the_one_without_adapters(tmp_path: FilePath, embedded: FilePath, logprobs: str) -> None:
    made = stage(tmp_path, embedded)
    grpo(lora=Lora(r=4), beta=0.1, logprobs=logprobs, trl={"gradient_checkpointing": True}).train(made)
    steps = [json.loads(line) for line in (made.records_folder / "1-grpo-steps.jsonl").read_text().splitlines()]
    assert steps[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert steps[1]["kl"] > 0


def test_the_reference_model_of_a_stage_on_kept_adapters_has_them(tmp_path: FilePath, kept: StageResult) -> None:
    made = stage(tmp_path, kept.model, 2)
    result = grpo(beta=0.1).train(made)
    steps = [json.loads(line) for line in (made.records_folder / "2-grpo-steps.jsonl").read_text().splitlines()]
    assert steps[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert steps[1]["kl"] > 0
    assert judged(result.model) == plainly(result.model)
    grpo().clean_up(made)
    assert {entry.name for entry in made.folder.iterdir()} == {"model"}, "what was written for the reference goes with the checkpoints"


def test_a_stage_on_kept_adapters_trains_all_weights(tmp_path: FilePath, kept: StageResult) -> None:
    from adjudge_engines import load_model

    second = Sft(scorer=Random(), paths=2, batch=8, learning_rate=1e-3).train(stage(tmp_path, kept.model, 2, "sft"))
    before, after = load_model(kept.model).state_dict(), load_file(second.model / "model.safetensors")
    assert not any(value.equal(before[name]) for name, value in after.items()), "those that have no adapters too"


class ZeroThree:
    """Stands for DeepSpeed's settings, which transformers asks whenever it loads a model while a training under ZeRO-3 is alive."""

    config: dict[str, Any] = {}

    def is_zero3(self) -> bool:
        return True


def test_adapters_are_merged_by_one_process_alone(tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under ZeRO-3 transformers would spread the model that is loaded for it over all processes; here it fails, for want of DeepSpeed."""
    from transformers.integrations.deepspeed import set_hf_deepspeed_config, unset_hf_deepspeed_config

    from adjudge_grpo import train
    from adjudge_trl import fit

    alive = ZeroThree()

    def under_zero(*args: Any) -> None:
        fit(*args)
        set_hf_deepspeed_config(alive)

    monkeypatch.setattr(train, "fit", under_zero)
    try:
        result = grpo(lora=Lora(r=4)).train(stage(tmp_path, embedded))
    finally:
        unset_hf_deepspeed_config()
    assert judged(result.model) == plainly(result.model)


def test_adapters_go_on_from_a_checkpoint(tmp_path: FilePath, embedded: FilePath) -> None:
    """Stopped after two of four steps, the outcome is that of a run that was not stopped."""
    from adjudge_trl import training

    options = grpo(steps=4, save_every=2, lora=Lora(r=4))
    whole = options.train(stage(tmp_path / "whole", embedded))

    class Stopped(Exception):
        pass

    def stop(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 3:
            raise Stopped

    made = stage(tmp_path / "stopped", embedded)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.StopsOnRequest, "on_step_end", stop)
        with pytest.raises(Stopped):
            options.train(made)
    assert newest_checkpoint(made)[1] == 2
    again = options.train(made)
    one, other = load_file(whole.model / "model.safetensors"), load_file(again.model / "model.safetensors")
    assert all(value.allclose(other[name], atol=1e-6) for name, value in one.items())


def test_metrics_go_to_the_records_and_to_whoever_else_is_named(tmp_path: FilePath, embedded: FilePath) -> None:
    pytest.importorskip("tensorboardX")
    made = stage(tmp_path, embedded)
    logs = tmp_path / "board"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENSORBOARD_LOGGING_DIR", str(logs))
        grpo(trl={"report_to": "tensorboard"}).train(made)
    assert list(logs.rglob("events.out.*"))
    steps = [json.loads(line) for line in (made.records_folder / "1-grpo-steps.jsonl").read_text().splitlines()]
    assert {"grad_norm", "learning_rate", "completions/mean_length"} <= steps[-1]["logged"].keys()
