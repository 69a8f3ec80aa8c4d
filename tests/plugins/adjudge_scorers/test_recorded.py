"""Scorers that need nothing new: each by hand, and what has to hold of any path."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, Outcome, PathScorer, Problem, ReasoningPath, RewardRule, Verdict
from adjudge.testing import check_scorer, path_of
from adjudge_grpo import Format, VerdictRule
from adjudge_judges import ArithmeticJudge
from adjudge_rstar import MeanLogprob
from adjudge_scorers import OrderAgreement, Perplexity, Picsar, RewardWeightedLikelihood, Structure, VoteShare, WorstWindow

from .conftest import PROBLEM, path_with, value_of

REASONING, ANSWER = [0.5, 0.25, 0.5], [0.8, 0.5]
PROBABILITIES = st.lists(st.floats(0.001, 1.0), min_size=1, max_size=12)
ln = math.log


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        (Picsar(), 4 * ln(0.5) + ln(0.8) + ln(0.5)),
        (Picsar(normalised=True), 4 * ln(0.5) / 3 + ln(0.8) + ln(0.5)),
        (WorstWindow(window=1), ln(0.25)),
        (WorstWindow(window=2), (ln(0.5) + ln(0.25)) / 2),
        (WorstWindow(window=9), 4 * ln(0.5) / 3),
        (WorstWindow(window=1, share=0.7), (ln(0.25) + ln(0.5)) / 2),  # two of three
        (Perplexity(), -((0.5**5 * 0.8) ** (-1 / 5))),
        (RewardWeightedLikelihood(rules=[VerdictRule()]), (5 * ln(0.5) + ln(0.8)) / 5 + 1),
        (RewardWeightedLikelihood(rules=[VerdictRule(weight=0.5), Format()], beta=2, normalised=False), 5 * ln(0.5) + ln(0.8) + 1.5 / 2),
    ],
    ids=lambda value: value.use if isinstance(value, PathScorer) else "",
)
def test_by_hand(scorer: PathScorer, expected: float) -> None:
    assert value_of(scorer, path_with(REASONING, ANSWER)) == pytest.approx(expected)


LIKELIHOODS: list[PathScorer] = [
    Picsar(), Picsar(normalised=True), WorstWindow(window=2), WorstWindow(window=2, share=0.5), Perplexity(),
    RewardWeightedLikelihood(rules=[Format()]),
]  # fmt: skip


@given(PROBABILITIES, PROBABILITIES, st.data())
def test_likelier_tokens_never_make_a_score_worse(reasoning: list[float], answer: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(reasoning) - 1))
    likelier = [*reasoning]
    likelier[place] = data.draw(st.floats(reasoning[place], 1.0))
    for scorer in LIKELIHOODS:
        before, after = (value_of(scorer, path_with(one, answer)) for one in (reasoning, likelier))
        assert before is not None
        assert after is not None
        assert after >= before - 1e-12


@given(PROBABILITIES, PROBABILITIES)
def test_bounds(reasoning: list[float], answer: list[float]) -> None:
    path = path_with(reasoning, answer)
    values = {type(scorer).__name__ + str(index): value_of(scorer, path) for index, scorer in enumerate(LIKELIHOODS)}
    assert all(value is not None for value in values.values())
    picsar, normalised, worst, bottom, perplexity, _ = (value or 0.0 for value in values.values())
    assert picsar <= normalised + 1e-12 <= 1e-12
    assert worst <= bottom + 1e-12
    assert bottom <= 1e-12
    assert perplexity <= -1 + 1e-12
    mean = value_of(MeanLogprob(), path)
    assert mean is not None
    assert perplexity == pytest.approx(-math.exp(-mean)), "the order of mean-logprob"


@given(PROBABILITIES, st.integers(1, 15))
def test_one_window_over_all_is_the_mean_and_a_smaller_one_is_never_above(reasoning: list[float], size: int) -> None:
    path = path_with(reasoning, [0.5])
    whole = sum(map(ln, reasoning)) / len(reasoning)
    assert value_of(WorstWindow(window=len(reasoning)), path) == pytest.approx(whole)
    worst = value_of(WorstWindow(window=size), path)
    assert worst is not None
    least = min(map(ln, reasoning))
    assert worst >= least - 1e-12


@given(st.permutations(REASONING))
def test_what_looks_at_no_order_of_tokens(reasoning: list[float]) -> None:
    for scorer in (Picsar(), Picsar(normalised=True), Perplexity(), WorstWindow(window=1)):
        assert value_of(scorer, path_with(reasoning, ANSWER)) == pytest.approx(value_of(scorer, path_with(REASONING, ANSWER)))


def test_reward_and_likelihood_both_count_and_a_rule_that_does_not_apply_is_left_out() -> None:
    class Silent(RewardRule):
        use: Literal["silent"] = "silent"

        def reward(self, problem: Problem, path: ReasoningPath) -> float | None:
            return None

    scorer = RewardWeightedLikelihood(rules=[VerdictRule(), Silent()])
    right, wrong = path_with(REASONING, ANSWER), path_with(REASONING, ANSWER, outcome=Outcome.SECOND)
    better, worse = scorer.score(PROBLEM, [right, wrong], None)  # type: ignore[arg-type]
    assert better.value is not None
    assert worse.value is not None
    assert better.value == pytest.approx(worse.value + 2)
    assert better.parts == {"likelihood": pytest.approx(better.value - 1), "verdict": 1.0}
    assert value_of(RewardWeightedLikelihood(rules=[Silent()]), right) is None
    assert scorer.needs_labels
    assert not RewardWeightedLikelihood(rules=[Format()]).needs_labels


# The pool -----------------------------------------------------------------------------------------------------------------

F, S, T, U, X = Outcome.FIRST, Outcome.SECOND, Outcome.TIE, Outcome.UNREADABLE, Outcome.FAILED


def said(outcome: Outcome, index: int, order: Any = "given") -> ReasoningPath:
    read = outcome.mirrored if order == "swapped" else outcome
    return ReasoningPath(f"{order}{index}", "p", order, index, Completion("x"), Verdict(read))


def in_pool(scorer: PathScorer, scored: list[ReasoningPath], pool: list[ReasoningPath]) -> list[float | None]:
    return [score.value for score in scorer.score(PROBLEM, scored, SimpleNamespace(pool=pool))]  # type: ignore[arg-type]


def test_shares_of_the_pool_by_hand() -> None:
    given_ = [said(one, index) for index, one in enumerate((F, F, S, U, X))]
    swapped = [said(one, index, "swapped") for index, one in enumerate((F, S, S, T))]
    pool = [*given_, *swapped]
    assert in_pool(VoteShare(), [given_[0], given_[2], given_[3]], pool) == [3 / 8, 3 / 8, None], "the failed call is no judgement"
    assert in_pool(OrderAgreement(), [given_[0], given_[2], swapped[0], swapped[3]], pool) == [1 / 4, 2 / 4, 2 / 4, 0.0]
    assert in_pool(OrderAgreement(), given_[:2], given_) == [None, None], "nothing is said in the other order"
    assert in_pool(OrderAgreement(), [said(F, 0)], [said(F, 0), said(F, 0, "swapped")]) == [1.0]
    alone = VoteShare().score(PROBLEM, given_[:3], None)  # type: ignore[arg-type]
    assert [score.value for score in alone] == [2 / 3, 2 / 3, 1 / 3], "without a pool, among themselves"


@given(st.lists(st.tuples(st.sampled_from([F, S, T, U, X]), st.sampled_from(["given", "swapped"])), min_size=1, max_size=12))
def test_shares_are_shares(made: list[tuple[Outcome, str]]) -> None:
    pool = [said(outcome, index, order) for index, (outcome, order) in enumerate(made)]
    for scorer in (VoteShare(), OrderAgreement()):
        values = in_pool(scorer, pool, pool)
        assert all(value is None or 0 <= value <= 1 for value in values)
        assert all((value is None) or path.outcome.decided for value, path in zip(values, pool, strict=True))
        assert values[::-1] == in_pool(scorer, pool[::-1], pool[::-1])
    votes = {path.outcome: value for path, value in zip(pool, in_pool(VoteShare(), pool, pool), strict=True) if value is not None}
    assert sum(votes.values()) <= 1 + 1e-12


# Texts --------------------------------------------------------------------------------------------------------------------

PAIR = Problem("p", "Which  is the capital?", ("Paris is the Capital.", "Rome, I think."))


def written(text: str) -> ReasoningPath:
    return path_of(f"{text}\\boxed{{Assistant 1}}", ArithmeticJudge(), PAIR)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The first says “the capital” and is right. ", 1.0),
        ('"Paris is" against "London is": one of two. ', 0.5),
        ('"is" is a word, no quotation. ', 1.0),
        ("a b c d a b c d ", 4 / 5),  # five runs of four words, the first and the last alike
        ('"London" a b c d "London" a b c d ', 0.0),
        ("", 1.0),
    ],
)
def test_structure_by_hand(text: str, expected: float) -> None:
    assert value_of(Structure(), written(text), problem=PAIR) == pytest.approx(expected)


@given(st.text(st.sampled_from('ab "`.'), max_size=60))
def test_structure_is_a_share_and_going_round_lowers_it(text: str) -> None:
    once = value_of(Structure(), written(text), problem=PAIR)
    assert once is not None
    assert 0 <= once <= 1
    assert value_of(Structure(words=1), written("word " * 50), problem=PAIR) == pytest.approx(1 / 50)


def test_promises_and_nothing_to_score() -> None:
    paths = [path_with(REASONING, ANSWER, "one"), path_with([0.9], [0.2, 0.3], "two")]
    bare = replace(paths[0], completion=replace(paths[0].completion, logprobs=None))
    for scorer in (*LIKELIHOODS, VoteShare(), OrderAgreement(), Structure()):
        check_scorer(scorer, PROBLEM, paths)
        if scorer in LIKELIHOODS:
            assert value_of(scorer, bare) is None
    assert value_of(Structure(), replace(bare, verdict=Verdict(Outcome.UNREADABLE))) is None
