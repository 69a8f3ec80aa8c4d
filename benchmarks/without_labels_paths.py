"""What many paths cost: accuracy and soundness after fine-tuning on the best of G paths, beside tokens and seconds, for G from 1 to 32.

One pool grows: the paths of a smaller G are the first ones of a larger. Seconds are processor time of the machine that the result names;
seconds of scoring are told twice, for R⋆ by log-probabilities that came with the paths, and for a scorer that has to read every path again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from bench import number, spread, table
from without_labels_pools import EPOCHS, PLUGINS, PROBLEMS, RATE, TESTS, Pool
from without_labels_worlds import World

from adjudge import PathScorer, ReasoningPath, Records, StageTrainer, open_judge, score_paths, validate, write_json

SIZES = (1, 2, 4, 8, 16, 32)
READ_AGAIN = "self-certainty"
"""A scorer that needs one more pass over the paths."""


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """Of every G: what was sampled and what it cost, what was chosen, and the judge fine-tuned on it."""
    pool, sizes = Pool(world, seed, folder), SIZES[:3] if world.tiny else SIZES
    found: dict[str, Any] = {"0": {"tried": pool.before}}
    seconds = tokens = 0.0
    scoring = dict.fromkeys(("rstar", READ_AGAIN), 0.0)
    known: set[str] = set()
    for paths in sizes:
        stage = pool.stage("pool")
        with stage.open(stage.model) as session:
            start = time.process_time()
            made = stage.sample(session, stage.problems, "paths", samples=paths)
            fresh = [path for path in made if path.id not in known]
            seconds += time.process_time() - start
        known |= {path.id for path in fresh}
        tokens += sum(len(path.completion.token_ids) for path in fresh)
        scoring = {scorer: before + scored(pool, fresh, scorer) for scorer, before in scoring.items()}
        found[str(paths)] = {
            "tokens": tokens,
            "sampling": seconds,
            "scoring": scoring,
            **trained(pool, paths, {path.id: path for path in made}),
        }
    return found


def scored(pool: Pool, paths: Sequence[ReasoningPath], scorer: str) -> float:
    """Seconds to score every right path, the model being loaded."""
    by_id = {problem.id: problem for problem in pool.problems}
    groups: dict[str, list[ReasoningPath]] = {}
    for path in paths:
        if path.right(by_id[path.problem_id]):
            groups.setdefault(path.problem_id, []).append(path)
    rows = [(by_id[name], some) for name, some in groups.items()]
    with open_judge(pool.world.model, cache=False) as judge:
        start = time.process_time()
        if scorer == READ_AGAIN:
            for _ in judge.score_each(rows, scorer):
                pass
        else:
            for problem, some in rows:
                score_paths(validate(PathScorer, scorer, PLUGINS, "scorer"), problem, some, judge.session)
        return time.process_time() - start


def trained(pool: Pool, paths: int, by_id: dict[str, ReasoningPath]) -> dict[str, Any]:
    """The judge fine-tuned on every problem's best right path by R⋆, out of so many."""
    file = pool.folder / f"of-{paths}" / "trained.json"
    if not file.exists():
        stage = pool.stage(f"of-{paths}")
        shutil.copytree(pool.folder / "pool" / "records", stage.records_folder, dirs_exist_ok=True)
        options = {"use": "sft", "scorer": "rstar", "paths": paths, "learning_rate": RATE, "epochs": EPOCHS}
        made = validate(StageTrainer, options, PLUGINS, "stage").train(stage)
        chosen = [by_id[row] for row in Records(stage.record_file("selected")).ids]
        kept = {"chosen": pool.shares(chosen), "tried": pool.tried(made.model, pool.tests)}
        shutil.rmtree(stage.folder)
        stage.folder.mkdir()
        write_json(file, kept)
    return cast(dict[str, Any], json.loads(file.read_text(encoding="utf-8")))


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """What each G costs and comes to, and what each doubling of it gains, over the runs of all worlds and of each."""
    head = [
        "runs", "G", "tokens sampled", "seconds: sampling", "scoring by R⋆", f"scoring by {READ_AGAIN}", "problems with a right path",
        "sound among chosen", "accuracy after SFT", "sound after SFT", "accuracy over half as many paths", "soundness over half as many",
    ]  # fmt: skip
    runs = {"all": [one for seeds in results.values() for one in seeds], **results}
    rows = [row for name, some in runs.items() for row in rows_of(name, some)]
    stops = [[field, paying(runs["all"], key)] for field, key in (("accuracy", "right"), ("soundness", "sound"))]
    return "\n\n".join([
        f"Means, with Student's 95% interval where there are three runs or more; {PROBLEMS} problems a run, {TESTS} to try it on. Seconds"
        " are those of one thread. G = 0: the judge as it ships.",
        table(head, rows),
        "The last doubling of G whose gain, over all runs, has an interval above 0:",
        table(["of", "doubling"], stops),
    ])  # fmt: skip


def told(values: Sequence[float], sign: str = "") -> str:
    """A mean, with its interval where it says anything."""
    return number(spread(values), sign) if len(values) > 2 else f"{fmean(values):{sign}.3f}"


def gains(runs: Sequence[dict[str, Any]], size: str, field: str) -> list[float]:
    """What is gained over half as many paths, run by run; over the judge as it ships, for the first."""
    sizes = sorted(runs[0], key=int)
    before = sizes[sizes.index(size) - 1]
    return [one[size]["tried"][field] - one[before]["tried"][field] for one in runs]


def rows_of(name: str, runs: Sequence[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for size in sorted(runs[0], key=int):
        those = [one[size] for one in runs]
        tried = [told([one["tried"][field] for one in those]) for field in ("right", "sound")]
        gained = ["", ""] if size == "0" else [told(gains(runs, size, field), "+") for field in ("right", "sound")]
        rows.append([name, size, *([""] * 6 if size == "0" else costs_of(those)), *tried, *gained])
    return rows


def costs_of(those: Sequence[dict[str, Any]]) -> list[str]:
    return [
        f"{fmean(one['tokens'] for one in those):,.0f}",
        f"{fmean(one['sampling'] for one in those):.1f}",
        *(f"{fmean(one['scoring'][scorer] for one in those):.1f}" for scorer in ("rstar", READ_AGAIN)),
        f"{fmean(one['chosen']['paths'] for one in those):.0f}",
        told([one["chosen"]["sound"] for one in those]),
    ]


def paying(runs: Sequence[dict[str, Any]], field: str) -> str:
    """The last step of G whose gain has an interval above 0."""
    sizes = [size for size in sorted(runs[0], key=int) if size != "0"]
    paid = [size for size in sizes if spread(gains(runs, size, field))["interval"][0] > 0]
    return f"to G = {paid[-1]}" if paid else "none"
