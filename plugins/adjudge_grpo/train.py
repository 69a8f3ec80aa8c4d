"""One GRPO stage, top to bottom: choose the problems, let TRL train on the rules' reward, record every rollout and step, save the judge."""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import is_peft_model
from datasets import Dataset as Rows
from transformers import set_seed
from trl import GRPOConfig, GRPOTrainer

from adjudge import JobError, Order, Outcome, Problem, StageContext, StageResult, coin, escape_special_tokens, stable_seed
from adjudge_data import ById, Chosen
from adjudge_eligibility import Label, eligible_paths, tally, texts_of
from adjudge_engines import TokenOffsets, in_bfloat16, load_tokenizer
from adjudge_judges import opened_by_template
from adjudge_trl import (
    StopsWhenNotFinite,
    check_chat_template,
    check_lengths,
    check_machine,
    fit,
    give_back_memory,
    load,
    micro_batches,
    newest_checkpoint,
    save,
    settings,
    start_trainer,
    whole_start,
)  # fmt: skip

from .head import use_token_logprobs
from .rollouts import RolloutRewards, RolloutStepRecorder
from .sampled_rollouts import RolloutSampler, SamplesRollouts, samples_here
from .scored_rows import ScoresTaughtRows
from .shared_prompts import by_prompt, trouble

if TYPE_CHECKING:
    from .grpo import Grpo

log = logging.getLogger("adjudge.grpo")


def train(options: Grpo, stage: StageContext) -> StageResult:
    check_machine(stage, stage.model, options.lora, options.trl)
    tokenizer = load_tokenizer(stage.model, trust_remote_code=stage.trust_remote_code, chat=stage.engine)
    check_chat_template(stage, tokenizer)
    problems, found = (stage.problems, {}) if options.only == "all" else hard_problems(options, stage)
    result = reinforce(options, stage, tokenizer, problems)
    give_back_memory()
    return StageResult(result.model, {**result.metrics, **found})


def reinforce(options: Grpo, stage: StageContext, tokenizer: Any, problems: Sequence[Problem]) -> StageResult:
    """Train the stage's model on these problems, from the last checkpoint where there is one."""
    last, done = newest_checkpoint(stage)
    rewards = RolloutRewards(options, stage, problems, done)
    set_seed(stable_seed("grpo", stage.name, stage.seed) % 2**32)
    rows = prompts_of(problems, stage, tokenizer, options.steps * options.prompts_per_step)
    longest = max(rows["tokens"]) + stage.judge.max_new_tokens
    start = whole_start(stage, stage.model, options.trl) if has_reference(options) else stage.model
    model, adapters = load(stage, start, options.lora, options.trl)

    def make() -> SkippingGRPOTrainer:
        args = trl_config(options, stage)
        # bitsandbytes lays 4-bit weights out for inference once they are evaluated on a CPU, and cannot train from that layout
        here = samples_here(args) and not getattr(model, "is_quantized", False)
        copy = in_bfloat16(model, frozen=options.lora is not None) if here and args.bf16 else None
        made = SkippingGRPOTrainer(
            model=model,
            processing_class=tokenizer,
            reward_funcs=[rewards],
            train_dataset=rows,
            args=args,
            callbacks=[RolloutStepRecorder(rewards, options.steps)],
            peft_config=adapters,
        )
        sampler = RolloutSampler(stage, made, model, copy) if here else None
        made.rollout_sampler = sampler if sampler is not None and sampler.can(longest) else None
        return made

    trainer = start_trainer(stage, make, options.trl)
    trainer.rewards, trainer.stage = rewards, stage
    trainer.shares_prompts = sharing_prompts(options, stage, trainer, longest)
    trainer.sorts_prompts = trainer.shares_prompts and not by_micro_batch(trainer.args)
    if options.logprobs == "adjudge":
        use_token_logprobs(trainer, f"stages.{stage.index - 1}.logprobs")
    rewards.end_of_turn = set(trainer.eos_token_ids)
    rewards.token_offsets = TokenOffsets(tokenizer)
    rewards.opened = opened_by_template(trainer.processing_class)
    fit(trainer, stage, last, options.lora)
    stage.process_group.barrier()  # the main process has written its last step
    steps = list(rewards.steps)
    if not rewards.decided and not done:
        raise JobError(
            f"stage {stage.name}: nothing that the model wrote in {len(steps)} steps is a verdict to judge {stage.judge.use!r}.\n"
            "  Remedy: 'adjudge doctor' finds a judge that the model can follow; or raise judge.max_new_tokens."
        )
    if all(step["skipped_groups"] == 1 for step in steps):
        raise JobError(
            f"stage {stage.name}: every group of all {len(steps)} steps was all right, all wrong or rewarded alike, so nothing was"
            f" learned{_last_share(steps[-1])}.\n"
            "  Remedy: choose problems that the judge gets right sometimes (levels, only: hard), or sample larger groups."
        )
    return StageResult(save(trainer, stage, start, options.lora, options.trl), summary(problems, stage, steps))


