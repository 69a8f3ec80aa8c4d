"""How a fine-tuning stage comes by its scores: with sampled log-probabilities or taken anew, and never twice for one problem."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, Literal

import pytest

from adjudge import Message, PathScorer, Problem, ReasoningPath, Score, Session, Stage
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine
from adjudge_judges import ArithmeticJudge
from adjudge_rstar import RStar
from adjudge_sft import Sft
from adjudge_sft.select import Pool, choose


class Remembering(PathScorer):
    """R⋆ that remembers what it was asked."""

    use: Literal["remembering"] = "remembering"
    asked: list[tuple[str, int]] = []

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        self.asked.append((problem.id, len(paths)))
        return RStar().score(problem, paths, session)


class Counting:
    """The embedded judge's session, which counts what it is asked to score."""

    def __init__(self, session: Session) -> None:
        self.session, self.scored = session, 0

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        self.scored += len(continuations)
        return self.session.logprobs(prompt, continuations)


def stage(folder: FilePath, model: FilePath) -> Stage:
    problems = list(ArithmeticDataset(size=6, levels=[1]).load())
    return Stage(2, "sft", folder / "stages" / "2-sft", folder / "records", model, model, ArithmeticJudge(), HfEngine(), problems)


def records(made: Stage, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made.records_folder / f"2-sft-{name}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def session(embedded: FilePath) -> Any:
    with HfEngine().open(embedded) as opened:
        yield opened


@pytest.fixture
def pool(session: Session, embedded: FilePath, tmp_path: FilePath) -> Pool:
    made = stage(tmp_path / "sampled", embedded)
    return Pool.of(made.problems, made.sample(session, made.problems, "paths", samples=4))


def values(made: Stage) -> dict[str, float]:
    return {row["id"]: row["value"] for row in records(made, "scores")}


def test_scores_from_sampling_and_scores_taken_anew_agree(pool: Pool, session: Session, embedded: FilePath, tmp_path: FilePath) -> None:
    right = len(pool.eligible)
    assert right > 6
    without = Pool.of(pool.problems, [replace(path, completion=replace(path.completion, logprobs=None)) for path in pool.paths])
    found: dict[str, dict[str, float]] = {}
    for name, options, paths, scored in (
        ("sampled", Sft(scorer=RStar()), pool, 0),
        ("rescored", Sft(scorer=RStar(), rescore=True), pool, right),
        ("lacking", Sft(scorer=RStar()), without, right),
    ):
        counting, made = Counting(session), stage(tmp_path / name, embedded)
        choose(options, made, paths, counting)  # type: ignore[arg-type]
        assert counting.scored == scored, name
        found[name] = values(made)
    assert found["rescored"] == pytest.approx(found["sampled"], abs=1e-4)
    assert found["lacking"] == found["rescored"]
    assert found["rescored"] != found["sampled"], "they are numbers of another pass"


def test_what_was_scored_before_a_stop_is_not_scored_again(pool: Pool, session: Session, embedded: FilePath, tmp_path: FilePath) -> None:
    made, scorer = stage(tmp_path, embedded), Remembering()
    options = Sft(scorer=scorer, rescore=True)
    chosen = choose(options, made, pool, session)
    scores, selected = records(made, "scores"), records(made, "selected")
    last = scores[-1]["problem_id"]
    file = made.records_folder / "2-sft-scores.jsonl"
    file.write_text("".join(line + "\n" for line in file.read_text().splitlines()[:-1]) + '{"id": "torn')
    scorer.asked.clear()
    assert choose(options, made, pool, session) == chosen
    eligible = [place for place in pool.eligible if pool.problem_of(place).id == last]
    assert scorer.asked == [(last, len(eligible))], "the one problem whose scores were not complete"
    assert records(made, "selected") == selected
    assert [row["id"] for row in records(made, "scores")] == [row["id"] for row in scores]
    assert values(made) == pytest.approx({row["id"]: row["value"] for row in scores}, abs=1e-6), "in other company, up to rounding"
