"""A tournament that is rehearsed takes what a real one takes: same driver, same prompts, votes, budgets and rounds."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any, Literal

import pytest

from adjudge import (
    Aggregator,
    Budget,
    Completion,
    Engine,
    Judge,
    Message,
    Order,
    Outcome,
    Plugins,
    Problem,
    Verdict,
    Voting,
    play,
)  # fmt: skip
from adjudge_plan import plan_ranking

BUILT_IN = sorted(Plugins.load(autoload=False).of_kind(Aggregator))
FOLDER = FilePath("nowhere")
GROUPS = [Problem("g", "which?", tuple(map(str, range(6)))), Problem("h", "which?", tuple(map(str, range(10, 13))))]


class Pair(Judge):
    """Shows two answers with a slash between them."""

    use: Literal["pair"] = "pair"
    order: Literal["random", "both", "fixed"] = "fixed"
    max_new_tokens: int = 10

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        shown = problem.answers if order == "given" else problem.answers[::-1]
        return [{"role": "user", "content": "/".join(shown)}]

    def parse(self, text: str) -> Verdict:
        return Verdict(Outcome(text))


class Lengths(Engine):
    """Counts characters as tokens."""

    use: Literal["lengths"] = "lengths"

    def count_tokens(self, model: FilePath, prompts: Sequence[list[Message]]) -> list[int] | None:
        return [len(prompt[-1]["content"]) for prompt in prompts]


class Noisy:
    """A session that prefers larger numbers most of the time, and counts what it reads."""

    def __init__(self, noise: float) -> None:
        self.noise, self.read, self.asked = noise, 0, 0

    def sample(self, prompts: Sequence[list[Message]], *, seeds: Sequence[int], **_: Any) -> Iterator[tuple[int, Completion]]:
        for index, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
            self.asked += 1
            self.read += len(prompt[-1]["content"])
            one, other = map(int, prompt[-1]["content"].split("/"))
            wrong = random.Random(seed).random() < self.noise
            yield index, Completion("first" if (one > other) != wrong else "second", (0,) * 4)


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("order", ["fixed", "both"])
def test_every_scheme_is_planned_as_it_is_played(plugins: Plugins, name: str, order: Any) -> None:
    aggregator = plugins.pick(Aggregator, name)()
    [part] = plan_ranking(GROUPS, aggregator, Pair(order=order), Lengths(), FOLDER, seed=5).parts
    assert part.matches is not None
    assert part.judgements is not None
    assert part.input_tokens is not None
    session = Noisy(0.0)
    matches = sum(len(one.played) for one in play(GROUPS, aggregator, Pair(order=order), session, seed=5))  # type: ignore[arg-type]
    if part.matches[0] == part.matches[1]:  # a scheme that does not adapt is known exactly
        assert (part.matches[0], part.judgements[0]) == (matches, session.asked)
    assert part.judgements[0] * 0.5 <= session.asked <= part.judgements[1] * 2
    assert part.input_tokens[0] * 0.5 <= session.read <= part.input_tokens[1] * 2


def test_a_round_robin_is_known_to_the_last_token(plugins: Plugins) -> None:
    aggregator = plugins.pick(Aggregator, "round-robin")()
    [part] = plan_ranking(GROUPS, aggregator, Pair(order="both"), Lengths(), FOLDER).parts
    session = Noisy(0.0)
    play(GROUPS, aggregator, Pair(order="both"), session)  # type: ignore[arg-type]
    assert (part.matches, part.judgements, part.input_tokens) == ((18, 18), (36, 36), (session.read, session.read))
    assert part.most_tokens == 360


def test_what_is_counted_is_what_engines_are_sent(plugins: Plugins) -> None:
    """The rehearsed judge renders as the judge itself does."""

    class Plain(Pair):
        """Sends its prompts without what is no digit."""

        use: Literal["plain"] = "plain"  # type: ignore[assignment]

        def prompt(self, problem: Problem, order: Order) -> list[Message]:
            [message] = super().prompt(problem, order)
            return [{**message, "content": f"</think>{message['content']}"}]

        def render(self, problem: Problem, order: Order) -> list[Message]:
            return super().prompt(problem, order)

    aggregator = plugins.pick(Aggregator, "round-robin")()
    [part] = plan_ranking(GROUPS, aggregator, Plain(), Lengths(), FOLDER).parts
    session = Noisy(0.0)
    play(GROUPS, aggregator, Plain(), session)  # type: ignore[arg-type]
    assert part.input_tokens == (session.read, session.read)


def test_votes_that_stop_early_are_a_range_that_holds_what_happens(plugins: Plugins) -> None:
    aggregator, voting = plugins.pick(Aggregator, "round-robin")(), Voting(votes=9, confidence=0.9)
    [part] = plan_ranking(GROUPS, aggregator, Pair(), Lengths(), FOLDER, voting=voting).parts
    assert part.judgements is not None
    least, most = part.judgements
    for noise in (0.0, 0.3, 0.5):
        session = Noisy(noise)
        play(GROUPS, aggregator, Pair(), session, voting=voting)  # type: ignore[arg-type]
        assert least <= session.asked <= most
    assert 18 < least < most <= 18 * 9


def test_a_budget_is_kept_in_the_plan(plugins: Plugins) -> None:
    aggregator = plugins.pick(Aggregator, "round-robin")()
    [part] = plan_ranking(GROUPS, aggregator, Pair(), Lengths(), FOLDER, budget=Budget(matches=4)).parts
    assert part.matches == (7, 7), "4 of 15 and all 3 of 3"
    [tokens] = plan_ranking(GROUPS[:1], aggregator, Pair(), Lengths(), FOLDER, budget=Budget(tokens=40), measured=4.0).parts
    session = Noisy(0.0)
    play(GROUPS[:1], aggregator, Pair(), session, budget=Budget(tokens=40))  # type: ignore[arg-type]
    assert tokens.judgements == (session.asked, session.asked)
    assert tokens.likely_tokens == 4 * session.asked


def test_identical_answers_cost_nothing(plugins: Plugins) -> None:
    twins = [Problem("t", "which?", ("1", "1", "2"))]
    [part] = plan_ranking(twins, plugins.pick(Aggregator, "round-robin")(), Pair(), Lengths(), FOLDER).parts
    assert (part.matches, part.judgements) == ((2, 2), (2, 2))


def test_the_same_call_gives_the_same_plan(plugins: Plugins) -> None:
    aggregator = plugins.pick(Aggregator, "knockout")()
    plans = [plan_ranking(GROUPS, aggregator, Pair(order="random"), Lengths(), FOLDER, seed=2).to_json() for _ in range(2)]
    assert json.dumps(plans[0]) == json.dumps(plans[1])
