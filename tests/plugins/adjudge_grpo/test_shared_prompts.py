"""A prompt is read once for its rollouts in training: the same numbers, gradients and steps, from fewer tokens; else it is told why not."""

from __future__ import annotations

import json
import logging
import shutil
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import JobError, Stage
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, load_model
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge

FAMILIES: dict[str, dict[str, Any]] = {
    "Qwen2": {"tie_word_embeddings": True},
    "Gemma2": {"final_logit_softcapping": 0.3, "head_dim": 8, "sliding_window": 64},
    "OPT": {"ffn_dim": 64, "word_embed_proj_dim": 32, "dropout": 0.0},
    "Phi": {},
}
"""Positions that turn, windows that hold all, positions that are learned and counted behind the padding, a head with a bias."""
PROMPTS, GROUP, LENGTH, ROOM = 3, 4, 11, 6


def tiny(family: str, **options: Any) -> Any:
    import torch
    import transformers

    torch.manual_seed(0)
    settings = {
        "vocab_size": 288, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "pad_token_id": 286, "bos_token_id": None, "eos_token_id": 285, "initializer_range": 0.3,
    }  # fmt: skip
    return getattr(transformers, f"{family}ForCausalLM")(getattr(transformers, f"{family}Config")(**{**settings, **options}))


def batch(size: int) -> tuple[Any, Any]:
    """Groups in a shuffled order; one prompt is shorter, some rollouts end early, and one teaches nothing."""
    import torch

    chance = torch.Generator().manual_seed(1)
    ids = torch.randint(0, size, (PROMPTS, LENGTH), generator=chance).repeat_interleave(GROUP, 0)
    ids = torch.cat([ids, torch.randint(0, size, (len(ids), ROOM), generator=chance)], 1)
    mask = torch.ones_like(ids)
    mask[GROUP : 2 * GROUP, :4] = 0
    mask[2, -2:] = mask[5, -4:] = mask[7, -ROOM:] = 0
    order = torch.randperm(len(ids), generator=chance)
    return ids[order], mask[order]


class OfTrl:
    """Asks a model as TRL's trainer does."""

    def _get_per_token_logps_and_entropies(self, model: Any, input_ids: Any, attention_mask: Any, logits_to_keep: int, **_: Any) -> Any:
        labels = input_ids.masked_fill(attention_mask == 0, -100)
        labels[:, :-logits_to_keep] = -100
        found = model(input_ids=input_ids, attention_mask=attention_mask, labels=labels, fused_lm_head=True)
        return found.log_probs[:, -logits_to_keep:], found.entropy[:, -logits_to_keep:], None


@pytest.mark.parametrize("adapted", [False, True], ids=["all weights", "adapters"])
@pytest.mark.parametrize("family", FAMILIES)
def test_numbers_and_gradients_are_those_of_whole_sequences(family: str, adapted: bool) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from trl.trainer.utils import add_fused_lm_head

    from adjudge_grpo.scored_rows import ScoresTaughtRows
    from adjudge_grpo.shared_prompts import trouble

    class Asks(ScoresTaughtRows, OfTrl):
        pass

    model = tiny(family, **FAMILIES[family]).eval()
    assert trouble(model, LENGTH + ROOM) is None
    add_fused_lm_head(model, temperature=0.9, outputs=("log_probs", "entropy"))
    ids, mask = batch(280)
    weight_BT = torch.randn(len(ids), ROOM, generator=torch.Generator().manual_seed(2))
    read: list[int] = []
    model.get_input_embeddings().register_forward_hook(lambda _, given, __: read.append(given[0].numel()))
    if adapted:
        model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"))
    found = []
    for shares in (False, True):
        asked = Asks()
        asked.shares_prompts = shares
        read.clear()
        logprob_BT, entropy_BT, _ = asked._get_per_token_logps_and_entropies(model, ids, mask, ROOM)
        tokens = sum(read)
        model.zero_grad()
        ((logprob_BT + 0.1 * entropy_BT) * weight_BT).sum().backward()
        gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])
        found.append((logprob_BT, entropy_BT, gradient, tokens))
    (*whole, all_tokens), (*shared, fewer_tokens) = found
    for one, other in zip(shared, whole, strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, atol=2e-4 * max(1.0, float(other.detach().abs().max())), rtol=1e-3)
    rows = PROMPTS * GROUP - 1
    assert all_tokens == rows * (LENGTH + ROOM)
    assert fewer_tokens == PROMPTS * LENGTH + rows * ROOM


def test_a_forward_that_was_put_in_place_before_is_there_again() -> None:
    from adjudge_grpo.shared_prompts import shared_prompts

    decoder = tiny("Qwen2").model
    with shared_prompts(decoder, 2):
        assert "forward" in vars(decoder)
    assert "forward" not in vars(decoder)
    decoder.forward = before = decoder.forward
    with shared_prompts(decoder, 2):
        assert decoder.forward is not before
    assert decoder.forward is before


def test_models_that_keep_no_keys_are_told_apart() -> None:
    import torch
    from transformers import MambaConfig, MambaForCausalLM

    from adjudge_grpo.shared_prompts import trouble

    torch.manual_seed(0)
    state = MambaForCausalLM(MambaConfig(vocab_size=288, hidden_size=32, num_hidden_layers=2, state_size=4))
    assert "keys and values" in str(trouble(state, 17))
    window = tiny("Gemma2", **{**FAMILIES["Gemma2"], "sliding_window": 16})
    assert trouble(window, 16) is None
    assert "keys and values" in str(trouble(window, 17)), "a layer that forgets the beginning of a prompt"


