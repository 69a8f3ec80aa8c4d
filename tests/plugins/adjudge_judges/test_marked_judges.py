"""Judges that state their verdict as a mark: what they ask, what they read, and that no cut text has a verdict that was not written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, Judge, Outcome, Plugins, Problem, read_verdict
from adjudge.testing import check_judge
from adjudge_judges import ArenaHard, BestResponse, LlmBar, MtBench, RmR1, best_letter

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"
RESULT = ROOT / "benchmarks" / "results" / "verdict_parsing.json"
JUDGES = [RmR1(), RmR1(form="reasoning"), MtBench(), ArenaHard(), LlmBar(), BestResponse()]
WRITTEN = {
    "rm-r1": ("<answer>[[A]]</answer>", "<answer>[[B]]</answer>"),
    "mt-bench": ("[[A]]", "[[B]]"),
    "arena-hard": ("[[A>>B]]", "[[B>A]]"),
    "llmbar": ("Therefore, Output (a) is better.", "Therefore, Output (b) is better."),
    "best-response": ("Best Response: [A]", "**Best Response: B**"),
}
PIECES = [mark for marks in WRITTEN.values() for mark in marks]
PIECES += [
    "[[C]]",
    "[[A",
    "]]",
    "[[A=B]]",
    "<answer>",
    "</think>",
    "<think>",
    "Therefore, ",
    "Output (a)",
    "Best Response",
    ": ",
    "B",
    ".",
    "\n",
    "é",
]
anything = st.text() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
every_judge = pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: f"{judge.use}-{getattr(judge, 'form', '')}")
realdata = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent: recorded judgements cannot be read")


@every_judge
def test_keeps_the_promises_of_a_judge_and_is_found_by_its_name(judge: Judge) -> None:
    first, second = WRITTEN[judge.use]
    check_judge(judge, f"It is so. {first}", Outcome.FIRST)
    check_judge(judge, f"It is so. {second}", Outcome.SECOND)
    assert Plugins.load(autoload=False).pick(Judge, judge.use) is type(judge)


@every_judge
def test_the_prompt_names_the_form_of_the_verdict_and_swaps_the_answers(judge: Judge) -> None:
    one, other = Problem("p", "Q {x} $query", ("AAA $answer2", "BBB")), Problem("p", "Q {x} $query", ("BBB", "AAA $answer2"))
    assert judge.prompt(one, "swapped") == judge.prompt(other, "given")
    text = "\n".join(turn["content"] for turn in judge.prompt(one, "given"))
    assert text.index("Q {x} $query") < text.index("AAA $answer2") < text.index("BBB")
    assert re.search(r"\[\[A|Output \(a\) is better\.|Best Response: \[", text)


def test_rm_r1_lays_down_its_steps_or_leaves_a_reasoning_model_to_think() -> None:
    problem = Problem("p", "Q", ("AAA", "BBB"))
    instruct, reasoning = RmR1().prompt(problem, "given"), RmR1(form="reasoning").prompt(problem, "given")
    assert [turn["role"] for turn in instruct] == ["system", "user"]
    assert [turn["role"] for turn in reasoning] == ["user"]
    for tag in ("<type>", "<solution>", "<rubric>", "<justify>", "<eval>"):
        assert tag in instruct[0]["content"]
        assert tag not in reasoning[0]["content"]


@pytest.mark.parametrize(
    ("judge", "text", "outcome"),
    [
        (RmR1(), "<eval>[[A]] would be wrong</eval>\n<answer>[[B]]</answer>\n</answer>", Outcome.SECOND),
        (RmR1(), "so [[A]]", Outcome.FIRST),
        (RmR1(), "<answer>[[A]]</answer> or <answer>[[B]]</answer>", Outcome.UNREADABLE),
        (RmR1(), "I would say <answer>[[A]]</answer> …\n</think>\n\n<answer>[[B]]</answer>", Outcome.SECOND),
        (RmR1(), "<think><answer>[[A]]</answer>", Outcome.UNREADABLE),
        (MtBench(), "Final Verdict: [[C]]", Outcome.TIE),
        (MtBench(), "[[A]] if A is better, [[B]] if B is", Outcome.UNREADABLE),
        (MtBench(), "[[A]], that is [[A]]", Outcome.FIRST),
        (MtBench(), "[A]", Outcome.UNREADABLE),
        (ArenaHard(), "My final verdict is tie: [[A=B]]", Outcome.TIE),
        (ArenaHard(), "[[B>>A]]", Outcome.SECOND),
        (ArenaHard(), "[[A>B]] no: [[A>>B]]", Outcome.FIRST),
        (ArenaHard(), "[[A<B]]", Outcome.UNREADABLE),
        (LlmBar(), "Therefore, by the rules, Output (b) is better because it answers.", Outcome.SECOND),
        (LlmBar(), "Therefore, Output (a) is better", Outcome.FIRST),
        (LlmBar(), "Therefore, Output (a) is better in style. Therefore, Output (b) is better.", Outcome.SECOND),
        (LlmBar(), "Output (a) is better.", Outcome.FIRST),
        (BestResponse(), "the best response is (B) because", Outcome.SECOND),
        (BestResponse(), "Best Response: [[letter]]", Outcome.UNREADABLE),
        (BestResponse(), "Best Response: A diagram of", Outcome.UNREADABLE),
        (BestResponse(), "Best Response: A", Outcome.FIRST),
        (BestResponse(), "Best Response: A\nbecause", Outcome.FIRST),
        (BestResponse(), "Best Response: [D]", Outcome.UNREADABLE),
        (BestResponse(), "Best Response: [A] … Best Response: [B]", Outcome.UNREADABLE),
    ],
)  # fmt: skip
def test_reads_the_verdict_that_is_stated_and_no_other(judge: Judge, text: str, outcome: Outcome) -> None:
    assert judge.parse(text).outcome == outcome


def test_the_best_of_many_has_a_letter_and_a_place() -> None:
    assert best_letter("so **Best Response: D**.") == ("D", (5, 21))
    assert best_letter("none") is None


@given(text=anything)
def test_parsers_never_raise_and_their_spans_lie_inside_the_text(text: str) -> None:
    for judge in JUDGES:
        verdict = judge.parse(text)
        assert verdict.outcome.decided == (verdict.answer is not None)
        for start, stop in filter(None, (verdict.reasoning, verdict.answer)):
            assert 0 <= start <= stop <= len(text)


@every_judge
def test_a_verdict_that_is_not_complete_is_none(judge: Judge) -> None:
    mark = WRITTEN[judge.use][0]
    complete = next(end for end in range(len(mark) + 1) if judge.parse(mark[:end]).outcome.decided)
    shortest = {"rm-r1": "<answer>[[A]]", "llmbar": "Therefore, Output (a) is better"}
    assert mark[:complete] == shortest.get(judge.use, mark)


@every_judge
def test_a_text_that_ran_into_the_limit_is_truncated_whatever_it_says(judge: Judge) -> None:
    assert read_verdict(judge, Completion(WRITTEN[judge.use][0], truncated=True)).outcome == Outcome.TRUNCATED


def test_what_is_committed_has_no_verdict_that_was_not_written() -> None:
    found = json.loads(RESULT.read_text(encoding="utf-8"))
    assert len(found["sources"]) >= 11
    for one in found["sources"].values():
        assert one["cuts"]["pieces"] > 1000
        assert one["cuts"]["premature"] == 0
        # "Best Response: B", cut out of "Both": a piece that nobody is given, for what ran into its limit is truncated.
        assert one["cuts"]["invented"] <= one["cuts"]["pieces"] / 5000
    assert set(found["truncated"]["verdicts"].values()) == {0}


# Texts of real judges -----------------------------------------------------------------------------------------------------


@pytest.fixture
def parsing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that measures the parsers."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return __import__("verdict_parsing")


@realdata
@pytest.mark.realdata
def test_real_texts_are_read_as_the_committed_result_says(parsing: ModuleType) -> None:
    committed = json.loads(RESULT.read_text(encoding="utf-8"))["sources"]
    for source in parsing.sources():
        outcomes = [parsing.read(source, one.text) for one in source.texts]
        assert sum(outcome != "unreadable" for outcome in outcomes) / len(outcomes) == pytest.approx(committed[source.name]["read"])


@realdata
@pytest.mark.realdata
def test_rm_r1s_whole_outputs_are_read_as_its_authors_did_and_none_of_their_beginnings_is(parsing: ModuleType) -> None:
    source = next(parsing.sources())
    assert len(source.texts) == 16
    for one in source.texts:
        verdict = source.judge.parse(one.text)
        assert verdict.outcome.value == one.recorded
        start, stop = one.text.find("<answer>"), one.text.find("</answer>") + len("</answer>")
        assert (verdict.answer or (0, 0))[0] == start
        ends = [
            *range(0, start, 5),
            *range(start, stop - len("</answer>")),
        ]  # what was read before the answer would be read a word later too
        assert not any(source.judge.parse(one.text[:end]).outcome.decided for end in ends)


@realdata
@pytest.mark.realdata
def test_outputs_that_end_before_their_verdict_have_none(parsing: ModuleType) -> None:
    found = parsing.truncated()
    assert found["texts"] == 2985
    assert set(found["verdicts"].values()) == {0}
