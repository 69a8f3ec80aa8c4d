"""Triton's interpreter without needless work: `triton.language` is put in its hands once a launch, not for every function a kernel calls.

It replaces a few hundred attributes before each launch and puts them back after it. It also replaces them, and those replaced before by
themselves once more, at every call of a function inside, of which a kernel makes dozens; that took longer than the arithmetic. And it does
every sum and product of whole numbers twice, to see one that is too large for its type, which none is in a vocabulary of hundreds. What it
takes depends on how often it is called and hardly on how much it is given, so a program multiplies more rows of the head than on a GPU.
"""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

if os.environ.get("TRITON_INTERPRET") == "1":
    import triton.language as tl
    from triton.runtime import interpreter

    from adjudge_rstar import fused

    patch = interpreter._patch_lang
    BOTH = SimpleNamespace(__globals__={"tl": tl, "core": tl.core})
    """Under either name; a function finds one of them among its globals."""

    def replaced_once(function: Any) -> Any:
        """What puts everything back: nothing, where a launch that is under way has replaced it."""
        return interpreter._LangPatchScope() if tl.static_print is print else patch(BOTH)

    interpreter._patch_lang = replaced_once
    interpreter.interpreter_builder.options = replace(interpreter.interpreter_builder.options, sanitize_overflow=False)
    fused.DOTS = {**fused.DOTS, "COUNT": 64}