def sharing_prompts(options: Grpo, stage: StageContext, trainer: Any, longest: int) -> bool:
    """Whether rollouts of at most so many tokens share their prompts in training; where they were to and cannot, that is told."""
    if options.share_prompts is False or (options.share_prompts is None and trainer.args.device.type != "cpu"):
        return False
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        why: str | None = "has its weights sharded"
    elif trainer.args.gradient_checkpointing:
        why = "computes its layers twice (gradient_checkpointing) and keeps no keys and values"
    elif trainer.aux_loss_enabled:
        why = "is a mixture of experts, whose load is balanced over all tokens of all rollouts"
    else:
        why = trouble(trainer.model.get_base_model() if is_peft_model(trainer.model) else trainer.model, longest)
    if why and trainer.is_world_process_zero():
        log.warning("stage %s: training reads a prompt again for each of its rollouts: the model %s", stage.name, why)
    return why is None


def by_micro_batch(args: GRPOConfig) -> bool:
    """Whether what a step learns depends on which rollouts stand in a micro-batch: on a mean, or a quantile, over the tokens of each."""
    return bool(args.loss_type == "bnpo" or args.top_entropy_quantile < 1 or args.entropy_coef != 0 or args.use_adaptive_entropy)


def _last_share(step: dict[str, Any]) -> str:
    """The share of right judgements in a step, where there are labels."""
    return "" if step["accuracy"] is None else f" (share of right judgements in the last step: {step['accuracy']:.3f})"


def has_reference(options: Grpo) -> bool:
    """Whether TRL loads a second model, by the folder that the first one names; adapters are switched off instead."""
    return options.beta > 0 and options.lora is None


def hard_problems(options: Grpo, stage: StageContext) -> tuple[Sequence[Problem], dict[str, Any]]:
    """Problems of which not every one of N judgements by the stage's first model is right (ReasonGRM, stage 3), or eligible without labels.

    A call that failed says nothing about its problem and is left out. Also what a rule without labels came to, for the metrics.
    """
    by_id = ById(stage.problems)
    with stage.open(stage.model) as session:
        paths = stage.sample(session, stage.problems, "probe", samples=options.probe_samples)
        eligible = eligible_paths(options.eligible, by_id, paths, session, stage.judge)
    hard = {
        path.problem_id for path, one in zip(texts_of(paths), eligible, strict=True) if path.outcome != Outcome.FAILED and not one
    }  # fmt: skip
    if not hard:
        raise JobError(
            f"stage {stage.name}: only: hard found no problem, for all {options.probe_samples} judgements of all"
            f" {len(by_id)} problems are {'right' if isinstance(options.eligible, Label) else 'eligible'}.\n"
            "  Remedy: use harder problems, more probe_samples, or drop this stage."
        )
    found = {} if isinstance(options.eligible, Label) else {"eligibility": tally(options.eligible, by_id, paths, eligible)}
    return Chosen(stage.problems, [place for place, ident in enumerate(by_id) if ident in hard]), found


