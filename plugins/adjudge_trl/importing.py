"""Whether TRL can be imported where a run is started; to be asked when a run file is checked, so nothing large is imported for it."""

from __future__ import annotations

from importlib.util import find_spec

from adjudge import ConfigError


def check_trl() -> None:
    """Raise `ConfigError` where TRL cannot be imported, as 1.16 cannot where it takes a folder for vLLM."""
    if (spec := find_spec("vllm")) is not None and spec.origin is None:
        folder = next(iter(spec.submodule_search_locations or ()), "a folder")
        raise ConfigError(
            f"{folder} lies where Python looks for libraries, and TRL takes it for vLLM.\n"
            "  Remedy: start in another folder, or call it something else."
        )
