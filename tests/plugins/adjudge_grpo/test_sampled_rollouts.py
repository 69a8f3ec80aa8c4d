"""A GRPO stage on a CPU writes the rollouts that `hf` would, from the newest weights, and reads those alone that teach something."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import Stage, stable_seed
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, TokenSampler, in_bfloat16, load_model
from adjudge_grpo import Grpo
from adjudge_judges import ArithmeticJudge

SMALL: dict[str, Any] = {"steps": 1, "prompts_per_step": 4, "group": 4, "learning_rate": 1e-4}


def stage(folder: FilePath, model: FilePath) -> Stage:
    problems = list(ArithmeticDataset(size=40, levels=[1, 2, 3, 4]).load())
    judge = ArithmeticJudge(temperature=0.8, top_p=0.95, max_new_tokens=64)
    return Stage(1, "grpo", folder / "stages" / "1-grpo", folder / "records", model, model, judge, HfEngine(), problems)


def rollouts(made: Stage) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made.records_folder / f"{made.name}-rollouts.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"lora": {"r": 4}}])
def test_the_first_rollouts_are_what_the_engine_samples_with_their_seeds(
    tmp_path: FilePath, embedded: FilePath, options: dict[str, Any]
) -> None:
    """Adapters begin as nothing, so they change nothing yet."""
    made = stage(tmp_path, embedded)
    Grpo(**SMALL, **options).train(made)
    found = rollouts(made)
    by_id = {problem.id: problem for problem in made.problems}
    prompts = [made.judge.render(by_id[one["problem_id"]], one["order"]) for one in found]
    seeds = [stable_seed("rollout", made.name, made.seed, 0, place) for place in range(len(found))]
    with HfEngine().open(embedded) as session:
        expected = dict(session.sample(prompts, seeds=seeds, temperature=0.8, top_p=0.95, max_new_tokens=64))
    assert [one["text"] for one in found] == [expected[place].text for place in range(len(found))]
    assert len({one["text"] for one in found}) > len(found) / 2


@pytest.mark.slow
def test_what_trl_is_asked_to_do_itself_stays_with_it(tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("top_k is TRL's to apply")

    monkeypatch.setattr(TokenSampler, "__call__", never)
    made = stage(tmp_path, embedded)
    Grpo(**SMALL, trl={"top_k": 20}).train(made)
    assert len(rollouts(made)) == 16


@pytest.mark.parametrize("adapted", [True, False])
def test_a_copy_in_bfloat16_follows_the_weights_in_training(embedded: FilePath, adapted: bool) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from adjudge_grpo.sampled_rollouts import RolloutSampler

    torch.manual_seed(0)
    base = load_model(embedded, dtype=torch.float32).eval()
    before = in_bfloat16(base, frozen=adapted)
    copy = in_bfloat16(base, frozen=adapted)
    if adapted:
        get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    tokenizer = type("Tokenizer", (), {"pad_token_id": 0})()
    alone = {"is_fsdp_enabled": False, "is_deepspeed_enabled": False}
    trainer = type("Trainer", (), {"processing_class": tokenizer, "eos_token_ids": [1], **alone})()
    sampler = RolloutSampler(None, trainer, base, copy)  # type: ignore[arg-type]
    if not adapted:
        with torch.no_grad():
            for parameter in base.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
    assert sampler.can(40)
    ids = torch.randint(0, 80, (1, 24))
    with torch.no_grad():
        now, then, trained = (model(ids).logits.float().log_softmax(-1) for model in (copy, before, base))
    away, moved = ((some - trained).abs().mean() for some in (now, then))
    assert float(away) < 0.1 * float(moved), f"{float(away):.3f} of what training changed, {float(moved):.3f}"


class OfTrl:
    """Asks a model as TRL's trainer does."""

    def _get_per_token_logps_and_entropies(self, model: Any, input_ids: Any, attention_mask: Any, logits_to_keep: int, **_: Any) -> Any:
        labels = input_ids.masked_fill(attention_mask == 0, -100)
        labels[:, :-logits_to_keep] = -100
        found = model(input_ids=input_ids, attention_mask=attention_mask, labels=labels, fused_lm_head=True)
        self.read, self.scored = attention_mask.shape, found.log_probs.shape[1]
        return found.log_probs[:, -logits_to_keep:], found.entropy[:, -logits_to_keep:], None


@pytest.mark.parametrize("taught", [[0, 1, 2], [1], [0, 2], []])
def test_rows_that_teach_nothing_are_not_read_and_the_others_say_the_same(embedded: FilePath, taught: list[int]) -> None:
    import torch
    from trl.trainer.utils import add_fused_lm_head

    from adjudge_grpo.scored_rows import ScoresTaughtRows

    class Narrowed(ScoresTaughtRows, OfTrl):
        pass

    model = load_model(embedded, dtype=torch.float32).eval()
    add_fused_lm_head(model, temperature=0.9, outputs=("log_probs", "entropy"))
    ids = torch.randint(0, 80, (3, 14), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, :4] = mask[1, 12:] = mask[2, :2] = mask[2, 10:] = mask[0, 13:] = 0
    mask[[row for row in range(3) if row not in taught], -6:] = 0
    weight_BT = torch.randn(3, 6, generator=torch.Generator().manual_seed(2))
    found = []
    for asked in (OfTrl(), Narrowed()):
        logprob_BT, entropy_BT, _ = asked._get_per_token_logps_and_entropies(model, ids, mask, 6)
        model.zero_grad()
        ((logprob_BT + entropy_BT) * weight_BT).sum().backward()
        gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])
        found.append((logprob_BT, entropy_BT, gradient))
    for whole, narrow in zip(*found, strict=True):
        assert whole.shape == narrow.shape
        torch.testing.assert_close(narrow, whole, atol=2e-4, rtol=1e-3)
    assert asked.read[0] == max(1, len(taught))
    assert asked.scored < 6 + 1, "the head sees no prompt"
    assert asked.read[1] == {(0, 1, 2): 13, (1,): 8, (0, 2): 13}.get(tuple(taught), asked.read[1])
