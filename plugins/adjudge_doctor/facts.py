"""What a model folder is, as far as judging depends on it: told from its settings and its tokenizer, without its weights."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from adjudge_engines import load_tokenizer, model_below, read_settings


def facts_of(folder: FilePath) -> dict[str, Any]:
    """Architecture, size, context, chat template, thinking, end of text and head, in words and numbers."""
    whole = model_below(folder) or folder
    config = read_settings(whole / "config.json")
    tokenizer = load_tokenizer(folder)
    return {
        "architecture": f"{', '.join(config.get('architectures') or ['unknown'])} ({config.get('model_type')})",
        **({"adapters for": str(whole)} if whole != folder else {}),
        "context": config.get("max_position_embeddings"),
        "vocabulary": len(tokenizer),
        "chat template": _template(tokenizer),
        "thinking": "begun by the chat template" if _thinks(tokenizer) else "not begun by the chat template",
        "end of text": tokenizer.eos_token or "none: no judgement would ever end",
        "head": "tied to the embedding" if config.get("tie_word_embeddings") else "of its own",
        "judge.json": "yes" if (folder / "judge.json").is_file() else "none, so a judge has to be named",
    }


def _template(tokenizer: Any) -> str:
    if tokenizer.chat_template is None:
        return "none: prompts are sent as plain text, and it cannot be trained"
    from adjudge_engines import takes_system

    return "with system turns" if takes_system(tokenizer) else "without system turns: instructions go into the user's"


def _thinks(tokenizer: Any) -> bool:
    from adjudge_judges import opened_by_template

    return bool(opened_by_template(tokenizer))
