"""``adjudge fit``: what a judge made of judges learns from pairs, as options to set."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from adjudge import DEFAULT_MODEL, ModelOption, SetOption
from adjudge_judge_commands import DataOption, EngineOption, JsonOption, JudgeOption, LimitOption, NoCacheOption, OrderOption, SeedOption

EXAMPLE = "Example: adjudge fit --judge '{use: direct, judge: arithmetic}' --data '{use: arithmetic, size: 200}'"


def fit(
    *,
    data: DataOption = None,
    model: ModelOption = DEFAULT_MODEL,
    judge: JudgeOption = None,
    order: OrderOption = None,
    engine: EngineOption = "hf",
    accuracy: Annotated[
        float | None, typer.Option("--accuracy", min=0, max=1, help="Of a cascade: as cheap as can be at this accuracy.")
    ] = None,
    tokens: Annotated[float | None, typer.Option("--tokens", min=0, help="Of a cascade: as accurate as can be at so many tokens.")] = None,
    limit: LimitOption = None,
    sets: SetOption = None,
    seed: SeedOption = 0,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find a cascade's margins, a panel's weights, or the temperature of probabilities on pairs.

    Take pairs that nothing is measured on later. A panel needs no labels; with neither --accuracy nor --tokens a cascade is to be as
    accurate as its last judge.
    """
    from adjudge import check_pairs
    from adjudge_data import problems_of
    from adjudge_judge_commands import configured, data_set, opened, some_of

    from .fit_config import FitConfig
    from .fitting import fit as fitted

    if data is None:
        raise typer.BadParameter("give pairs to learn from", param_hint="--data")
    if accuracy is not None and tokens is not None:
        raise typer.BadParameter("give an accuracy or a budget, and not both", param_hint="--tokens")
    more = {"data": data_set(data), "limit": limit}
    config, folder = configured(FitConfig, model=model, engine=engine, order=order, judge=judge, sets=sets, seed=seed, more=more)
    problems = some_of(problems_of(config.data, "--data"), config.limit)
    check_pairs(problems, "--data", labelled=False)
    with opened(config, folder, cache=not no_cache) as open_judge:
        found = fitted(config.judge, problems, open_judge.session, seed=config.seed, accuracy=accuracy, tokens=tokens)
    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else readable(found))


def readable(found: dict[str, Any]) -> str:
    """What was seen, a line each, and the options as a call sets them."""
    from adjudge import number

    def shown(value: Any) -> str:
        if isinstance(value, dict) and set(value) == {"value", "n", "interval"}:
            interval = "" if value["interval"] is None else f" (95% {shown(value['interval'])})"
            return number(value["value"]) + interval
        if isinstance(value, dict):
            return ", ".join(f"{name} {shown(one)}" for name, one in value.items())
        if isinstance(value, list | tuple):
            return " to ".join(map(shown, value))
        return str(value) if isinstance(value, int) else number(value)

    lines = [f"{name.replace('_', ' ')}: {shown(value)}" for name, value in found.items() if name != "options"]
    sets = [f"--set judge.{name}={json.dumps(value)}" for name, value in found["options"].items()]
    return "\n".join([*lines, f"set it with: {' '.join(sets)}"])
