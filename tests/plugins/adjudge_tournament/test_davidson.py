"""Ties by Davidson's model: they say nothing of who is better, fractional results count as parts, and intervals hold what they say."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import (
    Aggregator,
    Completion,
    Judge,
    JudgeRequest,
    Match,
    Message,
    Order,
    Outcome,
    Problem,
    ReasoningPath,
    Session,
    Verdict,
    bradley_terry,
    play,
)
from adjudge.testing import completion_of, play_with
from adjudge_tournament import Active, Budget, Elo, Pivot, Ratings, SoftOutcome, TournamentResult, davidson

FIRST, SECOND, TIE = Outcome.FIRST, Outcome.SECOND, Outcome.TIE
NU = 0.6


def figures(found: Ratings) -> tuple[float, ...]:
    """Ratings and the ends of their intervals; how they are rounded depends on the machine's products of matrices."""
    return (*found.values, *sum(found.intervals, ()))


def soft(points: float, tie: float = 0.0) -> Outcome:
    return cast("Outcome", SoftOutcome(points, tie))


def apart(ratings: Ratings) -> float:
    return ratings.values[0] - ratings.values[1]


def test_ties_say_nothing_of_who_is_better() -> None:
    decided = [(Match(0, 1), FIRST)] * 7 + [(Match(0, 1), SECOND)] * 3
    tied = [*decided, *[(Match(1, 0), TIE)] * 10]
    expected = 400 * math.log10(7 / 3)
    assert apart(davidson(2, decided, prior=1e-9)) == pytest.approx(expected, abs=0.01)
    assert apart(davidson(2, tied, prior=1e-9)) == pytest.approx(expected, abs=0.01)
    assert apart(bradley_terry(2, tied, prior=1e-9)) == pytest.approx(400 * math.log10(12 / 8), abs=0.01)


def test_a_probability_is_part_of_a_win_and_part_of_a_loss() -> None:
    found = davidson(2, [*[(Match(0, 1), soft(0.8))] * 10, *[(Match(0, 1), TIE)] * 5], prior=1e-9)
    assert apart(found) == pytest.approx(400 * math.log10(4), abs=0.01)
    in_one = davidson(2, [*[(Match(0, 1), soft(0.5 * 0.8 + 0.25, 0.5))] * 4], prior=1e-9)
    assert apart(in_one) == pytest.approx(400 * math.log10(4), abs=0.01), "half of its votes are a tie, the others say 0.8"


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), size=st.integers(2, 6))
def test_it_is_the_most_probable(seed: int, size: int) -> None:
    """No other skills explain the results better, nu being what it is best for each."""
    rng = random.Random(seed)
    results = [(Match(*rng.sample(range(size), 2)), rng.choice((FIRST, SECOND, TIE, soft(rng.random())))) for _ in range(30)]
    results.append((Match(0, 1), TIE))
    found = [(value - 1000) / Ratings.SCALE for value in davidson(size, results, prior=0.01).values]
    best = penalised(found, results)
    for _ in range(10):
        other = [skill + rng.gauss(0, 0.05) for skill in found]
        assert penalised(other, results) <= best + 1e-6


def penalised(skills: list[float], results: Any) -> float:
    """The largest log-probability over nu, less the penalty, by ternary search over its logarithm."""

    def at(log_nu: float) -> float:
        total = -0.01 * (sum(skill * skill for skill in skills) + log_nu * log_nu)
        for match, outcome in results:
            lead, tie = skills[match.first] - skills[match.second], 1.0 if outcome is TIE else 0.0
            whole = math.log(math.exp(lead / 2) + math.exp(-lead / 2) + math.exp(log_nu))
            total += (outcome.points - tie / 2) * lead / 2 - (1 - outcome.points - tie / 2) * lead / 2 + tie * log_nu - whole
        return total

    low, high = -12.0, 12.0
    for _ in range(80):
        one, other = low + (high - low) / 3, high - (high - low) / 3
        low, high = (one, high) if at(one) < at(other) else (low, other)
    return at((low + high) / 2)


