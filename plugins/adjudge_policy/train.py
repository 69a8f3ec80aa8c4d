"""A policy stage, top to bottom: read the questions, let TRL train the policy on its rewards, record every answer, step and measurement."""

from __future__ import annotations

import logging
import os
import random
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from datasets import Dataset as Rows
from transformers import set_seed
from trl import GRPOConfig, GRPOTrainer

from adjudge import (
    JobError,
    Message,
    Problem,
    RecordFile,
    StageContext,
    StageResult,
    stable_seed,
)
from adjudge_engines import load_tokenizer
from adjudge_trl import (
    StopsWhenNotFinite,
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

from .answers import AnswerRewards, AnswerStepRecorder
from .measure import Measurements
from .questions import check_questions, loaded, no_chat_template, policy_model
from .rewards import Judged, reward_function

if TYPE_CHECKING:
    from .policy import Policy


log = logging.getLogger("adjudge")
MOST = 0.5
"""Share of answers without a reward above which a warning is given."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What the policy is asked, and the first policy's greedy answer to each."""

    train: list[Problem]
    test: list[Problem]
    starts: dict[str, str]
    """By prompt."""


def train(options: Policy, stage: StageContext) -> StageResult:
    own = of_policy(stage, policy_model(options.model, f"stages.{stage.index - 1}"))
    check_machine(own, own.model, options.lora, options.trl)
    tokenizer = load_tokenizer(own.model, trust_remote_code=stage.trust_remote_code, chat=stage.engine)
    if tokenizer.chat_template is None or tokenizer.eos_token_id is None:
        raise no_chat_template(own.model, f"stages.{stage.index - 1}")
    questions = read_questions(options, stage, own)
    with ExitStack() as stack:
        metrics = reinforce(options, own, tokenizer, questions, Judged(options.reward, stage, stack))
    give_back_memory()
    return StageResult(unchanged(stage), metrics)


def of_policy(stage: StageContext, model: FilePath) -> StageContext:
    """The stage with the policy as its model, and a folder of its own for that one's files."""
    own = copy(stage)
    own.model, own.folder = model, stage.folder / "policy"
    return own


def unchanged(stage: StageContext) -> FilePath:
    """The judge that the stage came with, named from the stage's folder so that the run's folder may move."""
    return stage.model if stage.model == stage.base else stage.folder / os.path.relpath(stage.model, stage.folder)


def read_questions(options: Policy, stage: StageContext, own: StageContext) -> Questions:
    """The questions, and what the first policy answers greedily; raises `ConfigError` for a test question that is learnt from."""
    train = list(stage.problems) if options.data is None else loaded(options.data)
    test = [] if options.test is None else loaded(options.test)
    check_questions(options, train, test, f"stages.{stage.index - 1}")
    asked = list(dict.fromkeys(problem.prompt for problem in (*train, *test)))
    return Questions(train, test, dict(zip(asked, _start_answers(options, own, asked), strict=True)))


def _start_answers(options: Policy, own: StageContext, asked: list[str]) -> list[str]:
    """The first policy's greedy answers, kept over a stop."""
    if not own.process_group.is_main_process:
        return [""] * len(asked)  # only the main process compares with them
    records = own.records("starts", len(asked))
    known = {row["id"]: row["text"] for row in records}
    missing = [prompt for prompt in asked if prompt not in known]
    if missing:
        with own.open(own.model) as session:
            sampling: dict[str, Any] = {"temperature": 0.0, "top_p": 1.0, "max_new_tokens": options.max_new_tokens}
            turns: list[list[Message]] = [asked_in_turns(prompt) for prompt in missing]
            for index, made in session.sample(turns, seeds=[0] * len(turns), **sampling):
                if made.error is not None:
                    raise JobError(f"stage {own.name}: the first policy's answer to {missing[index]!r} failed: {made.error}")
                known[missing[index]] = made.text
                records.append({"id": missing[index], "text": made.text})
    return [known[prompt] for prompt in asked]


def asked_in_turns(prompt: str) -> list[Message]:
    return [{"role": "user", "content": prompt}]


def reinforce(options: Policy, own: StageContext, tokenizer: Any, questions: Questions, judged: Judged) -> dict[str, Any]:
    """Train the policy, from the last checkpoint where there is one."""
    last, done = newest_checkpoint(own)

    def records(name: str, total: int) -> RecordFile:
        found = own.records(name, total)
        found.keep(lambda row: row["step"] <= done)  # steps after the checkpoint are made again
        return found

    total = options.steps * options.prompts_per_step * options.group
    rewarded = reward_function(options.reward, judged)
    answers = AnswerRewards(own, questions.train, questions.starts, options.group, rewarded, judged, records("answers", total))
    recorder = AnswerStepRecorder(answers, records("steps", options.steps), options.steps)
    curve = records("curve", 1 + -(-options.steps // options.measure_every))
    measurements = Measurements(options, own, questions.test, questions.starts, judged, tokenizer, curve)
    set_seed(stable_seed("policy", own.name, own.seed) % 2**32)
    start = whole_start(own, own.model, options.trl) if options.beta > 0 and options.lora is None else own.model
    model, adapters = load(own, start, options.lora, options.trl)

    logging.getLogger("trl.trainer.grpo_trainer").addFilter(_is_news)

    def make() -> PolicyTrainer:
        return PolicyTrainer(
            model=model,
            processing_class=tokenizer,
            reward_funcs=[answers],
            train_dataset=rows_of(options, own, questions.train),
            args=trl_config(options, own),
            callbacks=[recorder, measurements],
            peft_config=adapters,
        )

    trainer = start_trainer(own, make, options.trl)
    trainer.stage = own
    fit(trainer, own, last, options.lora)
    own.process_group.barrier()
    folder = save(trainer, own, start, options.lora, options.trl)
    if own.process_group.is_main_process:
        (folder / "judge.json").unlink(missing_ok=True)  # a policy does not judge
    found = {"steps": options.steps, "policy": str(folder.relative_to(own.folder.parent)), **measurements.first_and_last(), **judged.totals}
    return {**found, "undecided": _undecided(own, answers.records)}


def _undecided(own: StageContext, answers: RecordFile) -> float:
    """The share of answers without a reward; told where most are, for the policy has then learnt from the others alone."""
    values = [row["reward"] for row in answers]
    share = sum(value is None for value in values) / max(1, len(values))
    if share > MOST and own.process_group.is_main_process:
        log.warning(
            "stage %s: %.0f%% of the policy's answers have no reward, and it learnt from the rest alone.\n"
            "  Remedy: look at the judge's outcomes in records/, and give the judge more tokens, or the reward a larger budget.",
            own.name, 100 * share,
        )  # fmt: skip
    return share


def _is_news(record: logging.LogRecord) -> bool:
    """TRL prints every answer without a reward; the step's record has their share."""
    return "All reward functions returned None" not in record.getMessage()


def rows_of(options: Policy, own: StageContext, problems: list[Problem]) -> Rows:
    """As many questions as the stage takes, going through them in one seeded order after another."""
    rng = random.Random(stable_seed("policy order", own.name, own.seed))
    rows: list[dict[str, Any]] = []
    while len(rows) < options.steps * options.prompts_per_step:
        rows += [
            {"prompt": asked_in_turns(problems[index].prompt), "problem": index}
            for index in rng.sample(range(len(problems)), len(problems))
        ]
    return Rows.from_list(rows[: options.steps * options.prompts_per_step])


def trl_config(options: Policy, own: StageContext) -> GRPOConfig:
    micro, count = micro_batches(options.prompts_per_step * options.group, options.micro_batch, own.process_group.size)
    return GRPOConfig(
        **settings(own, options.trl),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=count,
        num_generations=options.group,
        max_steps=options.steps,
        learning_rate=options.learning_rate,
        beta=options.beta,
        temperature=options.temperature,
        max_completion_length=options.max_new_tokens,
        shuffle_dataset=False,
        save_steps=options.save_every,
        lr_scheduler_type=options.schedule,
    )


class PolicyTrainer(StopsWhenNotFinite, GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer, which ends where a loss is no number."""
