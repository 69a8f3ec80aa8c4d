"""Measurement 3: paths of two samplers in one pool. Does a score prefer one of them, whatever its paths are worth?

Two judges write: *usual*, fine-tuned on paths of the judge as it ships, and *rare*, fine-tuned on sound paths that are written in a valid
way that the first one seldom takes. The judge as it ships scores both. A score that compares samplers fairly puts the sound paths of either
above those of the other as often as not (0.5), and the sound paths of both above all false ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import table
from without_labels_pools import PLUGINS, Pool, opened, problems_of
from without_labels_scorers import mean
from without_labels_ways import auc, scores
from without_labels_worlds import World

from adjudge import Dataset, OpenJudge, Problem, ReasoningPath, StageTrainer, open_judge, stable_seed, validate

PROBLEMS, PATHS = 40, 2
"""Problems that both judges are asked about, and paths of each."""
LESSONS = 100
"""Problems whose sound paths, written the rare way, one judge is fine-tuned on."""
OTHERS = 1000
"""Added to the seed for questions that nobody was fine-tuned on."""
NAMES = (
    "rstar", "geometric-rstar", "likelihood", "mean-logprob", "worst-window", "validity", "self-certainty", "entropy", "deepconf, lowest",
    "rank-surprisal", "verdict-margin", "local-logprob", "path-gain", "combine: rstar, vote-share", "random",
)  # fmt: skip


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """For each scorer: which sampler it prefers, and how well it tells sound from false within one sampler and across both."""
    pool = Pool.of(world, seed, folder)
    usual = pool.trained("label-rstar", "label", "rstar")["model"]
    models = {"usual": usual, "rare": str(taught(pool))}
    problems = problems_of(world.data(PROBLEMS, OTHERS + seed))
    written = {name: sampled(name, model, problems, seed) for name, model in models.items()}
    sampler = {path.id: name for name, groups in written.items() for paths in groups for path in paths}
    with opened(world, seed) as judge:
        groups = [(problem, [*one, *other]) for problem, one, other in zip(problems, *written.values(), strict=True)]
        known, found, _ = scores(judge, groups, PLUGINS, NAMES)
    sound = {path.id: is_sound(world, problem, path) for problem, paths in groups for path in paths}
    return {
        "samplers": {
            name: {
                "right": fmean(bool(path.right(problem)) for problem, paths in zip(problems, some, strict=True) for path in paths),
                "sound": fmean(sound[path.id] for paths in some for path in paths),
            }
            for name, some in written.items()
        },
        "scorers": {name: described(known, rows, sampler, sound) for name, rows in found.items()},
    }


def taught(pool: Pool) -> Path:
    """A judge fine-tuned on sound paths of the rare kind."""
    from adjudge_engines import load_tokenizer
    from adjudge_sft.train import fine_tune

    data = {"use": f"{pool.world.dataset}-adversarial", "part": "train", "size": pool.world.count(LESSONS), "seed": pool.seed}
    problems = problems_of(data)
    stage = pool.stage("rare", problems)
    options: Any = validate(
        StageTrainer, {"use": "sft", "scorer": "random", "epochs": 3, "learning_rate": 3e-4}, PLUGINS, "stage"
    )  # fmt: skip
    with opened(pool.world, pool.seed) as judge:
        chosen = [
            judge.read(problem, row["text"], "given", place)
            for problem in problems
            for place, row in enumerate(problem.meta["paths"])
            if row["case"] == "rare"
        ]
    return Path(fine_tune(options, stage, stage.model, load_tokenizer(stage.model, chat=stage.engine), chosen))


def sampled(name: str, model: str, problems: Sequence[Problem], seed: int) -> list[list[ReasoningPath]]:
    """The paths of each problem by one judge; seeds differ, so that their ids do."""
    made: list[list[ReasoningPath]] = [[] for _ in problems]
    judge: OpenJudge
    with open_judge(model, cache=False) as judge:
        for number in range(PATHS):
            judge.seed = stable_seed("sampler", name, seed, number)
            for place, verdict in enumerate(judge.judge_each(problems)):
                made[place] += verdict.paths
    return made


def is_sound(world: World, problem: Problem, path: ReasoningPath) -> bool:
    """Whether every step is there and true, in whatever valid way it is written."""
    checked: Any = validate(Dataset, f"{world.dataset}-adversarial", PLUGINS, "data")
    shown = problem.answers[:: 1 if path.order == "given" else -1]
    return bool(checked.world.sound(problem.prompt, tuple(shown), path.completion.text))


def described(
    known: Sequence[Sequence[ReasoningPath]], rows: Sequence[Sequence[float | None]], sampler: dict[str, str], sound: dict[str, bool]
) -> dict[str, Any]:
    """Areas over pairs of paths: usual above rare among sound ones; sound above false, of the usual judge alone, and of both."""
    scored = [(path, value) for paths, row in zip(known, rows, strict=True) for path, value in zip(paths, row, strict=True)]
    values = [(sampler[path.id], sound[path.id], value) for path, value in scored if value is not None]
    best = []
    for paths, row in zip(known, rows, strict=True):
        able = [(value, path.id) for path, value in zip(paths, row, strict=True) if value is not None]
        if able:
            best.append(max(able)[1])

    def of(who: str, is_sound: bool) -> list[float]:
        return [value for name, one, value in values if one == is_sound and who in (name, "both")]

    return {
        "usual_above_rare": auc(of("usual", True), of("rare", True)),
        **{f"sound_{who}": auc(of(who, True), of(who, False)) for who in ("usual", "rare", "both")},
        "rare_above_false": auc(of("rare", True), of("usual", False)),
        "chosen_usual": fmean(sampler[one] == "usual" for one in best) if best else None,
        "chosen_sound": fmean(sound[one] for one in best) if best else None,
    }


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """One table for each world, those that prefer no sampler first."""
    return "\n\n".join(of_world(world, found) for world, found in results.items())


def of_world(world: str, found: list[dict[str, Any]]) -> str:
    columns = {
        "usual above rare, both sound": "usual_above_rare",
        "sound above false: usual alone": "sound_usual",
        "both": "sound_both",
        "rare and sound above usual and false": "rare_above_false",
        "chosen from usual": "chosen_usual",
        "chosen and sound": "chosen_sound",
    }
    told = {name: [one["scorers"][name] for one in found] for name in found[0]["scorers"]}
    names = sorted(told, key=lambda name: abs(fmean(one["usual_above_rare"] or 0.5 for one in told[name]) - 0.5))
    rows = [[name, *(mean([one[key] for one in told[name]]) for key in columns.values())] for name in names]
    shares = "; ".join(
        f"{name}: accuracy {mean([one['samplers'][name]['right'] for one in found])},"
        f" sound {mean([one['samplers'][name]['sound'] for one in found])}"
        for name in ("usual", "rare")
    )
    return f"{world}. {shares}.\n\n{table(['scorer', *columns], rows)}"
