"""A GRPO stage for real, on the embedded judge: what it records, what it leaves out, and when it refuses to call a model trained."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any, Literal

import pytest

from adjudge import ConfigError, JobError, Outcome, Problem, ReasoningPath, RewardRule, Stage, Verdict
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_grpo import Grpo
from adjudge_grpo.rules import Format, VerdictRule
from adjudge_judges import ArithmeticJudge

pytestmark = pytest.mark.slow
SMALL: dict[str, Any] = {"steps": 3, "prompts_per_step": 4, "group": 4, "learning_rate": 1e-4}


class AlwaysFirst(ArithmeticJudge):
    """Reads every text as *first*."""

    def parse(self, text: str) -> Verdict:
        return Verdict(Outcome.FIRST, (0, 0), (0, len(text)))


def stage(folder: FilePath, model: FilePath, judge: ArithmeticJudge | None = None, labels: set[int] | None = None) -> Stage:
    problems = [p for p in ArithmeticDataset(size=40, levels=[1, 2]).load() if labels is None or p.label in labels]
    return Stage(
        1, "grpo", folder / "stages" / "1-grpo", folder / "records", model, model, judge or ArithmeticJudge(), HfEngine(), problems
    )


def records(made: Stage, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made.records_folder / f"{made.name}-{name}.jsonl").read_text().splitlines()]


def test_a_stage_trains_and_records_every_rollout(tmp_path: FilePath, embedded: FilePath) -> None:
    made = stage(tmp_path, embedded)
    result = Grpo(**SMALL, rules=[VerdictRule(), Format(weight=0.5)]).train(made)
    steps, rollouts = records(made, "steps"), records(made, "rollouts")
    assert [step["step"] for step in steps] == [1, 2, 3]
    assert len(rollouts) == 3 * 4 * 4
    for step in steps:
        mine = [rollout for rollout in rollouts if rollout["step"] == step["step"]]
        groups = [mine[i : i + 4] for i in range(0, 16, 4)]
        assert all(len({rollout["problem_id"] for rollout in group}) == 1 for group in groups)
        assert step["accuracy"] == pytest.approx(sum(rollout["right"] for rollout in mine) / 16)
        assert step["reward"] == pytest.approx(sum(rollout["reward"] for rollout in mine) / 16)
        uniform = sum(len({rollout["right"] for rollout in group}) == 1 for group in groups)
        assert step["skipped_groups"] == pytest.approx(uniform / 4)
    for rollout in rollouts:
        assert rollout["parts"]["verdict"] == (1.0 if rollout["right"] else -1.0)
        assert rollout["reward"] == rollout["parts"]["verdict"] + 0.5 * rollout["parts"]["format"]
    assert (result.model / "model.safetensors").read_bytes() != (embedded / "model.safetensors").read_bytes()
    assert json.loads((result.model / "judge.json").read_text())["use"] == "arithmetic"
    assert result.metrics["steps"] == 3
    with HfEngine().open(result.model) as session:
        assert made.sample(session, made.problems[:4], "after")


@pytest.mark.skipif(find_spec("liger_kernel") is not None, reason="liger-kernel is installed")
def test_an_option_that_asks_for_a_package_names_it(tmp_path: FilePath, embedded: FilePath) -> None:
    with pytest.raises(
        ConfigError, match=r"stages\.0\.trl: .*liger-kernel.*\n  Remedy: install what is named there, or leave out the option"
    ):
        Grpo(**SMALL, trl={"use_liger_kernel": True}).train(stage(tmp_path, embedded))


def test_a_rollout_ends_with_the_judges_stop_string(tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read up to it and with it, as in sampling; what TRL sampled behind it has no part in the loss."""
    from adjudge_grpo import train

    masks: list[tuple[list[int], list[bool]]] = []
    score = train.SkippingGRPOTrainer._generate_and_score_completions

    def spy(self: Any, inputs: Any) -> dict[str, Any]:
        batch = score(self, inputs)
        masks.append((batch["completion_mask"].sum(1).tolist(), list(self.rewards.signal)))
        return batch

    monkeypatch.setattr(train.SkippingGRPOTrainer, "_generate_and_score_completions", spy)
    made = stage(tmp_path, embedded, ArithmeticJudge(stop=("\\boxed{Assistant 1}", "\\boxed{Assistant 2}")))
    Grpo(**{**SMALL, "steps": 1, "prompts_per_step": 8}).train(made)
    rollouts = records(made, "rollouts")
    assert all(rollout["text"].endswith("}") for rollout in rollouts if rollout["outcome"] in ("first", "second"))
    [(lengths, signal)] = masks
    assert lengths == [rollout["tokens"] * kept for rollout, kept in zip(rollouts, signal, strict=True)]
    with HfEngine().open(embedded) as session:
        for rollout in rollouts:
            same = session.tokenize(rollout["text"])
            assert rollout["tokens"] == len(same.token_ids) - 1, "without the end of turn"


