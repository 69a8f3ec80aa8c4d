"""Scorers for which the model reads more than the path: by hand with a session of known numbers, and with the embedded judge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import (
    Completion,
    ConfigError,
    OpenJudge,
    Outcome,
    PathScorer,
    Problem,
    ReasoningPath,
    Score,
    open_judge,
    read_verdict,
    score_paths,
)
from adjudge_arithmetic import ArithmeticDataset
from adjudge_judges import ArithmeticJudge
from adjudge_scorers import (
    LocalLogprob,
    LongPpl,
    PathGain,
    PTrue,
    ReferenceLikelihood,
    ReferenceLogprob,
    ReferencePerplexity,
    ReferenceProbability,
    VerdictMargin,
)
from adjudge_scorers.passes import steps_of

PAIR = Problem("p", "3+4", ("7", "8"), label=0)
JUDGE = ArithmeticJudge()
TEXT = "so 7. and 8?\nno \\boxed{Assistant 1}"


class Letters:
    """A session of one-letter tokens: what a token is worth depends on the letter and on what stands before it, as a test says."""

    def __init__(self, logprob: Any) -> None:
        self.logprob = logprob
        self.asked: list[tuple[str, str]] = []

    def logprobs(self, prompt: Any, continuations: Sequence[Sequence[int]]) -> list[list[float]]:
        texts = ["".join(map(chr, ids)) for ids in continuations]
        self.asked += [(prompt[-1]["content"], text) for text in texts]
        return [[self.logprob(prompt, text, place) for place in range(len(text))] for text in texts]

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        return Completion(text, (*map(ord, text), 0), (*range(1, len(text) + 1), -1))


def path(text: str = TEXT, logprob: float = -0.5) -> ReasoningPath:
    made = Completion(text, (*map(ord, text), 0), (*range(1, len(text) + 1), -1), (logprob,) * (len(text) + 1))
    return ReasoningPath("one", "p", "given", 0, made, read_verdict(JUDGE, made))


def scored(scorer: PathScorer, session: Any, problem: Problem = PAIR, one: ReasoningPath | None = None) -> Score:
    [score] = score_paths(scorer, problem, [one or path()], session, JUDGE)
    return score


def test_the_margin_is_read_where_the_verdicts_part() -> None:
    session = Letters(lambda prompt, text, place: {"1": -0.25, "2": -1.75}.get(text[place], -9.0))
    score = scored(VerdictMargin(), session)
    assert score.value == pytest.approx(1.5)
    assert score.parts == {"stated": -0.25, "other": -1.75}
    assert sorted(text[-1] for _, text in session.asked) == ["1", "2"], "one token more than what both have in common"
    assert all(text.startswith("so 7.") for _, text in session.asked)
    turned = path(TEXT.replace("Assistant 1", "Assistant 2"))
    assert scored(VerdictMargin(), session, one=turned).value == pytest.approx(-1.5), "the path names what the model holds for less likely"
    assert scored(VerdictMargin(), session, one=path("nothing")).value is None


def test_steps_are_sentences_and_lines_and_each_is_read_behind_the_last_ones() -> None:
    assert ["".join(map(chr, step)) for step in steps_of(path())] == ["so 7.", " and 8?\n", "no "]
    session = Letters(lambda prompt, text, place: -1.0 if place else -3.0)
    value = scored(LocalLogprob(window=0), session).value
    assert value == pytest.approx(-((3 + 4) / 5 + (3 + 7) / 8 + (3 + 2) / 3) / 3)
    assert [text for _, text in session.asked] == ["so 7.", " and 8?\n", "no "]
    session.asked.clear()
    assert scored(LocalLogprob(window=1), session).value == pytest.approx(-((3 + 4) / 5 + 1 + 1) / 3)
    assert [text for _, text in session.asked] == ["so 7.", "so 7. and 8?\n", " and 8?\nno "]


def test_what_the_path_adds_to_its_verdict() -> None:
    session = Letters(lambda prompt, text, place: -0.1 if text.startswith("so") else -0.6)
    score = scored(PathGain(), session)
    assert score.value == pytest.approx(0.5)
    assert [text for _, text in session.asked] == [TEXT, "\\boxed{Assistant 1}"]


def test_the_model_is_asked_about_its_judgement() -> None:
    session = Letters(lambda prompt, text, place: {"yes": -0.1, "no": -1.0}[text])
    value = scored(PTrue(question="Right?"), session).value
    assert value == pytest.approx(math.exp(-0.3) / (math.exp(-0.3) + math.exp(-2.0)))
    assert session.asked == [("Right?", "yes"), ("Right?", "no")]


def test_key_tokens_are_those_that_the_answers_explain() -> None:
    """Of the reasoning, digits are likely with the answers in view and not without; all else is likely either way."""

    def worth(prompt: Any, text: str, place: int) -> float:
        shown = "1:7" in prompt[0]["content"]
        return (-0.5 if shown else -5.0) if text[place] in "78" else -0.1

    score = scored(LongPpl(), Letters(worth))
    assert score.value == pytest.approx(-math.exp(0.5))
    assert score.parts == {"key_tokens": 2.0}
    assert scored(LongPpl(), Letters(lambda prompt, text, place: -0.1)).value is None


NATS = st.floats(-20, 0)


@given(NATS, NATS)
def test_turned_round_a_score_by_two_readings_is_its_opposite(one: float, other: float) -> None:
    """The margin with the other verdict, the gain with what is likely before and after exchanged, P(true) with yes for no."""

    def gain(with_path: float, without: float) -> float | None:
        return scored(PathGain(), Letters(lambda prompt, text, place: with_path if text.startswith("so") else without)).value

    def believed(yes: float, no: float) -> float | None:
        return scored(PTrue(yes="y", no="n"), Letters(lambda prompt, text, place: {"y": yes, "n": no}[text])).value

    verdicts = Letters(lambda prompt, text, place: {"1": one, "2": other}.get(text[place], -9.0))
    turned = path(TEXT.replace("Assistant 1", "Assistant 2"))
    assert scored(VerdictMargin(), verdicts).value == pytest.approx(one - other)
    assert scored(VerdictMargin(), verdicts, one=turned).value == pytest.approx(other - one)
    assert gain(one, other) == pytest.approx(one - other)
    assert gain(other, one) == pytest.approx(other - one)
    share, opposite = believed(one, other), believed(other, one)
    assert share is not None
    assert opposite is not None
    assert 0 <= share <= 1
    assert share + opposite == pytest.approx(1)
    assert share >= 0.5 or one < other


@given(st.lists(NATS, min_size=len(TEXT), max_size=len(TEXT)), st.integers(0, 4), st.data())
def test_likelier_steps_never_score_worse_and_stay_below_0(nats: list[float], window: int, data: st.DataObject) -> None:
    """A token's number depends on the letter, so that it is the same in every view of a step."""
    letter, worth = data.draw(st.sampled_from(TEXT)), dict(zip(TEXT, nats, strict=True))
    likelier = {**worth, letter: worth[letter] / 2}
    low = scored(LocalLogprob(window=window), Letters(lambda prompt, text, place: worth[text[place]])).value
    high = scored(LocalLogprob(window=window), Letters(lambda prompt, text, place: likelier[text[place]])).value
    assert low is not None
    assert high is not None
    assert min(worth.values()) - 1e-9 <= low <= high + 1e-9 <= 2e-9


