"""Every eligibility rule against pools worked out by hand, and what has to hold of any pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import (
    Completion,
    ConfigError,
    Eligibility,
    Order,
    Outcome,
    PathScorer,
    PluginError,
    Plugins,
    Problem,
    ReasoningPath,
    Score,
    Session,
    Verdict,
)
from adjudge.testing import check_eligibility
from adjudge_eligibility import (
    AllOf,
    AnyOf,
    BothOrders,
    Label,
    Majority,
    Reference,
    Transitive,
    WithVerdict,
    check_orders,
    consensus,
    eligible_paths,
    tally,
)
from adjudge_judges import ArithmeticJudge
from adjudge_rstar import Longest

PROBLEM = Problem("p", "3+4", ("7", "8"), label=0)
OUTCOMES = {
    "f": Outcome.FIRST, "s": Outcome.SECOND, "t": Outcome.TIE, "u": Outcome.UNREADABLE, "x": Outcome.FAILED,
}  # fmt: skip
JUDGE = ArithmeticJudge(order="both")


def path(outcome: str, index: int, order: Order = "given", problem: str = "p") -> ReasoningPath:
    """A path that names this answer in the problem's own order, whichever it was shown."""
    read = OUTCOMES[outcome].mirrored if order == "swapped" else OUTCOMES[outcome]
    completion = Completion("because", (1,) * index, (2,) * index, (-1.0,) * index, error="timeout" if outcome == "x" else None)
    return ReasoningPath(f"{problem}{order}{index}", problem, order, index, completion, Verdict(read, (0, 3), (3, 7)))


def pool(given: str, swapped: str = "", problem: str = "p") -> list[ReasoningPath]:
    orders: tuple[tuple[Order, str], ...] = (("given", given), ("swapped", swapped))
    return [path(outcome, index, order, problem) for order, outcomes in orders for index, outcome in enumerate(outcomes)]


