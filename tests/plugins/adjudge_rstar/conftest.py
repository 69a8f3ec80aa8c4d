"""Triton's interpreter without needless work, which took several times as long as the arithmetic.

It replaces a few hundred attributes of `triton.language` before each launch and puts them back after it, and again at every call of a
function inside; here it does so once in a process. It makes the type and the shape of every value anew, of which a suite has a few dozen;
here each is made once. And it does every sum and product of whole numbers twice, to see one that is too large for its type, which none is
in a vocabulary of hundreds. What it takes depends on how often it is called and hardly on how much it is given, so a program multiplies
more rows of the head than on a GPU, and goes through more tiles of columns: the vocabulary is split in fewer parts.
"""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

if os.environ.get("TRITON_INTERPRET") == "1":
    import triton.language as tl
    from triton.runtime import interpreter

    from adjudge_rstar import fused, tiles

    interpreter._patch_lang(SimpleNamespace(__globals__={"tl": tl, "core": tl.core}))  # under either name, by which a function knows it
    interpreter._patch_lang = lambda function: interpreter._LangPatchScope()
    tl.pointer_type.__hash__ = tl.block_type.__hash__ = tl.dtype.__hash__  # by name
    interpreter._get_np_dtype = functools.cache(interpreter._get_np_dtype)
    make_block, make_tensor = tl.block_type.__init__, tl.tensor.__init__
    blocks: dict[tuple[Any, ...], dict[str, Any]] = {}
    tensors: dict[str, dict[str, Any]] = {}

    def block_made_once(self: Any, element_ty: Any, shape: Any) -> None:
        key = str(element_ty), *(getattr(size, "value", size) for size in shape)
        if key not in blocks:
            make_block(self, element_ty, shape)
            blocks[key] = vars(self).copy()
        else:
            vars(self).update(blocks[key])

    def shape_made_once(self: Any, handle: Any, kind: Any) -> None:
        if (key := str(kind)) not in tensors:
            make_tensor(self, handle, kind)
            tensors[key] = vars(self).copy()
        vars(self).update(tensors[key], handle=handle)

    tl.block_type.__init__, tl.tensor.__init__ = block_made_once, shape_made_once
    tl.block_type.__eq__ = lambda self, other: isinstance(other, tl.block_type) and self.name == other.name
    interpreter.interpreter_builder.options = replace(interpreter.interpreter_builder.options, sanitize_overflow=False)
    fused.DOTS = {**fused.DOTS, "COUNT": 64}
    tiles.SPLITS = 3
