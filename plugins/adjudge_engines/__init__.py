"""Engines: `hf`, transformers in this process, `vllm`, the same by vLLM, `openai`, an endpoint, `batch`, its batch files, and `replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adjudge import hookimpl, lazy_names

if TYPE_CHECKING:
    from adjudge import Engine

    from .batch import BatchEngine
    from .chat_template import set_chat_template, takes_system
    from .context import context_length
    from .escaping import escape_special_tokens
    from .folder import is_whole_safetensors, model_below, read_settings, settings_of
    from .gguf import gguf_file, weights_in_gguf
    from .hf_engine import HfEngine
    from .hub import find_cached_model
    from .openai_options import OpenAiEngine
    from .precision import fast_bfloat16, gains_by_bfloat16
    from .replay import ReplayEngine
    from .scoring import shares_prompts
    from .side_by_side import OwnedLayer
    from .stop_below import StopBelow, StoppedEarly
    from .tally import sampled_tokens
    from .texts import tokens_until_stop
    from .token_offsets import TokenOffsets
    from .token_sampler import TokenSampler, in_bfloat16
    from .vllm_engine import VllmEngine
    from .weights import headed_config, load_headed, load_model, load_tokenizer, merge_adapter

__all__ = [
    "BatchEngine",
    "HfEngine",
    "OpenAiEngine",
    "OwnedLayer",
    "ReplayEngine",
    "StopBelow",
    "StoppedEarly",
    "TokenOffsets",
    "TokenSampler",
    "VllmEngine",
    "context_length",
    "escape_special_tokens",
    "fast_bfloat16",
    "find_cached_model",
    "gains_by_bfloat16",
    "gguf_file",
    "headed_config",
    "in_bfloat16",
    "is_whole_safetensors",
    "load_headed",
    "load_model",
    "load_tokenizer",
    "merge_adapter",
    "model_below",
    "read_settings",
    "sampled_tokens",
    "set_chat_template",
    "settings_of",
    "shares_prompts",
    "takes_system",
    "tokens_until_stop",
    "weights_in_gguf",
]
__getattr__ = lazy_names(__name__)


@hookimpl
def register_engines() -> list[type[Engine]]:
    from .batch import BatchEngine
    from .hf_engine import HfEngine
    from .openai_options import OpenAiEngine
    from .replay import ReplayEngine
    from .vllm_engine import VllmEngine

    return [HfEngine, VllmEngine, OpenAiEngine, BatchEngine, ReplayEngine]
