"""Statistics of tokens, from a path scorer that needs them to an engine that can tell them, or cannot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from statistics import fmean
from typing import Any, ClassVar, Literal

import pytest

from adjudge import (
    ConfigError,
    PathScorer,
    PluginError,
    Plugins,
    Problem,
    ReasoningPath,
    Run,
    RunConfig,
    Score,
    Session,
    as_row,
    check_statistics,
    open_judge,
    reader_of,
    validate,
)
from adjudge.judging.logprobs import with_logprobs
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, OpenAiEngine, ReplayEngine
from adjudge_judges import ArithmeticJudge
from adjudge_sft import Sft

PROBLEM = next(iter(ArithmeticDataset(size=1, part="test").load()))


class Certain(PathScorer):
    """Low mean entropy first."""

    use: Literal["certain"] = "certain"
    statistics: ClassVar[frozenset[str]] = frozenset({"entropy"})

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Session) -> list[Score]:
        return [Score(path.id, -fmean(path.completion.statistics["entropy"])) for path in paths]


def test_a_scorer_is_given_the_statistics_it_names(embedded: FilePath) -> None:
    with open_judge(str(embedded), engine="hf") as judge:
        path = judge.read(PROBLEM, "7+8=15 \\boxed{Assistant 1}")
        [(known, score)] = judge.score_read(PROBLEM, [path], Certain())
    entropies = known.completion.statistics["entropy"]
    assert len(entropies) == len(known.completion.token_ids) == len(known.completion.logprobs or ())
    assert score.value == pytest.approx(-fmean(entropies))
    assert score.value < 0
    again = reader_of(ReasoningPath)(as_row(known))
    assert again.completion.statistics == known.completion.statistics


@pytest.mark.parametrize(
    ("engine", "names", "told"),
    [
        (ReplayEngine(file=FilePath("x.jsonl")), {"entropy"}, "of given tokens it tells nothing"),
        (OpenAiEngine(base_url="http://127.0.0.1:1/v1", model="m"), {"rank", "top_logprob"}, "rank of .* it tells logprob, top_logprob"),
    ],
    ids=["replay", "openai"],
)
def test_an_engine_that_cannot_says_so(engine: Any, names: set[str], told: str) -> None:
    with pytest.raises(ConfigError, match=rf"stages\.1\.scorer: needs .*{told}"):
        check_statistics(engine, names, "stages.1.scorer")


@pytest.mark.parametrize(("engine", "refused"), [("vllm", True), ("hf", False)])
def test_a_run_file_is_checked_before_anything_is_loaded(plugins: Plugins, tmp_path: FilePath, engine: str, refused: bool) -> None:
    data = {
        "out": str(tmp_path / "out"), "model": "adjudge_arithmetic:model", "data": {"use": "arithmetic", "size": 4}, "reporters": [],
        "engine": {"use": engine}, "stages": [Sft(scorer=Certain())],
    }  # fmt: skip
    config = validate(RunConfig, data, plugins, "run.yaml")
    if refused:
        with pytest.raises(
            ConfigError, match=r"stages\.0\.scorer: needs entropy of .* 'vllm' cannot tell.*\n.* engine hf for all; vllm tells"
        ):
            Run(config, plugins)
    else:
        Run(config, plugins)
    assert not (tmp_path / "out").exists()


def test_an_engine_that_can_says_nothing() -> None:
    check_statistics(HfEngine(), HfEngine.statistics, "scorer")
    check_statistics(ReplayEngine(file=FilePath("x.jsonl")), (), "scorer")


class Short:
    """A session whose statistics have a number too few; one without the argument is never given it."""

    def logprobs(self, prompt: Any, continuations: Sequence[Sequence[int]], statistics: Sequence[str] = ()) -> list[Any]:
        assert [*statistics] == ["entropy", "rank"]
        return [{"logprob": [-1.0] * len(path), "entropy": [0.5] * len(path), "rank": [1.0] * (len(path) - 1)} for path in continuations]


class Plain:
    def logprobs(self, prompt: Any, continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        return [[-1.0] * len(path) for path in continuations]


def test_a_number_for_every_token_or_an_error(embedded: FilePath) -> None:
    with open_judge(str(embedded), engine="hf") as judge:
        path = judge.read(PROBLEM, "7+8=15 \\boxed{Assistant 1}")
    with pytest.raises(PluginError, match="one number for every token"):
        with_logprobs(Short(), ArithmeticJudge(), PROBLEM, [path], {"rank", "entropy"})  # type: ignore[arg-type]
    [known] = with_logprobs(Plain(), ArithmeticJudge(), PROBLEM, [path])  # type: ignore[arg-type]
    assert set(known.completion.logprobs or ()) == {-1.0}
    assert known.completion.statistics == {}
