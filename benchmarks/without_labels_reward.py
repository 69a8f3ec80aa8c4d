"""A score without labels as the only reward of GRPO: how accuracy and soundness go over the steps, and which of them falls first.

Scores are those of the judge that is being trained, so it can raise them by being right or by being sure. `majority` rewards the verdict
that most of eight judgements by the judge as it ships have given; labels are the yardstick. Curves are of the rollouts themselves.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar, Literal

from bench import table
from without_labels_paths import told
from without_labels_pools import PLUGINS, Pool
from without_labels_worlds import World

from adjudge import Completion, PathScorer, Problem, ReasoningPath, RewardRule, read_verdict, score_paths, validate, with_logprobs
from adjudge_grpo import Grpo

STEPS, PROMPTS, VOTES = 40, 8, 8
WINDOW = 5
"""Steps that one number of a curve is the mean of."""
RATE = 1e-4
REWARDS = ("verdict", "majority", "rstar", "self-certainty")
FALL = 0.02
"""How far below its best a curve has to be, from there to the end, for it to have fallen."""


class ByItself(RewardRule):
    """What a path scorer says of a path by the model that is being trained; where it does not apply, there is no reward."""

    use: Literal["by-itself"] = "by-itself"
    scorer: PathScorer
    session: ClassVar[Any] = None
    live: ClassVar[Any] = None
    judge: ClassVar[Any] = None

    def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
        if not path.outcome.decided:
            return None
        self.session.model.load_state_dict(self.live.state_dict())
        made = self.session.tokenize(path.completion.text, path.completion.token_ids)  # a rollout does not say where its tokens end
        [known] = with_logprobs(self.session, self.judge, problem, [replace(path, completion=made)], self.scorer.statistics)
        return score_paths(self.scorer, problem, [known], self.session)[0].value


@contextmanager
def looking_inside(stage: Any) -> Iterator[None]:
    """While this lasts, the rule sees the model that a GRPO stage trains, which no reward rule is told of otherwise."""
    import adjudge_grpo.train as grpo  # which imports TRL, for seconds

    load = grpo.load

    def remembered(*given: Any) -> Any:
        ByItself.live, adapters = load(*given)
        return ByItself.live, adapters

    with stage.open(stage.model) as session:
        ByItself.session, ByItself.judge, grpo.load = session, stage.judge, remembered
        try:
            yield
        finally:
            grpo.load = load
            ByItself.session = ByItself.live = None


def measure(world: World, seed: int, folder: Path) -> dict[str, Any]:
    """For every reward: share right and sound of the rollouts by window of steps, what it says itself, and the judge at the end."""
    pool = Pool(world, seed, folder)
    labelled = pool.problems
    steps = 4 if world.tiny else STEPS
    found: dict[str, Any] = {"before": pool.before}
    for name in REWARDS:
        problems = labelled if name == "verdict" else by_majority(pool) if name == "majority" else unlabelled(labelled)
        rules: list[Any] = (
            ["verdict"] if name in ("verdict", "majority") else [ByItself(scorer=validate(PathScorer, name, PLUGINS, "scorer"))]
        )
        stage = replace(pool.stage(f"by-{name}", problems), use="grpo")
        options = Grpo(rules=validated(rules), steps=steps, prompts_per_step=PROMPTS, learning_rate=RATE, save_every=1000)
        with looking_inside(stage):
            made = options.train(stage)
        rollouts = [json.loads(line) for line in stage.record_file("rollouts").read_text(encoding="utf-8").splitlines()]
        found[name] = {"curve": curve(pool, rollouts), "tried": pool.tried(made.model, pool.tests)}
    return found


def validated(rules: Sequence[Any]) -> list[RewardRule]:
    return [one if isinstance(one, RewardRule) else validate(RewardRule, one, PLUGINS, "rule") for one in rules]


def unlabelled(problems: Sequence[Problem]) -> list[Problem]:
    return [replace(problem, label=None) for problem in problems]


def by_majority(pool: Pool) -> list[Problem]:
    """Problems labelled by what most judgements of the judge as it ships say; those without a majority are left out."""
    stage = pool.stage("votes")
    with stage.open(stage.model) as session:
        votes: dict[str, Counter[float]] = {}
        for path in stage.sample(session, pool.problems, "votes", samples=VOTES):
            if path.outcome.decided:
                votes.setdefault(path.problem_id, Counter())[path.outcome.points] += 1
    found = []
    for problem in pool.problems:
        cast = votes.get(problem.id, Counter())
        if cast[1.0] != cast[0.0]:
            found.append(replace(problem, label=int(cast[0.0] > cast[1.0])))
    return found


def curve(pool: Pool, rollouts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By window of steps: rollouts that are right by the true label, sound, and what they were rewarded with."""
    by_id, judge = {problem.id: problem for problem in pool.problems}, pool.stage("read").judge
    windows: dict[int, list[tuple[bool, bool, float | None, int]]] = {}
    for one in rollouts:
        problem = by_id[one["problem_id"]]
        written = Completion(one["text"], truncated=one["outcome"] == "truncated")
        path = ReasoningPath(one["id"], problem.id, one["order"], 0, written, read_verdict(judge, written))
        sound = bool(pool.rule.reward(problem, path))
        windows.setdefault((one["step"] - 1) // WINDOW, []).append((bool(path.right(problem)), sound, one["reward"], one["tokens"]))
    return [
        {
            "step": (window + 1) * WINDOW,
            "right": fmean(right for right, _, _, _ in rows),
            "sound": fmean(sound for _, sound, _, _ in rows),
            "reward": fmean(reward for _, _, reward, _ in rows if reward is not None),
            "tokens": fmean(tokens for _, _, _, tokens in rows),
        }
        for window, rows in sorted(windows.items())
    ]


# Tables ----------------------------------------------------------------------------------------------------------------------


def shown(results: dict[str, list[dict[str, Any]]]) -> str:
    """Before and after, where each curve is highest and where it falls, and the curves themselves."""
    head = [
        "world", "reward", "accuracy after", "sound after", "change of accuracy", "change of soundness", "accuracy falls from step",
        "soundness falls from step", "falls first, by seed",
    ]  # fmt: skip
    rows, curves = [], []
    for world, seeds in results.items():
        before = [told([one["before"][field] for one in seeds]) for field in ("right", "sound")]
        rows.append([world, "none: as it ships", *before, "", "", "", "", ""])
        for name in REWARDS:
            rows.append([world, name, *after(seeds, name), *falls(seeds, name)])
            curves.append([world, name, *points(seeds, name)])
    steps = [f"step {one['step']}" for one in next(iter(results.values()))[0][REWARDS[0]]["curve"]] if results else []
    counts = ", ".join(f"{world} {len(seeds)}, on {seeds[0]['before']['paths']} problems each" for world, seeds in results.items())
    return "\n\n".join([
        f"Means over seeds ({counts}), with Student's 95% interval where there are three or more; {STEPS} steps of {PROMPTS} problems. A"
        f" curve falls from the step of its best on where it ends at least {FALL:g} below that.", table(head, rows),
        f"Right / sound among the rollouts of {WINDOW} steps:", table(["world", "reward", *steps], curves),
    ])  # fmt: skip


def after(seeds: Sequence[dict[str, Any]], name: str) -> list[str]:
    after = [told([one[name]["tried"][field] for one in seeds]) for field in ("right", "sound")]
    changes = [told([one[name]["tried"][field] - one["before"][field] for one in seeds], "+") for field in ("right", "sound")]
    return [*after, *changes]


def fallen(curve: Sequence[dict[str, Any]], field: str) -> int | None:
    """The step of a curve's best where it ends well below that; None where it does not."""
    best = max(curve, key=lambda one: one[field])
    return best["step"] if best[field] - curve[-1][field] >= FALL else None


def falls(seeds: Sequence[dict[str, Any]], name: str) -> list[str]:
    """Steps from which accuracy and soundness fall, seed by seed, and which of them does so first."""
    steps = [[fallen(one[name]["curve"], field) for one in seeds] for field in ("right", "sound")]
    firsts = Counter(first_of(right, sound) for right, sound in zip(*steps, strict=True))
    rows = [", ".join("–" if step is None else str(step) for step in row) for row in steps]
    return [*rows, ", ".join(f"{what} {count}" for what, count in sorted(firsts.items()))]


def first_of(right: int | None, sound: int | None) -> str:
    if right is None and sound is None:
        return "neither"
    if right is None or sound is None:
        return "soundness alone" if right is None else "accuracy alone"
    return "both" if right == sound else "soundness" if sound < right else "accuracy"


def points(seeds: Sequence[dict[str, Any]], name: str) -> list[str]:
    windows = zip(*(one[name]["curve"] for one in seeds), strict=True)
    return [f"{fmean(one['right'] for one in window):.2f} / {fmean(one['sound'] for one in window):.2f}" for window in windows]
