"""``adjudge rank``: many answers to a prompt in, a ranking by pairwise judgements out."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adjudge import (
    DEFAULT_MODEL,
    DryRunOption,
    EngineOption,
    JsonOption,
    ModelOption,
    NoCacheOption,
    OrderOption,
    PriceInOption,
    PriceOutOption,
    RowsArgument,
    SeedOption,
    SetOption,
    SkipBadLinesOption,
    SpeedOption,
)

if TYPE_CHECKING:
    from adjudge import MatchResult, TournamentResult
    from adjudge_tournament import Reward

EXAMPLE = """Example: echo '{"prompt": "37+48", "answers": ["75", "85", "86"]}' | adjudge rank --use knockout --votes 3"""

VotesOption = Annotated[int, typer.Option("--votes", min=1, help="Most judgements per match; no more once their majority is settled.")]
ConfidenceOption = Annotated[
    float | None, typer.Option("--confidence", help="Also end a match once its leader is ahead with this probability, for example 0.9.")
]
BudgetOption = Annotated[
    str | None, typer.Option("--budget", help="Stop each ranking after so many matches, or '{tokens: N}'; rank by what was played.")
]
OnUnreadableOption = Annotated[
    str | None, typer.Option("--on-unreadable", help="A match without a readable vote: 'retry', then a draw; 'draw' at once; 'drop' it.")
]
RewardOption = Annotated[
    str | None, typer.Option("--reward", help="Add a reward: 'rating', 'win-rate', 'rank', 'minmax' or 'standardised'.")
]


def rank(
    file: RowsArgument = FilePath("-"),
    *,
    model: ModelOption = DEFAULT_MODEL,
    use: Annotated[str, typer.Option("--use", help="The aggregator: a name, or YAML with options.")] = "knockout",
    votes: VotesOption = 1,
    confidence: ConfidenceOption = None,
    budget: BudgetOption = None,
    on_unreadable: OnUnreadableOption = None,
    reward: RewardOption = None,
    order: OrderOption = None,
    engine: EngineOption = "hf",
    sets: SetOption = None,
    seed: SeedOption = 0,
    skip_bad_lines: SkipBadLinesOption = False,
    dry_run: DryRunOption = False,
    tokens_per_second: SpeedOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rank many answers to a prompt by pairwise judgements.

    A row has a "prompt" and two or more "answers". Options are set with, for example, --set judge.temperature=0.
    """
    from .configs import RankConfig
    from .input_rows import read_problems
    from .setup import configured, from_yaml, opened

    more: dict[str, Any] = {"aggregator": from_yaml("--use", use), "voting": {"votes": votes, "confidence": confidence}, "reward": reward}
    if on_unreadable is not None:
        more["voting"]["on_unreadable"] = on_unreadable
    if budget is not None:
        more["budget"] = from_yaml("--budget", budget)
    config, folder = configured(RankConfig, model=model, engine=engine, order=order, sets=sets, seed=seed, more=more)
    problems = read_problems(file, pairs=False, skip_bad_lines=skip_bad_lines, columns=config.columns)
    if dry_run:
        from adjudge_plan import rates, show_call_plan

        known = rates(tokens_per_second, price_in, price_out)
        return show_call_plan(
            problems,
            config.judge,
            config.engine,
            folder,
            known,
            as_json=as_json,
            seed=config.seed,
            aggregator=config.aggregator,
            voting=config.voting,
            budget=config.budget,
        )
    with opened(config, folder, cache=not no_cache) as judge:
        for result in judge.rank_all(problems, config.aggregator, budget=config.budget, **dict(config.voting)):
            row = ranking_row(result, config.reward)
            if as_json:
                typer.echo(json.dumps(row, ensure_ascii=False))
            else:
                _print_ranking(result, row)
    return None


def ranking_row(result: TournamentResult, reward: Reward | None = None) -> dict[str, Any]:
    """One ranking with its matches and what they took; failures are counted, and `inconsistent` are votes that changed with the order."""
    from adjudge_tournament import as_reward

    played = result.played
    return {
        "id": result.problem.id,
        "order": result.ranking.order,
        "ratings": result.ranking.ratings,
        "intervals": result.ranking.intervals,
        "rated_by": result.rated_by,
        "stopped": result.stopped,
        **({} if reward is None else {"rewards": as_reward(result, reward)}),
        "matches": [_match_row(one) for one in played],
        "undecided": sum(one.undecided for one in played),
        "dropped": sum(one.dropped for one in played),
        "inconsistent": result.inconsistent,
        "votes": sum(len(one.votes) for one in played),
        "tokens": sum(one.tokens for one in played),
    }


def _match_row(one: MatchResult) -> dict[str, Any]:
    return {
        "round": one.round,
        "first": one.match.first,
        "second": one.match.second,
        "outcome": one.outcome.value,
        "votes": [vote.value for vote in one.votes],
        "inconsistent": one.inconsistent,
        "undecided": one.undecided,
        "dropped": one.dropped,
        "tokens": one.tokens,
    }


def _print_ranking(result: TournamentResult, row: dict[str, Any]) -> None:
    from adjudge import print_table, snippet

    columns = {"rating": [f"{rating:.6g}" for rating in row["ratings"]]}
    if row["intervals"] is not None:
        columns["95% interval"] = [f"{low:.4g} to {high:.4g}" for low, high in row["intervals"]]
    if "rewards" in row:
        columns["reward"] = ["none" if value is None else f"{value:.4g}" for value in row["rewards"]]
    columns["text"] = [snippet(answer) for answer in result.problem.answers]
    print_table(
        ["place", "answer", *columns],
        [[str(place), str(index), *(cells[index] for cells in columns.values())] for place, index in enumerate(row["order"], 1)],
        title=f"{row['id']}: {snippet(result.problem.prompt)}",
    )
    typer.echo(_summary(row))


def _summary(row: dict[str, Any]) -> str:
    """What the ranking took, and what was not as it should be."""
    told = [f"{len(row['matches'])} matches, {row['undecided']} undecided, {row['votes']} votes, {row['tokens']} tokens"]
    if row["dropped"]:
        told.append(f"{row['dropped']} dropped")
    if row["inconsistent"] is not None:
        told.append(f"{row['inconsistent']} votes changed with the order")
    if row["stopped"] is not None:
        told.append(f"stopped: the budget of {row['stopped']} is spent")
    if row["stopped"] is not None or row["dropped"]:
        told.append("rated on the Elo scale by the matches that were read")
    return "; ".join(told)
