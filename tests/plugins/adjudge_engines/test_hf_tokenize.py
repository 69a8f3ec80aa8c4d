"""Texts as tokens: the `hf` session's tokens of a judgement that was written elsewhere, and where each of them ends."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path as FilePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adjudge import Session
from adjudge_engines import HfEngine

TEXT = "3+1+0=04\n2+7+0=09\nsum 94\n1 95 no\n2 94 yes\n\\boxed{Assistant 2}"
STORIES = FilePath(__file__).parents[4] / "shared" / "data" / "stories260K" / "hf"


@pytest.fixture(scope="module")
def session(embedded: FilePath) -> Iterator[Session]:
    with HfEngine().open(embedded) as opened:
        yield opened


def test_a_text_becomes_its_tokens_and_an_end_of_turn(session: Session) -> None:
    made = session.tokenize(TEXT)
    assert (made.text, made.logprobs, made.truncated) == (TEXT, None, False)
    assert (made.token_ends[-1], made.token_ends[-2]) == (-1, len(TEXT))
    ended = session.tokenize(TEXT + "<|im_end|>")
    assert (ended.text, ended.token_ids) == (TEXT, made.token_ids), "an end of turn that stands there already is not doubled"
    assert session.tokenize("").token_ids == made.token_ids[-1:]


def test_tokens_that_write_the_text_are_kept_and_others_are_not(session: Session) -> None:
    made = session.tokenize(TEXT)
    letters = tuple(token for character in TEXT for token in session.tokenize(character).token_ids[:-1])
    spelt = (*letters, made.token_ids[-1])
    assert spelt != made.token_ids
    kept = session.tokenize(TEXT, spelt)
    assert kept.token_ids == spelt
    assert kept.token_ends == (*range(1, len(TEXT) + 1), -1)
    for foreign in ((10**6,), (-1,), made.token_ids[1:], ()):
        assert session.tokenize(TEXT, foreign) == made


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\ufffd", exclude_categories=["Cs", "Cc"]), max_size=30))
def test_the_text_is_what_the_tokens_write(session: Session, text: str) -> None:
    """The tokenizer composes characters, so the text may be another spelling of the one given; the ends point into that one."""
    made = session.tokenize(text)
    assert made.text == unicodedata.normalize("NFC", text)
    shown = [end for end in made.token_ends if end >= 0]
    assert shown == sorted(shown)
    assert shown[-1:] == ([len(made.text)] if text else [])
    assert session.tokenize(made.text, made.token_ids) == made


@pytest.mark.realdata
def test_a_tokenizer_that_writes_a_space_of_its_own() -> None:
    """Sentencepiece puts a space before the first word and takes it away again; the ends must not be off by it."""
    if not STORIES.is_dir():
        pytest.skip("../shared/data is absent: no model of stories")
    with HfEngine().open(STORIES) as session:
        made = session.tokenize("Once upon a time \\boxed{Assistant 1}")
        assert made.text == "Once upon a time \\boxed{Assistant 1}"
        assert made.token_ends[-2:] == (len(made.text), -1)
        (values,) = session.logprobs([{"role": "user", "content": "A story."}], [made.token_ids])
        assert len(values) == len(made.token_ids)