def prompts_of(problems: Sequence[Problem], stage: StageContext, tokenizer: Any, count: int) -> Rows:
    """As many prompts as the stage takes, going through the problems in one seeded order after another.

    A group shares one prompt, so a judge that asks in both orders is trained, like one that asks in random order, on a coin's choice.
    """
    rng = random.Random(stable_seed("grpo order", stage.name, stage.seed))
    rows: list[dict[str, Any]] = []
    while len(rows) < count:
        for index in rng.sample(range(len(problems)), len(problems))[: count - len(rows)]:
            order: Order = "swapped" if stage.judge.order != "fixed" and coin(rng) else "given"
            prompt = escape_special_tokens(stage.judge.render(problems[index], order), tokenizer)
            rows.append({"prompt": prompt, "problem": index, "order": order})
    for row in rows:
        row["tokens"] = len(tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False))
    check_lengths(stage, ((problems[row["problem"]], row["tokens"]) for row in rows))
    return Rows.from_list(rows)


def trl_config(options: Grpo, stage: StageContext) -> GRPOConfig:
    micro, count = micro_batches(options.prompts_per_step * options.group, options.micro_batch, stage.process_group.size)
    return GRPOConfig(
        **settings(stage, options.trl),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=count,
        num_generations=options.group,
        max_steps=options.steps,
        learning_rate=options.learning_rate,
        lr_scheduler_type=options.schedule,
        beta=options.beta,
        temperature=options.rollout_temperature(stage.judge, f"stages.{stage.index - 1}"),
        top_p=stage.judge.top_p,
        scale_rewards=options.scale_rewards,
        max_completion_length=stage.judge.max_new_tokens,
        shuffle_dataset=False,
        save_steps=options.save_every,
    )


class SkippingGRPOTrainer(StopsWhenNotFinite, ScoresTaughtRows, SamplesRollouts, GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer, with groups that teach nothing (all right, all wrong) left out of the loss and of what it is divided by; and, where
    the judge has stop strings, what was sampled behind one."""

    rewards: RolloutRewards
    sorts_prompts: bool = False
    _buffered_inputs: list[dict[str, Any]] | None

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        before, inputs = self._buffered_inputs, super()._prepare_inputs(generation_batch)
        if self.sorts_prompts and self._buffered_inputs is not None and self._buffered_inputs is not before:
            self._buffered_inputs = by_prompt(self._buffered_inputs)
            inputs = self._buffered_inputs[self._step % len(self._buffered_inputs)]
        return inputs

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        mask_BT = batch["completion_mask"]
        keep_B1 = torch.tensor(self.rewards.signal, device=mask_BT.device).unsqueeze(1)
        length_B1 = torch.tensor(self.rewards.lengths, device=mask_BT.device).unsqueeze(1)
        batch["completion_mask"] = mask_BT * keep_B1 * (torch.arange(mask_BT.shape[1], device=mask_BT.device) < length_B1)
        batch["num_items_in_batch"] = self.accelerator.gather(batch["completion_mask"].sum()).sum()
        return batch


def summary(problems: Sequence[Problem], stage: StageContext, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """What the stage did, for the tables: means over its last tenth of steps, and over all of them for skipped groups."""
    tail: dict[str, list[float]] = defaultdict(list)
    for step in steps[-max(1, len(steps) // 10) :]:
        for name in ("reward", "accuracy", "skipped_groups"):
            if step[name] is not None:
                tail[name].append(step[name])
    return {
        "problems": len(problems),
        "of_problems": len(stage.problems),
        "steps": len(steps),
        "skipped_groups": sum(step["skipped_groups"] for step in steps) / len(steps),
        **{f"final_{name}": sum(values) / len(values) for name, values in tail.items()},
    }
