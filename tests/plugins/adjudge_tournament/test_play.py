"""The driver's promises to every scheme: votes in waves, typed outcomes, budgets that hold, results that no company changes."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import (
    Aggregator,
    Budget,
    Completion,
    ConfigError,
    Judge,
    Match,
    Message,
    Order,
    Outcome,
    PluginError,
    Plugins,
    Problem,
    Ranking,
    TournamentResult,
    Verdict,
    Voting,
    as_reward,
    bradley_terry,
    play,
)
from adjudge.testing import completion_of
from adjudge_tournament import Elo, Knockout, RoundRobin

WORDS = {"first": Outcome.FIRST, "second": Outcome.SECOND, "tie": Outcome.TIE}
LONGEST = max(map(len, [*WORDS, "mumble"]))


class OneWord(Judge):
    """Shows ``one|other`` and reads one word, a token being a character."""

    use: Literal["one-word"] = "one-word"
    order: Literal["random", "both", "fixed"] = "fixed"
    max_new_tokens: int = LONGEST

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        shown = problem.answers if order == "given" else problem.answers[::-1]
        return [{"role": "user", "content": "|".join(shown)}]

    def parse(self, text: str) -> Verdict:
        return Verdict(WORDS.get(text, Outcome.UNREADABLE))


Say = Callable[[str, str, int], str]


class Says:
    """A session that says what a function of (one, other, seed) says, and counts what it is asked."""

    def __init__(self, say: Say, tokens: bool = True) -> None:
        self.say, self.tokens = say, tokens
        self.calls: list[int] = []

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **options: Any) -> Iterator[tuple[int, Completion]]:
        self.calls.append(len(prompts))
        for index in reversed(range(len(prompts))):
            one, other = prompts[index][-1]["content"].split("|")
            text = self.say(one, other, seeds[index])
            yield index, completion_of(text) if self.tokens else Completion(text)

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        raise NotImplementedError

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        raise NotImplementedError


def larger(one: str, other: str, seed: int = 0) -> str:
    return "first" if int(one) > int(other) else "second" if int(other) > int(one) else "tie"


def noisy(one: str, other: str, seed: int) -> str:
    """Mostly right, sometimes a tie or a mumble, by the seed alone."""
    lot = random.Random(seed).random()
    return "mumble" if lot < 0.15 else "tie" if lot < 0.25 else larger(one, other) if lot < 0.8 else larger(other, one)


def circle(one: str, other: str, seed: int = 0) -> str:
    """Each of three beats the next one round."""
    return ("tie", "first", "second")[(int(other) - int(one)) % 3]


def problem(*answers: int, ident: str = "p") -> Problem:
    return Problem(ident, "Which is larger?", tuple(map(str, answers)))


def ranked(aggregator: Aggregator, *answers: int, say: Say = larger, order: Any = "fixed", **options: Any) -> TournamentResult:
    [tournament] = play([problem(*answers)], aggregator, OneWord(order=order), Says(say), **options)
    return tournament


# Votes --------------------------------------------------------------------------------------------------------------------


def test_votes_of_all_groups_are_asked_together_and_only_the_unavoidable_ones() -> None:
    session = Says(larger)
    groups = [problem(1, 2, 3, ident="a"), problem(4, 5, ident="b")]
    tournaments = play(groups, RoundRobin(), OneWord(), session, voting=Voting(votes=5))
    assert session.calls == [4 * 3]
    assert [len(one.votes) for tournament in tournaments for one in tournament.played] == [3] * 4


def test_a_sequential_test_spends_on_hard_pairs() -> None:
    """A coin decides between 1 and 2, and 9 beats both."""

    def say(one: str, other: str, seed: int) -> str:
        return larger(one, other) if "9" in (one, other) else ("first", "second")[seed % 2]

    spent: dict[bool, list[int]] = {True: [], False: []}
    for seed in range(10):
        for one in ranked(RoundRobin(), 1, 2, 9, say=say, seed=seed, voting=Voting(votes=15, confidence=0.9)).played:
            spent[2 in (one.match.first, one.match.second)].append(len(one.votes))
    assert set(spent[True]) == {3}
    assert sum(spent[False]) / 10 > 5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["fixed", "random", "both"]))
def test_the_votes_that_are_cast_are_the_first_of_the_full_vote(seed: int, order: str) -> None:
    """A vote's seed follows from its place, so a longer vote begins with the same votes; without replays, which are further votes."""
    short, long = (Voting(votes=5, confidence=0.8, replays=0), Voting(votes=9, replays=0))
    early, late = (ranked(RoundRobin(), 1, 2, 3, say=noisy, order=order, seed=seed, voting=one).played for one in (short, long))
    for one, other in zip(early, late, strict=True):
        shared = min(len(one.votes), len(other.votes))
        assert one.votes[:shared] == other.votes[:shared]


