"""Chat-templated texts, as OpenRLHF and LLaMA-Factory send them, as the messages that they were made of."""

from __future__ import annotations

import re

from adjudge_rewards import Said

TURNS = (
    re.compile(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>|(?=<\|im_start\|>)|\Z)", re.DOTALL),
    re.compile(r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\n\n(.*?)(?:<\|eot_id\|>|(?=<\|start_header_id\|>)|\Z)", re.DOTALL),
    re.compile(r"<start_of_turn>(\w+)\n(.*?)(?:<end_of_turn>|(?=<start_of_turn>)|\Z)", re.DOTALL),
)
"""Turns as ChatML (Qwen and many more), Llama 3 and Gemma write them."""
ENDS = re.compile(
    r"(?:\s*(?:<\|im_end\|>|<\|eot_id\|>|<\|end_of_text\|>|<\|endoftext\|>|<end_of_turn>|<eos>|</s>|<\|end▁of▁sentence\|>))+\s*\Z"
)
"""What closes an answer."""
ROLES = {"model": "assistant"}


def answer_of(text: str) -> str:
    """A completion without the marks that end it."""
    return ENDS.sub("", text) if text.rstrip().endswith(">") else text


def turns_of(text: str) -> list[tuple[str, str]]:
    """Roles and what they say; empty where the text has the form of no template that is known."""
    found = next((turns for pattern in TURNS if (turns := pattern.findall(text))), []) if "<" in text else []
    return [(ROLES.get(role, role), said.strip()) for role, said in found]


def conversation(text: str) -> Said:
    """A templated prompt as messages, without the empty turn that is to be filled; any other text as it is."""
    turns = turns_of(text)
    if turns and turns[-1] == ("assistant", ""):
        turns.pop()
    return [{"role": role, "content": said} for role, said in turns] or text
