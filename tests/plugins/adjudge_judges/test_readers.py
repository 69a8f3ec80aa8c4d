"""Every reader in every situation: it reads what a person reads, invents nothing, and says where in the text it stands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adjudge import Judge, Outcome
from adjudge_judges import end_of_thinking

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "benchmarks"))
from further_situations import HELD_OUT, OTHER_WORDS  # noqa: E402
from verdict_situations import FORMATS, SITUATIONS, Format, Situation, written  # noqa: E402

sys.path.remove(str(ROOT / "benchmarks"))
RESULT = ROOT / "benchmarks" / "results" / "readers.json"
every_format = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.judge.use)
every_judge = pytest.mark.parametrize("judge", [form.judge for form in FORMATS], ids=lambda judge: judge.use)
WORDS = [
    "not ",
    "never ",
    "if ",
    "or ",
    "wait, ",
    "final verdict: ",
    "so ",
    '"',
    "`",
    "```\n",
    "> ",
    "<think>",
    "</think>",
    "\n",
    "\r\n",
    "**",
]
PIECES = [
    *WORDS,
    *(piece for form in FORMATS for piece in (form.first, form.second, form.never, form.instructions)),
    "【【A】】",
    "\\text{",
]
anything = st.text() | st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=14).map("".join)


@pytest.mark.parametrize("winner", ["first", "second"])
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
@every_format
def test_a_text_is_read_as_a_person_reads_it(form: Format, situation: Situation, winner: str) -> None:
    text = written(situation, form, winner)
    if text is None:
        pytest.skip("the format has no such text")
    assert form.judge.parse(text).outcome.value == (winner if situation.stated else "unreadable")


@pytest.mark.parametrize("situation", OTHER_WORDS + HELD_OUT, ids=lambda situation: situation.name)
@every_format
def test_other_words_for_the_same_situations_change_nothing(form: Format, situation: Situation) -> None:
    for winner in ("first", "second"):
        text = written(situation, form, winner)
        assert text is not None
        assert form.judge.parse(text).outcome.value == (winner if situation.stated else "unreadable")


def test_there_are_43_situations_with_names_of_their_own() -> None:
    assert len({situation.name for situation in SITUATIONS}) == len(SITUATIONS) == 43


@every_judge
@given(text=anything)
def test_no_text_is_an_error_and_spans_lie_inside_it(judge: Judge, text: str) -> None:
    verdict = judge.parse(text)
    assert verdict.outcome.decided == (verdict.answer is not None) == (verdict.reasoning is not None)
    if verdict.answer is not None:
        start, stop = verdict.answer
        assert verdict.reasoning == (0, start)
        assert end_of_thinking(text) <= start < stop <= len(text)


@every_judge
@given(text=anything, space=st.text("\n\t \u00a0", max_size=6))
def test_space_at_the_end_and_line_ends_of_windows_change_nothing(judge: Judge, text: str, space: str) -> None:
    text = text.replace("\r", "")
    outcome = judge.parse(text).outcome
    assert judge.parse(text.rstrip() + space).outcome == judge.parse(text.rstrip()).outcome
    assert judge.parse(text.replace("\n", "\r\n")).outcome == outcome


@every_format
@given(
    thought=anything.filter(lambda text: not end_of_thinking(text)), mark=st.sampled_from(["<think>", "[THINK]", "<seed:think>", "◁think▷"])
)
@example(thought="", mark="<think>")
@settings(max_examples=40)
def test_thinking_that_was_not_ended_has_no_verdict(form: Format, thought: str, mark: str) -> None:
    assert form.judge.parse(f"{mark}{thought}\n{form.first}\n").outcome == Outcome.UNREADABLE


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("mt-bench", r"\[\[A\]\]", "first"),
        ("mt-bench", "【【 B 】】", "second"),
        ("mt-bench", "[[Tie]]", "tie"),
        ("mt-bench", r"So \boxed{A}", "first"),
        ("mt-bench", r"The right option is \boxed{A}, and both found it.", "unreadable"),
        ("mt-bench", "Final verdict: [[C]] for a tie.", "tie"),
        ("mt-bench", "[[A]] or rather [[B]]", "second"),
        ("mt-bench", "~~[[A]]~~ [[B]]", "second"),
        ("arena-hard", "[[A&gt;B]]", "first"),
        ("arena-hard", "[[A≫B]]", "first"),
        ("arena-hard", "[B > A]", "second"),
        ("arena-hard", "[[B=A]]", "tie"),
        ("arena-hard", "A's answer: [[A>B]]\n\nB's answer has a slip. My verdict: [[B>A]]", "unreadable"),
        ("arena-hard", "Better than my own answer: [[B>A]]\n\nMy final verdict is that A is slightly better: [[A>B]]", "first"),
        ("arena-hard", '**Final Verdict:** "Assistant B is better: [[B>>A]]".', "second"),
        ("rm-r1", "<answer>B</answer>", "second"),
        ("rm-r1", "<solution>So <answer>B</answer></solution> <answer>[[A]]</answer>", "first"),
        ("rm-r1", "reasons <answer>[[A]]", "first"),
        ("rm-r1", "<quote_A>[[B]]</quote_A> I cannot decide.", "unreadable"),
        ("rrm", r"\boxed{\mathrm{Assistant\ 1}}", "first"),
        ("rrm", r"\fbox{assistant~2 is better}", "second"),
        ("rrm", r"\boxed{\text{Assistant }1}", "first"),
        ("rrm", r"The sum is \boxed{2}, which both found. I cannot decide.", "unreadable"),
        ("rrm", r"\boxed{2}", "second"),
        ("rrm", r"They ask for \boxed{Assistant 1} or \boxed{Assistant 2}. I choose \boxed{Assistant 1}", "first"),
        ("llmbar", "Considering all of it, Output (b) is the better choice.", "second"),
        ("llmbar", "Therefore, I cannot claim that either Output (a) or Output (b) is better, as both are bad.", "unreadable"),
        ("llmbar", "Therefore, Output (a) is better because e.g. 3.5 is right", "first"),
        ("llmbar", "While assistant (a) argues that Output (a) is better because it is longer, length is not all.", "unreadable"),
        ("best-response", "Best Response: B", "second"),
        ("best-response", "best response: [b]", "second"),
        ("best-response", "The best response is a balanced one.", "unreadable"),
        ("best-response", "Best Response: A diagram of the heart", "unreadable"),
    ],
)
def test_spellings_of_one_format(form: str, text: str, expected: str) -> None:
    [judge] = [one.judge for one in FORMATS if one.judge.use == form]
    assert judge.parse(text).outcome.value == expected


def test_a_long_text_is_read_in_a_time_that_grows_with_its_length() -> None:
    for form in FORMATS:
        noise = f"{form.instructions} \"'`<think \\boxed{{{{{{ [[[[ Best Response: Therefore, Output not if " * 400
        assert form.judge.parse(f"{noise}\n\nIn the end: {form.first}").outcome is not None


def test_the_committed_result_reaches_what_is_aimed_at() -> None:
    found = json.loads(RESULT.read_text(encoding="utf-8"))
    assert set(found["situations"]) == {form.judge.use for form in FORMATS}
    for one in found["situations"].values():
        assert (one["invented"], one["reversed"]) == (0, 0)
        assert one["missed"] <= 4
    for one in found["real"].values():
        assert one["read"] >= one["read_before"]
        assert one["reversed"] <= one["reversed_before"]