def test_order_disagreements_are_draws_and_are_counted() -> None:
    tournament = ranked(RoundRobin(), 1, 2, say=lambda *_: "first", order="both", voting=Voting(votes=3))
    [played] = tournament.played
    assert (played.outcome, played.votes, played.inconsistent, played.undecided) == (Outcome.TIE, (Outcome.TIE,) * 3, 3, False)
    assert tournament.inconsistent == 3
    assert ranked(RoundRobin(), 1, 2, order="both").inconsistent == 0
    assert ranked(RoundRobin(), 1, 2, order="random").inconsistent is None


def test_orders_that_both_say_tie_are_no_disagreement() -> None:
    assert ranked(RoundRobin(), 1, 2, say=lambda *_: "tie", order="both").inconsistent == 0


def test_half_a_vote_is_a_failure_and_no_disagreement() -> None:
    [played] = ranked(RoundRobin(), 1, 2, say=lambda one, *_: "first" if one == "1" else "mumble", order="both").played
    assert (played.votes, played.inconsistent, played.undecided) == ((Outcome.UNREADABLE,) * 2, 0, True)


def test_a_pair_that_meets_again_is_judged_anew() -> None:
    seeds: list[int] = []

    def say(one: str, other: str, seed: int) -> str:
        seeds.append(seed)
        return larger(one, other)

    class Twice(Aggregator):
        """One pair, twice in a round, in two rounds."""

        use: Literal["twice"] = "twice"

        def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
            for _ in range(2):
                yield [Match(0, 1), Match(0, 1)]
            return Ranking((1, 0), (0.0, 1.0))

    ranked(Twice(), 1, 2, say=say)
    assert len(set(seeds)) == 4


# Failures -----------------------------------------------------------------------------------------------------------------


def mumbles_over(*pair: int) -> Say:
    return lambda one, other, seed: "mumble" if {int(one), int(other)} == set(pair) else larger(one, other)


@pytest.mark.parametrize(("policy", "votes", "outcome"), [("retry", 3, "tie"), ("draw", 1, "tie"), ("drop", 1, "unreadable")])
def test_each_policy_for_a_match_that_nobody_can_read(policy: Any, votes: int, outcome: str) -> None:
    tournament = ranked(RoundRobin(), 1, 2, 3, say=mumbles_over(1, 2), voting=Voting(on_unreadable=policy, replays=2))
    [failed] = [one for one in tournament.played if one.undecided]
    assert (failed.outcome, len(failed.votes), failed.dropped) == (outcome, votes, policy == "drop")
    assert tournament.rated_by == ("bradley-terry" if policy == "drop" else "round-robin")


def test_a_ranking_with_a_dropped_match_is_made_from_the_others() -> None:
    tournament = ranked(RoundRobin(), 1, 2, 3, say=mumbles_over(1, 2), voting=Voting(on_unreadable="drop"))
    results = [(one.match, one.outcome) for one in tournament.played if not one.dropped]
    assert len(results) == 2
    assert tournament.ranking.ratings == bradley_terry(3, results, prior=None).values
    assert tournament.ranking.intervals == bradley_terry(3, results, prior=None).intervals
    assert tournament.ranking.order[0] == 2
    assert as_reward(tournament, "win-rate") == [0.0, 0.0, 1.0]


def test_a_scheme_is_only_ever_told_first_second_or_tie() -> None:
    told: list[list[Outcome]] = []

    class Listener(Aggregator):
        """Remembers what it is sent."""

        use: Literal["listener"] = "listener"

        def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
            told.append((yield [Match(0, 1), Match(2, 1)]))
            return Ranking((0, 1, 2), (2.0, 1.0, 0.0))

    for policy in ("retry", "draw", "drop"):
        ranked(Listener(), 1, 2, 3, say=mumbles_over(1, 2), voting=Voting(on_unreadable=policy))
    assert told == [[Outcome.TIE, Outcome.FIRST]] * 3


def test_answers_with_the_same_text_are_a_tie_without_a_judge() -> None:
    session = Says(larger)
    [tournament] = play([problem(5, 5)], RoundRobin(), OneWord(), session)
    [played] = tournament.played
    assert (played.outcome, played.votes, played.undecided, session.calls) == (Outcome.TIE, (), False, [])
    assert as_reward(tournament, "win-rate") == [0.5, 0.5]
    judged = ranked(RoundRobin(), 5, 5, say=lambda *_: "first", voting=Voting(same="judge"))
    assert [one.votes for one in judged.played] == [(Outcome.FIRST,)]


# Budgets ------------------------------------------------------------------------------------------------------------------