@given(st.data(), st.integers(1, 4), st.integers(1, 4), st.integers(2, 4))
def test_micro_batches_hold_rollouts_of_a_prompt_together(data: st.DataObject, prompts: int, group: int, batches: int) -> None:
    import torch

    from adjudge_grpo.shared_prompts import by_prompt

    total = prompts * group * batches
    order = data.draw(st.permutations(range(total)))
    owner = [place // (group * batches) for place in order]
    ids = torch.tensor([[0, 7] if one == 0 else [one, 7] for one in owner])
    mask = torch.tensor([[0, 1] if one == 0 else [1, 1] for one in owner])
    whole = {"prompt_ids": ids, "prompt_mask": mask, "advantages": torch.tensor(order), "names": [str(one) for one in order]}
    size = total // batches
    parts = [{**{name: held[first : first + size] for name, held in whole.items()}, "num_items_in_batch": torch.tensor(5.0)}
             for first in range(0, total, size)]  # fmt: skip
    found = by_prompt(parts)
    assert [len(one["prompt_ids"]) for one in found] == [size] * batches
    rows = [(ident.tolist(), kept.tolist(), int(number), name) for one in found for ident, kept, number, name
            in zip(one["prompt_ids"], one["prompt_mask"], one["advantages"], one["names"], strict=True)]  # fmt: skip
    assert sorted(number for *_, number, _ in rows) == sorted(order)
    for ident, kept, number, name in rows:
        assert (ident, kept, name) == (ids[order.index(number)].tolist(), mask[order.index(number)].tolist(), str(number))
    seen = [tuple(ident) for ident, *_ in rows]
    assert sum(one != other for one, other in pairwise(seen)) == prompts - 1
    assert all(float(one["num_items_in_batch"]) == 5.0 for one in found)


def trained(folder: FilePath, model: FilePath, **options: Any) -> Any:
    """The weights after two steps in micro-batches of two groups."""
    import torch

    problems = list(ArithmeticDataset(size=40, levels=[1, 2]).load())
    judge = ArithmeticJudge()
    made = Stage(1, "grpo", folder / "stages" / "1-grpo", folder / "records", model, model, judge, HfEngine(), problems)
    stage = Grpo(**{"steps": 2, "prompts_per_step": 4, "group": 4, "micro_batch": 8, "learning_rate": 1e-3, **options})
    weights = load_model(stage.train(made).model, dtype=torch.float32).state_dict()
    return torch.cat([value.flatten() for value in weights.values()])


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, {"r": 4}], ids=["all weights", "adapters"])
def test_a_stage_takes_the_same_steps_from_fewer_tokens(
    tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch, lora: dict[str, Any] | None
) -> None:
    import torch
    from torch import nn

    read: list[int] = []
    embed = nn.Embedding.forward

    def counted(self: Any, ids: Any) -> Any:
        if torch.is_grad_enabled():
            read.append(ids.numel())
        return embed(self, ids)

    monkeypatch.setattr(nn.Embedding, "forward", counted)
    before = torch.cat([value.flatten() for value in load_model(embedded, dtype=torch.float32).state_dict().values()])
    alone, tokens = trained(tmp_path / "alone", embedded, share_prompts=False, lora=lora), sum(read)
    read.clear()
    shared = trained(tmp_path / "shared", embedded, lora=lora)  # as it is on a CPU unless told otherwise
    assert 0 < sum(read) < 0.8 * tokens
    moved = (alone - before).abs()
    assert float(moved.max()) > 1e-4
    assert float((shared - alone).abs().mean()) < 0.02 * float(moved.mean())


def losses(folder: FilePath) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "records" / "1-grpo-steps.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("trl", [{"loss_type": "bnpo"}, {"top_entropy_quantile": 0.5}, {"entropy_coef": 0.5}], ids=str)
def test_a_loss_that_depends_on_its_micro_batch_is_that_of_whole_sequences(
    tmp_path: FilePath, embedded: FilePath, trl: dict[str, Any]
) -> None:
    for shares in (False, True):
        trained(tmp_path / str(shares), embedded, share_prompts=shares, steps=1, trl=trl)
    assert losses(tmp_path / "True") == pytest.approx(losses(tmp_path / "False"), abs=2e-6)


@pytest.mark.slow
def test_a_mixture_of_experts_is_told_that_it_cannot_share(
    tmp_path: FilePath, embedded: FilePath, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "mixture"
    tiny("Mixtral", num_local_experts=2).save_pretrained(folder)
    for file in (*embedded.glob("tokenizer*"), embedded / "chat_template.jinja"):
        shutil.copy(file, folder)
    with caplog.at_level(logging.WARNING, "adjudge.grpo"), pytest.raises(JobError, match="nothing"):
        trained(tmp_path, folder, steps=1)
    assert "reads a prompt again for each of its rollouts: the model is a mixture of experts" in caplog.text


@pytest.mark.slow
def test_what_cannot_share_is_told_and_trained(tmp_path: FilePath, embedded: FilePath, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "adjudge.grpo"):
        trained(tmp_path, embedded, steps=1, trl={"gradient_checkpointing": True})
    assert "reads a prompt again for each of its rollouts: the model computes its layers twice" in caplog.text
