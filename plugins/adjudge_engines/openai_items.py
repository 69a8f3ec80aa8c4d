"""An answer of OpenAI's responses API as a choice of its chat completions, so that one reader reads both.

A body: ``{"object": "response", "status": "completed", "output": [{"type": "reasoning", "summary": []},
{"type": "message", "content": [{"type": "output_text", "text": "\\\\boxed{Assistant 1}", "logprobs": []}]}]}``
"""

from __future__ import annotations

from typing import Any

ENDED = {"max_output_tokens": "length", "max_tokens": "length", "content_filter": "content_filter"}


def as_choice(data: dict[str, Any]) -> dict[str, Any]:
    """What a chat would have answered; what was called rather than said makes it an answer that cannot be used."""
    output = data.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    chunks: list[Any] = []
    logprobs: list[Any] = []
    for item in items:
        if item.get("type") == "reasoning":
            thought = item.get("content") or item.get("summary")
            chunks += [{"type": "thinking", "thinking": thought}] if thought else []
        elif item.get("type") == "message":
            said = item.get("content")
            parts = said if isinstance(said, list) else [{"type": "text", "text": said}]
            chunks += parts
            logprobs += [row for part in parts for row in _rows(part)]
    return {
        "message": {"content": chunks or None},
        "finish_reason": _ended(data, items),
        "logprobs": {"content": logprobs},
        "error": data.get("error"),
    }


def _rows(part: Any) -> list[Any]:
    """Log-probabilities of the tokens of one part; none where it tells none."""
    rows = part.get("logprobs") if isinstance(part, dict) else None
    return rows if isinstance(rows, list) else []


def _ended(data: dict[str, Any], items: list[dict[str, Any]]) -> Any:
    status, details = data.get("status"), data.get("incomplete_details")
    if status == "completed":
        called = any(str(item.get("type")).endswith("_call") for item in items)
        return "tool_calls" if called and not any(item.get("type") == "message" for item in items) else "stop"
    why = details.get("reason") if isinstance(details, dict) else None
    return ENDED.get(str(why), why) if status == "incomplete" else status