def test_a_budget_plays_the_first_matches_that_fit_and_ranks_by_them() -> None:
    full = ranked(RoundRobin(), 3, 1, 4, 2)
    cut = ranked(RoundRobin(), 3, 1, 4, 2, budget=Budget(matches=4))
    assert (cut.stopped, cut.rated_by, full.stopped, full.rated_by) == ("matches", "bradley-terry", None, "round-robin")
    assert cut.played == full.played[:4]
    assert cut.ranking.ratings == bradley_terry(4, [(one.match, one.outcome) for one in cut.played], prior=None).values
    assert cut.ranking.intervals is not None


def test_intervals_are_wider_on_a_smaller_budget() -> None:
    widths = []
    for matches in (3, 10, 27):
        intervals = ranked(Elo(), *range(8), say=noisy, budget=Budget(matches=matches)).ranking.intervals
        assert intervals is not None
        widths.append(sum(high - low for low, high in intervals))
    assert widths[0] > widths[1] > widths[2]


def test_a_budget_that_is_just_enough_stops_nothing() -> None:
    assert ranked(Knockout(), *range(8), budget=Budget(matches=7)) == ranked(Knockout(), *range(8))
    assert ranked(Knockout(), *range(8), budget=Budget(matches=6)).stopped == "matches"


def test_ties_that_cost_nothing_take_nothing_from_the_budget() -> None:
    tournament = ranked(RoundRobin(), 7, 7, 7, 1, budget=Budget(matches=3))
    assert (tournament.stopped, len(tournament.played)) == (None, 6)


def test_a_stopped_scheme_is_closed() -> None:
    closed: list[bool] = []

    class Tidy(Aggregator):
        """Plays on and on, and tidies up."""

        use: Literal["tidy"] = "tidy"

        def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
            try:
                while True:
                    yield [Match(0, 1)]
            finally:
                closed.append(True)

    tournament = ranked(Tidy(), 1, 2, budget=Budget(matches=5))
    assert (len(tournament.played), closed, tournament.ranking.order) == (5, [True], (1, 0))


def test_a_scheme_that_will_not_be_closed_is_blamed() -> None:
    class Stubborn(Aggregator):
        """Asks for one more match when told to go."""

        use: Literal["stubborn"] = "stubborn"

        def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
            while True:
                try:
                    yield [Match(0, 1)]
                except GeneratorExit:
                    yield [Match(0, 1)]

    with pytest.raises(PluginError, match="'stubborn'"):
        ranked(Stubborn(), 1, 2, budget=Budget(matches=1))


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 7),
    budget=st.builds(Budget, matches=st.none() | st.integers(1, 30), tokens=st.none() | st.integers(2 * LONGEST, 400)),
    votes=st.integers(1, 5),
    order=st.sampled_from(["fixed", "random", "both"]),
    policy=st.sampled_from(["retry", "draw", "drop"]),
    scheme=st.sampled_from([RoundRobin(), Elo(), Knockout()]),
    seed=st.integers(0, 99),
)
def test_a_budget_is_never_exceeded(size: int, budget: Budget, votes: int, order: str, policy: Any, scheme: Aggregator, seed: int) -> None:
    options: dict[str, Any] = {"say": noisy, "order": order, "seed": seed, "voting": Voting(votes=votes, on_unreadable=policy)}
    tournament = ranked(scheme, *range(size), budget=budget, **options)
    spent = sum(one.tokens for one in tournament.played)
    vote = LONGEST * (2 if order == "both" else 1)
    assert budget.matches is None or len(tournament.played) <= budget.matches
    assert budget.tokens is None or spent <= budget.tokens
    if tournament.stopped == "tokens":
        assert budget.tokens is not None
        assert budget.tokens - spent < vote, "what is left does not pay for one more vote"
    if tournament.stopped == "matches":
        assert len(tournament.played) == budget.matches
    assert sorted(tournament.ranking.order) == list(range(size))
    if tournament.stopped is None:
        free = ranked(scheme, *range(size), **options)
        assert (free.ranking, free.played) == (tournament.ranking, tournament.played)


def test_a_token_budget_too_small_for_one_vote_is_told_before_anything_is_asked() -> None:
    session = Says(larger)
    with pytest.raises(ConfigError, match=r"budget.tokens: 11 is less than the 12 tokens(.|\n)*Remedy: "):
        play([problem(1, 2)], RoundRobin(), OneWord(order="both"), session, budget=Budget(tokens=11))
    assert session.calls == []


def test_a_token_budget_needs_an_engine_that_tells_tokens() -> None:
    with pytest.raises(ConfigError, match=r"budget.tokens: the engine returns texts without their tokens(.|\n)*matches: 40"):
        play([problem(1, 2)], RoundRobin(), OneWord(), Says(larger, tokens=False), budget=Budget(tokens=100))


@pytest.mark.parametrize("wrong", [0, -3, "many", True, {"games": 3}, {"tokens": 0}])
def test_budgets_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"[bB]udget|matches|tokens|games"):
        Budget.model_validate(wrong)


