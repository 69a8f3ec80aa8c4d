"""The worlds as data sets: repeatable, balanced, apart; the rules of soundness; and the adversarial and open-ended sets."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
from pydantic import ValidationError

from adjudge import ConfigError, Plugins, held_out
from adjudge.testing import check_rule, path_of
from adjudge_arithmetic import TEST_SHARE, ArithmeticDataset
from adjudge_judges import ArithmeticJudge
from adjudge_worlds import (
    ArithmeticAdversarial,
    CodeAdversarial,
    CodeDataset,
    InstructionsAdversarial,
    InstructionsDataset,
    OpenInstructions,
    SoundCode,
    SoundEmbedded,
    SoundInstructions,
    path_rows,
)
from adjudge_worlds.code_world import CodeWorld
from adjudge_worlds.constraints import Constraint
from adjudge_worlds.instructions_world import fulfils, parse
from adjudge_worlds.world import Question

RULES = {CodeDataset: SoundCode(), InstructionsDataset: SoundInstructions()}
ADVERSARIAL = [ArithmeticAdversarial, CodeAdversarial, InstructionsAdversarial]


@pytest.mark.parametrize("kind", RULES)
def test_they_are_repeatable_balanced_and_apart(kind: type[CodeDataset] | type[InstructionsDataset]) -> None:
    train, test = list(kind(size=400).load()), list(kind(size=400, part="test").load())
    assert train == list(kind(size=400).load())
    assert train != list(kind(size=400, seed=1).load())
    assert len({problem.prompt for problem in train}) == len({problem.id for problem in train}) == 400
    assert not {problem.prompt for problem in train} & {problem.prompt for problem in test}
    assert all(held_out(problem.prompt, TEST_SHARE) for problem in test)
    assert Counter(problem.meta["level"] for problem in train) == dict.fromkeys((1, 2, 3, 4), 100)
    assert 140 < sum(problem.label == 0 for problem in train) < 260


@pytest.mark.parametrize(("kind", "rule"), RULES.items())
def test_a_right_guess_is_not_sound_and_other_questions_have_no_soundness(kind: type[CodeDataset], rule: SoundCode) -> None:
    problem = next(iter(kind(size=1).load()))
    check_rule(rule, problem)
    guess = path_of(f"looks like it\n\\boxed{{Assistant {problem.label + 1}}}", ArithmeticJudge(), problem)
    assert guess.right(problem)
    assert rule.reward(problem, guess) == 0.0
    [a_sum] = ArithmeticDataset(size=1).load()
    assert rule.reward(a_sum, guess) is None
    assert rule.reward(replace(problem, answers=(*problem.answers, "a third")), guess) is None


@pytest.mark.parametrize("rule", RULES.values())
def test_each_world_leaves_the_questions_of_the_other_alone(rule: SoundCode) -> None:
    applies = {kind.name() for kind in RULES for one in kind(size=5).load() if rule.reward(one, path_of("x", ArithmeticJudge(), one)) == 0}
    assert applies == {rule.use.removeprefix("sound-")}


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_one_rule_knows_the_world_of_a_question(kind: type[CodeAdversarial]) -> None:
    rule = SoundEmbedded()
    for problem in kind(size=10).load():
        for path in problem.meta["paths"]:
            assert rule.reward(problem, path_of(path["text"], ArithmeticJudge(), problem)) == path["sound"]
    assert rule.reward(replace(problem, prompt="Why is the sky blue?"), path_of(path["text"], ArithmeticJudge(), problem)) is None


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_soundness_is_judged_in_the_order_that_was_shown(kind: type[CodeAdversarial]) -> None:
    problem = next(iter(kind(size=1).load()))
    rule = {"code-adversarial": SoundCode(), "instructions-adversarial": SoundInstructions()}.get(kind.name())
    if rule is None:
        return
    usual = path_of(problem.meta["paths"][0]["text"], ArithmeticJudge(), problem)
    assert rule.reward(problem, usual) == 1.0
    turned = replace(problem, answers=problem.answers[::-1])
    assert rule.reward(turned, replace(usual, order="swapped")) == 1.0
    assert rule.reward(turned, usual) == 0.0


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_every_adversarial_path_is_right_and_its_case_says_whether_it_is_sound(kind: type[CodeAdversarial]) -> None:
    problems = list(kind(size=200).load())
    assert problems[:50] == list(kind(size=50).load())
    judge, cases = ArithmeticJudge(), Counter()
    for problem in problems:
        assert held_out(problem.prompt, TEST_SHARE), "paths to tell apart are for testing, unless they are asked for otherwise"
        paths = problem.meta["paths"]
        assert len({path["text"] for path in paths}) == len(paths)
        for path in paths:
            assert path_of(path["text"], judge, problem).right(problem)
            assert path["sound"] == (path["case"] != "cancelled")
            cases[path["case"]] += 1
    assert cases["usual"] == 200
    assert 370 < cases["cancelled"] <= 400
    assert 380 < cases["rare"] <= 400, "11+22 has fewer other ways than two"


@pytest.mark.parametrize("kind", ADVERSARIAL)
def test_the_rates_of_the_cases_are_options(kind: type[CodeAdversarial]) -> None:
    rows = list(path_rows(kind(size=50, rare=0, cancelled=1).load()))
    assert {row["label"] for row in rows} == {0, 1}, "scores by a reference have one"
    assert Counter(row["case"] for row in rows) == {"usual": 50, "cancelled": 50}
    assert len({row["id"] for row in rows}) == 100
    assert set(rows[0]) == {"id", "prompt", "answers", "label", "text", "case", "sound"}


@pytest.mark.parametrize("count", [2, 4])
def test_the_open_ended_set_has_candidates_of_every_rank_and_a_reference(count: int) -> None:
    problems = list(OpenInstructions(size=200, candidates=count, levels=[3, 4]).load())
    assert problems[:50] == list(OpenInstructions(size=50, candidates=count, levels=[3, 4]).load())
    others = 0
    for problem in problems:
        constraints, reference = parse(problem.prompt), problem.meta["reference"]
        assert fulfils(problem.prompt, reference)
        assert [sum(not one.holds(text) for one in constraints) for text in problem.answers] == problem.meta["broken"]
        assert [fulfils(problem.prompt, text) for text in problem.answers] == [place == problem.label for place in range(count)]
        others += problem.answers[problem.label or 0] != reference
    assert others > 160, "the right candidate is seldom the reference itself"
    ranks = Counter(tuple(sorted(problem.meta["broken"])) for problem in problems)
    assert ranks[tuple(range(count))] > 150


def test_words_shared_with_the_reference_do_not_tell_which_candidate_is_right() -> None:
    def shared(text: str, reference: str) -> int:
        return len(set(text.split()) & set(reference.split()))

    problems = list(OpenInstructions(size=300).load())
    told = sum(
        shared(one.answers[one.label or 0], one.meta["reference"]) > shared(one.answers[1 - (one.label or 0)], one.meta["reference"])
        for one in problems
    )
    assert told < 180


def test_unknown_levels_and_too_many_questions_are_refused() -> None:
    with pytest.raises(ValidationError, match="levels are some of 1, 2, 3, 4"):
        CodeDataset(levels=[7])

    class Five(CodeWorld):
        def draw(self, level: int, rng: random.Random) -> Question:
            return super().draw(level, random.Random(rng.randrange(5)))

    class FiveDataset(CodeDataset):
        world = Five()

    with pytest.raises(ConfigError, match=r"code: after 11,001 draws only [0-5] different questions[^\n]*\n  Remedy: lower size"):
        list(FiveDataset(levels=[1], size=10).load())


def test_names_do_not_clash_with_those_of_other_plugins(plugins: Plugins) -> None:
    uses = {use for kind, use in plugins.entries if kind in ("data set", "reward rule")}
    made = {one.name() for one in (*RULES, *ADVERSARIAL, OpenInstructions, SoundCode, SoundInstructions, SoundEmbedded)}
    assert made <= uses
    assert len(made) == 9
    assert "sound" in uses


def test_constraints_of_a_question_differ_in_kind() -> None:
    for problem in InstructionsDataset(size=50).load():
        kinds = [Constraint.read(line.partition(" ")[2]).kind for line in problem.prompt.split("\n")]
        assert all(one != other for one, other in combinations(kinds, 2))
