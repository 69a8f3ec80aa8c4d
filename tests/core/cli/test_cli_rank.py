"""``adjudge rank``: votes, budgets, failures, intervals and rewards as options, as a table and as JSON; every mistake with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

ROW = '{"prompt": "largest?", "answers": ["3", "9", "5", "1"], "id": "four"}\n'


@pytest.fixture
def rank(call: Call, model: Path) -> Call:
    """Ranks four numbers with options."""
    return lambda *options, engine="oracle", row=ROW: call("rank", "-m", model, "--engine", engine, "--no-cache", *options, stdin=row)


def test_votes_stop_when_they_are_settled(rank: Call) -> None:
    full = json.loads(rank("--use", "round-robin", "--votes", 9, "--json").stdout)
    assert (full["votes"], full["tokens"], full["stopped"], full["rated_by"]) == (6 * 5, 6 * 5 * 7, None, "round-robin")
    tested = json.loads(rank("--use", "round-robin", "--votes", 9, "--confidence", 0.9, "--json").stdout)
    assert (tested["votes"], tested["order"]) == (6 * 3, full["order"])
    assert tested["matches"][0]["votes"] in (["first"] * 3, ["second"] * 3)


def test_a_budget_ends_the_ranking_and_gives_intervals(rank: Call) -> None:
    row = json.loads(rank("--use", "round-robin", "--budget", 4, "--json").stdout)
    assert (len(row["matches"]), row["stopped"], row["rated_by"]) == (4, "matches", "bradley-terry")
    assert all(low < rating < high for rating, (low, high) in zip(row["ratings"], row["intervals"], strict=True))
    shown = rank("--use", "round-robin", "--budget", 4).stdout
    assert "95% interval" in shown
    assert "stopped: the budget of matches is spent; rated on the Elo scale" in shown


def test_circles_and_answers_that_no_match_connects_are_told(rank: Call) -> None:
    full = json.loads(rank("--use", "round-robin", "--json").stdout)
    assert (full["circles"], full["triples"], full["parts"]) == (0, 4, 1)
    short = rank("--use", "round-robin", "--budget", 1)
    assert "the matches leave 3 parts that were never compared" in short.stdout
    assert json.loads(rank("--use", "round-robin", "--budget", 1, "--json").stdout)["parts"] == 3


def test_a_budget_of_tokens(rank: Call) -> None:
    tokens = ["--set", "judge.max_new_tokens=10", "--budget", "{tokens: 25}"]
    row = json.loads(rank("--use", "round-robin", *tokens, "--json").stdout)
    assert (row["stopped"], row["tokens"]) == ("tokens", 21)


def test_order_disagreements_are_shown(rank: Call) -> None:
    assert json.loads(rank("--order", "both", "--json").stdout)["inconsistent"] == 0
    assert json.loads(rank("--json").stdout)["inconsistent"] is None
    assert "0 votes changed with the order" in rank("--order", "both").stdout


@pytest.mark.parametrize(("policy", "votes", "dropped"), [("retry", 2, 0), ("draw", 1, 0), ("drop", 1, 3)])
def test_matches_that_cannot_be_judged(rank: Call, policy: str, votes: int, dropped: int) -> None:
    result = rank("--on-unreadable", policy, "--reward", "minmax", "--json", engine="{use: oracle, error: timeout}")
    row = json.loads(result.stdout)
    assert (row["undecided"], row["dropped"], row["rewards"]) == (3, dropped, [None] * 4)
    assert {len(match["votes"]) for match in row["matches"]} == {votes}
    assert {match["outcome"] for match in row["matches"]} == {"failed" if dropped else "tie"}


def test_rewards_stand_beside_the_ratings(rank: Call) -> None:
    row = json.loads(rank("--use", "round-robin", "--reward", "rank", "--json").stdout)
    assert row["rewards"] == pytest.approx([1 / 3, 1.0, 2 / 3, 0.0])
    assert "reward" in rank("--reward", "standardised").stdout
    assert "rewards" not in json.loads(rank("--json").stdout)


def test_set_reaches_what_has_no_option_of_its_own(rank: Call) -> None:
    row = '{"prompt": "largest?", "answers": ["3", "3"]}\n'
    assert json.loads(rank("--json", row=row).stdout)["votes"] == 0
    assert json.loads(rank("--set", "voting.same=judge", "--json", row=row).stdout)["votes"] == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--confidence", 0.9], "voting: confidence: one vote leaves nothing to stop; raise votes"),
        (["--votes", 3, "--confidence", 2], "voting.confidence: Input should be less than 1"),
        (["--budget", "lots"], "budget: write a number of matches, or a mapping"),
        (["--budget", "0"], "budget.matches: Input should be greater than or equal to 1"),
        (["--budget", "{token: 3}"], "budget.token: there is no such field; did you mean 'tokens'?"),
        (["--budget", "{tokens: 3}"], "budget.tokens: 3 is less than"),
        (["--on-unreadable", "guess"], "voting.on_unreadable: Input should be 'retry', 'draw' or 'drop'"),
        (["--reward", "elo"], "reward: Input should be 'rating', 'win-rate', 'rank', 'minmax' or 'standardised'"),
    ],
)
def test_mistakes_are_told_with_their_place(rank: Call, options: list[Any], told: str) -> None:
    result = rank(*options)
    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr
    assert "Traceback" not in result.stderr


def test_a_token_budget_needs_an_engine_that_counts(rank: Call) -> None:
    result = rank("--budget", "{tokens: 90000}", engine="{use: oracle, tokens: 0}")
    assert (result.exit_code, "the engine returns texts without their tokens" in result.stderr) == (2, True)


@pytest.mark.parametrize("how", ["rating", "win-rate", "rank", "minmax", "standardised"])
@pytest.mark.parametrize("seed", range(4))
def test_candidates_with_the_same_text_are_rewarded_alike(rank: Call, how: str, seed: int) -> None:
    """Whichever of them a bracket's coin let advance."""
    row = json.dumps({"prompt": "largest?", "answers": ["9", "9", "5", "9"]}) + "\n"
    one, other, worse, third = json.loads(rank("--reward", how, "--seed", seed, "--json", row=row).stdout)["rewards"]
    assert one == other == third > worse
    same = json.loads(rank("--reward", how, "--seed", seed, "--json", row=row.replace("5", "9")).stdout)["rewards"]
    assert len(set(same)) == 1
