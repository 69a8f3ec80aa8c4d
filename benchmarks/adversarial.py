"""How well scorers of paths tell sound from false where every path is right: ``python benchmarks/adversarial.py``; about two minutes.

The adversarial sets of the three embedded worlds, scored by each world's own judge as it ships. Writes ``results/adversarial.json`` and
``adversarial.md``. The area under the curve is the share of pairs of a sound and a false path, over all problems, in which the sound one
has the higher score, ties counting half; 0.5 is chance.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from statistics import fmean
from typing import Any

from bench import RESULTS, save, table

from adjudge import OpenJudge, open_judge
from adjudge_worlds import ArithmeticAdversarial, CodeAdversarial, InstructionsAdversarial

WORLDS = {
    "sums": ("adjudge_arithmetic:model", ArithmeticAdversarial),
    "programs": ("adjudge_worlds:code", CodeAdversarial),
    "instructions": ("adjudge_worlds:instructions", InstructionsAdversarial),
}
SCORERS = ("rstar", "likelihood", "mean-logprob", "validity")


def auc(higher: list[float], lower: list[float]) -> float:
    """The share of pairs in which the first is higher, in [0, 1]; ties count half."""
    return fmean((one > other) + 0.5 * (one == other) for one in higher for other in lower)


def measured(judge: OpenJudge, kind: type[CodeAdversarial], scorer: str, size: int) -> dict[str, Any]:
    """Mean score of each case, and how well sound paths, and the seldom written ones alone, stand above the false ones."""
    values: dict[str, list[float]] = defaultdict(list)
    for problem in kind(size=size).load():
        paths = problem.meta["paths"]
        for path, score in zip(paths, judge.score(problem, [path["text"] for path in paths], scorer), strict=True):
            assert score.value is not None, "every adversarial path has a verdict and is scored"
            values[path["case"]].append(score.value)
    return {
        "paths": {case: len(found) for case, found in values.items()},
        "means": {case: fmean(found) for case, found in values.items()},
        "auc": auc(values["usual"] + values["rare"], values["cancelled"]),
        "auc_rare": auc(values["rare"], values["cancelled"]),
    }


def as_text(data: dict[str, Any]) -> str:
    rows = [
        [
            world,
            scorer,
            *(f"{found['means'][case]:.3f}" for case in ("usual", "rare", "cancelled")),
            f"{found['auc']:.3f}",
            f"{found['auc_rare']:.3f}",
        ]
        for world, scorers in data["worlds"].items()
        for scorer, found in scorers.items()
    ]
    return table(["world", "scorer", "mean: usual", "rare", "cancelled", "AUC, sound above false", "AUC, rare above false"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", type=int, default=200, help="problems of each world, with five paths each")
    size = parser.parse_args().size
    data: dict[str, Any] = {"size": size, "worlds": {}}
    for world, (model, kind) in WORLDS.items():
        with open_judge(model, cache=False) as judge:
            data["worlds"][world] = {scorer: measured(judge, kind, scorer, size) for scorer in SCORERS}
    save("adversarial", data)
    (RESULTS / "adversarial.md").write_text(as_text(data) + "\n", encoding="utf-8")
    print(as_text(data))


if __name__ == "__main__":
    main()
