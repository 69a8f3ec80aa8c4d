"""Constraints on short texts: their evidence, which texts fulfil them, and how false evidence turns them round."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge_worlds.constraints import KINDS, WORDS, Constraint, draw_constraint, edited

seeds = st.integers(0, 2**32)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=7, unique=True)
kinds = st.sampled_from(KINDS)


@pytest.mark.parametrize(
    ("constraint", "text", "evidence", "holds"),
    [
        ("3 words", "fox sun cat", "3", True),
        ("3 words", "fox sun", "2", False),
        ("with fox", "sun fox", "fox", True),
        ("with fox", "sun cat", "none", False),
        ("with fox", "foxes", "none", False),
        ("fox before sun", "cat fox red sun", "fox sun", True),
        ("fox before sun", "sun fox", "sun fox", False),
        ("fox before sun", "cat sun", "sun", False),
        ("fox before sun", "cat", "none", False),
        ("without e", "fox sun", "none", True),
        ("without e", "fox red sea", "red", False),
        ("starts f", "fox sun", "fox", True),
        ("starts n", "", "none", False),
        ("starts f", "sun fox", "sun", False),
        ("ends sun", "fox sun", "sun", True),
        ("ends sun", "sun fox", "fox", False),
    ],
)
def test_every_kind(constraint: str, text: str, evidence: str, holds: bool) -> None:
    read = Constraint.read(constraint)
    assert str(read) == constraint
    assert read.evidence(text) == evidence
    assert read.holds(text) is read.holds_by(evidence) is holds


@given(texts, kinds, seeds)
def test_a_constraint_drawn_for_a_text_holds_for_it(words: list[str], kind: str, seed: int) -> None:
    if kind == "before" and len(words) < 2:
        return
    drawn = draw_constraint(kind, words, random.Random(seed))
    if drawn is None:
        assert all(any(vowel in one for one in words) for vowel in "aeiou")
        return
    assert drawn.kind == kind
    assert drawn.holds(" ".join(words))
    assert Constraint.read(str(drawn)) == drawn


@given(texts, texts, kinds, seeds)
def test_false_evidence_is_false_and_turns_the_constraint_round(words: list[str], others: list[str], kind: str, seed: int) -> None:
    rng = random.Random(seed)
    drawn = draw_constraint(kind, words if len(words) > 1 else [*words, *{"fox", "sun"} - set(words)], rng)
    if drawn is None:
        return
    text = " ".join(others)
    mistaken = drawn.mistaken(text, rng)
    assert mistaken != drawn.evidence(text)
    assert drawn.holds_by(mistaken) != drawn.holds(text)


@given(texts, seeds)
def test_an_edit_keeps_words_different_and_changes_at_most_two(words: list[str], seed: int) -> None:
    changed = edited(words, random.Random(seed))
    assert changed
    assert len(set(changed)) == len(changed)
    assert set(changed) <= set(WORDS)
    assert len(set(changed) ^ set(words)) <= 2
    assert abs(len(changed) - len(words)) <= 1


@pytest.mark.parametrize("text", ["", "words", "4 words or so", "with", "fox before", "without ee", "ends SUN", "４ letters"])
def test_other_texts_are_no_constraints(text: str) -> None:
    with pytest.raises(ValueError, match="is no constraint"):
        Constraint.read(text)
