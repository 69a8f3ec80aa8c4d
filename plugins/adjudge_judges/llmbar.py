"""LLMBar's chain-of-thought way of judging: which of two outputs follows the instruction, ended by a sentence that says so.

LLMBar (arXiv 2310.07641) asks for an explanation that ends with "Therefore, Output (a) is better." or the same with (b), greedily,
and measures every judge in both orders; its code also takes looser sentences for a verdict.
Different here: the words of the prompt are our own, only a whole sentence with its full stop is a verdict, a reason before or after the
choice allowed, and two sentences that differ are none.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from adjudge import Judge, Message, Order, Outcome, Problem, Verdict

from .marks import read_mark
from .templates import filled, words

_SENTENCE = re.compile(r"Therefore,(?: [^.\n]*?,)? Output \(([ab])\) is better(?:,? (?:as|because|since) [^.\n]*)?\.")
_OUTCOMES = {"a": Outcome.FIRST, "b": Outcome.SECOND}


class LlmBar(Judge):
    """LLMBar's prompt: which output follows the instruction, explained, and a closing sentence as the verdict; no ties."""

    use: Literal["llmbar"] = "llmbar"
    expects = "'Therefore, Output (a) is better.' or (b)"
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """Sampling temperature; 0 is greedy, as in the paper."""
    order: Literal["random", "both", "fixed"] = "both"
    """How pairs are shown: a seeded coin per judgement, both ways, or as given."""

    def prompt(self, problem: Problem, order: Order) -> list[Message]:
        pair = filled("llmbar.user.txt", problem, order)
        return [{"role": "system", "content": words("llmbar.system.txt")}, {"role": "user", "content": pair}]

    def parse(self, text: str) -> Verdict:
        return read_mark(text, _SENTENCE, _OUTCOMES)