def told(rule: Eligibility, paths: Sequence[ReasoningPath], *problems: Problem) -> str:
    """A plus for each path that may be chosen."""
    by_id = {problem.id: problem for problem in problems or (PROBLEM,)}
    return "".join("+" if one else "-" for one in eligible_paths(rule, by_id, paths, None, JUDGE))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "given", "swapped", "expected"),
    [
        (Label(), "fstux", "fs", "+----+-"),
        (WithVerdict(), "fstux", "fs", "+++--++"),
        (Majority(), "ffs", "sf", "++--+"),
        (Majority(), "ffss", "", "----"),  # a draw says nothing
        (Majority(share=0.75), "fffs", "", "+++-"),
        (Majority(share=0.75), "fffsu", "", "-----"),  # 3 of 5 that came back
        (Majority(share=0.75), "fffsx", "", "+++--"),  # a call that failed is no vote
        (Majority(), "tttf", "", "---+"),
        (BothOrders(), "ffs", "ffs", "++-++-"),
        (BothOrders(), "fff", "sss", "------"),  # whoever stands first wins
        (BothOrders(), "fff", "", "---"),
        (BothOrders(share=0.6), "fff", "ffsu", "-------"),
        (AllOf(rules=[Majority(), Label()]), "ssf", "", "---"),
        (AllOf(rules=[Majority(), WithVerdict()]), "ssf", "", "++-"),
        (AnyOf(rules=[Majority(), Label()]), "ssf", "", "+++"),
        (Reference(scorer=Longest(), above=1.0), "ffsu", "", "--+-"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.use,
)
def test_by_hand(rule: Eligibility, given: str, swapped: str, expected: str) -> None:
    assert told(rule, pool(given, swapped)) == expected


def pair(one: str, other: str) -> Problem:
    return Problem(one + other, "which letter?", (one, other))


@pytest.mark.parametrize(
    ("named", "alone", "expected"),
    [
        ({"ab": "ff", "bc": "ff", "ac": "fs"}, True, "++++--"),  # a over b over c; the third pair is a draw
        ({"ab": "ff", "bc": "ff", "ac": "sfs"}, True, "-------"),  # c over a closes the circle
        ({"ab": "ff", "bc": "ff", "ac": "ffs", "de": "f"}, True, "++++++-+"),
        ({"ab": "ff", "de": "f"}, False, "---"),  # nothing could contradict them
        ({"ab": "ff", "bc": "s"}, False, "+++"),
    ],
)
def test_pairs_on_a_circle_speak_for_no_path(named: dict[str, str], alone: bool, expected: str) -> None:
    problems = [pair(*name) for name in named]
    paths = [one for name, outcomes in named.items() for one in pool(outcomes, problem=name)]
    assert told(Transitive(alone=alone), paths, *problems) == expected


def test_answers_to_another_prompt_are_other_answers() -> None:
    problems = [pair("a", "b"), pair("b", "c"), replace(pair("c", "a"), prompt="and which now?")]
    paths = [one for problem in problems for one in pool("f", problem=problem.id)]
    assert told(Transitive(), paths, *problems) == "+++"


POOLS = st.tuples(st.text("fstux", max_size=8), st.text("fstux", max_size=8))
FREE: list[Eligibility] = [Majority(), Majority(share=0.5), BothOrders(), Transitive(), WithVerdict()]
UNLABELLED = replace(PROBLEM, label=None)


@given(POOLS)
def test_what_holds_of_any_pool(outcomes: tuple[str, str]) -> None:
    paths = pool(*outcomes)
    plain = told(WithVerdict(), paths)
    for rule in FREE:
        found = told(rule, paths)
        assert found == told(rule, paths, UNLABELLED), "a label is never looked at"
        assert all(one == "-" or other == "+" for one, other in zip(found, plain, strict=True)), "only what has a verdict"
        assert len({one.outcome for one, mark in zip(paths, found, strict=True) if mark == "+" and rule.use != "none"}) <= 1
    stricter = [told(Majority(share=share), paths) for share in (0.0, 0.4, 0.8, 1.0)]
    assert [one.count("+") for one in stricter] == sorted((one.count("+") for one in stricter), reverse=True)
    assert told(AllOf(rules=FREE), paths).count("+") <= min(told(rule, paths).count("+") for rule in FREE)
    assert told(AnyOf(rules=FREE), paths) == plain


@given(POOLS)
def test_neither_order_nor_the_names_of_the_answers_matter(outcomes: tuple[str, str]) -> None:
    mirror = str.maketrans("fs", "sf")
    given_, swapped = outcomes
    for rule in FREE:
        found = told(rule, pool(given_, swapped))
        assert found == told(rule, pool(given_.translate(mirror), swapped.translate(mirror))), "the other answer is an answer too"
        backwards = told(rule, list(reversed(pool(given_, swapped))))
        assert backwards == found[::-1]


@given(st.lists(st.sampled_from("fstux"), max_size=12))
def test_the_consensus_is_the_more_frequent_answer(outcomes: list[str]) -> None:
    answer = consensus(path(outcome, index) for index, outcome in enumerate(outcomes))
    first, second = outcomes.count("f"), outcomes.count("s")
    assert answer == (None if first == second else Outcome.FIRST if first > second else Outcome.SECOND)


def test_every_built_in_rule_keeps_its_promises(plugins: Plugins) -> None:
    made = {"reference": Reference(scorer=Longest(), above=0.5), "all-of": AllOf(rules=[Majority()]), "any-of": AnyOf(rules=[BothOrders()])}
    for name, entry in plugins.of_kind(Eligibility).items():
        rule = made.get(name) or entry.cls()
        if name != "reference":  # it is asked with a judge, which the check has not
            check_eligibility(rule, [PROBLEM], pool("fsf", "fs"))
    assert {name for name, entry in plugins.of_kind(Eligibility).items() if entry.cls.needs_labels is True} == {"label"}


def test_what_each_needs_is_listed_and_only_none_needs_nothing(plugins: Plugins) -> None:
    assert [name for name, entry in plugins.of_kind(Eligibility).items() if not entry.cls.needs] == ["none"]


def test_joined_rules_need_what_their_parts_need() -> None:
    assert AllOf(rules=[Majority(), AnyOf(rules=[Label()])]).needs_labels
    assert not AllOf(rules=[Majority(), BothOrders()]).needs_labels


class Odd(Eligibility):
    use: Literal["odd"] = "odd"
    answer: Any = []

    def eligible(self, problems: Mapping[str, Problem], paths: Sequence[ReasoningPath], session: Session) -> Sequence[bool]:
        if self.answer == "raise":
            raise KeyError("gone")
        return list(self.answer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [([True], "returned 1 answers for 2 paths"), ([True, 1], "neither True nor False"), ("raise", r"raised in eligible\(\): KeyError")],
)
def test_what_is_no_answer_is_the_plugins_mistake(answer: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        told(Odd(answer=answer), pool("fs"))


@pytest.mark.parametrize("rule", [BothOrders(), AllOf(rules=[Majority(), AnyOf(rules=[BothOrders()])])], ids=lambda rule: rule.use)
def test_both_orders_asks_for_both(rule: Eligibility) -> None:
    with pytest.raises(ConfigError, match=r"stages\.0\.eligible: 'both-orders' compares .*\n  Remedy: write judge\.order: both"):
        check_orders(rule, ArithmeticJudge(order="fixed"), "stages.0.eligible")
    check_orders(rule, ArithmeticJudge(order="random"), "stages.0.eligible")
    check_orders(Majority(), ArithmeticJudge(order="fixed"), "stages.0.eligible")


class SeesThePool(PathScorer):
    """How many paths of the problem there are besides those that are scored."""

    use: Literal["sees-the-pool"] = "sees-the-pool"

    def score(self, problem: Problem, paths: Sequence[ReasoningPath], session: Any) -> list[Score]:
        assert session.judge is JUDGE
        return [Score(one.id, float(len(session.pool) - len(paths))) for one in paths]


def test_a_scorer_as_the_bar_is_asked_problem_by_problem_and_sees_what_it_does_not_score() -> None:
    problems = [Problem(name, "1+1", ("2", "3")) for name in ("a", "b")]
    paths = [*pool("fsu", problem="a"), *pool("fs", problem="b")]
    assert told(Reference(scorer=SeesThePool(), above=0.5), paths, *problems) == "++---"


def test_the_tally_by_hand() -> None:
    unlabelled = Problem("q", "1+1", ("2", "3"))
    paths = [*pool("ffsux"), *pool("fs", problem="q")]
    found = tally(Majority(), {"p": PROBLEM, "q": unlabelled}, paths, [True, False, True, False, False, True, False])
    assert found == {
        "rule": "majority", "paths": 7, "eligible": 3, "share": 3 / 6, "labelled": 4, "agreement": 2 / 4, "false": 1, "false_share": 1 / 2,
        "missed": 1,
    }  # fmt: skip
    nothing = tally(Majority(), {"q": unlabelled}, pool("fs", problem="q"), [True, False])
    assert [nothing[name] for name in ("agreement", "false", "false_share", "missed")] == [None] * 4
    assert (nothing["labelled"], nothing["share"]) == (0, 0.5)
