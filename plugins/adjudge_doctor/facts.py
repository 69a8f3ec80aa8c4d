"""What a model folder is, as far as judging depends on it: told from its settings and its tokenizer, without its weights."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from adjudge_engines import context_length, gguf_file, load_tokenizer, model_below, settings_of


def facts_of(folder: FilePath) -> dict[str, Any]:
    """Architecture, size, context, chat template, thinking, end of text and head, in words and numbers."""
    below, config = model_below(folder), settings_of(folder)
    tokenizer, beside = load_tokenizer(folder), folder.parent if folder.is_file() else folder
    return {
        "architecture": f"{', '.join(config.get('architectures') or ['unknown'])} ({config.get('model_type')})",
        **({} if below is None else {"adapters for": str(below)}),
        **({} if gguf_file(folder) is None else {"file": "GGUF, dequantised when it is loaded"}),
        "context": context_length(config),
        "vocabulary": len(tokenizer),
        "chat template": _template(tokenizer),
        "thinking": "begun by the chat template" if _thinks(tokenizer) else "not begun by the chat template",
        "end of text": tokenizer.eos_token or "none: no judgement would ever end",
        "head": "tied to the embedding" if config.get("tie_word_embeddings") else "of its own",
        "judge.json": "yes" if (beside / "judge.json").is_file() else "none, so a judge has to be named",
    }


def _template(tokenizer: Any) -> str:
    if tokenizer.chat_template is None:
        return "none: prompts are sent as plain text, and it cannot be trained"
    from adjudge_engines import takes_system

    return "with system turns" if takes_system(tokenizer) else "without system turns: instructions go into the user's"


def _thinks(tokenizer: Any) -> bool:
    from adjudge_judges import opened_by_template

    return bool(opened_by_template(tokenizer))