@given(NATS, NATS)
def test_key_tokens_have_a_perplexity_of_1_at_least(shown: float, hidden: float) -> None:
    score = scored(LongPpl(), Letters(lambda prompt, text, place: shown if "1:7" in prompt[0]["content"] else hidden))
    explained = shown - hidden > 2 and shown > -2
    assert (score.value is not None) == explained
    assert score.value is None or -math.exp(2) <= score.value <= -1


# References ---------------------------------------------------------------------------------------------------------------


def after(prompt: Any, text: str, place: int) -> float:
    """Nats of a token in the place of the verdict: a quarter after a path, and one without."""
    return -0.25 if text.startswith("so") else -1.0


WITH_TEXT = replace(PAIR, label=None, meta={"reference": "seven"})


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        (ReferenceProbability(), math.exp(-0.25) - math.exp(-1)),
        (ReferenceProbability(debiased=False), math.exp(-0.25)),
        (ReferenceLogprob(), -0.25),
        (ReferenceLogprob(total=True), -1.25),
        (ReferenceLikelihood(), math.exp(-1.25)),
        (ReferencePerplexity(), -math.exp(0.25 / (1 + math.log10(len("so 7. and 8?\nno "))))),
    ],
    ids=lambda value: value.use if isinstance(value, PathScorer) else "",
)
def test_references_by_hand(scorer: PathScorer, expected: float) -> None:
    session = Letters(after)
    assert scored(scorer, session, WITH_TEXT).value == pytest.approx(expected)
    assert session.asked[0][1] == "so 7. and 8?\nno seven", "in the answer's place"


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("order", ["given", "swapped"])
def test_where_no_text_is_given_the_labelled_verdict_is_the_reference(label: int, order: Any) -> None:
    session = Letters(after)
    scored(ReferenceLogprob(), session, replace(PAIR, label=label), replace(path(), order=order))
    right = label + 1 if order == "given" else 2 - label
    assert session.asked[0][1].endswith(f"\\boxed{{Assistant {right}}}")
    assert scored(ReferenceLogprob(), session, replace(PAIR, label=None)).value is None, "nothing to hold it against"


