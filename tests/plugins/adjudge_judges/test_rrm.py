"""RRM's judge: what it asks, and which verdict it reads from whatever a model writes."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adjudge import Judge, Outcome, Plugins, Problem, dump
from adjudge.testing import check_judge

ONE, TWO = r"\boxed{Assistant 1}", r"\boxed{Assistant 2}"
PIECES = [ONE, TWO, r"\boxed{ Assistant  2 }", r"\boxed{\text{Assistant 1}}", r"\boxed{Assistant 3}", r"\boxed{", "Assistant 1", "}", "\\"]
PIECES += ["<think>", "</think>", " ", "\n", "so ", "é", "\x00", "𝔸"]
anything = st.text() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@pytest.fixture(scope="module")
def rrm() -> Judge:
    judge = Plugins.load(autoload=False).pick(Judge, "rrm")()
    assert isinstance(judge, Judge)
    return judge


def test_keeps_the_promises_of_a_judge(rrm: Judge) -> None:
    check_judge(rrm, f"The first is right. {ONE}", Outcome.FIRST)


def test_asks_as_the_paper_does(rrm: Judge) -> None:
    assert (rrm.temperature, rrm.top_p, rrm.max_new_tokens, rrm.order) == (0.6, 1.0, 8192, "random")
    system, user = rrm.prompt(Problem("p", "QUERY", ("AAA", "BBB")), "given")
    assert (system["role"], user["role"]) == ("system", "user")
    assert all(f"\n{number}. " in system["content"] for number in range(1, 6))
    parts = ["## Query", "QUERY", "## Assistant responses", "### Assistant 1", "AAA", "### Assistant 2", "BBB", "## Analysis", ONE, TWO]
    places = [user["content"].index(part) for part in parts]
    assert places == sorted(places)


def test_the_swapped_order_changes_nothing_but_the_order(rrm: Judge) -> None:
    one, other = Problem("p", "Q", ("AAA", "BBB")), Problem("p", "Q", ("BBB", "AAA"))
    assert rrm.prompt(one, "swapped") == rrm.prompt(other, "given")


@given(texts=st.tuples(st.text(), st.text(), st.text()))
@example(texts=("{query}", "$answer2", "${query} $$ {0} %s"))
def test_texts_are_shown_as_they_are(rrm: Judge, texts: tuple[str, str, str]) -> None:
    prompt, one, two = texts
    user = rrm.prompt(Problem("p", prompt, (one, two)), "given")[-1]["content"]
    assert f"### Assistant 1\n\n{one}\n\n### Assistant 2\n\n{two}\n\n## Analysis" in user
    assert f"## Query\n\n{prompt}\n\n" in user


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (f"because… {ONE}", Outcome.FIRST),
        (f"because… {TWO}.", Outcome.SECOND),
        (f"{ONE} no, wait: {TWO}", Outcome.SECOND),
        (f"{TWO} " + r"but neither: \boxed{none}", Outcome.SECOND),
        (r"\boxed{ Assistant  1 }", Outcome.FIRST),
        (r"\boxed {\text{ Assistant 2 }}", Outcome.SECOND),
        (r"\boxed{Assistant 12}", Outcome.UNREADABLE),
        (r"\boxed{Assistant 1 and Assistant 2}", Outcome.UNREADABLE),
        (r"\boxed{\text{Assistant 1}", Outcome.FIRST),
        (r"\boxed{1}", Outcome.FIRST),
        ("Assistant 1", Outcome.UNREADABLE),
        (f"<think>maybe {ONE}</think>{TWO}", Outcome.SECOND),
        (f"maybe {ONE}</think> {TWO}", Outcome.SECOND),
        (f"<think>maybe {ONE}</think> I cannot tell.", Outcome.UNREADABLE),
        (f"maybe {ONE}</think>", Outcome.UNREADABLE),
        (f"<think>it is {ONE}", Outcome.UNREADABLE),
    ],
)
def test_reads_the_verdict(rrm: Judge, text: str, outcome: Outcome) -> None:
    assert rrm.parse(text).outcome == outcome


def test_spans_part_reasoning_from_verdict(rrm: Judge) -> None:
    text = f"<think>Long.</think>\nThe first. {ONE}\n"
    verdict = rrm.parse(text)
    assert verdict.reasoning is not None
    assert verdict.answer is not None
    assert text[slice(*verdict.reasoning)] == "<think>Long.</think>\nThe first. "
    assert text[slice(*verdict.answer)] == ONE


@given(text=anything)
def test_never_raises_and_points_into_the_text(rrm: Judge, text: str) -> None:
    verdict = rrm.parse(text)
    assert verdict.outcome in (Outcome.FIRST, Outcome.SECOND, Outcome.UNREADABLE)
    if verdict.outcome == Outcome.UNREADABLE:
        assert verdict.reasoning is verdict.answer is None
    else:
        assert verdict.reasoning is not None
        assert verdict.answer is not None
        assert 0 == verdict.reasoning[0] <= verdict.reasoning[1] == verdict.answer[0] < verdict.answer[1] <= len(text)
        assert ("1" in text[slice(*verdict.answer)]) == (verdict.outcome == Outcome.FIRST)


@given(before=anything)
def test_what_stands_before_the_end_of_the_thinking_says_nothing(rrm: Judge, before: str) -> None:
    assert rrm.parse(f"{before}\n</think>{ONE}").outcome == Outcome.FIRST
    assert rrm.parse(f"{before}\n</think>{ONE} {TWO}").outcome == Outcome.UNREADABLE
    assert rrm.parse(f"{before}\n</think>{ONE} Wait, no. {TWO}").outcome == Outcome.SECOND


def test_long_texts_are_read_in_linear_time(rrm: Judge) -> None:
    noise = "".join(random.Random(0).choices([r"\boxed{", "Assistant ", " " * 50, r"\text{"], k=100_000))
    assert rrm.parse(noise + TWO).outcome == Outcome.SECOND


def test_judge_json_brings_back_the_same_judge(rrm: Judge) -> None:
    assert type(rrm).model_validate(dump(rrm)) == rrm
