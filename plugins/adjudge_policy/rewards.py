"""What a policy's answers are worth: by the judge, in groups or against the first policy's; by the label; by the majority."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property

from adjudge import Problem, StageContext
from adjudge_judge_commands import OpenJudge, open_judge
from adjudge_rewards import GroupReward

from .sources import JudgeReward, LabelReward, RewardSource


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the policy."""

    problem: Problem
    text: str
    group: int
    start: str
    """What the first policy answers, greedily."""

    @property
    def right(self) -> bool | None:
        """Whether it is the labelled answer, but for spaces around it; None without a label."""
        label = self.problem.label
        return None if label is None else self.text.strip() == self.problem.answers[label].strip()


Values = list[float | None]
RewardFunction = Callable[[Sequence[Answer]], Values]


class Judged:
    """The stage's judge as a reward; its model is loaded when it is first asked, which the main process alone does."""

    def __init__(self, source: RewardSource, stage: StageContext, stack: ExitStack) -> None:
        self.source, self.stage, self.stack = source, stage, stack
        self.totals = {"matches": 0.0, "judge_tokens": 0.0, "judge_seconds": 0.0}
        """What all rewards took; measurements are not among it."""
        self.undecided = 0.0
        """Share of the last rewards."""

    @cached_property
    def judge(self) -> OpenJudge:
        stage = self.stage
        return self.stack.enter_context(open_judge(stage.model, engine=stage.engine, judge=stage.judge, seed=stage.seed, cache=False))

    @cached_property
    def _in_groups(self) -> GroupReward:
        how = self.source
        assert isinstance(how, JudgeReward)
        return GroupReward(
            self.judge, how.aggregator, reward=how.reward, budget=how.budget, voting=dict(how.voting), pointwise=how.pointwise
        )

    @cached_property
    def _in_pairs(self) -> GroupReward:
        voting = dict(self.source.voting) if isinstance(self.source, JudgeReward) else {}
        return GroupReward(self.judge, "round-robin", reward="win-rate", voting=voting)

    def rewards(self, answers: Sequence[Answer]) -> Values:
        """As the stage's `reward` says."""
        if isinstance(self.source, JudgeReward) and self.source.against == "start":
            values, used = self.against_start(answers), self._in_pairs
        else:
            prompts, texts, groups = zip(*((one.problem.prompt, one.text, one.group) for one in answers), strict=True)
            values, used = [one.value for one in self._in_groups.judged(prompts, texts, groups=groups)], self._in_groups
        for name, metric in (("matches", "matches"), ("judge_tokens", "tokens"), ("judge_seconds", "seconds")):
            self.totals[name] += used.metrics[metric]
        self.undecided = sum(value is None for value in values) / len(values)
        return values

    def against_start(self, answers: Sequence[Answer]) -> Values:
        """Each answer's share of points against the first policy's, in [0, 1]; 0.5 where they say the same; None where none was read."""
        pairs = list(dict.fromkeys((one.problem.prompt, one.text, one.start) for one in answers))
        prompts = [prompt for prompt, _, _ in pairs for _ in range(2)]
        texts = [text for _, *both in pairs for text in both]
        found = self._in_pairs.judged(prompts, texts, groups=[place // 2 for place in range(len(texts))])
        share = {pair: found[2 * place].value for place, pair in enumerate(pairs)}
        return [share[one.problem.prompt, one.text, one.start] for one in answers]


def reward_function(source: RewardSource, judged: Judged) -> RewardFunction:
    """From answers, whole groups of them, to their rewards, in order; None where nobody could judge."""
    if isinstance(source, JudgeReward):
        return judged.rewards
    return by_label if isinstance(source, LabelReward) else by_majority


def by_label(answers: Sequence[Answer]) -> Values:
    return [None if one.right is None else float(one.right) for one in answers]


def by_majority(answers: Sequence[Answer]) -> Values:
    """1 for what most of a group say, as `MajorityReward`."""
    said: dict[int, Counter[str]] = {}
    for one in answers:
        said.setdefault(one.group, Counter())[one.text.strip()] += 1
    return [float(said[one.group][one.text.strip()] == max(said[one.group].values())) for one in answers]