def test_skipped_groups_count_for_nothing_in_the_loss(tmp_path: FilePath, embedded: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    from adjudge_grpo import train

    batches: list[dict[str, Any]] = []
    score = train.SkippingGRPOTrainer._generate_and_score_completions

    def spy(self: Any, inputs: Any) -> dict[str, Any]:
        batch = score(self, inputs)
        batches.append({**batch, "signal": list(self.rewards.signal)})
        return batch

    monkeypatch.setattr(train.SkippingGRPOTrainer, "_generate_and_score_completions", spy)
    Grpo(**{**SMALL, "steps": 2, "prompts_per_step": 8}).train(stage(tmp_path, embedded))
    kept = {signal for batch in batches for signal in batch["signal"]}
    assert kept == {True, False}, "the test needs groups of both kinds"
    for batch in batches:
        per_row = batch["completion_mask"].sum(1)
        assert [bool(tokens) for tokens in per_row] == batch["signal"]
        assert int(batch["num_items_in_batch"]) == int(per_row.sum())


def test_a_stage_in_which_every_group_was_skipped_is_an_error(tmp_path: FilePath, embedded: FilePath) -> None:
    made = stage(tmp_path, embedded, AlwaysFirst(order="fixed"), labels={0})
    with pytest.raises(JobError, match=r"stage 1-grpo: every group of all 3 steps was all right, all wrong or rewarded alike.*\n.*Remedy"):
        Grpo(**SMALL).train(made)
    assert not (made.folder / "model").exists()


def test_only_hard_keeps_what_is_not_always_right(tmp_path: FilePath, embedded: FilePath) -> None:
    made = stage(tmp_path, embedded)
    result = Grpo(**{**SMALL, "steps": 2}, only="hard", probe_samples=3).train(made)
    by_problem: dict[str, list[bool]] = {}
    for path in records(made, "probe"):
        by_problem.setdefault(path["problem_id"], []).append(path["right"])
    assert {len(found) for found in by_problem.values()} == {3}
    hard = {problem for problem, found in by_problem.items() if not all(found)}
    assert 0 < len(hard) < len(by_problem)
    assert result.metrics["problems"] == len(hard)
    assert {rollout["problem_id"] for rollout in records(made, "rollouts")} <= hard


def test_no_hard_problem_is_an_error(tmp_path: FilePath, embedded: FilePath) -> None:
    made = stage(tmp_path, embedded, AlwaysFirst(order="fixed"), labels={0})
    with pytest.raises(JobError, match="only: hard found no problem"):
        Grpo(**SMALL, only="hard").train(made)


def test_the_same_seed_gives_the_same_numbers(tmp_path: FilePath, embedded: FilePath) -> None:
    one, other = stage(tmp_path / "one", embedded), stage(tmp_path / "other", embedded)
    for made in (one, other):
        Grpo(**{**SMALL, "steps": 2}).train(made)
    assert records(one, "rollouts") == records(other, "rollouts")


class Constant(RewardRule):
    """The same for everything."""

    use: Literal["constant"] = "constant"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        return 1.0


class Silent(RewardRule):
    """Applies to nothing."""

    use: Literal["silent"] = "silent"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        return None


@pytest.mark.parametrize("rule", [Constant(), Silent()])
def test_rules_that_tell_nothing_apart_are_an_error(tmp_path: FilePath, embedded: FilePath, rule: RewardRule) -> None:
    with pytest.raises(JobError, match="rewarded alike"):
        Grpo(**SMALL, rules=[rule]).train(stage(tmp_path, embedded))


def test_two_stages_of_a_run_go_through_the_problems_in_different_orders(tmp_path: FilePath, embedded: FilePath) -> None:
    from transformers import AutoTokenizer

    from adjudge_grpo.train import prompts_of

    tokenizer, made = AutoTokenizer.from_pretrained(embedded), stage(tmp_path, embedded)
    one = prompts_of(list(made.problems), made, tokenizer, 60)["problem"]
    assert sorted(one[:40]) == list(range(40)), "every problem comes before any comes again"
    assert one == prompts_of(list(made.problems), made, tokenizer, 60)["problem"]
    made.index = 3
    assert one != prompts_of(list(made.problems), made, tokenizer, 60)["problem"]


def test_a_completion_without_a_token_is_an_outcome(tmp_path: FilePath, embedded: FilePath) -> None:
    from types import SimpleNamespace

    from adjudge_grpo.rollouts import RolloutRewards

    made = stage(tmp_path, embedded)
    rewards = RolloutRewards(Grpo(**SMALL, rules=[VerdictRule()]), made, list(made.problems), 0)
    rewards.end_of_turn = {285}
    completions = [[{"content": ""}], [{"content": "sum 85"}]]
    found = rewards(completions * 2, [[], [5, 285]] * 2, [0] * 4, ["given"] * 4, SimpleNamespace(global_step=0))
    assert [rollout["outcome"] for rollout in records(made, "rollouts")] == ["truncated", "unreadable"] * 2
    assert found == [-1.0] * 4


class Shortness(RewardRule):
    """Takes half a point, and does not apply where a judgement begins with a question mark."""

    use: Literal["shortness"] = "shortness"

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        return None if path.completion.text.startswith("?") else -0.5


def test_a_rollout_that_one_rule_could_not_judge_is_not_the_best_of_its_group(tmp_path: FilePath, embedded: FilePath) -> None:
    from types import SimpleNamespace

    from adjudge_grpo.rollouts import RolloutRewards

    made = stage(tmp_path, embedded, AlwaysFirst(order="fixed"), labels={0})
    rewards = RolloutRewards(Grpo(**SMALL, rules=[VerdictRule(), Shortness()]), made, list(made.problems), 0)
    rewards.end_of_turn = {285}
    completions = [[{"content": text}] for text in ("? 85", "sum 85", "sum 85", "sum 85")]
    found = rewards(completions, [[5, 285]] * 4, [0] * 4, ["given"] * 4, SimpleNamespace(global_step=0))
    assert found == [0.5] * 4
    assert rewards.signal == [False] * 4, "nothing tells them apart, so the group teaches nothing"
    assert [rollout["parts"]["shortness"] for rollout in records(made, "rollouts")] == [None, -0.5, -0.5, -0.5]
    assert [rollout["reward"] for rollout in records(made, "rollouts")] == [0.5] * 4


def test_a_stage_of_which_nothing_can_be_read_says_so(tmp_path: FilePath, embedded: FilePath) -> None:
    class NeverReads(ArithmeticJudge):
        """Reads nothing."""

        def parse(self, text: str) -> Verdict:
            return Verdict(Outcome.UNREADABLE)

    with pytest.raises(JobError, match="nothing that the model wrote in 2 steps is a verdict to judge 'arithmetic'"):
        Grpo(**{**SMALL, "steps": 2}).train(stage(tmp_path, embedded, NeverReads()))
