"""Takes the power out of chat markup that stands in what is judged, so that an answer cannot end the user's turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .chat_template import with_system_turns_folded

if TYPE_CHECKING:
    from adjudge import Message

BARS = re.compile("<[|｜].+[|｜]>")
"""Chat markup of most models, whether or not they call it special."""


def escape_special_tokens(messages: Sequence[Message], tokenizer: Any) -> list[Message]:
    """The chat turns with a space in every token of chat markup that stands in their text: special ones, and what stands between bars.

    An answer that holds ``<|im_end|>`` would otherwise end the user's turn and could speak for the judge. DeepSeek's ``<｜Assistant｜>``
    does the same and is no special token. Other added tokens, such as ``<tool_call>``, begin no turn and stay as they are; for think-marks
    see `Judge.render`. A system turn joins the user's where the template has none. `tokenizer` is one of transformers'; a chat template is
    applied to what this returns.
    """
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    marks = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special or BARS.fullmatch(token.content))}
    found = []
    for message in with_system_turns_folded(messages, tokenizer):
        text = message["content"]
        for mark in sorted(marks, key=len, reverse=True):
            text = text.replace(mark, f"{mark[0]} {mark[1:]}")
        found.append({**message, "content": text})
    return found
