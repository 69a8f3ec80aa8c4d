"""LLMBar's chain-of-thought way of judging: which of two outputs follows the instruction, ended by a sentence that says so.

LLMBar (arXiv 2310.07641) asks for an explanation that ends with "Therefore, Output (a) is better." or the same with (b), greedily,
and measures every judge in both orders; its code also takes looser sentences for a verdict.
Different here: the words of the prompt are our own; a verdict is a whole sentence, a reason before or after the choice allowed, and one
without *Therefore* counts where none has it; of two that differ the last counts where the text says so (`statements`).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Message, Order, Outcome, Problem, Verdict

from .marks import read_marks
from .templates import filled, words
from .worded_judge import WordedJudge

_NO = r"(?!\bnot\b|n['’]t\b|cannot|neither|either|\bif\b)"
_HOW = r"(?:clearly |much |slightly |significantly |overall |overall the )?"
_BETTER = (
    rf"Output\s\(?([ab])\)?\sis (?:the |a )?{_HOW}better(?: output| one| choice| response)?"
    r"(?:,? (?:as|because|since) [^\n]*?)?(?:[.!]|(?=\s*(?:\n|\Z)))"
)
_MARKS = (re.compile(rf"Therefore,?(?: (?:{_NO}[^.\n]){{0,200}}?,)?\s{_BETTER}", re.IGNORECASE), re.compile(_BETTER, re.IGNORECASE))
_OUTCOMES = {"A": Outcome.FIRST, "B": Outcome.SECOND}


class LlmBar(WordedJudge):
    """LLMBar's prompt: which output follows the instruction, explained, and a closing sentence as the verdict; no ties."""

    use: Literal["llmbar"] = "llmbar"
    expects = "'Therefore, Output (a) is better.' or (b)"
    verdicts = ("Therefore, Output (a) is better.", "Therefore, Output (b) is better.")
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Sampling temperature; 0 is greedy, as in the paper."""
    order: Literal["random", "both", "fixed"] = "both"
    """How pairs are shown: a seeded coin per judgement, both ways, or as given."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        pair = filled("llmbar.user.txt", problem, order)
        return [{"role": "system", "content": words("llmbar.system.txt")}, {"role": "user", "content": pair}]

    def parse(self, text: str) -> Verdict:
        return read_marks(text, _MARKS, _OUTCOMES)
