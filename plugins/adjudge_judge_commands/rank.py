"""``adjudge rank``: many answers to a prompt in, a ranking by pairwise judgements out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adjudge import DEFAULT_MODEL, ModelOption, PriceInOption, PriceOutOption, RowsArgument, SetOption, SkipBadLinesOption, SpeedOption

from .options import (
    DataOption,
    DryRunOption,
    EngineOption,
    JsonOption,
    JudgeOption,
    LimitOption,
    NoCacheOption,
    OrderOption,
    OutOption,
    SeedOption,
)

if TYPE_CHECKING:
    from adjudge import MatchResult, Problem, TournamentResult
    from adjudge_tournament import Reward

    from .configs import RankConfig
    from .opened_judge import OpenJudge

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
    data: DataOption = None,
    model: ModelOption = DEFAULT_MODEL,
    judge: JudgeOption = None,
    use: Annotated[str, typer.Option("--use", help="The aggregator: a name, or YAML with options.")] = "knockout",
    votes: VotesOption = 1,
    confidence: ConfidenceOption = None,
    budget: BudgetOption = None,
    on_unreadable: OnUnreadableOption = None,
    reward: RewardOption = None,
    order: OrderOption = None,
    engine: EngineOption = "hf",
    limit: LimitOption = None,
    out: OutOption = None,
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
    from adjudge import Outcome
    from adjudge_report import check_readable

    from .configs import RankConfig
    from .setup import configured
    from .sources import asked_problems, from_yaml, rows_or_data

    rows, named = rows_or_data(file, data)
    more: dict[str, Any] = {"aggregator": from_yaml("--use", use), "voting": {"votes": votes, "confidence": confidence}, "reward": reward}
    more |= {"data": named, "limit": limit}
    if on_unreadable is not None:
        more["voting"]["on_unreadable"] = on_unreadable
    if budget is not None:
        more["budget"] = from_yaml("--budget", budget)
    config, folder = configured(RankConfig, model=model, engine=engine, order=order, judge=judge, sets=sets, seed=seed, more=more)
    problems = asked_problems(rows, config.data, limit, pairs=False, skip_bad_lines=skip_bad_lines, columns=config.columns)
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
    votes_read = Counter[Outcome]()
    for row in _ranked(config, folder, problems, out, cache=not no_cache, whole=as_json or out is not None):
        if as_json:
            typer.echo(json.dumps(row, ensure_ascii=False))
        else:
            _print_ranking(row)
        votes_read.update(Outcome(vote) for match in row["matches"] for vote in match["votes"])
    return check_readable(config.judge, votes_read.elements())


def _ranked(
    config: RankConfig, folder: FilePath, problems: Sequence[Problem], out: FilePath | None, *, cache: bool, whole: bool
) -> Iterator[dict[str, Any]]:
    """The rankings in the problems' order, `whole` with their judgements; those that are kept in the folder are not made again, unless a
    call of theirs failed."""
    from adjudge import write_json

    from .kept import kept_records
    from .setup import opened

    told: dict[str, Any] = {"problems": 0, "votes": 0, "tokens": 0}
    with kept_records(out, "rankings", config, folder, problems) as records, ExitStack() as stack:
        made: Iterator[dict[str, Any]] = iter(())
        if records is not None:
            records.keep(lambda row: not any("failed" in match["votes"] for match in row["matches"]))
        if records is None or len(records.ids) < len(problems):
            judge = stack.enter_context(opened(config, folder, cache=cache))
            made = _rankings(judge, config, (one for one in problems if records is None or one.id not in records.ids), whole=whole)
        for problem in problems:
            number = None if records is None else records.ids.number(problem.id)
            row = next(made) if records is None or number is None else records.ids.row(number)
            if records is not None:
                records.append(row)
            told = {"problems": told["problems"] + 1, "votes": told["votes"] + row["votes"], "tokens": _sum([told, row])}
            yield row
        if out is not None:
            write_json(out / "result.json", told)


def _rankings(judge: OpenJudge, config: RankConfig, problems: Iterable[Problem], *, whole: bool) -> Iterator[dict[str, Any]]:
    """The rankings of these problems, `whole` with the judgements that they were made from."""
    judge.session.kept = {} if whole else None
    for result in judge.rank_each(problems, config.aggregator, budget=config.budget, **dict(config.voting)):
        yield ranking_row(result, config.reward, judge if whole else None)


def ranking_row(result: TournamentResult, reward: Reward | None = None, judge: OpenJudge | None = None) -> dict[str, Any]:
    """One ranking with its matches and what they took; failures are counted, and `inconsistent` are votes that changed with the order.

    With the judge that made them, matches have their judgements. `tokens` is None where the engine does not tell them.
    """
    from adjudge_tournament import as_reward

    played, matches = result.played, [_match_row(one, result.problem, judge) for one in result.played]
    order, unjudged = result.ranking.order, nobody_was_judged(result)
    return {
        "id": result.problem.id,
        "prompt": result.problem.prompt,
        "answers": list(result.problem.answers),
        "label": result.problem.label,
        **(NO_PLACES if unjudged else {"order": order, "ratings": result.ranking.ratings, "intervals": result.ranking.intervals}),
        "rated_by": result.rated_by,
        "stopped": result.stopped,
        **({} if reward is None else {"rewards": [None] * len(order) if unjudged else as_reward(result, reward)}),
        "matches": matches,
        "undecided": sum(one.undecided for one in played),
        "dropped": sum(one.dropped for one in played),
        "inconsistent": result.inconsistent,
        **_together(result),
        "votes": sum(len(one.votes) for one in played),
        "tokens": _sum(matches),
    }


def _together(result: TournamentResult) -> dict[str, Any]:
    """Triples of answers whose matches are all decided, and how many of them are circles; and the parts that no match connects."""
    from adjudge_figures import components, cyclic_triples

    points: dict[tuple[int, int], list[float]] = {}
    for one in result.played:
        if one.outcome.decided and not one.undecided:
            first, second = one.match.first, one.match.second
            points.setdefault((min(first, second), max(first, second)), []).append(
                one.outcome.points if first < second else 1 - one.outcome.points
            )
    circles, triples = cyclic_triples({pair: sum(some) / len(some) for pair, some in points.items()})
    parts = components([*points, *((index, index) for index in range(len(result.problem.answers)))])
    return {"circles": circles, "triples": triples, "parts": len(parts)}


NO_PLACES = {"order": None, "ratings": None, "intervals": None}
"""Of answers that no readable vote compares; a place would be a draw of lots."""


def nobody_was_judged(result: TournamentResult) -> bool:
    """Whether the judge was asked, and not one of its votes could be read."""
    votes = [vote for one in result.played for vote in one.votes]
    return bool(votes) and not any(vote.decided for vote in votes)


def _sum(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Tokens of all rows; None where those of one are unknown."""
    counts = [row["tokens"] for row in rows]
    return None if None in counts else sum(counts)


