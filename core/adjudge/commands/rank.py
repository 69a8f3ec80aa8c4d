"""``adjudge rank``: many answers to a prompt in, a ranking by pairwise judgements out."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import DEFAULT_MODEL, AsJson, EngineName, Model, OrderName, Rows, Seed, Sets, SkipBadLines

if TYPE_CHECKING:
    from adjudge.tournament import Tournament

EXAMPLE = """Example: echo '{"prompt": "37+48", "answers": ["75", "85", "86"]}' | adjudge rank --use knockout --votes 3"""


def rank(
    file: Rows = FilePath("-"),
    *,
    model: Model = DEFAULT_MODEL,
    use: Annotated[str, typer.Option("--use", help="The aggregator: a name, or YAML with options.")] = "knockout",
    votes: Annotated[int, typer.Option("--votes", min=1, help="Judgements per match; the majority of those that decide wins.")] = 1,
    order: OrderName = None,
    engine: EngineName = "hf",
    sets: Sets = None,
    seed: Seed = 0,
    skip_bad_lines: SkipBadLines = False,
    as_json: AsJson = False,
) -> None:
    """Rank many answers to a prompt by pairwise judgements.

    A row has a "prompt" and two or more "answers". Options are set with, for example, --set judge.temperature=0.
    """
    from adjudge.tournament import play

    from .bench import opened, read_problems, set_up

    bench, folder = set_up(model, engine=engine, order=order, sets=sets, seed=seed, aggregator=use)
    assert bench.aggregator is not None
    problems = read_problems(file, pairs=False, skip_bad_lines=skip_bad_lines)
    with opened(bench, folder) as session:
        for tournament in play(problems, bench.aggregator, bench.judge, session, seed=bench.seed, votes=votes):
            row = ranking_row(tournament)
            if as_json:
                typer.echo(json.dumps(row, ensure_ascii=False))
            else:
                _print_ranking(tournament, row)


def ranking_row(tournament: Tournament) -> dict[str, Any]:
    """One ranking with its matches; `undecided` counts the matches that no vote decided, which became draws."""
    return {
        "id": tournament.problem.id,
        "order": tournament.ranking.order,
        "ratings": tournament.ranking.ratings,
        "matches": [
            {
                "round": one.round,
                "first": one.match.first,
                "second": one.match.second,
                "outcome": one.outcome.value,
                "undecided": one.undecided,
            }
            for one in tournament.played
        ],
        "undecided": sum(one.undecided for one in tournament.played),
        "tokens": sum(one.tokens for one in tournament.played),
    }


def _print_ranking(tournament: Tournament, row: dict[str, Any]) -> None:
    from .show import print_table, snippet

    answers, ratings = tournament.problem.answers, row["ratings"]
    print_table(
        ["place", "answer", "rating", "text"],
        [[str(place), str(index), f"{ratings[index]:.6g}", snippet(answers[index])] for place, index in enumerate(row["order"], 1)],
        title=f"{row['id']}: {snippet(tournament.problem.prompt)}",
    )
    typer.echo(f"{len(row['matches'])} matches, {row['undecided']} undecided, {row['tokens']} tokens")
