"""Where a policy's rewards come from: the judge, or what it is compared with, the label and the group's majority."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from adjudge import Aggregator, Budget, ConfigError, Judge, Options, Voting
from adjudge_tournament import Reward


class JudgeReward(Options):
    """The run's judge, as trained so far, compares answers."""

    use: Literal["judge"] = "judge"
    against: Literal["group", "start"] = "group"
    """Whom an answer meets: the others of its group, or alone the first policy's answer to the same question; its reward is then the share
    of points, and `aggregator`, `reward` and `budget` have no say."""
    aggregator: Aggregator = Field(default_factory=lambda: {"use": "knockout"}, validate_default=True)
    """How a group's matches become a ranking."""
    reward: Reward = "standardised"
    """The number that becomes of a place: ``rating``, ``win-rate``, ``rank``, ``minmax`` or ``standardised``."""
    voting: Voting = Voting(on_unreadable="drop")
    """How votes decide a match; one without a readable vote is left out unless `on_unreadable` says otherwise."""
    budget: Budget = Budget()
    """What each group may spend."""
    pointwise: bool = False
    """Rate each answer by itself on the judge's own scale, as `rubric` and `scale` have one: nothing is compared, and `aggregator` is not
    used."""

    @model_validator(mode="after")
    def _pointwise_meets_nobody(self) -> Self:
        if self.pointwise and self.against == "start":
            raise ValueError("pointwise: an answer that is rated by itself meets nobody; leave out either it or 'against: start'")
        return self

    def check_judge(self, judge: Judge, field: str) -> None:
        """Raise `ConfigError` where answers are to be rated by themselves, and the judge or another option only compares them."""
        if not self.pointwise:
            return
        from adjudge_rewards import check_pointwise

        try:
            check_pointwise(judge, self.reward, self.budget, dict(self.voting))
        except ConfigError as error:
            raise ConfigError(f"{field}.{error}") from None


class LabelReward(Options):
    """1 for the labelled answer, 0 for any other: what a policy can learn at best."""

    use: Literal["label"] = "label"


class MajorityReward(Options):
    """1 for the answer that most of the group gives, 0 for any other, and 1 for each of several that are as frequent (TTRL)."""

    use: Literal["majority"] = "majority"


def _named(given: Any) -> Any:
    """A name alone, and the judge where none is given."""
    if isinstance(given, str):
        return {"use": given}
    return {"use": "judge", **given} if isinstance(given, dict) else given


RewardSource: TypeAlias = Annotated[
    Annotated[JudgeReward | LabelReward | MajorityReward, Field(discriminator="use")], BeforeValidator(_named)
]