def test_without_a_tie_it_is_bradley_terry_and_with_nothing_else_all_are_equal() -> None:
    decided = [(Match(0, 1), FIRST), (Match(1, 2), soft(0.7)), (Match(2, 0), SECOND)]
    assert figures(davidson(3, decided)) == pytest.approx(figures(bradley_terry(3, decided)))
    ties = davidson(3, [(Match(0, 1), TIE), (Match(1, 2), TIE)])
    assert ties.values == (1000.0, 1000.0, 1000.0)
    assert all(low < 1000 < high for low, high in ties.intervals)
    assert davidson(1, []).values == (1000.0,)
    with pytest.raises(ValueError, match="no result"):
        davidson(2, [(Match(0, 1), Outcome.FAILED)])


def test_one_who_never_loses_is_finite_and_widest() -> None:
    found = davidson(3, [*[(Match(0, 1), FIRST)] * 8, *[(Match(1, 2), FIRST), (Match(1, 2), SECOND)] * 4, (Match(0, 2), TIE)])
    assert found.values[0] < 3000
    widths = [high - low for low, high in found.intervals]
    assert max(widths) == widths[0]


def test_intervals_hold_what_they_say_where_a_quarter_of_the_matches_is_tied() -> None:
    held, all_of = 0, 0
    for seed in range(40):
        rng = random.Random(seed)
        skills = [rng.gauss(0, 1) for _ in range(8)]
        mean = sum(skills) / len(skills)
        results = []
        for _ in range(160):
            one, other = rng.sample(range(8), 2)
            lead = skills[one] - skills[other]
            weights = [math.exp(lead / 2), math.exp(-lead / 2), NU]
            results.append((Match(one, other), rng.choices((FIRST, SECOND, TIE), weights)[0]))
        for skill, (low, high) in zip(skills, davidson(8, results).intervals, strict=True):
            held += low <= 1000 + Ratings.SCALE * (skill - mean) <= high
            all_of += 1
    assert 0.92 <= held / all_of <= 0.98


def test_an_unknown_spread_finds_the_same_lead_and_is_bradley_terry_without_ties() -> None:
    decided = [(Match(0, 1), FIRST)] * 70 + [(Match(0, 1), SECOND)] * 30
    tied = [*decided, *[(Match(1, 0), TIE)] * 100]
    alone, found = bradley_terry(2, decided, prior=None), davidson(2, tied, prior=None)
    assert apart(found) == pytest.approx(apart(alone), abs=2)
    assert apart(bradley_terry(2, tied, prior=None)) < apart(alone) - 50, "half wins draw them together"
    assert figures(davidson(2, decided, prior=None)) == pytest.approx(figures(alone))


def test_its_intervals_hold_where_results_chose_the_pairs() -> None:
    """`active` meets whom earlier results put on top; a third of its matches is tied."""
    held, all_of, ties = 0, 0, 0
    for seed in range(40):
        rng = random.Random(seed)
        skills = [rng.gauss(0, 1) for _ in range(8)]
        mean = sum(skills) / len(skills)

        def decide(first: int, second: int, rng: random.Random = rng, skills: list[float] = skills) -> Outcome:
            lead = skills[first] - skills[second]
            return rng.choices((FIRST, SECOND, TIE), [math.exp(lead / 2), math.exp(-lead / 2), 1.2])[0]

        scheme = Active(budget=60, confidence=0.9999, ties="davidson")
        results: list[tuple[Match, Outcome]] = []

        def noted(first: int, second: int, decide: Any = decide, results: Any = results) -> Outcome:
            outcome: Outcome = decide(first, second)
            results.append((Match(first, second), outcome))
            return outcome

        ranking, _ = play_with(scheme, 8, noted, seed)
        assert ranking.ratings == davidson(8, results, prior=None).values
        ties += sum(outcome is TIE for _, outcome in results)
        for skill, (low, high) in zip(skills, ranking.intervals, strict=True):
            held += low <= 1000 + Ratings.SCALE * (skill - mean) <= high
            all_of += 1
    assert ties > 600
    assert 0.92 <= held / all_of <= 0.99


