"""R⋆ against the worked example, and the map from spans of text to sampled tokens."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, Outcome, PathScorer, Plugins, Problem, ReasoningPath, Verdict
from adjudge.testing import check_scorer, path_of
from adjudge_judges import ArithmeticJudge
from adjudge_rstar import GeometricRStar, Likelihood, MeanLogprob, Random, RStar, SelfConsistency, Shortest, Validity

PROBLEM = Problem("p", "q", ("a", "b"), label=0)


def path_with(reasoning: list[float], answer: list[float], ident: str = "p") -> ReasoningPath:
    """A path of one-character tokens with these probabilities, and an end-of-turn token that must count for nothing."""
    probabilities = [*reasoning, *answer, 0.001]
    size, split = len(reasoning) + len(answer), len(reasoning)
    ends = (*range(1, size + 1), -1)
    completion = Completion("x" * size, tuple(range(size + 1)), ends, tuple(map(math.log, probabilities)))
    return ReasoningPath(ident, PROBLEM.id, "given", 0, completion, Verdict(Outcome.FIRST, (0, split), (split, size)))


@pytest.mark.parametrize(
    ("reasoning", "answer", "consistency", "validity", "expected"),
    [
        ([0.90, 0.85, 0.40, 0.30, 0.60, 0.95], [0.90, 0.85], 0.667, 0.875, 0.583),
        ([0.90, 0.92, 0.88, 0.95], [0.97, 0.95], 0.9125, 0.960, 0.876),
    ],
)
def test_worked_example(reasoning: list[float], answer: list[float], consistency: float, validity: float, expected: float) -> None:
    (score,) = RStar().score(PROBLEM, [path_with(reasoning, answer)], None)  # type: ignore[arg-type]
    assert score.value == pytest.approx(expected, abs=5e-4)
    assert score.parts["self_consistency"] == pytest.approx(consistency, abs=5e-4)
    assert score.parts["validity"] == pytest.approx(validity, abs=5e-4)
    assert (score.parts["reasoning_tokens"], score.parts["answer_tokens"]) == (len(reasoning), len(answer))


def test_arithmetic_mean_ranks_otherwise_than_the_likelihood() -> None:
    """One very unlikely token ruins a product and hardly touches the arithmetic mean."""
    steady, slip = path_with([0.7] * 4, [0.9], "steady"), path_with([0.99, 0.99, 0.99, 0.01], [0.9], "slip")
    by = lambda scorer: [score.value for score in scorer.score(PROBLEM, [steady, slip], None)]  # noqa: E731
    assert by(RStar())[1] > by(RStar())[0]
    assert by(MeanLogprob())[1] < by(MeanLogprob())[0]
    assert by(Likelihood())[1] < by(Likelihood())[0]


def test_with_geometric_means_one_improbable_token_counts() -> None:
    (score,) = GeometricRStar().score(PROBLEM, [path_with([0.9, 0.4], [0.5, 0.8, 0.1])], None)  # type: ignore[arg-type]
    assert score.value == pytest.approx(math.sqrt(0.9 * 0.4) * (0.5 * 0.8 * 0.1) ** (1 / 3))
    steady, slip = path_with([0.7] * 4, [0.9], "steady"), path_with([0.99, 0.99, 0.99, 0.01], [0.9], "slip")
    better, worse = GeometricRStar().score(PROBLEM, [steady, slip], None)  # type: ignore[arg-type]
    assert better.value > worse.value


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=8), st.lists(st.floats(0.001, 1), min_size=1, max_size=4))
def test_geometric_means_never_lie_above_arithmetic_ones(reasoning: list[float], answer: list[float]) -> None:
    path = path_with(reasoning, answer)
    [plain], [geometric] = (scorer.score(PROBLEM, [path], None) for scorer in (RStar(), GeometricRStar()))  # type: ignore[arg-type, attr-defined]
    assert 0 < geometric.value <= min(1.0, plain.value * (1 + 1e-12))


def test_factors_alone() -> None:
    path = path_with([0.5, 0.7], [0.9])
    assert SelfConsistency().score(PROBLEM, [path], None)[0].value == pytest.approx(0.6)  # type: ignore[arg-type]
    assert Validity().score(PROBLEM, [path], None)[0].value == pytest.approx(0.9)  # type: ignore[arg-type]


def test_without_reasoning_or_logprobs_there_is_no_score() -> None:
    only_answer = path_with([], [0.9])
    text_only = path_of("because \\boxed{Assistant 1}", ArithmeticJudge(), PROBLEM)
    assert [score.value for score in RStar().score(PROBLEM, [only_answer, text_only], None)] == [None, None]  # type: ignore[arg-type]


def test_lengths_and_chance() -> None:
    short, long = path_with([0.5], [0.5], "short"), path_with([0.5] * 9, [0.5], "long")
    shorter, longer = Shortest().score(PROBLEM, [short, long], None)  # type: ignore[arg-type]
    assert (shorter.value, longer.value) == (-3.0, -11.0)
    draws = [Random(seed=seed).score(PROBLEM, [short], None)[0].value for seed in range(5)]  # type: ignore[arg-type]
    assert len(set(draws)) == 5
    assert all(draw is not None and 0 <= draw < 1 for draw in draws)


def test_every_scorer_keeps_its_promises() -> None:
    paths = [path_with([0.5, 0.6], [0.7], "one"), path_with([0.9], [0.2, 0.3], "two")]
    for entry in Plugins.load(autoload=False).of_kind(PathScorer).values():
        if entry.source.plugin == "adjudge_rstar":
            check_scorer(entry.cls(), PROBLEM, paths)


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 60), st.integers(0, 60))
def test_spans_that_meet_share_no_token_and_lose_none(widths: list[int], one: int, other: int) -> None:
    ends, position = [], 0
    for width in widths:
        position += width
        ends.append(position if width else -1)
    cut, stop = sorted((min(one, position), min(other, position)))
    made = Completion("", token_ends=tuple(ends))
    left, right = made.tokens_in((0, cut)), made.tokens_in((cut, stop))
    assert not set(left) & set(right)
    assert left + right == made.tokens_in((0, stop))
    assert made.tokens_in(None) == []


def test_scores_and_the_names_of_the_kernel_need_no_torch() -> None:
    code = (
        "import sys\n"
        "from adjudge_rstar import Head, RStar, combine_shards, shard_statistics, token_logprobs\n"
        "from adjudge import Completion, Outcome, Problem, ReasoningPath, Verdict\n"
        "made = Completion('ab', (1, 2), (1, 2), (-1.0, 0.0))\n"
        "path = ReasoningPath('p', 'q', 'given', 0, made, Verdict(Outcome.FIRST, (0, 1), (1, 2)))\n"
        "[score] = RStar().score(Problem('q', '?', ('a', 'b')), [path], None)\n"
        "print(round(score.value, 4), [name for name in ('torch', 'numpy', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0.3679 []\n"
