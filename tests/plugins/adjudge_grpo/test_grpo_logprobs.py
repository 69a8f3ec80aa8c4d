"""GRPO with `logprobs: adjudge`: the numbers, gradients and losses of TRL's own head, for every way in which a family makes its logits."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import ConfigError, Stage
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge

FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("Qwen2", {"tie_word_embeddings": True}),
    ("Phi", {}),
    ("Granite", {"logits_scaling": 4.0}),
    ("Cohere", {"logit_scale": 0.25, "pad_token_id": 0}),
    ("Gemma2", {"final_logit_softcapping": 0.3, "head_dim": 8}),
]
"""A tied head; a head with a bias; logits that are divided, multiplied, capped."""
TEMPERATURE = 0.7


def tiny(family: str, options: dict[str, Any]) -> Any:
    """A random model of a family whose logits are far from zero."""
    import torch
    import transformers

    torch.manual_seed(0)
    settings = {
        "vocab_size": 288, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 4, "pad_token_id": 286, "bos_token_id": None, "eos_token_id": 285, "initializer_range": 0.3,
    }  # fmt: skip
    model = getattr(transformers, f"{family}ForCausalLM")(getattr(transformers, f"{family}Config")(**{**settings, **options}))
    if model.get_output_embeddings().bias is not None:
        torch.nn.init.normal_(model.get_output_embeddings().bias)
    return model.eval()


def batch() -> dict[str, Any]:
    """Three rows, padded on the left, of which the last tokens are scored: one row to its end, one in part, one not at all."""
    import torch

    ids = torch.randint(0, 280, (3, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, :4] = 0
    labels = ids.clone()
    labels[:, :5] = -100
    labels[1, 9:] = -100
    labels[2] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


@pytest.mark.parametrize(("family", "options"), FAMILIES)
def test_numbers_and_gradients_are_those_of_trl(family: str, options: dict[str, Any]) -> None:
    import torch
    from trl.trainer.utils import add_fused_lm_head

    from adjudge_grpo.head import add_head

    ours, theirs = tiny(family, options), tiny(family, options)
    add_fused_lm_head(theirs, temperature=TEMPERATURE, outputs=("log_probs", "entropy"))
    add_head(ours, TEMPERATURE, entropy=True)
    weight_BT = torch.randn(3, 11, generator=torch.Generator().manual_seed(2))
    found = []
    for model in (ours, theirs):
        output = model(**batch(), fused_lm_head=True)
        ((output.log_probs + 0.1 * output.entropy) * weight_BT).sum().backward()
        gradients = torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])
        found.append((output.log_probs, output.entropy, gradients))
    for mine, expected in zip(*found, strict=True):
        assert mine.shape == expected.shape
        assert torch.allclose(mine, expected, atol=1e-4), float((mine - expected).abs().max())
    logprob_BT, entropy_BT, gradients = found[0]
    assert torch.cosine_similarity(gradients, found[1][2], dim=0) > 0.9999
    scored_BT = batch()["labels"][:, 1:] != -100
    assert bool((logprob_BT[scored_BT] < 0).all())
    assert not logprob_BT[~scored_BT].any()
    assert not entropy_BT[~scored_BT].any()


def test_the_temperature_and_the_model_own_logits_are_what_is_scored() -> None:
    """Against the model's logits themselves, so that an error that TRL and we had in common would show."""
    import torch

    from adjudge_grpo.head import add_head

    for family, options in FAMILIES:
        model, given = tiny(family, options), batch()
        logits_BTV = model(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).logits
        logprob_BTV = (logits_BTV / TEMPERATURE).log_softmax(-1)[:, :-1]
        add_head(model, TEMPERATURE, entropy=True)
        output, kept_BT = model(**given, fused_lm_head=True), given["labels"][:, 1:] != -100
        expected_T = logprob_BTV[kept_BT].gather(-1, given["labels"][:, 1:][kept_BT].unsqueeze(-1)).squeeze(-1)
        assert torch.allclose(output.log_probs[kept_BT], expected_T, atol=1e-4), family
        assert torch.allclose(output.entropy[kept_BT], -(logprob_BTV.exp() * logprob_BTV).sum(-1)[kept_BT], atol=2e-4), family


def test_every_other_call_is_left_alone() -> None:
    import torch

    from adjudge_grpo.head import add_head

    model, given = tiny(*FAMILIES[0]), batch()
    plain = copy.deepcopy(model)
    add_head(model, TEMPERATURE, entropy=False)
    assert model(**given, fused_lm_head=True).entropy is None, "a reference model has no use for entropies"
    assert torch.equal(model(**given).loss, plain(**given).loss)
    sampled = [one.generate(given["input_ids"], max_new_tokens=5, do_sample=False) for one in (model, plain)]
    assert torch.equal(*sampled)


def stage(folder: FilePath, model: FilePath) -> Stage:
    problems = list(ArithmeticDataset(size=40, levels=[1, 2]).load())
    return Stage(1, "grpo", folder / "stages" / "1-grpo", folder / "records", model, model, ArithmeticJudge(), HfEngine(), problems)


def steps_of(made: Stage) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made.records_folder / "1-grpo-steps.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_ten_steps_lose_what_trl_loses(tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a reference model and a temperature; the same rollouts follow from the same weights."""
    from adjudge_grpo import head

    calls: list[bool] = []
    score = head.score
    monkeypatch.setattr(head, "score", lambda model, temperature, entropy, *args, **inputs: (
        calls.append(entropy) or score(model, temperature, entropy, *args, **inputs)  # type: ignore[func-returns-value]
    ))  # fmt: skip
    small: dict[str, Any] = {"prompts_per_step": 4, "group": 4, "learning_rate": 1e-4, "beta": 0.05, "temperature": 0.8}
    found = {}
    for logprobs in ("trl", "adjudge"):
        made = stage(tmp_path / logprobs, embedded)
        Grpo(steps=10, logprobs=logprobs, **small).train(made)
        found[logprobs] = steps_of(made)
        assert (len(calls) > 0) == (logprobs == "adjudge")
    assert (calls.count(True), calls.count(False)) == (10, 10), "once per step for the model, and once for its reference"
    for mine, theirs in zip(found["adjudge"], found["trl"], strict=True):
        assert (mine["reward"], mine["tokens"]) == (theirs["reward"], theirs["tokens"])
        for number in ("loss", "entropy", "kl"):
            assert mine[number] == pytest.approx(theirs[number], abs=1e-4), (number, mine["step"])
    assert any(step["kl"] > 1e-3 for step in found["adjudge"]), "the reference model must have had something to say"


def test_a_mixture_of_experts_is_refused_by_name(tmp_path: FilePath, embedded: FilePath) -> None:
    folder = tmp_path / "mixture"
    tiny("Mixtral", {"num_local_experts": 2, "output_router_logits": True}).save_pretrained(folder)
    for file in (*embedded.glob("tokenizer*"), embedded / "chat_template.jinja"):
        shutil.copy(file, folder)
    with pytest.raises(ConfigError, match=r"stages\.0\.logprobs: the model is a mixture of experts[^\n]*\n  Remedy: write logprobs: trl"):
        Grpo(steps=1, prompts_per_step=1, group=2, learning_rate=1e-4, logprobs="adjudge").train(stage(tmp_path, folder))
