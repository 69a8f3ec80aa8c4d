"""``adjudge rank``: many answers to a prompt in, a ranking by pairwise judgements out."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    DEFAULT_MODEL,
    AsJson,
    DryRun,
    EngineName,
    Model,
    NoCache,
    OrderName,
    PriceIn,
    PriceOut,
    Rows,
    Seed,
    Sets,
    SkipBadLines,
    Speed,
)
from .plan import rates, show_call_plan

if TYPE_CHECKING:
    from adjudge.duel import Played
    from adjudge.rewards import Reward
    from adjudge.tournament import Tournament

EXAMPLE = """Example: echo '{"prompt": "37+48", "answers": ["75", "85", "86"]}' | adjudge rank --use knockout --votes 3"""

Votes = Annotated[int, typer.Option("--votes", min=1, help="Most judgements per match; no more once their majority is settled.")]
Confidence = Annotated[
    float | None, typer.Option("--confidence", help="Also end a match once its leader is ahead with this probability, for example 0.9.")
]
BudgetText = Annotated[
    str | None, typer.Option("--budget", help="Stop each ranking after so many matches, or '{tokens: N}'; rank by what was played.")
]
OnUnreadable = Annotated[
    str | None, typer.Option("--on-unreadable", help="A match without a readable vote: 'retry', then a draw; 'draw' at once; 'drop' it.")
]
RewardName = Annotated[str | None, typer.Option("--reward", help="Add a reward: 'rating', 'win-rate', 'rank', 'minmax' or 'standardised'.")]


def rank(
    file: Rows = FilePath("-"),
    *,
    model: Model = DEFAULT_MODEL,
    use: Annotated[str, typer.Option("--use", help="The aggregator: a name, or YAML with options.")] = "knockout",
    votes: Votes = 1,
    confidence: Confidence = None,
    budget: BudgetText = None,
    on_unreadable: OnUnreadable = None,
    reward: RewardName = None,
    order: OrderName = None,
    engine: EngineName = "hf",
    sets: Sets = None,
    seed: Seed = 0,
    skip_bad_lines: SkipBadLines = False,
    dry_run: DryRun = False,
    tokens_per_second: Speed = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Rank many answers to a prompt by pairwise judgements.

    A row has a "prompt" and two or more "answers". Options are set with, for example, --set judge.temperature=0.
    """
    from adjudge.tournament import play

    from .bench import from_yaml, opened, read_problems, set_up

    more: dict[str, Any] = {"voting": {"votes": votes, "confidence": confidence}, "reward": reward}
    if on_unreadable is not None:
        more["voting"]["on_unreadable"] = on_unreadable
    if budget is not None:
        more["budget"] = from_yaml("--budget", budget)
    bench, folder = set_up(model, engine=engine, order=order, sets=sets, seed=seed, aggregator=use, more=more)
    assert bench.aggregator is not None
    problems = read_problems(file, pairs=False, skip_bad_lines=skip_bad_lines)
    if dry_run:
        return show_call_plan(bench, folder, problems, rates(tokens_per_second, price_in, price_out), as_json)
    with opened(bench, folder, cache=not no_cache) as session:
        played = play(problems, bench.aggregator, bench.judge, session, seed=bench.seed, voting=bench.voting, budget=bench.budget)
        for tournament in played:
            row = ranking_row(tournament, bench.reward)
            if as_json:
                typer.echo(json.dumps(row, ensure_ascii=False))
            else:
                _print_ranking(tournament, row)
    return None


def ranking_row(tournament: Tournament, reward: Reward | None = None) -> dict[str, Any]:
    """One ranking with its matches and what they took; failures are counted, and `inconsistent` are votes that changed with the order."""
    from adjudge.rewards import as_reward

    played = tournament.played
    return {
        "id": tournament.problem.id,
        "order": tournament.ranking.order,
        "ratings": tournament.ranking.ratings,
        "intervals": tournament.ranking.intervals,
        "rated_by": tournament.rated_by,
        "stopped": tournament.stopped,
        **({} if reward is None else {"rewards": as_reward(tournament, reward)}),
        "matches": [_match_row(one) for one in played],
        "undecided": sum(one.undecided for one in played),
        "dropped": sum(one.dropped for one in played),
        "inconsistent": tournament.inconsistent,
        "votes": sum(len(one.votes) for one in played),
        "tokens": sum(one.tokens for one in played),
    }


def _match_row(one: Played) -> dict[str, Any]:
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


def _print_ranking(tournament: Tournament, row: dict[str, Any]) -> None:
    from .show import print_table, snippet

    columns = {"rating": [f"{rating:.6g}" for rating in row["ratings"]]}
    if row["intervals"] is not None:
        columns["95% interval"] = [f"{low:.4g} to {high:.4g}" for low, high in row["intervals"]]
    if "rewards" in row:
        columns["reward"] = ["none" if value is None else f"{value:.4g}" for value in row["rewards"]]
    columns["text"] = [snippet(answer) for answer in tournament.problem.answers]
    print_table(
        ["place", "answer", *columns],
        [[str(place), str(index), *(cells[index] for cells in columns.values())] for place, index in enumerate(row["order"], 1)],
        title=f"{row['id']}: {snippet(tournament.problem.prompt)}",
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
