"""The tokenizer of the model that an endpoint serves, and what its chat template says about thinking."""

from __future__ import annotations

import json
from pathlib import Path as FilePath

from adjudge import ConfigError
from adjudge_judges import opened_by_template

from .folder import TOKENIZER_FILES
from .installed import require
from .openai_options import OpenAiEngine
from .texts import Texts


def texts_of(folder: FilePath) -> Texts:
    """The tokenizer in a folder, which needs to hold no weights."""
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ConfigError(
            f"engine.tokenizer: {folder} has no tokenizer (looked for {', '.join(TOKENIZER_FILES)}).\n  Remedy: check the path."
        )
    require("train", "transformers")
    from transformers import AutoTokenizer

    settings = folder / "generation_config.json"
    ends = json.loads(settings.read_text(encoding="utf-8")).get("eos_token_id") if settings.is_file() else None
    return Texts(AutoTokenizer.from_pretrained(folder), ends_of_turn=ends, context=None)


def opens_thinking(options: OpenAiEngine, texts: Texts | None) -> bool:
    """Whether the prompt ends with the beginning of the thinking: as the options say, else as the tokenizer's template has it."""
    if options.opens_thinking is not None:
        return options.opens_thinking
    arguments = options.extra.get("chat_template_kwargs")
    return texts is not None and bool(opened_by_template(texts.tokenizer, arguments if isinstance(arguments, dict) else {}))
