"""`pairwise-plain`: its stop strings end a text only where a verdict ends, and never make one of what is quoted or denied."""

from __future__ import annotations

import pytest

from adjudge import Outcome, Problem, dump
from adjudge.testing import check_judge
from adjudge_judges import PairwisePlain

JUDGE = PairwisePlain()
PAIR = Problem("p", "1+1?", ("2", "3"))


def stopped(text: str) -> str:
    """The text as engines hand it on: up to the stop string that is complete first."""
    ends = [text.index(one) + len(one) for one in JUDGE.stop if one in text]
    return text[: min(ends, default=len(text))]


def test_contract() -> None:
    check_judge(JUDGE, "A good answer says 2. Answer A says 2. Answer B says 3. So Answer A is better.", Outcome.FIRST)


def test_the_brief_form_is_asked_half_as_long_and_read_alike() -> None:
    brief = PairwisePlain(brief=True)
    check_judge(brief, "It should say 2. Answer A is better.", Outcome.FIRST)
    sizes = [sum(len(turn["content"]) for turn in judge.prompt(PAIR, "given")) for judge in (brief, JUDGE)]
    assert 2 * sizes[0] < sizes[1]
    shown = brief.prompt(PAIR, "swapped")
    assert [turn["role"] for turn in shown] == ["user", "assistant", "user", "assistant", "user"]
    assert shown[-1]["content"] == "Question: 1+1?\nAnswer A: 3\nAnswer B: 2\nWhich answer is better?"
    assert {JUDGE.parse(turn["content"]).outcome for turn in shown if turn["role"] == "assistant"} == {Outcome.FIRST, Outcome.SECOND}
    assert "brief" not in dump(JUDGE), "ids of judgements are what they were"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("Answer A says 2. So Answer A is better. So Answer B is better.", Outcome.FIRST),
        ("So Answer B is better", Outcome.SECOND),
        ("Answer B is better.", Outcome.SECOND),
        ("Answer A is better in style, but it is wrong. So Answer B is better.", Outcome.SECOND),
        ('I have to end with "So Answer A is better." or "So Answer B is better."', Outcome.UNREADABLE),
        ("End with 'Answer A is better.' or 'Answer B is better.'", Outcome.UNREADABLE),
        ("I would not say that Answer A is better.", Outcome.UNREADABLE),
        ("Both say 2.", Outcome.UNREADABLE),
    ],
)
def test_what_is_left_of_a_text_is_read_as_the_whole_would_be(text: str, outcome: Outcome) -> None:
    assert JUDGE.parse(stopped(text)).outcome == outcome


def test_its_examples_are_verdicts_of_its_own_form() -> None:
    turns = JUDGE.prompt(PAIR, "swapped")
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant", "user"]
    assert {JUDGE.parse(turn["content"]).outcome for turn in turns if turn["role"] == "assistant"} == {Outcome.FIRST, Outcome.SECOND}
    assert turns[-1]["content"].index("3") < turns[-1]["content"].index("Answer B:\n2")
