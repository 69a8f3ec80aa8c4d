"""``adjudge reward``: checks a reward's file and what a group will take, tries it on rows, or audits it, before a training needs it."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from adjudge import PriceInOption, PriceOutOption, SetOption, SkipBadLinesOption, SpeedOption
from adjudge_judge_commands import JsonOption, LimitOption

if TYPE_CHECKING:
    from adjudge import Problem

    from .config import RewardConfig
    from .findings import Limits
    from .group_reward import SampleReward

EXAMPLE = "Example: adjudge reward check reward.yaml --group 16, or: adjudge reward audit reward.yaml --data rows.jsonl"


class Action(StrEnum):
    """What is done with the file."""

    CHECK = "check"
    TRY = "try"
    AUDIT = "audit"


ActionArgument = Annotated[
    Action, typer.Argument(help="'check' the file and say what groups will take, 'try' it on rows, or 'audit' it with worthless texts.")
]
FileArgument = Annotated[FilePath, typer.Argument(metavar="FILE", help="A reward's YAML file.", show_default=False)]
RowsOption = Annotated[
    FilePath | None, typer.Option("--data", help="Rows with a prompt and the answers of its group, as 'rank' reads them.")
]
GroupOption = Annotated[int, typer.Option("--group", min=1, help="Without rows: how many completions a prompt has.")]
AcceptedOption = Annotated[
    float,
    typer.Option("--max-accepted", min=0, max=1, help="Audit: share of rows where a kind of probe may get more than the real answer."),
]
TiedOption = Annotated[float, typer.Option("--max-tied", min=0, max=1, help="Audit: share of rows where it may get as much.")]
CircularOption = Annotated[
    float,
    typer.Option("--max-circular", min=0, max=1, help="Audit: share of triples of real answers that may beat each other in a circle."),
]
FlippedOption = Annotated[
    float, typer.Option("--max-flipped", min=0, max=1, help="Audit: share of pairs whose verdict may go by the order of showing.")
]
UndecidedOption = Annotated[float, typer.Option("--max-undecided", min=0, max=1, help="Audit: share of real answers without a reward.")]
LongestOption = Annotated[int, typer.Option("--longest", min=1, help="Audit: characters of the longest probe, if so many fit.")]
AUDITING = ("max_accepted", "max_tied", "max_circular", "max_flipped", "max_undecided", "longest")
"""Arguments that mean nothing unless a reward is audited."""


def reward(
    context: typer.Context,
    action: ActionArgument,
    file: FileArgument,
    *,
    data: RowsOption = None,
    group: GroupOption = 8,
    limit: LimitOption = None,
    sets: SetOption = None,
    skip_bad_lines: SkipBadLinesOption = False,
    tokens_per_second: SpeedOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    max_accepted: AcceptedOption = 0.1,
    max_tied: TiedOption = 0.2,
    max_circular: CircularOption = 0.1,
    max_flipped: FlippedOption = 0.3,
    max_undecided: UndecidedOption = 0.1,
    longest: LongestOption = 2000,
    as_json: JsonOption = False,
) -> None:
    """Check a judge that is to be somebody's reward, try it, or audit it.

    The file names a model, and perhaps a judge, an engine, an aggregator, voting, a budget and the reward; docs/rewards.md has them.
    An audit ends with code 1 where a share is above its --max.
    """
    from adjudge import ConfigError, Plugins
    from adjudge_judge_commands import read_problems, some_of

    from .config import read_reward

    if action is not Action.AUDIT:
        _refuse_limits(context, action)
    plugins = Plugins.load()
    config = read_reward(file, sets or (), plugins)
    rows = None if data is None else list(some_of(read_problems(data, pairs=False, skip_bad_lines=skip_bad_lines, fewest=1), limit))
    if action is not Action.CHECK and rows is None:
        raise ConfigError(f"--data: there is nothing to {action} it on.\n  Remedy: name a file of rows with a prompt and its answers.")
    if action is Action.TRY:
        return _try(config, rows or [], plugins, as_json=as_json)
    if action is Action.AUDIT:
        from .findings import Limits

        limits = Limits(accepted=max_accepted, tied=max_tied, circular=max_circular, flipped=max_flipped, undecided=max_undecided)
        return _audit(config, rows or [], limits, longest, as_json=as_json)
    from adjudge_plan import rates

    return _check(config, rows or [_stand_in(group)], rates(tokens_per_second, price_in, price_out), as_json=as_json)


def _refuse_limits(context: typer.Context, action: Action) -> None:
    from adjudge import ConfigError

    flags = {option.name: option.opts[0] for option in context.command.params}
    given = [flags[name] for name in AUDITING if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"]
    if given:
        raise ConfigError(f"{', '.join(given)}: '{action}' has no limits.\n  Remedy: leave them out, or write 'adjudge reward audit'.")


def _stand_in(size: int) -> Problem:
    from adjudge import Problem

    return Problem("group", "a prompt", tuple(f"completion {number}" for number in range(1, size + 1)))


def _check(config: RewardConfig, problems: list[Problem], rates: Any, *, as_json: bool) -> None:
    from adjudge import boundary, find_model
    from adjudge_plan import show_call_plan

    assert config.judge is not None
    with boundary(config.engine, "check_judge"):
        config.engine.check_judge(config.judge)
    if config.pointwise:
        return _check_pointwise(config, problems, rates, as_json=as_json)
    facts = {"reward": config.reward, "judge": config.judge.use, "aggregator": config.aggregator.use, "groups": len(problems)}
    if (short := _ends_early(config, problems)) is not None:
        facts["budget"] = short
    return show_call_plan(
        problems, config.judge, config.engine, find_model(config.model), rates, as_json=as_json, seed=config.seed,
        aggregator=config.aggregator, voting=config.voting, budget=config.budget, facts=facts,
    )  # fmt: skip


def _check_pointwise(config: RewardConfig, problems: list[Problem], rates: Any, *, as_json: bool) -> None:
    from adjudge import find_model
    from adjudge_judge_commands import alone, rating_requests
    from adjudge_plan import show_call_plan

    assert config.judge is not None
    judge = alone(config.judge, "judge").model_copy(update={"order": "fixed"})
    facts = {"reward": config.reward, "judge": config.judge.use, "aggregator": "none: pointwise", "groups": len(problems)}
    asked = [one.problem for problem in problems for some in rating_requests(judge, problem, config.voting.votes, 0) for one in some]
    return show_call_plan(asked, judge, config.engine, find_model(config.model), rates, as_json=as_json, seed=config.seed, facts=facts)


def _ends_early(config: RewardConfig, problems: list[Problem]) -> str | None:
    """Where the budget ends groups before their scheme does: how many matches are left out."""
    from adjudge import Budget, find_model
    from adjudge_plan import plan_ranking

    if config.budget == Budget():
        return None
    assert config.judge is not None
    own, whole = (
        plan_ranking(
            problems, config.aggregator, config.judge, config.engine, find_model(config.model),
            seed=config.seed, voting=config.voting, budget=budget,
        ).parts[0].matches
        for budget in (config.budget, None)
    )  # fmt: skip
    if own is None or whole is None or own[1] >= whole[1]:
        return None
    return f"ends groups early: at most {own[1]} of the {whole[1]} matches of {config.aggregator.use}; who meets nobody is undecided"


def _try(config: RewardConfig, problems: list[Problem], plugins: Any, *, as_json: bool) -> None:
    from .config import open_reward

    prompts = [problem.prompt for problem in problems for _ in problem.answers]
    answers = [answer for problem in problems for answer in problem.answers]
    groups = [problem.id for problem in problems for _ in problem.answers]
    with open_reward(config, plugins) as reward:
        found = iter(reward.judged(prompts, answers, groups=groups))
        for problem in problems:
            rewards = [next(found) for _ in problem.answers]
            typer.echo(json.dumps(reward_row(problem, rewards), ensure_ascii=False) if as_json else _readable(problem, rewards))
        if not as_json:
            typer.echo(", ".join(f"{name} {value:.4g}" for name, value in reward.metrics.items()))


def _audit(config: RewardConfig, problems: list[Problem], limits: Limits, longest: int, *, as_json: bool) -> None:
    from adjudge import JobError, dump, find_model
    from adjudge_judge_commands import opened

    from .audit import audit
    from .config import of_config
    from .findings import findings, show

    with opened(cast("Any", config), find_model(config.model), cache=config.cache) as judge:
        report = audit(of_config(judge, config), problems, longest=longest)
    found = findings(report, limits)
    if as_json:
        whole = {"reward": dump(config), **report, "limits": dump(limits), "findings": found}
        typer.echo(json.dumps(whole, ensure_ascii=False))
    else:
        show(report, found)
    if found:
        raise JobError(f"the reward prefers what it should not: {len(found)} of its figures are above their limits.")


def reward_row(problem: Problem, rewards: list[SampleReward]) -> dict[str, Any]:
    """A group's rewards for a program to read; None, with the reason, where a completion is undecided."""
    return {
        "id": problem.id,
        "prompt": problem.prompt,
        "answers": list(problem.answers),
        "rewards": [one.value for one in rewards],
        "absolute": [one.absolute for one in rewards],
        "reasons": [one.reason for one in rewards],
    }


def _readable(problem: Problem, rewards: list[SampleReward]) -> str:
    from adjudge import snippet

    lines = [f"{problem.id}: {snippet(problem.prompt)}"]
    for answer, one in zip(problem.answers, rewards, strict=True):
        told = f"undecided ({one.reason})" if one.value is None else f"{one.value:.4g}"
        lines.append(f"  {told}: {snippet(answer)}")
    return "\n".join(lines)
