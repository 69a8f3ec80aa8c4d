"""What a stage saves: a whole model that transformers alone loads, also where weights are sharded; and no checkpoint goes for less."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as FilePath
from types import SimpleNamespace
from typing import Any

import pytest

from adjudge import JobError, Stage, StageTrainer
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge
from adjudge_rstar import Random
from adjudge_sft import Sft
from adjudge_trl import newest_checkpoint
from adjudge_trl.whole_weights import gathered_by_deepspeed

TRAINED = [(use, bf16) for use in ("grpo", "sft") for bf16 in (False, True)]
PROBLEMS = list(ArithmeticDataset(size=24, levels=[1, 2]).load())


def stage(folder: FilePath, model: FilePath, use: str) -> Stage:
    own = folder / "stages" / f"1-{use}"
    return Stage(1, use, own, folder / "records", model, model, ArithmeticJudge(), HfEngine(), PROBLEMS)


def trainer_of(use: str, **table: Any) -> StageTrainer:
    if use == "grpo":
        return Grpo(steps=2, prompts_per_step=4, group=4, learning_rate=1e-4, save_every=1, trl=table)
    return Sft(scorer=Random(), paths=2, batch=8, learning_rate=1e-4, save_every=1, trl=table)


def after_fit(monkeypatch: pytest.MonkeyPatch, then: Callable[[Any], None]) -> None:
    """Do something with the trainer between its training and its saving."""
    from adjudge_grpo import train
    from adjudge_trl import fit

    def fitted(trainer: Any, *args: Any) -> None:
        fit(trainer, *args)
        then(trainer)

    monkeypatch.setattr(train, "fit", fitted)


@dataclass(frozen=True)
class Trained:
    """A stage that was trained while Python looked for no circles."""

    stage: Stage
    model: FilePath
    held: list[bool]
    """Whether trainer, model, a weight, the optimiser and its moments outlived it."""


@pytest.fixture(scope="module", params=TRAINED, ids=["-".join(map(str, one)) for one in TRAINED])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, embedded: FilePath) -> Trained:
    """By GRPO and by fine-tuning, with autocast to bf16 and without."""
    import adjudge_grpo.train
    import adjudge_sft.train
    from adjudge_trl import save

    use, bf16 = request.param
    held: list[weakref.ref[Any]] = []

    def saved(trainer: Any, *args: Any) -> FilePath:
        optimizer = trainer.optimizer.optimizer
        moments = next(iter(optimizer.state.values()))["exp_avg"]
        held.extend(map(weakref.ref, (trainer, trainer.model, next(trainer.model.parameters()), optimizer, moments)))
        return save(trainer, *args)

    made = stage(tmp_path_factory.mktemp("trained"), embedded, use)
    gc.collect()
    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for module in (adjudge_grpo.train, adjudge_sft.train):
                patch.setattr(module, "save", saved)
            folder = trainer_of(use, bf16=bf16).train(made).model
        return Trained(made, folder, [reference() is not None for reference in held])
    finally:
        gc.enable()


@pytest.mark.slow
def test_nothing_of_a_training_is_held_once_it_is_done(trained: Trained) -> None:
    """An engine that opens next needs the memory, whenever Python would look for circles by itself."""
    assert trained.held == [False] * 5


@pytest.mark.slow
def test_transformers_alone_loads_what_was_trained(trained: Trained, embedded: FilePath) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made, folder = trained.stage, trained.model
    assert folder == made.folder / "model"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}, "bf16 is about sums, not about weights"
    before = AutoModelForCausalLM.from_pretrained(embedded, dtype=torch.float32)
    assert any(not value.equal(before.state_dict()[name]) for name, value in model.state_dict().items()), "something was learned"
    prompts = [made.judge.prompt(problem, "given") for problem in PROBLEMS[:4]]
    with HfEngine().open(folder) as session:
        judged = dict(session.sample(prompts, seeds=[0] * 4, temperature=0.0, top_p=1.0, max_new_tokens=112))
    for index, messages in enumerate(prompts):
        inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        output = model.generate(**inputs, do_sample=False, max_new_tokens=112)
        assert tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True) == judged[index].text


@pytest.mark.slow
def test_sharded_checkpoints_do_not_cost_the_model(tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    """FSDP itself takes GPUs; its settings, on which transformers decides whether to save anything, are real."""
    from accelerate import FullyShardedDataParallelPlugin

    def sharded(trainer: Any) -> None:
        trainer.is_fsdp_enabled = True
        trainer.accelerator.state.fsdp_plugin = FullyShardedDataParallelPlugin(fsdp_version=2, state_dict_type="SHARDED_STATE_DICT")

    after_fit(monkeypatch, sharded)
    made = stage(tmp_path, embedded, "grpo")
    trainer_of("grpo").train(made)
    assert (made.folder / "model" / "model.safetensors").exists()


@pytest.mark.parametrize(("stage_of_zero", "gathered"), [(3, True), (2, False)])
def test_zero_3_is_told_to_gather_the_weights(stage_of_zero: int, gathered: bool) -> None:
    """DeepSpeed is not needed for its settings, which are a mapping."""
    name = "stage3_gather_16bit_weights_on_model_save"
    settings = {"zero_optimization": {"stage": stage_of_zero, name: False}}
    plugin = SimpleNamespace(deepspeed_config=settings)
    trainer = SimpleNamespace(is_deepspeed_enabled=True, accelerator=SimpleNamespace(state=SimpleNamespace(deepspeed_plugin=plugin)))
    gathered_by_deepspeed(trainer)
    assert settings["zero_optimization"][name] is gathered


@pytest.mark.slow
def test_a_model_that_was_not_saved_keeps_the_checkpoints(tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does what an earlier attempt left in the model's folder pass for it."""

    def saves_nothing(trainer: Any) -> None:
        trainer.save_model = lambda folder: None

    made = stage(tmp_path, embedded, "grpo")
    trainer_of("grpo").train(made)
    with pytest.MonkeyPatch.context() as patch:
        after_fit(patch, saves_nothing)
        with pytest.raises(JobError, match=r"what it saved is no model: .*config\.json(.|\n)*the checkpoints in .* are kept"):
            trainer_of("grpo").train(made)
    last, step = newest_checkpoint(made)
    assert last is not None
    assert step == 2
    assert (trainer_of("grpo").train(made).model / "model.safetensors").exists(), "the same command goes on from them"