def test_a_plain_number_is_a_number_of_matches() -> None:
    assert Budget.model_validate(40) == Budget(matches=40)


# Company ------------------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    voting=st.builds(
        Voting, votes=st.integers(2, 5), confidence=st.sampled_from([None, 0.85]), on_unreadable=st.sampled_from(["retry", "drop"])
    ),
    budget=st.sampled_from([Budget(), Budget(matches=4), Budget(tokens=60)]),
    seed=st.integers(0, 99),
)
def test_a_group_is_ranked_alike_alone_and_in_any_company(sizes: list[int], voting: Voting, budget: Budget, seed: int) -> None:
    groups = [problem(*range(size), ident=f"{place}") for place, size in enumerate(sizes)]
    options: dict[str, Any] = {"seed": seed, "voting": voting, "budget": budget}
    together = play(groups, Knockout(), OneWord(order="random"), Says(noisy), **options)
    assert together == [play([group], Knockout(), OneWord(order="random"), Says(noisy), **options)[0] for group in groups]


# Every installed scheme ---------------------------------------------------------------------------------------------------

INSTALLED = Plugins.load()
SCHEMES = sorted(
    name
    for name, entry in INSTALLED.of_kind(Aggregator).items()
    if not any(option.is_required() for option in entry.cls.model_fields.values())
)


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> Aggregator:
    """Every installed aggregator at its defaults, by name; a new one is covered without a word here."""
    picked: Aggregator = Aggregator.model_validate(request.param, context={"plugins": INSTALLED})
    return picked


def check(tournament: TournamentResult, size: int) -> None:
    """A whole ranking, no failure among the outcomes that count, and a reward for everybody who was judged."""
    assert sorted(tournament.ranking.order) == list(range(size))
    met = {candidate for one in tournament.played if not one.undecided for candidate in (one.match.first, one.match.second)}
    for how in ("rating", "win-rate", "rank", "minmax", "standardised"):
        rewards = as_reward(tournament, how)
        assert {index for index, reward in enumerate(rewards) if reward is not None} == met


def test_one_candidate_needs_no_judge(scheme: Aggregator) -> None:
    session = Says(larger)
    [tournament] = play([problem(5)], scheme, OneWord(), session)
    assert (tournament.ranking.order, tournament.played, session.calls) == ((0,), [], [])
    check(tournament, 1)


def test_a_judge_that_never_errs_finds_the_best(scheme: Aggregator) -> None:
    tournament = ranked(scheme, 3, 9, 1, 7, 5, voting=Voting(votes=3, confidence=0.9), order="both")
    check(tournament, 5)
    assert (tournament.ranking.order[0], tournament.rated_by, tournament.inconsistent) == (1, scheme.use, 0)


def test_two_identical_candidates_are_never_judged_against_each_other(scheme: Aggregator) -> None:
    session = Says(larger)
    [pair] = play([problem(4, 4)], scheme, OneWord(), session)
    check(pair, 2)
    assert session.calls == []
    trio = ranked(scheme, 4, 9, 4)
    check(trio, 3)
    assert trio.ranking.order[0] == 1


@pytest.mark.parametrize("say", [circle, lambda *_: "tie", lambda *_: "first"], ids=["cycle", "all ties", "first slot"])
def test_a_judge_that_decides_nothing_still_ends_in_a_ranking(scheme: Aggregator, say: Say) -> None:
    check(ranked(scheme, 0, 1, 2, say=say), 3)
    check(ranked(scheme, *range(6), say=say, order="both"), 6)


@pytest.mark.parametrize("policy", ["retry", "draw", "drop"])
def test_a_judge_that_always_fails_gives_a_ranking_and_no_reward(scheme: Aggregator, policy: Any) -> None:
    tournament = ranked(scheme, 1, 2, 3, 4, say=lambda *_: "mumble", voting=Voting(votes=2, on_unreadable=policy))
    check(tournament, 4)
    assert all(one.undecided for one in tournament.played)
    assert as_reward(tournament) == [None] * 4
    if policy == "drop":
        assert set(tournament.ranking.ratings) == {1000.0}
    else:
        assert {one.outcome for one in tournament.played} == {Outcome.TIE}


@pytest.mark.parametrize("budget", [Budget(matches=1), Budget(matches=3), Budget(tokens=LONGEST), Budget(matches=3, tokens=20)])
def test_a_budget_stops_every_scheme_cleanly(scheme: Aggregator, budget: Budget) -> None:
    tournament = ranked(scheme, *range(6), budget=budget)
    check(tournament, 6)
    assert tournament.stopped is not None
    assert 1 <= len(tournament.played) <= 3
    assert tournament.ranking.intervals is not None
    assert tournament.ranking.order[0] in {
        one.match.first if one.outcome == Outcome.FIRST else one.match.second for one in tournament.played
    }
