"""Where thinking ends, however it is marked, and what a chat template opened: known from the template, whatever the mark is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge import Completion, Message, Outcome, read_verdict
from adjudge_judges import MtBench, Rrm, end_of_thinking, is_thinking_mark, opened_by, opened_by_template

MARKS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<THINK>", "</THINK>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|start|>assistant<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final <|constrain|>text<|message|>"),
    ("<|channel>thought\n", "<channel|>"),
]
every_mark = pytest.mark.parametrize(("begin", "end"), MARKS)


@every_mark
def test_a_verdict_counts_after_the_thinking_and_not_in_it(begin: str, end: str) -> None:
    judge = Rrm()
    one, two = r"\boxed{Assistant 1}", r"\boxed{Assistant 2}"
    assert judge.parse(f"{begin}It is {two}{end}{one}").outcome == Outcome.FIRST
    assert judge.parse(f"\n{begin}\nIt is {two}\n{end}\n\nSo: {one}").outcome == Outcome.FIRST
    assert judge.parse(f"It is {two}\n{end}{one}").outcome == Outcome.FIRST, "what was begun in the prompt"
    for unfinished in (f"{begin}{one}", f"{begin}\n{one}\nBut", f"{begin}{one}{end}", f"{begin}{one}{end}I cannot decide.", f"{one}{end}"):
        assert judge.parse(unfinished).outcome == Outcome.UNREADABLE


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", 0),
        ("The first one.", 0),
        ("Answer A used `<think>` and forgot `</think>`. [[A]]", 0),
        ('It wrote "</think>" at the end. [[A]]', 0),
        ("[Analysis]\nThe first one.", 0),
        ("Analysis\nThe first one.", 0),
        ("I think <b>so</b>.", 0),
        ("analysisThe first.", 18),
        ("analysisThe first.assistantfinalThe second.", 32),
        ("<|channel|>final<|message|>The first.", 27),
    ],
)
def test_marks_that_are_only_spoken_of_and_marks_that_are_left_out(text: str, end: int) -> None:
    assert end_of_thinking(text) == end


@given(text=st.text() | st.lists(st.sampled_from([mark for pair in MARKS for mark in pair] + ["x", "\n", "`", '"'])).map("".join))
def test_the_end_of_thinking_lies_in_the_text(text: str) -> None:
    assert 0 <= end_of_thinking(text) <= len(text)


def test_marks_that_are_special_tokens_are_known() -> None:
    assert all(map(is_thinking_mark, ["[THINK]", "[/THINK]", "<think>", "<|channel|>", "<|message|>", "<seed:think>"]))
    assert not any(map(is_thinking_mark, ["<|im_end|>", "</s>", "<|end|>", "", "think", "[INST]"]))


# What a template opens ----------------------------------------------------------------------------------------------------

ASK = "{% if add_generation_prompt %}<|im_start|>assistant\n"
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
TEMPLATES = {
    "no thinking": (CHATML + ASK + "{% endif %}", ""),
    "think": (CHATML + ASK + "<think>\n{% endif %}", "<think>\n"),
    "think, empty": (CHATML + ASK + "<think>\n\n</think>\n\n{% endif %}", ""),
    "seed": (CHATML + ASK + "<seed:think>{% endif %}", "<seed:think>"),
    "square brackets": (CHATML + ASK + "[THINK]{% endif %}", "[THINK]"),
    "a name of its own": (CHATML + ASK + "<ponder>\n{% endif %}", "<template:think><ponder>\n"),
    "bars": (CHATML + ASK + "<|musing|>{% endif %}", "<template:think><|musing|>"),
    "R1, which drops earlier thoughts": (
        "<bos>{% for m in messages %}{% if m.role == 'user' %}<|User|>{{ m.content }}"
        "{% else %}<|Assistant|>{{ m.content.split('</think>')[-1] }}<eos>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}",
        "<think>\n",
    ),
    "a header that is a mark": (
        "{% for m in messages %}<|header|>{{ m.role }}<|end_header|>{{ m.content }}<|eot|>{% endfor %}"
        "{% if add_generation_prompt %}<|header|>assistant<|end_header|>{% endif %}",
        "",
    ),
    "instructions in brackets": (
        "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
        "{% else %}{{ m.content }}</s>{% endif %}{% endfor %}",
        "",
    ),
    "a template that wants a user's turn last": (
        CHATML + "{% if not add_generation_prompt %}{{ no.such.thing }}{% endif %}<|im_start|>assistant\n<think>", "<think>",
    ),
}  # fmt: skip


def renderer(template: str) -> Callable[[Sequence[Message], bool], str]:
    compiled = jinja2.Environment().from_string(template)
    return lambda chat, ask: compiled.render(messages=chat, add_generation_prompt=ask)


class Tokenizer:
    """The part of a tokenizer that renders chats."""

    def __init__(self, template: str | None) -> None:
        self.chat_template = template

    def apply_chat_template(self, chat: list[Message], *, add_generation_prompt: bool, tokenize: bool) -> Any:
        assert self.chat_template is not None
        assert tokenize is False
        return renderer(self.chat_template)(chat, add_generation_prompt)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_what_a_template_opens_is_known_from_the_template(name: str) -> None:
    template, opened = TEMPLATES[name]
    assert opened_by(renderer(template)) == opened_by_template(Tokenizer(template)) == opened
    assert opened_by_template(Tokenizer(None)) == ""


@pytest.mark.parametrize("name", ["think", "seed", "square brackets", "a name of its own", "bars"])
def test_a_text_is_read_as_if_it_began_with_what_the_template_opened(name: str) -> None:
    opened = opened_by(renderer(TEMPLATES[name][0]))
    end = {"think": "</think>", "seed": "</seed:think>", "square brackets": "[/THINK]", "a name of its own": "</ponder>"}.get(
        name, "<|/musing|>"
    )
    text = f"Let me see. My verdict: [[B]]\n{end}\nThe first. [[A]]"
    verdict = read_verdict(MtBench(), Completion(text, opened=opened))
    assert verdict.outcome == Outcome.FIRST
    assert verdict.reasoning == (0, text.index("[[A]]"))
    assert verdict.answer == (text.index("[[A]]"), len(text))
    for unfinished in ("Let me see. My verdict: [[B]]", f"[[A]]\n{end}", ""):
        assert read_verdict(MtBench(), Completion(unfinished, opened=opened)).outcome == Outcome.UNREADABLE
    assert read_verdict(MtBench(), Completion("My verdict: [[B]]")).outcome == Outcome.SECOND
