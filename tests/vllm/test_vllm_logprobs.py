"""Given tokens in vLLM: paths of many prompts in one call, and statistics, beside those of `hf` on the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest

from adjudge import ConfigError
from adjudge_arithmetic import ArithmeticDataset
from adjudge_engines import HfEngine, VllmEngine
from adjudge_judges import ArithmeticJudge

ENGINE = VllmEngine(dtype="float32", eager=True, extra={"kv_cache_memory_bytes": 2**28})
PROBLEMS = list(ArithmeticDataset(size=12, levels=[1, 2, 3], part="test").load())
PROMPTS = [ArithmeticJudge().prompt(problem, "given") for problem in PROBLEMS]
NEAR = 1e-3
"""Nats per token."""


@pytest.fixture(scope="module")
def session(embedded: FilePath) -> Iterator[Any]:
    with ENGINE.open(embedded) as opened:
        yield opened


@pytest.fixture(scope="module")
def hf(embedded: FilePath) -> Iterator[Any]:
    with HfEngine(dtype="float32").open(embedded) as opened:
        yield opened


@pytest.fixture(scope="module")
def asked(hf: Any) -> list[Any]:
    """A prompt with one path, the next with two and one without tokens, and so on; the last without any."""
    ids = [hf.tokenize(f"{number}+8=15 \\boxed{{Assistant 1}}").token_ids for number in range(len(PROMPTS))]
    groups = [(prompt, [ids[number], ids[number][:4], ()][: 3 * (number % 2) or 1]) for number, prompt in enumerate(PROMPTS)]
    return [*groups, (PROMPTS[0], [])]


def test_paths_of_many_prompts_come_back_to_their_prompts(session: Any, hf: Any, asked: list[Any]) -> None:
    found = dict(session.logprobs_each(asked))
    assert sorted(found) == list(range(len(asked)))
    for place, (prompt, paths) in enumerate(asked):
        assert len(found[place]) == len(paths)
        for values, same, expected in zip(found[place], session.logprobs(prompt, paths), hf.logprobs(prompt, paths), strict=True):
            assert values == pytest.approx(same, abs=NEAR)
            assert values == pytest.approx(expected, abs=NEAR)


def test_statistics_are_those_of_hf(session: Any, hf: Any, asked: list[Any]) -> None:
    """vLLM's ranks have no margin for near-ties: where one differs, tokens lie within it."""
    names = ["rank", "top_logprob"]
    assert set(names) == ENGINE.statistics
    found, ranks = dict(session.logprobs_each(asked, statistics=names)), []
    for place, (prompt, paths) in enumerate(asked):
        for row, expected in zip(found[place], hf.logprobs(prompt, paths, statistics=names), strict=True):
            assert [*row] == ["logprob", *names]
            assert row["logprob"] == pytest.approx(expected["logprob"], abs=NEAR)
            assert row["top_logprob"] == pytest.approx(expected["top_logprob"], abs=NEAR)
            ranks += zip(row["rank"], expected["rank"], strict=True)
            assert all(
                (rank == 1) == (value == top) for rank, value, top in zip(row["rank"], row["logprob"], row["top_logprob"], strict=True)
            )
    assert all(abs(one - other) <= 1 for one, other in ranks)
    assert sum(one != other for one, other in ranks) < len(ranks) / 50
    assert max(other for _, other in ranks) > 20, "not only the first places"


def test_scoring_and_sampling_share_a_batch(session: Any, hf: Any, asked: list[Any]) -> None:
    """Whoever takes one answer at a time may ask for others meanwhile; what nobody waits for is called off."""
    settings: dict[str, Any] = {"seeds": range(4), "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 20}
    scoring, sampling = session.logprobs_each(asked, statistics=["top_logprob"]), session.sample(PROMPTS[:4], **settings)
    found = dict([next(scoring), next(scoring)])
    made = dict([next(sampling)])
    found |= dict([next(scoring), next(scoring), next(scoring)])
    made |= dict(sampling)
    scoring.close()
    for place, rows in found.items():
        for row, expected in zip(rows, hf.logprobs(*asked[place], statistics=["top_logprob"]), strict=True):
            assert row["top_logprob"] == pytest.approx(expected["top_logprob"], abs=NEAR)
    greedy = dict(hf.sample(PROMPTS[:4], **settings))
    for index, one in made.items():
        assert one.token_ids == greedy[index].token_ids
        assert one.logprobs == pytest.approx(greedy[index].logprobs, abs=NEAR)
    assert session.logprobs(*asked[0])[0] == pytest.approx(hf.logprobs(*asked[0])[0], abs=NEAR)


def test_nothing_is_asked_before_all_of_it_can_be(session: Any) -> None:
    with pytest.raises(ConfigError, match="a path has the token 288"):
        session.logprobs_each([(PROMPTS[0], [(5, 6)]), (PROMPTS[1], [(288,)])])