@pytest.mark.parametrize("kind", [Active, Pivot])
def test_active_and_pivot_take_it_where_soft_and_when_told(kind: Any) -> None:
    def rated(**options: Any) -> tuple[tuple[float, ...], list[Any]]:
        results: list[Any] = []

        def decide(first: int, second: int) -> Outcome:
            outcome = TIE if {first, second} in ({0, 1}, {2, 3}) else FIRST if first > second else SECOND
            results.append((Match(first, second), outcome))
            return outcome

        ranking, _ = play_with(kind(**options), 4, decide, 3)
        return ranking.ratings, results

    plain, results = rated()
    assert plain == rated(ties="half-wins")[0] == rated(soft=True, ties="half-wins")[0] == bradley_terry(4, results, prior=None).values
    soft_ones, others = rated(soft=True)
    assert soft_ones == rated(ties="davidson")[0] == davidson(4, others, prior=None).values
    assert soft_ones != plain


def test_elo_takes_it_where_soft_and_when_told() -> None:
    results = {(0, 1): FIRST, (0, 2): TIE, (1, 2): TIE}

    def rated(**options: Any) -> tuple[float, ...]:
        rounds = Elo(**options).tournament(3, 0)
        matches = next(rounds)
        said = [results.get((one.first, one.second)) or results[one.second, one.first].mirrored for one in matches]
        try:
            rounds.send(said)
        except StopIteration as end:
            return tuple(end.value.ratings)
        raise AssertionError

    plain = [(Match(*pair), outcome) for pair, outcome in results.items()]
    assert rated() == rated(ties="half-wins") == rated(soft=True, ties="half-wins") == bradley_terry(3, plain).values
    assert rated(soft=True) == rated(ties="davidson") == pytest.approx(davidson(3, plain).values, abs=0.01)


class Numbers(Judge):
    """Prefers the larger number, says that equal ones are a tie, and tells its probability."""

    use: Literal["numbers"] = "numbers"
    order: Literal["random", "both", "fixed"] = "both"

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        return [{"role": "user", "content": "|".join(problem.answers)}]

    def parse(self, text: str) -> Verdict:
        return Verdict(Outcome(text) if text in list(Outcome) else Outcome.UNREADABLE)

    def paths(self, session: Session, requests: Sequence[JudgeRequest]) -> Iterator[ReasoningPath]:
        for one in requests:
            first, second = (float(answer) for answer in one.problem.answers[:: 1 if one.order == "given" else -1])
            outcome = FIRST if first > second else SECOND if first < second else TIE
            share = 1 / (1 + 10 ** (second - first))
            yield ReasoningPath(one.id, one.problem.id, one.order, one.index, completion_of("so"), Verdict(outcome, probability=share))


class Silent:
    """A session that is never asked."""

    def sample(self, *args: Any, **options: Any) -> Iterator[tuple[int, Completion]]:
        raise AssertionError("nothing is sampled")


def test_votes_that_say_tie_reach_the_ratings_as_ties() -> None:
    group = Problem("g", "larger?", ("0.3", "0.30", "0.9", "0.1"))
    [result] = play([group], Elo(soft=True), Numbers(), cast("Session", Silent()))
    tied = {frozenset((one.match.first, one.match.second)): one.tied for one in result.played}
    assert tied == {pair: float(pair == frozenset((0, 1))) for pair in tied}
    results = [(one.match, soft(one.points, one.tied)) for one in result.played]
    assert result.ranking.ratings == pytest.approx(davidson(4, results).values, abs=0.01)
    assert result.ranking.order[0] == 2


def test_a_stopped_tournament_keeps_to_its_scheme() -> None:
    group = Problem("g", "larger?", ("0.3", "0.30", "0.9", "0.1"))

    def stopped(scheme: Aggregator) -> TournamentResult:
        [result] = play([group], scheme, Numbers(), cast("Session", Silent()), budget=Budget(matches=5))
        assert result.stopped == "matches"
        return result

    soft_one, hard = stopped(Elo(soft=True, meetings=2)), stopped(Elo(meetings=2))
    assert (soft_one.rated_by, hard.rated_by) == ("davidson", "bradley-terry")
    results = [(one.match, soft(one.points, one.tied)) for one in soft_one.played]
    assert any(one.tied for one in soft_one.played)
    assert soft_one.ranking.ratings == pytest.approx(davidson(4, results, prior=None).values, abs=0.01)
    assert stopped(Elo(soft=True, ties="half-wins", meetings=2)).rated_by == "bradley-terry"
