"""``reward.yaml``: a judge as a reward, in a file that every adapter, the server and ``adjudge reward check`` read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from adjudge import (
    Aggregator,
    Budget,
    ConfigError,
    Engine,
    Judge,
    Options,
    Plugins,
    Voting,
    dump,
    find_model,
    load_judge,
    load_yaml,
    override,
    validate,
)
from adjudge_tournament import Reward

from .group_reward import GroupReward
from .pointwise import check_pointwise

if TYPE_CHECKING:
    from adjudge_judge_commands import OpenJudge


class RewardConfig(Options):
    """A judge, how its verdicts rank a group, and the number that becomes of a place."""

    model: str
    """Model folder, GGUF file, id of a hub's model in the local cache, or ``package:folder``; with an endpoint, whose judge it is."""
    judge: Judge | None = None
    """How to judge; None = as the model's own ``judge.json`` says."""
    engine: Engine = Field(default_factory=lambda: {"use": "hf"}, validate_default=True)
    """Where judgements come from."""
    aggregator: Aggregator = Field(default_factory=lambda: {"use": "knockout"}, validate_default=True)
    """How a group's matches become a ranking."""
    voting: Voting = Voting(on_unreadable="drop")
    """How votes decide a match; one without a readable vote is left out unless `on_unreadable` says otherwise."""
    budget: Budget = Budget()
    """What each group may spend among its own; matches against anchors come on top, one for each completion and anchor."""
    reward: Reward = "standardised"
    """The number: ``rating``, ``win-rate``, ``rank``, ``minmax`` or ``standardised``."""
    pointwise: bool = False
    """Rate each completion by itself on the judge's own scale, as `rubric` and `scale` have one: nothing is compared, and
    `aggregator` is not used. `voting.votes` judgements each."""
    anchor: str | None = None
    """Column of a row that holds its reference answer, or a list of some; None = there are none."""
    cache: bool = True
    """Whether what was asked before is looked up."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Every random choice follows from this number."""

    @model_validator(mode="after")
    def _pointwise_compares_nothing(self) -> Self:
        if self.pointwise and self.judge is not None:
            try:
                check_pointwise(self.judge, self.reward, self.budget, dict(self.voting), self.anchor)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return self


def read_reward(file: FilePath | str, sets: Sequence[str] = (), plugins: Plugins | None = None) -> RewardConfig:
    """Read, override (``a.b=c``) and validate a reward's file; every mistake in one `ConfigError`."""
    try:
        data: Any = load_yaml(FilePath(file).read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file.\n  Remedy: check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: a reward is a mapping of fields to values, not {type(data).__name__}")
    return whole(override(data, sets), str(file), plugins or Plugins.load())


def whole(given: RewardConfig | dict[str, Any], where: str, plugins: Plugins) -> RewardConfig:
    """The configuration with the judge that its model brings, where it names none or only some of its options."""
    if isinstance(given, RewardConfig):
        given = dump(given)
    judge = given.get("judge")
    if judge is None or (isinstance(judge, dict) and "use" not in judge):
        given = {**given, "judge": {**dump(load_judge(find_model(str(given.get("model"))), plugins)), **(judge or {})}}
    if isinstance(voting := given.get("voting"), dict):
        given = {**given, "voting": {"on_unreadable": "drop", **voting}}
    return validate(RewardConfig, given, plugins, where)


@contextmanager
def open_reward(given: RewardConfig | dict[str, Any] | FilePath | str, plugins: Plugins | None = None) -> Iterator[GroupReward]:
    """The reward of a file, a mapping or a `RewardConfig`, with its judge's model loaded until the context ends."""
    from adjudge_judge_commands import open_judge

    plugins = plugins or Plugins.load()
    config = read_reward(given, (), plugins) if isinstance(given, str | FilePath) else whole(given, "the reward", plugins)
    with open_judge(config.model, engine=config.engine, judge=config.judge, seed=config.seed, cache=config.cache, plugins=plugins) as judge:
        yield of_config(judge, config)


def of_config(judge: OpenJudge, config: RewardConfig) -> GroupReward:
    """The reward that a file describes, of a judge that is open."""
    return GroupReward(
        judge, config.aggregator, reward=config.reward, budget=config.budget, voting=dict(config.voting), pointwise=config.pointwise
    )
