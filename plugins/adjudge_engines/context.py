"""How many tokens a model takes, prompt and judgement together, told from its settings: scaled rotary positions count as they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIMITS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length", "max_sequence_length")
"""What settings call the longest sequence, by families of models; the first that is there counts."""
STRETCHED = ("linear", "dynamic", "ntk", "yarn")
"""Scalings by a factor of the length that a model was first trained for. Others, such as llama3 and longrope, are written into settings
together with the longer length."""


def context_length(settings: Mapping[str, Any]) -> int | None:
    """Tokens of the longest sequence that these settings, a ``config.json``, are for; None where they do not tell."""
    text = settings.get("text_config")
    said = {**settings, **(text if isinstance(text, Mapping) else {})}
    limit = next((count for name in LIMITS if (count := _count(said.get(name))) is not None), None)
    if limit is None:
        return None
    scaling = said.get("rope_parameters") or said.get("rope_scaling")
    if not isinstance(scaling, Mapping):
        return limit
    by_layer = [value for value in scaling.values() if isinstance(value, Mapping)]
    # Where layers differ, those that are not stretched bound the sequence; so Gemma writes the longer length itself.
    return min(_stretched(one, limit) for one in by_layer or [scaling])


def _stretched(scaling: Mapping[str, Any], limit: int) -> int:
    """The length that one kind of rotary positions reaches; never less than the settings' own."""
    kind, factor = scaling.get("rope_type") or scaling.get("type"), scaling.get("factor")
    if kind not in STRETCHED or isinstance(factor, bool) or not isinstance(factor, int | float):
        return limit
    first = _count(scaling.get("original_max_position_embeddings")) or limit
    return max(limit, round(first * factor))


def _count(value: Any) -> int | None:
    """The value where it is a whole number above 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