@given(st.floats(-20, 0), st.floats(-20, 0))
def test_bounds_and_monotony_of_references(with_path: float, without: float) -> None:
    session = Letters(lambda prompt, text, place: with_path if text.startswith("so") else without)
    worse = Letters(lambda prompt, text, place: with_path - 1 if text.startswith("so") else without)
    bounds: list[tuple[PathScorer, float, float]] = [
        (ReferenceProbability(), 0, 1), (ReferenceProbability(debiased=False), 0, 1), (ReferenceLikelihood(), 0, 1),
        (ReferenceLogprob(), -math.inf, 0), (ReferenceLogprob(total=True), -math.inf, 0), (ReferencePerplexity(), -math.inf, -1),
    ]  # fmt: skip
    for scorer, least, most in bounds:
        value, less = (scored(scorer, one, WITH_TEXT).value for one in (session, worse))
        assert value is not None
        assert less is not None
        assert least <= value <= most
        assert less <= value


def test_a_scorer_that_writes_prompts_says_that_it_needs_the_judge() -> None:
    for scorer in (VerdictMargin(), LocalLogprob(), PathGain(), PTrue(), LongPpl(), ReferenceLogprob()):
        with pytest.raises(ConfigError, match=rf"'{scorer.use}' writes prompts, so it has to know the judge"):
            score_paths(scorer, PAIR, [path()], Letters(after))  # type: ignore[arg-type]


# The embedded judge -------------------------------------------------------------------------------------------------------


PROBLEM = next(iter(ArithmeticDataset(size=1, levels=[1], part="test").load()))


def sampled(judge: OpenJudge) -> list[ReasoningPath]:
    [verdict] = judge.judge([PROBLEM])
    return [path for path in verdict.paths if path.outcome.decided]


def test_the_embedded_judge_can_be_asked_all_of_it(embedded: FilePath) -> None:
    """Its own path: margin and gain agree with its log-probabilities, the labelled verdict with its answer's."""
    with open_judge(str(embedded), engine="hf") as judge:
        asked_all(judge)


def asked_all(judge: OpenJudge) -> None:
    [path, *_] = sampled(judge)
    labelled = replace(PROBLEM, label=(Outcome.FIRST, Outcome.SECOND).index(path.outcome))
    values = {
        scorer.use: judge.score_read(labelled, [path], scorer)[0][1]
        for scorer in (VerdictMargin(), LocalLogprob(), PathGain(), LongPpl(gain=0.1), ReferenceLikelihood(), ReferenceLogprob(total=True))
    }
    answer = path.answer_logprobs
    assert answer is not None
    assert values["path-gain"].parts["after"] == pytest.approx(sum(answer) / len(answer), abs=1e-4)
    assert values["reference-logprob"].value == pytest.approx(sum(answer), abs=1e-4), "the labelled verdict is its own"
    assert values["reference-likelihood"].value == pytest.approx(math.exp(sum(answer)), abs=1e-4)
    assert (values["verdict-margin"].value or 0) != 0
    assert (values["local-logprob"].value or 1) < 0
    wrong = replace(labelled, label=1 - (labelled.label or 0))
    other = judge.score_read(wrong, [path], ReferenceLogprob(total=True))[0][1].value
    margin = values["verdict-margin"]
    assert other is not None
    assert (margin.value > 0) == (sum(answer) > other), "the verdicts differ in one token alone"


class Narrow(Letters):
    """Its alphabet has no snowman."""

    def tokenize(self, text: str, token_ids: Sequence[int] = ()) -> Completion:
        return super().tokenize(text.replace("☃", "?"))


def test_a_text_outside_the_models_alphabet_is_told() -> None:
    with pytest.raises(ConfigError, match="the model's tokenizer cannot write 'ja!☃'"):
        scored(PTrue(yes="ja!☃"), Narrow(after))