def _match_row(one: MatchResult, problem: Problem, judge: OpenJudge | None) -> dict[str, Any]:
    told = bool(one.tokens) or all(vote == "failed" for vote in one.votes)
    pair = problem.pair(one.match.first, one.match.second)
    judgements = {} if judge is None else {"judgements": judge.kept_judgements(pair, one.path_ids)}
    return {
        "round": one.round,
        "first": one.match.first,
        "second": one.match.second,
        "outcome": one.outcome.value,
        **({} if one.probability is None else {"probability": one.probability}),
        "votes": [vote.value for vote in one.votes],
        "inconsistent": one.inconsistent,
        "undecided": one.undecided,
        "dropped": one.dropped,
        "tokens": one.tokens if told else None,
        **judgements,
    }


def _print_ranking(row: Mapping[str, Any]) -> None:
    from adjudge import print_table, snippet

    if row["order"] is None:
        votes = {vote for match in row["matches"] for vote in match["votes"]}
        why = "no judgement came back" if votes == {"failed"} else "no vote could be read"
        return typer.echo(f"{row['id']}: {snippet(row['prompt'])}\nnot ranked: {why}; {_summary(row)}")
    columns = {"rating": [f"{rating:.6g}" for rating in row["ratings"]]}
    if row["intervals"] is not None:
        columns["95% interval"] = [f"{low:.4g} to {high:.4g}" for low, high in row["intervals"]]
    if "rewards" in row:
        columns["reward"] = ["none" if value is None else f"{value:.4g}" for value in row["rewards"]]
    columns["text"] = [snippet(answer) for answer in row["answers"]]
    print_table(
        ["place", "answer", *columns],
        [[str(place), str(index), *(cells[index] for cells in columns.values())] for place, index in enumerate(row["order"], 1)],
        title=f"{row['id']}: {snippet(row['prompt'])}",
    )
    return typer.echo(_summary(row))


def _summary(row: Mapping[str, Any]) -> str:
    """What the ranking took, and what was not as it should be."""
    tokens = "an unknown number of" if row["tokens"] is None else row["tokens"]
    told = [f"{len(row['matches'])} matches, {row['undecided']} undecided, {row['votes']} votes, {tokens} tokens"]
    if row["dropped"]:
        told.append(f"{row['dropped']} dropped")
    if row["inconsistent"] is not None:
        told.append(f"{row['inconsistent']} votes changed with the order")
    if row["circles"]:
        told.append(f"{row['circles']} of {row['triples']} triples go round in a circle")
    if row["parts"] > 1:
        told.append(f"the matches leave {row['parts']} parts that were never compared")
    if row["stopped"] is not None:
        told.append(f"stopped: the budget of {row['stopped']} is spent")
    if row["stopped"] is not None or row["dropped"]:
        told.append("rated on the Elo scale by the matches that were read")
    return "; ".join(told)
