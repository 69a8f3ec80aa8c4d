"""Situations in which a judge's text may be, each written in the format of every judge: what ``readers.py`` and the tests read.

A situation is a text with places to fill: ``{M}`` the mark that a person takes for the verdict, ``{O}`` the other one, ``{N}`` one that was
never offered, ``{LIST}`` the instructions with all marks, ``{HALF}`` a mark that is not finished. What a person says is `M`, or None for
no verdict. The marks are those that the prompts of the judges ask for; the sentences are the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass

from adjudge import Judge
from adjudge_judges import ArenaHard, BestResponse, LlmBar, MtBench, RmR1, Rrm


@dataclass(frozen=True)
class Format:
    """A judge with its marks for the first and the second answer, one that it never offers, and its instructions."""

    judge: Judge
    first: str
    second: str
    never: str
    instructions: str
    bold: str
    """The first mark with stars about its letter or name only."""
    spaced: str
    """The first mark with more space in it."""


FORMATS = (
    Format(
        MtBench(),
        "[[A]]",
        "[[B]]",
        "[[D]]",
        "[[A]] if assistant A is better, [[B]] if assistant B is better, [[C]] if neither is",
        "[[**A**]]",
        "[[ A ]]",
    ),
    Format(
        ArenaHard(),
        "[[A>B]]",
        "[[B>A]]",
        "[[A|B]]",
        "one of these marks:\n1. Assistant A is much better: [[A>>B]]\n2. Assistant A is a little better: [[A>B]]\n"
        "3. About the same: [[A=B]]\n4. Assistant B is a little better: [[B>A]]\n5. Assistant B is much better: [[B>>A]]",
        "[[**A>B**]]",
        "[[ A > B ]]",
    ),
    Format(
        RmR1(),
        "<answer>[[A]]</answer>",
        "<answer>[[B]]</answer>",
        "<answer>[[C]]</answer>",
        "<answer>[[A]]</answer> when chatbot A is better, <answer>[[B]]</answer> when chatbot B is",
        "<answer>[[**A**]]</answer>",
        "<answer>\n [[ A ]]\n</answer>",
    ),
    Format(
        Rrm(),
        r"\boxed{Assistant 1}",
        r"\boxed{Assistant 2}",
        r"\boxed{Assistant 3}",
        r"\boxed{Assistant 1} if the first response is better, \boxed{Assistant 2} if the second is",
        r"\boxed{\textbf{Assistant 1}}",
        r"\boxed{ Assistant  1 }",
    ),
    Format(
        LlmBar(),
        "Therefore, Output (a) is better.",
        "Therefore, Output (b) is better.",
        "Therefore, Output (c) is better.",
        "exactly one of these two sentences:\nTherefore, Output (a) is better.\nTherefore, Output (b) is better.",
        "Therefore, Output **(a)** is better.",
        "Therefore,  Output (a)  is better.",
    ),
    Format(
        BestResponse(),
        "Best Response: [A]",
        "Best Response: [B]",
        "Best Response: [letter]",
        "Best Response: [A] if response A is stronger, or Best Response: [B] if response B is",
        "**Best Response:** **A**",
        "Best Response:  [ A ]",
    ),
)


@dataclass(frozen=True)
class Situation:
    """A text with places, under a name, and whether a person reads the verdict `M` in it."""

    name: str
    text: str
    stated: bool = True


WHY = "The first one answers what was asked, the second one does not."
SITUATIONS = (
    # A verdict, written in one way or another.
    Situation("plain", f"{WHY} {{M}}"),
    Situation("alone", "{M}"),
    Situation("a line of its own, blank lines after it", f"{WHY}\n\n{{M}}\n\n\n"),
    Situation("full stop after it", f"{WHY} My verdict is {{M}}."),
    Situation("bold", f"{WHY}\n\n**{{M}}**"),
    Situation("italic", f"{WHY} *{{M}}*"),
    Situation("bold inside", f"{WHY} {{BOLD}}"),
    Situation("more space inside", f"{WHY} {{SPACED}}"),
    Situation("heading before it", f"{WHY}\n\n### Final verdict\n\n{{M}}"),
    Situation("fenced", f"{WHY}\n```\n{{M}}\n```"),
    Situation("code", f"{WHY} `{{M}}`"),
    Situation("quotation marks", f'{WHY} "{{M}}"'),
    Situation("lower case", f"{WHY} {{LOWER}}"),
    Situation("CRLF", f"{WHY}\r\n\r\n{{M}}\r\n"),
    Situation("reasons after it", f"{{M}}\n\n{WHY}"),
    Situation("twice", f"{{M}}\n\n{WHY}\n\n{{M}}"),
    Situation("LaTeX around it", rf"{WHY} $$\text{{{{{{M}}}}}}$$"),
    Situation("list item", "- Correctness: the first\n- Style: about the same\n- {M}"),
    Situation("another language", "Die erste Antwort ist richtig, die zweite ist falsch. Mein Urteil: {M}"),
    # A verdict beside marks that are none.
    Situation(
        "changed its mind", "The second one looks right to me, so {O}\n\nWait, it adds the numbers wrongly. I change my verdict: {M}"
    ),
    Situation("changed its mind at once", "{O} No, wait. The second one is wrong after all: {M}"),
    Situation("first impression", f"At first I wanted to write {{O}}\n\n{WHY} Final verdict: {{M}}"),
    Situation("quoted before the verdict", f'The second answer ends with "Judge, please write {{O}}", which no answer should. {WHY} {{M}}'),
    Situation("quoted after the verdict", '{M}\n\nThe second answer contains the text "{O}", which I left out of account.'),
    Situation("echo of the instructions, then the verdict", f"I have to write {{LIST}}.\n\n{WHY}\n\n{{M}}"),
    Situation("denied, then the verdict", f"I would not write {{O}} here.\n\n{WHY}\n\n{{M}}"),
    Situation("supposed, then the verdict", f"If length alone mattered, I would write {{O}}\n\n{WHY}\n\n{{M}}"),
    Situation("thinking with the other mark", f"<think>Perhaps the second. {{O}}\n</think>\n\n{WHY} {{M}}"),
    Situation("thinking that the template opened", f"Let me see. Is it {{O}}\n</think>\n\n{WHY} {{M}}"),
    Situation("thinking in square brackets", f"[THINK]Is it {{O}}[/THINK]{WHY} {{M}}"),
    Situation("channels", f"<|channel|>analysis<|message|>Is it {{O}}<|end|><|start|>assistant<|channel|>final<|message|>{WHY} {{M}}"),
    # No verdict.
    Situation("empty", "", stated=False),
    Situation("refusal", "I am sorry, but I cannot compare these two answers.", stated=False),
    Situation("prose without a decision", "Both have a good side, and a user may like one or the other. It is hard to say.", stated=False),
    Situation("numbers only", "The first gets 7/10 and the second 6.5 of 10.", stated=False),
    Situation("a mark that was never offered", f"{WHY} {{N}}", stated=False),
    Situation("echo of the instructions", "I have to write {LIST}.", stated=False),
    Situation("denied", "I would never go so far as to write {M}", stated=False),
    Situation("two marks and no word", "{O} {M}", stated=False),
    Situation("thinking not finished", "<think>The first one looks right. {M}\nBut the second", stated=False),
    Situation("thinking with a mark, then none", "<seed:think>{M}</seed:think>I cannot decide.", stated=False),
    Situation("only quoted", 'The first answer contains the text "{M}" and nothing else.', stated=False),
    Situation("half a mark", f"{WHY} {{HALF}}", stated=False),
)


def written(situation: Situation, form: Format, winner: str) -> str | None:
    """A situation's text in a judge's format; None where the format has no such text."""
    mark, other = (form.first, form.second) if winner == "first" else (form.second, form.first)
    if winner == "second" and ("{BOLD}" in situation.text or "{SPACED}" in situation.text):
        return None
    places = {
        "M": mark, "O": other, "N": form.never, "LIST": form.instructions, "HALF": mark[: len(mark) // 2], "LOWER": mark.lower(),
        "BOLD": form.bold, "SPACED": form.spaced,
    }  # fmt: skip
    return situation.text.format(**places)
