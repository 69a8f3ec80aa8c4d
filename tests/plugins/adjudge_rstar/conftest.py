"""Triton's interpreter without needless work: `triton.language` is put in its hands once a launch, not for every function a kernel calls.

It replaces a few hundred attributes before each launch and puts them back after it. It also replaces them, and those replaced before by
themselves once more, at every call of a function inside, of which a kernel makes dozens; that took longer than the arithmetic.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

if os.environ.get("TRITON_INTERPRET") == "1":
    import triton.language as tl
    from triton.runtime import interpreter

    replace = interpreter._patch_lang
    BOTH = SimpleNamespace(__globals__={"tl": tl, "core": tl.core})
    """Under either name; a function finds one of them among its globals."""

    def replaced_once(function: Any) -> Any:
        """What puts everything back: nothing, where a launch that is under way has replaced it."""
        return interpreter._LangPatchScope() if tl.static_print is print else replace(BOTH)

    interpreter._patch_lang = replaced_once
