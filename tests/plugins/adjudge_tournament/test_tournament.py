"""Tournaments with a judge: batching, order swaps, votes, replays and draws; an unreadable verdict is never a score."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Literal

import pytest

from adjudge import (
    Aggregator,
    Completion,
    Judge,
    Match,
    Message,
    Order,
    Outcome,
    PluginError,
    Problem,
    Ranking,
    TournamentResult,
    Verdict,
    Voting,
    majority,
    play,
)
from adjudge.testing import RecordedEngine, completion_of
from adjudge_tournament import Elo, Knockout, RoundRobin


class TwoWords(Judge):
    """Shows ``left|right`` and reads one word."""

    use: Literal["two-words"] = "two-words"
    order: Literal["random", "both", "fixed"] = "fixed"

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        shown = problem.answers if order == "given" else problem.answers[::-1]
        return [{"role": "user", "content": "|".join(shown)}]

    def parse(self, text: str) -> Verdict:
        word = {"left": Outcome.FIRST, "right": Outcome.SECOND, "equal": Outcome.TIE}.get(text, Outcome.UNREADABLE)
        return Verdict(word)


Say = Callable[[str, str, int], str | Completion]


class Scripted:
    """A session that says what a function of (left, right, seed) says, and remembers every call; its answers come back in any order."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.calls: list[list[str]] = []

    def sample(
        self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], temperature: float, top_p: float, max_new_tokens: int
    ) -> Iterator[tuple[int, Completion]]:
        self.calls.append([prompt[-1]["content"] for prompt in prompts])
        for index in random.Random(0).sample(range(len(prompts)), len(prompts)):
            left, right = self.calls[-1][index].split("|")
            said = self.say(left, right, seeds[index])
            yield index, completion_of(said) if isinstance(said, str) else said

    def logprobs(self, prompt: list[Message], continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        raise NotImplementedError

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        raise NotImplementedError


def larger(left: str, right: str, seed: int = 0) -> str:
    """The larger number wins."""
    return "left" if int(left) > int(right) else "right"


def problem(*answers: int, ident: str = "p") -> Problem:
    return Problem(ident, "Which is larger?", tuple(map(str, answers)))


def one_match(say: Say, judge: Judge | None = None, **voting: Any) -> TournamentResult:
    [tournament] = play([problem(1, 2)], RoundRobin(), judge or TwoWords(), Scripted(say), voting=Voting(**voting))
    return tournament


def test_the_answers_are_ranked_by_the_judges_verdicts() -> None:
    [tournament] = play([problem(3, 9, 1, 7)], RoundRobin(), TwoWords(), Scripted(larger))
    assert (tournament.ranking.order, tournament.ranking.ratings) == ((1, 3, 0, 2), (1 / 3, 1.0, 0.0, 2 / 3))
    assert len(tournament.played) == 6
    assert {(played.problem_id, played.round, played.undecided) for played in tournament.played} == {("p", 0, False)}
    assert all(played.tokens == len("left" if played.outcome == Outcome.FIRST else "right") for played in tournament.played)


def test_recorded_texts_can_be_replayed_through_an_engine(tmp_path: Any) -> None:
    texts = {f"{left}|{right}": [larger(str(left), str(right))] for left in range(3) for right in range(3) if left != right}
    with RecordedEngine(texts=texts).open(tmp_path) as session:
        [tournament] = play([problem(0, 2, 1)], Elo(), TwoWords(order="random"), session)
    assert tournament.ranking.order == (1, 2, 0)


def test_all_groups_share_one_engine_call_per_round() -> None:
    groups = [problem(*range(size), ident=f"size {size}") for size in (1, 2, 3, 5, 8, 1)]
    session = Scripted(larger)
    tournaments = play(groups, Knockout(), TwoWords(), session)
    assert [len(call) for call in session.calls] == [1 + 1 + 2 + 4, 1 + 1 + 2, 1 + 1]
    assert [tournament.problem.id for tournament in tournaments] == [group.id for group in groups]
    assert [tournament.ranking.order[0] for tournament in tournaments] == [0, 1, 2, 4, 7, 0]
    assert max(played.round for played in tournaments[4].played) == 2


def test_nothing_to_compare_costs_no_engine_call() -> None:
    session = Scripted(larger)
    assert play([], Knockout(), TwoWords(), session) == []
    assert play([problem(5)], Knockout(), TwoWords(), session)[0].ranking.order == (0,)
    assert session.calls == []


def by_seed(left: str, right: str, seed: int) -> str:
    return ("left", "right", "equal", "mumble")[seed % 4]


def test_a_seed_repeats_everything_and_another_does_not() -> None:
    runs = [play([problem(*range(8))], RoundRobin(), TwoWords(order="random"), Scripted(by_seed), seed=seed) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_group_is_ranked_alike_alone_and_in_company() -> None:
    groups = [problem(*range(size), ident=f"size {size}") for size in (5, 4, 6)]
    together = play(groups, Knockout(), TwoWords(order="random"), Scripted(by_seed), voting=Voting(votes=3))
    alone = [play([group], Knockout(), TwoWords(order="random"), Scripted(by_seed), voting=Voting(votes=3))[0] for group in groups]
    assert together == alone


def test_two_equal_groups_get_equal_results() -> None:
    one, other = play([problem(4, 5, 6), problem(4, 5, 6)], RoundRobin(), TwoWords(), Scripted(by_seed))
    assert one == other
    assert len(one.played) == 3


def test_orders_that_disagree_are_a_tie_and_no_failure() -> None:
    tournament = one_match(lambda left, right, seed: "left", TwoWords(order="both"))
    [played] = tournament.played
    assert (played.outcome, played.undecided, len(played.path_ids)) == (Outcome.TIE, False, 2)
    assert tournament.ranking.ratings == (0.5, 0.5)


def test_orders_that_agree_decide() -> None:
    [played] = one_match(larger, TwoWords(order="both")).played
    assert played.outcome == (Outcome.FIRST if played.match.first == 1 else Outcome.SECOND)


def test_random_order_is_seen_from_the_matchs_own_side() -> None:
    shown = set()
    for seed in range(20):
        session = Scripted(larger)
        [tournament] = play([problem(1, 2)], RoundRobin(), TwoWords(order="random"), session, seed=seed)
        assert tournament.ranking.order == (1, 0)
        [first], [match] = session.calls[0], [played.match for played in tournament.played]
        shown.add((first.startswith("1"), match.first == 0))
    assert shown == {(True, True), (True, False), (False, True), (False, False)}


def in_turn(*texts: str | Completion) -> Say:
    left = list(texts)
    return lambda *_: left.pop(0)


def test_the_majority_of_votes_decides() -> None:
    tournament = one_match(in_turn("left", "right", "right"), votes=3)
    [played] = tournament.played
    assert (played.outcome, len(played.path_ids), played.tokens) == (Outcome.SECOND, 3, 14)


def test_votes_that_cannot_be_read_do_not_count() -> None:
    [played] = one_match(in_turn("mumble", "right", "mumble"), votes=3).played
    assert (played.outcome, played.undecided) == (Outcome.SECOND, False)


def test_votes_that_balance_are_a_draw_of_the_judges() -> None:
    [played] = one_match(in_turn("left", "right"), votes=2).played
    assert (played.outcome, played.undecided) == (Outcome.TIE, False)


FAILURES = {
    "unreadable": completion_of("mumble"),
    "truncated": Completion("left", (1, 2), (2, 4), truncated=True),
    "failed": Completion("", error="timeout"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_match_without_a_verdict_is_played_again(failure: Completion) -> None:
    session = Scripted(in_turn(failure, "left"))
    [tournament] = play([problem(1, 2)], RoundRobin(), TwoWords(), session)
    [played] = tournament.played
    assert (played.outcome, played.undecided, len(played.path_ids)) == (Outcome.FIRST, False, 2)
    assert len(set(played.path_ids)) == 2
    assert [len(call) for call in session.calls] == [1, 1]


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("replays", [0, 1, 3])
def test_a_match_that_stays_without_a_verdict_is_an_undecided_draw(failure: Completion, replays: int) -> None:
    tournament = one_match(lambda *_: failure, replays=replays)
    [played] = tournament.played
    assert (played.outcome, played.undecided, len(played.path_ids)) == (Outcome.TIE, True, replays + 1)
    assert tournament.ranking.ratings == (0.5, 0.5)


def test_only_matches_without_a_verdict_are_played_again_and_with_another_seed() -> None:
    seeds: list[int] = []

    def say(left: str, right: str, seed: int) -> str:
        if {left, right} == {"1", "2"}:
            seeds.append(seed)
            return "mumble"
        return larger(left, right)

    session = Scripted(say)
    [tournament] = play([problem(1, 2, 3)], RoundRobin(), TwoWords(), session, voting=Voting(replays=2))
    assert [len(call) for call in session.calls] == [3, 1, 1]
    assert len(set(seeds)) == 3
    assert sum(played.undecided for played in tournament.played) == 1
    assert tournament.ranking.ratings == (0.25, 0.25, 1.0)


def test_with_both_orders_one_unread_order_is_no_verdict() -> None:
    """Half a judgement must not decide: the order that was read may be the judge's favourite slot."""
    [played] = one_match(lambda left, right, seed: "left" if left == "1" else "mumble", TwoWords(order="both"), replays=0).played
    assert (played.outcome, played.undecided, played.votes) == (Outcome.TIE, True, (Outcome.UNREADABLE,))


def test_the_majority_is_of_the_votes_that_decide() -> None:
    first, second, unreadable = Outcome.FIRST, Outcome.SECOND, Outcome.UNREADABLE
    assert majority([]) is None
    assert majority([unreadable, Outcome.FAILED]) is None
    assert majority([unreadable, second, unreadable]) == second
    assert majority([first, second, Outcome.TIE]) == Outcome.TIE
    assert majority([Outcome.TIE, Outcome.TIE, first]) == first


class Faulty(Aggregator):
    """Breaks its contract in the way that it is told to."""

    use: Literal["faulty"] = "faulty"
    fault: str
    """Which promise to break."""

    def tournament(self, size: int, seed: int) -> Generator[list[Match], list[Outcome], Ranking]:
        if self.fault == "raises at once":
            raise LookupError("no chairs")
        return self._rounds(size)

    def _rounds(self, size: int) -> Generator[list[Match], list[Outcome], Ranking]:
        yield [Match(0, 1)]
        first: dict[str, Any] = {
            "plays itself": [Match(1, 1)],
            "plays a stranger": [Match(0, size)],
            "plays a negative": [Match(-1, 0)],
            "plays nobody": [],
            "yields nothing": None,
            "raises": LookupError,
        }
        if self.fault == "raises":
            raise LookupError("no chairs")
        if self.fault in first:
            yield first[self.fault]
        last: dict[str, Any] = {
            "forgets one": Ranking((0, 1), (0.0, 0.0)),
            "names one twice": Ranking((0, 1, 1), (0.0, 0.0, 0.0)),
            "lacks a rating": Ranking((0, 1, 2), (0.0, 0.0)),
            "infinite rating": Ranking((0, 1, 2), (0.0, float("inf"), 0.0)),
            "undefined rating": Ranking((0, 1, 2), (0.0, float("nan"), 0.0)),
        }
        ranking: Ranking = last.get(self.fault)  # type: ignore[assignment]
        return ranking


@pytest.mark.parametrize(
    ("fault", "told"),
    {
        "raises at once": "raised in tournament(): LookupError: no chairs",
        "raises": "raised in tournament(): LookupError: no chairs",
        "plays itself": "asked for Match(first=1, second=1) among 3 candidates",
        "plays a stranger": "asked for Match(first=0, second=3) among 3 candidates",
        "plays a negative": "asked for Match(first=-1, second=0) among 3 candidates",
        "plays nobody": "yielded a round without matches",
        "yields nothing": "TypeError",
        "forgets one": "not a ranking of 3 candidates",
        "names one twice": "not a ranking of 3 candidates",
        "lacks a rating": "not a ranking of 3 candidates",
        "infinite rating": "not a ranking of 3 candidates",
        "undefined rating": "not a ranking of 3 candidates",
        "returns nothing": "returned None, not a ranking of 3 candidates",
    }.items(),
)
def test_an_aggregator_that_breaks_its_contract_is_named_and_blamed(fault: str, told: str) -> None:
    with pytest.raises(PluginError, match=rf"'faulty'.*{re.escape(told)}(.|\n)*Remedy: "):
        play([problem(1, 2, 3)], Faulty(fault=fault), TwoWords(), Scripted(larger))


def test_a_round_may_be_any_iterable_of_matches() -> None:
    class Lazy(Aggregator):
        """Yields a generator instead of a list."""

        use: Literal["lazy"] = "lazy"

        def tournament(self, size: int, seed: int) -> Generator[Any, list[Outcome], Ranking]:
            outcomes = yield (Match(0, other) for other in range(1, size))
            return Ranking.best_first([float(outcomes.count(Outcome.FIRST)), 0.5, 0.5], random.Random(seed))

    [tournament] = play([problem(3, 2, 1)], Lazy(), TwoWords(), Scripted(larger))
    assert tournament.ranking.ratings == (2.0, 0.5, 0.5)


def test_best_first_orders_by_rating_and_breaks_ties_by_the_generator() -> None:
    ratings = (1.0, 5.0, 1.0, -2.0)
    orders = {Ranking.best_first(ratings, random.Random(seed)).order for seed in range(30)}
    assert orders == {(1, 0, 2, 3), (1, 2, 0, 3)}
    assert Ranking.best_first(ratings, random.Random(1)) == Ranking.best_first(ratings, random.Random(1))
